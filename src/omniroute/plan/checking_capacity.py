"""Checks of capacities: what can never be carried, and permissions that never help.

Everything here is about one capacity by itself, so it is decided exactly, by `Capacity.admits`
and by what two interactions cost together.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Channel
from .capacity import Capacity
from .findings import Code, Finding
from .reading import quoted_key
from .survey import Survey, error, warning

__all__ = ["check_capacities"]


def check_capacities(survey: Survey) -> Iterator[Finding]:
    """Costs above a budget, capacities that admit nothing, interruptions that never happen."""
    for capacity in survey.plan.capacities.values():
        where = f"capacities.{quoted_key(capacity.name)}"
        yield from _costs(capacity, where)
        if not any(map(capacity.admits, Channel)):
            yield error(
                Code.USELESS_CAPACITY,
                where,
                "no channel ever fits, so whoever has this capacity is never offered anything",
            )
        yield from _interruptions(capacity, where)


def _costs(capacity: Capacity, where: str) -> Iterator[Finding]:
    for key, costs, budget in (
        ("costs", capacity.costs, capacity.budget),
        ("interruptible_costs", capacity.interruptible_costs, capacity.interruptible_budget),
    ):
        for channel, cost in costs.items():
            if cost > budget:
                shown = "any other channel" if channel == "*" else channel
                yield error(
                    Code.CHANNEL_NEVER_FITS,
                    f"{where}.{key}.{quoted_key(channel)}",
                    f"{shown} costs {cost} of a budget of {budget}, so it never fits",
                )


def _interruptions(capacity: Capacity, where: str) -> Iterator[Finding]:
    for carried, allowed in capacity.interruptible_by.items():
        for arriving in allowed:
            if "*" in (carried, arriving) or arriving == carried:
                continue
            why = _why_never(capacity, Channel(arriving), Channel(carried))
            if why is not None:
                yield warning(
                    Code.USELESS_INTERRUPTION,
                    f"{where}.interruptible_by.{quoted_key(carried)}",
                    f"{arriving} may interrupt {carried}, but {why}",
                )


def _why_never(capacity: Capacity, arriving: Channel, carried: Channel) -> str | None:
    """Why ``arriving`` never comes to an agent who carries ``carried``, None when it may."""
    for channel in (carried, arriving):
        if not capacity.admits(channel):
            return f"{channel} is never offered"
    own, other = capacity.cost(arriving) or 0, capacity.cost(carried) or 0
    budget, deferred = capacity.budget_of(arriving), capacity.is_interruptible(arriving)
    if deferred is capacity.is_interruptible(carried):
        if own + other <= budget:
            return None
        return f"together they cost {own + other} of a budget of {budget}"
    if deferred and other >= capacity.budget and not capacity.interruptible_when_full:
        return f"{carried} uses up the budget, and interruptible_when_full is false"
    return None
