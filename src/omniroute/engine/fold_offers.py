"""Folding: offers, the assignments that they become, and their ends."""

from __future__ import annotations

from .. import events as ev
from ..events import Kind
from ..model import InteractionState
from . import clocks
from .lifecycle import INTERACTION
from .order import HELD_OUT
from .records import AgentRecord, InteractionRecord, OfferRecord
from .state import State
from .timers import Fifo, TimerKind

__all__ = [
    "accepted",
    "completed",
    "declined",
    "expired",
    "held",
    "offered",
    "requeued",
    "resumed",
    "revoked",
    "wrap_up_extended",
    "wrap_up_started",
]

_OFFERED = INTERACTION[ev.Offered]
_ACCEPTED = INTERACTION[ev.Accepted]
_COMPLETED = INTERACTION[ev.Completed]


def offered(
    state: State,
    event: ev.Offered,
    record: InteractionRecord,
    agent: AgentRecord,
    timers: Fifo,
) -> OfferRecord:
    """Held out to an agent, whose capacity it holds; ``timers`` are those of its duration."""
    offer_id, at_ms = event.offer_id, event.at_ms
    offer = OfferRecord(offer_id, record, agent, at_ms)
    record.state = _OFFERED[record.state]
    queue = record.queue
    if record.lane is not None:
        state.market.take(record)
        record.lane = None
        if record.place < HELD_OUT:
            queue.lined -= 1
    if record.offer is None:
        record.offer = offer
    else:
        record.hold((*record.held_by, offer))
    state.last_offer = agent.last_offer = offer_id
    record.offers += 1
    kind, load = offer.kind, agent.load
    state.carry(agent, load.plus.get(kind) or state.loads.plus(load, kind), at_ms)
    state.offers[offer_id] = agent.work[offer_id] = offer
    record.tally.offered += 1
    agent.team.offered += 1
    if queue.counts_taken:
        agent.taken[queue.name] = agent.taken.get(queue.name, 0) + 1
    offer.timer = timers.set(at_ms, record, agent.id)
    if queue.max_offers_at_once > 1:
        state.refile(record)
    return offer


def accepted(state: State, event: ev.Accepted, offer: OfferRecord) -> None:
    """The agent has it. Other open offers of it end by a `Revoked` of their own."""
    record, agent, at_ms = offer.record, offer.agent, event.at_ms
    queue = record.queue
    record.state = _ACCEPTED[record.state]
    if not record.is_plain or record.lane is not None:
        _wait_no_more(state, record, offer)
    state.timers.cancel(offer.timer)
    offer.timer = 0
    offer.accepted_at_ms = at_ms
    queue.waiting -= 1
    state.waiting -= 1
    if agent.load.offers:
        state.settle(agent)
    state.touch(agent)
    waited_ms = at_ms - record.arrived_at_ms
    tally, team = record.tally, agent.team
    tally.accepted += 1
    tally.wait_ms += waited_ms
    team.accepted += 1
    team.wait_ms += waited_ms
    if waited_ms <= queue.target_ms:
        tally.accepted_in_time += 1
        team.accepted_in_time += 1
    if queue.served_ms >= 0:
        queue.gaps.append(at_ms - queue.served_ms)
    queue.served_ms = at_ms if queue.lined else -1


def _wait_no_more(state: State, record: InteractionRecord, offer: OfferRecord) -> None:
    """It waits no more, and its clocks stand still."""
    state.stop_waiting(record)
    if record.offer is not offer or offer.other is not None:
        record.hold((offer,))
    clocks.pause(state.timers, record)
    if record.front:
        record.rank(front=False)
    state.unbar(record)


def declined(state: State, event: ev.Declined) -> None:
    """The agent refused; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.touch(agent)
    state.bar(record, agent, event.at_ms, event.again_at_ms)
    record.tally.declined += 1
    agent.team.declined += 1


def expired(state: State, event: ev.Expired) -> None:
    """The agent did not answer; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.touch(agent)
    record.tally.expired += 1
    agent.team.expired += 1


def revoked(state: State, event: ev.Revoked) -> None:
    """Taken back; it waits again at its old place."""
    record, agent = _offer_over(state, event)
    state.bar(record, agent, event.at_ms, event.again_at_ms)
    record.tally.revoked += 1


