"""One reader for the vendors' little languages: text into a tree that knows its positions.

Twilio's expressions and the comparisons of Power Fx differ in the spelling of operators
and of strings, not in shape. A `Dialect` holds the spelling; the tree is the same, and
`translation` turns it into our expressions. Recursive descent; the depth is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

__all__ = [
    "MAX_DEPTH",
    "POWER_FX",
    "TWILIO",
    "Call",
    "Dialect",
    "Junction",
    "Key",
    "Listing",
    "Literal",
    "Negation",
    "Relation",
    "Tree",
    "Untranslatable",
    "read",
]

MAX_DEPTH = 40
_MAX_SOURCE = 20_000
_MAX_DIGITS = 300


class Untranslatable(Exception):  # noqa: N818 - it is an outcome, which the importer reports
    """A part of an expression that ours cannot say; ``position`` is its 0-based offset."""

    def __init__(self, position: int, why: str, nearest: str = "") -> None:
        self.position = position
        self.why = why
        self.nearest = nearest
        super().__init__(f"{why} at position {position}")


@attrs.frozen
class Literal:
    """A text, number or boolean."""

    position: int
    value: str | int | float | bool


@attrs.frozen
class Key:
    """A name with dots: ``worker.skills``."""

    position: int
    name: str


@attrs.frozen
class Listing:
    """``[a, b]``."""

    position: int
    items: tuple[Tree, ...]


@attrs.frozen
class Relation:
    """A comparison; ``operator`` is one of ``== != < <= > >= in notin has``."""

    position: int
    operator: str
    left: Tree
    right: Tree


@attrs.frozen
class Junction:
    """``and`` or ``or`` of at least two."""

    position: int
    word: str
    operands: tuple[Tree, ...]


@attrs.frozen
class Negation:
    """``not``."""

    position: int
    operand: Tree


@attrs.frozen
class Call:
    """A function: ``If(a, b, c)``."""

    position: int
    name: str
    arguments: tuple[Tree, ...]


Tree = Literal | Key | Listing | Relation | Junction | Negation | Call


@attrs.frozen
class Dialect:
    """How one language spells what all of them say. Words are compared in small letters."""

    token: re.Pattern[str]
    relations: Mapping[str, str]
    ands: frozenset[str]
    ors: frozenset[str]
    nots: frozenset[str]
    doubled_quotes: bool
    calls: bool


_NUMBER = r"(?P<number>-?(?:\d+\.\d+|\d+|\.\d+)(?:[eE][+-]?\d{1,3})?)"
_NAME = r"(?P<name>[A-Za-z_$][\w$]*(?:\.[A-Za-z_$0-9][\w$]*|\[\d+\])*)"
_MARK = r"(?P<mark>==|!=|<>|<=|>=|&&|\|\||[=<>!()\[\],])"
_SINGLE = r"'(?:[^'\\]|\\.)*'"
_DOUBLE = r'"(?:[^"\\]|\\.)*"'


def _tokens(strings: str) -> re.Pattern[str]:
    return re.compile(rf"\s*(?:(?P<string>{strings})|{_NUMBER}|{_NAME}|{_MARK})", re.DOTALL)


_COMPARISONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "in": "in"}

TWILIO = Dialect(
    token=_tokens(f"{_SINGLE}|{_DOUBLE}"),
    relations={
        **_COMPARISONS,
        "==": "==",
        "!=": "!=",
        "not in": "notin",
        "has": "has",
        "contains": "has",
    },
    ands=frozenset({"and"}),
    ors=frozenset({"or"}),
    nots=frozenset({"not"}),
    doubled_quotes=False,
    calls=False,
)

POWER_FX = Dialect(
    token=_tokens(r'"(?:[^"]|"")*"'),
    relations={**_COMPARISONS, "=": "==", "<>": "!=", "exactin": "in"},
    ands=frozenset({"and", "&&"}),
    ors=frozenset({"or", "||"}),
    nots=frozenset({"not", "!"}),
    doubled_quotes=True,
    calls=True,
)


def read(source: str, dialect: Dialect) -> Tree:
    """The tree of ``source``; raises `Untranslatable` where it does not parse."""
    if len(source) > _MAX_SOURCE:
        raise Untranslatable(0, f"the expression has more than {_MAX_SOURCE} characters")
    return _Reader(source, dialect).whole()


class _Reader:
    """One text on its way to a tree."""

    def __init__(self, source: str, dialect: Dialect) -> None:
        self.dialect = dialect
        self.end = len(source)
        self.tokens = list(self._scan(source))
        self.at = 0
        self.depth = 0

    def _scan(self, source: str) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        at, end = 0, len(source.rstrip())
        while at < end:
            match = self.dialect.token.match(source, at)
            if match is None:
                here = at + len(source[at:]) - len(source[at:].lstrip())
                raise Untranslatable(here, f"{source[here]!r} does not belong here")
            kind = match.lastgroup or ""
            found.append((kind, match[kind], match.start(kind)))
            at = match.end()
        return found

    def whole(self) -> Tree:
        tree = self.disjunction()
        if self.at < len(self.tokens):
            raise Untranslatable(self.position, f"{self.text!r} does not belong here")
        return tree

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    @property
    def text(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else "the end"

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind in ("name", "mark") else ""

    @property
    def position(self) -> int:
        return self.tokens[self.at][2] if self.at < len(self.tokens) else self.end

    def disjunction(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Untranslatable(self.position, f"more than {MAX_DEPTH} brackets inside each other")
        found = self._chain("or", self.dialect.ors, self.conjunction)
        self.depth -= 1
        return found

    def conjunction(self) -> Tree:
        return self._chain("and", self.dialect.ands, self.negation)

    def _chain(self, word: str, words: frozenset[str], part: Callable[[], Tree]) -> Tree:
        # One junction for all, however many: a tree that leans left is as deep as it is long.
        position = self.position
        operands = [part()]
        while self.word in words:
            self.at += 1
            operands.append(part())
        return operands[0] if len(operands) == 1 else Junction(position, word, tuple(operands))

    def negation(self) -> Tree:
        position, turns = self.position, 0
        while self.word in self.dialect.nots and not self._is_call():
            self.at += 1
            turns += 1
        inner = self.relation()
        return Negation(position, inner) if turns % 2 else inner

    def relation(self) -> Tree:
        left = self.operand()
        position = self.position
        operator = self._operator()
        if operator is None:
            return left
        return Relation(position, operator, left, self.operand())

    def _operator(self) -> str | None:
        word, width = self.word, 1
        if word in self.dialect.nots and self._peek() == "in":
            word, width = "not in", 2
        found = self.dialect.relations.get(word)
        self.at += width if found else 0
        return found

    def _peek(self) -> str:
        after = self.at + 1
        return self.tokens[after][1].lower() if after < len(self.tokens) else ""

    def _is_call(self) -> bool:
        return self.dialect.calls and self.kind == "name" and self._peek() == "("

    def operand(self) -> Tree:
        kind, text, position = self.kind, self.text, self.position
        if self._is_call():
            self.at += 1
            return Call(position, text, self._sequence("(", ")"))
        if kind == "mark" and text == "(":
            self.at += 1
            inner = self.disjunction()
            self._expect(")")
            return inner
        if kind == "mark" and text == "[":
            return Listing(position, self._sequence("[", "]"))
        if kind not in ("string", "number", "name"):
            raise Untranslatable(position, f"{text!r} stands where a value should")
        self.at += 1
        if kind == "string":
            return Literal(position, self._string(text))
        if kind == "number" and len(text) > _MAX_DIGITS:
            raise Untranslatable(position, "this number is too large")
        if kind == "number":
            return Literal(position, float(text) if set(text) & set(".eE") else int(text))
        if text.lower() in ("true", "false"):
            return Literal(position, text.lower() == "true")
        return Key(position, text)

    def _sequence(self, opening: str, closing: str) -> tuple[Tree, ...]:
        self._expect(opening)
        found: list[Tree] = []
        while self.text != closing or self.kind != "mark":
            found.append(self.disjunction())
            if self.word != ",":
                break
            self.at += 1
        self._expect(closing)
        return tuple(found)

    def _expect(self, mark: str) -> None:
        if self.kind != "mark" or self.text != mark:
            raise Untranslatable(self.position, f"{mark!r} should stand here, not {self.text!r}")
        self.at += 1

    def _string(self, text: str) -> str:
        inner = text[1:-1]
        if self.dialect.doubled_quotes:
            return inner.replace('""', '"')
        return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
