"""A Facebook page: comments, visitor posts, reviews and mentions, one change at a time.

The customer is ``from.id`` (older payloads: ``sender_id``). A comment's thread is the
top-level comment it stands under, or itself; a visitor's post is its own thread. What the
page writes itself is its own. Times are seconds.

https://developers.facebook.com/docs/graph-api/webhooks/reference/page
"""

from __future__ import annotations

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Disposition, Inbound, Message
from ..model import UpdateKind as Update
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, seconds
from .verdicts import routed, update

__all__ = ["FIELDS", "read"]

#: The fields of a page's changes that carry what people wrote.
FIELDS = frozenset({"feed", "mention", "ratings"})

_WRITTEN = frozenset(
    [
        "comment",
        "status",
        "post",
        "photo",
        "video",
        "share",
        "link",
        "album",
        "note",
        "story",
        "reel",
        "rating",
        "event",
    ]
)
_REACTIONS = frozenset({"reaction", "like"})
_OPENING_VERBS = frozenset({"", "add", "post"})
_UPDATES = {
    "edited": Update.EDITED,
    "edit": Update.EDITED,
    "update": Update.EDITED,
    "remove": Update.DELETED,
    "delete": Update.DELETED,
    "hide": Update.STATE,
    "unhide": Update.STATE,
    "block": Update.STATE,
    "unblock": Update.STATE,
    "mute": Update.STATE,
    "unmute": Update.STATE,
}


def _customer(value: dict[str, object]) -> Customer:
    """Who wrote it. Without the permission to see people there may be nobody."""
    author = as_dict(value.get("from"))
    identity = as_id(author.get("id"))
    for key in ("sender_id", "reviewer_id"):
        identity = identity or as_id(value.get(key))
    name = as_text(author.get("name"), 256)
    for key in ("sender_name", "reviewer_name"):
        name = name or as_text(value.get(key), 256)
    return Customer(id=identity, name=name)


def _files(value: dict[str, object]) -> tuple[Attachment, ...]:
    """Photos and videos as references."""
    is_video = as_text(value.get("item"), 40) in {"video", "reel"} or bool(value.get("video"))
    single = [as_text(value.get(key), 4096) for key in ("photo", "video")]
    if as_text(value.get("item"), 40) in {"photo", "video", "reel"}:
        single.append(as_text(value.get("link"), 4096))
    several = [as_text(photo, 4096) for photo in as_list(value.get("photos"))[:50]]
    return tuple(
        Attachment(content_type="video/*" if is_video else "image/*", url=url)
        for url in dict.fromkeys(single + several)
        if url
    )


def _attributes(value: dict[str, object], field: str, item: str) -> dict[str, Attribute]:
    """What triage may want to know."""
    found: dict[str, Attribute] = {"field": field, "item": item}
    names = ("post_id", "parent_id", "verb", "reaction_type", "recommendation_type", "rating")
    for name in names:
        text = as_id(value.get(name))
        if text:
            found[name] = text
    permalink = as_text(as_dict(value.get("post")).get("permalink_url"), 1024)
    permalink = as_text(value.get("permalink_url"), 1024) or permalink
    if permalink:
        found["permalink"] = permalink
    return found


def _ids(value: dict[str, object], item: str) -> tuple[str | None, str | None]:
    """(thread, message) as the top of the file defines them."""
    post = as_id(value.get("post_id")) or as_id(value.get("open_graph_story_id"))
    if item == "rating":
        post = as_id(value.get("open_graph_story_id")) or as_id(value.get("review_id")) or post
    comment = as_id(value.get("comment_id"))
    if item not in {"comment"} | _REACTIONS and not comment:
        own = post or as_id(value.get("photo_id")) or as_id(value.get("video_id"))
        own = own or as_id(value.get("share_id"))
        return own or None, own or None
    parent = as_id(value.get("parent_id"))
    if not comment:
        return post or None, None
    thread = comment if not parent or parent == post else parent
    return thread, comment


def read(field: str, value: dict[str, object], page: str, received_at_ms: int | None) -> Inbound:
    """What one change of a page means.

    Args:
        field: the field that changed, one of `FIELDS`.
        value: what changed, untrusted.
        page: the id of the page (``entry.id``).
        received_at_ms: our clock at receipt.

    Raises:
        PayloadError: something was written, but neither who nor what can be told.
    """
    item = as_text(value.get("item"), 40)
    verb = as_text(value.get("verb"), 40)
    thread, message_id = _ids(value, item)
    text = as_text(value.get("message")) or as_text(value.get("review_text"))
    links = links_in(text)
    link = as_text(value.get("link"), 4096)
    files = _files(value)
    if link and link not in links and all(link != file.url for file in files):
        links = (*links, link)
    customer = _customer(value)
    message = Message(
        channel=Channel.FACEBOOK,
        customer=customer,
        thread_id=thread,
        message_id=message_id,
        to=page,
        text=text,
        links=links,
        attachments=files,
        attributes=_attributes(value, field, item),
        sent_at_ms=seconds(value.get("created_time")),
        received_at_ms=received_at_ms,
    )
    if item in _REACTIONS:
        return Inbound(disposition=Disposition.UPDATE, message=message, update=Update.REACTION)
    if verb in _UPDATES:
        return update(message, _UPDATES[verb])
    if verb not in _OPENING_VERBS or item not in _WRITTEN:
        reason = f"unknown item or verb: {item!r} {verb!r}"
        return Inbound(disposition=Disposition.IGNORED, message=message, reason=reason)
    if customer.id and customer.id == page:
        return Inbound(disposition=Disposition.OWN, message=message, reason="written by the page")
    if not customer.id and not message_id:
        raise PayloadError("neither who wrote nor what was written is named")
    return routed(message, inside=thread != message_id)
