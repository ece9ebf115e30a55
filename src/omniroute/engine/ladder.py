"""How a requirement relaxes while an interaction waits: the steps of its queue's ladder."""

from __future__ import annotations

from ..events import RefusalsReset, StepReached
from . import apply
from .matching import Events, lift, place
from .records import InteractionRecord
from .state import State
from .timers import Timer

__all__ = ["refusal_over", "step", "step_ended"]


def step(state: State, record: InteractionRecord, number: int, at_ms: int, out: Events) -> None:
    """Move to a step, or past it and its like when nobody signed in could take it there."""
    steps = record.queue.plan.ladder
    while (
        number < len(steps) - 1
        and steps[number].skip_if_nobody
        and not state.need(record, number).profiles
    ):
        number += 1
    if number != record.step:
        event = StepReached(at_ms, record.id, number)
        apply.step_reached(state, event)
        out.append(event)
        lift(state, record, at_ms, out)


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
