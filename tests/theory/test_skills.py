"""Several kinds of customers and agents: V, N, W, pooling, fairness, chats side by side.

Where no source is named the values are those of a Markov chain solved exactly.
"""

import attrs
import pytest

from omniroute.model import Agent
from omniroute.plan import Access, Capacity, Limits, Plan, Step, Strategy
from omniroute.simulation import AgentGroup, Exponential
from omniroute.simulation.erlang import erlang_a
from theory.models import UNIT, agree, group, kind, plan, queue, runs, steady, units

pytestmark = pytest.mark.theory


def row(name):
    return lambda o: o.by_queue()[name]


def per_arrival(name):
    """What is known of a queue: P(no agent free), P(abandoned), mean wait with abandoned ones."""
    return (
        lambda o: row(name)(o).delayed,
        lambda o: row(name)(o).abandonment,
        lambda o: units(row(name)(o).queue_ms),
    )


def expectations(exact, occupancy):
    expected = {
        f"{figure} of {name}": (read, value)
        for name, values in exact.items()
        for figure, read, value in zip(
            ("P(wait)", "P(A)", "E[W]"), per_arrival(name), values, strict=True
        )
    }
    expected |= {
        f"occupancy of {name}": (lambda o, name=name: o.group(name).occupancy, value)
        for name, value in occupancy.items()
    }
    return expected


def test_v_design():
    """Two classes, one pool; the first goes first."""
    queues = [queue("q0"), queue("q1", tier=1)]
    customers = [
        kind("c0", 0.6, 2.5, 0.2, queue="q0"),
        kind("c1", 1.2, 2.5, 0.1, queue="q1"),
    ]
    scenario = steady(plan(*queues), customers, [group("g", 4)], customers_wanted=4_000, rate=1.8)
    exact = {"q0": (0.804535, 0.119161, 0.595804), "q1": (0.804535, 0.219026, 2.190259)}
    agree(runs(scenario), expectations(exact, {"g": 0.916045}))


def preferring(name, tier=0, **more):
    """A queue that takes the agents who know it best first."""
    return queue(name, tier=tier, members=f"{name} >= 1", strategy=Strategy.MOST_SKILLED, **more)


def test_n_design():
    """Class 0 prefers pool A and overflows to B, which serves class 1 first."""
    queues = [preferring("q0", tier=1), preferring("q1")]
    customers = [kind(f"c{n}", 0.8, 2.5, 0.1, queue=f"q{n}") for n in (0, 1)]
    groups = [group("A", 2, skills={"q0": 2}), group("B", 3, skills={"q0": 1, "q1": 2})]
    scenario = steady(plan(*queues), customers, groups, customers_wanted=4_000, rate=1.6)
    exact = {"q0": (0.385158, 0.055184, 0.551836), "q1": (0.602470, 0.087354, 0.873540)}
    agree(runs(scenario), expectations(exact, {"A": 0.685544, "B": 0.781279}))


def test_w_design_with_balking():
    """Three classes, two pools, the middle class served by both and first at both; per hour."""
    queues = [preferring("q0", tier=1), preferring("q1"), preferring("q2", tier=1)]
    rates, thetas, balks = (60, 120, 60), (12, 6, 12), (0.08, 0.06, 0.08)
    customers = [
        kind(f"c{n}", rates[n], 1 / 60, thetas[n], queue=f"q{n}", balk=balks[n]) for n in range(3)
    ]
    groups = [
        group("p0", 1, skills={"q0": 1, "q1": 2}),
        group("p1", 2, skills={"q1": 1, "q2": 1}),
    ]
    scenario = steady(plan(*queues), customers, groups, customers_wanted=6_000, rate=240)
    waits = {"q0": 0.968948, "q1": 0.849507, "q2": 0.867716}
    balked = {"q0": 0.077516, "q1": 0.050970, "q2": 0.069417}
    left = {"q0": 0.511291, "q1": 0.055061, "q2": 0.328291}
    times = {"q0": 0.042608, "q1": 0.009177, "q2": 0.027358}
    expected = {
        "p0": (lambda o: o.group("p0").occupancy, 0.968948),
        "p1": (lambda o: o.group("p1").occupancy, 0.916237),
    }
    for n, value in waits.items():
        expected |= {
            f"P(wait) {n}": (lambda o, n=n: row(n)(o).delayed, value),
            f"P(balk) {n}": (lambda o, n=n: row(n)(o).balked / row(n)(o).arrived, balked[n]),
            f"P(A) {n}": (
                lambda o, n=n: (row(n)(o).abandoned - row(n)(o).balked) / row(n)(o).arrived,
                left[n],
            ),
            f"E[W] {n}": (lambda o, n=n: units(row(n)(o).queue_ms), times[n]),
        }
    agree(runs(scenario), expected)


