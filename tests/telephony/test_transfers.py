"""Calls that change hands, by Asterisk and by FreeSWITCH: who hears whom, and whose phone rings.

As in `test_switchboard`: real clients, a real router, fakes that speak the protocols.
"""

from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute import InteractionState, MemoryJournal, Presence
from omniroute.web.parties import Link, Places, rooms
from omniroute.web.telephony import leg_name
from telephony.centre import ANA, BOB, CY, SWITCHES, both, centre, exchange

HELD = InteractionState.HELD
COMPLETED = InteractionState.COMPLETED


@pytest.fixture(params=SWITCHES)
def kind(request):
    return request.param


@asynccontextmanager
async def talking(kind, **options):
    """Ana talks to a customer; Bob and Cy are there: (fake, centre, call, assignment)."""
    async with both(kind, **options) as (fake, here), here.router.sign_in("ana") as ana:
        call, assignment = await taken(fake, here, ana)
        async with here.router.sign_in("bob"), here.router.sign_in("cy"):
            yield fake, here, call, assignment


async def taken(fake, here, ana):
    """A call that Ana has taken by her phone."""
    call = await fake.call()
    await fake.take_up(ANA)
    await fake.hears(call, ANA)
    return call, await here.engaged(ana)


async def consulting(fake, call, assignment, agent="bob", phone=BOB):
    """Her colleague has taken his phone up: the consult."""
    consultation = await assignment.consult(agent_id=agent)
    await fake.take_up(phone)
    await fake.hears(phone, ANA)
    await fake.hears(ANA, phone)
    await fake.hears(call, "music")
    return consultation


async def reconnected(fake, here):
    """The connection is lost, and is made again: another call hears music."""
    fake.is_down = True
    await fake.drop()
    await fake.until(lambda: not here.board.is_connected)
    fake.is_down = False
    await fake.until(lambda: fake.outboxes)
    await fake.hears(await fake.call(number="49300001009"), "music")


def rung(fake, phone):
    """How many times a phone was rung."""
    asked = [str(command) for command in fake.commands]
    return sum(phone in command and "moh" not in command for command in asked)


pytestmark = pytest.mark.anyio


# --- away for good ------------------------------------------------------------------------------


async def test_a_blind_transfer_hangs_the_first_phone_up_and_rings_the_next(kind):
    async with talking(kind) as (fake, here, call, assignment):
        assert await assignment.transfer(agent_id="bob")
        await fake.rings(BOB)
        await fake.quiet(ANA)
        await fake.hears(call, "music")
        await fake.take_up(BOB)
        await fake.hears(call, BOB)
        await fake.put_down(BOB)
        await fake.hears(call, None)
        await fake.until(lambda: here.total.completed == 1)
        assert here.total.transferred == 1
        assert not fake.lines


async def test_a_transfer_to_a_queue_rings_whoever_may_have_it(kind):
    async with talking(kind) as (fake, _, call, assignment):
        assert await assignment.transfer(queue="second")
        await fake.quiet(ANA)
        await fake.take_up(CY)
        await fake.hears(call, CY)


async def test_a_transfer_to_a_dead_phone_waits_with_music_for_the_next(kind):
    async with talking(kind) as (fake, here, call, assignment):
        fake.habits[BOB] = "lost"
        assert await assignment.transfer(agent_id="bob", queue="second")
        await fake.until(lambda: here.desk("bob").presence is Presence.NOT_READY)
        assert here.desk("bob").not_ready_reason == "unreachable"
        await fake.hears(call, "music")
        assert here.router.interaction(assignment.interaction.id) is not None


async def test_a_parked_call_hears_music_frees_the_phone_and_comes_back(kind):
    async with talking(kind) as (fake, here, call, assignment):
        assert await assignment.park()
        await fake.quiet(ANA)
        await fake.hears(call, "music")
        for colleague in ("bob", "cy"):
            await here.desk(colleague).not_ready("lunch")
        other = await fake.call(number="49300001002")
        await fake.take_up(ANA)
        await fake.hears(other, ANA)
        await fake.put_down(ANA)
        await fake.hears(other, None)
        await here.desk("ana").unpark(assignment.interaction.id)
        await fake.take_up(ANA)
        await fake.hears(call, ANA)


async def test_a_customer_who_hangs_up_while_parked_is_gone(kind):
    async with talking(kind) as (fake, here, call, assignment):
        assert await assignment.park()
        await fake.quiet(ANA)
        await fake.hang_up(call)
        await fake.until(lambda: not here.router.interactions())


