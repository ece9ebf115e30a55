"""A coordinator in this process: for tests of what is built on a cluster, and as its meaning."""

from __future__ import annotations

from itertools import count

import anyio

from .coordinator import Hear, Heard, NoAnswerError, Row

__all__ = ["MemoryCoordinator", "Square"]


class Square:
    """What each `MemoryCoordinator` of one cluster shares: the table, and who listens."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.listeners: dict[str, Hear] = {}
        self.waiting: dict[str, tuple[anyio.Event, list[bytes]]] = {}
        self.numbers = count(1)


class MemoryCoordinator:
    """The coordinator protocol in a few lines. Handles on one `Square` are one cluster.

    With ``is_cut`` set, it reaches nobody and nobody reaches it.
    """

    place = "memory:"

    def __init__(self, square: Square) -> None:
        self.square = square
        self.is_cut = False
        self._me = ""

    def _reach(self) -> None:
        if self.is_cut:
            raise NoAnswerError("the coordinator does not answer")

    async def open(self, me: str, hear: Hear) -> None:
        """Listen."""
        self._reach()
        self._me = me

        def listen(heard: Heard) -> None:
            if not self.is_cut:
                hear(heard)

        self.square.listeners[me] = listen

    async def rows(self) -> dict[str, Row]:
        """The table."""
        self._reach()
        return dict(self.square.rows)

    async def put(self, key: str, value: bytes | None, revision: int) -> int | None:
        """Set or delete a row that has this revision."""
        self._reach()
        rows = self.square.rows
        if revision != (rows[key].revision if key in rows else 0):
            return None
        number = next(self.square.numbers)
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = Row(value, number)
        return number

    async def publish(self, data: bytes) -> None:
        """Tell all."""
        self._reach()
        for hear in list(self.square.listeners.values()):
            hear(Heard(data, None))

    async def call(self, member: str, data: bytes) -> bytes:
        """Ask one."""
        self._reach()
        hear = self.square.listeners.get(member)
        if hear is None:
            raise NoAnswerError(f"{member} is not there")
        reply_to = str(next(self.square.numbers))
        done, answers = self.square.waiting[reply_to] = anyio.Event(), []
        try:
            hear(Heard(data, reply_to))
            await done.wait()
        finally:
            del self.square.waiting[reply_to]
        return answers[0]

    async def answer(self, reply_to: str, data: bytes) -> None:
        """Answer; who asked may have given up."""
        self._reach()
        if reply_to in self.square.waiting:
            done, answers = self.square.waiting[reply_to]
            answers.append(data)
            done.set()

    async def aclose(self) -> None:
        """Listen no more."""
        self.square.listeners.pop(self._me, None)
