"""The laws of what follows an acceptance: set aside, given to others, called back.

A part of `laws`; all are lists of one function per event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .. import events as ev
from ..events import Kind
from ..model import InteractionState
from ..plan import parse
from .books import IN_LINE, TAKEN, Books, Law
from .laws_ladder import bar, begin, start
from .works import Work, alone

__all__ = ["HANDLERS", "assigned", "check_parent", "completed_consult", "leave"]


def assigned(books: Books, event: Any) -> Work:
    """The work of an assignment, in the hands of the agent whom the event names."""
    work = books.assignments.get(event.assignment_id)
    if work is None:
        books.fail(Law.STATE, f"no assignment {event.assignment_id}")
    agent_id = getattr(event, "agent_id", work.agent_id)
    same = (work.id, work.agent_id) == (event.interaction_id, agent_id)
    books.require(same, Law.STATE, f"it is {work.agent_id!r}'s and about {work.id!r}")
    return books.work(event)


def leave(books: Books, work: Work) -> None:
    """An agent leaves the customer: nobody is being asked for him any more."""
    consult = books.consults.get(work.id)
    waits = consult is not None and consult.state in IN_LINE
    books.require(not waits, Law.STATE, "its consult still waits")


def check_parent(books: Books, event: ev.Queued) -> None:
    """What an agent opens from an interaction that he has."""
    parent = books.works.get(event.parent_id or "")
    if event.kind is Kind.CUSTOMER:
        books.require(event.parent_id is None, Law.STATE, "a customer opened it")
        books.require(not event.front, Law.ORDER, "it has no claim to the front")
        return
    if parent is None or parent.state not in TAKEN:
        books.fail(Law.STATE, f"nobody has {event.parent_id!r}")
    anonymous = event.message.thread_id is None and event.message.message_id is None
    books.require(anonymous, Law.MESSAGE, "it is no message of a thread")
    if event.kind is Kind.CONSULT:
        books.require(parent.id not in books.consults, Law.STATE, "it has an open consult")
        books.require(not event.front, Law.ORDER, "it has no claim to the front")
        return
    own_steps = (alone(parent.agent_id, books.queue(event.queue)),)
    books.require(event.front, Law.ORDER, "it belongs in front")
    books.require(event.steps == own_steps, Law.LADDER, "it is not for its agent first")


# --- set aside ------------------------------------------------------------------------


def _set_aside(books: Books, work: Work, event: Any, until_ms: int | None) -> None:
    work.until_ms = until_ms
    work.barred.clear()
    books.refused.pop(work.id, None)
    books.move(work, event)
    if until_ms is not None:
        books.deadlines.add(until_ms, "aside", work)


def _scheduled(books: Books, event: ev.Scheduled) -> None:
    work = books.work(event)
    books.require(event.starts_at_ms > event.at_ms, Law.DEADLINE, "it starts now")
    books.require(not books.is_aside_full(), Law.ADMISSION, "too much is set aside")
    books.owed.pop((ev.StepReached, work.id), None)
    books.owed.pop((ev.Reprioritized, work.id), None)
    _set_aside(books, work, event, event.starts_at_ms)


def _check_start(books: Books, work: Work) -> int | None:
    """It is due; when the callback of its queue before it allows the next."""
    books.require(work.until_ms == books.now_ms, Law.DEADLINE, f"it starts at {work.until_ms}")
    last_ms = books.starts.get(work.queue.name) if work.is_callback else None
    return None if last_ms is None else last_ms + work.queue.callback.pace_ms


def _started(books: Books, event: ev.Started) -> None:
    work = books.work(event)
    next_ms = _check_start(books, work)
    early = next_ms is not None and event.at_ms < next_ms
    books.require(not early, Law.DEADLINE, f"the next callback starts at {next_ms}")
    if work.is_callback:
        books.starts[work.queue.name] = event.at_ms
    else:
        work.enqueued_at_ms = event.at_ms
    _wait_anew(books, work, event)


def _wait_anew(books: Books, work: Work, event: Any) -> None:
    begin(work, event.at_ms)
    books.move(work, event)
    start(books, work)


def _postponed(books: Books, event: ev.Postponed) -> None:
    work = books.work(event)
    right = _check_start(books, work) == event.until_ms and event.until_ms > event.at_ms
    books.require(right, Law.DEADLINE, "no other callback has just started")
    _set_aside(books, work, event, event.until_ms)


def _parked(books: Books, event: ev.Parked) -> None:
    work = assigned(books, event)
    leave(books, work)
    books.require(not books.is_aside_full(), Law.ADMISSION, "too much is set aside")
    books.figures.count(event, work)
    work.owner = work.agent_id
    until_ms = None if event.until_ms is None else max(event.until_ms, event.at_ms)
    _set_aside(books, work, event, until_ms)


def _unparked(books: Books, event: ev.Unparked) -> None:
    work = books.work(event)
    books.require(event.agent_id == work.owner, Law.STATE, f"{work.owner!r} parked it")
    own_steps = (alone(work.owner, work.queue, skip_if_nobody=True),)
    books.require(event.steps == own_steps, Law.LADDER, "it is not for its owner first")
    work.enter(work.queue, event.steps)
    work.known = books.known(work)
    work.front, work.enqueued_at_ms = True, event.at_ms
    _wait_anew(books, work, event)


# --- given to others ------------------------------------------------------------------


def _transferred(books: Books, event: ev.Transferred) -> None:
    work, queue = assigned(books, event), books.queue(event.queue)
    leave(books, work)
    colleagues = (name for name in books.desks if name != event.agent_id)
    right = not event.steps or any(event.steps == (alone(name, queue),) for name in colleagues)
    books.require(right, Law.LADDER, "its own step is not for a colleague")
    books.figures.count(event, work)
    books.figures.come(work, queue.name)
    work.enter(queue, event.steps)
    work.rank(event.priority)
    work.requirement = None if event.requirement is None else parse(event.requirement)
    work.known = books.known(work)
    begin(work, event.at_ms)
    books.move(work, event)
    bar(books, work, event.agent_id, event)
    start(books, work)


def _handed_over(books: Books, event: ev.HandedOver) -> None:
    work = assigned(books, event)
    colleague = books.handing.pop(work.id, None)
    books.require(colleague == event.to_agent_id, Law.STATE, "he was not consulted")
    next_id = books.last_offer + 1
    books.require(event.offer_id == next_id, Law.OFFER, f"the next is {next_id}")
    books.figures.count(event, work)
    books.last_offer = event.offer_id
    del books.desks[event.agent_id].work[event.assignment_id]
    books.assignments[event.offer_id] = books.assignments.pop(event.assignment_id)
    books.desks[event.to_agent_id].work[event.offer_id] = work
    work.assignment_id, work.agent_id = event.offer_id, event.to_agent_id
    work.accepted_at_ms = event.at_ms
    books.move(work, event)


def _conferenced(books: Books, event: ev.Conferenced) -> None:
    work = assigned(books, event)
    consult = books.consults.get(work.id)
    right = consult is not None and consult.id == event.consult_id and consult.state in TAKEN
    books.require(right, Law.STATE, "nobody is consulted about it")


# --- called back ----------------------------------------------------------------------


def _callback_requested(books: Books, event: ev.CallbackRequested) -> None:
    work = books.work(event)
    books.require(not work.is_callback, Law.STATE, "it is a callback")
    work.is_callback = True
    books.owed.pop((ev.Abandoned, work.id), None)
    books.move(work, event)
    if event.due_at_ms is not None:
        books.owe(ev.Scheduled, work.id)


def _callback_failed(books: Books, event: ev.CallbackFailed) -> None:
    work = assigned(books, event)
    leave(books, work)
    callback = work.queue.callback
    work.attempts += 1
    may = work.is_callback and work.attempts < callback.max_attempts
    books.require(may, Law.STATE, f"it is no callback, or it was attempt {work.attempts}")
    due_at_ms = event.at_ms + callback.retry_ms
    books.require(event.due_at_ms == due_at_ms, Law.DEADLINE, f"not {due_at_ms}")
    books.figures.count(event, work)
    _set_aside(books, work, event, due_at_ms)


def _wrap_up_extended(books: Books, event: ev.WrapUpExtended) -> None:
    work = assigned(books, event)
    until_ms = work.until_ms or 0
    work.extended_ms += event.until_ms - until_ms
    right = work.until_ms is not None and event.until_ms > until_ms
    right = right and work.extended_ms <= work.may_extend_ms
    books.require(right, Law.DEADLINE, f"it ends at {until_ms}, extended by {work.extended_ms}")
    work.until_ms = event.until_ms
    books.deadlines.add(event.until_ms, "wrap_up", work)


def completed_consult(books: Books, work: Work, code: str) -> bool:
    """Whether a consult is over because the customer goes to the colleague."""
    if work.kind is not Kind.CONSULT or code != "handed_over":
        return False
    parent = books.works.get(work.parent_id or "")
    if parent is None or books.consults.get(parent.id) is not work:
        return False
    if parent.state not in TAKEN or work.state is InteractionState.WRAP_UP:
        return False
    books.handing[parent.id] = work.agent_id
    return True


HANDLERS: Final[dict[type, Callable[[Books, Any], None]]] = {
    ev.Scheduled: _scheduled,
    ev.Started: _started,
    ev.Postponed: _postponed,
    ev.Parked: _parked,
    ev.Unparked: _unparked,
    ev.Transferred: _transferred,
    ev.HandedOver: _handed_over,
    ev.Conferenced: _conferenced,
    ev.CallbackRequested: _callback_requested,
    ev.CallbackFailed: _callback_failed,
    ev.WrapUpExtended: _wrap_up_extended,
}
