"""Classification policies of Azure Job Router into triage rules, requirements and steps.

A policy is read into choices of a queue, each with a condition; every choice is then split
by the rule that gives the priority and by the conditions of worker selectors, so that what
Azure evaluates for each job becomes a plain list of rules, first match first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ..plan import Expression, Queue, Scope, Step, TriageRule, all_of, parse
from ..plan.syntax import Kind, Node, conjunction, quoted
from .azure_workers import OPERATORS, wanted_label
from .documents import Table
from .draft import Draft
from .language import POWER_FX, Call, Key, Literal, Tree, Untranslatable, read
from .translation import attribute, expression_of, translate_tree

__all__ = ["Classifier"]

_MAX_SPLITS = 64
_MAX_PRIORITY = 100
#: Above every priority, also above those from -100 on, which are raised.
_FRONT = 2 * _MAX_PRIORITY + 1
_MOST_WEIGHT = 1e12
_ROUNDING = 1e-6


@attrs.frozen
class _Case:
    """A condition (None: always) and what holds under it."""

    when: Expression | None
    value: Any


@attrs.frozen
class _Wanted:
    """A worker selector, until when it holds, and whether it puts the job in front meanwhile."""

    node: Node
    ends_ms: int | None
    expedite: bool


@attrs.frozen
class _Aim:
    """Where a rule sends: percents to the queues of ``split``, the rest to ``queue``."""

    queue: str
    split: tuple[tuple[str, int], ...] = ()

    @property
    def names(self) -> set[str]:
        return {self.queue, *(name for name, _ in self.split)}


class Classifier:
    """Reads the policies of one file."""

    def __init__(
        self,
        draft: Draft,
        names: dict[str, str],
        labels: dict[str, dict[str, Any]],
        *,
        several: bool,
    ) -> None:
        self.draft = draft
        self.notes = draft.notes
        self.names = names
        self.labels = labels
        self.several = several

    def read(self, table: Table) -> None:
        """Add the rules of one policy to the draft."""
        ident = table.text("id") or table.where
        mine: Expression | None = None
        if self.several:
            mine = parse(f"attr.classificationPolicyId == {quoted(ident)}", Scope.MESSAGE)
            self.notes.changed(
                table.where, f"the policy {ident}", "a job names its policy",
                f"submit its work with the attribute classificationPolicyId = {ident}",
            )  # fmt: skip
        queues = list(self._queues(table))
        priorities = self._priorities(table)
        names = {name for case in queues for name in case.value.names}
        selectors = list(self._selectors(table, names))
        if len(queues) * len(priorities) * 2 ** len(selectors) > _MAX_SPLITS:
            self.notes.left_out(table.where, "conditional worker selectors", "they are too many")
            selectors = []
        table.ignore("id", "name", "etag")
        table.rest()
        for queue in queues:
            for priority in priorities:
                for extra in _combined(selectors):
                    self.draft.rules.append(
                        TriageRule(
                            queue=queue.value.queue,
                            split=dict(queue.value.split),
                            when=all_of(mine, queue.when, priority.when, extra.when),
                            priority=priority.value,
                            requirement=extra.value,
                        )
                    )

    # --- queues -------------------------------------------------------------------------

    def _queues(self, table: Table) -> Iterator[_Case]:
        conditional = 0
        fixed = False
        for attachment in table.tables("queueSelectorAttachments"):
            kind = attachment.text("kind")
            aim: _Aim | None
            when: Expression | bool | None = None
            if kind == "static":
                one = attachment.table("queueSelector")
                aim = self._aim([one] if one else [], attachment.where)
                fixed = fixed or aim is not None
            elif kind == "conditional":
                aim = self._aim(list(attachment.tables("queueSelectors")), attachment.where)
                when = self._condition(attachment)
                conditional += 1
            elif kind == "weightedAllocation":
                aim = self._by_weight(attachment)
                fixed = fixed or aim is not None
            else:
                self.notes.left_out(
                    attachment.where, f"a queue selector of kind {kind}",
                    "a rule names its queue; none is taken from the message",
                    "one rule for each value",
                )  # fmt: skip
                continue
            attachment.rest()
            if aim is not None and when is not False:
                yield _Case(None if when is True or when is None else when, aim)
        if conditional > 1:
            self.notes.changed(
                table.at("queueSelectorAttachments"), "several conditional selectors",
                "Azure joins the selectors of all conditions that hold",
                "here the first condition that holds decides",
            )  # fmt: skip
        fallback = table.text("fallbackQueueId")
        if fallback is not None and not fixed:
            if fallback in self.names:
                yield _Case(None, _Aim(self.names[fallback]))
            else:
                self.notes.left_out(table.at("fallbackQueueId"), fallback, "it is not in the file")

    def _aim(self, selectors: list[Table], where: str) -> _Aim | None:
        name = self._queue_of(selectors, where)
        return None if name is None else _Aim(name)

    def _by_weight(self, attachment: Table) -> _Aim | None:
        """A weighted allocation as a split in whole percent; the heaviest queue has the rest."""
        weights: dict[str, float] = {}
        for part in attachment.tables("allocations"):
            weight = part.number("weight") or 0
            name = self._queue_of(list(part.tables("queueSelectors")), part.where)
            part.rest()
            if name is not None and weight > 0:
                weights[name] = weights.get(name, 0) + weight
        total = sum(weights.values())
        if not weights or total > _MOST_WEIGHT:
            return None
        exact = {name: 100 * weight / total for name, weight in weights.items()}
        heaviest = max(exact, key=lambda name: exact[name])
        split = {name: round(share) for name, share in exact.items() if name != heaviest}
        if any(abs(split[name] - exact[name]) > _ROUNDING for name in split):
            shown = ", ".join(f"{name} {share:.4g}" for name, share in exact.items())
            self.notes.changed(
                attachment.where, f"the shares {shown}", "a split is in whole percent",
                ", ".join(f"{name} {percent}" for name, percent in split.items()),
            )  # fmt: skip
        return _Aim(heaviest, tuple((name, part) for name, part in split.items() if part))

    def _queue_of(self, selectors: list[Table], where: str) -> str | None:
        """The one queue whose labels match."""
        wanted = []
        for selector in selectors:
            wanted.append((selector.text("key"), selector.text("labelOperator"),
                           selector.raw("value")))  # fmt: skip
            selector.rest()
        found = [
            ident
            for ident, labels in self.labels.items()
            if all(_matches(labels, *each) for each in wanted)
        ]
        if wanted and len(found) == 1:
            return self.names[found[0]]
        shown = ", ".join(f"{key} {operator} {value}" for key, operator, value in wanted)
        self.notes.left_out(
            where, f"queues with {shown or 'nothing'}", f"{len(found)} queues of the file match"
        )
        return None

    def _condition(self, attachment: Table) -> Expression | bool:
        rule = attachment.table("condition")
        if rule is None:
            return True
        where = rule.where
        kind = rule.text("kind")
        if kind == "static":
            value = rule.raw("value")
            rule.rest()
            return value is True or str(value).lower() == "true"
        source = rule.text("expression")
        rule.ignore("language")
        if kind != "expression" or source is None:
            self.notes.left_out(where, f"a condition of kind {kind}", "the plan calls nothing")
            return False
        rule.rest()
        try:
            return expression_of(translate_tree(read(source, POWER_FX), _of_job), Scope.MESSAGE)
        except Untranslatable as error:
            self._told(where, source, error)
            return False

    def _told(self, where: str, source: str, error: Untranslatable) -> None:
        why = f"{error.why}, at position {error.position}"
        self.notes.left_out(where, source, why, error.nearest)

    # --- priorities ---------------------------------------------------------------------

    def _priorities(self, table: Table) -> list[_Case]:
        rule = table.table("prioritizationRule")
        if rule is None:
            return [_Case(None, None)]
        kind = rule.text("kind")
        try:
            if kind == "static":
                cases = [_Case(None, _priority(rule.raw("value")))]
            elif kind == "expression":
                source = rule.text("expression") or ""
                rule.ignore("language")
                cases = list(_cases(read(source, POWER_FX), None))
            else:
                raise Untranslatable(0, f"a rule of kind {kind} cannot be called")
        except Untranslatable as error:
            self._told(rule.where, rule.text("expression") or str(kind), error)
            cases = [_Case(None, None)]
        rule.ignore("value", "expression", "functionUri", "webhookUri", "credential")
        rule.rest()
        lowest = min((case.value or 0 for case in cases), default=0)
        if lowest < 0:
            self.notes.changed(
                rule.where, f"the priority {lowest}", "priorities begin at 0", "all are raised"
            )
            cases = [attrs.evolve(c, value=(c.value or 0) - lowest) for c in cases]
        return cases

    # --- worker selectors ---------------------------------------------------------------

    def _selectors(self, table: Table, queues: set[str]) -> Iterator[_Case]:
        """Requirements with their conditions; those that expire go into the queues' ladders."""
        expiring: list[_Wanted] = []
        for attachment in table.tables("workerSelectorAttachments"):
            kind = attachment.text("kind")
            when: Expression | bool = True
            if kind == "static":
                one = attachment.table("workerSelector")
                given = [one] if one else []
            elif kind == "conditional":
                when = self._condition(attachment)
                given = list(attachment.tables("workerSelectors"))
            else:
                self.notes.left_out(
                    attachment.where, f"a worker selector of kind {kind}",
                    "what a rule asks of agents is the same for all messages it takes",
                    "submit the work with a requirement of its own",
                )  # fmt: skip
                continue
            attachment.rest()
            wanted = [found for s in given if (found := self._selector(s)) is not None]
            if when is False or not wanted:
                continue
            always = [w for w in wanted if w.ends_ms is None or when is not True]
            expiring += [w for w in wanted if w.ends_ms is not None and when is True]
            if any(selector.expedite for selector in always):
                self.notes.left_out(
                    attachment.where, "going to the front for good",
                    "only a step lends a priority, for its time", "a higher priority in the rule",
                )  # fmt: skip
            if when is not True and any(selector.ends_ms for selector in wanted):
                self.notes.changed(
                    attachment.where, "a conditional selector that expires",
                    "steps belong to the queue, whatever the message", "it does not expire",
                )  # fmt: skip
            if always:
                nodes = [selector.node for selector in always]
                yield _Case(None if when is True else when, _requirement(nodes))
        if expiring:
            self._add_steps(queues, expiring, table.where)

    def _selector(self, table: Table) -> _Wanted | None:
        key, operator = table.text("key"), table.text("labelOperator")
        value = table.raw("value")
        seconds = table.number("expiresAfterSeconds")
        expedite = table.flag("expedite") is True
        table.ignore("status", "expiresAt")
        table.rest()
        try:
            node = wanted_label(key or "", operator or "", value)
            expression_of(node, Scope.AGENT)
        except Untranslatable as error:
            self._told(table.where, f"{key} {operator} {value}", error)
            return None
        return _Wanted(node, None if not seconds else max(1, round(seconds * 1000)), expedite)

    def _add_steps(self, queues: set[str], expiring: list[_Wanted], where: str) -> None:
        steps: list[Step] = []
        for moment in sorted({selector.ends_ms or 0 for selector in expiring}):
            active = [selector for selector in expiring if (selector.ends_ms or 0) >= moment]
            in_front = any(selector.expedite for selector in active)
            requirement = _requirement([selector.node for selector in active])
            priority = _FRONT if in_front else None
            steps.append(Step(requirement, until_ms=moment, priority=priority))
        for name in sorted(queues):
            queue: Queue = self.draft.queues[name]
            if len(queue.ladder) > 1:
                self.notes.left_out(where, f"selectors that expire in {name}",
                                    "another policy gave this queue its steps")  # fmt: skip
            else:
                self.draft.queues[name] = attrs.evolve(queue, ladder=(*steps, Step()))


