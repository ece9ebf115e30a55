"""The events of a partition at any member: read from its journal, as they become durable."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import anyio

from ..journal import Chain, Frame, Kind, StoreJournal

__all__ = ["Follower"]

_CHUNK_BYTES = 1 << 18


class Follower:
    """Frames with their positions: ``async with member.follow("north") as frames``.

    Each frame comes once, in order, also across a change of the owner. ``from_position`` is the
    position behind the last one that was seen; None begins with what comes now. ``peers`` are
    those who are told when there is more.
    """

    def __init__(
        self,
        journal: StoreJournal,
        from_position: int | None,
        idle_s: float,
        peers: list[Follower],
    ) -> None:
        self._journal = journal
        self._from = from_position
        self._idle_s = idle_s
        self._peers = peers
        self._chain: Chain
        self._chunk: list[tuple[int, bytes]] = []
        self._news = anyio.Event()

    async def __aenter__(self) -> Self:
        await self._journal.open()
        if self._from is None:
            _, last = await self._journal.bounds()
            self._from = await self._journal.whole_until(last) + 1
        self._chain = Chain.before(self._from)
        self._peers.append(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._peers.remove(self)
        with anyio.CancelScope(shield=True):
            await self._journal.aclose()

    def tell(self) -> None:
        """There may be more: look now, not when the time has come."""
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[int, Frame]:
        while True:
            while self._chunk:
                position, record = self._chunk.pop(0)
                header, body = self._chain.follow(position, record)
                if header.kind is Kind.FRAME:
                    return position, self._journal.frame(header, body)
            self._news = anyio.Event()
            self._chunk = await self._journal.chunk(self._chain.position + 1, _CHUNK_BYTES)
            if not self._chunk:
                with anyio.move_on_after(self._idle_s):
                    await self._news.wait()
