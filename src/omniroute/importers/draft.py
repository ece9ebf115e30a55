"""A plan under construction, and how it is made to hold.

Vendors accept what a plan does not: rules that nothing reaches, steps that are over before
they begin, queues whose members are known only at run time. `Draft.finished` loads what
was written, checks it, and takes out whatever is an error, with a note for each; so that
the result always loads and checks, and the notes say why it is not what was read.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from ..errors import PlanError
from ..model import Agent
from ..plan import (
    Capacity,
    Code,
    Finding,
    Hours,
    Limits,
    Plan,
    Queue,
    Severity,
    Skill,
    Step,
    TriageRule,
    check,
    dumps,
    loads,
    parse,
)
from ..plan.expression import Expression
from ..plan.reading import quoted_key
from ..plan.syntax import conjunction, negation, quoted
from .documents import Notes
from .report import Imported

__all__ = ["FOR_EVER", "Draft", "clean", "impossible", "in_group"]

_MAX_REPAIRS = 10_000
_MAX_NAME = 200
_TOO_LARGE = "it is larger than an expression may be"
_OVERFLOW = re.compile(r"(?:\.ladder\[(?P<step>\d+)\])?\.overflow(?:\[(?P<rule>\d+)\])?")
_INDEX = re.compile(r"^triage\[(?P<rule>\d+)\]|\.ladder\[(?P<step>\d+)\]")


#: Offers of one interaction where the other router goes on for ever.
FOR_EVER = 10_000


def clean(name: str) -> str:
    """A name as a plan can carry it: one line, of bounded length, not empty."""
    return " ".join(name.split())[:_MAX_NAME].strip() or "unnamed"


def impossible(expression: Expression) -> Expression:
    """What nobody satisfies: for a step that only takes time."""
    tree = expression.tree
    return Expression(conjunction([tree, negation(tree)]), expression.scope)


def in_group(name: str) -> Expression:
    """The requirement of being in a group."""
    return parse(f"groups has {quoted(name)}")


@attrs.define
class Draft:
    """What has been read so far. ``sources`` says where in the source a queue came from."""

    vendor: str
    notes: Notes = attrs.field(factory=Notes)
    queues: dict[str, Queue] = attrs.field(factory=dict)
    rules: list[TriageRule] = attrs.field(factory=list)
    agents: dict[str, Agent] = attrs.field(factory=dict)
    capacities: dict[str, Capacity] = attrs.field(factory=dict)
    skills: dict[str, int] = attrs.field(factory=dict)
    hours: dict[str, Hours] = attrs.field(factory=dict)
    sources: dict[str, str] = attrs.field(factory=dict)
    unlisted: list[Agent] = attrs.field(factory=list)
    max_offers: int = Limits().max_offers

    def free_name(self, wanted: str, taken: Collection[str] | None = None) -> str:
        """``wanted``, or with a number where a queue has that name already."""
        taken = self.queues if taken is None else taken
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def add_queue(self, queue: Queue, where: str) -> str:
        """Keep a queue; returns its name, which is a free one."""
        name = self.free_name(queue.name)
        self.queues[name] = attrs.evolve(queue, name=name)
        self.sources[name] = where
        return name

    def finished(self) -> Imported:
        """The plan, repaired until it checks. Raises `PlanError` when no queue is in it."""
        if not self.queues:
            raise PlanError(f"there is no queue in this {self.vendor} file")
        self._drop_oversized()
        for _ in range(_MAX_REPAIRS):
            plan = self._plan()
            errors = [f for f in check(plan) if f.severity is Severity.ERROR]
            if not errors:
                return Imported(self._written(plan), tuple(self.notes.gaps))
            self._repair(errors)
        raise PlanError("this file contradicts itself too often to be repaired")

    def _plan(self) -> Plan:
        used = [queue.priority for queue in self.queues.values()]
        used += [rule.priority or 0 for rule in self.rules]
        for queue in self.queues.values():
            used += [step.priority or 0 for step in queue.ladder]
            steps = [step.overflow for step in queue.ladder if step.overflow is not None]
            used += [rule.priority or 0 for rule in (*queue.overflow, *steps)]
        return Plan(
            name=self.vendor,
            queues=list(self.queues.values()),
            skills=[Skill(name, level) for name, level in self.skills.items()],
            capacities=list(self.capacities.values()),
            agents=list(self.agents.values()),
            triage=self.rules,
            hours=list(self.hours.values()),
            limits=Limits(
                max_priority=max(Limits().max_priority, *used), max_offers=self.max_offers
            ),
        )

    def _written(self, plan: Plan) -> str:
        text = dumps(plan)
        if self.unlisted:
            queue = Queue(name="any")
            also = Plan(queues=[queue], capacities=plan.capacities, agents=self.unlisted)
            listed = dumps(also)
            text += "\n# These agents are not listed, since not every queue's members are known:\n"
            block = listed[listed.index("[[agents]]") :]
            text += "".join(f"# {line}\n" if line else "#\n" for line in block.splitlines())
        assert loads(text) == plan
        return text

    def _drop_oversized(self) -> None:
        """What was joined from parts may be larger than one expression may be."""
        for rule in list(self.rules):
            if not (_fits(rule.when) and _fits(rule.requirement)):
                self.rules.remove(rule)
                self.notes.left_out(f"the rule for {rule.queue!r}", "all of it", _TOO_LARGE)
        for name, queue in self.queues.items():
            members = queue.members if _fits(queue.members) else in_group(name)
            ladder = [
                step if _fits(step.requirement) else attrs.evolve(step, requirement=in_group(name))
                for step in queue.ladder
            ]
            if members != queue.members or tuple(ladder) != queue.ladder:
                self.notes.changed(
                    self.sources[name], f"who serves {name!r}", _TOO_LARGE,
                    f"where it did not fit: the agents of the group {name!r}",
                )  # fmt: skip
                self.queues[name] = attrs.evolve(queue, members=members, ladder=ladder)

    # --- repairs ------------------------------------------------------------------------

    def _repair(self, errors: list[Finding]) -> None:
        worst = min(errors, key=_order)
        code, where = worst.code, worst.where
        found = _INDEX.search(where)
        if self.agents and code in _ABOUT_AGENTS:
            self._unlist_agents(worst)
        elif code is Code.CHANNEL_NEVER_FITS:
            self._drop_costs()
        elif _OVERFLOW.search(where):
            self._drop_overflow(worst)
        elif found and found["rule"]:
            self._drop_rule(worst, int(found["rule"]))
        elif found and code is Code.UNREACHABLE_STEP:
            self._drop_step(worst, int(found["step"]))
        elif found:
            self._stand_in_at(worst, int(found["step"]))
        else:
            self._stand_in(worst)

    def _unlist_agents(self, finding: Finding) -> None:
        self.notes.changed(
            "agents",
            f"the {len(self.agents)} agents of the file",
            f"the plan would not check with them in it ({finding.where}: {finding.message})",
            "they stand in it as a comment; let them sign in with those groups and attributes",
        )
        self.unlisted = list(self.agents.values())
        self.agents.clear()

    def _drop_costs(self) -> None:
        """A cost above the budget goes; with the last one goes whoever has the capacity."""
        for name, capacity in list(self.capacities.items()):
            fitting = {c: cost for c, cost in capacity.costs.items() if cost <= capacity.budget}
            for channel in capacity.costs.keys() - fitting.keys():
                self.notes.changed(
                    f"capacity {name}",
                    f"channel {channel}",
                    "it costs more than the whole capacity, so it could never be offered",
                    "here a channel without a cost is never offered",
                )
            self.capacities[name] = attrs.evolve(capacity, costs=fitting)
            if not fitting:
                del self.capacities[name]
                for ident in [a.id for a in self.agents.values() if a.capacity == name]:
                    del self.agents[ident]
                    self.notes.left_out("agents", ident, "nothing fits into his capacity")

    def _drop_rule(self, finding: Finding, number: int) -> None:
        rule = self.rules.pop(number)
        self.notes.left_out(
            f"the rule for {rule.queue!r}", f"{rule.when or 'everything'}", finding.message
        )

    def _drop_overflow(self, finding: Finding) -> None:
        name = _queue_of(finding.where, self.queues)
        queue, found = self.queues[name], _OVERFLOW.search(finding.where)
        assert found is not None
        self.notes.left_out(self.sources[name], f"an overflow of {name!r}", finding.message)
        if found["step"] is None:
            kept = [r for n, r in enumerate(queue.overflow) if n != int(found["rule"] or 0)]
            self.queues[name] = attrs.evolve(queue, overflow=kept)
        else:
            ladder = [
                attrs.evolve(step, overflow=None) if n == int(found["step"]) else step
                for n, step in enumerate(queue.ladder)
            ]
            self.queues[name] = attrs.evolve(queue, ladder=ladder)

    def _drop_step(self, finding: Finding, number: int) -> None:
        name = _queue_of(finding.where, self.queues)
        queue = self.queues[name]
        ladder = [step for n, step in enumerate(queue.ladder) if n != number]
        self.notes.left_out(self.sources[name], f"step {number} of {name!r}", finding.message)
        if ladder:
            ladder[-1] = attrs.evolve(ladder[-1], for_ms=None, until_ms=None)
        self.queues[name] = attrs.evolve(queue, ladder=ladder)

    def _stand_in_at(self, finding: Finding, number: int) -> None:
        """Nobody can satisfy a step: let it be for the agents of a group."""
        name = _queue_of(finding.where, self.queues)
        queue = self.queues[name]
        ladder = list(queue.ladder)
        if ladder[number].requirement == in_group(name):
            self._stand_in(finding)
            return
        self.notes.changed(
            self.sources[name],
            f"step {number} of {name!r}",
            finding.message,
            f"here it is for the agents of the group {name!r}",
        )
        ladder[number] = attrs.evolve(ladder[number], requirement=in_group(name))
        self.queues[name] = attrs.evolve(queue, ladder=ladder)

    def _stand_in(self, finding: Finding) -> None:
        """Nobody can be a member: keep the queue, for agents of a group of its name."""
        name = _queue_of(finding.where, self.queues)
        queue = self.queues[name]
        if queue.members == in_group(name) and queue.ladder == (Step(),):
            raise PlanError(f"{finding.where}: {finding.message}")
        self.notes.changed(
            self.sources[name],
            f"the members of {name!r}",
            finding.message,
            f"here they are the agents of the group {name!r}",
        )
        self.queues[name] = attrs.evolve(queue, members=in_group(name), ladder=(Step(),))


def _fits(expression: Expression | None) -> bool:
    try:
        return expression is None or bool(parse(str(expression), expression.scope))
    except PlanError:
        return False


#: Errors that come of knowing some agents and not all.
_ABOUT_AGENTS = frozenset(
    {
        Code.UNKNOWN_NAME,
        Code.SKILL_OUT_OF_REACH,
        Code.NOBODY,
        Code.UNSERVED_CHANNEL,
        Code.UNSERVED_LANGUAGE,
    }
)


def _order(finding: Finding) -> int:
    # A rule goes before anything else, since a queue may be faulty only because of it; then
    # costs, by which agents may go, while they are still listed.
    first = (Code.UNREACHABLE_RULE, Code.CHANNEL_NEVER_FITS)
    return first.index(finding.code) if finding.code in first else len(first)


def _queue_of(where: str, queues: Collection[str]) -> str:
    for name in sorted(queues, key=len, reverse=True):
        prefix = f"queues.{quoted_key(name)}"
        if where == prefix or where.startswith((f"{prefix}.", f"{prefix}[")):
            return name
    raise PlanError(f"no queue is at {where}")
