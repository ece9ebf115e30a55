"""The auditor finds what it should: planted faults in true streams, and engines that are wrong."""

from __future__ import annotations

import msgspec
import pytest

from engine.cases import walk
from engine.naive import WAITING, NaiveEngine
from engine.naive_overflow import Door
from omniroute import events as ev
from omniroute.engine.customers import channel_key
from omniroute.events import Kind, OfferKind, OwnStep, RejectReason, RevokeReason
from omniroute.model import Agent, Channel, Customer, Message, UpdateKind
from omniroute.plan import (
    Access,
    Callback,
    Capacity,
    Delivery,
    Limits,
    NewestFirst,
    OnExpiry,
    OnRequeue,
    Overflow,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    SenderRate,
    Step,
    WrapUp,
    WrapUpKind,
    dumps,
)
from omniroute.simulation import AuditError, Auditor, Law

ANN, BOB = Agent(id="ann", skills={"a": 2}), Agent(id="bob", skills={"a": 1})


def plan(limits=None, sender_rate=None, **queue):
    queue.setdefault("offer_timeout_ms", 100)
    return Plan(
        queues=[Queue(name="q", **queue)],
        limits=limits or Limits(),
        sender_rate=sender_rate or SenderRate(),
    )


def plans(*queues, limits=None, budget=2, **capacity):
    """A plan of several queues, each by its settings; agents carry two at once."""
    found = [Queue(name=f"q{number}", **queue) for number, queue in enumerate(queues)]
    capacities = [Capacity(budget=budget, **capacity)]
    return Plan(queues=found, capacities=capacities, limits=limits or Limits())


def submit(queue="q", steps=(), start_at_ms=None, **fields):
    message = Message(channel=Channel.VOICE, **fields)
    return ev.Submit(message, queue=queue, steps=steps, start_at_ms=start_at_ms)


def alone(agent_id):
    return (OwnStep(f'agent == "{agent_id}"', 600_000, direct=True),)


def story(the_plan, *commands):
    """The events of commands: the n-th at n milliseconds, or where its pair says."""
    engine, events = NaiveEngine(the_plan), []
    for number, given in enumerate(commands):
        command, now_ms = given if isinstance(given, tuple) else (given, number)
        events += engine.receive(command, now_ms)
    return events


def fault(the_plan, events, now_ms=None):
    """The law that the auditor says is broken, None when all is well."""
    auditor = Auditor(the_plan)
    try:
        auditor.audit(events)
        auditor.at_rest(now_ms)
    except AuditError as error:
        return error.law
    return None


# --- what is done to a true stream ------------------------------------------------------


def index(events, kind, which=0):
    return [number for number, event in enumerate(events) if isinstance(event, kind)][which]


def lose(kind, which=0):
    return lambda events: [*events[: (i := index(events, kind, which))], *events[i + 1 :]]


def double(kind, which=0):
    return lambda events: [*events[: (i := index(events, kind, which) + 1)], *events[i - 1 :]]


def cut(kind, which=0):
    """Lose it and all that came after."""
    return lambda events: events[: index(events, kind, which)]


def change(kind, which=0, **fields):
    def changed(events):
        at = index(events, kind, which)
        return [
            msgspec.structs.replace(event, **fields) if number == at else event
            for number, event in enumerate(events)
        ]

    return changed


def add(*added):
    return lambda events: [*events, *added]


WORKING = (ev.SignIn(ANN), submit(), submit(), ev.Accept(1), ev.Complete(1))
LADDER = {"ladder": [Step("a >= 3", for_ms=20), Step("a >= 4", for_ms=20), Step("a >= 5")]}
LENDING = {"ladder": [Step("b", for_ms=20, priority=5), Step()]}
QUICK = ev.SignIn(Agent(id="ann", wrap_up_ms=7))
APART = {"wrap_up": WrapUp(WrapUpKind.OPTIONAL, own_queue_only=True)}
WRAPS_UP = (ev.SignIn(ANN), submit("q0"), ev.Accept(1), ev.Complete(1))
WRAPPING = {"wrap_up": WrapUp(WrapUpKind.FORCED, 50)}
AFTER = {"refusal": Refusal(RefusalRule.AFTER, 30)}
ALL = {"refusal": Refusal(RefusalRule.ALL_DECLINED)}
OUT = {"on_expiry": OnExpiry.SIGN_OUT}
MESSAGE = Message(channel=Channel.VOICE)
DELAYED = {"access": [Access("a >= 2"), Access(after_ms=30), Access("a", after_ms=50)]}
OPENING = {"access": [Access("a >= 2", after_ms=10), Access(after_ms=30)]}
TWO = {"offers": 2}
PULL = {"delivery": Delivery.PULL}
END = {"on_requeue": OnRequeue.JOIN_END}
BOTH = (ev.SignIn(ANN), ev.SignIn(BOB), submit())
PICKED, ASSIGNED = OfferKind.PICKED, OfferKind.ASSIGNED
TEXT = Message(channel=Channel.VOICE, message_id="m", text="new")
EDITED = (submit(message_id="m"), ev.Update(TEXT, UpdateKind.EDITED, delivery_key="d"))
BEA = Customer(id="bea")
ONE = SenderRate(maxima={"voice": 1})
SHORT = {"max_wait_ms": 20}
WRAPPED = {"wrap_up": WrapUp(WrapUpKind.TIMED, 50, max_extension_ms=20)}
CALLS = {"callback": Callback(retry_ms=20, pace_ms=15)}
FULL = {"max_waiting": 1}
TURNED = plans({"overflow": [Overflow(when="waiting >= 1", queue="q1")]}, {})
BY_STEP = {"ladder": [Step(for_ms=20), Step(overflow=Overflow(reject="full"))]}
ON_BY_STEP = plans({"ladder": [Step(for_ms=20), Step(overflow=Overflow(queue="q1"))]}, {})
ONLY = {"ladder": [Step(for_ms=20), Step(for_ms=9, only_if="waiting >= 2"), Step()]}
NOBODY = {"refusal": Refusal(RefusalRule.ALL_DECLINED, overflow=Overflow(reject="no"))}
LEASE = (ev.SignIn(ANN, lease_ms=20),)
LATER = submit(start_at_ms=50)
PAIR = (ev.SignIn(ANN), ev.SignIn(BOB), submit(), ev.Accept(1))
CALLBACK = (submit(), ev.RequestCallback("i1"), ev.SignIn(ANN), ev.Accept(1), ev.FailCallback(1))
TICK = (ev.Tick(), 60)
LATE = (ev.Tick(), 101)

