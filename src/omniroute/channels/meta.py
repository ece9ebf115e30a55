"""What Meta's products share: the signature, the handshake, and the shape of a delivery.

A delivery is ``{"object": ..., "entry": [...]}``. An entry holds ``messaging`` (private
messages), ``standby`` (messages that another app answers) and ``changes`` (comments, posts,
reviews). One subscription may mix all of them, so one adapter reads them all, whichever
name its URL has; what each means stands in the file of its channel.

Signature: ``X-Hub-Signature-256: sha256=`` and the hexadecimal HMAC-SHA256 of the raw body
under the app secret. Meta escapes non-ASCII characters before signing and sends those very
bytes: parse and re-serialise, and it no longer matches. The older SHA-1 header is not
accepted. There is no timestamp: repeats are told by message id.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Channel, Disposition, Inbound, Message
from . import facebook, messenger
from .payloads import as_dict, as_id, as_list, decode_json, each, quarantined
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_hex, require_match, same

__all__ = ["SIGNATURE_HEADER", "Meta", "handshake", "verify"]

SIGNATURE_HEADER = "X-Hub-Signature-256"


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
        if not isinstance(entries, list):
            raise PayloadError("the delivery has no list of entries")
        return [
            inbound
            for entry in entries
            for inbound in self._entry(entry, str(payload.get("object", "page")), request)
        ]

    def _entry(self, entry: object, kind: str, request: WebhookRequest) -> Iterator[Inbound]:
        """The events of one entry."""
        at_ms = request.received_at_ms
        if not isinstance(entry, dict):
            reason = f"an entry must be an object, not {type(entry).__name__}"
            yield quarantined(self.channel, reason, entry, received_at_ms=at_ms)
            return
        if kind != "page":
            yield self._ignored(f"object {kind[:40]!r} is not read here", entry, at_ms)
            return
        page = as_id(entry.get("id"))
        yield from each(
            as_list(entry.get("messaging")),
            lambda event: messenger.read(event, page, at_ms),
            channel=Channel.MESSENGER,
            received_at_ms=at_ms,
        )
        yield from each(
            as_list(entry.get("standby")),
            lambda event: messenger.standby(event, page, at_ms),
            channel=Channel.MESSENGER,
            received_at_ms=at_ms,
        )
        yield from each(
            as_list(entry.get("changes")),
            lambda change: self._change(change, page, at_ms),
            channel=Channel.FACEBOOK,
            received_at_ms=at_ms,
        )

    def _change(
        self, change: dict[str, object], page: str, received_at_ms: int | None
    ) -> Inbound | None:
        """One change of a page: its field says what it is about."""
        field = str(change.get("field", ""))
        if field not in facebook.FIELDS:
            return self._ignored(f"field {field[:40]!r} is not read", change, received_at_ms)
        return facebook.read(field, as_dict(change.get("value")), page, received_at_ms)

    def _ignored(self, reason: str, event: object, received_at_ms: int | None) -> Inbound:
        """An event of a kind that is not known here: counted, never an error."""
        message = Message(channel=self.channel, received_at_ms=received_at_ms)
        return Inbound(disposition=Disposition.IGNORED, message=message, reason=reason)
