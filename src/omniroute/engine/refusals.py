"""What follows a refusal: the next agent, the end, or what the queue does when all refused."""

from __future__ import annotations

from collections.abc import Iterable

from ..events import RefusalsReset
from ..plan import RefusalRule
from . import apply, overflow
from .matching import Events, exhausted, rematch
from .records import AgentRecord, InteractionRecord
from .state import State

__all__ = ["after_refusal", "lift", "lift_everywhere"]


def after_refusal(
    state: State,
    record: InteractionRecord,
    agent: AgentRecord,
    at_ms: int,
    out: Events,
    others: Iterable[AgentRecord] = (),
) -> None:
    """An agent does not want it: end it, or clear the refusals, or find another agent.

    ``others`` were freed with him.
    """
    if not exhausted(state, record, at_ms, out):
        lift(state, record, at_ms, out)
    rematch(state, at_ms, out, agents=[agent, *others], records=[record])


def lift(state: State, record: InteractionRecord, at_ms: int, out: Events) -> bool:
    """What the queue does when everybody has declined; whether it may be offered again here."""
    barred = record.barred
    if barred is None or record.queue.plan.refusal.rule is not RefusalRule.ALL_DECLINED:
        return False
    for profile in state.need_at(record, record.step).profiles.values():
        if any(agent_id not in barred for agent_id in profile.agents):
            return False
    rule = record.queue.plan.refusal.overflow
    if rule is not None:
        overflow.act(state, record, rule, at_ms, out)
        return False
    event = RefusalsReset(at_ms, record.id)
    apply.refusals_reset(state, event)
    out.append(event)
    return True


def lift_everywhere(state: State, at_ms: int, out: Events) -> list[InteractionRecord]:
    """The agents have changed: look again at everything that was refused."""
    refused = sorted(state.refused.values(), key=lambda r: state.market.place(r, at_ms))
    return [record for record in refused if lift(state, record, at_ms, out)]
