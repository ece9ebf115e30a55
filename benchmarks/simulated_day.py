"""A day of a large centre through the full engine: how long it takes, and in how much memory.

    python benchmarks/simulated_day.py [--json] [--plain] [--share N]

1,000 agents in four shifts, 20 queues of five channels, 200,000 interactions from midnight to
midnight. Agents differ in skills and levels, take three chats at once and answer after a moment;
of a hundred offers they decline one and let one ring out. Customers give up. ``--share`` takes a
part of the day.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
from time import process_time

from engine_build import engine_build, take_sources

if "--plain" in sys.argv:
    take_sources()

from omniroute.model import Agent, Channel
from omniroute.plan import Capacity, Plan, Queue, Skill
from omniroute.simulation import (
    AgentGroup,
    CustomerKind,
    Exponential,
    Lognormal,
    Outcome,
    Poisson,
    Scenario,
    Shift,
    simulate,
)

HOUR_MS = 3_600_000
TOPICS = ("sales", "support", "orders", "claims")
#: channel -> mean handle time in seconds
CHANNELS = {
    Channel.VOICE: 150,
    Channel.CHAT: 240,
    Channel.EMAIL: 120,
    Channel.SMS: 90,
    Channel.WHATSAPP: 120,
}
#: how busy each hour is
PATTERN = (2, 1, 1, 1, 2, 4, 8, 14, 19, 20, 20, 18, 16, 17, 18, 18, 16, 14, 11, 8, 5, 4, 3, 2)
#: (begins, ends, how many groups of 50 work then), in hours
SHIFTS = ((0, 8, 2), (6, 15, 9), (12, 21, 7), (16, 24, 2))


def plan() -> Plan:
    """A queue for each topic and channel."""
    return Plan(
        queues=[
            Queue(name=f"{topic} {channel.value}", members=f"{topic} >= 1", offer_timeout_ms=15_000)
            for topic in TOPICS
            for channel in CHANNELS
        ],
        skills=[Skill(topic) for topic in TOPICS],
        capacities=[Capacity(budget=3, costs={"voice": 3, "email": 3, "*": 1})],
    )


def customers(interactions: int) -> list[CustomerKind]:
    """Every queue has as many."""
    each = interactions / (len(TOPICS) * len(CHANNELS)) / sum(PATTERN)
    return [
        CustomerKind(
            name=f"{topic} {channel.value}",
            queue=f"{topic} {channel.value}",
            channel=channel,
            arrivals=Poisson([each * busy for busy in PATTERN]),
            handle=Lognormal(1_000 * handle_s, 0.9),
            patience=Exponential(300_000),
        )
        for topic in TOPICS
        for channel, handle_s in CHANNELS.items()
    ]


def agents(share: float) -> list[AgentGroup]:
    """Groups of 50, each agent with two of the topics."""
    dice = random.Random(1)
    begins = [shift for shift in SHIFTS for _ in range(shift[2])]
    return [
        AgentGroup(
            name=f"group {number}",
            agents=[
                Agent(
                    id=f"{number}-{n}",
                    skills={topic: dice.randint(1, 10) for topic in dice.sample(TOPICS, 2)},
                )
                for n in range(max(1, round(50 * share)))
            ],
            shifts=[Shift(from_h * HOUR_MS, to_h * HOUR_MS)],
            answer_delay=Exponential(3_000),
            decline=0.01,
            no_answer=0.01,
        )
        for number, (from_h, to_h, _) in enumerate(begins)
    ]


def play(share: float) -> tuple[Outcome, float]:
    """The outcome, and the processor time in seconds."""
    day = Scenario(
        plan=plan(),
        customers=customers(round(200_000 * share)),
        groups=agents(share),
        duration_ms=24 * HOUR_MS,
        drain=True,
    )
    began = process_time()
    outcome = simulate(day)
    return outcome, process_time() - began


def main() -> None:
    """Print a few lines, or JSON."""
    parser = argparse.ArgumentParser(description="a day of a large centre, simulated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plain", action="store_true", help="the sources, compiled or not")
    parser.add_argument("--share", type=float, default=1.0, help="of customers and agents")
    args = parser.parse_args()
    outcome, seconds = play(args.share)
    found = {
        "engine": engine_build(),
        "interactions": outcome.interactions,
        "seconds": round(seconds, 2),
        "us_per_interaction": round(1e6 * seconds / outcome.interactions, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "occupancy": outcome.occupancy,
        "abandonment": outcome.total.abandonment,
    }
    if args.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:<20}{value:,.3f}" if isinstance(value, float) else f"{name:<20}{value}")


if __name__ == "__main__":
    main()
