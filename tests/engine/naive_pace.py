"""The meaning of the estimated wait and the recent service level, read off the events.

"Estimated wait" of docs/explanation/semantics.md as the slowest program. It keeps every gap and
every end since the start, and looks at all of them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from omniroute import events as ev
from omniroute.plan import Plan, Queue


class NaivePace:
    """Who stands in line, how fast the queues are served, and how it ended."""

    def __init__(self, plan: Plan, least: int = 8, most: int = 50) -> None:
        self.plan, self.least, self.most = plan, least, most
        self.queue: dict[str, str] = {}  # of each open interaction
        self.arrived: dict[str, int] = {}
        self.offers: dict[str, int] = {}  # open ones
        self.line: set[str] = set()
        self.clock: dict[str, int] = {}
        self.gaps: dict[str, list[int]] = defaultdict(list)
        #: by queue: (when, accepted, how long it had waited, in time, no short abandon)
        self.ends: dict[str, list[tuple[int, bool, int, bool, bool]]] = defaultdict(list)
        #: from when on, how long intervals are
        self.lengths = [(0, plan.limits.interval_ms)]

    def change(self, plan: Plan, now_ms: int) -> None:
        """Another plan; the running interval is as long as it was to be."""
        from_ms = self.interval_start(now_ms)
        length_ms = next(length for start, length in reversed(self.lengths) if start <= from_ms)
        end_ms = from_ms - from_ms % length_ms + length_ms
        self.lengths = [each for each in self.lengths if each[0] <= from_ms]
        self.lengths.append((end_ms, plan.limits.interval_ms))
        self.plan = plan

    def interval_start(self, at_ms: int) -> int:
        start_ms, length_ms = next(each for each in reversed(self.lengths) if each[0] <= at_ms)
        return max(start_ms, at_ms - at_ms % length_ms)

    def in_line(self, queue: str) -> int:
        return sum(self.queue[item] == queue for item in self.line)

    def come(self, item: str) -> None:
        queue = self.queue[item]
        if not self.in_line(queue):
            self.clock.pop(queue, None)
        self.line.add(item)
        self.offers[item] = 0

    def observe(self, event: Any) -> None:
        item = getattr(event, "interaction_id", None)
        if isinstance(event, ev.Queued):
            self.queue[item], self.arrived[item] = event.queue, event.at_ms
            self.come(item)
        elif isinstance(event, ev.Started | ev.Unparked | ev.Transferred):
            self.arrived[item] = event.at_ms
            if isinstance(event, ev.Transferred):
                self.queue[item] = event.queue
            self.come(item)
        elif isinstance(event, ev.Requeued):
            self.come(item)
        elif isinstance(event, ev.Moved):
            self.line.discard(item)
            self.queue[item] = event.queue
            self.come(item)
        elif isinstance(event, ev.Offered):
            self.line.discard(item)
            self.offers[item] += 1
        elif isinstance(event, ev.Declined | ev.Expired | ev.Revoked):
            self.offers[item] -= 1
            if self.offers[item] == 0:
                self.come(item)
        elif isinstance(event, ev.Accepted):
            self.accept(item, event.at_ms)
        elif isinstance(event, ev.Scheduled | ev.Cancelled):
            self.line.discard(item)
        elif isinstance(event, ev.Abandoned):
            self.line.discard(item)
            waited_ms = event.at_ms - self.arrived[item]
            self.end(self.queue[item], event.at_ms, waited_ms, accepted=False)

    def accept(self, item: str, at_ms: int) -> None:
        queue = self.queue[item]
        # Other open offers of it are revoked after this; they do not bring it back.
        self.offers[item] = 10_000
        self.end(queue, at_ms, at_ms - self.arrived[item], accepted=True)
        if queue in self.clock:
            self.gaps[queue].append(at_ms - self.clock.pop(queue))
        if self.in_line(queue):
            self.clock[queue] = at_ms

    def end(self, queue: str, at_ms: int, waited_ms: int, *, accepted: bool) -> None:
        level = self.plan.queues.get(queue, Queue(name=queue)).service_level
        in_time = accepted and waited_ms <= level.target_ms
        counts = accepted or waited_ms >= level.short_abandon_ms
        self.ends[queue].append((at_ms, accepted, waited_ms, in_time, counts))

    def ewt_ms(self, queue: str, now_ms: int, position: int | None = None) -> int | None:
        gaps = self.gaps[queue][-self.most :]
        if len(gaps) < self.least:
            return None
        number = self.in_line(queue) + 1 if position is None else position
        took_ms = sum(gaps) + (now_ms - self.clock[queue] if queue in self.clock else 0)
        gone = [waited_ms for _, accepted, waited_ms, *_ in self.ends[queue] if not accepted]
        waited_ms = sum(waited_ms for _, _, waited_ms, *_ in self.ends[queue])
        if not gone or not waited_ms:
            return number * took_ms // len(gaps)
        found, first = 0, 0
        while first < number:
            last = min(first + max(1, first // 16), number) - 1
            above = (last - first + 1) * 2 * took_ms * waited_ms * 1024
            below = 2 * len(gaps) * waited_ms + (first + last) * len(gone) * took_ms
            found += above // below
            first = last + 1
        return found // 1024

    def service_level(self, queue: str, now_ms: int) -> int | None:
        now_start_ms = self.interval_start(now_ms)
        since_ms = self.interval_start(now_start_ms - 1) if now_start_ms else 0
        counted = [
            in_time
            for at_ms, _, _, in_time, counts in self.ends[queue]
            if at_ms >= since_ms and counts
        ]
        return 100 * sum(counted) // len(counted) if counted else None
