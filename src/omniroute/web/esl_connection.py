"""One connection to FreeSWITCH's event socket: frames in, commands out, answers in their order."""

from __future__ import annotations

from collections import deque

import anyio
import attrs
from anyio.abc import SocketStream

from ..channels.esl import EslDecoder, EslFrame
from ..errors import PayloadError
from .telephony import SwitchClosedError

__all__ = ["Connection", "Frames"]


@attrs.define(eq=False)
class _Answer:
    """A command's place in the order of the answers."""

    done: anyio.Event = attrs.Factory(anyio.Event)
    frame: EslFrame | None = None  # None: the connection was lost first


@attrs.define(eq=False)
class Frames:
    """The frames of a connection."""

    stream: SocketStream
    decoder: EslDecoder = attrs.Factory(EslDecoder)
    ready: deque[EslFrame] = attrs.Factory(deque)

    async def next(self) -> EslFrame | None:
        """The next frame; None when the connection has ended or its bytes are no frames."""
        while not self.ready:
            try:
                self.ready.extend(self.decoder.feed(await self.stream.receive()))
            except (anyio.EndOfStream, anyio.BrokenResourceError, PayloadError):
                return None
        return self.ready.popleft()


@attrs.define(eq=False)
class Connection:
    """One connection that is logged in: commands and their answers."""

    stream: SocketStream
    reply_s: float
    scope: anyio.CancelScope
    waiting: deque[_Answer] = attrs.Factory(deque)
    lock: anyio.Lock = attrs.Factory(anyio.Lock)

    async def ask(self, command: str) -> EslFrame:
        """Send a command; its answer. A silent peer loses the connection."""
        answer = _Answer()
        try:
            with anyio.fail_after(self.reply_s):
                async with self.lock:
                    self.waiting.append(answer)
                    # Half a command would be completed by the next one: send it whole.
                    with anyio.CancelScope(shield=True), anyio.fail_after(self.reply_s):
                        await self.stream.send(f"{command}\n\n".encode())
                await answer.done.wait()
        except (TimeoutError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.scope.cancel()
        if answer.frame is None:
            raise SwitchClosedError("the connection to FreeSWITCH was lost")
        return answer.frame

    def answered(self, frame: EslFrame) -> None:
        """The answer to the oldest command."""
        if self.waiting:
            answer = self.waiting.popleft()
            answer.frame = frame
            answer.done.set()

    def close(self) -> None:
        """No more answers will come."""
        while self.waiting:
            self.waiting.popleft().done.set()
