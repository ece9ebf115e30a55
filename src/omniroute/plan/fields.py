"""Validators of the fields of a plan: each says what, where, and what would be right."""

from __future__ import annotations

from typing import Any, TypeGuard

import attrs

from ..errors import PlanError

__all__ = ["MAX_INTEGER", "at_least", "between", "is_integer", "name_text", "one_of", "percents"]

#: The largest integer that every journal and every JSON reader keeps exactly.
MAX_INTEGER = 2**53 - 1


def is_integer(value: object) -> TypeGuard[int]:
    """Whether ``value`` is an integer and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def at_least(minimum: int) -> Any:
    """A validator: an integer (no float, no bool) from ``minimum`` to `MAX_INTEGER`."""
    return between(minimum, MAX_INTEGER)


def between(low: int, high: int) -> Any:
    """A validator: an integer (no float, no bool) from ``low`` to ``high``."""
    allowed = f"from {low} to {high}" if high < MAX_INTEGER else f"of at least {low}"

    def check(instance: object, attribute: attrs.Attribute[int], value: object) -> None:
        where = f"{type(instance).__name__}.{attribute.name}"
        if not is_integer(value) or value < low:
            raise PlanError(f"must be an integer {allowed}, got {value!r}", where=where)
        if value > high:
            raise PlanError(f"must be at most {high}, got {value}", where=where)

    return check


def name_text(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    """A validator: a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise PlanError(
            f"must be a text that is not empty, got {value!r}",
            where=f"{type(instance).__name__}.{attribute.name}",
        )


def percents(instance: object, attribute: attrs.Attribute[Any], value: dict[str, int]) -> None:
    """A validator: percents by name, from 1, that sum to at most 100."""
    where = f"{type(instance).__name__}.{attribute.name}"
    for name, percent in value.items():
        if not is_integer(percent) or percent < 1:
            raise PlanError(f"{name}: must be an integer from 1, got {percent!r}", where=where)
    if sum(value.values()) > 100:
        raise PlanError(f"the percents sum to {sum(value.values())}, over 100", where=where)


def one_of(*kinds: type) -> Any:
    """A validator: an instance of one of ``kinds``."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise PlanError(
                f"must be a {names}, got {value!r}",
                where=f"{type(instance).__name__}.{attribute.name}",
            )

    return check
