"""Slack: messages, commands and pressed buttons, one event per delivery.

The customer is the user, the message id ``channel:ts`` (``ts`` is an id, never a number), the
thread ``channel:thread_ts``, in a direct message without a thread the channel alone. One post
in which the app is mentioned arrives as ``message`` and as ``app_mention``, and one message
has been delivered eleven times under different event ids: the message id tells them apart.
Slash commands and buttons come as forms.

Signature: ``X-Slack-Signature: v0=`` and the hexadecimal HMAC-SHA256 of
``v0:timestamp:body`` with the signing secret; the timestamp may be 5 minutes off. The
``url_verification`` of a new URL is signed, too.

https://docs.slack.dev/apis/events-api
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_size, as_text, decode_json, each, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .verdicts import handshake, ignored, lifecycle, own, routed, update

__all__ = ["Slack"]

SIGNATURE_HEADER = "X-Slack-Signature"
TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"

_WINDOW_MS = 300_000
_MAX_FIELDS = 1000

#: Subtypes of a message that a person wrote; all others are news of the channel.
_WRITTEN = frozenset({"", "file_share", "thread_broadcast", "me_message"})
_MACHINES = frozenset({"USLACK", "USLACKBOT"})
_LIFECYCLE = (
    "app_",
    "assistant_",
    "channel_",
    "group_",
    "im_",
    "member_",
    "team_",
    "tokens_",
    "user_",
    "subteam_",
    "emoji_",
    "pin_",
    "workflow_",
    "scope_",
    "grid_",
    "invite_",
    "dnd_",
    "email_domain_",
    "shared_channel_",
    "call_",
    "link_shared",
    "file_",
    "star_",
    "bot_",
)
_ESCAPES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def _plain(value: object) -> str:
    """Text with the three characters that Slack escapes."""
    text = as_text(value)
    if "&" in text:
        for escaped, character in _ESCAPES:
            text = text.replace(escaped, character)
    return text


def _joined(channel: str, ts: str) -> str | None:
    """``channel:ts``, or None when a part is missing."""
    return f"{channel}:{ts}" if channel and ts else None


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Uploaded files as references; they need the app's token to be read."""
    found = []
    for item in items[:50]:
        part = as_dict(item)
        found.append(
            Attachment(
                content_type=as_text(part.get("mimetype"), 128) or "application/octet-stream",
                name=as_text(part.get("name"), 256) or as_text(part.get("title"), 256),
                url=as_text(part.get("url_private"), 4096) or as_text(part.get("permalink"), 4096),
                size_bytes=as_size(part.get("size")),
            )
        )
    return tuple(found)


class _Envelope(msgspec.Struct, frozen=True):
    """What stands around an event."""

    team: str
    event_id: str
    bots: frozenset[str]
    received_at_ms: int | None

    def message(self, event: dict[str, object], channel: str, channel_type: str) -> Message:
        """A message as it stands in an event, or inside a change of it."""
        ts = as_text(event.get("ts"), 64) or as_text(event.get("deleted_ts"), 64)
        thread_ts = as_text(event.get("thread_ts"), 64)
        direct = channel_type == "im" or channel.startswith("D")
        thread = _joined(channel, thread_ts)
        if thread is None:
            thread = channel if direct else _joined(channel, ts)
        text = _plain(event.get("text"))
        attributes: dict[str, Attribute] = {
            "team": as_text(event.get("team"), 64) or self.team,
            "channel_type": channel_type,
            "subtype": as_text(event.get("subtype"), 64),
            "client_msg_id": as_text(event.get("client_msg_id"), 64),
        }
        return Message(
            channel=Channel.SLACK,
            customer=Customer(id=as_id(event.get("user"))),
            thread_id=thread or None,
            message_id=_joined(channel, ts),
            to=channel,
            text=text,
            links=links_in(text),
            attachments=_files(as_list(event.get("files"))),
            attributes={name: value for name, value in attributes.items() if value},
            sent_at_ms=seconds(ts),
            received_at_ms=self.received_at_ms,
        )

    def is_machine(self, event: dict[str, object]) -> bool:
        """True for what a bot wrote, our own one or another."""
        user = as_id(event.get("user"))
        return (
            bool(event.get("bot_id"))
            or event.get("subtype") == "bot_message"
            or user in _MACHINES
            or user in self.bots
        )


