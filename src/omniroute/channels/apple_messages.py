"""Apple Messages for Business: one message per delivery, by way of your messaging service.

The body is gzip. The customer is the opaque ``sourceId`` (an ``urn:mbid:`` with any characters),
and also the thread, for Apple has one conversation per customer and business. ``typing_start``,
``typing_end`` and ``close`` open nothing. An interactive answer (a list picker, a time, a form)
is a customer's message. Attachments are references; they are encrypted, their key is not kept.

Authenticity: a JWT (HS256) in ``Authorization``, signed with the service's secret, which Apple
shows in base64; its audience is the service's id (``service_id``). It is good for five minutes
after ``iat`` where it has no ``exp``. It does not cover the body: accept it over TLS only.

https://register.apple.com/resources/messages/msp-rest-api/
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import zlib
from collections.abc import Iterable

import attrs

from ..errors import PayloadError, PayloadTooLargeError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .jwt_hs256 import bearer, claims_of, require_timely
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_size, as_text, decode_json, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import ignored, routed, status, update

__all__ = ["AppleMessages"]

_GZIP = b"\x1f\x8b"
_OBJECT_REPLACEMENT = "\ufffc"  # stands in the text where an attachment is shown


def _keys(secret: str) -> Iterable[bytes]:
    """The secret as Apple shows it, decoded; and as it is written."""
    with contextlib.suppress(binascii.Error, ValueError):
        yield base64.b64decode(secret, validate=True)
    yield secret.encode()


def _unpacked(body: bytes, limit_bytes: int) -> bytes:
    """The body without its gzip; at most ``limit_bytes`` are ever unpacked.

    Raises:
        PayloadTooLargeError: it holds more.
        PayloadError: it is damaged or cut off.
    """
    if not body.startswith(_GZIP):
        return body
    unpack = zlib.decompressobj(wbits=31)
    try:
        found = unpack.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise PayloadError(f"not gzip: {error}") from None
    if len(found) > limit_bytes:
        raise PayloadTooLargeError(f"unpacked larger than {limit_bytes} bytes")
    if not unpack.eof:
        raise PayloadError("not gzip: the body is cut off")
    return found


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Attachments as references, without the key that would open them."""
    return tuple(
        Attachment(
            content_type=as_text(item.get("mimeType"), 128) or "application/octet-stream",
            name=as_text(item.get("name"), 256),
            url=as_text(item.get("url"), 4096),
            size_bytes=as_size(item.get("size")),
        )
        for item in map(as_dict, items[:50])
    )


def _answer(payload: dict[str, object]) -> str:
    """The text of an interactive answer: what was picked, or the title of the reply."""
    data = as_dict(as_dict(payload.get("interactiveData")).get("data"))
    picked = [
        as_text(as_dict(item).get("title"), 256)
        for section in as_list(as_dict(data.get("listPicker")).get("sections"))[:20]
        for item in as_list(as_dict(section).get("items"))[:50]
    ]
    shown = as_text(as_dict(data.get("replyMessage")).get("title"), 256)
    return ", ".join(filter(None, picked)) or shown


def _language(locale: str) -> str | None:
    """The language of a locale like ``de_DE``."""
    primary = locale.replace("-", "_").partition("_")[0].lower()
    return primary if 2 <= len(primary) <= 3 and primary.isascii() and primary.isalpha() else None


@attrs.frozen(kw_only=True)
class AppleMessages:
    """Apple Messages for Business. `Secrets.signing` holds the service's secret.

    ``service_id`` is your messaging service's id; a token for another is refused, "" takes
    any. ``unpacked_bytes`` bounds what a compressed body may unpack to.
    """

    name: str = "apple_messages"
    channel: Channel = Channel.APPLE_MESSAGES
    content_types: tuple[str, ...] = ()
    limit_bytes: int = 2_097_152
    unpacked_bytes: int = 8_388_608
    service_id: str = ""
    max_age_ms: int = 300_000

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the bearer token; raises `SignatureError`."""
        claims = claims_of(bearer(request.header("Authorization")), secrets, keys=_keys)
        require_timely(claims, request.received_at_ms, self.max_age_ms)
        named = claims.get("aud")
        audiences = named if isinstance(named, list) else [named]
        if self.service_id and self.service_id not in audiences:
            raise SignatureError("the token is meant for another service")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one message. Raises `PayloadError` when it is none."""
        payload = decode_json(_unpacked(request.body, self.unpacked_bytes))
        kind = as_text(payload.get("type"), 64)
        source = as_id(payload.get("sourceId")) or as_id(request.header("source-id"))
        identity = as_id(payload.get("id")) or as_id(request.header("id"))
        if not kind:
            raise PayloadError("the message has no type")
        answer = _answer(payload)
        text = as_text(payload.get("body")).replace(_OBJECT_REPLACEMENT, "").strip() or answer
        locale = as_text(payload.get("locale"), 32)
        found: dict[str, Attribute] = {
            name: value
            for key, name in (("intent", "intent"), ("group", "group"), ("type", "content"))
            if (value := as_text(payload.get(key), 256))
        }
        if locale:
            found["locale"] = locale
        at = payload.get("timestamp") or payload.get("createdAt")
        message = Message(
            channel=Channel.APPLE_MESSAGES,
            customer=Customer(id=source),
            thread_id=source or None,
            message_id=identity or None,
            to=as_id(payload.get("destinationId")) or request.header("destination-id"),
            text=text,
            language=_language(locale),
            links=links_in(text),
            attachments=_files(as_list(payload.get("attachments"))),
            attributes=found,
            sent_at_ms=rfc3339(at) or milliseconds(at),
            received_at_ms=request.received_at_ms,
        )
        return [self._judged(kind, message)]

    @staticmethod
    def _judged(kind: str, message: Message) -> Inbound:
        """What a message of this type means."""
        if kind in {"typing_start", "typing_end"}:
            return status(message, kind)
        if kind == "close":
            return update(message, UpdateKind.ENDED)
        if kind in {"text", "interactive", "richLink"}:
            return routed(message, inside=kind == "interactive")
        return ignored(message, f"type {kind!r} is not read")
