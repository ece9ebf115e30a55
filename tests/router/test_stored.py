"""A router on a journal in a store: it continues behind a snapshot as it would without one.

Threads and processes know no virtual time: here it stands still.
"""

import pytest
from prometheus_client import CollectorRegistry

import live
from omniroute import JournalError, MemoryJournal, Queue, Router, UsageError, wall_clock
from omniroute.engine import Engine
from omniroute.errors import (
    CorruptJournalError,
    FencedError,
    JournalFullError,
    RouterBusyError,
    RouterClosedError,
    UnknownNameError,
)
from omniroute.events import Expired, Offered
from omniroute.journal import (
    MemoryStore,
    Shelf,
    SqliteStore,
    StoreJournal,
    open_journal,
)
from omniroute.model import InteractionState, Presence
from omniroute.router import Outcome
from omniroute.router.recovery import fingerprint
from omniroute.router.shadow import take_snapshot

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def router(journal, **options):
    """On a slow machine too, no deadline passes while a test looks."""
    return live.router(journal, **{"clock": lambda: 1_000_000, **options})


async def a_morning(router):
    """Leaves a hold, a wrap-up, an offer, a wait and an agent on a break behind."""
    cy = await router.sign_in("cy")
    await router.submit(live.message("one", thread_id="t", message_id="m1"), queue="support")
    await router.submit(live.message("two"), queue="support")
    held, _ = [await offer.accept() for offer in cy.open_offers]
    await held.hold()
    await router.submit(live.message("more", thread_id="t"))
    ann = await router.sign_in("ann")
    await router.submit(live.message("three"), queue="sales")
    for desk in (ann, cy):
        for offer in desk.open_offers:
            await (await offer.accept()).complete("sold")
    await router.submit(live.message("four"), queue="sales")
    await cy.not_ready("lunch")
    bob = await router.sign_in("bob")
    await router.submit(live.message("five"), queue="support")
    assert len(bob.open_offers) == 1


def picture(router):
    """What people see of a router: desks, offers, assignments, numbers."""
    desks = {
        agent_id: (
            desk.presence,
            desk.not_ready_reason,
            {o.offer_id: (o.interaction.id, o.expires_at_ms) for o in desk.open_offers},
            {a.assignment_id: (a.interaction.id, a.state, a.code) for a in desk.assignments},
        )
        for agent_id, desk in router._desks.by_agent.items()
    }
    return desks, router.interactions(), router.statistics(), router._engine.snapshot()


@pytest.mark.parametrize("snapshots", [0, 1])
async def test_a_router_continues_from_a_file(tmp_path, snapshots):
    url = f"sqlite:///{tmp_path}/router.db"
    async with router(url) as first:
        await a_morning(first)
        for _ in range(snapshots):
            await take_snapshot(first.journal, first.plan)
        before = picture(first)
    async with router(url) as second:
        desks, *rest = picture(second)
        if snapshots:  # the engine does not keep why somebody is not ready
            before[0]["cy"] = (Presence.NOT_READY, "", *before[0]["cy"][2:])
        assert (desks, *rest) == before
        assert all(desk.orphan for desk in second._desks.by_agent.values())
        again = await second.submit(
            live.message("one", thread_id="t", message_id="m1"), queue="support"
        )
        assert again.outcome is Outcome.DUPLICATE
        async with second.sign_in("cy", ready=False) as cy:
            held, other = cy.assignments
            assert held.state is InteractionState.HELD
            assert [m.text for m in held.interaction.messages] == ["one", "more"]
            assert await held.resume()
            assert await held.complete()
            assert await other.complete()


async def test_what_a_snapshot_stands_for_is_not_folded_again(tmp_path):
    """The state behind a snapshot is that of the whole journal, byte for byte."""
    url = f"sqlite:///{tmp_path}/router.db"
    async with router(url) as first:
        await a_morning(first)
        position, size = await take_snapshot(first.journal, first.plan)
        assert size > 500
        for _ in range(3):
            await first.submit(live.message("later"), queue="support")
        state = first._engine.snapshot()
    async with open_journal(url) as journal:
        snapshot, chain = await journal.recover()
        assert snapshot.plan == fingerprint(live.plan())
        assert chain.position == position
        restored = Engine.restore(live.plan(), snapshot.state)
        whole = Engine(live.plan())
        async for header, body in journal.records(chain):
            for event in journal.events(header, body):
                restored.apply(event)
        async for frame in journal.read():
            for event in frame.events:
                whole.apply(event)
        assert restored.snapshot() == whole.snapshot() == state


