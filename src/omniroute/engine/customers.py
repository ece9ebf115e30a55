"""Who is the same customer over several channels, by the plan's rules and by nothing else.

A customer has one *own key* per channel, ``channel:id``, and perhaps *linked keys* that the
rules make of his addresses and attributes: ``tel:+49...``, ``mailto:...``, ``attr:name=...``.
All keys that ever came in one message belong to one customer; his id is the own key under
which he first came. When two customers turn out to be one, the one who was found first keeps
his id and the other's id becomes an alias of it.

A customer without an id is nobody, whatever else the message says: withheld callers are never
merged, not even with themselves.

`link` decides, `linked` writes down. The event carries the keys, not the rules, so a replay
under another plan gives the same customers.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from ..model import AddressKind, Channel, Message
from ..plan import Identity, LinkRule

__all__ = ["MAX_KEYS", "Customers", "Link", "own_key"]

#: A person has a few numbers and addresses. What belongs to many people (a switchboard) must
#: not gather them into one customer without end.
MAX_KEYS = 32

#: Keys are kept in memory: what is longer than any address or id is none.
_MAX_KEY_CHARS = 320

_TELEPHONE = frozenset({Channel.VOICE, Channel.SMS, Channel.VOICEMAIL, Channel.VIDEO})


class Link(NamedTuple):
    """What a message says about who is who: the fields of `CustomersLinked`."""

    customer_id: str
    keys: tuple[str, ...]
    merged: tuple[str, ...]


def own_key(message: Message) -> str:
    """The customer on his channel; "" when he is withheld."""
    found = message.customer.id
    return f"{message.channel.value}:{found}" if found else ""


class Customers:
    """Keys to customer ids; bounded, the customers who were linked longest ago go first."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._has_rules = bool(identity.link_by or identity.attributes)
        self._keys: dict[str, str] = {}
        #: customer id -> his keys
        self.customers: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        #: former id -> the id it became
        self.aliases: OrderedDict[str, str] = OrderedDict()

    def of(self, message: Message) -> str:
        """The customer's id as of now; "" when he is withheld."""
        own = own_key(message)
        return self._keys.get(own, own) if self._keys else own

    def resolve(self, customer_id: str) -> str:
        """The id that a customer has now who once had this one."""
        while (became := self.aliases.get(customer_id)) is not None:
            customer_id = became
        return customer_id

    # --- decide ---------------------------------------------------------------------------

    def link(self, message: Message) -> Link | None:
        """What the message adds to what is known, or None. O(keys of the customer)."""
        own = own_key(message)
        if not self._has_rules or not own:
            return None
        keys = (own, *self._linked_keys(message))
        if len(keys) == 1:
            return None
        known = list(dict.fromkeys(self._keys[key] for key in keys if key in self._keys))
        customer_id = known[0] if known else own
        if own not in self._keys and own != customer_id:
            known.append(own)  # his id until now, under which interactions may be open
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
                found.append(f"tel:{value}")
            elif address.kind is AddressKind.EMAIL and LinkRule.EMAIL in rules and value:
                found.append(f"mailto:{value.lower()}")
        if self._identity.default_region is not None and LinkRule.E164 in rules:
            number = self._national(message)
            if number:
                found.append(f"tel:{number}")
        for name in self._identity.attributes:
            given = message.attributes.get(name)
            if given and isinstance(given, str | int) and not isinstance(given, bool):
                found.append(f"attr:{name}={given}")
        return tuple(dict.fromkeys(key for key in found if len(key) <= _MAX_KEY_CHARS))

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
            self.aliases[other] = customer_id
            self.aliases.move_to_end(other)
        mine.update(dict.fromkeys(keys))
        self.aliases.pop(customer_id, None)
        self._keep(customer_id, tuple(mine))
        limit = self._identity.max_customers
        while len(self.customers) > limit:
            for key in self.customers.popitem(last=False)[1]:
                del self._keys[key]
        while len(self.aliases) > limit:
            self.aliases.popitem(last=False)

    def _keep(self, customer_id: str, keys: tuple[str, ...]) -> None:
        self.customers[customer_id] = keys
        for key in keys:
            self._keys[key] = customer_id

    def restore(
        self,
        customers: tuple[tuple[str, tuple[str, ...]], ...],
        aliases: tuple[tuple[str, str], ...],
    ) -> None:
        """As a snapshot kept them, in their order."""
        for customer_id, keys in customers:
            self._keep(customer_id, keys)
        self.aliases.update(aliases)
