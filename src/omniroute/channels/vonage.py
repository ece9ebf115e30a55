"""Vonage: webhooks of calls (answer and event) and of text messages, by POST or GET.

A call is ``conversation_uuid``, its caller's leg ``uuid``. The answer webhook has no status and
opens the call; so does the event ``ringing``, whichever comes first. States come in any
order. Numbers are international digits without "+". SMS values are all strings;
``message-timestamp`` is when Vonage pushed it, in UTC without saying so.

A long SMS comes in parts, each alone and in any order. The first part opens the thread, the
others join it, so none is lost and one interaction results; `join_parts` puts the text together.

Every webhook is signed with a JWT in ``Authorization``: HS256 with the account's signature
secret, ``payload_hash`` the SHA-256 of the body. A body that the token does not cover is
refused. Without ``exp`` a token is good for five minutes after ``iat``. Nothing covers the query of
a GET: set the webhooks to POST. Accounts that sign text messages by the older method send ``sig``
instead (`vonage_sig`); name it in ``sms_signature``, or it is not looked at.

https://developer.vonage.com/en/getting-started/concepts/webhooks
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .jwt_hs256 import bearer, claims_of, require_timely
from .links import links_in
from .payloads import as_dict, as_id, as_text, decode_json
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import same
from .telephone import WITHHELD_ATTRIBUTE, caller, check_region, international, thread_of
from .times import rfc3339
from .twilio import form_of
from .verdicts import own, routed, status, update
from .vonage_sig import SigMethod, check_method, require_sig

__all__ = ["Vonage", "join_parts"]

_ENDED = frozenset(
    ["completed", "busy", "cancelled", "unanswered", "rejected", "failed", "timeout"]
)
#: Events of a call that have no status.
_CALL_EVENTS = ("dtmf", "speech", "recording_url", "conversation_uuid_to", "sip_code", "reason")

_CALL_ATTRIBUTES = {
    "status": "call_status",
    "direction": "direction",
    "duration": "duration_s",
    "detail": "detail",
    "reason": "reason",
    "region_url": "region_url",
    "recording_url": "recording_url",
    "dtmf": "digits",
}
_SMS_ATTRIBUTES = {
    "type": "sms_type",
    "keyword": "keyword",
    "concat-ref": "concat_ref",
    "concat-part": "concat_part",
    "concat-total": "concat_total",
    "data": "data",
    "udh": "udh",
    "status": "message_status",
    "err-code": "error_code",
    "api-key": "account_id",
}
_NUMBERS = frozenset({"duration_s", "concat_part", "concat_total"})


def _attributes(payload: Mapping[str, object], table: Mapping[str, str]) -> dict[str, Attribute]:
    """The fields of a table, counts as numbers."""
    found: dict[str, Attribute] = {}
    for field, name in table.items():
        value = as_id(payload.get(field))[:1024]
        if value:
            number = name in _NUMBERS and value.isascii() and value.isdigit() and len(value) < 10
            found[name] = int(value) if number else value
    return found


def _payload(request: WebhookRequest) -> Mapping[str, object]:
    """The parameters of a webhook: JSON, a form, or the query of a GET."""
    if request.method != "GET" and request.body.lstrip()[:1] in {b"{", b"[", b""}:
        return decode_json(request.body)
    return form_of(request)


def _signed(value: object) -> str:
    """A parameter as it was signed: nothing is trimmed. Only texts and numbers are."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and abs(value) < 10**40 else ""


def join_parts(parts: Iterable[Message]) -> str | None:
    """The whole text of a long SMS, or None while a part is missing.

    Args:
        parts: messages of one thread with the same attribute ``concat_ref``, in any order,
            repeats allowed.
    """
    texts: dict[int, str] = {}
    total = 0
    for part in parts:
        number, of = part.attributes.get("concat_part"), part.attributes.get("concat_total")
        if type(number) is int and type(of) is int and 1 <= number <= of <= 255:
            texts.setdefault(number, part.text)
            total = max(total, of)
    if not total or len(texts) < total:
        return None
    return "".join(texts[number] for number in sorted(texts))