HERS = submit(customer=BEA)
ERASE = ev.EraseCustomer((channel_key(Channel.VOICE, "bea"),))


def to(the_plan):
    return ev.ChangePlan(dumps(the_plan))


FAULTS = [
    # time
    ("time goes back", plan(), WORKING, change(ev.Accepted, at_ms=1), Law.TIME),
    # states
    ("an arrival is lost", plan(), WORKING, lose(ev.Queued), Law.STATE),
    ("an arrival is doubled", plan(), WORKING, double(ev.Queued), Law.STATE),
    ("seq falls", plan(), WORKING, change(ev.Queued, 1, seq=1), Law.STATE),
    ("held twice", plan(), (*WORKING[:4], ev.Hold(1)), double(ev.Held), Law.STATE),
    ("resumed unheld", plan(), (*WORKING[:4], ev.Hold(1), ev.Resume(1)), lose(ev.Held), Law.STATE),
    ("completed twice", plan(), WORKING, double(ev.Completed), Law.STATE),
    ("requeued by another", plan(), (*WORKING[:4], ev.Requeue(1)), change(ev.Requeued, agent_id="bob"), Law.STATE),
    ("wrap-up is skipped", plan(**WRAPPING), (*WORKING, TICK), lose(ev.WrapUpStarted), Law.STATE),
    ("wrap-up is invented", plan(), WORKING[:4], add(ev.WrapUpStarted(4, 1, "i1", "ann", None)), Law.STATE),
    ("cancelled under an offer", plan(), (*WORKING[:2], ev.Cancel("i1")), lose(ev.Revoked), Law.STATE),
    ("a closed id gets a message", plan(), WORKING, add(ev.MessageAppended(4, "i1", MESSAGE)), Law.STATE),
    # agents
    ("signed in twice", plan(), WORKING, double(ev.SignedIn), Law.PRESENCE),
    ("ready twice", plan(), WORKING, double(ev.BecameReady), Law.PRESENCE),
    ("not ready twice", plan(), (ev.SignIn(ANN), ev.SetNotReady("ann")), double(ev.BecameNotReady), Law.PRESENCE),
    ("leaves with work", plan(), WORKING[:4], add(ev.SignedOut(3, "ann")), Law.PRESENCE),
    ("changed unknown", plan(), WORKING, add(ev.AgentChanged(4, BOB)), Law.PRESENCE),
    # offers
    ("accepted twice", plan(), WORKING, double(ev.Accepted), Law.OFFER),
    ("an offer is lost", plan(), WORKING, lose(ev.Offered), Law.OFFER),
    ("an offer number is left out", plan(), WORKING, change(ev.Offered, offer_id=2), Law.OFFER),
    ("accepted by another", plan(), WORKING, change(ev.Accepted, agent_id="bob"), Law.OFFER),
    ("declined and accepted", plan(), WORKING, lambda e: [*e[: (i := index(e, ev.Accepted))], ev.Declined(3, 1, "i1", "ann", "", -1), e[i]], Law.OFFER),
    ("two open offers", plan(), (ev.SignIn(ANN), ev.SignIn(BOB), submit()), add(ev.Offered(2, 2, "i1", "bob", 102)), Law.OFFER),
    ("offered too often", plan(Limits(max_offers=1)), (*WORKING[:2],), add(ev.Revoked(2, 1, "i1", "ann", RevokeReason.NOT_READY), ev.Offered(2, 2, "i1", "ann", 102)), Law.OFFER),
    # who
    ("offered to nobody", plan(), WORKING, change(ev.Offered, agent_id="bob"), Law.READY),
    ("offered to one not ready", plan(), WORKING[:3], lose(ev.BecameReady), Law.READY),
    ("offered to one who may not", plan(members="a >= 2"), (ev.SignIn(BOB), submit()), add(ev.Offered(1, 1, "i1", "bob", 101)), Law.REQUIREMENT),
    ("offered over capacity", plan(), WORKING[:4], add(ev.Offered(3, 2, "i2", "ann", 103)), Law.CAPACITY),
    ("offered more of a queue than it allows", plans({"max_per_agent": 1}), (ev.SignIn(ANN), submit("q0"), submit("q0")), add(ev.Offered(2, 2, "i2", "ann", 20_002)), Law.CAPACITY),
    ("withheld though it allows more", plans({"max_per_agent": 2}), (ev.SignIn(ANN), submit("q0"), submit("q0")), lose(ev.Offered, 1), Law.WORK),
    ("offered in the wrap-up of the queue", plans(APART), (*WRAPS_UP, submit("q0")), add(ev.Offered(4, 2, "i2", "ann", 20_004)), Law.CAPACITY),
    ("withheld in the wrap-up of another", plans(APART, {}, budget=1), (*WRAPS_UP, submit("q1")), lose(ev.Offered, 1), Law.WORK),
    ("a second open offer", plans({}, max_open_offers=1), (ev.SignIn(ANN), submit("q0"), submit("q0")), add(ev.Offered(2, 2, "i2", "ann", 20_002)), Law.CAPACITY),
    ("no next offer when he has accepted", plans({}, max_open_offers=1), (ev.SignIn(ANN), submit("q0"), submit("q0"), ev.Accept(1)), lose(ev.Offered, 1), Law.WORK),
    ("capacity is freed in secret", plan(), WORKING, lose(ev.Completed), Law.CAPACITY),
    ("order is inverted", plan(), (submit(), submit(), ev.SignIn(ANN)), change(ev.Offered, interaction_id="i2"), Law.ORDER),
    ("a change of order is lost", plan(), (submit(), submit(), ev.Reprioritize("i2", 1), ev.SignIn(ANN)), lose(ev.Reprioritized), Law.ORDER),
    ("the newest is not first", plan(order=NewestFirst()), (submit(), submit(), ev.SignIn(ANN)), change(ev.Offered, interaction_id="i1"), Law.ORDER),
    ("the held out goes first", plan(**TWO), (ev.SignIn(ANN), submit(), submit(), ev.SignIn(BOB)), change(ev.Offered, 1, interaction_id="i1"), Law.ORDER),
    ("another tier goes first", plans({"tier": 1}, {}), (submit("q0"), submit("q1"), ev.SignIn(ANN)), change(ev.Offered, interaction_id="i1"), Law.ORDER),
    ("his own tier is not kept", plans({"access": [Access("a", tier=2)]}, {"tier": 1}), (submit("q0"), submit("q1"), ev.SignIn(ANN)), change(ev.Offered, interaction_id="i1"), Law.ORDER),
    ("the older of another lane goes first", plans({}, {}), (submit("q0"), submit("q1"), ev.SignIn(ANN)), change(ev.Offered, interaction_id="i2"), Law.ORDER),
    ("a share is not kept", plans({"share": 1}, {"share": 3}), (submit("q0"), submit("q0"), submit("q1"), ev.SignIn(ANN)), change(ev.Offered, 1, interaction_id="i2"), Law.ORDER),
    ("keeps its place", plan(**END), (*WORKING[:4], ev.Requeue(1)), change(ev.Requeued, enqueued_at_ms=3), Law.ORDER),
    ("joins the end", plan(), (*WORKING[:4], ev.Requeue(1)), change(ev.Requeued, enqueued_at_ms=4), Law.ORDER),
    # access
    ("offered to one who has to wait", plan(**DELAYED), (ev.SignIn(BOB), submit()), add(ev.Offered(1, 1, "i1", "bob", 101)), Law.ACCESS),
    ("picked by one who has to wait", plan(**DELAYED, **PULL), (ev.SignIn(BOB), submit()), add(ev.Offered(1, 1, "i1", "bob", 101, PICKED)), Law.ACCESS),
    ("opened too early", plan(**DELAYED), (submit(), (ev.Tick(), 30)), change(ev.AccessWidened, at_ms=29), Law.ACCESS),
    ("opened twice", plan(**DELAYED), (submit(), (ev.Tick(), 30)), double(ev.AccessWidened), Law.ACCESS),
    ("an opening is left out", plan(**OPENING), (submit(), TICK), lose(ev.AccessWidened), Law.DEADLINE),
    ("an opening that is not", plan(**DELAYED), (submit(), TICK), add(ev.AccessWidened(60, "i1", 2)), Law.ACCESS),
    ("never opened", plan(**DELAYED), (submit(), (submit(), 61)), lose(ev.AccessWidened), Law.DEADLINE),
    ("an overdue opening", plan(access=[Access("a"), Access(after_ms=3)]), (*WORKING[:4], ev.Requeue(1)), lose(ev.AccessWidened), Law.DUTY),
    # refusals
    ("offered to one who declined", plan(), (*WORKING[:2], ev.Decline(1)), add(ev.Offered(2, 2, "i1", "ann", 102)), Law.REFUSAL),
    ("barred for too short", plan(**AFTER), (*WORKING[:2], ev.Decline(1)), change(ev.Declined, again_at_ms=5), Law.REFUSAL),
    ("not barred", plan(), (*WORKING[:2], ev.Decline(1)), change(ev.Declined, again_at_ms=None), Law.REFUSAL),
    ("reset early", plan(**AFTER), (*WORKING[:2], ev.Decline(1), TICK), change(ev.RefusalsReset, at_ms=20), Law.REFUSAL),
    ("reset for all, some did not decline", plan(**ALL), (ev.SignIn(ANN), ev.SignIn(BOB), submit(), ev.Decline(1)), add(ev.RefusalsReset(3, "i1")), Law.REFUSAL),
    ("never reset though all declined", plan(**ALL), (*WORKING[:2], ev.Decline(1)), cut(ev.RefusalsReset), Law.REFUSAL),
    # deadlines
    ("an endless offer", plan(), WORKING, change(ev.Offered, expires_at_ms=10_000), Law.DEADLINE),
    ("accepted after the deadline", plan(), WORKING[:2], add(ev.Accepted(101, 1, "i1", "ann")), Law.DEADLINE),
    ("expired early", plan(), WORKING[:2], add(ev.Expired(9, 1, "i1", "ann")), Law.DEADLINE),
    ("never expired", plan(), (*WORKING[:2], LATE, (ev.SetReady("ann"), 102)), lambda e: [*e[:4], e[-1]], Law.DEADLINE),
    ("a step never ends", plan(**LADDER), (submit(), TICK, (submit(), 61)), lambda e: [e[0], e[-1]], Law.DEADLINE),
    ("a refusal never ends", plan(**AFTER), (*WORKING[:2], ev.Decline(1), TICK, (submit(), 61)), lambda e: [*e[:5], e[-1]], Law.DEADLINE),
    ("a wrap-up never ends", plan(**WRAPPING), (*WORKING[:2], ev.Accept(1), ev.Complete(1), TICK, (submit(), 61)), lose(ev.Completed), Law.DEADLINE),
    ("a wrap-up is longer than he needs", plan(**WRAPPING), (QUICK, *WORKING[1:]), change(ev.WrapUpStarted, until_ms=54), Law.DEADLINE),
    ("a wrap-up of no time", plan(**WRAPPING), (ev.SignIn(Agent(id="ann", wrap_up_ms=0)), *WORKING[1:]), add(ev.WrapUpStarted(4, 2, "i2", "ann", 4)), Law.STATE),
    ("a wrap-up is longer than planned", plan(**WRAPPING), WORKING, change(ev.WrapUpStarted, until_ms=1_000), Law.DEADLINE),
    # ladder
    ("a step too early", plan(**LADDER), (submit(), TICK), change(ev.StepReached, at_ms=19), Law.LADDER),
    ("a step is left out", plan(**LADDER), (submit(), TICK), lose(ev.StepReached), Law.DEADLINE),
    ("a step is jumped over", plan(**LADDER), (submit(), (ev.Tick(), 20)), change(ev.StepReached, step=2), Law.LADDER),
    ("a step beyond the last", plan(**LADDER), (submit(), TICK), change(ev.StepReached, 1, step=3), Law.LADDER),
    ("an overdue step", plan(ladder=[Step(for_ms=2), Step()]), (*WORKING[:4], ev.Requeue(1)), lose(ev.StepReached), Law.DUTY),
    ("an own step is left out", plan(), (submit(steps=(OwnStep("b", 20),)), TICK, (submit(), 61)), lose(ev.StepReached), Law.DEADLINE),
    ("a step lends nothing", plan(**LENDING), (submit(),), lose(ev.Reprioritized), Law.DUTY),
    ("a step lends too much", plan(**LENDING), (submit(),), change(ev.Reprioritized, priority=6), Law.LADDER),
    ("what is lent is not given back", plan(**LENDING), (submit(), TICK), lose(ev.Reprioritized, 1), Law.DUTY),
    ("a step that lends nothing does", plan(**LENDING), (submit(), TICK), change(ev.Reprioritized, 1, for_step=True), Law.LADDER),
    ("an own step is invented", plan(), (submit(),), add(ev.StepReached(0, "i1", 1)), Law.LADDER),
    # pick, assign, move
    ("an offer above their number", plan(**TWO), (*BOTH, ev.SignIn(Agent(id="cid"))), add(ev.Offered(3, 3, "i1", "cid", 103)), Law.OFFER),
    ("one agent has both offers", plan(**TWO), (ev.SignIn(ANN), submit()), add(ev.Offered(1, 2, "i1", "ann", 101)), Law.OFFER),
    ("two acceptances", plan(**TWO), (*BOTH, ev.Accept(1)), change(ev.Revoked, reason=RevokeReason.NOT_READY), Law.OFFER),
    ("taken by nobody", plan(), BOTH, add(ev.Revoked(2, 1, "i1", "ann", RevokeReason.TAKEN)), Law.OFFER),
    ("pushed where agents pick", plan(**PULL), (ev.SignIn(ANN), submit()), add(ev.Offered(1, 1, "i1", "ann", 101)), Law.OFFER),
    ("picked where nobody picks", plan(), (ev.SignIn(ANN), submit()), change(ev.Offered, how=PICKED), Law.OFFER),
    ("picked by one not ready", plan(**PULL), (ev.SignIn(ANN, ready=False), submit()), add(ev.Offered(1, 1, "i1", "ann", 101, PICKED)), Law.READY),
    ("picked by one who may not", plan(members="a >= 2", **PULL), (ev.SignIn(BOB), submit()), add(ev.Offered(1, 1, "i1", "bob", 101, PICKED)), Law.REQUIREMENT),
    ("picked over capacity", plan(**PULL), (ev.SignIn(ANN), submit(), submit(), ev.Pick("i1", "ann")), add(ev.Offered(3, 2, "i2", "ann", 103, PICKED)), Law.CAPACITY),
    ("assigned over capacity, unsaid", plan(), (*WORKING[:4], ev.Assign("i2", "ann")), change(ev.Offered, 1, over_capacity=False), Law.CAPACITY),
    ("assigned within capacity, said to be over", plan(**PULL), (ev.SignIn(ANN), submit(), ev.Assign("i1", "ann")), change(ev.Offered, over_capacity=True), Law.CAPACITY),
    ("assigned to a stranger", plan(**PULL), (ev.SignIn(ANN), submit(), ev.Assign("i1", "ann")), change(ev.Offered, agent_id="bob"), Law.READY),
    ("moved under an offer", plan(), (*WORKING[:2], ev.Move("i1", "q")), lose(ev.Revoked), Law.STATE),
    ("moved from his hands", plan(), WORKING[:4], add(ev.Moved(3, "i1", "q", 0)), Law.STATE),
    ("moved into a queue that is not", plan(), (submit(), ev.Move("i1", "q")), change(ev.Moved, queue="nowhere"), Law.ADMISSION),
    ("moved with a priority that is not", plan(), (submit(), ev.Move("i1", "q")), change(ev.Moved, priority=100), Law.ADMISSION),
    ("enqueued in the future", plan(), (submit(), ev.Reprioritize("i1", enqueued_at_ms=1)), change(ev.Reprioritized, enqueued_at_ms=2), Law.ADMISSION),
    # set aside
    ("scheduled twice", plan(), (LATER,), double(ev.Scheduled), Law.STATE),
    ("started early", plan(), (LATER, TICK), change(ev.Started, at_ms=49), Law.DEADLINE),
    ("never started", plan(), (LATER, TICK, (submit(), 61)), lose(ev.Started), Law.DEADLINE),
    ("scheduled for now", plan(), (LATER,), change(ev.Scheduled, starts_at_ms=0), Law.DEADLINE),
    ("too much is scheduled", plan(Limits(max_set_aside=1)), (LATER,), add(ev.Queued(0, "i2", 2, MESSAGE, "q", 0), ev.Scheduled(0, "i2", 9)), Law.ADMISSION),
    ("too much is parked", plan(Limits(max_set_aside=1)), (LATER, *PAIR), add(ev.Parked(4, 1, "i2", "ann")), Law.ADMISSION),
    ("rejected though there is room aside", plan(), (LATER,), add(ev.Rejected(0, "i2", MESSAGE, RejectReason.SET_ASIDE_FULL, "q")), Law.ADMISSION),
    ("it waits for good", plan(**SHORT), (submit(), TICK, (submit(), 61)), lose(ev.Cancelled), Law.DEADLINE),
    ("it comes back too late, and waits on", plan(max_wait_ms=2), (*PAIR, (ev.Requeue(1), 9)), cut(ev.Cancelled), Law.DUTY),
    ("parked by nobody", plan(), (submit(),), add(ev.Parked(0, 1, "i1", "ann")), Law.STATE),
    ("parked in secret", plan(), (*WORKING[:4], ev.Park(1)), lose(ev.Parked), Law.CAPACITY),
    ("unparked for another", plan(), (*PAIR, ev.Park(1), ev.Unpark("i1")), change(ev.Unparked, agent_id="bob"), Law.STATE),
    ("unparked for everybody", plan(), (*PAIR, ev.Park(1), ev.Unpark("i1")), change(ev.Unparked, steps=()), Law.LADDER),
    ("never comes back", plan(), (*PAIR, ev.Park(1, 30), TICK), lambda e: [*e[: index(e, ev.Unparked)], ev.AgentChanged(61, ANN)], Law.DEADLINE),
    ("a message does not bring it back", plan(), (ev.SignIn(ANN), submit(thread_id="t"), ev.Accept(1), ev.Park(1), submit(thread_id="t")), cut(ev.Unparked), Law.DUTY),
    ("in front for nothing", plan(), (submit(),), change(ev.Queued, front=True), Law.ORDER),
    # given to others
    ("transferred to himself", plan(), (*PAIR, ev.Transfer(1, agent_id="bob")), change(ev.Transferred, steps=alone("ann")), Law.LADDER),
    ("transferred to nowhere", plan(), (*PAIR, ev.Transfer(1, "q")), change(ev.Transferred, queue="nowhere"), Law.ADMISSION),
    ("transferred, and not barred", plan(), (*PAIR, ev.Transfer(1, "q")), change(ev.Transferred, again_at_ms=None), Law.REFUSAL),
    ("a consult of nobody's", plan(), (*PAIR, ev.Consult(1, "q")), change(ev.Queued, 1, parent_id="i9"), Law.STATE),
    ("a second consult", plan(), (*PAIR, ev.Consult(1, "q")), add(ev.Queued(5, "i3", 3, MESSAGE, "q", 0, kind=Kind.CONSULT, parent_id="i1")), Law.STATE),
    ("a consult with a thread", plan(), (*PAIR, ev.Consult(1, "q")), change(ev.Queued, 1, message=Message(channel=Channel.VOICE, thread_id="t")), Law.MESSAGE),
    ("a consult waits on", plan(), (ev.SignIn(ANN), submit(), ev.Accept(1), ev.Consult(1, "q"), ev.Complete(1)), lose(ev.Cancelled), Law.STATE),
    ("handed over to a stranger", plan(), (*PAIR, ev.Consult(1, "q"), ev.Accept(2), ev.HandOver(1)), change(ev.HandedOver, to_agent_id="ann"), Law.STATE),
    ("handed over without a number", plan(), (*PAIR, ev.Consult(1, "q"), ev.Accept(2), ev.HandOver(1)), change(ev.HandedOver, offer_id=9), Law.OFFER),
    ("handed over, but not", plan(**WRAPPED), (*PAIR, ev.Consult(1, "q"), ev.Accept(2), ev.HandOver(1)), lose(ev.HandedOver), Law.DUTY),
    ("a conference of one", plan(), PAIR, add(ev.Conferenced(3, 1, "i1", "i2")), Law.STATE),
    ("an escalation at the end", plan(), (*PAIR, ev.Escalate(1, Channel.VIDEO)), change(ev.Queued, 1, front=False), Law.ORDER),
    ("an escalation for anybody", plan(), (*PAIR, ev.Escalate(1, Channel.VIDEO)), change(ev.Queued, 1, steps=()), Law.LADDER),
    # called back
    ("called back twice", plan(), CALLBACK[:2], double(ev.CallbackRequested), Law.STATE),
    ("called back, but not then", plan(), (submit(), ev.RequestCallback("i1", due_at_ms=9)), cut(ev.Scheduled), Law.DUTY),
    ("no callback, and fails", plan(), PAIR, add(ev.CallbackFailed(3, 1, "i1", "ann", 900_003)), Law.STATE),
    ("again too early", plan(**CALLS), CALLBACK, change(ev.CallbackFailed, due_at_ms=9), Law.DEADLINE),
    ("two call back at once", plan(**CALLS), (submit(), submit(), ev.RequestCallback("i1", due_at_ms=20), ev.RequestCallback("i2", due_at_ms=20), TICK), lose(ev.Postponed), Law.DEADLINE),
    ("postponed for nothing", plan(**CALLS), (submit(), submit(), ev.RequestCallback("i1", due_at_ms=20), ev.RequestCallback("i2", due_at_ms=20), TICK), change(ev.Postponed, until_ms=36), Law.DEADLINE),
    ("a wrap-up is extended too far", plan(**WRAPPED), (*PAIR, ev.Complete(1), ev.ExtendWrapUp(1, 20)), change(ev.WrapUpExtended, until_ms=999), Law.DEADLINE),
    ("an extended wrap-up never ends", plan(**WRAPPED), (*PAIR, ev.Complete(1), ev.ExtendWrapUp(1, 20), (ev.Tick(), 100), (submit(), 101)), lose(ev.Completed), Law.DEADLINE),
    ("a code that is not", plan(codes=("done",)), (*PAIR, ev.Complete(1, "done")), change(ev.Completed, code="odd"), Law.STATE),
    # overflow
    ("stays where the rules send it on", TURNED, (submit("q0"), submit("q0")), change(ev.Queued, 1, queue="q0", via=()), Law.ADMISSION),
    ("sent on for nothing", TURNED, (submit("q0"), submit("q0")), lambda e: [msgspec.structs.replace(e[1], interaction_id="i1", seq=1)], Law.ADMISSION),
    ("sent where no rule leads", plans({}, {}), (submit("q0"),), change(ev.Queued, queue="q1", via=("q0",)), Law.ADMISSION),
    ("sent back", TURNED, (submit("q0"), submit("q0")), change(ev.Queued, 1, queue="q0", via=("q0",)), Law.ADMISSION),
    ("rejected by no rule", plan(), (), add(ev.Rejected(0, "i1", MESSAGE, RejectReason.OVERFLOW, "q", "full")), Law.ADMISSION),
    ("into a drained queue", plan(), (submit(), ev.Drain("q")), add(ev.Queued(1, "i2", 2, MESSAGE, "q", 0)), Law.ADMISSION),
    ("rejected by a queue that is open", plan(), (), add(ev.Rejected(0, "i1", MESSAGE, RejectReason.QUEUE_DRAINING, "q")), Law.ADMISSION),
    ("drained twice", plan(), (ev.Drain("q"),), double(ev.QueueDrained), Law.STATE),
    ("reopened, but it was open", plan(), (ev.Drain("q"), ev.Reopen("q")), lose(ev.QueueDrained), Law.STATE),
    ("a step's rule ends it, but not", plan(**BY_STEP), (submit(), (ev.Tick(), 20)), cut(ev.Cancelled), Law.DUTY),
    ("a step's rule moves it, but not", ON_BY_STEP, (submit("q0"), (ev.Tick(), 20)), cut(ev.Moved), Law.DUTY),
    ("a step whose condition fails", plan(**ONLY), (submit(), (ev.Tick(), 20)), change(ev.StepReached, step=1), Law.LADDER),
    ("a step is passed over for nothing", plan(**ONLY), (submit(), submit(), (ev.Tick(), 20)), change(ev.StepReached, step=2), Law.LADDER),
    ("asked again, and not sent on", plan(**NOBODY), (ev.SignIn(ANN), submit(), ev.Decline(1)), lambda e: [*e[:-1], ev.RefusalsReset(2, "i1")], Law.REFUSAL),
    ("over the limit, and nobody is free", plan(**FULL), (submit(), ev.SignIn(ANN, ready=False)), add(ev.Queued(1, "i2", 2, MESSAGE, "q", 0)), Law.ADMISSION),
    # leases
    ("a lease never ends", plan(), (*LEASE, TICK), lambda e: [*e[:-1], ev.AgentChanged(60, ANN)], Law.DEADLINE),
    ("a lease is renewed for too long", plan(), (*LEASE, ev.Renew("ann")), change(ev.LeaseRenewed, until_ms=99), Law.DEADLINE),
    ("no lease, and renewed", plan(), (ev.SignIn(ANN),), add(ev.LeaseRenewed(0, "ann", 20)), Law.PRESENCE),
    # limits
    ("over the limit of the queue", plan(max_waiting=1), (submit(), submit()), lambda e: [e[0], ev.Queued(1, "i2", 2, MESSAGE, "q", 0)], Law.ADMISSION),
    ("rejected though there is room", plan(), (submit(),), add(ev.Rejected(1, "i2", MESSAGE, RejectReason.QUEUE_FULL, "q")), Law.ADMISSION),
    ("over the limit of agents", plan(Limits(max_agents=1)), (ev.SignIn(ANN),), add(ev.SignedIn(1, BOB)), Law.ADMISSION),
    ("a queue that is not", plan(), (submit(),), change(ev.Queued, queue="nowhere"), Law.ADMISSION),
    ("a priority that is not", plan(), (submit(),), change(ev.Queued, priority=100), Law.ADMISSION),
    # messages
    ("a repeat is routed", plan(), (submit(message_id="m"), submit()), change(ev.Queued, 1, message=Message(channel=Channel.VOICE, message_id="m")), Law.MESSAGE),
    ("a repeat of nothing", plan(), (submit(message_id="m"), submit(message_id="m")), change(ev.Duplicate, message_id="n"), Law.MESSAGE),
    ("an open thread is opened again", plan(), (submit(thread_id="t"), submit()), change(ev.Queued, 1, message=Message(channel=Channel.VOICE, thread_id="t")), Law.MESSAGE),
    ("a message joins a stranger", plan(), (submit(), submit(thread_id="t"), submit(thread_id="t")), change(ev.MessageAppended, interaction_id="i1"), Law.MESSAGE),
    ("a message is shown to a stranger", plan(), (*WORKING[:1], submit(thread_id="t"), submit(thread_id="t")), change(ev.MessageAppended, agent_id="bob"), Law.MESSAGE),
    # what is said of messages and senders
    ("an edit of a message that is not there", plan(), EDITED, change(ev.MessageEdited, message=MESSAGE), Law.MESSAGE),
    ("an edit is applied twice", plan(), EDITED, double(ev.MessageEdited), Law.MESSAGE),
    ("a redacted message is edited", plan(), (*EDITED, ev.Update(TEXT, UpdateKind.DELETED)), lambda e: [*e, msgspec.structs.replace(e[1], at_ms=9, delivery_key="e")], Law.MESSAGE),
    ("an edit is shown to a stranger", plan(), EDITED, change(ev.MessageEdited, agent_id="bob"), Law.MESSAGE),
    ("an update is noted twice", plan(), (ev.Update(TEXT, UpdateKind.EDITED, delivery_key="d"),), double(ev.UpdateNoted), Law.MESSAGE),
    ("a delivery is routed twice", plan(), (submit(), submit()), lambda e: [msgspec.structs.replace(event, delivery_key="d") for event in e], Law.MESSAGE),
    ("a sender over the rate is routed", plan(sender_rate=ONE), (submit(customer=BEA), submit()), change(ev.Queued, 1, message=Message(channel=Channel.VOICE, customer=BEA)), Law.ADMISSION),
    ("a sender within the rate is refused", plan(), (submit(customer=BEA),), add(ev.Rejected(1, "i2", Message(channel=Channel.VOICE, customer=BEA), RejectReason.SENDER_RATE)), Law.ADMISSION),
    ("customers are linked in secret", plan(), (submit(),), add(ev.CustomersLinked(1, "a", ("b", "c"))), Law.MESSAGE),
    ("customers are linked twice", plan(), (submit(),), add(ev.CustomersLinked(1, "b", ("b", "c")), ev.CustomersLinked(1, "b", ("b", "c"))), Law.MESSAGE),
    # answers
    *[
        (f"a false {reason}", plan(), WORKING[:4], add(ev.CommandRejected(3, "any", subject, reason)), Law.ANSWER)
        for reason, subject in [
            (RejectReason.UNKNOWN_ASSIGNMENT, "1"),
            (RejectReason.UNKNOWN_INTERACTION, "i1"),
            (RejectReason.NOT_SIGNED_IN, "ann"),
            (RejectReason.ALREADY_SIGNED_IN, "bob"),
            (RejectReason.AGENTS_EXHAUSTED, "bob"),
            (RejectReason.ID_IN_USE, "i9"),
        ]
    ],
    ("a false unknown_offer", plan(), WORKING[:2], add(ev.CommandRejected(3, "accept", "1", RejectReason.UNKNOWN_OFFER)), Law.ANSWER),
    ("a false not_pulled", plan(**PULL), (submit(),), add(ev.CommandRejected(0, "pick", "i1", RejectReason.NOT_PULLED)), Law.ANSWER),
    # duties
    ("taken, and still offered", plan(**TWO), (*BOTH, ev.Accept(1)), cut(ev.Revoked), Law.DUTY),
    ("picked, but not accepted", plan(**PULL), (ev.SignIn(ANN), submit(), ev.Pick("i1", "ann")), cut(ev.Accepted), Law.DUTY),
    ("assigned, but not accepted", plan(), (ev.SignIn(ANN, ready=False), submit(), ev.Assign("i1", "ann")), cut(ev.Accepted), Law.DUTY),
    ("not accepted by itself", plan(auto_accept=True), (ev.SignIn(ANN), submit()), cut(ev.Accepted), Law.DUTY),
    ("moved, but not", plan(), (*WORKING[:2], ev.Move("i1", "q")), cut(ev.Moved), Law.DUTY),
    ("moved, and its step is overdue", plan(ladder=[Step(until_ms=2), Step("a >= 9")]), (submit(), submit(), (ev.Move("i1", "q"), 5)), lose(ev.StepReached, 2), Law.DUTY),
    ("keeps its place, and its agent stays", plan(**END), (*WORKING[:4], ev.Requeue(1)), change(ev.Requeued, enqueued_at_ms=None), Law.DUTY),
    ("not open to him any more, and still offered", plan(**DELAYED), (*WORKING[:2], ev.ChangeAgent(Agent(id="ann"))), cut(ev.Revoked), Law.DUTY),
    ("cancelled, but not", plan(), (*WORKING[:2], ev.Cancel("i1")), cut(ev.Cancelled), Law.DUTY),
    ("abandoned, but not", plan(), (*WORKING[:2], ev.Abandon("i1")), cut(ev.Abandoned), Law.DUTY),
    ("out of offers, but not", plan(Limits(max_offers=1)), (*WORKING[:2], ev.Decline(1)), cut(ev.Cancelled), Law.DUTY),
    ("no answer, and still ready", plan(), (*WORKING[:2], LATE), cut(ev.BecameNotReady), Law.DUTY),
    ("no answer, and still signed in", plan(**OUT), (*WORKING[:2], LATE), cut(ev.SignedOut), Law.DUTY),
    ("not ready, and still offered", plan(), (*WORKING[:2], ev.SetNotReady("ann")), cut(ev.Revoked), Law.DUTY),
    ("not eligible, and still offered", plan(members="a >= 2"), (*WORKING[:2], ev.ChangeAgent(Agent(id="ann"))), cut(ev.Revoked), Law.DUTY),
    ("requeued unbarred, and stays", plan(), (*WORKING[:2], ev.Accept(1), ev.Requeue(1)), change(ev.Requeued, again_at_ms=None), Law.DUTY),
    ("a forced wrap-up ends early", plan(**WRAPPING), (*WORKING[:4], ev.Complete(1)), add(ev.Completed(4, 1, "i1", "ann")), Law.DUTY),
    # another plan
    ("a change of plan is lost", plan(), (submit(), to(plan()), to(plan())), lose(ev.PlanChanged), Law.STATE),
    ("a step is over by the new plan", plan(), (submit(), (to(plan(ladder=[Step(until_ms=20), Step()])), 50)), cut(ev.StepReached), Law.DUTY),
    ("a step has an end now", plan(), (submit(), to(plan(**LADDER)), (ev.Tick(), 90)), lose(ev.StepReached), Law.DEADLINE),
    ("a step ends as it would have", plan(**LADDER), (submit(), to(plan(ladder=[Step(for_ms=70), Step()])), (ev.Tick(), 90)), change(ev.StepReached, at_ms=71), Law.DEADLINE),
    ("a delay is over by the new plan", plan(), (submit(), (to(plan(**DELAYED)), 50)), cut(ev.AccessWidened), Law.DUTY),
    ("a delay is to come by the new plan", plan(), (submit(), to(plan(**DELAYED)), (submit(), 50)), lose(ev.AccessWidened), Law.DEADLINE),
    ("offered to one who was a member", plan(), (submit(), to(plan(members="a >= 3")), ev.SignIn(ANN)), add(ev.Offered(2, 1, "i1", "ann", 102)), Law.REQUIREMENT),
    ("offered beside his new capacity", plans({}), (ev.SignIn(ANN), submit("q0"), submit("q0"), submit("q0"), ev.Accept(1), to(Plan(queues=[Queue(name="q0")]))), add(ev.Offered(5, 3, "i3", "ann", 20_005)), Law.CAPACITY),
    ("a free agent who is a member now", plan(members="a >= 3"), (ev.SignIn(ANN), submit(), to(plan())), cut(ev.Offered), Law.WORK),
    ("all have refused by the new rule", plan(), (*WORKING[:2], ev.Decline(1), to(plan(**ALL))), cut(ev.RefusalsReset), Law.REFUSAL),
    ("barred for good by a rule for a time", plan(), (*WORKING[:2], ev.Decline(1), to(plan(**AFTER))), cut(ev.Offered, 1), Law.WORK),
    ("an offer ends by the new plan", plan(), (*WORKING[:2], to(plan(offer_timeout_ms=50)), LATE), change(ev.Expired, at_ms=52), Law.DEADLINE),
    # forgetting
    ("nothing of his is forgotten", plan(), (HERS, ERASE), change(ev.CustomerErased, redacted=()), Law.MESSAGE),
    ("another's is forgotten too", plan(), (HERS, submit(), ERASE), change(ev.CustomerErased, redacted=(("i1", (0,)), ("i2", (0,)))), Law.MESSAGE),
    ("what was asked about it is not", plan(), (*PAIR, ev.Consult(1), ev.EraseCustomer(interaction_id="i1")), change(ev.CustomerErased, redacted=(("i1", (0,)),)), Law.MESSAGE),
    ("its key is not", plan(), (HERS, ERASE), change(ev.CustomerErased, keys=ERASE.keys), Law.MESSAGE),
    # at rest
    ("a free agent beside work", plan(), (submit(), ev.SignIn(ANN)), cut(ev.Offered), Law.WORK),
    ("a freed agent beside work", plan(), WORKING, lambda e: e[:-1], Law.WORK),
    ("an agent beside work that may be offered to one more", plan(**TWO), BOTH, cut(ev.Offered, 1), Law.WORK),
    ("an agent beside work that is open to him now", plan(**DELAYED), (ev.SignIn(BOB), submit(), TICK), cut(ev.Offered), Law.WORK),
]  # fmt: skip


