"""Instagram, WhatsApp, Telegram, LINE, Viber: what each event means, one row per rule."""

import json

import pytest

from omniroute.channels import WebhookRequest, adapter_named
from omniroute.model import Address, AddressKind, Attachment


def read(channel, payload):
    body = json.dumps(payload).encode()
    return adapter_named(channel).normalize(WebhookRequest(body=body, received_at_ms=1))


def one(channel, payload):
    [event] = read(channel, payload)
    return event


def meaning(event):
    """The disposition, and of an update what it updates."""
    return event.update.value if event.update else event.disposition.value


# --- Instagram --------------------------------------------------------------------------

DM = {"sender": {"id": "200"}, "recipient": {"id": "100"}, "timestamp": 1772998024000}
BACK = {"sender": {"id": "100"}, "recipient": {"id": "200"}, "timestamp": 1772998024000}


def instagram(**entry):
    return {"object": "instagram", "entry": [{"id": "100", "time": 1520383571, **entry}]}


@pytest.mark.parametrize(
    ("event", "means"),
    [
        ({**DM, "message": {"mid": "m", "text": "hi"}}, "create"),
        ({**DM, "message": {"mid": "m", "reply_to": {"story": {"id": "7"}}}}, "create"),
        ({**DM, "message": {"mid": "m", "reply_to": {"mid": "m0"}}}, "append"),
        ({**DM, "message": {"mid": "m", "is_unsupported": True}}, "create"),
        ({**DM, "postback": {"mid": "m", "title": "Yes"}}, "append"),
        ({**DM, "message": {"mid": "m", "is_deleted": True}}, "deleted"),
        ({**DM, "message_edit": {"mid": "m", "text": "new"}}, "edited"),
        ({**DM, "reaction": {"mid": "m", "action": "react"}}, "reaction"),
        ({**DM, "read": {"mid": "m"}}, "status"),
        ({**DM, "referral": {}}, "lifecycle"),
        ({**BACK, "message": {"mid": "m", "is_echo": True}}, "own"),
        ({**BACK, "message": {"mid": "m"}}, "own"),
        ({**DM, "brand_new": {}}, "ignored"),
    ],
)
def test_instagram_messages(event, means):
    found = one("instagram", instagram(messaging=[event]))
    assert meaning(found) == means
    assert found.message.thread_id == "100:200"
    assert found.message.customer.id == "200"
    assert found.message.sent_at_ms == 1_772_998_024_000
    standby = one("instagram", instagram(standby=[event]))
    assert meaning(standby) == "lifecycle"


COMMENT = {"id": "c1", "from": {"id": "200", "username": "jane"}, "text": "hi"}


