"""How the chat, social and work channels prove a delivery, and what they answer a check with."""

import base64
import hashlib
import hmac
import json
from email.utils import formatdate
from functools import cache

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.__main__ import main
from omniroute.channels import (
    GoogleChat,
    Mastodon,
    Secrets,
    Teams,
    WebhookRequest,
    adapter_named,
)
from omniroute.errors import SignatureError

NOW_MS = 1_700_000_000_000
SECRET = "s3cr3t"
BODY = '{"events": [], "text": "\\uD83E\\uDD28 ✋"}'.encode()


def mac(message=BODY, secret=SECRET, digest="sha256"):
    return hmac.new(secret.encode(), message, getattr(hashlib, digest))


def b64(made):
    return base64.b64encode(made.digest()).decode()


def slack_headers(body=BODY, secret=SECRET, at_ms=NOW_MS):
    at = str(at_ms // 1000)
    signature = mac(b"v0:" + at.encode() + b":" + body, secret).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}


#: Channel -> the headers that prove BODY under SECRET.
SIGNED = {
    "instagram": {"X-Hub-Signature-256": f"sha256={mac().hexdigest()}"},
    "whatsapp": {"X-Hub-Signature-256": f"sha256={mac().hexdigest()}"},
    "line": {"X-Line-Signature": b64(mac())},
    "viber": {"X-Viber-Content-Signature": mac().hexdigest()},
    "x": {"x-twitter-webhooks-signature": f"sha256={b64(mac())}"},
    "slack": slack_headers(),
    "linkedin": {"X-LI-Signature": mac(b"hmacsha256=" + BODY).hexdigest()},
    "youtube": {"X-Hub-Signature": f"sha1={mac(digest='sha1').hexdigest()}"},
    "mastodon": {"X-Hub-Signature": f"sha256={mac().hexdigest()}"},
    "google_business_messages": {"X-Goog-Signature": b64(mac(digest="sha512"))},
    "rcs": {"X-Goog-Signature": b64(mac(digest="sha512"))},
}
#: Those that repeat a secret and sign nothing.
REPEATED = {
    "telegram": {"X-Telegram-Bot-Api-Secret-Token": SECRET},
    "matrix": {"Authorization": f"Bearer {SECRET}"},
}


def delivery(headers, body=BODY, **more):
    return WebhookRequest(headers=headers, body=body, received_at_ms=NOW_MS, **more)


@pytest.mark.parametrize("channel", [*SIGNED, *REPEATED])
class TestEveryScheme:
    def test_holds_under_the_secret_and_while_it_is_rotated(self, channel):
        request = delivery({**SIGNED, **REPEATED}[channel])
        adapter = adapter_named(channel)
        adapter.verify(request, Secrets(SECRET))
        adapter.verify(request, Secrets(["new one", SECRET]))

    @pytest.mark.parametrize("secrets", [(), ("",), ("other",), ("", "other")])
    def test_fails_without_the_secret(self, channel, secrets):
        request = delivery({**SIGNED, **REPEATED}[channel])
        with pytest.raises(SignatureError):
            adapter_named(channel).verify(request, Secrets(secrets))

    @pytest.mark.parametrize("value", ["", "x", "é", "\udc80", "sha256=", "v0=", "=" * 9999])
    def test_any_header_is_only_wrong(self, channel, value):
        headers = {**SIGNED, **REPEATED}[channel]
        for name in headers:
            with pytest.raises(SignatureError):
                adapter_named(channel).verify(delivery({**headers, name: value}), Secrets(SECRET))


@pytest.mark.parametrize("channel", SIGNED)
@given(data=st.data())
def test_a_changed_byte_breaks_every_signature(channel, data):
    at = data.draw(st.integers(0, len(BODY) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != BODY[at]))
    request = delivery(SIGNED[channel], BODY[:at] + bytes([byte]) + BODY[at + 1 :])
    with pytest.raises(SignatureError):
        adapter_named(channel).verify(request, Secrets(SECRET))


@pytest.mark.parametrize(
    ("off_ms", "good"),
    [(0, True), (299_000, True), (-299_000, True), (301_000, False), (-301_000, False)],
)
def test_slack_refuses_what_is_not_of_the_last_five_minutes(off_ms, good):
    request = delivery(slack_headers(at_ms=NOW_MS + off_ms))
    if good:
        adapter_named("slack").verify(request, Secrets(SECRET))
        request = attrs.evolve(request, received_at_ms=None)
    with pytest.raises(SignatureError):
        adapter_named("slack").verify(request, Secrets(SECRET))


