"""A background task that belongs to nobody's task group, on asyncio and on trio.

A task group that is held open between ``__aenter__`` and ``__aexit__`` binds both to one
task. A pytest-asyncio fixture runs its two halves in different tasks, and so do several
dependency-injection frameworks; leaving the group then fails. So the group lives in a task
of its own, and the two ends only talk to it through events.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["host"]

#: asyncio keeps only weak references to tasks.
_tasks: set[asyncio.Task[None]] = set()


def host(main: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Run ``main`` in the background. It must not raise, and must end by itself."""
    if _on_trio():
        import trio

        trio.lowlevel.spawn_system_task(main, name=name)
    else:
        task = asyncio.get_running_loop().create_task(main(), name=name)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


def _on_trio() -> bool:
    if "trio" not in sys.modules:
        return False
    import trio

    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True
