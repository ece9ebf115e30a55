"""What an auditor writes down while it reads events: interactions, desks, lanes, deadlines.

Kept apart from the laws (`laws`) so that those read as a list of rules. Here are also the closed
list of laws and the error that names one. Nothing is decided: the books only remember, in the
plainest structure that is fast enough to audit a simulated month.
"""

from __future__ import annotations

import bisect
import enum
import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import attrs

from .. import events as ev
from ..errors import OmnirouteError
from ..events import Event
from ..model import Agent, Channel, InteractionState
from ..plan import Capacity, Expression, HeadStart, Plan, Queue, all_of
from .figures import Figures
from .inbound_book import InboundBook

__all__ = ["AuditError", "Books", "Deadlines", "Desk", "Key", "Lane", "Lanes", "Law", "Work"]

#: The order among the waiting: smaller first. Ends in `seq`, so no two are equal.
Key = tuple[int, int, int, int]

#: What interactions of one lane share: queue, step, effective requirement, channel.
Lane = tuple[str, int, str, Channel]


class Law(enum.StrEnum):
    """What the auditor checks. A closed list."""

    TIME = "time"  #: `at_ms` never decreases
    STATE = "state"  #: interactions move as their table allows
    PRESENCE = "presence"  #: agents sign in, change and leave in a legal order
    OFFER = "offer"  #: numbered without gaps, one open per interaction, ended exactly once
    DEADLINE = "deadline"  #: timers fire at their moment: offers, steps, refusals, wrap-ups
    READY = "ready"  #: offers go to signed-in agents who are ready
    REQUIREMENT = "requirement"  #: ... who satisfy members, step and own requirement
    REFUSAL = "refusal"  #: ... who are not barred; what is barred and reset is as the plan says
    CAPACITY = "capacity"  #: ... who have room
    ORDER = "order"  #: ... and get the first of a lane
    LADDER = "ladder"  #: steps come in order, not early
    ADMISSION = "admission"  #: limits hold, and are no pretext
    MESSAGE = "message"  #: no repeat is routed, no open thread is opened twice
    ANSWER = "answer"  #: a command is rejected only for a reason that is true
    DUTY = "duty"  #: what an event entails follows in the same batch
    WORK = "work"  #: at rest no free agent coexists with work that he may be offered
    COUNT = "count"  #: admitted = waiting + offered + engaged + held + wrap-up + ended


class AuditError(OmnirouteError):
    """A law was broken: the engine is wrong, or somebody changed its events.

    ``law`` is which, ``event`` where it was found (the last one, for a fault at rest).
    """

    def __init__(self, law: Law, event: Event | None, detail: str) -> None:
        self.law = law
        self.event = event
        self.detail = detail
        super().__init__(f"law {law.value!r}: {detail}; at {event!r}")


#: So many kinds of requirement are remembered.
_MANY = 10_000

OPEN: Final = frozenset(
    {
        InteractionState.WAITING,
        InteractionState.OFFERED,
        InteractionState.ENGAGED,
        InteractionState.HELD,
        InteractionState.WRAP_UP,
    }
)
IN_LINE: Final = frozenset({InteractionState.WAITING, InteractionState.OFFERED})
TAKEN: Final = frozenset({InteractionState.ENGAGED, InteractionState.HELD})

#: From which states an event may come, and which state it leads to (None: the same).
MOVES: Final[dict[type, tuple[frozenset[InteractionState], InteractionState | None]]] = {
    ev.Offered: (frozenset({InteractionState.WAITING}), InteractionState.OFFERED),
    ev.Accepted: (frozenset({InteractionState.OFFERED}), InteractionState.ENGAGED),
    ev.Declined: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Expired: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Revoked: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Held: (frozenset({InteractionState.ENGAGED}), InteractionState.HELD),
    ev.Resumed: (frozenset({InteractionState.HELD}), InteractionState.ENGAGED),
    ev.Requeued: (TAKEN, InteractionState.WAITING),
    ev.WrapUpStarted: (TAKEN, InteractionState.WRAP_UP),
    ev.Completed: (TAKEN | {InteractionState.WRAP_UP}, InteractionState.COMPLETED),
    ev.Abandoned: (frozenset({InteractionState.WAITING}), InteractionState.ABANDONED),
    ev.Cancelled: (OPEN - {InteractionState.OFFERED}, InteractionState.CANCELLED),
    ev.StepReached: (IN_LINE, None),
    ev.RefusalsReset: (IN_LINE, None),
    ev.MessageAppended: (IN_LINE | TAKEN, None),
    ev.MessageEdited: (OPEN, None),
    ev.MessageRedacted: (OPEN, None),
    ev.Reprioritized: (IN_LINE | TAKEN, None),
}

