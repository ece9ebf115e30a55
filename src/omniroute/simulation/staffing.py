"""How many agents an interval needs, by formula: what each number of agents would give.

One queue of agents who are alike, Poisson arrivals, exponential handle times, in the steady
state. Without patience nobody leaves (Erlang C), with it they do (Erlang A). For anything else
(skills, priorities, channels at once, shifts) there is the simulation.
"""

from __future__ import annotations

import math

import attrs

from ..errors import CommandError
from .erlang import agents_for, erlang_a, erlang_c

__all__ = ["Goal", "Level", "Work", "level", "required"]


@attrs.frozen
class Work:
    """What comes in: arrivals per hour, mean handle time, mean patience (infinite: all wait)."""

    per_hour: float
    handle_ms: float
    patience_ms: float = math.inf

    def __attrs_post_init__(self) -> None:
        if not (self.per_hour >= 0 and math.isfinite(self.per_hour)):
            raise CommandError(f"per_hour must be a number of at least 0, got {self.per_hour!r}")
        if not (self.handle_ms > 0 and self.patience_ms > 0):
            raise CommandError("handle and patience times must be more than 0")

    @property
    def erlangs(self) -> float:
        """The offered load."""
        return self.per_hour * self.handle_ms / 3_600_000


@attrs.frozen
class Level:
    """What a number of agents gives: ``service_level`` is accepted in time / all."""

    agents: int
    erlangs: float
    service_level: float
    asa_ms: float
    delayed: float
    abandonment: float
    occupancy: float


@attrs.frozen
class Goal:
    """What is wanted: ``service_level`` of all accepted within ``target_ms``, and perhaps more."""

    service_level: float = 0.8
    target_ms: float = 20_000
    max_abandonment: float | None = None
    max_occupancy: float | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("service_level", "max_abandonment", "max_occupancy"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise CommandError(f"{name} must lie between 0 and 1, got {value!r}")

    def met_by(self, found: Level) -> bool:
        """Whether a level is good enough."""
        if self.max_abandonment is not None and found.abandonment > self.max_abandonment:
            return False
        if self.max_occupancy is not None and found.occupancy > self.max_occupancy:
            return False
        return found.service_level >= self.service_level


def level(work: Work, agents: int, target_ms: float) -> Level:
    """What ``agents`` give, by Erlang C or A. O(agents + those who wait)."""
    load = work.erlangs
    if load == 0:
        return Level(agents, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    if work.patience_ms < math.inf:
        a = erlang_a(agents, load, work.handle_ms, work.patience_ms)
        in_time = a.answered_within(target_ms)
        asa_ms = a.answer_ms if a.abandons < 1 else math.inf
        return Level(agents, load, in_time, asa_ms, a.waits, a.abandons, a.occupancy)
    c = erlang_c(agents, load, work.handle_ms)
    return Level(agents, load, c.within(target_ms), c.wait_ms, c.waits, 0.0, c.occupancy)


def required(work: Work, goal: Goal) -> Level:
    """The smallest number of agents that meets a goal, with what it gives.

    Every figure grows better with each agent, so it is searched by doubling and halving.
    """
    if work.erlangs == 0:
        return level(work, 0, goal.target_ms)
    agents = agents_for(lambda n: goal.met_by(level(work, n, goal.target_ms)), at_least=1)
    return level(work, agents, goal.target_ms)
