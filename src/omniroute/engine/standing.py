"""What stands at this moment, for views that missed the events which led to it.

Whoever folds events (desks, gauges) and joins late, behind a snapshot, begins from here.
"""

from __future__ import annotations

from typing import NamedTuple

from ..model import Agent, Interaction, Presence
from .core import Engine
from .records import InteractionRecord
from .state import State

__all__ = ["Held", "Standing", "standing"]


class Held(NamedTuple):
    """An open offer or an assignment of an agent: ``interaction.state`` tells which.

    ``until_ms`` is when the offer expires or the wrap-up ends; None without an end.
    ``accepted_at_ms`` is -1 for an offer; ``code`` is the disposition code of a wrap-up;
    ``consult`` is the open consult that the agent asked for, None without one.
    """

    offer_id: int
    interaction: Interaction
    until_ms: int | None
    accepted_at_ms: int
    code: str
    consult: Interaction | None


class Standing(NamedTuple):
    """A signed-in agent and what he holds, in the order of the offers."""

    agent: Agent
    presence: Presence
    held: tuple[Held, ...]


def standing(engine: Engine) -> list[Standing]:
    """Every signed-in agent, in the order of signing in. O(agents + timers)."""
    state = engine._state
    deadlines = {timer.number: timer.deadline_ms for timer in state.timers.live()}
    return [
        Standing(
            record.agent,
            record.presence,
            tuple(
                Held(
                    offer_id,
                    state.picture(offer.record),
                    deadlines.get(offer.timer),
                    offer.accepted_at_ms,
                    offer.record.code,
                    _consult(state, offer.record),
                )
                for offer_id, offer in sorted(record.work.items())
            ),
        )
        for record in state.agents.values()
    ]


def _consult(state: State, record: InteractionRecord) -> Interaction | None:
    side = record.side
    return None if side is None or side.consult is None else state.picture(side.consult)
