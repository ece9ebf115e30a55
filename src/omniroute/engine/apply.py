"""Folding: one function per event writes down what the event says. Nothing here decides.

The engine calls these functions with the events it has just decided, and a replay calls them
through `apply` with the events of a journal, so live and replayed state cannot differ. The three
on the hot path are handed the records that the event names, which the engine has at hand. Each
state transition goes through the table in `lifecycle`; counts are folded here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import events as ev
from ..events import Event
from ..model import InteractionState
from . import apply_messages as messages
from .apply_messages import remember
from .lifecycle import INTERACTION, PRESENCE
from .records import AgentRecord, InteractionRecord
from .state import State
from .timers import TimerKind

__all__ = [
    "abandoned",
    "accepted",
    "agent_changed",
    "apply",
    "cancelled",
    "completed",
    "declined",
    "expired",
    "held",
    "offered",
    "presence_changed",
    "queued",
    "refusals_reset",
    "reprioritized",
    "requeued",
    "resumed",
    "revoked",
    "signed_in",
    "signed_out",
    "step_reached",
    "wrap_up_started",
]

_WAITING = InteractionState.WAITING

_QUEUED = INTERACTION[ev.Queued]
_OFFERED = INTERACTION[ev.Offered]
_ACCEPTED = INTERACTION[ev.Accepted]
_COMPLETED = INTERACTION[ev.Completed]


def apply(state: State, event: Event) -> None:
    """Fold one event in. Raises `KeyError` when the move is illegal in this state."""
    state.now_ms = max(state.now_ms, event.at_ms)
    _APPLY[type(event)](state, event)


# --- interactions -------------------------------------------------------------------------


def queued(state: State, event: ev.Queued) -> InteractionRecord:
    """A new interaction waits."""
    message = event.message
    queue = state.queue(event.queue)
    interaction_id = event.interaction_id
    at_ms = event.at_ms
    record = InteractionRecord(
        interaction_id, event.seq, message, queue, event.priority, event.requirement, at_ms
    )
    record.state = _QUEUED[record.state]
    state.seq = event.seq
    state.interactions[interaction_id] = record
    if message.thread_id is not None:
        state.join_thread(record)
    if message.message_id is not None or event.delivery_key is not None:
        remember(state, event)
    if message.customer.id:
        state.senders.count(message, at_ms)
    queue.waiting += 1
    state.waiting += 1
    record.tally.queued += 1
    state.wait(record)
    if len(queue.plan.ladder) > 1:
        state.arm_step(record, at_ms)
    return record


def step_reached(state: State, event: ev.StepReached) -> None:
    """It waits with another requirement from now on."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.StepReached][record.state]
    record.step = event.step
    if record.state is _WAITING:
        state.market.take(record)
        state.wait(record)
    state.arm_step(record, event.at_ms)