def test_the_weaker_methods_of_websub_are_named_and_nothing_else_is():
    for method in ("sha1", "sha256", "sha384", "sha512"):
        made = mac(digest=method).hexdigest()
        adapter = adapter_named("youtube")
        adapter.verify(delivery({"X-Hub-Signature": f"{method}={made}"}), Secrets(SECRET))
    with pytest.raises(SignatureError, match="no known method"):
        made = mac(digest="md5").hexdigest()
        adapter.verify(delivery({"X-Hub-Signature": f"md5={made}"}), Secrets(SECRET))


def test_google_signs_what_is_in_the_envelope():
    inner = b'{"senderPhoneNumber":"+914253136789","text":"hi","messageId":"m"}'
    data = base64.b64encode(inner).decode()
    body = json.dumps({"message": {"data": data}, "subscription": "s"}).encode()
    good = delivery({"X-Goog-Signature": b64(mac(inner, digest="sha512"))}, body)
    adapter_named("rcs").verify(good, Secrets(SECRET))
    around = delivery({"X-Goog-Signature": b64(mac(body, digest="sha512"))}, body)
    with pytest.raises(SignatureError):
        adapter_named("rcs").verify(around, Secrets(SECRET))


def test_bluesky_has_no_webhook_that_could_stand_open():
    with pytest.raises(SignatureError):
        adapter_named("bluesky").verify(delivery({}), Secrets(SECRET))


# --- checks -----------------------------------------------------------------------------


def get(query):
    return WebhookRequest(method="GET", url=f"https://x.example/hook?{query}")


CHALLENGE = b'{"type":"url_verification","challenge":"3eZbrw1a"}'
WEBHOOK = json.dumps({"clientToken": SECRET, "secret": "42"}).encode()
TOPIC = "hub.topic=https://www.youtube.com/xml/feeds/videos.xml?channel_id=C&hub.challenge=42"

#: (channel, request, the answer)
CHECKS = [
    (
        "x",
        get("crc_token=test%20token"),
        {"response_token": f"sha256={b64(mac(b'test token'))}"},
    ),
    (
        "linkedin",
        get("challengeCode=abc"),
        {"challengeCode": "abc", "challengeResponse": mac(b"abc").hexdigest()},
    ),
    ("slack", delivery(slack_headers(CHALLENGE), CHALLENGE), "3eZbrw1a"),
    ("rcs", delivery({}, WEBHOOK), "42"),
    ("google_business_messages", delivery({}, WEBHOOK), "42"),
    ("youtube", get(f"hub.mode=subscribe&{TOPIC}"), "42"),
    ("youtube", get(f"hub.mode=unsubscribe&hub.verify_token=token&{TOPIC}"), "42"),
    ("youtube", get("hub.mode=denied"), ""),
    ("instagram", get("hub.mode=subscribe&hub.verify_token=token&hub.challenge=42"), "42"),
    ("whatsapp", get("hub.mode=subscribe&hub.verify_token=token&hub.challenge=42"), "42"),
    (
        "matrix",
        WebhookRequest(
            url="https://x.example/_matrix/app/v1/ping",
            headers=REPEATED["matrix"],
            body=b'{"transaction_id":"t"}',
        ),
        {},
    ),
]


@pytest.mark.parametrize(("channel", "request_", "answer"), CHECKS)
def test_checks_are_answered(channel, request_, answer):
    secrets = Secrets(SECRET, verify_token="token")
    reply = adapter_named(channel).handshake(request_, secrets)
    assert reply.status == 200
    if isinstance(answer, dict):
        assert reply.content_type.startswith("application/json")
        assert json.loads(reply.body) == answer
    else:
        assert reply.content_type.startswith("text/plain")
        assert reply.body.decode() == answer


def test_the_check_of_x_is_answered_as_its_documentation_shows():
    reply = adapter_named("x").handshake(get("crc_token=test+token"), Secrets("apiSecret"))
    assert reply.body == b'{"response_token":"sha256=O5hJl2njQRIa4vsumZ+3oom9ECR5m3aQLRZkPoYelp0="}'


