"""From the tree of a vendor's expression to ours.

What can be said is said exactly; whatever cannot raises `Untranslatable` with the position
in the vendor's text. Nothing is widened or narrowed to make it fit. A `Naming` says what
the vendor's keys are here: a skill, the agent's id, an attribute, or nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ..errors import PlanError
from ..plan import Expression, Scope, parse
from ..plan.syntax import Compare, Kind, Node, conjunction, disjunction, negation
from .language import (
    Call,
    Dialect,
    Junction,
    Key,
    Listing,
    Literal,
    Negation,
    Relation,
    Tree,
    Untranslatable,
    read,
)

__all__ = [
    "Naming",
    "attribute",
    "comparison",
    "expression_of",
    "joined",
    "translate",
    "translate_tree",
]

#: A vendor's key into the field it is here; raises `Untranslatable` for one that is none.
Naming = Callable[[Key], tuple[Kind, str]]

#: Also where an expression is always true or always false.
_Part = Node | bool

_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def translate(source: str, dialect: Dialect, scope: Scope, naming: Naming) -> Expression | bool:
    """Our expression for ``source``, or whether it always or never holds."""
    return expression_of(translate_tree(read(source, dialect), naming), scope)


def translate_tree(tree: Tree, naming: Naming) -> _Part:
    """Our tree for a vendor's tree, or whether it always or never holds."""
    return _Translator(naming).tree(tree)


def expression_of(part: _Part, scope: Scope) -> Expression | bool:
    """The tree as an expression that can be written down and read back."""
    if isinstance(part, bool):
        return part
    try:
        return parse(part.text, scope)
    except PlanError as error:
        raise Untranslatable(0, f"ours would be too large, or no expression ({error})") from error


def joined(word: str, parts: Iterable[_Part]) -> _Part:
    """``and`` or ``or`` of parts, some of which may be decided already."""
    ends_it = word == "or"
    open_parts: list[Node] = []
    for part in parts:
        if part is ends_it:
            return ends_it
        if not isinstance(part, bool):
            open_parts.append(part)
    if not open_parts:
        return not ends_it
    return disjunction(open_parts) if ends_it else conjunction(open_parts)


def attribute(name: str) -> tuple[Kind, str]:
    """The field of an attribute."""
    return Kind.ATTRIBUTE, name


def comparison(field: tuple[Kind, str], operator: str, value: object, position: int) -> _Part:
    """One comparison of a field with a constant; ``operator`` as in `language.Relation`."""
    kind, name = field
    operator = {"notin": "not in"}.get(operator, operator)
    if isinstance(value, float):
        operator, value = _whole(operator, value, position)
    if kind is Kind.LEVEL:
        if operator in ("in", "not in", "has") or not _is_integer(value):
            raise Untranslatable(position, "a level is compared with a whole number")
        return Compare(kind, name, operator, int(str(value)))
    if kind is Kind.IDENTIFIER:
        if operator not in ("==", "!=", "in", "not in") or not _is_text(value):
            raise Untranslatable(position, "an id is compared by == and in, with texts")
    elif operator in ("<", "<=", ">", ">=") and not _is_integer(value):
        raise Untranslatable(position, "texts and booleans have no order here")
    elif operator == "has" and not isinstance(value, str):
        raise Untranslatable(position, "a list or a text holds texts only")
    assert isinstance(value, str | int | tuple)
    return Compare(kind, name, operator, value)


def _whole(operator: str, value: float, position: int) -> tuple[str, int]:
    """The same comparison for whole numbers, which is what attributes and levels hold."""
    if not math.isfinite(value):
        raise Untranslatable(position, "this number is too large")
    if value == int(value):
        return operator, int(value)
    if operator in (">", ">="):
        return ">=", math.ceil(value)
    if operator in ("<", "<="):
        return "<=", math.floor(value)
    raise Untranslatable(position, f"{value} is no whole number, and attributes hold only those")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    )


