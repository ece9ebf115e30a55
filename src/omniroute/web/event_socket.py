"""Telephone calls by FreeSWITCH: its event socket in inbound mode, events in and commands out.

The dialplan sets the variable ``omniroute`` on a call and parks it. `EventSocket` tells of it,
answers it, plays music, originates the agent's phone into the park, and bridges both; a room of
more than two is a conference. It is a `Switch`; `Switchboard` drives it. Calls that others have
parked are left alone.

One TCP connection carries everything: the answers to commands come in the order of the commands,
events between them (`esl_connection`). A task reads, so that a command never waits behind an event.
What happened while the connection was down is gone; so after each connect the channels are listed.
Legs are named by `leg_name`, and so are the background jobs that ring them.

The password goes over the wire in the clear: both ends belong on one host, or in a tunnel. Runs
on asyncio and trio.

https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/Modules/mod_event_socket_1048924
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import anyio
from anyio.abc import SocketStream, TaskStatus
from anyio.streams.memory import MemoryObjectSendStream

from ..channels import FreeSwitch
from ..channels.esl import EslEvent, EslFrame, event_of, event_of_json
from ..channels.payloads import as_dict, as_id, as_list, as_text
from ..errors import PayloadError, UsageError
from ..model import Inbound
from .esl_connection import Connection, Frames
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

__all__ = ["EventSocket"]

_EVENTS = "event plain CHANNEL_PARK CHANNEL_HANGUP BACKGROUND_JOB"

#: The variable that the dialplan sets on a call that is for us.
_MARK = "variable_omniroute"

#: This many events may wait for the listener before the socket is not read any more.
_WAITING = 10_000

#: Hangup causes of a phone that was not taken up or hung up; all others: failed.
_CAUSES = {
    "ALLOTTED_TIMEOUT": Gone.NO_ANSWER,
    "CALL_REJECTED": Gone.DECLINED,
    "DESTINATION_OUT_OF_ORDER": Gone.UNREACHABLE,
    "GATEWAY_DOWN": Gone.UNREACHABLE,
    "INVALID_GATEWAY": Gone.UNREACHABLE,
    "NETWORK_OUT_OF_ORDER": Gone.UNREACHABLE,
    "NO_ANSWER": Gone.NO_ANSWER,
    "NO_ROUTE_DESTINATION": Gone.UNREACHABLE,
    "NO_USER_RESPONSE": Gone.NO_ANSWER,
    "NORMAL_CLEARING": Gone.HUNG_UP,
    "ORIGINATOR_CANCEL": Gone.NO_ANSWER,
    "PROGRESS_TIMEOUT": Gone.NO_ANSWER,
    "RECOVERY_ON_TIMER_EXPIRE": Gone.UNREACHABLE,
    "SUBSCRIBER_ABSENT": Gone.UNREACHABLE,
    "UNALLOCATED_NUMBER": Gone.UNREACHABLE,
    "USER_BUSY": Gone.BUSY,
    "USER_NOT_REGISTERED": Gone.UNREACHABLE,
}

#: The causes that we give; every other end is ``NORMAL_CLEARING``.
_REASONS = {Gone.BUSY: "USER_BUSY", Gone.NO_ANSWER: "NO_ANSWER"}


class EventSocket:
    """One FreeSWITCH.

    Args:
        password: of ``event_socket.conf.xml``.
        host: where the event socket listens.
        port: its TCP port.
        name: which switch it is, among those of one router: the attribute ``switch`` of its calls.
        default_region: the country (ISO 3166, "DE") of national numbers; needs the extra ``phone``.
        music: what waiting customers hear: a file or a stream of FreeSWITCH.
        ring_s: how long a phone rings at most, when nobody stops it before.
        reply_s: how long a command may go without an answer before the connection counts as lost.
        retry_s: how long to wait before connecting again; doubled up to 5 s while it fails.
        now_ms: the clock, milliseconds since the epoch.
    """

    def __init__(
        self,
        password: str,
        *,
        host: str = "127.0.0.1",
        port: int = 8021,
        name: str = "freeswitch",
        default_region: str | None = None,
        music: str = "local_stream://moh",
        ring_s: int = 60,
        reply_s: float = 10.0,
        retry_s: float = 1.0,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._password = _word(password, "password")
        self._address = (host, port)
        self._name = name
        opening = frozenset({"CHANNEL_PARK", "CHANNEL_DATA"})
        self._adapter = FreeSwitch(default_region=default_region, opening=opening)
        self._music = _word(music, "music")
        self._ring_s = ring_s
        self._reply_s = reply_s
        self._retry_s = retry_s
        self._now_ms = now_ms
        self._connection: Connection | None = None

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
            SwitchRefusedError: FreeSWITCH does not take the password, or this host.
            Exception: what the listener raised, after the connection was closed.
        """

        async def session(connected: Callable[[], None]) -> None:
            await self._session(listener, connected)

        await stay_connected(session, retry_s=self._retry_s, task_status=task_status)

    async def _session(self, listener: Listener, connected: Callable[[], None]) -> None:
        """One connection, from its beginning to its end."""
        failure: Exception | None = None
        async with await anyio.connect_tcp(*self._address) as stream:
            with anyio.move_on_after(self._reply_s) as limit:
                frames = Frames(stream)
                await self._log_in(stream, frames)
            if limit.cancelled_caught:
                raise SwitchClosedError("FreeSWITCH says nothing")
            put, events = anyio.create_memory_object_stream[EslFrame](_WAITING)
            async with anyio.create_task_group() as group, events:
                connection = Connection(stream, self._reply_s, group.cancel_scope)
                self._connection = connection
                group.start_soon(_sort, frames, connection, put)
                try:
                    await self._order(_EVENTS)
                    await listener.connected(await self._standing())
                    connected()
                    async for frame in events:
                        await self._tell(listener, frame)
                except Exception as error:  # noqa: BLE001 - raised below, outside of the group
                    failure = error
                finally:
                    self._connection = None
                    connection.close()
                    listener.disconnected()
                    group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _log_in(self, stream: SocketStream, frames: Frames) -> None:
        """Answer the request for the password."""
        while (frame := await frames.next()) is not None:
            kind = frame.get("Content-Type")
            if kind == "auth/request":
                await stream.send(f"auth {self._password}\n\n".encode())
            elif kind == "command/reply" and frame.get("Reply-Text").startswith("+OK"):
                return
            elif kind in ("command/reply", "text/rude-rejection"):
                raise SwitchRefusedError("FreeSWITCH does not let us in: password or access list")
        raise SwitchClosedError("FreeSWITCH closed the connection before the password")

    async def _tell(self, listener: Listener, frame: EslFrame) -> None:
        """Pass one event on: of an agent's leg, or of a customer's call."""
        at_ms = self._now_ms()
        try:
            event = event_of(frame)
        except PayloadError:
            for inbound in read(self._adapter, _framed(frame.body), at_ms):
                await listener.heard(inbound)
            return
        if event is None:
            return
        if event.get("Event-Name") == "BACKGROUND_JOB":
            _job_done(listener, event)
        elif leg_of(event.get("Unique-ID")) is not None:
            if event.get("Event-Name") == "CHANNEL_HANGUP":
                listener.ended(event.get("Unique-ID"), _cause(event.get("Hangup-Cause")))
        elif event.get(_MARK):
            await listener.heard(self._adapter.read(event, at_ms))

    async def _standing(self) -> Standing:
        """List the channels; ask each inbound one for the rest."""
        try:
            text = await self._api("show channels as json")
            rows = as_list(as_dict(json.loads(text)).get("rows"))
        except (ValueError, RecursionError, SwitchRefusedError):
            raise SwitchClosedError("FreeSWITCH does not list its channels as JSON") from None
        calls: dict[str, Inbound] = {}
        legs: dict[str, bool] = {}
        rooms: dict[str, frozenset[str]] = {}
        for row in map(as_dict, rows):
            identity = as_id(row.get("uuid"))
            is_leg = leg_of(identity) is not None
            if is_leg:
                legs[identity] = as_text(row.get("callstate"), 32) in ("ACTIVE", "HELD")
            elif row.get("direction") != "inbound":
                continue
            event = await self._dump(identity) if legs.get(identity, True) else None
            if event is None or not (is_leg or event.get(_MARK)):
                continue
            if not is_leg:
                calls[identity] = self._adapter.read(event, self._now_ms())
            peer, conference = event.get("variable_signal_bond"), _conference(row)
            if conference is not None:
                rooms[conference] = rooms.get(conference, frozenset()) | {identity}
            elif leg_of(peer) is not None:
                # Two legs: the one that was rung first asked the other.
                pair = sorted((identity, peer), key=lambda name: leg_of(name) or (-1,))
                rooms[pair[0]] = frozenset(pair)
        return Standing(calls, legs, rooms)

    async def _dump(self, identity: str) -> EslEvent | None:
        """Everything about one channel, as an event; None when it has just ended."""
        try:
            return event_of_json((await self._api(f"uuid_dump {identity} json")).encode())
        except (PayloadError, SwitchRefusedError):
            return None

    # --- commands -------------------------------------------------------------------------

    async def hold(self, name: str, room: str | None) -> None:
        """Answer it, park it alone, play music; a call outlives its agents from now on."""
        _word(name, "call")
        if room is not None:
            await self._api(f"uuid_park {name}")
        if leg_of(name) is None:
            stays = "park_after_bridge=true;hangup_after_bridge=false"
            await self._api(f"uuid_setvar_multi {name} {stays}")
            await self._api(f"uuid_answer {name}")
        await self._api(f"uuid_broadcast {name} {self._music} aleg")

    async def ring(self, call: str, leg: str, phone: str, caller: tuple[str, str]) -> None:
        """Originate the phone into the park, in the background."""
        name, number = (_plain(text) for text in caller)
        variables = {
            "origination_uuid": leg,
            "origination_caller_id_name": f"'{name or number}'",
            "origination_caller_id_number": number.replace(" ", ""),
            "originate_timeout": str(self._ring_s),
            "ignore_early_media": "true",
            "park_after_bridge": "true",
            "hangup_after_bridge": "false",
        }
        given = ",".join(f"{key}={value}" for key, value in variables.items() if value)
        target = f"{{{given}}}{_word(phone, 'phone')} &park()"
        await self._order(f"bgapi originate {target}\nJob-UUID: {_word(leg, 'leg')}")

    async def join(self, room: str, names: Sequence[str]) -> None:
        """Stop the music; two are bridged, more meet in a conference."""
        for name in names:
            await self._api(f"uuid_break {_word(name, 'call')} all")
        if len(names) == 2:
            await self._api(f"uuid_bridge {names[0]} {names[1]}")
            return
        conference = f"conference:{_word(room_name(room), 'room')}@default"
        for name in names:
            await self._api(f"uuid_transfer {name} {conference} inline")

    async def hang_up(self, name: str, why: Gone) -> None:
        """Hang a channel up."""
        cause = _REASONS.get(why, "NORMAL_CLEARING")
        try:
            await self._api(f"uuid_kill {_word(name, 'call')} {cause}")
        except SwitchRefusedError as error:
            if "No such channel" not in str(error):
                raise

    async def clear(self, room: str) -> None:
        """Nothing was made that outlives those in the room."""

    async def _api(self, command: str) -> str:
        """Run a command of FreeSWITCH; what it prints."""
        body = (await self._ask(f"api {command}")).body.decode("utf-8", "replace").strip()
        silent = body == "-ERR no reply"  # how the event socket says that nothing was printed
        if body.startswith(("-ERR", "-USAGE")) and not silent:
            raise SwitchRefusedError(f"FreeSWITCH answers {body[:80]!r} to {_verb(command)}")
        return body

    async def _order(self, command: str) -> None:
        """A command of the event socket itself."""
        text = (await self._ask(command)).get("Reply-Text")
        if not text.startswith("+OK"):
            raise SwitchRefusedError(f"FreeSWITCH answers {text[:80]!r} to {_verb(command)}")

    async def _ask(self, command: str) -> EslFrame:
        """Send a command on the connection of now."""
        connection = self._connection
        if connection is None:
            raise SwitchClosedError("FreeSWITCH is not connected")
        return await connection.ask(command)