@pytest.mark.parametrize(
    ("the_plan", "commands", "mutate", "law"),
    [pytest.param(*case, id=name) for name, *case in FAULTS],
)
def test_a_planted_fault_is_found(the_plan, commands, mutate, law):
    events = story(the_plan, *commands)
    assert fault(the_plan, events) is None
    assert fault(the_plan, mutate(events)) == law


def test_every_law_but_the_books_own_is_planted():
    assert {law for *_, law in FAULTS} == set(Law) - {Law.COUNT}


def test_the_books_must_balance():
    the_plan = plan()
    auditor = Auditor(the_plan)
    auditor.audit(story(the_plan, *WORKING))
    auditor.at_rest()
    auditor._books.ended -= 1
    with pytest.raises(AuditError, match="admitted 2, open 1, ended 0") as caught:
        auditor.at_rest()
    assert caught.value.law is Law.COUNT


def test_a_deadline_that_passed_in_silence_is_found_at_rest():
    the_plan = plan()
    events = story(the_plan, *WORKING[:2])
    assert fault(the_plan, events, now_ms=101) is None
    assert fault(the_plan, events, now_ms=102) is Law.DEADLINE


def test_the_error_says_law_event_and_detail():
    the_plan = plan()
    events = [*story(the_plan, *WORKING[:1]), ev.Queued(9, "i1", 1, MESSAGE, "q", 0)]
    auditor = Auditor(the_plan)
    auditor.audit(events)
    with pytest.raises(AuditError) as caught:
        auditor.at_rest()
    assert caught.value.event == events[-1]
    assert str(caught.value).startswith("law 'work': 'ann' is free and 'i1' waits; at Queued(")


