"""Counts by interval: at each boundary, what was counted since the boundary before.

All tallies only grow, so an interval is a difference of two readings. Nothing is counted twice and
nothing is added to the hot path but one comparison with ``next_ms``. The reading of a boundary
is taken when time first passes it, before anything of the next interval is folded; nothing
changes between events, so it does not matter when somebody looks. At most ``max_intervals`` are
kept; what was counted in none of them is left out.

Times of agents grow between events too. In an interval without events all levels are constant,
so each such interval has the same row.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from ..model import Channel
from .tallies import AGENT_FIELDS, Tally, Team

if TYPE_CHECKING:
    from .queue_record import QueueRecord
    from .state import State

__all__ = ["OTHERS", "Interval", "Intervals", "group_totals"]

Row = tuple[int, ...]

#: The group of agents whose own one came after ``max_groups``.
OTHERS = "*"

_NOTHING = (0,) * len(AGENT_FIELDS)
_NO_COUNTS = (0,) * len(Tally.__slots__)


#: Accepted in time; accepted or abandoned, short abandons left out.
Served = tuple[int, int]


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """What was counted in ``[start_ms, end_ms)``; rows of zeros are left out.

    ``queues`` has a row for a queue and channel in the order of ``Tally.__slots__``, ``groups``
    one for each group in the order of `AGENT_FIELDS`, that of all agents under None.
    """

    start_ms: int
    end_ms: int
    queues: tuple[tuple[str, Channel, Row], ...]
    groups: tuple[tuple[str | None, Row], ...]


class Intervals:
    """The closed intervals, and what stood at the last boundary."""

    __slots__ = (
        "groups",
        "kept",
        "last",
        "length_ms",
        "maximum",
        "next_ms",
        "read",
        "read_groups",
        "start_ms",
    )

    def __init__(self, length_ms: int, maximum: int) -> None:
        self.length_ms = length_ms
        self.maximum = maximum
        self.start_ms = 0
        #: the end of the running interval
        self.next_ms = length_ms
        self.kept: deque[Interval] = deque()
        #: the readings at ``start_ms``
        self.read: dict[tuple[str, Channel], Row] = {}
        self.read_groups: dict[str | None, Row] = {}
        #: what teams had counted that nobody is in any more, by group
        self.groups: dict[str | None, Row] = {None: _NOTHING}
        #: what the interval before the running one had, for whoever asks often
        self.last: dict[tuple[str, Channel], Served] = {}

    def roll(self, state: State, now_ms: int) -> None:
        """Close every interval that is over by now. O(tallies + teams), once per interval."""
        length_ms = self.length_ms
        last_ms = now_ms - now_ms % length_ms
        oldest_ms = last_ms - self.maximum * length_ms
        self._close(state)
        if self.start_ms % length_ms and self.next_ms <= now_ms:
            self._close(state)  # cut short, because intervals had another length
        if self.next_ms <= now_ms:
            self._skip(state, max(self.start_ms, oldest_ms), last_ms)
        while self.kept and self.kept[0].start_ms < oldest_ms:
            self.kept.popleft()
        self.look_back()

    def look_back(self) -> None:
        """Make ``last``."""
        found = self.kept[-1].queues if self.kept and self.kept[-1].end_ms == self.start_ms else ()
        self.last = {(name, channel): served(row) for name, channel, row in found}

    def recently(self, queue: QueueRecord) -> Served:
        """What the running interval and the one before have of a queue. O(channels)."""
        in_time = entered = 0
        for channel, tally in queue.tallies.items():
            key = (queue.name, channel)
            now, read = served(tally.row()), served(self.read.get(key, _NO_COUNTS))
            last = self.last.get(key, (0, 0))
            in_time += now[0] - read[0] + last[0]
            entered += now[1] - read[1] + last[1]
        return in_time, entered

    def _close(self, state: State) -> None:
        end_ms, length_ms = self.next_ms, self.length_ms
        totals = group_totals(state, end_ms)
        found = self._since(state, end_ms, totals)
        if found.queues or found.groups:
            self.kept.append(found)
        for name, channel, _ in found.queues:
            self.read[name, channel] = state.queues[name].tallies[channel].row()
        self.read_groups = totals
        self.start_ms, self.next_ms = end_ms, end_ms - end_ms % length_ms + length_ms

    def _skip(self, state: State, first_ms: int, last_ms: int) -> None:
        """Close all intervals between: nothing has happened in them but that time has passed."""
        length_ms = self.length_ms
        self.read_groups = group_totals(state, last_ms - length_ms)
        self.start_ms, self.next_ms = last_ms, last_ms + length_ms
        groups = self.running(state, last_ms).groups
        self.read_groups = group_totals(state, last_ms)
        if groups:
            for start_ms in range(first_ms, last_ms, length_ms):
                self.kept.append(Interval(start_ms, start_ms + length_ms, (), groups))

    def running(self, state: State, now_ms: int) -> Interval:
        """The interval that is not over, up to now. O(tallies + teams)."""
        return self._since(state, now_ms, group_totals(state, now_ms))

    def _since(self, state: State, now_ms: int, totals: dict[str | None, Row]) -> Interval:
        """What was counted since the last reading."""
        queues = (
            (name, channel, _less(tally.row(), self.read.get((name, channel), _NO_COUNTS)))
            for name, queue in sorted(state.queues.items())
            for channel, tally in sorted(queue.tallies.items())
        )
        groups = (
            (name, _less(row, self.read_groups.get(name, _NOTHING))) for name, row in totals.items()
        )
        return Interval(
            self.start_ms,
            now_ms,
            tuple(row for row in queues if any(row[2])),
            tuple(row for row in groups if any(row[1])),
        )

    def admit(self, team: Team, maximum: int) -> None:
        """The groups of a team are counted from now on, up to ``maximum`` groups."""
        for name in team.groups:
            if name not in self.groups and len(self.groups) <= maximum:
                self.groups[name] = _NOTHING

    def close(self, team: Team, now_ms: int, carried_ms: int = 0) -> None:
        """Nobody is in it any more: what was counted of it stays with its groups."""
        row = team.totals(now_ms, carried_ms)
        for name in self.names(team):
            self.groups[name] = _plus(self.groups.get(name, _NOTHING), row)

    def names(self, team: Team) -> list[str | None]:
        """The groups that a team counts in, and None for all agents."""
        known = self.groups
        return [None, *{name if name in known else OTHERS: 0 for name in team.groups}]


def carried(state: State, now_ms: int) -> dict[Team, int]:
    """What each team carries now: cost times duration so far. O(open offers)."""
    found = dict.fromkeys(state.teams.values(), 0)
    for offer in state.offers.values():
        found[offer.agent.team] += offer.cost * (now_ms - offer.since_ms)
    return found


def group_totals(state: State, now_ms: int) -> dict[str | None, Row]:
    """What every group has counted by now, sorted; None: all agents. O(open offers + teams)."""
    intervals = state.intervals
    found = dict(intervals.groups)
    carried_ms = carried(state, now_ms)
    for team in state.teams.values():
        row = team.totals(now_ms, carried_ms[team])
        for name in intervals.names(team):
            found[name] = _plus(found.get(name, _NOTHING), row)
    return {
        name: found[name] for name in sorted(found, key=lambda name: (name is not None, name or ""))
    }


_IN_TIME, _ACCEPTED, _ABANDONED, _SHORT = (
    Tally.__slots__.index(name)
    for name in ("accepted_in_time", "accepted", "abandoned", "abandoned_short")
)


def served(row: Row) -> Served:
    """What a service level is made of, from a row in the order of ``Tally.__slots__``."""
    return row[_IN_TIME], row[_ACCEPTED] + row[_ABANDONED] - row[_SHORT]


# Lists first: tuples made of iterators of unknown length leave CPython's free lists ever longer.


def _plus(row: Row, other: Row) -> Row:
    return tuple([a + b for a, b in zip(row, other, strict=True)])


def _less(row: Row, other: Row) -> Row:
    return tuple([a - b for a, b in zip(row, other, strict=True)])
