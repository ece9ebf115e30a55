"""What docs/explanation/semantics.md says of overflow, of whole queues and of leases.

As `test_lifecycle`, whose helpers these tables use: each case runs on the engine and on the model.
"""

from __future__ import annotations

import pytest

from engine.naive import NaiveEngine
from engine.test_lifecycle import VOICE, ann, ask, bob, one, run, short, two
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import UsageError
from omniroute.model import Agent, Message
from omniroute.plan import (
    Access,
    Hours,
    Overflow,
    Plan,
    Queue,
    Refusal,
    Step,
    TriageRule,
)


def to_r(when=None, **rule):
    """Two queues: `q`, which sends work on to `r`."""
    return two({"overflow": [Overflow(when=when, queue="r", **rule)]}, {"priority": 5})


def leased(lease_ms):
    return ev.SignIn(Agent(id="ann"), lease_ms=lease_ms)


OPEN = Hours(name="office", time_zone="UTC", weekly={"thu": ["00:01-00:02"]})
SHUT = Plan(
    queues=[Queue(name="q", hours="office", overflow=[Overflow(when="not open", reject="shut")])],
    hours=[OPEN],
)
#: As much as can be read at once.
LONG = f'attr.x == "{"x" * 4_084}"'
DOOR = [
    ("a rule that holds sends it on", to_r("waiting >= 1"), (ask(),), ask(),
     ["1 queued i2 2 r 5 q"]),
    ("one that does not hold does not", to_r("waiting >= 2"), (ask(),), ask(),
     ["1 queued i2 2 q 0"]),
    ("at another priority", to_r(priority=7), (), ask(), ["0 queued i1 1 r 7 q"]),
    ("that of the command goes before the queue's", to_r(), (), ask(priority=3),
     ["0 queued i1 1 r 3 q"]),
    ("with a requirement more", to_r(requirement="x"), (), ask(requirement="y"),
     ["0 queued i1 1 r 5 x and y q"]),
    ("but none that is too long with it", to_r(requirement="x"), (), ask(requirement=LONG),
     [f"0 queued i1 1 r 5 {LONG} q"]),
    ("and a hint", to_r(hint="callback"), (), ask(), ["0 queued i1 1 r 5 q callback"]),
    ("it may be told to come back", one(overflow=[Overflow(reject="later", hint="mail")]), (),
     ask(), ["0 rejected i1 overflow q later mail"]),
    ("never in a circle", two({"overflow": [Overflow(queue="r")]}, {"overflow": [Overflow(queue="q")]}),
     (), ask(), ["0 queued i1 1 r 0 q"]),
    ("by hours", SHUT, (), (59_999, ask()), ["59999 rejected i1 overflow q shut"]),
    ("and when it is open not", SHUT, (), (60_000, ask()), ["60000 queued i1 1 q 0"]),
    ("when nobody could serve it", to_r("nobody"), (ann(x=1),), ask(requirement="y"),
     ["1 queued i1 1 r 5 y q"]),
    ("when somebody could, even not ready", to_r("nobody"), (ann(x=1), ev.SetNotReady("ann")),
     ask(requirement="x"), ["2 queued i1 1 q 0 x"]),
    ("when nobody is ready", to_r("ready == 0"), (ann(), ev.SetNotReady("ann")), ask(),
     ["2 queued i1 1 r 5 q"]),
    ("what is not known is not compared", to_r("ewt_s >= 0 or service_level >= 0"), (), ask(),
     ["0 queued i1 1 q 0"]),
    ("to everybody at once", one(access=[Access(after_ms=50)], overflow=[Overflow(open_access=True)]),
     (ann(),), ask(), ["1 queued i1 1 q 0", "1 access_widened i1 1", "1 offered 1 i1 ann 101"]),
    ("a full queue refuses nothing that a free agent takes at once", one(max_waiting=1),
     (ask(requirement="x"), ann()), ask(),
     ["2 queued i2 2 q 0", "2 offered 1 i2 ann 102"]),
    ("but what nobody takes", one(max_waiting=1), (ask(requirement="x"), ann()),
     ask(requirement="y"), ["2 rejected i2 queue_full q"]),
]  # fmt: skip

