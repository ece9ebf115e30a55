"""A message comes in: repeat, rate, open thread, triage, admission, queued; in this order."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from ..errors import CommandError, UnknownNameError
from ..events import (
    Consult,
    CustomersLinked,
    Duplicate,
    MessageAppended,
    Move,
    OwnStep,
    Quarantine,
    Quarantined,
    Queued,
    Rejected,
    RejectReason,
    Reprioritize,
    Submit,
    Transfer,
)
from ..model import InteractionState, Message
from ..plan import (
    LastAgent,
    Plan,
    Scope,
    TriageRule,
    all_of,
    has_skill,
    is_agent,
    parse,
)
from . import apply, aside, fold_messages, ladder, lookup, overflow
from .matching import Events, place
from .overflow import Wanted
from .seen import message_key
from .state import State

__all__ = [
    "check_id",
    "check_move",
    "check_priority",
    "check_queue",
    "check_reprioritize",
    "check_requirement",
    "check_skills",
    "check_submit",
    "is_repeat",
    "quarantine",
    "submit",
]

#: How many steps of its own an interaction may have.
_MAX_STEPS = 100


#: 2**64 divided by the golden ratio.
_GOLDEN = 11_400_714_819_323_198_485

#: A language tag is at most 35 characters (RFC 5646, 4.4.1). It comes from outside: whatever
#: else stands there says nothing about languages.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


def check_submit(state: State, command: Submit) -> None:
    """Find a caller's mistakes before anything changes."""
    given = command.interaction_id
    if given is not None and given[:1] == "i":
        check_id(state, command)
    priority = command.priority
    if priority is not None and (
        type(priority) is not int or not 0 <= priority <= state.max_priority
    ):
        check_priority(state, command)
    queue, own = command.queue, command.requirement
    if queue is not None and queue not in state.plan.queues:
        check_queue(state, queue, "submit")
    if own is not None and own not in state.known_requirements:
        check_requirement(state, own)
    if command.steps:
        _check_steps(state, command.steps)
    if command.start_at_ms is not None:
        _check_positive("start_at_ms", command.start_at_ms)
    if command.max_wait_ms is not None:
        _check_positive("max_wait_ms", command.max_wait_ms)
    if own is not None and queue is None:
        joined = _triage(state, command)[2]
        if joined is not None:
            parse(joined, Scope.AGENT)


def _check_steps(state: State, steps: tuple[OwnStep, ...]) -> None:
    if len(steps) > _MAX_STEPS:
        raise CommandError(f"at most {_MAX_STEPS} own steps, got {len(steps)}")
    for step in steps:
        check_requirement(state, step.requirement)
        if step.priority is not None:
            check_priority(state, step)
        if step.for_ms is not None:
            _check_positive("for_ms of a step", step.for_ms)


