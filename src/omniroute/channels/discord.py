"""Discord: messages by the Gateway, commands and buttons by HTTP interactions.

The customer is ``author.id``, the thread ``channel_id`` (a Discord thread is a channel of its
own), the message id ``id``; all are 64-bit integers in strings. A resumed Gateway session
replays events, so the message id is the key. Times are RFC 3339. Messages of the Gateway come
as its frames (``op``, ``t``, ``d``) or as they are passed on (``type`` = ``GATEWAY_...``,
``data``). Without the privileged intent ``content`` is empty: a message, still.

Interactions are signed: Ed25519 over timestamp and raw body with the application's public
key, by the `crypto` extra. Discord sends wrong signatures on purpose, which must get 401. The
scheme has no window; a PING is answered with ``{"type":1}``. What the Gateway sends is not
signed: it comes over a connection that the application opened.

https://discord.com/developers/docs/interactions/overview
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .ed25519 import require_ed25519
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_number, as_size, as_text, decode_json, each
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import (
    edited,
    handshake,
    ignored,
    json_reply,
    lifecycle,
    own,
    routed,
    status,
    update,
)

__all__ = ["Discord", "acknowledge"]

SIGNATURE_HEADER = "X-Signature-Ed25519"
TIMESTAMP_HEADER = "X-Signature-Timestamp"

#: Types of messages that a person wrote: default, reply, command, thread starter, menu.
_WRITTEN = frozenset({0, 19, 20, 21, 23})
_REPLY = 19
_THREADS = frozenset({10, 11, 12})
_PING, _COMMAND, _COMPONENT, _AUTOCOMPLETE, _MODAL = 1, 2, 3, 4, 5
_LIFECYCLE = (
    "THREAD_",
    "GUILD_",
    "CHANNEL_",
    "INVITE_",
    "APPLICATION_",
    "INTEGRATION_",
    "ENTITLEMENT_",
    "STAGE_",
    "VOICE_",
    "WEBHOOKS_",
    "AUTO_MODERATION_",
    "USER_",
    "READY",
    "RESUMED",
)


def _person(source: dict[str, object]) -> Customer:
    """A user, by the name that is shown."""
    name = as_text(source.get("global_name"), 128) or as_text(source.get("username"), 128)
    return Customer(id=as_id(source.get("id")), name=name)


def _created_ms(snowflake: str) -> int | None:
    """When an id was made: its upper bits are milliseconds since the start of 2015."""
    if not snowflake.isascii() or not snowflake.isdigit() or len(snowflake) > 20:
        return None
    return (int(snowflake) >> 22) + 1_420_070_400_000


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Attachments as references."""
    found = []
    for item in items[:50]:
        part = as_dict(item)
        found.append(
            Attachment(
                content_type=as_text(part.get("content_type"), 128) or "application/octet-stream",
                name=as_text(part.get("filename"), 256),
                url=as_text(part.get("url"), 4096),
                size_bytes=as_size(part.get("size")),
            )
        )
    return tuple(found)


def _message(data: dict[str, object], received_at_ms: int | None) -> Message:
    """A message as the Gateway shows it."""
    text = as_text(data.get("content"))
    reference = as_dict(data.get("message_reference"))
    attributes: dict[str, Attribute] = {
        "guild_id": as_id(data.get("guild_id")),
        "reply_to": as_id(reference.get("message_id")),
        "voice_note": _is_voice(data.get("flags")),
    }
    stickers = [
        as_text(as_dict(item).get("name"), 64) for item in as_list(data.get("sticker_items"))[:10]
    ]
    return Message(
        channel=Channel.DISCORD,
        customer=_person(as_dict(data.get("author"))),
        thread_id=as_id(data.get("channel_id")) or None,
        message_id=as_id(data.get("id")) or None,
        to=as_id(data.get("channel_id")),
        text=text or " ".join(filter(None, stickers)),
        links=links_in(text),
        attachments=_files(as_list(data.get("attachments"))),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(data.get("timestamp")),
        received_at_ms=received_at_ms,
    )


def _is_voice(flags: object) -> bool:
    """The flag of a voice message."""
    return isinstance(flags, int) and bool(flags & 1 << 13)


