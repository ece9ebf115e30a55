"""The meaning of what follows an acceptance, as the slowest program.

The part of `naive` that reads "Beginning later" to "Sticky agents and codes" of
docs/explanation/semantics.md: what is set aside and comes back, what agents give each other,
the step to another channel, callbacks and last agents.

Where the page leaves something open, this is the reading:
- a park until a moment that has passed ends at the next call, with the moment of the park;
- an interaction has an open consult until that has ended, whatever its state; one that ends by
  itself (it waited too long, too many offers) leaves it alone;
- a consult that ends with its parent does so right before the parent's event, and its agents are
  matched with the others;
- a hand-over's offer number counts for nothing else;
- a callback counts its failures over its whole life; only `Started` counts for the pace;
- a wrap-up without an end cannot be extended;
- a code is looked at by the queue of the assignment before any timer fires; an engine's is free.
"""

from __future__ import annotations

from typing import Any

import msgspec

from omniroute import events as ev
from omniroute.errors import CommandError
from omniroute.events import Kind, OwnStep, RevokeReason
from omniroute.model import InteractionState, Message
from omniroute.plan import Queue, all_of, parse

SCHEDULED, PARKED = InteractionState.SCHEDULED, InteractionState.PARKED
WAITING, OFFERED = InteractionState.WAITING, InteractionState.OFFERED
ENGAGED, HELD, WRAP_UP = InteractionState.ENGAGED, InteractionState.HELD, InteractionState.WRAP_UP


