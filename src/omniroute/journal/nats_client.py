"""A connection to NATS that asks JetStream, waits out elections, and checks what it may trust.

A JetStream server acknowledges a message, by default, up to two minutes before it is on the
disk. A journal must not live on that, and a client cannot see it. So a URL must say where the
servers tell it (``monitor=``), or that somebody knows (``durability=trusted``), or that nobody
minds (``durability=relaxed``).
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
import warnings
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from ..errors import JournalError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["NatsAddress", "api", "connect_nats", "parse_nats", "require_nats"]

#: Errors of the JetStream API that pass: no leader yet, overloaded, not current.
_PASSING = frozenset({10_008, 10_009, 10_118, 10_167})
#: Older servers lose streams and messages in ways that were fixed since.
_OLDEST = (2, 12, 3)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURABILITIES = ("checked", "trusted", "relaxed")
_CONNECT_S = 10.0
_ATTEMPT_S = 3.0
_PAUSE_S = 0.1


class NatsAddress(msgspec.Struct, frozen=True):
    """What a ``nats://`` URL says. ``place`` is for messages: it has no passwords."""

    servers: tuple[str, ...]
    name: str
    replicas: int
    monitors: tuple[str, ...]
    durability: str
    credentials: str | None
    place: str


def parse_nats(url: str, kind: str = "journal") -> NatsAddress:
    """Read ``nats://user:password@a:4222,b:4222?journal=north&replicas=3&monitor=http://a:8222``.

    ``kind`` is the option that names what is kept there. Raises `UsageError` for what it does not
    know.
    """
    parts = urlsplit(url)
    options = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
    name = options.pop(kind, "router")
    replicas = options.pop("replicas", "1")
    monitors = tuple(filter(None, options.pop("monitor", "").split(",")))
    durability = options.pop("durability", "checked")
    credentials = options.pop("credentials", None)
    if not parts.netloc or parts.path.strip("/"):
        raise UsageError(f"{url!r}: write nats://host:4222?{kind}=name")
    if options:
        known = f"{kind}, replicas, monitor, durability, credentials"
        raise UsageError(f"unknown in a nats URL: {', '.join(sorted(options))}; known: {known}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{kind}={name!r}: letters, digits, - and _, 64 at most")
    if replicas not in ("1", "3", "5"):
        raise UsageError(f"replicas={replicas!r}: 1, 3 or 5")
    if durability not in _DURABILITIES:
        raise UsageError(f"durability={durability!r}: one of {', '.join(_DURABILITIES)}")
    login, _, hosts = parts.netloc.rpartition("@")
    before = f"{login}@" if login else ""
    label = "" if durability == "checked" else f"&durability={durability}"
    return NatsAddress(
        servers=tuple(f"nats://{before}{host}" for host in hosts.split(",")),
        name=name,
        replicas=int(replicas),
        monitors=monitors,
        durability=durability,
        credentials=credentials,
        place=f"nats://{hosts}?{kind}={name}{label}",
    )


def require_nats() -> None:
    """Raise `MissingExtraError` when the driver is not installed."""
    try:
        import nats.aio.client  # noqa: F401 - it is there, or it is not
    except ImportError:
        raise MissingExtraError("nats-py", "nats", "NATS JetStream") from None


async def connect_nats(address: NatsAddress) -> Client:
    """A connection that comes back by itself. Raises `JournalError`."""
    from nats.aio.client import Client
    from nats.errors import Error

    connection = Client()
    try:
        await asyncio.wait_for(
            connection.connect(
                servers=list(address.servers),
                user_credentials=address.credentials,
                error_cb=_unheard,
                connect_timeout=2,
                reconnect_time_wait=0.1,  # type: ignore[arg-type] # seconds, not only whole ones
                max_reconnect_attempts=-1,
                ping_interval=5,
                max_outstanding_pings=2,
            ),
            _CONNECT_S,
        )
    except (OSError, Error, TimeoutError) as error:
        raise JournalError(f"{address.place} does not answer: {error!r}") from error
    return connection


async def _unheard(_error: Exception) -> None:
    """Whoever asks hears of it; the driver would log it besides."""


def check_server(connection: Client, address: NatsAddress) -> None:
    """Raise `JournalError` for a server on which a journal must not live; warn when relaxed."""
    version = str(connection.connected_server_version)
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if found < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise JournalError(f"{address.place} is NATS {version}: {oldest} or newer is needed")
    if address.durability == "relaxed":
        warnings.warn(
            f"{address.place}: the server may lose what it acknowledged in the last minutes",
            stacklevel=2,
        )
    if address.durability == "checked":
        told = connection._server_info  # noqa: SLF001 - the driver shows it nowhere else
        _check_sync(str(told["server_id"]), address)


def _check_sync(server_id: str, address: NatsAddress) -> None:
    """Whether every server of the URL syncs before it acknowledges, as they say themselves."""
    how = (
        "set `sync_interval: always` in its jetstream block, and give its monitoring address in "
        "the URL (monitor=http://host:8222); or say durability=trusted, or durability=relaxed"
    )
    if not address.monitors:
        raise JournalError(f"nothing tells whether {address.place} syncs what it stores: {how}")
    seen = set()
    for monitor in address.monitors:
        try:
            with urllib.request.urlopen(f"{monitor}/varz", timeout=5) as answer:  # noqa: S310
                told: dict[str, Any] = json.load(answer)
        except (OSError, ValueError) as error:
            raise JournalError(f"{monitor} does not tell about {address.place}: {error}") from error
        seen.add(told.get("server_id"))
        if not told.get("jetstream", {}).get("config", {}).get("sync_always"):
            raise JournalError(f"{monitor}: that server acknowledges before it syncs: {how}")
    if server_id not in seen:
        raise JournalError(f"{address.place} is no server of {', '.join(address.monitors)}")


async def api(
    connection: Client, call: str, request: dict[str, object], *, patience_s: float
) -> dict[str, Any]:
    """What the JetStream API answers to a call that may be repeated, also an error of it.

    While there is no leader it asks again, for ``patience_s``. Raises `JournalError` then.
    """
    from nats.errors import Error

    until_s = monotonic() + patience_s
    data = json.dumps(request).encode()
    while True:
        try:
            answer = await connection.request(f"$JS.API.{call}", data, timeout=_ATTEMPT_S)
            told: dict[str, Any] = json.loads(answer.data)
            if told.get("error", {}).get("err_code") not in _PASSING or monotonic() > until_s:
                return told
        except (Error, TimeoutError) as error:
            if monotonic() > until_s:
                raise JournalError(f"JetStream does not answer {call}: {error!r}") from error
        await asyncio.sleep(_PAUSE_S)
