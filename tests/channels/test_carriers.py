"""Vonage, Plivo and Telnyx: calls and text messages of three carriers, and their signatures."""

import base64
import hashlib
import hmac
import itertools
import json
from urllib.parse import urlencode

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rows import vector
from omniroute.channels import Plivo, Secrets, Telnyx, Vonage, WebhookRequest
from omniroute.channels.vonage import join_parts
from omniroute.errors import PayloadError, SignatureError
from omniroute.model import Channel, Disposition, UpdateKind

CREATE, UPDATE, OWN, STATUS = (
    Disposition.CREATE,
    Disposition.UPDATE,
    Disposition.OWN,
    Disposition.STATUS,
)
STATE, ENDED = UpdateKind.STATE, UpdateKind.ENDED
NOW_MS = 1_700_000_000_000


def meaning(event):
    return event.disposition, event.update


# --- Vonage -----------------------------------------------------------------------------

CALL = {"from": "447700900000", "to": "442038297050", "uuid": "u1", "conversation_uuid": "CON-1"}
SMS = {"msisdn": "447700900001", "to": "447700900000", "messageId": "0A1", "text": "hi"}


def vonage(payload, *, method="POST", as_form=False):
    if method == "GET":
        request = WebhookRequest(method="GET", url=f"https://x.example/?{urlencode(payload)}")
    elif as_form:
        request = WebhookRequest(body=urlencode(payload).encode())
    else:
        request = WebhookRequest(body=json.dumps(payload).encode())
    [event] = Vonage().normalize(request)
    return event


CALL_EVENTS = [
    ({}, CREATE, None),  # the answer webhook
    ({"status": "ringing", "direction": "inbound"}, CREATE, None),
    ({"status": "started", "direction": "inbound"}, UPDATE, STATE),
    ({"status": "answered", "direction": "inbound"}, UPDATE, STATE),
    ({"status": "completed", "direction": "inbound", "duration": "2"}, UPDATE, ENDED),
    ({"status": "unanswered", "direction": "inbound"}, UPDATE, ENDED),
    ({"status": "ringing", "direction": "outbound"}, OWN, None),
    ({"dtmf": {"digits": "1"}}, UPDATE, STATE),
    ({"recording_url": "https://api.example/r"}, UPDATE, STATE),
    ({"status": "new state"}, UPDATE, STATE),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), CALL_EVENTS)
def test_what_an_event_of_a_vonage_call_means(changes, disposition, update):
    event = vonage({**CALL, **changes})
    assert meaning(event) == (disposition, update)
    assert (event.message.thread_id, event.message.message_id) == ("CON-1", "u1")
    if disposition is not OWN:
        assert event.message.customer.id == "+447700900000"
        assert event.message.to == "+442038297050"


def test_the_answer_webhook_is_a_get_by_default():
    assert meaning(vonage(CALL, method="GET")) == (CREATE, None)


def test_a_withheld_vonage_caller_is_nobody():
    event = vonage({**CALL, "from": "anonymous", "status": "ringing"})
    assert event.message.customer.id == ""
    assert event.message.attributes["withheld"] is True


@pytest.mark.parametrize("how", [{}, {"method": "GET"}, {"as_form": True}])
def test_a_vonage_sms_comes_in_three_ways(how):
    message = vonage({**SMS, "message-timestamp": "2020-01-01 12:00:00"}, **how).message
    assert message.channel is Channel.SMS
    assert message.customer.id == "+447700900001"
    assert message.thread_id == "+447700900000:+447700900001"
    assert message.sent_at_ms == 1_577_880_000_000  # UTC, though it does not say so


def test_a_delivery_report_of_vonage_opens_nothing():
    assert meaning(vonage({**SMS, "status": "delivered", "scts": "2001011400"})) == (STATUS, None)


