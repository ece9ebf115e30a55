"""Why is an interaction where it is, and what would have to change? From closed lists.

Worked out on demand from the state, by looking at every signed-in agent in turn: it costs
nothing while nobody asks. The text of messages is never part of an answer.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import msgspec

from ..model import InteractionState
from ..plan import Delivery
from .estimates import ExpectedWait, expected_wait
from .verdicts import Candidate, Verdict, judge

if TYPE_CHECKING:
    from .records import InteractionRecord
    from .state import State

__all__ = ["Candidate", "Explanation", "OpenOffer", "Reason", "Verdict", "explain"]


class Reason(enum.StrEnum):
    """Why an interaction is where it is."""

    NO_AGENT_SIGNED_IN = "no_agent_signed_in"
    NO_AGENT_QUALIFIED = "no_agent_qualified"
    ACCESS_NOT_OPEN = "access_not_open"
    NO_AGENT_FOR_CHANNEL = "no_agent_for_channel"
    NO_AGENT_READY = "no_agent_ready"
    ALL_DECLINED = "all_declined"
    ALL_BUSY = "all_busy"
    AGENTS_PICK = "agents_pick"
    NOT_OFFERED = "not_offered"
    SCHEDULED = "scheduled"
    PARKED = "parked"
    OFFERED = "offered"
    ENGAGED = "engaged"
    HELD = "held"
    WRAP_UP = "wrap_up"


_CHANGE: dict[Reason, str] = {
    Reason.NO_AGENT_SIGNED_IN: "an agent signs in",
    Reason.NO_AGENT_QUALIFIED: "an agent who satisfies the requirement signs in, or the ladder "
    "reaches a step that somebody satisfies",
    Reason.ACCESS_NOT_OPEN: "the queue opens to more agents, or one who has access signs in",
    Reason.NO_AGENT_FOR_CHANNEL: "a qualified agent whose capacity admits the channel signs in",
    Reason.NO_AGENT_READY: "a qualified agent becomes ready",
    Reason.ALL_DECLINED: "a refusal is lifted, or a qualified agent who has not declined has room",
    Reason.ALL_BUSY: "a qualified agent finishes something that holds his capacity",
    Reason.AGENTS_PICK: "an agent who may see it picks it",
    Reason.NOT_OFFERED: "the journal goes on: it was decided under another plan",
    Reason.SCHEDULED: "its moment comes",
    Reason.PARKED: "its agent takes it up again, its moment comes, or the customer writes",
    Reason.OFFERED: "the agent answers or the offer expires",
    Reason.ENGAGED: "the agent completes or requeues it",
    Reason.HELD: "the agent takes it up again",
    Reason.WRAP_UP: "the wrap-up ends",
}

#: Who is nearest to taking it says why it waits.
_NEAREST: tuple[tuple[Verdict, Reason], ...] = (
    (Verdict.ELIGIBLE, Reason.NOT_OFFERED),
    (Verdict.NO_ROOM, Reason.ALL_BUSY),
    (Verdict.DECLINED, Reason.ALL_DECLINED),
    (Verdict.NOT_READY, Reason.NO_AGENT_READY),
    (Verdict.OTHER_CHANNELS, Reason.NO_AGENT_FOR_CHANNEL),
    (Verdict.NO_ACCESS_YET, Reason.ACCESS_NOT_OPEN),
)


class OpenOffer(msgspec.Struct, frozen=True):
    """An open offer of it, and when it expires."""

    offer_id: int
    agent_id: str
    until_ms: int | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the reason, what would have to change, and every agent's verdict.

    ``position`` is the 1-based place in its queue's order (None when it does not wait) and
    ``expected_wait`` the estimate for it; ``requirement`` is the effective requirement of its
    step, None when there is none, and ``own_step`` says that the step is the interaction's own,
    not the queue's. What happens by itself, None where nothing does: ``next_step_at_ms`` the
    ladder moves on, ``opens_at_ms`` the queue opens to more agents, ``gives_up_at_ms`` it has
    waited too long, ``resumes_at_ms`` what is scheduled or parked waits again. ``agent_id`` has
    or parked it; ``offers`` are open.
    """

    interaction_id: str
    state: InteractionState
    queue: str
    step: int
    own_step: bool
    requirement: str | None
    reason: Reason
    change: str
    position: int | None
    expected_wait: ExpectedWait | None
    waited_ms: int
    next_step_at_ms: int | None
    opens_at_ms: int | None
    gives_up_at_ms: int | None
    resumes_at_ms: int | None
    agent_id: str | None
    offers: tuple[OpenOffer, ...]
    candidates: tuple[Candidate, ...]


def explain(state: State, record: InteractionRecord, now_ms: int) -> Explanation:
    """Explain one open interaction. O(agents + waiting + timers), on demand."""
    candidates = tuple(
        judge(state, record, agent)
        for agent in sorted(state.agents.values(), key=lambda agent: agent.idle)
    )
    reason = _why(record, candidates)
    waits = record.state is InteractionState.WAITING
    position = state.market.position(record, now_ms) if waits else None
    wanted = state.effective(record.queue, record.own_steps, record.step, record.requirement)
    is_offered = record.state is InteractionState.OFFERED
    return Explanation(
        interaction_id=record.id,
        state=record.state,
        queue=record.queue.name,
        step=record.step,
        own_step=record.step < len(record.own_steps),
        requirement=None if wanted is None else str(wanted),
        reason=reason,
        change=_CHANGE[reason],
        position=position,
        expected_wait=expected_wait(record.queue, now_ms, position) if position else None,
        waited_ms=now_ms - record.arrived_at_ms,
        agent_id=record.agent_id,
        offers=tuple(
            OpenOffer(offer.id, offer.agent.id, state.timers.deadline_of(offer.timer))
            for offer in (record.held_by if is_offered else ())
        ),
        candidates=candidates,
        **_moments(state, record),
    )


def _moments(state: State, record: InteractionRecord) -> dict[str, int | None]:
    """What happens to it by itself, and when."""
    rings_at_ms = state.timers.deadline_of(record.climb.clock_timer)
    aside = record.state in (InteractionState.SCHEDULED, InteractionState.PARKED)
    return {
        "next_step_at_ms": state.timers.deadline_of(record.climb.step_timer),
        "opens_at_ms": state.timers.deadline_of(record.climb.opening_timer),
        "gives_up_at_ms": None if aside else rings_at_ms,
        "resumes_at_ms": rings_at_ms if aside else None,
    }


def _why(record: InteractionRecord, candidates: tuple[Candidate, ...]) -> Reason:
    if record.state is not InteractionState.WAITING:
        return Reason(record.state.value)
    if record.queue.plan.delivery is Delivery.PULL:
        return Reason.AGENTS_PICK
    if not candidates:
        return Reason.NO_AGENT_SIGNED_IN
    found = {candidate.verdict for candidate in candidates}
    nearest = (reason for verdict, reason in _NEAREST if verdict in found)
    return next(nearest, Reason.NO_AGENT_QUALIFIED)