def reprioritized(state: State, event: ev.Reprioritized) -> None:
    """Another place in the order, at once."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Reprioritized][record.state]
    waits = record.state is _WAITING
    if waits:
        state.market.take(record)
    record.priority = event.priority
    record.key = record.queue.key(record.priority, record.enqueued_at_ms, record.seq)
    if waits:
        state.market.put(record)


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
    if event.at_ms - record.enqueued_at_ms <= record.queue.target_ms:
        tally.abandoned_in_time += 1


def cancelled(state: State, event: ev.Cancelled) -> None:
    """Taken out, from any open state."""
    record = state.interactions[event.interaction_id]
    if record.state is _WAITING:
        _stop_waiting(state, event)
    else:
        record.state = INTERACTION[ev.Cancelled][record.state]
        state.touch(state.give_back(record))
        state.end(record)
    record.tally.cancelled += 1


def _stop_waiting(state: State, event: ev.Abandoned | ev.Cancelled) -> InteractionRecord:
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[type(event)][record.state]
    state.market.take(record)
    record.queue.waiting -= 1
    state.waiting -= 1
    state.end(record)
    return record


# --- offers -------------------------------------------------------------------------------


def offered(state: State, event: ev.Offered, record: InteractionRecord, agent: AgentRecord) -> None:
    """Held out to an agent; it holds his capacity."""
    offer_id = event.offer_id
    record.state = _OFFERED[record.state]
    state.market.take(record)
    record.agent = agent
    record.offer_id = state.last_offer = agent.last_offer = offer_id
    record.offers += 1
    channel = record.channel
    agent.load = agent.load.plus.get(channel) or state.loads.plus(agent.load, channel)
    if not agent.stale:
        state.market.mark(agent)
    state.offers[offer_id] = agent.work[offer_id] = record
    record.tally.offered += 1
    record.timer = record.queue.offer_timers.set(event.at_ms, record)


def accepted(
    state: State, event: ev.Accepted, record: InteractionRecord, agent: AgentRecord
) -> None:
    """The agent has it."""
    record.state = _ACCEPTED[record.state]
    record.offers = 0
    state.timers.cancel(record.timer)
    record.timer = 0
    if record.step_timer:
        state.pause_ladder(record)
    if record.barred is not None:
        state.unbar(record)
    at_ms = event.at_ms
    record.accepted_at_ms = at_ms
    queue = record.queue
    queue.waiting -= 1
    state.waiting -= 1
    state.touch(agent)
    waited_ms = at_ms - record.enqueued_at_ms
    tally = record.tally
    tally.accepted += 1
    tally.wait_ms += waited_ms
    if waited_ms <= queue.target_ms:
        tally.accepted_in_time += 1


def declined(state: State, event: ev.Declined) -> None:
    """The agent refused; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.touch(agent)
    state.bar(record, agent, event.at_ms, event.again_at_ms)
    record.tally.declined += 1


def expired(state: State, event: ev.Expired) -> None:
    """The agent did not answer; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.touch(agent)
    record.tally.expired += 1


def revoked(state: State, event: ev.Revoked) -> None:
    """Taken back; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.bar(record, agent, event.at_ms, event.again_at_ms)
    record.tally.revoked += 1


def _offer_over(
    state: State, event: ev.Declined | ev.Expired | ev.Revoked
) -> tuple[InteractionRecord, AgentRecord]:
    record = state.offers[event.offer_id]
    record.state = INTERACTION[type(event)][record.state]
    agent = state.give_back(record)
    state.wait(record)
    return record, agent


# --- assignments --------------------------------------------------------------------------


def held(state: State, event: ev.Held) -> None:
    """On hold; capacity stays."""
    record = state.offers[event.assignment_id]
    record.state = INTERACTION[ev.Held][record.state]


def resumed(state: State, event: ev.Resumed) -> None:
    """Taken up again."""
    record = state.offers[event.assignment_id]
    record.state = INTERACTION[ev.Resumed][record.state]


def requeued(state: State, event: ev.Requeued) -> None:
    """It waits again at its age; the ladder goes on where it stood."""
    record = state.offers[event.assignment_id]
    record.state = INTERACTION[ev.Requeued][record.state]
    agent = state.give_back(record)
    state.touch(agent)
    record.tally.requeued += 1
    record.tally.handle_ms += event.at_ms - record.accepted_at_ms
    record.queue.waiting += 1
    state.waiting += 1
    state.wait(record)
    state.resume_ladder(record, event.at_ms)
    state.bar(record, agent, event.at_ms, event.again_at_ms)


def wrap_up_started(state: State, event: ev.WrapUpStarted) -> None:
    """The customer has gone, the agent's capacity has not come back yet."""
    record = state.offers[event.assignment_id]
    record.state = INTERACTION[ev.WrapUpStarted][record.state]
    record.wrap_up_code = event.code
    state.leave_thread(record)
    if event.until_ms is not None:
        fifo = state.timers.fifo(TimerKind.WRAP_UP, event.until_ms - event.at_ms)
        record.timer = fifo.set(event.at_ms, record)


