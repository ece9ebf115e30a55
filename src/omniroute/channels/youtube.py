"""YouTube: comments as the Data API lists them, and the push when a video is published.

Comments are polled: the answers of ``commentThreads.list`` and ``comments.list`` go in as they
are. The customer is ``authorChannelId``, the thread the top-level comment, the id of an answer
``parent.child``. What was edited has ``updatedAt`` after ``publishedAt``; whether a poll has shown
it before is for the router to know, so it is told as both: an edit, then the comment. Times are
RFC 3339. The text is ``textOriginal``; ``textDisplay`` is HTML.

WebSub pushes a feed when a video is published or changed, never for a comment: a sign to
poll. Signature: ``X-Hub-Signature: sha1=`` and the hexadecimal HMAC of the raw body with the
``hub.secret`` of the subscription. WebSub wants a delivery with a wrong signature answered
with 2xx and dropped.

https://developers.google.com/youtube/v3/docs/commentThreads, https://www.w3.org/TR/websub/
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message
from .atom import Entry, entries_of
from .html_text import html_to_text
from .links import links_in
from .payloads import TEXT_LIMIT, as_dict, as_id, as_list, as_text, decode_json, each, quarantined
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match, same
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, revised, routed

__all__ = ["YouTube"]

SIGNATURE_HEADER = "X-Hub-Signature"

_METHODS = frozenset({"sha1", "sha256", "sha384", "sha512"})
_TOPIC = "https://www.youtube.com/"


def _comment(item: dict[str, object], owner: str, received_at_ms: int | None) -> Inbound:
    """One comment: a top-level one or an answer.

    Raises:
        PayloadError: a comment without an id.
    """
    snippet = as_dict(item.get("snippet"))
    comment_id = as_id(item.get("id"))
    if not comment_id or not snippet:
        raise PayloadError("the comment has no id or no snippet")
    parent = as_id(snippet.get("parentId")) or comment_id.rpartition(".")[0]
    author = as_dict(snippet.get("authorChannelId"))
    text = as_text(snippet.get("textOriginal"))
    if not text:
        text = html_to_text(as_text(snippet.get("textDisplay")), TEXT_LIMIT)
    published, changed = snippet.get("publishedAt"), snippet.get("updatedAt")
    # Of a comment on the channel itself this is that channel.
    owner = owner or as_id(snippet.get("channelId"))
    attributes: dict[str, Attribute] = {
        "video_id": as_id(snippet.get("videoId")),
        "parent_id": parent,
        "moderation": as_text(snippet.get("moderationStatus"), 32),
        "edited_at": as_text(changed, 64) if rfc3339(changed) != rfc3339(published) else "",
    }
    message = Message(
        channel=Channel.YOUTUBE,
        customer=Customer(
            id=as_id(author.get("value")), name=as_text(snippet.get("authorDisplayName"), 256)
        ),
        thread_id=parent or comment_id,
        message_id=comment_id,
        to=owner,
        text=text,
        links=links_in(text),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(published),
        received_at_ms=received_at_ms,
    )
    if message.customer.id and message.customer.id == owner:
        return own(message, "written by the channel")
    return routed(message, inside=bool(parent))


def _items(payload: dict[str, object]) -> list[object]:
    """The resources of an answer of the API: a list of them, or one."""
    kind = as_text(payload.get("kind"), 64)
    if "items" in payload:
        return as_list(payload["items"])
    if kind in {"youtube#comment", "youtube#commentThread"}:
        return [payload]
    raise PayloadError("neither a list of comments nor a comment")


def _resource(item: object, received_at_ms: int | None) -> Iterator[Inbound]:
    """One resource: a comment, or a thread with its first answers (at most five)."""
    if not isinstance(item, dict):
        reason = f"a resource must be an object, not {type(item).__name__}"
        yield quarantined(Channel.YOUTUBE, reason, item, received_at_ms=received_at_ms)
        return
    kind = as_text(item.get("kind"), 64)
    if kind not in {"youtube#comment", "youtube#commentThread", ""}:
        message = Message(channel=Channel.YOUTUBE, received_at_ms=received_at_ms)
        yield ignored(message, f"kind {kind!r} is not read")
        return
    snippet = as_dict(item.get("snippet"))
    comments: list[object] = [item]
    owner = ""
    if "topLevelComment" in snippet:
        owner = as_id(snippet.get("channelId"))
        replies = as_list(as_dict(item.get("replies")).get("comments"))
        comments = [snippet["topLevelComment"], *replies]
    for inbound in each(
        comments,
        lambda comment: _comment(comment, owner, received_at_ms),
        channel=Channel.YOUTUBE,
        received_at_ms=received_at_ms,
    ):
        edited_at = inbound.message.attributes.get("edited_at")
        yield from revised(inbound, str(edited_at)) if edited_at else (inbound,)


def _video(entry: Entry, received_at_ms: int | None) -> Inbound:
    """A video that was published, changed or deleted."""
    texts = entry.texts
    message = Message(
        channel=Channel.YOUTUBE,
        customer=Customer(
            id=texts.get("channelId", "")[:1024], name=texts.get("author_name", "")[:256]
        ),
        message_id=texts.get("id", "")[:1024] or None,
        to=texts.get("channelId", "")[:1024],
        text=texts.get("title", ""),
        links=tuple(url for link in entry.links for url in links_in(link)),
        attributes={"video_id": texts["videoId"][:256]} if texts.get("videoId") else {},
        sent_at_ms=rfc3339(texts.get("updated")),
        received_at_ms=received_at_ms,
    )
    what = "deleted" if entry.is_deleted else "published or changed"
    return lifecycle(message, f"a video was {what}")


@attrs.frozen(kw_only=True)
class YouTube:
    """Comments and pushes of a YouTube channel. `Secrets.signing` holds the ``hub.secret``."""

    name: str = "youtube"
    channel: Channel = Channel.YOUTUBE
    content_types: tuple[str, ...] = ("application/atom+xml", "application/xml", "application/json")
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Hub-Signature over the raw body; raises `SignatureError`."""
        given = request.header(SIGNATURE_HEADER).strip()
        method = given.partition("=")[0].lower()
        if given and method not in _METHODS:
            raise SignatureError(f"{SIGNATURE_HEADER} names no known method")
        require_match(
            secrets,
            given.lower(),
            lambda secret: [f"{method}={hmac_hex(secret, request.body, method or 'sha1')}"],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Confirm a subscription that we asked for by echoing ``hub.challenge``.

        Only topics of YouTube are confirmed. When the hub names a ``hub.verify_token`` it must
        be ours, and to unsubscribe it must be named: anybody can send such a GET. A forged
        subscription brings deliveries that no secret of ours has signed.

        Raises:
            SignatureError: another topic or token, or nothing is set to check it with.
        """
        query = request.query() if request.method == "GET" else {}
        mode = query.get("hub.mode")
        if mode not in {"subscribe", "unsubscribe", "denied"}:
            return None
        if mode == "denied":
            return Reply()
        if not query.get("hub.topic", "").startswith(_TOPIC):
            raise SignatureError("hub.topic is none of YouTube's")
        token = query.get("hub.verify_token")
        if token is None and mode == "subscribe" and any(secrets.signing):
            return Reply(body=query.get("hub.challenge", "").encode())
        if not secrets.verify_token or not same(secrets.verify_token, token or ""):
            raise SignatureError("hub.verify_token is not ours")
        return Reply(body=query.get("hub.challenge", "").encode())

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every comment of an answer, or every video of a push; raises `PayloadError`."""
        at_ms = request.received_at_ms
        if request.body.lstrip()[:1] == b"<" or request.body.startswith(b"\xef\xbb\xbf<"):
            return [_video(entry, at_ms) for entry in entries_of(request.body)]
        items = _items(decode_json(request.body))
        return [inbound for item in items for inbound in _resource(item, at_ms)]
