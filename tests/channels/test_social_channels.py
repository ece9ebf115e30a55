"""X, LinkedIn, YouTube, Mastodon, Bluesky: what each event means, one row per rule."""

import json

import pytest

from channels.test_chat_channels import meaning, one, read
from omniroute.channels import Bluesky, WebhookRequest, adapter_named
from omniroute.channels.atom import entries_of
from omniroute.errors import PayloadError

# --- X ----------------------------------------------------------------------------------

US, THEM = "1", "1124287614780047362"


def dm(sender=THEM, recipient=US, **data):
    data = {"text": "a &amp; b", **data}
    created = {"sender_id": sender, "target": {"recipient_id": recipient}, "message_data": data}
    event = {"type": "message_create", "id": "9", "created_timestamp": "1548711576930"}
    return {
        "for_user_id": US,
        "direct_message_events": [{**event, "message_create": created}],
        "users": {THEM: {"id": THEM, "name": "Jo"}},
    }


def tweet(user=THEM, **more):
    post = {
        "id": 1124287614780047400,
        "id_str": "1124287614780047362",
        "created_at": "Fri May 03 14:16:13 +0000 2019",
        "text": "short",
        "user": {"id_str": user, "screen_name": "jo"},
        **more,
    }
    return {"for_user_id": US, "tweet_create_events": [post]}


@pytest.mark.parametrize(
    ("payload", "means"),
    [
        (dm(), "create"),
        (dm(quick_reply_response={"metadata": "y"}), "append"),
        (dm(sender=US, recipient=THEM), "own"),
        (tweet(), "create"),
        (tweet(in_reply_to_status_id_str="5"), "append"),
        (tweet(user=US), "own"),
        (tweet(retweeted_status={"id_str": "5"}), "reaction"),
        (
            {"for_user_id": US, "direct_message_mark_read_events": [{"sender_id": THEM}]},
            "status",
        ),
        ({"for_user_id": US, "tweet_delete_events": [{"status": {"id": "5"}}]}, "deleted"),
        ({"for_user_id": US, "favorite_events": [{"user": {"id_str": THEM}}]}, "reaction"),
        ({"for_user_id": US, "follow_events": [{"source": {"id": THEM}}]}, "lifecycle"),
        ({"for_user_id": US, "tweet_create_events": [{}]}, "quarantine"),
        ({"for_user_id": US, "something_new": [{}]}, "ignored"),
        ({"user_event": {"revoke": {}}}, "lifecycle"),
    ],
)
def test_account_activity(payload, means):
    assert meaning(one("x", payload)) == means


def test_private_messages_of_x_are_threaded_by_the_other_side():
    for payload in (dm(), dm(sender=US, recipient=THEM)):
        message = one("x", payload).message
        assert (message.thread_id, message.customer.id, message.to) == (THEM, THEM, US)
        assert message.customer.name == "Jo"
        assert message.text == "a & b"
        assert message.sent_at_ms == 1_548_711_576_930


def test_rounded_ids_are_not_used_and_the_long_text_is():
    whole = {"full_text": "long &lt;3 https://t.co/a", "entities": {"urls": [LINK]}}
    message = one("x", tweet(extended_tweet=whole)).message
    assert message.message_id == "1124287614780047362"
    assert message.text == "long <3 https://t.co/a"
    assert message.links == ("https://shop.example/p",)
    assert message.sent_at_ms == 1_556_892_973_000


LINK = {"url": "https://t.co/a", "expanded_url": "https://shop.example/p"}


def activity(kind, **payload):
    data = {"filter": {"user_id": US}, "event_type": kind, "event_uuid": "-7", "payload": payload}
    return {"data": data, "includes": {"users": [{"id": THEM, "name": "Jo", "username": "jo"}]}}


WROTE = {"id": "9", "author_id": THEM, "text": "hi", "created_at": "2026-01-02T03:04:05.000Z"}


