"""Slack, Teams, Discord, Matrix and Google's: what each event means, one row per rule."""

import base64
import json
from urllib.parse import urlencode

import pytest

from channels.test_chat_channels import meaning, one, read
from omniroute.channels import Matrix, WebhookRequest, adapter_named
from omniroute.channels.discord import acknowledge
from omniroute.errors import PayloadError
from omniroute.model import Address, AddressKind, Attachment

# --- Slack ------------------------------------------------------------------------------

POST = {"type": "message", "user": "U1", "channel": "C1", "ts": "1766458026.240809", "text": "hi"}


def slack(**event):
    bot = {"user_id": "UBOT", "is_bot": True}
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "event": event,
        "authorizations": [bot],
    }


@pytest.mark.parametrize(
    ("event", "means", "thread"),
    [
        (POST, "create", "C1:1766458026.240809"),
        ({**POST, "type": "app_mention"}, "create", "C1:1766458026.240809"),
        ({**POST, "thread_ts": POST["ts"]}, "create", "C1:1766458026.240809"),
        ({**POST, "thread_ts": "1.5"}, "append", "C1:1.5"),
        ({**POST, "subtype": "thread_broadcast", "thread_ts": "1.5"}, "append", "C1:1.5"),
        ({**POST, "subtype": "file_share"}, "create", "C1:1766458026.240809"),
        ({**POST, "channel": "D1", "channel_type": "im"}, "create", "D1"),
        ({**POST, "channel": "D1", "thread_ts": "1.5"}, "append", "D1:1.5"),
        ({**POST, "bot_id": "B1"}, "own", "C1:1766458026.240809"),
        ({**POST, "subtype": "bot_message"}, "own", "C1:1766458026.240809"),
        ({**POST, "user": "USLACKBOT"}, "own", "C1:1766458026.240809"),
        ({**POST, "user": "UBOT"}, "own", "C1:1766458026.240809"),
        ({**POST, "subtype": "channel_join"}, "lifecycle", "C1:1766458026.240809"),
        (
            {**POST, "subtype": "message_changed", "message": {**POST, "ts": "1.5"}},
            "edited",
            "C1:1.5",
        ),
        (
            {
                **POST,
                "subtype": "message_changed",
                "message": {"text": "new", "user": "U1"},
                "previous_message": {"ts": "1.5"},
            },
            "edited",
            "C1:1.5",
        ),
        (
            {
                **POST,
                "subtype": "message_deleted",
                "deleted_ts": "1.5",
                "previous_message": {"user": "U1", "text": "gone"},
            },
            "deleted",
            "C1:1.5",
        ),
        (
            {
                **POST,
                "subtype": "message_changed",
                "message": {"subtype": "tombstone", "ts": "1.5"},
            },
            "deleted",
            "C1:1.5",
        ),
        ({"type": "reaction_removed", "item": {"channel": "C1", "ts": "1.5"}}, "reaction", None),
        ({"type": "member_joined_channel", "channel": "C1"}, "lifecycle", "C1"),
        ({"type": "channel_created", "channel": {"id": "C1"}}, "lifecycle", "C1"),
        ({"type": "brand_new"}, "ignored", None),
        ({"type": "message", "text": "from nowhere"}, "quarantine", None),
    ],
)
def test_slack_events(event, means, thread):
    found = one("slack", slack(**event))
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means == "deleted":
        assert found.message.text == ""
    if means != "quarantine":
        assert found.delivery_id == "Ev1"


def test_slack_text_and_files():
    file = {
        "mimetype": "image/png",
        "name": "a.png",
        "url_private": "https://f.example/a",
        "size": 5,
    }
    text = "a &amp;amp; b &lt;3 <https://shop.example/p?a=1&amp;b=2|here>"
    message = one("slack", slack(**{**POST, "text": text, "files": [file]})).message
    assert message.text.startswith("a &amp; b <3")
    assert message.links == ("https://shop.example/p?a=1&b=2",)
    assert message.attachments == (Attachment("image/png", "a.png", "https://f.example/a", 5),)
    assert message.message_id == "C1:1766458026.240809"
    assert message.sent_at_ms == 1_766_458_026_240


