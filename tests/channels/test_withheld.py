"""Callers who show no number are never one customer, from the provider's bytes to the router.

Each pair is two calls that differ in nothing but their ids: same line, same minute, same words in
the place of the number. The plan links customers by everything there is, keeps the last agent and
allows one call of a sender.
"""

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from channels.rows import DATA
from omniroute import Channel, Outcome, Plan, Queue, Router, TriageRule
from omniroute.channels import CHANNELS, WebhookRequest
from omniroute.channels.netstring import netstring
from omniroute.plan import Identity, LastAgent, SenderRate

pytestmark = pytest.mark.anyio

PLAN = Plan(
    queues=[Queue(name="phone", last_agent=LastAgent())],
    triage=[TriageRule(queue="phone")],
    identity=Identity(link_by=["e164", "email"]),
    sender_rate=SenderRate(maxima={"voice": 1}),
)


def data(name):
    return (DATA / name).read_bytes()


def twilio(number, word):
    form = dict(parse_qsl(data("twilio_voice/own__anonymous_1.txt").decode()))
    return urlencode(form | {"CallSid": f"CA{number}", "From": word, "Caller": word}).encode()


def kamailio(number, word):
    call = {"event": "new", "callid": f"{number}@192.0.2.1", "fU": word, "tU": "+498912345"}
    return netstring(json.dumps(call | {"index": "1", "label": "2"}).encode())


def sip(number, who, *more):
    lines = data("sip/sip3__broadworks_invite_pai.txt").decode().splitlines()
    kept = [
        line
        for line in lines[: lines.index("")]
        if not line.startswith(("From", "Call-ID", "P-Asserted", "Privacy", "Content"))
    ]
    own = [f"From: {who};tag=t{number}", f"Call-ID: {number}@192.0.2.1", *more]
    return "\r\n".join([*kept, *own, "Content-Length: 0", "", ""]).encode()


def asserted(number):
    """A proxy that is told the number and asked to keep it to itself."""
    return sip(
        number,
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "P-Asserted-Identity: <sip:+493012345678@carrier.example>",
        "Privacy: id",
    )


def asterisk(number, word):
    event = json.loads(data("asterisk_ari/own__stasis_start_1.json"))
    event["channel"] |= {"id": f"160.{number}", "caller": {"name": word, "number": word}}
    return json.dumps(event).encode()


def freeswitch(number, word, *, hidden=False):
    text = data("freeswitch/derived__channel_create_inbound.txt").decode()
    text = text.replace("77645a4f-e691-4126-9842-54e7934d0180", f"u-{number}")
    if hidden:
        return text.replace("Call-Direction", "Caller-Privacy-Hide-Number: true\nCall-Direction")
    return text.replace("%2B15551230000", word)


def vonage(number, word):
    event = json.loads(data("vonage/docs__voice_ringing.json"))
    event |= {"uuid": f"u{number}", "conversation_uuid": f"CON-{number}", "from": word}
    return json.dumps(event).encode()


CALLS = {
    "twilio_voice/word": lambda n: twilio(n, "anonymous"),
    "twilio_voice/keys": lambda n: twilio(n, "+266696687"),
    "twilio_voice/Restricted": lambda n: twilio(n, "Restricted"),
    "twilio_voice/nothing": lambda n: twilio(n, ""),
    "kamailio/word": lambda n: kamailio(n, "anonymous"),
    "kamailio/nothing": lambda n: kamailio(n, ""),
    "sip/From": lambda n: sip(n, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
    "sip/Privacy": asserted,
    "asterisk_ari/word": lambda n: asterisk(n, "anonymous"),
    "asterisk_ari/nothing": lambda n: asterisk(n, ""),
    "freeswitch/word": lambda n: freeswitch(n, "anonymous").encode(),
    "freeswitch/hidden": lambda n: freeswitch(n, "", hidden=True).encode(),
    "vonage/word": lambda n: vonage(n, "unknown"),
}


async def called(router, case, number):
    """One call, in the order of its events; what became of the first that opened something."""
    adapter = CHANNELS[case.partition("/")[0]]
    request = WebhookRequest(body=CALLS[case](number), received_at_ms=1_700_000_000_000)
    receipts = [await router.deliver(event) for event in adapter.normalize(request)]
    return receipts[0]


@pytest.mark.parametrize("case", CALLS)
async def test_two_withheld_callers_are_two_customers(case):
    async with Router(PLAN) as router:
        receipts = [await called(router, case, number) for number in (1, 2)]
        assert [each.outcome for each in receipts] == [Outcome.QUEUED, Outcome.QUEUED]
        one, two = router.interactions()
        assert one.channel is two.channel is Channel.VOICE
        assert one.customer_id == two.customer_id == ""
        assert one.customer.addresses == two.customer.addresses == ()
        assert one.conversation_id != two.conversation_id
        assert one.message.attributes["withheld"] is True


async def test_no_two_of_all_of_them_are_one():
    async with Router(PLAN) as router:
        for number, case in enumerate(CALLS):
            await called(router, case, number)
        found = router.interactions()
    assert len({each.conversation_id for each in found}) == len(found) == len(CALLS)
    assert {each.customer_id for each in found} == {""}


async def test_a_caller_who_shows_his_number_is_one_customer():
    shown = {"From": "+493012345678", "Caller": "+493012345678"}
    async with Router(PLAN) as router:
        for number in (1, 2):
            form = dict(parse_qsl(twilio(number, "x").decode())) | shown
            request = WebhookRequest(body=urlencode(form).encode())
            [event] = CHANNELS["twilio_voice"].normalize(request)
            receipt = await router.deliver(event)
    assert receipt.reason == "sender_rate"  # two calls of one sender
