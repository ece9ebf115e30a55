"""Where wrapped data keys stand: apart from the journal, because a journal is never rewritten.

A row is one data key, wrapped by a master key, with a *tag* in place of the customer: a keyed
digest that says nothing without the vault. Destroyed keys leave their number behind, so that a
key that was erased is never taken for one that is missing.

`KeyStore` is all that a vault asks for. Its calls block: a vault makes the long ones in a thread.
"""

from __future__ import annotations

import enum
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import VaultError

__all__ = [
    "AddKey",
    "AddNote",
    "Change",
    "DestroyKeys",
    "DropNotes",
    "KeyRow",
    "KeyState",
    "KeyStore",
    "RetireKeys",
    "RetireTag",
    "SqliteKeyStore",
    "Touch",
    "WrapAgain",
]


class KeyState(enum.IntEnum):
    """What a key is good for."""

    LIVE = 0  #: seals and unseals
    RETIRED = 1  #: unseals what an unfinished erasure still needs
    DESTROYED = 2  #: its bytes are gone


class KeyRow(msgspec.Struct, frozen=True):
    """One data key. ``used_ms`` is when it last sealed something, to the day."""

    id: bytes
    tag: bytes
    wrapped: bytes
    used_ms: int
    state: KeyState = KeyState.LIVE


# --- changes ------------------------------------------------------------------------------


class AddKey(msgspec.Struct, frozen=True):
    """Keep a new key."""

    row: KeyRow


class RetireTag(msgspec.Struct, frozen=True):
    """Seal nothing more with the keys of a tag that are there by now."""

    tag: bytes


class RetireKeys(msgspec.Struct, frozen=True):
    """Seal nothing more with these keys."""

    ids: tuple[bytes, ...]


class DestroyKeys(msgspec.Struct, frozen=True):
    """Overwrite these keys; only their numbers are left."""

    ids: tuple[bytes, ...]


class Touch(msgspec.Struct, frozen=True):
    """A key was used."""

    id: bytes
    used_ms: int


class WrapAgain(msgspec.Struct, frozen=True):
    """The same key in another wrap."""

    id: bytes
    wrapped: bytes


class AddNote(msgspec.Struct, frozen=True):
    """Keep what must be finished after a crash."""

    data: bytes


class DropNotes(msgspec.Struct, frozen=True):
    """These are finished."""

    ids: tuple[int, ...]


Change = AddKey | RetireTag | RetireKeys | DestroyKeys | Touch | WrapAgain | AddNote | DropNotes


class KeyStore(Protocol):
    """Data keys, notes and one secret. Every call may come from any thread."""

    place: str  #: for messages: where it is

    def open(self) -> None:
        """Connect, and create what is missing. Done twice it does nothing."""
        ...

    def secret(self) -> bytes | None:
        """The wrapped secret of the vault; None in a new store."""
        ...

    def set_secret(self, wrapped: bytes) -> None:
        """Keep the secret, durably."""
        ...

    def live(self, tag: bytes) -> KeyRow | None:
        """The newest live key of a tag. Quick: a vault asks while a frame waits."""
        ...

    def find(self, key_id: bytes) -> KeyRow | None:
        """The key of that number; None: it never was here. Quick."""
        ...

    def rows(self, state: KeyState, after: bytes, limit: int) -> list[KeyRow]:
        """Keys in that state, by number, behind one."""
        ...

    def notes(self) -> list[tuple[int, bytes]]:
        """What is unfinished, oldest first."""
        ...

    def change(self, changes: Sequence[Change]) -> None:
        """Make all of them, in this order, or none; durable on return."""
        ...

    def close(self) -> None:
        """Disconnect; a later call connects again."""
        ...


# --- SQLite -------------------------------------------------------------------------------

_APPLICATION_ID = 0x6F6D6B73  # "omks"
_TABLES = (
    (
        "create table if not exists keys (id blob primary key, tag blob not null, wrapped "
        "blob not null, used_ms integer not null, state integer not null) without rowid"
    ),
    "create index if not exists live_keys on keys (tag) where state = 0",
    "create table if not exists notes (id integer primary key autoincrement, data blob not null)",
    "create table if not exists secrets (name text primary key, value blob not null)",
)
_COLUMNS = "id, tag, wrapped, used_ms, state"