@pytest.mark.parametrize(
    ("payload", "means", "thread"),
    [
        (activity("dm.received", id="9", sender_id=THEM, dm_conversation_id="c"), "create", "c"),
        (activity("dm.received", id="9", sender_id=THEM), "create", THEM),
        (activity("dm.sent", id="9", sender_id=US, dm_conversation_id="c"), "own", "c"),
        (activity("dm.received", **dm()), "create", THEM),
        (activity("chat.received", id="9", sender_id=THEM, conversation_id="c"), "create", "c"),
        (activity("dm.read", sender_id=THEM), "status", THEM),
        (activity("post.mention.create", conversation_id="9", **WROTE), "create", "9"),
        (activity("post.mention.create", conversation_id="5", **WROTE), "append", "5"),
        (activity("post.create", **{**WROTE, "author_id": US}), "own", "9"),
        (activity("post.delete", id="9"), "deleted", "9"),
        (activity("like.create", user_id=THEM), "reaction", None),
        (activity("follow.follow", user_id=THEM), "lifecycle", None),
        (activity("something.new"), "ignored", None),
    ],
)
def test_the_activity_api(payload, means, thread):
    found = one("x", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means in {"create", "append"}:
        assert (found.message.customer.id, found.message.customer.name) == (THEM, "Jo")
        assert found.delivery_id.startswith("-7")


# --- LinkedIn ---------------------------------------------------------------------------

LONG = "urn:li:comment:(urn:li:activity:1,2)"


def notification(action="COMMENT", urn="urn:li:comment:(activity:1,2)", **comment):
    comment = {"owner": "urn:li:person:p", "message": {"text": "hi"}, **comment}
    return {
        "type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS",
        "notifications": [
            {
                "notificationId": 5603453401,
                "organizationalEntity": "urn:li:organization:9",
                "lastModifiedAt": 1691574506310,
                "action": action,
                "generatedActivity": urn,
                "decoratedGeneratedActivity": {"comment": comment},
            }
        ],
    }


@pytest.mark.parametrize(
    ("payload", "means", "thread"),
    [
        (notification(), "create", LONG),
        (notification(text="hi", entity=LONG), "create", LONG),
        (notification(parentComment="urn:li:comment:(activity:1,0)"), "append", LONG[:-2] + "0)"),
        (notification(owner="urn:li:organization:9"), "own", LONG),
        (notification("ADMIN_COMMENT"), "own", LONG),
        (notification("COMMENT_EDIT"), "edited", LONG),
        (notification("COMMENT_DELETE"), "deleted", LONG),
        (notification("LIKE"), "reaction", LONG),
        (notification("SHARE_MENTION", "urn:li:share:3"), "create", "urn:li:share:3"),
        (notification("SOMETHING_NEW"), "ignored", LONG),
        (notification(urn=""), "quarantine", None),
    ],
)
def test_linkedin(payload, means, thread):
    found = one("linkedin", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means in {"create", "append"}:
        assert found.message.text == "hi"
        assert found.message.customer.id == "urn:li:person:p"
        assert found.message.sent_at_ms == 1_691_574_506_310
        assert found.delivery_id == "5603453401"


# --- YouTube ----------------------------------------------------------------------------

AT = "2019-04-20T01:03:39.000Z"


def comment(comment_id="Ug1", author="UC1", **snippet):
    return {
        "kind": "youtube#comment",
        "id": comment_id,
        "snippet": {
            "authorChannelId": {"value": author},
            "textDisplay": "a<br>b &amp; c",
            "publishedAt": AT,
            "updatedAt": AT,
            **snippet,
        },
    }


@pytest.mark.parametrize(
    ("item", "means", "thread"),
    [
        (comment(), "create", "Ug1"),
        (comment("Ug1.x", parentId="Ug1"), "append", "Ug1"),
        (comment("Ug1.x"), "append", "Ug1"),
        (comment(author="UC9", channelId="UC9"), "own", "Ug1"),
        ({"kind": "youtube#comment", "snippet": {}}, "quarantine", None),
        ({"kind": "youtube#video", "id": "1"}, "ignored", None),
        ("text", "quarantine", None),
    ],
)
def test_youtube_comments(item, means, thread):
    found = one("youtube", {"kind": "youtube#commentListResponse", "items": [item]})
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means in {"create", "append"}:
        assert found.message.text == "a\nb & c"
        assert found.message.sent_at_ms == 1_555_722_219_000


def test_an_edited_comment_of_youtube_is_an_edit_and_a_comment():
    found = read("youtube", {"items": [comment(updatedAt="2019-04-20T01:03:40.000Z")]})
    assert [meaning(event) for event in found] == ["edited", "create"]
    assert found[0].message == found[1].message


def test_a_thread_of_youtube_holds_its_first_answers():
    top, answer = comment(textOriginal="top"), comment("Ug1.x", textOriginal="answer")
    mine = comment("Ug1.y", author="UC9")
    thread = {
        "kind": "youtube#commentThread",
        "snippet": {"channelId": "UC9", "topLevelComment": top},
        "replies": {"comments": [answer, mine, "nonsense"]},
    }
    found = read("youtube", {"items": [thread]})
    assert [meaning(event) for event in found] == ["create", "append", "own", "quarantine"]
    assert found[0].message.text == "top"


FEED = b'<feed xmlns="http://www.w3.org/2005/Atom">%s</feed>'


def test_a_deleted_video_and_an_empty_feed():
    deleted = (
        b'<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="yt:video:V" '
        b'when="2015-03-09T19:05:24+00:00"/>'
    )
    [event] = adapter_named("youtube").normalize(WebhookRequest(body=FEED % deleted))
    assert meaning(event) == "lifecycle"
    assert event.message.message_id == "yt:video:V"
    assert entries_of(FEED % b"") == []


LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 9) for n in range(1, 9))


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE feed>" + FEED % b"",
        b'<!DOCTYPE f [<!ENTITY l0 "ha">' + LAUGHS + b"]>" + FEED % b"<title>&l8;</title>",
        b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + FEED % b"&x;",
        FEED % b"&undefined;",
        b"<feed/>",
        b"<html></html>",
        b"<feed",
        b"\xff\xfe<\x00f\x00",
        FEED % (b"<entry/>" * 2000),
    ],
)
def test_a_feed_brings_no_entities_and_nothing_else_than_a_feed(body):
    with pytest.raises(PayloadError):
        entries_of(body)


