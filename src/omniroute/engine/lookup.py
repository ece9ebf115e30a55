"""Finding what a command names, or saying why not: a `CommandRejected` event."""

from __future__ import annotations

from ..events import Command, CommandRejected, RejectReason
from ..model import InteractionState
from .matching import Events
from .records import AgentRecord, InteractionRecord
from .state import State

__all__ = ["assignment", "interaction", "open_offer", "reject", "signed_in"]


def reject(
    command: Command, subject: object, reason: RejectReason, at_ms: int, out: Events
) -> None:
    """The command cannot be done; nothing changes."""
    name = str(command.__struct_config__.tag)
    out.append(CommandRejected(at_ms, name, str(subject), reason))


def interaction(
    state: State, command: Command, interaction_id: str, at_ms: int, out: Events
) -> InteractionRecord | None:
    """The open interaction of that id."""
    record = state.interactions.get(interaction_id)
    if record is None:
        reject(command, interaction_id, RejectReason.UNKNOWN_INTERACTION, at_ms, out)
    return record


def signed_in(
    state: State, command: Command, agent_id: str, at_ms: int, out: Events
) -> AgentRecord | None:
    """The signed-in agent of that id."""
    agent = state.agents.get(agent_id)
    if agent is None:
        reject(command, agent_id, RejectReason.NOT_SIGNED_IN, at_ms, out)
    return agent


def open_offer(
    state: State, command: Command, offer_id: int, at_ms: int, out: Events
) -> tuple[InteractionRecord, AgentRecord] | None:
    """The interaction and the agent of an offer that is still open."""
    record = state.offers.get(offer_id)
    if record is None or record.state is not InteractionState.OFFERED:
        reject(command, offer_id, RejectReason.UNKNOWN_OFFER, at_ms, out)
        return None
    agent = record.agent
    assert agent is not None
    return record, agent


def assignment(
    state: State,
    command: Command,
    assignment_id: int,
    allowed: tuple[InteractionState, ...],
    at_ms: int,
    out: Events,
) -> tuple[InteractionRecord, AgentRecord] | None:
    """The interaction and the agent of an assignment in one of the allowed states."""
    record = state.offers.get(assignment_id)
    if record is None or record.state is InteractionState.OFFERED:
        reject(command, assignment_id, RejectReason.UNKNOWN_ASSIGNMENT, at_ms, out)
        return None
    if record.state not in allowed:
        reject(command, assignment_id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return None
    agent = record.agent
    assert agent is not None
    return record, agent
