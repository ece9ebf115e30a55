"""What a user would write instead of the engine; measured beside it, on the same draws.

None of them does what the engine does: no levels in an index, no capacity over channels, no
offers, no ladders, no events, no removal. They say what those features cost.
"""

from __future__ import annotations

import asyncio
import heapq
from time import perf_counter_ns
from typing import cast

from workload import Need, World

from omniroute.events import Accept, Accepted, Complete, Completed, Event, Offered, Queued, Submit

__all__ = ["bare_events", "heap_per_set", "naive_scan", "priority_queue"]

_MS_PER_POINT = 60_000


def _backlog(world: World) -> list[tuple[int, int, int]]:
    """(key, number, requirement set) of every waiting item."""
    picks = world.picks(world.shape.waiting)
    rng = world.rng
    return [(n - rng.randrange(10) * _MS_PER_POINT, n, pick) for n, pick in enumerate(picks)]


def _can(skills: dict[str, int], need: Need) -> bool:
    levels, language = need
    return f"lang:{language}" in skills and all(skills.get(s, 0) >= n for s, n in levels.items())


def naive_scan(world: World, steps: int) -> int:
    """An agent frees: look at all waiting, take the best he can do; a new one arrives."""
    waiting = _backlog(world)
    agents = [agent.skills for agent in world.agents]
    needs = world.needs
    arrivals = world.picks(steps)
    draws = [world.rng.randrange(len(agents)) for _ in range(steps)]
    number = len(waiting)
    began = perf_counter_ns()
    for draw, arrival in zip(draws, arrivals, strict=True):
        skills = agents[draw]
        best = -1
        for index, item in enumerate(waiting):
            if (best < 0 or item < waiting[best]) and _can(skills, needs[item[2]]):
                best = index
        if best >= 0:
            waiting[best] = waiting[-1]
            waiting.pop()
        number += 1
        waiting.append((number, number, arrival))
    return perf_counter_ns() - began


def heap_per_set(world: World, steps: int) -> int:
    """A heap per requirement set; an agent frees and compares the heads of his heaps."""
    heaps: list[list[tuple[int, int, int]]] = [[] for _ in world.needs]
    for item in _backlog(world):
        heapq.heappush(heaps[item[2]], item)
    served = [
        [heaps[i] for i, need in enumerate(world.needs) if _can(agent.skills, need)]
        for agent in world.agents
    ]
    arrivals = world.picks(steps)
    draws = [world.rng.randrange(len(served)) for _ in range(steps)]
    number = world.shape.waiting
    began = perf_counter_ns()
    for draw, arrival in zip(draws, arrivals, strict=True):
        best = min((heap for heap in served[draw] if heap), default=None, key=lambda heap: heap[0])
        if best is not None:
            heapq.heappop(best)
        number += 1
        heapq.heappush(heaps[arrival], (number, number, arrival))
    return perf_counter_ns() - began


def bare_events(world: World, steps: int) -> int:
    """The floor: a step's commands and events made and two dicts kept, nothing decided.

    What any engine in pure Python pays before it matches anybody.
    """
    submits = world.submissions(1_000)
    interactions: dict[str, Submit] = {}
    offers: dict[int, str] = {}
    handlers: dict[type[object], int] = {Submit: 0, Complete: 1, Accept: 2}
    number = 0

    def receive(command: Submit | Complete | Accept, now_ms: int) -> list[Event]:
        nonlocal number
        kind = handlers[type(command)]
        if kind == 0:
            submit = cast("Submit", command)
            number += 1
            name = f"i{number}"
            interactions[name] = submit
            queue, priority = submit.queue or "", submit.priority or 0
            return [Queued(now_ms, name, number, submit.message, queue, priority)]
        if kind == 1:
            offer_id = cast("Complete", command).assignment_id
            name = offers.pop(offer_id)
            del interactions[name]
            offers[offer_id + 1] = f"i{number}"
            return [
                Completed(now_ms, offer_id, name, "anna"),
                Offered(now_ms, offer_id + 1, f"i{number}", "anna", now_ms + 20_000),
            ]
        offer_id = cast("Accept", command).offer_id
        return [Accepted(now_ms, offer_id, offers[offer_id], "anna")]

    receive(submits[0], 0)
    offers[0] = "i1"
    began = perf_counter_ns()
    for step in range(steps):
        receive(submits[step % 1_000], step)
        receive(Complete(step), step)
        receive(Accept(step + 1), step)
    return perf_counter_ns() - began


def priority_queue(world: World, steps: int) -> int:
    """`asyncio.PriorityQueue`: no skills, whoever comes takes the first."""

    async def run() -> int:
        queue: asyncio.PriorityQueue[tuple[int, int, int]] = asyncio.PriorityQueue()
        for item in _backlog(world):
            queue.put_nowait(item)
        arrivals = world.picks(steps)
        number = world.shape.waiting
        began = perf_counter_ns()
        for arrival in arrivals:
            await queue.get()
            number += 1
            await queue.put((number, number, arrival))
        return perf_counter_ns() - began

    return asyncio.run(run())
