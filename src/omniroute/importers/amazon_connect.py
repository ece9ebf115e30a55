"""Amazon Connect: routing profiles, queues, hours and routing criteria into a plan.

Takes an object that gathers what the API describes: ``RoutingProfiles`` (as from
DescribeRoutingProfile, each with its ``QueueConfigs`` or
``RoutingProfileQueueConfigSummaryList``), ``Queues``, ``HoursOfOperations``, and
``RoutingCriteria`` (of a queue, by ``QueueId``). One routing profile alone, or one routing
criteria alone, will do. Names of keys are those of the API.

How it maps: a routing profile is a group and a capacity. A queue's members are the groups
of its profiles; a row of a profile, with its priority and delay, is a row of the queue's
access. What agents pick by hand is delivered by pull. Proficiencies are skills named
``attribute:value``. When the steps of routing criteria are over, anybody of the queue may
take it: the last step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import attrs

from ..errors import PlanError
from ..plan import Access, Capacity, Expression, Queue, Refusal, Scope, Step, has_skill
from ..plan.syntax import Compare, Kind, Node, conjunction, disjunction, negation
from .connect_hours import read_hours
from .documents import Table, read_json
from .draft import FOR_EVER, Draft, clean, in_group
from .language import Untranslatable
from .report import Imported
from .translation import expression_of, joined

__all__ = ["import_amazon_connect"]

_CHANNELS = {"VOICE": "voice", "CHAT": "chat", "EMAIL": "email"}
_ANY = "ROUTE_ANY_CHANNEL"
_MAX_LEVEL = 5
_NAMES_ONLY = (
    "Arn", "Description", "InstanceId", "Tags", "LastModifiedTime", "LastModifiedRegion",
    "NumberOfAssociatedQueues", "NumberOfAssociatedUsers", "DefaultOutboundQueueId", "IsDefault",
    "AssociatedQueueIds", "ResponseMetadata", "NextToken",
)  # fmt: skip
_OPERATORS = {
    "NumberGreaterOrEqualTo": ">=",
    "NumberGreaterThan": ">",
    "NumberEqualTo": "==",
    "NumberNotEqualTo": "!=",
    "NumberLesserOrEqualTo": "<=",
    "NumberLesserThan": "<",
}


@attrs.frozen
class _Row:
    """One line of a routing profile: a queue, for one channel."""

    where: str
    profile: str
    queue: str
    priority: int
    delay_s: int
    by_hand: bool


def import_amazon_connect(text: str) -> Imported:
    """The plan of routing profiles and criteria. Raises `PlanError` when it has no queue."""
    document = read_json(text)
    if not isinstance(document, dict):
        raise PlanError("an Amazon Connect configuration is a JSON object")
    draft = Draft("amazon_connect", max_offers=FOR_EVER)
    top = Table(document, "", draft.notes)
    importer = _Importer(draft, top)
    importer.read()
    return draft.finished()


class _Importer:
    """One document on its way."""

    def __init__(self, draft: Draft, top: Table) -> None:
        self.draft = draft
        self.notes = draft.notes
        self.top = top
        self.names: dict[str, str] = {}
        self.settings: dict[str, Table] = {}

    def read(self) -> None:
        top = self.top
        for table in top.tables("Queues", "QueueSummaryList"):
            ident = table.text("QueueId") or table.text("Id") or table.text("Name") or table.where
            self.names[ident] = clean(table.text("Name") or ident)
            self.settings[ident] = table
        rows = [row for profile in self.profiles() for row in self.rows(profile)]
        hours = read_hours(self.draft, top)
        ids = dict.fromkeys([*self.settings, *(row.queue for row in rows)])
        for ident in ids:
            self.read_queue(ident, [row for row in rows if row.queue == ident], hours)
        for criteria in self.all_criteria():
            self.read_criteria(criteria)
        top.ignore("RoutingProfileQueueConfigSummaryList", "QueueConfigs", *_NAMES_ONLY)
        top.rest()

    # --- routing profiles ---------------------------------------------------------------

    def profiles(self) -> Iterator[Table]:
        top = self.top
        yield from top.tables("RoutingProfiles")
        one = top.table("RoutingProfile")
        if one is not None:
            if "RoutingProfileQueueConfigSummaryList" in top:
                key = "RoutingProfileQueueConfigSummaryList"
                one.value = {**one.value, key: top.raw(key)}
            yield one
        elif "MediaConcurrencies" in top or "QueueConfigs" in top:
            yield top

    def rows(self, profile: Table) -> Iterator[_Row]:
        name = clean(
            profile.text("Name") or profile.text("RoutingProfileId") or f"profile {profile.where}"
        )
        profile.ignore("RoutingProfileId", *_NAMES_ONLY)
        self.capacity(name, profile)
        if timer := profile.text("AgentAvailabilityTimer"):
            self.notes.changed(
                profile.at("AgentAvailabilityTimer"), timer,
                "the longest idle is who ended his last interaction first",
            )  # fmt: skip
        for table in profile.tables("QueueConfigs", "RoutingProfileQueueConfigSummaryList"):
            yield from self.row(name, table, by_hand=False)
        for table in profile.tables(
            "ManualAssignmentQueueConfigs", "RoutingProfileManualAssignmentQueueConfigSummaryList"
        ):
            yield from self.row(name, table, by_hand=True)
        if profile is not self.top:
            profile.ignore("QueueConfigs", "RoutingProfileQueueConfigSummaryList")
            profile.rest()

    def row(self, profile: str, table: Table, *, by_hand: bool) -> Iterator[_Row]:
        reference = table.table("QueueReference") or table
        ident = reference.text("QueueId")
        if ident is None:
            self.notes.left_out(table.where, "a queue of the profile", "it has no QueueId")
            return
        if label := table.text("QueueName"):
            self.names.setdefault(ident, clean(label))
        yield _Row(
            table.where,
            profile,
            ident,
            table.integer("Priority", 1, 99) or 1,
            table.integer("Delay", 0, 9999) or 0,
            by_hand,
        )
        reference.ignore("QueueArn", "Channel")
        table.ignore("QueueArn", "Channel")
        table.rest()

    def capacity(self, name: str, profile: Table) -> None:
        """A cost of 1 each, bounded by number, and who may come beside whom."""
        maxima: dict[str, int] = {}
        alone: dict[str, tuple[str, ...]] = {}
        for table in profile.tables("MediaConcurrencies"):
            word = table.text("Channel") or ""
            number = table.integer("Concurrency", 0, 100)
            behaviour = table.table("CrossChannelBehavior")
            kind = behaviour.text("BehaviorType") if behaviour else None
            table.rest()
            if word not in _CHANNELS:
                self.notes.left_out(table.where, f"the channel {word}", "there is none like it")
            elif number:
                maxima[_CHANNELS[word]] = number
                if kind != _ANY:
                    alone[_CHANNELS[word]] = ()
        if maxima and name not in self.draft.capacities:
            self.draft.capacities[name] = Capacity(
                name=name,
                budget=sum(maxima.values()),
                costs=dict.fromkeys(maxima, 1),
                maxima=maxima,
                interruptible_by=alone if len(maxima) > 1 else {},
            )

    # --- queues -------------------------------------------------------------------------

    def read_queue(self, ident: str, rows: list[_Row], hours: dict[str, str]) -> None:
        table = self.settings.get(ident)
        name = self.names.get(ident, clean(ident))
        where = table.where if table else rows[0].where
        profiles = list(dict.fromkeys(row.profile for row in rows)) or [name]
        if not rows:
            self.notes.changed(
                where, f"the members of {name}", "no routing profile of the file has this queue",
                f"here they are the agents of the group {name!r}",
            )  # fmt: skip
        pushed = [row for row in rows if not row.by_hand]
        access = self.access(name, pushed)
        alike = len({(row.tier, row.after_ms) for row in access}) < 2
        by_hand = len(pushed) < len(rows)
        if by_hand and {row.profile for row in rows if row.by_hand} - {r.profile for r in pushed}:
            self.notes.changed(
                where, f"profiles whose agents only pick from {name}",
                "whether work is offered belongs to the queue, not to the agent",
                "pull, or where another profile is offered it, both",
            )  # fmt: skip
        queue = Queue(
            name=name,
            members=_groups(profiles),
            tier=access[0].tier if access else 0,
            access=() if alike and not any(row.after_ms for row in access) else access,
            delivery="pull" if not pushed and rows else "push_and_pull" if by_hand else "push",
            refusal=Refusal("at_once"),
        )
        if table is not None:
            limit = table.integer("MaxContacts", 0, 10**6)
            opened = hours.get(table.text("HoursOfOperationId") or "")
            queue = attrs.evolve(queue, max_waiting=limit or queue.max_waiting, hours=opened)
            if "HoursOfOperationId" in table and opened is None:
                self.notes.left_out(
                    table.at("HoursOfOperationId"), table.text("HoursOfOperationId") or "",
                    "these hours are not in the file",
                )  # fmt: skip
            if "OutboundCallerConfig" in table:
                self.notes.left_out(table.at("OutboundCallerConfig"), "calls out", "not routed")
            table.ignore("QueueArn", "Id", "QueueId", "Name", "QueueType", "OutboundCallerConfig")
            if (status := table.text("Status")) not in (None, "ENABLED"):
                self.notes.left_out(table.at("Status"), str(status), "a queue here is always on")
            table.ignore(*_NAMES_ONLY)
            table.rest()
        self.names[ident] = self.draft.add_queue(queue, where)

    def access(self, name: str, rows: list[_Row]) -> tuple[Access, ...]:
        """A row for each profile; none where all are alike."""
        found: dict[str, tuple[int, int]] = {}
        for row in rows:
            tier, after_ms = row.priority - 1, row.delay_s * 1000
            known = found.setdefault(row.profile, (tier, after_ms))
            if known != (tier, after_ms):
                self.notes.changed(
                    row.where, f"priority {row.priority} and delay {row.delay_s} of {name}",
                    "they are the same for all channels of a profile",
                    f"priority {known[0] + 1} and delay {known[1] // 1000}, as the row before",
                )  # fmt: skip
        return tuple(
            Access(agents=in_group(profile), tier=tier, after_ms=after_ms)
            for profile, (tier, after_ms) in found.items()
        )

    # --- routing criteria ---------------------------------------------------------------

    def all_criteria(self) -> Iterator[Table]:
        top = self.top
        if isinstance(top.value.get("RoutingCriteria"), list):
            yield from top.tables("RoutingCriteria")
        elif (one := top.table("RoutingCriteria")) is not None:
            yield one
        if "Steps" in top:
            yield top

    def read_criteria(self, table: Table) -> None:
        ident = table.text("QueueId")
        steps = list(self.steps(table))
        table.ignore("ActivationTimestamp", "Index")
        if table is not self.top:
            table.rest()
        if not steps:
            self.notes.left_out(table.where, "routing criteria", "they have no steps")
            return
        ladder = _ladder(steps)
        known = list(self.draft.queues)
        name = self.names.get(ident or "")
        if name is None and ident is None and len(known) == 1:
            name = known[0]
        if name is None or name not in self.draft.queues:
            label = "routing criteria" if ident is None else clean(ident)
            self.draft.add_queue(Queue(name=label, ladder=ladder), table.where)
            self.notes.changed(
                table.where, "routing criteria", "a flow sets them, and it does not say for which"
                " queue", f"the ladder of a queue of its own, {label!r}",
            )  # fmt: skip
            return
        queue = self.draft.queues[name]
        if len(queue.ladder) > 1:
            self.notes.left_out(table.where, "routing criteria",
                                f"{name} has steps by other criteria")  # fmt: skip
            return
        self.draft.queues[name] = attrs.evolve(queue, ladder=ladder)

    def steps(self, table: Table) -> Iterator[tuple[Expression, int | None]]:
        for step in table.tables("Steps"):
            expiry = step.table("Expiry")
            seconds = expiry.integer("DurationInSeconds", 1, 10**7) if expiry else None
            expression = step.table("Expression")
            step.ignore("Status")
            step.rest()
            try:
                if expression is None:
                    raise Untranslatable(0, "it has no Expression")
                found = expression_of(self.tree(expression, 0), Scope.AGENT)
                if isinstance(found, bool):
                    raise Untranslatable(0, "it asks for nothing")
            except Untranslatable as error:
                group = f"connect:{step.where}"
                self.notes.changed(
                    step.where, "a step", error.why, f"here it is for the group {group!r}"
                )
                found = in_group(group)
            yield found, seconds

    def tree(self, table: Table, depth: int) -> Node:
        if depth > 20:
            raise Untranslatable(0, "more than 20 expressions inside each other")
        parts: list[Node] = []
        for key, word in (("AndExpression", "and"), ("OrExpression", "or")):
            inner = [self.tree(each, depth + 1) for each in table.tables(key)]
            if inner:
                found = joined(word, inner)
                assert not isinstance(found, bool)
                parts.append(found)
        for key in ("AttributeCondition", "NotAttributeCondition"):
            condition = table.table(key)
            if condition is not None:
                node = self.condition(condition)
                parts.append(negation(node) if key.startswith("Not") else node)
        table.rest()
        if not parts:
            raise Untranslatable(0, f"{table.where} asks for nothing")
        return conjunction(parts)

    def condition(self, table: Table) -> Node:
        criteria = table.table("MatchCriteria")
        agents = criteria.table("AgentsCriteria") if criteria else None
        ids = agents.texts("AgentIds") if agents else []
        table.ignore("ComparisonOperator")
        if ids:
            return Compare(Kind.IDENTIFIER, "agent", "in", tuple(sorted(set(ids))))
        name, value = table.text("Name"), table.text("Value")
        if name is None or value is None:
            raise Untranslatable(0, f"{table.where} has no Name and Value")
        skill = clean(f"{name}:{value}")
        self.draft.skills[skill] = _MAX_LEVEL
        bounds = table.table("Range")
        if bounds is not None:
            low = bounds.number("MinProficiencyLevel")
            high = bounds.number("MaxProficiencyLevel")
            return conjunction(
                [
                    Compare(Kind.LEVEL, skill, ">=", math.ceil(low or 1)),
                    Compare(Kind.LEVEL, skill, "<=", math.floor(high or _MAX_LEVEL)),
                ]
            )
        level = table.number("ProficiencyLevel")
        word = table.text("ComparisonOperator") or "NumberGreaterOrEqualTo"
        if level is None:
            return has_skill(skill).tree
        if word not in _OPERATORS:
            raise Untranslatable(0, f"the comparison {word} is not known")
        operator = _OPERATORS[word]
        if level != int(level) and operator not in (">=", "<"):
            raise Untranslatable(0, f"levels are whole numbers, {level} is none")
        wanted = Compare(Kind.LEVEL, skill, operator, math.ceil(level))
        if operator in ("<", "<=", "!="):  # who has no such proficiency does not match
            return conjunction([has_skill(skill).tree, wanted])
        return wanted


def _groups(names: Iterable[str]) -> Expression:
    trees = [in_group(name).tree for name in names]
    return Expression(disjunction(trees), Scope.AGENT)


def _ladder(steps: list[tuple[Expression, int | None]]) -> tuple[Step, ...]:
    found: list[Step] = []
    for requirement, seconds in steps:
        if seconds is None:  # it never expires, so nothing after it is reached
            return (*found, Step(requirement=requirement))
        found.append(Step(requirement=requirement, for_ms=seconds * 1000))
    return (*found, Step())
