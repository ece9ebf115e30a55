"""Reviews on Google Play: what ``reviews.list`` of the Android Publisher API returns.

The review is customer, thread and message in one: Play names no account. The developer's
answer is our own. The list holds the last week; an edited review comes again under its id and
with another ``lastModified``. Before our answer that is an edit; after it the customer has answered
us in the only way that he has, so it is a message of its own. A tab separates title and text.

It is polled: nothing is signed.

https://developers.google.com/android-publisher/reply-to-reviews
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, decode_json, quarantined, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .verdicts import own, revised, routed

__all__ = ["GooglePlay"]

_ATTRIBUTES = {
    "starRating": "rating",
    "device": "device",
    "appVersionName": "app_version",
    "appVersionCode": "app_version_code",
    "androidOsVersion": "os_version",
    "reviewerLanguage": "reviewer_language",
    "thumbsUpCount": "thumbs_up",
}


def _language(tag: str) -> str | None:
    """The language of a tag like ``de`` or ``en_GB``."""
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return primary if 2 <= len(primary) <= 3 and primary.isascii() and primary.isalpha() else None


def _modified(comment: dict[str, object]) -> tuple[str, int | None]:
    """(as it stands, in milliseconds) of the last change."""
    at = as_id(as_dict(comment.get("lastModified")).get("seconds"))
    return at, seconds(at)


def _attributes(comment: dict[str, object]) -> dict[str, Attribute]:
    """The fields of the table, counts as numbers."""
    found: dict[str, Attribute] = {}
    for field, name in _ATTRIBUTES.items():
        value = comment.get(field)
        if type(value) is int and abs(value) < 2**53:
            found[name] = value
        elif text := as_text(value, 256):
            found[name] = text
    return found


@attrs.frozen(kw_only=True)
class GooglePlay:
    """Reviews of an Android app."""

    name: str = "google_play"
    channel: Channel = Channel.GOOGLE_PLAY
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Reviews are polled: always refuses, so that no webhook for them stands open."""
        raise SignatureError("reviews are not signed; list them with your own credentials")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every comment of every review. Raises `PayloadError` when there is no list."""
        payload = decode_json(request.body)
        reviews = payload.get("reviews")
        if reviews is None and payload.get("reviewId"):
            reviews = [payload]
        if not isinstance(reviews, list):
            raise PayloadError("the answer holds no list of reviews")
        found: list[Inbound] = []
        for review in reviews:
            try:
                found += self._review(as_dict(review), request.received_at_ms)
            except PayloadError as error:
                at_ms = request.received_at_ms
                found.append(quarantined(self.channel, str(error), review, received_at_ms=at_ms))
        return found

    def _review(self, review: dict[str, object], received_at_ms: int | None) -> list[Inbound]:
        """The comments of one review, the user's and ours."""
        identity = as_id(review.get("reviewId"))
        comments = [as_dict(comment) for comment in as_list(review.get("comments"))[:50]]
        if not identity or not comments:
            raise PayloadError("a review needs a reviewId and comments")
        base = Message(
            channel=Channel.GOOGLE_PLAY,
            customer=Customer(id=identity, name=as_text(review.get("authorName"), 256)),
            thread_id=identity,
            message_id=identity,
            received_at_ms=received_at_ms,
        )
        answers = [_modified(as_dict(one.get("developerComment")))[1] or 0 for one in comments]
        answered_at_ms = max(answers)
        return [
            inbound
            for comment in comments
            for inbound in self._comment(comment, base, answered_at_ms)
        ]

    @staticmethod
    def _comment(
        comment: dict[str, object], base: Message, answered_at_ms: int
    ) -> tuple[Inbound, ...]:
        """One comment of a review; ``answered_at_ms`` is the time of our answer, or 0."""
        answer = as_dict(comment.get("developerComment"))
        if answer:
            at, at_ms = _modified(answer)
            message = msgspec.structs.replace(
                base,
                message_id=f"{base.message_id}/reply@{at}",
                text=as_text(answer.get("text")),
                sent_at_ms=at_ms,
            )
            return (own(message, "the developer's answer"),)
        written = as_dict(comment.get("userComment"))
        if not written:
            raise PayloadError("a comment is neither the user's nor the developer's")
        at, at_ms = _modified(written)
        title, tab, text = as_text(written.get("text")).partition("\t")
        if not tab:
            title, text = "", title
        message = msgspec.structs.replace(
            base,
            subject=title.strip()[:2000],
            text=text.strip(),
            language=_language(as_text(written.get("reviewerLanguage"), 32)),
            links=links_in(text),
            attributes=_attributes(written),
            sent_at_ms=at_ms,
        )
        if answered_at_ms and (at_ms or 0) > answered_at_ms:
            again = msgspec.structs.replace(message, message_id=f"{base.message_id}@{at}")
            return (routed(again, inside=True),)
        return revised(routed(message), at)
