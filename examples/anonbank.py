"""A real call centre's January, played again: 30,140 calls of a bank, simulated beside recorded.

    python examples/anonbank.py [--replications N] [--audit]

The log (Technion, collected by Guedj and Mandelbaum; see `bank/SOURCE.md`) gives arrivals, types
and priorities as they were. Handle times, patience, after-call time and the presence of the agents
are fitted to it (`bank/fitting.py`). Customers of priority 2 begin with 90 s of credit. Then the
engine routes the month anew, and the two are put side by side. Nothing is tuned to make them agree.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence

from bank import fitting, log
from bank.log import TYPES, Call

from omniroute.simulation import Outcome, Row, replicate

WHY = """\
Where they differ, and why

- Fewer queue and they wait longer; the mean over all callers is nearly the same. When an agent was
  away the log does not say: it shows only where somebody waited in vain, so a short absence looks
  like readiness. Twenty seconds more after every call would bring 51 % into the queue, but then
  12 % would abandon: it is not the length of the work. People come back when the queue grows, and
  that may be why the log has fewer waits over three minutes (3.6 %, here 5 %); the agents here
  come back at fixed moments, however many wait.
- New customers (NW) queue and abandon less: who took a few of them in the month takes them always
  here. With the types that each agent took on that day they would abandon in 20 % of cases.
- Callbacks (TT) wait and abandon more: for one in seven of them the log names no agent, so some
  never waited for one.
- The first and the last hour are worse: an agent seems to come with his first call and to go with
  his last, so whoever sat there with nothing to do is missing.
- The credit of 90 s does here what it should: of the regular callers (PS) who queued, those with it
  wait far shorter. In the log they hardly do, so the rule cannot have been all there was."""


def waited(row: Row) -> float | None:
    """The mean wait of those who waited at all, in seconds."""
    both = row.accepted + row.abandoned - row.at_once
    return (row.wait_ms + row.abandon_ms) / 1000 / both if both else None


def share(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


Figure = tuple[str, Callable[[Sequence[Call]], float | None], Callable[[Row], float | None], str]

FIGURES: tuple[Figure, ...] = (
    ("calls", len, lambda row: row.arrived, "{:,.0f}"),
    (
        "abandoned",
        lambda calls: share(sum(not c.served for c in calls), len(calls)),
        lambda row: row.abandonment,
        "{:.1%}",
    ),
    (
        "queued",
        lambda calls: share(sum(c.wait_s > 0 for c in calls), len(calls)),
        lambda row: row.delayed,
        "{:.1%}",
    ),
    (
        "wait of all, s",
        lambda calls: share(sum(c.wait_s for c in calls), len(calls)),
        lambda row: None if row.queue_ms is None else row.queue_ms / 1000,
        "{:.1f}",
    ),
    (
        "wait of queued, s",
        lambda calls: share(sum(c.wait_s for c in calls), sum(c.wait_s > 0 for c in calls)),
        waited,
        "{:.1f}",
    ),
)


def table(title: str, lines: Iterable[tuple[str, Sequence[Call], Sequence[Row]]]) -> None:
    """Recorded beside simulated, figure by figure."""
    print(f"{title:<14}" + "".join(f"{name:>20}" for name, *_ in FIGURES))
    for name, calls, rows in lines:
        cells = []
        for figure, recorded, simulated, form in FIGURES:
            found = [simulated(row) for row in rows]
            known = [value for value in found if value is not None]
            mean = sum(known) / len(known) if known else None
            both = [recorded(calls), mean]
            shown = ["-" if value is None else form.format(value) for value in both]
            cells.append(f"{shown[0]:>9} | {shown[1]:>8}" if figure != "calls" else shown[0])
        print(f"  {name:<12}" + "".join(f"{cell:>20}" for cell in cells))
    print()


def rows(outcomes: Sequence[Outcome], wanted: Callable[[Row], bool]) -> list[Row]:
    """The rows that are wanted, as one row per replication."""
    return [Row.total(row for row in outcome.rows if wanted(row)) for outcome in outcomes]


def by_type(outcomes: Sequence[Outcome], calls: Sequence[Call]) -> None:
    """The types of service, and all of them."""
    lines = [
        (
            kind,
            [call for call in calls if call.type == kind],
            rows(outcomes, lambda row, kind=kind: row.queue.startswith(kind)),  # type: ignore[misc]
        )
        for kind in TYPES
    ]
    table("type", [*lines, ("all", calls, rows(outcomes, lambda _: True))])


def by_hour(outcomes: Sequence[Outcome], calls: Sequence[Call]) -> None:
    """The hours of the day in four parts, and its ends."""
    parts = ((7, 8), (8, 12), (12, 15), (15, 18), (18, 23), (23, 24))
    lines = [
        (
            f"{start} to {end} h",
            [call for call in calls if start <= call.at_s // 3600 % 24 < end],
            rows(outcomes, lambda row, s=start, e=end: s <= row.interval % 24 < e),  # type: ignore[misc]
        )
        for start, end in parts
    ]
    table("hour", lines)


def of_the_queued(outcomes: Sequence[Outcome], calls: Sequence[Call]) -> None:
    """The credit: regular callers by priority, of the queued (the log knows no others)."""
    print("PS who queued, by priority        abandoned           wait, s")
    for priority in (1, 2):
        own = [
            call for call in calls if call.wait_s and (call.type, call.priority) == ("PS", priority)
        ]
        gone = share(sum(not call.served for call in own), len(own)) or 0
        wait = share(sum(call.wait_s for call in own), len(own)) or 0
        mine = rows(outcomes, lambda row, p=priority: row.queue == f"PS-{p}")  # type: ignore[misc]
        gone2 = sum((row.abandonment or 0) / (row.delayed or 1) for row in mine) / len(mine)
        wait2 = sum(waited(row) or 0 for row in mine) / len(mine)
        print(f"  {priority:<26}{gone:>9.1%} | {gone2:>8.1%} {wait:>9.1f} | {wait2:>7.1f}")
    print()


def main() -> None:
    """Fit, play, compare."""
    parser = argparse.ArgumentParser(description="a bank's January, recorded beside simulated")
    parser.add_argument("--replications", type=int, default=5)
    parser.add_argument("--audit", action="store_true", help="re-check every law on every event")
    args = parser.parse_args()
    calls = log.load()
    scenario = fitting.month(calls)
    worked = [shift for group in scenario.groups for shift in group.shifts]
    present = sum(shift.to_ms - shift.from_ms for shift in worked) / 3_600_000
    away = sum(b.to_ms - b.from_ms for shift in worked for b in shift.breaks) / 3_600_000
    print(
        f"{len(calls):,} calls; {len(scenario.groups)} agents, {len(worked)} shifts,"
        f" {present:,.0f} h of which {away:,.0f} h away\n"
    )
    outcomes = replicate(scenario, count=args.replications, audit=args.audit)
    print(f"recorded | simulated (mean of {len(outcomes)} replications of the month)\n")
    by_type(outcomes, calls)
    by_hour(outcomes, calls)
    of_the_queued(outcomes, calls)
    print(WHY)


if __name__ == "__main__":
    main()
