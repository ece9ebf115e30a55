"""The summary at the end: per channel, per queue, what was not routed and why, and the check.

Three independent counts meet here: what the senders were told was taken (`World.taken`),
what came out of the channels (`Router.deliveries`), and what the engine did
(`Router.statistics`, a fold of its events). When nothing is lost, they agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import attrs
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omniroute import Channel, Counts, Disposition, Explanation, Router, Statistics, Verdict

from . import story
from .pace import Pace
from .senders import World
from .watching import Watch, about

__all__ = ["Books", "print_summary"]

#: What opens an interaction, joins one, or is kept aside. All else needs no agent.
FOR_THE_ENGINE = {Disposition.CREATE, Disposition.APPEND, Disposition.QUARANTINE}

WHY = {
    Disposition.UPDATE: "update: a known call ended, a post was liked or removed",
    Disposition.STATUS: "status: delivered, read, typing",
    Disposition.OWN: "own: written or called by ourselves",
    Disposition.LIFECYCLE: "lifecycle: about our account, not from a customer",
    Disposition.HANDSHAKE: "handshake: the provider checks that we are there",
    Disposition.AUTO: "auto: an automatic reply",
    Disposition.BOUNCE: "bounce: a mail of ours that could not be delivered",
    Disposition.REPORT: "report: of abuse, or that a mail was read",
    Disposition.BULK: "bulk: a mailing list or a newsletter",
    Disposition.IGNORED: "ignored: an event that is not known here",
}


@attrs.frozen
class Books:
    """Where every received event is now: each is in exactly one place.

    ``routed`` opened an interaction that an agent accepted (and did not give back), ``joined``
    is a further message of an open one, ``waiting`` has no agent yet. All else has ``ended``:
    customers who left, what is nobody's work, and what the router refused.
    """

    received: int
    routed: int
    joined: int
    ended: int
    waiting: int
    #: by kind, only those that happened
    refused: Mapping[str, int]

    @classmethod
    def close(cls, received: int, router: Router) -> Books:
        """Hold the senders' count against the engine's statistics."""
        now = router.statistics()
        total = now.total
        refused = {
            "rejected": total.rejected,
            "unrouted": now.unrouted,
            "quarantined": now.quarantined,
            "duplicates": now.duplicates,
        }
        routed = total.accepted - total.requeued
        taken_from_agents = routed - total.completed - now.engaged - now.held - now.wrap_up
        left = total.abandoned + total.cancelled - taken_from_agents
        not_for_us = sum(_not_routable(router).values())
        return cls(
            received=received,
            routed=routed,
            joined=total.messages,
            ended=left + not_for_us + sum(refused.values()),
            waiting=now.waiting + now.offered,
            refused={kind: number for kind, number in refused.items() if number},
        )

    def faults(self, intended: Mapping[str, int]) -> str:
        """Empty when nothing is lost, nothing is there twice, nothing was refused by mistake."""
        found = []
        if self.received != self.routed + self.joined + self.ended + self.waiting:
            found.append("the sum is wrong")
        for kind in sorted({*self.refused, *intended}):
            was, meant = self.refused.get(kind, 0), intended.get(kind, 0)
            if was != meant:
                found.append(f"{was} {kind}, meant were {meant}")
        return "; ".join(found)


def _not_routable(router: Router) -> Counter[tuple[Channel, Disposition]]:
    """What the channels took that is nobody's work, by channel and kind."""
    return Counter({key: n for key, n in router.deliveries.items() if key[1] not in FOR_THE_ENGINE})


def print_summary(console: Console, router: Router, world: World, watch: Watch, pace: Pace) -> bool:
    """Print everything; True when the books balance."""
    now = router.statistics()
    console.print(_channels(router, now, world, watch))
    console.print(_queues(now, watch))
    console.print(_not_routed(router, world, watch))
    _print_why(console, watch, pace)
    books = Books.close(sum(world.taken.values()), router)
    console.print(
        "received = kept aside + rejected + joined + opened; opened = routed + gone + waiting.\n"
        f"What was kept aside, rejected or is gone has ended: {books.ended} in all.",
        highlight=False,
    )
    faults = books.faults(story.REFUSED)
    verdict = f"[red]DOES NOT HOLD: {faults}[/red]" if faults else "[green]nothing is lost[/green]"
    console.print(
        f"check: {books.received} received = {books.routed} routed + {books.joined} joined"
        f" + {books.ended} ended + {books.waiting} waiting: {verdict}",
        highlight=False,
    )
    return not faults


