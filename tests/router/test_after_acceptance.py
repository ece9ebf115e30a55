"""What an agent does with what he has, seen from the desks: park, transfer, consult, call back."""

import anyio
import pytest

import live
from omniroute import (
    Agent,
    AssignmentEnded,
    Capacity,
    CommandError,
    InteractionState,
    MemoryJournal,
    OfferClosed,
    Outcome,
    Plan,
    Queue,
    Refused,
    UnknownNameError,
    WrapUp,
    WrapUpKind,
    loop_clock,
)
from omniroute.events import OwnStep, RejectReason
from omniroute.plan import Callback, Delivery

pytestmark = pytest.mark.anyio

S = InteractionState
MINUTE = 60_000


def centre(**changes):
    """A queue of each kind, and agents who can have two things at once."""
    timed = WrapUp(kind=WrapUpKind.TIMED, duration_ms=MINUTE, max_extension_ms=MINUTE)
    values = {
        "queues": [
            Queue(name="support", callback=Callback(max_attempts=2, retry_ms=MINUTE)),
            Queue(name="experts", members='groups has "expert"'),
            Queue(name="board", delivery=Delivery.PULL),
            Queue(name="ring", offers=2),
            Queue(name="auto", auto_accept=True, wrap_up=timed, codes=("sold",)),
        ],
        "capacities": [Capacity(budget=2)],
        "agents": [Agent(id="ann"), Agent(id="bob"), Agent(id="eva", groups=("expert",))],
    }
    return Plan(**{**values, **changes})


def opened(**options):
    return live.router(plan=centre(), **options)


async def engaged(router, desk, queue="support", **fields):
    """Submit a message to an agent who accepts it."""
    await router.submit(live.message(**fields), queue=queue, steps=[only(desk)])
    return await (await desk.next_offer()).accept()


def only(desk):
    return OwnStep(f'agent == "{desk.agent.id}"', direct=True)


# --- parked ---------------------------------------------------------------------------------


async def test_parked_work_is_his_and_comes_back_as_an_offer():
    async with opened() as router, router.sign_in("ann") as desk:
        assignment = await engaged(router, desk, thread_id="t")
        assert await assignment.park()
        assert assignment.ended is AssignmentEnded.PARKED
        assert assignment.closed
        assert await assignment.wait_closed() is S.PARKED
        assert desk.assignments == ()
        assert [each.id for each in desk.parked()] == ["i1"]
        assert await assignment.park()  # the answer again
        assert await desk.unpark("i1")
        assert (await desk.next_offer()).interaction.id == "i1"
        assert desk.parked() == []
        assert await desk.unpark("i1") == Refused(RejectReason.ILLEGAL_STATE)


async def test_parked_work_comes_back_at_its_time_or_with_a_message():
    async with opened() as router, router.sign_in("ann") as desk:
        for come_back in ("time", "message"):
            assignment = await engaged(router, desk, thread_id="t")
            await assignment.park(loop_clock() + MINUTE)
            if come_back == "time":
                await anyio.sleep(60)
            else:
                await router.submit(live.message("still there?", thread_id="t"))
            again = await (await desk.next_offer()).accept()
            assert again.interaction.id == assignment.interaction.id
            assert again is not assignment
            await again.complete()


# --- other hands ----------------------------------------------------------------------------


async def test_a_transfer_to_an_agent_is_offered_to_him():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("bob") as bob:
        assignment = await engaged(router, ann)
        himself = await assignment.transfer(agent_id="ann")
        assert himself == Refused(RejectReason.ILLEGAL_STATE)
        nobody = await assignment.transfer(agent_id="zoe")
        assert nobody == Refused(RejectReason.NOT_SIGNED_IN)
        with pytest.raises(CommandError, match="a queue, an agent"):
            await assignment.transfer()
        with pytest.raises(UnknownNameError, match="experts"):
            await assignment.transfer(queue="expert")
        assert assignment.state is S.ENGAGED
        assert await assignment.transfer(agent_id="bob", reason="knows him")
        assert assignment.ended is AssignmentEnded.TRANSFERRED
        assert await assignment.transfer(agent_id="bob")
        assert (await bob.next_offer()).interaction.id == "i1"
        assert not await assignment.complete()


