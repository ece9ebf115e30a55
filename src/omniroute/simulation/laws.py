"""The laws, one function per event: what must be true when it comes, and what it changes.

Each takes the `Books` and the event, requires, then writes down. `HANDLERS` says which event
is whose. The laws of messages are in `laws_messages`, those of waiting in `laws_ladder`, of offers
and assignments in `laws_offers`, of what follows an acceptance in `laws_aside`, of another plan in
`laws_plans`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from .. import events as ev
from ..events import Kind, RejectReason
from ..plan import Delivery, parse
from . import laws_aside, laws_ladder, laws_offers, laws_plans
from . import laws_messages as messages
from .books import TAKEN, Books, Law
from .laws_ladder import start
from .laws_messages import is_full, read_message, read_sender
from .laws_overflow import check_door
from .works import Desk, Work, openings

__all__ = ["HANDLERS"]


# --- messages -------------------------------------------------------------------------


def _queued(books: Books, event: ev.Queued) -> None:
    queue = books.queue(event.queue)
    is_there = event.kind is not Kind.CUSTOMER or event.queue in books.plan.queues
    books.require(is_there, Law.ADMISSION, f"the plan has no queue {event.queue!r}")
    books.require(event.interaction_id not in books.works, Law.STATE, "it is open already")
    books.require(event.seq > books.last_seq, Law.STATE, f"seq was {books.last_seq}")
    _check_priority(books, event.priority)
    read_message(books, event)
    laws_aside.check_parent(books, event)
    check_door(books, event)
    work = Work(
        id=event.interaction_id,
        seq=event.seq,
        queue=queue,
        channel=event.message.channel,
        thread_id=event.message.thread_id,
        priority=event.priority,
        own_priority=event.priority,
        requirement=None if event.requirement is None else parse(event.requirement),
        arrived_at_ms=event.at_ms,
        enqueued_at_ms=event.at_ms,
        step_began_ms=event.at_ms,
        max_wait_ms=event.max_wait_ms,
        kind=event.kind,
        parent_id=event.parent_id,
        front=event.front,
    )
    work.enter(queue, event.steps)
    work.stand_at(0, event.at_ms)
    work.known = books.known(work)
    messages.note_message(books, event.message, work)
    books.last_seq = event.seq
    books.admitted += 1
    books.works[work.id] = work
    if event.kind is Kind.CUSTOMER:
        read_sender(books, event.message, work)
        if is_full(books, event.queue) and not _goes_at_once(books, work):
            books.owe(ev.Scheduled, work.id, Law.ADMISSION)
    elif event.kind is Kind.CONSULT:
        books.consults[event.parent_id or ""] = work
    books.in_line[queue.name] += 1
    books.touched.add(work.id)
    books.put(work)
    books.figures.count(event, work)
    if work.thread_id:
        books.threads[work.channel, work.thread_id] = work
    start(books, work)


def _goes_at_once(books: Books, work: Work) -> bool:
    """Whether an agent could be offered it at its first step, so that it never stands in line."""
    if any(rule.open_access for rule in work.queue.overflow):
        work = attrs.evolve(work, opening=len(openings(work.queue)))
    return work.is_open(books.plan.limits.max_offers) and any(
        desk.ready
        and desk.has_room(work.channel, work.limits)
        and work.admits(desk.agent)
        and work.opens_to(desk.agent)
        for desk in books.desks.values()
    )


def _check_priority(books: Books, priority: int) -> None:
    top = books.plan.limits.max_priority
    books.require(0 <= priority <= top, Law.ADMISSION, f"priority 0..{top}")


def _reprioritized(books: Books, event: ev.Reprioritized) -> None:
    work = books.work(event)
    _check_priority(books, event.priority)
    books.require(event.enqueued_at_ms <= event.at_ms, Law.ADMISSION, "a moment to come")
    if event.for_step:
        stays = work.is_lent and event.priority == work.priority
        lends = event.priority == work.ladder[work.step].priority
        right = (stays or lends) and event.priority != work.own_priority
        books.require(right, Law.LADDER, f"its step lends it {work.due_priority}")
        work.priority, work.is_lent = event.priority, True
    else:
        work.rank(event.priority)
    work.enqueued_at_ms = event.enqueued_at_ms
    books.move(work, event)


def _moved(books: Books, event: ev.Moved) -> None:
    work, queue = books.work(event), books.plan.queues.get(event.queue)
    if queue is None:
        books.fail(Law.ADMISSION, f"unknown queue {event.queue!r}")
    _check_priority(books, event.priority)
    books.figures.move(work, queue.name)
    work.moves = work.moves + 1 if work.moved_ms == event.at_ms else 1
    work.moved_ms = event.at_ms
    books.in_line[work.queue.name] -= 1
    books.in_line[queue.name] += 1
    work.enter(queue, ())
    work.rank(event.priority)
    work.requirement = None if event.requirement is None else parse(event.requirement)
    work.opening = work.offered = 0
    work.stand_at(0, event.at_ms)
    work.known = books.known(work)
    work.barred.clear()
    books.refused.pop(work.id, None)
    for what in (ev.AccessWidened, ev.StepReached):  # of the ladder that it has left
        books.owed.pop((what, work.id), None)
    books.move(work, event)
    start(books, work)


def _taken_out(books: Books, event: ev.Abandoned | ev.Cancelled) -> None:
    work = books.work(event)
    if work.state in TAKEN:
        laws_aside.leave(books, work)
    books.figures.count(event, work)
    books.move(work, event)


# --- agents ---------------------------------------------------------------------------


def _desk(books: Books, agent_id: str) -> Desk:
    desk = books.desks.get(agent_id)
    if desk is None:
        books.fail(Law.PRESENCE, f"{agent_id!r} is not signed in")
    return desk


def _signed_in(books: Books, event: ev.SignedIn) -> None:
    agent, limit = event.agent, books.plan.limits.max_agents
    books.require(agent.id not in books.desks, Law.PRESENCE, "he is signed in")
    books.require(len(books.desks) < limit, Law.ADMISSION, f"at most {limit} agents")
    desk = Desk(agent, books.plan.capacities[agent.capacity], lease_ms=event.lease_ms)
    books.desks[agent.id] = desk
    if event.lease_ms is not None:
        _lease(books, desk, event.at_ms + event.lease_ms)


def _lease(books: Books, desk: Desk, until_ms: int) -> None:
    desk.lease_until_ms = until_ms
    books.deadlines.add(until_ms, "lease", desk)


def _lease_renewed(books: Books, event: ev.LeaseRenewed) -> None:
    desk = _desk(books, event.agent_id)
    if desk.lease_ms is None:
        books.fail(Law.PRESENCE, "he has no lease")
    until_ms = event.at_ms + desk.lease_ms
    books.require(event.until_ms == until_ms, Law.DEADLINE, f"not {until_ms}")
    _lease(books, desk, until_ms)


def _queue_drained(books: Books, event: ev.QueueDrained) -> None:
    books.require(event.queue not in books.draining, Law.STATE, "it is drained")
    books.draining.add(event.queue)


def _queue_reopened(books: Books, event: ev.QueueReopened) -> None:
    books.require(event.queue in books.draining, Law.STATE, "it is not drained")
    books.draining.discard(event.queue)


def _signed_out(books: Books, event: ev.SignedOut) -> None:
    desk = _desk(books, event.agent_id)
    books.require(not desk.work, Law.PRESENCE, "he leaves with work")
    del books.desks[event.agent_id]
    for work in books.refused.values():
        work.barred.pop(event.agent_id, None)


def _became_ready(books: Books, event: ev.BecameReady) -> None:
    desk = _desk(books, event.agent_id)
    books.require(not desk.ready, Law.PRESENCE, "he is ready")
    desk.ready = True


def _became_not_ready(books: Books, event: ev.BecameNotReady) -> None:
    desk = _desk(books, event.agent_id)
    books.require(desk.ready, Law.PRESENCE, "he is not ready")
    desk.ready = False
    for offer_id, work in desk.work.items():
        if offer_id in work.offers:
            books.owe(ev.Revoked, offer_id)


def _agent_changed(books: Books, event: ev.AgentChanged) -> None:
    desk = _desk(books, event.agent.id)
    desk.agent, desk.capacity = event.agent, books.plan.capacities[event.agent.capacity]
    for offer_id, work in desk.work.items():
        admitted = work.admits(event.agent) and work.opens_to(event.agent)
        if offer_id in work.offers and not admitted:
            books.owe(ev.Revoked, offer_id)


def _command_rejected(books: Books, event: ev.CommandRejected) -> None:
    subject, reason = event.subject, event.reason
    number = int(subject) if subject.lstrip("-").isdigit() else 0
    full = len(books.desks) >= books.plan.limits.max_agents
    work = books.works.get(subject)
    true = {
        RejectReason.ID_IN_USE: subject in books.works,
        RejectReason.UNKNOWN_INTERACTION: subject not in books.works,
        RejectReason.UNKNOWN_OFFER: number not in books.offers,
        RejectReason.UNKNOWN_ASSIGNMENT: number not in books.assignments,
        RejectReason.NOT_SIGNED_IN: subject not in books.desks,
        RejectReason.ALREADY_SIGNED_IN: subject in books.desks,
        RejectReason.AGENTS_EXHAUSTED: full and subject not in books.desks,
        RejectReason.SET_ASIDE_FULL: books.is_aside_full(),
        RejectReason.NOT_PULLED: work and work.queue.delivery is Delivery.PUSH,
    }.get(reason, True)
    books.require(true, Law.ANSWER, f"{reason.value} is not so")


HANDLERS: Final[dict[type, Callable[[Books, Any], None]]] = {
    ev.Queued: _queued,
    ev.Rejected: messages.rejected,
    ev.Quarantined: messages.quarantined,
    ev.Duplicate: messages.duplicate,
    ev.MessageAppended: messages.appended,
    ev.MessageEdited: messages.changed,
    ev.MessageRedacted: messages.changed,
    ev.UpdateNoted: messages.noted,
    ev.CustomersLinked: messages.linked,
    ev.CustomerErased: messages.erased,
    ev.Reprioritized: _reprioritized,
    ev.Moved: _moved,
    ev.Abandoned: _taken_out,
    ev.Cancelled: _taken_out,
    ev.QueueDrained: _queue_drained,
    ev.QueueReopened: _queue_reopened,
    ev.LeaseRenewed: _lease_renewed,
    ev.SignedIn: _signed_in,
    ev.SignedOut: _signed_out,
    ev.BecameReady: _became_ready,
    ev.BecameNotReady: _became_not_ready,
    ev.AgentChanged: _agent_changed,
    ev.CommandRejected: _command_rejected,
    ev.PlanChanged: laws_plans.plan_changed,
    **laws_ladder.HANDLERS,
    **laws_offers.HANDLERS,
    **laws_aside.HANDLERS,
}
