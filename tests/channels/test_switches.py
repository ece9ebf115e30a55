"""One's own switch: Asterisk, FreeSWITCH, Kamailio and plain SIP. Which event is a new call?"""

import base64
import json
from urllib.parse import quote

import attrs
import pytest

from omniroute.channels import (
    AsteriskAmi,
    AsteriskAri,
    FreeSwitch,
    Kamailio,
    Secrets,
    Sip,
    WebhookRequest,
)
from omniroute.channels.kamailio import KamailioFields
from omniroute.channels.netstring import netstring
from omniroute.errors import PayloadError, SignatureError
from omniroute.model import Disposition, UpdateKind

CREATE, UPDATE, OWN = Disposition.CREATE, Disposition.UPDATE, Disposition.OWN
IGNORED, LIFECYCLE = Disposition.IGNORED, Disposition.LIFECYCLE
STATE, ENDED = UpdateKind.STATE, UpdateKind.ENDED


def one(adapter, body):
    [event] = adapter.normalize(WebhookRequest(body=body))
    return event


def meaning(event):
    return event.disposition, event.update


@pytest.mark.parametrize("adapter", [AsteriskAri(), AsteriskAmi(), FreeSwitch(), Sip(), Kamailio()])
def test_a_switch_is_never_taken_from_a_webhook(adapter):
    with pytest.raises(SignatureError, match="your"):
        adapter.verify(WebhookRequest(body=b"{}"), Secrets("secret"))


# --- Asterisk by ARI --------------------------------------------------------------------

CHANNEL = {
    "id": "160.7",
    "name": "PJSIP/trunk-1",
    "state": "Ring",
    "caller": {"name": "Eva", "number": "49300001001"},
    "dialplan": {"context": "inbound", "exten": "498921234"},
}


def ari(kind="StasisStart", event=(), **channel):
    body = {
        "type": kind,
        "timestamp": "2024-03-01T09:00:00.456+0100",
        "channel": {**CHANNEL, **channel},
    }
    return one(AsteriskAri(), json.dumps({**body, **dict(event)}).encode())


ARI = [
    (ari, CREATE, None),
    (lambda: ari(state="Up"), CREATE, None),
    (lambda: ari(event={"replace_channel": {"id": "160.7"}}, id="160.9"), UPDATE, STATE),
    (lambda: ari(name="Local/100@default-1;2"), OWN, None),
    (lambda: ari(state="Down"), OWN, None),
    (lambda: ari(event={"args": ["Dialed", "x"]}), OWN, None),
    (lambda: ari("StasisEnd"), UPDATE, ENDED),
    (lambda: ari("StasisEnd", name="Local/100@default-1;1"), OWN, None),
    (lambda: ari("ChannelDestroyed"), UPDATE, ENDED),
    (lambda: ari("ChannelDtmfReceived", {"digit": "1"}), UPDATE, STATE),
    (lambda: ari("ApplicationReplaced"), LIFECYCLE, None),
    (lambda: ari("SomethingNew"), IGNORED, None),
]


@pytest.mark.parametrize(("make", "disposition", "update"), ARI)
def test_what_an_ari_event_means(make, disposition, update):
    event = make()
    assert meaning(event) == (disposition, update)
    assert event.message.thread_id == "160.7"
    assert event.message.sent_at_ms == 1_709_280_000_456


def test_a_recording_names_only_the_channel_it_is_of():
    body = {"type": "RecordingFinished", "recording": {"target_uri": "channel:160.7"}}
    event = one(AsteriskAri(), json.dumps(body).encode())
    assert meaning(event) == (UPDATE, STATE)
    assert event.message.thread_id == "160.7"


ARI_CALLERS = [
    ("49300001001", None, "+49300001001"),
    ("+49300001001", None, "+49300001001"),
    ("030 0001001", "DE", "+49300001001"),
    ("49300001001", "DE", "+49300001001"),
    ("2025550123", "US", "+12025550123"),
    ("2025550123", None, "2025550123"),
    ("100", None, "100"),
    ("", None, ""),
    ("anonymous", None, ""),
    ("86282452253", None, ""),  # "unavailable" on a telephone's keys
]


@pytest.mark.parametrize(("number", "region", "identity"), ARI_CALLERS)
def test_what_a_trunk_says_of_the_caller(number, region, identity):
    body = {"type": "StasisStart", "channel": {**CHANNEL, "caller": {"number": number}}}
    event = one(AsteriskAri(default_region=region), json.dumps(body).encode())
    assert event.message.customer.id == identity
    assert event.message.attributes.get("withheld", False) == (identity == "")