class NaiveAfter:
    """Mixed into `NaiveEngine`."""

    now_ms: int
    plan: Any
    items: dict[str, Any]
    people: dict[str, Any]
    timers: dict[tuple[Any, ...], tuple[int, int]]

    def __init__(self) -> None:
        self.starts: dict[str, int] = {}  # of callbacks: the last, by queue
        self.last_agents: dict[str, tuple[str, int]] = {}  # customer: who, when

    def check_after(self, command: Any) -> None:
        """The caller's mistakes in these commands."""
        for name in ("start_at_ms", "max_wait_ms"):
            if (moment_ms := getattr(command, name, None)) is not None and moment_ms < 1:
                raise CommandError(f"{name} {moment_ms}")
        if isinstance(command, ev.Transfer) and command.queue is None and command.agent_id is None:
            raise CommandError("neither queue nor agent")
        if isinstance(command, ev.Consult) and command.requirement is not None:
            for item in self.items.values():
                whose = {item.assignment_id: item.agent_id, **item.asked}.get(command.assignment_id)
                if whose is not None:
                    parse(str(all_of(parse(command.requirement), parse(f'agent != "{whose}"'))))
        if isinstance(command, ev.ExtendWrapUp) and command.by_ms < 1:
            raise CommandError(f"by_ms {command.by_ms}")
        if isinstance(command, ev.Complete):
            for item in self.items.values():
                his = item.agent_id is not None and item.assignment_id == command.assignment_id
                if his and item.queue.codes and command.code not in item.queue.codes:
                    raise CommandError(f"code {command.code!r}")

    # --- Beginning later ------------------------------------------------------------------

    def is_set_aside_full(self) -> bool:
        aside = [i for i in self.items.values() if i.state in (SCHEDULED, PARKED)]
        return len(aside) >= self.plan.limits.max_set_aside

    def schedule(self, item: Any, start_at_ms: int) -> None:
        item.state, item.agent_id = SCHEDULED, None
        self.stop_clocks(item)
        self.forget_refusals(item)
        self.set_timer(("start", item), start_at_ms)

    def start(self, item: Any) -> None:
        pace_ms = item.queue.callback.pace_ms
        last_ms = self.starts.get(item.queue.name)
        if item.is_callback and last_ms is not None and self.now_ms < last_ms + pace_ms:
            self.tell(ev.Postponed, interaction_id=item.id, until_ms=last_ms + pace_ms)
            self.set_timer(("start", item), last_ms + pace_ms)
            return
        self.tell(ev.Started, interaction_id=item.id)
        if item.is_callback:
            self.starts[item.queue.name] = self.now_ms
        else:
            item.enqueued_at_ms = self.now_ms
        self.begin(item)
        self.match(items=[item])

    def begin(self, item: Any, *, open_access: bool = False) -> None:
        """It waits from now on, at the start of its ladder."""
        item.state, item.arrived_at_ms, item.offers = WAITING, self.now_ms, 0
        self.begin_ladder(item)
        self.set_time_to_live(item)
        if open_access and (last := len(self.openings(item.queue))):
            item.opening = last
            self.tell(ev.AccessWidened, interaction_id=item.id, opening=last)
            self.timers.pop(("opening", item), None)
        self.climb(item, 0)

    # --- Time to live ---------------------------------------------------------------------

    def end_of_life(self, item: Any) -> int | None:
        return None if item.max_wait_ms is None else item.arrived_at_ms + item.max_wait_ms

    def set_time_to_live(self, item: Any) -> None:
        self.set_clock(("life", item), self.end_of_life(item))

    def is_over(self, item: Any) -> bool:
        end = self.end_of_life(item)
        return end is not None and end <= self.now_ms

    def die(self, item: Any) -> None:
        freed = self.revoke_all(item, RevokeReason.CANCELLED)
        self.tell(ev.Cancelled, interaction_id=item.id, reason="waited_too_long")
        self.forget(item)
        self.match(people=freed)

    # --- Parking --------------------------------------------------------------------------

    def on_park(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return
        if self.is_set_aside_full():
            self.refuse(command, command.assignment_id, "set_aside_full")
            return
        freed = self.end_consult(item)
        person = self.people[item.agent_id]
        about = {**self.about(item), "agent_id": item.agent_id}
        self.tell(ev.Parked, **about, until_ms=command.until_ms)
        self.touch(person)
        item.state, item.owner, item.agent_id = PARKED, item.agent_id, None
        if command.until_ms is not None:
            self.set_timer(("park", item), max(command.until_ms, self.now_ms))
        self.match(people=[person, *freed])

    def on_unpark(self, command: Any) -> None:
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
        elif item.state is not PARKED:
            self.refuse(command, command.interaction_id, "illegal_state")
        else:
            self.unpark(item)

    def unpark(self, item: Any) -> None:
        self.timers.pop(("park", item), None)
        item.own_steps = (self.alone(item.owner, item.queue, skip_if_nobody=True),)
        about = {"interaction_id": item.id, "agent_id": item.owner}
        self.tell(ev.Unparked, **about, steps=item.own_steps)
        item.enqueued_at_ms, item.front = self.now_ms, True
        self.begin(item)
        self.match(items=[item])

    def alone(self, agent_id: str, queue: Queue, *, skip_if_nobody: bool = False) -> OwnStep:
        requirement = f'agent == "{agent_id}"'
        return OwnStep(requirement, queue.return_ms, skip_if_nobody, direct=True)

    # --- Transfer, consult, conference ----------------------------------------------------

    def is_colleague(self, command: Any, item: Any) -> bool:
        """Whether the agent of the command, if one is named, may be asked."""
        if command.agent_id is None:
            return True
        if command.agent_id not in self.people:
            self.refuse(command, command.agent_id, "not_signed_in")
            return False
        if command.agent_id == item.agent_id:
            self.refuse(command, command.assignment_id, "illegal_state")
            return False
        return True

    def on_transfer(self, command: Any) -> None:
        item = self.assigned(command, ENGAGED, HELD)
        if item is None or not self.is_colleague(command, item):
            return
        freed = self.end_consult(item)
        person = self.people[item.agent_id]
        about = {**self.about(item), "agent_id": item.agent_id}
        if command.queue is not None:
            item.queue = self.plan.queue(command.queue)
        item.own_steps = ()
        if command.agent_id is not None:
            item.own_steps = (self.alone(command.agent_id, item.queue),)
        item.lent = None
        if command.priority is not None:
            item.priority = command.priority
        if command.requirement is not None:
            item.requirement = parse(command.requirement)
        again_at_ms = self.again_at(item)
        self.tell(
            ev.Transferred,
            **about,
            queue=item.queue.name,
            priority=item.priority,
            requirement=None if item.requirement is None else str(item.requirement),
            steps=item.own_steps,
            reason=command.reason,
            again_at_ms=again_at_ms,
        )
        item.state, item.agent_id, item.arrived_at_ms = WAITING, None, self.now_ms
        self.touch(person)
        self.begin_ladder(item)
        self.set_time_to_live(item)
        if again_at_ms is not None:
            self.bar(item, person)
        self.climb(item, 0)
        self.match(people=[person, *freed], items=[item, *self.reset_refusals()])

    def consult_of(self, item: Any) -> Any:
        for other in self.items.values():
            if other.kind is Kind.CONSULT and other.parent is item:  # its id may be another's now
                return other
        return None

    def end_consult(self, item: Any) -> list[Any]:
        """The agent leaves the customer: nobody needs to be asked any more."""
        consult = self.consult_of(item)
        if consult is None or consult.state not in (WAITING, OFFERED):
            return []
        freed = self.revoke_all(consult, RevokeReason.CANCELLED)
        self.tell(ev.Cancelled, interaction_id=consult.id, reason="parent_left")
        self.forget(consult)
        return freed

    def open_further(self, parent: Any, message: Message, **fields: Any) -> None:
        """An interaction that an agent opens from another: it passes no door."""
        item = self.item(messages=[message], parent=parent, parent_id=parent.id, **fields)
        item.conversation_id = self.conversation(parent)
        item.id = self.number(None)
        item.seq = self.last_seq
        self.items[item.id] = item
        self.tell_queued(item)
        self.begin(item)
        self.match(items=[item])

    def on_consult(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return
        if not self.is_colleague(command, item):
            return
        if self.consult_of(item) is not None:
            self.refuse(command, command.assignment_id, "illegal_state")
            return
        queue = item.queue if command.queue is None else self.plan.queue(command.queue)
        own = None if command.requirement is None else parse(command.requirement)
        self.open_further(
            item,
            msgspec.structs.replace(item.messages[0], thread_id=None, message_id=None),
            kind=Kind.CONSULT,
            queue=queue,
            priority=item.priority if command.priority is None else command.priority,
            requirement=all_of(own, parse(f'agent != "{item.agent_id}"')),
            own_steps=() if command.agent_id is None else (self.alone(command.agent_id, queue),),
        )

    def with_consult(self, command: Any) -> tuple[Any, Any] | None:
        """The interaction and the consult that an agent has, both with the customer or held."""
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return None
        consult = self.consult_of(item)
        if consult is None or consult.state not in (ENGAGED, HELD):
            self.refuse(command, command.assignment_id, "illegal_state")
            return None
        return item, consult

    def on_hand_over(self, command: Any) -> None:
        if (pair := self.with_consult(command)) is None:
            return
        item, consult = pair
        freed = self.end_consult(consult)
        consult.code = "handed_over"
        colleague = self.finish(consult)
        person = self.people[item.agent_id]
        self.last_offer += 1
        self.tell(
            ev.HandedOver,
            **self.about(item),
            agent_id=item.agent_id,
            to_agent_id=colleague.agent.id,
            offer_id=self.last_offer,
        )
        item.agent_id, item.assignment_id = colleague.agent.id, self.last_offer
        item.state = ENGAGED
        self.touch(person)
        for people in ([person], [colleague], freed):
            self.match(people=people)

    def on_confer(self, command: Any) -> None:
        if (pair := self.with_consult(command)) is not None:
            item, consult = pair
            item.confers = consult, item.assignment_id
            self.tell(ev.Conferenced, **self.about(item), consult_id=consult.id)

    # --- Escalation to another channel ----------------------------------------------------

    def on_escalate(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return
        queue = item.queue if command.queue is None else self.plan.queue(command.queue)
        first = item.messages[0]
        given = (command.link,) if command.link else ()
        message = Message(
            channel=command.channel,
            customer=first.customer,
            subject=first.subject,
            language=first.language,
            attributes=first.attributes,
            links=(*given, *(link for m in item.messages for link in m.links)),
            attachments=tuple(file for m in item.messages for file in m.attachments),
        )
        self.open_further(
            item,
            message,
            kind=Kind.ESCALATION,
            queue=queue,
            priority=item.priority,
            requirement=None,
            own_steps=(self.alone(item.agent_id, queue),),
            front=True,
            own_links=len(given),
        )

    # --- Callback -------------------------------------------------------------------------

    def on_request_callback(self, command: Any) -> None:
        item = self.items.get(command.interaction_id)
        if item is None:
            self.refuse(command, command.interaction_id, "unknown_interaction")
            return
        if item.state not in (WAITING, OFFERED) or item.is_callback:
            self.refuse(command, command.interaction_id, "illegal_state")
            return
        due_at_ms = command.due_at_ms
        if due_at_ms is not None and due_at_ms <= self.now_ms:
            due_at_ms = None
        if due_at_ms is not None and self.is_set_aside_full():
            self.refuse(command, command.interaction_id, "set_aside_full")
            return
        people = self.revoke_all(item, RevokeReason.CUSTOMER_LEFT)
        item.is_callback = True
        about = {"interaction_id": item.id, "address": command.address}
        self.tell(ev.CallbackRequested, **about, due_at_ms=due_at_ms)
        if due_at_ms is not None:
            self.tell(ev.Scheduled, interaction_id=item.id, starts_at_ms=due_at_ms)
            self.schedule(item, due_at_ms)
        self.match(people=people, items=[item])

    def on_fail_callback(self, command: Any) -> None:
        if (item := self.assigned(command, ENGAGED, HELD)) is None:
            return
        if not item.is_callback:
            self.refuse(command, command.assignment_id, "illegal_state")
            return
        item.attempts += 1
        callback = item.queue.callback
        if item.attempts >= callback.max_attempts:
            self.complete(item, "callback_failed")
            return
        freed = self.end_consult(item)
        person, due_at_ms = self.people[item.agent_id], self.now_ms + callback.retry_ms
        about = {**self.about(item), "agent_id": item.agent_id}
        self.tell(ev.CallbackFailed, **about, due_at_ms=due_at_ms, reason=command.reason)
        self.touch(person)
        self.schedule(item, due_at_ms)
        self.match(people=[person, *freed])

    # --- Sticky agents and codes ----------------------------------------------------------

    def last_agent_step(self, queue: Queue, message: Message) -> tuple[OwnStep, ...]:
        found = self.last_agents.get(self.customer_of(message))
        rule = queue.last_agent
        if rule is None or found is None or self.now_ms - found[1] > rule.within_ms:
            return ()
        return (OwnStep(f'agent == "{found[0]}"', rule.for_ms, skip_if_nobody=True),)

    def remember_agent(self, item: Any) -> None:
        if item.kind is Kind.CONSULT or not (customer := self.customer(item)):
            return
        if all(queue.last_agent is None for queue in self.plan.queues.values()):
            return
        self.last_agents.pop(customer, None)
        self.last_agents[customer] = (item.agent_id, self.now_ms)
        if len(self.last_agents) > self.plan.limits.max_last_agents:
            del self.last_agents[next(iter(self.last_agents))]

    def merge_last_agents(self, kept: str, merged: list[str]) -> None:
        """The newest of them is the kept customer's, and is forgotten last."""
        same = [who for who in (kept, *merged) if who in self.last_agents]
        if same:
            newest = max((self.last_agents.pop(who) for who in same), key=lambda found: found[1])
            self.last_agents[kept] = newest

    def on_extend_wrap_up(self, command: Any) -> None:
        if (item := self.assigned(command, WRAP_UP)) is None:
            return
        extended_ms = item.extended_ms + command.by_ms
        if ("wrap_up", item) not in self.timers or extended_ms > item.may_extend_ms:
            self.refuse(command, command.assignment_id, "illegal_state")
            return
        item.extended_ms = extended_ms
        item.until_ms += command.by_ms
        self.tell(ev.WrapUpExtended, **self.about(item), until_ms=item.until_ms)
        self.set_timer(("wrap_up", item), item.until_ms)
