"""Bluesky: the notifications of an account, and posts as Jetstream streams them.

Both are fetched by the application (``app.bsky.notification.listNotifications``, a WebSocket),
so there is no webhook to verify. The customer is the author's ``did``, because handles change;
the thread is the URI of the root post, the message id the URI of the post itself. Mentions,
replies and quotations want an answer. Times are RFC 3339, Jetstream's are microseconds. The
offsets of links count UTF-8 bytes, so links are taken from the facets' own URIs.

https://docs.bsky.app/docs/api/app-bsky-notification-list-notifications
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in, usable_link
from .payloads import as_dict, as_id, as_list, as_size, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import edited, ignored, lifecycle, own, routed, update

__all__ = ["Bluesky"]

_ADDRESSED = frozenset({"mention", "reply", "quote"})
_REACTIONS = frozenset({"like", "repost", "like-via-repost", "repost-via-repost"})
_LIFECYCLE = frozenset(
    {"follow", "starterpack-joined", "verified", "unverified", "subscribed-post", "contact-match"}
)
_POST = "app.bsky.feed.post"


def _links(record: dict[str, object], text: str) -> tuple[str, ...]:
    """Links in the text and behind it."""
    found = list(links_in(text))
    for facet in as_list(record.get("facets"))[:100]:
        features = as_list(as_dict(facet).get("features"))[:10]
        found += [as_text(as_dict(feature).get("uri"), 2048) for feature in features]
    external = as_dict(as_dict(record.get("embed")).get("external"))
    found.append(as_text(external.get("uri"), 2048))
    return tuple(dict.fromkeys(url for url in found if url and usable_link(url)))


def _files(record: dict[str, object], did: str) -> tuple[Attachment, ...]:
    """Pictures and videos by their content id."""
    embed = as_dict(record.get("embed"))
    media = as_dict(embed.get("media")) or embed
    parts = [as_dict(as_dict(item).get("image")) for item in as_list(media.get("images"))[:20]]
    parts.append(as_dict(media.get("video")))
    found = []
    for part in parts:
        link = as_text(as_dict(part.get("ref")).get("$link"), 256)
        if link:
            found.append(
                Attachment(
                    content_type=as_text(part.get("mimeType"), 128) or "application/octet-stream",
                    url=f"at://{did}/blob/{link}",
                    size_bytes=as_size(part.get("size")),
                )
            )
    return tuple(found)


def _message(
    record: dict[str, object], author: Customer, uri: str, received_at_ms: int | None
) -> Message:
    """The post in a record."""
    text = as_text(record.get("text"))
    reply = as_dict(record.get("reply"))
    root = as_id(as_dict(reply.get("root")).get("uri"))
    languages = [as_text(code, 16) for code in as_list(record.get("langs"))[:3]]
    attributes: dict[str, Attribute] = {
        "reply_to": as_id(as_dict(reply.get("parent")).get("uri")),
        "locale": " ".join(filter(None, languages)),
    }
    return Message(
        channel=Channel.BLUESKY,
        customer=author,
        thread_id=root or uri or None,
        message_id=uri or None,
        text=text,
        links=_links(record, text),
        attachments=_files(record, author.id),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(record.get("createdAt")),
        received_at_ms=received_at_ms,
    )


def _notification(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """One of ``notifications[]``.

    Raises:
        PayloadError: a post without an author.
    """
    author = as_dict(event.get("author"))
    handle = as_text(author.get("handle"), 256)
    customer = Customer(
        id=as_id(author.get("did")), name=as_text(author.get("displayName"), 256) or handle
    )
    reason = as_text(event.get("reason"), 64)
    record = as_dict(event.get("record"))
    message = _message(record, customer, as_id(event.get("uri")), received_at_ms)
    if handle:
        message.attributes["handle"] = handle
    if reason in _ADDRESSED:
        if not customer.id:
            raise PayloadError("the notification names no author")
        inside = reason == "reply" or bool(as_dict(record.get("reply")))
        return routed(message, inside=inside)
    if reason in _REACTIONS:
        return update(message, Update.REACTION)
    if reason in _LIFECYCLE:
        return lifecycle(message, reason)
    return ignored(message, f"unknown reason {reason!r}")


@attrs.frozen(kw_only=True)
class Bluesky:
    """Notifications of a Bluesky account, fetched by the application.

    ``did`` is the account: what it wrote itself is its own, and of the posts that Jetstream
    streams only those that mention, answer or quote it are for it.
    """

    name: str = "bluesky"
    channel: Channel = Channel.BLUESKY
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152
    did: str = ""

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Bluesky sends no webhooks: always refuses, so that none stands open."""
        raise SignatureError("Bluesky sends no webhooks; fetch its notifications")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Bluesky has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every notification of a page, or the one event of a stream.

        Raises:
            PayloadError: neither.
        """
        payload = decode_json(request.body)
        at_ms = request.received_at_ms
        reader: Callable[[dict[str, object], int | None], Inbound]
        if isinstance(payload.get("notifications"), list):
            items, reader = as_list(payload["notifications"]), _notification
        elif "reason" in payload:
            items, reader = [payload], _notification
        elif "kind" in payload and "did" in payload:
            items, reader = [payload], self._streamed
        else:
            raise PayloadError("neither notifications nor an event of Jetstream")
        found = each(
            items, lambda event: reader(event, at_ms), channel=self.channel, received_at_ms=at_ms
        )
        return [self._own(inbound) for inbound in found]

    def _own(self, inbound: Inbound) -> Inbound:
        """What the account itself wrote."""
        if self.did and inbound.message.customer.id == self.did:
            return own(inbound.message, "written by the account")
        return inbound

    def _streamed(self, event: dict[str, object], received_at_ms: int | None) -> Inbound:
        """One event of Jetstream: a record that somebody made, changed or deleted."""
        commit = as_dict(event.get("commit"))
        did = as_id(event.get("did"))
        collection = as_text(commit.get("collection"), 128)
        uri = f"at://{did}/{collection}/{as_id(commit.get('rkey'))}" if commit else ""
        record = as_dict(commit.get("record"))
        message = _message(record, Customer(id=did), uri, received_at_ms)
        if message.sent_at_ms is None:
            at_us = event.get("time_us")
            at_ms = milliseconds(at_us // 1000) if type(at_us) is int else None
            message = msgspec.structs.replace(message, sent_at_ms=at_ms)
        operation = as_text(commit.get("operation"), 16)
        if not commit:
            return lifecycle(message, as_text(event.get("kind"), 32) or "an event of the account")
        if collection != _POST:
            return ignored(message, f"collection {collection!r} is not read")
        if operation == "delete":
            return update(message, Update.DELETED)
        if operation == "update":
            return edited(message, as_id(commit.get("rev")))
        if self.did and not self._is_addressed(record):
            return ignored(message, "neither mentions nor answers the account")
        return routed(message, inside=bool(as_dict(record.get("reply"))))

    def _is_addressed(self, record: dict[str, object]) -> bool:
        """True when a post mentions, answers or quotes the account."""
        reply = as_dict(record.get("reply"))
        embed = as_dict(as_dict(record.get("embed")).get("record"))
        quoted = as_dict(embed.get("record")) or embed
        uris = [as_dict(reply.get(key)).get("uri") for key in ("parent", "root")]
        uris.append(quoted.get("uri"))
        if any(as_id(uri).startswith(f"at://{self.did}/") for uri in uris):
            return True
        return any(
            as_id(as_dict(feature).get("did")) == self.did
            for facet in as_list(record.get("facets"))[:100]
            for feature in as_list(as_dict(facet).get("features"))[:10]
        )