# --- generated ----------------------------------------------------------------------------

#: Those that may truly come twice in a row.
REPEATABLE = (
    ev.Quarantined,
    ev.Rejected,
    ev.Duplicate,
    ev.MessageAppended,
    ev.MessageEdited,
    ev.UpdateNoted,
    ev.Reprioritized,
    ev.Moved,
    ev.Conferenced,
    ev.AgentChanged,
    ev.LeaseRenewed,
    ev.CommandRejected,
)


@pytest.mark.parametrize("seed", range(10))
def test_any_other_event_that_comes_twice_is_found(seed):
    the_plan, _, batches = walk(seed, 100)
    events = [event for batch in batches for event in batch]
    for number, event in enumerate(events):
        may_repeat = isinstance(event, REPEATABLE) or getattr(event, "redacted", None) == ()
        if not may_repeat and number % 5 == seed % 5:
            assert fault(the_plan, [*events[: number + 1], event]) is not None, event


class IgnoresCapacity(NaiveEngine):
    def has_room(self, person, item):
        return len(self.load(person)) < 5


class IgnoresPresence(NaiveEngine):
    def eligible(self, person, item):
        ready, person.ready = person.ready, True
        found = super().eligible(person, item)
        person.ready = ready
        return found


class IgnoresRefusals(NaiveEngine):
    def eligible(self, person, item):
        barred, item.barred = item.barred, set()
        found = super().eligible(person, item)
        item.barred = barred
        return found


