"""What an agent sees is what he could pick, in the order in which he would be offered it."""

import random

import pytest

import live
from omniroute import Agent, Capacity, Channel, Engine, InteractionState, Plan, Queue, Step
from omniroute import events as ev
from omniroute.engine.visible import parked_by, visible_to
from omniroute.plan import Accelerating, Access, Delivery, Strict

PULLED = {"delivery": Delivery.PUSH_AND_PULL}
PLAN = Plan(
    queues=[
        Queue(name="push"),
        Queue(name="first", tier=0, order=Accelerating(20_000, 150, 9), **PULLED),
        Queue(
            name="second",
            tier=1,
            ladder=[Step("de >= 5", for_ms=10_000), Step("de >= 1")],
            access=[Access("en >= 1", tier=0, after_ms=8_000)],
            order=Strict(),
            offers=2,
            delivery=Delivery.PULL,
        ),
    ],
    capacities=[Capacity(budget=2)],
)
AGENTS = [
    Agent(id="a", skills={"de": 7}),
    Agent(id="b", skills={"de": 2}),
    Agent(id="c", skills={"en": 3, "de": 9}),
]
HIDDEN = {ev.RejectReason.NOT_PULLED, ev.RejectReason.NOT_ELIGIBLE, ev.RejectReason.ILLEGAL_STATE}


def a_day(dice):
    """An engine after some wild minutes."""
    engine, now_ms = Engine(PLAN), 1_000
    for agent in AGENTS:
        engine.receive(ev.SignIn(agent, ready=dice.random() < 0.7), now_ms)
    for _ in range(40):
        now_ms += dice.choice([0, 700, 4_000])
        offer = dice.choice(list(engine._state.offers) or [0])
        queue = dice.choice(list(PLAN.queues))
        message = live.message(channel=dice.choice([Channel.CHAT, Channel.EMAIL]))
        one = dice.choice(list(engine._state.interactions) or ["i0"])
        agent = dice.choice(AGENTS).id
        commands = [
            *[ev.Submit(message, queue, dice.randrange(4))] * 6,
            ev.Accept(offer),
            ev.Decline(offer),
            ev.Complete(offer),
            ev.Park(offer),
            ev.Unpark(one),
            ev.SetReady(agent),
            ev.Pick(one, agent),
        ]
        engine.receive(dice.choice(commands), now_ms)
    return engine


def picked(engine, interaction_id, agent_id):
    """What a pick answers; the engine is as before."""
    copy = Engine.restore(PLAN, engine.snapshot())
    events = copy.receive(ev.Pick(interaction_id, agent_id), engine.now_ms)
    refused = [event.reason for event in events if isinstance(event, ev.CommandRejected)]
    return refused[0] if refused else None


@pytest.mark.parametrize("seed", range(12))
def test_it_is_seen_if_and_only_if_it_could_be_picked(seed):
    engine = a_day(random.Random(seed))
    pictures = engine.interactions()
    assert pictures
    for agent in AGENTS:
        engine.receive(ev.SetReady(agent.id), engine.now_ms)
        seen = {each.id for each in visible_to(engine, agent.id)}
        for each in engine.interactions():
            assert (each.id in seen) == (picked(engine, each.id, agent.id) not in HIDDEN)


@pytest.mark.parametrize("seed", range(12))
def test_they_stand_by_tier_then_what_nobody_has_an_offer_of_then_by_the_order(seed):
    engine = a_day(random.Random(seed))
    for agent in AGENTS:
        seen = visible_to(engine, agent.id)
        places = [(tier(agent, each), is_offered(each)) for each in seen]
        assert places == sorted(places)
        strict = [each for each in seen if each.queue == "second" and not is_offered(each)]
        assert strict == sorted(strict, key=lambda each: (-each.priority, each.enqueued_at_ms))
    assert visible_to(engine, "nobody") == []


def is_offered(each):
    return each.state is InteractionState.OFFERED


def tier(agent, each):
    return 1 if each.queue == "second" and not agent.skills.get("en") else 0


@pytest.mark.parametrize("seed", range(12))
def test_what_he_parked_is_his(seed):
    engine = a_day(random.Random(seed))
    parked = [each for each in engine.interactions() if each.state is InteractionState.PARKED]
    for agent in AGENTS:
        assert parked_by(engine, agent.id) == [e for e in parked if e.agent_id == agent.id]
