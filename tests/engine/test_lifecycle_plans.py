"""What docs/explanation/semantics.md says of another plan and of forgetting a customer.

As `test_lifecycle`, whose helpers these tables use: each case runs on the engine and on the model.
"""

from __future__ import annotations

import pytest

from engine.naive import NaiveEngine
from engine.test_lifecycle import CHAT, VOICE, ann, ask, bob, one, run, short, two
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.engine.customers import channel_key, interaction_key
from omniroute.errors import OmnirouteError
from omniroute.model import Agent, Customer, Message
from omniroute.plan import (
    Accelerating,
    Access,
    Capacity,
    HeadStart,
    LastAgent,
    Limits,
    Overflow,
    Plan,
    Queue,
    Refusal,
    SenderRate,
    Step,
    WrapUp,
    dumps,
)


def to(plan, *, to_waiting=False, **moves):
    return ev.ChangePlan(dumps(plan), to_waiting, tuple(moves.items()))


def told(engine, given):
    """The events of the last command, the text of plans left out."""
    events, _ = run(engine, given)
    return ["plan_changed" if isinstance(e, ev.PlanChanged) else short(e) for e in events]


def rated(most, **rate):
    return Plan(queues=[Queue(name="q")], sender_rate=SenderRate(maxima={"*": most}, **rate))


def limited(**limits):
    return Plan(queues=[Queue(name="q", offer_timeout_ms=100)], limits=Limits(**limits))


ONE, TWO_STEPS = one(), {"ladder": [Step("x", for_ms=50), Step("y")]}
THREE = {"ladder": [Step("x", for_ms=50), Step("x", for_ms=50), Step("y")]}
DELAYED = {"access": [Access("x"), Access(after_ms=30), Access("y", after_ms=50)]}
LATER = {"access": [Access("x", after_ms=10), Access(after_ms=30)]}
AGAIN, NEVER = {"refusal": Refusal("all_declined")}, {"refusal": Refusal("never_again")}
IN_A_WHILE, OPTIONAL = {"refusal": Refusal("after", 50)}, {"wrap_up": WrapUp("optional")}
FORCED = {"wrap_up": WrapUp("forced", 50)}
JANE = Customer(id="jane")
JANES = ask(channel=CHAT, customer=JANE)
STICKY = one(last_agent=LastAgent(within_ms=10_000, for_ms=10))