# --- a colleague --------------------------------------------------------------------------------


async def test_a_consult_puts_the_customer_on_hold_until_the_colleague_hangs_up(kind):
    async with talking(kind) as (fake, _, call, assignment):
        consultation = await assignment.consult(agent_id="bob")
        await fake.rings(BOB)
        await fake.hears(call, ANA)
        await fake.take_up(BOB)
        await fake.hears(BOB, ANA)
        await fake.hears(ANA, BOB)
        await fake.hears(call, "music")
        await fake.put_down(BOB)
        await fake.hears(call, ANA)
        await fake.until(lambda: consultation.state is COMPLETED)
        await fake.put_down(ANA)
        await fake.hears(call, None)
        await fake.until(lambda: assignment.state is COMPLETED)
        if kind == "asterisk":
            await fake.until(lambda: not fake.bridges)


async def test_a_colleague_whose_phone_is_busy_leaves_the_customer_to_the_agent(kind):
    async with talking(kind) as (fake, here, call, assignment):
        fake.habits[BOB] = "busy"
        consultation = await assignment.consult(agent_id="bob")
        await fake.until(lambda: here.total.declined == 1)
        await fake.hears(call, ANA)
        assert consultation.agent_id is None
        assert await consultation.cancel()
        await fake.hears(call, ANA)


async def test_a_consult_that_is_cancelled_hangs_the_colleague_up(kind):
    async with talking(kind) as (fake, _, call, assignment):
        consultation = await consulting(fake, call, assignment)
        assert await consultation.cancel()
        await fake.quiet(BOB)
        await fake.hears(call, ANA)


async def test_a_hand_over_joins_customer_and_colleague(kind):
    async with talking(kind) as (fake, here, call, assignment):
        await consulting(fake, call, assignment)
        before = rung(fake, BOB)
        assert await assignment.hand_over()
        await fake.hears(call, BOB)
        await fake.quiet(ANA)
        assert rung(fake, BOB) == before
        taken_over = await here.engaged(here.desk("bob"))
        assert taken_over.interaction.id == assignment.interaction.id
        await fake.put_down(BOB)
        await fake.hears(call, None)
        await fake.until(lambda: taken_over.state is COMPLETED)


async def test_an_agent_who_hangs_up_on_his_colleague_leaves_him_the_customer(kind):
    async with talking(kind) as (fake, here, call, assignment):
        await consulting(fake, call, assignment)
        await fake.put_down(ANA)
        await fake.hears(call, BOB)
        assert (await here.engaged(here.desk("bob"))).interaction.id == assignment.interaction.id


async def test_an_agent_who_hangs_up_before_his_colleague_answers_has_completed(kind):
    async with talking(kind) as (fake, _, _, assignment):
        await assignment.consult(agent_id="bob")
        await fake.rings(BOB)
        await fake.put_down(ANA)
        await fake.until(lambda: not fake.lines)
        assert assignment.state is COMPLETED


async def test_in_a_conference_all_three_hear_one_another(kind):
    async with talking(kind) as (fake, _, call, assignment):
        consultation = await consulting(fake, call, assignment)
        assert await assignment.confer()
        await fake.hears(call, f"{ANA}+{BOB}")
        await fake.hears(ANA, f"{BOB}+customer")
        await fake.hears(BOB, f"{ANA}+customer")
        assert await assignment.hold()
        await fake.hears(call, "music")
        await fake.hears(ANA, BOB)
        assert await assignment.resume()
        await fake.hears(call, f"{ANA}+{BOB}")
        await fake.put_down(BOB)
        await fake.hears(call, ANA)
        await fake.until(lambda: consultation.state is COMPLETED)


async def test_an_agent_who_leaves_a_conference_leaves_the_customer_to_his_colleague(kind):
    async with talking(kind) as (fake, here, call, assignment):
        await consulting(fake, call, assignment)
        assert await assignment.confer()
        await fake.hears(call, f"{ANA}+{BOB}")
        await fake.put_down(ANA)
        await fake.hears(call, BOB)
        await fake.put_down(BOB)
        await fake.until(lambda: not fake.lines)
        await fake.until(lambda: here.total.completed == 2)  # the consult, too


async def test_a_customer_who_hangs_up_in_a_consult_ends_it_for_all(kind):
    async with talking(kind) as (fake, _, call, assignment):
        consultation = await consulting(fake, call, assignment)
        await fake.hang_up(call)
        await fake.quiet(ANA)
        await fake.quiet(BOB)
        await fake.until(lambda: consultation.state is COMPLETED)
        assert assignment.code == "customer_left"
        if kind == "asterisk":
            await fake.until(lambda: not fake.bridges)


