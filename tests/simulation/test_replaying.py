"""Recorded days: decided again byte for byte, and played again under another plan."""

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import UnknownNameError
from omniroute.journal import Entry
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Plan, Queue, ServiceLevel, WrapUp, WrapUpKind
from omniroute.simulation import (
    AgentGroup,
    CustomerKind,
    Exponential,
    Fate,
    Poisson,
    Scenario,
    Uniform,
    redecide,
    simulate,
    what_if,
)
from scenarios import HOUR, MINUTE, SCENARIOS


def recorded(scenario, **options):
    entries = []
    simulate(scenario, record=entries.append, **options)
    return entries


class Script:
    """An engine and the journal of what it is told."""

    def __init__(self, plan):
        self.engine = Engine(plan)
        self.entries = []

    def __call__(self, at_ms, command):
        events = self.engine.receive(command, at_ms)
        self.entries.append(Entry(command, at_ms, tuple(events)))
        return events


def call(**more):
    return ev.Submit(Message(channel=Channel.VOICE), queue="q", **more)


def agent(name="a", **skills):
    return Agent(id=name, skills=skills)


# --- the same plan ------------------------------------------------------------------------


@settings(max_examples=25)
@given(SCENARIOS, st.integers(0, 5))
def test_the_same_plan_decides_every_event_again(scenario, seed):
    entries = recorded(scenario, seed=seed)
    found = redecide(scenario.plan, entries)
    assert found.difference is None
    assert found.entries == len(entries)
    assert found.events == sum(len(entry.events) for entry in entries)


@settings(max_examples=30)
@given(st.data())
def test_the_first_changed_event_is_named_with_its_position(data):
    scenario = small()
    entries = recorded(scenario)
    number = data.draw(st.sampled_from([n for n, e in enumerate(entries) if e.events]))
    at = data.draw(st.integers(0, len(entries[number].events) - 1))
    events = list(entries[number].events)
    before = events[at]
    events[at] = msgspec.structs.replace(before, at_ms=before.at_ms + 1)
    changed = [*entries]
    changed[number] = msgspec.structs.replace(entries[number], events=tuple(events))
    found = redecide(scenario.plan, changed).difference
    assert (found.entry, found.now_ms) == (number + 1, entries[number].now_ms)
    assert found.seq == sum(len(e.events) for e in entries[:number]) + at + 1
    assert (found.recorded, found.decided) == (events[at], before)


def test_a_missing_and_a_superfluous_event_are_differences():
    scenario = small()
    entries = recorded(scenario)
    number = next(n for n, e in enumerate(entries) if len(e.events) > 1)
    whole = entries[number].events
    for events, seen in ((whole[:-1], (None, whole[-1])), ((*whole, whole[0]), (whole[0], None))):
        changed = [*entries]
        changed[number] = msgspec.structs.replace(entries[number], events=events)
        found = redecide(scenario.plan, changed).difference
        assert (found.recorded, found.decided) == seen


def test_equal_values_of_another_type_are_not_the_same_bytes():
    script = Script(Plan(queues=[Queue(name="q")]))
    message = Message(channel=Channel.VOICE, attributes={"vip": True})
    script(0, ev.Submit(message, queue="q"))
    (entry,) = script.entries
    other = msgspec.structs.replace(message, attributes={"vip": 1})
    events = (msgspec.structs.replace(entry.events[0], message=other),)
    assert events == entry.events
    found = redecide(script.engine.plan, [msgspec.structs.replace(entry, events=events)])
    assert found.difference.seq == 1


def test_a_plan_without_the_queue_refuses_the_command():
    script = Script(Plan(queues=[Queue(name="q")]))
    script(5, call())
    found = redecide(Plan(queues=[Queue(name="other")]), script.entries).difference
    assert "other" in found.refused
    assert (found.seq, found.entry, found.command, found.now_ms) == (1, 1, "submit", 5)
    assert "refused" in str(found)
    with pytest.raises(UnknownNameError):
        what_if(script.entries, Plan(queues=[Queue(name="other")]))


# --- another plan -------------------------------------------------------------------------


def small(**more):
    """A line with too few agents, who take their time to answer; nobody declines."""
    given = {
        "plan": Plan(
            queues=[
                Queue(
                    name="q",
                    offer_timeout_ms=30_000,
                    wrap_up=WrapUp(WrapUpKind.TIMED, 20_000),
                    service_level=ServiceLevel(percent=80, target_ms=20_000),
                )
            ]
        ),
        "customers": [
            CustomerKind(
                name="c",
                queue="q",
                arrivals=Poisson(60),
                handle=Exponential(3 * MINUTE),
                patience=Exponential(2 * MINUTE),
                wrap_up=Uniform(0, 30_000),
            )
        ],
        "groups": [
            AgentGroup(
                name="g",
                agents=[Agent(id=f"a{n}") for n in range(3)],
                answer_delay=Uniform(500, 4_000),
            )
        ],
        "duration_ms": 2 * HOUR,
        "interval_ms": HOUR,
    }
    return Scenario(**{**given, **more})


@pytest.mark.parametrize("seed", range(5))
def test_under_its_own_plan_a_day_without_refusals_comes_out_as_it_was(seed):
    scenario = small()
    found = what_if(recorded(scenario, seed=seed), scenario.plan)
    assert found.changes == ()
    assert found.counts["same"] == found.counts["interactions"] > 50
    assert found.before == found.after
    assert found.left_out == {}


