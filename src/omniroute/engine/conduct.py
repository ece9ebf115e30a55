"""What an agent does with an offer and an assignment, and what time does to them."""

from __future__ import annotations

from ..errors import CommandError, UnknownNameError
from ..events import (
    Accept,
    Assign,
    Complete,
    Completed,
    Decline,
    Declined,
    Expired,
    ExtendWrapUp,
    FinishWrapUp,
    Held,
    Hold,
    OfferKind,
    Pick,
    RejectReason,
    Requeue,
    Requeued,
    Resume,
    Resumed,
    Revoke,
    RevokeReason,
    WrapUpExtended,
    WrapUpStarted,
)
from ..model import InteractionState, Presence
from ..plan import Delivery, OnExpiry, OnRequeue, WrapUp, WrapUpKind
from . import apply, aside, handing, ladder, lookup, matching, presence, refusals
from .lookup import WITH_CUSTOMER
from .matching import Events, again_at_ms, exhausted, feed, rematch, revoke
from .records import AgentRecord, InteractionRecord, OfferRecord
from .state import State
from .timers import Timer

__all__ = [
    "accept",
    "assign",
    "check_complete",
    "check_extension",
    "complete",
    "decline",
    "extend_wrap_up",
    "finish",
    "finish_wrap_up",
    "hold",
    "offer_expired",
    "pick",
    "requeue",
    "resume",
    "withdraw",
    "wrap_up_over",
]

_ENGAGED = (InteractionState.ENGAGED,)
_HELD = (InteractionState.HELD,)
_WRAP_UP = (InteractionState.WRAP_UP,)
_NO_WRAP_UP = WrapUpKind.NONE


# --- offers -------------------------------------------------------------------------------


def accept(state: State, command: Accept, at_ms: int, out: Events) -> None:
    """The agent takes it."""
    offer = lookup.open_offer(state, command, command.offer_id, at_ms, out)
    if offer is not None:
        matching.accept(state, offer, at_ms, out)
        if state.limits_offers:
            feed(state, offer.agent, at_ms, out)


def decline(state: State, command: Decline, at_ms: int, out: Events) -> None:
    """The agent refuses it."""
    offer = lookup.open_offer(state, command, command.offer_id, at_ms, out)
    if offer is None:
        return
    record, agent = offer.record, offer.agent
    again = again_at_ms(record.queue.plan, at_ms)
    event = Declined(at_ms, offer.id, record.id, agent.id, command.reason, again)
    apply.declined(state, event)
    out.append(event)
    refusals.after_refusal(state, record, agent, at_ms, out)


def withdraw(state: State, command: Revoke, at_ms: int, out: Events) -> None:
    """A supervisor takes the offer back."""
    offer = lookup.open_offer(state, command, command.offer_id, at_ms, out)
    if offer is None:
        return
    again = again_at_ms(offer.record.queue.plan, at_ms)
    revoke(state, offer, RevokeReason.WITHDRAWN, at_ms, out, again)
    refusals.after_refusal(state, offer.record, offer.agent, at_ms, out)


def offer_expired(state: State, timer: Timer, out: Events) -> None:
    """The agent let it ring: redirect on no answer."""
    record = timer.record
    offer = next(offer for offer in record.held_by if offer.agent.id == timer.agent_id)
    agent = offer.agent
    at_ms = timer.deadline_ms
    event = Expired(at_ms, offer.id, record.id, agent.id)
    apply.expired(state, event)
    out.append(event)
    exhausted(state, record, at_ms, out)
    freed = [record]
    agents = [agent]
    on_expiry = record.queue.plan.on_expiry
    if on_expiry is OnExpiry.SIGN_OUT:
        others, waiting = presence.let_go(state, agent, "no_answer", at_ms, out)
        agents += others
        freed += waiting
    elif on_expiry is OnExpiry.NOT_READY and agent.presence is Presence.READY:
        freed += presence.become_not_ready(state, agent, "no_answer", at_ms, out)
    elif on_expiry is OnExpiry.NOTHING:
        matching.place(state, record, at_ms, out, but=agent)
    rematch(state, at_ms, out, agents=agents, records=freed)


