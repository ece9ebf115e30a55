"""What one agent may see: the waiting he may pick from, and what he set aside. On demand."""

from __future__ import annotations

from ..model import Interaction, InteractionState
from ..plan import Delivery
from .core import Engine
from .lifecycle import IN_LINE

__all__ = ["parked_by", "visible_to"]


def visible_to(engine: Engine, agent_id: str) -> list[Interaction]:
    """What a signed-in agent may pick, the first in order first; empty when he is not.

    In the order in which he would be offered it, shares aside: by his tier in the queue, then
    those that nobody has an offer of, then by place. His presence, his room and what he refused
    do not matter here. O(open interactions).
    """
    state = engine._state
    agent = state.agents.get(agent_id)
    if agent is None:
        return []
    now_ms = state.now_ms
    found = [
        (
            record.queue.tier_for(agent.agent),
            state.market.place(record, now_ms),
            record,
        )
        for record in state.interactions.values()
        if record.state in IN_LINE
        and record.queue.plan.delivery is not Delivery.PUSH
        and state.need(record).admits(agent)
    ]
    found.sort(key=lambda each: each[:2])
    return [state.picture(record) for *_, record in found]


def parked_by(engine: Engine, agent_id: str) -> list[Interaction]:
    """What an agent set aside, oldest first. O(open interactions)."""
    state = engine._state
    return [
        state.picture(record)
        for record in state.interactions.values()
        if record.state is InteractionState.PARKED and record.agent_id == agent_id
    ]
