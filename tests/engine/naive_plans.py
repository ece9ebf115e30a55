"""The meaning of another plan and of forgetting a customer, as the slowest program.

The part of `naive` that reads "Another plan" and "Forgetting a customer" of
docs/explanation/semantics.md.

Where the page leaves something open, this is the reading:
- the version in `PlanChanged` counts the changes;
- what waits is put in order of place once, by the new plan, before the first is moved;
- what an overflow rule of a step does in the middle of that is matched at once, as ever;
- customers linked and lanes are never so many that a limit on them counts.
"""

from __future__ import annotations

import functools
from typing import Any

from engine.naive_inbound import digest
from omniroute import events as ev
from omniroute.errors import CommandError, PlanError, UnknownNameError
from omniroute.model import InteractionState, Message
from omniroute.plan import Plan, Queue, RefusalRule, loads

WAITING, OFFERED = InteractionState.WAITING, InteractionState.OFFERED


@functools.lru_cache(maxsize=256)
def loaded(text: str, scorers: tuple[Any, ...]) -> Plan:
    return loads(text, scorers=dict(scorers))


class NaivePlans:
    """Mixed into `NaiveEngine`."""

    plan: Plan
    now_ms: int
    items: dict[str, Any]
    people: dict[str, Any]
    timers: dict[tuple[Any, ...], tuple[int, int]]

    def __init__(self) -> None:
        self.version = 0
        self.gone: dict[str, Queue] = {}

    def check_plans(self, command: Any) -> None:
        """The caller's mistakes in these commands."""
        if isinstance(command, ev.ChangePlan):
            plan = self.loaded(command.plan)
            if not plan.queues:
                raise PlanError("no queues")
            for person in self.people.values():
                if person.agent.capacity not in plan.capacities:
                    raise UnknownNameError("capacity", person.agent.capacity, plan.capacities)
            for source, target in command.moves:
                plan.queue(target)
                if source not in (*self.plan.queues, *self.gone):
                    raise UnknownNameError("queue", source, self.plan.queues)
        if isinstance(command, ev.EraseCustomer):
            named = bool(command.keys) or command.interaction_id is not None
            if not named or len(command.keys) > 1_000 or any(len(k) > 64 for k in command.keys):
                raise CommandError("nobody, or too much")

    def loaded(self, text: str) -> Plan:
        return loaded(text, tuple(self.plan.scorers.items()))

    def queue_named(self, name: str) -> Queue:
        """One that the plan has no more goes on with default settings."""
        if name in self.plan.queues:
            return self.plan.queues[name]
        return self.gone.setdefault(name, Queue(name=name))

    # --- Another plan ---------------------------------------------------------------------

    def on_change_plan(self, command: Any) -> None:
        before, self.plan = self.plan, self.loaded(command.plan)
        self.version += 1
        for name in before.queues:
            self.gone.setdefault(name, Queue(name=name))
        self.pace.change(self.plan, self.now_ms)
        self.tell(ev.PlanChanged, version=self.version, plan=command.plan)
        for item in sorted(self.items.values(), key=lambda i: i.seq):
            self.go_on(item)
        for person in self.people.values():
            person.taken.clear()
        self.forget_what_was_over(before)
        moves = dict(command.moves)
        for item in sorted(self.all_in_line(), key=self.place):
            name = item.queue.name
            if item not in self.all_in_line():
                continue
            if name in moves:
                self.move(item, self.plan.queue(moves[name]), None, item.requirement)
            elif command.to_waiting and name in self.plan.queues:
                self.move(item, item.queue, None, item.requirement)
            else:
                self.go_on_from_what_has_passed(item)
        self.reset_refusals()
        self.match(people=self.people.values(), items=self.all_in_line())

    def all_in_line(self) -> list[Any]:
        return [i for i in self.items.values() if i.state in (WAITING, OFFERED)]

    def go_on(self, item: Any) -> None:
        """It stands where it stood."""
        item.queue = self.queue_named(item.queue.name)
        item.overflowed = (-1, 0)
        here = item.state in (WAITING, OFFERED)
        last = len(self.ladder(item)) - 1
        if item.step >= last:
            item.step, item.step_ends_ms = last, None
            self.timers.pop(("step", item), None)
        elif item.step_ends_ms is None:
            item.step_ends_ms = self.end_of_step(item)
            if here:
                self.set_clock(("step", item), item.step_ends_ms)
        item.opening = min(item.opening, len(self.openings(item.queue)))
        if here:
            self.set_clock(("opening", item), self.opening_end(item))
        if item.queue.refusal.rule in (RefusalRule.AT_ONCE, RefusalRule.AFTER):
            for_a_time = {what[2] for what in self.timers if what[:2] == ("refusal", item)}
            item.barred &= for_a_time
        most = self.plan.limits.max_messages
        while len(item.messages) > most and len(item.messages) > 1:
            del item.messages[1]

    def forget_what_was_over(self, before: Plan) -> None:
        limits = self.plan.limits
        self.windows.clear()
        for key, (seen_ms, _) in list(self.seen.items()):
            if self.now_ms - seen_ms > before.limits.dedupe_ms:
                del self.seen[key]
        for channel in {key[0] for key in self.seen}:
            here = [key for key in self.seen if key[0] == channel]
            for key in here[: max(0, len(here) - limits.max_dedupe_keys)]:
                del self.seen[key]
        wanted = any(queue.last_agent is not None for queue in self.plan.queues.values())
        most = limits.max_last_agents if wanted else 0
        for customer in list(self.last_agents)[: max(0, len(self.last_agents) - most)]:
            del self.last_agents[customer]

    def go_on_from_what_has_passed(self, item: Any) -> None:
        self.catch_up(item)
        if item.step_ends_ms is not None and item.step_ends_ms <= self.now_ms:
            self.climb(item, item.step + 1)

    # --- Forgetting a customer ------------------------------------------------------------

    def on_erase_customer(self, command: Any) -> None:
        keys, named = set(command.keys), command.interaction_id
        if named is not None:
            keys.add(own_of(named))
            keys |= {own(m) for m in self.messages_of(named) if m.customer.id}
        for known in self.customers:
            if keys & {known.id, *known.keys}:
                keys |= {known.id, *known.keys}
        while (more := keys | self.keys_with(keys)) != keys:
            keys = more
        redacted = []
        for item in sorted(self.items.values(), key=lambda i: i.seq):
            places = self.places_of(item, keys)
            if places:
                redacted.append((item.id, tuple(places)))
                item.conversation_id = item.parent_id or ""
                for place in places:
                    item.messages[place] = bare(item.messages[place])
        self.forget_keys(keys)
        self.tell(ev.CustomerErased, keys=tuple(sorted(keys)), redacted=tuple(redacted))

    def messages_of(self, interaction_id: str) -> list[Message]:
        item = self.items.get(interaction_id)
        return [] if item is None else item.messages

    def keys_with(self, keys: set[str]) -> set[str]:
        """The keys of interactions that are to be forgotten with these."""
        found = set()
        for item in self.items.values():
            pair = {own_of(item.id)} | ({own_of(item.parent_id)} if item.parent_id else set())
            if self.places_of(item, keys):
                found.add(own_of(item.id))
            if len(pair) == 2 and pair & (keys | found):
                found |= pair
        return found

    def places_of(self, item: Any, keys: set[str]) -> list[int]:
        """Which of its messages go."""
        named = {own_of(item.id), *(own(m) for m in item.messages if m.customer.id)}
        return [
            place
            for place, message in enumerate(item.messages)
            if (own(message) in keys if message.customer.id else named & keys)
            and message != bare(message)
        ]

    def forget_keys(self, keys: set[str]) -> None:
        gone = [known for known in self.customers if keys & {known.id, *known.keys}]
        self.customers = [known for known in self.customers if known not in gone]
        for customer in keys | {known.id for known in gone}:
            self.last_agents.pop(customer, None)
        for (channel, _), sent in self.windows.items():
            sent[:] = [sender for sender in sent if digest(channel, sender) not in keys]
        for channel, key in list(self.seen):
            sender = key.partition("\n")[2]
            if channel == "email" and sender and digest("email", sender) in keys:
                del self.seen[channel, key]


def own(message: Message) -> str:
    return digest(message.channel, message.customer.id)


def own_of(interaction_id: str) -> str:
    return digest("interaction", interaction_id)


def bare(message: Message) -> Message:
    """That it came, and when."""
    return Message(
        channel=message.channel,
        to=message.to,
        attributes={"redacted": True},
        sent_at_ms=message.sent_at_ms,
        received_at_ms=message.received_at_ms,
    )
