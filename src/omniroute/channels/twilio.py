"""What all Twilio channels share: form bodies and the X-Twilio-Signature header.

The signature is base64 HMAC-SHA1 with the auth token over the full public URL followed by
every form parameter, sorted by name, as name and value without separators; a repeated name
contributes each of its distinct values, sorted. A body that is not a form is covered by its
SHA-256 in the URL (``bodySHA256``) instead. There is no timestamp, so nothing but the ids
protects against a replay.

Twilio signs the URL with or without the port, depending on product and scheme, so both
spellings are tried (twilio-python, tests/unit/test_request_validator.py).
"""

from __future__ import annotations

import hashlib
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ..errors import PayloadError, SignatureError
from .protocol import Secrets, WebhookRequest
from .signatures import hmac_base64, require_match, same

__all__ = ["SIGNATURE_HEADER", "form_of", "verify"]

SIGNATURE_HEADER = "X-Twilio-Signature"

_FORM = "application/x-www-form-urlencoded"
_STANDARD_PORTS = {"http": 80, "https": 443}
_MAX_FIELDS = 1000


def _pairs(encoded: str) -> list[tuple[str, str]]:
    """The name-value pairs of a form, blanks kept."""
    try:
        return parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise PayloadError(f"not a form: {error}") from None


def _body_pairs(body: bytes) -> list[tuple[str, str]]:
    """The form in the body."""
    try:
        return _pairs(body.decode())
    except UnicodeDecodeError:
        raise PayloadError("not a form: the body is not UTF-8") from None


def form_of(request: WebhookRequest) -> dict[str, str]:
    """The parameters of a callback: the form in the body, or the query of a GET.

    Raises:
        PayloadError: not a form, empty, or one name with two different values. Which of
            them was meant would be the reader's guess, and the signature covers both.
    """
    if request.method == "GET":
        try:
            query = urlsplit(request.url).query
        except ValueError as error:
            raise PayloadError(f"the URL is none: {error}") from None
        pairs = _pairs(query)
    else:
        pairs = _body_pairs(request.body.strip())
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise PayloadError("a parameter came with two different values")
    if not found:
        raise PayloadError("the form is empty")
    return found


def _urls(url: str) -> list[str]:
    """The spellings of one URL that Twilio may have signed: as given, without, with port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [url]
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    spellings = [url, _with_netloc(parts, host)]
    if port is None and parts.scheme in _STANDARD_PORTS:
        spellings.append(_with_netloc(parts, f"{host}:{_STANDARD_PORTS[parts.scheme]}"))
    return spellings


def _with_netloc(parts: SplitResult, netloc: str) -> str:
    """The URL with another host part and everything else untouched."""
    return parts._replace(netloc=netloc).geturl()


def _signed_tail(request: WebhookRequest) -> str:
    """What follows the URL in the signed string; checks the body where it is not signed."""
    if not request.body:
        return ""
    if request.media_type in {_FORM, ""} and "bodySHA256" not in request.query():
        try:
            values: dict[str, set[str]] = {}
            for name, value in _body_pairs(request.body):
                values.setdefault(name, set()).add(value)
        except PayloadError as error:
            raise SignatureError(str(error)) from None
        return "".join(name + v for name in sorted(values) for v in sorted(values[name]))
    claimed = request.query().get("bodySHA256", "")
    if not same(hashlib.sha256(request.body).hexdigest(), claimed.lower()):
        raise SignatureError("the body does not match bodySHA256 in the signed URL")
    return ""


def verify(request: WebhookRequest, secrets: Secrets) -> None:
    """Prove that Twilio sent this; see the top of the file for the scheme.

    Raises:
        SignatureError: not authentic, or no auth token is set.
    """
    tail = _signed_tail(request)
    signed = [(url + tail).encode("utf-8", "surrogatepass") for url in _urls(request.url)]
    require_match(
        secrets,
        request.header(SIGNATURE_HEADER),
        lambda token: [hmac_base64(token, message, "sha1") for message in signed],
        header=SIGNATURE_HEADER,
    )
