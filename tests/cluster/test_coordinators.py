"""Every coordinator is the same: a table with compare-and-set, messages to one and to all."""

import itertools
import sys

import anyio
import psycopg
import pytest

from omniroute.cluster import MemoryCoordinator, NoAnswerError, Square, open_coordinator
from omniroute.errors import MissingExtraError, UnknownNameError, UsageError

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)


@pytest.fixture(params=["memory", "postgresql", "nats"])
def make(request):
    """Makes one more handle on the same, empty cluster."""
    if request.param == "memory":
        square = Square()
        return lambda: MemoryCoordinator(square)
    base = request.getfixturevalue({"postgresql": "postgres", "nats": "nats"}[request.param])
    url = f"{getattr(base, 'url', base)}?cluster=c{next(_numbers)}"
    return lambda: open_coordinator(url)


class Ears:
    """An open coordinator, and what it heard."""

    def __init__(self, coordinator, me):
        self.coordinator = coordinator
        self.me = me
        self.send, self.heard = anyio.create_memory_object_stream(100)

    async def __aenter__(self):
        await self.coordinator.open(self.me, self.send.send_nowait)
        return self

    async def __aexit__(self, *_):
        await self.coordinator.aclose()
        self.send.close()
        self.heard.close()

    def __getattr__(self, name):
        return getattr(self.coordinator, name)


async def test_a_row_changes_only_for_whoever_knows_its_revision(make):
    async with Ears(make(), "a") as a, Ears(make(), "b") as b:
        assert await a.rows() == {}
        first = await a.put("p-1", b"a", 0)
        assert first > 0
        assert await b.put("p-1", b"b", 0) is None
        assert await b.rows() == {"p-1": (b"a", first)}
        second = await b.put("p-1", b"b", first)
        assert second > first
        assert await a.put("p-1", b"a", first) is None
        assert await a.put("p-2", b"", second) is None
        assert await a.rows() == {"p-1": (b"b", second)}


async def test_a_row_that_was_deleted_can_be_made_again(make):
    async with Ears(make(), "a") as a:
        first = await a.put("m-1", bytes(range(256)), 0)
        assert await a.rows() == {"m-1": (bytes(range(256)), first)}
        assert await a.put("m-1", None, first + 1) is None
        assert await a.put("m-1", None, first) is not None
        assert await a.rows() == {}
        assert await a.put("m-1", None, first) is None
        again = await a.put("m-1", b"x", 0)
        assert again > first
        assert await a.rows() == {"m-1": (b"x", again)}


async def test_of_many_who_want_a_row_one_gets_it(make):
    async with Ears(make(), "a") as a, Ears(make(), "b") as b:
        won = []

        async def want(who, number):
            revision = await who.put("p-1", b"%d" % number, 0)
            if revision is not None:
                won.append((b"%d" % number, revision))

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(want, (a, b)[number % 2], number)
        assert len(won) == 1
        assert await b.rows() == {"p-1": won[0]}


async def test_all_hear_what_is_published(make):
    async with Ears(make(), "a") as a, Ears(make(), "b") as b:
        await a.publish(b"\x00news")
        for ears in (a, b):
            assert await ears.heard.receive() == (b"\x00news", None)


@pytest.mark.parametrize("size", [0, 300_000])
async def test_a_call_is_answered_by_whoever_was_asked(make, size):
    async with Ears(make(), "a") as a, Ears(make(), "b") as b, Ears(make(), "c") as c:

        async def answers():
            heard = await b.heard.receive()
            await b.answer(heard.reply_to, heard.data[::-1] + b"!")

        async with anyio.create_task_group() as group:
            group.start_soon(answers)
            assert await a.call("b", b"ab" + bytes(size)) == bytes(size) + b"ba!"
        assert c.heard.statistics().current_buffer_used == 0
        assert a.heard.statistics().current_buffer_used == 0


async def test_who_is_not_there_does_not_answer(make):
    async with Ears(make(), "a") as a:
        with anyio.move_on_after(0.2) as waited:
            with pytest.raises(NoAnswerError):
                await a.call("nobody", b"?")
        assert waited.cancelled_caught or not waited.cancel_called
        await a.put("p-1", b"", 0)


async def test_clusters_on_one_server_are_apart(make):
    async with Ears(make(), "a") as a:
        place = a.coordinator.place
        if place == "memory:":
            return
        async with Ears(open_coordinator(f"{place}b".replace("//", "//postgres@")), "a") as other:
            await a.put("p-1", b"", 0)
            assert await other.rows() == {}
            await other.publish(b"other")
            await a.publish(b"one")
            assert await a.heard.receive() == (b"one", None)


async def test_after_a_cut_connection_it_listens_again(postgres):
    url = f"{postgres}?cluster=cut"
    async with Ears(open_coordinator(url), "a") as a, Ears(open_coordinator(url), "b") as b:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        with pytest.raises(NoAnswerError):
            await a.rows()
        assert await a.rows() == {}
        heard = None
        while heard is None:
            with anyio.move_on_after(0.1):
                try:
                    await a.publish(b"again")
                except NoAnswerError:
                    continue
                heard = await b.heard.receive()
        assert heard == (b"again", None)


def test_the_place_names_no_password(nats, postgres):
    place = open_coordinator("postgresql://u:secret@db/contact?cluster=north").place
    assert place == "postgresql://db/contact?cluster=north"
    assert open_coordinator("nats://u:secret@a?cluster=north&replicas=3").place == (
        "nats://a?cluster=north"
    )


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("redis://a", UnknownNameError),
        ("nats://a?cluster=a.b", UsageError),
        ("postgresql://a/b?cluster=a.b", UsageError),
    ],
)
def test_a_url_that_says_nothing_is_refused(url, error):
    with pytest.raises(error):
        open_coordinator(url)


@pytest.mark.parametrize(
    ("url", "driver"), [("nats://a", "nats.aio.client"), ("postgresql://a", "psycopg")]
)
def test_without_the_driver_the_extra_is_named(url, driver, monkeypatch):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingExtraError, match="omniroute"):
        open_coordinator(url)