def _gateway(kind: str, data: dict[str, object], received_at_ms: int | None) -> list[Inbound]:
    """What one event of the Gateway means."""
    message = _message(data, received_at_ms)
    author = as_dict(data.get("author"))
    is_machine = author.get("bot") is True or author.get("system") is True
    is_machine = is_machine or bool(data.get("webhook_id"))
    if kind == "MESSAGE_CREATE":
        if is_machine:
            return [own(message, "written by a bot or a webhook")]
        if as_number(data.get("type", 0)) not in _WRITTEN:
            return [lifecycle(message, f"message of type {as_id(data.get('type'))}")]
        in_thread = as_number(data.get("channel_type")) in _THREADS
        inside = in_thread or data.get("type") == _REPLY or "reply_to" in message.attributes
        return [routed(message, inside=inside)]
    if kind == "MESSAGE_UPDATE":
        if is_machine:
            return [own(message, "changed by a bot or a webhook")]
        return [edited(message, as_text(data.get("edited_timestamp"), 64))]
    if kind == "MESSAGE_DELETE":
        return [update(message, Update.DELETED)]
    if kind == "MESSAGE_DELETE_BULK":
        return [
            update(msgspec.structs.replace(message, message_id=as_id(one) or None), Update.DELETED)
            for one in as_list(data.get("ids"))[:1000]
        ]
    if kind.startswith("MESSAGE_REACTION_"):
        return [_reaction(kind, data, message)]
    if kind == "TYPING_START":
        return [status(message, "typing")]
    if kind == "INTERACTION_CREATE":
        return [_interaction(data, received_at_ms)]
    if kind.startswith(_LIFECYCLE):
        return [lifecycle(message, kind)]
    return [ignored(message, f"unknown event {kind!r}")]


def _reaction(kind: str, data: dict[str, object], message: Message) -> Inbound:
    """A reaction, set or removed."""
    member = as_dict(as_dict(data.get("member")).get("user"))
    customer = Customer(id=as_id(data.get("user_id")), name=_person(member).name)
    attributes: dict[str, Attribute] = {
        "reaction": as_text(as_dict(data.get("emoji")).get("name"), 64),
        "removed": kind != "MESSAGE_REACTION_ADD",
    }
    changed = msgspec.structs.replace(
        message,
        customer=customer,
        message_id=as_id(data.get("message_id")) or None,
        attributes=attributes,
    )
    return update(changed, Update.REACTION)


def _label(items: list[object], custom_id: str) -> str:
    """What stands on the pressed button. Buttons stand in rows, rows may stand in boxes."""
    waiting = [as_dict(item) for item in items[:50]]
    looked_at = 0
    while waiting and looked_at < 500:
        part = waiting.pop()
        looked_at += 1
        if as_text(part.get("custom_id"), 128) == custom_id:
            return as_text(part.get("label"), 256)
        waiting += [as_dict(item) for item in as_list(part.get("components"))[:50]]
    return ""


def _filled(items: list[object]) -> list[str]:
    """The values of a filled form, in its order."""
    found: list[str] = []
    for item in items[:50]:
        row = as_dict(item)
        inner = as_list(row.get("components")) or [row.get("component")]
        for part in inner[:50]:
            value = as_text(as_dict(part).get("value"), 8192)
            if value:
                found.append(value)
    return found


