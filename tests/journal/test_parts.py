"""A batch of events that is longer than a record of its store: in parts, and never in half."""

from contextlib import aclosing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import live
from omniroute import Agent, CorruptJournalError, OnExpiry, Plan, Queue
from omniroute import events as ev
from omniroute.cluster import Follower
from omniroute.engine import Engine
from omniroute.errors import FencedError
from omniroute.journal import (
    Chain,
    Entry,
    Frame,
    Kind,
    MemoryStore,
    Opening,
    Shelf,
    Snapshot,
    StoreJournal,
    history,
)
from omniroute.journal.record import HEADER_BYTES
from omniroute.router import recovery
from virtual_time import run

pytestmark = pytest.mark.anyio

LIMIT = HEADER_BYTES + 400
LONGEST = 40


class SmallStore(MemoryStore):
    """Takes short records only, and dies when it was asked to."""

    max_record_bytes = LIMIT

    def __init__(self, shelf, *, dies_at=None):
        super().__init__(shelf)
        self.dies_at = dies_at

    async def append(self, position, record):
        assert len(record) <= LIMIT
        if position == self.dies_at:
            raise OSError("died")
        await super().append(position, record)


def frame(first_seq, events):
    """One command with so many events."""
    made = tuple(ev.Cancelled(first_seq + n, f"i{first_seq + n}", "why" * 5) for n in range(events))
    return Frame(first_seq, (Entry(ev.CloseAll("support"), first_seq + events, made),))


async def test_a_plan_that_is_too_long_for_a_record_is_left_out():
    for length, kept in ((100, "p" * 100), (500, "")):
        async with StoreJournal(SmallStore(Shelf()), writer="w") as journal:
            await journal.claim(plan="p" * length)
            assert [each async for each in history(journal)] == [Opening("w", kept)]


async def opened(shelf, sizes, **options):
    """A journal of a writer who appended batches of these sizes, perhaps not all."""
    async with StoreJournal(SmallStore(shelf, **options)) as journal:
        await journal.claim()
        for size in sizes:
            await journal.append(frame(journal.next_seq, size))


async def seqs(journal, from_seq=1):
    return [found.first_seq async for found in journal.read(from_seq)]


def begins(sizes):
    """The first event of each batch."""
    return [1 + sum(sizes[:n]) for n in range(len(sizes))]


@given(st.lists(st.integers(1, LONGEST), min_size=1, max_size=5), st.data())
def test_of_a_batch_there_is_all_or_nothing_wherever_its_writer_dies(sizes, data):
    """Then another writer goes on, as if it had not been begun; whoever reads agrees."""

    async def main():
        whole = Shelf()
        await opened(whole, sizes)
        dies_at = data.draw(st.integers(2, len(whole.records) + 1))
        shelf = Shelf()
        with suppress(Exception):
            await opened(shelf, sizes, dies_at=dies_at)
        assert len(shelf.records) == dies_at - 1
        async with StoreJournal(SmallStore(shelf)) as reader:
            done = len(await seqs(reader))
        assert done < len(sizes) or dies_at == len(whole.records) + 1
        more = data.draw(st.lists(st.integers(1, LONGEST), max_size=3))
        await opened(shelf, more)
        kept = [*sizes[:done], *more]
        async with StoreJournal(SmallStore(shelf)) as reader:
            assert [each async for each in reader.read()] == [
                frame(seq, size) for seq, size in zip(begins(kept), kept, strict=True)
            ]
            for from_seq in range(1, 1 + sum(kept)):
                first = max(seq for seq in begins(kept) if seq <= from_seq)
                assert (await seqs(reader, from_seq))[0] == first
            moment = data.draw(st.integers(0, 100))
            assert await reader.drop_older(moment) == 1, "there is no snapshot"

    run("asyncio", main)


async def test_whoever_begins_amid_a_batch_takes_no_part_for_the_whole():
    shelf = Shelf()
    await opened(shelf, [3, LONGEST, 3])
    async with StoreJournal(SmallStore(shelf)) as journal:
        kinds = [header.kind async for header, _ in journal.records(Chain())]
        assert kinds[2:] == [*[Kind.PART] * (len(kinds) - 4), Kind.FRAME, Kind.FRAME]
        for position in range(3, len(kinds) - 1):
            assert await journal.whole_until(position) == 2
        for position in range(4, len(kinds)):
            with pytest.raises(CorruptJournalError, match=rf"record {len(kinds) - 1}\b"):
                async with aclosing(journal.records(Chain.before(position))) as records:
                    async for header, body in records:
                        journal.events(header, body)
        assert await journal.whole_until(len(kinds) - 1) == len(kinds) - 1


