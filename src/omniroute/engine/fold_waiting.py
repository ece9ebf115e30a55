"""Folding: interactions come in, wait, change their place, and go without an agent."""

from __future__ import annotations

from .. import events as ev
from ..events import Kind
from ..model import InteractionState
from . import clocks
from .fold_messages import remember
from .lifecycle import INTERACTION
from .records import InteractionRecord
from .state import State

__all__ = [
    "abandoned",
    "access_widened",
    "cancelled",
    "moved",
    "queued",
    "refusals_reset",
    "reprioritized",
    "step_reached",
]

_CUSTOMER = Kind.CUSTOMER
_QUEUED = INTERACTION[ev.Queued]


def queued(state: State, event: ev.Queued) -> InteractionRecord:
    """A new interaction waits."""
    message = event.message
    queue = state.queues.get(event.queue) or state.queue(event.queue)
    interaction_id = event.interaction_id
    at_ms = event.at_ms
    record = InteractionRecord(
        interaction_id,
        event.seq,
        message,
        queue,
        event.priority,
        event.requirement,
        at_ms,
        event.steps,
    )
    if event.max_wait_ms is not None:
        record.climbing().max_wait_ms = event.max_wait_ms
    if event.front:
        record.rank(front=True)
    record.state = _QUEUED[record.state]
    state.seq = event.seq
    state.interactions[interaction_id] = record
    if message.thread_id is not None:
        state.join_thread(record)
    if message.message_id is not None or event.delivery_key is not None:
        remember(state, event)
    sender = message.customer.id
    if sender and event.kind is _CUSTOMER:
        state.senders[message.channel].count(sender, at_ms)
    if event.parent_id is not None:
        _beside_parent(state, record, event)
    queue.waiting += 1
    state.waiting += 1
    record.tally.queued += 1
    state.wait(record)
    if record.climb is not queue.foot or not queue.is_simple:
        clocks.arm(state.timers, record, at_ms)
    return record


def _beside_parent(state: State, record: InteractionRecord, event: ev.Queued) -> None:
    """It was opened from another interaction, and is of the same conversation."""
    side = record.aside()
    side.kind = event.kind
    side.parent_id = event.parent_id
    parent = state.interactions[event.parent_id or ""]
    side.conversation_id = state.picture(parent).conversation_id
    beside = parent.aside()
    beside.beside = (*beside.open_beside(), record)
    if event.kind is Kind.CONSULT:
        beside.consult = record
    else:
        theirs = sum(len(message.links) for message in parent.messages)
        side.own_links = len(record.message.links) - theirs


def step_reached(state: State, event: ev.StepReached) -> None:
    """It waits with another requirement from now on."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.StepReached][record.state]
    record.climbing().step = min(event.step, len(record.ladder) - 1)
    state.refile(record)
    clocks.arm_step(state.timers, record, event.at_ms)


def access_widened(state: State, event: ev.AccessWidened) -> None:
    """More agents may take it from now on."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.AccessWidened][record.state]
    record.climbing().opening = event.opening
    state.refile(record)
    clocks.arm_opening(state.timers, record, event.at_ms)


def reprioritized(state: State, event: ev.Reprioritized) -> None:
    """Another place in the order, at once."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Reprioritized][record.state]
    record.reprioritize(event.priority, for_step=event.for_step)
    record.enqueued_at_ms = event.enqueued_at_ms
    record.rank(front=record.front)
    state.refile(record)


def moved(state: State, event: ev.Moved) -> None:
    """It waits in another queue, at the start of that ladder."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Moved][record.state]
    state.stop_waiting(record)
    record.queue.waiting -= 1
    record.tally.moved_out += 1
    queue = state.queue(event.queue)
    queue.waiting += 1
    record.enter(queue)
    record.tally.moved_in += 1
    record.reprioritize(event.priority)
    record.requirement = event.requirement
    record.rank(front=record.front)
    state.unbar(record)
    state.refile(record)
    clocks.arm_step(state.timers, record, event.at_ms)
    clocks.arm_opening(state.timers, record, event.at_ms)


def refusals_reset(state: State, event: ev.RefusalsReset) -> None:
    """Who declined may be offered it again."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.RefusalsReset][record.state]
    state.unbar(record, event.agent_id)


def abandoned(state: State, event: ev.Abandoned) -> None:
    """The customer went away while it waited."""
    record = _stop_waiting(state, event)
    tally = record.tally
    tally.abandoned += 1
    waited_ms = event.at_ms - record.arrived_at_ms
    tally.abandoned_wait_ms += waited_ms
    if waited_ms < record.queue.plan.service_level.short_abandon_ms:
        tally.abandoned_short += 1
    elif waited_ms <= record.queue.target_ms:
        tally.abandoned_in_time += 1


def cancelled(state: State, event: ev.Cancelled) -> None:
    """Taken out, from any open state."""
    record = state.interactions[event.interaction_id]
    if record.offer is None:
        _stop_waiting(state, event)
    else:
        record.state = INTERACTION[ev.Cancelled][record.state]
        state.touch(state.give_back(record.offer, event.at_ms))
        state.end(record)
    record.tally.cancelled += 1


def _stop_waiting(state: State, event: ev.Abandoned | ev.Cancelled) -> InteractionRecord:
    record = state.interactions[event.interaction_id]
    before = record.state
    record.state = INTERACTION[type(event)][before]
    if before is InteractionState.WAITING:
        state.stop_waiting(record)
        record.queue.waiting -= 1
        state.waiting -= 1
    else:
        state.set_aside -= 1
        state.parked -= before is InteractionState.PARKED
    state.end(record)
    return record
