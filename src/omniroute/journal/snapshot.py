"""A snapshot as a store keeps it: a record beside the log, tied to the one it follows."""

from __future__ import annotations

from .codec import FORMAT, Codec
from .protocol import Snapshot
from .record import Header, Kind, pack, unpack

__all__ = ["pack_snapshot", "unpack_snapshot"]


def pack_snapshot(snapshot: Snapshot, codec: Codec) -> bytes:
    """A snapshot as the store keeps it. A few ms per MiB."""
    at = snapshot.position
    body = codec.encode_snapshot(at, snapshot.plan, snapshot.state)
    return pack(
        Header(FORMAT, Kind.SNAPSHOT, snapshot.epoch, at, snapshot.next_seq, 0, 0, snapshot.digest),
        body,
    )


def unpack_snapshot(position: int, data: bytes, codec: Codec) -> Snapshot:
    """The opposite of `pack_snapshot`; raises `JournalError` when it is damaged."""
    header, body = unpack(data, position)
    plan, state = codec.decode_snapshot(header.format, position, body)
    return Snapshot(position, header.first_seq, header.epoch, header.previous, plan, state)