async def test_snapshots_are_made_in_the_background_and_old_records_dropped(tmp_path):
    url = f"sqlite:///{tmp_path}/router.db"
    async with router(url, snapshot_every=40, keep_ms=1, clock=wall_clock) as first:
        seen = set()
        while len(seen) < 3:
            await first.submit(live.message(), queue="support")
            seen.update(await first.journal.store.snapshots())
        while (begin := (await first.journal.bounds())[0]) == 1:
            await first.submit(live.message(), queue="support")
        state = first._engine.snapshot()
    assert begin > 1
    async with router(url) as second:
        assert second._engine.snapshot() == state
        with pytest.raises(CorruptJournalError, match="was dropped"):
            [frame async for frame in second.journal.read()]


async def test_a_damaged_snapshot_costs_time_and_nothing_else():
    shelf = Shelf()
    async with StoreJournal(MemoryStore(shelf)) as journal:
        async with router(journal) as first:
            await a_morning(first)
            await take_snapshot(journal, first.plan)
            await first.submit(live.message("six"), queue="support")
            await take_snapshot(journal, first.plan)
            state = first._engine.snapshot()
        assert len(shelf.snapshots) == 2
        for position in sorted(shelf.snapshots, reverse=True):
            shelf.snapshots[position] = shelf.snapshots[position][:-1] + b"\0"
            async with router(journal) as again:
                assert again._engine.snapshot() == state
        # no good one is left: the next begins at the beginning
        await take_snapshot(journal, live.plan())
        shelf.records[:10], shelf.first = [], 11
        async with router(journal) as again:
            assert again._engine.snapshot() == state


