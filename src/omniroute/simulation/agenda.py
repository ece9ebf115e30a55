"""What the world will do, in order: a heap of (moment, order, action, subject, number)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from typing import Any

__all__ = ["ANSWER", "ARRIVAL", "LEAVING", "NEVER", "PRESENCE", "WORK", "Action", "Agenda"]

#: Called with the moment, what it is about, and a number that tells a stale entry from a live one.
Action = Callable[[int, Any, int], None]

#: What goes first at one moment: end of work, presence, arrival, answer to an offer, abandonment.
WORK, PRESENCE, ARRIVAL, ANSWER, LEAVING = (rank << 60 for rank in range(5))

#: Later than any moment.
NEVER = 1 << 62


class Agenda:
    """All planned actions; at one moment and rank in the order of planning.

    Most actions plan one other (who is done takes up something new, who came is followed by the
    next), so an action that is carried out stays on top of the heap until something takes its place
    or it is done and still there: one sift instead of two.
    """

    __slots__ = ("_heap", "_is_done", "_number")

    def __init__(self) -> None:
        #: with an end that is never reached, so that there is always a next
        self._heap: list[tuple[int, int, Action, Any, int]] = [(NEVER, 0, _nothing, None, 0)]
        #: counts up: what was planned earlier goes first
        self._number = 0
        #: the top is carried out, or is being so
        self._is_done = False

    def plan(self, at_ms: int, rank: int, action: Action, subject: object, number: int = 0) -> None:
        """Put an action on the heap. O(log n)."""
        self._number = count = self._number + 1
        if self._is_done:
            self._is_done = False
            heapreplace(self._heap, (at_ms, rank + count, action, subject, number))
        else:
            heappush(self._heap, (at_ms, rank + count, action, subject, number))

    def carry_out(
        self, until_ms: int, deadline: Callable[[], int | None], wake: Callable[[int], None]
    ) -> None:
        """Do all that comes up to a moment, actions that are planned meanwhile included.

        ``deadline`` tells when the engine has to be woken at the latest; ``wake`` does it, before
        what is planned for a later moment. O(log n) per action.
        """
        heap = self._heap
        while True:
            at_ms, _, action, subject, number = heap[0]
            due_ms = deadline()
            if due_ms is not None and due_ms < at_ms:
                if due_ms > until_ms:
                    return
                wake(due_ms)
                continue
            if at_ms > until_ms:
                return
            self._is_done = True
            action(at_ms, subject, number)
            if self._is_done:
                self._is_done = False
                heappop(heap)


def _nothing(_at_ms: int, _subject: object, _number: int) -> None:
    """Stands at the end; it never comes."""