COMMAND = {
    "command": "/help",
    "text": "me & you",
    "user_id": "U1",
    "channel_id": "C1",
    "trigger_id": "1.2",
}
PRESSED = {
    "type": "block_actions",
    "trigger_id": "1.2",
    "user": {"id": "U1"},
    "channel": {"id": "C1"},
    "message": {"ts": "1.5"},
    "actions": [{"action_id": "a", "value": "v", "text": {"text": "Yes"}, "action_ts": "2.5"}],
}


def test_slack_commands_and_buttons_come_as_forms():
    body = urlencode(COMMAND).encode()
    [found] = adapter_named("slack").normalize(WebhookRequest(body=body))
    assert (meaning(found), found.message.text) == ("create", "me & you")
    body = urlencode({"payload": json.dumps(PRESSED)}).encode()
    [found] = adapter_named("slack").normalize(WebhookRequest(body=body))
    assert (meaning(found), found.message.text) == ("append", "Yes")
    assert (found.message.thread_id, found.message.message_id) == ("C1:1.5", "1.2")


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("view_submission", "append"),
        ("shortcut", "create"),
        ("view_closed", "lifecycle"),
        ("brand_new", "ignored"),
    ],
)
def test_other_interactions_of_slack(kind, means):
    assert meaning(one("slack", {**PRESSED, "type": kind})) == means


# --- Teams ------------------------------------------------------------------------------

ROOM = "19:a@thread.tacv2;messageid=100"
TEAMS = {
    "type": "message",
    "id": "100",
    "timestamp": "2025-12-23T03:19:23.0597717Z",
    "from": {"id": "29:x", "name": "Jo", "aadObjectId": "aad"},
    "recipient": {"id": "28:bot", "name": "Shop"},
    "conversation": {"id": ROOM},
    "text": "<at>Shop</at> hello <at>Ann</at>",
}


@pytest.mark.parametrize(
    ("activity", "means"),
    [
        ({}, "create"),
        ({"id": "101"}, "append"),
        ({"conversation": {"id": "a:1"}}, "create"),
        ({"conversation": {"id": "a:1"}, "replyToId": "99"}, "append"),
        ({"conversation": {"id": "a:1"}, "text": "", "value": {"a": 1}}, "append"),
        ({"type": "invoke", "name": "adaptiveCard/action", "value": {}}, "append"),
        ({"type": "invoke", "name": "composeExtension/query"}, "ignored"),
        ({"from": {"id": "28:other"}}, "own"),
        ({"from": {"id": "x", "role": "bot"}}, "own"),
        ({"type": "messageUpdate"}, "edited"),
        ({"type": "messageDelete"}, "deleted"),
        ({"type": "messageReaction", "replyToId": "9"}, "reaction"),
        ({"type": "typing"}, "status"),
        ({"type": "event", "name": "application/vnd.microsoft.readReceipt"}, "status"),
        ({"type": "conversationUpdate"}, "lifecycle"),
        ({"type": "endOfConversation"}, "lifecycle"),
        ({"type": "brandNew"}, "ignored"),
        ({"conversation": {}}, "quarantine"),
    ],
)
def test_teams_activities(activity, means):
    found = one("teams", {**TEAMS, **activity})
    assert meaning(found) == means
    if means == "create":
        assert found.message.text == "hello Ann"
        assert found.message.attributes["aad_object_id"] == "aad"
        assert found.message.sent_at_ms == 1_766_459_963_059


def test_the_html_twin_of_a_message_is_no_file_and_a_file_is():
    attachments = [
        {"contentType": "text/html", "content": '<p>see <a href="https://x.example/">x</a></p>'},
        {"contentType": "application/vnd.microsoft.card.adaptive", "content": {}},
        {
            "contentType": "application/vnd.microsoft.teams.file.download.info",
            "name": "a.pdf",
            "content": {"downloadUrl": "https://f.example/a"},
        },
        {"contentType": "image/png", "contentUrl": "https://f.example/b"},
    ]
    message = one("teams", {**TEAMS, "text": "", "attachments": attachments}).message
    assert message.text == "see x"
    assert message.links == ("https://x.example/",)
    assert [file.url for file in message.attachments] == [
        "https://f.example/a",
        "https://f.example/b",
    ]


