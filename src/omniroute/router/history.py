"""Timelines out of a journal: that of a running router, or one that no router has."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import unquote

import anyio

from ..engine.customers import own_key
from ..errors import UsageError
from ..journal import Chain, Entry, Journal, Kind, StoreJournal, open_journal
from ..observe.timeline import Conversations, Teller, Timeline

__all__ = ["read_timeline"]


async def read_timeline(
    journal: Journal | str,
    conversation_id: str | None = None,
    *,
    interaction_id: str | None = None,
) -> Timeline:
    """Everything that a journal has about one conversation.

    ``journal`` is an open journal, or a URL such as ``sqlite:///router.db`` that no router has
    now (a running one has `Router.timeline`). ``conversation_id`` is that of an `Interaction`;
    with ``interaction_id`` it is the conversation of the last interaction of that id. A
    conversation that is not there gives an empty timeline.

    Reads the journal twice: O(journal); in memory O(interactions) and the answer. Raises
    `UsageError` unless one of the two is given, `JournalError`, `OSError` for a file that is not
    there.
    """
    if (conversation_id is None) == (interaction_id is None):
        raise UsageError("a timeline is that of one conversation_id, or of one interaction_id")
    if not isinstance(journal, str):
        return await _read(journal, conversation_id, interaction_id)
    if journal.startswith("sqlite:///"):
        await anyio.Path(unquote(journal.removeprefix("sqlite:///"))).stat()  # creates no file
    opened = open_journal(journal)
    try:
        if isinstance(opened, StoreJournal):
            await opened.open()
        return await _read(opened, conversation_id, interaction_id)
    finally:
        with anyio.CancelScope(shield=True):
            await opened.aclose()


async def _read(
    journal: Journal, conversation_id: str | None, interaction_id: str | None
) -> Timeline:
    conversations = Conversations(own_key)
    async with aclosing(_entries(journal)) as entries:
        async for entry in entries:
            conversations.observe(entry.events)
    if interaction_id is not None:
        conversation_id = conversations.of(interaction_id)
    members = conversations.members(conversation_id or "") if conversation_id else frozenset()
    teller = Teller(conversation_id or "", members)
    if members:
        async with aclosing(_entries(journal)) as entries:
            async for entry in entries:
                teller.observe(entry.events, entry.command)
    return teller.timeline()


async def _entries(journal: Journal) -> AsyncGenerator[Entry, None]:
    """All that the journal still has, from its first record on."""
    if isinstance(journal, StoreJournal):
        first, _ = await journal.bounds()
        async with aclosing(journal.records(Chain.before(first))) as records:
            async for header, body in records:
                if header.kind is Kind.FRAME:
                    for entry in journal.frame(header, body).entries:
                        yield entry
    else:
        async for frame in journal.read():
            for entry in frame.entries:
                yield entry
