"""LINE: the events of an official account, several in one delivery.

The thread is the group or room, else the user; in a group the user may be missing, so the
customer is withheld. The message id is ``message.id``, of a pressed button the id of the
event. Times are milliseconds. Content is named ``line-content:ID``, as it must be asked for
with the account's token, unless it lies at an address of its own.

Signature: ``X-Line-Signature``, base64 HMAC-SHA256 of the raw body with the channel secret.
LINE escapes some emoji and not others: parse and re-serialise, and it no longer matches.
There is no timestamp in it; a repeat carries the same ids. The console's "Verify" button sends
a delivery without events.

https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_place, as_size, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_base64, require_match
from .verdicts import handshake, ignored, lifecycle, routed, status, update

__all__ = ["Line"]

SIGNATURE_HEADER = "X-Line-Signature"

_STATUS = frozenset({"videoPlayComplete", "delivery", "pnpDelivery"})
_LIFECYCLE = frozenset(
    {
        "follow",
        "unfollow",
        "join",
        "leave",
        "memberJoined",
        "memberLeft",
        "accountLink",
        "beacon",
        "things",
        "membership",
        "module",
        "activated",
        "deactivated",
        "botSuspended",
        "botResumed",
    }
)
_MEDIA = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/m4a",
    "file": "application/octet-stream",
}


def _base(event: dict[str, object], destination: str, received_at_ms: int | None) -> Message:
    """Who, where and when."""
    source = as_dict(event.get("source"))
    user = as_id(source.get("userId"))
    group = as_id(source.get("groupId")) or as_id(source.get("roomId"))
    attributes: dict[str, Attribute] = {}
    if group:
        attributes["chat_type"] = as_text(source.get("type"), 16)
    return Message(
        channel=Channel.LINE,
        customer=Customer(id=user),
        thread_id=group or user or None,
        to=destination,
        attributes=attributes,
        sent_at_ms=milliseconds(event.get("timestamp")),
        received_at_ms=received_at_ms,
    )


def _content(base: Message, content: dict[str, object]) -> Message:
    """The message with what it says."""
    kind = as_text(content.get("type"), 32)
    message_id = as_id(content.get("id"))
    text = as_text(content.get("text"))
    attributes = dict(base.attributes)
    files: tuple[Attachment, ...] = ()
    if kind in _MEDIA:
        provider = as_dict(content.get("contentProvider"))
        url = as_text(provider.get("originalContentUrl"), 4096) or f"line-content:{message_id}"
        files = (
            Attachment(
                content_type=_MEDIA[kind],
                name=as_text(content.get("fileName"), 256),
                url=url,
                size_bytes=as_size(content.get("fileSize")),
            ),
        )
    elif kind == "location":
        place = as_place(content.get("latitude"), content.get("longitude"))
        attributes["location"] = place
        lines = [as_text(content.get(key), 1024) for key in ("title", "address")]
        text = "\n".join(filter(None, lines))
    elif kind == "sticker":
        attributes["sticker_id"] = as_id(content.get("stickerId"))
    images = as_dict(content.get("imageSet"))
    if images:
        attributes["image_set_id"] = as_id(images.get("id"))
    quoted = as_id(content.get("quotedMessageId"))
    if quoted:
        attributes["reply_to"] = quoted
    return msgspec.structs.replace(
        base,
        message_id=message_id or None,
        text=text,
        links=links_in(text),
        attachments=files,
        attributes=attributes,
    )


def _read(event: dict[str, object], destination: str, received_at_ms: int | None) -> Inbound:
    """What one event means.

    Raises:
        PayloadError: a message from nowhere.
    """
    kind = as_text(event.get("type"), 64)
    base = _base(event, destination, received_at_ms)
    event_id = as_id(event.get("webhookEventId"))
    content = as_dict(event.get("message"))
    # One event id has been seen on many events, so it is no key by itself.
    delivery = ":".join(filter(None, (event_id, kind, as_id(content.get("id")))))
    delivery = delivery if event_id else ""
    if event.get("mode") == "standby":
        return lifecycle(base, "another module holds the chat", delivery)
    if kind == "message":
        if not content:
            raise PayloadError("the event holds no message")
        inside = bool(content.get("quotedMessageId"))
        return routed(_content(base, content), inside=inside, delivery_id=delivery)
    if kind == "messageEdited":
        return update(_content(base, content), Update.EDITED, delivery)
    if kind == "unsend":
        target = as_id(as_dict(event.get("unsend")).get("messageId"))
        message = msgspec.structs.replace(base, message_id=target or None)
        return update(message, Update.DELETED, delivery)
    if kind == "postback":
        return routed(_postback(event, base, event_id), inside=True, delivery_id=delivery)
    message = msgspec.structs.replace(base, message_id=event_id or None)
    if kind in _STATUS:
        return status(message, kind, delivery)
    if kind in _LIFECYCLE:
        return lifecycle(message, kind, delivery)
    return ignored(message, f"unknown event type {kind!r}", delivery)


def _postback(event: dict[str, object], base: Message, event_id: str) -> Message:
    """A pressed button: its data is all that LINE tells of it."""
    postback = as_dict(event.get("postback"))
    data = as_text(postback.get("data"), 8192)
    attributes = {**base.attributes, "payload": data}
    for key, value in list(as_dict(postback.get("params")).items())[:10]:
        attributes[f"param_{as_text(key, 64)}"] = as_text(value, 256)
    return msgspec.structs.replace(
        base, message_id=event_id or None, text=data, attributes=attributes
    )


@attrs.frozen(kw_only=True)
class Line:
    """Webhooks of the LINE Messaging API. `Secrets.signing` holds the channel secret."""

    name: str = "line"
    channel: Channel = Channel.LINE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Line-Signature over the raw body; raises `SignatureError`."""
        require_match(
            secrets,
            request.header(SIGNATURE_HEADER).strip(),
            lambda secret: [hmac_base64(secret, request.body)],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """LINE's check is an ordinary, signed delivery without events: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event of a delivery; raises `PayloadError` when there is no ``events``."""
        payload = decode_json(request.body)
        events = payload.get("events")
        if not isinstance(events, list):
            raise PayloadError("the delivery has no list of events")
        at_ms = request.received_at_ms
        if not events:
            reason = "the console's verify button"
            return [handshake(self.channel, reason, received_at_ms=at_ms)]
        destination = as_id(payload.get("destination"))
        return each(
            events,
            lambda event: _read(event, destination, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
