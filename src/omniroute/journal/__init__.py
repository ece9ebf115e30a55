"""The durable, ordered record: what happened, and the commands that caused it.

`Journal` is all that a router asks for, `Frame` what it gives. `MemoryJournal` keeps
everything in this process, `NullJournal` keeps nothing. `StoreJournal` writes records to a
`Store` and is the one place where they are checked; a store keeps opaque bytes.
"""

from __future__ import annotations

from .codec import Codec, subject_of
from .memory import MemoryJournal, MemoryStore, NullJournal, Shelf
from .nats_store import NatsStore
from .opening import open_journal
from .postgres import PostgresStore
from .protocol import Entry, Frame, ImmediateJournal, Journal, Roomy, Snapshot, Store, Vault
from .record import Chain, Header, Kind
from .sqlite import SqliteStore
from .stored import StoreJournal, pack_snapshot, unpack_snapshot

__all__ = [
    "Chain",
    "Codec",
    "Entry",
    "Frame",
    "Header",
    "ImmediateJournal",
    "Journal",
    "Kind",
    "MemoryJournal",
    "MemoryStore",
    "NatsStore",
    "NullJournal",
    "PostgresStore",
    "Roomy",
    "Shelf",
    "Snapshot",
    "SqliteStore",
    "Store",
    "StoreJournal",
    "Vault",
    "open_journal",
    "pack_snapshot",
    "subject_of",
    "unpack_snapshot",
]
