"""Decide, remember, tell: nothing is told before it is durable, and a failure stops it all."""

import anyio
import pytest

import live
from omniroute import (
    Agent,
    Engine,
    InteractionState,
    JournalError,
    MemoryJournal,
    NullJournal,
    OfferClosed,
    Outcome,
    Queue,
    RouterBusyError,
    RouterClosedError,
    SignInError,
    UnknownNameError,
)
from omniroute.events import SignIn, Tick

pytestmark = pytest.mark.anyio


async def into(box, call):
    """Await a call and keep what comes of it."""
    try:
        box.append(await call)
    except Exception as error:  # noqa: BLE001 - that is what is looked at
        box.append(error)


# --- nothing before it is durable ---------------------------------------------------------


async def test_nothing_is_told_before_its_frame_is_durable():
    journal = live.HeldJournal()
    receipts, offers, accepted = [], [], []
    async with anyio.create_task_group() as group, live.router(journal) as router:
        signing_in = []
        group.start_soon(into, signing_in, router.sign_in("ann").__aenter__())
        await journal.release()
        (desk,) = signing_in
        group.start_soon(into, receipts, router.submit(live.message(), queue="support"))
        group.start_soon(into, offers, anext(desk.offers()))
        await live.settle()
        assert router.statistics().offered == 1  # decided ...
        assert receipts == offers == []  # ... but told to nobody
        assert desk.open_offers == ()
        await journal.release()
        assert receipts[0].outcome is Outcome.QUEUED
        (offer,) = offers
        group.start_soon(into, accepted, offer.accept())
        await live.settle()
        assert offer.closed is None
        assert desk.assignments == ()
        await journal.release()
        assert offer.closed is OfferClosed.ACCEPTED
        assert desk.assignments == (accepted[0],)


async def test_while_one_frame_is_appended_the_next_collects():
    journal = live.HeldJournal()
    receipts = []
    async with anyio.create_task_group() as group, live.router(journal) as router:
        for _ in range(10):
            group.start_soon(into, receipts, router.submit(live.message(), queue="support"))
        await journal.release()
        assert len(journal.frames) == 1
        first = len(receipts)
        if first < 10:
            await journal.release()
        assert len(receipts) == 10
        assert len(journal.frames) <= 2
    assert [e.interaction_id for e in live.events(journal)] == [f"i{n}" for n in range(1, 11)]


async def test_what_waits_when_the_router_closes_still_becomes_durable():
    journal = live.SlowJournal()
    receipts = []
    async with anyio.create_task_group() as group, live.router(journal) as router:
        for _ in range(5):
            group.start_soon(into, receipts, router.submit(live.message(), queue="support"))
        await live.settle()
        assert receipts == []
    assert [receipt.outcome for receipt in receipts] == [Outcome.QUEUED] * 5
    assert len(live.events(journal)) == 5


# --- back-pressure ------------------------------------------------------------------------


async def test_a_full_inbox_waits_in_order_or_raises_and_records_nothing():
    journal = live.HeldJournal()
    receipts = []
    async with anyio.create_task_group() as group, live.router(journal, inbox_limit=2) as router:
        for number in range(6):
            call = router.submit(live.message(str(number)), queue="support")
            group.start_soon(into, receipts, call)
            await live.settle()
        assert router.statistics().waiting == 2
        with pytest.raises(RouterBusyError, match="try again"):
            await router.submit(live.message("late"), queue="support", wait=False)
        with anyio.move_on_after(0.1):
            await router.submit(live.message("impatient"), queue="support")
        while len(receipts) < 6:
            await journal.release()
        await live.settle()
    texts = [event.message.text for event in live.events(journal)]
    assert texts == ["0", "1", "2", "3", "4", "5"]


async def test_a_mistake_gives_its_place_in_the_inbox_back():
    journal = live.SlowJournal(0.01)
    async with live.router(journal, inbox_limit=1) as router:
        for _ in range(3):
            with pytest.raises(LookupError):
                await router.submit(live.message(), queue="nowhere")
        await router.submit(live.message(), queue="support")
        await router.submit(live.message(), queue="support", wait=False)


# --- failures -----------------------------------------------------------------------------


