"""Expressions: what they mean, that their text is their identity, and how they fail."""

import copy
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omniroute.errors import ExpressionError, PlanError
from omniroute.model import Agent, Channel, Customer, Message
from omniroute.plan import Names, Scope, all_of, has_skill, parse
from omniroute.plan.expression import MAX_DEPTH, MAX_NODES, MAX_SOURCE
from plan import worlds

# --- meaning ----------------------------------------------------------------------------


@given(worlds.agent_trees, st.lists(worlds.agents, min_size=1, max_size=8))
def test_an_agent_expression_means_what_the_slow_evaluator_says(tree, agents):
    matches = parse(worlds.source(tree)).matches
    assert [matches(agent) for agent in agents] == [worlds.holds(tree, agent) for agent in agents]


@given(worlds.message_trees, st.lists(worlds.messages, min_size=1, max_size=8))
def test_a_message_expression_means_what_the_slow_evaluator_says(tree, messages):
    matches = parse(worlds.source(tree), Scope.MESSAGE).matches
    expected = [worlds.holds(tree, message) for message in messages]
    assert [matches(message) for message in messages] == expected


@given(worlds.queue_trees, st.lists(worlds.outlooks, min_size=1, max_size=8))
def test_a_queue_expression_means_what_the_slow_evaluator_says(tree, outlooks):
    matches = parse(worlds.source(tree), Scope.QUEUE).matches
    expected = [worlds.holds(tree, outlook) for outlook in outlooks]
    assert [matches(outlook) for outlook in outlooks] == expected


ANNA = Agent(
    id="anna",
    skills={"billing": 5, "lang:de": 10, "in": 1, "trainee": 0},
    groups=("tier2",),
    attributes={"site": "Berlin", "products": ("loans", "cards"), "age": 30, "vip": True},
)

AGENT_CASES = [
    ("billing", True),
    ("trainee", False),
    ("nothing", False),
    ("nothing >= 0", True),
    ("nothing < 1", True),
    ("billing >= 5 and billing <= 5 and billing == 5 and billing != 4", True),
    ("billing > 5 or billing < 5", False),
    ('skill("in")', True),
    ('skills has "billing"', True),
    ('skills has "trainee"', False),
    ('groups has "tier2"', True),
    ('groups has "tier"', False),
    ('agent == "anna"', True),
    ('agent in ["bert", "anna"]', True),
    ('agent not in ["bert"]', True),
    ('attr.site == "Berlin"', True),
    ('attr.site == "berlin"', False),
    ('attr.site has "erl"', True),
    ('attr.products has "loans"', True),
    ('attr.products has "loan"', False),
    ('attr.products == "loans"', False),
    ('attr.products != "loans"', True),
    ("attr.age >= 30 and attr.age in [29, 30]", True),
    ('attr.age == "30"', False),
    ("attr.vip == true", True),
    ("attr.vip == 1", False),
    ("attr.vip >= 0", False),
    ("attr.missing == 1", False),
    ("attr.missing != 1", True),
    ("attr.missing in [1]", False),
    ("attr.missing not in [1]", True),
    ("attr.missing < 1 or attr.missing >= 1", False),
    ("not attr.missing < 1", True),
    ('attr.missing has ""', False),
    ("billing or nothing and nothing", True),
    ("(billing or nothing) and nothing", False),
    ("not nothing and billing", True),
    ("not (nothing and billing)", True),
]


@pytest.mark.parametrize(("source", "expected"), AGENT_CASES)
def test_what_an_agent_satisfies(source, expected):
    assert parse(source).matches(ANNA) is expected


MAIL = Message(
    channel=Channel.EMAIL,
    customer=Customer(id="C1"),
    to="Billing@Example.org",
    subject="Rechnung STRASSE",
    text="bitte um Rückruf",
    attributes={"site": "Berlin", "tags": ("VIP", "new")},
)

MESSAGE_CASES = [
    ('channel == "email"', True),
    ('channel in ["voice", "chat"]', False),
    ("is_live", False),
    ("is_live == false", True),
    ("is_live != true", True),
    ("has_attachments", False),
    ('subject has "rechnung"', True),
    ('subject has "straße"', True),
    ('subject == "rechnung strasse"', True),
    ('to == "billing@example.ORG"', True),
    ('language == "de"', False),
    ('language != "de"', True),
    ('language not in ["de", "en"]', True),
    ('not language in ["de", "en"]', True),
    ('thread_id != "t"', True),
    ('customer == "C1"', True),
    ('customer == "c1"', False),
    ('attr.site == "BERLIN"', True),
    ('attr.tags has "vip"', True),
    ('attr.tags has "vi"', False),
]


@pytest.mark.parametrize(("source", "expected"), MESSAGE_CASES)
def test_what_a_message_satisfies(source, expected):
    assert parse(source, Scope.MESSAGE).matches(MAIL) is expected


