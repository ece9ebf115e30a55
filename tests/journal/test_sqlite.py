"""What is SQLite's own: the lock, a full disk, a failed sync, copies."""

import os
import sqlite3
import sys

import anyio
import pytest

from omniroute import JournalError, JournalFullError, SqliteStore, StoreJournal, UsageError
from omniroute.events import Abandon, Abandoned
from omniroute.journal import Entry, Frame, Snapshot

pytestmark = pytest.mark.anyio


def frame(first_seq, size=10):
    reason = "x" * size
    return Frame(
        first_seq, (Entry(Abandon("i1", reason), first_seq, (Abandoned(first_seq, "i1", reason),)),)
    )


async def fill(journal, count):
    for _ in range(count):
        await journal.append(frame(journal.next_seq))


async def frames(path):
    async with StoreJournal(SqliteStore(path)) as journal:
        return [each async for each in journal.read()]


# --- the file -----------------------------------------------------------------------------


async def test_every_append_is_synced(tmp_path):
    store = SqliteStore(tmp_path / "a.db")
    await store.open()
    names = ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint")
    asked = await store._do(
        lambda connection: {
            name: connection.execute(f"pragma {name}").fetchone()[0] for name in names
        }
    )
    await store.aclose()
    assert asked == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "exclusive",
        "wal_autocheckpoint": 0,
    }


async def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path):
    path = tmp_path / "a.db"
    program = f"""
import anyio
from omniroute import SqliteStore
async def main():
    store = SqliteStore({str(path)!r})
    await store.open()
anyio.run(main)
"""
    async with StoreJournal(SqliteStore(path)) as journal:
        await journal.claim()
        done = await anyio.run_process([sys.executable, "-c", program], check=False)
        assert b"is open in another process" in done.stderr
        await fill(journal, 1)
    done = await anyio.run_process([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["text", "database", "folder", "missing"])
async def test_what_is_no_journal_is_refused_and_left_alone(tmp_path, kind):
    path = tmp_path / "a.db"
    if kind == "text":
        path.write_bytes(b"Dear diary, today I learned nothing." * 100)
    elif kind == "database":
        with sqlite3.connect(path) as other:
            other.execute("create table things (name)")
        other.close()
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / "nowhere" / "a.db"
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(JournalError, match=r"a\.db"):
        await SqliteStore(path).open()
    if before is not None:
        assert path.read_bytes() == before


async def test_a_snapshot_whose_writing_was_broken_off_never_was(tmp_path):
    path = tmp_path / "a.db"
    async with StoreJournal(SqliteStore(path)) as journal:
        await journal.claim()
        await fill(journal, 1)
        snapshot = Snapshot(2, 2, 1, journal._chain.digest, "p", b"s" * 1_000_000)
        await journal.save_snapshot(snapshot)
        store = journal.store
        await store._do(lambda c: c.execute("delete from snapshots"))
    async with StoreJournal(SqliteStore(path)) as journal:
        assert await journal.newest_snapshot() is None
        left = await journal.store._do(lambda c: c.execute("select count(*) from parts").fetchone())
        assert left == (0,)


# --- no room, no sync ---------------------------------------------------------------------


async def test_a_full_file_refuses_the_frame_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "a.db"
    async with StoreJournal(SqliteStore(path, max_bytes=200_000)) as journal:
        await journal.claim()
        written = 0
        with pytest.raises(JournalFullError, match="no room"):
            while True:
                await journal.append(frame(journal.next_seq, 20_000))
                written += 1
        assert written > 2
        with pytest.raises(JournalError, match="failed before"):
            await journal.append(frame(journal.next_seq))
    assert len(await frames(path)) == written


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root"
)
async def test_a_full_disk_refuses_the_frame_and_keeps_what_it_has(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if (await anyio.run_process(mount, check=False)).returncode:
        pytest.skip("mount is not permitted here")
    try:
        path = disk / "a.db"
        async with StoreJournal(SqliteStore(path)) as journal:
            await journal.claim()
            written = 0
            with pytest.raises(JournalFullError, match="no room"):
                while True:
                    await journal.append(frame(journal.next_seq, 3_000))
                    written += 1
            assert written > 10
        # A copy on a disk with room has everything that was acknowledged.
        for file in disk.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        assert len(await frames(tmp_path / "a.db")) == written
    finally:
        await anyio.run_process(["umount", str(disk)])


class Failing:
    """A connection whose n-th insert fails as a disk does."""

    def __init__(self, connection, at):
        self._connection = connection
        self._left = at

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement, *arguments):
        if statement.startswith("insert into records"):
            self._left -= 1
            if self._left == 0:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
                raise error
        return self._connection.execute(statement, *arguments)


async def test_after_a_failed_sync_nothing_is_written_until_it_is_opened_again(tmp_path):
    path = tmp_path / "a.db"
    async with StoreJournal(SqliteStore(path)) as journal:
        await journal.claim()
        store = journal.store
        store._connection = Failing(store._connection, 3)
        await fill(journal, 2)
        with pytest.raises(JournalError, match="disk I/O error"):
            await fill(journal, 1)
        for call in (store.append(4, b"x"), store.read(1, 1), store.snapshots()):
            with pytest.raises(JournalError, match="open it again"):
                await call
    async with journal:
        assert await journal.claim() == 2
        await fill(journal, 1)
    assert [each.first_seq for each in await frames(path)] == [1, 2, 3]


async def test_what_only_the_log_has_is_in_the_file_before_anything_is_added(tmp_path):
    path = tmp_path / "a.db"
    log = tmp_path / "a.db-wal"
    async with StoreJournal(SqliteStore(path)) as journal:
        await journal.claim()
        await fill(journal, 50)
        kept = {file: file.read_bytes() for file in (path, log)}
        assert len(kept[log]) > 100_000
    for file, data in kept.items():
        file.write_bytes(data)
    store = SqliteStore(path)
    await store.open()
    assert not any(log.read_bytes())
    assert await store.bounds() == (1, 51)
    await store.aclose()


# --- copies -------------------------------------------------------------------------------


async def test_a_journal_in_use_can_be_copied(tmp_path):
    copy = tmp_path / "copy.db"
    async with StoreJournal(SqliteStore(tmp_path / "a.db")) as journal:
        await journal.claim()
        await fill(journal, 1_200)
        snapshot = Snapshot(1_201, 1_201, 1, journal._chain.digest, "p", os.urandom(900_000))
        await journal.save_snapshot(snapshot)
        async with anyio.create_task_group() as group:
            group.start_soon(fill, journal, 50)
            count = await journal.store.backup(copy)
        assert await journal.store.backup(copy) == 1_251
        assert count >= 1_201
        with pytest.raises(UsageError, match="the journal itself"):
            await journal.store.backup(tmp_path / "a.db")
        await journal.drop(1_000)
        await journal.store.vacuum()
        await fill(journal, 1)
    async with StoreJournal(SqliteStore(copy)) as copied:
        found, chain = await copied.recover()
        assert found == snapshot
        assert len([header async for header, _ in copied.records(chain)]) == 50
        assert len([each async for each in copied.read()]) == 1_250
    assert not list(tmp_path.glob("*.part"))
