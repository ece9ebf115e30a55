"""WhatsApp Cloud API: messages, receipts, echoes and calls, one change at a time.

The customer is ``from`` (digits), the thread ``phone_number_id:from``, the message id the
``wamid``. Beside the number stands a business-scoped user id (``user_id``), which stays when
the number changes: it is kept as an attribute. ``contacts[]`` may be absent or name another
number than ``from``. Media come as ids and are named ``whatsapp-media:ID`` here, because the
URL behind an id must be asked for and lives for minutes. Times are strings of seconds.

A message of a type that WhatsApp itself cannot show ("unsupported") is a customer's message
without text. A call is an interaction of its own, its thread the call's id, so that hanging
up ends the call and not the chat beside it.

The On-Premises API and 360dialog send the same content without the wrapper.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..errors import PayloadError
from ..model import (
    Address,
    AddressKind,
    Attachment,
    Attribute,
    Channel,
    Customer,
    Inbound,
    Message,
)
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_place, as_text, each, seconds
from .telephone import is_e164
from .verdicts import ignored, lifecycle, own, routed, status, update

__all__ = ["is_unwrapped", "read"]

_MEDIA = ("image", "video", "audio", "voice", "document", "sticker")

#: What a bot's or an account's news is called; nobody waits for an answer to any of it.
_ACCOUNT_FIELDS = (
    "account_",
    "template_",
    "message_template_",
    "phone_number_",
    "business_",
    "payment_",
    "partner_",
    "user_preferences",
    "user_id_update",
    "security",
    "flows",
    "history",
    "smb_app_state_sync",
    "tracking_events",
    "automatic_events",
    "group_",
)


def is_unwrapped(payload: dict[str, object]) -> bool:
    """True for the delivery of an On-Premises API, which has no entries."""
    return any(isinstance(payload.get(key), list) for key in ("messages", "statuses"))


class _Scope(msgspec.Struct, frozen=True):
    """What holds for all events of one change."""

    phone: str
    contacts: dict[str, dict[str, object]]
    received_at_ms: int | None

    def message(self, event: dict[str, object], number: str, user_id: str = "") -> Message:
        """The common part of a message of or to one customer."""
        contact = self.contacts.get(number) or self.contacts.get(user_id) or {}
        if not contact and len(self.contacts) == 1:
            contact = next(iter(self.contacts.values()))
        identity = number or as_id(contact.get("wa_id")) or user_id
        number = f"+{identity}"
        group = as_id(event.get("group_id"))
        thread = group or identity
        ids: dict[str, Attribute] = {
            "user_id": user_id or as_id(contact.get("user_id")),
            "parent_user_id": as_id(contact.get("parent_user_id")),
            "wa_id": as_id(contact.get("wa_id")),
            "group_id": group,
        }
        return Message(
            channel=Channel.WHATSAPP,
            customer=Customer(
                id=identity,
                name=as_text(as_dict(contact.get("profile")).get("name"), 256),
                addresses=(Address(AddressKind.E164, number),) if is_e164(number) else (),
            ),
            thread_id=(f"{self.phone}:{thread}" if self.phone else thread) if thread else None,
            message_id=as_id(event.get("id")) or None,
            to=self.phone,
            attributes={name: one for name, one in ids.items() if one and one != identity},
            sent_at_ms=seconds(event.get("timestamp")),
            received_at_ms=self.received_at_ms,
        )


def read(field: str, value: dict[str, object], received_at_ms: int | None) -> Iterator[Inbound]:
    """What one change means: every message, receipt, echo and call in it.

    Args:
        field: the field that changed; "messages" for a delivery without the wrapper.
        value: what changed, untrusted.
        received_at_ms: our clock at receipt.
    """
    contacts: dict[str, dict[str, object]] = {}
    for item in as_list(value.get("contacts"))[:1000]:
        contact = as_dict(item)
        contacts[as_id(contact.get("wa_id")) or as_id(contact.get("user_id"))] = contact
    phone = as_id(as_dict(value.get("metadata")).get("phone_number_id"))
    scope = _Scope(phone, contacts, received_at_ms)
    found = False
    for key, reader in (
        ("messages", _message),
        ("statuses", _status),
        ("message_echoes", _echo),
        ("calls", _call),
    ):
        events = as_list(value.get(key))
        # Of what was written before the number was connected, nothing waits for an answer.
        if not events or field == "history":
            continue
        found = True
        yield from each(
            events,
            lambda event, reader=reader: reader(event, scope),  # type: ignore[misc]
            channel=Channel.WHATSAPP,
            received_at_ms=received_at_ms,
        )
    if not found:
        message = Message(channel=Channel.WHATSAPP, to=phone, received_at_ms=received_at_ms)
        if field.startswith(_ACCOUNT_FIELDS) or "errors" in value:
            yield lifecycle(message, f"news of the account: {field}")
        else:
            yield ignored(message, f"field {field!r} is not read")


def _message(event: dict[str, object], scope: _Scope) -> Inbound:
    """One of ``messages[]``."""
    number, user_id = as_id(event.get("from")), as_id(event.get("from_user_id"))
    base = scope.message(event, number, user_id)
    kind = as_text(event.get("type"), 40)
    part = as_dict(event.get(kind))
    if kind in {"system", "request_welcome"} or as_dict(event.get("system")):
        text = as_text(part.get("body"))
        attributes = dict(base.attributes)
        for key in ("wa_id", "new_wa_id", "user_id"):
            if changed := as_id(part.get(key)):
                attributes[f"new_{key.removeprefix('new_')}"] = changed
        message = msgspec.structs.replace(base, text=text, attributes=attributes)
        return lifecycle(message, as_text(part.get("type"), 40) or kind or "system")
    if kind in _UPDATES:
        return _update(kind, part, base)
    context = as_dict(event.get("context"))
    content = _content(event, kind, part)
    attributes = {**base.attributes, **content.attributes}
    reply_to = as_id(context.get("id"))
    if reply_to:
        attributes["reply_to"] = reply_to
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        attributes["forwarded"] = True
    referral = as_dict(event.get("referral"))
    for key in ("source_url", "source_type", "source_id", "headline", "ctwa_clid"):
        if text := as_text(referral.get(key), 1024):
            attributes[f"referral_{key}"] = text
    message = msgspec.structs.replace(
        base,
        text=content.text,
        links=links_in(content.text),
        attachments=content.attachments,
        attributes=attributes,
    )
    return routed(message, inside=bool(reply_to) or kind in {"button", "interactive"})


_UPDATES = {
    "reaction": Update.REACTION,
    "edit": Update.EDITED,
    "revoke": Update.DELETED,
}


def _update(kind: str, part: dict[str, object], base: Message) -> Inbound:
    """A reaction, an edit or a withdrawal."""
    attributes = dict(base.attributes)
    target = as_id(part.get("original_message_id")) or as_id(part.get("message_id"))
    text = ""
    files: tuple[Attachment, ...] = ()
    if kind == "reaction":
        emoji = as_text(part.get("emoji"), 32)
        attributes["reaction"] = emoji
        attributes["removed"] = not emoji
    elif kind == "edit":
        changed = as_dict(part.get("message"))
        changed_kind = as_text(changed.get("type"), 40)
        content = _content(changed, changed_kind, as_dict(changed.get(changed_kind)))
        text, files = content.text, content.attachments
    message = msgspec.structs.replace(
        base, text=text, links=links_in(text), attachments=files, attributes=attributes
    )
    return update(message, _UPDATES[kind], target=target)


class _Content(msgspec.Struct, frozen=True):
    """What a message says."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    attributes: dict[str, Attribute] = {}


