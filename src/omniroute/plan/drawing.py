"""A plan as a Mermaid flowchart: triage, queues, the steps of their ladders, who takes it.

Dotted edges are overflow: where work goes, or ends, that a queue or a step does not keep.

Node ids are made here (``rule0``, ``queue1``, ``step1_0``, ``agents0``, ``turned0``); names of the
plan stand only in labels, where everything but letters, digits and a few harmless marks is
written as a character code, so no name can break the drawing or run in a browser.
"""

from __future__ import annotations

from collections.abc import Iterator

from .expression import Expression
from .model import (
    Accelerating,
    HeadStart,
    NewestFirst,
    Plan,
    Queue,
    Step,
    Strict,
    TriageRule,
)
from .overflow import Overflow
from .survey import Survey

__all__ = ["draw"]

_ORDERS = {
    HeadStart: "head_start",
    Strict: "strict",
    NewestFirst: "newest_first",
    Accelerating: "accelerating",
}
_HARMLESS = frozenset(" _-.:,=!()[]/+*'")
_LONGEST = 120
_NAMED = 4


def draw(plan: Plan) -> str:
    """The Mermaid text of ``plan``, ending in a newline; the same plan, the same text."""
    drawing = _Drawing(plan)
    return "\n".join(["flowchart LR", *(f"    {line}" for line in drawing.lines())]) + "\n"


def label(*lines: str) -> str:
    """A quoted Mermaid label of one or more lines, safe for any text."""
    return '"' + "<br>".join(map(_escaped, lines)) + '"'


def _escaped(text: str) -> str:
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    return "".join(c if c.isalnum() or c in _HARMLESS else f"#{ord(c)};" for c in text)


def _seconds(duration_ms: int) -> str:
    return f"{duration_ms / 1000:g} s"


class _Drawing:
    """The parts of one drawing; agent nodes are shared by the steps they stand behind."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.survey = Survey(plan)
        self.queue_ids = {name: f"queue{n}" for n, name in enumerate(plan.queues)}
        self.agent_ids: dict[tuple[str, ...], str] = {}
        #: what customers are told whom a rule rejects
        self.turned_ids: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        edges: list[str] = []
        yield from self.triage(edges)
        for number, queue in enumerate(self.plan.queues.values()):
            yield from self.queue(number, queue, edges)
        for shown, node in self.agent_ids.items():
            yield f"{node}([{label(*shown)}])"
        for text, node in self.turned_ids.items():
            yield f"{node}([{label(f'rejected: {text}')}])"
        yield from edges

    def triage(self, edges: list[str]) -> Iterator[str]:
        if not self.plan.triage:
            return
        yield f"message([{label('message')}])"
        before = "message"
        for number, rule in enumerate(self.plan.triage):
            node = f"rule{number}"
            if rule.when is None:
                yield f"{node}[{label('any message')}]"
            else:
                yield f"{node}{{{{{label(str(rule.when))}}}}}"
            edges.append(f"{before} --> {node}" if number == 0 else f"{before} -->|no| {node}")
            edges.append(f"{node} -->{self.given(rule)} {self.queue_ids[rule.queue]}")
            for name, percent in rule.split.items():
                edges.append(f"{node} -->|{label(f'{percent} %')}| {self.queue_ids[name]}")
            before = node
            if rule.when is None:
                return
        yield f"rejected([{label('rejected')}])"
        edges.append(f"{before} -->|no| rejected")

    def given(self, rule: TriageRule) -> str:
        """What a rule adds on the way to its queue, as the label of the edge."""
        parts = []
        if rule.priority is not None:
            parts.append(f"priority {rule.priority}")
        if rule.requirement is not None:
            parts.append(f"needs {rule.requirement}")
        if rule.match_language:
            parts.append("needs the language of the message")
        return f"|{label(*parts)}|" if parts else ""

    def queue(self, number: int, queue: Queue, edges: list[str]) -> Iterator[str]:
        node = self.queue_ids[queue.name]
        order = _ORDERS[type(queue.order)]
        lines = [queue.name, f"{order}, {queue.strategy}"]
        if queue.members is not None:
            lines.append(f"members: {queue.members}")
        lines += [
            f"{_when(rule)}: {', '.join(_gives(rule))}" for rule in queue.overflow if _stays(rule)
        ]
        yield f"{node}[({label(*lines)})]"
        for rule in queue.overflow:
            self.overflow(node, rule, _when(rule), edges)
        if queue.refusal.overflow is not None:
            self.overflow(node, queue.refusal.overflow, "all have declined", edges)
        before, end = node, ""
        for at, (step, wanted) in enumerate(
            zip(queue.ladder, self.survey.steps(queue), strict=True)
        ):
            here = f"step{number}_{at}"
            yield f"{here}[{label(*self.step(at, step))}]"
            edges.append(f"{before} -->{end} {here}")
            edges.append(f"{here} --> {self.agents(wanted)}")
            if step.overflow is not None:
                self.overflow(here, step.overflow, _when(step.overflow), edges)
            before, end = here, f"|{label(_end(step))}|"

    def overflow(self, node: str, rule: Overflow, when: str, edges: list[str]) -> None:
        """An edge to where a rule sends work, if it does."""
        if _stays(rule):
            return
        if rule.reject is not None:
            to = self.turned_ids.setdefault(rule.reject, f"turned{len(self.turned_ids)}")
        else:
            to = self.queue_ids[rule.queue or ""]
        edges.append(f"{node} -.->|{label(when, *_gives(rule))}| {to}")

    def step(self, number: int, step: Step) -> list[str]:
        wanted = "any member" if step.requirement is None else str(step.requirement)
        lines = [f"step {number}: {wanted}"]
        if step.drop:
            lines.append(f"drops {', '.join(step.drop)}")
        if step.skip_if_nobody:
            lines.append("skipped if nobody is signed in")
        if step.priority is not None:
            lines.append(f"priority {step.priority}")
        if step.only_if is not None:
            lines.append(f"only if {step.only_if}")
        if step.overflow is not None and _stays(step.overflow):
            lines.append(f"{_when(step.overflow)}: {', '.join(_gives(step.overflow))}")
        return lines

    def agents(self, wanted: Expression | None) -> str:
        """The node of those who may take it: named where the plan lists agents."""
        if not self.survey.agents:
            shown: tuple[str, ...] = ("agents", "any" if wanted is None else str(wanted))
        else:
            found = self.survey.members([wanted])
            names = [agent.name or agent.id for agent in found[:_NAMED]]
            more = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
            count = "1 agent" if len(found) == 1 else f"{len(found)} agents"
            shown = (count, *names, *more)
        return self.agent_ids.setdefault(shown, f"agents{len(self.agent_ids)}")


def _end(step: Step) -> str:
    if step.for_ms is not None:
        return f"after {_seconds(step.for_ms)}"
    return f"at {_seconds(step.until_ms or 0)} of waiting"


def _stays(rule: Overflow) -> bool:
    """Whether the work stays where it is, with other settings."""
    return rule.queue is None and rule.reject is None


def _when(rule: Overflow) -> str:
    return "always" if rule.when is None else f"if {rule.when}"


def _gives(rule: Overflow) -> list[str]:
    """What a rule changes, beside the queue."""
    parts = []
    if rule.priority is not None:
        parts.append(f"priority {rule.priority}")
    if rule.requirement is not None:
        parts.append(f"needs {rule.requirement}")
    if rule.open_access:
        parts.append("open to all agents at once")
    if rule.hint:
        parts.append(f"hint {rule.hint}")
    return parts
