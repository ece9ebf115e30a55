"""The timeline of a conversation, from a running router and from a journal by its URL."""

import msgspec
import pytest

import live
from omniroute import (
    Address,
    AddressKind,
    Agent,
    Capacity,
    Channel,
    Customer,
    Disposition,
    Inbound,
    NullJournal,
    Plan,
    Queue,
    Responsibility,
    TemplateMeetings,
    Timeline,
    UpdateKind,
    UsageError,
    read_timeline,
)
from omniroute import events as ev
from omniroute.engine.lifecycle import INTERACTION
from omniroute.observe.timeline import LEFT_OUT
from omniroute.plan import Identity, LinkRule

pytestmark = pytest.mark.anyio

PLAN = Plan(
    queues=[Queue(name="social"), Queue(name="chat")],
    capacities=[Capacity(budget=3)],
    agents=[Agent(id="ann"), Agent(id="bob")],
)
LENA = Customer(id="lena", name="Lena")


class Clock:
    """Stands still unless told."""

    now_ms = 1_000

    def __call__(self):
        return self.now_ms


def opened(journal=None, plan=PLAN, clock=None):
    rooms = TemplateMeetings("https://meet.example.com/{token}")
    return live.router(journal, plan=plan, clock=clock or Clock(), meetings=rooms)


def written(text, **fields):
    return live.message(text, **{"customer": LENA, "thread_id": "t", **fields})


async def a_story(router, clock):
    """Two questions of Lena and one of somebody else, two agents, a call; ends at 10 s."""
    ann, bob = await router.sign_in("ann"), await router.sign_in("bob", ready=False)
    await router.submit(written("Broken!", channel=Channel.FACEBOOK), queue="social")
    await router.submit(live.message("Something else"), queue="social")
    clock.now_ms = 2_000
    post = await (await ann.next_offer()).accept()
    clock.now_ms = 3_000
    await router.submit(written("Hello?", channel=Channel.FACEBOOK))
    escalation = await post.escalate(Channel.VIDEO)
    call = next(o for o in ann.open_offers if o.interaction.parent_id == "i1")
    call = await call.accept()
    clock.now_ms = 5_000
    await call.complete("solved")
    await post.hold()
    clock.now_ms = 6_000
    await post.transfer(agent_id="bob", reason="his product")
    await router.assign("i1", "bob", actor="mia")
    mine = await bob.next_given()
    clock.now_ms = 8_000
    await mine.park()
    clock.now_ms = 10_000
    await router.unpark("i1", actor="mia")
    return escalation


async def test_a_conversation_over_channels_and_agents():
    clock = Clock()
    async with opened(clock=clock) as router:
        escalation = await a_story(router, clock)
        conversation = router.interaction("i1").conversation_id
        timeline = await router.timeline(conversation)
        assert timeline == await router.timeline(interaction_id="i1")
    assert timeline.conversation_id == conversation
    assert timeline.interactions == ("i1", "i3")
    assert [message.text for message in timeline.messages] == ["Broken!", "Hello?"]
    told = [(entry.what, entry.interaction_id, entry.agent_id) for entry in timeline.entries]
    assert told == [
        ("queued", "i1", None),
        ("offered", "i1", "ann"),
        ("accepted", "i1", "ann"),
        ("message_appended", "i1", "ann"),
        ("queued", "i3", None),
        ("offered", "i3", "ann"),
        ("accepted", "i3", "ann"),
        ("completed", "i3", "ann"),
        ("held", "i1", "ann"),
        ("transferred", "i1", "ann"),
        ("offered", "i1", "bob"),
        ("accepted", "i1", "bob"),
        ("parked", "i1", "bob"),
        ("unparked", "i1", "bob"),
    ]
    entries = timeline.entries
    assert (entries[4].channel, entries[4].kind) == (Channel.VIDEO, ev.Kind.ESCALATION)
    assert (entries[4].link, entries[4].related_id) == (escalation.link, "i1")
    assert entries[7].reason == "solved"
    assert (entries[9].queue, entries[9].reason) == ("social", "his product")
    assert [entry.actor for entry in entries[10:]] == ["mia", "mia", "", "mia"]


async def test_who_was_responsible_when():
    clock = Clock()
    async with opened(clock=clock) as router:
        await a_story(router, clock)
        timeline = await router.timeline(interaction_id="i1")
    post = {"interaction_id": "i1", "channel": Channel.FACEBOOK}
    call = {"interaction_id": "i3", "channel": Channel.VIDEO}
    assert timeline.responsibilities == (
        Responsibility(agent_id="ann", since_ms=2_000, until_ms=6_000, **post),
        Responsibility(agent_id="ann", since_ms=3_000, until_ms=5_000, **call),
        Responsibility(agent_id="bob", since_ms=6_000, until_ms=8_000, **post),
        Responsibility(agent_id="bob", since_ms=8_000, until_ms=10_000, is_parked=True, **post),
    )
    moments = (1_999, 2_000, 4_000, 6_000, 9_999, 10_000)
    who = [timeline.responsible(at_ms) for at_ms in moments]
    assert who == [(), ("ann",), ("ann",), ("bob",), ("bob",), ()]