def _message(event: dict[str, object], envelope: _Envelope) -> Inbound:
    """A ``message`` or ``app_mention``: new, changed, deleted, or news of the channel."""
    channel = as_id(event.get("channel"))
    channel_type = as_text(event.get("channel_type"), 16)
    subtype = as_text(event.get("subtype"), 64)
    if subtype in {"message_changed", "message_deleted"}:
        return _change(event, envelope, channel, channel_type)
    message = envelope.message(event, channel, channel_type)
    if envelope.is_machine(event):
        return own(message, "written by a bot", envelope.event_id)
    if subtype not in _WRITTEN:
        return lifecycle(message, subtype, envelope.event_id)
    thread_ts = as_text(event.get("thread_ts"), 64)
    inside = bool(thread_ts) and thread_ts != as_text(event.get("ts"), 64)
    return routed(message, inside=inside, delivery_id=envelope.event_id)


def _change(
    event: dict[str, object], envelope: _Envelope, channel: str, channel_type: str
) -> Inbound:
    """An edit or a deletion: who and what stands inside."""
    before = as_dict(event.get("previous_message"))
    inner = as_dict(event.get("message")) or before
    known = {**before, **inner}
    known.setdefault("ts", event.get("deleted_ts"))
    message = envelope.message(known, channel, channel_type)
    if envelope.is_machine(known):
        return own(message, "changed by a bot", envelope.event_id)
    # What is deleted while it has answers stays as a "tombstone".
    tombstone = inner.get("subtype") == "tombstone"
    deleted = event.get("subtype") == "message_deleted" or tombstone
    if deleted:
        message = msgspec.structs.replace(message, text="", links=(), attachments=())
    return update(message, Update.DELETED if deleted else Update.EDITED, envelope.event_id)


def _reaction(event: dict[str, object], envelope: _Envelope) -> Inbound:
    """A reaction to a message, set or removed."""
    item = as_dict(event.get("item"))
    message = Message(
        channel=Channel.SLACK,
        customer=Customer(id=as_id(event.get("user"))),
        message_id=_joined(as_id(item.get("channel")), as_text(item.get("ts"), 64)),
        to=as_id(item.get("channel")),
        attributes={
            "reaction": as_text(event.get("reaction"), 128),
            "removed": event.get("type") == "reaction_removed",
        },
        sent_at_ms=seconds(event.get("event_ts")),
        received_at_ms=envelope.received_at_ms,
    )
    return update(message, Update.REACTION, envelope.event_id)


def _event(payload: dict[str, object], at_ms: int | None) -> Inbound:
    """The event in an envelope of the Events API."""
    event = as_dict(payload.get("event"))
    bots = frozenset(
        as_id(as_dict(item).get("user_id"))
        for item in as_list(payload.get("authorizations"))[:100]
        if as_dict(item).get("is_bot") is True
    )
    team = as_id(payload.get("team_id"))
    envelope = _Envelope(team, as_id(payload.get("event_id")), bots, at_ms)
    kind = as_text(event.get("type"), 64)
    if kind in {"message", "app_mention"}:
        return _message(event, envelope)
    if kind in {"reaction_added", "reaction_removed"}:
        return _reaction(event, envelope)
    channel = event.get("channel")
    where = as_id(channel) or as_id(as_dict(channel).get("id"))
    message = Message(
        channel=Channel.SLACK,
        customer=Customer(id=as_id(event.get("user"))),
        thread_id=where or None,
        to=where,
        sent_at_ms=seconds(event.get("event_ts")),
        received_at_ms=at_ms,
    )
    if kind.startswith(_LIFECYCLE):
        return lifecycle(message, kind, envelope.event_id)
    return ignored(message, f"unknown event type {kind!r}", envelope.event_id)


def _command(form: dict[str, object], at_ms: int | None) -> Inbound:
    """A slash command: what stands behind it is the text. It has no message of its own."""
    channel = as_id(form.get("channel_id"))
    text = as_text(form.get("text"))
    attributes = {
        "command": as_text(form.get("command"), 128),
        "team": as_id(form.get("team_id")),
        "response_url": as_text(form.get("response_url"), 1024),
    }
    message = Message(
        channel=Channel.SLACK,
        customer=Customer(id=as_id(form.get("user_id")), name=as_text(form.get("user_name"), 128)),
        thread_id=channel or None,
        message_id=as_id(form.get("trigger_id")) or None,
        to=channel,
        text=text,
        links=links_in(text),
        attributes={name: value for name, value in attributes.items() if value},
        received_at_ms=at_ms,
    )
    return routed(message)


