"""What an auditor knows of one interaction, one agent, and what waits together.

The words of the engine's definition, written once more: key, ladder, access, room. Nothing here
is shared with the engine, so that it cannot share a mistake either.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

import attrs

from ..events import Kind, OwnStep
from ..model import Agent, Channel, InteractionState
from ..plan import (
    Accelerating,
    Access,
    Capacity,
    Delivery,
    Expression,
    HeadStart,
    NewestFirst,
    Queue,
    Step,
    all_of,
    parse,
)

__all__ = [
    "Asks",
    "Desk",
    "Key",
    "Known",
    "Lane",
    "Lanes",
    "Offer",
    "Said",
    "Work",
    "access_of",
    "alone",
    "openings",
]

#: The order among the waiting of one queue: smaller first. Ends in `seq`, so no two are equal.
Key = tuple[int, int, int, int]

#: What interactions of one lane share: queue, step, effective requirement, channel.
Lane = tuple[str, int, str, Channel]

#: What room something asks for: channel, and queue where that has limits of its own, else "".
Asks = tuple[Channel, str]

#: By step: what an agent must satisfy, and the lane.
Known = dict[int, tuple[Expression | None, Lane]]


@attrs.frozen
class Offer:
    """An open offer: whose, and until when."""

    agent_id: str
    until_ms: int


@attrs.define
class Said:
    """A message: its id, and whose it is by key ("": nobody is named; None: he is forgotten)."""

    message_id: str | None
    writer: str | None
    is_redacted: bool = False


def openings(queue: Queue) -> list[int]:
    """The delays after which more agents may take what waits in ``queue``, in order."""
    rows = queue.access
    for_all = next((n for n, row in enumerate(rows) if row.agents is None), len(rows))
    return sorted({row.after_ms for row in rows[: for_all + 1]} - {0})


def access_of(agent: Agent, queue: Queue) -> Access:
    """The first row of ``queue`` that ``agent`` satisfies."""
    rows = (row for row in queue.access if row.agents is None or row.agents.matches(agent))
    return next(rows, Access(tier=queue.tier))


def alone(agent_id: str, queue: Queue, *, skip_if_nobody: bool = False) -> OwnStep:
    """The own step of what is for one agent first, because he had it or was asked for."""
    return OwnStep(f'agent == "{agent_id}"', queue.return_ms, skip_if_nobody, direct=True)


@attrs.define(eq=False)
class Work:
    """An open interaction.

    ``step_end_ms`` is when its current step ends, None on one that is for good. ``offers`` are its
    open offers by id, ``offered`` how many there were since the last acceptance. ``assignment_id``
    and ``agent_id`` are of the agent who has it, ``owner`` parked it; ``own_priority`` is what it
    goes by where no step has lent it another. ``until_ms`` is when its
    wrap-up or its time aside ends, ``place`` where it waits, ``ladder`` its ``own_steps`` and the
    queue's.
    """

    id: str
    seq: int
    queue: Queue
    channel: Channel
    thread_id: str | None
    priority: int
    requirement: Expression | None
    arrived_at_ms: int
    enqueued_at_ms: int
    step_began_ms: int
    max_wait_ms: int | None = None
    kind: Kind = Kind.CUSTOMER
    parent_id: str | None = None
    front: bool = False
    own_priority: int = 0
    is_lent: bool = False
    own_steps: tuple[OwnStep, ...] = ()
    ladder: tuple[Step, ...] = ()
    state: InteractionState = InteractionState.WAITING
    step: int = 0
    step_end_ms: int | None = None
    opening: int = 0
    offers: dict[int, Offer] = attrs.field(factory=dict)
    offered: int = 0
    assignment_id: int = 0
    agent_id: str = ""
    until_ms: int | None = None
    accepted_at_ms: int = 0
    owner: str = ""
    extended_ms: int = 0
    may_extend_ms: int = 0
    is_callback: bool = False
    attempts: int = 0
    #: when it was moved last, and how often at that moment
    moved_ms: int = -1
    moves: int = 0
    barred: dict[str, int] = attrs.field(factory=dict)
    messages: list[Said] = attrs.field(factory=list)
    place: tuple[Lanes, Lane, Key] | None = None
    #: shared by those that ask for the same
    known: Known = attrs.field(factory=dict)

    @property
    def key(self) -> Key:
        """Its place in the order among the waiting of its lane, however late it is.

        For `Accelerating` that is the order below the cap; `key_at` has the true one.
        """
        order, behind = self.queue.order, 0 if self.front else 1
        if isinstance(order, HeadStart):
            time_ms = self.enqueued_at_ms - self.priority * order.ms_per_point
            return behind, 0, time_ms, self.seq
        if isinstance(order, Accelerating):
            head_start = self.priority * order.ms_per_point * 100
            return behind, 0, self.enqueued_at_ms * order.rate_percent - head_start, self.seq
        if isinstance(order, NewestFirst):
            return behind, -self.priority, -self.enqueued_at_ms, -self.seq
        return behind, -self.priority, self.enqueued_at_ms, self.seq

    def key_at(self, now_ms: int) -> tuple[int, int, int | Fraction, int]:
        """Its place in the order among the waiting of any queue."""
        order = self.queue.order
        if not isinstance(order, Accelerating):
            return self.key
        waited_ms = Fraction((now_ms - self.enqueued_at_ms) * order.rate_percent, 100)
        age_ms = self.priority * order.ms_per_point + waited_ms
        if order.max_points is not None:
            age_ms = min(age_ms, Fraction(order.max_points * order.ms_per_point))
        return 0 if self.front else 1, 0, now_ms - age_ms, self.seq

    @property
    def lane(self) -> Lane:
        """The lane it waits in."""
        return self._at(self.step)[1]

    @property
    def whose(self) -> str:
        """The agent who has it, has the oldest open offer of it, or parked it."""
        if self.state is InteractionState.PARKED:
            return self.owner
        return self.offers[min(self.offers)].agent_id if self.offers else self.agent_id

    @property
    def is_apart(self) -> bool:
        """Whether it is in a wrap-up that counts in its queue alone."""
        return self.queue.wrap_up.own_queue_only and self.state is InteractionState.WRAP_UP

    @property
    def limits(self) -> Queue | None:
        """Its queue, where that has limits of its own for one agent."""
        queue = self.queue
        limited = queue.max_per_agent is not None or queue.wrap_up.own_queue_only
        return queue if limited else None

    @property
    def asks(self) -> Asks:
        """What room it asks of an agent."""
        return self.channel, "" if self.limits is None else self.queue.name

    def enter(self, queue: Queue, own_steps: tuple[OwnStep, ...]) -> None:
        """Stand before the first of these steps."""
        self.queue, self.own_steps = queue, own_steps
        before = (
            Step(s.requirement, s.for_ms, skip_if_nobody=s.skip_if_nobody, priority=s.priority)
            for s in own_steps
        )
        self.ladder = (*before, *queue.ladder)

    def stand_at(self, step: int, at_ms: int) -> None:
        """Enter a step now."""
        self.step, self.step_began_ms = step, at_ms
        self.step_end_ms = self.end_of_step(at_ms)

    def end_of_step(self, began_ms: int) -> int | None:
        """When its step ends if it began then."""
        step = self.ladder[self.step]
        if step.for_ms is not None:
            return began_ms + step.for_ms
        return None if step.until_ms is None else self.arrived_at_ms + step.until_ms

    def rank(self, priority: int) -> None:
        """This priority is its own now, and what it goes by."""
        self.priority = self.own_priority = priority
        self.is_lent = False

    @property
    def due_priority(self) -> int:
        """What it should go by at its step."""
        lent = self.ladder[self.step].priority
        return self.own_priority if lent is None else lent

    @property
    def life_end_ms(self) -> int | None:
        """When it has waited too long, None when it never has."""
        return None if self.max_wait_ms is None else self.arrived_at_ms + self.max_wait_ms

    @property
    def opening_end_ms(self) -> int | None:
        """When more agents may take it, None when no more are to come."""
        to_come = openings(self.queue)[self.opening :]
        return self.arrived_at_ms + to_come[0] if to_come else None

    def passed(self, now_ms: int) -> int:
        """How many openings its age has reached."""
        return sum(ms <= now_ms - self.arrived_at_ms for ms in openings(self.queue))

    def effective(self, step: int) -> Expression | None:
        """What an agent must satisfy at ``step``: members, step and own requirement."""
        return self._at(step)[0]

    def _at(self, step: int) -> tuple[Expression | None, Lane]:
        found = self.known.get(step)
        if found is None:
            rung = self.ladder[step]
            own = None if self.requirement is None else self.requirement.without(rung.drop)
            wanted = all_of(self.queue.members, rung.requirement, own)
            if step < len(self.own_steps) and self.own_steps[step].direct:
                wanted = parse(self.own_steps[step].requirement)
            lane = (self.queue.name, step, str(wanted), self.channel)
            found = self.known[step] = (wanted, lane)
        return found

    def admits(self, agent: Agent, step: int | None = None) -> bool:
        """Whether ``agent`` satisfies it at ``step`` (None: the current one)."""
        requirement = self.effective(self.step if step is None else step)
        return requirement is None or requirement.matches(agent)

    def opens_to(self, agent: Agent) -> bool:
        """Whether ``agent`` has access by now."""
        if not self.queue.access:
            return True
        delay_ms = access_of(agent, self.queue).after_ms
        return not delay_ms or delay_ms in openings(self.queue)[: self.opening]

    def may_go_to(self, agent: Agent) -> bool:
        """Whether nothing but requirement and room, which are the lane's, speaks against it."""
        if agent.id in self.barred or not self.opens_to(agent):
            return False
        return all(offer.agent_id != agent.id for offer in self.offers.values())

    def is_open(self, max_offers: int) -> bool:
        """Whether it is open to offers."""
        if self.queue.delivery is Delivery.PULL:
            return False
        if self.state is not InteractionState.OFFERED:
            return self.state is InteractionState.WAITING
        return len(self.offers) < self.queue.offers and self.offered < max_offers


