"""What came in before: messages and deliveries, for the dedupe time, bounded in number.

A repeat is told by either of two keys. The *message key* is the provider's id of the message.
The *delivery key* tells the delivery (`dispositions.delivery_key`); updates need it, because an
edit names the message that it edits.

Atomic because the engine is: both keys are looked up and remembered inside one `receive`. It
is a fold of events, so a repeat is found after recovery and restore as well.
"""

from __future__ import annotations

from collections import OrderedDict

from ..model import Channel, Message
from ..plan import Limits

__all__ = ["Seen", "message_key"]


def message_key(message: Message) -> str | None:
    """The key of a message; None when it has no id."""
    key = message.dedupe_key
    return None if key is None else f"m{key}"


class Seen:
    """By channel, then key, oldest first: when it came and what it was about."""

    def __init__(self, limits: Limits) -> None:
        self._keep_ms = limits.dedupe_ms
        self._max_keys = limits.max_dedupe_keys
        self.channels: dict[Channel, OrderedDict[str, tuple[int, str]]] = {}

    def remember(self, channel: Channel, key: str | None, interaction_id: str, at_ms: int) -> None:
        """Keep a key, if there is one; the oldest are forgotten. O(1) amortised."""
        if key is None:
            return
        keys = self.channels.get(channel)
        if keys is None:
            keys = self.channels[channel] = OrderedDict()
        keys[key] = (at_ms, interaction_id)
        keys.move_to_end(key)
        while len(keys) > self._max_keys or at_ms - next(iter(keys.values()))[0] > self._keep_ms:
            keys.popitem(last=False)

    def shrink(self, at_ms: int, kept_ms: int) -> None:
        """The limits were others until now: keys were kept so long. O(what goes)."""
        for keys in self.channels.values():
            while keys and (
                len(keys) > self._max_keys or at_ms - next(iter(keys.values()))[0] > kept_ms
            ):
                keys.popitem(last=False)

    def find(self, channel: Channel, key: str | None, now_ms: int) -> str | None:
        """What the key was about when it came within the dedupe time, or None."""
        keys = self.channels.get(channel)
        if keys is None or key is None:
            return None
        found = keys.get(key)
        if found is None or now_ms - found[0] > self._keep_ms:
            return None
        return found[1]
