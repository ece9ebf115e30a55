"""The drawing is read back: nodes, edges, labels, whatever the names in the plan are."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from omniroute.model import Agent
from omniroute.plan import Overflow, Plan, Queue, Refusal, Step, Strict, TriageRule, draw
from plan import worlds
from plan.plans import plans

NODE = re.compile(
    r'(?P<id>[a-z]+[0-9_]*)(?:\(\["(?P<round>[^"]*)"\]\)|\[\("(?P<store>[^"]*)"\)\]'
    r'|\{\{"(?P<choice>[^"]*)"\}\}|\["(?P<box>[^"]*)"\])'
)
EDGE = re.compile(
    r'(?P<from>[a-z]+[0-9_]*) (?:-->|(?P<dotted>-\.->))(?:\|(?:(?P<word>no)|"(?P<label>[^"]*)")\|)? (?P<to>[a-z]+[0-9_]*)'
)
CODE = re.compile(r"#([0-9]+);")


def text_of(label):
    """What a reader sees: character codes become characters again."""
    return [CODE.sub(lambda c: chr(int(c[1])), line) for line in label.split("<br>")]


def read(drawing):
    """(nodes by id: label lines, edges: (from, label lines, to)) of a flowchart."""
    assert drawing.endswith("\n")
    first, *lines = drawing.removesuffix("\n").split("\n")
    assert first == "flowchart LR"
    nodes, edges = {}, []
    for line in lines:
        assert line.startswith("    ")
        if node := NODE.fullmatch(line[4:]):
            assert not edges, "all nodes stand before the first edge"
            assert node["id"] not in nodes
            label = node["round"] or node["store"] or node["choice"] or node["box"]
            nodes[node["id"]] = text_of(label)
            harmless = label.replace("<br>", "")
            assert not re.search(r"[<>\"`|{}\\]", harmless)
            assert html.unescape(harmless) == harmless
        else:
            edge = EDGE.fullmatch(line[4:])
            assert edge, line
            label = text_of(edge["label"]) if edge["label"] else [edge["word"]]
            label = ["...", *label] if edge["dotted"] else label
            edges.append((edge["from"], label, edge["to"]))
    assert {end for one, _, other in edges for end in (one, other)} <= nodes.keys()
    return nodes, edges


PLAN = Plan(
    queues=[
        Queue(
            name='bill"ing <b>',
            members="billing",
            order=Strict(),
            ladder=[
                Step("billing >= 7", for_ms=1500, skip_if_nobody=True),
                Step("billing >= 3", until_ms=60_000, drop=["lang:de"]),
                Step(),
            ],
        ),
        Queue(name="rest"),
    ],
    agents=[
        Agent(id="anna", name="Anna", skills={"billing": 8}),
        *(Agent(id=f"a{n}", skills={"billing": 4}) for n in range(5)),
    ],
    triage=[
        TriageRule(
            queue='bill"ing <b>',
            when='subject has "invoice"',
            priority=3,
            requirement="billing >= 2",
            match_language=True,
        ),
        TriageRule(queue="rest", when="is_live"),
    ],
)


def test_the_whole_way_of_a_message_is_drawn():
    nodes, edges = read(draw(PLAN))
    assert nodes == {
        "message": ["message"],
        "rule0": ['subject has "invoice"'],
        "rule1": ["is_live"],
        "rejected": ["rejected"],
        "queue0": ['bill"ing <b>', "strict, longest_idle", "members: billing"],
        "step0_0": ["step 0: billing >= 7", "skipped if nobody is signed in"],
        "step0_1": ["step 1: billing >= 3", "drops lang:de"],
        "step0_2": ["step 2: any member"],
        "queue1": ["rest", "head_start, longest_idle"],
        "step1_0": ["step 0: any member"],
        "agents0": ["1 agent", "Anna"],
        "agents1": ["6 agents", "Anna", "a0", "a1", "a2", "and 2 more"],
    }
    given_ = ["priority 3", "needs billing >= 2", "needs the language of the message"]
    assert edges == [
        ("message", [None], "rule0"),
        ("rule0", given_, "queue0"),
        ("rule0", ["no"], "rule1"),
        ("rule1", [None], "queue1"),
        ("rule1", ["no"], "rejected"),
        ("queue0", [None], "step0_0"),
        ("step0_0", [None], "agents0"),
        ("step0_0", ["after 1.5 s"], "step0_1"),
        ("step0_1", [None], "agents1"),
        ("step0_1", ["at 60 s of waiting"], "step0_2"),
        ("step0_2", [None], "agents1"),
        ("queue1", [None], "step1_0"),
        ("step1_0", [None], "agents1"),
    ]


def test_a_rule_without_a_condition_ends_triage():
    rules = [TriageRule(queue="q"), TriageRule(queue="q", when="is_live")]
    nodes, edges = read(draw(Plan(queues=[Queue(name="q")], triage=rules)))
    assert nodes["rule0"] == ["any message"]
    assert "rule1" not in nodes
    assert "rejected" not in nodes
    assert ("rule0", [None], "queue0") in edges


def test_overflow_is_dotted_and_what_stays_is_told_at_its_place():
    first = Queue(
        name="first",
        overflow=[
            Overflow(when="waiting >= 50", reject="call again", hint="mail"),
            Overflow(when="nobody", queue="second", priority=7, requirement="x"),
            Overflow(when="ready == 0", priority=3, open_access=True),
        ],
        ladder=[
            Step("x", for_ms=20_000),
            Step(for_ms=20_000, only_if="waiting >= 2", overflow=Overflow(queue="second")),
            Step(overflow=Overflow(when="not open", priority=9)),
        ],
        refusal=Refusal("all_declined", overflow=Overflow(reject="call again")),
    )
    nodes, edges = read(draw(Plan(queues=[first, Queue(name="second")])))
    assert nodes["queue0"][2:] == ["if ready == 0: priority 3, open to all agents at once"]
    assert nodes["step0_1"] == ["step 1: any member", "only if waiting >= 2"]
    assert nodes["step0_2"] == ["step 2: any member", "if not open: priority 9"]
    assert nodes["turned0"] == ["rejected: call again"]
    assert [edge for edge in edges if edge[1][0] == "..."] == [
        ("queue0", ["...", "if waiting >= 50", "hint mail"], "turned0"),
        ("queue0", ["...", "if nobody", "priority 7", "needs x"], "queue1"),
        ("queue0", ["...", "all have declined"], "turned0"),
        ("step0_1", ["...", "always"], "queue1"),
    ]


def test_without_agents_the_requirement_stands_for_them():
    nodes, _ = read(draw(Plan(queues=[Queue(name="a", members="x >= 2"), Queue(name="b")])))
    assert nodes["agents0"] == ["agents", "x >= 2"]
    assert nodes["agents1"] == ["agents", "any"]


def test_long_labels_are_cut():
    wanted = " and ".join(f"skill{n}" for n in range(60))
    nodes, _ = read(draw(Plan(queues=[Queue(name="a", members=wanted)])))
    assert nodes["queue0"][2].endswith("...")
    assert len(nodes["queue0"][2]) == 120


@given(plans())
def test_any_plan_is_drawn_well_formed(plan):
    nodes, edges = read(draw(plan))
    assert draw(plan) == draw(plan)
    dotted = [one for one, said, _ in edges if said[0] == "..."]
    for number, queue in enumerate(plan.queues.values()):
        rules = [rule for rule in queue.overflow if rule.queue or rule.reject is not None]
        rules += [queue.refusal.overflow] if queue.refusal.overflow else []
        assert dotted.count(f"queue{number}") == len(rules)
        assert nodes[f"queue{number}"][0] == queue.name
        for step in range(len(queue.ladder)):
            ends = [to for one, _, to in edges if one == f"step{number}_{step}"]
            assert any(to.startswith("agents") for to in ends)


@given(st.text(min_size=1, max_size=20), st.sampled_from(worlds.TEXTS))
def test_any_name_can_be_read_back(name, text):
    plan = Plan(
        queues=[Queue(name=name)],
        agents=[Agent(id="x", name=text or "x")],
        triage=[TriageRule(queue=name, requirement=None, when="is_live")],
    )
    nodes, _ = read(draw(plan))
    assert nodes["queue0"][0] == name
    assert nodes["agents0"][1] == (text or "x")
