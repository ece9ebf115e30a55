"""A contact centre on one medium: lives of routers, customers and agents who try again.

A *life* is what one process would be: a router with a handle of its own, customers and agents.
It ends when it crashes (at a step that the seed has drawn), when its store has failed
it, when another life has taken its journal over, or in peace. Then the next one begins.
Customers send again what was not acknowledged, and some of what was; messages overtake each
other; calls are cancelled while they run; the clock is set forward and back.

The last life is calm: nothing fails any more, and everything that was acknowledged must come
to its end.
"""

import contextlib
import logging
import random
from unittest import mock

import anyio

from omniroute import (
    Agent,
    Channel,
    Customer,
    Limits,
    Message,
    OnExpiry,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    Router,
    WrapUp,
    WrapUpKind,
)
from omniroute.errors import (
    CorruptJournalError,
    JournalError,
    RouterBusyError,
    RouterClosedError,
    SignInError,
)
from omniroute.journal import StoreJournal
from omniroute.model import InteractionState

from . import loops
from .child import at_once, open_child
from .disk import Dangers, Handle, Medium
from .oracle import Oracle

AGENTS = ("ann", "bob", "cy")
START_MS = 1_700_000_000_000
#: Virtual time that the calm life has to bring everything to its end.
PATIENCE_S = 900
#: More steps than any seed needs: what still runs then runs in circles.
MOST_STEPS = 30_000
PLAN = Plan(
    queues=[
        Queue(
            name="calls",
            offer_timeout_ms=4_000,
            on_expiry=OnExpiry.NOTHING,
            refusal=Refusal(rule=RefusalRule.AFTER, after_ms=5_000),
            wrap_up=WrapUp(kind=WrapUpKind.TIMED, duration_ms=1_000),
        ),
        Queue(name="mails", offer_timeout_ms=9_000, refusal=Refusal(rule=RefusalRule.ALL_DECLINED)),
    ],
    limits=Limits(max_offers=1_000),
    agents=[Agent(id=name) for name in AGENTS],
)


class World:
    """One seed: everything that happens follows from it."""

    def __init__(self, seed, *, crash_at=None, small=False):
        self.seed = seed
        self.dice = dice = random.Random(f"{seed}/world")
        self.oracle = Oracle(PLAN)
        self.backend = dice.choice(("asyncio", "trio"))
        self.medium = Medium(seed, _dangers(dice) if not small else Dangers(), self.oracle)
        self.crash_at = crash_at
        self.small = small
        self.lives = 1 if small else dice.randint(1, 5)
        self.per_customer = 4 if small else dice.randint(2, 14)
        self.snapshot_every = dice.choice((None, 10, 25, 25))
        self.keep_ms = dice.choice((None, 1, 1))
        self.inbox_limit = dice.choice((2, 5, 10_000))
        self.max_record_bytes = dice.choice((None, 250, 30_000))
        self.takeovers = 0.0 if self.medium.dangers.is_file else dice.choice((0.0, 0.7, 0.9))
        self.steps_ms = dice.choice((0, 2_000, 60_000))
        self.offset_ms = 0
        self.steps = 0
        self.crash_step = None
        self.is_aimed = False
        self.victim = None
        self.number = 0
        self.is_over = False
        self.living = []
        self.messages = [
            (f"c{customer}", f"c{customer}/{number}", f"c{customer}/{number - number % 2}")
            for number in range(self.per_customer)
            for customer in range(3)
        ]

    def run(self):
        """Play it; what was wrong is in `oracle.faults`."""
        with (
            mock.patch.object(logging.getLogger("omniroute"), "disabled", True),
            mock.patch("omniroute.router.shadow.anyio.open_process", open_child),
            mock.patch("omniroute.journal.stored.in_thread", at_once),
        ):
            try:
                loops.run(self.backend, self.seed, self._main, self._on_step)
            except Exception as error:  # noqa: BLE001 - nothing should come out of it
                self.oracle.fault(f"raised {_told(error)}")
        return self.oracle

    def clock(self):
        return START_MS + round(anyio.current_time() * 1_000) + self.offset_ms

    def _on_step(self):
        self.steps += 1
        is_due = self.victim is not None and self.steps >= self.crash_step
        if is_due and (self.medium.is_writing or not self.is_aimed):
            victim, self.victim = self.victim, None
            victim.crash()
        if self.steps == MOST_STEPS:
            self.oracle.fault(f"no end after {MOST_STEPS} steps")
            self.is_over = True
            for life in self.living:
                life.crash()

    # --- lives ----------------------------------------------------------------------------

    async def _main(self):
        for _ in range(self.lives):
            await self._one_life()
            if self.is_over:
                return
        self.medium.calm, self.living = True, []
        life = Life(self, calm=True)
        with anyio.move_on_after(PATIENCE_S) as patience:
            await life.live()
        if patience.cancelled_caught:
            self.oracle.fault(f"still open after a quarter of an hour of calm: {life.left_open()}")
        if not self.is_over:
            self.oracle.judge()

    async def _one_life(self):
        life = Life(self)
        crashes = self.crash_at is not None or self.dice.random() < 0.85
        if crashes:
            drawn = self.crash_at or int(10 ** self.dice.uniform(0, 2.9))
            self.crash_step = self.steps + drawn
            self.is_aimed = self.crash_at is None and self.dice.random() < 0.7
            self.victim = life
        async with anyio.create_task_group() as group:
            group.start_soon(life.live)
            if self.dice.random() < self.takeovers:
                await anyio.sleep(self.dice.uniform(0, 6))
                await Life(self).live()
        self.victim = None
        if life.has_crashed:
            self.medium.crash()

    def corrupt(self, error):
        """A recovery has stopped at a damaged record: right, if that one has rotted."""
        self.is_over = True
        if error.position != self.medium.rotten:
            self.oracle.fault(f"not damaged, but: {error}")

    async def time_goes_by(self):
        """The clock is set, now and then."""
        while self.steps_ms:
            await anyio.sleep(self.dice.uniform(1, 15))
            self.offset_ms = 0
            if not self.medium.calm:
                self.offset_ms = self.dice.randint(-self.steps_ms, self.steps_ms)


