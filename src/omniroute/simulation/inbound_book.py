"""What an auditor knows of messages and senders: what was seen, who sent how much, who is who.

The counterpart of the engine's `seen`, `senders` and `customers`, kept in plain dicts. Keys are
read from events as they stand there; nothing is decided.
"""

from __future__ import annotations

from typing import TypeVar

from ..engine.customers import channel_key
from ..model import Channel, Message
from ..plan import Plan

__all__ = ["InboundBook", "message_key"]

_Row = TypeVar("_Row")


def message_key(message: Message) -> str | None:
    """As events name it; None when nothing tells the message's repeat."""
    key = message.dedupe_key
    return None if key is None else f"m{key}"


def _newest(rows: dict[str, _Row], most: int) -> dict[str, _Row]:
    """The last rows of a table."""
    return dict(list(rows.items())[max(0, len(rows) - most) :])


class InboundBook:
    """Repeats by channel and key, the running windows of senders, customer ids by key."""

    def __init__(self, plan: Plan) -> None:
        self._limits = plan.limits
        self._rate = plan.sender_rate
        self._seen: dict[str, dict[str, tuple[int, str]]] = {}
        self._windows: dict[str, tuple[int, dict[str, int]]] = {}
        #: key -> customer id
        self.customers: dict[str, str] = {}
        #: at which moment whose messages were changed; only the last moment is kept
        self.changed: set[tuple[int, str]] = set()

    def adopt(self, plan: Plan, now_ms: int) -> None:
        """Another plan: what was over by now stays so, what is too much goes, oldest first."""
        kept_ms = self._limits.dedupe_ms
        self._limits, self._rate = plan.limits, plan.sender_rate
        for channel, rows in self._seen.items():
            known = {key: row for key, row in rows.items() if now_ms - row[0] <= kept_ms}
            self._seen[channel] = _newest(known, self._limits.max_dedupe_keys)
        self._windows.clear()

    # --- repeats --------------------------------------------------------------------------

    def about(self, channel: str, key: str | None, now_ms: int) -> str | None:
        """What a message or a delivery with this key was about, None when it is new."""
        found = self._seen.get(channel, {}).get(key or "")
        if found is None or now_ms - found[0] > self._limits.dedupe_ms:
            return None
        return found[1]

    def are_about(self, channel: str, message_id: str, at_ms: int) -> set[str]:
        """What messages with this id were about; of mails there may be several senders."""
        rows = self._seen.get(channel, {})
        return {
            about
            for key, (seen_ms, about) in rows.items()
            if key[:1] == "m" and key[1:].partition("\n")[0] == message_id
            if at_ms - seen_ms <= self._limits.dedupe_ms
        }

    def remember(self, channel: str, key: str | None, about: str, at_ms: int) -> None:
        """A repeat is known from now on."""
        if key is None:
            return
        rows = self._seen.setdefault(channel, {})
        rows.pop(key, None)
        rows[key] = (at_ms, about)
        if len(rows) > self._limits.max_dedupe_keys:
            del rows[next(iter(rows))]

    # --- senders --------------------------------------------------------------------------

    def is_over_rate(self, message: Message, now_ms: int) -> bool:
        """Whether one more message of its sender is too much."""
        most = self._rate.maximum(message.channel)
        return 0 < most <= self._window(message.channel, now_ms).get(message.customer.id, 0)

    def _window(self, channel: Channel, now_ms: int) -> dict[str, int]:
        """Who sent how much in the running window of a channel."""
        number = now_ms // self._rate.window_ms
        began, counts = self._windows.get(channel, (-1, {}))
        if began != number:
            counts = {}
            self._windows[channel] = number, counts
        return counts

    def count_sender(self, message: Message, at_ms: int) -> None:
        """A message was routed."""
        sender = message.customer.id
        if not sender or not self._rate.maximum(message.channel):
            return
        counts = self._window(message.channel, at_ms)
        if sender not in counts and len(counts) == self._rate.max_senders:
            counts.clear()
        counts[sender] = counts.get(sender, 0) + 1

    # --- customers ------------------------------------------------------------------------

    def owners(self, keys: tuple[str, ...]) -> set[str]:
        """Whose keys these are so far; a channel's own key is at first its own customer."""
        return {self.customers.get(key, keys[0]) for key in keys if key in self.customers} | {
            self.customers.get(keys[0], keys[0])
        }

    def link(self, customer_id: str, keys: tuple[str, ...], merged: tuple[str, ...]) -> None:
        """All of these are one customer's."""
        for key, owner in self.customers.items():
            if owner in merged:
                self.customers[key] = customer_id
        self.customers.update(dict.fromkeys(keys, customer_id))

    def forget(self, keys: frozenset[str]) -> None:
        """Nobody is known by these keys any more."""
        for key in [each for each in self.customers if each in keys]:
            del self.customers[key]
        for channel, (_, counts) in self._windows.items():
            for sender in list(counts):
                if channel_key(Channel(channel), sender) in keys:
                    del counts[sender]
        mail = self._seen.get(Channel.EMAIL, {})
        for key in list(mail):
            sender = key.partition("\n")[2]
            if sender and channel_key(Channel.EMAIL, sender) in keys:
                del mail[key]
