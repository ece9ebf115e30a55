"""An independent reader of events that re-checks every law of the engine.

The auditor knows the plan and the events, never the engine: it keeps its own books (`books`),
checks each event against the laws (`laws`) and raises `AuditError` at the first that breaks
one, or at the end of a batch when something that had to happen did not. It decides nothing, so
it cannot share a mistake with the engine that decides.

Order is checked inside a lane, where it is absolute. Between lanes it is checked where an agent
certainly chose among all that he could get, by tier, share and key; else it depends on who was
free when, and that is what the slow model in the tests is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..events import Event
from ..plan import Plan
from .books import OPEN, SUBJECTS, AuditError, Books, Law
from .laws import HANDLERS, is_refused_by_all
from .offer_laws import candidates

__all__ = ["AuditError", "Auditor", "Law"]


class Auditor:
    """Reads the events of one engine from its first on.

    ``observe(event)`` for each event, ``at_rest(now_ms)`` after each batch; both raise
    `AuditError`. ``figures()`` are counts in the shape of the engine's statistics.

    ``observe`` costs a few dictionary look-ups, for an offer also a look at the older ones of
    the lane, and at the heads of all lanes when the agent chose; ``at_rest`` looks at each ready
    agent with each lane.
    """

    def __init__(self, plan: Plan) -> None:
        self._books = Books(plan)

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
        HANDLERS[type(event)](books, event)

    def at_rest(self, now_ms: int | None = None, *, whole: bool = False) -> None:  # noqa: ARG002
        """Check what must hold when a batch is over, at ``now_ms`` (None: the last event's).

        Raises `AuditError` with the last event when something that had to follow did not.
        """
        books = self._books
        if now_ms is not None and now_ms > books.now_ms:
            books.pass_time(now_ms)
        books.check_duties()
        for work in books.refused.values():
            refused = is_refused_by_all(books, work)
            books.require(not refused, Law.REFUSAL, f"all have refused {work.id!r}")
        self._check_work()
        self._check_count()
        books.touched.clear()

    def figures(self) -> dict[str, Any]:
        """The counts as `engine.Statistics` has them (as builtins), but for its ``now_ms``."""
        books = self._books
        states = Counter(work.state for work in books.works.values())
        return {
            **{state.value: states[state] for state in OPEN},
            "agents_signed_in": len(books.desks),
            "agents_ready": sum(desk.ready for desk in books.desks.values()),
            **books.figures.totals(books.plan, books.in_line),
        }

    def _check_work(self) -> None:
        """The law that makes it a router: nobody idles beside work that he may be offered."""
        books = self._books
        for desk in books.desks.values():
            for work in candidates(books, desk) if desk.ready else ():
                books.fail(Law.WORK, f"{desk.agent.id!r} is free and {work.id!r} waits")

    def _check_count(self) -> None:
        books = self._books
        offered = {work.id for work in books.offers.values()}
        is_open = len(books.lanes) + len(offered) + len(books.assignments)
        right = books.admitted == is_open + books.ended and is_open == len(books.works)
        books.require(
            right, Law.COUNT, f"admitted {books.admitted}, open {is_open}, ended {books.ended}"
        )
