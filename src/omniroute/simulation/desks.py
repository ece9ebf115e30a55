"""Agents at their desks: what they carry, when they work, how they answer, how fast they are.

The engine knows presence and load; what it cannot know stands here: the shift, the breaks, the
temper. Slow-down under several contacts is a shared clock: every contact in hand progresses at the
same speed, so the one with the least work left ends first, and one number per desk suffices.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import attrs

from ..model import Agent
from .customers import Customer
from .scenario import AgentGroup
from .streams import Streams
from .tally import GroupTally, Tally

__all__ = ["Desk", "Habits", "Together"]


@attrs.define(eq=False)
class Habits:
    """How the agents of a group behave, with the dice for it.

    ``at_once``: every offer is accepted in the moment it is made.
    """

    group: AgentGroup
    tally: GroupTally
    delays: Iterator[float] | None
    pauses: Iterator[float]
    at_once: bool

    @classmethod
    def of(cls, group: AgentGroup, tally: GroupTally, streams: Streams) -> Habits:
        """The habits of a group with streams of its own."""
        delay = group.answer_delay
        return cls(
            group,
            tally,
            delay.draws(streams.named("answer", group.name)) if delay is not None else None,
            group.pause.draws(streams.named("pause", group.name)),
            delay is None and not group.decline and not group.no_answer,
        )


class Desk:
    """One agent.

    ``rank`` orders what several agents finish at one moment. ``load`` counts what he accepted and
    has not completed; he is busy since ``busy_since_ms``, and was until ``idle_since_ms`` when his
    hands are empty (-1: he has done nothing yet). ``away`` counts the reasons not to be ready (a
    break, a pause); ``on_shift`` False lets him go home when his hands are empty. ``since_ms``:
    signed in since (-1: not signed in).
    """

    __slots__ = (
        "agent",
        "away",
        "busy_since_ms",
        "group",
        "habits",
        "idle_since_ms",
        "load",
        "on_shift",
        "rank",
        "since_ms",
        "tally",
        "together",
    )

    def __init__(self, agent: Agent, habits: Habits, rank: int, together: Together | None) -> None:
        self.agent = agent
        self.habits = habits
        self.group = habits.group.name
        self.tally = habits.tally
        self.rank = rank
        self.together = together
        self.load = 0
        self.busy_since_ms = 0
        self.idle_since_ms = -1
        self.since_ms = -1
        self.away = 0
        self.on_shift = False

    def begin(self, at_ms: int, tally: Tally) -> None:
        """He takes something up after some time with empty hands."""
        if self.idle_since_ms >= 0:
            tally.span(self.tally.busy_ms, self.busy_since_ms, self.idle_since_ms)
        self.busy_since_ms = at_ms


class Together:
    """Contacts that are worked on side by side, each at a speed that depends on their number."""

    __slots__ = ("_at_ms", "_clock", "_ends", "_speeds", "version")

    def __init__(self, speeds: tuple[float, ...]) -> None:
        self._speeds = speeds
        self._clock = 0.0
        self._at_ms = 0
        #: (clock when it is done, number, customer, assignment)
        self._ends: list[tuple[float, int, Customer, int]] = []
        #: grows with every change; a planned end of an older version is void
        self.version = 0

    def _speed(self) -> float:
        return self._speeds[min(len(self._ends), len(self._speeds)) - 1]

    def _pass_time(self, at_ms: int) -> None:
        if self._ends:
            self._clock += (at_ms - self._at_ms) * self._speed()
        self._at_ms = at_ms
        self.version += 1

    def add(self, at_ms: int, customer: Customer, offer_id: int, work_ms: float) -> None:
        """One more contact in hand."""
        self._pass_time(at_ms)
        heapq.heappush(self._ends, (self._clock + work_ms, offer_id, customer, offer_id))

    def remove(self, at_ms: int, offer_id: int) -> None:
        """A contact was taken away; nothing happens when it is not in hand."""
        kept = [end for end in self._ends if end[3] != offer_id]
        if len(kept) < len(self._ends):
            self._pass_time(at_ms)
            heapq.heapify(kept)
            self._ends = kept

    def next_end_ms(self) -> int | None:
        """When the first contact ends if nothing changes."""
        if not self._ends:
            return None
        left = max(0.0, self._ends[0][0] - self._clock)
        return self._at_ms + int(left / self._speed() + 0.5)

    def finish(self, at_ms: int) -> tuple[Customer, int]:
        """Take out the contact whose end has come."""
        self._pass_time(at_ms)
        _, _, customer, offer_id = heapq.heappop(self._ends)
        return customer, offer_id
