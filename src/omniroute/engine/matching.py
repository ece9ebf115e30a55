"""Both edges of matching, and what brings an interaction back to waiting.

Every command ends in here: freed agents and freed interactions find each other through the
same market. Each function takes the state, the moment and the list of events it extends.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..events import (
    Accepted,
    Cancelled,
    Event,
    Offered,
    OfferKind,
    RejectReason,
    Revoked,
    RevokeReason,
)
from ..model import InteractionState, Presence
from ..plan import Queue, RefusalRule
from . import apply
from .records import UNTIL_RESET, AgentRecord, InteractionRecord, OfferRecord
from .state import State

__all__ = [
    "Events",
    "accept",
    "again_at_ms",
    "cancel",
    "exhausted",
    "feed",
    "offer",
    "place",
    "rematch",
    "revoke",
    "revoke_all",
]

Events = list[Event]

_MATCHED = OfferKind.MATCHED
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
    waiting = list(records)
    if len(waiting) > 1:
        waiting.sort(key=lambda record: state.market.place(record, at_ms))
    for record in waiting:
        place(state, record, at_ms, out)


def feed(state: State, agent: AgentRecord, at_ms: int, out: Events) -> None:
    """Offer an agent the best there is for him, until nothing fits."""
    if state.unattended:
        return
    while agent.load.open and agent.presence is _READY:
        record = state.market.best_interaction(agent, at_ms)
        if record is None:
            return
        offer(state, record, agent, at_ms, out)


def place(
    state: State,
    record: InteractionRecord,
    at_ms: int,
    out: Events,
    but: AgentRecord | None = None,
) -> None:
    """Offer an interaction to the best agents there are for it, while it is open to offers.

    ``but`` is left out.
    """
    if state.unattended:
        return
    while record.lane is not None:
        agent = state.market.best_agent(record, but)
        if agent is None:
            return
        offer(state, record, agent, at_ms, out)


def offer(
    state: State,
    record: InteractionRecord,
    agent: AgentRecord,
    at_ms: int,
    out: Events,
    how: OfferKind = _MATCHED,
) -> OfferRecord:
    """Hold it out to an agent; in a queue that accepts for him it is his at once."""
    queue = record.queue
    timers = queue.offer_timers
    expires_at_ms = at_ms + timers.duration_ms
    number = state.last_offer + 1
    if how is _MATCHED:
        event = Offered(at_ms, number, record.id, agent.id, expires_at_ms)
    else:
        over = how is OfferKind.ASSIGNED and not agent.load.open & record.kind.bit
        event = Offered(at_ms, number, record.id, agent.id, expires_at_ms, how, over)
    offered = apply.offered(state, event, record, agent, timers)
    out.append(event)
    if queue.auto_accept and how is _MATCHED:
        accept(state, offered, at_ms, out)
    return offered


def accept(state: State, offer: OfferRecord, at_ms: int, out: Events) -> None:
    """The agent has it; whoever else was offered it is not any more."""
    record = offer.record
    others = () if record.is_plain else record.held_by
    event = Accepted(at_ms, offer.id, record.id, offer.agent.id)
    apply.accepted(state, event, offer)
    out.append(event)
    if len(others) > 1:
        beaten = [other for other in others if other is not offer]
        for other in beaten:
            revoke(state, other, RevokeReason.TAKEN, at_ms, out)
        rematch(state, at_ms, out, agents=[other.agent for other in beaten])


def revoke(
    state: State,
    offer: OfferRecord,
    reason: RevokeReason,
    at_ms: int,
    out: Events,
    again_at_ms: int | None = None,
) -> None:
    """Take an open offer back."""
    event = Revoked(at_ms, offer.id, offer.record.id, offer.agent.id, reason, again_at_ms)
    apply.revoked(state, event)
    out.append(event)


def revoke_all(
    state: State, record: InteractionRecord, reason: RevokeReason, at_ms: int, out: Events
) -> list[AgentRecord]:
    """Take its open offers back, in order; returns the agents who had them."""
    if record.state is not _OFFERED:
        return []
    offers = record.held_by
    for offer in offers:
        revoke(state, offer, reason, at_ms, out)
    return [offer.agent for offer in offers]


def cancel(state: State, record: InteractionRecord, reason: str, at_ms: int, out: Events) -> None:
    """Take an interaction out; it has no open offer."""
    event = Cancelled(at_ms, record.id, reason)
    apply.cancelled(state, event)
    out.append(event)


def again_at_ms(queue: Queue, at_ms: int) -> int | None:
    """Until when the agent who refuses something of this queue now is barred, by its rule."""
    refusal = queue.refusal
    if refusal.rule is RefusalRule.AT_ONCE:
        return None
    if refusal.rule is RefusalRule.AFTER:
        return at_ms + refusal.after_ms
    return UNTIL_RESET


def exhausted(state: State, record: InteractionRecord, at_ms: int, out: Events) -> bool:
    """End an interaction that was offered too often and to nobody now; whether it was."""
    if record.offers < state.plan.limits.max_offers or record.offer is not None:
        return False
    cancel(state, record, RejectReason.OFFERS_EXHAUSTED.value, at_ms, out)
    return True
