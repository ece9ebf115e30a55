"""The table of channels, and that every adapter in it follows the protocol."""

import contextlib

import pytest

from omniroute.channels import (
    CHANNELS,
    Adapter,
    Secrets,
    WebhookRequest,
    adapter_named,
    canonical_name,
)
from omniroute.errors import PayloadError, SignatureError, UnknownNameError
from omniroute.model import Channel

ADAPTERS = list(CHANNELS.values())


def test_the_table_is_keyed_by_the_names_of_its_adapters():
    assert {"email", "facebook", "messenger", "twilio_voice"} <= set(CHANNELS)
    assert all(name == adapter.name for name, adapter in CHANNELS.items())


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("email", "email"),
        ("E-Mail", "email"),
        ("facebook_page", "facebook"),
        ("facebook", "facebook"),
        ("meta", "facebook"),
        ("messenger", "messenger"),
        ("twilio-voice", "twilio_voice"),
        ("voice", "twilio_voice"),
        ("phone", "twilio_voice"),
        ("twilio", "twilio_voice"),
    ],
)
def test_names_and_aliases(alias, name):
    assert canonical_name(alias) == name
    assert adapter_named(alias) is CHANNELS[name]


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown channel 'facebok'.*'facebook'"):
        adapter_named("facebok")


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
class TestEveryAdapter:
    def test_has_what_the_protocol_names(self, adapter: Adapter):
        assert isinstance(adapter.channel, Channel)
        assert isinstance(adapter.content_types, tuple)
        assert adapter.limit_bytes >= 1_000_000

    def test_is_an_immutable_value(self, adapter: Adapter):
        with pytest.raises(AttributeError):
            adapter.name = "other"
        assert adapter == type(adapter)(name=adapter.name, channel=adapter.channel)

    @pytest.mark.parametrize("secrets", [Secrets(), Secrets(""), Secrets(["", ""])])
    def test_refuses_without_a_secret(self, adapter: Adapter, secrets):
        with pytest.raises(SignatureError):
            adapter.verify(WebhookRequest(body=b"{}"), secrets)

    def test_refuses_without_a_signature(self, adapter: Adapter):
        with pytest.raises(SignatureError):
            adapter.verify(WebhookRequest(body=b"{}"), Secrets("secret"))

    @pytest.mark.parametrize("body", [b"", b" ", b"null", b"[]", b"\xff\xfe\0", b"{}", b"[" * 9999])
    def test_says_what_is_wrong_with_a_body_that_is_none(self, adapter: Adapter, body):
        if adapter.name == "email":  # keeps what it cannot read
            [event] = adapter.normalize(WebhookRequest(body=body))
            assert event.disposition == "quarantine"
            assert event.reason
        elif adapter.name == "mastodon" and body == b"[]":  # a page without notifications
            assert adapter.normalize(WebhookRequest(body=body)) == []
        else:
            with pytest.raises(PayloadError, match=r"\w"):
                adapter.normalize(WebhookRequest(body=body))

    @pytest.mark.parametrize("url", ["", "x", "https://[", "https://x:y/?a", "//[::1", "https://é"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
    def test_any_url_is_no_trouble(self, adapter: Adapter, url, method):
        request = WebhookRequest(method=method, url=url, body=b"{}")
        for step in (adapter.handshake, adapter.verify):
            with contextlib.suppress(SignatureError):
                step(request, Secrets("secret", verify_token="token"))
        with contextlib.suppress(PayloadError):
            adapter.normalize(request)

    def test_a_body_of_a_megabyte_is_no_trouble(self, adapter: Adapter):
        for filler in (b"x", b"{", b'{"a":', b"a=b&", b"\0"):
            body = filler * (1_048_576 // len(filler))
            try:
                adapter.normalize(WebhookRequest(body=body))
            except PayloadError:
                continue


def test_secrets_are_never_shown():
    secrets = Secrets("hunter2", verify_token="hunter3")
    assert "hunter" not in repr(secrets)
    assert "hunter" not in str(secrets)


class TestWebhookRequest:
    def test_headers_have_no_case_and_repeat(self):
        request = WebhookRequest(headers=[("X-A", "1"), ("x-a", "2"), ("Content-Type", "A/B; c=d")])
        assert request.header("X-a") == "1, 2"
        assert request.header("missing") == ""
        assert request.media_type == "a/b"

    def test_the_first_of_a_repeated_parameter_counts(self):
        request = WebhookRequest(url="https://x.example/?a=1&a=2&b=&c=%20")
        assert request.query() == {"a": "1", "b": "", "c": " "}

    @pytest.mark.parametrize("url", ["", "not a url", "http://[", "https://x/?" + "a=1&" * 2000])
    def test_any_url_has_a_query(self, url):
        assert isinstance(WebhookRequest(url=url).query(), dict)
