"""Messages in, outcomes out: what a router answers, on both event loops."""

import anyio
import pytest

import live
from omniroute import (
    Agent,
    Channel,
    CommandError,
    Disposition,
    ExpressionError,
    Inbound,
    InteractionState,
    Limits,
    MemoryJournal,
    Outcome,
    Queue,
    Reason,
    Receipt,
    Router,
    RouterClosedError,
    UnknownNameError,
    UpdateKind,
    UsageError,
)
from omniroute.events import Cancel, Submit

pytestmark = pytest.mark.anyio


async def test_a_full_life():
    async with live.router() as router, router.sign_in("ann") as desk:
        receipt = await router.submit(live.message("Help"), queue="sales")
        assert receipt == Receipt(Outcome.QUEUED, "i1")
        async for offer in desk.offers():
            assert offer.interaction.message.text == "Help"
            assert offer.interaction.state is InteractionState.OFFERED
            assignment = await offer.accept()
            assert await assignment.complete("sold")
            break
        assert assignment.state is InteractionState.WRAP_UP
        assert await assignment.finish_wrap_up()
        assert assignment.state is InteractionState.COMPLETED
        assert assignment.code == "sold"
        assert desk.assignments == ()
        assert router.interaction("i1") is None
        assert router.statistics().total.completed == 1
    assert live.kinds(router.journal) == [
        "SignedIn",
        "BecameReady",
        "Queued",
        "Offered",
        "Accepted",
        "WrapUpStarted",
        "Completed",
        "SignedOut",
    ]


async def test_what_a_message_can_become():
    limited = live.plan(queues=[Queue(name="support", max_waiting=2), Queue(name="sales")])
    async with live.router(plan=limited) as router:
        first = live.message(thread_id="t", message_id="m1")
        again = live.message(thread_id="t", message_id="m2")
        cases = [
            (first, {"queue": "support"}, Receipt(Outcome.QUEUED, "i1")),
            (first, {"queue": "support"}, Receipt(Outcome.DUPLICATE, "i1")),
            (again, {}, Receipt(Outcome.APPENDED, "i1")),
            (live.message(), {}, Receipt(Outcome.REJECTED, "i2", "no_queue")),
            (
                live.message(to="sales@example.com"),
                {"interaction_id": "mine"},
                Receipt(Outcome.QUEUED, "mine"),
            ),
            (
                live.message(),
                {"queue": "sales", "interaction_id": "mine"},
                Receipt(Outcome.REJECTED, "mine", "id_in_use"),
            ),
            (live.message(), {"queue": "support"}, Receipt(Outcome.QUEUED, "i4")),
            (
                live.message(),
                {"queue": "support"},
                Receipt(Outcome.REJECTED, "i5", "queue_full"),
            ),
        ]
        for message, options, receipt in cases:
            assert await router.submit(message, **options) == receipt
        assert router.interaction("i1").messages == (first, again)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda r: r.submit(live.message(), queue="suport"), UnknownNameError, "'support'"),
        (lambda r: r.submit(live.message(), queue="sales", priority=1000), CommandError, "0 to 99"),
        (
            lambda r: r.submit(live.message(), queue="sales", requirement="sales >= "),
            ExpressionError,
            "position",
        ),
        (
            lambda r: r.submit(live.message(), queue="sales", requirement="sails >= 1"),
            UnknownNameError,
            "'sales'",
        ),
        (lambda r: r.submit("Hello"), CommandError, "Submit.*message"),
        (lambda r: r.submit(live.message(thread_id=7), queue="sales"), CommandError, "thread_id"),
        (lambda r: r.submit(live.message(customer=None), queue="sales"), CommandError, "customer"),
        (lambda r: r.submit(live.message("\ud800"), queue="sales"), CommandError, "surrogates"),
        (lambda r: r.submit(live.message(), queue="sales", priority="1"), CommandError, "priority"),
        (lambda r: r.reprioritize("i1", -1), CommandError, "0 to 99"),
        (lambda r: r.cancel(1), CommandError, "interaction_id"),
        (lambda r: r.send("cancel i1"), CommandError, "str"),
        (lambda r: r.withdraw(1 << 70), CommandError, "Revoke"),
        (lambda r: r.deliver(live.message()), CommandError, "an Inbound with a Message"),
        (
            lambda r: r.deliver(Inbound(disposition=Disposition.UPDATE, message="Hello")),
            CommandError,
            "an Inbound with a Message",
        ),
    ],
)
async def test_a_callers_mistake_raises_and_changes_nothing(call, error, says):
    async with live.router() as router:
        with pytest.raises(error, match=says):
            await call(router)
        assert router.journal.frames == []
        assert (await router.submit(live.message(), queue="sales")).outcome is Outcome.QUEUED


async def test_what_the_caller_still_changes_does_not_reach_the_router():
    attributes = {"vip": True}
    async with live.router() as router:
        await router.submit(live.message(attributes=attributes), queue="sales")
        attributes["vip"] = False
        assert router.interaction("i1").message.attributes == {"vip": True}


def ended(thread_id):
    message = live.message(channel=Channel.VOICE, thread_id=thread_id)
    return Inbound(disposition=Disposition.UPDATE, update=UpdateKind.ENDED, message=message)


