"""Virtual time for both event loops: sleeping jumps there, so no test ever waits.

On trio it is `trio.testing.MockClock`; for asyncio a loop whose selector, when nothing is
ready, moves the loop's clock to the next timer instead of waiting for it.
"""

import asyncio
import selectors

import anyio

#: Real seconds after which a loop in which every task waits for ever is a failed test.
DEADLOCK_S = 20


class _Jumping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            found = super().select(DEADLOCK_S)
            if not found:
                raise RuntimeError("deadlock: every task waits, and no timer is set")
            return found
        found = super().select(0)
        if not found and timeout > 0:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._virtual = _Jumping()
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.now


def backend(name):
    """The backend and its options, as `anyio_backend` fixtures return them."""
    if name == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}


def run(name, main, *args):
    """`anyio.run` in virtual time."""
    chosen, options = backend(name)
    return anyio.run(main, *args, backend=chosen, backend_options=options)
