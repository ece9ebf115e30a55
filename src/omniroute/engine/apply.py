"""Folding: one function per event writes down what the event says. Nothing here decides.

The engine calls these functions with the events it has just decided, and a replay calls them
through `apply` with the events of a journal, so live and replayed state cannot differ. The three
on the hot path are handed the records that the event names, which the engine has at hand. Each
state transition goes through the table in `lifecycle`; counts are folded here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import events as ev
from ..events import Event
from . import erasure
from . import fold_messages as messages
from .fold_agents import (
    agent_changed,
    drained,
    lease_renewed,
    presence_changed,
    signed_in,
    signed_out,
)
from .fold_aside import (
    callback_failed,
    callback_requested,
    conferenced,
    handed_over,
    parked,
    postponed,
    scheduled,
    started,
    transferred,
    unparked,
)
from .fold_offers import (
    accepted,
    completed,
    declined,
    expired,
    held,
    offered,
    requeued,
    resumed,
    revoked,
    wrap_up_extended,
    wrap_up_started,
)
from .fold_waiting import (
    abandoned,
    access_widened,
    cancelled,
    moved,
    queued,
    refusals_reset,
    reprioritized,
    step_reached,
)
from .state import State
from .timers import TimerKind

__all__ = [
    "abandoned",
    "accepted",
    "access_widened",
    "agent_changed",
    "apply",
    "callback_failed",
    "callback_requested",
    "cancelled",
    "completed",
    "conferenced",
    "declined",
    "drained",
    "expired",
    "handed_over",
    "held",
    "lease_renewed",
    "moved",
    "offered",
    "parked",
    "postponed",
    "presence_changed",
    "queued",
    "refusals_reset",
    "reprioritized",
    "requeued",
    "resumed",
    "revoked",
    "scheduled",
    "signed_in",
    "signed_out",
    "started",
    "step_reached",
    "transferred",
    "unparked",
    "wrap_up_extended",
    "wrap_up_started",
]


def apply(state: State, event: Event) -> None:
    """Fold one event in. Raises `KeyError` when the move is illegal in this state."""
    state.now_ms = now_ms = max(state.now_ms, event.at_ms)
    if now_ms >= state.intervals.next_ms:
        state.intervals.roll(state, now_ms)
    _APPLY[type(event)](state, event)


# The same functions, with the records looked up by the ids of the event.


def _replay_offered(state: State, event: ev.Offered) -> None:
    record = state.interactions[event.interaction_id]
    # Another plan may have been in force, with another time.
    timers = state.timers.fifo(TimerKind.OFFER, event.expires_at_ms - event.at_ms)
    offered(state, event, record, state.agents[event.agent_id], timers)


def _replay_accepted(state: State, event: ev.Accepted) -> None:
    accepted(state, event, state.offers[event.offer_id])


def _replay_completed(state: State, event: ev.Completed) -> None:
    completed(state, event, state.offers[event.assignment_id])


def _command_rejected(_state: State, _event: ev.CommandRejected) -> None:
    """Nothing has changed."""


_APPLY: dict[type[Event], Callable[[State, Any], object]] = {
    ev.Queued: queued,
    ev.Rejected: messages.rejected,
    ev.Quarantined: messages.quarantined,
    ev.Duplicate: messages.duplicate,
    ev.MessageAppended: messages.message_appended,
    ev.MessageEdited: messages.message_edited,
    ev.MessageRedacted: messages.message_redacted,
    ev.UpdateNoted: messages.update_noted,
    ev.CustomersLinked: messages.customers_linked,
    ev.CustomerErased: erasure.customer_erased,
    ev.StepReached: step_reached,
    ev.AccessWidened: access_widened,
    ev.Reprioritized: reprioritized,
    ev.Moved: moved,
    ev.RefusalsReset: refusals_reset,
    ev.Abandoned: abandoned,
    ev.Cancelled: cancelled,
    ev.Offered: _replay_offered,
    ev.Accepted: _replay_accepted,
    ev.Declined: declined,
    ev.Expired: expired,
    ev.Revoked: revoked,
    ev.Held: held,
    ev.Resumed: resumed,
    ev.Requeued: requeued,
    ev.WrapUpStarted: wrap_up_started,
    ev.WrapUpExtended: wrap_up_extended,
    ev.Scheduled: scheduled,
    ev.Started: started,
    ev.Postponed: postponed,
    ev.CallbackRequested: callback_requested,
    ev.CallbackFailed: callback_failed,
    ev.Parked: parked,
    ev.Unparked: unparked,
    ev.Transferred: transferred,
    ev.HandedOver: handed_over,
    ev.Conferenced: conferenced,
    ev.Completed: _replay_completed,
    ev.QueueDrained: drained,
    ev.QueueReopened: drained,
    ev.LeaseRenewed: lease_renewed,
    ev.SignedIn: signed_in,
    ev.SignedOut: signed_out,
    ev.BecameReady: presence_changed,
    ev.BecameNotReady: presence_changed,
    ev.AgentChanged: agent_changed,
    ev.CommandRejected: _command_rejected,
}
