"""The router: the engine, live. Messages come in, human agents' desks get offers.

Everything is decided by the synchronous engine and goes one way, through the `Ledger`:
decide, remember, tell. What is here is the front of it, and the life of the background
work: one task writes the journal, one watches the deadlines. Both live in a hosted task
(`hosting`), so a router may be opened in one task and closed in another. A failure in the
background is kept: the next call raises `RouterClosedError` with it as the cause, and
leaving the router raises it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import msgspec
from anyio.abc import TaskStatus

from ..engine import Engine, command_of
from ..engine.standing import standing
from ..errors import RouterError, UnknownNameError, UsageError
from ..events import Command, Event, OwnStep, Submit
from ..journal import Journal, Vault
from ..model import (
    Agent,
    Channel,
    Disposition,
    Inbound,
    InteractionState,
    Message,
    Presence,
)
from ..observe import EventLog
from ..plan import Plan
from .alarm import Alarm
from .assignment import Means
from .checks import checked_inbound
from .clock import Clock, wall_clock
from .desk import SigningIn
from .desks import Desks
from .door import Door
from .eraser import Eraser, keys_in_contact
from .hosting import host
from .keeper import Keeper
from .ledger import Decided, Ledger
from .meetings import MeetingProvider, Meetings
from .overview import Overview
from .receipt import Outcome, Receipt, receipt_of, receipt_of_delivery
from .seating import Seating
from .supervision import Supervision

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ..observe.metrics import Metrics

__all__ = ["Router"]


def _nobody(_events: Iterable[Event]) -> None:
    """Without metrics nobody hears of what is recovered."""


class Router(Supervision, Overview):
    """Routes messages to human agents while it is open: ``async with Router(plan) as router``.

    ``journal`` keeps what happens; a journal that already holds events is recovered first, so
    a router continues where the one before stopped. It is a URL such as
    ``sqlite:///router.db``, which the router opens and closes, or a journal, closed by
    whoever opened it; None is a `MemoryJournal` that lasts as long as the router.
    ``clock`` gives integer milliseconds; default is the wall clock, never going backwards.
    ``registry``: a prometheus-client registry to export metrics on; None: no metrics.
    ``inbox_limit``: how many commands may wait for a slow journal before `submit` waits.
    ``message_limit``: how many unread later messages an assignment keeps for its agent.
    ``on_events``: called with the events of each command, in order, when they are durable
    and published; not with those of a replay. It runs inside the router, so it must be
    quick and must not wait. What it raises stops nothing and is logged, once per type.
    ``snapshot_every``: after how many events another process makes a snapshot of a journal
    in a store, so that a recovery need not begin at the beginning; None: never.
    ``keep_ms``: after a snapshot, what is older is dropped from the journal; None: nothing.
    ``vault``: seals what is personal in the journal of that URL; see `KeyVault`.
    ``meetings``: who makes the links where a customer and an agent meet, when work is escalated
    to voice or video (`TemplateMeetings`, or your own `MeetingProvider`); None: nobody. It has
    ``meeting_timeout_ms`` to answer.

    A router is opened once. It runs on asyncio and trio, and must be called from the
    thread of its event loop; `BlockingRouter` is for everybody else.
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
        for name, limit in (("inbox_limit", inbox_limit), ("message_limit", message_limit)):
            if limit < 1:
                raise UsageError(f"{name} must be at least 1, got {limit!r}")
        self._log = EventLog()
        self._keeper = Keeper(
            journal,
            plan,
            clock,
            self._log,
            snapshot_every=snapshot_every,
            keep_ms=keep_ms,
            vault=vault,
        )
        self._keeper.in_contact = lambda: keys_in_contact(self._engine)
        self.journal = self._keeper.journal
        self._engine = Engine(plan)
        self._given_plan = plan
        self._ledger = Ledger(
            self._engine,
            self.journal,
            clock,
            inbox_limit=inbox_limit,
            publish=self._publish,
            stopped=self._failed,
        )
        self._door = Door(self._ledger)
        self._eraser = Eraser(self._door, self._keeper)
        self._seating = Seating(self._ledger, self._door)
        self._ledger.new_desk = self._seating.orphan
        maker = Meetings(lambda: self.plan, meetings, meeting_timeout_ms)
        self._desks = Desks(Means(self._door.send, maker, message_limit))
        self._on_events = on_events
        self._metrics: Metrics | None = None
        self._registry = registry
        self._delivered: Counter[tuple[Channel, Disposition]] = Counter()
        self._entered = False
        self._opening: anyio.CancelScope | None = None
        self._stop = anyio.Event()
        self._started = anyio.Event()
        self._finished = anyio.Event()

    # --- life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._enter()
        host(self._hosted, "omniroute router")
        try:
            await self._started.wait()
        except BaseException:
            await self._shut_down()
            raise
        if self._ledger.failure is not None:
            raise self._ledger.failure
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._shut_down()
        failure = self._ledger.failure
        told = failure in (error, error.__cause__ if error is not None else None)
        if failure is not None and not told:
            raise failure

    async def serve(self, *, task_status: TaskStatus[Router] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run in your own task group instead: ``await group.start(router.serve)``.

        Runs until cancelled; what was decided becomes durable before it returns. Raises
        what made the router fail.
        """
        self._enter()
        await self._run(task_status)
        if self._ledger.failure is not None:
            raise self._ledger.failure

    def _enter(self) -> None:
        if self._entered:
            raise UsageError("a router is opened once: make a new Router for another run")
        self._entered = True

    async def _hosted(self) -> None:
        try:
            await self._run(anyio.TASK_STATUS_IGNORED)
        finally:
            self._started.set()
            self._finished.set()

    async def _run(self, task_status: TaskStatus[Router]) -> None:
        ledger = self._ledger
        try:
            with anyio.CancelScope() as self._opening:
                await self._open()
            if self._stop.is_set():
                return
            async with anyio.create_task_group() as group:
                group.start_soon(self._write)
                alarm = Alarm(ledger)
                group.start_soon(alarm.run)
                group.start_soon(self._keep)
                if self._engine.plan != self._given_plan:
                    # It was changed at run time before this start; what is given now holds.
                    await self.change_plan(self._given_plan, actor="start")
                self._started.set()
                task_status.started(self)
                try:
                    await self._stop.wait()
                finally:
                    ledger.close()
                    group.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - kept, and raised where somebody listens
            ledger.fail(error)
        finally:
            ledger.close()
            self._desks.let_go()
            await self._keeper.aclose()
            if self._metrics is not None:
                self._metrics.unregister()
            self._log.stopped(ledger.failure)

    async def _open(self) -> None:
        self._ledger.check_clock()
        if self._registry is not None:
            from ..observe.metrics import Metrics

            queues = self.plan.queues.values()
            targets = {queue.name: queue.service_level.target_ms for queue in queues}
            self._metrics = Metrics(
                targets,
                self._ledger.now_ms,
                self._delivered,
                self._ewt_ms,
            )
            self._metrics.register(self._registry)
        await self._recover()

    async def _recover(self) -> None:
        await self._keeper.open()
        metrics, ledger = self._metrics, self._ledger
        found = await ledger.recover(_nobody if metrics is None else metrics.observe)
        engine = self._engine = ledger.engine
        here = standing(engine)
        self._desks.restore(here, self._seating.orphan, found.not_ready)
        ledger.seats.update(self._desks.by_agent)
        if metrics is not None and not found.whole:
            ready = {each.agent.id: each.presence is Presence.READY for each in here}
            since = {h.interaction.id: h.accepted_at_ms for each in here for h in each.held}
            offers = Counter(
                held.interaction.id
                for each in here
                for held in each.held
                if held.interaction.state is InteractionState.OFFERED
            )
            metrics.resume(engine.interactions(), ready, since, offers)
        self._keeper.published(found.next_seq - found.snapshot_seq)
        ledger.open()
        self._log.started(self.plan.name, found.next_seq - 1, plan_changed=found.plan_changed)

    async def _write(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._ledger.run()

    async def _keep(self) -> None:
        try:
            await self._eraser.finish()
        except (RouterError, OSError) as error:
            self._log.erasure_failed(error)
        await self._keeper.run()

    async def _shut_down(self) -> None:
        self._stop.set()
        if self._opening is not None and not self._started.is_set():
            self._opening.cancel()
        with anyio.CancelScope(shield=True):
            await self._finished.wait()

    def _failed(self) -> None:
        self._stop.set()

    def _publish(self, decided: Decided) -> None:
        events = decided.entry.events
        self._keeper.published(len(events))
        self._desks.publish(events, decided.pictures, decided.arriving)
        if self._metrics is not None:
            self._metrics.observe(events)
        self._log.observe(events)
        if self._on_events is not None and events:
            try:
                self._on_events(events)
            except Exception as error:  # noqa: BLE001 - the application's fault, not the router's
                self._log.callback_failed(error)

    def _ewt_ms(self, queue: str) -> int | None:
        """For the metrics; recovery replaces the engine."""
        return self._engine.ewt_ms(queue)

    @property
    def plan(self) -> Plan:
        """The plan it routes by, as of now."""
        return self._engine.plan

    # --- any command ----------------------------------------------------------------------

    async def send(self, command: Command, *, wait: bool = True) -> tuple[Event, ...]:
        """Send any command of `omniroute.events`; returns its events when they are durable.

        Everything else here is made of this. Raises `CommandError` for a command that
        holds what it must not, such as text where a number belongs.
        """
        return await self._door.send(command, wait=wait)

    # --- messages in ----------------------------------------------------------------------

    async def submit(
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
        """Route a message: it opens an interaction, joins an open thread, or is a repeat.

        ``queue`` None lets the plan's triage choose, ``priority`` None takes the rule's or
        the queue's, ``requirement`` is an expression about agents that is added to the
        queue's own, ``interaction_id`` None numbers it. When this returns, it is durable.

        ``steps`` come before the queue's ladder: preferred agents, say
        (``OwnStep('agent in ["ann", "bob"]', for_ms=30_000)``). With ``start_at_ms`` it begins
        to wait at that moment (`Outcome.SCHEDULED`); after ``max_wait_ms`` of waiting it is
        cancelled (None: the queue's).

        With the inbox full it waits; with ``wait=False`` it raises `RouterBusyError`.
        Cancelled, it has happened once or not at all: submit again with the same
        ``message_id`` and a repeat answers `Outcome.DUPLICATE`.

        Raises `UnknownNameError`, `CommandError` or `ExpressionError` for a mistake in the
        arguments, `RouterClosedError` when the router is not running.
        """
        command = Submit(
            message,
            queue,
            priority,
            requirement,
            interaction_id,
            tuple(steps),
            start_at_ms=start_at_ms,
            max_wait_ms=max_wait_ms,
        )
        return receipt_of(await self.send(command, wait=wait))

    async def deliver(self, inbound: Inbound, *, wait: bool = True) -> Receipt:
        """Take what a channel made of a provider's event; the door of mail and webhooks.

        What is done is the plan's policy for the event's disposition. By default a customer's
        message opens an interaction or joins its thread, an edit changes the text of an open
        interaction, a deletion redacts it, the news that the customer has gone ends it, what
        cannot be trusted is quarantined, and everything else is only counted (`deliveries`).
        A repeat that names a customer where the first could not joins the interaction.

        What a provider sent raises nothing: too long, it is cut (attribute ``cut``); not
        to be recorded, it is quarantined with all of it that can be. Delivered again, it is
        `Outcome.DUPLICATE`.
        """
        inbound = checked_inbound(inbound)
        disposition = inbound.disposition
        command = command_of(self.plan, inbound)
        if command is None:
            receipt = Receipt(Outcome.IGNORED, reason=inbound.reason or disposition.value)
        else:
            events = await self._door.pass_on(command, wait=wait)
            receipt = receipt_of_delivery(inbound, events)
            if disposition in (Disposition.CREATE, Disposition.APPEND):
                await self._name_customer(inbound.message, receipt, wait=wait)
        self._delivered[inbound.message.channel, disposition] += 1
        return receipt

    async def _name_customer(self, message: Message, receipt: Receipt, *, wait: bool) -> None:
        """A repeat may know who it is, where the first did not: that joins the interaction.

        Amazon Connect tells of a call before it tells of its caller, under one id.
        """
        if receipt.outcome is not Outcome.DUPLICATE or not message.customer.id:
            return
        opened = self._engine.interaction(receipt.interaction_id or "")
        if opened is None or opened.customer.id or opened.message.thread_id != message.thread_id:
            return
        named = f"{message.message_id}:{message.customer.id}"
        await self.submit(msgspec.structs.replace(message, message_id=named), wait=wait)

    @property
    def deliveries(self) -> Mapping[tuple[Channel, Disposition], int]:
        """How many provider events `deliver` took, by channel and disposition.

        Counts since this router started: it is not in the journal, so a restart is a zero.
        """
        return dict(self._delivered)

    # --- erasing --------------------------------------------------------------------------

    async def erase_customer(self, channel: Channel, customer_id: str) -> tuple[str, ...]:
        """Erase a customer: what he wrote and who he is, from the journal and from memory.

        On all channels that the plan links to this one. His open interactions go on without
        what he wrote; their ids are returned. If he comes back he is a new customer. Durable
        when it returns: then nobody can read it any more. Takes as long as a snapshot where
        there are any. Raises `UsageError` when the journal has no vault that erases.
        """
        return await self._eraser.erase(channel, customer_id, None)

    async def erase_interaction(self, interaction_id: str) -> tuple[str, ...]:
        """As `erase_customer`, whoever is in an interaction; of one who is withheld, only it."""
        return await self._eraser.erase(None, "", interaction_id)

    # --- agents ---------------------------------------------------------------------------

    def sign_in(
        self, agent: Agent | str, *, ready: bool = True, lease_ms: int | None = None
    ) -> SigningIn:
        """Give an agent his desk: ``async with router.sign_in("ann") as desk``.

        ``agent`` is an `Agent`, or the id of one of the plan's. Leaving the block signs out
        whatever happens, also by cancellation: engaged work is requeued at its age. The
        other form is ``desk = await router.sign_in(...)`` and later ``await
        desk.sign_out()``. With ``lease_ms`` he is signed out, with the reason ``lease_expired``,
        when `Desk.renew` is not called for so long: a dead desktop does not stay available.

        An agent who was signed in before a restart gets the desk with the work he had.
        Raises `UnknownNameError` (agent, skill, capacity), and `SignInError` when he is
        signed in at another desk or the plan's ``max_agents`` are.
        """
        if isinstance(agent, str):
            found = self.plan.agents.get(agent)
            if found is None:
                raise UnknownNameError("agent", agent, self.plan.agents, where="sign_in")
            agent = found
        return SigningIn(self._seating, agent, ready=ready, lease_ms=lease_ms)
