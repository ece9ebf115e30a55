"""Every provider is answered before it hangs up, however slow the journal is. In virtual time."""

import hashlib
import hmac
import json

import anyio
import pytest

import virtual_time
from omniroute.channels import CHANNELS, Secrets
from omniroute.channels.providers import PROVIDERS
from omniroute.errors import RouterBusyError
from omniroute.model import Channel, Disposition, Inbound, Message
from omniroute.plan import Plan, Queue, TriageRule
from omniroute.router import Router
from omniroute.web import recording
from omniroute.web.webhooks import Hook, webhooks

pytestmark = pytest.mark.anyio

LIMITED = [name for name, provider in PROVIDERS.items() if provider.time_limit_ms is not None]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return virtual_time.backend(request.param)


class Anything:
    """Takes every delivery for three messages, under the name of a real channel."""

    channel = Channel.SMS
    content_types = ()
    limit_bytes = 1_000_000

    def __init__(self, name):
        self.name = name

    def verify(self, request, secrets):
        """Everything is authentic."""

    def handshake(self, request, secrets):
        return None

    def normalize(self, request):
        return [
            Inbound(
                disposition=Disposition.CREATE,
                message=Message(channel=self.channel, message_id=f"m{n}", thread_id=f"t{n}"),
            )
            for n in range(3)
        ]


async def posted(app, path, body=(b"{}",), headers=(), gap_s=0.0):
    """(status, headers, seconds until the answer began, seconds until all was over)."""
    parts = list(body)
    began = anyio.current_time()
    answered = []

    async def receive():
        await anyio.sleep(gap_s)
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        if message["type"] == "http.response.start":
            after = anyio.current_time() - began
            answered.append((message["status"], dict(message["headers"]), after))

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "server": ("inside", 80),
        "scheme": "http",
    }
    await app(scope, receive, send)
    [(status, answer_headers, after)] = answered
    return status, answer_headers, after, anyio.current_time() - began


class Slow:
    """A journal that takes its time, and what it has recorded in the end."""

    def __init__(self, seconds):
        self.seconds, self.taken = seconds, []

    async def deliver(self, inbound):
        await anyio.sleep(self.seconds)
        self.taken.append(inbound.message.message_id)


@pytest.mark.parametrize("name", [*LIMITED, "own_chat"])
async def test_the_answer_comes_before_the_provider_hangs_up(name):
    limit_s = PROVIDERS[name].time_limit_ms / 1000 if name in PROVIDERS else 60
    journal = Slow(1000)
    app = webhooks(journal.deliver, {"hook": Hook(Secrets("s"), adapter=Anything(name))})
    status, headers, after, _ = await posted(app, "/hook")
    assert status == 503
    assert headers[b"retry-after"] == b"5"
    assert after == pytest.approx(min(4.0, limit_s * 3 / 4))
    assert after < limit_s


@pytest.mark.parametrize("name", ["line", "slack", "telegram"])
async def test_what_came_too_late_is_recorded_after_the_answer(name):
    journal = Slow(1.0)
    app = webhooks(journal.deliver, {"hook": Hook(Secrets("s"), adapter=Anything(name))})
    status, _, after, over = await posted(app, "/hook")
    if name == "telegram":
        assert (status, after) == (200, pytest.approx(3.0))
    else:
        assert status == 503
        assert over > after
    assert journal.taken == ["m0", "m1", "m2"]


async def test_a_journal_that_hangs_holds_a_bounded_number_of_late_deliveries(monkeypatch):
    monkeypatch.setattr(recording, "MAX_LATE", 2)
    journal = Slow(1e6)
    app = webhooks(journal.deliver, {"hook": Hook(Secrets("s"), adapter=Anything("line"))})
    over = []

    async def one():
        over.append((await posted(app, "/hook"))[3])

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)
    assert sorted(over) == pytest.approx([1.5] * 3 + [1.5 + recording.LATE_S] * 2)
    assert (await posted(app, "/hook"))[3] == pytest.approx(1.5 + recording.LATE_S)


async def test_a_router_that_refuses_is_not_asked_again_behind_the_providers_back():
    calls = []

    async def deliver(inbound):
        calls.append(inbound)
        raise RouterBusyError("full")

    app = webhooks(deliver, {"hook": Hook(Secrets("s"), adapter=Anything("line"))})
    status, _, after, over = await posted(app, "/hook")
    assert (status, after, over) == (503, 0, 0)
    assert len(calls) == 1


async def test_the_time_that_the_body_takes_counts():
    journal = Slow(0)
    app = webhooks(journal.deliver, {"hook": Hook(Secrets("s"), adapter=Anything("line"))})
    assert (await posted(app, "/hook", [b"{", b"}"], gap_s=0.5))[0] == 200
    status, _, after, _ = await posted(app, "/hook", [b"x"] * 10, gap_s=0.5)
    assert (status, after) == (408, pytest.approx(1.5))
    journal.seconds = 0.4
    status, _, after, _ = await posted(app, "/hook", [b"{", b"}"], gap_s=0.5)
    assert (status, after) == (503, pytest.approx(1.5))


async def test_an_own_limit_counts_where_it_is_shorter():
    for own, expected in ((1.0, 1.0), (100.0, 1.5)):
        journal = Slow(1000)
        hooks = {"hook": Hook(Secrets("s"), adapter=Anything("line"))}
        app = webhooks(journal.deliver, hooks, time_limit_s=own)
        assert (await posted(app, "/hook"))[2] == pytest.approx(expected)


async def test_what_is_recorded_late_is_told_when_the_provider_comes_again():
    plan = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
    body = json.dumps(
        {
            "destination": "us",
            "events": [
                {
                    "type": "message",
                    "webhookEventId": f"e{n}",
                    "source": {"type": "user", "userId": f"u{n}"},
                    "message": {"type": "text", "id": f"m{n}", "text": "hello"},
                }
                for n in range(4)
            ],
        }
    ).encode()
    mac = hmac.new(b"s", body, hashlib.sha256)
    import base64

    headers = [
        ("Content-Type", "application/json"),
        ("X-Line-Signature", base64.b64encode(mac.digest()).decode()),
    ]
    async with Router(plan) as router:

        async def deliver(inbound):
            await anyio.sleep(0.5)
            return await router.deliver(inbound)

        app = webhooks(deliver, {"line": Hook(Secrets("s"))})
        first = await posted(app, "/line", [body], headers)
        again = await posted(app, "/line", [body], headers)
        assert (first[0], again[0]) == (503, 503)
        assert router.statistics().waiting == 4


def test_every_row_of_the_providers_names_a_channel():
    assert set(PROVIDERS) <= set(CHANNELS)