@pytest.mark.parametrize("slow", [False, True])
async def test_a_journal_that_fails_stops_the_router(slow):
    journal = live.FailingJournal(at=3, slow=slow)
    ended = []

    async def agent(desk):
        try:
            async for _ in desk.offers():
                pass
        except RouterClosedError as error:
            ended.append(error.__cause__)

    async with anyio.create_task_group() as group:
        with pytest.raises(JournalError, match="disk full"):
            async with live.router(journal) as router:
                desk = await router.sign_in("ann")
                group.start_soon(agent, desk)
                await router.submit(live.message(), queue="sales")
                with pytest.raises(RouterClosedError, match="disk full") as raised:
                    await router.submit(live.message("lost"), queue="sales")
                failure = raised.value.__cause__
                assert isinstance(failure, JournalError)
                assert failure.__cause__ is journal.error
                for call in (router.cancel("i1"), desk.ready(), desk.open_offers[0].accept()):
                    with pytest.raises(RouterClosedError, match="disk full"):
                        await call
                await live.settle()
                assert ended == [failure]
    assert live.kinds(journal) == ["SignedIn", "BecameReady", "Queued", "Offered"]


async def test_everybody_who_waits_hears_of_the_failure():
    journal = live.FailingJournal(at=1, slow=True)
    results = []
    async with anyio.create_task_group() as group:
        with pytest.raises(JournalError, match="disk full"):
            async with live.router(journal, inbox_limit=2) as router:
                for _ in range(6):
                    call = router.submit(live.message(), queue="support")
                    group.start_soon(into, results, call)
                await anyio.sleep(1)
    assert [type(result) for result in results] == [RouterClosedError] * 6


async def test_the_failure_that_the_body_already_raises_is_not_raised_again():
    journal = live.FailingJournal(at=1)
    with pytest.raises(RouterClosedError) as raised:
        async with live.router(journal) as router:
            await router.submit(live.message(), queue="sales")
    assert raised.value.__cause__.__cause__ is journal.error


async def test_a_failure_in_the_background_reaches_the_exit():
    broken = []

    def clock():
        if broken:
            raise ArithmeticError("no time")
        return live.loop_clock()

    with pytest.raises(ArithmeticError, match="no time"):
        async with live.router(clock=clock) as router:
            desk = await router.sign_in("ann")
            await router.submit(live.message(), queue="support")
            broken.append(True)
            await anyio.sleep(30)  # the offer's deadline passes
            with pytest.raises(RouterClosedError, match="no time"):
                await desk.ready()
            broken.clear()
            with pytest.raises(RouterClosedError, match="no time"):
                await desk.ready()


async def test_a_journal_that_is_full_is_a_journal_error():
    with pytest.raises(JournalError, match="max_events is 2"):
        async with live.router(MemoryJournal(max_events=2)) as router:
            await router.submit(live.message(), queue="support")
            await router.submit(live.message(), queue="support")
            with pytest.raises(RouterClosedError):
                await router.submit(live.message(), queue="support")


# --- restart ------------------------------------------------------------------------------


async def busy_morning(router):
    """Some of everything; leaves an offer, an engagement and a wrap-up behind."""
    cy = await router.sign_in("cy")
    ann = await router.sign_in("ann")
    await router.submit(live.message("one", thread_id="t"), queue="support", interaction_id="one")
    await router.submit(live.message("two"), queue="support", interaction_id="two")
    await router.submit(live.message("three"), queue="sales", interaction_id="three")
    for offer in (*cy.open_offers, *ann.open_offers):
        if offer.interaction.id == "one":
            await (await offer.accept()).hold()
        if offer.interaction.id == "three":
            await (await offer.accept()).complete("sold")
    await router.submit(live.message("more", thread_id="t"))
    await cy.change(groups=("night",))


@pytest.mark.parametrize("make", [MemoryJournal, lambda: live.SlowJournal(0.01)])
async def test_a_router_continues_where_the_one_before_stopped(make):
    journal = make()
    async with live.router(journal) as first:
        await busy_morning(first)
    async with live.router(journal) as second:
        assert second._engine.snapshot() == first._engine.snapshot()
        assert second.statistics() == first.statistics()
        holder = second.interaction("one").agent_id
        desk = await second.sign_in(holder)
        (assignment,) = [a for a in desk.assignments if a.interaction.id == "one"]
        assert assignment.state is InteractionState.HELD
        assert await assignment.resume()
        assert await assignment.complete()
        with pytest.raises(SignInError):
            await second.sign_in(holder)
        receipt = await second.submit(live.message(), queue="support")
        assert receipt.interaction_id == "i4"
    events = live.events(journal)
    assert [f.first_seq for f in journal.frames] == sorted(f.first_seq for f in journal.frames)
    assert len(events) == journal.next_seq - 1


