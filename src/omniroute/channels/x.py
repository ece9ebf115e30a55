"""X: private messages and mentions, by Account Activity (v1.1) and by the Activity API (v2).

Private messages: the customer is the sender; v1.1 names no conversation, so the thread is
the other participant, v2 has ``dm_conversation_id``. Posts: the customer is the author, the
thread the conversation, in v1.1 the post that is answered or the post itself. Whatever the
account itself wrote (``for_user_id``, the ``filter`` of a v2 event) is its own.

Ids pass 2**53 and the numbers in v1.1 are rounded by the sender: only ``id_str`` counts.
Times: milliseconds as strings, v1.1's own words (``Fri May 03 14:16:13 +0000 2019``), and
RFC 3339 in v2. Text in v1.1 is escaped HTML. XChat is end-to-end encrypted: a message comes
without text.

Signature: ``x-twitter-webhooks-signature: sha256=`` and base64 HMAC-SHA256 of the raw body
with the consumer secret. The challenge-response check (CRC), about hourly, is a GET.

https://docs.x.com/x-api/webhooks/introduction
"""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in, usable_link
from .payloads import as_dict, as_id, as_list, as_number, as_text, decode_json, each, milliseconds
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_base64, require_match
from .times import rfc3339
from .verdicts import ignored, json_reply, lifecycle, own, routed, status, update

__all__ = ["XAccount"]

SIGNATURE_HEADER = "x-twitter-webhooks-signature"

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


def _at(value: object) -> int | None:
    """A time in any of the notations of X."""
    found = milliseconds(value)
    if found is None:
        found = rfc3339(value)
    if found is None and isinstance(value, str):
        words = value[:40].split()
        if len(words) == 6 and words[1] in _MONTHS:
            _, month, day, clock, zone, year = words
            found = rfc3339(f"{year}-{_MONTHS[month]:02}-{day}T{clock}{zone}")
    return found


def _exact(value: object) -> str:
    """An id that was not rounded on its way: a text, or a number that a double can hold."""
    return as_id(value) if isinstance(value, str) or as_number(value) is not None else ""


def _author(user: dict[str, object]) -> Customer:
    """A user as v1.1 and v2 show him."""
    data = as_dict(user.get("data")) or user
    identity = as_id(data.get("id_str")) or _exact(data.get("id"))
    handle = as_text(data.get("screen_name"), 64) or as_text(data.get("username"), 64)
    return Customer(id=identity, name=as_text(data.get("name"), 256) or handle)


def _media(items: list[object]) -> tuple[Attachment, ...]:
    """Photos and videos as references."""
    found = []
    for item in items[:20]:
        part = as_dict(item)
        url = as_text(part.get("media_url_https"), 4096) or as_text(part.get("media_url"), 4096)
        url = url or as_text(part.get("url"), 4096)
        kind = "image/*" if as_text(part.get("type"), 32) in {"photo", ""} else "video/*"
        if url:
            found.append(Attachment(content_type=kind, url=url))
    return tuple(found)


def _links(text: str, entities: dict[str, object]) -> tuple[str, ...]:
    """The links as they lead, not as X shortens them."""
    whole: dict[str, str] = {}
    for item in as_list(entities.get("urls"))[:100]:
        part = as_dict(item)
        short, long = as_text(part.get("url"), 2048), as_text(part.get("expanded_url"), 2048)
        if short and usable_link(long):
            whole[short] = long
    return tuple(dict.fromkeys(whole.get(url, url) for url in links_in(text)))


class _Delivery(msgspec.Struct, frozen=True):
    """What holds for all events of one delivery."""

    account: str
    users: dict[str, Customer]
    delivery_id: str
    received_at_ms: int | None

    def message(self, customer_id: str, thread: str, event_id: str, at: object) -> Message:
        """The common part of a message."""
        return Message(
            channel=Channel.X,
            customer=self.users.get(customer_id) or Customer(id=customer_id),
            thread_id=thread or None,
            message_id=event_id or None,
            to=self.account,
            sent_at_ms=_at(at),
            received_at_ms=self.received_at_ms,
        )

    def unique(self, event_id: str) -> str:
        """The id of the delivery, one for each event in it."""
        return f"{self.delivery_id}:{event_id}" if self.delivery_id else ""


