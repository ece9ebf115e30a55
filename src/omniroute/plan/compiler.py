"""A tree into a predicate: nested closures, built once, never `eval`.

A predicate takes the agent or message and allocates nothing in the agent scope. Each
comparison costs one call (about 0.05-0.1 us), each ``and`` or ``or`` one more; operands
are tried in order until the answer is known.

The rules for what is missing, stated once here:
- a skill that is not there has level 0;
- an attribute, language, thread or number that is not there makes every comparison false, except
  ``!=`` and ``not in``, which are true (they are the exact opposites of ``==`` and ``in``);
- a value of another type counts as different: ``attr.age == 5`` is false for ``"5"`` and
  ``true``, and no order holds between them.

In the message scope texts are compared without regard to case (Unicode case folding);
ids and everything in the agent scope are compared exactly.
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable
from typing import Any

from .syntax import And, Compare, Kind, Literal, Node, Not, Scope

__all__ = ["Predicate", "compiled"]

#: Takes a `model.Agent`, a `model.Message` or what is known of a queue, by scope.
Predicate = Callable[[Any], bool]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def compiled(node: Node, scope: Scope) -> Predicate:
    """The predicate of a tree."""
    if isinstance(node, Compare):
        return _COMPILERS[node.kind](node, scope)
    if isinstance(node, Not):
        operand = compiled(node.operand, scope)
        return lambda subject: not operand(subject)
    parts = tuple(compiled(operand, scope) for operand in node.operands)
    return _all(parts) if isinstance(node, And) else _any(parts)


def _all(parts: tuple[Predicate, ...]) -> Predicate:
    if len(parts) == 2:
        first, second = parts
        return lambda subject: first(subject) and second(subject)

    def every(subject: Any) -> bool:
        for part in parts:
            if not part(subject):
                return False
        return True

    return every


def _any(parts: tuple[Predicate, ...]) -> Predicate:
    if len(parts) == 2:
        first, second = parts
        return lambda subject: first(subject) or second(subject)

    def some(subject: Any) -> bool:
        for part in parts:
            if part(subject):
                return True
        return False

    return some


def _level(node: Compare, scope: Scope) -> Predicate:
    name, level = node.name, node.value
    if node.operator == ">=":
        return lambda agent: bool(agent.skills.get(name, 0) >= level)
    compare = _ORDER[node.operator]
    return lambda agent: compare(agent.skills.get(name, 0), level)


def _number(node: Compare, scope: Scope) -> Predicate:
    get, operator, value = operators.attrgetter(node.name), node.operator, node.value
    compare = _ORDER[operator]

    def compared(subject: Any) -> bool:
        found = get(subject)
        return operator == "!=" if found is None else bool(compare(found, value))

    return compared


def _groups(node: Compare, scope: Scope) -> Predicate:
    value = node.value
    return lambda agent: value in agent.groups


def _channel(node: Compare, scope: Scope) -> Predicate:
    return _membership(node.operator, node.value, lambda message: message.channel)


def _identifier(node: Compare, scope: Scope) -> Predicate:
    return _membership(node.operator, node.value, _IDENTIFIERS[node.name])


def _membership(operator: str, value: Literal, get: Predicate) -> Predicate:
    if operator == "==":
        return lambda subject: get(subject) == value
    if operator == "!=":
        return lambda subject: get(subject) != value
    values = frozenset(value) if isinstance(value, tuple) else frozenset({value})
    if operator == "in":
        return lambda subject: get(subject) in values
    return lambda subject: get(subject) not in values


_IDENTIFIERS: dict[str, Callable[[Any], Any]] = {
    "agent": operators.attrgetter("id"),
    "thread_id": operators.attrgetter("thread_id"),
    "customer": operators.attrgetter("customer.id"),
}


def _text(node: Compare, scope: Scope) -> Predicate:
    get = operators.attrgetter(node.name)

    def folded(message: Any) -> Any:
        found = get(message)
        return None if found is None else found.casefold()

    value = _folded(node.value)
    if node.operator == "has":

        def contains(message: Any) -> bool:
            found = folded(message)
            return found is not None and value in found

        return contains
    return _membership(node.operator, value, folded)


def _folded(value: Literal) -> Literal:
    if isinstance(value, tuple):
        return tuple(str(text).casefold() for text in value)
    return str(value).casefold()


_FLAGS: dict[str, Predicate] = {
    "has_attachments": lambda message: bool(message.attachments),
    "is_live": lambda message: bool(message.channel.is_live),
}


def _flag(node: Compare, scope: Scope) -> Predicate:
    if scope is Scope.QUEUE:
        get, wanted = operators.attrgetter(node.name), node.value is (node.operator == "==")
        return lambda subject: get(subject) is wanted
    return _FLAGS[node.name]


def _attribute(node: Compare, scope: Scope) -> Predicate:
    name, operator, value = node.name, node.operator, node.value
    fold = scope is Scope.MESSAGE
    if operator == "has":
        return _attribute_has(name, str(value), fold=fold)
    if operator in ("==", "!=", "in", "not in"):
        sample = value[0] if isinstance(value, tuple) else value
        if isinstance(sample, str) and fold:
            return _membership(operator, _folded(value), _folded_attribute(name))
        return _membership(operator, value, _typed_attribute(name, type(sample)))
    compare = _ORDER[operator]

    def ordered(subject: Any) -> bool:
        found = subject.attributes.get(name)
        return type(found) is int and compare(found, value)

    return ordered


def _typed_attribute(name: str, wanted: type) -> Callable[[Any], Any]:
    if wanted is int:

        def integer(subject: Any) -> Any:
            found = subject.attributes.get(name)
            return found if type(found) is int else None

        return integer

    def typed(subject: Any) -> Any:
        found = subject.attributes.get(name)
        return found if isinstance(found, wanted) else None

    return typed


def _folded_attribute(name: str) -> Callable[[Any], Any]:
    def folded(subject: Any) -> Any:
        found = subject.attributes.get(name)
        return found.casefold() if isinstance(found, str) else None

    return folded


def _attribute_has(name: str, value: str, *, fold: bool) -> Predicate:
    wanted = value.casefold() if fold else value

    def has(subject: Any) -> bool:
        found = subject.attributes.get(name)
        if isinstance(found, tuple):
            if fold:
                return any(element.casefold() == wanted for element in found)
            return wanted in found
        if isinstance(found, str):
            return wanted in (found.casefold() if fold else found)
        return False

    return has


_COMPILERS: dict[Kind, Callable[[Compare, Scope], Predicate]] = {
    Kind.LEVEL: _level,
    Kind.NUMBER: _number,
    Kind.NAMES: _groups,
    Kind.CHANNEL: _channel,
    Kind.IDENTIFIER: _identifier,
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.ATTRIBUTE: _attribute,
}
