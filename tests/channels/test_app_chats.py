"""Chats inside apps, reviews, contact centres in the cloud, video: what opens an interaction."""

import base64
import gzip
import hashlib
import hmac
import json
import tracemalloc

import attrs
import pytest

from channels.rows import vector
from omniroute.channels import (
    AmazonConnect,
    AppleMessages,
    AppStore,
    GoogleMeet,
    GooglePlay,
    InAppChat,
    Intercom,
    Secrets,
    WebhookRequest,
    ZendeskSunshine,
    in_app_chat,
)
from omniroute.channels.in_app_chat import sign
from omniroute.errors import PayloadError, PayloadTooLargeError, SignatureError
from omniroute.model import Address, AddressKind, Attachment, Channel, Disposition, UpdateKind

CREATE, APPEND, UPDATE, OWN = (
    Disposition.CREATE,
    Disposition.APPEND,
    Disposition.UPDATE,
    Disposition.OWN,
)
STATUS, IGNORED, LIFECYCLE = Disposition.STATUS, Disposition.IGNORED, Disposition.LIFECYCLE
QUARANTINE = Disposition.QUARANTINE
NOW_MS = 1_700_000_000_000


def read(adapter, payload, **request):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return adapter.normalize(WebhookRequest(body=body, **request))


def one(adapter, payload, **request):
    [event] = read(adapter, payload, **request)
    return event


def meaning(event):
    return event.disposition, event.update


# --- Amazon Connect ---------------------------------------------------------------------


def connect_event(kind="INITIATED", **detail):
    detail = {
        "eventType": kind,
        "contactId": "c1",
        "initialContactId": "c0",
        "channel": "VOICE",
        "initiationMethod": "INBOUND",
        **detail,
    }
    return {"id": "d1", "time": "2021-08-29T18:38:44Z", "detail": detail}


CONNECT = [
    (connect_event(), CREATE, None),
    (connect_event(channel="Chat", initiationMethod="API"), CREATE, None),
    (connect_event(initiationMethod="API"), OWN, None),
    (connect_event(initiationMethod="WEBRTC_API"), CREATE, None),
    (connect_event(initiationMethod="TRANSFER"), OWN, None),
    (connect_event(initiationMethod="QUEUE_TRANSFER"), OWN, None),
    (connect_event(initiationMethod="OUTBOUND"), OWN, None),
    (connect_event(initiationMethod="MONITOR"), OWN, None),
    (connect_event(channel="TASK"), IGNORED, None),
    (connect_event("QUEUED"), UPDATE, UpdateKind.STATE),
    (connect_event("CONNECTED_TO_AGENT"), UPDATE, UpdateKind.STATE),
    (connect_event("DISCONNECTED"), UPDATE, UpdateKind.ENDED),
]


@pytest.mark.parametrize(("payload", "disposition", "update"), CONNECT)
def test_what_a_contact_event_means(payload, disposition, update):
    event = one(AmazonConnect(), payload)
    assert meaning(event) == (disposition, update)
    assert (event.message.thread_id, event.message.message_id) == ("c0", "c1")
    assert event.message.sent_at_ms == 1_630_262_324_000
    assert event.delivery_id == "d1"


CONTACT = {
    "ContactId": "c1",
    "InitialContactId": None,
    "Channel": "VOICE",
    "InitiationMethod": "INBOUND",
    "CustomerEndpoint": {"Type": "TELEPHONE_NUMBER", "Address": "+49300001001"},
    "SystemEndpoint": {"Type": "TELEPHONE_NUMBER", "Address": "+498921234501"},
}


def test_the_event_of_a_contact_flow_names_the_caller():
    event = one(AmazonConnect(), {"Name": "ContactFlowEvent", "Details": {"ContactData": CONTACT}})
    assert event.disposition is CREATE
    assert event.message.customer.id == "+49300001001"
    assert event.message.to == "+498921234501"
    assert event.message.thread_id == "c1"


