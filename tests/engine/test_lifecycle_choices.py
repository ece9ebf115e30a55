"""What docs/explanation/semantics.md says of access, orders, shares, strategies and several offers.

As `test_lifecycle`, whose helpers these tables use: each case runs on the engine and on the model.
"""

from __future__ import annotations

import pytest

from engine.naive import NaiveEngine
from engine.test_lifecycle import WIDE, ann, ask, bob, change, one, run, short, two
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import CommandError, ExpressionError, UnknownNameError
from omniroute.model import Agent, Message
from omniroute.plan import (
    Accelerating,
    Access,
    Capacity,
    HeadStart,
    NewestFirst,
    Plan,
    Queue,
    Refusal,
    Step,
)


def cid(capacity="default", *, ready=True, **attributes):
    return ev.SignIn(Agent(id="cid", attributes=attributes, capacity=capacity), ready=ready)


def own(*steps):
    return ev.Submit(Message(channel="voice"), "q", steps=tuple(ev.OwnStep(*s) for s in steps))


def place(interaction_id, priority=None, enqueued_at_ms=None):
    return ev.Reprioritize(interaction_id, priority, enqueued_at_ms)


DELAYED = one(access=[Access("x >= 2"), Access("x", after_ms=20), Access(after_ms=50)])
TIERED = two({"tier": 1, "access": [Access("x", tier=0), Access("y", tier=2)]}, {"tier": 1})
ACCESS = [
    ("the first row that fits lets him in", DELAYED, (ann(x=2),), ask(),
     ["1 queued i1 1 q 0", "1 offered 1 i1 ann 101"]),
    ("a row with a delay does not yet", DELAYED, (ann(x=1),), ask(),
     ["1 queued i1 1 q 0"]),
    ("its moment lets him in", DELAYED, (ann(x=1), ask()), (60, ev.Tick()),
     ["21 access_widened i1 1", "21 offered 1 i1 ann 121", "51 access_widened i1 2"]),
    ("who satisfies no row has the tier of the queue and no delay",
     one(access=[Access("x", after_ms=20)]), (ann(),), ask(),
     ["1 queued i1 1 q 0", "1 offered 1 i1 ann 101"]),
    ("rows behind one for everybody are never reached, nor are their delays",
     one(access=[Access(), Access("x", after_ms=20)]), (ask(),), (60, ev.Tick()), []),
    ("openings go on under an offer", DELAYED, (ann(x=2), ask()), (51, ev.Tick()),
     ["21 access_widened i1 1", "51 access_widened i1 2"]),
    ("but not while an agent has it: they come at once after the requeue, as one",
     DELAYED, (ann(x=2), ask(), ev.Accept(1), bob()), (70, ev.Requeue(1)),
     ["70 requeued 1 i1 ann -1", "70 access_widened i1 2", "70 offered 2 i1 bob 170"]),
    ("before a step that ends then",
     one(access=[Access("x"), Access(after_ms=5)], ladder=[Step(for_ms=5), Step("x")]),
     (ann(x=1), ask(), ev.Accept(1)), (9, ev.Requeue(1)),
     ["9 requeued 1 i1 ann -1", "9 access_widened i1 1", "9 step_reached i1 1"]),
    ("a step's timer goes before an opening's at one moment",
     one(access=[Access("x"), Access(after_ms=20)], ladder=[Step(for_ms=20), Step("x")]),
     (bob(), ask()), (21, ev.Tick()),
     ["21 step_reached i1 1", "21 access_widened i1 1"]),
    ("they count from the arrival, whatever its place", DELAYED,
     (ann(x=1), ask(), (15, place("i1", enqueued_at_ms=15))), (21, ev.Tick()),
     ["21 access_widened i1 1", "21 offered 1 i1 ann 121"]),
    ("a change that takes the access away takes the offer", DELAYED,
     (ann(x=2), ask()), change("ann", x=1),
     ["2 agent_changed ann", "2 revoked 1 i1 ann not_eligible"]),
    ("a row gives a tier of its own", TIERED, (ask("q"), ask("r")), ann(x=1),
     ["2 signed_in ann", "2 became_ready ann", "2 offered 1 i1 ann 20002", "2 offered 2 i2 ann 20002"]),
    ("also a later one", TIERED, (ask("q"), ask("r")), ann(y=1),
     ["2 signed_in ann", "2 became_ready ann", "2 offered 1 i2 ann 20002", "2 offered 2 i1 ann 20002"]),
]  # fmt: skip

