"""What every channel offers: prove it, answer the provider's check, and say what it means.

An adapter is a plain value with four attributes and three methods; there is no base class
and no registration by import. It holds its own configuration (a default region for
telephone numbers, one's own mail addresses) and no state, so one instance serves all
requests. It never reads a clock: "now" is the moment of receipt, which the request carries.

The order for one delivery is always the same:

1. `Adapter.handshake` answers the provider's "are you there?", or returns None;
2. `Adapter.verify` proves the bytes, or raises `SignatureError`;
3. `Adapter.normalize` turns them into one `Inbound` per contained event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import attrs

from ..model import Channel, Inbound

__all__ = ["Adapter", "Reply", "Secrets", "WebhookRequest"]


def _lowered(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header names in lower case; a repeated header becomes one value joined by ", "."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    merged: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


@attrs.frozen(kw_only=True)
class WebhookRequest:
    """One delivery, exactly as it arrived.

    ``url`` is the public URL the provider called (providers sign it), ``body`` the raw
    bytes (they sign those, too). ``received_at_ms`` is our clock at receipt in
    milliseconds since the epoch; it is also the "now" of replay windows, and without it a
    scheme that needs one refuses. Mails and events from a socket have only a body.
    """

    method: str = "POST"
    url: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_lowered)
    body: bytes = b""
    received_at_ms: int | None = None

    def header(self, name: str) -> str:
        """The value of a header, its name in any case; "" when it is absent."""
        return self.headers.get(name.lower(), "")

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case: ``application/json``."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def query(self) -> dict[str, str]:
        """The parameters in the URL; of a repeated one the first. At most 1,000 are read."""
        found: dict[str, str] = {}
        try:
            pairs = parse_qsl(urlsplit(self.url).query, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            return {}
        for name, value in pairs:
            found.setdefault(name, value)
        return found


@attrs.frozen
class Reply:
    """What to answer over HTTP."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""


def _as_tuple(value: str | Iterable[str]) -> tuple[str, ...]:
    """One secret or several."""
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class Secrets:
    """What one channel is checked with. Never printed.

    ``signing`` holds one secret (or public key), or several while a new one is rolled out:
    any of them may match. ``verify_token`` is what a provider's handshake must name, for
    those that have one (Meta).
    """

    signing: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, repr=False)
    verify_token: str = attrs.field(default="", kw_only=True, repr=False)


class Adapter(Protocol):
    """One channel: a value with these attributes and methods, nothing more.

    Frozen attributes serve as the properties below.
    """

    @property
    def name(self) -> str:
        """The name in the registry and in URLs."""
        ...

    @property
    def channel(self) -> Channel:
        """What a delivery that cannot be read at all counts as."""
        ...

    @property
    def content_types(self) -> tuple[str, ...]:
        """The media types the provider sends; an empty tuple means any."""
        ...

    @property
    def limit_bytes(self) -> int:
        """The largest body that is accepted."""
        ...

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Prove that the provider sent these bytes.

        Raises:
            SignatureError: not authentic, too old, or no secret to check it with.
        """
        ...

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Answer the provider's check that we are there; None when this is not one.

        It proves the request itself, since a handshake is signed differently or not at all.

        Raises:
            SignatureError: a handshake that is not authentic.
        """
        ...

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """What the delivery means: one value per contained event, in its order.

        A bad event inside a good delivery becomes a quarantined `Inbound`; the others pass.
        An unknown event type is `Disposition.IGNORED`.

        Raises:
            PayloadError: nothing in the payload can be understood. Nothing else is raised.
        """
        ...
