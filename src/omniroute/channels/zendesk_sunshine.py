"""Zendesk Sunshine Conversations: messages of its web and mobile messenger, and what it relays.

A delivery is ``{"app": ..., "webhook": ..., "events": [...]}``. What a user writes is a
``conversation:message`` whose author is of type ``user``; it may have come from LINE or WhatsApp:
then ``original_message_id`` is its id there, for those who receive that channel directly as well.

Authenticity: the webhook's shared secret in ``X-API-Key``. Deliveries of Zendesk's own webhooks
are signed instead: ``X-Zendesk-Webhook-Signature``, base64 HMAC-SHA256 of timestamp and body. Its
timestamp is signed but Zendesk names no window, and repeats for minutes: ids tell repeats.

https://developer.zendesk.com/documentation/conversations/messaging-platform/programmable-conversations/webhooks/
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError
from ..model import Address, AddressKind, Attachment, Attribute, Channel, Customer, Inbound, Message
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_place, as_size, as_text, decode_json, each
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_base64, require_match
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, routed, status

__all__ = ["ZendeskSunshine"]

_KEY_HEADER = "X-API-Key"
_SIGNATURE = "X-Zendesk-Webhook-Signature"
_TIMESTAMP = "X-Zendesk-Webhook-Signature-Timestamp"

_STATUS = ("conversation:message:delivery", "conversation:read", "conversation:typing")
_LIFECYCLE = ("client:", "conversation:", "conversion:", "switchboard:", "user:")
_MEDIA = {"image": "image/*", "file": "application/octet-stream", "audio": "audio/*"}


def _user(person: dict[str, object], around: dict[str, object]) -> Customer:
    """Who wrote it."""
    user = as_dict(person.get("user")) or as_dict(around.get("user"))
    profile = as_dict(user.get("profile"))
    names = (as_text(profile.get("givenName"), 128), as_text(profile.get("surname"), 128))
    email = as_text(profile.get("email"), 320).strip().lower()
    return Customer(
        id=as_id(person.get("userId")) or as_id(user.get("id")),
        name=as_text(person.get("displayName"), 256) or " ".join(filter(None, names)),
        addresses=(Address(AddressKind.EMAIL, email),) if "@" in email else (),
    )


def _content(
    content: dict[str, object],
) -> tuple[str, tuple[Attachment, ...], dict[str, Attribute]]:
    """(text, files, attributes) of a message, whatever its kind."""
    kind = as_text(content.get("type"), 32)
    text = as_text(content.get("text")) or as_text(content.get("markdownText"))
    found: dict[str, Attribute] = {"content": kind} if kind else {}
    files: tuple[Attachment, ...] = ()
    url = as_text(content.get("mediaUrl"), 4096)
    if url:
        files = (
            Attachment(
                content_type=as_text(content.get("mediaType"), 128)
                or _MEDIA.get(kind, "application/octet-stream"),
                name=as_text(content.get("altText"), 256),
                url=url,
                size_bytes=as_size(content.get("mediaSize")),
            ),
        )
    spot = as_dict(content.get("coordinates"))
    if place := as_place(spot.get("lat"), spot.get("long")):
        found["location"] = place
    if kind == "formResponse":
        fields = [as_dict(field) for field in as_list(content.get("fields"))[:50]]
        answers = ((field.get("label") or field.get("name"), field) for field in fields)
        lines = [f"{as_text(label, 256)}: {_answer(field)}" for label, field in answers]
        text = text or "\n".join(lines)
    payload = as_text(content.get("payload"), 1024)
    if payload:
        found["payload"] = payload
    return text, files, found


def _answer(field: dict[str, object]) -> str:
    """What was put into one field of a form."""
    chosen = [as_text(as_dict(one).get("label"), 256) for one in as_list(field.get("select"))[:20]]
    return as_text(field.get("text"), 4096) or as_text(field.get("email"), 320) or ", ".join(chosen)


def _read(event: dict[str, object], app: str, received_at_ms: int | None) -> Inbound:
    """What one event means."""
    kind = as_text(event.get("type"), 64)
    payload = as_dict(event.get("payload"))
    delivery = as_id(event.get("id"))
    written = as_dict(payload.get("message")) or as_dict(payload.get("postback"))
    author = as_dict(written.get("author")) or {"user": payload.get("user")}
    source = as_dict(written.get("source")) or as_dict(payload.get("source"))
    text, files, attributes = _content(as_dict(written.get("content")) or written)
    for name, value in (
        ("source", as_text(source.get("type"), 64)),
        ("original_message_id", as_id(source.get("originalMessageId"))),
        ("reply_to", as_id(as_dict(written.get("quotedMessage")).get("id"))),
    ):
        if value:
            attributes.update({name: value})
    conversation = as_dict(payload.get("conversation"))
    at = written.get("received") or event.get("createdAt")
    message = Message(
        channel=Channel.IN_APP_CHAT,
        customer=_user(author, payload),
        thread_id=as_id(conversation.get("id")) or None,
        message_id=as_id(written.get("id")) or None,
        to=app,
        text=text,
        links=links_in(text),
        attachments=files,
        attributes=attributes,
        sent_at_ms=rfc3339(at),
        received_at_ms=received_at_ms,
    )
    if not kind:
        raise PayloadError("the event has no type")
    if kind == "conversation:message":
        if author.get("type") == "user":
            return routed(message, delivery_id=delivery)
        return own(message, "written by the business", delivery)
    if kind == "conversation:postback":
        return routed(message, inside=True, delivery_id=delivery)
    if kind.startswith(_STATUS):
        return status(message, kind, delivery)
    if kind.startswith(_LIFECYCLE):
        return lifecycle(message, kind, delivery)
    return ignored(message, f"event {kind!r} is not read", delivery)


@attrs.frozen(kw_only=True)
class ZendeskSunshine:
    """Webhooks of Sunshine Conversations. `Secrets.signing` holds the webhook's secret."""

    name: str = "zendesk_sunshine"
    channel: Channel = Channel.IN_APP_CHAT
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the signature when there is one, else the shared key; raises `SignatureError`."""
        given = request.header(_SIGNATURE).strip()
        if given:
            timestamp = request.header(_TIMESTAMP).encode("utf-8", "surrogatepass")
            require_match(
                secrets,
                given,
                lambda secret: [hmac_base64(secret, timestamp + request.body)],
                header=_SIGNATURE,
            )
            return
        key = request.header(_KEY_HEADER).strip()
        require_match(secrets, key, lambda secret: [secret], header=_KEY_HEADER)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event. Raises `PayloadError` when there is no list of them."""
        payload = decode_json(request.body)
        events = payload.get("events")
        if not isinstance(events, list):
            raise PayloadError("the delivery has no list of events")
        app = as_id(as_dict(payload.get("app")).get("id"))
        return each(
            events,
            lambda event: _read(event, app, request.received_at_ms),
            channel=self.channel,
            received_at_ms=request.received_at_ms,
        )
