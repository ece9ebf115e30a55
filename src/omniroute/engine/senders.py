"""How much each sender has sent lately: what ends a loop between two answering machines.

Time is cut into windows of one length. Who has brought the maximum in the running window is over
the rate until the next one begins, so a sender brings at most twice the maximum in any stretch of
one window's length. One small integer per sender is all that is kept, and all of them go when
the window ends. What was refused is not counted, hence a loop has ended: it brings nothing more
that anybody answers.
"""

from __future__ import annotations

from ..model import Channel
from ..plan import SenderRate

__all__ = ["Senders", "Window", "senders"]


#: More than anybody sends.
_UNBOUNDED = 1 << 62


class Window:
    """Who sent how much on one channel since the running window began."""

    __slots__ = ("_length_ms", "_max_senders", "_maximum", "counts", "ends_ms")

    def __init__(self, maximum: int, length_ms: int, max_senders: int) -> None:
        self._maximum = maximum or _UNBOUNDED
        self._length_ms = length_ms
        self._max_senders = max_senders
        self.ends_ms = 0
        self.counts: dict[str, int] = {}

    def is_over(self, sender: str, now_ms: int) -> bool:
        """Whether one more message of a sender is over the rate. Nobody's is never."""
        return self.counts.get(sender, 0) >= self._maximum and now_ms < self.ends_ms

    def count(self, sender: str, at_ms: int) -> None:
        """A message of this sender was routed. O(1) amortised."""
        if self._maximum is _UNBOUNDED or not sender:
            return
        if at_ms >= self.ends_ms:
            self.ends_ms = at_ms - at_ms % self._length_ms + self._length_ms
            self.counts = {}
        counts = self.counts
        before = counts.get(sender, 0)
        if not before and len(counts) >= self._max_senders:
            counts.clear()
        counts[sender] = before + 1


#: The running window of each channel.
Senders = dict[Channel, Window]


def senders(rate: SenderRate) -> Senders:
    """Nobody has sent anything yet."""
    return {
        channel: Window(rate.maximum(channel), rate.window_ms, rate.max_senders)
        for channel in Channel
    }
