"""Many replications as one report: every figure with its confidence interval, as JSON or CSV.

`MEASURES` is the closed list of figures. A line of a report is one view (everything, a queue, a
channel, an interval of the cycle, a group of agents) with the figures that make sense for it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs
import msgspec

from ..errors import CommandError, UnknownNameError
from ..plan import Plan
from .confidence import Estimate, estimate
from .outcome import Outcome, Row, Served, WaitHistogram
from .run import simulate
from .scenario import Scenario

__all__ = ["MEASURES", "Line", "Precision", "Report", "clock", "compare", "replicate", "summarize"]

#: What is counted over interactions: name -> figure of a row.
MEASURES: dict[str, Callable[[Row], float | None]] = {
    "arrived": lambda row: row.arrived,
    "accepted": lambda row: row.accepted,
    "abandoned": lambda row: row.abandoned,
    "rejected": lambda row: row.rejected,
    "completed": lambda row: row.completed,
    "service_level_answered": lambda row: row.service_level_answered,
    "service_level_offered": lambda row: row.service_level_offered,
    "service_level_abandons_in_time": lambda row: row.service_level_abandons_in_time,
    "service_level_without_short_abandons": lambda row: row.service_level_without_short_abandons,
    "asa_ms": lambda row: row.asa_ms,
    "queue_ms": lambda row: row.queue_ms,
    "abandonment": lambda row: row.abandonment,
    "delayed": lambda row: row.delayed,
    "aht_ms": lambda row: row.aht_ms,
}

_QUANTILES = {"wait_p50_ms": 0.5, "wait_p90_ms": 0.9, "wait_p95_ms": 0.95, "wait_p99_ms": 0.99}
_Figures = dict[str, float | None]


class Line(msgspec.Struct, frozen=True):
    """One view: ``view`` is total, queue, channel, interval or group; ``name`` which of them."""

    view: str
    name: str
    measures: dict[str, Estimate]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario under one plan, over all replications. ``served`` sums up who served whom."""

    scenario: str
    plan: str
    seed: int
    replications: int
    interactions: int
    confidence: float
    lines: tuple[Line, ...]
    served: tuple[Served, ...]

    def line(self, view: str = "total", name: str = "") -> Line:
        """One line. Raises `UnknownNameError`."""
        for line in self.lines:
            if (line.view, line.name) == (view, name):
                return line
        raise UnknownNameError(view, name, {li.name for li in self.lines if li.view == view})

    def to_json(self) -> bytes:
        """Indented JSON; the same outcomes give the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def to_csv(self) -> str:
        """One row per view and figure: view, name, measure, mean, half_width, replications."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["view", "name", "measure", "mean", "half_width", "replications"])
        for line in self.lines:
            for name, found in line.measures.items():
                half = "" if found.half_width is None else repr(found.half_width)
                writer.writerow([line.view, line.name, name, repr(found.mean), half, found.count])
        return out.getvalue()


def summarize(outcomes: Sequence[Outcome], confidence: float = 0.95) -> Report:
    """One report from the outcomes of one scenario, plan and seed."""
    if not outcomes:
        raise CommandError("a report needs at least one outcome")
    tables = [dict(_views(outcome)) for outcome in outcomes]
    lines = [
        Line(*key, _estimates([t.get(key, {}) for t in tables], confidence))
        for key in dict.fromkeys(key for table in tables for key in table)
    ]
    order = ["total", "queue", "channel", "group", "interval"]
    first = outcomes[0]
    return Report(
        scenario=first.scenario,
        plan=first.plan,
        seed=first.seed,
        replications=len(outcomes),
        interactions=sum(outcome.interactions for outcome in outcomes),
        confidence=confidence,
        lines=tuple(sorted(lines, key=lambda line: order.index(line.view))),
        served=tuple(_served(outcomes)),
    )


def compare(
    before: Sequence[Outcome], after: Sequence[Outcome], confidence: float = 0.95
) -> dict[str, Estimate]:
    """After minus before, figure by figure over everything, paired by replication.

    Both must be the same replications of the same scenario and seed (common random numbers).
    """
    runs = [[(o.scenario, o.seed, o.replication) for o in side] for side in (before, after)]
    if runs[0] != runs[1]:
        raise CommandError("only the same replications of one scenario can be compared")
    pairs = zip(before, after, strict=True)
    return _estimates([_difference(_all(b), _all(a)) for b, a in pairs], confidence)


