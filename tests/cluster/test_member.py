"""Members in one process, in virtual time: who owns, who answers, and that nothing is lost."""

import random
from collections import Counter
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

import live
import virtual_time
from omniroute import loop_clock
from omniroute.cluster import Member, MemoryCoordinator, Partition, Square, wire
from omniroute.cluster.coordinator import NoAnswerError
from omniroute.cluster.leases import Lease
from omniroute.cluster.spool import Spool
from omniroute.errors import (
    CommandError,
    FencedError,
    JournalError,
    NoOwnerError,
    RouterClosedError,
    UnknownNameError,
    UsageError,
)
from omniroute.events import Cancel, Cancelled, Offered, Quarantined, Queued, SignIn, Submit
from omniroute.journal import MemoryStore, Shelf, StoreJournal
from omniroute.model import Agent, Disposition, Inbound
from omniroute.router import Outcome

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual_time.backend(request.param)


class World:
    """Partitions on shelves, a square, and a folder: what outlives the members."""

    def __init__(self, folder, names=("north",)):
        self.folder = folder
        self.square = Square()
        self.shelves = {name: Shelf() for name in names}
        self.spools = {}

    def partitions(self, **options):
        options = {"clock": loop_clock, "snapshot_every": None, **options}
        return [
            Partition(
                name=name,
                plan=live.plan(),
                journal=lambda shelf=shelf: MemoryStore(shelf),
                options=options,
            )
            for name, shelf in self.shelves.items()
        ]

    def member(self, name, **options):
        """Its spool is in memory: threads know no virtual time."""
        coordinator = MemoryCoordinator(self.square)
        member = Member(
            options.pop("partitions", None) or self.partitions(),
            coordinator,
            spool=self.folder,
            name=name,
            **options,
        )
        for partition in self.shelves:
            shelf = self.spools.setdefault((name, partition), Shelf())
            member._spools[partition] = Spool(MemoryStore(shelf))
        member.coordinator = coordinator
        return member

    async def events(self, name):
        async with StoreJournal(MemoryStore(self.shelves[name])) as journal:
            return [event async for frame in journal.read() for event in frame.events]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def until(member, true):
    with anyio.fail_after(60):
        while not true():
            with anyio.move_on_after(0.05):
                await member.changed()


async def owned(member, name="north"):
    await until(member, lambda: member.router(name) is not None)
    return member.router(name)


@asynccontextmanager
async def owner_and_standby(world):
    async with world.member("a") as a:
        await owned(a)
        async with world.member("b") as b:
            await until(b, lambda: b.owner("north") == "a")
            yield a, b


async def test_the_first_member_owns_and_routes(world):
    async with world.member("a") as a:
        await owned(a)
        receipt = await a.submit("north", live.message(), queue="support")
        assert receipt.outcome is Outcome.QUEUED
        assert a.owners == {"north": "a"}
        assert a.router("north").statistics().waiting == 1
    assert len([e for e in await world.events("north") if isinstance(e, Queued)]) == 1


async def test_a_standby_forwards_to_the_owner(world):
    async with owner_and_standby(world) as (a, b):
        assert b.router("north") is None
        receipt = await b.submit("north", live.message("hi", message_id="m1"), queue="support")
        assert receipt.outcome is Outcome.QUEUED
        again = await a.submit("north", live.message("hi", message_id="m1"), queue="support")
        assert (again.outcome, again.interaction_id) == (Outcome.DUPLICATE, receipt.interaction_id)
        (cancelled,) = await b.send("north", Cancel(receipt.interaction_id, "no"))
        assert isinstance(cancelled, Cancelled)
        inbound = Inbound(
            disposition=Disposition.CREATE, message=live.message(to="sales@example.com")
        )
        assert (await b.deliver("north", inbound)).outcome is Outcome.QUEUED
        assert (await a.deliver("north", inbound)).outcome in (Outcome.QUEUED, Outcome.DUPLICATE)


async def test_mistakes_are_told_to_the_caller_wherever_the_owner_is(world):
    async with owner_and_standby(world) as (a, b):
        for member in (a, b):
            with pytest.raises(UsageError, match="unknown queue 'none'"):
                await member.submit("north", live.message(), queue="none")
            with pytest.raises(UsageError, match="unknown queue 'none'"):
                await member.send("north", Submit(live.message(), "none"))
            with pytest.raises(UnknownNameError, match="unknown partition 'south'"):
                await member.submit("south", live.message())
            with pytest.raises(CommandError):
                await member.send("north", Cancel("", "no"))


