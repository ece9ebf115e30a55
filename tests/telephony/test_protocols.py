"""What is particular to ARI and to the event socket: recordings, oddities, hostile input.

The scenarios that both share are in `test_switchboard`.
"""

import itertools
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import virtual_time
from omniroute import Agent, Plan, Queue, Router
from omniroute.channels import AsteriskAri
from omniroute.channels.quarantine import kept, replay
from omniroute.errors import UsageError
from omniroute.plan import TriageRule
from omniroute.router import quarantined_in
from omniroute.web.ari import Ari
from omniroute.web.event_socket import EventSocket
from omniroute.web.switchboard import Switchboard
from omniroute.web.telephony import (
    LEG,
    Gone,
    SwitchClosedError,
    SwitchRefusedError,
    digest,
    leg_name,
    leg_of,
    room_name,
    room_of,
    stay_connected,
)
from telephony.exchange import LIMIT_S
from telephony.fake_asterisk import FakeAsterisk
from telephony.fake_freeswitch import FakeFreeSwitch

DATA = Path(__file__).parents[1] / "data"
PLAN = Plan(
    queues=[Queue(name="phone")],
    agents=[Agent(id="ana")],
    triage=[TriageRule(queue="phone")],
)


@asynccontextmanager
async def connected(fake, make):
    """A router connected to a fake; ``make`` makes the switch of its port."""
    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as group:
            await group.start(fake.serve)
            board = Switchboard(make(fake.port), {"ana": "user/ana"})

            def observe(events):
                board.observe(events)
                fake.note()

            async with (
                Router(PLAN, on_events=observe) as router,
                anyio.create_task_group() as running,
            ):
                await running.start(board.run, router)
                yield router
                running.cancel_scope.cancel()
            group.cancel_scope.cancel()


def ari(fake, **options):
    return connected(
        fake,
        lambda port: Ari(f"http://127.0.0.1:{port}/ari/", "router", "secret", retry_s=0, **options),
    )


def event_socket(fake, **options):
    return connected(fake, lambda port: EventSocket("secret", port=port, retry_s=0, **options))


# --- ARI ----------------------------------------------------------------------------------------


def recorded(name):
    return (DATA / "asterisk_ari" / f"own__{name}_1.json").read_text()


@pytest.mark.anyio
async def test_recorded_events_of_ari_open_and_end_one_interaction():
    fake = FakeAsterisk()
    async with ari(fake) as router:
        fake.say(recorded("stasis_start"))
        await fake.until(lambda: router.statistics().waiting == 1)
        [interaction] = router.interactions()
        assert interaction.customer.id == "+49300001001"
        assert interaction.message.thread_id == "160000001.7"
        fake.say(recorded("replace"))  # goes on with the call, opens nothing
        fake.say(recorded("stasis_end"))
        await fake.until(lambda: router.statistics().waiting == 0)
        total = router.statistics().total
        assert (total.queued, total.abandoned) == (1, 1)


