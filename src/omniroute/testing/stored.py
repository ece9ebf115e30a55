"""What a `StoreJournal` must do on every store: fence, find damage, survive lost answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from ..errors import (
    AppendUnknownError,
    CorruptJournalError,
    FencedError,
    JournalError,
)
from ..events import Abandon, Abandoned
from ..journal import Entry, Frame, Snapshot, Store, StoreJournal

__all__ = ["CHECKS"]

_Make = Callable[[], Store]


def _frame(first_seq: int, count: int, size: int = 8) -> Frame:
    """A frame of ``count`` entries with one event each."""
    return Frame(
        first_seq,
        tuple(
            Entry(
                Abandon(f"i{seq}", "x" * size),
                1_000 + seq,
                (Abandoned(1_000 + seq, f"i{seq}", "x" * size),),
            )
            for seq in range(first_seq, first_seq + count)
        ),
    )


async def _fill(journal: StoreJournal, frames: int) -> None:
    for _ in range(frames):
        await journal.append(_frame(journal.next_seq, 2))


async def _seqs(journal: StoreJournal, from_seq: int = 1) -> list[int]:
    return [
        seq
        async for frame in journal.read(from_seq)
        for seq in range(frame.first_seq, frame.next_seq)
    ]


class _Faulty:
    """A store in front of another that does ``fault`` instead of one of its appends."""

    def __init__(self, store: Store, *, at: int, kept: bool) -> None:
        self._store = store
        self._at = at
        self._kept = kept

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def append(self, position: int, record: bytes) -> None:
        """The answer of one append is lost, after it or instead of it."""
        if position != self._at:
            await self._store.append(position, record)
            return
        self._at = 0
        if self._kept:
            await self._store.append(position, record)
        raise AppendUnknownError("the answer was lost")


class _Damaged:
    """A store in front of another whose record at one position reads differently."""

    def __init__(self, store: Store, at: int, damage: Callable[[bytes], bytes | None]) -> None:
        self._store = store
        self._at = at
        self._damage = damage

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records, one of them damaged or missing."""
        found: list[tuple[int, bytes]] = []
        for number, record in await self._store.read(position, max_bytes):
            seen = self._damage(record) if number == self._at else record
            if seen is not None:
                found.append((number, seen))
        return found


async def frames_come_back_as_they_went(make: _Make) -> None:
    """From every event on, after a restart too, with the writer's epoch rising."""
    async with StoreJournal(make()) as journal:
        assert await journal.claim() == 1
        await _fill(journal, 3)
        assert journal.next_seq == 7
    async with StoreJournal(make()) as journal:
        assert await journal.claim() == 2
        await _fill(journal, 2)
        for from_seq in range(1, 12):
            first = from_seq if from_seq % 2 else from_seq - 1
            assert await _seqs(journal, from_seq) == list(range(first, 11))
        assert [frame async for frame in journal.read(9)] == [_frame(9, 2)]


async def a_writer_that_was_passed_writes_nothing_more(make: _Make) -> None:
    """The paused owner who wakes: his append fails, names the other, and leaves no trace."""
    async with StoreJournal(make(), writer="one") as one:
        await one.claim()
        await _fill(one, 1)
        if one.store.exclusive:
            return  # no second writer can come while the first is there
        async with StoreJournal(make(), writer="two") as two:
            await two.claim()
            try:
                await one.append(_frame(3, 2, size=1))
            except FencedError as error:
                assert (error.epoch, error.by_epoch, error.by) == (1, 2, "two")
            else:
                raise AssertionError("a fenced writer wrote")
            await _fill(two, 1)
            assert [frame async for frame in two.read(3)] == [_frame(3, 2)]
            try:
                await one.append(_frame(5, 2))
            except JournalError:
                pass
            else:
                raise AssertionError("a failed writer went on")
            try:
                await one.claim(2)
            except FencedError:
                pass
            else:
                raise AssertionError("an epoch was used twice")
            assert await one.claim(7) == 7


async def a_lost_answer_is_looked_up(make: _Make) -> None:
    """Whether the record came in or not: in the end it is there, once."""
    for kept in (True, False):
        async with StoreJournal(make()) as plain:
            await plain.claim()
            start = plain.next_seq
            faulty: object = _Faulty(plain.store, at=plain.position + 1, kept=kept)
            plain.store = faulty  # type: ignore[assignment]
            await _fill(plain, 2)
            assert await _seqs(plain, start) == list(range(start, start + 4))


def _flip(at: int) -> Callable[[bytes], bytes]:
    def flipped(record: bytes) -> bytes:
        place = at % len(record)
        return record[:place] + bytes((record[place] ^ 0x40,)) + record[place + 1 :]

    return flipped


