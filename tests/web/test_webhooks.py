"""Webhooks over the ASGI app: a 2xx is a promise, everything else says what is wrong."""

import base64
import hashlib
import hmac
import json
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from omniroute.channels import Secrets, TwilioVoice, enqueue
from omniroute.errors import JournalError, RouterBusyError, UnknownNameError
from omniroute.model import Disposition
from omniroute.web.webhooks import Hook, webhooks

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
HOOKS = {
    "messenger": Hook(Secrets("meta secret", verify_token="meta token")),
    "twilio_voice": Hook(Secrets(["old token", "twilio token"]), answer=lambda _: enqueue()),
}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PUBLIC = "https://centre.example"


class Box:
    def __init__(self, error=None):
        self.taken, self.error, self.fails_at = [], error, 0

    async def deliver(self, inbound):
        if self.error is not None and len(self.taken) >= self.fails_at:
            raise self.error
        self.taken.append(inbound)


def client(box, hooks=None, **options):
    options = {"public_url": f"{PUBLIC}/", "now_ms": lambda: 1_700_000_000_000} | options
    app = webhooks(box.deliver, HOOKS if hooks is None else hooks, **options)
    return client_of(app)


def client_of(app):
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://inside")


def meta(body: bytes, secret="meta secret", **headers):
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": JSON, "X-Hub-Signature-256": f"sha256={mac}"} | headers
    return {"content": body, "headers": headers}


def twilio(body: bytes, url: str, token="twilio token"):
    from urllib.parse import parse_qsl

    signed = url + "".join(name + value for name, value in sorted(parse_qsl(body.decode())))
    mac = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest())
    return {
        "content": body,
        "headers": {"Content-Type": FORM, "X-Twilio-Signature": mac.decode()},
    }


BATCH = (DATA / "messenger" / "vercel__batch_two_messages_one_echo.json").read_bytes()
CALL = (DATA / "twilio_voice" / "own__incoming_1.txt").read_bytes()


async def test_every_event_is_recorded_before_the_answer():
    box = Box()
    async with client(box) as http:
        answer = await http.post("/messenger", **meta(BATCH))
    assert (answer.status_code, answer.content) == (200, b"")
    assert [each.disposition for each in box.taken] == ["create", "create", "own"]
    assert {each.message.received_at_ms for each in box.taken} == {1_700_000_000_000}


@pytest.mark.parametrize("token", ["twilio token", "old token"])
async def test_a_signed_url_is_the_public_one(token):
    box = Box()
    async with client(box) as http:
        url = f"{PUBLIC}/twilio_voice?line=1%202"
        answer = await http.post("/twilio_voice?line=1%202", **twilio(CALL, url, token))
        assert answer.status_code == 200
        assert b"<Enqueue>" in answer.content
        assert answer.headers["content-type"].startswith("text/xml")
        inside = "http://inside/twilio_voice?line=1%202"
        assert (await http.post("/twilio_voice", **twilio(CALL, inside))).status_code == 401
    assert len(box.taken) == 1


async def test_without_a_public_url_the_requests_own_is_taken_also_when_mounted():
    box = Box()
    app = webhooks(box.deliver, HOOKS)
    async with client_of(Starlette(routes=[Mount("/in", app)])) as http:
        url = "http://inside/in/twilio_voice"
        assert (await http.post("/in/twilio_voice", **twilio(CALL, url))).status_code == 200
    app = webhooks(box.deliver, HOOKS, public_url=PUBLIC)
    async with client_of(Starlette(routes=[Mount("/in", app)])) as http:
        url = f"{PUBLIC}/in/twilio_voice"
        assert (await http.post("/in/twilio_voice", **twilio(CALL, url))).status_code == 200
    assert len(box.taken) == 2


async def test_a_handshake_is_answered_and_a_foreign_one_refused():
    query = {"hub.mode": "subscribe", "hub.verify_token": "meta token", "hub.challenge": "42"}
    box = Box()
    async with client(box) as http:
        answer = await http.get("/messenger", params=query)
        assert (answer.status_code, answer.text) == (200, "42")
        assert answer.headers["content-type"].startswith("text/plain")
        query["hub.verify_token"] = "guess"
        assert (await http.get("/messenger", params=query)).status_code == 403
        assert (await http.get("/messenger")).status_code == 401
    assert not box.taken


REFUSED = [
    ("tampered", {**meta(BATCH), "content": BATCH + b" "}, 401),
    ("signed with another secret", meta(BATCH, "guess"), 401),
    ("not signed", {"content": BATCH, "headers": {"Content-Type": JSON}}, 401),
    ("empty and not signed", {"content": b""}, 401),
    ("another content type", meta(BATCH, **{"Content-Type": "text/html"}), 415),
    ("too large", meta(b"x" * 2_100_000), 413),
]