# --- the text is the identity -----------------------------------------------------------


@given(worlds.scoped_trees, st.data())
def test_the_canonical_text_parses_to_the_same_expression(drawn, data):
    tree, scope = drawn
    expression = parse(
        worlds.source(tree, lambda options: data.draw(st.sampled_from(options))), scope
    )
    assert parse(str(expression), scope) == expression
    assert str(parse(str(expression), scope)) == str(expression)
    assert expression == parse(worlds.source(tree), scope)
    assert "\n" not in str(expression)


CANONICAL = [
    ("b and a", "a and b"),
    ("a and (b and c) and a", "a and b and c"),
    ("(a or b) and c", "(a or b) and c"),
    ("a or b and c", "a or b and c"),
    ("not not a", "a"),
    ("not (a and b)", "not (a and b)"),
    ("not a == 2", "a != 2"),
    ("not agent in ['x']", 'agent not in ["x"]'),
    ("not attr.x < 2", "not attr.x < 2"),
    ("a >= 1", "a"),
    ('skills has "a"', "a"),
    ('skill("and")', 'skill("and")'),
    ('skill("a")', "a"),
    ("agent in ['b', 'a', 'b']", 'agent in ["a", "b"]'),
    ("attr('x y')==true", 'attr("x y") == true'),
    ("attr.x == 'a\\n\"'", 'attr.x == "a\\n\\""'),
]


@pytest.mark.parametrize(("source", "text"), CANONICAL)
def test_the_canonical_text(source, text):
    assert str(parse(source)) == text


def test_an_expression_is_an_immutable_value():
    one, other = parse("a and b"), parse("b and  a")
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse("a")
    assert one != "a and b"
    assert repr(one) == "parse('a and b')"
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one
        assert again.matches(Agent(id="x", skills={"a": 1, "b": 1}))
    with pytest.raises(AttributeError, match="immutable"):
        one.scope = Scope.MESSAGE
    with pytest.raises(AttributeError, match="immutable"):
        del one.scope


def test_a_number_is_no_flag_although_python_says_so():
    zero, false = parse("attr.x == 0"), parse("attr.x == false")
    assert zero != false
    assert zero.tree != false.tree
    assert all_of(zero, false).matches(Agent(id="a", attributes={"x": 0})) is False
    assert len(all_of(zero, false).conjuncts) == 2


def test_the_same_text_in_two_scopes_is_two_expressions():
    assert parse('attr.x == "a"') != parse('attr.x == "a"', Scope.MESSAGE)


def test_the_names_an_expression_mentions():
    expression = parse(
        'billing >= 3 and not vip and (agent in ["a", "b"] or agent != "c") and lang:de > 0'
        ' and groups has "g" and attr.site == "x" and junior < 3 and any >= 0 and (x or y)'
    )
    assert expression.skills == {"billing", "vip", "lang:de", "junior", "any", "x", "y"}
    assert expression.agent_ids == {"a", "b", "c"}
    assert expression.groups == {"g"}
    assert expression.attributes == {"site"}
    assert expression.required_skills == ("any", "billing", "lang:de")
    assert parse("a or b").required_skills == ()
    assert parse("a").required_skills == ("a",)


def test_a_skill_is_required_without_going_through_text():
    assert has_skill("lang:de") == parse("lang:de")
    assert has_skill("de or billing", 3) == parse('skill("de or billing") >= 3')


# --- laws of all_of and without ---------------------------------------------------------

expressions = worlds.agent_trees.map(lambda tree: parse(worlds.source(tree)))
maybe = st.none() | expressions


@given(st.lists(maybe, max_size=4), st.randoms(use_true_random=False), worlds.agents)
def test_all_of_is_the_conjunction_whatever_the_order(parts, random, agent):
    joined = all_of(*parts)
    shuffled = [*parts, *parts[:1], None]
    random.shuffle(shuffled)
    assert all_of(*shuffled) == joined
    assert all_of(joined, *parts) == joined
    expected = all(part.matches(agent) for part in parts if part is not None)
    assert (joined is None or joined.matches(agent)) is expected
    if joined is None:
        assert all(part is None for part in parts)
    else:
        assert parse(str(joined)) == joined


@given(expressions, expressions, expressions)
def test_all_of_is_associative(a, b, c):
    assert all_of(all_of(a, b), c) == all_of(a, all_of(b, c)) == all_of(a, b, c)


def test_all_of_nothing_is_no_restriction():
    assert all_of() is None
    assert all_of(None, None) is None


def test_all_of_refuses_to_mix_scopes():
    with pytest.raises(PlanError, match="agent and a message"):
        all_of(parse("a"), parse("is_live", Scope.MESSAGE))


