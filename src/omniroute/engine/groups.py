"""The agents' side of the market: profiles, rows, groups, boards.

A *profile* is the set of agents who differ in nothing that a requirement can see. A *group* is
the available agents of one profile with one load; inside it they differ only in idle time.
A *board* says for one channel which profiles have somebody available and who of them is longest
idle: an arrival that nobody can take costs one `&`. A *row* is the mirror image:
the lanes that a profile with these open channels may serve.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from ..model import Agent
from .lanes import Pick, picker

if TYPE_CHECKING:
    from .capacity import Load
    from .lanes import Lane
    from .records import AgentRecord

__all__ = ["NOBODY", "Board", "Group", "Profile", "ProfileKey", "Row", "Tier", "profile_key"]

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


class Tier:
    """The lanes of one tier in a row."""

    __slots__ = ("lanes", "number", "pick")

    def __init__(self, number: int, lanes: list[Lane]) -> None:
        self.number = number
        #: reads the heads of all these lanes out of the list of heads, at C speed; None where
        #: there is more to compare than fixed keys
        self.pick: Pick | None = None
        self.lanes = lanes
        if all(lane.is_fixed and lane.queue.plan.share is None for lane in lanes):
            self.pick = picker(lane.index for lane in lanes)


class Row:
    """The lanes that a profile may serve while certain channels are open to it, by tier."""

    __slots__ = ("example", "lanes", "open", "tiers")

    def __init__(self, example: Agent, open_channels: int, lanes: list[Lane]) -> None:
        self.example = example
        self.open = open_channels
        self.lanes = lanes
        #: made when first looked at; a row without lanes has none
        self.tiers: list[Tier] | None = None

    def add(self, lane: Lane) -> None:
        """A lane that this row may serve came into being."""
        self.lanes.append(lane)
        self.tiers = None

    def build(self) -> list[Tier]:
        """Make ``tiers``, the first to look at first."""
        tiers: dict[int, list[Lane]] = {}
        for lane in self.lanes:
            tiers.setdefault(lane.queue.tier_for(self.example), []).append(lane)
        self.tiers = [Tier(tier, tiers[tier]) for tier in sorted(tiers)]
        return self.tiers


class Profile:
    """Agents who differ in nothing that a requirement can see."""

    __slots__ = ("agents", "bit", "example", "groups", "index", "key", "rows")

    def __init__(self, index: int, key: ProfileKey, example: Agent) -> None:
        self.index = index
        self.bit = 1 << index
        self.key = key
        #: requirements are evaluated on him; without an id where no requirement names one
        self.example = example
        self.agents: dict[str, AgentRecord] = {}
        self.rows: dict[int, Row] = {}
        self.groups: dict[Load, Group] = {}

    def new_group(self, load: Load) -> Group:
        """The first of them who is available with this load; loads may come and go."""
        if len(self.groups) >= _MOST_GROUPS:
            self.groups = {load: group for load, group in self.groups.items() if group.members}
            self.rows.clear()
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

    def first_but(self, others: Collection[AgentRecord]) -> AgentRecord | None:
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


class Board:
    """Who is available for one channel: per profile the longest idle, and one bit.

    The mirror image of the heads of lanes: a need reads the firsts of the profiles that satisfy it
    as a row reads the heads of its lanes.
    """

    __slots__ = ("bit", "firsts", "profiles")

    def __init__(self, bit: int, slots: int) -> None:
        self.bit = bit
        #: by profile index the smallest idle number, or `NOBODY`
        self.firsts = [NOBODY] * slots
        #: one bit per profile that has somebody available
        self.profiles = 0

    def add(self, profile: Profile, idle: int) -> None:
        """Somebody of this profile became available."""
        if idle < self.firsts[profile.index]:
            self.firsts[profile.index] = idle
            self.profiles |= profile.bit

    def remove(self, profile: Profile, idle: int) -> None:
        """He is not available any more; the groups of the profile say who is next."""
        if self.firsts[profile.index] == idle:
            first = NOBODY
            for group in profile.groups.values():
                if group.first < first and group.load.open & self.bit:
                    first = group.first
            self.firsts[profile.index] = first
            if first == NOBODY:
                self.profiles ^= profile.bit