def test_marks_of_originated_legs_are_yours_to_choose():
    adapter = AsteriskAri(own_args=frozenset({"callback"}))
    body = json.dumps({"type": "StasisStart", "args": ["callback"], "channel": CHANNEL}).encode()
    assert one(adapter, body).disposition is OWN


@pytest.mark.parametrize(
    "body", [{}, {"type": 7}, {"type": "StasisStart"}, {"type": "StasisStart", "channel": 7}]
)
def test_an_ari_event_without_type_or_channel_is_refused(body):
    with pytest.raises(PayloadError):
        one(AsteriskAri(), json.dumps(body).encode())


# --- Asterisk by AMI --------------------------------------------------------------------

LEG = {
    "Channel": "PJSIP/trunk-1",
    "ChannelStateDesc": "Ring",
    "CallerIDNum": "+49300001001",
    "CallerIDName": "<unknown>",
    "Exten": "200",
    "Uniqueid": "160.7",
    "Linkedid": "160.7",
}


def block(**fields):
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode()


AMI = [
    ({"Event": "Newchannel"}, CREATE, None),
    ({"Event": "Newchannel", "Linkedid": None}, CREATE, None),
    ({"Event": "Newchannel", "ChannelStateDesc": "Down"}, CREATE, None),
    ({"Event": "Newchannel", "ChannelStateDesc": "Down", "Exten": ""}, OWN, None),
    ({"Event": "Newchannel", "Uniqueid": "160.8"}, OWN, None),
    ({"Event": "Newchannel", "Channel": "Local/1@x-0;2"}, OWN, None),
    ({"Event": "Newstate"}, UPDATE, STATE),
    ({"Event": "QueueCallerJoin"}, UPDATE, STATE),
    ({"Event": "QueueCallerAbandon"}, UPDATE, ENDED),
    ({"Event": "Hangup"}, UPDATE, ENDED),
    ({"Event": "Hangup", "Uniqueid": "160.8"}, UPDATE, STATE),
    ({"Event": "SomethingNew"}, IGNORED, None),
    ({"Response": "Success"}, LIFECYCLE, None),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), AMI)
def test_what_a_manager_event_means(changes, disposition, update):
    event = one(AsteriskAmi(), block(**{**LEG, **changes}))
    assert meaning(event) == (disposition, update)
    assert event.message.thread_id == "160.7"
    if disposition is CREATE:
        assert (event.message.customer.id, event.message.customer.name) == ("+49300001001", "")


def test_the_hangup_of_an_agents_leg_leaves_the_caller_waiting():
    legs = block(Event="Hangup", Uniqueid="160.8", Linkedid="160.7")
    assert one(AsteriskAmi(), legs).update is STATE


def test_several_blocks_are_several_events():
    body = block(Event="Newchannel", **LEG) + block(Event="Nonsense") + block(Event="Hangup", **LEG)
    events = AsteriskAmi().normalize(WebhookRequest(body=body))
    assert [event.disposition for event in events] == [CREATE, IGNORED, UPDATE]


# --- FreeSWITCH -------------------------------------------------------------------------

A_LEG = {
    "Event-Name": "CHANNEL_CREATE",
    "Core-UUID": "core",
    "Event-Sequence": "7",
    "Event-Date-timestamp": "1700000000123456",
    "Unique-ID": "a",
    "Channel-Call-UUID": "a",
    "Call-Direction": "inbound",
    "Caller-Caller-ID-Number": "+49300001001",
    "Caller-Destination-Number": "200",
}


def plain(**changes):
    fields = {**A_LEG, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return (
        "".join(f"{k}: {quote(v)}\n" for k, v in fields.items() if v is not None).encode() + b"\n"
    )


FREESWITCH = [
    ({}, CREATE, None),
    ({"Event_Name": "CHANNEL_DATA"}, CREATE, None),
    ({"Channel_Call_UUID": None}, CREATE, None),
    ({"Call_Direction": "outbound", "Unique_ID": "b"}, OWN, None),
    ({"Unique_ID": "b"}, OWN, None),
    ({"Event_Name": "CHANNEL_ANSWER"}, UPDATE, STATE),
    ({"Event_Name": "CHANNEL_HANGUP_COMPLETE"}, UPDATE, ENDED),
    ({"Event_Name": "CHANNEL_HANGUP", "Unique_ID": "b"}, OWN, None),
    ({"Event_Name": "DTMF"}, UPDATE, STATE),
    ({"Event_Name": "HEARTBEAT"}, LIFECYCLE, None),
    ({"Event_Name": "CUSTOM"}, IGNORED, None),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), FREESWITCH)
