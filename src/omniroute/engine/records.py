"""The mutable state of the engine, one record per interaction, agent and queue.

Records hold facts and no decisions. Only `State.apply` writes them, and only because of an
event. They are plain slotted classes: a million of them must fit in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Agent, Channel, Interaction, InteractionState, Message, Presence
from ..plan import HeadStart, Queue
from .timers import Fifo

if TYPE_CHECKING:
    from .capacity import Load
    from .groups import Group, Profile
    from .lanes import Lane

__all__ = ["UNTIL_RESET", "AgentRecord", "InteractionRecord", "QueueRecord", "Tally"]

#: A refusal without an end.
UNTIL_RESET = -1

#: Wide enough that no plan and no time can spill from one field of a key into the next:
#: plans hold integers below 2**53, so a head start stays below 2**106.
_SEQ_BITS = 40
_TIME_BITS = 128
_BAND_BITS = 64


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

    __slots__ = (
        "_base",
        "_weight",
        "lanes",
        "name",
        "offer_timers",
        "plan",
        "tallies",
        "target_ms",
        "waiting",
    )

    def __init__(self, plan: Queue, offer_timers: Fifo) -> None:
        self.plan = plan
        self.name = plan.name
        self.target_ms = plan.service_level.target_ms
        self.offer_timers = offer_timers
        self.waiting = 0
        self._base = plan.tier << _BAND_BITS << _TIME_BITS
        #: what one point of priority weighs, in units of milliseconds
        self._weight = (
            plan.order.ms_per_point if isinstance(plan.order, HeadStart) else 1 << _TIME_BITS
        )
        self.tallies: dict[Channel, Tally] = {}
        #: (step, own requirement, channel) -> lane
        self.lanes: dict[tuple[int, str | None, Channel], Lane] = {}

    def key(self, priority: int, enqueued_at_ms: int, seq: int) -> int:
        """The place among the waiting as one integer, smaller first.

        It packs (tier, -band, time, seq). For `HeadStart` the band is 0 and the time is
        ``enqueued_at_ms - priority * ms_per_point``; for `Strict` the band is the priority,
        that is, a point weighs more than any time. ``seq`` is unique: no two keys are equal.
        """
        return ((self._base + enqueued_at_ms - priority * self._weight) << _SEQ_BITS) + seq

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
        "channel",
        "enqueued_at_ms",
        "id",
        "key",
        "lane",
        "later",
        "message",
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
        self.message = message
        #: the messages that joined it, or None
        self.later: list[Message] | None = None
        #: the channel it waits on and costs capacity for
        self.channel = channel = message.channel
        self.queue = queue
        self.tally = queue.tallies.get(channel) or queue.tally(channel)
        self.priority = priority
        self.requirement = requirement
        self.enqueued_at_ms = enqueued_at_ms
        self.state = InteractionState.NEW
        self.key = queue.key(priority, enqueued_at_ms, seq)
        self.lane: Lane
        self.agent: AgentRecord | None = None
        self.offer_id = 0
        self.offers = 0
        self.step = 0
        self.step_ends_at_ms: int | None = None
        #: numbers of the timers that end its step and its offer or wrap-up; 0: none
        self.step_timer = 0
        self.timer = 0
        #: agent id -> number of the timer that lifts the refusal, or UNTIL_RESET
        self.barred: dict[str, int] | None = None
        self.accepted_at_ms = -1
        self.wrap_up_code = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The opening message and those that joined it."""
        return (self.message, *self.later) if self.later else (self.message,)

    def append(self, message: Message, max_messages: int) -> None:
        """Keep a further message; over the limit the oldest but the first is forgotten."""
        if self.later is None:
            self.later = []
        self.later.append(message)
        if len(self.later) >= max_messages:
            del self.later[0]

    def position_of(self, message_id: str | None) -> int | None:
        """Where among `messages` the one with this id stands; None: not here, or forgotten."""
        if message_id is None:
            return None
        for position, message in enumerate(self.messages):
            if message.message_id == message_id:
                return position
        return None

    def replace(self, position: int, message: Message) -> None:
        """Another message at a place among `messages`."""
        if position == 0:
            self.message = message
        else:
            assert self.later is not None
            self.later[position - 1] = message

    def picture(self, customer_id: str) -> Interaction:
        """The public picture of this moment; ``customer_id`` is the one he has now."""
        message = self.message
        thread = f"{message.channel.value}#{message.thread_id}" if message.thread_id else self.id
        return Interaction(
            id=self.id,
            state=self.state,
            queue=self.queue.name,
            priority=self.priority,
            messages=self.messages,
            enqueued_at_ms=self.enqueued_at_ms,
            step=self.step,
            requirement=self.requirement,
            agent_id=self.agent.id if self.agent is not None else None,
            customer_id=customer_id,
            conversation_id=customer_id or thread,
        )


class AgentRecord:
    """One signed-in agent: who he is, what he says (presence), what he carries (work)."""

    __slots__ = (
        "agent",
        "barred",
        "filed",
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
        #: where he is indexed as available, under which idle number, and whether that must
        #: be looked at again
        self.group: Group | None = None
        self.filed = 0
        self.stale = False
