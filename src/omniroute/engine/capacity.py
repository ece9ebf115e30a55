"""What an agent can still take: loads are interned states, taking work is a step.

Whether one more chat fits is a pure function of (capacity, what the agent carries); the rules
are in docs/explanation/semantics.md, "Room". There are few distinct loads, so each is made
once: `Load.plus[kind]` is the load after an offer of that kind, `Load.minus[kind]` the load after
giving one back. On the hot path capacity costs one dict look-up, whatever the rules are.

A *kind* of work is a channel; in a queue that has limits of its own for one agent, a channel of
that queue. ``open`` is a bit set over kinds: what may still be offered. The channels have the
lowest bits, each such queue a block of as many above them: what fits there is what fits
anywhere, moved to its block, or nothing. A larger load has no kind open that a smaller one has
closed, so room is made only by giving back, by an acceptance where open offers are limited, by a
wrap-up that counts in its own queue alone, and by new rights. A plan that sets no such limits has
no kinds but the channels, and no load counts offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from ..model import Channel
from ..plan import Capacity, Queue

__all__ = ["KIND", "Counts", "Load", "Loads", "QueueKinds", "WorkKind"]

#: More than anybody carries.
_UNBOUNDED = 1 << 62

#: So many loads are interned before they are made anew: agents hold those that are in use.
_MOST_LOADS = 10_000


class WorkKind:
    """Work that is alike to every capacity: its channel, and its queue where that has limits.

    ``channel`` None: a wrap-up that counts in its queue alone.
    """

    __slots__ = ("bit", "channel", "queue", "rank")

    def __init__(
        self, rank: int, bit: int, channel: Channel | None, queue: QueueKinds | None
    ) -> None:
        #: unique among the kinds of a plan; the order of counts
        self.rank = rank
        self.bit = bit
        self.channel = channel
        self.queue = queue


#: The kinds of every queue without limits of its own.
KIND: Mapping[Channel, WorkKind] = {
    channel: WorkKind(number, 1 << number, channel, None) for number, channel in enumerate(Channel)
}

#: How many of each kind, in the order of their ranks.
Counts = tuple[tuple[WorkKind, int], ...]


class QueueKinds:
    """The kinds of work of a queue that has limits of its own: the n-th such queue of a plan."""

    __slots__ = ("kinds", "most", "shift", "wrap_up")

    def __init__(self, number: int, queue: Queue) -> None:
        width = len(KIND) + 1
        self.shift = number * width
        #: how many of the queue one agent carries
        self.most = _UNBOUNDED if queue.max_per_agent is None else queue.max_per_agent
        self.kinds: Mapping[Channel, WorkKind] = {
            channel: WorkKind(plain.rank + self.shift, plain.bit << self.shift, channel, self)
            for channel, plain in KIND.items()
        }
        #: its wrap-up, where that leaves other queues alone; never offered, so without a bit
        self.wrap_up: WorkKind | None = None
        if queue.wrap_up.own_queue_only:
            self.wrap_up = WorkKind(self.shift + width - 1, 0, None, self)


class Load:
    """What one agent carries, by kind; shared by all agents who carry the same."""

    __slots__ = (
        "capacity",
        "counts",
        "interruptible_used",
        "minus",
        "occupancy",
        "offers",
        "open",
        "plus",
        "settled",
        "spent",
        "used",
    )

    def __init__(
        self, capacity: Capacity, counts: Counts, offers: int, limited: Iterable[QueueKinds]
    ) -> None:
        self.capacity = capacity
        self.counts = counts
        #: how many of it are open offers; always 0 where the capacity does not limit them
        self.offers = offers
        #: spent of each of the two budgets
        self.used = self.interruptible_used = 0
        held: dict[Channel, int] = {}
        for kind, count in counts:
            channel = kind.channel
            if channel is None:
                continue
            held[channel] = held.get(channel, 0) + count
            cost = count * (capacity.cost(channel) or 0)
            if capacity.is_interruptible(channel):
                self.interruptible_used += cost
            else:
                self.used += cost
        self.spent = self.used + self.interruptible_used
        self.occupancy = Fraction(self.spent, capacity.budget + capacity.interruptible_budget)
        self.open = self._open(held, limited)
        self.plus: dict[WorkKind, Load] = {}
        self.minus: dict[WorkKind, Load] = {}
        #: the load when one of the open offers is accepted
        self.settled: Load | None = None

    def _open(self, held: Mapping[Channel, int], limited: Iterable[QueueKinds]) -> int:
        most_offers = self.capacity.max_open_offers
        if most_offers is not None and self.offers >= most_offers:
            return 0
        channels = sum(kind.bit for channel, kind in KIND.items() if self._fits(channel, held))
        found = channels
        for queue in limited:
            of_queue = [(kind, count) for kind, count in self.counts if kind.queue is queue]
            wraps_up = any(kind.channel is None for kind, _ in of_queue)
            if not wraps_up and sum(count for _, count in of_queue) < queue.most:
                found |= channels << queue.shift
        return found

    def _fits(self, channel: Channel, held: Mapping[Channel, int]) -> bool:
        capacity = self.capacity
        cost = capacity.cost(channel)
        if cost is None or held.get(channel, 0) >= capacity.maximum(channel):
            return False
        if not all(capacity.may_interrupt(channel, carried) for carried in held):
            return False
        if not capacity.is_interruptible(channel):
            return self.used + cost <= capacity.budget
        if self.used >= capacity.budget and not capacity.interruptible_when_full:
            return False
        return self.interruptible_used + cost <= capacity.interruptible_budget


class Loads:
    """The kinds of work of a plan, and the interned loads of all its capacities."""

    def __init__(self, queues: Iterable[Queue] = ()) -> None:
        self._loads: dict[tuple[str, Counts, int], Load] = {}
        self._limited: dict[str, QueueKinds] = {}
        for queue in queues:
            if queue.max_per_agent is not None or queue.wrap_up.own_queue_only:
                self._limited[queue.name] = QueueKinds(len(self._limited) + 1, queue)

    def kinds(self, queue: str) -> Mapping[Channel, WorkKind]:
        """The kinds of work of a queue, by channel."""
        limited = self._limited.get(queue)
        return KIND if limited is None else limited.kinds

    def wrap_up(self, queue: str) -> WorkKind | None:
        """The kind that work of a queue becomes in wrap-up; None: it stays what it is."""
        limited = self._limited.get(queue)
        return None if limited is None else limited.wrap_up

    def get(self, capacity: Capacity, counts: Mapping[WorkKind, int], offers: int = 0) -> Load:
        """The one load for these counts. A load over its budget is legal: nothing fits."""
        if capacity.max_open_offers is None:
            offers = 0
        ordered = sorted((each for each in counts.items() if each[1]), key=_rank)
        key = (capacity.name, tuple(ordered), offers)
        load = self._loads.get(key)
        if load is None:
            if len(self._loads) >= _MOST_LOADS:
                self._forget()
            load = self._loads[key] = Load(capacity, key[1], offers, self._limited.values())
        return load

    def _forget(self) -> None:
        """Let go of all loads that nobody carries; two that are alike do no harm."""
        for load in self._loads.values():
            load.plus.clear()
            load.minus.clear()
            load.settled = None
        self._loads.clear()

    def plus(self, load: Load, kind: WorkKind) -> Load:
        """The load after an offer of one more."""
        after = load.plus.get(kind)
        if after is None:
            after = load.plus[kind] = self._changed(load, {kind: 1}, 1)
        return after

    def minus(self, load: Load, kind: WorkKind) -> Load:
        """The load after giving one back that is no open offer."""
        after = load.minus.get(kind)
        if after is None:
            after = load.minus[kind] = self._changed(load, {kind: -1}, 0)
        return after

    def settle(self, load: Load) -> Load:
        """The load when one of its open offers is none any more."""
        after = load.settled
        if after is None:
            after = load.settled = self._changed(load, {}, -1)
        return after

    def taken(self, load: Load, kind: WorkKind) -> Load:
        """The load with one more that was not offered, or has been accepted."""
        return self._changed(load, {kind: 1}, 0)

    def turned(self, load: Load, kind: WorkKind, into: WorkKind) -> Load:
        """The load when one of a kind becomes one of another."""
        return self._changed(load, {kind: -1, into: 1}, 0)

    def _changed(self, load: Load, by: Mapping[WorkKind, int], offers: int) -> Load:
        counts = dict(load.counts)
        for kind, number in by.items():
            counts[kind] = counts.get(kind, 0) + number
            assert counts[kind] >= 0, "capacity given back that was not taken"
        return self.get(load.capacity, counts, load.offers + offers)


def _rank(count: tuple[WorkKind, int]) -> int:
    return count[0].rank
