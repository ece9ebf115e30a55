"""The customer or a supervisor intervenes: abandon, cancel, another priority."""

from __future__ import annotations

from ..events import (
    Abandon,
    Abandoned,
    Cancel,
    RejectReason,
    Reprioritize,
    Reprioritized,
    RevokeReason,
)
from ..model import InteractionState
from . import apply, conduct, lookup, matching
from .matching import Events
from .state import State

__all__ = ["abandon", "cancel", "reprioritize"]


def abandon(state: State, command: Abandon, at_ms: int, out: Events) -> None:
    """The customer has gone."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    if record.state is InteractionState.WRAP_UP:
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    agent = record.agent
    if agent is not None and record.state is not InteractionState.OFFERED:
        conduct.finish(state, record, agent, "customer_left", at_ms, out)
        return
    matching.revoke(state, record, RevokeReason.CUSTOMER_LEFT, at_ms, out)
    event = Abandoned(at_ms, record.id, command.reason)
    apply.abandoned(state, event)
    out.append(event)
    if agent is not None:
        matching.feed(state, agent, at_ms, out)


def cancel(state: State, command: Cancel, at_ms: int, out: Events) -> None:
    """Take it out, whatever its state."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    agent = record.agent
    matching.revoke(state, record, RevokeReason.CANCELLED, at_ms, out)
    matching.cancel(state, record, command.reason, at_ms, out)
    if agent is not None:
        matching.feed(state, agent, at_ms, out)


def reprioritize(state: State, command: Reprioritize, at_ms: int, out: Events) -> None:
    """Another place in the order, at once."""
    record = lookup.interaction(state, command, command.interaction_id, at_ms, out)
    if record is None:
        return
    if record.state is InteractionState.WRAP_UP:
        lookup.reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    event = Reprioritized(at_ms, record.id, command.priority)
    apply.reprioritized(state, event)
    out.append(event)