# name, plan, given, when, then
PLANS = [
    ("a step keeps the end that was set for it", one(**TWO_STEPS),
     (ask(), to(one(ladder=[Step("x", for_ms=10), Step("y")]))), (50, ev.Tick()), ["50 step_reached i1 1"]),
    ("one that had no end begins with the change", ONE, (ask(), (20, to(one(**TWO_STEPS)))),
     (70, ev.Tick()), ["70 step_reached i1 1"]),
    ("also while an agent has it", ONE,
     (ann(x=1), ask(), ev.Accept(1), to(one(**TWO_STEPS)), (53, ev.Requeue(1))), (54, ev.Tick()), []),
    ("and it has ended when it comes back", one(**AGAIN),
     (ann(x=1), ask(), ev.Accept(1), to(one(**TWO_STEPS, **AGAIN))), (53, ev.Requeue(1)),
     ["53 requeued 1 i1 ann -1", "53 step_reached i1 1", "53 refusals_reset i1"]),
    ("by its age, if the step says so", ONE,
     (ask(), (20, to(one(ladder=[Step("x", until_ms=60), Step("y")])))), (60, ev.Tick()), ["60 step_reached i1 1"]),
    ("which may have come already", ONE,
     (ask(),), (80, to(one(ladder=[Step("x", until_ms=60), Step("x", until_ms=70), Step("y")]))),
     ["plan_changed", "80 step_reached i1 2"]),
    ("the last step has no end", one(**THREE), (ask(), to(one(**TWO_STEPS)), (55, to(ONE))), (100, ev.Tick()), []),
    ("and none if it is the last again", one(**TWO_STEPS), (ask(), to(ONE), to(one(**TWO_STEPS))),
     (52, ev.Tick()), ["52 step_reached i1 1"]),
    ("a queue opens by the new plan", ONE, (bob(), (1, ask(requirement="not agent == 'bob' or y < 1")),
     ev.Decline(1), to(one(**DELAYED))), (31, ev.Tick()), ["31 access_widened i1 1"]),
    ("what has passed by it at once", one(members="y"), (bob(), (1, ask())), (61, to(one(**DELAYED))),
     ["plan_changed", "61 access_widened i1 1", "61 offered 1 i1 bob 161"]),
    ("openings never go back", one(**DELAYED), (ask(), (50, ev.Tick()), bob(z=1)), (60, to(one(access=[Access(after_ms=500)]))),
     ["plan_changed"]),
    ("an own step without an end stays so", ONE,
     (ev.Submit(Message(channel=VOICE), "q", steps=(ev.OwnStep("x"),)), to(one(**TWO_STEPS))), (90, ann(y=1)),
     ["90 signed_in ann", "90 became_ready ann"]),
    ("all who are asked now have refused", one(members="x or y", **AGAIN),
     (ann(x=1), bob(y=1), ev.SetNotReady("bob"), ask(), ev.Decline(1)), to(one(members="x", **AGAIN)),
     ["plan_changed", "5 refusals_reset i1", "5 offered 2 i1 ann 105"]),
    ("or by the new rule", one(**NEVER), (ann(), ask(), ev.Decline(1)), to(one(**AGAIN)),
     ["plan_changed", "3 refusals_reset i1", "3 offered 2 i1 ann 103"]),
    ("which may send it elsewhere", two(NEVER), (ann(), ask(), ev.Decline(1)),
     to(two({"refusal": Refusal("all_declined", overflow=Overflow(queue="r"))})),
     ["plan_changed", "3 moved i1 r 0", "3 offered 2 i1 ann 20003"]),
    ("a refusal for good is none where it would be for a time", one(**NEVER), (ann(), ask(), ev.Decline(1)),
     to(one(**IN_A_WHILE)), ["plan_changed", "3 offered 2 i1 ann 103"]),
    ("one for a time keeps its end", one(**IN_A_WHILE), (ann(), ask(), ev.Decline(1), to(one(**NEVER))),
     (52, ev.Tick()), ["52 refusals_reset i1 ann", "52 offered 2 i1 ann 152"]),
    ("a wrap-up without an end may be ended", one(**OPTIONAL),
     (ann(), ask(), ev.Accept(1), ev.Complete(1), to(one(**FORCED))), ev.FinishWrapUp(1),
     ["5 completed 1 i1 ann"]),
    ("a forced one lasts where it is forced no more", one(**FORCED),
     (ann(), ask(), ev.Accept(1), ev.Complete(1), to(one(**OPTIONAL))), (53, ev.Tick()),
     ["53 completed 1 i1 ann"]),
    ("it is extended as it began", one(wrap_up=WrapUp("timed", 50, max_extension_ms=20)),
     (ann(), ask(), ev.Accept(1), ev.Complete(1), to(one(**FORCED))), ev.ExtendWrapUp(1, 20),
     ["5 wrap_up_extended 1 i1 73"]),
    ("shares begin anew", two({"share": 1}, {"share": 1}),
     (ann(), ask(), ev.Cancel("i1"), ev.SetNotReady("ann"), ask(), ask("r"), to(two({"share": 1}, {"share": 1}))),
     ev.SetReady("ann"), ["7 became_ready ann", "7 offered 2 i2 ann 20007", "7 offered 3 i3 ann 20007"]),
    ("who is over the rate is not where there is none", rated(1),
     (JANES, JANES, to(rated(0))), JANES, ["3 queued i3 3 q 0"]),
    ("and begins anew when there is one again", rated(1), (JANES, to(rated(0)), to(rated(1))),
     JANES, ["3 queued i2 2 q 0"]),
    ("a window that was over stays over", rated(1, window_ms=10), (JANES, (20, to(rated(1)))),
     JANES, ["21 queued i2 2 q 0"]),
    ("a running one ends by the new plan", rated(1), (JANES, to(rated(1, window_ms=10))),
     (10, JANES), ["10 queued i2 2 q 0"]),
    ("a repeat that was none any more stays new", limited(dedupe_ms=10), (ask(message_id="m"), (11, to(ONE))),
     ask(message_id="m"), ["12 queued i2 2 q 0"]),
    ("the oldest ids go", ONE, (ask(message_id="m"), ask(message_id="n"), to(limited(max_dedupe_keys=1))),
     ask(message_id="m"), ["3 queued i3 3 q 0"]),
    ("last agents are remembered while a queue asks", STICKY,
     (ann(), ask(customer=JANE), ev.Accept(1), ev.Complete(1), to(ONE), to(STICKY)), ask(customer=JANE),
     ["6 queued i2 2 q 0", "6 offered 2 i2 ann 106"]),
    ("one drained stays so", ONE, (ev.Drain("q"), to(one(priority=3))), ask(),
     ["2 rejected i1 queue_draining q"]),
    ("also when it was gone for a while", two(), (ev.Drain("r"), to(one()), to(two())), ask("r"),
     ["3 rejected i1 queue_draining r"]),
    ("a limit that shrinks sends nobody away", ONE, (ann(), bob(), ask(), ask(), ask(), ask()),
     to(limited(max_agents=1, max_waiting=1)), ["plan_changed"]),
    ("what is over the new capacity stays", one(Capacity(budget=2)), (ann(), ask(), ask()), to(ONE), ["plan_changed"]),
    ("and he is offered nothing before it is gone", one(Capacity(budget=2)), (ann(), ask(), ask(), ask(), to(ONE)),
     ev.Cancel("i1"), ["5 revoked 1 i1 ann cancelled", "5 cancelled i1"]),
    ("moved where another has gone", two(), (ask(), ask("r"), ann()), to(one(), r="q"),
     ["plan_changed", "3 revoked 2 i2 ann moved", "3 moved i2 q 0"]),
    ("what is moved is not looked at before", one(**AGAIN), (ask(),),
     (80, to(one(ladder=[Step("x", until_ms=60), Step("y")]), to_waiting=True)),
     ["plan_changed", "80 moved i1 q 0", "80 step_reached i1 1"]),
]  # fmt: skip


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(
    ("plan", "given", "when", "then"), [pytest.param(*case, id=name) for name, *case in PLANS]
)
def test_given_when_then(make, plan, given, when, then):
    assert told(make(plan), [*given, when]) == then


