"""Telephone calls by Twilio: the webhook of an incoming call and its status callbacks.

One interaction per call, not per leg: child legs (``ParentCallSid``), calls we place
(``Direction=outbound-*``) and an agent's browser phone (``client:``, which Twilio also calls
"inbound") are our own. The first webhook of a call says ``ringing``; later ones carry the
same ``CallSid`` and only change its state.

https://www.twilio.com/docs/voice/twiml#request-parameters
"""

from __future__ import annotations

from xml.sax.saxutils import escape

import attrs

from ..errors import PayloadError
from ..model import Attribute, Channel, Customer, Disposition, Inbound, Message, UpdateKind
from . import twilio
from .email_headers import date_ms
from .payloads import as_count, as_text
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, caller, check_region

__all__ = ["TwilioVoice", "enqueue", "reject"]

_OPENING = frozenset({"", "ringing", "queued"})
_ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

#: Request parameters worth routing on, and the attribute each becomes.
_ATTRIBUTES = {
    "AccountSid": "account_id",
    "CallStatus": "call_status",
    "Direction": "direction",
    "ForwardedFrom": "forwarded_from",
    "StirVerstat": "stir_verstat",
    "FromCountry": "from_country",
    "FromState": "from_state",
    "FromCity": "from_city",
    "ToCountry": "to_country",
    "CallDuration": "duration_s",
    "QueueResult": "queue_result",
    "DialCallStatus": "dial_call_status",
    "AnsweredBy": "answered_by",
}


def enqueue(queue: str = "omniroute") -> Reply:
    """TwiML that lets the caller wait, with Twilio's hold music, until an agent is found.

    An empty answer would end the call, so an application answers an incoming call with
    this or with TwiML of its own.
    """
    body = f"<Response><Enqueue>{escape(queue)}</Enqueue></Response>"
    return Reply(content_type="text/xml; charset=utf-8", body=body.encode())


def reject(*, busy: bool = True) -> Reply:
    """TwiML that refuses a call, which then costs nothing: the caller hears the busy tone.

    ``busy`` False plays "not in service" instead. For a call that no queue has room for.
    https://www.twilio.com/docs/voice/twiml/reject
    """
    reason = "busy" if busy else "rejected"
    body = f'<Response><Reject reason="{reason}"/></Response>'
    return Reply(content_type="text/xml; charset=utf-8", body=body.encode())


def _attributes(form: dict[str, str]) -> dict[str, Attribute]:
    """The parameters of the table; a duration is a number or missing."""
    found: dict[str, Attribute] = {}
    for parameter, name in _ATTRIBUTES.items():
        value = as_text(form.get(parameter), 256)
        if name == "duration_s":
            duration_s = as_count(value)
            if duration_s is not None:
                found[name] = duration_s
        elif value:
            found[name] = value
    return found


def _is_own(form: dict[str, str]) -> str:
    """Why this leg is ours, or "" when a customer is on it."""
    if form.get("From", "").strip().lower().startswith("client:"):
        return "an agent's browser phone"
    if form.get("Direction", "").lower().startswith("outbound"):
        return "a call we placed"
    if form.get("ParentCallSid"):
        return "a leg of another call"
    return ""


@attrs.frozen(kw_only=True)
class TwilioVoice:
    """Twilio Programmable Voice. `Secrets.signing` holds the account's auth token.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    """

    name: str = "twilio_voice"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/x-www-form-urlencoded",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check X-Twilio-Signature; raises `SignatureError`."""
        twilio.verify(request, secrets)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Twilio has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a callback. Raises `PayloadError` when it names no call."""
        form = twilio.form_of(request)
        call_id = as_text(form.get("CallSid"), 64).strip()
        if not call_id:
            raise PayloadError("the callback names no call: CallSid is missing")
        status = form.get("CallStatus", "").strip().lower()
        own = _is_own(form)
        if own:
            customer = Customer()
            disposition, update = Disposition.OWN, None
        else:
            name = as_text(form.get("CallerName"), 256)
            customer = caller(as_text(form.get("From"), 256), name, self.default_region)
            disposition, update = self._meaning(status)
        attributes = _attributes(form)
        if not own and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=as_text(form.get("ParentCallSid"), 64).strip() or call_id,
            message_id=call_id,
            to=as_text(form.get("To") or form.get("Called"), 256).strip(),
            text=as_text(form.get("SpeechResult"), 8192),
            attributes=attributes,
            sent_at_ms=date_ms(form.get("Timestamp", "")),
            received_at_ms=request.received_at_ms,
        )
        return [
            Inbound(
                disposition=disposition,
                message=message,
                reason=own,
                update=update,
                delivery_id=request.header("I-Twilio-Idempotency-Token") or None,
            )
        ]

    @staticmethod
    def _meaning(status: str) -> tuple[Disposition, UpdateKind | None]:
        """What a call status of the customer's own leg means."""
        if status in _OPENING:
            return Disposition.CREATE, None
        if status in _ENDED:
            return Disposition.UPDATE, UpdateKind.ENDED
        return Disposition.UPDATE, UpdateKind.STATE
