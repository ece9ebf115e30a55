"""What stands in a record's body: MessagePack, by the literal tags of commands and events.

Three ideas:

- **Written once.** The message of a `Submit` or `Quarantine` is nearly always repeated in
  the event that it caused (`Queued`, `MessageAppended`, `Rejected`, `Quarantined`). Such a
  command goes out with the channel in place of it, and gets it back from the event when read.
- **Sealed apart.** With a `Vault`, what is personal leaves commands and events and is sealed
  with the customer's key (`sealing`). Replay comes to the same state with and without it.
- **Read for ever.** The format of a body stands in the record's header. This release writes
  `FORMAT`; each older one has a function in `UPCASTERS` that turns its decoded body into
  that of the next format, so each format is described once, when it is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from ..errors import CorruptJournalError, JournalError, VaultError
from ..events import (
    Command,
    CustomerErased,
    Event,
    MessageAppended,
    MessageEdited,
    Quarantine,
    Quarantined,
    Queued,
    Rejected,
    Submit,
    Update,
)
from ..model import Channel, Interaction, Message
from . import sealing
from .protocol import SNAPSHOTS, Entry, ErasingVault, Frame, Vault
from .record import HEADER_BYTES, Header, Kind
from .sealing import Sealed

__all__ = ["FORMAT", "UPCASTERS", "Codec", "Opening"]

#: The format that is written.
FORMAT = 1

#: (kind, format) -> what turns a decoded body of it (lists, dicts, scalars) into the next
#: format's. A pair that is missing changed nothing for that kind.
UPCASTERS: dict[tuple[Kind, int], Callable[[Any], Any]] = {}

_BRINGS_MESSAGE = (Submit, Quarantine, Update)
_WITH_MESSAGE = (Queued, MessageAppended, MessageEdited, Rejected, Quarantined)
_STUBS = {channel: Message(channel=channel) for channel in Channel}
_T = TypeVar("_T")


class Opening(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an opening: who writes from here on. ``writer`` is for people.

    ``plan`` is the text of the plan that the writer decides by: what a replay needs. It is empty
    where it was not told, and where it is too long for a record of the store.
    """

    writer: str = ""
    plan: str = ""


class _Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An `Entry` on the wire.

    With ``message_in``, the command's message is that of the event of this index; what stands
    in the command is then only its channel.
    """

    now_ms: int
    events: tuple[Event, ...]
    command: Command
    message_in: int | None = None


class _Skipped(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An `_Entry` of which only the events are read: half the time."""

    now_ms: msgspec.Raw
    events: tuple[Event, ...]


class _Body(msgspec.Struct, frozen=True, array_like=True):
    entries: tuple[_Entry, ...]
    sealed: tuple[Sealed, ...] = ()


class _Events(msgspec.Struct, frozen=True, array_like=True):
    """A `_Body` of which only the events are read."""

    entries: tuple[_Skipped, ...]
    sealed: tuple[Sealed, ...] = ()


class _SnapshotBody(msgspec.Struct, frozen=True, array_like=True):
    plan: str
    state: bytes
    is_sealed: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(_Body).decode
_decode_events = msgspec.msgpack.Decoder(_Events).decode


