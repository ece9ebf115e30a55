"""The benchmark of simulations runs, at a tiny size; all three simulate the same thing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("ciw")
pytest.importorskip("simpy")

# By path: the name `simulation` is taken by the tests of the room.
PATH = Path(__file__).parents[2] / "benchmarks" / "simulation.py"
SPEC = importlib.util.spec_from_file_location("benchmark_of_simulation", PATH)
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)


@pytest.mark.parametrize("model", benchmark.MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("rival", benchmark.RIVALS)
def test_each_simulates_the_model(model, rival):
    count, wait = benchmark.RIVALS[rival](model, 400, 1)
    assert 300 < count < 500
    assert 0 <= wait < 5


def test_a_case_reports_every_figure():
    case = benchmark.measure(benchmark.MODELS[1], 200, 1)
    assert case["ratio"]["omniroute"] == 1
    assert set(case["us_per_customer"]) == set(benchmark.RIVALS)
    assert case["exact_wait"] == pytest.approx(1.525, abs=1e-3)
