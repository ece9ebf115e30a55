"""Room and occupancy as docs/explanation/semantics.md says them, by counting the list anew.

It reads the plan's tables itself, so that it shares no step with the library's own rules.
"""

from __future__ import annotations

from fractions import Fraction

from omniroute.model import Channel
from omniroute.plan import Capacity


def _found(table, channel, default=None):
    return table[channel] if channel in table else table.get("*", default)


def _is_interruptible(capacity: Capacity, channel: Channel) -> bool:
    named = [channel in capacity.costs, channel in capacity.interruptible_costs]
    return named[1] if any(named) else "*" in capacity.interruptible_costs


def _cost(capacity: Capacity, channel: Channel) -> int | None:
    deferred = _is_interruptible(capacity, channel)
    return _found(capacity.interruptible_costs if deferred else capacity.costs, channel)


def _spent(capacity: Capacity, carried: list[Channel], *, interruptible: bool) -> int:
    kind = [c for c in carried if _is_interruptible(capacity, c) is interruptible]
    return sum(_cost(capacity, channel) or 0 for channel in kind)


def has_room(capacity: Capacity, carried: list[Channel], channel: Channel) -> bool:
    """Whether one more of `channel` fits an agent who carries this list."""
    interruptible = _is_interruptible(capacity, channel)
    budget = capacity.interruptible_budget if interruptible else capacity.budget
    cost = _cost(capacity, channel)
    if cost is None or _spent(capacity, carried, interruptible=interruptible) + cost > budget:
        return False
    full = _spent(capacity, carried, interruptible=False) >= capacity.budget
    if interruptible and full and not capacity.interruptible_when_full:
        return False
    if sum(other == channel for other in carried) >= _found(capacity.maxima, channel, budget):
        return False
    for other in carried:
        if other != channel:
            allowed = _found(capacity.interruptible_by, other, ["*"])
            if channel not in allowed and "*" not in allowed:
                return False
    return True


def occupancy_of(capacity: Capacity, carried: list[Channel]) -> Fraction:
    both = (_spent(capacity, carried, interruptible=kind) for kind in (False, True))
    return Fraction(sum(both), capacity.budget + capacity.interruptible_budget)
