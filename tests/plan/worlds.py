"""Expressions drawn at random, and a second, slow meaning for them.

A drawn expression is a nested tuple, never the library's own tree: `source` writes it down
as a person might (odd spacing, needless brackets, either quote), `holds` says what it means,
written from the reference page. Names and values come from tiny pools, so that they meet.
"""

from typing import NamedTuple

from hypothesis import strategies as st

from omniroute.model import Agent, Attachment, Channel, Customer, Message
from omniroute.plan import Scope

SKILLS = ["billing", "lang:de", "tier-2.x", "in", "attr.x", "has space", 'qu"ote', "ünï"]
TEXTS = ["", "a", "A", "berlin", "Berlin Mitte", "ß", "SS", "x\ny", "\\", "'", '"']
NAMES = ["site", "in", "a b", "x.y"]
GROUPS = ["tier2", "Tier2", "a\tb"]
ORDER = ["==", "!=", "<", "<=", ">", ">="]
EQUALITY = ["==", "!=", "in", "not in"]
FIELDS = {"subject": True, "text": True, "to": True, "language": True}
NUMBERS = ("waiting", "signed_in", "ready", "takers", "ewt_s", "service_level")
IDS = {"thread_id": False, "customer": False}

integers = st.integers(-3, 12)
texts = st.sampled_from(TEXTS)


def of(names, operators, values):
    """(name, operator, value) with a list where the operator takes one."""
    return st.tuples(st.sampled_from(names), st.sampled_from(operators)).flatmap(
        lambda pair: st.tuples(
            st.just(pair[0]),
            st.just(pair[1]),
            st.lists(values, min_size=1, max_size=3) if pair[1].endswith("in") else values,
        )
    )


attributes = st.one_of(
    of(NAMES, EQUALITY, texts),
    of(NAMES, EQUALITY, integers),
    of(NAMES, ORDER, integers),
    of(NAMES, ["==", "!="], st.booleans()),
    of(NAMES, ["has"], texts),
).map(lambda c: ("attr", *c))

agent_leaves = st.one_of(
    of(SKILLS, ORDER, st.integers(0, 11)).map(lambda c: ("level", *c)),
    st.sampled_from(SKILLS).map(lambda name: ("level", name, ">=", 1)),
    of(["agent"], EQUALITY, texts).map(lambda c: ("field", *c)),
    st.sampled_from(GROUPS).map(lambda name: ("field", "groups", "has", name)),
    st.sampled_from(SKILLS).map(lambda name: ("field", "skills", "has", name)),
    attributes,
)

message_leaves = (
    st.one_of(
        of(["channel"], EQUALITY, st.sampled_from(["email", "voice", "chat"])),
        of([*FIELDS], [*EQUALITY, "has"], texts),
        of([*IDS], EQUALITY, texts),
        of(["has_attachments", "is_live"], ["==", "!="], st.booleans()),
    ).map(lambda c: ("field", *c))
    | attributes
)


def trees(leaves, *, max_leaves=8):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
            st.tuples(st.just("not"), inner),
        ),
        max_leaves=max_leaves,
    )


agent_trees = trees(agent_leaves)
message_trees = trees(message_leaves)
queue_trees = trees(
    st.one_of(
        of([*NUMBERS], ORDER, st.integers(-1, 4)),
        of(["open", "draining", "nobody"], ["==", "!="], st.booleans()),
    ).map(lambda c: ("field", *c))
)
scoped_trees = st.one_of(
    st.tuples(agent_trees, st.just(Scope.AGENT)),
    st.tuples(message_trees, st.just(Scope.MESSAGE)),
    st.tuples(queue_trees, st.just(Scope.QUEUE)),
)

values = st.one_of(
    texts, integers, st.booleans(), st.lists(texts, max_size=3, unique=True).map(tuple)
)

agents = st.builds(
    Agent,
    id=texts,
    skills=st.dictionaries(st.sampled_from(SKILLS), st.integers(0, 11), max_size=4),
    groups=st.lists(st.sampled_from(GROUPS), max_size=2, unique=True).map(tuple),
    attributes=st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
)

