"""A sealed journal, and a customer who is erased from it and from the router's memory."""

import pickle
import sqlite3
from contextlib import aclosing

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import live
from omniroute import (
    Address,
    AddressKind,
    BlockingRouter,
    Channel,
    CorruptJournalError,
    Customer,
    Message,
    Router,
    UsageError,
)
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import VaultError
from omniroute.journal import (
    Chain,
    Codec,
    Entry,
    Frame,
    KeyVault,
    MemoryStore,
    StoreJournal,
    new_master_key,
    open_journal,
    subject_key,
)
from omniroute.model import Attachment, UpdateKind
from omniroute.plan import Identity, LinkRule
from omniroute.router import keeper as keepers
from omniroute.router.shadow import take_snapshot

MASTER = new_master_key()
SECRETS = (b"tell-nobody", b"Jane", b"4930123456", b"jane@example.com")
JANE = Customer(
    id="+4930123456", name="Jane Roe", addresses=(Address(AddressKind.E164, "+4930123456"),)
)
MAIL = Customer(id="jane@example.com", name="Jane Roe")


def said(customer=JANE, **fields):
    values = {
        "channel": Channel.SMS,
        "customer": customer,
        "text": "tell-nobody text",
        "subject": "tell-nobody subject",
        "thread_id": "+4930123456 to us",
        "message_id": "id of 4930123456",
        "links": ("https://example.org/tell-nobody",),
        "attachments": (Attachment(name="tell-nobody.pdf"),),
        "attributes": {"note": "tell-nobody"},
    }
    return Message(**{**values, **fields})


def router(folder, **options):
    vault = options.pop("vault", None) or KeyVault(folder / "keys.db", MASTER)
    options = {"clock": lambda: 1_000_000, **options}
    return live.router(f"sqlite:///{folder}/router.db", vault=vault, **options)


def found(folder):
    """Which secrets stand in which file."""
    return [
        (each.name, secret)
        for each in folder.iterdir()
        for secret in SECRETS
        if secret in each.read_bytes()
    ]


def texts(router):
    return [message.text for each in router.interactions() for message in each.messages]


pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Threads and processes know no virtual time."""
    return request.param


async def test_nothing_personal_stands_in_a_sealed_journal_and_everything_is_read_back(tmp_path):
    async with router(tmp_path) as first:
        await first.submit(said(), queue="support")
        await first.submit(said(message_id="m2", text="tell-nobody more"), queue="support")
        await first.submit(said(MAIL, channel=Channel.EMAIL, thread_id=None), queue="support")
        await first.request_callback("i2", "+4930123456")
        await first.cancel("i2", "Jane said tell-nobody")
        await first.send(ev.Quarantine(said(message_id="m3"), "the field tell-nobody is wrong"))
        await first.submit(said(), queue="support")
        await take_snapshot(first.journal, first.plan)
        await first.submit(live.message("tell-nobody too"), queue="support")
        state = first._engine.snapshot()
        assert found(tmp_path) == []
    assert found(tmp_path) == []
    async with router(tmp_path) as second:
        assert second._engine.snapshot() == state
        assert texts(second)[:2] == ["tell-nobody text", "tell-nobody more"]
    async with open_journal(
        f"sqlite:///{tmp_path}/router.db", vault=KeyVault(tmp_path / "keys.db", MASTER)
    ) as journal:
        events = [event async for frame in journal.read() for event in frame.events]
    cancelled = next(event for event in events if isinstance(event, ev.Cancelled))
    assert cancelled.reason == "Jane said tell-nobody"
    called = next(event for event in events if isinstance(event, ev.CallbackRequested))
    assert called.address == "+4930123456"


@pytest.mark.parametrize("snapshots", [0, 1, 2])
async def test_an_erased_customer_is_gone_from_everywhere(tmp_path, snapshots):
    async with router(tmp_path) as first:
        ann = await first.sign_in("ann")
        await first.submit(said(message_id="m1"), queue="support")
        assignment = await ann.open_offers[0].accept()
        await first.submit(said(message_id="m2"), queue="support")
        mail = said(MAIL, channel=Channel.EMAIL, thread_id=None, message_id="m1")
        await first.submit(mail, queue="sales")
        await first.submit(live.message("other"), queue="support")
        for _ in range(snapshots):
            await take_snapshot(first.journal, first.plan)
        assert await first.erase_customer(Channel.SMS, "+4930123456") == ("i1",)
        assert await first.erase_customer(Channel.EMAIL, "jane@example.com") == ("i2",)
        assert texts(first) == ["", "", "", "other"]
        assert assignment.interaction.message == said().erased()
        assert [m async for m in _waiting(assignment)] == [said().erased()]
        snapshot = first._engine.snapshot()
        assert not [secret for secret in SECRETS if secret in snapshot]
        again = await first.submit(said(message_id="new"), queue="support")
        assert again.interaction_id == "i4", "who comes back is a new customer"
        kept = await first.journal.snapshot_positions()
        assert len(kept) == min(snapshots, 1)
        state = first._engine.snapshot()
    async with router(tmp_path) as second:
        assert texts(second) == ["", "", "", "other", "tell-nobody text"]
        if snapshots:
            assert second._engine.snapshot() == state
        assert await assignment_of(second, "ann") == "i1"
        plain = await exported(second.journal)
    assert plain.count(b"tell-nobody text") == 2, "one command, one event, of him who came back"


async def _waiting(assignment):
    while assignment.messages._waiting:
        yield await anext(assignment.messages)


async def assignment_of(router, agent_id):
    async with router.sign_in(agent_id) as desk:
        return desk.assignments[0].interaction.id


async def exported(journal):
    frames = [frame async for frame in journal.read()]
    return msgspec.json.encode(frames)


async def test_linked_customers_are_erased_as_one(tmp_path):
    plan = live.plan(identity=Identity(link_by=(LinkRule.E164,)))
    number = Address(AddressKind.E164, "+4930123456")
    async with router(tmp_path, plan=plan) as first:
        await first.submit(said(), queue="support")
        mail = msgspec.structs.replace(MAIL, addresses=(number,))
        await first.submit(said(mail, channel=Channel.EMAIL, thread_id="x"), queue="support")
        assert len({each.customer_id for each in first.interactions()}) == 1
        redacted = await first.erase_customer(Channel.EMAIL, "jane@example.com")
        assert redacted == ("i1", "i2")
        assert texts(first) == ["", ""]
        assert first._engine._state.customers.customers == {}
    async with router(tmp_path, plan=plan) as second:
        assert texts(second) == ["", ""]


@pytest.mark.parametrize("end", ["cancel", "abandon", "decline and cancel"])
async def test_what_ended_an_interaction_is_erased_with_who_was_in_it(tmp_path, end):
    async with router(tmp_path) as first:
        await first.submit(said(), queue="support")
        if end == "abandon":
            await first.abandon("i1", "Jane said tell-nobody")
        elif end == "cancel":
            await first.cancel("i1", "Jane said tell-nobody")
        else:
            ann = await first.sign_in("ann")
            await ann.open_offers[0].decline("Jane said tell-nobody")
            await first.cancel("i1")
        assert b"Jane said" in await exported(first.journal)
        assert await first.erase_customer(Channel.SMS, "+4930123456") == ()
        plain = await exported(first.journal)
        assert not [secret for secret in SECRETS if secret in plain]


async def test_who_is_withheld_is_erased_by_his_interaction_alone(tmp_path):
    async with router(tmp_path) as first:
        for text in ("tell-nobody one", "two"):
            nobody = said(Customer(), channel=Channel.CHAT, text=text, thread_id=None)
            await first.submit(msgspec.structs.replace(nobody, message_id=text), queue="support")
        await first.cancel("i1")
        assert await first.erase_interaction("i1") == (), "it has ended"
        assert texts(first) == ["two"]
        assert b"tell-nobody one" not in await exported(first.journal)
        assert b"two" in await exported(first.journal)


async def test_a_crash_in_the_middle_is_made_good_by_the_next_router(tmp_path, monkeypatch):
    async with router(tmp_path) as first:
        await first.submit(said(), queue="support")
        await take_snapshot(first.journal, first.plan)

        async def crash(self):
            raise OSError("crash")

        with monkeypatch.context() as patch:
            patch.setattr(keepers.Keeper, "finish_erasing", crash)
            with pytest.raises(OSError, match="crash"):
                await first.erase_customer(Channel.SMS, "+4930123456")
    vault = KeyVault(tmp_path / "keys.db", MASTER)
    assert vault.unfinished().notes
    async with router(tmp_path, vault=vault) as second:
        await second._eraser.finish()  # it has begun to by itself
        assert not vault.unfinished().notes
        assert texts(second) == [""]
        assert "tell-nobody" not in (await exported(second.journal)).decode()
        assert len(await second.journal.snapshot_positions()) == 1


async def test_a_crash_before_the_erasure_was_in_the_journal(tmp_path):
    """The keys are retired, the note is there, the event is not."""
    async with router(tmp_path) as first:
        await first.submit(said(), queue="support")
    vault = KeyVault(tmp_path / "keys.db", MASTER)
    vault.retire([subject_key("sms:+4930123456")])
    vault.settle()
    async with router(tmp_path, vault=vault) as second:
        await second._eraser.finish()  # it has begun to by itself
        assert not vault.unfinished().notes
        assert texts(second) == [""]


async def test_the_wrong_master_key_stops_before_anything_is_written(tmp_path):
    async with router(tmp_path) as first:
        await first.submit(said(), queue="support")
    wrong = KeyVault(tmp_path / "keys.db", new_master_key())
    with pytest.raises(VaultError, match="wrapped by the master key"):
        async with router(tmp_path, vault=wrong):
            pass
    with pytest.raises(VaultError, match="is not in the key store"):
        async with router(tmp_path, vault=KeyVault(tmp_path / "new.db", MASTER)):
            pass


async def test_a_tampered_value_is_damage_with_its_place():
    vault = Toy()
    async with StoreJournal(MemoryStore(), vault=vault) as journal:
        await journal.claim()
        message = said()
        entry = Entry(ev.Submit(message), 1, (ev.Queued(1, "i1", 1, message, "q", 0),))
        await journal.append(Frame(1, (entry,)))
        vault.broken = True
        async with aclosing(journal.records(Chain.before(1))) as records:
            await anext(records)
            header, body = await anext(records)
        with pytest.raises(CorruptJournalError, match=r"damaged at record 2 .*altered"):
            journal.frame(header, body)


class Toy:
    """Seals by doing nothing."""

    broken = False

    def seal(self, subject, plain, context):
        return plain

    def unseal(self, sealed, context):
        from omniroute import JournalError

        if self.broken:
            raise JournalError("a sealed value was altered")
        return sealed

    def pseudonym(self, subject, value):
        return "~"


async def test_without_a_vault_that_erases_nobody_is_erased():
    async with live.router() as first:
        with pytest.raises(UsageError, match="no vault"):
            await first.erase_customer(Channel.SMS, "+4930123456")
    vault = KeyVault("nowhere.db", MASTER)
    for journal in (None, "memory:", StoreJournal(MemoryStore())):
        with pytest.raises(UsageError, match="a vault goes with"):
            Router(live.plan(), journal=journal, vault=vault)


async def test_nobody_is_named(tmp_path):
    async with router(tmp_path) as first:
        with pytest.raises(UsageError, match="needs a channel"):
            await first.erase_customer(Channel.SMS, "")
        with pytest.raises(UsageError, match="names nobody"):
            await first.send(ev.EraseCustomer())


def test_from_a_thread(tmp_path):
    vault = KeyVault(tmp_path / "keys.db", MASTER)
    with BlockingRouter(
        live.plan(), journal=f"sqlite:///{tmp_path}/router.db", vault=vault
    ) as first:
        first.submit(said(), queue="support")
        assert first.erase_customer(Channel.SMS, "+4930123456") == ("i1",)
        assert first.interaction("i1").message.text == ""
        assert first.erase_interaction("i1") == ()


async def test_an_expired_customer_is_gone_from_journal_and_snapshots(tmp_path, monkeypatch):
    now = [1_700_000_000_000]
    day_ms = 86_400_000
    vault = KeyVault(tmp_path / "keys.db", MASTER, expire_ms=5 * day_ms, clock=lambda: now[0])
    async with router(tmp_path, vault=vault, clock=lambda: now[0]) as first:
        await first.submit(said(), queue="support")
        await first.submit(live.message("other"), queue="support")
        await take_snapshot(first.journal, first.plan)
        await first.cancel("i1")
        now[0] += 6 * day_ms
        await first._keeper._expire()
        assert texts(first) == ["other"], "who is in contact stays"
        plain = await exported(first.journal)
        assert b"tell-nobody" not in plain
        assert b"other" in plain


# --- any journal, any set of erased customers -----------------------------------------------

CUSTOMERS = ("ann@x", "bea@x", "cem@x", "")


@st.composite
def stories(draw):
    """What a few customers and one agent do; who is erased in the end."""
    steps = draw(
        st.lists(
            st.one_of(
                st.tuples(
                    st.just("say"),
                    st.sampled_from(CUSTOMERS),
                    st.sampled_from([Channel.CHAT, Channel.EMAIL]),
                    st.sampled_from(["t1", "t2", None]),
                    st.integers(1, 9),
                ),
                st.tuples(st.just("edit"), st.integers(1, 9)),
                st.tuples(st.just("delete"), st.integers(1, 9)),
                st.tuples(st.just("accept")),
                st.tuples(st.just("complete")),
                st.tuples(st.just("decline")),
                st.tuples(st.just("cancel"), st.integers(1, 5)),
                st.tuples(st.just("snapshot")),
            ),
            max_size=25,
        )
    )
    return steps, draw(st.sets(st.sampled_from(CUSTOMERS[:3]), min_size=1))


def commands(engine, steps):
    """The commands of a story, each decided when it is asked for."""
    offers, taken = [], []
    yield ev.SignIn(live.plan().agents["cy"])
    for number, step in enumerate(steps):
        match step:
            case ("say", who, channel, thread, message_id):
                message = Message(
                    channel=channel,
                    customer=Customer(id=who, name=f"name-of-{who}" if who else ""),
                    thread_id=thread and f"{thread}-of-{who}",
                    message_id=f"{message_id}-of-{who}",
                    text=f"words-of-{who}",
                )
                made = yield ev.Submit(message, "support")
            case ("edit" | "delete" as kind, message_id):
                update = UpdateKind.EDITED if kind == "edit" else UpdateKind.DELETED
                who = CUSTOMERS[number % 3]
                message = Message(
                    channel=Channel.CHAT,
                    customer=Customer(id=who),
                    message_id=f"{message_id}-of-{who}",
                    text=f"better-words-of-{who}",
                )
                made = yield ev.Update(message, update, delivery_key=f"d{number}")
            case ("accept",) if offers:
                made = yield ev.Accept(offers[0])
            case ("decline",) if offers:
                made = yield ev.Decline(offers[0], "words-of-the-agent")
            case ("complete",) if taken:
                made = yield ev.Complete(taken.pop(), "done")
            case ("cancel", interaction):
                made = yield ev.Cancel(f"i{interaction}", "why")
            case _:
                continue
        for event in made:
            if isinstance(event, ev.Offered):
                offers.append(event.offer_id)
            elif isinstance(event, ev.Accepted | ev.Declined | ev.Revoked | ev.Expired):
                offers.remove(event.offer_id)
                if isinstance(event, ev.Accepted):
                    taken.append(event.offer_id)
        taken = [offer for offer in taken if offer in engine._state.offers]


def routing(engine):
    """A state without who and what: nothing in it may depend on what was erased."""
    return (
        [
            msgspec.structs.replace(each, messages=len(each.messages), customer_id="")
            for each in _pictures(engine)
        ],
        {name: (a.presence, a.idle, sorted(a.work)) for name, a in engine._state.agents.items()},
        engine.statistics(),
        sorted(
            (t.deadline_ms, t.number, t.kind, t.subject.id) for t in engine._state.timers.live()
        ),
        {channel: len(keys) for channel, keys in engine._state.seen.channels.items()},
        sorted(at for _, at in engine._state.last_agents.values()),
    )


def _pictures(engine):
    return [msgspec.structs.replace(each, conversation_id="") for each in engine.interactions()]


def folded(data, first_seq=1):
    engine = Engine(live.plan())
    for frame in data:
        for event in frame.events:
            engine.apply(event)
    return engine


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stories())
def test_any_journal_comes_to_the_same_routing_state_whoever_is_erased(tmp_path_factory, story):
    steps, erased = story
    folder = tmp_path_factory.mktemp("erasing")
    vault = KeyVault(folder / "keys.db", MASTER)
    codec = Codec(vault, erases=True)
    engine = Engine(live.plan())
    script = commands(engine, steps)
    command = next(script)
    bodies, seq, now_ms = [], 1, 1_000
    while True:
        now_ms += 1_000
        made = tuple(engine.receive(command, now_ms))
        bodies.append((seq, codec.encode(Frame(seq, (Entry(command, now_ms, made),)))))
        seq += len(made)
        try:
            command = script.send(made)
        except StopIteration:
            break
    vault.settle()

    def read():
        reader = Codec(KeyVault(folder / "keys.db", MASTER))
        frames = [reader.decode(1, first, body) for first, body in bodies]
        reader._vault.close()
        return frames

    before = folded(read())
    assert before.snapshot() == engine.snapshot()
    keys = [subject_key(f"{channel}:{who}") for who in erased for channel in ("chat", "email")]
    vault.retire(keys)
    vault.settle()
    vault.finish(vault.unfinished())
    vault.close()
    after = read()
    assert routing(folded(after)) == routing(before)
    text = msgspec.json.encode(after).decode() + repr([body for _, body in bodies])
    for who in erased:
        assert f"-of-{who}" not in text
        assert f'"{who}"' not in text


def test_the_vault_goes_to_the_process_that_makes_snapshots(tmp_path):
    vault = pickle.loads(pickle.dumps(KeyVault(tmp_path / "keys.db", MASTER)))
    vault.open()
    vault.close()
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        assert connection.execute("select count(*) from keys").fetchone() == (0,)
    connection.close()
