"""When customers come: arrival processes as immutable values.

Each gives the arrival times of one run in order, as fractions of a millisecond that are rounded
once when they become commands, so that rounding never adds up. The rate functions are inverted
rather than thinned: the n-th customer is the same one when a rate is scaled, and no draw is wasted.

A *busyness* is a random factor on all rates, one per cycle (a day): with it a Poisson process
becomes doubly stochastic, as real days are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from random import Random

import attrs

from ..errors import PlanError
from .distributions import Distribution, Exponential

__all__ = ["Arrivals", "Busyness", "Logged", "Poisson", "Renewal"]

#: The factor on the rates in the n-th cycle.
Busyness = Callable[[int], float]


@attrs.frozen
class Arrivals:
    """What all arrival processes share; use one of its kinds."""

    def times(self, rng: Random, busyness: Busyness, cycle_ms: int) -> Iterator[float]:
        """Arrival times in milliseconds from the start of the run, in order."""
        raise NotImplementedError


def _rates(values: object) -> tuple[float, ...]:
    given = (values,) if isinstance(values, int | float) else tuple(values)  # type: ignore[arg-type]
    good = given and all(math.isfinite(r) and r >= 0 for r in given)
    if not good or not any(given):
        raise PlanError("must be rates of at least 0, one of them more", where="Poisson.per_hour")
    return given


@attrs.frozen
class Poisson(Arrivals):
    """A Poisson process with a rate that is constant over each interval.

    ``per_hour`` is one rate, or one per interval of ``interval_ms``; the pattern repeats from its
    end. One rate is the homogeneous process.
    """

    per_hour: tuple[float, ...] = attrs.field(converter=_rates)
    interval_ms: int = 3_600_000

    def __attrs_post_init__(self) -> None:
        if type(self.interval_ms) is not int or self.interval_ms < 1:
            raise PlanError("must be a positive integer", where="Poisson.interval_ms")

    def times(self, rng: Random, busyness: Busyness, cycle_ms: int) -> Iterator[float]:
        """Unit exponential gaps, stretched through the inverse of the cumulated rate."""
        gaps = Exponential(1.0).draws(rng)
        now, end, rate = 0.0, 0.0, 0.0
        pieces = self._pieces(busyness, cycle_ms)
        for gap in gaps:
            left = gap
            while (room := (end - now) * rate) <= left:
                left -= room
                now, end, rate = next(pieces)
            now += left / rate
            yield now

    def _pieces(self, busyness: Busyness, cycle_ms: int) -> Iterator[tuple[float, float, float]]:
        """(from, to, rate per ms): cut where the rate or the cycle changes."""
        begins = 0
        for cycle in itertools.count():
            factor = busyness(cycle) / 3_600_000
            while begins < (cycle + 1) * cycle_ms:
                number = begins // self.interval_ms
                ends = min((number + 1) * self.interval_ms, (cycle + 1) * cycle_ms)
                yield begins, ends, self.per_hour[number % len(self.per_hour)] * factor
                begins = ends


@attrs.frozen
class Renewal(Arrivals):
    """Independent gaps of one distribution; busyness does not touch it."""

    gap: Distribution

    def __attrs_post_init__(self) -> None:
        if self.gap.mean_ms <= 0:
            raise PlanError("must have a mean of more than 0", where="Renewal.gap")

    def times(self, rng: Random, busyness: Busyness, cycle_ms: int) -> Iterator[float]:
        """The running sum of the gaps."""
        return itertools.accumulate(self.gap.draws(rng))


def _in_order(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted(values))


@attrs.frozen
class Logged(Arrivals):
    """The recorded times of a log, in milliseconds from the start of the run."""

    at_ms: tuple[float, ...] = attrs.field(converter=_in_order)

    def __attrs_post_init__(self) -> None:
        if self.at_ms and not self.at_ms[0] >= 0:
            raise PlanError("must be times of at least 0", where="Logged.at_ms")

    def times(self, rng: Random, busyness: Busyness, cycle_ms: int) -> Iterator[float]:
        """As they were."""
        return iter(self.at_ms)
