"""The meaning of the engine: docs/explanation/semantics.md as the slowest program that says it.

Plain dicts and lists, loops over all pairs, no index. The sections stand in the order of that
page, so the two can be read side by side. The real engine must answer every list of commands
with the same events. Only open interactions are kept; everything is looked up by loops. What comes
in besides plain messages is in `naive_inbound`, what follows an acceptance in `naive_after`,
overflow and what is done to whole queues in `naive_overflow`, other plans and customers who are to
be forgotten in `naive_plans`.

Where the page leaves something open, this is the reading:
- what raises (a bad value) is found before any timer fires, so "nothing has changed" is true;
- seen "within the dedupe time" is at most `dedupe_ms` ago, counted from when it was remembered;
- `Quarantine` asks for a duplicate and for an id in use as `Submit` does;
- lanes are the distinct (queue, effective requirement, channel) of the waiting; an arrival that
  needs a new one (at step 0) when there are `max_lanes` is rejected;
- `Reprioritize` is `illegal_state` in wrap-up, like `Abandon`;
- a guard (`skip_if_nobody`) is looked at when its step would be entered, never later;
- only the next opening has a timer; `Requeued` sets that of its refusal last;
- an agent with a delay comes in with `AccessWidened`, also when a step ends at that moment first;
- an open offer of his makes the checks of `Pick` from `not_ready` on pointless;
- what is rejected is named by the agent for `not_signed_in`, else by the interaction;
- `taken` counts every offer of the queue, however it came about;
- shares are among what waits; when nothing of his best tier waits, they do not count;
- the interactions of one match are sorted when the agents have been served;
- lanes are also counted in a queue that is not pushed;
- with several open offers the oldest gives `agent_id` of pictures and of `MessageAppended`;
- an interaction that joins the end keeps `seq`;
- "every agent who satisfies it is barred" is also true when no agent satisfies it;
- several `RefusalsReset` at once come in key order, before any offer;
- a sign-out goes through all that the agent carries, in one pass in order of offer id;
- `SignedOut` on expiry has the reason `no_answer`; `Completed` has the code of `Complete`;
- a closed interaction is unknown, and its id may be used again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import attrs

from engine.naive_after import NaiveAfter
from engine.naive_inbound import NaiveDoor
from engine.naive_overflow import NaiveOverflow, both
from engine.naive_plans import NaivePlans
from engine.naive_room import has_room, occupancy_of
from omniroute import events as ev
from omniroute.errors import CommandError, UnknownNameError
from omniroute.events import (
    Command,
    Event,
    Kind,
    OfferKind,
    OwnStep,
    RejectReason,
    RevokeReason,
)
from omniroute.model import Agent, Channel, Interaction, InteractionState, Message
from omniroute.plan import (
    Accelerating,
    Access,
    Capacity,
    Delivery,
    Expression,
    HeadStart,
    NewestFirst,
    OnExpiry,
    OnRequeue,
    Plan,
    Queue,
    RefusalRule,
    Step,
    Strategy,
    TriageRule,
    WrapUpKind,
    all_of,
    nobody,
    none_of,
    parse,
)

WAITING, OFFERED = InteractionState.WAITING, InteractionState.OFFERED
ENDED = InteractionState.COMPLETED  # whatever the way
ENGAGED, HELD, WRAP_UP = InteractionState.ENGAGED, InteractionState.HELD, InteractionState.WRAP_UP
SCHEDULED, PARKED = InteractionState.SCHEDULED, InteractionState.PARKED

#: Reasons of a revocation after which nobody asks how often it was offered.
_LEAVING = (RevokeReason.CANCELLED, RevokeReason.CUSTOMER_LEFT, RevokeReason.MOVED)

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@attrs.define(eq=False)
class Item:
    """An open interaction. `agent_id` and `assignment_id` are of the agent who accepted it."""

    queue: Queue
    priority: int  # its own
    requirement: Expression | None
    messages: list[Message]
    arrived_at_ms: int
    enqueued_at_ms: int
    max_wait_ms: int | None = None
    own_steps: tuple[OwnStep, ...] = ()
    lent: int | None = None  # the priority of its step, which it goes by
    kind: Kind = Kind.CUSTOMER
    parent: Item | None = None
    parent_id: str | None = None
    front: bool = False
    conversation_id: str = ""  # of what was opened from another: its, as it was then
    id: str = ""
    seq: int = 0
    state: InteractionState = WAITING
    step: int = 0
    step_ends_ms: int | None = None
    opening: int = 0
    asked: dict[int, str] = attrs.field(factory=dict)  # open offers: whose
    agent_id: str | None = None
    assignment_id: int = 0
    offers: int = 0  # since it began to wait or was last given back
    barred: set[str] = attrs.field(factory=set)
    code: str = ""
    until_ms: int = 0  # of the wrap-up
    extended_ms: int = 0
    may_extend_ms: int = 0
    owner: str | None = None  # of parked work
    own_links: int = 0  # of an escalation: how many of its links are not its parent's
    confers: tuple[Item, int] | None = None  # with which consult, as which assignment
    is_callback: bool = False
    attempts: int = 0
    overflowed: tuple[int, int] = (-1, 0)  # by steps: when last, and how often then
    moves: int = 0


@attrs.define(eq=False)
class Person:
    """A signed-in agent."""

    agent: Agent
    ready: bool = False
    idle: int = 0
    last_offer: int = 0
    taken: Counter[str] = attrs.field(factory=Counter)  # offers since he signed in, by queue
    lease_ms: int | None = None


class NaiveEngine(NaiveDoor, NaiveAfter, NaiveOverflow, NaivePlans):
    """The slow definition, with the same calls as `omniroute.engine.Engine`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now_ms = 0
        self.items: dict[str, Item] = {}
        self.people: dict[str, Person] = {}
        self.open_the_door()
        NaiveAfter.__init__(self)
        NaiveOverflow.__init__(self)
        NaivePlans.__init__(self)
        self.timers: dict[tuple[Any, ...], tuple[int, int]] = {}  # what: (deadline, order set)
        self.last_seq = self.last_offer = self.last_idle = self.last_timer = 0
        self.events: list[Event] = []

    # --- Time -----------------------------------------------------------------------------

    def receive(self, command: Command, now_ms: int) -> list[Event]:
        self.check(command, now_ms)
        self.events = []
        self.unattended = isinstance(command, ev.Tick) and command.unattended
        while (deadline := self.next_deadline()) is not None and deadline <= now_ms:
            self.now_ms = deadline
            self.fire(min(self.timers, key=lambda what: self.timers[what]))
        self.unattended = False
        self.now_ms = now_ms
        getattr(self, f"on_{type(command).__struct_config__.tag}")(command)
        return self.events

    def next_deadline(self) -> int | None:
        return min((deadline for deadline, _ in self.timers.values()), default=None)

    def set_timer(self, what: tuple[Any, ...], deadline_ms: int) -> None:
        self.last_timer += 1
        self.timers[what] = (deadline_ms, self.last_timer)

    def fire(self, what: tuple[Any, ...]) -> None:
        del self.timers[what]
        kind, item = what[0], what[1]
        if kind == "offer":
            self.expire(item, what[2])
        elif kind == "step":
            self.climb(item, item.step + 1)
            self.match(items=[item, *self.reset_refusals()])
        elif kind == "opening":
            self.widen(item)
            self.match(items=[item])
        elif kind == "refusal":
            item.barred.discard(what[2])
            self.tell(ev.RefusalsReset, interaction_id=item.id, agent_id=what[2])
            self.match(items=[item])
        elif kind == "life":
            self.die(item)
        elif kind == "start":
            self.start(item)
        elif kind == "park":
            self.unpark(item)
        elif kind == "lease":
            self.match(*self.leave(item, "lease_expired"))
        elif kind == "wrap_up":
            self.match(people=[self.finish(item)])

    def tell(self, kind: Any, /, **fields: Any) -> None:
        event = kind(at_ms=self.now_ms, **fields)
        self.events.append(event)
        self.pace.observe(event)

    def refuse(self, command: Command, subject: object, reason: str) -> None:
        name, why = type(command).__struct_config__.tag, RejectReason(reason)
        self.tell(ev.CommandRejected, command=name, subject=str(subject), reason=why)

    def check(self, command: Command, now_ms: int) -> None:
        """The caller's mistakes: they raise and change nothing."""
        if now_ms < self.now_ms:
            raise CommandError(f"time goes back from {self.now_ms} to {now_ms}")
        if getattr(command, "queue", None) is not None:
            self.plan.queue(command.queue)
        if getattr(command, "requirement", None) is not None:
            self.read(command.requirement)
        self.check_after(command)
        self.check_overflow(command)
        self.check_plans(command)
        if isinstance(command, ev.Submit):
            for step in command.steps:
                self.read(step.requirement)
                if not 0 <= (step.priority or 0) <= self.plan.limits.max_priority:
                    raise CommandError(f"priority {step.priority} of a step")
        priority = getattr(command, "priority", None)
        if priority is not None and not 0 <= priority <= self.plan.limits.max_priority:
            raise CommandError(f"priority {priority}")
        if isinstance(command, ev.SignIn | ev.ChangeAgent):
            if len(command.agent.id) > 256:
                raise CommandError("too long an id")
            if command.agent.capacity not in self.plan.capacities:
                raise UnknownNameError("capacity", command.agent.capacity, self.plan.capacities)
            if (command.agent.wrap_up_ms or 0) < 0:
                raise CommandError(f"wrap_up_ms {command.agent.wrap_up_ms}")
            for skill, level in command.agent.skills.items():
                if self.plan.skills and skill not in self.plan.skills:
                    raise UnknownNameError("skill", skill, self.plan.skills)
                if level < 0 or (self.plan.skills and level > self.plan.skills[skill].max_level):
                    raise CommandError(f"level {level} of skill {skill!r}")

    def read(self, requirement: str) -> Expression:
        found = parse(requirement)
        for skill in found.skills:
            if self.plan.skills and skill not in self.plan.skills:
                raise UnknownNameError("skill", skill, self.plan.skills)
        return found

    def on_tick(self, command: Any) -> None:
        if command.unattended:
            self.match(people=self.people.values())

    # --- A message comes in ---------------------------------------------------------------

    def on_submit(self, command: Any) -> None:
        message, limits = command.message, self.plan.limits
        self.delivery = command.delivery_key
        if self.is_duplicate(message):
            return
        if command.joins_only and self.open_thread(message) is None:
            return
        if self.is_over_rate(message):
            if not message.channel.is_live:
                self.set_aside(command, "sender_rate")
            elif command.interaction_id in self.items:
                self.refuse(command, command.interaction_id, "id_in_use")
            else:
                self.reject(command, "sender_rate", command.queue)
            return
        self.link(message)
        if (item := self.open_thread(message)) is not None:
            item.messages.append(message)
            if len(item.messages) > limits.max_messages:
                del item.messages[1]
            self.remember(message, item.id)
            self.count_sender(message)
            self.tell(
                ev.MessageAppended,
                interaction_id=item.id,
                message=message,
                agent_id=self.whose(item),
                delivery_key=self.delivery,
            )
            if item.state is PARKED:
                self.unpark(item)
            return
        if command.interaction_id in self.items:
            self.refuse(command, command.interaction_id, "id_in_use")
            return
        rule = self.triage(message)
        if rule is not None:
            rule = attrs.evolve(rule, queue=self.split(rule))
        if command.queue is not None:
            rule = TriageRule(queue=command.queue)
        if rule is None:
            self.reject(command, "no_queue", None)
            return
        queue = self.plan.queue(rule.queue)
        own = parse(command.requirement) if command.requirement is not None else None
        requirement = both(all_of(own, rule.requirement), self.language(rule, message))
        door = self.at_the_door(queue, requirement, message, command.steps)
        queue, requirement = door.queue, door.requirement
        if door.reason is not None:
            self.reject(command, door.reason, queue.name, text=door.text, hint=door.hint)
            return
        backlog = [i for i in self.items.values() if i.state in (WAITING, OFFERED)]
        here = [i for i in backlog if i.queue is queue]
        start_at_ms = command.start_at_ms
        if start_at_ms is not None and start_at_ms <= self.now_ms:
            start_at_ms = None
        if start_at_ms is not None and self.is_set_aside_full():
            self.reject(command, "set_aside_full", queue.name, hint=door.hint)
            return
        priorities = (door.priority, command.priority, rule.priority, queue.priority)
        item = self.item(
            queue=queue,
            priority=next(p for p in priorities if p is not None),
            requirement=requirement,
            messages=[message],
            own_steps=(*self.last_agent_step(queue, message), *command.steps),
            max_wait_ms=command.max_wait_ms,
        )
        is_full = len(here) >= queue.max_waiting or len(backlog) >= limits.max_waiting
        item.opening = len(self.openings(queue)) if door.open_access else 0
        at_once = self.is_open(item) and any(self.eligible(p, item) for p in self.people.values())
        item.opening = 0
        if start_at_ms is None and is_full and not at_once:
            self.reject(command, "queue_full", queue.name, hint=door.hint)
            return
        lanes = {self.lane(i) for i in self.items.values() if self.may_be_offered(i)}
        is_new = self.lane(item) not in lanes
        if start_at_ms is None and is_new and len(lanes) >= limits.max_lanes:
            self.reject(command, "lanes_exhausted", queue.name, hint=door.hint)
            return
        item.id = self.number(command.interaction_id, always=True)
        item.seq = self.last_seq
        self.items[item.id] = item
        self.remember(message, item.id)
        self.count_sender(message)
        about = {"delivery_key": self.delivery, "via": door.via, "hint": door.hint}
        self.tell_queued(item, **about)
        if start_at_ms is not None:
            self.tell(ev.Scheduled, interaction_id=item.id, starts_at_ms=start_at_ms)
            self.schedule(item, start_at_ms)
            return
        self.begin(item, open_access=door.open_access)
        self.match(items=[item])

    def item(self, **fields: Any) -> Item:
        item = Item(arrived_at_ms=self.now_ms, enqueued_at_ms=self.now_ms, **fields)
        item.step_ends_ms = self.end_of_step(item)
        if item.max_wait_ms is None:
            item.max_wait_ms = item.queue.max_wait_ms
        return item

    def tell_queued(self, item: Item, **fields: Any) -> None:
        self.tell(
            ev.Queued,
            interaction_id=item.id,
            seq=item.seq,
            message=item.messages[0],
            queue=item.queue.name,
            priority=item.priority,
            requirement=None if item.requirement is None else str(item.requirement),
            steps=item.own_steps,
            max_wait_ms=item.max_wait_ms,
            kind=item.kind,
            parent_id=item.parent_id,
            front=item.front,
            **fields,
        )

    def on_quarantine(self, command: Any) -> None:
        self.delivery = command.delivery_key
        if not self.is_duplicate(command.message):
            self.set_aside(command, command.reason)

    def set_aside(self, command: Any, reason: str) -> None:
        if command.interaction_id in self.items:
            self.refuse(command, command.interaction_id, "id_in_use")
            return
        number = self.number(command.interaction_id)
        self.remember(command.message, number)
        self.tell(
            ev.Quarantined,
            interaction_id=number,
            message=command.message,
            reason=reason,
            delivery_key=self.delivery,
        )

    def reject(self, command: Any, reason: str, queue: str | None, **fields: Any) -> None:
        number = self.number(command.interaction_id)
        self.tell(
            ev.Rejected,
            interaction_id=number,
            message=command.message,
            reason=RejectReason(reason),
            queue=queue,
            **fields,
        )

    def number(self, given: str | None, *, always: bool = False) -> str:
        if given is None or always:
            self.last_seq += 1
        return given if given is not None else f"i{self.last_seq}"

    def open_thread(self, message: Message) -> Item | None:
        thread = (message.channel, message.thread_id)
        for item in self.items.values():
            first = item.messages[0]
            same = message.thread_id and (first.channel, first.thread_id) == thread
            if same and item.state is not WRAP_UP:
                return item
        return None

    def triage(self, message: Message) -> TriageRule | None:
        for rule in self.plan.triage:
            if rule.when is None or rule.when.matches(message):
                return rule
        return None

    def language(self, rule: TriageRule, message: Message) -> Expression | None:
        skill = f"lang:{message.language}"
        if not rule.match_language or not _LANGUAGE_TAG.fullmatch(message.language or ""):
            return None
        if self.plan.skills and skill not in self.plan.skills:
            return None
        return parse(f"{skill} >= 1")

    # --- Who may take it ------------------------------------------------------------------

    def ladder(self, item: Item) -> list[Step]:
        own = [
            Step(
                step.requirement,
                for_ms=step.for_ms,
                skip_if_nobody=step.skip_if_nobody,
                priority=step.priority,
            )
            for step in item.own_steps
        ]
        return [*own, *item.queue.ladder]

    def effective(self, item: Item, step: int | None = None) -> Expression | None:
        number = item.step if step is None else step
        if number < len(item.own_steps) and item.own_steps[number].direct:
            return parse(item.own_steps[number].requirement)
        current = self.ladder(item)[number]
        own = item.requirement and item.requirement.without(current.drop)
        return all_of(item.queue.members, current.requirement, own)

    def satisfies(self, person: Person, item: Item, step: int | None = None) -> bool:
        requirement = self.effective(item, step)
        return requirement is None or requirement.matches(person.agent)

    def access(self, person: Person, queue: Queue) -> Access:
        """His row: the first that he satisfies."""
        for row in queue.access:
            if row.agents is None or row.agents.matches(person.agent):
                return row
        return Access(tier=queue.tier)

    def openings(self, queue: Queue) -> list[int]:
        delays = set()
        for row in queue.access:
            delays.add(row.after_ms)
            if row.agents is None:
                break  # nobody reaches the rows behind it
        return sorted(delays - {0})

    def has_access(self, person: Person, item: Item) -> bool:
        delay_ms = self.access(person, item.queue).after_ms
        return delay_ms == 0 or delay_ms in self.openings(item.queue)[: item.opening]

    def passed(self, item: Item) -> int:
        """How many of its openings lie behind it, by its age."""
        waited_ms = self.now_ms - item.arrived_at_ms
        return sum(delay_ms <= waited_ms for delay_ms in self.openings(item.queue))

    def widen(self, item: Item) -> None:
        """Let in those whose delay has passed: one event, with the last."""
        item.opening = self.passed(item)
        self.tell(ev.AccessWidened, interaction_id=item.id, opening=item.opening)
        self.set_clock(("opening", item), self.opening_end(item))

    def opening_end(self, item: Item) -> int | None:
        to_come = self.openings(item.queue)[item.opening :]
        return item.arrived_at_ms + to_come[0] if to_come else None

    def load(self, person: Person) -> list[Item]:
        """What he has, and what he has an open offer of."""
        who = person.agent.id
        return [i for i in self.items.values() if i.agent_id == who or who in i.asked.values()]

    def capacity(self, person: Person) -> Capacity:
        return self.plan.capacities[person.agent.capacity]

    def carried(self, person: Person) -> list[Channel]:
        return [i.messages[0].channel for i in self.load(person) if not self.wraps_apart(i)]

    def wraps_apart(self, item: Item) -> bool:
        """Whether it counts in its own queue alone."""
        return item.state is WRAP_UP and item.queue.wrap_up.own_queue_only

    def has_room(self, person: Person, item: Item) -> bool:
        mine, capacity = self.load(person), self.capacity(person)
        offers = sum(person.agent.id in i.asked.values() for i in mine)
        if capacity.max_open_offers is not None and offers >= capacity.max_open_offers:
            return False
        here = [i for i in mine if i.queue is item.queue]
        if any(self.wraps_apart(i) for i in here):
            return False
        if item.queue.max_per_agent is not None and len(here) >= item.queue.max_per_agent:
            return False
        return has_room(capacity, self.carried(person), item.messages[0].channel)

    def eligible(self, person: Person, item: Item) -> bool:
        return (
            person.ready
            and self.satisfies(person, item)
            and self.has_access(person, item)
            and self.has_room(person, item)
            and person.agent.id not in item.barred
            and person.agent.id not in item.asked.values()
        )

    def lane(self, item: Item) -> tuple[str, str, str]:
        requirement = all_of(self.effective(item), self.closed(item))
        return item.queue.name, str(requirement), item.messages[0].channel

    def closed(self, item: Item) -> Expression | None:
        """What only those satisfy whose delay has passed."""
        passed = {0, *self.openings(item.queue)[: item.opening]}
        shut, above = [], []
        for row in item.queue.access:
            if row.after_ms not in passed:
                here = all_of(row.agents, none_of(*above) if above else None)
                shut.append(here)
            if row.agents is None:
                break
            above.append(row.agents)
        if None in shut:
            return nobody()
        return none_of(*shut) if shut else None

    # --- Order ----------------------------------------------------------------------------

    def key(self, item: Item) -> tuple[int, int | Fraction, int]:
        order, seq = item.queue.order, item.seq
        priority = self.priority(item)
        if isinstance(order, HeadStart):
            return 0, item.enqueued_at_ms - priority * order.ms_per_point, seq
        if isinstance(order, Accelerating):
            waited_ms = self.now_ms - item.enqueued_at_ms
            age = priority * order.ms_per_point + Fraction(waited_ms * order.rate_percent, 100)
            if order.max_points is not None:
                age = min(age, order.max_points * order.ms_per_point)
            return 0, self.now_ms - age, seq
        if isinstance(order, NewestFirst):
            return -priority, -item.enqueued_at_ms, -seq
        return -priority, item.enqueued_at_ms, seq

    def priority(self, item: Item) -> int:
        """What it goes by."""
        return item.priority if item.lent is None else item.lent

    def place(self, item: Item) -> tuple[Any, ...]:
        """(held out, key), the key beginning with whether it is in front."""
        in_front = 0 if item.front else 1
        return (0, in_front, *self.key(item)) if item.state is WAITING else (1, item.seq)

    def best_for(self, person: Person, found: list[Item]) -> Item:
        """Of those that he may take."""
        tiers = {i.id: self.access(person, i.queue).tier for i in found}
        first = [i for i in found if tiers[i.id] == min(tiers.values())]
        waiting = [i for i in first if i.state is WAITING]
        if not any(i.queue.share for i in waiting):
            return min(first, key=self.place)

        def portion(item: Item) -> Fraction:
            return Fraction(person.taken[item.queue.name], item.queue.share or 1)

        return min(waiting, key=lambda i: (portion(i), self.place(i)))

    def rank(self, person: Person, item: Item) -> tuple[Any, int]:
        occupancy = occupancy_of(self.capacity(person), self.carried(person))
        requirement = self.effective(item)
        required = requirement.required_skills if requirement else ()
        levels = [person.agent.skills.get(skill, 0) for skill in required]
        strategy, score = item.queue.strategy, None
        if strategy is Strategy.LONGEST_IDLE:
            score = 0
        elif strategy is Strategy.LEAST_OCCUPIED:
            score = occupancy
        elif strategy is Strategy.ROUND_ROBIN:
            score = person.last_offer
        elif strategy is Strategy.MOST_SKILLED:
            score = (levels.count(0), -sum(levels))
        elif strategy is Strategy.LEAST_SKILLED:
            score = (levels.count(0), sum(levels))
        elif strategy is Strategy.FEWEST_SKILLS:
            score = sum(level > 0 for level in person.agent.skills.values())
        elif strategy is Strategy.WEIGHTED:
            weight = person.agent.attributes.get("weight")
            score = (1, 0)
            if type(weight) is int and weight >= 1:
                score = (0, Fraction(person.taken[item.queue.name], weight))
        elif strategy is Strategy.SCORED:
            scorer = self.plan.scorers[item.queue.scorer]
            score = -scorer(person.agent, self.interaction(item.id), occupancy)
        return score, person.idle

    def touch(self, person: Person) -> None:
        self.last_idle += 1
        person.idle = self.last_idle

    # --- Matching -------------------------------------------------------------------------

    def is_open(self, item: Item) -> bool:
        """To offers, which are made."""
        return item.queue.delivery is not Delivery.PULL and self.may_be_offered(item)

    def may_be_offered(self, item: Item) -> bool:
        """Open to offers."""
        may_more = len(item.asked) < item.queue.offers
        may_again = item.offers < self.plan.limits.max_offers
        return item.state is WAITING or (item.state is OFFERED and may_more and may_again)

    def match(
        self,
        people: Iterable[Person] = (),
        items: Iterable[Item] = (),
        but: Person | None = None,
    ) -> None:
        if self.unattended:
            return
        for person in sorted(people, key=lambda p: p.idle):
            while found := [i for i in self.open_items() if self.eligible(person, i)]:
                self.hold_out(person, self.best_for(person, found))
        for item in sorted(items, key=self.place):
            while self.is_open(item):
                able = [p for p in self.people.values() if self.eligible(p, item) and p is not but]
                if not able:
                    break
                self.hold_out(min(able, key=lambda p: self.rank(p, item)), item)

    def hold_out(self, person: Person, item: Item) -> None:
        offer_id = self.offer(person, item)
        if item.queue.auto_accept:
            self.accept(item, offer_id)

    def waiting(self) -> list[Item]:
        return [i for i in self.items.values() if i.state is WAITING]

    def open_items(self) -> list[Item]:
        return [i for i in self.items.values() if self.is_open(i)]

    def offerable(self) -> list[tuple[str, str]]:
        """Pairs that must not exist at rest."""
        people = self.people.values()
        pairs = [(p, i) for p in people for i in self.open_items() if self.eligible(p, i)]
        return [(p.agent.id, i.id) for p, i in pairs]

    def on_reprioritize(self, command: Any) -> None:
        if (item := self.items.get(command.interaction_id)) is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
            return
        if item.state is WRAP_UP:
            self.refuse(command, command.interaction_id, "illegal_state")
            return
        if command.priority is not None:
            item.priority, item.lent = command.priority, None
        if command.enqueued_at_ms is not None:
            item.enqueued_at_ms = min(command.enqueued_at_ms, self.now_ms)
        self.tell_priority(item)

    def tell_priority(self, item: Item) -> None:
        self.tell(
            ev.Reprioritized,
            interaction_id=item.id,
            priority=self.priority(item),
            enqueued_at_ms=item.enqueued_at_ms,
            for_step=self.priority(item) != item.priority,
        )

    # --- Ladder ---------------------------------------------------------------------------

    def end_of_step(self, item: Item) -> int | None:
        """If it begins now."""
        step = self.ladder(item)[item.step]
        if step.for_ms is not None:
            return self.now_ms + step.for_ms
        return None if step.until_ms is None else item.arrived_at_ms + step.until_ms

    def begin_ladder(self, item: Item) -> None:
        item.step, item.opening = 0, 0
        item.step_ends_ms = self.end_of_step(item)
        self.set_clocks(item)

    def climb(self, item: Item, step: int) -> None:
        """Enter `step`, or the first one after it that is not passed over at once."""
        ladder = self.ladder(item)
        while step < len(ladder) - 1:
            until = ladder[step].until_ms
            over = until is not None and item.arrived_at_ms + until <= self.now_ms
            somebody = any(self.satisfies(p, item, step) for p in self.people.values())
            only_if = ladder[step].only_if
            holds = only_if is None or only_if.matches(self.standing(item.queue, item, step))
            if not over and holds and (somebody or not ladder[step].skip_if_nobody):
                break
            step += 1
        is_new = step != item.step
        if is_new:
            self.tell(ev.StepReached, interaction_id=item.id, step=step)
            item.step = step
            item.step_ends_ms = self.end_of_step(item)
            self.set_clock(("step", item), item.step_ends_ms)
        self.lend(item, ladder[step].priority)
        if is_new:
            before = item.moves
            self.reset_refusals([item])
            if item.id in self.items and item.moves == before:  # no refusal has ended or moved it
                self.overflow_at_step(item)

    def lend(self, item: Item, priority: int | None) -> None:
        """It goes by the priority of its step, if that has one."""
        before = self.priority(item)
        if priority != before:
            item.lent = priority
        if self.priority(item) != before:
            self.tell_priority(item)

    def set_clock(self, what: tuple[Any, ...], deadline_ms: int | None) -> None:
        """Set a timer anew, if its moment is to come."""
        self.timers.pop(what, None)
        if deadline_ms is not None and deadline_ms > self.now_ms:
            self.set_timer(what, deadline_ms)

    def set_clocks(self, item: Item) -> None:
        self.set_clock(("step", item), item.step_ends_ms)
        self.set_clock(("opening", item), self.opening_end(item))

    def stop_clocks(self, item: Item) -> None:
        self.timers.pop(("step", item), None)
        self.timers.pop(("opening", item), None)
        self.timers.pop(("life", item), None)

    def catch_up(self, item: Item) -> None:
        """The openings that have passed."""
        if self.passed(item) > item.opening:
            self.widen(item)

    # --- Offer ----------------------------------------------------------------------------

    def offer(
        self,
        person: Person,
        item: Item,
        how: OfferKind = OfferKind.MATCHED,
        *,
        over_capacity: bool = False,
    ) -> int:
        self.last_offer += 1
        item.state = OFFERED
        item.asked[self.last_offer] = person.agent.id
        item.offers += 1
        person.last_offer = self.last_offer
        person.taken[item.queue.name] += 1
        expires_at_ms = self.now_ms + item.queue.offer_timeout_ms
        self.set_timer(("offer", item, self.last_offer), expires_at_ms)
        about = self.about_offer(item, self.last_offer)
        self.tell(
            ev.Offered, **about, expires_at_ms=expires_at_ms, how=how, over_capacity=over_capacity
        )
        return self.last_offer

    def about_offer(self, item: Item, offer_id: int) -> dict[str, Any]:
        return {
            "offer_id": offer_id,
            "interaction_id": item.id,
            "agent_id": item.asked[offer_id],
        }

    def end_offer(self, item: Item, offer_id: int, kind: Any, **fields: Any) -> Person:
        """Without acceptance: the last open one sends it back to waiting, or is its end."""
        self.tell(kind, **self.about_offer(item, offer_id), **fields)
        person = self.people[item.asked.pop(offer_id)]
        self.timers.pop(("offer", item, offer_id), None)
        if item.state is OFFERED and not item.asked:
            item.state = WAITING
            if item.offers >= self.plan.limits.max_offers and fields.get("reason") not in _LEAVING:
                self.tell(ev.Cancelled, interaction_id=item.id, reason="offers_exhausted")
                self.forget(item)
        return person

    def revoke_all(self, item: Item, reason: RevokeReason) -> list[Person]:
        """All its open offers."""
        return [
            self.end_offer(item, offer_id, ev.Revoked, reason=reason)
            for offer_id in sorted(item.asked)
        ]

    def forget(self, item: Item) -> None:
        """It has ended."""
        del self.items[item.id]
        item.state = ENDED
        self.timers = {what: when for what, when in self.timers.items() if what[1] is not item}

    def offered(self, command: Any) -> Item | None:
        for item in self.items.values():
            if command.offer_id in item.asked:
                return item
        self.refuse(command, command.offer_id, "unknown_offer")
        return None

    def expire(self, item: Item, offer_id: int) -> None:
        person = self.end_offer(item, offer_id, ev.Expired)
        self.touch(person)
        on_expiry = item.queue.on_expiry
        if on_expiry is OnExpiry.NOT_READY:
            self.match(items=[item, *self.make_not_ready(person, "no_answer")])
        elif on_expiry is OnExpiry.SIGN_OUT:
            people, items = self.leave(person, "no_answer")
            self.match(people, [item, *items])
        else:
            self.match(items=[item], but=person)
            self.match(people=[person], items=[item])

    def again_at(self, item: Item) -> int | None:
        """How long the refusal rule bars: None not at all, -1 until reset."""
        refusal = item.queue.refusal
        if refusal.rule is RefusalRule.AT_ONCE:
            return None
        return self.now_ms + refusal.after_ms if refusal.rule is RefusalRule.AFTER else -1

    def bar(self, item: Item, person: Person) -> None:
        again_at_ms = self.again_at(item)
        if again_at_ms is not None and item.state is not ENDED:
            item.barred.add(person.agent.id)
            if again_at_ms >= 0:
                self.set_timer(("refusal", item, person.agent.id), again_at_ms)

    def forget_refusals(self, item: Item, agent_id: str | None = None) -> None:
        """Of one agent, or of all."""
        for who in list(item.barred):
            if agent_id in (None, who):
                item.barred.discard(who)
                self.timers.pop(("refusal", item, who), None)

    def reset_refusals(self, items: Iterable[Item] | None = None) -> list[Item]:
        """Clear each memory of `all_declined` that bars everyone; whatever made it so."""
        found = []
        for item in sorted(self.items.values() if items is None else items, key=self.place):
            able = [p for p in self.people.values() if self.satisfies(p, item)]
            by_all = item.queue.refusal.rule is RefusalRule.ALL_DECLINED
            if by_all and item.barred and all(p.agent.id in item.barred for p in able):
                if (rule := item.queue.refusal.overflow) is not None:
                    self.overflow(item, rule)
                    continue
                self.tell(ev.RefusalsReset, interaction_id=item.id)
                self.forget_refusals(item)
                found.append(item)
        return found

    def on_accept(self, command: Any) -> None:
        if (item := self.offered(command)) is not None:
            self.match(people=self.accept_by_command(item, command.offer_id))

    def accept_by_command(self, item: Item, offer_id: int) -> list[Person]:
        """Who may have room now: where open offers are limited also he himself."""
        people = self.accept(item, offer_id)
        person = self.people[item.agent_id]
        limited = self.capacity(person).max_open_offers is not None
        return [*people, person] if limited else people

    def accept(self, item: Item, offer_id: int) -> list[Person]:
        """The first wins; the agents whose offers are taken back are returned."""
        self.tell(ev.Accepted, **self.about_offer(item, offer_id))
        self.timers.pop(("offer", item, offer_id), None)
        item.agent_id, item.assignment_id = item.asked.pop(offer_id), offer_id
        item.state, item.offers, item.front = ENGAGED, 0, False
        self.stop_clocks(item)
        self.forget_refusals(item)
        self.touch(self.people[item.agent_id])
        return self.revoke_all(item, RevokeReason.TAKEN)

    def on_decline(self, command: Any) -> None:
        if (item := self.offered(command)) is None:
            return
        again_at_ms = self.again_at(item)
        person = self.end_offer(
            item, command.offer_id, ev.Declined, reason=command.reason, again_at_ms=again_at_ms
        )
        self.touch(person)
        self.bar(item, person)
        self.match(people=[person], items=[item, *self.reset_refusals()])

    def on_revoke(self, command: Any) -> None:
        if (item := self.offered(command)) is None:
            return
        again_at_ms, reason = self.again_at(item), RevokeReason.WITHDRAWN
        person = self.end_offer(
            item, command.offer_id, ev.Revoked, reason=reason, again_at_ms=again_at_ms
        )
        self.bar(item, person)
        self.match(people=[person], items=[item, *self.reset_refusals()])

    def found(self, command: Any) -> tuple[Item, Person] | None:
        """The interaction and the agent of `Pick` and `Assign`."""
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
            return None
        person = self.signed_in(command, command.agent_id)
        if person is None:
            return None
        if item.state not in (WAITING, OFFERED):
            self.refuse(command, item.id, "illegal_state")
            return None
        return item, person

    def his_offer(self, item: Item, person: Person) -> int | None:
        for offer_id, agent_id in item.asked.items():
            if agent_id == person.agent.id:
                return offer_id
        return None

    def on_pick(self, command: Any) -> None:
        if (pair := self.found(command)) is None:
            return
        item, person = pair
        if item.queue.delivery is Delivery.PUSH:
            self.refuse(command, item.id, "not_pulled")
            return
        offer_id = self.his_offer(item, person)
        if offer_id is None:
            if not person.ready:
                self.refuse(command, item.id, "not_ready")
            elif not (self.satisfies(person, item) and self.has_access(person, item)):
                self.refuse(command, item.id, "not_eligible")
            elif not self.has_room(person, item):
                self.refuse(command, item.id, "no_room")
            else:
                offer_id = self.offer(person, item, OfferKind.PICKED)
        if offer_id is not None:
            self.match(people=self.accept_by_command(item, offer_id))

    def on_assign(self, command: Any) -> None:
        if (pair := self.found(command)) is None:
            return
        item, person = pair
        offer_id = self.his_offer(item, person)
        if offer_id is None:
            over_capacity = not self.has_room(person, item)
            offer_id = self.offer(person, item, OfferKind.ASSIGNED, over_capacity=over_capacity)
        self.match(people=self.accept_by_command(item, offer_id))

    # --- After acceptance -----------------------------------------------------------------

    def on_move(self, command: Any) -> None:
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
            return
        if item.state not in (WAITING, OFFERED):
            self.refuse(command, item.id, "illegal_state")
            return
        requirement = item.requirement
        if command.requirement is not None:
            requirement = parse(command.requirement)
        queue = self.plan.queue(command.queue)
        people = self.move(item, queue, command.priority, requirement)
        self.match(people=people, items=[item])

    def move(
        self, item: Item, queue: Queue, priority: int | None, requirement: Expression | None
    ) -> list[Person]:
        """The agents who had offers are returned."""
        people = self.revoke_all(item, RevokeReason.MOVED)
        self.forget_refusals(item)
        item.queue, item.own_steps, item.offers = queue, (), 0
        item.moves += 1
        item.priority = item.priority if priority is None else priority
        item.requirement, item.lent = requirement, None
        self.tell(
            ev.Moved,
            interaction_id=item.id,
            queue=item.queue.name,
            priority=item.priority,
            requirement=None if item.requirement is None else str(item.requirement),
        )
        self.begin_ladder(item)
        self.catch_up(item)
        self.climb(item, 0)
        return people

    def assigned(self, command: Any, *states: InteractionState) -> Item | None:
        for item in self.items.values():
            if item.agent_id is not None and item.assignment_id == command.assignment_id:
                if item.state in states:
                    return item
                self.refuse(command, command.assignment_id, "illegal_state")
                return None
        self.refuse(command, command.assignment_id, "unknown_assignment")
        return None

    def about(self, item: Item) -> dict[str, Any]:
        return {"assignment_id": item.assignment_id, "interaction_id": item.id}

    def on_hold(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED)) is not None:
            item.state = HELD
            self.tell(ev.Held, **self.about(item))

    def on_resume(self, command: Any) -> None:
        if (item := self.assigned(command, HELD)) is not None:
            item.state = ENGAGED
            self.tell(ev.Resumed, **self.about(item))

    def on_complete(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is not None:
            self.complete(item, command.code)

    def complete(self, item: Item, code: str) -> None:
        item.code = code
        wrap_up = item.queue.wrap_up
        own_ms = self.people[item.agent_id].agent.wrap_up_ms
        duration_ms = wrap_up.duration_ms if own_ms is None else own_ms
        lasts = wrap_up.kind is WrapUpKind.OPTIONAL or duration_ms > 0
        freed = self.end_consult(item)
        if wrap_up.kind is WrapUpKind.NONE or not lasts:
            self.match(people=[self.finish(item), *freed])
            return
        item.state = WRAP_UP
        until_ms = None
        if wrap_up.kind is not WrapUpKind.OPTIONAL:
            until_ms = self.now_ms + duration_ms
            self.set_timer(("wrap_up", item), until_ms)
            item.until_ms, item.extended_ms = until_ms, 0
            item.may_extend_ms = wrap_up.max_extension_ms
        about = {**self.about(item), "agent_id": item.agent_id}
        self.tell(ev.WrapUpStarted, **about, until_ms=until_ms, code=code)
        if wrap_up.own_queue_only:
            freed = [self.people[item.agent_id], *freed]
        self.match(people=freed)

    def finish(self, item: Item) -> Person:
        self.tell(ev.Completed, **self.about(item), agent_id=item.agent_id, code=item.code)
        person = self.people[item.agent_id]
        self.touch(person)
        self.remember_agent(item)
        self.forget(item)
        return person

    def on_finish_wrap_up(self, command: Any) -> None:
        if (item := self.assigned(command, WRAP_UP)) is None:
            return
        if item.queue.wrap_up.kind is WrapUpKind.FORCED and ("wrap_up", item) in self.timers:
            self.refuse(command, command.assignment_id, "illegal_state")
            return
        self.match(people=[self.finish(item)])

    def on_requeue(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return
        freed = self.end_consult(item)
        person = self.people[item.agent_id]
        joins_end = item.queue.on_requeue is OnRequeue.JOIN_END
        self.requeue(
            item,
            reason=command.reason,
            again_at_ms=self.again_at(item),
            enqueued_at_ms=self.now_ms if joins_end else None,
        )
        self.match(people=[person, *freed], items=[item, *self.reset_refusals()])

    def requeue(self, item: Item, **fields: Any) -> None:
        person, again_at_ms = self.people[item.agent_id], fields["again_at_ms"]
        self.tell(ev.Requeued, **self.about(item), agent_id=item.agent_id, **fields)
        if fields["enqueued_at_ms"] is not None:
            item.enqueued_at_ms = fields["enqueued_at_ms"]
        item.state, item.agent_id = WAITING, None
        self.touch(person)
        if self.is_over(item):
            self.tell(ev.Cancelled, interaction_id=item.id, reason="waited_too_long")
            self.forget(item)
            return
        self.set_clocks(item)
        self.set_time_to_live(item)
        if again_at_ms is not None:
            self.bar(item, person)
        self.catch_up(item)
        if item.step_ends_ms is not None and item.step_ends_ms <= self.now_ms:
            self.climb(item, item.step + 1)

    def on_abandon(self, command: Any) -> None:
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
        elif item.state in (ENGAGED, HELD):
            self.complete(item, "customer_left")
        elif item.state is PARKED:
            self.take_out(item, ev.Cancelled, "customer_left", RevokeReason.CANCELLED)
        elif item.state is WRAP_UP or item.is_callback:
            self.refuse(command, command.interaction_id, "illegal_state")
        else:
            self.take_out(item, ev.Abandoned, command.reason, RevokeReason.CUSTOMER_LEFT)

    def on_cancel(self, command: Any) -> None:
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
        else:
            self.take_out(item, ev.Cancelled, command.reason, RevokeReason.CANCELLED)

    def take_out(self, item: Item, kind: Any, reason: str, revoked: RevokeReason) -> None:
        freed = [*self.end_consult(item), *self.revoke_all(item, revoked)]
        if item.agent_id is not None:
            person = self.people[item.agent_id]
            freed.append(person)
            self.touch(person)
        self.tell(kind, interaction_id=item.id, reason=reason)
        self.forget(item)
        self.match(people=freed)

    # --- Agents ---------------------------------------------------------------------------

    def signed_in(self, command: Any, agent_id: str) -> Person | None:
        if agent_id not in self.people:
            self.refuse(command, agent_id, "not_signed_in")
        return self.people.get(agent_id)

    def on_sign_in(self, command: Any) -> None:
        agent = command.agent
        if agent.id in self.people:
            self.refuse(command, agent.id, "already_signed_in")
            return
        if len(self.people) >= self.plan.limits.max_agents:
            self.refuse(command, agent.id, "agents_exhausted")
            return
        person = Person(agent, ready=command.ready, lease_ms=command.lease_ms)
        self.people[agent.id] = person
        self.touch(person)
        self.tell(ev.SignedIn, agent=agent, lease_ms=command.lease_ms)
        self.set_lease(person)
        if command.ready:
            self.tell(ev.BecameReady, agent_id=agent.id)
        self.match(people=[person])

    def on_set_ready(self, command: Any) -> None:
        person = self.signed_in(command, command.agent_id)
        if person is not None and not person.ready:
            person.ready = True
            self.tell(ev.BecameReady, agent_id=person.agent.id)
            self.match(people=[person])

    def on_set_not_ready(self, command: Any) -> None:
        person = self.signed_in(command, command.agent_id)
        if person is not None and person.ready:
            self.match(items=self.make_not_ready(person, command.reason))

    def make_not_ready(self, person: Person, reason: str) -> list[Item]:
        person.ready = False
        self.tell(ev.BecameNotReady, agent_id=person.agent.id, reason=reason)
        return [
            self.revoke_his(item, person, RevokeReason.NOT_READY)
            for item in self.in_offer_order(person)
            if item.state is OFFERED
        ]

    def revoke_his(self, item: Item, person: Person, reason: RevokeReason) -> Item:
        self.end_offer(item, self.his_offer(item, person), ev.Revoked, reason=reason)
        return item

    def in_offer_order(self, person: Person) -> list[Item]:
        """What he has or has an offer of, by the number of that offer."""
        return sorted(self.load(person), key=lambda i: self.his_offer(i, person) or i.assignment_id)

    def on_change_agent(self, command: Any) -> None:
        person = self.signed_in(command, command.agent.id)
        if person is None:
            return
        person.agent = command.agent
        self.tell(ev.AgentChanged, agent=command.agent)
        freed = [
            self.revoke_his(item, person, RevokeReason.NOT_ELIGIBLE)
            for item in self.in_offer_order(person)
            if item.state is OFFERED
            and not (self.satisfies(person, item) and self.has_access(person, item))
        ]
        self.match(people=[person], items=[*freed, *self.reset_refusals()])

    def on_sign_out(self, command: Any) -> None:
        person = self.signed_in(command, command.agent_id)
        if person is not None:
            self.match(*self.leave(person, command.reason))

    def leave(self, person: Person, reason: str) -> tuple[list[Person], list[Item]]:
        """Who and what is to be matched when he has gone."""
        freed, people = self.in_offer_order(person), []
        person.ready = False
        self.timers.pop(("lease", person), None)
        for item in freed:
            if item.state is OFFERED:
                self.revoke_his(item, person, RevokeReason.SIGNED_OUT)
            elif item.state is WRAP_UP:
                self.finish(item)
            elif item.state in (ENGAGED, HELD):  # not a consult that ended with its parent
                people += self.end_consult(item)
                self.requeue(item, reason="signed_out", again_at_ms=None, enqueued_at_ms=None)
        self.tell(ev.SignedOut, agent_id=person.agent.id, reason=reason)
        del self.people[person.agent.id]
        for item in self.items.values():
            self.forget_refusals(item, person.agent.id)
        return [p for p in people if p is not person], [*freed, *self.reset_refusals()]

    # --- Pictures -------------------------------------------------------------------------

    def interaction(self, interaction_id: str) -> Interaction | None:
        item = self.items.get(interaction_id)
        if item is None:
            return None
        return Interaction(
            id=item.id,
            state=item.state,
            queue=item.queue.name,
            priority=self.priority(item),
            messages=tuple(item.messages),
            enqueued_at_ms=item.enqueued_at_ms,
            arrived_at_ms=item.arrived_at_ms,
            step=item.step,
            requirement=None if item.requirement is None else str(item.requirement),
            agent_id=self.whose(item),
            parent_id=item.parent_id,
            is_callback=item.is_callback,
            in_conference=self.confers(item),
            customer_id=self.customer(item),
            conversation_id=self.conversation(item),
        )

    def confers(self, item: Item) -> bool:
        if item.confers is None or item.agent_id is None:
            return False
        consult, assignment_id = item.confers
        return consult.state is not ENDED and item.assignment_id == assignment_id

    def whose(self, item: Item) -> str | None:
        """Who has it, has the oldest open offer of it, or parked it."""
        if item.state is PARKED:
            return item.owner
        return item.asked[min(item.asked)] if item.asked else item.agent_id
