"""What is personal in commands and events, taken out of them and put back.

Three kinds of fields:

- *Content* (texts, names, addresses, links, files, attributes; what people wrote as a reason) is
  sealed, and nothing stands in its place.
- *Identities* (who, which thread, which message) are sealed, and a pseudonym stands in their place:
  the same for the same value as long as the customer has the same key. So a replay that may not
  know any more who it was still knows that it was the same, and comes to the same state.
- *Routing facts* (queue, priority, moments, agents, ids of interactions, disposition codes) stay.

Whose key it is: that of the message's customer on his channel; of one who is withheld, that of
his interaction; of an event about an interaction, that of who is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from .. import events as ev
from ..errors import JournalError
from ..events import Command, Event, RejectReason
from ..model import Attachment, Attribute, Customer, Message
from .protocol import Vault

__all__ = ["COMMAND", "Sealed", "blanked", "forget", "learn", "seal", "subject_of", "unseal"]

#: Stands for the command where a place in an entry is told: events count from 0.
COMMAND = -1

_T = TypeVar("_T", bound=msgspec.Struct)


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What left the event (or command) at a place of an entry."""

    entry: int
    place: int
    data: bytes


class _Personal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is personal in a message, and in the ``fields`` beside it."""

    customer: Customer = Customer()
    thread_id: str | None = None
    message_id: str | None = None
    subject: str = ""
    text: str = ""
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    attributes: dict[str, Attribute] = {}
    has_message: bool = False
    fields: dict[str, str | list[str]] = {}


#: Fields beside the message that are content, and those that are identities.
_CONTENT: Mapping[type, tuple[str, ...]] = {
    ev.Quarantine: ("reason",),
    ev.Quarantined: ("reason",),
    ev.Update: ("reason",),
    ev.Abandon: ("reason",),
    ev.Abandoned: ("reason",),
    ev.Cancel: ("reason",),
    ev.Cancelled: ("reason",),
    ev.Decline: ("reason",),
    ev.Declined: ("reason",),
    ev.Requeue: ("reason",),
    ev.Requeued: ("reason",),
    ev.Transfer: ("reason",),
    ev.Transferred: ("reason",),
    ev.FailCallback: ("reason",),
    ev.CallbackFailed: ("reason",),
    ev.RequestCallback: ("address",),
    ev.CallbackRequested: ("address",),
    ev.Escalate: ("link",),
}
_IDENTITIES: Mapping[type, tuple[str, ...]] = {
    ev.Duplicate: ("message_id",),
    ev.MessageRedacted: ("message_id",),
    ev.UpdateNoted: ("message_key",),
    ev.CustomersLinked: ("customer_id", "keys", "merged"),
}
#: Reasons that a replay counts by.
_FACTS = frozenset(reason.value for reason in RejectReason)
_WITH_MESSAGE = (
    ev.Submit,
    ev.Quarantine,
    ev.Update,
    ev.Queued,
    ev.MessageAppended,
    ev.MessageEdited,
    ev.Rejected,
    ev.Quarantined,
)
_CONCERNED = frozenset({*_CONTENT, *_IDENTITIES, *_WITH_MESSAGE})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Personal).decode


def subject_of(message: Message, interaction_id: str | None = None) -> str:
    """Whose key seals a message: its customer's on its channel, or its interaction's."""
    if message.customer.id:
        return f"{message.channel.value}:{message.customer.id}"
    return f"interaction:{interaction_id or ''}"


class _Place(NamedTuple):
    number: int
    value: Command | Event


def _places(command: Command, events: tuple[Event, ...], *, has_message: bool) -> Iterator[_Place]:
    """What of an entry may be personal; ``has_message``: the command's own is not elsewhere."""
    kind = type(command)
    if kind in _CONCERNED and (has_message or kind in _CONTENT):
        yield _Place(COMMAND, command)
    for number, event in enumerate(events):
        if type(event) in _CONCERNED:
            yield _Place(number, event)


def seal(
    command: Command,
    events: tuple[Event, ...],
    vault: Vault,
    who: Mapping[str, str],
    place: tuple[int, int],
    sealed: list[Sealed],
    *,
    has_message: bool,
) -> tuple[Command, tuple[Event, ...]]:
    """An entry without what is personal, which goes to ``sealed``. 15 us for each message.

    ``who`` has the subjects of open interactions, ``place`` is (first event of the frame, number
    of the entry), ``has_message`` whether the command has a message of its own.
    """
    first_seq, number = place
    facts: Any
    asked, apart = command, list(events)
    for found, value in _places(command, events, has_message=has_message):
        subject = _subject(value, asked, events, who) or f"entry:{first_seq}.{number}"
        takes_message = found != COMMAND or has_message
        facts, personal = _split(value, subject, vault, takes_message=takes_message)
        if personal is None:
            continue
        context = _context(first_seq, number, found)
        sealed.append(Sealed(number, found, vault.seal(subject, _encode(personal), context)))
        if found == COMMAND:
            command = facts
        else:
            apart[found] = facts
    return command, tuple(apart)


