"""Instagram: private messages and comments, one event of a Meta delivery at a time.

Private messages look like Messenger's and are read by the same code, with these differences:

- the account is the recipient, not ``entry.id``; of an echo it is the sender;
- a story mention or a reply to a story comes as an attachment or as ``reply_to.story``;
- the customer's "seen" is ``read`` with the id of the message;
- times are milliseconds, from some senders ISO 8601.

The customer is the Instagram-scoped id (IGSID), the thread ``account:igsid``. A comment's
thread is its parent or itself; its time is that of the entry, in seconds. A mention of the
account names no author: the customer is withheld until the application looks him up.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from __future__ import annotations

import msgspec

from ..errors import PayloadError
from ..model import Attribute, Channel, Customer, Disposition, Inbound, Message
from . import messenger
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, milliseconds, seconds
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, routed

__all__ = ["change", "read", "standby"]

_COMMENTS = frozenset({"comments", "live_comments"})

#: Fields of changes that hold the same events as ``messaging``.
_PRIVATE = frozenset(
    {
        "messages",
        "messaging_postbacks",
        "messaging_seen",
        "messaging_referral",
        "messaging_handover",
        "messaging_optins",
        "message_reactions",
        "message_edit",
        "standby",
    }
)

#: The entry id of the events that the "Test" button of Meta's dashboard makes up.
_TEST_ENTRY = "0"


def _account(event: dict[str, object], entry_id: str) -> str:
    """Which of the two sides is ours."""
    sender = as_id(as_dict(event.get("sender")).get("id"))
    if as_dict(event.get("message")).get("is_echo") is True or sender == entry_id:
        return sender
    return as_id(as_dict(event.get("recipient")).get("id")) or entry_id


def _extras(event: dict[str, object]) -> dict[str, Attribute]:
    """Stories: which one was answered, and whether one mentions us."""
    content = as_dict(event.get("message"))
    found: dict[str, Attribute] = {}
    story = as_dict(as_dict(content.get("reply_to")).get("story"))
    for key in ("id", "url"):
        text = as_text(story.get(key), 2048)
        if text:
            found[f"story_{key}"] = text
    kinds = {
        as_text(as_dict(item).get("type"), 40) for item in as_list(content.get("attachments"))[:50]
    }
    if "story_mention" in kinds:
        found["story_mention"] = True
    return found


def read(event: dict[str, object], entry_id: str, received_at_ms: int | None) -> Inbound:
    """What one event of ``messaging[]`` means.

    Args:
        event: the event, untrusted.
        entry_id: the account that the entry is about.
        received_at_ms: our clock at receipt.

    Raises:
        PayloadError: nobody is named as the sender.
    """
    inbound = messenger.read(event, _account(event, entry_id), received_at_ms)
    message = inbound.message
    at = event.get("timestamp")
    seen = as_id(as_dict(event.get("read")).get("mid"))
    message = msgspec.structs.replace(
        message,
        channel=Channel.INSTAGRAM,
        message_id=message.message_id or seen or None,
        attributes={**message.attributes, **_extras(event)},
        sent_at_ms=message.sent_at_ms if message.sent_at_ms is not None else rfc3339(at),
    )
    if inbound.disposition in {Disposition.CREATE, Disposition.APPEND}:
        return routed(message, inside=inbound.disposition is Disposition.APPEND)
    return msgspec.structs.replace(inbound, message=message)


def standby(event: dict[str, object], entry_id: str, received_at_ms: int | None) -> Inbound:
    """An event of ``standby[]``: another app holds the thread, so it is not ours to answer."""
    reason = "another app holds the thread"
    try:
        return lifecycle(read(event, entry_id, received_at_ms).message, reason)
    except PayloadError:
        message = Message(channel=Channel.INSTAGRAM, to=entry_id, received_at_ms=received_at_ms)
        return lifecycle(message, reason)


def change(
    item: dict[str, object], entry: dict[str, object], received_at_ms: int | None
) -> Inbound:
    """What one of ``changes[]`` means.

    Raises:
        PayloadError: something was written, but neither who nor what can be told.
    """
    field = as_text(item.get("field"), 64)
    value = as_dict(item.get("value"))
    account = as_id(entry.get("id"))
    base = Message(channel=Channel.INSTAGRAM, to=account, received_at_ms=received_at_ms)
    if account == _TEST_ENTRY:
        return lifecycle(base, "the test button of the dashboard")
    if field in _PRIVATE:
        reader = standby if field == "standby" else read
        return reader(value, account, received_at_ms)
    if field not in _COMMENTS | {"mentions"}:
        return ignored(base, f"field {field!r} is not read")
    at = entry.get("time")
    sent_at_ms = seconds(at)
    if sent_at_ms is None:
        sent_at_ms = milliseconds(at) if rfc3339(at) is None else rfc3339(at)
    return _comment(value, field, msgspec.structs.replace(base, sent_at_ms=sent_at_ms))


def _comment(value: dict[str, object], field: str, base: Message) -> Inbound:
    """A comment, or a mention in somebody's post or comment."""
    author = as_dict(value.get("from"))
    media = as_dict(value.get("media"))
    media_id = as_id(media.get("id")) or as_id(value.get("media_id"))
    comment_id = as_id(value.get("id")) or as_id(value.get("comment_id"))
    own_id = comment_id or (media_id if field == "mentions" else "")
    parent = as_id(value.get("parent_id"))
    text = as_text(value.get("text"))
    attributes: dict[str, Attribute] = {
        "field": field,
        "media_id": media_id,
        "media_product_type": as_text(media.get("media_product_type"), 40),
        "ad_id": as_id(media.get("ad_id")),
        "parent_id": parent,
    }
    customer = Customer(id=as_id(author.get("id")), name=as_text(author.get("username"), 256))
    message = msgspec.structs.replace(
        base,
        customer=customer,
        thread_id=parent or own_id or None,
        message_id=own_id or None,
        text=text,
        links=links_in(text),
        attributes={name: found for name, found in attributes.items() if found},
    )
    if (customer.id and customer.id == base.to) or as_id(author.get("self_ig_scoped_id")):
        return own(message, "written by the account")
    if not own_id and not customer.id:
        raise PayloadError("neither who wrote nor what was written is named")
    return routed(message, inside=bool(parent))
