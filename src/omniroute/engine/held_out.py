"""Interactions that somebody has an offer of and that more agents may be offered.

In a queue with several ``offers`` an interaction rings at some agents and stays open to others.
It stands behind everything that nobody has been offered, so it is looked at only when a tier has
nothing else: one by one, because each excludes other agents. There are never more of them than
offers that ring.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .strategies import OF_GROUP, Score

if TYPE_CHECKING:
    from .groups import Profile
    from .lanes import Lane
    from .records import AgentRecord, InteractionRecord

__all__ = ["HeldOut", "best_other"]


class HeldOut:
    """All of them, by ``seq``, which is their order."""

    __slots__ = ("records",)

    def __init__(self) -> None:
        #: by ``seq``
        self.records: dict[int, InteractionRecord] = {}

    def __bool__(self) -> bool:
        return bool(self.records)

    def __iter__(self) -> Iterator[InteractionRecord]:
        return iter(self.records.values())

    def put(self, record: InteractionRecord) -> None:
        """It is open to more offers."""
        self.records[record.seq] = record

    def take(self, record: InteractionRecord) -> None:
        """It is not any more."""
        del self.records[record.seq]

    def first(self, agent: AgentRecord, tier: int) -> InteractionRecord | None:
        """The first that this agent may be offered, of the queues in a tier of his. O(held out)."""
        index, example = agent.profile.index, agent.profile.example
        found: InteractionRecord | None = None
        for seq, record in self.records.items():
            lane = record.lane
            assert lane is not None
            if (
                (found is None or seq < found.seq)
                and index in lane.need.profiles
                and lane.bit & agent.load.open
                and lane.is_pushed
                and lane.queue.tier_for(example) == tier
                and all(offer.agent is not agent for offer in record.held_by)
            ):
                found = record
        return found


def best_other(
    holders: Collection[AgentRecord | None],
    lane: Lane,
    profiles: Iterable[Profile],
    score: Score,
) -> AgentRecord | None:
    """The agent whom the strategy prefers of those who are none of these; None: nobody."""
    candidates: list[AgentRecord] = []
    for profile in profiles:
        for group in profile.groups.values():
            if not group.load.open & lane.bit:
                continue
            if lane.queue.plan.strategy in OF_GROUP:
                found = group.first_but(holders)
                candidates += [] if found is None else [found]
            else:
                candidates += [agent for agent in group.members.values() if agent not in holders]

    def rank(agent: AgentRecord) -> tuple[Any, int]:
        return score(agent), agent.idle

    return min(candidates, key=rank, default=None)
