"""The router's door: a caller's mistake is told, a provider's is kept; both are bounded."""

import json
from urllib.parse import urlencode

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import live
from omniroute import Agent, Channel, CommandError, Customer, Message, Outcome, Plan, Queue, Router
from omniroute import events as ev
from omniroute.channels import TwilioVoice, WebhookRequest, adapter_named
from omniroute.channels.email import Email
from omniroute.model import Disposition, Inbound, UpdateKind
from omniroute.plan import TriageRule
from omniroute.router.checks import (
    MAX_ATTRIBUTE_CHARS,
    MAX_ATTRIBUTES,
    MAX_ID_CHARS,
    MAX_TEXT_CHARS,
    checked,
    checked_inbound,
)

LONG_ID = "i" * (MAX_ID_CHARS + 1)
LONG = "x" * (MAX_ATTRIBUTE_CHARS + 1)
MANY = {str(number): 1 for number in range(MAX_ATTRIBUTES + 1)}
LARGE_ATTRIBUTES = [
    ({"a": LONG}, "1024 characters, got 1025"),
    ({LONG: "a"}, "1024 characters"),
    ({"a": (LONG,)}, "1024 characters"),
    ({"a": ("x",) * 65}, "64 texts, got 65"),
    (MANY, "64 attributes, got 65"),
]
OVER = [
    (ev.Submit(live.message(), "support", None, None, LONG_ID), "1 to 200 characters, got 201"),
    (ev.Submit(live.message(), "support", None, None, ""), "Submit.interaction_id.*got 0"),
    (ev.Quarantine(live.message(), "bad", LONG_ID), "Quarantine.interaction_id"),
    (ev.Cancel(LONG_ID), "Cancel.interaction_id"),
    (ev.SetReady(LONG_ID), "SetReady.agent_id"),
    (ev.SignIn(Agent(id="")), "SignIn.agent.id must have 1 to 200"),
    (ev.ChangeAgent(Agent(id=LONG_ID)), "ChangeAgent.agent.id"),
    (ev.Submit(live.message("x" * (MAX_TEXT_CHARS + 1))), "text must have at most 1000000"),
    (ev.Submit(live.message(subject="x" * (MAX_TEXT_CHARS + 1))), "subject must have at most"),
    *((ev.Submit(live.message(attributes=each)), says) for each, says in LARGE_ATTRIBUTES),
    *((ev.SignIn(Agent(id="a", attributes=each)), says) for each, says in LARGE_ATTRIBUTES),
]


@pytest.mark.parametrize(("command", "says"), OVER)
def test_a_command_over_a_limit_is_told_which(command, says):
    with pytest.raises(CommandError, match=says):
        checked(command)


def test_what_is_just_within_the_limits_passes():
    attributes = {f"{n}{'x' * 1000}": (LONG[1:],) * MAX_ATTRIBUTES for n in range(MAX_ATTRIBUTES)}
    message = live.message("x" * MAX_TEXT_CHARS, attributes=attributes)
    command = ev.Submit(message, "support", None, None, LONG_ID[1:])
    assert checked(command) == command
    inbound = Inbound(disposition=Disposition.CREATE, message=message)
    assert checked_inbound(inbound) == inbound


@pytest.mark.parametrize("attributes", [each for each, _ in LARGE_ATTRIBUTES])
def test_what_a_channel_delivers_is_cut_and_says_so(attributes):
    message = live.message("x" * (MAX_TEXT_CHARS + 5), attributes={"cut": ("html",), **attributes})
    copy = checked_inbound(Inbound(disposition=Disposition.CREATE, message=message))
    assert copy.disposition is Disposition.CREATE
    assert copy.message.attributes["cut"] == ("html", "text", "attributes")
    assert copy.message.text == message.text[:MAX_TEXT_CHARS]
    assert checked(ev.Submit(copy.message)).message == copy.message


ENDLESS = []
ENDLESS.append(ENDLESS)
BROKEN = [
    {"text": "half \ud83d"},
    {"thread_id": []},
    {"thread_id": ENDLESS},
    {"customer": None},
    {"customer": Customer(id=10**40, name="Jane")},
    {"attributes": {"vip": True, "duration_s": 10**40, "note": "\ud800", "x": object(), 1: 2}},
    {"attributes": {"duration_s": 1 << 100_000}},
    {"attributes": None},
    {"sent_at_ms": 10**40},
    {"links": 5, "attachments": "no"},
    {"message_id": b"\xff"},
]


