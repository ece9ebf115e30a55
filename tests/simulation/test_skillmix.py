"""One more agent, one more skill: the changes are what they say, and help where they must."""

import attrs
import pytest

from omniroute.errors import CommandError, UnknownNameError
from omniroute.model import Agent
from omniroute.plan import Plan, Queue
from omniroute.simulation import (
    AgentGroup,
    CustomerKind,
    Exponential,
    Poisson,
    Scenario,
    candidates,
    gains,
    improve,
    replicate,
    summarize,
    with_skills_each,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
LINES = ("a", "b", "c")


def kind(name, per_hour):
    return CustomerKind(
        name=name,
        queue=name,
        arrivals=Poisson(per_hour),
        handle=Exponential(3 * MINUTE),
        patience=Exponential(3 * MINUTE),
    )


def three_lines(per_hour=(60, 60, 60), agents=3):
    return Scenario(
        plan=Plan(
            queues=[Queue(name=n, members=f"{n} >= 1", offer_timeout_ms=HOUR) for n in LINES]
        ),
        customers=[kind(n, rate) for n, rate in zip(LINES, per_hour, strict=True)],
        groups=[
            AgentGroup(name=n, agents=[Agent(id=f"{n}{i}", skills={n: 5}) for i in range(agents)])
            for n in LINES
        ],
        duration_ms=8 * HOUR,
        cycle_ms=8 * HOUR,
        interval_ms=HOUR,
    )


def skills(scenario):
    return {agent.id: dict(agent.skills) for group in scenario.groups for agent in group.agents}


def test_each_candidate_changes_one_thing():
    scenario = three_lines()
    before = skills(scenario)
    found = {one.name: one for one in candidates(scenario, skill_cost=0.25)}
    assert len(found) == 9
    more = skills(found["one more in b"].scenario)
    assert more.pop("b-new-1") == {"b": 5}
    assert more == before
    taught = found["c for one in a"]
    assert taught.cost == 0.25
    assert skills(taught.scenario) == {**before, "a0": {"a": 5, "c": 5}}


def test_agents_of_the_plan_are_changed_too():
    plan = Plan(queues=[Queue(name="a")], agents=[Agent(id="x", skills={"s": 2}, groups=("g",))])
    scenario = Scenario(plan=plan, customers=[attrs.evolve(kind("a", 10))], duration_ms=HOUR)
    (found,) = candidates(scenario)
    assert set(skills(found.scenario)) == {"x", "g-new-1"}


def test_skills_are_spread_evenly():
    two = skills(with_skills_each(three_lines(agents=4), 2))
    assert {len(own) for own in two.values()} == {2}
    assert [sum(set(own) == {"a", other} for own in two.values()) for other in "bc"] == [4, 4]
    assert skills(with_skills_each(three_lines(), 1)) == skills(three_lines())
    everything = skills(with_skills_each(three_lines(), 3))
    assert all(own == {"a": 5, "b": 5, "c": 5} for own in everything.values())
    for count in (0, 4):
        with pytest.raises(CommandError):
            with_skills_each(three_lines(), count)


def test_an_agent_helps_where_work_waits_and_a_skill_where_one_line_is_idle():
    scenario = three_lines(per_hour=(90, 20, 20))
    found = {gain.name: gain for gain in gains(scenario, count=4)}
    assert found["one more in a"].better("service_level_offered") > 0.05
    assert found["a for one in b"].better("abandonment") > 0.02
    assert abs(found["b for one in c"].better("service_level_offered")) < 0.02


def test_two_skills_each_bring_most_of_what_three_bring():
    scenario = three_lines(per_hour=(55, 55, 55))
    measures = [
        summarize(replicate(with_skills_each(scenario, n), count=6)).line().measures
        for n in (1, 2, 3)
    ]
    one, two, three = (found["abandonment"].mean for found in measures)
    assert one > two >= three - 0.005
    assert two - three < (one - three) / 2


def test_improving_reaches_the_goal_by_cheap_skills_first():
    scenario = attrs.evolve(three_lines(per_hour=(80, 30, 30)), duration_ms=3 * HOUR)
    steps = list(improve(scenario, "service_level_offered", 0.8, count=2))
    levels = [step.report.line().measures["service_level_offered"].mean for step in steps]
    assert steps[0].name == ""
    assert levels[-1] >= 0.8 > levels[0]
    assert levels == sorted(levels)
    assert steps[1].name.startswith("a for one in")
    costs = [step.cost for step in steps]
    assert costs[:2] == [0, 0.1]
    assert costs == sorted(costs)
    with pytest.raises(UnknownNameError):
        list(improve(scenario, "speed", 1))


def test_improving_stops_when_it_was_good_already():
    scenario = three_lines(per_hour=(5, 5, 5))
    (only,) = improve(scenario, "asa_ms", 60_000, count=2)
    assert (only.name, only.cost) == ("", 0)
