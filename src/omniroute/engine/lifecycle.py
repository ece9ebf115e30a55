"""Every legal move, in one table per machine; a move that is not here cannot happen.

Two machines run side by side. An *interaction* moves by events about it; an *agent*'s
presence moves by events about him. They meet only in offers: what an agent carries is
his load, which is kept apart from his presence. The diagrams of the documentation are
drawn from these tables by `mermaid`.

A row is indexed by the state before; a missing entry is an illegal move and raises
`KeyError` in `apply`, which means that the journal or the engine is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import events as ev
from ..events import Event
from ..model import InteractionState, Presence

__all__ = ["INTERACTION", "IN_LINE", "OPEN", "PRESENCE", "mermaid"]

S = InteractionState
P = Presence

_BEFORE_WRAP_UP = (S.SCHEDULED, S.WAITING, S.OFFERED, S.ENGAGED, S.HELD, S.PARKED)


def _stays(*states: InteractionState) -> Mapping[InteractionState, InteractionState]:
    return {state: state for state in states}


#: event -> {state before: state after}
INTERACTION: Mapping[type[Event], Mapping[InteractionState, InteractionState]] = {
    ev.Queued: {S.NEW: S.WAITING},
    ev.Rejected: {S.NEW: S.REJECTED},
    ev.Quarantined: {S.NEW: S.QUARANTINED},
    ev.Scheduled: {S.WAITING: S.SCHEDULED},
    ev.Started: {S.SCHEDULED: S.WAITING},
    ev.Postponed: _stays(S.SCHEDULED),
    ev.CallbackRequested: _stays(S.WAITING),
    ev.StepReached: _stays(S.WAITING, S.OFFERED),
    ev.AccessWidened: _stays(S.WAITING, S.OFFERED),
    ev.RefusalsReset: _stays(S.WAITING, S.OFFERED),
    ev.Moved: _stays(S.WAITING),
    ev.Reprioritized: _stays(*_BEFORE_WRAP_UP),
    ev.MessageAppended: _stays(*_BEFORE_WRAP_UP),
    ev.MessageEdited: _stays(*_BEFORE_WRAP_UP, S.WRAP_UP),
    ev.MessageRedacted: _stays(*_BEFORE_WRAP_UP, S.WRAP_UP),
    ev.Offered: {S.WAITING: S.OFFERED, S.OFFERED: S.OFFERED},
    ev.Accepted: {S.OFFERED: S.ENGAGED},
    ev.Declined: {S.OFFERED: S.WAITING},
    ev.Expired: {S.OFFERED: S.WAITING},
    ev.Revoked: {S.OFFERED: S.WAITING},
    ev.Held: {S.ENGAGED: S.HELD},
    ev.Resumed: {S.HELD: S.ENGAGED},
    ev.HandedOver: {S.ENGAGED: S.ENGAGED, S.HELD: S.ENGAGED},
    ev.Conferenced: _stays(S.ENGAGED, S.HELD),
    ev.Requeued: {S.ENGAGED: S.WAITING, S.HELD: S.WAITING},
    ev.Transferred: {S.ENGAGED: S.WAITING, S.HELD: S.WAITING},
    ev.Parked: {S.ENGAGED: S.PARKED, S.HELD: S.PARKED},
    ev.Unparked: {S.PARKED: S.WAITING},
    ev.CallbackFailed: {S.ENGAGED: S.SCHEDULED, S.HELD: S.SCHEDULED},
    ev.WrapUpStarted: {S.ENGAGED: S.WRAP_UP, S.HELD: S.WRAP_UP},
    ev.WrapUpExtended: _stays(S.WRAP_UP),
    ev.Completed: {S.ENGAGED: S.COMPLETED, S.HELD: S.COMPLETED, S.WRAP_UP: S.COMPLETED},
    ev.Abandoned: {S.WAITING: S.ABANDONED, S.SCHEDULED: S.ABANDONED},
    ev.Cancelled: {
        S.SCHEDULED: S.CANCELLED,
        S.WAITING: S.CANCELLED,
        S.ENGAGED: S.CANCELLED,
        S.HELD: S.CANCELLED,
        S.PARKED: S.CANCELLED,
        S.WRAP_UP: S.CANCELLED,
    },
}

#: event -> {presence before: presence after}
PRESENCE: Mapping[type[Event], Mapping[Presence, Presence]] = {
    ev.SignedIn: {P.LOGGED_OUT: P.NOT_READY},
    ev.BecameReady: {P.NOT_READY: P.READY},
    ev.BecameNotReady: {P.READY: P.NOT_READY},
    ev.AgentChanged: {P.NOT_READY: P.NOT_READY, P.READY: P.READY},
    ev.SignedOut: {P.NOT_READY: P.LOGGED_OUT, P.READY: P.LOGGED_OUT},
}

#: States in which it stands in a queue.
IN_LINE = frozenset({S.WAITING, S.OFFERED})

#: States in which an interaction is still somebody's concern.
OPEN = frozenset({*_BEFORE_WRAP_UP, S.WRAP_UP})


def mermaid(table: Mapping[type[Event], Mapping[Any, Any]]) -> str:
    """A Mermaid state diagram of one table; moves that stay in place are left out."""
    lines = ["stateDiagram-v2"]
    for event, row in table.items():
        for before, after in row.items():
            if before != after:
                lines.append(f"    {before.value} --> {after.value}: {event.__name__}")
    return "\n".join(lines) + "\n"
