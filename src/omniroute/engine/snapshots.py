"""The state as bytes and back. Equal states give equal bytes; indexes are rebuilt, not saved.

The picture holds facts only: interactions, agents, what was seen, live timers, counts. Lanes,
groups and loads follow from them. The format carries its version; an unknown one is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from ..errors import JournalError
from ..events import OwnStep
from ..model import Agent, Channel, InteractionState, Message, Presence
from .records import AgentRecord, InteractionRecord, OfferRecord, Tally
from .timers import Timer, TimerKind

if TYPE_CHECKING:
    from .state import State

__all__ = ["dump", "load"]

_VERSION = 2


class _Interaction(msgspec.Struct, frozen=True, array_like=True):
    id: str
    seq: int
    messages: tuple[Message, ...]
    queue: str
    priority: int
    requirement: str | None
    enqueued_at_ms: int
    arrived_at_ms: int
    own_steps: tuple[OwnStep, ...]
    state: InteractionState
    #: (offer id, agent id, number of its timer) of each open offer or of the assignment
    held_by: tuple[tuple[int, str, int], ...]
    offers: int
    step: int
    step_ends_at_ms: int | None
    opening: int
    step_timer: int
    opening_timer: int
    barred: tuple[tuple[str, int], ...]
    accepted_at_ms: int
    wrap_up_code: str


class _Agent(msgspec.Struct, frozen=True, array_like=True):
    agent: Agent
    presence: Presence
    idle: int
    last_offer: int
    taken: tuple[tuple[str, int], ...]


class _Timer(msgspec.Struct, frozen=True, array_like=True):
    deadline_ms: int
    number: int
    kind: TimerKind
    interaction_id: str
    agent_id: str | None


class _Picture(msgspec.Struct, frozen=True, array_like=True):
    version: int
    now_ms: int
    seq: int
    last_offer: int
    idle: int
    timer_count: int
    quarantined: int
    duplicates: int
    unrouted: int
    interactions: tuple[_Interaction, ...]
    agents: tuple[_Agent, ...]
    timers: tuple[_Timer, ...]
    seen: tuple[tuple[Channel, tuple[tuple[str, int, str], ...]], ...]
    tallies: tuple[tuple[str, Channel, tuple[int, ...]], ...]
    over_rate: int
    senders: tuple[tuple[Channel, tuple[tuple[str, int, int], ...]], ...]
    customers: tuple[tuple[str, tuple[str, ...]], ...]


def dump(state: State) -> bytes:
    """Everything the engine knows, as msgpack. O(state)."""
    picture = _Picture(
        version=_VERSION,
        now_ms=state.now_ms,
        seq=state.seq,
        last_offer=state.last_offer,
        idle=state.idle,
        timer_count=state.timers.count,
        quarantined=state.quarantined,
        duplicates=state.duplicates,
        unrouted=state.unrouted,
        interactions=tuple(
            _interaction(record)
            for record in sorted(state.interactions.values(), key=lambda record: record.seq)
        ),
        agents=tuple(
            _Agent(
                record.agent,
                record.presence,
                record.idle,
                record.last_offer,
                tuple(sorted(record.taken.items())),
            )
            for record in sorted(state.agents.values(), key=lambda record: record.idle)
        ),
        timers=tuple(
            _Timer(t.deadline_ms, t.number, t.kind, t.record.id, t.agent_id)
            for t in state.timers.live()
        ),
        seen=tuple(
            (channel, tuple((key, at_ms, opened) for key, (at_ms, opened) in seen.items()))
            for channel, seen in sorted(state.seen.channels.items())
        ),
        tallies=tuple(
            (name, channel, tuple(getattr(tally, field) for field in Tally.__slots__))
            for name, queue in sorted(state.queues.items())
            for channel, tally in sorted(queue.tallies.items())
        ),
        over_rate=state.over_rate,
        senders=tuple(
            (channel, tuple((sender, *window) for sender, window in windows.rows.items()))
            for channel, windows in sorted(state.senders.channels.items())
            if windows.rows
        ),
        customers=tuple(state.customers.customers.items()),
    )
    return msgspec.msgpack.encode(picture)


def load(state: State, data: bytes) -> None:
    """Fill a fresh state. Raises `JournalError` when the bytes are not such a picture."""
    try:
        picture = msgspec.msgpack.decode(data, type=_Picture)
    except msgspec.MsgspecError as error:
        raise JournalError(f"not a snapshot: {error}") from error
    if picture.version != _VERSION:
        raise JournalError(f"snapshot format {picture.version} is not known, only {_VERSION}")
    assert not state.interactions, "restore into a fresh state"
    state.now_ms = picture.now_ms
    state.seq = picture.seq
    state.last_offer = picture.last_offer
    state.idle = picture.idle
    state.quarantined = picture.quarantined
    state.duplicates = picture.duplicates
    state.unrouted = picture.unrouted
    for channel, seen in picture.seen:
        state.seen.channels[channel] = OrderedDict((key, (at, opened)) for key, at, opened in seen)
    state.over_rate = picture.over_rate
    for channel, windows in picture.senders:
        rows = state.senders.of(channel).rows
        rows.update((sender, (began_ms, count)) for sender, began_ms, count in windows)
    state.customers.restore(picture.customers)
    for name, channel, counts in picture.tallies:
        tally = state.queue(name).tally(channel)
        for field, count in zip(Tally.__slots__, counts, strict=True):
            setattr(tally, field, count)
    for saved in picture.agents:
        _restore_agent(state, saved)
    for kept in picture.interactions:
        _restore_interaction(state, kept)
    state.timers.restore(
        [
            Timer(t.deadline_ms, t.number, t.kind, state.interactions[t.interaction_id], t.agent_id)
            for t in picture.timers
        ],
        picture.timer_count,
    )


def _interaction(record: InteractionRecord) -> _Interaction:
    return _Interaction(
        id=record.id,
        seq=record.seq,
        messages=record.messages,
        queue=record.queue.name,
        priority=record.priority,
        requirement=record.requirement,
        enqueued_at_ms=record.enqueued_at_ms,
        state=record.state,
        arrived_at_ms=record.arrived_at_ms,
        own_steps=record.own_steps,
        held_by=tuple((offer.id, offer.agent.id, offer.timer) for offer in record.held_by),
        offers=record.offers,
        step=record.step,
        step_ends_at_ms=record.step_ends_at_ms,
        opening=record.opening,
        step_timer=record.step_timer,
        opening_timer=record.opening_timer,
        barred=tuple(sorted((record.barred or {}).items())),
        accepted_at_ms=record.accepted_at_ms,
        wrap_up_code=record.wrap_up_code,
    )


def _restore_agent(state: State, saved: _Agent) -> None:
    counts: dict[Channel, int] = {}
    capacity = state.capacity(saved.agent)
    record = AgentRecord(saved.agent, state.loads.get(capacity, counts))
    record.presence = saved.presence
    record.idle = saved.idle
    record.last_offer = saved.last_offer
    record.taken = dict(saved.taken)
    state.agents[record.id] = record
    state.market.enter(record)


def _restore_interaction(state: State, kept: _Interaction) -> None:
    queue = state.queue(kept.queue)
    record = InteractionRecord(
        kept.id,
        kept.seq,
        kept.messages[0],
        queue,
        kept.priority,
        kept.requirement,
        kept.enqueued_at_ms,
        kept.own_steps,
    )
    record.arrived_at_ms = kept.arrived_at_ms
    record.later = list(kept.messages[1:]) or None
    record.state = kept.state
    record.offers = kept.offers
    record.step = kept.step
    record.step_ends_at_ms = kept.step_ends_at_ms
    record.opening = kept.opening
    record.step_timer = kept.step_timer
    record.opening_timer = kept.opening_timer
    record.accepted_at_ms = kept.accepted_at_ms
    record.wrap_up_code = kept.wrap_up_code
    state.interactions[record.id] = record
    if record.state is not InteractionState.WRAP_UP:
        state.join_thread(record)
    if kept.barred:
        record.barred = dict(kept.barred)
        state.refused[record.id] = record
        for agent_id in record.barred:
            state.agents[agent_id].barred[record.id] = record
    for offer_id, agent_id, timer in kept.held_by:
        agent = state.agents[agent_id]
        offer = OfferRecord(offer_id, record, agent)
        offer.timer = timer
        record.held_by = (*record.held_by, offer)
        state.offers[offer_id] = agent.work[offer_id] = offer
        agent.load = state.loads.plus(agent.load, record.channel)
        state.market.mark(agent)
    state.refile(record)
    if record.state in (InteractionState.WAITING, InteractionState.OFFERED):
        queue.waiting += 1
        state.waiting += 1
