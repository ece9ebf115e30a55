"""How the circle of agents widens while an interaction waits: steps of its ladder, openings."""

from __future__ import annotations

from bisect import bisect_right

from ..events import AccessWidened, RefusalsReset, Reprioritized, StepReached
from . import apply, overflow, refusals
from .lifecycle import IN_LINE
from .matching import Events, place
from .records import InteractionRecord
from .state import State
from .timers import Timer

__all__ = [
    "access_opens",
    "begin",
    "catch_up",
    "open_access",
    "refusal_over",
    "step",
    "step_ended",
    "widen",
]


def step(state: State, record: InteractionRecord, number: int, at_ms: int, out: Events) -> None:
    """Move to a step, or past it while its time is over or nobody could take it there."""
    last = len(record.ladder) - 1
    number = min(number, last)  # a change of plan may have made the ladder shorter
    while number < last and _is_passed_over(state, record, number, at_ms):
        number += 1
    if number != record.step:
        entered = record.ladder[number]
        event = StepReached(at_ms, record.id, number)
        apply.step_reached(state, event)
        out.append(event)
        _lend_priority(state, record, at_ms, out)
        hops = _hops(record)
        refusals.lift(state, record, at_ms, out)
        is_there = record.state in IN_LINE and _hops(record) == hops
        if entered.overflow is not None and is_there:
            overflow.on_step(state, record, at_ms, out)
    else:
        _lend_priority(state, record, at_ms, out)


def _hops(record: InteractionRecord) -> tuple[int, int]:
    """Grows with every move that a rule makes with it."""
    side = record.side
    return (-1, 0) if side is None else (side.hops_at_ms, side.hops)


def _lend_priority(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """Let it go by the priority of its step, or by its own again."""
    lent, own = record.ladder[record.step].priority, record.own_priority
    priority = own if lent is None else lent
    if priority != record.priority:
        event = Reprioritized(
            at_ms, record.id, priority, record.enqueued_at_ms, for_step=priority != own
        )
        apply.reprioritized(state, event)
        out.append(event)


def _is_passed_over(state: State, record: InteractionRecord, number: int, at_ms: int) -> bool:
    """Whether its `until` has passed, or it is guarded and nobody signed in satisfies it."""
    entered = record.ladder[number]
    if entered.until_ms is not None and record.arrived_at_ms + entered.until_ms <= at_ms:
        return True
    if entered.skip_if_nobody and not state.need_at(record, number).profiles:
        return True
    guard = entered.only_if
    return guard is not None and not overflow.holds(state, record, guard, number)


def widen(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """Let those in whose delay has passed, if any."""
    delays = record.queue.delays
    if delays:
        passed = bisect_right(delays, at_ms - record.arrived_at_ms)
        if passed > record.opening:
            event = AccessWidened(at_ms, record.id, passed)
            apply.access_widened(state, event)
            out.append(event)


def open_access(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """Let everybody in who has access at all, whatever his delay."""
    if record.queue.delays:
        event = AccessWidened(at_ms, record.id, len(record.queue.delays))
        apply.access_widened(state, event)
        out.append(event)


def access_opens(state: State, timer: Timer, out: Events) -> None:
    """A delay of the queue has passed."""
    widen(state, timer.record, timer.deadline_ms, out)
    place(state, timer.record, timer.deadline_ms, out)


def begin(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """It has begun to wait at its first step, which may be one to pass over."""
    first = record.ladder[0]
    if first.skip_if_nobody or first.until_ms is not None or first.only_if is not None:
        step(state, record, 0, at_ms, out)
    else:
        _lend_priority(state, record, at_ms, out)


def catch_up(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """After a requeue: what has passed while the agent had it takes effect at once."""
    widen(state, record, at_ms, out)
    ends_at_ms = record.climb.step_ends_at_ms
    if ends_at_ms is not None and ends_at_ms <= at_ms:
        step(state, record, record.step + 1, at_ms, out)


def step_ended(state: State, timer: Timer, out: Events) -> None:
    """The time of a step is over."""
    record = timer.record
    step(state, record, record.step + 1, timer.deadline_ms, out)
    place(state, record, timer.deadline_ms, out)


def refusal_over(state: State, timer: Timer, out: Events) -> None:
    """An agent who declined may be offered it again."""
    record = timer.record
    event = RefusalsReset(timer.deadline_ms, record.id, timer.agent_id)
    apply.refusals_reset(state, event)
    out.append(event)
    place(state, record, timer.deadline_ms, out)
