"""Matrix: the events that a homeserver pushes to an application service.

The customer is ``sender``, the thread ``room_id`` (in a Matrix thread its root), the message
id ``event_id``. Times are milliseconds. Bots write ``m.notice``, which is never answered; name
the application service's own users in ``own_users``, because its own messages come back, too.
An encrypted message is a customer's message that cannot be read. Media are ``mxc:`` URIs, which
need an authenticated download.

Authenticity: ``Authorization: Bearer`` and the ``hs_token`` of the registration; nothing is
signed. A transaction is repeated, with its id, until it is answered with 200 and a JSON object;
its events are told by their ids. The homeserver also asks whether a user or a room alias exists
(`Matrix.handshake` answers). Its paths begin with ``/_matrix/app/v1``; old servers leave that out.

https://spec.matrix.org/latest/application-service-api/
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import attrs
import msgspec

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .jwt_hs256 import bearer
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_size, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import require_match
from .verdicts import ignored, json_reply, lifecycle, own, routed, status, update

__all__ = ["Matrix"]

_MEDIA = {
    "m.image": "image/*",
    "m.video": "video/*",
    "m.audio": "audio/*",
    "m.file": "application/octet-stream",
    "m.sticker": "image/*",
}
_EPHEMERAL = ("ephemeral", "de.sorunome.msc2409.ephemeral")


def _without_fallback(body: str) -> str:
    """The text without the quotation that old clients put before an answer."""
    if not body.startswith("> "):
        return body
    lines = body.split("\n")
    first = next((n for n, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[first:]).lstrip("\n") or body


def _attachment(kind: str, content: dict[str, object]) -> Attachment:
    """A file as a reference."""
    info = as_dict(content.get("info"))
    encrypted = as_dict(content.get("file"))
    return Attachment(
        content_type=as_text(info.get("mimetype"), 128) or _MEDIA[kind],
        name=as_text(content.get("filename"), 256) or as_text(content.get("body"), 256),
        url=as_text(content.get("url"), 4096) or as_text(encrypted.get("url"), 4096),
        size_bytes=as_size(info.get("size")),
    )


def _base(event: dict[str, object], received_at_ms: int | None) -> Message:
    """Who, where and when."""
    room = as_id(event.get("room_id"))
    return Message(
        channel=Channel.MATRIX,
        customer=Customer(id=as_id(event.get("sender"))),
        thread_id=room or None,
        message_id=as_id(event.get("event_id")) or None,
        to=room,
        sent_at_ms=milliseconds(event.get("origin_server_ts")),
        received_at_ms=received_at_ms,
    )


def _message(event: dict[str, object], base: Message, kind: str) -> Inbound:
    """A message, an edit of one, a sticker, or one that cannot be read."""
    content = as_dict(event.get("content"))
    relation = as_dict(content.get("m.relates_to"))
    what = as_text(relation.get("rel_type"), 64)
    target = as_id(relation.get("event_id"))
    attributes: dict[str, Attribute] = {"room_id": base.to} if base.to else {}
    if what == "m.replace":
        changed = as_dict(content.get("m.new_content"))
        text = as_text(changed.get("body")) or as_text(content.get("body")).removeprefix("* ")
        edited = msgspec.structs.replace(
            base, text=text, links=links_in(text), attributes=attributes
        )
        return update(edited, Update.EDITED, target=target)
    answered = as_id(as_dict(relation.get("m.in_reply_to")).get("event_id"))
    in_thread = what == "m.thread" and bool(target)
    if answered:
        attributes["reply_to"] = answered
    if kind == "m.room.encrypted":
        attributes["unreadable"] = "end-to-end encrypted"
    msgtype = "m.sticker" if kind == "m.sticker" else as_text(content.get("msgtype"), 64)
    files = (_attachment(msgtype, content),) if msgtype in _MEDIA else ()
    if msgtype == "m.location":
        attributes["location"] = as_text(content.get("geo_uri"), 128).removeprefix("geo:")
    if "org.matrix.msc3245.voice" in content:
        attributes["voice_note"] = True
    body = as_text(content.get("body"))
    text = _without_fallback(body) if answered else body
    message = msgspec.structs.replace(
        base,
        thread_id=target if in_thread else base.thread_id,
        text=text,
        links=links_in(text),
        attachments=files,
        attributes=attributes,
    )
    if msgtype == "m.notice":
        return own(message, "a notice, which is what bots write")
    return routed(message, inside=in_thread or bool(answered))


def _read(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one event means.

    Raises:
        PayloadError: a message from nowhere.
    """
    kind = as_text(event.get("type"), 128)
    content = as_dict(event.get("content"))
    base = _base(event, received_at_ms)
    if "state_key" in event:
        return lifecycle(base, kind or "a state of the room")
    if kind in {"m.room.message", "m.sticker", "m.room.encrypted"}:
        redacted = "redacted_because" in as_dict(event.get("unsigned"))
        return update(base, Update.DELETED) if redacted else _message(event, base, kind)
    if kind == "m.reaction":
        relation = as_dict(content.get("m.relates_to"))
        attributes: dict[str, Attribute] = {
            "reaction": as_text(relation.get("key"), 64),
        }
        reaction = msgspec.structs.replace(base, attributes=attributes)
        return update(reaction, Update.REACTION, target=as_id(relation.get("event_id")))
    if kind == "m.room.redaction":
        target = as_id(content.get("redacts")) or as_id(event.get("redacts"))
        return update(base, Update.DELETED, target=target)
    if kind in {"m.typing", "m.receipt", "m.presence", "m.read"}:
        return status(base, kind)
    if kind.startswith("m.room."):
        return lifecycle(base, kind)
    return ignored(base, f"unknown event type {kind!r}")


