"""What the fakes of Asterisk and FreeSWITCH share: people with telephones, and a list of lines.

A fake speaks the real protocol on real sockets; what it does not have is audio. `hears` says
what a customer would hear: the subclass derives it from the commands that it was given.
"""

from contextlib import suppress
from dataclasses import dataclass, field

import anyio

LIMIT_S = 30
LOST = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass
class Line:
    """A channel of the switch: a customer's call, or a leg to an agent's phone."""

    id: str
    number: str = ""
    name: str = ""
    phone: str = ""
    up: bool = False
    music: bool = False
    peer: str = ""
    conference: str = ""
    variables: dict = field(default_factory=dict)


class Exchange:
    """Customers, agents' phones, and connections to us.

    `habits` says what a phone does when it rings: "ring" until `take_up`; "busy", "declined";
    "unknown": there is no such phone; "lost": it is known and never answers.
    """

    def __init__(self):
        self.lines = {}
        self.habits = {}
        self.commands = []
        self.outboxes = []
        self.streams = []
        self.is_down = False
        self.port = 0
        self._changed = anyio.Event()

    # --- for the test ---------------------------------------------------------------------

    def note(self, *_):
        """Something may have changed: look again at what `until` waits for."""
        self._changed.set()

    async def until(self, is_so):
        """Wait until it is so."""
        with anyio.fail_after(LIMIT_S):
            while not is_so():
                self._changed = anyio.Event()
                await self._changed.wait()

    async def hears(self, who, what):
        """Wait until a call, or an agent by his phone, hears this; see `heard`."""
        await self.until(lambda: self.heard(who) == what)

    def heard(self, who):
        """ "music", "silence", the phone of the other ("customer" for a customer), or several with
        "+" between them; None when he is not there."""
        line = self.lines.get(who) or self._leg(who)
        if line is None:
            return None
        if line.music:
            return "music"
        others = [self.lines[name].phone or "customer" for name in self.company(line)]
        return "+".join(sorted(others)) or "silence"

    def company(self, line):
        """The names of the others in the conversation of a line."""
        raise NotImplementedError

    async def rings(self, phone):
        """Wait until a phone rings; its leg."""
        await self.until(lambda: self._leg(phone) is not None and not self._leg(phone).up)
        return self._leg(phone)

    async def quiet(self, phone):
        """Wait until nothing holds a phone."""
        await self.until(lambda: self._leg(phone) is None)

    def _leg(self, phone):
        return next((line for line in self.lines.values() if line.phone == phone), None)

    async def drop(self):
        """Cut every connection to us."""
        for stream in list(self.streams):
            await stream.aclose()

    # --- the server -----------------------------------------------------------------------

    async def serve(self, *, task_status):
        """Listen on a free port of the loopback."""
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            self.port = listener.extra(anyio.abc.SocketAttribute.local_port)
            task_status.started()
            await listener.serve(self._connection)

    async def _connection(self, stream):
        async with stream:
            if self.is_down:
                self.note()  # whoever comes back in vain has noticed
                return
            self.streams.append(stream)
            try:
                with suppress(*LOST):
                    await self.speak(stream)
            finally:
                self.streams.remove(stream)
                self.note()

    async def speak(self, stream):
        """The protocol, on one connection."""
        raise NotImplementedError

    async def send_from(self, outbox, stream):
        """Send what is put, in order, and close; its putter never waits."""
        with suppress(*LOST):
            async for data in outbox:
                await stream.send(data)
        await stream.aclose()