def test_a_deep_feed_costs_no_more_than_it_is_long():
    deep = FEED % (b"<entry>" + b"<a>x" * 50_000 + b"</a>" * 50_000 + b"</entry>")
    [entry] = entries_of(deep)
    assert entry.texts == {"a": "x"}


# --- Mastodon ---------------------------------------------------------------------------

STATUS = {"id": "11", "content": "<p>Hello<br>you</p>", "created_at": AT}


def mastodon(kind="mention", **more):
    account = {"id": "97", "acct": "jo@social.example"}
    return {"id": "88", "type": kind, "account": account, "status": STATUS, **more}


def create(kind="Create", **note):
    note = {"id": "https://s/1", "type": "Note", "content": "<p>hi</p>", "published": AT, **note}
    return {
        "@context": "x",
        "id": "https://s/a",
        "type": kind,
        "actor": "https://s/jo",
        "object": note,
    }


@pytest.mark.parametrize(
    ("payload", "means", "thread"),
    [
        (mastodon(), "create", "11"),
        (mastodon(status={**STATUS, "in_reply_to_id": "10"}), "append", "10"),
        (mastodon(account={"id": "97", "bot": True}), "own", "11"),
        (mastodon("favourite"), "reaction", "11"),
        (mastodon("reblog"), "reaction", "11"),
        (mastodon("update"), "edited", "11"),
        (mastodon("follow", status=None), "lifecycle", None),
        (mastodon("poll"), "lifecycle", "11"),
        (mastodon("something_new"), "ignored", "11"),
        (mastodon(status=None), "quarantine", None),
        ({"event": "notification", "payload": json.dumps(mastodon())}, "create", "11"),
        ({"event": "notification", "payload": "{"}, "quarantine", None),
        ({"event": "delete", "payload": "11"}, "lifecycle", None),
        (create(), "create", "https://s/1"),
        (create(inReplyTo="https://s/0"), "append", "https://s/0"),
        (create("Update"), "edited", "https://s/1"),
        (create("Announce"), "reaction", "https://s/1"),
        (create("Follow"), "lifecycle", "https://s/1"),
        (create("Something"), "ignored", "https://s/1"),
        (
            {"@context": "x", "type": "Delete", "actor": "https://s/jo", "object": "https://s/1"},
            "deleted",
            "https://s/1",
        ),
        (create(id=""), "quarantine", None),
    ],
)
def test_mastodon(payload, means, thread):
    found = one("mastodon", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)
    if means in {"create", "append"}:
        assert found.message.text in {"Hello\nyou", "hi"}
        assert found.message.sent_at_ms == 1_555_722_219_000


