"""All deadlines in one structure: a FIFO per duration, a heap for the odd ones.

Timers that share a duration are set in time order, so their deadlines arrive in order and a deque
is a perfect priority queue. Only a deadline that does not follow from "now plus a
duration" (a step resumed after a requeue, a restored snapshot) needs the heap, and so does a
duration that no plan has: there may be as many as interactions. A timer is cancelled by forgetting
its number; its entry is dropped when it reaches the front, or when the cancelled may be the most.

Order: by deadline, then by number, that is by the moment of setting.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from .records import AgentRecord, InteractionRecord

__all__ = ["NEVER", "Fifo", "Timer", "TimerKind", "Timers"]

#: Later than any deadline.
NEVER = 1 << 62

#: Fewer entries than this are not worth sweeping.
_SWEEP_AT_LEAST = 64


class TimerKind(enum.IntEnum):
    """What a deadline is for."""

    OFFER = 0
    STEP = 1
    WRAP_UP = 2
    REFUSAL = 3
    ACCESS = 4
    START = 5
    TOO_LONG = 6
    UNPARK = 7
    LEASE = 8


class Timer(NamedTuple):
    """One deadline: ``number`` is unique and grows.

    ``subject`` is the interaction it is about, for a lease the agent; ``agent_id`` is there
    for an offer and a refusal.
    """

    deadline_ms: int
    number: int
    kind: TimerKind
    subject: InteractionRecord | AgentRecord
    agent_id: str | None = None

    @property
    def record(self) -> InteractionRecord:
        """The interaction it is about."""
        return cast("InteractionRecord", self.subject)

    @property
    def agent(self) -> AgentRecord:
        """The agent whose lease it is."""
        return cast("AgentRecord", self.subject)


#: The same five fields as a bare tuple: five times cheaper to make than a `Timer`.
_Entry = tuple[int, int, TimerKind, "InteractionRecord | AgentRecord", str | None]


class Fifo:
    """The timers of one kind and duration, in order of deadline."""

    __slots__ = ("_sweep_at", "_timers", "duration_ms", "entries", "kind")

    def __init__(self, timers: Timers, kind: TimerKind, duration_ms: int) -> None:
        self._timers = timers
        self.kind = kind
        self.duration_ms = duration_ms
        self.entries: deque[_Entry] = deque()
        #: so many entries before the cancelled ones are looked for
        self._sweep_at = _SWEEP_AT_LEAST

    def set(self, now_ms: int, record: InteractionRecord, agent_id: str | None = None) -> int:
        """Set a timer one duration from now; returns its number. O(1) amortised."""
        timers = self._timers
        entries = self.entries
        if len(entries) >= self._sweep_at:
            entries = self._sweep()
        timers.count = number = timers.count + 1
        timers.live_numbers.add(number)
        deadline_ms = now_ms + self.duration_ms
        entries.append((deadline_ms, number, self.kind, record, agent_id))
        if deadline_ms < timers.next_due:
            timers.be_due(deadline_ms)
        return number

    def _sweep(self) -> deque[_Entry]:
        """Drop the entries that were cancelled."""
        live = self._timers.live_numbers
        self.entries = entries = deque(entry for entry in self.entries if entry[1] in live)
        self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(entries))
        return entries


class Timers:
    """Every deadline that is set. ``next_due`` is never later than the next live one.

    ``wake_ms`` is never later than that, nor than the end of the running interval: before it, time
    changes nothing.
    """

    __slots__ = (
        "_fifos",
        "_odd",
        "_sweep_at",
        "count",
        "live_numbers",
        "next_due",
        "wake_ms",
    )

    def __init__(self) -> None:
        self.next_due = NEVER
        self.wake_ms = 0
        #: the number of the timer set last
        self.count = 0
        self.live_numbers: set[int] = set()
        self._fifos: dict[tuple[TimerKind, int], Fifo] = {}
        self._odd: list[_Entry] = []
        #: so many odd ones before the cancelled ones are looked for
        self._sweep_at = _SWEEP_AT_LEAST

    def fifo(self, kind: TimerKind, duration_ms: int) -> Fifo:
        """The FIFO of a kind and duration."""
        found = self._fifos.get((kind, duration_ms))
        if found is None:
            found = self._fifos[kind, duration_ms] = Fifo(self, kind, duration_ms)
        return found

    def at(
        self, kind: TimerKind, deadline_ms: int, subject: InteractionRecord | AgentRecord
    ) -> int:
        """Set a timer at any moment; returns its number. O(log n) amortised."""
        self.count = number = self.count + 1
        self._push((deadline_ms, number, kind, subject, None))
        return number

    def cancel(self, number: int) -> None:
        """Forget a timer; 0 or one that has fired is none. O(1)."""
        self.live_numbers.discard(number)

    def deadline_of(self, number: int) -> int | None:
        """When a live timer is due; None when there is no such. O(timers), on demand."""
        if number not in self.live_numbers:
            return None
        entries = (*self._odd, *(e for fifo in self._fifos.values() for e in fifo.entries))
        return next(entry[0] for entry in entries if entry[1] == number)

    def restore(self, timers: list[Timer], count: int) -> None:
        """Put saved timers back under their old numbers."""
        for timer in timers:
            self._push((timer.deadline_ms, timer.number, timer.kind, timer.subject, timer.agent_id))
        self.count = count

    def live(self) -> list[Timer]:
        """Every live timer in firing order; for snapshots. O(n log n)."""
        entries = [*self._odd, *(e for fifo in self._fifos.values() for e in fifo.entries)]
        live = [Timer._make(entry) for entry in entries if entry[1] in self.live_numbers]
        return sorted(live, key=lambda timer: timer[:2])

    def pop_due(self, now_ms: int) -> Timer | None:
        """The earliest live timer due at ``now_ms``, taken out; None when there is none."""
        live = self.live_numbers
        best: _Entry | None = None
        source: deque[_Entry] | None = None
        for fifo in self._fifos.values():
            entries = fifo.entries
            while entries and entries[0][1] not in live:
                entries.popleft()
            if entries and (best is None or entries[0][:2] < best[:2]):
                best, source = entries[0], entries
        while self._odd and self._odd[0][1] not in live:
            heapq.heappop(self._odd)
        if self._odd and (best is None or self._odd[0][:2] < best[:2]):
            best, source = self._odd[0], None
        if best is None:
            self.next_due = NEVER
            return None
        if best[0] > now_ms:
            self.next_due = best[0]
            return None
        if source is None:
            heapq.heappop(self._odd)
        else:
            source.popleft()
        live.remove(best[1])
        return Timer._make(best)

    def _push(self, entry: _Entry) -> None:
        if len(self._odd) >= self._sweep_at:
            self._odd = [odd for odd in self._odd if odd[1] in self.live_numbers]
            heapq.heapify(self._odd)
            self._sweep_at = max(_SWEEP_AT_LEAST, 2 * len(self._odd))
        self.live_numbers.add(entry[1])
        heapq.heappush(self._odd, entry)
        if entry[0] < self.next_due:
            self.be_due(entry[0])

    def be_due(self, deadline_ms: int) -> None:
        """A timer is due before all others."""
        self.next_due = deadline_ms
        self.wake_ms = min(self.wake_ms, deadline_ms)
