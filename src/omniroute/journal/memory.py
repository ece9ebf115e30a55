"""Journals without a disk: one that keeps everything, one that keeps nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..errors import JournalError
from .protocol import Frame

__all__ = ["MemoryJournal", "NullJournal"]


class MemoryJournal:
    """Keeps every frame in this process: for tests, simulations and short runs.

    It grows with every command and forgets nothing (a journal that drops its oldest frames
    cannot be replayed). ``max_events`` bounds it: the append that would go over raises
    `JournalError`, which stops the router. A service that runs for long and may lose its
    state on a restart takes a `NullJournal`.
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
            raise JournalError(f"the journal is full: max_events is {self.max_events}")
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