@attrs.frozen(kw_only=True)
class Vonage:
    """Vonage Voice and SMS. `Secrets.signing` holds the account's signature secret.

    ``default_region`` (ISO 3166, "GB") reads national numbers; it needs the `phone` extra.
    ``max_age_ms`` is how old a token without an end of its own may be. ``sms_signature`` is how
    the account signs text messages by the older method; None: only tokens are taken.
    """

    name: str = "vonage"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/json", "application/x-www-form-urlencoded")
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    max_age_ms: int = 300_000
    sms_signature: SigMethod | None = None

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)
        check_method(self.sms_signature)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the token and that it covers the body, or ``sig``; raises `SignatureError`."""
        if self.sms_signature is not None and not request.header("Authorization"):
            try:
                found = {name: _signed(value) for name, value in _payload(request).items()}
            except PayloadError as error:
                raise SignatureError(str(error)) from None
            require_sig(self.sms_signature, found, secrets, request.received_at_ms)
            return
        claims = claims_of(bearer(request.header("Authorization")), secrets)
        require_timely(claims, request.received_at_ms, self.max_age_ms)
        covered = as_text(claims.get("payload_hash"), 128).lower()
        if not covered and not request.body:
            return
        if not same(hashlib.sha256(request.body).hexdigest(), covered):
            raise SignatureError("the token does not cover this body (payload_hash)")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Vonage has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a webhook. Raises `PayloadError` when it is neither call nor SMS."""
        payload = _payload(request)
        at_ms = request.received_at_ms
        if as_id(payload.get("messageId")):
            return [self._sms(payload, at_ms)]
        if as_id(payload.get("conversation_uuid")) or as_id(payload.get("uuid")):
            return [self._call(payload, at_ms)]
        moved = as_id(payload.get("conversation_uuid_from"))
        if moved:
            message = Message(channel=Channel.VOICE, thread_id=moved, received_at_ms=at_ms)
            return [update(message, UpdateKind.STATE)]
        raise PayloadError("neither a call (uuid) nor a text message (messageId)")

    def _customer(self, number: str, name: str = "") -> Customer:
        """A number with its "+"; national ones by the default region."""
        return caller(international(number), name, self.default_region)

    def _call(self, payload: Mapping[str, object], received_at_ms: int | None) -> Inbound:
        """An event of a call."""
        leg = as_id(payload.get("uuid"))
        call = as_id(payload.get("conversation_uuid")) or leg
        state = as_text(payload.get("status"), 40).strip().lower()
        direction = as_text(payload.get("direction"), 40).strip().lower()
        number = as_id(payload.get("from")) or as_id(payload.get("from_user"))
        customer = self._customer(number) if direction != "outbound" else Customer()
        attributes = _attributes(payload, _CALL_ATTRIBUTES)
        opens = state == "ringing" or not (state or any(key in payload for key in _CALL_EVENTS))
        if opens and direction != "outbound" and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        digits = as_text(as_dict(payload.get("dtmf")).get("digits"), 256)
        if digits:
            attributes["digits"] = digits
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call,
            message_id=leg or call,
            to=international(as_id(payload.get("to"))),
            attributes=attributes,
            sent_at_ms=rfc3339(payload.get("timestamp")),
            received_at_ms=received_at_ms,
        )
        if direction == "outbound":
            return own(message, "a call we placed")
        if opens:
            return routed(message)
        kind = UpdateKind.ENDED if state in _ENDED else UpdateKind.STATE
        return update(message, kind)

    def _sms(self, payload: Mapping[str, object], received_at_ms: int | None) -> Inbound:
        """A text message, a part of a long one, or a delivery report."""
        report = bool(as_id(payload.get("status")) or payload.get("scts") is not None)
        text = as_text(payload.get("text"))
        customer = self._customer(as_id(payload.get("msisdn")))
        own_number = international(as_id(payload.get("to")))
        attributes = _attributes(payload, _SMS_ATTRIBUTES)
        message_id = as_id(payload.get("messageId"))
        message = Message(
            channel=Channel.SMS,
            customer=customer,
            thread_id=thread_of(own_number, customer.id) if customer.id else message_id,
            message_id=message_id,
            to=own_number,
            text=text,
            links=links_in(text),
            attributes=attributes,
            sent_at_ms=rfc3339(payload.get("message-timestamp")),
            received_at_ms=received_at_ms,
        )
        if report:
            return status(message, f"delivery report: {as_id(payload.get('status'))[:40]}")
        return routed(message, inside=attributes.get("concat_part", 1) != 1)
