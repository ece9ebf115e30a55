"""The router's journal: opening and claiming it, snapshots now and then, retention, closing."""

from __future__ import annotations

import anyio

from ..errors import JournalError, UsageError
from ..journal import Journal, MemoryJournal, StoreJournal, open_journal
from ..observe import EventLog
from ..plan import Plan
from .clock import Clock
from .shadow import take_snapshot

__all__ = ["Keeper"]


class Keeper:
    """Looks after one journal for one router.

    ``journal`` None is a `MemoryJournal`; a URL is opened here and closed here; any other
    journal belongs to whoever opened it. A snapshot is made in another process after every
    ``snapshot_every`` events; then what is older than ``keep_ms`` (None: nothing) and needed
    by no kept snapshot is dropped.
    """

    def __init__(
        self,
        journal: Journal | str | None,
        plan: Plan,
        clock: Clock,
        log: EventLog,
        *,
        snapshot_every: int | None,
        keep_ms: int | None,
    ) -> None:
        for name, limit in (("snapshot_every", snapshot_every), ("keep_ms", keep_ms)):
            if limit is not None and limit < 1:
                raise UsageError(f"{name} must be at least 1 or None, got {limit!r}")
        self.journal: Journal
        if journal is None:
            self.journal = MemoryJournal()
        else:
            self.journal = open_journal(journal) if isinstance(journal, str) else journal
        self._is_mine = isinstance(journal, str)
        self._plan = plan
        self._clock = clock
        self._log = log
        self._snapshot_every = snapshot_every
        self._keep_ms = keep_ms
        self._since = 0
        self._due = anyio.Event()

    async def open(self) -> None:
        """Open it if that is ours to do, and become its writer."""
        journal = self.journal
        if isinstance(journal, StoreJournal):
            if self._is_mine:
                await journal.open()
            elif not journal.is_open:
                raise UsageError(
                    "the journal is not open: put `async with journal:` around the router, or "
                    "give the router the journal's URL"
                )
            await journal.claim()

    async def aclose(self) -> None:
        """Close it if it was opened here."""
        if self._is_mine:
            with anyio.CancelScope(shield=True):
                await self.journal.aclose()

    def published(self, events: int) -> None:
        """So many more events are durable, or were recovered behind the newest snapshot."""
        self._since += events
        if self._snapshot_every is not None and self._since >= self._snapshot_every:
            self._due.set()

    async def run(self) -> None:
        """Make snapshots until cancelled. One that cannot be made is logged, no more."""
        journal = self.journal
        if not isinstance(journal, StoreJournal):
            return
        while True:
            await self._due.wait()
            self._due = anyio.Event()
            self._since = 0
            try:
                position, size_bytes = await take_snapshot(journal, self._plan)
                self._log.snapshot_taken(position, size_bytes)
                if self._keep_ms is not None:
                    await journal.drop_older(self._clock() - self._keep_ms)
            except (JournalError, OSError) as error:
                self._log.snapshot_failed(error)
