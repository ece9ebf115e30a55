"""The bank's January: the log says what was published of it, and the simulation comes near it."""

import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean, median, pstdev

import pytest

from omniroute.simulation import Lognormal, Mixture, simulate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def bank():
    sys.path.insert(0, str(EXAMPLES))
    try:
        from bank import fitting, log
    finally:
        sys.path.remove(str(EXAMPLES))
    return log, fitting


@pytest.fixture(scope="module")
def calls(bank):
    return bank[0].load()


def test_the_log_says_what_is_known_of_it(calls):
    served = [call for call in calls if call.served]
    queued = [call for call in calls if call.wait_s]
    assert (len(calls), len(served)) == (30_140, 27_060)
    assert 1 - len(served) / len(calls) == pytest.approx(0.1022, abs=5e-5)
    assert len(queued) / len(calls) == pytest.approx(0.5529, abs=5e-5)
    assert fmean(call.wait_s for call in calls) == pytest.approx(37.70, abs=5e-3)
    assert fmean(call.wait_s for call in queued) == pytest.approx(68.18, abs=5e-3)
    in_time = sum(call.wait_s <= 20 for call in served) / len(calls)
    assert in_time == pytest.approx(0.5442, abs=5e-5)
    times = [call.service_s for call in served if 0 < call.service_s <= 3_600]
    assert median(times) == pytest.approx(113, abs=2)


def test_what_is_fitted_is_what_was_published(bank, calls):
    _, fitting = bank
    regular = [c for c in calls if c.type == "PS"]
    logs = [math.log(c.service_s) for c in regular if c.served and 10 <= c.service_s <= 3_600]
    assert (fmean(logs), pstdev(logs)) == pytest.approx((4.903, 0.863), abs=2e-3)
    fitted = fitting.handle(regular)
    assert isinstance(fitted, Mixture)
    long = fitted.parts[1]
    assert isinstance(long, Lognormal)
    assert long.mean_ms == pytest.approx(1000 * math.exp(4.903 + 0.863**2 / 2), rel=5e-3)
    assert len(fitting.skills(calls)) == 26


def test_a_simulated_month_comes_near_the_recorded_one(bank, calls):
    _, fitting = bank
    outcome = simulate(fitting.month(calls), seed=7)
    total = outcome.total
    assert total.arrived == len(calls)
    assert total.abandonment == pytest.approx(0.102, abs=0.02)
    assert total.queue_ms == pytest.approx(37_700, rel=0.2)
    credit = {p: outcome.by_queue()[f"PS-{p}"] for p in (1, 2)}
    assert credit[1].asa_ms > 1.2 * credit[2].asa_ms


def test_the_example_shows_both_sides():
    arguments = [sys.executable, EXAMPLES / "anonbank.py", "--replications", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "30,140 calls; 26 agents" in done.stdout
    assert "10.2% |" in done.stdout
    assert "Where they differ, and why" in done.stdout
