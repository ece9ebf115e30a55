"""The published formulas, on numbers worked out by hand."""

from __future__ import annotations

from omniroute.engine import Counts


def test_the_formulas() -> None:
    counts = Counts(
        accepted=8,
        accepted_in_time=6,
        abandoned=2,
        abandoned_in_time=1,
        completed=7,
        requeued=1,
        wait_ms=80_000,
        handle_ms=1_600_000,
    )
    assert counts.service_level_answered == 6 / 8
    assert counts.service_level_offered == 6 / 10
    assert counts.service_level_abandons_in_time == 7 / 10
    assert counts.average_speed_of_answer_ms == 10_000
    assert counts.average_handle_time_ms == 200_000
    assert Counts.total([counts, counts]).accepted == 16


def test_nothing_counted_is_no_figure() -> None:
    empty = Counts()
    assert empty.service_level_answered is None
    assert empty.service_level_offered is None
    assert empty.service_level_abandons_in_time is None
    assert empty.average_speed_of_answer_ms is None
    assert empty.average_handle_time_ms is None
