"""What stands between one agent and one interaction: the first filter that removes him.

The filters are those of docs/explanation/semantics.md, "Who may take it", in a fixed order, and are
looked at one by one, by the expressions themselves and not through the index of the market.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import msgspec

from ..model import Presence
from ..plan import Expression, Scope, parse
from .records import UNTIL_RESET

if TYPE_CHECKING:
    from .records import AgentRecord, InteractionRecord
    from .state import State

__all__ = ["Candidate", "Verdict", "judge"]


class Verdict(enum.StrEnum):
    """The first filter that removes an agent, or that none does. A closed list."""

    NOT_A_MEMBER = "not_a_member"  #: of the queue
    NOT_AT_STEP = "not_at_step"  #: the requirement of the ladder's step
    LACKS_REQUIREMENT = "lacks_requirement"  #: the interaction's own
    NO_ACCESS_YET = "no_access_yet"  #: the queue opens to him later
    OTHER_CHANNELS = "other_channels"  #: his capacity never admits this channel
    NOT_READY = "not_ready"
    DECLINED = "declined"  #: barred by a refusal
    NO_ROOM = "no_room"  #: his capacity is taken, or all that he may have of the queue
    ELIGIBLE = "eligible"
    CHOSEN = "chosen"  #: he has the offer or the assignment


class Candidate(msgspec.Struct, frozen=True):
    """One signed-in agent as seen from the interaction.

    ``until_ms`` is when the filter lets him pass by itself: access opens, a refusal is over.
    """

    agent_id: str
    verdict: Verdict
    until_ms: int | None = None


def judge(state: State, record: InteractionRecord, agent: AgentRecord) -> Candidate:
    """The verdict about one agent. O(size of the expressions)."""
    verdict = _verdict(state, record, agent)
    until_ms = None
    if verdict is Verdict.NO_ACCESS_YET:
        until_ms = record.arrived_at_ms + _delay_ms(record, agent)
    elif verdict is Verdict.DECLINED and record.barred is not None:
        timer = record.barred[agent.id]
        until_ms = None if timer == UNTIL_RESET else state.timers.deadline_of(timer)
    return Candidate(agent.id, verdict, until_ms)


def _verdict(state: State, record: InteractionRecord, agent: AgentRecord) -> Verdict:
    bit = record.kind.bit
    if any(offer.agent is agent for offer in record.held_by):
        return Verdict.CHOSEN
    for expression, verdict in _requirements(record):
        if expression is not None and not expression.matches(agent.agent):
            return verdict
    delay_ms = _delay_ms(record, agent)
    delays = record.queue.delays
    if delay_ms and delays.index(delay_ms) >= record.opening:
        return Verdict.NO_ACCESS_YET
    if not state.loads.get(agent.load.capacity, {}).open & bit:
        return Verdict.OTHER_CHANNELS
    if agent.presence is not Presence.READY:
        return Verdict.NOT_READY
    if record.barred is not None and agent.id in record.barred:
        return Verdict.DECLINED
    if not agent.load.open & bit:
        return Verdict.NO_ROOM
    return Verdict.ELIGIBLE


def _requirements(record: InteractionRecord) -> list[tuple[Expression | None, Verdict]]:
    """What the agent must satisfy at the step of the interaction, part by part."""
    step, queue = record.ladder[record.step], record.queue.plan
    if record.step < len(record.own_steps) and record.own_steps[record.step].direct:
        return [(step.requirement, Verdict.NOT_AT_STEP)]
    own = None if record.requirement is None else parse(record.requirement, Scope.AGENT)
    if own is not None and step.drop:
        own = own.without(step.drop)
    return [
        (queue.members, Verdict.NOT_A_MEMBER),
        (step.requirement, Verdict.NOT_AT_STEP),
        (own, Verdict.LACKS_REQUIREMENT),
    ]


def _delay_ms(record: InteractionRecord, agent: AgentRecord) -> int:
    """How long an interaction must have waited before this agent has access to the queue."""
    for row in record.queue.access:
        if row.agents is None or row.agents.matches(agent.agent):
            return row.after_ms
    return 0
