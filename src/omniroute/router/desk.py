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
from ..events import (
    ChangeAgent,
    Command,
    Event,
    Pick,
    RejectReason,
    Renew,
    SetNotReady,
    SetReady,
    Unpark,
)
from ..model import Agent, Attribute, Interaction, Presence
from .answers import Answer, Refused, done
from .assignment import Assignment
from .offer import Offer, OfferClosed

__all__ = ["Desk", "Given", "Offers", "Owner", "SigningIn"]

_NOBODY_HERE = Refused(RejectReason.NOT_SIGNED_IN)


class Owner(Protocol):
    """What a desk needs of its router."""

    async def send(self, command: Command) -> tuple[Event, ...]:
        """Decide a command; its events are durable when this returns."""
        ...

    def is_current(self, desk: Desk) -> bool:
        """Whether the desk's agent is signed in at this desk, by the latest decision."""
        ...

    async def seat(self, agent: Agent, *, ready: bool, lease_ms: int | None) -> Desk:
        """Sign an agent in; undone when cancelled."""
        ...

    async def unseat(self, desk: Desk, reason: str) -> Answer:
        """Sign a desk out; decided at once, whatever happens to the caller."""
        ...

    def visible(self, desk: Desk) -> list[Interaction]:
        """What its agent may pick, in order."""
        ...

    def parked(self, desk: Desk) -> list[Interaction]:
        """What its agent set aside."""
        ...

    def failed_error(self) -> RouterClosedError | None:
        """What to raise when the router has failed; None when it has not."""
        ...


class _Pick:
    """A pick on its way; the fold puts the assignment in that it becomes."""

    __slots__ = ("assignment", "interaction_id")

    def __init__(self, interaction_id: str) -> None:
        self.interaction_id = interaction_id
        self.assignment: Assignment | None = None


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
        self._given: dict[int, Assignment] = {}
        self._picks: list[_Pick] = []
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
        while not self._unseen:
            if not await self._more():
                return None
        return self._unseen.pop(next(iter(self._unseen)))

    def given(self) -> Given:
        """What he has without having asked for it: ``async for assignment in desk.given()``.

        A queue accepted for him (``auto_accept``), a supervisor assigned it, a colleague
        handed it over. Ends as `offers` does, and each goes to one task. What is over before
        anyone looked is left out, and so is what he had before a restart (`assignments`).
        """
        return Given(self)

    async def next_given(self) -> Assignment | None:
        """The next that came without his asking; None when no more can come."""
        while True:
            while self._given:
                assignment = self._given.pop(next(iter(self._given)))
                if not assignment.claimed:
                    return assignment
            if not await self._more():
                return None

    async def _more(self) -> bool:
        """Wait for something new; False when nothing can come any more."""
        if self.signed_out is not None:
            error = self._owner.failed_error()
            if error is not None:
                raise error
            return False
        if self._changed is None or self._changed.is_set():
            self._changed = anyio.Event()
        await self._changed.wait()
        return True

    def visible(self) -> list[Interaction]:
        """What he may pick from the queues that are pulled from, the first in order first.

        To `pick` one he must be ready and have room for it; what he declined is here too.
        Reads the engine as it is now. O(open interactions), so not on every event.
        """
        return self._owner.visible(self)

    async def pick(self, interaction_id: str) -> Assignment | Refused:
        """Take one that waits, or is offered to whomever, in a queue that is pulled from.

        Refused, with the reason: somebody was faster (``illegal_state``), it is over, he is
        not ready, not eligible, or has no room. Picking what he has already gives that.
        """
        if not self._owner.is_current(self):
            return _NOBODY_HERE
        made = _Pick(interaction_id)
        self._picks.append(made)
        try:
            answer = done(await self._owner.send(Pick(interaction_id, self.agent.id)))
        finally:
            self._picks.remove(made)
        mine = made.assignment or next(
            (a for a in self._assignments.values() if a.interaction.id == interaction_id), None
        )
        if mine is None:
            assert not answer, "what he picked is on his desk"
            return answer
        mine.claimed = True
        return mine

    def parked(self) -> list[Interaction]:
        """What he set aside, oldest first. Reads the engine as it is now. O(open)."""
        return self._owner.parked(self)

    async def unpark(self, interaction_id: str) -> Answer:
        """Take up what is set aside: it is offered to its owner, in front. Refused: it is not."""
        return await self._send(Unpark(interaction_id, actor=self.agent.id))

    async def ready(self) -> Answer:
        """Say that work may be offered. Refused: he is signed out."""
        return await self._send(SetReady(self.agent.id))

    async def not_ready(self, reason: str = "") -> Answer:
        """Say that no work may be offered; open offers are revoked. Refused: signed out."""
        return await self._send(SetNotReady(self.agent.id, reason))

    async def renew(self) -> Answer:
        """His desktop is alive: his lease begins anew. Refused: he has none, or is signed out."""
        return await self._send(Renew(self.agent.id))

    async def change(
        self,
        *,
        skills: Mapping[str, int] | None = None,
        groups: tuple[str, ...] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
        capacity: str | None = None,
    ) -> Answer:
        """Replace what is given, at once: waiting work is matched again. Refused: signed out.

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

    async def sign_out(self, reason: str = "") -> Answer:
        """Leave: offers are revoked, engaged work is requeued at its age. Refused: has left.

        Decided at once, so a cancelled call has signed out too.
        """
        return await self._owner.unseat(self, reason)

    async def _send(self, command: Command) -> Answer:
        if not self._owner.is_current(self):
            return _NOBODY_HERE
        return done(await self._owner.send(command))

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

    def assigned(self, assignment: Assignment, *, asked: bool) -> None:
        """He has it; ``asked``: somebody waits for just this."""
        number = assignment.assignment_id
        self._assignments[number] = assignment
        for pick in self._picks:
            if pick.interaction_id == assignment.interaction.id:
                pick.assignment = assignment
                asked = True
        if not asked:
            self._given[number] = assignment
            self._wake()

    def unassigned(self, assignment: Assignment) -> None:
        """He has it no more."""
        self._assignments.pop(assignment.assignment_id, None)
        self._given.pop(assignment.assignment_id, None)

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


class Given:
    """The iterator of `Desk.given`."""

    __slots__ = ("_desk",)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __aiter__(self) -> Given:
        return self

    async def __anext__(self) -> Assignment:
        assignment = await self._desk.next_given()
        if assignment is None:
            raise StopAsyncIteration
        return assignment


class SigningIn:
    """A sign-in that is about to happen: ``await`` it, or enter it with ``async with``."""

    __slots__ = ("_agent", "_desk", "_lease_ms", "_owner", "_ready")

    def __init__(
        self, owner: Owner, agent: Agent, *, ready: bool, lease_ms: int | None = None
    ) -> None:
        self._owner = owner
        self._agent = agent
        self._ready = ready
        self._lease_ms = lease_ms
        self._desk: Desk | None = None

    def __await__(self) -> Generator[object, object, Desk]:
        owner = self._owner
        return owner.seat(self._agent, ready=self._ready, lease_ms=self._lease_ms).__await__()

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
