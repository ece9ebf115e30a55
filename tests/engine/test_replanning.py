"""Another plan at run time: nothing is lost, replay and restore agree, the preview tells the truth."""

from __future__ import annotations

import random

import pytest

from engine.cases import draw_plan, walk
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import ExpressionError, PlanError, UnknownNameError
from omniroute.model import Agent, Channel, Customer, InteractionState, Message
from omniroute.plan import Capacity, Plan, Queue, Step, dumps

OPEN = (InteractionState.WAITING, InteractionState.OFFERED)


def message(text: str = "hello") -> Message:
    return Message(channel=Channel.VOICE, customer=Customer(id=text))


def submit(engine: Engine, name: str, queue: str = "a", at_ms: int = 0) -> list[ev.Event]:
    return engine.receive(ev.Submit(message(name), queue, interaction_id=name), at_ms)


def changed(engine: Engine, plan: Plan, at_ms: int, **how: object) -> list[ev.Event]:
    moves = tuple(how.pop("moves", {}).items())
    return engine.receive(ev.ChangePlan(dumps(plan), moves=moves, **how), at_ms)


@pytest.mark.parametrize("seed", range(60))
def test_any_plan_may_follow_any_other(seed):
    plan, commands, _ = walk(5_000 + seed, 120)
    engine, events, now_ms = Engine(plan), [], 0
    for command, now_ms in commands:
        events += engine.receive(command, now_ms)
    dice = random.Random(seed)
    other = draw_plan(dice.choice)
    before = {i.id: i for i in engine.interactions()}
    how = {
        "to_waiting": dice.random() < 0.5,
        "moves": {
            name: next(iter(other.queues)) for name in engine.plan.queues if dice.random() < 0.3
        },
    }
    preview = engine.preview(other, **how)
    batch = changed(engine, other, now_ms, **how)
    assert preview.events == tuple(batch)
    assert isinstance(batch[0], ev.PlanChanged)
    ended = {e.interaction_id for e in batch if isinstance(e, ev.Cancelled)}
    assert before.keys() - ended == {i.id for i in engine.interactions()}
    events += batch
    for step_ms in (1, 5, 20, 100, 1_000):
        now_ms += step_ms
        events += engine.receive(ev.Tick(), now_ms)
    follower = Engine(plan)
    for event in events:
        follower.apply(event)
    follower.receive(ev.Tick(), now_ms)
    assert follower.snapshot() == engine.snapshot()
    assert Engine.restore(plan, engine.snapshot()).snapshot() == engine.snapshot()
    assert engine.plan == other


def test_what_waits_goes_on_or_begins_anew_as_the_publisher_says():
    old = Plan(queues=[Queue(name="a", ladder=[Step("x", for_ms=1_000), Step("y")])])
    new = Plan(queues=[Queue(name="a", ladder=[Step("z", for_ms=500), Step("y")])])
    for to_waiting, step, ends_ms in ((False, 0, 1_000), (True, 0, 1_100)):
        engine = Engine(old)
        submit(engine, "one")
        changed(engine, new, 600, to_waiting=to_waiting)
        explained = engine.explain("one")
        assert (explained.step, explained.requirement) == (step, "z")
        assert explained.next_step_at_ms == ends_ms


def test_a_queue_that_goes_leaves_nothing_behind():
    old, new = Plan(queues=[Queue(name="a"), Queue(name="b")]), Plan(queues=[Queue(name="b")])
    engine = Engine(old)
    submit(engine, "one")
    assert engine.preview(new).orphaned == ("a",)
    assert engine.preview(new, moves={"a": "b"}).moved == (("one", "b"),)
    changed(engine, new, 1, moves={"a": "b"})
    assert engine.interaction("one").queue == "b"
    engine = Engine(old)
    submit(engine, "one")
    changed(engine, new, 1)
    batch = engine.receive(ev.SignIn(Agent(id="ann")), 2)
    assert [e.interaction_id for e in batch if isinstance(e, ev.Offered)] == ["one"]


def test_agents_who_may_take_work_only_now_get_it_at_once():
    engine = Engine(Plan(queues=[Queue(name="a", members="x")]))
    engine.receive(ev.SignIn(Agent(id="ann")), 0)
    submit(engine, "one")
    batch = changed(engine, Plan(queues=[Queue(name="a")]), 1)
    assert [type(e).__name__ for e in batch] == ["PlanChanged", "Offered"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[queues", PlanError),
        ("[queues.a]\nmembers='x >'\n", ExpressionError),
        ("[capacities.other]\n[queues.a]\n", UnknownNameError),
        ("", PlanError),
    ],
)
def test_a_plan_that_cannot_take_over_changes_nothing(text, error):
    engine = Engine(Plan(queues=[Queue(name="a")], capacities=[Capacity()]))
    engine.receive(ev.SignIn(Agent(id="ann")), 0)
    before = engine.snapshot()
    with pytest.raises(error):
        engine.receive(ev.ChangePlan(text), 5)
    assert engine.snapshot() == before