# --- taken without an offer of the engine's choice -------------------------------------------


def pick(state: State, command: Pick, at_ms: int, out: Events) -> None:
    """An agent takes one that he may see."""
    found = _to_be_given(state, command, at_ms, out)
    if found is None:
        return
    record, agent = found
    reason = _why_not_picked(state, record, agent)
    if reason is not None:
        lookup.reject(command, record.id, reason, at_ms, out)
        return
    _give(state, record, agent, OfferKind.PICKED, at_ms, out)


def assign(state: State, command: Assign, at_ms: int, out: Events) -> None:
    """A supervisor gives it to an agent, whatever the rules say."""
    found = _to_be_given(state, command, at_ms, out)
    if found is not None:
        _give(state, *found, OfferKind.ASSIGNED, at_ms, out)


def _to_be_given(
    state: State, command: Pick | Assign, at_ms: int, out: Events
) -> tuple[InteractionRecord, AgentRecord] | None:
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return None
    agent = lookup.signed_in(state, command, command.agent_id, at_ms, out)
    if agent is None or lookup.to_be_moved(state, command, record.id, at_ms, out) is None:
        return None
    return record, agent


def _why_not_picked(
    state: State, record: InteractionRecord, agent: AgentRecord
) -> RejectReason | None:
    if record.queue.plan.delivery is Delivery.PUSH:
        return RejectReason.NOT_PULLED
    if any(offer.agent is agent for offer in record.held_by):
        return None
    if agent.presence is not Presence.READY:
        return RejectReason.NOT_READY
    if not state.need(record).admits(agent):
        return RejectReason.NOT_ELIGIBLE
    if not agent.load.open & record.kind.bit:
        return RejectReason.NO_ROOM
    return None


def _give(
    state: State,
    record: InteractionRecord,
    agent: AgentRecord,
    how: OfferKind,
    at_ms: int,
    out: Events,
) -> None:
    """It is his: by the offer that he has, else by one of this kind."""
    his = [offer for offer in record.held_by if offer.agent is agent]
    offer = his[0] if his else matching.offer(state, record, agent, at_ms, out, how)
    matching.accept(state, offer, at_ms, out)
    if state.limits_offers:
        feed(state, agent, at_ms, out)


# --- assignments --------------------------------------------------------------------------


def hold(state: State, command: Hold, at_ms: int, out: Events) -> None:
    """The customer is put on hold."""
    offer = lookup.assignment(state, command, command.assignment_id, _ENGAGED, at_ms, out)
    if offer is not None:
        event = Held(at_ms, offer.id, offer.record.id)
        apply.held(state, event)
        out.append(event)


def resume(state: State, command: Resume, at_ms: int, out: Events) -> None:
    """The customer is taken off hold."""
    offer = lookup.assignment(state, command, command.assignment_id, _HELD, at_ms, out)
    if offer is not None:
        event = Resumed(at_ms, offer.id, offer.record.id)
        apply.resumed(state, event)
        out.append(event)


def requeue(state: State, command: Requeue, at_ms: int, out: Events) -> None:
    """The agent gives it back; it keeps its age, unless the queue says otherwise."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return
    record, agent = offer.record, offer.agent
    freed = handing.drop_consult(state, record, at_ms, out)
    joins_end = record.queue.plan.on_requeue is OnRequeue.JOIN_END
    event = Requeued(
        at_ms,
        offer.id,
        record.id,
        agent.id,
        command.reason,
        again_at_ms(record.queue.plan, at_ms),
        at_ms if joins_end else None,
    )
    apply.requeued(state, event)
    out.append(event)
    if aside.is_over(record, at_ms):
        aside.waited_too_long(state, record, at_ms, out)
        rematch(state, at_ms, out, agents=[agent, *freed])
        return
    ladder.catch_up(state, record, at_ms, out)
    refusals.after_refusal(state, record, agent, at_ms, out, freed)


def complete(state: State, command: Complete, at_ms: int, out: Events) -> None:
    """The conversation is over."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is not None:
        finish(state, offer, command.code, at_ms, out)


