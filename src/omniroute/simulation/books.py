"""What an auditor writes down while it reads events: interactions, agents, lanes, deadlines.

What is known of one of them stands in `works`. Kept apart from the laws (`laws`) so that those
read as a list of rules. Here are also the closed list of laws and the error that names one.
Nothing is decided: the books only remember, in the plainest structure that is fast enough to
audit a simulated month.
"""

from __future__ import annotations

import enum
import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from .. import events as ev
from ..errors import OmnirouteError
from ..events import Event
from ..model import InteractionState
from ..plan import Plan, Queue
from .figures import Figures
from .inbound_book import InboundBook
from .works import Desk, Known, Lanes, Work

__all__ = ["AuditError", "Books", "Deadlines", "Law"]


class Law(enum.StrEnum):
    """What the auditor checks. A closed list."""

    TIME = "time"  #: `at_ms` never decreases
    STATE = "state"  #: interactions move as their table allows
    PRESENCE = "presence"  #: agents sign in, change and leave in a legal order
    OFFER = "offer"  #: numbered without gaps, no more open than allowed, ended exactly once
    DEADLINE = "deadline"  #: timers fire at their moment: offers, steps, refusals, wrap-ups
    READY = "ready"  #: offers go to signed-in agents who are ready
    REQUIREMENT = "requirement"  #: ... who satisfy members, step and own requirement
    ACCESS = "access"  #: ... to whom the queue is open by now; openings come in order, not early
    REFUSAL = "refusal"  #: ... who are not barred; what is barred and reset is as the plan says
    CAPACITY = "capacity"  #: ... who have room
    ORDER = "order"  #: ... and get the first of a lane; who looks for work gets his best
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
        InteractionState.SCHEDULED,
        InteractionState.PARKED,
    }
)
IN_LINE: Final = frozenset({InteractionState.WAITING, InteractionState.OFFERED})
TAKEN: Final = frozenset({InteractionState.ENGAGED, InteractionState.HELD})
ASIDE: Final = frozenset({InteractionState.SCHEDULED, InteractionState.PARKED})
_WAITING: Final = frozenset({InteractionState.WAITING})
_SCHEDULED: Final = frozenset({InteractionState.SCHEDULED})

#: From which states an event may come, and which state it leads to (None: the same).
MOVES: Final[dict[type, tuple[frozenset[InteractionState], InteractionState | None]]] = {
    ev.Offered: (IN_LINE, InteractionState.OFFERED),
    ev.Accepted: (frozenset({InteractionState.OFFERED}), InteractionState.ENGAGED),
    ev.Declined: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Expired: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Revoked: (frozenset({InteractionState.OFFERED}), InteractionState.WAITING),
    ev.Held: (frozenset({InteractionState.ENGAGED}), InteractionState.HELD),
    ev.Resumed: (frozenset({InteractionState.HELD}), InteractionState.ENGAGED),
    ev.Requeued: (TAKEN, InteractionState.WAITING),
    ev.WrapUpStarted: (TAKEN, InteractionState.WRAP_UP),
    ev.Completed: (TAKEN | {InteractionState.WRAP_UP}, InteractionState.COMPLETED),
    ev.Moved: (frozenset({InteractionState.WAITING}), InteractionState.WAITING),
    ev.Abandoned: (_WAITING | _SCHEDULED, InteractionState.ABANDONED),
    ev.Cancelled: (OPEN - {InteractionState.OFFERED}, InteractionState.CANCELLED),
    ev.StepReached: (IN_LINE, None),
    ev.RefusalsReset: (IN_LINE, None),
    ev.MessageAppended: (IN_LINE | TAKEN | ASIDE, None),
    ev.MessageEdited: (OPEN, None),
    ev.MessageRedacted: (OPEN, None),
    ev.Reprioritized: (IN_LINE | TAKEN | ASIDE, None),
    ev.CallbackRequested: (_WAITING, None),
    ev.Scheduled: (_WAITING, InteractionState.SCHEDULED),
    ev.Started: (_SCHEDULED, InteractionState.WAITING),
    ev.Postponed: (_SCHEDULED, None),
    ev.Parked: (TAKEN, InteractionState.PARKED),
    ev.Unparked: (frozenset({InteractionState.PARKED}), InteractionState.WAITING),
    ev.Transferred: (TAKEN, InteractionState.WAITING),
    ev.HandedOver: (TAKEN, InteractionState.ENGAGED),
    ev.Conferenced: (TAKEN, None),
    ev.CallbackFailed: (TAKEN, InteractionState.SCHEDULED),
    ev.WrapUpExtended: (frozenset({InteractionState.WRAP_UP}), None),
    ev.AccessWidened: (IN_LINE, None),
}

