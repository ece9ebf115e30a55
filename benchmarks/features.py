"""What each routing feature costs when a plan uses it: the canonical loop, one setting changed.

    python benchmarks/features.py [--json] [--waiting N] [--case NAME]

Each feature runs in turns with the plain plan in the same process, so the ratio is of two figures
of the same machine at the same time. A feature that a plan does not use is not in its path: the
plain plan is the one of `hot_path.py`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter_ns
from typing import Any

import attrs
from engine_build import engine_build
from workload import HANDLE_MS, Loop, Shape, World, plan

from omniroute.engine import Engine
from omniroute.events import Accept, Accepted, Complete, Offered
from omniroute.plan import (
    Accelerating,
    Access,
    LastAgent,
    NewestFirst,
    Overflow,
    Plan,
    Queue,
    Step,
    Strict,
    WrapUp,
)

TURN = 200

#: What is set on every queue of the plain plan; a function takes the queue's number.
FEATURES: dict[str, dict[str, Any] | Callable[[int], dict[str, Any]]] = {
    "plain": {},
    "strict": {"order": Strict()},
    "newest_first": {"order": NewestFirst()},
    "accelerating": lambda n: {"order": Accelerating(rate_percent=100 + 10 * n, max_points=99)},
    "tiers": lambda n: {"tier": n % 3},
    "access_delays": {"access": [Access("s0 >= 5"), Access(None, after_ms=60_000)]},
    "shares": lambda n: {"share": 1 + n % 3},
    "ladder_of_3": {"ladder": [Step("s1", for_ms=30_000), Step("s2", for_ms=60_000), Step()]},
    "max_wait": {"max_wait_ms": 86_400_000},
    "last_agent": {"last_agent": LastAgent(within_ms=3_600_000, for_ms=30_000)},
    "overflow_rule": {"overflow": [Overflow(when="waiting >= 10000000", queue="q0")]},
    "overflow_ewt": {"overflow": [Overflow(when="ewt_s >= 10000000", queue="q0")]},
    "auto_accept": {"auto_accept": True},
    "3_offers_at_once": {"offers": 3},
    "wrap_up": {"wrap_up": WrapUp("timed", 1_000)},
    "least_occupied": {"strategy": "least_occupied"},
    "round_robin": {"strategy": "round_robin"},
    "most_skilled": {"strategy": "most_skilled"},
    "fewest_skills": {"strategy": "fewest_skills"},
    "weighted": {"strategy": "weighted"},
    "scored": {"strategy": "scored", "scorer": "level"},
}


def plan_with(name: str) -> Plan:
    """The plain plan with one setting changed on every queue."""
    change, base = FEATURES[name], plan()

    def queue(number: int, old: Queue) -> Queue:
        return attrs.evolve(old, **(change(number) if callable(change) else change))

    queues = [queue(number, old) for number, old in enumerate(base.queues.values())]
    scorers = {"level": lambda agent, _interaction, _occupancy: agent.skills.get("s0", 0)}
    return attrs.evolve(base, queues=queues, scorers=scorers)


class Runner:
    """The closed loop for any plan: what is offered is accepted, what is completed comes anew."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.loop = Loop(World(shape), Engine(plan_with(name)))
        self.dice = random.Random(1)
        loop = self.loop
        loop.fill_agents()
        for submit in loop.world.submissions(shape.waiting + 3 * shape.agents):
            loop.now_ms += 1
            loop.kinds[submit.interaction_id or ""] = submit
            self.take(loop.engine.receive(submit, loop.now_ms))
        self.step_ms = max(1, HANDLE_MS // max(1, len(loop.assignments)))

    def take(self, events: list[Any]) -> None:
        """Accept the first offer of each interaction, also those that follow from that."""
        receive, now_ms, assignments = self.loop.engine.receive, self.loop.now_ms, []
        todo, seen = events, set()
        while todo:
            new: list[Any] = []
            for event in todo:
                if type(event) is Accepted:
                    assignments.append(event.offer_id)
                    seen.add(event.interaction_id)
            for event in todo:
                if type(event) is Offered and event.interaction_id not in seen:
                    seen.add(event.interaction_id)
                    new += receive(Accept(event.offer_id), now_ms)
            todo = new
        self.loop.assignments += assignments

    def turn(self) -> int:
        """So many steps; returns the nanoseconds that they took."""
        loop = self.loop
        receive, assignments = loop.engine.receive, loop.assignments
        began = perf_counter_ns()
        for _ in range(TURN):
            loop.now_ms += self.step_ms
            index = self.dice.randrange(len(assignments))
            done = assignments[index]
            assignments[index] = assignments[-1]
            assignments.pop()
            events = receive(Complete(done), loop.now_ms)
            again = loop.kinds[events[0].interaction_id]  # type: ignore[union-attr]
            self.take(events[1:])
            self.take(receive(again, loop.now_ms))
        return perf_counter_ns() - began


def measure(name: str, shape: Shape, turns: int) -> dict[str, Any]:
    """One feature beside the plain plan."""
    mine, plain = Runner(name, shape), Runner("plain", shape)
    mine.turn(), plain.turn()
    took, beside = zip(*((mine.turn(), plain.turn()) for _ in range(turns)), strict=True)
    # Medians: one full garbage collection in one turn would be the whole difference.
    us, plain_us = (median(each) / TURN / 1_000 for each in (took, beside))
    return {"name": name, "us": us, "plain_us": plain_us, "ratio": us / plain_us}


def main() -> None:
    """Run the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--case", choices=FEATURES, help="only this feature")
    args = parser.parse_args()
    shape = Shape(name="canonical", waiting=args.waiting, agents=1_000)
    rows = []
    for name in FEATURES if args.case is None else [args.case]:
        print(f"{name} ...", file=sys.stderr)
        rows.append(measure(name, shape, 20))
    if args.json:
        found = {"engine": engine_build(), "waiting": args.waiting, "agents": 1_000, "cases": rows}
        print(json.dumps(found, indent=1))
        return
    print(f"engine: {engine_build()}")
    print(f"{'feature':20}{'us/step':>9}{'plain':>8}{'ratio':>7}")
    for row in rows:
        print(f"{row['name']:20}{row['us']:>9.1f}{row['plain_us']:>8.1f}{row['ratio']:>7.2f}")


if __name__ == "__main__":
    main()
