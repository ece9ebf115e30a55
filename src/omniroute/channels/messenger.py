"""Messenger: private messages to a page, one event of ``entry[].messaging[]`` at a time.

The customer is the page-scoped id (PSID) of the sender, the thread is ``page:psid``, the
message id is ``mid``. A pressed button (postback) may lack a ``mid`` and then gets an id
made from sender, time and payload. Times are milliseconds.

https://developers.facebook.com/docs/messenger-platform/reference/webhook-events
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Disposition, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_place, as_text, milliseconds, stable_id
from .verdicts import edited, routed

__all__ = ["read", "standby"]

#: Events about the thread or the account, which nobody needs to answer.
_LIFECYCLE = (
    "referral",
    "optin",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "app_roles",
    "account_linking",
    "policy_enforcement",
    "policy-enforcement",
)
_STATUS = ("delivery", "read", "typing")

#: The media type that each kind of attachment is known to have; Meta names no exact type.
_MEDIA = {
    "image": "image/*",
    "video": "video/*",
    "audio": "audio/*",
    "file": "application/octet-stream",
    "reel": "video/*",
    "ig_reel": "video/*",
}


def _base(event: dict[str, object], page: str, received_at_ms: int | None) -> Message:
    """Who wrote to whom, and when. Raises `PayloadError` when nobody is named."""
    sender = as_id(as_dict(event.get("sender")).get("id"))
    recipient = as_id(as_dict(event.get("recipient")).get("id"))
    page = page or recipient
    customer = recipient if sender and sender == page else sender
    if not customer and not as_dict(event.get("optin")):
        raise PayloadError("the event names no sender")
    return Message(
        channel=Channel.MESSENGER,
        customer=Customer(id=customer),
        thread_id=f"{page}:{customer}" if customer else None,
        to=page,
        sent_at_ms=milliseconds(event.get("timestamp")),
        received_at_ms=received_at_ms,
    )


def _attachments(
    items: list[object],
) -> tuple[tuple[Attachment, ...], tuple[str, ...], dict[str, Attribute]]:
    """Files as references, shared pages as links, a location as an attribute."""
    files: list[Attachment] = []
    links: list[str] = []
    attributes: dict[str, Attribute] = {}
    for item in items[:50]:
        entry = as_dict(item)
        kind = as_text(entry.get("type"), 40)
        payload = as_dict(entry.get("payload"))
        url = as_text(payload.get("url"), 4096) or as_text(entry.get("url"), 4096)
        title = as_text(payload.get("title"), 256) or as_text(entry.get("title"), 256)
        coordinates = as_dict(payload.get("coordinates"))
        if coordinates:
            attributes["location"] = as_place(coordinates.get("lat"), coordinates.get("long"))
        elif kind in _MEDIA:
            content_type = "image/*" if payload.get("sticker_id") else _MEDIA[kind]
            files.append(Attachment(content_type=content_type, name=title, url=url))
        elif url:
            links.append(url)
    return tuple(files), tuple(links), attributes


def _message(event: dict[str, object], base: Message) -> Inbound:
    """A message: the customer's, or the echo of one that the page sent."""
    content = as_dict(event.get("message"))
    text = as_text(content.get("text"))
    files, links, attributes = _attachments(as_list(content.get("attachments")))
    quick_reply = as_text(as_dict(content.get("quick_reply")).get("payload"), 1024)
    if quick_reply:
        attributes["payload"] = quick_reply
    reply_to = as_id(as_dict(content.get("reply_to")).get("mid"))
    if reply_to:
        attributes["reply_to"] = reply_to
    message = msgspec.structs.replace(
        base,
        message_id=as_id(content.get("mid")) or None,
        text=text,
        links=tuple(dict.fromkeys(links + links_in(text))),
        attachments=files,
        attributes=attributes,
    )
    if content.get("is_echo") is True:
        return Inbound(disposition=Disposition.OWN, message=message, reason="an echo")
    if content.get("is_deleted") is True:
        return Inbound(disposition=Disposition.UPDATE, message=message, update=Update.DELETED)
    return routed(message, inside=bool(quick_reply or reply_to))


def _postback(event: dict[str, object], base: Message) -> Inbound:
    """A pressed button: the customer's answer, its label the text."""
    postback = as_dict(event.get("postback"))
    payload = as_text(postback.get("payload"), 1024)
    made = stable_id(base.customer.id, str(base.sent_at_ms), payload)
    message = msgspec.structs.replace(
        base,
        message_id=as_id(postback.get("mid")) or made,
        text=as_text(postback.get("title")),
        attributes={"payload": payload} if payload else {},
    )
    return Inbound(disposition=Disposition.APPEND, message=message)


def _reaction(event: dict[str, object], base: Message) -> Inbound:
    """A reaction to a message, set or removed."""
    reaction = as_dict(event.get("reaction"))
    removed = as_text(reaction.get("action"), 16) == "unreact"
    message = msgspec.structs.replace(
        base,
        message_id=as_id(reaction.get("mid")) or None,
        attributes={
            "reaction": as_text(reaction.get("emoji"), 16) or as_text(reaction.get("reaction"), 16),
            "removed": removed,
        },
    )
    return Inbound(disposition=Disposition.UPDATE, message=message, update=Update.REACTION)


def _edit(event: dict[str, object], base: Message) -> Inbound:
    """A message whose text the customer changed."""
    edit = as_dict(event.get("message_edit"))
    message = msgspec.structs.replace(
        base, message_id=as_id(edit.get("mid")) or None, text=as_text(edit.get("text"))
    )
    return edited(message, as_id(edit.get("num_edit")))


_READERS: dict[str, Callable[[dict[str, object], Message], Inbound]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "message_edit": _edit,
}


def read(event: dict[str, object], page: str, received_at_ms: int | None) -> Inbound:
    """What one event of ``messaging[]`` means.

    Args:
        event: the event, untrusted.
        page: the id of the page (``entry.id``).
        received_at_ms: our clock at receipt.

    Raises:
        PayloadError: nobody is named as the sender.
    """
    base = _base(event, page, received_at_ms)
    sender = as_id(as_dict(event.get("sender")).get("id"))
    for name, reader in _READERS.items():
        if name not in event:
            continue
        if not isinstance(event[name], dict):
            raise PayloadError(f"{name} must be an object")
        inbound = reader(event, base)
        if sender and sender == base.to and inbound.disposition is not Disposition.OWN:
            reason = "sent by the page"
            return Inbound(disposition=Disposition.OWN, message=inbound.message, reason=reason)
        return inbound
    for names, disposition in (
        (_STATUS, Disposition.STATUS),
        (_LIFECYCLE, Disposition.LIFECYCLE),
    ):
        for name in names:
            if name in event:
                return Inbound(disposition=disposition, message=base, reason=name)
    return Inbound(disposition=Disposition.IGNORED, message=base, reason="unknown event type")


def standby(event: dict[str, object], page: str, received_at_ms: int | None) -> Inbound:
    """An event of ``standby[]``: another app holds the thread, so it is not ours to answer."""
    try:
        message = read(event, page, received_at_ms).message
    except PayloadError:
        message = Message(channel=Channel.MESSENGER, to=page, received_at_ms=received_at_ms)
    return Inbound(
        disposition=Disposition.LIFECYCLE, message=message, reason="another app holds the thread"
    )
