"""``staff --scenario``: what one more agent or skill brings, found by simulation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ..errors import CommandError
from ..plan import load as load_plan
from ..simulation import Estimate, Scenario, load, replicate, summarize
from ..simulation.skillmix import Step, gains, improve, with_skills_each
from .simulate import cell
from .tables import show

__all__ = ["configure", "run"]

_MEASURES = ("service_level_offered", "asa_ms", "abandonment", "occupancy")
_HEADER = ["service level", "ASA", "abandonment", "occupancy"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    group = parser.add_argument_group("by simulation, for any plan")
    group.add_argument("--scenario", metavar="SCENARIO", help="what one more agent or skill brings")
    group.add_argument("--plan", metavar="PLAN", help="a plan in place of the scenario's")
    group.add_argument(
        "--skills-each",
        metavar="N",
        type=int,
        nargs="+",
        help="play it with so many skills per agent instead",
    )
    group.add_argument(
        "--until",
        metavar="MEASURE=GOAL",
        help="add what helps most for its price until this is reached, e.g."
        " service_level_offered=0.9 or asa_ms=10000",
    )
    group.add_argument(
        "--skill-cost", metavar="C", type=float, default=0.1, help="of a skill, in agents (0.1)"
    )
    group.add_argument("--replications", metavar="N", type=int, default=10)
    group.add_argument("--seed", metavar="N", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Print what was asked for."""
    if args.replications < 2:
        raise CommandError(f"--replications must be at least 2, got {args.replications}")
    if not args.skill_cost > 0:
        raise CommandError(f"--skill-cost must be more than 0, got {args.skill_cost:g}")
    plan = None if args.plan is None else load_plan(args.plan)
    scenario = load(args.scenario, plan)
    if args.skills_each:
        _print_each(args, scenario)
    elif args.until is not None:
        _print_steps(args, scenario)
    else:
        _print_gains(args, scenario)
    return 0


def _print_gains(args: argparse.Namespace, scenario: Scenario) -> None:
    options = {"seed": args.seed, "count": args.replications}
    found = list(gains(scenario, skill_cost=args.skill_cost, **options))
    found.sort(key=lambda gain: -gain.better("service_level_offered"))
    if args.json:
        _dump([{"name": g.name, "cost": g.cost, "difference": g.difference} for g in found])
        return
    rows = [[gain.name, *_differences(gain.difference)] for gain in found]
    title = f"{scenario.name}: what one more brings, in {args.replications} replications"
    show(title, ["change", *_HEADER], rows)


def _print_each(args: argparse.Namespace, scenario: Scenario) -> None:
    reports = {}
    for number in args.skills_each:
        changed = with_skills_each(scenario, number)
        outcomes = replicate(changed, seed=args.seed, count=args.replications)
        reports[number] = summarize(outcomes).line().measures
    if args.json:
        _dump([{"skills_each": n, "measures": found} for n, found in reports.items()])
        return
    rows = [[str(number), *_cells(found)] for number, found in reports.items()]
    show(f"{scenario.name}: so many skills each", ["skills", *_HEADER], rows)


def _print_steps(args: argparse.Namespace, scenario: Scenario) -> None:
    measure, _, goal = args.until.partition("=")
    try:
        wanted = float(goal)
    except ValueError:
        raise CommandError(f"--until must look like asa_ms=10000, got {args.until!r}") from None
    options = {"seed": args.seed, "count": args.replications}
    steps = list(improve(scenario, measure, wanted, skill_cost=args.skill_cost, **options))
    if args.json:
        rows = [{"name": s.name, "cost": s.cost, "measures": _total(s)} for s in steps]
        _dump(rows)
        return
    show(f"{scenario.name}: until {args.until}", ["change", "cost", *_HEADER], list(_steps(steps)))


def _steps(steps: Iterable[Step]) -> Iterator[list[str]]:
    for step in steps:
        yield [step.name or "as it is", f"{step.cost:g}", *_cells(_total(step))]


def _total(step: Step) -> dict[str, Estimate]:
    return step.report.line().measures


def _cells(measures: Mapping[str, Estimate]) -> list[str]:
    return [cell(name, measures.get(name)) for name in _MEASURES]


def _differences(measures: Mapping[str, Estimate]) -> Iterator[str]:
    """After minus before, with a sign: shares in percentage points."""
    for name in _MEASURES:
        found = measures.get(name)
        plus = "+" if found is not None and found.mean >= 0 else ""
        yield plus + cell(name, found).replace(" %", " pt")


def _dump(found: object) -> None:
    print(json.dumps(msgspec.to_builtins(found), indent=2))
