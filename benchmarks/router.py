"""How many full lives per second go through real agent tasks, on asyncio and trio.

    python benchmarks/router.py [--json] [--quick]

A life is submit, offer, accept, complete, each through the router's async API; every agent is
a task of its own in ``async for offer in desk.offers()``. Beside it, in turns and in the
same event loop, the same number of items goes through a bare anyio memory stream and, on
asyncio, an `asyncio.Queue`, to as many consumer tasks: what handing work to tasks costs at
the least, without skills, priorities, offers, capacity, events or a journal.

Cases: ``idle``: agents wait, so every offer wakes a task; ``backlog``: thousands wait, so
who completes one is offered the next at once; ``metrics``: idle, with Prometheus metrics;
``group_commit``: idle, with a journal whose append takes a turn of the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from time import perf_counter_ns
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from engine_build import engine_build
from prometheus_client import CollectorRegistry

from omniroute import (
    Agent,
    Channel,
    Customer,
    Desk,
    Limits,
    MemoryJournal,
    Message,
    NullJournal,
    Plan,
    Queue,
    Router,
    Skill,
)
from omniroute.journal import Frame, Journal

AGENTS = 100
#: lives in flight while agents idle
WINDOW = 50
BACKLOG = 5_000
SKILLS = ("billing", "technical", "lang:de", "lang:en")
NEEDS = ("billing >= 2", "technical >= 3 and lang:de >= 1", "lang:en >= 1", None)

Run = Callable[[int], Awaitable[None]]


class SlowJournal(NullJournal):
    """Keeps nothing, but takes a turn of the event loop to do so."""

    append_nowait: Any = None

    async def append(self, frame: Frame) -> None:
        """Take a turn."""
        await checkpoint()


def plan() -> Plan:
    """Four queues, four skills, a hundred agents who carry one interaction each."""
    rng = random.Random(5)
    agents = [
        Agent(id=f"a{n}", skills={skill: rng.randint(3, 10) for skill in SKILLS})
        for n in range(AGENTS)
    ]
    return Plan(
        queues=[Queue(name=f"q{n}", max_waiting=1_000_000) for n in range(4)],
        skills=[Skill(name) for name in SKILLS],
        agents=agents,
        limits=Limits(max_waiting=1_000_000),
    )


class Work:
    """Counts what is done, and lets at most ``window`` be in flight."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.begun = 0
        self.done = 0
        self.wanted = 0
        self._progress = anyio.Event()

    async def feed(self, count: int, one: Callable[[int], Awaitable[object]]) -> None:
        """Begin that many, never more than the window at once, and wait until all are done."""
        self.wanted = self.done + count
        for number in range(count):
            while self.begun - self.done >= self.window:
                await self.wait()
            self.begun += 1
            await one(number)
        while self.done < self.wanted:
            await self.wait()

    async def wait(self) -> None:
        """Wait for progress."""
        self._progress = anyio.Event()
        await self._progress.wait()

    def finish(self) -> None:
        """One is done; the feeder is woken when half the window is free."""
        self.done += 1
        in_flight = self.begun - self.done
        if in_flight <= self.window // 2 or self.done >= self.wanted:
            self.finish_all()

    def finish_all(self) -> None:
        """Wake the feeder."""
        self._progress.set()


