"""The router for code without an event loop: Django, Flask, Celery, a script, a thread.

The event loop runs in a thread of its own; every call here hands its work over and blocks
until it is done. All methods may be called from any number of threads. A call that is
interrupted (Ctrl-C) is cancelled like any other: it has happened once or not at all.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from ..engine import (
    ExpectedWait,
    Explanation,
    GroupCounts,
    IntervalStatistics,
    OfferExplanation,
    Statistics,
)
from ..engine.replanning import PlanPreview
from ..errors import RouterClosedError, UsageError
from ..events import Event, OwnStep
from ..journal import Journal, Vault
from ..model import Agent, Channel, Inbound, Interaction, Message
from ..observe.timeline import Timeline
from ..plan import Plan
from .answers import Answer
from .blocking_desk import BlockingDesk, later
from .clock import Clock, wall_clock
from .desk import Desk
from .meetings import MeetingProvider
from .receipt import Receipt
from .router import Router

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["BlockingRouter"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


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
        vault: Vault | None = None,
        meetings: MeetingProvider | None = None,
        meeting_timeout_ms: int = 10_000,
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
            vault=vault,
            meetings=meetings,
            meeting_timeout_ms=meeting_timeout_ms,
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
        steps: Sequence[OwnStep] = (),
        start_at_ms: int | None = None,
        max_wait_ms: int | None = None,
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
            steps=steps,
            start_at_ms=start_at_ms,
            max_wait_ms=max_wait_ms,
            wait=wait,
        )

    def deliver(self, inbound: Inbound, *, wait: bool = True) -> Receipt:
        """As `Router.deliver`."""
        return self.call(self._router.deliver, inbound, wait=wait)

    def cancel(self, interaction_id: str, reason: str = "", *, actor: str = "") -> Answer:
        """As `Router.cancel`."""
        return self.call(self._router.cancel, interaction_id, reason, actor=actor)

    def abandon(self, interaction_id: str, reason: str = "") -> Answer:
        """As `Router.abandon`."""
        return self.call(self._router.abandon, interaction_id, reason)

    def reprioritize(
        self,
        interaction_id: str,
        priority: int | None = None,
        *,
        enqueued_at_ms: int | None = None,
        actor: str = "",
    ) -> Answer:
        """As `Router.reprioritize`."""
        return self.call(
            self._router.reprioritize,
            interaction_id,
            priority,
            enqueued_at_ms=enqueued_at_ms,
            actor=actor,
        )

    def move(
        self,
        interaction_id: str,
        queue: str,
        *,
        priority: int | None = None,
        requirement: str | None = None,
        actor: str = "",
    ) -> Answer:
        """As `Router.move`."""
        return self.call(
            self._router.move,
            interaction_id,
            queue,
            priority=priority,
            requirement=requirement,
            actor=actor,
        )

    def move_all(self, queue: str, to: str, *, actor: str = "") -> int:
        """As `Router.move_all`."""
        return self.call(self._router.move_all, queue, to, actor=actor)

    def close_all(self, queue: str, reason: str = "", *, actor: str = "") -> int:
        """As `Router.close_all`."""
        return self.call(self._router.close_all, queue, reason, actor=actor)

    def drain(self, queue: str, *, actor: str = "") -> Answer:
        """As `Router.drain`."""
        return self.call(self._router.drain, queue, actor=actor)

    def reopen(self, queue: str, *, actor: str = "") -> Answer:
        """As `Router.reopen`."""
        return self.call(self._router.reopen, queue, actor=actor)

    def change_plan(
        self,
        plan: Plan,
        *,
        to_waiting: bool = False,
        moves: Mapping[str, str] | None = None,
        actor: str = "",
    ) -> Answer:
        """As `Router.change_plan`."""
        return self.call(
            self._router.change_plan, plan, to_waiting=to_waiting, moves=moves, actor=actor
        )

    def preview_plan(
        self, plan: Plan, *, to_waiting: bool = False, moves: Mapping[str, str] | None = None
    ) -> PlanPreview:
        """As `Router.preview_plan`."""
        return self.call(later(self._router.preview_plan), plan, to_waiting=to_waiting, moves=moves)

    def assign(self, interaction_id: str, agent_id: str, *, actor: str = "") -> Answer:
        """As `Router.assign`."""
        return self.call(self._router.assign, interaction_id, agent_id, actor=actor)

    def unpark(self, interaction_id: str, *, actor: str = "") -> Answer:
        """As `Router.unpark`."""
        return self.call(self._router.unpark, interaction_id, actor=actor)

    def request_callback(
        self, interaction_id: str, address: str = "", *, due_at_ms: int | None = None
    ) -> Answer:
        """As `Router.request_callback`."""
        return self.call(
            self._router.request_callback, interaction_id, address, due_at_ms=due_at_ms
        )

    def withdraw(self, offer_id: int, *, actor: str = "") -> Answer:
        """As `Router.withdraw`."""
        return self.call(self._router.withdraw, offer_id, actor=actor)

    def sign_out(self, agent_id: str, reason: str = "", *, actor: str = "") -> Answer:
        """As `Router.sign_out`."""
        return self.call(self._router.sign_out, agent_id, reason, actor=actor)

    def erase_customer(self, channel: Channel, customer_id: str) -> tuple[str, ...]:
        """As `Router.erase_customer`."""
        return self.call(self._router.erase_customer, channel, customer_id)

    def erase_interaction(self, interaction_id: str) -> tuple[str, ...]:
        """As `Router.erase_interaction`."""
        return self.call(self._router.erase_interaction, interaction_id)

    def sign_in(
        self, agent: Agent | str, *, ready: bool = True, lease_ms: int | None = None
    ) -> BlockingDesk:
        """Sign in now. As a context manager the desk signs out at the end of its block."""

        async def seat() -> Desk:
            return await self._router.sign_in(agent, ready=ready, lease_ms=lease_ms)

        return BlockingDesk(self, self.call(seat))

    def statistics(self) -> Statistics:
        """As `Router.statistics`."""
        return self.call(later(self._router.statistics))

    def groups(self) -> dict[str, GroupCounts]:
        """As `Router.groups`."""
        return self.call(later(self._router.groups))

    def intervals(self) -> tuple[IntervalStatistics, ...]:
        """As `Router.intervals`."""
        return self.call(later(self._router.intervals))

    def expected_wait(
        self, queue: str, position: int | None = None, *, percent: int = 80
    ) -> ExpectedWait | None:
        """As `Router.expected_wait`."""
        return self.call(later(self._router.expected_wait), queue, position, percent=percent)

    def explain_offer(self, offer_id: int) -> OfferExplanation:
        """As `Router.explain_offer`."""
        return self.call(self._router.explain_offer, offer_id)

    def explain(self, interaction_id: str) -> Explanation:
        """As `Router.explain`."""
        return self.call(later(self._router.explain), interaction_id)

    def interaction(self, interaction_id: str) -> Interaction | None:
        """As `Router.interaction`."""
        return self.call(later(self._router.interaction), interaction_id)

    def timeline(
        self, conversation_id: str | None = None, *, interaction_id: str | None = None
    ) -> Timeline:
        """As `Router.timeline`."""
        return self.call(self._router.timeline, conversation_id, interaction_id=interaction_id)

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