RULE = Overflow(queue="r", priority=3, requirement="y")
MOVING = two({"ladder": [Step(for_ms=20), Step(overflow=RULE)]}, {})
STEPS = [
    ("a step may send it on", MOVING, (ask(),), (20, ev.Tick()),
     ["20 step_reached i1 1", "20 moved i1 r 3 y"]),
    ("without what is too long with its own", MOVING, (ask(requirement=LONG),), (20, ev.Tick()),
     ["20 step_reached i1 1", f"20 moved i1 r 3 {LONG}"]),
    ("its offer is revoked, and its agent is matched first", MOVING,
     (ann(y=1), ask(), (9, ask("r"))), (21, ev.Tick()),
     ["21 step_reached i1 1", "21 revoked 1 i1 ann moved", "21 moved i1 r 3 y",
      "21 offered 3 i1 ann 20021"]),
    ("or end it", one(ladder=[Step(for_ms=20), Step(overflow=Overflow(reject="too long"))]),
     (ask(),), (20, ev.Tick()), ["20 step_reached i1 1", "20 cancelled i1 too long"]),
    ("or raise it", one(ladder=[Step(for_ms=20), Step(overflow=Overflow(priority=9))]),
     (ask(),), (20, ev.Tick()), ["20 step_reached i1 1", "20 reprioritized i1 9 0"]),
    ("if its condition holds",
     one(ladder=[Step(for_ms=20), Step(overflow=Overflow(when="signed_in == 0", reject="no"))]),
     (ev.SignIn(Agent(id="bob"), ready=False), ask()), (21, ev.Tick()), ["21 step_reached i1 1"]),
    ("a step is passed over unless its condition holds",
     one(ladder=[Step(for_ms=20), Step("x", for_ms=9, only_if="waiting >= 2"), Step()]),
     (ask(),), (20, ev.Tick()), ["20 step_reached i1 2"]),
    ("not when it does",
     one(ladder=[Step(for_ms=20), Step("x", for_ms=9, only_if="waiting >= 2"), Step()]),
     (ask(), (0, ask())), (20, ev.Tick()), ["20 step_reached i1 1", "20 step_reached i2 1"]),
    ("no more than eight times at one moment", one(
        ladder=[Step(until_ms=5), Step(overflow=Overflow(queue="q"))]), (ask(),), (5, ev.Tick()),
     ["5 step_reached i1 1", *["5 moved i1 q 0", "5 step_reached i1 1"] * 8]),
    ("when all have declined", one(refusal=Refusal("all_declined", overflow=Overflow(reject="no"))),
     (ann(), ask()), ev.Decline(1), ["2 declined 1 i1 ann -1", "2 cancelled i1 no"]),
]  # fmt: skip

HALVES = Plan(
    queues=[Queue(name="q"), Queue(name="r")], triage=[TriageRule(queue="q", split={"r": 50})]
)
ALL = two({}, {})
QUEUES = [
    ("a split goes by the number", HALVES, (), ev.Submit(Message(channel=VOICE)),
     ["0 queued i1 1 q 0"]),
    ("every second one, nearly", HALVES, (ev.Submit(Message(channel=VOICE)),),
     ev.Submit(Message(channel=VOICE)), ["1 queued i2 2 r 0"]),
    ("a drained queue takes nothing", one(), (ev.Drain("q"),), ask(),
     ["1 rejected i1 queue_draining q"]),
    ("unless its rules send it on", to_r("draining"), (ev.Drain("q"),), ask(),
     ["1 queued i1 1 r 5 q"]),
    ("what waits goes on", one(), (ask(), ev.Drain("q")), ann(),
     ["2 signed_in ann", "2 became_ready ann", "2 offered 1 i1 ann 102"]),
    ("drained is drained", one(), (ev.Drain("q"),), ev.Drain("q"), []),
    ("and reopened", one(), (ev.Drain("q"), ev.Reopen("q")), ask(), ["2 queued i1 1 q 0"]),
    ("all is moved, then matched", ALL, (ann(), ask(), ask(priority=1), ask()),
     ev.MoveAll("q", "r"),
     ["4 revoked 1 i1 ann moved", "4 moved i1 r 0", "4 revoked 2 i2 ann moved", "4 moved i2 r 1",
      "4 revoked 3 i3 ann moved", "4 moved i3 r 0", "4 offered 4 i2 ann 20004",
      "4 offered 5 i1 ann 20004", "4 offered 6 i3 ann 20004"]),
    ("or closed", one(), (ann(), ask(), ask()), ev.CloseAll("q", "fire"),
     ["3 cancelled i2 fire", "3 revoked 1 i1 ann cancelled", "3 cancelled i1 fire"]),
]  # fmt: skip

LEASES = [
    ("an agent who is not heard of is signed out", one(), (leased(20), ask(), ev.Accept(1)),
     (20, ev.Tick()), ["20 requeued 1 i1 ann signed_out", "20 signed_out ann lease_expired"]),
    ("one who is is not", one(), (leased(20), (15, ev.Renew("ann"))), (34, ev.Tick()), []),
    ("so long", one(), (leased(20), (15, ev.Renew("ann"))), (35, ev.Tick()),
     ["35 signed_out ann lease_expired"]),
    ("only with a lease", one(), (ann(),), ev.Renew("ann"),
     ["1 command_rejected renew ann illegal_state"]),
    ("it goes with him", one(), (leased(20), ev.SignOut("ann"), bob()), (30, ev.Tick()), []),
]  # fmt: skip

CASES = [
    pytest.param(*case, id=f"{section}: {name}")
    for section, cases in {
        "door": DOOR,
        "step": STEPS,
        "queues": QUEUES,
        "lease": LEASES,
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
    "command",
    [
        *(ev.Drain("r"), ev.Reopen("r"), ev.MoveAll("q", "r"), ev.CloseAll("r"), leased(0)),
        *(ev.SignIn(Agent(id="a" * 257)), ev.Consult(1, requirement=LONG)),
    ],
)
def test_a_mistake_raises_and_nothing_has_changed(make, command):
    engine = make(one())
    run(engine, [ann(), ask(), (5, ev.Accept(1))])
    with pytest.raises(UsageError):
        engine.receive(command, 500)
    assert engine.now_ms == 5
