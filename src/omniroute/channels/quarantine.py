"""What is kept of a delivery in quarantine, so that it can be read again after a fix.

A normaliser tells what it could not understand as text, for a human agent to read. For reading
it again that is too little: the event has lost its envelope, bytes that are no UTF-8 their
value. So whoever took the delivery adds it whole with `keep`: the raw body, compressed (zlib), as
an attachment named ``delivery`` (a ``data:`` URL, in the journal like everything else), and as
attributes the adapter's name, method, URL and the few headers that carry more than proof.
Signatures and tokens are left out: it was proved when it came, and a journal is no place for
secrets. What does not fit is not kept: a journal whose records are bounded must not be stopped by
a body (the smallest bound in use is 1 MiB).

`replay` is the way back. The delivery is normalised by the adapter as it is now, and what is
worth telling is returned: the message ids tell what had been taken before.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ..errors import PayloadError, UnknownNameError
from ..model import Attachment, Attribute, Disposition, Inbound, Message
from .payloads import clean, quarantined, stable_id
from .protocol import Adapter, WebhookRequest
from .registry import CHANNELS

__all__ = ["MAX_KEPT_BYTES", "keep", "kept", "normalized", "replay"]

#: The most that is kept of one body, compressed; of a larger one only the text stays.
MAX_KEPT_BYTES = 524_288
#: A body that unpacks to more is none that was kept.
_MAX_UNPACKED = 67_108_864

_NAME = "delivery"
_MARK = ";zlib;base64,"
_URL_CHARS = 1_024

#: The headers that a normaliser may read; none of them proves anything.
_HEADERS = ("content-type", "source-id", "destination-id", "id", "i-twilio-idempotency-token")
#: The parameters of a URL that prove something.
_PROOFS = frozenset(
    {"access_token", "token", "key", "api_key", "secret", "sig", "signature", "password"}
)
_ROUTED = frozenset({Disposition.CREATE, Disposition.APPEND})


def _without_proofs(url: str) -> str:
    """The URL without what a journal must not hold."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return ""
    query = urlencode([pair for pair in pairs if pair[0].lower() not in _PROOFS])
    return parts._replace(query=query, netloc=parts.netloc.rpartition("@")[2]).geturl()


def keep(
    events: Sequence[Inbound], name: str, request: WebhookRequest, *, limit: int = MAX_KEPT_BYTES
) -> list[Inbound]:
    """The events, those in quarantine with the delivery that they came in.

    Only the first of them carries the body: all came in the same one. Each gets a message id of
    its own, so that the message that it may become after a fix is no repeat of it.

    Args:
        events: what the delivery was normalised to.
        name: what `replay` will find the adapter by.
        request: the delivery.
        limit: how large a body may be, compressed, in bytes.
    """
    found: list[Inbound] = []
    is_first = True
    for index, event in enumerate(events):
        if event.disposition is not Disposition.QUARANTINE:
            found.append(event)
            continue
        message = event.message
        aside: dict[str, Attribute] = {**message.attributes, "adapter": name, "index": index}
        files = message.attachments
        if is_first:
            is_first = False
            packed = zlib.compress(request.body)
            if len(packed) <= limit and len(request.body) <= _MAX_UNPACKED:
                aside |= _described(request)
                files = (*files, _attached(request, packed))
        message = msgspec.structs.replace(
            message,
            message_id=f"quarantine:{message.message_id or stable_id(request.body)}",
            attributes=aside,
            attachments=files,
        )
        found.append(msgspec.structs.replace(event, message=message))
    return found


def _described(request: WebhookRequest) -> dict[str, Attribute]:
    """How the delivery came, as attributes."""
    headers = {f"header:{name}": request.header(name)[:_URL_CHARS] for name in _HEADERS}
    told = {
        "method": request.method,
        "url": _without_proofs(request.url)[:_URL_CHARS],
        **headers,
    }
    return {name: clean(value) for name, value in told.items() if value}


def _attached(request: WebhookRequest, packed: bytes) -> Attachment:
    """The raw body, byte for byte."""
    content_type = request.media_type if request.media_type.isascii() else ""
    content_type = content_type[:128] or "application/octet-stream"
    encoded = base64.b64encode(packed).decode()
    return Attachment(
        content_type=content_type,
        name=_NAME,
        url=f"data:{content_type}{_MARK}{encoded}",
        size_bytes=len(request.body),
    )


def kept(message: Message) -> tuple[str, WebhookRequest] | None:
    """(name of the adapter, the delivery) that `keep` added to a message; None without one."""
    file = next((one for one in message.attachments if one.name == _NAME), None)
    name = message.attributes.get("adapter")
    if file is None or not isinstance(name, str):
        return None
    _, mark, encoded = file.url.partition(_MARK)
    size = file.size_bytes or 0
    try:
        packed = base64.b64decode(encoded, validate=True)
        body = zlib.decompressobj().decompress(packed, min(size, _MAX_UNPACKED) + 1)
    except (binascii.Error, ValueError, zlib.error):
        return None
    if not mark or len(body) != size:
        return None
    told = message.attributes
    headers = {header: _told(told, f"header:{header}") for header in _HEADERS}
    return name, WebhookRequest(
        method=_told(told, "method") or "POST",
        url=_told(told, "url"),
        headers={header: value for header, value in headers.items() if value},
        body=body,
        received_at_ms=message.received_at_ms,
    )


def _told(attributes: Mapping[str, Attribute], name: str) -> str:
    """An attribute that is a text, or ""."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def normalized(adapter: Adapter, name: str, request: WebhookRequest) -> list[Inbound]:
    """What a delivery means; what cannot be understood is quarantined and keeps its bytes.

    Args:
        adapter: the channel.
        name: what it is called where the delivery came in, for `replay`.
        request: the delivery.
    """
    try:
        events = adapter.normalize(request)
    except PayloadError as error:
        events = [
            quarantined(
                adapter.channel, str(error), request.body, received_at_ms=request.received_at_ms
            )
        ]
    return keep(events, name, request)


_NONE: Mapping[str, Adapter] = MappingProxyType({})


def replay(message: Message, adapters: Mapping[str, Adapter] = _NONE) -> list[Inbound]:
    """What a quarantined message means today.

    Messages of customers are returned whatever place they had in the delivery, for those that
    were taken then are told by their ids. Everything else in the delivery happened long ago
    and is returned only when it is the very event that was in quarantine.

    Args:
        message: of a `Quarantined` event.
        adapters: your configured adapters, by the names that they received under; the others
            are those of `CHANNELS`.

    Returns:
        The events to deliver; those that still cannot be understood are among them.

    Raises:
        PayloadError: the message carries no delivery.
        UnknownNameError: no adapter of that name.
    """
    found = kept(message)
    if found is None:
        raise PayloadError("the message carries no delivery that could be read again")
    name, request = found
    adapter = adapters.get(name) or CHANNELS.get(name)
    if adapter is None:
        raise UnknownNameError("channel", name, [*adapters, *CHANNELS], where="replay")
    events = normalized(adapter, name, request)
    index = message.attributes.get("index")
    is_alone = len(events) == 1
    return [
        event
        for number, event in enumerate(events)
        if event.disposition in _ROUTED
        or event.disposition is Disposition.QUARANTINE
        or is_alone
        or number == index
    ]
