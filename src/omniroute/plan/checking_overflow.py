"""Checks of overflow, of conditions about a queue, and of the hours that they ask about.

Whether a condition can hold is decided by `logic.possible`. What is known of a queue
beforehand goes in: one without hours is always open, one whose hours never open never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from .expression import Expression, Scope, all_of, parse
from .findings import Code, Finding
from .logic import possible
from .model import Queue
from .overflow import Overflow
from .survey import Survey, error, queue_path, step_path, warning
from .syntax import leaves

__all__ = ["check_conditions", "check_hours", "check_loops", "check_overflow"]

_OPEN = parse("open", Scope.QUEUE).tree

_NOTHING = "it does nothing: give it a queue, a priority or a text to reject with"


def check_overflow(survey: Survey) -> Iterator[Finding]:
    """Rules that never apply, that do nothing, or that lead to nobody."""
    for queue in survey.plan.queues.values():
        for number, rule in enumerate(queue.overflow):
            where = f"{queue_path(queue)}.overflow[{number}]"
            earlier = [before.when for before in queue.overflow[:number]]
            if not _may_hold(survey, queue, rule.when, []):
                found = _why_never(survey, queue, rule.when)
                yield error(Code.UNREACHABLE_OVERFLOW, where, found)
            elif not _may_hold(survey, queue, rule.when, earlier):
                found = "a rule before it applies whenever it would"
                yield error(Code.UNREACHABLE_OVERFLOW, where, found)
            else:
                is_last = number == len(queue.overflow) - 1
                yield from _effects(where, _idle_at_door(queue, rule, is_last=is_last))
                yield from _leads_to_nobody(survey, queue, rule, where)
        for number, step in enumerate(queue.ladder):
            if step.overflow is not None:
                where = f"{step_path(queue, number)}.overflow"
                yield from _on_step(survey, queue, step.overflow, where)


def _may_hold(
    survey: Survey, queue: Queue, when: Expression | None, earlier: list[Expression | None]
) -> bool:
    """Whether the condition can hold in this queue while no earlier one does."""
    if None in earlier:
        return False
    every = [] if when is None else [when.tree]
    none = [e.tree for e in earlier if e is not None]
    if queue.hours is None:
        every.append(_OPEN)
    elif survey.plan.hours[queue.hours].never_opens:
        none.append(_OPEN)
    return possible(every, none, Scope.QUEUE)


def _why_never(survey: Survey, queue: Queue, when: Expression | None) -> str:
    """What is told of a condition that never holds."""
    found = f"it never holds in this queue: {when}"
    if when is None or not possible([when.tree], [], Scope.QUEUE):
        return found
    if queue.hours is None:
        return f"{found}; without `hours` the queue is always open"
    return f"{found}; its hours {queue.hours!r} never open"


def _effects(where: str, why: str | None) -> Iterator[Finding]:
    if why is not None:
        yield warning(Code.USELESS_OVERFLOW, where, why)


def _idle_at_door(queue: Queue, rule: Overflow, *, is_last: bool) -> str | None:
    """Why a rule, or a part of it, has no effect at the door."""
    leads = rule.queue not in (None, queue.name)
    changes = leads or rule.priority is not None or rule.requirement is not None
    if rule.reject is not None:
        return "it rejects, so all but its hint is ignored" if changes or rule.open_access else None
    if rule.open_access and leads:
        return "open_access is about this queue, but the rule sends the work away"
    if rule.open_access and not any(row.after_ms for row in queue.access):
        return "open_access, but no row of access has a delay"
    # One before others may be there to keep them from being read.
    if is_last and not (changes or rule.open_access or rule.hint):
        return _NOTHING if rule.queue is None else "it leads to its own queue, so it does nothing"
    return None


def _on_step(survey: Survey, queue: Queue, rule: Overflow, where: str) -> Iterator[Finding]:
    if not _may_hold(survey, queue, rule.when, []):
        found = _why_never(survey, queue, rule.when)
        yield error(Code.UNREACHABLE_OVERFLOW, where, found)
        return
    moves = rule.reject is None and rule.queue is not None
    ignored = [
        name
        for name, given in (
            ("hint", rule.hint),
            ("open_access", rule.open_access),
            ("requirement", rule.requirement is not None and not moves),
            ("priority", rule.priority is not None and rule.reject is not None),
            ("queue", rule.queue is not None and rule.reject is not None),
        )
        if given
    ]
    if ignored:
        yield from _effects(where, f"a step does nothing with {', '.join(ignored)} here")
    elif rule.reject is None and rule.queue is None and rule.priority is None:
        yield from _effects(where, _NOTHING)
    if moves:
        yield from _leads_to_nobody(survey, queue, rule, where)


def _leads_to_nobody(survey: Survey, queue: Queue, rule: Overflow, where: str) -> Iterator[Finding]:
    """The rule's requirement is one that nobody in the queue it leads to satisfies."""
    if rule.reject is not None or rule.requirement is None:
        return
    target = survey.plan.queues[rule.queue or queue.name]
    last = target.ladder[-1]
    wanted = survey.requirement_at(target, last, rule.requirement)
    if survey.nobody(wanted) and not survey.nobody(all_of(target.members, last.requirement)):
        yield error(
            Code.NOBODY,
            f"{where}.requirement",
            f"no agent of queue {target.name!r} can take it at its last step: {wanted}",
        )