def completed(
    state: State, event: ev.Completed, record: InteractionRecord, agent: AgentRecord
) -> None:
    """Finished."""
    record.state = _COMPLETED[record.state]
    state.give_back(record)
    state.touch(agent)
    state.end(record)
    tally = record.tally
    tally.completed += 1
    tally.handle_ms += event.at_ms - record.accepted_at_ms


# --- agents -------------------------------------------------------------------------------


def signed_in(state: State, event: ev.SignedIn) -> None:
    """An agent begins to work, not ready yet."""
    agent = event.agent
    assert agent.id not in state.agents
    record = AgentRecord(agent, state.loads.get(state.capacity(agent), {}))
    record.presence = PRESENCE[ev.SignedIn][record.presence]
    state.agents[agent.id] = record
    state.market.enter(record)
    state.touch(record)


def signed_out(state: State, event: ev.SignedOut) -> None:
    """An agent leaves; he carries nothing."""
    record = state.agents.pop(event.agent_id)
    record.presence = PRESENCE[ev.SignedOut][record.presence]
    assert not record.work, "an agent signed out with work"
    for refused in list(record.barred.values()):
        state.unbar(refused, record.id)
    state.market.leave(record)


def presence_changed(state: State, event: ev.BecameReady | ev.BecameNotReady) -> None:
    """Ready, or not ready any more."""
    record = state.agents[event.agent_id]
    record.presence = PRESENCE[type(event)][record.presence]
    state.market.mark(record)


def agent_changed(state: State, event: ev.AgentChanged) -> None:
    """Other skills, groups, attributes or capacity; what he carries stays."""
    record = state.agents[event.agent.id]
    record.presence = PRESENCE[ev.AgentChanged][record.presence]
    state.market.leave(record)
    record.agent = event.agent
    counts = dict(record.load.counts)
    record.load = state.loads.get(state.capacity(event.agent), counts)
    state.market.enter(record)


# --- replay: the same functions, with the records looked up by the ids of the event -----------


def _replay_offered(state: State, event: ev.Offered) -> None:
    record = state.interactions[event.interaction_id]
    offered(state, event, record, state.agents[event.agent_id])


def _replay_accepted(state: State, event: ev.Accepted) -> None:
    accepted(state, event, state.offers[event.offer_id], state.agents[event.agent_id])


def _replay_completed(state: State, event: ev.Completed) -> None:
    completed(state, event, state.offers[event.assignment_id], state.agents[event.agent_id])


def _command_rejected(_state: State, _event: ev.CommandRejected) -> None:
    """Nothing has changed."""


_APPLY: dict[type[Event], Callable[[State, Any], object]] = {
    ev.Queued: queued,
    ev.Rejected: messages.rejected,
    ev.Quarantined: messages.quarantined,
    ev.Duplicate: messages.duplicate,
    ev.MessageAppended: messages.message_appended,
    ev.MessageEdited: messages.message_edited,
    ev.MessageRedacted: messages.message_redacted,
    ev.UpdateNoted: messages.update_noted,
    ev.CustomersLinked: messages.customers_linked,
    ev.StepReached: step_reached,
    ev.Reprioritized: reprioritized,
    ev.RefusalsReset: refusals_reset,
    ev.Abandoned: abandoned,
    ev.Cancelled: cancelled,
    ev.Offered: _replay_offered,
    ev.Accepted: _replay_accepted,
    ev.Declined: declined,
    ev.Expired: expired,
    ev.Revoked: revoked,
    ev.Held: held,
    ev.Resumed: resumed,
    ev.Requeued: requeued,
    ev.WrapUpStarted: wrap_up_started,
    ev.Completed: _replay_completed,
    ev.SignedIn: signed_in,
    ev.SignedOut: signed_out,
    ev.BecameReady: presence_changed,
    ev.BecameNotReady: presence_changed,
    ev.AgentChanged: agent_changed,
    ev.CommandRejected: _command_rejected,
}