async def test_deliver_routes_what_a_customer_sent_and_counts_the_rest():
    async with live.router() as router:
        call = live.message(channel=Channel.VOICE, thread_id="call", to="sales@example.com")
        quarantine = Inbound(
            disposition=Disposition.QUARANTINE, message=live.message(), reason="bad_mime"
        )
        edited = Inbound(
            disposition=Disposition.UPDATE, update=UpdateKind.EDITED, message=live.message()
        )
        own = Inbound(disposition=Disposition.OWN, message=live.message(), reason="echo")
        cases = [
            (Inbound(disposition=Disposition.CREATE, message=call), Outcome.QUEUED, "i1", ""),
            (Inbound(disposition=Disposition.APPEND, message=call), Outcome.APPENDED, "i1", ""),
            (quarantine, Outcome.QUARANTINED, "i2", "bad_mime"),
            (edited, Outcome.IGNORED, None, "unknown_message"),
            (own, Outcome.IGNORED, None, "echo"),
            (ended("another"), Outcome.IGNORED, None, "no_open_interaction"),
            (ended("call"), Outcome.ENDED, "i1", ""),
            (ended("call"), Outcome.IGNORED, None, "no_open_interaction"),
        ]
        for inbound, outcome, interaction_id, reason in cases:
            assert await router.deliver(inbound) == Receipt(outcome, interaction_id, reason)
        assert live.kinds(router.journal) == [
            "Queued",
            "MessageAppended",
            "Quarantined",
            "UpdateNoted",
            "Abandoned",
        ]
        assert router.deliveries == {
            (Channel.VOICE, Disposition.CREATE): 1,
            (Channel.VOICE, Disposition.APPEND): 1,
            (Channel.CHAT, Disposition.QUARANTINE): 1,
            (Channel.CHAT, Disposition.UPDATE): 1,
            (Channel.CHAT, Disposition.OWN): 1,
            (Channel.VOICE, Disposition.UPDATE): 3,
        }


async def test_every_disposition_has_an_answer():
    async with live.router() as router:
        for disposition in Disposition:
            inbound = Inbound(disposition=disposition, message=live.message())
            assert isinstance(await router.deliver(inbound), Receipt)


async def test_a_supervisor_gets_true_or_false():
    async with live.router() as router, router.sign_in("ann") as desk:
        for _ in range(2):
            await router.submit(live.message(), queue="support")
        first, second = "i1", "i2"
        assert await router.reprioritize(second, 5)
        assert router.interaction(second).priority == 5
        assert await router.withdraw(desk.open_offers[0].offer_id)
        assert not await router.withdraw(99)
        assert [offer.interaction.id for offer in desk.open_offers] == [second]
        assert await router.cancel(first, "spam")
        assert not await router.cancel(first)
        assert await router.abandon(second)
        assert not await router.abandon(second)
        assert not await router.reprioritize(second, 5)
        assert await router.sign_out("ann", "shift over")
        assert desk.signed_out == "shift over"
        assert not await router.sign_out("ann")


async def test_any_command_can_be_sent():
    async with live.router() as router:
        (queued,) = await router.send(Submit(live.message(), queue="sales"))
        (cancelled,) = await router.send(Cancel(queued.interaction_id, "test"))
        assert cancelled.reason == "test"


async def test_looking_asks_the_engine():
    async with live.router() as router:
        await router.submit(live.message(), queue="sales")
        assert router.explain("i1").reason is Reason.NO_AGENT_SIGNED_IN
        assert router.interaction("i1").queue == "sales"
        assert router.statistics().waiting == 1
        assert router.interaction("i2") is None
        with pytest.raises(UnknownNameError):
            router.explain("i2")


async def test_a_router_that_is_not_running_says_so():
    router = live.router()
    with pytest.raises(RouterClosedError, match="async with Router"):
        await router.submit(live.message(), queue="sales")
    async with router:
        assert (await router.submit(live.message(), queue="sales")).outcome is Outcome.QUEUED
    with pytest.raises(RouterClosedError, match="closed"):
        await router.submit(live.message(), queue="sales")
    assert router.statistics().waiting == 1
    with pytest.raises(UsageError, match="once"):
        async with router:
            pass


@pytest.mark.parametrize("name", ["inbox_limit", "message_limit"])
def test_a_limit_must_be_positive(name):
    with pytest.raises(UsageError, match=name):
        Router(live.plan(), **{name: 0})


async def test_a_clock_in_seconds_is_found_at_once():
    with pytest.raises(UsageError, match="integer milliseconds"):
        async with live.router(clock=anyio.current_time):
            pass


async def test_the_default_journal_keeps_everything_and_the_default_clock_is_the_wall():
    async with Router(live.plan()) as router:
        await router.submit(live.message(), queue="sales")
    assert isinstance(router.journal, MemoryJournal)
    (event,) = live.events(router.journal)
    assert event.at_ms > 1_600_000_000_000


async def test_a_task_that_only_submits_lets_the_others_run():
    served = []

    async def agent(router):
        async with router.sign_in(Agent(id="dan")) as desk:
            async for offer in desk.offers():
                assignment = await offer.accept()
                await assignment.complete()
                served.append(assignment.interaction.id)

    unlimited = live.plan(
        queues=[Queue(name="support")], triage=[], limits=Limits(max_waiting=10_000)
    )
    async with live.router(plan=unlimited) as router, anyio.create_task_group() as group:
        group.start_soon(agent, router)
        await live.settle()
        submitted = 0
        while not served and submitted < 500:
            await router.submit(live.message(), queue="support")
            submitted += 1
        assert submitted < 200
        group.cancel_scope.cancel()
