"""The summary at the end: per channel, per queue, what was not routed and why, and the check.

Three independent counts meet here: what the senders were told was taken (`World.taken`),
what came out of the channels (`Router.deliveries`), and what the engine did
(`Router.statistics`, a fold of its events). When nothing is lost, they agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import attrs
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omniroute import Channel, Counts, Disposition, Explanation, Router, Statistics, Verdict

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
    """Where every received event is now. Each is in exactly one place."""

    received: int
    routed: int
    ended: int
    waiting: int

    @classmethod
    def close(cls, received: int, router: Router) -> Books:
        """Hold the senders' count against the engine's statistics."""
        now = router.statistics()
        total = now.total
        with_agents = now.engaged + now.held + now.wrap_up
        not_for_us = sum(_not_routable(router).values())
        refused = total.rejected + now.unrouted + now.quarantined + now.duplicates
        return cls(
            received=received,
            routed=total.completed + with_agents + total.messages,
            ended=total.abandoned + total.cancelled + refused + not_for_us,
            waiting=now.waiting + now.offered,
        )

    @property
    def balance(self) -> bool:
        """True when nothing is lost and nothing is there twice."""
        return self.received == self.routed + self.ended + self.waiting


def _not_routable(router: Router) -> Counter[tuple[Channel, Disposition]]:
    """What the channels took that is nobody's work, by channel and kind."""
    return Counter({key: n for key, n in router.deliveries.items() if key[1] not in FOR_THE_ENGINE})


def print_summary(console: Console, router: Router, world: World, watch: Watch, pace: Pace) -> bool:
    """Print everything; True when the books balance."""
    now = router.statistics()
    console.print(_channels(router, now, world, watch, pace))
    console.print(_queues(now, watch, pace))
    console.print(_not_routed(router, world, watch))
    _print_why(console, watch, pace)
    books = Books.close(sum(world.taken.values()), router)
    verdict = "[green]nothing is lost[/green]" if books.balance else "[red]DOES NOT HOLD[/red]"
    console.print(
        f"check: {books.received} received = {books.routed} routed + {books.ended} ended"
        f" + {books.waiting} waiting: {verdict}",
        highlight=False,
    )
    return books.balance


# --- tables -----------------------------------------------------------------------------


def _table(title: str, names: str, columns: Iterable[str]) -> Table:
    """Narrow enough for 80 characters."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.box, table.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
    table.add_column(names, min_width=9)
    for column in columns:
        table.add_column(column, justify="right")
    return table


#: The columns that channels and queues share, and what stands in them.
_FIGURES = ("routed", "in\ntime", "%", "aban-\ndoned", "waiting", "mean\nwait", "max\nwait")


def _figures(counts: Counts, waiting: int, longest_ms: int, pace: Pace) -> list[str]:
    level = counts.service_level_offered
    mean_ms = counts.average_speed_of_answer_ms
    return [
        str(counts.accepted - counts.requeued + counts.messages),
        str(counts.accepted_in_time),
        "-" if level is None else f"{level:.0%}",
        str(counts.abandoned),
        str(waiting),
        "-" if mean_ms is None else f"{pace.seconds(mean_ms):.0f}",
        "-" if mean_ms is None else f"{pace.seconds(longest_ms):.0f}",
    ]


def _channels(router: Router, now: Statistics, world: World, watch: Watch, pace: Pace) -> Table:
    """Per channel: received = not routable + routed + abandoned + waiting."""
    table = _table(
        "channels (waits in seconds)", "channel", ("received", "not\nroutable", *_FIGURES)
    )
    aside = Counter[str]()
    for channel, _, number in _kept_aside(router, watch):
        aside[channel] += number
    waiting = Counter[str](queued.message.channel for queued in watch.waiting.values())
    for name, received in sorted(world.taken.items()):
        rows = [queue.channels.get(Channel(name), Counts()) for queue in now.queues.values()]
        figures = _figures(Counts.total(rows), waiting[name], watch.longest_ms[name], pace)
        table.add_row(name, str(received), str(aside[name]), *figures)
    return table


def _queues(now: Statistics, watch: Watch, pace: Pace) -> Table:
    table = _table("queues (waits in seconds)", "queue", ("opened", *_FIGURES))
    for name, queue in now.queues.items():
        figures = _figures(queue.total, queue.waiting, watch.longest_ms[name], pace)
        table.add_row(name, str(queue.total.queued), *figures)
    return table


def _not_routed(router: Router, world: World, watch: Watch) -> Table:
    table = _table("not routable, and why", "channel", ["count"])
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
