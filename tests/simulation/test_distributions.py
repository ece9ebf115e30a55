"""Distributions have the moments they claim, take only what makes sense, and own no dice."""

import itertools
import math
from random import Random
from statistics import fmean, stdev

import pytest

from omniroute.errors import PlanError
from omniroute.simulation import (
    Deterministic,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Uniform,
    Weibull,
)

#: distribution, mean, standard deviation: from the textbook
MOMENTS = [
    (Deterministic(7.5), 7.5, 0.0),
    (Exponential(180_000), 180_000, 180_000),
    (Erlang(200, 4), 200, 100),
    (Gamma(50, 0.25), 50, 100),
    (Lognormal(100, 0.5), 100, 50),
    (Uniform(10, 40), 25, 30 / math.sqrt(12)),
    (Weibull(100, 2.0), 100, 100 * math.sqrt(4 / math.pi - 1)),
    (Empirical((1, 2, 5)), 8 / 3, math.sqrt(10 - 64 / 9)),
    (Empirical((1, 5), (3, 1)), 2, math.sqrt(3)),
    (Mixture((Deterministic(1), Exponential(5)), (1, 1)), 3, math.sqrt((1 + 50) / 2 - 9)),
]


@pytest.mark.parametrize(("distribution", "mean", "deviation"), MOMENTS, ids=repr)
def test_draws_have_the_mean_and_the_deviation(distribution, mean, deviation):
    assert distribution.mean_ms == pytest.approx(mean)
    values = distribution.block(Random(1), 40_000)
    error = max(deviation / math.sqrt(len(values)), 1e-9)
    assert abs(fmean(values) - mean) < 3.5 * error
    assert stdev(values) == pytest.approx(deviation, rel=0.06, abs=1e-9)
    assert min(values) >= 0


@pytest.mark.parametrize(("distribution", "mean", "deviation"), MOMENTS, ids=repr)
def test_the_same_dice_give_the_same_values(distribution, mean, deviation):
    first = list(itertools.islice(distribution.draws(Random(5)), 700))
    assert first == list(itertools.islice(distribution.draws(Random(5)), 700))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Exponential(0), "Exponential.mean_ms: must be more than 0"),
        (lambda: Exponential(math.inf), "Exponential.mean_ms: must be a number of at least 0"),
        (lambda: Lognormal(1, -1), "Lognormal.cv"),
        (lambda: Gamma(1, "2"), "Gamma.shape"),
        (lambda: Deterministic(True), "Deterministic.value_ms"),
        (lambda: Erlang(1, 0), "Erlang.phases: must be an integer from 1 to 1000, got 0"),
        (lambda: Uniform(3, 2), "Uniform.high_ms: must be at least low_ms (3), got 2"),
        (lambda: Empirical(()), "Empirical: must not be empty"),
        (lambda: Empirical((1, -1)), "Empirical.values_ms"),
        (lambda: Empirical((1, 2), (1,)), "Empirical.weights: must be 2 numbers"),
        (lambda: Mixture((Deterministic(1),), (0,)), "Mixture.weights"),
    ],
)
def test_nonsense_is_refused_by_name(make, words):
    with pytest.raises(PlanError) as error:
        make()
    assert words in str(error.value)
