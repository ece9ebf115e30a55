"""The meaning of overflow and of what a supervisor does to whole queues, as the slowest program.

The part of `naive` that reads "Overflow" and the leases of "Agents" of
docs/explanation/semantics.md.

Where the page leaves something open, this is the reading:
- the queue that is left at the end may not be draining, whatever its rules did;
- a rule that leads back leaves it where it is, with the rule's priority, requirement and hint;
- the last rule's priority goes before that of the command;
- `open_access` counts in the rule that leaves it where it is; a hint for any rejection;
- refusals that a step clears are cleared before its rule is looked at;
- a step's `waiting` counts the interaction itself;
- what a step's rule moves or ends is matched at once, in the middle of anything;
- a ninth move at one moment is not done.
"""

from __future__ import annotations

from typing import Any

import attrs

from engine.naive_pace import NaivePace
from omniroute import events as ev
from omniroute.errors import CommandError, ExpressionError
from omniroute.events import RevokeReason
from omniroute.model import InteractionState, Message
from omniroute.plan import Overflow, Queue, TriageRule, all_of, parse

WAITING, OFFERED = InteractionState.WAITING, InteractionState.OFFERED
_GOLDEN = 11400714819323198485


def both(own: Any, more: Any) -> Any:
    """What can be read again: the own one alone where both are too long together."""
    try:
        parse(str(all_of(own, more)))
    except ExpressionError:
        return own
    return all_of(own, more)


@attrs.frozen
class Standing:
    """What a condition of overflow is about."""

    waiting: int
    signed_in: int
    ready: int
    takers: int
    ewt_s: int | None
    service_level: int | None
    open: bool
    draining: bool
    nobody: bool


@attrs.define
class Door:
    """Where the overflow rules lead."""

    queue: Queue
    requirement: Any
    priority: int | None = None
    hint: str = ""
    text: str = ""
    via: tuple[str, ...] = ()
    open_access: bool = False
    reason: str | None = None  # of a rejection


