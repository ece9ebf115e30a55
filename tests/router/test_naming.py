"""Amazon Connect tells of a call before it tells of its caller: the number is not lost."""

import itertools
import json

import pytest

from omniroute.channels import AmazonConnect, WebhookRequest
from omniroute.plan import Plan, Queue, TriageRule
from omniroute.router import Outcome, Router

pytestmark = pytest.mark.anyio

PLAN = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
CONTACT = {"ContactId": "c1", "InitialContactId": "c1", "Channel": "VOICE"}
INITIATED = {
    "id": "e1",
    "detail": {**CONTACT, "eventType": "INITIATED", "initiationMethod": "INBOUND"},
}
ENDPOINT = {"Address": "+493012345", "Type": "TELEPHONE_NUMBER"}
FLOW = {
    "Name": "ContactFlowEvent",
    "Details": {
        "ContactData": {**CONTACT, "InitiationMethod": "INBOUND", "CustomerEndpoint": ENDPOINT}
    },
}


def event(payload):
    [found] = AmazonConnect().normalize(WebhookRequest(body=json.dumps(payload).encode()))
    return found


ORDERS = sorted({"".join(order) for order in itertools.permutations("iiff")})


@pytest.mark.parametrize("order", ORDERS)
async def test_the_callers_number_arrives_in_any_order_and_once(order):
    async with Router(PLAN) as router:
        payloads = [INITIATED if each == "i" else FLOW for each in order]
        receipts = [await router.deliver(event(payload)) for payload in payloads]
        assert [receipt.outcome for receipt in receipts] == [Outcome.QUEUED] + [
            Outcome.DUPLICATE
        ] * 3
        [opened] = {receipt.interaction_id for receipt in receipts}
        numbers = [each.customer.id for each in router.interaction(opened).messages]
        assert [number for number in numbers if number] == ["+493012345"]
        assert router.statistics().waiting == 1


async def test_it_is_told_to_nobody_when_the_call_is_over():
    async with Router(PLAN) as router:
        opened = await router.deliver(event(INITIATED))
        await router.abandon(opened.interaction_id)
        assert (await router.deliver(event(FLOW))).outcome is Outcome.DUPLICATE
        assert router.statistics().waiting == 0
