"""What members of a cluster need of the world: a table of leases, and a way to talk.

Two small powers carry everything else, and any database or message system has them:

- **A table of few rows** in which a row changes only for whoever knows its latest revision
  (compare-and-set). A member that must be heard of says its row again and again; whoever sees
  a revision stand still for as long as a lease lasts, *by its own clock*, may take the row
  over. No clocks are compared, and no server needs to expire anything.
- **Messages** between members: one asks another and gets an answer, or one tells all. They may
  get lost or come twice. What must not is in the journals.

A coordinator decides who should write a journal. Who *can*, the journal itself decides: nothing
here is trusted with the safety of a single record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from ..errors import RouterError, UnknownNameError

__all__ = ["Coordinator", "Hear", "Heard", "NoAnswerError", "Row", "open_coordinator"]


class NoAnswerError(RouterError):
    """A member, or the coordinator itself, did not answer. What was asked may have happened."""


class Row(NamedTuple):
    """One row of the table. A revision grows with every change of it."""

    value: bytes
    revision: int


class Heard(NamedTuple):
    """A message from another member; with ``reply_to`` it waits for an answer."""

    data: bytes
    reply_to: str | None


#: Called in the event loop of whoever opened the coordinator; it must be quick.
Hear = Callable[[Heard], object]


class Coordinator(Protocol):
    """The table and the messages of one cluster, for one member.

    Keys and members are letters, digits, ``-`` and ``_``. Whatever fails raises
    `NoAnswerError`, and may be tried again.
    """

    place: str  #: for messages: where it is, without passwords

    async def open(self, me: str, hear: Hear) -> None:
        """Connect, and hear what members say to all and to ``me``."""
        ...

    async def rows(self) -> dict[str, Row]:
        """The whole table, as it is or was a moment ago."""
        ...

    async def put(self, key: str, value: bytes | None, revision: int) -> int | None:
        """Set a row that has this revision (0: that is not there); None deletes it.

        Returns its new revision, or None when the row has another revision by now.
        """
        ...

    async def publish(self, data: bytes) -> None:
        """Tell all members, this one too."""
        ...

    async def call(self, member: str, data: bytes) -> bytes:
        """Ask one member. Cancelled, it may have happened."""
        ...

    async def answer(self, reply_to: str, data: bytes) -> None:
        """Answer a call."""
        ...

    async def aclose(self) -> None:
        """Disconnect."""
        ...


def open_coordinator(url: str) -> Coordinator:
    """The coordinator of a URL, not yet open.

    ``postgresql://host/database?cluster=name`` or ``nats://host:4222?cluster=name``. Raises
    `UnknownNameError` for another scheme, `MissingExtraError` when the driver is not installed.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("postgresql", "postgres"):
        from .postgres import PostgresCoordinator

        return PostgresCoordinator(url)
    if scheme == "nats":
        from .nats import NatsCoordinator

        return NatsCoordinator(url)
    raise UnknownNameError("coordinator", scheme, ("postgresql", "nats"), where=repr(url))
