"""What is seen while it runs: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio

import attrs
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from omniroute import Channel, Desk, Presence, QueueStatistics, Router

from .pace import Pace
from .people import People
from .watching import Watch

__all__ = ["Screen"]

SIGNS = {
    Channel.VOICE: "call",
    Channel.EMAIL: "mail",
    Channel.MESSENGER: "chat",
    Channel.FACEBOOK: "post",
}


@attrs.frozen
class Screen:
    """Shows the router's statistics, the agents' desks and the latest news."""

    console: Console
    router: Router
    people: People
    watch: Watch
    pace: Pace

    async def show(self) -> None:
        """Show what happens until cancelled."""
        if self.console.is_terminal:
            await self._live()
        else:
            await self._lines()

    async def _live(self) -> None:
        began_s = _now_s()
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(self._picture(_now_s() - began_s), refresh=True)
                await asyncio.sleep(0.2)

    async def _lines(self) -> None:
        began_s = _now_s()
        while True:
            await asyncio.sleep(2)
            now, clock = self.router.statistics(), self._clock(_now_s() - began_s)
            with_agents = now.engaged + now.held + now.wrap_up
            self.console.print(
                f"{clock}  waiting {now.waiting + now.offered:>2}  with agents {with_agents:>2}"
                f"  done {now.total.completed:>3}  hung up {now.total.abandoned:>2}",
                highlight=False,
            )

    def _clock(self, passed_s: float) -> str:
        minutes, seconds = divmod(int(passed_s * self.pace.speed), 60)
        return f"{minutes:>2}:{seconds:02}"

    # --- the live picture -----------------------------------------------------------------

    def _picture(self, passed_s: float) -> Group:
        clock = f"Lakeside Insurance {self._clock(passed_s)}  [dim]{self.pace.speed:g} x[/dim]"
        side_by_side = Table.grid(padding=(0, 1))
        side_by_side.add_row(self._queues(), self._agents())
        # what customers write is text, never markup
        news = [
            Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in self.watch.news
        ]
        return Group(clock, side_by_side, *news)

    def _queues(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("queue", min_width=9)
        for column in ("waiting", "with\nagents", "done", "hung\nup", "in\ntime"):
            table.add_column(column, justify="right")
        for queue in self.router.statistics().queues.values():
            table.add_row(*_queue_row(queue))
        return table

    def _agents(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("agent")
        table.add_column("has", min_width=15)
        for agent_id, desk in self.people.desks.items():
            table.add_row(agent_id, _doing(desk))
        return table


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _queue_row(queue: QueueStatistics) -> list[str]:
    total, waiting = queue.total, queue.waiting
    with_agents = total.queued - total.completed - total.abandoned - total.cancelled - waiting
    level = total.service_level_offered
    return [
        queue.queue,
        f"[yellow]{waiting}[/yellow]" if waiting else "0",
        str(with_agents),
        str(total.completed),
        str(total.abandoned),
        "" if level is None else f"{level:.0%}",
    ]


def _doing(desk: Desk) -> str:
    """What an agent has in his hands, and what rings."""
    has = [SIGNS[work.interaction.channel] for work in desk.assignments]
    rings = [f"[yellow]{SIGNS[offer.interaction.channel]}?[/yellow]" for offer in desk.open_offers]
    if desk.presence is not Presence.READY:
        rings.append(f"[red]{desk.not_ready_reason or 'not ready'}[/red]")
    return " ".join([*has, *rings])
