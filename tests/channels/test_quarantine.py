"""What went into quarantine keeps its bytes, and is understood after a fix."""

import json
import random
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.channels import CHANNELS, Vonage, WebhookRequest, adapter_named
from omniroute.channels.quarantine import MAX_KEPT_BYTES, keep, kept, normalized, replay
from omniroute.errors import PayloadError, UnknownNameError
from omniroute.journal import MemoryJournal
from omniroute.model import Disposition, Inbound, Message
from omniroute.plan import Plan, Queue, TriageRule
from omniroute.router import Outcome, Router, quarantined_in, replay_quarantined

QUARANTINE = Disposition.QUARANTINE
AT_MS = 1_700_000_000_000


def message(mid, **more):
    return {"sender": {"id": f"2{mid}"}, "message": {"mid": mid, "text": "?"}, **more}


def posted(*events):
    """A Messenger delivery."""
    payload = {"object": "page", "entry": [{"id": "1", "messaging": list(events)}]}
    return WebhookRequest(
        url="https://x.example/messenger",
        headers={"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=secret"},
        body=json.dumps(payload).encode(),
        received_at_ms=AT_MS,
    )


@given(st.binary(max_size=300), st.sampled_from(sorted(CHANNELS)))
def test_the_delivery_comes_back_byte_for_byte(body, name):
    request = WebhookRequest(
        url="https://u:p@x.example/a?to=1&access_token=t&SIG=s",
        headers={"Content-Type": "text/plain; charset=x", "Authorization": "Bearer secret"},
        body=body,
        received_at_ms=AT_MS,
    )
    event = Inbound(disposition=QUARANTINE, message=Message(channel="email"), reason="?")
    [aside] = keep([event], name, request)
    assert kept(aside.message) == (
        name,
        WebhookRequest(
            url="https://x.example/a?to=1",
            headers={"Content-Type": "text/plain; charset=x"},
            body=body,
            received_at_ms=None,
        ),
    )
    assert "secret" not in repr(aside)


def test_what_is_no_quarantine_is_left_alone_and_the_body_is_kept_once():
    request = posted(message("m1"), {"sender": 1}, "no event", message("m2"))
    events = normalized(adapter_named("messenger"), "messenger", request)
    assert [event.disposition for event in events] == ["create", QUARANTINE, QUARANTINE, "create"]
    assert [kept(event.message) is not None for event in events] == [False, True, False, False]
    ids = [event.message.message_id for event in events]
    assert len(set(ids)) == 4
    assert normalized(adapter_named("messenger"), "messenger", request) == events
    assert kept(events[1].message)[1].body == request.body


def test_a_body_over_the_limit_is_not_kept_whole():
    large = json.dumps({"events": "x" * 2_000_000}).encode()
    [event] = normalized(adapter_named("slack"), "slack", WebhookRequest(body=large))
    assert kept(event.message)[1].body == large
    noise = random.Random(1).randbytes(MAX_KEPT_BYTES + 1)
    [event] = normalized(adapter_named("slack"), "slack", WebhookRequest(body=noise))
    assert kept(event.message) is None
    assert event.message.text
    with pytest.raises(PayloadError, match="no delivery"):
        replay(event.message)


@pytest.mark.parametrize("size", [0, MAX_KEPT_BYTES - 200, 2_000_000])
def test_whatever_is_kept_fits_into_a_record_of_a_mebibyte(size):
    for body in (random.Random(1).randbytes(size), "\u2028".encode() * (size // 3)):
        events = normalized(adapter_named("slack"), "slack", WebhookRequest(body=body))
        assert len(msgspec.json.encode(events)) < 1_000_000


@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": None},
        {"size_bytes": 1},
        {"size_bytes": 10**12},
        {"url": "data:x;zlib;base64,????"},
        {"url": "data:x;zlib;base64,AAAA"},
        {"url": "https://x.example/"},
    ],
)
def test_an_attachment_that_only_looks_like_a_delivery_is_none(change):
    [event] = normalized(adapter_named("slack"), "slack", WebhookRequest(body=b"{}"))
    [file] = event.message.attachments
    forged = msgspec.structs.replace(file, **change)
    assert kept(msgspec.structs.replace(event.message, attachments=(forged,))) is None


@attrs.frozen
class Fixed:
    """A version of the channel that understands what the one before did not."""

    before: object

    def __getattr__(self, name):
        return getattr(self.before, name)

    def normalize(self, request):
        document = json.loads(request.body)
        for event in document["entry"][0]["messaging"]:
            if isinstance(event.get("sender"), str):
                event["sender"] = {"id": event["sender"]}
        return self.before.normalize(attrs.evolve(request, body=json.dumps(document).encode()))


