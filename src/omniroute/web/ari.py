"""Telephone calls by Asterisk: the WebSocket and the REST commands of ARI.

The dialplan hands a call to ``Stasis(omniroute)``. `Ari` tells of it, answers it, plays music on
hold, originates the agent's phone into the same application, and joins both in a mixing bridge; a
room is a bridge. It is a `Switch`; `Switchboard` drives it.

ARI repeats nothing: what happened while the WebSocket was down is gone. So after each connect the
channels of the application and the bridges are listed. Names do the rest: our legs are named by
`leg_name`, bridges by `room_name`.

Needs the extra ``asterisk``. Runs on asyncio and trio.

https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

import anyio
from anyio.abc import TaskStatus

from ..channels import AsteriskAri
from ..channels.payloads import as_dict, as_id, as_list, as_text
from ..errors import MissingExtraError, UsageError
from ..model import Disposition, Inbound
from .telephony import (
    Gone,
    Listener,
    Standing,
    SwitchClosedError,
    SwitchRefusedError,
    leg_of,
    read,
    room_name,
    room_of,
    stay_connected,
    wall_ms,
)

try:
    import httpx2
    import wsproto  # noqa: F401 - what httpx2 needs for its WebSockets
    from httpx2.websockets import (
        AsyncWebSocketSession,
        WebSocketDisconnect,
        WebSocketInvalidTypeReceived,
        WebSocketNetworkError,
        WebSocketUpgradeError,
    )
except ImportError:
    raise MissingExtraError("httpx2 and wsproto", "asterisk", "a connection to Asterisk") from None

__all__ = ["Ari"]

_MAX_EVENT_BYTES = 1_048_576

#: Hangup causes (Q.850, as Asterisk numbers them) of a phone that was not taken up or hung up.
_CAUSES = {
    0: Gone.NO_ANSWER,
    1: Gone.UNREACHABLE,  # unallocated number
    3: Gone.UNREACHABLE,  # no route to the destination
    16: Gone.HUNG_UP,
    17: Gone.BUSY,
    18: Gone.NO_ANSWER,  # no user responding
    19: Gone.NO_ANSWER,
    20: Gone.UNREACHABLE,  # subscriber absent
    21: Gone.DECLINED,
    27: Gone.UNREACHABLE,  # destination out of order
    34: Gone.UNREACHABLE,  # no circuit
    38: Gone.UNREACHABLE,  # network out of order
    102: Gone.UNREACHABLE,  # recovery on timer expiry: the phone never answered
}

#: The words of ``DELETE /channels``; every other end is ``normal``.
_REASONS = {Gone.BUSY: "busy", Gone.NO_ANSWER: "no_answer", Gone.FAILED: "congestion"}


class Ari:
    """One application of one Asterisk.

    Args:
        url: where ARI is, ``http://127.0.0.1:8088/ari``.
        username: of ``ari.conf``.
        password: of ``ari.conf``.
        app: the application that the dialplan names in ``Stasis()``.
        name: which switch it is, among those of one router: the attribute ``switch`` of its calls.
        adapter: the channel with your default region; its ``own_args`` must contain ``agent``.
        music: the class of the music on hold; "" is Asterisk's default.
        ring_s: how long a phone rings at most, when nobody stops it before.
        retry_s: how long to wait before connecting again; doubled up to 5 s while it fails.
        now_ms: the clock, milliseconds since the epoch.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        app: str = "omniroute",
        name: str = "asterisk",
        adapter: AsteriskAri | None = None,
        music: str = "",
        ring_s: int = 60,
        retry_s: float = 1.0,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"ARI has a URL like 'http://127.0.0.1:8088/ari': {url!r}")
        self._url = url.rstrip("/")
        self._auth = (username, password)
        self._app = app
        self._name = name
        self._adapter = AsteriskAri() if adapter is None else adapter
        if "agent" not in self._adapter.own_args:
            raise UsageError("own_args of the adapter must contain 'agent', the mark of our legs")
        self._music = music
        self._ring_s = ring_s
        self._retry_s = retry_s
        self._now_ms = now_ms
        self._client: httpx2.AsyncClient | None = None
        self._session_scope: anyio.CancelScope | None = None

    @property
    def name(self) -> str:
        """Which switch it is."""
        return self._name

    # --- events ---------------------------------------------------------------------------

    async def run(
        self, listener: Listener, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell the listener until cancelled; connects again whenever the connection is lost.

        Raises:
            SwitchRefusedError: Asterisk does not take the user or the password.
            Exception: what the listener raised, after the connection was closed.
        """

        async def session(connected: Callable[[], None]) -> None:
            await self._session(listener, connected)

        await stay_connected(session, retry_s=self._retry_s, task_status=task_status)

    async def _session(self, listener: Listener, connected: Callable[[], None]) -> None:
        """One WebSocket, from its beginning to its end."""

        async def hear(socket: AsyncWebSocketSession) -> None:
            try:
                standing = await self._standing()
            except SwitchRefusedError as error:  # still starting: try again
                raise SwitchClosedError(str(error)) from None
            await listener.connected(standing)
            connected()
            while True:
                await self._tell(listener, await socket.receive_text())

        async with httpx2.AsyncClient(auth=self._auth) as client:
            with anyio.CancelScope() as self._session_scope:
                self._client = client
                try:
                    await self._with_socket(client, hear)
                finally:
                    self._client = None
                    listener.disconnected()

    async def _with_socket(
        self,
        client: httpx2.AsyncClient,
        hear: Callable[[AsyncWebSocketSession], Awaitable[None]],
    ) -> None:
        """Open the WebSocket and use it; what its user raises comes out as it is."""
        failure: Exception | None = None
        events = client.websocket(
            f"{self._url}/events",
            params={"app": self._app},
            max_message_size_bytes=_MAX_EVENT_BYTES,
        )
        try:
            async with events as socket:
                try:
                    await hear(socket)
                except Exception as error:  # noqa: BLE001 - raised below, outside of the task group
                    failure = error
        except WebSocketUpgradeError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise SwitchRefusedError(f"Asterisk answers {status} to this user") from None
            raise SwitchClosedError(f"Asterisk answers {status} to the WebSocket") from None
        except (httpx2.TransportError, WebSocketNetworkError, WebSocketDisconnect):
            raise SwitchClosedError("the connection to Asterisk was lost") from None
        lost = (WebSocketNetworkError, WebSocketDisconnect, WebSocketInvalidTypeReceived)
        if failure is not None and not isinstance(failure, lost):
            raise failure

    async def _tell(self, listener: Listener, text: str) -> None:
        """Pass one event on: of an agent's leg, or of a customer's call."""
        try:
            event = as_dict(json.loads(text))
        except (ValueError, RecursionError):
            event = {}
        channel = as_id(as_dict(event.get("channel")).get("id"))
        if leg_of(channel) is None:
            body = text.encode("utf-8", "replace")
            for inbound in read(self._adapter, body, self._now_ms()):
                await listener.heard(inbound)
            return
        kind = event.get("type")
        if kind == "StasisStart":  # an originated leg comes here when it is answered
            listener.answered(channel)
        elif kind == "StasisEnd":
            listener.ended(channel, Gone.HUNG_UP)
        elif kind == "ChannelDestroyed":
            cause = event.get("cause")
            known = _CAUSES.get(cause, Gone.FAILED) if isinstance(cause, int) else Gone.FAILED
            listener.ended(channel, known)

    async def _standing(self) -> Standing:
        """List what our application has in Asterisk."""
        # Unknown: registered only now, so it has no channels yet.
        path = f"/applications/{quote(self._app, safe='')}"
        application = as_dict(await self._ask("GET", path, gone_is_fine=True))
        ours = {as_id(identity) for identity in as_list(application.get("channel_ids"))}
        calls: dict[str, Inbound] = {}
        legs: dict[str, bool] = {}
        for item in as_list(await self._ask("GET", "/channels")):
            channel = as_dict(item)
            identity = as_id(channel.get("id"))
            if leg_of(identity) is not None:
                legs[identity] = as_text(channel.get("state"), 32) == "Up"
            elif identity in ours:
                for inbound in self._opening(channel):
                    calls[identity] = inbound
        rooms: dict[str, frozenset[str]] = {}
        for item in as_list(await self._ask("GET", "/bridges")):
            bridge = as_dict(item)
            room = room_of(as_id(bridge.get("id")))
            if room is not None:
                rooms[room] = frozenset(
                    as_id(channel) for channel in as_list(bridge.get("channels"))
                )
        return Standing(calls, legs, rooms)

    def _opening(self, channel: dict[str, object]) -> list[Inbound]:
        """The event that a listed channel had opened its call with; none when it is no call."""
        event = {
            "type": "StasisStart",
            "application": self._app,
            "timestamp": channel.get("creationtime"),
            "args": [],
            "channel": channel,
        }
        body = json.dumps(event).encode()
        found = read(self._adapter, body, self._now_ms())
        return [inbound for inbound in found if inbound.disposition is Disposition.CREATE]

    # --- commands -------------------------------------------------------------------------

    async def hold(self, name: str, room: str | None) -> None:
        """Answer it, take it out of its bridge, play music."""
        if room is not None:
            await self._do("POST", f"{_bridge(room)}/removeChannel", channel=name)
        if leg_of(name) is None:
            await self._do("POST", f"{_channel(name)}/answer")
        await self._do("POST", f"{_channel(name)}/moh", mohClass=self._music)

    async def ring(self, call: str, leg: str, phone: str, caller: tuple[str, str]) -> None:
        """Originate the phone into our application."""
        name, number = (_printable(text) for text in caller)
        shown = f'"{name}" <{number}>' if name else number
        await self._do(
            "POST",
            "/channels",
            endpoint=phone,
            app=self._app,
            appArgs="agent",
            channelId=leg,
            originator=call,
            callerId=shown,
            timeout=str(self._ring_s),
        )

    async def join(self, room: str, names: Sequence[str]) -> None:
        """Put them into the room's bridge, which takes them out of any other."""
        await self._do("POST", _bridge(room), type="mixing")
        for name in names:
            await self._do("DELETE", f"{_channel(name)}/moh")
        await self._do("POST", f"{_bridge(room)}/addChannel", channel=",".join(names))

    async def hang_up(self, name: str, why: Gone) -> None:
        """Hang a channel up."""
        reason = _REASONS.get(why, "normal")
        await self._do("DELETE", _channel(name), gone_is_fine=True, reason=reason)

    async def clear(self, room: str) -> None:
        """Destroy the room's bridge."""
        await self._do("DELETE", _bridge(room), gone_is_fine=True)

    async def _do(
        self, method: str, path: str, *, gone_is_fine: bool = False, **params: str
    ) -> None:
        """A command whose answer holds nothing."""
        await self._ask(method, path, gone_is_fine=gone_is_fine, **params)

    async def _ask(
        self, method: str, path: str, *, gone_is_fine: bool = False, **params: str
    ) -> object:
        """A request; its answer's JSON, None without one."""
        client = self._client
        if client is None:
            raise SwitchClosedError("Asterisk is not connected")
        try:
            given = {name: value for name, value in params.items() if value}
            response = await client.request(method, self._url + path, params=given)
        except (httpx2.TransportError, RuntimeError):  # RuntimeError: closed at this moment
            if self._session_scope is not None:
                self._session_scope.cancel()
            raise SwitchClosedError("the connection to Asterisk was lost") from None
        status = response.status_code
        if status == 404 and gone_is_fine:
            return None
        if not response.is_success:
            what = "/".join(path.split("/")[:2] + path.split("/")[3:])
            raise SwitchRefusedError(f"Asterisk answers {status} to {method} {what}")
        try:
            return response.json() if response.content else None
        except ValueError:
            raise SwitchRefusedError("Asterisk answers something that is not JSON") from None


def _channel(identity: str) -> str:
    """The path of a channel."""
    return f"/channels/{quote(identity, safe='')}"


def _bridge(room: str) -> str:
    """The path of the bridge of a room."""
    return f"/bridges/{quote(room_name(room), safe='')}"


def _printable(text: str) -> str:
    """What may stand in a caller id: no quotes, brackets or control characters."""
    return "".join(c for c in text[:80] if c.isprintable() and c not in '"<>\\')
