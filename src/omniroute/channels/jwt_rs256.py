"""JSON Web Tokens signed with a provider's private key (RS256), by the `crypto` extra.

Microsoft and Google prove their webhooks so. The public keys change every few weeks and stand
at an address that they publish. Nothing here fetches them: `omniroute.web.keys.KeySource` does,
or the application about once a day, and hands them over as secrets. Taken are a JWK set or a
single JWK as JSON, Google's map of certificates as JSON, and keys or certificates as PEM.

Which key to use is the token's choice among these, which algorithm is not: only RS256.

RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterator
from typing import Any

from ..errors import MissingExtraError, SignatureError
from .jwt_hs256 import bearer, require_timely
from .payloads import as_dict, as_list
from .protocol import Secrets, WebhookRequest

__all__ = ["key_id_of", "key_ids_in", "require_bearer"]

_MAX_TOKEN = 16_384
_MAX_KEYS = 64
_HOUR_MS = 3_600_000


def require_bearer(
    request: WebhookRequest, secrets: Secrets, *, audience: str, issuers: Collection[str]
) -> dict[str, object]:
    """The claims of the bearer token of a request, when they are authentic and meant for us.

    Args:
        request: the delivery; its time of receipt is the "now" of the token.
        secrets: the provider's public keys, see the top of the file.
        audience: whom the token must be for; "" refuses everything.
        issuers: who may have issued it.

    Raises:
        SignatureError: not authentic, for somebody else, or not valid now.
        MissingExtraError: PyJWT or cryptography is not installed.
    """
    usable = [secret for secret in secrets.signing if secret.strip()]
    if not usable or not audience:
        raise SignatureError("no public key or no audience is set to check the token with; refused")
    token = bearer(request.header("Authorization"))
    if not token or len(token) > _MAX_TOKEN or not token.isascii():
        raise SignatureError("the bearer token is missing")
    claims = _signed_claims(token, usable)
    audiences = claims.get("aud")
    named = audiences if isinstance(audiences, list) else [audiences]
    if audience not in named:
        raise SignatureError("the token is meant for somebody else")
    if claims.get("iss") not in issuers:
        raise SignatureError("the token was issued by somebody else")
    if request.received_at_ms is None:
        raise SignatureError("there is no clock to check the token's time with")
    require_timely(claims, request.received_at_ms, _HOUR_MS)
    return claims


def key_id_of(request: WebhookRequest) -> str | None:
    """The name of the key that the bearer token of a request says it is signed with.

    Nothing is proved by it. None: no token, or none that names a key.
    """
    token = bearer(request.header("Authorization"))
    if not token.isascii() or len(token) > _MAX_TOKEN or token.count(".") != 2:
        return None
    head = token.partition(".")[0]
    try:
        raw = base64.b64decode(head + "=" * (-len(head) % 4), altchars=b"-_", validate=True)
        found = as_dict(json.loads(raw)).get("kid")
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, str) and found else None


def key_ids_in(document: str) -> frozenset[str]:
    """The names of the keys in a JWK set or in Google's map of certificates.

    A key without a name is not among them, as no token could ask for it.
    """
    try:
        found = as_dict(json.loads(document))
    except (ValueError, RecursionError):
        return frozenset()
    if "keys" in found:
        named = [as_dict(item).get("kid") for item in as_list(found["keys"])[:_MAX_KEYS]]
        return frozenset(name for name in named if isinstance(name, str))
    return frozenset(name for name, text in found.items() if isinstance(text, str))


def _signed_claims(token: str, secrets: list[str]) -> dict[str, object]:
    """The claims of a token that one of the keys signed."""
    try:
        import jwt
    except ImportError:
        raise MissingExtraError("PyJWT", "crypto", "a bearer token") from None
    # Times, audience and issuer are checked by the caller, with the clock of the request.
    unchecked: Any = {
        f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
    }
    try:
        wanted = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise SignatureError("the bearer token is no signed JWT") from None
    tried = 0
    for secret in secrets:
        for key_id, key in _keys(secret):
            if key_id is not None and wanted is not None and key_id != wanted:
                continue
            tried += 1
            if tried > _MAX_KEYS:
                break
            try:
                return as_dict(jwt.decode(token, key, algorithms=["RS256"], options=unchecked))
            except (jwt.PyJWTError, ValueError, TypeError):
                continue
    raise SignatureError("the signature of the token does not match")


def _keys(secret: str) -> Iterator[tuple[str | None, Any]]:
    """(key id, public key) of everything that one secret holds; what is unreadable is not."""
    import jwt

    if not secret.lstrip().startswith("{"):
        yield from _pem(None, secret)
        return
    try:
        document = as_dict(json.loads(secret))
    except (ValueError, RecursionError):
        return
    if "keys" not in document and "kty" not in document:
        for key_id, certificate in document.items():
            if isinstance(certificate, str):
                yield from _pem(key_id, certificate)
        return
    for item in as_list(document.get("keys")) if "keys" in document else [document]:
        try:
            found = jwt.PyJWK(as_dict(item), algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        yield found.key_id, found.key


def _pem(key_id: str | None, text: str) -> Iterator[tuple[str | None, Any]]:
    """A public key, or the one in a certificate."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    raw = text.strip().encode()
    try:
        if b"BEGIN CERTIFICATE" in raw:
            yield key_id, load_pem_x509_certificate(raw).public_key()
        else:
            yield key_id, load_pem_public_key(raw)
    except ValueError:
        return
