"""The one timer task: sleeps until the engine's next deadline, then says that time passed."""

from __future__ import annotations

import anyio

from ..errors import RouterClosedError
from ..events import Tick
from .ledger import Ledger

__all__ = ["Alarm"]

_NEVER_MS = 1 << 62
#: A wall clock that is set forward is noticed at the latest after this long.
_LONGEST_SLEEP_MS = 60_000


class Alarm:
    """Ticks the engine when something is due; woken only by a deadline that comes earlier."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._until_ms = 0
        self._earlier = anyio.Event()
        ledger.on_deadline = self._deadline_set

    def _deadline_set(self, due_ms: int) -> None:
        if due_ms < self._until_ms:
            self._until_ms = due_ms
            self._earlier.set()

    async def run(self) -> None:
        """Tick for ever; ends when the ledger is closed."""
        ledger = self._ledger
        try:
            while True:
                now_ms = ledger.now_ms()
                due_ms = ledger.engine.next_deadline()
                if due_ms is not None and due_ms <= now_ms:
                    ledger.post(Tick())
                    continue
                self._earlier = anyio.Event()
                self._until_ms = _NEVER_MS if due_ms is None else due_ms
                sleep_ms = min(self._until_ms - now_ms, _LONGEST_SLEEP_MS)
                with anyio.move_on_after(None if due_ms is None else sleep_ms / 1_000):
                    await self._earlier.wait()
                self._until_ms = 0
        except RouterClosedError:
            return
        except Exception as error:  # noqa: BLE001 - a clock that fails stops the router
            ledger.fail(error)
