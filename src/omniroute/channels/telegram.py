"""Telegram: one update of a bot per delivery.

The customer is ``from.id``, the thread ``chat.id`` (with ``message_thread_id`` behind it in a
forum), the message id ``chat.id:message_id``, because message ids count per chat. Times are
seconds. A file is named ``telegram-file:FILE_ID``, as it must be asked for with the bot's
token; the sizes of one photo are one attachment, the largest.

In groups a bot hears, unless its privacy mode is off, only what is meant for it; so a group's
messages count as messages, with ``chat_type`` for triage. Posts in a channel are our own.

The body is not signed. Telegram repeats in a header the ``secret_token`` that was given to
``setWebhook``, which is all there is to check.

https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in, usable_link
from .payloads import (
    as_dict,
    as_id,
    as_list,
    as_place,
    as_size,
    as_text,
    decode_json,
    each,
    seconds,
)
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import require_match
from .verdicts import ignored, lifecycle, own, routed, update

__all__ = ["Telegram"]

SIGNATURE_HEADER = "X-Telegram-Bot-Api-Secret-Token"

_EDITS = ("edited_message", "edited_business_message")
_POSTS = ("channel_post", "edited_channel_post")
_LIFECYCLE = (
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "business_connection",
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "managed_bot",
)

#: What a message holds when nobody wrote it but something happened in the chat.
_SERVICE = frozenset(
    {
        "new_chat_members",
        "new_chat_member",
        "new_chat_participant",
        "left_chat_member",
        "left_chat_participant",
        "new_chat_title",
        "new_chat_photo",
        "delete_chat_photo",
        "group_chat_created",
        "supergroup_chat_created",
        "channel_chat_created",
        "message_auto_delete_timer_changed",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "pinned_message",
        "successful_payment",
        "refunded_payment",
        "users_shared",
        "chat_shared",
        "connected_website",
        "write_access_allowed",
        "proximity_alert_triggered",
        "boost_added",
        "chat_background_set",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_closed",
        "forum_topic_reopened",
        "general_forum_topic_hidden",
        "general_forum_topic_unhidden",
        "giveaway_created",
        "giveaway",
        "giveaway_winners",
        "giveaway_completed",
        "video_chat_scheduled",
        "video_chat_started",
        "video_chat_ended",
        "video_chat_participants_invited",
    }
)

#: A message's key of a file, and its type when Telegram names none.
_FILES = {
    "animation": "video/mp4",
    "video": "video/mp4",
    "video_note": "video/mp4",
    "voice": "audio/ogg",
    "audio": "audio/mpeg",
    "document": "application/octet-stream",
    "sticker": "image/webp",
}


def _customer(person: dict[str, object]) -> Customer:
    """Who wrote it."""
    parts = [as_text(person.get(key), 128) for key in ("first_name", "last_name")]
    name = " ".join(filter(None, parts)) or as_text(person.get("username"), 128)
    return Customer(id=as_id(person.get("id")), name=name)


def _thread_of(message: dict[str, object]) -> str:
    """The chat, and the topic in it."""
    chat = as_id(as_dict(message.get("chat")).get("id"))
    topic = as_id(message.get("message_thread_id"))
    return f"{chat}:{topic}" if chat and topic else chat


def _message_id(message: dict[str, object]) -> str | None:
    """The id that is unique for the bot, not only in the chat."""
    chat = as_id(as_dict(message.get("chat")).get("id"))
    number = as_id(message.get("message_id"))
    return f"{chat}:{number}" if chat and number else None


def _files(message: dict[str, object]) -> tuple[Attachment, ...]:
    """What is attached, as references."""
    found: list[tuple[str, dict[str, object]]] = []
    sizes = [as_dict(size) for size in as_list(message.get("photo"))[:20]]
    if sizes:
        found.append(("image/jpeg", max(sizes, key=_area)))
    for key, content_type in _FILES.items():
        # An animation comes with a twin in "document", for older bots.
        if key == "document" and "animation" in message:
            continue
        if part := as_dict(message.get(key)):
            found.append((content_type, part))
    return tuple(
        Attachment(
            content_type=as_text(part.get("mime_type"), 128) or content_type,
            name=as_text(part.get("file_name"), 256),
            url=f"telegram-file:{as_id(part.get('file_id'))}",
            size_bytes=as_size(part.get("file_size")),
        )
        for content_type, part in found
    )


def _area(size: dict[str, object]) -> int:
    """How large a photo is."""
    return (as_size(size.get("width")) or 0) * (as_size(size.get("height")) or 0)


def _text(message: dict[str, object]) -> str:
    """What was written, or what stands for it."""
    text = as_text(message.get("text")) or as_text(message.get("caption"))
    if text:
        return text
    contact = as_dict(message.get("contact"))
    lines = [as_text(contact.get(key), 256) for key in ("first_name", "last_name", "phone_number")]
    venue = as_dict(message.get("venue"))
    lines += [as_text(venue.get(key), 512) for key in ("title", "address")]
    lines.append(as_text(as_dict(message.get("poll")).get("question"), 512))
    for key in ("dice", "sticker"):
        lines.append(as_text(as_dict(message.get(key)).get("emoji"), 32))
    return " ".join(filter(None, lines))


def _attributes(message: dict[str, object]) -> dict[str, Attribute]:
    """What triage may want to know."""
    person = as_dict(message.get("from"))
    reply_to = as_dict(message.get("reply_to_message"))
    place = as_dict(message.get("location")) or as_dict(
        as_dict(message.get("venue")).get("location")
    )
    found: dict[str, Attribute] = {
        "chat_type": as_text(as_dict(message.get("chat")).get("type"), 32),
        "chat_title": as_text(as_dict(message.get("chat")).get("title"), 256),
        "username": as_text(person.get("username"), 64),
        "locale": as_text(person.get("language_code"), 16),
        "media_group_id": as_id(message.get("media_group_id")),
        "business_connection_id": as_id(message.get("business_connection_id")),
        "reply_to": _message_id(reply_to) or "",
        "voice_note": "voice" in message,
        "forwarded": "forward_origin" in message or "forward_date" in message,
        "location": as_place(place.get("latitude"), place.get("longitude")),
    }
    return {name: value for name, value in found.items() if value}


def _read(message: dict[str, object], received_at_ms: int | None) -> Message:
    """The message in an update."""
    text = _text(message)
    hidden = [
        as_text(as_dict(entity).get("url"), 4096)
        for key in ("entities", "caption_entities")
        for entity in as_list(message.get(key))[:100]
    ]
    links = links_in(text) + tuple(url for url in hidden if url and usable_link(url))
    return Message(
        channel=Channel.TELEGRAM,
        customer=_customer(as_dict(message.get("from"))),
        thread_id=_thread_of(message) or None,
        message_id=_message_id(message),
        text=text,
        links=tuple(dict.fromkeys(links)),
        attachments=_files(message),
        attributes=_attributes(message),
        sent_at_ms=seconds(message.get("date")),
        received_at_ms=received_at_ms,
    )


def _written(content: dict[str, object], update_id: str, at_ms: int | None) -> Inbound:
    """A message: a customer's, our own, or news of the chat."""
    message = _read(content, at_ms)
    sender = as_dict(content.get("from"))
    chat_id = as_id(as_dict(content.get("chat")).get("id"))
    if sender.get("is_bot") is True or content.get("is_automatic_forward") is True:
        return own(message, "written by a bot or forwarded from our channel", update_id)
    if "business_connection_id" in content and message.customer.id != chat_id:
        return own(message, "written by the business account", update_id)
    service = next((key for key in content if key in _SERVICE), "")
    if service and not message.text:
        return lifecycle(message, service, update_id)
    answered = as_dict(content.get("reply_to_message"))
    # In a forum, whatever is no answer points at the service message that opened the topic.
    inside = bool(answered) and "forum_topic_created" not in answered
    return routed(message, inside=inside, delivery_id=update_id)


