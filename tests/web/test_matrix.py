"""A Matrix homeserver as it calls: transactions by PUT, questions by GET, a ping by POST."""

import json

import httpx2
import pytest

from omniroute.channels import Matrix, Secrets, WebhookRequest
from omniroute.channels.quarantine import kept
from omniroute.model import Disposition
from omniroute.plan import Plan, Queue, TriageRule
from omniroute.router import Router
from omniroute.web.webhooks import Hook, webhooks

pytestmark = pytest.mark.anyio

PLAN = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
BEARER = {"Authorization": "Bearer hs"}
EVENT = {
    "type": "m.room.message",
    "sender": "@jo:x",
    "room_id": "!r:x",
    "event_id": "$1",
    "origin_server_ts": 1,
    "content": {"msgtype": "m.text", "body": "hello"},
}


def homeserver(deliver, **adapter):
    hook = Hook(Secrets("hs"), adapter=Matrix(**adapter))
    app = webhooks(deliver, {"matrix": hook})
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://inside")


def transaction(*events):
    return {"json": {"events": list(events)}, "headers": BEARER}


@pytest.mark.parametrize("prefix", ["/_matrix/app/v1", ""])
async def test_a_transaction_comes_again_until_it_is_answered_and_opens_once(prefix):
    seen = []
    async with Router(PLAN) as router:

        async def deliver(inbound):
            seen.append(inbound)
            return await router.deliver(inbound)

        http = homeserver(deliver)
        for number in (1, 1, 2):  # the same events under another id are the same events
            path = f"/matrix{prefix}/transactions/t%2F{number}"
            answer = await http.put(path, **transaction(EVENT))
            assert (answer.status_code, answer.json()) == (200, {})
        assert router.statistics().waiting == 1
        assert [each.delivery_id for each in seen] == ["t/1:$1", "t/1:$1", "t/2:$1"]
        other = {**EVENT, "event_id": "$2", "room_id": "!s:x"}
        await http.put(f"/matrix{prefix}/transactions/3", **transaction(EVENT, other))
        assert router.statistics().waiting == 2


async def test_old_homeservers_put_the_token_into_the_url():
    async with Router(PLAN) as router:
        http = homeserver(router.deliver)
        body = {"json": {"events": [EVENT]}}
        assert (await http.put("/matrix/transactions/1?access_token=hs", **body)).status_code == 200
        answer = await http.put("/matrix/transactions/1?access_token=no", **body)
        assert answer.status_code == 401
        assert router.statistics().waiting == 1


@pytest.mark.parametrize("prefix", ["/_matrix/app/v1", ""])
async def test_what_the_homeserver_asks_is_answered_in_json(prefix):
    taken = []
    http = homeserver(taken.append, own_users=("@shop:x",))
    for path, status in (
        ("/users/%40shop%3Ax", 200),
        ("/users/@shop:x", 200),
        ("/users/@jo:x", 404),
        ("/rooms/%23help%3Ax", 404),
    ):
        answer = await http.get(f"/matrix{prefix}{path}", headers=BEARER)
        assert answer.status_code == status
        assert answer.json().get("errcode", "M_NOT_FOUND") == "M_NOT_FOUND"
        assert (await http.get(f"/matrix{prefix}{path}")).status_code == 403
    assert not taken


async def test_networks_and_the_ping_and_what_is_neither():
    http = homeserver(None)
    answer = await http.get("/matrix/_matrix/app/v1/thirdparty/location/irc", headers=BEARER)
    assert answer.status_code == 404
    ping = {"json": {"transaction_id": "t"}}
    path = "/matrix/_matrix/app/v1/ping"
    answer = await http.post(path, headers=BEARER, **ping)
    assert (answer.status_code, answer.json()) == (200, {})
    assert (await http.post(path, **ping)).status_code == 403
    assert (await http.get("/matrix/x", headers=BEARER)).status_code == 400
    assert (await http.delete(path, headers=BEARER)).status_code == 405


async def test_a_transaction_that_cannot_be_read_is_kept_and_does_not_block_the_next():
    """Until it is answered with 200, the homeserver sends nothing else."""
    taken = []

    async def deliver(inbound):
        taken.append(inbound)

    http = homeserver(deliver)
    answer = await http.put(
        "/matrix/_matrix/app/v1/transactions/9?access_token=hs", json={"events": 1}
    )
    assert (answer.status_code, answer.json()) == (200, {})
    [aside] = taken
    assert aside.disposition is Disposition.QUARANTINE
    name, request = kept(aside.message)
    assert name == "matrix"
    assert json.loads(request.body) == {"events": 1}
    assert request.url.endswith("/transactions/9")


@pytest.mark.parametrize(
    "url",
    [
        "https://x.example/users/hooks/matrix",
        "https://x.example/users/",
        "https://x.example/matrix/transactions/users",
        "",
        "http://[",
    ],
)
def test_only_questions_are_questions(url):
    request = WebhookRequest(method="GET", url=url, headers=BEARER)
    assert Matrix().handshake(request, Secrets("hs")) is None
