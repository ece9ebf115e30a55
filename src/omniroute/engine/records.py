"""The mutable state of the engine, one record per interaction, agent and queue.

Records hold facts and no decisions. Only `State.apply` writes them, and only because of an
event. They are plain slotted classes: a million of them must fit in memory.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..events import OwnStep
from ..model import Agent, Channel, Interaction, InteractionState, Message, Presence
from ..plan import Access, Expression, Queue, Step, Strategy, all_of, nobody, none_of
from .climb import Climb
from .order import FRONT, IN_FRONT, key_of
from .side import Side
from .tallies import Tally, Team
from .timers import Fifo

if TYPE_CHECKING:
    from .capacity import Kind, Load, Loads
    from .groups import Group, Profile
    from .lanes import Lane, LaneAsk

__all__ = ["UNTIL_RESET", "AgentRecord", "InteractionRecord", "OfferRecord", "QueueRecord"]

#: So many times between two acceptances of a queue are remembered.
SERVICES = 50

#: A refusal without an end.
UNTIL_RESET = -1

_NOTHING_BESIDE = Side()


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


def _first_for_all(rows: tuple[Access, ...]) -> int:
    """How many rows there are up to the first that is for every agent."""
    return next((n for n, row in enumerate(rows, 1) if row.agents is None), len(rows))


class QueueRecord:
    """One queue: its plan, how many wait in it (offered ones included), its counts."""

    __slots__ = (
        "access",
        "auto_accept",
        "counts_taken",
        "delays",
        "foot",
        "gaps",
        "is_draining",
        "is_guarded",
        "is_simple",
        "key",
        "kinds",
        "lanes",
        "last_callback_ms",
        "lined",
        "max_offers_at_once",
        "name",
        "offer_timers",
        "plan",
        "served_ms",
        "tallies",
        "target_ms",
        "waiting",
        "wrap_up_kind",
    )

    def __init__(self, plan: Queue, offer_timers: Fifo, loads: Loads, *, shares: bool) -> None:
        self.plan = plan
        self.name = plan.name
        #: what its work is to a capacity, by channel; and in wrap-up, where that is something else
        self.kinds, self.wrap_up_kind = loads.kinds(plan.name), loads.wrap_up(plan.name)
        self.target_ms = plan.service_level.target_ms
        self.offer_timers = offer_timers
        self.waiting = 0
        #: when a callback of it started last
        self.last_callback_ms: int | None = None
        #: whether it takes nothing new
        self.is_draining = False
        #: (priority, enqueued_at_ms, seq) -> the place among the waiting; smaller first
        self.key = key_of(plan.order)
        #: where most that wait here stand: at the start of its ladder, without clocks
        self.foot = Climb((), plan.ladder)
        #: read on the hot path, so not through the plan
        self.auto_accept = plan.auto_accept
        self.max_offers_at_once = plan.offers
        self.is_simple = _is_simple(plan)
        #: whether there is anything to read at its door
        self.is_guarded = bool(plan.overflow)
        #: the rows of access that can be reached: nothing follows one for everybody
        self.access = plan.access[: _first_for_all(plan.access)]
        #: after how long the queue opens to more agents, ascending
        self.delays = tuple(sorted({row.after_ms for row in self.access} - {0}))
        #: whether it is counted how often an agent was offered something from here
        self.counts_taken = shares or plan.strategy is Strategy.WEIGHTED
        #: how many wait and are held out to nobody
        self.lined = 0
        #: when something of it was accepted last while such were waiting all the time; -1: none
        self.served_ms = -1
        #: the last times between two acceptances in which such were waiting
        self.gaps: deque[int] = deque(maxlen=SERVICES)
        self.tallies: dict[Channel, Tally] = {}
        #: what a lane is asked for with -> lane
        self.lanes: dict[LaneAsk, Lane] = {}

    def drain(self, *, is_draining: bool) -> None:
        """It takes nothing new, or takes work again."""
        self.is_draining = is_draining
        self.is_guarded = is_draining or bool(self.plan.overflow)

    def tier_for(self, agent: Agent) -> int:
        """The place of this queue among the queues of an agent."""
        for row in self.access:
            if row.agents is None or row.agents.matches(agent):
                return row.tier
        return self.plan.tier

    def closed(self, opening: int) -> Expression | None:
        """The requirement that only agents whose delay has passed satisfy; None: all have."""
        if opening == len(self.delays):
            return None
        passed_ms = self.delays[opening - 1] if opening else 0
        closed: list[Expression] = []
        above: list[Expression] = []
        for row in self.access:
            if row.after_ms > passed_ms:
                here = all_of(row.agents, none_of(*above) if above else None)
                if here is None:
                    return nobody()
                closed.append(here)
            if row.agents is not None:
                above.append(row.agents)
        return none_of(*closed) if closed else None

    def tally(self, channel: Channel) -> Tally:
        """The counts of one channel of this queue."""
        found = self.tallies.get(channel)
        if found is None:
            found = self.tallies[channel] = Tally()
        return found


def _is_simple(plan: Queue) -> bool:
    """Whether what begins to wait here has no clocks and no step to pass over."""
    first, *more = plan.ladder
    return not (more or plan.access) and first.only_if is None and first.priority is None


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
        #: how often it was offered since it was last accepted
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
    def kind(self) -> Kind:
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
