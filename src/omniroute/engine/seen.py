"""What came in before: messages and deliveries, for the dedupe time, bounded in number.

A repeat is told by either of two keys. The *message key* is the provider's id of the message.
The *delivery key* is the provider's id of the delivery, or, for an update that comes without
one, a digest of what it says; it is scoped by thread and sender, so that two bots whose
deliveries are counted alike never hide each other's. Updates need it: an edit names the message
that it edits, so the message's id says nothing about whether the edit was seen.

Atomic because the engine is: both keys are looked up and remembered inside one `receive`. It
is a fold of events, so a repeat is found after recovery and restore as well.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from ..model import Channel, Disposition, Inbound, Message
from ..plan import Limits

__all__ = ["Seen", "delivery_key", "is_about_another", "message_key"]

#: The dispositions whose events are messages of their own, with an id of their own; all others
#: are about another message and name its id.
_MESSAGES = frozenset(
    {
        Disposition.CREATE,
        Disposition.APPEND,
        Disposition.OWN,
        Disposition.AUTO,
        Disposition.BOUNCE,
        Disposition.REPORT,
        Disposition.BULK,
        Disposition.QUARANTINE,
    }
)


def is_about_another(inbound: Inbound) -> bool:
    """Whether the message id of the event is that of another message."""
    return inbound.disposition not in _MESSAGES


def message_key(message: Message) -> str | None:
    """The key of a message; None when it has no id."""
    key = message.dedupe_key
    return None if key is None else f"m{key}"


def delivery_key(inbound: Inbound) -> str | None:
    """The key of a delivery; None when nothing would tell its repeat. About 3 us."""
    message = inbound.message
    parts = [message.customer.id, message.thread_id or "", inbound.delivery_id or ""]
    if inbound.delivery_id is None:
        if not is_about_another(inbound):
            return None
        if message.message_id is None and message.sent_at_ms is None:
            return None
        kind = inbound.update.value if inbound.update else inbound.disposition.value
        said = (message.message_id or "", str(message.sent_at_ms), message.subject, message.text)
        parts += [kind, *said, *(file.url for file in message.attachments)]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return f"d{digest.hexdigest()}"


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

    def find(self, channel: Channel, key: str | None, now_ms: int) -> str | None:
        """What the key was about when it came within the dedupe time, or None."""
        keys = self.channels.get(channel)
        if keys is None or key is None:
            return None
        found = keys.get(key)
        if found is None or now_ms - found[0] > self._keep_ms:
            return None
        return found[1]
