"""What an agent has: an `Assignment`, from the moment he has the customer until it is over.

A view that the router keeps up to date from published events; its methods send commands. One
that comes too late answers `Refused`, and `state` and `ended` say what happened instead.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import final

import msgspec

from ..events import (
    Command,
    Complete,
    Confer,
    Consult,
    Escalate,
    Event,
    ExtendWrapUp,
    FailCallback,
    FinishWrapUp,
    HandOver,
    Hold,
    Kind,
    Park,
    Queued,
    RejectReason,
    Requeue,
    Resume,
    Transfer,
)
from ..model import Channel, Interaction, InteractionState, Message
from .answers import Answer, Refused, Send, done
from .consultation import Consultation, Escalation
from .meetings import Meetings
from .offer import Closing, Messages, revised

__all__ = ["Assignment", "AssignmentEnded", "Means"]


class AssignmentEnded(enum.StrEnum):
    """Why an agent has an interaction no more. A closed list."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REQUEUED = "requeued"  #: given back to its queue, by him or by his signing out
    TRANSFERRED = "transferred"
    HANDED_OVER = "handed_over"  #: to the colleague whom he had consulted
    PARKED = "parked"  #: set aside; it is his still, and comes back as an offer
    CALLBACK_FAILED = "callback_failed"  #: nobody answered; it is tried again later


class Means(msgspec.Struct, frozen=True):
    """What an assignment works with: the way to the engine, and to the makers of links."""

    send: Send
    meetings: Meetings
    message_limit: int


_WITH_CUSTOMER = frozenset({InteractionState.ENGAGED, InteractionState.HELD})
_FAILED = "callback_failed"


