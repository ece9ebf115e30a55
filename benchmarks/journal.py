"""What durability costs: throughput, latency of an answer, recovery, the pause of a snapshot.

    python benchmarks/journal.py [--json] [--quick]

- ``throughput``: full lives (submit, offer, accept, complete) per second through real agent
  tasks, with a journal in memory and with one in an SQLite file that syncs every frame, in
  turns. ``share`` is the quotient. ``sealed`` is the same file, sealed with a key per customer
  (``sealed_share`` of the unsealed one); its customers come back, so their keys are there.
- ``sealing``: what encoding and decoding one life costs, plain and sealed, without a disk.
- ``answer``: messages arrive in open loop until about 10,000 events per second become
  durable; how long submit, accept and complete take until they are answered. ``sync`` is
  what one small synchronous write to the same disk takes, measured just before.
- ``recovery``: from a file with that many events and no snapshot, to a router that takes
  commands.
- ``snapshot``: made in another process while messages go on arriving; ``pause`` is the
  longest time in which the event loop did nothing else, beside the longest without one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

import anyio
from engine_build import engine_build

from omniroute import Channel, Customer, Desk, Engine, Message, Router, StoreJournal, open_journal
from omniroute import events as ev
from omniroute.journal import Codec, Entry, Frame, KeyVault, new_master_key
from omniroute.router.shadow import take_snapshot
from router import plan

Row = dict[str, Any]
_T = TypeVar("_T")
#: queued, offered, accepted, completed
EVENTS_PER_LIFE = 4
#: in closed loop: more than the agents can have, so that some always wait
CUSTOMERS = 400


def url(folder: Path, name: str) -> str:
    """A new file."""
    return f"sqlite:///{folder / name}.db"


# --- throughput ---------------------------------------------------------------------------


class ClosedLoop:
    """So many customers who each send the next message when the one before is dealt with."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._waiting: dict[str, anyio.Event] = {}

    async def agent(self, desk: Desk) -> None:
        """A human agent who is quick."""
        async for offer in desk.offers():
            assignment = await offer.accept()
            if assignment is not None and await assignment.complete("done"):
                self._waiting.pop(offer.interaction.message.message_id or "").set()

    async def customer(self, name: str, lives: int) -> None:
        """That many messages."""
        for number in range(lives):
            message_id = f"{name}/{number}/{perf_counter()}"
            message = Message(
                channel=Channel.CHAT,
                customer=Customer(id=name),
                message_id=message_id,
                text="Hello, my invoice is wrong. Can you help me, please?",
            )
            served = self._waiting[message_id] = anyio.Event()
            await self.router.submit(message, queue=f"q{number % 4}")
            await served.wait()

    async def run(self, lives: int) -> None:
        """That many lives."""
        async with anyio.create_task_group() as group:
            for number in range(CUSTOMERS):
                group.start_soon(self.customer, f"c{number}", lives // CUSTOMERS)


async def throughput(folder: Path, lives: int, rounds: int) -> Row:
    """Lives per second with and without a disk, in turns."""
    rates: dict[str, list[float]] = {"memory": [], "sqlite": [], "sealed": []}
    vault = KeyVault(folder / "keys.db", new_master_key())
    async with AsyncExitStack() as exits:
        loops = {}
        for name, journal, key in (
            ("memory", "memory:", None),
            ("sqlite", url(folder, "throughput"), None),
            ("sealed", url(folder, "sealed"), vault),
        ):
            router = await exits.enter_async_context(Router(plan(), journal=journal, vault=key))
            group = await exits.enter_async_context(anyio.create_task_group())
            exits.callback(group.cancel_scope.cancel)
            loops[name] = loop = ClosedLoop(router)
            for agent in router.plan.agents:
                group.start_soon(loop.agent, await router.sign_in(agent))
        for number in range(rounds + 1):
            for name, loop in loops.items():
                began = perf_counter()
                await loop.run(lives)
                if number:  # the first round warms up
                    rates[name].append(lives / (perf_counter() - began))
    names = ("memory", "sqlite", "sealed")
    memory, sqlite, sealed = (statistics.median(rates[name]) for name in names)
    return {
        "name": "throughput",
        "memory_lives_per_second": round(memory),
        "sqlite_lives_per_second": round(sqlite),
        "sqlite_events_per_second": round(sqlite * EVENTS_PER_LIFE),
        "share": round(sqlite / memory, 2),
        "sealed_events_per_second": round(sealed * EVENTS_PER_LIFE),
        "sealed_share": round(sealed / sqlite, 2),
    }


async def sealing(folder: Path, lives: int) -> Row:
    """Microseconds of processor time for each event, new customers and known ones."""
    vault = KeyVault(folder / "sealing.db", new_master_key())
    row: Row = {"name": "sealing"}
    for name, codec in (
        ("plain", Codec()),
        ("new_customers", Codec(vault)),
        ("known_customers", Codec(vault)),
    ):
        frames = [Frame(4 * number + 1, tuple(_life(number))) for number in range(lives)]
        began = process_time()
        bodies = [codec.encode(frame) for frame in frames]
        row[f"{name}_us_per_event"] = _per_event(process_time() - began, lives)
        began = process_time()
        for frame, body in zip(frames, bodies, strict=True):
            codec.decode(1, frame.first_seq, body)
        row[f"{name}_read_us_per_event"] = _per_event(process_time() - began, lives)
        vault.settle()
    vault.close()
    return row


def _per_event(seconds: float, lives: int) -> float:
    return round(seconds / (lives * EVENTS_PER_LIFE) * 1e6, 2)


def _life(number: int) -> list[Entry]:
    message = Message(
        channel=Channel.CHAT,
        customer=Customer(id=f"c{number}", name="Some Body"),
        message_id=f"m{number}",
        text="Hello, my invoice is wrong. Can you help me, please?",
    )
    name = f"i{number}"
    queued, offered = ev.Queued(1, name, number, message, "q0", 0), ev.Offered(1, 1, name, "a", 9)
    return [
        Entry(ev.Submit(message, "q0"), 1, (queued, offered)),
        Entry(ev.Accept(1), 2, (ev.Accepted(2, 1, name, "a"),)),
        Entry(ev.Complete(1), 3, (ev.Completed(3, 1, name, "a"),)),
    ]


# --- the time until an answer -------------------------------------------------------------


class OpenLoop:
    """Messages that arrive at their times, whether those before are answered or not."""

    def __init__(self, router: Router, lives_per_second: float) -> None:
        self.router = router
        self.every_s = 1 / lives_per_second
        self.answers_ms: list[float] = []
        self._sent = 0

    async def timed(self, call: Awaitable[_T]) -> _T:
        """The answer, with how long it took."""
        began = perf_counter()
        answer = await call
        self.answers_ms.append((perf_counter() - began) * 1_000)
        return answer

    async def agent(self, desk: Desk) -> None:
        """A human agent who is quick."""
        async for offer in desk.offers():
            assignment = await self.timed(offer.accept())
            if assignment is not None:
                await self.timed(assignment.complete("done"))

    async def submit(self, number: int) -> None:
        """One message."""
        message = Message(
            channel=Channel.CHAT,
            customer=Customer(id=f"c{number}"),
            message_id=f"m{number}",
            text="Hello, my invoice is wrong. Can you help me, please?",
        )
        await self.timed(self.router.submit(message, queue=f"q{number % 4}"))

    async def run(self, seconds: float) -> None:
        """Submit for so long."""
        began = perf_counter()
        due_s = 0.0
        async with anyio.create_task_group() as group:
            while (now_s := perf_counter() - began) < seconds:
                while due_s <= now_s:
                    group.start_soon(self.submit, self._sent)
                    self._sent += 1
                    due_s += self.every_s
                await anyio.sleep(0.001)


def sync_ms(folder: Path) -> tuple[float, float]:
    """Median and 99th percentile of one small synchronous write to this disk."""
    found = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(300):
            began = perf_counter()
            file.write(bytes(4_096))
            os.fdatasync(file.fileno())
            found.append((perf_counter() - began) * 1_000)
    return percentile(found, 0.5), percentile(found, 0.99)


def percentile(values: list[float], share: float) -> float:
    """A value that this share does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def answer(folder: Path, seconds: float, events_per_second: int) -> Row:
    """How long callers wait at a given load."""
    disk_p50, disk_p99 = sync_ms(folder)
    async with Router(plan(), journal=url(folder, "answer")) as router:
        loop = OpenLoop(router, events_per_second / EVENTS_PER_LIFE)
        async with anyio.create_task_group() as group:
            for agent in router.plan.agents:
                group.start_soon(loop.agent, await router.sign_in(agent))
            await loop.run(seconds / 10)  # warms up
            loop.answers_ms.clear()
            assert isinstance(router.journal, StoreJournal)
            began, seq = perf_counter(), router.journal.next_seq
            await loop.run(seconds)
            rate = (router.journal.next_seq - seq) / (perf_counter() - began)
            group.cancel_scope.cancel()
    shares = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    return {
        "name": "answer",
        "events_per_second": round(rate),
        **{name: round(percentile(loop.answers_ms, at), 2) for name, at in shares.items()},
        "sync_p50_ms": round(disk_p50, 2),
        "sync_p99_ms": round(disk_p99, 2),
    }


# --- recovery -----------------------------------------------------------------------------


async def write_lives(journal: StoreJournal, events: int, waiting: int) -> None:
    """A journal of so many events, at whose end so many wait; frames of two commands."""
    centre = plan()
    engine = Engine(centre)
    now_ms = 1_000_000
    entries: list[Entry] = []
    done = 0

    def do(command: ev.Command) -> tuple[ev.Event, ...]:
        nonlocal done, now_ms
        now_ms += 1
        caused = tuple(engine.receive(command, now_ms))
        entries.append(Entry(command, now_ms, caused))
        done += len(caused)
        return caused

    def submit(number: int) -> tuple[ev.Event, ...]:
        message = Message(
            channel=Channel.CHAT,
            customer=Customer(id=f"c{number}", name="Some Body"),
            message_id=f"m{number}",
            text="Hello, my invoice is wrong. Can you help me, please?",
        )
        return do(ev.Submit(message, f"q{number % 4}", number % 10))

    for agent in centre.agents.values():
        do(ev.SignIn(agent))
    number = 0
    while done < events - waiting or engine.statistics().waiting < waiting:
        number += 1
        offered = [event for event in submit(number) if isinstance(event, ev.Offered)]
        if done < events - waiting:
            for event in offered:
                do(ev.Accept(event.offer_id))
                do(ev.Complete(event.offer_id, "done"))
        if len(entries) >= 6:
            frame = Frame(journal.next_seq, tuple(entries))
            await journal.append(frame)
            entries.clear()


async def recovery(folder: Path, events: int) -> Row:
    """From the file to a router that takes commands."""
    file = url(folder, "recovery")
    journal = open_journal(file)
    assert isinstance(journal, StoreJournal)
    async with journal:
        await journal.claim()
        await write_lives(journal, events, 0)
    began = perf_counter()
    async with Router(plan(), journal=file, snapshot_every=None):
        seconds = perf_counter() - began
    return {
        "name": "recovery",
        "events": events,
        "seconds": round(seconds, 2),
        "us_per_event": round(seconds / events * 1e6, 2),
    }


# --- snapshots ----------------------------------------------------------------------------


class Pulse:
    """The longest time by which the event loop was late for a millisecond."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            began = perf_counter()
            await anyio.sleep(0.001)
            self.longest_ms = max(self.longest_ms, (perf_counter() - began) * 1_000 - 1)


async def snapshot(folder: Path, events: int, waiting: int, quiet_s: float) -> Row:
    """A snapshot of many who wait, while others come."""
    file = url(folder, "snapshot")
    journal = open_journal(file)
    assert isinstance(journal, StoreJournal)
    async with journal:
        await journal.claim()
        await write_lives(journal, events, waiting)
        async with Router(plan(), journal=journal, snapshot_every=None) as router:
            loop = OpenLoop(router, 200)
            await anyio.sleep(quiet_s)  # what was due while nothing ran happens now

            async def observed(during: Callable[[], Awaitable[object]]) -> float:
                pulse = Pulse()
                async with anyio.create_task_group() as group:
                    group.start_soon(loop.run, 1_000.0)
                    group.start_soon(pulse.beat)
                    await during()
                    group.cancel_scope.cancel()
                return pulse.longest_ms

            before = await observed(lambda: anyio.sleep(quiet_s))
            loop.answers_ms.clear()
            size = 0
            began = perf_counter()

            async def take() -> None:
                nonlocal size
                size = (await take_snapshot(journal, router.plan))[1]

            pause = await observed(take)
            seconds = perf_counter() - began
    return {
        "name": "snapshot",
        "waiting": waiting,
        "megabytes": round(size / 1e6, 1),
        "seconds": round(seconds, 1),
        "pause_ms": round(pause, 1),
        "pause_without_ms": round(before, 1),
        "slowest_answer_ms": round(max(loop.answers_ms), 1),
    }


async def measure(*, quick: bool) -> list[Row]:
    """Every case."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        if quick:
            return [
                await throughput(folder, 2_000, 3),
                await sealing(folder, 2_000),
                await answer(folder, 2, 10_000),
                await recovery(folder, 50_000),
                await snapshot(folder, 30_000, 10_000, 1),
            ]
        return [
            await throughput(folder, 10_000, 5),
            await sealing(folder, 20_000),
            await answer(folder, 20, 10_000),
            await recovery(folder, 1_000_000),
            await snapshot(folder, 300_000, 100_000, 5),
        ]


def main() -> int:
    """Run all cases and print them."""
    parser = argparse.ArgumentParser(description="What durability costs.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a twentieth of everything")
    args = parser.parse_args()
    cases = anyio.run(lambda: measure(quick=args.quick))
    if args.json:
        machine = f"{platform.python_implementation()} {platform.python_version()}, "
        machine += f"{os.cpu_count()} cores, engine: {engine_build()}"
        print(json.dumps({"machine": machine, "cases": cases}, indent=1))
    else:
        print(f"engine: {engine_build()}")
        for row in cases:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
