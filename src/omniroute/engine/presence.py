"""Agents come and go, become ready and not ready, and change what they can do."""

from __future__ import annotations

from ..errors import CommandError, UnknownNameError
from ..events import (
    AgentChanged,
    BecameNotReady,
    BecameReady,
    ChangeAgent,
    Completed,
    LeaseRenewed,
    RejectReason,
    Renew,
    Requeued,
    RevokeReason,
    SetNotReady,
    SetReady,
    SignedIn,
    SignedOut,
    SignIn,
    SignOut,
)
from ..model import InteractionState, Presence
from . import apply, aside, handing, intake, ladder, lookup, refusals
from .matching import Events, exhausted, feed, rematch, revoke
from .records import AgentRecord, InteractionRecord, OfferRecord
from .state import State
from .timers import Timer

__all__ = [
    "become_not_ready",
    "change_agent",
    "check_agent",
    "check_sign_in",
    "lease_over",
    "let_go",
    "renew",
    "set_not_ready",
    "set_ready",
    "sign_in",
    "sign_out",
]

#: Steps for one agent name him in an expression, and those have an end.
_MAX_ID = 256


def check_agent(state: State, command: SignIn | ChangeAgent) -> None:
    """Find a caller's mistakes before anything changes."""
    agent = command.agent
    plan = state.plan
    if len(agent.id) > _MAX_ID:
        raise CommandError(f"agent ids have at most {_MAX_ID} characters, not {len(agent.id)}")
    where = f"agent {agent.id!r}"
    if agent.capacity not in plan.capacities:
        raise UnknownNameError("capacity", agent.capacity, plan.capacities, where=where)
    intake.check_skills(plan, agent.skills, where)
    for skill, level in agent.skills.items():
        defined = plan.skills.get(skill)
        if level < 0 or (defined is not None and level > defined.max_level):
            raise CommandError(f"{where}: level {level} of skill {skill!r} is out of range")
    wrap_up_ms = agent.wrap_up_ms
    if wrap_up_ms is not None and (type(wrap_up_ms) is not int or wrap_up_ms < 0):
        raise CommandError(f"{where}: wrap_up_ms must be at least 0, got {wrap_up_ms!r}")


def sign_in(state: State, command: SignIn, at_ms: int, out: Events) -> None:
    """An agent begins to work."""
    agent = command.agent
    if agent.id in state.agents:
        lookup.reject(command, agent.id, RejectReason.ALREADY_SIGNED_IN, at_ms, out)
        return
    if len(state.agents) >= state.plan.limits.max_agents:
        lookup.reject(command, agent.id, RejectReason.AGENTS_EXHAUSTED, at_ms, out)
        return
    event = SignedIn(at_ms, agent, command.lease_ms)
    apply.signed_in(state, event)
    out.append(event)
    if command.ready:
        _become_ready(state, state.agents[agent.id], at_ms, out)


def check_sign_in(state: State, command: SignIn) -> None:
    """Find a caller's mistakes before anything changes."""
    check_agent(state, command)
    lease_ms = command.lease_ms
    if lease_ms is not None and (type(lease_ms) is not int or lease_ms < 1):
        raise CommandError(f"lease_ms must be an integer above 0, got {lease_ms!r}")


