"""A routing domain, and the router of it while it is owned here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import TaskStatus
from attrs import Factory, field, frozen

from ..errors import FencedError, UsageError
from ..events import Event
from ..journal import Store, StoreJournal, Vault, open_journal
from ..plan import Plan
from ..router import Router

__all__ = ["Owned", "Partition", "checked_name"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def checked_name(kind: str, name: str) -> str:
    """The name, if it may stand in keys and subjects everywhere; else `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{kind} {name!r}: letters, digits, - and _, 64 at most")
    return name


@frozen(kw_only=True)
class Partition:
    """Queues and agents that share work, and nothing with other partitions.

    ``journal`` is the URL of a journal that every member can reach, or a function that makes
    its store; ``vault`` as in `StoreJournal`, with the same keys at every member. ``options`` go
    to the `Router`: ``keep_ms``, ``snapshot_every``, ``registry``, ``on_events``, ``clock``, ...
    """

    name: str = field(validator=lambda _, __, name: _named(name))
    plan: Plan
    journal: str | Callable[[], Store]
    vault: Vault | None = None
    options: Mapping[str, Any] = Factory(dict)

    def store(self) -> Store:
        """A new handle on its journal's store; raises `UsageError` if it cannot be shared."""
        if not isinstance(self.journal, str):
            return self.journal()
        journal = open_journal(self.journal)
        if not isinstance(journal, StoreJournal) or journal.store.exclusive:
            raise UsageError(
                f"partition {self.name!r}: {self.journal.partition(':')[0]} is of one process; "
                "members share a journal in PostgreSQL or NATS"
            )
        return journal.store


def _named(name: str) -> None:
    checked_name("partition", name)


class _LeasedJournal(StoreJournal):
    """Is claimed with the epoch of a lease.

    Who holds an older lease and is late with his claim is fenced by it, not the other way
    round. When the journal is further than the lease (it was written by a router that is in no
    cluster), the lease moves on first, if it is still ours.
    """

    def __init__(self, owned: Owned, member: str) -> None:
        partition = owned.partition
        super().__init__(partition.store(), vault=partition.vault, writer=member)
        self._owned = owned

    async def claim(self, epoch: int | None = None, *, plan: str = "") -> int:
        """Become the writer."""
        while True:
            try:
                return await super().claim(self._owned.epoch, plan=plan)
            except FencedError as error:
                if not await self._owned.move_on(error.by_epoch + 1):
                    raise


class Owned:
    """A partition that this member holds the lease of.

    It is ours until ``until_s`` of the loop's clock. ``move_on`` raises its epoch, and tells
    whether it is still ours.
    """

    def __init__(self, partition: Partition, epoch: int, revision: int) -> None:
        self.partition = partition
        self.epoch = epoch
        self.revision = revision
        self.until_s = 0.0
        self.router: Router | None = None
        self.scope = anyio.CancelScope()
        self.finished = anyio.Event()
        self.move_on: Callable[[int], Awaitable[bool]]

    async def run(
        self,
        member: str,
        *,
        on_events: Callable[[tuple[Event, ...]], object],
        opened: Callable[[], object],
    ) -> None:
        """Recover and route until the scope is cancelled. Raises what made it fail."""
        with self.scope:
            options = dict(self.partition.options)
            theirs = options.pop("on_events", None)

            def tell(events: tuple[Event, ...]) -> None:
                on_events(events)
                if theirs is not None:
                    theirs(events)

            async with _LeasedJournal(self, member) as journal:
                router = Router(self.partition.plan, journal=journal, on_events=tell, **options)
                try:
                    await router.serve(task_status=_Opened(self, router, opened))
                finally:
                    self.router = None


class _Opened(TaskStatus[Router]):
    """Hears that the router is open."""

    def __init__(self, owned: Owned, router: Router, opened: Callable[[], object]) -> None:
        self._owned = owned
        self._router = router
        self._opened = opened

    def started(self, value: Router | None = None) -> None:
        """It takes commands from now on."""
        self._owned.router = self._router
        self._opened()
