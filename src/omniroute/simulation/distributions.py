"""Distributions of durations, as immutable values: how long handling, patience and pauses last.

Each knows its mean and draws blocks of values from a given `random.Random`; nothing here has
dice of its own. All parameters are milliseconds and may be fractions; a duration is rounded to
whole milliseconds once, where it meets the engine. Parameters are means and coefficients of
variation, because that is what a team knows of its work.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, repeat, starmap
from random import Random
from typing import Any

import attrs

from ..errors import PlanError

__all__ = [
    "Deterministic",
    "Distribution",
    "Empirical",
    "Erlang",
    "Exponential",
    "Gamma",
    "Lognormal",
    "Mixture",
    "Uniform",
    "Weibull",
]

#: How many values are drawn at a time: enough to make the call itself cheap.
_BLOCK = 512


def _number(low: float, *, open_below: bool) -> Any:
    """A validator: a finite number above ``low`` (or equal to it)."""

    def check(instance: object, attribute: attrs.Attribute[float], value: object) -> None:
        where = f"{type(instance).__name__}.{attribute.name}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < low:  # type: ignore[arg-type,operator]
            raise PlanError(f"must be a number of at least {low:g}, got {value!r}", where=where)
        if open_below and value == low:
            raise PlanError(f"must be more than {low:g}", where=where)

    return check


_POSITIVE = _number(0, open_below=True)
_NOT_NEGATIVE = _number(0, open_below=False)


def _numbers(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


@attrs.frozen
class Distribution:
    """What all distributions share; use one of its kinds."""

    @property
    def mean_ms(self) -> float:
        """The expected value in milliseconds."""
        raise NotImplementedError

    def block(self, rng: Random, size: int) -> list[float]:
        """``size`` independent values in milliseconds, not rounded."""
        raise NotImplementedError

    def sample(self, rng: Random) -> float:
        """One value in milliseconds, not rounded."""
        return self.block(rng, 1)[0]

    def draws(self, rng: Random) -> Iterator[float]:
        """Values without end, drawn in blocks: ``rng`` must belong to this iterator alone."""
        return chain.from_iterable(starmap(self.block, repeat((rng, _BLOCK))))


@attrs.frozen
class Deterministic(Distribution):
    """Always the same."""

    value_ms: float = attrs.field(validator=_NOT_NEGATIVE)

    @property
    def mean_ms(self) -> float:
        """The value."""
        return self.value_ms

    def block(self, rng: Random, size: int) -> list[float]:
        """The value, again and again."""
        return [self.value_ms] * size

    def draws(self, rng: Random) -> Iterator[float]:
        """The value, without dice."""
        return repeat(self.value_ms)


@attrs.frozen
class Exponential(Distribution):
    """Memoryless: what the Erlang formulas assume."""

    mean_ms: float = attrs.field(validator=_POSITIVE)

    def block(self, rng: Random, size: int) -> list[float]:
        """By inversion; ``1 - random()`` is never 0."""
        mean, log, random = -self.mean_ms, math.log, rng.random
        return [mean * log(1.0 - random()) for _ in range(size)]


@attrs.frozen
class Erlang(Distribution):
    """The sum of ``phases`` exponential stages; its squared variation is ``1 / phases``."""

    mean_ms: float = attrs.field(validator=_POSITIVE)
    phases: int = attrs.field(default=2)

    def __attrs_post_init__(self) -> None:
        if type(self.phases) is not int or not 1 <= self.phases <= 1000:
            raise PlanError(
                f"must be an integer from 1 to 1000, got {self.phases!r}", where="Erlang.phases"
            )

    def block(self, rng: Random, size: int) -> list[float]:
        """The logarithm of a product of uniform numbers, stage by stage."""
        stages = Exponential(self.mean_ms / self.phases).block(rng, size * self.phases)
        return [sum(stages[n : n + self.phases]) for n in range(0, len(stages), self.phases)]


@attrs.frozen
class Gamma(Distribution):
    """A gamma distribution by mean and ``shape`` (the squared variation is ``1 / shape``)."""

    mean_ms: float = attrs.field(validator=_POSITIVE)
    shape: float = attrs.field(validator=_POSITIVE)

    def block(self, rng: Random, size: int) -> list[float]:
        """By the standard library's rejection method."""
        shape, scale, draw = self.shape, self.mean_ms / self.shape, rng.gammavariate
        return [draw(shape, scale) for _ in range(size)]


