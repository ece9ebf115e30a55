"""Folding: agents come and go, and change; queues close and open."""

from __future__ import annotations

from .. import events as ev
from ..model import InteractionState, Presence
from .lifecycle import PRESENCE
from .records import AgentRecord
from .state import State
from .timers import TimerKind

__all__ = [
    "agent_changed",
    "drained",
    "lease_renewed",
    "presence_changed",
    "signed_in",
    "signed_out",
]


def signed_in(state: State, event: ev.SignedIn) -> None:
    """An agent begins to work, not ready yet."""
    agent = event.agent
    assert agent.id not in state.agents
    record = AgentRecord(agent, state.loads.get(state.capacity(agent), {}))
    record.presence = PRESENCE[ev.SignedIn][record.presence]
    state.join_team(record, event.at_ms)
    state.agents[agent.id] = record
    state.market.enter(record)
    state.touch(record)
    record.lease_ms = event.lease_ms
    if event.lease_ms is not None:
        until_ms = event.at_ms + event.lease_ms
        record.lease_timer = state.timers.at(TimerKind.LEASE, until_ms, record)


def drained(state: State, event: ev.QueueDrained | ev.QueueReopened) -> None:
    """A queue takes nothing new, or takes work again."""
    state.queue(event.queue).drain(is_draining=isinstance(event, ev.QueueDrained))


def lease_renewed(state: State, event: ev.LeaseRenewed) -> None:
    """He was heard of."""
    record = state.agents[event.agent_id]
    state.timers.cancel(record.lease_timer)
    record.lease_timer = state.timers.at(TimerKind.LEASE, event.until_ms, record)


def signed_out(state: State, event: ev.SignedOut) -> None:
    """An agent leaves; he carries nothing."""
    record = state.agents.pop(event.agent_id)
    state.leave_team(record, event.at_ms)
    record.presence = PRESENCE[ev.SignedOut][record.presence]
    assert not record.work, "an agent signed out with work"
    state.timers.cancel(record.lease_timer)
    for refused in list(record.barred.values()):
        state.unbar(refused, record.id)
    state.market.leave(record)


def presence_changed(state: State, event: ev.BecameReady | ev.BecameNotReady) -> None:
    """Ready, or not ready any more."""
    record = state.agents[event.agent_id]
    record.presence = PRESENCE[type(event)][record.presence]
    record.team.turn(record.load, event.at_ms, 1 if record.presence is Presence.READY else -1)
    state.market.mark(record)


def agent_changed(state: State, event: ev.AgentChanged) -> None:
    """Other skills, groups, attributes or capacity; what he carries stays."""
    record = state.agents[event.agent.id]
    record.presence = PRESENCE[ev.AgentChanged][record.presence]
    state.market.leave(record)
    state.leave_team(record, event.at_ms)
    record.agent = event.agent
    offers = sum(o.record.state is InteractionState.OFFERED for o in record.work.values())
    counts = dict(record.load.counts)
    record.load = state.loads.get(state.capacity(event.agent), counts, offers)
    state.join_team(record, event.at_ms)
    state.market.enter(record)
