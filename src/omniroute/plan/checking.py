"""Find the faults of a plan before it goes live.

Each check is one function from a `Survey` to findings; `check` runs them all, in the
order of `_CHECKS`. "Nobody" means: none of the agents the plan lists, counted exactly.
Where it lists none, agents come from elsewhere, and "nobody" means that no agent can
exist at all, which `logic.possible` proves.
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import hint
from .checking_capacity import check_capacities
from .checking_overflow import check_conditions, check_hours, check_loops, check_overflow
from .checking_queues import (
    check_access,
    check_ladders,
    check_offers,
    check_waits,
    check_wrap_up,
)
from .checking_starvation import (
    check_caps,
    check_mixed_order,
    check_only_agents,
    check_priorities,
    check_tiers,
)
from .checking_strategies import check_strategies
from .checking_triage import (
    check_channels,
    check_requirements,
    check_routes,
    check_rules,
    check_splits,
)
from .compiler import compiled
from .findings import Code, Finding
from .model import Plan
from .reading import quoted_key
from .survey import Survey, error, queue_path, warning
from .syntax import Compare, Kind, Node, Not, Scope

__all__ = ["check"]


def check(plan: Plan) -> tuple[Finding, ...]:
    """Everything that looks wrong in ``plan``, in a fixed order.

    Cost grows with agents times distinct requirements; 10,000 agents and 100 queues take
    about a second.
    """
    survey = Survey(plan)
    return tuple(finding for one in _CHECKS for finding in one(survey))


def _check_queues_exist(survey: Survey) -> Iterator[Finding]:
    if not survey.plan.queues:
        yield error(Code.NO_QUEUE, "queues", "the plan has no queue, so nothing can be routed")


def _check_names(survey: Survey) -> Iterator[Finding]:
    agents = survey.agents
    if not agents:
        return
    ids = {agent.id for agent in agents}
    groups = {group for agent in agents for group in agent.groups}
    attributes = {name for agent in agents for name in agent.attributes}
    for where, expression in survey.requirements():
        for kind, mentioned, known, finding in (
            ("agent", expression.agent_ids, ids, error),
            ("group", expression.groups, groups, error),
            ("attribute", expression.attributes, attributes, warning),
        ):
            for name in sorted(mentioned - known):
                owner = "no such agent" if kind == "agent" else f"no agent has the {kind}"
                near = hint(name, known, of=f"{kind}s")
                yield finding(Code.UNKNOWN_NAME, where, f"{owner} {name!r}{near}")


def _check_levels(survey: Survey) -> Iterator[Finding]:
    for where, expression in survey.requirements():
        for compare in _wanted(expression.tree, holds=True):
            highest = survey.levels.get(compare.name)
            if highest is not None and not _reachable(compare, highest):
                yield error(
                    Code.SKILL_OUT_OF_REACH,
                    where,
                    f"{compare.text}: the highest level of {compare.name!r} is {highest}",
                )
            elif survey.agents and not any(map(compiled(compare, Scope.AGENT), survey.agents)):
                found = _best_of(survey, compare.name)
                yield error(Code.SKILL_OUT_OF_REACH, where, f"{compare.text}: {found}")


def _wanted(node: Node, *, holds: bool) -> Iterator[Compare]:
    """Comparisons that ask for a level above 0, not those under a ``not``."""
    if isinstance(node, Not):
        yield from _wanted(node.operand, holds=not holds)
    elif not isinstance(node, Compare):
        for operand in node.operands:
            yield from _wanted(operand, holds=holds)
    elif (
        node.kind is Kind.LEVEL and holds and node.operator in _REACHES and not _reachable(node, 0)
    ):
        yield node


_REACHES: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operators.ge,
    ">": operators.gt,
    "==": operators.ge,
}


def _reachable(compare: Compare, highest: int) -> bool:
    return _REACHES[compare.operator](highest, compare.value)


def _best_of(survey: Survey, skill: str) -> str:
    """Who has most of a skill, or which skills there are."""
    best = max(survey.agents, key=lambda agent: agent.skills.get(skill, 0))
    level = best.skills.get(skill, 0)
    if level:
        return f"the highest level is {level}, agent {best.id!r}"
    known = {name for agent in survey.agents for name, has in agent.skills.items() if has}
    return "no agent has the skill" + hint(skill, known, of="agents have")


def _check_limits(survey: Survey) -> Iterator[Finding]:
    whole = survey.plan.limits.max_waiting
    for queue in survey.plan.queues.values():
        if queue.max_waiting > whole:
            yield warning(
                Code.LIMIT_UNREACHABLE,
                f"{queue_path(queue)}.max_waiting",
                f"{queue.max_waiting} is above limits.max_waiting, {whole}, which is met first",
            )


def _check_agents(survey: Survey) -> Iterator[Finding]:
    if not survey.plan.queues:
        return
    steps = [step for queue in survey.plan.queues.values() for step in survey.steps(queue)]
    busy = {agent.id for agent in survey.members(steps)}
    for agent in survey.agents:
        if agent.id not in busy:
            yield warning(
                Code.IDLE_AGENT, f"agents.{quoted_key(agent.id)}", "no queue admits this agent"
            )


_CHECKS: tuple[Callable[[Survey], Iterator[Finding]], ...] = (
    _check_queues_exist,
    _check_names,
    _check_levels,
    check_ladders,
    check_conditions,
    check_access,
    check_overflow,
    check_loops,
    check_hours,
    check_offers,
    check_waits,
    check_wrap_up,
    check_strategies,
    _check_limits,
    check_priorities,
    check_tiers,
    check_caps,
    check_mixed_order,
    check_only_agents,
    check_rules,
    check_splits,
    check_routes,
    check_channels,
    check_requirements,
    check_capacities,
    _check_agents,
)
