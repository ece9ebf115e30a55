"""Frames as bytes: a format byte, then MessagePack, by the tags of commands and events.

The message of a `Submit` or `Quarantine` is nearly always repeated in the event that it
caused (`Queued`, `MessageAppended`, `Rejected`, `Quarantined`). It is written once: such a
command goes out without its message and gets it back from the event when read.
"""

from __future__ import annotations

import msgspec

from ..errors import JournalError
from ..events import (
    Command,
    Event,
    MessageAppended,
    Quarantine,
    Quarantined,
    Queued,
    Rejected,
    Submit,
)
from .protocol import Entry, Frame

__all__ = ["FORMAT", "decode", "encode"]

#: The first byte of every frame. Another layout gets another number.
FORMAT = 1

_WITH_MESSAGE = (Queued, MessageAppended, Rejected, Quarantined)


class _Submit(msgspec.Struct, frozen=True, tag="submit", omit_defaults=True):
    """A `Submit` whose message stands in the event of that index."""

    message_in: int
    queue: str | None = None
    priority: int | None = None
    requirement: str | None = None
    interaction_id: str | None = None


class _Quarantine(msgspec.Struct, frozen=True, tag="quarantine", omit_defaults=True):
    """A `Quarantine` whose message stands in the event of that index."""

    message_in: int
    reason: str
    interaction_id: str | None = None


class _WireEntry(msgspec.Struct, frozen=True, array_like=True):
    """An `Entry` on the wire; exactly one of ``command`` and ``slim`` is there."""

    now_ms: int
    events: tuple[Event, ...]
    command: Command | None = None
    slim: _Submit | _Quarantine | None = None


class _WireFrame(msgspec.Struct, frozen=True, array_like=True):
    first_seq: int
    entries: tuple[_WireEntry, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_WireFrame)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. A few microseconds per event."""
    wire = _WireFrame(frame.first_seq, tuple(_to_wire(entry) for entry in frame.entries))
    return bytes((FORMAT,)) + _encoder.encode(wire)


def decode(data: bytes) -> Frame:
    """The frame of these bytes; raises `JournalError` when they are not one."""
    if data[:1] != bytes((FORMAT,)):
        found = data[0] if data else "nothing"
        raise JournalError(f"a frame of format {found}; this version reads format {FORMAT}")
    try:
        wire = _decoder.decode(memoryview(data)[1:])
        return Frame(wire.first_seq, tuple(_from_wire(entry) for entry in wire.entries))
    except (msgspec.MsgspecError, IndexError) as error:
        raise JournalError(f"a frame that cannot be read: {error}") from error


def _to_wire(entry: Entry) -> _WireEntry:
    command = entry.command
    if isinstance(command, Submit | Quarantine):
        for index, event in enumerate(entry.events):
            if isinstance(event, _WITH_MESSAGE) and event.message == command.message:
                return _WireEntry(entry.now_ms, entry.events, slim=_slim(command, index))
    return _WireEntry(entry.now_ms, entry.events, command)


def _slim(command: Submit | Quarantine, index: int) -> _Submit | _Quarantine:
    if isinstance(command, Quarantine):
        return _Quarantine(index, command.reason, command.interaction_id)
    return _Submit(
        index, command.queue, command.priority, command.requirement, command.interaction_id
    )


def _from_wire(wire: _WireEntry) -> Entry:
    command = wire.command
    slim = wire.slim
    if slim is not None:
        event = wire.events[slim.message_in]
        if not isinstance(event, _WITH_MESSAGE):
            raise msgspec.DecodeError("a command points to an event without a message")
        if isinstance(slim, _Quarantine):
            command = Quarantine(event.message, slim.reason, slim.interaction_id)
        else:
            command = Submit(
                event.message, slim.queue, slim.priority, slim.requirement, slim.interaction_id
            )
    if command is None:
        raise msgspec.DecodeError("an entry without a command")
    return Entry(command, wire.now_ms, wire.events)
