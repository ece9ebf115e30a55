"""What came in before: message ids kept for the dedupe time, bounded in number.

Atomic because the engine is: a message is looked up and remembered inside one `receive`.
"""

from __future__ import annotations

from collections import OrderedDict

from ..model import Channel, Message
from ..plan import Limits

__all__ = ["Seen"]


class Seen:
    """By channel, then dedupe key, oldest first: when it came and what it opened or joined."""

    def __init__(self, limits: Limits) -> None:
        self._keep_ms = limits.dedupe_ms
        self._max_keys = limits.max_dedupe_keys
        self.channels: dict[Channel, OrderedDict[str, tuple[int, str]]] = {}

    def remember(self, message: Message, interaction_id: str, at_ms: int) -> None:
        """Keep the message id, if it has one; the oldest are forgotten. O(1) amortised."""
        key = message.dedupe_key
        if key is None:
            return
        keys = self.channels.get(message.channel)
        if keys is None:
            keys = self.channels[message.channel] = OrderedDict()
        keys[key] = (at_ms, interaction_id)
        keys.move_to_end(key)
        while len(keys) > self._max_keys or at_ms - next(iter(keys.values()))[0] > self._keep_ms:
            keys.popitem(last=False)

    def find(self, message: Message, now_ms: int) -> str | None:
        """What the message opened or joined when it came within the dedupe time, or None."""
        keys = self.channels.get(message.channel)
        key = message.dedupe_key
        if keys is None or key is None:
            return None
        found = keys.get(key)
        if found is None or now_ms - found[0] > self._keep_ms:
            return None
        return found[1]
