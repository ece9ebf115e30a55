"""Erasing a customer: out of the engine, then out of the journal, then the answer."""

from __future__ import annotations

from collections.abc import Iterator

from ..engine import Engine
from ..engine.customers import channel_key, interaction_key, own_key
from ..errors import UsageError
from ..events import CustomerErased, EraseCustomer, Event
from ..model import Channel
from .door import Door
from .keeper import Keeper

__all__ = ["Eraser", "keys_in_contact"]


def keys_in_contact(engine: Engine) -> Iterator[str]:
    """The keys of everybody who is in an open interaction."""
    for interaction in engine.interactions():
        yield interaction_key(interaction.id)
        for message in interaction.messages:
            if message.customer.id:
                yield own_key(message)


class Eraser:
    """Sends the command, and has what the keeper must do about the journal done.

    The command is durable before the keys go, and a note about it before the command, so
    whenever the process ends, the next router brings the erasure to its end.
    """

    def __init__(self, door: Door, keeper: Keeper) -> None:
        self._door = door
        self._keeper = keeper

    async def erase(
        self, channel: Channel | None, customer_id: str, interaction_id: str | None
    ) -> tuple[str, ...]:
        """Erase one customer; the ids of his open interactions."""
        if self._keeper.vault is None:
            raise UsageError(
                "nobody can be erased from this journal: it has no vault that erases "
                "(Router(plan, journal=..., vault=KeyVault(...)))"
            )
        keys: tuple[str, ...] = ()
        if interaction_id is None:
            if channel is None or not customer_id:
                raise UsageError("erase_customer needs a channel and the customer's id on it")
            keys = (channel_key(Channel(channel), customer_id),)
        events = await self._door.send(EraseCustomer(keys, interaction_id))
        await self._keeper.finish_erasing()
        return _redacted(events)

    async def finish(self) -> None:
        """Bring to an end what a router before this one began."""
        unfinished = await self._keeper.unfinished()
        for keys in unfinished:
            if keys:
                await self._door.send(EraseCustomer(keys))
        if self._keeper.vault is not None:
            await self._keeper.finish_erasing()


def _redacted(events: tuple[Event, ...]) -> tuple[str, ...]:
    found = (event for event in events if isinstance(event, CustomerErased))
    return tuple(interaction_id for event in found for interaction_id, _ in event.redacted)