def test_a_contact_record_ends_and_names_but_opens_nothing():
    record = {**CONTACT, "DisconnectTimestamp": "2021-08-29T18:39:44Z"}
    first = one(AmazonConnect(), {**record, "LastUpdateTimestamp": "2021-08-29T18:40:00Z"})
    again = one(AmazonConnect(), {**record, "LastUpdateTimestamp": "2021-09-29T18:40:00Z"})
    assert meaning(first) == meaning(again) == (UPDATE, UpdateKind.ENDED)
    assert first.message.customer.id == "+49300001001"
    assert first.delivery_id != again.delivery_id
    assert meaning(one(AmazonConnect(), CONTACT)) == (UPDATE, UpdateKind.STATE)


def test_the_key_of_an_api_destination():
    request = WebhookRequest(headers={"X-Api-Key": "k"}, body=b"{}")
    AmazonConnect().verify(request, Secrets(["other", "k"]))
    for adapter, secrets in (
        (AmazonConnect(), Secrets("x")),
        (AmazonConnect(key_header="K"), Secrets("k")),
    ):
        with pytest.raises(SignatureError):
            adapter.verify(request, secrets)


# --- Google Meet ------------------------------------------------------------------------

MEET = [
    ("google.workspace.meet.conference.v2.started", UPDATE, UpdateKind.STATE),
    ("google.workspace.meet.conference.v2.ended", UPDATE, UpdateKind.ENDED),
    ("google.workspace.meet.participant.v2.joined", UPDATE, UpdateKind.STATE),
    ("google.workspace.meet.participant.v2.left", UPDATE, UpdateKind.STATE),
    ("google.workspace.meet.transcript.v2.fileGenerated", UPDATE, UpdateKind.STATE),
    ("google.workspace.events.subscription.v1.expirationReminder", LIFECYCLE, None),
    ("google.workspace.meet.something.v2.new", IGNORED, None),
    ("something else", IGNORED, None),
]


@pytest.mark.parametrize(("kind", "disposition", "update"), MEET)
def test_meet_opens_nothing(kind, disposition, update):
    event = one(
        GoogleMeet(), {"id": "e1", "type": kind, "data": {"a": {"name": "conferenceRecords/r-1/x"}}}
    )
    assert meaning(event) == (disposition, update)
    assert (event.message.thread_id, event.message.message_id) == ("conferenceRecords/r-1", "e1")


def test_a_push_of_meet_holds_its_type_in_the_attributes():
    data = base64.b64encode(
        json.dumps({"conferenceRecord": {"name": "conferenceRecords/r-1"}}).encode()
    )
    attributes = {"ce-type": MEET[1][0], "ce-id": "e9", "ce-time": "2026-07-01T10:00:00Z"}
    push = {"message": {"data": data.decode(), "attributes": attributes, "messageId": "7"}}
    event = one(GoogleMeet(), push)
    assert meaning(event) == (UPDATE, UpdateKind.ENDED)
    assert (event.message.thread_id, event.delivery_id) == ("conferenceRecords/r-1", "e9")
    assert event.message.sent_at_ms == 1_782_900_000_000


def test_a_push_of_meet_needs_an_audience_and_a_token():
    for adapter in (GoogleMeet(), GoogleMeet(audience="https://x.example")):
        with pytest.raises(SignatureError):
            adapter.verify(WebhookRequest(body=b"{}", received_at_ms=NOW_MS), Secrets("key"))


# --- reviews ----------------------------------------------------------------------------


def user_comment(text, seconds="1741046400"):
    comment = {
        "text": text,
        "lastModified": {"seconds": seconds},
        "starRating": 1,
        "reviewerLanguage": "de_DE",
    }
    return {"userComment": comment}


def test_a_play_review_and_our_answer():
    answer = {"developerComment": {"text": "Sorry", "lastModified": {"seconds": 1741046500}}}
    review = {
        "reviewId": "r1",
        "authorName": "K.",
        "comments": [user_comment("Bad\tIt crashes"), answer],
    }
    edit, theirs, ours = read(GooglePlay(), {"reviews": [review]})
    assert (edit.disposition, theirs.disposition, ours.disposition) == (UPDATE, CREATE, OWN)
    assert edit.message == theirs.message
    assert (theirs.message.subject, theirs.message.text) == ("Bad", "It crashes")
    assert theirs.message.language == "de"
    assert theirs.message.attributes["rating"] == 1
    assert theirs.message.message_id != ours.message.message_id
    assert theirs.message.thread_id == ours.message.thread_id == "r1"


