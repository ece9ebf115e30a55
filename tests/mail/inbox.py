"""A `deliver` that says what came and what became of it."""

from collections import deque

import anyio


class Inbox:
    """Hands mails on; those whose subject is in `errors` are told and then fail."""

    def __init__(self, deliver=None):
        self._hand_on = deliver
        self.errors = {}
        self.receipts = []
        self._come = deque()
        self._more = None

    async def deliver(self, inbound):
        error = self.errors.get(inbound.message.subject)
        receipt = None
        if error is None:
            receipt = None if self._hand_on is None else await self._hand_on(inbound)
            self.receipts.append(receipt)
        self._come.append(inbound)
        if self._more is not None:
            self._more.set()
        if error is not None:
            raise error
        return receipt

    async def next(self):
        """The next mail that was delivered, or failed."""
        while not self._come:
            self._more = anyio.Event()
            await self._more.wait()
        return self._come.popleft()

    async def subjects(self, count):
        return [(await self.next()).message.subject for _ in range(count)]


async def until(condition):
    """Wait for what no event tells: it happens in a thread or in a server."""
    while not condition():  # noqa: ASYNC110 - see above
        await anyio.sleep(0.01)