@pytest.mark.parametrize(
    ("field", "value", "means", "thread"),
    [
        ("comments", COMMENT, "create", "c1"),
        ("live_comments", COMMENT, "create", "c1"),
        ("comments", {**COMMENT, "parent_id": "c0"}, "append", "c0"),
        ("comments", {**COMMENT, "from": {"id": "100"}}, "own", "c1"),
        ("comments", {**COMMENT, "from": {"id": "9", "self_ig_scoped_id": "8"}}, "own", "c1"),
        ("comments", {"text": "hi"}, "quarantine", None),
        ("mentions", {"media_id": "m1", "comment_id": "c2"}, "create", "c2"),
        ("mentions", {"media_id": "m1"}, "create", "m1"),
        ("story_insights", {"media_id": "m1"}, "ignored", None),
    ],
)
def test_instagram_comments(field, value, means, thread):
    payload = instagram(changes=[{"field": field, "value": value}])
    found = one("instagram", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means in {"create", "append"}:
        assert found.message.sent_at_ms == 1_520_383_571_000  # of the entry, in seconds


def test_instagram_messages_may_come_as_changes_and_the_test_button_opens_nothing():
    change = {"field": "messages", "value": {**DM, "message": {"mid": "m", "text": "hi"}}}
    payload = instagram(changes=[change])
    assert meaning(one("instagram", payload)) == "create"
    payload["entry"][0]["id"] = "0"
    assert meaning(one("instagram", payload)) == "lifecycle"


def test_a_story_mention_is_a_message_that_says_so():
    story = {"type": "story_mention", "payload": {"url": "https://cdn.example/s"}}
    event = {**DM, "message": {"mid": "m", "attachments": [story]}}
    found = one("instagram", instagram(messaging=[event]))
    assert meaning(found) == "create"
    assert found.message.attributes["story_mention"] is True
    assert found.message.links == ("https://cdn.example/s",)


# --- WhatsApp ---------------------------------------------------------------------------

SAYS = {"from": "491701234567", "id": "w1", "timestamp": "1697043223"}
TEXT = {**SAYS, "type": "text", "text": {"body": "see https://shop.example/p"}}


def whatsapp(field="messages", contacts=(), **lists):
    value = {"metadata": {"phone_number_id": "77"}, "contacts": list(contacts), **lists}
    changes = [{"field": field, "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


@pytest.mark.parametrize(
    ("message", "means", "text"),
    [
        (TEXT, "create", "see https://shop.example/p"),
        ({**TEXT, "context": {"id": "w0"}}, "append", "see https://shop.example/p"),
        ({**TEXT, "context": {"forwarded": True}}, "create", "see https://shop.example/p"),
        ({**SAYS, "type": "image", "image": {"id": "9", "caption": "look"}}, "create", "look"),
        ({**SAYS, "type": "button", "button": {"text": "Yes", "payload": "Y"}}, "append", "Yes"),
        (
            {
                **SAYS,
                "type": "interactive",
                "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Red"}},
            },
            "append",
            "Red",
        ),
        (
            {
                **SAYS,
                "type": "interactive",
                "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "name": "f"}},
            },
            "append",
            "Sent",
        ),
        (
            {
                **SAYS,
                "type": "contacts",
                "contacts": [{"name": {"formatted_name": "Jo"}, "phones": [{"phone": "+491"}]}],
            },
            "create",
            "Jo +491",
        ),
        ({**SAYS, "type": "order", "order": {"catalog_id": "1", "text": "two"}}, "create", "two"),
        ({**SAYS, "type": "unsupported", "errors": [{"title": "unknown"}]}, "create", ""),
        ({**SAYS, "type": "something_new"}, "create", ""),
        ({**SAYS, "type": "reaction", "reaction": {"message_id": "w0"}}, "reaction", ""),
        (
            {
                **SAYS,
                "type": "edit",
                "edit": {
                    "original_message_id": "w0",
                    "message": {"type": "text", "text": {"body": "new"}},
                },
            },
            "edited",
            "new",
        ),
        ({**SAYS, "type": "revoke", "revoke": {"original_message_id": "w0"}}, "deleted", ""),
        ({**SAYS, "type": "system", "system": {"body": "changed"}}, "lifecycle", "changed"),
        ({**SAYS, "type": "request_welcome"}, "lifecycle", ""),
        ({"type": "text", "text": {"body": "hi"}}, "quarantine", None),
    ],
)
def test_whatsapp_messages(message, means, text):
    found = one("whatsapp", whatsapp(messages=[message]))
    assert meaning(found) == means
    if text is not None:
        assert found.message.text == text
        assert found.message.thread_id == "77:491701234567"
        assert found.message.sent_at_ms == 1_697_043_223_000
        assert found.message.customer.addresses == (Address(AddressKind.E164, "+491701234567"),)


@pytest.mark.parametrize(
    ("field", "lists", "means"),
    [
        ("messages", {"statuses": [{"id": "w", "status": "read", "recipient_id": "4"}]}, "status"),
        ("smb_message_echoes", {"message_echoes": [{"id": "w", "to": "4"}]}, "own"),
        ("calls", {"calls": [{"id": "k", "from": "4", "event": "connect"}]}, "create"),
        ("calls", {"calls": [{"id": "k", "from": "4", "event": "terminate"}]}, "ended"),
        (
            "calls",
            {"calls": [{"id": "k", "to": "4", "direction": "BUSINESS_INITIATED"}]},
            "own",
        ),
        ("calls", {"calls": [{"event": "connect", "from": "4"}]}, "quarantine"),
        ("history", {"messages": [TEXT]}, "lifecycle"),
        ("account_update", {}, "lifecycle"),
        ("message_template_status_update", {}, "lifecycle"),
        ("messages", {"errors": [{"code": 1}]}, "lifecycle"),
        ("brand_new", {}, "ignored"),
    ],
)
def test_other_events_of_whatsapp(field, lists, means):
    assert meaning(one("whatsapp", whatsapp(field, **lists))) == means


def test_a_whatsapp_call_is_not_the_chat_beside_it():
    call = one("whatsapp", whatsapp("calls", calls=[{"id": "k", "from": "4", "event": "connect"}]))
    assert call.message.thread_id == "k"
    assert call.message.attributes["kind"] == "call"


def test_whatsapp_keeps_every_id_of_a_customer():
    contact = {
        "wa_id": "491700000000",
        "user_id": "US.1",
        "parent_user_id": "US.ENT.2",
        "profile": {"name": "Jo"},
    }
    found = one("whatsapp", whatsapp(contacts=[contact], messages=[TEXT]))
    assert (found.message.customer.id, found.message.customer.name) == ("491701234567", "Jo")
    assert found.message.attributes == {
        "user_id": "US.1",
        "parent_user_id": "US.ENT.2",
        "wa_id": "491700000000",
    }
    hidden = {**TEXT, "from_user_id": "US.1"}
    del hidden["from"]
    without = {"user_id": "US.1", "profile": {"name": "Jo"}}
    found = one("whatsapp", whatsapp(contacts=[without], messages=[hidden]))
    assert (found.message.customer.id, found.message.thread_id) == ("US.1", "77:US.1")


def test_one_bad_message_does_not_lose_the_others():
    found = read("whatsapp", whatsapp(messages=[TEXT, "nonsense", {**TEXT, "id": "w2"}]))
    assert [meaning(event) for event in found] == ["create", "quarantine", "create"]


# --- Telegram ---------------------------------------------------------------------------

PERSON = {"id": 23, "is_bot": False, "first_name": "Jo", "last_name": "Doe"}
CHAT = {"id": 23, "type": "private"}
NOTE = {"message_id": 7, "from": PERSON, "chat": CHAT, "date": 1631132077}


@pytest.mark.parametrize(
    ("update", "means"),
    [
        ({"message": {**NOTE, "text": "hi"}}, "create"),
        ({"message": {**NOTE, "reply_to_message": {**NOTE, "message_id": 6}}}, "append"),
        ({"message": {**NOTE, "from": {**PERSON, "is_bot": True}}}, "own"),
        ({"message": {**NOTE, "is_automatic_forward": True}}, "own"),
        ({"message": {**NOTE, "new_chat_members": [PERSON]}}, "lifecycle"),
        ({"message": {**NOTE, "pinned_message": {}}}, "lifecycle"),
        ({"message": {**NOTE, "something_new": {}}}, "create"),
        ({"business_message": {**NOTE, "business_connection_id": "b"}}, "create"),
        (
            {
                "business_message": {
                    **NOTE,
                    "business_connection_id": "b",
                    "from": {**PERSON, "id": 5},
                }
            },
            "own",
        ),
        ({"edited_message": {**NOTE, "text": "new"}}, "edited"),
        ({"channel_post": {**NOTE, "text": "news"}}, "own"),
        ({"callback_query": {"id": "9", "from": PERSON, "message": NOTE, "data": "y"}}, "append"),
        ({"message_reaction": {"chat": CHAT, "message_id": 7, "new_reaction": []}}, "reaction"),
        ({"deleted_business_messages": {"chat": CHAT, "message_ids": [7]}}, "deleted"),
        ({"my_chat_member": {"chat": CHAT, "from": PERSON}}, "lifecycle"),
        ({"inline_query": {"id": "1", "from": PERSON}}, "lifecycle"),
        ({"poll_answer": {}}, "lifecycle"),
        ({"something_new": {}}, "ignored"),
        ({"message": {"message_id": 1, "text": "from nowhere"}}, "quarantine"),
    ],
)
def test_telegram_updates(update, means):
    found = one("telegram", {"update_id": 1, **update})
    assert meaning(found) == means
    if means in {"create", "append"}:
        assert found.message.thread_id == "23"
        assert found.message.customer.id == "23"
        assert found.delivery_id == "1"


def test_telegram_counts_messages_per_chat_and_threads_per_topic():
    found = one("telegram", {"update_id": 1, "message": {**NOTE, "message_thread_id": 4}})
    assert (found.message.message_id, found.message.thread_id) == ("23:7", "23:4")
    assert found.message.sent_at_ms == 1_631_132_077_000
    assert found.message.customer.name == "Jo Doe"


def test_the_sizes_of_a_photo_are_one_attachment_and_an_animation_is_no_document():
    sizes = [{"file_id": "s", "width": 9, "height": 9}, {"file_id": "l", "width": 90, "height": 90}]
    found = one("telegram", {"update_id": 1, "message": {**NOTE, "photo": sizes, "caption": "c"}})
    assert found.message.attachments == (Attachment("image/jpeg", "", "telegram-file:l"),)
    assert found.message.text == "c"
    twin = {"file_id": "a", "file_size": 5}
    animated = {**NOTE, "animation": twin, "document": twin}
    found = one("telegram", {"update_id": 1, "message": animated})
    assert found.message.attachments == (Attachment("video/mp4", "", "telegram-file:a", 5),)


def test_a_link_behind_words_is_a_link():
    entities = [{"type": "text_link", "url": "https://shop.example/p"}]
    message = {**NOTE, "text": "there", "entities": entities}
    found = one("telegram", {"update_id": 1, "message": message})
    assert found.message.links == ("https://shop.example/p",)


# --- LINE -------------------------------------------------------------------------------

USER = {"source": {"type": "user", "userId": "U1"}, "timestamp": 1462629479859}
LINE = {**USER, "webhookEventId": "e1", "type": "message"}


def line(*events):
    return {"destination": "D", "events": list(events)}


@pytest.mark.parametrize(
    ("event", "means"),
    [
        ({**LINE, "message": {"id": "1", "type": "text", "text": "hi"}}, "create"),
        ({**LINE, "message": {"id": "1", "type": "text", "quotedMessageId": "0"}}, "append"),
        ({**LINE, "message": {"id": "1", "type": "something_new"}}, "create"),
        ({**LINE, "type": "postback", "postback": {"data": "a=b"}}, "append"),
        (
            {**LINE, "type": "messageEdited", "message": {"type": "text", "id": "1", "text": "a"}},
            "edited",
        ),
        ({**LINE, "type": "messageEdited", "message": {"id": "1"}}, "state"),
        ({**LINE, "type": "unsend", "unsend": {"messageId": "1"}}, "deleted"),
        ({**LINE, "type": "videoPlayComplete"}, "status"),
        ({**LINE, "type": "unfollow"}, "lifecycle"),
        ({**LINE, "type": "memberJoined"}, "lifecycle"),
        ({**LINE, "type": "something_new"}, "ignored"),
        ({**LINE, "mode": "standby", "message": {"id": "1", "type": "text"}}, "lifecycle"),
        ({**LINE, "message": "text"}, "quarantine"),
        ({**LINE, "source": {}, "message": {"id": "1", "type": "text"}}, "quarantine"),
    ],
)
def test_line_events(event, means):
    found = one("line", line(event))
    assert meaning(found) == means
    if means in {"create", "append"}:
        assert (found.message.thread_id, found.message.to) == ("U1", "D")
        assert found.message.sent_at_ms == 1_462_629_479_859


def test_one_event_id_on_many_events_loses_none_of_them():
    events = [{**LINE, "message": {"id": str(n), "type": "text"}} for n in range(3)]
    found = read("line", line(*events))
    assert len({event.delivery_id for event in found}) == 3
    assert len({event.message.message_id for event in found}) == 3


def test_a_line_group_is_the_thread_and_its_members_are_the_customers():
    source = {"type": "group", "groupId": "G", "userId": "U1"}
    found = one("line", line({**LINE, "source": source, "message": {"id": "1", "type": "text"}}))
    assert (found.message.thread_id, found.message.customer.id) == ("G", "U1")


def test_the_console_of_line_only_checks():
    assert meaning(one("line", line())) == "handshake"


# --- Viber ------------------------------------------------------------------------------

TOKEN = 4912661846655238145
VIBER = {"timestamp": 1457764197627, "message_token": TOKEN, "sender": {"id": "A=", "name": "Jo"}}


@pytest.mark.parametrize(
    ("event", "means"),
    [
        ({"event": "message", "message": {"type": "text", "text": "hi"}}, "create"),
        ({"event": "message", "message": {"type": "something_new"}}, "create"),
        ({"event": "message"}, "quarantine"),
        ({"event": "webhook"}, "handshake"),
        ({"event": "seen"}, "status"),
        ({"event": "unsubscribed"}, "lifecycle"),
        ({"event": "something_new"}, "ignored"),
    ],
)
def test_viber_events(event, means):
    found = one("viber", {**VIBER, **event})
    assert meaning(found) == means
    if means == "create":
        assert found.message.message_id == "4912661846655238145"
        assert found.message.thread_id == "A="


@pytest.mark.parametrize(
    ("message", "text", "link", "place"),
    [
        ({"type": "url", "media": "https://x.example/"}, "https://x.example/", True, None),
        ({"type": "location", "location": {"lat": 48.1, "lon": 11.5}}, "", False, "48.1,11.5"),
        ({"type": "contact", "contact": {"name": "Jo", "phone_number": "+49"}}, "Jo +49", 0, None),
    ],
)
def test_what_viber_messages_hold(message, text, link, place):
    found = one("viber", {**VIBER, "event": "message", "message": message}).message
    assert (found.text, bool(found.links), found.attributes.get("location")) == (
        text,
        bool(link),
        place,
    )
