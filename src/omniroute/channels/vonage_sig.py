"""Vonage's older proof: ``sig`` among the parameters of a text message, by a method of the account.

All parameters but ``sig`` are sorted by name and joined as ``&name=value``, with ``&`` and ``=``
in a value written as ``_``. The methods ``md5``, ``sha1``, ``sha256`` and ``sha512`` are the
hexadecimal HMAC of it under the signature secret; ``md5hash`` is the MD5 of it with the secret
behind. The parameter ``timestamp`` (seconds) is part of it and may be five minutes off.

The method is the account's setting, never the request's choice.

https://developer.vonage.com/en/getting-started/concepts/signing-messages
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal, get_args

from ..errors import SignatureError, UsageError
from .payloads import seconds
from .protocol import Secrets
from .signatures import require_match

__all__ = ["SigMethod", "check_method", "require_sig"]

SigMethod = Literal["md5hash", "md5", "sha1", "sha256", "sha512"]

_WINDOW_MS = 300_000


def check_method(method: str | None) -> None:
    """Raise `UsageError` for a method that Vonage does not have."""
    if method is not None and method not in get_args(SigMethod):
        raise UsageError(f"sms_signature must be one of {get_args(SigMethod)}, got {method!r}")


def _made(method: str, parameters: Mapping[str, str], secret: str) -> str:
    """The signature of parameters under one secret."""
    replaced = {
        name: value.replace("&", "_").replace("=", "_") for name, value in parameters.items()
    }
    joined = "".join(f"&{name}={replaced[name]}" for name in sorted(replaced) if name != "sig")
    signed = joined.encode("utf-8", "surrogatepass")
    if method == "md5hash":
        return hashlib.md5(signed + secret.encode(), usedforsecurity=False).hexdigest()
    return hmac.new(secret.encode(), signed, getattr(hashlib, method)).hexdigest()


def require_sig(
    method: str, parameters: Mapping[str, str], secrets: Secrets, now_ms: int | None
) -> None:
    """Pass when ``sig`` covers the parameters and they are of the last five minutes.

    Args:
        method: the account's, one of `SigMethod`.
        parameters: of the query, the form or the JSON body, by name.
        secrets: signature secrets of the account.
        now_ms: our clock at receipt.

    Raises:
        SignatureError: not authentic, not of now, or no secret is set.
    """
    require_match(
        secrets,
        parameters.get("sig", "").strip().lower(),
        lambda secret: [_made(method, parameters, secret)],
        header="sig",
    )
    sent_at_ms = seconds(parameters.get("timestamp"))
    if sent_at_ms is None or now_ms is None or abs(now_ms - sent_at_ms) > _WINDOW_MS:
        raise SignatureError("timestamp is not within 5 minutes of the receipt")
