"""An agent's desk: what he is offered, what he has, and how each of it ends."""

import anyio
import pytest

import live
from omniroute import (
    Agent,
    CommandError,
    InteractionState,
    Limits,
    MessagesMissed,
    OfferClosed,
    OnExpiry,
    Plan,
    Presence,
    Queue,
    SignInError,
    UnknownNameError,
)

pytestmark = pytest.mark.anyio


async def offered(router, desk, **options):
    """Submit a message and return the offer that it becomes."""
    await router.submit(live.message(**options), queue="support")
    return await anext(desk.offers())


# --- signing in -------------------------------------------------------------------------


async def test_both_forms_of_signing_in():
    async with live.router() as router:
        async with router.sign_in("ann") as desk:
            assert desk.presence is Presence.READY
            assert desk.signed_out is None
        assert desk.presence is Presence.LOGGED_OUT
        assert desk.signed_out == ""
        desk = await router.sign_in(Agent(id="new", skills={"sales": 3}), ready=False)
        assert desk.presence is Presence.NOT_READY
        assert await desk.sign_out("lunch")
        assert desk.signed_out == "lunch"
        assert not await desk.sign_out()


async def test_who_cannot_be_signed_in():
    agents = [Agent(id="ann"), Agent(id="bob")]
    tight = live.plan(agents=agents, limits=Limits(max_agents=2))
    async with live.router(plan=tight) as router, router.sign_in("ann"):
        with pytest.raises(SignInError, match=r"'ann'.*already_signed_in"):
            await router.sign_in("ann")
        with pytest.raises(UnknownNameError, match="did you mean 'bob'"):
            router.sign_in("bobb")
        with pytest.raises(UnknownNameError, match="skill"):
            await router.sign_in(Agent(id="dan", skills={"juggling": 1}))
        with pytest.raises(CommandError, match="out of range"):
            await router.sign_in(Agent(id="dan", skills={"sales": 99}))
        with pytest.raises(CommandError, match="skills"):
            await router.sign_in(Agent(id="dan", skills={"sales": "high"}))
        async with router.sign_in("bob"):
            with pytest.raises(SignInError, match="agents_exhausted") as raised:
                await router.sign_in(Agent(id="dan"))
        assert raised.value.reason == "agents_exhausted"
        assert router.statistics().agents_signed_in == 1


async def test_leaving_the_block_requeues_the_work_at_its_age():
    async with live.router() as router:
        with pytest.raises(ZeroDivisionError):
            async with router.sign_in("ann") as desk:
                offer = await offered(router, desk)
                assignment = await offer.accept()
                await anyio.sleep(3)
                raise ZeroDivisionError
        assert assignment.state is InteractionState.WAITING
        assert assignment.closed
        picture = router.interaction("i1")
        assert picture.state is InteractionState.WAITING
        assert picture.enqueued_at_ms == assignment.interaction.enqueued_at_ms
        assert router.statistics().agents_signed_in == 0


async def test_a_desk_that_was_signed_out_cannot_touch_the_next_one():
    async with live.router() as router:
        old = await router.sign_in("ann")
        await router.sign_out("ann")
        async with router.sign_in("ann") as new:
            assert not await old.not_ready()
            assert not await old.sign_out()
            assert new.presence is Presence.READY
            assert [o async for o in old.offers()] == []


async def test_presence_and_change():
    async with live.router() as router, router.sign_in("bob", ready=False) as desk:
        await router.submit(live.message(), queue="sales")
        assert await desk.ready()
        assert desk.open_offers == ()  # the first step asks for sales >= 5
        assert await desk.change(skills={"sales": 7})
        assert desk.agent.skills == {"sales": 7}
        (offer,) = desk.open_offers
        assert await desk.not_ready("break")
        assert desk.presence is Presence.NOT_READY
        assert desk.not_ready_reason == "break"
        assert offer.closed is OfferClosed.NOT_READY
        with pytest.raises(UnknownNameError, match="capacity"):
            await desk.change(capacity="endless")
        await desk.change(groups=("night",), attributes={"floor": 2}, capacity="three")
        assert desk.agent == Agent(
            id="bob",
            skills={"sales": 7},
            groups=("night",),
            attributes={"floor": 2},
            capacity="three",
        )


