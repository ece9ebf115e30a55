"""Every channel as a route: valid, tampered, replayed, oversized, empty, repeated, unknown, refused.

A channel is covered by its row in `ROUTES`, which says how its provider proves a delivery. The
deliveries are the recorded inputs. A channel without webhooks stands in `CLOSED`: its route
takes nothing. A channel that stands in neither fails the first test.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel
import httpx2
import pytest

from channels.rows import every_row
from omniroute.channels import (
    CHANNELS,
    AppleMessages,
    GoogleChat,
    GoogleMeet,
    Secrets,
    Teams,
    canonical_name,
)
from omniroute.channels.providers import PROVIDERS
from omniroute.errors import RouterBusyError
from omniroute.model import Disposition, Message
from omniroute.plan import Limits, Plan, Queue, TriageRule
from omniroute.router import Router
from omniroute.web.webhooks import Hook, webhooks

jwt = pytest.importorskip("jwt")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
AT = NOW_MS // 1000
SECRET = "a secret that is long enough for HS256"
BASE = "https://centre.example"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Sent(NamedTuple):
    """What a proof is made over."""

    url: str
    body: bytes
    content_type: str


Proof = Callable[[Sent], dict[str, str]]


def mac(message, digest="sha256"):
    return hmac.new(SECRET.encode(), message, getattr(hashlib, digest))


def b64(raw):
    return base64.b64encode(raw).decode()


def hub(name, digest):
    return lambda sent: {name: f"{digest}={mac(sent.body, digest).hexdigest()}"}


def encoded(name, digest="sha256"):
    return lambda sent: {name: b64(mac(sent.body, digest).digest())}


def slack(sent):
    signed = b"v0:%d:" % AT + sent.body
    return {
        "X-Slack-Request-Timestamp": str(AT),
        "X-Slack-Signature": f"v0={mac(signed).hexdigest()}",
    }


def own_chat(sent):
    signed = b"%d." % AT + sent.body
    return {
        "X-Omniroute-Timestamp": str(AT),
        "X-Omniroute-Signature": f"v1={mac(signed).hexdigest()}",
    }


def twilio(sent):
    tail = ""
    if sent.content_type == FORM:
        tail = "".join(name + value for name, value in sorted(parse_qsl(sent.body.decode(), True)))
    return {"X-Twilio-Signature": b64(mac((sent.url + tail).encode(), "sha1").digest())}


def plivo(sent):
    form = "".join(name + value for name, value in sorted(parse_qsl(sent.body.decode(), True)))
    text = f"{sent.url}?{form}.n1" if form else f"{sent.url}.n1"
    return {
        "X-Plivo-Signature-V3": b64(mac(text.encode()).digest()),
        "X-Plivo-Signature-V3-Nonce": "n1",
    }


def hs256(**claims):
    def proof(sent):
        found = {**claims, "iat": AT, "payload_hash": hashlib.sha256(sent.body).hexdigest()}
        return {"Authorization": f"Bearer {jwt.encode(found, SECRET, algorithm='HS256')}"}

    return proof


@cache
def private():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_keys():
    found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private().public_key()))
    return json.dumps({"keys": [{**found, "kid": "k"}]})


def rs256(**claims):
    def proof(sent):
        found = {"exp": AT + 300, **claims}
        try:
            found["serviceurl"] = json.loads(sent.body).get("serviceUrl")
        except (ValueError, AttributeError):
            found["serviceurl"] = "https://smba.example/"
        made = jwt.encode(found, private(), algorithm="RS256", headers={"kid": "k"})
        return {"Authorization": f"Bearer {made}"}

    return proof


ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
ED_PUBLIC = ED_KEY.public_key().public_bytes_raw()


def discord(sent):
    signature = ED_KEY.sign(str(AT).encode() + sent.body).hex()
    return {"X-Signature-Timestamp": str(AT), "X-Signature-Ed25519": signature}


def telnyx(sent):
    signature = b64(ED_KEY.sign(f"{AT}|".encode() + sent.body))
    return {"Telnyx-Timestamp": str(AT), "Telnyx-Signature-Ed25519": signature}


def pushed(sent):
    """Google signs what is in the envelope."""
    try:
        inner = base64.b64decode(json.loads(sent.body)["message"]["data"], validate=True)
    except (KeyError, TypeError, ValueError):
        inner = sent.body
    return encoded("X-Goog-Signature", "sha512")(sent._replace(body=inner))


def repeats(name, prefix=""):
    return lambda sent: {name: prefix + SECRET}


class Row(NamedTuple):
    """How one channel's deliveries come.

    ``unknown`` is a delivery of a kind that nobody knows, ``covers_body`` says that the proof is
    made over the body, ``window_s`` after how many seconds a delivery is too old (None: never).
    """

    proof: Proof
    unknown: str | None = "{}"
    secrets: Callable[[], Secrets] = lambda: Secrets(SECRET, verify_token="token")
    adapter: Callable[[], object] | None = None
    content_type: str = JSON
    path: str = ""
    covers_body: bool = True
    window_s: int | None = None


def meta(name):
    unknown = f'{{"object": "{name}", "entry": [{{"id": "1", "changes": [{{"field": "x"}}]}}]}}'
    if name == "whatsapp_business_account":
        unknown = unknown.replace('"x"', '"x", "value": {}')
    return Row(hub("X-Hub-Signature-256", "sha256"), unknown)


GOOGLE = {
    "iss": "https://accounts.google.com",
    "aud": "123",
    "email": "push@p.example",
    "email_verified": True,
}
KEYS = lambda: Secrets(public_keys())
ED_HEX, ED_B64 = lambda: Secrets(ED_PUBLIC.hex()), lambda: Secrets(b64(ED_PUBLIC))
TWILIO = Row(twilio, None, content_type=FORM)
MATRIX_EVENT = '{"events": [{"type": "x.unknown", "sender": "@a:x", "event_id": "$1"}]}'

ROUTES: Mapping[str, Row] = {
    "facebook": meta("page"),
    "messenger": meta("page"),
    "instagram": meta("instagram"),
    "whatsapp": meta("whatsapp_business_account"),
    "telegram": Row(
        repeats("X-Telegram-Bot-Api-Secret-Token"), '{"update_id": 1, "x": {}}', covers_body=False
    ),
    "line": Row(encoded("X-Line-Signature"), '{"events": [{"type": "x"}]}'),
    "viber": Row(
        lambda sent: {"X-Viber-Content-Signature": mac(sent.body).hexdigest()}, '{"event": "x"}'
    ),
    "x": Row(
        lambda sent: {"x-twitter-webhooks-signature": f"sha256={b64(mac(sent.body).digest())}"},
        '{"for_user_id": "1", "x_events": [{}]}',
    ),
    "slack": Row(slack, '{"type": "event_callback", "event": {"type": "x"}}', window_s=300),
    "teams": Row(
        rs256(iss="https://api.botframework.com", aud="app"),
        '{"type": "x", "serviceUrl": "https://s.example/"}',
        secrets=KEYS,
        adapter=lambda: Teams(app_id="app"),
        window_s=600,
    ),
    "discord": Row(discord, '{"type": 99, "id": "1"}', secrets=ED_HEX),
    "linkedin": Row(
        lambda sent: {"X-LI-Signature": mac(b"hmacsha256=" + sent.body).hexdigest()},
        '{"notifications": [{"action": "X", "notificationId": 1}]}',
    ),
    "youtube": Row(hub("X-Hub-Signature", "sha1"), '{"items": [{"kind": "youtube#x"}]}'),
    "matrix": Row(
        repeats("Authorization", "Bearer "),
        MATRIX_EVENT,
        path="/_matrix/app/v1/transactions/7",
        covers_body=False,
    ),
    "mastodon": Row(hub("X-Hub-Signature", "sha256"), '{"type": "x", "id": "1"}'),
    "google_chat": Row(
        rs256(iss="chat@system.gserviceaccount.com", aud="123"),
        '{"type": "X"}',
        secrets=KEYS,
        adapter=lambda: GoogleChat(audience="123"),
        covers_body=False,
        window_s=600,
    ),
    "google_meet": Row(
        rs256(**GOOGLE),
        '{"type": "x"}',
        secrets=KEYS,
        adapter=lambda: GoogleMeet(audience="123", service_accounts=("push@p.example",)),
        covers_body=False,
        window_s=600,
    ),
    "google_business_messages": Row(
        encoded("X-Goog-Signature", "sha512"), '{"conversationId": "c", "x": {}}'
    ),
    "rcs": Row(pushed, '{"senderPhoneNumber": "+1", "eventType": "X"}'),
    "twilio_voice": TWILIO,
    "twilio_sms": TWILIO,
    "voicemail": TWILIO,
    "vonage": Row(hs256(), None, window_s=300),
    "plivo": Row(plivo, None, content_type=FORM),
    "telnyx": Row(telnyx, '{"data": {"event_type": "x"}}', secrets=ED_B64, window_s=300),
    "amazon_connect": Row(
        repeats("X-Api-Key"),
        '{"detail": {"contactId": "1", "eventType": "INITIATED", "channel": "TASK"}}',
        covers_body=False,
    ),
    "intercom": Row(hub("X-Hub-Signature", "sha1"), '{"topic": "x.y", "id": "1"}'),
    "zendesk_sunshine": Row(
        repeats("X-API-Key"), '{"events": [{"id": "1", "type": "x"}]}', covers_body=False
    ),
    "in_app_chat": Row(own_chat, '{"events": [{"type": "x", "conversation": "1"}]}', window_s=300),
    "apple_messages": Row(
        hs256(aud="us"),
        '{"type": "x"}',
        adapter=lambda: AppleMessages(service_id="us"),
        covers_body=False,
        window_s=300,
    ),
}
#: No webhooks: mail, one's own connections, what is fetched.
CLOSED = {
    *("email", "sip", "kamailio", "asterisk_ari", "asterisk_ami", "freeswitch"),
    *("bluesky", "google_play", "app_store"),
}

VALID = {}
for each in every_row():
    if each.channel in {"email_reply_text", "icalendar", "importers", "signature_vectors"}:
        continue
    name = canonical_name(each.channel)
    taken = VALID.setdefault(name, each)
    if taken.is_new_interaction != "yes" and each.is_new_interaction == "yes":
        VALID[name] = each

PLAN = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
FULL = Plan(queues=[Queue(name="q", max_waiting=1)], triage=[TriageRule(queue="q")])


def body_of(name: str) -> bytes:
    raw = VALID[name].raw
    return raw.strip() if ROUTES[name].content_type == FORM else raw


class Site:
    """One channel's route, and what was delivered."""

    def __init__(self, name, deliver, *, secrets=None, now_ms=NOW_MS, **options):
        self.row = ROUTES.get(name, Row(lambda sent: {}))
        adapter = self.row.adapter() if self.row.adapter else None
        hook = Hook(self.row.secrets() if secrets is None else secrets, adapter=adapter)
        self.taken = []
        self.receipts = []

        async def recorded(inbound):
            receipt = await deliver(inbound)
            self.taken.append(inbound)
            self.receipts.append(receipt)
            return receipt

        self.path = f"/{name}{self.row.path}"
        app = webhooks(recorded, {name: hook}, public_url=BASE, now_ms=lambda: now_ms, **options)
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://inside"
        )

    async def post(self, body, *, proof=True, sent=None, content_type=None, damage=False):
        """Send `body`, with the proof of `sent` where that is another one."""
        content_type = content_type or self.row.content_type
        query = ""
        if content_type != FORM and self.row.proof is twilio:
            query = f"?bodySHA256={hashlib.sha256(body).hexdigest()}"
        url = BASE + self.path + query
        signed = Sent(url, body if sent is None else sent, content_type)
        headers = self.row.proof(signed) if proof else {}
        if damage:
            headers = {name: value[:-2] + "xx" for name, value in headers.items()}
        headers["Content-Type"] = content_type
        method = "PUT" if self.path.startswith("/matrix/") else "POST"
        return await self.http.request(method, self.path + query, content=body, headers=headers)