async def test_a_colleague_who_takes_over_is_responsible():
    async with opened() as router:
        ann, bob = await router.sign_in("ann"), await router.sign_in("bob")
        await router.submit(written("Broken!"), queue="social", interaction_id="case")
        mine = await (await ann.next_offer()).accept()
        await mine.consult(agent_id="bob")
        await (await bob.next_offer()).accept()
        await mine.confer()
        await mine.hand_over()
        timeline = await router.timeline(interaction_id="case")
    assert timeline.interactions == ("case", "i2")
    assert [message.text for message in timeline.messages] == ["Broken!"]  # said once
    (handed,) = [entry for entry in timeline.entries if entry.what == "handed_over"]
    assert (handed.agent_id, handed.to_agent_id) == ("ann", "bob")
    (joined,) = [entry for entry in timeline.entries if entry.what == "conferenced"]
    assert joined.related_id == "i2"
    assert timeline.responsible(1_000) == ("bob",)


async def test_what_the_customer_deleted_is_told_nowhere():
    def update(kind, text=""):
        message = written(text, message_id="m1")
        return Inbound(disposition=Disposition.UPDATE, update=kind, message=message)

    async with opened() as router, router.sign_in("ann") as ann:
        await router.submit(
            written("my secret", message_id="m1", links=("https://secret.example",)),
            queue="social",
        )
        mine = await (await ann.next_offer()).accept()
        await mine.consult(agent_id="ann", queue="social")
        await mine.consult(queue="social")
        await router.deliver(update(UpdateKind.EDITED, "my second secret"))
        edited = await router.timeline(interaction_id="i1")
        assert [m.text for m in edited.messages] == ["my secret", "my second secret"]
        await mine.escalate(Channel.VOICE)
        await router.deliver(update(UpdateKind.DELETED))
        timeline = await router.timeline(interaction_id="i1")
    assert "message_redacted" in [entry.what for entry in timeline.entries]
    assert b"secret" not in msgspec.json.encode(timeline)
    assert [message.text for message in timeline.messages] == ["", ""]


async def test_customers_who_turn_out_to_be_one_have_one_conversation():
    plan = linking_plan()
    number = (Address(AddressKind.E164, "+4930123456"),)
    async with opened(plan=plan) as router:
        await router.submit(written("from the web", customer=LENA, thread_id="a"), queue="chat")
        before = router.interaction("i1").conversation_id
        caller = Customer(id="caller", addresses=number)
        await router.submit(
            written("by telephone", customer=caller, channel=Channel.VOICE, thread_id="b"),
            queue="chat",
        )
        known = Customer(id="lena", addresses=number)
        await router.submit(written("my number", customer=known, thread_id="c"), queue="chat")
        after = router.interaction("i3").conversation_id
        for name in (before, after, router.interaction("i2").conversation_id):
            assert (await router.timeline(name)).interactions == ("i1", "i2", "i3")


def linking_plan():
    return Plan(queues=[Queue(name="chat")], identity=Identity(link_by=(LinkRule.E164,)))


async def test_a_customer_who_gives_his_name_later():
    async with opened() as router:
        await router.submit(written("hi", customer=Customer()), queue="chat")
        thread = router.interaction("i1").conversation_id
        assert thread == "chat#t"
        await router.submit(written("I am Lena"))
        named = router.interaction("i1").conversation_id
        assert named != thread
        for name in (thread, named):
            assert (await router.timeline(name)).interactions == ("i1",)


async def test_an_id_that_is_used_again_is_another_interaction():
    async with opened() as router:
        for text in ("first", "second"):
            message = live.message(text)
            await router.submit(message, queue="chat", interaction_id="case")
            await router.cancel("case", "test")
        timeline = await router.timeline(interaction_id="case")
        assert [message.text for message in timeline.messages] == ["second"]
        assert len(timeline.entries) == 2


async def test_what_there_is_nothing_of():
    async with opened(NullJournal()) as router:
        await router.submit(live.message(), queue="chat")
        empty = await router.timeline("nobody")
        assert empty == Timeline("nobody", (), (), ())
        assert (await router.timeline(interaction_id="i1")).entries == ()
        for arguments in ({}, {"conversation_id": "a", "interaction_id": "b"}):
            with pytest.raises(UsageError, match="one"):
                await router.timeline(**arguments)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_from_a_journal_by_its_url(tmp_path, anyio_backend):
    url = f"sqlite:///{tmp_path}/router.db"
    clock = Clock()
    async with opened(url, clock=clock) as router:
        await a_story(router, clock)
        live_one = await router.timeline(interaction_id="i1")
    assert await read_timeline(url, interaction_id="i1") == live_one
    with pytest.raises(FileNotFoundError):
        await read_timeline(f"sqlite:///{tmp_path}/router.bd", "nobody")
    assert not (tmp_path / "router.bd").exists()


class Tail:
    """A journal whose first frames were dropped."""

    def __init__(self, journal, dropped):
        self.frames = journal.frames[dropped:]

    async def read(self, from_seq=1):
        for frame in self.frames:
            yield frame


async def test_a_journal_of_which_the_beginning_is_gone():
    clock = Clock()
    async with opened(clock=clock) as router:
        await a_story(router, clock)
        await router.submit(written("again", thread_id="u"), queue="chat")
        whole = await router.timeline(interaction_id="i4")
        for dropped in range(len(router.journal.frames)):
            tail = await read_timeline(Tail(router.journal, dropped), whole.conversation_id)
            kept = [entry for entry in whole.entries if entry.interaction_id in tail.interactions]
            assert [entry.what for entry in tail.entries] == [entry.what for entry in kept]
            assert tail.messages[-1].text == "again"


def test_what_happens_to_an_interaction_is_told_but_for_the_search_and_the_door():
    assert LEFT_OUT & set(INTERACTION) == {
        ev.AccessWidened,
        ev.Postponed,
        ev.Quarantined,
        ev.RefusalsReset,
        ev.Rejected,
        ev.StepReached,
    }