@attrs.define(eq=False)
class Desk:
    """A signed-in agent and what he carries, by offer id: offers, assignments, wrap-ups.

    ``taken`` counts his offers since he signed in, by queue.
    """

    agent: Agent
    capacity: Capacity
    ready: bool = False
    work: dict[int, Work] = attrs.field(factory=dict)
    taken: Counter[str] = attrs.field(factory=Counter)
    lease_ms: int | None = None
    lease_until_ms: int | None = None

    def has_room(self, channel: Channel, limits: Queue | None) -> bool:
        """Whether one more of ``channel`` fits, in a queue that may have ``limits`` of its own.

        O(what he carries).
        """
        if limits is not None and not self._has_room_in(limits):
            return False
        capacity = self.capacity
        offers = sum(offer_id in work.offers for offer_id, work in self.work.items())
        if capacity.max_open_offers is not None and offers >= capacity.max_open_offers:
            return False
        carried = [work.channel for work in self.work.values() if not work.is_apart]
        cost, spent = capacity.cost(channel), {False: 0, True: 0}
        if cost is None or carried.count(channel) >= capacity.maximum(channel):
            return False
        for other in carried:
            allowed = capacity.interruptible_by
            to_others = allowed.get(other, allowed.get("*"))
            if other != channel and to_others is not None and not {channel, "*"} & {*to_others}:
                return False
            spent[capacity.is_interruptible(other)] += capacity.cost(other) or 0
        interruptible = capacity.is_interruptible(channel)
        is_shut = spent[False] >= capacity.budget and not capacity.interruptible_when_full
        if interruptible and is_shut:
            return False
        return spent[interruptible] + cost <= capacity.budget_of(channel)

    def _has_room_in(self, queue: Queue) -> bool:
        here = [work for work in self.work.values() if work.queue is queue]
        if any(work.is_apart for work in here):
            return False
        return queue.max_per_agent is None or len(here) < queue.max_per_agent


