"""The desk, its offers and assignments for threads; `blocking` has the router."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Protocol, Self, TypeVar, final

import anyio

from ..errors import RouterClosedError
from ..model import Agent, Attribute, Channel, Interaction, InteractionState, Message, Presence
from .answers import Answer, Refused
from .assignment import Assignment, AssignmentEnded
from .consultation import Consultation, Escalation
from .desk import Desk
from .offer import MessagesMissed, Offer, OfferClosed

__all__ = ["BlockingAssignment", "BlockingConsultation", "BlockingDesk", "BlockingOffer", "later"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Caller(Protocol):
    """What runs an async function in the router's thread: a `BlockingRouter`."""

    def call(
        self, function: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run it and wait for its result."""
        ...


async def _within(timeout_ms: int | None, call: Callable[[], Awaitable[_T]]) -> _T | None:
    """The result, or None when it takes longer."""
    with anyio.move_on_after(None if timeout_ms is None else timeout_ms / 1_000):
        return await call()
    return None


def later(function: Callable[_P, _T]) -> Callable[_P, Awaitable[_T]]:
    """A plain function as one that the event loop runs: the engine has one owner."""

    async def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return function(*args, **kwargs)

    return run


class BlockingDesk:
    """`Desk` for threads."""

    def __init__(self, router: Caller, desk: Desk) -> None:
        self._router = router
        self._desk = desk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(RouterClosedError):  # the router's own exit tells
            self.sign_out()

    @property
    def agent(self) -> Agent:
        """The agent as he is now."""
        return self._desk.agent

    @property
    def presence(self) -> Presence:
        """What he says of himself now."""
        return self._desk.presence

    @property
    def assignments(self) -> tuple[BlockingAssignment, ...]:
        """What he has, wrap-up included; oldest acceptance first."""
        found = self._router.call(later(lambda: self._desk.assignments))
        return tuple(BlockingAssignment(self._router, assignment) for assignment in found)

    def next_offer(self, timeout_ms: int | None = None) -> BlockingOffer | None:
        """The next new offer; None when none came in time or no more can come."""
        offer = self._router.call(_within, timeout_ms, self._desk.next_offer)
        return None if offer is None else BlockingOffer(self._router, offer)

    def offers(self, timeout_ms: int | None = None) -> Iterator[BlockingOffer]:
        """New offers as they come; ends when for so long none came, or no more can come."""
        while (offer := self.next_offer(timeout_ms)) is not None:
            yield offer

    def next_given(self, timeout_ms: int | None = None) -> BlockingAssignment | None:
        """As `Desk.next_given`; None also when none came in time."""
        found = self._router.call(_within, timeout_ms, self._desk.next_given)
        return None if found is None else BlockingAssignment(self._router, found)

    def visible(self) -> list[Interaction]:
        """As `Desk.visible`."""
        return self._router.call(later(self._desk.visible))

    def pick(self, interaction_id: str) -> BlockingAssignment | Refused:
        """As `Desk.pick`."""
        found = self._router.call(self._desk.pick, interaction_id)
        return found if isinstance(found, Refused) else BlockingAssignment(self._router, found)

    def parked(self) -> list[Interaction]:
        """As `Desk.parked`."""
        return self._router.call(later(self._desk.parked))

    def unpark(self, interaction_id: str) -> Answer:
        """As `Desk.unpark`."""
        return self._router.call(self._desk.unpark, interaction_id)

    def ready(self) -> Answer:
        """As `Desk.ready`."""
        return self._router.call(self._desk.ready)

    def not_ready(self, reason: str = "") -> Answer:
        """As `Desk.not_ready`."""
        return self._router.call(self._desk.not_ready, reason)

    def renew(self) -> Answer:
        """As `Desk.renew`."""
        return self._router.call(self._desk.renew)

    def change(
        self,
        *,
        skills: Mapping[str, int] | None = None,
        groups: tuple[str, ...] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        capacity: str | None = None,
    ) -> Answer:
        """As `Desk.change`."""
        return self._router.call(
            self._desk.change,
            skills=skills,
            groups=groups,
            attributes=attributes,
            capacity=capacity,
        )

    def sign_out(self, reason: str = "") -> Answer:
        """As `Desk.sign_out`."""
        return self._router.call(self._desk.sign_out, reason)


class BlockingOffer:
    """`Offer` for threads."""

    def __init__(self, router: Caller, offer: Offer) -> None:
        self._router = router
        self._offer = offer
        self.offer_id = offer.offer_id
        self.interaction = offer.interaction
        self.expires_at_ms = offer.expires_at_ms

    @property
    def closed(self) -> OfferClosed | None:
        """Why it is over; None while it is open."""
        return self._offer.closed

    def accept(self) -> BlockingAssignment | None:
        """As `Offer.accept`."""
        assignment = self._router.call(self._offer.accept)
        return None if assignment is None else BlockingAssignment(self._router, assignment)

    def decline(self, reason: str = "") -> Answer:
        """As `Offer.decline`."""
        return self._router.call(self._offer.decline, reason)

    def wait_closed(self, timeout_ms: int | None = None) -> OfferClosed | None:
        """As `Offer.wait_closed`; None when it is still open after that time."""
        return self._router.call(_within, timeout_ms, self._offer.wait_closed)


@final
class BlockingAssignment:
    """`Assignment` for threads."""

    def __init__(self, router: Caller, assignment: Assignment) -> None:
        self._router = router
        self._assignment = assignment
        self.assignment_id = assignment.assignment_id
        self.interaction = assignment.interaction

    @property
    def state(self) -> InteractionState:
        """Where it is now."""
        return self._assignment.state

    @property
    def ended(self) -> AssignmentEnded | None:
        """Why he has it no more; None while he has it."""
        return self._assignment.ended

    @property
    def in_conference(self) -> bool:
        """Whether a colleague has the customer too."""
        return self._assignment.in_conference

    @property
    def escalations(self) -> tuple[str, ...]:
        """The interactions that it was escalated to, by id; oldest first."""
        return self._assignment.escalations

    @property
    def code(self) -> str:
        """The disposition code, once the conversation is over."""
        return self._assignment.code

    def next_message(self, timeout_ms: int | None = None) -> Message | MessagesMissed | None:
        """The next later message; None when none came in time or the conversation is over."""

        async def next_or_end() -> Message | MessagesMissed | None:
            return await anext(self._assignment.messages, None)

        return self._router.call(_within, timeout_ms, next_or_end)

    def complete(self, code: str = "") -> Answer:
        """As `Assignment.complete`."""
        return self._router.call(self._assignment.complete, code)

    def hold(self) -> Answer:
        """As `Assignment.hold`."""
        return self._router.call(self._assignment.hold)

    def resume(self) -> Answer:
        """As `Assignment.resume`."""
        return self._router.call(self._assignment.resume)

    def requeue(self, reason: str = "") -> Answer:
        """As `Assignment.requeue`."""
        return self._router.call(self._assignment.requeue, reason)

    def park(self, until_ms: int | None = None) -> Answer:
        """As `Assignment.park`."""
        return self._router.call(self._assignment.park, until_ms)

    def transfer(
        self,
        *,
        queue: str | None = None,
        agent_id: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
        reason: str = "",
    ) -> Answer:
        """As `Assignment.transfer`."""
        return self._router.call(
            self._assignment.transfer,
            queue=queue,
            agent_id=agent_id,
            priority=priority,
            requirement=requirement,
            reason=reason,
        )

    def consult(
        self,
        *,
        queue: str | None = None,
        agent_id: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
    ) -> BlockingConsultation | Refused:
        """As `Assignment.consult`."""
        found = self._router.call(
            self._assignment.consult,
            queue=queue,
            agent_id=agent_id,
            priority=priority,
            requirement=requirement,
        )
        return found if isinstance(found, Refused) else BlockingConsultation(self._router, found)

    def hand_over(self) -> Answer:
        """As `Assignment.hand_over`."""
        return self._router.call(self._assignment.hand_over)

    def confer(self) -> Answer:
        """As `Assignment.confer`."""
        return self._router.call(self._assignment.confer)

    def escalate(
        self, channel: Channel, *, link: str | None = None, queue: str | None = None
    ) -> Escalation | Refused:
        """As `Assignment.escalate`."""
        return self._router.call(self._assignment.escalate, channel, link=link, queue=queue)

    def fail_callback(self, reason: str = "") -> Answer:
        """As `Assignment.fail_callback`."""
        return self._router.call(self._assignment.fail_callback, reason)

    def extend_wrap_up(self, by_ms: int) -> Answer:
        """As `Assignment.extend_wrap_up`."""
        return self._router.call(self._assignment.extend_wrap_up, by_ms)

    def finish_wrap_up(self) -> Answer:
        """As `Assignment.finish_wrap_up`."""
        return self._router.call(self._assignment.finish_wrap_up)

    def wait_closed(self, timeout_ms: int | None = None) -> InteractionState | None:
        """As `Assignment.wait_closed`; None when he still has it after that time."""
        return self._router.call(_within, timeout_ms, self._assignment.wait_closed)


@final
class BlockingConsultation:
    """`Consultation` for threads."""

    def __init__(self, router: Caller, consultation: Consultation) -> None:
        self._router = router
        self._consultation = consultation
        self.interaction_id = consultation.interaction_id

    @property
    def agent_id(self) -> str | None:
        """The colleague who has taken it; None before."""
        return self._consultation.agent_id

    @property
    def state(self) -> InteractionState:
        """Where it is now."""
        return self._consultation.state

    def wait_taken(self, timeout_ms: int | None = None) -> str | None:
        """As `Consultation.wait_taken`; None also when nobody took it in time."""
        return self._router.call(_within, timeout_ms, self._consultation.wait_taken)

    def wait_closed(self, timeout_ms: int | None = None) -> InteractionState | None:
        """As `Consultation.wait_closed`; None when it is not over after that time."""
        return self._router.call(_within, timeout_ms, self._consultation.wait_closed)

    def cancel(self, reason: str = "") -> Answer:
        """As `Consultation.cancel`."""
        return self._router.call(self._consultation.cancel, reason)
