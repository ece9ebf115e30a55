"""A store in NATS JetStream, for those who outgrow one database: replicated, on several machines.

    nats://a:4222,b:4222,c:4222?journal=north&replicas=3&monitor=http://a:8222

- **A record is a message**, a whole frame, so one sync covers a whole group commit. The
  position of a record is the sequence number of its message: nobody else writes to the stream.
- **The fence** is the header ``Nats-Expected-Last-Sequence``: the server stores the message only
  if the last one is the one before.
- **"Wrong last sequence" proves nothing**: a server that stored the message and whose answer was
  lost says so to the repeated one. It is `PositionTakenError`, and the journal looks who sits
  there. A message on its way that lands late has the same position and the same bytes.
- **The end is the leader's word.** Replicas give records quickly, but may lag behind; that
  there is nothing more is believed only of the stream's leader.
- **Durable** is checked, see `nats_client`.

The driver knows asyncio only; it runs in a thread of its own, so this works on trio too.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ..errors import AppendUnknownError, JournalError, JournalFullError, PositionTakenError
from .looped import LoopThread
from .nats_client import api, check_server, connect_nats, parse_nats, require_nats

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

__all__ = ["NatsStore"]

_T = TypeVar("_T")

#: "Wrong last sequence", with and without the number.
_WRONG_LAST = frozenset({10_071, 10_164})
#: No memory, no disk, or the stream is as large as it may be.
_FULL = frozenset({10_023, 10_047, 10_077})
_NO_MESSAGE = 10_037
_NO_STREAM = 10_059

_APPEND_S = 5.0
_READ_S = 2.0
_PAUSE_S = 0.25
#: The stream's leader may die; the others take 4 to 9 s to choose another.
_PATIENCE_S = 20.0
_RECORD_BYTES = 900 << 10
_PART_BYTES = 512 << 10
#: What the server may need besides the record in a message.
_HEADER_BYTES = 4 << 10
#: A shorter read is for one record or two, and asks the leader.
_BATCH_BYTES = 64 << 10
_BATCH_ROWS = 1_000


class NatsStore:
    """Records in a JetStream stream; several handles may be open, on several machines.

    ``url`` is ``nats://host:4222`` or several hosts with commas, and in it ``journal=name``
    (default ``router``); ``replicas=3``; ``credentials=file``; and one of ``monitor=http://...``
    (where the servers, comma-separated, tell how they sync), ``durability=trusted`` or
    ``durability=relaxed``.
    """

    exclusive = False
    tears = False
    max_record_bytes: int | None = _RECORD_BYTES

    def __init__(self, url: str) -> None:
        require_nats()
        self._address = parse_nats(url)
        self.place = self._address.place
        name = self._address.name
        self._log = f"omniroute.{name}.log"
        self._snapshot = f"omniroute.{name}.snapshot"
        self._stream = f"OMNIROUTE_{name}"
        self._shelf = f"OMNIROUTE_{name}_SNAPSHOTS"
        self._thread = LoopThread("omniroute journal")
        self._connection: Client

    # --- life -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, check the server, and make the streams when they are missing."""
        self._thread.start()
        try:
            with anyio.CancelScope(shield=True):  # a connection that nobody waits for stays open
                await self._do(self._open)
        except BaseException:
            self._thread.stop()
            raise

    async def aclose(self) -> None:
        """Disconnect."""
        try:
            with anyio.CancelScope(shield=True):
                await self._do(self._connection.close)
        finally:
            self._thread.stop()

    async def _do(self, begin: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return await self._thread.call(begin)

    async def _open(self) -> None:
        self._connection = await connect_nats(self._address)
        try:
            check_server(self._connection, self._address)
            await self._make(self._stream, self._log, {"allow_direct": True, "deny_delete": True})
            await self._make(self._shelf, f"{self._snapshot}.>", {"max_msgs_per_subject": 1})
        except BaseException:
            await self._connection.close()
            raise
        room = self._connection.max_payload - _HEADER_BYTES
        self.max_record_bytes = min(_RECORD_BYTES, room)

    async def _make(self, stream: str, subject: str, more: dict[str, object]) -> None:
        """A stream that forgets nothing by itself, made when it is missing."""
        told = await self._api(f"STREAM.INFO.{stream}")
        if "error" in told:
            if told["error"].get("err_code") != _NO_STREAM:
                raise self._refused(told)
            wanted = {
                "name": stream,
                "subjects": [subject],
                "storage": "file",
                "retention": "limits",
                "discard": "new",
                "num_replicas": self._address.replicas,
                **more,
            }
            if "max_msgs_per_subject" in more:
                wanted["discard"] = "old"  # of a subject, when it is said again
            told = await self._api(f"STREAM.CREATE.{stream}", wanted)
            if "error" in told:
                raise self._refused(told)
        config = told["config"]
        if config.get("storage") != "file" or config.get("persist_mode", "default") != "default":
            raise JournalError(f"{self.place}: the stream {stream} is not kept on disk at once")
        if config.get("num_replicas", 1) < self._address.replicas:
            raise JournalError(
                f"{self.place}: the stream {stream} has {config.get('num_replicas', 1)} replicas, "
                f"the URL asks for {self._address.replicas}"
            )

    async def _api(self, call: str, request: dict[str, object] | None = None) -> dict[str, Any]:
        return await api(self._connection, call, request or {}, patience_s=_PATIENCE_S)

    def _refused(self, told: dict[str, Any]) -> JournalError:
        code, text = told["error"].get("err_code"), told["error"].get("description")
        kind = JournalFullError if code in _FULL else JournalError
        return kind(f"{self.place}: {text} ({code})")

    # --- records --------------------------------------------------------------------------

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none."""
        return await self._do(self._bounds)

    async def _bounds(self) -> tuple[int, int]:
        told = await self._api(f"STREAM.INFO.{self._stream}")
        if "error" in told:
            raise self._refused(told)
        first, last = told["state"]["first_seq"], told["state"]["last_seq"]
        return max(1, first), last

    async def append(self, position: int, record: bytes) -> None:
        """Publish a record, if ``position`` is the next one, and wait until it is stored."""
        await self._do(partial(self._append, position, record))

    async def _append(self, position: int, record: bytes) -> None:
        told = await self._publish(
            self._log, record, {"Nats-Expected-Last-Sequence": str(position - 1)}
        )
        if "error" not in told:
            return
        if told["error"].get("err_code") not in _WRONG_LAST:
            raise self._refused(told)
        last = (await self._bounds())[1]
        if position <= last:
            raise PositionTakenError(f"{self.place} has a record {position} already")
        raise JournalError(f"record {position} would leave a gap behind {last}")

    async def _publish(
        self, subject: str, data: bytes, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        from nats.errors import Error

        try:
            answer = await self._connection.request(
                subject, data, timeout=_APPEND_S, headers=headers
            )
        except (Error, TimeoutError) as error:
            await asyncio.sleep(_PAUSE_S)  # nobody is there to answer: not five times at once
            raise AppendUnknownError(f"{self.place}: no answer: {error!r}") from error
        told: dict[str, Any] = json.loads(answer.data)
        return told

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records from ``position`` on, about ``max_bytes`` of them."""
        return await self._do(partial(self._read, position, max_bytes))

    async def _read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        if max_bytes >= _BATCH_BYTES:
            found = await self._batch(position, max_bytes)
            if found:
                return found
        found, size = [], 0
        while size < max_bytes:
            one = await self._one(position)
            if one is None:
                break
            size += len(one[1])
            if found and size > max_bytes:
                break
            found.append(one)
            position = one[0] + 1
        return found

    async def _one(self, position: int) -> tuple[int, bytes] | None:
        """The record at ``position`` or the first one behind it, as the leader knows it."""
        request: dict[str, object] = {"seq": position, "next_by_subj": self._log}
        told = await self._api(f"STREAM.MSG.GET.{self._stream}", request)
        if "error" not in told:
            message = told["message"]
            return message["seq"], base64.b64decode(message.get("data", ""))
        if told["error"].get("err_code") != _NO_MESSAGE:
            raise self._refused(told)
        return None

    async def _batch(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """What a replica gives in one go: in order, but perhaps not up to the end."""
        request = {"seq": position, "batch": _BATCH_ROWS, "max_bytes": max_bytes}
        inbox = self._connection.new_inbox()
        subscription = await self._connection.subscribe(inbox)
        try:
            subject = f"$JS.API.DIRECT.GET.{self._stream}"
            await self._connection.publish(subject, json.dumps(request).encode(), reply=inbox)
            return await self._received(subscription, max_bytes)
        finally:
            await subscription.unsubscribe()

    async def _received(
        self, subscription: Subscription, max_bytes: int
    ) -> list[tuple[int, bytes]]:
        from nats.errors import Error

        found: list[tuple[int, bytes]] = []
        size = 0
        while True:
            try:
                message: Msg = await subscription.next_msg(timeout=_READ_S)
            except (Error, TimeoutError):
                return found
            headers = message.headers or {}
            size += len(message.data)
            if "Status" in headers or (found and size > max_bytes):
                return found
            found.append((int(headers["Nats-Sequence"]), message.data))

    async def drop(self, before: int) -> None:
        """Purge the records in front of ``before``; the last one stays."""
        _, last = await self.bounds()
        if min(before, last) > 1:
            await self._do(partial(self._purge, self._stream, {"seq": min(before, last)}))

    async def _purge(self, stream: str, what: dict[str, object]) -> None:
        told = await self._api(f"STREAM.PURGE.{stream}", what)
        if "error" in told:
            raise self._refused(told)

    async def cut(self, position: int) -> None:
        """Never called: a message is stored whole or not at all."""
        raise JournalError(f"{self.place} cannot have a torn record {position}")

    # --- snapshots ------------------------------------------------------------------------

    async def snapshots(self) -> list[int]:
        """The positions of the snapshots, newest first."""
        return await self._do(self._snapshots)

    async def _snapshots(self) -> list[int]:
        whole = {"subjects_filter": f"{self._snapshot}.*.whole"}
        told = await self._api(f"STREAM.INFO.{self._shelf}", dict(whole))
        if "error" in told:
            raise self._refused(told)
        subjects = told["state"].get("subjects") or {}
        return sorted((int(subject.split(".")[-2]) for subject in subjects), reverse=True)

    async def load_snapshot(self, position: int) -> bytes:
        """One snapshot."""
        return await self._do(partial(self._load, position))

    async def _load(self, position: int) -> bytes:
        whole = await self._last(f"{self._snapshot}.{position}.whole")
        if whole is None:
            raise JournalError(f"there is no snapshot {position}")
        parts = []
        for number in range(int(whole)):
            part = await self._last(f"{self._snapshot}.{position}.{number}")
            if part is None:
                raise JournalError(f"snapshot {position} is not whole")
            parts.append(part)
        return b"".join(parts)

    async def _last(self, subject: str) -> bytes | None:
        told = await self._api(f"STREAM.MSG.GET.{self._shelf}", {"last_by_subj": subject})
        if "error" not in told:
            return base64.b64decode(told["message"].get("data", ""))
        if told["error"].get("err_code") != _NO_MESSAGE:
            raise self._refused(told)
        return None

    async def save_snapshot(self, position: int, data: bytes) -> None:
        """Publish a snapshot, in parts; only the last message makes it count."""
        await self.drop_snapshot(position)
        parts = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)]
        for number, part in enumerate(parts):
            await self._do(partial(self._put, f"{self._snapshot}.{position}.{number}", part))
        count = str(len(parts)).encode()
        await self._do(partial(self._put, f"{self._snapshot}.{position}.whole", count))

    async def _put(self, subject: str, data: bytes) -> None:
        told = await self._publish(subject, data)
        if "error" in told:
            raise self._refused(told)

    async def drop_snapshot(self, position: int) -> None:
        """Purge a snapshot; first what makes it count."""
        for which in ("whole", ">"):
            subjects: dict[str, object] = {"filter": f"{self._snapshot}.{position}.{which}"}
            await self._do(partial(self._purge, self._shelf, subjects))
