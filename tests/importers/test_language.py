"""The vendors' expressions mean the same in ours, or are reported with their position."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.importers.language import POWER_FX, TWILIO, Untranslatable
from omniroute.importers.translation import attribute, translate
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Scope


def plain(key):
    return attribute(key.name)


def twilio(source, scope=Scope.AGENT):
    return translate(source, TWILIO, scope, plain)


def power_fx(source):
    return translate(source, POWER_FX, Scope.MESSAGE, plain)


SAME = [
    (TWILIO, "a == 'x'", 'attr.a == "x"'),
    (TWILIO, 'a != "x"', 'attr.a != "x"'),
    (TWILIO, "5 < a", "attr.a > 5"),
    (TWILIO, "a >= 5.1", "attr.a >= 6"),
    (TWILIO, "a < 5.9", "attr.a <= 5"),
    (TWILIO, "a == 5.0", "attr.a == 5"),
    (TWILIO, "a IN ['x', 'y']", 'attr.a in ["x", "y"]'),
    (TWILIO, "a not in ['x']", 'attr.a not in ["x"]'),
    (TWILIO, "a HAS 'x' AND b CONTAINS 'y'", 'attr.a has "x" and attr.b has "y"'),
    (TWILIO, "'x' IN a", 'attr.a has "x"'),
    (TWILIO, "'x' NOT IN a", 'not attr.a has "x"'),
    (TWILIO, "(a == 1 OR b == true) AND c.d == -2", "(attr.a == 1 or attr.b == true) and attr.c.d == -2"),
    (TWILIO, r"a == 'it\'s'", 'attr.a == "it\'s"'),
    (TWILIO, "1 == 1 AND a == 1", "attr.a == 1"),
    (TWILIO, "1 == 2 OR a == 1", "attr.a == 1"),
    (TWILIO, "a and b", "attr.a == true and attr.b == true"),
    (POWER_FX, 'a = "x" && Not(b <> 2)', 'attr.a == "x" and attr.b == 2'),
    (POWER_FX, 'And(a = "x", Or(b = 1, c = 2))', 'attr.a == "x" and (attr.b == 1 or attr.c == 2)'),
    (POWER_FX, '!(a in ["x"]) || a = "say ""hi"""', 'attr.a == "say \\"hi\\"" or attr.a not in ["x"]'),
    (POWER_FX, '"x" in a', 'attr.a has "x"'),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "theirs", "ours"), SAME)
def test_what_can_be_said_is_said(dialect, theirs, ours):
    assert str(translate(theirs, dialect, Scope.AGENT, plain)) == ours


DECIDED = {"1==1": True, "1 == 2": False, "'a' == 'a'": True, "1 == '1'": False, "2 < 3": True,
           "'a' IN ['a']": True, "a IN []": False, "a NOT IN []": True, "true": True,
           "1==1 OR a == 1": True, "1==2 AND a == 1": False, "NOT 1==1": False}  # fmt: skip


@pytest.mark.parametrize("source", DECIDED)
def test_what_is_always_or_never_true_is_known(source):
    assert twilio(source) is DECIDED[source]


FAULTS = [
    (TWILIO, "a == b", 2, "two attributes"),
    (TWILIO, "a == 1 AND b ==", 15, "'the end' stands where a value should"),
    (TWILIO, "a == 1 AND # 1", 11, "'#' does not belong here"),
    (TWILIO, "a == 1 b", 7, "'b' does not belong here"),
    (TWILIO, "(a == 1", 7, "')' should stand here"),
    (TWILIO, "a == 5.5", 2, "no whole number"),
    (TWILIO, "a == " + "9" * 5000, 5, "too large"),
    (TWILIO, "a > 1e999", 2, "too large"),
    (TWILIO, "a < 'x'", 2, "no order"),
    (TWILIO, "a IN 'x'", 5, "a list should stand here"),
    (TWILIO, "a IN [1, 'x']", 2, "texts only"),
    (TWILIO, "a == ['x']", 5, "only IN"),
    (TWILIO, "a HAS 5", 2, "texts only"),
    (TWILIO, "'x' == a AND 5", 13, "no condition"),
    (TWILIO, "'x' HAS a", 4, "constant in front"),
    (TWILIO, " AND ".join(f"a == {n}" for n in range(300)), 0, "too large"),
    (TWILIO, "(" * 50 + "a", 40, "40 brackets"),
    (TWILIO, "a" * 20_001, 0, "20000 characters"),
    (POWER_FX, 'StartsWith(a, "x")', 0, "no StartsWith"),
    (POWER_FX, "a = 1 + 2", 6, "'+' does not belong here"),
]


