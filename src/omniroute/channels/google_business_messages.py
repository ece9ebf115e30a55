"""Google's Business Messages: what a customer wrote from Maps or Search.

Google switched the product off in 2024; the adapter is for archives and for gateways that
still speak its language. Customer and thread are ``conversationId``, which is all that is
known of a person, the message id ``message.messageId``. Times are RFC 3339 with nanoseconds;
what is no time is left out. Signature as `google_push` describes, over the raw body.

https://developers.google.com/business-communications/business-messages/reference/rest
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError
from ..model import Attribute, Channel, Customer, Inbound, Message
from . import google_push
from .links import links_in
from .payloads import as_dict, as_id, as_text, each
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import handshake, ignored, lifecycle, routed, status

__all__ = ["BusinessMessages"]

#: What a delivery about something else than a message holds.
_STATUS = ("userStatus", "receipts")
_LIFECYCLE = ("surveyResponse", "authenticationResponse", "widgetEvent")


def _read(event: dict[str, object], delivery_id: str, received_at_ms: int | None) -> Inbound:
    """What one delivery means.

    Raises:
        PayloadError: a message of no conversation.
    """
    conversation = as_id(event.get("conversationId"))
    content = as_dict(event.get("message"))
    answer = as_dict(event.get("suggestionResponse"))
    context = as_dict(event.get("context"))
    person = as_dict(context.get("userInfo"))
    text = as_text(content.get("text")) or as_text(answer.get("text"))
    attributes: dict[str, Attribute] = {
        "place_id": as_id(context.get("placeId")),
        "entry_point": as_text(context.get("entryPoint"), 64),
        "locale": as_text(context.get("resolvedLocale"), 16),
        "payload": as_text(answer.get("postbackData"), 2048),
    }
    at_ms = rfc3339(content.get("createTime"))
    name = as_id(content.get("name")) or as_id(answer.get("message"))
    message = Message(
        channel=Channel.GOOGLE_BUSINESS_MESSAGES,
        customer=Customer(id=conversation, name=as_text(person.get("displayName"), 256)),
        thread_id=conversation or None,
        message_id=as_id(content.get("messageId")) or as_id(event.get("requestId")) or name or None,
        to=as_id(event.get("agent")),
        text=text,
        links=links_in(text),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(event.get("sendTime")) if at_ms is None else at_ms,
        received_at_ms=received_at_ms,
    )
    request_id = as_id(event.get("requestId")) or delivery_id
    if content or answer:
        return routed(message, inside=bool(answer), delivery_id=request_id)
    state = as_dict(event.get("userStatus"))
    if "requestedLiveAgent" in state:
        # A press of "talk to a person" is the customer's wish, without a word.
        return routed(message, delivery_id=request_id)
    for key in _STATUS:
        if key in event:
            return status(message, key, request_id)
    for key in _LIFECYCLE:
        if key in event:
            return lifecycle(message, key, request_id)
    return ignored(message, "unknown kind of delivery", request_id)


@attrs.frozen(kw_only=True)
class BusinessMessages:
    """Webhooks of a Business Messages partner. `Secrets.signing` holds the partner key."""

    name: str = "google_business_messages"
    channel: Channel = Channel.GOOGLE_BUSINESS_MESSAGES
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Goog-Signature; raises `SignatureError`."""
        google_push.verify(request, secrets)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer the check of a new webhook; raises `SignatureError` for a foreign token."""
        return google_push.challenge(request, secrets)

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a delivery; raises `PayloadError` when it names no conversation."""
        at_ms = request.received_at_ms
        found = google_push.challenge_of(request.body)
        if found is not None:
            reason = "the webhook was set"
            return [handshake(self.channel, reason, reply=found[1], received_at_ms=at_ms)]
        event, _, push_id = google_push.opened(request.body)
        if not event.get("conversationId"):
            raise PayloadError("the delivery names no conversation")
        return each(
            [event],
            lambda one: _read(one, push_id, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