# --- Discord ----------------------------------------------------------------------------

NOTE = {"id": "1457536551830421524", "channel_id": "7", "author": {"id": "3"}, "content": "hi"}


def gateway(kind, **data):
    return {"op": 0, "s": 1, "t": kind, "d": data}


@pytest.mark.parametrize(
    ("payload", "means"),
    [
        (gateway("MESSAGE_CREATE", **NOTE), "create"),
        ({"type": "GATEWAY_MESSAGE_CREATE", "data": NOTE}, "create"),
        (gateway("MESSAGE_CREATE", **{**NOTE, "content": ""}), "create"),
        (gateway("MESSAGE_CREATE", **NOTE, channel_type=11), "append"),
        (gateway("MESSAGE_CREATE", **NOTE, type=19), "append"),
        (gateway("MESSAGE_CREATE", **NOTE, message_reference={"message_id": "1"}), "append"),
        (gateway("MESSAGE_CREATE", **{**NOTE, "author": {"id": "3", "bot": True}}), "own"),
        (gateway("MESSAGE_CREATE", **NOTE, webhook_id="5"), "own"),
        (gateway("MESSAGE_CREATE", **NOTE, type=7), "lifecycle"),
        (gateway("MESSAGE_CREATE", content="from nowhere"), "quarantine"),
        (gateway("MESSAGE_UPDATE", **NOTE), "edited"),
        (gateway("MESSAGE_UPDATE", **{**NOTE, "content": ""}), "state"),  # a link got its preview
        (gateway("MESSAGE_DELETE", id="1", channel_id="7"), "deleted"),
        (gateway("MESSAGE_REACTION_ADD", user_id="3", message_id="1"), "reaction"),
        (gateway("TYPING_START", user_id="3"), "status"),
        (gateway("GUILD_MEMBER_ADD"), "lifecycle"),
        (gateway("THREAD_CREATE", id="8"), "lifecycle"),
        (gateway("BRAND_NEW"), "ignored"),
        ({"op": 0, "t": "MESSAGE_CREATE", "d": "text"}, "quarantine"),
        ({"type": 1}, "handshake"),
        ({"type": 9, "id": "1"}, "ignored"),
        ({"type": 4, "id": "1"}, "status"),
    ],
)
def test_discord(payload, means):
    found = one("discord", payload)
    assert meaning(found) == means
    if means in {"create", "append"}:
        assert (found.message.customer.id, found.message.thread_id) == ("3", "7")
        assert found.message.message_id == "1457536551830421524"


@pytest.mark.parametrize(
    ("kind", "data", "means", "text"),
    [
        (2, {"name": "help", "options": [{"name": "a", "value": 5}]}, "create", "/help 5"),
        (3, {"custom_id": "y"}, "append", "Yes"),
        (3, {"custom_id": "z", "values": ["red", "blue"]}, "append", "red blue"),
        (3, {"custom_id": "z"}, "append", "z"),
        (5, {"components": [{"components": [{"value": "a"}]}]}, "append", "a"),
    ],
)
def test_discord_interactions(kind, data, means, text):
    rows = [{"components": [{"custom_id": "y", "label": "Yes"}]}]
    payload = {
        "type": kind,
        "id": "1457536551830421524",
        "channel_id": "7",
        "member": {"user": {"id": "3"}},
        "message": {"components": rows},
        "data": data,
    }
    found = one("discord", payload)
    assert (meaning(found), found.message.text) == (means, text)
    assert (found.message.customer.id, found.message.thread_id) == ("3", "7")
    assert found.message.sent_at_ms == 1_767_574_193_676  # told by the id


