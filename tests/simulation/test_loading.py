"""Scenarios in TOML: every key is read, every fault is named with its place."""

import pytest

from omniroute.errors import PlanError, UnknownNameError
from omniroute.model import Agent, Channel
from omniroute.plan import Plan, Queue
from omniroute.simulation import (
    AgentGroup,
    Break,
    ByTime,
    CustomerKind,
    Deterministic,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Logged,
    Lognormal,
    Mixture,
    Next,
    Poisson,
    Renewal,
    Retrial,
    Scenario,
    Shift,
    Uniform,
    Weibull,
    load,
    loads,
    simulate,
)

PLAN = Plan(queues=[Queue(name="sales")], agents=[Agent(id="eva"), Agent(id="ole")])

WHOLE = """
[scenario]
name = "a day"
duration_s = 36000
warm_up_s = 600
drain = true
cycle_s = 36000
interval_s = 3600
busyness_cv = 0.1

[customers.calls]
channel = "voice"
queue = "sales"
to = "+41445550100"
subject = "hello"
language = "de"
attributes = { vip = true }
priority = 3
requirement = "skills.x >= 1 or true"
arrivals = { per_hour = [100, 50.5], interval_s = 1800 }
handle_s = { lognormal = { mean = 180, cv = 1.2 } }
patience_s = { exponential = 120 }
balk = 0.1
wrap_up_s = 20
retrial = { probability = 0.5, delay_s = { uniform = [60, 120] }, at_most = 2 }
next = [{ customers = "video", probability = 0.2, delay_s = 1.5 }]

[customers.video]
channel = "video"
queue = "sales"
handle_s = { by_time = [{ from = 0, exponential = 60 }, { from = "01:30", deterministic = 5 }] }

[groups.desk]
agents = ["eva", "ole"]
shifts = [{ from = "00:30", to = "08:00", breaks = [{ from = "02:00", to = "02:15" }] }]
answer_delay_s = 3
decline = 0.05
no_answer = 0.02
pause_s = 90
handle_s = { calls = { exponential = 100 } }
slow_down = [1.0, 0.8]

[groups.extra]
count = 2
skills = { x = 5 }
"""


def test_every_key_is_read():
    text = WHOLE.replace('requirement = "skills.x >= 1 or true"', 'requirement = "x >= 1"')
    minute = 60_000
    assert loads(text, plan=PLAN) == Scenario(
        plan=PLAN,
        name="a day",
        duration_ms=36_000_000,
        warm_up_ms=600_000,
        drain=True,
        cycle_ms=36_000_000,
        interval_ms=3_600_000,
        busyness_cv=0.1,
        customers=[
            CustomerKind(
                name="calls",
                channel=Channel.VOICE,
                queue="sales",
                to="+41445550100",
                subject="hello",
                language="de",
                attributes={"vip": True},
                priority=3,
                requirement="x >= 1",
                arrivals=Poisson((100, 50.5), 1_800_000),
                handle=Lognormal(180_000, 1.2),
                patience=Exponential(120_000),
                balk=0.1,
                wrap_up=Deterministic(20_000),
                retrial=Retrial(0.5, Uniform(60_000, 120_000), 2),
                next=[Next("video", 0.2, Deterministic(1_500))],
            ),
            CustomerKind(
                name="video",
                channel=Channel.VIDEO,
                queue="sales",
                handle=ByTime((0, 90 * minute), (Exponential(60_000), Deterministic(5_000))),
            ),
        ],
        groups=[
            AgentGroup(
                name="desk",
                agents=["eva", "ole"],
                shifts=[
                    Shift(30 * minute, 480 * minute, (Break(120 * minute, 135 * minute),)),
                ],
                answer_delay=Deterministic(3_000),
                decline=0.05,
                no_answer=0.02,
                pause=Deterministic(90_000),
                handle={"calls": Exponential(100_000)},
                slow_down=(1.0, 0.8),
            ),
            AgentGroup(
                name="extra",
                agents=[Agent(id=f"extra-{n}", groups=("extra",), skills={"x": 5}) for n in (1, 2)],
            ),
        ],
    )


