"""Plots of a simulation: service level and occupancy by interval, waits, who served whom."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..errors import MissingExtraError
from ..simulation import Outcome, Report, WaitHistogram, summarize
from ..simulation.erlang import erlang_c
from ..simulation.histogram import bucket_top
from ..simulation.report import clock

__all__ = ["draw"]


def draw(folder: pathlib.Path, outcomes: Sequence[Outcome], compared: Sequence[Outcome]) -> None:
    """Write four PNG files into ``folder``; ``compared`` (perhaps empty) is drawn beside.

    Raises `MissingExtraError` when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing plots") from error
    folder.mkdir(parents=True, exist_ok=True)
    runs = [outcomes, compared] if compared else [outcomes]
    reports = [summarize(run) for run in runs]
    whole: list[_Paint] = [lambda axes: _service_level(axes, reports)]
    paints: dict[str, list[_Paint]] = {
        "service_level.png": whole,
        "waits.png": [lambda axes: _waits(axes, runs)],
        "occupancy.png": [partial(_occupancy, run=run) for run in runs],
        "who_served_whom.png": [partial(_served, report=report) for report in reports],
    }
    for name, parts in paints.items():
        figure: Any = Figure(figsize=(9, 4.5), layout="constrained")
        for axes, paint in zip(
            figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True
        ):
            paint(axes)
        figure.savefig(folder / name, dpi=120)


_Paint = Callable[[Any], None]


def _labels(reports: Sequence[Report]) -> list[str]:
    """What tells them apart: the plans, else the scenarios."""
    plans = [report.plan for report in reports]
    return plans if len(set(plans)) == len(plans) else [report.scenario for report in reports]


def _service_level(axes: Any, reports: Sequence[Report]) -> None:
    names: dict[str, int] = {}
    for report, label in zip(reports, _labels(reports), strict=True):
        lines = [line for line in report.lines if line.view == "interval"]
        found = [(line.name[:5], line.measures.get("service_level_offered")) for line in lines]
        known = [(name, value) for name, value in found if value is not None]
        places = [names.setdefault(name, len(names)) for name, _ in known]
        errors = [100 * (value.half_width or 0) for _, value in known]
        means = [100 * value.mean for _, value in known]
        axes.errorbar(places, means, errors, capsize=2, label=label)
    axes.set(title="Service level (accepted in time / accepted + abandoned)", ylabel="%")
    axes.set_xticks(list(names.values()), list(names), rotation=90)
    axes.legend()


def _waits(axes: Any, runs: Sequence[Sequence[Outcome]]) -> None:
    """A curve per queue, dotted for the compared plan; Erlang's beside it where there is one."""
    queues = list(dict.fromkeys(wait.queue for outcome in runs[0] for wait in outcome.waits))
    for run, style in zip(runs, ("-", ":"), strict=False):
        for number, queue in enumerate(queues):
            waits = WaitHistogram.total(outcome.wait_histogram(queue) for outcome in run)
            total = sum(count for _, count in waits.accepted)
            seen, xs, ys = 0, [0.0], [0.0]
            for bucket, count in waits.accepted:
                seen += count
                xs.append(bucket_top(bucket) / 1000)
                ys.append(100 * seen / total)
            label = f"{queue}, {run[0].plan}"
            axes.step(xs, ys, style, where="post", color=f"C{number}", label=label)
    curve = _erlang(runs[0]) if len(queues) == 1 else None
    if curve is not None:
        axes.plot(*curve, "k--", label="Erlang C, same load and agents")
    axes.set_xscale("symlog", linthresh=1)
    axes.set(title="Share accepted within a wait", xlabel="s", ylabel="%", ylim=(0, 101))
    axes.legend()


def _erlang(run: Sequence[Outcome]) -> tuple[list[float], list[float]] | None:
    """M/M/c with the mean load and the mean number of agents; None for an overload."""
    passed = sum(outcome.to_ms - outcome.from_ms for outcome in run)
    total = [outcome.total for outcome in run]
    handled = sum(row.completed + row.requeued for row in total)
    staffed = sum(sum(group.staffed_ms) for outcome in run for group in outcome.groups)
    agents = round(staffed / passed)
    if not handled:
        return None
    handle_ms = sum(row.handle_ms for row in total) / handled
    load = sum(row.arrived for row in total) / passed * handle_ms
    if not 0 < load < agents:
        return None
    found = erlang_c(agents, load, handle_ms)
    longest = max(1.0, -math.log(0.01 / max(found.waits, 0.02)) * handle_ms / (agents - load))
    xs = [longest * step / 100 for step in range(101)]
    return [x / 1000 for x in xs], [100 * found.within(x) for x in xs]


def _occupancy(axes: Any, run: Sequence[Outcome]) -> None:
    names = [group.group for group in run[0].groups]
    table = []
    for number in range(len(names)):
        groups = [outcome.groups[number] for outcome in run]
        row = []
        for interval in range(len(groups[0].busy_ms)):
            staffed = sum(group.staffed_ms[interval] for group in groups)
            busy = sum(group.busy_ms[interval] for group in groups)
            row.append(100 * busy / staffed if staffed else math.nan)
        table.append(row)
    worked = [n for n in range(len(table[0])) if not all(math.isnan(row[n]) for row in table)]
    first, last = (worked[0], worked[-1] + 1) if worked else (0, 1)
    shown = [row[first:last] for row in table]
    image = axes.imshow(shown, aspect="auto", vmin=0, vmax=100, cmap="viridis")
    axes.set_yticks(range(len(names)), names)
    every = max(1, (last - first) // 12)
    ticks = range(0, last - first, every)
    clocks = [clock((first + n) * run[0].interval_ms)[:5] for n in ticks]
    axes.set_xticks(list(ticks), clocks, rotation=90)
    axes.set(title=f"Occupancy, %: {run[0].plan}")
    axes.figure.colorbar(image)


def _served(axes: Any, report: Report) -> None:
    groups = list(dict.fromkeys(one.group for one in report.served))
    queues = list(dict.fromkeys(one.queue for one in report.served))
    counts = {(one.group, one.queue): one.count for one in report.served}
    table = [[counts.get((g, q), 0) / report.replications for q in queues] for g in groups]
    axes.imshow(table or [[0]], aspect="auto", cmap="Blues")
    axes.set_xticks(range(len(queues)), queues)
    axes.set_yticks(range(len(groups)), groups)
    most = max((value for row in table for value in row), default=0)
    for y, row in enumerate(table):
        for x, value in enumerate(row):
            color = "white" if value > most / 2 else "black"
            axes.text(x, y, f"{value:,.0f}", ha="center", va="center", color=color)
    axes.set(title=f"Completed per run: {report.plan}")
