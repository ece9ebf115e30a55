"""One signed-in human agent's desk: the offers he gets, what he has, what he says.

A `Desk` is a view that the router keeps up to date from published events (`Desks` in
`desks.py` does the folding); its methods send commands. `SigningIn` is what
`Router.sign_in` returns: await it for a desk that you sign out yourself, or use it with
``async with``, which signs out whatever happens.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Protocol

import anyio
import msgspec

from ..errors import RouterClosedError
from ..events import ChangeAgent, Command, Event, SetNotReady, SetReady
from ..model import Agent, Attribute, Presence
from .offer import Assignment, Offer, OfferClosed, done

__all__ = ["Desk", "Offers", "Owner", "SigningIn"]


class Owner(Protocol):
    """What a desk needs of its router."""

    async def send(self, command: Command) -> tuple[Event, ...]:
        """Decide a command; its events are durable when this returns."""
        ...

    def is_current(self, desk: Desk) -> bool:
        """Whether the desk's agent is signed in at this desk, by the latest decision."""
        ...

    async def seat(self, agent: Agent, *, ready: bool) -> Desk:
        """Sign an agent in; undone when cancelled."""
        ...

    async def unseat(self, desk: Desk, reason: str) -> bool:
        """Sign a desk out; decided at once, whatever happens to the caller."""
        ...

    def failed_error(self) -> RouterClosedError | None:
        """What to raise when the router has failed; None when it has not."""
        ...


class Desk:
    """A signed-in agent's place. ``agent`` and ``presence`` are always current."""

    def __init__(self, owner: Owner, agent: Agent, *, orphan: bool = False) -> None:
        self._owner = owner
        self.agent = agent
        self.presence = Presence.NOT_READY
        #: Why he is not ready: what he said, or ``no_answer``.
        self.not_ready_reason = ""
        #: Why he is signed out, or None while he is signed in.
        self.signed_out: str | None = None
        #: signed in before a restart, and nobody has come to the desk yet
        self.orphan = orphan
        self._unseen: dict[int, Offer] = {}
        self._open: dict[int, Offer] = {}
        self._assignments: dict[int, Assignment] = {}
        self._changed: anyio.Event | None = None

    @property
    def open_offers(self) -> tuple[Offer, ...]:
        """The offers that wait for his answer, also those that `offers` gave out already."""
        return tuple(self._open.values())

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """What he has, wrap-up included; oldest acceptance first."""
        return tuple(self._assignments.values())

    def offers(self) -> Offers:
        """New offers as they come: ``async for offer in desk.offers()``.

        Ends when the agent is signed out or the router closes; raises `RouterClosedError`
        when the router has failed. Offers that were over before anyone looked are left
        out. Several tasks may iterate: each offer goes to one of them.
        """
        return Offers(self)

    async def next_offer(self) -> Offer | None:
        """The next new offer; None when no more can come. What `offers` iterates."""
        while True:
            if self._unseen:
                return self._unseen.pop(next(iter(self._unseen)))
            if self.signed_out is not None:
                error = self._owner.failed_error()
                if error is not None:
                    raise error
                return None
            if self._changed is None or self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()

    async def ready(self) -> bool:
        """Say that work may be offered. False: he is signed out."""
        return await self._send(SetReady(self.agent.id))

    async def not_ready(self, reason: str = "") -> bool:
        """Say that no work may be offered; open offers are revoked. False: signed out."""
        return await self._send(SetNotReady(self.agent.id, reason))

    async def change(
        self,
        *,
        skills: Mapping[str, int] | None = None,
        groups: tuple[str, ...] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        capacity: str | None = None,
    ) -> bool:
        """Replace what is given, at once: waiting work is matched again. False: signed out.

        Raises `UnknownNameError` or `CommandError` when the plan does not know it.
        """
        agent = self.agent
        changed = msgspec.structs.replace(
            agent,
            skills=agent.skills if skills is None else dict(skills),
            groups=agent.groups if groups is None else tuple(groups),
            attributes=agent.attributes if attributes is None else dict(attributes),
            capacity=agent.capacity if capacity is None else capacity,
        )
        return await self._send(ChangeAgent(changed))

    async def sign_out(self, reason: str = "") -> bool:
        """Leave: offers are revoked, engaged work is requeued at its age. False: has left.

        Decided at once, so a cancelled call has signed out too.
        """
        return await self._owner.unseat(self, reason)

    async def _send(self, command: Command) -> bool:
        return self._owner.is_current(self) and done(await self._owner.send(command))

    # --- the router's notes ---------------------------------------------------------------

    def offered(self, offer: Offer) -> None:
        """A new offer."""
        self._open[offer.offer_id] = self._unseen[offer.offer_id] = offer
        self._wake()

    def offer_closed(self, offer: Offer, reason: OfferClosed) -> None:
        """An offer is over."""
        self._open.pop(offer.offer_id, None)
        self._unseen.pop(offer.offer_id, None)
        offer.close(reason)

    def assigned(self, assignment: Assignment) -> None:
        """He accepted."""
        self._assignments[assignment.assignment_id] = assignment

    def unassigned(self, assignment: Assignment) -> None:
        """He has it no more."""
        self._assignments.pop(assignment.assignment_id, None)

    def left(self, reason: str) -> None:
        """He is signed out."""
        self.presence = Presence.LOGGED_OUT
        self.signed_out = reason
        self._wake()

    def let_go(self) -> None:
        """The router closes and will tell nothing more."""
        for offer in self.open_offers:
            self.offer_closed(offer, OfferClosed.ROUTER_CLOSED)
        for assignment in self._assignments.values():
            assignment.let_go()
        self.left("router_closed")

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def __repr__(self) -> str:
        return f"<Desk of {self.agent.id!r}, {self.presence.value}>"


class Offers:
    """The iterator of `Desk.offers`."""

    __slots__ = ("_desk",)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __aiter__(self) -> Offers:
        return self

    async def __anext__(self) -> Offer:
        offer = await self._desk.next_offer()
        if offer is None:
            raise StopAsyncIteration
        return offer


class SigningIn:
    """A sign-in that is about to happen: ``await`` it, or enter it with ``async with``."""

    __slots__ = ("_agent", "_desk", "_owner", "_ready")

    def __init__(self, owner: Owner, agent: Agent, *, ready: bool) -> None:
        self._owner = owner
        self._agent = agent
        self._ready = ready
        self._desk: Desk | None = None

    def __await__(self) -> Generator[object, object, Desk]:
        return self._owner.seat(self._agent, ready=self._ready).__await__()

    async def __aenter__(self) -> Desk:
        self._desk = await self
        return self._desk

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._desk is not None
        with anyio.CancelScope(shield=True), suppress(RouterClosedError):
            await self._owner.unseat(self._desk, "")  # if closed, the router's own exit tells
