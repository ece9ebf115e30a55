"""``simulate SCENARIO``: play a scenario with the production engine and report what it came to."""

from __future__ import annotations

import argparse
import os
import pathlib
from collections.abc import Sequence

import msgspec

from ..errors import CommandError
from ..simulation import Estimate, Line, Precision, Report, compare, summarize
from .entries import write_lines
from .replications import Job, record, run_all
from .tables import show

__all__ = ["cell", "configure", "run"]

_SHARES = ("service_level", "abandonment", "delayed", "occupancy")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("scenario", metavar="SCENARIO", help="the scenario, a TOML file")
    parser.add_argument("--plan", metavar="PLAN", help="a plan in place of the scenario's")
    parser.add_argument(
        "--compare", metavar="PLAN", help="another plan for the same customers, side by side"
    )
    parser.add_argument("--replications", metavar="N", type=int, default=10)
    parser.add_argument("--seed", metavar="N", type=int, default=1)
    parser.add_argument(
        "--until",
        metavar="MEASURE=WIDTH",
        help="stop once this measure's interval is so wide on each side, e.g. asa_ms=500",
    )
    parser.add_argument("--confidence", metavar="P", type=float, default=0.95)
    parser.add_argument("--processes", metavar="N", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--audit", action="store_true", help="re-check every law on every event")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--csv", metavar="FILE", help="also write all figures to a CSV file")
    parser.add_argument(
        "--record", metavar="FILE", help="also keep the first run as journal entries (.jsonl)"
    )
    parser.add_argument("--plot", metavar="DIR", help="also draw plots into this folder")


def run(args: argparse.Namespace) -> int:
    """Print the report; 0 unless something is refused."""
    if args.replications < 1:
        raise CommandError(f"--replications must be at least 1, got {args.replications}")
    if not 0 < args.confidence < 1:
        raise CommandError(f"--confidence must lie between 0 and 1, got {args.confidence}")
    precision = _precision(args.until, args.confidence)
    job_before = job = Job(args.scenario, args.plan, args.seed, args.audit)
    before = run_all(job, args.replications, args.processes, precision)
    report = summarize(before, args.confidence)
    after, other, difference = [], None, None
    if args.compare is not None:
        job = Job(args.scenario, args.compare, args.seed, args.audit)
        after = run_all(job, len(before), args.processes, None)
        other = summarize(after, args.confidence)
        difference = compare(before, after, args.confidence)
    if args.csv is not None:
        pathlib.Path(args.csv).write_text(report.to_csv(), "utf-8")
    if args.record is not None:
        write_lines(args.record, *record(job_before))
    if args.plot is not None:
        from .plots import draw

        draw(pathlib.Path(args.plot), before, after)
    if args.json:
        found = {"report": report, "compared": other, "difference": difference}
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _print(report, other, difference)
    return 0


def _precision(text: str | None, confidence: float) -> Precision | None:
    if text is None:
        return None
    measure, _, width = text.partition("=")
    try:
        return Precision(measure, float(width), confidence)
    except ValueError:
        raise CommandError(f"--until must look like asa_ms=500, got {text!r}") from None


# --- tables -----------------------------------------------------------------------------


def shown(measure: str, value: float) -> str:
    """A figure as people say it: shares in percent, times in seconds."""
    if measure.startswith(_SHARES):
        return f"{100 * value:.1f} %"
    if measure.endswith("_ms"):
        return f"{value / 1000:.1f} s"
    return f"{value:,.1f}"


def cell(measure: str, found: Estimate | None) -> str:
    """A figure with its interval."""
    if found is None:
        return "-"
    if found.half_width is None:
        return shown(measure, found.mean)
    return f"{shown(measure, found.mean)} ± {shown(measure, found.half_width)}"


def _label(measure: str) -> str:
    return measure.removesuffix("_ms").replace("_", " ")


def _print(report: Report, other: Report | None, difference: dict[str, Estimate] | None) -> None:
    head = f"{report.scenario}: {report.interactions:,} interactions in {report.replications} runs"
    total = report.line().measures
    if other is None or difference is None:
        show(head, ["", report.plan], [[_label(m), cell(m, v)] for m, v in total.items()])
    else:
        rows = [
            [
                _label(m),
                cell(m, v),
                cell(m, other.line().measures.get(m)),
                cell(m, difference.get(m)),
            ]
            for m, v in total.items()
        ]
        show(head, ["", report.plan, other.plan, "difference"], rows)
    for one in (report, other):
        if one is not None:
            suffix = f" ({one.plan})" if other is not None else ""
            _print_views(one, suffix)


_COLUMNS = {
    "queue": ["arrived", "service_level_offered", "asa_ms", "wait_p90_ms", "abandonment", "aht_ms"],
    "channel": ["arrived", "service_level_offered", "asa_ms", "abandonment", "aht_ms"],
    "group": ["agents", "completed", "service_level_answered", "asa_ms", "occupancy", "aht_ms"],
    "interval": [
        "arrived",
        "service_level_offered",
        "asa_ms",
        "wait_p90_ms",
        "abandonment",
        "occupancy",
    ],
}


def _print_views(report: Report, suffix: str) -> None:
    for view, columns in _COLUMNS.items():
        lines = [line for line in report.lines if line.view == view]
        if lines:
            header = [view, *(_label(column) for column in columns)]
            show(f"By {view}{suffix}", header, [_row(line, columns) for line in lines])
    queues = list(dict.fromkeys(one.queue for one in report.served))
    counts = {(one.group, one.queue): one.count for one in report.served}
    rows = [
        [
            group,
            *(f"{counts.get((group, queue), 0) / report.replications:,.1f}" for queue in queues),
        ]
        for group in dict.fromkeys(one.group for one in report.served)
    ]
    if rows:
        show(f"Who served whom, per run{suffix}", ["group", *queues], rows)


def _row(line: Line, columns: Sequence[str]) -> list[str]:
    return [line.name, *(cell(column, line.measures.get(column)) for column in columns)]