def test_messages_deleted_together_are_deleted_each():
    found = read("discord", gateway("MESSAGE_DELETE_BULK", ids=["1", "2"], channel_id="7"))
    assert [(meaning(event), event.message.message_id) for event in found] == [
        ("deleted", "1"),
        ("deleted", "2"),
    ]


# --- Matrix -----------------------------------------------------------------------------

SAID = {
    "type": "m.room.message",
    "room_id": "!r",
    "sender": "@jo:x",
    "event_id": "$1",
    "origin_server_ts": 1432735824653,
}


@pytest.mark.parametrize(
    ("event", "means", "thread"),
    [
        ({"content": {"msgtype": "m.text", "body": "hi"}}, "create", "!r"),
        ({"content": {"msgtype": "m.notice", "body": "hi"}}, "own", "!r"),
        (
            {"content": {"body": "hi", "m.relates_to": {"rel_type": "m.thread", "event_id": "$0"}}},
            "append",
            "$0",
        ),
        (
            {
                "content": {
                    "body": "> <@a:x> q\n\nhi",
                    "m.relates_to": {"m.in_reply_to": {"event_id": "$0"}},
                }
            },
            "append",
            "!r",
        ),
        (
            {
                "content": {
                    "body": "* hi",
                    "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"},
                }
            },
            "edited",
            "!r",
        ),
        ({"type": "m.room.encrypted", "content": {"ciphertext": "x"}}, "create", "!r"),
        ({"type": "m.sticker", "content": {"body": "cat", "url": "mxc://x/1"}}, "create", "!r"),
        ({"unsigned": {"redacted_because": {}}, "content": {}}, "deleted", "!r"),
        ({"type": "m.room.topic", "state_key": "", "content": {}}, "lifecycle", "!r"),
        ({"type": "m.reaction", "content": {}}, "reaction", "!r"),
        ({"type": "m.receipt", "content": {}}, "status", "!r"),
        ({"type": "m.brand.new", "content": {}}, "ignored", "!r"),
        ({"room_id": None, "content": {"body": "hi"}}, "quarantine", None),
    ],
)
def test_matrix_events(event, means, thread):
    found = one("matrix", {"events": [{**SAID, **event}]})
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if "hi" in str(event.get("content")) and means != "quarantine":
        assert found.message.text == "hi"
    if means == "create":
        assert found.message.sent_at_ms == 1_432_735_824_653


def test_our_own_matrix_users_open_nothing_and_a_transaction_is_a_delivery():
    events = [{**SAID, "content": {"msgtype": "m.text", "body": "hi"}}]
    request = WebhookRequest(
        method="PUT",
        url="https://x.example/_matrix/app/v1/transactions/t%2F7",
        body=json.dumps({"events": events}).encode(),
    )
    [found] = Matrix().normalize(request)
    assert (meaning(found), found.delivery_id) == ("create", "t/7:$1")
    [found] = Matrix(own_users=("@jo:x",)).normalize(request)
    assert meaning(found) == "own"


def test_typing_stands_beside_the_events():
    found = read("matrix", {"events": [], "ephemeral": [{"type": "m.typing", "room_id": "!r"}]})
    assert [meaning(event) for event in found] == ["status"]


# --- Google Chat ------------------------------------------------------------------------

HUMAN = {"name": "users/1", "displayName": "Jo", "email": "Jo@Example.org", "type": "HUMAN"}
TEXT = {
    "name": "spaces/S/messages/M",
    "sender": HUMAN,
    "text": "hi",
    "thread": {"name": "spaces/S/threads/T"},
    "space": {"name": "spaces/S"},
    "createTime": "2026-01-02T18:02:52.270735Z",
}


def addon(key, **payload):
    return {"chat": {"user": HUMAN, "eventTime": "2026-01-02T18:02:53Z", key: payload}}


def workspace(kind, **data):
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    attributes = {"ce-type": f"google.workspace.{kind}"}
    return {"message": {"attributes": attributes, "data": encoded, "messageId": "77"}}