#: The field that says whom a duty is about.
SUBJECTS: Final[dict[type, str]] = {
    ev.Abandoned: "interaction_id",
    ev.Cancelled: "interaction_id",
    ev.StepReached: "interaction_id",
    ev.BecameNotReady: "agent_id",
    ev.SignedOut: "agent_id",
    ev.Revoked: "offer_id",
}


@attrs.define(eq=False)
class Work:
    """An open interaction.

    ``offer_id`` is its open offer or its assignment, ``agent_id`` whose it is, ``until_ms``
    when that offer or its wrap-up ends, ``place`` where it waits.
    """

    id: str
    seq: int
    queue: Queue
    channel: Channel
    thread_id: str | None
    priority: int
    requirement: Expression | None
    enqueued_at_ms: int
    step_began_ms: int
    state: InteractionState = InteractionState.WAITING
    step: int = 0
    offer_id: int = 0
    agent_id: str = ""
    until_ms: int | None = None
    accepted_at_ms: int = 0
    offers: int = 0
    #: ids of its messages; False: redacted
    texts: dict[str, bool] = attrs.field(factory=dict)
    barred: dict[str, int] = attrs.field(factory=dict)
    place: tuple[Lane, Key] | None = None
    #: by step: what an agent must satisfy, and the lane; shared by those that ask for the same
    known: dict[int, tuple[Expression | None, Lane]] = attrs.field(factory=dict)

    @property
    def key(self) -> Key:
        """Its place in the order among the waiting."""
        order = self.queue.order
        if isinstance(order, HeadStart):
            head_start_ms = self.priority * order.ms_per_point
            return self.queue.tier, 0, self.enqueued_at_ms - head_start_ms, self.seq
        return self.queue.tier, -self.priority, self.enqueued_at_ms, self.seq

    @property
    def lane(self) -> Lane:
        """The lane it waits in."""
        return self._at(self.step)[1]

    @property
    def step_end_ms(self) -> int | None:
        """When its current step ends, None on the last."""
        step = self.queue.ladder[self.step]
        if step.for_ms is not None:
            return self.step_began_ms + step.for_ms
        return None if step.until_ms is None else self.enqueued_at_ms + step.until_ms

    def effective(self, step: int) -> Expression | None:
        """What an agent must satisfy at ``step``: members, step and own requirement."""
        return self._at(step)[0]

    def _at(self, step: int) -> tuple[Expression | None, Lane]:
        found = self.known.get(step)
        if found is None:
            rung = self.queue.ladder[step]
            own = None if self.requirement is None else self.requirement.without(rung.drop)
            wanted = all_of(self.queue.members, rung.requirement, own)
            lane = (self.queue.name, step, str(wanted), self.channel)
            found = self.known[step] = (wanted, lane)
        return found

    def admits(self, agent: Agent, step: int | None = None) -> bool:
        """Whether ``agent`` satisfies it at ``step`` (None: the current one)."""
        requirement = self.effective(self.step if step is None else step)
        return requirement is None or requirement.matches(agent)


@attrs.define(eq=False)
class Desk:
    """A signed-in agent and what he carries, by offer id: offers, assignments, wrap-ups."""

    agent: Agent
    capacity: Capacity
    ready: bool = False
    work: dict[int, Work] = attrs.field(factory=dict)

    def has_room(self, channel: Channel) -> bool:
        """Whether one more of ``channel`` fits. O(what he carries)."""
        cost = self.capacity.cost(channel)
        if cost is None:
            return False
        used = sum(self.capacity.cost(w.channel) or 0 for w in self.work.values())
        same = sum(w.channel == channel for w in self.work.values())
        return used + cost <= self.capacity.budget and same < self.capacity.maximum(channel)


class Lanes:
    """The waiting, by lane, each lane in key order. Adding and removing: a binary search."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, list[tuple[Key, Work]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add(self, work: Work) -> None:
        """Let it wait at its place."""
        lane, key = work.lane, work.key
        bisect.insort(self._lanes.setdefault(lane, []), (key, work))
        work.place = lane, key

    def remove(self, work: Work) -> None:
        """Take it out; nothing when it does not wait."""
        if work.place is None:
            return
        lane, key = work.place
        rows = self._lanes[lane]
        del rows[bisect.bisect_left(rows, (key,))]
        if not rows:
            del self._lanes[lane]
        work.place = None

    def __iter__(self) -> Iterator[Iterator[Work]]:
        for rows in self._lanes.values():
            yield (work for _, work in rows)

    def before(self, work: Work) -> Iterator[Work]:
        """Those of its lane that go before it, in order."""
        assert work.place is not None
        lane, key = work.place
        for other_key, other in self._lanes[lane]:
            if other_key >= key:
                return
            yield other


class Deadlines:
    """Moments at which something must have happened.

    Entries are never withdrawn: the reader checks whether one still stands when it has come.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str, Work, str]] = []
        self._count = 0

    def add(self, at_ms: int, kind: str, work: Work, subject: str = "") -> None:
        """``kind`` says what should happen to ``work``; ``subject`` whom it is about."""
        self._count += 1
        heapq.heappush(self._heap, (at_ms, self._count, kind, work, subject))

    def passed(self, now_ms: int) -> Iterator[tuple[int, str, Work, str]]:
        """Remove and yield those before ``now_ms``."""
        while self._heap and self._heap[0][0] < now_ms:
            at_ms, _, kind, work, subject = heapq.heappop(self._heap)
            yield at_ms, kind, work, subject


