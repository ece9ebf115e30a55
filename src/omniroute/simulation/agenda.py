"""What the world will do, in order: a heap of (moment, order, action, subject, number)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["ANSWER", "ARRIVAL", "LEAVING", "NEVER", "PRESENCE", "WORK", "Action", "Agenda"]

#: Called with the moment, what it is about, and a number that tells a stale entry from a live one.
Action = Callable[[int, Any, int], None]

#: What goes first at one moment: end of work, presence, arrival, answer to an offer, abandonment.
WORK, PRESENCE, ARRIVAL, ANSWER, LEAVING = (rank << 60 for rank in range(5))

#: Later than any moment.
NEVER = 1 << 62


class Agenda:
    """All planned actions; at one moment and rank in the order of planning."""

    __slots__ = ("_count", "heap")

    def __init__(self) -> None:
        self._count = 0
        self.heap: list[tuple[int, int, Action, Any, int]] = []

    def plan(self, at_ms: int, rank: int, action: Action, subject: object, number: int = 0) -> None:
        """Put an action on the heap. O(log n)."""
        self._count = count = self._count + 1
        heapq.heappush(self.heap, (at_ms, rank + count, action, subject, number))
