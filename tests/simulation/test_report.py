"""Reports: intervals that cover, differences that are paired, files that round-trip."""

import csv
import io
import json
from random import Random

import attrs
import pytest

from omniroute.errors import CommandError, UnknownNameError
from omniroute.model import Agent
from omniroute.plan import Plan, Queue
from omniroute.simulation import (
    AgentGroup,
    CustomerKind,
    Exponential,
    Poisson,
    Precision,
    Scenario,
    WaitHistogram,
    compare,
    estimate,
    replicate,
    summarize,
)
from omniroute.simulation.confidence import student_t
from omniroute.simulation.histogram import bucket, bucket_top

HOUR = 3_600_000


def scenario(count=5):
    return Scenario(
        plan=Plan(name="now", queues=[Queue(name="q")]),
        customers=[
            CustomerKind(
                name="c",
                queue="q",
                arrivals=Poisson(80),
                handle=Exponential(180_000),
                patience=Exponential(120_000),
            )
        ],
        groups=[AgentGroup(name="g", agents=[Agent(id=f"a{n}") for n in range(count)])],
        duration_ms=4 * HOUR,
        cycle_ms=4 * HOUR,
        interval_ms=HOUR,
        drain=True,
    )


# Printed tables of Student's t.
T = [
    (0.975, 1, 12.706),
    (0.975, 2, 4.303),
    (0.975, 9, 2.262),
    (0.95, 10, 1.812),
    (0.995, 30, 2.750),
    (0.975, 120, 1.980),
    (0.9, 3, 1.638),
    (0.025, 9, -2.262),
    (0.5, 7, 0.0),
]


@pytest.mark.parametrize(("share", "freedom", "value"), T)
def test_students_t_as_printed(share, freedom, value):
    assert student_t(share, freedom) == pytest.approx(value, abs=5e-4)


def test_intervals_cover_as_often_as_they_claim():
    rng = Random(1)
    covered = 0
    for _ in range(1_000):
        found = estimate([rng.gauss(5, 2) for _ in range(6)], 0.9)
        covered += abs(found.mean - 5) <= found.half_width
    assert abs(covered - 900) < 3.5 * (1_000 * 0.9 * 0.1) ** 0.5


def test_an_estimate_leaves_out_what_is_not_known():
    assert estimate([None, None]) is None
    assert estimate([None, 3.0]).half_width is None
    with pytest.raises(CommandError):
        student_t(1.0, 3)


@pytest.mark.parametrize("wait_ms", [0, 1, 2047, 2048, 2049, 4095, 4096, 123_456, 86_400_000])
def test_a_bucket_is_exact_below_two_seconds_and_to_a_thousandth_above(wait_ms):
    top = bucket_top(bucket(wait_ms))
    assert wait_ms <= top <= wait_ms * (1 + 1 / 1024)
    assert bucket(top) == bucket(wait_ms)
    assert bucket(top + 1) == bucket(wait_ms) + 1


def test_quantiles_of_a_histogram():
    waits = WaitHistogram(queue="q", channel="voice", accepted=((0, 5), (10, 4), (100, 1)))
    assert [waits.quantile_ms(q) for q in (0.5, 0.51, 0.9, 0.99)] == [0, 10, 10, 100]
    assert waits.share_within(10) == 0.9
    assert WaitHistogram(queue="q", channel="voice").quantile_ms(0.5) is None


def test_a_report_has_a_line_for_every_view():
    outcomes = replicate(scenario(), count=4)
    report = summarize(outcomes)
    views = [(line.view, line.name) for line in report.lines]
    assert views == [
        ("total", ""),
        ("queue", "q"),
        ("channel", "voice"),
        ("group", "g"),
        *[("interval", f"0{hour}:00:00") for hour in range(4)],
    ]
    total = report.line().measures
    assert total["arrived"].mean == pytest.approx(sum(o.total.arrived for o in outcomes) / 4)
    assert total["occupancy"].mean == report.line("group", "g").measures["occupancy"].mean
    assert total["asa_ms"].half_width > 0
    assert report.served[0].count == sum(o.total.completed for o in outcomes)
    with pytest.raises(UnknownNameError):
        report.line("queue", "qq")
    with pytest.raises(CommandError):
        summarize([])


def test_a_report_is_json_and_csv_and_both_say_the_same():
    report = summarize(replicate(scenario(), count=2))
    decoded = json.loads(report.to_json())
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    asa = next(r for r in rows if r["view"] == "total" and r["measure"] == "asa_ms")
    assert float(asa["mean"]) == decoded["lines"][0]["measures"]["asa_ms"]["mean"]
    assert len(rows) == sum(len(line["measures"]) for line in decoded["lines"])
    assert summarize(replicate(scenario(), count=2)).to_json() == report.to_json()


def test_paired_differences_are_sharper_than_the_figures():
    few, more = (replicate(scenario(count), count=8) for count in (5, 6))
    found = compare(few, more)
    assert found["abandonment"].mean + found["abandonment"].half_width < 0
    apart = summarize(few).line().measures["abandonment"].half_width
    assert found["abandonment"].half_width < apart
    with pytest.raises(CommandError):
        compare(few, more[:-1])


def test_replications_stop_when_they_are_precise_enough():
    world = scenario()
    loose = replicate(world, count=30, precision=Precision("asa_ms", 20_000))
    tight = replicate(world, count=30, precision=Precision("asa_ms", 4_000))
    assert 5 <= len(loose) < len(tight) < 30
    assert loose == tight[: len(loose)]
    assert summarize(tight).line().measures["asa_ms"].half_width <= 4_000


def test_nonsense_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'asa_ms'"):
        Precision("asa", 1)
    with pytest.raises(CommandError):
        Precision("asa_ms", 0)


def test_the_audit_runs_in_replications_too():
    world = attrs.evolve(scenario(), duration_ms=HOUR)
    assert replicate(world, count=2, audit=True) == replicate(world, count=2)
