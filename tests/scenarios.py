"""Small random scenarios that use everything a scenario can say."""

from hypothesis import strategies as st

from omniroute.model import Agent
from omniroute.plan import (
    Accelerating,
    Access,
    Capacity,
    Limits,
    NewestFirst,
    OnExpiry,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    Step,
    Strategy,
    Strict,
    WrapUp,
    WrapUpKind,
)
from omniroute.simulation import (
    AgentGroup,
    Break,
    CustomerKind,
    Exponential,
    Lognormal,
    Next,
    Poisson,
    Retrial,
    Scenario,
    Shift,
)

MINUTE = 60_000
HOUR = 60 * MINUTE


@st.composite
def queues(draw, name):
    return Queue(
        name=name,
        order=draw(
            st.sampled_from(
                [Strict(), Queue(name="x").order, NewestFirst(), Accelerating(20_000, 150, 9)]
            )
        ),
        strategy=draw(st.sampled_from([s for s in Strategy if s is not Strategy.SCORED])),
        access=draw(st.sampled_from([(), (Access("blue >= 2", tier=1, after_ms=10_000),)])),
        share=draw(st.sampled_from([None, 2])),
        offers=(offers := draw(st.sampled_from([1, 1, 2]))),
        auto_accept=offers == 1 and draw(st.booleans()),
        ladder=draw(
            st.sampled_from([(), (Step(f"{name} >= 2", for_ms=20_000), Step(f"{name} >= 1"))])
        ),
        members=f"{name} >= 1",
        offer_timeout_ms=draw(st.sampled_from([5_000, 20_000])),
        on_expiry=draw(st.sampled_from(list(OnExpiry))),
        refusal=Refusal(draw(st.sampled_from(list(RefusalRule))), 30_000),
        wrap_up=WrapUp(draw(st.sampled_from(list(WrapUpKind))), 30_000),
        max_waiting=draw(st.sampled_from([3, 1_000])),
    )


@st.composite
def kinds(draw, name, others):
    spread = draw(st.sampled_from([Exponential(3 * MINUTE), Lognormal(2 * MINUTE, 1.2)]))
    return CustomerKind(
        name=name,
        channel=draw(st.sampled_from(["voice", "chat", "email"])),
        queue=draw(st.sampled_from(["red", "blue"])),
        arrivals=Poisson(draw(st.sampled_from([(20,), (60, 10)])), interval_ms=HOUR),
        handle=spread,
        priority=draw(st.sampled_from([None, 0, 3])),
        patience=draw(st.sampled_from([None, Exponential(2 * MINUTE)])),
        balk=draw(st.sampled_from([0.0, 0.3])),
        wrap_up=Exponential(20_000),
        retrial=draw(st.sampled_from([None, Retrial(0.5, Exponential(MINUTE), at_most=2)])),
        next=draw(st.sampled_from([(), (Next(others, 0.3, Exponential(30_000)),)])),
    )


@st.composite
def groups(draw, name):
    skills = draw(st.sampled_from([{"red": 2}, {"blue": 1}, {"red": 1, "blue": 2}]))
    count = draw(st.integers(1, 3))
    shift = Shift(10 * MINUTE, 100 * MINUTE, (Break(30 * MINUTE, 40 * MINUTE),))
    return AgentGroup(
        name=name,
        agents=[Agent(id=f"{name}-{n}", skills=skills, capacity="blend") for n in range(count)],
        shifts=draw(st.sampled_from([(), (shift,)])),
        answer_delay=draw(st.sampled_from([None, Exponential(4_000)])),
        decline=draw(st.sampled_from([0.0, 0.1])),
        no_answer=draw(st.sampled_from([0.0, 0.1])),
        pause=Exponential(MINUTE),
        handle=draw(st.sampled_from([{}, {"one": Exponential(MINUTE)}])),
        slow_down=draw(st.sampled_from([(), (1.0, 0.8, 0.6)])),
    )


PLANS = st.builds(
    lambda red, blue, budget: Plan(
        queues=[red, blue],
        capacities=[Capacity(name="blend", budget=budget, costs={"*": 1, "voice": budget})],
        limits=Limits(max_offers=5),
    ),
    queues("red"),
    queues("blue"),
    st.integers(1, 3),
)

SCENARIOS = st.builds(
    lambda plan, one, two, first, second, drain, warm, cv: Scenario(
        plan=plan,
        customers=[one, two],
        groups=[first, second],
        duration_ms=2 * HOUR,
        warm_up_ms=warm,
        drain=drain,
        cycle_ms=2 * HOUR,
        busyness_cv=cv,
    ),
    PLANS,
    kinds("one", "two"),
    kinds("two", "one"),
    groups("day"),
    groups("night"),
    st.booleans(),
    st.sampled_from([0, 20 * MINUTE]),
    st.sampled_from([0.0, 0.2]),
)
