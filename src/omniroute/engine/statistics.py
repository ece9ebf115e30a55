"""What the engine counts: folds of its events, and the formulas. docs/explanation/statistics.md.

Service level has several definitions in the field; each is named here and none is "the"
service level. All are fractions of 1, or None while nothing was counted:

- ``answered``:        accepted in time / accepted
- ``offered``:         accepted in time / (accepted + abandoned)
- ``abandons_in_time``: (accepted in time + abandoned in time) / (accepted + abandoned)

"In time" means a wait of at most the queue's service level target. Who went away after less than
the queue's ``short_abandon_ms`` counts in none of them. ASA is the sum of waits of accepted
interactions / accepted. AHT is the time from acceptance to the end of the assignment
(completion, requeue, transfer, parking, a callback that nobody answered), holds and wrap-up
included, / the number of those ends.

Occupancy is the cost of what agents carry / their budgets, both summed over the time in which
they are ready or carry something: with one interaction at a time it is busy / (busy + idle).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..model import Channel, InteractionState, Presence
from .intervals import Interval, group_totals
from .tallies import AGENT_FIELDS, Tally

if TYPE_CHECKING:
    from .state import State

__all__ = [
    "Counts",
    "GroupCounts",
    "IntervalStatistics",
    "QueueStatistics",
    "Statistics",
    "group_statistics",
    "intervals",
    "statistics",
]


_C = TypeVar("_C", "Counts", "GroupCounts")


class Counts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts of a queue and channel, or of several. Sums of times are in milliseconds.

    ``abandoned`` has the short abandons too, ``abandoned_in_time`` has not.
    """

    queued: int = 0
    rejected: int = 0
    offered: int = 0
    accepted: int = 0
    accepted_in_time: int = 0
    declined: int = 0
    expired: int = 0
    revoked: int = 0
    requeued: int = 0
    completed: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    abandoned_short: int = 0
    abandoned_wait_ms: int = 0
    cancelled: int = 0
    messages: int = 0
    moved_in: int = 0
    moved_out: int = 0
    transferred: int = 0
    parked: int = 0
    callbacks_failed: int = 0
    wait_ms: int = 0
    handle_ms: int = 0

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """The sum over several queues or channels."""
        return _total(cls, counts)

    @property
    def _entered(self) -> int:
        return self.accepted + self.abandoned - self.abandoned_short

    @property
    def service_level_answered(self) -> float | None:
        """Accepted in time / accepted."""
        return self.accepted_in_time / self.accepted if self.accepted else None

    @property
    def service_level_offered(self) -> float | None:
        """Accepted in time / (accepted + abandoned), short abandons left out."""
        entered = self._entered
        return self.accepted_in_time / entered if entered else None

    @property
    def service_level_abandons_in_time(self) -> float | None:
        """(Accepted in time + abandoned in time) / (accepted + abandoned), likewise."""
        entered = self._entered
        return (self.accepted_in_time + self.abandoned_in_time) / entered if entered else None

    @property
    def abandonment(self) -> float | None:
        """Abandoned / (accepted + abandoned), short abandons left out of both."""
        entered = self._entered
        return (self.abandoned - self.abandoned_short) / entered if entered else None

    @property
    def average_speed_of_answer_ms(self) -> float | None:
        """ASA: the mean wait of what was accepted."""
        return self.wait_ms / self.accepted if self.accepted else None

    @property
    def average_handle_time_ms(self) -> float | None:
        """AHT: the mean time from acceptance to the end of the assignment."""
        handled = (
            self.completed + self.requeued + self.transferred + self.parked + self.callbacks_failed
        )
        return self.handle_ms / handled if handled else None


class GroupCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts of the agents of one group, or of several. Times are in milliseconds.

    ``busy_ms`` is the time in which they carried something (open offers and wrap-up too),
    ``idle_ms`` that in which they were ready and carried nothing; ``carried_ms`` is the cost of
    what they carried, ``capacity_ms`` their budgets, both over busy and idle time.
    """

    offered: int = 0
    accepted: int = 0
    accepted_in_time: int = 0
    declined: int = 0
    expired: int = 0
    handled: int = 0
    wait_ms: int = 0
    handle_ms: int = 0
    signed_in_ms: int = 0
    ready_ms: int = 0
    busy_ms: int = 0
    idle_ms: int = 0
    carried_ms: int = 0
    capacity_ms: int = 0

    @classmethod
    def total(cls, counts: Iterable[GroupCounts]) -> GroupCounts:
        """The sum over several groups; who is in two of them counts twice."""
        return _total(cls, counts)

    @property
    def occupancy(self) -> float | None:
        """The share of their budgets that they carried; above 1 when work was assigned."""
        return self.carried_ms / self.capacity_ms if self.capacity_ms else None

    @property
    def busy(self) -> float | None:
        """Occupancy by the clock: busy / (busy + idle), however much they carried."""
        staffed_ms = self.busy_ms + self.idle_ms
        return self.busy_ms / staffed_ms if staffed_ms else None

    @property
    def service_level_answered(self) -> float | None:
        """Of what they accepted: in time / all."""
        return self.accepted_in_time / self.accepted if self.accepted else None

    @property
    def average_speed_of_answer_ms(self) -> float | None:
        """ASA of what they accepted."""
        return self.wait_ms / self.accepted if self.accepted else None

    @property
    def average_handle_time_ms(self) -> float | None:
        """AHT: the mean time from acceptance to the end of the assignment."""
        return self.handle_ms / self.handled if self.handled else None


def _total(kind: type[_C], counts: Iterable[_C]) -> _C:
    rows = list(counts)
    return kind(**{name: sum(getattr(r, name) for r in rows) for name in kind.__struct_fields__})


class QueueStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One queue: how many wait in it now (offered ones included) and its counts by channel.

    ``longest_wait_ms`` is how long the one waits who came first; 0 when nobody waits.
    """

    queue: str
    waiting: int
    longest_wait_ms: int
    channels: dict[Channel, Counts]

    @property
    def total(self) -> Counts:
        """The sum over its channels."""
        return Counts.total(self.channels.values())


