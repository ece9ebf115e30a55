"""LinkedIn: what people do with an organization's posts, up to ten notifications in one.

Only a comment (and a post that mentions the organization) asks for an answer. The customer is
the owner of the comment, thread and message are the comment's URN; an answer to a comment has
the thread of its parent. One comment is spelled in two ways, in the same notification even:
``urn:li:comment:(activity:1,2)`` is read as ``urn:li:comment:(urn:li:activity:1,2)``. Times are
milliseconds. A delivery is repeated for hours; ``notificationId`` is the same.

Signature: ``X-LI-Signature``, the hexadecimal HMAC-SHA256 of ``hmacsha256=`` and the raw body
with the client secret. The URL is checked every two hours by a GET with ``challengeCode``.

https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation
"""

from __future__ import annotations

import re

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .verdicts import ignored, json_reply, own, routed, update

__all__ = ["LinkedIn"]

SIGNATURE_HEADER = "X-LI-Signature"

_SHORT = re.compile(r"urn:li:comment:\((?!urn:li:)([a-zA-Z]{1,40}:)")
_REACTIONS = frozenset({"LIKE", "SHARE", "REACTION"})
_OPENING = frozenset({"COMMENT", "SHARE_MENTION"})


def _urn(value: object) -> str:
    """A URN in its long spelling."""
    return _SHORT.sub(r"urn:li:comment:(urn:li:\1", as_id(value))


def _text(activity: dict[str, object]) -> str:
    """What was written; it has moved over the versions."""
    for key in ("text", "message", "commentary"):
        value = activity.get(key)
        text = as_text(value) or as_text(as_dict(value).get("text"))
        if text:
            return text
    return ""


def _read(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one notification means.

    Raises:
        PayloadError: a comment that is not named.
    """
    action = as_text(event.get("action"), 64).upper()
    decorated = as_dict(event.get("decoratedGeneratedActivity"))
    comment = as_dict(decorated.get("comment"))
    activity = comment or as_dict(decorated.get("share")) or as_dict(decorated.get("post"))
    organization = as_id(event.get("organizationalEntity"))
    owner = as_id(activity.get("owner")) or as_id(activity.get("actor"))
    own_urn = _urn(activity.get("entity")) or _urn(event.get("generatedActivity"))
    parent = _urn(activity.get("parentComment"))
    delivery_id = as_id(event.get("notificationId"))
    text = _text(activity)
    attributes: dict[str, Attribute] = {
        "action": action,
        "post": as_id(event.get("sourcePost")),
        "parent_id": parent,
        "subscriber": as_id(event.get("subscriber")),
    }
    message = Message(
        channel=Channel.LINKEDIN,
        customer=Customer(id=owner),
        thread_id=parent or own_urn or None,
        message_id=own_urn or None,
        to=organization,
        text=text,
        links=links_in(text),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=milliseconds(event.get("lastModifiedAt")),
        received_at_ms=received_at_ms,
    )
    if action == "ADMIN_COMMENT" or (owner and owner == organization):
        return own(message, "written by the organization", delivery_id)
    if action in _OPENING:
        return routed(message, inside=bool(parent), delivery_id=delivery_id)
    if action == "COMMENT_EDIT":
        return update(message, Update.EDITED, delivery_id)
    if action == "COMMENT_DELETE":
        deleted = msgspec.structs.replace(message, text="", links=())
        return update(deleted, Update.DELETED, delivery_id)
    if action in _REACTIONS:
        return update(message, Update.REACTION, delivery_id)
    return ignored(message, f"unknown action {action!r}", delivery_id)


@attrs.frozen(kw_only=True)
class LinkedIn:
    """Organization webhooks of a LinkedIn app. `Secrets.signing` holds its client secret."""

    name: str = "linkedin"
    channel: Channel = Channel.LINKEDIN
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-LI-Signature over the raw body; raises `SignatureError`."""
        given = request.header(SIGNATURE_HEADER).strip().lower().removeprefix("hmacsha256=")
        signed = b"hmacsha256=" + request.body
        require_match(
            secrets,
            given,
            lambda secret: [hmac_hex(secret, signed)],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer a challenge with the first secret.

        Raises:
            SignatureError: no secret is set.
        """
        code = request.query().get("challengeCode") if request.method == "GET" else None
        if code is None:
            return None
        secret = next(filter(None, secrets.signing), "")
        if not secret:
            raise SignatureError("no client secret is set to answer the challenge with; refused")
        answer = hmac_hex(secret, code.encode("utf-8", "surrogatepass"))
        return json_reply({"challengeCode": code, "challengeResponse": answer})

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every notification of a delivery; raises `PayloadError` when there is no list."""
        payload = decode_json(request.body)
        notifications = payload.get("notifications")
        if not isinstance(notifications, list):
            raise PayloadError("the delivery has no list of notifications")
        at_ms = request.received_at_ms
        return each(
            notifications,
            lambda event: _read(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
