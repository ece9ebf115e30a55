"""Chat in one's own app or site: a small JSON format of ours, and iAdvize's.

Your backend posts ``{"events": [...]}``; `sign` makes the headers. One event::

    {"type": "message", "id": "m1", "conversation": "c1",
     "customer": {"id": "u1", "name": "Eva", "email": "eva@example.org", "phone": "+49300001001"},
     "text": "Hello", "sent_at": "2026-03-14T02:20:32Z",
     "to": "shop app", "subject": "", "language": "de",
     "attachments": [{"url": "https://...", "content_type": "image/png", "name": "a.png",
                      "size_bytes": 7}],
     "attributes": {"order": "4711", "vip": true}}

``type`` and ``conversation`` are required, for a message also its ``id``. Types: ``message``;
``edited`` and ``deleted`` (of the message with that id; the ``sent_at`` of an edit is its own time,
which tells it from a repeat); ``thread_deleted`` (all of them); ``ended`` (the customer has left);
``sent`` (by your side); ``read``, ``delivered`` and ``typing``; ``reaction``. Others are ignored.

Signature: ``X-Omniroute-Timestamp`` is the time in seconds, ``X-Omniroute-Signature`` is ``v1=``
and the hexadecimal HMAC-SHA256 of timestamp, "." and raw body; good for five minutes. iAdvize signs
the body alone: ``X-iAdvize-Signature: sha256=`` and the hexadecimal HMAC-SHA256.
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
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
from . import iadvize
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_size, as_text, decode_json, each, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .telephone import is_e164
from .times import rfc3339
from .verdicts import ignored, own, routed, status, update

__all__ = ["InAppChat", "sign"]

_SIGNATURE = "X-Omniroute-Signature"
_TIMESTAMP = "X-Omniroute-Timestamp"
_IADVIZE = "X-iAdvize-Signature"
_MAX_ATTRIBUTES = 50

_UPDATES = {
    "edited": UpdateKind.EDITED,
    "thread_deleted": UpdateKind.THREAD_DELETED,
    "deleted": UpdateKind.DELETED,
    "ended": UpdateKind.ENDED,
    "reaction": UpdateKind.REACTION,
}
_STATUS = frozenset({"read", "delivered", "typing"})


def sign(secret: str, body: bytes, at_s: int) -> dict[str, str]:
    """The headers that prove a delivery of your backend.

    Args:
        secret: one of those in `Secrets.signing` of the receiver.
        body: the JSON, exactly as it will be sent.
        at_s: the time now, in seconds since the epoch.
    """
    mac = hmac_hex(secret, f"{at_s}.".encode() + body)
    return {_TIMESTAMP: str(at_s), _SIGNATURE: f"v1={mac}"}


def _customer(person: dict[str, object]) -> Customer:
    """Who wrote it; addresses count only in their full form."""
    email = as_text(person.get("email"), 320).strip().lower()
    phone = as_text(person.get("phone"), 32).strip()
    addresses = []
    if "@" in email:
        addresses.append(Address(AddressKind.EMAIL, email))
    if is_e164(phone):
        addresses.append(Address(AddressKind.E164, phone))
    name = as_text(person.get("name"), 256)
    return Customer(id=as_id(person.get("id")), name=name, addresses=tuple(addresses))


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Attachments as references."""
    return tuple(
        Attachment(
            content_type=as_text(item.get("content_type"), 128) or "application/octet-stream",
            name=as_text(item.get("name"), 256),
            url=as_text(item.get("url"), 4096),
            size_bytes=as_size(item.get("size_bytes")),
        )
        for item in map(as_dict, items[:50])
    )


def _attributes(values: dict[str, object]) -> dict[str, Attribute]:
    """Texts, integers, truth values and lists of texts; the rest is not an attribute."""
    found: dict[str, Attribute] = {}
    for name, value in list(values.items())[:_MAX_ATTRIBUTES]:
        key = as_text(name, 64)
        if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
            found[key] = value
        elif isinstance(value, str):
            found[key] = as_text(value, 1024)
        elif isinstance(value, list):
            found[key] = tuple(as_text(one, 256) for one in value[:50] if isinstance(one, str))
    return found


def _language(value: object) -> str | None:
    """A two- or three-letter language, else None."""
    code = as_text(value, 8).strip().lower()
    return code if 2 <= len(code) <= 3 and code.isascii() and code.isalpha() else None


def _read(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one event means."""
    kind = as_text(event.get("type"), 32)
    text = as_text(event.get("text"))
    conversation, identity = as_id(event.get("conversation")), as_id(event.get("id"))
    message = Message(
        channel=Channel.IN_APP_CHAT,
        customer=_customer(as_dict(event.get("customer"))),
        thread_id=conversation or None,
        message_id=identity or None,
        to=as_text(event.get("to"), 256),
        subject=as_text(event.get("subject"), 2000),
        text=text,
        language=_language(event.get("language")),
        links=links_in(text),
        attachments=_files(as_list(event.get("attachments"))),
        attributes=_attributes(as_dict(event.get("attributes"))),
        sent_at_ms=rfc3339(event.get("sent_at")),
        received_at_ms=received_at_ms,
    )
    if not kind or not conversation:
        raise PayloadError("an event needs a type and a conversation")
    if kind == "message":
        if not identity:
            raise PayloadError("a message needs an id, or its repeat could not be told")
        return routed(message)
    if kind in _UPDATES:
        return update(message, _UPDATES[kind])
    if kind in _STATUS:
        return status(message, kind)
    if kind == "sent":
        return own(message, "sent by our side")
    return ignored(message, f"event {kind!r} is not read")


@attrs.frozen(kw_only=True)
class InAppChat:
    """Chat of your own app, or of iAdvize. `Secrets.signing` holds the shared secret.

    ``window_ms`` is how far the signed timestamp may lie from our clock.
    """

    name: str = "in_app_chat"
    channel: Channel = Channel.IN_APP_CHAT
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152
    window_ms: int = 300_000

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the signature and its age; raises `SignatureError`."""
        iadvize_signature = request.header(_IADVIZE).strip()
        if iadvize_signature and not request.header(_SIGNATURE):
            require_match(
                secrets,
                iadvize_signature,
                lambda secret: [f"sha256={hmac_hex(secret, request.body)}"],
                header=_IADVIZE,
            )
            return
        timestamp = request.header(_TIMESTAMP).strip()
        signed = timestamp.encode("utf-8", "surrogatepass") + b"." + request.body
        require_match(
            secrets,
            request.header(_SIGNATURE).strip(),
            lambda secret: [f"v1={hmac_hex(secret, signed)}"],
            header=_SIGNATURE,
        )
        at_ms, now_ms = seconds(timestamp), request.received_at_ms
        if at_ms is None or now_ms is None or abs(now_ms - at_ms) > self.window_ms:
            raise SignatureError(f"{_TIMESTAMP} is too far from our clock")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event. Raises `PayloadError` when there is none."""
        payload = decode_json(request.body)
        if iadvize.is_iadvize(payload):
            return [iadvize.read(payload, request)]
        events = payload.get("events")
        if not isinstance(events, list):
            raise PayloadError("the delivery has no list of events")
        return each(
            events,
            lambda event: _read(event, request.received_at_ms),
            channel=self.channel,
            received_at_ms=request.received_at_ms,
        )
