"""Where the router's time comes from: any callable that gives milliseconds.

The router never lets its time go backwards, whatever the clock does: a clock that is set
back stands still until it has caught up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

__all__ = ["Clock", "loop_clock", "wall_clock"]

#: Gives integer milliseconds; an epoch is only needed where people read the times.
Clock = Callable[[], int]


def wall_clock() -> int:
    """Milliseconds since 1970, UTC: the default."""
    return time.time_ns() // 1_000_000


def loop_clock() -> int:
    """The event loop's own time in milliseconds.

    For tests in virtual time, such as `trio.testing.MockClock`: sleeping and the router's
    time then agree. Only inside a running event loop.
    """
    return round(anyio.current_time() * 1_000)
