"""The interactions' side of the market: needs and lanes.

A *need* is one effective requirement (members, step, own) with the set of profiles that
satisfy it, worked out once. A *lane* is the waiting interactions that differ in nothing
the matcher looks at: same queue, need and channel. Inside a lane the order is a fixed
integer key, so a heap of integers holds it, and the head is all that anybody compares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from ..events import OwnStep
from ..model import Channel
from ..plan import Accelerating, Delivery, Expression
from .order import Aging

if TYPE_CHECKING:
    from .groups import Profile
    from .queue_record import QueueRecord
    from .records import AgentRecord

__all__ = [
    "EMPTY",
    "AgingLane",
    "Lane",
    "LaneAsk",
    "LaneKey",
    "Need",
    "Pick",
    "first_of",
    "new_lane",
    "picker",
]

#: What makes a lane: queue, effective requirement, channel.
LaneKey = tuple[str, Expression | None, Channel]

#: What a queue is asked for a lane with: own steps, step, opening, own requirement, channel.
LaneAsk = tuple[tuple[OwnStep, ...], int, int, str | None, Channel]

#: Reads many places of a list at once, at C speed (about 16 ns each).
Pick = Callable[[list[int]], tuple[int, ...]]

#: The head of an empty lane: larger than any key.
EMPTY = 1 << 320


def picker(indexes: Iterable[int]) -> Pick:
    """A `Pick` of these places. Place 0 is empty in every such list; it pads to a tuple."""
    return itemgetter(0, 0, *indexes)


class Need:
    """One effective requirement and who satisfies it, as indexes and as one bit mask."""

    __slots__ = ("_only", "expression", "lanes", "mask", "pick", "profiles")

    def __init__(self, expression: Expression | None) -> None:
        self.expression = expression
        #: who can satisfy it at all, by id; None: anybody
        self._only = None if expression is None else expression.only_agents
        self.profiles: dict[int, Profile] = {}
        self.mask = 0
        #: reads the firsts of all these profiles off a board, at C speed
        self.pick: Pick | None = None
        self.lanes: list[Lane] = []

    def consider(self, profile: Profile) -> None:
        """Take the profile in if it satisfies the requirement: the one place that asks."""
        if self._only is not None and profile.example.id not in self._only:
            return
        if self.expression is None or self.expression.matches(profile.example):
            self.profiles[profile.index] = profile
            self.mask |= profile.bit
            self.pick = None
            for lane in self.lanes:
                if lane.is_pushed:
                    profile.serve(lane)

    def take_over(self, base: Need, without: Collection[str]) -> None:
        """Take in who satisfies ``base``, but for these agents, of whom each is a profile."""
        self.profiles = dict(base.profiles)
        self.mask = base.mask
        for index, profile in base.profiles.items():
            if profile.example.id in without:
                del self.profiles[index]
                self.mask ^= profile.bit

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


class Lane:
    """Waiting interactions of one queue, need and channel, in key order.

    Removal from the middle is lazy: the key is noted in ``gone`` and skipped when it
    reaches the top, so the top of the heap always waits.
    """

    __slots__ = (
        "bit",
        "channel",
        "gone",
        "heap",
        "index",
        "is_plain",
        "is_pushed",
        "need",
        "queue",
        "strategy",
    )

    #: whether the key of the head is a fixed one, good for any moment
    is_fixed = True

    def __init__(self, index: int, queue: QueueRecord, need: Need, channel: Channel) -> None:
        self.index = index
        self.queue = queue
        self.need = need
        self.channel = channel
        self.bit = queue.kinds[channel].bit
        #: whether the engine offers from it; else agents pick
        self.is_pushed = queue.plan.delivery is not Delivery.PULL
        self.strategy = queue.plan.strategy
        #: whether its head is compared with others by its key alone
        self.is_plain = self.is_fixed and queue.plan.share is None
        self.heap: list[int] = []
        self.gone: set[int] = set()

    def __len__(self) -> int:
        return len(self.heap) - len(self.gone)

    @property
    def key(self) -> LaneKey:
        """What makes it this lane and no other."""
        return self.queue.name, self.need.expression, self.channel

    def head(self, now_ms: int) -> tuple[int, int]:
        """The first, as (its place among the lanes now, its key). The lane is not empty."""
        key = self.heap[0]
        return key, key

    def place(self, key: int, now_ms: int) -> int:
        """The place of one of its keys among all lanes now."""
        return key

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


class AgingLane(Lane):
    """A lane of an accelerating queue: heads are compared as of now, and may have reached the cap.

    ``heap`` has the keys ``r`` of `order.Aging`. Keys that have reached the cap move to ``capped``,
    where the ``seq`` orders them, when somebody looks; they do so in the order of the heap.
    """

    __slots__ = ("aging", "capped")

    is_fixed = False

    def __init__(self, index: int, queue: QueueRecord, need: Need, channel: Channel) -> None:
        super().__init__(index, queue, need, channel)
        order = queue.plan.order
        assert isinstance(order, Accelerating)
        self.aging = Aging(order)
        self.capped: dict[int, int] = {}

    def __len__(self) -> int:
        return super().__len__() + len(self.capped)

    def head(self, now_ms: int) -> tuple[int, int]:
        """As `Lane.head`; the capped ones go before the others."""
        heap, capped, aging = self.heap, self.capped, self.aging
        while heap and aging.is_capped(heap[0], now_ms):
            key = heap[0]
            self.take(key)
            capped[aging.rank(key)] = key
        key = capped[min(capped)] if capped else heap[0]
        return self.place(key, now_ms), key

    def place(self, key: int, now_ms: int) -> int:
        """As `Lane.place`."""
        return self.aging.at(key, now_ms)

    def take(self, key: int) -> None:
        """As `Lane.take`."""
        if self.capped.pop(self.aging.rank(key), None) is None:
            super().take(key)


def new_lane(index: int, queue: QueueRecord, need: Need, channel: Channel) -> Lane:
    """The lane that fits the order of the queue."""
    kind = AgingLane if isinstance(queue.plan.order, Accelerating) else Lane
    return kind(index, queue, need, channel)


def first_of(lanes: Iterable[Lane | None], agent: AgentRecord, now_ms: int) -> int:
    """The place of the first in lanes that may age or share; `EMPTY`: nothing waits in them."""
    heads = [(lane, *lane.head(now_ms)) for lane in lanes if lane is not None and len(lane)]
    if not heads:
        return EMPTY
    shares = any(lane.queue.plan.share is not None for lane, _, _ in heads)

    def rank(head: tuple[Lane, int, int]) -> tuple[Fraction | int, int]:
        lane, place, _ = head
        queue = lane.queue
        if not shares:
            return 0, place
        return Fraction(agent.taken.get(queue.name, 0), queue.plan.share or 1), place

    return min(heads, key=rank)[2]
