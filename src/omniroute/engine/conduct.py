"""What an agent does with an offer and an assignment, and what time does to them."""

from __future__ import annotations

from ..events import (
    Accept,
    Accepted,
    Complete,
    Completed,
    Decline,
    Declined,
    Expired,
    FinishWrapUp,
    Held,
    Hold,
    RejectReason,
    Requeue,
    Requeued,
    Resume,
    Resumed,
    Revoke,
    RevokeReason,
    WrapUpStarted,
)
from ..model import InteractionState, Presence
from ..plan import OnExpiry, WrapUpKind
from . import apply, ladder, lookup, presence
from .matching import Events, after_refusal, again_at_ms, exhausted, feed, rematch, revoke
from .records import AgentRecord, InteractionRecord
from .state import State
from .timers import Timer

__all__ = [
    "accept",
    "complete",
    "decline",
    "finish",
    "finish_wrap_up",
    "hold",
    "offer_expired",
    "requeue",
    "resume",
    "withdraw",
    "wrap_up_over",
]

_ENGAGED = (InteractionState.ENGAGED,)
_HELD = (InteractionState.HELD,)
_WITH_CUSTOMER = (InteractionState.ENGAGED, InteractionState.HELD)
_WRAP_UP = (InteractionState.WRAP_UP,)


# --- offers -------------------------------------------------------------------------------


def accept(state: State, command: Accept, at_ms: int, out: Events) -> None:
    """The agent takes it."""
    offer_id = command.offer_id
    found = lookup.open_offer(state, command, offer_id, at_ms, out)
    if found is not None:
        record, agent = found
        event = Accepted(at_ms, offer_id, record.id, agent.id)
        apply.accepted(state, event, record, agent)
        out.append(event)


def decline(state: State, command: Decline, at_ms: int, out: Events) -> None:
    """The agent refuses it."""
    found = lookup.open_offer(state, command, command.offer_id, at_ms, out)
    if found is None:
        return
    record, agent = found
    again = again_at_ms(record, at_ms)
    event = Declined(at_ms, command.offer_id, record.id, agent.id, command.reason, again)
    apply.declined(state, event)
    out.append(event)
    after_refusal(state, record, agent, at_ms, out)


def withdraw(state: State, command: Revoke, at_ms: int, out: Events) -> None:
    """A supervisor takes the offer back."""
    found = lookup.open_offer(state, command, command.offer_id, at_ms, out)
    if found is None:
        return
    record, agent = found
    revoke(state, record, RevokeReason.WITHDRAWN, at_ms, out, again_at_ms(record, at_ms))
    after_refusal(state, record, agent, at_ms, out)


def offer_expired(state: State, timer: Timer, out: Events) -> None:
    """The agent let it ring: redirect on no answer."""
    record = timer.record
    agent = record.agent
    assert agent is not None
    at_ms = timer.deadline_ms
    event = Expired(at_ms, record.offer_id, record.id, agent.id)
    apply.expired(state, event)
    out.append(event)
    exhausted(state, record, at_ms, out)
    freed = [record]
    on_expiry = record.queue.plan.on_expiry
    if on_expiry is OnExpiry.SIGN_OUT:
        freed += presence.let_go(state, agent, "no_answer", at_ms, out)
    elif on_expiry is OnExpiry.NOT_READY and agent.presence is Presence.READY:
        freed += presence.become_not_ready(state, agent, "no_answer", at_ms, out)
    rematch(state, at_ms, out, agents=[agent], records=freed)


# --- assignments --------------------------------------------------------------------------


def hold(state: State, command: Hold, at_ms: int, out: Events) -> None:
    """The customer is put on hold."""
    found = lookup.assignment(state, command, command.assignment_id, _ENGAGED, at_ms, out)
    if found is not None:
        event = Held(at_ms, command.assignment_id, found[0].id)
        apply.held(state, event)
        out.append(event)


def resume(state: State, command: Resume, at_ms: int, out: Events) -> None:
    """The customer is taken off hold."""
    found = lookup.assignment(state, command, command.assignment_id, _HELD, at_ms, out)
    if found is not None:
        event = Resumed(at_ms, command.assignment_id, found[0].id)
        apply.resumed(state, event)
        out.append(event)


def requeue(state: State, command: Requeue, at_ms: int, out: Events) -> None:
    """The agent gives it back; it keeps its age."""
    number = command.assignment_id
    found = lookup.assignment(state, command, number, _WITH_CUSTOMER, at_ms, out)
    if found is None:
        return
    record, agent = found
    again = again_at_ms(record, at_ms)
    event = Requeued(at_ms, number, record.id, agent.id, command.reason, again)
    apply.requeued(state, event)
    out.append(event)
    ladder.catch_up(state, record, at_ms, out)
    after_refusal(state, record, agent, at_ms, out)


def complete(state: State, command: Complete, at_ms: int, out: Events) -> None:
    """The conversation is over."""
    number = command.assignment_id
    found = lookup.assignment(state, command, number, _WITH_CUSTOMER, at_ms, out)
    if found is not None:
        finish(state, found[0], found[1], command.code, at_ms, out)


def finish(
    state: State,
    record: InteractionRecord,
    agent: AgentRecord,
    code: str,
    at_ms: int,
    out: Events,
) -> None:
    """The customer has gone: wrap-up if the queue has one, else completed."""
    wrap_up = record.queue.plan.wrap_up
    if wrap_up.kind is WrapUpKind.NONE:
        completed(state, record, agent, code, at_ms, out)
        feed(state, agent, at_ms, out)
        return
    until_ms = None if wrap_up.kind is WrapUpKind.OPTIONAL else at_ms + wrap_up.duration_ms
    event = WrapUpStarted(at_ms, record.offer_id, record.id, agent.id, until_ms, code)
    apply.wrap_up_started(state, event)
    out.append(event)


def completed(
    state: State,
    record: InteractionRecord,
    agent: AgentRecord,
    code: str,
    at_ms: int,
    out: Events,
) -> None:
    """Close it; the agent's capacity is free, but he is not fed yet."""
    event = Completed(at_ms, record.offer_id, record.id, agent.id, code)
    apply.completed(state, event, record, agent)
    out.append(event)


def finish_wrap_up(state: State, command: FinishWrapUp, at_ms: int, out: Events) -> None:
    """The agent has done his after-contact work; a forced wrap-up lasts its time."""
    number = command.assignment_id
    found = lookup.assignment(state, command, number, _WRAP_UP, at_ms, out)
    if found is None:
        return
    record, agent = found
    if record.queue.plan.wrap_up.kind is WrapUpKind.FORCED:
        lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    completed(state, record, agent, record.wrap_up_code, at_ms, out)
    feed(state, agent, at_ms, out)


def wrap_up_over(state: State, timer: Timer, out: Events) -> None:
    """The time for after-contact work is over."""
    record = timer.record
    agent = record.agent
    assert agent is not None
    completed(state, record, agent, record.wrap_up_code, timer.deadline_ms, out)
    feed(state, agent, timer.deadline_ms, out)