async def take(inbound):
    return None


def refusals(name):
    """What a forgery is answered with."""
    provider = PROVIDERS.get(name)
    return {200} if provider and provider.drops_forgeries else {401}


def test_every_channel_has_a_row_or_no_webhooks():
    assert set(ROUTES) | CLOSED == set(CHANNELS)
    assert not set(ROUTES) & CLOSED
    assert set(ROUTES) <= set(VALID)


every_route = pytest.mark.parametrize("name", ROUTES)
#: Those whose recorded delivery opens something; of the others nothing has to be recorded.
opening_route = pytest.mark.parametrize(
    "name", [name for name in ROUTES if VALID[name].is_new_interaction == "yes"]
)


@every_route
async def test_a_valid_delivery_is_recorded_and_answered(name):
    site = Site(name, take)
    answer = await site.post(body_of(name))
    assert answer.status_code == 200, answer.text
    if name in {"matrix", "google_chat"}:
        assert answer.json() == {}
    assert site.taken
    opens = VALID[name].is_new_interaction == "yes"
    routed = {Disposition.CREATE, Disposition.APPEND}
    assert any(each.disposition in routed for each in site.taken) is opens


@every_route
async def test_a_tampered_delivery_leaves_nothing(name):
    site = Site(name, take)
    body = body_of(name)
    answers = [await site.post(body, damage=True), await site.post(body, proof=False)]
    if site.row.covers_body:
        tampered = body.replace(b"1", b"2", 1)
        assert tampered != body
        if name != "teams":  # its token covers the service's URL only
            answers.append(await site.post(tampered, sent=body))
    assert {answer.status_code for answer in answers} == refusals(name)
    assert not site.taken