RISING = Accelerating(10, 200)
ORDER = [
    ("newest first", one(order=NewestFirst()), (ask(), ask()), ann(),
     ["2 signed_in ann", "2 became_ready ann", "2 offered 1 i2 ann 102"]),
    ("newest first inside a priority", one(order=NewestFirst()), (ask(priority=1), ask(), ask()),
     ann(), ["3 signed_in ann", "3 became_ready ann", "3 offered 1 i1 ann 103"]),
    ("of one moment the last", one(order=NewestFirst()), (ask(), (0, ask())), (1, ann()),
     ["1 signed_in ann", "1 became_ready ann", "1 offered 1 i2 ann 101"]),
    ("points grow while waiting: 24 against 20 + 0", two({"order": RISING}, {"order": RISING}),
     (ask("q"), (12, ask("r", priority=2))), (12, ann()),
     ["12 signed_in ann", "12 became_ready ann", "12 offered 1 i1 ann 20012", "12 offered 2 i2 ann 20012"]),
    ("and have not grown enough: 18 against 20 + 0", two({"order": RISING}, {"order": RISING}),
     (ask("q"), (9, ask("r", priority=2))), (9, ann()),
     ["9 signed_in ann", "9 became_ready ann", "9 offered 1 i2 ann 20009", "9 offered 2 i1 ann 20009"]),
    ("up to a maximum, at which the first to come goes first", one(order=Accelerating(10, 200, 3)),
     (ask(), ask(priority=9)), (40, ann()),
     ["40 signed_in ann", "40 became_ready ann", "40 offered 1 i1 ann 140"]),
    ("a maximum below another queue's age", two({"order": Accelerating(10, 100, 1)}, {"order": HeadStart(0)}),
     (ask("q"), ask("r")), (40, ann()),
     ["40 signed_in ann", "40 became_ready ann", "40 offered 1 i2 ann 20040", "40 offered 2 i1 ann 20040"]),
    ("another age changes the place", one(), (ask(), ask(), place("i2", enqueued_at_ms=-1)), ann(),
     ["3 signed_in ann", "3 became_ready ann", "3 offered 1 i2 ann 103"]),
    ("an age to come is none", one(), (ask(),), place("i1", enqueued_at_ms=9),
     ["1 reprioritized i1 0 1"]),
    ("one may be changed without the other", one(), (ask(priority=3),), place("i1", 4),
     ["1 reprioritized i1 4 0"]),
    ("a requeue may join the end", one(on_requeue="join_end", refusal=Refusal("at_once")),
     (ann(), ask(), ask(), ev.Accept(1)), ev.Requeue(1),
     ["4 requeued 1 i1 ann 4", "4 offered 2 i2 ann 104"]),
    ("but not that of a sign-out", one(on_requeue="join_end"),
     (ann(), ask(), ask(), ev.Accept(1), ev.SignOut("ann")), bob(),
     ["5 signed_in bob", "5 became_ready bob", "5 offered 2 i1 bob 105"]),
]  # fmt: skip

