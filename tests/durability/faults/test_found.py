"""What the simulated world has found, each by itself."""

import pytest

import live
from omniroute import CorruptJournalError, Engine, JournalError, MemoryJournal
from omniroute.events import Submit, Tick
from omniroute.journal import Chain, Entry, Frame, MemoryStore, StoreJournal
from omniroute.router.recovery import recover

pytestmark = pytest.mark.anyio


def decided_again(journal):
    """An engine that decides every command of a journal again."""
    engine = Engine(live.plan())
    for frame in journal.frames:
        for entry in frame.entries:
            assert tuple(engine.receive(entry.command, entry.now_ms)) == entry.events
    return engine


async def test_time_does_not_go_back_behind_a_command_that_caused_nothing():
    """The clock was set back while the router was down: its journal can still be decided again."""
    journal = MemoryJournal()
    async with live.router(journal, clock=lambda: 1_000) as router:
        desk = await router.sign_in("ann")
    async with live.router(journal, clock=lambda: 9_000) as router:
        desk = await router.sign_in("ann")
        await desk.ready()  # he is: no event, but time has passed
    async with live.router(journal, clock=lambda: 2_000) as router:
        await router.send(Submit(live.message(), "support"))
    moments = [entry.now_ms for frame in journal.frames for entry in frame.entries]
    assert moments == sorted(moments)
    assert moments[-1] == 9_000
    decided_again(journal)


async def test_who_leaves_with_work_in_hand_is_counted_live_as_in_a_replay():
    journal = MemoryJournal()
    async with live.router(journal) as router:
        desk = await router.sign_in("cy")
        await router.submit(live.message(), queue="support")
        await desk.open_offers[0].accept()
        await desk.sign_out()
        live_state = router._engine.snapshot()
    found = await recover(journal, live.plan(), lambda _: None)
    assert found.engine.snapshot() == live_state


async def test_a_failure_of_the_journal_is_not_its_own_cause():
    with pytest.raises(JournalError) as raised:
        async with live.router(MemoryJournal(max_events=1)) as router:
            await router.submit(live.message(), queue="support")
            with pytest.raises(Exception, match="full"):
                await router.submit(live.message(), queue="support")
    assert raised.value.__cause__ is not raised.value


async def test_what_another_writer_drops_while_it_is_read_is_not_called_damaged():
    """A standby reads while the owner makes room: it must read again, not give up for good."""
    async with StoreJournal(MemoryStore()) as journal:
        await journal.claim()
        for _ in range(4):
            await journal.append(Frame(1, (Entry(Tick(), 1, ()),)))
        await journal.store.drop(3)
        with pytest.raises(JournalError, match="dropped while it was read") as raised:
            [header async for header, _ in journal.records(Chain())]
        assert not isinstance(raised.value, CorruptJournalError)
