"""The spool keeps work in order, over restarts, and forgets what was passed on."""

import pytest

from omniroute.cluster.spool import Spool
from omniroute.errors import RouterBusyError
from omniroute.journal import MemoryStore, Shelf, SqliteStore

pytestmark = pytest.mark.anyio


async def opened(shelf):
    spool = Spool(MemoryStore(shelf))
    await spool.open()
    return spool


async def test_what_waits_is_there_in_order_after_a_restart():
    shelf = Shelf()
    spool = await opened(shelf)
    assert spool.size == 0
    assert not spool.filled.is_set()
    for text in (b"a", b"b", b"c"):
        await spool.add(text)
    await spool.done((await spool.waiting())[0][0])
    assert (spool.size, [body for _, _, body in await spool.waiting()]) == (2, [b"b", b"c"])
    again = await opened(shelf)
    assert again.filled.is_set()
    assert [body for _, _, body in await again.waiting()][-2:] == [b"b", b"c"]


async def test_what_was_passed_on_to_the_last_does_not_come_again():
    shelf = Shelf()
    spool = await opened(shelf)
    for _ in range(2):
        await spool.add(b"a")
        await spool.add(b"b")
        for position, _, _ in await spool.waiting():
            await spool.done(position)
        assert spool.size == 0
        assert not spool.filled.is_set()
        assert len(shelf.records) == 1
        spool = await opened(shelf)
        assert spool.size == 0
        assert not spool.filled.is_set()
    await spool.add(b"c")
    spool = await opened(shelf)
    assert [body for _, _, body in await spool.waiting()] == [b"c"]


async def test_what_comes_while_the_last_is_passed_on_is_kept():
    spool = await opened(Shelf())
    await spool.add(b"a")
    ((position, _, _),) = await spool.waiting()
    await spool.add(b"b")
    await spool.done(position)
    assert (spool.size, [body for _, _, body in await spool.waiting()]) == (1, [b"b"])


async def test_a_long_spool_is_forgotten_as_it_drains():
    shelf = Shelf()
    spool = await opened(shelf)
    for number in range(600):
        await spool.add(b"%d" % number)
    seen = []
    while spool.size:
        for position, _, body in (await spool.waiting())[:50]:
            seen.append(int(body))
            await spool.done(position)
            assert len(shelf.records) <= spool.size + 256
    assert seen == list(range(600))


async def test_a_disk_with_little_room_takes_nothing_more(tmp_path):
    spool = Spool(SqliteStore(tmp_path / "s.db", max_bytes=1 << 20, reserve_bytes=1 << 21))
    await spool.open()
    with pytest.raises(RouterBusyError, match="almost no room"):
        await spool.add(b"a")
    await spool.aclose()
