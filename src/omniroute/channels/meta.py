"""What Meta's products share: the signature, the handshake, and the shape of a delivery.

A delivery is ``{"object": ..., "entry": [...]}``. An entry holds ``messaging`` (private
messages), ``standby`` (messages that another app answers) and ``changes`` (comments, posts,
reviews, all of WhatsApp). One app may subscribe to all of them at one URL, so one adapter
reads them all, whichever name its URL has; what each means stands in the file of its channel.

Signature: ``X-Hub-Signature-256: sha256=`` and the hexadecimal HMAC-SHA256 of the raw body
under the app secret. Meta escapes non-ASCII characters before signing and sends those very
bytes: parse and re-serialise, and it no longer matches. The older SHA-1 header is not
accepted. There is no timestamp: repeats are told by message id.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Channel, Disposition, Inbound, Message
from . import facebook, instagram, messenger, whatsapp
from .payloads import as_dict, as_id, as_list, as_text, decode_json, each, quarantined
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match, same

__all__ = ["SIGNATURE_HEADER", "Meta", "handshake", "verify"]

SIGNATURE_HEADER = "X-Hub-Signature-256"

#: The ``object`` of a delivery, and the channel of its private messages.
_OBJECTS = {
    "page": Channel.MESSENGER,
    "instagram": Channel.INSTAGRAM,
    "whatsapp_business_account": Channel.WHATSAPP,
}

#: What a delivery that does not name its object is about, by the adapter's channel.
_OBJECT_OF = {channel: name for name, channel in _OBJECTS.items()}


def verify(request: WebhookRequest, secrets: Secrets) -> None:
    """Check X-Hub-Signature-256 over the raw body.

    Raises:
        SignatureError: not authentic, only the SHA-1 header came, or no app secret is set.
    """
    require_match(
        secrets,
        request.header(SIGNATURE_HEADER).strip(),
        lambda secret: [f"sha256={hmac_hex(secret, request.body)}"],
        header=SIGNATURE_HEADER,
    )


def handshake(request: WebhookRequest, secrets: Secrets) -> Reply | None:
    """Echo ``hub.challenge`` of a subscription check that names our verify token.

    Raises:
        SignatureError: another token, or none is set.
    """
    if request.method != "GET":
        return None
    query = request.query()
    if query.get("hub.mode") != "subscribe":
        return None
    if not secrets.verify_token:
        raise SignatureError("no verify token is set to check hub.verify_token with; refused")
    if not same(secrets.verify_token, query.get("hub.verify_token", "")):
        raise SignatureError("hub.verify_token is not ours")
    return Reply(body=query.get("hub.challenge", "").encode())


#: Where an entry holds its events.
_LISTS = ("messaging", "standby", "changes")


@attrs.frozen(kw_only=True)
class Meta:
    """Webhooks of a Meta app. `Secrets.signing` holds the app secret."""

    name: str = "messenger"
    channel: Channel = Channel.MESSENGER
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Hub-Signature-256; raises `SignatureError`."""
        verify(request, secrets)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer a subscription check; raises `SignatureError` for a foreign token."""
        return handshake(request, secrets)

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """Every event of every entry; raises `PayloadError` when there is no ``entry``."""
        payload = decode_json(request.body)
        entries = payload.get("entry")
        at_ms = request.received_at_ms
        if not isinstance(entries, list):
            if whatsapp.is_unwrapped(payload):
                return list(whatsapp.read("messages", payload, at_ms))
            raise PayloadError("the delivery has no list of entries")
        kind = as_text(payload.get("object"), 64) or _OBJECT_OF.get(self.channel, "page")
        return [inbound for entry in entries for inbound in self._entry(entry, kind, at_ms)]

    def _entry(self, entry: object, kind: str, at_ms: int | None) -> Iterator[Inbound]:
        """The events of one entry."""
        if not isinstance(entry, dict):
            reason = f"an entry must be an object, not {type(entry).__name__}"
            yield quarantined(self.channel, reason, entry, received_at_ms=at_ms)
            return
        if kind not in _OBJECTS:
            yield self._ignored(f"object {kind!r} is not read here", at_ms)
            return
        held = [entry[key] for key in _LISTS if key in entry]
        if not held:
            yield self._ignored("an entry without events that are read here", at_ms)
        elif not all(isinstance(events, list) for events in held):
            reason = "the events of an entry must be a list"
            yield quarantined(self.channel, reason, entry, received_at_ms=at_ms)
        channel = _OBJECTS[kind]
        account = as_id(entry.get("id"))
        private = messenger if channel is Channel.MESSENGER else instagram
        for key, read in (("messaging", private.read), ("standby", private.standby)):
            yield from each(
                as_list(entry.get(key)),
                lambda event, read=read: read(event, account, at_ms),  # type: ignore[misc]
                channel=channel,
                received_at_ms=at_ms,
            )
        changes = as_list(entry.get("changes"))
        if channel is Channel.WHATSAPP:
            for item in changes:
                yield from _whatsapp(item, at_ms)
            return
        one: Callable[[dict[str, object]], Inbound]
        if channel is Channel.INSTAGRAM:
            one = lambda change: instagram.change(change, entry, at_ms)  # noqa: E731
        else:
            channel = Channel.FACEBOOK
            one = lambda change: self._change(change, account, at_ms)  # noqa: E731
        yield from each(changes, one, channel=channel, received_at_ms=at_ms)

    def _change(self, change: dict[str, object], page: str, received_at_ms: int | None) -> Inbound:
        """One change of a page: its field says what it is about."""
        field = str(change.get("field", ""))
        if field not in facebook.FIELDS:
            return self._ignored(f"field {field[:40]!r} is not read", received_at_ms)
        return facebook.read(field, as_dict(change.get("value")), page, received_at_ms)

    def _ignored(self, reason: str, received_at_ms: int | None) -> Inbound:
        """An event of a kind that is not known here: counted, never an error."""
        message = Message(channel=self.channel, received_at_ms=received_at_ms)
        return Inbound(disposition=Disposition.IGNORED, message=message, reason=reason)


def _whatsapp(item: object, at_ms: int | None) -> Iterator[Inbound]:
    """One change of a WhatsApp account, which holds events of its own."""
    if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
        reason = "a change must be an object with a value"
        yield quarantined(Channel.WHATSAPP, reason, item, received_at_ms=at_ms)
        return
    yield from whatsapp.read(as_text(item.get("field"), 64), as_dict(item["value"]), at_ms)
