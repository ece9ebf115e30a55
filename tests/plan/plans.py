"""Whole plans drawn at random: every field of every value gets its turn."""

from datetime import date, timedelta

import attrs
from hypothesis import strategies as st

from omniroute.model import Agent, Channel
from omniroute.plan import (
    Accelerating,
    Access,
    Callback,
    Capacity,
    Delivery,
    HeadStart,
    Holidays,
    Hours,
    HoursCalendar,
    HoursException,
    Interval,
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
    Scope,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    Strict,
    TriageRule,
    WrapUp,
    WrapUpKind,
    parse,
)
from plan import worlds

names = st.text(min_size=1, max_size=8)
milliseconds = st.integers(1, 10**9)
expressions = st.none() | worlds.agent_trees.map(lambda tree: parse(worlds.source(tree)))
outlooks = st.none() | worlds.queue_trees.map(lambda tree: parse(worlds.source(tree), Scope.QUEUE))
skills = st.lists(st.sampled_from(worlds.SKILLS), max_size=3, unique=True)


short = st.text(max_size=6)


def overflows(queue_names):
    """Rules that lead to one of these queues."""
    return st.builds(
        Overflow,
        when=outlooks,
        queue=st.sampled_from([None, *queue_names]),
        priority=st.none() | st.integers(0, 99),
        requirement=expressions,
        open_access=st.booleans(),
        reject=st.none() | short,
        hint=short,
    )


def steps(**ends):
    return st.builds(
        Step,
        requirement=expressions,
        drop=skills | st.just(["*"]),
        skip_if_nobody=st.booleans(),
        only_if=outlooks,
        priority=st.none() | st.integers(0, 99),
        **ends,
    )


@st.composite
def ladders(draw):
    ends = draw(st.lists(st.sampled_from(["for_ms", "until_ms"]), max_size=3))
    return [*(draw(steps(**{end: milliseconds})) for end in ends), draw(steps())]


@st.composite
def with_overflow(draw, queues):
    """The same queues, which overflow into each other."""
    rules = overflows([q.name for q in queues])
    return [
        attrs.evolve(
            queue,
            overflow=draw(st.lists(rules, max_size=2)),
            ladder=[
                attrs.evolve(step, overflow=draw(st.none() | rules) if number else None)
                for number, step in enumerate(queue.ladder)
            ],
        )
        for queue in queues
    ]


counts = st.integers(1, 10**6)
queues = st.builds(
    Queue,
    name=names,
    members=expressions,
    ladder=ladders(),
    order=st.sampled_from([Strict(), NewestFirst()])
    | st.builds(HeadStart, st.integers(0, 10**7))
    | st.builds(Accelerating, milliseconds, st.integers(1, 10**6), st.none() | st.integers(0, 99)),
    strategy=st.sampled_from([s for s in Strategy if s is not Strategy.SCORED]),
    access=st.lists(
        st.builds(Access, expressions, st.integers(0, 3), st.integers(0, 10**6)), max_size=2
    ),
    share=st.none() | st.integers(1, 9),
    delivery=st.sampled_from(Delivery),
    offers=st.integers(1, 50),
    on_requeue=st.sampled_from(OnRequeue),
    tier=st.integers(0, 3),
    priority=st.integers(0, 99),
    offer_timeout_ms=milliseconds,
    on_expiry=st.sampled_from(OnExpiry),
    refusal=st.builds(Refusal, st.sampled_from(RefusalRule), milliseconds),
    wrap_up=st.builds(
        WrapUp,
        st.sampled_from(WrapUpKind),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.booleans(),
    ),
    service_level=st.builds(ServiceLevel, st.integers(0, 10**6), st.integers(0, 100)),
    max_waiting=counts,
    max_per_agent=st.none() | counts,
    max_wait_ms=st.none() | milliseconds,
    return_ms=milliseconds,
    last_agent=st.none() | st.builds(LastAgent, milliseconds, milliseconds),
    callback=st.builds(Callback, counts, milliseconds, st.integers(0, 10**6)),
    codes=st.lists(short, max_size=2),
)
days = st.builds(Interval, st.integers(0, 1438), st.just(1439)).map(lambda i: [i])
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CALENDAR = 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"t\\\r\nEND:VCALENDAR\r\n'
hours_tables = st.builds(
    Hours,
    name=names,
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    weekly=st.dictionaries(st.sampled_from(WEEK), days, max_size=3),
    holidays=st.sampled_from(
        [None, ("DE", None, ()), ("US", "CA", ()), ("FR", None, ("10:00-12:00",))]
    ).map(lambda h: h and Holidays(country=h[0], subdivision=h[1], intervals=h[2])),
    exceptions=st.lists(
        st.builds(
            lambda first, length, intervals: HoursException(
                first=first, last=first + timedelta(days=length), intervals=intervals
            ),
            st.dates(date(1900, 1, 1), date(2999, 1, 1)),
            st.integers(0, 3),
            days | st.just([]),
        ),
        max_size=2,
    ),
    calendars=st.lists(
        st.builds(HoursCalendar, st.just(CALENDAR), st.sampled_from(["open", "closed"])), max_size=1
    ),
)
channel_tables = st.dictionaries(
    st.sampled_from(["*", *(channel.value for channel in Channel)]), st.integers(0, 99), max_size=4
)
channel_names = st.sampled_from(["*", *(channel.value for channel in Channel)])