async def test_who_leaves_hands_over_at_once(world):
    async with world.member("b", lease_ms=60_000) as b:
        async with world.member("a", lease_ms=60_000) as a:
            await until(a, lambda: a.owner("north") or b.owner("north"))
            first, second = (a, b) if a.owner("north") == "a" else (b, a)
            await owned(first)
            await first.submit("north", live.message(), queue="support")
        start = anyio.current_time()
        router = await owned(b)
        assert anyio.current_time() - start < 20
        assert router.statistics().waiting == 1
    assert second is not first


async def test_work_waits_in_the_spool_while_nobody_owns_it_and_happens_once(world):
    async with world.member("a") as a:
        await owned(a)
        a.coordinator.is_cut = True  # it cannot renew: it gives up by its own clock
        await until(a, lambda: a.router("north") is None)
        for number in range(5):
            message = live.message(str(number), message_id=f"m{number}")
            receipt = await a.submit("north", message, queue="support")
            assert receipt.outcome is Outcome.SPOOLED
        assert a.spooled("north") == 5
        assert (
            await a.submit("north", live.message("nameless"), queue="support")
        ).outcome == "spooled"
        with pytest.raises(UsageError, match="unknown queue"):
            await a.submit("north", live.message(), queue="none")
        with pytest.raises(NoOwnerError, match="'north' has no owner"):
            await a.send("north", Cancel("i1", ""))
        a.coordinator.is_cut = False
        router = await owned(a)
        last = await a.submit("north", live.message("last"), queue="support")
        assert last.outcome is Outcome.QUEUED
        texts = [interaction.message.text for interaction in router.interactions()]
        assert texts == ["0", "1", "2", "3", "4", "nameless", "last"]


async def test_a_spool_survives_its_member_and_a_repeat_is_known(world):
    async with world.member("a") as a:
        a.coordinator.is_cut = True
        for number in range(3):
            message = live.message(str(number), message_id=f"m{number}")
            assert (await a.submit("north", message, queue="support")).outcome == "spooled"
        await a.submit("north", live.message("1", message_id="m1"), queue="support")
    async with world.member("a") as a:
        router = await owned(a)
        await until(a, lambda: a.spooled("north") == 0)
        assert [i.message.text for i in router.interactions()] == ["0", "1", "2"]


async def test_what_the_owner_cannot_understand_is_quarantined_and_not_in_the_way(world):
    async with world.member("a") as a:
        a.coordinator.is_cut = True
        await a.submit("north", live.message("old", message_id="m1"), queue="support")
        await a.submit("north", live.message("new", message_id="m2"), queue="sales")
    partitions = world.partitions()
    changed = Partition(
        name="north",
        plan=live.plan(queues=[live.plan().queues["sales"]]),
        journal=partitions[0].journal,
        options=partitions[0].options,
    )
    async with world.member("a", partitions=[changed]) as a:
        await owned(a)
        await until(a, lambda: a.spooled("north") == 0)
        await owned(a)
    kinds = [type(e).__name__ for e in await world.events("north")]
    assert sorted(kinds) == ["Quarantined", "Queued"]


async def test_a_member_cut_off_stops_before_another_takes_over(world):
    """By its own clock, without being told: at no moment do two have an open router."""
    async with owner_and_standby(world) as (a, b):
        both = []

        async def watch():
            while True:
                both.append(a.router("north") is not None and b.router("north") is not None)
                await anyio.sleep(0.01)

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            a.coordinator.is_cut = True
            start = anyio.current_time()
            await owned(b)
            assert anyio.current_time() - start < 2
            group.cancel_scope.cancel()
        assert not any(both)


async def test_an_owner_that_was_fenced_becomes_a_standby(world):
    """As a paused process is: it believes in its lease, and the journal does not."""
    async with world.member("a", lease_ms=60_000) as a:
        router = await owned(a)
        async with StoreJournal(MemoryStore(world.shelves["north"]), writer="other") as other:
            await other.claim()
            receipt = await a.submit(
                "north", live.message("late", message_id="m1"), queue="support"
            )
            assert receipt.outcome is Outcome.SPOOLED
            assert isinstance(router._ledger.failure, FencedError)
            records = len(world.shelves["north"].records)
            assert records == other.position
        await until(a, lambda: a.router("north") not in (None, router))
        await until(a, lambda: a.spooled("north") == 0)
    assert [e.message.text for e in await world.events("north") if isinstance(e, Queued)] == [
        "late"
    ]


