"""Plans built in Python: values are checked when they are made, names when the plan is."""

import attrs
import pytest

from omniroute.errors import ExpressionError, PlanError, UnknownNameError
from omniroute.model import Agent, Channel
from omniroute.plan import (
    Capacity,
    HeadStart,
    Limits,
    Plan,
    Queue,
    Refusal,
    Scope,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    TriageRule,
    WrapUp,
    parse,
)

BAD_VALUES = [
    (lambda: Skill(""), PlanError, "Skill.name: must be a text that is not empty"),
    (lambda: Skill("a", 0), PlanError, "Skill.max_level: must be an integer of at least 1"),
    (lambda: Skill("a", 2**53), PlanError, "at most 9007199254740991"),
    (lambda: HeadStart(0.5), PlanError, "HeadStart.ms_per_point: must be an integer"),
    (lambda: HeadStart(True), PlanError, "got True"),
    (lambda: Step("a >"), ExpressionError, "position 3"),
    (lambda: Step(parse("is_live", Scope.MESSAGE)), PlanError, "an expression about agents"),
    (lambda: Step(3), PlanError, "an expression about agents, got 3"),
    (lambda: Step(drop="billing"), PlanError, "a sequence of names, got the text 'billing'"),
    (lambda: Step(skip_if_nobody=1), PlanError, "Step.skip_if_nobody: must be a bool"),
    (lambda: Refusal("nevr_again"), UnknownNameError, "did you mean 'never_again'?"),
    (
        lambda: WrapUp("timd"),
        UnknownNameError,
        "unknown wrap-up kind 'timd'; did you mean 'timed'?",
    ),
    (lambda: ServiceLevel(percent=101), PlanError, "ServiceLevel.percent: must be at most 100"),
    (lambda: Queue(name="a", strategy="best"), UnknownNameError, "unknown strategy 'best'"),
    (lambda: Queue(name="a", on_expiry="x"), UnknownNameError, "unknown on_expiry 'x'"),
    (lambda: Queue(name="a", order="strict"), PlanError, "must be a HeadStart or Strict"),
    (lambda: Queue(name="a", ladder=[Step(for_ms=1)]), PlanError, "queue 'a', step 0: the last"),
    (lambda: Queue(name="a", ladder=[Step(), Step()]), PlanError, "step 0: every step but"),
    (
        lambda: Queue(name="a", ladder=[Step(for_ms=1, until_ms=1), Step()]),
        PlanError,
        "step 0: give one end, not both",
    ),
    (lambda: TriageRule(queue="a", priority=-1), PlanError, "TriageRule.priority"),
    (lambda: TriageRule(queue="a", when="billing"), ExpressionError, "unknown field 'billing'"),
    (lambda: Capacity(costs={"emial": 1}), UnknownNameError, "did you mean 'email'?"),
    (lambda: Capacity(costs={"email": -1}), PlanError, "email: must be an integer of at least 0"),
    (
        lambda: Capacity(interruptible_by={"chat": ["voce"]}),
        UnknownNameError,
        "did you mean 'voice'?",
    ),
    (
        lambda: Capacity(interruptible_by={"chat": "voice"}),
        PlanError,
        "chat: must be a sequence of channels, got the text 'voice'",
    ),
    (
        lambda: Capacity(
            costs={"email": 1}, interruptible_costs={"email": 1}, interruptible_budget=1
        ),
        PlanError,
        "capacity 'default': 'email' is in costs and in interruptible_costs",
    ),
    (
        lambda: Capacity(interruptible_costs={"*": 1}, interruptible_budget=1),
        PlanError,
        'give it one cost (costs is { "*" = 1 } unless given)',
    ),
    (
        lambda: Capacity(interruptible_costs={"email": 1}),
        PlanError,
        "interruptible_costs need an interruptible_budget of at least 1",
    ),
    (
        lambda: Capacity(interruptible_budget=1),
        PlanError,
        "an interruptible_budget needs interruptible_costs",
    ),
    (
        lambda: Capacity(interruptible_when_full=False),
        PlanError,
        "interruptible_when_full needs interruptible_costs",
    ),
    (lambda: Plan(queues=[], limits=None), PlanError, "must be a Limits"),
    (lambda: Plan(queues=[Queue(name="a")] * 2), PlanError, "queue 'a' is defined twice"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD_VALUES)
def test_a_value_that_cannot_be_is_refused(make, kind, message):
    with pytest.raises(kind) as caught:
        make()
    assert message in str(caught.value)


def plan(**changes):
    given = {
        "queues": [Queue(name="billing", members="billing >= 2")],
        "skills": [Skill("billing"), Skill("lang:de", 5)],
        "agents": [Agent(id="anna", skills={"billing": 10})],
    }
    return Plan(**{**given, **changes})


UNRESOLVED = [
    ({"triage": [TriageRule(queue="biling")]}, "triage[0].queue; did you mean 'billing'?"),
    ({"queues": [Queue(name="q", members="biling")]}, "unknown skill 'biling' in queues.q.members"),
    (
        {"queues": [Queue(name="q", ladder=[Step("x", for_ms=1), Step()])]},
        "unknown skill 'x' in queues.q.ladder[0].requirement",
    ),
    ({"queues": [Queue(name="q", ladder=[Step(drop=["x"])])]}, "'x' in queues.q.ladder[0].drop"),
    (
        {"triage": [TriageRule(queue="billing", requirement="x")]},
        "unknown skill 'x' in triage[0].requirement",
    ),
    ({"agents": [Agent(id="a", skills={"x": 1})]}, "unknown skill 'x' in agents.a.skills"),
    ({"agents": [Agent(id="a", skills={"lang:de": 6})]}, "level 6 is over the skill's highest, 5"),
    ({"agents": [Agent(id="a", skills={"lang:de": True})]}, "a level is an integer"),
    ({"agents": [Agent(id="a", capacity="x")]}, "unknown capacity 'x' in agents.a.capacity"),
    ({"agents": [Agent(id="")]}, "is filed under '' but named ''"),
    ({"agents": {"a": Agent(id="b")}}, "agents.a: is filed under 'a' but named 'b'"),
    ({"limits": Limits(max_agents=1), "agents": [Agent(id="a"), Agent(id="b")]}, "2 agents"),
    ({"queues": [Queue(name="q", priority=100)]}, "queues.q.priority: priority 100 is over"),
]


@pytest.mark.parametrize(("changes", "message"), UNRESOLVED)
def test_every_name_is_resolved_and_every_limit_kept(changes, message):
    with pytest.raises((PlanError, UnknownNameError)) as caught:
        plan(**changes)
    assert message in str(caught.value)


def test_several_faults_come_together():
    with pytest.raises(PlanError, match="plan 'plan': 2 faults") as caught:
        plan(triage=[TriageRule(queue="x"), TriageRule(queue="y")])
    assert [fault.name for fault in caught.value.faults] == ["x", "y"]


def test_a_plan_without_skills_admits_any():
    made = Plan(
        queues=[Queue(name="q", members="anything >= 99", ladder=[Step(drop=["whatever"])])],
        agents=[Agent(id="a", skills={"more": 1000})],
    )
    assert made.skills == {}


def test_drop_everything_is_no_skill_name():
    plan(queues=[Queue(name="q", ladder=[Step(drop=["*"])])])


def test_texts_become_values_and_a_plan_can_be_evolved():
    made = plan(queues=[Queue(name="q", strategy="round_robin", members="billing")])
    queue = made.queue("q")
    assert queue.strategy is Strategy.ROUND_ROBIN
    assert queue.members == parse("billing")
    changed = attrs.evolve(made, queues={"q": attrs.evolve(queue, tier=3)})
    assert changed.queue("q").tier == 3
    assert attrs.evolve(changed, queues=made.queues) == made


def test_a_queue_is_found_by_name_or_the_nearest_is_told():
    with pytest.raises(UnknownNameError, match="did you mean 'billing'"):
        plan().queue("biling")


def test_a_plan_without_capacities_carries_one_at_a_time():
    capacity = Plan(queues=[]).capacities["default"]
    assert (capacity.budget, capacity.cost(Channel.EMAIL), capacity.maximum(Channel.EMAIL)) == (
        1,
        1,
        1,
    )