@final
class Assignment(Closing):
    """An accepted offer, or what came without one: the agent has the interaction.

    ``interaction`` is the picture of the moment at which he got it, with every message so far;
    ``messages`` streams those that come later. ``state`` is always current while he has it; at
    the end it is what the interaction became, and ``ended`` says why he has it no more.
    ``code`` is the disposition code: the agent's, or ``customer_left``. ``in_conference``: a
    colleague has the customer too.
    """

    __slots__ = (
        "_consultations",
        "_let_go",
        "_means",
        "assignment_id",
        "claimed",
        "code",
        "ended",
        "escalations",
        "in_conference",
        "interaction",
        "messages",
        "state",
    )

    def __init__(self, means: Means, assignment_id: int, interaction: Interaction) -> None:
        super().__init__()
        self._means = means
        self.assignment_id = assignment_id
        self.interaction = interaction
        self.state = InteractionState.ENGAGED
        self.ended: AssignmentEnded | None = None
        self.code = ""
        self.messages = Messages(means.message_limit)
        self.in_conference = False
        #: the interactions that it was escalated to, by id; oldest first
        self.escalations: tuple[str, ...] = ()
        #: somebody has it as the answer of a call: `Desk.given` leaves it out
        self.claimed = False
        self._consultations: dict[str, Consultation] = {}
        self._let_go = False

    @property
    def closed(self) -> bool:
        """True when the agent has it no more."""
        return self.ended is not None

    @property
    def consultation(self) -> Consultation | None:
        """The colleague who is asked or consulted now; None: nobody."""
        asked = self._consultations.values()
        return next((one for one in reversed(asked) if not one.closed), None)

    # --- its end ----------------------------------------------------------------------------

    async def complete(self, code: str = "") -> Answer:
        """The conversation is over; wrap-up follows where the queue has one.

        Refused: it was over already (the customer left, or it was cancelled). Completing
        twice with the same code gives the same answer, so it can be repeated. Raises
        `UnknownNameError` for a code that is none of the queue's.
        """
        answer = done(await self._send(Complete(self.assignment_id, code)))
        is_so = self._is_completed and self.code == code
        return True if is_so else answer

    async def finish_wrap_up(self) -> Answer:
        """The after-contact work is done. Refused: there is none, or it ends by time only."""
        return done(await self._send(FinishWrapUp(self.assignment_id)))

    async def extend_wrap_up(self, by_ms: int) -> Answer:
        """He needs more time. Refused: no wrap-up with an end runs, or the queue allows no more."""
        return done(await self._send(ExtendWrapUp(self.assignment_id, by_ms)))

    async def wait_closed(self) -> InteractionState:
        """Wait until the agent has it no more; returns what the interaction is then.

        The end of the conversation comes before that of the wrap-up: it ends `messages`.
        When the router closes first, this returns the state it still has.
        """
        while not self.closed and not self._let_go:
            await self._until_woken()
        return self.state

    # --- meanwhile ---------------------------------------------------------------------------

    async def hold(self) -> Answer:
        """Put the customer on hold. Refused: it was not engaged."""
        return done(await self._send(Hold(self.assignment_id)))

    async def resume(self) -> Answer:
        """Take the customer off hold. Refused: it was not held."""
        return done(await self._send(Resume(self.assignment_id)))

    async def park(self, until_ms: int | None = None) -> Answer:
        """Set it aside: it frees his capacity, stays his, and comes back to him in front.

        Until that moment, until `Desk.unpark`, or until the customer writes again. Refused:
        it was over, or ``max_set_aside`` are set aside already. Parking twice gives the same
        answer.
        """
        return await self._give_away(Park(self.assignment_id, until_ms), AssignmentEnded.PARKED)

    # --- into other hands ----------------------------------------------------------------------

    async def requeue(self, reason: str = "") -> Answer:
        """Give it back to its queue; it keeps its age. Refused: it was over already.

        Giving it back twice gives the same answer, so it can be repeated.
        """
        command = Requeue(self.assignment_id, reason)
        return await self._give_away(command, AssignmentEnded.REQUEUED)

    async def transfer(
        self,
        *,
        queue: str | None = None,
        agent_id: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
        reason: str = "",
    ) -> Answer:
        """Give it to a queue, to an agent, or to an agent first and then the queue's others.

        It keeps its place by age; ``priority`` and ``requirement`` None stay as they are.
        Refused: it was over, or the agent is not signed in, or it is himself. Transferring
        twice gives the same answer. Raises `CommandError` when neither is given,
        `UnknownNameError` for a queue that the plan does not know.
        """
        command = Transfer(self.assignment_id, queue, agent_id, priority, requirement, reason)
        return await self._give_away(command, AssignmentEnded.TRANSFERRED)

    async def consult(
        self,
        *,
        queue: str | None = None,
        agent_id: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
    ) -> Consultation | Refused:
        """Ask a colleague, of a queue or a certain one; the customer stays with this agent.

        The colleague gets an offer like any other. Then `hand_over` gives him the customer,
        and `confer` takes him into the conversation. Refused: it was over, a colleague is
        asked already (`consultation`), the agent is not signed in, or it is himself.
        """
        command = Consult(self.assignment_id, queue, agent_id, priority, requirement)
        events = await self._send(command)
        asked = self._beside(events, Kind.CONSULT)
        return asked if isinstance(asked, Refused) else self._consultations[asked]

    async def hand_over(self) -> Answer:
        """Give the customer to the colleague who is consulted; he gets an assignment.

        Refused: it was over, or no colleague has taken the consult. Doing it twice gives the
        same answer.
        """
        command = HandOver(self.assignment_id)
        return await self._give_away(command, AssignmentEnded.HANDED_OVER)

    async def confer(self) -> Answer:
        """Take the colleague who is consulted into the conversation. Refused: as `hand_over`."""
        return done(await self._send(Confer(self.assignment_id)))

    async def fail_callback(self, reason: str = "") -> Answer:
        """He called, and nobody answered: again later, or completed after the last attempt.

        Refused: it is no callback, or was over. Doing it twice gives the same answer.
        """
        command = FailCallback(self.assignment_id, reason)
        answer = await self._give_away(command, AssignmentEnded.CALLBACK_FAILED)
        return True if self._is_completed and self.code == _FAILED else answer

    async def escalate(
        self, channel: Channel, *, link: str | None = None, queue: str | None = None
    ) -> Escalation | Refused:
        """Step to another channel with the same customer: from a post or a chat to a call.

        A further interaction of the same conversation is offered to this agent, before
        everything else that waits for him; it carries the subject, links and attachments so
        far, and ``link``, where the two meet. This one stays open beside it.

        ``link`` None: the router's meeting provider is asked for one, before anything has
        changed. Raises `MeetingError` when it fails, `UsageError` for video without a provider
        and a link. Refused: it was over. A call that was cancelled may have escalated:
        `escalations` tells.
        """
        channel = Channel(channel)
        if self.closed:
            return Refused(RejectReason.UNKNOWN_ASSIGNMENT)
        if self.state not in _WITH_CUSTOMER:
            return Refused(RejectReason.ILLEGAL_STATE)
        if link is None:
            link = await self._means.meetings.link(self.interaction, channel, queue)
        events = await self._send(Escalate(self.assignment_id, channel, link, queue))
        opened = self._beside(events, Kind.ESCALATION)
        return opened if isinstance(opened, Refused) else Escalation(opened, link)

    @property
    def _is_completed(self) -> bool:
        is_completed = self.ended is AssignmentEnded.COMPLETED
        return is_completed or self.state is InteractionState.WRAP_UP

    async def _send(self, command: Command) -> tuple[Event, ...]:
        return await self._means.send(command)

    async def _give_away(self, command: Command, ended: AssignmentEnded) -> Answer:
        answer = done(await self._send(command))
        return True if self.ended is ended else answer

    def _beside(self, events: tuple[Event, ...], kind: Kind) -> str | Refused:
        """The id of the interaction that was opened beside this one."""
        answer = done(events)
        if not answer:
            return answer
        parent_id = self.interaction.id
        opened = (event for event in events if isinstance(event, Queued))
        return next(e.interaction_id for e in opened if (e.parent_id, e.kind) == (parent_id, kind))

    # --- the router's notes -------------------------------------------------------------------

    def move(self, state: InteractionState, ended: AssignmentEnded | None = None) -> None:
        """A new state; with ``ended`` he has it no more."""
        self.state = state
        self.ended = ended
        if ended is not None or state is InteractionState.WRAP_UP:
            self.messages.end()
        if ended is not None:
            self.in_conference = False
            self._wake()

    def consults(self, consultation: Consultation) -> None:
        """A colleague is asked."""
        self._consultations[consultation.interaction_id] = consultation

    def escalated(self, interaction_id: str) -> None:
        """A step to another channel."""
        self.escalations = (*self.escalations, interaction_id)

    def revise(self, message_id: str, change: Callable[[Message], Message]) -> None:
        """The customer changed or deleted a message.

        One that may have been read comes once more, as it is now.
        """
        first = self.interaction.message
        self.interaction = revised(self.interaction, message_id, change)
        if not self.messages.revise(message_id, change):
            named = msgspec.structs.replace(
                first, message_id=message_id, sent_at_ms=None, received_at_ms=None
            )
            self.messages.put(change(named))

    def let_go(self) -> None:
        """The router will tell nothing more."""
        self._let_go = True
        self.messages.end()
        self._wake()

    def __repr__(self) -> str:
        return f"<Assignment {self.assignment_id} of {self.interaction.id!r}, {self.state.value}>"
