"""Work changes hands, or needs a second pair: transfer, consult, conference, escalation."""

from __future__ import annotations

from ..errors import CommandError
from ..events import (
    Cancelled,
    Confer,
    Conferenced,
    Consult,
    Escalate,
    HandedOver,
    HandOver,
    Kind,
    OwnStep,
    Queued,
    RejectReason,
    RevokeReason,
    Transfer,
    Transferred,
)
from ..model import Channel, Message
from ..plan import Queue, all_of, is_agent, not_agents, parse
from . import apply, conduct, intake, ladder, lookup, refusals
from .copies import consulted
from .lifecycle import IN_LINE
from .lookup import WITH_CUSTOMER
from .matching import (
    Events,
    again_at_ms,
    feed,
    place,
    rematch,
    revoke_all,
)
from .records import AgentRecord, InteractionRecord, OfferRecord
from .state import State

__all__ = [
    "check_escalate",
    "check_target",
    "confer",
    "consult",
    "drop_consult",
    "escalate",
    "hand_over",
    "to_agent",
    "transfer",
]


def check_target(state: State, command: Transfer | Consult) -> None:
    """Find a caller's mistakes before anything changes."""
    to_nobody = command.queue is None and command.agent_id is None
    if to_nobody and isinstance(command, Transfer):
        raise CommandError("a queue, an agent, or both are needed")
    if command.queue is not None:
        intake.check_queue(state, command.queue, "transfer")
    if command.priority is not None:
        intake.check_priority(state, command)
    if command.requirement is not None:
        intake.check_requirement(state, command.requirement)
    if isinstance(command, Consult):
        offer = state.offers.get(command.assignment_id)
        if offer is not None:
            parse(_asked(command, offer.agent.id))


def _asked(command: Consult, agent_id: str) -> str:
    """Who may answer: anybody else who satisfies what is wanted."""
    given = None if command.requirement is None else parse(command.requirement)
    return str(all_of(given, not_agents([agent_id])))


def check_escalate(state: State, command: Escalate) -> None:
    """Find a caller's mistakes before anything changes."""
    if command.queue is not None:
        intake.check_queue(state, command.queue, "escalate")
    if not isinstance(command.channel, Channel):
        raise CommandError(f"channel must be a Channel, got {command.channel!r}")


def to_agent(queue: Queue, agent_id: str, *, skip_if_nobody: bool = False) -> OwnStep:
    """The step at which something is for one agent alone, whatever the rules say."""
    return OwnStep(str(is_agent(agent_id)), queue.return_ms, skip_if_nobody, direct=True)


# --- transfer -----------------------------------------------------------------------------


def transfer(state: State, command: Transfer, at_ms: int, out: Events) -> None:
    """The agent gives it away for good."""
    found = _with_target(state, command, at_ms, out)
    if found is None:
        return
    offer, queue = found
    record, agent = offer.record, offer.agent
    freed = drop_consult(state, record, at_ms, out)
    to_id = command.agent_id
    event = Transferred(
        at_ms,
        offer.id,
        record.id,
        agent.id,
        queue.name,
        record.own_priority if command.priority is None else command.priority,
        record.requirement if command.requirement is None else command.requirement,
        () if to_id is None else (to_agent(queue, to_id),),
        command.reason,
        again_at_ms(queue, at_ms),
    )
    apply.transferred(state, event)
    out.append(event)
    ladder.begin(state, record, at_ms, out)
    refusals.after_refusal(state, record, agent, at_ms, out, freed)


