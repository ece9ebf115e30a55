"""The durable, ordered record: what happened, and the commands that caused it.

`Journal` is all that a router asks for, `Frame` what it gives. `MemoryJournal` keeps
everything in this process, `NullJournal` keeps nothing. `StoreJournal` writes records to a
`Store` and is the one place where they are checked; a store keeps opaque bytes. A `Vault`
seals what is personal; `KeyVault` has a key per customer, and erases him with it.
"""

from __future__ import annotations

from .closed import ClosedVault
from .codec import Codec, Opening
from .history import history
from .key_store import KeyStore, SqliteKeyStore
from .key_vault import KeyVault, new_master_key, subject_key
from .memory import MemoryJournal, MemoryStore, NullJournal, Shelf
from .nats_store import NatsStore
from .opening import open_journal
from .postgres import PostgresStore
from .protocol import (
    Entry,
    ErasingVault,
    Frame,
    ImmediateJournal,
    Journal,
    Roomy,
    Snapshot,
    Store,
    Unfinished,
    Vault,
)
from .record import Chain, Header, Kind
from .sealing import subject_of
from .snapshot import pack_snapshot, unpack_snapshot
from .sqlite import SqliteStore
from .stored import StoreJournal

__all__ = [
    "Chain",
    "ClosedVault",
    "Codec",
    "Entry",
    "ErasingVault",
    "Frame",
    "Header",
    "ImmediateJournal",
    "Journal",
    "KeyStore",
    "KeyVault",
    "Kind",
    "MemoryJournal",
    "MemoryStore",
    "NatsStore",
    "NullJournal",
    "Opening",
    "PostgresStore",
    "Roomy",
    "Shelf",
    "Snapshot",
    "SqliteKeyStore",
    "SqliteStore",
    "Store",
    "StoreJournal",
    "Unfinished",
    "Vault",
    "history",
    "new_master_key",
    "open_journal",
    "pack_snapshot",
    "subject_key",
    "subject_of",
    "unpack_snapshot",
]
