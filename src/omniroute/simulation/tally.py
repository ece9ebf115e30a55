"""What a run counts while it goes on: cells that only grow in number with kinds, never with time.

A `Cell` belongs to a (queue, channel, interval of arrival); customers carry theirs, so counting is
an addition. When the warm-up ends, `Tally.begin` starts all over: customers who came before keep
their old cells, which nobody reads any more, except for what the groups did of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from ..plan import Plan
from .accounts import Account, Cell, Counts, Waits
from .histogram import fine
from .outcome import Counted, GroupTime, Outcome, Row, Served, WaitHistogram

__all__ = ["Cell", "Frame", "GroupTally", "Tally"]


@attrs.define(eq=False)
class GroupTally:
    """The times of a group while they grow, by interval of the cycle."""

    name: str
    agents: int
    busy_ms: list[int]
    staffed_ms: list[int]


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


class Tally:
    """All counts of one run, and the time averages."""

    __slots__ = (
        "_accounts",
        "_cells",
        "_channels",
        "_intervals",
        "_level_ms",
        "_plan",
        "frame",
        "from_ms",
        "groups",
        "last_ms",
        "serving_ms",
        "waiting",
    )

    def __init__(self, plan: Plan, frame: Frame) -> None:
        self._plan = plan
        self.frame = frame
        self.groups: dict[str, GroupTally] = {}
        self.waiting = 0
        #: of all cells, forgotten ones included
        self._accounts: list[Account] = []
        self.begin(0)

    def begin(self, at_ms: int) -> None:
        """Count from here on only; what waits and is served stays."""
        self.from_ms = self.last_ms = at_ms
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._channels: dict[tuple[str, str], tuple[Counts, Counts]] = {}
        self._intervals: dict[int, Counts] = {}
        #: for how long so many waited
        self._level_ms = [0] * (self.waiting + 1)
        #: time with an agent that no account holds
        self.serving_ms = 0
        for account in self._accounts:
            account.forget()
        for group in self.groups.values():
            group.busy_ms = [0] * self.frame.intervals
            group.staffed_ms = [0] * self.frame.intervals

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
            abandoned = Waits(target_ms, abandon_waits, None)
            found = self._cells[key] = Cell(queue, target_ms, waits, coarse, abandoned)
        return found

    def account(self, cell: Cell, group: GroupTally) -> Account:
        """What this group takes of this cell."""
        found = cell.accounts.get(group)
        if found is None:
            found = Account(group, cell.queue, cell.target_ms, cell.fine, cell.coarse)
            cell.accounts[group] = found
            self._accounts.append(found)
        return found

    def settle(self) -> None:
        """Count what was noted, so that notes never take more than so much space."""
        for account in self._accounts:
            account.settle()
        for cell in self._cells.values():
            cell.abandoned.settle()

    def pass_time(self, at_ms: int) -> None:
        """Bring the averages of the waiting up to a moment; call before their number changes."""
        self._level_ms[self.waiting] += at_ms - self.last_ms
        self.last_ms = at_ms

    def one_more_waits(self, at_ms: int) -> None:
        """From this moment on."""
        levels, waiting = self._level_ms, self.waiting
        levels[waiting] += at_ms - self.last_ms
        self.last_ms = at_ms
        self.waiting = waiting = waiting + 1
        if waiting == len(levels):
            levels.append(0)

    def one_less_waits(self, at_ms: int) -> None:
        """From this moment on."""
        self._level_ms[self.waiting] += at_ms - self.last_ms
        self.last_ms = at_ms
        self.waiting -= 1

    def span(self, into: list[int], from_ms: int, to_ms: int) -> None:
        """Add a span to intervals, less what lies before the measured time."""
        self.frame.spread(into, max(from_ms, self.from_ms), to_ms)

    # --- the outcome ------------------------------------------------------------------------

    def outcome(self, **header: str | int) -> Outcome:
        """All of it as a value, up to the moment that time was last brought to."""
        self.settle()
        rows = [_row(*key, cell) for key, cell in sorted(self._cells.items(), key=_by_key)]
        ended = sum(r.rejected + r.abandoned + r.cancelled + r.completed for r in rows)
        passed = max(1, self.last_ms - self.from_ms)
        served_ms = self.serving_ms + sum(account.handle_ms for account in self._accounts)
        levels = self._level_ms
        return Outcome(
            **header,  # type: ignore[arg-type]
            from_ms=self.from_ms,
            to_ms=self.last_ms,
            interval_ms=self.frame.interval_ms,
            left_open=sum(row.arrived for row in rows) - ended,
            waiting=sum(n * ms for n, ms in enumerate(levels)) / passed,
            waiting2=sum(n * n * ms for n, ms in enumerate(levels)) / passed,
            serving=served_ms / passed,
            most_waiting=len(levels) - 1,
            rows=tuple(rows),
            waits=tuple(
                WaitHistogram(
                    queue=queue,
                    channel=channel,
                    accepted=tuple(sorted(waits.items())),
                    abandoned=tuple(sorted(abandoned.items())),
                )
                for (queue, channel), (waits, abandoned) in sorted(self._channels.items())
            ),
            interval_waits={
                number: self._interval_waits(rows, number) for number in sorted(self._intervals)
            },
            groups=tuple(self._group_time(group) for group in self.groups.values()),
            served=tuple(self._served()),
        )

    def _interval_waits(self, rows: Iterable[Row], number: int) -> Counted:
        """The histogram of an interval, with those who did not wait at all."""
        at_once = sum(row.at_once for row in rows if row.interval == number)
        counts = sorted(self._intervals[number].items())
        longer = ((fine(bucket), count) for bucket, count in counts)
        return (*(((0, at_once),) if at_once else ()), *longer)

    def _group_time(self, group: GroupTally) -> GroupTime:
        accounts = [account for account in self._accounts if account.group is group]
        return GroupTime(
            group=group.name,
            agents=group.agents,
            accepted=sum(account.count for account in accounts),
            accepted_in_time=sum(account.in_time for account in accounts),
            wait_ms=sum(account.total_ms for account in accounts),
            busy_ms=tuple(group.busy_ms),
            staffed_ms=tuple(group.staffed_ms),
        )

    def _served(self) -> Iterator[Served]:
        for group in self.groups.values():
            sums: dict[str, list[int]] = {}
            for account in self._accounts:
                if account.group is group and account.handled:
                    of_queue = sums.setdefault(account.queue, [0, 0])
                    of_queue[0] += account.handled
                    of_queue[1] += account.handle_ms
            for queue, (count, handle_ms) in sorted(sums.items()):
                yield Served(group=group.name, queue=queue, count=count, handle_ms=handle_ms)


def _by_key(item: tuple[tuple[str, str, int], Cell]) -> tuple[str, str, int]:
    return item[0]


def _row(queue: str, channel: str, interval: int, cell: Cell) -> Row:
    """What was counted; contacts that were done are completed, or wait again."""
    accounts, abandoned = cell.accounts.values(), cell.abandoned
    return Row(
        queue=queue,
        channel=channel,
        interval=interval,
        arrived=cell.arrived,
        retried=cell.retried,
        rejected=cell.rejected,
        accepted=sum(account.count for account in accounts),
        at_once=sum(account.at_once for account in accounts),
        accepted_in_time=sum(account.in_time for account in accounts),
        abandoned=abandoned.count,
        abandoned_in_time=abandoned.in_time,
        balked=cell.balked,
        cancelled=cell.cancelled,
        requeued=cell.requeued,
        completed=sum(account.handled for account in accounts) - cell.requeued,
        wait_ms=sum(account.total_ms for account in accounts),
        wait2=sum(account.squares for account in accounts),
        abandon_ms=abandoned.total_ms,
        abandon2=abandoned.squares,
        handle_ms=sum(account.handle_ms for account in accounts),
    )
