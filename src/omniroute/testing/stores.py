"""The meaning of the `Store` protocol, executable: every store passes every check.

    @pytest.mark.anyio
    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    async def test_my_store(check, tmp_path):
        await check(lambda: MyStore(tmp_path / "journal"))

A check gets ``make``: each call gives a new handle, not yet open, on the same storage,
which is empty when the check begins. It raises `AssertionError` with what is wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..errors import JournalError, PositionTakenError
from ..journal import Store
from . import stored

__all__ = ["STORE_CHECKS", "MakeStore", "StoreCheck"]

MakeStore = Callable[[], Store]
StoreCheck = Callable[[MakeStore], Awaitable[None]]

#: Every byte value, and nothing that is text.
_BINARY = bytes(range(256))


@asynccontextmanager
async def _opened(make: MakeStore) -> AsyncIterator[Store]:
    store = make()
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


async def _raises(kind: type[JournalError], answer: Awaitable[object], what: str) -> None:
    try:
        await answer
    except kind:
        return
    raise AssertionError(f"{what} must raise {kind.__name__}")


def _record(number: int) -> bytes:
    return b"%d:" % number + _BINARY


async def _fill(store: Store, last: int, first: int = 1) -> None:
    for position in range(first, last + 1):
        await store.append(position, _record(position))


async def _positions(store: Store, position: int = 1, max_bytes: int = 1 << 20) -> list[int]:
    found = await store.read(position, max_bytes)
    for number, record in found:
        assert record == _record(number), f"record {number} came back changed"
    return [number for number, _ in found]


async def an_empty_store_has_nothing(make: MakeStore) -> None:
    """No records, no snapshots."""
    async with _opened(make) as store:
        assert await store.bounds() == (1, 0)
        assert await store.read(1, 1 << 20) == []
        assert await store.snapshots() == []


async def records_come_back_in_order_and_whole(make: MakeStore) -> None:
    """Also from the middle, from behind the end, and by a new handle."""
    async with _opened(make) as store:
        await _fill(store, 5)
        assert await store.bounds() == (1, 5)
        assert await _positions(store) == [1, 2, 3, 4, 5]
    async with _opened(make) as store:
        assert await store.bounds() == (1, 5)
        assert await _positions(store, 4) == [4, 5]
        assert await _positions(store, 6) == []
        await _fill(store, 6, first=6)
        assert await _positions(store, 6) == [6]


async def only_the_next_position_is_accepted(make: MakeStore) -> None:
    """A position that is taken, or one that leaves a gap, changes nothing."""
    async with _opened(make) as store:
        await _raises(JournalError, store.append(2, b"gap"), "a record 2 in an empty store")
        await _fill(store, 2)
        for position in (1, 2):
            answer = store.append(position, b"other")
            await _raises(PositionTakenError, answer, "a position that is taken")
        await _raises(JournalError, store.append(4, b"gap"), "a gap")
        assert await _positions(store) == [1, 2]


async def a_read_is_bounded(make: MakeStore) -> None:
    """By bytes; but it gives one record at least, so that a reader always moves on."""
    async with _opened(make) as store:
        await _fill(store, 20)
        size = len(_record(20))
        assert await _positions(store, 1, 1) == [1]
        some = await _positions(store, 3, 5 * size)
        assert 3 <= len(some) <= 6, f"{len(some)} records for the bytes of 5"
        assert some == list(range(3, 3 + len(some)))


async def records_may_be_empty_or_long(make: MakeStore) -> None:
    """Up to what the store says, or to 4 MiB where it names no limit."""
    async with _opened(make) as store:
        longest = min(store.max_record_bytes or 1 << 22, 1 << 22)
        records = [b"", _BINARY * (longest // 256), b"\0"]
        for position, record in enumerate(records, 1):
            await store.append(position, record)
        found = [record for n in (1, 2, 3) for _, record in (await store.read(n, 1))]
        assert found == records


async def the_oldest_can_be_dropped(make: MakeStore) -> None:
    """For good, again and again, and never the last; positions go on where they were."""
    async with _opened(make) as store:
        await store.drop(1)
        await store.drop(9)
        await _fill(store, 6)
        for _ in range(2):
            await store.drop(4)
            assert await store.bounds() == (4, 6)
            assert await _positions(store) == [4, 5, 6]
        await store.drop(2)
        assert await store.bounds() == (4, 6)
    async with _opened(make) as store:
        await store.drop(100)
        assert await store.bounds() == (6, 6)
        await _raises(PositionTakenError, store.append(5, b"again"), "a position that was dropped")
        await _fill(store, 7, first=7)
        assert await _positions(store) == [6, 7]


async def snapshots_are_kept_beside_the_records(make: MakeStore) -> None:
    """By position, newest first; saving again replaces, dropping twice does no harm."""
    async with _opened(make) as store:
        await _fill(store, 1)
        for position in (30, 4, 1000):
            await store.save_snapshot(position, _record(position) * 3)
        await store.save_snapshot(4, b"replaced")
        await _raises(JournalError, store.load_snapshot(5), "a snapshot that is not there")
    async with _opened(make) as store:
        assert await store.snapshots() == [1000, 30, 4]
        assert await store.load_snapshot(4) == b"replaced"
        assert await store.load_snapshot(1000) == _record(1000) * 3
        for _ in range(2):
            await store.drop_snapshot(30)
        assert await store.snapshots() == [1000, 4]
        assert await _positions(store) == [1]


async def a_long_snapshot_is_kept_whole(make: MakeStore) -> None:
    """However short the records of the store must be."""
    data = _BINARY * 12_000
    async with _opened(make) as store:
        await store.save_snapshot(1, data)
        await store.save_snapshot(1, data + b"!")
    async with _opened(make) as store:
        assert await store.load_snapshot(1) == data + b"!"


async def one_of_two_writers_gets_the_position(make: MakeStore) -> None:
    """Or, for an exclusive store, the second handle cannot even be opened."""
    async with _opened(make) as one:
        await _fill(one, 1)
        other = make()
        if one.exclusive:
            await _raises(JournalError, other.open(), "a second handle on an exclusive store")
            return
        await other.open()
        try:
            await _fill(other, 2, first=2)
            await _raises(PositionTakenError, one.append(2, b"late"), "the slower writer")
            assert await _positions(one) == [1, 2]
        finally:
            await other.aclose()


#: Every check; each takes ``make`` and raises `AssertionError`.
STORE_CHECKS: tuple[StoreCheck, ...] = (
    an_empty_store_has_nothing,
    records_come_back_in_order_and_whole,
    only_the_next_position_is_accepted,
    a_read_is_bounded,
    records_may_be_empty_or_long,
    the_oldest_can_be_dropped,
    snapshots_are_kept_beside_the_records,
    a_long_snapshot_is_kept_whole,
    one_of_two_writers_gets_the_position,
    *stored.CHECKS,
)
