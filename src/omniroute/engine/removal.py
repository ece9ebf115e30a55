"""The customer or a supervisor intervenes: abandon, cancel, another place, another queue."""

from __future__ import annotations

from ..events import (
    Abandon,
    Abandoned,
    Cancel,
    CloseAll,
    Drain,
    Move,
    MoveAll,
    Moved,
    QueueDrained,
    QueueReopened,
    RejectReason,
    Reopen,
    Reprioritize,
    Reprioritized,
    RevokeReason,
)
from ..model import InteractionState
from . import apply, conduct, handing, intake, ladder, lookup, matching
from .lifecycle import IN_LINE
from .matching import Events
from .records import AgentRecord, InteractionRecord
from .state import State

__all__ = [
    "abandon",
    "cancel",
    "check_queue",
    "close_all",
    "drain",
    "move",
    "move_all",
    "put_into",
    "reopen",
    "reprioritize",
]

#: States in which no agent has the customer yet.
_TO_COME = (InteractionState.SCHEDULED, InteractionState.WAITING, InteractionState.OFFERED)


def abandon(state: State, command: Abandon, at_ms: int, out: Events) -> None:
    """The customer has gone."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    has_hung_up = record.side is not None and record.side.is_callback
    if record.state is InteractionState.WRAP_UP or (has_hung_up and record.state in _TO_COME):
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    if record.offer is not None and record.state is not InteractionState.OFFERED:
        conduct.finish(state, record.offer, "customer_left", at_ms, out)
        return
    freed = handing.drop_consult(state, record, at_ms, out)
    if record.state is InteractionState.PARKED:
        matching.cancel(state, record, RevokeReason.CUSTOMER_LEFT.value, at_ms, out)
        matching.rematch(state, at_ms, out, agents=freed)
        return
    freed += matching.revoke_all(state, record, RevokeReason.CUSTOMER_LEFT, at_ms, out)
    event = Abandoned(at_ms, record.id, command.reason)
    apply.abandoned(state, event)
    out.append(event)
    matching.rematch(state, at_ms, out, agents=freed)


def cancel(state: State, command: Cancel, at_ms: int, out: Events) -> None:
    """Take it out, whatever its state."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    freed = handing.drop_consult(state, record, at_ms, out)
    freed += [offer.agent for offer in record.held_by]
    matching.revoke_all(state, record, RevokeReason.CANCELLED, at_ms, out)
    matching.cancel(state, record, command.reason, at_ms, out)
    matching.rematch(state, at_ms, out, agents=freed)


def reprioritize(state: State, command: Reprioritize, at_ms: int, out: Events) -> None:
    """Another place in the order, at once."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    if record.state is InteractionState.WRAP_UP:
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    priority, enqueued_at_ms = command.priority, command.enqueued_at_ms
    event = Reprioritized(
        at_ms,
        record.id,
        record.priority if priority is None else priority,
        record.enqueued_at_ms if enqueued_at_ms is None else min(enqueued_at_ms, at_ms),
        for_step=priority is None and record.priority != record.own_priority,
    )
    apply.reprioritized(state, event)
    out.append(event)


def move(state: State, command: Move, at_ms: int, out: Events) -> None:
    """Into another queue, at its age."""
    record = lookup.to_be_moved(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    freed = put_into(
        state, record, command.queue, command.priority, command.requirement, at_ms, out
    )
    matching.rematch(state, at_ms, out, agents=freed, records=[record])


def put_into(
    state: State,
    record: InteractionRecord,
    queue: str,
    priority: int | None,
    requirement: str | None,
    at_ms: int,
    out: Events,
) -> list[AgentRecord]:
    """Move one that waits or is offered, unmatched yet; returns the agents who had offers."""
    freed = matching.revoke_all(state, record, RevokeReason.MOVED, at_ms, out)
    event = Moved(
        at_ms,
        record.id,
        queue,
        record.own_priority if priority is None else priority,
        record.requirement if requirement is None else requirement,
    )
    apply.moved(state, event)
    out.append(event)
    ladder.widen(state, record, at_ms, out)
    ladder.step(state, record, 0, at_ms, out)
    return freed


# --- whole queues -------------------------------------------------------------------------


def check_queue(state: State, command: MoveAll | CloseAll | Drain | Reopen) -> None:
    """Find a caller's mistakes before anything changes."""
    intake.check_queue(state, command.queue, "a queue")
    if isinstance(command, MoveAll):
        intake.check_queue(state, command.to, "move_all")


def _in_line(state: State, queue: str, at_ms: int) -> list[InteractionRecord]:
    """What waits or is offered in a queue, in order of place."""
    found = [
        record
        for record in state.interactions.values()
        if record.queue.name == queue and record.state in IN_LINE
    ]
    return sorted(found, key=lambda record: state.market.place(record, at_ms))


def move_all(state: State, command: MoveAll, at_ms: int, out: Events) -> None:
    """Everything that is in line goes to another queue."""
    freed: list[AgentRecord] = []
    records = _in_line(state, command.queue, at_ms)
    for record in records:
        freed += put_into(state, record, command.to, None, None, at_ms, out)
    matching.rematch(state, at_ms, out, agents=dict.fromkeys(freed), records=records)


def close_all(state: State, command: CloseAll, at_ms: int, out: Events) -> None:
    """Everything that is in line is taken out."""
    freed: list[AgentRecord] = []
    for record in _in_line(state, command.queue, at_ms):
        freed += matching.revoke_all(state, record, RevokeReason.CANCELLED, at_ms, out)
        matching.cancel(state, record, command.reason, at_ms, out)
    matching.rematch(state, at_ms, out, agents=dict.fromkeys(freed))


def drain(state: State, command: Drain, at_ms: int, out: Events) -> None:
    """The queue takes nothing new."""
    if not state.queues[command.queue].is_draining:
        event = QueueDrained(at_ms, command.queue)
        apply.drained(state, event)
        out.append(event)


def reopen(state: State, command: Reopen, at_ms: int, out: Events) -> None:
    """The queue takes work again."""
    if state.queues[command.queue].is_draining:
        event = QueueReopened(at_ms, command.queue)
        apply.drained(state, event)
        out.append(event)
