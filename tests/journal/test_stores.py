"""Every store keeps the protocol."""

import pytest

from omniroute.errors import CorruptJournalError
from omniroute.events import Abandon, Abandoned
from omniroute.journal import Chain, Entry, Frame, MemoryStore, Shelf, SqliteStore, StoreJournal
from omniroute.testing import STORE_CHECKS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_memory_store_keeps_the_protocol(check):
    shelf = Shelf()
    await check(lambda: MemoryStore(shelf))


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_sqlite_store_keeps_the_protocol(check, tmp_path):
    await check(lambda: SqliteStore(tmp_path / "journal.db"))


class TornStore(MemoryStore):
    """A file that was being written when the machine went down."""

    tears = True


async def filled(shelf, frames):
    async with StoreJournal(TornStore(shelf)) as journal:
        await journal.claim()
        for number in range(1, frames + 1):
            event = Abandoned(number, "i1")
            entry = Entry(Abandon("i1"), number, (event,))
            await journal.append(Frame(number, (entry,)))


@pytest.mark.parametrize("kept_bytes", [0, 1, 71, 72, 100, -1])
async def test_a_torn_tail_is_cut_and_nothing_else(kept_bytes):
    shelf = Shelf()
    await filled(shelf, 4)
    shelf.records[-1] = shelf.records[-1][:kept_bytes]
    whole = list(shelf.records[:-1])
    async with StoreJournal(TornStore(shelf)) as journal:
        assert await journal.claim() == 2
        assert journal.next_seq == 4
        assert shelf.records[:-1] == whole
        assert [frame.first_seq async for frame in journal.read()] == [1, 2, 3]


async def test_a_torn_first_record_leaves_an_empty_journal():
    shelf = Shelf()
    await filled(shelf, 0)
    shelf.records[0] = shelf.records[0][:20]
    async with StoreJournal(TornStore(shelf)) as journal:
        assert await journal.claim() == 1
        assert journal.next_seq == 1


@pytest.mark.parametrize("torn", [2, 3, 4])
async def test_only_the_very_last_record_can_be_torn(torn):
    """Anything else was acknowledged: it is damage, and reading stops there."""
    shelf = Shelf()
    await filled(shelf, 4)
    shelf.records[torn - 1] = shelf.records[torn - 1][:-1]
    async with StoreJournal(TornStore(shelf)) as journal:
        await journal.claim()
        _, chain = await journal.recover()
        with pytest.raises(CorruptJournalError, match=rf"at record {torn}\b"):
            [header async for header, _ in journal.records(chain)]
        assert chain.position == torn - 1


async def test_a_damaged_last_record_of_a_store_that_cannot_tear_is_damage():
    shelf = Shelf()
    await filled(shelf, 4)
    shelf.records[-1] = shelf.records[-1][:-1]
    async with StoreJournal(MemoryStore(shelf)) as journal:
        with pytest.raises(CorruptJournalError, match="at record 5"):
            await journal.claim()
    assert len(shelf.records) == 5


async def test_every_flipped_byte_is_found():
    shelf = Shelf()
    await filled(shelf, 3)
    record = shelf.records[2]
    for at in range(len(record)):
        for bit in (1, 0x80):
            shelf.records[2] = record[:at] + bytes((record[at] ^ bit,)) + record[at + 1 :]
            chain = Chain()
            with pytest.raises(CorruptJournalError, match="at record 3"):
                for position, each in enumerate(shelf.records, 1):
                    chain.follow(position, each)
