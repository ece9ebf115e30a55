"""The router for code without an event loop: Django, Flask, Celery, a script, a thread.

The event loop runs in a thread of its own; every call here hands its work over and blocks
until it is done. All methods may be called from any number of threads. A call that is
interrupted (Ctrl-C) is cancelled like any other: it has happened once or not at all.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..engine import Explanation, Statistics
from ..errors import RouterClosedError, UsageError
from ..events import Event
from ..journal import Journal
from ..model import (
    Agent,
    Attribute,
    Inbound,
    Interaction,
    InteractionState,
    Message,
    Presence,
)
from ..plan import Plan
from .clock import Clock, wall_clock
from .desk import Desk
from .offer import Assignment, MessagesMissed, Offer, OfferClosed
from .receipt import Receipt
from .router import Router

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["BlockingAssignment", "BlockingDesk", "BlockingOffer", "BlockingRouter"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _within(timeout_ms: int | None, call: Callable[[], Awaitable[_T]]) -> _T | None:
    """The result, or None when it takes longer."""
    with anyio.move_on_after(None if timeout_ms is None else timeout_ms / 1_000):
        return await call()
    return None


class BlockingRouter:
    """`Router` for threads: ``with BlockingRouter(plan) as router``, or `start` and `close`.

    Takes what `Router` takes; ``on_events`` is called in the router's own thread. Start it
    after the process has forked: threads do not survive a fork. One process owns a router;
    workers in other processes need a way to reach it.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        journal: Journal | str | None = None,
        clock: Clock = wall_clock,
        registry: CollectorRegistry | None = None,
        inbox_limit: int = 10_000,
        message_limit: int = 100,
        on_events: Callable[[tuple[Event, ...]], object] | None = None,
        snapshot_every: int | None = 100_000,
        keep_ms: int | None = None,
    ) -> None:
        self._router = Router(
            plan,
            journal=journal,
            clock=clock,
            registry=registry,
            inbox_limit=inbox_limit,
            message_limit=message_limit,
            on_events=on_events,
            snapshot_every=snapshot_every,
            keep_ms=keep_ms,
        )
        self._portal: BlockingPortal | None = None
        self._exits = ExitStack()

    @property
    def plan(self) -> Plan:
        """The plan it routes by."""
        return self._router.plan

    def start(self) -> None:
        """Start the event loop's thread and open the router."""
        if self._portal is not None:
            raise UsageError("the router is started already")
        with ExitStack() as exits:
            portal = exits.enter_context(start_blocking_portal())
            exits.enter_context(portal.wrap_async_context_manager(self._router))
            self._exits = exits.pop_all()
        self._portal = portal

    def close(self) -> None:
        """Close the router and end the thread; raises what made the router fail."""
        self._portal = None
        self._exits.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal = None
        self._exits.__exit__(kind, error, traceback)

    def submit(
        self,
        message: Message,
        *,
        queue: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
        interaction_id: str | None = None,
        wait: bool = True,
    ) -> Receipt:
        """As `Router.submit`."""
        return self.call(
            self._router.submit,
            message,
            queue=queue,
            priority=priority,
            requirement=requirement,
            interaction_id=interaction_id,
            wait=wait,
        )

    def deliver(self, inbound: Inbound, *, wait: bool = True) -> Receipt:
        """As `Router.deliver`."""
        return self.call(self._router.deliver, inbound, wait=wait)

    def cancel(self, interaction_id: str, reason: str = "") -> bool:
        """As `Router.cancel`."""
        return self.call(self._router.cancel, interaction_id, reason)

    def abandon(self, interaction_id: str, reason: str = "") -> bool:
        """As `Router.abandon`."""
        return self.call(self._router.abandon, interaction_id, reason)

    def reprioritize(self, interaction_id: str, priority: int) -> bool:
        """As `Router.reprioritize`."""
        return self.call(self._router.reprioritize, interaction_id, priority)

    def withdraw(self, offer_id: int) -> bool:
        """As `Router.withdraw`."""
        return self.call(self._router.withdraw, offer_id)

    def sign_out(self, agent_id: str, reason: str = "") -> bool:
        """As `Router.sign_out`."""
        return self.call(self._router.sign_out, agent_id, reason)

    def sign_in(self, agent: Agent | str, *, ready: bool = True) -> BlockingDesk:
        """Sign in now. As a context manager the desk signs out at the end of its block."""

        async def seat() -> Desk:
            return await self._router.sign_in(agent, ready=ready)

        return BlockingDesk(self, self.call(seat))

    def statistics(self) -> Statistics:
        """As `Router.statistics`."""
        return self.call(_later(self._router.statistics))

    def explain(self, interaction_id: str) -> Explanation:
        """As `Router.explain`."""
        return self.call(_later(self._router.explain), interaction_id)

    def interaction(self, interaction_id: str) -> Interaction | None:
        """As `Router.interaction`."""
        return self.call(_later(self._router.interaction), interaction_id)

    def call(
        self, function: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Run an async function in the router's event loop and wait for its result."""
        portal = self._portal
        if portal is None:
            raise RouterClosedError("the router is not running: use `with BlockingRouter(plan)`")
        try:
            future = portal.start_task_soon(functools.partial(function, *args, **kwargs))
        except RuntimeError as error:  # the loop has ended between the two lines
            raise RouterClosedError("the router is closed") from error
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _later(function: Callable[_P, _T]) -> Callable[_P, Awaitable[_T]]:
    """A plain function as one that the event loop runs: the engine has one owner."""

    async def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return function(*args, **kwargs)

    return run


class BlockingDesk:
    """`Desk` for threads."""

    def __init__(self, router: BlockingRouter, desk: Desk) -> None:
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
        found = self._router.call(_later(lambda: self._desk.assignments))
        return tuple(BlockingAssignment(self._router, assignment) for assignment in found)

    def next_offer(self, timeout_ms: int | None = None) -> BlockingOffer | None:
        """The next new offer; None when none came in time or no more can come."""
        offer = self._router.call(_within, timeout_ms, self._desk.next_offer)
        return None if offer is None else BlockingOffer(self._router, offer)

    def offers(self, timeout_ms: int | None = None) -> Iterator[BlockingOffer]:
        """New offers as they come; ends when for so long none came, or no more can come."""
        while (offer := self.next_offer(timeout_ms)) is not None:
            yield offer

    def ready(self) -> bool:
        """As `Desk.ready`."""
        return self._router.call(self._desk.ready)

    def not_ready(self, reason: str = "") -> bool:
        """As `Desk.not_ready`."""
        return self._router.call(self._desk.not_ready, reason)

    def change(
        self,
        *,
        skills: Mapping[str, int] | None = None,
        groups: tuple[str, ...] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        capacity: str | None = None,
    ) -> bool:
        """As `Desk.change`."""
        return self._router.call(
            self._desk.change,
            skills=skills,
            groups=groups,
            attributes=attributes,
            capacity=capacity,
        )

    def sign_out(self, reason: str = "") -> bool:
        """As `Desk.sign_out`."""
        return self._router.call(self._desk.sign_out, reason)


class BlockingOffer:
    """`Offer` for threads."""

    def __init__(self, router: BlockingRouter, offer: Offer) -> None:
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

    def decline(self, reason: str = "") -> bool:
        """As `Offer.decline`."""
        return self._router.call(self._offer.decline, reason)

    def wait_closed(self, timeout_ms: int | None = None) -> OfferClosed | None:
        """As `Offer.wait_closed`; None when it is still open after that time."""
        return self._router.call(_within, timeout_ms, self._offer.wait_closed)


class BlockingAssignment:
    """`Assignment` for threads."""

    def __init__(self, router: BlockingRouter, assignment: Assignment) -> None:
        self._router = router
        self._assignment = assignment
        self.assignment_id = assignment.assignment_id
        self.interaction = assignment.interaction

    @property
    def state(self) -> InteractionState:
        """Where it is now."""
        return self._assignment.state

    @property
    def code(self) -> str:
        """The disposition code, once the conversation is over."""
        return self._assignment.code

    def next_message(self, timeout_ms: int | None = None) -> Message | MessagesMissed | None:
        """The next later message; None when none came in time or the conversation is over."""

        async def next_or_end() -> Message | MessagesMissed | None:
            return await anext(self._assignment.messages, None)

        return self._router.call(_within, timeout_ms, next_or_end)

    def complete(self, code: str = "") -> bool:
        """As `Assignment.complete`."""
        return self._router.call(self._assignment.complete, code)

    def hold(self) -> bool:
        """As `Assignment.hold`."""
        return self._router.call(self._assignment.hold)

    def resume(self) -> bool:
        """As `Assignment.resume`."""
        return self._router.call(self._assignment.resume)

    def requeue(self, reason: str = "") -> bool:
        """As `Assignment.requeue`."""
        return self._router.call(self._assignment.requeue, reason)

    def finish_wrap_up(self) -> bool:
        """As `Assignment.finish_wrap_up`."""
        return self._router.call(self._assignment.finish_wrap_up)

    def wait_closed(self, timeout_ms: int | None = None) -> InteractionState | None:
        """As `Assignment.wait_closed`; None when he still has it after that time."""
        return self._router.call(_within, timeout_ms, self._assignment.wait_closed)
