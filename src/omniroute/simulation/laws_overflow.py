"""The laws of overflow: what the rules of a queue say, and what follows from a step's.

A condition is looked at where the events alone decide it. How many are ready is not among that:
an agent who signs out is not ready from the first event of it. Nor are estimated wait and service
level, which have definitions of their own, and who could serve a newcomer. Then either is right.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import attrs

from .. import events as ev
from ..events import Kind
from ..plan import Expression, Overflow, Queue
from .books import Books, Law
from .works import Work

__all__ = ["check_door", "holds", "owe_overflow"]

#: Words of conditions that are left open.
_OPEN: Final = frozenset({"ready", "takers", "ewt_s", "service_level"})

#: So often a step's rule moves an interaction at one moment.
_MOST_MOVES: Final = 8


@attrs.frozen
class _Standing:
    """What conditions are about; what is left open has no value that matters."""

    waiting: int
    signed_in: int
    open: bool
    draining: bool
    nobody: bool
    ready: int | None = None
    takers: int | None = None
    ewt_s: int | None = None
    service_level: int | None = None


def holds(books: Books, queue: Queue, when: Expression | None, work: Work | None) -> bool | None:
    """Whether a condition holds for a queue now, and for ``work`` in it; None: who knows."""
    if when is None:
        return True
    text = str(when)
    if any(word in text for word in _OPEN) or (work is None and "nobody" in text):
        return None
    desks = books.desks.values()
    members = [d for d in desks if queue.members is None or queue.members.matches(d.agent)]
    hours = None if queue.hours is None else books.plan.hours[queue.hours]
    nobody = work is not None and not any(
        work.admits(desk.agent, step) for desk in desks for step in range(len(work.ladder))
    )
    standing = _Standing(
        waiting=books.in_line[queue.name],
        signed_in=len(members),
        open=hours is None or hours.is_open(books.now_ms),
        draining=queue.name in books.draining,
        nobody=nobody,
    )
    return bool(when.matches(standing))


def check_door(books: Books, event: ev.Queued) -> None:
    """The overflow rules led here, as far as the events tell."""
    path: tuple[str | None, ...] = (*event.via, event.queue, None)
    books.require(len(set(path)) == len(path), Law.ADMISSION, "it comes back to a queue")
    books.require(event.kind is Kind.CUSTOMER or not event.via, Law.ADMISSION, "it has no door")
    if event.kind is not Kind.CUSTOMER:
        return
    books.require(event.queue not in books.draining, Law.ADMISSION, "the queue is draining")
    for number, (here, there) in enumerate(itertools.pairwise(path)):
        queue = books.plan.queues.get(here or "")
        right = queue is not None and _leads(books, queue, there, path[: number + 1])
        books.require(right, Law.ADMISSION, f"the rules of {here!r} do not lead to {there!r}")


def _leads(books: Books, queue: Queue, there: str | None, been: tuple[Any, ...]) -> bool:
    for rule in queue.overflow:
        found = holds(books, queue, rule.when, None)
        if found is False:
            continue
        target = None if rule.queue in been else rule.queue
        if rule.reject is None and target == there:
            return True
        if found:
            return False
    return there is None


def owe_overflow(books: Books, work: Work, rule: Overflow | None) -> None:
    """What the rule of the step that was just entered does to it."""
    if rule is None or not holds(books, work.queue, rule.when, work):
        return
    moves = work.moves if work.moved_ms == books.now_ms else 0
    if rule.reject is not None:
        books.owe(ev.Cancelled, work.id)
    elif rule.queue is not None:
        if moves < _MOST_MOVES:
            books.owe(ev.Moved, work.id)
    elif rule.priority is not None:
        books.owe(ev.Reprioritized, work.id)
