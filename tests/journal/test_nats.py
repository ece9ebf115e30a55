"""The store in NATS JetStream, on a real server: the protocol, and what only a server can do."""

import itertools
import sys

import pytest

import live
from omniroute.errors import (
    AppendUnknownError,
    FencedError,
    JournalError,
    JournalFullError,
    MissingExtraError,
    RouterClosedError,
    UsageError,
)
from omniroute.journal import NatsStore, StoreJournal, open_journal
from omniroute.journal.nats_client import parse_nats
from omniroute.testing import STORE_CHECKS
from omniroute.testing.servers import temporary_nats

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


@pytest.fixture
def url(nats):
    """A journal of its own on the one server."""
    return f"{nats.url}?journal=j{next(_numbers)}&monitor={nats.monitor}"


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_store_keeps_the_protocol(check, url):
    await check(lambda: NatsStore(url))


async def opened(url):
    store = NatsStore(url)
    await store.open()
    return store


async def asked(store, call, request):
    return await store._do(lambda: store._api(call, request))


async def test_a_stored_record_whose_answer_was_lost_is_found(url):
    """The server says "wrong last sequence" to the repeated message: no proof of a fence."""
    journal = StoreJournal(NatsStore(url))
    async with journal:
        await journal.claim()
        store, publish = journal.store, journal.store._publish
        lost = []

        async def publish_and_lose(subject, data, headers=None):
            told = await publish(subject, data, headers)
            if subject == store._log and not lost:
                lost.append(told)
                raise AppendUnknownError("lost")
            return told

        store._publish = publish_and_lose
        assert await journal.claim() == 2
        assert lost == [{"stream": store._stream, "seq": 2}]
        assert await store.bounds() == (1, 2)


async def test_an_older_router_is_fenced_and_writes_nothing(url):
    with pytest.raises(FencedError):
        async with live.router(url) as old, live.router(url) as new:
            await new.submit(live.message("one"), queue="support")
            with pytest.raises(RouterClosedError):
                await old.submit(live.message("two"), queue="support")
    async with live.router(url) as third:
        assert [i.message.text for i in third.interactions()] == ["one"]


async def test_many_records_are_read_in_order_past_the_end_of_a_batch(url, monkeypatch):
    monkeypatch.setattr("omniroute.journal.nats_store._BATCH_ROWS", 50)
    store = await opened(url)
    for position in range(1, 131):
        await store.append(position, b"%d" % position)
    found = []
    while chunk := await store.read(len(found) + 1, 1 << 20):
        found += chunk
    assert found == [(n, b"%d" % n) for n in range(1, 131)]
    await store.aclose()


async def test_what_a_replica_does_not_have_yet_is_asked_of_the_leader(url):
    store = await opened(url)
    await store.append(1, b"one")

    async def lagging(position, max_bytes):
        return []

    store._batch = lagging
    assert await store.read(1, 1 << 20) == [(1, b"one")]
    assert await store.read(2, 1 << 20) == []
    await store.aclose()


async def test_a_stream_that_is_full_says_so_and_keeps_what_it_has(url):
    store = await opened(url)
    await store.append(1, b"one")
    config = (await asked(store, f"STREAM.INFO.{store._stream}", {}))["config"]
    told = await asked(store, f"STREAM.UPDATE.{store._stream}", {**config, "max_bytes": 1_000})
    assert "error" not in told
    with pytest.raises(JournalFullError):
        await store.append(2, bytes(2_000))
    assert await store.bounds() == (1, 1)
    await store.append(2, b"two")
    await store.aclose()


async def test_nobody_can_delete_a_record_from_the_middle(url):
    store = await opened(url)
    await store.append(1, b"one")
    await store.append(2, b"two")
    told = await asked(store, f"STREAM.MSG.DELETE.{store._stream}", {"seq": 1})
    assert told["error"]["code"] == 500
    await store.aclose()


async def test_a_stream_with_fewer_replicas_than_the_url_asks_for_is_refused(url):
    await (await opened(url)).aclose()
    with pytest.raises(JournalError, match="has 1 replicas, the URL asks for 3"):
        await opened(f"{url}&replicas=3")


async def test_a_server_that_acknowledges_before_it_syncs_is_refused_or_labelled(nats, url):
    with temporary_nats(sync="2m") as (lazy,):
        checked = f"{lazy.url}?monitor={lazy.monitor}"
        with pytest.raises(JournalError, match="acknowledges before it syncs"):
            await opened(checked)
        with pytest.raises(JournalError, match="nothing tells whether"):
            await opened(lazy.url)
        with pytest.raises(JournalError, match="is no server of"):
            await opened(f"{lazy.url}?monitor={nats.monitor}")
        with pytest.warns(UserWarning, match="durability=relaxed"):
            store = await opened(f"{checked}&durability=relaxed")
        assert store.place.endswith("?journal=router&durability=relaxed")
        await store.aclose()
        store = await opened(f"{lazy.url}?durability=trusted")
        assert store.place.endswith("?journal=router&durability=trusted")
        await store.aclose()


async def test_no_server_is_an_error_of_the_journal(monkeypatch):
    monkeypatch.setattr("omniroute.journal.nats_client._CONNECT_S", 0.1)
    journal = StoreJournal(NatsStore("nats://127.0.0.1:9"))
    with pytest.raises(JournalError, match="does not answer"):
        await journal.open()


def test_a_url_names_servers_journal_and_what_is_known_of_them():
    address = parse_nats(
        "nats://u:secret@a:1,b:2?journal=north&replicas=3&monitor=http://a:3,http://b:4&credentials=f"
    )
    assert address.servers == ("nats://u:secret@a:1", "nats://u:secret@b:2")
    assert (address.name, address.replicas, address.credentials) == ("north", 3, "f")
    assert address.monitors == ("http://a:3", "http://b:4")
    assert "secret" not in address.place


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://", "write nats://host"),
        ("nats://a/north", "write nats://host"),
        ("nats://a?journal=a.b", "letters, digits"),
        ("nats://a?replicas=2", "1, 3 or 5"),
        ("nats://a?durability=best", "one of checked, trusted, relaxed"),
        ("nats://a?jurnal=b", "unknown in a nats URL: jurnal"),
    ],
)
def test_a_url_that_says_nothing_is_refused(url, says):
    with pytest.raises(UsageError, match=says):
        open_journal(url)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    with pytest.raises(MissingExtraError, match=r"omniroute\[nats\]"):
        open_journal("nats://a")


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_three_replicas_survive_the_one_that_leads():
    with temporary_nats(servers=3) as servers:
        hosts = ",".join(server.url.removeprefix("nats://") for server in servers)
        monitors = ",".join(server.monitor for server in servers)
        store = await opened(f"nats://{hosts}?replicas=3&monitor={monitors}")
        for position in (1, 2, 3):
            await store.append(position, b"%d" % position)
        told = await asked(store, f"STREAM.INFO.{store._stream}", {})
        leader = servers[int(told["cluster"]["leader"].removeprefix("n"))]
        leader.process.kill()
        while True:
            try:
                await store.append(4, b"4")
            except AppendUnknownError:
                if await store.read(4, 1):
                    break
            else:
                break
        assert [n for n, _ in await store.read(1, 1 << 20)] == [1, 2, 3, 4]
        await store.aclose()
