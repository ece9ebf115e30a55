"""A coordinator in NATS: rows in a JetStream stream, messages by subjects.

    nats://a:4222,b:4222,c:4222?cluster=centre&replicas=3

A row is the last message of a subject, its revision the sequence number: a server stores the
next one only for whoever names it. Messages between members are plain requests, nothing is
kept of them. What a lagging replica shows of the table is old, and whoever acts on it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ..errors import JournalError
from ..journal.looped import LoopThread
from ..journal.nats_client import api, connect_nats, parse_nats, require_nats
from ..journal.worker import waker
from .coordinator import Hear, Heard, NoAnswerError, Row

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

__all__ = ["NatsCoordinator"]

_T = TypeVar("_T")

#: "Wrong last sequence", with and without the number.
_WRONG_LAST = frozenset({10_071, 10_164})
_OPEN_S = 10.0
_ANSWER_S = 1.0
#: An answer to a call is waited for by whoever asked, as long as he likes.
_CALL_S = 60.0
_PATIENCE_S = 2.0


class NatsCoordinator:
    """The table and the messages on NATS servers with JetStream.

    ``url`` is ``nats://host:4222`` or several hosts with commas, and in it ``cluster=name``
    (default ``router``), ``replicas=3``, ``credentials=file``.
    """

    def __init__(self, url: str) -> None:
        require_nats()
        self._address = parse_nats(url, "cluster")
        name = self._address.name
        self.place = f"nats://{self._address.place.partition('//')[2].partition('&')[0]}"
        self._subject = f"omniroute-cluster.{name}"
        self._stream = f"OMNIROUTE_CLUSTER_{name}"
        self._thread = LoopThread("omniroute cluster")
        self._connection: Client
        self._is_open = False
        self._hear: Hear
        self._wake: Callable[[Callable[[], object]], object]

    # --- life -----------------------------------------------------------------------------

    async def open(self, me: str, hear: Hear) -> None:
        """Connect, make the stream when it is missing, and listen."""
        self._hear, self._wake = hear, waker()
        self._thread.start()
        try:
            with anyio.CancelScope(shield=True):  # a connection that nobody waits for stays open
                await self._do(partial(self._open, me))
        except BaseException:
            self._thread.stop()
            raise
        self._is_open = True

    async def _open(self, me: str) -> None:
        self._connection = await connect_nats(self._address)
        wanted: dict[str, object] = {
            "name": self._stream,
            "subjects": [f"{self._subject}.row.*"],
            "storage": "file",
            "retention": "limits",
            "max_msgs_per_subject": 1,
            "num_replicas": self._address.replicas,
            "allow_direct": True,
        }
        try:
            told = await api(
                self._connection, f"STREAM.CREATE.{self._stream}", wanted, patience_s=_OPEN_S
            )
            if "error" in told:
                raise NoAnswerError(f"{self.place}: {told['error'].get('description')}")
            for subject in ("all", f"member.{me}"):
                await self._connection.subscribe(f"{self._subject}.{subject}", cb=self._take_in)
            await self._connection.flush()
        except BaseException:
            await self._connection.close()
            raise

    async def aclose(self) -> None:
        """Disconnect."""
        self._is_open = False
        try:
            with anyio.CancelScope(shield=True):
                await self._thread.call(self._connection.close)
        finally:
            self._thread.stop()

    async def _do(self, begin: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        from nats.errors import Error

        try:
            return await self._thread.call(begin)
        except (Error, JournalError, TimeoutError, OSError) as error:
            raise NoAnswerError(f"{self.place}: {error!r}") from error

    async def _take_in(self, message: Msg) -> None:
        """In the thread: what a member says."""
        heard = Heard(message.data, message.reply or None)
        with suppress(RuntimeError):  # the loop is gone: nobody hears any more
            self._wake(partial(self._tell, heard))

    def _tell(self, heard: Heard) -> None:
        """In the event loop."""
        if self._is_open:
            self._hear(heard)

    # --- the table ------------------------------------------------------------------------

    async def rows(self) -> dict[str, Row]:
        """The table, as one of the replicas has it."""
        return await self._do(self._rows)

    async def _rows(self) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox)
        try:
            request = {"multi_last": [f"{self._subject}.row.*"], "batch": 1_000}
            subject = f"$JS.API.DIRECT.GET.{self._stream}"
            await self._connection.publish(subject, json.dumps(request).encode(), reply=inbox)
            while True:
                message = await subscription.next_msg(timeout=_ANSWER_S)
                headers = message.headers or {}
                if headers.get("Status") in ("204", "404"):  # that was the last, or there is none
                    return rows
                if "Status" in headers:
                    raise NoAnswerError(f"{self.place}: {dict(headers)}")
                if message.data:
                    key = headers["Nats-Subject"].rpartition(".")[2]
                    rows[key] = Row(message.data, int(headers["Nats-Sequence"]))
        finally:
            await subscription.unsubscribe()

    async def put(self, key: str, value: bytes | None, revision: int) -> int | None:
        """Set or delete a row that has this revision."""
        return await self._do(partial(self._put, key, value, revision))

    async def _put(self, key: str, value: bytes | None, revision: int) -> int | None:
        subject = f"{self._subject}.row.{key}"
        sequence = await self._store(subject, value or b"", revision)
        if sequence is None and revision == 0:
            emptied = await self._emptied(subject)
            if emptied is not None:
                sequence = await self._store(subject, value or b"", emptied)
        if sequence is not None and value is None:
            await self._api("STREAM.PURGE", {"filter": subject, "seq": sequence + 1})
        return sequence

    async def _store(self, subject: str, value: bytes, revision: int) -> int | None:
        expected = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        answer = await self._connection.request(subject, value, timeout=_ANSWER_S, headers=expected)
        told = json.loads(answer.data)
        if "error" not in told:
            return int(told["seq"])
        if told["error"].get("err_code") in _WRONG_LAST:
            return None
        raise NoAnswerError(f"{self.place}: {told['error'].get('description')}")

    async def _emptied(self, subject: str) -> int | None:
        """The sequence of a row that was deleted by somebody who could not purge it any more."""
        told = await self._api("STREAM.MSG.GET", {"last_by_subj": subject})
        message = told.get("message", {})
        return None if message.get("data") or "seq" not in message else int(message["seq"])

    async def _api(self, call: str, request: dict[str, object]) -> dict[str, Any]:
        return await api(
            self._connection, f"{call}.{self._stream}", request, patience_s=_PATIENCE_S
        )

    # --- messages -------------------------------------------------------------------------

    async def publish(self, data: bytes) -> None:
        """Tell all."""
        await self._do(partial(self._publish, f"{self._subject}.all", data))

    async def call(self, member: str, data: bytes) -> bytes:
        """Ask one."""
        return await self._do(partial(self._call, f"{self._subject}.member.{member}", data))

    async def answer(self, reply_to: str, data: bytes) -> None:
        """Answer one."""
        await self._do(partial(self._publish, reply_to, data))

    async def _publish(self, subject: str, data: bytes) -> None:
        await self._connection.publish(subject, data)

    async def _call(self, subject: str, data: bytes) -> bytes:
        answer: Msg = await self._connection.request(subject, data, timeout=_CALL_S)
        return answer.data
