"""The Erlang formulas against exact fractions, printed tables, and a plain sum over states."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute.errors import CommandError
from omniroute.simulation.erlang import (
    agents_for,
    erlang_a,
    erlang_b,
    erlang_c,
    square_root_staffing,
)

agents = st.integers(1, 40)
loads = st.fractions(Fraction(1, 10), 60, max_denominator=20)


def exact_b(c, a):
    terms = [a**n / math.factorial(n) for n in range(c + 1)]
    return terms[-1] / sum(terms)


def exact_c(c, a):
    top = a**c / math.factorial(c) * c / (c - a)
    return top / (sum(a**n / math.factorial(n) for n in range(c)) + top)


@given(agents, loads)
def test_b_is_the_exact_fraction(c, a):
    assert erlang_b(c, float(a)) == pytest.approx(float(exact_b(c, a)), rel=1e-12)


@given(agents, loads)
def test_c_is_the_exact_fraction(c, a):
    expected = float(exact_c(c, a)) if a < c else 1.0
    assert erlang_c(c, float(a), 1000).waits == pytest.approx(expected, rel=1e-11)


# Printed values: agents, erlangs, share blocked.
B_TABLE = [
    (1, 5, 0.8333333333333334),
    (10, 20, 0.5379631686320729),
    (190, 200, 0.08869684386923561),
    (10, 5, 0.018384570336648136),
    (15, 12, 0.085729249),
    (736, 708, 0.009925),
    (735, 708, 0.010421),
]


@pytest.mark.parametrize(("c", "a", "share"), B_TABLE)
def test_b_as_printed(c, a, share):
    assert erlang_b(c, a) == pytest.approx(share, rel=5e-5)


# Printed values: arrivals per second, mean handle time in seconds, agents, then
# P(wait), mean wait in seconds, service level in 20 s (None: not printed).
C_TABLE = [
    (0.1, 1 / 0.0033, 35, 0.3121925015328496, None, 0.7710233599946846),
    (0.1, 1 / 0.0033, 40, 0.06278834613535761, None, 0.9668921807646333),
    (24, 1, 35, 0.0235211168614586, None, None),
    (100 / 1800, 180, 14, 0.1741319335950498, 7.835940, 0.8883500191794669),
    (3.5 / 60, 180, 13, None, 26.56, None),
    (5, 0.1, 2, 0.1, 0.006667, None),
    (0.2, 10, 3, 0.444444, 4.444444, None),
    (4.2 / 60, 120, 12, 0.183889, 6.12960, 0.89908),
    (1400 / 3600, 225, 100, 1 - 0.869, 2.4, None),
    (1550 / 3600, 225, 100, 1 - 0.335, 47.9, None),
    (1585 / 3600, 225, 100, 1 - 0.110, 213.6, None),
]


@pytest.mark.parametrize(("per_s", "handle_s", "c", "waits", "wait_s", "level"), C_TABLE)
def test_c_as_printed(per_s, handle_s, c, waits, wait_s, level):
    found = erlang_c(c, per_s * handle_s, handle_s * 1000)
    if waits is not None:
        assert found.waits == pytest.approx(waits, rel=4e-3)
    if wait_s is not None:
        digits = len(str(wait_s).partition(".")[2])
        assert found.wait_ms / 1000 == pytest.approx(wait_s, abs=0.6 * 10**-digits)
        assert found.waiting == pytest.approx(found.wait_ms / 1000 * per_s)
    if level is not None:
        assert found.within(20_000) == pytest.approx(level, rel=1e-5)


def test_an_overload_waits_for_ever():
    found = erlang_c(10, 10, 1000)
    assert (found.waits, found.wait_ms, found.within(10**9)) == (1.0, math.inf, 0.0)
    assert found.occupancy == 1.0


# Whitt (2005): M/M/100/200+M at 102 erlangs, times in mean handle times; by mean patience.
WHITT = {
    1: {
        "waits": 1 - 0.4083,
        "abandons": 0.0499,
        "waiting": 5.092,
        "waiting_variance": 44.6,
        "in_system": 102.0,
        "answer_ms": 0.0490,
        "abandon_ms": 0.0666,
        (0.1, "served"): 0.7986,
        (0.1, "abandoned"): 0.7671,
        (0.2, "served"): 0.9644,
        (0.2, "abandoned"): 0.9702,
    },
    4: {
        "waits": 1 - 0.226,
        "abandons": 0.0364,
        "waiting": 14.84,
        "in_system": 113.1,
        "answer_ms": 0.1455,
        "abandon_ms": 0.1429,
        (0.1, "served"): 0.4688,
        (0.1, "abandoned"): 0.4493,
        (0.2, "served"): 0.6865,
        (0.2, "abandoned"): 0.7366,
    },
}


@pytest.mark.parametrize(
    ("patience", "name", "value"),
    [(patience, name, value) for patience, row in WHITT.items() for name, value in row.items()],
)
def test_a_as_printed_by_whitt(patience, name, value):
    found = erlang_a(100, 102, 1.0, patience, places=300)
    if isinstance(name, tuple):
        within, whom = name
        shown = (
            found.answered_within(within) / (1 - found.abandons)
            if whom == "served"
            else found.abandoned_within(within) / found.abandons
        )
    else:
        shown = getattr(found, name)
    # The paper rounds to the digits that are printed.
    digits = len(str(value).partition(".")[2])
    assert shown == pytest.approx(value, abs=0.6 * 10 ** -min(digits, 4))


def test_a_as_printed_elsewhere():
    assert erlang_a(13, 10.5, 180, 300, 1000).wait_ms == pytest.approx(9.91, abs=0.005)
    assert erlang_a(9, 10.5, 180, 300, 100).wait_ms == pytest.approx(56.62, abs=0.005)
    assert erlang_a(25, 24, 240, 30).abandons == pytest.approx(0.09759081562546817, rel=1e-12)
    found = erlang_a(28, 24, 240, 300, 108)
    assert found.waiting == pytest.approx(0.6833261838358367, rel=1e-12)
    assert found.in_system == pytest.approx(24.136665236767172, rel=1e-12)
    assert found.probabilities[30 - found.first] == pytest.approx(0.03655086716188359, rel=1e-12)
    garnett = erlang_a(50, 48, 60, 120)
    assert garnett.abandons == pytest.approx(0.03091, abs=5e-6)
    assert garnett.wait_ms == pytest.approx(3.709, abs=5e-4)
    assert garnett.occupancy == pytest.approx(0.9303, abs=5e-5)
    assert garnett.waits == pytest.approx(0.46777, abs=5e-6)
    assert erlang_a(45, 48, 60, 120).answered_within(20) == pytest.approx(0.76475, abs=5e-6)
    assert erlang_a(55, 48, 60, 120).answered_within(20) == pytest.approx(0.98880, abs=5e-6)


def test_blocking_without_patience_as_printed():
    found = erlang_a(12, 8.4, 2.0, places=17)
    assert found.blocked == pytest.approx(0.009477, abs=5e-7)
    assert found.wait_ms == pytest.approx(0.061124, abs=5e-7)
    assert found.answered_within(1 / 3) == pytest.approx(0.92756, abs=5e-6)
    assert found.abandons == 0.0


@settings(max_examples=30)
@given(agents, loads, st.sampled_from([0.2, 1.0, 3.0]), st.integers(0, 20))
def test_a_is_the_plain_sum_over_its_states(c, a, patience, room):
    a, places = float(a), c + room
    weights = [1.0]
    for n in range(1, places + 1):
        weights.append(weights[-1] * a / (min(n, c) + max(0, n - c) / patience))
    shares = [w / sum(weights) for w in weights]
    found = erlang_a(c, a, 1.0, patience, places)
    waiting = sum(max(0, n - c) * p for n, p in enumerate(shares))
    assert found.waiting == pytest.approx(waiting, rel=1e-9, abs=1e-12)
    assert found.blocked == pytest.approx(shares[-1], rel=1e-9, abs=1e-15)
    entered = a * (1 - shares[-1])
    assert found.abandons == pytest.approx(waiting / patience / entered, rel=1e-9, abs=1e-12)
    good, gone = found.answered_within(0.3), found.abandoned_within(0.3)
    assert -1e-9 <= good <= 1 - found.abandons + 1e-9
    assert -1e-9 <= gone <= found.abandons + 1e-9
    assert found.answered_within(20) == pytest.approx(1 - found.abandons, abs=1e-3)
    assert found.abandoned_within(20) == pytest.approx(found.abandons, abs=1e-3)


@given(agents, st.floats(0.1, 0.95))
def test_a_without_patience_is_c(c, occupancy):
    a = c * occupancy
    patient, erlang = erlang_a(c, a, 1000), erlang_c(c, a, 1000)
    assert patient.waits == pytest.approx(erlang.waits, rel=1e-9)
    assert patient.wait_ms == pytest.approx(erlang.wait_ms, rel=1e-9)
    assert patient.answered_within(200) == pytest.approx(erlang.within(200), rel=1e-9)


def test_any_size():
    assert 0 < erlang_b(100_000, 100_000) < 0.01
    huge = erlang_a(100_000, 101_000, 1.0, 2.0)
    assert huge.abandons == pytest.approx(1 - 1 / 1.01, rel=1e-3)


def test_the_smallest_number_that_is_good():
    asked = []

    def good(n):
        asked.append(n)
        return n >= 1234

    assert agents_for(good) == 1234
    assert len(asked) < 30
    assert agents_for(lambda n: erlang_b(n, 708) <= 0.01) == 736
    with pytest.raises(CommandError, match="no number of agents up to 50"):
        agents_for(lambda _: False, at_most=50)


def test_square_root_staffing_is_near_the_exact_answer():
    for a in (50, 500, 5_000):
        exact = agents_for(lambda n, a=a: erlang_c(n, a, 1).waits <= 0.2)
        assert abs(square_root_staffing(a, 0.2) - exact) <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: erlang_b(-1, 1),
        lambda: erlang_b(1.5, 1),
        lambda: erlang_b(1, 0),
        lambda: erlang_c(1, 1, math.nan),
        lambda: erlang_a(5, 6, 1),
        lambda: erlang_a(5, 4, 1, 0),
        lambda: erlang_a(5, 4, 1, 1, places=4),
        lambda: square_root_staffing(10, 1),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(CommandError):
        call()
