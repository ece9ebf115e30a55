"""The centre's time and ours: ten minutes of a working day pass in some seconds.

The plan stays as it would be written for a real centre. For the demo every duration in it
is divided by the speed, and everything that is shown is multiplied by it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs

from omniroute.plan import Plan

__all__ = ["Pace"]


@attrs.frozen
class Pace:
    """``speed`` seconds of the centre pass in one of ours."""

    speed: float

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds of the centre pass."""
        await asyncio.sleep(seconds / self.speed)

    def seconds(self, duration_ms: float) -> float:
        """A measured duration in seconds of the centre."""
        return duration_ms * self.speed / 1000

    def faster(self, plan: Plan) -> Plan:
        """The same plan with every duration in it divided by the speed."""
        found: Plan = self._faster(plan)
        return found

    def _faster(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._faster, value))
        if isinstance(value, Mapping):
            return {name: self._faster(part) for name, part in value.items()}
        if not attrs.has(type(value)):
            return value
        changed = {}
        for field in attrs.fields(type(value)):
            part = getattr(value, field.name)
            is_duration = field.name.endswith("_ms") or field.name == "ms_per_point"
            if is_duration and part:
                changed[field.name] = max(1, round(part / self.speed))
            else:
                changed[field.name] = self._faster(part)
        return attrs.evolve(value, **changed)
