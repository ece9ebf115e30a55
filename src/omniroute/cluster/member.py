"""A member of a cluster: routes what it owns (`Holder`), and reaches what others own.

- A command goes to the router here, or to the member that owns the partition; when no answer
  comes, to whoever owns it next. A repeat gives the same answer, so nothing happens twice.
- What comes in while nobody owns the partition waits in the spool, and goes to the new owner.
  It carries an id, so what comes twice happens once.
- Events are read from the partition's journal, by whoever wants them. The owner only tells that
  there are some.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
import msgspec
from anyio.abc import TaskGroup

from ..engine import Engine, command_of
from ..engine.dispositions import delivery_key
from ..errors import (
    JournalError,
    NoOwnerError,
    RouterBusyError,
    RouterError,
    UnknownNameError,
    UsageError,
)
from ..events import Command, Event, Quarantine, Submit, Update
from ..journal import Codec, StoreJournal
from ..model import Inbound, Message
from ..router import Outcome, Receipt, Router
from ..router.checks import checked, checked_inbound
from ..router.receipt import receipt_of, receipt_of_delivery
from . import wire
from .coordinator import Coordinator, Heard, NoAnswerError, open_coordinator
from .following import Follower
from .holding import Holder
from .partition import Partition, checked_name
from .spool import Spool

__all__ = ["Member"]

_T = TypeVar("_T")

#: How many leases an answer may take; then the owner is asked again, or another one.
_ANSWER_LEASES = 2
_RETRY_S = 0.05
#: How many calls of other members may wait to be looked at.
_CALLS = 10_000
#: Tidings of durable events go out so often at most.
_TIDINGS_S = 0.01
_FOLLOW_S = 1.0


class Member:
    """One process of a cluster: ``async with Member(partitions, url, spool=...) as member``.

    ``coordinator`` is a URL (`open_coordinator`) or a `Coordinator`; ``spool`` a folder on a
    local disk, of this member alone. ``name`` tells members apart; it should be the same after
    a restart. ``lease_ms``: a partition whose owner has died is taken over after about this
    time. ``patience_ms``: how long `send` waits for an owner.

    All members are given the same partitions. It is entered once, and left by the same task.
    """

    def __init__(
        self,
        partitions: Iterable[Partition],
        coordinator: Coordinator | str,
        *,
        spool: str | os.PathLike[str],
        name: str = "",
        lease_ms: int = 1_000,
        patience_ms: int = 10_000,
    ) -> None:
        for option, value in (("lease_ms", lease_ms), ("patience_ms", patience_ms)):
            if value < 1:
                raise UsageError(f"{option} must be at least 1, got {value!r}")
        self.name = checked_name("member", name or _own_name())
        self._partitions = {partition.name: partition for partition in partitions}
        if isinstance(coordinator, str):
            coordinator = open_coordinator(coordinator)
        self._coordinator = coordinator
        self._folder = Path(spool)
        self._lease_s = lease_ms / 1_000
        self._patience_s = patience_ms / 1_000
        self._codec = Codec()
        self._spools = {name: Spool.at(self._folder, name) for name in self._partitions}
        self._followers: dict[str, list[Follower]] = {name: [] for name in self._partitions}
        self._tidings = {name: anyio.Event() for name in self._partitions}
        self._holder = Holder(
            self.name,
            self._partitions,
            coordinator,
            lease_s=self._lease_s,
            on_events=lambda name: self._tidings[name].set(),
        )
        self._calls = anyio.create_memory_object_stream[tuple[wire.Call, str]](_CALLS)
        self._stack = AsyncExitStack()
        self._group: TaskGroup

    # --- life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            for spool in self._spools.values():
                await spool.open()
                stack.push_async_callback(_shielded, spool)
            for end in self._calls:
                stack.callback(end.close)
            await self._coordinator.open(self.name, self._hear)
            stack.push_async_callback(_shielded, self._coordinator)
            self._group = await stack.enter_async_context(anyio.create_task_group())
            self._group.start_soon(self._holder.run)
            self._group.start_soon(self._answers)
            for name in self._partitions:
                self._group.start_soon(self._drain, name)
                self._group.start_soon(self._tell, name)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._holder.leave()
        self._group.cancel_scope.cancel()
        await self._stack.__aexit__(kind, error, traceback)

    # --- what is known --------------------------------------------------------------------

    def owner(self, partition: str) -> str | None:
        """The member that owns a partition, as far as this one knows; None: nobody."""
        self._known(partition)
        return self._holder.owner(partition)

    def router(self, partition: str) -> Router | None:
        """The router of a partition that is owned here and open; its desks are here then."""
        self._known(partition)
        return self._holder.router(partition)

    @property
    def owners(self) -> Mapping[str, str | None]:
        """The owner of every partition."""
        return self._holder.owners()

    def spooled(self, partition: str) -> int:
        """How many commands wait on this machine for an owner."""
        self._known(partition)
        return self._spools[partition].size

    async def changed(self) -> None:
        """Wait until an owner or a router may have changed."""
        await self._holder.changed()

    def _known(self, partition: str) -> Partition:
        if partition not in self._partitions:
            raise UnknownNameError("partition", partition, self._partitions)
        return self._partitions[partition]

    # --- commands -------------------------------------------------------------------------

    async def send(self, partition: str, command: Command) -> tuple[Event, ...]:
        """Have the owner of a partition carry out a command; its events, when they are durable.

        Waits for an owner, and asks again when no answer came: a repeat gives the same answer.
        (A sign-in is refused by its repeat: the agent is signed in.) Raises `NoOwnerError` after
        ``patience_ms``, `RouterBusyError`, `UsageError` for a mistake.
        """
        self._known(partition)
        command = _identified(checked(command))
        until_s = anyio.current_time() + self._patience_s
        while True:
            try:
                return await self._ask(partition, command)
            except NoAnswerError as error:
                if anyio.current_time() >= until_s:
                    raise NoOwnerError(f"partition {partition!r} has no owner: {error}") from error
            with anyio.move_on_after(_RETRY_S):
                await self.changed()

    async def submit(
        self,
        partition: str,
        message: Message,
        *,
        queue: str | None = None,
        priority: int | None = None,
        requirement: str | None = None,
        interaction_id: str | None = None,
    ) -> Receipt:
        """Route a message, as `Router.submit`; it is durable when this returns.

        While nobody owns the partition it waits in the spool: `Outcome.SPOOLED`. What is then
        submitted stays behind it, in order.
        """
        command = Submit(message, queue, priority, requirement, interaction_id)
        events = await self._take_in(partition, checked(command))
        return Receipt(Outcome.SPOOLED) if events is None else receipt_of(events)

    async def deliver(self, partition: str, inbound: Inbound) -> Receipt:
        """Take what a channel made of a provider's event, as `Router.deliver`; or spool it."""
        inbound = _identified_delivery(checked_inbound(inbound))
        router = self.router(partition)
        if router is not None and not self._spools[partition].size:
            with suppress(RouterError):
                return await router.deliver(inbound)
        command = command_of(self._known(partition).plan, inbound)
        if command is None:
            reason = inbound.reason or inbound.disposition.value
            return Receipt(Outcome.IGNORED, reason=reason)
        events = await self._take_in(partition, command)
        return Receipt(Outcome.SPOOLED) if events is None else receipt_of_delivery(inbound, events)

    async def _take_in(self, partition: str, command: Command) -> tuple[Event, ...] | None:
        """Have it carried out now, or keep it: None."""
        plan = self._known(partition).plan
        command = _identified(command)
        spool = self._spools[partition]
        owner = self.owner(partition)
        if spool.size and owner is not None:  # what waits goes first, and soon
            await self._while_owner(partition, owner, spool.emptied.wait())
        if not spool.size:
            with suppress(NoAnswerError):
                return await self._ask(partition, command)
        Engine(plan).receive(command, 0)  # a caller's mistake is told now, not to nobody later
        await spool.add(wire.encoded(self._codec, command))
        return None

    async def _ask(self, partition: str, command: Command) -> tuple[Event, ...]:
        """Have the owner carry it out, once; `NoAnswerError` when that is not known to be done."""
        router = self.router(partition)
        if router is not None:
            try:
                return await router.send(command)
            except RouterBusyError:
                raise
            except RouterError as error:
                raise NoAnswerError(str(error)) from error
        owner = self._holder.owner(partition)
        if owner is None or owner == self.name:
            raise NoAnswerError("nobody owns it now")
        codec = self._codec
        call = wire.Call(partition, wire.encoded(codec, command))
        asked = self._coordinator.call(owner, wire.pack(call))
        answer = await self._while_owner(partition, owner, asked)
        if answer is None:
            raise NoAnswerError(f"{owner} did not answer in time")
        return wire.events_of(codec, answer)

    async def _while_owner(self, partition: str, owner: str, asked: Awaitable[_T]) -> _T | None:
        """What is waited for; None when the owner changes before, or it takes too long."""
        found: list[_T] = []
        failures: list[RouterError] = []
        async with anyio.create_task_group() as group:
            group.cancel_scope.deadline = anyio.current_time() + _ANSWER_LEASES * self._lease_s

            async def watch() -> None:
                while self.owner(partition) == owner:
                    await self.changed()
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                found.append(await asked)
            except RouterError as error:
                failures.append(error)
            group.cancel_scope.cancel()
        for failure in failures:
            raise failure
        return found[0] if found else None

    async def _drain(self, partition: str) -> None:
        spool, codec = self._spools[partition], self._codec
        while True:
            await spool.filled.wait()
            for position, form, body in await spool.waiting():
                await self._surely(partition, wire.command_of(codec, body, form))
                await spool.done(position)

    async def _surely(self, partition: str, command: Command) -> None:
        while True:
            try:
                await self._ask(partition, command)
            except (NoAnswerError, RouterBusyError):
                with anyio.move_on_after(_RETRY_S):
                    await self.changed()
            except UsageError as error:  # the owner has another plan: a human looks at it
                assert isinstance(command, Submit | Update)
                key = command.delivery_key
                command = Quarantine(command.message, f"spool: {error}"[:500], delivery_key=key)
            else:
                return

    # --- events ---------------------------------------------------------------------------

    def follow(self, partition: str, from_position: int | None = None) -> Follower:
        """The durable events of a partition, whoever owns it, as they come.

        async with member.follow("north") as frames:
            async for position, frame in frames:
                ...  # frame.events
        """
        known = self._known(partition)
        journal = StoreJournal(known.store(), vault=known.vault, writer=self.name)
        return Follower(journal, from_position, _FOLLOW_S, self._followers[partition])

    async def _tell(self, partition: str) -> None:
        """Tell the others of durable events, a few at a time."""
        told = wire.pack(wire.Tidings(partition))
        while True:
            await self._tidings[partition].wait()
            self._tidings[partition] = anyio.Event()
            with suppress(NoAnswerError):
                await self._coordinator.publish(told)
            await anyio.sleep(_TIDINGS_S)

    # --- messages -------------------------------------------------------------------------

    def _hear(self, heard: Heard) -> None:
        try:
            said = msgspec.msgpack.decode(heard.data, type=wire.Call | wire.Tidings)
        except msgspec.MsgspecError:
            return
        if isinstance(said, wire.Call):
            with suppress(anyio.WouldBlock):  # too many: whoever asks asks again
                self._calls[0].send_nowait((said, heard.reply_to or ""))
        elif said.partition:
            for follower in self._followers.get(said.partition, ()):
                follower.tell()
        else:
            self._holder.wake()

    async def _answers(self) -> None:
        async for call, reply_to in self._calls[1]:
            self._group.start_soon(self._answer, call, reply_to)

    async def _answer(self, call: wire.Call, reply_to: str) -> None:
        answer = await self._carry_out(call)
        with suppress(NoAnswerError):
            await self._coordinator.answer(reply_to, wire.pack(answer))

    async def _carry_out(self, call: wire.Call) -> wire.Answer:
        router = self._holder.router(call.partition)
        if router is None:
            return wire.Answer(wire.Kind.NOT_HERE, text=f"{self.name} does not own it")
        codec = self._codec
        try:
            command = wire.command_of(codec, call.body, call.form)
            events = await router.send(command)
        except RouterBusyError as error:
            return wire.Answer(wire.Kind.BUSY, text=str(error))
        except UsageError as error:
            return wire.Answer(wire.Kind.MISUSE, text=str(error))
        except RouterError as error:
            return wire.Answer(wire.Kind.NOT_HERE, text=f"{self.name}: {error}")
        return wire.Answer(wire.Kind.DONE, wire.encoded(codec, command, events))


async def _shielded(closing: Spool | Coordinator) -> None:
    with anyio.CancelScope(shield=True), suppress(NoAnswerError, JournalError):
        await closing.aclose()


def _identified(command: Command) -> Command:
    """A command that brings a message, with an id by which its repeat is known."""
    if not isinstance(command, Submit | Quarantine | Update):
        return command
    if command.delivery_key is not None or command.message.message_id is not None:
        return command
    return msgspec.structs.replace(command, delivery_key=_new_id())


def _identified_delivery(inbound: Inbound) -> Inbound:
    """A delivery with an id by which its repeat is known, whoever of us is given it again."""
    has_id = inbound.message.message_id is not None or delivery_key(inbound) is not None
    return inbound if has_id else msgspec.structs.replace(inbound, delivery_id=_new_id())


def _new_id() -> str:
    return f"omniroute:{os.urandom(12).hex()}"


def _own_name() -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{socket.gethostname()}-{os.getpid()}")[:64]
