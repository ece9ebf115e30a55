"""Confidence intervals over independent replications, with Student's t.

The replications of a scenario are independent runs, so the mean of a figure over them is
asymptotically normal and its interval is ``mean +- t(n - 1) s / sqrt(n)`` (Law, "Simulation
modeling and analysis", ch. 9). Two plans are compared by the differences within each replication:
with common random numbers these vary far less than the figures themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean, stdev

import msgspec

from ..errors import CommandError

__all__ = ["Estimate", "estimate", "student_t"]


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """A mean over replications; ``half_width`` of its interval (None: fewer than two)."""

    mean: float
    half_width: float | None
    count: int


def estimate(values: Iterable[float | None], confidence: float = 0.95) -> Estimate | None:
    """The mean with its confidence interval; replications without the figure are left out.

    None when no replication has it.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, count = fmean(known), len(known)
    if count == 1:
        return Estimate(mean, None, 1)
    t = student_t((1 + confidence) / 2, count - 1)
    return Estimate(mean, t * stdev(known) / math.sqrt(count), count)


def student_t(share: float, freedom: int) -> float:
    """The quantile of Student's t distribution: below it lies ``share``.

    Bisection on the distribution function, which is a finite sum for integer degrees of freedom
    (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    if not 0 < share < 1 or freedom < 1:
        raise CommandError(f"no quantile {share!r} with {freedom!r} degrees of freedom")
    if share < 0.5:
        return -student_t(1 - share, freedom)
    low, high = 0.0, 1.0
    while _below(high, freedom) < share:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, freedom) < share else (low, middle)
    return high


def _below(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 or not odd else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    between = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return (1 + between) / 2
