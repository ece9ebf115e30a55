"""Calls: who calls, which call, and what each status means."""

from urllib.parse import urlencode

import pytest

from omniroute.channels import TwilioVoice, WebhookRequest, enqueue
from omniroute.channels.telephone import caller, is_e164, to_e164
from omniroute.errors import PayloadError, UnknownNameError
from omniroute.model import AddressKind, Disposition, UpdateKind

VOICE = TwilioVoice()
CALL = {
    "CallSid": "CA1",
    "CallStatus": "ringing",
    "Direction": "inbound",
    "From": "+49300001001",
    "To": "+498921234501",
}


def read(adapter=VOICE, headers=(), **changes):
    form = {name: value for name, value in {**CALL, **changes}.items() if value is not None}
    [event] = adapter.normalize(WebhookRequest(body=urlencode(form).encode(), headers=headers))
    return event


STATUSES = [
    ("queued", Disposition.CREATE, None),
    ("ringing", Disposition.CREATE, None),
    (None, Disposition.CREATE, None),
    ("Ringing", Disposition.CREATE, None),
    ("in-progress", Disposition.UPDATE, UpdateKind.STATE),
    ("completed", Disposition.UPDATE, UpdateKind.ENDED),
    ("busy", Disposition.UPDATE, UpdateKind.ENDED),
    ("failed", Disposition.UPDATE, UpdateKind.ENDED),
    ("no-answer", Disposition.UPDATE, UpdateKind.ENDED),
    ("canceled", Disposition.UPDATE, UpdateKind.ENDED),
    ("something new", Disposition.UPDATE, UpdateKind.STATE),
]


@pytest.mark.parametrize(("status", "disposition", "update"), STATUSES)
def test_a_status_of_the_customers_leg(status, disposition, update):
    event = read(CallStatus=status)
    assert (event.disposition, event.update) == (disposition, update)
    assert event.message.message_id == event.message.thread_id == "CA1"


OWN = [
    {"From": "client:ana"},
    {"From": "Client:ana"},
    {"Direction": "outbound-api"},
    {"Direction": "outbound-dial"},
    {"ParentCallSid": "CA0"},
]


@pytest.mark.parametrize("changes", OWN)
@pytest.mark.parametrize("status", ["ringing", "in-progress", "completed"])
def test_our_own_legs_open_and_end_nothing(changes, status):
    event = read(CallStatus=status, **changes)
    assert event.disposition is Disposition.OWN
    assert event.update is None
    assert event.reason
    assert event.message.customer.id == ""


def test_a_leg_belongs_to_the_call_of_its_parent():
    event = read(ParentCallSid="CA0")
    assert event.message.thread_id == "CA0"
    assert event.message.message_id == "CA1"


CALLERS = [
    ("+49300001001", "+49300001001", AddressKind.E164),
    ("anonymous", "", None),
    ("Anonymous", "", None),
    ("", "", None),
    ("+266696687", "", None),
    ("restricted", "", None),
    ("+000155917691", "+000155917691", None),
    ("0891234", "0891234", None),
    ("sip:+49300001001@trunk.example;user=phone", "+49300001001", AddressKind.E164),
    ("sip:ana@pbx.Example", "sip:ana@pbx.example", AddressKind.HANDLE),
    ("sips:anonymous@anonymous.invalid", "", None),
    ("sip:pbx.example", "sip:pbx.example", AddressKind.HANDLE),
    ("Some Name", "Some Name", None),
]


@pytest.mark.parametrize(("raw", "identity", "kind"), CALLERS)
def test_who_calls(raw, identity, kind):
    customer = caller(raw)
    assert customer.id == identity
    assert [address.kind for address in customer.addresses] == ([kind] if kind else [])


def test_a_withheld_caller_is_marked_and_is_nobody():
    event = read(From="anonymous", CallerName="anonymous")
    assert event.disposition is Disposition.CREATE
    assert event.message.customer.id == event.message.customer.name == ""
    assert event.message.attributes["withheld"] is True


def test_a_default_region_reads_national_numbers():
    voice = TwilioVoice(default_region="DE")
    assert read(voice, From="089 21234501").message.customer.id == "+498921234501"
    assert read(voice, From="0049 89 21234501").message.customer.id == "+498921234501"
    assert read(voice, From="12").message.customer.id == "12"
    assert read(voice, From="+12025550123").message.customer.id == "+12025550123"


def test_an_unknown_region_is_refused_before_the_first_call():
    with pytest.raises(UnknownNameError, match="region 'ZZ'"):
        TwilioVoice(default_region="ZZ")


@pytest.mark.parametrize(
    "number", ["+4930", "4930000100", "+0930000100", "+49300001001234567", "+٤٩٣٠٠٠٠١٠٠"]
)
def test_what_is_not_e164(number):
    assert not is_e164(number)
    assert to_e164(number) is None


def test_every_field_that_helps_routing_is_kept():
    event = read(
        headers={"I-Twilio-Idempotency-Token": "t1"},
        CallerName="Jane Doe",
        ForwardedFrom="+4989999",
        StirVerstat="TN-Validation-Passed-A",
        CallDuration="42",
        SpeechResult="my invoice",
        Timestamp="Sat, 20 Sep 2008 17:04:30 +0000",
    )
    message = event.message
    assert event.delivery_id == "t1"
    assert message.customer.name == "Jane Doe"
    assert message.to == "+498921234501"
    assert message.text == "my invoice"
    assert message.sent_at_ms == 1_221_930_270_000
    assert message.attributes == {
        "call_status": "ringing",
        "direction": "inbound",
        "forwarded_from": "+4989999",
        "stir_verstat": "TN-Validation-Passed-A",
        "duration_s": 42,
    }


def test_a_get_has_its_parameters_in_the_url():
    request = WebhookRequest(method="GET", url="https://x.example/voice?" + urlencode(CALL))
    [event] = VOICE.normalize(request)
    assert event.message.customer.id == "+49300001001"


BAD = [
    (b"", "empty"),
    (b"\xff", "UTF-8"),
    (b"To=%2B49", "CallSid"),
    (b"CallSid=", "CallSid"),
    (b"CallSid=CA1&CallSid=CA2", "^a parameter came with two different values$"),
    (b"CallSid=CA1&From=%2B49300001001&From=%2B49300001002", "two different values"),
    (b"a=1&" * 2000, "not a form"),
    (b'{"CallSid": "CA1"}', "CallSid"),
]


@pytest.mark.parametrize(("body", "reason"), BAD)
def test_a_callback_that_names_no_call_is_refused(body, reason):
    with pytest.raises(PayloadError, match=reason):
        VOICE.normalize(WebhookRequest(body=body))


def test_the_answer_that_lets_a_caller_wait():
    reply = enqueue("A&B")
    assert reply.status == 200
    assert reply.content_type.startswith("text/xml")
    assert reply.body == b"<Response><Enqueue>A&amp;B</Enqueue></Response>"