@pytest.mark.parametrize(
    ("payload", "means", "thread"),
    [
        (addon("messagePayload", message=TEXT), "create", "spaces/S/threads/T"),
        (
            addon("messagePayload", message=TEXT, space={"name": "spaces/S", "type": "DM"}),
            "create",
            "spaces/S",
        ),
        (
            addon("messagePayload", message={**TEXT, "threadReply": True}),
            "append",
            "spaces/S/threads/T",
        ),
        (
            addon("messagePayload", message={**TEXT, "sender": {"name": "users/2", "type": "BOT"}}),
            "own",
            "spaces/S/threads/T",
        ),
        (
            addon("buttonClickedPayload", message={**TEXT, "sender": {"type": "BOT"}}),
            "append",
            "spaces/S/threads/T",
        ),
        (addon("addedToSpacePayload", space={"name": "spaces/S"}), "lifecycle", "spaces/S"),
        (addon("brandNewPayload"), "ignored", None),
        ({"type": "MESSAGE", "message": TEXT, "user": HUMAN}, "create", "spaces/S/threads/T"),
        ({"type": "CARD_CLICKED", "message": TEXT, "user": HUMAN}, "append", "spaces/S/threads/T"),
        ({"type": "REMOVED_FROM_SPACE", "space": {"name": "spaces/S"}}, "lifecycle", "spaces/S"),
        (workspace("chat.message.v1.created", message=TEXT), "create", "spaces/S/threads/T"),
        (workspace("chat.message.v1.updated", message=TEXT), "edited", "spaces/S/threads/T"),
        (workspace("chat.message.v1.deleted", message=TEXT), "deleted", "spaces/S/threads/T"),
        (workspace("chat.reaction.v1.created", reaction={}), "reaction", None),
        (workspace("chat.membership.v1.created", membership={}), "lifecycle", None),
        (workspace("events.subscription.v1.expirationReminder"), "lifecycle", None),
        (workspace("chat.message.v1.created", message="text"), "quarantine", None),
    ],
)
def test_google_chat(payload, means, thread):
    found = one("google_chat", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means == "create":
        assert found.message.message_id == "spaces/S/messages/M"
        assert found.message.customer.id == "users/1"
        assert found.message.customer.addresses == (Address(AddressKind.EMAIL, "jo@example.org"),)
        assert found.message.sent_at_ms == 1_767_376_972_270
    if means == "append":
        assert found.message.customer.id == "users/1"


def test_several_messages_of_one_push_are_told_apart():
    batch = workspace(
        "chat.message.v1.batchCreated",
        messages=[{"message": TEXT}, {"message": {**TEXT, "name": "spaces/S/messages/N"}}],
    )
    found = read("google_chat", batch)
    assert [event.message.message_id[-1] for event in found] == ["M", "N"]
    assert [event.delivery_id for event in found] == ["77:0", "77:1"]


# --- Business Messages, RCS -------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "means", "text"),
    [
        ({"message": {"messageId": "m", "text": "hi"}}, "create", "hi"),
        ({"suggestionResponse": {"text": "Yes", "postbackData": "y"}}, "append", "Yes"),
        ({"userStatus": {"isTyping": True}}, "status", ""),
        ({"userStatus": {"requestedLiveAgent": True}}, "create", ""),
        ({"receipts": {}}, "status", ""),
        ({"surveyResponse": {}}, "lifecycle", ""),
        ({"brandNew": {}}, "ignored", ""),
    ],
)
def test_business_messages(event, means, text):
    found = one(
        "google_business_messages",
        {"conversationId": "c", "requestId": "r", "sendTime": "2014-10-02T15:01:23.045123456Z"}
        | event,
    )
    assert (meaning(found), found.message.text) == (means, text)
    assert (found.message.thread_id, found.message.sent_at_ms) == ("c", 1_412_262_083_045)


PHONE = {"senderPhoneNumber": "+914253136789", "sendTime": "2018-12-31T15:01:23.045123456Z"}