def test_what_an_event_of_freeswitch_means(changes, disposition, update):
    event = one(FreeSwitch(), plain(**changes))
    assert meaning(event) == (disposition, update)
    assert event.message.thread_id == "a"
    assert event.message.sent_at_ms == 1_700_000_000_123
    assert event.delivery_id == "core:7"


def framed(inner, kind="text/event-plain"):
    return f"Content-Length: {len(inner)}\nContent-Type: {kind}\n\n".encode() + inner


def test_an_event_comes_bare_framed_or_as_json():
    as_json = json.dumps(A_LEG).encode()
    expected = one(FreeSwitch(), plain())
    assert expected.message.customer.id == "+49300001001"
    assert one(FreeSwitch(), framed(plain())) == expected
    assert one(FreeSwitch(), framed(as_json, "text/event-json")) == expected
    assert one(FreeSwitch(), as_json) == expected


def test_frames_without_events_and_broken_events_do_not_lose_the_others():
    body = (
        b"Content-Type: auth/request\n\n"
        + framed(b"nothing")
        + framed(plain())
        + framed(b"{", "text/event-json")
        + framed(b"Disconnected, goodbye.\n", "text/disconnect-notice")
    )
    events = FreeSwitch().normalize(WebhookRequest(body=body))
    assert [event.disposition for event in events] == [
        "lifecycle",
        "quarantine",
        "create",
        "quarantine",
        "lifecycle",
    ]


def test_a_caller_who_hides_the_number_is_nobody():
    event = one(FreeSwitch(), plain(Caller_Privacy_Hide_Number="true"))
    assert event.message.customer.id == ""
    assert event.message.attributes["withheld"] is True


# --- Kamailio ---------------------------------------------------------------------------


def evapi(**fields):
    return netstring(json.dumps(fields).encode())


KAMAILIO = [
    ("new", CREATE, None),
    ("sip-routing", CREATE, None),
    ("answered", UPDATE, STATE),
    ("resume-failed", UPDATE, ENDED),
    ("cancelled", UPDATE, ENDED),
    ("bye", UPDATE, ENDED),
    ("something-new", IGNORED, None),
]


@pytest.mark.parametrize(("kind", "disposition", "update"), KAMAILIO)
def test_what_a_message_of_evapi_means(kind, disposition, update):
    event = one(
        Kamailio(), evapi(event=kind, callid="c1", **{"from": "+49300001001"}, to="200", tindex=7)
    )
    assert meaning(event) == (disposition, update)
    assert (event.message.thread_id, event.message.to) == ("c1", "200")
    assert event.message.customer.id == "+49300001001"
    assert event.message.attributes["transaction_index"] == "7"


def test_the_field_map_is_yours():
    fields = KamailioFields(
        event="what", call_id=("id",), caller="who", opening=frozenset({"ring"})
    )
    body = evapi(what="ring", id="c1", who="anonymous", data={"tU": "200"})
    event = one(Kamailio(fields=fields), body)
    assert event.disposition is CREATE
    assert (event.message.thread_id, event.message.to) == ("c1", "200")
    assert event.message.attributes["withheld"] is True


def test_one_bad_message_does_not_lose_the_others():
    good = evapi(event="new", callid="c1")
    body = good + netstring(b'{"a":1,}') + netstring(b"[]") + evapi(event="new") + good
    events = Kamailio().normalize(WebhookRequest(body=body))
    assert [event.disposition for event in events] == ["create", *["quarantine"] * 3, "create"]


def test_a_routing_document_is_an_answer_and_no_event():
    document = b'{"version": "1.0", "routing": "serial", "routes": [{"uri": "sip:a@b"}]}'
    assert one(Kamailio(), document).disposition is IGNORED


# --- SIP --------------------------------------------------------------------------------


