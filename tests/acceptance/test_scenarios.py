"""What other routers do, as scenarios in words of our own: given a plan, when that, then this.

``scenarios/switches.toml`` follows numbered behaviours that open-source and hosted routers test or
document (`script` explains the language); what is not covered stands in ``left_out.toml``, with its
reason. ``scenarios/vendors.toml`` has a worked example of each routing semantic of the large vendors.
Every scenario runs on the engine, on an engine that is restored from a snapshot after each line, and,
where the plan does not change while it runs, on the slow model.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from acceptance.script import Play
from engine.naive import NaiveEngine
from omniroute.engine import Counts, Engine
from omniroute.plan import Severity, check, loads

HERE = Path(__file__).parent / "scenarios"
#: The behaviours that are numbered.
NUMBERED = {*range(1, 37), *range(63, 90), *range(106, 116)}
SEMANTICS = {
    "matching",
    "head start",
    "acceleration",
    "delay",
    "ladder",
    "offer",
    "capacity",
    "agent choice",
    "borrowing",
    "measures",
    "others",
}


def by_attribute(agent, interaction, occupancy):
    """A scoring function: the agent's attribute `score`."""
    return agent.attributes.get("score", 0)


SCORERS = {"by_attribute": by_attribute}


def read(name):
    return tomllib.loads((HERE / name).read_text("utf-8"))


SWITCHES, VENDORS = read("switches.toml")["scenario"], read("vendors.toml")["scenario"]
LEFT_OUT = read("left_out.toml")["left_out"]
SCENARIOS = {f"{n}-{s['name']}": s for n, s in enumerate([*SWITCHES, *VENDORS])}


def plan_of(scenario):
    return loads(scenario["plan"], "scenario", scorers=SCORERS)


def play(scenario, engine, **how):
    plan = plan_of(scenario)
    played = Play(plan, engine(plan), **how)
    played.plans = scenario.get("plans", {})
    for line in scenario["script"].strip().splitlines():
        if line.strip():
            found, wanted = played.line(line)
            assert found == wanted, line
    return played.engine


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engine_plays_it(name):
    play(SCENARIOS[name], Engine)


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_engine_that_is_restored_after_every_line_plays_it(name):
    play(SCENARIOS[name], Engine, restored=True)


MODELLED = [
    name
    for name, scenario in SCENARIOS.items()
    if "order" not in scenario["script"] and "plans" not in scenario
]


@pytest.mark.parametrize("name", MODELLED)
def test_the_model_plays_it(name):
    play(SCENARIOS[name], NaiveEngine)


@pytest.mark.parametrize("name", SCENARIOS)
def test_its_plan_has_no_error(name):
    found = [f for f in check(plan_of(SCENARIOS[name])) if f.severity is Severity.ERROR]
    assert [f.code for f in found] == SCENARIOS[name].get("errors", [])


#: What was counted in the end: accepted in time / accepted, / offered, with abandons in time.
LEVELS = {
    "one accepted in time, one too late, one gone in time": (1 / 2, 1 / 3, 2 / 3),
    "what the definitions of the service level count": (1 / 2, 1 / 4, 2 / 4),
}


@pytest.mark.parametrize("named", LEVELS)
def test_each_definition_of_the_service_level(named):
    [scenario] = [s for s in SCENARIOS.values() if s["name"] == named]
    engine = play(scenario, Engine)
    [queue] = engine.statistics().queues.values()
    counts = Counts.total(queue.channels.values())
    assert LEVELS[named] == (
        counts.service_level_answered,
        counts.service_level_offered,
        counts.service_level_abandons_in_time,
    )


def test_every_number_is_covered_or_has_a_reason():
    covered = [number for scenario in SWITCHES for number in scenario["numbers"]]
    left_out = [number for row in LEFT_OUT for number in row["numbers"]]
    assert sorted({*covered, *left_out}) == sorted(NUMBERED)
    assert not {*covered} & {*left_out}
    assert all(row["why"] and row["instead"] for row in LEFT_OUT)


def test_every_semantic_has_its_example():
    shown = {scenario["shows"] for scenario in VENDORS}
    assert shown == SEMANTICS