async def test_who_reads_that_another_holds_the_lease_stops_at_once(world):
    async with world.member("a", lease_ms=60_000) as a:
        await owned(a)
        row = world.square.rows["p-north"]
        taken = msgspec.msgpack.encode(Lease("other", 9))
        assert await MemoryCoordinator(world.square).put("p-north", taken, row.revision)
        start = anyio.current_time()
        await until(a, lambda: a.router("north") is None)
        assert anyio.current_time() - start < 30
        assert a.owner("north") == "other"


async def test_a_renewal_whose_answer_was_lost_has_happened(world):
    async with world.member("a") as a:
        router = await owned(a)
        put, lost = a.coordinator.put, []

        async def put_and_lose(key, value, revision):
            answer = await put(key, value, revision)
            if key == "p-north" and answer is not None and len(lost) < 5:
                lost.append(answer)
                raise NoAnswerError("lost")
            return answer

        a.coordinator.put = put_and_lose
        await anyio.sleep(0.7)
        assert lost
        lost += range(5)
        await anyio.sleep(5)
        assert a.router("north") is router


async def test_a_message_without_an_id_whose_answer_was_lost_is_routed_once(world):
    async with owner_and_standby(world) as (a, b):
        answer, lost = a.coordinator.answer, []

        async def lose(reply_to, data):
            lost.append(data)
            if len(lost) > 1:
                await answer(reply_to, data)

        a.coordinator.answer = lose
        receipt = await b.submit("north", live.message("nameless"), queue="support")
        assert receipt.outcome is Outcome.SPOOLED
        await until(b, lambda: b.spooled("north") == 0)
        assert len(lost) > 1
        assert [i.message.text for i in a.router("north").interactions()] == ["nameless"]


@pytest.mark.parametrize("disposition", [Disposition.CREATE, Disposition.QUARANTINE])
async def test_a_delivery_without_an_id_whose_answer_was_lost_is_taken_once(world, disposition):
    """The owner writes it and dies before it says so; the next one is given it again."""
    message = live.message(to="sales@example.com")
    inbound = Inbound(disposition=disposition, message=message, reason="why")
    async with world.member("a") as a:
        router = await owned(a)
        deliver = router.deliver

        async def lost(each):
            await deliver(each)
            raise RouterClosedError("the answer was lost")

        router.deliver = lost
        receipt = await a.deliver("north", inbound)
        assert receipt.outcome is Outcome.DUPLICATE
    events = await world.events("north")
    assert sum(isinstance(event, Queued | Quarantined) for event in events) == 1


async def test_an_older_lease_never_claims_over_a_newer_one(world):
    """Its holder was paused between the lease and the claim."""
    async with world.member("a") as a:
        await owned(a)
        epoch = a._holder._owned["north"].epoch
    async with StoreJournal(MemoryStore(world.shelves["north"])) as journal:
        with pytest.raises(FencedError):
            await journal.claim(epoch)
        await journal.claim(epoch + 40)  # a router that is in no cluster
    async with world.member("a") as a:
        await owned(a)
        assert a._holder._owned["north"].epoch == epoch + 41


async def test_a_partition_that_fails_here_is_left_to_others(world):
    class Broken(MemoryStore):
        async def read(self, position, max_bytes):
            raise JournalError("cannot be reached from here")

    broken = Partition(
        name="north", plan=live.plan(), journal=lambda: Broken(world.shelves["north"])
    )
    async with StoreJournal(MemoryStore(world.shelves["north"])) as journal:
        await journal.claim()
    async with world.member("a", partitions=[broken]) as a:
        await until(a, lambda: a._holder._declined)
        async with world.member("b") as b:
            await owned(b)


async def test_partitions_are_shared_out_as_members_come_and_go(tmp_path):
    world = World(tmp_path, ("p0", "p1", "p2", "p3", "p4"))

    def counts(*members):
        return sorted(
            Counter(m.name for m in members for p in world.shelves if m.router(p)).values()
        )

    async with world.member("a") as a:
        await until(a, lambda: counts(a) == [5])
        async with world.member("b") as b:
            await until(a, lambda: counts(a, b) == [2, 3])
            async with world.member("c") as c:
                await until(a, lambda: counts(a, b, c) == [1, 2, 2])
            await until(a, lambda: counts(a, b) == [2, 3])
        await until(a, lambda: counts(a) == [5])