def _callback(query: dict[str, object], update_id: str, at_ms: int | None) -> Inbound:
    """A pressed button under one of our messages: the customer's answer."""
    pressed = as_dict(query.get("message"))
    person = as_dict(query.get("from"))
    customer = _customer(person)
    data = as_text(query.get("data"), 1024) or as_text(query.get("game_short_name"), 256)
    message = Message(
        channel=Channel.TELEGRAM,
        customer=customer,
        thread_id=_thread_of(pressed) or customer.id or None,
        message_id=as_id(query.get("id")) or None,
        text=data,
        attributes={"payload": data, "reply_to": _message_id(pressed) or ""},
        received_at_ms=at_ms,
    )
    return routed(message, inside=True, delivery_id=update_id)


def _reaction(event: dict[str, object], update_id: str, at_ms: int | None) -> Inbound:
    """A reaction to a message, or how many it has."""
    new = as_list(event.get("new_reaction"))
    emoji = as_text(as_dict(next(iter(new), None)).get("emoji"), 32)
    person = as_dict(event.get("user"))
    message = msgspec.structs.replace(
        _read({**event, "from": person}, at_ms),
        attributes={"reaction": emoji, "removed": not new and "new_reaction" in event},
    )
    return update(message, Update.REACTION, update_id)


@attrs.frozen(kw_only=True)
class Telegram:
    """Updates of a Telegram bot. `Secrets.signing` holds the ``secret_token`` of its webhook."""

    name: str = "telegram"
    channel: Channel = Channel.TELEGRAM
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Compare the secret token; raises `SignatureError`."""
        given = request.header(SIGNATURE_HEADER)
        require_match(secrets, given, lambda secret: [secret], header=SIGNATURE_HEADER)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Telegram has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of an update; raises `PayloadError` when it is no update."""
        payload = decode_json(request.body)
        if "update_id" not in payload and not any(isinstance(v, dict) for v in payload.values()):
            raise PayloadError("no update: update_id is missing")
        at_ms = request.received_at_ms
        if isinstance(payload.get("deleted_business_messages"), dict):
            return _deleted(payload, at_ms)
        return each(
            [payload],
            lambda event: _update(event, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )


def _update(payload: dict[str, object], at_ms: int | None) -> Inbound:
    """What one update means, by the key that it has."""
    update_id = as_id(payload.get("update_id"))
    for key in ("message", "business_message"):
        if isinstance(payload.get(key), dict):
            return _written(as_dict(payload[key]), update_id, at_ms)
    for key in _EDITS:
        if isinstance(payload.get(key), dict):
            return update(_read(as_dict(payload[key]), at_ms), Update.EDITED, update_id)
    for key in _POSTS:
        if isinstance(payload.get(key), dict):
            return own(_read(as_dict(payload[key]), at_ms), "a post in a channel", update_id)
    if isinstance(payload.get("callback_query"), dict):
        return _callback(as_dict(payload["callback_query"]), update_id, at_ms)
    for key in ("message_reaction", "message_reaction_count"):
        if isinstance(payload.get(key), dict):
            return _reaction(as_dict(payload[key]), update_id, at_ms)
    for key in _LIFECYCLE:
        if key in payload:
            return lifecycle(_read(as_dict(payload[key]), at_ms), key, update_id)
    message = Message(channel=Channel.TELEGRAM, received_at_ms=at_ms)
    return ignored(message, "unknown kind of update", update_id)


def _deleted(payload: dict[str, object], at_ms: int | None) -> list[Inbound]:
    """Messages that a customer of a business account took back."""
    event = as_dict(payload["deleted_business_messages"])
    update_id = as_id(payload.get("update_id"))
    return [
        update(
            _read({"chat": event.get("chat"), "message_id": number}, at_ms),
            Update.DELETED,
            f"{update_id}:{as_id(number)}",
        )
        for number in as_list(event.get("message_ids"))[:1000]
    ]