class SqliteKeyStore:
    """Keys in an SQLite file. Other processes (the one that makes snapshots) may read it too.

    What is deleted is overwritten (``secure_delete``), and the log beside the file is folded
    in and emptied whenever a key was destroyed. What a file system or a disk keeps of
    overwritten blocks is out of its reach: there, the wrap protects.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.place = f"sqlite:///{self.path}"
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._writing = threading.Lock()

    def __reduce__(self) -> tuple[type[SqliteKeyStore], tuple[Path]]:
        return SqliteKeyStore, (self.path,)

    def open(self) -> None:
        """Open the file; it is made, for its owner alone, when it does not exist."""
        with self._writing, self._naming():
            self._connected()

    def _connected(self) -> sqlite3.Connection:
        if self._writer is not None:
            return self._writer
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = self._connect()
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._writer = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        execute = connection.execute
        (mark,) = execute("pragma application_id").fetchone()
        (tables,) = execute("select count(*) from sqlite_master").fetchone()
        if mark != _APPLICATION_ID and (mark or tables):
            raise VaultError(f"{self.place} is an SQLite database, but not a key store")
        execute("pragma journal_mode = wal")
        execute("pragma synchronous = full")
        execute("pragma fullfsync = on")
        execute("pragma secure_delete = on")
        execute("begin immediate")
        execute(f"pragma application_id = {_APPLICATION_ID}")
        for table in _TABLES:
            execute(table)
        execute("commit")
        # Keys that a process destroyed just before it died may still be in its log. Who reads
        # meanwhile (the process that makes snapshots) leaves that to the next one.
        execute("pragma wal_checkpoint(truncate)").fetchone()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise VaultError(f"the key store {self.place}: {error}") from error

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, self._naming():
            if self._reader is None:
                if self._writer is None:
                    with self._writing:
                        self._connected()
                self._reader = self._connect()
            yield self._reader

    def secret(self) -> bytes | None:
        """The wrapped secret of the vault; None in a new store."""
        with self._read() as connection:
            found = connection.execute("select value from secrets").fetchone()
        return None if found is None else found[0]

    def set_secret(self, wrapped: bytes) -> None:
        """Keep the secret; a new one only where there is none."""
        with self._writing, self._naming():
            self._connected().execute(
                "insert into secrets values ('vault', ?) "
                "on conflict (name) do update set value = excluded.value",
                (wrapped,),
            )

    def live(self, tag: bytes) -> KeyRow | None:
        """The newest live key of a tag. About 10 us."""
        return self._row(f"select {_COLUMNS} from keys where tag = ? and state = 0 "  # noqa: S608
                         "order by used_ms desc limit 1", tag)  # fmt: skip

    def find(self, key_id: bytes) -> KeyRow | None:
        """The key of that number. About 10 us."""
        return self._row(f"select {_COLUMNS} from keys where id = ?", key_id)  # noqa: S608

    def _row(self, query: str, value: bytes) -> KeyRow | None:
        with self._read() as connection:
            found = connection.execute(query, (value,)).fetchone()
        return None if found is None else _row_of(found)

    def rows(self, state: KeyState, after: bytes, limit: int) -> list[KeyRow]:
        """Keys in that state, by number, behind one."""
        with self._read() as connection:
            found = connection.execute(
                f"select {_COLUMNS} from keys where state = ? and id > ? "  # noqa: S608
                "order by id limit ?",
                (int(state), after, limit),
            ).fetchall()
        return [_row_of(values) for values in found]

    def notes(self) -> list[tuple[int, bytes]]:
        """What is unfinished, oldest first."""
        with self._read() as connection:
            return connection.execute("select id, data from notes order by id").fetchall()

    def change(self, changes: Sequence[Change]) -> None:
        """Make them in one transaction, synced."""
        with self._writing, self._naming():
            connection = self._connected()
            connection.execute("begin immediate")
            try:
                for change in changes:
                    _make(connection, change)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
            if any(isinstance(change, DestroyKeys | DropNotes | WrapAgain) for change in changes):
                self._empty_log(connection)

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        (busy, _, _) = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise VaultError(
                f"the key store {self.place} is being read: what was destroyed is still in its log"
            )

    def close(self) -> None:
        """Close the file."""
        with self._reading, self._writing:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None


def _row_of(values: tuple[bytes, bytes, bytes, int, int]) -> KeyRow:
    key_id, tag, wrapped, used_ms, state = values
    return KeyRow(key_id, tag, wrapped, used_ms, KeyState(state))


def _make(connection: sqlite3.Connection, change: Change) -> None:
    execute = connection.execute
    match change:
        case AddKey(row):
            values = (row.id, row.tag, row.wrapped, row.used_ms, int(row.state))
            execute("insert into keys values (?, ?, ?, ?, ?)", values)
        case RetireTag(tag):
            execute("update keys set state = 1 where tag = ? and state = 0", (tag,))
        case RetireKeys(ids):
            _each(connection, "update keys set state = 1 where id = ? and state = 0", ids)
        case DestroyKeys(ids):
            query = "update keys set state = 2, tag = x'', wrapped = x'', used_ms = 0 where id = ?"
            _each(connection, query, ids)
        case Touch(key_id, used_ms):
            execute("update keys set used_ms = ? where id = ? and state = 0", (used_ms, key_id))
        case WrapAgain(key_id, wrapped):
            execute("update keys set wrapped = ? where id = ? and state < 2", (wrapped, key_id))
        case AddNote(data):
            execute("insert into notes (data) values (?)", (data,))
        case DropNotes(ids):
            _each(connection, "delete from notes where id = ?", ids)


def _each(connection: sqlite3.Connection, query: str, ids: Iterable[bytes | int]) -> None:
    connection.executemany(query, [(each,) for each in ids])