@every_route
async def test_a_replayed_delivery_is_too_old_or_a_repeat(name):
    row = ROUTES[name]
    late_ms = NOW_MS + ((row.window_s or 86_400) + 61) * 1000
    async with Router(PLAN) as router:
        first = Site(name, router.deliver)
        assert (await first.post(body_of(name))).status_code == 200
        waiting = router.statistics().waiting
        late = Site(name, router.deliver, now_ms=late_ms)
        answer = await late.post(body_of(name))
        assert answer.status_code == (200 if row.window_s is None else 401), answer.text
        assert router.statistics().waiting == waiting
        assert bool(late.taken) is (row.window_s is None)


@every_route
async def test_a_repeated_delivery_opens_nothing_new(name):
    async with Router(PLAN) as router:
        site = Site(name, router.deliver)
        answers = [await site.post(body_of(name)) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        opened = [receipt.interaction_id for receipt in site.receipts[: len(site.receipts) // 3]]
        assert router.statistics().waiting == len({one for one in opened if one})
        outcomes = {receipt.outcome.value for receipt in site.receipts[len(opened) :]}
        assert outcomes <= {"duplicate", "ignored", "ended"}


@opening_route
async def test_deliveries_in_the_same_moment_open_once(name):
    async with Router(PLAN) as router:
        alone = Site(name, router.deliver)
        await alone.post(body_of(name))
        expected = router.statistics().waiting
    async with Router(PLAN) as router:

        async def deliver(inbound):
            await anyio.lowlevel.checkpoint()
            return await router.deliver(inbound)

        site = Site(name, deliver)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(site.post, body_of(name))
        assert len(site.taken) == 5 * len(alone.taken)
        assert router.statistics().waiting == expected > 0


@every_route
async def test_an_oversized_delivery_is_refused_unread(name):
    site = Site(name, take, limits=Limits(max_payload_bytes=64))
    assert (await site.post(body_of(name) + b" " * 64)).status_code == 413
    assert not site.taken


@every_route
async def test_an_empty_delivery_leaves_nothing(name):
    site = Site(name, take)
    assert (await site.post(b"", proof=False)).status_code in refusals(name)
    assert (await site.post(b"")).status_code in {400, 401}
    assert not site.taken


@pytest.mark.parametrize("name", [name for name, row in ROUTES.items() if row.unknown])
async def test_an_unknown_event_type_is_counted_and_ignored(name):
    async with Router(PLAN) as router:
        site = Site(name, router.deliver)
        answer = await site.post(ROUTES[name].unknown.encode())
        assert answer.status_code == 200, answer.text
        assert [each.disposition for each in site.taken] == [Disposition.IGNORED]
        assert sum(router.deliveries.values()) == 1
        assert router.statistics().waiting == 0


@every_route
async def test_another_content_type_is_refused(name):
    site = Site(name, take)
    answer = await site.post(body_of(name), content_type="text/html")
    any_type = not CHANNELS[name].content_types
    assert answer.status_code == (200 if any_type else 415), answer.text
    assert any_type or not site.taken


@every_route
async def test_without_a_secret_nothing_is_taken(name):
    for secrets in (Secrets(), Secrets(""), Secrets(["", ""])):
        site = Site(name, take, secrets=secrets)
        assert (await site.post(body_of(name))).status_code == 401
        assert not site.taken


@pytest.mark.parametrize("name", sorted(CLOSED))
async def test_a_channel_without_webhooks_takes_nothing(name):
    site = Site(name, take, secrets=Secrets(SECRET))
    for content_type in (JSON, FORM, "text/plain"):
        assert (await site.post(VALID[name].raw, content_type=content_type)).status_code == 401
    assert not site.taken


@every_route
async def test_what_is_no_payload_of_the_provider_is_kept(name):
    """The proof is right, so it came from the provider: nothing is lost, nothing is a 500."""
    body = b"x=1" if ROUTES[name].content_type == FORM else b'{"serviceUrl": "s"}'
    site = Site(name, take)
    answer = await site.post(body)
    assert answer.status_code == (400 if CHANNELS[name].channel == "voice" else 200), answer.text
    [aside] = site.taken
    assert aside.disposition in {Disposition.QUARANTINE, Disposition.IGNORED}


@opening_route
async def test_a_stopped_router_asks_to_come_again(name):
    async with Router(PLAN) as router:
        pass
    site = Site(name, router.deliver)
    answer = await site.post(body_of(name))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert not site.taken


@every_route
async def test_a_busy_router_asks_to_come_again(name):
    async def busy(inbound):
        raise RouterBusyError("full")

    site = Site(name, busy, retry_after_s=9)
    answer = await site.post(body_of(name))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "9")


@opening_route
async def test_a_full_queue_asks_to_come_again_and_takes_it_then(name):
    async with Router(FULL) as router:
        before = await router.submit(Message(channel="chat", message_id="before", thread_id="t"))
        site = Site(name, router.deliver)
        answer = await site.post(body_of(name))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        await router.cancel(before.interaction_id)
        again = await site.post(body_of(name))
        assert again.status_code in {200, 503}  # a delivery may hold more than there is room for
        assert router.statistics().waiting == 1