#: The field that says whom a duty is about.
SUBJECTS: Final[dict[type, str]] = {
    ev.Abandoned: "interaction_id",
    ev.Cancelled: "interaction_id",
    ev.StepReached: "interaction_id",
    ev.AccessWidened: "interaction_id",
    ev.Moved: "interaction_id",
    ev.Scheduled: "interaction_id",
    ev.Unparked: "interaction_id",
    ev.HandedOver: "interaction_id",
    ev.Reprioritized: "interaction_id",
    ev.Accepted: "offer_id",
    ev.BecameNotReady: "agent_id",
    ev.SignedOut: "agent_id",
    ev.Revoked: "offer_id",
}


class Deadlines:
    """Moments at which something must have happened.

    Entries are never withdrawn: the reader checks whether one still stands when it has come.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str, Any, str | int]] = []
        self._count = 0

    def add(self, at_ms: int, kind: str, about: Any, subject: str | int = "") -> None:
        """``kind`` says what should happen to ``about``; ``subject`` whom or which offer of it."""
        self._count += 1
        heapq.heappush(self._heap, (at_ms, self._count, kind, about, subject))

    def passed(self, now_ms: int) -> Iterator[tuple[int, str, Any, str | int]]:
        """Remove and yield those before ``now_ms``."""
        while self._heap and self._heap[0][0] < now_ms:
            at_ms, _, kind, about, subject = heapq.heappop(self._heap)
            yield at_ms, kind, about, subject


def _overflows(plan: Plan) -> bool:
    """Whether rules may move what waits."""
    return any(
        queue.refusal.overflow or any(step.overflow for step in queue.ladder)
        for queue in plan.queues.values()
    )


class Books:
    """All that is known of the engine after some of its events, and how it may change."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.event: Event | None = None
        self.now_ms = 0
        self.works: dict[str, Work] = {}
        self.desks: dict[str, Desk] = {}
        self.offers: dict[int, Work] = {}
        self.offered: set[str] = set()
        self.assignments: dict[int, Work] = {}
        self.aside: set[str] = set()
        self.consults: dict[str, Work] = {}
        self.handing: dict[str, str] = {}
        self.starts: dict[str, int] = {}
        self.plan_version = 0
        self.draining: set[str] = set()
        #: queues of plans before this one
        self.gone: dict[str, Queue] = {}
        self.overflows = _overflows(plan)
        self.lanes = Lanes()
        self.held_out = Lanes()
        self.touched: set[str] = set()
        self.deadlines = Deadlines()
        self.in_line: Counter[str] = Counter()
        self.refused: dict[str, Work] = {}
        self.threads: dict[tuple[str, str], Work] = {}
        self.inbound = InboundBook(plan)
        self.owed: dict[tuple[type, object], Law] = {}
        self.last_seq = self.last_offer = self.admitted = self.ended = 0
        self.figures = Figures()
        self._known: dict[object, Known] = {}

    def adopt(self, plan: Plan) -> None:
        """Go by this plan; `laws_plans` says what that means for what is open."""
        for name in self.plan.queues:
            self.gone.setdefault(name, Queue(name=name))
        self.inbound.adopt(plan, self.now_ms)
        self.plan, self.overflows = plan, _overflows(plan)
        self._known.clear()

    def queue(self, name: str) -> Queue:
        """The queue of that name; one that the plan has no more has default settings."""
        found = self.plan.queues.get(name) or self.gone.get(name)
        if found is None:
            self.fail(Law.ADMISSION, f"unknown queue {name!r}")
        return found

    def known(self, work: Work) -> Known:
        """What is worked out once for all of a queue and channel that ask for the same."""
        if len(self._known) > _MANY:
            self._known.clear()
        asked = (work.queue.name, work.channel, work.requirement, work.own_steps)
        return self._known.setdefault(asked, {})

    def fail(self, law: Law, detail: str) -> NoReturn:
        """Raise `AuditError` at the event that is being read."""
        raise AuditError(law, self.event, detail)

    def require(self, holds: object, law: Law, detail: str) -> None:
        """Fail unless it holds."""
        if not holds:
            self.fail(law, detail)

    def owe(self, kind: type, subject: object, law: Law = Law.DUTY) -> None:
        """An event of ``kind`` about ``subject`` must follow in this batch."""
        self.owed[kind, subject] = law

    def check_duties(self) -> None:
        """What was owed must have followed."""
        for (kind, subject), law in self.owed.items():
            self.fail(law, f"{kind.__name__} of {subject!r} did not follow")

    def pass_time(self, now_ms: int) -> None:
        """Go on to ``now_ms``; every deadline before it must have been noticed."""
        self.check_duties()
        self.touched.clear()
        for at_ms, kind, about, subject in self.deadlines.passed(now_ms):
            if self._stands(at_ms, kind, about, subject):
                name = about.agent.id if kind == "lease" else about.id
                self.fail(Law.DEADLINE, f"the {kind} of {name!r} ended at {at_ms}, unnoticed")
        self.now_ms = now_ms

    def _stands(self, at_ms: int, kind: str, about: Any, subject: str | int) -> bool:
        """Whether what should have happened then had not become pointless."""
        if kind == "lease":
            here = self.desks.get(about.agent.id) is about
            return here and bool(about.lease_until_ms == at_ms)
        return {
            "offer": subject in about.offers,
            "wrap_up": about.state is InteractionState.WRAP_UP and about.until_ms == at_ms,
            "step": about.state in IN_LINE and about.step_end_ms == at_ms,
            "opening": about.state in IN_LINE and about.opening_end_ms == at_ms,
            "life": about.state in IN_LINE and about.life_end_ms == at_ms,
            "aside": about.state in ASIDE and about.until_ms == at_ms,
            "refusal": about.state in IN_LINE and about.barred.get(str(subject)) == at_ms,
        }[kind]

    def work(self, event: Any) -> Work:
        """The open interaction that the event is about, in a state in which it may happen."""
        work = self.works.get(event.interaction_id)
        if work is None:
            self.fail(Law.STATE, f"interaction {event.interaction_id!r} is not open")
        self.require(work.state in MOVES[type(event)][0], Law.STATE, f"it is {work.state}")
        return work

    def move(self, work: Work, event: Event) -> None:
        """Into the state that the event leads to, on all books.

        An offer that ends while others are open leaves it offered, or taken.
        """
        state = MOVES[type(event)][1] or work.state
        if isinstance(event, ev.Declined | ev.Expired | ev.Revoked):
            state = work.state if work.offers or work.agent_id else state
        before, work.state = work.state, state
        self.in_line[work.queue.name] += (state in IN_LINE) - (before in IN_LINE)
        if work.agent_id and state not in (*TAKEN, InteractionState.WRAP_UP):
            self.desks[work.agent_id].work.pop(work.assignment_id, None)
            self.assignments.pop(work.assignment_id, None)
            work.agent_id = ""
        self.aside.discard(work.id)
        if state in ASIDE:
            self.aside.add(work.id)
        if state not in OPEN:
            del self.works[work.id]
            if self.consults.get(work.parent_id or "") is work:
                del self.consults[work.parent_id or ""]
            self.consults.pop(work.id, None)  # it goes on by itself
            self.refused.pop(work.id, None)
            self.ended += 1
        self.touched.add(work.id)
        self.put(work)
        key = (work.channel, work.thread_id or "")
        if state not in IN_LINE | TAKEN | ASIDE and self.threads.get(key) is work:
            del self.threads[key]

    def put(self, work: Work) -> None:
        """Where it waits now: its key, its lane or its state may have changed."""
        if work.place is not None:
            work.place[0].remove(work)
        if work.state is InteractionState.WAITING:
            self.lanes.add(work)
        elif work.is_open(self.plan.limits.max_offers):
            self.held_out.add(work)

    def is_aside_full(self) -> bool:
        """Whether nothing more may be set aside."""
        return len(self.aside) >= self.plan.limits.max_set_aside

    def close_offer(self, work: Work, offer_id: int) -> None:
        """It is open no more."""
        offer = work.offers.pop(offer_id)
        self.desks[offer.agent_id].work.pop(offer_id, None)
        self.offers.pop(offer_id, None)
        if not work.offers:
            self.offered.discard(work.id)
