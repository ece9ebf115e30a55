"""How fast the engine is, as a ratio to one heap push and pop of the same process.

    python benchmarks/hot_path.py [--json] [--quick] [--case NAME]

A step is complete + offer + accept + submit with all their events, in the closed loop of
`workload`. Steps and heap pairs are timed in turns, so both see the same machine. Beside the
engine run what a user would write instead: a naive scan, a heap per requirement set (AND of
skills only, no levels in the index, no offers, no capacity, no events) and
`asyncio.PriorityQueue` (no skills at all).
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import heapq
import json
import os
import platform
import random
import sys
import tracemalloc
from time import perf_counter_ns
from typing import Any

import msgspec
from engine_build import engine_build
from rivals import bare_events, heap_per_set, naive_scan, priority_queue
from workload import Loop, Shape, World

from omniroute.events import Accept, Complete

#: steps and pairs are timed in turns of this many
TURN = 250


class HeapPair:
    """The yardstick: one heappush and heappop of ``(int, int)`` at constant depth."""

    def __init__(self, depth: int) -> None:
        rng = random.Random(3)
        self._rng = rng
        self._heap = [(rng.getrandbits(40), n) for n in range(depth)]
        heapq.heapify(self._heap)

    def run(self, count: int) -> int:
        """Time that many pairs; returns nanoseconds."""
        draws = [self._rng.getrandbits(40) for _ in range(count)]
        heap, push, pop = self._heap, heapq.heappush, heapq.heappop
        began = perf_counter_ns()
        for number, draw in enumerate(draws):
            push(heap, (draw, number))
            pop(heap)
        return perf_counter_ns() - began


def percentiles(loop: Loop, steps: int) -> dict[str, float]:
    """p50, p99 and p99.9 of a single ``receive`` in us, the clock's own cost taken off."""
    receive, assignments, kinds = loop.engine.receive, loop.assignments, loop.kinds
    clock = perf_counter_ns
    began = clock()
    for _ in range(1000):
        clock()
    overhead = (clock() - began) / 1000
    taken: list[int] = []
    now_ms = loop.now_ms

    def timed(command: Any) -> Any:
        start = clock()
        events = receive(command, now_ms)
        taken.append(clock() - start)
        return events

    for draw in loop.draws(steps):
        now_ms += 100
        index = draw % len(assignments)
        done = assignments[index]
        assignments[index] = assignments[-1]
        assignments.pop()
        events = timed(Complete(done))
        submitted = timed(kinds[events[0].interaction_id])
        for event in [*events[1:], *submitted[1:]]:
            timed(Accept(event.offer_id))
            assignments.append(event.offer_id)
    loop.now_ms = now_ms
    taken.sort()

    def at(share: float) -> float:
        return max(0.0, taken[int(share * (len(taken) - 1))] - overhead) / 1000

    return {"p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999)}


def decisions(shape: Shape, steps: int) -> str:
    """A hash of every event of a short run: the same on every machine and in every version."""
    loop = Loop(World(shape))
    digest = hashlib.sha256()
    receive = loop.engine.receive

    class Recording:
        """The engine, with every batch hashed on its way out."""

        def receive(self, command: Any, now_ms: int) -> Any:
            events = receive(command, now_ms)
            digest.update(msgspec.msgpack.encode(events))
            return events

    loop.engine = Recording()  # type: ignore[assignment]
    loop.fill()
    loop.run(loop.draws(steps))
    return digest.hexdigest()


def bytes_per_waiting(shape: Shape) -> float:
    """Memory the engine holds per waiting interaction, the user's own commands apart."""
    count = min(shape.waiting, 50_000)
    world = World(shape)
    loop = Loop(world)
    loop.fill_agents()
    submits = world.submissions(count)
    loop.saturate()
    for submit in submits[: count // 10]:
        loop.engine.receive(submit, loop.now_ms)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for submit in submits[count // 10 :]:
        loop.now_ms += 1
        loop.engine.receive(submit, loop.now_ms)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / (count - count // 10)


def measure(shape: Shape, steps: int) -> dict[str, Any]:
    """One case."""
    loop = Loop(World(shape))
    loop.fill()
    loop.run(loop.draws(max(2_000, min(steps, shape.agents))))
    pair = HeapPair(shape.waiting)
    pair.run(TURN)
    step_ns = pair_ns = done = 0
    while done < steps:
        draws = loop.draws(TURN)
        began = perf_counter_ns()
        loop.run(draws)
        step_ns += perf_counter_ns() - began
        pair_ns += pair.run(TURN)
        done += TURN
    statistics = loop.engine.statistics()
    return {
        "name": shape.name,
        "waiting": shape.waiting,
        "agents": shape.agents,
        "us_per_step": step_ns / done / 1000,
        "heap_pair_us": pair_ns / done / 1000,
        "ratio": step_ns / pair_ns,
        **percentiles(loop, min(steps, 20_000)),
        "bytes_per_waiting": bytes_per_waiting(shape) if shape.waiting <= 100_000 else None,
        "decisions_sha256": decisions(
            msgspec.structs.replace(shape, waiting=min(shape.waiting, 5_000)), 2_000
        ),
        "waiting_at_end": statistics.waiting,
        "engaged_at_end": statistics.engaged,
    }


def cases(*, quick: bool) -> list[Shape]:
    """The shapes that are measured."""
    if quick:
        shapes = [Shape(name="canonical", waiting=w, agents=1_000) for w in (1_000, 100_000)]
    else:
        shapes = [
            Shape(name="canonical", waiting=w, agents=a)
            for w in (1_000, 10_000, 100_000, 1_000_000)
            for a in (100, 1_000, 10_000)
        ]
    w, a = 100_000, 1_000
    return [
        *shapes,
        Shape(name="unique_agents", waiting=100_000, agents=10_000, unique_agents=True),
        Shape(name="5000_requirement_sets", waiting=w, agents=a, requirement_sets=5_000),
        Shape(name="unservable_backlog", waiting=w, agents=a, unservable=0.9),
        Shape(name="named_agent", waiting=w, agents=a, named=0.1),
    ]


def rivals(steps: int) -> list[dict[str, Any]]:
    """What a user would write instead, in the same process."""
    found = []
    for waiting in (1_000, 100_000):
        shape = Shape(name="canonical", waiting=waiting, agents=1_000)
        pair = HeapPair(waiting)
        for run in (bare_events, naive_scan, heap_per_set, priority_queue):
            count = max(50, steps // 100) if run is naive_scan else steps
            taken_ns = run(World(shape), count)
            pair_ns = pair.run(steps) / steps
            found.append(
                {
                    "name": run.__name__,
                    "waiting": waiting,
                    "agents": shape.agents,
                    "us_per_step": taken_ns / count / 1000,
                    "heap_pair_us": pair_ns / 1000,
                    "ratio": taken_ns / count / pair_ns,
                }
            )
    return found


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    return {
        "engine": engine_build(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
    }


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="W = 1e3, 1e5; A = 1e3; adverse cases")
    parser.add_argument("--case", help="only the cases of this name")
    args = parser.parse_args()
    steps = 10_000 if args.quick else 50_000
    results = []
    for shape in cases(quick=args.quick):
        if args.case is None or shape.name == args.case:
            print(f"{shape.name} W={shape.waiting} A={shape.agents} ...", file=sys.stderr)
            results.append(measure(shape, steps))
            gc.collect()
    beside = rivals(steps) if args.case is None else []
    if args.json:
        print(json.dumps({"machine": machine(), "cases": results, "rivals": beside}, indent=1))
        return
    print(f"engine: {engine_build()}")
    print(f"{'case':24}{'W':>9}{'A':>7}{'us/step':>9}{'pair':>7}{'ratio':>7}", end="")
    print(f"{'p50':>7}{'p99':>7}{'p99.9':>8}{'B/item':>8}")
    for row in results:
        size = row["bytes_per_waiting"]
        print(
            f"{row['name']:24}{row['waiting']:>9}{row['agents']:>7}{row['us_per_step']:>9.1f}"
            f"{row['heap_pair_us']:>7.2f}{row['ratio']:>7.1f}{row['p50_us']:>7.1f}"
            f"{row['p99_us']:>7.1f}{row['p999_us']:>8.1f}{'-' if size is None else round(size):>8}"
        )
    for row in beside:
        print(
            f"{row['name']:24}{row['waiting']:>9}{row['agents']:>7}{row['us_per_step']:>9.1f}"
            f"{row['heap_pair_us']:>7.2f}{row['ratio']:>7.1f}"
        )


if __name__ == "__main__":
    main()