async def test_coming_back_after_a_restart_brings_the_agent_up_to_date():
    journal = MemoryJournal()
    async with live.router(journal) as first:
        desk = await first.sign_in("ann", ready=False)
        await first.submit(live.message(), queue="support")
    assert desk.signed_out == "router_closed"
    async with live.router(journal) as second:
        changed = Agent(id="ann", skills={"sales": 1})
        async with second.sign_in(changed) as desk:
            assert desk.agent == changed
            assert [offer.interaction.id for offer in desk.open_offers] == ["i1"]
        assert second.statistics().agents_signed_in == 0


async def test_who_does_not_come_back_after_all_leaves_his_desk_as_it_was():
    journal = MemoryJournal()
    async with live.router(journal) as first:
        desk = await first.sign_in("ann")
        await first.submit(live.message(), queue="support")
        await desk.open_offers[0].accept()
    async with live.router(journal) as second:
        with pytest.raises(UnknownNameError, match="juggling"):
            await second.sign_in(Agent(id="ann", skills={"juggling": 1}))
        assert second.interaction("i1").agent_id == "ann"
        async with second.sign_in("ann") as desk:
            assert [a.interaction.id for a in desk.assignments] == ["i1"]


async def test_a_sign_in_without_a_desk_waits_for_its_agent():
    async with live.router() as router:
        await router.send(SignIn(Agent(id="dan")))
        await router.submit(live.message(), queue="support")
        async with router.sign_in(Agent(id="dan")) as desk:
            assert [offer.interaction.id for offer in desk.open_offers] == ["i1"]


async def test_work_of_a_queue_that_the_plan_has_no_more_is_kept():
    journal = MemoryJournal()
    async with live.router(journal) as first:
        await first.submit(live.message(), queue="sales")
    other = live.plan(queues=[Queue(name="support")], triage=[])
    async with live.router(journal, plan=other) as second:
        assert second.statistics().queues["sales"].waiting == 1


async def test_an_offer_from_before_the_restart_can_be_accepted():
    journal = MemoryJournal()
    async with live.router(journal) as first:
        await first.sign_in("ann")
        await first.submit(live.message(), queue="support")
    async with live.router(journal) as second, second.sign_in("ann") as desk:
        offer = await anext(desk.offers())
        assert await (await offer.accept()).complete()


async def test_a_journal_with_a_gap_is_refused():
    journal = MemoryJournal()
    async with live.router(journal) as router:
        for _ in range(3):
            await router.submit(live.message(), queue="support")
    del journal.frames[1]
    with pytest.raises(JournalError, match="event 2 is missing"):
        async with live.router(journal):
            pass


async def test_time_does_not_go_back_after_a_restart():
    journal = MemoryJournal()
    async with live.router(journal, clock=lambda: 5_000_000) as router:
        await router.submit(live.message(), queue="support")
    async with live.router(journal, clock=lambda: 1_000) as router:
        await router.submit(live.message(), queue="support")
    assert [event.at_ms for event in live.events(journal)] == [5_000_000, 5_000_000]


async def test_a_null_journal_keeps_nothing():
    journal = NullJournal()
    async with live.router(journal) as router:
        assert (await router.submit(live.message(), queue="support")).outcome is Outcome.QUEUED
    assert [frame async for frame in journal.read()] == []


# --- the commands in the journal ----------------------------------------------------------


@pytest.mark.parametrize("make", [MemoryJournal, lambda: live.SlowJournal(0.3)])
async def test_the_journalled_commands_decide_the_same_again(make):
    journal = make()
    async with live.router(journal) as router:
        await busy_morning(router)
        await anyio.sleep(100)
        await router.submit(live.message(), queue="sales")
    again = Engine(live.plan())
    for frame in journal.frames:
        for entry in frame.entries:
            assert tuple(again.receive(entry.command, entry.now_ms)) == entry.events
    assert again.snapshot() == router._engine.snapshot()
    ticks = [e for f in journal.frames for e in f.entries if type(e.command) is Tick]
    assert ticks
    assert all(entry.events for entry in ticks)


async def test_an_interruption_between_deciding_and_remembering_stops_the_router():
    class Interrupted(BaseException):
        pass

    class Interrupting(MemoryJournal):
        def append_nowait(self, frame):
            raise Interrupted

    with pytest.raises(Interrupted):
        async with live.router(Interrupting()) as router:
            with pytest.raises(Interrupted):
                await router.submit(live.message(), queue="support")
            with pytest.raises(RouterClosedError):
                await router.submit(live.message(), queue="support")