async def test_a_consult_then_the_colleague_has_the_customer():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("eva") as eva:
        assignment = await engaged(router, ann)
        assert not await assignment.hand_over()
        assert assignment.consultation is None
        consultation = await assignment.consult(queue="experts")
        assert assignment.consultation is consultation
        twice = await assignment.consult(queue="experts")
        assert twice == Refused(RejectReason.ILLEGAL_STATE)
        offer = await eva.next_offer()
        assert offer.interaction.parent_id == "i1"
        assert not await assignment.confer()  # she has not taken it yet
        taken = await offer.accept()
        assert await consultation.wait_taken() == "eva"
        assert consultation.state is S.ENGAGED
        assert await assignment.confer()
        assert assignment.in_conference

        assert await assignment.hand_over()
        assert await assignment.hand_over()
        assert assignment.ended is AssignmentEnded.HANDED_OVER
        assert not assignment.in_conference
        assert (taken.ended, taken.code) == (AssignmentEnded.COMPLETED, "handed_over")
        assert await consultation.wait_closed() is S.COMPLETED
        given = await eva.next_given()
        assert given.interaction.id == "i1"
        assert eva.assignments == (given,)
        assert router.assignment("i1") is given
        assert await given.complete()
        assert ann.assignments == ()


async def test_a_consult_can_be_called_off_and_ends_with_its_parent():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("bob") as bob:
        assignment = await engaged(router, ann)
        first = await assignment.consult(agent_id="bob")
        offer = await bob.next_offer()
        assert await first.cancel()
        assert not await first.cancel()
        assert offer.closed is OfferClosed.CANCELLED
        assert await first.wait_taken() is None
        assert assignment.consultation is None
        second = await assignment.consult(agent_id="bob")
        await assignment.complete()
        assert second.state is S.CANCELLED
        third = await assignment.consult(agent_id="bob")
        assert third == Refused(RejectReason.UNKNOWN_ASSIGNMENT)


async def test_a_conference_ends_with_the_consult():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("bob") as bob:
        assignment = await engaged(router, ann)
        await assignment.consult(agent_id="bob")
        colleague = await (await bob.next_offer()).accept()
        await assignment.confer()
        await colleague.complete()
        assert not assignment.in_conference
        assert assignment.state is S.ENGAGED


async def test_who_waits_for_a_colleague_hears_that_the_router_closes():
    heard = []

    async def wait(consultation):
        heard.append(await consultation.wait_taken())
        heard.append(await consultation.wait_closed())

    async with anyio.create_task_group() as group, opened() as router:
        ann = await router.sign_in("ann")
        assignment = await engaged(router, ann)
        group.start_soon(wait, await assignment.consult(queue="experts"))
        await live.settle()
    assert heard == [None, S.WAITING]


async def test_after_a_restart_a_consult_is_found_again():
    journal = MemoryJournal()
    async with opened(journal=journal, clock=lambda: 1_000) as router:
        ann, bob = await router.sign_in("ann"), await router.sign_in("bob")
        await (await engaged(router, ann)).consult(agent_id="bob")
        await (await bob.next_offer()).accept()
        await ann.assignments[0].confer()
        await (await engaged(router, ann)).consult(queue="experts")
    async with opened(journal=journal, clock=lambda: 1_000) as router:
        ann = await router.sign_in("ann")
        talking, asking = ann.assignments
        assert talking.consultation.agent_id == "bob"
        assert talking.in_conference
        assert asking.consultation.agent_id is None
        eva = await router.sign_in("eva")
        await (await eva.next_offer()).accept()
        assert await asking.consultation.wait_taken() == "eva"
        assert await talking.hand_over()
        bob = await router.sign_in("bob")
        assert (await bob.next_given()).interaction.id == talking.interaction.id


# --- callbacks, schedules, patience -----------------------------------------------------------


async def test_a_callback_keeps_its_place_and_is_tried_again():
    async with opened() as router:
        await router.submit(live.message(), queue="support")
        assert await router.request_callback("i1", "+4930123")
        assert not await router.request_callback("i1")
        assert router.interaction("i1").is_callback
        desk = await router.sign_in("ann")
        assignment = await (await desk.next_offer()).accept()
        assert await assignment.fail_callback("no answer")
        assert await assignment.fail_callback()
        assert assignment.ended is AssignmentEnded.CALLBACK_FAILED
        assert router.interaction("i1").state is S.SCHEDULED
        await anyio.sleep(60)
        again = await (await desk.next_offer()).accept()
        assert await again.fail_callback()
        assert (again.ended, again.code) == (AssignmentEnded.COMPLETED, "callback_failed")


