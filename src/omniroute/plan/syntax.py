"""The tree of an expression, its vocabulary, and its one canonical spelling.

Trees are built only through `conjunction`, `disjunction`, `negation` and the parser's
comparisons, which keep them canonical: nested ``and`` and ``or`` are flat, their operands
are sorted and distinct, double negation is gone, ``not x == v`` is ``x != v``. So trees
that differ only in order, repetition or brackets are equal and print the same text, and
that text parses to the same tree: the text is the identity of an expression.

What an expression may say is in two tables: `FIELDS` (the fields of each scope and their
kind) and `OPERATORS` (what each kind can be compared by).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import attrs

from .lexer import ESCAPES, is_name

__all__ = [
    "FIELDS",
    "KEYWORDS",
    "OPERATORS",
    "And",
    "Compare",
    "Kind",
    "Literal",
    "Node",
    "Not",
    "Or",
    "Scope",
    "conjunction",
    "disjunction",
    "leaves",
    "negation",
    "quoted",
]

#: What a field can be compared with (a bool is an int here).
Literal = str | int | tuple[str, ...] | tuple[int, ...]


class Scope(enum.Enum):
    """What an expression speaks of."""

    AGENT = "agent"  #: a requirement: which human agents may take it
    MESSAGE = "message"  #: a triage rule: which messages it is about
    QUEUE = "queue"  #: an overflow rule: how it stands with a queue now


class Kind(enum.Enum):
    """The type of a field, with its name in error messages."""

    LEVEL = "a skill"
    NUMBER = "a number"
    IDENTIFIER = "an id"
    TEXT = "a text"
    CHANNEL = "a channel"
    FLAG = "a flag"
    NAMES = "a set of names"
    ATTRIBUTE = "an attribute"


_EQUALITY = ("==", "!=", "in", "not in")
_ORDER = ("==", "!=", "<", "<=", ">", ">=")

#: The operators each kind allows.
OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.LEVEL: _ORDER,
    Kind.NUMBER: _ORDER,
    Kind.IDENTIFIER: _EQUALITY,
    Kind.TEXT: (*_EQUALITY, "has"),
    Kind.CHANNEL: _EQUALITY,
    Kind.FLAG: ("==", "!="),
    Kind.NAMES: ("has",),
    Kind.ATTRIBUTE: (*_ORDER, "in", "not in", "has"),
}

#: The fields of each scope. ``skill(..)`` and bare skill names exist beside them in the
#: agent scope, ``attr.name`` in the agent and the message scope.
FIELDS: dict[Scope, dict[str, Kind]] = {
    Scope.AGENT: {"agent": Kind.IDENTIFIER, "groups": Kind.NAMES, "skills": Kind.NAMES},
    Scope.MESSAGE: {
        "channel": Kind.CHANNEL,
        "subject": Kind.TEXT,
        "text": Kind.TEXT,
        "language": Kind.TEXT,
        "to": Kind.TEXT,
        "thread_id": Kind.IDENTIFIER,
        "customer": Kind.IDENTIFIER,
        "has_attachments": Kind.FLAG,
        "is_live": Kind.FLAG,
    },
    Scope.QUEUE: {
        "waiting": Kind.NUMBER,
        "signed_in": Kind.NUMBER,
        "ready": Kind.NUMBER,
        "takers": Kind.NUMBER,
        "ewt_s": Kind.NUMBER,
        "service_level": Kind.NUMBER,
        "open": Kind.FLAG,
        "draining": Kind.FLAG,
        "nobody": Kind.FLAG,
    },
}

#: Words that are no names in any scope.
KEYWORDS = frozenset({"and", "or", "not", "in", "has", "true", "false"})

_RESERVED = KEYWORDS | FIELDS[Scope.AGENT].keys() | {"skill", "attr"}
_OPPOSITE = {"==": "!=", "!=": "==", "in": "not in", "not in": "in"}
_UNESCAPED = {value: "\\" + name for name, value in ESCAPES.items() if name != "'"}


@attrs.frozen
class Compare:
    """One comparison. ``name`` is the skill, the attribute or the field.

    Equal when the kind and the text are: to Python ``0 == False``, to the language not.
    """

    kind: Kind
    name: str = attrs.field(eq=False)
    operator: str = attrs.field(eq=False)
    value: Literal = attrs.field(eq=False)
    text: str = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "text", _compare_text(self))


@attrs.frozen
class Not:
    """The negation of ``operand``."""

    operand: Node
    text: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        inner = self.operand.text
        shown = f"({inner})" if isinstance(self.operand, And | Or) else inner
        object.__setattr__(self, "text", f"not {shown}")


@attrs.frozen
class And:
    """All of ``operands``: at least two, sorted by text, distinct, none of them an `And`."""

    operands: tuple[Node, ...]
    text: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        shown = (f"({o.text})" if isinstance(o, Or) else o.text for o in self.operands)
        object.__setattr__(self, "text", " and ".join(shown))


@attrs.frozen
class Or:
    """At least one of ``operands``: at least two, sorted by text, distinct, none an `Or`."""

    operands: tuple[Node, ...]
    text: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "text", " or ".join(o.text for o in self.operands))


Node = Compare | Not | And | Or


def conjunction(operands: Iterable[Node]) -> Node:
    """The canonical ``and`` of at least one operand."""
    found = _distinct(operands, And)
    return found[0] if len(found) == 1 else And(found)


def disjunction(operands: Iterable[Node]) -> Node:
    """The canonical ``or`` of at least one operand."""
    found = _distinct(operands, Or)
    return found[0] if len(found) == 1 else Or(found)


def negation(operand: Node) -> Node:
    """The canonical ``not``.

    A missing attribute makes ``==`` false and ``!=`` true, so the two are exact opposites;
    ``<`` and ``>=`` are not, and stay under their ``not``.
    """
    if isinstance(operand, Not):
        return operand.operand
    if (
        isinstance(operand, Compare)
        and operand.operator in _OPPOSITE
        and operand.kind is not Kind.FLAG
    ):
        opposite = _OPPOSITE[operand.operator]
        return Compare(operand.kind, operand.name, opposite, operand.value)
    return Not(operand)


def _distinct(operands: Iterable[Node], sort: type[And | Or]) -> tuple[Node, ...]:
    by_text: dict[str, Node] = {}
    for operand in operands:
        for part in operand.operands if isinstance(operand, sort) else (operand,):
            by_text[part.text] = part
    return tuple(by_text[text] for text in sorted(by_text))


def leaves(node: Node) -> Iterator[Compare]:
    """Every comparison in the tree, left to right."""
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, Not):
        yield from leaves(node.operand)
    else:
        for operand in node.operands:
            yield from leaves(operand)


def quoted(text: str) -> str:
    """``text`` as a string of the language, on one line."""
    return '"' + "".join(_UNESCAPED.get(c, c) for c in text) + '"'


def _compare_text(compare: Compare) -> str:
    kind, operator, value = compare.kind, compare.operator, compare.value
    if kind is Kind.FLAG:
        return compare.name
    name = compare.name
    if kind is Kind.LEVEL:
        bare = is_name(name) and name not in _RESERVED and not name.startswith("attr.")
        name = name if bare else f"skill({quoted(name)})"
        if (operator, value) == (">=", 1):
            return name
    elif kind is Kind.ATTRIBUTE:
        bare = bool(name) and is_name("_" + name)
        name = f"attr.{name}" if bare else f"attr({quoted(name)})"
    if isinstance(value, tuple):
        return f"{name} {operator} [{', '.join(map(_literal_text, value))}]"
    return f"{name} {operator} {_literal_text(value)}"


def _literal_text(value: str | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else quoted(value)
