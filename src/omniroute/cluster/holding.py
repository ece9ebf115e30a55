"""Holding leases: one beat after the other, and a router for each partition that is held.

A beat says that this member is there, renews its leases, looks at the table, takes what
nobody owns, gives away what is too much. No other member's clock is trusted, and ours only
for lengths of time:

- A lease that could not be renewed for its own length is given up here. Others count that
  length from when they *saw* it renewed, which is later; so the old owner has stopped first.
  (While its router still reads the journal there is nothing to stop.)
- If it has not, because its process was paused: its router's journal was claimed with the
  epoch of an older lease, and every append is refused.
- When the answer to a renewal is lost, the table says whether it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import anyio
from anyio.abc import TaskGroup

from ..errors import FencedError
from ..observe import EventLog
from ..router import Router
from . import wire
from .coordinator import Coordinator, NoAnswerError, Row
from .leases import Lease, Sightings, View, decide, member_key, partition_key
from .partition import Owned, Partition

__all__ = ["Holder"]

#: How often a lease is renewed in its length, and how often the table is looked at.
_BEATS = 5
#: A member declines a partition for so many leases after it failed here.
_DECLINED_LEASES = 10


class Holder:
    """The leases of one member. ``on_events`` hears the name of a partition that has news."""

    def __init__(
        self,
        name: str,
        partitions: Mapping[str, Partition],
        coordinator: Coordinator,
        *,
        lease_s: float,
        on_events: Callable[[str], object],
    ) -> None:
        self._name = name
        self._partitions = partitions
        self._coordinator = coordinator
        self._lease_s = lease_s
        self._on_events = on_events
        self._sightings = Sightings(partitions, lease_s)
        self._view: View = self._sightings.look({}, 0)
        self._owned: dict[str, Owned] = {}
        self._declined: dict[str, float] = {}
        self._revision = 0
        self._leaving = False
        self._woken = anyio.Event()
        self._changed = anyio.Event()
        self._log = EventLog()

    # --- what is known --------------------------------------------------------------------

    def owner(self, partition: str) -> str | None:
        """Who owns a partition, as far as is known; None: nobody."""
        if partition in self._owned:
            return self._name
        owner = self._view.owner(partition)
        return None if owner == self._name else owner  # of a life before this one

    def owners(self) -> dict[str, str | None]:
        """Who owns each partition."""
        return {name: self.owner(name) for name in self._partitions}

    def router(self, partition: str) -> Router | None:
        """The router of a partition that is owned here, once it takes commands."""
        owned = self._owned.get(partition)
        return None if owned is None else owned.router

    async def changed(self) -> None:
        """Wait until an owner or a router may have changed."""
        await self._changed.wait()

    def wake(self) -> None:
        """Somebody says that the table has changed: look now."""
        self._woken.set()

    def _note_change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    # --- beats ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Beat until `leave` or cancelled."""
        async with anyio.create_task_group() as group:
            while not self._leaving:
                self._woken = anyio.Event()
                with suppress(NoAnswerError), anyio.move_on_after(self._lease_s / 2):
                    await self._beat(group)
                now_s = anyio.current_time()
                for owned in self._owned.values():
                    if now_s >= owned.until_s and owned.router is not None:
                        owned.scope.cancel()
                with anyio.move_on_after(self._lease_s / _BEATS):
                    await self._woken.wait()

    async def leave(self) -> None:
        """Give every lease back, so that nobody has to wait for it to run out."""
        self._leaving = True
        self.wake()
        while self._owned:
            for owned in self._owned.values():
                owned.scope.cancel()
            await next(iter(self._owned.values())).finished.wait()
        with suppress(NoAnswerError), anyio.move_on_after(self._lease_s):
            await self._coordinator.put(member_key(self._name), None, self._revision)
            await self._coordinator.publish(wire.pack(wire.Tidings()))

    async def _beat(self, group: TaskGroup) -> None:
        await self._renew()
        self._look(await self._coordinator.rows())
        for key, revision in self._view.silent.items():
            if key != member_key(self._name):
                await self._coordinator.put(key, None, revision)
        if self._leaving:
            return
        decision = decide(self._name, self.owners(), self._view.members)
        for name in decision.take:
            await self._take(name, group)
        if decision.give is not None and self.router(decision.give) is not None:
            self._owned[decision.give].scope.cancel()

    async def _renew(self) -> None:
        """Say all at once, so that a busy loop delays it once."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._say_hello)
            for owned in self._owned.values():
                group.start_soon(self._say_again, owned)

    async def _say_hello(self) -> None:
        now_s = anyio.current_time()
        self._declined = {name: at_s for name, at_s in self._declined.items() if at_s > now_s}
        own = wire.pack(sorted(self._declined))
        with suppress(NoAnswerError):
            revision = await self._coordinator.put(member_key(self._name), own, self._revision)
            if revision is not None:
                self._revision = revision

    async def _say_again(self, owned: Owned) -> None:
        with suppress(NoAnswerError):
            await self._say(owned, self._name, owned.epoch)

    async def _say(self, owned: Owned, holder: str, epoch: int) -> bool:
        """Say a lease; False when it is not as we know it any more."""
        now_s = anyio.current_time()
        key = partition_key(owned.partition.name)
        lease = wire.pack(Lease(holder, epoch))
        revision = await self._coordinator.put(key, lease, owned.revision)
        if revision is None:
            return False
        owned.revision, owned.epoch, owned.until_s = revision, epoch, now_s + self._lease_s
        return True

    def _look(self, rows: Mapping[str, Row]) -> None:
        """Take in the table; what stands there counts, also when the answer to a put was lost."""
        before = self._view.owners()
        view = self._view = self._sightings.look(rows, anyio.current_time())
        own = rows.get(member_key(self._name))
        self._revision = 0 if own is None else max(self._revision, own.revision)
        for name, owned in self._owned.items():
            lease, revision = view.leases[name]
            if lease == Lease(self._name, owned.epoch):
                owned.revision = max(owned.revision, revision)
            elif revision > owned.revision:
                owned.scope.cancel()
        if view.owners() != before:
            self._note_change()

    # --- a partition that is held ---------------------------------------------------------

    async def _take(self, name: str, group: TaskGroup) -> None:
        lease, revision = self._view.leases[name]
        owned = Owned(self._partitions[name], lease.epoch, revision)
        owned.move_on = partial(self._say, owned, self._name)
        if await self._say(owned, self._name, lease.epoch + 1):
            self._owned[name] = owned
            group.start_soon(self._own, owned)

    async def _own(self, owned: Owned) -> None:
        name = owned.partition.name
        self._log.partition_taken(name, owned.epoch)
        failure: Exception | None = None
        try:
            await owned.run(
                self._name,
                on_events=lambda _: self._on_events(name),
                opened=self._opened,
            )
        except Exception as error:  # noqa: BLE001 - logged; the other partitions go on
            failure = error
            if not isinstance(error, FencedError):
                declined_s = _DECLINED_LEASES * self._lease_s
                self._declined[name] = anyio.current_time() + declined_s
        finally:
            with anyio.CancelScope(shield=True):
                await self._give_back(owned)
            del self._owned[name]
            owned.finished.set()
            self._note_change()
            self._log.partition_left(name, owned.epoch, failure)

    def _opened(self) -> None:
        self._note_change()
        self.wake()  # it took time: is the lease still ours?

    async def _give_back(self, owned: Owned) -> None:
        with suppress(NoAnswerError), anyio.move_on_after(self._lease_s):
            if await self._say(owned, "", owned.epoch):
                await self._coordinator.publish(wire.pack(wire.Tidings()))