class IgnoresRequirements(NaiveEngine):
    def satisfies(self, person, item, step=None):
        return True


class IgnoresAccess(NaiveEngine):
    def has_access(self, person, item):
        return True


class NeverOpens(NaiveEngine):
    def widen(self, item):
        pass


class LastComeFirstServed(NaiveEngine):
    def key(self, item):
        return tuple(-part for part in super().key(item))


class IgnoresTiersAndShares(NaiveEngine):
    def best_for(self, person, found):
        return min(found, key=self.place)


class LeavesOtherOffersOpen(NaiveEngine):
    def revoke_all(self, item, reason):
        return [] if reason is RevokeReason.TAKEN else super().revoke_all(item, reason)


class OffersToOne(NaiveEngine):
    def is_open(self, item):
        return super().is_open(item) and item.state is WAITING


class PushesWhereAgentsPick(NaiveEngine):
    def is_open(self, item):
        return self.may_be_offered(item)


class ForgetsToAccept(NaiveEngine):
    def hold_out(self, person, item):
        self.offer(person, item)


class ForgetsTheFreed(NaiveEngine):
    def match(self, people=(), items=(), but=None):
        super().match(items=items, but=but)


class ForgetsTheArrived(NaiveEngine):
    def match(self, people=(), items=(), but=None):
        super().match(people=people)