def _check_positive(what: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise CommandError(f"{what} must be an integer above 0, got {value!r}")


def check_queue(state: State, name: str, where: str) -> None:
    """Raise for a queue that the plan has not."""
    if name not in state.plan.queues:
        raise UnknownNameError("queue", name, state.plan.queues, where=where)


def check_requirement(state: State, text: str) -> None:
    """Raise for what is no expression about agents, or names what the plan has not."""
    if text not in state.known_requirements:
        check_skills(state.plan, parse(text, Scope.AGENT).skills, "requirement")
        state.know_requirement(text)


def check_move(state: State, command: Move) -> None:
    """Find a caller's mistakes before anything changes."""
    check_queue(state, command.queue, "move")
    if command.priority is not None:
        check_priority(state, command)
    if command.requirement is not None:
        check_requirement(state, command.requirement)


def check_reprioritize(state: State, command: Reprioritize) -> None:
    """Find a caller's mistakes before anything changes; the age against the time comes later."""
    if command.priority is not None:
        check_priority(state, command)
    enqueued_at_ms = command.enqueued_at_ms
    if enqueued_at_ms is not None and type(enqueued_at_ms) is not int:
        raise CommandError(f"enqueued_at_ms must be an integer, got {enqueued_at_ms!r}")


def check_id(_state: State, command: Submit | Quarantine) -> None:
    """A given id is not of the form that the engine numbers with."""
    given = command.interaction_id
    if given is not None and given[:1] == "i" and given[1:].isdecimal():
        raise CommandError(f"interaction_id {given!r}: 'i' and digits are the engine's own numbers")


def check_priority(
    state: State, command: Submit | Reprioritize | Move | Transfer | Consult | OwnStep
) -> None:
    """A priority is an integer within the plan's limit."""
    priority = command.priority
    if type(priority) is not int or not 0 <= priority <= state.max_priority:
        raise CommandError(
            f"priority must be an integer from 0 to {state.max_priority}, got {priority!r}"
        )


def check_skills(plan: Plan, skills: Iterable[str], where: str) -> None:
    """Where the plan declares skills, every name is one of them."""
    if plan.skills:
        for skill in skills:
            if skill not in plan.skills:
                raise UnknownNameError("skill", skill, plan.skills, where=where)


def submit(state: State, command: Submit, at_ms: int, out: Events) -> None:
    """Route a message: see docs/explanation/semantics.md, "A message comes in"."""
    message = command.message
    key = command.delivery_key
    has_id = message.message_id is not None or key is not None
    if has_id and is_repeat(state, message, key, at_ms, out):
        return
    if command.joins_only and state.thread(message) is None:
        return
    sender = message.customer.id
    if sender:
        if state.senders[message.channel].is_over(sender, at_ms):
            _over_rate(state, command, at_ms, out)
            return
        if state.customers.has_rules:
            _link(state, message, at_ms, out)
    if message.thread_id is not None and _joins_thread(state, command, at_ms, out):
        return
    _open(state, command, at_ms, out)


def quarantine(state: State, command: Quarantine, at_ms: int, out: Events) -> None:
    """Keep a message aside."""
    if not is_repeat(state, command.message, command.delivery_key, at_ms, out):
        _set_aside(state, command, command.reason, at_ms, out)


def _open(state: State, command: Submit, at_ms: int, out: Events) -> None:
    """Triage, overflow, admission, queued."""
    message = command.message
    interaction_id = command.interaction_id or f"i{state.seq + 1}"
    if interaction_id in state.interactions:
        lookup.reject(command, interaction_id, RejectReason.ID_IN_USE, at_ms, out)
        return
    queue, priority, requirement = command.queue, command.priority, command.requirement
    if queue is None:
        queue, priority, requirement = _triage(state, command)
    if queue is None:
        no_queue = Rejected(at_ms, interaction_id, message, RejectReason.NO_QUEUE)
        _reject(state, no_queue, out)
        return
    wanted: Wanted | None = None
    refusal: RejectReason | None = None
    if state.queues[queue].is_guarded:
        wanted = Wanted(queue, priority, requirement, command.steps)
        refusal = overflow.at_the_door(state, wanted)
        queue, priority, requirement = wanted.queue, wanted.priority, wanted.requirement
    plan = state.queues[queue].plan
    steps = command.steps
    if plan.last_agent is not None and message.customer.id:
        steps = _back_to_last_agent(state, plan.last_agent, message, at_ms) + steps
    event = Queued(
        at_ms,
        interaction_id,
        state.seq + 1,
        message,
        queue,
        plan.priority if priority is None else priority,
        requirement,
        steps,
        command.delivery_key,
        plan.max_wait_ms if command.max_wait_ms is None else command.max_wait_ms,
    )
    if wanted is not None:
        event = msgspec.structs.replace(event, via=tuple(wanted.via), hint=wanted.hint)
    later = command.start_at_ms is not None and command.start_at_ms > at_ms
    if refusal is None:
        refusal = _refused_at_door(state, event, wanted, later=later)
    if refusal is not None:
        text, hint = ("", "") if wanted is None else (wanted.text, wanted.hint)
        rejected = Rejected(at_ms, interaction_id, message, refusal, queue, text, hint)
        _reject(state, rejected, out)
        return
    record = apply.queued(state, event)
    out.append(event)
    if later:
        aside.schedule(state, record, command.start_at_ms or 0, at_ms, out)
        return
    if wanted is not None and wanted.open_access:
        ladder.open_access(state, record, at_ms, out)
    if steps or not record.queue.is_simple:
        ladder.begin(state, record, at_ms, out)
    place(state, record, at_ms, out)


def _back_to_last_agent(
    state: State, wish: LastAgent, message: Message, at_ms: int
) -> tuple[OwnStep, ...]:
    """A step for the agent who served this customer last, if that was not too long ago."""
    found = state.last_agents.get(state.customers.of(message))
    if found is None or at_ms - found[1] > wish.within_ms:
        return ()
    return (OwnStep(str(is_agent(found[0])), wish.for_ms, skip_if_nobody=True),)


def _reject(state: State, event: Rejected, out: Events) -> None:
    fold_messages.rejected(state, event)
    out.append(event)


def _set_aside(
    state: State, command: Submit | Quarantine, reason: str, at_ms: int, out: Events
) -> None:
    interaction_id = _new_id(state, command, at_ms, out)
    if interaction_id is not None:
        event = Quarantined(at_ms, interaction_id, command.message, reason, command.delivery_key)
        fold_messages.quarantined(state, event)
        out.append(event)


def _over_rate(state: State, command: Submit, at_ms: int, out: Events) -> None:
    """A sender sends more than a person does: a machine, perhaps one that answers ours.

    What can wait is kept aside, so that nothing is lost and the provider does not bring it
    again. Who is on the line cannot be kept aside: he is refused for now.
    """
    message = command.message
    if not message.channel.is_live:
        _set_aside(state, command, RejectReason.SENDER_RATE.value, at_ms, out)
        return
    interaction_id = _new_id(state, command, at_ms, out)
    if interaction_id is not None:
        event = Rejected(at_ms, interaction_id, message, RejectReason.SENDER_RATE, command.queue)
        _reject(state, event, out)


def _link(state: State, message: Message, at_ms: int, out: Events) -> None:
    """The message may say that customers of two channels are one."""
    found = state.customers.link(message)
    if found is not None:
        event = CustomersLinked(at_ms, *found)
        fold_messages.customers_linked(state, event)
        out.append(event)


def is_repeat(
    state: State,
    message: Message,
    key: str | None,
    at_ms: int,
    out: Events,
    *,
    by_message: bool = True,
) -> bool:
    """Whether it was seen, by the id of the message or of the delivery; says so if it was."""
    seen, channel = state.seen, message.channel
    about = None
    if by_message and message.message_id is not None:
        about = seen.find(channel, message_key(message), at_ms)
    told_by = None
    if about is None and key is not None:
        about = seen.find(channel, key, at_ms)
        told_by = key
    if about is None:
        return False
    event = Duplicate(at_ms, channel.value, message.message_id or "", about, told_by)
    fold_messages.duplicate(state, event)
    out.append(event)
    return True


def _joins_thread(state: State, command: Submit, at_ms: int, out: Events) -> bool:
    thread = state.thread(command.message)
    if thread is None:
        return False
    event = MessageAppended(
        at_ms, thread.id, command.message, thread.agent_id, command.delivery_key
    )
    fold_messages.message_appended(state, event)
    out.append(event)
    if thread.state is InteractionState.PARKED:
        aside.unpark(state, thread, at_ms, out)
    return True


def _new_id(state: State, command: Submit | Quarantine, at_ms: int, out: Events) -> str | None:
    interaction_id = command.interaction_id or f"i{state.seq + 1}"
    if interaction_id in state.interactions:
        lookup.reject(command, interaction_id, RejectReason.ID_IN_USE, at_ms, out)
        return None
    return interaction_id


def _triage(state: State, command: Submit) -> tuple[str | None, int | None, str | None]:
    """Queue, priority and requirement by the first rule that holds."""
    message, plan = command.message, state.plan
    for rule in plan.triage:
        if rule.when is not None and not rule.when.matches(message):
            continue
        own = command.requirement
        joined = all_of(rule.requirement, None if own is None else parse(own, Scope.AGENT))
        if rule.match_language and message.language and _LANGUAGE.fullmatch(message.language):
            skill = f"lang:{message.language}"
            if not plan.skills or skill in plan.skills:
                joined = overflow.both(joined, has_skill(skill))
        priority = rule.priority if command.priority is None else command.priority
        queue = _by_percent(rule, state.seq + 1) if rule.split else rule.queue
        return queue, priority, None if joined is None else str(joined)
    return None, None, None


def _by_percent(rule: TriageRule, seq: int) -> str:
    """The queue whose turn it is.

    Multiples of the golden ratio split any run of numbers evenly (Knuth, The Art of Computer
    Programming 3, 6.4, on Fibonacci hashing), so no counter is needed.
    """
    point = (seq * _GOLDEN % (1 << 64)) * 100 >> 64
    bound = 0
    for queue, percent in rule.split.items():
        bound += percent
        if point < bound:
            return queue
    return rule.queue


def _refused_at_door(
    state: State, event: Queued, wanted: Wanted | None, *, later: bool
) -> RejectReason | None:
    """Why what would be queued so is not; None: it is."""
    queue = state.queues[event.queue]
    limits = state.plan.limits
    if later:
        is_full = state.set_aside >= limits.max_set_aside
        return RejectReason.SET_ASIDE_FULL if is_full else None
    opening = len(queue.delays) if wanted is not None and wanted.open_access else 0
    if queue.waiting >= queue.plan.max_waiting or state.waiting >= limits.max_waiting:
        ask = (event.steps, 0, opening, event.requirement, event.message.channel)
        if not state.market.is_somebody_free(state.lane(queue, ask)):
            return RejectReason.QUEUE_FULL
    if len(state.market.lanes) >= limits.max_lanes:
        used = state.lanes_in_use()
        effective = state.effective(queue, event.steps, 0, event.requirement)
        key = (queue.name, all_of(effective, queue.closed(opening)), event.message.channel)
        if len(used) >= limits.max_lanes and key not in used:
            return RejectReason.LANES_EXHAUSTED
    return None
