"""The simulated human agents: what each of them does with an offer.

Everything they do goes through their desk, as it would from a real agent's screen: offers
come in, are accepted, declined or left to ring; the work takes its time; wrap-up ends.
"""

from __future__ import annotations

import asyncio
from random import Random

import attrs

from omniroute import Assignment, Channel, Desk, InteractionState, Offer, OfferClosed, Router

from .pace import Pace
from .senders import Telephone

__all__ = ["People"]

#: How long the work itself takes, on average.
HANDLE_S = {Channel.VOICE: 120, Channel.EMAIL: 150, Channel.MESSENGER: 60, Channel.FACEBOOK: 40}


@attrs.frozen
class Manner:
    """How one person works. ``answers_s``: how long an offer rings, at least and at most."""

    answers_s: tuple[float, float] = (1, 4)
    declines: float = 0  # this share of the offers
    misses: int = 0  # so many of the first offers ring until they expire
    away_s: float = 45  # and so long it takes to come back and be ready again


USUAL = Manner()
MANNERS = {
    "anna": Manner(answers_s=(0, 1)),  # at once
    "ben": Manner(declines=0.3),
    "farid": Manner(misses=1),
    "hugo": Manner(answers_s=(6, 14)),  # reads before he accepts
    "jonas": Manner(declines=0.15),
    "kim": Manner(answers_s=(4, 12), misses=1),  # new here
}


class People:
    """All agents of the plan at work. ``desks`` are those who are signed in."""

    def __init__(self, router: Router, telephone: Telephone, pace: Pace, rng: Random) -> None:
        self._router = router
        self._telephone = telephone
        self._pace = pace
        # dice of their own: what one of them does never changes the day of another
        self._dice = {agent_id: Random(rng.getrandbits(64)) for agent_id in router.plan.agents}
        self.desks: dict[str, Desk] = {}

    async def work(self) -> None:
        """Everybody signs in and works until cancelled."""
        async with asyncio.TaskGroup() as people:
            for agent_id in self._router.plan.agents:
                people.create_task(self._sit_at_desk(agent_id))

    async def _sit_at_desk(self, agent_id: str) -> None:
        """One agent: every offer is a task, for some do several things at once."""
        dice, manner = self._dice[agent_id], MANNERS.get(agent_id, USUAL)
        async with self._router.sign_in(agent_id) as desk, asyncio.TaskGroup() as hands:
            self.desks[agent_id] = desk
            number = 0
            async for offer in desk.offers():
                number += 1
                missed = number <= manner.misses
                hands.create_task(self._answer(desk, offer, manner, dice, missed=missed))

    async def _answer(
        self, desk: Desk, offer: Offer, manner: Manner, dice: Random, *, missed: bool
    ) -> None:
        """Decide about an offer as this person would."""
        if missed:
            await self._miss(desk, offer, manner)
            return
        await self._pace.sleep(dice.uniform(*manner.answers_s))
        if dice.random() < manner.declines:
            await offer.decline("busy with a colleague")
            return
        assignment = await offer.accept()
        if assignment is not None:  # None: too late, the customer hung up
            await self._handle(assignment, dice)

    async def _miss(self, desk: Desk, offer: Offer, manner: Manner) -> None:
        """Not there. The offer expires, the plan makes him not ready; later he is back."""
        if await offer.wait_closed() is OfferClosed.EXPIRED:
            await self._pace.sleep(manner.away_s)
            await desk.ready()

    async def _handle(self, assignment: Assignment, dice: Random) -> None:
        """Do the work, and the after-contact work where the queue has one."""
        message = assignment.interaction.message
        call_id = message.message_id or ""
        if message.channel is Channel.VOICE:
            self._telephone.pick_up(call_id)
        await self._pace.sleep(HANDLE_S[message.channel] * dice.uniform(0.5, 1.5))
        await assignment.complete("solved")
        if message.channel is Channel.VOICE:
            self._telephone.put_down(call_id)
        if assignment.state is InteractionState.WRAP_UP:
            await self._pace.sleep(dice.uniform(5, 25))
            await assignment.finish_wrap_up()