@attrs.frozen(kw_only=True)
class Matrix:
    """A Matrix application service. `Secrets.signing` holds its ``hs_token``.

    ``own_users`` are the user ids that our side writes as (``@shop:example.org``).
    """

    name: str = "matrix"
    channel: Channel = Channel.MATRIX
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 16_777_216
    own_users: tuple[str, ...] = ()

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Compare the bearer token; raises `SignatureError`. Old servers put it in the URL."""
        given = bearer(request.header("Authorization")) or request.query().get("access_token", "")
        require_match(secrets, given, lambda secret: [secret], header="Authorization")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer the homeserver's ping, and its questions after users, rooms and networks.

        Of our own users it is said that they exist, of all else that we have none: rooms and
        users are made by whoever runs the application service, not here.

        Raises:
            SignatureError: a foreign token.
        """
        path = _path(request.url)
        if request.method == "POST" and path.endswith("/app/v1/ping"):
            self.verify(request, secrets)
            return json_reply({})
        kind, asked = _question(path) if request.method == "GET" else ("", "")
        if not kind:
            return None
        self.verify(request, secrets)
        if kind == "users" and asked in self.own_users:
            return json_reply({})
        return json_reply({"errcode": "M_NOT_FOUND", "error": f"no such thing in {kind}"}, 404)

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event of a transaction; raises `PayloadError` when there is no list."""
        payload = decode_json(request.body)
        events = payload.get("events")
        fleeting = [item for key in _EPHEMERAL for item in as_list(payload.get(key))]
        if not isinstance(events, list):
            if not fleeting and "type" not in payload:
                raise PayloadError("the transaction has no list of events")
            events = [payload] if "type" in payload else []
        at_ms = request.received_at_ms
        head, _, tail = _path(request.url).rpartition("/transactions/")
        transaction = unquote(tail) if head or tail != _path(request.url) else ""
        return each(
            [*events, *fleeting],
            lambda event: self._event(event, transaction, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )

    def _event(
        self, event: dict[str, object], transaction: str, received_at_ms: int | None
    ) -> Inbound:
        """One event; what our own users do is ours."""
        inbound = _read(event, received_at_ms)
        message = inbound.message
        delivery_id = f"{transaction}:{message.message_id}" if transaction else None
        if message.customer.id in self.own_users:
            return own(message, "written by our own user", delivery_id or "")
        return msgspec.structs.replace(inbound, delivery_id=delivery_id)


def _question(path: str) -> tuple[str, str]:
    """(what kind of thing, its name) that a homeserver asks after; ("", "") when it does not."""
    _, versioned, below = path.partition("/_matrix/app/v1/")
    parts = below.split("/", 1) if versioned else path.split("/")[-2:]
    known = len(parts) > 1 and parts[0] in {"users", "rooms", "thirdparty"}
    return (parts[0], unquote(parts[1])) if known and parts[1] else ("", "")


def _path(url: str) -> str:
    """The path of a URL; "" of what is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
