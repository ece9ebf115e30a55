"""On every channel an edit finds its message and a deletion takes it away, through a router.

A case is the recorded input of a customer's message and what the provider sends when he changes
it or takes it back, made of that input where nobody has recorded one.
"""

import base64
import copy
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import pytest

from channels.rows import DATA
from omniroute import Outcome, Plan, Queue, Router, TriageRule, channels
from omniroute.channels import CHANNELS, WebhookRequest
from omniroute.model import Disposition

pytestmark = pytest.mark.anyio

AT_MS = 1_800_000_000_000
NEW = "what it says now"
PLAN = Plan(queues=[Queue(name="support")], triage=[TriageRule(queue="support")])


def recorded(name):
    return json.loads((DATA / f"{name}.json").read_bytes())


def changed(payload, *steps, **fields):
    """A copy with the fields of the object at the end of the steps set; None takes one out."""
    whole = copy.deepcopy(payload)
    found = whole
    for step in steps:
        found = found[step]
    for name, value in fields.items():
        found[name] = value
        if value is None:
            del found[name]
    return whole


MESSAGING = ("entry", 0, "messaging", 0)
FEED = ("entry", 0, "changes", 0, "value")
FACEBOOK = recorded("facebook_page/bottender__comment_reply")
MESSENGER = recorded("messenger/vercel__image")
INSTAGRAM = recorded("instagram/vercel__text_utf8")
WHATSAPP = recorded("whatsapp/vercel__text")
TELEGRAM = recorded("telegram/vercel__text")
BUSINESS = {"update_id": 2000, "business_message": TELEGRAM["message"]}
LINE = recorded("line/sdk__text_redelivery")
LINE_EDIT = changed(recorded("line/sdk__message_edited"), "events", 0, "message", text=NEW)
UNSEND = {"type": "unsend", "message": None, "unsend": {"messageId": "325708"}}
TWEET = recorded("x/tock__mention")
TWEETED = TWEET["tweet_create_events"][0]["id_str"]
SLACK = recorded("slack/vercel__dm")
TEAMS = recorded("teams/msdocs__personal_message")
DISCORD = recorded("discord/vercel__mention")
YOUTUBE = recorded("youtube/lib__thread_single")
COMMENT = ("items", 0, "snippet", "topLevelComment", "snippet")
MASTODON = recorded("mastodon/own__mention_1")
GOOGLE_PLAY = recorded("google_play/own__reviews_1")
REVIEW = ("reviews", 0, "comments", 0, "userComment")
APP_STORE = recorded("app_store/appledocs__customer_review")
INTERCOM = recorded("intercom/lib__conversation_user_created")
MATRIX = recorded("matrix/spec__text")
ROOM_EVENT = MATRIX["events"][0]["event_id"]
CHAT_EVENT = recorded("google_chat/vercel__pubsub_followup")
IN_APP = {
    "type": "message",
    "id": "m1",
    "conversation": "c1",
    "customer": {"id": "u1"},
    "text": "hi",
}
POSTED = {
    "action": "COMMENT",
    "notificationId": 1,
    "organizationalEntity": "urn:li:organization:96072893",
    "lastModifiedAt": 1691574506310,
    "generatedActivity": "urn:li:comment:(urn:li:activity:7094637247890620418,7094977717598625792)",
    "decoratedGeneratedActivity": {"comment": {"owner": "urn:li:person:1", "text": "hi"}},
}
LINKEDIN = changed(recorded("linkedin/derived__comment_delete"), notifications=[POSTED])
LINKEDIN_GONE = recorded("linkedin/derived__comment_delete")


def slack(subtype, **fields):
    before = SLACK["event"]
    event = {
        "type": "message",
        "subtype": subtype,
        "channel": before["channel"],
        "channel_type": "im",
        "previous_message": before,
        "ts": "1771442490.000100",
        **fields,
    }
    return {**SLACK, "event_id": "Ev9", "event": event}


def discord(kind, **fields):
    data = {"id": DISCORD["data"]["id"], "channel_id": DISCORD["data"]["channel_id"], **fields}
    return {"type": f"GATEWAY_{kind}", "data": data}


def matrix(**fields):
    event = {**MATRIX["events"][0], "event_id": "$later:example.org", **fields}
    return {"events": [event]}


def google_chat(what, **fields):
    message = json.loads(base64.b64decode(CHAT_EVENT["message"]["data"]))["message"]
    data = base64.b64encode(json.dumps({"message": {**message, **fields}}).encode()).decode()
    kind = f"google.workspace.chat.message.v1.{what}"
    return changed(CHAT_EVENT, "message", attributes={"ce-type": kind}, data=data)


