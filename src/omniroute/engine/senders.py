"""How much each sender has sent lately: what ends a loop between two answering machines.

A window begins with a sender's first message and counts what was routed since; the first
message after its end begins the next. So a sender brings at most twice the maximum in any
stretch of one window's length, and two integers per sender are all that is kept. What was refused
is not counted, hence a loop has ended: it brings nothing more that anybody answers.
"""

from __future__ import annotations

from collections import OrderedDict

from ..model import Channel, Message
from ..plan import SenderRate

__all__ = ["Senders"]


class Senders:
    """By channel and customer id, the earliest window first: when it began, how many came."""

    def __init__(self, rate: SenderRate) -> None:
        self._rate = rate
        self.windows: OrderedDict[tuple[Channel, str], tuple[int, int]] = OrderedDict()

    def is_over(self, message: Message, now_ms: int) -> bool:
        """Whether one more message of its sender is over the rate. Nobody's is never."""
        sender = message.customer.id
        if not sender:
            return False
        found = self.windows.get((message.channel, sender))
        if found is None or now_ms - found[0] >= self._rate.window_ms:
            return False
        return found[1] >= self._rate.maximum(message.channel) > 0

    def count(self, message: Message, at_ms: int) -> None:
        """A message of this sender was routed. O(1) amortised."""
        sender = message.customer.id
        if not sender or not self._rate.maximum(message.channel):
            return
        windows, window_ms = self.windows, self._rate.window_ms
        key = (message.channel, sender)
        found = windows.get(key)
        if found is not None and at_ms - found[0] < window_ms:
            windows[key] = (found[0], found[1] + 1)
            return
        windows[key] = (at_ms, 1)
        windows.move_to_end(key)
        while (
            len(windows) > self._rate.max_senders
            or at_ms - next(iter(windows.values()))[0] >= window_ms
        ):
            windows.popitem(last=False)
