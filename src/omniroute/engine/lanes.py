"""The interactions' side of the market: needs and lanes.

A *need* is one effective requirement (members, step, own) with the set of profiles that
satisfy it, worked out once. A *lane* is the waiting interactions that differ in nothing
the matcher looks at: same queue, need and channel. Inside a lane the order is a fixed
integer key, so a heap of integers holds it, and the head is all that anybody compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from ..model import Channel
from ..plan import Expression
from .capacity import CHANNEL_BIT

if TYPE_CHECKING:
    from .groups import Profile
    from .records import AgentRecord, QueueRecord

__all__ = ["EMPTY", "Lane", "LaneKey", "Need", "Pick", "picker"]

#: What makes a lane: queue, effective requirement, channel.
LaneKey = tuple[str, Expression | None, Channel]

#: Reads many places of a list at once, at C speed (about 16 ns each).
Pick = Callable[[list[int]], tuple[int, ...]]

#: The head of an empty lane: larger than any key.
EMPTY = 1 << 320


def picker(indexes: Iterable[int]) -> Pick:
    """A `Pick` of these places. Place 0 is empty in every such list; it pads to a tuple."""
    return itemgetter(0, 0, *indexes)


class Need:
    """One effective requirement and who satisfies it, as indexes and as one bit mask."""

    __slots__ = ("expression", "lanes", "mask", "pick", "profiles", "required_skills")

    def __init__(self, expression: Expression | None) -> None:
        self.expression = expression
        self.required_skills = expression.required_skills if expression is not None else ()
        self.profiles: dict[int, Profile] = {}
        self.mask = 0
        #: reads the firsts of all these profiles off a board, at C speed
        self.pick: Pick | None = None
        self.lanes: list[Lane] = []

    def consider(self, profile: Profile) -> None:
        """Take the profile in if it satisfies the requirement: the one place that asks."""
        if self.expression is None or self.expression.matches(profile.example):
            self.profiles[profile.index] = profile
            self.mask |= profile.bit
            self.pick = None

    def forget(self, profile: Profile) -> None:
        """The profile has no agents any more."""
        if self.profiles.pop(profile.index, None) is not None:
            self.mask ^= profile.bit
            self.pick = None

    def build(self) -> Pick:
        """Make ``pick``."""
        self.pick = picker(self.profiles)
        return self.pick

    def admits(self, agent: AgentRecord) -> bool:
        """Whether this signed-in agent satisfies the requirement; presence and room aside."""
        return agent.profile.index in self.profiles

    def skill_score(self, profile: Profile) -> int:
        """The sum of levels over the required skills, for the strategy most skilled."""
        levels = profile.example.skills
        return sum(levels.get(skill, 0) for skill in self.required_skills)


class Lane:
    """Waiting interactions of one queue, need and channel, in key order.

    Removal from the middle is lazy: the key is noted in ``gone`` and skipped when it
    reaches the top, so the top of the heap always waits.
    """

    __slots__ = ("base", "bit", "channel", "gone", "heap", "index", "need", "queue")

    def __init__(
        self, index: int, queue: QueueRecord, need: Need, channel: Channel, base: LaneKey
    ) -> None:
        self.index = index
        #: the lane that it would be, had nobody declined
        self.base = base
        self.queue = queue
        self.need = need
        self.channel = channel
        self.bit = CHANNEL_BIT[channel]
        self.heap: list[int] = []
        self.gone: set[int] = set()

    def __len__(self) -> int:
        return len(self.heap) - len(self.gone)

    def put(self, key: int) -> None:
        """Add a key. O(log n)."""
        if self.gone and key in self.gone:
            self.gone.remove(key)
        else:
            heappush(self.heap, key)

    def take(self, key: int) -> None:
        """Remove a key. O(log n), amortised for one from the middle."""
        heap, gone = self.heap, self.gone
        if heap[0] == key:
            heappop(heap)
            while gone and heap and heap[0] in gone:
                gone.remove(heappop(heap))
            return
        gone.add(key)
        if len(gone) > 32 and 2 * len(gone) > len(heap):
            self.heap = sorted(set(heap) - gone)
            gone.clear()
