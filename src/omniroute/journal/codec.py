"""What stands in a record's body: MessagePack, by the literal tags of commands and events.

Three ideas:

- **Written once.** The message of a `Submit` or `Quarantine` is nearly always repeated in
  the event that it caused (`Queued`, `MessageAppended`, `Rejected`, `Quarantined`). Such a
  command goes out with the channel in place of it, and gets it back from the event when read.
- **Sealed apart.** With a `Vault`, what is personal in a message (who, and what they said)
  leaves it and is sealed with the customer's key; routing facts stay readable. Whose key
  was destroyed reads as a message without them. Replay folds the same facts either way.
- **Read for ever.** The format of a body stands in the record's header. This release writes
  `FORMAT`; each older one has a function in `UPCASTERS` that turns its decoded body into
  that of the next format, so each format is described once, when it is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from ..errors import CorruptJournalError, JournalError
from ..events import (
    Command,
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
from ..model import Attachment, Channel, Customer, Message
from .protocol import Entry, Frame, Vault
from .record import Header, Kind

__all__ = ["FORMAT", "UPCASTERS", "Codec", "Opening", "subject_of"]

#: The format that is written.
FORMAT = 1

#: (kind, format) -> what turns a decoded body of it (lists, dicts, scalars) into the next
#: format's. A pair that is missing changed nothing for that kind.
UPCASTERS: dict[tuple[Kind, int], Callable[[Any], Any]] = {}

_BRINGS_MESSAGE = (Submit, Quarantine, Update)
_WITH_MESSAGE = (Queued, MessageAppended, MessageEdited, Rejected, Quarantined)
_STUBS = {channel: Message(channel=channel) for channel in Channel}
_T = TypeVar("_T")
#: Stands for the command where a place in an entry is told: events count from 0.
_COMMAND = -1


class Opening(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of an opening: who writes from here on. ``writer`` is for people."""

    writer: str = ""


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


class _Personal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is personal in a message. Attributes are routing facts: triage may read them."""

    customer: Customer = Customer()
    subject: str = ""
    text: str = ""
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What left the message of an entry's event (or command)."""

    entry: int
    event: int
    data: bytes


class _Body(msgspec.Struct, frozen=True, array_like=True):
    entries: tuple[_Entry, ...]
    sealed: tuple[_Sealed, ...] = ()


class _Events(msgspec.Struct, frozen=True, array_like=True):
    """A `_Body` of which only the events are read."""

    entries: tuple[_Skipped, ...]
    sealed: tuple[_Sealed, ...] = ()


class _SnapshotBody(msgspec.Struct, frozen=True, array_like=True):
    plan: str
    state: bytes
    is_sealed: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(_Body).decode
_decode_events = msgspec.msgpack.Decoder(_Events).decode
_decode_personal = msgspec.msgpack.Decoder(_Personal).decode


def subject_of(message: Message) -> str:
    """Whose key seals a message: its customer's on its channel; without an id, its thread's."""
    return f"{message.channel.value}:{message.customer.id or message.thread_id or ''}"


class Codec:
    """Bodies of records to values and back. ``vault`` None leaves everything readable."""

    def __init__(self, vault: Vault | None = None) -> None:
        self._vault = vault

    def encode(self, frame: Frame) -> bytes:
        """The body of a frame. About a microsecond per event."""
        entries = tuple(_to_wire(entry) for entry in frame.entries)
        if self._vault is None:
            return _encode(_Body(entries))
        sealed: list[_Sealed] = []
        apart = tuple(
            _seal(entry, number, frame.first_seq, self._vault, sealed)
            for number, entry in enumerate(entries)
        )
        return _encode(_Body(apart, tuple(sealed)))

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
            raise JournalError("the journal is sealed: open it with its vault")
        entries = list(wire.entries)
        for sealed in wire.sealed:
            context = _context(first_seq, sealed.entry, sealed.event)
            plain = self._vault.unseal(sealed.data, context)
            if plain is None:
                continue
            personal = _decode_personal(plain)
            entry = entries[sealed.entry]
            message = _message(entry, sealed.event)
            whole = msgspec.structs.replace(message, **msgspec.structs.asdict(personal))
            entries[sealed.entry] = _with_message(entry, sealed.event, whole)
        return tuple(entries)

    def encode_snapshot(self, position: int, plan: str, state: bytes) -> bytes:
        """The body of a snapshot; sealed as a whole, with a key of its own."""
        if self._vault is None:
            return _encode(_SnapshotBody(plan, state))
        subject = f"snapshot:{position}"
        sealed = self._vault.seal(subject, state, subject.encode())
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
            raise JournalError("the snapshot is sealed: open the journal with its vault")
        state = self._vault.unseal(wire.state, f"snapshot:{position}".encode())
        if state is None:
            raise JournalError(f"the key of snapshot {position} was destroyed")
        return wire.plan, state

    def encode_opening(self, opening: Opening) -> bytes:
        """The body of an opening."""
        return _encode(opening)

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
    except CorruptJournalError:
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


# --- sealed apart -------------------------------------------------------------------------


def _context(first_seq: int, entry: int, event: int) -> bytes:
    return f"{first_seq}/{entry}/{event}".encode()


def _places(entry: _Entry) -> Iterator[tuple[int, Message]]:
    """Where an entry has messages: the index of the event, or `_COMMAND`."""
    if isinstance(entry.command, _BRINGS_MESSAGE) and entry.message_in is None:
        yield _COMMAND, entry.command.message
    for index, event in enumerate(entry.events):
        if isinstance(event, _WITH_MESSAGE):
            yield index, event.message


def _seal(
    entry: _Entry, number: int, first_seq: int, vault: Vault, sealed: list[_Sealed]
) -> _Entry:
    for place, message in _places(entry):
        fields = {name: getattr(message, name) for name in _Personal.__struct_fields__}
        plain = _encode(_Personal(**fields))
        data = vault.seal(subject_of(message), plain, _context(first_seq, number, place))
        sealed.append(_Sealed(number, place, data))
        facts = msgspec.structs.replace(message, **msgspec.structs.asdict(_Personal()))
        entry = _with_message(entry, place, facts)
    return entry


def _message(entry: _Entry, place: int) -> Message:
    for found, message in _places(entry):
        if found == place:
            return message
    raise msgspec.DecodeError("what is sealed belongs to an event without a message")


def _with_message(entry: _Entry, place: int, message: Message) -> _Entry:
    replace = msgspec.structs.replace
    if place == _COMMAND:
        return replace(entry, command=replace(entry.command, message=message))
    events = list(entry.events)
    events[place] = replace(events[place], message=message)
    return replace(entry, events=tuple(events))