class _Translator:
    """One tree on its way."""

    def __init__(self, naming: Naming) -> None:
        self.naming = naming

    def tree(self, tree: Tree) -> _Part:
        if isinstance(tree, Junction):
            return joined(tree.word, [self.tree(operand) for operand in tree.operands])
        if isinstance(tree, Negation):
            return _negated(self.tree(tree.operand))
        if isinstance(tree, Relation):
            return self.relation(tree)
        if isinstance(tree, Call):
            return self.call(tree)
        if isinstance(tree, Literal) and isinstance(tree.value, bool):
            return tree.value
        if isinstance(tree, Key):
            field = self.naming(tree)
            if field[0] is Kind.ATTRIBUTE:
                return comparison(field, "==", value=True, position=tree.position)
        raise Untranslatable(tree.position, "this is no condition")

    def call(self, call: Call) -> _Part:
        name, arguments = call.name.lower(), call.arguments
        if name in ("and", "or") and arguments:
            return joined(name, [self.tree(argument) for argument in arguments])
        if name == "not" and len(arguments) == 1:
            return _negated(self.tree(arguments[0]))
        raise Untranslatable(
            call.position, f"there are no functions here, so no {call.name}", "compare by = and in"
        )

    def relation(self, relation: Relation) -> _Part:
        left, operator, right = relation.left, relation.operator, relation.right
        if isinstance(left, Key) and isinstance(right, Key):
            raise Untranslatable(
                relation.position,
                "two attributes cannot be compared with each other",
                "submit the work with a step or a requirement of its own",
            )
        if isinstance(left, Key):
            value = _constant(right)
            if operator in ("in", "notin") and not isinstance(value, tuple):
                raise Untranslatable(right.position, "a list should stand here")
            if operator not in ("in", "notin") and isinstance(value, tuple):
                raise Untranslatable(right.position, "a list follows only IN and NOT IN")
            return self._compare(left, operator, value, relation.position)
        if isinstance(right, Key):
            return self._turned(_constant(left), operator, right, relation.position)
        return _decided(_constant(left), operator, _constant(right), relation.position)

    def _compare(self, key: Key, operator: str, value: object, position: int) -> _Part:
        if isinstance(value, tuple):
            if not value:
                return operator == "notin"
            kinds = {type(item) for item in value}
            if kinds not in ({str}, {int}):
                raise Untranslatable(position, "a list holds texts only, or whole numbers only")
        return comparison(self.naming(key), operator, value, position)

    def _turned(self, value: object, operator: str, key: Key, position: int) -> _Part:
        if operator in _FLIPPED and not isinstance(value, tuple):
            return self._compare(key, _FLIPPED[operator], value, position)
        if operator in ("in", "notin") and isinstance(value, str):
            held = self._compare(key, "has", value, position)
            return _negated(held) if operator == "notin" else held
        raise Untranslatable(position, "this cannot be asked with the constant in front")


def _negated(part: _Part) -> _Part:
    return (not part) if isinstance(part, bool) else negation(part)


def _constant(tree: Tree) -> object:
    if isinstance(tree, Literal):
        return tree.value
    if isinstance(tree, Listing):
        return tuple(_constant(item) for item in tree.items)
    raise Untranslatable(tree.position, "a constant should stand here")


def _decided(left: object, operator: str, right: object, position: int) -> bool:
    if operator in ("==", "!="):
        same = left == right and isinstance(left, str) is isinstance(right, str)
        return same is (operator == "==")
    if operator in ("in", "notin") and isinstance(right, tuple):
        return (left in right) is (operator == "in")
    if operator == "has" and isinstance(left, tuple):
        return right in left
    if isinstance(left, int | float) and isinstance(right, int | float) and operator in _FLIPPED:
        before, after = left < right, left > right
        return {"<": before, "<=": not after, ">": after, ">=": not before}[operator]
    raise Untranslatable(position, "these two constants cannot be compared so")