@pytest.mark.anyio
@pytest.mark.parametrize("fields", BROKEN)
async def test_what_cannot_be_recorded_is_quarantined_with_what_can(fields):
    known = live.message(channel=Channel.VOICE, message_id="call", thread_id="call")
    made = {"channel": Channel.VOICE, "text": "kept", "message_id": "call", **fields}
    inbound = Inbound(
        disposition=Disposition.UPDATE, update=UpdateKind.ENDED, message=Message(**made)
    )
    async with live.router() as router:
        await router.submit(known, queue="support")
        receipt = await router.deliver(inbound)
        assert receipt.outcome is Outcome.QUARANTINED
        assert receipt.reason == f"cannot be recorded: {', '.join(sorted(fields, reverse=True))}"
        again = await router.deliver(inbound)
        assert (again.outcome, again.interaction_id) == (Outcome.DUPLICATE, receipt.interaction_id)
        quarantined = live.events(router.journal)[-2].message
        assert quarantined.text.startswith(("kept", "half "))
        if "vip" in (fields.get("attributes") or {}):
            kept = {"vip": True, "duration_s": str(10**40), "note": "?", "message_id": "call"}
            assert quarantined.attributes == kept
        if fields.get("customer"):
            assert quarantined.customer == Customer(name="Jane")


def test_a_broken_meaning_is_quarantined_too():
    inbound = Inbound(disposition="nonsense", message=live.message("kept"))
    copy = checked_inbound(inbound)
    assert (copy.disposition, copy.message.text) == (Disposition.QUARANTINE, "kept")


# --- any number a payload may hold ends in a receipt ------------------------------------------

PLAN = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
NUMBERS = st.one_of(
    st.integers(min_value=10**39, max_value=10**40 - 1),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.sampled_from([2**53, 2**63, 2**64, 10**308, -(2**63) - 1]),
)


def receipts(events):
    """The receipts of events, and the receipts when they come again."""

    async def main():
        async with Router(PLAN) as router:
            return [await router.deliver(event) for event in (*events, *events)]

    return anyio.run(main)


@given(st.dictionaries(st.sampled_from(["CallDuration", "Timestamp", "From", "To"]), NUMBERS))
def test_numbers_in_calls(numbers):
    call = {"CallSid": "CA1", "From": "+49300001001", "Direction": "inbound"}
    opening, ending = (
        TwilioVoice().normalize(
            WebhookRequest(body=urlencode({**call, **numbers, "CallStatus": status}).encode())
        )[0]
        for status in ("ringing", "completed")
    )
    first, second, *_ = receipts([opening, ending])
    assert (first.outcome, second.outcome) == (Outcome.QUEUED, Outcome.ENDED)


FACEBOOK = ["created_time", "rating", "post_id", "comment_id", "sender_id", "parent_id", "n"]


@given(NUMBERS, NUMBERS, NUMBERS)
def test_numbers_in_messenger_events(sender, time, size):
    event = {
        "sender": {"id": sender},
        "recipient": {"id": 1},
        "timestamp": time,
        "message": {
            "mid": size,
            "text": "Hi",
            "attachments": [
                {"type": "image", "payload": {"url": "https://x.example", "sticker_id": size}},
                {"type": "location", "payload": {"coordinates": {"lat": size, "long": time}}},
            ],
        },
    }
    body = json.dumps({"object": "page", "entry": [{"id": size, "messaging": [event]}]})
    assert receipts(events_of("messenger", body))


@given(st.dictionaries(st.sampled_from(FACEBOOK), NUMBERS))
def test_numbers_in_page_changes(numbers):
    value = {"item": "comment", "verb": "add", "from": {"id": 3}, "comment_id": "1_2", **numbers}
    change = {"field": "feed", "value": value}
    body = json.dumps({"object": "page", "entry": [{"id": 1, "changes": [change]}]})
    assert receipts(events_of("facebook", body))


@given(NUMBERS, st.sampled_from(["Date", "X-Priority", "Message-ID", "Received", "Subject"]))
def test_numbers_in_mails(number, field):
    dated = f"Thu, 1 Jan {number} 00:00:00 +{abs(number)}"
    value = {"Date": dated, "Received": f"x; {dated}"}.get(field, str(number))
    mail = f"From: a@example.org\n{field}: {value}\n\nHello".encode()
    assert receipts([Email().read(mail)])[0].outcome is Outcome.QUEUED


def events_of(name, body):
    return adapter_named(name).normalize(WebhookRequest(body=body.encode()))
