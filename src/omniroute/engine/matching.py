"""Both edges of matching, and what brings an interaction back to waiting.

Every command ends in here: freed agents and freed interactions find each other through the
same market. Each function takes the state, the moment and the list of events it extends.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..events import Cancelled, Event, Offered, RefusalsReset, RejectReason, Revoked, RevokeReason
from ..model import InteractionState, Presence
from ..plan import RefusalRule
from . import apply
from .records import UNTIL_RESET, AgentRecord, InteractionRecord
from .state import State

__all__ = [
    "Events",
    "after_refusal",
    "again_at_ms",
    "cancel",
    "exhausted",
    "feed",
    "lift",
    "lift_everywhere",
    "place",
    "rematch",
    "revoke",
]

Events = list[Event]

_WAITING = InteractionState.WAITING
_OFFERED = InteractionState.OFFERED
_READY = Presence.READY


def rematch(
    state: State,
    at_ms: int,
    out: Events,
    agents: Iterable[AgentRecord] = (),
    records: Iterable[InteractionRecord] = (),
) -> None:
    """Freed agents first, in idle order, then freed interactions, in key order."""
    for agent in sorted(agents, key=lambda agent: agent.idle):
        feed(state, agent, at_ms, out)
    for record in sorted(records, key=lambda record: record.key):
        place(state, record, at_ms, out)


def feed(state: State, agent: AgentRecord, at_ms: int, out: Events) -> None:
    """Offer an agent the best there is for him, until nothing fits."""
    while agent.load.open and agent.presence is _READY:
        record = state.market.best_interaction(agent)
        if record is None:
            return
        _offer(state, record, agent, at_ms, out)


def place(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """Offer an interaction to the best agent there is for it, if it waits."""
    if record.state is _WAITING:
        agent = state.market.best_agent(record)
        if agent is not None:
            _offer(state, record, agent, at_ms, out)


def _offer(
    state: State, record: InteractionRecord, agent: AgentRecord, at_ms: int, out: Events
) -> None:
    expires_at_ms = at_ms + record.queue.offer_timers.duration_ms
    event = Offered(at_ms, state.last_offer + 1, record.id, agent.id, expires_at_ms)
    apply.offered(state, event, record, agent)
    out.append(event)


def revoke(
    state: State,
    record: InteractionRecord,
    reason: RevokeReason,
    at_ms: int,
    out: Events,
    again_at_ms: int | None = None,
) -> AgentRecord | None:
    """Take the open offer back, if there is one; returns the agent who had it."""
    if record.state is not _OFFERED:
        return None
    agent = record.agent
    assert agent is not None
    event = Revoked(at_ms, record.offer_id, record.id, agent.id, reason, again_at_ms)
    apply.revoked(state, event)
    out.append(event)
    return agent


def cancel(state: State, record: InteractionRecord, reason: str, at_ms: int, out: Events) -> None:
    """Take an interaction out; it has no open offer."""
    event = Cancelled(at_ms, record.id, reason)
    apply.cancelled(state, event)
    out.append(event)


def again_at_ms(record: InteractionRecord, at_ms: int) -> int | None:
    """Until when the agent who refuses it now is barred, by the queue's rule."""
    refusal = record.queue.plan.refusal
    if refusal.rule is RefusalRule.AT_ONCE:
        return None
    if refusal.rule is RefusalRule.AFTER:
        return at_ms + refusal.after_ms
    return UNTIL_RESET


def after_refusal(
    state: State, record: InteractionRecord, agent: AgentRecord, at_ms: int, out: Events
) -> None:
    """An agent does not want it: end it, or clear the refusals, or find another agent."""
    if not exhausted(state, record, at_ms, out):
        lift(state, record, at_ms, out)
    rematch(state, at_ms, out, agents=[agent], records=[record])


def exhausted(state: State, record: InteractionRecord, at_ms: int, out: Events) -> bool:
    """End an interaction that was offered too often; whether it was."""
    if record.offers < state.plan.limits.max_offers:
        return False
    cancel(state, record, RejectReason.OFFERS_EXHAUSTED.value, at_ms, out)
    return True


def lift(state: State, record: InteractionRecord, at_ms: int, out: Events) -> bool:
    """Clear the refusals of an interaction that everybody has declined; whether it was."""
    barred = record.barred
    if barred is None or record.queue.plan.refusal.rule is not RefusalRule.ALL_DECLINED:
        return False
    for profile in state.need(record).profiles.values():
        if any(agent_id not in barred for agent_id in profile.agents):
            return False
    event = RefusalsReset(at_ms, record.id)
    apply.refusals_reset(state, event)
    out.append(event)
    return True


def lift_everywhere(state: State, at_ms: int, out: Events) -> list[InteractionRecord]:
    """The agents have changed: look again at everything that was refused."""
    refused = sorted(state.refused.values(), key=lambda record: record.key)
    return [record for record in refused if lift(state, record, at_ms, out)]