def renew(state: State, command: Renew, at_ms: int, out: Events) -> None:
    """His desktop is alive."""
    agent = lookup.signed_in(state, command, command.agent_id, at_ms, out)
    if agent is None:
        return
    if agent.lease_ms is None:
        lookup.reject(command, agent.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    event = LeaseRenewed(at_ms, agent.id, at_ms + agent.lease_ms)
    apply.lease_renewed(state, event)
    out.append(event)


def lease_over(state: State, timer: Timer, out: Events) -> None:
    """He was not heard of for too long."""
    at_ms = timer.deadline_ms
    agents, records = let_go(state, timer.agent, "lease_expired", at_ms, out)
    rematch(state, at_ms, out, agents=agents, records=records)


def sign_out(state: State, command: SignOut, at_ms: int, out: Events) -> None:
    """An agent leaves."""
    agent = lookup.signed_in(state, command, command.agent_id, at_ms, out)
    if agent is not None:
        agents, records = let_go(state, agent, command.reason, at_ms, out)
        rematch(state, at_ms, out, agents=agents, records=records)


def let_go(
    state: State, agent: AgentRecord, reason: str, at_ms: int, out: Events
) -> tuple[list[AgentRecord], list[InteractionRecord]]:
    """Sign an agent out, nothing of his is lost.

    Returns the agents whom it freed (of offers of consults he asked for) and what waits again.
    """
    freed: list[InteractionRecord] = []
    others: list[AgentRecord] = []
    if agent.presence is Presence.READY:  # nothing that happens on the way is offered to him
        agent.team.turn(agent.load, at_ms, -1)
        agent.presence = Presence.NOT_READY
        state.market.mark(agent)
    for offer_id, offer in sorted(agent.work.items()):
        record = offer.record
        if offer_id not in agent.work:  # it went with the parent that he left
            continue
        if record.state is InteractionState.OFFERED:
            revoke(state, offer, RevokeReason.SIGNED_OUT, at_ms, out)
            exhausted(state, record, at_ms, out)
            freed.append(record)
        elif record.state is InteractionState.WRAP_UP:
            done = Completed(at_ms, offer_id, record.id, agent.id, record.code)
            apply.completed(state, done, offer)
            out.append(done)
        else:
            others += handing.drop_consult(state, record, at_ms, out)
            requeued = Requeued(at_ms, offer_id, record.id, agent.id, "signed_out")
            apply.requeued(state, requeued)
            out.append(requeued)
            if aside.is_over(record, at_ms):
                aside.waited_too_long(state, record, at_ms, out)
            else:
                ladder.catch_up(state, record, at_ms, out)
                freed.append(record)
    event = SignedOut(at_ms, agent.id, reason)
    apply.signed_out(state, event)
    out.append(event)
    return others, freed + refusals.lift_everywhere(state, at_ms, out)


def set_ready(state: State, command: SetReady, at_ms: int, out: Events) -> None:
    """An agent can be offered work."""
    agent = lookup.signed_in(state, command, command.agent_id, at_ms, out)
    if agent is not None and agent.presence is not Presence.READY:
        _become_ready(state, agent, at_ms, out)


def _become_ready(state: State, agent: AgentRecord, at_ms: int, out: Events) -> None:
    event = BecameReady(at_ms, agent.id)
    apply.presence_changed(state, event)
    out.append(event)
    feed(state, agent, at_ms, out)


def set_not_ready(state: State, command: SetNotReady, at_ms: int, out: Events) -> None:
    """An agent is not offered work any more."""
    agent = lookup.signed_in(state, command, command.agent_id, at_ms, out)
    if agent is not None and agent.presence is Presence.READY:
        freed = become_not_ready(state, agent, command.reason, at_ms, out)
        rematch(state, at_ms, out, records=freed)


def become_not_ready(
    state: State, agent: AgentRecord, reason: str, at_ms: int, out: Events
) -> list[InteractionRecord]:
    """Make an agent not ready; returns what waits again because of it."""
    event = BecameNotReady(at_ms, agent.id, reason)
    apply.presence_changed(state, event)
    out.append(event)
    offers = _open_offers(agent)
    for offer in offers:
        revoke(state, offer, RevokeReason.NOT_READY, at_ms, out)
        exhausted(state, offer.record, at_ms, out)
    return [offer.record for offer in offers]


def _open_offers(agent: AgentRecord) -> list[OfferRecord]:
    """What is held out to him, in order of offer id."""
    found = sorted(agent.work.items())
    return [offer for _, offer in found if offer.record.state is InteractionState.OFFERED]


def change_agent(state: State, command: ChangeAgent, at_ms: int, out: Events) -> None:
    """An agent has other skills, groups, attributes or capacity from now on."""
    agent = lookup.signed_in(state, command, command.agent.id, at_ms, out)
    if agent is None:
        return
    event = AgentChanged(at_ms, command.agent)
    apply.agent_changed(state, event)
    out.append(event)
    freed: list[InteractionRecord] = []
    for offer in _open_offers(agent):
        record = offer.record
        if not state.need(record).admits(agent):
            revoke(state, offer, RevokeReason.NOT_ELIGIBLE, at_ms, out)
            exhausted(state, record, at_ms, out)
            freed.append(record)
    freed += refusals.lift_everywhere(state, at_ms, out)
    rematch(state, at_ms, out, agents=[agent], records=freed)
