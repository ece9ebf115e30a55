"""Who is the same customer over several channels, by the plan's rules and by nothing else.

A customer has one *own key* per channel, made of the channel and his id there, and perhaps
*linked keys* that the rules make of his addresses and attributes: a telephone number, a mailbox,
an id of your own. All keys that ever came in one message belong to one customer, and his id is
the own key under which he first came. When two customers turn out to be one, the one who was
found first keeps his id; whoever remembers the other's id is told by `CustomersLinked.merged`.

A customer without an id is nobody, whatever else the message says: withheld callers are never
merged, not even with themselves.

Keys are digests: the journal of who is who has no address in it, and a key is never long.

`link` decides, `linked` writes down. The event carries the keys, not the rules, so a replay
under another plan gives the same customers.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from ..model import AddressKind, Channel, Message
from ..plan import Identity, LinkRule

__all__ = ["MAX_KEYS", "Customers", "Link", "channel_key", "interaction_key", "own_key"]

#: A person has a few numbers and addresses. What belongs to many people (a switchboard) must
#: not gather them into one customer without end.
MAX_KEYS = 32

_TELEPHONE = frozenset({Channel.VOICE, Channel.SMS, Channel.VOICEMAIL, Channel.VIDEO})


class Link(NamedTuple):
    """What a message says about who is who: the fields of `CustomersLinked`."""

    customer_id: str
    keys: tuple[str, ...]
    merged: tuple[str, ...]


def _key(kind: str, value: str) -> str:
    """A key as 32 digits; two kinds never give the same. About 1.5 us."""
    data = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def own_key(message: Message) -> str:
    """The customer on his channel; "" when he is withheld."""
    found = message.customer.id
    return _key(message.channel.value, found) if found else ""


def channel_key(channel: Channel, customer_id: str) -> str:
    """As `own_key`, of an id on a channel."""
    return _key(channel.value, customer_id)


def interaction_key(interaction_id: str) -> str:
    """Who is withheld is known by his interaction alone."""
    return _key("interaction", interaction_id)


class Customers:
    """Keys to customer ids; bounded, the customers who were linked longest ago go first."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.has_rules = bool(identity.link_by or identity.attributes)
        self._keys: dict[str, str] = {}
        #: customer id -> his keys
        self.customers: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def of(self, message: Message) -> str:
        """The customer's id as of now; "" when he is withheld."""
        own = own_key(message)
        return self._keys.get(own, own)

    def all_keys(self, keys: set[str]) -> set[str]:
        """These, and all others of the customers whom they belong to."""
        found = set(keys)
        for key in keys:
            customer_id = self._keys.get(key, key)
            found.update((customer_id, *self.customers.get(customer_id, ())))
        return found

    # --- decide ---------------------------------------------------------------------------

    def link(self, message: Message) -> Link | None:
        """What the message adds to what is known, or None. O(keys of the customer)."""
        if not self.has_rules or not message.customer.id:
            return None
        own = own_key(message)
        keys = (own, *self._linked_keys(message))
        if len(keys) == 1:
            return None
        known = list(dict.fromkeys(self._keys[key] for key in keys if key in self._keys))
        customer_id = known[0] if known else own
        if own not in self._keys and own != customer_id:
            known.append(own)  # his id until now
        merged = tuple(dict.fromkeys(other for other in known if other != customer_id))
        new = tuple(key for key in keys if key not in self._keys)
        if not new and not merged:
            return None
        count = len(new) + sum(len(self.customers.get(each, ())) for each in (customer_id, *merged))
        return Link(customer_id, keys, merged) if count <= MAX_KEYS else None

    def _linked_keys(self, message: Message) -> tuple[str, ...]:
        rules = self._identity.link_by
        found = []
        for address in message.customer.addresses:
            value = address.value.strip()
            if address.kind is AddressKind.E164 and LinkRule.E164 in rules:
                found.append(_key("tel", value))
            elif address.kind is AddressKind.EMAIL and LinkRule.EMAIL in rules and value:
                found.append(_key("mailto", value.lower()))
        if self._identity.default_region is not None and LinkRule.E164 in rules:
            number = self._national(message)
            if number:
                found.append(_key("tel", number))
        for name in self._identity.attributes:
            given = message.attributes.get(name)
            if given and isinstance(given, str | int) and not isinstance(given, bool):
                found.append(_key(f"attr.{name}", str(given)))
        return tuple(dict.fromkeys(found))

    def _national(self, message: Message) -> str:
        """The number of a caller whom his channel knows only by national digits, or ""."""
        given = message.customer.id
        if message.channel not in _TELEPHONE or not given.isascii() or not given.isdigit():
            return ""
        import phonenumbers

        try:
            parsed = phonenumbers.parse(given, self._identity.default_region)
        except phonenumbers.NumberParseException:
            return ""
        if not phonenumbers.is_valid_number(parsed):
            return ""
        return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))

    # --- write down -----------------------------------------------------------------------

    def linked(self, customer_id: str, keys: tuple[str, ...], merged: tuple[str, ...]) -> None:
        """All these keys are this customer's, and those of the merged ones as well."""
        mine = dict.fromkeys(self.customers.pop(customer_id, ()))
        for other in merged:
            mine.update(dict.fromkeys(self.customers.pop(other, ())))
        mine.update(dict.fromkeys(keys))
        self._keep(customer_id, tuple(mine))
        self.shrink()

    def shrink(self) -> None:
        """Keep the limit: who was linked longest ago goes first."""
        while len(self.customers) > self._identity.max_customers:
            for key in self.customers.popitem(last=False)[1]:
                del self._keys[key]

    def _keep(self, customer_id: str, keys: tuple[str, ...]) -> None:
        self.customers[customer_id] = keys
        for key in keys:
            self._keys[key] = customer_id

    def forget(self, keys: set[str]) -> set[str]:
        """Nobody has these keys any more; returns the ids of the customers who had them."""
        gone = {self._keys.get(key, key) for key in keys}
        for customer_id in gone:
            for key in self.customers.pop(customer_id, ()):
                del self._keys[key]
        return gone

    def restore(self, customers: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
        """As a snapshot kept them, in their order."""
        for customer_id, keys in customers:
            self._keep(customer_id, keys)
