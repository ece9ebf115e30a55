"""A record: what a store keeps. Header, body, and the chain that ties it to the one before.

The header is fixed, big-endian, 72 bytes:

    magic     4  b"omni"
    format    1  of the body, see `codec`
    kind      1  1 frame, 2 opening, 3 snapshot, 4 part
    parts     2  how many records directly in front of it hold the beginning of its body
    epoch     8  of the writer; an opening raises it, frames keep it
    position  8  of the record in its store; of a snapshot: the last record folded in
    first_seq 8  the number of the first event (of an opening or a snapshot: the next one)
    at_ms     8  the moment of the last entry; an opening or a part repeats the one before
    events    4  how many
    length    4  of the body, in bytes
    previous 16  digest of the record before; zeros in front of the first
    crc       4  CRC-32 of all of the above and the body

The CRC tells which record is damaged. The chain tells that none is missing, doubled,
replaced or from another journal: each record names the digest (BLAKE2b, 16 bytes) of the
whole record before it. `Chain` holds the end of what was checked, and is the one place
where both are checked, for every store.

A frame that is too long for one record of its store is preceded by *parts* that hold the
beginning of its body. They have no events, so nothing has happened before the frame itself is
there: parts with an opening behind them are of a writer who did not get so far, and count for
nothing.
"""

from __future__ import annotations

import enum
import struct
import zlib
from hashlib import blake2b

import msgspec

from ..errors import CorruptJournalError

__all__ = ["HEADER_BYTES", "Chain", "Header", "Kind", "pack", "unpack"]

MAGIC = b"omni"
_FIELDS = struct.Struct(">4sBBHQQQqII16s")
_CRC = struct.Struct(">I")
HEADER_BYTES = _FIELDS.size + _CRC.size
_NOTHING = bytes(16)


class Kind(enum.IntEnum):
    """What a record is."""

    FRAME = 1  #: entries
    OPENING = 2  #: a writer took over
    SNAPSHOT = 3  #: not in the log: the state beside it
    PART = 4  #: a piece of the frame that follows


class Header(msgspec.Struct, frozen=True, gc=False):
    """What stands in front of every body."""

    format: int
    kind: Kind
    epoch: int
    position: int
    first_seq: int
    at_ms: int
    events: int
    previous: bytes
    parts: int = 0

    @property
    def next_seq(self) -> int:
        """The number of the first event behind it."""
        return self.first_seq + self.events


def pack(header: Header, body: bytes) -> bytes:
    """The record. About 1 us and 1 ns per byte."""
    fields = _FIELDS.pack(
        MAGIC,
        header.format,
        header.kind,
        header.parts,
        header.epoch,
        header.position,
        header.first_seq,
        header.at_ms,
        header.events,
        len(body),
        header.previous,
    )
    return b"".join((fields, _CRC.pack(zlib.crc32(body, zlib.crc32(fields))), body))


def unpack(record: bytes, position: int) -> tuple[Header, memoryview]:
    """Header and body of the record at a position; raises `CorruptJournalError`."""
    if len(record) < HEADER_BYTES:
        raise CorruptJournalError(
            position, f"it has {len(record)} bytes, a header alone has {HEADER_BYTES}"
        )
    (magic, *numbers, length, previous) = _FIELDS.unpack_from(record)
    if magic != MAGIC:
        raise CorruptJournalError(position, f"at byte 0: it begins with {magic!r}, not {MAGIC!r}")
    form, kind, parts, epoch, own_position, first_seq, at_ms, events = numbers
    if len(record) != HEADER_BYTES + length:
        raise CorruptJournalError(
            position,
            f"its body has {len(record) - HEADER_BYTES} bytes, the header announces {length}",
        )
    body = memoryview(record)[HEADER_BYTES:]
    crc = zlib.crc32(body, zlib.crc32(memoryview(record)[: _FIELDS.size]))
    (written,) = _CRC.unpack_from(record, _FIELDS.size)
    if crc != written:
        raise CorruptJournalError(position, f"its CRC is {crc:08x}, written was {written:08x}")
    if own_position != position:
        raise CorruptJournalError(position, f"it says that it is record {own_position}")
    try:
        known = Kind(kind)
    except ValueError:
        raise CorruptJournalError(position, f"kind {kind} is not known: a newer release?") from None
    header = Header(form, known, epoch, position, first_seq, at_ms, events, previous, parts)
    return header, body


