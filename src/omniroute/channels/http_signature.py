"""HTTP signatures as Mastodon and the servers around it sign their deliveries.

The ``Signature`` header names the headers that were signed; signed is one line for each,
``name: value``, with ``(request-target)`` for the method and path. A signature that leaves
out the target, the time or, with a body, its ``Digest`` proves too little and is refused.
``Digest: SHA-256=`` must be that of the raw body, ``Date`` within 12 hours of the receipt.

The public keys stand in the documents of the actors. Nothing here fetches them: the
application does, and hands them over as secrets, PEM. By the `crypto` extra (RSA, SHA-256).

draft-cavage-http-signatures-12; https://docs.joinmastodon.org/spec/security/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from urllib.parse import urlsplit

from ..errors import MissingExtraError, SignatureError
from .email_headers import date_ms
from .payloads import seconds
from .protocol import Secrets, WebhookRequest
from .signatures import same

__all__ = ["require_http_signature"]

_PARAMETER = re.compile(r'([a-zA-Z]{1,32})=(?:"([^"]{0,4096})"|([0-9]{1,16}))')
_WINDOW_MS = 12 * 3_600_000
_ALGORITHMS = frozenset({"", "rsa-sha256", "hs2019"})


def require_http_signature(request: WebhookRequest, secrets: Secrets) -> None:
    """Pass when one of the public keys signed the request, its body included, not long ago.

    Raises:
        SignatureError: not authentic, too old, too little is signed, or no key is set.
        MissingExtraError: cryptography is not installed.
    """
    usable = [secret for secret in secrets.signing if secret.strip()]
    if not usable:
        raise SignatureError("no public key is set to check the Signature with; refused")
    header = request.header("Signature")[:8192]
    parameters = {
        match[1].lower(): match[2] if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(header)
    }
    if not parameters.get("signature"):
        raise SignatureError("the Signature header is missing")
    if parameters.get("algorithm", "").lower() not in _ALGORITHMS:
        raise SignatureError("the Signature is not by RSA with SHA-256")
    names = parameters.get("headers", "date").lower().split()
    _require_enough(request, names, parameters)
    signed = "\n".join(f"{name}: {_value(request, name, parameters)}" for name in names)
    try:
        signature = base64.b64decode(parameters["signature"], validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the Signature is not base64") from None
    _require_rsa(usable, signature, signed.encode("utf-8", "surrogatepass"))


def _require_enough(request: WebhookRequest, names: list[str], parameters: dict[str, str]) -> None:
    """Target, time and body must be signed, and the latter two right."""
    timed = "date" if "date" in names else "(created)"
    needed = {"(request-target)", timed} | ({"digest"} if request.body else set())
    if not needed <= set(names):
        raise SignatureError(f"the Signature must cover {', '.join(sorted(needed))}")
    if request.body:
        digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
        name, _, given = request.header("Digest").strip().partition("=")
        if name.upper() != "SHA-256" or not same(digest, given):
            raise SignatureError("the body does not match its Digest")
    now_ms = request.received_at_ms
    at_ms = date_ms(request.header("Date")) if timed == "date" else None
    if timed == "(created)":
        at_ms = seconds(parameters.get("created"))
    if at_ms is None or now_ms is None or abs(now_ms - at_ms) > _WINDOW_MS:
        raise SignatureError("the Signature is not of the last 12 hours")


def _value(request: WebhookRequest, name: str, parameters: dict[str, str]) -> str:
    """What was signed under a name."""
    if name == "(request-target)":
        try:
            parts = urlsplit(request.url)
        except ValueError:
            raise SignatureError("the URL is none") from None
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return f"{request.method.lower()} {path}"
    if name in {"(created)", "(expires)"}:
        return parameters.get(name.strip("()"), "")
    return request.header(name)


def _require_rsa(keys: list[str], signature: bytes, signed: bytes) -> None:
    """Pass when one of the keys made the signature."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise MissingExtraError("cryptography", "crypto", "an HTTP signature") from None
    for text in keys:
        try:
            key = load_pem_public_key(text.strip().encode())
            if isinstance(key, RSAPublicKey):
                key.verify(signature, signed, PKCS1v15(), SHA256())
                return
        except (InvalidSignature, ValueError):
            continue
    raise SignatureError("the Signature does not match")
