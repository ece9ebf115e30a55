"""Telephone calls by Kamailio: its events in, our decisions out, over one evapi connection.

Kamailio suspends a call and tells it; `Evapi.run` hands every event to ``deliver`` (the router's)
in order and keeps the connection, for without one Kamailio refuses calls. When an agent takes the
call, `Evapi.connect` names his phone; `Evapi.reject` sends the caller away. Both need no more than
the call's message, so a call that waited in the journal is resumed after a restart.

Kamailio repeats nothing. When ``deliver`` fails, the connection is closed: Kamailio then refuses
new calls instead of letting them wait for nobody, until `run` is called again.

evapi has no authentication: both ends belong on the loopback. Runs on asyncio and trio.
The configuration of Kamailio's side is in ``examples/kamailio``.

https://www.kamailio.org/docs/modules/stable/modules/evapi.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

import anyio
from anyio.abc import SocketStream, TaskStatus

from ..channels import Kamailio
from ..channels.netstring import NetstringDecoder, netstring
from ..errors import PayloadError, UsageError
from ..model import Disposition, Inbound, Message, UpdateKind
from .telephony import SwitchClosedError, read, stay_connected, wall_ms

__all__ = ["Evapi", "EvapiClosedError"]

#: The ends of this many calls are remembered, in case their beginning is still under way.
_REMEMBERED = 1000

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class EvapiClosedError(SwitchClosedError):
    """Kamailio is not connected, so the decision did not reach it. Try again later."""


def _number(value: object) -> int | None:
    """One half of a transaction's name."""
    plain = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    return int(value) if isinstance(value, str) and plain else None


def _header_lines(headers: Mapping[str, str]) -> str:
    """SIP headers as the lines that Kamailio adds; refuses what would add more."""
    lines = []
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise UsageError(f"no name of a SIP header: {name!r}")
        if any(ord(character) < 32 for character in value):
            raise UsageError(f"a control character in the SIP header {name!r}: {value!r}")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)


class Evapi:
    """One connection to Kamailio.

    Args:
        deliver: takes one `Inbound`; it counts as recorded when it returns.
        host: where Kamailio's evapi listens.
        port: its TCP port.
        adapter: the channel with your field map; None takes the default one.
        retry_s: how long to wait before connecting again.
        now_ms: the clock, milliseconds since the epoch.
    """

    def __init__(
        self,
        deliver: Callable[[Inbound], Awaitable[object]],
        *,
        host: str = "127.0.0.1",
        port: int = 8448,
        adapter: Kamailio | None = None,
        retry_s: float = 1.0,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._deliver = deliver
        self._address = (host, port)
        self._adapter = Kamailio() if adapter is None else adapter
        self._retry_s = retry_s
        self._now_ms = now_ms
        self._stream: SocketStream | None = None
        self._sending = anyio.Lock()
        self._ended: dict[str, Inbound] = {}

    @property
    def is_connected(self) -> bool:
        """True while Kamailio can be told decisions."""
        return self._stream is not None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Receive until cancelled; connects again whenever the connection is lost.

        `TaskGroup.start` returns when it is connected for the first time.

        Raises:
            Exception: what ``deliver`` raised, after the connection was closed.
        """
        # Without a connection Kamailio refuses every call: never wait longer than asked.
        retry_s = self._retry_s
        await stay_connected(
            self._session, retry_s=retry_s, most_retry_s=retry_s, task_status=task_status
        )

    async def _session(self, connected: Callable[[], None]) -> None:
        """One connection, from its beginning to its end."""
        async with await anyio.connect_tcp(*self._address) as stream:
            self._stream = stream
            try:
                connected()
                await self._receive(stream)
            finally:
                self._stream = None

    async def _receive(self, stream: SocketStream) -> None:
        """Deliver every event until the connection ends or its bytes are no netstrings."""
        decoder = NetstringDecoder()
        while True:
            try:
                payloads = decoder.feed(await stream.receive())
            except (anyio.EndOfStream, anyio.BrokenResourceError, PayloadError):
                return
            for payload in payloads:
                for inbound in self._read(payload):
                    await self._in_order(inbound)

    async def _in_order(self, inbound: Inbound) -> None:
        """Deliver an event; the end of a call that comes before its beginning comes again.

        Kamailio's workers tell on their own, so the end of a short call may be first.
        """
        call = inbound.message.thread_id
        await self._deliver(inbound)
        if call is None:
            return
        if inbound.update is UpdateKind.ENDED:
            self._ended[call] = inbound
            if len(self._ended) > _REMEMBERED:
                del self._ended[next(iter(self._ended))]
        elif inbound.disposition is Disposition.CREATE and call in self._ended:
            await self._deliver(self._ended[call])

    def _read(self, payload: bytes) -> list[Inbound]:
        """What one event means; one that cannot be understood is quarantined."""
        return read(self._adapter, netstring(payload), self._now_ms())

    async def connect(
        self,
        call: Message,
        phones: Sequence[str],
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        ring_ms: int = 20_000,
        dead_ms: int = 2_000,
    ) -> None:
        """Ring an agent's phone; where it is dead or refuses, the next of ``phones``.

        Args:
            call: the message of the call, as it was delivered.
            phones: SIP URIs, tried in their order.
            headers: SIP headers for the phone, to show what the call is about.
            ring_ms: how long each phone may ring.
            dead_ms: how long a phone may be silent before it counts as dead.

        Raises:
            UsageError: no phones, one that is no SIP URI, or a header that is none.
            EvapiClosedError: Kamailio is not connected.
        """
        if not phones:
            raise UsageError("a call needs at least one phone to ring")
        extra = _header_lines(headers)
        routes = []
        for phone in phones:
            if not phone.startswith(("sip:", "sips:")) or any(ord(c) < 33 for c in phone):
                raise UsageError(f"a phone must be a SIP URI like 'sip:ana@10.0.0.7': {phone!r}")
            route: dict[str, object] = {
                "uri": phone,
                "fr_timer": dead_ms,
                "fr_inv_timer": ring_ms,
            }
            if extra:
                route["headers"] = {"extra": extra}
            routes.append(route)
        document = {"version": "1.0", "routing": "serial", "routes": routes}
        await self._decide(call, routing=json.dumps(document))

    async def reject(self, call: Message, status: int = 480) -> None:
        """Send the caller away with a SIP status from 400 to 699.

        Raises:
            UsageError: another status.
            EvapiClosedError: Kamailio is not connected.
        """
        if not 400 <= status <= 699:
            raise UsageError(f"a rejection has a SIP status from 400 to 699, got {status!r}")
        await self._decide(call, reject=status)

    async def _decide(self, call: Message, **decision: object) -> None:
        """Tell Kamailio what becomes of a suspended call."""
        index = call.attributes.get("transaction_index")
        label = call.attributes.get("transaction_label")
        numbers = [_number(value) for value in (index, label)]
        if None in numbers:
            raise UsageError("the message is not of a call that Kamailio suspended")
        transaction = dict(zip(("tindex", "tlabel"), numbers, strict=True))
        message = {"callid": call.thread_id, **transaction, **decision}
        stream = self._stream
        if stream is None:
            raise EvapiClosedError("Kamailio is not connected")
        async with self._sending:
            try:
                await stream.send(netstring(json.dumps(message).encode()))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise EvapiClosedError("the connection to Kamailio was lost") from None
