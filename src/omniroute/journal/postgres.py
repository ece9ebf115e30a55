"""A store in PostgreSQL, for teams who run one: shared by several machines.

    postgresql://router@db.example.com/contact?journal=north

- **The fence** is one statement: it moves the number of the last record from ``position - 1``
  to ``position`` and inserts the record, or does neither. Two writers cannot both move it.
- **Durable**: the session asks for ``synchronous_commit`` (with a synchronous standby named on
  the server, that waits for it too), and a server with ``fsync = off`` is refused.
- **A lost connection** during an append leaves it unknown, and the journal looks. Whether the
  server still carries the old statement out does not matter: the repeated one asks for the
  same position, so one of the two finds it taken, by the same bytes. The next call connects
  again, and tries for ``reconnect_s``: a restart of the server in that time is survived.
- **Many journals** live in one database, each under its name. The tables are made when they
  are missing; a role that may not make tables finds them made by another.

A connection belongs to one thread (`Worker`), so this runs on asyncio and trio alike. It keeps
its session, so connect to the server itself or to a pool in session mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import anyio

from ..errors import (
    AppendUnknownError,
    JournalError,
    JournalFullError,
    MissingExtraError,
    PositionTakenError,
    UsageError,
)
from .worker import Worker

if TYPE_CHECKING:
    import psycopg

    _Connection = psycopg.Connection[tuple[int, ...]]

__all__ = ["PostgresStore", "connect_postgres", "require_psycopg"]

_T = TypeVar("_T")

_TABLES = """
select pg_advisory_xact_lock(1869441641);
create table if not exists omniroute_journals (
    id bigint generated always as identity primary key,
    name text not null unique,
    last bigint not null default 0
) with (fillfactor = 50);
create table if not exists omniroute_records (
    journal bigint not null references omniroute_journals on delete cascade,
    position bigint not null,
    data bytea not null,
    primary key (journal, position)
);
alter table omniroute_records alter column data set storage external;
create table if not exists omniroute_snapshots (
    journal bigint not null references omniroute_journals on delete cascade,
    position bigint not null,
    parts bigint not null,
    primary key (journal, position)
);
create table if not exists omniroute_snapshot_parts (
    journal bigint not null references omniroute_journals on delete cascade,
    position bigint not null,
    part bigint not null,
    data bytea not null,
    primary key (journal, position, part)
);
"""
_APPEND = """
with moved as (
    update omniroute_journals set last = %(position)s
    where id = %(id)s and last = %(position)s - 1 returning id
)
insert into omniroute_records select id, %(position)s, %(record)s from moved
"""
_READ = """
select position, data from (
    select position, data, octet_length(data) as size,
        sum(octet_length(data)) over (order by position) as total
    from (
        select position, data from omniroute_records
        where journal = %(id)s and position >= %(position)s order by position limit %(rows)s
    ) as next
) as counted
where total <= %(bytes)s or total = size
order by position
"""
_DROP = """
delete from omniroute_records where journal = %(id)s and position in (
    select position from omniroute_records
    where journal = %(id)s and position < %(before)s order by position limit 500
)
"""
#: A snapshot is written in slices, so that an append never waits long behind one.
_PART_BYTES = 1 << 18
#: Far below what PostgreSQL takes in one value (a billion).
_RECORD_BYTES = 64 << 20
#: One read looks at so many records at most.
_READ_ROWS = 1_000
#: What libpq is told unless the URL says otherwise: nobody waits minutes for a dead machine.
_PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_PAUSE_S = 0.1


def connect_postgres(url: str) -> psycopg.Connection[tuple[int, ...]]:
    """A connection in which every statement commits by itself, durably. Blocks.

    ``url`` as libpq takes it. Raises `MissingExtraError`, or psycopg's errors.
    """
    require_psycopg()
    import psycopg
    from psycopg import conninfo

    options = {**_PATIENCE, **conninfo.conninfo_to_dict(url)}
    connection = psycopg.connect(
        conninfo.make_conninfo(**options),  # type: ignore[arg-type]
        autocommit=True,
        application_name=str(options.get("application_name", "omniroute")),
    )
    durable = "select current_setting('fsync'), current_setting('synchronous_commit')"
    row: tuple[object, ...] | None = connection.execute(durable).fetchone()
    assert row is not None
    if row[0] != "on":
        connection.close()
        raise JournalError("the PostgreSQL server runs with fsync = off: it keeps no promise")
    if row[1] in ("off", "local"):
        connection.execute("set synchronous_commit = on")
    return connection


def require_psycopg() -> None:
    """Raise `MissingExtraError` when the driver is not installed."""
    try:
        import psycopg  # noqa: F401 - it is there, or it is not
    except ImportError:
        raise MissingExtraError("psycopg", "postgres", "PostgreSQL") from None


class PostgresStore:
    """Records in a PostgreSQL database; several handles may be open, on several machines.

    ``url`` as libpq takes it, and in it ``journal=name`` (default ``router``): which of the
    journals in that database. ``reconnect_s``: how long a call tries to connect again.
    """

    exclusive = False
    tears = False
    max_record_bytes: int | None = _RECORD_BYTES

    def __init__(self, url: str, *, reconnect_s: float = 10.0) -> None:
        require_psycopg()
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.journal = options.pop("journal", "router")
        if not self.journal:
            raise UsageError("journal= is empty: name the journal, or leave it out")
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        where = parts.netloc.rpartition("@")[2]
        self.place = f"postgresql://{where}{parts.path}?journal={self.journal}"
        self._reconnect_s = reconnect_s
        self._worker = Worker("omniroute journal", idle=_nothing, idle_s=3600)
        self._connection: _Connection | None = None
        self._id = 0

    # --- life -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and make the tables when they are missing."""
        self._worker.start()
        try:
            with anyio.CancelScope(shield=True):  # a connection that nobody waits for stays open
                await self._worker.call(self._open)
        except BaseException:
            self._worker.stop()
            raise

    async def aclose(self) -> None:
        """Disconnect."""
        try:
            with anyio.CancelScope(shield=True):
                await self._worker.call(self._disconnect)
        finally:
            self._worker.stop()

    def _open(self) -> None:
        connection = self._connection = connect_postgres(self._url)
        try:
            self._id = self._find(connection)
        except BaseException:
            self._disconnect()
            raise

    def _find(self, connection: _Connection) -> int:
        """The number of the journal, which is made when it is new."""
        made = connection.execute(
            "select count(*) from (values (to_regclass('omniroute_journals')), "
            "(to_regclass('omniroute_snapshot_parts'))) as t(name) where name is not null"
        ).fetchone()
        if made != (2,):
            with connection.transaction():
                connection.execute(_TABLES)
        row = None
        while row is None:
            row = connection.execute(
                "select id from omniroute_journals where name = %s", (self.journal,)
            ).fetchone()
            if row is None:
                connection.execute(
                    "insert into omniroute_journals (name) values (%s) on conflict do nothing",
                    (self.journal,),
                )
        return row[0]

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the thread -----------------------------------------------------------------------

    async def _do(self, what: Callable[[_Connection], _T]) -> _T:
        return await self._worker.call(self._guarded, what)

    def _guarded(self, what: Callable[[_Connection], _T]) -> _T:
        import psycopg

        try:
            return what(self._connected())
        except psycopg.errors.DiskFull as error:
            raise JournalFullError(f"no room is left for {self.place}") from error
        except psycopg.Error as error:
            raise JournalError(f"{self.place}: {str(error).strip()}") from error

    def _connected(self) -> _Connection:
        import psycopg

        if self._connection is not None and not self._connection.closed:
            return self._connection
        until_s = monotonic() + self._reconnect_s
        while True:
            try:
                self._connection = connect_postgres(self._url)
            except psycopg.OperationalError:
                if monotonic() > until_s:
                    raise
                sleep(_PAUSE_S)
            else:
                return self._connection

    # --- records --------------------------------------------------------------------------

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none."""
        return await self._do(self._bounds)

    def _bounds(self, connection: _Connection) -> tuple[int, int]:
        row = connection.execute(
            "select coalesce((select min(position) from omniroute_records where journal = id), 1), "
            "last from omniroute_journals where id = %s",
            (self._id,),
        ).fetchone()
        if row is None:
            raise JournalError(f"{self.place} was deleted")
        first, last = row
        return first, last

    async def append(self, position: int, record: bytes) -> None:
        """Insert a record, if ``position`` is the next one, and wait until it is synced."""
        await self._do(partial(self._append, position=position, record=record))

    def _append(self, connection: _Connection, position: int, record: bytes) -> None:
        import psycopg

        values = {"id": self._id, "position": position, "record": record}
        try:
            done = connection.execute(_APPEND, values, prepare=True, binary=True)
        except psycopg.Error as error:
            if connection.closed:
                raise AppendUnknownError(f"{self.place}: the connection was lost") from error
            raise
        if done.rowcount == 1:
            return
        last = self._bounds(connection)[1]
        if position <= last:
            raise PositionTakenError(f"{self.place} has a record {position} already")
        raise JournalError(f"record {position} would leave a gap behind {last}")

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records from ``position`` on, about ``max_bytes`` of them."""
        values = {
            "id": self._id,
            "position": position,
            "bytes": max_bytes,
            "rows": max(1, min(_READ_ROWS, max_bytes // 16)),
        }
        return await self._do(partial(_pairs, statement=_READ, values=values))

    async def drop(self, before: int) -> None:
        """Delete the records in front of ``before``, some at a time; the last one stays."""
        _, last = await self.bounds()
        values = {"id": self._id, "before": min(before, last)}
        while await self._do(partial(_execute, statement=_DROP, values=values)):
            pass

    async def cut(self, position: int) -> None:
        """Never called: a transaction leaves no torn tail."""
        raise JournalError(f"{self.place} cannot have a torn record {position}")

    # --- snapshots ------------------------------------------------------------------------

    async def snapshots(self) -> list[int]:
        """The positions of the snapshots, newest first."""
        rows = await self._do(
            lambda connection: connection.execute(
                "select position from omniroute_snapshots where journal = %s order by 1 desc",
                (self._id,),
            ).fetchall()
        )
        return [position for (position,) in rows]

    async def load_snapshot(self, position: int) -> bytes:
        """One snapshot."""
        statement = (
            "select parts, data from omniroute_snapshots "
            "left join omniroute_snapshot_parts using (journal, position) "
            "where journal = %(id)s and position = %(position)s order by part"
        )
        values = {"id": self._id, "position": position}
        rows = await self._do(partial(_pairs, statement=statement, values=values))
        if not rows:
            raise JournalError(f"there is no snapshot {position}")
        if rows[0][0] == 0:
            return b""
        if len(rows) != rows[0][0]:
            raise JournalError(f"snapshot {position} is not whole")
        return b"".join(data for _, data in rows)

    async def save_snapshot(self, position: int, data: bytes) -> None:
        """Write a snapshot, in slices; only the last statement makes it count."""
        await self.drop_snapshot(position)
        parts = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)]
        values = {"id": self._id, "position": position}
        insert = "insert into omniroute_snapshot_parts values (%(id)s, %(position)s, %(n)s, %(d)s)"
        for number, part in enumerate(parts):
            row = {**values, "n": number, "d": part}
            await self._do(partial(_execute, statement=insert, values=row))
        count = {**values, "n": len(parts)}
        insert = "insert into omniroute_snapshots values (%(id)s, %(position)s, %(n)s)"
        await self._do(partial(_execute, statement=insert, values=count))

    async def drop_snapshot(self, position: int) -> None:
        """Delete a snapshot."""
        values = {"id": self._id, "position": position}
        for table in ("omniroute_snapshots", "omniroute_snapshot_parts"):
            statement = f"delete from {table} where journal = %(id)s and position = %(position)s"  # noqa: S608 - two names of ours
            await self._do(partial(_execute, statement=statement, values=values))


def _nothing() -> None:
    """What a connection does when nothing is asked of it."""


def _execute(connection: _Connection, statement: str, values: Mapping[str, object]) -> int:
    """How many rows it touched."""
    return connection.execute(statement.encode(), values).rowcount


def _pairs(
    connection: _Connection, statement: str, values: Mapping[str, object]
) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for number, data in connection.execute(statement.encode(), values, binary=True):
        found.append((number, bytes(data or b"")))
    return found