def digest_of(record: bytes) -> bytes:
    """What the next record names as the one before."""
    return blake2b(record, digest_size=16).digest()


class Chain:
    """The end of what is known to be whole: the last record's place, numbers and digest.

    A fresh one stands in front of record 1. ``anchored`` False means that it takes the
    first record it sees as given: what was in front of it is gone.
    """

    __slots__ = (
        "_parts",
        "_pieces",
        "anchored",
        "at_ms",
        "digest",
        "epoch",
        "next_seq",
        "position",
    )

    def __init__(
        self,
        position: int = 0,
        next_seq: int = 1,
        epoch: int = 0,
        digest: bytes = _NOTHING,
        *,
        at_ms: int = 0,
        anchored: bool = True,
    ) -> None:
        self.position = position
        self.next_seq = next_seq
        self.epoch = epoch
        self.digest = digest
        self.at_ms = at_ms
        self.anchored = anchored
        #: the parts it stands behind, and their bodies; fewer when it began amid them
        self._parts = 0
        self._pieces: tuple[memoryview, ...] = ()

    @classmethod
    def before(cls, position: int) -> Chain:
        """In front of a record about whose predecessors nothing is known."""
        return cls(position - 1, anchored=position == 1)

    def frame(self, form: int, body: bytes, *, events: int, at_ms: int) -> bytes:
        """The frame that comes next; behind parts, the rest of it. The chain moves by `follow`."""
        return self._link(Kind.FRAME, form, self.epoch, body, events, at_ms)

    def part(self, form: int, piece: bytes) -> bytes:
        """A piece of the frame that comes next."""
        return self._link(Kind.PART, form, self.epoch, piece, 0, self.at_ms)

    def opening(self, form: int, body: bytes, *, epoch: int) -> bytes:
        """The opening that comes next, of a writer with this epoch."""
        return self._link(Kind.OPENING, form, epoch, body, 0, self.at_ms)

    def _link(
        self, kind: Kind, form: int, epoch: int, body: bytes, events: int, at_ms: int
    ) -> bytes:
        position = self.position + 1
        parts = 0 if kind is Kind.OPENING else self._parts
        header = Header(
            form, kind, epoch, position, self.next_seq, at_ms, events, self.digest, parts
        )
        return pack(header, body)

    def follow(self, position: int, record: bytes) -> tuple[Header, memoryview]:
        """Check the next record and move behind it; raises `CorruptJournalError`.

        Returns its header and its body: of a frame the whole one, of a part nothing.
        """
        if position != self.position + 1:
            missing = self.position + 1
            raise CorruptJournalError(
                missing, f"it is missing: the next one is {position}", first_seq=self.next_seq
            )
        header, body = unpack(record, position)
        if self.anchored:
            self._check(header)
        self.anchored = True
        self.position = position
        self.next_seq = header.next_seq
        self.epoch = header.epoch
        self.at_ms = header.at_ms
        self.digest = digest_of(record)
        if header.kind is Kind.PART:
            self._parts, self._pieces = header.parts + 1, (*self._pieces, body)
            return header, body[:0]
        if header.parts:
            # Amid its parts nothing is known of it: of no body nobody makes a wrong frame.
            is_whole = header.parts == len(self._pieces)
            body = memoryview(b"".join((*self._pieces, body)) if is_whole else b"")
        self._parts, self._pieces = 0, ()
        return header, body

    def _check(self, header: Header) -> None:
        rises = header.epoch - self.epoch
        if header.previous != self.digest:
            wrong = "it does not follow the record in front of it: one of them was replaced"
        elif header.first_seq != self.next_seq:
            wrong = f"it begins at event {header.first_seq} instead of {self.next_seq}"
        elif rises < 1 if header.kind is Kind.OPENING else rises:
            wrong = f"epoch {header.epoch} follows epoch {self.epoch} without an opening"
        elif header.parts != (0 if header.kind is Kind.OPENING else self._parts):
            wrong = f"it has {header.parts} parts in front of it, found are {self._parts}"
        else:
            return
        raise CorruptJournalError(header.position, wrong, first_seq=self.next_seq)
