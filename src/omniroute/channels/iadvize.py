"""iAdvize: one message of its chat, as its webhook for bots and connectors sends it.

The conversation stands in the URL, not in the body (``.../conversations/{id}/messages``). A visitor
has no id of his own: within a conversation he is ``{conversation}:visitor``. Times carry a zone
name behind the Z.

https://developers.iadvize.com
"""

from __future__ import annotations

import itertools
from urllib.parse import unquote, urlsplit

from ..errors import PayloadError
from ..model import Attachment, Channel, Customer, Inbound, Message
from .links import links_in
from .payloads import as_dict, as_id, as_text
from .protocol import WebhookRequest
from .times import rfc3339
from .verdicts import own, routed

__all__ = ["is_iadvize", "read"]

_OURS = frozenset({"operator", "bot", "system"})


def is_iadvize(payload: dict[str, object]) -> bool:
    """True when the delivery has iAdvize's shape."""
    return "idOperator" in payload or "idMessage" in as_dict(payload.get("message"))


def _conversation(request: WebhookRequest, payload: dict[str, object]) -> str:
    """The conversation, from the body where it stands there, else from the URL."""
    named = as_id(payload.get("idConversation")) or as_id(request.query().get("idConversation"))
    if named:
        return named
    try:
        parts = urlsplit(request.url).path.split("/")
    except ValueError:
        return ""
    for before, part in itertools.pairwise(parts):
        if before.lower() in {"conversation", "conversations"} and part:
            return as_text(unquote(part), 256)
    return ""


def read(payload: dict[str, object], request: WebhookRequest) -> Inbound:
    """What one message means.

    Raises:
        PayloadError: it names no message.
    """
    written = as_dict(payload.get("message"))
    identity = as_id(written.get("idMessage"))
    if not identity:
        raise PayloadError("the message has no idMessage")
    conversation = _conversation(request, payload)
    role = as_text(as_dict(written.get("author")).get("role"), 32).lower()
    person = as_id(as_dict(written.get("author")).get("id")) or role
    content = as_dict(written.get("payload"))
    value = as_text(content.get("value"))
    kind = as_text(content.get("contentType"), 64)
    url = as_text(content.get("url"), 4096)
    message = Message(
        channel=Channel.IN_APP_CHAT,
        customer=Customer(id=f"{conversation}:{person}" if conversation and person else person),
        thread_id=conversation or identity,
        message_id=identity,
        to=as_id(payload.get("idOperator")),
        text=value,
        links=links_in(value),
        attachments=(Attachment(content_type=kind or "*/*", url=url),) if url else (),
        attributes={"source": "iadvize", **({"content": kind} if kind else {})},
        sent_at_ms=rfc3339(written.get("createdAt")),
        received_at_ms=request.received_at_ms,
    )
    if role in _OURS:
        return own(message, f"written by the {role}")
    return routed(message)