async def test_work_that_begins_later_and_work_that_waits_no_longer():
    async with opened() as router, router.sign_in("ann", ready=False) as desk:
        later = loop_clock() + MINUTE
        receipt = await router.submit(live.message(), queue="support", start_at_ms=later)
        assert receipt.outcome is Outcome.SCHEDULED
        assert not receipt.is_refused
        await router.submit(live.message(), queue="support", max_wait_ms=5_000)
        await anyio.sleep(6)
        assert router.interaction("i2") is None
        await desk.ready()
        assert desk.open_offers == ()
        await anyio.sleep(55)
        assert (await desk.next_offer()).interaction.id == "i1"
        with pytest.raises(CommandError, match="above 0"):
            await router.submit(live.message(), queue="support", max_wait_ms=0)


async def test_more_time_for_the_wrap_up():
    async with opened() as router, router.sign_in("ann") as desk:
        await router.submit(live.message(), queue="auto")
        assignment = await desk.next_given()
        assert desk.assignments == (assignment,)
        assert not await assignment.extend_wrap_up(1_000)
        with pytest.raises(UnknownNameError, match="sold"):
            await assignment.complete("bought")
        assert await assignment.complete("sold")
        assert await assignment.extend_wrap_up(MINUTE)
        assert not await assignment.extend_wrap_up(1)
        await anyio.sleep(119)
        assert assignment.state is S.WRAP_UP
        await anyio.sleep(2)
        assert assignment.ended is AssignmentEnded.COMPLETED


# --- pull, several offers, supervisors --------------------------------------------------------


async def test_an_agent_picks_what_he_sees():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("bob") as bob:
        await router.submit(live.message(), queue="board")
        await router.submit(live.message(), queue="board", priority=3)
        await router.submit(live.message(), queue="experts")
        await router.submit(live.message(), queue="board", steps=[only(bob)])
        assert [each.id for each in ann.visible()] == ["i2", "i1"]
        assert [each.id for each in bob.visible()] == ["i2", "i1", "i4"]
        assert ann.open_offers == ()
        assignment = await ann.pick("i1")
        assert assignment.interaction.state is S.ENGAGED
        assert ann.assignments == (assignment,)
        assert await ann.pick("i1") is assignment  # as often as he asks
        reasons = {
            "i1": RejectReason.ILLEGAL_STATE,
            "i3": RejectReason.NOT_PULLED,
            "i9": RejectReason.UNKNOWN_INTERACTION,
        }
        assert {each: (await bob.pick(each)).reason for each in reasons} == reasons
        assert (await ann.pick("i4")).reason is RejectReason.NOT_ELIGIBLE
        assert await ann.pick("i2")
        await router.submit(live.message(), queue="board")
        assert (await ann.pick("i5")).reason is RejectReason.NO_ROOM
        await ann.not_ready()
        assert (await ann.pick("i5")).reason is RejectReason.NOT_READY
        assert [each.id for each in ann.visible()] == ["i5"]
        await ann.sign_out()
        assert (await ann.pick("i5")).reason is RejectReason.NOT_SIGNED_IN
        assert ann.visible() == ann.parked() == []


async def test_the_first_to_accept_has_it():
    async with opened() as router, router.sign_in("ann") as ann, router.sign_in("bob") as bob:
        await router.submit(live.message(), queue="ring")
        one, two = await ann.next_offer(), await bob.next_offer()
        assert router.offers("i1") == (one, two)
        assert router.offer("i1") is one
        assert await two.accept()
        assert await one.accept() is None
        assert one.closed is OfferClosed.TAKEN
        assert router.offers("i1") == ()


async def test_a_supervisor_gives_work_to_an_agent_whatever_the_rules_say():
    async with opened() as router, router.sign_in("bob", ready=False) as bob:
        await router.submit(live.message(), queue="experts")
        assert await router.assign("i1", "bob", actor="mia")
        given = await bob.next_given()
        assert given.interaction.id == "i1"
        assert not await router.assign("i1", "bob")
        assert (await router.assign("i2", "bob")).reason is RejectReason.UNKNOWN_INTERACTION
        (entry,) = [
            entry
            for frame in router.journal.frames
            for entry in frame.entries
            if getattr(entry.command, "actor", "")
        ]
        assert entry.command.actor == "mia"