def test_after_a_fix_the_event_is_what_it_should_have_been():
    bad = message("m2", sender="22")
    ended = {"sender": {"id": "3"}, "read": {"watermark": 1}}
    events = normalized(adapter_named("messenger"), "messenger", posted(message("m1"), bad, ended))
    assert [event.disposition for event in events] == ["create", QUARANTINE, "status"]
    again = replay(events[1].message)
    assert [event.disposition for event in again] == ["create", QUARANTINE]
    mended = replay(events[1].message, {"messenger": Fixed(adapter_named("messenger"))})
    assert [event.message.message_id for event in mended] == ["m1", "m2"]
    assert mended[1].message.received_at_ms == AT_MS


def test_an_adapter_that_is_not_known_is_named():
    [event] = normalized(adapter_named("slack"), "our_slack", WebhookRequest(body=b"{}"))
    with pytest.raises(UnknownNameError, match="our_slack"):
        replay(event.message)
    assert replay(event.message, {"our_slack": adapter_named("slack")})


def test_what_was_not_a_message_returns_only_when_it_was_the_one():
    """The end of a call that was understood then must not end another one now."""
    request = posted({"sender": 1}, {"sender": {"id": "3"}, "read": {"watermark": 1}})
    events = normalized(adapter_named("messenger"), "messenger", request)
    assert [event.disposition for event in replay(events[0].message)] == [QUARANTINE]


def test_a_get_is_replayed_from_its_url_without_its_proof():
    url = "https://x.example/v?msisdn=447700900001&to=4477&messageId=1&text=&sig=s&timestamp=1"
    request = WebhookRequest(method="GET", url=url)
    events = [Inbound(disposition=QUARANTINE, message=Message(channel="sms"), reason="?")]
    [aside] = keep(events, "vonage", request)
    [found] = replay(aside.message, {"vonage": Vonage()})
    assert found.disposition is Disposition.CREATE
    assert "sig" not in parse_qs(urlsplit(kept(aside.message)[1].url).query)


@pytest.mark.anyio
async def test_the_quarantine_of_a_router_is_replayed_from_its_journal():
    plan = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
    journal = MemoryJournal()
    adapter = adapter_named("messenger")
    request = posted(message("m1"), message("m2", sender="22"))
    async with Router(plan, journal=journal) as router:
        for event in normalized(adapter, "messenger", request):
            await router.deliver(event)
        unkept = Message(channel="sms", text="?", message_id="u")
        await router.deliver(Inbound(disposition=QUARANTINE, message=unkept, reason="?"))
        assert router.statistics().waiting == 1

        still, lost = await replay_quarantined(router.deliver, journal)
        assert [each.outcome for each in still.receipts] == [Outcome.DUPLICATE]
        assert still.reason
        assert lost.reason == "its delivery was not kept"
        assert router.statistics().quarantined == 2

        fixed = {"messenger": Fixed(adapter)}
        for expected in (Outcome.QUEUED, Outcome.DUPLICATE):
            done, _ = await replay_quarantined(router.deliver, journal, adapters=fixed)
            assert [each.outcome for each in done.receipts] == [Outcome.DUPLICATE, expected]
            assert done.reason == ""
        assert router.statistics().waiting == 2

        [only] = await replay_quarantined(
            router.deliver, journal, wanted=lambda event: event.message.channel == "messenger"
        )
        assert only.interaction_id == still.interaction_id
        assert len(await quarantined_in(journal)) == 2
        assert len(await quarantined_in(journal, limit=1)) == 1
        unknown = await replay_quarantined(router.deliver, journal, limit=1)
        assert len(unknown) == 1


@pytest.mark.anyio
async def test_a_mail_in_quarantine_is_no_repeat_of_the_mail_that_it_becomes():
    """A mail keeps its own message id in quarantine, and so does the mail after the fix."""
    from omniroute.channels import Email, EmailLimits

    raw = b"From: a@example.org\nMessage-ID: <1@x>\nSubject: s\n\n" + b"hi" * 2_000
    small = Email(limits=EmailLimits(message_bytes=1_000))
    journal = MemoryJournal()
    plan = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
    async with Router(plan, journal=journal) as router:
        [event] = normalized(small, "email", WebhookRequest(body=raw))
        assert event.disposition is QUARANTINE
        await router.deliver(event)
        [done] = await replay_quarantined(router.deliver, journal)
        assert [each.outcome for each in done.receipts] == [Outcome.QUEUED]
