"""Why is it still waiting, and why this agent? Answers from a closed list of reasons.

Worked out on demand from the state, by looking at every signed-in agent in turn: it costs
nothing while nobody asks.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..model import InteractionState, Presence
from ..plan import Delivery
from .capacity import CHANNEL_BIT

if TYPE_CHECKING:
    from .capacity import Load
    from .lanes import Need
    from .records import AgentRecord, InteractionRecord
    from .state import State

__all__ = ["Candidate", "Explanation", "Reason", "Verdict", "explain"]


class Verdict(enum.StrEnum):
    """What stands between one agent and the interaction: the first filter that removes him."""

    NOT_QUALIFIED = "not_qualified"  #: members, step or own requirement not satisfied
    OTHER_CHANNELS = "other_channels"  #: his capacity never admits this channel
    NOT_READY = "not_ready"
    DECLINED = "declined"  #: barred by a refusal
    NO_ROOM = "no_room"  #: his capacity is taken
    ELIGIBLE = "eligible"
    CHOSEN = "chosen"  #: he has the offer or the assignment


class Reason(enum.StrEnum):
    """Why an interaction is where it is."""

    NO_AGENT_SIGNED_IN = "no_agent_signed_in"
    NO_AGENT_QUALIFIED = "no_agent_qualified"
    NO_AGENT_FOR_CHANNEL = "no_agent_for_channel"
    NO_AGENT_READY = "no_agent_ready"
    ALL_DECLINED = "all_declined"
    ALL_BUSY = "all_busy"
    AGENTS_PICK = "agents_pick"
    OFFERED = "offered"
    ENGAGED = "engaged"
    HELD = "held"
    WRAP_UP = "wrap_up"


_CHANGE: dict[Reason, str] = {
    Reason.NO_AGENT_SIGNED_IN: "an agent signs in",
    Reason.NO_AGENT_QUALIFIED: "an agent who satisfies the requirement signs in, or the ladder "
    "reaches a step that somebody satisfies",
    Reason.NO_AGENT_FOR_CHANNEL: "a qualified agent whose capacity admits the channel signs in",
    Reason.NO_AGENT_READY: "a qualified agent becomes ready",
    Reason.ALL_DECLINED: "a refusal is lifted, or a qualified agent who has not declined has room",
    Reason.ALL_BUSY: "a qualified agent finishes something that holds his capacity",
    Reason.AGENTS_PICK: "an agent who may see it picks it",
    Reason.OFFERED: "the agent answers or the offer expires",
    Reason.ENGAGED: "the agent completes or requeues it",
    Reason.HELD: "the agent takes it up again",
    Reason.WRAP_UP: "the wrap-up ends",
}


class Candidate(msgspec.Struct, frozen=True):
    """One signed-in agent as seen from the interaction."""

    agent_id: str
    verdict: Verdict


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the reason, what would have to change, and every agent's verdict.

    ``position`` is the 1-based place in its queue's order (None when it does not wait);
    ``requirement`` the effective requirement of its step, None when there is none;
    ``next_step_at_ms`` when the ladder moves on by itself.
    """

    interaction_id: str
    state: InteractionState
    queue: str
    step: int
    requirement: str | None
    reason: Reason
    change: str
    position: int | None
    waited_ms: int
    next_step_at_ms: int | None
    candidates: tuple[Candidate, ...]


_BY_STATE = {
    InteractionState.OFFERED: Reason.OFFERED,
    InteractionState.ENGAGED: Reason.ENGAGED,
    InteractionState.HELD: Reason.HELD,
    InteractionState.WRAP_UP: Reason.WRAP_UP,
}


def explain(state: State, record: InteractionRecord) -> Explanation:
    """Explain one open interaction."""
    need = state.need(record)

    def nothing_yet(agent: AgentRecord) -> Load:
        return state.loads.get(agent.load.capacity, {})

    candidates = tuple(
        Candidate(agent.id, _verdict(agent, record, need, nothing_yet))
        for agent in sorted(state.agents.values(), key=lambda agent: agent.idle)
    )
    picked = record.queue.plan.delivery is Delivery.PULL
    reason = _BY_STATE.get(record.state) or (
        Reason.AGENTS_PICK if picked else _why_waiting(candidates)
    )
    waits = record.state is InteractionState.WAITING
    expression = need.expression
    return Explanation(
        interaction_id=record.id,
        state=record.state,
        queue=record.queue.plan.name,
        step=record.step,
        requirement=None if expression is None else str(expression),
        reason=reason,
        change=_CHANGE[reason],
        position=state.market.position(record, state.now_ms) if waits else None,
        waited_ms=state.now_ms - record.arrived_at_ms,
        next_step_at_ms=record.step_ends_at_ms if record.step_timer else None,
        candidates=candidates,
    )


def _verdict(
    agent: AgentRecord,
    record: InteractionRecord,
    need: Need,
    nothing_yet: Callable[[AgentRecord], Load],
) -> Verdict:
    bit = CHANNEL_BIT[record.channel]
    if any(offer.agent is agent for offer in record.held_by):
        return Verdict.CHOSEN
    if not need.admits(agent):
        return Verdict.NOT_QUALIFIED
    if not nothing_yet(agent).open & bit:
        return Verdict.OTHER_CHANNELS
    if agent.presence is not Presence.READY:
        return Verdict.NOT_READY
    if record.barred is not None and agent.id in record.barred:
        return Verdict.DECLINED
    if not agent.load.open & bit:
        return Verdict.NO_ROOM
    return Verdict.ELIGIBLE


def _why_waiting(candidates: tuple[Candidate, ...]) -> Reason:
    found = Counter(candidate.verdict for candidate in candidates)
    assert not found[Verdict.ELIGIBLE], "an eligible agent has room while it waits"
    if not candidates:
        return Reason.NO_AGENT_SIGNED_IN
    if found[Verdict.NO_ROOM]:
        return Reason.ALL_BUSY
    if found[Verdict.DECLINED]:
        return Reason.ALL_DECLINED
    if found[Verdict.NOT_READY]:
        return Reason.NO_AGENT_READY
    if found[Verdict.OTHER_CHANNELS]:
        return Reason.NO_AGENT_FOR_CHANNEL
    return Reason.NO_AGENT_QUALIFIED
