"""The static check of what flows: overflow, hours, access, splits, waits, and who starves whom.

Cases as in `test_checking`: (code, severity, where, part of the message, the change that brings
it, the change that does not).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.model import Agent
from omniroute.plan import (
    Accelerating,
    Access,
    Capacity,
    Code,
    HeadStart,
    Hours,
    LastAgent,
    NewestFirst,
    Overflow,
    Queue,
    Refusal,
    Severity,
    Step,
    Strict,
    TriageRule,
    WrapUp,
    check,
)
from plan import test_checking, worlds
from plan.plans import plans
from plan.test_checking import ANNA, BERT, plan, queue, queues, rules, wait

ERROR, WARNING = Severity.ERROR, Severity.WARNING
BOTH = {"agents": [ANNA, BERT]}
OFFICE = Hours(name="office", weekly={"mon": ["09:00-17:00"]})
CLOSED = Hours(name="office")
SHUT = Overflow(when="not open", reject="closed")


def overflow(*found, **changes):
    """A queue with these rules."""
    return queue(overflow=found, **changes)


def on_step(rule, **changes):
    """A queue whose second step has this rule."""
    return queue(wait(60, "billing >= 5"), Step("billing", overflow=rule), **changes)


def to(name, **changes):
    return Overflow(when=changes.pop("when", "waiting > 9"), queue=name, **changes)


def two(first=(), second=(), **changes):
    return queues(Queue(name="q", **dict(first)), Queue(name="r", **dict(second)), **changes)


def declined(queue):
    return Refusal("all_declined", overflow=Overflow(queue=queue))


def ladder(step):
    return {"ladder": [wait(60), Step(overflow=Overflow(queue=step))]}


def split(percents, **changes):
    return two() | {"triage": [TriageRule(queue="q", split=percents, **changes)]}


SLOW = Accelerating(max_points=5)

CASES = [
    # ladders
    (
        Code.OVERLAPPING_STEP,
        WARNING,
        "queues.q.ladder[2]",
        "its requirement is not wider than that of step 0",
        queue(wait(60, "billing"), wait(60, "lang:de"), wait(60, "billing >= 5"), Step()),
        queue(wait(60, "billing >= 5"), wait(60, "lang:de"), wait(60, "billing"), Step()),
    ),
    (
        Code.OVERLAPPING_STEP,
        WARNING,
        "queues.q.ladder[2]",
        "is the same as that of step 0",
        queue(wait(60, "billing"), wait(60, "lang:de"), Step("billing")),
        queue(wait(60, "billing"), wait(60, "lang:de"), Step("billing", drop=["*"])),
    ),
    (
        Code.USELESS_CONDITION,
        WARNING,
        "queues.q.ladder[1].only_if",
        "the last step is never passed over",
        queue(wait(60, "billing"), Step(only_if="ready > 0")),
        queue(wait(60, "billing", only_if="ready > 0"), Step()),
    ),
    (
        Code.USELESS_CONDITION,
        WARNING,
        "queues.q.ladder[0].only_if",
        "it always holds in this queue: open",
        queue(wait(60, "billing", only_if="open"), Step()),
        queue(wait(60, "billing", only_if="open"), Step(), hours="office") | {"hours": [OFFICE]},
    ),
    (
        Code.UNREACHABLE_STEP,
        ERROR,
        "queues.q.ladder[0]",
        "it never holds in this queue: service_level > 100",
        queue(wait(60, "billing", only_if="service_level > 100"), Step()),
        queue(wait(60, "billing", only_if="service_level > 99"), Step()),
    ),
    # access
    (
        Code.UNREACHABLE_ACCESS,
        WARNING,
        "queues.q.access[1]",
        "the rows before it are about all it is about",
        queue(access=[Access("billing"), Access("billing >= 3", tier=1)]),
        queue(access=[Access("billing >= 3", tier=1), Access("billing", tier=1)])
        | {"agents": [ANNA, Agent(id="cleo", skills={"billing": 1})]},
    ),
    (
        Code.UNREACHABLE_ACCESS,
        WARNING,
        "queues.q.access[0]",
        "no member of the queue is billing < 3",
        queue(members="billing >= 3", access=[Access("billing < 3", after_ms=1)]),
        queue(members="billing >= 3", access=[Access("billing < 6", after_ms=1)]),
    ),
    (
        Code.UNREACHABLE_ACCESS,
        WARNING,
        "queues.q.access[0]",
        "no agent of the plan gets to this row",
        queue(access=[Access("billing < 3", after_ms=1)]),
        queue(access=[Access("billing < 3", after_ms=1)]) | BOTH,
    ),
    # overflow
    (
        Code.UNREACHABLE_OVERFLOW,
        ERROR,
        "queues.q.overflow[0]",
        "it never holds in this queue: not open; without `hours` the queue is always open",
        overflow(SHUT),
        overflow(SHUT, hours="office") | {"hours": [OFFICE]},
    ),
    (
        Code.UNREACHABLE_OVERFLOW,
        ERROR,
        "queues.q.overflow[1]",
        "a rule before it applies whenever it would",
        overflow(
            Overflow(when="waiting > 5", priority=1), Overflow(when="waiting > 9", priority=2)
        ),
        overflow(
            Overflow(when="waiting > 9", priority=2), Overflow(when="waiting > 5", priority=1)
        ),
    ),
    (
        Code.UNREACHABLE_OVERFLOW,
        ERROR,
        "queues.q.overflow[1]",
        "a rule before it applies",
        overflow(Overflow(hint="callback"), Overflow(when="ewt_s > 9", reject="no")),
        overflow(Overflow(when="ewt_s > 9", reject="no"), Overflow(hint="callback")),
    ),
    (
        Code.UNREACHABLE_OVERFLOW,
        ERROR,
        "queues.q.overflow[1]",
        "a rule before it applies",
        overflow(Overflow(when="ewt_s >= 9", priority=1), Overflow(when="ewt_s == 9", priority=2)),
        # unknown: neither <= 9 nor >= 9 holds, and != 9 does
        overflow(
            Overflow(when="ewt_s >= 9 or ewt_s < 9", priority=1),
            Overflow(when="ewt_s != 9", priority=2),
        ),
    ),
    (
        Code.UNREACHABLE_OVERFLOW,
        ERROR,
        "queues.q.ladder[1].overflow",
        "it never holds in this queue: waiting < 0",
        on_step(Overflow(when="waiting < 0", priority=1)),
        on_step(Overflow(when="waiting <= 0", priority=1)),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.overflow[0]",
        "it leads to its own queue, so it does nothing",
        overflow(Overflow(when="waiting < 5", queue="q")),
        overflow(Overflow(when="waiting < 5", queue="q"), Overflow(hint="callback")),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.overflow[0]",
        "it rejects, so all but its hint is ignored",
        overflow(Overflow(when="nobody", reject="", priority=3)),
        overflow(Overflow(when="nobody", reject="", hint="voicemail")),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.overflow[0]",
        "no row of access has a delay",
        overflow(Overflow(open_access=True), access=[Access(tier=2)]),
        overflow(Overflow(open_access=True), access=[Access(after_ms=1)]),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.overflow[0]",
        "the rule sends the work away",
        two({"overflow": [to("r", open_access=True)]}),
        two({"overflow": [to("r")]}),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.ladder[1].overflow",
        "a step does nothing with hint, open_access, requirement here",
        on_step(Overflow(priority=3, hint="x", open_access=True, requirement="billing")),
        on_step(Overflow(priority=3)),
    ),
    (
        Code.USELESS_OVERFLOW,
        WARNING,
        "queues.q.ladder[1].overflow",
        "it does nothing",
        on_step(Overflow()),
        on_step(Overflow(reject="too long")),
    ),
    (
        Code.NOBODY,
        ERROR,
        "queues.q.overflow[0].requirement",
        "no agent of queue 'r' can take it at its last step: billing and tech",
        two({"overflow": [to("r", requirement="billing")]}, {"members": "tech"}, **BOTH),
        two({"overflow": [to("r", requirement="tech")]}, {"members": "tech"}, **BOTH),
    ),
    (
        Code.SKILL_OUT_OF_REACH,
        ERROR,
        "queues.q.overflow[0].requirement",
        "the highest level is 5",
        overflow(Overflow(requirement="billing > 5 or lang:de")),
        overflow(Overflow(requirement="billing > 4 or lang:de")),
    ),
    (
        Code.OVERFLOW_LOOP,
        WARNING,
        "queues.q.overflow",
        "q -> r -> q: what all of them turn away stays in the last of them",
        two({"overflow": [to("r")]}, {"overflow": [to("q")]}),
        two({"overflow": [to("r")]}, {"overflow": [Overflow(when="waiting > 9", reject="full")]}),
    ),
    (
        Code.OVERFLOW_LOOP,
        WARNING,
        "queues.q.ladder",
        "q -> r -> q: what nobody takes wanders",
        two(ladder("r"), ladder("q")),
        two(ladder("r"), {"overflow": [to("q")]}),
    ),
    (
        Code.OVERFLOW_LOOP,
        WARNING,
        "queues.q.ladder",
        "q -> q: ",
        queue(wait(60), Step(overflow=Overflow(queue="q"))),
        queue(wait(60), Step(overflow=Overflow(priority=1))),
    ),
    (
        Code.OVERFLOW_LOOP,
        WARNING,
        "queues.q.refusal.overflow",
        "q -> r -> q: what all of them decline wanders",
        two({"refusal": declined("r")}, {"refusal": declined("q")}),
        two({"refusal": declined("r")}, {}),
    ),
    # hours
    (
        Code.NEVER_OPENS,
        ERROR,
        "queues.q.hours",
        "hours 'office' never open",
        overflow(SHUT, hours="office") | {"hours": [CLOSED]},
        overflow(SHUT, hours="office") | {"hours": [OFFICE]},
    ),
    (
        Code.UNUSED_HOURS,
        WARNING,
        "queues.q.hours",
        "no overflow rule and no step asks `open`",
        overflow(to("q", priority=1), hours="office") | {"hours": [OFFICE]},
        overflow(to("q", when="open", priority=1), hours="office") | {"hours": [OFFICE]},
    ),
    # who starves whom
    (
        Code.STARVING_PRIORITY,
        WARNING,
        "queues.q.order",
        "priority 0 can wait 90 s (then it is cancelled) while",
        queue(order=Strict(), max_wait_ms=90_000),
        queue(max_wait_ms=90_000),
    ),
    (
        Code.STARVING_TIER,
        WARNING,
        "queues.r.tier",
        "(q), so it can wait 60 s (then step 1 moves it to q) while",
        two(second={"tier": 1} | ladder("q")),
        two(second=ladder("q")),
    ),
    (
        Code.STARVING_TIER,
        WARNING,
        "queues.q.tier",
        "an earlier tier first (r), so it can wait for ever",
        two({"access": [Access("billing", tier=1)]}),
        two({"access": [Access("billing", tier=1)]}, **BOTH),
    ),
    (
        Code.STARVING_CAP,
        WARNING,
        "queues.q.order",
        "counts as 300 s at most, after 150 s: from then on it can wait for ever while what",
        two({"order": Accelerating(max_points=5, rate_percent=200)}),
        two({"order": Accelerating(max_points=5, rate_percent=200)}, {"order": SLOW}),
    ),
    (
        Code.STARVING_OLDEST,
        WARNING,
        "queues.q.order",
        "the oldest can wait for ever",
        queue(order=NewestFirst()),
        queue(order=NewestFirst(), max_wait_ms=90_000),
    ),
    (
        Code.MIXED_ORDER,
        WARNING,
        "queues.q.order",
        "newest_first beside another order in tier 0",
        two({"order": NewestFirst(), "max_wait_ms": 90_000}, {"order": HeadStart()}),
        two({"order": NewestFirst(), "max_wait_ms": 90_000}, {"members": "tech"}, **BOTH)
        | {"queues": [Queue(name="q", members="billing"), Queue(name="r", members="tech")]},
    ),
    (
        Code.ONLY_AGENT,
        WARNING,
        "agents.anna",
        "nobody else may take queue q, queue r, and he carries one at a time",
        two({"members": "billing"}, {"members": "lang:de"}, agents=[ANNA, Agent(id="idle")]),
        two({"members": "billing"}, {"members": "lang:de or tech"}, **BOTH),
    ),
    (
        Code.ONLY_AGENT,
        WARNING,
        "agents.anna",
        "nobody else may take triage[0], triage[1]",
        rules(
            TriageRule(queue="q", when="is_live", requirement="billing"),
            TriageRule(queue="q", requirement="lang:de"),
        )
        | BOTH,
        rules(
            TriageRule(queue="q", when="is_live", requirement="billing"),
            TriageRule(queue="q", requirement="lang:de"),
        )
        | BOTH
        | {"capacities": [Capacity(budget=2, costs={"voice": 2, "*": 1})]},
    ),
    # times and choices
    (
        Code.TOO_LATE,
        WARNING,
        "queues.q.ladder[1]",
        "it begins after 60 s, but what has waited 60 s is cancelled",
        queue(wait(60, "billing"), Step(), max_wait_ms=60_000),
        queue(wait(60, "billing"), Step(), max_wait_ms=60_001),
    ),
    (
        Code.TOO_LATE,
        WARNING,
        "queues.q.access[0].after_s",
        "it opens after 60 s",
        queue(access=[Access(after_ms=60_000)], max_wait_ms=60_000),
        queue(access=[Access(after_ms=60_000)], max_wait_ms=60_001),
    ),
    (
        Code.TOO_LATE,
        WARNING,
        "queues.q.last_agent.for_s",
        "others than the last agent are asked after 60 s",
        queue(last_agent=LastAgent(), max_wait_ms=60_000),
        queue(last_agent=LastAgent(), max_wait_ms=60_001),
    ),
    (
        Code.OFFER_OUTLASTS_STEP,
        WARNING,
        "queues.q.last_agent.for_s",
        "the step for the last agent lasts 19 s",
        queue(last_agent=LastAgent(for_ms=19_000)),
        queue(last_agent=LastAgent(for_ms=20_000)),
    ),
    (
        Code.USELESS_WRAP_UP,
        WARNING,
        "queues.q.wrap_up",
        "kind 'optional' has no end",
        queue(wrap_up=WrapUp("optional", 0, 1_000)),
        queue(wrap_up=WrapUp("timed", 1_000, 1_000)),
    ),
    (
        Code.USELESS_WRAP_UP,
        WARNING,
        "queues.q.wrap_up",
        "own_queue_only means nothing",
        queue(wrap_up=WrapUp(own_queue_only=True)),
        queue(wrap_up=WrapUp("optional", own_queue_only=True)),
    ),
    (
        Code.USELESS_STRATEGY,
        WARNING,
        "queues.q.strategy",
        "no agent of the queue has an attribute `weight`",
        queue(strategy="weighted") | {"agents": [Agent(id="a", attributes={"weight": "2"})]},
        queue(strategy="weighted") | {"agents": [Agent(id="a", attributes={"weight": 2})]},
    ),
    (
        Code.USELESS_STRATEGY,
        WARNING,
        "queues.q.strategy",
        "nothing that comes to the queue requires a skill",
        queue(strategy="most_skilled"),
        queue(strategy="most_skilled")
        | {"triage": [TriageRule(queue="q", requirement="billing >= 2")]},
    ),
    # splits
    (
        Code.USELESS_SPLIT,
        WARNING,
        "triage[0].split",
        "queue 'q' gets what is left anyway",
        split({"q": 20, "r": 20}),
        split({"r": 20}),
    ),
    (
        Code.UNREACHED_QUEUE,
        WARNING,
        "queues.r",
        "no triage rule leads here",
        rules(TriageRule(queue="q", split={})) | {"queues": two()["queues"]},
        split({"r": 1}),
    ),
    (
        Code.NOBODY,
        ERROR,
        "triage[0].requirement",
        "not even at the last step of queue 'r'",
        split({"r": 20}, requirement="billing")
        | {"queues": [Queue(name="q"), Queue(name="r", members="tech")]}
        | BOTH,
        split({"r": 20}, requirement="billing")
        | {"queues": [Queue(name="q"), Queue(name="r", members="billing")]},
    ),
]


@pytest.mark.parametrize(
    ("code", "severity", "where", "message", "changes", "neighbour"),
    CASES,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_a_plan_has_exactly_this_finding(code, severity, where, message, changes, neighbour):
    [found] = [f for f in check(plan(**changes)) if f.code not in test_checking.FOLLOWS]
    assert (found.code, found.severity, found.where) == (code, severity, where)
    assert message in found.message
    assert check(plan(**neighbour)) == ()


def test_parts_of_a_hundred_leave_the_queue_of_the_rule_without_work():
    found = check(plan(**split({"r": 100})))
    assert [(f.code, f.where) for f in found] == [
        (Code.USELESS_SPLIT, "triage[0].split"),
        (Code.UNREACHED_QUEUE, "queues.q"),
    ]


@given(st.lists(worlds.queue_trees, max_size=3), st.lists(worlds.outlooks, max_size=20))
def test_a_rule_that_is_taken_is_never_called_unreachable(trees, outlooks):
    found = [Overflow(when=worlds.source(tree), hint="x") for tree in trees]
    changes = overflow(*found, hours="office") | {"hours": [OFFICE]}
    dead = {f.where for f in check(plan(**changes)) if f.code is Code.UNREACHABLE_OVERFLOW}
    for outlook in outlooks:
        taken = [n for n, rule in enumerate(found) if rule.when.matches(outlook)]
        assert not taken or f"queues.q.overflow[{taken[0]}]" not in dead


@given(plans())
def test_any_plan_is_checked(made):
    for finding in check(made):
        assert finding.message


def test_every_code_has_its_case():
    assert {case[0] for case in (*test_checking.CASES, *CASES)} == set(Code)