_IN_LINE = (InteractionState.WAITING, InteractionState.OFFERED)


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The whole engine at one moment."""

    now_ms: int
    waiting: int
    offered: int
    engaged: int
    held: int
    wrap_up: int
    scheduled: int
    parked: int
    agents_signed_in: int
    agents_ready: int
    quarantined: int
    duplicates: int
    unrouted: int
    over_rate: int
    queues: dict[str, QueueStatistics]

    @property
    def total(self) -> Counts:
        """The sum over all queues."""
        return Counts.total(queue.total for queue in self.queues.values())


class IntervalStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in ``[start_ms, end_ms)``, by queue and channel and by agent group.

    What had no counts is left out. ``agents`` are all agents, each once.
    """

    start_ms: int
    end_ms: int
    queues: dict[str, dict[Channel, Counts]]
    groups: dict[str, GroupCounts]
    agents: GroupCounts

    @property
    def total(self) -> Counts:
        """The sum over all queues."""
        return Counts.total(row for rows in self.queues.values() for row in rows.values())


def group_statistics(state: State) -> dict[str, GroupCounts]:
    """The counts of each agent group since the engine began. O(agents)."""
    found = group_totals(state, state.now_ms)
    return {name: _group_counts(row) for name, row in found.items() if name is not None}


def intervals(state: State) -> tuple[IntervalStatistics, ...]:
    """The intervals that are kept, oldest first; the last is the one that is not over.

    An interval in which nothing was counted is left out, but for the last.
    """
    kept, now_ms = state.intervals, state.now_ms
    return tuple(_interval(each) for each in (*kept.kept, kept.running(state, now_ms)))


def _interval(found: Interval) -> IntervalStatistics:
    queues: dict[str, dict[Channel, Counts]] = {}
    for name, channel, row in found.queues:
        counts = Counts(**dict(zip(Tally.__slots__, row, strict=True)))
        queues.setdefault(name, {})[channel] = counts
    groups = dict(found.groups)
    return IntervalStatistics(
        start_ms=found.start_ms,
        end_ms=found.end_ms,
        queues=queues,
        agents=_group_counts(groups.pop(None, None)),
        groups={name: _group_counts(row) for name, row in groups.items() if name is not None},
    )


def _group_counts(row: tuple[int, ...] | None) -> GroupCounts:
    return GroupCounts(**dict(zip(AGENT_FIELDS, row or (0,) * len(AGENT_FIELDS), strict=True)))


def _oldest(state: State) -> dict[str, int]:
    """By queue: since when the one waits who came first."""
    found: dict[str, int] = {}
    for record in state.interactions.values():
        if record.state in _IN_LINE:
            name, at_ms = record.queue.name, record.arrived_at_ms
            found[name] = min(found.get(name, at_ms), at_ms)
    return found


def statistics(state: State) -> Statistics:
    """Read the counts out. O(queues x channels + open interactions + agents)."""
    oldest = _oldest(state) if state.waiting else {}
    held = {offer.record.id: offer.record.state for offer in state.offers.values()}
    states = list(held.values())
    offered = states.count(InteractionState.OFFERED)
    return Statistics(
        now_ms=state.now_ms,
        waiting=state.waiting - offered,
        offered=offered,
        engaged=states.count(InteractionState.ENGAGED),
        held=states.count(InteractionState.HELD),
        wrap_up=states.count(InteractionState.WRAP_UP),
        scheduled=state.set_aside - state.parked,
        parked=state.parked,
        agents_signed_in=len(state.agents),
        agents_ready=sum(a.presence is Presence.READY for a in state.agents.values()),
        quarantined=state.quarantined,
        duplicates=state.duplicates,
        unrouted=state.unrouted,
        over_rate=state.over_rate,
        queues={
            name: QueueStatistics(
                queue=name,
                waiting=queue.waiting,
                longest_wait_ms=state.now_ms - oldest.get(name, state.now_ms),
                channels={
                    channel: Counts(**{f: getattr(tally, f) for f in Counts.__struct_fields__})
                    for channel, tally in sorted(queue.tallies.items())
                },
            )
            for name, queue in state.queues.items()
            if queue.tallies or name in state.plan.queues
        },
    )
