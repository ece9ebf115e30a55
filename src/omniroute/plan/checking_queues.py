"""Checks of queues: their ladders, who gets access to them, and their times.

Times of a ladder: a step with `for_ms` ends that long after it began, one with
`until_ms` when the interaction has waited that long in all. A step that is passed over
because nobody is signed in takes no time, so the *earliest* beginning of a step assumes
that every step before it which may be passed over was.
"""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Code, Finding
from .model import Queue, Step, WrapUpKind
from .survey import Survey, begins, error, queue_path, seconds, step_path, warning

__all__ = ["check_access", "check_ladders", "check_offers", "check_waits", "check_wrap_up"]


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
    for number, (step, begin_ms) in enumerate(zip(queue.ladder, begins(queue), strict=True)):
        if step.until_ms is not None and step.until_ms <= begin_ms:
            yield error(
                Code.UNREACHABLE_STEP,
                step_path(queue, number),
                f"it ends at {seconds(step.until_ms)} of waiting, but begins at the earliest"
                f" at {seconds(begin_ms)}: until_s must be above that",
            )


def _useless(survey: Survey, queue: Queue) -> Iterator[Finding]:
    """Steps that an earlier one covers: everybody whom they admit had his chance."""
    for number in range(1, len(queue.ladder)):
        step = queue.ladder[number]
        acts = step.overflow is not None or step.priority != queue.ladder[number - 1].priority
        if acts or step.only_if is not None:
            continue  # it is there for what it does, or for when it comes
        for earlier in range(number - 1, -1, -1):
            before = queue.ladder[earlier]
            if _covers(survey, queue, before, step):
                yield _covered(queue, number, earlier, same=step.requirement == before.requirement)
                break


def _covers(survey: Survey, queue: Queue, before: Step, step: Step) -> bool:
    if before.only_if is not None or _drops_more(step, before):
        return False
    return not survey.possible([queue.members, step.requirement], [before.requirement])


def _covered(queue: Queue, number: int, earlier: int, *, same: bool) -> Finding:
    how = "is the same as" if same else "is not wider than"
    where = step_path(queue, number)
    if earlier == number - 1:
        found = f"it admits nobody new: its requirement {how} that of the step before"
        return warning(Code.USELESS_STEP, where, found)
    found = f"its requirement {how} that of step {earlier}: nobody it admits was not asked there"
    return warning(Code.OVERLAPPING_STEP, where, found)


def _drops_more(step: Step, before: Step) -> bool:
    return "*" not in before.drop and not set(step.drop) <= set(before.drop)


def check_offers(survey: Survey) -> Iterator[Finding]:
    """Offers that last longer than the step they are made in, or than the aim."""
    for queue in survey.plan.queues.values():
        timeout_ms = queue.offer_timeout_ms
        where = f"{queue_path(queue)}.offer_timeout_s"
        for number, (step, begin_ms) in enumerate(zip(queue.ladder, begins(queue), strict=True)):
            length_ms = step.for_ms
            if step.until_ms is not None:
                length_ms = step.until_ms - begin_ms
            if length_ms is not None and 0 < length_ms < timeout_ms:
                yield warning(
                    Code.OFFER_OUTLASTS_STEP,
                    where,
                    f"an offer is open for {seconds(timeout_ms)}, step {number} lasts"
                    f" {seconds(length_ms)}: one agent who does not answer takes all of it",
                )
        own = queue.last_agent
        if own is not None and own.for_ms < timeout_ms:
            yield warning(
                Code.OFFER_OUTLASTS_STEP,
                f"{queue_path(queue)}.last_agent.for_s",
                f"an offer is open for {seconds(timeout_ms)}, the step for the last agent lasts"
                f" {seconds(own.for_ms)}",
            )
        target_ms = queue.service_level.target_ms
        if 0 < target_ms < timeout_ms:
            yield warning(
                Code.OFFER_OUTLASTS_TARGET,
                where,
                f"an offer is open for {seconds(timeout_ms)}, the service level counts what is"
                f" accepted within {seconds(target_ms)}",
            )


def check_wrap_up(survey: Survey) -> Iterator[Finding]:
    """Wrap-ups that end by time and are given none, and times of those that do not."""
    for queue in survey.plan.queues.values():
        wrap_up = queue.wrap_up
        if wrap_up.own_queue_only and wrap_up.kind is WrapUpKind.NONE:
            yield warning(
                Code.USELESS_WRAP_UP,
                f"{queue_path(queue)}.wrap_up",
                "kind 'none' is no wrap-up, so own_queue_only means nothing",
            )
        if wrap_up.kind not in (WrapUpKind.TIMED, WrapUpKind.FORCED):
            if wrap_up.duration_ms or wrap_up.max_extension_ms:
                yield warning(
                    Code.USELESS_WRAP_UP,
                    f"{queue_path(queue)}.wrap_up",
                    f"kind {wrap_up.kind.value!r} has no end, so duration_s and"
                    " max_extension_s mean nothing; they are for timed and forced",
                )
        elif not wrap_up.duration_ms and not any(agent.wrap_up_ms for agent in survey.agents):
            yield error(
                Code.WRAP_UP_WITHOUT_TIME,
                f"{queue_path(queue)}.wrap_up",
                f"a {wrap_up.kind} wrap-up needs a duration_s above 0; without one it is none",
            )


def check_waits(survey: Survey) -> Iterator[Finding]:
    """What would come only when `max_wait_s` has ended the waiting."""
    for queue in survey.plan.queues.values():
        end_ms = queue.max_wait_ms
        if end_ms is None:
            continue
        for where, what, at_ms in _waits(queue):
            if at_ms >= end_ms:
                yield warning(
                    Code.TOO_LATE,
                    where,
                    f"{what} after {seconds(at_ms)}, but what has waited {seconds(end_ms)} is"
                    " cancelled (max_wait_s)",
                )


def _waits(queue: Queue) -> Iterator[tuple[str, str, int]]:
    """(where, what, after how many ms of waiting) for all that a queue does later."""
    for number, begin_ms in enumerate(begins(queue)):
        yield step_path(queue, number), "it begins", begin_ms
    for number, row in enumerate(queue.access):
        yield f"{queue_path(queue)}.access[{number}].after_s", "it opens", row.after_ms
    if queue.last_agent is not None:
        where = f"{queue_path(queue)}.last_agent.for_s"
        yield where, "others than the last agent are asked", queue.last_agent.for_ms


def check_access(survey: Survey) -> Iterator[Finding]:
    """Access rows that no member of the queue gets to."""
    for queue in survey.plan.queues.values():
        for number, row in enumerate(queue.access):
            earlier = [before.agents for before in queue.access[:number]]
            where = f"{queue_path(queue)}.access[{number}]"
            if not survey.possible([queue.members, row.agents], []):
                yield warning(
                    Code.UNREACHABLE_ACCESS, where, f"no member of the queue is {row.agents}"
                )
            elif not survey.possible([queue.members, row.agents], earlier):
                yield warning(
                    Code.UNREACHABLE_ACCESS, where, "the rows before it are about all it is about"
                )
            elif survey.agents and not survey.takers(queue.members).intersection(
                survey.takers(row.agents)
            ).difference(*map(survey.takers, earlier)):
                yield warning(
                    Code.UNREACHABLE_ACCESS, where, "no agent of the plan gets to this row"
                )
