"""A provider's public keys, fetched from where it publishes them, kept, and renewed.

Microsoft and Google prove their webhooks with keys that change every few weeks (see
`omniroute.channels.jwt_rs256`). A `KeySource` fetches the documents with httpx2 (extra `keys`) and
hands them to the channel as secrets; the channel itself fetches nothing.

- Only fixed addresses are asked, never one that a request names: a token's own ``jku`` or ``x5u``
  is not looked at. Metadata may point to keys on the same host only. No redirects.
- Fetched again after ``renew_s``, and at once when a token names a key that is not known, but not
  more often than every ``pause_s``: unknown names are free to invent.
- When the addresses do not answer, the keys serve until they are ``expire_s`` old. After that, and
  when there never were any, nothing is accepted: the provider is asked to come again.

Runs on asyncio and trio.

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
https://developers.google.com/workspace/chat/verify-requests-from-chat
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import attrs

from ..channels import Secrets, WebhookRequest
from ..channels.jwt_rs256 import key_id_of, key_ids_in
from ..errors import MissingExtraError, PayloadError, RouterError, UsageError

if TYPE_CHECKING:
    import httpx2

__all__ = ["GOOGLE_CHAT_KEYS", "GOOGLE_KEYS", "TEAMS_KEYS", "KeySource", "KeysUnavailableError"]

#: The Bot Framework's metadata, which names its keys.
TEAMS_KEYS = "https://login.botframework.com/v1/.well-known/openidconfiguration"
#: The certificates of Google Chat's own tokens (``iss`` chat@system.gserviceaccount.com).
GOOGLE_CHAT_KEYS = (
    "https://www.googleapis.com/service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com"
)
#: The certificates of Google's identity tokens: add-ons, pushes of Pub/Sub.
GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v1/certs"

_MAX_BYTES = 262_144
_TIMEOUT_S = 5.0
_HOUR_S = 3_600.0


class KeysUnavailableError(RouterError):
    """The provider's keys cannot be had now, so nothing can be proved. Try again later."""


@attrs.frozen
class _Held:
    """The documents of one fetch."""

    documents: tuple[str, ...] = ()
    key_ids: frozenset[str] = frozenset()
    fetched_at: float = float("-inf")


def _check(address: str) -> str:
    """The address, when it is encrypted or on this machine."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts.scheme != "https" and not local:
        raise UsageError(f"keys are fetched by https only, got {address!r}")
    return address


class KeySource:
    """Public keys from fixed addresses; one instance for each provider, shared by its hooks.

    Args:
        addresses: documents with keys (a JWK set, Google's certificates), or the OpenID metadata
            that names one. `TEAMS_KEYS` for `Teams`; `GOOGLE_CHAT_KEYS` and `GOOGLE_KEYS` for
            `GoogleChat`, the latter for `GoogleMeet`.
        renew_s: how old keys may be before they are fetched again.
        expire_s: how old they may be when fetching fails.
        pause_s: the shortest time between two fetches, also failed ones.
        client: an `httpx2.AsyncClient` of your own (a proxy, other certificates). None makes one
            per fetch.
        monotonic_s: a clock that never goes back, in seconds.

    Raises:
        UsageError: no address, or one that is not https.
        MissingExtraError: httpx2 is not installed.
    """

    def __init__(
        self,
        *addresses: str,
        renew_s: float = 12 * _HOUR_S,
        expire_s: float = 48 * _HOUR_S,
        pause_s: float = 60.0,
        client: httpx2.AsyncClient | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            import httpx2  # noqa: F401 - better missing now than at the first delivery
        except ImportError:
            raise MissingExtraError("httpx2", "keys", "fetching a provider's keys") from None
        if not addresses:
            raise UsageError("KeySource needs at least one address")
        self.addresses = tuple(map(_check, addresses))
        self._renew_s = renew_s
        self._expire_s = expire_s
        self._pause_s = pause_s
        self._client = client
        self._clock = monotonic_s
        self._held = _Held()
        self._tried_at = float("-inf")
        self._fetching = anyio.Lock()

    async def fetch(self) -> bool:
        """Fetch now, so that the first delivery need not wait. True: there are keys."""
        await self._renew(None)
        return bool(self._held.documents)

    async def secrets_for(
        self, request: WebhookRequest, known: Secrets, *, until: float | None = None
    ) -> Secrets:
        """What the bearer token of a request can be checked with. No fetch in the usual case.

        Args:
            request: the delivery; only the name of the key in its token is read, untrusted.
            known: further secrets, which are kept.
            until: the moment of the event loop's clock when a fetch is given up.

        Raises:
            KeysUnavailableError: there are no keys, or only expired ones.
        """
        key_id = key_id_of(request)
        with anyio.CancelScope(deadline=float("inf") if until is None else until):
            await self._renew(key_id)
        held = self._held
        if not held.documents or self._clock() - held.fetched_at > self._expire_s:
            raise KeysUnavailableError("the provider's keys cannot be fetched, try again later")
        return attrs.evolve(known, signing=(*known.signing, *held.documents))

    def _is_due(self, key_id: str | None) -> bool:
        """Whether a fetch is worth while and allowed."""
        now = self._clock()
        if now - self._tried_at < self._pause_s:
            return False
        unknown = key_id is not None and key_id not in self._held.key_ids
        return unknown or now - self._held.fetched_at > self._renew_s

    async def _renew(self, key_id: str | None) -> None:
        """Fetch when it is due; others who come meanwhile wait for the same fetch."""
        if not self._is_due(key_id):
            return
        async with self._fetching:
            if not self._is_due(key_id):
                return
            self._tried_at = self._clock()
            try:
                with anyio.fail_after(_TIMEOUT_S):
                    documents = await self._fetched()
            except (OSError, PayloadError):  # OSError: also the time limit
                return
            key_ids = frozenset().union(*map(key_ids_in, documents))
            if key_ids:
                self._held = _Held(documents, key_ids, self._clock())

    async def _fetched(self) -> tuple[str, ...]:
        """The documents of all addresses; raises when one of them cannot be had."""
        import httpx2

        try:
            if self._client is not None:
                return tuple([await self._document(self._client, one) for one in self.addresses])
            async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
                return tuple([await self._document(client, one) for one in self.addresses])
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise PayloadError(f"the keys cannot be fetched: {error}") from None

    async def _document(self, client: httpx2.AsyncClient, address: str) -> str:
        """The document of one address; of metadata, the keys that it names."""
        text = await _text(client, address)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise PayloadError(f"{address} is no JSON") from None
        named = document.get("jwks_uri") if isinstance(document, dict) else None
        if not isinstance(named, str):
            return text
        here, there = urlsplit(address), urlsplit(named)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise PayloadError(f"{address} names keys on another host")
        return await _text(client, named)


async def _text(client: httpx2.AsyncClient, address: str) -> str:
    """The body of an address, of a bounded size."""
    found = bytearray()
    size = 0
    async with client.stream("GET", address, follow_redirects=False) as answer:
        if answer.status_code != 200:
            raise PayloadError(f"{address} answered {answer.status_code}")
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            if size <= _MAX_BYTES:  # read to its end in any case: the time has a limit, too
                found += chunk
    if size > _MAX_BYTES:
        raise PayloadError(f"{address} is over {_MAX_BYTES} bytes")
    return found.decode("utf-8", "replace")
