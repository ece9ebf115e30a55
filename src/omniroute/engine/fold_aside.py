"""Folding: work that is set aside (scheduled, parked, called back) or changes hands."""

from __future__ import annotations

from .. import events as ev
from . import clocks
from .lifecycle import INTERACTION
from .records import InteractionRecord, OfferRecord
from .state import State
from .timers import TimerKind

__all__ = [
    "callback_failed",
    "callback_requested",
    "conferenced",
    "handed_over",
    "parked",
    "postponed",
    "scheduled",
    "started",
    "transferred",
    "unparked",
]


# --- set aside and back -------------------------------------------------------------------


def scheduled(state: State, event: ev.Scheduled) -> None:
    """It does not wait before that moment."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Scheduled][record.state]
    state.stop_waiting(record)
    record.queue.waiting -= 1
    state.waiting -= 1
    clocks.pause(state.timers, record)
    state.unbar(record)
    state.set_aside += 1
    clocks.ring_at(state.timers, record, TimerKind.START, event.starts_at_ms, event.at_ms)


def postponed(state: State, event: ev.Postponed) -> None:
    """It starts later."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Postponed][record.state]
    clocks.ring_at(state.timers, record, TimerKind.START, event.until_ms, event.at_ms)


def started(state: State, event: ev.Started) -> None:
    """It waits from now on; a callback keeps its place."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Started][record.state]
    if record.side is not None and record.side.is_callback:
        record.queue.last_callback_ms = event.at_ms
    else:
        record.enqueued_at_ms = event.at_ms
    _wait_anew(state, record, record.own_steps, event.at_ms, front=record.front)


def callback_requested(state: State, event: ev.CallbackRequested) -> None:
    """The customer has hung up, his place is kept."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.CallbackRequested][record.state]
    record.aside().is_callback = True


def callback_failed(state: State, event: ev.CallbackFailed) -> None:
    """Nobody answered; it starts again later."""
    offer = state.offers[event.assignment_id]
    record = offer.record
    record.state = INTERACTION[ev.CallbackFailed][record.state]
    _give_up(state, offer, event.at_ms)
    record.tally.callbacks_failed += 1
    record.aside().attempts += 1
    state.set_aside += 1
    clocks.ring_at(state.timers, record, TimerKind.START, event.due_at_ms, event.at_ms)


def parked(state: State, event: ev.Parked) -> None:
    """The agent set it aside; it is his, but he does not carry it."""
    offer = state.offers[event.assignment_id]
    record = offer.record
    record.state = INTERACTION[ev.Parked][record.state]
    _give_up(state, offer, event.at_ms)
    record.tally.parked += 1
    record.aside().owner_id = event.agent_id
    state.set_aside += 1
    state.parked += 1
    if event.until_ms is not None:
        clocks.ring_at(state.timers, record, TimerKind.UNPARK, event.until_ms, event.at_ms)


def unparked(state: State, event: ev.Unparked) -> None:
    """It waits in front, for its owner first."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Unparked][record.state]
    state.parked -= 1
    record.aside().owner_id = None
    record.enqueued_at_ms = event.at_ms
    _wait_anew(state, record, event.steps, event.at_ms, front=True)


def _wait_anew(
    state: State,
    record: InteractionRecord,
    own_steps: tuple[ev.OwnStep, ...],
    at_ms: int,
    *,
    front: bool,
) -> None:
    """What was set aside waits from this moment, at the start of its ladder."""
    climb = record.climbing()
    state.timers.cancel(climb.clock_timer)
    climb.clock_timer = 0
    state.set_aside -= 1
    record.queue.waiting += 1
    state.waiting += 1
    record.arrived_at_ms = at_ms
    record.begin(own_steps)
    record.rank(front=front)
    state.wait(record)
    clocks.arm(state.timers, record, at_ms)


def _give_up(state: State, offer: OfferRecord, at_ms: int) -> None:
    """The agent's part is over, for now or for good."""
    record = offer.record
    agent = state.give_back(offer, at_ms)
    state.touch(agent)
    handled_ms = at_ms - offer.accepted_at_ms
    record.tally.handle_ms += handled_ms
    agent.team.handle(handled_ms)


# --- other hands --------------------------------------------------------------------------


def transferred(state: State, event: ev.Transferred) -> None:
    """It waits in the queue it was given to, at its age."""
    offer = state.offers[event.assignment_id]
    record, agent = offer.record, offer.agent
    record.state = INTERACTION[ev.Transferred][record.state]
    _give_up(state, offer, event.at_ms)
    record.tally.transferred += 1
    record.enter(state.queue(event.queue), event.steps)
    record.tally.moved_in += 1
    record.reprioritize(event.priority)
    record.requirement = event.requirement
    record.arrived_at_ms = event.at_ms
    record.rank(front=record.front)
    record.queue.waiting += 1
    state.waiting += 1
    state.wait(record)
    clocks.arm(state.timers, record, event.at_ms)
    state.bar(record, agent, event.at_ms, event.again_at_ms)


def handed_over(state: State, event: ev.HandedOver) -> None:
    """The colleague has it, under a new number."""
    offer = state.offers[event.assignment_id]
    record, colleague = offer.record, state.agents[event.to_agent_id]
    record.state = INTERACTION[ev.HandedOver][record.state]
    _give_up(state, offer, event.at_ms)
    record.tally.transferred += 1
    taken = OfferRecord(event.offer_id, record, colleague, event.at_ms)
    record.offer = taken
    taken.accepted_at_ms = event.at_ms
    state.last_offer = event.offer_id
    state.offers[event.offer_id] = colleague.work[event.offer_id] = taken
    state.carry(colleague, state.loads.taken(colleague.load, taken.kind), event.at_ms)


def conferenced(state: State, event: ev.Conferenced) -> None:
    """Both agents have the customer."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.Conferenced][record.state]
    record.aside().in_conference = True