def sip(start="INVITE sip:200@pbx.example SIP/2.0", adapter=None, **headers):
    fields = {
        "From": "<sip:+49300001001@carrier.example>;tag=1",
        "To": "<sip:200@pbx.example>",
        "Call-ID": "c1",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [start, *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return one(adapter or Sip(), "\r\n".join([*lines, "", ""]).encode())


METHODS = [
    ("INVITE", {}, CREATE, None),
    ("INVITE", {"To": "<sip:200@pbx.example>;tag=2"}, UPDATE, STATE),
    ("INVITE", {"To": "sip:200@pbx.example;tag=2"}, UPDATE, STATE),
    ("INVITE", {"To": "<sip:200@pbx.example;tag=2>"}, CREATE, None),  # a parameter of the URI
    ("BYE", {"To": "<sip:200@pbx.example>;tag=2"}, UPDATE, ENDED),
    ("CANCEL", {}, UPDATE, ENDED),
    ("ACK", {}, UPDATE, STATE),
    ("OPTIONS", {}, LIFECYCLE, None),
    ("REGISTER", {}, LIFECYCLE, None),
    ("NEWFANGLED", {}, IGNORED, None),
]


@pytest.mark.parametrize(("method", "headers", "disposition", "update"), METHODS)
def test_what_a_sip_request_means(method, headers, disposition, update):
    event = sip(f"{method} sip:200@pbx.example SIP/2.0", **headers)
    assert meaning(event) == (disposition, update)
    assert event.message.thread_id == "c1"


def test_the_identity_in_a_response_is_the_callees():
    event = sip("SIP/2.0 200 OK", P_Asserted_Identity="<sip:+498921234501@pbx.example>")
    assert meaning(event) == (UPDATE, STATE)
    assert event.message.customer.id == ""


PAI = "<sip:+498921234501@carrier.example>"
IDENTITIES = [
    ({}, "+49300001001"),
    ({"P_Asserted_Identity": PAI}, "+498921234501"),
    ({"P_Asserted_Identity": PAI, "Privacy": "none"}, "+498921234501"),
    ({"P_Asserted_Identity": PAI, "Privacy": "id"}, ""),
    ({"P_Asserted_Identity": PAI, "Privacy": "header; user"}, ""),
    ({"P_Asserted_Identity": "<sip:eva@x.example>, <tel:+498921234501>"}, "+498921234501"),
    ({"Remote_Party_ID": PAI + ";party=calling;privacy=off"}, "+498921234501"),
    ({"Remote_Party_ID": PAI + ";privacy=full"}, ""),
    ({"From": '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'}, ""),
    ({"From": '"Anonymous" <sip:c8oqz84zk7z@privacy.anonymous.invalid>;tag=1'}, ""),
    ({"From": "<sip:eva@Pbx.Example>;tag=1"}, "sip:eva@pbx.example"),
    ({"From": "<sip:+49-300-001-001@x.example>;tag=1"}, "+49300001001"),
    ({"From": "<tel:+49300001001>;tag=1"}, "+49300001001"),
    ({"From": None}, ""),
    ({"P_Asserted_Identity": "<sip:anonymous@anonymous.invalid>"}, "+49300001001"),
]


@pytest.mark.parametrize(("headers", "identity"), IDENTITIES)
def test_who_calls(headers, identity):
    event = sip(**headers)
    assert event.disposition is CREATE
    assert event.message.customer.id == identity
    assert event.message.attributes.get("withheld", False) == (identity == "")


def test_an_untrusted_peer_asserts_nothing():
    adapter = Sip(trusted_peer=False)
    for headers in ({"P_Asserted_Identity": PAI}, {"P_Asserted_Identity": PAI, "Privacy": "id"}):
        assert sip(adapter=adapter, **headers).message.customer.id == "+49300001001"
    verdict = "<sip:+49300001001@x.example;verstat=TN-Validation-Passed>"
    assert (
        "stir_verstat" not in sip(adapter=adapter, P_Asserted_Identity=verdict).message.attributes
    )


def test_what_was_dialled_and_from_where_it_was_forwarded():
    assert sip().message.to == "200"
    assert sip(P_Called_Party_ID="<sip:300@pbx.example>").message.to == "300"
    assert (
        sip(Diversion="<tel:+498900>;reason=no-answer").message.attributes["forwarded_from"]
        == "+498900"
    )


@pytest.mark.parametrize("identity", ["a.b.c", "a.e30.c;info=<x>", "..", "x", "a.W10.c", "é.é.é"])
def test_a_broken_passport_says_nothing(identity):
    assert not any(name.startswith("stir") for name in sip(Identity=identity).message.attributes)


@pytest.mark.parametrize(
    ("origin", "headers", "differs"),
    [
        ("49300001001", {"P_Asserted_Identity": "<sip:+49300001001@x>"}, False),
        ("49300001001", {"P_Asserted_Identity": "<sip:+49300001002@x>"}, True),
        ("49300001002", {}, True),  # then it is From that must agree
        ("49300001001", {}, False),
    ],
)
def test_a_passport_for_another_number_is_told(origin, headers, differs):
    claims = {"attest": "A", "orig": {"tn": origin}, "iat": 1_700_000_000}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    found = sip(Identity=f"e30.{part}.c;info=<x>", **headers).message.attributes
    assert found["stir_origin"] == origin
    assert found.get("stir_mismatch", False) is differs


def test_a_message_without_a_call_is_refused():
    with pytest.raises(PayloadError, match="Call-ID"):
        sip(**{"Call-ID": None})


def test_a_configured_switch_is_still_a_value():
    assert Sip(trusted_peer=False) == attrs.evolve(Sip(), trusted_peer=False)
    assert hash(Kamailio()) == hash(Kamailio())
