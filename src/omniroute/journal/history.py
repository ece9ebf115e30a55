"""A journal from its beginning, with who wrote what: for those who decide it again.

A recovery needs events alone (`StoreJournal.events`); a replay needs the commands, and the plan
that each writer decided by.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from ..errors import CorruptJournalError
from .codec import Opening
from .protocol import Frame
from .record import Chain, Kind
from .stored import StoreJournal

__all__ = ["history"]


async def history(journal: StoreJournal) -> AsyncIterator[Opening | Frame]:
    """Everything from the first event on: openings, and the frames of each writer behind his.

    Raises `CorruptJournalError`, also when the first events were dropped.
    """
    first, _ = await journal.bounds()
    async with aclosing(journal.records(Chain.before(first))) as records:
        async for header, body in records:
            if header.position == first and header.first_seq > 1:
                why = "event 1 was dropped from the journal"
                raise CorruptJournalError(first, why, first_seq=1)
            if header.kind is Kind.OPENING:
                yield journal.opening(header, body)
            elif header.kind is Kind.FRAME:
                yield journal.frame(header, body)
