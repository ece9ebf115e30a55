"""All deadlines in one structure: a FIFO per duration, a heap for the odd ones.

Timers that share a kind and a duration are set in time order, so their deadlines arrive in order
and a deque is a perfect priority queue (0.1 us). Only a deadline that does not follow
from "now plus a duration" (a step resumed after a requeue, a restored snapshot) needs the
heap. A timer is cancelled by forgetting its number: each record keeps the number of the
timer it still believes in, and an entry whose number is not believed is dead.

Order: by deadline, then by number, that is by the moment of setting.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .records import InteractionRecord

__all__ = ["NEVER", "Timer", "TimerKind", "Timers"]

#: Later than any deadline.
NEVER = 1 << 62


class TimerKind(enum.IntEnum):
    """What a deadline is for."""

    OFFER = 0
    STEP = 1
    WRAP_UP = 2
    REFUSAL = 3


class Timer(NamedTuple):
    """One deadline: number is unique and grows; agent_id only for `TimerKind.REFUSAL`."""

    deadline_ms: int
    number: int
    kind: TimerKind
    record: InteractionRecord
    agent_id: str | None = None

    @property
    def is_live(self) -> bool:
        """True while the record still believes in this timer."""
        return self.record.believes(self.kind, self.number, self.agent_id)


class Timers:
    """Every deadline that is set. ``next_due`` is never later than the next live one."""

    def __init__(self) -> None:
        self.next_due = NEVER
        self.count = 0
        self._fifos: dict[tuple[TimerKind, int], deque[Timer]] = {}
        self._odd: list[Timer] = []

    def after(
        self,
        kind: TimerKind,
        duration_ms: int,
        now_ms: int,
        record: InteractionRecord,
        agent_id: str | None = None,
    ) -> int:
        """Set a timer ``duration_ms`` from now; returns its number. O(1)."""
        deadline_ms = now_ms + duration_ms
        self.count = number = self.count + 1
        fifo = self._fifos.get((kind, duration_ms))
        if fifo is None:
            fifo = self._fifos[kind, duration_ms] = deque()
        while fifo and not fifo[0].is_live:
            fifo.popleft()
        fifo.append(Timer(deadline_ms, number, kind, record, agent_id))
        if deadline_ms < self.next_due:
            self.next_due = deadline_ms
        return number

    def at(
        self,
        kind: TimerKind,
        deadline_ms: int,
        record: InteractionRecord,
        agent_id: str | None = None,
    ) -> int:
        """Set a timer at any moment; returns its number. O(log n)."""
        self.count = number = self.count + 1
        self._push(Timer(deadline_ms, number, kind, record, agent_id))
        return number

    def restore(self, timers: list[Timer], count: int) -> None:
        """Put saved timers back under their old numbers."""
        for timer in timers:
            self._push(timer)
        self.count = count

    def live(self) -> list[Timer]:
        """Every live timer in firing order; for snapshots."""
        found = [timer for timer in self._odd if timer.is_live]
        for fifo in self._fifos.values():
            found.extend(timer for timer in fifo if timer.is_live)
        return sorted(found, key=lambda timer: (timer.deadline_ms, timer.number))

    def pop_due(self, now_ms: int) -> Timer | None:
        """The earliest live timer due at ``now_ms``, taken out; None when there is none."""
        best: Timer | None = None
        source: deque[Timer] | None = None
        for fifo in self._fifos.values():
            while fifo and not fifo[0].is_live:
                fifo.popleft()
            if fifo and (best is None or fifo[0][:2] < best[:2]):
                best, source = fifo[0], fifo
        while self._odd and not self._odd[0].is_live:
            heapq.heappop(self._odd)
        if self._odd and (best is None or self._odd[0][:2] < best[:2]):
            best, source = self._odd[0], None
        if best is None:
            self.next_due = NEVER
            return None
        if best.deadline_ms > now_ms:
            self.next_due = best.deadline_ms
            return None
        if source is None:
            heapq.heappop(self._odd)
        else:
            source.popleft()
        return best

    def _push(self, timer: Timer) -> None:
        heapq.heappush(self._odd, timer)
        if timer.deadline_ms < self.next_due:
            self.next_due = timer.deadline_ms
