"""What an agent can still take: loads are interned states, taking work is a step.

Whether one more chat fits is a pure function of (capacity, what the agent carries). There
are few distinct loads, so each is made once: `Load.plus[channel]` is the load after taking
one, `Load.minus[channel]` the load after giving one back. On the hot path capacity costs
one dict look-up. ``open`` is a bit set over channels: what may still be offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ..model import Channel
from ..plan import Capacity

__all__ = ["CHANNEL_BIT", "Load", "Loads"]

CHANNEL_BIT: Mapping[Channel, int] = {channel: 1 << i for i, channel in enumerate(Channel)}


class Load:
    """What one agent carries, by channel; shared by all agents who carry the same."""

    __slots__ = ("capacity", "counts", "minus", "occupancy", "open", "plus", "used")

    def __init__(self, capacity: Capacity, counts: tuple[tuple[Channel, int], ...]) -> None:
        self.capacity = capacity
        self.counts = counts
        self.used = sum(count * (capacity.cost(channel) or 0) for channel, count in counts)
        self.occupancy = Fraction(self.used, capacity.budget)
        self.open = 0
        held = dict(counts)
        for channel, bit in CHANNEL_BIT.items():
            cost = capacity.cost(channel)
            if (
                cost is not None
                and self.used + cost <= capacity.budget
                and held.get(channel, 0) < capacity.maximum(channel)
            ):
                self.open |= bit
        self.plus: dict[Channel, Load] = {}
        self.minus: dict[Channel, Load] = {}


class Loads:
    """The interned loads of all capacities of a plan."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, tuple[tuple[Channel, int], ...]], Load] = {}

    def get(self, capacity: Capacity, counts: Mapping[Channel, int]) -> Load:
        """The one load for these counts. A load over its budget is legal: nothing fits."""
        key = (capacity.name, tuple(sorted((c, n) for c, n in counts.items() if n)))
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = Load(capacity, key[1])
        return load

    def plus(self, load: Load, channel: Channel) -> Load:
        """The load after taking one more of ``channel``."""
        after = load.plus.get(channel)
        if after is None:
            counts = dict(load.counts)
            counts[channel] = counts.get(channel, 0) + 1
            after = load.plus[channel] = self.get(load.capacity, counts)
        return after

    def minus(self, load: Load, channel: Channel) -> Load:
        """The load after giving one of ``channel`` back."""
        after = load.minus.get(channel)
        if after is None:
            counts = dict(load.counts)
            counts[channel] -= 1
            assert counts[channel] >= 0, "capacity given back that was not taken"
            after = load.minus[channel] = self.get(load.capacity, counts)
        return after
