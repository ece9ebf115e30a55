"""The laws, one function per event: what must be true when it comes, and what it changes.

Each takes the `Books` and the event, requires, then writes down. `HANDLERS` says which event
is whose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .. import events as ev
from ..events import RejectReason, RevokeReason
from ..model import InteractionState
from ..plan import OnExpiry, RefusalRule, WrapUpKind, parse
from . import laws_messages as messages
from .books import Books, Desk, Law, Work
from .laws_messages import is_full, read_message, read_sender

__all__ = ["HANDLERS", "is_refused_by_all"]


# --- messages -------------------------------------------------------------------------


def _queued(books: Books, event: ev.Queued) -> None:
    queue = books.plan.queues.get(event.queue)
    if queue is None:
        books.fail(Law.ADMISSION, f"unknown queue {event.queue!r}")
    books.require(event.interaction_id not in books.works, Law.STATE, "it is open already")
    books.require(event.seq > books.last_seq, Law.STATE, f"seq was {books.last_seq}")
    books.require(not is_full(books, event.queue), Law.ADMISSION, "the queue is full")
    top = books.plan.limits.max_priority
    books.require(0 <= event.priority <= top, Law.ADMISSION, f"priority 0..{top}")
    read_message(books, event)
    work = Work(
        id=event.interaction_id,
        seq=event.seq,
        queue=queue,
        channel=event.message.channel,
        thread_id=event.message.thread_id,
        priority=event.priority,
        requirement=None if event.requirement is None else parse(event.requirement),
        enqueued_at_ms=event.at_ms,
        step_began_ms=event.at_ms,
        known=books.known(queue.name, event.message.channel, event.requirement),
    )
    books.last_seq = event.seq
    books.admitted += 1
    books.works[work.id] = work
    read_sender(books, event.message, work)
    books.in_line[queue.name] += 1
    books.lanes.add(work)
    books.figures.count(event, work)
    if work.thread_id:
        books.threads[work.channel, work.thread_id] = work
    if _is_passed(books, work, 0):
        books.owe(ev.StepReached, work.id)
    _set_step_end(books, work)


def _reprioritized(books: Books, event: ev.Reprioritized) -> None:
    work = books.work(event)
    work.priority = event.priority
    books.move(work, event)


# --- ladder and refusals --------------------------------------------------------------


def _set_step_end(books: Books, work: Work) -> None:
    if work.step_end_ms is not None:
        books.deadlines.add(work.step_end_ms, "step", work)


def _is_passed(books: Books, work: Work, step: int) -> bool:
    """Whether a step that is entered now is passed over at once."""
    rung = work.queue.ladder[step]
    if step == len(work.queue.ladder) - 1:
        return False
    if rung.until_ms is not None and work.enqueued_at_ms + rung.until_ms <= books.now_ms:
        return True
    desks = books.desks.values()
    return rung.skip_if_nobody and not any(work.admits(d.agent, step) for d in desks)


def _step_reached(books: Books, event: ev.StepReached) -> None:
    work = books.work(event)
    between = range(work.step + 1, event.step)
    right = work.step < event.step < len(work.queue.ladder)
    right = right and all(_is_passed(books, work, step) for step in between)
    books.require(right, Law.LADDER, f"it was at {work.step}")
    end_ms, is_new = work.step_end_ms, work.step_began_ms == event.at_ms
    over = end_ms is not None and end_ms <= event.at_ms
    over = over or (is_new and _is_passed(books, work, work.step))
    books.require(over, Law.LADDER, f"step {work.step} ends at {end_ms}")
    books.require(not _is_passed(books, work, event.step), Law.LADDER, "it is passed over")
    work.step, work.step_began_ms = event.step, event.at_ms
    books.move(work, event)
    _set_step_end(books, work)


def _bar(books: Books, work: Work, agent_id: str, event: Any) -> None:
    refusal = work.queue.refusal
    again_at_ms: int | None = -1
    if refusal.rule is RefusalRule.AT_ONCE:
        again_at_ms = None
    elif refusal.rule is RefusalRule.AFTER:
        again_at_ms = event.at_ms + refusal.after_ms
    if isinstance(event, ev.Revoked) and event.reason is not RevokeReason.WITHDRAWN:
        again_at_ms = None
    elif isinstance(event, ev.Requeued) and event.again_at_ms is None and again_at_ms:
        books.owe(ev.SignedOut, agent_id)
        again_at_ms = None
    books.require(event.again_at_ms == again_at_ms, Law.REFUSAL, f"not {again_at_ms}")
    if again_at_ms is not None:
        work.barred[agent_id] = again_at_ms
        books.refused[work.id] = work
        if again_at_ms >= 0:
            books.deadlines.add(again_at_ms, "refusal", work, agent_id)


def is_refused_by_all(books: Books, work: Work) -> bool:
    """Whether a memory of `RefusalRule.ALL_DECLINED` is due to be cleared."""
    if work.queue.refusal.rule is not RefusalRule.ALL_DECLINED or not work.barred:
        return False
    able = (desk for desk in books.desks.values() if work.admits(desk.agent))
    return all(desk.agent.id in work.barred for desk in able)


def _refusals_reset(books: Books, event: ev.RefusalsReset) -> None:
    work = books.work(event)
    if event.agent_id is None:
        books.require(is_refused_by_all(books, work), Law.REFUSAL, "not all have refused")
        work.barred.clear()
    else:
        until_ms = work.barred.pop(event.agent_id, None)
        books.require(until_ms == event.at_ms, Law.REFUSAL, f"barred until {until_ms}")


# --- offers and assignments -----------------------------------------------------------


def _offered(books: Books, event: ev.Offered) -> None:
    next_id = books.last_offer + 1
    books.require(event.offer_id == next_id, Law.OFFER, f"the next is {next_id}")
    found = books.works.get(event.interaction_id)
    is_open = found is not None and found.state is InteractionState.OFFERED
    books.require(not is_open, Law.OFFER, "it is offered already")
    work, limits = books.work(event), books.plan.limits
    books.require(work.offers < limits.max_offers, Law.OFFER, "offered too often")
    desk = books.desks.get(event.agent_id)
    if desk is None or not desk.ready:
        books.fail(Law.READY, f"{event.agent_id!r} is not ready")
    books.require(work.admits(desk.agent), Law.REQUIREMENT, "he does not satisfy it")
    books.require(desk.agent.id not in work.barred, Law.REFUSAL, "he is barred")
    books.require(desk.has_room(work.channel), Law.CAPACITY, "he has no room")
    for other in books.lanes.before(work):
        barred = desk.agent.id in other.barred
        books.require(barred, Law.ORDER, f"{other.id!r} of the same lane goes first")
    expires_at_ms = event.at_ms + work.queue.offer_timeout_ms
    books.require(event.expires_at_ms == expires_at_ms, Law.DEADLINE, f"not {expires_at_ms}")
    books.last_offer = event.offer_id
    work.offer_id, work.agent_id, work.until_ms = event.offer_id, desk.agent.id, expires_at_ms
    work.offers += 1
    desk.work[work.offer_id] = books.offers[work.offer_id] = work
    books.deadlines.add(expires_at_ms, "offer", work)
    books.move(work, event)
    books.figures.count(event, work)


def _answered(books: Books, event: ev.Accepted | ev.Declined | ev.Expired | ev.Revoked) -> None:
    work = books.offers.get(event.offer_id)
    if work is None:
        books.fail(Law.OFFER, "it is not open")
    same = (work.id, work.agent_id) == (event.interaction_id, event.agent_id)
    books.require(same, Law.OFFER, f"it is for {work.agent_id!r} and about {work.id!r}")
    until_ms = work.until_ms or 0
    if isinstance(event, ev.Expired):
        books.require(event.at_ms == until_ms, Law.DEADLINE, f"it expires at {until_ms}")
    elif not isinstance(event, ev.Revoked):
        books.require(event.at_ms < until_ms, Law.DEADLINE, f"it expired at {until_ms}")
    agent_id = work.agent_id
    if isinstance(event, ev.Accepted):
        books.assignments[work.offer_id] = books.offers.pop(work.offer_id)
        work.accepted_at_ms = event.at_ms
        _forget_refusals(books, work)
    books.move(work, event)
    books.figures.count(event, work)
    if isinstance(event, ev.Declined | ev.Revoked):
        _bar(books, work, agent_id, event)
    if not isinstance(event, ev.Accepted):
        _owe_after_offer(books, work, agent_id, event)


def _owe_after_offer(
    books: Books, work: Work, agent_id: str, event: ev.Declined | ev.Expired | ev.Revoked
) -> None:
    reason = event.reason if isinstance(event, ev.Revoked) else None
    if reason is RevokeReason.CUSTOMER_LEFT:
        books.owe(ev.Abandoned, work.id)
    elif reason is RevokeReason.CANCELLED or work.offers >= books.plan.limits.max_offers:
        books.owe(ev.Cancelled, work.id)
    if reason is RevokeReason.SIGNED_OUT:
        books.owe(ev.SignedOut, agent_id)
    elif isinstance(event, ev.Expired) and work.queue.on_expiry is OnExpiry.NOT_READY:
        books.owe(ev.BecameNotReady, agent_id)
    elif isinstance(event, ev.Expired) and work.queue.on_expiry is OnExpiry.SIGN_OUT:
        books.owe(ev.SignedOut, agent_id)


def _forget_refusals(books: Books, work: Work) -> None:
    work.offers = 0
    work.barred.clear()
    books.refused.pop(work.id, None)


def _assigned(books: Books, event: Any) -> Work:
    work = books.assignments.get(event.assignment_id)
    if work is None:
        books.fail(Law.STATE, f"no assignment {event.assignment_id}")
    agent_id = getattr(event, "agent_id", work.agent_id)
    same = (work.id, work.agent_id) == (event.interaction_id, agent_id)
    books.require(same, Law.STATE, f"it is {work.agent_id!r}'s and about {work.id!r}")
    return books.work(event)


def _held_or_resumed(books: Books, event: ev.Held | ev.Resumed) -> None:
    books.move(_assigned(books, event), event)


def _requeued(books: Books, event: ev.Requeued) -> None:
    work = _assigned(books, event)
    books.figures.count(event, work)
    books.move(work, event)
    _bar(books, work, event.agent_id, event)
    if work.step_end_ms is not None and work.step_end_ms <= event.at_ms:
        books.owe(ev.StepReached, work.id)
    _set_step_end(books, work)


def _wrap_up_started(books: Books, event: ev.WrapUpStarted) -> None:
    work, until_ms = _assigned(books, event), None
    wrap_up = work.queue.wrap_up
    books.require(wrap_up.kind is not WrapUpKind.NONE, Law.STATE, "the queue has none")
    if wrap_up.kind is not WrapUpKind.OPTIONAL:
        until_ms = event.at_ms + wrap_up.duration_ms
        books.deadlines.add(until_ms, "wrap_up", work)
    books.require(event.until_ms == until_ms, Law.DEADLINE, f"not {until_ms}")
    work.until_ms = until_ms
    books.move(work, event)


def _completed(books: Books, event: ev.Completed) -> None:
    work = _assigned(books, event)
    kind = work.queue.wrap_up.kind
    if work.state is not InteractionState.WRAP_UP:
        books.require(kind is WrapUpKind.NONE, Law.STATE, "it owes a wrap-up")
    elif kind is WrapUpKind.FORCED and event.at_ms < (work.until_ms or 0):
        books.owe(ev.SignedOut, event.agent_id)
    books.figures.count(event, work)
    books.move(work, event)


def _taken_out(books: Books, event: ev.Abandoned | ev.Cancelled) -> None:
    work = books.work(event)
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
    books.desks[agent.id] = Desk(agent, books.plan.capacities[agent.capacity])


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
    for work in desk.work.values():
        if work.state is InteractionState.OFFERED:
            books.owe(ev.Revoked, work.offer_id)


def _agent_changed(books: Books, event: ev.AgentChanged) -> None:
    desk = _desk(books, event.agent.id)
    desk.agent, desk.capacity = event.agent, books.plan.capacities[event.agent.capacity]
    for work in desk.work.values():
        if work.state is InteractionState.OFFERED and not work.admits(event.agent):
            books.owe(ev.Revoked, work.offer_id)


def _command_rejected(books: Books, event: ev.CommandRejected) -> None:
    subject, reason = event.subject, event.reason
    number = int(subject) if subject.lstrip("-").isdigit() else 0
    full = len(books.desks) >= books.plan.limits.max_agents
    true = {
        RejectReason.ID_IN_USE: subject in books.works,
        RejectReason.UNKNOWN_INTERACTION: subject not in books.works,
        RejectReason.UNKNOWN_OFFER: number not in books.offers,
        RejectReason.UNKNOWN_ASSIGNMENT: number not in books.assignments,
        RejectReason.NOT_SIGNED_IN: subject not in books.desks,
        RejectReason.ALREADY_SIGNED_IN: subject in books.desks,
        RejectReason.AGENTS_EXHAUSTED: full and subject not in books.desks,
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
    ev.StepReached: _step_reached,
    ev.Reprioritized: _reprioritized,
    ev.RefusalsReset: _refusals_reset,
    ev.Abandoned: _taken_out,
    ev.Cancelled: _taken_out,
    ev.Offered: _offered,
    ev.Accepted: _answered,
    ev.Declined: _answered,
    ev.Expired: _answered,
    ev.Revoked: _answered,
    ev.Held: _held_or_resumed,
    ev.Resumed: _held_or_resumed,
    ev.Requeued: _requeued,
    ev.WrapUpStarted: _wrap_up_started,
    ev.Completed: _completed,
    ev.SignedIn: _signed_in,
    ev.SignedOut: _signed_out,
    ev.BecameReady: _became_ready,
    ev.BecameNotReady: _became_not_ready,
    ev.AgentChanged: _agent_changed,
    ev.CommandRejected: _command_rejected,
}
