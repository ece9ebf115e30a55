"""Why was this agent offered this interaction? Exact for the moment of the offer, by replay.

An offer is made when one of two becomes available, and the other side is compared: an agent who
gained room is offered the first in order of all he may take, an interaction is offered to the
agent whom the queue's strategy prefers. An event does not say which it was, and need not: the
state before it does. So the engine keeps nothing for explanations. Replay a journal up to the
event `Offered` and ask; every filter, score and tie-break is computed from the facts then.
"""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import msgspec

from ..events import Offered, OfferKind
from ..model import Presence
from ..plan import Strategy
from .strategies import score_of
from .verdicts import Verdict, judge

if TYPE_CHECKING:
    from .records import AgentRecord, InteractionRecord
    from .state import State

__all__ = ["OfferExplanation", "Rated", "Rival", "Rule", "explain_offer"]

#: So many other interactions are listed.
_MOST = 20


class Rule(enum.StrEnum):
    """Which comparison made the offer."""

    BEST_AGENT = "best_agent"  #: of the agents for the interaction, by the queue's strategy
    BEST_INTERACTION = "best_interaction"  #: of the interactions for the agent, by order
    BOTH = "both"  #: either comparison gives this pair
    PICKED = "picked"  #: the agent chose it
    ASSIGNED = "assigned"  #: somebody gave it to him
    OTHER = "other"  #: neither: it was decided under another plan


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as seen from the interaction, just before the offer.

    ``score`` is what the queue's strategy gave him, exact numbers as text, compared one after
    the other, smaller first (None: he was not eligible, or the plan lacks its scorer); ``idle``
    is the number of his last touch, which decides between equal scores: smaller is idle for
    longer. ``rank`` 1 is the strategy's best.
    """

    agent_id: str
    verdict: Verdict
    until_ms: int | None
    score: tuple[str, ...] | None
    idle: int
    rank: int | None


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """An interaction that the agent could have been offered, in the order of the comparison.

    First the ``tier``, then whether somebody else ``held_out`` has an offer of it, then
    ``share`` (offers taken / share of the queue, where one counts), then ``rank`` by its key.
    """

    interaction_id: str
    queue: str
    tier: int
    held_out: bool
    share: str | None
    priority: int
    waited_ms: int
    rank: int


class OfferExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Who could have had the interaction, what the agent could have had, and what decided.

    ``tied`` is how many eligible agents had the best score: above 1 the longest idle of
    them was first. ``candidates`` are all signed-in agents, the eligible first, by rank;
    ``rivals`` the first of the interactions he may take, of ``rivals_in_all``.
    """

    offer_id: int
    at_ms: int
    interaction_id: str
    queue: str
    agent_id: str
    how: OfferKind
    over_capacity: bool
    rule: Rule
    strategy: Strategy
    step: int
    requirement: str | None
    waited_ms: int
    tied: int
    candidates: tuple[Rated, ...]
    rivals: tuple[Rival, ...]
    rivals_in_all: int


def explain_offer(state: State, event: Offered) -> OfferExplanation:
    """Explain an offer from the state just before it. O(agents + waiting), on demand."""
    record, agent = state.interactions[event.interaction_id], state.agents[event.agent_id]
    candidates = _candidates(state, record)
    best = [each for each in candidates if each.rank is not None]
    rivals = _rivals(state, agent, event.at_ms)
    wanted = state.effective(record.queue, record.own_steps, record.step, record.requirement)
    return OfferExplanation(
        offer_id=event.offer_id,
        at_ms=event.at_ms,
        interaction_id=record.id,
        queue=record.queue.name,
        agent_id=agent.id,
        how=event.how,
        over_capacity=event.over_capacity,
        rule=_rule(event, best, rivals),
        strategy=record.queue.plan.strategy,
        step=record.step,
        requirement=None if wanted is None else str(wanted),
        waited_ms=event.at_ms - record.arrived_at_ms,
        tied=sum(each.score == best[0].score for each in best) if best else 0,
        candidates=tuple(candidates),
        rivals=tuple(rivals[:_MOST]),
        rivals_in_all=len(rivals),
    )


def _rule(event: Offered, best: list[Rated], rivals: list[Rival]) -> Rule:
    if event.how is not OfferKind.MATCHED:
        return Rule(event.how.value)
    is_best = bool(best) and best[0].agent_id == event.agent_id
    is_first = bool(rivals) and rivals[0].interaction_id == event.interaction_id
    if is_best and is_first:
        return Rule.BOTH
    if is_best:
        return Rule.BEST_AGENT
    return Rule.BEST_INTERACTION if is_first else Rule.OTHER


def _candidates(state: State, record: InteractionRecord) -> list[Rated]:
    """All agents: the eligible by (score, longest idle), then the others by idle time."""
    scorers = state.plan.scorers
    knows = record.queue.plan.strategy is not Strategy.SCORED or record.queue.plan.scorer in scorers
    score = score_of(record, scorers, state.picture, state.required_skills) if knows else None
    rated: list[tuple[Any, Rated]] = []
    for agent in state.agents.values():
        found = judge(state, record, agent)
        is_eligible = found.verdict is Verdict.ELIGIBLE
        his = score(agent) if score is not None and is_eligible else None
        rated.append(
            (
                (not is_eligible, () if his is None else _parts(his), agent.idle),
                Rated(
                    agent_id=agent.id,
                    verdict=found.verdict,
                    until_ms=found.until_ms,
                    score=None if his is None else tuple(str(part) for part in _parts(his)),
                    idle=agent.idle,
                    rank=None,
                ),
            )
        )
    rated.sort(key=lambda each: each[0])
    return [
        each if key[0] or score is None else msgspec.structs.replace(each, rank=rank)
        for rank, (key, each) in enumerate(rated, 1)
    ]


def _parts(score: Any) -> tuple[int | Fraction, ...]:
    return score if isinstance(score, tuple) else (score,)


def _rivals(state: State, agent: AgentRecord, now_ms: int) -> list[Rival]:
    """What the agent could be offered now, in order."""
    if agent.presence is not Presence.READY:
        return []
    found = [
        (record, record.queue.tier_for(agent.agent))
        for record in state.market.open_to_offers()
        if _may_be_offered(record, agent)
    ]
    shared = {
        tier for record, tier in found if record.queue.plan.share is not None and not record.held_by
    }

    def key(each: tuple[InteractionRecord, int]) -> tuple[int, bool, Fraction, int]:
        record, tier = each
        held_out = bool(record.held_by)
        share = _share(agent, record) if tier in shared and not held_out else Fraction(0)
        return tier, held_out, share, state.market.place(record, now_ms)

    return [
        Rival(
            interaction_id=record.id,
            queue=record.queue.name,
            tier=tier,
            held_out=bool(record.held_by),
            share=str(_share(agent, record)) if tier in shared else None,
            priority=record.priority,
            waited_ms=now_ms - record.arrived_at_ms,
            rank=rank,
        )
        for rank, (record, tier) in enumerate(sorted(found, key=key), 1)
    ]


def _may_be_offered(record: InteractionRecord, agent: AgentRecord) -> bool:
    lane = record.lane
    return (
        lane is not None
        and lane.is_pushed
        and bool(lane.bit & agent.load.open)
        and lane.need.admits(agent)
        and all(offer.agent is not agent for offer in record.held_by)
    )


def _share(agent: AgentRecord, record: InteractionRecord) -> Fraction:
    queue = record.queue
    return Fraction(agent.taken.get(queue.name, 0), queue.plan.share or 1)
