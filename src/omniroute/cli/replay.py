"""``replay JOURNAL``: decide a recorded day again, or play it under another plan."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import msgspec

from ..plan import load
from ..simulation import Change, Fate, Redecision, Turn, WhatIf, redecide, what_if
from ..simulation.outcome import Row
from .entries import begun, read
from .tables import show

__all__ = ["configure", "run"]

_DIFFERS = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("journal", metavar="JOURNAL", help="a URL, a database file, or JSON lines")
    parser.add_argument(
        "--recorded",
        metavar="PLAN",
        help="the plan it was recorded under, where the journal does not hold it",
    )
    parser.add_argument(
        "--plan",
        metavar="PLAN",
        help="another plan: what it would have done (instead of deciding the journal again)",
    )
    parser.add_argument(
        "--changes", metavar="N", type=int, default=20, help="how many changes to list (20)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what came out; 1 when the recorded plan does not decide the journal again."""
    again = None
    if args.recorded is not None or args.plan is None:
        again = redecide(*begun(args.journal, args.recorded, "--recorded"))
    other = what_if(read(args.journal), load(args.plan)) if args.plan is not None else None
    if args.json:
        found = {"again": again, "what_if": other}
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        if again is not None:
            _print_again(again)
        if other is not None:
            _print_what_if(other, args.changes)
    return _DIFFERS if again is not None and again.difference is not None else 0


def _print_again(again: Redecision) -> None:
    if again.difference is None:
        print(
            f"{again.entries:,} commands decided again: all {again.events:,} events are the same."
        )
    else:
        print(f"{again.events:,} events are the same; the first difference is")
        print(f"  {again.difference}")
    print()


# --- another plan -------------------------------------------------------------------------

#: The service level is accepted in time / (accepted + abandoned).
_FIGURES: dict[str, Callable[[Row], str]] = {
    "arrived": lambda row: f"{row.arrived:,}",
    "service level": lambda row: _percent(row.service_level_offered),
    "ASA": lambda row: _seconds(row.asa_ms),
    "abandonment": lambda row: _percent(row.abandonment),
    "AHT": lambda row: _seconds(row.aht_ms),
}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _seconds(ms: float | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.1f} s"


def _print_what_if(found: WhatIf, at_most: int) -> None:
    names = list(dict.fromkeys([*found.before, *found.after]))
    header = ["queue", *(f"{name}{side}" for name in _FIGURES for side in ("", " then"))]
    rows = [_row(name, name, found.before, found.after) for name in names]
    total = [{"": Row.total(side.values())} for side in (found.before, found.after)]
    rows.append(_row("all", "", *total))
    show(f"As it was, and then under {found.plan}", header, rows)
    shown = [(name.replace("_", " "), f"{count:,}") for name, count in found.counts.items()]
    show("Of all interactions", ["", "count"], shown)
    if found.changes and at_most > 0:
        header = ["interaction", "came", "was", "would have been"]
        changes = [_change(change, found.from_ms) for change in found.changes[:at_most]]
        show(f"Changes, {len(changes):,} of {len(found.changes):,}", header, changes)
    if found.left_out:
        left_out = ", ".join(f"{count:,} {name}" for name, count in found.left_out.items())
        print(f"Recorded and not repeated: {left_out}.")
        print()
    print("Assumed:")
    for line in found.assumptions:
        print(f"- {line}")


def _row(shown: str, name: str, before: Mapping[str, Row], after: Mapping[str, Row]) -> list[str]:
    sides = (before.get(name, Row()), after.get(name, Row()))
    return [shown, *(_FIGURES[figure](side) for figure in _FIGURES for side in sides)]


def _change(change: Change, from_ms: int) -> list[str]:
    came = f"{(change.arrived_at_ms - from_ms) / 1000:.1f} s"
    return [change.interaction_id, came, _turn(change.before), _turn(change.after)]


def _turn(turn: Turn | None) -> str:
    if turn is None:
        return "-"
    waited = "" if turn.waited_ms is None else f" after {_seconds(turn.waited_ms)}"
    by = f" by {turn.agent_id}" if turn.agent_id and turn.fate is Fate.SERVED else ""
    queue = f"{turn.queue}: " if turn.queue else ""
    return f"{queue}{turn.fate}{by}{waited}"