def test_an_edited_play_review_keeps_its_id_and_is_another_delivery():
    first, later = (
        read(GooglePlay(), {"reviews": [{"reviewId": "r1", "comments": [user_comment("x", at)]}]})
        for at in ("1741046400", "1741046500")
    )
    assert {event.message.message_id for event in first + later} == {"r1"}
    assert first[0].delivery_id != later[0].delivery_id


def test_one_bad_review_does_not_lose_the_others():
    good = {"reviewId": "r1", "comments": [user_comment("x")]}
    found = read(GooglePlay(), {"reviews": [7, good, {"reviewId": "r2"}, {"comments": []}]})
    aside = [QUARANTINE, QUARANTINE]
    assert [event.disposition for event in found] == [QUARANTINE, UPDATE, CREATE, *aside]
    store = {"type": "customerReviews", "id": "1", "attributes": {"reviewerNickname": "J"}}
    found = read(AppStore(), {"data": ["x", store, {"type": "customerReviews"}]})
    assert [event.disposition for event in found] == [QUARANTINE, CREATE, QUARANTINE]


def test_answers_and_other_resources_of_the_app_store():
    related = {"review": {"data": {"id": "1", "type": "customerReviews"}}}
    answer = {"type": "customerReviewResponses", "id": "9", "attributes": {"responseBody": "Sorry"}}
    found = read(
        AppStore(),
        {"data": [{**answer, "relationships": related}], "included": [{"type": "apps", "id": "2"}]},
    )
    assert [event.disposition for event in found] == [OWN, IGNORED]
    assert (found[0].message.thread_id, found[0].message.text) == ("1", "Sorry")


# --- Intercom ---------------------------------------------------------------------------

USER = {"type": "user", "id": "u1", "name": "Eva", "email": "Eva@Example.org"}
PART = {
    "id": "p2",
    "body": "<p>Still <b>broken</b></p>",
    "created_at": "1410335294",
    "author": {"type": "user", "id": "x"},
}
CONVERSATION = {
    "type": "conversation",
    "id": "c1",
    "user": USER,
    "conversation_message": {"id": "m1", "body": "<p>Hi</p>", "author": USER},
    "conversation_parts": {"conversation_parts": [PART]},
}


def intercom(topic, item=CONVERSATION):
    return one(Intercom(), {"id": "n1", "topic": topic, "data": {"item": item}})


INTERCOM = [
    ("conversation.user.created", CREATE, "m1"),
    ("conversation.user.replied", APPEND, "p2"),
    ("conversation.admin.replied", OWN, "p2"),
    ("conversation.admin.noted", OWN, "p2"),
    ("conversation.admin.closed", LIFECYCLE, "p2"),
    ("conversation.read", LIFECYCLE, "p2"),
    ("conversation_part.redacted", UPDATE, "p2"),
    ("conversation.deleted", UPDATE, "p2"),
    ("user.created", LIFECYCLE, None),
    ("company.created", LIFECYCLE, None),
    ("something.new", IGNORED, None),
]


@pytest.mark.parametrize(("topic", "disposition", "message_id"), INTERCOM)
def test_what_a_topic_of_intercom_means(topic, disposition, message_id):
    event = intercom(topic)
    assert event.disposition is disposition
    assert event.message.message_id == message_id
    assert event.delivery_id == "n1"


def test_a_conversation_that_is_deleted_in_intercom_is_gone_as_a_whole():
    deleted = intercom("conversation.deleted")
    assert deleted.update is UpdateKind.THREAD_DELETED
    assert deleted.message.thread_id == intercom("conversation.user.created").message.thread_id
    assert intercom("conversation_part.redacted").update is UpdateKind.DELETED


def test_a_reply_in_intercom_is_its_latest_part_as_text():
    message = intercom("conversation.user.replied").message
    assert message.text == "Still broken"
    assert message.sent_at_ms == 1_410_335_294_000
    assert message.customer.id == "u1"
    assert message.customer.addresses == (Address(AddressKind.EMAIL, "eva@example.org"),)


def test_the_newer_shape_of_intercom():
    source = {
        "id": "m1",
        "body": "<p>Hi</p>",
        "author": {"type": "lead", "id": "x", "email": "a@b.example"},
    }
    item = {"id": "c1", "source": source, "contacts": {"contacts": [{"id": "k1"}]}}
    message = intercom("conversation.user.created", item).message
    assert (message.customer.id, message.text, message.message_id) == ("k1", "Hi", "m1")