class NaiveOverflow:
    """Mixed into `NaiveEngine`."""

    plan: Any
    now_ms: int
    items: dict[str, Any]
    people: dict[str, Any]

    def __init__(self) -> None:
        self.draining: set[str] = set()
        self.pace = NaivePace(self.plan)

    def check_overflow(self, command: Any) -> None:
        """The caller's mistakes in these commands."""
        if isinstance(command, ev.MoveAll):
            self.plan.queue(command.to)
        if isinstance(command, ev.SignIn) and command.lease_ms is not None and command.lease_ms < 1:
            raise CommandError(f"lease_ms {command.lease_ms}")

    # --- how it stands --------------------------------------------------------------------

    def standing(self, queue: Queue, item: Any, step: int = 0) -> Standing:
        here = [i for i in self.items.values() if i.queue is queue]
        waiting = sum(i.state in (WAITING, OFFERED) for i in here)
        members = [
            p
            for p in self.people.values()
            if queue.members is None or queue.members.matches(p.agent)
        ]
        hours = None if queue.hours is None else self.plan.hours[queue.hours]
        steps = range(len(self.ladder(item)))
        ewt_ms = self.pace.ewt_ms(queue.name, self.now_ms)
        return Standing(
            waiting=waiting,
            signed_in=len(members),
            ready=sum(p.ready for p in members),
            takers=sum(p.ready and self.satisfies(p, item, step) for p in self.people.values()),
            ewt_s=None if ewt_ms is None else ewt_ms // 1_000,
            service_level=self.pace.service_level(queue.name, self.now_ms),
            open=hours is None or hours.is_open(self.now_ms),
            draining=queue.name in self.draining,
            nobody=not any(self.satisfies(p, item, s) for p in self.people.values() for s in steps),
        )

    # --- at the door ----------------------------------------------------------------------

    def split(self, rule: TriageRule) -> str:
        point = (((self.last_seq + 1) * _GOLDEN) % 2**64) * 100 // 2**64
        total = 0
        for name, percent in rule.split.items():
            total += percent
            if total > point:
                return name
        return rule.queue

    def at_the_door(self, queue: Queue, requirement: Any, message: Message, own: Any) -> Door:
        door = Door(queue, requirement)
        while (rule := self.overflow_rule(door, message, own)) is not None:
            door.hint = rule.hint or door.hint
            if rule.reject is not None:
                door.reason, door.text = "overflow", rule.reject
                return door
            door.requirement = both(door.requirement, rule.requirement)
            door.priority = door.priority if rule.priority is None else rule.priority
            if rule.queue is None or rule.queue in (*door.via, door.queue.name):
                door.open_access = rule.open_access
                break
            door.via = (*door.via, door.queue.name)
            door.queue = self.plan.queue(rule.queue)
        if door.queue.name in self.draining:
            door.reason = "queue_draining"
        return door

    def overflow_rule(self, door: Door, message: Message, own: Any) -> Overflow | None:
        newcomer = self.item(
            queue=door.queue,
            priority=0,
            requirement=door.requirement,
            messages=[message],
            own_steps=tuple(own),
        )
        for rule in door.queue.overflow:
            if rule.when is None or rule.when.matches(self.standing(door.queue, newcomer)):
                return rule
        return None

    # --- at a step ------------------------------------------------------------------------

    def overflow_at_step(self, item: Any) -> None:
        rule = self.ladder(item)[item.step].overflow
        if rule is None:
            return
        standing = self.standing(item.queue, item, item.step)
        if rule.when is not None and not rule.when.matches(standing):
            return
        self.overflow(item, rule)

    def overflow(self, item: Any, rule: Overflow) -> None:
        if rule.reject is not None:
            people = self.revoke_all(item, RevokeReason.CANCELLED)
            self.tell(ev.Cancelled, interaction_id=item.id, reason=rule.reject)
            self.forget(item)
            self.match(people=people)
        elif rule.queue is not None:
            moved_ms, count = item.overflowed
            count = count + 1 if moved_ms == self.now_ms else 1
            if count <= 8:
                item.overflowed = (self.now_ms, count)
                requirement = both(item.requirement, rule.requirement)
                people = self.move(item, self.plan.queue(rule.queue), rule.priority, requirement)
                self.match(people=people, items=[item])
        elif rule.priority is not None:
            item.priority, item.lent = rule.priority, None
            self.tell_priority(item)

    # --- whole queues ---------------------------------------------------------------------

    def on_drain(self, command: Any) -> None:
        if command.queue not in self.draining:
            self.draining.add(command.queue)
            self.tell(ev.QueueDrained, queue=command.queue)

    def on_reopen(self, command: Any) -> None:
        if command.queue in self.draining:
            self.draining.discard(command.queue)
            self.tell(ev.QueueReopened, queue=command.queue)

    def in_line(self, name: str) -> list[Any]:
        states = (WAITING, OFFERED)
        here = [i for i in self.items.values() if i.queue.name == name and i.state in states]
        return sorted(here, key=self.place)

    def on_move_all(self, command: Any) -> None:
        people, moved = [], self.in_line(command.queue)
        for item in moved:
            people += self.move(item, self.plan.queue(command.to), None, item.requirement)
        self.match(people=people, items=moved)

    def on_close_all(self, command: Any) -> None:
        people = []
        for item in self.in_line(command.queue):
            people += self.revoke_all(item, RevokeReason.CANCELLED)
            self.tell(ev.Cancelled, interaction_id=item.id, reason=command.reason)
            self.forget(item)
        self.match(people=people)

    # --- leases ---------------------------------------------------------------------------

    def set_lease(self, person: Any) -> None:
        if person.lease_ms is not None:
            self.set_timer(("lease", person), self.now_ms + person.lease_ms)

    def on_renew(self, command: Any) -> None:
        if (person := self.signed_in(command, command.agent_id)) is None:
            return
        if person.lease_ms is None:
            self.refuse(command, command.agent_id, "illegal_state")
            return
        until_ms = self.now_ms + person.lease_ms
        self.tell(ev.LeaseRenewed, agent_id=person.agent.id, until_ms=until_ms)
        self.set_lease(person)
