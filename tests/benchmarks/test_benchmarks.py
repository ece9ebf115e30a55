"""The benchmarks run, at a tiny size, so that they cannot rot; no timing is judged here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import hot_path
import rivals
from workload import Loop, Shape, World


@pytest.mark.parametrize(
    "shape",
    [
        Shape(name="canonical", waiting=200, agents=50),
        Shape(name="unique", waiting=200, agents=50, unique_agents=True),
        Shape(name="sets", waiting=200, agents=50, requirement_sets=1_000),
        Shape(name="unservable", waiting=200, agents=50, unservable=0.9),
        Shape(name="named", waiting=200, agents=50, named=0.1),
    ],
    ids=lambda shape: shape.name,
)
def test_a_case_reports_every_figure(shape: Shape) -> None:
    row = hot_path.measure(shape, 500)
    assert row["ratio"] > 0
    assert row["bytes_per_waiting"] > 100
    assert row["p50_us"] <= row["p99_us"] <= row["p999_us"]
    assert row["decisions_sha256"] == hot_path.decisions(shape, 2_000)


def test_the_loop_keeps_its_numbers() -> None:
    loop = Loop(World(Shape(name="canonical", waiting=300, agents=50)))
    loop.fill()
    before = loop.engine.statistics()
    loop.run(loop.draws(1_000))
    after = loop.engine.statistics()
    assert after.waiting + after.engaged == before.waiting + before.engaged
    assert after.engaged == len(loop.assignments)
    assert after.total.completed == 1_000


@pytest.mark.parametrize("rival", rivals.__all__)
def test_the_rivals_run(rival: str) -> None:
    assert getattr(rivals, rival)(World(Shape(name="canonical", waiting=200, agents=20)), 50) > 0
