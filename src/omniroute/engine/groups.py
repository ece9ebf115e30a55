"""The agents' side of the market: profiles, rows, groups, pools.

A *profile* is the set of agents who differ in nothing that a requirement can see. A *group* is
the available agents of one profile with one load; inside it they differ only in idle time.
A *pool* is all groups that are open for the same channels: one bit per profile says where
somebody is available, so that an arrival that nobody can take costs one `&`. A *row* is
the mirror image of a pool: the lanes that a profile with these open channels may serve.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from ..model import Agent

if TYPE_CHECKING:
    from .capacity import Load
    from .lanes import Lane
    from .records import AgentRecord

__all__ = ["NOBODY", "Group", "Pool", "Profile", "ProfileKey", "Row", "profile_key"]

#: Idles longer than nobody: larger than any idle number.
NOBODY = 1 << 62

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
    """The lanes that a profile may serve while certain channels are open to it."""

    __slots__ = ("lanes", "open", "pick")

    def __init__(self, open_channels: int, lanes: list[Lane]) -> None:
        self.open = open_channels
        self.lanes = lanes
        #: reads the heads of all these lanes out of the list of heads, at C speed
        self.pick: Callable[[list[int]], tuple[int, ...]] | None = None

    def add(self, lane: Lane) -> None:
        """A lane that this row may serve came into being."""
        self.lanes.append(lane)
        self.pick = None

    def build(self) -> Callable[[list[int]], tuple[int, ...]]:
        """Make ``pick``. Slot 0 of the heads is always empty; it pads to a tuple."""
        self.pick = itemgetter(0, 0, *(lane.index for lane in self.lanes))
        return self.pick


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


class Group:
    """The available agents of one profile and one load; ``first`` is the longest idle."""

    __slots__ = ("_heap", "first", "load", "members", "pool", "profile")

    def __init__(self, profile: Profile, load: Load, pool: Pool) -> None:
        self.profile = profile
        self.load = load
        self.pool = pool
        #: by the idle number under which each is filed
        self.members: dict[int, AgentRecord] = {}
        self._heap: list[int] = []
        #: the smallest idle number of the members
        self.first = NOBODY

    def add(self, agent: AgentRecord) -> None:
        """An agent of this profile and load became available."""
        members = self.members
        agent.filed = idle = agent.idle
        if not members:
            self.pool.open_group(self)
        members[idle] = agent
        if idle < self.first:
            self.first = idle
        heappush(self._heap, idle)
        if len(self._heap) > 2 * len(members) + 16:
            self._heap = sorted(members)

    def remove(self, agent: AgentRecord) -> None:
        """He is not available any more, or not with this load."""
        members, heap = self.members, self._heap
        del members[agent.filed]
        if not members:
            heap.clear()
            self.first = NOBODY
            self.pool.close_group(self)
        elif agent.filed == self.first:
            while heap[0] not in members:
                heappop(heap)
            self.first = heap[0]


class Pool:
    """All non-empty groups whose loads are open for the same channels."""

    __slots__ = ("groups", "open", "profiles")

    def __init__(self, open_channels: int) -> None:
        self.open = open_channels
        #: one bit per profile that has an available agent in here
        self.profiles = 0
        self.groups: dict[int, list[Group]] = {}

    def open_group(self, group: Group) -> None:
        """A group got its first member."""
        self.profiles |= group.profile.bit
        self.groups.setdefault(group.profile.index, []).append(group)

    def close_group(self, group: Group) -> None:
        """A group lost its last member."""
        index = group.profile.index
        groups = self.groups[index]
        groups.remove(group)
        if not groups:
            del self.groups[index]
            self.profiles ^= group.profile.bit
