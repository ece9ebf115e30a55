"""Journals by URL: one table from scheme to store.

memory:                      in this process, gone with it
sqlite:///router.db          a file, relative to the working directory
sqlite:////var/lib/r.db      a file, absolute
postgresql://db/contact?journal=north    a database, as libpq takes it
nats://a:4222,b:4222?journal=north&replicas=3    a JetStream stream, see `NatsStore`
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from ..errors import UnknownNameError, UsageError
from .memory import MemoryJournal
from .nats_store import NatsStore
from .postgres import PostgresStore
from .protocol import Store, Vault
from .sqlite import SqliteStore
from .stored import StoreJournal

__all__ = ["STORES", "open_journal"]


def _sqlite(url: str) -> Store:
    parts = urlsplit(url)
    path = unquote(parts.path[1:])
    if parts.netloc or not path:
        raise UsageError(
            f"{url!r} names no file: write sqlite:///router.db, or sqlite:////var/lib/router.db"
        )
    return SqliteStore(path)


#: scheme -> what makes the store of a URL. It raises `UsageError` for a URL that says nothing,
#: and `MissingExtraError` when the driver is not installed.
STORES: dict[str, Callable[[str], Store]] = {
    "sqlite": _sqlite,
    "postgresql": PostgresStore,
    "postgres": PostgresStore,
    "nats": NatsStore,
}


def open_journal(
    url: str, *, vault: Vault | None = None, writer: str = ""
) -> MemoryJournal | StoreJournal:
    """The journal of a URL, not yet open (``async with`` opens and closes it).

    ``vault`` and ``writer`` as in `StoreJournal`. Raises `UnknownNameError` for an unknown
    scheme, `UsageError` for a URL that names nothing, `MissingExtraError` when the driver of
    that store is not installed.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryJournal()
    if scheme not in STORES:
        raise UnknownNameError("journal", scheme, ("memory", *STORES), where=repr(url))
    return StoreJournal(STORES[scheme](url), vault=vault, writer=writer)