class Books:
    """All that is known of the engine after some of its events, and how it may change."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.event: Event | None = None
        self.now_ms = 0
        self.works: dict[str, Work] = {}
        self.desks: dict[str, Desk] = {}
        self.offers: dict[int, Work] = {}
        self.assignments: dict[int, Work] = {}
        self.lanes = Lanes()
        self.deadlines = Deadlines()
        self.in_line: Counter[str] = Counter()
        self.refused: dict[str, Work] = {}
        self.threads: dict[tuple[str, str], Work] = {}
        self.inbound = InboundBook(plan)
        self.owed: dict[tuple[type, object], None] = {}
        self.last_seq = self.last_offer = self.admitted = self.ended = 0
        self.figures = Figures()
        self._known: dict[object, dict[int, tuple[Expression | None, Lane]]] = {}

    def known(self, queue: str, channel: Channel, own: str | None) -> dict[int, Any]:
        """What is worked out once for all of a queue and channel that ask for the same."""
        if len(self._known) > _MANY:
            self._known.clear()
        return self._known.setdefault((queue, channel, own), {})

    def fail(self, law: Law, detail: str) -> NoReturn:
        """Raise `AuditError` at the event that is being read."""
        raise AuditError(law, self.event, detail)

    def require(self, holds: object, law: Law, detail: str) -> None:
        """Fail unless it holds."""
        if not holds:
            self.fail(law, detail)

    def owe(self, kind: type, subject: object) -> None:
        """An event of ``kind`` about ``subject`` must follow in this batch."""
        self.owed[kind, subject] = None

    def check_duties(self) -> None:
        """What was owed must have followed."""
        for kind, subject in self.owed:
            self.fail(Law.DUTY, f"{kind.__name__} of {subject!r} did not follow")

    def pass_time(self, now_ms: int) -> None:
        """Go on to ``now_ms``; every deadline before it must have been noticed."""
        self.check_duties()
        for at_ms, kind, work, subject in self.deadlines.passed(now_ms):
            stands = {
                "offer": work.state is InteractionState.OFFERED and work.until_ms == at_ms,
                "wrap_up": work.state is InteractionState.WRAP_UP and work.until_ms == at_ms,
                "step": work.state in IN_LINE and work.step_end_ms == at_ms,
                "refusal": work.state in IN_LINE and work.barred.get(subject) == at_ms,
            }[kind]
            if stands:
                self.fail(Law.DEADLINE, f"the {kind} of {work.id!r} ended at {at_ms}, unnoticed")
        self.now_ms = now_ms

    def work(self, event: Any) -> Work:
        """The open interaction that the event is about, in a state in which it may happen."""
        work = self.works.get(event.interaction_id)
        if work is None:
            self.fail(Law.STATE, f"interaction {event.interaction_id!r} is not open")
        self.require(work.state in MOVES[type(event)][0], Law.STATE, f"it is {work.state}")
        return work

    def move(self, work: Work, event: Event) -> None:
        """Into the state that the event leads to, on all books."""
        state = MOVES[type(event)][1] or work.state
        before, work.state = work.state, state
        self.in_line[work.queue.name] += (state in IN_LINE) - (before in IN_LINE)
        self.lanes.remove(work)
        if (
            state not in (InteractionState.OFFERED, *TAKEN, InteractionState.WRAP_UP)
            and work.agent_id
        ):
            self.desks[work.agent_id].work.pop(work.offer_id, None)
            self.offers.pop(work.offer_id, None)
            self.assignments.pop(work.offer_id, None)
            work.agent_id = ""
        if state is InteractionState.WAITING:
            self.lanes.add(work)
        elif state not in OPEN:
            del self.works[work.id]
            self.refused.pop(work.id, None)
            self.ended += 1
        key = (work.channel, work.thread_id or "")
        if state not in IN_LINE | TAKEN and self.threads.get(key) is work:
            del self.threads[key]
