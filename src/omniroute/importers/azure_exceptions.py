"""Exception policies of Azure Job Router: lengths and waits at which jobs are cancelled or moved.

A queue length is a rule at the door, so the job that finds so many goes elsewhere. A wait is an
end (`max_wait_s`), or a step of the ladder that moves the job on. Each is put into the queues that
name the policy when all queues are known, and their ladders made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..plan import Expression, Overflow, Queue, Scope, Step, parse
from ..plan.syntax import conjunction
from .azure_workers import wanted_label
from .documents import Table
from .draft import Draft
from .language import Untranslatable
from .translation import expression_of

__all__ = ["Exceptions", "read_exceptions", "with_exceptions"]

_LONGEST = 10**6


@attrs.frozen
class _Moves:
    """Jobs that are moved: at a length, or after a wait."""

    where: str
    length: int | None
    wait_ms: int | None
    queue: str | None
    priority: int | None
    requirement: Expression | None


@attrs.frozen
class Exceptions:
    """One policy: the length and the wait at which it cancels, and what it moves."""

    limit: int | None = None
    max_wait_ms: int | None = None
    moves: tuple[_Moves, ...] = ()


def read_exceptions(table: Table) -> Exceptions:
    """What of a policy a plan can say; the rest is reported."""
    limits: list[int] = []
    waits: list[int] = []
    moves: list[_Moves] = []
    for rule in table.tables("exceptionRules"):
        trigger = rule.table("trigger")
        kind = trigger.text("kind") if trigger else None
        length = trigger.integer("threshold", 1, _LONGEST) if trigger else None
        seconds = trigger.number("thresholdSeconds") if trigger else None
        wait_ms = max(1, round(seconds * 1000)) if seconds and 0 < seconds < _LONGEST * 10 else None
        actions = list(rule.tables("actions"))
        acts = [action.text("kind") for action in actions]
        is_known = (kind == "queueLength" and length is not None) or (
            kind == "waitTime" and wait_ms is not None
        )
        if is_known and acts == ["cancel"]:
            (limits if kind == "queueLength" else waits).append(length or wait_ms or 1)
        elif is_known and acts == ["manualReclassify"]:
            at_length = length if kind == "queueLength" else None
            moves.append(_moves(actions[0], at_length, None if at_length else wait_ms))
        else:
            shown = f"on {kind or 'nothing'}: {', '.join(map(str, acts)) or 'nothing'}"
            table.notes.left_out(
                rule.where, shown, "an overflow rule cancels or moves, and does one of them",
                "watch the events and use Reprioritize, Move or Cancel",
            )  # fmt: skip
    table.ignore("id", "name", "etag")
    table.rest()
    return Exceptions(min(limits, default=None), min(waits, default=None), tuple(moves))


def _moves(action: Table, length: int | None, wait_ms: int | None) -> _Moves:
    priority = action.integer("priority", -100, 100)
    if priority is not None and priority < 0:
        action.notes.changed(
            action.at("priority"), f"the priority {priority}", "priorities begin at 0", "0"
        )
        priority = 0
    requirement = _requirement(action)
    queue = action.text("queueId")
    action.ignore("kind", "id", "note", "dispositionCode")
    action.rest()
    return _Moves(action.where, length, wait_ms, queue, priority, requirement)


def _requirement(action: Table) -> Expression | None:
    nodes = []
    for selector in action.tables("workerSelectors"):
        key, operator = selector.text("key"), selector.text("labelOperator")
        value: Any = selector.raw("value")
        selector.ignore("status", "expiresAt", "expiresAfterSeconds", "expedite")
        selector.rest()
        try:
            node = wanted_label(key or "", operator or "", value)
            expression_of(node, Scope.AGENT)
            nodes.append(node)
        except Untranslatable as error:
            why = f"{error.why}, at position {error.position}"
            shown = f"{key} {operator} {value}"
            action.notes.left_out(selector.where, shown, why, error.nearest)
    return Expression(conjunction(nodes), Scope.AGENT) if nodes else None


def with_exceptions(
    draft: Draft, policies: Mapping[str, Exceptions], names: Mapping[str, str]
) -> None:
    """Put the policies into their queues. ``policies`` is by the queue's name in the plan."""
    for name, found in policies.items():
        queue = draft.queues[name]
        limit = queue.max_waiting if found.limit is None else found.limit
        queue = attrs.evolve(queue, max_waiting=limit, max_wait_ms=found.max_wait_ms)
        for moves in sorted(found.moves, key=lambda each: -(each.length or 0)):
            target = None if moves.queue is None else names.get(moves.queue)
            if moves.queue is not None and target is None:
                draft.notes.left_out(moves.where, moves.queue, "this queue is not in the file")
                continue
            rule = Overflow(queue=target, priority=moves.priority, requirement=moves.requirement)
            queue = _with_moves(draft, queue, moves, rule)
        draft.queues[name] = queue


def _with_moves(draft: Draft, queue: Queue, moves: _Moves, rule: Overflow) -> Queue:
    if moves.length is not None:
        when = parse(f"waiting >= {moves.length}", Scope.QUEUE)
        return attrs.evolve(queue, overflow=(*queue.overflow, attrs.evolve(rule, when=when)))
    if rule.queue is None and rule.requirement is not None:
        rule = attrs.evolve(rule, queue=queue.name)  # a requirement is joined by a move
    if rule.queue == queue.name:
        draft.notes.changed(
            moves.where, "moving a job into the queue where it waits",
            "a move begins the ladder anew, so it would be moved again and again",
            "its priority changes, its requirement does not",
        )  # fmt: skip
        rule = Overflow(priority=moves.priority)
    if rule == Overflow():
        return queue
    assert moves.wait_ms is not None
    return attrs.evolve(queue, ladder=tuple(_split(queue.ladder, moves.wait_ms, rule)))


def _split(ladder: tuple[Step, ...], at_ms: int, rule: Overflow) -> Iterator[Step]:
    """The ladder, whose steps end ``until``, with one that begins at a moment and has the rule."""
    begin_ms, is_placed = 0, False
    for step in ladder:
        end_ms = step.until_ms
        if not is_placed and (end_ms is None or at_ms < end_ms):
            is_placed = True
            if at_ms > begin_ms:
                yield attrs.evolve(step, until_ms=at_ms)
                yield attrs.evolve(step, overflow=rule)
            else:
                yield attrs.evolve(step, overflow=rule)
        else:
            yield step
        begin_ms = end_ms or begin_ms
