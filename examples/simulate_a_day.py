"""What would the overflow rule have done? One day, played twenty times under two plans.

    python examples/simulate_a_day.py

Customers are the same persons under both plans (common random numbers), so the differences are
far sharper than the figures themselves. The last run is audited: every law of the engine is
re-checked on every event.
"""

from __future__ import annotations

import pathlib

from omniroute import plan, simulation
from omniroute.simulation import Estimate

FOLDER = pathlib.Path(__file__).parent / "day"
SHOWN = ("service_level_offered", "asa_ms", "abandonment", "occupancy")


def text(measure: str, found: Estimate) -> str:
    """A figure with its interval: seconds or percent."""
    scale, unit = (0.001, "s") if measure.endswith("_ms") else (100, "%")
    return f"{scale * found.mean:8.1f} ± {scale * (found.half_width or 0):.1f} {unit}"


def main() -> None:
    """Play, compare, audit."""
    day = simulation.load(FOLDER / "scenario.toml")
    overflow = plan.load(FOLDER / "overflow.toml")
    before = simulation.replicate(day, count=20)
    after = simulation.replicate(day, count=20, plan=overflow)
    reports = [simulation.summarize(outcomes) for outcomes in (before, after)]
    difference = simulation.compare(before, after)
    played = sum(report.interactions for report in reports)
    print(f"{played:,} interactions in 2 x {reports[0].replications} days\n")
    for measure in SHOWN:
        print(measure)
        for report in reports:
            print(f"  {report.plan:<10} {text(measure, report.line().measures[measure])}")
        print(f"  {'difference':<10} {text(measure, difference[measure])}")
    simulation.simulate(day, plan=overflow, seed=2, audit=True)
    print("\nOne more day was played with every event audited: no law was broken.")


if __name__ == "__main__":
    main()
