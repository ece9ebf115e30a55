"""Ed25519 signatures (RFC 8032): providers that publish a key sign so. By the `crypto` extra."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import MissingExtraError, SignatureError
from .protocol import Secrets

__all__ = ["require_ed25519"]


def require_ed25519(
    secrets: Secrets,
    signature: bytes,
    message: bytes,
    key_bytes: Callable[[str], bytes],
    *,
    header: str,
) -> None:
    """Pass when one of the public keys made ``signature`` over ``message``. About 0.2 ms.

    Args:
        secrets: public keys as the provider shows them. Of words with blanks between only
            the last is the key: keys are pasted with their label.
        signature: 64 bytes.
        message: what was signed.
        key_bytes: how the provider writes a key: base64, hexadecimal. May raise ValueError.
        header: where the signature was looked for, for the message.

    Raises:
        SignatureError: no key is set, or none matches.
        MissingExtraError: cryptography is not installed.
    """
    usable = [secret.split()[-1] for secret in secrets.signing if secret.strip()]
    if not usable:
        raise SignatureError(f"no public key is set to check {header} with; refused")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise MissingExtraError("cryptography", "crypto", "an Ed25519 signature") from None
    for text in usable:
        try:
            Ed25519PublicKey.from_public_bytes(key_bytes(text)).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        return
    raise SignatureError(f"{header} does not match the body")
