"""The routing plan as values: queues, ladders, strategies, capacities, limits. Immutable.

A plan is the whole configuration of a router. It is built here in Python or loaded from
TOML (`omniroute.plan.load`); both end in the same values, checked on construction. All
durations are integer milliseconds in here (``*_ms``); TOML writes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import attrs

from ..errors import PlanError, UnknownNameError
from ..model import Agent, Inbound, Interaction
from . import choices, conditions
from .capacity import Capacity
from .choices import Delivery, OnExpiry, OnRequeue, RefusalRule, Strategy, WrapUpKind
from .expression import Expression
from .fields import at_least, between, name_text, one_of, percents
from .hours import Hours
from .inbound import DispositionPolicy, Identity, SenderRate, disposition_name, disposition_table
from .overflow import Overflow
from .resolve import faults_of_choices, faults_of_ladder, faults_of_plan, joined

__all__ = [
    "Accelerating",
    "Access",
    "Callback",
    "Capacity",
    "Delivery",
    "HeadStart",
    "LastAgent",
    "Limits",
    "NewestFirst",
    "OnExpiry",
    "OnRequeue",
    "Order",
    "Plan",
    "Queue",
    "Refusal",
    "RefusalRule",
    "Scorer",
    "ServiceLevel",
    "Skill",
    "Step",
    "Strategy",
    "Strict",
    "TriageRule",
    "WrapUp",
    "WrapUpKind",
]


def _names(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise PlanError(f"must be a sequence of names, got the text {values!r}")
    return tuple(values)


@attrs.frozen
class Skill:
    """A named ability with a highest level; languages are skills named ``lang:de``."""

    name: str = attrs.field(validator=name_text)
    max_level: int = attrs.field(default=10, validator=at_least(1))


@attrs.frozen
class HeadStart:
    """Order by ``enqueued_at_ms - priority * ms_per_point``: a point is a head start in time.

    The key never changes while waiting, so no re-scoring is ever needed (the arithmetic of
    FreeSWITCH mod_callcenter's base score, kept as an integer key).
    """

    ms_per_point: int = attrs.field(default=60_000, validator=at_least(0))


@attrs.frozen
class Strict:
    """Order by (priority, age): a higher priority always goes first, so a lower may starve."""


@attrs.frozen
class NewestFirst:
    """Order by (priority, youth): the last to come is the first to go, LIFO."""


@attrs.frozen
class Accelerating:
    """Order by points that grow while waiting: ``priority + waited * rate``, up to a maximum.

    A point is worth ``ms_per_point`` of waiting in other queues; ``rate_percent`` 200 makes a
    millisecond here count as two. ``max_points`` caps the sum (the dynamic delivery of NICE
    CXone). The order inside the queue is constant up to the cap, so only heads are compared.
    """

    ms_per_point: int = attrs.field(default=60_000, validator=at_least(1))
    rate_percent: int = attrs.field(default=100, validator=between(1, 1_000_000))
    max_points: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(0))
    )


Order = HeadStart | Strict | NewestFirst | Accelerating

#: Rates an agent for an interaction, higher first: (agent, interaction, occupancy) -> score.
#: Pure and deterministic, or replays and tests of this queue are not.
Scorer = Callable[[Agent, Interaction, Fraction], int | Fraction]


@attrs.frozen
class Access:
    """What a part of a queue's agents may take, and when: a row of a routing profile.

    The first row whose ``agents`` an agent satisfies gives him the ``tier`` of the queue among
    his queues, and opens it to him once an interaction has waited ``after_ms``.
    """

    agents: Expression | None = attrs.field(default=None, converter=conditions.agents)
    tier: int = attrs.field(default=0, validator=at_least(0))
    after_ms: int = attrs.field(default=0, validator=at_least(0))


@attrs.frozen
class Step:
    """One step of a ladder: who may take the interaction, and for how long only they.

    ``requirement`` None admits every member of the queue. A step ends ``for_ms`` after it
    began or when the interaction has waited ``until_ms`` in all (one of the two; the last
    step has neither). ``drop`` names skills that the interaction's own requirement loses
    at this step (``("*",)``: all of it). ``skip_if_nobody`` passes the step over when no
    signed-in agent satisfies it, ``only_if`` (a condition about the queue) unless it holds.
    ``overflow`` is what happens to the interaction when it enters the step. ``priority`` is what
    it goes by while it is there (None: its own).
    """

    requirement: Expression | None = attrs.field(default=None, converter=conditions.agents)
    for_ms: int | None = attrs.field(default=None, validator=attrs.validators.optional(at_least(1)))
    until_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(1))
    )
    drop: tuple[str, ...] = attrs.field(default=(), converter=_names)
    skip_if_nobody: bool = attrs.field(default=False, validator=one_of(bool))
    only_if: Expression | None = attrs.field(default=None, converter=conditions.queues)
    overflow: Overflow | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of(Overflow))
    )
    priority: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(0))
    )


@attrs.frozen
class Refusal:
    """The refusal policy of a queue.

    ``overflow`` belongs to the rule ``all_declined``: what happens when all have, instead of
    asking them again. It rejects the interaction or sends it to another queue.
    """

    rule: RefusalRule = attrs.field(default=RefusalRule.NEVER_AGAIN, converter=choices.refusal_rule)
    after_ms: int = attrs.field(default=60_000, validator=at_least(1))
    overflow: Overflow | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of(Overflow))
    )

    def __attrs_post_init__(self) -> None:
        rule = self.overflow
        if rule is None:
            return
        if self.rule is not RefusalRule.ALL_DECLINED:
            raise PlanError("overflow belongs to the rule all_declined", where="refusal")
        if (rule.reject is None) == (rule.queue is None) or rule.when is not None:
            raise PlanError(
                "its overflow rejects or sends to a queue, without a condition", where="refusal"
            )


@attrs.frozen
class WrapUp:
    """The after-contact work of a queue; it holds the agent's capacity.

    ``own_queue_only``: it costs him nothing, but nothing of its queue is offered to him meanwhile.
    """

    kind: WrapUpKind = attrs.field(default=WrapUpKind.NONE, converter=choices.wrap_up_kind)
    duration_ms: int = attrs.field(default=0, validator=at_least(0))
    max_extension_ms: int = attrs.field(default=0, validator=at_least(0))
    own_queue_only: bool = attrs.field(default=False, validator=one_of(bool))


@attrs.frozen
class Callback:
    """How a queue calls back: attempts, the time between them, the least time between starts."""

    max_attempts: int = attrs.field(default=3, validator=at_least(1))
    retry_ms: int = attrs.field(default=900_000, validator=at_least(1))
    pace_ms: int = attrs.field(default=0, validator=at_least(0))


@attrs.frozen
class LastAgent:
    """A customer who comes back ``within_ms`` is offered to his last agent first, ``for_ms``."""

    within_ms: int = attrs.field(default=86_400_000, validator=at_least(1))
    for_ms: int = attrs.field(default=60_000, validator=at_least(1))


@attrs.frozen
class ServiceLevel:
    """The aim: ``percent`` of interactions accepted within ``target_ms``.

    Who goes away after less than ``short_abandon_ms`` counts in no service level.
    """

    target_ms: int = attrs.field(default=20_000, validator=at_least(0))
    percent: int = attrs.field(default=80, validator=between(0, 100))
    short_abandon_ms: int = attrs.field(default=0, validator=at_least(0))


def _access(rows: Iterable[Access]) -> tuple[Access, ...]:
    return tuple(rows)


def _overflow(rules: Iterable[Overflow]) -> tuple[Overflow, ...]:
    return tuple(rules)


def _ladder(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(steps) or (Step(),)


@attrs.frozen(kw_only=True)
class Queue:
    """Where interactions wait, with all that belongs to it.

    ``members`` is the expression that every agent of the queue satisfies at every step;
    ``tier`` decides between an agent's queues before any key (smaller first), ``access`` says
    otherwise for some agents, ``share`` splits an agent's work between queues of one tier in
    proportion. ``offers`` agents may be offered an interaction at once; the first to accept
    has it. What comes back to an agent who had it (parked, transferred to him) waits
    ``return_ms`` for him alone. ``codes`` are the disposition codes to complete with (none: any).
    ``scorer`` names the function of the plan that the strategy ``scored`` asks.
    ``hours`` names the plan's business hours of this queue; None: always open.
    ``max_per_agent`` is how much of it one agent carries at most, whatever his capacity.
    """

    name: str = attrs.field(validator=name_text)
    members: Expression | None = attrs.field(default=None, converter=conditions.agents)
    ladder: tuple[Step, ...] = attrs.field(default=(Step(),), converter=_ladder)
    order: Order = attrs.field(
        default=HeadStart(), validator=one_of(HeadStart, Strict, NewestFirst, Accelerating)
    )
    strategy: Strategy = attrs.field(default=Strategy.LONGEST_IDLE, converter=choices.strategy)
    scorer: str | None = attrs.field(default=None, validator=attrs.validators.optional(name_text))
    tier: int = attrs.field(default=0, validator=at_least(0))
    access: tuple[Access, ...] = attrs.field(default=(), converter=_access)
    share: int | None = attrs.field(default=None, validator=attrs.validators.optional(at_least(1)))
    priority: int = attrs.field(default=0, validator=at_least(0))
    delivery: Delivery = attrs.field(default=Delivery.PUSH, converter=choices.delivery)
    offers: int = attrs.field(default=1, validator=between(1, 50))
    auto_accept: bool = attrs.field(default=False, validator=one_of(bool))
    offer_timeout_ms: int = attrs.field(default=20_000, validator=at_least(1))
    on_expiry: OnExpiry = attrs.field(default=OnExpiry.NOT_READY, converter=choices.on_expiry)
    refusal: Refusal = attrs.field(default=Refusal(), validator=one_of(Refusal))
    on_requeue: OnRequeue = attrs.field(default=OnRequeue.KEEP_PLACE, converter=choices.on_requeue)
    wrap_up: WrapUp = attrs.field(default=WrapUp(), validator=one_of(WrapUp))
    service_level: ServiceLevel = attrs.field(
        default=ServiceLevel(), validator=one_of(ServiceLevel)
    )
    max_waiting: int = attrs.field(default=10_000, validator=at_least(1))
    max_wait_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(1))
    )
    return_ms: int = attrs.field(default=600_000, validator=at_least(1))
    last_agent: LastAgent | None = attrs.field(
        default=None, validator=attrs.validators.optional(one_of(LastAgent))
    )
    callback: Callback = attrs.field(default=Callback(), validator=one_of(Callback))
    codes: tuple[str, ...] = attrs.field(default=(), converter=_names)
    overflow: tuple[Overflow, ...] = attrs.field(default=(), converter=_overflow)
    hours: str | None = attrs.field(default=None, validator=attrs.validators.optional(name_text))
    max_per_agent: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(1))
    )

    def __attrs_post_init__(self) -> None:
        for number, fault in faults_of_ladder(self.ladder):
            raise PlanError(fault, where=f"queue {self.name!r}, step {number}")
        for fault in faults_of_choices(self):
            raise PlanError(fault, where=f"queue {self.name!r}")


@attrs.frozen(kw_only=True)
class TriageRule:
    """From a message to a queue: the first rule whose ``when`` holds decides.

    ``split`` sends so many percent to other queues; the rest goes to ``queue``.

    ``match_language`` adds a requirement for the skill ``lang:<language>`` when the
    message has a language and the plan defines that skill.
    """

    queue: str = attrs.field(validator=name_text)
    split: Mapping[str, int] = attrs.field(factory=dict, converter=dict, validator=percents)
    when: Expression | None = attrs.field(default=None, converter=conditions.messages)
    priority: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(0))
    )
    requirement: Expression | None = attrs.field(default=None, converter=conditions.agents)
    match_language: bool = attrs.field(default=False, validator=one_of(bool))


@attrs.frozen(kw_only=True)
class Limits:
    """Bounds on everything; reaching one is an event with a reason, or a clear error."""

    max_priority: int = attrs.field(default=99, validator=at_least(0))
    max_waiting: int = attrs.field(default=100_000, validator=at_least(1))
    max_offers: int = attrs.field(default=50, validator=at_least(1))
    max_messages: int = attrs.field(default=1_000, validator=at_least(1))
    max_agents: int = attrs.field(default=10_000, validator=at_least(1))
    max_lanes: int = attrs.field(default=50_000, validator=at_least(1))
    max_set_aside: int = attrs.field(default=100_000, validator=at_least(1))
    max_last_agents: int = attrs.field(default=100_000, validator=at_least(1))
    max_payload_bytes: int = attrs.field(default=2_000_000, validator=at_least(1))
    max_mail_bytes: int = attrs.field(default=25_000_000, validator=at_least(1))
    dedupe_ms: int = attrs.field(default=8 * 86_400_000, validator=at_least(1))
    max_dedupe_keys: int = attrs.field(default=2_000_000, validator=at_least(1))
    interval_ms: int = attrs.field(default=1_800_000, validator=at_least(1))
    max_intervals: int = attrs.field(default=48, validator=at_least(1))
    max_groups: int = attrs.field(default=1_000, validator=at_least(1))


def _by_name(values: Mapping[str, Any] | Iterable[Any], attribute: str) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return dict(values)
    table: dict[str, Any] = {}
    for value in values:
        name = getattr(value, attribute)
        if name in table:
            raise PlanError(f"{type(value).__name__.lower()} {name!r} is defined twice")
        table[name] = value
    return table


def _queues(values: Mapping[str, Queue] | Iterable[Queue]) -> Mapping[str, Queue]:
    return _by_name(values, "name")


def _skills(values: Mapping[str, Skill] | Iterable[Skill]) -> Mapping[str, Skill]:
    return _by_name(values, "name")


def _capacities(values: Mapping[str, Capacity] | Iterable[Capacity]) -> Mapping[str, Capacity]:
    return _by_name(values, "name") or {"default": Capacity()}


def _hours(values: Mapping[str, Hours] | Iterable[Hours]) -> Mapping[str, Hours]:
    return _by_name(values, "name")


def _scorers(values: Mapping[str, Scorer]) -> Mapping[str, Scorer]:
    return dict(values)


def _rules(values: Iterable[TriageRule]) -> tuple[TriageRule, ...]:
    return tuple(values)


def _agent_table(values: Mapping[str, Agent] | Iterable[Agent]) -> Mapping[str, Agent]:
    return _by_name(values, "id")


@attrs.frozen(kw_only=True)
class Plan:
    """The whole configuration of a router; every name in it is resolved on construction.

    ``queues``, ``skills``, ``capacities``, ``agents`` and ``hours`` are given as sequences and kept
    as mappings by name. A plan without skills admits any skill name; a plan without
    capacities has one, ``default``: one interaction at a time. ``scorers`` are the functions that
    queues name; they are code, so they are no part of a plan's text and of its equality.

    Raises `UnknownNameError` or `PlanError`; several faults come as one `PlanError`.
    """

    name: str = attrs.field(default="plan", validator=name_text)
    queues: Mapping[str, Queue] = attrs.field(converter=_queues)
    skills: Mapping[str, Skill] = attrs.field(default=(), converter=_skills)
    capacities: Mapping[str, Capacity] = attrs.field(default=(), converter=_capacities)
    agents: Mapping[str, Agent] = attrs.field(default=(), converter=_agent_table)
    triage: tuple[TriageRule, ...] = attrs.field(default=(), converter=_rules)
    limits: Limits = attrs.field(default=Limits(), validator=one_of(Limits))
    scorers: Mapping[str, Scorer] = attrs.field(factory=dict, converter=_scorers, eq=False)
    hours: Mapping[str, Hours] = attrs.field(default=(), converter=_hours)
    dispositions: Mapping[str, DispositionPolicy] = attrs.field(
        factory=dict, converter=disposition_table
    )
    sender_rate: SenderRate = attrs.field(default=SenderRate(), validator=one_of(SenderRate))
    identity: Identity = attrs.field(default=Identity(), validator=one_of(Identity))

    def __attrs_post_init__(self) -> None:
        faults = tuple(faults_of_plan(self))
        if faults:
            raise joined(faults, where=f"plan {self.name!r}")

    def disposition(self, inbound: Inbound) -> DispositionPolicy:
        """What is done with a provider's event of this disposition."""
        return self.dispositions[disposition_name(inbound)]

    def queue(self, name: str) -> Queue:
        """The queue of that name; raises `UnknownNameError` with the nearest match."""
        try:
            return self.queues[name]
        except KeyError:
            raise UnknownNameError("queue", name, self.queues) from None
