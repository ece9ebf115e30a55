"""Plots of a simulation: service level and occupancy by interval, waits, who served whom."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import MissingExtraError
from ..simulation import Outcome, Report, WaitHistogram, summarize
from ..simulation.erlang import erlang_c
from ..simulation.outcome import bucket_top

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
    paints: dict[str, Callable[[Any], None]] = {
        "service_level.png": lambda axes: _service_level(axes, reports),
        "waits.png": lambda axes: _waits(axes, runs),
        "occupancy.png": lambda axes: _occupancy(axes, outcomes),
        "who_served_whom.png": lambda axes: _served(axes, reports[0]),
    }
    for name, paint in paints.items():
        figure: Any = Figure(figsize=(9, 4.5), layout="constrained")
        paint(figure.subplots())
        figure.savefig(folder / name, dpi=120)


def _service_level(axes: Any, reports: Sequence[Report]) -> None:
    for report in reports:
        lines = [line for line in report.lines if line.view == "interval"]
        found = [(line.name[:5], line.measures.get("service_level_offered")) for line in lines]
        known = [(name, value) for name, value in found if value is not None]
        errors = [100 * (value.half_width or 0) for _, value in known]
        means = [100 * value.mean for _, value in known]
        axes.errorbar([n for n, _ in known], means, errors, capsize=2, label=report.plan)
    axes.set(title="Service level (accepted in time / accepted + abandoned)", ylabel="%")
    axes.tick_params(axis="x", rotation=90)
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
    image = axes.imshow(table, aspect="auto", vmin=0, vmax=100, cmap="viridis")
    axes.set_yticks(range(len(names)), names)
    axes.set(title="Occupancy by group and interval, %", xlabel="interval of the cycle")
    axes.figure.colorbar(image)


def _served(axes: Any, report: Report) -> None:
    groups = list(dict.fromkeys(one.group for one in report.served))
    queues = list(dict.fromkeys(one.queue for one in report.served))
    counts = {(one.group, one.queue): one.count for one in report.served}
    table = [[counts.get((g, q), 0) / report.replications for q in queues] for g in groups]
    axes.imshow(table or [[0]], aspect="auto", cmap="Blues")
    axes.set_xticks(range(len(queues)), queues)
    axes.set_yticks(range(len(groups)), groups)
    for y, row in enumerate(table):
        for x, value in enumerate(row):
            axes.text(x, y, f"{value:,.0f}", ha="center", va="center", color="tab:red")
    axes.set(title="Who served whom: completed per run")