def _of_job(key: Key) -> tuple[Kind, str]:
    scope, dot, name = key.name.partition(".")
    if scope.lower() != "job" or not dot:
        raise Untranslatable(key.position, f"{key.name} is no label of the job", "job.Label")
    if "[" in name:
        raise Untranslatable(key.position, "elements of arrays have no names here")
    return attribute(name)


def _requirement(nodes: list[Node]) -> Expression:
    return Expression(conjunction(nodes), Scope.AGENT)


def _combined(selectors: list[_Case]) -> Iterator[_Case]:
    """Every combination of the conditional requirements, those with more of them first."""
    cases = [_Case(None, None)]
    for selector in selectors:
        if selector.when is None:
            cases = [attrs.evolve(c, value=all_of(c.value, selector.value)) for c in cases]
        else:
            held = [_Case(all_of(c.when, selector.when), all_of(c.value, selector.value))
                    for c in cases]  # fmt: skip
            cases = held + cases
    return iter(cases)


def _cases(tree: Tree, when: Expression | None) -> Iterator[_Case]:
    """``If(condition, value, ..., otherwise)`` as cases, first match first."""
    if isinstance(tree, Call) and tree.name.lower() == "if" and len(tree.arguments) >= 2:
        arguments = tree.arguments
        for number in range(0, len(arguments) - 1, 2):
            part = translate_tree(arguments[number], _of_job)
            found = expression_of(part, Scope.MESSAGE)
            if found is not False:
                held = when if found is True else all_of(when, found)
                yield from _cases(arguments[number + 1], held)
            if found is True:
                return
        if len(arguments) % 2:
            yield from _cases(arguments[-1], when)
        else:
            yield _Case(when, None)
    elif isinstance(tree, Literal):
        yield _Case(when, _priority(tree.value, tree.position))
    else:
        raise Untranslatable(tree.position, "a number, or If(...) of numbers, should stand here")


def _priority(value: object, position: int = 0) -> int:
    try:
        found = float(str(value))
    except ValueError:
        found = 0.5
    if not abs(found) <= _MAX_PRIORITY or found != int(found):
        raise Untranslatable(position, f"{value!r} is no priority from -100 to 100")
    return int(found)


def _matches(labels: dict[str, Any], key: str | None, operator: str | None, value: Any) -> bool:
    held = labels.get(key or "")
    word = OPERATORS.get(operator or "")
    if held is None or word is None:
        return False
    if word in ("==", "!="):
        return (held == value and isinstance(held, bool) is isinstance(value, bool)) is (
            word == "=="
        )
    numbers = [n for n in (held, value) if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(numbers) < 2:
        return False
    before, after = numbers[0] < numbers[1], numbers[0] > numbers[1]
    return {"<": before, "<=": not after, ">": after, ">=": not before}[word]