# --- tables -----------------------------------------------------------------------------


def _table(title: str, names: str, columns: Iterable[str]) -> Table:
    """Narrow enough for 80 characters."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.box, table.padding = box.SIMPLE_HEAD, 0
    table.add_column(names, min_width=9)
    for column in columns:
        table.add_column(column, justify="right")
    return table


#: The columns that channels and queues share, and what stands in them. What was opened is
#: routed to an agent, or left before (gone), or waits.
_FIGURES = (
    "re-\njected",
    "joined",
    "opened",
    "routed",
    "gone",
    "wait-\ning",
    "in\ntime",
    "mean\nwait",
    "max\nwait",
)


def _figures(counts: Counts, name: str, waiting: int, watch: Watch) -> list[str]:
    level = counts.service_level_offered
    mean_ms = counts.average_speed_of_answer_ms
    seconds = watch.pace.seconds
    return [
        str(counts.rejected),
        str(counts.messages),
        str(counts.queued),
        str(counts.accepted - counts.requeued),
        str(watch.left[name]),
        str(waiting),
        "-" if level is None else f"{level:.0%}",
        "-" if mean_ms is None else f"{seconds(mean_ms):.0f}",
        "-" if mean_ms is None else f"{seconds(watch.longest_ms[name]):.0f}",
    ]


def _channels(router: Router, now: Statistics, world: World, watch: Watch) -> Table:
    """Per channel: received = kept aside + rejected + joined + opened."""
    columns = ("re-\nceived", "kept\naside", *_FIGURES)
    table = _table("channels (waits in seconds)", "channel", columns)
    aside = Counter[str]()
    for channel, _, number in _kept_aside(router, watch):
        aside[channel] += number
    waiting = Counter[str](queued.message.channel for queued in watch.waiting.values())
    for name, received in sorted(world.taken.items()):
        rows = [queue.channels.get(Channel(name), Counts()) for queue in now.queues.values()]
        figures = _figures(Counts.total(rows), name, waiting[name], watch)
        table.add_row(name, str(received), str(aside[name]), *figures)
    return table


def _queues(now: Statistics, watch: Watch) -> Table:
    table = _table("queues (waits in seconds)", "queue", _FIGURES)
    for name, queue in now.queues.items():
        table.add_row(name, *_figures(queue.total, name, queue.waiting, watch))
    return table


def _not_routed(router: Router, world: World, watch: Watch) -> Table:
    table = _table("kept aside, and why", "channel", ["count"])
    table.add_column("why")
    for channel, why, number in _kept_aside(router, watch):
        table.add_row(channel, str(number), why)
    for channel, number in world.refused.items():
        table.add_row(channel, str(number), "answered 401: wrong signature, not received")
    return table


def _kept_aside(router: Router, watch: Watch) -> list[tuple[str, str, int]]:
    """What was received and is nobody's work: channel, why, how often."""
    rows = [(key[0].value, WHY[key[1]], n) for key, n in _not_routable(router).items()]
    rows += [(key[0].value, f"quarantine: {key[1]}", n) for key, n in watch.quarantined.items()]
    rows += [(key.value, "duplicate: known already", n) for key, n in watch.duplicates.items()]
    return sorted(rows)


# --- why --------------------------------------------------------------------------------


def _print_why(console: Console, watch: Watch, pace: Pace) -> None:
    """The explanation of what waited longest, taken while it waited."""
    if watch.why is None:
        return
    why, message = watch.why
    text = Text("why did it wait?", style="bold")
    text.append(f" {about(message)}\n", style="not bold")
    lines = (
        f"after {pace.seconds(why.waited_ms):.0f} s: position {why.position} of {why.queue}",
        f"reason: {why.reason}, at step {why.step} of the ladder",
        f"requirement: {why.requirement}",
        f"agents: {_verdicts(why)}",
        f"it moves when {why.change}",
    )
    text.append("".join(f"  {line}\n" for line in lines), style="not bold")
    console.print(text)


def _verdicts(why: Explanation) -> str:
    """The agents by what stood between them and the interaction."""
    by_verdict: dict[Verdict, list[str]] = {}
    for candidate in why.candidates:
        by_verdict.setdefault(candidate.verdict, []).append(candidate.agent_id)
    fewest_first = sorted(by_verdict.items(), key=lambda item: len(item[1]))
    return "; ".join(f"{verdict}: {', '.join(who)}" for verdict, who in fewest_first)
