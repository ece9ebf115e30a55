"""Webhooks over the ASGI app: a 2xx is a promise, everything else says what is wrong."""

import base64
import hashlib
import hmac
import json
from functools import partial
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from omniroute.channels import Secrets, TwilioVoice, enqueue, reject
from omniroute.channels.quarantine import kept
from omniroute.errors import JournalError, RouterBusyError, UnknownNameError
from omniroute.model import Disposition
from omniroute.plan import Limits, Plan, Queue, TriageRule
from omniroute.router import Receipt, Router
from omniroute.web.webhooks import Hook, webhooks

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
HOOKS = {
    "messenger": Hook(Secrets("meta secret", verify_token="meta token")),
    "twilio_voice": Hook(Secrets(["old token", "twilio token"]), answer=lambda *_: enqueue()),
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


NOT_META = {"{": b"{", "[]": b"[]", "{}": b"{}", "ff": b"\xff\0", "deep": b"[" * 1_000_000}


@pytest.mark.parametrize("name", NOT_META)
async def test_a_signed_body_that_is_none_is_kept_and_not_asked_for_again(name):
    body = NOT_META[name]
    box = Box()
    async with client(box) as http:
        answer = await http.post("/messenger", **meta(body))
    assert answer.status_code == 200
    [found] = box.taken
    assert found.disposition is Disposition.QUARANTINE
    assert found.reason
    assert kept(found.message)[1].body == body


async def test_an_empty_body_is_refused_and_leaves_nothing():
    box = Box()
    async with client(box) as http:
        assert (await http.post("/messenger", **meta(b""))).status_code == 400
    assert not box.taken


async def test_a_call_that_cannot_be_understood_is_kept_and_left_to_the_providers_fallback():
    box = Box()
    async with client(box) as http:
        body = b"CallStatus=ringing&Direction=inbound"
        answer = await http.post("/twilio_voice", **twilio(body, f"{PUBLIC}/twilio_voice"))
    assert answer.status_code == 400
    [found] = box.taken
    assert found.disposition is Disposition.QUARANTINE
    assert found.reason in answer.text


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
    app = webhooks(box.deliver, HOOKS, limits=Limits(max_payload_bytes=100_000))
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


# --- what the router refuses ------------------------------------------------------------------

FULL = Plan(queues=[Queue(name="q", max_waiting=1)], triage=[TriageRule(queue="q")])
NOWHERE = Plan(queues=[Queue(name="q")])


def routed(router, hooks=None, **options):
    options = {"public_url": PUBLIC} | options
    return client_of(webhooks(router.deliver, HOOKS if hooks is None else hooks, **options))


def written(*ids):
    """A Messenger delivery with one message for each id, of as many customers."""
    events = [
        {
            "sender": {"id": f"2{mid}"},
            "recipient": {"id": "1"},
            "message": {"mid": mid, "text": "?"},
        }
        for mid in ids
    ]
    body = json.dumps({"object": "page", "entry": [{"id": "1", "messaging": events}]})
    return meta(body.encode())


def called(sid, status="ringing"):
    body = f"CallSid={sid}&CallStatus={status}&Direction=inbound&From=%2B4930{sid[2:]}"
    return twilio(body.encode(), f"{PUBLIC}/twilio_voice")


async def test_a_full_queue_acknowledges_nothing_and_takes_the_repeat():
    async with Router(FULL) as router, routed(router, retry_after_s=7) as http:
        answer = await http.post("/messenger", **written("m1", "m2"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert (await http.post("/messenger", **written("m1", "m2"))).status_code == 503
        assert router.interaction("i1").message.message_id == "m1"
        await router.cancel("i1")
        assert (await http.post("/messenger", **written("m1", "m2"))).status_code == 200
        waiting = [key for key in map("i{}".format, range(9)) if router.interaction(key)]
        assert [router.interaction(key).message.message_id for key in waiting] == ["m2"]


async def test_a_message_that_no_queue_takes_is_not_asked_for_again():
    async with Router(NOWHERE) as router, routed(router) as http:
        assert (await http.post("/messenger", **written("m1"))).status_code == 200


async def test_a_caller_hears_that_the_line_is_busy():
    told = []

    def refused(events, receipts):
        told.append((events, receipts))
        return reject()

    secrets = HOOKS["twilio_voice"].secrets
    hooks = {"twilio_voice": Hook(secrets, answer=HOOKS["twilio_voice"].answer, refused=refused)}
    for plan, sids in ((FULL, ("CA1", "CA2")), (NOWHERE, ("CA3",))):
        async with Router(plan) as router, routed(router, hooks) as http:
            answers = [await http.post("/twilio_voice", **called(sid)) for sid in sids]
            assert all(answer.status_code == 200 for answer in answers)
            assert b'<Reject reason="busy"/>' in answers[-1].content
            if len(answers) > 1:
                assert b"<Enqueue>" in answers[0].content
                gone = await http.post("/twilio_voice", **called("CA1", "completed"))
                assert b"<Enqueue>" in gone.content
                again = await http.post("/twilio_voice", **called("CA2"))
                assert b"<Enqueue>" in again.content
    reasons = [receipt.reason for _, (receipt,) in told]
    assert reasons == ["queue_full", "no_queue"]
    assert [event.message.message_id for (event,), _ in told] == ["CA2", "CA3"]
    assert b'reason="rejected"' in reject(busy=False).body


async def test_an_answer_gets_the_receipt_of_each_event_or_none():
    told = []

    def answer(events, receipts):
        told.append(list(receipts))
        return enqueue()

    hooks = {"messenger": Hook(HOOKS["messenger"].secrets, answer=answer)}
    plan = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
    async with Router(plan) as router, routed(router, hooks) as http:
        await http.post("/messenger", **written("m1", "m2"))
        await http.post("/messenger", **written("m2"))
    async with client(Box(), hooks) as http:
        await http.post("/messenger", **written("m1"))
    assert told == [
        [Receipt("queued", "i1"), Receipt("queued", "i2")],
        [Receipt("duplicate", "i2")],
        [None],
    ]


@pytest.mark.parametrize(("limits", "status"), [(None, 200), (Limits(max_payload_bytes=500), 413)])
async def test_the_limit_of_the_plan_holds(limits, status):
    box = Box()
    async with client(box, limits=limits) as http:
        delivery = written(*map(str, range(10)))
        assert (await http.post("/messenger", **delivery)).status_code == status
        assert (await http.post("/messenger", **written("1"))).status_code == 200


async def test_a_router_and_secrets_are_enough():
    plan = Plan(
        queues=[Queue(name="q")],
        triage=[TriageRule(queue="q")],
        limits=Limits(max_payload_bytes=500),
    )
    async with Router(plan) as router:
        app = webhooks(router, {"messenger": Secrets("meta secret")})
        async with client_of(app) as http:
            assert (await http.post("/messenger", **written("m1"))).status_code == 200
            large = written(*map(str, range(10)))
            assert (await http.post("/messenger", **large)).status_code == 413
        assert router.statistics().waiting == 1


async def test_no_log_record_at_any_level_has_what_a_customer_wrote(caplog):
    caplog.set_level(1)
    async with Router(FULL) as router, routed(router) as http:
        await http.post("/messenger", **written("canary1", "canary2"))
        await http.post("/messenger", **meta(b"canary, not JSON"))
        body = b"canary=1&canary=2&From=canary"
        url = f"{PUBLIC}/twilio_voice"
        mac = hmac.new(b"twilio token", f"{url}Fromcanarycanary1canary2".encode(), hashlib.sha1)
        headers = {
            "Content-Type": FORM,
            "X-Twilio-Signature": base64.b64encode(mac.digest()).decode(),
        }
        assert (await http.post("/twilio_voice", content=body, headers=headers)).status_code == 400
    names = [record.message for record in caplog.records if record.name == "omniroute"]
    assert names.count("message_quarantined") == 2
    assert "interaction_rejected" in names
    assert not [record for record in caplog.records if "canary" in repr(vars(record))]
