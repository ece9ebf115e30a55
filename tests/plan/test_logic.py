"""`possible` against trying every agent and every message of a small complete world."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.model import Agent, Attachment, Channel, Message
from omniroute.plan import Scope, parse
from omniroute.plan.logic import possible
from plan import worlds

# --- a world in which every answer can be found by trying -------------------------------

LEVELS = range(5)  # constants go to 3, so 4 stands for every higher level
STRINGS = ["", "a", "b", "ab", "x", "xa", "xb", "ba", "xab", "bab"]
ATTRIBUTES = [None, True, False, *range(-1, 5), *STRINGS]
ATTRIBUTES += [t for size in range(4) for t in itertools.combinations(["a", "b", "ab"], size)]

EVERYBODY = [
    Agent(
        id=name,
        skills={"s": s, "t": t},
        groups=groups,
        attributes={} if attribute is None else {"x": attribute},
    )
    for name in ("anna", "bert", "else")
    for s in LEVELS
    for t in (0, 2, 4)
    for groups in ((), ("g",))
    for attribute in ATTRIBUTES
]

EVERYTHING = [
    Message(
        channel=channel,
        language=language,
        subject=subject,
        attachments=attachments,
        attributes={} if attribute is None else {"x": attribute},
    )
    for channel in (Channel.EMAIL, Channel.VOICE, Channel.CHAT, Channel.SMS, Channel.VIDEO)
    for language in (None, "de", "en", "fr")
    for subject in STRINGS
    for attachments in ((), (Attachment(),))
    for attribute in (None, 0, 1, 2, "a", ("a",))
]

parts = st.sampled_from(["a", "b", "ab"])
numbers = st.integers(0, 3)
attributes = st.one_of(
    worlds.of(["x"], [*worlds.EQUALITY, "has"], parts),
    worlds.of(["x"], worlds.ORDER, numbers),
    worlds.of(["x"], ["==", "!="], st.booleans()),
).map(lambda c: ("attr", *c))
agent_leaves = st.one_of(
    worlds.of(["s"], worlds.ORDER, numbers).map(lambda c: ("level", *c)),
    worlds.of(["t"], ["<", ">="], st.just(2)).map(lambda c: ("level", *c)),
    worlds.of(["agent"], worlds.EQUALITY, st.sampled_from(["anna", "bert"])).map(
        lambda c: ("field", *c)
    ),
    st.just(("field", "groups", "has", "g")),
    attributes,
)
message_leaves = st.one_of(
    worlds.of(["channel"], worlds.EQUALITY, st.sampled_from(["email", "voice", "chat"])),
    worlds.of(["language"], worlds.EQUALITY, st.sampled_from(["de", "en"])),
    worlds.of(["subject"], [*worlds.EQUALITY, "has"], parts),
    worlds.of(["has_attachments", "is_live"], ["==", "!="], st.booleans()),
).map(lambda c: ("field", *c)) | worlds.of(["x"], ["==", "<"], st.just(1)).map(
    lambda c: ("attr", *c)
)


def agree(every, none, scope, world):
    found = possible(
        [parse(worlds.source(tree), scope).tree for tree in every],
        [parse(worlds.source(tree), scope).tree for tree in none],
        scope,
    )
    expected = any(
        all(worlds.holds(tree, one) for tree in every)
        and not any(worlds.holds(tree, one) for tree in none)
        for one in world
    )
    assert found is expected


agent_trees = worlds.trees(agent_leaves, max_leaves=6)
message_trees = worlds.trees(message_leaves, max_leaves=6)


@given(st.lists(agent_trees, max_size=3), st.lists(agent_trees, max_size=2))
def test_whether_an_agent_can_exist(every, none):
    agree(every, none, Scope.AGENT, EVERYBODY)


@given(st.lists(message_trees, max_size=3), st.lists(message_trees, max_size=2))
def test_whether_a_message_can_exist(every, none):
    agree(every, none, Scope.MESSAGE, EVERYTHING)


# --- cases ------------------------------------------------------------------------------

CASES = [
    ("a", "agent", "billing >= 3 and billing < 3", False),
    ("a", "agent", "billing >= 3 and billing < 4", True),
    ("a", "agent", "billing > 2 and billing < 4 and billing != 3", False),
    ("a", "agent", 'agent == "a" and agent == "b"', False),
    ("a", "agent", 'agent in ["a", "b"] and agent != "a"', True),
    ("a", "agent", 'agent in ["a", "b"] and agent not in ["a", "b", "c"]', False),
    ("a", "agent", 'groups has "x" and not groups has "x"', False),
    ("a", "agent", 'attr.x == "a" and attr.x >= 3', False),
    ("a", "agent", "attr.x == 0 and attr.x == false", False),
    ("a", "agent", "attr.x == 1 and not attr.x == true", True),
    ("a", "agent", "attr.x != true and attr.x >= 1 and attr.x < 2", True),
    ("a", "agent", 'attr.x has "ab" and not attr.x has "a"', True),
    ("a", "agent", 'attr.x has "ab" and not attr.x has "a" and attr.x == "ab"', False),
    ("m", "subject", 'subject has "invoice 7" and not subject has "INVOICE"', False),
    ("m", "subject", 'subject == "Straße" and subject != "STRASSE"', False),
    ("m", "is_live", 'is_live and channel in ["email", "sms"]', False),
    ("m", "is_live", 'not is_live and channel in ["email", "voice"]', True),
    ("m", "channel", " and ".join(f'channel != "{c.value}"' for c in Channel), False),
    ("m", "language", 'language != "de" and not language != "en"', True),
    ("m", "thread", 'thread_id != "a" and thread_id not in ["b"]', True),
    ("m", "customer", 'customer == "a" and customer in ["A"]', False),
]


@pytest.mark.parametrize(("scope", "what", "source", "expected"), CASES)
def test_one_expression(scope, what, source, expected):
    kind = Scope.AGENT if scope == "a" else Scope.MESSAGE
    assert possible([parse(source, kind).tree], [], kind) is expected


def test_levels_bound_what_can_be():
    tree = parse("billing >= 6 and other >= 99").tree
    assert possible([tree], [], Scope.AGENT)
    assert not possible([tree], [], Scope.AGENT, {"billing": 5})
    assert possible([tree], [], Scope.AGENT, {"billing": 6})


def test_many_rules_are_no_explosion():
    """Two hundred conditions of two terms each: 2**200 ways to negate them all."""
    topics = range(200)
    rules = [parse(f'channel == "email" and subject has "t{n}x"', Scope.MESSAGE) for n in topics]
    trees = [rule.tree for rule in rules]
    last = parse('channel == "email" and subject has "at150xb"', Scope.MESSAGE).tree
    other = parse('channel == "email" and subject has "t150"', Scope.MESSAGE).tree
    assert not possible([last], trees, Scope.MESSAGE)
    assert possible([other], trees, Scope.MESSAGE)


def test_a_search_that_is_given_up_claims_nothing():
    """A pigeonhole: nine in eight holes is impossible, but no search this small shows it."""
    every = [" or ".join(f"p{pigeon}h{hole}" for hole in range(8)) for pigeon in range(9)]
    clashes = [
        f"p{one}h{hole} and p{two}h{hole}"
        for hole in range(8)
        for one, two in itertools.combinations(range(9), 2)
    ]
    trees = [parse(text).tree for text in every]
    assert possible(trees, [parse(text).tree for text in clashes], Scope.AGENT)
