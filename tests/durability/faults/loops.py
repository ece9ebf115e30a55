"""Both event loops, in virtual time, with an order that comes from the seed, and counted steps.

On trio the scheduler shuffles every batch of tasks; here its dice are the seed's. asyncio runs
its callbacks in the order in which they were made, and that is left alone: there the
seed's latencies decide who comes first. ``on_step`` is called before every step of every task,
that is, at every await: the place to crash.

Two sources of disorder that are nobody's decision are closed: trio's batches begin in the order
of the tasks' numbers, and asyncio's tasks and scopes are not hashed by address.
"""

import asyncio
import contextlib
import gc
import itertools
from unittest import mock

import anyio
import trio
from anyio._backends._asyncio import CancelScope
from trio.testing import MockClock

from virtual_time import VirtualLoop


class _Task(asyncio.Task):
    """Hashed by its number: sets of tasks, which are cancelled in their order, have one."""

    def __init__(self, coro, *, loop, number, **options):
        self._number = number
        super().__init__(coro, loop=loop, **options)

    def __hash__(self):
        return self._number


def _same(_scope):
    return 0


class _Counted(VirtualLoop):
    def __init__(self, on_step):
        super().__init__()
        self._on_step = on_step
        numbers = itertools.count()
        self.set_task_factory(
            lambda loop, coro, **options: _Task(coro, loop=loop, number=next(numbers), **options)
        )

    def call_soon(self, callback, *args, context=None):
        def step():
            self._on_step()
            callback(*args)

        return super().call_soon(step, context=context)


class _Steps(trio.abc.Instrument):
    def __init__(self, on_step):
        self._on_step = on_step

    def before_task_step(self, task):
        self._on_step()


def run(backend, seed, main, on_step):
    """Run ``main`` to its end; the same seed gives the same order of every step.

    No garbage is collected meanwhile: an abandoned generator is closed by a task of its own,
    whenever it is found.
    """
    gc.disable()
    try:
        return _run(backend, seed, main, on_step)
    finally:
        gc.enable()


def _run(backend, seed, main, on_step):
    if backend == "asyncio":
        options = {"loop_factory": lambda: _Counted(on_step)}
        with mock.patch.object(CancelScope, "__hash__", _same):
            return anyio.run(main, backend="asyncio", backend_options=options)
    scheduler = trio._core._run
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
        before = scheduler._r.getstate()
        stack.callback(scheduler._r.setstate, before)
        scheduler._r.seed(f"{seed}/schedule")
        options = {"clock": MockClock(autojump_threshold=0), "instruments": [_Steps(on_step)]}
        return anyio.run(main, backend="trio", backend_options=options)
