"""Who of a telephone call should hear whom: what the router says, as rooms.

Theory. A call is a chain of links. The first link is the customer's interaction, between him and
his agent; the second is that agent's consult, between him and a colleague, who may consult another
in turn. A *room* is some of them who hear one another. Who is in no room is alone: the customer
with music, an agent until there is somebody to talk to. Read from the far end of the chain,
because whoever asks a colleague leaves the customer for him (`rooms`):

    the customer's         the colleague's       who hear one another
    waiting, offered       there is none         nobody
    parked                 there is none         nobody
    engaged                none, or it rings     customer and agent
    held                   none, or it rings     nobody
    engaged, held          engaged               agent and colleague
    engaged                held                  customer and agent
    held                   held                  nobody
    in conference          engaged               customer, agent and colleague
    in conference, held    engaged               agent and colleague
    in conference          held                  customer and agent

An agent takes part as soon as his phone is taken up (`Link.leg`). After a hand-over the chain is
one link shorter, and its first link is the colleague's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from .telephony import leg_of

__all__ = ["Link", "Places", "call_of", "rooms"]


@attrs.frozen
class Link:
    """One link of the chain, for whom its agent hears.

    ``leg``: the name of the agent's leg, None unless his phone is taken up; ``engaged``: he has
    it and has not put it on hold; ``in_conference``: those behind him hear whoever is before him.
    """

    leg: str | None
    engaged: bool
    in_conference: bool = False


def rooms(call: str, links: Sequence[Link]) -> dict[str, tuple[str, ...]]:
    """Who should hear one another: by the room's name, the nearest to the customer first.

    A room is named by the call when the customer is in it, else by the first leg.
    """
    found: list[list[str]] = []
    nearer = [call, *(link.leg for link in links)]
    for near, link in reversed(list(zip(nearer, links, strict=False))):
        if near is None or link.leg is None or not link.engaged:
            continue
        taken = next((room for room in found if link.leg in room), None)
        if taken is None:
            found.append([near, link.leg])
        elif link.in_conference:
            taken.insert(0, near)
    return {room[0]: tuple(room) for room in found}


@attrs.define
class Places:
    """Where a switch has everybody of a call: by room, who is in it."""

    _rooms: dict[str, set[str]] = attrs.field(factory=dict)

    def room_of(self, name: str) -> str | None:
        """The room that somebody is in."""
        return next((room for room, names in self._rooms.items() if name in names), None)

    def has_company(self, name: str) -> bool:
        """True when somebody else is in the same room."""
        room = self.room_of(name)
        return room is not None and len(self._rooms[room]) > 1

    def are_in(self, room: str, names: Iterable[str]) -> bool:
        """True when these and nobody else are in the room."""
        return self._rooms.get(room) == set(names)

    def leave(self, name: str) -> None:
        """Somebody was taken out of his room, or is gone."""
        for room, names in list(self._rooms.items()):
            names.discard(name)
            if not names:
                del self._rooms[room]

    def enter(self, room: str, names: Iterable[str]) -> None:
        """These were put into a room, out of wherever they were."""
        for name in names:
            self.leave(name)
        self._rooms.setdefault(room, set()).update(names)


def call_of(room: str) -> str:
    """The call that a room belongs to."""
    found = leg_of(room)
    return room if found is None else found.call
