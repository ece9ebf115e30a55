"""Vonage's older signature of text messages, and where it is taken."""

import json
from urllib.parse import urlencode

import pytest

from omniroute.channels import Secrets, Vonage, WebhookRequest
from omniroute.channels.vonage_sig import require_sig
from omniroute.errors import SignatureError, UsageError

NOW_MS = 1_461_605_396_000
#: The values that the tests of vonage-python-sdk (MIT) expect for these parameters.
PARAMETERS = {"a": "1", "b": "2", "timestamp": "1461605396"}
EXPECTED = {
    "md5hash": "6af838ef94998832dbfc29020b564830",
    "md5": "c15c21ced558c93a226c305f58f902f2",
    "sha1": "3e19a4e6880fdc2c1426bfd0587c98b9532f0210",
    "sha256": "a321e824b9b816be7c3f28859a31749a098713d39f613c80d455bbaffae1cd24",
    "sha512": (
        "812a18f76680fa0fe1b8bd9ee1625466ceb1bd96242e4d050d2cfd9a7b40166c"
        "63ed26ec9702168781b6edcf1633db8ff95af9341701004eec3fcf9550572ee8"
    ),
}
SECRETS = Secrets("secret")


@pytest.mark.parametrize("method", EXPECTED)
def test_the_values_of_the_sdk_hold(method):
    signed = {**PARAMETERS, "sig": EXPECTED[method]}
    require_sig(method, signed, SECRETS, NOW_MS)
    require_sig(method, {**signed, "sig": EXPECTED[method].upper()}, SECRETS, NOW_MS + 299_000)
    for changes, secrets, now_ms in (
        ({"a": "2"}, SECRETS, NOW_MS),
        ({"c": ""}, SECRETS, NOW_MS),
        ({"sig": ""}, SECRETS, NOW_MS),
        ({"sig": EXPECTED["md5hash" if method != "md5hash" else "md5"]}, SECRETS, NOW_MS),
        ({}, Secrets(), NOW_MS),
        ({}, Secrets(""), NOW_MS),
        ({}, Secrets("other"), NOW_MS),
        ({}, SECRETS, NOW_MS + 301_000),
        ({}, SECRETS, NOW_MS - 301_000),
        ({}, SECRETS, None),
    ):
        with pytest.raises(SignatureError):
            require_sig(method, {**signed, **changes}, secrets, now_ms)


def test_what_separates_parameters_is_replaced_inside_them():
    import hashlib

    made = hashlib.md5(b"&text=a_b_c&timestamp=1461605396secret").hexdigest()
    parameters = {"text": "a&b=c", "timestamp": "1461605396", "sig": made}
    require_sig("md5hash", parameters, SECRETS, NOW_MS)


def requests():
    signed = {**PARAMETERS, "sig": EXPECTED["sha256"]}
    encoded = urlencode(signed)
    query = f"https://x.example/?{encoded}"
    numbers = {**signed, "timestamp": 1_461_605_396}
    return [
        WebhookRequest(method="GET", url=query, received_at_ms=NOW_MS),
        WebhookRequest(body=encoded.encode(), received_at_ms=NOW_MS),
        WebhookRequest(body=json.dumps(numbers).encode(), received_at_ms=NOW_MS),
    ]


@pytest.mark.parametrize("request_", requests())
def test_it_is_taken_from_query_form_and_json_where_the_account_signs_so(request_):
    Vonage(sms_signature="sha256").verify(request_, SECRETS)
    for adapter in (Vonage(), Vonage(sms_signature="md5hash")):
        with pytest.raises(SignatureError):
            adapter.verify(request_, SECRETS)


def test_a_token_that_came_counts_and_a_body_that_is_none_is_refused():
    adapter = Vonage(sms_signature="sha256")
    form = requests()[1]
    with_token = WebhookRequest(
        body=form.body, headers={"Authorization": "Bearer x"}, received_at_ms=NOW_MS
    )
    for request in (with_token, WebhookRequest(body=b"{", received_at_ms=NOW_MS)):
        with pytest.raises(SignatureError):
            adapter.verify(request, SECRETS)


def test_a_method_that_vonage_does_not_have_is_a_mistake():
    with pytest.raises(UsageError, match="sha384"):
        Vonage(sms_signature="sha384")
