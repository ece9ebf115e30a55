"""The benchmark of the journal runs, at a tiny size; no timing is judged here."""

import importlib.util
import sys
from pathlib import Path

import anyio
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("journal_benchmark", BENCHMARKS / "journal.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("case", "arguments"),
    [
        ("throughput", (400, 1)),
        ("sealing", (50,)),
        ("answer", (0.3, 1_000)),
        ("recovery", (2_000,)),
        ("snapshot", (1_000, 200, 0.05)),
    ],
)
def test_a_case_reports_every_figure(benchmark, tmp_path, case, arguments):
    row = anyio.run(getattr(benchmark, case), tmp_path, *arguments)
    assert row.pop("name") == case
    assert all(figure > 0 for figure in row.values())