# --- Account Activity, v1.1 -------------------------------------------------------------


def _private(event: dict[str, object], delivery: _Delivery) -> Inbound:
    """One of ``direct_message_events[]``."""
    event_id = as_id(event.get("id"))
    created = as_dict(event.get("message_create"))
    if as_text(event.get("type"), 32) not in {"", "message_create"} or not created:
        base = delivery.message("", "", event_id, event.get("created_timestamp"))
        return ignored(base, "an unknown kind of private message")
    sender = as_id(created.get("sender_id"))
    recipient = as_id(as_dict(created.get("target")).get("recipient_id"))
    if not sender:
        raise PayloadError("the message names no sender")
    ours = sender == delivery.account
    other = recipient if ours else sender
    base = delivery.message(other, other, event_id, event.get("created_timestamp"))
    data = as_dict(created.get("message_data"))
    text = unescape(as_text(data.get("text")))
    answer = as_dict(data.get("quick_reply_response"))
    attributes: dict[str, Attribute] = {"kind": "direct_message"}
    if payload := as_text(answer.get("metadata"), 1024):
        attributes["payload"] = payload
    message = msgspec.structs.replace(
        base,
        text=text,
        links=_links(text, as_dict(data.get("entities"))),
        attachments=_media([as_dict(data.get("attachment")).get("media")]),
        attributes=attributes,
    )
    if ours:
        return own(message, "sent by the account")
    return routed(message, inside=bool(answer), delivery_id=delivery.unique(event_id))


def _post(event: dict[str, object], delivery: _Delivery) -> Inbound:
    """One of ``tweet_create_events[]``: a mention, a reply, a quotation, a repost, our own."""
    post_id = as_id(event.get("id_str")) or _exact(event.get("id"))
    author = _author(as_dict(event.get("user")))
    if not post_id or not author.id:
        raise PayloadError("the post names no id or no author")
    answered = as_id(event.get("in_reply_to_status_id_str"))
    thread = as_id(event.get("conversation_id_str")) or answered or post_id
    whole = as_dict(event.get("extended_tweet"))
    raw = as_text(whole.get("full_text")) or as_text(event.get("full_text"))
    text = unescape(raw or as_text(event.get("text")))
    entities = as_dict(whole.get("entities")) or as_dict(event.get("entities"))
    media = as_dict(whole.get("extended_entities")) or as_dict(event.get("extended_entities"))
    attributes: dict[str, Attribute] = {
        "kind": "post",
        "reply_to": answered,
        "username": as_text(as_dict(event.get("user")).get("screen_name"), 64),
        "quotes": as_id(event.get("quoted_status_id_str")),
        "locale": as_text(event.get("lang"), 16),
    }
    base = delivery.message(
        author.id, thread, post_id, event.get("timestamp_ms") or event.get("created_at")
    )
    message = msgspec.structs.replace(
        base,
        customer=author,
        text=text,
        links=_links(text, entities),
        attachments=_media(as_list(media.get("media") or entities.get("media"))),
        attributes={name: value for name, value in attributes.items() if value},
    )
    if author.id == delivery.account:
        return own(message, "written by the account")
    if as_dict(event.get("retweeted_status")):
        return update(message, Update.REACTION)
    return routed(message, inside=bool(answered), delivery_id=delivery.unique(post_id))


def _signal(event: dict[str, object], delivery: _Delivery, reason: str) -> Inbound:
    """Typing or read."""
    sender = as_id(event.get("sender_id"))
    base = delivery.message(sender, sender, "", event.get("created_timestamp"))
    return status(base, reason)