async def test_a_supervisor_moves_and_re_ranks():
    async with opened(clock=lambda: 1_000_000) as router, router.sign_in("ann", ready=False) as ann:
        for _ in range(3):
            await router.submit(live.message(), queue="experts")
        assert await router.move("i2", "support", priority=5)
        assert await router.reprioritize("i3", enqueued_at_ms=0)
        assert router.interaction("i3").enqueued_at_ms == 0
        assert await router.move_all("experts", "support", actor="mia") == 2
        assert [each.queue for each in router.interactions()] == ["support"] * 3
        await ann.ready()
        assert [offer.interaction.id for offer in ann.open_offers] == ["i3", "i2"]
        assert await router.move("i3", "experts")
        assert ann.open_offers[0].interaction.id == "i2"
        with pytest.raises(UnknownNameError, match="support"):
            await router.move_all("experts", "suport")
        assert await router.close_all("support", "closing down") == 2
        assert [each.id for each in router.interactions()] == ["i3"]


async def test_an_offer_that_is_moved_away_says_so():
    async with opened() as router, router.sign_in("ann") as ann:
        await router.submit(live.message(), queue="support")
        offer = await ann.next_offer()
        await router.move("i1", "experts")
        assert offer.closed is OfferClosed.MOVED


async def test_a_drained_queue_takes_nothing_new():
    async with opened() as router:
        await router.submit(live.message(), queue="support")
        assert await router.drain("support")
        receipt = await router.submit(live.message(), queue="support")
        assert (receipt.outcome, receipt.reason) == (Outcome.REJECTED, "queue_draining")
        assert receipt.is_refused_for_now
        assert await router.reopen("support")
        assert (await router.submit(live.message(), queue="support")).outcome is Outcome.QUEUED


async def test_a_desktop_that_is_not_heard_of_is_signed_out():
    async with opened() as router:
        desk = await router.sign_in("ann", lease_ms=10_000)
        assignment = await engaged(router, desk)
        await anyio.sleep(9)
        assert await desk.renew()
        await anyio.sleep(9)
        assert desk.signed_out is None
        await anyio.sleep(2)
        assert desk.signed_out == "lease_expired"
        assert assignment.ended is AssignmentEnded.REQUEUED
        assert not await desk.renew()
        bob = await router.sign_in("bob")
        assert await bob.renew() == Refused(RejectReason.ILLEGAL_STATE)


async def test_another_plan_at_run_time():
    more = centre(queues=[*centre().queues.values(), Queue(name="sales")])
    async with opened() as router, router.sign_in("ann") as ann:
        await router.submit(live.message(), queue="experts")
        preview = router.preview_plan(more, moves={"experts": "sales"})
        assert preview.moved == (("i1", "sales"),)
        assert "sales" not in router.plan.queues
        assert await router.change_plan(more, moves={"experts": "sales"}, actor="mia")
        assert "sales" in router.plan.queues
        assert (await ann.next_offer()).interaction.queue == "sales"


async def test_what_is_accepted_for_him_comes_to_one_task_and_not_to_who_accepts():
    seen = []

    async def watch(desk):
        async for assignment in desk.given():
            seen.append(assignment.interaction.id)  # noqa: PERF401 - seen while it goes on

    async with anyio.create_task_group() as group, opened() as router:
        desk = await router.sign_in("ann")
        group.start_soon(watch, desk)
        group.start_soon(watch, desk)
        await live.settle()
        await engaged(router, desk)
        await router.submit(live.message(), queue="auto")
        await live.settle()
        assert seen == ["i2"]


async def test_what_is_accepted_for_him_and_over_at_once_is_shown_nowhere():
    """A step ends, the queue accepts for the agent, and the cancel comes in the same moment."""
    plan = Plan(queues=[Queue(name="auto", auto_accept=True)])
    now_ms = 1_000
    async with live.router(plan=plan, clock=lambda: now_ms) as router:
        desk = await router.sign_in(Agent(id="ann"))
        await router.submit(
            live.message(),
            queue="auto",
            steps=[OwnStep('agent == "nobody"', for_ms=5_000)],
        )
        now_ms = 60_000
        assert await router.cancel("i1")
        assert desk.assignments == desk.open_offers == ()
        assert live.kinds(router.journal)[-3:] == ["Offered", "Accepted", "Cancelled"]
