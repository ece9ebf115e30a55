"""What can be read off a router. One half of `Router`: nothing here changes anything."""

from __future__ import annotations

from ..engine import (
    Engine,
    ExpectedWait,
    Explanation,
    GroupCounts,
    IntervalStatistics,
    OfferExplanation,
    Statistics,
)
from ..journal import Journal
from ..model import Interaction
from ..observe.timeline import Timeline
from ..plan import Plan
from .assignment import Assignment
from .desks import Desks
from .hindsight import explain_offer
from .history import read_timeline
from .offer import Offer

__all__ = ["Overview"]


class Overview:
    """Numbers, pictures, explanations, timelines."""

    journal: Journal
    _engine: Engine
    _given_plan: Plan
    _desks: Desks

    # These read the engine as it is now, which may be one frame ahead of a slow journal.

    def statistics(self) -> Statistics:
        """Counts and times per queue and channel."""
        return self._engine.statistics()

    def groups(self) -> dict[str, GroupCounts]:
        """Counts and occupancy of each agent group. O(agents)."""
        return self._engine.groups()

    def intervals(self) -> tuple[IntervalStatistics, ...]:
        """The same counts by interval, oldest first; the last is running."""
        return self._engine.intervals()

    def expected_wait(
        self, queue: str, position: int | None = None, *, percent: int = 80
    ) -> ExpectedWait | None:
        """How long who comes to a queue now will wait, or who is at a position of it.

        ``percent`` of the waits are expected between the bounds. None: too few samples. Raises
        `UnknownNameError` for an unknown queue.
        """
        return self._engine.expected_wait(queue, position, percent=percent)

    def explain(self, interaction_id: str) -> Explanation:
        """Why an open interaction is where it is; raises `UnknownNameError` for another."""
        return self._engine.explain(interaction_id)

    def interaction(self, interaction_id: str) -> Interaction | None:
        """A picture of an open interaction; None when it has ended or never was."""
        return self._engine.interaction(interaction_id)

    def interactions(self) -> list[Interaction]:
        """Pictures of all open interactions, oldest first. O(open), so not on every event."""
        return self._engine.interactions()

    # These show what is durable and told, as the desks do.

    def offer(self, interaction_id: str) -> Offer | None:
        """The oldest open offer of an interaction, at whosever desk; None when there is none."""
        return next(iter(self._desks.offers(interaction_id)), None)

    def offers(self, interaction_id: str) -> tuple[Offer, ...]:
        """Its open offers, oldest first: several where the queue's ``offers`` says so."""
        return self._desks.offers(interaction_id)

    def assignment(self, interaction_id: str) -> Assignment | None:
        """Who has an interaction and in which state; None when nobody has it."""
        return self._desks.assignment(interaction_id)

    async def explain_offer(self, offer_id: int) -> OfferExplanation:
        """Why an offer was made: candidates, filters, scores and tie-break of its moment.

        Replays the journal up to the offer: O(journal), on demand. What was offered before any
        change of plan is explained under the plan that the router was given. Raises
        `UnknownNameError` when it has no such offer, `JournalError`.
        """
        return await explain_offer(self.journal, self._given_plan, offer_id)

    async def timeline(
        self, conversation_id: str | None = None, *, interaction_id: str | None = None
    ) -> Timeline:
        """Everything about one conversation over all its channels: what was said, who had it.

        ``conversation_id`` is that of an `Interaction`; with ``interaction_id`` it is the
        conversation of the last interaction of that id. Reads the journal: O(journal), on
        demand; what the journal no longer keeps is missing. Raises `UsageError` unless one of
        the two is given, `JournalError`.
        """
        return await read_timeline(self.journal, conversation_id, interaction_id=interaction_id)
