"""JSON Web Tokens signed with a shared secret (HS256), checked with the standard library.

Vonage and Apple prove their webhooks with such a token. Only HS256 is taken, whatever the
header asks for: a token that names its own algorithm is how "none" and public keys used as
secrets get in.

RFC 7515 (JWS), RFC 7519 (JWT).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable

from ..errors import SignatureError
from .payloads import as_dict, seconds
from .protocol import Secrets

__all__ = ["bearer", "claims_of", "require_timely"]

_MAX_TOKEN = 8192

#: Clocks differ by this much at most.
_LEEWAY_MS = 60_000


def bearer(authorization: str) -> str:
    """The token of an ``Authorization: Bearer`` header, or ""."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _decoded(part: str) -> bytes:
    """Base64url without padding."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("the token is not base64url") from None


def _object(part: str) -> dict[str, object]:
    """The JSON object in one part of a token."""
    try:
        return as_dict(json.loads(_decoded(part)))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SignatureError):
            raise
        raise SignatureError("the token holds no JSON") from None


def _keys(secret: str) -> Iterable[bytes]:
    """The secret as it is written."""
    return (secret.encode(),)


def claims_of(
    token: str, secrets: Secrets, *, keys: Callable[[str], Iterable[bytes]] = _keys
) -> dict[str, object]:
    """The claims of a token that one of the secrets signed. Times are not checked here.

    Args:
        token: the compact form, three parts with dots between.
        secrets: what may have signed it; an empty one never does.
        keys: the keys that one secret may stand for (Apple's are base64).

    Raises:
        SignatureError: no secret, no token, another algorithm, or none matches.
    """
    usable = [secret for secret in secrets.signing if secret]
    if not usable:
        raise SignatureError("no secret is set to check the token with; refused")
    if not token:
        raise SignatureError("the bearer token is missing")
    parts = token.split(".")
    if len(token) > _MAX_TOKEN or len(parts) != 3 or not token.isascii():
        raise SignatureError("the bearer token is no signed JWT")
    header, payload, signature = parts
    if _object(header).get("alg") != "HS256":
        raise SignatureError("the token is not signed with HS256")
    given = _decoded(signature)
    signed = f"{header}.{payload}".encode()
    # Every candidate is tried, so that the time does not tell which one matched.
    matches = [
        hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), given)
        for secret in usable
        for key in keys(secret)
        if key
    ]
    if not any(matches):
        raise SignatureError("the signature of the token does not match")
    return _object(payload)


def require_timely(claims: dict[str, object], now_ms: int | None, max_age_ms: int) -> None:
    """Refuse a token before its time, after its time, or (without ``exp``) when it is old.

    Args:
        claims: of a token that is authentic.
        now_ms: our clock at receipt. Without it a token must bring its own end.
        max_age_ms: how long after ``iat`` a token without ``exp`` is good.

    Raises:
        SignatureError: not valid now.
    """
    expires, issued = seconds(claims.get("exp")), seconds(claims.get("iat"))
    if now_ms is None:
        if expires is None:
            raise SignatureError("the token has no end, and there is no clock to check its age")
        return
    starts = max(issued or 0, seconds(claims.get("nbf")) or 0)
    if starts > now_ms + _LEEWAY_MS:
        raise SignatureError("the token is not valid yet")
    if expires is None:
        expires = None if issued is None else issued + max_age_ms
    if expires is None or expires + _LEEWAY_MS < now_ms:
        raise SignatureError("the token is too old")
