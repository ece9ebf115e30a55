"""What a journal is: frames appended in order, read back in order.

Events are numbered 1, 2, 3, ... over the whole journal. A *frame* is what becomes durable
at once: one or several entries, because the router collects while it appends (group
commit). An *entry* is one command with its moment and the events it caused: the events
are for replay, which decides nothing; the command is for re-deciding under another plan.

A store needs three methods. Nothing in it interprets a frame: `codec.encode` makes the
bytes, ``first_seq`` is the only key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

import msgspec

from ..events import Command, Event

__all__ = ["Entry", "Frame", "ImmediateJournal", "Journal"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One command, when the engine received it, and everything it and the passed time caused.

    The events' own ``at_ms`` may be earlier than ``now_ms``: a timer that was due before
    carries its deadline. A command that changed nothing has no events.
    """

    command: Command
    now_ms: int
    events: tuple[Event, ...]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """What becomes durable at once. ``first_seq`` is the number of its first event."""

    first_seq: int
    entries: tuple[Entry, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        """All its events, in order."""
        return tuple(event for entry in self.entries for event in entry.events)

    @property
    def next_seq(self) -> int:
        """The ``first_seq`` of the frame that follows."""
        return self.first_seq + sum(len(entry.events) for entry in self.entries)


class Journal(Protocol):
    """A store of frames. One router writes to it at a time."""

    async def append(self, frame: Frame) -> None:
        """Make a frame durable; it is when this returns, whole or not at all.

        Frames come in order, one at a time: ``first_seq`` is the ``next_seq`` of the frame
        before (1 in an empty journal); anything else is an error of the caller. Raises
        `JournalError`, after which the router stops. The router shields the call from
        cancellation.
        """
        ...

    def read(self, from_seq: int = 1) -> AsyncIterator[Frame]:
        """The frames that hold event ``from_seq`` or follow it, in order."""
        ...

    async def aclose(self) -> None:
        """Release what it holds. Whoever opened the journal closes it; a router does not."""
        ...


@runtime_checkable
class ImmediateJournal(Journal, Protocol):
    """A journal that a plain call makes durable, such as memory.

    The router then decides, remembers and tells in one step of the caller's own task: no
    task switch between. Only for a call that never blocks.
    """

    def append_nowait(self, frame: Frame) -> None:
        """As `append`, but at once."""
        ...