def test_all_of_never_fails_on_size():
    parts = [parse(" and ".join(f"s{k}x{n}" for n in range(100))) for k in range(10)]
    joined = all_of(*parts)
    assert len(joined.conjuncts) == 1000
    assert joined.matches(Agent(id="x", skills=dict.fromkeys(joined.skills, 1)))


@given(expressions, st.sets(st.sampled_from(worlds.SKILLS), max_size=3), worlds.agents)
def test_without_only_relaxes_and_leaves_no_top_level_mention(expression, skills, agent):
    left = expression.without(skills)
    if left is None:
        assert skills
        return
    assert not left.skills & skills
    assert set(left.conjuncts) <= set(expression.conjuncts)
    assert left.without(skills) == left
    if expression.matches(agent):
        assert left.matches(agent)
    kept = [part for part in expression.conjuncts if part in left.conjuncts]
    assert all_of(*(parse(part.text) for part in kept)) == left


WITHOUT = [
    ("a and b >= 3", ("b",), "a"),
    ("a and (b or c)", ("b",), "a"),
    ("a and not b", ("b",), "a"),
    ("a", ("a",), None),
    ("a or b", ("a",), None),
    ('a and agent == "b"', ("b",), 'a and agent == "b"'),
    ('a and agent == "b"', ("*",), None),
    ("a and b", ("c",), "a and b"),
    ("a and b", (), "a and b"),
]


@pytest.mark.parametrize(("source", "skills", "left"), WITHOUT)
def test_dropping_skills(source, skills, left):
    assert parse(source).without(skills) == (None if left is None else parse(left))


# --- faults -----------------------------------------------------------------------------

#: source, scope, position of the fault, part of the message
FAULTS = [
    ("", "a", 0, "empty"),
    ("  ", "a", 2, "empty"),
    ("a = 3", "a", 2, "did you mean '=='?"),
    ("a && b", "a", 2, "did you mean 'and'?"),
    ("a || b", "a", 2, "did you mean 'or'?"),
    ("!a", "a", 0, "did you mean 'not'?"),
    ("a <> 3", "a", 2, "did you mean '!='?"),
    ("a AND b", "a", 2, "did you mean 'and'?"),
    ('a "x"', "a", 2, "found the string 'x'"),
    ("a b", "a", 2, "expected 'and', 'or' or the end, found 'b'"),
    ("a and", "a", 5, "found the end"),
    ("and a", "a", 0, "found 'and'"),
    ("(a", "a", 0, "not closed"),
    ("(a b)", "a", 3, "found 'b'"),
    ("a)", "a", 1, "closes nothing"),
    ("3 <= a", "a", 0, "the field comes first"),
    ('"a" >= 3', "a", 0, 'skill("a")'),
    ("a >= 3.5", "a", 5, "not a whole number"),
    ("2nd", "a", 0, 'skill("2nd")'),
    ("a >= 99999999999999999999", "a", 5, "64 bits"),
    ("a >= -1", "a", 5, "an integer from 0"),
    ('a >= "3"', "a", 5, "an integer from 0"),
    ("a >= true", "a", 5, "an integer from 0"),
    ("a in [1]", "a", 2, "allowed: ==, !=, <, <=, >, >="),
    ("a > 3 > 2", "a", 6, "combine two with 'and'"),
    ("a not 3", "a", 6, "expected 'in' after 'not'"),
    ("agent == anna", "a", 9, 'a text is quoted: "anna"'),
    ("agent == 3", "a", 9, "quoted text"),
    ("agent", "a", 0, "needs a comparison: ==, !=, in, not in"),
    ('agent "anna"', "a", 6, "an operator is missing"),
    ('agent == ["a"]', "a", 9, "only 'in' and 'not in'"),
    ('agent in "a"', "a", 9, "expected '['"),
    ("agent in []", "a", 10, "the list is empty"),
    ('agent in ["a"', "a", 9, "not closed"),
    ('agent in ["a" "b"]', "a", 14, "expected ',' or ']'"),
    ('agent in ["a", 1]', "a", 15, "not both"),
    ("attr.x in [true]", "a", 11, "compare flags with '=='"),
    ('groups == "x"', "a", 7, "allowed: has"),
    ('skills has ""', "a", 11, "not empty"),
    ('skill("")', "a", 6, 'skill("name")'),
    ("attr.x", "a", 0, "needs a comparison"),
    ("attr.", "a", 0, "missing after 'attr.'"),
    ("attr == 3", "a", 5, 'attr("name")'),
    ('attr.x < "b"', "a", 9, "'<' compares integers"),
    ("attr.x has 3", "a", 11, "quoted text"),
    ("skill(x)", "a", 6, 'skill("name")'),
    ('skill("x"', "a", 9, "expected ')'"),
    ('foo("x")', "a", 0, "unknown function 'foo'; known: attr, skill"),
    ("'abc", "a", 0, "not closed by '"),
    (r'agent == "a\q"', "a", 11, "unknown escape"),
    ("a ; b", "a", 2, "unexpected character ';'"),
    ("a\x00", "a", 1, "unexpected character"),
    ("channel < 3", "m", 8, "allowed: ==, !=, in, not in"),
    ('channel == "emial"', "m", 11, "did you mean 'email'?"),
    ('channel in ["voice", "emial"]', "m", 21, "did you mean 'email'?"),
    ('subjekt has "x"', "m", 0, "did you mean 'subject'?"),
    ("billing >= 3", "m", 0, "unknown field 'billing' of a message"),
    ('is_live == "yes"', "m", 11, "true or false"),
    ("subject", "m", 0, "needs a comparison"),
    ('skill("x")', "m", 0, "unknown field 'skill'"),
    ('subject has "a" and\n  chanel == "x"', "m", 22, "did you mean 'channel'?"),
]


