"""What one run came to, as an immutable value: counts, sums of times, and the formulas on them.

Only counts and sums are kept, so outcomes add up exactly, travel between processes, and take no
more space for a year than for a day: histograms have at most some 21,000 buckets up to a week of
waiting. Times are integer milliseconds.

A `Row` counts the interactions that arrived in one interval for one queue and channel; rows add up
to any other view. An acceptance after a requeue counts again, as it does in the engine.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .histogram import bucket_top

__all__ = [
    "Counted",
    "GroupTime",
    "Outcome",
    "Row",
    "Served",
    "WaitHistogram",
]

#: (bucket, count) in growing order.
Counted = tuple[tuple[int, int], ...]


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts of the interactions of one queue, channel and interval of arrival.

    ``arrived`` counts rejected ones too; ``balked`` ones are also ``abandoned``; ``at_once`` are
    accepted without any wait. ``wait2`` and ``abandon2`` are sums of squares (ms^2). Shares and
    means are None while nothing was counted.
    """

    queue: str = ""
    channel: str = ""
    interval: int = 0
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

    @classmethod
    def total(cls, rows: Iterable[Row], queue: str = "", channel: str = "") -> Row:
        """The sum of rows."""
        given = list(rows)
        names = cls.__struct_fields__[3:]
        return cls(
            queue=queue, channel=channel, **{n: sum(getattr(r, n) for r in given) for n in names}
        )

    @property
    def service_level_answered(self) -> float | None:
        """Accepted in time / accepted."""
        return _ratio(self.accepted_in_time, self.accepted)

    @property
    def service_level_offered(self) -> float | None:
        """Accepted in time / (accepted + abandoned)."""
        return _ratio(self.accepted_in_time, self.accepted + self.abandoned)

    @property
    def service_level_abandons_in_time(self) -> float | None:
        """(Accepted in time + abandoned in time) / (accepted + abandoned)."""
        good = self.accepted_in_time + self.abandoned_in_time
        return _ratio(good, self.accepted + self.abandoned)

    @property
    def service_level_without_short_abandons(self) -> float | None:
        """Accepted in time / (accepted + abandoned later than in time)."""
        late = self.abandoned - self.abandoned_in_time
        return _ratio(self.accepted_in_time, self.accepted + late)

    @property
    def asa_ms(self) -> float | None:
        """Average speed of answer: the mean wait of what was accepted."""
        return _ratio(self.wait_ms, self.accepted)

    @property
    def wait_variance(self) -> float | None:
        """The variance of the wait of what was accepted, in ms^2."""
        mean = self.asa_ms
        return None if mean is None else self.wait2 / self.accepted - mean * mean

    @property
    def abandon_wait_ms(self) -> float | None:
        """The mean wait of those who abandoned."""
        return _ratio(self.abandon_ms, self.abandoned)

    @property
    def queue_ms(self) -> float | None:
        """The mean wait of all, abandoned ones included."""
        return _ratio(self.wait_ms + self.abandon_ms, self.accepted + self.abandoned)

    @property
    def abandonment(self) -> float | None:
        """Abandoned / (accepted + abandoned)."""
        return _ratio(self.abandoned, self.accepted + self.abandoned)

    @property
    def rejection(self) -> float | None:
        """Rejected / arrived."""
        return _ratio(self.rejected, self.arrived)

    @property
    def delayed(self) -> float | None:
        """The share of accepted and abandoned that was not accepted at once."""
        entered = self.accepted + self.abandoned
        return _ratio(entered - self.at_once, entered)

    @property
    def aht_ms(self) -> float | None:
        """Average handle time: from acceptance to completion or requeue, wrap-up included."""
        return _ratio(self.handle_ms, self.completed + self.requeued)


class WaitHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """How long waits were, for one queue and channel: (bucket, count) in growing order."""

    queue: str
    channel: str
    accepted: Counted = ()
    abandoned: Counted = ()

    @classmethod
    def total(cls, several: Iterable[WaitHistogram]) -> WaitHistogram:
        """All of them as one."""
        sums: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for one in several:
            for counts, total in zip((one.accepted, one.abandoned), sums, strict=True):
                for number, count in counts:
                    total[number] = total.get(number, 0) + count
        accepted, abandoned = (tuple(sorted(total.items())) for total in sums)
        return cls(queue="", channel="", accepted=accepted, abandoned=abandoned)

    def quantile_ms(self, share: float) -> int | None:
        """The wait that ``share`` of the accepted did not exceed (to one part in 1,024)."""
        need = share * sum(count for _, count in self.accepted)
        seen = 0
        for number, count in self.accepted:
            seen += count
            if seen >= need:
                return bucket_top(number)
        return None

    def share_within(self, wait_ms: int, *, abandoned: bool = False) -> float | None:
        """The share of accepted (or abandoned) waits of at most ``wait_ms``."""
        counts = self.abandoned if abandoned else self.accepted
        good = sum(count for number, count in counts if bucket_top(number) <= wait_ms)
        return _ratio(good, sum(count for _, count in counts))


