"""Time that passed while nobody could be offered anything: what is due ends, nothing begins."""

from collections import Counter

import pytest

from engine.cases import walk
from engine.naive import NaiveEngine
from omniroute import Agent, Channel, Customer, Limits, Message, OnExpiry, Plan, Queue, Step
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import UsageError
from omniroute.simulation import Auditor

AWAY = ev.Tick(unattended=True)
HOUR_MS = 3_600_000
MANY = Limits(max_waiting=1_000_000)


@pytest.mark.parametrize("seed", range(4_000, 4_040))
def test_it_is_decided_as_the_model_does_and_breaks_no_law(seed):
    plan, commands, _ = walk(seed, 120)
    engine, naive, auditor, follower = (
        Engine(plan),
        NaiveEngine(plan),
        Auditor(plan),
        Engine(plan),
    )
    for number, (command, moment_ms) in enumerate(commands):
        now_ms = max(engine.now_ms, moment_ms)
        if number % 7 == 0:
            now_ms += 500
        for given in (AWAY, command):
            try:
                events = engine.receive(given, now_ms)
            except UsageError:  # it was drawn in another world
                continue
            assert events == naive.receive(given, now_ms)
            auditor.audit(events)
            auditor.at_rest(now_ms)
            for event in events:
                follower.apply(event)
                if given is AWAY and isinstance(event, ev.Offered):
                    assert event.at_ms == now_ms
        assert naive.offerable() == []
    follower.pass_time(engine.now_ms)
    assert follower.snapshot() == engine.snapshot()


def centre(agents, waiting, **queue):
    """An engine at the moment when its router dies: all agents have an offer, others wait."""
    staff = [Agent(id=f"a{number}") for number in range(agents)]
    plan = Plan(queues=[Queue(name="q", max_waiting=1_000_000, **queue)], agents=staff, limits=MANY)
    engine = Engine(plan)
    for agent in staff:
        engine.receive(ev.SignIn(agent, ready=True), 0)
    for number in range(waiting):
        message = Message(channel=Channel.CHAT, customer=Customer(id=f"c{number}"))
        engine.receive(ev.Submit(message, "q"), 0)
    return engine


def counts(events):
    return dict(Counter(type(event) for event in events))


@pytest.mark.parametrize("hours", [1, 8, 24 * 30])
def test_ten_thousand_offers_end_once_however_long_it_took(hours):
    engine = centre(10_000, 11_000)
    events = engine.receive(AWAY, hours * HOUR_MS)
    assert counts(events) == {ev.Expired: 10_000, ev.BecameNotReady: 10_000}
    assert {event.at_ms for event in events} == {Queue(name="q").offer_timeout_ms}
    assert engine.statistics().waiting == 11_000


@pytest.mark.parametrize("hours", [1, 8, 24 * 30])
def test_nobody_is_worn_out_by_offers_that_nobody_heard(hours):
    """Ticked as if somebody had been there, all of them would have been offered too often."""
    engine = centre(100, 1_000, on_expiry=OnExpiry.NOTHING)
    events = engine.receive(AWAY, hours * HOUR_MS)
    assert counts(events) == {ev.Expired: 100, ev.Offered: 100}
    assert {event.at_ms for event in events[100:]} == {hours * HOUR_MS}
    assert [event.interaction_id for event in events[100:]] == [f"i{n}" for n in range(1, 101)]
    found = engine.statistics()
    assert (found.waiting, found.offered) == (900, 100)


def test_nobody_is_given_work_by_himself():
    engine = centre(1, 0, auto_accept=True)
    message = Message(channel=Channel.CHAT, customer=Customer(id="c"))
    engine.receive(ev.Submit(message, "q", start_at_ms=HOUR_MS), 1)
    events = engine.receive(AWAY, 8 * HOUR_MS)
    assert counts(events) == {ev.Started: 1, ev.Offered: 1, ev.Accepted: 1}
    assert [event.at_ms for event in events] == [HOUR_MS, 8 * HOUR_MS, 8 * HOUR_MS]


def test_ladders_and_ends_of_waiting_go_on_in_their_own_time():
    ladder = [Step("nobody >= 1", for_ms=1_000), Step("nobody >= 2", for_ms=5_000), Step()]
    engine = centre(1, 2, ladder=ladder, max_wait_ms=20_000)
    events = engine.receive(AWAY, 10_000)
    reached = [(event.at_ms, event.step) for event in events if isinstance(event, ev.StepReached)]
    assert reached == [(1_000, 1), (1_000, 1), (6_000, 2), (6_000, 2)]
    assert [event.at_ms for event in events if isinstance(event, ev.Offered)] == [10_000]
    events = engine.receive(AWAY, HOUR_MS)
    assert [event.at_ms for event in events if isinstance(event, ev.Cancelled)] == [20_000, 20_000]
