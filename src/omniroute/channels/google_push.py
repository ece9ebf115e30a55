"""What Google's messaging products share: the Pub/Sub envelope and X-Goog-Signature.

A push of Pub/Sub is ``{"message": {"data": BASE64, "attributes": {...}}, "subscription": ...}``;
the event is the JSON in ``data``. The same event may also come bare.

``X-Goog-Signature`` is the base64 HMAC-SHA512 of the event, decoded when it came in an
envelope, under the client token that was agreed on. There is no timestamp. When a webhook is
set, ``{"clientToken": ..., "secret": ...}`` comes, and the secret is the answer.

https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks
"""

from __future__ import annotations

import base64
import binascii

from ..errors import PayloadError, SignatureError
from .payloads import as_dict, as_text, decode_json
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_base64, require_match, same

__all__ = ["SIGNATURE_HEADER", "Push", "challenge", "challenge_of", "opened", "verify"]

SIGNATURE_HEADER = "X-Goog-Signature"

#: (the event, its attributes, the id of the push)
Push = tuple[dict[str, object], dict[str, object], str]


def _data(payload: dict[str, object]) -> bytes | None:
    """The bytes in a Pub/Sub envelope; None when it is none."""
    data = as_dict(payload.get("message")).get("data")
    if not isinstance(data, str) or "senderPhoneNumber" in payload:
        return None
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise PayloadError("the data of the push is not base64") from None


def opened(body: bytes) -> Push:
    """The event of a delivery, out of its envelope when it has one.

    Raises:
        PayloadError: not JSON, or an envelope that holds none.
    """
    payload = decode_json(body)
    data = _data(payload)
    if data is None:
        return payload, {}, ""
    message = as_dict(payload["message"])
    push_id = as_text(message.get("messageId"), 128) or as_text(message.get("message_id"), 128)
    return decode_json(data), as_dict(message.get("attributes")), push_id


def verify(request: WebhookRequest, secrets: Secrets) -> None:
    """Check X-Goog-Signature.

    Raises:
        SignatureError: not authentic, or no client token is set.
    """
    try:
        data = _data(decode_json(request.body))
    except PayloadError:
        data = None
    signed = request.body if data is None else data
    require_match(
        secrets,
        request.header(SIGNATURE_HEADER).strip(),
        lambda token: [hmac_base64(token, signed, "sha512")],
        header=SIGNATURE_HEADER,
    )


def challenge_of(body: bytes) -> tuple[str, str] | None:
    """(client token, secret) of the delivery that a new webhook gets; None for any other."""
    if len(body) > 65_536 or b"clientToken" not in body:
        return None
    try:
        payload = decode_json(body)
    except PayloadError:
        return None
    token, secret = as_text(payload.get("clientToken"), 1024), as_text(payload.get("secret"), 4096)
    return (token, secret) if token and secret else None


def challenge(request: WebhookRequest, secrets: Secrets) -> Reply | None:
    """Answer the check of a new webhook when it names our client token.

    Raises:
        SignatureError: another token, or none is set.
    """
    found = challenge_of(request.body) if request.method == "POST" else None
    if found is None:
        return None
    token, secret = found
    usable = [ours for ours in secrets.signing if ours]
    if not usable:
        raise SignatureError("no client token is set to check the webhook with; refused")
    # Every candidate is tried, so that the time does not tell which one matched.
    matches = [same(ours, token) for ours in usable]
    if not any(matches):
        raise SignatureError("clientToken is not ours")
    return Reply(body=secret.encode())
