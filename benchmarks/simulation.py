"""How fast simulation is, beside SimPy and Ciw on the same models, in turns in one process.

    python benchmarks/simulation.py [--json] [--plain] [--customers N] [--rounds N]

Two models: M/M/50 at 95 % load, and M/M/5 at 90 % load with two priority classes. SimPy runs a
hand-written model of a dozen lines that keeps the waits, Ciw its own description of a network; both
are written the plainest way, without priorities where there is one class. omniroute runs its full
router: queues, strategies, offers (accepted at once: the others know none), events, and the tally
of a report. All of them report a mean wait, printed beside the exact one, so that everybody can see
they simulate the same thing. Times are processor time, which other programs on the machine disturb
least, and the best of the rounds, per customer; ratios are to omniroute.

After `make compiled` it measures twice, the second time the plain sources in a process of their own
(``--plain`` alone), each beside its own runs of the others.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
from collections.abc import Callable, Generator
from time import process_time
from typing import Any, NamedTuple

import ciw
import simpy
from engine_build import engine_build, take_sources

if "--plain" in sys.argv:
    take_sources()

from omniroute.model import Agent
from omniroute.plan import Plan, Queue, Strict
from omniroute.simulation import AgentGroup, CustomerKind, Exponential, Poisson, Scenario, simulate
from omniroute.simulation.erlang import erlang_c


class Model(NamedTuple):
    """Poisson arrivals by class (per unit of time, first class first), ``agents`` at rate 1."""

    name: str
    rates: tuple[float, ...]
    agents: int

    @property
    def load(self) -> float:
        """Arrivals of all classes together."""
        return sum(self.rates)


MODELS = (Model("M/M/50 at 95 %", (47.5,), 50), Model("M/M/5, two priorities", (1.5, 3.0), 5))

#: A unit of time in milliseconds: an average handle time of three minutes.
UNIT_MS = 180_000


def with_omniroute(model: Model, customers: int, seed: int) -> tuple[int, float]:
    """Simulate about so many customers; (how many, mean wait in units)."""
    scenario = Scenario(
        plan=Plan(queues=[Queue(name="q", order=Strict(), auto_accept=True)]),
        customers=[
            CustomerKind(
                name=f"class {number}",
                queue="q",
                priority=len(model.rates) - number,
                arrivals=Poisson(rate * 3_600_000 / UNIT_MS),
                handle=Exponential(UNIT_MS),
            )
            for number, rate in enumerate(model.rates)
        ],
        groups=[AgentGroup(name="g", agents=[Agent(id=f"a{n}") for n in range(model.agents)])],
        duration_ms=round(customers / model.load * UNIT_MS),
    )
    outcome = simulate(scenario, seed=seed)
    return outcome.interactions, (outcome.total.asa_ms or 0) / UNIT_MS


def with_simpy(model: Model, customers: int, seed: int) -> tuple[int, float]:
    """The same with a process per customer."""
    rng = random.Random(seed)
    env = simpy.Environment()
    by_class = len(model.rates) > 1
    servers = (simpy.PriorityResource if by_class else simpy.Resource)(env, model.agents)
    waits: list[float] = []

    def customer(*priority: int) -> Generator[Any, Any, None]:
        arrived = env.now
        with servers.request(*priority) as turn:
            yield turn
            waits.append(env.now - arrived)
            yield env.timeout(rng.expovariate(1.0))

    def source(rate: float, *priority: int) -> Generator[Any, Any, None]:
        while True:
            yield env.timeout(rng.expovariate(rate))
            env.process(customer(*priority))

    for priority, rate in enumerate(model.rates):
        env.process(source(rate, priority) if by_class else source(rate))
    env.run(customers / model.load)
    return len(waits), sum(waits) / len(waits)


def with_ciw(model: Model, customers: int, seed: int) -> tuple[int, float]:
    """The same as a network of one node."""
    ciw.seed(seed)
    simulation = ciw.Simulation(_network(model))
    simulation.simulate_until_max_time(customers / model.load)
    waits = [record.waiting_time for record in simulation.get_all_records()]
    return len(waits), sum(waits) / len(waits)


def _network(model: Model) -> Any:
    if len(model.rates) == 1:
        return ciw.create_network(
            arrival_distributions=[ciw.dists.Exponential(model.load)],
            service_distributions=[ciw.dists.Exponential(1.0)],
            number_of_servers=[model.agents],
        )
    names = [f"class {number}" for number in range(len(model.rates))]
    rates = zip(names, model.rates, strict=True)
    return ciw.create_network(
        arrival_distributions={name: [ciw.dists.Exponential(rate)] for name, rate in rates},
        service_distributions={name: [ciw.dists.Exponential(1.0)] for name in names},
        number_of_servers=[model.agents],
        priority_classes={name: number for number, name in enumerate(names)},
    )


RIVALS: dict[str, Callable[[Model, int, int], tuple[int, float]]] = {
    "omniroute": with_omniroute,
    "SimPy": with_simpy,
    "Ciw": with_ciw,
}


def measure(model: Model, customers: int, rounds: int) -> dict[str, Any]:
    """Best time per customer of each, taken in turns."""
    best = dict.fromkeys(RIVALS, float("inf"))
    waits: dict[str, list[float]] = {name: [] for name in RIVALS}
    for number in range(rounds):
        for name, play in RIVALS.items():
            began = process_time()
            count, wait = play(model, customers, number)
            best[name] = min(best[name], (process_time() - began) / count)
            waits[name].append(wait)
    return {
        "model": model.name,
        "customers": customers,
        "exact_wait": erlang_c(model.agents, model.load, 1.0).wait_ms,
        "mean_wait": {name: sum(found) / rounds for name, found in waits.items()},
        "us_per_customer": {name: 1e6 * seconds for name, seconds in best.items()},
        "ratio": {name: seconds / best["omniroute"] for name, seconds in best.items()},
    }


def measure_all(customers: int, rounds: int) -> dict[str, Any]:
    """Both models, by the engine that is imported here."""
    return {
        "machine": f"{platform.python_implementation()} {platform.python_version()}",
        "engine": engine_build(),
        "cases": [measure(model, customers, rounds) for model in MODELS],
    }


def the_plain_sources(customers: int, rounds: int) -> dict[str, Any]:
    """The same in another process, which takes the sources."""
    options = ["--plain", "--json", "--customers", str(customers), "--rounds", str(rounds)]
    command = [sys.executable, __file__, *options]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - this file
    (found,) = json.loads(done.stdout)
    plain: dict[str, Any] = found
    return plain


def show(found: dict[str, Any]) -> None:
    """For people."""
    print(f"engine: {found['engine']}")
    for case in found["cases"]:
        print(f"{case['model']} (exact mean wait {case['exact_wait']:.4f})")
        for name, us in case["us_per_customer"].items():
            wait = case["mean_wait"][name]
            rate = 1e6 / us
            print(f"  {name:<10}{us:8.1f} us {rate:10,.0f}/s {case['ratio'][name]:7.2f} x", end="")
            print(f"   mean wait {wait:.4f}")


def main() -> None:
    """Print tables, or a JSON list of one object per engine."""
    parser = argparse.ArgumentParser(description="omniroute's simulation beside SimPy and Ciw")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plain", action="store_true", help="the sources, compiled or not")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found = [measure_all(args.customers, args.rounds)]
    if engine_build() == "compiled":
        found.append(the_plain_sources(args.customers, args.rounds))
    if args.json:
        print(json.dumps(found, indent=2))
        return
    for each in found:
        show(each)


if __name__ == "__main__":
    main()