async def test_events_are_followed_from_anywhere_across_a_change_of_owner(world):
    seen = []

    async def follow(member, begin):
        async with member.follow("north", begin) as frames:
            async for position, frame in frames:
                seen.append((position, frame.events))

    async with world.member("c") as c, anyio.create_task_group() as group:
        async with world.member("a") as a:
            await until(c, lambda: c.owner("north"))
            await c.send("north", SignIn(Agent(id="ann"), ready=True))
            group.start_soon(follow, c, 1)
            await a.submit("north", live.message("one"), queue="support")
        await a_submits(c, "two")
        await until(c, lambda: "'two'" in repr(seen))
        group.cancel_scope.cancel()
    assert [e for _, events in seen for e in events] == await world.events("north")
    assert [position for position, _ in seen] == sorted({position for position, _ in seen})
    assert any(isinstance(e, Offered) for _, events in seen for e in events)


async def a_submits(member, text):
    await owned(member)
    await member.submit("north", live.message(text), queue="support")


async def test_a_follower_begins_where_it_was_told_or_with_what_comes(world):
    async with world.member("a") as a:
        await a_submits(a, "one")
        _, last = await StoreJournal(MemoryStore(world.shelves["north"])).bounds()
        async with a.follow("north", last) as old, a.follow("north") as new:
            await a_submits(a, "two")
            for frames, texts in ((old, ["one", "two"]), (new, ["two"])):
                for text in texts:
                    _, frame = await anext(frames)
                    assert frame.events[0].message.text == text


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_or_doubled_whatever_happens_to_members(tmp_path, seed):
    """Members are cut off, leave and come back while messages come in everywhere."""
    dice = random.Random(seed)
    world = World(tmp_path, ("north", "south"))
    acknowledged = Counter()

    async def live_on(name):
        while True:
            async with world.member(name, patience_ms=300) as member:
                with anyio.move_on_after(dice.uniform(1, 5)):
                    await work(member)
                member.coordinator.is_cut = False

    async def work(member):
        for number in range(10_000):
            partition = dice.choice(("north", "south"))
            message_id = f"{member.name}/{seed}/{partition}/{dice.randrange(400)}"
            message = live.message(message_id, message_id=message_id)
            await member.submit(partition, message, queue="support")
            acknowledged[partition, message_id] += 1
            await anyio.sleep(dice.choice((0.01, 0.02, 0.1)))
            if dice.random() < 0.02:
                member.coordinator.is_cut = not member.coordinator.is_cut
            assert number < 9_999

    with anyio.move_on_after(15):
        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(live_on, name)
    async with world.member("a") as a, world.member("b") as b, world.member("c") as c:
        for member in (a, b, c):
            for partition in world.shelves:
                await until(member, lambda m=member, p=partition: m.spooled(p) == 0)
    for partition in world.shelves:
        queued = Counter(
            e.message.text for e in await world.events(partition) if isinstance(e, Queued)
        )
        wanted = {text for name, text in acknowledged if name == partition}
        assert len(wanted) > 20
        assert wanted <= set(queued)
        assert set(queued.values()) == {1}


def test_a_journal_of_one_process_is_refused():
    for url in ("sqlite:///a.db", "memory:"):
        with pytest.raises(UsageError, match="PostgreSQL or NATS"):
            Partition(name="north", plan=live.plan(), journal=url).store()


@pytest.mark.parametrize("name", ["", "a.b", "ä", "x" * 65])
def test_names_are_plain(name, tmp_path):
    with pytest.raises(UsageError, match="letters, digits"):
        Partition(name=name, plan=live.plan(), journal="memory:")
    if name:
        with pytest.raises(UsageError, match="letters, digits"):
            Member([], MemoryCoordinator(Square()), spool=tmp_path, name=name)


def test_times_are_positive(tmp_path):
    for option in ("lease_ms", "patience_ms"):
        with pytest.raises(UsageError, match=option):
            Member([], MemoryCoordinator(Square()), spool=tmp_path, **{option: 0})


async def test_a_call_to_a_member_that_does_not_own_is_refused_not_lost(world):
    async with owner_and_standby(world) as (a, _):
        with pytest.raises(NoAnswerError, match="b does not own it"):
            codec = a._codec
            call = wire.Call("north", wire.encoded(codec, Cancel("i1", "")))
            wire.events_of(codec, await a.coordinator.call("b", wire.pack(call)))
