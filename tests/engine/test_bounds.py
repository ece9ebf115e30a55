"""What is over is let go, what the plan forgot goes on, and refusals cost nobody anything."""

from __future__ import annotations

import gc

import pytest

from omniroute.engine import Engine
from omniroute.engine.records import InteractionRecord
from omniroute.engine.timers import Fifo
from omniroute.errors import PlanError, UnknownNameError
from omniroute.events import (
    Accept,
    Complete,
    Decline,
    Duplicate,
    Offered,
    OwnStep,
    Queued,
    Rejected,
    SignIn,
    Submit,
    Tick,
)
from omniroute.model import Agent, Channel, Customer, Message
from omniroute.plan import Capacity, Plan, Queue, Step

CHAT = Message(channel=Channel.CHAT)


def test_one_old_timer_does_not_keep_what_ended_behind_it() -> None:
    ladder = [Step("rare", for_ms=86_400_000), Step()]
    engine = Engine(Plan(queues=[Queue(name="q", ladder=ladder), Queue(name="e", ladder=ladder)]))
    engine.receive(Submit(CHAT, queue="q", requirement="rarer"), 0)
    engine.receive(SignIn(Agent(id="a", skills={"rare": 1})), 0)
    for number in range(2_000):
        offered = engine.receive(Submit(CHAT, queue="e"), number)[1]
        assert isinstance(offered, Offered)
        engine.receive(Accept(offered.offer_id), number)
        engine.receive(Complete(offered.offer_id), number)
    gc.collect()
    alive = sum(isinstance(found, InteractionRecord) for found in gc.get_objects())
    assert alive < 200


@pytest.mark.parametrize("own", ["steps", "max_wait_ms"])
def test_durations_of_an_interactions_own_leave_nothing(own: str) -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    engine.receive(SignIn(Agent(id="a")), 0)
    for number in range(2_000):
        given_ms = 86_400_000 + number
        steps = (OwnStep('agent == "a"', for_ms=given_ms),) if own == "steps" else ()
        max_wait_ms = None if steps else given_ms
        submit = Submit(CHAT, queue="q", steps=steps, max_wait_ms=max_wait_ms)
        offered = engine.receive(submit, number)[1]
        assert isinstance(offered, Offered)
        engine.receive(Accept(offered.offer_id), number)
        engine.receive(Complete(offered.offer_id), number)
    gc.collect()
    found = gc.get_objects()
    assert sum(isinstance(each, InteractionRecord) for each in found) < 200
    assert sum(isinstance(each, Fifo) for each in found) < 200


def test_a_queue_that_the_plan_has_no_more_keeps_its_work() -> None:
    old = Engine(Plan(queues=[Queue(name="a"), Queue(name="b", ladder=[Step("x")])]))
    events = old.receive(Submit(CHAT, queue="b"), 1)
    new = Engine(Plan(queues=[Queue(name="a")]))
    for event in events:
        new.apply(event)
    assert Engine.restore(Plan(queues=[Queue(name="a")]), old.snapshot()).snapshot()
    with pytest.raises(UnknownNameError, match="unknown queue 'b'"):
        new.receive(Submit(CHAT, queue="b"), 2)
    new.receive(SignIn(Agent(id="anna")), 3)
    assert isinstance(new.receive(Accept(1), 4)[0].at_ms, int)
    assert new.statistics().queues["b"].total.accepted == 1


def test_a_capacity_that_the_plan_has_no_more_is_named() -> None:
    plan = Plan(queues=[Queue(name="q")], capacities=[Capacity(), Capacity(name="big", budget=9)])
    old = Engine(plan)
    events = old.receive(SignIn(Agent(id="anna", capacity="big")), 1)
    with pytest.raises(PlanError, match="'anna' of the journal has the capacity 'big'"):
        Engine(Plan(queues=[Queue(name="q")])).apply(events[0])


def test_a_rejected_message_may_come_again() -> None:
    engine = Engine(Plan(queues=[Queue(name="q", max_waiting=1)]))
    engine.receive(Submit(CHAT, queue="q"), 1)
    again = Submit(Message(channel=Channel.CHAT, message_id="m"), queue="q")
    assert isinstance(engine.receive(again, 2)[0], Rejected)
    engine.receive(SignIn(Agent(id="a")), 3)
    engine.receive(Accept(1), 3)
    assert isinstance(engine.receive(again, 4)[0], Queued)


def test_what_an_agent_declined_stands_in_lanes_that_are_not_his() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    engine.receive(SignIn(Agent(id="picky")), 0)
    for number in range(1, 301):
        engine.receive(Submit(CHAT, queue="q"), number)
        engine.receive(Decline(number), number)
    engine.receive(Tick(), 400)
    market = engine._state.market
    assert sorted(len(lane) for lane in market.lanes.values()) == [0, 300]
    (row,) = engine._state.agents["picky"].profile.rows
    served = set(row.indexes((1 << 40) - 1))
    assert [len(lane) for lane in market.lanes.values() if lane.index in served] == [0]
    engine.receive(SignIn(Agent(id="anna")), 401)
    assert engine.interaction("i1").agent_id == "anna"  # type: ignore[union-attr]


def test_an_unknown_id_tells_no_other_ids() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    engine.receive(Submit(CHAT, queue="q", interaction_id="secret-1"), 0)
    with pytest.raises(UnknownNameError) as caught:
        engine.explain("secret-2")
    assert "secret-1" not in str(caught.value)
    assert caught.value.allowed == ()


def test_two_senders_of_mail_may_use_the_same_id() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))

    def mail(sender: str) -> Submit:
        customer = Customer(id=sender)
        return Submit(Message(channel=Channel.EMAIL, customer=customer, message_id="1@a"), "q")

    assert isinstance(engine.receive(mail("a@a.org"), 1)[0], Queued)
    assert isinstance(engine.receive(mail("b@b.org"), 2)[0], Queued)
    assert isinstance(engine.receive(mail("a@a.org"), 3)[0], Duplicate)
    assert isinstance(Engine.restore(engine.plan, engine.snapshot()), Engine)
