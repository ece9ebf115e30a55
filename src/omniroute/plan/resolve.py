"""Every name in a plan must exist, and every number fit the plan's own limits.

`Plan` runs `faults_of_plan` on construction; the TOML loader calls the smaller functions
itself, so that a fault carries its key path and all of them are reported together. Each
function yields errors and raises none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import PlanError, UnknownNameError, UsageError
from ..model import Agent
from .fields import is_integer
from .inbound import faults_of_dispositions

if TYPE_CHECKING:
    from .expression import Expression
    from .model import Limits, Plan, Queue, Skill, Step, TriageRule
    from .overflow import Overflow

__all__ = [
    "faults_of_agent",
    "faults_of_choices",
    "faults_of_hours",
    "faults_of_ladder",
    "faults_of_overflow",
    "faults_of_plan",
    "faults_of_queue",
    "faults_of_rule",
    "joined",
]

#: How many faults one message spells out.
_LISTED = 50


def joined(faults: Collection[UsageError], *, where: str) -> UsageError:
    """One error for several: the only one itself, else a `PlanError` that lists each."""
    if len(faults) == 1:
        return next(iter(faults))
    lines = [f"{len(faults)} faults"]
    lines += (f"- {fault}".replace("\n", "\n  ") for fault in islice(faults, _LISTED))
    if len(faults) > _LISTED:
        lines.append(f"and {len(faults) - _LISTED} more")
    return PlanError("\n  ".join(lines), where=where, faults=faults)


def faults_of_plan(plan: Plan) -> Iterator[UsageError]:
    """Whatever in ``plan`` names something it does not have, or breaks its limits."""
    for kind, table, attribute in (
        ("queues", plan.queues, "name"),
        ("skills", plan.skills, "name"),
        ("capacities", plan.capacities, "name"),
        ("agents", plan.agents, "id"),
        ("hours", plan.hours, "name"),
    ):
        for key, value in table.items():
            own = getattr(value, attribute)
            if own != key or not key:
                yield PlanError(f"is filed under {key!r} but named {own!r}", where=f"{kind}.{key}")
    if len(plan.agents) > plan.limits.max_agents:
        found = f"{len(plan.agents)} agents, limits.max_agents is {plan.limits.max_agents}"
        yield PlanError(found, where="agents")
    for agent in plan.agents.values():
        where = f"agents.{agent.id}"
        yield from faults_of_agent(agent, plan.skills, plan.capacities, where)
    for queue in plan.queues.values():
        where = f"queues.{queue.name}"
        yield from faults_of_queue(queue, plan.skills, plan.limits, where)
        if queue.scorer is not None and queue.scorer not in plan.scorers:
            yield UnknownNameError("scorer", queue.scorer, plan.scorers, where=f"{where}.scorer")
        yield from faults_of_hours(queue, plan.hours, where)
        yield from faults_of_overflow(queue, plan.queues, where)
    yield from faults_of_dispositions(plan.dispositions, plan.queues)
    for number, rule in enumerate(plan.triage):
        where = f"triage[{number}]"
        yield from faults_of_rule(rule, plan.queues, plan.skills, plan.limits, where)


def faults_of_agent(
    agent: Agent, skills: Mapping[str, Skill], capacities: Collection[str], where: str
) -> Iterator[UsageError]:
    """Unknown skills, levels out of range, a capacity that does not exist, no duration."""
    wrap_up_ms = agent.wrap_up_ms
    if wrap_up_ms is not None and (not is_integer(wrap_up_ms) or wrap_up_ms < 0):
        found = f"must be an integer of at least 0, got {wrap_up_ms!r}"
        yield PlanError(found, where=f"{where}.wrap_up_ms")
    if agent.capacity not in capacities:
        place = f"{where}.capacity"
        if agent.capacity == "default":
            place += ' (where none is given it is "default")'
        yield UnknownNameError("capacity", agent.capacity, capacities, where=place)
    for name, level in agent.skills.items():
        place = f"{where}.skills.{name}"
        if not is_integer(level) or level < 0:
            yield PlanError(f"a level is an integer of at least 0, got {level!r}", where=place)
        elif skills and name not in skills:
            yield UnknownNameError("skill", name, skills, where=f"{where}.skills")
        elif skills and level > skills[name].max_level:
            highest = skills[name].max_level
            yield PlanError(f"level {level} is over the skill's highest, {highest}", where=place)


def faults_of_queue(
    queue: Queue, skills: Collection[str], limits: Limits, where: str
) -> Iterator[UsageError]:
    """Unknown skills in its expressions and drops, a priority over the limit."""
    yield from _unknown_skills(queue.members, skills, f"{where}.members")
    for number, step in enumerate(queue.ladder):
        place = f"{where}.ladder[{number}]"
        yield from _unknown_skills(step.requirement, skills, f"{place}.requirement")
        dropped = (name for name in step.drop if name != "*")
        yield from _unknown(dropped, skills, f"{place}.drop")
        if step.priority is not None:
            yield from _over_limit(step.priority, limits, f"{place}.priority")
    for number, row in enumerate(queue.access):
        yield from _unknown_skills(row.agents, skills, f"{where}.access[{number}].agents")
    for rule, place in _overflow_rules(queue, where):
        yield from _unknown_skills(rule.requirement, skills, f"{place}.requirement")
        if rule.priority is not None:
            yield from _over_limit(rule.priority, limits, f"{place}.priority")
    yield from _over_limit(queue.priority, limits, f"{where}.priority")


def _overflow_rules(queue: Queue, where: str) -> Iterator[tuple[Overflow, str]]:
    """The rules of a queue, of its refusals and of its ladder, each with its place."""
    if queue.refusal.overflow is not None:
        yield queue.refusal.overflow, f"{where}.refusal.overflow"
    for number, rule in enumerate(queue.overflow):
        yield rule, f"{where}.overflow[{number}]"
    for number, step in enumerate(queue.ladder):
        if step.overflow is not None:
            yield step.overflow, f"{where}.ladder[{number}].overflow"


def faults_of_overflow(queue: Queue, queues: Collection[str], where: str) -> Iterator[UsageError]:
    """Queues that overflow rules name and the plan does not have."""
    for rule, place in _overflow_rules(queue, where):
        if rule.queue is not None and rule.queue not in queues:
            yield UnknownNameError("queue", rule.queue, queues, where=f"{place}.queue")


def faults_of_choices(queue: Queue) -> Iterator[str]:
    """Settings of a queue that contradict each other."""
    if queue.auto_accept and queue.offers > 1:
        yield "auto_accept leaves nobody else to offer it to: give `offers = 1`"
    if (queue.strategy == "scored") != (queue.scorer is not None):
        yield 'the strategy "scored" and a `scorer` belong together'


def faults_of_hours(queue: Queue, hours: Collection[str], where: str) -> Iterator[UsageError]:
    """Hours that the plan does not have."""
    if queue.hours is not None and queue.hours not in hours:
        yield UnknownNameError("hours", queue.hours, hours, where=f"{where}.hours")


def faults_of_rule(
    rule: TriageRule,
    queues: Collection[str],
    skills: Collection[str],
    limits: Limits,
    where: str,
) -> Iterator[UsageError]:
    """An unknown queue, unknown skills in its requirement, a priority over the limit."""
    if rule.queue not in queues:
        yield UnknownNameError("queue", rule.queue, queues, where=f"{where}.queue")
    for name in rule.split:
        if name not in queues:
            yield UnknownNameError("queue", name, queues, where=f"{where}.split")
    yield from _unknown_skills(rule.requirement, skills, f"{where}.requirement")
    if rule.priority is not None:
        yield from _over_limit(rule.priority, limits, f"{where}.priority")


_ENDS = "`for_s` or `until_s` (in Python `for_ms` or `until_ms`)"


def faults_of_ladder(ladder: Iterable[Step]) -> Iterator[tuple[int, str]]:
    """(step, what is wrong) for steps whose end does not fit their place."""
    steps = tuple(ladder)
    for number, step in enumerate(steps):
        ends = (step.for_ms is not None) + (step.until_ms is not None)
        if ends == 2:
            yield number, f"give one end, not both: {_ENDS}"
        elif number == len(steps) - 1:
            if ends:
                yield number, f"the last step has no end: remove {_ENDS}"
        elif not ends:
            yield number, f"every step but the last needs an end: {_ENDS}"
        if step.overflow is not None and not number:
            yield number, "the first step has no overflow: the queue's own rules come before it"


def _unknown_skills(
    expression: Expression | None, skills: Collection[str], where: str
) -> Iterator[UsageError]:
    if expression is not None:
        yield from _unknown(sorted(expression.skills), skills, where)


def _unknown(names: Iterable[str], skills: Collection[str], where: str) -> Iterator[UsageError]:
    if skills:
        for name in names:
            if name not in skills:
                yield UnknownNameError("skill", name, skills, where=where)


def _over_limit(priority: int, limits: Limits, where: str) -> Iterator[UsageError]:
    if priority > limits.max_priority:
        yield PlanError(
            f"priority {priority} is over limits.max_priority, {limits.max_priority}", where=where
        )