async def test_a_transfer_out_of_a_consult_leaves_the_colleague_with_nobody(kind):
    async with talking(kind) as (fake, _, call, assignment):
        consultation = await consulting(fake, call, assignment)
        assert await assignment.transfer(agent_id="cy")
        await fake.quiet(ANA)
        await fake.quiet(BOB)
        await fake.until(lambda: consultation.state is COMPLETED)
        await fake.take_up(CY)
        await fake.hears(call, CY)


async def test_a_colleague_on_hold_hears_music_while_the_agent_talks_to_the_customer(kind):
    async with talking(kind) as (fake, here, call, assignment):
        await consulting(fake, call, assignment)
        asked = await here.engaged(here.desk("bob"))
        assert await asked.hold()
        await fake.hears(call, ANA)
        await fake.until(lambda: fake.heard(BOB) in ("music", "silence"))
        assert await assignment.hold()
        await fake.hears(call, "music")
        assert await asked.resume()
        await fake.hears(BOB, ANA)
        assert await assignment.confer()
        assert await assignment.resume()
        await fake.hears(call, f"{ANA}+{BOB}")
        assert await asked.hold()
        await fake.hears(BOB, "music")
        await fake.hears(call, ANA)


async def test_a_colleague_may_ask_a_colleague(kind):
    async with talking(kind) as (fake, here, call, assignment):
        await consulting(fake, call, assignment)
        asked = await here.engaged(here.desk("bob"))
        await asked.consult(agent_id="cy")
        await fake.take_up(CY)
        await fake.hears(CY, BOB)
        await fake.until(lambda: fake.heard(ANA) in ("music", "silence"))
        await fake.hears(call, "music")
        assert await asked.hand_over()
        await fake.hears(CY, ANA)
        await fake.quiet(BOB)
        assert await assignment.hand_over()
        await fake.hears(call, CY)
        await fake.quiet(ANA)


# --- restarts and lost connections --------------------------------------------------------------


async def test_a_consult_outlives_a_lost_connection(kind):
    async with talking(kind) as (fake, here, call, assignment):
        consultation = await consulting(fake, call, assignment)
        before = len(fake.commands)
        await here.desk("cy").not_ready("lunch")
        await reconnected(fake, here)
        await fake.hears(BOB, ANA)
        assert consultation.state is InteractionState.ENGAGED
        assert not any(word in str(fake.commands[before:]) for word in ("addChannel", "bridge "))
        fake.is_down = True
        await fake.drop()
        await fake.until(lambda: not here.board.is_connected)
        await fake.put_down(BOB)
        fake.is_down = False
        await fake.hears(call, ANA)
        await fake.until(lambda: consultation.state is COMPLETED)


AFTER = {
    "consult": {"call": "music", "ana": BOB, "bob": ANA},
    "conference": {"call": f"{ANA}+{BOB}", "ana": f"{BOB}+customer", "bob": f"{ANA}+customer"},
    "hand_over": {"call": BOB, "ana": None, "bob": "customer"},
}


@pytest.mark.parametrize("what", AFTER)
async def test_who_hears_whom_outlives_the_router(kind, what):
    journal = MemoryJournal()
    hears = AFTER[what]

    async def as_before(fake, call):
        for who, name in (("call", call), ("ana", ANA), ("bob", BOB)):
            await fake.hears(name, hears[who])

    async with exchange(kind) as fake:
        async with centre(fake, kind, journal) as here:
            ana = await here.router.sign_in("ana")
            call, assignment = await taken(fake, here, ana)
            await here.router.sign_in("bob")
            await consulting(fake, call, assignment)
            if what == "conference":
                await assignment.confer()
            elif what == "hand_over":
                await assignment.hand_over()
            await as_before(fake, call)
        before = len(fake.commands)
        async with centre(fake, kind, journal) as here:
            await here.router.sign_in("ana")
            await here.router.sign_in("bob")
            await as_before(fake, call)
            await fake.put_down(BOB)
            if what == "hand_over":
                await fake.until(lambda: not fake.lines)
            else:
                await fake.hears(call, ANA)
                await fake.put_down(ANA)
                await fake.until(lambda: not fake.lines)
            await fake.until(lambda: not here.router.interactions())
        asked = str(fake.commands[before:])
        assert "originate" not in asked
        assert "appArgs" not in asked