def _interaction(data: dict[str, object], received_at_ms: int | None) -> Inbound:
    """A command, a pressed button, a filled form."""
    kind = as_number(data.get("type"))
    body = as_dict(data.get("data"))
    user = as_dict(as_dict(data.get("member")).get("user")) or as_dict(data.get("user"))
    custom_id = as_text(body.get("custom_id"), 128)
    shown = as_dict(data.get("message"))
    text = ""
    if kind == _COMMAND:
        options = [as_dict(item) for item in as_list(body.get("options"))[:50]]
        values = [as_text(one.get("value")) or as_id(one.get("value")) for one in options]
        text = " ".join(filter(None, [f"/{as_text(body.get('name'), 64)}", *values]))
    elif kind == _COMPONENT:
        chosen = [as_text(value, 256) for value in as_list(body.get("values"))[:25]]
        text = " ".join(filter(None, chosen)) or _label(as_list(shown.get("components")), custom_id)
        text = text or custom_id
    elif kind == _MODAL:
        text = "\n".join(_filled(as_list(body.get("components"))))
    attributes: dict[str, Attribute] = {
        "guild_id": as_id(data.get("guild_id")),
        "payload": custom_id,
        "command": as_text(body.get("name"), 64),
        "locale": as_text(data.get("locale"), 16),
        "reply_to": as_id(shown.get("id")),
    }
    channel = as_id(data.get("channel_id")) or as_id(as_dict(data.get("channel")).get("id"))
    message = Message(
        channel=Channel.DISCORD,
        customer=_person(user),
        thread_id=channel or as_id(user.get("id")) or None,
        message_id=as_id(data.get("id")) or None,
        to=channel,
        text=text,
        links=links_in(text),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=_created_ms(as_id(data.get("id"))),
        received_at_ms=received_at_ms,
    )
    if kind == _PING:
        return handshake(
            Channel.DISCORD, "a ping", reply='{"type":1}', received_at_ms=received_at_ms
        )
    if kind == _COMMAND:
        return routed(message)
    if kind in {_COMPONENT, _MODAL}:
        return routed(message, inside=True)
    if kind == _AUTOCOMPLETE:
        return status(message, "typing a command")
    return ignored(message, f"unknown interaction {as_id(kind)!r}")


def acknowledge(request: WebhookRequest) -> Reply:
    """What an interaction must hear: that the answer follows, or the user is shown a failure.

    A command and a form are answered later by a message of their own, a button leaves the
    message that it stands in as it is. Events that were passed on hear nothing.
    """
    try:
        kind = decode_json(request.body).get("type")
    except PayloadError:
        return Reply()
    if kind == _AUTOCOMPLETE:
        return json_reply({"type": 8, "data": {"choices": []}})
    if kind in {_COMMAND, _MODAL}:
        return json_reply({"type": 5})
    return json_reply({"type": 6}) if kind == _COMPONENT else Reply()


@attrs.frozen(kw_only=True)
class Discord:
    """A Discord application. `Secrets.signing` holds its public key, hexadecimal."""

    name: str = "discord"
    channel: Channel = Channel.DISCORD
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Signature-Ed25519; raises `SignatureError` or `MissingExtraError`."""
        try:
            signature = bytes.fromhex(request.header(SIGNATURE_HEADER))
        except ValueError:
            raise SignatureError(f"{SIGNATURE_HEADER} is not hexadecimal") from None
        if not signature:
            raise SignatureError(f"the {SIGNATURE_HEADER} header is missing")
        timestamp = request.header(TIMESTAMP_HEADER).encode("utf-8", "surrogatepass")
        message = timestamp + request.body
        require_ed25519(secrets, signature, message, bytes.fromhex, header=SIGNATURE_HEADER)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer a signed PING.

        A PING with a wrong signature is left to `verify`, because Discord wants the 401 of a
        delivery that is not authentic.
        """
        if request.method != "POST" or len(request.body) > 65_536:
            return None
        try:
            if decode_json(request.body).get("type") != _PING:
                return None
            self.verify(request, secrets)
        except PayloadError:
            return None
        return json_reply({"type": 1})

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The events of a delivery; raises `PayloadError` when it is none of Discord's."""
        payload = decode_json(request.body)
        at_ms = request.received_at_ms
        named = payload.get("type")
        kind, data = as_text(payload.get("t"), 64), payload.get("d")
        if isinstance(named, str):
            kind, data = as_text(named, 64).removeprefix("GATEWAY_"), payload.get("data")
        if kind and kind == "MESSAGE_DELETE_BULK" and isinstance(data, dict):
            return _gateway(kind, data, at_ms)
        if kind:
            return each(
                [data],
                lambda event: _gateway(kind, event, at_ms)[0],
                channel=self.channel,
                received_at_ms=at_ms,
            )
        if not isinstance(named, int):
            raise PayloadError("neither an event of the Gateway nor an interaction")
        return each(
            [payload],
            lambda event: _interaction(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
