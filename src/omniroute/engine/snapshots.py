"""The state as bytes and back. Equal states give equal bytes; indexes are rebuilt, not saved.

The picture holds facts only: interactions, agents, what was seen, live timers, counts. Lanes,
groups and loads follow from them. The format carries its version; an unknown one is refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from ..errors import JournalError
from ..model import InteractionState
from .climb import Climb, ladder_of
from .picture import (
    AT_FOOT,
    PLAIN_SIDE,
    Picture,
    SavedAgent,
    SavedClimb,
    SavedInteraction,
    SavedIntervals,
    SavedOffer,
    SavedPace,
    SavedSide,
    SavedTimer,
)
from .queue_record import QueueRecord
from .records import AgentRecord, InteractionRecord, OfferRecord
from .side import Side
from .tallies import Tally, Team, TeamKey, team_key
from .timers import Timer, TimerKind

if TYPE_CHECKING:
    from .state import State

__all__ = ["Picture", "dump", "load", "read"]

_VERSION = 4


def dump(state: State) -> bytes:
    """Everything the engine knows, as msgpack. O(state)."""
    picture = Picture(
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
            _agent(record)
            for record in sorted(state.agents.values(), key=lambda record: record.idle)
        ),
        teams=tuple((key, team.row()) for key, team in sorted(state.teams.items())),
        timers=tuple(
            SavedTimer(t.deadline_ms, t.number, t.kind, t.subject.id, t.agent_id)
            for t in state.timers.live()
        ),
        seen=tuple(
            (channel, tuple((key, at_ms, opened) for key, (at_ms, opened) in seen.items()))
            for channel, seen in sorted(state.seen.channels.items())
        ),
        tallies=tuple(
            (name, channel, tally.row())
            for name, queue in sorted(state.queues.items())
            for channel, tally in sorted(queue.tallies.items())
        ),
        over_rate=state.over_rate,
        senders=tuple(
            (channel, window.ends_ms, tuple(window.counts.items()))
            for channel, window in sorted(state.senders.items())
            if window.counts
        ),
        customers=tuple(state.customers.customers.items()),
        last_agents=tuple((who, agent, at) for who, (agent, at) in state.last_agents.items()),
        last_callbacks=tuple(
            (name, queue.last_callback_ms)
            for name, queue in sorted(state.queues.items())
            if queue.last_callback_ms is not None
        ),
        plan_version=state.plan_version,
        plan_text=state.plan_text,
        draining=tuple(sorted(name for name, q in state.queues.items() if q.is_draining)),
        paces=tuple(
            SavedPace(name, queue.served_ms, tuple(queue.gaps))
            for name, queue in sorted(state.queues.items())
            if queue.served_ms >= 0 or queue.gaps
        ),
        intervals=_intervals(state),
    )
    return msgspec.msgpack.encode(picture)


def _agent(record: AgentRecord) -> SavedAgent:
    return SavedAgent(
        record.agent,
        record.presence,
        record.idle,
        record.last_offer,
        tuple(sorted(record.taken.items())),
        record.lease_ms,
        record.lease_timer,
    )


def read(data: bytes) -> Picture:
    """What `dump` wrote; raises `JournalError` when the bytes are not such a picture."""
    try:
        picture = msgspec.msgpack.decode(data, type=Picture)
    except msgspec.MsgspecError as error:
        raise JournalError(f"not a snapshot: {error}") from error
    if picture.version != _VERSION:
        raise JournalError(f"snapshot format {picture.version} is not known, only {_VERSION}")
    return picture


def load(state: State, picture: Picture) -> None:
    """Fill a fresh state."""
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
    for channel, ends_ms, senders in picture.senders:
        window = state.senders[channel]
        window.ends_ms = ends_ms
        window.counts.update(senders)
    state.customers.restore(picture.customers)
    for name, channel, counts in picture.tallies:
        tally = state.queue(name).tally(channel)
        for field, count in zip(Tally.__slots__, counts, strict=True):
            setattr(tally, field, count)
    teams = dict(picture.teams)
    for saved in picture.agents:
        _restore_agent(state, saved, teams)
    for kept in picture.interactions:
        _restore_interaction(state, kept)
    for kept in picture.interactions:
        _restore_side(state, kept)
    state.last_agents.update((who, (agent, at)) for who, agent, at in picture.last_agents)
    for name, at_ms in picture.last_callbacks:
        state.queue(name).last_callback_ms = at_ms
    state.plan_version = picture.plan_version
    state.plan_text = picture.plan_text
    for name in picture.draining:
        state.queue(name).drain(is_draining=True)
    for pace in picture.paces:
        queue = state.queue(pace.queue)
        queue.served_ms = pace.served_ms
        queue.gaps.extend(pace.gaps)
    _restore_intervals(state, picture.intervals)
    state.timers.restore(
        [
            Timer(t.deadline_ms, t.number, t.kind, _subject(state, t), t.agent_id)
            for t in picture.timers
        ],
        picture.timer_count,
    )


def _subject(state: State, timer: SavedTimer) -> InteractionRecord | AgentRecord:
    of_agent = timer.kind is TimerKind.LEASE
    return (state.agents if of_agent else state.interactions)[timer.subject_id]


def _interaction(record: InteractionRecord) -> SavedInteraction:
    return SavedInteraction(
        id=record.id,
        seq=record.seq,
        messages=record.messages,
        queue=record.queue.name,
        priority=record.priority,
        requirement=record.requirement,
        enqueued_at_ms=record.enqueued_at_ms,
        state=record.state,
        arrived_at_ms=record.arrived_at_ms,
        held_by=tuple(
            SavedOffer(o.id, o.agent.id, o.timer, o.since_ms, o.accepted_at_ms)
            for o in record.held_by
        ),
        offers=record.offers,
        front=record.front,
        climb=_climb(record.climb),
        side=None if record.side is None else _side(record.side),
        barred=tuple(sorted((record.barred or {}).items())),
    )


def _climb(climb: Climb) -> SavedClimb | None:
    """What is in it; None at the foot."""
    found = SavedClimb(
        own_steps=climb.own_steps,
        step=climb.step,
        step_ends_at_ms=climb.step_ends_at_ms,
        step_timer=climb.step_timer,
        opening=climb.opening,
        opening_timer=climb.opening_timer,
        max_wait_ms=climb.max_wait_ms,
        clock_timer=climb.clock_timer,
    )
    return None if found == AT_FOOT else found


def _side(side: Side) -> SavedSide | None:
    """What is in it; None when it is as if it had never been needed."""
    found = SavedSide(
        kind=side.kind,
        parent_id=side.parent_id,
        conversation_id=side.conversation_id,
        consult_id=None if side.consult is None else side.consult.id,
        in_conference=side.in_conference,
        owner_id=side.owner_id,
        is_callback=side.is_callback,
        attempts=side.attempts,
        wrap_up_until_ms=side.wrap_up_until_ms,
        wrap_up_limit_ms=side.wrap_up_limit_ms,
        code=side.code,
        own_priority=side.own_priority,
        beside=tuple(record.id for record in side.open_beside()),
        own_links=side.own_links,
    )
    return None if found == PLAIN_SIDE else found


def _restore_side(state: State, kept: SavedInteraction) -> None:
    """The facts beside; after all interactions are there, because they point to each other."""
    saved = kept.side
    if saved is None:
        return
    side = state.interactions[kept.id].aside()
    side.kind = saved.kind
    side.parent_id = saved.parent_id
    side.conversation_id = saved.conversation_id
    side.consult = None if saved.consult_id is None else state.interactions[saved.consult_id]
    side.in_conference = saved.in_conference
    side.owner_id = saved.owner_id
    side.is_callback = saved.is_callback
    side.attempts = saved.attempts
    side.wrap_up_until_ms = saved.wrap_up_until_ms
    side.wrap_up_limit_ms = saved.wrap_up_limit_ms
    side.code = saved.code
    side.own_priority = saved.own_priority
    side.beside = tuple(state.interactions[each] for each in saved.beside)
    side.own_links = saved.own_links


def _intervals(state: State) -> SavedIntervals:
    intervals = state.intervals
    return SavedIntervals(
        start_ms=intervals.start_ms,
        next_ms=intervals.next_ms,
        kept=tuple(intervals.kept),
        read=tuple((*key, row) for key, row in sorted(intervals.read.items())),
        read_groups=tuple(intervals.read_groups.items()),
        groups=tuple(intervals.groups.items()),
    )


def _restore_intervals(state: State, saved: SavedIntervals) -> None:
    intervals = state.intervals
    intervals.start_ms, intervals.next_ms = saved.start_ms, saved.next_ms
    intervals.kept.extend(saved.kept)
    intervals.read.update(((name, channel), row) for name, channel, row in saved.read)
    intervals.read_groups.update(saved.read_groups)
    intervals.groups.update(saved.groups)
    intervals.look_back()


def _restore_agent(
    state: State, saved: SavedAgent, teams: Mapping[TeamKey, tuple[int, ...]]
) -> None:
    capacity = state.capacity(saved.agent)
    record = AgentRecord(saved.agent, state.loads.get(capacity, {}))
    record.presence = saved.presence
    record.idle = saved.idle
    record.last_offer = saved.last_offer
    record.taken = dict(saved.taken)
    record.lease_ms = saved.lease_ms
    record.lease_timer = saved.lease_timer
    key = team_key(saved.agent)
    team = state.teams.get(key)
    if team is None:
        team = state.teams[key] = Team(key[0], capacity)
        for name, count in zip(Team.FIELDS, teams[key], strict=True):
            setattr(team, name, count)
    record.team = team
    state.agents[record.id] = record
    state.market.enter(record)


def _restored_climb(kept: SavedClimb, queue: QueueRecord) -> Climb:
    """As it was; a plan of today may have fewer steps and delays."""
    climb = Climb(kept.own_steps, ladder_of(kept.own_steps, queue.plan))
    climb.step = min(kept.step, len(climb.ladder) - 1)
    climb.step_ends_at_ms = kept.step_ends_at_ms
    climb.step_timer = kept.step_timer
    climb.opening = min(kept.opening, len(queue.delays))
    climb.opening_timer = kept.opening_timer
    climb.max_wait_ms = kept.max_wait_ms
    climb.clock_timer = kept.clock_timer
    return climb


def _restore_interaction(state: State, kept: SavedInteraction) -> None:
    queue = state.queue(kept.queue)
    record = InteractionRecord(
        kept.id,
        kept.seq,
        kept.messages[0],
        queue,
        kept.priority,
        kept.requirement,
        kept.enqueued_at_ms,
    )
    record.arrived_at_ms = kept.arrived_at_ms
    record.later = list(kept.messages[1:]) or None
    record.state = kept.state
    record.offers = kept.offers
    if kept.climb is not None:
        record.is_plain = False
        record.climb = _restored_climb(kept.climb, queue)
    record.rank(front=kept.front)
    state.interactions[record.id] = record
    if record.state is not InteractionState.WRAP_UP:
        state.join_thread(record)
    if kept.barred:
        record.is_plain = False
        record.barred = dict(kept.barred)
        state.refused[record.id] = record
        for agent_id in record.barred:
            state.agents[agent_id].barred[record.id] = record
    for saved in kept.held_by:
        agent = state.agents[saved.agent_id]
        offer = OfferRecord(saved.id, record, agent, saved.since_ms)
        offer.timer = saved.timer
        offer.accepted_at_ms = saved.accepted_at_ms
        if record.offer is None:
            record.offer = offer
        else:
            record.hold((*record.held_by, offer))
        state.offers[saved.id] = agent.work[saved.id] = offer
        if record.state is InteractionState.OFFERED:
            agent.load = state.loads.plus(agent.load, offer.kind)
        else:
            if record.state is InteractionState.WRAP_UP and queue.wrap_up_kind is not None:
                offer.kind = queue.wrap_up_kind
            agent.load = state.loads.taken(agent.load, offer.kind)
        state.market.mark(agent)
    state.refile(record)
    if record.state in (InteractionState.WAITING, InteractionState.OFFERED):
        queue.waiting += 1
        state.waiting += 1
    elif record.state in (InteractionState.SCHEDULED, InteractionState.PARKED):
        state.set_aside += 1
        state.parked += record.state is InteractionState.PARKED