SHARED = Plan(
    queues=[Queue(name="q", share=1), Queue(name="r", share=2), Queue(name="s", tier=1)],
    capacities=[Capacity(budget=6)],
)
HALF = two({"share": 2}, {})
SHARES = [
    ("he takes in proportion", SHARED,
     (*(ask("q"),) * 3, *(ask("r"),) * 3, ask("s")), ann(),
     ["7 signed_in ann", "7 became_ready ann", "7 offered 1 i1 ann 20007",
      "7 offered 2 i4 ann 20007", "7 offered 3 i5 ann 20007", "7 offered 4 i2 ann 20007",
      "7 offered 5 i6 ann 20007", "7 offered 6 i3 ann 20007"]),
    ("a queue without a share counts one", HALF, (*(ask("r"),) * 2, *(ask("q"),) * 2), ann(),
     ["4 signed_in ann", "4 became_ready ann", "4 offered 1 i1 ann 20004",
      "4 offered 2 i3 ann 20004", "4 offered 3 i4 ann 20004"]),
    ("what he got is forgotten when he signs out", HALF,
     (ask("r"), ask("q"), ann(), ev.SignOut("ann")), ann(),
     ["4 signed_in ann", "4 became_ready ann", "4 offered 3 i1 ann 20004",
      "4 offered 4 i2 ann 20004"]),
]  # fmt: skip


def scored(plan_scorers):
    queue = Queue(name="q", strategy="scored", scorer="best", offer_timeout_ms=100)
    return Plan(queues=[queue], scorers=plan_scorers)


STRATEGIES = [
    ("most skilled: a missing level is last", one(strategy="most_skilled", members="x >= 0 and y >= 0"),
     (ann(x=9), bob(x=1, y=1)), ask(requirement="x >= 0 and y >= 0"),
     ["2 queued i1 1 q 0 x >= 0 and y >= 0", "2 offered 1 i1 bob 102"]),
    ("most skilled: the highest sum", one(strategy="most_skilled", members="x and y"),
     (ann(x=1, y=3), bob(x=4, y=1)), ask(),
     ["2 queued i1 1 q 0", "2 offered 1 i1 bob 102"]),
    ("least skilled: the lowest sum", one(strategy="least_skilled", members="x and y"),
     (ann(x=4, y=1), bob(x=1, y=3)), ask(),
     ["2 queued i1 1 q 0", "2 offered 1 i1 bob 102"]),
    ("fewest skills: a level of 0 is none", one(strategy="fewest_skills"),
     (ann(x=1), bob(y=0, z=0)), ask(),
     ["2 queued i1 1 q 0", "2 offered 1 i1 bob 102"]),
    ("weighted: without a weight last", one(strategy="weighted"), (ann(), cid(weight=1)), ask(),
     ["2 queued i1 1 q 0", "2 offered 1 i1 cid 102"]),
    ("weighted: offers in proportion", one(strategy="weighted", capacity=WIDE),
     (ev.SignIn(Agent(id="bob", attributes={"weight": 1})), cid(weight=2), ask(), ask(), ask()),
     ask(), ["5 queued i4 4 q 0", "5 offered 4 i4 bob 105"]),
    ("scored: the higher, by agent, interaction and occupancy",
     scored({"best": lambda agent, item, used: agent.skills.get("x", 0) * item.priority - used}),
     (ann(x=1), bob(x=2)), ask(priority=3),
     ["2 queued i1 1 q 3", "2 offered 1 i1 bob 102"]),
]  # fmt: skip

STEPS = [
    ("its own steps come first", one(), (ann(), bob()), own(('agent == "bob"', 20)),
     ["2 queued i1 1 q 0", "2 offered 1 i1 bob 102"]),
    ("then the queue's", one(), (ann(), own(('agent == "bob"', 20))), (21, ev.Tick()),
     ["21 step_reached i1 1", "21 offered 1 i1 ann 121"]),
    ("one is passed over when nobody could", one(), (ann(),), own(('agent == "bob"', 20, True)),
     ["1 queued i1 1 q 0", "1 step_reached i1 1", "1 offered 1 i1 ann 101"]),
    ("one without an end is for good", one(), (ann(), own(('agent == "bob"',))), (1_000, ev.Tick()),
     []),
    ("what the queue drops it does not", one(ladder=[Step(drop=("*",))]),
     (ann(), ev.Submit(Message(channel="voice"), "q", None, "x", steps=(ev.OwnStep("x == 0", 20),))),
     (21, ev.Tick()), ["21 step_reached i1 1", "21 offered 1 i1 ann 121"]),
]  # fmt: skip

