"""What the checks ask of a plan, answered once: who may take what, where, and how it is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from ..model import Agent
from .expression import Expression, Scope, all_of
from .findings import Code, Finding, Severity
from .logic import possible
from .model import Plan, Queue, Step, TriageRule
from .reading import quoted_key

__all__ = [
    "Survey",
    "begins",
    "error",
    "queue_path",
    "reached",
    "seconds",
    "step_path",
    "targets",
    "warning",
]


def error(code: Code, where: str, message: str) -> Finding:
    """A finding that must be fixed."""
    return Finding(Severity.ERROR, code, where, message)


def warning(code: Code, where: str, message: str) -> Finding:
    """A finding to look at."""
    return Finding(Severity.WARNING, code, where, message)


class Survey:
    """A plan with the questions that several checks share; answers are kept."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.agents = tuple(plan.agents.values())
        self.levels = {skill.name: skill.max_level for skill in plan.skills.values()}
        self._takers: dict[Expression | None, frozenset[str]] = {}

    def takers(self, expression: Expression | None) -> frozenset[str]:
        """The ids of the plan's agents who satisfy ``expression``."""
        found = self._takers.get(expression)
        if found is None:
            matches = self.agents if expression is None else filter(expression.matches, self.agents)
            found = self._takers[expression] = frozenset(agent.id for agent in matches)
        return found

    def members(self, expressions: Iterable[Expression | None]) -> list[Agent]:
        """The plan's agents who satisfy one of ``expressions``, in plan order."""
        ids = frozenset().union(*map(self.takers, expressions))
        return [agent for agent in self.agents if agent.id in ids]

    @cached_property
    def served(self) -> dict[str, list[Queue]]:
        """For each agent of the plan the queues that he serves at some step."""
        found: dict[str, list[Queue]] = {agent.id: [] for agent in self.agents}
        for queue in self.plan.queues.values():
            for ident in frozenset().union(*map(self.takers, self.steps(queue))):
                found[ident].append(queue)
        return found

    def nobody(self, expression: Expression | None) -> bool:
        """Whether no agent satisfies it: none of the plan's, or none that can exist."""
        if self.agents:
            return not self.takers(expression)
        return not self.possible([expression], [])

    def possible(
        self, every: Iterable[Expression | None], none: Iterable[Expression | None]
    ) -> bool:
        """Whether an agent can exist who satisfies all of ``every`` and none of ``none``."""
        refused = list(none)
        if None in refused:
            return False
        return possible(
            [e.tree for e in every if e is not None],
            [e.tree for e in refused if e is not None],
            Scope.AGENT,
            self.levels,
        )

    def steps(self, queue: Queue) -> list[Expression | None]:
        """For each step of the queue, what an agent must satisfy."""
        return [all_of(queue.members, step.requirement) for step in queue.ladder]

    def requirement_at(self, queue: Queue, step: Step, own: Expression | None) -> Expression | None:
        """What an agent must satisfy at a step for an interaction with a requirement."""
        kept = own.without(step.drop) if own is not None and step.drop else own
        return all_of(queue.members, step.requirement, kept)

    @cached_property
    def live_rules(self) -> tuple[int, ...]:
        """The numbers of the triage rules that some message gets to."""
        rules = self.plan.triage
        earlier = [rule.when for rule in rules]
        return tuple(n for n, rule in enumerate(rules) if reached(rule.when, earlier[:n]))

    def requirements(self) -> Iterator[tuple[str, Expression]]:
        """Every expression about agents, and where it stands."""
        for queue in self.plan.queues.values():
            if queue.members is not None:
                yield f"{queue_path(queue)}.members", queue.members
            for number, step in enumerate(queue.ladder):
                if step.requirement is not None:
                    yield f"{step_path(queue, number)}.requirement", step.requirement
                if step.overflow is not None and step.overflow.requirement is not None:
                    where = f"{step_path(queue, number)}.overflow.requirement"
                    yield where, step.overflow.requirement
            for number, row in enumerate(queue.access):
                if row.agents is not None:
                    yield f"{queue_path(queue)}.access[{number}].agents", row.agents
            for number, overflow in enumerate(queue.overflow):
                if overflow.requirement is not None:
                    where = f"{queue_path(queue)}.overflow[{number}].requirement"
                    yield where, overflow.requirement
        for number, rule in enumerate(self.plan.triage):
            if rule.requirement is not None:
                yield f"triage[{number}].requirement", rule.requirement


def reached(
    when: Expression | None, earlier: Sequence[Expression | None], *also: Expression
) -> bool:
    """Whether some message satisfies ``when`` and ``also``, and no ``earlier`` condition."""
    if None in earlier:
        return False
    every = [e.tree for e in (when, *also) if e is not None]
    return possible(every, [e.tree for e in earlier if e is not None], Scope.MESSAGE)


def targets(rule: TriageRule) -> tuple[str, ...]:
    """The queues that a triage rule sends to, without repeats."""
    found = dict.fromkeys(rule.split)
    if sum(rule.split.values()) < 100:
        found = {rule.queue: None, **found}
    return tuple(found)


def begins(queue: Queue) -> list[int]:
    """For each step of a ladder the waiting time (ms) at which it can begin at the earliest.

    A step that may be passed over is assumed to be.
    """
    begin_ms = 0
    found = []
    for step in queue.ladder:
        found.append(begin_ms)
        if step.skip_if_nobody or step.only_if is not None:
            continue
        if step.for_ms is not None:
            begin_ms += step.for_ms
        elif step.until_ms is not None:
            begin_ms = max(begin_ms, step.until_ms)
    return found


def seconds(duration_ms: int) -> str:
    """A duration for people to read."""
    return f"{duration_ms / 1000:g} s"


def queue_path(queue: Queue) -> str:
    """The key path of a queue."""
    return f"queues.{quoted_key(queue.name)}"


def step_path(queue: Queue, number: int) -> str:
    """The key path of a step."""
    return f"{queue_path(queue)}.ladder[{number}]"
