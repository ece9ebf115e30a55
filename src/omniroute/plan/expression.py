"""Requirements and rules: the small typed language of a plan, as values.

An `Expression` says which agents may take an interaction (`Scope.AGENT`), or which
messages a triage rule is about (`Scope.MESSAGE`):

    billing >= 3 and lang:de and attr.site in ["berlin", "wien"]
    channel == "email" and subject has "invoice"

It is parsed once, compiled to a predicate, and compared by its canonical text: operands
sorted, repetition and needless brackets gone. That text is what journals store and what
lanes are keyed by. The language has no side effects, no arithmetic and no way to loop;
its size is bounded (`MAX_SOURCE`, `MAX_NODES`, `MAX_DEPTH`).
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from typing import Any

from ..errors import ExpressionError, PlanError
from .compiler import Predicate, compiled
from .lexer import MAX_SOURCE
from .parser import MAX_DEPTH, MAX_NODES, Names, parse_tree
from .syntax import And, Compare, Kind, Node, Scope, conjunction, leaves, negation

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_SOURCE",
    "Expression",
    "Names",
    "Scope",
    "all_of",
    "has_skill",
    "is_agent",
    "nobody",
    "none_of",
    "not_agents",
    "parse",
]

_PARSE_CACHE = 2048
_COMBINE_CACHE = 4096
_POSITIVE = frozenset({"==", ">", ">="})


class Expression:
    """One requirement or rule. Immutable, hashable, equal when the canonical text is.

    ``matches(subject)`` takes a `model.Agent` or a `model.Message`, by ``scope``, and is
    the hot path: a predicate compiled once, about 0.2 us for two skills, no allocation.
    ``skills``, ``agent_ids``, ``groups`` and ``attributes`` are the names it mentions;
    ``required_skills`` those that every match must have by the top-level ``and``, sorted;
    ``only_agents`` the ids that a match can have at all (None: any).
    ``tree`` is the syntax tree, for checking and drawing.

    Made by `parse` and `all_of`, never directly.
    """

    __slots__ = (
        "_hash",
        "_text",
        "agent_ids",
        "attributes",
        "groups",
        "matches",
        "only_agents",
        "required_skills",
        "scope",
        "skills",
        "tree",
    )

    matches: Predicate
    _text: str
    _hash: int
    scope: Scope
    tree: Node
    skills: frozenset[str]
    agent_ids: frozenset[str]
    groups: frozenset[str]
    attributes: frozenset[str]
    required_skills: tuple[str, ...]
    only_agents: frozenset[str] | None

    def __init__(self, tree: Node, scope: Scope) -> None:
        write = functools.partial(object.__setattr__, self)
        write("tree", tree)
        write("scope", scope)
        write("_text", tree.text)
        write("_hash", hash((tree.text, scope.value)))
        write("matches", compiled(tree, scope))
        found = tuple(leaves(tree))
        write("skills", frozenset(c.name for c in found if c.kind is Kind.LEVEL))
        write("agent_ids", _mentioned(found, "agent"))
        write("groups", _mentioned(found, "groups"))
        write("attributes", frozenset(c.name for c in found if c.kind is Kind.ATTRIBUTE))
        write("required_skills", _required_skills(tree))
        write("only_agents", _only_agents(tree))

    @property
    def conjuncts(self) -> tuple[Node, ...]:
        """The operands of the top-level ``and``, or the whole tree alone."""
        return self.tree.operands if isinstance(self.tree, And) else (self.tree,)

    def without(self, skills: Collection[str]) -> Expression | None:
        """What is left without the top-level conjuncts that mention one of ``skills``.

        None when nothing is left. ``"*"`` among the skills drops everything.
        """
        if "*" in skills:
            return None
        dropped = frozenset(skills)
        if not self.skills & dropped:
            return self
        kept = [
            part
            for part in self.conjuncts
            if not any(c.kind is Kind.LEVEL and c.name in dropped for c in leaves(part))
        ]
        return Expression(conjunction(kept), self.scope) if kept else None

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        scope = "" if self.scope is Scope.AGENT else f", {self.scope}"
        return f"parse({str(self)!r}{scope})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Expression):
            return NotImplemented
        return str(self) == str(other) and self.scope is other.scope

    def __hash__(self) -> int:
        return self._hash

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Expression is immutable; cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Expression is immutable; cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Expression, (self.tree, self.scope)


def parse(source: str, scope: Scope = Scope.AGENT, *, names: Names | None = None) -> Expression:
    """The expression that ``source`` says.

    Raises `ExpressionError` with the exact position for anything that is not one, for a
    type that does not fit, and for unknown channels. ``names`` also checks the names of
    skills, agents, groups and attributes. Without ``names`` results are cached.
    """
    if names is None:
        return _parse_cached(source, scope)
    return _parse(source, scope, names)


def _parse(source: str, scope: Scope, names: Names) -> Expression:
    tree = parse_tree(source, scope, names)
    if len(tree.text) > MAX_SOURCE:
        raise ExpressionError(
            f"written out the expression has {len(tree.text)} characters,"
            f" at most {MAX_SOURCE} are allowed",
            source[:60] + "...",
            0,
        )
    return Expression(tree, scope)


@functools.lru_cache(maxsize=_PARSE_CACHE)
def _parse_cached(source: str, scope: Scope) -> Expression:
    return _parse(source, scope, Names())


def all_of(*expressions: Expression | None) -> Expression | None:
    """The conjunction; None stands for no restriction, alone and among the others.

    Equal sets of conjuncts give equal expressions, whatever their order. Never fails for
    expressions of one scope; a result over the limits of one source text still matches,
    but its text is too long to be parsed again. Cached: about 0.3 us when seen before.

    Raises `PlanError` when scopes are mixed.
    """
    return _all_of(expressions)


@functools.lru_cache(maxsize=_COMBINE_CACHE)
def _all_of(expressions: tuple[Expression | None, ...]) -> Expression | None:
    given = [e for e in expressions if e is not None]
    if not given:
        return None
    scope = given[0].scope
    for other in given:
        if other.scope is not scope:
            raise PlanError(f"cannot combine an agent and a message expression: {other}")
    if len(given) == 1:
        return given[0]
    return Expression(conjunction(e.tree for e in given), scope)


def none_of(*expressions: Expression) -> Expression:
    """The conjunction of the negations of at least one expression."""
    return Expression(conjunction(negation(e.tree) for e in expressions), expressions[0].scope)


def has_skill(name: str, level: int = 1) -> Expression:
    """The requirement of one skill, made without text: safe for a name from outside."""
    return Expression(Compare(Kind.LEVEL, name, ">=", level), Scope.AGENT)


def nobody() -> Expression:
    """The requirement that no agent satisfies."""
    return Expression(Compare(Kind.IDENTIFIER, "agent", "in", ()), Scope.AGENT)


def is_agent(agent_id: str) -> Expression:
    """The requirement of being this agent, made without text: any id will do."""
    return Expression(Compare(Kind.IDENTIFIER, "agent", "==", agent_id), Scope.AGENT)


def not_agents(agent_ids: Iterable[str]) -> Expression:
    """The requirement of being none of these agents, made without text: any id will do."""
    ids = tuple(sorted(set(agent_ids)))
    if len(ids) == 1:
        return Expression(Compare(Kind.IDENTIFIER, "agent", "!=", ids[0]), Scope.AGENT)
    return Expression(Compare(Kind.IDENTIFIER, "agent", "not in", ids), Scope.AGENT)


def _mentioned(found: tuple[Compare, ...], field: str) -> frozenset[str]:
    names: set[str] = set()
    for compare in found:
        if compare.name == field and compare.kind in (Kind.IDENTIFIER, Kind.NAMES):
            value = compare.value
            names.update(map(str, value if isinstance(value, tuple) else (value,)))
    return frozenset(names)


def _only_agents(tree: Node) -> frozenset[str] | None:
    only: frozenset[str] | None = None
    for part in tree.operands if isinstance(tree, And) else (tree,):
        if isinstance(part, Compare) and part.name == "agent" and part.operator in ("==", "in"):
            value = part.value
            ids = frozenset(map(str, value if isinstance(value, tuple) else (value,)))
            only = ids if only is None else only & ids
    return only


def _required_skills(tree: Node) -> tuple[str, ...]:
    parts = tree.operands if isinstance(tree, And) else (tree,)
    names = {
        part.name
        for part in parts
        if isinstance(part, Compare) and part.kind is Kind.LEVEL and part.operator in _POSITIVE
    }
    return tuple(sorted(names))
