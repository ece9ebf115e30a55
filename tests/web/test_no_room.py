"""A disk that is full refuses new work with 503, and takes it when there is room again."""

import hashlib
import hmac
from pathlib import Path

import httpx2
import pytest

from omniroute import Plan, Queue, Router, SqliteStore, StoreJournal, TriageRule
from omniroute.channels import Secrets
from omniroute.errors import JournalFullError
from omniroute.web.webhooks import Hook, webhooks

pytestmark = pytest.mark.anyio

BODY = (
    Path(__file__).parents[1] / "data" / "messenger" / "vercel__batch_two_messages_one_echo.json"
).read_bytes()
PLAN = Plan(queues=[Queue(name="social")], triage=[TriageRule(queue="social")])


def client(router):
    app = webhooks(router.deliver, {"messenger": Hook(Secrets("secret"))})
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://inside")


def messages(router):
    return [message for each in router.interactions() for message in each.messages]


async def post(http):
    mac = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mac}"}
    return await http.post("/messenger", content=BODY, headers=headers)


async def test_nearly_full_the_provider_is_told_to_come_again(tmp_path):
    store = SqliteStore(tmp_path / "router.db", max_bytes=1_000_000, reserve_bytes=2_000_000)
    async with (
        StoreJournal(store) as journal,
        Router(PLAN, journal=journal) as router,
        client(router) as http,
    ):
        answer = await post(http)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert messages(router) == []
        store._reserve_bytes = 0  # somebody made room
        store._room_known_until_s = 0
        assert (await post(http)).status_code == 200
        assert len(messages(router)) == 2


async def test_quite_full_the_router_has_stopped_and_the_provider_comes_again(tmp_path):
    path = tmp_path / "router.db"
    store = SqliteStore(path, max_bytes=20_480, reserve_bytes=0)
    accepted = 0
    async with StoreJournal(store) as journal:
        with pytest.raises(JournalFullError):
            async with Router(PLAN, journal=journal) as router, client(router) as http:
                while (await post(http)).status_code == 200:
                    accepted += 1
                assert (await post(http)).status_code == 503
    async with Router(PLAN, journal=f"sqlite:///{path}") as router, client(router) as http:
        assert len(messages(router)) >= (2 if accepted else 0)
        assert (await post(http)).status_code == 200
        assert len(messages(router)) == 2
