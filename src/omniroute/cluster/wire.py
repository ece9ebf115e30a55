"""What members say to each other, in the journal's own encoding.

A command travels as a frame of one entry without events, its answer as the same entry with
them, so a member of an older release is understood as an older journal is. Nothing is sealed
on the way: that is what an encrypted connection is for.
"""

from __future__ import annotations

import enum

import msgspec

from ..errors import JournalError, RouterBusyError, UsageError
from ..events import Command, Event
from ..journal import Codec, Entry, Frame
from ..journal.codec import FORMAT
from .coordinator import NoAnswerError

__all__ = ["Answer", "Call", "Kind", "Tidings", "command_of", "encoded", "events_of", "pack"]


class Call(msgspec.Struct, frozen=True, array_like=True, tag="call"):
    """Carry out a command in a partition. ``body`` is the command, as `encoded`."""

    partition: str
    body: bytes
    form: int = FORMAT


class Tidings(msgspec.Struct, frozen=True, array_like=True, tag="tidings"):
    """Look: a lease has changed, or (with a name) events of that partition are durable."""

    partition: str = ""


class Kind(enum.IntEnum):
    """What became of a call."""

    DONE = 0
    NOT_HERE = 1  #: another member owns it, or nobody does at the moment
    BUSY = 2
    MISUSE = 3


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a `Call`: its events, or the words of an error."""

    kind: Kind
    body: bytes = b""
    text: str = ""
    form: int = FORMAT


pack = msgspec.msgpack.Encoder().encode


def encoded(codec: Codec, command: Command, events: tuple[Event, ...] = ()) -> bytes:
    """A command, with what it caused, as bytes."""
    return codec.encode(Frame(1, (Entry(command, 0, events),)))


def command_of(codec: Codec, body: bytes, form: int) -> Command:
    """The command in what `encoded` made; raises `JournalError` when it cannot be read."""
    return codec.decode(form, 1, body).entries[0].command


def events_of(codec: Codec, data: bytes) -> tuple[Event, ...]:
    """The events in an answer, or the error that it is."""
    try:
        answer = msgspec.msgpack.decode(data, type=Answer)
        if answer.kind is Kind.DONE:
            return codec.decode(answer.form, 1, answer.body).events
    except (msgspec.MsgspecError, JournalError) as error:
        raise NoAnswerError(f"an answer that cannot be read: {error}") from error
    if answer.kind is Kind.MISUSE:
        raise UsageError(answer.text)
    if answer.kind is Kind.BUSY:
        raise RouterBusyError(answer.text)
    raise NoAnswerError(answer.text)