@st.composite
def capacities(draw):
    costs, deferred = draw(channel_tables), draw(channel_tables)
    deferred = {name: cost for name, cost in deferred.items() if name not in costs}
    second = {
        "interruptible_budget": draw(counts),
        "interruptible_costs": deferred,
        "interruptible_when_full": draw(st.booleans()),
    }
    return Capacity(
        name=draw(names),
        budget=draw(counts),
        costs=costs,
        maxima=draw(channel_tables),
        interruptible_by=draw(
            st.dictionaries(channel_names, st.lists(channel_names, max_size=3), max_size=3)
        ),
        max_open_offers=draw(st.none() | counts),
        **(second if deferred else {}),
    )


attribute_values = st.text(max_size=5) | st.integers() | st.booleans()
attribute_values |= st.lists(st.text(max_size=5), max_size=3).map(tuple)


@st.composite
def plans(draw):
    tables = draw(st.lists(queues, max_size=3, unique_by=lambda q: q.name))
    opening = draw(st.lists(hours_tables, max_size=2, unique_by=lambda h: h.name))
    tables = draw(with_overflow(tables))
    if opening:
        tables = [attrs.evolve(q, hours=opening[-1].name) for q in tables]
    found = draw(st.lists(capacities(), max_size=2, unique_by=lambda c: c.name))
    agent = st.builds(
        Agent,
        id=names,
        name=st.text(max_size=5),
        skills=st.dictionaries(st.sampled_from(worlds.SKILLS), st.integers(0, 5)),
        groups=st.lists(names, max_size=2).map(tuple),
        attributes=st.dictionaries(st.text(max_size=4), attribute_values, max_size=3),
        capacity=st.sampled_from([c.name for c in found] or ["default"]),
        wrap_up_ms=st.none() | st.integers(0, 10**6),
    )
    rules = []
    if tables:
        conditions = worlds.message_trees.map(worlds.source)
        rule = st.builds(
            TriageRule,
            queue=st.sampled_from([q.name for q in tables]),
            split=st.dictionaries(st.sampled_from([q.name for q in tables]), st.integers(1, 33)),
            when=st.none() | conditions,
            priority=st.none() | st.integers(0, 99),
            requirement=expressions,
            match_language=st.booleans(),
        )
        rules = draw(st.lists(rule, max_size=2))
    declared = [Skill(name, draw(st.integers(5, 10))) for name in worlds.SKILLS]
    return Plan(
        name=draw(names),
        queues=tables,
        skills=draw(st.sampled_from([[], declared])),
        capacities=found,
        agents=draw(st.lists(agent, max_size=2, unique_by=lambda a: a.id)),
        triage=rules,
        hours=opening,
        limits=draw(
            st.builds(
                Limits,
                dedupe_ms=milliseconds,
                max_lanes=counts,
                max_set_aside=counts,
                max_last_agents=counts,
            )
        ),
    )
