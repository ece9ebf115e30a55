"""The static check: for each code a plan that has it, and a neighbour that has nothing.

A case is (code, severity, where, part of the message, the change that brings it, the change
that does not); changes are to a plan of one queue and one agent that has no finding.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from omniroute.model import Agent, Channel
from omniroute.plan import (
    Capacity,
    Code,
    Finding,
    HeadStart,
    Limits,
    Overflow,
    Plan,
    Queue,
    Refusal,
    ServiceLevel,
    Severity,
    Skill,
    Step,
    Strict,
    TriageRule,
    WrapUp,
    check,
    parse,
)
from plan import worlds

ANNA = Agent(
    id="anna",
    skills={"billing": 5, "lang:de": 3},
    groups=("tier2",),
    attributes={"site": "berlin"},
)
BERT = Agent(id="bert", skills={"tech": 2})
ANY = TriageRule(queue="q")
SKILLS = [Skill("billing"), Skill("tech"), Skill("lang:de"), Skill("lang:fr")]


#: What comes with other findings where nothing fits or nobody is left.
FOLLOWS = {Code.IDLE_AGENT, Code.USELESS_CAPACITY}


def plan(**changes):
    given_ = {"queues": [Queue(name="q")], "agents": [ANNA], "triage": [ANY]}
    return Plan(**{**given_, **changes})


def queue(*steps, **changes):
    return {"queues": [Queue(name="q", ladder=steps or (Step(),), **changes)]}


def queues(*found, **changes):
    """Queues, each fed by triage, and whatever else."""
    rules = [TriageRule(queue=q.name, when=f'subject has "{q.name}"') for q in found[1:]]
    return {"queues": found, "triage": [*rules, TriageRule(queue=found[0].name)], **changes}


def rules(*found, **changes):
    return {"triage": found, **changes}


def carries(**costs):
    return [Capacity(budget=10, costs=costs)]


def joins(**changes):
    """A capacity in which a call may join a chat."""
    return [Capacity(budget=10, interruptible_by={"chat": ["voice"]}, **changes)]


def wait(seconds, requirement=None, **changes):
    return Step(requirement, for_ms=seconds * 1000, **changes)


def until(seconds, requirement=None, **changes):
    return Step(requirement, until_ms=seconds * 1000, **changes)


VOICE = 'channel == "voice"'
DECLINED_BY_ALL = Refusal("all_declined", overflow=Overflow(queue="r"))

ERROR, WARNING = Severity.ERROR, Severity.WARNING
CASES = [
    (Code.NO_QUEUE, ERROR, "queues", "no queue", {"queues": [], "triage": []}, {}),
    # unknown names
    (
        Code.UNKNOWN_NAME,
        ERROR,
        "queues.q.members",
        "no such agent 'ana'; did you mean 'anna'?",
        queue(members='agent != "ana"'),
        queue(members='agent == "anna"'),
    ),
    (
        Code.UNKNOWN_NAME,
        ERROR,
        "queues.q.ladder[0].requirement",
        "no agent has the group 'tier1'; did you mean 'tier2'?",
        queue(Step('not groups has "tier1"')),
        queue(Step('groups has "tier2"')),
    ),
    (
        Code.UNKNOWN_NAME,
        WARNING,
        "triage[0].requirement",
        "no agent has the attribute 'sit'; did you mean 'site'?",
        rules(TriageRule(queue="q", requirement='attr.sit != "x"')),
        rules(TriageRule(queue="q", requirement='attr.site == "berlin"')),
    ),
    # levels
    (
        Code.SKILL_OUT_OF_REACH,
        ERROR,
        "queues.q.members",
        "billing >= 11: the highest level of 'billing' is 10",
        queue(members="billing >= 11 or billing") | {"skills": SKILLS},
        queue(members="billing >= 5 or billing") | {"skills": SKILLS},
    ),
    (
        Code.SKILL_OUT_OF_REACH,
        ERROR,
        "queues.q.members",
        "billing > 5: the highest level is 5, agent 'anna'",
        queue(members="billing > 5 or lang:de"),
        queue(members="billing > 4 or lang:de"),
    ),
    (
        Code.SKILL_OUT_OF_REACH,
        ERROR,
        "queues.q.members",
        "biling: no agent has the skill; did you mean 'billing'? (agents have: billing, lang:de)",
        queue(members="biling or lang:de"),
        queue(members="not biling or lang:de"),
    ),
    (
        Code.SKILL_OUT_OF_REACH,
        ERROR,
        "queues.q.members",
        "billing >= 11: the highest level of 'billing' is 10",
        queue(members="billing >= 11 or billing") | {"skills": SKILLS, "agents": []},
        queue(members="billing >= 10 or billing") | {"skills": SKILLS, "agents": []},
    ),
    # nobody
    (
        Code.NOBODY,
        ERROR,
        "queues.q.members",
        "no agent can be a member: billing < 5",
        queue(members="billing < 5") | {"queues": [Queue(name="q", members="billing < 5")]},
        queue(members="billing < 6"),
    ),
    (
        Code.NOBODY,
        ERROR,
        "queues.q.ladder[1]",
        "what gets here waits for ever; nobody is billing < 5",
        queue(wait(60, "billing >= 5"), Step("billing < 5")),
        queue(wait(60, "billing < 6"), Step()),
    ),
    (
        Code.NOBODY,
        WARNING,
        "queues.q.ladder[0]",
        "this step only takes time; nobody is billing < 5",
        queue(wait(60, "billing < 5"), Step()),
        queue(wait(60, "billing < 6"), Step()),
    ),
    (
        Code.NOBODY,
        ERROR,
        "queues.q.ladder[0]",
        "nobody is billing < 3 and billing >= 3",
        queue(Step("billing < 3"), members="billing >= 3") | {"agents": []},
        queue(Step("billing < 4"), members="billing >= 3") | {"agents": []},
    ),
    (
        Code.NOBODY,
        ERROR,
        "triage[0].requirement",
        "not even at the last step of queue 'q': billing < 5",
        rules(TriageRule(queue="q", requirement="billing < 5")),
        rules(TriageRule(queue="q", requirement="billing < 5"), **queue(Step(drop=["billing"]))),
    ),
    # steps
    (
        Code.UNREACHABLE_STEP,
        ERROR,
        "queues.q.ladder[1]",
        "it ends at 30 s of waiting, but begins at the earliest at 30 s",
        queue(wait(30, "billing >= 5"), until(30, "billing >= 4"), Step()),
        queue(wait(30, "billing >= 5"), until(60, "billing >= 4"), Step()),
    ),
    (
        Code.UNREACHABLE_STEP,
        ERROR,
        "queues.q.ladder[2]",
        "begins at the earliest at 90 s",
        queue(
            until(60, "billing >= 5"),
            wait(30, "billing >= 4"),
            until(80, "billing >= 3"),
            Step(),
        ),
        queue(
            until(60, "billing >= 5"),
            wait(30, "billing >= 4", skip_if_nobody=True),
            until(80, "billing >= 3"),
            Step(),
        ),
    ),
    (
        Code.USELESS_STEP,
        WARNING,
        "queues.q.ladder[1]",
        "its requirement is the same as",
        queue(wait(60, "billing"), Step("billing")),
        queue(wait(60, "billing"), Step("billing", drop=["x"])),
    ),
    (
        Code.USELESS_STEP,
        WARNING,
        "queues.q.ladder[1]",
        "its requirement is the same as",
        queue(wait(60, "billing", priority=5), Step("billing", priority=5)),
        queue(wait(60, "billing", priority=5), Step("billing")),
    ),
    (
        Code.USELESS_STEP,
        WARNING,
        "queues.q.ladder[1]",
        "its requirement is not wider than",
        queue(wait(60, "billing >= 4"), Step("billing >= 5")),
        queue(wait(60, "billing >= 5"), Step("billing >= 4")),
    ),
    (
        Code.USELESS_STEP,
        WARNING,
        "queues.q.ladder[1]",
        "its requirement is not wider than",
        queue(wait(60, "billing >= 4 or tech"), Step(drop=["*"]), members="billing >= 5")
        | {
            "queues": [
                Queue(
                    name="q",
                    members="billing >= 5",
                    ladder=[wait(60, "billing >= 4", drop=["*"]), Step(drop=["x"])],
                )
            ]
        },
        queue(wait(60, "billing >= 5", drop=["*"]), Step(drop=["x"]), members="billing >= 4"),
    ),
    # triage
    (
        Code.UNREACHABLE_RULE,
        ERROR,
        "triage[1]",
        "triage[0] has no condition",
        rules(ANY, TriageRule(queue="q", when=VOICE)),
        rules(TriageRule(queue="q", when=VOICE), ANY),
    ),
    (
        Code.UNREACHABLE_RULE,
        ERROR,
        "triage[1]",
        "triage[0] has the same condition",
        rules(TriageRule(queue="q", when=VOICE), TriageRule(queue="q", when=VOICE), ANY),
        rules(TriageRule(queue="q", when=VOICE), TriageRule(queue="q", when="is_live"), ANY),
    ),
    (
        Code.UNREACHABLE_RULE,
        ERROR,
        "triage[2]",
        "the rules before it take every message",
        rules(
            TriageRule(queue="q", when="is_live"),
            TriageRule(queue="q", when='subject has "bill"'),
            TriageRule(queue="q", when='channel == "voice" or subject has "billing"'),
            ANY,
        ),
        rules(
            TriageRule(queue="q", when="is_live"),
            TriageRule(queue="q", when='subject has "billing"'),
            TriageRule(queue="q", when='channel == "voice" or subject has "bill"'),
            ANY,
        ),
    ),
    (
        Code.UNREACHABLE_RULE,
        ERROR,
        "triage[0]",
        "no message can satisfy",
        rules(TriageRule(queue="q", when='is_live and channel == "email"'), ANY),
        rules(TriageRule(queue="q", when='is_live and channel != "email"'), ANY),
    ),
    (
        Code.UNROUTED,
        WARNING,
        "triage",
        "on voice, email;",
        rules(
            TriageRule(queue="q", when='channel not in ["voice", "email"]'),
            TriageRule(queue="q", when='channel == "voice" and subject has "x"'),
        ),
        rules(
            TriageRule(queue="q", when='channel not in ["voice", "email"]'),
            TriageRule(queue="q", when='channel in ["voice", "email"]'),
        ),
    ),
    (
        Code.UNREACHED_QUEUE,
        WARNING,
        "queues.r",
        "no triage rule leads here",
        {"queues": [Queue(name="q"), Queue(name="r")]},
        {"queues": [Queue(name="q", refusal=DECLINED_BY_ALL), Queue(name="r")]},
    ),
    (
        Code.NO_LANGUAGE_SKILL,
        WARNING,
        "triage[0].match_language",
        "none named lang:",
        rules(
            TriageRule(queue="q", match_language=True),
            skills=SKILLS[:2],
            agents=[BERT],
        ),
        rules(TriageRule(queue="q", match_language=True), skills=SKILLS[:3]),
    ),
    (
        Code.UNSERVED_LANGUAGE,
        ERROR,
        "triage[0].match_language",
        "ask for lang:fr wait for ever in queue 'q'",
        rules(TriageRule(queue="q", match_language=True), skills=SKILLS),
        rules(
            TriageRule(queue="q", match_language=True),
            skills=SKILLS,
            **queue(Step(drop=["lang:fr"])),
        ),
    ),
    (
        Code.UNSERVED_LANGUAGE,
        ERROR,
        "triage[0].match_language",
        "lang:fr",
        rules(
            TriageRule(queue="q", when='language != "de"', match_language=True), ANY, skills=SKILLS
        ),
        rules(
            TriageRule(queue="q", when='language == "de"', match_language=True), ANY, skills=SKILLS
        ),
    ),
    (
        Code.UNSERVED_LANGUAGE,
        WARNING,
        "triage[0].match_language",
        "a language that no agent has",
        rules(TriageRule(queue="q", match_language=True)),
        rules(TriageRule(queue="q", match_language=True), **queue(Step(drop=["*"]))),
    ),
    # capacity
    (
        Code.UNSERVED_CHANNEL,
        ERROR,
        "triage[0]",
        "sends voice to queue 'q'",
        rules(
            TriageRule(queue="q", when=VOICE),
            ANY,
            capacities=[Capacity(maxima={"voice": 0})],
        ),
        rules(
            TriageRule(queue="q", when=VOICE),
            ANY,
            capacities=[Capacity(maxima={"voice": 1})],
        ),
    ),
    (
        Code.UNSERVED_CHANNEL,
        ERROR,
        "triage[0]",
        "sends sms to queue 'q'",
        rules(
            TriageRule(queue="q", when='channel in ["sms", "voice"]'),
            ANY,
            capacities=carries(voice=1, email=1),
        ),
        rules(
            TriageRule(queue="q", when='channel in ["sms", "voice"]'),
            ANY,
            capacities=carries(voice=1, sms=1, email=1),
        ),
    ),
    (
        Code.UNSERVED_CHANNEL,
        ERROR,
        "triage[0]",
        "sends every channel",
        {"capacities": [Capacity(costs={}), Capacity(name="unused")]},
        {"capacities": carries(sms=1)},
    ),
    (
        Code.UNSERVED_CHANNEL,
        ERROR,
        "triage[0]",
        "sends voice",
        rules(
            TriageRule(queue="q", when=VOICE),
            ANY,
            capacities=[Capacity(maxima={"voice": 0})],
            agents=[],
        ),
        rules(
            TriageRule(queue="q", when=VOICE),
            ANY,
            capacities=[Capacity(maxima={"voice": 0}), Capacity(name="phones")],
            agents=[],
        ),
    ),
    (
        Code.CHANNEL_NEVER_FITS,
        ERROR,
        "capacities.default.costs.video",
        "video costs 11 of a budget of 10",
        {"capacities": carries(voice=10, video=11)},
        {"capacities": carries(voice=10, video=10)},
    ),
    (
        Code.CHANNEL_NEVER_FITS,
        ERROR,
        'capacities.default.costs."*"',
        "any other channel costs 11",
        {"capacities": [Capacity(budget=10, costs={"*": 11, "email": 1})]},
        {"capacities": [Capacity(budget=11, costs={"*": 11, "email": 1})]},
    ),
    (
        Code.CHANNEL_NEVER_FITS,
        ERROR,
        "capacities.default.interruptible_costs.email",
        "email costs 5 of a budget of 4",
        {"capacities": [Capacity(interruptible_budget=4, interruptible_costs={"email": 5})]},
        {"capacities": [Capacity(interruptible_budget=5, interruptible_costs={"email": 5})]},
    ),
    (
        Code.USELESS_CAPACITY,
        ERROR,
        "capacities.spare",
        "no channel ever fits",
        {"capacities": [Capacity(), Capacity(name="spare", maxima={"*": 0})]},
        {"capacities": [Capacity(), Capacity(name="spare", maxima={"*": 0, "sms": 1})]},
    ),
    (
        Code.USELESS_INTERRUPTION,
        WARNING,
        "capacities.default.interruptible_by.chat",
        "voice may interrupt chat, but together they cost 11 of a budget of 10",
        {"capacities": joins(costs={"*": 1, "voice": 10})},
        {"capacities": joins(costs={"*": 1, "voice": 9})},
    ),
    (
        Code.USELESS_INTERRUPTION,
        WARNING,
        "capacities.default.interruptible_by.chat",
        "but voice is never offered",
        {"capacities": joins(maxima={"voice": 0})},
        {"capacities": joins(maxima={"voice": 1})},
    ),
    (
        Code.USELESS_INTERRUPTION,
        WARNING,
        "capacities.default.interruptible_by.chat",
        "but chat is never offered",
        {"capacities": joins(maxima={"chat": 0})},
        {"capacities": joins(maxima={"chat": 1})},
    ),
    (
        Code.USELESS_INTERRUPTION,
        WARNING,
        "capacities.default.interruptible_by.chat",
        "voice may interrupt chat, but chat uses up the budget",
        {
            "capacities": joins(
                costs={"*": 1, "chat": 10},
                interruptible_budget=1,
                interruptible_costs={"voice": 1},
                interruptible_when_full=False,
            )
        },
        {
            "capacities": joins(
                costs={"*": 1, "chat": 10},
                interruptible_budget=1,
                interruptible_costs={"voice": 1},
            )
        },
    ),
    # what queues do to each other
    (
        Code.STARVING_PRIORITY,
        WARNING,
        "queues.q.order",
        "priority 0, 5 can wait for ever while priority 9 keeps coming",
        queue(order=Strict())
        | rules(
            TriageRule(queue="q", when=VOICE, priority=9),
            TriageRule(queue="q", when="is_live", priority=5),
            ANY,
        ),
        queue(order=HeadStart())
        | rules(
            TriageRule(queue="q", when=VOICE, priority=9),
            TriageRule(queue="q", when="is_live", priority=5),
            ANY,
        ),
    ),
    (
        Code.STARVING_PRIORITY,
        WARNING,
        "queues.q.order",
        "whatever is below priority 3 can wait",
        queue(order=Strict(), priority=3),
        queue(order=Strict()) | {"limits": Limits(max_priority=0)},
    ),
    (
        Code.STARVING_TIER,
        WARNING,
        "queues.r.tier",
        "every agent of this queue serves an earlier tier first (q)",
        queues(Queue(name="q"), Queue(name="r", tier=1)),
        queues(
            Queue(name="q", members="billing"),
            Queue(name="r", tier=1),
            agents=[ANNA, BERT],
        ),
    ),
    (
        Code.STARVING_TIER,
        WARNING,
        "queues.r.tier",
        "earlier tier first (q)",
        queues(Queue(name="q", members="a"), Queue(name="r", tier=1, members="a >= 3"), agents=[]),
        queues(Queue(name="q", members="a >= 3"), Queue(name="r", tier=1, members="a"), agents=[]),
    ),
    (
        Code.MIXED_ORDER,
        WARNING,
        "queues.r.order",
        "strict beside another order in tier 0",
        queues(Queue(name="q"), Queue(name="r", order=Strict()), limits=Limits(max_priority=0)),
        queues(
            Queue(name="q", members="billing"),
            Queue(name="r", order=Strict(), members="tech"),
            agents=[ANNA, BERT],
            limits=Limits(max_priority=0),
        ),
    ),
    (
        Code.MIXED_ORDER,
        WARNING,
        "queues.r.order",
        "goes before all work of q",
        queues(
            Queue(name="q", members="a >= 3"),
            Queue(name="r", order=Strict(), members="a"),
            agents=[],
            limits=Limits(max_priority=0),
        ),
        queues(
            Queue(name="q", members="a >= 3"),
            Queue(name="r", order=Strict(), members="a < 3"),
            agents=[],
            limits=Limits(max_priority=0),
        ),
    ),
    # times
    (
        Code.OFFER_OUTLASTS_STEP,
        WARNING,
        "queues.q.offer_timeout_s",
        "open for 20 s, step 0 lasts 19 s",
        queue(wait(19, "billing"), Step()),
        queue(wait(20, "billing"), Step()),
    ),
    (
        Code.OFFER_OUTLASTS_STEP,
        WARNING,
        "queues.q.offer_timeout_s",
        "step 1 lasts 10 s",
        queue(wait(30, "billing >= 5"), until(40, "billing >= 4"), Step()),
        queue(wait(30, "billing >= 5"), until(50, "billing >= 4"), Step()),
    ),
    (
        Code.OFFER_OUTLASTS_TARGET,
        WARNING,
        "queues.q.offer_timeout_s",
        "within 10 s",
        queue(service_level=ServiceLevel(target_ms=10_000)),
        queue(service_level=ServiceLevel(target_ms=10_000), offer_timeout_ms=10_000),
    ),
    (
        Code.WRAP_UP_WITHOUT_TIME,
        ERROR,
        "queues.q.wrap_up",
        "a timed wrap-up needs a duration_s above 0",
        queue(wrap_up=WrapUp("timed")),
        queue(wrap_up=WrapUp("timed", 1)),
    ),
    (
        Code.WRAP_UP_WITHOUT_TIME,
        ERROR,
        "queues.q.wrap_up",
        "a forced wrap-up",
        queue(wrap_up=WrapUp("forced")),
        queue(wrap_up=WrapUp("optional")),
    ),
    (
        Code.WRAP_UP_WITHOUT_TIME,
        ERROR,
        "queues.q.wrap_up",
        "a forced wrap-up",
        queue(wrap_up=WrapUp("forced")) | {"agents": [replace(ANNA, wrap_up_ms=0)]},
        queue(wrap_up=WrapUp("forced")) | {"agents": [replace(ANNA, wrap_up_ms=1)]},
    ),
    # limits and agents
    (
        Code.LIMIT_UNREACHABLE,
        WARNING,
        "queues.q.max_waiting",
        "101 is above limits.max_waiting, 100",
        queue(max_waiting=101) | {"limits": Limits(max_waiting=100)},
        queue(max_waiting=100) | {"limits": Limits(max_waiting=100)},
    ),
    (
        Code.IDLE_AGENT,
        WARNING,
        "agents.bert",
        "no queue admits",
        queue(members="billing") | {"agents": [ANNA, BERT]},
        queue(members="billing or tech") | {"agents": [ANNA, BERT]},
    ),
]


@pytest.mark.parametrize(
    ("code", "severity", "where", "message", "changes", "neighbour"),
    CASES,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_a_plan_has_exactly_this_finding(code, severity, where, message, changes, neighbour):
    [found] = [f for f in check(plan(**changes)) if f.code not in FOLLOWS or f.code is code]
    assert (found.code, found.severity, found.where) == (code, severity, where)
    assert message in found.message
    assert check(plan(**neighbour)) == ()


def test_the_plain_plan_has_no_finding():
    assert check(plan()) == ()


def test_findings_are_values_in_a_fixed_order():
    made = plan(**queue(wait(5), Step(), order=Strict()))
    assert check(made) == check(made)
    assert [finding.code for finding in check(made)] == [
        Code.USELESS_STEP,
        Code.OFFER_OUTLASTS_STEP,
        Code.STARVING_PRIORITY,
    ]
    assert isinstance(check(made)[0], Finding)


def test_a_queue_without_members_says_so_once():
    found = check(plan(agents=[BERT], **queue(wait(60, "tech"), Step(), members="tech >= 3")))
    assert [f.code for f in found] == [Code.SKILL_OUT_OF_REACH, Code.NOBODY, Code.IDLE_AGENT]


# --- properties -------------------------------------------------------------------------

requirement = st.none() | worlds.agent_trees.map(worlds.source)
members = st.lists(worlds.agents.filter(lambda a: a.id), max_size=5, unique_by=lambda a: a.id)
drawn_rules = st.builds(
    TriageRule,
    queue=st.just("q"),
    when=st.none() | worlds.message_trees.map(worlds.source),
    requirement=requirement,
)


@given(requirement, requirement, requirement, members)
def test_nobody_is_said_exactly_when_no_listed_agent_satisfies_it(whole, first, last, found):
    made = plan(agents=found, **queue(wait(60, first), Step(last), members=whole))
    said = {f.where for f in check(made) if f.code is Code.NOBODY}
    expected = set()
    if found:

        def nobody(*sources):
            wanted = [parse(source).matches for source in sources if source is not None]
            return not any(all(matches(agent) for matches in wanted) for agent in found)

        if nobody(whole):
            expected.add("queues.q.members")
        else:
            expected |= {"queues.q.ladder[0]"} if nobody(whole, first) else set()
            expected |= {"queues.q.ladder[1]"} if nobody(whole, last) else set()
        assert said == expected


@given(st.lists(drawn_rules, max_size=4), st.lists(worlds.messages, max_size=30))
def test_a_rule_that_takes_a_message_is_never_called_unreachable(found, messages):
    made = plan(triage=found)
    findings = check(made)
    dead = {f.where for f in findings if f.code is Code.UNREACHABLE_RULE}
    unrouted = any(f.code is Code.UNROUTED for f in findings)
    for message in messages:
        taken = [n for n, r in enumerate(found) if r.when is None or r.when.matches(message)]
        if taken:
            assert f"triage[{taken[0]}]" not in dead
        elif found:
            assert unrouted


@given(
    st.lists(drawn_rules, max_size=3),
    requirement,
    requirement,
    members,
    st.sampled_from([{"*": 1}, {"voice": 1}, {}]),
)
def test_any_plan_can_be_checked(found, whole, first, agents, costs):
    made = plan(
        agents=agents,
        triage=found,
        capacities=[Capacity(costs=costs)],
        **queue(until(60, first), Step(drop=["*"]), members=whole),
    )
    for finding in check(made):
        table = finding.where.split(".")[0].split("[")[0]
        assert table in {"queues", "triage", "agents", "capacities"}
        assert finding.message


def test_the_message_names_at_most_a_few_channels():
    made = plan(triage=[TriageRule(queue="q", when=VOICE)])
    [found] = check(made)
    assert f"and {len(Channel) - 1 - 6} more" in found.message