def unseal(
    command: Command,
    events: tuple[Event, ...],
    vault: Vault,
    first_seq: int,
    sealed: Sealed,
) -> tuple[Command, tuple[Event, ...]]:
    """The entry with what was sealed; as it is when the key was destroyed.

    Raises `JournalError` when the bytes were altered, `IndexError` for a place it has not.
    """
    plain = vault.unseal(sealed.data, _context(first_seq, sealed.entry, sealed.place))
    if plain is None:
        return command, events
    personal = _decode(plain)
    if sealed.place == COMMAND:
        return _joined(command, personal), events
    changed = list(events)
    changed[sealed.place] = _joined(changed[sealed.place], personal)
    return command, tuple(changed)


def blanked(value: _T) -> _T:
    """An erasure as it stands in a sealed journal: without the keys of whom it erased."""
    if isinstance(value, ev.EraseCustomer | ev.CustomerErased) and value.keys:
        return msgspec.structs.replace(value, keys=())
    return value


def learn(who: MutableMapping[str, str], events: tuple[Event, ...]) -> None:
    """Remember who is in which interaction; before these events are sealed."""
    for event in events:
        if isinstance(event, ev.Queued | ev.MessageAppended) and event.message.customer.id:
            who.setdefault(event.interaction_id, subject_of(event.message))


def forget(who: MutableMapping[str, str], events: tuple[Event, ...]) -> None:
    """Forget who was in interactions that are over; after these events were sealed."""
    for event in events:
        if isinstance(event, ev.Completed | ev.Abandoned | ev.Cancelled):
            who.pop(event.interaction_id, None)
        elif isinstance(event, ev.CustomerErased):
            for interaction_id, _ in event.redacted:
                who.pop(interaction_id, None)


def _context(first_seq: int, entry: int, place: int) -> bytes:
    return f"{first_seq}/{entry}/{place}".encode()


def _subject(
    value: Command | Event, command: Command, events: tuple[Event, ...], who: Mapping[str, str]
) -> str:
    """Whose it is; "" when nothing tells."""
    for told in (value, command):
        if isinstance(told, _WITH_MESSAGE) and told.message.customer.id:
            return subject_of(told.message)
    about: str = getattr(value, "interaction_id", None) or ""
    if not about:
        for event in reversed(events):
            if type(event) in _CONCERNED:
                about = getattr(event, "interaction_id", "")
                break
    return (who.get(about) or f"interaction:{about}") if about else ""


def _split(
    value: _T, subject: str, vault: Vault, *, takes_message: bool
) -> tuple[_T, _Personal | None]:
    """The facts and what is personal; None when nothing is."""
    kind = type(value)
    fields: dict[str, str | list[str]] = {}
    facts: dict[str, Any] = {}
    for name in _CONTENT.get(kind, ()):
        content: str = getattr(value, name)
        if content and content not in _FACTS:
            fields[name] = content
            facts[name] = ""
    for name in _IDENTITIES.get(kind, ()):
        found: str | tuple[str, ...] | None = getattr(value, name)
        if found:
            linked = "" if kind is ev.CustomersLinked else subject
            fields[name] = found if isinstance(found, str) else list(found)
            facts[name] = (
                vault.pseudonym(linked, found)
                if isinstance(found, str)
                else tuple(vault.pseudonym(linked, each) for each in found)
            )
    if takes_message and isinstance(value, _WITH_MESSAGE):
        message = value.message
        personal = _Personal(
            message.customer,
            message.thread_id,
            message.message_id,
            message.subject,
            message.text,
            message.links,
            message.attachments,
            message.attributes,
            has_message=True,
            fields=fields,
        )
        if personal != _Personal(has_message=True):
            facts["message"] = _facts(message, subject, vault)
            return msgspec.structs.replace(value, **facts), personal
    if not facts:
        return value, None
    return msgspec.structs.replace(value, **facts), _Personal(fields=fields)


def _facts(message: Message, subject: str, vault: Vault) -> Message:
    """A message as it reads when its customer is erased."""
    found, thread_id, message_id = message.customer.id, message.thread_id, message.message_id
    return Message(
        channel=message.channel,
        customer=Customer(vault.pseudonym(subject, found)) if found else Customer(),
        thread_id=vault.pseudonym(subject, thread_id) if thread_id else thread_id,
        message_id=vault.pseudonym(subject, message_id) if message_id else message_id,
        to=message.to,
        language=message.language,
        attributes={"redacted": True},
        sent_at_ms=message.sent_at_ms,
        received_at_ms=message.received_at_ms,
    )


def _joined(value: _T, personal: _Personal) -> _T:
    """What was split, whole again."""
    changes: dict[str, Any] = {
        name: tuple(found) if isinstance(found, list) else found
        for name, found in personal.fields.items()
    }
    if personal.has_message:
        if not isinstance(value, _WITH_MESSAGE):
            raise JournalError("what is sealed belongs to an event without a message")
        changes["message"] = msgspec.structs.replace(
            value.message,
            customer=personal.customer,
            thread_id=personal.thread_id,
            message_id=personal.message_id,
            subject=personal.subject,
            text=personal.text,
            links=personal.links,
            attachments=personal.attachments,
            attributes=personal.attributes,
        )
    try:
        return msgspec.structs.replace(value, **changes)
    except TypeError as error:
        raise JournalError(f"what is sealed belongs to another event: {error}") from error
