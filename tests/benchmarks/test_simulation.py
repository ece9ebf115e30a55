"""The benchmark of simulations runs, at a tiny size; all three simulate the same thing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("ciw")
pytest.importorskip("simpy")

# By path: the name `simulation` is taken by the tests of the room.
PATH = Path(__file__).parents[2] / "benchmarks" / "simulation.py"
sys.path.append(str(PATH.parent))  # what it imports lies beside it
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


def test_after_a_compilation_the_sources_are_measured_too():
    """Here they are all there is; the other process is asked all the same."""
    found = benchmark.the_plain_sources(200, 1)
    assert found["engine"] == "plain Python"
    assert [case["model"] for case in found["cases"]] == [model.name for model in benchmark.MODELS]


def test_a_simulated_day_comes_to_an_end():
    import simulated_day

    outcome, seconds = simulated_day.play(0.005)
    assert 800 < outcome.interactions < 1_200
    assert outcome.left_open == 0
    assert seconds > 0