FORGED = [
    *((channel, request, Secrets()) for channel, request, answer in CHECKS if answer != ""),
    ("slack", delivery(slack_headers(CHALLENGE, "other"), CHALLENGE), Secrets(SECRET)),
    ("rcs", delivery({}, WEBHOOK), Secrets("other")),
    ("youtube", get("hub.mode=subscribe&hub.topic=https://x&hub.challenge=4"), Secrets(SECRET)),
    ("youtube", get(f"hub.mode=unsubscribe&{TOPIC}"), Secrets(SECRET)),
    ("youtube", get(f"hub.mode=unsubscribe&{TOPIC}"), Secrets(SECRET, verify_token="token")),
    (
        "youtube",
        get(f"hub.mode=subscribe&hub.verify_token=x&{TOPIC}"),
        Secrets(SECRET, verify_token="token"),
    ),
]


@pytest.mark.parametrize(("channel", "request_", "secrets"), FORGED)
def test_a_forged_check_is_refused(channel, request_, secrets):
    with pytest.raises(SignatureError):
        adapter_named(channel).handshake(request_, secrets)


@pytest.mark.parametrize(
    "channel",
    ["x", "linkedin", "slack", "rcs", "youtube", "instagram", "discord", "matrix", "viber", "line"],
)
def test_an_ordinary_delivery_is_no_check(channel):
    for body in (BODY, b"{", b'{"challenge": "url_verification clientToken"}', b"[" * 9999):
        request = delivery({}, body, url="https://x.example/hook")
        assert adapter_named(channel).handshake(request, Secrets(SECRET)) is None


