"""Plans and commands drawn from small worlds, so that limits are hit and moments coincide.

`choose` takes a sequence and returns one of its elements. It is Hypothesis's hand in the state
machine (readable, shrinkable) and a seeded `random.Random` in long walks (fast). Everything is
tiny on purpose: few agents, few threads, durations of some milliseconds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from typing import Any

import attrs
import msgspec

from engine.naive import NaiveEngine
from omniroute import events as ev
from omniroute.engine import command_of
from omniroute.engine.customers import channel_key
from omniroute.events import Command
from omniroute.model import (
    Address,
    AddressKind,
    Agent,
    Attachment,
    Channel,
    Customer,
    Disposition,
    Inbound,
    Interaction,
    InteractionState,
    Message,
    UpdateKind,
)
from omniroute.plan import (
    Accelerating,
    Access,
    Callback,
    Capacity,
    Delivery,
    DispositionPolicy,
    HeadStart,
    Hours,
    Identity,
    LastAgent,
    Limits,
    NewestFirst,
    OnExpiry,
    OnRequeue,
    Overflow,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    SenderRate,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    Strict,
    TriageRule,
    WrapUp,
    WrapUpKind,
    dumps,
    parse,
)

Choose = Callable[[Sequence[Any]], Any]

NAMES = tuple(f"p{number}" for number in range(1, 13))
CHANNELS = (Channel.VOICE, Channel.CHAT, Channel.EMAIL)
GAPS_MS = (*(0,) * 12, *(1,) * 12, *(2, 3, 5, 10) * 2, 20, 30, 50, 1_000, 100_000)
_SKILLS = ("a", "b", "lang:de", "lang:en")
_MEMBERS = (None, None, "a or b", "a", 'groups has "g"')
_STEPS = (None, "a >= 2", "b", "a and b >= 2", 'agent == "p1"', 'agent in ["p1", "p2"]', "b == 0")
_ORDERS = (
    *(HeadStart(10), HeadStart(0), HeadStart(1), Strict()) * 2,
    NewestFirst(),
    Accelerating(10, 150, 3),
    Accelerating(3, 33, 9),
    Accelerating(1, 250),
    Accelerating(1, 100, 0),
)
_ACCESS = (None, "a >= 2", "b", 'agent == "p1"', 'groups has "g"')
_OWN_STEPS = (
    *((),) * 8,
    (ev.OwnStep('agent == "p2"', 10),),
    (ev.OwnStep('agent in ["p1", "p3"]', 20, True), ev.OwnStep("a", 10)),
    (ev.OwnStep("a >= 3", 5, True), ev.OwnStep('agent == "p1"', 20, True)),
    (ev.OwnStep("b"),),
    (ev.OwnStep('agent == "p2"', 10, True, priority=9), ev.OwnStep("a", 10)),
    (ev.OwnStep("a", 20, priority=1), ev.OwnStep("b", 10, priority=7)),
)
_OWN = (None, None, None, "a", "b >= 2", "a and lang:de", 'attr.site == "x"', "a >= 3 or b")
#: As much as can be read at once: nothing can be added.
_LONG = str(parse(f'not attr.x == "{"x" * 4_070}"'))
_KINDS: tuple[dict[str, Any], ...] = (
    {"skills": {"a": 3, "b": 2, "lang:de": 1}, "groups": ("g",), "capacity": "many"},
    {"skills": {"a": 1}, "attributes": {"site": "x"}},
)
_ODD: dict[str, Any] = {"budget": 2, "costs": {"chat": 1, "email": 2}}
_SECOND: dict[str, Any] = {"interruptible_budget": 2, "interruptible_costs": {"email": 1}}
_MANY: tuple[dict[str, Any], ...] = (
    {"budget": 3, "costs": {"voice": 3, "*": 1}, "maxima": {"chat": 2}},
    {"budget": 4, "maxima": {"voice": 1}, "interruptible_by": {"email": ["voice"], "*": []}},
    {"budget": 3, "interruptible_by": {"voice": ["email"], "chat": ["chat", "voice"]}},
    {"budget": 2, "costs": {"voice": 2, "*": 1}, **_SECOND},
    {"budget": 1, **_SECOND, "interruptible_when_full": False},
    {"budget": 2, "interruptible_by": {"email": ["chat"]}, **_SECOND},
)
_FEW_OFFERS = (None, None, None, 1, 2)
_BIG = 10_000
_HOURS = (
    Hours(name="early", time_zone="UTC", weekly={"thu": ["00:00-00:02", "00:05-00:07"]}),
    Hours(name="late", time_zone="UTC", weekly={"thu": ["00:01-00:24"]}),
)
_CONDITIONS = (
    *("waiting >= 1", "waiting >= 2", "waiting < 2", "signed_in == 0", "ready < 1", "ready >= 2"),
    *("ewt_s >= 1", "ewt_s < 5 or nobody", "service_level < 50", "service_level != 100"),
    *("takers >= 1", "takers < 2"),
    *("open", "not open", "nobody", "not nobody and waiting >= 1", "draining", "not draining"),
)
_TELEPHONE = Address(AddressKind.E164, "+493012345")
_MAILBOX = Address(AddressKind.EMAIL, "Ann@example.org")
_CUSTOMERS = (
    Customer(id="c1"),
    Customer(id="c1", addresses=(_TELEPHONE,)),
    Customer(id="c2", addresses=(_TELEPHONE, _MAILBOX)),
    Customer(id="c3", addresses=(Address(AddressKind.EMAIL, "ann@example.org"),)),
    Customer(id="c4"),
    Customer(id="", addresses=(_TELEPHONE,)),
)
_POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"auto": "open", "own": "append", "reaction": "append", "edited": "ignore"},
    {"auto": "quarantine", "state": "open", "status": "quarantine", "deleted": "append"},
    {"bounce": DispositionPolicy("open", "q0"), "create": "append", "quarantine": "open"},
)


def _by_skill(agent: Agent, interaction: Interaction, occupancy: Fraction) -> int | Fraction:
    return agent.skills.get("a", 0) * (1 + interaction.priority) - occupancy * interaction.step


def _by_room(agent: Agent, interaction: Interaction, occupancy: Fraction) -> int | Fraction:
    return -occupancy


_SCORERS = {"skill": _by_skill, "room": _by_room}


def draw_plan(choose: Choose) -> Plan:
    """A plan of one to three queues in which anything may be set."""
    count = choose((1, 2, 2, 3))
    names = tuple(f"q{number}" for number in range(count))
    queues = [_draw_queue(choose, name, names) for name in names]
    # How openings divide lanes is no part of the definition that the model could read.
    one_opening = not any(row.after_ms for queue in queues for row in queue.access)
    return Plan(
        queues=queues,
        hours=_HOURS,
        skills=choose(((), [Skill(name, 3) for name in _SKILLS])),
        capacities=[
            Capacity(),
            Capacity(name="many", **choose(_MANY), max_open_offers=choose(_FEW_OFFERS)),
            Capacity(name="odd", **choose((_ODD, *_MANY)), max_open_offers=choose(_FEW_OFFERS)),
        ],
        triage=_draw_triage(choose, count),
        limits=Limits(
            max_priority=9,
            max_waiting=choose((_BIG, 8, 4)),
            max_offers=choose((50, 3, 2, 1)),
            max_messages=choose((1_000, 3, 2, 1)),
            max_agents=choose((12, 12, 3, 2)),
            max_lanes=choose((_BIG, 3)) if one_opening else _BIG,
            dedupe_ms=choose((_BIG, 20, 1)),
            max_dedupe_keys=choose((_BIG, 2)),
            max_set_aside=choose((_BIG, _BIG, 2, 1)),
            max_last_agents=choose((_BIG, 1)),
            interval_ms=choose((1_800_000, 1_800_000, 50, 1_000)),
        ),
        scorers=_SCORERS,
        dispositions=choose(_POLICIES),
        sender_rate=SenderRate(
            window_ms=choose((_BIG, _BIG, 30, 1)),
            maxima={"*": choose((300, 3, 1, 0)), "email": choose((30, 2, 1))},
            max_senders=choose((_BIG, 1)),
        ),
        identity=choose(
            (
                Identity(),
                Identity(link_by=["e164"]),
                Identity(link_by=["email", "e164"], attributes=["crm"]),
            )
        ),
    )


def _draw_queue(choose: Choose, name: str, names: Sequence[str]) -> Queue:
    strategy = choose(tuple(Strategy))
    offers = choose((1, 1, 1, 1, 2, 2, 3))
    return Queue(
        name=name,
        members=choose(_MEMBERS),
        ladder=_draw_ladder(choose, names),
        order=choose(_ORDERS),
        strategy=strategy,
        scorer=choose(tuple(_SCORERS)) if strategy is Strategy.SCORED else None,
        tier=choose((0, 0, 1)),
        access=_draw_access(choose),
        share=choose((None, None, 1, 2, 3)),
        priority=choose((0, 3)),
        delivery=choose((*(Delivery.PUSH,) * 4, *(Delivery.PUSH_AND_PULL,) * 2, Delivery.PULL)),
        offers=offers,
        auto_accept=offers == 1 and choose((False, False, False, True)),
        offer_timeout_ms=choose((20, 50, 100)),
        on_expiry=choose(tuple(OnExpiry)),
        refusal=_draw_refusal(choose, names),
        on_requeue=choose((OnRequeue.KEEP_PLACE, OnRequeue.KEEP_PLACE, OnRequeue.JOIN_END)),
        wrap_up=WrapUp(
            choose(tuple(WrapUpKind)),
            duration_ms=choose((10, 20, 0)),
            max_extension_ms=choose((0, 10, 25)),
            own_queue_only=choose((False, False, True)),
        ),
        service_level=ServiceLevel(target_ms=choose((0, 10))),
        max_waiting=choose((_BIG, 5, 2)),
        max_per_agent=choose((None, None, 1, 2)),
        max_wait_ms=choose((*(None,) * 8, 20, 100)),
        return_ms=choose((10, 30)),
        last_agent=choose((None, None, LastAgent(within_ms=1_000, for_ms=10))),
        callback=Callback(
            max_attempts=choose((1, 2, 3)), retry_ms=choose((10, 20)), pace_ms=choose((0, 0, 15))
        ),
        codes=choose(((), ("", "done"))),
        overflow=[
            _draw_overflow(choose, names, at_door=True) for _ in range(choose((0, 0, 0, 1, 2)))
        ],
        hours=choose((None, None, "early", "late")),
    )


def _draw_refusal(choose: Choose, names: Sequence[str]) -> Refusal:
    rule, overflow = choose(tuple(RefusalRule)), None
    if rule is RefusalRule.ALL_DECLINED:
        targets = [Overflow(queue=name) for name in names]
        overflow = choose((None, Overflow(reject="nobody wants it"), *targets))
    return Refusal(rule, choose((10, 30)), overflow)


def _draw_overflow(choose: Choose, names: Sequence[str], *, at_door: bool) -> Overflow:
    action: dict[str, Any] = choose(
        (
            {"reject": "come back later"},
            *({"queue": name} for name in names),
            {"priority": 9},
        )
    )
    if "queue" in action:
        action = action | choose(({}, {}, {"priority": 7}, {"requirement": "b"}))
    if at_door and "reject" not in action:
        action = action | choose(({}, {}, {"open_access": True}, {"requirement": "a"}))
    if at_door:
        action = action | choose(({}, {"hint": "callback"}))
    return Overflow(when=choose((None, *_CONDITIONS)), **action)


def _draw_access(choose: Choose) -> list[Access]:
    return [
        Access(choose(_ACCESS), tier=choose((0, 0, 1, 2)), after_ms=choose((0, 10, 20, 30)))
        for _ in range(choose((0, 0, 0, 1, 2, 3)))
    ]


def _step_extras(choose: Choose, names: Sequence[str], *, first: bool) -> dict[str, Any]:
    found: dict[str, Any] = choose((*({},) * 5, {"only_if": choose(_CONDITIONS)}))
    found = found | {"priority": choose((*(None,) * 6, 0, 2, 9))}
    if not first and choose((*(False,) * 9, True)):
        found = found | {"overflow": _draw_overflow(choose, names, at_door=False)}
    return found


def _draw_ladder(choose: Choose, names: Sequence[str]) -> list[Step]:
    steps = [
        Step(
            choose(_STEPS),
            **choose(({"for_ms": 10}, {"for_ms": 30}, {"until_ms": 20}, {"until_ms": 50})),
            drop=choose(((), (), ("a",), ("*",))),
            skip_if_nobody=choose((False, True)),
            **_step_extras(choose, names, first=number == 0),
        )
        for number in range(choose((0, 0, 1, 2, 3)))
    ]
    last = Step(
        choose(_STEPS),
        drop=choose(((), ("lang:de", "b"), ("*",))),
        skip_if_nobody=choose((False, True)),
        **_step_extras(choose, names, first=not steps),
    )
    return [*steps, last]


def _draw_triage(choose: Choose, count: int) -> list[TriageRule]:
    queues = [f"q{number}" for number in range(count)]
    return [
        TriageRule(
            queue=choose(queues),
            when=when,
            priority=choose((None, 5)),
            requirement=choose(_OWN),
            match_language=choose((False, True)),
            split=choose(({}, {}, {queues[-1]: 30}, {queues[0]: 10, queues[-1]: 50})),
        )
        for when in choose((("is_live", None), ('channel == "email"',), (None,)))
    ]


def draw_agent(choose: Choose, agent_id: str) -> Agent:
    """Often one of two kinds, so that several agents differ in nothing."""
    if choose((True, True, False)):
        return Agent(id=agent_id, **choose(_KINDS))
    return Agent(
        id=agent_id,
        skills={
            skill: level for skill in _SKILLS if (level := choose((None, 0, 1, 2, 3))) is not None
        },
        groups=choose(((), ("g",))),
        attributes=choose(
            ({}, {"site": "x"}, {"weight": 1}, {"weight": 3}, {"weight": 0}, {"weight": "2"})
        ),
        capacity=choose(("default", "many", "odd")),
        wrap_up_ms=choose((None, None, 5, 10, 0)),
    )


def draw_message(choose: Choose) -> Message:
    return Message(
        channel=choose(CHANNELS),
        thread_id=choose((*(None,) * 6, "t1", "t2")),
        message_id=choose((*(None,) * 12, "m1", "m2", "m3", "m4", "m5")),
        customer=choose((*(Customer(),) * 4, *_CUSTOMERS)),
        language=choose((None, "de", "fr", "de or a")),
        text=choose(("", "hello")),
    )


def _submit(choose: Choose, naive: NaiveEngine) -> Command:
    queue = choose((None, *naive.plan.queues))
    return ev.Submit(
        draw_message(choose),
        queue=queue,
        priority=choose((None, None, 0, 1, 9)),
        requirement=choose(_OWN if queue is None else (*_OWN * 2, _LONG)),
        interaction_id=choose((*(None,) * 8, "x1", "x2")),
        steps=choose(_OWN_STEPS),
        start_at_ms=_moment(choose, naive) if choose((True, *(False,) * 7)) else None,
        max_wait_ms=choose((*(None,) * 20, 10, 50)),
    )


def written(naive: NaiveEngine) -> list[Message]:
    """The first messages of open interactions that have a thread."""
    first = [item.messages[0] for item in naive.items.values()]
    return [message for message in first if message.thread_id]


def _write(choose: Choose, naive: NaiveEngine) -> Command:
    """One more in a thread, perhaps of somebody else."""
    more = draw_message(choose)
    if known := written(naive):
        first = choose(known)
        more = msgspec.structs.replace(more, channel=first.channel, thread_id=first.thread_id)
    return ev.Submit(more, queue=_queue(choose, naive))


def _moment(choose: Choose, naive: NaiveEngine) -> int | None:
    """None, one that has passed, or one at which much may happen."""
    now_ms = naive.now_ms
    moments = (max(1, now_ms + ms) for ms in (-1, 0, 1, 10, 10, 20, 20, 50))
    return choose((None, *moments))  # type: ignore[no-any-return]


def _quarantine(choose: Choose, naive: NaiveEngine) -> Command:
    return ev.Quarantine(draw_message(choose), "odd", choose((None, "x1")))


def _deliver(choose: Choose, naive: NaiveEngine) -> Command:
    """Mostly about a message that was there before."""
    kind = choose((Disposition.UPDATE,) * 20 + tuple(Disposition))
    known = [m for item in naive.items.values() for m in item.messages if m.message_id]
    message = choose((*known * 3, draw_message(choose)))
    if kind is Disposition.UPDATE:
        message = msgspec.structs.replace(
            message,
            text=choose(("new", "newer")),
            sent_at_ms=choose((None, 1, 2)),
            attachments=choose(((), (Attachment(url="https://example.org/a"),))),
            attributes=choose(({}, {"crm": "7"})),
        )
    inbound = Inbound(
        disposition=kind,
        message=message,
        update=choose(tuple(UpdateKind)) if kind is Disposition.UPDATE else None,
        reason=choose(("", "why")),
        delivery_id=choose((None, None, "d1", "d2", "d3")),
    )
    return command_of(naive.plan, inbound) or ev.Tick()


def _interaction(choose: Choose, naive: NaiveEngine) -> str:
    return str(choose((*naive.items, "i1", "unknown")))


def _queue(choose: Choose, naive: NaiveEngine) -> str:
    return str(choose(tuple(naive.plan.queues)))


def _in_line(choose: Choose, naive: NaiveEngine) -> str:
    """Mostly one that waits or is offered."""
    return str(choose((*in_line(naive) * 3, _interaction(choose, naive))))


def _reprioritize(choose: Choose, naive: NaiveEngine) -> Command:
    """Ages are often those of others, or at an edge of what is to come."""
    now_ms = naive.now_ms
    ages = [item.enqueued_at_ms for item in naive.items.values()]
    return ev.Reprioritize(
        _interaction(choose, naive),
        choose((None, 0, 1, 5, 9)),
        choose((None, None, now_ms, now_ms - 10, now_ms - 20, now_ms - 50, now_ms + 10, *ages)),
    )


def _move(choose: Choose, naive: NaiveEngine) -> Command:
    return ev.Move(
        _in_line(choose, naive),
        choose(tuple(naive.plan.queues)),
        priority=choose((None, None, 0, 9)),
        requirement=choose(_OWN),
    )


def _agent(choose: Choose, naive: NaiveEngine) -> str:
    """Mostly somebody who is signed in; the plan may be too small for all."""
    names = NAMES[: naive.plan.limits.max_agents + 1]
    return str(choose((*naive.people, *naive.people, *names)))


def _absent(choose: Choose, naive: NaiveEngine) -> str:
    names = NAMES[: naive.plan.limits.max_agents + 1]
    absent = [name for name in names if name not in naive.people]
    return str(choose((*absent * 3, *names)))


def _colleague(choose: Choose, naive: NaiveEngine) -> str | None:
    return choose((None, _agent(choose, naive)))  # type: ignore[no-any-return]


def _transfer(choose: Choose, naive: NaiveEngine) -> Command:
    agent_id, queues = _colleague(choose, naive), tuple(naive.plan.queues)
    return ev.Transfer(
        _assignment(choose, naive),
        queue=choose(queues if agent_id is None else (None, *queues)),
        agent_id=agent_id,
        priority=choose((None, None, 0, 9)),
        requirement=choose(_OWN),
        reason=choose(("", "not mine")),
    )


def _consult(choose: Choose, naive: NaiveEngine) -> Command:
    return ev.Consult(
        _assignment(choose, naive),
        queue=choose((None, *naive.plan.queues)),
        agent_id=_colleague(choose, naive),
        priority=choose((None, None, 0, 9)),
        requirement=choose(_OWN),
    )


def _escalate(choose: Choose, naive: NaiveEngine) -> Command:
    return ev.Escalate(
        _assignment(choose, naive),
        choose(CHANNELS),
        link=choose(("", "https://example.org/room")),
        queue=choose((None, *naive.plan.queues)),
    )


def _idle(choose: Choose, naive: NaiveEngine) -> str:
    away = [name for name, person in naive.people.items() if not person.ready]
    return str(choose((*away * 3, _agent(choose, naive))))


def in_line(naive: NaiveEngine) -> list[str]:
    states = (InteractionState.WAITING, InteractionState.OFFERED)
    return [item.id for item in naive.items.values() if item.state in states]


def to_pick(naive: NaiveEngine) -> list[str]:
    here = [name for name, queue in naive.plan.queues.items() if queue.delivery != Delivery.PUSH]
    return [name for name in in_line(naive) if naive.items[name].queue.name in here]


def open_offers(naive: NaiveEngine) -> list[int]:
    return [offer_id for item in naive.items.values() for offer_id in item.asked]


def assignments(naive: NaiveEngine) -> list[int]:
    return [i.assignment_id for i in naive.items.values() if i.agent_id is not None]


def _to_assign(choose: Choose, naive: NaiveEngine) -> str:
    """Consults and callbacks above all: what may be done with them needs an agent."""
    wanted = [i.id for i in naive.items.values() if i.kind == "consult" or i.is_callback]
    here = in_line(naive)
    return str(choose((*(name for name in wanted if name in here), _in_line(choose, naive))))


def _to_pick(choose: Choose, naive: NaiveEngine) -> str:
    return str(choose((*to_pick(naive) * 5, _in_line(choose, naive))))


def _offer(choose: Choose, naive: NaiveEngine) -> int:
    """An open offer nearly always; else an old, a future or an accepted one."""
    return int(choose((*open_offers(naive) * 3, naive.last_offer)))


def _assignment(choose: Choose, naive: NaiveEngine) -> int:
    return int(choose((*assignments(naive) * 3, naive.last_offer)))


def wrap_ups(naive: NaiveEngine) -> list[int]:
    return [i.assignment_id for i in naive.items.values() if i.state is InteractionState.WRAP_UP]


def callbacks(naive: NaiveEngine) -> list[int]:
    return [i.assignment_id for i in naive.items.values() if i.agent_id and i.is_callback]


def consulting(naive: NaiveEngine) -> list[int]:
    """Those whose colleague has accepted."""
    pairs = [(item, naive.consult_of(item)) for item in naive.items.values() if item.agent_id]
    return [item.assignment_id for item, consult in pairs if consult and consult.agent_id]


def parked(naive: NaiveEngine) -> list[str]:
    return [i.id for i in naive.items.values() if i.state is InteractionState.PARKED]


def _wrap_up(choose: Choose, naive: NaiveEngine) -> int:
    return int(choose((*wrap_ups(naive) * 5, _assignment(choose, naive))))


def _callback(choose: Choose, naive: NaiveEngine) -> int:
    return int(choose((*callbacks(naive) * 5, _assignment(choose, naive))))


def _consulting(choose: Choose, naive: NaiveEngine) -> int:
    return int(choose((*consulting(naive) * 5, _assignment(choose, naive))))


def _parked(choose: Choose, naive: NaiveEngine) -> str:
    return str(choose((*parked(naive) * 5, _interaction(choose, naive))))


#: What a publisher changes at once.
_PARTS = (
    *(("refusal",), ("refusal", "members"), ("refusal",)),
    *(("members",), ("ladder",), ("access",), ("order",), ("wrap_up",), ("overflow",)),
    *(("offers", "auto_accept"), ("delivery",), ("strategy", "scorer"), ("share",), ("on_expiry",)),
    *(("last_agent",), ("callback",), ("codes",), ("max_waiting",), ("tier",), ("service_level",)),
)


def _tweak(choose: Choose, plan: Plan) -> Plan:
    """The same plan but for some settings of some queues."""
    names = tuple(plan.queues)
    queues = []
    for name, queue in plan.queues.items():
        other = _draw_queue(choose, name, names)
        parts = [part for _ in range(choose((0, 1, 2))) for part in choose(_PARTS)]
        queues.append(attrs.evolve(queue, **{part: getattr(other, part) for part in parts}))
    return attrs.evolve(plan, queues=queues)


def _change_plan(choose: Choose, naive: NaiveEngine) -> Command:
    """Any plan may follow; some queues go and leave work behind, some are moved."""
    plan = choose((draw_plan, lambda choose: _tweak(choose, naive.plan)))(choose)
    sources = dict.fromkeys((*naive.plan.queues, *(i.queue.name for i in naive.items.values())))
    moves = {name: choose((None, None, None, *plan.queues)) for name in sources}
    return ev.ChangePlan(
        dumps(plan),
        to_waiting=choose((False, False, True)),
        moves=tuple((name, target) for name, target in moves.items() if target is not None),
    )


def _erase(choose: Choose, naive: NaiveEngine) -> Command:
    """Mostly somebody who is known: by a message, by what was linked, by his interaction."""
    found = [item.messages * len(item.messages) for item in naive.items.values()]
    messages = [m for several in found for m in several if m.customer.id]
    keys = [channel_key(m.channel, m.customer.id) for m in messages]
    keys += [key for known in naive.customers for key in sorted(known.keys)]
    keys.append(channel_key(Channel.EMAIL, "c1"))
    who = choose((None, None, *naive.items, "over"))
    count = choose((1, 1, 2) if who is None else (0, 0, 1))
    return ev.EraseCustomer(tuple(choose(keys) for _ in range(count)), who)


#: What can be asked, with a weight for walks.
COMMANDS: dict[str, tuple[int, Callable[[Choose, NaiveEngine], Command]]] = {
    "submit": (30, _submit),
    "write": (4, _write),
    "quarantine": (1, _quarantine),
    "deliver": (10, _deliver),
    "abandon": (2, lambda c, n: ev.Abandon(_interaction(c, n), c(("", "hung up")))),
    "cancel": (2, lambda c, n: ev.Cancel(_interaction(c, n), c(("", "spam")))),
    "reprioritize": (3, _reprioritize),
    "move": (3, _move),
    "assign": (4, lambda c, n: ev.Assign(_to_assign(c, n), _agent(c, n))),
    "pick": (10, lambda c, n: ev.Pick(_to_pick(c, n), _agent(c, n))),
    "move_all": (1, lambda c, n: ev.MoveAll(_queue(c, n), _queue(c, n))),
    "close_all": (1, lambda c, n: ev.CloseAll(_queue(c, n), c(("", "shut")))),
    "drain": (2, lambda c, n: ev.Drain(_queue(c, n))),
    "reopen": (3, lambda c, n: ev.Reopen(_queue(c, n))),
    "renew": (3, lambda c, n: ev.Renew(_agent(c, n))),
    "sign_in": (
        8,
        lambda c, n: ev.SignIn(
            draw_agent(c, _absent(c, n)),
            ready=c((True, True, False)),
            lease_ms=c((*(None,) * 4, 20, 100)),
        ),
    ),
    "sign_out": (2, lambda c, n: ev.SignOut(_agent(c, n), c(("", "home")))),
    "set_ready": (10, lambda c, n: ev.SetReady(_idle(c, n))),
    "set_not_ready": (3, lambda c, n: ev.SetNotReady(_agent(c, n), c(("", "lunch")))),
    "change_agent": (4, lambda c, n: ev.ChangeAgent(draw_agent(c, _agent(c, n)))),
    "accept": (26, lambda c, n: ev.Accept(_offer(c, n))),
    "decline": (8, lambda c, n: ev.Decline(_offer(c, n), c(("", "busy")))),
    "revoke": (2, lambda c, n: ev.Revoke(_offer(c, n))),
    "hold": (3, lambda c, n: ev.Hold(_assignment(c, n))),
    "resume": (3, lambda c, n: ev.Resume(_assignment(c, n))),
    "requeue": (4, lambda c, n: ev.Requeue(_assignment(c, n), c(("", "wrong desk")))),
    "complete": (12, lambda c, n: ev.Complete(_assignment(c, n), c(("", "done")))),
    "extend_wrap_up": (6, lambda c, n: ev.ExtendWrapUp(_wrap_up(c, n), c((5, 10, 20)))),
    "park": (4, lambda c, n: ev.Park(_assignment(c, n), _moment(c, n))),
    "unpark": (2, lambda c, n: ev.Unpark(_parked(c, n))),
    "transfer": (4, _transfer),
    "consult": (12, _consult),
    "hand_over": (14, lambda c, n: ev.HandOver(_consulting(c, n))),
    "confer": (10, lambda c, n: ev.Confer(_consulting(c, n))),
    "escalate": (2, _escalate),
    "request_callback": (
        4,
        lambda c, n: ev.RequestCallback(_in_line(c, n), c(("", "+49301")), _moment(c, n)),
    ),
    "fail_callback": (10, lambda c, n: ev.FailCallback(_callback(c, n), c(("", "no answer")))),
    "finish_wrap_up": (5, lambda c, n: ev.FinishWrapUp(_assignment(c, n))),
    "erase_customer": (2, _erase),
    "change_plan": (3, _change_plan),
    "tick": (2, lambda c, n: ev.Tick()),
}


#: Other weights for quiet hours, in which agents wait for work.
_QUIET = {"submit": 10, "sign_in": 16, "set_ready": 30, "accept": 30, "complete": 25, "cancel": 6}

#: Commands between two changes of the hour.
_HOUR = 40

#: What a walk mostly leaves out while there is nothing to name.
_NEEDS: dict[str, Callable[[NaiveEngine], Collection[Any]]] = {
    **dict.fromkeys(("accept", "decline", "revoke"), open_offers),
    "write": written,
    "pick": to_pick,
    "request_callback": in_line,
    "extend_wrap_up": wrap_ups,
    "unpark": parked,
    "reopen": lambda naive: naive.draining,
    "renew": lambda naive: [who for who, p in naive.people.items() if p.lease_ms],
    **dict.fromkeys(("hand_over", "confer"), consulting),
    "fail_callback": callbacks,
    **dict.fromkeys(("park", "transfer", "consult", "escalate"), assignments),
    "move": in_line,
    "assign": in_line,
    **dict.fromkeys(("hold", "resume", "requeue", "complete", "finish_wrap_up"), assignments),
    "erase_customer": lambda naive: [i for i in naive.items.values() if i.messages[0].customer.id],
    **dict.fromkeys(("set_ready", "set_not_ready", "change_agent"), lambda naive: naive.people),
}


def walk(
    seed: int, length: int, make: type[NaiveEngine] = NaiveEngine
) -> tuple[Plan, list[tuple[Command, int]], list[list[ev.Event]]]:
    """A plan, commands with their times, and what the naive engine answers to each."""
    dice = random.Random(seed)
    plan = draw_plan(dice.choice)
    naive = make(plan)
    busy = {name: weight for name, (weight, _) in COMMANDS.items()}
    now_ms, commands, batches = 0, [], []
    for number in range(length):
        if number % _HOUR == 0:
            hour = dice.choice((busy, busy | _QUIET))
        (name,) = dice.choices(list(hour), list(hour.values()))
        if name in _NEEDS and not _NEEDS[name](naive) and dice.random() < 0.9:
            continue
        now_ms += dice.choice(GAPS_MS)
        command = COMMANDS[name][1](dice.choice, naive)
        commands.append((command, now_ms))
        batches.append(naive.receive(command, now_ms))
        assert make is not NaiveEngine or not naive.offerable()
    return plan, commands, batches