# --- offers -----------------------------------------------------------------------------


async def test_accepting_twice_gives_the_same_assignment():
    async with live.router() as router, router.sign_in("ann") as desk:
        offer = await offered(router, desk)
        assignment = await offer.accept()
        assert assignment is not None
        assert await offer.accept() is assignment
        assert desk.assignments == (assignment,)
        assert desk.open_offers == ()
        assert not await offer.decline()
        assert offer.closed is OfferClosed.ACCEPTED
        assert repr(offer) == "<Offer 1 of 'i1', accepted>"
        assert repr(assignment) == "<Assignment 1 of 'i1', engaged>"
        assert repr(desk) == "<Desk of 'ann', ready>"


async def expire(router, desk, offer):
    await anyio.sleep(20.001)


CLOSINGS = [
    (OfferClosed.DECLINED, lambda router, desk, offer: offer.decline("no")),
    (OfferClosed.EXPIRED, expire),
    (OfferClosed.WITHDRAWN, lambda router, desk, offer: router.withdraw(offer.offer_id)),
    (OfferClosed.CUSTOMER_LEFT, lambda router, desk, offer: router.abandon("i1")),
    (OfferClosed.CANCELLED, lambda router, desk, offer: router.cancel("i1")),
    (OfferClosed.SIGNED_OUT, lambda router, desk, offer: desk.sign_out()),
    (OfferClosed.NOT_READY, lambda router, desk, offer: desk.not_ready()),
    (OfferClosed.NOT_ELIGIBLE, lambda router, desk, offer: desk.change(groups=())),
]


@pytest.mark.parametrize(("reason", "close"), CLOSINGS, ids=[why.value for why, _ in CLOSINGS])
async def test_an_offer_that_is_over_says_why(reason, close):
    plan = live.plan(queues=[Queue(name="support", members='groups has "day"')], triage=[])
    seen = []

    async def watch(offer):
        seen.append(await offer.wait_closed())

    async with live.router(plan=plan) as router, anyio.create_task_group() as group:
        desk = await router.sign_in(Agent(id="dan", groups=("day",)))
        offer = await offered(router, desk)
        group.start_soon(watch, offer)
        await live.settle()
        assert offer.closed is None
        await close(router, desk, offer)
        assert offer.closed is reason
        assert desk.open_offers == ()
        assert await offer.accept() is None
        assert bool(await offer.decline()) is (reason is OfferClosed.DECLINED)
    assert seen == [reason]


async def test_an_offer_that_nobody_saw_is_left_out():
    async with live.router() as router, router.sign_in("ann") as desk:
        await router.submit(live.message("first"), queue="support")
        await router.cancel("i1")
        offer = await offered(router, desk, text="second")
        assert offer.interaction.message.text == "second"


async def test_several_tasks_share_the_offers():
    taken = []

    async def work(desk):
        async for offer in desk.offers():
            assert offer.closed is None
            taken.append(offer.offer_id)

    async with live.router() as router, anyio.create_task_group() as group:
        async with router.sign_in("cy") as desk:
            group.start_soon(work, desk)
            group.start_soon(work, desk)
            await live.settle()
            for _ in range(3):
                await router.submit(live.message(), queue="support")
            await live.settle()
        assert sorted(taken) == [1, 2, 3]


async def test_the_iteration_ends_with_the_desk_and_with_the_router():
    ended = []

    async def work(desk):
        async for _ in desk.offers():
            pass
        ended.append(desk.signed_out)

    async with anyio.create_task_group() as group, live.router() as router:
        one, two = await router.sign_in("ann"), await router.sign_in("bob")
        group.start_soon(work, one)
        group.start_soon(work, two)
        await live.settle()
        await one.sign_out("home")
    assert ended == ["home", "router_closed"]


