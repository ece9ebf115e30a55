"""Telnyx: webhooks of calls (Call Control) and of text messages, as JSON.

The delivery is ``data.id`` (a repeat keeps it), the kind ``data.event_type``, the rest
``data.payload``. All legs of a call share ``call_session_id``; the caller's leg is ``incoming``.
The customer is ``from``, the thread of text messages ``to:from``.

Signature: Ed25519 over ``timestamp|body``, base64 in ``telnyx-signature-ed25519``, the timestamp
in ``telnyx-timestamp``, good for five minutes; `Secrets.signing` holds the public key (base64).

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
"""

from __future__ import annotations

import base64
import binascii

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .ed25519 import require_ed25519
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, decode_json, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, caller, check_region, thread_of
from .times import rfc3339
from .verdicts import ignored, own, routed, status, update

__all__ = ["Telnyx"]

_SIGNATURE = "telnyx-signature-ed25519"
_TIMESTAMP = "telnyx-timestamp"

_ATTRIBUTES = {
    "direction": "direction",
    "state": "call_status",
    "hangup_cause": "hangup_cause",
    "hangup_source": "hangup_source",
    "connection_id": "connection_id",
    "shaken_stir_attestation": "stir_attestation",
    "digit": "digits",
    "digits": "digits",
    "type": "message_type",
    "parts": "segments",
    "messaging_profile_id": "messaging_profile_id",
}


def _key_bytes(text: str) -> bytes:
    """A public key as the portal shows it."""
    return base64.b64decode(text, validate=True)


def _number(value: object) -> str:
    """A number, alone or as the object that messages have."""
    return as_text(value, 256) or as_text(as_dict(value).get("phone_number"), 256)


def _attributes(payload: dict[str, object]) -> dict[str, Attribute]:
    """The fields of the table."""
    return {
        name: value
        for field, name in _ATTRIBUTES.items()
        if (value := as_id(payload.get(field))[:256])
    }


@attrs.frozen(kw_only=True)
class Telnyx:
    """Telnyx Call Control and Messaging. `Secrets.signing` holds the account's public key.

    ``default_region`` (ISO 3166, "US") reads national numbers; it needs the `phone` extra.
    ``window_ms`` is how far the signed timestamp may lie from our clock.
    """

    name: str = "telnyx"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    window_ms: int = 300_000

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the signature and its age; raises `SignatureError`."""
        timestamp = request.header(_TIMESTAMP)
        signed_at, now = seconds(timestamp), request.received_at_ms
        try:
            signature = base64.b64decode(request.header(_SIGNATURE), validate=True)
        except (binascii.Error, ValueError):
            raise SignatureError(f"{_SIGNATURE} is not base64") from None
        if not signature:
            raise SignatureError(f"the {_SIGNATURE} header is missing")
        message = timestamp.encode("utf-8", "surrogatepass") + b"|" + request.body
        require_ed25519(secrets, signature, message, _key_bytes, header=_SIGNATURE)
        if signed_at is None or now is None or abs(now - signed_at) > self.window_ms:
            raise SignatureError(f"{_TIMESTAMP} is too far from our clock")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Telnyx has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a webhook. Raises `PayloadError` when it is none."""
        data = as_dict(decode_json(request.body).get("data"))
        kind = as_text(data.get("event_type"), 80)
        payload = as_dict(data.get("payload"))
        if not kind:
            raise PayloadError("the delivery names no event: data.event_type is missing")
        if kind.startswith("call."):
            return [self._call(kind, data, payload, request.received_at_ms)]
        if kind.startswith("message."):
            return [self._message(kind, data, payload, request.received_at_ms)]
        message = Message(channel=Channel.VOICE, received_at_ms=request.received_at_ms)
        return [ignored(message, f"event {kind!r} is not read", as_id(data.get("id")))]

    def _call(
        self,
        kind: str,
        data: dict[str, object],
        payload: dict[str, object],
        received_at_ms: int | None,
    ) -> Inbound:
        """An event of a call, of its caller's leg or of another."""
        leg = as_id(payload.get("call_leg_id")) or as_id(payload.get("call_control_id"))
        call = as_id(payload.get("call_session_id")) or leg
        if not call:
            raise PayloadError("the event names no call: call_session_id is missing")
        outgoing = as_text(payload.get("direction"), 16).lower() in {"outgoing", "outbound"}
        customer = Customer()
        if not outgoing:
            name = as_text(payload.get("caller_id_name"), 256)
            name = "" if name == _number(payload.get("from")) else name
            customer = caller(_number(payload.get("from")), name, self.default_region)
        attributes = _attributes(payload)
        if kind == "call.initiated" and not outgoing and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call,
            message_id=leg if outgoing else call,
            to=_number(payload.get("to")).strip(),
            attributes=attributes,
            sent_at_ms=rfc3339(data.get("occurred_at")),
            received_at_ms=received_at_ms,
        )
        delivery = as_id(data.get("id"))
        if outgoing:
            return own(message, "a call we placed, or a leg of one", delivery)
        if kind == "call.initiated":
            return routed(message, delivery_id=delivery)
        kind_of_update = UpdateKind.ENDED if kind == "call.hangup" else UpdateKind.STATE
        return update(message, kind_of_update, delivery)

    def _message(
        self,
        kind: str,
        data: dict[str, object],
        payload: dict[str, object],
        received_at_ms: int | None,
    ) -> Inbound:
        """A text message, or a report about one of ours."""
        recipients = payload.get("to")
        first = recipients[0] if isinstance(recipients, list) and recipients else recipients
        received = kind == "message.received"
        theirs, ours = (payload.get("from"), first) if received else (first, payload.get("from"))
        customer = caller(_number(theirs), "", self.default_region)
        own_number = _number(ours).strip()
        message_id = as_id(payload.get("id")) or as_id(data.get("id"))
        text = as_text(payload.get("text"))
        files = tuple(
            Attachment(
                content_type=as_text(item.get("content_type"), 128) or "application/octet-stream",
                url=as_text(item.get("url"), 4096),
                size_bytes=size if type(size := item.get("size")) is int and size >= 0 else None,
            )
            for item in map(as_dict, as_list(payload.get("media"))[:50])
        )
        message = Message(
            channel=Channel.SMS,
            customer=customer,
            thread_id=thread_of(own_number, customer.id) if customer.id else message_id,
            message_id=message_id,
            to=own_number,
            subject=as_text(payload.get("subject"), 2000),
            text=text,
            links=links_in(text),
            attachments=files,
            attributes=_attributes(payload),
            sent_at_ms=rfc3339(payload.get("received_at")) or rfc3339(data.get("occurred_at")),
            received_at_ms=received_at_ms,
        )
        delivery = as_id(data.get("id"))
        if not received:
            return status(message, f"report about a message of ours: {kind}", delivery)
        if as_text(payload.get("direction"), 16).lower() == "outbound":
            return own(message, "sent by us", delivery)
        return routed(message, delivery_id=delivery)