def test_a_page_of_notifications_is_an_array():
    found = read("mastodon", [mastodon(), "nonsense", mastodon("follow")])
    assert [meaning(event) for event in found] == ["create", "quarantine", "lifecycle"]


def test_mentions_and_hashtags_are_no_links():
    content = (
        '<p><a class="u-url mention" href="https://s/@shop">@shop</a> '
        '<a href="https://s/tags/x" class="hashtag">#x</a> <a href="https://shop.example/p">p</a></p>'
    )
    found = one("mastodon", mastodon(status={**STATUS, "content": content}))
    assert found.message.links == ("https://shop.example/p",)


# --- Bluesky ----------------------------------------------------------------------------

ME = "did:plc:me"
POST = {"text": "hi", "createdAt": AT, "langs": ["de"]}
ROOT = {"reply": {"root": {"uri": "at://x/0"}, "parent": {"uri": f"at://{ME}/p/1"}}}


def bluesky(reason="mention", did="did:plc:a", record=None):
    author = {"did": did, "handle": "jo.example"}
    item = {"uri": "at://a/1", "reason": reason, "author": author, "record": record or POST}
    return {"notifications": [item]}


@pytest.mark.parametrize(
    ("payload", "means", "thread"),
    [
        (bluesky(), "create", "at://a/1"),
        (bluesky("quote"), "create", "at://a/1"),
        (bluesky("reply", record={**POST, **ROOT}), "append", "at://x/0"),
        (bluesky("like"), "reaction", "at://a/1"),
        (bluesky("repost"), "reaction", "at://a/1"),
        (bluesky("follow"), "lifecycle", "at://a/1"),
        (bluesky("something-new"), "ignored", "at://a/1"),
        (bluesky(did=""), "quarantine", None),
    ],
)
def test_bluesky(payload, means, thread):
    found = one("bluesky", payload)
    assert (meaning(found), found.message.thread_id) == (means, thread)


def jetstream(operation="create", collection="app.bsky.feed.post", did="did:plc:a", **record):
    commit = {"operation": operation, "collection": collection, "rkey": "3k", "record": record}
    return {"did": did, "time_us": 1725911162329308, "kind": "commit", "commit": commit}


MENTION = {"facets": [{"features": [{"$type": "app.bsky.richtext.facet#mention", "did": ME}]}]}


@pytest.mark.parametrize(
    ("payload", "means"),
    [
        (jetstream(**POST, **MENTION), "create"),
        (jetstream(**POST, **ROOT), "append"),
        (jetstream(**POST), "ignored"),
        (jetstream(did=ME, **POST, **MENTION), "own"),
        (jetstream("delete"), "deleted"),
        (jetstream("update", **POST), "edited"),
        (jetstream(collection="app.bsky.feed.like"), "ignored"),
        ({"did": "did:plc:a", "kind": "identity"}, "lifecycle"),
    ],
)
def test_jetstream_is_read_for_one_account(payload, means):
    body = json.dumps(payload).encode()
    [found] = Bluesky(did=ME).normalize(WebhookRequest(body=body))
    assert meaning(found) == means
    if means == "deleted":
        assert found.message.sent_at_ms == 1_725_911_162_329
        assert found.message.message_id == "at://did:plc:a/app.bsky.feed.post/3k"


def test_an_id_that_was_rounded_on_its_way_is_no_id():
    """Numbers in v1.1 pass through doubles; only their texts count."""
    post = {"text": "hi", "user": {"id": 2**60 + 1, "id_str": "1152921504606846977"}}
    delivery = {"for_user_id": "1", "tweet_create_events": [{**post, "id": 2**60 + 1}]}
    [found] = adapter_named("x").normalize(WebhookRequest(body=json.dumps(delivery).encode()))
    assert found.disposition == "quarantine"
    delivery["tweet_create_events"] = [{**post, "id": 7}]
    [found] = adapter_named("x").normalize(WebhookRequest(body=json.dumps(delivery).encode()))
    assert (found.message.message_id, found.message.customer.id) == ("7", "1152921504606846977")
