"""The door of the ledger: where a checked command waits for its place, and is answered."""

from __future__ import annotations

from ..errors import RouterBusyError
from ..events import Command, Event, Quarantine, Submit
from .checks import checked
from .desk import Desk
from .ledger import Decided, Ledger

__all__ = ["Door"]


class Door:
    """Sends commands: check, acquire a place, decide, wait until it is durable."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def send(self, command: Command, *, wait: bool = True) -> tuple[Event, ...]:
        """Send any command; returns its events when they are durable.

        ``wait`` False raises `RouterBusyError` at once when the inbox is full. A new message
        raises it when the journal has almost no room left: what remains is for the work at
        hand. Cancelled, it has happened once or not at all.
        """
        return await self.pass_on(checked(command), wait=wait)

    async def pass_on(self, command: Command, *, wait: bool = True) -> tuple[Event, ...]:
        """Send a command that was checked already."""
        if isinstance(command, Submit | Quarantine) and self._ledger.is_low:
            raise RouterBusyError(
                "the journal has almost no room left: nothing was recorded, try again later"
            )
        await self.acquire(wait=wait)
        return await self._ledger.wait(self.post(command))

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
