"""Checks of what work of one kind does to other work: who can wait for ever, and until when.

Between an agent's queues the tier decides, then the key of the order. Bands (`strict`,
`newest_first`) and tiers have no bound of their own; a head start is one (priority times what a
point is worth), and so is a cap within its queue. What ends any waiting is `max_wait_s` of the
queue or a step of its ladder that moves everything on: then the finding says when.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Agent, Channel
from .capacity import Capacity
from .findings import Code, Finding
from .model import Accelerating, HeadStart, NewestFirst, Queue, Strict
from .reading import quoted_key
from .survey import Survey, queue_path, seconds, targets, warning

__all__ = [
    "check_caps",
    "check_mixed_order",
    "check_only_agents",
    "check_priorities",
    "check_tiers",
]


def check_priorities(survey: Survey) -> Iterator[Finding]:
    """Strict bands: whoever is below the highest may wait for ever."""
    if not survey.plan.limits.max_priority:
        return
    for queue in survey.plan.queues.values():
        if not isinstance(queue.order, Strict):
            continue
        used = {queue.priority}
        for rule in survey.plan.triage:
            if queue.name in targets(rule) and rule.priority is not None:
                used.add(rule.priority)
        used.update(step.priority for step in queue.ladder if step.priority is not None)
        *lower, highest = sorted(used)
        how_long = _how_long(queue)
        if lower:
            shown = ", ".join(map(str, lower))
            which = f"priority {shown} can wait {how_long} while priority {highest} keeps coming"
        else:
            which = f"whatever is below priority {highest} can wait {how_long} while higher comes"
            if not highest:
                which = f"priority 0 can wait {how_long} while higher priorities are submitted"
        yield warning(
            Code.STARVING_PRIORITY,
            f"{queue_path(queue)}.order",
            f"strict: {which}; head_start lets waiting time catch up",
        )


def check_tiers(survey: Survey) -> Iterator[Finding]:
    """Queues whose every agent serves an earlier tier first."""
    for queue in survey.plan.queues.values():
        earlier = _before_for_all(survey, queue)
        if earlier:
            yield warning(
                Code.STARVING_TIER,
                f"{queue_path(queue)}.tier",
                f"every agent of this queue serves an earlier tier first ({', '.join(earlier)}), so"
                f" it can wait {_how_long(queue)} while work keeps coming there",
            )


def _before_for_all(survey: Survey, queue: Queue) -> list[str]:
    """The queues that go before this one, if for each of its agents one does."""
    queues = list(survey.plan.queues.values())
    if not survey.agents:
        earlier = [other for other in queues if other.tier < queue.tier]
        taken = [step for other in earlier for step in survey.steps(other)]
        alone = any(survey.possible([step], taken) for step in survey.steps(queue))
        return [] if alone else [other.name for other in earlier]
    found: set[str] = set()
    for agent in survey.members(survey.steps(queue)):
        own = _tier(queue, agent)
        before = [o.name for o in survey.served[agent.id] if _tier(o, agent) < own]
        if not before:
            return []
        found.update(before)
    return [other.name for other in queues if other.name in found]


def _tier(queue: Queue, agent: Agent) -> int:
    for row in queue.access:
        if row.agents is None or row.agents.matches(agent):
            return row.tier
    return queue.tier


def _how_long(queue: Queue) -> str:
    """For ever, or until what of the queue itself ends the waiting."""
    ends = [] if queue.max_wait_ms is None else [(queue.max_wait_ms, "it is cancelled")]
    begin_ms, last = 0, len(queue.ladder) - 1
    for number, step in enumerate(queue.ladder):
        rule = step.overflow
        sure = number == last or not (step.skip_if_nobody or step.only_if is not None)
        if rule is not None and rule.when is None and sure:
            if rule.reject is not None:
                ends.append((begin_ms, f"step {number} cancels it"))
            elif rule.queue not in (None, queue.name):
                ends.append((begin_ms, f"step {number} moves it to {rule.queue}"))
        begin_ms = max(begin_ms + (step.for_ms or 0), step.until_ms or 0)
    if not ends:
        return "for ever"
    end_ms, what = min(ends)
    return f"{seconds(end_ms)} (then {what})"


def check_caps(survey: Survey) -> Iterator[Finding]:
    """Orders under which the oldest does not go first in the end."""
    queues = list(survey.plan.queues.values())
    for queue in queues:
        order, where = queue.order, f"{queue_path(queue)}.order"
        if isinstance(order, NewestFirst) and _how_long(queue) == "for ever":
            yield warning(
                Code.STARVING_OLDEST,
                where,
                "newest_first: the oldest can wait for ever while new work keeps coming; max_wait_s"
                " ends that",
            )
        cap_ms = _cap_ms(queue)
        if cap_ms is None or not isinstance(order, Accelerating):
            continue
        stronger = [
            other.name
            for other in queues
            if other is not queue
            and other.tier == queue.tier
            and isinstance(other.order, HeadStart | Accelerating)
            and ((end_ms := _cap_ms(other)) is None or end_ms > cap_ms)
            and _share(survey, queue, other)
        ]
        if stronger:
            yield warning(
                Code.STARVING_CAP,
                where,
                f"waiting here counts as {seconds(cap_ms)} at most, after"
                f" {seconds(-(-cap_ms * 100 // order.rate_percent))}: from then on it can wait"
                f" {_how_long(queue)} while what counts as older waits in {', '.join(stronger)}",
            )


def _cap_ms(queue: Queue) -> int | None:
    order = queue.order
    if isinstance(order, Accelerating) and order.max_points is not None:
        return order.max_points * order.ms_per_point
    return None


def check_mixed_order(survey: Survey) -> Iterator[Finding]:
    """Queues whose keys do not compare, and which compete for the same agents in one tier."""
    queues = list(survey.plan.queues.values())
    for queue in queues:
        if not isinstance(queue.order, Strict | NewestFirst):
            continue
        same = Strict | NewestFirst if isinstance(queue.order, Strict) else NewestFirst
        mixed = [
            other.name
            for other in queues
            if other.tier == queue.tier
            and not isinstance(other.order, same)
            and _share(survey, queue, other)
        ]
        if mixed:
            strict = isinstance(queue.order, Strict)
            shown, first = (
                ("strict", "any priority above 0")
                if strict
                else ("newest_first", "whatever has no lower priority")
            )
            yield warning(
                Code.MIXED_ORDER,
                f"{queue_path(queue)}.order",
                f"{shown} beside another order in tier {queue.tier}, for the same agents: here"
                f" {first} goes before all work of {', '.join(mixed)}",
            )


def _share(survey: Survey, one: Queue, other: Queue) -> bool:
    if survey.agents:
        ours = {agent.id for agent in survey.members(survey.steps(one))}
        return any(agent.id in ours for agent in survey.members(survey.steps(other)))
    return any(
        survey.possible([mine, theirs], [])
        for mine in survey.steps(one)
        for theirs in survey.steps(other)
    )


def check_only_agents(survey: Survey) -> Iterator[Finding]:
    """Kinds of work that one and the same agent alone may take, who carries one at a time."""
    needs: dict[str, list[str]] = {}
    if len(survey.agents) > 1:
        for what, ids in _takers(survey):
            if len(ids) == 1:
                needs.setdefault(next(iter(ids)), []).append(what)
    for agent_id, found in needs.items():
        agent = survey.plan.agents[agent_id]
        if len(found) > 1 and not _carries_two(survey.plan.capacities[agent.capacity]):
            yield warning(
                Code.ONLY_AGENT,
                f"agents.{quoted_key(agent_id)}",
                f"nobody else may take {', '.join(found)}, and he carries one at a time: each"
                " waits while he has the other",
            )


def _takers(survey: Survey) -> Iterator[tuple[str, frozenset[str]]]:
    """What is asked for, and which agents of the plan may take it at some step."""
    whole = {}
    for queue in survey.plan.queues.values():
        ids = frozenset().union(*map(survey.takers, survey.steps(queue)))
        whole[queue.name] = ids
        yield f"queue {queue.name}", ids
    for number in survey.live_rules:
        rule = survey.plan.triage[number]
        for name in targets(rule):
            queue = survey.plan.queues[name]
            steps = [survey.requirement_at(queue, step, rule.requirement) for step in queue.ladder]
            ids = frozenset().union(*map(survey.takers, steps))
            if ids != whole[name]:
                yield f"triage[{number}]", ids


def _carries_two(capacity: Capacity) -> bool:
    """Whether some two interactions fit beside each other."""
    admitted = [channel for channel in Channel if capacity.admits(channel)]
    return any(_fits(capacity, one, two) for one in admitted for two in admitted)


def _fits(capacity: Capacity, carried: Channel, arriving: Channel) -> bool:
    if not capacity.may_interrupt(arriving, carried):
        return False
    if carried == arriving and capacity.maximum(carried) < 2:
        return False
    if capacity.is_interruptible(carried) is not capacity.is_interruptible(arriving):
        return True
    cost = (capacity.cost(carried) or 0) + (capacity.cost(arriving) or 0)
    return cost <= capacity.budget_of(carried)