class RouterLoop:
    """Lives through the router while its agents idle: every offer wakes a task."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.work = Work(WINDOW)
        self._messages = [
            Message(channel=Channel.CHAT, customer=Customer(id=f"c{n}"), text="Hello")
            for n in range(997)
        ]

    async def start(self) -> None:
        """Nothing to prepare."""

    async def run(self, count: int) -> None:
        """That many lives."""
        await self.work.feed(count, self.submit)

    async def submit(self, number: int) -> None:
        """The n-th message."""
        await self.router.submit(
            self._messages[number % 997],
            queue=f"q{number % 4}",
            priority=number % 10,
            requirement=NEEDS[number % 4],
        )

    async def agent(self, desk: Desk) -> None:
        """A human agent who is quick."""
        async for offer in desk.offers():
            assignment = await offer.accept()
            if assignment is not None and await assignment.complete("done"):
                self.work.finish()


class BacklogLoop(RouterLoop):
    """Lives while thousands wait: who completes one is offered the next, and one arrives."""

    async def start(self) -> None:
        """Submit the backlog."""
        self._gate = anyio.Event()
        for number in range(BACKLOG):
            await self.submit(number)

    async def run(self, count: int) -> None:
        """That many lives: the agents work until they have done them, then pause."""
        self.work.wanted = self.work.done + count
        self._gate.set()
        self._gate = anyio.Event()
        await self.work.wait()

    async def agent(self, desk: Desk) -> None:
        """A human agent who is quick, while the gate is open."""
        work = self.work
        async for offer in desk.offers():
            while work.done >= work.wanted:
                await self._gate.wait()
            assignment = await offer.accept()
            if assignment is not None and await assignment.complete("done"):
                await self.submit(work.done)
                work.done += 1
                if work.done == work.wanted:
                    work.finish_all()


async def stream_loop(group: anyio.abc.TaskGroup) -> Run:
    """Items through a bare anyio memory stream to as many tasks."""
    send, receive = anyio.create_memory_object_stream[int](WINDOW)
    work = Work(WINDOW)

    async def consume() -> None:
        async with receive.clone() as stream:
            async for _ in stream:
                work.finish()

    for _ in range(AGENTS):
        group.start_soon(consume)

    async def run(count: int) -> None:
        await work.feed(count, send.send)

    return run


async def queue_loop(group: anyio.abc.TaskGroup) -> Run:
    """Items through an `asyncio.Queue` to as many tasks."""
    queue: asyncio.Queue[int] = asyncio.Queue(WINDOW)
    work = Work(WINDOW)

    async def consume() -> None:
        while True:
            await queue.get()
            work.finish()

    for _ in range(AGENTS):
        group.start_soon(consume)

    async def run(count: int) -> None:
        await work.feed(count, queue.put)

    return run


async def timed(run: Run, count: int) -> float:
    """Microseconds per item."""
    began = perf_counter_ns()
    await run(count)
    return (perf_counter_ns() - began) / count / 1_000


async def measure(case: str, lives: int, rounds: int) -> dict[str, Any]:
    """One case on the running backend: medians over rounds that take turns."""
    journal: Journal = SlowJournal() if case == "group_commit" else MemoryJournal()
    registry = CollectorRegistry() if case == "metrics" else None
    async with AsyncExitStack() as exits:
        router = await exits.enter_async_context(Router(plan(), journal=journal, registry=registry))
        group = await exits.enter_async_context(anyio.create_task_group())
        loop = BacklogLoop(router) if case == "backlog" else RouterLoop(router)
        await loop.start()
        for agent in router.plan.agents:
            desk = await router.sign_in(agent)
            group.start_soon(loop.agent, desk)
        rivals = {"stream": await stream_loop(group)}
        if asyncio_runs():
            rivals["queue"] = await queue_loop(group)
        results: dict[str, list[float]] = {name: [] for name in ("router", *rivals)}
        for number in range(rounds + 1):
            turn = {"router": await timed(loop.run, lives)}
            for name, run in rivals.items():
                turn[name] = await timed(run, lives)
            if number:  # the first round warms up
                for name, us in turn.items():
                    results[name].append(us)
        group.cancel_scope.cancel()
    return summary(case, {name: statistics.median(us) for name, us in results.items()})


def summary(case: str, medians: dict[str, float]) -> dict[str, Any]:
    """One row of the report."""
    us = medians["router"]
    row = {
        "name": case,
        "backend": "asyncio" if asyncio_runs() else "trio",
        "lives_per_second": round(1e6 / us),
        "us_per_life": round(us, 1),
    }
    for rival in ("stream", "queue"):
        if rival in medians:
            row[f"{rival}_us_per_item"] = round(medians[rival], 1)
            row[f"ratio_to_{rival}"] = round(us / medians[rival], 2)
    return row


def asyncio_runs() -> bool:
    """Whether the running event loop is asyncio's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def main() -> int:
    """Run all cases on both backends and print them."""
    parser = argparse.ArgumentParser(description="Full lives per second through the router.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer lives and rounds")
    args = parser.parse_args()
    lives, rounds = (2_000, 3) if args.quick else (10_000, 7)
    if not args.json:
        print(f"engine: {engine_build()}")
    cases = []
    for case in ("idle", "backlog", "metrics", "group_commit"):
        for backend in ("asyncio", "trio"):
            row = anyio.run(measure, case, lives, rounds, backend=backend)
            cases.append(row)
            if not args.json:
                print("  ".join(f"{name} {value}" for name, value in row.items()))
    if args.json:
        machine = f"{platform.python_implementation()} {platform.python_version()}, "
        machine += f"{os.cpu_count()} cores, engine: {engine_build()}"
        print(json.dumps({"machine": machine, "cases": cases}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
