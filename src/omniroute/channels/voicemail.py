"""Voicemail by Twilio: what a caller recorded, and later its transcription.

The callback of a finished recording names the call and the recording, but neither caller nor
dialled number: the ``CallSid`` is the thread, and with it the customer is found among the
calls. The ``action`` callback of ``<Record>`` tells the same recording with both numbers;
whichever comes second is a repeat, for the ``RecordingSid`` is the message id. A transcription
comes minutes later and gives the recording its text.

Only what ``<Record>`` recorded is voicemail; recordings of calls and conferences
(``RecordingSource``) change nothing.

https://www.twilio.com/docs/voice/twiml/record
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message, UpdateKind
from . import twilio
from .email_headers import date_ms
from .payloads import as_text
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import caller, check_region
from .verdicts import routed, update

__all__ = ["Voicemail"]

_FINISHED = frozenset({"", "completed"})
_VOICEMAIL_SOURCES = frozenset({"", "recordverb"})

#: Request parameters worth routing on, and the attribute each becomes.
_ATTRIBUTES = {
    "AccountSid": "account_id",
    "CallSid": "call_id",
    "RecordingStatus": "recording_status",
    "RecordingSource": "recording_source",
    "TranscriptionStatus": "transcription_status",
    "Digits": "digits",
}


def _attributes(form: dict[str, str]) -> dict[str, Attribute]:
    """The parameters of the table, and the length."""
    found: dict[str, Attribute] = {
        name: value
        for parameter, name in _ATTRIBUTES.items()
        if (value := as_text(form.get(parameter), 256))
    }
    duration_s = form.get("RecordingDuration", "").strip()
    if duration_s.isascii() and duration_s.isdigit() and len(duration_s) < 10:
        found["duration_s"] = int(duration_s)
    return found


def _meaning(message: Message, form: dict[str, str], delivery_id: str) -> Inbound:
    """A transcription, a recording in progress or of something else, or a voicemail."""
    if form.get("TranscriptionSid") or form.get("TranscriptionText"):
        kind = UpdateKind.EDITED if message.text else UpdateKind.STATE
        return update(message, kind, delivery_id)
    finished = form.get("RecordingStatus", "").strip().lower() in _FINISHED
    voicemail = form.get("RecordingSource", "").strip().lower() in _VOICEMAIL_SOURCES
    silent = message.attributes.get("duration_s") == 0
    if finished and voicemail and not silent:
        return routed(message, delivery_id=delivery_id)
    return update(message, UpdateKind.STATE, delivery_id)


@attrs.frozen(kw_only=True)
class Voicemail:
    """Recordings and transcriptions by Twilio. `Secrets.signing` holds the auth token.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    """

    name: str = "voicemail"
    channel: Channel = Channel.VOICEMAIL
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
        """The one event of a callback. Raises `PayloadError` when it names no recording."""
        form = twilio.form_of(request)
        recording = as_text(form.get("RecordingSid"), 64).strip()
        call = as_text(form.get("CallSid"), 64).strip()
        url = as_text(form.get("RecordingUrl"), 4096)
        if not recording and url:  # the action callback of an older API names only the URL
            recording = url.rpartition("/")[2][:64]
        if not recording:
            raise PayloadError("the callback names no recording: RecordingSid is missing")
        number = as_text(form.get("From"), 256)
        customer = caller(number, "", self.default_region) if number else Customer()
        message = Message(
            channel=Channel.VOICEMAIL,
            customer=customer,
            thread_id=call or recording,
            message_id=recording,
            to=as_text(form.get("To") or form.get("Called"), 256).strip(),
            text=as_text(form.get("TranscriptionText")),
            attachments=(Attachment(content_type="audio/x-wav", url=url),) if url else (),
            attributes=_attributes(form),
            sent_at_ms=date_ms(form.get("RecordingStartTime", "")),
            received_at_ms=request.received_at_ms,
        )
        return [_meaning(message, form, request.header("I-Twilio-Idempotency-Token"))]