class Life:
    """What one process would be."""

    def __init__(self, world, *, calm=False):
        world.number += 1
        world.living.append(self)
        self.world = world
        self.calm = calm
        self.oracle = world.oracle
        self.dice = random.Random(f"{world.seed}/life {world.number}")
        self.handle = Handle(world.medium, max_record_bytes=world.max_record_bytes)
        self.has_crashed = False
        self.scope = anyio.CancelScope()
        self.next_told = None
        self.router = None

    def crash(self):
        """From now on nothing it does is seen by anybody."""
        self.has_crashed = self.handle.dead = True
        self.scope.cancel()

    @property
    def is_heard(self):
        return not self.has_crashed

    async def live(self):
        try:
            with self.scope:
                await self._live()
        except* (JournalError, RouterClosedError) as errors:
            corrupt = [e for e in _leaves(errors) if isinstance(e, CorruptJournalError)]
            if corrupt and self.is_heard:
                self.world.corrupt(corrupt[0])
            elif self.calm:
                self.oracle.fault(f"failed in calm: {_told(errors)}")
        except* Exception as errors:  # noqa: BLE001 - a dead process may say what it likes
            if self.is_heard:
                self.oracle.fault(f"raised {_told(errors)}")

    async def _live(self):
        journal = StoreJournal(self.handle, writer=f"life {self.world.number}")
        async with journal:
            self.router = router = Router(
                PLAN,
                journal=journal,
                clock=self.world.clock,
                inbox_limit=self.world.inbox_limit,
                on_events=self._told,
                snapshot_every=self.world.snapshot_every,
                keep_ms=self.world.keep_ms,
            )
            self._watch_recovery(router)
            async with router, anyio.create_task_group() as group:
                self._look_at_desks()
                group.start_soon(self.world.time_goes_by)
                for name in AGENTS:
                    group.start_soon(self._agent, name)
                await self._customers()
                if self.calm:
                    await self._until_all_is_done()
                elif not self.world.small:
                    await anyio.sleep(self.dice.uniform(0, 20))
                group.cancel_scope.cancel()

    def _watch_recovery(self, router):
        recover = router._ledger.recover

        async def recovered(observe):
            found = await recover(observe)
            if self.is_heard:
                self.oracle.recovered(found.engine, found.next_seq)
            self.next_told = found.next_seq
            return found

        router._ledger.recover = recovered

    def _told(self, events):
        first, self.next_told = self.next_told, self.next_told + len(events)
        if self.is_heard:
            self.oracle.was_told(first, events)

    def _look_at_desks(self):
        if self.is_heard:
            for name in AGENTS:
                desk = self.router._desks.by_agent.get(name)
                work = [a.assignment_id for a in desk.assignments] if desk is not None else []
                self.oracle.has(name, work)

    # --- customers ------------------------------------------------------------------------

    async def _customers(self):
        """They send what was not acknowledged and some of what was, in any order."""
        sent, dice = self.oracle.sent, self.dice
        todo = [each for each in self.world.messages if each[1] not in sent]
        todo += [each for each in self.world.messages if dice.random() < 0.15]
        if not self.calm:
            todo = todo[: dice.randint(1, len(todo))] if todo else []
        todo.sort(key=lambda each: (int(each[1].split("/")[1]) + dice.uniform(0, 3), each))
        async with anyio.create_task_group() as group:
            for each in todo:
                group.start_soon(self._customer, *each)
                if dice.random() < 0.6:
                    await anyio.sleep(dice.expovariate(1.0))

    async def _customer(self, customer, message_id, thread_id):
        message = Message(
            channel=Channel.CHAT,
            customer=Customer(id=customer),
            thread_id=thread_id,
            message_id=message_id,
            text="Hello",
        )
        queue = "calls" if hash_of(thread_id) % 2 else "mails"
        while True:
            with anyio.move_on_after(self._patience_s()), contextlib.suppress(RouterBusyError):
                receipt = await self.router.submit(message, queue=queue)
                if self.is_heard:
                    self.oracle.was_sent(message_id, receipt)
                break
            await anyio.sleep(self.dice.random())
        if self.dice.random() < 0.08:
            await anyio.sleep(self.dice.uniform(0, 5))
            self.oracle.leaving.add(receipt.interaction_id)
            await self.router.abandon(receipt.interaction_id, "hung up")

    def _patience_s(self):
        """How long a caller waits for an answer before it asks again."""
        return self.dice.uniform(0, 0.05) if self.dice.random() < 0.2 else 60

    async def _until_all_is_done(self):
        while True:
            if not self.left_open() or self.router._ledger.failure is not None:
                return
            await anyio.sleep(5)

    def left_open(self):
        return [each.id for each in self.router.interactions()] if self.router else "no router"

    # --- agents ---------------------------------------------------------------------------

    async def _agent(self, name):
        while True:
            with contextlib.suppress(SignInError):
                desk = await self.router.sign_in(name)
                async with anyio.create_task_group() as group:
                    group.start_soon(self._stay_ready, desk)
                    for assignment in desk.assignments:
                        group.start_soon(self._finish, assignment)
                    await self._work(name, desk, group)
                    group.cancel_scope.cancel()
                if self.router._ledger.failure is not None:
                    return
            await anyio.sleep(self.dice.uniform(0, 3))

    async def _work(self, name, desk, group):
        dice = self.dice
        async for offer in desk.offers():
            await anyio.sleep(dice.expovariate(1.5))
            choice = dice.random() if not self.calm else 1.0
            if choice < 0.1:
                pass  # let it ring
            elif choice < 0.2:
                await offer.decline("busy")
            else:
                assignment = await self._accept(name, offer)
                if assignment is not None:
                    group.start_soon(self._finish, assignment)
            if desk.presence != "ready" and desk.signed_out is None:
                await desk.ready()
            if choice > 0.97 and not self.calm:
                mine = [o for o, (by, _) in self.oracle.taken.items() if by == name]
                self.oracle.leaving.update(mine)
                if dice.random() < 0.5:
                    await desk.sign_out("gone")
                else:
                    await desk.not_ready("lunch")
                    await anyio.sleep(dice.uniform(0, 5))
                    await desk.ready()

    async def _stay_ready(self, desk):
        """An offer that was over before he saw it may have made him not ready."""
        while True:
            await anyio.sleep(self.dice.uniform(5, 10))
            if desk.presence != "ready" and desk.signed_out is None:
                await desk.ready()

    async def _accept(self, name, offer):
        """Accept, and ask again when no answer came."""
        assignment = None
        while True:
            with anyio.move_on_after(self._patience_s()) as patience:
                assignment = await offer.accept()
            if not patience.cancelled_caught:
                break
        if assignment is not None and self.is_heard:
            self.oracle.was_taken(name, assignment.assignment_id, offer.interaction.id)
            again = await offer.accept() if self.dice.random() < 0.1 else assignment
            if again is not assignment and self.is_heard:
                self.oracle.fault(f"accepted again, {offer} gives {again}, not {assignment}")
        return assignment

    async def _finish(self, assignment):
        dice, offer_id = self.dice, assignment.assignment_id
        await anyio.sleep(dice.expovariate(0.5))
        if assignment.state is InteractionState.WRAP_UP:
            return
        if dice.random() < 0.1:
            await assignment.hold()
            await assignment.resume()
        self.oracle.leaving.add(offer_id)
        if dice.random() < 0.1 and not self.calm:
            await assignment.requeue("not mine")
            return
        while True:
            await anyio.sleep(0.01)
            with anyio.move_on_after(self._patience_s()):
                if await assignment.complete("done"):
                    await assignment.wait_closed()
                    if self.is_heard and assignment.state is InteractionState.COMPLETED:
                        self.oracle.was_ended(offer_id)
                return


def _dangers(dice):
    """A random part of all dangers: each seed has its own mixture."""
    is_file = dice.random() < 0.5

    def perhaps(share):
        return share if dice.random() < 0.4 else 0.0

    return Dangers(
        is_file=is_file,
        power_cuts=dice.choice((0.0, 0.5, 1.0)),
        refused=perhaps(0.01),
        full=perhaps(0.01),
        failed_syncs=perhaps(0.03) if is_file else 0.0,
        lost_answers=0.0 if is_file else perhaps(0.1),
        stalls=perhaps(0.02 if is_file else 0.05),
        rot=perhaps(0.4) if dice.random() < 0.5 else 0.0,
        damaged_snapshot=perhaps(0.8),
        slow_ms=dice.choice((1, 10, 200)),
    )


def hash_of(text):
    """The same in every process."""
    return sum(text.encode())


def _leaves(group):
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _told(error):
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(each) for each in error.exceptions)
    cause = error.__cause__
    assert cause is not error, "an error is its own cause"
    text = f"{type(error).__name__}: {error}"
    return text if cause is None else f"{text} (from {_told(cause)})"


def play(seed, **options):
    """One seed; returns what the oracle found."""
    return World(seed, **options).run()
