"""Folding what came in: messages that were refused, kept aside, repeated, joined or changed.

The part of `apply` that is about messages and customers; a message that opens an interaction is
folded there. One function per event, none of them decides.
"""

from __future__ import annotations

from .. import events as ev
from ..events import RejectReason
from .lifecycle import INTERACTION
from .seen import message_key
from .state import State

__all__ = [
    "customers_linked",
    "duplicate",
    "message_appended",
    "message_edited",
    "message_redacted",
    "quarantined",
    "rejected",
    "remember",
    "update_noted",
]


def rejected(state: State, event: ev.Rejected) -> None:
    """Refused at the door."""
    _number(state, event.interaction_id)
    if event.reason is RejectReason.SENDER_RATE:
        state.over_rate += 1
    elif event.queue is None:
        state.unrouted += 1
    else:
        state.queue(event.queue).tally(event.message.channel).rejected += 1


def quarantined(state: State, event: ev.Quarantined) -> None:
    """Kept aside."""
    _number(state, event.interaction_id)
    remember(state, event)
    state.quarantined += 1
    state.over_rate += event.reason == RejectReason.SENDER_RATE


def remember(state: State, event: ev.Queued | ev.MessageAppended | ev.Quarantined) -> None:
    """A repeat of the message or of its delivery is known from now on."""
    message, seen = event.message, state.seen
    seen.remember(message.channel, message_key(message), event.interaction_id, event.at_ms)
    seen.remember(message.channel, event.delivery_key, event.interaction_id, event.at_ms)


def _number(state: State, interaction_id: str) -> None:
    """An id that the engine made uses up a number of the sequence."""
    if interaction_id == f"i{state.seq + 1}":
        state.seq += 1


def duplicate(state: State, _event: ev.Duplicate) -> None:
    """Seen before; only counted."""
    state.duplicates += 1


def message_appended(state: State, event: ev.MessageAppended) -> None:
    """A further message of an open thread."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.MessageAppended][record.state]
    record.append(event.message, state.plan.limits.max_messages)
    record.tally.messages += 1
    remember(state, event)
    message = event.message
    state.senders[message.channel].count(message.customer.id, event.at_ms)


def message_edited(state: State, event: ev.MessageEdited) -> None:
    """A message of an open interaction says something else.

    One without an id is the opening message: a copy, of a consult or an escalation.
    """
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.MessageEdited][record.state]
    message_id = event.message.message_id
    position = 0 if message_id is None else record.position_of(message_id)
    if position is not None:
        record.replace(position, event.message)
    state.seen.remember(record.channel, event.delivery_key, record.id, event.at_ms)


def message_redacted(state: State, event: ev.MessageRedacted) -> None:
    """A message of an open interaction says nothing any more; without an id: none does."""
    record = state.interactions[event.interaction_id]
    record.state = INTERACTION[ev.MessageRedacted][record.state]
    for position, message in enumerate(record.messages):
        if not event.message_id or message.message_id == event.message_id:
            record.replace(position, message.redacted())
            if event.message_id:
                break
    state.seen.remember(record.channel, event.delivery_key, record.id, event.at_ms)


def update_noted(state: State, event: ev.UpdateNoted) -> None:
    """An update whose repeat is known from now on."""
    for key in (event.delivery_key, event.message_key):
        state.seen.remember(event.channel, key, event.interaction_id, event.at_ms)


def _merge_last_agents(state: State, event: ev.CustomersLinked) -> None:
    """Who served the customer last is whoever served any of those that he turns out to be."""
    known = state.last_agents
    found = [known.pop(who) for who in (event.customer_id, *event.merged) if who in known]
    if found:
        known[event.customer_id] = max(found, key=lambda last: last[1])


def customers_linked(state: State, event: ev.CustomersLinked) -> None:
    """A customer is known by more keys."""
    state.customers.linked(event.customer_id, event.keys, event.merged)
    _merge_last_agents(state, event)