@pytest.mark.parametrize(
    ("event", "means"),
    [
        ({"messageId": "m", "text": "hi"}, "create"),
        ({"messageId": "m", "suggestionResponse": {"text": "Yes"}}, "append"),
        ({"messageId": "m", "userFile": {"payload": {"fileUri": "https://f.example/a"}}}, "create"),
        ({"messageId": "m", "location": {"latitude": 48.1, "longitude": 11.5}}, "create"),
        ({"messageId": "m", "brandNew": {}}, "create"),
        ({"eventType": "READ", "eventId": "e", "messageId": "m"}, "status"),
        ({"eventType": "UNSUBSCRIBE", "eventId": "e"}, "lifecycle"),
        ({"eventType": "BRAND_NEW", "eventId": "e"}, "ignored"),
        ({"text": "hi", "messageId": "m", "senderPhoneNumber": ""}, "quarantine"),
    ],
)
def test_rcs(event, means):
    for payload in ({**PHONE, **event}, enveloped({**PHONE, **event})):
        found = one("rcs", payload)
        assert meaning(found) == means
        if means in {"create", "append"}:
            assert found.message.thread_id == "+914253136789"
            assert found.message.sent_at_ms == 1_546_268_483_045


def enveloped(event):
    data = base64.b64encode(json.dumps(event).encode()).decode()
    return {"message": {"data": data, "messageId": "p"}, "subscription": "projects/x"}


@pytest.mark.parametrize("data", ["%%%", "", "bm8=", "W10="])
def test_an_envelope_without_an_event_is_refused(data):
    body = json.dumps({"message": {"data": data}, "subscription": "s"}).encode()
    for channel in ("rcs", "google_chat", "google_business_messages"):
        with pytest.raises(PayloadError):
            adapter_named(channel).normalize(WebhookRequest(body=body))


# --- an invoke that comes again ---------------------------------------------------------

INVOKE = {
    **TEAMS,
    "type": "invoke",
    "name": "adaptiveCard/action",
    "replyToId": "card",
    "text": "",
    "value": {"action": {"verb": "call me"}},
    "timestamp": "2026-01-01T10:00:10.0000000Z",
}


def invoked(**changes):
    return one("teams", {**INVOKE, **changes})


def test_an_invoke_that_comes_again_under_a_new_id_is_told_by_what_was_answered():
    first = invoked(id="f:1")
    again = invoked(id="f:2", timestamp="2026-01-01T10:00:40.0000000Z")
    assert first.disposition == again.disposition == "append"
    assert (first.message.message_id, again.message.message_id) == ("f:1", "f:2")
    assert first.delivery_id == again.delivery_id
    for other in (
        invoked(value={"action": {"verb": "no"}}),
        invoked(replyToId="another card"),
        invoked(**{"from": {"id": "29:another"}}),
        invoked(conversation={"id": "elsewhere"}),
        invoked(timestamp="2026-01-01T11:00:00.0000000Z"),
    ):
        assert other.delivery_id != first.delivery_id
    assert one("teams", TEAMS).delivery_id is None


# --- what Discord must hear -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (b'{"type": 2}', {"type": 5}),
        (b'{"type": 3}', {"type": 6}),
        (b'{"type": 4}', {"type": 8, "data": {"choices": []}}),
        (b'{"type": 5}', {"type": 5}),
        (b'{"type": 99}', None),
        (b'{"t": "MESSAGE_CREATE", "d": {}}', None),
        (b"{", None),
    ],
)
def test_an_interaction_hears_that_the_answer_follows(body, heard):
    reply = acknowledge(WebhookRequest(body=body))
    assert reply.status == 200
    assert reply.body == (
        b"" if heard is None else json.dumps(heard, separators=(",", ":")).encode()
    )


def test_the_time_of_a_workspace_event_stands_beside_it_where_the_message_has_none():
    event = {"message": {"name": "m", "sender": {"name": "users/1"}, "space": {"name": "spaces/S"}}}
    attributes = {
        "ce-type": "google.workspace.chat.message.v1.created",
        "ce-time": "2026-01-01T10:00:00.5Z",
    }
    data = base64.b64encode(json.dumps(event).encode()).decode()
    found = one("google_chat", {"message": {"data": data, "attributes": attributes}})
    assert found.message.sent_at_ms == 1_767_261_600_500
