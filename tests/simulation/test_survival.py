"""Kaplan-Meier: a published table, no censoring, and draws that follow the curve."""

import math
from bisect import bisect_right
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.simulation import kaplan_meier

waits = st.lists(st.integers(0, 50), max_size=30)


def test_the_remission_times_of_freireich():
    """Weeks in remission under 6-MP (Freireich et al. 1963): the usual textbook table."""
    found = kaplan_meier(
        [6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    )
    assert found.times_ms == (6, 7, 10, 13, 16, 22, 23)
    printed = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert found.shares == pytest.approx(printed, abs=5e-4)
    assert found.mean_ms == pytest.approx(359 / 9)
    assert found.after(5) == 1
    assert found.after(10) == pytest.approx(0.753, abs=5e-4)


@given(waits.filter(bool))
def test_without_censoring_it_is_the_share_that_stayed(left):
    found = kaplan_meier(left, [])
    for wait in range(51):
        stayed = sum(one > wait for one in left) / len(left)
        assert found.after(wait) == pytest.approx(stayed)


@given(waits.filter(bool), waits)
def test_it_falls_and_its_mass_is_one(left, stayed):
    found = kaplan_meier(left, stayed)
    assert list(found.shares) == sorted(found.shares, reverse=True)
    drawn = found.distribution()
    assert math.fsum(drawn.weights) == pytest.approx(1)
    assert len(drawn.values_ms) == len(drawn.weights)


@given(waits.filter(bool), waits, st.integers(0, 60), st.floats(0, 0.999))
def test_who_has_waited_leaves_later(left, stayed, wait, draw):
    found = kaplan_meier(left, stayed)
    leaves = found.beyond(wait, draw)
    assert leaves >= wait
    assert math.isfinite(leaves)


def test_nobody_was_seen_to_leave():
    found = kaplan_meier([], [5, 6])
    assert found.beyond(3, 0.5) == math.inf
    assert found.after(100) == 1
    assert kaplan_meier([], []).beyond(0, 0.5) == math.inf


def test_draws_follow_the_curve():
    rng = Random(1)
    found = kaplan_meier([100, 200, 300], [150, 250, 400, 400, 400])
    draws = sorted(found.beyond(0, rng.random()) for _ in range(20_000))
    for wait in (100, 200, 300, 500, 1_000):
        share = 1 - bisect_right(draws, wait) / len(draws)
        assert share == pytest.approx(found.after(wait), abs=0.015), wait
    later = [found.beyond(150, rng.random()) for _ in range(20_000)]
    assert min(later) == 200
    share = sum(wait > 300 for wait in later) / len(later)
    assert share == pytest.approx(found.after(300) / found.after(150), abs=0.015)
    values = found.distribution().block(rng, 20_000)
    assert fmean(values) == pytest.approx(fmean(draws), rel=0.05)
