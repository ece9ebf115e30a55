"""Signatures: the vectors hold, and every change to what is signed breaks them."""

import hashlib
import hmac

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rows import rows, vector
from omniroute.channels import Secrets, WebhookRequest, adapter_named
from omniroute.errors import SignatureError

VECTORS = [row.path.stem for row in rows("signature_vectors")]


def is_valid(adapter, request, secrets):
    try:
        reply = adapter.handshake(request, secrets)
        if reply is None:
            adapter.verify(request, secrets)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_hold(name):
    request, found = vector(name)
    adapter = adapter_named(found["provider"])
    secrets = Secrets(found["secret"], verify_token=found["secret"])
    assert is_valid(adapter, request, secrets) == found["expect_valid"]
    if "expected_response_text" in found:
        reply = adapter.handshake(request, secrets)
        assert (reply.status, reply.body.decode()) == (200, found["expected_response_text"])
        assert reply.content_type.startswith("text/plain")


@pytest.mark.parametrize("name", VECTORS)
def test_another_secret_does_not_hold_but_a_rotated_one_does(name):
    request, found = vector(name)
    if not found["expect_valid"] or found["method"] == "GET":
        return
    adapter = adapter_named(found["provider"])
    assert not is_valid(adapter, request, Secrets("another"))
    assert is_valid(adapter, request, Secrets(["another", found["secret"]]))
    assert not is_valid(adapter, request, Secrets(()))


@pytest.mark.parametrize("name", ["meta_escaped_unicode_as_sent", "twilio_form"])
@given(data=st.data())
def test_a_changed_byte_breaks_it(name, data):
    request, found = vector(name)
    adapter = adapter_named(found["provider"])
    secrets = Secrets(found["secret"])
    at = data.draw(st.integers(0, len(request.body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != request.body[at]))
    body = request.body[:at] + bytes([other]) + request.body[at + 1 :]
    if name == "twilio_form" and _same_form(body, request.body):
        return
    assert not is_valid(adapter, attrs.evolve(request, body=body), secrets)


def _same_form(one: bytes, other: bytes) -> bool:
    """The scheme signs the decoded form: `%2B` and `%2b` are the same, and so are these."""
    from urllib.parse import parse_qsl

    try:
        return sorted(parse_qsl(one.decode())) == sorted(parse_qsl(other.decode()))
    except UnicodeDecodeError:
        return False


class TestMeta:
    BODY = b'{"object":"page","entry":[]}'
    META = adapter_named("meta")

    def signed(self, name="X-Hub-Signature-256", digest="sha256", secret=b"s", prefix=None):
        mac = hmac.new(secret, self.BODY, getattr(hashlib, digest)).hexdigest()
        return WebhookRequest(body=self.BODY, headers={name: f"{prefix or digest}={mac}"})

    def test_the_raw_body_is_signed(self):
        self.META.verify(self.signed(), Secrets("s"))

    def test_the_old_header_alone_is_not_accepted(self):
        with pytest.raises(SignatureError, match="missing"):
            self.META.verify(self.signed("X-Hub-Signature", "sha1"), Secrets("s"))

    def test_the_old_digest_in_the_new_header_is_not_accepted(self):
        with pytest.raises(SignatureError):
            self.META.verify(self.signed(digest="sha1"), Secrets("s"))
        with pytest.raises(SignatureError):
            self.META.verify(self.signed(digest="sha1", prefix="sha256"), Secrets("s"))

    @pytest.mark.parametrize("value", ["", "sha256=", "sha256=é", "sha256=\udc80", "=" * 9999])
    def test_any_header_is_only_wrong(self, value):
        request = WebhookRequest(body=self.BODY, headers={"X-Hub-Signature-256": value})
        with pytest.raises(SignatureError):
            self.META.verify(request, Secrets("s"))

    URL = "https://x.example/hook?hub.mode=subscribe&hub.challenge=42&hub.verify_token="

    @pytest.mark.parametrize(
        ("url", "token"), [("other", "token"), ("", "token"), ("token", ""), ("", "")]
    )
    def test_a_handshake_with_another_token_or_without_one_is_refused(self, url, token):
        request = WebhookRequest(method="GET", url=self.URL + url)
        with pytest.raises(SignatureError):
            self.META.handshake(request, Secrets("s", verify_token=token))

    def test_other_requests_are_no_handshake(self):
        secrets = Secrets("s", verify_token="token")
        assert self.META.handshake(WebhookRequest(url=self.URL + "token"), secrets) is None
        plain = WebhookRequest(method="GET", url="https://x.example/hook")
        assert self.META.handshake(plain, secrets) is None


class TestTwilio:
    """Values of twilio-python's own tests (MIT), beside the vectors."""

    TWILIO = adapter_named("twilio")
    URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
    BODY = (
        b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234"
        b"&From=%2B14158675309&To=%2B18005551212"
    )
    FORM = "application/x-www-form-urlencoded"

    def request(self, signature, url=URL, body=BODY, content_type=FORM, method="POST"):
        headers = {"X-Twilio-Signature": signature, "Content-Type": content_type}
        return WebhookRequest(method=method, url=url, headers=headers, body=body)

    @pytest.mark.parametrize(
        ("url", "signature"),
        [
            (URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (URL.replace(".com", ".com:443"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (
                URL.replace("https", "http").replace(".com", ".com:80"),
                "0ZXoZLH/DfblKGATFgpif+LLRf4=",
            ),
            (URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ],
    )
    def test_the_port_may_be_signed_or_not(self, url, signature):
        self.TWILIO.verify(self.request(signature, url), Secrets("12345"))

    def test_the_order_of_the_parameters_does_not_matter(self):
        body = b"&".join(reversed(self.BODY.split(b"&")))
        self.TWILIO.verify(
            self.request("RSOYDt4T1cUTdK1PDd93/VVr8B8=", body=body), Secrets("12345")
        )

    def test_repeated_parameters_count_once_per_value(self):
        body = b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234"
        signature = "IK+Dwps556ElfBT0I3Rgjkr1wJU="
        self.TWILIO.verify(self.request(signature, body=body), Secrets("12345"))

    JSON = b'{"property": "value", "boolean": true}'
    JSON_URL = URL + "&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    JSON_SIGNATURE = "a9nBmqA0ju/hNViExpshrM61xv4="

    def test_a_body_that_is_no_form_is_covered_by_its_digest(self):
        request = self.request(self.JSON_SIGNATURE, self.JSON_URL, self.JSON, "application/json")
        self.TWILIO.verify(request, Secrets("12345"))

    @pytest.mark.parametrize(
        ("url", "body"), [(JSON_URL, JSON + b" "), (URL, JSON), (JSON_URL.upper(), JSON)]
    )
    def test_another_body_or_no_digest_is_refused(self, url, body):
        request = self.request(self.JSON_SIGNATURE, url, body, "application/json")
        with pytest.raises(SignatureError):
            self.TWILIO.verify(request, Secrets("12345"))

    def test_a_get_is_signed_by_its_url_alone(self):
        mac = hmac.new(b"12345", self.URL.encode(), hashlib.sha1).digest()
        import base64

        signature = base64.b64encode(mac).decode()
        self.TWILIO.verify(self.request(signature, body=b"", method="GET"), Secrets("12345"))

    @pytest.mark.parametrize("url", ["", "http://[", "https://x:notaport/", "x" * 9999])
    def test_any_url_is_only_wrong(self, url):
        with pytest.raises(SignatureError):
            self.TWILIO.verify(self.request("x", url), Secrets("12345"))