LENT = {"ladder": [Step("x", for_ms=20, priority=9), Step("y", for_ms=20), Step(priority=3)]}
LENDING = [
    ("a first step lends its priority at once", one(**LENT), (), ask(),
     ["0 queued i1 1 q 0", "0 reprioritized i1 9 0 True"]),
    ("before it is matched", one(**LENT), (ask(requirement="y", priority=8), ask()), ann(x=1, y=1),
     ["2 signed_in ann", "2 became_ready ann", "2 offered 1 i1 ann 102"]),
    ("a step without one gives it back", one(**LENT), (ask(priority=5),), (21, ev.Tick()),
     ["20 step_reached i1 1", "20 reprioritized i1 5 0"]),
    ("and the next lends its own", one(**LENT), (ask(priority=5),), (41, ev.Tick()),
     ["20 step_reached i1 1", "20 reprioritized i1 5 0", "40 step_reached i1 2", "40 reprioritized i1 3 0 True"]),
    ("the same again is no event", one(ladder=[Step("x", for_ms=20, priority=9), Step(priority=9)]), (ask(),),
     (21, ev.Tick()), ["20 step_reached i1 1"]),
    ("what is passed over lends nothing", one(ladder=[Step("x", for_ms=9, priority=9, skip_if_nobody=True), Step()]),
     (), ask(), ["0 queued i1 1 q 0", "0 step_reached i1 1"]),
    ("a supervisor's word holds until the next step", one(**LENT), (ask(), (5, place("i1", 7))), (21, ev.Tick()),
     ["20 step_reached i1 1"]),
    ("another age leaves it lent", one(**LENT), ((9, ask()),), place("i1", enqueued_at_ms=2),
     ["10 reprioritized i1 9 2 True"]),
    ("a transfer takes its own along", two({"ladder": [Step(priority=9)]}), (ann(), ask(priority=4), ev.Accept(1)),
     ev.Transfer(1, "r"), ["3 transferred 1 i1 ann r 4 -1"]),
    ("so does a move", two({"ladder": [Step(priority=9)]}, {"ladder": [Step(priority=2)]}), (ask(priority=4),),
     ev.Move("i1", "r"), ["1 moved i1 r 4", "1 reprioritized i1 2 0 True"]),
    ("it goes to the front for its preferred agent, for a time", one(), (ask(priority=5), bob()),
     ev.Submit(Message(channel="voice"), "q", steps=(ev.OwnStep('agent == "ann"', 20, priority=9),)),
     ["2 queued i2 2 q 0", "2 reprioritized i2 9 2 True"]),
]  # fmt: skip

PAIR = one(offers=2)
SEVERAL = [
    ("it is held out to as many as the queue says", PAIR, (ann(), bob(), cid()), ask(),
     ["3 queued i1 1 q 0", "3 offered 1 i1 ann 103", "3 offered 2 i1 bob 103"]),
    ("to the next who comes", PAIR, (ann(), ask()), bob(),
     ["2 signed_in bob", "2 became_ready bob", "2 offered 2 i1 bob 102"]),
    ("after what nobody has an offer of", PAIR, (ann(), ask(), ask()), bob(),
     ["3 signed_in bob", "3 became_ready bob", "3 offered 2 i2 bob 103"]),
    ("never twice to one agent", one(offers=2, capacity=WIDE), (ann(),), ask(),
     ["1 queued i1 1 q 0", "1 offered 1 i1 ann 101"]),
    ("the first acceptance wins, and the others' agents are free", PAIR,
     (ann(), bob(), ask(), ask()), ev.Accept(2),
     ["4 accepted 2 i1 bob", "4 revoked 1 i1 ann taken", "4 offered 3 i2 ann 104"]),
    ("the second is told that it has ended", PAIR, (ann(), bob(), ask(), ev.Accept(1)), ev.Accept(2),
     ["4 command_rejected accept 2 unknown_offer"]),
    ("a decline leaves the other offer open", PAIR, (ann(), bob(), cid(), ask()), ev.Decline(1),
     ["4 declined 1 i1 ann -1", "4 offered 3 i1 cid 104"]),
    ("a message joins at the agent of the oldest offer", PAIR,
     (ann(), bob(), ask(thread_id="t"), ev.Revoke(1)), ask(thread_id="t"),
     ["4 message_appended i1 bob"]),
    ("the last that ends without acceptance makes it wait", PAIR,
     (ann(), bob(), ask(), (10, ev.Decline(1))), ev.SetNotReady("bob"),
     ["11 became_not_ready bob", "11 revoked 2 i1 bob not_ready"]),
    ("the customer leaves: all are revoked", PAIR, (ann(), bob(), ask()), ev.Abandon("i1"),
     ["3 revoked 1 i1 ann customer_left", "3 revoked 2 i1 bob customer_left", "3 abandoned i1"]),
    ("accepted by itself", one(auto_accept=True), (ann(),), ask(),
     ["1 queued i1 1 q 0", "1 offered 1 i1 ann 101", "1 accepted 1 i1 ann"]),
]  # fmt: skip

