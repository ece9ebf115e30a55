"""What docs/explanation/semantics.md says of what follows an acceptance, and of what begins later.

As `test_lifecycle`, whose helpers these tables use: each case runs on the engine and on the model.
"""

from __future__ import annotations

import pytest

from engine.naive import NaiveEngine
from engine.test_lifecycle import CHAT, VOICE, WIDE, ann, ask, bob, one, run, short, two
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import UsageError
from omniroute.model import Agent, Attachment, Channel, Customer, Message
from omniroute.plan import Callback, Capacity, LastAgent, Limits, Step, WrapUp

CONSULTING = (ann(), bob(), ask(), ev.Accept(1), ev.Consult(1))


def later(at_ms, **message):
    return ev.Submit(Message(channel=VOICE, **message), "q", start_at_ms=at_ms)


def patient(max_wait_ms):
    return ev.Submit(Message(channel=VOICE), "q", max_wait_ms=max_wait_ms)


def from_(customer, **message):
    return ev.Submit(Message(channel=VOICE, customer=Customer(id=customer), **message), "q")


LATER = [
    ("it does not wait before", one(), (ann(),), later(9),
     ["1 queued i1 1 q 0", "1 scheduled i1 9"]),
    ("then it does", one(), (ann(), later(9)), (9, ev.Tick()),
     ["9 started i1", "9 offered 1 i1 ann 109"]),
    ("a moment that has passed is none", one(), (ann(),), later(1),
     ["1 queued i1 1 q 0", "1 offered 1 i1 ann 101"]),
    ("steps count from its start", one(ladder=[Step("x", until_ms=5), Step()]), (later(9),),
     (20, ev.Tick()), ["9 started i1", "14 step_reached i1 1"]),
    ("a full queue does not matter", one(max_waiting=1), (ask(),), later(9),
     ["1 queued i2 2 q 0", "1 scheduled i2 9"]),
    ("there is a limit of its own", one(limits=Limits(max_set_aside=1)), (later(9),), later(9),
     ["1 rejected i2 set_aside_full q"]),
    ("messages join it", one(), (later(9, thread_id="t"),), ask(thread_id="t"),
     ["1 message_appended i1"]),
    ("the customer may leave", one(), (later(9),), ev.Abandon("i1"), ["1 abandoned i1"]),
    ("the rest has to wait", one(), (later(9),), ev.Move("i1", "q"),
     ["1 command_rejected move i1 illegal_state"]),
]  # fmt: skip

LIFE = [
    ("it ends when it has waited too long", one(max_wait_ms=20), (ask(),), (20, ev.Tick()),
     ["20 cancelled i1 waited_too_long"]),
    ("the command may say how long", one(max_wait_ms=20), (patient(9),), (9, ev.Tick()),
     ["9 cancelled i1 waited_too_long"]),
    ("an offer is revoked first, and its agent is free", one(max_wait_ms=20),
     (ann(), (5, ask()), (9, ask())), (25, ev.Tick()),
     ["25 revoked 1 i1 ann cancelled", "25 cancelled i1 waited_too_long",
      "25 offered 2 i2 ann 125"]),
    ("not while an agent has it", one(max_wait_ms=20), (ann(), ask(), ev.Accept(1)),
     (99, ev.Tick()), []),
    ("but at once when he gives it back", one(max_wait_ms=20, ladder=[Step(for_ms=9), Step()]),
     (ann(), ask(), ev.Accept(1)), (99, ev.Requeue(1)),
     ["99 requeued 1 i1 ann -1", "99 cancelled i1 waited_too_long"]),
]  # fmt: skip

