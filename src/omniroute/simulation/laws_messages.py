"""The laws of what comes in: repeats, threads, rates, edits, and who is the same customer.

The part of `laws` that is about messages: what must be true when such an event comes, and what it
changes in the books.
"""

from __future__ import annotations

from typing import Any

from .. import events as ev
from ..engine.customers import interaction_key, own_key
from ..events import Kind, RejectReason
from ..model import InteractionState, Message
from .books import Books, Law
from .inbound_book import message_key
from .works import Said, Work

__all__ = [
    "appended",
    "changed",
    "duplicate",
    "erased",
    "is_full",
    "linked",
    "note_message",
    "noted",
    "quarantined",
    "read_message",
    "read_sender",
    "rejected",
]


def read_message(books: Books, event: Any, *, joins: Work | None = None) -> None:
    """A message is no repeat and its thread is right; remembered unless it was refused."""
    message, book = event.message, books.inbound
    key = message_key(message)
    is_refused = isinstance(event, ev.Rejected)
    for each in (key, None if is_refused else event.delivery_key):
        repeat = book.about(message.channel, each, books.now_ms) is not None
        books.require(not repeat, Law.MESSAGE, "it was seen before")
    thread = books.threads.get((message.channel, message.thread_id or ""))
    by_rate = event.reason == RejectReason.SENDER_RATE if hasattr(event, "reason") else False
    if not isinstance(event, ev.Quarantined) and not by_rate:
        books.require(thread is joins, Law.MESSAGE, "its thread is open elsewhere")
    if not is_refused:
        book.remember(message.channel, key, event.interaction_id, event.at_ms)
        book.remember(message.channel, event.delivery_key, event.interaction_id, event.at_ms)


def read_sender(books: Books, message: Message, work: Work) -> None:
    """A message that is routed is not over its sender's rate."""
    over = bool(message.customer.id) and books.inbound.is_over_rate(message, books.now_ms)
    books.require(not over, Law.ADMISSION, "its sender sends too much")
    books.inbound.count_sender(message, books.now_ms)


def is_full(books: Books, queue: str) -> bool:
    """Whether the queue or the plan takes no more."""
    limits, backlog = books.plan.limits, books.in_line
    here = backlog[queue] >= books.plan.queues[queue].max_waiting
    return here or backlog.total() >= limits.max_waiting


def rejected(books: Books, event: ev.Rejected) -> None:
    """Refused at the door, for a reason that is true."""
    books.require(event.interaction_id not in books.works, Law.STATE, "it is open")
    read_message(books, event)
    if event.reason is RejectReason.QUEUE_FULL:
        full = event.queue is not None and is_full(books, event.queue)
        books.require(full, Law.ADMISSION, "the queue is not full")
    if event.reason is RejectReason.QUEUE_DRAINING:
        books.require(event.queue in books.draining, Law.ADMISSION, "it is not draining")
    if event.reason is RejectReason.OVERFLOW:
        rules = books.plan.queues[event.queue].overflow if event.queue else ()
        texts = [rule.reject for rule in rules]
        books.require(event.text in texts, Law.ADMISSION, "no rule of the queue says so")
    if event.reason is RejectReason.SET_ASIDE_FULL:
        books.require(books.is_aside_full(), Law.ADMISSION, "there is room aside")
    if event.reason is RejectReason.SENDER_RATE:
        over = books.inbound.is_over_rate(event.message, event.at_ms)
        books.require(over, Law.ADMISSION, "its sender is not over the rate")
    books.figures.reject(event)


def quarantined(books: Books, event: ev.Quarantined) -> None:
    """Kept aside; not a repeat."""
    books.require(event.interaction_id not in books.works, Law.STATE, "it is open")
    read_message(books, event)
    books.figures.quarantined += 1
    books.figures.over_rate += event.reason == RejectReason.SENDER_RATE


def duplicate(books: Books, event: ev.Duplicate) -> None:
    """It must have been seen, as what it says."""
    book = books.inbound
    if event.delivery_key is not None:
        found = {book.about(event.channel, event.delivery_key, event.at_ms)}
    else:
        found = {*book.are_about(event.channel, event.message_id, event.at_ms)}
    books.require(event.interaction_id in found, Law.MESSAGE, "it is no repeat of that")
    books.figures.duplicates += 1


def appended(books: Books, event: ev.MessageAppended) -> None:
    """It joins the interaction of its thread, whoever has it."""
    work = books.work(event)
    read_message(books, event, joins=work)
    read_sender(books, event.message, work)
    note_message(books, event.message, work)
    books.require((event.agent_id or "") == work.whose, Law.MESSAGE, "not his")
    books.figures.count(event, work)
    if work.state is InteractionState.PARKED:
        books.owe(ev.Unparked, work.id)


