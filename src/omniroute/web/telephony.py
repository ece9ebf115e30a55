"""What the connections to telephone switches share: the words, the errors, staying connected.

A *switch* holds calls and rings phones (`Switch`); whoever decides what becomes of them listens
to it (`Listener`). A *leg* is the connection to one agent's phone. `switchboard.Switchboard` is
the listener that asks a router; `ari.Ari` and `event_socket.EventSocket` are switches.

The name of a leg says what it is for (`leg_name`), so that a list of the switch's channels is all
that a restarted process needs to go on: nothing about calls is kept anywhere else. A *room* is
where calls and legs hear one another (`parties`).

Kamailio (`evapi.Evapi`) is a proxy: a call that it has sent to a phone cannot come back to wait,
so it is no `Switch`. It shares the rest.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import anyio
import attrs
from anyio.abc import TaskStatus

from ..channels import Adapter, WebhookRequest
from ..channels.quarantine import normalized
from ..errors import RouterError
from ..model import Inbound

__all__ = [
    "LEG",
    "Gone",
    "LegName",
    "Listener",
    "Standing",
    "Switch",
    "SwitchClosedError",
    "SwitchRefusedError",
    "digest",
    "leg_name",
    "leg_of",
    "read",
    "room_name",
    "room_of",
    "stay_connected",
    "wall_ms",
]

_log = logging.getLogger("omniroute")

#: How the names of our own legs and rooms begin.
LEG = "omniroute-"

_LEG = re.compile(LEG + r"([0-9]{1,19})-([0-9a-f]{8})-(.+)", re.ASCII | re.DOTALL)

#: Every failed attempt doubles the wait for the next one, up to this. Not long: meanwhile callers
#: get what the switch does without a router.
_MOST_RETRY_S = 5.0


class SwitchClosedError(RouterError):
    """The switch is not connected, so it was told nothing. Try again when it is."""


class SwitchRefusedError(RouterError):
    """The switch said no: to our password, or to one command."""


class Gone(enum.StrEnum):
    """Why a leg or a call is no more. A closed list."""

    BUSY = "busy"  #: the phone is in use
    DECLINED = "declined"  #: the phone's user said no
    NO_ANSWER = "no_answer"  #: it rang, and nobody came
    UNREACHABLE = "unreachable"  #: no such phone, not registered, or dead
    HUNG_UP = "hung_up"  #: an ordinary end
    FAILED = "failed"  #: anything else


@attrs.frozen
class Standing:
    """What stands in a switch at one moment.

    ``calls``: the customers' calls, each as the event that opens it, by thread id; ``legs``:
    our legs by name, True when answered; ``rooms``: who is in which of our rooms, calls and legs.
    """

    calls: Mapping[str, Inbound]
    legs: Mapping[str, bool]
    rooms: Mapping[str, frozenset[str]]


class LegName(NamedTuple):
    """What the name of a leg says."""

    offer_id: int
    agent: str  #: a digest of the agent's id
    call: str


class Listener(Protocol):
    """Who is told what happens in a switch, in the order in which it happens."""

    async def connected(self, standing: Standing) -> None:
        """The switch is connected (again); what happened before is only in ``standing``."""
        ...

    def disconnected(self) -> None:
        """Nothing is told any more, until `connected`."""
        ...

    async def heard(self, inbound: Inbound) -> None:
        """Something happened to a customer's call."""
        ...

    def answered(self, leg: str) -> None:
        """The agent's phone was taken up."""
        ...

    def ended(self, leg: str, why: Gone) -> None:
        """A leg is no more, answered or not. May be told twice."""
        ...


class Switch(Protocol):
    """A switch that holds calls and rings phones; a call is named by its thread id.

    The commands raise `SwitchClosedError`, and `SwitchRefusedError` when the switch says no.
    """

    @property
    def name(self) -> str:
        """Which switch it is, among those of one router."""
        ...

    async def run(
        self, listener: Listener, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Tell the listener until cancelled, connecting again whenever the connection is lost."""
        ...

    async def hold(self, name: str, room: str | None) -> None:
        """Let a call or a leg hear music, alone; ``room`` is where it is now, kept without it."""
        ...

    async def ring(self, call: str, leg: str, phone: str, caller: tuple[str, str]) -> None:
        """Ring a phone, showing the caller's (name, number); the listener is told the result."""
        ...

    async def join(self, room: str, names: Sequence[str]) -> None:
        """Let these calls and legs, two or more, hear one another, wherever they were."""
        ...

    async def hang_up(self, name: str, why: Gone) -> None:
        """End a call or a leg. No error when it has ended already."""
        ...

    async def clear(self, room: str) -> None:
        """Remove what was made for a room that nobody needs any more."""
        ...


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def leg_name(offer_id: int, agent_id: str, call: str) -> str:
    """The name of the leg that an offer of a call to an agent rings."""
    return f"{LEG}{offer_id}-{digest(agent_id)}-{call}"


def digest(agent_id: str) -> str:
    """What stands for an agent in the names of legs, whatever characters his id has."""
    return hashlib.sha256(agent_id.encode()).hexdigest()[:8]


def leg_of(name: str) -> LegName | None:
    """What the name of a leg says; None when it is none of ours."""
    found = _LEG.fullmatch(name)
    return None if found is None else LegName(int(found[1]), found[2], found[3])


def room_name(room: str) -> str:
    """How the switch calls a room: one of ours, whoever is in it."""
    return room if leg_of(room) is not None else LEG + room


def room_of(name: str) -> str | None:
    """The room that the switch calls so; None when it is none of ours."""
    if leg_of(name) is not None:
        return name
    return name.removeprefix(LEG) if name.startswith(LEG) and name != LEG else None


def read(adapter: Adapter, body: bytes, at_ms: int) -> list[Inbound]:
    """What an event means; one that cannot be understood is quarantined with its bytes.

    Args:
        adapter: reads ``body``; its name is the one that a replay finds it by.
        body: the event as the adapter wants it.
        at_ms: now.
    """
    request = WebhookRequest(body=body, received_at_ms=at_ms)
    return normalized(adapter, adapter.name, request)


async def stay_connected(
    session: Callable[[Callable[[], None]], Awaitable[None]],
    *,
    retry_s: float,
    most_retry_s: float = _MOST_RETRY_S,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Run one session after the other until cancelled.

    Args:
        session: connects and runs until the connection is lost (by returning, or by `OSError`
            or `SwitchClosedError`; anything else ends it all). It calls its argument when it is
            connected.
        retry_s: how long to wait before connecting again; doubled while it fails.
        most_retry_s: how long to wait at most, once it is longer than ``retry_s``.
        task_status: started when connected for the first time.
    """
    wait_s = retry_s
    told = False

    def connected() -> None:
        nonlocal wait_s, told
        wait_s = retry_s
        if not told:
            told = True
            task_status.started()

    while True:
        try:
            await session(connected)
        except (OSError, SwitchClosedError) as error:
            _log.warning("a telephone switch is not connected: %s", error)
        await anyio.sleep(wait_s)
        wait_s = min(wait_s * 2, max(retry_s, most_retry_s))