def test_a_ping_of_discord_with_a_wrong_signature_is_left_to_the_401():
    request = delivery({"X-Signature-Ed25519": "00" * 64}, b'{"type":1}')
    adapter = adapter_named("discord")
    secrets = Secrets("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert adapter.handshake(request, secrets) is None
    with pytest.raises(SignatureError):
        adapter.verify(request, secrets)


# --- bearer tokens by public keys -------------------------------------------------------

jwt = pytest.importorskip("jwt")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")

ACTIVITY = b'{"type":"message","serviceUrl":"https://smba.example/"}'
TEAMS = Teams(app_id="app")


@cache
def key(name):
    """One private key for each name, made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(name):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key(name).public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def jwks(*names):
    keys = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key())), "kid": name}
        for name in names
    ]
    return json.dumps({"keys": keys})


def token(name="ours", kid="ours", **claims):
    at = NOW_MS // 1000
    claims = {
        "iss": "https://api.botframework.com",
        "aud": "app",
        "serviceurl": "https://smba.example/",
        "nbf": at - 60,
        "exp": at + 3600,
        **claims,
    }
    return jwt.encode(claims, key(name), algorithm="RS256", headers={"kid": kid})


def bearing(made, body=ACTIVITY):
    return delivery({"Authorization": f"Bearer {made}"}, body)


@pytest.mark.parametrize("secret", [jwks("ours"), jwks("other", "ours"), public_pem("ours")])
def test_a_token_of_microsoft_holds(secret):
    TEAMS.verify(bearing(token()), Secrets(secret))
    TEAMS.verify(bearing(token()), Secrets(["nonsense", "{", "{}", '{"keys":[{}]}', secret]))


def by_public_key():
    """The classic: HMAC with the public key, which everybody knows."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"aud": "app", "iss": "https://api.botframework.com"}]
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    signed = b".".join(encoded)
    made = hmac.new(public_pem("ours").encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode()


AT = NOW_MS // 1000
BAD_TOKENS = {
    "another key": lambda: token("other"),
    "another key under its own name": lambda: token("other", kid="other"),
    "another app": lambda: token(aud="other"),
    "another issuer": lambda: token(iss="https://api.example"),
    "another service": lambda: token(serviceurl="https://evil.example/"),
    "no service": lambda: token(serviceurl=None),
    "over": lambda: token(exp=AT - 600),
    "not yet": lambda: token(nbf=AT + 600),
    "without an end": lambda: token(exp=None, nbf=None),
    "none": lambda: jwt.encode({"aud": "app"}, None, algorithm="none"),
    "a public key as a secret": by_public_key,
    "no token": lambda: "x.y.z",
    "nothing": lambda: "",
    "beyond ascii": lambda: "é",
    "too long": lambda: "a" * 20_000,
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_any_other_token_is_refused(name):
    made = BAD_TOKENS[name]()
    for secret in (jwks("ours"), public_pem("ours")):
        with pytest.raises(SignatureError):
            TEAMS.verify(bearing(made), Secrets(secret))


def test_without_an_app_id_a_key_a_clock_or_a_body_everything_is_refused():
    good, secrets = bearing(token()), Secrets(jwks("ours"))
    for adapter, request, known in (
        (Teams(), good, secrets),
        (TEAMS, good, Secrets()),
        (TEAMS, good, Secrets("")),
        (TEAMS, attrs.evolve(good, received_at_ms=None), secrets),
        (TEAMS, attrs.evolve(good, body=b"{"), secrets),
    ):
        with pytest.raises(SignatureError):
            adapter.verify(request, known)


def test_the_tokens_of_google_chat():
    chat = GoogleChat(audience="1234567890", service_accounts=("push@p.example",))
    secrets = Secrets(jwks("ours"))
    own = {"aud": "1234567890", "iss": "chat@system.gserviceaccount.com"}
    shared = {"aud": "1234567890", "iss": "https://accounts.google.com"}
    named = {**shared, "email": "push@p.example", "email_verified": True}
    chat.verify(bearing(token(**own)), secrets)
    chat.verify(bearing(token(**named)), secrets)
    for bad in (
        shared,
        {**named, "email": "evil@p.example"},
        {**named, "email_verified": False},
        {**own, "aud": "9"},
        {**own, "iss": "https://api.botframework.com"},
    ):
        with pytest.raises(SignatureError):
            chat.verify(bearing(token(**bad)), secrets)


# --- HTTP signatures --------------------------------------------------------------------


def signed_activity(name="ours", covered="(request-target) host date digest", **changes):
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    body = changes.get("body", b'{"type":"Create"}')
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = {
        "host": "x.example",
        "date": formatdate(NOW_MS / 1000 + changes.get("off_s", 0), usegmt=True),
        "digest": f"SHA-256={digest}",
    }
    values = {**headers, "(request-target)": "post /inbox?a=1"}
    text = "\n".join(f"{one}: {values[one]}" for one in covered.split())
    made = base64.b64encode(key(name).sign(text.encode(), PKCS1v15(), SHA256())).decode()
    headers["signature"] = (
        f'keyId="https://s.example/jo#main-key",algorithm="rsa-sha256",headers="{covered}",signature="{made}"'
    )
    url = "https://x.example/inbox?a=1"
    return WebhookRequest(url=url, headers=headers, body=body, received_at_ms=NOW_MS)


def test_an_http_signature_holds_under_one_of_the_keys():
    Mastodon().verify(signed_activity(), Secrets([public_pem("other"), public_pem("ours")]))


@pytest.mark.parametrize(
    "request_",
    [
        lambda: signed_activity("other"),
        lambda: signed_activity(off_s=13 * 3600),
        lambda: signed_activity(off_s=-13 * 3600),
        lambda: signed_activity(covered="host date digest"),
        lambda: signed_activity(covered="(request-target) host digest"),
        lambda: signed_activity(covered="(request-target) host date"),
        lambda: attrs.evolve(signed_activity(), body=b'{"type":"Delete"}'),
        lambda: attrs.evolve(signed_activity(), url="https://x.example/other"),
        lambda: attrs.evolve(signed_activity(), received_at_ms=None),
        lambda: attrs.evolve(signed_activity(), headers={"Signature": 'signature="é"'}),
        lambda: attrs.evolve(signed_activity(), headers={"Signature": "x" * 9999}),
    ],
)
def test_any_other_http_signature_is_refused(request_):
    with pytest.raises(SignatureError):
        Mastodon().verify(request_(), Secrets(public_pem("ours")))


def test_a_public_key_is_no_secret_to_make_an_hmac_with():
    public = public_pem("ours")
    forged = {"X-Hub-Signature": f"sha256={mac(secret=public).hexdigest()}"}
    with pytest.raises(SignatureError):
        Mastodon().verify(delivery(forged), Secrets(public))


# --- the command line -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ('{"response_token": "sha256=O5hJl2njQRIa4vsumZ+3oom9ECR5m3aQLRZkPoYelp0="}', 0),
        ('{"response_token": "sha256=another"}', 1),
        ("sha256=", 1),
    ],
)
def test_verify_compares_an_answer_in_json_as_json(tmp_path, capsys, answer, code):
    vector = {
        "provider": "x",
        "method": "GET",
        "url": "https://x.example/hook?crc_token=test%20token",
        "secret": "apiSecret",
        "headers": {},
        "body_b64": "",
        "expect_valid": True,
        "expected_response_text": answer,
    }
    path = tmp_path / "vector.json"
    path.write_text(json.dumps(vector))
    assert main(["verify", str(path)]) == code
    assert "response_token" in capsys.readouterr().out
