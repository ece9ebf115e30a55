"""Journals without a disk: one that keeps everything, one that keeps nothing, and a store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..errors import JournalError, JournalFullError, PositionTakenError
from .protocol import Frame

__all__ = ["MemoryJournal", "MemoryStore", "NullJournal", "Shelf"]


class MemoryJournal:
    """Keeps every frame in this process: for tests, simulations and short runs.

    It grows with every command and forgets nothing (a journal that drops its oldest frames
    cannot be replayed). ``max_events`` bounds it: the append that would go over raises
    `JournalFullError`, which stops the router. A service that runs for long and may lose
    its state on a restart takes a `NullJournal`.
    """

    def __init__(self, *, max_events: int | None = None) -> None:
        self.max_events = max_events
        self.frames: list[Frame] = []
        self.next_seq = 1

    def append_nowait(self, frame: Frame) -> None:
        """Keep a frame. O(1)."""
        if frame.first_seq != self.next_seq:
            raise JournalError(
                f"a frame begins at event {frame.first_seq}, the journal expects {self.next_seq}"
            )
        next_seq = frame.next_seq
        if self.max_events is not None and next_seq - 1 > self.max_events:
            raise JournalFullError(f"the journal is full: max_events is {self.max_events}")
        self.frames.append(frame)
        self.next_seq = next_seq

    async def append(self, frame: Frame) -> None:
        """As `append_nowait`."""
        self.append_nowait(frame)

    async def read(self, from_seq: int = 1) -> AsyncIterator[Frame]:
        """The frames that hold event ``from_seq`` or follow it."""
        for frame in list(self.frames):
            if frame.first_seq >= from_seq or frame.next_seq > from_seq:
                yield frame

    async def aclose(self) -> None:
        """Nothing to release; the frames stay readable."""


class NullJournal:
    """Keeps nothing: for a router whose waiting work may be lost on a restart."""

    def append_nowait(self, frame: Frame) -> None:
        """Forget it."""

    async def append(self, frame: Frame) -> None:
        """Forget it."""

    async def read(self, from_seq: int = 1) -> AsyncIterator[Frame]:
        """Nothing was kept."""
        nothing: tuple[Frame, ...] = ()
        for frame in nothing:
            yield frame

    async def aclose(self) -> None:
        """Nothing to release."""


class Shelf:
    """What `MemoryStore` handles share: the records and snapshots of one log."""

    def __init__(self) -> None:
        self.first = 1
        self.records: list[bytes] = []
        self.snapshots: dict[int, bytes] = {}


class MemoryStore:
    """The store protocol in a few lines: the meaning that every other store is held to.

    ``shelf`` is what it stores on; a second handle on the same shelf is a second writer. It
    lasts as long as the shelf: for tests of everything above a store.
    """

    place = "memory:"
    exclusive = False
    tears = False
    max_record_bytes: int | None = None

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = Shelf() if shelf is None else shelf

    async def open(self) -> None:
        """Nothing to connect to."""

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none."""
        shelf = self.shelf
        return shelf.first, shelf.first + len(shelf.records) - 1

    async def append(self, position: int, record: bytes) -> None:
        """Keep a record, if ``position`` is the next one."""
        first, last = await self.bounds()
        if position <= last:
            raise PositionTakenError(f"record {position} is there already")
        if position != last + 1:
            raise JournalError(f"record {position} would leave a gap behind {last}")
        assert first <= position
        self.shelf.records.append(record)

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records from ``position`` on."""
        shelf = self.shelf
        found: list[tuple[int, bytes]] = []
        size = 0
        start = max(position, shelf.first)
        for number, record in enumerate(shelf.records[start - shelf.first :], start):
            size += len(record)
            if found and size > max_bytes:
                break
            found.append((number, record))
        return found

    async def drop(self, before: int) -> None:
        """Forget the records in front of ``before``; the last one stays."""
        shelf = self.shelf
        count = min(before - shelf.first, len(shelf.records) - 1)
        if count > 0:
            del shelf.records[:count]
            shelf.first += count

    async def cut(self, position: int) -> None:
        """Forget the last record."""
        assert position == self.shelf.first + len(self.shelf.records) - 1
        self.shelf.records.pop()

    async def snapshots(self) -> list[int]:
        """The positions of the snapshots, newest first."""
        return sorted(self.shelf.snapshots, reverse=True)

    async def load_snapshot(self, position: int) -> bytes:
        """One snapshot."""
        found = self.shelf.snapshots.get(position)
        if found is None:
            raise JournalError(f"there is no snapshot {position}")
        return found

    async def save_snapshot(self, position: int, data: bytes) -> None:
        """Keep a snapshot."""
        self.shelf.snapshots[position] = data

    async def drop_snapshot(self, position: int) -> None:
        """Forget a snapshot."""
        self.shelf.snapshots.pop(position, None)

    async def aclose(self) -> None:
        """The shelf keeps what it has."""
