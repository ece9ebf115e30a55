"""Checks of strategies: whether there is anything by which they could tell agents apart."""

from __future__ import annotations

from collections.abc import Iterator

from .expression import Expression, has_skill
from .fields import is_integer
from .findings import Code, Finding
from .model import Queue, Strategy
from .survey import Survey, queue_path, targets, warning

__all__ = ["check_strategies"]


def check_strategies(survey: Survey) -> Iterator[Finding]:
    """Weights that nobody has, and skills that nothing requires."""
    for queue in survey.plan.queues.values():
        where = f"{queue_path(queue)}.strategy"
        if queue.strategy is Strategy.WEIGHTED and survey.agents:
            members = survey.members(survey.steps(queue))
            weights = [agent.attributes.get("weight") for agent in members]
            if members and not any(is_integer(w) and w >= 1 for w in weights):
                found = "no agent of the queue has an attribute `weight` of 1 or more"
                yield warning(Code.USELESS_STRATEGY, where, found)
        by_skill = queue.strategy in (Strategy.MOST_SKILLED, Strategy.LEAST_SKILLED)
        if by_skill and not any(wanted.required_skills for wanted in _wanted(survey, queue)):
            found = "nothing that comes to the queue requires a skill to compare agents by"
            yield warning(Code.USELESS_STRATEGY, where, found)


def _wanted(survey: Survey, queue: Queue) -> Iterator[Expression]:
    """What is asked of agents here, by the queue, its rules and those that lead to it."""
    found = survey.steps(queue)
    for rule in survey.plan.triage:
        if queue.name in targets(rule):
            found.append(rule.requirement)
            found.append(has_skill("lang:") if rule.match_language else None)
    for other in survey.plan.queues.values():
        for overflow in (*other.overflow, *(step.overflow for step in other.ladder)):
            if overflow is not None and (overflow.queue or other.name) == queue.name:
                found.append(overflow.requirement)
    yield from (expression for expression in found if expression is not None)