@pytest.mark.parametrize(("source", "scope", "position", "message"), FAULTS)
def test_a_fault_has_its_exact_place(source, scope, position, message):
    with pytest.raises(ExpressionError) as caught:
        parse(source, Scope.AGENT if scope == "a" else Scope.MESSAGE)
    assert caught.value.position == position
    assert message in str(caught.value)
    assert caught.value.source == source
    *_, line, caret = str(caught.value).split("\n")
    assert caret.index("^") - 2 == position - (source.rfind("\n", 0, position) + 1)
    assert line[2:] in source


NAMES = Names(skills={"billing"}, agents={"anna"}, groups={"tier2"}, attributes={"site"})

UNKNOWN = [
    ("biling", 0, "unknown skill 'biling'; did you mean 'billing'?"),
    ('billing and skills has "x"', 23, "unknown skill 'x'; known: billing"),
    ('skill("biling") > 1', 6, "unknown skill 'biling'"),
    ('agent in ["anna", "ana"]', 18, "unknown agent 'ana'; did you mean 'anna'?"),
    ('groups has "tier"', 11, "unknown group 'tier'; did you mean 'tier2'?"),
    ('attr.sit == "x"', 0, "unknown attribute 'sit'; did you mean 'site'?"),
]


@pytest.mark.parametrize(("source", "position", "message"), UNKNOWN)
def test_names_are_checked_when_they_are_known(source, position, message):
    parse(source)
    with pytest.raises(ExpressionError) as caught:
        parse(source, names=NAMES)
    assert caught.value.position == position
    assert message in str(caught.value)


def test_known_names_pass():
    source = 'billing and agent == "anna" and groups has "tier2" and attr.site == "x"'
    assert parse(source, names=NAMES) == parse(source)


# --- limits and garbage -----------------------------------------------------------------


def test_limits_are_errors_with_a_place_and_no_recursion():
    nodes = MAX_NODES // 2
    parse(" and ".join(["a"] * nodes))
    with pytest.raises(ExpressionError, match="more than 256"):
        parse(" and ".join(["a"] * (nodes + 1)))
    parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH)
    with pytest.raises(ExpressionError, match="more than 50") as caught:
        parse("(" * 2000 + "a" + ")" * 2000)
    assert caught.value.position == MAX_DEPTH
    with pytest.raises(ExpressionError, match="more than 50"):
        parse("not " * 60 + "a")
    parse('agent == "' + "x" * (MAX_SOURCE - 11) + '"')
    with pytest.raises(ExpressionError, match="at most 4096"):
        parse('agent == "' + "x" * (MAX_SOURCE - 10) + '"')
    with pytest.raises(ExpressionError, match="written out"):
        parse('agent=="' + "\t" * (MAX_SOURCE - 9) + '"')


WORDS = [
    *(
        [
            "and",
            "or",
            "not",
            "in",
            "has",
            "true",
            "false",
            "agent",
            "groups",
            "skills",
            "attr.",
            "attr",
            "skill",
            "channel",
            "subject",
        ]
    ),
    *(
        [
            "==",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "(",
            ")",
            "[",
            "]",
            ",",
            '"',
            "'",
            "\\",
            "-",
            "3",
            "-1",
            "0.5",
            "billing",
            "lang:de",
            "ünï",
            "\n",
            "\t",
            "\x00",
            "=",
            "!",
            "&",
        ]
    ),
    '"x"',
    "is_live",
]
garbage = st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@given(garbage, st.sampled_from(Scope))
@example("not " * 300, Scope.AGENT)
@example("a" * 5000, Scope.AGENT)
@example("\ud800", Scope.AGENT)
def test_garbage_parses_or_is_an_expression_error(source, scope):
    try:
        expression = parse(source, scope)
    except ExpressionError as error:
        assert 0 <= error.position <= len(source)  # noqa: PT017 - the other outcome is fine too
    else:
        assert parse(str(expression), scope) == expression
