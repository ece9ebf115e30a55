"""The router's journal: opening and claiming it, snapshots, retention, erasing, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio

from ..errors import JournalError, UsageError
from ..journal import (
    ErasingVault,
    Journal,
    MemoryJournal,
    StoreJournal,
    Vault,
    open_journal,
)
from ..journal.stored import in_thread
from ..observe import EventLog
from ..plan import Plan, dumps
from .clock import Clock
from .shadow import take_snapshot

__all__ = ["Keeper"]

#: How often it is looked for customers who were out of contact for too long.
_EXPIRE_EVERY_S = 3_600


class Keeper:
    """Looks after one journal for one router.

    ``journal`` None is a `MemoryJournal`; a URL is opened here and closed here; any other
    journal belongs to whoever opened it. A snapshot is made in another process after every
    ``snapshot_every`` events; then what is older than ``keep_ms`` (None: nothing) and needed
    by no kept snapshot is dropped. ``vault`` seals a journal that is opened here.
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
        vault: Vault | None = None,
    ) -> None:
        for name, limit in (("snapshot_every", snapshot_every), ("keep_ms", keep_ms)):
            if limit is not None and limit < 1:
                raise UsageError(f"{name} must be at least 1 or None, got {limit!r}")
        self.journal: Journal
        if journal is None:
            self.journal = MemoryJournal()
        else:
            self.journal = (
                open_journal(journal, vault=vault) if isinstance(journal, str) else journal
            )
        found = self.journal.vault if isinstance(self.journal, StoreJournal) else None
        if vault is not None and found is not vault:
            raise UsageError("a vault goes with the URL of a journal in a store, or into it")
        #: what can erase; None: nothing can be erased from this journal
        self.vault = found if isinstance(found, ErasingVault) else None
        self._is_mine = isinstance(journal, str)
        self._plan = plan
        self._clock = clock
        self._log = log
        self._snapshot_every = snapshot_every
        self._keep_ms = keep_ms
        self._since = 0
        self._due = anyio.Event()
        self._snapshotting = anyio.Lock()
        #: the keys of customers who are in contact now; set by the router
        self.in_contact: Callable[[], Iterable[str]] = tuple

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
            await journal.claim(plan=dumps(self._plan))

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
            with anyio.move_on_after(_EXPIRE_EVERY_S if self.vault is not None else None):
                await self._due.wait()
            try:
                await self._expire()
            except (JournalError, OSError) as error:
                self._log.erasure_failed(error)
            if self._due.is_set():
                try:
                    await self._snapshot(journal)
                except (JournalError, OSError) as error:
                    self._log.snapshot_failed(error)

    async def _snapshot(self, journal: StoreJournal) -> None:
        self._due = anyio.Event()
        self._since = 0
        async with self._snapshotting:
            position, size_bytes = await take_snapshot(journal, self._plan)
        self._log.snapshot_taken(position, size_bytes)
        if self._keep_ms is not None:
            await journal.drop_older(self._clock() - self._keep_ms)

    # --- erasing --------------------------------------------------------------------------

    async def unfinished(self) -> tuple[tuple[str, ...], ...]:
        """The keys of customers whose erasure was begun before a crash."""
        return () if self.vault is None else (await in_thread(self.vault.unfinished)).keys

    async def finish_erasing(self) -> None:
        """Destroy the keys of whom was erased, when no snapshot has him any more.

        What stands in snapshots is sealed with their own key. So there is a new one, under a
        new key, and it is read back before the others go. Raises `JournalError`; then it can be
        called again, and is by the next router.
        """
        journal, vault = self.journal, self.vault
        assert vault is not None
        assert isinstance(journal, StoreJournal)
        async with self._snapshotting:
            found = await in_thread(vault.unfinished)
            if not found.notes and not found.retired:
                return
            if await journal.snapshot_positions():
                erased = {key for keys in found.keys for key in keys}
                position, size_bytes = await take_snapshot(journal, self._plan, erased=erased)
                good = await journal.newest_snapshot()
                if good is None or good.position != position:
                    raise JournalError("the snapshot without the customer cannot be read back")
                await journal.drop_snapshots(position)
                self._log.snapshot_taken(position, size_bytes)
            await in_thread(lambda: vault.finish(found))

    async def _expire(self) -> None:
        vault = self.vault
        if vault is None:
            return
        in_contact = tuple(self.in_contact())
        if await in_thread(lambda: vault.expire(in_contact)):
            await self.finish_erasing()
