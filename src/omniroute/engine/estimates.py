"""How long somebody will wait: an estimate from the last services of his queue.

While interactions of a queue wait for an agent, the times between two acceptances are samples of
how fast the queue is served: *gaps*. With ``m`` gaps that sum up to ``S`` (the time since the last
acceptance included, while others wait) a queue is served ``m / S`` times in a millisecond. Of
those in front some go away: ``a`` customers have abandoned after waiting ``T`` milliseconds in
all (all waits, also of those who were accepted), so each goes away ``a / T`` times in a
millisecond. Who is at position ``n`` waits until ``n`` have been served or gone:

    EWT = sum over i = 0 .. n-1 of 1 / (m / S + i a / T)

This is the exact mean wait in M/M/c+M (Erlang A) for one who does not go away himself, and
``n S / m`` without abandonment. Gaps of a queue that nobody waits in are left out, because they
tell how often customers come. All of it is whole numbers, so that rules may depend on it.

The interval is one of *prediction*: with memoryless services the sum is a gamma variable of about
``k = (sum of terms)^2 / (sum of their squares)`` stages, and ``S`` one of ``m``; so wait / EWT has
the F distribution with (2k, 2m) degrees of freedom. Its quantiles are Paulson's approximation.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .queue_record import QueueRecord
    from .state import State

__all__ = ["MIN_SAMPLES", "ExpectedWait", "ewt_ms", "expected_wait", "recent_service_level"]

#: With fewer samples nothing is said.
MIN_SAMPLES = 8

#: Terms are summed in blocks that grow with their index: an error below 0.1 %.
_BLOCK = 16

#: Fractions of a millisecond that are kept of each term.
_SCALE = 1_024


class ExpectedWait(msgspec.Struct, frozen=True, kw_only=True):
    """How long who is at a position of a queue will wait from now on, in milliseconds.

    In ``percent`` of all cases the wait is between ``low_ms`` and ``high_ms``, if services keep
    their pace. ``samples`` is how many times between services stand behind it.
    """

    queue: str
    position: int
    ewt_ms: int
    low_ms: int
    high_ms: int
    percent: int
    samples: int


def ewt_ms(queue: QueueRecord, now_ms: int, position: int | None = None) -> int | None:
    """The estimate alone; ``position`` None: behind all who wait. None: too few samples.

    O(1) without abandonment, else O(log position).
    """
    count = len(queue.gaps)
    if count < MIN_SAMPLES:
        return None
    number = queue.lined + 1 if position is None else position
    took_ms = _took_ms(queue, now_ms)
    abandoned, waited_ms = _patience(queue)
    if not abandoned:
        return number * took_ms // count
    served, gone = 2 * count * waited_ms, abandoned * took_ms
    above = 2 * took_ms * waited_ms * _SCALE
    terms = (size * above // (served + middle * gone) for size, middle in _blocks(number))
    return sum(terms) // _SCALE


def _took_ms(queue: QueueRecord, now_ms: int) -> int:
    """The sum of its gaps, the one that is not over included."""
    return sum(queue.gaps) + (now_ms - queue.served_ms if queue.served_ms >= 0 else 0)


def _patience(queue: QueueRecord) -> tuple[int, int]:
    """How many have abandoned, and how long all have waited. O(channels)."""
    abandoned = waited_ms = 0
    for tally in list(queue.tallies.values()):  # a scrape may come from another thread
        abandoned += tally.abandoned
        waited_ms += tally.wait_ms + tally.abandoned_wait_ms
    return (abandoned, waited_ms) if waited_ms else (0, 0)


def _blocks(number: int) -> Iterator[tuple[int, int]]:
    """Indexes 0 .. number-1 in blocks, as (how many, twice the one in the middle)."""
    first = 0
    while first < number:
        size = min(max(1, first // _BLOCK), number - first)
        yield size, 2 * first + size - 1
        first += size


def expected_wait(
    queue: QueueRecord, now_ms: int, position: int | None = None, percent: int = 80
) -> ExpectedWait | None:
    """`ewt_ms` with its interval; on demand. None with too few samples."""
    found = ewt_ms(queue, now_ms, position)
    if found is None:
        return None
    count = len(queue.gaps)
    number = queue.lined + 1 if position is None else position
    stages = _stages(queue, number, now_ms)
    low, high = (
        _f_quantile((100 + sign * percent) / 200, 2 * stages, 2 * count) for sign in (-1, 1)
    )
    return ExpectedWait(
        queue=queue.name,
        position=number,
        ewt_ms=found,
        low_ms=int(found * low),
        high_ms=int(found * high),
        percent=percent,
        samples=count,
    )


def _stages(queue: QueueRecord, number: int, now_ms: int) -> float:
    """Of how many equal exponential times a wait with this mean and variance is made."""
    abandoned, waited_ms = _patience(queue)
    took_ms = _took_ms(queue, now_ms)
    if not abandoned or not took_ms:
        return float(number)
    rate, gone = len(queue.gaps) / took_ms, abandoned / waited_ms
    terms = [(size, 1 / (rate + gone * middle / 2)) for size, middle in _blocks(number)]
    total = sum(size * term for size, term in terms)
    return total * total / sum(size * term * term for size, term in terms)


def _f_quantile(share: float, above: float, below: float) -> float:
    """The quantile of the F distribution (Paulson: its cube root is a ratio of normals)."""
    z = NormalDist().inv_cdf(share)
    a, b = 2 / (9 * above), 2 / (9 * below)
    root = sqrt(z * z * (a * (1 - b) ** 2 + b * (1 - a) ** 2 - a * b * z * z))
    found = ((1 - a) * (1 - b) + (root if z > 0 else -root)) / ((1 - b) ** 2 - b * z * z)
    return max(0.0, found) ** 3


def recent_service_level(state: State, queue: QueueRecord) -> Fraction | None:
    """Accepted in time / (accepted + abandoned), short abandons left out; exact.

    Over the running interval and the one before, so that it follows the day. None: nobody was
    accepted or went away in them. O(channels).
    """
    in_time, entered = state.intervals.recently(queue)
    return Fraction(in_time, entered) if entered else None
