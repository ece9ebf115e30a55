"""``staff``: how many agents a load calls for, by the Erlang formulas or by simulation."""

from __future__ import annotations

import argparse
import json
import math

import attrs

from ..errors import CommandError
from ..simulation.erlang import square_root_staffing
from ..simulation.staffing import Goal, Level, Work, level, required
from . import skills
from .tables import show

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--per-hour",
        metavar="N",
        type=float,
        nargs="+",
        help="arrivals per hour, one figure per interval",
    )
    parser.add_argument("--handle-s", metavar="S", type=float, help="mean AHT")
    parser.add_argument("--patience-s", metavar="S", type=float, help="mean patience (none: wait)")
    parser.add_argument("--percent", metavar="P", type=float, default=80.0)
    parser.add_argument("--target-s", metavar="S", type=float, default=20.0)
    parser.add_argument("--max-abandonment", metavar="P", type=float, help="percent")
    parser.add_argument("--max-occupancy", metavar="P", type=float, help="percent")
    parser.add_argument(
        "--shrinkage", metavar="P", type=float, default=0.0, help="percent of paid time not worked"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    skills.configure(parser)


def run(args: argparse.Namespace) -> int:
    """Print what each interval needs and, for one interval, what one agent more or less does."""
    if args.scenario is not None:
        return skills.run(args)
    if args.per_hour is None or args.handle_s is None:
        raise CommandError("give --per-hour and --handle-s, or a --scenario to simulate")
    if not 0 <= args.shrinkage < 100:
        raise CommandError(f"--shrinkage must lie between 0 and 100, got {args.shrinkage:g}")
    patience_ms = math.inf if args.patience_s is None else args.patience_s * 1000
    works = [Work(rate, args.handle_s * 1000, patience_ms) for rate in args.per_hour]
    goal = Goal(
        args.percent / 100,
        args.target_s * 1000,
        None if args.max_abandonment is None else args.max_abandonment / 100,
        None if args.max_occupancy is None else args.max_occupancy / 100,
    )
    needed = [required(work, goal) for work in works]
    if len(works) == 1:
        around = range(max(1, needed[0].agents - 2), needed[0].agents + 3)
        levels = [level(works[0], agents, goal.target_ms) for agents in around]
    else:
        levels = needed
    if args.json:
        found = {
            "needed": [{**_plain(one), "paid": _paid(one, args.shrinkage)} for one in needed],
            "levels": [_plain(one) for one in levels],
        }
        print(json.dumps(found, indent=2))
        return 0
    for work, one in zip(works, needed, strict=True):
        print(f"{work.per_hour:g} per hour, {one.erlangs:.2f} erlangs: {one.agents} agents", end="")
        print(f", {_paid(one, args.shrinkage)} paid" if args.shrinkage else "", end="")
        if one.agents and 0 < one.delayed < 1:
            print(f" (square root: {square_root_staffing(one.erlangs, one.delayed)})", end="")
        print()
    print()
    show("What they give", _HEADER, [_row(one) for one in levels])
    return 0


_HEADER = ["agents", "service level", "ASA", "delayed", "abandonment", "occupancy"]


def _row(one: Level) -> list[str]:
    asa = "-" if one.asa_ms == math.inf else f"{one.asa_ms / 1000:.1f} s"
    shares = (one.delayed, one.abandonment, one.occupancy)
    return [
        str(one.agents),
        f"{100 * one.service_level:.1f} %",
        asa,
        *(f"{100 * share:.1f} %" for share in shares),
    ]


def _plain(one: Level) -> dict[str, float | None]:
    """As JSON has it: no end of waiting is null."""
    return {k: None if v == math.inf else v for k, v in attrs.asdict(one).items()}


def _paid(one: Level, shrinkage: float) -> int:
    return math.ceil(one.agents / (1 - shrinkage / 100) - 1e-9)
