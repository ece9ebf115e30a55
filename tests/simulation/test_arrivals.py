"""Arrival processes keep their rates, their order, and the identity of the n-th customer."""

import itertools
import math
from random import Random

import pytest

from omniroute.errors import PlanError
from omniroute.simulation import Empirical, Exponential, Logged, Poisson, Renewal
from omniroute.simulation.streams import Streams

HOUR = 3_600_000
DAY = 24 * HOUR


def calm(_cycle):
    return 1.0


def until(process, end_ms, *, seed=1, busyness=calm, cycle_ms=DAY):
    times = process.times(Random(seed), busyness, cycle_ms)
    return list(itertools.takewhile(lambda at: at < end_ms, times))


def test_a_poisson_process_has_its_rate_and_memoryless_gaps():
    times = until(Poisson(100), 200 * HOUR)
    assert abs(len(times) - 20_000) < 3.5 * math.sqrt(20_000)
    gaps = [b - a for a, b in itertools.pairwise([0.0, *times])]
    beyond = sum(gap > HOUR / 100 for gap in gaps) / len(gaps)
    assert abs(beyond - math.exp(-1)) < 3.5 * math.sqrt(0.25 / len(gaps))


def test_a_pattern_repeats_and_an_empty_interval_stays_empty():
    times = until(Poisson((0, 600, 60), interval_ms=HOUR), 300 * HOUR)
    counts = [0, 0, 0]
    for at in times:
        counts[int(at // HOUR) % 3] += 1
    assert counts[0] == 0
    for count, expected in zip(counts[1:], (60_000, 6_000), strict=True):
        assert abs(count - expected) < 3.5 * math.sqrt(expected)


def test_busyness_scales_each_cycle_and_cuts_where_the_cycle_ends():
    times = until(Poisson(100, interval_ms=5 * HOUR), 40 * HOUR, busyness=lambda n: n % 2 * 4.0,
                  cycle_ms=2 * HOUR)  # fmt: skip
    assert {int(at // (2 * HOUR)) % 2 for at in times} == {1}
    assert abs(len(times) - 8_000) < 3.5 * math.sqrt(8_000)


def test_the_same_customers_come_sooner_at_a_higher_rate():
    slow, fast = until(Poisson(50), 20 * HOUR), until(Poisson(100), 10 * HOUR)
    assert fast == pytest.approx([at / 2 for at in slow])


def test_a_renewal_process_adds_its_gaps_up():
    times = until(Renewal(Empirical((60_000, 120_000))), HOUR)
    assert {round(b - a) for a, b in itertools.pairwise([0.0, *times])} == {60_000, 120_000}


def test_a_log_is_replayed_in_order():
    assert until(Logged((30, 10, 20)), 25) == [10, 20]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Poisson(-1),
        lambda: Poisson((0, 0)),
        lambda: Poisson(()),
        lambda: Poisson(math.nan),
        lambda: Poisson(1, interval_ms=0),
        lambda: Renewal(Empirical((0,))),
        lambda: Logged((-1,)),
    ],
)
def test_nonsense_is_refused(make):
    with pytest.raises(PlanError):
        make()


def test_streams_are_named_and_independent():
    streams = Streams(1)
    assert streams.named("a").random() == streams.named("a").random()
    others = [Streams(1, 1).named("a"), Streams(2).named("a"), streams.named("b")]
    assert len({rng.random() for rng in [streams.named("a"), *others]}) == 4


def test_dice_are_a_function_of_customer_and_throw():
    dice = Streams(1).dice("offer")
    throws = [dice.uniform(n, k) for n in range(200) for k in range(50)]
    assert throws == [Streams(1).dice("offer").uniform(n, k) for n in range(200) for k in range(50)]
    assert len(set(throws)) == len(throws)
    assert min(throws) >= 0
    assert max(throws) < 1
    assert abs(sum(throws) / len(throws) - 0.5) < 3.5 * math.sqrt(1 / 12 / len(throws))
    pairs = itertools.pairwise(throws)
    assert abs(sum((a - 0.5) * (b - 0.5) for a, b in pairs) / len(throws)) < 3.5 / 12 / 100


def test_exponential_draws_never_take_the_logarithm_of_zero():
    class Zero(Random):
        def random(self):
            return 0.0

    assert Exponential(5).sample(Zero()) == 0
