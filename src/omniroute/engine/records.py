"""The mutable state of the engine, one record per interaction, offer and agent.

Records hold facts and no decisions. Only `State.apply` writes them, and only because of an
event. They are plain slotted classes: a million of them must fit in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..events import OwnStep
from ..model import Agent, Interaction, InteractionState, Message, Presence
from ..plan import Step
from .climb import Climb, ladder_of
from .order import FRONT, IN_FRONT
from .side import Side
from .tallies import Team

if TYPE_CHECKING:
    from .capacity import Load, WorkKind
    from .groups import Group, Profile
    from .lanes import Lane, LaneAsk
    from .queue_record import QueueRecord

__all__ = ["UNTIL_RESET", "AgentRecord", "InteractionRecord", "OfferRecord"]

#: A refusal without an end.
UNTIL_RESET = -1

_NOTHING_BESIDE = Side()


class OfferRecord:
    """An open offer, and the assignment that it becomes: one agent, one interaction."""

    __slots__ = ("accepted_at_ms", "agent", "id", "kind", "other", "record", "since_ms", "timer")

    def __init__(
        self, offer_id: int, record: InteractionRecord, agent: AgentRecord, at_ms: int
    ) -> None:
        self.id = offer_id
        self.record = record
        self.agent = agent
        #: what it is to his capacity
        self.kind = record.queue.kinds[record.channel]
        #: the next open offer of the same interaction
        self.other: OfferRecord | None = None
        #: from when its cost is counted in his team
        self.since_ms = at_ms
        #: number of the timer that ends it or its wrap-up; 0: none
        self.timer = 0
        #: -1: not yet
        self.accepted_at_ms = -1

    @property
    def cost(self) -> int:
        """What it takes of the agent's budgets."""
        channel = self.kind.channel
        return 0 if channel is None else self.agent.load.capacity.cost(channel) or 0


