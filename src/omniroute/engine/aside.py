"""Work that is set aside and comes back: scheduled, parked, called back; and patience that ends."""

from __future__ import annotations

from ..errors import CommandError
from ..events import (
    CallbackFailed,
    CallbackRequested,
    FailCallback,
    OwnStep,
    Park,
    Parked,
    Postponed,
    RejectReason,
    RequestCallback,
    RevokeReason,
    Scheduled,
    Started,
    Unpark,
    Unparked,
)
from ..model import InteractionState
from . import apply, conduct, handing, ladder, lookup
from .lookup import WITH_CUSTOMER
from .matching import Events, cancel, place, rematch, revoke_all
from .records import AgentRecord, InteractionRecord
from .state import State
from .timers import Timer

__all__ = [
    "check_moment",
    "comes_back",
    "fail_callback",
    "is_over",
    "park",
    "request_callback",
    "schedule",
    "starts",
    "too_long",
    "unpark",
    "unpark_by_command",
    "waited_too_long",
]

#: `Cancelled.reason` of one that waited longer than it may.
_TOO_LONG = "waited_too_long"


def check_moment(_state: State, command: Park | RequestCallback) -> None:
    """Find a caller's mistakes before anything changes."""
    moment = command.until_ms if isinstance(command, Park) else command.due_at_ms
    if moment is not None and type(moment) is not int:
        raise CommandError(f"a moment is an integer of milliseconds, got {moment!r}")


# --- scheduled ----------------------------------------------------------------------------


def schedule(
    state: State, record: InteractionRecord, starts_at_ms: int, at_ms: int, out: Events
) -> None:
    """It does not wait before that moment."""
    event = Scheduled(at_ms, record.id, starts_at_ms)
    apply.scheduled(state, event)
    out.append(event)


def starts(state: State, timer: Timer, out: Events) -> None:
    """The moment has come; but callbacks of one queue keep their distance."""
    record = timer.record
    at_ms = timer.deadline_ms
    last_ms = record.queue.last_callback_ms
    if record.side is not None and record.side.is_callback and last_ms is not None:
        earliest_ms = last_ms + record.queue.plan.callback.pace_ms
        if at_ms < earliest_ms:
            postponed = Postponed(at_ms, record.id, earliest_ms)
            apply.postponed(state, postponed)
            out.append(postponed)
            return
    event = Started(at_ms, record.id)
    apply.started(state, event)
    out.append(event)
    ladder.begin(state, record, at_ms, out)
    place(state, record, at_ms, out)


# --- patience that ends -------------------------------------------------------------------


def is_over(record: InteractionRecord, at_ms: int) -> bool:
    """Whether it has waited as long as it may."""
    max_wait_ms = record.climb.max_wait_ms
    return max_wait_ms is not None and at_ms - record.arrived_at_ms >= max_wait_ms


def too_long(state: State, timer: Timer, out: Events) -> None:
    """It has waited as long as it may."""
    agents = waited_too_long(state, timer.record, timer.deadline_ms, out)
    rematch(state, timer.deadline_ms, out, agents=agents)


def waited_too_long(
    state: State, record: InteractionRecord, at_ms: int, out: Events
) -> list[AgentRecord]:
    """End it; returns the agents who had offers of it."""
    agents = revoke_all(state, record, RevokeReason.CANCELLED, at_ms, out)
    cancel(state, record, _TOO_LONG, at_ms, out)
    return agents


# --- parked -------------------------------------------------------------------------------


def park(state: State, command: Park, at_ms: int, out: Events) -> None:
    """The agent sets it aside."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return
    if state.set_aside >= state.plan.limits.max_set_aside:
        lookup.reject(command, number, RejectReason.SET_ASIDE_FULL, at_ms, out)
        return
    freed = handing.drop_consult(state, offer.record, at_ms, out)
    event = Parked(at_ms, number, offer.record.id, offer.agent.id, command.until_ms)
    apply.parked(state, event)
    out.append(event)
    rematch(state, at_ms, out, agents=[offer.agent, *freed])


def unpark_by_command(state: State, command: Unpark, at_ms: int, out: Events) -> None:
    """Somebody wants it back."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    if record.state is not InteractionState.PARKED:
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    unpark(state, record, at_ms, out)


def comes_back(state: State, timer: Timer, out: Events) -> None:
    """The time for which it was set aside is over."""
    unpark(state, timer.record, timer.deadline_ms, out)


def unpark(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """It waits in front, for its owner first."""
    assert record.side is not None
    owner_id = record.side.owner_id
    assert owner_id is not None
    back_to = handing.to_agent(record.queue.plan, owner_id, skip_if_nobody=True)
    steps: tuple[OwnStep, ...] = (back_to,)
    event = Unparked(at_ms, record.id, owner_id, steps)
    apply.unparked(state, event)
    out.append(event)
    ladder.begin(state, record, at_ms, out)
    place(state, record, at_ms, out)


# --- callbacks ----------------------------------------------------------------------------


def request_callback(state: State, command: RequestCallback, at_ms: int, out: Events) -> None:
    """The customer hangs up and keeps his place."""
    record = lookup.to_be_moved(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    due_ms = command.due_at_ms
    is_later = due_ms is not None and due_ms > at_ms
    if record.side is not None and record.side.is_callback:
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    if is_later and state.set_aside >= state.plan.limits.max_set_aside:
        lookup.reject(command, record.id, RejectReason.SET_ASIDE_FULL, at_ms, out)
        return
    freed = revoke_all(state, record, RevokeReason.CUSTOMER_LEFT, at_ms, out)
    event = CallbackRequested(at_ms, record.id, command.address, due_ms if is_later else None)
    apply.callback_requested(state, event)
    out.append(event)
    if is_later:
        assert due_ms is not None
        schedule(state, record, due_ms, at_ms, out)
    rematch(state, at_ms, out, agents=freed, records=[record])


def fail_callback(state: State, command: FailCallback, at_ms: int, out: Events) -> None:
    """The agent called, and nobody answered."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return
    record = offer.record
    side = record.side
    if side is None or not side.is_callback:
        lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    callback = record.queue.plan.callback
    if side.attempts + 1 >= callback.max_attempts:
        conduct.finish(state, offer, "callback_failed", at_ms, out)
        return
    freed = handing.drop_consult(state, record, at_ms, out)
    due_ms = at_ms + callback.retry_ms
    event = CallbackFailed(at_ms, number, record.id, offer.agent.id, due_ms, command.reason)
    apply.callback_failed(state, event)
    out.append(event)
    rematch(state, at_ms, out, agents=[offer.agent, *freed])
