"""Calls cancelled at any moment: no interaction is lost, none is doubled, no desk is left over.

Customers submit and give up waiting for the answer, again and again, with the same message id;
agents are cancelled in every call and in the middle of their shift; the journal takes its time,
or none. Afterwards the journal must satisfy an auditor who knows nothing of the router, replay
to the router's very state, and hold every message exactly once.
"""

import asyncio
from collections import Counter

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

import live
import virtual_time
from omniroute import (
    Agent,
    Engine,
    InteractionState,
    MemoryJournal,
    Outcome,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    WrapUp,
    WrapUpKind,
)
from omniroute.events import Tick
from omniroute.simulation import Auditor

PLAN = Plan(
    queues=[
        Queue(
            name="support",
            offer_timeout_ms=40,
            refusal=Refusal(rule=RefusalRule.AT_ONCE),
            wrap_up=WrapUp(kind=WrapUpKind.TIMED, duration_ms=15),
        )
    ]
)


class Instant(MemoryJournal):
    """Suspends for one turn of the loop, without time passing."""

    append_nowait = None

    async def append(self, frame):
        await anyio.lowlevel.checkpoint()
        MemoryJournal.append_nowait(self, frame)


JOURNALS = {
    "immediate": MemoryJournal,
    "a turn": Instant,
    "3 ms": lambda: live.SlowJournal(0.003),
    "12 ms": lambda: live.SlowJournal(0.012),
}

patience_ms = st.integers(0, 25)
customers = st.lists(
    st.fixed_dictionaries(
        {
            "at_ms": st.integers(0, 60),
            "thread": st.sampled_from([None, "t1", "t2"]),
            "patience_ms": st.lists(patience_ms, max_size=3),
        }
    ),
    min_size=1,
    max_size=6,
)
answers = st.sampled_from(["accept", "decline", "ignore"])
ends = st.sampled_from(
    ["complete", "requeue", "hold", "leave", "park", "transfer", "hand_over", "escalate"]
)
turn = st.tuples(answers, patience_ms, ends, patience_ms)
agents = st.lists(
    st.fixed_dictionaries(
        {
            "shifts": st.lists(
                st.tuples(st.integers(0, 30), st.integers(0, 120), st.lists(turn, max_size=4)),
                min_size=1,
                max_size=3,
            )
        }
    ),
    min_size=1,
    max_size=3,
)


async def within(patience_ms, call, *, native):
    """The result of a call, or None when patience ran out: by a scope, or by `Task.cancel`."""
    if not native:
        with anyio.move_on_after(patience_ms / 1_000):
            return await call()
        return None
    task = asyncio.ensure_future(call())
    await asyncio.wait([task], timeout=patience_ms / 1_000)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        return None


class Day:
    """One run: a router, its customers, its agents."""

    def __init__(self, router, *, native):
        self.router = router
        self.native = native
        self.receipts = {}

    async def call(self, patience_ms, call):
        return await within(patience_ms, call, native=self.native)

    async def customer(self, number, script):
        await anyio.sleep(script["at_ms"] / 1_000)
        message = live.message(message_id=f"m{number}", thread_id=script["thread"])

        async def submit():
            return await self.router.submit(message, queue="support")

        receipts = [await self.call(ms, submit) for ms in script["patience_ms"]]
        receipts.append(await submit())
        self.receipts[f"m{number}"] = [receipt for receipt in receipts if receipt]

    async def agent(self, number, script):
        for pause_ms, shift_ms, turns in script["shifts"]:
            await anyio.sleep(pause_ms / 1_000)
            await self.call(shift_ms, lambda turns=turns: self.shift(f"a{number}", turns))

    async def shift(self, agent_id, turns):
        async with self.router.sign_in(Agent(id=agent_id)) as desk:
            for answer, patience_ms, end, end_patience_ms in turns:
                await desk.ready()
                offer = await anext(desk.offers(), None)
                if offer is None:
                    return
                if answer == "ignore":
                    await offer.wait_closed()
                    continue
                call = offer.accept if answer == "accept" else offer.decline
                await self.call(patience_ms, call)
                if answer == "accept":
                    # A cancelled accept may have happened: then the desk shows it.
                    assignment = await offer.accept()
                    assert (assignment is None) == (offer.assignment is None)
                    if assignment is not None:
                        await self.end(assignment, end, end_patience_ms)

    async def end(self, assignment, end, patience_ms):
        if end == "leave":
            return
        if end == "hand_over":
            await self.call(patience_ms, lambda: assignment.consult(queue="support"))
        call = getattr(assignment, end)
        arguments = {"transfer": {"queue": "support"}, "escalate": {"channel": "voice"}}
        await self.call(patience_ms, lambda: call(**arguments.get(end, {})))
        if end == "hold":
            await assignment.resume()
        if not assignment.closed:
            await assignment.complete()
        await assignment.wait_closed()


