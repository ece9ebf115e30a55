"""The process that makes snapshots and the threads that block, played in the one event loop.

The real child is `omniroute.router.shadow.main`, which reads and writes pipes. Here it is run
on what was sent so far whenever an answer is wanted, so that its steps are the seed's.
"""

import io

from anyio.lowlevel import checkpoint

from omniroute.router import shadow

_END = shadow._LENGTH.pack(0)


class Child:
    """Stands for the process that `anyio.open_process` gives."""

    def __init__(self):
        self.stdin = self.stdout = self
        self._sent = bytearray()
        self._told = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None

    async def send(self, data):
        await checkpoint()
        self._sent += data

    async def receive(self, max_bytes=0):
        await checkpoint()
        answer = io.BytesIO()
        shadow.main(io.BytesIO(bytes(self._sent) + _END), answer)
        data = answer.getvalue()
        if not self._told:  # the first answer alone: the rest is of what was not sent yet
            (length,) = shadow._LENGTH.unpack_from(data)
            data = data[: shadow._LENGTH.size + length]
            self._told = len(data)
            return data
        return data[self._told :]


async def open_child(*_, **__):
    """In place of `anyio.open_process`."""
    await checkpoint()
    return Child()


async def at_once(call):
    """In place of a thread: other tasks may come first, but in the seed's order."""
    await checkpoint()
    return call()
