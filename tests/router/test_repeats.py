"""An answer that was lost can be asked for again: the second time says what the first did."""

import anyio
import pytest

import live
from omniroute.model import InteractionState
from omniroute.router import OfferClosed

pytestmark = pytest.mark.anyio


async def lost(call):
    """Ask, and go away before the answer comes."""
    with anyio.move_on_after(0.5):
        await call
        raise AssertionError("the answer came")


async def one_offer(router, queue="support"):
    desk = await router.sign_in("ann")
    await router.submit(live.message(), queue=queue)
    return desk.open_offers[0]


async def test_an_accept_twice_is_one_assignment():
    async with live.router(live.SlowJournal()) as router:
        offer = await one_offer(router)
        await lost(offer.accept())
        assignment = await offer.accept()
        assert assignment is await offer.accept()
        assert assignment.state is InteractionState.ENGAGED


async def test_a_decline_twice_is_one_refusal():
    journal = live.SlowJournal()
    async with live.router(journal) as router:
        offer = await one_offer(router, "sales")
        await lost(offer.decline("busy"))
        assert await offer.decline("busy")
        assert offer.closed is OfferClosed.DECLINED
        assert await offer.accept() is None
    assert live.kinds(journal).count("Declined") == 1


@pytest.mark.parametrize("queue", ["support", "sales"])
async def test_a_completion_twice_is_one(queue):
    journal = live.SlowJournal()
    async with live.router(journal) as router:
        assignment = await (await one_offer(router, queue)).accept()
        await lost(assignment.complete("sold"))
        assert await assignment.complete("sold")
        assert not await assignment.complete("something else")
        assert assignment.code == "sold"


async def test_who_was_too_late_is_told_each_time():
    async with live.router(live.SlowJournal()) as router:
        assignment = await (await one_offer(router, "sales")).accept()
        await router.abandon(assignment.interaction.id)
        for _ in range(2):
            assert not await assignment.complete("sold")
            assert not await assignment.requeue()


async def test_giving_back_twice_is_once():
    journal = live.SlowJournal()
    async with live.router(journal) as router:
        assignment = await (await one_offer(router, "sales")).accept()
        await lost(assignment.requeue())
        assert await assignment.requeue()
        assert assignment.state is InteractionState.WAITING
    assert live.kinds(journal).count("Requeued") == 1