@pytest.mark.parametrize(
    ("on_expiry", "presence"),
    [
        (OnExpiry.NOT_READY, Presence.NOT_READY),
        (OnExpiry.NOTHING, Presence.READY),
        (OnExpiry.SIGN_OUT, Presence.LOGGED_OUT),
    ],
)
async def test_who_does_not_answer(on_expiry, presence):
    plan = Plan(queues=[Queue(name="support", on_expiry=on_expiry, offer_timeout_ms=1_000)])
    async with live.router(plan=plan) as router:
        desk = await router.sign_in(Agent(id="dan"))
        await offered(router, desk)
        await anyio.sleep(1.5)
        assert desk.presence is presence
        if presence is Presence.NOT_READY:
            assert desk.not_ready_reason == "no_answer"
        if presence is Presence.LOGGED_OUT:
            assert desk.signed_out == "no_answer"
            assert not await desk.ready()


# --- assignments ------------------------------------------------------------------------


async def test_hold_resume_requeue():
    async with live.router() as router, router.sign_in("ann") as desk:
        assignment = await (await offered(router, desk)).accept()
        assert not await assignment.resume()
        assert await assignment.hold()
        assert assignment.state is InteractionState.HELD
        assert not await assignment.hold()
        assert await assignment.resume()
        assert assignment.state is InteractionState.ENGAGED
        assert not await assignment.finish_wrap_up()
        assert await assignment.requeue("wrong queue")
        assert assignment.state is InteractionState.WAITING
        assert desk.assignments == ()
        assert not await assignment.complete()
        assert await assignment.wait_closed() is InteractionState.WAITING


async def test_a_customer_who_leaves_ends_the_messages_and_then_the_wrap_up_ends():
    log = []

    async def watch(assignment):
        log.extend([item.text async for item in assignment.messages])
        log.append(assignment.state)
        log.append(await assignment.wait_closed())
        log.append(assignment.code)

    async with live.router() as router, anyio.create_task_group() as group:
        desk = await router.sign_in("ann")
        await router.submit(live.message(thread_id="t"), queue="sales")
        assignment = await (await anext(desk.offers())).accept()
        group.start_soon(watch, assignment)
        await router.submit(live.message("are you there?", thread_id="t"))
        await live.settle()
        await router.abandon("i1")
        assert not await assignment.complete("sold")
        await anyio.sleep(31)
    assert log == [
        "are you there?",
        InteractionState.WRAP_UP,
        InteractionState.COMPLETED,
        "customer_left",
    ]


async def test_a_message_during_the_offer_is_in_the_assignment():
    async with live.router() as router, router.sign_in("ann") as desk:
        offer = await offered(router, desk, text="one", thread_id="t")
        await router.submit(live.message("two", thread_id="t"))
        assignment = await offer.accept()
        await router.submit(live.message("three", thread_id="t"))
        assert [m.text for m in offer.interaction.messages] == ["one"]
        assert [m.text for m in assignment.interaction.messages] == ["one", "two"]
        assert (await anext(assignment.messages)).text == "three"
        await router.cancel("i1")
        assert [item async for item in assignment.messages] == []
        assert assignment.state is InteractionState.CANCELLED


async def test_a_slow_reader_loses_the_oldest_messages_and_is_told_how_many():
    async with live.router(message_limit=3) as router, router.sign_in("ann") as desk:
        assignment = await (await offered(router, desk, thread_id="t")).accept()
        for number in range(5):
            await router.submit(live.message(str(number), thread_id="t"))
        await router.cancel("i1")
        assert [getattr(item, "text", item) async for item in assignment.messages] == [
            MessagesMissed(2),
            "2",
            "3",
            "4",
        ]


async def test_when_the_router_closes_nobody_waits_for_ever():
    ended = []

    async def watch(offer, assignment):
        ended.append(await offer.wait_closed())
        ended.append([item async for item in assignment.messages])
        ended.append(await assignment.wait_closed())

    async with anyio.create_task_group() as group, live.router() as router:
        desk = await router.sign_in("cy")
        assignment = await (await offered(router, desk)).accept()
        offer = await offered(router, desk)
        group.start_soon(watch, offer, assignment)
        await live.settle()
    assert ended == [OfferClosed.ROUTER_CLOSED, [], InteractionState.ENGAGED]