def test_a_bot_that_opens_a_conversation_is_ours():
    item = {**CONVERSATION, "conversation_message": {"id": "m1", "author": {"type": "bot"}}}
    assert intercom("conversation.user.created", item).disposition is OWN


def test_the_checks_of_intercom():
    assert one(Intercom(), {"topic": "ping"}).disposition is Disposition.HANDSHAKE
    assert Intercom().handshake(WebhookRequest(method="HEAD"), Secrets("s")).status == 200
    assert Intercom().handshake(WebhookRequest(), Secrets("s")) is None


def test_the_signature_of_intercom():
    body = b'{"topic": "ping"}'
    mac = hmac.new(b"s", body, hashlib.sha1).hexdigest()
    request = WebhookRequest(body=body, headers={"X-Hub-Signature": f"sha1={mac}"})
    Intercom().verify(request, Secrets(["other", "s"]))
    for change in ({"body": body + b" "}, {"headers": {"X-Hub-Signature": mac}}, {"headers": {}}):
        with pytest.raises(SignatureError):
            Intercom().verify(attrs.evolve(request, **change), Secrets("s"))


# --- Zendesk Sunshine -------------------------------------------------------------------


def sunshine(*events):
    return read(ZendeskSunshine(), {"app": {"id": "a1"}, "events": list(events)})


def sunshine_event(kind="conversation:message", author="user", **message):
    content = {"type": "text", "text": "hi"}
    message = {
        "id": "m1",
        "author": {"type": author, "userId": "u1"},
        "content": content,
        **message,
    }
    payload = {"conversation": {"id": "c1"}, "message": message}
    return {"id": "e1", "type": kind, "createdAt": "2026-03-14T02:20:32.440Z", "payload": payload}


SUNSHINE = [
    (sunshine_event(), CREATE),
    (sunshine_event(author="business"), OWN),
    (sunshine_event("conversation:postback"), APPEND),
    (sunshine_event("conversation:read"), STATUS),
    (sunshine_event("conversation:typing"), STATUS),
    (sunshine_event("conversation:message:delivery:channel"), STATUS),
    (sunshine_event("conversation:create"), LIFECYCLE),
    (sunshine_event("user:merge"), LIFECYCLE),
    (sunshine_event("something:new"), IGNORED),
    ({"id": "e1"}, QUARANTINE),
    (
        {"type": "conversation:message", "payload": {"message": {"author": {"type": "user"}}}},
        QUARANTINE,
    ),
]


@pytest.mark.parametrize(("event", "disposition"), SUNSHINE)
def test_what_an_event_of_sunshine_means(event, disposition):
    found = sunshine(event, sunshine_event(id="m2"))
    assert [one.disposition for one in found] == [disposition, CREATE]


def test_what_sunshine_relays_keeps_its_id_there():
    source = {"type": "whatsapp", "originalMessageId": "wamid.1"}
    [event] = sunshine(sunshine_event(source=source))
    assert event.message.attributes["original_message_id"] == "wamid.1"
    assert event.message.channel is Channel.IN_APP_CHAT


def test_files_places_and_forms_of_sunshine():
    file = {
        "type": "file",
        "mediaUrl": "https://m.example/0",
        "mediaType": "image/png",
        "mediaSize": 7,
    }
    place = {"type": "location", "coordinates": {"lat": 48.1, "long": 11.5}}
    form = {
        "type": "formResponse",
        "fields": [{"label": "Order", "text": "4711"}, {"name": "x", "select": [{"label": "A"}]}],
    }
    found = [
        event.message
        for event in sunshine(*(sunshine_event(content=content) for content in (file, place, form)))
    ]
    assert found[0].attachments == (Attachment("image/png", "", "https://m.example/0", 7),)
    assert found[1].attributes["location"] == "48.1,11.5"
    assert found[2].text == "Order: 4711\nx: A"


