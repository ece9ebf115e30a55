"""A simulated day in which everything goes wrong that may: audited, repeatable, and not blind."""

from collections import Counter

import attrs
import pytest
from hypothesis import given

from omniroute import Agent
from omniroute.engine import Engine
from omniroute.engine.seen import Seen
from omniroute.errors import OmnirouteError, PlanError, UnknownNameError
from omniroute.events import CommandRejected, Duplicate
from omniroute.plan import Limits, Plan, Queue, WrapUp, WrapUpKind
from omniroute.simulation import (
    AgentGroup,
    AuditError,
    CustomerKind,
    Exponential,
    Faults,
    Poisson,
    Scenario,
    loads,
    redecide,
    simulate,
)
from scenarios import SCENARIOS

HOUR_MS = 3_600_000
ALL = Faults(
    lost=0.05,
    repeated=0.2,
    late=0.1,
    late_ms=20_000,
    restarts_per_hour=6,
    clock_steps_per_hour=10,
    clock_step_ms=30_000,
)


def scenario(faults=ALL, **changes):
    plan = Plan(
        queues=[Queue(name="help", wrap_up=WrapUp(WrapUpKind.TIMED, 10_000))],
        limits=Limits(max_waiting=1_000),
    )
    values = {
        "plan": plan,
        "customers": [
            CustomerKind(
                name="callers",
                queue="help",
                arrivals=Poisson(120),
                handle=Exponential(90_000),
                patience=Exponential(120_000),
            )
        ],
        "groups": [
            AgentGroup(
                name="all",
                agents=[Agent(id=f"a{n}") for n in range(4)],
                answer_delay=Exponential(4_000),
                decline=0.05,
                no_answer=0.05,
            )
        ],
        "duration_ms": 4 * HOUR_MS,
        "interval_ms": HOUR_MS,
        "faults": faults,
    }
    return Scenario(**{**values, **changes})


def played(faults=ALL, seed=1, **options):
    entries = []
    outcome = simulate(scenario(faults), seed=seed, audit=True, record=entries.append, **options)
    kinds = Counter(type(event) for entry in entries for event in entry.events)
    return outcome, entries, kinds


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_day_of_faults_breaks_no_law_and_is_decided_again(seed):
    outcome, entries, kinds = played(seed=seed)
    assert kinds[Duplicate] > 20
    assert kinds[CommandRejected] > 20
    assert outcome.total.completed > 250
    assert redecide(scenario().plan, entries).difference is None


def test_one_seed_is_one_run():
    assert played(seed=3)[:2] == played(seed=3)[:2]
    assert played(seed=3)[0] != played(seed=4)[0]


def test_faults_that_never_happen_change_nothing():
    assert played(Faults())[0] == played(None)[0]


def test_restarts_alone_change_nothing():
    """Whoever watches the desks does not see that the router was another one."""
    calm, _, _ = played(None)
    assert played(Faults(restarts_per_hour=20))[0] == calm


@given(SCENARIOS)
def test_any_scenario_recovers_what_it_had_counts_nothing_twice_and_breaks_no_law(found):
    """The run itself compares the first two, the auditor reads the rest."""
    simulate(attrs.evolve(found, faults=ALL), seed=0, audit=True)


#: What an engine could do wrong that only shows when something fails.
BUGS = {
    "repeats are forgotten": (Seen, "remember", lambda *_: None),
    "a restart forgets the time": (Engine, "pass_time", lambda *_: None),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug, monkeypatch):
    monkeypatch.setattr(*BUGS[bug])
    with pytest.raises(AuditError):
        played()


def test_a_replay_that_skips_is_found(monkeypatch):
    apply, seen = Engine.apply, Counter()

    def skipping(self, event):
        seen[type(event)] += 1
        if seen[type(event)] % 50:
            apply(self, event)

    monkeypatch.setattr(Engine, "apply", skipping)
    with pytest.raises((OmnirouteError, LookupError, AssertionError)):
        played()


def test_faults_are_read_from_toml():
    text = """
    [scenario]
    duration_s = 3600
    [customers.callers]
    queue = "help"
    handle_s = 60
    arrivals = { per_hour = 60 }
    [groups.desk]
    count = 2
    [faults]
    lost = 0.01
    repeated = 0.02
    repeat_s = 3
    late = 0.03
    late_s = 4.5
    restarts_per_hour = 2
    clock_steps_per_hour = 1
    clock_step_s = 10
    """
    assert loads(text, plan=scenario().plan).faults == Faults(
        lost=0.01,
        repeated=0.02,
        repeat_ms=3_000,
        late=0.03,
        late_ms=4_500,
        restarts_per_hour=2,
        clock_steps_per_hour=1,
        clock_step_ms=10_000,
    )
    with pytest.raises(UnknownNameError, match="restart_per_hour"):
        loads(text.replace("restarts_per", "restart_per"), plan=scenario().plan)


@pytest.mark.parametrize("wrong", [{"lost": 1.5}, {"late_ms": -1}, {"lost": 0.6, "late": 0.6}])
def test_faults_that_cannot_be_are_refused(wrong):
    with pytest.raises(PlanError):
        Faults(**wrong)
