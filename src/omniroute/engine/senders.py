"""How much each sender has sent lately: what ends a loop between two answering machines.

A window begins with a sender's first message and counts what was routed since; the first
message after its end begins the next. So a sender brings at most twice the maximum in any
stretch of one window's length, and two integers per sender are all that is kept. What was refused
is not counted, hence a loop has ended: it brings nothing more that anybody answers.
"""

from __future__ import annotations

from collections import OrderedDict

from ..model import Channel
from ..plan import SenderRate

__all__ = ["Senders"]


class Senders:
    """By channel, then customer id, the earliest window first: when it began, how many came."""

    def __init__(self, rate: SenderRate) -> None:
        self._rate = rate
        self.channels: dict[Channel, _Windows] = {}

    def of(self, channel: Channel) -> _Windows:
        """The windows of one channel."""
        found = self.channels.get(channel)
        if found is None:
            rate = self._rate
            found = self.channels[channel] = _Windows(
                rate.maximum(channel), rate.window_ms, rate.max_senders
            )
        return found

    def shrink(self, at_ms: int, window_ms: int) -> None:
        """The rate was another one until now: windows took so long. O(windows)."""
        for windows in self.channels.values():
            windows.shrink(at_ms, window_ms)


class _Windows:
    """The senders of one channel."""

    __slots__ = ("_max_senders", "_maximum", "_window_ms", "rows")

    def __init__(self, maximum: int, window_ms: int, max_senders: int) -> None:
        self._maximum = maximum
        self._window_ms = window_ms
        self._max_senders = max_senders
        self.rows: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def is_over(self, sender: str, now_ms: int) -> bool:
        """Whether one more message of a sender is over the rate. Nobody's is never."""
        found = self.rows.get(sender)
        if found is None or now_ms - found[0] >= self._window_ms:
            return False
        return found[1] >= self._maximum

    def count(self, sender: str, at_ms: int) -> None:
        """A message of this sender was routed. O(1)."""
        if not sender or not self._maximum:
            return
        rows, window_ms = self.rows, self._window_ms
        found = rows.get(sender)
        if found is not None and at_ms - found[0] < window_ms:
            rows[sender] = (found[0], found[1] + 1)
            return
        rows[sender] = (at_ms, 1)
        if found is not None:
            rows.move_to_end(sender)
        for _ in range(2):  # two go for one that comes: what is over goes soon, and never at once
            if at_ms - next(iter(rows.values()))[0] < window_ms:
                break
            rows.popitem(last=False)
        if len(rows) > self._max_senders:
            rows.popitem(last=False)

    def shrink(self, at_ms: int, window_ms: int) -> None:
        """Forget what was over when windows took so long, and what is too much."""
        rows = self.rows
        running = [row for row in rows.items() if at_ms - row[1][0] < window_ms]
        rows.clear()
        if self._maximum:
            rows.update(running[-self._max_senders :])
