"""The default store: one SQLite file, nothing to install, nothing to run.

- **Durable**: WAL with ``synchronous=FULL``: when an append returns, its bytes were synced.
- **One connection**, in one thread, holding the file's lock for as long as it is open
  (``locking_mode=EXCLUSIVE``). So no second process can write, a second one that tries is
  told so, and the race between connections that resets a WAL (SQLite 3.7.0 to 3.51.2) cannot
  occur. So a journal in use is copied by its owner: `SqliteStore.backup`.
- **After a failed sync** nothing more is written by this handle, and the next one first
  writes everything it can see into the database file and syncs that: what only the page
  cache still held becomes durable before anything is built on top of it.
- **Room**: when less than ``reserve_bytes`` is left, the store says so (`is_low`) and the
  router refuses new work, while agents can finish what they have. It takes new work again by
  itself when there is room.
- **Checkpoints** (copying the log into the file) happen when nothing was asked for a
  moment, or when the log has become long: an append never pays for one in normal running.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from ..errors import JournalError, JournalFullError, PositionTakenError, UsageError
from .sqlite_backup import attach, copy_part, copy_records, detach
from .worker import Worker

__all__ = ["SqliteStore"]

_T = TypeVar("_T")

_APPLICATION_ID = 0x6F6D6E69  # "omni"
_TABLES = {
    "records": "position integer primary key, data blob not null",
    "snapshots": "position integer primary key, parts integer not null",
    "parts": (
        "position integer not null, part integer not null, data blob not null, "
        "primary key (position, part)"
    ),
}
#: A snapshot is written, and old records are deleted, in slices that take a few milliseconds,
#: so that an append never waits long behind them.
_PART_BYTES = 1 << 18
_DROP_AT_ONCE = 500
#: Far below what SQLite takes (a billion), so that a read is never more than a few of these.
_RECORD_BYTES = 64 << 20
#: Checkpoint when idle for this long, if at least so much was appended ...
_IDLE_S = 0.05
_IDLE_BYTES = 1 << 20
#: ... or at once, when there was never an idle moment: then it takes some 20 ms.
_BUSY_BYTES = 16 << 20
#: The log keeps its length from one checkpoint to the next, and so much of it is laid out at
#: the start, zeros and all: a sync that need not make the file longer takes a tenth of the
#: time, and does not wait for what others write.
_LOG_BYTES = 4 << 20
_PAGE = 4096
#: How long what the disk said about its room is believed.
_ROOM_KNOWN_S = 0.25


class SqliteStore:
    """Records in an SQLite file, which is made when it does not exist.

    The file belongs on a local disk: network file systems do not keep SQLite's locks.
    ``max_bytes`` bounds the file: the append that would go over raises `JournalFullError`.
    ``reserve_bytes``: with less room than this (below that bound, or on the disk), `is_low`.
    """

    exclusive = True
    tears = False
    max_record_bytes: int | None = _RECORD_BYTES

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        reserve_bytes: int = 64 << 20,
    ) -> None:
        self.path = Path(path)
        self.place = f"sqlite:///{self.path}"
        self._max_bytes = max_bytes
        self._reserve_bytes = reserve_bytes
        self._used_bytes = 0
        self._is_low = False
        self._room_known_until_s = 0.0
        self._connection: sqlite3.Connection
        self._worker = Worker("omniroute journal", idle=self._when_idle, idle_s=_IDLE_S)
        self._last = 0
        self._unchecked_bytes = 0
        self._failure: Exception | None = None

    # --- life -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the file and lock it."""
        self._worker.start()
        try:
            await self._worker.call(self._open)
        except BaseException:
            self._worker.stop()
            raise

    async def aclose(self) -> None:
        """Close the file; its log is folded in."""
        try:
            await self._worker.call(self._close)
        finally:
            self._worker.stop()

    def _close(self) -> None:
        with suppress(sqlite3.Error):  # a log that cannot be folded in now is read next time
            self._connection.close()

    def _open(self) -> None:
        try:
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        except sqlite3.Error as error:
            raise JournalError(f"{self.place} cannot be opened: {error}") from error
        try:
            self._prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._cannot_open(error) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._failure = None
        self._unchecked_bytes = 0

    def _prepare(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        execute("pragma locking_mode = exclusive")
        (mark,) = execute("pragma application_id").fetchone()
        (tables,) = execute("select count(*) from sqlite_master").fetchone()
        if mark != _APPLICATION_ID and (mark or tables):
            raise JournalError(f"{self.place} is an SQLite database, but not a journal")
        execute("pragma journal_mode = wal")
        execute("pragma synchronous = full")
        execute("pragma fullfsync = on")
        execute("pragma checkpoint_fullfsync = on")
        execute("pragma wal_autocheckpoint = 0")
        execute("begin immediate")
        execute(f"pragma application_id = {_APPLICATION_ID}")
        for name, columns in _TABLES.items():
            execute(f"create table if not exists {name} ({columns})")
        execute("delete from parts where position not in (select position from snapshots)")
        execute("commit")
        # What is in the log only may not be on the disk (a sync failed, the process ended):
        # now it gets there, before anything refers to it.
        (busy, _, _) = execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise JournalError(f"{self.place} could not be checkpointed")
        if self._max_bytes is not None:
            execute(f"pragma max_page_count = {max(1, self._max_bytes // _PAGE)}")
        (last,) = execute("select coalesce(max(position), 0) from records").fetchone()
        self._last = last
        self._lay_out()

    def _lay_out(self) -> None:
        """Fill the log with zeros. SQLite takes what is no frame of its own for the end."""
        free_bytes = shutil.disk_usage(self.path.parent).free
        if self._max_bytes is not None or free_bytes < self._reserve_bytes + _LOG_BYTES:
            return
        with suppress(OSError), open(f"{self.path}-wal", "r+b", buffering=0) as log:  # noqa: PTH123
            zeros = bytes(1 << 20)
            log.writelines(zeros for _ in range(_LOG_BYTES // len(zeros)))
            os.fsync(log.fileno())

    def _cannot_open(self, error: sqlite3.Error) -> JournalError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return JournalError(f"{self.place} is open in another process (or another router)")
        return JournalError(f"{self.place} cannot be opened: {error}")

    # --- the thread -----------------------------------------------------------------------

    async def _do(self, what: Callable[[sqlite3.Connection], _T]) -> _T:
        return await self._worker.call(self._guarded, what)

    def _guarded(self, what: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do it in the thread; after an error of the disk, nothing is done any more."""
        if self._failure is not None:
            raise JournalError(f"{self.place} has failed before: open it again") from self._failure
        try:
            return what(self._connection)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise JournalFullError(f"no room is left for {self.place}") from error
            self._failure = error
            raise JournalError(f"{self.place}: {error}") from error

    def _when_idle(self) -> None:
        if self._unchecked_bytes >= _IDLE_BYTES and self._failure is None:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._unchecked_bytes = 0
        try:
            self._connection.execute("pragma wal_checkpoint(passive)").fetchone()
        except sqlite3.Error as error:
            # The log keeps everything, so nothing is lost by a file that cannot grow. Whether
            # a failed sync lost something nobody knows: stop, and look at it afresh.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
                self._failure = error

    def _wrote(self, size: int) -> None:
        self._unchecked_bytes += size + _PAGE
        if self._max_bytes is not None:
            (pages,) = self._connection.execute("pragma page_count").fetchone()
            self._used_bytes = pages * _PAGE
        if self._unchecked_bytes >= _BUSY_BYTES:
            self._checkpoint()

    @property
    def is_low(self) -> bool:
        """Whether less room than the reserve is left. About a microsecond."""
        now_s = monotonic()
        if now_s >= self._room_known_until_s:
            self._room_known_until_s = now_s + _ROOM_KNOWN_S
            left_bytes = shutil.disk_usage(self.path.parent).free
            if self._max_bytes is not None:
                left_bytes = min(left_bytes, self._max_bytes - self._used_bytes)
            self._is_low = left_bytes < self._reserve_bytes
        return self._is_low

    # --- records --------------------------------------------------------------------------

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none."""
        (first,) = await self._do(
            lambda connection: connection.execute(
                "select coalesce(min(position), 1) from records"
            ).fetchone()
        )
        return first, self._last

    async def append(self, position: int, record: bytes) -> None:
        """Write and sync a record, if ``position`` is the next one."""
        await self._do(lambda connection: self._append(connection, position, record))

    def _append(self, connection: sqlite3.Connection, position: int, record: bytes) -> None:
        if position <= self._last:
            raise PositionTakenError(f"{self.place} has a record {position} already")
        if position != self._last + 1:
            raise JournalError(f"record {position} would leave a gap behind {self._last}")
        connection.execute("insert into records values (?, ?)", (position, record))
        self._last = position
        self._wrote(len(record))

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records from ``position`` on, about ``max_bytes`` of them."""
        return await self._do(lambda connection: _read(connection, position, max_bytes))

    async def drop(self, before: int) -> None:
        """Delete the records in front of ``before``; the file keeps the room for new ones."""
        before = min(before, self._last)
        while await self._do(lambda connection: _drop(connection, before)):
            pass

    async def cut(self, position: int) -> None:
        """Delete the last record."""

        def cut(connection: sqlite3.Connection) -> None:
            connection.execute("delete from records where position = ?", (position,))
            self._last = position - 1

        await self._do(cut)

    # --- copies and room ------------------------------------------------------------------

    async def backup(self, path: str | os.PathLike[str]) -> int:
        """Copy what is durable by now to another file, while records go on being appended.

        The file appears under its name when it is whole; one that exists is replaced.
        Returns how many records it has.
        """
        _, last = await self.bounds()
        part = await self._worker.call(self._backup_begins, Path(path))
        count = 0
        try:
            while copied := await self._do(lambda connection: copy_records(connection, last)):
                count += copied
            for at in await self.snapshots():
                while await self._do(partial(copy_part, position=at)):
                    pass
        finally:
            await self._do(detach)
        await self._worker.call(part.replace, path)
        return count

    def _backup_begins(self, path: Path) -> Path:
        """The file that is written, until it is whole."""
        if path.resolve() == self.path.resolve():
            raise UsageError(f"{path} is the journal itself: name another file")
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        self._guarded(partial(attach, path=part, application_id=_APPLICATION_ID, schema=_TABLES))
        return part

    async def vacuum(self) -> None:
        """Give the room of what was dropped back to the disk. Nothing can be appended so long."""
        await self._do(lambda connection: connection.execute("vacuum"))
        await self._do(
            lambda connection: connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        )

    # --- snapshots ------------------------------------------------------------------------

    async def snapshots(self) -> list[int]:
        """The positions of the snapshots, newest first."""
        rows = await self._do(
            lambda connection: connection.execute(
                "select position from snapshots order by position desc"
            ).fetchall()
        )
        return [position for (position,) in rows]

    async def load_snapshot(self, position: int) -> bytes:
        """One snapshot."""
        return await self._do(lambda connection: _load_snapshot(connection, position))

    async def save_snapshot(self, position: int, data: bytes) -> None:
        """Write a snapshot, in slices; only the last one makes it count."""
        await self.drop_snapshot(position)
        parts = range(0, len(data), _PART_BYTES)
        for number, at in enumerate(parts):
            row = (position, number, data[at : at + _PART_BYTES])
            await self._do(partial(self._insert_part, row=row))
        await self._do(
            lambda connection: connection.execute(
                "insert into snapshots values (?, ?)", (position, len(parts))
            )
        )

    def _insert_part(self, connection: sqlite3.Connection, row: tuple[int, int, bytes]) -> None:
        connection.execute("insert into parts values (?, ?, ?)", row)
        self._wrote(len(row[2]))

    async def drop_snapshot(self, position: int) -> None:
        """Delete a snapshot; its parts follow slice by slice."""
        await self._do(
            lambda connection: connection.execute(
                "delete from snapshots where position = ?", (position,)
            )
        )
        while await self._do(lambda connection: _drop_part(connection, position)):
            pass


def _read(connection: sqlite3.Connection, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    size = 0
    rows = connection.execute(
        "select position, data from records where position >= ? order by position", (position,)
    )
    for number, record in rows:
        size += len(record)
        if found and size > max_bytes:
            break
        found.append((number, record))
    rows.close()
    return found


def _drop(connection: sqlite3.Connection, before: int) -> int:
    """Delete some; how many."""
    return connection.execute(
        "delete from records where position in "
        "(select position from records where position < ? order by position limit ?)",
        (before, _DROP_AT_ONCE),
    ).rowcount


def _drop_part(connection: sqlite3.Connection, position: int) -> int:
    return connection.execute(
        "delete from parts where position = ? and part = "
        "(select min(part) from parts where position = ?)",
        (position, position),
    ).rowcount


def _load_snapshot(connection: sqlite3.Connection, position: int) -> bytes:
    known = connection.execute(
        "select parts from snapshots where position = ?", (position,)
    ).fetchone()
    if known is None:
        raise JournalError(f"there is no snapshot {position}")
    rows = connection.execute(
        "select data from parts where position = ? order by part", (position,)
    ).fetchall()
    return b"".join(data for (data,) in rows)