class NeverExpires(NaiveEngine):
    def expire(self, item, offer_id):
        pass


class NeverClimbs(NaiveEngine):
    def fire(self, what):
        if what[0] == "step":
            del self.timers[what]
        else:
            super().fire(what)


class NeverResets(NaiveEngine):
    def reset_refusals(self, items=None):
        return []


class NeverTiresOfOffering(NaiveEngine):
    def offer(self, person, item, *how, **fields):
        offer_id = super().offer(person, item, *how, **fields)
        item.offers = 0
        return offer_id


class NeverStarts(NaiveEngine):
    def start(self, item):
        pass


class NeverDies(NaiveEngine):
    def die(self, item):
        pass


class LetsConsultsWait(NaiveEngine):
    def end_consult(self, item):
        return []


class IgnoresOverflow(NaiveEngine):
    def overflow(self, item, rule):
        pass


class IgnoresTheRulesAtTheDoor(NaiveEngine):
    def at_the_door(self, queue, requirement, message, own):
        return Door(queue, requirement)


class NoMemoryForMessages(NaiveEngine):
    def is_duplicate(self, message, *, by_message=True):
        return False


class IgnoresTheRate(NaiveEngine):
    def is_over_rate(self, message):
        return False


class NoMemoryForThreads(NaiveEngine):
    def open_thread(self, message):
        return None


