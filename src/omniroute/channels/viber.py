"""Viber: one callback of a public account or bot per delivery.

The customer and the thread are ``sender.id``, which is the customer's id for this bot alone.
The message id is ``message_token``, a 64-bit integer beyond what a float can hold. Times are
milliseconds.

Signature: ``X-Viber-Content-Signature``, hexadecimal HMAC-SHA256 of the raw body with the
bot's authentication token. There is no timestamp. ``set_webhook`` makes Viber send a signed
``webhook`` event at once, which must be answered with 200.

https://developers.viber.com/docs/api/rest-bot-api/#callbacks
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from .links import links_in, usable_link
from .payloads import as_dict, as_id, as_place, as_size, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .verdicts import handshake, ignored, lifecycle, routed, status

__all__ = ["Viber"]

SIGNATURE_HEADER = "X-Viber-Content-Signature"

_STATUS = frozenset({"delivered", "seen", "failed", "client_status"})
_LIFECYCLE = frozenset({"subscribed", "unsubscribed", "conversation_started", "action"})
_MEDIA = {
    "picture": "image/*",
    "video": "video/*",
    "file": "application/octet-stream",
    "sticker": "image/png",
    "gif": "image/gif",
}


def _base(event: dict[str, object], received_at_ms: int | None) -> Message:
    """Who and when. The person has another key in every kind of event."""
    person = as_dict(event.get("sender")) or as_dict(event.get("user"))
    identity = as_id(person.get("id")) or as_id(event.get("user_id"))
    attributes = {
        name: as_text(person.get(key), 64)
        for name, key in (("country", "country"), ("locale", "language"))
        if person.get(key)
    }
    return Message(
        channel=Channel.VIBER,
        customer=Customer(id=identity, name=as_text(person.get("name"), 256)),
        thread_id=identity or None,
        message_id=as_id(event.get("message_token")) or None,
        attributes=dict(attributes),
        sent_at_ms=milliseconds(event.get("timestamp")),
        received_at_ms=received_at_ms,
    )


def _message(base: Message, content: dict[str, object]) -> Message:
    """The message with what it says."""
    kind = as_text(content.get("type"), 32)
    text = as_text(content.get("text"))
    media = as_text(content.get("media"), 4096)
    attributes: dict[str, Attribute] = dict(base.attributes)
    links = links_in(text)
    files: tuple[Attachment, ...] = ()
    if kind in _MEDIA:
        files = (
            Attachment(
                content_type=_MEDIA[kind],
                name=as_text(content.get("file_name"), 256),
                url=media,
                size_bytes=as_size(content.get("file_size", content.get("size"))),
            ),
        )
    elif media and usable_link(media):
        links = tuple(dict.fromkeys((*links, media)))
        text = text or media
    place = as_dict(content.get("location"))
    if place:
        longitude = place.get("lon", place.get("lng"))
        attributes["location"] = as_place(place.get("lat"), longitude)
    contact = as_dict(content.get("contact"))
    if contact and not text:
        lines = [as_text(contact.get(key), 256) for key in ("name", "phone_number")]
        text = " ".join(filter(None, lines))
    for name, key in (("tracking_data", "tracking_data"), ("sticker_id", "sticker_id")):
        if found := as_id(content.get(key)):
            attributes[name] = found
    return msgspec.structs.replace(
        base, text=text, links=links, attachments=files, attributes=attributes
    )


def _read(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one callback means.

    Raises:
        PayloadError: a message without a sender or without content.
    """
    kind = as_text(event.get("event"), 64)
    base = _base(event, received_at_ms)
    if kind == "message":
        content = event.get("message")
        if not isinstance(content, dict):
            raise PayloadError("the event holds no message")
        return routed(_message(base, content))
    if kind == "webhook":
        return handshake(Channel.VIBER, "the webhook was set", received_at_ms=received_at_ms)
    if kind in _STATUS:
        return status(base, kind)
    if kind in _LIFECYCLE:
        return lifecycle(base, kind)
    return ignored(base, f"unknown event {kind!r}")


@attrs.frozen(kw_only=True)
class Viber:
    """Callbacks of a Viber bot. `Secrets.signing` holds its authentication token."""

    name: str = "viber"
    channel: Channel = Channel.VIBER
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Viber-Content-Signature over the raw body; raises `SignatureError`."""
        require_match(
            secrets,
            request.header(SIGNATURE_HEADER).strip().lower(),
            lambda secret: [hmac_hex(secret, request.body)],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """The ``webhook`` event is an ordinary, signed delivery: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a callback; raises `PayloadError` when it names none."""
        payload = decode_json(request.body)
        if not isinstance(payload.get("event"), str):
            raise PayloadError("no callback: event is missing")
        at_ms = request.received_at_ms
        return each(
            [payload],
            lambda event: _read(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
