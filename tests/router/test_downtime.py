"""The router was down, or its process stood still: what was due has ended, nothing was missed."""

import pytest

import live
from omniroute import Agent, MemoryJournal, OnExpiry, Plan, Queue
from omniroute import events as ev

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000
AGENTS = [Agent(id=f"a{number}") for number in range(5)]
PLAN = Plan(
    queues=[Queue(name="support", on_expiry=OnExpiry.NOTHING, offer_timeout_ms=10_000)],
    agents=AGENTS,
)


class Clock:
    now_ms = 1_000

    def __call__(self):
        return self.now_ms


async def fill(router):
    """Everybody has an offer; as many wait again."""
    for agent in AGENTS:
        await router.send(ev.SignIn(agent, ready=True))
    for _ in range(2 * len(AGENTS)):
        await router.submit(live.message(), queue="support")


def facts(events):
    return [
        (event.at_ms, event.interaction_id)
        for event in events
        if isinstance(event, ev.Offered | ev.Cancelled)
    ]


HELD_OUT = [(HOUR_MS, f"i{number}") for number in range(1, 6)]


async def test_after_an_hour_down_each_offer_has_ended_once_and_the_first_are_offered_again():
    journal, clock = MemoryJournal(), Clock()
    async with live.router(journal, plan=PLAN, clock=clock) as router:
        await fill(router)
        held = [event.offer_id for event in live.events(journal) if isinstance(event, ev.Offered)]
    before = len(live.events(journal))
    clock.now_ms = HOUR_MS
    async with live.router(journal, plan=PLAN, clock=clock) as router:
        await live.settle()
        statistics = router.statistics()
        state = router._engine.snapshot()
    assert (statistics.waiting, statistics.offered) == (5, 5)
    after = live.events(journal)[before:]
    expired = [event for event in after if isinstance(event, ev.Expired)]
    assert sorted(event.offer_id for event in expired) == sorted(held)
    assert {event.at_ms for event in expired} == {11_000}, "at its own deadline"
    assert facts(after) == HELD_OUT, "in their old places, and not before now"
    async with live.router(journal, plan=PLAN, clock=clock) as router:
        assert router._engine.snapshot() == state


@pytest.mark.parametrize("first", ["the alarm", "a message", "an answer"])
async def test_whatever_comes_first_after_a_standstill(first):
    journal, clock = MemoryJournal(), Clock()
    async with live.router(journal, plan=PLAN, clock=clock) as router:
        await fill(router)
        before = len(live.events(journal))
        clock.now_ms = HOUR_MS
        if first == "a message":
            await router.submit(live.message(), queue="support")
        elif first == "an answer":
            (late,) = await router.send(ev.Accept(1))
            assert isinstance(late, ev.CommandRejected)
        else:
            await router.send(ev.Tick())
        after = live.events(journal)[before:]
    assert facts(after) == HELD_OUT


async def test_a_second_is_no_standstill():
    """A busy loop is late by some milliseconds: then nothing is as if nobody had been there."""
    journal, clock = MemoryJournal(), Clock()
    async with live.router(journal, plan=PLAN, clock=clock) as router:
        await fill(router)
        clock.now_ms = 11_000 + 1_000
        await router.send(ev.Tick())
        commands = [entry.command for frame in journal.frames for entry in frame.entries]
    assert ev.Tick(unattended=True) not in commands
