"""Converters of the fields of a plan that hold an expression: text is parsed, None is none."""

from __future__ import annotations

from ..errors import PlanError
from .expression import Expression, Scope, parse

__all__ = ["agents", "messages", "queues"]


def _expression(value: object, scope: Scope) -> Expression | None:
    if isinstance(value, str):
        return parse(value, scope)
    if value is None or (isinstance(value, Expression) and value.scope is scope):
        return value
    raise PlanError(f"must be an expression about {scope.value}s, got {value!r}")


def agents(value: Expression | str | None) -> Expression | None:
    """A requirement."""
    return _expression(value, Scope.AGENT)


def messages(value: Expression | str | None) -> Expression | None:
    """A condition of triage."""
    return _expression(value, Scope.MESSAGE)


def queues(value: Expression | str | None) -> Expression | None:
    """A condition of overflow."""
    return _expression(value, Scope.QUEUE)