async def test_a_snapshot_that_cannot_be_made_stops_nothing(caplog, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with StoreJournal(MemoryStore()) as journal:
        async with router(journal, snapshot_every=5) as working:
            for _ in range(20):
                await working.submit(live.message(), queue="support")
        with pytest.raises(OSError, match="nowhere"):
            await take_snapshot(journal, live.plan())
    assert "snapshot_failed" in [record.msg for record in caplog.records]


async def test_a_child_that_finds_damage_says_so():
    shelf = Shelf()
    async with StoreJournal(MemoryStore(shelf)) as journal:
        async with router(journal) as working:
            await a_morning(working)
        shelf.records[4] = shelf.records[4][:-1] + b"\0"
        with pytest.raises(JournalError, match="damaged at record 5"):
            await take_snapshot(journal, live.plan())


async def test_metrics_behind_a_snapshot_show_what_stands_and_count_from_now(tmp_path):
    url = f"sqlite:///{tmp_path}/router.db"

    def gauges(registry):
        return {
            (sample.name, *sample.labels.values()): sample.value
            for metric in registry.collect()
            if metric.type == "gauge" and "longest" not in metric.name
            for sample in metric.samples
            if sample.value
        }

    registries = [CollectorRegistry() for _ in range(2)]
    async with router(url, registry=registries[0]) as first:
        await a_morning(first)
        await take_snapshot(first.journal, first.plan)
        before = gauges(registries[0])
        assert before
    async with router(url, registry=registries[1]) as second:
        assert gauges(registries[1]) == before
        await second.submit(live.message(), queue="support")
        for interaction in second.interactions():
            await second.cancel(interaction.id)
        assert not [key for key in gauges(registries[1]) if "agents" not in key[0]]


# --- what changed while nothing ran -------------------------------------------------------


@pytest.mark.parametrize("snapshots", [0, 1])
async def test_an_offer_that_ran_out_while_nothing_ran_ends_at_its_own_deadline(snapshots):
    async with StoreJournal(MemoryStore()) as journal:
        async with router(journal) as first:
            await first.sign_in("ann")
            await first.submit(live.message(), queue="sales")
            for _ in range(snapshots):
                await take_snapshot(journal, first.plan)
        async with router(journal, clock=lambda: 100_000_000) as second:
            receipt = await second.submit(live.message(), queue="support")
            assert receipt.outcome is Outcome.QUEUED
            assert second.interaction("i1").state is InteractionState.WAITING
        events = [event async for frame in journal.read() for event in frame.events]
    (offered,) = [event for event in events if isinstance(event, Offered)]
    (expired,) = [event for event in events if isinstance(event, Expired)]
    assert expired.at_ms == offered.expires_at_ms == 1_000_000 + live.OFFER_MS


@pytest.mark.parametrize("snapshots", [0, 1])
async def test_work_outlives_the_plan_it_came_in_under(caplog, snapshots):
    caplog.set_level("INFO", "omniroute")
    async with StoreJournal(MemoryStore()) as journal:
        async with router(journal) as first:
            await a_morning(first)
            for _ in range(snapshots):
                await take_snapshot(journal, first.plan)
            before = {each.id: each.state for each in first.interactions()}
        plan = live.plan(queues=[Queue(name="support")], triage=[])
        async with router(journal, plan=plan) as second:
            assert {each.id: each.state for each in second.interactions()} == before
    (_, started) = [r for r in caplog.records if r.msg == "router_started"]
    assert started.plan_changed is bool(snapshots)


# --- who writes ---------------------------------------------------------------------------


async def test_a_router_that_was_passed_stops_and_says_by_whom():
    shelf = Shelf()
    async with (
        StoreJournal(MemoryStore(shelf), writer="one") as one,
        StoreJournal(MemoryStore(shelf), writer="two") as two,
    ):
        with pytest.raises(FencedError, match="two writes with epoch 2, this writer has 1"):
            async with router(one) as first:
                await first.submit(live.message(), queue="support")
                async with router(two) as second:
                    with pytest.raises(RouterClosedError, match="two writes with epoch 2"):
                        await first.submit(live.message("lost"), queue="support")
                    await second.submit(live.message("kept"), queue="support")
        texts = [e.message.text async for f in two.read() for e in f.events]
    assert texts == ["Hello", "kept"]


async def test_a_file_has_one_router(tmp_path):
    url = f"sqlite:///{tmp_path}/router.db"
    async with router(url) as first:
        with pytest.raises(JournalError, match="open in another process"):
            async with router(url):
                pass
        await first.submit(live.message(), queue="support")
    async with router(url) as second:
        assert second.statistics().waiting == 1


async def test_who_opens_the_journal_closes_it(tmp_path):
    journal = StoreJournal(SqliteStore(tmp_path / "router.db"))
    with pytest.raises(UsageError, match="not open"):
        async with router(journal):
            pass
    async with journal:
        for _ in range(2):
            async with router(journal) as working:
                await working.submit(live.message(), queue="support")
        assert journal.is_open
        assert len([frame async for frame in journal.read()]) == 2
    assert not journal.is_open


async def test_journals_by_url(tmp_path):
    assert isinstance(live.router("memory:").journal, MemoryJournal)
    assert open_journal("sqlite:///a%20b.db").store.place == "sqlite:///a b.db"
    assert str(open_journal("sqlite:////tmp/a.db").store.path) == "/tmp/a.db"
    for url in ("sqlite://", "sqlite:///", "sqlite://host/a.db"):
        with pytest.raises(UsageError, match="names no file"):
            open_journal(url)
    with pytest.raises(UnknownNameError, match="did you mean 'sqlite'"):
        Router(live.plan(), journal="sqlit:///a.db")
    with pytest.raises(UsageError, match="snapshot_every"):
        Router(live.plan(), snapshot_every=0)


# --- no room ------------------------------------------------------------------------------


async def test_with_little_room_new_work_is_refused_and_work_at_hand_is_finished(tmp_path):
    path = tmp_path / "router.db"
    store = SqliteStore(path, max_bytes=600_000, reserve_bytes=200_000)
    long = "x" * 20_000
    async with StoreJournal(store) as journal, router(journal) as working:
        cy = await working.sign_in("cy")
        taken = 0
        with pytest.raises(RouterBusyError, match="almost no room"):
            while True:
                await working.submit(live.message(long), queue="support")
                taken += 1
                store._room_known_until_s = 0
        assert 5 < taken < 30
        for offer in cy.open_offers:
            assert await (await offer.accept()).complete("done")
        for interaction in working.interactions():
            await working.cancel(interaction.id)
        store._max_bytes *= 2  # somebody made room
        store._room_known_until_s = 0
        assert (await working.submit(live.message(), queue="support")).outcome is Outcome.QUEUED
        assert working.statistics().total.queued == taken + 1


async def test_without_room_the_router_stops_and_has_everything_it_acknowledged(tmp_path):
    path = tmp_path / "router.db"
    store = SqliteStore(path, max_bytes=300_000, reserve_bytes=0)
    taken = []
    async with StoreJournal(store) as journal:
        with pytest.raises(JournalFullError, match="no room"):
            async with router(journal) as working:
                with pytest.raises(RouterClosedError, match="no room"):
                    while True:
                        receipt = await working.submit(live.message("x" * 20_000), queue="support")
                        taken.append(receipt.interaction_id)
    async with router(f"sqlite:///{path}") as again:
        assert [each.id for each in again.interactions()] == taken
        assert (await again.submit(live.message(), queue="support")).outcome is Outcome.QUEUED
