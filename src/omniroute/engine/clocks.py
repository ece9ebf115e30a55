"""The clocks of an interaction that waits: the end of its step, its next opening, its patience.

Durations of the plan have FIFOs; what an interaction brought with it is set at its moment.
"""

from __future__ import annotations

from .records import InteractionRecord
from .timers import TimerKind, Timers

__all__ = ["arm", "arm_opening", "arm_step", "pause", "resume", "ring_at"]


def arm_step(timers: Timers, record: InteractionRecord, began_at_ms: int) -> None:
    """Set the end of the step that began at that moment; the last step has none."""
    climb = record.climbing()
    timers.cancel(climb.step_timer)
    step = climb.ladder[climb.step]
    if step.for_ms is not None:
        climb.step_ends_at_ms = began_at_ms + step.for_ms
        if climb.step < len(climb.own_steps):
            climb.step_timer = timers.at(TimerKind.STEP, climb.step_ends_at_ms, record)
        else:
            climb.step_timer = timers.fifo(TimerKind.STEP, step.for_ms).set(began_at_ms, record)
    elif step.until_ms is not None:
        climb.step_ends_at_ms = ends_at_ms = record.arrived_at_ms + step.until_ms
        if record.arrived_at_ms == began_at_ms:
            fifo = timers.fifo(TimerKind.STEP, step.until_ms)
            climb.step_timer = fifo.set(began_at_ms, record)
        else:
            climb.step_timer = timers.at(TimerKind.STEP, ends_at_ms, record)
    else:
        climb.step_ends_at_ms = None
        climb.step_timer = 0


def arm_opening(timers: Timers, record: InteractionRecord, at_ms: int) -> None:
    """Set the moment at which more agents have access, unless it has passed already."""
    delays = record.queue.delays
    if not delays and not record.climb.opening_timer:
        return
    climb = record.climbing()
    timers.cancel(climb.opening_timer)
    climb.opening_timer = 0
    if climb.opening < len(delays):
        delay_ms = delays[climb.opening]
        opens_at_ms = record.arrived_at_ms + delay_ms
        if record.arrived_at_ms == at_ms:
            fifo = timers.fifo(TimerKind.ACCESS, delay_ms)
            climb.opening_timer = fifo.set(at_ms, record)
        elif opens_at_ms > at_ms:
            climb.opening_timer = timers.at(TimerKind.ACCESS, opens_at_ms, record)


def arm(timers: Timers, record: InteractionRecord, at_ms: int) -> None:
    """It begins to wait: set the end of its step, its next opening, the end of its patience."""
    climb = record.climb
    if len(climb.ladder) > 1:
        arm_step(timers, record, at_ms)
    if record.queue.delays:
        arm_opening(timers, record, at_ms)
    max_wait_ms = climb.max_wait_ms
    if max_wait_ms is None:
        return
    if max_wait_ms == record.queue.plan.max_wait_ms:
        climb.clock_timer = timers.fifo(TimerKind.TOO_LONG, max_wait_ms).set(at_ms, record)
    else:
        climb.clock_timer = timers.at(TimerKind.TOO_LONG, at_ms + max_wait_ms, record)


def pause(timers: Timers, record: InteractionRecord) -> None:
    """The ladder, the openings and the end of its patience stand still."""
    climb = record.climb
    if climb.step_timer or climb.opening_timer or climb.clock_timer:
        timers.cancel(climb.step_timer)
        timers.cancel(climb.opening_timer)
        timers.cancel(climb.clock_timer)
        climb.step_timer = climb.opening_timer = climb.clock_timer = 0


def ring_at(
    timers: Timers, record: InteractionRecord, kind: TimerKind, due_ms: int, at_ms: int
) -> None:
    """What is set aside starts or comes back then; a moment that has passed is now."""
    climb = record.climbing()
    timers.cancel(climb.clock_timer)
    climb.clock_timer = timers.at(kind, max(due_ms, at_ms), record)


def resume(timers: Timers, record: InteractionRecord, at_ms: int) -> None:
    """They go on, unless the end of the step or the opening has passed meanwhile."""
    climb = record.climb
    ends_at_ms = climb.step_ends_at_ms
    if ends_at_ms is not None and ends_at_ms > at_ms:
        climb.step_timer = timers.at(TimerKind.STEP, ends_at_ms, record)
    if record.queue.delays:
        arm_opening(timers, record, at_ms)
    if climb.max_wait_ms is not None:
        ends_at_ms = record.arrived_at_ms + climb.max_wait_ms
        if ends_at_ms > at_ms:
            climb.clock_timer = timers.at(TimerKind.TOO_LONG, ends_at_ms, record)
