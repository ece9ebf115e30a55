"""Who goes first: strict bands, head starts, classes that differ, the conservation law."""

import pytest

from omniroute.model import Agent
from omniroute.plan import Accelerating, HeadStart, Strategy, Strict
from omniroute.simulation import (
    AgentGroup,
    Deterministic,
    Empirical,
    Exponential,
    Lognormal,
    Next,
    Renewal,
    Scenario,
    simulate,
)
from omniroute.simulation.erlang import erlang_c
from theory.models import (
    FIFO,
    LONG,
    SOAK,
    UNIT,
    agree,
    group,
    kind,
    plan,
    queue,
    runs,
    steady,
    units,
)

pytestmark = pytest.mark.theory


def wait(name):
    """The mean wait of one kind: each has a channel of its own to be told apart by."""
    return lambda o: units(o.by_channel()[name].asa_ms)


CHANNELS = ["voice", "chat", "email", "sms"]


def classes(rates, order, *, agents, mean=1.0, handles=None, lives=2_500):
    """One queue, one kind per rate, the first with the highest priority."""
    customers = [
        kind(
            channel,
            rate,
            channel=channel,
            priority=len(rates) - 1 - number,
            handle=handles[number] if handles else Exponential(mean * UNIT),
        )
        for number, (channel, rate) in enumerate(zip(CHANNELS, rates, strict=False))
    ]
    return steady(
        plan(queue(order=order)),
        customers,
        [group("g", agents)],
        customers_wanted=lives,
        rate=sum(rates),
    )


def cobham(rates, agents, mean=1.0):
    """Mean waits of M/M/c with strict priorities (Cobham 1954; Kella and Yechiali 1985)."""
    capacity = agents / mean
    first = erlang_c(agents, sum(rates) * mean, mean).waits / capacity
    waits, load = [], 0.0
    for rate in rates:
        before, load = load, load + rate / capacity
        waits.append(first / ((1 - before) * (1 - load)))
    return waits


#: rates, agents, mean handle time, and printed mean waits where somebody printed them
STRICT = [
    ((0.2, 0.6), 1, 1.0, (1.0, 5.0)),
    ((0.2, 0.6, 1.2), 2, 1 / 3, (0.02874, 0.03316, 0.04808)),
    ((6, 4, 6, 5), 5, 1 / 6, (0.9446 / 60, 1.4169 / 60, 2.4290 / 60, 5.3977 / 60)),
    ((3, 3, 3), 2, 1 / 5, (0.12180, 0.30451, 2.13158)),
]


@pytest.mark.parametrize(("rates", "agents", "mean", "printed"), STRICT)
def test_strict_priority(rates, agents, mean, printed):
    exact = cobham(rates, agents, mean)
    assert exact == pytest.approx(printed, rel=2e-4)
    outcomes = runs(classes(rates, Strict(), agents=agents, mean=mean, lives=4_000))
    agree(outcomes, {c: (wait(c), w) for c, w in zip(CHANNELS, exact, strict=False)})


#: M/G/1 with strict priorities: handle times, E[S], E[S^2], rates (in all units of time alike)
GENERAL = [
    ((Exponential(UNIT / 4), Deterministic(UNIT / 4)), (0.25, 0.25), (0.125, 0.0625), (2, 1)),
    (
        (Exponential(UNIT), Lognormal(UNIT / 2, 0.5), Lognormal(1.25 * UNIT, 2.0)),
        (1.0, 0.5, 1.25),
        (2.0, 0.3125, 7.8125),
        (0.2, 0.2, 0.2),
    ),
]


@pytest.mark.parametrize(("handles", "means", "squares", "rates"), GENERAL)
def test_strict_priority_with_general_handle_times(handles, means, squares, rates):
    residual = sum(r * s for r, s in zip(rates, squares, strict=True)) / 2
    load, exact = 0.0, []
    for rate, mean in zip(rates, means, strict=True):
        before, load = load, load + rate * mean
        exact.append(residual / ((1 - before) * (1 - load)))
    outcomes = runs(classes(rates, Strict(), agents=1, handles=handles, lives=4_000))
    agree(outcomes, {c: (wait(c), w) for c, w in zip(CHANNELS, exact, strict=False)})