PULL, BOTH = one(delivery="pull"), one(delivery="push_and_pull")
PICKS = [
    ("nothing is offered", PULL, (ann(),), ask(), ["1 queued i1 1 q 0"]),
    ("he picks", PULL, (ann(), ask()), ev.Pick("i1", "ann"),
     ["2 offered 1 i1 ann 102 picked", "2 accepted 1 i1 ann"]),
    ("also what he was offered", BOTH, (ann(), ask()), ev.Pick("i1", "ann"),
     ["2 accepted 1 i1 ann"]),
    ("also what others were offered", one(delivery="push_and_pull", capacity=WIDE),
     (ann(), ask(), bob()), ev.Pick("i1", "bob"),
     ["3 offered 2 i1 bob 103 picked", "3 accepted 2 i1 bob", "3 revoked 1 i1 ann taken"]),
    ("also what he declined", BOTH, (ann(), ask(), ev.Decline(1)), ev.Pick("i1", "ann"),
     ["3 offered 2 i1 ann 103 picked", "3 accepted 2 i1 ann"]),
    ("not what is unknown", PULL, (ann(),), ev.Pick("i1", "bob"),
     ["1 command_rejected pick i1 unknown_interaction"]),
    ("not when he is not signed in", PULL, (ask(),), ev.Pick("i1", "bob"),
     ["1 command_rejected pick bob not_signed_in"]),
    ("not what somebody has", PULL, (ann(), bob(), ask(), ev.Pick("i1", "bob")), ev.Pick("i1", "ann"),
     ["4 command_rejected pick i1 illegal_state"]),
    ("not where the queue pushes", one(), (ann(), ask()), ev.Pick("i1", "ann"),
     ["2 command_rejected pick i1 not_pulled"]),
    ("not when he is not ready", PULL, (cid(ready=False), ask()), ev.Pick("i1", "cid"),
     ["2 command_rejected pick i1 not_ready"]),
    ("not what he may not take", PULL, (ann(), ask(requirement="x")), ev.Pick("i1", "ann"),
     ["2 command_rejected pick i1 not_eligible"]),
    ("not what is not open to him yet", one(delivery="pull", access=[Access(after_ms=9)]),
     (ann(), ask()), ev.Pick("i1", "ann"), ["2 command_rejected pick i1 not_eligible"]),
    ("not without room", PULL, (ann(), ask(), ask(), ev.Pick("i1", "ann")), ev.Pick("i2", "ann"),
     ["4 command_rejected pick i2 no_room"]),
]  # fmt: skip