@pytest.mark.anyio
async def test_a_caller_who_comes_back_on_his_channel_opens_a_new_interaction():
    fake = FakeAsterisk()
    async with ari(fake) as router:
        for count in (1, 2):
            at = f"09:0{count}"  # a repeat of an event would be one
            fake.say(recorded("stasis_start").replace("09:00", at))
            await fake.until(lambda count=count: router.statistics().total.queued == count)
            fake.say(recorded("stasis_end").replace("09:01", at))
            await fake.until(lambda count=count: router.statistics().total.abandoned == count)


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": 7}', "[" * 100_000, '"\ud800"'])
async def test_what_is_no_event_of_ari_is_kept_and_the_next_one_is_read(text):
    fake = FakeAsterisk()
    async with ari(fake) as router:
        fake.say(text.encode("utf-8", "replace").decode())
        await fake.call()
        await fake.until(lambda: router.statistics().waiting == 1)
        [event] = await quarantined_in(router.journal)
        name, delivery = kept(event.message)
        assert (name, delivery.body) == ("asterisk_ari", text.encode("utf-8", "replace"))


@pytest.mark.anyio
@pytest.mark.parametrize("request_", [("POST", "moh"), ("POST", "answer"), ("POST", "channels")])
async def test_a_request_that_is_cut_off_is_made_again_after_a_comparison(request_):
    fake = FakeAsterisk()
    fake.breaks.add(request_)
    async with ari(fake) as router, router.sign_in("ana"):
        call = await fake.call()
        await fake.take_up("user/ana")
        await fake.hears(call, "user/ana")
    assert not fake.breaks


@pytest.mark.anyio
async def test_ari_is_told_of_the_music_and_the_caller():
    fake = FakeAsterisk()
    async with ari(fake, music="quiet", ring_s=7) as router, router.sign_in("ana"):
        await fake.call(name='Eva "x" <6>\x07')
        leg = await fake.rings("user/ana")
        assert leg.variables["shown"] == '"Eva x 6" <+49300001001>'
    asked = {(method, path.split("/")[-1]): params for method, path, params in fake.commands}
    assert asked["POST", "moh"] == {"mohClass": "quiet"}
    assert asked["POST", "channels"]["timeout"] == "7"


def test_mistakes_in_the_settings_of_ari_are_told_at_once():
    with pytest.raises(UsageError, match="URL"):
        Ari("127.0.0.1:8088", "router", "secret")
    with pytest.raises(UsageError, match="own_args"):
        adapter = AsteriskAri(own_args=frozenset({"outbound"}))
        Ari("http://127.0.0.1:8088/ari", "router", "secret", adapter=adapter)


# --- the event socket ---------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_recorded_event_of_freeswitch_opens_an_interaction_when_it_is_parked():
    event = (DATA / "freeswitch" / "derived__channel_create_inbound.txt").read_bytes().strip()
    for old, new in (
        (b"CHANNEL_CREATE", b"CHANNEL_PARK"),
        (b"1001", b"1001\nvariable_omniroute: yes"),
    ):
        assert old in event
        event = event.replace(old, new)
    body = event + b"\n\n"
    fake = FakeFreeSwitch()
    async with event_socket(fake) as router:
        fake.say(b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(body), body))
        await fake.until(lambda: router.statistics().waiting == 1)
        assert router.interactions()[0].customer.id == "+15551230000"


@pytest.mark.anyio
async def test_calls_that_others_parked_are_left_alone():
    fake = FakeFreeSwitch()
    await fake.call(mark="")
    async with event_socket(fake) as router:
        foreign = await fake.call(mark="")
        ours = await fake.call()
        await fake.hears(ours, "music")
        await fake.hang_up(foreign)
        await fake.hang_up(ours)
        await fake.until(lambda: router.statistics().waiting == 0)
        assert router.statistics().total.queued == 1
        assert len(fake.lines) == 1


@pytest.mark.anyio
async def test_a_call_parked_while_nobody_was_connected_is_taken_in():
    fake = FakeFreeSwitch()
    call = await fake.call()
    async with event_socket(fake) as router:
        assert router.statistics().waiting == 1
        await fake.hears(call, "music")


@pytest.mark.anyio
async def test_what_is_no_event_is_kept_and_the_next_one_is_read():
    fake = FakeFreeSwitch()
    async with event_socket(fake) as router:
        fake.say(b"Content-Length: 3\nContent-Type: text/event-plain\n\nabc")
        fake.say(b"Content-Type: log/data\nContent-Length: 2\n\nhi")
        await fake.call()
        await fake.until(lambda: router.statistics().waiting == 1)
        [event] = await quarantined_in(router.journal)
        name, delivery = kept(event.message)
        assert (name, delivery.body[-5:]) == ("freeswitch", b"\n\nabc")
        assert [one.reason for one in replay(event.message)] == [event.reason]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said", [b"Content-Type: text/disconnect-notice\n\n", b"Content-Length: x\n\n"]
)
async def test_a_goodbye_or_bytes_that_are_no_frames_are_a_lost_connection(said):
    fake = FakeFreeSwitch()
    async with event_socket(fake):
        fake.say(said)
        call = await fake.call()
        await fake.until(lambda: fake.commands.count(fake.commands[0]) == 2)
        await fake.hears(call, "music")


