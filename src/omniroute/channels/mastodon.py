"""Mastodon: the notifications of an account, and activities that come to an inbox.

Notifications are fetched or streamed by the application: one, an array of them, or an event
of the streaming API. The customer is ``account.id``, the message id the status's, the thread
the status that it answers, or itself. Only a mention wants an answer. Content is HTML. Times
are RFC 3339, ids strings.

An inbox gets activities of ActivityPub, from any server: ``Create`` of a note is a message,
``Update`` and ``Delete`` change one. The customer is the actor's URI, the ids are URIs. They
are signed, see `http_signature`. Deliveries of Mastodon's own webhooks carry
``X-Hub-Signature: sha256=``, the hexadecimal HMAC of the raw body, and tell of all that happens
on a server, which is not for us.

https://docs.joinmastodon.org/entities/Notification/, https://www.w3.org/TR/activitypub/
"""

from __future__ import annotations

import json

import attrs

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .html_text import html_links, html_to_text
from .http_signature import require_http_signature
from .payloads import TEXT_LIMIT, as_dict, as_id, as_list, as_text, decode_items, each
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, routed, update

__all__ = ["Mastodon"]

SIGNATURE_HEADER = "X-Hub-Signature"

_REACTIONS = frozenset({"favourite", "reblog", "emoji_reaction", "pleroma:emoji_reaction"})
_LIFECYCLE = frozenset(
    {
        "follow",
        "follow_request",
        "poll",
        "status",
        "admin.sign_up",
        "admin.report",
        "severed_relationships",
        "moderation_warning",
        "annual_report",
        "quoted_update",
        "added_to_collection",
    }
)
_NOTES = frozenset({"Note", "Question", "Article", "Page"})
_SOCIAL = frozenset(
    {"Follow", "Accept", "Reject", "Undo", "Block", "Move", "Add", "Remove", "Flag", "Join"}
)
_EVENTS = frozenset({"update", "delete", "status.update", "conversation", "filters_changed"})


def _files(items: list[object], type_key: str) -> tuple[Attachment, ...]:
    """Media as references; a status names a kind, a note a media type."""
    found = []
    for item in items[:50]:
        part = as_dict(item)
        url = as_text(part.get("url"), 4096) or as_text(part.get("href"), 4096)
        kind = as_text(part.get(type_key), 64)
        if url:
            if "/" not in kind:
                kinds = {"image": "image/*", "gifv": "video/mp4", "video": "video/*"}
                kind = kinds.get(kind, "audio/*" if kind == "audio" else "application/octet-stream")
            name = as_text(part.get("name"), 256) or as_text(part.get("description"), 256)
            found.append(Attachment(content_type=kind, name=name, url=url))
    return tuple(found)


def _links(content: str) -> tuple[str, ...]:
    """The links that people wrote, without those that mentions and hashtags are made of."""
    kept = []
    for part in content.split("<a ")[1:1000]:
        tag = part.partition(">")[0]
        if "mention" not in tag and "hashtag" not in tag:
            kept.append(f"<a {tag}>")
    return html_links("".join(kept))


