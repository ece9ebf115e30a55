"""What a run counts while it goes on: cells that only grow in number with kinds, never with time.

A `Cell` belongs to a (queue, channel, interval of arrival); customers carry theirs, so counting is
an addition. When the warm-up ends, `Tally.begin` starts all over: customers who came before keep
their old cells, which nobody reads any more.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..plan import Plan
from .outcome import Counted, GroupTime, Outcome, Row, Served, WaitHistogram, fine

__all__ = ["Cell", "Frame", "GroupTally", "Tally"]

_COUNTED = Row.__struct_fields__[3:]
_Counts = dict[int, int]


@attrs.define(eq=False)
class Cell:
    """The counts of a `Row` while they grow.

    ``waits`` and ``abandon_waits`` (bucket -> count) are shared by all cells of a queue and
    channel, ``coarse`` by all of an interval; waits of 0 are only in ``at_once``.
    """

    target_ms: int
    waits: _Counts
    abandon_waits: _Counts
    coarse: _Counts
    arrived: int = 0
    retried: int = 0
    rejected: int = 0
    accepted: int = 0
    at_once: int = 0
    accepted_in_time: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    balked: int = 0
    cancelled: int = 0
    requeued: int = 0
    completed: int = 0
    wait_ms: int = 0
    wait2: int = 0
    abandon_ms: int = 0
    abandon2: int = 0
    handle_ms: int = 0


@attrs.define(eq=False)
class GroupTally:
    """The times of a group while they grow, by interval of the cycle."""

    name: str
    agents: int
    busy_ms: list[int]
    staffed_ms: list[int]
    accepted: int = 0
    accepted_in_time: int = 0
    wait_ms: int = 0
    #: queue -> [count, handle_ms]
    served: dict[str, list[int]] = attrs.field(factory=dict)


@attrs.frozen
class Frame:
    """How time is cut: ``intervals`` of ``interval_ms`` make the cycle."""

    interval_ms: int
    intervals: int

    def number(self, at_ms: int) -> int:
        """The interval of the cycle that a moment falls into."""
        return at_ms // self.interval_ms % self.intervals

    def spread(self, into: list[int], from_ms: int, to_ms: int) -> None:
        """Add a span of time to the intervals it covers."""
        while from_ms < to_ms:
            number = from_ms // self.interval_ms
            end_ms = (number + 1) * self.interval_ms
            if end_ms > to_ms:
                end_ms = to_ms
            into[number % self.intervals] += end_ms - from_ms
            from_ms = end_ms


def _with_zero(rows: Iterable[Row], longer: Iterable[tuple[int, int]]) -> Counted:
    """The histogram with those who did not wait at all."""
    at_once = sum(row.at_once for row in rows)
    return (*(((0, at_once),) if at_once else ()), *longer)


class Tally:
    """All counts of one run, and the time averages."""

    __slots__ = (
        "_cells",
        "_channels",
        "_intervals",
        "_plan",
        "frame",
        "from_ms",
        "groups",
        "last_ms",
        "most_waiting",
        "serving_area",
        "waiting",
        "waiting2_area",
        "waiting_area",
    )

    def __init__(self, plan: Plan, frame: Frame) -> None:
        self._plan = plan
        self.frame = frame
        self.groups: dict[str, GroupTally] = {}
        self.waiting = 0
        self.begin(0)

    def begin(self, at_ms: int) -> None:
        """Count from here on only; what waits and is served stays."""
        self.from_ms = self.last_ms = at_ms
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._channels: dict[tuple[str, str], tuple[_Counts, _Counts]] = {}
        self._intervals: dict[int, _Counts] = {}
        self.waiting_area = self.waiting2_area = self.serving_area = 0
        self.most_waiting = self.waiting
        for group in self.groups.values():
            group.busy_ms = [0] * self.frame.intervals
            group.staffed_ms = [0] * self.frame.intervals
            group.accepted = group.accepted_in_time = group.wait_ms = 0
            group.served = {}

    def group(self, name: str, agents: int) -> GroupTally:
        """A new group."""
        zeros = [0] * self.frame.intervals
        made = self.groups[name] = GroupTally(name, agents, zeros, list(zeros))
        return made

    def cell(self, queue: str, channel: str, at_ms: int) -> Cell:
        """The cell for an arrival at this moment."""
        key = (queue, channel, self.frame.number(at_ms))
        found = self._cells.get(key)
        if found is None:
            waits, abandon_waits = self._channels.setdefault((queue, channel), ({}, {}))
            coarse = self._intervals.setdefault(key[2], {})
            known = self._plan.queues.get(queue)
            target_ms = known.service_level.target_ms if known is not None else 0
            found = self._cells[key] = Cell(target_ms, waits, abandon_waits, coarse)
        return found

    def pass_time(self, at_ms: int) -> None:
        """Bring the averages of the waiting up to a moment; call before their number changes."""
        passed = at_ms - self.last_ms
        waiting = self.waiting
        if waiting:
            self.waiting_area += passed * waiting
            self.waiting2_area += passed * waiting * waiting
            if waiting > self.most_waiting:
                self.most_waiting = waiting
        self.last_ms = at_ms

    def was_served(self, from_ms: int, to_ms: int) -> None:
        """Somebody was with an agent so long; what lies before the measured time is left out."""
        if from_ms < self.from_ms:
            from_ms = self.from_ms
        if to_ms > from_ms:
            self.serving_area += to_ms - from_ms

    def span(self, into: list[int], from_ms: int, to_ms: int) -> None:
        """Add a span to intervals, less what lies before the measured time."""
        self.frame.spread(into, max(from_ms, self.from_ms), to_ms)

    def outcome(self, **header: str | int) -> Outcome:
        """All of it as a value, up to the moment that time was last brought to."""
        rows = [
            Row(queue=q, channel=c, interval=n, **{f: getattr(cell, f) for f in _COUNTED})
            for (q, c, n), cell in sorted(self._cells.items(), key=lambda item: item[0])
        ]
        ended = sum(r.rejected + r.abandoned + r.cancelled + r.completed for r in rows)
        passed = max(1, self.last_ms - self.from_ms)
        return Outcome(
            **header,  # type: ignore[arg-type]
            from_ms=self.from_ms,
            to_ms=self.last_ms,
            interval_ms=self.frame.interval_ms,
            left_open=sum(row.arrived for row in rows) - ended,
            waiting=self.waiting_area / passed,
            waiting2=self.waiting2_area / passed,
            serving=self.serving_area / passed,
            most_waiting=self.most_waiting,
            rows=tuple(rows),
            waits=tuple(
                WaitHistogram(
                    queue=queue,
                    channel=channel,
                    accepted=_with_zero(
                        (r for r in rows if (r.queue, r.channel) == (queue, channel)),
                        sorted(waits.items()),
                    ),
                    abandoned=tuple(sorted(abandoned.items())),
                )
                for (queue, channel), (waits, abandoned) in sorted(self._channels.items())
            ),
            interval_waits={
                number: _with_zero(
                    (r for r in rows if r.interval == number),
                    [(fine(bucket), count) for bucket, count in sorted(coarse.items())],
                )
                for number, coarse in sorted(self._intervals.items())
            },
            groups=tuple(
                GroupTime(
                    group=group.name,
                    agents=group.agents,
                    accepted=group.accepted,
                    accepted_in_time=group.accepted_in_time,
                    wait_ms=group.wait_ms,
                    busy_ms=tuple(group.busy_ms),
                    staffed_ms=tuple(group.staffed_ms),
                )
                for group in self.groups.values()
            ),
            served=tuple(
                Served(group=group.name, queue=queue, count=count, handle_ms=handle_ms)
                for group in self.groups.values()
                for queue, (count, handle_ms) in sorted(group.served.items())
            ),
        )
