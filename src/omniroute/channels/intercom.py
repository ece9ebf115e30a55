"""Intercom: notifications about conversations in its messenger, in apps and by mail.

The delivery is the notification's ``id``, the kind its ``topic``. The thread is the conversation,
the message its opening message or its latest part, the customer the conversation's user or
contact (the author of a message may be named by another id). Texts are HTML. ``created_at`` is
seconds: a number outside, a string inside.

Signature: ``X-Hub-Signature: sha1=`` and the hexadecimal HMAC-SHA1 of the raw body under the
client secret. There is no timestamp. The topic ``ping`` and a HEAD request are Intercom's checks.

https://developers.intercom.com/docs/references/webhooks/webhook-models
"""

from __future__ import annotations

import attrs
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
    UpdateKind,
)
from .html_text import html_links, html_to_text
from .links import links_in
from .payloads import TEXT_LIMIT, as_dict, as_id, as_list, as_size, as_text, decode_json, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .verdicts import handshake, ignored, lifecycle, own, routed, update

__all__ = ["Intercom"]

SIGNATURE_HEADER = "X-Hub-Signature"

_OPENING = frozenset({"conversation.user.created", "conversation.contact.created"})
_REPLIES = frozenset({"conversation.user.replied", "conversation.contact.replied"})
_OWN = frozenset(
    [
        "conversation.admin.noted",
        "conversation.admin.replied",
        "conversation.admin.single.created",
        "conversation.operator.replied",
    ]
)
_LIFECYCLE = (
    "admin.",
    "article.",
    "company.",
    "contact.",
    "content_stat.",
    "conversation.",
    "event.",
    "job.",
    "lead.",
    "message.",
    "subscription.",
    "ticket.",
    "user.",
    "visitor.",
)
_OUR_AUTHORS = frozenset({"admin", "bot", "team", "operator"})


def _person(item: dict[str, object], written: dict[str, object]) -> Customer:
    """The user or contact of a conversation, or who wrote the message."""
    contacts = item.get("contacts")
    listed = contacts if isinstance(contacts, list) else as_list(as_dict(contacts).get("contacts"))
    author = as_dict(written.get("author"))
    if as_text(author.get("type"), 32) in _OUR_AUTHORS:
        author = {}
    user = as_dict(item.get("user")) or as_dict(listed[0] if listed else None) or author
    email = as_text(user.get("email"), 320).strip().lower() or as_text(author.get("email"), 320)
    return Customer(
        id=as_id(user.get("id")),
        name=as_text(user.get("name"), 256) or as_text(author.get("name"), 256),
        addresses=(Address(AddressKind.EMAIL, email.lower()),) if "@" in email else (),
    )


def _written(item: dict[str, object], *, reply: bool) -> dict[str, object]:
    """The message that a notification is about: the latest part of a reply, else the first."""
    held = item.get("conversation_parts")
    parts = held if isinstance(held, list) else as_list(as_dict(held).get("conversation_parts"))
    if reply and parts:
        return as_dict(parts[-1])
    return as_dict(item.get("conversation_message")) or as_dict(item.get("source"))


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Attachments as references."""
    return tuple(
        Attachment(
            content_type=as_text(entry.get("content_type"), 128) or "application/octet-stream",
            name=as_text(entry.get("name"), 256),
            url=as_text(entry.get("url"), 4096),
            size_bytes=as_size(entry.get("filesize")),
        )
        for entry in map(as_dict, items[:50])
    )


def _message(
    topic: str, event: dict[str, object], item: dict[str, object], received_at_ms: int | None
) -> Message:
    """A conversation's message in the common shape."""
    written = _written(item, reply=topic not in _OPENING)
    html = as_text(written.get("body"))
    text = html_to_text(html, TEXT_LIMIT)
    attributes: dict[str, Attribute] = {
        "topic": topic,
        "account_id": as_id(event.get("app_id")),
        "delivery_attempts": as_id(event.get("delivery_attempts")),
        "delivered_as": as_text(written.get("delivered_as"), 64),
        "source_url": as_text(written.get("url"), 1024),
    }
    conversation = as_id(item.get("id"))
    at = written.get("created_at") or item.get("updated_at") or event.get("created_at")
    return Message(
        channel=Channel.INTERCOM,
        customer=_person(item, written),
        thread_id=conversation or None,
        message_id=as_id(written.get("id")) or None,
        to=as_id(event.get("app_id")),
        subject=html_to_text(as_text(written.get("subject"), 2000), 2000),
        text=text,
        links=tuple(dict.fromkeys(html_links(html) + links_in(text))),
        attachments=_files(as_list(written.get("attachments"))),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=seconds(at),
        received_at_ms=received_at_ms,
    )


@attrs.frozen(kw_only=True)
class Intercom:
    """Webhooks of an Intercom app. `Secrets.signing` holds its client secret."""

    name: str = "intercom"
    channel: Channel = Channel.INTERCOM
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Hub-Signature; raises `SignatureError`."""
        require_match(
            secrets,
            request.header(SIGNATURE_HEADER).strip(),
            lambda secret: [f"sha1={hmac_hex(secret, request.body, 'sha1')}"],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer the HEAD request that Intercom sends to a new address; else None."""
        return Reply() if request.method == "HEAD" else None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one notification. Raises `PayloadError` when it has no topic."""
        event = decode_json(request.body)
        topic = as_text(event.get("topic"), 128).strip()
        if not topic:
            raise PayloadError("the notification has no topic")
        at_ms = request.received_at_ms
        if topic == "ping":
            return [handshake(self.channel, "a ping", received_at_ms=at_ms)]
        item = as_dict(as_dict(event.get("data")).get("item"))
        delivery = as_id(event.get("id"))
        if not topic.startswith("conversation"):
            message = self._about(item, at_ms)
            if topic.startswith(_LIFECYCLE):
                return [lifecycle(message, topic, delivery)]
            return [ignored(message, f"topic {topic!r} is not read", delivery)]
        return [self._conversation(topic, _message(topic, event, item, at_ms), item, delivery)]

    def _about(self, item: dict[str, object], received_at_ms: int | None) -> Message:
        """A notification about a user, a company, a ticket."""
        about_user = as_text(item.get("type"), 32) in {"user", "contact", "lead", "visitor"}
        customer = _person({"user": item}, {}) if about_user else Customer()
        return Message(channel=self.channel, customer=customer, received_at_ms=received_at_ms)

    @staticmethod
    def _conversation(
        topic: str, message: Message, item: dict[str, object], delivery: str
    ) -> Inbound:
        """What a notification about a conversation means."""
        if topic in _OWN:
            return own(message, "written by an admin or a bot", delivery)
        if topic in _OPENING or topic in _REPLIES:
            author = as_dict(_written(item, reply=topic in _REPLIES).get("author"))
            if as_text(author.get("type"), 32) in _OUR_AUTHORS:
                return own(message, "written by an admin or a bot", delivery)
            return routed(message, inside=topic in _REPLIES, delivery_id=delivery)
        if topic.startswith("conversation_part."):
            kind = UpdateKind.DELETED if topic.endswith("redacted") else UpdateKind.STATE
            return update(message, kind, delivery)
        if topic.endswith(".deleted"):
            empty = msgspec.structs.replace(message, text="")
            return update(empty, UpdateKind.THREAD_DELETED, delivery)
        if topic.startswith(_LIFECYCLE):
            return lifecycle(message, topic, delivery)
        return ignored(message, f"topic {topic!r} is not read", delivery)
