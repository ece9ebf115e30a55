"""The state of the engine as values: what a snapshot holds. Positions are the format.

Facts only: interactions, agents, what was seen, live timers, counts. `snapshots` makes a picture
of a state and a state of a picture.
"""

from __future__ import annotations

import msgspec

from ..events import Kind, OwnStep
from ..model import Agent, Channel, InteractionState, Message, Presence
from .intervals import Interval
from .tallies import TeamKey
from .timers import TimerKind

__all__ = [
    "AT_FOOT",
    "PLAIN_SIDE",
    "Picture",
    "SavedAgent",
    "SavedClimb",
    "SavedInteraction",
    "SavedIntervals",
    "SavedOffer",
    "SavedPace",
    "SavedSide",
    "SavedTimer",
]


class SavedSide(msgspec.Struct, frozen=True, array_like=True):
    """What only some interactions have; see `side.Side`."""

    kind: Kind
    parent_id: str | None
    conversation_id: str
    consult_id: str | None
    in_conference: bool
    owner_id: str | None
    is_callback: bool
    attempts: int
    wrap_up_until_ms: int
    wrap_up_limit_ms: int
    code: str
    own_priority: int | None = None
    beside: tuple[str, ...] = ()
    own_links: int = 0


#: The side of an interaction that has none.
PLAIN_SIDE = SavedSide(Kind.CUSTOMER, None, "", None, False, None, False, 0, 0, 0, "")


class SavedOffer(msgspec.Struct, frozen=True, array_like=True):
    """An open offer or an assignment."""

    id: int
    agent_id: str
    timer: int
    since_ms: int
    accepted_at_ms: int


class SavedClimb(msgspec.Struct, frozen=True, array_like=True):
    """Where an interaction stands on its ladder, and its clocks."""

    own_steps: tuple[OwnStep, ...]
    step: int
    step_ends_at_ms: int | None
    step_timer: int
    opening: int
    opening_timer: int
    max_wait_ms: int | None
    clock_timer: int


#: The climb of an interaction at the foot of a ladder without clocks.
AT_FOOT = SavedClimb((), 0, None, 0, 0, 0, None, 0)


class SavedInteraction(msgspec.Struct, frozen=True, array_like=True):
    """One open interaction."""

    id: str
    seq: int
    messages: tuple[Message, ...]
    queue: str
    priority: int
    requirement: str | None
    enqueued_at_ms: int
    arrived_at_ms: int
    state: InteractionState
    #: its open offers, or the assignment
    held_by: tuple[SavedOffer, ...]
    offers: int
    front: bool
    climb: SavedClimb | None
    side: SavedSide | None
    barred: tuple[tuple[str, int], ...]


class SavedAgent(msgspec.Struct, frozen=True, array_like=True):
    """One signed-in agent."""

    agent: Agent
    presence: Presence
    idle: int
    last_offer: int
    taken: tuple[tuple[str, int], ...]
    lease_ms: int | None
    lease_timer: int


class SavedPace(msgspec.Struct, frozen=True, array_like=True):
    """How fast a queue was served of late."""

    queue: str
    served_ms: int
    gaps: tuple[int, ...]


class SavedIntervals(msgspec.Struct, frozen=True, array_like=True):
    """The closed intervals, and what stood at the last boundary."""

    start_ms: int
    next_ms: int
    kept: tuple[Interval, ...]
    read: tuple[tuple[str, Channel, tuple[int, ...]], ...]
    read_groups: tuple[tuple[str | None, tuple[int, ...]], ...]
    groups: tuple[tuple[str | None, tuple[int, ...]], ...]


class SavedTimer(msgspec.Struct, frozen=True, array_like=True):
    """One live deadline; the subject is an interaction, or the agent of a lease."""

    deadline_ms: int
    number: int
    kind: TimerKind
    subject_id: str
    agent_id: str | None


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """The state as a value; ``plan_text`` is the plan, if it was changed at run time."""

    version: int
    now_ms: int
    seq: int
    last_offer: int
    idle: int
    timer_count: int
    quarantined: int
    duplicates: int
    unrouted: int
    interactions: tuple[SavedInteraction, ...]
    agents: tuple[SavedAgent, ...]
    teams: tuple[tuple[TeamKey, tuple[int, ...]], ...]
    timers: tuple[SavedTimer, ...]
    seen: tuple[tuple[Channel, tuple[tuple[str, int, str], ...]], ...]
    tallies: tuple[tuple[str, Channel, tuple[int, ...]], ...]
    over_rate: int
    senders: tuple[tuple[Channel, int, tuple[tuple[str, int], ...]], ...]
    customers: tuple[tuple[str, tuple[str, ...]], ...]
    last_agents: tuple[tuple[str, str, int], ...]
    last_callbacks: tuple[tuple[str, int], ...]
    draining: tuple[str, ...]
    plan_version: int
    plan_text: str | None
    paces: tuple[SavedPace, ...]
    intervals: SavedIntervals
