"""Erasing a customer: out of the engine, then out of the journal, then the answer."""

from __future__ import annotations

from collections.abc import Iterator

import anyio

from ..engine import Engine
from ..engine.customers import channel_key, interaction_key, own_key
from ..errors import UsageError
from ..events import CustomerErased, EraseCustomer, Event
from ..model import Channel
from .door import Door
from .keeper import Keeper

__all__ = ["Eraser", "Erasing", "keys_in_contact"]


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
        self._finishing = anyio.Lock()

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
        """Bring to an end what a router before this one began; called twice it is done once."""
        async with self._finishing:
            unfinished = await self._keeper.unfinished()
            for keys in unfinished:
                if keys:
                    await self._door.send(EraseCustomer(keys))
            if self._keeper.vault is not None:
                await self._keeper.finish_erasing()


def _redacted(events: tuple[Event, ...]) -> tuple[str, ...]:
    found = (event for event in events if isinstance(event, CustomerErased))
    return tuple(interaction_id for event in found for interaction_id, _ in event.redacted)


class Erasing:
    """The part of a router that erases customers."""

    _eraser: Eraser

    async def erase_customer(self, channel: Channel, customer_id: str) -> tuple[str, ...]:
        """Erase a customer: what he wrote and who he is, from the journal and from memory.

        On all channels that the plan links to this one. His open interactions go on without
        what he wrote; their ids are returned. If he comes back he is a new customer. Durable
        when it returns: then nobody can read it any more. Takes as long as a snapshot where
        there are any. Raises `UsageError` when the journal has no vault that erases.
        """
        return await self._eraser.erase(channel, customer_id, None)

    async def erase_interaction(self, interaction_id: str) -> tuple[str, ...]:
        """As `erase_customer`, whoever is in an interaction; of one who is withheld, only it."""
        return await self._eraser.erase(None, "", interaction_id)