class LosesTheOffered(NaiveEngine):
    """What was not answered is never seen again."""

    def end_offer(self, item, offer_id, kind, **fields):
        person = super().end_offer(item, offer_id, kind, **fields)
        if kind is ev.Expired and item.state is WAITING:
            self.forget(item)
        return person


#: Each with the law that names its fault best; it may break others on the way.
WRONG = [
    (IgnoresCapacity, Law.CAPACITY),
    (IgnoresPresence, Law.READY),
    (IgnoresRefusals, Law.REFUSAL),
    (IgnoresRequirements, Law.REQUIREMENT),
    (IgnoresAccess, Law.ACCESS),
    (NeverOpens, Law.DEADLINE),
    (LastComeFirstServed, Law.ORDER),
    (IgnoresTiersAndShares, Law.ORDER),
    (LeavesOtherOffersOpen, Law.DUTY),
    (OffersToOne, Law.WORK),
    (PushesWhereAgentsPick, Law.OFFER),
    (ForgetsToAccept, Law.DUTY),
    (ForgetsTheFreed, Law.WORK),
    (ForgetsTheArrived, Law.WORK),
    (NeverExpires, Law.DEADLINE),
    (NeverClimbs, Law.DEADLINE),
    (NeverResets, Law.REFUSAL),
    (NeverTiresOfOffering, Law.DUTY),
    (LosesTheOffered, Law.WORK),
    (NeverStarts, Law.DEADLINE),
    (NeverDies, Law.DEADLINE),
    (LetsConsultsWait, Law.STATE),
    (IgnoresOverflow, Law.DUTY),
    (IgnoresTheRulesAtTheDoor, Law.ADMISSION),
    (NoMemoryForMessages, Law.MESSAGE),
    (NoMemoryForThreads, Law.MESSAGE),
    (IgnoresTheRate, Law.ADMISSION),
]


@pytest.mark.parametrize(("wrong", "law"), WRONG)
def test_an_engine_that_is_wrong_is_caught(wrong, law):
    found = set()
    for seed in range(200):
        try:
            the_plan, commands, batches = walk(seed, 120, wrong)
        except KeyError:
            continue  # it has found out by itself
        auditor = Auditor(the_plan)
        try:
            for (_, now_ms), batch in zip(commands, batches, strict=True):
                auditor.audit(batch)
                auditor.at_rest(now_ms)
        except AuditError as error:
            found.add(error.law)
        if law in found:
            return
    assert law in found