PARKED = (ann(), ask(thread_id="t"), ev.Accept(1), ev.Park(1))
PARKS = [
    ("it frees the agent", one(), (ann(), ask(), ev.Accept(1), ask()), ev.Park(1),
     ["4 parked 1 i1 ann", "4 offered 2 i2 ann 104"]),
    ("it comes back to its owner alone", one(), (*PARKED[:3], bob(), ev.Park(1)),
     ev.Unpark("i1"), ["5 unparked i1 ann", "5 offered 2 i1 ann 105"]),
    ("then to everybody", one(return_ms=9), (*PARKED, ev.SetNotReady("ann"), bob(),
     ev.Unpark("i1")), (15, ev.Tick()), ["15 step_reached i1 1", "15 offered 2 i1 bob 115"]),
    ("at once when he has gone", one(), (*PARKED, ev.SignOut("ann"), bob()), ev.Unpark("i1"),
     ["6 unparked i1 ann", "6 step_reached i1 1", "6 offered 2 i1 bob 106"]),
    ("whatever the rules say", one(members="x"), (ann(x=1), ask(), ev.Accept(1), ev.Park(1),
     ev.ChangeAgent(Agent(id="ann"))), ev.Unpark("i1"),
     ["5 unparked i1 ann", "5 offered 2 i1 ann 105"]),
    ("before all that waits", one(), (*PARKED, ev.SetNotReady("ann"), ask(priority=9),
     ev.Unpark("i1")), ev.SetReady("ann"), ["7 became_ready ann", "7 offered 2 i1 ann 107"]),
    ("at its moment", one(), (*PARKED[:3], ev.Park(1, 9)), (9, ev.Tick()),
     ["9 unparked i1 ann", "9 offered 2 i1 ann 109"]),
    ("at the next call when that has passed", one(), (*PARKED[:3], ev.Park(1, 1)), ev.Tick(),
     ["3 unparked i1 ann", "3 offered 2 i1 ann 103"]),
    ("when the customer writes again", one(), PARKED, ask(thread_id="t"),
     ["4 message_appended i1 ann", "4 unparked i1 ann", "4 offered 2 i1 ann 104"]),
    ("its customer may leave", one(), PARKED, ev.Abandon("i1"), ["4 cancelled i1 customer_left"]),
    ("not beyond the limit", one(limits=Limits(max_set_aside=1)), (later(99), *PARKED[:3]),
     ev.Park(1), ["4 command_rejected park 1 set_aside_full"]),
    ("only what is parked", one(), PARKED[:3], ev.Unpark("i1"),
     ["3 command_rejected unpark i1 illegal_state"]),
]  # fmt: skip

OTHER = two({}, {"return_ms": 9})
TRANSFERS = [
    ("to a queue, at its place; its agent is barred there", OTHER, (ann(), ask(), ev.Accept(1)),
     ev.Transfer(1, "r", reason="billing"),
     ["3 transferred 1 i1 ann r 0 billing -1"]),
    ("to an agent", OTHER, (ann(), bob(), ask(), ev.Accept(1)), ev.Transfer(1, "r", "bob"),
     ["4 transferred 1 i1 ann r 0 -1", "4 offered 2 i1 bob 20004"]),
    ("to an agent of the same queue", one(), (ann(), bob(), ask(), ev.Accept(1)),
     ev.Transfer(1, agent_id="bob"), ["4 transferred 1 i1 ann q 0 -1", "4 offered 2 i1 bob 104"]),
    ("with another requirement", one(), (ann(), bob(), ask(), ev.Accept(1)),
     ev.Transfer(1, "q", None, 3, "x"), ["4 transferred 1 i1 ann q 3 x -1"]),
    ("not to one who is not there", one(), (ann(), ask(), ev.Accept(1)),
     ev.Transfer(1, agent_id="bob"), ["3 command_rejected transfer bob not_signed_in"]),
    ("not to himself", one(), (ann(), ask(), ev.Accept(1)), ev.Transfer(1, agent_id="ann"),
     ["3 command_rejected transfer 1 illegal_state"]),
    ("its wait begins anew", one(max_wait_ms=20), (ann(), ask(), ev.Accept(1)),
     (99, ev.Transfer(1, "q")), ["99 transferred 1 i1 ann q 0 -1"]),
]  # fmt: skip

