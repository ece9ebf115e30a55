"""Text messages by Twilio: an incoming SMS or MMS, and the delivery reports of our own.

The customer is ``From``, the thread ``To:From``, the message id ``MessageSid``. A report about
a message that we sent (``MessageStatus``) has our number in ``From``. WhatsApp and RCS by way
of Twilio come to the same webhook with a prefix before the number. Twilio sends no time.
An opt-out keyword that Twilio itself answers (``OptOutType``) needs no agent; HELP does.

https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Inbound, Message
from . import twilio
from .links import links_in
from .payloads import as_text
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import caller, check_region, thread_of
from .verdicts import lifecycle, routed, status

__all__ = ["TwilioSms"]

_RECEIVED = frozenset({"", "received", "receiving"})
_CHANNELS = {"whatsapp": Channel.WHATSAPP, "rcs": Channel.RCS}
_MAX_MEDIA = 50

#: Request parameters worth routing on, and the attribute each becomes.
_ATTRIBUTES = {
    "AccountSid": "account_id",
    "MessagingServiceSid": "messaging_service_id",
    "MessageStatus": "message_status",
    "ErrorCode": "error_code",
    "OptOutType": "opt_out",
    "NumSegments": "segments",
    "FromCountry": "from_country",
    "ButtonPayload": "payload",
    "OriginalRepliedMessageSid": "reply_to",
}


def _attachments(form: dict[str, str]) -> tuple[Attachment, ...]:
    """The media of an MMS as references."""
    count = form.get("NumMedia", "").strip()
    wanted = int(count) if count.isascii() and count.isdigit() and len(count) < 5 else 0
    return tuple(
        Attachment(
            content_type=as_text(form.get(f"MediaContentType{n}"), 128)
            or "application/octet-stream",
            url=as_text(form.get(f"MediaUrl{n}"), 4096),
        )
        for n in range(min(wanted, _MAX_MEDIA))
    )


def _attributes(form: dict[str, str]) -> dict[str, Attribute]:
    """The parameters of the table, and a shared place."""
    found: dict[str, Attribute] = {
        name: value
        for parameter, name in _ATTRIBUTES.items()
        if (value := as_text(form.get(parameter), 1024))
    }
    place = [as_text(form.get(key), 32) for key in ("Latitude", "Longitude")]
    if all(place):
        found["location"] = ",".join(place)
    return found


def _split(address: str) -> tuple[Channel, str]:
    """(channel, number) of ``+49...`` or ``whatsapp:+49...``."""
    prefix, colon, rest = address.partition(":")
    channel = _CHANNELS.get(prefix.strip().lower()) if colon else None
    return (Channel.SMS, address.strip()) if channel is None else (channel, rest.strip())


@attrs.frozen(kw_only=True)
class TwilioSms:
    """Twilio Programmable Messaging. `Secrets.signing` holds the account's auth token.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    """

    name: str = "twilio_sms"
    channel: Channel = Channel.SMS
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
        """The one event of a callback. Raises `PayloadError` when it names no message."""
        form = twilio.form_of(request)
        sid = as_text(form.get("MessageSid") or form.get("SmsSid"), 64).strip()
        if not sid:
            raise PayloadError("the callback names no message: MessageSid is missing")
        state = (form.get("MessageStatus") or form.get("SmsStatus") or "").strip().lower()
        received = state in _RECEIVED
        theirs, ours = ("From", "To") if received else ("To", "From")
        channel, number = _split(as_text(form.get(theirs), 256))
        _, own_number = _split(as_text(form.get(ours), 256))
        customer = caller(number, as_text(form.get("ProfileName"), 256), self.default_region)
        text = as_text(form.get("Body"))
        message = Message(
            channel=channel,
            customer=customer,
            thread_id=thread_of(own_number, customer.id) if customer.id else sid,
            message_id=sid,
            to=own_number,
            text=text,
            links=links_in(text),
            attachments=_attachments(form),
            attributes=_attributes(form),
            received_at_ms=request.received_at_ms,
        )
        delivery = request.header("I-Twilio-Idempotency-Token")
        if not received:
            return [status(message, f"delivery report: {state[:40]}", delivery)]
        if form.get("OptOutType", "").strip().upper() in {"STOP", "START"}:
            return [lifecycle(message, "an opt-out keyword, answered by Twilio", delivery)]
        return [routed(message, delivery_id=delivery)]
