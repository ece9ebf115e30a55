"""Text messages and voicemail by Twilio: what opens something, and what only tells."""

from urllib.parse import urlencode

import pytest

from omniroute.channels import TwilioSms, Voicemail, WebhookRequest
from omniroute.errors import PayloadError
from omniroute.model import Attachment, Channel, Disposition, UpdateKind

SMS = {"MessageSid": "SM1", "From": "+49300001001", "To": "+498921234501", "Body": "hi"}
RECORDING = {
    "CallSid": "CA1",
    "RecordingSid": "RE1",
    "RecordingUrl": "https://api.example/RE1",
    "RecordingStatus": "completed",
    "RecordingDuration": "21",
    "RecordingStartTime": "Mon, 03 Jul 2023 21:45:28 +0000",
}


def read(adapter, form, **changes):
    form = {name: value for name, value in {**form, **changes}.items() if value is not None}
    [event] = adapter.normalize(WebhookRequest(body=urlencode(form).encode()))
    return event


def sms(**changes):
    return read(TwilioSms(), SMS, **changes)


def recording(**changes):
    return read(Voicemail(), RECORDING, **changes)


MESSAGES = [
    ({}, Disposition.CREATE),
    ({"SmsStatus": "received"}, Disposition.CREATE),
    ({"MessageSid": None, "SmsSid": "SM1"}, Disposition.CREATE),
    ({"OptOutType": "HELP"}, Disposition.CREATE),
    ({"OptOutType": "STOP"}, Disposition.LIFECYCLE),
    ({"OptOutType": "START"}, Disposition.LIFECYCLE),
    ({"MessageStatus": "delivered"}, Disposition.STATUS),
    ({"SmsStatus": "undelivered", "ErrorCode": "30003"}, Disposition.STATUS),
]


@pytest.mark.parametrize(("changes", "disposition"), MESSAGES)
def test_what_a_text_message_means(changes, disposition):
    assert sms(**changes).disposition is disposition


def test_a_report_belongs_to_the_thread_of_the_message_it_reports_on():
    received = sms().message
    report = sms(From=SMS["To"], To=SMS["From"], MessageStatus="read").message
    assert received.thread_id == report.thread_id == "+498921234501:+49300001001"
    assert received.customer == report.customer


def test_media_are_references_however_many_are_claimed():
    event = sms(NumMedia="2", MediaUrl0="https://m.example/0", MediaContentType0="image/png")
    assert event.message.attachments == (
        Attachment("image/png", "", "https://m.example/0"),
        Attachment(),
    )
    assert len(sms(NumMedia="9999").message.attachments) == 50
    assert sms(NumMedia="-1").message.attachments == ()


def test_whatsapp_by_way_of_twilio_is_whatsapp():
    event = sms(From="whatsapp:+49300001001", To="whatsapp:+498921234501", ProfileName="Eva")
    assert event.message.channel is Channel.WHATSAPP
    assert event.message.customer.id == "+49300001001"
    assert event.message.thread_id == "+498921234501:+49300001001"


def test_two_messages_of_withheld_senders_share_no_thread_and_no_customer():
    one, two = sms(From="anonymous"), sms(From="anonymous", MessageSid="SM2")
    assert one.message.customer.id == two.message.customer.id == ""
    assert one.message.thread_id != two.message.thread_id


def test_a_place_is_an_attribute():
    event = sms(Latitude="48.1", Longitude="11.5")
    assert event.message.attributes["location"] == "48.1,11.5"


RECORDINGS = [
    ({}, Disposition.CREATE, None),
    ({"RecordingSource": "RecordVerb"}, Disposition.CREATE, None),
    ({"RecordingStatus": None}, Disposition.CREATE, None),
    ({"RecordingStatus": "in-progress"}, Disposition.UPDATE, UpdateKind.STATE),
    ({"RecordingStatus": "absent"}, Disposition.UPDATE, UpdateKind.STATE),
    ({"RecordingSource": "DialVerb"}, Disposition.UPDATE, UpdateKind.STATE),
    ({"RecordingDuration": "0"}, Disposition.UPDATE, UpdateKind.STATE),
    (
        {"TranscriptionSid": "TR1", "TranscriptionText": "hello"},
        Disposition.UPDATE,
        UpdateKind.EDITED,
    ),
    (
        {"TranscriptionSid": "TR1", "TranscriptionStatus": "failed"},
        Disposition.UPDATE,
        UpdateKind.STATE,
    ),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), RECORDINGS)
def test_what_a_recording_means(changes, disposition, update):
    event = recording(**changes)
    assert (event.disposition, event.update) == (disposition, update)
    assert (event.message.thread_id, event.message.message_id) == ("CA1", "RE1")
    assert event.message.channel is Channel.VOICEMAIL


def test_a_recording_is_joined_to_its_call_and_names_no_caller():
    message = recording().message
    assert message.customer.id == message.to == ""
    assert message.attributes["call_id"] == "CA1"
    assert message.attributes["duration_s"] == 21
    assert message.sent_at_ms == 1_688_420_728_000
    assert message.attachments == (Attachment("audio/x-wav", "", "https://api.example/RE1"),)


def test_both_callbacks_of_one_voicemail_are_one_message():
    action = recording(From="+49300001001", To="+498921234501", RecordingStatus=None)
    assert action.message.customer.id == "+49300001001"
    assert action.message.message_id == recording().message.message_id


@pytest.mark.parametrize("adapter", [TwilioSms(), Voicemail()])
@pytest.mark.parametrize("body", [b"From=%2B49", b"CallSid=CA1", b"a=1&a=2", b"\xff"])
def test_a_callback_that_names_nothing_is_refused(adapter, body):
    with pytest.raises(PayloadError):
        adapter.normalize(WebhookRequest(body=body))
