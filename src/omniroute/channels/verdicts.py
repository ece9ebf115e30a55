"""What an event means, in one word each: the small constructors that the adapters share.

They keep two promises for every channel: what is routed always has a thread and a message
id, and what is not routed always says why.
"""

from __future__ import annotations

import json

import msgspec

from ..errors import PayloadError
from ..model import Channel, Disposition, Inbound, Message, UpdateKind
from .payloads import stable_id
from .protocol import Reply

__all__ = [
    "edited",
    "handshake",
    "ignored",
    "json_reply",
    "lifecycle",
    "own",
    "revised",
    "routed",
    "status",
    "update",
]


def routed(message: Message, *, inside: bool = False, delivery_id: str = "") -> Inbound:
    """A customer reached out, or (``inside``) went on in an exchange that he is in.

    A message that came without an id gets one made of its content, so that its repeat is
    recognised.

    Raises:
        PayloadError: the event names no conversation, so nobody could answer it.
    """
    if not message.thread_id:
        raise PayloadError("the event names neither a conversation nor a sender")
    if not message.message_id:
        files = [file.url for file in message.attachments]
        made = stable_id(
            message.thread_id, message.customer.id, str(message.sent_at_ms), message.text, *files
        )
        message = msgspec.structs.replace(message, message_id=made)
    return Inbound(
        disposition=Disposition.APPEND if inside else Disposition.CREATE,
        message=message,
        delivery_id=delivery_id or None,
    )


def update(
    message: Message, kind: UpdateKind, delivery_id: str = "", *, target: str = ""
) -> Inbound:
    """Something that was said before changed, or was reacted to.

    ``target`` names the message that it is about, where the event has an id of its own.

    An edit that says nothing is no edit of the text: providers also tell so that a link got its
    preview or a post was pinned. It is a change of state.
    """
    if kind is UpdateKind.EDITED and not (message.text or message.attachments):
        kind = UpdateKind.STATE
    return Inbound(
        disposition=Disposition.UPDATE,
        message=message,
        update=kind,
        delivery_id=delivery_id or None,
        target=target or None,
    )


def edited(message: Message, version: str = "") -> Inbound:
    """Its author wrote it anew.

    ``version`` is what the provider tells one edit from the next by: a number, a time, a revision.
    Without it what was written does, and the time of the event; then an edit that goes back to an
    earlier text is a repeat, where the provider gives every edit the time of the message.
    """
    delivery_id = f"{message.message_id}@{version}" if version and message.message_id else ""
    return update(message, UpdateKind.EDITED, delivery_id)


def revised(inbound: Inbound, version: str = "") -> tuple[Inbound, ...]:
    """What a poll shows, when its author may have changed it since the last poll.

    A poll tells neither what is new nor what was changed. So first comes the edit, which finds
    nothing where the message is new, then the message, which is a repeat where it is not.
    ``version`` is that of `edited`.
    """
    message = inbound.message
    if inbound.disposition not in (Disposition.CREATE, Disposition.APPEND) or not message.text:
        return (inbound,)
    return (edited(message, version), inbound)


def status(message: Message, reason: str, delivery_id: str = "") -> Inbound:
    """Delivered, read, typing."""
    return _unrouted(Disposition.STATUS, message, reason, delivery_id)


def own(message: Message, reason: str, delivery_id: str = "") -> Inbound:
    """Written by our own side, or by a machine on theirs."""
    return _unrouted(Disposition.OWN, message, reason, delivery_id)


def lifecycle(message: Message, reason: str, delivery_id: str = "") -> Inbound:
    """Followed, installed, joined, account news: nobody waits for an answer."""
    return _unrouted(Disposition.LIFECYCLE, message, reason, delivery_id)


def ignored(message: Message, reason: str, delivery_id: str = "") -> Inbound:
    """A kind of event that is not known here: counted, never an error."""
    return _unrouted(Disposition.IGNORED, message, reason, delivery_id)


def handshake(
    channel: Channel, reason: str, *, reply: str | None = None, received_at_ms: int | None
) -> Inbound:
    """The provider checks that we are there, with what it must be answered."""
    message = Message(channel=channel, received_at_ms=received_at_ms)
    return Inbound(disposition=Disposition.HANDSHAKE, message=message, reason=reason, reply=reply)


def json_reply(value: dict[str, object], status: int = 200) -> Reply:
    """A compact JSON answer."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, "application/json; charset=utf-8", body)


def _unrouted(disposition: Disposition, message: Message, reason: str, delivery_id: str) -> Inbound:
    """An event that opens nothing."""
    return Inbound(
        disposition=disposition,
        message=message,
        reason=reason,
        delivery_id=delivery_id or None,
    )
