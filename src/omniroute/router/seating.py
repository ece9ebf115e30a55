"""Who sits at which desk: signing in and out, safe against cancellation at any moment."""

from __future__ import annotations

from ..engine.visible import parked_by, visible_to
from ..errors import RouterClosedError, SignInError
from ..events import (
    ChangeAgent,
    Command,
    CommandRejected,
    Event,
    RejectReason,
    Renew,
    SetReady,
    SignIn,
    SignOut,
)
from ..model import Agent, Interaction
from .answers import Answer, Refused, done
from .checks import checked
from .desk import Desk
from .door import Door
from .ledger import Decided, Ledger

__all__ = ["Seating"]


class Seating:
    """What desks need of their router (the `Owner` of `desk.py`)."""

    def __init__(self, ledger: Ledger, door: Door) -> None:
        self._ledger = ledger
        self._door = door

    async def send(self, command: Command) -> tuple[Event, ...]:
        """Decide a command; its events are durable when this returns."""
        return await self._door.send(command)

    def is_current(self, desk: Desk) -> bool:
        """Whether the agent is signed in at this desk, by the latest decision."""
        return self._ledger.seats.get(desk.agent.id) is desk

    async def seat(self, agent: Agent, *, ready: bool, lease_ms: int | None) -> Desk:
        """Sign an agent in. Cancelled: he is not signed in."""
        command = checked(SignIn(agent, ready, lease_ms))
        ledger = self._ledger
        await self._door.acquire()
        left = ledger.seats.get(agent.id)
        if left is not None and left.orphan:
            self._door.release()
            return await self._come_back(left, agent, ready=ready)
        desk = Desk(self, agent)
        decided = self._door.post(command, arriving=desk)
        try:
            events = await ledger.wait(decided)
        except BaseException:
            self._sign_out(desk, "cancelled")
            raise
        for event in events:
            if isinstance(event, CommandRejected):
                raise SignInError(agent.id, event.reason.value)
        return desk

    async def _come_back(self, desk: Desk, agent: Agent, *, ready: bool) -> Desk:
        """He sits down at the desk that he had before a restart; if not, it stays there."""
        desk.orphan = False
        try:
            if desk.agent != agent:
                await self._door.send(ChangeAgent(agent))
            if ready:
                await self._door.send(SetReady(agent.id))
            await self._door.send(Renew(agent.id))  # refused when he has no lease
        except BaseException:
            desk.orphan = True
            raise
        return desk

    def orphan(self, agent: Agent) -> Desk:
        """The desk of an agent who was signed in before a restart."""
        return Desk(self, agent, orphan=True)

    async def unseat(self, desk: Desk, reason: str) -> Answer:
        """Sign a desk out; refused when its agent has left it already."""
        decided = self._sign_out(desk, reason)
        if decided is None:
            return Refused(RejectReason.NOT_SIGNED_IN)
        return done(await self._ledger.wait(decided))

    def visible(self, desk: Desk) -> list[Interaction]:
        """What its agent may pick, in order."""
        return visible_to(self._ledger.engine, desk.agent.id) if self.is_current(desk) else []

    def parked(self, desk: Desk) -> list[Interaction]:
        """What its agent set aside."""
        return parked_by(self._ledger.engine, desk.agent.id) if self.is_current(desk) else []

    def _sign_out(self, desk: Desk, reason: str) -> Decided | None:
        """Decide it at once and without a place, so that nothing can come between."""
        if not self.is_current(desk) or not self._ledger.is_open:
            return None
        return self._ledger.post(checked(SignOut(desk.agent.id, reason)))

    def failed_error(self) -> RouterClosedError | None:
        """What a desk raises when the router has failed; None when it has not."""
        return self._ledger.closed_error() if self._ledger.failure is not None else None