def test_the_key_and_the_signature_of_zendesk():
    keyed = WebhookRequest(headers={"X-API-Key": "k"}, body=b"{}")
    ZendeskSunshine().verify(keyed, Secrets(["other", "k"]))
    with pytest.raises(SignatureError):
        ZendeskSunshine().verify(keyed, Secrets("other"))
    signed, found = vector("zendesk")
    # A right key does not help where a signature fails.
    both = {**signed.headers, "x-api-key": found["secret"], "x-zendesk-webhook-signature": "AAAA"}
    with pytest.raises(SignatureError):
        ZendeskSunshine().verify(attrs.evolve(signed, headers=both), Secrets(found["secret"]))


# --- one's own app, and iAdvize ---------------------------------------------------------

EVENT = {
    "type": "message",
    "id": "m1",
    "conversation": "c1",
    "customer": {"id": "u1"},
    "text": "hi",
}
OWN_APP = [
    ({}, CREATE, None),
    ({"type": "edited"}, UPDATE, UpdateKind.EDITED),
    ({"type": "deleted"}, UPDATE, UpdateKind.DELETED),
    ({"type": "ended", "id": None}, UPDATE, UpdateKind.ENDED),
    ({"type": "reaction"}, UPDATE, UpdateKind.REACTION),
    ({"type": "typing", "id": None}, STATUS, None),
    ({"type": "sent"}, OWN, None),
    ({"type": "new"}, IGNORED, None),
    ({"id": ""}, QUARANTINE, None),
    ({"conversation": None}, QUARANTINE, None),
    ({"type": None}, QUARANTINE, None),
]


@pytest.mark.parametrize(("changes", "disposition", "update"), OWN_APP)
def test_what_an_event_of_ones_own_app_means(changes, disposition, update):
    found = read(InAppChat(), {"events": [{**EVENT, **changes}, EVENT]})
    assert meaning(found[0]) == (disposition, update)
    assert meaning(found[1]) == (CREATE, None)


def test_everything_that_the_format_documents_arrives():
    text = in_app_chat.__doc__
    documented = json.loads(text[text.index('{"type"') : text.index("``type`` and")])
    message = one(InAppChat(), {"events": [documented]}).message
    assert message.customer.id == "u1"
    assert message.customer.name == "Eva"
    assert [address.value for address in message.customer.addresses] == [
        "eva@example.org",
        "+49300001001",
    ]
    assert (message.thread_id, message.message_id, message.to) == ("c1", "m1", "shop app")
    assert (message.text, message.language) == ("Hello", "de")
    assert message.sent_at_ms == 1_773_454_832_000
    assert message.attachments == (Attachment("image/png", "a.png", "https://...", 7),)
    assert message.attributes == {"order": "4711", "vip": True}


def test_only_plain_values_are_attributes():
    values = {"a": 1, "b": 1.5, "c": None, "d": {"x": 1}, "e": ["x", 7], "f": 2**60, "g": False}
    message = one(InAppChat(), {"events": [{**EVENT, "attributes": values}]}).message
    assert message.attributes == {"a": 1, "e": ("x",), "g": False}


