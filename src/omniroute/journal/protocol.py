"""What a journal is: frames appended in order, read back in order; and what keeps them.

Events are numbered 1, 2, 3, ... over the whole journal. A *frame* is what becomes durable
at once: one or several entries, because the router collects while it appends (group
commit). An *entry* is one command with its moment and the events it caused: the events
are for replay, which decides nothing; the command is for re-deciding under another plan.

Two layers, so that a store needs no opinion about what it stores:

- A `Journal` takes and gives frames. It is all that a router asks for.
- A `Store` keeps opaque records, numbered 1, 2, 3, ... without a gap: a file, a database, a
  stream. `StoreJournal` is the one journal on top of all of them; it alone knows what a
  record is, checks it and names what is wrong with it.

**The fence.** A store accepts a record only at the position after its last one, atomically:
that compare-and-append is its whole duty about writers. A writer begins by appending an
*opening* record with an epoch above all before. Whoever wrote before still believes the
journal ends where it did; his next append asks for a position that is taken, he reads who
sits there, and learns that he is fenced. A lease may decide who should write; only this
decides who can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from ..events import Command, Event

__all__ = [
    "SNAPSHOTS",
    "Entry",
    "ErasingVault",
    "Frame",
    "ImmediateJournal",
    "Journal",
    "Roomy",
    "Snapshot",
    "Store",
    "Unfinished",
    "Vault",
]

#: The subject of all snapshots; no customer's, which has a colon.
SNAPSHOTS = "snapshots"


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


class Snapshot(msgspec.Struct, frozen=True):
    """The state of an engine after the record at ``position``: where a recovery may begin.

    ``next_seq`` is the number of the first event that is not folded in, ``digest`` ties it to
    the record it follows, ``plan`` is the fingerprint of the plan it was folded under.
    ``state`` is what `Engine.snapshot` gave.
    """

    position: int
    next_seq: int
    epoch: int
    digest: bytes
    plan: str
    state: bytes


class Journal(Protocol):
    """An ordered record of frames. One router writes to it at a time."""

    async def append(self, frame: Frame) -> None:
        """Make a frame durable; it is when this returns.

        Frames come in order, one at a time: ``first_seq`` is the ``next_seq`` of the frame
        before (1 in an empty journal); anything else is an error of the caller. Raises
        `JournalError`, after which the router stops; then a part of the frame may still be
        found on recovery, never without everything before it, and never half an entry. The
        router shields the call from cancellation.
        """
        ...

    def read(self, from_seq: int = 1) -> AsyncIterator[Frame]:
        """The frames that hold event ``from_seq`` or follow it, in order."""
        ...

    async def aclose(self) -> None:
        """Release what it holds. Whoever opened the journal closes it."""
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


class Store(Protocol):
    """Opaque records at positions 1, 2, 3, ..., and snapshots beside them.

    `omniroute.testing.store_checks` is the meaning of this protocol, executable. Calls come
    one at a time, except that reads may overlap an append. Every method but `open` is
    called only between `open` and `aclose`. What fails raises `JournalError`, or a driver's
    own exception, which the journal wraps.
    """

    place: str  #: for messages: where it is, without passwords
    exclusive: bool  #: while one handle is open, the `open` of another raises `JournalError`
    tears: bool  #: a crash may leave the last record incomplete (transactions never do)
    max_record_bytes: int | None  #: longer records are refused; None: no limit worth naming

    async def open(self) -> None:
        """Connect, and create what is missing. It does not make the caller the writer."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none.

        They only ever grow, but for `cut`.
        """
        ...

    async def append(self, position: int, record: bytes) -> None:
        """Make a record durable at ``position``, whole or not at all, if it is the next one.

        Raises `PositionTakenError` when a record is there already, whoever put it: the
        caller looks. Raises `AppendUnknownError` when the answer was lost, so that the
        record may be there or not (or may still come: a store for which that is possible
        settles it before `bounds` and `read` answer again). Raises `JournalFullError`
        when there is no room; then nothing was written.
        """
        ...

    async def read(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """The records from ``position`` on, in order, with their positions.

        About ``max_bytes`` of them: one at least when there is any, and then as many as fit.
        Nothing of an append that has not returned may be missing once it has.
        """
        ...

    async def drop(self, before: int) -> None:
        """Forget the records in front of position ``before``; the last one always stays."""
        ...

    async def cut(self, position: int) -> None:
        """Forget the record at ``position``, the last one: a torn tail. Only when `tears`."""
        ...

    async def snapshots(self) -> list[int]:
        """The positions of the snapshots, newest first."""
        ...

    async def load_snapshot(self, position: int) -> bytes:
        """The snapshot of that position; raises `JournalError` when there is none."""
        ...

    async def save_snapshot(self, position: int, data: bytes) -> None:
        """Make a snapshot durable, whole or not at all; replaces the one of that position."""
        ...

    async def drop_snapshot(self, position: int) -> None:
        """Forget a snapshot; nothing happens when there is none."""
        ...

    async def aclose(self) -> None:
        """Disconnect; called once, also after a failure."""
        ...


@runtime_checkable
class Roomy(Protocol):
    """A store that knows how much room is left, before there is none."""

    @property
    def is_low(self) -> bool:
        """Whether new work should be refused, so that work at hand can be finished. Cheap."""
        ...


class Vault(Protocol):
    """Seals what is personal apart from what routing needs, one key per subject.

    A subject is a customer (`sealing.subject_of`) or `SNAPSHOTS`; it is not written to the
    journal, so what `seal` gives must name its key by itself. ``context`` is what the bytes
    belong to: authenticated, not hidden. The calls are synchronous and must not block for
    long. A vault must be picklable: snapshots are made in another process.
    """

    def seal(self, subject: str, plain: bytes, context: bytes) -> bytes:
        """The bytes, unreadable without the subject's key; makes the key when there is none."""
        ...

    def unseal(self, sealed: bytes, context: bytes) -> bytes | None:
        """The bytes again; None when the key was destroyed. Raises `JournalError` if altered."""
        ...

    def pseudonym(self, subject: str, value: str) -> str:
        """What stands for an identity of a subject ("": of several) when its key is gone.

        The same for the same value and key; nobody can tell the value from it.
        """
        ...


@runtime_checkable
class ErasingVault(Vault, Protocol):
    """A vault that keeps its keys somewhere, and destroys them. See `KeyVault`.

    The methods here block, so a journal and a router call them in a thread, `retire` aside.
    """

    @property
    def is_settled(self) -> bool:
        """Whether every key that was used is durable. Cheap."""
        ...

    def open(self) -> None:
        """Check that the keys can be read. Raises `VaultError`. May be called again."""
        ...

    def settle(self) -> None:
        """Make durable what `seal` and `retire` did. Raises `JournalError`."""
        ...

    def retire(self, keys: Collection[str]) -> None:
        """Seal nothing more with these customers' keys, nor with that of snapshots. Quick."""
        ...

    def unfinished(self) -> Unfinished:
        """What was retired (also before a crash) and is not destroyed."""
        ...

    def finish(self, done: Unfinished) -> None:
        """Destroy it, durably."""
        ...

    def expire(self, in_contact: Iterable[str]) -> int:
        """Retire the keys of who was out of contact for too long; returns how many."""
        ...

    def close(self) -> None:
        """Release what it holds. A later call takes it again."""
        ...


class Unfinished(NamedTuple):
    """Erasures that are not at their end.

    ``notes`` and ``retired`` are the vault's own; ``keys`` has those of each `EraseCustomer`.
    """

    notes: tuple[int, ...]
    retired: tuple[bytes, ...]
    keys: tuple[tuple[str, ...], ...]
