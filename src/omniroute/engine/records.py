"""The mutable state of the engine, one record per interaction, agent and queue.

Records hold facts and no decisions. Only `State.apply` writes them, and only because of an
event. They are plain slotted classes: a million of them must fit in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Agent, Channel, Interaction, InteractionState, Message, Presence
from ..plan import HeadStart, Queue
from .timers import TimerKind

if TYPE_CHECKING:
    from .capacity import Load
    from .groups import Group, Profile
    from .lanes import Lane

__all__ = ["UNTIL_RESET", "AgentRecord", "InteractionRecord", "QueueRecord", "Tally", "order_key"]

#: A refusal without an end.
UNTIL_RESET = -1

_SEQ_BITS = 40
_TIME_BITS = 52
_BAND_BITS = 16


def order_key(queue: Queue, priority: int, enqueued_at_ms: int, seq: int) -> int:
    """The place among the waiting as one integer, smaller first.

    It packs (tier, -band, time, seq): for `HeadStart` the band is 0 and the time is
    ``enqueued_at_ms - priority * ms_per_point``; for `Strict` the band is the priority.
    ``seq`` is unique, so no two keys are equal.
    """
    order = queue.order
    if isinstance(order, HeadStart):
        rank = (queue.tier << _BAND_BITS << _TIME_BITS) + (
            enqueued_at_ms - priority * order.ms_per_point
        )
    else:
        rank = (((queue.tier << _BAND_BITS) - priority) << _TIME_BITS) + enqueued_at_ms
    return (rank << _SEQ_BITS) + seq


class Tally:
    """Counts of one queue and channel, folded from events. All times in milliseconds."""

    __slots__ = (
        "abandoned",
        "abandoned_in_time",
        "accepted",
        "accepted_in_time",
        "cancelled",
        "completed",
        "declined",
        "expired",
        "handle_ms",
        "messages",
        "offered",
        "queued",
        "rejected",
        "requeued",
        "revoked",
        "wait_ms",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    abandoned: int
    abandoned_in_time: int
    accepted: int
    accepted_in_time: int
    cancelled: int
    completed: int
    declined: int
    expired: int
    handle_ms: int
    messages: int
    offered: int
    queued: int
    rejected: int
    requeued: int
    revoked: int
    wait_ms: int


class QueueRecord:
    """One queue: its plan, how many wait in it (offered ones included), its counts."""

    __slots__ = ("lanes", "plan", "tallies", "waiting")

    def __init__(self, plan: Queue) -> None:
        self.plan = plan
        self.waiting = 0
        self.tallies: dict[Channel, Tally] = {}
        #: (step, own requirement, channel) -> lane
        self.lanes: dict[tuple[int, str | None, Channel], Lane] = {}

    def tally(self, channel: Channel) -> Tally:
        """The counts of one channel of this queue."""
        found = self.tallies.get(channel)
        if found is None:
            found = self.tallies[channel] = Tally()
        return found


class InteractionRecord:
    """One interaction that is open. ``key`` is its place, ``offer_id`` its offer or assignment."""

    __slots__ = (
        "accepted_at_ms",
        "agent",
        "barred",
        "enqueued_at_ms",
        "id",
        "key",
        "lane",
        "messages",
        "offer_id",
        "offers",
        "priority",
        "queue",
        "requirement",
        "seq",
        "state",
        "step",
        "step_ends_at_ms",
        "step_timer",
        "tally",
        "timer",
        "wrap_up_code",
    )

    def __init__(
        self,
        interaction_id: str,
        seq: int,
        message: Message,
        queue: QueueRecord,
        priority: int,
        requirement: str | None,
        enqueued_at_ms: int,
    ) -> None:
        self.id = interaction_id
        self.seq = seq
        self.messages: Message | list[Message] = message
        self.queue = queue
        self.priority = priority
        self.requirement = requirement
        self.enqueued_at_ms = enqueued_at_ms
        self.state = InteractionState.NEW
        self.key = order_key(queue.plan, priority, enqueued_at_ms, seq)
        self.lane: Lane | None = None
        self.tally: Tally
        self.agent: AgentRecord | None = None
        self.offer_id = 0
        self.offers = 0
        self.step = 0
        self.step_ends_at_ms: int | None = None
        self.step_timer = 0
        self.timer = 0
        #: agent id -> number of the timer that lifts the refusal, or UNTIL_RESET
        self.barred: dict[str, int] | None = None
        self.accepted_at_ms = -1
        self.wrap_up_code = ""

    @property
    def opening(self) -> Message:
        """The message that opened it."""
        held = self.messages
        return held[0] if isinstance(held, list) else held

    @property
    def channel(self) -> Channel:
        """The channel it waits on and costs capacity for."""
        return self.opening.channel

    def believes(self, kind: TimerKind, number: int, agent_id: str | None) -> bool:
        """Whether the timer of that number is still wanted."""
        if kind is TimerKind.STEP:
            return self.step_timer == number
        if kind is TimerKind.REFUSAL:
            return self.barred is not None and self.barred.get(agent_id or "") == number
        return self.timer == number

    def append(self, message: Message, max_messages: int) -> None:
        """Keep a further message; over the limit the oldest but the first is forgotten."""
        if not isinstance(self.messages, list):
            self.messages = [self.messages]
        self.messages.append(message)
        if len(self.messages) > max_messages:
            del self.messages[min(1, len(self.messages) - 1)]

    def picture(self) -> Interaction:
        """The public picture of this moment."""
        held = self.messages
        return Interaction(
            id=self.id,
            state=self.state,
            queue=self.queue.plan.name,
            priority=self.priority,
            messages=tuple(held) if isinstance(held, list) else (held,),
            enqueued_at_ms=self.enqueued_at_ms,
            step=self.step,
            requirement=self.requirement,
            agent_id=self.agent.id if self.agent is not None else None,
        )


class AgentRecord:
    """One signed-in agent: who he is, what he says (presence), what he carries (work)."""

    __slots__ = (
        "agent",
        "barred",
        "group",
        "id",
        "idle",
        "last_offer",
        "load",
        "presence",
        "profile",
        "stale",
        "work",
    )

    def __init__(self, agent: Agent, load: Load) -> None:
        self.agent = agent
        self.id = agent.id
        #: given by the market on entering
        self.profile: Profile
        self.load = load
        self.presence = Presence.LOGGED_OUT
        #: grows at every touch: the longest idle agent has the smallest
        self.idle = 0
        self.last_offer = 0
        #: open offers and assignments by offer id
        self.work: dict[int, InteractionRecord] = {}
        #: the waiting interactions he is barred from, by id
        self.barred: dict[str, InteractionRecord] = {}
        #: where he is indexed as available, and whether that must be looked at again
        self.group: Group | None = None
        self.stale = False