def _content(event: dict[str, object], kind: str, part: dict[str, object]) -> _Content:
    """The text, files and attributes of a message, by its type."""
    if kind == "text":
        return _Content(as_text(part.get("body")))
    if kind in _MEDIA:
        media_id = as_id(part.get("id"))
        url = as_text(part.get("url"), 4096) or as_text(part.get("link"), 4096)
        file = Attachment(
            content_type=as_text(part.get("mime_type"), 128) or "application/octet-stream",
            name=as_text(part.get("filename"), 256),
            url=url or (f"whatsapp-media:{media_id}" if media_id else ""),
        )
        voice = part.get("voice") is True or kind == "voice"
        return _Content(
            as_text(part.get("caption")), (file,), {"voice_note": True} if voice else {}
        )
    if kind == "location":
        place = as_place(part.get("latitude"), part.get("longitude"))
        named = [as_text(part.get(key), 1024) for key in ("name", "address")]
        return _Content("\n".join(filter(None, named)), attributes={"location": place})
    if kind == "contacts":
        return _Content(_cards(as_list(event.get("contacts"))))
    if kind == "button":
        payload = as_text(part.get("payload"), 1024)
        return _Content(as_text(part.get("text")), attributes={"payload": payload})
    if kind == "interactive":
        return _answer(part)
    if kind == "order":
        catalog = as_id(part.get("catalog_id"))
        return _Content(as_text(part.get("text")), attributes={"catalog_id": catalog})
    error = as_dict(next(iter(as_list(event.get("errors"))), None))
    reason = as_text(error.get("title"), 256) or f"type {kind}"
    return _Content(attributes={"unreadable": reason})


