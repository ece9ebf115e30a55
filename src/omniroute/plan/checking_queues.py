"""Checks of queues: their ladders, their times, and what they do to each other.

Times of a ladder: a step with `for_ms` ends that long after it began, one with
`until_ms` when the interaction has waited that long in all. A step that is passed over
because nobody is signed in takes no time, so the *earliest* beginning of a step assumes
that every step before it which may be passed over was.
"""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Code, Finding
from .model import Queue, Step, Strict, WrapUpKind
from .survey import Survey, error, queue_path, step_path, warning

__all__ = [
    "check_ladders",
    "check_mixed_order",
    "check_offers",
    "check_priorities",
    "check_tiers",
    "check_wrap_up",
]


def check_ladders(survey: Survey) -> Iterator[Finding]:
    """Steps that nobody satisfies, that never come, or that admit nobody new."""
    for queue in survey.plan.queues.values():
        if survey.nobody(queue.members):
            where = f"{queue_path(queue)}.members"
            yield error(Code.NOBODY, where, f"no agent can be a member: {queue.members}")
            continue
        yield from _nobody(survey, queue)
        yield from _unreachable(queue)
        yield from _useless(survey, queue)


def _nobody(survey: Survey, queue: Queue) -> Iterator[Finding]:
    last = len(queue.ladder) - 1
    for number, wanted in enumerate(survey.steps(queue)):
        if not survey.nobody(wanted):
            continue
        where = step_path(queue, number)
        if number == last:
            yield error(Code.NOBODY, where, f"what gets here waits for ever; nobody is {wanted}")
        else:
            yield warning(Code.NOBODY, where, f"this step only takes time; nobody is {wanted}")


def _unreachable(queue: Queue) -> Iterator[Finding]:
    for number, (step, begin_ms) in enumerate(zip(queue.ladder, _begins(queue), strict=True)):
        if step.until_ms is not None and step.until_ms <= begin_ms:
            yield error(
                Code.UNREACHABLE_STEP,
                step_path(queue, number),
                f"it ends at {_seconds(step.until_ms)} of waiting, but begins at the earliest"
                f" at {_seconds(begin_ms)}",
            )


def _begins(queue: Queue) -> list[int]:
    """For each step the waiting time at which it can begin at the earliest."""
    begin_ms = 0
    found = []
    for step in queue.ladder:
        found.append(begin_ms)
        if step.skip_if_nobody:
            continue
        if step.for_ms is not None:
            begin_ms += step.for_ms
        elif step.until_ms is not None:
            begin_ms = max(begin_ms, step.until_ms)
    return found


def _useless(survey: Survey, queue: Queue) -> Iterator[Finding]:
    for number in range(1, len(queue.ladder)):
        step, before = queue.ladder[number], queue.ladder[number - 1]
        if _drops_more(step, before):
            continue
        if not survey.possible([queue.members, step.requirement], [before.requirement]):
            same = step.requirement == before.requirement
            how = "is the same as" if same else "is not wider than"
            yield warning(
                Code.USELESS_STEP,
                step_path(queue, number),
                f"it admits nobody new: its requirement {how} that of the step before",
            )


def _drops_more(step: Step, before: Step) -> bool:
    return "*" not in before.drop and not set(step.drop) <= set(before.drop)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:g} s"


def check_offers(survey: Survey) -> Iterator[Finding]:
    """Offers that last longer than the step they are made in, or than the aim."""
    for queue in survey.plan.queues.values():
        timeout_ms = queue.offer_timeout_ms
        where = f"{queue_path(queue)}.offer_timeout_s"
        for number, (step, begin_ms) in enumerate(zip(queue.ladder, _begins(queue), strict=True)):
            length_ms = step.for_ms
            if step.until_ms is not None:
                length_ms = step.until_ms - begin_ms
            if length_ms is not None and 0 < length_ms < timeout_ms:
                yield warning(
                    Code.OFFER_OUTLASTS_STEP,
                    where,
                    f"an offer is open for {_seconds(timeout_ms)}, step {number} lasts"
                    f" {_seconds(length_ms)}: one agent who does not answer takes all of it",
                )
        target_ms = queue.service_level.target_ms
        if 0 < target_ms < timeout_ms:
            yield warning(
                Code.OFFER_OUTLASTS_TARGET,
                where,
                f"an offer is open for {_seconds(timeout_ms)}, the service level counts what is"
                f" accepted within {_seconds(target_ms)}",
            )


def check_wrap_up(survey: Survey) -> Iterator[Finding]:
    """Wrap-ups that end by time and are given none."""
    for queue in survey.plan.queues.values():
        wrap_up = queue.wrap_up
        if wrap_up.kind in (WrapUpKind.TIMED, WrapUpKind.FORCED) and not wrap_up.duration_ms:
            yield error(
                Code.WRAP_UP_WITHOUT_TIME,
                f"{queue_path(queue)}.wrap_up",
                f"a {wrap_up.kind} wrap-up needs a duration_s above 0; without one it is none",
            )


def check_priorities(survey: Survey) -> Iterator[Finding]:
    """Strict bands: whoever is below the highest may wait for ever."""
    if not survey.plan.limits.max_priority:
        return
    for queue in survey.plan.queues.values():
        if not isinstance(queue.order, Strict):
            continue
        used = {queue.priority}
        for rule in survey.plan.triage:
            if rule.queue == queue.name and rule.priority is not None:
                used.add(rule.priority)
        *lower, highest = sorted(used)
        if lower:
            shown = ", ".join(map(str, lower))
            which = f"priority {shown} can wait for ever while priority {highest} keeps coming"
        else:
            which = f"whatever is below priority {highest} can wait for ever while higher comes"
            if not highest:
                which = "priority 0 can wait for ever while higher priorities are submitted"
        yield warning(
            Code.STARVING_PRIORITY,
            f"{queue_path(queue)}.order",
            f"strict: {which}; head_start lets waiting time catch up",
        )


def check_tiers(survey: Survey) -> Iterator[Finding]:
    """Queues whose every agent serves an earlier tier first."""
    queues = list(survey.plan.queues.values())
    for queue in queues:
        earlier = [other for other in queues if other.tier < queue.tier]
        if earlier and not _has_own_agents(survey, queue, earlier):
            names = ", ".join(other.name for other in earlier)
            yield warning(
                Code.STARVING_TIER,
                f"{queue_path(queue)}.tier",
                f"every agent of this queue serves an earlier tier first ({names}), so it can"
                " wait for ever while work keeps coming there",
            )


def _has_own_agents(survey: Survey, queue: Queue, earlier: list[Queue]) -> bool:
    taken = [step for other in earlier for step in survey.steps(other)]
    if survey.agents:
        mine = survey.members(survey.steps(queue))
        theirs = {agent.id for agent in survey.members(taken)}
        return not mine or any(agent.id not in theirs for agent in mine)
    return any(survey.possible([step], taken) for step in survey.steps(queue))


def check_mixed_order(survey: Survey) -> Iterator[Finding]:
    """Strict and head-start queues that compete for the same agents in one tier."""
    queues = list(survey.plan.queues.values())
    for queue in queues:
        if not isinstance(queue.order, Strict):
            continue
        mixed = [
            other.name
            for other in queues
            if other.tier == queue.tier
            and not isinstance(other.order, Strict)
            and _share(survey, queue, other)
        ]
        if mixed:
            yield warning(
                Code.MIXED_ORDER,
                f"{queue_path(queue)}.order",
                f"strict beside head_start in tier {queue.tier}, for the same agents: here any"
                f" priority above 0 goes before all work of {', '.join(mixed)}",
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
