"""The door of the ledger: where a command is checked, waits for its place, and is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from ..errors import CommandError, RouterBusyError
from ..events import Command, Event
from ..model import Inbound
from .desk import Desk
from .ledger import Decided, Ledger

__all__ = ["Door", "checked", "checked_inbound"]

_T = TypeVar("_T", bound=msgspec.Struct)

_encode = msgspec.msgpack.Encoder().encode
_command: Callable[[bytes], Command] = msgspec.msgpack.Decoder(Command).decode
_inbound: Callable[[bytes], Inbound] = msgspec.msgpack.Decoder(Inbound).decode


def checked(command: Command) -> Command:
    """A copy of a command, every field of the right type; else `CommandError`.

    It goes the way that the journal will take it, so what is accepted can be read back,
    and what the caller still changes in a dict of his cannot reach the engine. 1 us.
    """
    return _copied(command, _command)


def checked_inbound(inbound: Inbound) -> Inbound:
    """A copy of what a channel delivered, in the same way."""
    return _copied(inbound, _inbound)


def _copied(value: _T, decode: Callable[[bytes], _T]) -> _T:
    try:
        return decode(_encode(value))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        name = type(value).__name__
        raise CommandError(f"{name} with an impossible value: {error}") from error


class Door:
    """Sends commands: check, acquire a place, decide, wait until it is durable."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def send(self, command: Command, *, wait: bool = True) -> tuple[Event, ...]:
        """Send any command; returns its events when they are durable.

        ``wait`` False raises `RouterBusyError` at once when the inbox is full. Cancelled, it
        has happened once or not at all.
        """
        copy = checked(command)
        await self.acquire(wait=wait)
        return await self._ledger.wait(self.post(copy))

    async def acquire(self, *, wait: bool = True) -> None:
        """Wait for a place in the inbox; then `post` or `release`."""
        if not wait and self._ledger.is_full:
            raise RouterBusyError("the inbox is full: nothing was recorded, try again later")
        await self._ledger.acquire()

    def release(self) -> None:
        """Give the place back without a command."""
        self._ledger.release()

    def post(self, command: Command, *, arriving: Desk | None = None) -> Decided:
        """Decide a command for which a place was acquired."""
        try:
            return self._ledger.post(command, arriving=arriving, places=1)
        except BaseException:
            self._ledger.release()
            raise
