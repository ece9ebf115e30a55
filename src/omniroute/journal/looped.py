"""An asyncio event loop in a thread of its own, for drivers that know no other.

What runs there is called from asyncio and trio alike, as `Worker` does it for drivers that
block. The caller's loop may be busy: what the driver must answer in time (a server's ping)
it still answers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import anyio

from .worker import waker

__all__ = ["LoopThread"]

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines in its own thread, between `start` and `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Start the thread. It does not keep the process alive."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End the thread; what still runs in it is cancelled."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def call(self, begin: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """What the coroutine returns or raises. Cancelled: it runs all the same."""
        done = anyio.Event()
        wake = waker()
        tasks: list[asyncio.Task[_T]] = []

        def ended(task: asyncio.Task[_T]) -> None:
            if not task.cancelled():
                task.exception()  # nobody may be waiting for it any more
            with suppress(RuntimeError):  # the caller's loop is gone: nobody waits any more
                wake(done.set)

        def started() -> None:
            tasks.append(self._loop.create_task(begin()))
            tasks[0].add_done_callback(ended)

        self._loop.call_soon_threadsafe(started)
        await done.wait()
        return tasks[0].result()

    def _run(self) -> None:
        loop = self._loop
        loop.run_forever()
        loop.run_until_complete(_cancel_others())
        loop.close()


async def _cancel_others() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