def _answer(part: dict[str, object]) -> _Content:
    """A pressed button, a chosen row, a filled form."""
    kind = as_text(part.get("type"), 40)
    answer = as_dict(part.get(kind))
    text = as_text(answer.get("title")) or as_text(answer.get("body"))
    attributes: dict[str, Attribute] = {}
    for name, key in (
        ("payload", "id"),
        ("description", "description"),
        ("form", "name"),
        ("form_response", "response_json"),
    ):
        if found := as_text(answer.get(key), 8192):
            attributes[name] = found
    return _Content(text, attributes=attributes)


def _cards(cards: list[object]) -> str:
    """Shared contact cards as lines of a name and its numbers."""
    lines = []
    for item in cards[:50]:
        card = as_dict(item)
        name = as_text(as_dict(card.get("name")).get("formatted_name"), 256)
        numbers = [as_text(as_dict(p).get("phone"), 64) for p in as_list(card.get("phones"))[:10]]
        lines.append(" ".join(filter(None, [name, *numbers])))
    return "\n".join(filter(None, lines))


def _status(event: dict[str, object], scope: _Scope) -> Inbound:
    """One of ``statuses[]``: sent, delivered, read, failed."""
    base = scope.message(
        event, as_id(event.get("recipient_id")), as_id(event.get("recipient_user_id"))
    )
    attributes = dict(base.attributes)
    error = as_dict(next(iter(as_list(event.get("errors"))), None))
    if code := as_id(error.get("code")):
        attributes["error_code"] = code
        attributes["error"] = as_text(error.get("title"), 256)
    message = msgspec.structs.replace(base, attributes=attributes)
    return status(message, as_text(event.get("status"), 40) or "status")


def _echo(event: dict[str, object], scope: _Scope) -> Inbound:
    """One of ``message_echoes[]``: sent from the business app on a telephone."""
    base = scope.message(event, as_id(event.get("to")), as_id(event.get("to_user_id")))
    kind = as_text(event.get("type"), 40)
    content = _content(event, kind, as_dict(event.get(kind)))
    message = msgspec.structs.replace(base, text=content.text, attachments=content.attachments)
    return own(message, "sent from the business app")


def _call(event: dict[str, object], scope: _Scope) -> Inbound:
    """One of ``calls[]``: a customer's call, its end, or a call we place."""
    ours = as_text(event.get("direction"), 40).upper() == "BUSINESS_INITIATED"
    number = as_id(event.get("to" if ours else "from"))
    call_id = as_id(event.get("id"))
    if not call_id:
        raise PayloadError("the call has no id")
    base = scope.message(event, number)
    message = msgspec.structs.replace(
        base, thread_id=call_id, attributes={**base.attributes, "kind": "call"}
    )
    what = as_text(event.get("event"), 40)
    if ours:
        return own(message, "a call we placed")
    if what == "connect":
        return routed(message)
    if what == "terminate":
        return update(message, Update.ENDED)
    return update(message, Update.STATE)
