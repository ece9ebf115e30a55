"""Where work waits that came in while a partition had no owner: a file on this machine.

It is an `SqliteStore`, so what is spooled is as durable as a journal. A record is a command; an
empty record says that everything in front of it has been passed on. Between passing on and
saying so a crash makes a command come again: it carries the id by which the router knows a
repeat, so it happens once.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from ..errors import RouterBusyError
from ..journal import Roomy, SqliteStore, Store
from ..journal.codec import FORMAT

__all__ = ["Spool"]

_CHUNK_BYTES = 1 << 20
_FORM_BYTES = 2
#: After a crash so many come again at most; to forget each at once would be a sync for each.
_DROP_EVERY = 256


class Spool:
    """The commands of one partition that wait, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = anyio.Lock()
        self._next = 1
        self._done = 1
        #: set while something waits, and while nothing does
        self.filled = anyio.Event()
        self.emptied = anyio.Event()
        self.emptied.set()

    @classmethod
    def at(cls, folder: Path, partition: str) -> Spool:
        """The spool of a partition in a folder."""
        return cls(SqliteStore(folder / f"{partition}.spool.db"))

    async def open(self) -> None:
        """Open the file; what waits in it from before is seen."""
        await self._store.open()
        first, last = await self._store.bounds()
        self._next = last + 1
        self._done = position = first
        while position < self._next:
            for number, record in await self._store.read(position, _CHUNK_BYTES):
                position = number + 1
                if record == b"":
                    self._done = position
        if self.size:
            self._fill()

    async def aclose(self) -> None:
        """Close the file."""
        await self._store.aclose()

    @property
    def size(self) -> int:
        """How many commands wait."""
        return self._next - self._done

    async def add(self, command: bytes) -> None:
        """Keep a command; it is durable when this returns.

        Raises `JournalError`, or `RouterBusyError` when the disk has almost no room left.
        """
        if isinstance(self._store, Roomy) and self._store.is_low:
            raise RouterBusyError("the spool has almost no room left: nothing was recorded")
        with anyio.CancelScope(shield=True):
            async with self._lock:
                await self._store.append(self._next, FORMAT.to_bytes(_FORM_BYTES) + command)
                self._next += 1
                self._fill()

    def _fill(self) -> None:
        self.filled.set()
        if self.emptied.is_set():
            self.emptied = anyio.Event()

    async def waiting(self) -> list[tuple[int, int, bytes]]:
        """The oldest that wait: position, format, command."""
        found = await self._store.read(self._done, _CHUNK_BYTES)
        return [
            (position, int.from_bytes(record[:_FORM_BYTES]), record[_FORM_BYTES:])
            for position, record in found
        ]

    async def done(self, position: int) -> None:
        """Everything up to this position has been passed on."""
        with anyio.CancelScope(shield=True):
            async with self._lock:
                self._done = position + 1
                if self._done == self._next:
                    await self._store.append(self._next, b"")
                    self._next += 1
                    self._done = self._next
                    self.filled = anyio.Event()
                    self.emptied.set()
                    await self._store.drop(self._done - 1)
                elif position % _DROP_EVERY == 0:
                    await self._store.drop(self._done)
