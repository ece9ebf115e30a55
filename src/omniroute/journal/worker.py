"""One thread that does what must not block the event loop, in order, on asyncio and trio.

`anyio.to_thread` takes any thread of a pool, 0.2 ms per call. A database connection wants
always the same one, and group commit wants it quick: here a call costs a queue and one
wake-up of the loop.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar

import anyio

__all__ = ["Worker", "in_thread", "waker"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Job(Generic[_T]):
    """A call on its way through the thread, and what came of it."""

    __slots__ = ("call", "done", "error", "result", "wake")

    def __init__(self, call: Callable[[], _T]) -> None:
        self.call = call
        self.done = anyio.Event()
        self.wake = waker()
        self.result: _T
        self.error: BaseException | None = None

    def run(self) -> None:
        """In the thread."""
        try:
            self.result = self.call()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            self.error = error
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self.wake(self.done.set)


class Worker:
    """Runs calls one after the other in a thread of its own, between `start` and `stop`.

    ``idle`` is called in the thread, once, when nothing has come for ``idle_s`` seconds.
    """

    def __init__(self, name: str, *, idle: Callable[[], None], idle_s: float) -> None:
        self._name = name
        self._idle = idle
        self._idle_s = idle_s
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the thread. It does not keep the process alive."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End the thread when what was asked is done."""
        self._jobs.put(None)

    async def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the function returns or raises. Cancelled: it is run all the same."""
        job = _Job(lambda: function(*args, **kwargs))
        self._jobs.put(job)
        await job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result

    def _run(self) -> None:
        idle_s: float | None = None
        while True:
            try:
                job = self._jobs.get(timeout=idle_s)
            except queue.Empty:
                self._idle()
                idle_s = None
                continue
            idle_s = self._idle_s
            if job is None:
                return
            job.run()


def waker() -> Callable[[Callable[[], object]], object]:
    """How another thread has the current event loop call something."""
    if "trio" in sys.modules:
        import trio

        try:
            return trio.lowlevel.current_trio_token().run_sync_soon
        except RuntimeError:
            pass  # it is imported, but this loop is asyncio's
    return asyncio.get_running_loop().call_soon_threadsafe


async def in_thread(call: Callable[[], _T]) -> _T:
    """Do what blocks, as a vault may. Cancelled, it is done all the same."""
    with anyio.CancelScope(shield=True):
        return await anyio.to_thread.run_sync(call)
    raise AssertionError("a shielded call ends")