#: Rates of class a and b; mean waits; idle shares of the agent for both and of the one for b.
ALIS = [((0.3, 0.3), (0.57584, 0.07511), (0.606186, 0.793814), 1e-5),
        ((0.4, 0.5), (0.996, 0.2133), (0.4424, 0.6576), 1e-3)]  # fmt: skip


@pytest.mark.parametrize(("rates", "waits", "idle", "error"), ALIS)
def test_first_come_first_served_by_the_longest_idle(rates, waits, idle, error):
    queues = [queue("a", members="a >= 1"), queue("b", members="b >= 1")]
    customers = [kind(name, rate, queue=name) for name, rate in zip("ab", rates, strict=True)]
    groups = [group("both", 1, skills={"a": 1, "b": 1}), group("only", 1, skills={"b": 1})]
    scenario = steady(plan(*queues), customers, groups, customers_wanted=4_000, rate=sum(rates))
    agree(
        runs(scenario),
        {
            "a": (lambda o: units(row("a")(o).asa_ms), waits[0], error),
            "b": (lambda o: units(row("b")(o).asa_ms), waits[1], error),
            "both": (lambda o: 1 - o.group("both").occupancy, idle[0], error),
            "only": (lambda o: 1 - o.group("only").occupancy, idle[1], error),
        },
    )


def stationary(moves, states):
    """The shares of time of a chain: ``moves(state)`` gives (rate, next); by its jumps."""
    shares = dict.fromkeys(states, 1 / len(states))
    fastest = max(sum(rate for rate, _ in moves(state)) for state in states)
    for _ in range(20_000):
        after = dict.fromkeys(states, 0.0)
        for state, share in shares.items():
            stays = share
            for rate, to in moves(state):
                after[to] += share * rate / fastest
                stays -= share * rate / fastest
            after[state] += stays
        if max(abs(after[state] - shares[state]) for state in states) < 1e-14:
            break
        shares = after
    return shares


FAST, SLOW, RATE, LONGEST = 1.5, 0.5, 1.2, 60


def two_servers(first_idle):
    """Shares of time: n in the system and who is busy; ``first_idle``: who is taken of two idle.

    States are ("idle", who became idle first), ("one", who is busy) and the number from two on.
    """
    states = [("idle", 0), ("idle", 1), ("one", 0), ("one", 1), *range(2, LONGEST)]
    speed = (FAST, SLOW)

    def moves(state):
        if isinstance(state, int):
            if state + 1 < LONGEST:
                yield RATE, state + 1
            for who in (0, 1):
                yield speed[who], state - 1 if state > 2 else ("one", 1 - who)
        elif state[0] == "idle":
            yield RATE, ("one", first_idle(state[1]))
        else:
            yield RATE, 2
            yield speed[state[1]], ("idle", 1 - state[1])

    return stationary(moves, states)


#: Who of two idle agents gets a call: the fast one, or whoever is idle longest.
CHOICES = {
    Strategy.MOST_SKILLED: lambda _longest: 0,
    Strategy.LONGEST_IDLE: lambda longest: longest,
}