def said(who="", thread=None, **fields):
    return ask(channel=CHAT, customer=Customer(id=who), thread_id=thread, text="hello", **fields)


def erase(*who, named=None):
    return ev.EraseCustomer(tuple(channel_key(CHAT, each) for each in who), named)


ASKED = (ann(x=1), said(), ev.Accept(1), ev.Consult(1))

# name, given, who is forgotten, what is redacted
ERASED = [
    ("all that he wrote", (said("jane", "t"), said("bob", "t"), said("jane", "t"), said("jane")), erase("jane"),
     [("i1", (0, 2)), ("i2", (0,))]),
    ("and what nobody else did", (said("jane", "t"), said("", "t"), said("bob", "t")), erase("bob"),
     [("i1", (1, 2))]),
    ("whoever is in an interaction", (said("jane", "t"), said("bob", "t"), said("bob")), erase(named="i1"),
     [("i1", (0, 1)), ("i2", (0,))]),
    ("who is withheld in it alone", (said(), said()), erase(named="i2"), [("i2", (0,))]),
    ("what was asked about it too", ASKED, erase(named="i1"), [("i1", (0,)), ("i2", (0,))]),
    ("whichever of them is named", ASKED, erase(named="i2"), [("i1", (0,)), ("i2", (0,))]),
    ("also when the first is over", (*ASKED, bob(), ev.Accept(2), ev.Complete(1)), erase(named="i1"), [("i2", (0,))]),
    ("all that was opened from it", (*ASKED, ev.Escalate(1, CHAT), bob(), ev.Accept(3), ev.Complete(1)),
     erase(named="i3"), [("i2", (0,)), ("i3", (0,))]),
    ("what is gone is not redacted again", (said("jane", "t"), erase("jane"), said("jane")), erase("jane", named="i1"),
     [("i2", (0,))]),
]  # fmt: skip


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(
    ("given", "when", "then"), [pytest.param(*case, id=name) for name, *case in ERASED]
)
def test_what_is_forgotten(make, given, when, then):
    engine = make(one(Capacity(budget=2)))
    events, _ = run(engine, [*given, when])
    (event,) = events
    assert [*event.redacted] == then
    assert {interaction_key(name) for name, _ in then} <= {*event.keys}
    for name, positions in then:
        found = engine.interaction(name)
        assert all(found.messages[n] == found.messages[n].erased() for n in positions)
    if make is Engine:
        follower = Engine(one(Capacity(budget=2)))
        for _, now_ms in [run(follower, given)]:
            follower.receive(ev.Tick(), now_ms + 1)
            follower.apply(event)
        assert follower.snapshot() == engine.snapshot()


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(
    "command",
    [
        ev.ChangePlan("[queues"),
        ev.ChangePlan(""),
        ev.ChangePlan("[capacities.other]\n[queues.q]"),
        to(two(), q="s"),
        to(two(), s="q"),
        ev.EraseCustomer(),
        ev.EraseCustomer(("k",) * 1_001),
        ev.EraseCustomer(("k" * 65,)),
    ],
)
def test_a_mistake_raises_and_nothing_has_changed(make, command):
    engine = make(one())
    run(engine, [ann(), ask()])
    with pytest.raises(OmnirouteError):
        engine.receive(command, 500)
    assert engine.now_ms == 1
    assert [short(e) for e in engine.receive(ev.Accept(1), 50)] == ["50 accepted 1 i1 ann"]


