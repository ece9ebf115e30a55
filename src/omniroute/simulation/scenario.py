"""What is simulated, as immutable values: the plan, who comes, who works, for how long.

A scenario holds no dice and no state: `simulate` plays it with a seed. It names the plan's queues,
skills and agents, and everything in it is checked against the plan before the first event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from ..errors import PlanError, UnknownNameError
from ..model import Agent, Attribute, Channel, Message
from ..plan import Plan, Scope, parse
from .arrivals import Arrivals
from .distributions import Deterministic, Distribution

__all__ = [
    "AgentGroup",
    "Break",
    "ByTime",
    "CustomerKind",
    "Faults",
    "Next",
    "Retrial",
    "Scenario",
    "Shift",
]

_DAY_MS = 86_400_000
_NONE = Deterministic(0)
_MINUTE = Deterministic(60_000)


def _span(start_ms: int, end_ms: int, where: str) -> None:
    if type(start_ms) is not int or type(end_ms) is not int or not 0 <= start_ms < end_ms:
        raise PlanError(
            f"must go from a time of at least 0 to a later one, got {start_ms!r} to {end_ms!r}",
            where=where,
        )


def _share(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value <= 1:
        where = f"{type(instance).__name__}.{attribute.name}"
        raise PlanError(f"must be a share between 0 and 1, got {value!r}", where=where)


def _moments(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


def _parts(values: Iterable[Distribution]) -> tuple[Distribution, ...]:
    return tuple(values)


@attrs.frozen
class ByTime:
    """A distribution that depends on when the customer came: ``parts[n]`` from ``from_ms[n]`` on.

    The first part begins at 0; times are those of the cycle (of the day).
    """

    from_ms: tuple[int, ...] = attrs.field(converter=_moments)
    parts: tuple[Distribution, ...] = attrs.field(converter=_parts)

    def __attrs_post_init__(self) -> None:
        starts = list(self.from_ms)
        if len(starts) != len(self.parts) or starts[:1] != [0] or sorted(set(starts)) != starts:
            raise PlanError(
                "must be one growing time per part, the first of them 0", where="ByTime.from_ms"
            )


@attrs.frozen
class Retrial:
    """Who abandons or is rejected comes again: with this probability, after a delay."""

    probability: float = attrs.field(validator=_share)
    delay: Distribution
    at_most: int = 10


@attrs.frozen
class Next:
    """What a completed interaction is followed by: another one, of the kind ``customers``."""

    customers: str
    probability: float = attrs.field(default=1.0, validator=_share)
    delay: Distribution = _NONE


def _follows(values: Iterable[Next]) -> tuple[Next, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class CustomerKind:
    """Customers who are alike: how they come, what they want, how long it takes and they wait.

    ``queue`` None lets the plan's triage decide by the message, which is made of ``channel``,
    ``to``, ``subject``, ``language`` and ``attributes``. ``handle`` is the work of a contact,
    ``patience`` None waits for ever, ``balk`` is the share that leaves at once when nobody is
    free, ``wrap_up`` is what the agent would take where the plan leaves it to him. ``arrivals``
    None: they come only as the `Next` of others.
    """

    name: str
    handle: Distribution | ByTime
    arrivals: Arrivals | None = None
    channel: Channel = attrs.field(default=Channel.VOICE, converter=Channel)
    queue: str | None = None
    to: str = ""
    subject: str = ""
    language: str | None = None
    attributes: Mapping[str, Attribute] = attrs.field(factory=dict)
    priority: int | None = None
    requirement: str | None = None
    patience: Distribution | ByTime | None = None
    balk: float = attrs.field(default=0.0, validator=_share)
    wrap_up: Distribution = _NONE
    retrial: Retrial | None = None
    next: tuple[Next, ...] = attrs.field(default=(), converter=_follows)

    def __attrs_post_init__(self) -> None:
        if sum(follow.probability for follow in self.next) > 1 + 1e-9:
            raise PlanError("probabilities add up to more than 1", where=f"{self.name}.next")

    @property
    def message(self) -> Message:
        """What such a customer sends."""
        return Message(
            channel=self.channel,
            to=self.to,
            subject=self.subject,
            language=self.language,
            attributes=dict(self.attributes),
        )


@attrs.frozen
class Break:
    """Not ready from one moment of the cycle to another; work in hand is finished first."""

    from_ms: int
    to_ms: int

    def __attrs_post_init__(self) -> None:
        _span(self.from_ms, self.to_ms, "Break")


def _breaks(values: Iterable[Break]) -> tuple[Break, ...]:
    return tuple(values)


@attrs.frozen
class Shift:
    """Signed in from one moment of the cycle to another; work in hand is finished first."""

    from_ms: int
    to_ms: int
    breaks: tuple[Break, ...] = attrs.field(default=(), converter=_breaks)

    def __attrs_post_init__(self) -> None:
        _span(self.from_ms, self.to_ms, "Shift")
        for pause in self.breaks:
            if not self.from_ms <= pause.from_ms < pause.to_ms <= self.to_ms:
                raise PlanError("lies outside its shift", where="Shift.breaks")


def _speeds(values: Iterable[float]) -> tuple[float, ...]:
    speeds = tuple(values)
    if not all(speed > 0 for speed in speeds):
        raise PlanError("must be speeds of more than 0", where="AgentGroup.slow_down")
    return speeds


def _shifts(values: Iterable[Shift]) -> tuple[Shift, ...]:
    return tuple(values)


def _agents(values: Iterable[Agent | str]) -> tuple[Agent | str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class AgentGroup:
    """Agents who behave alike. An agent given by his id is the plan's agent of that id.

    ``shifts`` none: signed in all the time. An offer is answered after ``answer_delay``, or
    declined with the share ``decline`` (after that delay too), or not answered at all with the
    share ``no_answer``; after that he is away for ``pause``. ``handle`` replaces the handle time
    of some customers. ``slow_down[n]`` is the speed of each of ``n + 1`` simultaneous contacts
    (1: full speed; the last one holds for more); none: no slow-down.
    """

    name: str
    agents: tuple[Agent | str, ...] = attrs.field(converter=_agents)
    shifts: tuple[Shift, ...] = attrs.field(default=(), converter=_shifts)
    answer_delay: Distribution | None = None
    decline: float = attrs.field(default=0.0, validator=_share)
    no_answer: float = attrs.field(default=0.0, validator=_share)
    pause: Distribution = _MINUTE
    handle: Mapping[str, Distribution] = attrs.field(factory=dict)
    slow_down: tuple[float, ...] = attrs.field(default=(), converter=_speeds)

    def __attrs_post_init__(self) -> None:
        if self.decline + self.no_answer > 1:
            raise PlanError("decline and no_answer add up to more than 1", where=self.name)
        ends_ms = 0
        for shift in self.shifts:
            if shift.from_ms < ends_ms:
                raise PlanError("shifts must follow one another", where=self.name)
            ends_ms = shift.to_ms


def _by_name(values: object, kind: str) -> dict[str, CustomerKind]:
    if isinstance(values, Mapping):
        return dict(values)
    table: dict[str, CustomerKind] = {}
    for value in values:  # type: ignore[attr-defined]
        if value.name in table:
            raise PlanError(f"{kind} {value.name!r} is defined twice")
        table[value.name] = value
    return table


def _customers(values: Iterable[CustomerKind]) -> Mapping[str, CustomerKind]:
    return _by_name(values, "customers")


@attrs.frozen(kw_only=True)
class Faults:
    """What goes wrong in a run, beside customers and agents: the seed says when.

    ``lost`` is the share of messages and answers that do not arrive and are sent again after
    ``repeat_ms``; ``repeated`` the share whose acknowledgement gets lost, so that they arrive
    twice; ``late`` the share that takes up to ``late_ms`` longer, and may be overtaken.
    Restarts and clock steps come at random, so many an hour in the mean: at a restart the
    router is gone, a command was half written, and the next one recovers from the journal; a
    step sets the router's clock to something within ``clock_step_ms`` of the right time.
    """

    lost: float = attrs.field(default=0.0, validator=_share)
    repeated: float = attrs.field(default=0.0, validator=_share)
    repeat_ms: int = 5_000
    late: float = attrs.field(default=0.0, validator=_share)
    late_ms: int = 5_000
    restarts_per_hour: float = 0.0
    clock_steps_per_hour: float = 0.0
    clock_step_ms: int = 5_000

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Faults):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise PlanError(f"must be at least 0, got {value!r}", where=f"faults.{field.name}")
        if self.lost + self.late > 1:
            raise PlanError("lost and late add up to more than 1", where="faults")


def _groups(values: Iterable[AgentGroup]) -> tuple[AgentGroup, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Scenario:
    """A plan, who comes, who works, and the frame of the measurement.

    Customers come from 0 to ``duration_ms``; those who came before ``warm_up_ms`` are not counted.
    ``drain``: the run goes on until the last of them has gone, and whoever works at the end stays
    so long; else it stops at the end. ``cycle_ms`` (a day) is after what shifts repeat and
    interval reports wrap; ``interval_ms`` divides it. ``busyness_cv`` is the coefficient of
    variation of a gamma factor of mean 1 on all rates, drawn for each cycle. Without ``groups``
    the plan's own agents work all the time. ``faults`` None: nothing fails.
    `simulate` can put another plan in place of ``plan``.
    """

    plan: Plan
    customers: Mapping[str, CustomerKind] = attrs.field(converter=_customers)
    groups: tuple[AgentGroup, ...] = attrs.field(default=(), converter=_groups)
    name: str = "scenario"
    duration_ms: int = _DAY_MS
    warm_up_ms: int = 0
    drain: bool = False
    cycle_ms: int = _DAY_MS
    interval_ms: int = 1_800_000
    busyness_cv: float = 0.0
    faults: Faults | None = None

    def __attrs_post_init__(self) -> None:
        _span(self.warm_up_ms, self.duration_ms, "scenario: warm_up and duration")
        for name in ("cycle_ms", "interval_ms"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise PlanError(f"must be a positive integer, got {value!r}", where=name)
        if self.cycle_ms % self.interval_ms:
            raise PlanError("must divide cycle_ms", where="interval_ms")
        if not 0 <= self.busyness_cv < 10:
            raise PlanError("must lie between 0 and 10", where="busyness_cv")
        self.check(self.plan)

    def agent_groups(self, plan: Plan) -> tuple[AgentGroup, ...]:
        """The groups that work; without any, one per first group (or capacity) in the plan."""
        if self.groups:
            return self.groups
        found: dict[str, list[Agent | str]] = {}
        for agent in plan.agents.values():
            name = agent.groups[0] if agent.groups else agent.capacity
            found.setdefault(name, []).append(agent.id)
        return tuple(AgentGroup(name=name, agents=ids) for name, ids in found.items())

    def check(self, plan: Plan) -> None:
        """Whether it can be played under ``plan``.

        Raises `UnknownNameError` or `PlanError` at the first thing that does not fit.
        """
        for kind in self.customers.values():
            where = f"customers {kind.name!r}"
            if kind.queue is not None and kind.queue not in plan.queues:
                raise UnknownNameError("queue", kind.queue, plan.queues, where=where)
            if kind.requirement is not None:
                parse(kind.requirement, Scope.AGENT)
            for follow in kind.next:
                if follow.customers not in self.customers:
                    raise UnknownNameError(
                        "customers", follow.customers, self.customers, where=f"{where}: next"
                    )
        seen: set[str] = set()
        for group in self.agent_groups(plan):
            where = f"group {group.name!r}"
            for name in group.handle:
                if name not in self.customers:
                    raise UnknownNameError("customers", name, self.customers, where=where)
            for agent in group.agents:
                agent_id = agent if isinstance(agent, str) else agent.id
                if isinstance(agent, str) and agent not in plan.agents:
                    raise UnknownNameError("agent", agent, plan.agents, where=where)
                if agent_id in seen:
                    raise PlanError(f"agent {agent_id!r} works twice", where=where)
                seen.add(agent_id)
