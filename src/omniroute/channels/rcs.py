"""RCS for Business: messages and receipts of an agent, one event per delivery.

Customer and thread are the sender's telephone number, the message id ``messageId``, of other
events ``eventId``. A suggestion that was tapped is the customer's answer. Times are RFC 3339
with nanoseconds. Bare or in a Pub/Sub envelope, see `google_push` also for the signature.

https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/UserMessage
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
)
from . import google_push
from .links import links_in
from .payloads import as_dict, as_id, as_place, as_text, each
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import is_e164
from .times import rfc3339
from .verdicts import handshake, ignored, lifecycle, routed, status

__all__ = ["Rcs"]

_STATUS = frozenset({"DELIVERED", "READ", "IS_TYPING", "SENT", "FAILED", "REVOKED"})
_LIFECYCLE = frozenset(
    {"SUBSCRIBE", "UNSUBSCRIBE", "AGENT_LAUNCH_UPDATE", "TTL_EXPIRATION_REVOKED", "OPT_IN"}
)


def _files(event: dict[str, object]) -> tuple[Attachment, ...]:
    """A file as a reference."""
    payload = as_dict(as_dict(event.get("userFile")).get("payload"))
    url = as_text(payload.get("fileUri"), 4096)
    if not url:
        return ()
    size = as_id(payload.get("fileSizeBytes"))
    return (
        Attachment(
            content_type=as_text(payload.get("mimeType"), 128) or "application/octet-stream",
            name=as_text(payload.get("fileName"), 256),
            url=url,
            size_bytes=int(size) if size.isascii() and size.isdigit() and len(size) < 16 else None,
        ),
    )


def _read(
    event: dict[str, object], push: dict[str, object], delivery_id: str, received_at_ms: int | None
) -> Inbound:
    """What one event means.

    Raises:
        PayloadError: a message of nobody.
    """
    phone = as_id(event.get("senderPhoneNumber"))
    answer = as_dict(event.get("suggestionResponse"))
    place = as_dict(event.get("location"))
    text = as_text(event.get("text")) or as_text(answer.get("text"))
    attributes: dict[str, Attribute] = {
        "payload": as_text(answer.get("postbackData"), 2048),
        "business_id": as_text(push.get("business_id"), 128),
        "location": as_place(place.get("latitude"), place.get("longitude")),
    }
    agent = as_id(event.get("agentId"))
    message = Message(
        channel=Channel.RCS,
        customer=Customer(
            id=phone, addresses=(Address(AddressKind.E164, phone),) if is_e164(phone) else ()
        ),
        thread_id=phone or None,
        message_id=as_id(event.get("messageId")) or as_id(event.get("eventId")) or None,
        to=agent,
        text=text,
        links=links_in(text),
        attachments=_files(event),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(event.get("sendTime")),
        received_at_ms=received_at_ms,
    )
    kind = as_text(event.get("eventType"), 64)
    if kind in _STATUS:
        return status(message, kind.lower(), delivery_id)
    if kind in _LIFECYCLE:
        return lifecycle(message, kind.lower(), delivery_id)
    if kind:
        return ignored(message, f"unknown event type {kind!r}", delivery_id)
    if not any(key in event for key in ("text", "suggestionResponse", "userFile", "location")):
        reason = "a message without anything that is known"
        if not message.message_id:
            raise PayloadError(reason)
        message = msgspec.structs.replace(
            message, attributes={**message.attributes, "unreadable": reason}
        )
    return routed(message, inside=bool(answer), delivery_id=delivery_id)


@attrs.frozen(kw_only=True)
class Rcs:
    """Webhooks of an RCS agent. `Secrets.signing` holds the client token."""

    name: str = "rcs"
    channel: Channel = Channel.RCS
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Goog-Signature; raises `SignatureError`."""
        google_push.verify(request, secrets)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer the check of a new webhook; raises `SignatureError` for a foreign token."""
        return google_push.challenge(request, secrets)

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a delivery; raises `PayloadError` when it names nobody."""
        at_ms = request.received_at_ms
        found = google_push.challenge_of(request.body)
        if found is not None:
            reason = "the webhook was set"
            return [handshake(self.channel, reason, reply=found[1], received_at_ms=at_ms)]
        event, attributes, push_id = google_push.opened(request.body)
        if not any(key in event for key in ("senderPhoneNumber", "eventType", "messageId")):
            raise PayloadError("neither a message nor an event of RCS")
        return each(
            [event],
            lambda one: _read(one, attributes, push_id, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