@pytest.mark.parametrize(("why", "delivery", "status"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_is_refused_is_not_recorded(why, delivery, status):
    box = Box()
    async with client(box) as http:
        answer = await http.post("/messenger", **delivery)
    assert answer.status_code == status
    assert answer.text.strip()
    assert not box.taken


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 1_000_000])
async def test_a_signed_body_that_is_none_is_kept_and_refused(body):
    box = Box()
    async with client(box) as http:
        answer = await http.post("/messenger", **meta(body))
    assert answer.status_code == 400
    [kept] = box.taken
    assert kept.disposition is Disposition.QUARANTINE
    assert kept.reason in answer.text


async def test_a_body_of_a_megabyte_is_taken():
    event = {"sender": {"id": "2"}, "message": {"mid": "m", "text": "x" * 1_000_000}}
    payload = {"object": "page", "entry": [{"id": "1", "messaging": [event]}]}
    box = Box()
    async with client(box) as http:
        answer = await http.post("/messenger", **meta(json.dumps(payload).encode()))
    assert answer.status_code == 200
    assert len(box.taken[0].message.text) == 1_000_000


async def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large():
    sent = 0

    async def chunks():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65_536

    box = Box()
    app = webhooks(box.deliver, HOOKS, max_body_bytes=100_000)
    status = []

    async def receive():
        return {"type": "http.request", "body": await anext(stream), "more_body": True}

    async def send(message):
        if message["type"] == "http.response.start":
            status.append(message["status"])

    stream = chunks()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/messenger",
        "query_string": b"",
        "headers": [],
        "server": ("inside", 80),
        "scheme": "http",
    }
    await app(scope, receive, send)
    await stream.aclose()
    assert status == [413]
    assert sent == 2


@pytest.mark.parametrize("error", [RouterBusyError("full"), JournalError("disk"), TimeoutError()])
@pytest.mark.parametrize("fails_at", [0, 1, 2])
async def test_what_cannot_be_recorded_now_is_to_come_again(error, fails_at):
    box = Box(error)
    box.fails_at = fails_at
    async with client(box, retry_after_s=7) as http:
        answer = await http.post("/messenger", **meta(BATCH))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "7"
        assert len(box.taken) == fails_at
        box.error = None
        assert (await http.post("/messenger", **meta(BATCH))).status_code == 200
    ids = [each.message.message_id for each in box.taken]
    assert ids[fails_at:] == ["m_FAKE_MSG_ID_001", "m_FAKE_MSG_ID_002", "m_ECHO_MSG_001"]
    assert ids[:fails_at] == ids[fails_at:][:fails_at]  # told by their ids


async def test_recording_has_a_time_limit():
    async def never(inbound):
        await anyio.sleep_forever()

    async with client_of(webhooks(never, HOOKS, time_limit_s=0)) as http:
        assert (await http.post("/messenger", **meta(BATCH))).status_code == 503


async def test_a_configured_adapter_and_a_detector_are_used():
    box = Box()
    hooks = {
        "line-1": Hook(Secrets("twilio token"), adapter=TwilioVoice(default_region="DE")),
        "fb": HOOKS["messenger"],
    }
    async with client(box, hooks, detect=lambda text: "en") as http:
        body = b"CallSid=CA1&CallStatus=ringing&Direction=inbound&From=089+21234501"
        assert (await http.post("/line-1", **twilio(body, f"{PUBLIC}/line-1"))).status_code == 200
        assert (await http.post("/fb", **meta(BATCH))).status_code == 200
        assert (await http.post("/messenger", **meta(BATCH))).status_code == 404
        assert (await http.delete("/fb")).status_code == 405
    assert box.taken[0].message.customer.id == "+498921234501"
    assert box.taken[1].message.language == "en"


async def test_a_hook_that_names_no_channel_is_refused():
    with pytest.raises(UnknownNameError, match="mesenger"):
        webhooks(Box().deliver, {"mesenger": Hook(Secrets("x"))})


async def test_a_failure_of_ones_own_is_no_promise():
    box = Box(KeyError("bug"))
    app = webhooks(box.deliver, HOOKS)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://inside") as http:
        assert (await http.post("/messenger", **meta(BATCH))).status_code == 500


async def test_deliver_may_return_something():
    async def deliver(inbound, *, wait):
        return wait

    async with client_of(webhooks(partial(deliver, wait=False), HOOKS)) as http:
        assert (await http.post("/messenger", **meta(BATCH))).status_code == 200