CONSULTS = [
    ("a colleague is asked, not the agent himself", one(capacity=WIDE),
     (ann(), bob(), ask(), ev.Accept(1)), ev.Consult(1),
     ['4 queued i2 2 q 0 agent != "ann" consult i1', "4 offered 2 i2 bob 104"]),
    ("one colleague", one(), (ann(), bob(), ask(), ev.Accept(1)), ev.Consult(1, agent_id="bob"),
     ['4 queued i2 2 q 0 agent != "ann" consult i1', "4 offered 2 i2 bob 104"]),
    ("once at a time", one(), CONSULTING, ev.Consult(1),
     ["5 command_rejected consult 1 illegal_state"]),
    ("it ends with the call", one(), CONSULTING, ev.Complete(1),
     ["5 revoked 2 i2 bob cancelled", "5 cancelled i2 parent_left", "5 completed 1 i1 ann"]),
    ("also with a requeue", one(), (*CONSULTING[:3], ev.Accept(1), ev.SetNotReady("bob"),
     ev.Consult(1)), ev.Requeue(1),
     ["6 cancelled i2 parent_left", "6 requeued 1 i1 ann -1"]),
    ("not when somebody answers it", one(), (*CONSULTING, ev.Accept(2)), ev.Complete(1),
     ["6 completed 1 i1 ann"]),
    ("one that waits again ends with the customer's leaving", one(), (*CONSULTING, ev.Accept(2), ev.Requeue(1),
     ev.SignOut("bob"), ev.SetNotReady("ann")), ev.Abandon("i1"),
     ["9 cancelled i2 parent_left", "9 abandoned i1"]),
    ("the customer is handed over", one(), (*CONSULTING, ev.Accept(2), ask()), ev.HandOver(1),
     ["7 completed 2 i2 bob handed_over", "7 handed_over 1 i1 ann bob 3", "7 offered 4 i3 ann 107"]),
    ("to one who has answered", one(), CONSULTING, ev.HandOver(1),
     ["5 command_rejected hand_over 1 illegal_state"]),
    ("the colleague has it then", one(), (*CONSULTING, ev.Accept(2), ev.HandOver(1)),
     ev.Complete(3), ["7 completed 3 i1 bob"]),
    ("without a wrap-up of the consult", one(wrap_up=WrapUp("forced", 9)),
     (*CONSULTING, ev.Accept(2)), ev.HandOver(1),
     ["6 completed 2 i2 bob handed_over", "6 handed_over 1 i1 ann bob 3"]),
    ("or all three talk", one(), (*CONSULTING, ev.Accept(2)), ev.Confer(1),
     ["6 conferenced 1 i1 i2"]),
]  # fmt: skip

ESCALATIONS = [
    ("a further interaction, in front, for the same agent",
     one(capacity=Capacity(budget=2, costs={"*": 1})), (ann(), ask(), ev.Accept(1)),
     ev.Escalate(1, Channel.VIDEO),
     ["3 queued i2 2 q 0 escalation i1 True", "3 offered 2 i2 ann 103"]),
]  # fmt: skip

CALLS = one(callback=Callback(max_attempts=2, retry_ms=20, pace_ms=15))
CALLED = (ask(), ev.RequestCallback("i1", "+4930"), ann(), ev.Accept(1))
CALLBACKS = [
    ("he keeps his place", one(), (ask(), ask(), ev.RequestCallback("i1", "+4930")), ann(),
     ["3 signed_in ann", "3 became_ready ann", "3 offered 1 i1 ann 103"]),
    ("his offer is revoked first", one(), (ann(), ask(), ask()), ev.RequestCallback("i1"),
     ["3 revoked 1 i1 ann customer_left", "3 callback_requested i1", "3 offered 2 i1 ann 103"]),
    ("at the moment that he names", one(), (ann(), ask()), ev.RequestCallback("i1", "", 9),
     ["2 revoked 1 i1 ann customer_left", "2 callback_requested i1 9", "2 scheduled i1 9"]),
    ("then at his old place", one(), (ask(), ev.RequestCallback("i1", "", 9), ask(), (9, ev.Tick())),
     ann(), ["10 signed_in ann", "10 became_ready ann", "10 offered 1 i1 ann 110"]),
    ("to hang up is no abandonment", one(), CALLED[:2], ev.Abandon("i1"),
     ["2 command_rejected abandon i1 illegal_state"]),
    ("once", one(), CALLED[:2], ev.RequestCallback("i1"),
     ["2 command_rejected request_callback i1 illegal_state"]),
    ("nobody answers: again later", CALLS, CALLED, ev.FailCallback(1, "busy"),
     ["4 callback_failed 1 i1 ann 24 busy"]),
    ("the last time it is completed", CALLS,
     (*CALLED, ev.FailCallback(1), (24, ev.Tick()), ev.Accept(2)), ev.FailCallback(2),
     ["26 completed 2 i1 ann callback_failed"]),
    ("two do not start at once", CALLS, (ask(), ask(), ev.RequestCallback("i1", "", 20),
     ev.RequestCallback("i2", "", 20)), (40, ev.Tick()),
     ["20 started i1", "20 postponed i2 35", "35 started i2"]),
    ("only of a callback", one(), (ann(), ask(), ev.Accept(1)), ev.FailCallback(1),
     ["3 command_rejected fail_callback 1 illegal_state"]),
]  # fmt: skip

