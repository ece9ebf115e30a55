"""A fake of FreeSWITCH's event socket in inbound mode: frames, answers in order, events.

Written after the documentation of mod_event_socket and mod_commands: the login, the two kinds of
answers, percent-encoded events, background jobs, the texts of errors. Only what a contact centre
needs.
"""

import itertools
import json
import re
from contextlib import suppress
from urllib.parse import quote

import anyio

from telephony.exchange import LOST, Exchange, Line

CORE = "77645a4f-0000-4126-9842-54e7934d0180"
CAUSES = {
    "busy": "USER_BUSY",
    "declined": "CALL_REJECTED",
    "lost": "RECOVERY_ON_TIMER_EXPIRE",
    "unknown": "USER_NOT_REGISTERED",
}
ORIGINATE = re.compile(r"\{(?P<variables>[^}]*)\}(?P<phone>\S+) &park\(\)")


class FakeFreeSwitch(Exchange):
    """One FreeSWITCH whose dialplan marks a call with ``omniroute`` and parks it."""

    def __init__(self, password="secret"):
        super().__init__()
        self.password = password
        self.greeting = b"Content-Type: auth/request\n\n"
        self.silent_on = set()  # commands that are not answered, once each
        self._calls = itertools.count(1)
        self._sequence = itertools.count(1)

    # --- people ---------------------------------------------------------------------------

    async def call(self, number="+49300001001", name="Eva", *, mark="true"):
        """A customer calls and is parked, whether anyone is connected or not."""
        number_of = next(self._calls)
        line = Line(f"00000000-0000-4000-8000-{number_of:012x}", number=number, name=name)
        if mark:
            line.variables["omniroute"] = mark
        self.lines[line.id] = line
        self._tell("CHANNEL_CREATE", line)
        self._tell("CHANNEL_PARK", line)
        return line.id

    async def hang_up(self, call):
        self._end(self.lines[call], "NORMAL_CLEARING")

    async def take_up(self, phone):
        line = await self.rings(phone)
        line.up = True
        self._tell("CHANNEL_ANSWER", line)
        self._tell("CHANNEL_PARK", line)
        self._job(line.id, f"+OK {line.id}\n")
        self.note()

    async def put_down(self, phone):
        self._end(self._leg(phone), "NORMAL_CLEARING")

    def _end(self, line, cause):
        del self.lines[line.id]
        self._tell("CHANNEL_HANGUP", line, **{"Hangup-Cause": cause})
        if line.phone and not line.up:
            self._job(line.id, f"-ERR {cause}\n")
        if line.peer:
            self._separate(self.lines[line.peer])
        self.note()

    def _separate(self, line):
        """A line whose bridge is over: parked when it says so, else hung up."""
        line.peer = ""
        if line.variables.get("park_after_bridge") == "true":
            self._tell("CHANNEL_PARK", line)
        else:
            self._end(line, "NORMAL_CLEARING")

    # --- events ---------------------------------------------------------------------------

    def headers(self, kind, line):
        direction = "outbound" if line.phone else "inbound"
        found = {
            "Event-Name": kind,
            "Core-UUID": CORE,
            "Event-Sequence": str(next(self._sequence)),
            "Event-Date-Timestamp": "1700000000000000",
            "Channel-State": "CS_EXECUTE",
            "Answer-State": "answered" if line.up else "ringing",
            "Call-Direction": direction,
            "Unique-ID": line.id,
            "Channel-Call-UUID": line.id,
            "Caller-Caller-ID-Name": line.name,
            "Caller-Caller-ID-Number": line.number,
            "Caller-Destination-Number": "200",
            **{f"variable_{name}": value for name, value in line.variables.items()},
        }
        if line.peer:
            found["variable_signal_bond"] = line.peer
        return found

    def _tell(self, kind, line, **fields):
        self._event(kind, {**self.headers(kind, line), **fields})

    def _job(self, job, body):
        fields = {"Event-Name": "BACKGROUND_JOB", "Core-UUID": CORE, "Job-UUID": job}
        self._event("BACKGROUND_JOB", {**fields, "Content-Length": str(len(body))}, body)

    def say(self, frame):
        """Send bytes to everyone who is connected."""
        for _, outbox in self.outboxes:
            outbox.send_nowait(frame)

    def _event(self, kind, fields, body=""):
        lines = "".join(f"{name}: {quote(value)}\n" for name, value in fields.items())
        inner = f"{lines}\n{body}".encode()
        frame = f"Content-Length: {len(inner)}\nContent-Type: text/event-plain\n\n".encode() + inner
        for subscribed, outbox in self.outboxes:
            if kind in subscribed:
                outbox.send_nowait(frame)

    # --- commands -------------------------------------------------------------------------

    async def drop(self):
        """Cut every connection to us, after what was said on it: no answer gets lost."""
        for _, put in self.outboxes:
            put.close()
        self.outboxes.clear()

    async def speak(self, stream):
        put, outbox = anyio.create_memory_object_stream(1_000)
        subscribed = set()
        put.send_nowait(self.greeting)
        async with anyio.create_task_group() as group, put, outbox:
            group.start_soon(self.send_from, outbox, stream)
            connection = (subscribed, put)
            self.outboxes.append(connection)
            try:
                with suppress(*LOST):
                    await self._commands(stream, put, subscribed)
            finally:
                if connection in self.outboxes:
                    self.outboxes.remove(connection)
                put.close()  # what was said is sent before the end

    async def _commands(self, stream, put, subscribed):
        buffer, is_in = b"", False
        while True:
            buffer += await stream.receive()
            while b"\n\n" in buffer:
                raw, buffer = buffer.split(b"\n\n", 1)
                command = raw.decode().lstrip("\n")
                verb, _, rest = command.partition(" ")
                if verb == "auth":
                    is_in = rest == self.password
                    text = "+OK accepted" if is_in else "-ERR invalid"
                    put.send_nowait(_reply(text))
                    if not is_in:
                        put.send_nowait(b"Content-Type: text/disconnect-notice\n\n")
                    continue
                assert is_in, "a command before the password"
                self.commands.append(command)
                if rest.split(" ")[0] in self.silent_on:
                    self.silent_on.discard(rest.split(" ")[0])
                    continue
                self._do(verb, rest, put, subscribed)
                self.note()

    def _do(self, verb, rest, put, subscribed):
        if verb == "event":
            form, *names = rest.split()
            assert form == "plain"
            subscribed.update(names)
            put.send_nowait(_reply("+OK event listener enabled plain"))
        elif verb == "bgapi":
            command, _, header = rest.partition("\n")
            job = header.removeprefix("Job-UUID: ")
            put.send_nowait(_reply(f"+OK Job-UUID: {job}", ("Job-UUID", job)))
            self._originate(command.removeprefix("originate "), job)
        else:
            assert verb == "api"
            body = self._api(rest).encode()
            head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
            put.send_nowait(head.encode() + body)

    def _originate(self, text, job):
        found = ORIGINATE.fullmatch(text)
        variables = dict(pair.split("=", 1) for pair in found["variables"].split(","))
        phone, name = found["phone"], variables["origination_uuid"]
        assert job == name
        assert name not in self.lines
        line = Line(name, phone=phone, variables=variables)
        cause = CAUSES.get(self.habits.get(phone))
        if cause == "USER_NOT_REGISTERED":
            self._job(job, f"-ERR {cause}\n")
            return
        self.lines[name] = line
        self._tell("CHANNEL_CREATE", line)
        if cause is not None:
            self._end(line, cause)

    def _api(self, command):
        verb, *words = command.split()
        if command == "show channels as json":
            rows = [self._row(line) for line in self.lines.values()]
            return json.dumps({"row_count": len(rows), **({"rows": rows} if rows else {})})
        line = self.lines.get(words[0])
        if line is None:
            return "-ERR No such channel!\n"
        match verb, *words[1:]:
            case "uuid_dump", "json":
                return json.dumps(self.headers("CHANNEL_DATA", line))
            case "uuid_setvar_multi", pairs:
                line.variables.update(pair.split("=") for pair in pairs.split(";"))
            case ["uuid_answer"]:
                line.up = True
                return "-ERR no reply\n"
            case "uuid_broadcast", "local_stream://moh", "aleg":
                line.music = True
                return "+OK Message sent\n"
            case "uuid_break", "all":
                line.music = False
            case ["uuid_park"]:
                self._park(line)
            case "uuid_transfer", where, "inline":
                app, _, name = where.partition(":")
                assert app == "conference"
                self._leave(line)
                line.conference = name
            case "uuid_bridge", other:
                return self._bridge(line, self.lines.get(other))
            case "uuid_kill", cause:
                self._end(line, cause)
            case _:
                raise AssertionError(f"no such command: {command}")
        return "+OK\n"

    def _park(self, line):
        self._leave(line)
        self._tell("CHANNEL_PARK", line)

    def _leave(self, line):
        """Take a line out of its bridge, whose other end stays, or out of its conference."""
        peer = self.lines.get(line.peer)
        line.peer = line.conference = ""
        if peer is not None:
            self._separate(peer)

    def _bridge(self, line, other):
        if other is None:
            return "-ERR Invalid uuid\n"
        for each in (line, other):
            self._leave(each)
        line.peer, other.peer = other.id, line.id
        return f"+OK {other.id}\n"

    def company(self, line):
        if line.peer:
            return [line.peer]
        same = [other.id for other in self.lines.values() if other.conference == line.conference]
        return [name for name in same if name != line.id] if line.conference else []

    @staticmethod
    def _row(line):
        return {
            "uuid": line.id,
            "direction": "outbound" if line.phone else "inbound",
            "state": "CS_EXECUTE" if line.conference else "CS_PARK",
            "callstate": "ACTIVE" if line.up else "RINGING",
            "call_uuid": line.id,
            "application": "conference" if line.conference else "park",
            "application_data": line.conference,
        }


def _reply(text, *more):
    """The answer to a command of the socket itself."""
    headers = [("Content-Type", "command/reply"), ("Reply-Text", text), *more]
    return "".join(f"{name}: {value}\n" for name, value in headers).encode() + b"\n"