def _notification(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one notification means.

    Raises:
        PayloadError: a mention without a status.
    """
    kind = as_text(event.get("type"), 64)
    account = as_dict(event.get("account"))
    status = as_dict(event.get("status"))
    content = as_text(status.get("content"))
    status_id = as_id(status.get("id"))
    answered = as_id(status.get("in_reply_to_id"))
    handle = as_text(account.get("acct"), 256) or as_text(account.get("username"), 256)
    attributes: dict[str, Attribute] = {
        "handle": handle,
        "visibility": as_text(status.get("visibility"), 32),
        "reply_to": answered,
        "locale": as_text(status.get("language"), 16),
        "permalink": as_text(status.get("url"), 1024),
    }
    at_ms = rfc3339(status.get("created_at"))
    message = Message(
        channel=Channel.MASTODON,
        customer=Customer(
            id=as_id(account.get("id")), name=as_text(account.get("display_name"), 256) or handle
        ),
        thread_id=answered or status_id or None,
        message_id=status_id or None,
        subject=as_text(status.get("spoiler_text"), 1024),
        text=html_to_text(content, TEXT_LIMIT),
        links=_links(content),
        attachments=_files(as_list(status.get("media_attachments")), "type"),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(event.get("created_at")) if at_ms is None else at_ms,
        received_at_ms=received_at_ms,
    )
    delivery_id = as_id(event.get("id"))
    if account.get("bot") is True and kind in {"mention", "quote"}:
        return own(message, "written by a bot", delivery_id)
    if kind in {"mention", "quote"}:
        if not status:
            raise PayloadError("the notification holds no status")
        return routed(message, inside=bool(answered), delivery_id=delivery_id)
    if kind == "update":
        return update(message, Update.EDITED, delivery_id)
    if kind in _REACTIONS:
        return update(message, Update.REACTION, delivery_id)
    if kind in _LIFECYCLE:
        return lifecycle(message, kind, delivery_id)
    return ignored(message, f"unknown type {kind!r}", delivery_id)


def _uri(value: object) -> str:
    """The id of something that is named or shown."""
    return as_id(value) or as_id(as_dict(value).get("id"))


def _activity(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one activity means.

    Raises:
        PayloadError: a note without an actor or an id.
    """
    kind = as_text(event.get("type"), 64)
    shown = as_dict(event.get("object"))
    actor = _uri(event.get("actor"))
    note_id = _uri(event.get("object"))
    answered = _uri(shown.get("inReplyTo"))
    content = as_text(shown.get("content"))
    thread = as_id(shown.get("conversation")) or as_id(shown.get("context"))
    attributes: dict[str, Attribute] = {
        "reply_to": answered,
        "permalink": as_text(shown.get("url"), 1024),
    }
    at_ms = rfc3339(shown.get("published"))
    message = Message(
        channel=Channel.MASTODON,
        customer=Customer(id=actor),
        thread_id=thread or answered or note_id or None,
        message_id=note_id or None,
        subject=as_text(shown.get("summary"), 1024),
        text=html_to_text(content, TEXT_LIMIT),
        links=_links(content),
        attachments=_files(as_list(shown.get("attachment")), "mediaType"),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(event.get("published")) if at_ms is None else at_ms,
        received_at_ms=received_at_ms,
    )
    delivery_id = as_id(event.get("id"))
    if kind == "Create" and as_text(shown.get("type"), 64) in _NOTES:
        if not actor or not note_id:
            raise PayloadError("the note has no actor or no id")
        return routed(message, inside=bool(answered), delivery_id=delivery_id)
    if kind == "Update":
        return update(message, Update.EDITED, delivery_id)
    if kind == "Delete":
        return update(message, Update.DELETED, delivery_id)
    if kind in {"Like", "Announce", "Dislike", "EmojiReact"}:
        return update(message, Update.REACTION, delivery_id)
    if kind in _SOCIAL:
        return lifecycle(message, kind, delivery_id)
    return ignored(message, f"unknown activity {kind!r}", delivery_id)


def _read(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """One notification, activity or event of a stream.

    Raises:
        PayloadError: none of the three.
    """
    if "@context" in event or "actor" in event:
        return _activity(event, received_at_ms)
    streamed = as_text(event.get("event"), 64)
    if streamed == "notification":
        try:
            inner = json.loads(as_text(event.get("payload")))
        except (ValueError, RecursionError):
            raise PayloadError("the payload of the event is not JSON") from None
        return _notification(as_dict(inner), received_at_ms)
    if streamed:
        message = Message(channel=Channel.MASTODON, received_at_ms=received_at_ms)
        if streamed in _EVENTS:
            return lifecycle(message, streamed)
        return ignored(message, f"event {streamed!r} is not read")
    if not event.get("type"):
        raise PayloadError("neither a notification nor an activity")
    return _notification(event, received_at_ms)


@attrs.frozen(kw_only=True)
class Mastodon:
    """A Mastodon account, or an inbox of ActivityPub.

    `Secrets.signing` holds the PEM public keys of the actors that may deliver to the inbox,
    or the secret of a webhook.
    """

    name: str = "mastodon"
    channel: Channel = Channel.MASTODON
    content_types: tuple[str, ...] = (
        "application/json",
        "application/activity+json",
        "application/ld+json",
    )
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the HTTP signature, or the HMAC of a webhook.

        Raises:
            SignatureError: not authentic, or nothing is set to check it with.
            MissingExtraError: cryptography is not installed.
        """
        if request.header("Signature"):
            require_http_signature(request, secrets)
            return
        # A public key is no secret: whoever knows it could make an HMAC with it.
        secret = Secrets(one for one in secrets.signing if "-----BEGIN" not in one)
        require_match(
            secret,
            request.header(SIGNATURE_HEADER).strip().lower(),
            lambda secret: [f"sha256={hmac_hex(secret, request.body)}"],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Mastodon has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every notification or activity.

        Raises:
            PayloadError: the body is none, or the only one in it cannot be understood.
        """
        items = decode_items(request.body)
        at_ms = request.received_at_ms
        if items == [{}]:
            raise PayloadError("neither a notification nor an activity")
        return each(
            items,
            lambda event: _read(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