def test_before_is_what_the_run_itself_counted():
    scenario = small(warm_up_ms=0)
    entries = []
    outcome = simulate(scenario, record=entries.append)
    row, total = what_if(entries, scenario.plan).before["q"], outcome.total
    for name in ("arrived", "accepted", "abandoned", "accepted_in_time", "abandoned_in_time"):
        assert getattr(row, name) == getattr(total, name), name
    for name in ("wait_ms", "wait2", "abandon_ms", "completed", "rejected"):
        assert getattr(row, name) == getattr(total, name), name
    assert row.service_level_offered == total.service_level_offered


@settings(max_examples=25)
@given(SCENARIOS, SCENARIOS, st.integers(0, 3))
def test_any_day_under_any_plan_adds_up_and_is_repeatable(scenario, other, seed):
    entries = recorded(scenario, seed=seed)
    plan = attrs.evolve(scenario.plan, queues=[*other.plan.queues.values()])
    if set(plan.queues) != set(scenario.plan.queues):
        return
    found = what_if(entries, plan)
    assert msgspec.json.encode(found) == msgspec.json.encode(what_if(iter(entries), plan))
    came = sum(isinstance(entry.command, ev.Submit) for entry in entries)
    for rows in (found.before, found.after):
        assert sum(row.arrived for row in rows.values()) <= came
    assert found.counts["same"] + len(found.changes) == found.counts["interactions"]


def test_more_agents_may_help_and_nobody_else_is_moved():
    """Who was barred from the queue before is let in: those who left are served."""
    closed = Plan(queues=[Queue(name="q", members="gold >= 1", offer_timeout_ms=60_000)])
    script = Script(closed)
    script(0, ev.SignIn(agent()))
    script(1_000, call())
    script(31_000, ev.Abandon("i1"))
    script(40_000, ev.Tick())
    open_to_all = Plan(queues=[Queue(name="q", offer_timeout_ms=60_000)])
    found = what_if(script.entries, open_to_all)
    (change,) = found.changes
    assert (change.before.fate, change.before.waited_ms) == (Fate.ABANDONED, 30_000)
    assert (change.after.fate, change.after.agent_id, change.after.waited_ms) == (
        Fate.SERVED,
        "a",
        0,
    )
    assert (found.counts["gained"], found.counts["lost"]) == (1, 0)
    assert found.before["q"].abandonment == 1
    assert found.after["q"].service_level_offered == 1


def test_handle_time_goes_with_the_interaction_and_wrap_up_with_the_plan():
    script = Script(Plan(queues=[Queue(name="q", wrap_up=WrapUp(WrapUpKind.TIMED, 10_000))]))
    script(0, ev.SignIn(agent()))
    script(1_000, call())
    script(3_000, ev.Accept(1))
    script(63_000, ev.Complete(1))
    script(67_000, ev.FinishWrapUp(1))
    script(90_000, ev.Tick())
    row = what_if(script.entries, script.engine.plan).after["q"]
    assert (row.wait_ms, row.handle_ms) == (2_000, 64_000)
    row = what_if(script.entries, Plan(queues=[Queue(name="q")])).after["q"]
    assert (row.wait_ms, row.handle_ms) == (2_000, 60_000)


def test_an_agent_who_leaves_finishes_first():
    script = Script(Plan(queues=[Queue(name="q"), Queue(name="slow")]))
    script(0, ev.SignIn(agent("b", fast=1)))
    script(10, call())
    script(10, ev.Accept(1))
    script(60_010, ev.Complete(1))
    script(60_011, ev.SignOut("b"))
    script(60_012, ev.SignIn(agent("b", fast=1)))
    script(60_013, call())
    script(60_014, ev.Abandon("i2"))
    script(60_020, ev.SignOut("b", "over"))
    script(130_000, ev.Tick())
    found = what_if(script.entries, script.engine.plan)
    assert [change.after for change in found.changes] == []
    late = Plan(queues=[Queue(name="q", wrap_up=WrapUp(WrapUpKind.FORCED, 5_000))])
    found = what_if(script.entries, late)
    assert found.after["q"].completed == 1
    assert found.after["q"].handle_ms == 65_000


def test_commands_from_above_and_open_threads_are_repeated():
    script = Script(Plan(queues=[Queue(name="q")]))
    thread = Message(channel=Channel.CHAT, thread_id="t", text="hello")
    script(0, ev.Submit(thread, queue="q"))
    script(1_000, ev.Submit(thread, queue="q"))
    script(2_000, ev.Reprioritize("i1", 5))
    script(3_000, ev.Cancel("i1"))
    script(4_000, ev.Submit(thread, queue="q"))
    script(9_000, ev.Tick())
    found = what_if(script.entries, script.engine.plan)
    assert found.changes == ()
    assert found.after["q"].cancelled == 1
    assert found.counts["interactions"] == 2


def test_what_is_not_repeated_is_counted():
    script = Script(Plan(queues=[Queue(name="q", offer_timeout_ms=5_000)]))
    script(0, ev.SignIn(agent("a")))
    script(1_000, call())
    script(20_000, ev.SetReady("a"))
    script(21_000, ev.Decline(2, "no"))
    found = what_if(script.entries, script.engine.plan)
    assert found.left_out == {"decline": 1, "declined": 1, "expired": 1}
