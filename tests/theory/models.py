"""How theory is put beside simulation: units, scenarios, and the tolerance.

A figure passes when the mean of twelve or more independent replications lies within 3.5 standard
errors of the exact value. Where the value itself was estimated by somebody, its own standard error
is added. Seeds are fixed, and were not chosen. `make soak` runs twenty times as long, where the
same tolerance is more than four times as narrow.
"""

import math
import os
from statistics import fmean, stdev

from omniroute.model import Agent
from omniroute.plan import Capacity, HeadStart, Limits, Plan, Queue, Strategy
from omniroute.simulation import AgentGroup, CustomerKind, Exponential, Poisson, Scenario, simulate

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
REPLICATIONS = 20
#: Of how many customers were wanted for a replication.
LENGTH = 10 if SOAK else 0.5

#: One unit of model time: long against a millisecond, so that rounding to integers is nothing.
UNIT = 1_000_000
#: Nothing is cut into intervals.
LONG = 10**13
FIFO = HeadStart(0)


def queue(name="q", **more):
    """A queue whose offers are answered at once and that never turns anybody away."""
    return Queue(**{"name": name, "order": FIFO, "offer_timeout_ms": LONG, **more})


def plan(*queues, capacity=None, max_waiting=100_000):
    return Plan(
        queues=queues or [queue()],
        capacities=[capacity or Capacity()],
        limits=Limits(max_waiting=max_waiting),
    )


def kind(name, rate, mean=1.0, theta=None, **more):
    """Customers at ``rate`` per unit; handle time exponential with ``mean`` units."""
    given = {
        "name": name,
        "queue": "q",
        "arrivals": Poisson(rate * 3_600_000 / UNIT),
        "handle": Exponential(mean * UNIT),
        "patience": Exponential(UNIT / theta) if theta else None,
    }
    return CustomerKind(**{**given, **more})


def group(name, count, **more):
    skills = more.pop("skills", {})
    agents = [Agent(id=f"{name}{n}", skills=skills) for n in range(count)]
    return AgentGroup(name=name, agents=agents, **more)


def steady(plan, customers, groups, *, customers_wanted, rate, warm=0.2):
    """A run of about so many customers after a warm-up of a fifth of them."""
    length = customers_wanted * LENGTH / rate * UNIT
    return Scenario(
        plan=plan,
        customers=customers,
        groups=groups,
        warm_up_ms=int(length * warm),
        duration_ms=int(length * (1 + warm)),
        cycle_ms=LONG,
        interval_ms=LONG,
    )


def runs(scenario, count=REPLICATIONS, **more):
    return [simulate(scenario, replication=number, **more) for number in range(count)]


def units(ms):
    return None if ms is None else ms / UNIT


def agree(outcomes, expected):
    """Every figure: (how to read it, exact value[, standard error of that value])."""
    failed = []
    for name, (read, exact, *own) in expected.items():
        values = [read(outcome) for outcome in outcomes]
        mean = fmean(values)
        error = math.hypot(stdev(values) / math.sqrt(len(values)), *own)
        if not abs(mean - exact) <= 3.5 * error:
            apart = (mean - exact) / error if error else math.inf
            failed.append(f"{name}: {mean:.6g} is {apart:+.1f} standard errors off {exact:.6g}")
    assert not failed, "\n".join(failed)


__all__ = [
    "FIFO",
    "LONG",
    "SOAK",
    "UNIT",
    "Strategy",
    "agree",
    "group",
    "kind",
    "plan",
    "queue",
    "runs",
    "steady",
    "units",
]