def check_conditions(survey: Survey) -> Iterator[Finding]:
    """Steps with a condition that never holds, always holds, or is never asked."""
    for queue in survey.plan.queues.values():
        for number, step in enumerate(queue.ladder):
            where = f"{step_path(queue, number)}.only_if"
            if step.only_if is None:
                continue
            if number == len(queue.ladder) - 1:
                found = "the last step is never passed over, so it is not asked"
                yield warning(Code.USELESS_CONDITION, where, found)
            elif not _may_hold(survey, queue, step.only_if, []):
                found = _why_never(survey, queue, step.only_if)
                yield error(Code.UNREACHABLE_STEP, step_path(queue, number), found)
            elif not _may_hold(survey, queue, None, [step.only_if]):
                found = f"it always holds in this queue: {step.only_if}"
                yield warning(Code.USELESS_CONDITION, where, found)


def check_hours(survey: Survey) -> Iterator[Finding]:
    """Hours that never open, and hours that nothing asks about."""
    for queue in survey.plan.queues.values():
        if queue.hours is None:
            continue
        where = f"{queue_path(queue)}.hours"
        if survey.plan.hours[queue.hours].never_opens:
            found = (
                f"hours {queue.hours!r} never open: no day and no exception has any;"
                ' give `weekly` some, such as mon = ["09:00-17:00"]'
            )
            yield error(Code.NEVER_OPENS, where, found)
        elif not any(map(_asks_open, _conditions(queue))):
            found = "no overflow rule and no step asks `open`: the queue takes work at any hour"
            yield warning(Code.UNUSED_HOURS, where, found)


def _asks_open(condition: Expression) -> bool:
    return any(compare.name == "open" for compare in leaves(condition.tree))


def _conditions(queue: Queue) -> Iterator[Expression]:
    rules = [*queue.overflow, *(step.overflow for step in queue.ladder if step.overflow)]
    for found in (*(rule.when for rule in rules), *(step.only_if for step in queue.ladder)):
        if found is not None:
            yield found


def check_loops(survey: Survey) -> Iterator[Finding]:
    """Queues that overflow into each other, at the door or by the steps of their ladders."""
    for key, leads_to, what in _WAYS:
        ways = {queue.name: leads_to(queue) for queue in survey.plan.queues.values()}
        order = list(ways)
        for number, name in enumerate(order):
            circle = _circle(name, ways, frozenset(order[:number]))
            if circle:
                where = f"{queue_path(survey.plan.queues[name])}.{key}"
                yield warning(Code.OVERFLOW_LOOP, where, f"{' -> '.join(circle)}: {what}")


def _at_door(queue: Queue) -> list[str]:
    rules = [rule for rule in queue.overflow if rule.reject is None]
    return [rule.queue for rule in rules if rule.queue not in (None, queue.name) and rule.queue]


def _by_refusals(queue: Queue) -> list[str]:
    rule = queue.refusal.overflow
    return [rule.queue] if rule is not None and rule.queue is not None else []


def _by_steps(queue: Queue) -> list[str]:
    rules = [step.overflow for step in queue.ladder if step.overflow is not None]
    return [rule.queue for rule in rules if rule.queue is not None and rule.reject is None]


_WAYS: tuple[tuple[str, Callable[[Queue], list[str]], str], ...] = (
    ("overflow", _at_door, "what all of them turn away stays in the last of them"),
    ("refusal.overflow", _by_refusals, "what all of them decline wanders, and is asked anew"),
    ("ladder", _by_steps, "what nobody takes wanders, and each ladder begins anew"),
)


def _circle(start: str, ways: Mapping[str, list[str]], closed: frozenset[str]) -> list[str]:
    """The shortest way from a queue back to itself, past none of the ``closed``; or nothing."""
    paths = [[start]]
    seen = set(closed)
    for path in paths:
        for name in ways[path[-1]]:
            if name == start:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
