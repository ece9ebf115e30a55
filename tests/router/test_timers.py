"""Deadlines, kept by one timer task, in virtual time."""

import anyio
import pytest

import live
from omniroute import Agent, MemoryJournal, OfferClosed, Plan, Queue, loop_clock
from omniroute.events import Tick

pytestmark = pytest.mark.anyio


async def test_an_offer_expires_at_its_deadline():
    async with live.router() as router, router.sign_in("ann") as desk:
        await router.submit(live.message(), queue="support")
        (offer,) = desk.open_offers
        assert await offer.wait_closed() is OfferClosed.EXPIRED
        assert 0 <= loop_clock() - offer.expires_at_ms <= 1


async def test_a_step_of_the_ladder_ends_by_itself():
    async with live.router() as router, router.sign_in("bob") as desk:
        began = loop_clock()
        await router.submit(live.message(), queue="sales")
        offer = await anext(desk.offers())
        assert 0 <= loop_clock() - began - live.STEP_MS <= 1
        assert offer.interaction.step == 1


async def test_an_earlier_deadline_wakes_the_timer():
    plan = Plan(
        queues=[
            Queue(name="slow", offer_timeout_ms=3_600_000),
            Queue(name="quick", offer_timeout_ms=1_000),
        ]
    )
    async with live.router(plan=plan) as router:
        slow = await router.sign_in(Agent(id="one"))
        await router.submit(live.message(), queue="slow")
        await anyio.sleep(60)
        await router.sign_in(Agent(id="two"))
        began = loop_clock()
        await router.submit(live.message(), queue="quick")
        await anyio.sleep(1.5)
        assert router.statistics().queues["quick"].total.expired == 1
        assert slow.open_offers
        assert loop_clock() - began < 2_000


async def test_time_alone_is_journalled_only_when_something_came_of_it():
    journal = MemoryJournal()
    async with live.router(journal) as router, router.sign_in("cy") as desk:
        for _ in range(3):
            await router.submit(live.message(), queue="support")
            await (await anext(desk.offers())).accept()
            await anyio.sleep(7)
        await anyio.sleep(600)
    entries = [entry for frame in journal.frames for entry in frame.entries]
    assert not [entry for entry in entries if type(entry.command) is Tick]


async def test_a_clock_that_is_set_back_stands_still():
    jumps = iter([10_000, 10_000, 20_000, 1_000, 2_000, 30_000])
    journal = MemoryJournal()
    last = []

    def clock():
        last[:] = [next(jumps, 40_000)]
        return last[0]

    async with live.router(journal, clock=clock) as router:
        for _ in range(8):
            await router.submit(live.message(), queue="support")
    times = [event.at_ms for event in live.events(journal)]
    assert times == sorted(times)


async def test_a_clock_that_jumps_ahead_is_noticed_within_a_minute():
    ahead = [0]
    plan = Plan(queues=[Queue(name="support", offer_timeout_ms=3_600_000)])
    async with live.router(plan=plan, clock=lambda: loop_clock() + ahead[0]) as router:
        desk = await router.sign_in(Agent(id="dan"))
        await router.submit(live.message(), queue="support")
        (offer,) = desk.open_offers
        await anyio.sleep(1)  # the timer sleeps until the offer's deadline
        ahead[0] = 3_600_000
        await anyio.sleep(61)
        assert offer.closed is OfferClosed.EXPIRED


async def test_a_clock_that_stands_still_does_not_spin_the_timer():
    calls = []

    def clock():
        calls.append(None)
        return 1_000

    async with live.router(clock=clock) as router:
        await router.sign_in("ann")
        await router.submit(live.message(), queue="support")
        calls.clear()
        await anyio.sleep(100)
    assert len(calls) < 12