def jetstream(operation, text="", **more):
    facet = {"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:shop"}
    record = {"text": text, "facets": [{"features": [facet]}], **more}
    commit = {"operation": operation, "collection": "app.bsky.feed.post", "rkey": "3k1"}
    commit |= {"record": record} if text else {}
    return {
        "did": "did:plc:cust1",
        "time_us": 1725911162329308,
        "kind": "commit",
        "commit": commit,
    }


def activity(kind, at="1", **fields):
    note = {"id": "https://s/1", "type": "Note", "content": "<p>hi</p>", **fields}
    return {
        "@context": "x",
        "id": f"https://s/a/{at}",
        "type": kind,
        "actor": "https://s/jo",
        "object": note,
    }


def whatsapp(kind, **fields):
    more = {"id": "wamid.LATER", "type": kind, "text": None, kind: fields}
    return changed(WHATSAPP, *FEED, "messages", 0, **more)


EDITED_TEXT = {"type": "text", "text": {"body": NEW}}
REPLACED = {
    "msgtype": "m.text",
    "body": f"* {NEW}",
    "m.new_content": {"msgtype": "m.text", "body": NEW},
    "m.relates_to": {"rel_type": "m.replace", "event_id": ROOM_EVENT},
}
LATER = "2031-04-20T01:03:39.000Z"
V2 = {"for_user_id": "9", "event_uuid": "e1", "filter": {"user_id": "9"}}
POST = {"id": "5", "author_id": "7", "text": "hi @shop", "conversation_id": "5"}


def x_v2(kind, uuid, payload):
    return {"data": {**V2, "event_uuid": uuid, "event_type": kind, "payload": payload}}


EDITS = {
    "facebook": (FACEBOOK, changed(FACEBOOK, *FEED, verb="edited", message=NEW)),
    "messenger": (
        MESSENGER,
        changed(
            MESSENGER, *MESSAGING, message=None, message_edit={"mid": "m_FAKE_IMG_001", "text": NEW}
        ),
    ),
    "instagram": (
        INSTAGRAM,
        changed(
            INSTAGRAM,
            *MESSAGING,
            message=None,
            message_edit={"mid": "mid_ig_text_001", "text": NEW},
        ),
    ),
    "whatsapp": (
        WHATSAPP,
        whatsapp("edit", original_message_id="wamid.FAKE_MSG_ID_001", message=EDITED_TEXT),
    ),
    "telegram": (
        TELEGRAM,
        {
            "update_id": 1003,
            "edited_message": {**TELEGRAM["message"], "edit_date": 1767224999, "text": NEW},
        },
    ),
    "telegram/business": (
        BUSINESS,
        {"update_id": 2001, "edited_business_message": {**TELEGRAM["message"], "text": NEW}},
    ),
    "line": (LINE, LINE_EDIT),
    "slack": (
        SLACK,
        slack("message_changed", message={**SLACK["event"], "text": NEW, "blocks": None}),
    ),
    "teams": (TEAMS, {**TEAMS, "type": "messageUpdate", "text": NEW}),
    "discord": (DISCORD, discord("MESSAGE_UPDATE", content=NEW, edited_timestamp=LATER)),
    "linkedin": (
        LINKEDIN,
        changed(
            LINKEDIN,
            "notifications",
            0,
            action="COMMENT_EDIT",
            notificationId=2,
            decoratedGeneratedActivity={"comment": {"owner": "urn:li:person:1", "text": NEW}},
        ),
    ),
    "youtube": (YOUTUBE, changed(YOUTUBE, *COMMENT, textOriginal=NEW, updatedAt=LATER)),
    "matrix": (MATRIX, matrix(content=REPLACED)),
    "mastodon": (
        MASTODON,
        {
            **MASTODON,
            "id": "882",
            "type": "update",
            "status": {**MASTODON["status"], "content": f"<p>{NEW}</p>"},
        },
    ),
    "mastodon/inbox": (
        activity("Create"),
        activity("Update", "2", content=f"<p>{NEW}</p>", updated=LATER),
    ),
    "bluesky": (jetstream("create", "hi"), jetstream("update", NEW)),
    "google_chat": (CHAT_EVENT, google_chat("updated", text=NEW, lastUpdateTime=LATER)),
    "google_play": (
        GOOGLE_PLAY,
        changed(GOOGLE_PLAY, *REVIEW, text=f"\t{NEW}", lastModified={"seconds": "1741046500"}),
    ),
    "app_store": (APP_STORE, changed(APP_STORE, "data", 0, "attributes", body=NEW)),
    "in_app_chat": (
        {"events": [IN_APP]},
        {"events": [{**IN_APP, "type": "edited", "text": NEW}]},
    ),
}