@pytest.mark.parametrize("strategy", CHOICES)
def test_fastest_first_and_longest_idle_first(strategy):
    """Two agents, one three times as fast: the exact chain says how busy each is."""
    shares = two_servers(CHOICES[strategy])
    waiting = sum((n - 2) * share for n, share in shares.items() if isinstance(n, int))
    both = sum(share for n, share in shares.items() if isinstance(n, int))
    groups = [
        group("fast", 1, skills={"speed": 2}, handle={"c": Exponential(UNIT / FAST)}),
        group("slow", 1, skills={"speed": 1}, handle={"c": Exponential(UNIT / SLOW)}),
    ]
    line = queue(members="speed >= 1", strategy=strategy)
    scenario = steady(plan(line), [kind("c", RATE)], groups, customers_wanted=3_000, rate=RATE)
    agree(
        runs(scenario),
        {
            "E[W]": (lambda o: units(o.total.asa_ms), waiting / RATE),
            "fast": (lambda o: o.group("fast").occupancy, shares["one", 0] + both),
            "slow": (lambda o: o.group("slow").occupancy, shares["one", 1] + both),
        },
    )


# --- pooling ----------------------------------------------------------------------------


def pool(skills):
    """Six types, 15 primary agents each, 30 places, load 84; each agent has so many skills."""
    level = lambda n: 2 if n == 0 else 1
    groups = [
        AgentGroup(
            name=f"g{p}",
            agents=[
                Agent(
                    id=f"{p}-{i}",
                    skills={f"t{t}": level(n) for n, t in enumerate(own(p, i, skills))},
                )
                for i in range(15)
            ],
        )
        for p in range(6)
    ]
    queues = [preferring(f"t{n}", access=own_first(f"t{n}")) for n in range(6)]
    customers = [kind(f"c{n}", 14, queue=f"t{n}") for n in range(6)]
    return steady(plan(*queues, max_waiting=30), customers, groups, customers_wanted=4_000, rate=84)


def own_first(name):
    """A freed agent takes his primary queue first, then the oldest of the others."""
    return Access(f"{name} >= 2", tier=0), Access(tier=1)


def own(primary, number, skills):
    others = [(primary + 1 + (number + k) % 5) % 6 for k in range(skills - 1)]
    return [primary, *others]


