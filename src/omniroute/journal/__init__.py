"""The durable, ordered record: what happened, and the commands that caused it.

`Journal` is the protocol that every store follows, `Frame` what it stores. `MemoryJournal`
keeps everything in this process, `NullJournal` keeps nothing. `encode` and `decode` are the
bytes of a frame, the same in every store.
"""

from __future__ import annotations

from .codec import decode, encode
from .memory import MemoryJournal, NullJournal
from .protocol import Entry, Frame, ImmediateJournal, Journal

__all__ = [
    "Entry",
    "Frame",
    "ImmediateJournal",
    "Journal",
    "MemoryJournal",
    "NullJournal",
    "decode",
    "encode",
]
