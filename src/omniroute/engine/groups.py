"""The agents' side of the market: profiles, rows and groups.

A *profile* is the set of agents who differ in nothing that a requirement can see. A *group* is
the available agents of one profile with one load; inside it they differ only in idle time.
A *row* is the lanes of one tier that a profile may serve, by kind of work.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heappop, heappush
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from ..model import Agent
from .lanes import Pick, picker

if TYPE_CHECKING:
    from .capacity import Load
    from .lanes import Lane
    from .records import AgentRecord

__all__ = ["NOBODY", "Group", "Profile", "ProfileKey", "Row", "profile_key"]

#: Idles longer than nobody: larger than any idle number.
NOBODY = 1 << 62

#: So many groups of a profile before the empty ones are forgotten.
_MOST_GROUPS = 1_024

ProfileKey = tuple[object, ...]


def profile_key(agent: Agent, *, named: bool) -> ProfileKey:
    """What makes two agents the same to every requirement.

    ``named``: some requirement names this agent, so nobody else is like him.
    """
    return (
        agent.capacity,
        tuple(sorted(agent.skills.items())),
        tuple(sorted(set(agent.groups))),
        tuple(sorted(agent.attributes.items(), key=itemgetter(0))),
        agent.id if named else None,
    )


class Row:
    """The lanes of one tier that a profile may serve."""

    __slots__ = ("lanes", "tier")

    def __init__(self, tier: int) -> None:
        self.tier = tier
        #: by the bit of a kind of work the indexes of its lanes
        self.lanes: dict[int, list[int]] = {}

    def indexes(self, open_kinds: int) -> list[int]:
        """The lanes of these kinds of work."""
        found: list[int] = []
        for bit, lanes in self.lanes.items():
            if bit & open_kinds:
                found += lanes
        return found


class Profile:
    """Agents who differ in nothing that a requirement can see."""

    __slots__ = (
        "agents",
        "available",
        "bit",
        "example",
        "groups",
        "index",
        "is_plain",
        "key",
        "picks",
        "rows",
    )

    def __init__(self, index: int, key: ProfileKey, example: Agent) -> None:
        self.index = index
        self.bit = 1 << index
        self.key = key
        #: requirements are evaluated on him; without an id where no requirement names one
        self.example = example
        self.agents: dict[str, AgentRecord] = {}
        #: the lanes that they may serve, the first tier to look at first
        self.rows: list[Row] = []
        #: whether the keys of the heads are all there is to compare
        self.is_plain = True
        #: by open kinds of work: reads the heads of the lanes of the first tier out of the list of
        #: heads, at C speed; None where their keys are not all there is to compare
        self.picks: dict[int, Pick | None] = {}
        self.groups: dict[Load, Group] = {}
        #: how many of them are in a group
        self.available = 0

    def serve(self, lane: Lane) -> None:
        """They satisfy the need of this lane, and the engine offers from it."""
        tier = lane.queue.tier_for(self.example)
        for row in self.rows:
            if row.tier == tier:
                break
        else:
            row = Row(tier)
            self.rows.append(row)
            self.rows.sort(key=attrgetter("tier"))
        row.lanes.setdefault(lane.bit, []).append(lane.index)
        self.picks.clear()
        if not lane.is_plain:
            self.is_plain = False

    def forget_lanes(self) -> None:
        """As if no lane had come into being yet."""
        self.rows.clear()
        self.picks.clear()
        self.is_plain = True

    def build(self, open_kinds: int) -> Pick | None:
        """Make the pick of these kinds of work."""
        pick = None
        if self.is_plain and self.rows:
            pick = picker(self.rows[0].indexes(open_kinds))
        if len(self.picks) >= _MOST_GROUPS:
            self.picks.clear()
        self.picks[open_kinds] = pick
        return pick

    def first(self, bit: int) -> int:
        """The longest idle of those in groups to whom a kind of work is open, or `NOBODY`."""
        first = NOBODY
        for group in self.groups.values():
            if group.first < first and group.load.open & bit:
                first = group.first
        return first

    def new_group(self, load: Load) -> Group:
        """The first of them who is available with this load; loads may come and go."""
        if len(self.groups) >= _MOST_GROUPS:
            self.groups = {load: group for load, group in self.groups.items() if group.members}
            self.picks.clear()
        group = self.groups[load] = Group(load)
        return group


class Group:
    """The available agents of one profile and one load; ``first`` is the longest idle."""

    __slots__ = ("_heap", "first", "load", "members")

    def __init__(self, load: Load) -> None:
        self.load = load
        #: by the idle number under which each is filed
        self.members: dict[int, AgentRecord] = {}
        self._heap: list[int] = []
        #: the smallest idle number of the members
        self.first = NOBODY

    def add(self, agent: AgentRecord, idle: int) -> None:
        """An agent of this profile and load became available."""
        members = self.members
        members[idle] = agent
        if idle < self.first:
            self.first = idle
        heappush(self._heap, idle)
        if len(self._heap) > 2 * len(members) + 16:
            self._heap = sorted(members)

    def first_but(self, others: Collection[AgentRecord | None]) -> AgentRecord | None:
        """The longest idle who is none of these; None: nobody."""
        left = [idle for idle, agent in self.members.items() if agent not in others]
        return self.members[min(left)] if left else None

    def remove(self, idle: int) -> None:
        """He is not available any more, or not with this load."""
        members, heap = self.members, self._heap
        del members[idle]
        if not members:
            heap.clear()
            self.first = NOBODY
        elif idle == self.first:
            while heap[0] not in members:
                heappop(heap)
            self.first = heap[0]