@pytest.mark.parametrize(("dialect", "source", "position", "says"), FAULTS)
def test_what_cannot_be_said_names_its_position(dialect, source, position, says):
    with pytest.raises(Untranslatable) as caught:
        translate(source, dialect, Scope.AGENT, plain)
    assert caught.value.position == position
    assert says in caught.value.why


# --- meaning: a slow evaluator of the vendor's words -------------------------------------

NAMES = ["a", "b", "c.d"]
texts = st.sampled_from(["x", "y", "it's", 'say "hi"', "\\", ""])
integers = st.integers(-3, 3)
values = texts | integers | st.booleans()


def quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def shown(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


leaf = st.one_of(
    st.tuples(st.sampled_from(["==", "!="]), st.sampled_from(NAMES), values),
    st.tuples(st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from(NAMES), integers),
    st.tuples(st.sampled_from(["IN", "NOT IN"]), st.sampled_from(NAMES),
              st.lists(texts, min_size=1, max_size=3) | st.lists(integers, min_size=1, max_size=3)),
    st.tuples(st.just("HAS"), st.sampled_from(NAMES), texts),
)  # fmt: skip
trees = st.recursive(
    leaf,
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    max_leaves=8,
)


def written(tree):
    word, left, right = tree
    if word in ("AND", "OR"):
        return f"({written(left)} {word} {written(right)})"
    return f"{left} {word} {shown(right)}"


def same(one, other):
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def holds(tree, attributes):
    word, left, right = tree
    if word == "AND":
        return holds(left, attributes) and holds(right, attributes)
    if word == "OR":
        return holds(left, attributes) or holds(right, attributes)
    value = attributes.get(left)
    if word in ("==", "!="):
        return same(value, right) is (word == "==")
    if word in ("IN", "NOT IN"):
        return any(same(value, item) for item in right) is (word == "IN")
    if word == "HAS":
        return isinstance(value, tuple) and right in value
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return {"<": value < right, "<=": value <= right, ">": value > right, ">=": value >= right}[
        word
    ]


attributes = st.dictionaries(
    st.sampled_from(NAMES),
    integers | st.booleans() | texts | st.lists(texts, max_size=2).map(tuple),
)


@given(trees, attributes)
def test_an_expression_means_in_ours_what_it_means_there(tree, held):
    # HAS asks arrays there; ours also finds a text in a text.
    for name, value in held.items():
        if isinstance(value, str) and f"{name} HAS" in written(tree):
            return
    found = twilio(written(tree))
    assert found.matches(Agent(id="x", attributes=held)) is holds(tree, held), written(tree)


@given(trees, attributes)
def test_about_messages_too(tree, held):
    for name, value in held.items():
        if isinstance(value, str) and f"{name} HAS" in written(tree):
            return
    found = twilio(written(tree), Scope.MESSAGE)
    message = Message(channel=Channel.CHAT, attributes=held)
    assert found.matches(message) is holds(tree, held), written(tree)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*"()[],'\"=<>!|&", " ", "a", "1", "AND", " OR ", " IN ", "If("])).map("".join),
    st.sampled_from([TWILIO, POWER_FX]),
)  # fmt: skip
def test_any_text_is_an_expression_or_untranslatable(source, dialect):
    with contextlib.suppress(Untranslatable):
        translate(source, dialect, Scope.MESSAGE, plain)
