"""Twilio TaskRouter: a workflow, with its task queues and workers, into a plan.

Takes the configuration of a workflow (``{"task_routing": ...}``), the Workflow resource
around it, or an object that gathers what the API lists: ``workflow``, ``task_queues``,
``workers``. https://www.twilio.com/docs/taskrouter/workflow-configuration

How it maps: a filter is a triage rule. A filter with one plain target leads to that task
queue; any other becomes a queue of its own, whose ladder are the targets. Timeouts of
targets add up on the age of the task, so a step ends ``until`` their sum. What runs out of
targets goes to the default queue: the last step. Flex keeps skills in the worker
attributes ``routing.skills`` and ``routing.levels``: those are skills here; every other
attribute keeps its name, with dots for nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from ..errors import PlanError
from ..plan import (
    Expression,
    NewestFirst,
    Queue,
    Scope,
    Step,
    Strategy,
    Strict,
    TriageRule,
    all_of,
    has_skill,
)
from ..plan.syntax import Kind
from .documents import Table, read_json
from .draft import Draft, clean, in_group
from .language import TWILIO, Key, Untranslatable
from .report import Imported
from .translation import Naming, attribute, translate
from .twilio_workers import read_workers

__all__ = ["import_twilio"]

_DEFAULT_RESERVATION_S = 120
_MAX_PRIORITY = 2**31 - 1
_MAX_SECONDS = 2 * 7 * 86_400
_FEW_AVAILABLE = re.compile(r"\s*workers\.available\s*(==|<=|<)\s*([0-9]{1,4})\s*")
_BY_LEVEL = re.compile(
    r"\s*worker\.routing\.levels\.([A-Za-z_$][\w$]*)\s+(DESC|ASC)\s*", re.IGNORECASE
)
_OF_RESOURCES = (
    "sid", "account_sid", "workspace_sid", "workspace_name", "date_created", "date_updated",
    "url", "links", "meta", "document_content_type",
)  # fmt: skip


def import_twilio(text: str) -> Imported:
    """The plan of a workflow. Raises `PlanError` when the text holds none."""
    document = read_json(text)
    if not isinstance(document, dict):
        raise PlanError("a Twilio workflow is a JSON object")
    draft = Draft("twilio")
    return _Importer(draft, Table(document, "", draft.notes)).imported()


@attrs.define
class _Target:
    """One routing step of a filter; ``least`` workers must be available or it is passed over."""

    where: str
    queue: str | None
    requirement: Expression | None
    priority: int | None
    timeout_s: int | None
    least: int
    order_by: str | None


class _Importer:
    """One document on its way; the methods go from the whole to its parts."""

    def __init__(self, draft: Draft, top: Table) -> None:
        self.draft = draft
        self.notes = draft.notes
        self.workers = read_workers(draft, top)
        self.task_queues: dict[str, Table] = {}
        for table in top.tables("task_queues", "taskQueues"):
            for key in ("sid", "friendly_name"):
                if name := table.text(key):
                    self.task_queues[name] = table
        self.plain: dict[str, str] = {}
        self.offer_timeout_ms = _DEFAULT_RESERVATION_S * 1000
        self.routing = self.find_routing(top)

    def find_routing(self, top: Table) -> Table:
        holder = top.table("workflow") or top
        top.ignore("task_queues", "taskQueues", "workers", "workflow", *_OF_RESOURCES)
        seconds = holder.integer("task_reservation_timeout", 1, 86_400)
        self.offer_timeout_ms = (seconds or _DEFAULT_RESERVATION_S) * 1000
        holder.ignore(*_OF_RESOURCES, "friendly_name")
        holder.ignore("assignment_callback_url", "fallback_assignment_callback_url")
        inner = holder
        if "configuration" in holder:
            raw = holder.raw("configuration")
            found = read_json(raw) if isinstance(raw, str) else raw
            if isinstance(found, dict):
                inner = Table(found, "", self.notes)
        routing = inner.table("task_routing")
        if routing is None:
            raise PlanError("a Twilio workflow has task_routing; this JSON has not")
        for table in {id(t): t for t in (top, holder, inner)}.values():
            table.rest()
        return routing

    def imported(self) -> Imported:
        fallback = self.routing.table("default_filter")
        default = fallback.text("queue") if fallback else None
        for table in self.routing.tables("filters"):
            self.read_filter(table, default)
        if default is not None:
            self.draft.rules.append(TriageRule(queue=self.plain_queue(default, "default_filter")))
        if fallback is not None:
            fallback.rest()
        self.routing.rest()
        for table in {id(t): t for t in self.task_queues.values()}.values():
            self.rest_of_queue(table)
        if any(rule.when is not None for rule in self.draft.rules):
            self.notes.changed(
                "task_routing", "comparisons of task attributes", "Twilio minds upper and small"
                " letters", "here the texts of a message are compared without regard to case",
            )  # fmt: skip
        return self.draft.finished()

    # --- filters and targets ------------------------------------------------------------

    def read_filter(self, table: Table, default: str | None) -> None:
        name = table.text("filter_friendly_name") or table.text("friendly_name")
        table.ignore("friendly_name")
        when = self.condition(table)
        targets = list(self.read_targets(table))
        table.rest()
        if when is False or not targets:
            if when is not False:
                self.notes.left_out(table.where, name or "a filter", "it has no target")
            return
        first = targets[0].priority
        for target in targets:
            if target.priority is None and first is not None:
                self.notes.changed(
                    target.where, "a target without a priority behind one with it",
                    "what it is then is not documented", f"{first}, as at the first target",
                )  # fmt: skip
        queue = self.queue_of(targets, name, table.where, default)
        self.draft.rules.append(
            TriageRule(
                queue=queue,
                when=None if when is True else when,
                priority=first,
            )
        )

    def condition(self, table: Table) -> Expression | bool:
        source = table.text("expression")
        if source is None:
            return True
        try:
            found = translate(source, TWILIO, Scope.MESSAGE, _of_task)
        except Untranslatable as error:
            self.notes.left_out(*_told(table.at("expression"), source, error))
            return False
        if found is False:
            self.notes.left_out(table.at("expression"), source, "it is never true")
        return found

    def read_targets(self, table: Table) -> Iterator[_Target]:
        queue: str | None = None
        before_s = 0
        for target in table.tables("targets"):
            queue = target.text("queue") or queue  # a target without one stays where it was
            if queue is None:
                self.notes.left_out(target.where, "a target", "it names no task queue")
                continue
            known = target.text("known_worker_sid") or target.text("known_worker_friendly_name")
            if known is not None:
                self.notes.left_out(
                    target.where, f"the known worker {known}",
                    "who it is stands in the task, and a step is the same for all work",
                    "submit the work with a step of its own: agent == that worker's id",
                )  # fmt: skip
                before_s += target.integer("timeout", 1, _MAX_SECONDS) or 0
                target.ignore("expression", "priority", "skip_if", "order_by")
                target.rest()
                continue
            timeout_s = target.integer("timeout", 1, _MAX_SECONDS)
            yield _Target(
                target.where,
                queue,
                self.target_expression(target),
                target.integer("priority", 0, _MAX_PRIORITY),
                None if timeout_s is None else timeout_s + before_s,
                self.skip_if(target),
                target.text("order_by"),
            )
            before_s = 0
            target.rest()

    def target_expression(self, target: Table) -> Expression | None:
        source = target.text("expression")
        if source is None:
            return None
        try:
            found = translate(source, TWILIO, Scope.AGENT, self.of_worker(bare=False))
        except Untranslatable as error:
            group = f"twilio:{target.where}"
            where, what, why, nearest = _told(target.at("expression"), source, error)
            self.notes.changed(where, what, why, f"{nearest or 'here'}: the group {group!r}")
            return in_group(group)
        if found is False:
            self.notes.changed(target.at("expression"), source, "it is never true", "a group")
            return in_group(f"twilio:{target.where}")
        return None if found is True else found

    def skip_if(self, target: Table) -> int:
        """How many workers must be available for the target to be tried at all."""
        source = target.text("skip_if")
        if source is None:
            return 0
        found = _FEW_AVAILABLE.fullmatch(source)
        if found and (found[1] != "==" or int(found[2]) == 0):
            least = int(found[2]) + (found[1] != "<")
            if least > 1:
                self.notes.changed(
                    target.at("skip_if"), source,
                    "Twilio tries the target first, and skips only what nobody takes at once",
                    "here it is passed over without a try",
                )  # fmt: skip
            return least
        always = source.replace(" ", "") in ("1==1", "true")
        what = "so the step would take no time" if always else "it counts workers by activity"
        self.notes.left_out(target.at("skip_if"), source, what, "only_if: takers, ready, signed_in")
        return 0

    # --- queues -------------------------------------------------------------------------

    def queue_of(
        self, targets: list[_Target], name: str | None, where: str, default: str | None
    ) -> str:
        first, last = targets[0], targets[-1]
        assert first.queue is not None
        if len(targets) == 1 and not (
            first.requirement or first.timeout_s or first.least or first.order_by
        ):
            return self.plain_queue(first.queue, first.where)
        falls = default is not None and last.timeout_s is not None
        names = [target.queue for target in targets if target.queue] + [default] * falls
        one = len(set(names)) == 1
        members = self.members(first.queue, where) if one else None
        steps: list[Step] = []
        waited_s = 0
        for target in targets:
            own = None if one else self.members(target.queue or "", target.where)
            waited_s += target.timeout_s or 0
            ends = target.timeout_s is not None
            requirement = all_of(own, target.requirement)
            until_ms = waited_s * 1000 if ends else None
            steps.append(
                Step(
                    requirement=requirement,
                    until_ms=until_ms,
                    only_if=self.guard(target, one=one),
                    priority=None if target.priority == first.priority else target.priority,
                )
            )
            if not ends:
                break
        rest = targets[len(steps) :]
        for target in rest:
            self.notes.left_out(target.where, "a target", "the one before it has no timeout")
        if falls and not rest and default is not None:
            own = None if one else self.members(default, "default_filter")
            steps.append(Step(requirement=own))
        # Without a default filter Twilio cancels what runs out of targets.
        max_wait_ms = None if falls else steps[-1].until_ms
        if max_wait_ms is not None:
            self.notes.changed(
                last.where, f"timeout {last.timeout_s} of the last target",
                "Twilio waits for the end of an open reservation before it cancels the task",
                "here the offer is taken back when max_wait_s is over",
            )  # fmt: skip
        steps[-1] = attrs.evolve(steps[-1], until_ms=None, only_if=None)
        queue = Queue(
            name=clean(name or where), members=members, ladder=steps, max_wait_ms=max_wait_ms
        )
        references = [target.queue for target in targets if target.queue]
        return self.draft.add_queue(self.dressed(queue, references, targets), where)

    def guard(self, target: _Target, *, one: bool) -> str | None:
        """As Twilio counts: the available workers of the task queue, whom it is for or not."""
        if not target.least:
            return None
        if not one and target.requirement is not None:
            self.notes.changed(
                target.where, "skip_if beside an expression", "Twilio counts all of the task queue",
                "here those count who satisfy the expression",
            )  # fmt: skip
        return f"{'ready' if one else 'takers'} >= {target.least}"

    def plain_queue(self, reference: str, where: str) -> str:
        table = self.task_queues.get(reference)
        key = table.where if table else reference
        if key not in self.plain:
            label = (table.text("friendly_name") if table else None) or reference
            queue = Queue(name=clean(label), members=self.members(reference, where))
            self.plain[key] = self.draft.add_queue(self.dressed(queue, [reference], []), where)
        return self.plain[key]

    def dressed(self, queue: Queue, references: list[str], targets: list[_Target]) -> Queue:
        """The queue with what does not depend on its ladder."""
        found = {ref: self.task_queues[ref] for ref in references if ref in self.task_queues}
        kinds = {
            (table.text("task_order") or "FIFO", table.integer("max_reserved_workers", 1, 50) or 1)
            for table in found.values()
        }
        if len(kinds) > 1:
            self.notes.changed(
                self.draft.sources.get(queue.name, targets[0].where),
                f"task_order and max_reserved_workers of {queue.name}",
                "its task queues differ in them, and here they belong to one queue",
                "those of the first task queue",
            )  # fmt: skip
        first = found.get(references[0])
        lifo = first is not None and first.text("task_order") == "LIFO"
        queue = attrs.evolve(
            queue,
            order=NewestFirst() if lifo else Strict(),
            offers=(first.integer("max_reserved_workers", 1, 50) if first else None) or 1,
            offer_timeout_ms=self.offer_timeout_ms,
            refusal=attrs.evolve(queue.refusal, rule="at_once"),
        )
        orders = {target.order_by for target in targets}
        if orders == {None} or not targets:
            return queue
        level = _BY_LEVEL.fullmatch(next(iter(orders)) or "") if len(orders) == 1 else None
        if level is None:
            self.notes.left_out(
                targets[0].where, f"order_by {' / '.join(sorted(filter(None, orders)))}",
                "agents are not ordered by attributes",
                "the strategies most_skilled and least_skilled, over the levels of skills",
            )  # fmt: skip
            return queue
        is_asc = level[2].upper() == "ASC"
        strategy = Strategy.LEAST_SKILLED if is_asc else Strategy.MOST_SKILLED
        self.notes.changed(
            targets[0].where, f"order_by {level[0].strip()}",
            f"{strategy.value} adds up the levels of all skills that are required",
            f"the level of {level[1]} counts; so do those of other skills that are asked for",
        )  # fmt: skip
        counts = all_of(queue.members, has_skill(level[1], 0))
        return attrs.evolve(queue, strategy=strategy, members=counts)

    def members(self, reference: str, where: str) -> Expression | None:
        table = self.task_queues.get(reference)
        if table is None:
            group = clean(reference)
            self.notes.changed(
                where, f"the task queue {reference}", "its target workers are not in the file",
                f"here its members are the agents of the group {group!r}",
            )  # fmt: skip
            return in_group(group)
        source = table.text("target_workers")
        group = clean(table.text("friendly_name") or reference)
        if source is None:
            self.notes.changed(
                table.at("target_workers"), "no target workers", "nobody serves such a queue",
                f"here its members are the agents of the group {group!r}",
            )  # fmt: skip
            return in_group(group)
        try:
            found = translate(source, TWILIO, Scope.AGENT, self.of_worker(bare=True))
        except Untranslatable as error:
            told = _told(table.at("target_workers"), source, error)
            self.notes.changed(*told[:3], f"here the agents of the group {group!r}")
            return in_group(group)
        if found is False:
            self.notes.changed(table.at("target_workers"), source, "it is never true", "a group")
            return in_group(group)
        return None if found is True else found

    def rest_of_queue(self, table: Table) -> None:
        table.ignore(*_OF_RESOURCES, "friendly_name", "target_workers")
        table.ignore("max_reserved_workers", "task_order")
        table.ignore("reservation_activity_sid", "reservation_activity_name")
        table.ignore("assignment_activity_sid", "assignment_activity_name")
        table.rest()

    def of_worker(self, *, bare: bool) -> Naming:
        """What a worker's key is here; ``bare`` names are the worker's, or the task's."""

        def field(key: Key) -> tuple[Kind, str]:
            scope, dot, name = key.name.partition(".")
            if scope.lower() == "task" and dot:
                raise Untranslatable(
                    key.position, f"{key.name} differs from task to task",
                    "submit the work with a requirement of its own",
                )  # fmt: skip
            if scope.lower() != "worker" or not dot:
                if not bare:
                    raise Untranslatable(key.position, f"{key.name} is not worker.{key.name}")
                name = key.name
            if "[" in name:
                raise Untranslatable(key.position, "elements of arrays have no names here")
            return self.workers.field(name, key)

        return field


def _of_task(key: Key) -> tuple[Kind, str]:
    scope, dot, name = key.name.partition(".")
    if scope.lower() == "worker" and dot:
        raise Untranslatable(key.position, "a filter knows no worker yet", "a target can ask it")
    name = name if scope.lower() == "task" and dot else key.name
    if name.lower() in ("age", "priority", "assignment_status", "reason"):
        raise Untranslatable(key.position, f"a message has no {name} before it is queued")
    if "[" in name:
        raise Untranslatable(key.position, "elements of arrays have no names here")
    return attribute(name)


def _told(where: str, source: str, error: Untranslatable) -> tuple[str, str, str, str]:
    return where, source, f"{error.why}, at position {error.position}", error.nearest