class Lanes:
    """Works by lane, each lane in key order. Adding and removing: a binary search."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[tuple[Key, Work]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add(self, work: Work) -> None:
        """Let it wait at its place."""
        lane, key = work.lane, work.key
        bisect.insort(self._lanes.setdefault(lane, []), (key, work))
        work.place = self, lane, key

    def remove(self, work: Work) -> None:
        """Take it out; it must be here."""
        assert work.place is not None
        _, lane, key = work.place
        rows = self._lanes[lane]
        del rows[bisect.bisect_left(rows, (key,))]
        if not rows:
            del self._lanes[lane]
        work.place = None

    def __iter__(self) -> Iterator[Iterator[Work]]:
        for rows in self._lanes.values():
            yield (work for _, work in rows)

    def of(self, lane: Lane) -> Iterator[Work]:
        """Those of one lane, in the order of `Work.key`."""
        return (work for _, work in self._lanes.get(lane, ()))

    def before(self, work: Work, now_ms: int) -> Iterator[Work]:
        """Those of its lane that go before one that waits here."""
        assert work.place is not None
        _, lane, key = work.place
        if isinstance(work.queue.order, Accelerating):
            yield from self._before_by_age(work, lane, now_ms)
            return
        for other_key, other in self._lanes[lane]:
            if other_key >= key:
                return
            yield other

    def _before_by_age(self, work: Work, lane: Lane, now_ms: int) -> Iterator[Work]:
        """At the cap all are of one age, wherever they stand; behind them the order is true."""
        true_key = work.key_at(now_ms)
        for other in self.of(lane):
            other_key = other.key_at(now_ms)
            if other_key < true_key:
                yield other
            elif other_key[:-1] > true_key[:-1]:
                return