def part(number, total=3, text=None, ref="7"):
    return vonage(
        {
            **SMS,
            "messageId": f"0A{number}",
            "text": text or f"<{number}>",
            "concat": "true",
            "concat-ref": ref,
            "concat-part": str(number),
            "concat-total": str(total),
        }
    )


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
def test_parts_of_a_long_sms_share_a_thread_and_join_in_any_order(order):
    events = [part(number) for number in order]
    assert {event.message.thread_id for event in events} == {"+447700900000:+447700900001"}
    routed = {event.message.attributes["concat_part"]: event.disposition for event in events}
    assert routed == {1: CREATE, 2: Disposition.APPEND, 3: Disposition.APPEND}
    messages = [event.message for event in events]
    assert join_parts(messages) == join_parts(messages + messages[:1]) == "<1><2><3>"
    assert join_parts(messages[1:]) is None


def test_what_is_no_part_does_not_join():
    assert join_parts([]) is None
    assert join_parts([vonage(SMS).message]) is None
    assert join_parts([part(5, total=3).message]) is None


def token(claims, secret="s", alg="HS256", digest=hashlib.sha256):
    def packed(value):
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = f"{packed({'alg': alg})}.{packed(claims)}"
    return f"{signed}.{packed(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


BODY = b'{"uuid": "u1"}'
COVERED = {"iat": NOW_MS // 1000, "payload_hash": hashlib.sha256(BODY).hexdigest()}


def bearing(text, body=BODY, now_ms=NOW_MS):
    headers = {"Authorization": f"Bearer {text}"}
    return WebhookRequest(headers=headers, body=body, received_at_ms=now_ms)


def test_a_token_that_covers_the_body_is_authentic():
    Vonage().verify(bearing(token(COVERED)), Secrets(["other", "s"]))


REFUSED_TOKENS = {
    "another secret": bearing(token(COVERED, secret="x")),
    "no algorithm": bearing(token(COVERED, alg="none")),
    "another algorithm": bearing(token(COVERED, alg="HS512", digest=hashlib.sha512)),
    "another body": bearing(token(COVERED), body=BODY + b" "),
    "a body that is not covered": bearing(token({"iat": COVERED["iat"]})),
    "too old": bearing(token(COVERED), now_ms=NOW_MS + 400_000),
    "from the future": bearing(token(COVERED), now_ms=NOW_MS - 400_000),
    "no clock": bearing(token(COVERED), now_ms=None),
    "expired": bearing(token({**COVERED, "exp": NOW_MS // 1000 - 100})),
    "no times": bearing(token({"payload_hash": COVERED["payload_hash"]})),
    "no token": bearing(""),
    "two parts": bearing("a.b"),
    "no base64": bearing("a.b.é"),
    "a number": bearing(token(7)),
    "endless": bearing("a" * 100_000),
}


@pytest.mark.parametrize("name", REFUSED_TOKENS)
def test_a_token_that_proves_nothing_is_refused(name):
    with pytest.raises(SignatureError):
        Vonage().verify(REFUSED_TOKENS[name], Secrets("s"))


@given(st.text(max_size=60))
def test_any_token_is_only_wrong(text):
    with pytest.raises(SignatureError):
        Vonage().verify(bearing(text), Secrets("s"))


# --- Plivo ------------------------------------------------------------------------------

PLIVO_CALL = {"CallUUID": "c1", "From": "14155550100", "To": "14155550199", "Direction": "inbound"}
PLIVO_SMS = {"MessageUUID": "m1", "From": "14155550100", "To": "14155550199", "Text": "hi"}


def plivo(form):
    [event] = Plivo().normalize(WebhookRequest(body=urlencode(form).encode()))
    return event


PLIVO_CALLS = [
    ({"Event": "StartApp", "CallStatus": "ringing"}, CREATE, None),
    ({"Event": "StartApp", "CallStatus": "in-progress"}, CREATE, None),
    ({"CallStatus": "ringing"}, CREATE, None),
    ({"CallStatus": "in-progress"}, UPDATE, STATE),
    ({"Event": "Hangup", "CallStatus": "completed", "Duration": "12"}, UPDATE, ENDED),
    ({"CallStatus": "no-answer"}, UPDATE, ENDED),
    ({"Event": "Redirect", "CallStatus": "in-progress"}, UPDATE, STATE),
    ({"Direction": "outbound", "CallStatus": "ringing"}, OWN, None),
    ({"ALegUUID": "c0", "CallStatus": "ringing"}, OWN, None),
    ({"ALegUUID": "c1", "CallStatus": "ringing"}, CREATE, None),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), PLIVO_CALLS)
def test_what_an_event_of_a_plivo_call_means(changes, disposition, update):
    event = plivo({**PLIVO_CALL, **changes})
    assert meaning(event) == (disposition, update)
    assert event.message.message_id == "c1"
    if disposition is not OWN:
        assert event.message.customer.id == "+14155550100"


def test_a_plivo_sms_and_its_report():
    received = plivo({**PLIVO_SMS, "Media0": "https://m.example/0"})
    report = plivo(
        {**PLIVO_SMS, "From": PLIVO_SMS["To"], "To": PLIVO_SMS["From"], "Status": "sent"}
    )
    assert meaning(received) == (CREATE, None)
    assert meaning(report) == (STATUS, None)
    assert received.message.thread_id == report.message.thread_id == "+14155550199:+14155550100"
    assert received.message.attachments[0].url == "https://m.example/0"


URL = "https://example.com/answer"


def plivo_signed(signed, header, token="my_auth_token"):
    mac = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha256).digest())
    return {header: mac.decode(), f"{header}-Nonce": "77777"}


PLIVO_SIGNED = [
    ("X-Plivo-Signature-V3", URL, b"b=2&a=1", f"{URL}?a1b2.77777"),
    ("X-Plivo-Signature-V3", f"{URL}?z=1&y=2", b"b=2&a=1", f"{URL}?y=2&z=1.a1b2.77777"),
    ("X-Plivo-Signature-MA-V3", URL, b"b=2&a=1", f"{URL}?a1b2.77777"),
    # Sorted by name, not by the joined text: "a" + "z" comes before "ab" + "a".
    ("X-Plivo-Signature-V3", URL, b"ab=a&a=z", f"{URL}?azaba.77777"),
    ("X-Plivo-Signature-V3", URL, b"", f"{URL}.77777"),
    ("X-Plivo-Signature-V2", f"{URL}?z=1", b"a=1", f"{URL}77777"),
]


@pytest.mark.parametrize(("header", "url", "body", "signed"), PLIVO_SIGNED)
def test_the_signatures_of_plivo(header, url, body, signed):
    headers = plivo_signed(signed, header)
    secrets = Secrets(["other", "my_auth_token"])
    Plivo().verify(WebhookRequest(url=url, body=body, headers=headers), secrets)
    several = {**headers, header: f"AAAA, {headers[header]}"}
    Plivo().verify(WebhookRequest(url=url, body=body, headers=several), secrets)
    for change in (
        {"url": url.replace("answer", "other")},
        {"headers": {**headers, f"{header}-Nonce": "7"}},
    ):
        request = attrs.evolve(WebhookRequest(url=url, body=body, headers=headers), **change)
        with pytest.raises(SignatureError):
            Plivo().verify(request, secrets)


def test_the_documented_v2_signature():
    headers = {
        "X-Plivo-Signature-V2": "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=",
        "X-Plivo-Signature-V2-Nonce": "12345",
    }
    request = WebhookRequest(url="https://answer.url", headers=headers)
    Plivo().verify(request, Secrets("my_auth_token"))


def test_a_weaker_signature_does_not_help_where_a_stronger_one_fails():
    headers = {
        **plivo_signed(f"{URL}77777", "X-Plivo-Signature-V2"),
        "X-Plivo-Signature-V3": "AAAA",
    }
    with pytest.raises(SignatureError):
        Plivo().verify(WebhookRequest(url=URL, headers=headers), Secrets("my_auth_token"))


# --- Telnyx -----------------------------------------------------------------------------


def telnyx(kind, **payload):
    data = {
        "id": "d1",
        "event_type": kind,
        "occurred_at": "2023-11-14T22:13:20.5Z",
        "payload": payload,
    }
    [event] = Telnyx().normalize(WebhookRequest(body=json.dumps({"data": data}).encode()))
    return event


LEG = {
    "call_session_id": "s1",
    "call_leg_id": "l1",
    "from": "+18665550001",
    "to": "+18445550001",
    "direction": "incoming",
}
TELNYX_CALLS = [
    ("call.initiated", {}, CREATE, None),
    ("call.initiated", {"direction": "outgoing"}, OWN, None),
    ("call.hangup", {"direction": "outgoing"}, OWN, None),
    ("call.answered", {}, UPDATE, STATE),
    ("call.hangup", {}, UPDATE, ENDED),
    ("call.something.new", {}, UPDATE, STATE),
]


@pytest.mark.parametrize(("kind", "changes", "disposition", "update"), TELNYX_CALLS)
def test_what_an_event_of_a_telnyx_call_means(kind, changes, disposition, update):
    event = telnyx(kind, **{**LEG, **changes})
    assert meaning(event) == (disposition, update)
    assert event.message.thread_id == "s1"
    assert event.delivery_id == "d1"
    assert event.message.sent_at_ms == NOW_MS + 500
    assert event.message.message_id == ("l1" if disposition is OWN else "s1")


def test_a_telnyx_message_its_media_and_its_report():
    ours, theirs = {"phone_number": "+18445550001"}, {"phone_number": "+18665550001"}
    media = [{"url": "https://m.example/0", "content_type": "image/png", "size": 7}, "nonsense"]
    received = telnyx("message.received", id="m1", **{"from": theirs, "to": [ours]}, media=media)
    report = telnyx("message.finalized", id="m2", **{"from": ours, "to": [theirs]})
    assert meaning(received) == (CREATE, None)
    assert meaning(report) == (STATUS, None)
    assert received.message.thread_id == report.message.thread_id == "+18445550001:+18665550001"
    assert received.message.attachments[0].size_bytes == 7


def test_another_product_of_telnyx_is_ignored():
    assert telnyx("fax.received").disposition is Disposition.IGNORED


class TestTelnyxSignature:
    def signed(self, **changes):
        request, found = vector("telnyx_ed25519")
        return attrs.evolve(request, **changes), Secrets(found["secret"])

    def test_it_holds_within_five_minutes(self):
        for now_ms in (NOW_MS - 299_000, NOW_MS + 299_000):
            Telnyx().verify(*self.signed(received_at_ms=now_ms))

    @pytest.mark.parametrize("now_ms", [None, NOW_MS - 301_000, NOW_MS + 301_000])
    def test_it_is_refused_later_and_without_a_clock(self, now_ms):
        with pytest.raises(SignatureError, match="clock"):
            Telnyx().verify(*self.signed(received_at_ms=now_ms))

    def test_another_body_or_time_is_refused(self):
        request, secrets = self.signed()
        later = {**request.headers, "telnyx-timestamp": "1700000001"}
        for changed in ({"body": request.body + b" "}, {"headers": later}):
            with pytest.raises(SignatureError, match="match"):
                Telnyx().verify(attrs.evolve(request, **changed), secrets)

    @pytest.mark.parametrize("value", ["", "é", "AAAA", "=" * 99])
    def test_any_signature_is_only_wrong(self, value):
        request, secrets = self.signed()
        headers = {**request.headers, "telnyx-signature-ed25519": value}
        with pytest.raises(SignatureError):
            Telnyx().verify(attrs.evolve(request, headers=headers), secrets)


@pytest.mark.parametrize("adapter", [Vonage(), Plivo(), Telnyx()], ids=lambda one: one.name)
@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": 7}', b"a=1", b"{", b'{"uuid": []}'])
def test_what_names_neither_call_nor_message_is_refused(adapter, body):
    with pytest.raises(PayloadError):
        adapter.normalize(WebhookRequest(body=body))
