"""Forgetting a customer: his open interactions stay where they are, without him.

Who he is over all channels is known by `Customers`; what stands in the journal is a matter of its
vault. O(open interactions + senders), on demand: some 2 us for each.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import CommandError
from ..events import CustomerErased, EraseCustomer
from ..model import Channel
from .customers import channel_key, interaction_key, own_key
from .matching import Events
from .records import InteractionRecord
from .state import State

__all__ = ["check_erase", "customer_erased", "erase", "erasure"]

_MAX_KEYS, _MAX_KEY_CHARS = 1_000, 64


def check_erase(_state: State, command: EraseCustomer) -> None:
    """Somebody is named, by keys of the usual size."""
    if not command.keys and command.interaction_id is None:
        raise CommandError("EraseCustomer names nobody: give keys or interaction_id")
    if len(command.keys) > _MAX_KEYS or max(map(len, command.keys), default=0) > _MAX_KEY_CHARS:
        raise CommandError(f"EraseCustomer.keys: at most {_MAX_KEYS} of {_MAX_KEY_CHARS} digits")


def erase(state: State, command: EraseCustomer, at_ms: int, out: Events) -> None:
    """Forget him; done twice it changes nothing."""
    event = erasure(state, command.keys, command.interaction_id)
    customer_erased(state, event)
    out.append(event)


def erasure(state: State, keys: Iterable[str], interaction_id: str | None = None) -> CustomerErased:
    """What forgetting these keys comes to now: all keys of the customer, and where he is."""
    wanted = set(keys)
    if interaction_id is not None:
        wanted.add(interaction_key(interaction_id))
        record = state.interactions.get(interaction_id)
        if record is not None:
            wanted.update(own_key(message) for message in record.messages if message.customer.id)
    wanted = state.customers.all_keys(wanted)
    known = 0
    while known < len(wanted):  # what was opened from another is of the same customer
        known = len(wanted)
        redacted = []
        for record in state.interactions.values():
            _add_kin(record, wanted)
            positions = _positions(record, wanted)
            if positions:
                redacted.append((record.id, positions))
                wanted.add(interaction_key(record.id))
    return CustomerErased(state.now_ms, tuple(sorted(wanted)), tuple(redacted))


def _add_kin(record: InteractionRecord, keys: set[str]) -> None:
    """Add the key of an interaction if that of its parent is there, and the other way round."""
    if record.side is not None and record.side.parent_id is not None:
        kin = {interaction_key(record.id), interaction_key(record.side.parent_id)}
        if not keys.isdisjoint(kin):
            keys |= kin


def _positions(record: InteractionRecord, keys: set[str]) -> tuple[int, ...]:
    """Which messages of an interaction are his: those he sent, and those nobody else did."""
    messages = record.messages
    owns = [own_key(message) for message in messages]
    if interaction_key(record.id) not in keys and keys.isdisjoint(owns):
        return ()
    return tuple(
        position
        for position, (message, own) in enumerate(zip(messages, owns, strict=True))
        if (not own or own in keys) and message != message.erased()
    )


def customer_erased(state: State, event: CustomerErased) -> None:
    """He is forgotten. Without keys (in a replay) only what is open is redacted."""
    for interaction_id, positions in event.redacted:
        record = state.interactions[interaction_id]
        if 0 in positions:
            state.leave_thread(record)
        for position in positions:
            record.replace(position, record.messages[position].erased())
        if record.side is not None and record.side.conversation_id:
            record.side.conversation_id = record.side.parent_id or record.id
    keys = set(event.keys)
    if not keys:
        return
    for customer_id in state.customers.forget(keys):
        state.last_agents.pop(customer_id, None)
    for channel, window in state.senders.items():
        for sender in [each for each in window.counts if channel_key(channel, each) in keys]:
            del window.counts[sender]
    _forget_mail(state, keys)


def _forget_mail(state: State, keys: set[str]) -> None:
    """The key of a mail that was seen has its sender in it (`Message.dedupe_key`)."""
    seen = state.seen.channels.get(Channel.EMAIL)
    if not seen:
        return
    his: dict[str, bool] = {}
    for key in list(seen):
        sender = key.rpartition("\n")[2] if "\n" in key else ""
        if sender and sender not in his:
            his[sender] = channel_key(Channel.EMAIL, sender) in keys
        if sender and his[sender]:
            del seen[key]