def changed(books: Books, event: ev.MessageEdited | ev.MessageRedacted) -> None:
    """An edit or a redaction of a message that is there, once."""
    work, book = books.work(event), books.inbound
    edit = isinstance(event, ev.MessageEdited)
    message_id = (
        event.message.message_id if isinstance(event, ev.MessageEdited) else event.message_id
    )
    books.require((event.agent_id or "") == work.whose, Law.MESSAGE, "not his")
    if message_id:
        same = (said for said in work.messages if said.message_id == message_id)
        said = next(same, None)
        if said is None or said.is_redacted:
            books.fail(Law.MESSAGE, "it has no such message")
        said.is_redacted = not edit
    elif edit:
        books.require(work.kind is not Kind.CUSTOMER, Law.MESSAGE, "it is no copy")
        follows = (event.at_ms, work.parent_id or "") in book.changed
        books.require(follows, Law.MESSAGE, "its original has not changed")
    else:
        books.require(work.thread_id is not None, Law.MESSAGE, "it is of no thread")
        for said in work.messages:
            said.is_redacted = True
    book.changed = {each for each in book.changed if each[0] == event.at_ms}
    book.changed.add((event.at_ms, work.id))
    _read_update(books, work.channel, event.delivery_key, event)


def noted(books: Books, event: ev.UpdateNoted) -> None:
    """An update that is remembered; not seen before."""
    known = event.interaction_id in books.works or not event.interaction_id
    books.require(known, Law.MESSAGE, f"{event.interaction_id!r} is not open")
    _read_update(books, event.channel, event.delivery_key, event)
    books.inbound.remember(event.channel, event.message_key, event.interaction_id, event.at_ms)


def _read_update(books: Books, channel: str, key: str | None, event: Any) -> None:
    seen = books.inbound.about(channel, key, event.at_ms) is not None
    books.require(not seen, Law.MESSAGE, "it was applied before")
    books.inbound.remember(channel, key, event.interaction_id, event.at_ms)


def note_message(books: Books, message: Message, work: Work) -> None:
    """It is there; over the limit the oldest but the first is not known any more."""
    is_known = message != message.erased()
    work.messages.append(Said(message.message_id, own_key(message) if is_known else None))
    if len(work.messages) > max(1, books.plan.limits.max_messages):
        del work.messages[1]


def erased(books: Books, event: ev.CustomerErased) -> None:
    """A customer was forgotten: in open interactions, all that is his and nothing else."""
    keys, redacted = frozenset(event.keys), dict(event.redacted)
    for work in books.works.values():
        positions = redacted.pop(work.id, ())
        if keys:  # a sealed journal does not keep them
            _check_erased(books, work, positions, keys)
        for position in positions:
            there = position < len(work.messages) and work.messages[position].writer is not None
            books.require(there, Law.MESSAGE, f"{work.id!r} has no message {position}")
            work.messages[position] = Said(None, None, is_redacted=True)
        if 0 in positions:
            thread = work.channel, work.thread_id or ""
            if books.threads.get(thread) is work:
                del books.threads[thread]
            work.thread_id = None
    books.require(not redacted, Law.MESSAGE, f"{[*redacted]!r} are not open")
    books.inbound.forget(keys)


def _check_erased(
    books: Books, work: Work, positions: tuple[int, ...], keys: frozenset[str]
) -> None:
    own, parent_id = interaction_key(work.id), work.parent_id
    if parent_id is not None:
        both = (own in keys) is (interaction_key(parent_id) in keys)
        books.require(both, Law.MESSAGE, f"{work.id!r} was opened from {parent_id!r}")
    writers = [said.writer for said in work.messages]
    is_named = own in keys or any(writer in keys for writer in writers)
    his = tuple(
        position
        for position, writer in enumerate(writers)
        if writer is not None and (writer in keys if writer else is_named)
    )
    right = positions == his and (own in keys or not his)
    books.require(right, Law.MESSAGE, f"his in {work.id!r} are {his}")


def linked(books: Books, event: ev.CustomersLinked) -> None:
    """Keys that were whose the event says, and something new."""
    book = books.inbound
    right = book.owners(event.keys) == {event.customer_id, *event.merged}
    books.require(right, Law.MESSAGE, "these keys are other customers'")
    new = event.merged or any(key not in book.customers for key in event.keys)
    books.require(new, Law.MESSAGE, "that was known")
    book.link(event.customer_id, event.keys, event.merged)
