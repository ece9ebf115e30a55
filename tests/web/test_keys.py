"""Keys are fetched from fixed addresses, kept, renewed, and without them nothing is accepted."""

import json
from contextlib import asynccontextmanager
from functools import cache

import anyio
import httpx2
import pytest

from omniroute.channels import GoogleChat, Secrets, Teams, WebhookRequest
from omniroute.channels.jwt_rs256 import key_id_of, key_ids_in
from omniroute.errors import UsageError
from omniroute.web.keys import (
    GOOGLE_CHAT_KEYS,
    GOOGLE_KEYS,
    TEAMS_KEYS,
    KeySource,
    KeysUnavailableError,
)
from omniroute.web.webhooks import Hook, webhooks

jwt = pytest.importorskip("jwt")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_000
NONE = Secrets()


@cache
def key(name):
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwks(*names):
    keys = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key())), "kid": name}
        for name in names
    ]
    return json.dumps({"keys": keys})


def token(name, **claims):
    at = NOW_MS // 1000
    claims = {
        "iss": "https://api.botframework.com",
        "aud": "app",
        "serviceurl": "https://smba.example/",
        "exp": at + 3600,
        **claims,
    }
    return jwt.encode(claims, key(name), algorithm="RS256", headers={"kid": name})


def bearing(name, **claims):
    headers = {"Authorization": f"Bearer {token(name, **claims)}"}
    return WebhookRequest(headers=headers, body=b"{}", received_at_ms=NOW_MS)


class Site:
    """A web site on this machine: path -> (status, body, further header lines)."""

    def __init__(self):
        self.pages, self.asked, self.address = {}, [], ""
        self.holding = None

    async def _serve(self, stream):
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive()
            path = request.split()[1].decode()
            self.asked.append(path)
            if self.holding is not None:
                await self.holding.wait()
            status, body, *lines = self.pages.get(path, (404, "no"))
            head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close"]
            await stream.send("\r\n".join([*head, *lines, "", body]).encode())


@asynccontextmanager
async def site():
    found = Site()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    found.address = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, found._serve)
        yield found
        group.cancel_scope.cancel()


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


def source(web, *paths, **options):
    clock = Clock()
    made = KeySource(*(web.address + path for path in paths), monotonic_s=clock, **options)
    return made, clock


async def test_the_metadata_names_the_keys_and_they_are_fetched_once():
    async with site() as web:
        web.pages["/openid"] = (200, json.dumps({"jwks_uri": f"{web.address}/keys"}))
        web.pages["/keys"] = (200, jwks("a", "b"))
        keys, clock = source(web, "/openid")
        teams = Teams(app_id="app")
        for name in ("a", "b", "a"):
            secrets = await keys.secrets_for(bearing(name), Secrets("known"))
            assert secrets.signing[0] == "known"
            request = bearing(name)
            stated = json.dumps({"serviceUrl": "https://smba.example/"}).encode()
            teams.verify(
                WebhookRequest(headers=request.headers, body=stated, received_at_ms=NOW_MS),
                secrets,
            )
        assert web.asked == ["/openid", "/keys"]
        clock.now += 13 * 3600
        await keys.secrets_for(bearing("a"), NONE)
        assert web.asked == ["/openid", "/keys"] * 2


async def test_an_unknown_key_is_looked_for_but_not_too_often():
    async with site() as web:
        web.pages["/keys"] = (200, jwks("a"))
        keys, clock = source(web, "/keys")
        await keys.secrets_for(bearing("a"), NONE)
        for _ in range(20):  # a forger may name what he likes
            await keys.secrets_for(bearing("forged"), NONE)
        assert len(web.asked) == 1
        web.pages["/keys"] = (200, jwks("a", "new"))
        clock.now += 61
        secrets = await keys.secrets_for(bearing("new"), NONE)
        assert key_ids_in(secrets.signing[0]) == {"a", "new"}
        assert len(web.asked) == 2
        clock.now += 61
        await keys.secrets_for(bearing("a"), NONE)
        assert len(web.asked) == 2


async def test_many_deliveries_wait_for_one_fetch():
    async with site() as web:
        web.pages["/keys"] = (200, jwks("a"))
        web.holding = anyio.Event()
        keys, _ = source(web, "/keys")
        found = []

        async def one():
            found.append(await keys.secrets_for(bearing("a"), NONE))

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(one)
            await anyio.wait_all_tasks_blocked()
            web.holding.set()
        assert len(web.asked) == 1
        assert len(found) == 10


