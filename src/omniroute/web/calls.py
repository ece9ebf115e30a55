"""What a switchboard knows of one call: its legs, where they are, what the router says of it.

Nothing here is kept over a restart: the names of legs and rooms in the switch, and the router's
journal, give all of it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import anyio
import attrs

from ..model import InteractionState
from ..router import Assignment, Offer, Router
from .parties import Link, Places
from .telephony import Gone, LegName, digest

__all__ = ["HAD", "Call", "Leg", "Work", "adopt", "chain", "link_of", "renumber"]

#: An agent has it, and nobody has ended it.
HAD = frozenset({InteractionState.ENGAGED, InteractionState.HELD})


@attrs.define(eq=False)
class Leg:
    """The connection to an agent's phone, for one offer of a call or of a consult about it."""

    offer_id: int
    interaction_id: str
    agent: str  # a digest, as in the name
    name: str
    answered: bool = False
    talked: bool = False
    why: Gone | None = None

    @property
    def is_there(self) -> bool:
        """It rings, or the phone was taken up."""
        return self.why is None

    @property
    def is_up(self) -> bool:
        """The phone was taken up, and not put down."""
        return self.answered and self.why is None


@attrs.define(eq=False)
class Call:
    """A customer's call and what the switch was told to do with it."""

    id: str
    interaction_id: str
    refused: bool = False
    legs: dict[str, Leg] = attrs.Factory(dict)  # by name
    places: Places = attrs.Factory(Places)
    music: set[str] = attrs.Factory(set)  # who hears it: the call, legs
    made: set[str] = attrs.Factory(set)  # rooms
    over: bool = False  # we have hung up
    gone: bool = False  # the customer has left the switch
    changed: anyio.Event = attrs.Factory(anyio.Event)

    def leg_for(self, offer_id: int) -> Leg | None:
        """The leg that an offer rang."""
        return next((leg for leg in self.legs.values() if leg.offer_id == offer_id), None)


@attrs.frozen
class Work:
    """What the router says of a call's interaction, or of a consult about it."""

    interaction_id: str
    offers: tuple[Offer, ...]
    assignment: Assignment | None  # engaged or held

    @property
    def wanted(self) -> set[int]:
        """The offers that a phone should ring for, or has been taken up for."""
        numbers = {offer.offer_id for offer in self.offers}
        return numbers if self.assignment is None else {self.assignment.assignment_id}


def chain(router: Router, interaction_id: str) -> Iterator[Work]:
    """What the router says of a call, and of the consults about it, one after the other."""
    next_id: str | None = interaction_id
    while next_id is not None:
        had = router.assignment(next_id)
        if had is not None and had.state not in HAD:
            had = None
        yield Work(next_id, router.offers(next_id), had)
        consultation = None if had is None else had.consultation
        next_id = None if consultation is None else consultation.interaction_id


def link_of(call: Call, work: Work) -> Link:
    """One link of the call, for whom its agent hears."""
    had = work.assignment
    if had is None:
        return Link(leg=None, engaged=False)
    leg = call.leg_for(had.assignment_id)
    name = leg.name if leg is not None and leg.is_up else None
    return Link(name, had.state is InteractionState.ENGAGED, had.in_conference)


def adopt(
    call: Call, works: Iterable[Work], name: str, found: LegName, *, answered: bool
) -> Leg | None:
    """The leg of before a restart, when the call should have one of this name."""
    for work in works:
        had = work.assignment
        is_his = had is not None and digest(had.interaction.agent_id or "") == found.agent
        if found.offer_id in work.wanted or (answered and is_his):
            leg = call.legs[name] = Leg(found.offer_id, work.interaction_id, found.agent, name)
            leg.talked = call.places.has_company(name)
            return leg
    return None


def renumber(call: Call, works: Iterable[Work]) -> None:
    """A colleague who was handed the customer has him under a new number, by the same phone.

    Also when he has put it down meanwhile: then he has finished, and is not rung again.
    """
    for work in works:
        had = work.assignment
        if had is None or call.leg_for(had.assignment_id) is not None:
            continue
        agent = digest(had.interaction.agent_id or "")
        for leg in call.legs.values():
            if leg.agent == agent and (leg.is_up or leg.talked):
                leg.offer_id, leg.interaction_id = had.assignment_id, work.interaction_id