def test_no_pooling_is_six_small_centres():
    """One skill each, and five places for each type: six times M/M/15/20."""
    exact = erlang_a(15, 14, 1.0, places=20)
    scenario = pool(1)
    lines = [attrs.evolve(line, max_waiting=5) for line in scenario.plan.queues.values()]
    agree(
        runs(attrs.evolve(scenario, plan=plan(*lines))),
        {
            "P(blocked)": (lambda o: o.total.rejection, exact.blocked),
            "P(wait)": (lambda o: o.total.delayed, exact.waits),
            "E[W]": (lambda o: units(o.total.asa_ms), exact.wait_ms),
            "P(W <= 30 s)": (
                lambda o: o.wait_histogram().share_within(UNIT // 20),
                exact.answered_within(0.05),
            ),
        },
    )


def test_all_skills_are_one_big_centre():
    exact = erlang_a(90, 84, 1.0, places=120)
    agree(
        runs(pool(6)),
        {
            "P(blocked)": (lambda o: o.total.rejection, exact.blocked),
            "P(wait)": (lambda o: o.total.delayed, exact.waits),
            "E[W]": (lambda o: units(o.total.asa_ms), exact.wait_ms),
            "P(W <= 30 s)": (
                lambda o: o.wait_histogram().share_within(UNIT // 20),
                exact.answered_within(0.05),
            ),
        },
    )


#: skills: P(blocked), P(wait | entered), E[W] in seconds of 600, each with its 95 % interval, and the
#: share served by primary agents; simulated elsewhere with 10 x 1 million arrivals.
POOLING = {
    1: ((0.03866, 0.00048), (0.5557, 0.0016), (147.6, 0.7), 1.0),
    2: ((0.00420, 0.00017), (0.4222, 0.0042), (35.15, 0.56), 0.7424),
    4: ((0.00364, 0.00015), (0.3840, 0.0052), (27.49, 0.65), 0.6847),
    6: ((0.00358, 0.00021), (0.3758, 0.0043), (26.55, 0.41), 0.6797),
}


@pytest.mark.parametrize("skills", POOLING)
def test_pooling_as_it_was_simulated_elsewhere(skills):
    """Thirty shared places, so one skill each is not six small centres."""
    blocked, waits, wait, primary = POOLING[skills]
    by_primary = lambda o: (
        sum(one.count for one in o.served if one.group[1:] == one.queue[1:])
        / sum(one.count for one in o.served)
    )
    expected = {
        "P(blocked)": (lambda o: o.total.rejection, blocked[0], blocked[1] / 1.96),
        "P(wait)": (lambda o: o.total.delayed, waits[0], waits[1] / 1.96),
        "E[W]": (lambda o: 600 * units(o.total.asa_ms), wait[0], wait[1] / 1.96),
    }
    if skills > 1:
        expected["primary"] = (by_primary, primary, 0.001)
    agree(runs(pool(skills), 12), expected)


def test_two_skills_are_almost_all():
    """Wallace and Whitt's finding, as an order: one skill is far worse than two, two near six."""
    one, two, six = (sum(o.total.asa_ms for o in runs(pool(n), count=4)) for n in (1, 2, 6))
    assert two - six < 0.25 * (one - six)


# --- chats ------------------------------------------------------------------------------

#: rate per minute; P(wait), P(abandon), E[Q], chats in service, mean handle time, P(agent busy)
CHATS = [
    (1.0, (0.112786, 0.023437, 0.117183, 5.043332, 5.164367, 0.891266)),
    (1.2, (0.251406, 0.058611, 0.351664, 6.204480, 5.492308, 0.943308)),
]


@pytest.mark.parametrize(("rate", "values"), CHATS)
def test_three_chats_at_a_time(rate, values):
    """Three agents with three slots; together they finish .25, .40, .48 chats a minute."""
    queues = [queue(strategy=Strategy.LEAST_OCCUPIED)]
    centre = plan(*queues, capacity=Capacity(budget=3))
    customers = [kind("c", rate, 4.0, 0.2, channel="chat")]
    groups = [group("g", 3, slow_down=(1.0, 0.8, 0.64))]
    scenario = steady(centre, customers, groups, customers_wanted=4_000, rate=rate)
    waits, abandons, waiting, serving, handle, busy = values
    agree(
        runs(scenario),
        {
            "P(wait)": (lambda o: o.total.delayed, waits),
            "P(A)": (lambda o: o.total.abandonment, abandons),
            "E[Q]": (lambda o: o.waiting, waiting),
            "in service": (lambda o: o.serving, serving),
            "handle time": (lambda o: units(o.total.aht_ms), handle),
            "busy": (lambda o: o.occupancy, busy),
        },
    )


# --- ladders ----------------------------------------------------------------------------


def test_a_ladder_that_opens_at_once_is_no_ladder():
    """Two pools apart for no time at all are one pool: M/M/c."""
    ladder = (Step("a >= 1", for_ms=1), Step("any >= 1"))
    centre = Plan(queues=[queue(ladder=ladder)], limits=Limits(max_waiting=10**5))
    groups = [group("a", 2, skills={"a": 1, "any": 1}), group("b", 2, skills={"any": 1})]
    customers = [kind("c", 3.2, handle=Exponential(UNIT))]
    scenario = steady(centre, customers, groups, customers_wanted=3_000, rate=3.2)
    exact = erlang_a(4, 3.2, 1.0, places=400)
    agree(runs(scenario), {"E[W]": (lambda o: units(o.total.asa_ms), exact.wait_ms)})