async def test_a_call_that_was_lost_with_its_consult_ends_both(kind):
    journal = MemoryJournal()
    async with exchange(kind) as fake:
        async with centre(fake, kind, journal) as here:
            ana = await here.router.sign_in("ana")
            call, assignment = await taken(fake, here, ana)
            await here.router.sign_in("bob")
            await consulting(fake, call, assignment)
        await fake.hang_up(call)
        async with centre(fake, kind, journal) as here:
            await fake.until(lambda: not here.router.interactions())
            await fake.until(lambda: not fake.lines)


# --- several phones, codes, callbacks -----------------------------------------------------------


async def test_all_who_have_an_offer_are_rung_and_the_first_who_answers_has_it(kind):
    async with both(kind, offers=2) as (fake, here):
        ana = await here.router.sign_in("ana")
        await here.router.sign_in("bob")
        call = await fake.call()
        await fake.rings(ANA)
        await fake.take_up(BOB)
        await fake.hears(call, BOB)
        await fake.quiet(ANA)
        assert ana.presence is Presence.READY


@pytest.mark.parametrize(("code", "kept"), [("", "customer_left"), ("hung_up", "hung_up")])
async def test_who_hangs_up_gives_the_code_of_the_settings(kind, code, kept):
    codes = ("sold", "hung_up")
    async with both(kind, code=code, codes=codes) as (fake, here):
        call, assignment = await taken(fake, here, await here.router.sign_in("ana"))
        await fake.put_down(ANA)
        await fake.hears(call, None)
        await fake.until(lambda: assignment.closed)
        assert assignment.code == kept
        assert here.board.is_connected


async def test_a_customer_who_wants_to_be_called_back_is_hung_up_and_keeps_his_place(kind):
    async with both(kind) as (fake, here):
        call = await fake.call()
        await fake.hears(call, "music")
        [interaction] = here.router.interactions()
        await here.router.request_callback(interaction.id)
        await fake.hears(call, None)
        await reconnected(fake, here)
        assert here.router.statistics().waiting == 2  # he, and who called meanwhile


# --- the table ----------------------------------------------------------------------------------

TABLE = [  # the customer's link, the colleague's, who hear one another; None: his phone is down
    ([(None, False, False)], {}),
    ([("A", True, False)], {"c": "cA"}),
    ([("A", False, False)], {}),
    ([("A", True, False), (None, True, False)], {"c": "cA"}),
    ([("A", True, False), ("B", True, False)], {"A": "AB"}),
    ([("A", False, False), ("B", True, False)], {"A": "AB"}),
    ([("A", True, False), ("B", False, False)], {"c": "cA"}),
    ([("A", False, False), ("B", False, False)], {}),
    ([("A", True, True), ("B", True, False)], {"c": "cAB"}),
    ([("A", False, True), ("B", True, False)], {"A": "AB"}),
    ([("A", True, True), ("B", False, False)], {"c": "cA"}),
    ([(None, True, False), ("B", True, False)], {}),
    ([("A", True, True), ("B", True, True), ("D", True, False)], {"c": "cABD"}),
    ([("A", True, True), ("B", True, False), ("D", True, False)], {"c": "cA", "B": "BD"}),
]


@pytest.mark.parametrize(("links", "expected"), TABLE)
def test_who_hear_one_another(links, expected):
    found = rooms("c", [Link(*link) for link in links])
    assert found == {room: tuple(names) for room, names in expected.items()}


LINKS = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=5)


@given(LINKS)
def test_nobody_is_in_two_rooms_or_alone_in_one(drawn):
    legs = [leg_name(number, "a", "c") for number in range(len(drawn))]
    links = [
        Link(leg if is_up else None, engaged, in_conference)
        for leg, (is_up, engaged, in_conference) in zip(legs, drawn, strict=True)
    ]
    found = rooms("c", links)
    everybody = [name for names in found.values() for name in names]
    assert len(everybody) == len(set(everybody))
    assert all(len(names) > 1 and names[0] == room for room, names in found.items())
    assert {link.leg for link in links if link.leg} | {"c"} >= set(everybody)


@given(st.lists(st.sets(st.sampled_from("abcde"), min_size=1), max_size=6))
def test_places_are_where_they_were_put_last(moves):
    places, last = Places(), {}
    for names in moves:
        places.enter(min(names), names)
        last.update(dict.fromkeys(names, min(names)))
    assert {name: places.room_of(name) for name in last} == last
    for name, room in last.items():
        company = [other for other, theirs in last.items() if theirs == room and other != name]
        assert places.has_company(name) == bool(company)
        assert places.are_in(room, [name, *company])
