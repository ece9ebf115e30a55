"""Tokens into a tree: recursive descent, one method per rule of the grammar.

    expression  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" expression ")" | comparison
    comparison  = field [ operator literal ]
    field       = NAME | "attr." NAME | "attr(" STRING ")" | "skill(" STRING ")"
    operator    = "==" "!=" "<" "<=" ">" ">=" "in" "not in" "has"
    literal     = STRING | INTEGER | "true" | "false" | "[" literal { "," literal } "]"

Types are checked here, where the place of a fault is known: which operators a field has
(`syntax.OPERATORS`), what it is compared with, which channels exist and, when the caller
passes `Names`, which skills, agents, groups and attributes do.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

import attrs

from ..errors import ExpressionError, hint, nearest
from ..model import Channel
from .lexer import Token, TokenKind, tokenize
from .syntax import (
    FIELDS,
    KEYWORDS,
    OPERATORS,
    Compare,
    Kind,
    Literal,
    Node,
    Scope,
    conjunction,
    disjunction,
    negation,
)

__all__ = ["MAX_DEPTH", "MAX_NODES", "Names", "parse_tree"]

#: Comparisons and operators in one expression.
MAX_NODES = 256

#: Brackets and negations inside each other.
MAX_DEPTH = 50

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_CHANNELS = tuple(channel.value for channel in Channel)


@attrs.frozen(kw_only=True)
class Names:
    """The names that exist, for checking while parsing; None leaves a kind unchecked."""

    skills: Collection[str] | None = None
    agents: Collection[str] | None = None
    groups: Collection[str] | None = None
    attributes: Collection[str] | None = None


def parse_tree(source: str, scope: Scope, names: Names) -> Node:
    """The canonical tree of ``source``; raises `ExpressionError` for anything else."""
    return _Parser(source, scope, names).parse()


class _Parser:
    """The state of one parse: where it is, how deep, and how many nodes it has made."""

    def __init__(self, source: str, scope: Scope, names: Names) -> None:
        self.source = source
        self.scope = scope
        self.names = names
        self.tokens = tokenize(source)
        self.index = 0
        self.nodes = 0

    def parse(self) -> Node:
        if self.tokens[0].kind is TokenKind.END:
            self.fail("the expression is empty", self.tokens[0])
        node = self.expression(0)
        self.expect_end()
        return node

    # -- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def advance(self) -> Token:
        token = self.tokens[self.index]
        if token.kind is not TokenKind.END:
            self.index += 1
        return token

    def at(self, value: str) -> bool:
        token = self.token
        return token.value == value and token.kind in (TokenKind.NAME, TokenKind.MARK)

    def accept(self, value: str) -> bool:
        if self.at(value):
            self.index += 1
            return True
        return False

    def expect(self, value: str, purpose: str) -> None:
        if not self.accept(value):
            self.fail(f"expected {value!r} {purpose}, found {self.token.shown()}", self.token)

    def expect_end(self) -> None:
        token = self.token
        if token.kind is TokenKind.END:
            return
        if self.at(")"):
            self.fail("this ')' closes nothing", token)
        if any(map(self.at, (*_COMPARISONS, "in", "has"))):
            self.fail("a comparison cannot be compared again; combine two with 'and'", token)
        ending = ""
        if token.kind is TokenKind.NAME:
            close = nearest(str(token.value).lower(), ("and", "or"))
            ending = f"; did you mean {close!r}?" if close else ""
        self.fail(f"expected 'and', 'or' or the end, found {token.shown()}{ending}", token)

    def fail(self, message: str, token: Token) -> NoReturn:
        raise ExpressionError(message, self.source, token.position)

    def count(self, token: Token) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(f"more than {MAX_NODES} comparisons and operators", token)

    # -- the grammar

    def expression(self, depth: int) -> Node:
        return self.chain("or", depth)

    def chain(self, word: str, depth: int) -> Node:
        operand = self.negation if word == "and" else self.conjunction
        operands = [operand(depth)]
        while self.at(word):
            self.count(self.advance())
            operands.append(operand(depth))
        return conjunction(operands) if word == "and" else disjunction(operands)

    def conjunction(self, depth: int) -> Node:
        return self.chain("and", depth)

    def negation(self, depth: int) -> Node:
        token = self.token
        if depth >= MAX_DEPTH and (self.at("not") or self.at("(")):
            self.fail(f"more than {MAX_DEPTH} brackets and negations inside each other", token)
        if self.accept("not"):
            self.count(token)
            return negation(self.negation(depth + 1))
        if self.accept("("):
            node = self.expression(depth + 1)
            if not self.accept(")"):
                if self.token.kind is TokenKind.END:
                    self.fail("this '(' is not closed", token)
                self.expect_end()
            return node
        return self.comparison()

    def comparison(self) -> Node:
        token = self.token
        self.count(token)
        kind, name = self.field()
        operator = self.operator(kind, token)
        if operator is None:
            return self.bare(kind, name, token)
        place = self.token
        value = self.list_literal() if operator in ("in", "not in") else self.literal()
        self.check_type(kind, name, operator, value, place)
        if kind is Kind.NAMES and name == "skills":
            return Compare(Kind.LEVEL, str(value), ">=", 1)
        if kind is Kind.FLAG:
            flag = Compare(kind, name, "==", True)
            return flag if (operator == "==") == value else negation(flag)
        return Compare(kind, name, operator, value)

    def field(self) -> tuple[Kind, str]:
        token = self.advance()
        text = str(token.value)
        if token.kind is TokenKind.STRING:
            self.fail(f'a field is not quoted; for a skill write skill("{text}")', token)
        if token.kind is TokenKind.INTEGER:
            self.fail("the field comes first: write 'name >= 3', not '3 <= name'", token)
        if token.kind is not TokenKind.NAME or text in KEYWORDS:
            self.fail(f"expected {self.wanted()}, found {token.shown()}", token)
        known = FIELDS[self.scope].get(text)
        if known is not None:
            return known, text
        if self.scope is Scope.QUEUE:
            self.fail(f"unknown field {text!r} of a queue{hint(text, FIELDS[self.scope])}", token)
        if text == "attr" or text.startswith("attr."):
            return Kind.ATTRIBUTE, self.attribute(token, text)
        if self.scope is Scope.MESSAGE:
            allowed = [*FIELDS[self.scope], "attr.name"]
            self.fail(f"unknown field {text!r} of a message{hint(text, allowed)}", token)
        if text == "skill":
            text, token = self.name_argument("skill")
        if self.at("("):
            self.fail(f"unknown function {text!r}; known: attr, skill", token)
        self.check_name("skill", text, self.names.skills, token)
        return Kind.LEVEL, text

    def wanted(self) -> str:
        return "a skill or a field" if self.scope is Scope.AGENT else "a field"

    def attribute(self, token: Token, text: str) -> str:
        if text == "attr":
            name, token = self.name_argument("attr")
        else:
            name = text.removeprefix("attr.")
            if not name:
                self.fail("the name of the attribute is missing after 'attr.'", token)
        self.check_name("attribute", name, self.names.attributes, token)
        return name

    def name_argument(self, function: str) -> tuple[str, Token]:
        self.expect("(", f'after {function!r}, as in {function}("name")')
        token = self.advance()
        if token.kind is not TokenKind.STRING or not token.value:
            self.fail(f'{function} takes one quoted name: {function}("name")', token)
        self.expect(")", "after the name")
        return str(token.value), token

    def operator(self, kind: Kind, field: Token) -> str | None:
        token = self.token
        if self.at("not"):
            self.advance()
            self.expect("in", "after 'not'")
            operator = "not in"
        elif any(map(self.at, (*_COMPARISONS, "in", "has"))):
            operator = str(self.advance().value)
        else:
            return None
        allowed = OPERATORS[kind]
        if operator not in allowed:
            self.fail(
                f"{kind.value} ({field.value}) cannot be compared by {operator!r};"
                f" allowed: {', '.join(allowed)}",
                token,
            )
        return operator

    def bare(self, kind: Kind, name: str, token: Token) -> Node:
        if kind is Kind.LEVEL:
            return Compare(kind, name, ">=", 1)
        if kind is Kind.FLAG:
            return Compare(kind, name, "==", True)
        allowed = ", ".join(OPERATORS[kind])
        found = self.token
        if found.kind in (TokenKind.STRING, TokenKind.INTEGER):
            return self.fail(f"an operator is missing; allowed: {allowed}", found)
        return self.fail(f"{kind.value} ({token.value}) needs a comparison: {allowed}", token)

    # -- literals

    def literal(self) -> str | int:
        token = self.advance()
        if token.kind in (TokenKind.STRING, TokenKind.INTEGER):
            return token.value
        if token.kind is TokenKind.NAME and token.value in ("true", "false"):
            return token.value == "true"
        if token.kind is TokenKind.NAME:
            self.fail(f'expected a value; a text is quoted: "{token.value}"', token)
        if token.value == "[":
            self.fail("a list follows only 'in' and 'not in'", token)
        return self.fail(f"expected a value, found {token.shown()}", token)

    def list_literal(self) -> Literal:
        opening = self.token
        self.expect("[", "and a list of values")
        if self.at("]"):
            self.fail("the list is empty", self.token)
        texts: set[str] = set()
        integers: set[int] = set()
        while True:
            token = self.token
            value = self.literal()
            if isinstance(value, bool):
                self.fail("a list holds texts or integers; compare flags with '=='", token)
            if isinstance(value, str):
                texts.add(value)
            else:
                integers.add(value)
            if texts and integers:
                self.fail("a list holds either texts or integers, not both", token)
            if not self.accept(","):
                break
        if not self.accept("]"):
            if self.token.kind is TokenKind.END:
                self.fail("this '[' is not closed", opening)
            self.fail(f"expected ',' or ']', found {self.token.shown()}", self.token)
        return tuple(sorted(texts)) if texts else tuple(sorted(integers))

    # -- types and names

    def check_type(
        self, kind: Kind, field: str, operator: str, value: Literal, place: Token
    ) -> None:
        sample = value[0] if isinstance(value, tuple) else value
        if kind is Kind.LEVEL:
            if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
                self.fail("a skill is compared with a level, an integer from 0", place)
        elif kind is Kind.NUMBER:
            if isinstance(sample, bool) or not isinstance(sample, int):
                self.fail("a number is compared with an integer", place)
        elif kind is Kind.FLAG:
            if not isinstance(sample, bool):
                self.fail("a flag is compared with true or false", place)
        elif kind is Kind.ATTRIBUTE:
            if operator == "has" and not isinstance(sample, str):
                self.fail("'has' looks for a quoted text", place)
            integer = isinstance(sample, int) and not isinstance(sample, bool)
            if operator in ("<", "<=", ">", ">=") and not integer:
                self.fail(f"{operator!r} compares integers", place)
        elif not isinstance(sample, str):
            self.fail(f"{kind.value} is compared with a quoted text", place)
        else:
            self.check_values(kind, field, value, place)

    def check_values(self, kind: Kind, field: str, value: Literal, place: Token) -> None:
        """Unknown channels, agents, groups and skills; the place is that of the value."""
        values = value if isinstance(value, tuple) else (value,)
        for one in map(str, values):
            token = self.find(one, place)
            if kind is Kind.CHANNEL:
                self.check_name("channel", one, _CHANNELS, token)
            elif kind is Kind.IDENTIFIER and self.scope is Scope.AGENT:
                self.check_name("agent", one, self.names.agents, token)
            elif kind is Kind.NAMES and field == "groups":
                self.check_name("group", one, self.names.groups, token)
            elif kind is Kind.NAMES:
                if not one:
                    self.fail("the name of a skill is not empty", token)
                self.check_name("skill", one, self.names.skills, token)

    def find(self, value: str, place: Token) -> Token:
        later = (t for t in self.tokens if t.position >= place.position)
        found = (t for t in later if t.kind is TokenKind.STRING and t.value == value)
        return next(found, place)

    def check_name(self, what: str, name: str, known: Collection[str] | None, token: Token) -> None:
        if known is not None and name not in known:
            self.fail(f"unknown {what} {name!r}{hint(name, known)}", token)