@pytest.mark.anyio
@pytest.mark.parametrize("command", ["uuid_answer", "originate", "uuid_bridge"])
async def test_a_command_without_an_answer_is_a_lost_connection(command):
    fake = FakeFreeSwitch()
    fake.silent_on.add(command)
    async with event_socket(fake, reply_s=0.3) as router, router.sign_in("ana"):
        call = await fake.call()
        await fake.take_up("user/ana")
        await fake.hears(call, "user/ana")
    assert not fake.silent_on


@pytest.mark.anyio
async def test_a_switch_that_says_nothing_is_tried_again():
    fake = FakeFreeSwitch()
    greeting, fake.greeting = fake.greeting, b"\n"
    opened = []

    async def talk(stream, speak=fake.speak):
        opened.append(stream)
        if len(opened) == 2:
            fake.greeting = greeting
        await speak(stream)

    fake.speak = talk
    async with event_socket(fake, reply_s=0.3):
        assert len(opened) >= 2


@pytest.mark.anyio
async def test_an_access_list_that_refuses_us_ends_the_run():
    fake = FakeFreeSwitch()
    fake.greeting = (
        b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
    )
    with pytest.raises(ExceptionGroup) as caught:
        async with event_socket(fake):
            raise AssertionError("connected")
    assert caught.group_contains(SwitchRefusedError)


@pytest.mark.anyio
async def test_a_caller_cannot_write_commands():
    fake = FakeFreeSwitch()
    evil = "Eva'}user/evil &park()\n\napi uuid_kill all,x=y"
    async with event_socket(fake) as router, router.sign_in("ana"):
        await fake.call(name=evil, number="+49{300}001001")
        leg = await fake.rings("user/ana")
        shown = leg.variables["origination_caller_id_name"]
        assert shown == "'Eva user evil park api uuid_kill all x y'"
    assert not any("uuid_kill all" in line for line in fake.commands if "originate" not in line)


def test_settings_of_the_event_socket_are_single_words():
    with pytest.raises(UsageError, match="password"):
        EventSocket("Clue\n\napi shutdown")
    with pytest.raises(UsageError, match="music"):
        EventSocket("secret", music="a b")


# --- what all share -----------------------------------------------------------------------------


@given(st.integers(0, 10**18), st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_a_leg_says_what_it_is_for(offer_id, agent, call):
    name = leg_name(offer_id, agent, call)
    assert name.startswith(LEG)
    assert leg_of(name) == (offer_id, digest(agent), call)
    for room in (name, call):
        assert room_of(room_name(room)) == room


@pytest.mark.parametrize(
    "name",
    ["", "omniroute-", "omniroute-x-1", "omniroute-7-", "1700.7", "-7-1", "omniroute-7-8-9"],
)
def test_other_channels_are_no_legs(name):
    assert leg_of(name) is None


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_it_is_tried_again_ever_more_slowly_until_it_succeeds(loop):
    tried = []

    async def session(connected):
        tried.append(round(anyio.current_time(), 3))
        if len(tried) == 8:
            connected()
        if len(tried) == 10:
            raise ValueError("anything else ends it")
        raise SwitchClosedError("no") if len(tried) % 2 else OSError("no")

    async def main():
        with pytest.raises(ValueError, match="ends it"):
            await stay_connected(session, retry_s=1.0)

    virtual_time.run(loop, main)
    waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert waits == [1, 2, 4, 5, 5, 5, 5, 1, 2]


@pytest.mark.anyio
@pytest.mark.parametrize("switch", [Ari("http://127.0.0.1:1/ari", "a", "b"), EventSocket("x")])
async def test_a_switch_that_is_not_connected_takes_no_commands(switch):
    for command in (
        switch.hold("c", None),
        switch.ring("c", leg_name(1, "ana", "c"), "user/ana", ("", "")),
        switch.join("c", ["c", leg_name(1, "ana", "c")]),
        switch.hang_up("c", Gone.BUSY),
    ):
        with pytest.raises(SwitchClosedError):
            await command