@attrs.frozen
class Lognormal(Distribution):
    """A lognormal distribution by mean and coefficient of variation ``cv``.

    The usual fit of handle times: Brown et al., "Statistical analysis of a telephone call
    center", JASA 100 (2005).
    """

    mean_ms: float = attrs.field(validator=_POSITIVE)
    cv: float = attrs.field(validator=_POSITIVE)

    def block(self, rng: Random, size: int) -> list[float]:
        """``exp(N(mu, s))`` with ``s^2 = log(1 + cv^2)`` and ``mu = log(mean) - s^2 / 2``."""
        variance = math.log1p(self.cv * self.cv)
        mu, sigma = math.log(self.mean_ms) - variance / 2, math.sqrt(variance)
        exp, gauss = math.exp, rng.gauss
        return [exp(gauss(mu, sigma)) for _ in range(size)]


@attrs.frozen
class Weibull(Distribution):
    """A Weibull distribution by mean and ``shape`` (below 1: the longer, the likelier longer)."""

    mean_ms: float = attrs.field(validator=_POSITIVE)
    shape: float = attrs.field(validator=_POSITIVE)

    def block(self, rng: Random, size: int) -> list[float]:
        """By inversion."""
        scale = self.mean_ms / math.gamma(1 + 1 / self.shape)
        power, log, random = 1 / self.shape, math.log, rng.random
        return [scale * (-log(1.0 - random())) ** power for _ in range(size)]


@attrs.frozen
class Uniform(Distribution):
    """Evenly between two bounds."""

    low_ms: float = attrs.field(validator=_NOT_NEGATIVE)
    high_ms: float = attrs.field(validator=_NOT_NEGATIVE)

    def __attrs_post_init__(self) -> None:
        if self.high_ms < self.low_ms:
            raise PlanError(
                f"must be at least low_ms ({self.low_ms:g}), got {self.high_ms:g}",
                where="Uniform.high_ms",
            )

    @property
    def mean_ms(self) -> float:
        """The middle."""
        return (self.low_ms + self.high_ms) / 2

    def block(self, rng: Random, size: int) -> list[float]:
        """By scaling."""
        low, width, random = self.low_ms, self.high_ms - self.low_ms, rng.random
        return [low + width * random() for _ in range(size)]


def _weights(count: int, weights: tuple[float, ...], where: str) -> list[float]:
    """Cumulated weights; none given means equal ones."""
    if not count:
        raise PlanError("must not be empty", where=where)
    given = weights or (1.0,) * count
    good = all(math.isfinite(w) and w >= 0 for w in given) and sum(given) > 0
    if len(given) != count or not good:
        raise PlanError(
            f"must be {count} numbers of at least 0 with a positive sum", where=f"{where}.weights"
        )
    return list(accumulate(given))


@attrs.frozen
class Empirical(Distribution):
    """One of the observed values, by weight (none given: all alike)."""

    values_ms: tuple[float, ...] = attrs.field(converter=_numbers)
    weights: tuple[float, ...] = attrs.field(default=(), converter=_numbers)

    def __attrs_post_init__(self) -> None:
        _weights(len(self.values_ms), self.weights, "Empirical")
        if not all(math.isfinite(value) and value >= 0 for value in self.values_ms):
            raise PlanError("must be numbers of at least 0", where="Empirical.values_ms")

    @property
    def mean_ms(self) -> float:
        """The weighted mean."""
        if not self.weights:
            return math.fsum(self.values_ms) / len(self.values_ms)
        pairs = zip(self.values_ms, self.weights, strict=True)
        return math.fsum(v * w for v, w in pairs) / math.fsum(self.weights)

    def block(self, rng: Random, size: int) -> list[float]:
        """One number of the dice per value."""
        cumulated = _weights(len(self.values_ms), self.weights, "Empirical")
        return rng.choices(self.values_ms, cum_weights=cumulated, k=size)


def _parts(values: Iterable[Distribution]) -> tuple[Distribution, ...]:
    return tuple(values)


@attrs.frozen
class Mixture(Distribution):
    """With the probability of its weight one of several distributions."""

    parts: tuple[Distribution, ...] = attrs.field(converter=_parts)
    weights: tuple[float, ...] = attrs.field(default=(), converter=_numbers)

    def __attrs_post_init__(self) -> None:
        _weights(len(self.parts), self.weights, "Mixture")

    @property
    def mean_ms(self) -> float:
        """The weighted mean of the means."""
        weights = self.weights or (1.0,) * len(self.parts)
        pairs = zip(self.parts, weights, strict=True)
        return math.fsum(part.mean_ms * w for part, w in pairs) / math.fsum(weights)

    def block(self, rng: Random, size: int) -> list[float]:
        """First the part, then the value."""
        cumulated = _weights(len(self.parts), self.weights, "Mixture")
        chosen = rng.choices(self.parts, cum_weights=cumulated, k=size)
        return [part.sample(rng) for part in chosen]