KINDS = [
    ("60", Deterministic(60_000)),
    ("{ deterministic = 0.25 }", Deterministic(250)),
    ("{ exponential = 180 }", Exponential(180_000)),
    ("{ erlang = { mean = 2, phases = 3 } }", Erlang(2_000, 3)),
    ("{ gamma = { mean = 2, shape = 0.5 } }", Gamma(2_000, 0.5)),
    ("{ weibull = { mean = 2, shape = 0.5 } }", Weibull(2_000, 0.5)),
    ("{ uniform = [1, 2] }", Uniform(1_000, 2_000)),
    ("{ empirical = [1, 2] }", Empirical((1_000, 2_000))),
    (
        "{ empirical = { values = [1, 2], weights = [3, 1] } }",
        Empirical((1_000, 2_000), (3, 1)),
    ),
    (
        "{ mixture = [{ weight = 3, exponential = 1 }, { deterministic = 2 }] }",
        Mixture((Exponential(1_000), Deterministic(2_000)), (3, 1)),
    ),
]


def customers(body):
    return f"[customers.c]\nqueue = 'sales'\n{body}\n[groups.g]\nagents = ['eva']\n"


@pytest.mark.parametrize(("text", "value"), KINDS)
def test_a_distribution(text, value):
    found = loads(customers(f"handle_s = {text}"), plan=PLAN)
    assert found.customers["c"].handle == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{ per_hour = 60 }", Poisson(60)),
        ("{ every_s = { exponential = 5 } }", Renewal(Exponential(5_000))),
        ("{ at_s = [1, 2.5] }", Logged((1_000, 2_500))),
    ],
)
def test_arrivals(text, value):
    found = loads(customers(f"handle_s = 1\narrivals = {text}"), plan=PLAN)
    assert found.customers["c"].arrivals == value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("handel_s = 1", ["customers.c", "did you mean 'handle_s'"]),
        ("priority = 1", ["the key 'handle_s' is missing"]),
        ("handle_s = { exponental = 1 }", ["customers.c.handle_s", "did you mean 'exponential'"]),
        ("handle_s = { exponential = -1 }", ["customers.c.handle_s", "at least 0"]),
        ("handle_s = { exponential = 1, uniform = [1, 2] }", ["exactly one key"]),
        ("handle_s = { uniform = [1] }", ["[low, high]"]),
        ("handle_s = 'x'", ["must be a number"]),
        ("handle_s = 1\nchannel = 'voise'", ["did you mean 'voice'"]),
        ("handle_s = 1\nqueue2 = 'x'", ["'queue'"]),
        ("handle_s = 1\narrivals = { per_our = 1 }", ["did you mean 'per_hour'"]),
        ("handle_s = 1\narrivals = { per_hour = 0 }", ["arrivals"]),
        ("handle_s = 1\nbalk = 2", ["customers.c.balk", "share between 0 and 1"]),
        ("handle_s = 1\nnext = [{ customers = 'd' }]", ["unknown customers 'd'"]),
        ("handle_s = { by_time = [{ exponential = 1 }] }", ["'from' is missing"]),
        ("handle_s = { by_time = [{ from = 'x', exponential = 1 }] }", ["08:30"]),
    ],
)
def test_a_fault_names_its_place(body, words):
    with pytest.raises((PlanError, UnknownNameError)) as error:
        loads(customers(body), "file.toml", plan=PLAN)
    assert all(word in str(error.value) for word in ["file.toml", *words]), error.value


def test_faults_are_found_in_one_go():
    with pytest.raises(PlanError) as error:
        loads(customers("balk = 2") + "[groups.h]\nshift = []\n[scenaro]\n", plan=PLAN)
    assert len(error.value.faults) == 4


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("count = 0", "at least 1"),
        ("agents = ['eva']\ncount = 2", "only their ids"),
        ("agents = ['eve']", "did you mean 'eva'"),
        ("count = 1\nshifts = [{ from = '09:00', to = '08:00' }]", "to a later one"),
    ],
)
def test_a_group_that_makes_no_sense(group, words):
    text = f"[customers.c]\nqueue = 'sales'\nhandle_s = 1\n[groups.g]\n{group}\n"
    with pytest.raises((PlanError, UnknownNameError), match=words):
        loads(text, plan=PLAN)


def test_a_file_finds_its_plan_beside_it(tmp_path):
    (tmp_path / "plan.toml").write_text("[queues.sales]\n[[agents]]\nid = 'eva'\n", "utf-8")
    path = tmp_path / "day.toml"
    text = customers("handle_s = 60\narrivals = { per_hour = 30 }")
    path.write_text('[scenario]\nplan = "plan.toml"\nduration_s = 3600\n' + text, "utf-8")
    outcome = simulate(load(path))
    assert outcome.total.completed > 5
    assert simulate(load(path, plan=PLAN)).total == outcome.total
    path.write_text(text, "utf-8")
    with pytest.raises(PlanError, match="'plan' is missing"):
        load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(PlanError, match="not UTF-8"):
        load(path)
    with pytest.raises(PlanError, match="not valid TOML"):
        loads("[")
