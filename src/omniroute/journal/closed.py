"""A sealed journal without its keys: everything but who and what is read."""

from __future__ import annotations

from ..errors import VaultError

__all__ = ["ClosedVault"]


class ClosedVault:
    """Reads what is sealed as redacted, and seals nothing. ``asked``: something was sealed."""

    def __init__(self) -> None:
        self.asked = False

    def seal(self, subject: str, plain: bytes, context: bytes) -> bytes:
        """There is no key to seal with: raises `VaultError`."""
        raise VaultError("the journal is sealed: nothing can be written to it without its vault")

    def unseal(self, sealed: bytes, context: bytes) -> bytes | None:
        """None, as if the key was destroyed."""
        self.asked = True
        return None

    def pseudonym(self, subject: str, value: str) -> str:
        """Nothing is sealed, so nothing needs one: raises `VaultError`."""
        raise VaultError("the journal is sealed: nothing can be written to it without its vault")