@pytest.mark.parametrize("damage", ["lost", "doubled", "exchanged", "of another batch"])
async def test_parts_that_are_not_those_that_were_written_are_found(damage):
    shelf, other = Shelf(), Shelf()
    await opened(shelf, [3, LONGEST, 3])
    await opened(other, [3, LONGEST + 1, 3])
    records = shelf.records
    match damage:
        case "lost":
            del records[3]
        case "doubled":
            records.insert(3, records[3])
        case "exchanged":
            records[3], records[4] = records[4], records[3]
        case _:
            records[4] = other.records[4]
    async with StoreJournal(SmallStore(shelf)) as journal:
        with pytest.raises(CorruptJournalError):
            await seqs(journal)


async def test_a_writer_who_is_replaced_amid_a_batch_is_fenced_and_leaves_nothing_of_it():
    shelf = Shelf()

    class Paused(SmallStore):
        async def append(self, position, record):
            if position == 4:
                await opened(shelf, [2])
            await super().append(position, record)

    async with StoreJournal(Paused(shelf)) as journal:
        await journal.claim()
        with pytest.raises(FencedError):
            await journal.append(frame(1, LONGEST))
        assert await seqs(journal) == [1]
        assert [len(each.events) async for each in journal.read()] == [2]


async def test_a_snapshot_and_what_is_dropped_do_not_divide_a_batch():
    shelf = Shelf()
    await opened(shelf, [3])
    for size in (LONGEST, 3):
        async with StoreJournal(SmallStore(shelf)) as journal:
            await journal.claim()
            chain = (await journal.recover())[1]
            async for _ in journal.records(chain):
                pass
            state = Snapshot(chain.position, chain.next_seq, chain.epoch, chain.digest, "p", b"s")
            await journal.save_snapshot(state)
            await journal.append(frame(journal.next_seq, size))
    async with StoreJournal(SmallStore(shelf)) as journal:
        assert len(await journal.snapshot_positions()) == 2
        first = await journal.drop_older(4 + LONGEST)
        (begin, *_) = [header async for header, _ in journal.records(Chain.before(first))]
        assert begin.parts == 0
        assert await seqs(journal, 4) == [4, 4 + LONGEST]


async def test_a_follower_who_begins_amid_a_batch_sees_the_whole_of_it():
    shelf = Shelf()
    whole = Shelf()
    await opened(whole, [3, LONGEST])
    shelf.records = whole.records[:5]
    async with Follower(StoreJournal(SmallStore(shelf)), None, 0.01, []) as frames:
        shelf.records += whole.records[5:]
        position, found = await anext(frames)
    assert (position, found) == (len(whole.records), frame(4, LONGEST))


async def test_a_router_survives_a_tick_longer_than_a_record():
    """A hundred offers end at the same moment, in a journal with short records."""
    shelf, now = Shelf(), [1_000]
    agents = [Agent(id=f"a{number}") for number in range(100)]
    queue = Queue(name="support", on_expiry=OnExpiry.NOT_READY, offer_timeout_ms=1_000)
    plan = Plan(queues=[queue], agents=agents)
    async with StoreJournal(SmallStore(shelf)) as journal:
        async with live.router(journal, plan=plan, clock=lambda: now[0]) as router:
            for agent in agents:
                await router.send(ev.SignIn(agent, ready=True))
                await router.submit(live.message(), queue="support")
            now[0] += 1_500
            expired = await router.send(ev.Tick())
            assert sum(isinstance(event, ev.Expired) for event in expired) == len(agents)
            state = router._engine.snapshot()
        assert max(map(len, shelf.records)) <= LIMIT
    async with StoreJournal(SmallStore(shelf)) as journal:
        await journal.claim()
        found = await recovery.recover(journal, plan, lambda events: None)
        assert isinstance(found.engine, Engine)
        assert found.engine.snapshot() == state