async def test_without_keys_nothing_is_accepted_and_old_ones_serve_for_a_while():
    async with site() as web:
        keys, clock = source(web, "/keys", expire_s=48 * 3600)
        for _ in range(3):
            with pytest.raises(KeysUnavailableError):
                await keys.secrets_for(bearing("a"), NONE)
        assert web.asked == ["/keys"]
        assert await keys.fetch() is False
        clock.now += 61
        web.pages["/keys"] = (200, jwks("a"))
        assert await keys.fetch() is True
        del web.pages["/keys"]
        clock.now += 47 * 3600
        assert await keys.secrets_for(bearing("a"), NONE)
        clock.now += 2 * 3600
        with pytest.raises(KeysUnavailableError):
            await keys.secrets_for(bearing("a"), NONE)


BAD_PAGES = {
    "an error": (500, "{}"),
    "no JSON": (200, "<html>"),
    "no keys": (200, "{}"),
    "a list": (200, "[1]"),
    "too large": (200, '{"keys": "' + "x" * 300_000 + '"}'),
    "keys elsewhere": (200, '{"jwks_uri": "https://evil.example/keys"}'),
    "another scheme": (200, '{"jwks_uri": "file:///etc/passwd"}'),
    "deep": (200, "[" * 100_000),
}


@pytest.mark.parametrize("name", BAD_PAGES)
async def test_what_is_no_key_document_is_not_taken(name):
    async with site() as web:
        web.pages["/keys"] = (200, jwks("a"))
        keys, clock = source(web, "/keys")
        await keys.secrets_for(bearing("a"), NONE)
        web.pages["/keys"] = BAD_PAGES[name]
        clock.now += 61
        secrets = await keys.secrets_for(bearing("b"), NONE)
        assert key_ids_in(secrets.signing[0]) == {"a"}


async def test_a_redirect_is_not_followed():
    async with site() as web:
        web.pages["/keys"] = (302, "", f"Location: {web.address}/evil")
        web.pages["/evil"] = (200, jwks("evil"))
        async with httpx2.AsyncClient(follow_redirects=True) as client:
            keys, _ = source(web, "/keys", client=client)
            with pytest.raises(KeysUnavailableError):
                await keys.secrets_for(bearing("evil"), NONE)
        assert web.asked == ["/keys"]


async def test_a_site_that_hangs_costs_no_more_than_the_providers_patience():
    async with site() as web:
        web.holding = anyio.Event()
        keys, _ = source(web, "/keys")
        with pytest.raises(KeysUnavailableError):
            await keys.secrets_for(bearing("a"), NONE, until=anyio.current_time())
        web.holding.set()


async def test_only_fixed_and_encrypted_addresses_are_asked():
    for address in (TEAMS_KEYS, GOOGLE_CHAT_KEYS, GOOGLE_KEYS):
        assert KeySource(address).addresses == (address,)
    for bad in ("http://login.botframework.com/", "file:///etc/passwd", "keys", ""):
        with pytest.raises(UsageError, match="https"):
            KeySource(bad)
    with pytest.raises(UsageError, match="at least one"):
        KeySource()


async def test_a_token_names_its_key_and_nothing_is_believed():
    assert key_id_of(bearing("a")) == "a"
    for value in (
        "",
        "Bearer",
        "Bearer x.y.z",
        "Bearer é.e.e",
        "Bearer " + "a" * 20_000,
        "Basic a",
    ):
        assert key_id_of(WebhookRequest(headers={"Authorization": value})) is None
    assert key_ids_in("[") == key_ids_in("[]") == key_ids_in('{"keys": 1}') == frozenset()
    assert key_ids_in('{"k1": "-----BEGIN CERTIFICATE-----"}') == {"k1"}


async def test_a_hook_with_keys_takes_what_they_prove():
    taken = []

    async def deliver(inbound):
        taken.append(inbound)

    async with site() as web:
        web.pages["/certs"] = (200, jwks("a"))
        keys, clock = source(web, "/certs")
        hook = Hook(NONE, adapter=GoogleChat(audience="123"), keys=keys)
        app = webhooks(deliver, {"google_chat": hook}, now_ms=lambda: NOW_MS)
        content = {"type": "MESSAGE", "message": {"name": "m", "sender": {"name": "users/1"}}}
        body = json.dumps({**content, "space": {"name": "spaces/1"}}).encode()

        async def post(name, **claims):
            named = {"aud": "123", "iss": "chat@system.gserviceaccount.com", **claims}
            headers = {
                "Authorization": f"Bearer {token(name, **named)}",
                "Content-Type": "application/json",
            }
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://inside") as http:
                return await http.post("/google_chat", content=body, headers=headers)

        answer = await post("a")
        assert (answer.status_code, answer.json()) == (200, {})
        assert (await post("a", aud="9")).status_code == 401
        assert (await post("forged")).status_code == 401
        assert len(taken) == 1
        clock.now += 100 * 3600
        del web.pages["/certs"]
        answer = await post("a")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert len(taken) == 1
