"""``verify FILE...``: check signature vectors, one JSON file each.

A vector is an object with ``provider``, ``method``, ``url``, ``headers``, ``secret``,
``body_b64`` (or ``body_text``), ``now_unix`` (or null) and ``expect_valid``; a handshake also
has ``expected_response_text``. It is how to try one's own secret on a recorded delivery. ``-`` is
the standard input. A file that cannot be opened is named on stderr, and the exit code is 2.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import sys

from ..channels import Secrets, WebhookRequest, adapter_named
from ..channels.payloads import as_dict, as_text, decode_json, seconds
from ..errors import OmnirouteError, PayloadError, PayloadTooLargeError, SignatureError
from .normalize import UNUSABLE, content

__all__ = ["configure", "run"]

#: More than twice the largest body of any channel, in base64.
_MAX_VECTOR_BYTES = 64 * 1024 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="signature vectors, JSON; - is stdin"
    )


def run(args: argparse.Namespace) -> int:
    """Print one line per vector; 0 when each came out as it says it should, else 1.

    2 when one could not be opened.
    """
    code = 0
    for path in args.files:
        try:
            raw = content(path, _MAX_VECTOR_BYTES)
        except OSError as error:
            print(f"omniroute: {path}: {error.strerror or error}", file=sys.stderr)
            code = UNUSABLE
            continue
        try:
            verdict, as_expected = _check(raw)
        except OmnirouteError as error:
            verdict, as_expected = f"error: {error}", False
        code = max(code, int(not as_expected))
        print(f"{path}: {'ok' if as_expected else 'FAILED'}: {verdict}")
    return code


def _request(vector: dict[str, object]) -> WebhookRequest:
    """The delivery that a vector describes."""
    encoded = as_text(vector.get("body_b64"))
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise PayloadError("body_b64 is not base64") from None
    headers = as_dict(vector.get("headers"))
    return WebhookRequest(
        method=as_text(vector.get("method")) or "POST",
        url=as_text(vector.get("url")),
        headers={name: as_text(value) for name, value in headers.items()},
        body=body or as_text(vector.get("body_text")).encode(),
        received_at_ms=seconds(vector.get("now_unix")),
    )


def _check(raw: bytes) -> tuple[str, bool]:
    """(what the adapter says, whether the vector expects that)."""
    if len(raw) > _MAX_VECTOR_BYTES:
        raise PayloadTooLargeError(f"not a vector: larger than {_MAX_VECTOR_BYTES} bytes")
    try:
        vector = decode_json(raw)
    except PayloadError as error:
        raise PayloadError(f"not a vector: {error}") from None
    if not isinstance(vector.get("expect_valid"), bool):
        raise PayloadError("not a vector: expect_valid is missing")
    adapter = adapter_named(as_text(vector.get("provider")))
    secret = as_text(vector.get("secret"))
    secrets = Secrets(secret, verify_token=secret)
    request = _request(vector)
    try:
        reply = adapter.handshake(request, secrets)
        if reply is None:
            adapter.verify(request, secrets)
    except SignatureError as error:
        return f"refused: {error}", vector["expect_valid"] is False
    wanted = vector.get("expected_response_text")
    if isinstance(wanted, str):
        answered = reply.body.decode("utf-8", "replace") if reply else ""
        as_wanted = answered == wanted or _same_json(answered, wanted)
        return f"answered {answered!r}", vector["expect_valid"] is True and as_wanted
    return "authentic", vector["expect_valid"] is True


def _same_json(one: str, other: str) -> bool:
    """True for two texts that are the same JSON, however it is spaced."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False