_DAMAGES: tuple[Callable[[bytes], bytes | None], ...] = (
    *(_flip(at) for at in (0, 4, 5, 12, 20, 28, 36, 44, 48, 60, 70, 80, -1)),
    lambda record: record[:-1],
    lambda record: record[:10],
    lambda record: record + b"\0",
    lambda _: b"",
    lambda _: None,
)


async def damage_is_named_and_never_skipped(make: _Make) -> None:
    """A record that was altered, cut or lost ends the reading at its position."""
    async with StoreJournal(make()) as journal:
        await journal.claim()
        await _fill(journal, 5)
        store = journal.store
        for damage in _DAMAGES:
            damaged: object = _Damaged(store, 3, damage)
            journal.store = damaged  # type: ignore[assignment]
            seen: list[int] = []
            try:
                _, chain = await journal.recover()
                async for header, _ in journal.records(chain):
                    seen.append(header.position)
            except CorruptJournalError as error:
                assert error.position == 3, error
            else:
                raise AssertionError("damage was not found")
            assert seen == [1, 2]
        journal.store = store


async def a_record_of_another_journal_does_not_pass(make: _Make) -> None:
    """Whole by itself, with the right numbers, but not what the next record names."""
    async with StoreJournal(make()) as journal:
        await journal.claim()
        await _fill(journal, 3)
        records = await journal.store.read(1, 1 << 20)
        other = StoreJournal(journal.store, writer="somebody else")
        chain = (await other.recover())[1]
        chain.follow(*records[0])
        header, body = chain.follow(*records[1])
        chain.digest, chain.position, chain.next_seq = bytes(16), 1, 1
        forged = chain.frame(1, bytes(body), events=header.events, at_ms=header.at_ms)
        damaged: object = _Damaged(journal.store, 2, lambda _: forged)
        other.store = damaged  # type: ignore[assignment]
        try:
            await _seqs(other)
        except CorruptJournalError as error:
            assert error.position == 2, error
        else:
            raise AssertionError("a replaced record was not found")


async def a_frame_may_be_longer_than_a_record(make: _Make) -> None:
    """Where the store bounds records, a frame takes several; it comes whole or not at all."""
    async with StoreJournal(make()) as journal:
        await journal.claim()
        limit = journal.store.max_record_bytes
        size = min(1 << 20, 1 << 22 if limit is None else limit // 3)
        await journal.append(_frame(1, 8, size))
        await _fill(journal, 1)
        assert await _seqs(journal) == list(range(1, 11))
        assert sum([len(frame.entries) async for frame in journal.read()]) == 10
        long = _frame(11, 1, size * 6)
        await journal.append(long)
        await _fill(journal, 1)
        whole, _ = [frame async for frame in journal.read(11)]
        assert whole == long
        assert await _seqs(journal) == list(range(1, 14))


async def a_recovery_begins_at_the_newest_good_snapshot(make: _Make) -> None:
    """A damaged one is passed over; what a kept snapshot needs is never dropped."""
    async with StoreJournal(make()) as journal:
        await journal.claim()
        for number in range(1, 5):
            await _fill(journal, 2)
            chain = (await journal.recover())[1]
            async for _ in journal.records(chain):
                pass
            await journal.save_snapshot(_snapshot(chain, number))
        snapshot, chain = await journal.recover()
        assert snapshot is not None
        assert (snapshot.state, snapshot.next_seq) == (b"state 4", journal.next_seq)
        assert chain.position == journal.position
        last, older = await journal.store.snapshots()
        assert await journal.drop(before=last) == older + 1
        await journal.store.save_snapshot(last, b"damaged")
        snapshot, chain = await journal.recover()
        assert snapshot is not None
        assert snapshot.state == b"state 3"
        assert [header.events async for header, _ in journal.records(chain)] == [2, 2]
        await journal.store.drop_snapshot(older)
        try:
            await journal.recover()
        except CorruptJournalError as error:
            assert error.position == older, error
        else:
            raise AssertionError("a journal without its beginning was accepted")


def _snapshot(chain: object, number: int) -> Snapshot:
    names = ("position", "next_seq", "epoch", "digest")
    values = {name: getattr(chain, name) for name in names}
    return msgspec.convert({**values, "plan": "p", "state": b"state %d" % number}, Snapshot)


CHECKS: tuple[Callable[[_Make], Awaitable[None]], ...] = (
    frames_come_back_as_they_went,
    a_writer_that_was_passed_writes_nothing_more,
    a_lost_answer_is_looked_up,
    damage_is_named_and_never_skipped,
    a_record_of_another_journal_does_not_pass,
    a_frame_may_be_longer_than_a_record,
    a_recovery_begins_at_the_newest_good_snapshot,
)
