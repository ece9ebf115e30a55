"""The state of the engine: records, the index over them, timers, counts. Decides nothing.

Only `apply` writes it, and only because of an event; the methods in here are the small moves that
several events share. The market, the loads and the timers follow from the facts.
"""

from __future__ import annotations

from collections import OrderedDict

from ..errors import PlanError
from ..events import Kind, OwnStep
from ..model import Agent, Channel, Interaction, InteractionState, Message, Presence
from ..plan import Capacity, Expression, Plan, Queue, Scope, all_of, not_agents, parse
from . import clocks
from .capacity import Load, Loads, WorkKind
from .climb import ladder_of
from .customers import Customers
from .intervals import Intervals
from .lanes import Lane, LaneAsk, LaneKey, Need
from .market import Market
from .order import HELD_OUT
from .queue_record import QueueRecord
from .records import UNTIL_RESET, AgentRecord, InteractionRecord, OfferRecord
from .seen import Seen
from .senders import senders
from .tallies import Team, TeamKey, team_key
from .timers import TimerKind, Timers

__all__ = ["State"]


_READY = Presence.READY


class State:
    """Everything the engine knows, folded from events."""

    __slots__ = (
        "_shares",
        "agents",
        "customers",
        "duplicates",
        "has_codes",
        "idle",
        "interactions",
        "intervals",
        "keeps_last_agents",
        "known_requirements",
        "last_agents",
        "last_offer",
        "limits_offers",
        "loads",
        "market",
        "max_priority",
        "now_ms",
        "offers",
        "over_rate",
        "parked",
        "plan",
        "plan_text",
        "plan_version",
        "quarantined",
        "queues",
        "refused",
        "seen",
        "senders",
        "seq",
        "set_aside",
        "teams",
        "threads",
        "timers",
        "unattended",
        "unrouted",
        "waiting",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.max_priority = plan.limits.max_priority
        self.now_ms = 0
        #: numbers given last: interactions, offers, touches of agents
        self.seq = 0
        self.last_offer = 0
        self.idle = 0
        #: whether time passes in which nobody can be offered anything
        self.unattended = False
        #: how often the plan was changed, and its text since (None: never)
        self.plan_version = 0
        self.plan_text: str | None = None
        #: how many wait or are offered, over all queues
        self.waiting = 0
        #: how many are scheduled or parked, and how many of these are parked
        self.set_aside = 0
        self.parked = 0
        #: who served a customer last, and when; by customer id
        self.last_agents: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self.has_codes = any(q.codes for q in plan.queues.values())
        self.keeps_last_agents = any(q.last_agent is not None for q in plan.queues.values())
        self.limits_offers = any(c.max_open_offers is not None for c in plan.capacities.values())
        self.intervals = Intervals(plan.limits.interval_ms, plan.limits.max_intervals)
        self.timers = Timers()
        self.loads = Loads(plan.queues.values())
        self.queues: dict[str, QueueRecord] = {}
        self._shares = any(queue.share is not None for queue in plan.queues.values())
        for queue in plan.queues.values():
            self._add_queue(queue)
        self.interactions: dict[str, InteractionRecord] = {}
        self.agents: dict[str, AgentRecord] = {}
        #: who is signed in, counted by groups and capacity
        self.teams: dict[TeamKey, Team] = {}
        #: open offers and assignments
        self.offers: dict[int, OfferRecord] = {}
        #: by channel, then thread id: the interaction that further messages join
        self.threads: dict[Channel, dict[str, InteractionRecord]] = {}
        #: interactions that some agent is barred from
        self.refused: dict[str, InteractionRecord] = {}
        self.seen = Seen(plan.limits)
        self.senders = senders(plan.sender_rate)
        self.customers = Customers(plan.identity)
        self.over_rate = 0
        self.quarantined = 0
        self.duplicates = 0
        self.unrouted = 0
        #: own requirements whose names were checked against the plan; a cache
        self.known_requirements: set[str] = set()
        self.market = Market(self.agents, plan, self.picture, self.required_skills)

    # --- what a journal may name that the plan has no more ----------------------------------

    def queue(self, name: str) -> QueueRecord:
        """The queue of that name. One that the plan has no more goes on with default settings.

        A journal outlives plans: what waited in a queue when it was removed still waits,
        and every agent who satisfies its own requirement may take it.
        """
        found = self.queues.get(name)
        return self._add_queue(Queue(name=name)) if found is None else found

    def _add_queue(self, plan: Queue) -> QueueRecord:
        offer_timers = self.timers.fifo(TimerKind.OFFER, plan.offer_timeout_ms)
        record = QueueRecord(plan, offer_timers, self.loads, shares=self._shares)
        self.queues[plan.name] = record
        return record

    def capacity(self, agent: Agent) -> Capacity:
        """The capacity of an agent. Raises `PlanError` for one that the plan has no more."""
        found = self.plan.capacities.get(agent.capacity)
        if found is None:
            raise PlanError(
                f"agent {agent.id!r} of the journal has the capacity {agent.capacity!r}, "
                "which the plan does not define any more; keep it until he has signed out"
            )
        return found

    # --- requirements ---------------------------------------------------------------------

    def know_requirement(self, own: str) -> None:
        """Need not be checked again; the cache is bounded by the limit on lanes."""
        if len(self.known_requirements) >= self.plan.limits.max_lanes:
            self.known_requirements.clear()
        self.known_requirements.add(own)

    def effective(
        self, queue: QueueRecord, own_steps: tuple[OwnStep, ...], step: int, own: str | None
    ) -> Expression | None:
        """The requirement in force: members, step, and the own one less what the step drops."""
        entered = ladder_of(own_steps, queue.plan)[step]
        if step < len(own_steps) and own_steps[step].direct:
            return entered.requirement
        wanted = parse(own, Scope.AGENT) if own is not None else None
        if wanted is not None and entered.drop:
            wanted = wanted.without(entered.drop)
        return all_of(queue.plan.members, entered.requirement, wanted)

    def lane(self, queue: QueueRecord, ask: LaneAsk) -> Lane:
        """The lane for this step and opening; cached per queue by what it is asked with."""
        lane = queue.lanes.get(ask)
        if lane is None:
            own_steps, step, opening, own, channel = ask
            expression = self.effective(queue, own_steps, step, own)
            if opening < len(queue.delays):
                expression = all_of(expression, queue.closed(opening))
            lane = queue.lanes[ask] = self.market.lane(queue, expression, channel)
        return lane

    def need(self, record: InteractionRecord) -> Need:
        """Who may take it now, presence, room and refusals aside."""
        return self.lane(record.queue, record.ask).need

    def lanes_in_use(self) -> set[LaneKey]:
        """The lanes that are asked for, refusals and open offers aside. O(waiting).

        By their keys: an empty one may be swept, and made anew, while they are counted.
        """
        return {self.lane(r.queue, r.ask).key for r in self.market.open_to_offers()}

    def required_skills(self, record: InteractionRecord) -> tuple[str, ...]:
        """The skills that its members, step and own requirement require, for the strategies."""
        wanted = self.effective(record.queue, record.own_steps, record.step, record.requirement)
        return () if wanted is None else wanted.required_skills

    def need_at(self, record: InteractionRecord, step: int) -> Need:
        """Who satisfies its requirement at a step, however long his access is delayed."""
        expression = self.effective(record.queue, record.own_steps, step, record.requirement)
        return self.market.need(expression)

    # --- threads --------------------------------------------------------------------------

    def thread(self, message: Message) -> InteractionRecord | None:
        """The interaction that a message of this thread joins, if any."""
        threads = self.threads.get(message.channel)
        return threads.get(message.thread_id) if threads and message.thread_id else None

    def join_thread(self, record: InteractionRecord) -> None:
        """Further messages of its thread join this interaction."""
        thread_id = record.message.thread_id
        if thread_id is not None:
            record.is_plain = False
            self.threads.setdefault(record.channel, {})[thread_id] = record

    def leave_thread(self, record: InteractionRecord) -> None:
        """Further messages of its thread open a new interaction."""
        thread_id = record.message.thread_id
        if thread_id is not None:
            threads = self.threads.get(record.channel)
            if threads and threads.get(thread_id) is record:
                del threads[thread_id]

    def picture(self, record: InteractionRecord) -> Interaction:
        """The public picture of an interaction at this moment."""
        return record.picture(self.customer_of(record))

    def customer_of(self, record: InteractionRecord) -> str:
        """Who it is with, over all linked channels: the first who is named; "" when nobody is."""
        for message in record.messages:
            if message.customer.id:
                return self.customers.of(message)
        return ""

    # --- waiting --------------------------------------------------------------------------

    def wait(self, record: InteractionRecord) -> None:
        """It is open to offers (again): in the lane of its step and opening, at its place.

        One that agents are barred from waits in a lane that is not in their rows.
        """
        queue = record.queue
        ask: LaneAsk = ((), 0, 0, record.requirement, record.channel)
        if not record.is_plain:
            ask = record.ask
        lane = queue.lanes.get(ask)
        if lane is None:
            lane = self.lane(queue, ask)
        if record.barred is not None:
            expression = all_of(lane.need.expression, not_agents(record.barred))
            lane = self.market.lane(queue, expression, record.channel, lane, record.barred)
        record.lane = lane
        if record.offer is not None:
            record.place = HELD_OUT + record.seq
        else:
            record.place = record.key
            if not queue.lined:
                queue.served_ms = -1
            queue.lined += 1
        self.market.put(record)

    def stop_waiting(self, record: InteractionRecord) -> None:
        """It is not open to offers any more, if it was."""
        if record.lane is not None:
            self.market.take(record)
            record.lane = None
            if record.place < HELD_OUT:
                record.queue.lined -= 1

    def refile(self, record: InteractionRecord) -> None:
        """What decides on its lane or place has changed; also whether it is open to offers."""
        queue = record.queue
        is_lined = record.lane is not None and record.place < HELD_OUT
        served_ms = queue.served_ms if is_lined else -1
        self.stop_waiting(record)
        if record.state is InteractionState.WAITING or (
            record.state is InteractionState.OFFERED
            and len(record.held_by) < record.queue.plan.offers
            and record.offers < self.plan.limits.max_offers
        ):
            self.wait(record)
            if served_ms >= 0 and queue.lined == 1:
                queue.served_ms = served_ms

    # --- agents and what they carry -------------------------------------------------------

    def join_team(self, record: AgentRecord, at_ms: int) -> None:
        """He is counted from now on, with those of his groups and capacity."""
        key = team_key(record.agent)
        team = self.teams.get(key)
        if team is None:
            team = self.teams[key] = Team(key[0], record.load.capacity)
            self.intervals.admit(team, self.plan.limits.max_groups)
        record.team = team
        team.join(record.load, at_ms, 1, ready=record.presence is Presence.READY)

    def leave_team(self, record: AgentRecord, at_ms: int) -> None:
        """He leaves, or is another one from now on: what he had counted stays with the team."""
        team = record.team
        for offer in record.work.values():
            team.carried_ms += offer.cost * (at_ms - offer.since_ms)
            offer.since_ms = at_ms
        team.join(record.load, at_ms, -1, ready=record.presence is Presence.READY)
        if not team.agents:
            self.intervals.close(team, at_ms)
            del self.teams[team_key(record.agent)]

    def touch(self, agent: AgentRecord) -> None:
        """He is now the least idle of all."""
        self.idle = agent.idle = self.idle + 1
        if not agent.stale:
            self.market.mark(agent)

    def carry(self, agent: AgentRecord, load: Load, at_ms: int) -> None:
        """He carries this from now on: one more."""
        if not agent.load.counts:
            agent.team.work(at_ms, 1, ready=agent.presence is _READY)
        agent.load = load
        if not agent.stale:
            self.market.mark(agent)

    def give_back(self, offer: OfferRecord, at_ms: int) -> AgentRecord:
        """The agent does not carry it any more; returns him."""
        agent, record, offer_id = offer.agent, offer.record, offer.id
        del self.offers[offer_id]
        del agent.work[offer_id]
        kind, before = offer.kind, agent.load
        agent.load = load = before.minus.get(kind) or self.loads.minus(before, kind)
        team = agent.team
        team.carried_ms += (before.spent - load.spent) * (at_ms - offer.since_ms)
        if not load.counts:
            team.work(at_ms, -1, ready=agent.presence is _READY)
        if not agent.stale:
            self.market.mark(agent)
        if record.is_plain:
            record.offer = None
        elif record.offer is offer and offer.other is None:
            record.offer = None
            if record.side is not None:
                record.side.in_conference = False
        else:
            record.hold(other for other in record.held_by if other is not offer)
        if offer.timer:
            self.timers.cancel(offer.timer)
            offer.timer = 0
        return agent

    def settle(self, agent: AgentRecord) -> None:
        """An open offer of his is none any more, where his capacity counts them."""
        agent.load = self.loads.settle(agent.load)
        self.market.mark(agent)

    def turn(self, offer: OfferRecord, kind: WorkKind, at_ms: int) -> None:
        """What the agent carries with it is of another kind from now on."""
        agent = offer.agent
        agent.team.carried_ms += offer.cost * (at_ms - offer.since_ms)
        offer.since_ms = at_ms
        agent.load = self.loads.turned(agent.load, offer.kind, kind)
        offer.kind = kind
        self.market.mark(agent)

    # --- refusals -------------------------------------------------------------------------

    def bar(
        self, record: InteractionRecord, agent: AgentRecord, at_ms: int, again_at_ms: int | None
    ) -> None:
        """He is not offered it again until then (None: not barred, -1: until reset)."""
        if again_at_ms is None:
            return
        if record.barred is None:
            record.is_plain = False
            record.barred = {}
        number = UNTIL_RESET
        if again_at_ms != UNTIL_RESET:
            fifo = self.timers.fifo(TimerKind.REFUSAL, again_at_ms - at_ms)
            number = fifo.set(at_ms, record, agent.id)
        record.barred[agent.id] = number
        self.refile(record)
        agent.barred[record.id] = record
        self.refused[record.id] = record

    def unbar(self, record: InteractionRecord, agent_id: str | None = None) -> None:
        """Forget who refused it: one agent, or all."""
        if record.barred is None:
            return
        for barred_id in [agent_id] if agent_id is not None else list(record.barred):
            self.timers.cancel(record.barred.pop(barred_id, 0))
            agent = self.agents.get(barred_id)
            if agent is not None:
                agent.barred.pop(record.id, None)
        if not record.barred:
            record.barred = None
            del self.refused[record.id]
        self.refile(record)

    # --- the end --------------------------------------------------------------------------

    def end(self, record: InteractionRecord) -> None:
        """It is nobody's concern any more."""
        del self.interactions[record.id]
        if record.is_plain:
            return
        self.unbar(record)
        clocks.pause(self.timers, record)
        side = record.side
        if side is not None and side.kind is Kind.CONSULT:
            parent = self.interactions.get(side.parent_id or "")
            if parent is not None and parent.side is not None and parent.side.consult is record:
                parent.side.consult = None
                parent.side.in_conference = False
        self.leave_thread(record)
