"""A coordinator in PostgreSQL: a table of leases, and messages by LISTEN and NOTIFY.

    postgresql://router@db.example.com/contact?cluster=centre

A notification is short, so what members ask each other lies in an unlogged table and the
notification names it; whoever is asked takes it out. Such a commit writes nothing to the log
of the server, so it waits for no disk. Two connections for each member: one is asked, in one
thread; one listens, in another.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from itertools import count
from time import sleep
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import anyio

from ..journal.postgres import connect_postgres, require_psycopg
from ..journal.worker import Worker, waker
from .coordinator import Hear, Heard, NoAnswerError, Row
from .partition import checked_name

if TYPE_CHECKING:
    import psycopg

    _Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = ["PostgresCoordinator"]

_T = TypeVar("_T")

_TABLES: LiteralString = """
select pg_advisory_xact_lock(1869441642);
create sequence if not exists omniroute_revisions;
create table if not exists omniroute_leases (
    cluster text not null,
    key text not null,
    value bytea not null,
    revision bigint not null,
    primary key (cluster, key)
) with (fillfactor = 50);
create unlogged table if not exists omniroute_messages (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    data bytea not null
);
"""
_INSERT: LiteralString = """
insert into omniroute_leases
values (%(cluster)s, %(key)s, %(value)s, nextval('omniroute_revisions'))
on conflict do nothing returning revision
"""
_UPDATE: LiteralString = """
update omniroute_leases set value = %(value)s, revision = nextval('omniroute_revisions')
where cluster = %(cluster)s and key = %(key)s and revision = %(revision)s returning revision
"""
_DELETE: LiteralString = """
delete from omniroute_leases
where cluster = %(cluster)s and key = %(key)s and revision = %(revision)s returning revision
"""
_SEND: LiteralString = """
with message as (insert into omniroute_messages (data) values (%(data)s) returning id)
select pg_notify(%(channel)s, %(kind)s || id || ' ' || %(reply)s) from message
"""
#: What nobody took out: whoever was asked, or whoever asked, has died.
_SWEEP: LiteralString = "delete from omniroute_messages where at < now() - interval '1 minute'"
_PAUSE_S = 0.1
_LOOK_S = 0.5
_JOIN_S = 5.0


class PostgresCoordinator:
    """The table and the messages in a PostgreSQL database.

    ``url`` as libpq takes it, and in it ``cluster=name`` (default ``router``).
    """

    def __init__(self, url: str) -> None:
        require_psycopg()
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        self._cluster = checked_name("cluster", options.pop("cluster", "router"))
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        where = parts.netloc.rpartition("@")[2]
        self.place = f"postgresql://{where}{parts.path}?cluster={self._cluster}"
        self._worker = Worker("omniroute cluster", idle=self._sweep, idle_s=60)
        self._connection: _Connection | None = None
        self._numbers = count(1)
        self._waiting: dict[str, tuple[anyio.Event, list[bytes]]] = {}
        self._me = ""
        self._hear: Hear
        self._wake: Callable[[Callable[[], object]], object]
        self._is_open = False
        self._listener: threading.Thread

    # --- life -----------------------------------------------------------------------------

    async def open(self, me: str, hear: Hear) -> None:
        """Connect, make the tables when they are missing, and listen."""
        self._me, self._hear, self._wake = me, hear, waker()
        self._worker.start()
        self._is_open = True
        try:
            with anyio.CancelScope(shield=True):  # a connection that nobody waits for stays open
                listening = await self._do(self._open)
        except BaseException:
            self._is_open = False
            self._worker.stop()
            raise
        self._listener = threading.Thread(
            target=self._listen, args=(listening,), name="omniroute cluster hears", daemon=True
        )
        self._listener.start()

    def _open(self, connection: _Connection) -> _Connection:
        try:
            made = connection.execute(
                "select to_regclass('omniroute_messages') is not null"
            ).fetchone()
            if made != (True,):
                with connection.transaction():
                    connection.execute(_TABLES)
            return self._connect_listening()
        except BaseException:
            connection.close()
            raise

    async def aclose(self) -> None:
        """Disconnect."""
        self._is_open = False
        try:
            with anyio.CancelScope(shield=True):
                with suppress(NoAnswerError):  # so that the listener looks up
                    await self._notify(self._channel(self._me), "stop")
                await self._worker.call(self._disconnect)
        finally:
            self._worker.stop()

    def _disconnect(self) -> None:
        self._listener.join(_JOIN_S)
        if self._connection is not None:
            self._connection.close()

    # --- asking ---------------------------------------------------------------------------

    async def _do(self, what: Callable[[_Connection], _T]) -> _T:
        return await self._worker.call(self._guarded, what)

    def _guarded(self, what: Callable[[_Connection], _T]) -> _T:
        import psycopg

        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect_postgres(self._url)
            return what(self._connection)
        except psycopg.Error as error:
            raise NoAnswerError(f"{self.place}: {str(error).strip()}") from error

    async def _fetch(
        self, statement: LiteralString, values: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        def fetch(connection: _Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, values, binary=True).fetchall()

        return await self._do(fetch)

    def _sweep(self) -> None:
        with suppress(NoAnswerError):
            self._guarded(lambda connection: connection.execute(_SWEEP))

    # --- the table ------------------------------------------------------------------------

    async def rows(self) -> dict[str, Row]:
        """The table of this cluster."""
        found = await self._fetch(
            "select key, value, revision from omniroute_leases where cluster = %(cluster)s",
            {"cluster": self._cluster},
        )
        return {key: Row(bytes(value), revision) for key, value, revision in found}

    async def put(self, key: str, value: bytes | None, revision: int) -> int | None:
        """Set or delete a row that has this revision."""
        statement = _DELETE if value is None else _UPDATE if revision else _INSERT
        values = {"cluster": self._cluster, "key": key, "value": value, "revision": revision}
        for (new,) in await self._fetch(statement, values):
            return int(new)
        return None

    # --- messages -------------------------------------------------------------------------

    def _channel(self, member: str) -> str:
        """A name that LISTEN takes; "" is everybody's."""
        return (
            f"omniroute_{blake2b(f'{self._cluster}/{member}'.encode(), digest_size=8).hexdigest()}"
        )

    async def publish(self, data: bytes) -> None:
        """Tell all; for what is short."""
        await self._notify(self._channel(""), f"all {base64.b64encode(data).decode()}")

    async def _notify(self, channel: str, payload: str) -> None:
        values = {"channel": channel, "payload": payload}
        await self._fetch("select pg_notify(%(channel)s, %(payload)s)", values)

    async def call(self, member: str, data: bytes) -> bytes:
        """Ask one."""
        number = str(next(self._numbers))
        done, answers = self._waiting[number] = anyio.Event(), []
        try:
            await self._send(self._channel(member), "call ", data, f"{self._me}/{number}")
            await done.wait()
        finally:
            del self._waiting[number]
        return answers[0]

    async def answer(self, reply_to: str, data: bytes) -> None:
        """Answer one."""
        member, _, number = reply_to.partition("/")
        await self._send(self._channel(member), "answer ", data, number)

    async def _send(self, channel: str, kind: str, data: bytes, reply: str) -> None:
        values = {"channel": channel, "kind": kind, "data": data, "reply": reply}
        await self._fetch(_SEND, values)

    # --- the thread that listens ----------------------------------------------------------

    def _connect_listening(self) -> _Connection:
        connection = connect_postgres(self._url)
        for member in ("", self._me):
            connection.execute(f"listen {self._channel(member)}".encode())
        return connection

    def _listen(self, connection: _Connection) -> None:
        import psycopg

        while self._is_open:
            try:
                if connection.closed:
                    connection = self._connect_listening()
                found = [n.payload for n in connection.notifies(timeout=_LOOK_S, stop_after=1)]
                for payload in found:
                    self._take_in(connection, payload)
            except psycopg.Error:
                connection.close()
                sleep(_PAUSE_S)
        connection.close()

    def _take_in(self, connection: _Connection, payload: str) -> None:
        """A notification: to all, or a call or an answer whose words lie in the table."""
        kind, _, rest = payload.partition(" ")
        if kind == "all":
            self._pass_on(self._hear, Heard(base64.b64decode(rest), None))
        elif kind in ("call", "answer"):
            number, _, reply = rest.partition(" ")
            row = connection.execute(
                "delete from omniroute_messages where id = %s returning data",
                (int(number),),
                binary=True,
            ).fetchone()
            if row is not None:
                hear = self._hear if kind == "call" else self._answered
                self._pass_on(hear, Heard(bytes(row[0]), reply))

    def _pass_on(self, hear: Hear, heard: Heard) -> None:
        with suppress(RuntimeError):  # the loop is gone: nobody hears any more
            self._wake(partial(self._tell, hear, heard))

    def _tell(self, hear: Hear, heard: Heard) -> None:
        """In the event loop."""
        if self._is_open:
            hear(heard)

    def _answered(self, heard: Heard) -> None:
        """In the event loop; who asked may have given up."""
        if heard.reply_to in self._waiting:
            done, answers = self._waiting[heard.reply_to]
            answers.append(heard.data)
            done.set()