def _difference(before: _Figures, after: _Figures) -> _Figures:
    found: _Figures = {}
    for name, value in before.items():
        other = after.get(name)
        found[name] = None if value is None or other is None else other - value
    return found


def _estimates(tables: Sequence[_Figures], confidence: float) -> dict[str, Estimate]:
    names = dict.fromkeys(name for table in tables for name in table)
    found = {name: estimate((t.get(name) for t in tables), confidence) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _figures(row: Row, waits: WaitHistogram) -> _Figures:
    found: _Figures = {name: measure(row) for name, measure in MEASURES.items()}
    return found | {name: waits.quantile_ms(share) for name, share in _QUANTILES.items()}


def _all(outcome: Outcome) -> _Figures:
    return {
        **_figures(outcome.total, outcome.wait_histogram()),
        "occupancy": outcome.occupancy,
        "waiting": outcome.waiting,
        "left_open": outcome.left_open,
    }


def _views(outcome: Outcome) -> Iterator[tuple[tuple[str, str], _Figures]]:
    yield ("total", ""), _all(outcome)
    for queue, row in outcome.by_queue().items():
        yield ("queue", queue), _figures(row, outcome.wait_histogram(queue))
    for channel, row in outcome.by_channel().items():
        yield ("channel", channel), _figures(row, outcome.wait_histogram(channel=channel))
    for group in outcome.groups:
        served = [one for one in outcome.served if one.group == group.group]
        count = sum(one.count for one in served)
        handle_ms = sum(one.handle_ms for one in served)
        yield (
            ("group", group.group),
            {
                "agents": group.agents,
                "accepted": group.accepted,
                "completed": count,
                "service_level_answered": group.service_level_answered,
                "asa_ms": group.asa_ms,
                "occupancy": group.occupancy,
                "aht_ms": handle_ms / count if count else None,
            },
        )
    rows = outcome.by_interval()
    for number in range(len(outcome.groups[0].busy_ms) if outcome.groups else 0):
        busy = sum(group.busy_ms[number] for group in outcome.groups)
        staffed = sum(group.staffed_ms[number] for group in outcome.groups)
        if number in rows or staffed:
            waits = outcome.interval_histogram(number)
            figures = _figures(rows.get(number, Row()), waits)
            figures["occupancy"] = busy / staffed if staffed else None
            yield ("interval", clock(number * outcome.interval_ms)), figures


def clock(ms: int) -> str:
    """A moment of the cycle as ``HH:MM:SS``."""
    seconds = ms // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _served(outcomes: Iterable[Outcome]) -> Iterator[Served]:
    sums: dict[tuple[str, str], list[int]] = {}
    for outcome in outcomes:
        for one in outcome.served:
            total = sums.setdefault((one.group, one.queue), [0, 0])
            total[0] += one.count
            total[1] += one.handle_ms
    for (group, queue), (count, handle_ms) in sums.items():
        yield Served(group=group, queue=queue, count=count, handle_ms=handle_ms)


@attrs.frozen
class Precision:
    """When to stop: the interval of a figure (over everything) is at most so wide on each side."""

    measure: str
    half_width: float
    confidence: float = 0.95
    at_least: int = 5

    def __attrs_post_init__(self) -> None:
        known = [*MEASURES, *_QUANTILES, "occupancy", "waiting"]
        if self.measure not in known:
            raise UnknownNameError("measure", self.measure, known)
        if not self.half_width > 0 or self.at_least < 2:
            raise CommandError("half_width must be more than 0, at_least 2 or more")

    def reached(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether these are enough."""
        if len(outcomes) < self.at_least:
            return False
        found = estimate((_all(outcome)[self.measure] for outcome in outcomes), self.confidence)
        width = None if found is None else found.half_width
        return width is not None and width <= self.half_width


def replicate(
    scenario: Scenario,
    *,
    seed: int = 1,
    count: int = 10,
    plan: Plan | None = None,
    precision: Precision | None = None,
    audit: bool = False,
) -> list[Outcome]:
    """Independent replications one after the other: ``count``, or fewer once precise enough."""
    outcomes: list[Outcome] = []
    for number in range(count):
        outcomes.append(simulate(scenario, seed=seed, replication=number, plan=plan, audit=audit))
        if precision is not None and precision.reached(outcomes):
            break
    return outcomes