messages = st.builds(
    Message,
    channel=st.sampled_from([Channel.EMAIL, Channel.VOICE, Channel.CHAT]),
    customer=st.builds(Customer, id=texts),
    thread_id=st.none() | texts,
    subject=texts,
    text=texts,
    to=texts,
    language=st.none() | texts,
    attachments=st.sampled_from([(), (Attachment(),)]),
    attributes=st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
)


class Outlook(NamedTuple):
    """How it stands with a queue; what is not known yet is None."""

    waiting: int = 0
    signed_in: int = 0
    ready: int = 0
    takers: int = 0
    ewt_s: int | None = None
    service_level: int | None = None
    open: bool = True
    draining: bool = False
    nobody: bool = False


outlooks = st.builds(
    Outlook,
    *(st.integers(0, 3) for _ in range(4)),
    st.none() | st.integers(0, 3),
    st.none() | st.integers(0, 3),
    *(st.booleans() for _ in range(3)),
)

# --- writing it down --------------------------------------------------------------------


def quoted(text, mark):
    inner = text.replace("\\", "\\\\").replace(mark, "\\" + mark).replace("\n", "\\n")
    return f"{mark}{inner}{mark}"


def literal(value, mark):
    if isinstance(value, list):
        return f"[{' , '.join(literal(v, mark) for v in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else quoted(value, mark)


def source(tree, draw=lambda options: options[0]):
    """The text of a drawn tree; ``draw`` chooses among equal spellings."""
    if tree[0] in ("and", "or"):
        text = f" {tree[0]} ".join(f"({source(t, draw)})" for t in tree[1])
        return draw([text, f"( {text} )"])
    if tree[0] == "not":
        return draw(["not ", "not\n"]) + f"({source(tree[1], draw)})"
    kind, name, operator, value = tree
    mark = draw(['"', "'"])
    gap = draw([" ", "", "\t "]) if operator in ORDER else draw([" ", "\n"])
    if kind == "level":
        bare = name in ("billing", "lang:de", "tier-2.x", "ünï")
        name = (
            draw([name, f"skill({quoted(name, mark)})"]) if bare else f"skill({quoted(name, mark)})"
        )
        if (operator, value) == (">=", 1):
            return draw([name, f"{name} >= 1"])
    elif kind == "attr":
        name = f"attr({quoted(name, mark)})" if " " in name else f"attr.{name}"
    elif operator == "==" and value is True:
        return draw([name, f"{name}{gap}=={gap}true"])
    return f"{name}{gap}{operator}{gap}{literal(value, mark)}"


# --- what it means ----------------------------------------------------------------------

COMPARE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def found_in(tree, subject):
    """The value a comparison looks at, or None when it is missing."""
    kind, name, _, _ = tree
    if kind == "attr":
        return subject.attributes.get(name)
    getters = {
        "agent": lambda: subject.id,
        "groups": lambda: subject.groups,
        "skills": lambda: tuple(s for s, level in subject.skills.items() if level > 0),
        "customer": lambda: subject.customer.id,
        "channel": lambda: subject.channel.value,
        "has_attachments": lambda: len(subject.attachments) > 0,
        "is_live": lambda: subject.channel.value in ("voice", "video", "chat", "in_app_chat"),
    }
    return getters[name]() if name in getters else getattr(subject, name)


def holds(tree, subject):
    """Whether a drawn tree holds for an agent or a message, the slow and obvious way."""
    if tree[0] == "and":
        return all(holds(t, subject) for t in tree[1])
    if tree[0] == "or":
        return any(holds(t, subject) for t in tree[1])
    if tree[0] == "not":
        return not holds(tree[1], subject)
    kind, name, operator, value = tree
    if kind == "level":
        return COMPARE[operator](subject.skills.get(name, 0), value)
    found = found_in(tree, subject)
    fold = isinstance(subject, Message) and (kind == "attr" or name in FIELDS)

    def same(text):
        return text.casefold() if fold and isinstance(text, str) else text

    if operator in ("==", "!=", "in", "not in"):
        options = value if isinstance(value, list) else [value]
        equal = any(type(found) is type(v) and same(found) == same(v) for v in options)
        return equal if operator in ("==", "in") else not equal
    if operator == "has":
        if isinstance(found, tuple):
            return any(same(element) == same(value) for element in found)
        return isinstance(found, str) and same(value) in same(found)
    return type(found) is int and COMPARE[operator](found, value)
