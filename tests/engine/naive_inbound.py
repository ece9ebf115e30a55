"""The meaning of what comes in: repeats, rates, customers and updates, as the slowest program.

The part of `naive` that reads "An update comes in" and "Who is the same customer" of
docs/explanation/semantics.md. Customers are a list of sets of keys.
"""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import msgspec

from omniroute import events as ev
from omniroute.model import Message, UpdateKind
from omniroute.plan import LinkRule


def digest(kind: str, value: object) -> str:
    return hashlib.blake2b(f"{kind}:{value}".encode(), digest_size=16).hexdigest()


@attrs.define(eq=False)
class Known:
    """A customer and his keys."""

    id: str
    keys: set[str]


class NaiveDoor:
    """Mixed into `NaiveEngine`."""

    plan: Any
    now_ms: int
    items: dict[str, Any]
    tell: Any
    whose: Any

    def open_the_door(self) -> None:
        self.seen: dict[tuple[str, str], tuple[int, str]] = {}
        self.windows: dict[tuple[str, int], list[str]] = {}
        self.customers: list[Known] = []
        self.delivery: str | None = None  # of the delivery at hand

    # --- repeats --------------------------------------------------------------------------

    def find(self, channel: str, key: str | None) -> str | None:
        found = self.seen.get((channel, key or ""))
        if found is None or self.now_ms - found[0] > self.plan.limits.dedupe_ms:
            return None
        return found[1]

    def is_duplicate(self, message: Message, *, by_message: bool = True) -> bool:
        told_by = None
        about = self.find(message.channel, message.dedupe_key) if by_message else None
        if about is None:
            about, told_by = self.find(message.channel, self.delivery), self.delivery
        if about is None:
            return False
        self.tell(
            ev.Duplicate,
            channel=str(message.channel),
            message_id=message.message_id or "",
            interaction_id=about,
            delivery_key=told_by,
        )
        return True

    def remember(self, message: Message, interaction_id: str) -> None:
        self.remember_keys(message.channel, interaction_id, message.dedupe_key, self.delivery)

    def remember_keys(self, channel: str, about: str, *keys: str | None) -> None:
        for key in keys:
            if key is not None:
                self.seen.pop((channel, key), None)
                self.seen[channel, key] = (self.now_ms, about)
                known = [k for k in self.seen if k[0] == channel]
                if len(known) > self.plan.limits.max_dedupe_keys:
                    del self.seen[known[0]]

    # --- the rate of one sender -----------------------------------------------------------

    def is_over_rate(self, message: Message) -> bool:
        rate = self.plan.sender_rate
        limit = rate.maximum(message.channel)
        window = (message.channel, self.now_ms // rate.window_ms)
        sent = [who for who in self.windows.get(window, []) if who == message.customer.id]
        return bool(message.customer.id and limit and len(sent) >= limit)

    def count_sender(self, message: Message) -> None:
        rate, sender = self.plan.sender_rate, message.customer.id
        if not sender or not rate.maximum(message.channel):
            return
        sent = self.windows.setdefault((message.channel, self.now_ms // rate.window_ms), [])
        if sender not in sent and len(set(sent)) == rate.max_senders:
            sent.clear()
        sent.append(sender)

    # --- who is the same customer ---------------------------------------------------------

    def customer_of(self, message: Message) -> str:
        if not message.customer.id:
            return ""
        own = digest(message.channel, message.customer.id)
        return next((known.id for known in self.customers if own in known.keys), own)

    def conversation(self, item: Any) -> str:
        first = item.messages[0]
        thread = f"{first.channel}#{first.thread_id}" if first.thread_id else item.id
        return item.conversation_id or self.customer(item) or thread

    def customer(self, item: Any) -> str:
        named = [m for m in item.messages if m.customer.id]
        return self.customer_of(named[0]) if named else ""

    def keys_of(self, message: Message) -> list[str]:
        identity, keys = self.plan.identity, [digest(message.channel, message.customer.id)]
        for address in message.customer.addresses:
            if address.kind == "e164" and LinkRule.E164 in identity.link_by:
                keys.append(digest("tel", address.value))
            if address.kind == "email" and LinkRule.EMAIL in identity.link_by:
                keys.append(digest("mailto", address.value.lower()))
        given = message.attributes
        names = [name for name in identity.attributes if name in given]
        keys += [digest(f"attr.{name}", given[name]) for name in names]
        return list(dict.fromkeys(keys))

    def link(self, message: Message) -> None:
        if not message.customer.id or len(keys := self.keys_of(message)) == 1:
            return
        same = []
        for key in keys:
            same += [k for k in self.customers if key in k.keys and k not in same]
        before = self.customer_of(message)
        kept = same[0] if same else Known(keys[0], set())
        merged = [known.id for known in same if known is not kept]
        if before not in (kept.id, *merged):
            merged.append(before)
        if not merged and set(keys) <= kept.keys:
            return
        for known in same:
            kept.keys |= known.keys
        kept.keys |= set(keys)
        self.customers = [k for k in self.customers if k not in same] + [kept]
        self.merge_last_agents(kept.id, merged)
        self.tell(ev.CustomersLinked, customer_id=kept.id, keys=tuple(keys), merged=tuple(merged))

    # --- An update comes in ---------------------------------------------------------------

    def on_update(self, command: Any) -> None:
        message, kind = command.message, command.update
        self.delivery = command.delivery_key
        if self.is_duplicate(message, by_message=False):
            return
        if kind is UpdateKind.ENDED:
            item = self.open_thread(message)
            if item is not None:
                self.note(command, item.id)
                self.on_abandon(ev.Abandon(item.id, command.reason))
            elif command.is_numbered:
                self.note(command, "", reason="no_open_interaction")
            return
        if kind is UpdateKind.THREAD_DELETED:
            self.thread_deleted(command, self.open_thread(message))
            return
        about = self.find(message.channel, message.dedupe_key)
        item = self.items.get(about or "")
        if item is None or item.messages[0].channel != message.channel:
            item = self.open_thread(message)
        ids = [m.message_id for m in item.messages] if item is not None else []
        if item is None or message.message_id is None or message.message_id not in ids:
            unborn = message.dedupe_key if kind is UpdateKind.DELETED and about is None else None
            if self.delivery is not None or unborn is not None:
                self.note(command, "", unborn, "unknown_message")
            return
        place = ids.index(message.message_id)
        before = item.messages[place]
        if "redacted" in before.attributes:
            self.note(command, item.id, reason="redacted")
            return
        self.remember_keys(message.channel, item.id, self.delivery)
        told = {
            "interaction_id": item.id,
            "agent_id": self.whose(item),
            "delivery_key": self.delivery,
        }
        if kind is UpdateKind.DELETED:
            item.messages[place] = before.redacted()
            self.tell(ev.MessageRedacted, message_id=before.message_id, **told)
        else:
            item.messages[place] = before.edited(message)
            self.tell(ev.MessageEdited, message=item.messages[place], **told)
        self.change_copies(item, [before])

    def thread_deleted(self, command: Any, item: Any) -> None:
        left = [m for m in item.messages if "redacted" not in m.attributes] if item else []
        if item is None:
            about = self.find(command.message.channel, command.message.dedupe_key)
            unborn = command.message.dedupe_key if about is None else None
            if self.delivery is not None or unborn is not None:
                self.note(command, "", unborn, "unknown_message")
            return
        if not left:
            if self.delivery is not None:
                self.note(command, item.id, reason="redacted")
            return
        self.remember_keys(command.message.channel, item.id, self.delivery)
        keys = [self.delivery]
        ids = [m.message_id for m in item.messages]
        for place, message in enumerate(list(item.messages)):
            is_first = message.message_id and ids.index(message.message_id) == place
            if is_first and "redacted" not in message.attributes:
                item.messages[place] = message.redacted()
                self.redacted(item, message.message_id, keys)
        if any("redacted" not in m.attributes for m in item.messages):
            item.messages = [m.redacted() for m in item.messages]
            self.redacted(item, "", keys)
        self.change_copies(item, left)

    def redacted(self, item: Any, message_id: str, keys: list[str | None]) -> None:
        self.tell(
            ev.MessageRedacted,
            interaction_id=item.id,
            message_id=message_id,
            agent_id=self.whose(item),
            delivery_key=keys.pop() if keys else None,
        )

    def change_copies(self, item: Any, were: list[Message]) -> None:
        """Consults and escalations that were opened from it say what it says now."""
        for copy in [other for other in self.items.values() if other.parent is item]:
            before, first = copy.messages[0], item.messages[0]
            if copy.kind is ev.Kind.CONSULT:
                after = msgspec.structs.replace(first, thread_id=None, message_id=None)
            else:
                own = before.links[: copy.own_links]
                others = before.links[copy.own_links :]
                after = msgspec.structs.replace(
                    before,
                    subject=first.subject,
                    language=first.language,
                    attributes=first.attributes,
                    links=own + self.without(others, item, were, "links"),
                    attachments=self.without(before.attachments, item, were, "attachments"),
                )
            if after != before:
                copy.messages[0] = after
                self.tell(
                    ev.MessageEdited,
                    interaction_id=copy.id,
                    message=after,
                    agent_id=self.whose(copy),
                )
                self.change_copies(copy, [before])

    @staticmethod
    def without(kept: Any, item: Any, were: list[Message], what: str) -> Any:
        now = [each for m in item.messages for each in getattr(m, what)]
        gone = [each for m in were for each in getattr(m, what) if each not in now]
        return tuple(each for each in kept if each not in gone)

    def note(
        self, command: Any, about: str, unborn: str | None = None, reason: str | None = None
    ) -> None:
        channel = command.message.channel
        self.remember_keys(channel, about, self.delivery, unborn)
        self.tell(
            ev.UpdateNoted,
            channel=channel,
            update=command.update,
            interaction_id=about,
            delivery_key=self.delivery,
            message_key=None if unborn is None else f"m{unborn}",
            reason=None if reason is None else ev.NotApplied(reason),
        )