DELETIONS = {
    "facebook": (FACEBOOK, changed(FACEBOOK, *FEED, verb="remove", message=None)),
    "messenger": (
        MESSENGER,
        changed(MESSENGER, *MESSAGING, message={"mid": "m_FAKE_IMG_001", "is_deleted": True}),
    ),
    "instagram": (
        INSTAGRAM,
        changed(INSTAGRAM, *MESSAGING, message={"mid": "mid_ig_text_001", "is_deleted": True}),
    ),
    "whatsapp": (WHATSAPP, whatsapp("revoke", original_message_id="wamid.FAKE_MSG_ID_001")),
    "telegram/business": (
        BUSINESS,
        {
            "update_id": 2002,
            "deleted_business_messages": {
                "business_connection_id": "b",
                "chat": TELEGRAM["message"]["chat"],
                "message_ids": [TELEGRAM["message"]["message_id"]],
            },
        },
    ),
    "line": (LINE, changed(LINE, "events", 0, webhookEventId="later", **UNSEND)),
    "x": (
        TWEET,
        {
            "for_user_id": TWEET["for_user_id"],
            "tweet_delete_events": [
                {"status": {"id": TWEETED, "user_id": "14235326"}, "timestamp_ms": "1556885999000"}
            ],
        },
    ),
    "x/v2": (x_v2("post.mention.create", "e1", POST), x_v2("post.delete", "e2", {"id": "5"})),
    "slack": (SLACK, slack("message_deleted", deleted_ts=SLACK["event"]["ts"])),
    "teams": (TEAMS, {**TEAMS, "type": "messageDelete", "text": None}),
    "discord": (DISCORD, discord("MESSAGE_DELETE")),
    "discord/bulk": (
        DISCORD,
        discord("MESSAGE_DELETE_BULK", id=None, ids=["1", DISCORD["data"]["id"]]),
    ),
    "linkedin": (LINKEDIN, LINKEDIN_GONE),
    "matrix": (
        MATRIX,
        matrix(type="m.room.redaction", content={"redacts": ROOM_EVENT}),
    ),
    "matrix/old room": (
        MATRIX,
        matrix(type="m.room.redaction", redacts=ROOM_EVENT, content={}),
    ),
    "mastodon/inbox": (
        activity("Create"),
        {
            **activity("Delete", "2"),
            "object": {"id": "https://s/1", "type": "Tombstone"},
        },
    ),
    "bluesky": (jetstream("create", "hi"), jetstream("delete")),
    "google_chat": (CHAT_EVENT, google_chat("deleted", text=None, deleteTime=LATER)),
    "intercom": (
        INTERCOM,
        {**INTERCOM, "id": "notif_2", "topic": "conversation.deleted"},
    ),
    "in_app_chat": ({"events": [IN_APP]}, {"events": [{**IN_APP, "type": "deleted"}]}),
}


def read(case, payload):
    adapter = CHANNELS[case.partition("/")[0]]
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return adapter.normalize(WebhookRequest(body=body, received_at_ms=AT_MS))


async def told(case, payloads):
    """What became of each event, and the interactions that are open in the end."""
    async with Router(PLAN) as router:
        receipts = [
            [await router.deliver(event) for event in read(case, payload)] for payload in payloads
        ]
        return receipts, router.interactions()


@pytest.mark.parametrize("case", EDITS)
async def test_an_edit_finds_its_message(case):
    first, edit = EDITS[case]
    receipts, open_now = await told(case, [first, edit, edit])
    outcomes = [[each.outcome for each in some] for some in receipts]
    assert Outcome.EDITED in outcomes[1]
    assert set(outcomes[2]) == {Outcome.DUPLICATE}
    [interaction] = open_now
    [message] = interaction.messages
    assert message.text == NEW
    assert message.attributes["edited"] is True
    [created] = [one for one in read(case, first) if one.disposition is not Disposition.UPDATE]
    assert message.message_id == created.message.message_id
    assert message.thread_id == created.message.thread_id


def numbered(case, text, number):
    """The number-th edit of a message, as its provider tells it."""
    at = f"2031-04-2{number}T01:03:39.000Z"
    made = {
        "messenger": lambda: changed(
            MESSENGER,
            *MESSAGING,
            message=None,
            message_edit={"mid": "m_FAKE_IMG_001", "text": text, "num_edit": number},
        ),
        "instagram": lambda: changed(
            INSTAGRAM,
            *MESSAGING,
            message=None,
            message_edit={"mid": "mid_ig_text_001", "text": text, "num_edit": number},
        ),
        "discord": lambda: discord("MESSAGE_UPDATE", content=text, edited_timestamp=at),
        "bluesky": lambda: changed(jetstream("update", text), "commit", rev=f"3l{number}"),
        "google_chat": lambda: google_chat("updated", text=text, lastUpdateTime=at),
        "in_app_chat": lambda: {
            "events": [{**IN_APP, "type": "edited", "text": text, "sent_at": at}]
        },
    }
    return made[case]()