ASSIGNS = [
    ("a supervisor gives it to anybody", one(), (cid(ready=False), ask(requirement="x")),
     ev.Assign("i1", "cid"), ["2 offered 1 i1 cid 102 assigned", "2 accepted 1 i1 cid"]),
    ("beyond his room, and says so", one(), (ann(), ask(), ev.Accept(1), ask()),
     ev.Assign("i2", "ann"), ["4 offered 2 i2 ann 104 assigned True", "4 accepted 2 i2 ann"]),
    ("the offer that he has is accepted", one(), (ann(), ask()), ev.Assign("i1", "ann"),
     ["2 accepted 1 i1 ann"]),
    ("those of others are revoked", PAIR, (ann(), bob(), ask(), cid(ready=False)),
     ev.Assign("i1", "cid"),
     ["4 offered 3 i1 cid 104 assigned", "4 accepted 3 i1 cid", "4 revoked 1 i1 ann taken",
      "4 revoked 2 i1 bob taken"]),
    ("not what somebody has", one(), (ann(), ask(), ev.Accept(1)), ev.Assign("i1", "ann"),
     ["3 command_rejected assign i1 illegal_state"]),
    ("not to one who is not there", one(), (ask(),), ev.Assign("i1", "ann"),
     ["1 command_rejected assign ann not_signed_in"]),
]  # fmt: skip

ELSEWHERE = two(
    {}, {"members": "x", "max_waiting": 1, "ladder": [Step("x >= 2", until_ms=3), Step()]}
)
MOVES = [
    ("into another queue, at its age, which begins anew", ELSEWHERE, (ask(), ask("r")),
     ev.Move("i1", "r", 2, "y"), ["2 moved i1 r 2 y"]),
    ("passing over what is over", ELSEWHERE, (ask(),), (4, ev.Move("i1", "r")),
     ["4 moved i1 r 0", "4 step_reached i1 1"]),
    ("its offers are revoked, and it is matched after their agents", ELSEWHERE,
     (ann(), ask(), bob(x=1), (10, ask())), (11, ev.Move("i1", "r")),
     ["11 revoked 1 i1 ann moved", "11 moved i1 r 0", "11 step_reached i1 1",
      "11 offered 3 i1 bob 20011"]),
    ("refusals are forgotten, in its own queue too", one(), (ann(), ask(), ev.Decline(1)),
     ev.Move("i1", "q"), ["3 moved i1 q 0", "3 offered 2 i1 ann 103"]),
    ("own steps are forgotten", one(), (ann(), own(('agent == "bob"',))), ev.Move("i1", "q"),
     ["2 moved i1 q 0", "2 offered 1 i1 ann 102"]),
    ("openings that have passed are told first",
     one(access=[Access(after_ms=5), Access()], ladder=[Step("x", until_ms=9), Step()]),
     (ask(),), (9, ev.Move("i1", "q")),
     ["5 access_widened i1 1", "9 step_reached i1 1", "9 moved i1 q 0", "9 access_widened i1 1",
      "9 step_reached i1 1"]),
    ("not what somebody has", one(), (ann(), ask(), ev.Accept(1)), ev.Move("i1", "q"),
     ["3 command_rejected move i1 illegal_state"]),
    ("not what is unknown", one(), (), ev.Move("i1", "q"),
     ["0 command_rejected move i1 unknown_interaction"]),
]  # fmt: skip

CASES = [
    pytest.param(*case, id=f"{section}: {name}")
    for section, cases in {
        "access": ACCESS,
        "order": ORDER,
        "shares": SHARES,
        "strategy": STRATEGIES,
        "own steps": STEPS,
        "priority of a step": LENDING,
        "several offers": SEVERAL,
        "pick": PICKS,
        "assign": ASSIGNS,
        "move": MOVES,
    }.items()
    for name, *case in cases
]


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(("plan", "given", "when", "then"), CASES)
def test_given_when_then(make, plan, given, when, then):
    events, _ = run(make(plan), [*given, when])
    assert [short(event) for event in events] == then


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(
    ("command", "error"),
    [
        (ev.Move("i1", "r"), UnknownNameError),
        (ev.Move("i1", "q", 100), CommandError),
        (ev.Move("i1", "q", None, "x >="), ExpressionError),
        (own(("x >=",)), ExpressionError),
    ],
)
def test_a_mistake_raises_and_nothing_has_changed(make, command, error):
    engine = make(one())
    run(engine, [ann(), ask()])
    with pytest.raises(error):
        engine.receive(command, 500)
    assert engine.now_ms == 1
