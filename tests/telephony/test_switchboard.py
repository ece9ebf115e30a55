"""Calls by Asterisk and FreeSWITCH: one list of scenarios, real clients, a real router, fakes.

The fakes speak the real protocols on real sockets (`fake_asterisk`, `fake_freeswitch`). Each
scenario holds for both, on both event loops: what a customer hears is what is asserted.
"""

import logging

import anyio
import pytest

from omniroute import (
    InteractionState,
    MemoryJournal,
    Presence,
    Router,
)
from omniroute.errors import RouterClosedError, UsageError
from omniroute.events import Tick
from omniroute.web.switchboard import Switchboard
from omniroute.web.telephony import SwitchRefusedError
from telephony.centre import ANA, BOB, PHONES, SWITCHES, Hand, both, centre, exchange, plan

pytestmark = pytest.mark.anyio


@pytest.fixture(params=SWITCHES)
def kind(request):
    return request.param


# --- one call -----------------------------------------------------------------------------------


async def test_a_call_waits_with_music_is_taken_by_phone_and_ends(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        await fake.hears(call, "music")
        [interaction] = here.router.interactions()
        customer = interaction.customer
        assert (customer.id, customer.name, interaction.message.to) == (
            "+49300001001",
            "Eva",
            "200",
        )
        assert interaction.message.attributes["switch"] == kind
        async with here.router.sign_in("ana") as desk:
            leg = await fake.rings(ANA)
            assert "49300001001" in str(leg.variables)
            await fake.hears(call, "music")
            await fake.take_up(ANA)
            await fake.hears(call, ANA)
            assignment = await here.engaged(desk)
            assert assignment.interaction.id == interaction.id
            await fake.put_down(ANA)
            await fake.hears(call, None)
            await fake.until(lambda: assignment.state is InteractionState.COMPLETED)
        assert here.total.completed == 1
        assert here.total.abandoned == 0
        assert not fake.lines


async def test_a_customer_who_hangs_up_while_waiting_is_abandoned(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        await here.waits(1)
        await fake.hears(call, "music")
        await fake.hang_up(call)
        await here.waits(0)
        assert here.total.abandoned == 1


async def test_a_customer_who_hangs_up_while_it_rings_stops_the_phone(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        async with here.router.sign_in("ana") as desk:
            await fake.rings(ANA)
            await fake.hang_up(call)
            await fake.quiet(ANA)
            assert here.total.abandoned == 1
            assert desk.presence is Presence.READY


async def test_a_customer_who_hangs_up_while_talking_hangs_the_phone_up(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        async with here.router.sign_in("ana") as desk:
            await fake.take_up(ANA)
            await fake.hears(call, ANA)
            assignment = await here.engaged(desk)
            await fake.hang_up(call)
            await fake.quiet(ANA)
            await fake.until(lambda: assignment.closed)
            assert assignment.code == "customer_left"
        if kind == "asterisk":
            await fake.until(lambda: not fake.bridges)


# --- phones that do not answer ------------------------------------------------------------------


@pytest.mark.parametrize("habit", ["busy", "declined"])
async def test_a_phone_that_says_no_declines_and_the_next_one_rings(kind, habit):
    async with both(kind) as (fake, here):
        fake.habits[ANA] = habit
        async with here.router.sign_in("ana") as ana:
            call = await fake.call()
            await fake.until(lambda: here.total.declined == 1)
            async with here.router.sign_in("bob"):
                await fake.take_up(BOB)
                await fake.hears(call, BOB)
            assert ana.presence is Presence.READY


@pytest.mark.parametrize(("habit", "why"), [("unknown", "unreachable"), ("lost", "unreachable")])
async def test_a_dead_phone_silences_its_agent_and_the_next_one_rings(kind, habit, why):
    async with both(kind) as (fake, here):
        fake.habits[ANA] = habit
        async with here.router.sign_in("ana") as ana:
            call = await fake.call()
            await fake.until(lambda: ana.presence is Presence.NOT_READY)
            assert ana.not_ready_reason == why
            await here.waits(1)
            async with here.router.sign_in("bob"):
                await fake.take_up(BOB)
                await fake.hears(call, BOB)


@pytest.mark.parametrize("phones", [{"bob": BOB}, {"ana": "PJSIP/two words", "bob": BOB}])
async def test_an_agent_without_a_phone_is_passed_by(kind, phones):
    async with both(kind, phones=phones) as (fake, here), here.router.sign_in("ana") as ana:
        fake.habits["PJSIP/two words"] = "unknown"
        call = await fake.call()
        await fake.until(lambda: ana.presence is Presence.NOT_READY)
        async with here.router.sign_in("bob"):
            await fake.take_up(BOB)
            await fake.hears(call, BOB)


async def test_a_phone_that_nobody_takes_up_rings_until_the_offer_runs_out(kind):
    clock = Hand()
    async with both(kind, clock=clock) as (fake, here):
        async with here.router.sign_in("ana") as ana:
            call = await fake.call()
            await fake.rings(ANA)
            clock.now_ms += 60_000
            await here.router.send(Tick())
            await fake.quiet(ANA)
            assert ana.not_ready_reason == "no_answer"
            await here.waits(1)
            await fake.hears(call, "music")
        assert here.total.expired == 1


async def test_an_agent_who_leaves_stops_his_phone(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        async with here.router.sign_in("ana"):
            await fake.rings(ANA)
        await fake.quiet(ANA)
        await here.waits(1)
        await fake.hears(call, "music")


# --- what an agent does on his screen -----------------------------------------------------------


async def test_hold_and_resume_on_the_screen_are_heard(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        async with here.router.sign_in("ana") as desk:
            await fake.take_up(ANA)
            await fake.hears(call, ANA)
            assignment = await here.engaged(desk)
            assert await assignment.hold()
            await fake.hears(call, "music")
            assert fake.lines[(await _leg(fake)).id].up
            assert await assignment.resume()
            await fake.hears(call, ANA)
            assert await assignment.hold()
            await fake.hears(call, "music")
            await fake.put_down(ANA)
            await fake.hears(call, None)
        assert here.total.completed == 1


async def _leg(fake):
    return next(line for line in fake.lines.values() if line.phone)


async def test_an_accept_on_the_screen_rings_the_phone_before_they_talk(kind):
    async with both(kind) as (fake, here), here.router.sign_in("ana") as desk:
        call = await fake.call()
        offer = await desk.next_offer()
        assert await offer.accept()  # at once: the phone may not even ring yet
        await fake.take_up(ANA)
        await fake.hears(call, ANA)


async def test_a_phone_that_is_not_taken_up_after_an_accept_gives_the_call_back(kind):
    async with both(kind) as (fake, here):
        fake.habits[ANA] = "lost"
        fake.habits[BOB] = "lost"
        async with here.router.sign_in("ana", ready=False) as desk:
            call = await fake.call()
            await fake.hears(call, "music")
            fake.habits[ANA] = "ring"
            await desk.ready()
            leg = await fake.rings(ANA)
            offer = await desk.next_offer()
            await offer.accept()
            fake._end(leg, "NO_ANSWER" if kind == "freeswitch" else 19)
            await here.waits(1)
            await fake.hears(call, "music")
            assert desk.not_ready_reason == "no_answer"


async def test_a_call_given_back_waits_with_music_and_its_phone_is_hung_up(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        async with here.router.sign_in("ana") as desk:
            await fake.take_up(ANA)
            await fake.hears(call, ANA)
            await desk.not_ready("break")
            assert await (await here.engaged(desk)).requeue("wrong department")
            await fake.hears(call, "music")
            await fake.quiet(ANA)
            await here.waits(1)


async def test_complete_on_the_screen_hangs_up_on_both_sides(kind):
    async with both(kind) as (fake, here):
        await fake.call()
        async with here.router.sign_in("ana") as desk:
            await fake.take_up(ANA)
            assert await (await here.engaged(desk)).complete("sold")
            await fake.until(lambda: not fake.lines)


async def test_a_cancelled_call_is_hung_up(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        await fake.hears(call, "music")
        [interaction] = here.router.interactions()
        await here.router.cancel(interaction.id)
        await fake.hears(call, None)


async def test_a_call_that_the_router_refuses_is_hung_up_as_busy(kind):
    limits = {"max_waiting": 1}
    async with both(kind, **limits) as (fake, here):
        first = await fake.call()
        await fake.hears(first, "music")
        second = await fake.call(number="49300001002")
        await fake.hears(second, None)
        assert any("busy" in str(command).lower() for command in fake.commands)
        assert here.total.rejected == 1


# --- restarts and lost connections --------------------------------------------------------------


async def test_a_waiting_call_is_resumed_after_the_router_restarted(kind):
    journal = MemoryJournal()
    async with exchange(kind) as fake:
        async with centre(fake, kind, journal):
            call = await fake.call()
            await fake.hears(call, "music")
        async with centre(fake, kind, journal) as here:
            assert here.router.statistics().waiting == 1
            async with here.router.sign_in("ana"):
                await fake.take_up(ANA)
                await fake.hears(call, ANA)
            assert here.total.queued == 1


async def test_a_conversation_outlives_the_router_and_ends_by_the_book(kind):
    journal = MemoryJournal()
    async with exchange(kind) as fake:
        first = await _talk(fake, kind, journal)
        before = len(fake.commands)
        async with centre(fake, kind, journal) as here:
            assert fake.heard(first) == ANA
            async with here.router.sign_in("ana") as desk:
                assignment = await here.engaged(desk)
                await fake.put_down(ANA)
                await fake.until(lambda: not fake.lines)
                await fake.until(lambda: assignment.state is InteractionState.COMPLETED)
        asked = str(fake.commands[before:])
        assert "moh" not in asked.replace("DELETE", "")
        assert "addChannel" not in asked
        assert "uuid_bridge" not in asked


async def _talk(fake, kind, journal):
    """A router that dies, so to say, while two people talk."""
    async with centre(fake, kind, journal) as here:
        call = await fake.call()
        desk = await here.router.sign_in("ana")
        await fake.take_up(ANA)
        await fake.hears(call, ANA)
        await here.engaged(desk)
    return call


async def test_a_customer_who_left_while_no_router_ran_is_abandoned(kind):
    journal = MemoryJournal()
    async with exchange(kind) as fake:
        async with centre(fake, kind, journal) as here:
            call = await fake.call()
            await here.waits(1)
        await fake.hang_up(call)
        async with centre(fake, kind, journal) as here:
            assert here.router.statistics().waiting == 0
            assert here.total.abandoned == 1


async def test_a_router_without_its_journal_takes_the_calls_that_stand(kind):
    async with exchange(kind) as fake:
        async with centre(fake, kind):
            call = await fake.call()
            await fake.hears(call, "music")
        async with centre(fake, kind) as here:
            assert here.router.statistics().waiting == 1
            async with here.router.sign_in("bob"):
                await fake.take_up(BOB)
                await fake.hears(call, BOB)


async def test_an_agent_who_hung_up_while_no_router_ran_is_rung_again(kind):
    journal = MemoryJournal()
    async with exchange(kind) as fake:
        call = await _talk(fake, kind, journal)
        await fake.put_down(ANA)
        async with centre(fake, kind, journal) as here, here.router.sign_in("ana"):
            await fake.take_up(ANA)
            await fake.hears(call, ANA)


async def test_after_a_lost_connection_everything_is_compared(kind):
    async with both(kind) as (fake, here), here.router.sign_in("ana") as desk:
        talks = await fake.call()
        await fake.take_up(ANA)
        await fake.hears(talks, ANA)
        assignment = await here.engaged(desk)
        leaves = await fake.call(number="49300001002")
        stays = await fake.call(number="49300001003")
        await here.waits(2)
        await fake.hears(stays, "music")
        fake.is_down = True
        await fake.drop()
        await fake.until(lambda: not here.board.is_connected)
        await fake.hang_up(leaves)
        fake.is_down = False
        await here.waits(1)
        await fake.hears(talks, ANA)
        assert here.total.abandoned == 1
        await fake.until(lambda: leaves not in here.board._calls)
        await fake.put_down(ANA)
        await fake.hears(talks, None)
        await fake.until(lambda: assignment.state is InteractionState.COMPLETED)
        await fake.take_up(ANA)
        await fake.hears(stays, ANA)


async def test_an_agent_who_hangs_up_unseen_has_completed(kind):
    async with both(kind) as (fake, here), here.router.sign_in("ana"):
        call = await fake.call()
        await fake.take_up(ANA)
        await fake.hears(call, ANA)
        fake.is_down = True
        await fake.drop()
        await fake.until(lambda: not here.board.is_connected)
        await fake.put_down(ANA)
        fake.is_down = False
        await fake.hears(call, None)
        assert here.total.completed == 1


async def test_a_phone_that_rings_for_nobody_after_a_lost_connection_is_stopped(kind):
    async with both(kind) as (fake, here), here.router.sign_in("ana") as desk:
        call = await fake.call()
        await fake.rings(ANA)
        fake.is_down = True
        await fake.drop()
        await fake.until(lambda: not here.board.is_connected)
        await desk.not_ready("lunch")
        assert (await fake.rings(ANA)).id
        fake.is_down = False
        await fake.quiet(ANA)
        await fake.hears(call, "music")


async def test_an_offer_made_while_the_switch_is_away_rings_when_it_is_back(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        await fake.hears(call, "music")
        fake.is_down = True
        await fake.drop()
        await fake.until(lambda: not here.board.is_connected)
        async with here.router.sign_in("ana") as desk:
            assert await desk.next_offer()
            fake.is_down = False
            await fake.take_up(ANA)
            await fake.hears(call, ANA)


# --- mistakes -----------------------------------------------------------------------------------


async def test_a_wrong_password_ends_the_run(kind):
    async with exchange(kind) as fake:
        board = Switchboard(SWITCHES[kind][1](fake, password="wrong"), PHONES)
        async with Router(plan()) as router:
            with pytest.raises(ExceptionGroup) as caught:
                await board.run(router)
            assert caught.group_contains(SwitchRefusedError)


async def test_a_router_that_has_stopped_ends_the_run_and_keeps_the_calls(kind):
    async with exchange(kind) as fake:
        board = Switchboard(SWITCHES[kind][1](fake), PHONES)
        with pytest.raises(ExceptionGroup) as caught:
            async with anyio.create_task_group() as group:
                async with Router(plan(), on_events=board.observe) as router:
                    await group.start(board.run, router)
                    call = await fake.call()
                    await fake.hears(call, "music")
                await fake.hang_up(call)
        assert caught.group_contains(RouterClosedError)


async def test_a_switchboard_runs_once_at_a_time(kind):
    async with both(kind) as (_, here):
        with pytest.raises(UsageError, match="once at a time"):
            await here.board.run(here.router)


async def test_a_refused_command_is_logged_without_the_caller(kind, caplog):
    caplog.set_level(logging.WARNING, "omniroute")
    async with both(kind) as (fake, here):
        fake.habits[ANA] = "unknown"
        if kind == "freeswitch":
            fake.habits[ANA] = "lost"
        async with here.router.sign_in("ana") as ana:
            await fake.call()
            await fake.until(lambda: ana.presence is Presence.NOT_READY)
    assert "49300001001" not in caplog.text
    assert ("cannot ring" in caplog.text) == (kind == "asterisk")
