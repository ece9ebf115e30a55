"""An independent reader of events that re-checks every law of the engine.

The auditor knows the plan and the events, never the engine: it keeps its own books (`books`),
checks each event against the laws (`laws`) and raises `AuditError` at the first that breaks
one, or at the end of a batch when something that had to happen did not. It decides nothing, so
it cannot share a mistake with the engine that decides.

Nobody may idle beside work that he may be offered. Looking at everybody with everything after each
batch would cost far more than the run. But who idles beside what was right before, and only a
batch that names an agent can give him room or a skill, and only one that names an interaction can
make it wait, open it to more or lift a refusal. So a rest looks at those that were named since the
last one, each with everything on the other side; now and then it looks at all.

Order is checked inside a lane, where it is absolute. Between lanes it is checked where an agent
certainly chose among all that he could get, by tier, share and key; else it depends on who was
free when, and that is what the slow model in the tests is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..events import Event, HandedOver, PlanChanged
from ..plan import Plan
from .books import IN_LINE, OPEN, SUBJECTS, AuditError, Books, Law
from .laws import HANDLERS
from .laws_ladder import is_refused_by_all
from .laws_offers import candidates
from .works import Asks, Desk

__all__ = ["AuditError", "Auditor", "Law"]

#: How often a rest looks at everything, whatever was named.
_WHOLE_EVERY = 1_000


class Auditor:
    """Reads the events of one engine from its first on.

    ``observe(event)`` for each event, ``at_rest(now_ms)`` after each batch; both raise
    `AuditError`. ``figures()`` are counts in the shape of the engine's statistics.

    ``observe`` costs a few dictionary look-ups, for an offer also a look at the older ones of
    the lane, and at the heads of all lanes when the agent chose; ``at_rest`` looks at the agents
    that were named since the last one with each lane, and at the interactions with each agent who
    has room. Every so many rests, and when ``whole`` is asked for, it looks at everybody with
    everything.
    """

    def __init__(self, plan: Plan) -> None:
        self._books = Books(plan)
        self._rests = 0
        #: whether the plan has changed since the last rest
        self._is_other_plan = False
        #: the interactions and agents that events have named since the last rest
        self._works: dict[str, None] = {}
        self._agents: dict[str, None] = {}
        #: by channel: who is ready and has room for it
        self._free: dict[Asks, dict[str, Desk]] = {}

    def audit(self, events: Iterable[Event]) -> None:
        """Observe them all."""
        for event in events:
            self.observe(event)

    def observe(self, event: Event) -> None:
        """Check one event and write it down. Raises `AuditError`."""
        books = self._books
        books.event = event
        books.require(event.at_ms >= books.now_ms, Law.TIME, f"time was {books.now_ms} before")
        if event.at_ms > books.now_ms:
            books.pass_time(event.at_ms)
        if books.owed and type(event) in SUBJECTS:
            subject = getattr(event, SUBJECTS[type(event)])
            books.owed.pop((type(event), subject), None)
        self._note(event)
        HANDLERS[type(event)](books, event)

    def _note(self, event: Any) -> None:
        """Whom and what it names, and who has the work that it names."""
        self._is_other_plan |= isinstance(event, PlanChanged)
        interaction_id = getattr(event, "interaction_id", None)
        if interaction_id is not None:
            self._works[interaction_id] = None
            work = self._books.works.get(interaction_id)
            if work is not None and work.agent_id:
                self._agents[work.agent_id] = None
        if isinstance(event, HandedOver):
            self._agents[event.to_agent_id] = None
        agent_id = getattr(event, "agent_id", None)
        if agent_id is None and hasattr(event, "agent"):
            agent_id = event.agent.id
        if agent_id:
            self._agents[agent_id] = None

    def at_rest(self, now_ms: int | None = None, *, whole: bool = False) -> None:
        """Check what must hold when a batch is over, at ``now_ms`` (None: the last event's).

        ``whole``: look at everything, as if nothing had been looked at before.

        Raises `AuditError` with the last event when something that had to follow did not.
        """
        books = self._books
        if now_ms is not None and now_ms > books.now_ms:
            books.pass_time(now_ms)
        books.check_duties()
        for work in books.refused.values():
            refused = is_refused_by_all(books, work)
            books.require(not refused, Law.REFUSAL, f"all have refused {work.id!r}")
        self._rests += 1
        if whole or self._is_other_plan or self._rests % _WHOLE_EVERY == 0:
            self._is_other_plan = False
            self._works = dict.fromkeys(books.works)
            self._agents = dict.fromkeys([*books.desks, *self._agents])
            self._free.clear()
        self._check_work()
        self._check_count()
        books.touched.clear()

    def figures(self) -> dict[str, Any]:
        """The counts as `engine.Statistics` has them (as builtins), but for its ``now_ms``."""
        books = self._books
        states = Counter(work.state for work in books.works.values())
        waits_ms: dict[str, list[int]] = {}
        for work in books.works.values():
            if work.state in IN_LINE:
                waits_ms.setdefault(work.queue.name, []).append(books.now_ms - work.arrived_at_ms)
        return {
            **{state.value: states[state] for state in OPEN},
            "agents_signed_in": len(books.desks),
            "agents_ready": sum(desk.ready for desk in books.desks.values()),
            **books.figures.totals(books.plan, waits_ms),
        }

    def _check_work(self) -> None:
        """The law that makes it a router: nobody idles beside work that he may be offered."""
        books = self._books
        self._file()
        for agent_id in self._agents:
            desk = books.desks.get(agent_id)
            for work in candidates(books, desk) if desk is not None and desk.ready else ():
                books.fail(Law.WORK, f"{agent_id!r} is free and {work.id!r} waits")
        for work_id in self._works:
            found = books.works.get(work_id)
            if found is None or not found.is_open(books.plan.limits.max_offers):
                continue
            for agent_id, desk in self._available(found.asks).items():
                if found.may_go_to(desk.agent) and found.admits(desk.agent):
                    books.fail(Law.WORK, f"{agent_id!r} is free and {work_id!r} waits")
        self._agents.clear()
        self._works.clear()

    def _file(self) -> None:
        """Bring who is free up to date for the agents who were named."""
        desks, queues = self._books.desks, self._books.plan.queues
        for (channel, queue), free in self._free.items():
            for agent_id in self._agents:
                desk = desks.get(agent_id)
                if desk is not None and desk.ready and desk.has_room(channel, queues.get(queue)):
                    free[agent_id] = desk
                else:
                    free.pop(agent_id, None)

    def _available(self, asks: Asks) -> dict[str, Desk]:
        """Who is ready and has room for one more of this."""
        found = self._free.get(asks)
        if found is None:
            channel, limits = asks[0], self._books.plan.queues.get(asks[1])
            desks = self._books.desks.items()
            found = {name: d for name, d in desks if d.ready and d.has_room(channel, limits)}
            self._free[asks] = found
        return found

    def _check_count(self) -> None:
        books = self._books
        in_line = len(books.lanes) + len(books.offered)
        is_open = in_line + len(books.assignments) + len(books.aside)
        right = books.admitted == is_open + books.ended and is_open == len(books.works)
        books.require(
            right, Law.COUNT, f"admitted {books.admitted}, open {is_open}, ended {books.ended}"
        )