def finish(state: State, offer: OfferRecord, code: str, at_ms: int, out: Events) -> None:
    """The customer has gone: wrap-up if the queue has one, else completed."""
    record, agent = offer.record, offer.agent
    freed = [] if record.is_plain else handing.drop_consult(state, record, at_ms, out)
    wrap_up = record.queue.plan.wrap_up
    if wrap_up.kind is _NO_WRAP_UP or not (duration_ms := _length_ms(wrap_up, agent)):
        completed(state, offer, code, at_ms, out)
        if freed:
            rematch(state, at_ms, out, agents=[agent, *freed])
        else:
            feed(state, agent, at_ms, out)
        return
    until_ms = None if wrap_up.kind is WrapUpKind.OPTIONAL else at_ms + duration_ms
    event = WrapUpStarted(at_ms, offer.id, record.id, agent.id, until_ms, code)
    apply.wrap_up_started(state, event)
    out.append(event)
    if wrap_up.own_queue_only:
        freed = [agent, *freed]
    rematch(state, at_ms, out, agents=freed)


def _length_ms(wrap_up: WrapUp, agent: AgentRecord) -> int:
    """How long it lasts for this agent, 0 where it is none; more than 0 for one without an end."""
    if wrap_up.kind is WrapUpKind.OPTIONAL:
        return 1
    own_ms = agent.agent.wrap_up_ms
    return wrap_up.duration_ms if own_ms is None else own_ms


def completed(state: State, offer: OfferRecord, code: str, at_ms: int, out: Events) -> None:
    """Close it; the agent's capacity is free, but he is not fed yet."""
    event = Completed(at_ms, offer.id, offer.record.id, offer.agent.id, code)
    apply.completed(state, event, offer)
    out.append(event)


def finish_wrap_up(state: State, command: FinishWrapUp, at_ms: int, out: Events) -> None:
    """The agent has done his after-contact work; a forced wrap-up lasts its time, if it has one."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, _WRAP_UP, at_ms, out)
    if offer is None:
        return
    record = offer.record
    if record.queue.plan.wrap_up.kind is WrapUpKind.FORCED and offer.timer:
        lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    completed(state, offer, record.code, at_ms, out)
    feed(state, offer.agent, at_ms, out)


def check_complete(state: State, command: Complete) -> None:
    """A code is one of the queue's, where it has any."""
    if not state.has_codes:
        return
    offer = state.offers.get(command.assignment_id)
    codes = offer.record.queue.plan.codes if offer is not None else ()
    if codes and command.code not in codes:
        raise UnknownNameError("disposition code", command.code, codes, where="complete")


def check_extension(_state: State, command: ExtendWrapUp) -> None:
    """Find a caller's mistakes before anything changes."""
    if type(command.by_ms) is not int or command.by_ms < 1:
        raise CommandError(f"by_ms must be an integer above 0, got {command.by_ms!r}")


def extend_wrap_up(state: State, command: ExtendWrapUp, at_ms: int, out: Events) -> None:
    """The agent needs more time, and the queue lets him have it."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, _WRAP_UP, at_ms, out)
    if offer is None:
        return
    side = offer.record.side
    until_ms = 0 if side is None else side.wrap_up_until_ms + command.by_ms
    if side is None or until_ms > side.wrap_up_limit_ms:
        lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    event = WrapUpExtended(at_ms, number, offer.record.id, until_ms)
    apply.wrap_up_extended(state, event)
    out.append(event)


def wrap_up_over(state: State, timer: Timer, out: Events) -> None:
    """The time for after-contact work is over."""
    offer = timer.record.held_by[0]
    completed(state, offer, offer.record.code, timer.deadline_ms, out)
    feed(state, offer.agent, timer.deadline_ms, out)