def test_a_head_start():
    """A credit of 1.5 handle times: simulated elsewhere with 3 x 1 million arrivals."""
    order = HeadStart(ms_per_point=3 * UNIT // 2)
    outcomes = runs(classes((0.4, 0.4), order, agents=1, lives=6_000))
    agree(
        outcomes,
        {
            "voice": (wait("voice"), 3.560, 0.005 / 1.96),
            "chat": (wait("chat"), 4.409, 0.008 / 1.96),
        },
    )


def ageing(rates, slopes, agents):
    """Mean waits when priority is slope x wait, steepest first (Kleinrock 1964)."""
    load = [rate / agents for rate in rates]
    served = erlang_c(agents, sum(rates), 1.0).waits / agents
    waits = [0.0] * len(rates)
    for p in reversed(range(len(rates))):
        slower = sum(
            load[i] * waits[i] * (1 - slopes[i] / slopes[p]) for i in range(p + 1, len(rates))
        )
        faster = sum(load[i] * (1 - slopes[p] / slopes[i]) for i in range(p))
        waits[p] = (served / (1 - sum(load)) - slower) / (1 - faster)
    return waits


#: rates, slopes, agents, and the mean waits as they were computed elsewhere
AGEING = [
    ((0.4, 0.4), (2, 1), 1, (3.0, 5.0)),
    ((0.3, 0.3, 0.2), (4, 2, 1), 1, (2.44706, 3.95294, 6.4)),
    ((2.0, 2.4), (3, 1), 5, (0.67485, 1.63270)),
]


@pytest.mark.parametrize(("rates", "slopes", "agents", "printed"), AGEING)
def test_linear_ageing(rates, slopes, agents, printed):
    """A queue per class, whose points grow so many times as fast as time."""
    exact = ageing(rates, slopes, agents)
    assert exact == pytest.approx(printed, abs=5e-5)
    names = CHANNELS[: len(rates)]
    lines = [
        queue(name, order=Accelerating(rate_percent=100 * slope))
        for name, slope in zip(names, slopes, strict=True)
    ]
    customers = [
        kind(name, rate, queue=name, channel=name) for name, rate in zip(names, rates, strict=True)
    ]
    scenario = steady(
        plan(*lines), customers, [group("g", agents)], customers_wanted=4_000, rate=sum(rates)
    )
    agree(runs(scenario), {n: (wait(n), w) for n, w in zip(names, exact, strict=True)})


@pytest.mark.parametrize("order", [FIFO, Strict(), HeadStart(UNIT), Accelerating()], ids=repr)
def test_the_conservation_law(order):
    """Whoever goes first: the waits, weighted by load, add up to those of first come first served."""
    rates, agents = (0.9, 1.2), 3
    exact = sum(rates) * erlang_c(agents, sum(rates), 1.0).wait_ms
    total = lambda o: sum(r * wait(c)(o) for c, r in zip(CHANNELS, rates, strict=False))
    agree(runs(classes(rates, order, agents=agents)), {"sum": (total, exact)})


def test_the_order_of_equals_does_not_change_the_mean():
    """Common handle times: on one path of arrivals, the total wait differs by no customer's share."""
    world = classes((0.9, 1.2), FIFO, agents=3)
    strict = plan(queue(order=Strict()))
    for number in range(3):
        fair = simulate(world, replication=number)
        hard = simulate(world, replication=number, plan=strict)
        assert hard.total.accepted == pytest.approx(fair.total.accepted, abs=20)
        assert hard.waiting == pytest.approx(fair.waiting, rel=0.3)


# --- networks ---------------------------------------------------------------------------


def test_a_jackson_network():
    """Three stations, customers who move between them; mu 10, one, two and one agent."""
    outside, rates = (1, 4, 3), (5, 10, 7.5)
    moves = {0: {1: 0.6, 2: 0.3}, 1: {0: 0.1, 2: 0.3}, 2: {0: 0.4, 1: 0.4}}
    customers = [
        kind(
            f"c{n}",
            outside[n],
            0.1,
            queue=f"q{n}",
            channel=CHANNELS[n],
            next=[Next(f"c{m}", p) for m, p in moves[n].items()],
        )
        for n in range(3)
    ]
    groups = [group(f"g{n}", count, skills={f"s{n}": 1}) for n, count in enumerate((1, 2, 1))]
    queues = [queue(f"q{n}", members=f"s{n} >= 1") for n in range(3)]
    outcomes = runs(steady(plan(*queues), customers, groups, customers_wanted=2_000, rate=8))
    length = lambda o: (o.to_ms - o.from_ms) / UNIT
    expected = {"in the network": (lambda o: o.waiting + o.serving, 16 / 3)}
    for n, in_station in enumerate((1, 4 / 3, 3)):
        row = lambda o, n=n: o.by_queue()[f"q{n}"]
        expected[f"rate {n}"] = (lambda o, row=row: row(o).arrived / length(o), rates[n])
        expected[f"in {n}"] = (
            lambda o, row=row: (row(o).wait_ms + row(o).handle_ms) / (o.to_ms - o.from_ms),
            in_station,
        )
    agree(outcomes, expected)


# --- ties -------------------------------------------------------------------------------


def test_able_and_baker():
    """Integer minutes, so that everything happens at once: the rule of ties decides the figures.

    Banks et al., "Discrete-event system simulation", example 2.2; values from the Markov chain.
    """
    minutes = lambda low, *weights: Empirical(
        [60_000 * (low + n) for n in range(len(weights))], weights
    )
    customers = [kind("c", 1, arrivals=Renewal(minutes(1, 25, 40, 20, 15)))]
    able, baker = minutes(2, 30, 28, 25, 17), minutes(3, 35, 25, 20, 20)
    groups = [
        AgentGroup(name=n, agents=[Agent(id=n, skills={"x": level})], handle={"c": times})
        for n, level, times in (("able", 2, able), ("baker", 1, baker))
    ]
    length = 60_000 * (90_000 if SOAK else 4_500)
    scenario = Scenario(
        plan=plan(queue(members="x >= 1", strategy=Strategy.MOST_SKILLED)),
        customers=customers,
        groups=groups,
        warm_up_ms=length // 10,
        duration_ms=length,
        cycle_ms=LONG,
        interval_ms=LONG,
    )
    served = lambda o: {one.group: one.count for one in o.served}
    agree(
        runs(scenario),
        {
            "E[delay]": (lambda o: o.total.asa_ms / 60_000, 0.863902),
            "P(delay)": (lambda o: o.total.delayed, 0.391301),
            "to Able": (lambda o: served(o)["able"] / sum(served(o).values()), 0.605505),
            "Able busy": (lambda o: o.group("able").occupancy, 0.885383),
            "Baker busy": (lambda o: o.group("baker").occupancy, 0.745157),
        },
    )
