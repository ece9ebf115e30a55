"""The store in PostgreSQL, on a real server: the protocol, and what only a server can do."""

import itertools
import sys

import psycopg
import pytest

import live
from omniroute.errors import (
    AppendUnknownError,
    FencedError,
    JournalError,
    MissingExtraError,
    RouterClosedError,
    UsageError,
)
from omniroute.journal import PostgresStore, StoreJournal, open_journal
from omniroute.router import Outcome
from omniroute.testing import STORE_CHECKS

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


@pytest.fixture
def url(postgres):
    """A journal of its own in the one database."""
    return f"{postgres}?journal=j{next(_numbers)}"


def asked(postgres, statement, *values):
    with psycopg.connect(postgres, autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def cut_connections(postgres):
    """As a restart of the server does."""
    asked(
        postgres,
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where pid <> pg_backend_pid() and backend_type = 'client backend'",
    )


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_store_keeps_the_protocol(check, url):
    await check(lambda: PostgresStore(url))


async def test_journals_in_one_database_are_apart(postgres, url):
    one, other = PostgresStore(url), PostgresStore(f"{url}b")
    await one.open()
    await other.open()
    await one.append(1, b"one")
    await one.append(2, b"two")
    await one.save_snapshot(2, b"s")
    assert await other.bounds() == (1, 0)
    assert await other.snapshots() == []
    await other.append(1, b"other")
    await one.drop(2)
    assert await other.read(1, 100) == [(1, b"other")]
    await one.aclose()
    await other.aclose()


async def test_a_lost_connection_makes_an_append_unknown_and_the_next_call_connects(postgres, url):
    store = PostgresStore(url)
    await store.open()
    await store.append(1, b"one")
    cut_connections(postgres)
    with pytest.raises(AppendUnknownError):
        await store.append(2, b"two")
    assert await store.bounds() == (1, 1)
    await store.append(2, b"two")
    assert await store.read(1, 100) == [(1, b"one"), (2, b"two")]
    await store.aclose()


async def test_a_router_goes_on_when_its_connection_is_cut(postgres, url):
    async with live.router(url) as router:
        first = await router.submit(live.message("one", message_id="m1"), queue="support")
        cut_connections(postgres)
        second = await router.submit(live.message("two", message_id="m2"), queue="support")
        again = await router.submit(live.message("one", message_id="m1"), queue="support")
        assert again.outcome is Outcome.DUPLICATE
        assert again.interaction_id == first.interaction_id != second.interaction_id
    async with live.router(url) as router:
        assert len(router.interactions()) == 2


async def test_an_older_router_is_fenced_and_writes_nothing(url):
    with pytest.raises(FencedError):
        async with live.router(url) as old, live.router(url) as new:
            await new.submit(live.message("one"), queue="support")
            with pytest.raises(RouterClosedError) as stopped:
                await old.submit(live.message("two"), queue="support")
            assert isinstance(stopped.value.__cause__, FencedError)
            assert [i.message.text for i in new.interactions()] == ["one"]
    async with live.router(url) as third:
        assert [i.message.text for i in third.interactions()] == ["one"]


async def test_a_server_that_does_not_sync_is_refused(postgres, url):
    try:
        asked(postgres, "alter system set fsync = off")
        asked(postgres, "select pg_reload_conf()")
        while asked(postgres, "show fsync") == [("on",)]:
            pass
        with pytest.raises(JournalError, match="fsync = off"):
            await open_journal(url).open()
    finally:
        asked(postgres, "alter system reset fsync")
        asked(postgres, "select pg_reload_conf()")
        while asked(postgres, "show fsync") == [("off",)]:
            pass


async def test_a_session_that_would_not_wait_for_the_disk_is_told_to(postgres, url):
    store = PostgresStore(f"{url}&options=-csynchronous_commit%3Doff")
    await store.open()
    assert store._connection.execute("show synchronous_commit").fetchone() == ("on",)
    await store.aclose()


async def test_no_server_is_an_error_of_the_journal():
    journal = StoreJournal(PostgresStore("postgresql://127.0.0.1:9/none"))
    with pytest.raises(JournalError, match="open failed"):
        await journal.open()


def test_the_place_names_no_password():
    store = PostgresStore("postgresql://ann:secret@db:5433/contact?sslmode=require&journal=north")
    assert store.place == "postgresql://db:5433/contact?journal=north"
    assert store._url == "postgresql://ann:secret@db:5433/contact?sslmode=require"
    with pytest.raises(UsageError, match="journal= is empty"):
        PostgresStore("postgresql://db/contact?journal=")


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"omniroute\[postgres\]"):
        open_journal("postgresql://db/contact")