@pytest.mark.parametrize(
    "case", ["messenger", "instagram", "discord", "bluesky", "google_chat", "in_app_chat"]
)
async def test_an_edit_back_to_an_earlier_text_is_no_repeat(case):
    edits = [numbered(case, text, number) for number, text in ((1, NEW), (2, "Other"), (3, NEW))]
    receipts, [interaction] = await told(case, [EDITS[case][0], *edits, edits[2], edits[1]])
    assert [some[-1].outcome for some in receipts[1:4]] == [Outcome.EDITED] * 3
    assert [some[-1].outcome for some in receipts[4:]] == [Outcome.DUPLICATE] * 2
    assert interaction.message.text == NEW


@pytest.mark.parametrize("case", DELETIONS)
async def test_a_deletion_takes_its_message_away(case):
    first, deletion = DELETIONS[case]
    receipts, [interaction] = await told(case, [first, deletion, deletion])
    outcomes = [[each.outcome for each in some] for some in receipts]
    assert Outcome.REDACTED in outcomes[1]
    assert set(outcomes[2]) == {Outcome.DUPLICATE}
    [message] = interaction.messages
    assert (message.text, message.attachments) == ("", ())
    assert message.attributes == {"redacted": True}


GONE = {
    "intercom": (INTERCOM, {**INTERCOM, "id": "notif_2", "topic": "conversation.deleted"}),
    "in_app_chat": (
        {"events": [IN_APP, {**IN_APP, "id": "m2"}]},
        {"events": [{"type": "thread_deleted", "conversation": "c1", "sent_at": LATER}]},
    ),
}


@pytest.mark.parametrize("case", GONE)
async def test_a_thread_that_was_deleted_takes_all_its_messages_away(case):
    receipts, [interaction] = await told(case, [*GONE[case], GONE[case][1]])
    assert [one.outcome for one in receipts[1]] == [Outcome.REDACTED]
    assert [one.outcome for one in receipts[2]] == [Outcome.DUPLICATE]
    assert [message.text for message in interaction.messages] == [""] * len(receipts[0])


@pytest.mark.parametrize("case", DELETIONS)
async def test_a_message_that_was_deleted_before_it_came_opens_nothing(case):
    first, deletion = DELETIONS[case]
    _, open_now = await told(case, [deletion, first])
    assert open_now == []


async def test_a_transcription_gives_a_voicemail_its_text():
    recording = (DATA / "voicemail" / "own__recording_1.txt").read_bytes()
    form = dict(parse_qsl(recording.decode()))
    form |= {
        "TranscriptionSid": "TR1",
        "TranscriptionText": NEW,
        "TranscriptionStatus": "completed",
    }
    receipts, [interaction] = await told("voicemail", [recording, urlencode(form).encode()])
    assert receipts[1][0].outcome is Outcome.EDITED
    assert interaction.message.text == NEW
    assert interaction.message.attachments == read("voicemail", recording)[0].message.attachments


@pytest.mark.parametrize("case", ["youtube", "google_play", "app_store"])
async def test_what_was_edited_before_a_poll_saw_it_opens_an_interaction(case):
    _, edited = EDITS[case]
    receipts, [interaction] = await told(case, [edited, edited])
    assert interaction.message.text == NEW
    assert Outcome.QUEUED in {each.outcome for each in receipts[0]}
    assert {each.outcome for each in receipts[1]} == {Outcome.DUPLICATE}


async def test_a_review_that_is_changed_after_our_answer_is_a_message():
    answer = {"developerComment": {"text": "Sorry", "lastModified": {"seconds": "1741046450"}}}
    answered = copy.deepcopy(GOOGLE_PLAY)
    answered["reviews"][0]["comments"].append(answer)
    again = changed(answered, *REVIEW, text=f"\t{NEW}", lastModified={"seconds": "1741046500"})
    receipts, [interaction] = await told("google_play", [GOOGLE_PLAY, answered, again, again])
    assert [each.outcome for each in receipts[2]] == [Outcome.APPENDED, Outcome.IGNORED]
    assert [message.text for message in interaction.messages] == ["Stürzt beim Start ab", NEW]
    # Nobody has it open any more: then it opens an interaction.
    _, [interaction] = await told("google_play", [again])
    assert interaction.message.text == NEW


def test_every_channel_that_tells_edits_or_deletions_is_here():
    """By its code: one that makes such updates has a case above."""
    folder = Path(channels.__file__).parent
    makes = set()
    for name, adapter in CHANNELS.items():
        source = (folder / f"{type(adapter).__module__.rpartition('.')[2]}.py").read_text("utf-8")
        if re.search(r"Update(Kind)?\.(EDITED|DELETED)|revised\(", source):
            makes.add(name)
    tested = {case.partition("/")[0] for case in [*EDITS, *DELETIONS]} | {"voicemail"}
    # These four are read by one adapter and have files of their own.
    meta = {"facebook", "messenger", "instagram", "whatsapp"}
    assert tested == makes | meta
