"""A fake of Asterisk's REST interface: HTTP and a WebSocket, as its API documentation says.

Written after rest-api/api-docs of Asterisk (channels, bridges, applications, events): paths,
parameters, status codes and the fields of events. Only what a contact centre needs.
"""

import base64
import itertools
import json
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio
import h11
import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage

from telephony.exchange import LOST, Exchange, Line

PREFIX = "/ari"
STAMP = "2024-03-01T09:00:00.123+0100"
REASONS = {"normal", "busy", "congestion", "no_answer", "timeout", "rejected"}
CAUSES = {"busy": 17, "declined": 21, "lost": 102}
FAILED = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Entity"}


class RefusedError(Exception):
    """The status of a request that is not carried out."""


class FakeAsterisk(Exchange):
    """One Asterisk with one user, ``router``."""

    def __init__(self, app="omniroute", password="secret"):
        super().__init__()
        self.app = app
        self.password = password
        self.bridges = {}
        self.breaks = set()  # requests that cut their connection, once each
        self._numbers = itertools.count(1)
        self._dialled = set()

    # --- people ---------------------------------------------------------------------------

    async def call(self, number="49300001001", name="Eva"):
        """A customer calls; the dialplan hands him to Stasis when the application is there."""
        line = Line(f"1700000000.{next(self._numbers)}", number=number, name=name)
        if not self.outboxes:
            return None
        self.lines[line.id] = line
        self._tell("StasisStart", line, args=[])
        return line.id

    async def hang_up(self, call):
        self._end(self.lines[call], 16)

    async def take_up(self, phone):
        line = await self.rings(phone)
        line.up = True
        self._tell("ChannelStateChange", line)
        self._tell("StasisStart", line, args=["agent"])
        self.note()

    async def put_down(self, phone):
        self._end(self._leg(phone), 16)

    def company(self, line):
        return {
            name
            for members in self.bridges.values()
            if line.id in members
            for name in members
            if name != line.id
        }

    def _end(self, line, cause):
        del self.lines[line.id]
        for members in self.bridges.values():
            members.discard(line.id)
        if line.up or not line.phone:
            self._tell("StasisEnd", line)
        self._tell("ChannelDestroyed", line, cause=cause, cause_txt="whatever")
        self.note()

    # --- events ---------------------------------------------------------------------------

    def snapshot(self, line):
        state = "Up" if line.up else "Ringing" if line.phone else "Ring"
        return {
            "id": line.id,
            "name": f"PJSIP/{line.phone or 'trunk'}-{len(self.lines):08x}",
            "state": state,
            "caller": {"name": line.name, "number": line.number},
            "connected": {"name": "", "number": ""},
            "accountcode": "",
            "dialplan": {"context": "inbound", "exten": "200", "priority": 3},
            "creationtime": STAMP,
            "language": "en",
        }

    def _tell(self, kind, line, **fields):
        event = {
            "type": kind,
            "timestamp": STAMP,
            "application": self.app,
            "asterisk_id": "00:00:00:00:00:01",
            **fields,
            "channel": self.snapshot(line),
        }
        self.say(json.dumps(event))

    def say(self, text):
        for connection, outbox in self.outboxes:
            outbox.send_nowait(connection.send(TextMessage(text)))

    # --- HTTP -----------------------------------------------------------------------------

    async def speak(self, stream):
        connection = h11.Connection(h11.SERVER)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                try:
                    connection.receive_data(await stream.receive())
                except anyio.EndOfStream:
                    return None
            elif isinstance(event, h11.Request):
                if self._is_upgrade(event):
                    return await self._events(event, stream)
                await self._answer(connection, event, stream)
            elif isinstance(event, h11.EndOfMessage):
                connection.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return None

    @staticmethod
    def _is_upgrade(request):
        return any(name == b"upgrade" for name, _ in request.headers)

    def _allowed(self, request):
        wanted = base64.b64encode(f"router:{self.password}".encode())
        return (b"authorization", b"Basic " + wanted) in list(request.headers)

    async def _answer(self, connection, request, stream):
        target = urlsplit(request.target.decode())
        path = [unquote(part) for part in target.path.removeprefix(PREFIX).split("/")[1:]]
        method, params = request.method.decode(), dict(parse_qsl(target.query))
        self.commands.append((method, "/".join(path), params))
        if (method, path[-1]) in self.breaks:
            self.breaks.discard((method, path[-1]))
            raise anyio.EndOfStream
        status, body = 401, {"message": "Unauthorized"}
        if self._allowed(request):
            try:
                body = self._carry_out(method, path, params)
                status = 204 if body is None else 200
            except RefusedError as refused:
                status = refused.args[0]
                body = {"message": FAILED.get(status, "Internal Server Error")}
        data = b"" if body is None else json.dumps(body).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
        if status == 204:
            headers = []
        sent = connection.send(h11.Response(status_code=status, headers=headers))
        sent += connection.send(h11.Data(data=data)) if data else b""
        await stream.send(sent + connection.send(h11.EndOfMessage()))
        self._ring_on()
        self.note()

    def _carry_out(self, method, path, params):
        match (method, *path):
            case ("GET", "applications", name):
                if name != self.app or not self.outboxes:
                    raise RefusedError(404)
                return {"name": name, "channel_ids": list(self.lines), "bridge_ids": []}
            case ("GET", "channels"):
                return [self.snapshot(line) for line in self.lines.values()]
            case ("GET", "bridges"):
                return [self._bridge(name) for name in self.bridges]
            case ("POST", "channels"):
                return self._originate(params)
            case ("DELETE", "channels", name):
                if params["reason"] not in REASONS:
                    raise RefusedError(400)
                self._end(self._line(name), 16)
            case ("POST", "channels", name, "answer"):
                line = self._line(name)
                if not line.up:
                    line.up = True
                    self._tell("ChannelStateChange", line)
            case ("POST" | "DELETE", "channels", name, "moh"):
                self._line(name).music = method == "POST"
            case ("POST", "bridges", name):
                assert params == {"type": "mixing"}
                self.bridges.setdefault(name, set())
                return self._bridge(name)
            case ("DELETE", "bridges", name):
                if self.bridges.pop(name, None) is None:
                    raise RefusedError(404)
            case ("POST", "bridges", name, "addChannel"):
                self._add(self._members(name), params["channel"].split(","))
            case ("POST", "bridges", name, "removeChannel"):
                members = self._members(name)
                if params["channel"] not in members:
                    raise RefusedError(422)
                members.discard(params["channel"])
            case _:
                raise AssertionError(f"no such request: {method} {path}")
        return None

    def _line(self, name):
        if name not in self.lines:
            raise RefusedError(404)
        return self.lines[name]

    def _members(self, name):
        if name not in self.bridges:
            raise RefusedError(404)
        return self.bridges[name]

    def _add(self, members, names):
        if any(name not in self.lines for name in names):
            raise RefusedError(400)
        if any(self.lines[name].phone and not self.lines[name].up for name in names):
            raise RefusedError(422)
        for others in self.bridges.values():
            others.difference_update(names)  # a channel is in one bridge
        members.update(names)

    def _bridge(self, name):
        members = sorted(self.bridges[name])
        kind = {"bridge_class": "stasis", "bridge_type": "mixing", "technology": "simple_bridge"}
        return {"id": name, "name": "", "creator": "Stasis", "channels": members, **kind}

    def _originate(self, params):
        phone, name = params["endpoint"], params["channelId"]
        assert params["app"] == self.app
        assert params["appArgs"] == "agent"
        assert params["originator"] in self.lines
        if name in self.lines:
            raise RefusedError(409)
        if self.habits.get(phone) == "unknown":
            raise RefusedError(500)
        line = self.lines[name] = Line(name, phone=phone, variables={"shown": params["callerId"]})
        self._dialled.add(name)
        return self.snapshot(line)

    def _ring_on(self):
        """What dialled phones do, after the request was answered."""
        for name in list(self._dialled):
            self._dialled.discard(name)
            line = self.lines.get(name)
            if line is not None:
                self._tell("ChannelCreated", line)
                habit = self.habits.get(line.phone, "ring")
                if habit in CAUSES:
                    self._end(line, CAUSES[habit])
                else:
                    self._tell("ChannelStateChange", line)

    # --- the WebSocket ----------------------------------------------------------------------

    async def _events(self, request, stream):
        target = urlsplit(request.target.decode())
        assert target.path == f"{PREFIX}/events"
        assert dict(parse_qsl(target.query)) == {"app": self.app}
        if not self._allowed(request):
            refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
            return await stream.send(refusal)
        connection = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        connection.initiate_upgrade_connection(list(request.headers), request.target)
        assert isinstance(next(connection.events()), Request)
        await stream.send(connection.send(AcceptConnection()))
        put, outbox = anyio.create_memory_object_stream(1_000)
        async with anyio.create_task_group() as group, put, outbox:
            group.start_soon(self.send_from, outbox, stream)
            self.outboxes.append((connection, put))
            self.note()
            try:
                with suppress(*LOST):
                    await self._listen(connection, put, stream)
            finally:
                self.outboxes.remove((connection, put))
                put.close()  # what was said is sent before the end

    @staticmethod
    async def _listen(connection, put, stream):
        while True:
            connection.receive_data(await stream.receive())
            for event in connection.events():
                if isinstance(event, Ping):
                    put.send_nowait(connection.send(event.response()))
                elif isinstance(event, CloseConnection):
                    return put.send_nowait(connection.send(event.response()))
