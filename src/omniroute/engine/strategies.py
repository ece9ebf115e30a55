"""How one agent is chosen among the eligible: a score for each strategy, smaller first.

The definitions are in docs/explanation/semantics.md, "Order". Ties go to the longest idle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..model import Interaction
from ..plan import Scorer, Strategy

if TYPE_CHECKING:
    from .records import AgentRecord, InteractionRecord

__all__ = ["OF_GROUP", "Picture", "Required", "Score", "score_of"]

#: What the members of a group share, so that only its longest idle is asked.
OF_GROUP = frozenset(
    {
        Strategy.LONGEST_IDLE,
        Strategy.LEAST_OCCUPIED,
        Strategy.MOST_SKILLED,
        Strategy.LEAST_SKILLED,
        Strategy.FEWEST_SKILLS,
    }
)

#: How a record is shown to a scorer.
Picture = Callable[["InteractionRecord"], Interaction]

#: The skills that its members, step and own requirement require.
Required = Callable[["InteractionRecord"], tuple[str, ...]]

#: A score; those of one strategy can be compared.
Score = Callable[["AgentRecord"], Any]


def score_of(
    record: InteractionRecord,
    scorers: Mapping[str, Scorer],
    picture: Picture,
    required: Required,
) -> Score:
    """What the queue's strategy gives each agent for this interaction."""
    queue = record.queue
    strategy = queue.plan.strategy
    if strategy is Strategy.WEIGHTED:
        return lambda agent: _weighted(agent, queue.name)
    if strategy is Strategy.SCORED:
        scorer = scorers[queue.plan.scorer or ""]
        interaction = picture(record)
        return lambda agent: -scorer(agent.agent, interaction, agent.load.occupancy)
    if strategy is Strategy.MOST_SKILLED:
        skills = required(record)
        return lambda agent: _skilled(skills, agent, -1)
    if strategy is Strategy.LEAST_SKILLED:
        skills = required(record)
        return lambda agent: _skilled(skills, agent, 1)
    return _PLAIN[strategy]


def _skilled(skills: tuple[str, ...], agent: AgentRecord, sign: int) -> tuple[int, int]:
    """How many of the skills he has not at all, and the sum of his levels."""
    levels = [agent.agent.skills.get(skill, 0) for skill in skills]
    return levels.count(0), sign * sum(levels)


def _weighted(agent: AgentRecord, queue: str) -> tuple[int, Fraction]:
    weight = agent.agent.attributes.get("weight")
    if type(weight) is not int or weight < 1:
        return 1, Fraction(0)
    return 0, Fraction(agent.taken.get(queue, 0), weight)


_PLAIN: Mapping[Strategy, Score] = {
    Strategy.LONGEST_IDLE: lambda _: 0,
    Strategy.LEAST_OCCUPIED: lambda agent: agent.load.occupancy,
    Strategy.ROUND_ROBIN: lambda agent: agent.last_offer,
    Strategy.FEWEST_SKILLS: lambda agent: sum(level > 0 for level in agent.agent.skills.values()),
}