class GroupTime(msgspec.Struct, frozen=True, kw_only=True):
    """What the agents of a group did, by interval of the cycle.

    ``busy_ms`` is agents' time with any work in hand, wrap-up included; ``staffed_ms`` the time
    they were signed in. ``accepted``, ``accepted_in_time`` and ``wait_ms`` count what they took.
    """

    group: str
    agents: int
    accepted: int = 0
    accepted_in_time: int = 0
    wait_ms: int = 0
    busy_ms: tuple[int, ...]
    staffed_ms: tuple[int, ...]

    @property
    def occupancy(self) -> float | None:
        """Busy time / signed-in time."""
        return _ratio(sum(self.busy_ms), sum(self.staffed_ms))

    @property
    def service_level_answered(self) -> float | None:
        """Accepted in time / accepted, by them."""
        return _ratio(self.accepted_in_time, self.accepted)

    @property
    def asa_ms(self) -> float | None:
        """The mean wait of what they accepted."""
        return _ratio(self.wait_ms, self.accepted)

    def occupancy_at(self, interval: int) -> float | None:
        """The same for one interval."""
        return _ratio(self.busy_ms[interval], self.staffed_ms[interval])


class Served(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who served whom: what a group completed (or gave back) of a queue."""

    group: str
    queue: str
    count: int
    handle_ms: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Measured from ``from_ms`` (the end of the warm-up) to ``to_ms``.

    ``waiting``, ``serving`` and ``waiting2`` are time averages of how many waited (squared) and
    were with an agent; ``left_open`` counts what arrived in the measured time and had not ended
    at ``to_ms``; ``interactions`` is everything simulated.
    """

    scenario: str
    plan: str
    seed: int
    replication: int
    from_ms: int
    to_ms: int
    interval_ms: int
    interactions: int
    left_open: int
    waiting: float
    waiting2: float
    serving: float
    most_waiting: int
    rows: tuple[Row, ...]
    waits: tuple[WaitHistogram, ...]
    interval_waits: dict[int, Counted]
    groups: tuple[GroupTime, ...]
    served: tuple[Served, ...]

    @property
    def total(self) -> Row:
        """Everything in one row."""
        return Row.total(self.rows)

    @property
    def waiting_variance(self) -> float:
        """The variance over time of how many waited."""
        return self.waiting2 - self.waiting * self.waiting

    @property
    def occupancy(self) -> float | None:
        """Busy time / signed-in time over all agents."""
        busy = sum(sum(group.busy_ms) for group in self.groups)
        return _ratio(busy, sum(sum(group.staffed_ms) for group in self.groups))

    def by_queue(self) -> dict[str, Row]:
        """One row per queue."""
        names = dict.fromkeys(row.queue for row in self.rows)
        return {n: Row.total((r for r in self.rows if r.queue == n), queue=n) for n in names}

    def by_channel(self) -> dict[str, Row]:
        """One row per channel."""
        names = dict.fromkeys(row.channel for row in self.rows)
        return {n: Row.total((r for r in self.rows if r.channel == n), channel=n) for n in names}

    def by_interval(self) -> dict[int, Row]:
        """One row per interval of the cycle."""
        numbers = sorted({row.interval for row in self.rows})
        return {n: Row.total(r for r in self.rows if r.interval == n) for n in numbers}

    def group(self, name: str) -> GroupTime:
        """The times of one group. Raises `KeyError`."""
        for group in self.groups:
            if group.group == name:
                return group
        raise KeyError(name)

    def wait_histogram(
        self, queue: str | None = None, *, channel: str | None = None
    ) -> WaitHistogram:
        """The waits of one queue, or channel, or of all (None)."""
        return WaitHistogram.total(
            w
            for w in self.waits
            if (queue is None or w.queue == queue) and (channel is None or w.channel == channel)
        )

    def interval_histogram(self, interval: int) -> WaitHistogram:
        """The waits of what arrived in one interval and was accepted, to one part in 32."""
        accepted = self.interval_waits.get(interval, ())
        return WaitHistogram(queue="", channel="", accepted=accepted)