def _deletion(event: dict[str, object], delivery: _Delivery) -> Inbound:
    """A post that was deleted."""
    post = as_dict(event.get("status"))
    post_id = as_id(post.get("id_str")) or _exact(post.get("id"))
    base = delivery.message(as_id(post.get("user_id")), "", post_id, event.get("timestamp_ms"))
    return update(base, Update.DELETED)


def _like(event: dict[str, object], delivery: _Delivery) -> Inbound:
    """A post that was liked."""
    customer = _author(as_dict(event.get("user")))
    liked = as_dict(event.get("favorited_status"))
    base = delivery.message(customer.id, "", as_id(liked.get("id_str")), event.get("timestamp_ms"))
    return update(msgspec.structs.replace(base, customer=customer), Update.REACTION)


def _news(event: dict[str, object], delivery: _Delivery, reason: str) -> Inbound:
    """Followed, blocked, muted."""
    customer = _author(as_dict(event.get("source")))
    base = delivery.message("", "", "", event.get("created_timestamp"))
    return lifecycle(msgspec.structs.replace(base, customer=customer), reason)


_NEWS = tuple(f"{name}_events" for name in ("follow", "unfollow", "block", "unblock", "mute"))
_LISTS = (
    "direct_message_events",
    "tweet_create_events",
    "direct_message_indicate_typing_events",
    "direct_message_mark_read_events",
    "tweet_delete_events",
    "favorite_events",
    *_NEWS,
    "unmute_events",
)


def _one(key: str, event: dict[str, object], delivery: _Delivery) -> Inbound:
    """One event of the list ``key``."""
    if key == "direct_message_events":
        return _private(event, delivery)
    if key == "tweet_create_events":
        return _post(event, delivery)
    if key == "direct_message_indicate_typing_events":
        return _signal(event, delivery, "typing")
    if key == "direct_message_mark_read_events":
        return _signal(event, delivery, "read")
    if key == "tweet_delete_events":
        return _deletion(event, delivery)
    if key == "favorite_events":
        return _like(event, delivery)
    return _news(event, delivery, key.removesuffix("_events"))


def _lists(payload: dict[str, object], delivery: _Delivery) -> Iterator[Inbound]:
    """Every event of the lists of a v1.1 delivery."""
    for key in _LISTS:
        yield from each(
            as_list(payload.get(key)),
            lambda event, key=key: _one(key, event, delivery),  # type: ignore[misc]
            channel=Channel.X,
            received_at_ms=delivery.received_at_ms,
        )


# --- Activity API, v2 -------------------------------------------------------------------

_SENT = frozenset({"dm.sent", "chat.sent"})
_WRITTEN = frozenset(
    {"post.create", "post.mention.create", "post.reply.create", "post.quote.create"}
)
_REACTIONS = ("like.", "repost.", "post.repost.", "bookmark.")
_LIFECYCLE = ("profile.", "follow.", "mute.", "block.", "spaces.", "news.", "chat.", "list.")


def _activity(data: dict[str, object], delivery: _Delivery) -> Inbound:
    """One event of the Activity API."""
    kind = as_text(data.get("event_type"), 64)
    payload = as_dict(data.get("payload"))
    event_id = as_id(payload.get("id")) or as_id(payload.get("event_id"))
    sender = as_id(payload.get("sender_id")) or as_id(payload.get("author_id"))
    sender = sender or as_id(payload.get("user_id"))
    is_private = kind.startswith(("dm.", "chat."))
    thread = as_id(payload.get("dm_conversation_id")) or as_id(payload.get("conversation_id"))
    thread = thread or (sender if is_private else event_id)
    # Posts are escaped as in v1.1, private messages too.
    text = unescape(as_text(payload.get("text")))
    attributes: dict[str, Attribute] = {
        "kind": kind,
        "reply_to": as_id(payload.get("in_reply_to_tweet_id")) or _answered(payload),
        "locale": as_text(payload.get("lang"), 16),
    }
    if kind == "chat.received":
        attributes["unreadable"] = "end-to-end encrypted"
    at = payload.get("created_at") or payload.get("created_at_msec") or payload.get("timestamp_ms")
    base = delivery.message(sender, thread, event_id, at)
    message = msgspec.structs.replace(
        base,
        text=text,
        links=_links(text, as_dict(payload.get("entities"))),
        attributes={name: value for name, value in attributes.items() if value},
    )
    by_us = bool(sender) and sender == delivery.account
    if kind in _SENT or (by_us and (is_private or kind in _WRITTEN)):
        return own(message, "sent by the account")
    if kind in {"dm.received", "chat.received"}:
        return routed(message, delivery_id=delivery.delivery_id)
    if kind in _WRITTEN:
        inside = bool(attributes["reply_to"]) or thread != event_id
        return routed(message, inside=inside, delivery_id=delivery.delivery_id)
    if kind in {"dm.read", "dm.indicate_typing"}:
        return status(message, kind)
    if kind == "post.delete":
        return update(message, Update.DELETED)
    if kind.startswith(_REACTIONS):
        return update(message, Update.REACTION)
    if kind.startswith(_LIFECYCLE):
        return lifecycle(message, kind)
    return ignored(message, f"unknown event type {kind!r}")