async def _sort(
    frames: Frames,
    connection: Connection,
    events: MemoryObjectSendStream[EslFrame],
) -> None:
    """Answers to those who wait for them, events to the listener."""
    async with events:
        while (frame := await frames.next()) is not None:
            kind = frame.get("Content-Type")
            if kind in ("api/response", "command/reply"):
                connection.answered(frame)
            elif kind == "text/disconnect-notice":
                break
            else:
                await events.send(frame)
    connection.close()


def _conference(row: dict[str, object]) -> str | None:
    """The room of a channel that is in one of our conferences, by its row of the list."""
    if row.get("application") != "conference" or row.get("state") != "CS_EXECUTE":
        return None
    return room_of(as_text(row.get("application_data"), 512).partition("@")[0])


def _job_done(listener: Listener, event: EslEvent) -> None:
    """The end of a background job: a phone was taken up, or not."""
    leg = event.get("Job-UUID")
    if leg_of(leg) is None:
        return
    result, _, cause = event.body.strip().partition(" ")
    if result == "+OK":
        listener.answered(leg)
    else:
        listener.ended(leg, _cause(cause))


def _framed(body: bytes) -> bytes:
    """A frame of the only kind of event that we subscribe to."""
    head = f"Content-Length: {len(body)}\nContent-Type: text/event-plain\n\n"
    return head.encode() + body


def _verb(command: str) -> str:
    """What a command does; not to whom."""
    return command.partition(" ")[0]


def _cause(text: str) -> Gone:
    """What a hangup cause means for an agent's phone."""
    return _CAUSES.get(text.strip(), Gone.FAILED)


def _word(text: str, what: str) -> str:
    """One word of a command; refuses what would make two commands of one."""
    if not text or any(ord(character) < 33 or ord(character) == 127 for character in text):
        raise UsageError(f"the {what} must be one word without spaces: {text[:80]!r}")
    return text


def _plain(text: str) -> str:
    """What may stand in a variable of ``originate``: letters, digits, spaces and ``+.-@_``."""
    kept = "".join(c if c.isalnum() or c in "+.-@_" else " " for c in text[:80])
    return " ".join(kept.split())
