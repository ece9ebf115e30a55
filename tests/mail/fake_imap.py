"""An IMAP server of a few lines, for what a real one does only by chance or never."""

import re
from contextlib import asynccontextmanager

import anyio

GREETING = b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"


class FakeImap:
    """One folder of mails, and others that come at the worst of moments.

    Each of `after_idle` is told in one packet with the yes to an IDLE, each of `after_search` with
    the answer to a search that did not find it. Nothing is told twice.
    """

    def __init__(self, after_idle=(), after_search=()):
        self.mails = []
        self.seen = set()
        self.idles = 0
        self.after_idle = list(after_idle)
        self.after_search = list(after_search)
        #: When the server says that all of its mails came.
        self.arrived = "01-Jan-2024 10:00:00 +0200"
        #: Commands that are answered like this instead, once each; then the server hangs up.
        self.instead = {}

    async def serve(self, stream):
        async with stream:
            await stream.send(GREETING)
            pending = b""
            try:
                while True:
                    line, found, pending = pending.partition(b"\r\n")
                    if found:
                        fault = self.fault(line.decode())
                        await stream.send(self.answer(line.decode()) if fault is None else fault)
                        if fault is not None:
                            return
                    else:
                        pending = line + await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    def fault(self, line):
        tag, _, command = line.partition(" ")
        for pattern in list(self.instead):
            if re.match(pattern, command):
                return self.instead.pop(pattern).replace(b"TAG", tag.encode())
        return None

    def answer(self, line):
        if line == "DONE":
            return b"%s OK done\r\n" % self.idle_tag
        tag, command = line.split(" ", 1)
        name = command.removeprefix("UID ").split(" ")[0].lower()
        said = getattr(self, name)(tag.encode(), command)
        return said if name == "idle" else said + b"%s OK done\r\n" % tag.encode()

    def capability(self, tag, command):
        return b"* CAPABILITY IMAP4rev1 IDLE\r\n"

    def login(self, tag, command):
        return b""

    def select(self, tag, command):
        count = len(self.mails)
        codes = b"* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (count + 1)
        return b"* %d EXISTS\r\n" % count + codes + b"* OK [READ-WRITE] ok\r\n"

    def search(self, tag, command):
        unseen = [str(n) for n in range(1, len(self.mails) + 1) if n not in self.seen]
        return f"* SEARCH {' '.join(unseen)}\r\n".encode() + self.come(self.after_search)

    def fetch(self, tag, command):
        said = b""
        for uid in map(int, command.split(" ")[2].split(",")):
            mail = self.mails[uid - 1]
            if "SIZE" in command:
                date = f'INTERNALDATE "{self.arrived}" '.encode() if self.arrived else b""
                said += b"* %d FETCH (UID %d %sRFC822.SIZE %d)\r\n" % (uid, uid, date, len(mail))
            else:
                said += b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(mail), mail)
        return said

    def store(self, tag, command):
        self.seen.add(int(command.split(" ")[2]))
        return b""

    def idle(self, tag, command):
        self.idles += 1
        self.idle_tag = tag
        return b"+ idling\r\n" + self.come(self.after_idle)

    def come(self, mails):
        if not mails:
            return b""
        self.mails.append(mails.pop(0))
        return b"* %d EXISTS\r\n" % len(self.mails)


@asynccontextmanager
async def serving(handler):
    """Serve on a free port; gives it."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handler)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()