def _answered(payload: dict[str, object]) -> str:
    """The post that this one answers."""
    for item in as_list(payload.get("referenced_tweets"))[:20]:
        part = as_dict(item)
        if part.get("type") == "replied_to":
            return as_id(part.get("id"))
    return ""


# --- both -------------------------------------------------------------------------------


def _users(*sources: object) -> dict[str, Customer]:
    """Everybody a delivery describes, by id."""
    found: dict[str, Customer] = {}
    for source in sources:
        if isinstance(source, dict):
            people = [(as_id(key), _author(as_dict(user))) for key, user in source.items()]
        else:
            people = [("", _author(as_dict(user))) for user in as_list(source)]
        for key, person in people[:1000]:
            identity = person.id or key
            if identity:
                found[identity] = Customer(id=identity, name=person.name)
    return found


@attrs.frozen(kw_only=True)
class XAccount:
    """Webhooks of an X app. `Secrets.signing` holds its consumer secret."""

    name: str = "x"
    channel: Channel = Channel.X
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check x-twitter-webhooks-signature over the raw body; raises `SignatureError`."""
        require_match(
            secrets,
            request.header(SIGNATURE_HEADER).strip(),
            lambda secret: [f"sha256={hmac_base64(secret, request.body)}"],
            header=SIGNATURE_HEADER,
        )

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer a challenge-response check with the first secret.

        Raises:
            SignatureError: no secret is set.
        """
        token = request.query().get("crc_token") if request.method == "GET" else None
        if token is None:
            return None
        secret = next(filter(None, secrets.signing), "")
        if not secret:
            raise SignatureError("no consumer secret is set to answer the check with; refused")
        answer = hmac_base64(secret, token.encode("utf-8", "surrogatepass"))
        return json_reply({"response_token": f"sha256={answer}"})

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event of a delivery; raises `PayloadError` when it holds none that is known."""
        payload = decode_json(request.body)
        data = as_dict(payload.get("data"))
        inner = as_dict(data.get("payload"))
        at_ms = request.received_at_ms
        included = [as_dict(part.get("includes")).get("users") for part in (payload, data)]
        delivery = _Delivery(
            as_id(payload.get("for_user_id")) or as_id(as_dict(data.get("filter")).get("user_id")),
            _users(payload.get("users"), inner.get("users"), *included),
            as_id(data.get("event_uuid")),
            at_ms,
        )
        for source in (payload, inner):
            if any(key in source for key in _LISTS):
                return list(_lists(source, delivery))
        if data:
            return each(
                [data],
                lambda event: _activity(event, delivery),
                channel=self.channel,
                received_at_ms=at_ms,
            )
        message = Message(channel=self.channel, to=delivery.account, received_at_ms=at_ms)
        if "user_event" in payload:
            return [lifecycle(message, "user_event")]
        if delivery.account:
            return [ignored(message, "an unknown kind of event")]
        raise PayloadError("the delivery names no account and holds no known events")