class InteractionRecord:
    """One interaction that is open. ``key`` is its place, ``offer`` its first offer."""

    __slots__ = (
        "arrived_at_ms",
        "barred",
        "channel",
        "climb",
        "enqueued_at_ms",
        "id",
        "is_plain",
        "key",
        "lane",
        "later",
        "message",
        "offer",
        "offers",
        "place",
        "priority",
        "queue",
        "requirement",
        "seq",
        "side",
        "state",
        "tally",
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
        own_steps: tuple[OwnStep, ...] = (),
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
        #: from when its place and its ladder count, and from when its wait is reported
        self.enqueued_at_ms = self.arrived_at_ms = enqueued_at_ms
        #: whether it never had a climb of its own, a thread, a place in front, rare facts, several
        #: open offers, and was never refused: then there is less to look at
        self.is_plain = True
        #: where it stands on its ladder; written through `climbing`
        self.climb = queue.foot
        if own_steps:
            self.begin(own_steps)
        self.state = InteractionState.NEW
        self.key = queue.key(priority, enqueued_at_ms, seq)
        #: where it stands while it is open to offers, and at which place there
        self.lane: Lane | None = None
        self.place: int
        #: the first of its open offers, or its one assignment
        self.offer: OfferRecord | None = None
        #: how often it was offered since it began to wait, or waits again
        self.offers = 0
        #: agent id -> number of the timer that lifts the refusal, or UNTIL_RESET
        self.barred: dict[str, int] | None = None
        self.side: Side | None = None

    def enter(self, queue: QueueRecord, own_steps: tuple[OwnStep, ...] = ()) -> None:
        """It belongs to this queue, at the start of its ladder."""
        self.queue = queue
        self.tally = queue.tally(self.channel)
        self.begin(own_steps)

    def begin(self, own_steps: tuple[OwnStep, ...]) -> None:
        """It is at the start of a ladder that begins with these steps; its clocks run on."""
        before = self.climb
        self.is_plain = False
        self.climb = climb = Climb(own_steps, ladder_of(own_steps, self.queue.plan))
        climb.step_timer = before.step_timer
        climb.opening_timer = before.opening_timer
        climb.clock_timer = before.clock_timer
        climb.max_wait_ms = before.max_wait_ms
        self.offers = 0

    def climbing(self) -> Climb:
        """Its place on its ladder, to be written."""
        climb = self.climb
        if climb is self.queue.foot:
            self.is_plain = False
            climb = self.climb = Climb((), climb.ladder)
        return climb

    @property
    def ladder(self) -> tuple[Step, ...]:
        """Its own steps, then those of its queue."""
        return self.climb.ladder

    @property
    def own_steps(self) -> tuple[OwnStep, ...]:
        """Its own steps."""
        return self.climb.own_steps

    @property
    def step(self) -> int:
        """At which step of its ladder it is."""
        return self.climb.step

    @property
    def opening(self) -> int:
        """How many of its queue's delays have passed."""
        return self.climb.opening

    @property
    def code(self) -> str:
        """The disposition code, in wrap-up."""
        return "" if self.side is None else self.side.code

    @property
    def front(self) -> bool:
        """Whether it goes before everything that is not in front."""
        return self.key < IN_FRONT

    @property
    def own_priority(self) -> int:
        """What it goes by where no step lends it a priority."""
        own = None if self.side is None else self.side.own_priority
        return self.priority if own is None else own

    def reprioritize(self, priority: int, *, for_step: bool = False) -> None:
        """It goes by this priority, which is its own from now on, or only lent by its step."""
        if for_step:
            self.aside().own_priority = self.own_priority
        elif self.side is not None:
            self.side.own_priority = None
        self.priority = priority

    def rank(self, *, front: bool) -> None:
        """Its place by its queue, priority and age."""
        self.key = self.queue.key(self.priority, self.enqueued_at_ms, self.seq)
        if front:
            self.is_plain = False
            self.key -= FRONT

    def aside(self) -> Side:
        """Its rare facts, to be written."""
        if self.side is None:
            self.is_plain = False
            self.side = Side()
        return self.side

    @property
    def held_by(self) -> tuple[OfferRecord, ...]:
        """Its open offers in order of their ids, or its one assignment."""
        found: list[OfferRecord] = []
        offer = self.offer
        while offer is not None:
            found.append(offer)
            offer = offer.other
        return tuple(found)

    def hold(self, offers: Iterable[OfferRecord]) -> None:
        """These, in order of their ids, are its open offers from now on."""
        self.is_plain = False
        self.offer = None
        for offer in reversed(tuple(offers)):
            offer.other = self.offer
            self.offer = offer

    @property
    def agent_id(self) -> str | None:
        """Who has it, parked it, or was the first to be offered it."""
        if self.offer is not None:
            return self.offer.agent.id
        return None if self.side is None else self.side.owner_id

    @property
    def kind(self) -> WorkKind:
        """What it is to a capacity before its wrap-up."""
        return self.queue.kinds[self.channel]

    @property
    def ask(self) -> LaneAsk:
        """What its queue is asked for its lane with, refusals and open offers aside."""
        climb = self.climb
        return (climb.own_steps, climb.step, climb.opening, self.requirement, self.channel)

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
        side = self.side or _NOTHING_BESIDE
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
            agent_id=self.agent_id,
            arrived_at_ms=self.arrived_at_ms,
            customer_id=customer_id,
            conversation_id=side.conversation_id or customer_id or thread,
            parent_id=side.parent_id,
            is_callback=side.is_callback,
            in_conference=side.in_conference,
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
        "lease_ms",
        "lease_timer",
        "load",
        "presence",
        "profile",
        "stale",
        "taken",
        "team",
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
        #: how long he may be silent (None: for ever), and the timer that ends that; 0: none
        self.lease_ms: int | None = None
        self.lease_timer = 0
        #: by queue: how many offers of it he got, where that is counted
        self.taken: dict[str, int] = {}
        #: open offers and assignments by offer id
        self.work: dict[int, OfferRecord] = {}
        #: the waiting interactions he is barred from, by id
        self.barred: dict[str, InteractionRecord] = {}
        #: where he is indexed as available, under which idle number, and whether that must
        #: be looked at again
        self.group: Group | None = None
        self.filed = 0
        self.stale = False
        #: with whom he is counted
        self.team: Team
