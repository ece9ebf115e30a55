"""Pages and Messenger: what opens an interaction, and what must never."""

import json

import pytest

from omniroute.channels import WebhookRequest, adapter_named
from omniroute.errors import PayloadError
from omniroute.model import Attachment, Channel, Disposition, UpdateKind

META = adapter_named("messenger")
PAGE, CUSTOMER = "100", "200"


def read(payload):
    return META.normalize(WebhookRequest(body=json.dumps(payload).encode()))


def page(**entry):
    return {"object": "page", "entry": [{"id": PAGE, "time": 1, **entry}]}


def messaging(*events, sender=CUSTOMER):
    recipient = CUSTOMER if sender == PAGE else PAGE
    base = {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": 1772998024000}
    return page(messaging=[{**base, **event} for event in events])


def change(field="feed", **value):
    return page(changes=[{"field": field, "value": value}])


def one(payload):
    [event] = read(payload)
    return event


# --- Messenger --------------------------------------------------------------------------

MESSAGES = [
    ({"message": {"mid": "m", "text": "hi"}}, Disposition.CREATE),
    ({"message": {"mid": "m"}}, Disposition.CREATE),
    ({"message": {"mid": "m", "text": "hi", "reply_to": {"mid": "m0"}}}, Disposition.APPEND),
    ({"message": {"mid": "m", "text": "Yes", "quick_reply": {"payload": "Y"}}}, Disposition.APPEND),
    ({"postback": {"mid": "m", "title": "Start", "payload": "GO"}}, Disposition.APPEND),
    ({"message": {"mid": "m", "text": "hi", "is_echo": True}}, Disposition.OWN),
    ({"message": {"mid": "m", "is_deleted": True}}, Disposition.UPDATE),
    ({"message_edit": {"mid": "m", "text": "new"}}, Disposition.UPDATE),
    ({"reaction": {"mid": "m", "action": "react", "emoji": "❤"}}, Disposition.UPDATE),
    ({"delivery": {"watermark": 1}}, Disposition.STATUS),
    ({"read": {"watermark": 1}}, Disposition.STATUS),
    ({"referral": {"ref": "x"}}, Disposition.LIFECYCLE),
    ({"optin": {"ref": "x"}}, Disposition.LIFECYCLE),
    ({"pass_thread_control": {}}, Disposition.LIFECYCLE),
    ({"take_thread_control": {}}, Disposition.LIFECYCLE),
    ({"something_new": {}}, Disposition.IGNORED),
    ({}, Disposition.IGNORED),
]


@pytest.mark.parametrize(("event", "disposition"), MESSAGES)
def test_what_a_private_message_means(event, disposition):
    found = one(messaging(event))
    assert found.disposition is disposition
    message = found.message
    assert message.channel is Channel.MESSENGER
    assert (message.customer.id, message.thread_id, message.to) == ("200", "100:200", "100")
    assert message.sent_at_ms == 1_772_998_024_000


def test_what_the_page_sends_belongs_to_the_customers_thread_and_opens_nothing():
    for extra in ({}, {"is_echo": True}):
        found = one(messaging({"message": {"mid": "m", "text": "hi", **extra}}, sender=PAGE))
        assert found.disposition is Disposition.OWN
        assert found.message.thread_id == "100:200"


def test_standby_belongs_to_another_app():
    payload = messaging({"message": {"mid": "m", "text": "hi"}})
    payload["entry"][0]["standby"] = payload["entry"][0].pop("messaging")
    payload["entry"][0]["standby"].append({})
    assert [event.disposition for event in read(payload)] == [Disposition.LIFECYCLE] * 2


def test_a_postback_without_an_id_gets_one_of_its_content():
    first = one(messaging({"postback": {"title": "Start", "payload": "GO"}}))
    again = one(messaging({"postback": {"title": "Start", "payload": "GO"}}))
    other = one(messaging({"postback": {"title": "Stop", "payload": "NO"}}))
    assert first.message.message_id == again.message.message_id != other.message.message_id
    assert first.message.text == "Start"
    assert first.message.attributes == {"payload": "GO"}


def test_attachments_links_and_places():
    attachments = [
        {"type": "image", "payload": {"url": "https://cdn.example/i.jpg"}},
        {"type": "audio", "payload": {"url": "https://cdn.example/a"}},
        {"type": "fallback", "title": "Page", "url": "https://shop.example/p"},
        {"type": "location", "payload": {"coordinates": {"lat": 48.1, "long": 11.5}}},
        {"type": "file"},
        "nonsense",
    ]
    message = one(messaging({"message": {"mid": "m", "attachments": attachments}})).message
    assert message.attachments == (
        Attachment("image/*", "", "https://cdn.example/i.jpg"),
        Attachment("audio/*", "", "https://cdn.example/a"),
        Attachment(),
    )
    assert message.links == ("https://shop.example/p",)
    assert message.attributes["location"] == "48.1,11.5"


# --- the page ---------------------------------------------------------------------------

AUTHOR = {"from": {"id": CUSTOMER, "name": "Jane"}}
COMMENT = {"item": "comment", "comment_id": "1_2", "post_id": "100_1", **AUTHOR}
CHANGES = [
    ({**COMMENT, "verb": "add", "parent_id": "100_1"}, Disposition.CREATE, "1_2", "1_2"),
    ({**COMMENT, "verb": "add"}, Disposition.CREATE, "1_2", "1_2"),
    ({**COMMENT, "verb": "add", "parent_id": "1_1"}, Disposition.APPEND, "1_1", "1_2"),
    ({**COMMENT, "verb": "edited"}, UpdateKind.STATE, "1_2", "1_2"),
    ({**COMMENT, "verb": "edited", "message": "new"}, UpdateKind.EDITED, "1_2", "1_2"),
    ({**COMMENT, "verb": "remove"}, UpdateKind.DELETED, "1_2", "1_2"),
    ({**COMMENT, "verb": "hide"}, UpdateKind.STATE, "1_2", "1_2"),
    ({**COMMENT, "verb": "add", "from": {"id": PAGE}}, Disposition.OWN, "1_2", "1_2"),
    ({**COMMENT, "verb": "new verb"}, Disposition.IGNORED, "1_2", "1_2"),
    ({**COMMENT, "item": "reaction", "verb": "add"}, UpdateKind.REACTION, "1_2", "1_2"),
    (
        {"item": "like", "verb": "add", "post_id": "100_1", **AUTHOR},
        UpdateKind.REACTION,
        "100_1",
        None,
    ),
    ({"item": "like", "verb": "add"}, UpdateKind.REACTION, None, None),
    (
        {"item": "status", "verb": "add", "post_id": "100_3", **AUTHOR},
        Disposition.CREATE,
        "100_3",
        "100_3",
    ),
    (
        {"item": "status", "verb": "add", "post_id": "100_3", "from": {"id": PAGE}},
        Disposition.OWN,
        "100_3",
        "100_3",
    ),
    ({"item": "page", "verb": "add", **AUTHOR}, Disposition.IGNORED, None, None),
    # Older payloads, and apps without the permission to see people.
    (
        {"item": "comment", "verb": "add", "comment_id": "1_2", "sender_id": 200},
        Disposition.CREATE,
        "1_2",
        "1_2",
    ),
    ({"item": "comment", "verb": "add", "comment_id": "1_2"}, Disposition.CREATE, "1_2", "1_2"),
    ({"item": "comment", "verb": "add"}, Disposition.QUARANTINE, None, None),
]


@pytest.mark.parametrize(("value", "means", "thread", "message_id"), CHANGES)
def test_what_a_change_of_the_page_means(value, means, thread, message_id):
    found = one(change(**value))
    if isinstance(means, UpdateKind):
        assert (found.disposition, found.update) == (Disposition.UPDATE, means)
    else:
        assert (found.disposition, found.update) == (means, None)
    assert found.message.channel is Channel.FACEBOOK
    assert found.message.thread_id == thread
    if means is not Disposition.QUARANTINE:
        assert found.message.message_id == message_id


def test_a_comment_keeps_who_what_where_and_when():
    found = one(
        change(
            **COMMENT,
            verb="add",
            message="See https://shop.example/p",
            photo="https://cdn.example/p.jpg",
            created_time=1511951015,
            post={"permalink_url": "https://facebook.example/1"},
        )
    )
    message = found.message
    assert (message.customer.id, message.customer.name, message.to) == ("200", "Jane", "100")
    assert message.sent_at_ms == 1_511_951_015_000
    assert message.links == ("https://shop.example/p",)
    assert message.attachments == (Attachment("image/*", "", "https://cdn.example/p.jpg"),)
    assert message.attributes["permalink"] == "https://facebook.example/1"


def test_a_review_opens_an_interaction():
    found = one(
        change(
            "ratings",
            item="rating",
            verb="add",
            reviewer_id=CUSTOMER,
            reviewer_name="Jane",
            review_text="Never again",
            open_graph_story_id="9",
            recommendation_type="NEGATIVE",
        )
    )
    assert found.disposition is Disposition.CREATE
    assert (found.message.customer.id, found.message.message_id) == ("200", "9")
    assert found.message.text == "Never again"
    assert found.message.attributes["recommendation_type"] == "NEGATIVE"


# --- deliveries -------------------------------------------------------------------------


def test_both_kinds_in_one_delivery_are_read_whatever_the_url_is_called():
    payload = messaging({"message": {"mid": "m", "text": "hi"}})
    payload["entry"] += change(**COMMENT, verb="add", message="hello")["entry"]
    for name in ("facebook", "messenger"):
        body = json.dumps(payload).encode()
        events = adapter_named(name).normalize(WebhookRequest(body=body))
        assert [event.message.channel for event in events] == ["messenger", "facebook"]


BAD_EVENTS = ["text", 7, None, [], {"message": "text"}, {"sender": {}, "message": {"mid": "x"}}]


@pytest.mark.parametrize("bad", BAD_EVENTS)
def test_one_bad_event_does_not_lose_the_others(bad):
    payload = messaging(
        {"message": {"mid": "m1", "text": "one"}}, {"message": {"mid": "m2", "text": "two"}}
    )
    events = payload["entry"][0]["messaging"]
    events.insert(1, {**events[0], **bad} if isinstance(bad, dict) else bad)
    payload["entry"].insert(0, "not an entry")
    found = read(payload)
    dispositions = [event.disposition for event in found]
    assert dispositions == ["quarantine", "create", "quarantine", "create"]
    assert [event.message.text for event in found if event.disposition == "create"] == [
        "one",
        "two",
    ]
    for event in found:
        if event.disposition is Disposition.QUARANTINE:
            assert event.reason
            assert event.message.text  # the event itself, for a human and for later
            assert event.message.message_id.startswith("sha256:")


@pytest.mark.parametrize(
    "payload", [{"object": "permissions", "entry": [{"id": "1"}]}, change("leadgen", x=1)]
)
def test_what_is_not_read_here_is_ignored_and_counted(payload):
    found = one(payload)
    assert found.disposition is Disposition.IGNORED
    assert found.reason


@pytest.mark.parametrize(
    ("entry", "disposition"),
    [
        ({"brand_new": [{}]}, Disposition.IGNORED),
        ({"changed_fields": ["feed"]}, Disposition.IGNORED),
        ({"messaging": {"message": {"mid": "m"}}}, Disposition.QUARANTINE),
    ],
)
@pytest.mark.parametrize("name", ["facebook", "messenger", "instagram", "whatsapp"])
def test_no_entry_passes_unseen(name, entry, disposition):
    body = json.dumps(page(**entry)).encode()
    [event] = adapter_named(name).normalize(WebhookRequest(body=body))
    assert event.disposition is disposition


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"entry": 7}', b"[" * 100_000])
def test_a_delivery_without_entries_is_refused(body):
    with pytest.raises(PayloadError):
        META.normalize(WebhookRequest(body=body))


def test_half_a_surrogate_pair_and_nul_do_not_reach_the_journal():
    import msgspec

    body = b'{"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"2"},"message":{"mid":"m","text":"a\\ud83d\\u0000b"}}]}]}'
    [event] = META.normalize(WebhookRequest(body=body))
    assert event.message.text == "a?b"
    msgspec.json.encode(event)


def test_large_ids_stay_exact():
    body = b'{"object":"page","entry":[{"id":12345678901234567890123,"messaging":[{"sender":{"id":98765432109876543210987},"message":{"mid":"m"}}]}]}'
    [event] = META.normalize(WebhookRequest(body=body))
    assert event.message.thread_id == "12345678901234567890123:98765432109876543210987"
