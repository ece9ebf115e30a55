"""``explain JOURNAL``: why an offer was made, or why an interaction was where it was.

The journal's events are applied up to the moment that is asked about, then the engine explains
what stands: nothing has to be kept for it while the router runs. Text of messages is not shown.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator

import msgspec

from ..engine import Engine, Explanation, OfferExplanation
from ..errors import CommandError
from ..events import Event, Offered
from ..journal import Entry
from .entries import begun
from .tables import show

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("journal", metavar="JOURNAL", help="a URL, a database file, or JSON lines")
    parser.add_argument(
        "--plan", metavar="PLAN", help="the plan it began under, where the journal does not hold it"
    )
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--interaction", metavar="ID", help="why it is where it is")
    asked.add_argument("--offer", metavar="N", type=int, help="why this offer was made")
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_moment,
        help="the moment that --interaction is asked about: ms since the epoch or ISO 8601 with"
        " an offset (the last one at which it was open)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _moment(text: str) -> int:
    """Milliseconds since the epoch."""
    if text.isdecimal():
        return int(text)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither ms nor ISO 8601") from error
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset: add Z or +02:00")
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (found - epoch) // dt.timedelta(milliseconds=1)


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    if args.offer is not None and args.at is not None:
        raise CommandError("--at goes with --interaction: an offer is explained at its own moment")
    plan, history = begun(args.journal, args.plan, "--plan")
    engine, entries = Engine(plan), (each for each in history if isinstance(each, Entry))
    found: OfferExplanation | Explanation
    if args.offer is not None:
        found = _offer(engine, entries, args.offer)
    else:
        found = _interaction(engine, entries, args.interaction, args.at)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif isinstance(found, OfferExplanation):
        _print_offer(found)
    else:
        _print_interaction(found)
    return 0


def _offer(engine: Engine, entries: Iterator[Entry], number: int) -> OfferExplanation:
    last = 0
    for entry in entries:
        for event in entry.events:
            if isinstance(event, Offered):
                last = event.offer_id
                if last == number:
                    return engine.explain_offer(event)
            engine.apply(event)
    raise CommandError(f"the journal has no offer {number}; its last one is {last}")


def _interaction(
    engine: Engine, entries: Iterator[Entry], interaction_id: str, at_ms: int | None
) -> Explanation:
    """As of the last entry at or before the moment; without one, while it was open last."""
    found: Explanation | None = None
    last: Event | None = None
    for entry in entries:
        if at_ms is not None and entry.now_ms > at_ms:
            break
        concerns = [e for e in entry.events if getattr(e, "interaction_id", "") == interaction_id]
        if concerns:
            last = concerns[-1]
            if at_ms is None and engine.interaction(interaction_id) is not None:
                found = engine.explain(interaction_id, entry.now_ms)
        for event in entry.events:
            engine.apply(event)
    if engine.interaction(interaction_id) is not None:
        return engine.explain(interaction_id, at_ms)
    if found is None:
        told = "the journal does not name it" if last is None else f"its last event was {last!r}"
        moment = "" if at_ms is None else f" at {at_ms}"
        raise CommandError(f"interaction {interaction_id!r} is not open{moment}: {told}")
    return found


# --- for people ---------------------------------------------------------------------------


def _seconds(ms: int) -> str:
    return f"{ms / 1000:,.1f} s"


def _time(at_ms: int) -> str:
    moment = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print_offer(found: OfferExplanation) -> None:
    print(
        f"Offer {found.offer_id} at {_time(found.at_ms)}: {found.interaction_id} of queue"
        f" {found.queue!r} to {found.agent_id}, after {_seconds(found.waited_ms)}"
    )
    print(f"Made by: {found.rule} ({found.how}); strategy {found.strategy}")
    print(f"Requirement at step {found.step}: {found.requirement or 'none'}")
    if found.tied > 1:
        print(f"{found.tied} agents had the best score: the longest idle of them is first.")
    rows = [
        [
            "" if each.rank is None else str(each.rank),
            each.agent_id,
            str(each.verdict),
            "" if each.score is None else ", ".join(each.score),
            str(each.idle),
        ]
        for each in found.candidates
    ]
    print()
    show("Agents", ["rank", "agent", "verdict", "score", "idle since touch"], rows)
    others = [
        [
            str(each.rank),
            each.interaction_id,
            each.queue,
            str(each.tier),
            each.share or "",
            str(each.priority),
            _seconds(each.waited_ms),
        ]
        for each in found.rivals
    ]
    header = ["rank", "interaction", "queue", "tier", "taken/share", "priority", "waited"]
    shown = f"{len(others)} of {found.rivals_in_all}"
    show(f"Interactions that {found.agent_id} could take, {shown}", header, others)


def _print_interaction(found: Explanation) -> None:
    print(
        f"{found.interaction_id} in queue {found.queue!r} is {found.state}"
        f" after {_seconds(found.waited_ms)}: {found.reason}"
    )
    print(f"It moves when {found.change}.")
    own = ", its own" if found.own_step else ""
    print(f"Step {found.step}{own}; requirement: {found.requirement or 'none'}")
    if found.position is not None:
        print(f"Position {found.position}{_wait(found)}")
    for name, at_ms in (
        ("the next step", found.next_step_at_ms),
        ("more agents have access", found.opens_at_ms),
        ("it gives up", found.gives_up_at_ms),
        ("it waits again", found.resumes_at_ms),
    ):
        if at_ms is not None:
            print(f"By itself: {name} at {_time(at_ms)}")
    for offer in found.offers:
        print(f"Offer {offer.offer_id} is open to {offer.agent_id}")
    rows = [
        [c.agent_id, str(c.verdict), "" if c.until_ms is None else _time(c.until_ms)]
        for c in found.candidates
    ]
    print()
    show("Agents, the longest idle first", ["agent", "verdict", "until"], rows)


def _wait(found: Explanation) -> str:
    wait = found.expected_wait
    if wait is None:
        return "; expected wait: too few samples"
    return (
        f"; expected wait {_seconds(wait.ewt_ms)} ({wait.percent} % of waits between"
        f" {_seconds(wait.low_ms)} and {_seconds(wait.high_ms)}; {wait.samples} samples)"
    )
