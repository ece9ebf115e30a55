"""Where work goes that a queue cannot or should not take: at the door, and while it waits.

The rules are read synchronously, from the state of this very moment: "full" is exact. See
docs/explanation/semantics.md, "Overflow".
"""

from __future__ import annotations

from ..errors import ExpressionError
from ..events import OwnStep, RejectReason, Reprioritized, RevokeReason
from ..model import Presence
from ..plan import Expression, Overflow, Scope, all_of, parse
from . import apply, removal
from .estimates import ewt_ms, recent_service_level
from .matching import Events, cancel, rematch, revoke_all
from .queue_record import QueueRecord
from .records import AgentRecord, InteractionRecord
from .state import State

__all__ = ["Outlook", "Wanted", "act", "at_the_door", "both", "holds", "on_step"]

#: How often one interaction is moved on by its ladders at one moment.
_MAX_HOPS = 8


class Wanted:
    """What a newcomer is to be queued with, while the rules change it."""

    __slots__ = ("hint", "open_access", "priority", "queue", "requirement", "steps", "text", "via")

    def __init__(
        self,
        queue: str,
        priority: int | None,
        requirement: str | None,
        steps: tuple[OwnStep, ...],
    ) -> None:
        self.queue = queue
        self.priority = priority
        self.requirement = requirement
        self.steps = steps
        #: the queues that turned it away
        self.via: list[str] = []
        self.hint = ""
        #: what a rule says that rejects it
        self.text = ""
        self.open_access = False


class Outlook:
    """How it stands with a queue now: the fields of `Scope.QUEUE`, worked out when asked for.

    ``own_steps`` and ``requirement`` are those of the interaction that asks, ``step`` is the one
    that it asks at.
    """

    def __init__(
        self,
        state: State,
        queue: QueueRecord,
        own_steps: tuple[OwnStep, ...],
        requirement: str | None,
        step: int,
    ) -> None:
        self._state = state
        self._step = step
        self._queue = queue
        self._own_steps = own_steps
        self._requirement = requirement

    @property
    def waiting(self) -> int:
        """How many wait or are offered."""
        return self._queue.waiting

    @property
    def signed_in(self) -> int:
        """How many agents of the queue are signed in."""
        return len(self._agents())

    @property
    def ready(self) -> int:
        """How many of them are ready."""
        return sum(agent.presence is Presence.READY for agent in self._agents())

    @property
    def takers(self) -> int:
        """How many ready agents satisfy what the interaction asks for at the step."""
        state, queue = self._state, self._queue
        wanted = state.effective(queue, self._own_steps, self._step, self._requirement)
        return sum(agent.presence is Presence.READY for agent in self._who(wanted))

    def _agents(self) -> list[AgentRecord]:
        return self._who(self._queue.plan.members)

    def _who(self, wanted: Expression | None) -> list[AgentRecord]:
        profiles = self._state.market.need(wanted).profiles.values()
        return [agent for profile in profiles for agent in profile.agents.values()]

    @property
    def ewt_s(self) -> int | None:
        """The estimated wait of the next to come, in whole seconds; None: not known."""
        found = ewt_ms(self._queue, self._state.now_ms)
        return None if found is None else found // 1000

    @property
    def service_level(self) -> int | None:
        """Percent accepted in time of what was accepted or abandoned lately; None: nothing was."""
        found = recent_service_level(self._state, self._queue)
        return None if found is None else int(100 * found)

    @property
    def open(self) -> bool:
        """Whether it is within the queue's business hours."""
        name = self._queue.plan.hours
        hours = None if name is None else self._state.plan.hours.get(name)
        return hours is None or hours.is_open(self._state.now_ms)

    @property
    def draining(self) -> bool:
        """Whether it takes nothing new."""
        return self._queue.is_draining

    @property
    def nobody(self) -> bool:
        """Whether no signed-in agent could ever take the interaction that asks."""
        state, queue = self._state, self._queue
        wanted = (
            state.effective(queue, self._own_steps, step, self._requirement)
            for step in range(len(self._own_steps) + len(queue.plan.ladder))
        )
        return not any(state.market.need(expression).profiles for expression in wanted)


def holds(state: State, record: InteractionRecord, condition: Expression, step: int) -> bool:
    """Whether a condition holds for the queue of an interaction now, asked at a step."""
    outlook = Outlook(state, record.queue, record.own_steps, record.requirement, step)
    return condition.matches(outlook)


def at_the_door(state: State, wanted: Wanted) -> RejectReason | None:
    """Let the rules of the queue, and of those it leads to, change ``wanted``, or say no."""
    while True:
        queue = state.queues[wanted.queue]
        rule = _first(queue, Outlook(state, queue, wanted.steps, wanted.requirement, 0))
        if rule is not None:
            wanted.hint = rule.hint or wanted.hint
            if rule.reject is not None:
                wanted.text = rule.reject
                return RejectReason.OVERFLOW
            wanted.requirement = _joined(wanted.requirement, rule)
            wanted.priority = wanted.priority if rule.priority is None else rule.priority
            if rule.queue is not None and rule.queue not in (wanted.queue, *wanted.via):
                wanted.via.append(wanted.queue)
                wanted.queue = rule.queue
                continue
            wanted.open_access = rule.open_access
        return RejectReason.QUEUE_DRAINING if queue.is_draining else None


def _first(queue: QueueRecord, outlook: Outlook) -> Overflow | None:
    for rule in queue.plan.overflow:
        if rule.when is None or rule.when.matches(outlook):
            return rule
    return None


def both(own: Expression | None, more: Expression | None) -> Expression | None:
    """Two requirements as one; the first alone where both are too long together to be read."""
    joined = all_of(own, more)
    try:
        parse(str(joined), Scope.AGENT)
    except ExpressionError:
        return own
    return joined


def _joined(requirement: str | None, rule: Overflow) -> str | None:
    """The own requirement and that of the rule."""
    if rule.requirement is None:
        return requirement
    joined = both(
        None if requirement is None else parse(requirement, Scope.AGENT), rule.requirement
    )
    return None if joined is None else str(joined)


def on_step(state: State, record: InteractionRecord, at_ms: int, out: Events) -> None:
    """Do what the step that it has just entered says, if that is to be done now."""
    rule = record.ladder[record.step].overflow
    assert rule is not None
    if rule.when is None or holds(state, record, rule.when, record.step):
        act(state, record, rule, at_ms, out)


def act(state: State, record: InteractionRecord, rule: Overflow, at_ms: int, out: Events) -> None:
    """Do what a rule says with one that waits or is offered, and match who is freed by that."""
    if rule.reject is not None:
        agents = revoke_all(state, record, RevokeReason.CANCELLED, at_ms, out)
        cancel(state, record, rule.reject, at_ms, out)
        rematch(state, at_ms, out, agents=agents)
    elif rule.queue is not None:
        if _may_hop(record, at_ms):
            requirement = _joined(record.requirement, rule)
            agents = removal.put_into(
                state, record, rule.queue, rule.priority, requirement, at_ms, out
            )
            rematch(state, at_ms, out, agents=agents, records=[record])
    elif rule.priority is not None:
        event = Reprioritized(at_ms, record.id, rule.priority, record.enqueued_at_ms)
        apply.reprioritized(state, event)
        out.append(event)


def _may_hop(record: InteractionRecord, at_ms: int) -> bool:
    """Whether ladders have not moved it on too often at this moment."""
    side = record.aside()
    if side.hops_at_ms != at_ms:
        side.hops_at_ms, side.hops = at_ms, 0
    if side.hops == _MAX_HOPS:
        return False
    side.hops += 1
    return True