def test_refusals_are_lifted_in_order_of_place_whatever_the_orders_of_their_queues():
    """An accelerating queue gains on another: its constant key says nothing about now."""
    plan = two({"order": HeadStart(0), **AGAIN}, {"order": Accelerating(10, 300), **AGAIN})
    away = ev.SignIn(Agent(id="bob"), ready=False)
    given = (ann(), away, ask(), ev.Decline(1), (50, ask("r")), ev.Decline(2))
    wanted = [
        "100 signed_out bob",
        *("100 refusals_reset i2", "100 refusals_reset i1"),
        *("100 offered 3 i2 ann 20100", "100 offered 4 i1 ann 20100"),
    ]
    for make in (Engine, NaiveEngine):
        assert told(make(plan), (*given, (100, ev.SignOut("bob")))) == wanted, make


def test_a_quiet_interval_ends_by_the_plan_that_it_was_quiet_under():
    """Time that passed without an event is none of the journal's, and counts all the same."""
    slow, fast = limited(interval_ms=1_000), limited(interval_ms=50)
    engine, follower, events = Engine(fast), Engine(fast), []
    for command, now_ms in (
        (ann(), 0),
        (ask(), 10),
        (ev.Tick(), 500),
        (to(slow), 700),
        (to(fast), 3_000),
    ):
        events += engine.receive(command, now_ms)
    for event in events:
        follower.apply(event)
    assert follower.snapshot() == engine.snapshot()
    assert follower.intervals() == engine.intervals()