class TestOwnSignature:
    BODY = b'{"events": []}'

    def signed(self, at_s=NOW_MS // 1000, secret="s", now_ms=NOW_MS):
        return WebhookRequest(
            headers=sign(secret, self.BODY, at_s), body=self.BODY, received_at_ms=now_ms
        )

    def test_it_holds_for_five_minutes(self):
        for now_ms in (NOW_MS - 300_000, NOW_MS, NOW_MS + 300_000):
            InAppChat().verify(self.signed(now_ms=now_ms), Secrets(["other", "s"]))

    @pytest.mark.parametrize("now_ms", [None, NOW_MS - 300_001, NOW_MS + 300_001])
    def test_it_is_refused_outside_them_and_without_a_clock(self, now_ms):
        with pytest.raises(SignatureError, match="clock"):
            InAppChat().verify(self.signed(now_ms=now_ms), Secrets("s"))

    def test_another_time_body_or_secret_is_refused(self):
        request = self.signed()
        later = {**request.headers, "x-omniroute-timestamp": str(NOW_MS // 1000 + 1)}
        for changed in ({"headers": later}, {"body": b'{"events": [7]}'}):
            with pytest.raises(SignatureError, match="match"):
                InAppChat().verify(attrs.evolve(request, **changed), Secrets("s"))
        with pytest.raises(SignatureError, match="match"):
            InAppChat().verify(self.signed(secret="x"), Secrets("s"))

    def test_iadvize_signs_the_body_alone(self):
        mac = hmac.new(b"s", self.BODY, hashlib.sha256).hexdigest()
        request = WebhookRequest(headers={"X-iAdvize-Signature": f"sha256={mac}"}, body=self.BODY)
        InAppChat().verify(request, Secrets("s"))
        with pytest.raises(SignatureError):
            InAppChat().verify(attrs.evolve(request, body=b"{}"), Secrets("s"))


def iadvize(role="visitor", url="https://x.example/conversations/cv%2D1/messages", **message):
    payload = {"contentType": "text", "value": "hi"}
    message = {"idMessage": "m1", "author": {"role": role}, "payload": payload, **message}
    return one(InAppChat(), {"idOperator": "op", "message": message}, url=url)


def test_a_visitor_of_iadvize_is_told_apart_by_the_conversation_in_the_url():
    event = iadvize(createdAt="2017-11-22T12:04:00.762Z[Etc/UTC]")
    assert event.disposition is CREATE
    assert (event.message.thread_id, event.message.customer.id) == ("cv-1", "cv-1:visitor")
    assert event.message.sent_at_ms == 1_511_352_240_762
    assert iadvize(url="https://x.example/?idConversation=cv-2").message.thread_id == "cv-2"
    assert iadvize(url="http://[").message.thread_id == "m1"


def test_what_an_operator_of_iadvize_writes_is_ours():
    assert iadvize("operator").disposition is OWN


# --- Apple ------------------------------------------------------------------------------

APPLE = {"id": "m1", "type": "text", "sourceId": "urn:mbid:x/+=", "body": "hi", "locale": "de_DE"}


@pytest.mark.parametrize(
    ("kind", "disposition"),
    [
        ("text", CREATE),
        ("interactive", APPEND),
        ("typing_start", STATUS),
        ("close", UPDATE),
        ("new", IGNORED),
    ],
)
def test_what_a_message_of_apple_means(kind, disposition):
    for body in (
        json.dumps({**APPLE, "type": kind}).encode(),
        gzip.compress(json.dumps({**APPLE, "type": kind}).encode()),
    ):
        event = one(AppleMessages(), body)
        assert event.disposition is disposition
        assert event.message.customer.id == event.message.thread_id == "urn:mbid:x/+="
        assert event.message.language == "de"


def test_the_headers_say_what_the_body_does_not():
    body = {"type": "text", "body": "hi"}
    message = one(
        AppleMessages(), body, headers={"source-id": "s", "id": "m", "destination-id": "d"}
    ).message
    assert (message.customer.id, message.message_id, message.to) == ("s", "m", "d")


def test_a_bomb_is_never_unpacked():
    bomb = gzip.compress(b"0" * 10_000_000, mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLargeError):
            read(AppleMessages(unpacked_bytes=100_000), bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b'{"type": "text"}', mtime=0)[:-4], b"\x1f\x8bx", gzip.compress(b"[]", mtime=0)],
)
def test_damaged_gzip_is_refused(body):
    with pytest.raises(PayloadError):
        read(AppleMessages(), body)


def apple_token(claims, key=b"secret"):
    def packed(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signed = (
        f"{packed(json.dumps({'alg': 'HS256'}).encode())}.{packed(json.dumps(claims).encode())}"
    )
    return f"{signed}.{packed(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def apple_request(token, now_ms=NOW_MS):
    return WebhookRequest(
        headers={"Authorization": f"Bearer {token}"}, body=b"{}", received_at_ms=now_ms
    )


def test_the_token_of_apple_is_signed_with_the_decoded_secret():
    secrets = Secrets(["b3RoZXI=", base64.b64encode(b"secret").decode()])
    claims = {"aud": "msp", "iat": NOW_MS // 1000}
    for service in ("", "msp"):
        AppleMessages(service_id=service).verify(apple_request(apple_token(claims)), secrets)
    with pytest.raises(SignatureError, match="another service"):
        AppleMessages(service_id="me").verify(apple_request(apple_token(claims)), secrets)
    with pytest.raises(SignatureError, match="old"):
        AppleMessages().verify(apple_request(apple_token(claims), NOW_MS + 400_000), secrets)
    with pytest.raises(SignatureError, match="match"):
        AppleMessages().verify(apple_request(apple_token(claims, b"x")), secrets)