def _interaction(payload: dict[str, object], at_ms: int | None) -> Inbound:
    """A pressed button, a sent dialogue, a shortcut."""
    kind = as_text(payload.get("type"), 64)
    user = as_dict(payload.get("user"))
    container = as_dict(payload.get("container"))
    shown = as_dict(payload.get("message"))
    channel = as_id(as_dict(payload.get("channel")).get("id"))
    channel = channel or as_id(container.get("channel_id"))
    ts = as_text(shown.get("thread_ts"), 64) or as_text(container.get("thread_ts"), 64)
    ts = ts or as_text(shown.get("ts"), 64) or as_text(container.get("message_ts"), 64)
    action = as_dict(next(iter(as_list(payload.get("actions"))), None))
    chosen = as_dict(action.get("selected_option"))
    label = as_dict(chosen.get("text")) or as_dict(action.get("text"))
    value = as_text(chosen.get("value"), 2048) or as_text(action.get("value"), 2048)
    attributes = {
        "action_id": as_text(action.get("action_id"), 256),
        "callback_id": as_text(payload.get("callback_id"), 256)
        or as_text(as_dict(payload.get("view")).get("callback_id"), 256),
        "payload": value,
        "team": as_id(as_dict(payload.get("team")).get("id")),
    }
    message = Message(
        channel=Channel.SLACK,
        customer=Customer(
            id=as_id(user.get("id")),
            name=as_text(user.get("name"), 128) or as_text(user.get("username"), 128),
        ),
        thread_id=_joined(channel, ts) or channel or as_id(user.get("id")) or None,
        message_id=as_id(payload.get("trigger_id")) or None,
        to=channel,
        text=_plain(label.get("text")) or value,
        attributes={name: found for name, found in attributes.items() if found},
        sent_at_ms=seconds(action.get("action_ts")) or seconds(payload.get("action_ts")),
        received_at_ms=at_ms,
    )
    if kind in {"block_actions", "interactive_message", "view_submission", "dialog_submission"}:
        return routed(message, inside=True)
    if kind in {"shortcut", "message_action"}:
        return routed(message)
    if kind in {"view_closed", "block_suggestion"}:
        return lifecycle(message, kind)
    return ignored(message, f"unknown interaction {kind!r}")


def _payload(body: bytes) -> dict[str, object]:
    """The JSON of an event, or the form of a command; a form may hold JSON in ``payload``."""
    if body.lstrip()[:1] in {b"{", b"[", b""}:
        return decode_json(body)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise PayloadError(f"neither JSON nor a form: {error}") from None
    form = dict(reversed(pairs))
    if "payload" in form:
        return decode_json(form["payload"].encode("utf-8", "replace"))
    return {name: value for name, value in form.items() if name}


@attrs.frozen(kw_only=True)
class Slack:
    """Events, commands and buttons of a Slack app. `Secrets.signing`: its signing secret."""

    name: str = "slack"
    channel: Channel = Channel.SLACK
    content_types: tuple[str, ...] = ("application/json", "application/x-www-form-urlencoded")
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Slack-Signature over timestamp and raw body.

        Raises:
            SignatureError: not authentic, older or newer than 5 minutes, or no secret is set.
        """
        timestamp = request.header(TIMESTAMP_HEADER).strip()
        signed = b"v0:" + timestamp.encode("utf-8", "surrogatepass") + b":" + request.body
        require_match(
            secrets,
            request.header(SIGNATURE_HEADER).strip(),
            lambda secret: [f"v0={hmac_hex(secret, signed)}"],
            header=SIGNATURE_HEADER,
        )
        sent_at_ms = seconds(timestamp)
        now_ms = request.received_at_ms
        if sent_at_ms is None or now_ms is None or abs(now_ms - sent_at_ms) > _WINDOW_MS:
            raise SignatureError(f"{TIMESTAMP_HEADER} is not within 5 minutes of the receipt")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Echo the challenge of a ``url_verification``; raises `SignatureError`."""
        if request.method != "POST" or b"url_verification" not in request.body[:65_536]:
            return None
        try:
            payload = as_dict(json.loads(request.body))
        except (ValueError, RecursionError):
            return None
        if payload.get("type") != "url_verification":
            return None
        self.verify(request, secrets)
        return Reply(body=as_text(payload.get("challenge"), 4096).encode())

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a delivery; raises `PayloadError` when it is none of Slack's."""
        payload = _payload(request.body)
        at_ms = request.received_at_ms
        kind = as_text(payload.get("type"), 64)
        if kind == "url_verification":
            challenge = as_text(payload.get("challenge"), 4096)
            return [
                handshake(self.channel, "the URL was set", reply=challenge, received_at_ms=at_ms)
            ]
        reader: Callable[[dict[str, object], int | None], Inbound]
        if isinstance(payload.get("event"), dict):
            reader = _event
        elif "command" in payload:
            reader = _command
        elif kind:
            reader = _interaction
        else:
            raise PayloadError("neither an event, nor a command, nor an interaction")
        return each(
            [payload],
            lambda event: reader(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