def _with_target(
    state: State, command: Transfer | Consult, at_ms: int, out: Events
) -> tuple[OfferRecord, Queue] | None:
    """The assignment and the queue it is for, if agent and state allow it."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return None
    if command.agent_id is not None:
        if lookup.signed_in(state, command, command.agent_id, at_ms, out) is None:
            return None
        if command.agent_id == offer.agent.id:
            lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
            return None
    return offer, _queue(state, offer, command.queue)


def _queue(state: State, offer: OfferRecord, name: str | None) -> Queue:
    return offer.record.queue.plan if name is None else state.queues[name].plan


# --- a colleague --------------------------------------------------------------------------


def consult(state: State, command: Consult, at_ms: int, out: Events) -> None:
    """The agent asks a colleague."""
    found = _with_target(state, command, at_ms, out)
    if found is None:
        return
    offer, queue = found
    record, agent = offer.record, offer.agent
    if record.side is not None and record.side.consult is not None:
        lookup.reject(command, offer.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        return
    to_id = command.agent_id
    _open_beside(
        state,
        record,
        Kind.CONSULT,
        consulted(record.message),
        queue,
        record.own_priority if command.priority is None else command.priority,
        _asked(command, agent.id),
        () if to_id is None else (to_agent(queue, to_id),),
        at_ms,
        out,
    )


def _open_beside(
    state: State,
    parent: InteractionRecord,
    kind: Kind,
    message: Message,
    queue: Queue,
    priority: int,
    requirement: str | None,
    steps: tuple[OwnStep, ...],
    at_ms: int,
    out: Events,
) -> None:
    """Another interaction of the same conversation, full or not."""
    seq = state.seq + 1
    event = Queued(
        at_ms,
        f"i{seq}",
        seq,
        message,
        queue.name,
        priority,
        requirement,
        steps,
        max_wait_ms=queue.max_wait_ms,
        kind=kind,
        parent_id=parent.id,
        front=kind is Kind.ESCALATION,
    )
    record = apply.queued(state, event)
    out.append(event)
    ladder.begin(state, record, at_ms, out)
    place(state, record, at_ms, out)


def drop_consult(
    state: State, record: InteractionRecord, at_ms: int, out: Events
) -> list[AgentRecord]:
    """Its agent leaves it: nobody need answer his question; returns who had an offer of it."""
    asked = record.side.consult if record.side is not None else None
    if asked is None or asked.state not in IN_LINE:
        return []
    agents = revoke_all(state, asked, RevokeReason.CANCELLED, at_ms, out)
    event = Cancelled(at_ms, asked.id, "parent_left")
    apply.cancelled(state, event)
    out.append(event)
    return agents


def _consulted(
    state: State, command: HandOver | Confer, at_ms: int, out: Events
) -> tuple[OfferRecord, OfferRecord] | None:
    """The assignment of the parent and that of its consult, which a colleague has taken."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return None
    side = offer.record.side
    asked = side.consult if side is not None else None
    if asked is None or asked.state not in WITH_CUSTOMER:
        lookup.reject(command, number, RejectReason.ILLEGAL_STATE, at_ms, out)
        return None
    return offer, asked.held_by[0]


def hand_over(state: State, command: HandOver, at_ms: int, out: Events) -> None:
    """The colleague takes the customer; his consult is over."""
    found = _consulted(state, command, at_ms, out)
    if found is None:
        return
    offer, asked = found
    agent, colleague = offer.agent, asked.agent
    freed = drop_consult(state, asked.record, at_ms, out)
    conduct.completed(state, asked, "handed_over", at_ms, out)
    event = HandedOver(
        at_ms, offer.id, offer.record.id, agent.id, colleague.id, state.last_offer + 1
    )
    apply.handed_over(state, event)
    out.append(event)
    feed(state, agent, at_ms, out)
    feed(state, colleague, at_ms, out)
    rematch(state, at_ms, out, agents=freed)


def confer(state: State, command: Confer, at_ms: int, out: Events) -> None:
    """The colleague joins in."""
    found = _consulted(state, command, at_ms, out)
    if found is not None:
        offer, asked = found
        event = Conferenced(at_ms, offer.id, offer.record.id, asked.record.id)
        apply.conferenced(state, event)
        out.append(event)


# --- another channel ----------------------------------------------------------------------


def escalate(state: State, command: Escalate, at_ms: int, out: Events) -> None:
    """The step to another channel, for the same agent."""
    number = command.assignment_id
    offer = lookup.assignment(state, command, number, WITH_CUSTOMER, at_ms, out)
    if offer is None:
        return
    record = offer.record
    first = record.message
    links = [link for message in record.messages for link in message.links]
    message = Message(
        channel=command.channel,
        customer=first.customer,
        subject=first.subject,
        language=first.language,
        links=(*([command.link] if command.link else ()), *links),
        attachments=tuple(a for message in record.messages for a in message.attachments),
        attributes=first.attributes,
    )
    queue = _queue(state, offer, command.queue)
    steps = (to_agent(queue, offer.agent.id),)
    _open_beside(
        state,
        record,
        Kind.ESCALATION,
        message,
        queue,
        record.own_priority,
        None,
        steps,
        at_ms,
        out,
    )
