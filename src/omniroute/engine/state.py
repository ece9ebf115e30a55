"""The state of the engine and the only way to change it: apply an event.

`Engine` decides and then calls the same methods that `apply` calls in a replay, so live
and replayed state cannot differ. Nothing in here decides: every method writes down what its
event says and keeps the index (`Market`), the timers and the counts in step. Each
state transition goes through the table in `lifecycle`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .. import events as ev
from ..events import Event
from ..model import Channel, InteractionState, Message
from ..plan import Expression, Plan, Queue, Scope, all_of, parse
from .capacity import Loads
from .lanes import Lane, Need
from .lifecycle import INTERACTION, PRESENCE
from .market import Market
from .records import UNTIL_RESET, AgentRecord, InteractionRecord, QueueRecord, order_key
from .timers import TimerKind, Timers

__all__ = ["State"]

_WAITING = InteractionState.WAITING

_ROW_QUEUED = INTERACTION[ev.Queued]
_ROW_OFFERED = INTERACTION[ev.Offered]
_ROW_ACCEPTED = INTERACTION[ev.Accepted]
_ROW_COMPLETED = INTERACTION[ev.Completed]


class State:
    """Everything the engine knows, folded from events."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_ms = 0
        self.seq = 0
        self.last_offer = 0
        self.idle = 0
        self.waiting = 0
        self.queues = {name: QueueRecord(queue) for name, queue in plan.queues.items()}
        self.interactions: dict[str, InteractionRecord] = {}
        self.agents: dict[str, AgentRecord] = {}
        #: open offers and assignments
        self.offers: dict[int, InteractionRecord] = {}
        #: by channel, then thread id: the open interaction of the thread
        self.threads: dict[Channel, dict[str, InteractionRecord]] = {}
        #: by channel, then message id, oldest first: (when, what it opened or joined)
        self.seen: dict[Channel, OrderedDict[str, tuple[int, str]]] = {}
        #: waiting and offered interactions that some agent is barred from
        self.refused: dict[str, InteractionRecord] = {}
        self.quarantined = 0
        self.duplicates = 0
        self.unrouted = 0
        self.market = Market(self.agents)
        self.timers = Timers()
        self.loads = Loads()

    def apply(self, event: Event) -> None:
        """Fold one event in. Raises `KeyError` when the move is illegal in this state."""
        self.now_ms = max(self.now_ms, event.at_ms)
        _APPLY[type(event)](self, event)

    # --- what several handlers need -----------------------------------------------------

    def effective(self, queue: Queue, step: int, own: str | None) -> Expression | None:
        """The requirement in force: members, step, and the own one less what the step drops."""
        wanted = parse(own, Scope.AGENT) if own is not None else None
        dropped = queue.ladder[step].drop
        if wanted is not None and dropped:
            wanted = wanted.without(dropped)
        return all_of(queue.members, queue.ladder[step].requirement, wanted)

    def lane(self, queue: QueueRecord, step: int, own: str | None, channel: Channel) -> Lane:
        """The lane for this step; cached per queue by what it is asked with."""
        key = (step, own, channel)
        lane = queue.lanes.get(key)
        if lane is None:
            expression = self.effective(queue.plan, step, own)
            lane = queue.lanes[key] = self.market.lane(queue, expression, channel)
        return lane

    def need(self, record: InteractionRecord, step: int | None = None) -> Need:
        """Who satisfies its requirement at a step (None: the current one)."""
        step = record.step if step is None else step
        return self.lane(record.queue, step, record.requirement, record.channel).need

    def remember(self, message: Message, interaction_id: str, at_ms: int) -> None:
        """Keep the message id for the dedupe time; the oldest go first. O(1) amortised."""
        message_id = message.message_id
        if message_id is None:
            return
        seen = self.seen.get(message.channel)
        if seen is None:
            seen = self.seen[message.channel] = OrderedDict()
        seen[message_id] = (at_ms, interaction_id)
        seen.move_to_end(message_id)
        limits = self.plan.limits
        horizon_ms = at_ms - limits.dedupe_ms
        while len(seen) > limits.max_dedupe_keys or next(iter(seen.values()))[0] < horizon_ms:
            seen.popitem(last=False)

    def seen_before(self, message: Message, now_ms: int) -> str | None:
        """What the message opened or joined when it was seen within the dedupe time."""
        seen = self.seen.get(message.channel)
        if seen is None or message.message_id is None:
            return None
        found = seen.get(message.message_id)
        if found is None or now_ms - found[0] > self.plan.limits.dedupe_ms:
            return None
        return found[1]

    def thread(self, message: Message) -> InteractionRecord | None:
        """The open interaction of the message's thread, if any."""
        threads = self.threads.get(message.channel)
        return threads.get(message.thread_id) if threads and message.thread_id else None

    def _wait(self, record: InteractionRecord) -> None:
        """It waits (again): in the lane of its step, at its key."""
        record.lane = self.lane(record.queue, record.step, record.requirement, record.channel)
        self.market.put(record)

    def _arm_step(self, record: InteractionRecord, began_at_ms: int) -> None:
        """Set the end of the step that began at that moment; the last step has none."""
        step = record.queue.plan.ladder[record.step]
        if step.for_ms is not None:
            record.step_ends_at_ms = began_at_ms + step.for_ms
            record.step_timer = self.timers.after(
                TimerKind.STEP, step.for_ms, began_at_ms, record
            )
        elif step.until_ms is not None:
            record.step_ends_at_ms = ends = max(record.enqueued_at_ms + step.until_ms, began_at_ms)
            record.step_timer = self.timers.at(TimerKind.STEP, ends, record)
        else:
            record.step_ends_at_ms = None
            record.step_timer = 0

    def _touch(self, agent: AgentRecord) -> None:
        """He is now the least idle of all."""
        by_idle = self.market.by_idle
        by_idle.pop(agent.idle, None)
        self.idle = agent.idle = self.idle + 1
        by_idle[agent.idle] = agent
        self.market.mark(agent)

    def _give_back(self, record: InteractionRecord) -> AgentRecord:
        """The agent does not carry it any more; returns him."""
        agent = record.agent
        assert agent is not None
        del self.offers[record.offer_id]
        del agent.work[record.offer_id]
        agent.load = agent.load.minus.get(record.channel) or self.loads.minus(
            agent.load, record.channel
        )
        self.market.mark(agent)
        record.agent = None
        record.offer_id = 0
        record.timer = 0
        return agent

    def _bar(
        self, record: InteractionRecord, agent: AgentRecord, at_ms: int, again_at_ms: int | None
    ) -> None:
        """He is not offered it again until then (None: not barred, -1: until reset)."""
        if again_at_ms is None:
            return
        if record.barred is None:
            record.barred = {}
        if again_at_ms == UNTIL_RESET:
            record.barred[agent.id] = UNTIL_RESET
        else:
            record.barred[agent.id] = self.timers.after(
                TimerKind.REFUSAL, again_at_ms - at_ms, at_ms, record, agent.id
            )
        agent.barred[record.id] = record
        self.refused[record.id] = record

    def _unbar(self, record: InteractionRecord, agent_id: str | None = None) -> None:
        """Forget who refused it: one agent, or all."""
        if record.barred is None:
            return
        for barred_id in [agent_id] if agent_id is not None else list(record.barred):
            record.barred.pop(barred_id, None)
            agent = self.agents.get(barred_id)
            if agent is not None:
                agent.barred.pop(record.id, None)
        if not record.barred:
            record.barred = None
            del self.refused[record.id]

    def _end(self, record: InteractionRecord) -> None:
        """It is nobody's concern any more."""
        del self.interactions[record.id]
        self._unbar(record)
        record.step_timer = 0
        record.timer = 0
        self._leave_thread(record)

    def _leave_thread(self, record: InteractionRecord) -> None:
        """Further messages of its thread open a new interaction."""
        message = record.opening
        if message.thread_id is not None:
            threads = self.threads[message.channel]
            if threads.get(message.thread_id) is record:
                del threads[message.thread_id]

    # --- interactions -------------------------------------------------------------------

    def queued(self, event: ev.Queued) -> InteractionRecord:
        """A new interaction waits."""
        message = event.message
        queue = self.queues[event.queue]
        interaction_id = event.interaction_id
        at_ms = event.at_ms
        assert interaction_id not in self.interactions
        record = InteractionRecord(
            interaction_id, event.seq, message, queue, event.priority, event.requirement, at_ms
        )
        channel = message.channel
        record.state = _ROW_QUEUED[record.state]
        record.tally = tally = queue.tallies.get(channel) or queue.tally(channel)
        tally.queued += 1
        self.seq = event.seq
        self.interactions[interaction_id] = record
        if message.thread_id is not None:
            self.threads.setdefault(channel, {})[message.thread_id] = record
        if message.message_id is not None:
            self.remember(message, interaction_id, at_ms)
        queue.waiting += 1
        self.waiting += 1
        record.lane = queue.lanes.get((0, event.requirement, channel)) or self.lane(
            queue, 0, event.requirement, channel
        )
        self.market.put(record)
        if len(queue.plan.ladder) > 1:
            self._arm_step(record, at_ms)
        return record

    def rejected(self, event: ev.Rejected) -> None:
        """Refused at the door."""
        self._number(event.interaction_id)
        self.remember(event.message, event.interaction_id, event.at_ms)
        if event.queue is None:
            self.unrouted += 1
        else:
            self.queues[event.queue].tally(event.message.channel).rejected += 1

    def quarantine(self, event: ev.Quarantined) -> None:
        """Kept aside."""
        self._number(event.interaction_id)
        self.remember(event.message, event.interaction_id, event.at_ms)
        self.quarantined += 1

    def _number(self, interaction_id: str) -> None:
        """An id that the engine made uses up a number of the sequence."""
        if interaction_id == f"i{self.seq + 1}":
            self.seq += 1

    def duplicate(self, event: ev.Duplicate) -> None:
        """Seen before; only counted."""
        self.duplicates += 1

    def message_appended(self, event: ev.MessageAppended) -> None:
        """A further message of an open thread."""
        record = self.interactions[event.interaction_id]
        record.state = INTERACTION[ev.MessageAppended][record.state]
        record.append(event.message, self.plan.limits.max_messages)
        record.tally.messages += 1
        self.remember(event.message, event.interaction_id, event.at_ms)

    def step_reached(self, event: ev.StepReached) -> None:
        """It waits with another requirement from now on."""
        record = self.interactions[event.interaction_id]
        record.state = INTERACTION[ev.StepReached][record.state]
        record.step = event.step
        if record.state is _WAITING:
            self.market.take(record)
            self._wait(record)
        self._arm_step(record, event.at_ms)

    def reprioritized(self, event: ev.Reprioritized) -> None:
        """Another place in the order, at once."""
        record = self.interactions[event.interaction_id]
        record.state = INTERACTION[ev.Reprioritized][record.state]
        waits = record.state is _WAITING
        if waits:
            self.market.take(record)
        record.priority = event.priority
        record.key = order_key(
            record.queue.plan, record.priority, record.enqueued_at_ms, record.seq
        )
        if waits:
            self.market.put(record)

    def refusals_reset(self, event: ev.RefusalsReset) -> None:
        """Who declined may be offered it again."""
        record = self.interactions[event.interaction_id]
        record.state = INTERACTION[ev.RefusalsReset][record.state]
        self._unbar(record, event.agent_id)

    def abandoned(self, event: ev.Abandoned) -> None:
        """The customer went away while it waited."""
        record = self._stop_waiting(event)
        waited_ms = event.at_ms - record.enqueued_at_ms
        record.tally.abandoned += 1
        if waited_ms <= record.queue.plan.service_level.target_ms:
            record.tally.abandoned_in_time += 1

    def cancelled(self, event: ev.Cancelled) -> None:
        """Taken out, from any open state."""
        record = self.interactions[event.interaction_id]
        if record.state is _WAITING:
            self._stop_waiting(event)
        else:
            record.state = INTERACTION[ev.Cancelled][record.state]
            self._touch(self._give_back(record))
            self._end(record)
        record.tally.cancelled += 1

    def _stop_waiting(self, event: ev.Abandoned | ev.Cancelled) -> InteractionRecord:
        record = self.interactions[event.interaction_id]
        record.state = INTERACTION[type(event)][record.state]
        self.market.take(record)
        record.queue.waiting -= 1
        self.waiting -= 1
        self._end(record)
        return record

    # --- offers ---------------------------------------------------------------------------

    def offered(self, event: ev.Offered) -> None:
        """Held out to an agent; it holds his capacity."""
        record = self.interactions[event.interaction_id]
        agent = self.agents[event.agent_id]
        offer_id = event.offer_id
        record.state = _ROW_OFFERED[record.state]
        self.market.take(record)
        record.agent = agent
        record.offer_id = self.last_offer = agent.last_offer = offer_id
        record.offers += 1
        lane = record.lane
        assert lane is not None
        channel = lane.channel
        agent.load = agent.load.plus.get(channel) or self.loads.plus(agent.load, channel)
        self.offers[offer_id] = agent.work[offer_id] = record
        self.market.mark(agent)
        record.tally.offered += 1
        record.timer = self.timers.after(
            TimerKind.OFFER, event.expires_at_ms - event.at_ms, event.at_ms, record
        )

    def accepted(self, event: ev.Accepted) -> None:
        """The agent has it."""
        record = self.offers[event.offer_id]
        agent = record.agent
        assert agent is not None
        record.state = _ROW_ACCEPTED[record.state]
        record.timer = 0
        record.step_timer = 0
        if record.barred is not None:
            self._unbar(record)
        at_ms = event.at_ms
        record.accepted_at_ms = at_ms
        record.offers = 0
        queue = record.queue
        queue.waiting -= 1
        self.waiting -= 1
        self._touch(agent)
        waited_ms = at_ms - record.enqueued_at_ms
        tally = record.tally
        tally.accepted += 1
        tally.wait_ms += waited_ms
        if waited_ms <= queue.plan.service_level.target_ms:
            tally.accepted_in_time += 1

    def declined(self, event: ev.Declined) -> None:
        """The agent refused; it waits again at its old place."""
        record, agent = self._offer_over(event)
        self._touch(agent)
        self._bar(record, agent, event.at_ms, event.again_at_ms)
        record.tally.declined += 1

    def expired(self, event: ev.Expired) -> None:
        """The agent did not answer; it waits again at its old place."""
        record, agent = self._offer_over(event)
        self._touch(agent)
        record.tally.expired += 1

    def revoked(self, event: ev.Revoked) -> None:
        """Taken back; it waits again at its old place."""
        record, agent = self._offer_over(event)
        self._bar(record, agent, event.at_ms, event.again_at_ms)
        record.tally.revoked += 1

    def _offer_over(
        self, event: ev.Declined | ev.Expired | ev.Revoked
    ) -> tuple[InteractionRecord, AgentRecord]:
        record = self.offers[event.offer_id]
        record.state = INTERACTION[type(event)][record.state]
        agent = self._give_back(record)
        self._wait(record)
        return record, agent

    # --- assignments ----------------------------------------------------------------------

    def held(self, event: ev.Held | ev.Resumed) -> None:
        """On hold, or taken up again; capacity stays."""
        record = self.offers[event.assignment_id]
        record.state = INTERACTION[type(event)][record.state]

    def requeued(self, event: ev.Requeued) -> None:
        """It waits again at its age; the ladder goes on where it stood."""
        record = self.offers[event.assignment_id]
        record.state = INTERACTION[ev.Requeued][record.state]
        agent = self._give_back(record)
        self._touch(agent)
        record.tally.requeued += 1
        record.tally.handle_ms += event.at_ms - record.accepted_at_ms
        record.queue.waiting += 1
        self.waiting += 1
        self._wait(record)
        if record.step_ends_at_ms is not None:
            record.step_timer = self.timers.at(
                TimerKind.STEP, max(record.step_ends_at_ms, event.at_ms), record
            )
        self._bar(record, agent, event.at_ms, event.again_at_ms)

    def wrap_up_started(self, event: ev.WrapUpStarted) -> None:
        """The customer has gone, the agent's capacity has not come back yet."""
        record = self.offers[event.assignment_id]
        record.state = INTERACTION[ev.WrapUpStarted][record.state]
        record.wrap_up_code = event.code
        self._leave_thread(record)
        if event.until_ms is not None:
            record.timer = self.timers.after(
                TimerKind.WRAP_UP, event.until_ms - event.at_ms, event.at_ms, record
            )

    def completed(self, event: ev.Completed) -> None:
        """Finished."""
        record = self.offers[event.assignment_id]
        record.state = _ROW_COMPLETED[record.state]
        self._touch(self._give_back(record))
        self._end(record)
        tally = record.tally
        tally.completed += 1
        tally.handle_ms += event.at_ms - record.accepted_at_ms

    # --- agents ---------------------------------------------------------------------------

    def signed_in(self, event: ev.SignedIn) -> None:
        """An agent begins to work, not ready yet."""
        agent = event.agent
        assert agent.id not in self.agents
        load = self.loads.get(self.plan.capacities[agent.capacity], {})
        record = AgentRecord(agent, load)
        record.presence = PRESENCE[ev.SignedIn][record.presence]
        self.agents[agent.id] = record
        self.market.enter(record)
        self._touch(record)

    def signed_out(self, event: ev.SignedOut) -> None:
        """An agent leaves; he carries nothing."""
        record = self.agents.pop(event.agent_id)
        record.presence = PRESENCE[ev.SignedOut][record.presence]
        assert not record.work, "an agent signed out with work"
        for refused in list(record.barred.values()):
            self._unbar(refused, record.id)
        self.market.leave(record)
        del self.market.by_idle[record.idle]

    def presence_changed(self, event: ev.BecameReady | ev.BecameNotReady) -> None:
        """Ready, or not ready any more."""
        record = self.agents[event.agent_id]
        record.presence = PRESENCE[type(event)][record.presence]
        self.market.mark(record)

    def agent_changed(self, event: ev.AgentChanged) -> None:
        """Other skills, groups, attributes or capacity; what he carries stays."""
        record = self.agents[event.agent.id]
        record.presence = PRESENCE[ev.AgentChanged][record.presence]
        self.market.leave(record)
        record.agent = event.agent
        counts = dict(record.load.counts)
        record.load = self.loads.get(self.plan.capacities[event.agent.capacity], counts)
        self.market.enter(record)

    def command_rejected(self, event: ev.CommandRejected) -> None:
        """Nothing has changed."""


_APPLY: dict[type[Event], Callable[[State, Any], object]] = {
    ev.Queued: State.queued,
    ev.Rejected: State.rejected,
    ev.Quarantined: State.quarantine,
    ev.Duplicate: State.duplicate,
    ev.MessageAppended: State.message_appended,
    ev.StepReached: State.step_reached,
    ev.Reprioritized: State.reprioritized,
    ev.RefusalsReset: State.refusals_reset,
    ev.Abandoned: State.abandoned,
    ev.Cancelled: State.cancelled,
    ev.Offered: State.offered,
    ev.Accepted: State.accepted,
    ev.Declined: State.declined,
    ev.Expired: State.expired,
    ev.Revoked: State.revoked,
    ev.Held: State.held,
    ev.Resumed: State.held,
    ev.Requeued: State.requeued,
    ev.WrapUpStarted: State.wrap_up_started,
    ev.Completed: State.completed,
    ev.SignedIn: State.signed_in,
    ev.SignedOut: State.signed_out,
    ev.BecameReady: State.presence_changed,
    ev.BecameNotReady: State.presence_changed,
    ev.AgentChanged: State.agent_changed,
    ev.CommandRejected: State.command_rejected,
}
