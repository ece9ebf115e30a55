"""Reviews in Apple's App Store: what ``customerReviews`` of the App Store Connect API returns.

The review is thread and message in one. There is no customer id, only a nickname: two
customers may share one. Our answers (``customerReviewResponses``) are our own. An edited review
comes again under its id.

It is polled: nothing is signed.

https://developer.apple.com/documentation/appstoreconnectapi/customer-reviews
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, decode_json, each
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import ignored, own, revised, routed

__all__ = ["AppStore"]


def _read(item: dict[str, object], received_at_ms: int | None) -> Inbound:
    """One resource of the answer."""
    kind, identity = as_text(item.get("type"), 64), as_id(item.get("id"))
    if not identity:
        raise PayloadError("a review needs an id")
    fields = as_dict(item.get("attributes"))
    text = as_text(fields.get("body")) or as_text(fields.get("responseBody"))
    found: dict[str, Attribute] = {}
    rating = fields.get("rating")
    if type(rating) is int and 0 <= rating <= 10:
        found["rating"] = rating
    if territory := as_text(fields.get("territory"), 16):
        found["territory"] = territory
    nickname = as_text(fields.get("reviewerNickname"), 256)
    reviewed = as_id(as_dict(_related(item, "review")).get("id"))
    message = Message(
        channel=Channel.APP_STORE,
        customer=Customer(id=nickname, name=nickname),
        thread_id=reviewed or identity,
        message_id=identity,
        subject=as_text(fields.get("title"), 2000),
        text=text,
        links=links_in(text),
        attributes=found,
        sent_at_ms=rfc3339(fields.get("createdDate")) or rfc3339(fields.get("lastModifiedDate")),
        received_at_ms=received_at_ms,
    )
    if kind == "customerReviewResponses":
        return own(message, "our answer to a review")
    if kind != "customerReviews":
        return ignored(message, f"a resource of type {kind!r} is not read")
    return routed(message)


def _related(item: dict[str, object], name: str) -> object:
    """The resource that a relationship points to."""
    return as_dict(as_dict(item.get("relationships")).get(name)).get("data")


@attrs.frozen(kw_only=True)
class AppStore:
    """Reviews of an app for Apple's systems."""

    name: str = "app_store"
    channel: Channel = Channel.APP_STORE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Reviews are polled: always refuses, so that no webhook for them stands open."""
        raise SignatureError("reviews are not signed; list them with your own credentials")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every review and answer. Raises `PayloadError` when there is no ``data``."""
        payload = decode_json(request.body)
        data = payload.get("data")
        if isinstance(data, dict):
            data = [data]
        if not isinstance(data, list):
            raise PayloadError("the answer holds no data")
        found = each(
            [*data, *as_list(payload.get("included"))],
            lambda item: _read(item, request.received_at_ms),
            channel=Channel.APP_STORE,
            received_at_ms=request.received_at_ms,
        )
        return [inbound for event in found for inbound in revised(event)]
