"""Where an interaction stands on its ladder, and the clocks that run while it waits.

Most interactions wait in a queue with one step and without clocks. All of these share one `Climb`,
the foot of their queue's ladder, and nobody writes in it: who climbs has one of his own.
"""

from __future__ import annotations

import functools

from ..events import OwnStep
from ..plan import Queue, Step

__all__ = ["Climb", "ladder_of"]


@functools.lru_cache(maxsize=4096)
def ladder_of(own_steps: tuple[OwnStep, ...], queue: Queue) -> tuple[Step, ...]:
    """The steps of an interaction: its own, then those of its queue."""
    if not own_steps:
        return queue.ladder
    own = (
        Step(s.requirement, s.for_ms, skip_if_nobody=s.skip_if_nobody, priority=s.priority)
        for s in own_steps
    )
    return (*own, *queue.ladder)


class Climb:
    """A place on a ladder. Timers are numbers; 0: none."""

    __slots__ = (
        "clock_timer",
        "ladder",
        "max_wait_ms",
        "opening",
        "opening_timer",
        "own_steps",
        "step",
        "step_ends_at_ms",
        "step_timer",
    )

    def __init__(self, own_steps: tuple[OwnStep, ...], ladder: tuple[Step, ...]) -> None:
        self.own_steps = own_steps
        #: the own steps, then those of the queue
        self.ladder = ladder
        self.step = 0
        self.step_ends_at_ms: int | None = None
        self.step_timer = 0
        #: how many of the queue's delays have passed, and the timer of the next
        self.opening = 0
        self.opening_timer = 0
        #: how long it may wait; and the timer that ends that, or starts or unparks it
        self.max_wait_ms: int | None = None
        self.clock_timer = 0
