"""Where a router may live: any fixture, any task, a task group of your own."""

import anyio
import pytest
import pytest_asyncio

import live
from omniroute import Outcome, Router, RouterClosedError
from omniroute.router.hosting import _tasks

# --- fixtures -----------------------------------------------------------------------------


@pytest_asyncio.fixture
async def their_router():
    """pytest-asyncio runs the two halves of this in different tasks."""
    async with Router(live.plan()) as router:
        yield router


@pytest.mark.asyncio
async def test_in_a_fixture_of_pytest_asyncio(their_router):
    async with their_router.sign_in("ann") as desk:
        await their_router.submit(live.message(), queue="support")
        offer = await anext(desk.offers())
        assert await (await offer.accept()).complete()


@pytest_asyncio.fixture
async def their_signed_in_desk(their_router):
    async with their_router.sign_in("ann") as desk:
        yield desk


@pytest.mark.asyncio
async def test_a_desk_in_a_fixture_of_pytest_asyncio(their_router, their_signed_in_desk):
    await their_router.submit(live.message(), queue="support")
    assert (await anext(their_signed_in_desk.offers())).offer_id == 1


@pytest.fixture
async def our_router(anyio_backend):
    async with live.router() as router:
        yield router


@pytest.mark.anyio
async def test_in_a_fixture_of_anyio(our_router):
    async with our_router.sign_in("ann") as desk:
        await our_router.submit(live.message(), queue="support")
        offer = await anext(desk.offers())
        assert await (await offer.accept()).complete()


# --- tasks --------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_opened_in_one_task_and_closed_in_another():
    router = live.router()
    done = []

    async def open_it():
        await router.__aenter__()

    async def close_it():
        await router.__aexit__(None, None, None)
        done.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(open_it)
    await router.submit(live.message(), queue="support")
    async with anyio.create_task_group() as group:
        group.start_soon(close_it)
    assert done
    assert not _tasks


@pytest.mark.anyio
async def test_serving_in_a_task_group_of_your_own():
    journal = live.SlowJournal()
    receipts = []

    async def submit(router):
        receipts.append(await router.submit(live.message(), queue="support"))

    async with anyio.create_task_group() as outer, anyio.create_task_group() as group:
        router = await group.start(live.router(journal).serve)
        outer.start_soon(submit, router)
        await live.settle()
        group.cancel_scope.cancel()
    assert receipts[0].outcome is Outcome.QUEUED  # what was decided became durable
    with pytest.raises(RouterClosedError):
        await router.submit(live.message(), queue="support")


@pytest.mark.anyio
async def test_serving_raises_what_made_it_fail():
    journal = live.FailingJournal(at=1)
    with pytest.raises(ExceptionGroup) as raised:
        async with anyio.create_task_group() as group:
            router = await group.start(live.router(journal).serve)
            with pytest.raises(RouterClosedError):
                await router.submit(live.message(), queue="support")
    (error,) = raised.value.exceptions
    assert error.__cause__ is journal.error


# --- leaving ------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_leaving_is_shielded_against_cancellation():
    journal = live.SlowJournal(5)
    async with anyio.create_task_group() as waiting:
        with anyio.move_on_after(1):
            async with live.router(journal) as router:
                waiting.start_soon(router.send, live.submission())
                await anyio.sleep(10)
    assert live.kinds(journal) == ["Queued"]


@pytest.mark.anyio
async def test_a_desk_whose_task_is_cancelled_signs_out():
    journal = live.SlowJournal(0.5)
    async with live.router(journal) as router:
        with anyio.move_on_after(3):
            async with router.sign_in("ann") as desk:
                await router.submit(live.message(), queue="support")
                await (await anext(desk.offers())).accept()
                await anyio.sleep_forever()
        assert desk.signed_out == ""
    assert live.kinds(journal)[-3:] == ["Accepted", "Requeued", "SignedOut"]


@pytest.mark.anyio
async def test_cancelled_while_it_opens():
    class Slow(live.SlowJournal):
        async def read(self, from_seq=1):
            await anyio.sleep_forever()
            yield None

    router = live.router(Slow())
    with anyio.move_on_after(1) as scope:
        async with router:
            pass
    assert scope.cancelled_caught
    assert anyio.current_time() < 1_000
    with pytest.raises(RouterClosedError):
        await router.submit(live.message(), queue="support")