STICKY = one(last_agent=LastAgent(within_ms=50, for_ms=9))
SERVED = (bob(), ann(), from_("c1"), ev.Accept(1), ev.Complete(1))
CODES = [
    ("a customer who comes back is first offered to his last agent", STICKY,
     (*SERVED, ev.SetNotReady("ann")), from_("c1"), ["6 queued i2 2 q 0", "6 offered 2 i2 bob 106"]),
    ("who was longest idle does not matter", STICKY, SERVED, from_("c1"),
     ["5 queued i2 2 q 0", "5 offered 2 i2 bob 105"]),
    ("for a while", STICKY, (*SERVED, ev.SetNotReady("bob"), from_("c1")), (15, ev.Tick()),
     ["15 step_reached i2 1", "15 offered 2 i2 ann 115"]),
    ("another customer is not", STICKY, SERVED, from_("c2"),
     ["5 queued i2 2 q 0", "5 offered 2 i2 ann 105"]),
    ("nor later", STICKY, SERVED, (55, from_("c1")),
     ["55 queued i2 2 q 0", "55 offered 2 i2 ann 155"]),
    ("a wrap-up is extended", one(wrap_up=WrapUp("timed", 20, 10)),
     (ann(), ask(), ev.Accept(1), ev.Complete(1)), ev.ExtendWrapUp(1, 10),
     ["4 wrap_up_extended 1 i1 33"]),
    ("not too far", one(wrap_up=WrapUp("timed", 20, 10)),
     (ann(), ask(), ev.Accept(1), ev.Complete(1), ev.ExtendWrapUp(1, 5)), ev.ExtendWrapUp(1, 6),
     ["5 command_rejected extend_wrap_up 1 illegal_state"]),
]  # fmt: skip

CASES = [
    pytest.param(*case, id=f"{section}: {name}")
    for section, cases in {
        "later": LATER,
        "life": LIFE,
        "park": PARKS,
        "transfer": TRANSFERS,
        "consult": CONSULTS,
        "escalate": ESCALATIONS,
        "callback": CALLBACKS,
        "sticky and codes": CODES,
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
    [ev.Complete(1, "odd"), ev.Transfer(1), ev.ExtendWrapUp(1, 0), patient(0)],
)
def test_a_mistake_raises_and_nothing_has_changed(make, command):
    engine = make(one(codes=("done",)))
    run(engine, [ann(), ask(), ev.Accept(1)])
    with pytest.raises(UsageError):
        engine.receive(command, 500)
    assert engine.now_ms == 2


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
def test_an_escalation_carries_what_the_customer_sent(make):
    engine = make(one())
    file, customer = Attachment(name="photo.jpg"), Customer(id="c1")
    first = Message(
        channel=CHAT,
        customer=customer,
        thread_id="t",
        subject="Broken",
        links=("https://a.example",),
    )
    more = Message(channel=CHAT, customer=customer, thread_id="t", attachments=(file,))
    for command in (ann(), ev.Submit(first, "q"), ev.Submit(more, "q"), ev.Accept(1)):
        engine.receive(command, 1)
    (queued,) = engine.receive(ev.Escalate(1, Channel.VIDEO, "https://room.example"), 2)
    assert queued.message == Message(
        channel=Channel.VIDEO,
        customer=customer,
        subject="Broken",
        links=("https://room.example", "https://a.example"),
        attachments=(file,),
    )
    pictures = [engine.interaction(name) for name in ("i1", "i2")]
    assert pictures[0].conversation_id == pictures[1].conversation_id
    assert pictures[1].parent_id == "i1"
