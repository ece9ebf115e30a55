"""What a submitted message became, as a value."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from .. import events as ev
from ..events import Event
from ..model import Inbound, UpdateKind

__all__ = ["Outcome", "Receipt", "receipt_of", "receipt_of_delivery"]


class Outcome(enum.StrEnum):
    """What became of a message. A closed list."""

    QUEUED = "queued"  #: opened an interaction that waits or is already offered
    SCHEDULED = "scheduled"  #: opened an interaction that begins to wait later
    APPENDED = "appended"  #: joined the open interaction of its thread
    DUPLICATE = "duplicate"  #: seen before; nothing was done
    REJECTED = "rejected"  #: refused at the door, see `Receipt.reason`
    QUARANTINED = "quarantined"  #: kept aside for a human, never routed
    EDITED = "edited"  #: changed the text of a message of an open interaction
    REDACTED = "redacted"  #: took the content of a message out of an open interaction
    ENDED = "ended"  #: told that the customer has gone; the open interaction was ended
    SPOOLED = "spooled"  #: of a cluster: kept on this machine until there is an owner
    IGNORED = "ignored"  #: means nothing for routing; only counted


class Receipt(msgspec.Struct, frozen=True):
    """The answer to `Router.submit` and `Router.deliver`: it is durable when you hold it.

    ``interaction_id`` is what the message opened, joined, repeats or ended (None when it is
    about no interaction), ``reason`` why it was rejected, quarantined or ignored.
    """

    outcome: Outcome
    interaction_id: str | None = None
    reason: str = ""

    @property
    def is_refused(self) -> bool:
        """Refused at the door: nobody will answer it, so do not tell the sender it is taken."""
        return self.outcome is Outcome.REJECTED

    @property
    def is_refused_for_now(self) -> bool:
        """Refused for want of room: the same message may be taken later."""
        return self.is_refused and self.reason in _PASSING


_PASSING = frozenset(
    {
        ev.RejectReason.QUEUE_FULL,
        ev.RejectReason.LANES_EXHAUSTED,
        ev.RejectReason.SENDER_RATE,
        ev.RejectReason.SET_ASIDE_FULL,
        ev.RejectReason.QUEUE_DRAINING,
    }
)


def _rejected(event: ev.Rejected) -> Receipt:
    return Receipt(Outcome.REJECTED, event.interaction_id, event.reason.value)


def _quarantined(event: ev.Quarantined) -> Receipt:
    return Receipt(Outcome.QUARANTINED, event.interaction_id, event.reason)


def _refused(event: ev.CommandRejected) -> Receipt:
    return Receipt(Outcome.REJECTED, event.subject, event.reason.value)


def _noted(event: ev.UpdateNoted) -> Receipt:
    about = event.interaction_id or None
    if event.reason is not None:
        return Receipt(Outcome.IGNORED, about, event.reason.value)
    return Receipt(Outcome.ENDED, about)


_OF_MESSAGES = frozenset({UpdateKind.EDITED, UpdateKind.DELETED, UpdateKind.THREAD_DELETED})

_BY_EVENT: dict[type[Event], Callable[[Any], Receipt]] = {
    ev.Queued: lambda event: Receipt(Outcome.QUEUED, event.interaction_id),
    ev.MessageAppended: lambda event: Receipt(Outcome.APPENDED, event.interaction_id),
    ev.MessageEdited: lambda event: Receipt(Outcome.EDITED, event.interaction_id),
    ev.MessageRedacted: lambda event: Receipt(Outcome.REDACTED, event.interaction_id),
    ev.UpdateNoted: _noted,
    ev.Duplicate: lambda event: Receipt(Outcome.DUPLICATE, event.interaction_id or None),
    ev.Rejected: _rejected,
    ev.Quarantined: _quarantined,
    ev.CommandRejected: _refused,
}


def receipt_of(events: Sequence[Event]) -> Receipt:
    """The receipt of a `Submit` or `Quarantine`; timers may have put other events before."""
    made = _made(events)
    assert made is not None, "a message left no event"
    if made.outcome is Outcome.QUEUED and any(
        isinstance(event, ev.Scheduled) and event.interaction_id == made.interaction_id
        for event in events
    ):
        return Receipt(Outcome.SCHEDULED, made.interaction_id)
    return made


def receipt_of_delivery(inbound: Inbound, events: Sequence[Event]) -> Receipt:
    """The receipt of a delivered event; when it left none, nothing was there to act on."""
    made = _made(events)
    if made is not None:
        return made
    why = (
        ev.NotApplied.UNKNOWN_MESSAGE
        if inbound.update in _OF_MESSAGES
        else ev.NotApplied.NO_OPEN_INTERACTION
    )
    return Receipt(Outcome.IGNORED, reason=why.value)


def _made(events: Sequence[Event]) -> Receipt | None:
    for event in events:
        made = _BY_EVENT.get(type(event))
        if made is not None:
            return made(event)
    return None
