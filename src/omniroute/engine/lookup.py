"""Finding what a command names, or saying why not: a `CommandRejected` event."""

from __future__ import annotations

from ..events import Command, CommandRejected, RejectReason
from ..model import InteractionState
from .lifecycle import IN_LINE
from .matching import Events
from .records import AgentRecord, InteractionRecord, OfferRecord
from .state import State

__all__ = [
    "WITH_CUSTOMER",
    "assignment",
    "interaction",
    "open_offer",
    "reject",
    "signed_in",
    "to_be_moved",
]


#: The states in which an agent has the customer.
_OFFERED = InteractionState.OFFERED
WITH_CUSTOMER = (InteractionState.ENGAGED, InteractionState.HELD)


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


def to_be_moved(
    state: State, command: Command, interaction_id: str, at_ms: int, out: Events
) -> InteractionRecord | None:
    """The interaction of that id, if it waits or is offered."""
    record = interaction(state, command, interaction_id, at_ms, out)
    if record is not None and record.state not in IN_LINE:
        reject(command, interaction_id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return None
    return record


def open_offer(
    state: State, command: Command, offer_id: int, at_ms: int, out: Events
) -> OfferRecord | None:
    """The offer of that id, if it is still open."""
    offer = state.offers.get(offer_id)
    if offer is None or offer.record.state is not _OFFERED:
        reject(command, offer_id, RejectReason.UNKNOWN_OFFER, at_ms, out)
        return None
    return offer


def assignment(
    state: State,
    command: Command,
    assignment_id: int,
    allowed: tuple[InteractionState, ...],
    at_ms: int,
    out: Events,
) -> OfferRecord | None:
    """The assignment of that id, if its interaction is in one of the allowed states."""
    offer = state.offers.get(assignment_id)
    if offer is not None and offer.record.state in allowed:
        return offer
    unknown = offer is None or offer.record.state is _OFFERED
    reason = RejectReason.UNKNOWN_ASSIGNMENT if unknown else RejectReason.ILLEGAL_STATE
    reject(command, assignment_id, reason, at_ms, out)
    return None