def audit(journal, day):
    """Everything that must hold afterwards, from the journal alone."""
    auditor = Auditor(PLAN)
    replayed = Engine(PLAN)
    for frame in journal.frames:
        for entry in frame.entries:
            for event in entry.events:
                auditor.observe(event)
                replayed.apply(event)
            auditor.at_rest()
    # A tick that changes nothing is not journalled, but it moves the engine's time.
    assert replayed.receive(Tick(), day.router._engine.now_ms) == []
    assert replayed.snapshot() == day.router._engine.snapshot()
    events = live.events(journal)
    kept = Counter(
        event.message.message_id
        for event in events
        if type(event).__name__ in {"Queued", "MessageAppended"}
        and getattr(event, "parent_id", None) is None  # what an agent opens is no message
    )
    assert kept == Counter(dict.fromkeys(day.receipts, 1))
    for receipts in day.receipts.values():
        first, *others = receipts
        assert first.outcome in {Outcome.QUEUED, Outcome.APPENDED, Outcome.DUPLICATE}
        assert {receipt.outcome for receipt in others} <= {Outcome.DUPLICATE}
        assert {receipt.interaction_id for receipt in others} <= {first.interaction_id}
    statistics = day.router.statistics()
    total = statistics.total
    at_hand = statistics.offered + statistics.engaged + statistics.held + statistics.wrap_up
    assert at_hand == 0  # every agent has left
    is_open = statistics.waiting + statistics.parked
    assert total.queued == is_open + total.completed + total.cancelled
    assert statistics.agents_signed_in == 0


async def live_through(journal, inbox_limit, customer_scripts, agent_scripts, native):
    async with live.router(journal, plan=PLAN, inbox_limit=inbox_limit) as router:
        day = Day(router, native=native)
        async with anyio.create_task_group() as group:
            for number, script in enumerate(customer_scripts):
                group.start_soon(day.customer, number, script)
            for number, script in enumerate(agent_scripts):
                group.start_soon(day.agent, number, script)
        last = live.message(message_id="last")
        day.receipts["last"] = [await router.submit(last, queue="support")]  # all is durable now
        assert router._desks.by_agent == {}
        assert router._ledger.seats == {}
        assert router._desks._offers == {}
        assert router._desks._assignments == {}
        assert set(router._desks._consultations) <= {each.id for each in router.interactions()}
    return day


@settings(max_examples=max(200, settings.default.max_examples))
@given(
    how=st.sampled_from([("asyncio", False), ("asyncio", True), ("trio", False)]),
    journal=st.sampled_from(sorted(JOURNALS)),
    inbox_limit=st.sampled_from([1, 2, 100]),
    customer_scripts=customers,
    agent_scripts=agents,
)
def test_whatever_is_cancelled_nothing_is_lost_or_doubled(
    how, journal, inbox_limit, customer_scripts, agent_scripts
):
    backend, native = how
    kept = JOURNALS[journal]()
    day = virtual_time.run(
        backend, live_through, kept, inbox_limit, customer_scripts, agent_scripts, native
    )
    audit(kept, day)


def test_a_cancelled_accept_that_was_decided_is_visible_on_the_desk():
    async def main():
        journal = live.HeldJournal()
        async with anyio.create_task_group() as group, live.router(journal) as router:
            desks = []

            async def sit_down():
                desks.append(await router.sign_in("ann"))

            group.start_soon(sit_down)
            await journal.release()
            group.start_soon(router.send, live.submission())
            await journal.release()
            (desk,) = desks
            (offer,) = desk.open_offers
            with anyio.move_on_after(1) as scope:
                await offer.accept()
            assert scope.cancelled_caught
            assert desk.assignments == ()
            await journal.release()
            (assignment,) = desk.assignments
            assert offer.assignment is assignment
            assert await offer.accept() is assignment
            assert assignment.state is InteractionState.ENGAGED
            group.start_soon(assignment.complete)
            await journal.release()
            assert desk.assignments == ()

    for backend in ("asyncio", "trio"):
        virtual_time.run(backend, main)


def test_a_cancelled_sign_in_leaves_nobody_behind():
    async def main():
        async with live.router(live.SlowJournal(1)) as router:
            with anyio.move_on_after(0.5):
                await router.sign_in("ann")
            desk = await router.sign_in("ann")
            await desk.sign_out()
            assert router.statistics().agents_signed_in == 0

    for backend in ("asyncio", "trio"):
        virtual_time.run(backend, main)