def _offer_over(
    state: State, event: ev.Declined | ev.Expired | ev.Revoked
) -> tuple[InteractionRecord, AgentRecord]:
    offer = state.offers[event.offer_id]
    record = offer.record
    if offer.agent.load.offers:
        state.settle(offer.agent)
    agent = state.give_back(offer, event.at_ms)
    if record.state is InteractionState.OFFERED and record.offer is None:
        record.state = INTERACTION[type(event)][record.state]
    state.refile(record)
    return record, agent


def held(state: State, event: ev.Held) -> None:
    """On hold; capacity stays."""
    record = state.offers[event.assignment_id].record
    record.state = INTERACTION[ev.Held][record.state]


def resumed(state: State, event: ev.Resumed) -> None:
    """Taken up again."""
    record = state.offers[event.assignment_id].record
    record.state = INTERACTION[ev.Resumed][record.state]


def requeued(state: State, event: ev.Requeued) -> None:
    """It waits again at its age; the ladder goes on where it stood."""
    offer = state.offers[event.assignment_id]
    record = offer.record
    record.state = INTERACTION[ev.Requeued][record.state]
    record.offers = 0
    agent = state.give_back(offer, event.at_ms)
    state.touch(agent)
    record.tally.requeued += 1
    handled_ms = event.at_ms - offer.accepted_at_ms
    record.tally.handle_ms += handled_ms
    agent.team.handle(handled_ms)
    record.queue.waiting += 1
    state.waiting += 1
    if event.enqueued_at_ms is not None:
        record.enqueued_at_ms = event.enqueued_at_ms
        record.rank(front=False)
    state.wait(record)
    clocks.resume(state.timers, record, event.at_ms)
    state.bar(record, agent, event.at_ms, event.again_at_ms)


def wrap_up_started(state: State, event: ev.WrapUpStarted) -> None:
    """The customer has gone, the agent's capacity has not come back yet."""
    offer = state.offers[event.assignment_id]
    record = offer.record
    record.state = INTERACTION[ev.WrapUpStarted][record.state]
    if event.code:
        record.aside().code = event.code
    state.leave_thread(record)
    kind = record.queue.wrap_up_kind
    if kind is not None:
        state.turn(offer, kind, event.at_ms)
    if event.until_ms is not None:
        wrap_up = record.queue.plan.wrap_up
        if event.until_ms - event.at_ms == wrap_up.duration_ms:
            fifo = state.timers.fifo(TimerKind.WRAP_UP, wrap_up.duration_ms)
            offer.timer = fifo.set(event.at_ms, record)
        else:  # his own: there may be as many durations as agents
            offer.timer = state.timers.at(TimerKind.WRAP_UP, event.until_ms, record)
        max_extension_ms = wrap_up.max_extension_ms
        if max_extension_ms:
            side = record.aside()
            side.wrap_up_until_ms = event.until_ms
            side.wrap_up_limit_ms = event.until_ms + max_extension_ms


def wrap_up_extended(state: State, event: ev.WrapUpExtended) -> None:
    """It ends later."""
    offer = state.offers[event.assignment_id]
    record = offer.record
    record.state = INTERACTION[ev.WrapUpExtended][record.state]
    record.aside().wrap_up_until_ms = event.until_ms
    state.timers.cancel(offer.timer)
    offer.timer = state.timers.at(TimerKind.WRAP_UP, event.until_ms, record)


def completed(state: State, event: ev.Completed, offer: OfferRecord) -> None:
    """Finished."""
    record = offer.record
    record.state = _COMPLETED[record.state]
    agent = state.give_back(offer, event.at_ms)
    state.touch(agent)
    if state.keeps_last_agents:
        _remember_last_agent(state, record, event)
    state.end(record)
    tally = record.tally
    tally.completed += 1
    handled_ms = event.at_ms - offer.accepted_at_ms
    tally.handle_ms += handled_ms
    team = agent.team
    team.handled += 1
    team.handle_ms += handled_ms


def _remember_last_agent(state: State, record: InteractionRecord, event: ev.Completed) -> None:
    """The customer may want to come back to him."""
    is_consult = record.side is not None and record.side.kind is Kind.CONSULT
    customer_id = state.customer_of(record)
    if customer_id and not is_consult:
        known = state.last_agents
        known[customer_id] = (event.agent_id, event.at_ms)
        known.move_to_end(customer_id)
        if len(known) > state.plan.limits.max_last_agents:
            known.popitem(last=False)
