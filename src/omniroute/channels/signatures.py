"""The one place where signatures are compared: constant time, any of the secrets, fail closed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable

from ..errors import SignatureError
from .protocol import Secrets

__all__ = ["hmac_base64", "hmac_hex", "require_match", "same"]


def same(expected: str, given: str) -> bool:
    """Compare without telling, by the time it takes, where the two differ."""
    return hmac.compare_digest(
        expected.encode("utf-8", "surrogatepass"), given.encode("utf-8", "surrogatepass")
    )


def hmac_hex(secret: str, message: bytes, digest: str = "sha256") -> str:
    """The lower-case hexadecimal HMAC. About 5 us for 4 KB."""
    return hmac.new(secret.encode(), message, getattr(hashlib, digest)).hexdigest()


def hmac_base64(secret: str, message: bytes, digest: str = "sha256") -> str:
    """The base64 HMAC, with padding."""
    mac = hmac.new(secret.encode(), message, getattr(hashlib, digest)).digest()
    return base64.b64encode(mac).decode()


def require_match(
    secrets: Secrets, given: str, expected: Callable[[str], Iterable[str]], *, header: str
) -> None:
    """Pass when ``given`` is in ``expected(secret)`` for one of the signing secrets.

    Args:
        secrets: what may match; an empty secret never does.
        given: the signature that arrived; "" when the header is absent.
        expected: what the signature may be under one secret; several where a provider is
            not consistent in what it signs.
        header: where the signature was looked for, for the message.

    Raises:
        SignatureError: no secret is set, no signature came, or none matches.
    """
    usable = [secret for secret in secrets.signing if secret]
    if not usable:
        raise SignatureError(f"no secret is set to check {header} with; refused")
    if not given:
        raise SignatureError(f"the {header} header is missing")
    # Every candidate is tried, so that the time does not tell which one matched.
    matches = [same(candidate, given) for secret in usable for candidate in expected(secret)]
    if not any(matches):
        raise SignatureError(f"{header} does not match the body")
