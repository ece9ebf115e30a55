"""Three routers as one: the owner of a region is killed while calls and mails come in.

    python examples/cluster.py              on a PostgreSQL server of its own
    python examples/cluster.py --on nats    on a NATS server of its own

Three regions, each a partition: its queues, its agents, its journal. Three processes, each
takes in calls and mails for all regions and owns the routing of one. Then one owner is killed
(SIGKILL) and comes back later, another is frozen for longer than its lease (SIGSTOP) and wakes.
At the end the journals are read and compared with what the processes were told. It needs the
extra `postgres` or `nats`, and the server's program.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path
from random import Random

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from omniroute import Agent, Assignment, Channel, Customer, Message, Plan, Queue, Router
from omniroute.cluster import Member, Partition
from omniroute.errors import RouterError
from omniroute.events import Accepted, Completed, Queued
from omniroute.journal import StoreJournal, open_journal
from omniroute.testing.servers import temporary_nats, temporary_postgres

REGIONS = ("north", "south", "west")
PLAN = Plan(
    queues=[Queue(name="calls", offer_timeout_ms=5_000), Queue(name="mails")],
    agents=[Agent(id=f"agent-{number}") for number in range(4)],
)


# --- one process: what you would write, too -----------------------------------------------


def say(*words: object) -> None:
    """To whoever started this process."""
    print(json.dumps([time.monotonic(), *words]), flush=True)


async def customers(member: Member, region: str) -> None:
    """They call and write, and hear that their message has arrived."""
    dice = Random(f"{member.name} {region}")
    for number in range(1_000_000):
        message_id = f"{member.name}-{region}-{time.monotonic_ns()}-{number}"
        channel = dice.choice((Channel.VOICE, Channel.EMAIL))
        message = Message(channel=channel, customer=Customer(id=message_id), message_id=message_id)
        queue = "calls" if channel is Channel.VOICE else "mails"
        try:
            receipt = await member.submit(region, message, queue=queue)
        except RouterError:
            continue
        say("took", region, message_id, receipt.outcome)
        await anyio.sleep(dice.uniform(0.02, 0.1))


async def work(assignment: Assignment) -> None:
    """An agent talks, or writes."""
    await anyio.sleep(0.05)
    await assignment.complete("done")


async def agent(router: Router, name: str) -> None:
    """He comes to his desk, also after a change of the owner: his work is there."""
    async with anyio.create_task_group() as group:
        desk = await router.sign_in(name)
        for assignment in desk.assignments:
            group.start_soon(work, assignment)
        async for offer in desk.offers():
            accepted = await offer.accept()
            if accepted is not None:
                group.start_soon(work, accepted)


async def agents(member: Member, region: str) -> None:
    """The desks of a region are where its router is."""
    while True:
        router = member.router(region)
        if router is not None:
            say("owns", region)
            try:
                async with anyio.create_task_group() as group:
                    for name in PLAN.agents:
                        group.start_soon(agent, router, name)
            except* RouterError:
                pass  # it was taken over
            say("left", region)
        with anyio.move_on_after(0.05):
            await member.changed()


async def process(name: str, coordinator: str, journal: str, folder: str) -> None:
    """A member until its standard input ends; then its spool is emptied, and it leaves."""
    regions = [Partition(name=r, plan=PLAN, journal=journal.format(r)) for r in REGIONS]
    async with Member(regions, coordinator, name=name, spool=Path(folder) / name) as member:
        async with anyio.create_task_group() as group:
            for region in REGIONS:
                group.start_soon(agents, member, region)
                group.start_soon(customers, member, region)
            await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
            group.cancel_scope.cancel()
        while any(member.spooled(region) for region in REGIONS):
            with anyio.move_on_after(0.05):
                await member.changed()


# --- the three of them, and what happens to them ------------------------------------------


class Show:
    """Starts the processes, hears what they say, and does to them what happens in the field."""

    def __init__(self, coordinator: str, journal: str, folder: str) -> None:
        self.arguments = (coordinator, journal, folder)
        self.processes: dict[str, Process] = {}
        self.owners: dict[str, str] = {}
        self.took: list[tuple[float, str, str, str]] = []
        self.news = anyio.Event()

    async def start(self, name: str, group: anyio.abc.TaskGroup) -> None:
        """Start a process."""
        command = [sys.executable, __file__, "--member", name, *self.arguments]
        self.processes[name] = await anyio.open_process(command, stderr=None)
        group.start_soon(self.hear, name, self.processes[name])

    async def hear(self, name: str, process: Process) -> None:
        """Take in what it says."""
        assert process.stdout is not None
        rest = ""
        async for text in TextReceiveStream(process.stdout):
            *lines, rest = (rest + text).split("\n")
            for at_s, word, region, *more in map(json.loads, lines):
                if word == "took":
                    self.took.append((at_s, region, more[0], more[1]))
                elif word == "owns":
                    self.owners[region] = name
                elif self.owners.get(region) == name:
                    del self.owners[region]
            self.news.set()
            self.news = anyio.Event()

    async def routed_since(self, region: str, since_s: float) -> float:
        """Seconds until a message was routed there again, not only taken in."""
        while True:
            for at_s, where, _, outcome in reversed(self.took):
                if at_s > since_s + 0.1 and where == region and outcome == "queued":
                    found = [t for t, r, _, o in self.took if r == region and o == "queued"]
                    return min(t for t in found if t > since_s + 0.1) - since_s
            await self.news.wait()

    async def all_owned(self, *but_by: str) -> None:
        """Wait until every region has an owner who is none of these."""
        while len(self.owners) < len(REGIONS) or set(self.owners.values()) & set(but_by):
            await self.news.wait()

    async def evenly(self) -> None:
        """Wait until each process owns a region."""
        while len(set(self.owners.values())) < len(REGIONS):
            await self.news.wait()


async def play(show: Show) -> dict[str, str]:
    """What happens; returns the times."""
    async with anyio.create_task_group() as group:
        for name in "abc":
            await show.start(name, group)
        await show.all_owned()
        await show.evenly()
        print("each of three processes owns one region; calls and mails come in")
        await anyio.sleep(2)

        killed = show.owners["north"]
        show.processes[killed].kill()
        since_s = time.monotonic()
        print(f"{killed}, the owner of north, is killed")
        await show.all_owned(killed)
        takeover_s = await show.routed_since("north", since_s)
        await anyio.sleep(1)

        frozen = show.owners["south"]
        show.processes[frozen].send_signal(signal.SIGSTOP)
        since_s = time.monotonic()
        print(f"{frozen}, the owner of south, is frozen")
        await show.all_owned(frozen)
        pause_s = await show.routed_since("south", since_s)
        show.processes[frozen].send_signal(signal.SIGCONT)
        print(f"{frozen} wakes up, {killed} is started again")
        await show.start(killed, group)
        since_s = time.monotonic()
        await show.evenly()
        balanced_s = time.monotonic() - since_s
        await anyio.sleep(1)
        print("everybody leaves")
        for member in show.processes.values():
            assert member.stdin is not None
            await member.stdin.aclose()
        for member in show.processes.values():
            await member.wait()
    return {
        "killed: routed again after": f"{takeover_s:.2f} s",
        "frozen: routed again after": f"{pause_s:.2f} s",
        "evenly owned again after": f"{balanced_s:.2f} s",
    }


async def compare(show: Show, journal: str) -> dict[str, str]:
    """The journals against what the processes were told."""
    told = Counter(message_id for _, _, message_id, _ in show.took)
    spooled = sum(outcome == "spooled" for *_, outcome in show.took)
    queued: Counter[str | None] = Counter()
    ended: Counter[int] = Counter()
    holders: dict[int, set[str]] = defaultdict(set)
    late = owners = 0
    for region in REGIONS:
        log = open_journal(journal.format(region))
        assert isinstance(log, StoreJournal)
        async with log:
            epoch = 0
            _, chain = await log.recover()
            async for header, body in log.records(chain):
                owners += header.epoch > epoch
                late += header.epoch < epoch
                epoch = max(epoch, header.epoch)
                for event in log.events(header, body):
                    if isinstance(event, Queued):
                        queued[event.message.message_id] += 1
                    elif isinstance(event, Accepted):
                        holders[hash((region, event.offer_id))].add(event.agent_id)
                    elif isinstance(event, Completed):
                        ended[hash((region, event.assignment_id))] += 1
    twice = [*queued.values(), *ended.values(), *map(len, holders.values())]
    return {
        "messages acknowledged": f"{len(told):,}",
        "of them spooled, without an owner": f"{spooled:,}",
        "interactions completed": f"{len(ended):,}",
        "owners, one after the other": f"{owners}",
        "lost": f"{sum(message_id not in queued for message_id in told)}",
        "doubled": f"{sum(count > 1 for count in twice)}",
        "written by an owner that was replaced": f"{late}",
    }


def main() -> None:
    """Play it, and print the figures."""
    parser = argparse.ArgumentParser(description="Three routers as one.")
    parser.add_argument("--on", choices=("postgresql", "nats"), default="postgresql")
    parser.add_argument("--member", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.member:
        anyio.run(process, *arguments.member)
        return
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if arguments.on == "postgresql":
            url = stack.enter_context(temporary_postgres())
            coordinator, journal = f"{url}?cluster=show", f"{url}?journal={{}}"
        else:
            (server,) = stack.enter_context(temporary_nats())
            coordinator = f"{server.url}?cluster=show"
            journal = f"{server.url}?journal={{}}&monitor={server.monitor}"
        show = Show(coordinator, journal, folder)
        figures = anyio.run(play, show)
        figures |= anyio.run(compare, show, journal)
    print(f"\nThree routers on {arguments.on}")
    for name, figure in figures.items():
        print(f"  {name:<40}{figure:>10}")


if __name__ == "__main__":
    main()