class Codec:
    """Bodies of records to values and back. ``vault`` None leaves everything readable.

    ``erases``: what is encoded goes into a journal, so that the keys of a customer whose
    erasure stands in it are retired, and the erasure does not say who it was.
    """

    def __init__(self, vault: Vault | None = None, *, erases: bool = False) -> None:
        self._vault = vault
        self._erases = erases
        #: the subjects of open interactions whose customer is known
        self._who: dict[str, str] = {}

    def know(self, interactions: Iterable[Interaction]) -> None:
        """Take over who is in which interaction; for a writer that continues a journal."""
        for interaction in interactions:
            for message in interaction.messages:
                if message.customer.id:
                    self._who[interaction.id] = sealing.subject_of(message)
                    break

    def encode(self, frame: Frame) -> bytes:
        """The body of a frame. About a microsecond per event; 15 more per message to seal."""
        entries = tuple(_to_wire(entry) for entry in frame.entries)
        if self._vault is None:
            return _encode(_Body(entries))
        sealed: list[Sealed] = []
        apart = tuple(
            self._seal(self._vault, entry, (frame.first_seq, number), sealed)
            for number, entry in enumerate(entries)
        )
        return _encode(_Body(apart, tuple(sealed)))

    def _seal(
        self, vault: Vault, entry: _Entry, place: tuple[int, int], sealed: list[Sealed]
    ) -> _Entry:
        command, events = entry.command, entry.events
        sealing.learn(self._who, events)
        has_message = entry.message_in is None
        command, events = sealing.seal(
            command, events, vault, self._who, place, sealed, has_message=has_message
        )
        sealing.forget(self._who, events)
        if self._erases:
            for event in events:
                if isinstance(event, CustomerErased) and isinstance(vault, ErasingVault):
                    vault.retire(event.keys)
            command = sealing.blanked(command)
            events = tuple(sealing.blanked(event) for event in events)
        return _Entry(entry.now_ms, events, command, entry.message_in)

    def decode(self, form: int, first_seq: int, body: bytes | memoryview) -> Frame:
        """The frame of a body; raises `JournalError` when it is not one."""
        try:
            wire = _decode_body(body) if form == FORMAT else _read(Kind.FRAME, form, body, _Body)
            entries = wire.entries
            if wire.sealed:
                entries = self._unseal(wire, first_seq)
            return Frame(first_seq, tuple(_from_wire(entry) for entry in entries))
        except (msgspec.MsgspecError, IndexError) as error:
            raise JournalError(f"a frame that cannot be read: {error}") from error

    def frame_of(self, header: Header, body: bytes | memoryview) -> Frame:
        """The frame in a record; raises `CorruptJournalError` when it cannot be decoded."""
        with _naming(header):
            frame = self.decode(header.format, header.first_seq, body)
            if frame.next_seq != header.next_seq:
                raise JournalError("it has another number of events than its header says")
            return frame

    def events_of(self, header: Header, body: bytes | memoryview) -> Sequence[Event]:
        """The events in a record, without its commands: what a replay needs.

        None for an opening; raises as `frame_of`.
        """
        if header.kind is not Kind.FRAME:
            return ()
        if header.format != FORMAT:
            return self.frame_of(header, body).events
        with _naming(header):
            try:
                wire = _decode_events(body)
            except msgspec.MsgspecError as error:
                raise JournalError(f"a frame that cannot be read: {error}") from error
            if wire.sealed:
                return self.frame_of(header, body).events
            events = [event for entry in wire.entries for event in entry.events]
            if len(events) != header.events:
                raise JournalError("it has another number of events than its header says")
            return events

    def _unseal(self, wire: _Body, first_seq: int) -> tuple[_Entry, ...]:
        if self._vault is None:
            raise VaultError("the journal is sealed: open it with its vault")
        entries = list(wire.entries)
        for sealed in wire.sealed:
            entry = entries[sealed.entry]
            command, events = sealing.unseal(
                entry.command, entry.events, self._vault, first_seq, sealed
            )
            entries[sealed.entry] = _Entry(entry.now_ms, events, command, entry.message_in)
        return tuple(entries)

    def encode_snapshot(self, position: int, plan: str, state: bytes) -> bytes:
        """The body of a snapshot; sealed as a whole, with the key of snapshots."""
        if self._vault is None:
            return _encode(_SnapshotBody(plan, state))
        sealed = self._vault.seal(SNAPSHOTS, state, f"snapshot:{position}".encode())
        return _encode(_SnapshotBody(plan, sealed, is_sealed=True))

    def decode_snapshot(self, form: int, position: int, body: memoryview) -> tuple[str, bytes]:
        """(fingerprint of the plan, state); raises `JournalError` when it cannot be read."""
        try:
            wire = _read(Kind.SNAPSHOT, form, body, _SnapshotBody)
        except msgspec.MsgspecError as error:
            raise JournalError(f"a snapshot that cannot be read: {error}") from error
        if not wire.is_sealed:
            return wire.plan, wire.state
        if self._vault is None:
            raise VaultError("the snapshot is sealed: open the journal with its vault")
        state = self._vault.unseal(wire.state, f"snapshot:{position}".encode())
        if state is None:
            raise JournalError(f"the key of snapshot {position} was destroyed")
        return wire.plan, state

    def encode_opening(self, opening: Opening, limit: int | None = None) -> bytes:
        """The body of an opening; without the plan if the record would be longer than so."""
        body = _encode(opening)
        if limit is not None and len(body) > limit - HEADER_BYTES:
            body = _encode(Opening(opening.writer))
        return body

    def decode_opening(self, form: int, body: memoryview) -> Opening:
        """Who opened; raises `JournalError` when it cannot be read."""
        try:
            return _read(Kind.OPENING, form, body, Opening)
        except msgspec.MsgspecError as error:
            raise JournalError(f"an opening that cannot be read: {error}") from error


@contextmanager
def _naming(header: Header) -> Iterator[None]:
    """Say which record it is that cannot be decoded."""
    try:
        yield
    except (CorruptJournalError, VaultError):
        raise
    except JournalError as error:
        raise CorruptJournalError(
            header.position, str(error), first_seq=header.first_seq
        ) from error


def _read(kind: Kind, form: int, body: bytes | memoryview, shape: type[_T]) -> _T:
    """The value of a body of this or an older format."""
    if not 1 <= form <= FORMAT:
        raise JournalError(f"format {form} is not known: this release reads 1 to {FORMAT}")
    if form == FORMAT:
        return msgspec.msgpack.decode(body, type=shape)
    raw = msgspec.msgpack.decode(body)
    for older in range(form, FORMAT):
        upcast = UPCASTERS.get((kind, older))
        raw = raw if upcast is None else upcast(raw)
    return msgspec.convert(raw, shape, builtin_types=(bytes,))


# --- written once -------------------------------------------------------------------------


def _to_wire(entry: Entry) -> _Entry:
    command = entry.command
    if isinstance(command, _BRINGS_MESSAGE):
        message = command.message
        for index, event in enumerate(entry.events):
            if isinstance(event, _WITH_MESSAGE) and event.message == message:
                without = msgspec.structs.replace(command, message=_STUBS[message.channel])
                return _Entry(entry.now_ms, entry.events, without, index)
    return _Entry(entry.now_ms, entry.events, command)


def _from_wire(wire: _Entry) -> Entry:
    command = wire.command
    if wire.message_in is not None:
        event = wire.events[wire.message_in]
        if not isinstance(event, _WITH_MESSAGE) or not isinstance(command, _BRINGS_MESSAGE):
            raise msgspec.DecodeError("a command points to an event without a message")
        command = msgspec.structs.replace(command, message=event.message)
    return Entry(command, wire.now_ms, wire.events)
