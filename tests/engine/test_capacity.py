"""Room: the capacity models of the field as worked examples, and loads against a naive recount.

A trace is what arrives one after another at one agent: "chat" one that he is offered (and accepts),
"-chat" one that he completes, "no chat" one that he is not offered (it is cancelled). Each trace is
played by the engine and by the slow model, and every event is audited.
"""

from __future__ import annotations

import itertools
from collections import Counter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.naive import NaiveEngine
from engine.naive_room import has_room, occupancy_of
from omniroute import events as ev
from omniroute.engine import Engine, Reason, Verdict
from omniroute.engine.capacity import KIND, Loads
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Capacity, Code, Delivery, Plan, Queue, WrapUp, check
from omniroute.simulation import AuditError, Auditor, Law
from plan.plans import capacities

AZURE = Capacity(budget=100, costs={"voice": 100, "chat": 20})
AZURE_CALL_FITS = Capacity(
    budget=100,
    costs={"voice": 60, "chat": 10, "email": 10},
    maxima={"voice": 1, "chat": 2, "email": 2},
)
TWILIO = Capacity(
    budget=6,
    costs={"voice": 1, "chat": 1, "email": 1},
    maxima={"voice": 1, "chat": 4, "email": 1},
)
#: chat "no other channels", task (here: a mail) and voice "allow other channels"
CONNECT = Capacity(
    budget=8,
    costs={"voice": 1, "chat": 1, "email": 1},
    maxima={"voice": 1, "chat": 2, "email": 5},
    interruptible_by={"voice": ["*"], "chat": [], "email": ["*"]},
)
GENESYS = Capacity(
    budget=7,
    costs={"voice": 1, "chat": 1, "email": 1, "sms": 1},
    maxima={"voice": 1, "chat": 4, "email": 1, "sms": 1},
    interruptible_by={"email": ["voice", "chat", "sms"], "*": []},
)
#: a list is of those that arrive: a call may come to a chat, a chat not to a call
GENESYS_LISTS = Capacity(
    budget=3, maxima={"*": 1}, interruptible_by={"chat": ["voice"], "voice": ["email"], "email": []}
)
_SALESFORCE = {
    "budget": 100,
    "costs": {"voice": 100, "chat": 50},
    "interruptible_budget": 100,
    "interruptible_costs": {"email": 25},
}
SALESFORCE = Capacity(**_SALESFORCE)
SALESFORCE_SHUT = Capacity(**_SALESFORCE, interruptible_when_full=False)

# name, capacity, trace
TRACES = [
    ("Azure: one call", AZURE, "voice, no voice, no chat, -voice, voice"),
    ("Azure: or five chats", AZURE, "chat, chat, chat, chat, chat, no chat, no voice"),
    ("Azure: a call needs all", AZURE, "chat, no voice, -chat, voice, no chat"),
    ("Azure: no cost, no offer", AZURE, "no email, no sms"),
    ("Azure: a call always fits", AZURE_CALL_FITS, "chat, chat, no chat, email, email, no email, voice, no voice"),
    ("Twilio: numbers, each for itself", TWILIO, "chat, chat, voice, no voice, chat, chat, no chat, email, no email"),
    ("Connect: idle, everything", CONNECT, "voice, chat, -chat, -voice, email, voice"),
    ("Connect: on a chat only chats, to their number", CONNECT, "chat, no voice, no email, chat, no chat"),
    ("Connect: on a task everything", CONNECT, "email, email, chat, no email, no voice, chat, no chat"),
    ("Connect: who lets nobody in decides, whoever came first", CONNECT, "email, chat, no voice, -email, no voice, -chat, voice, email"),
    ("Genesys: one call and nothing beside", GENESYS, "voice, no voice, no chat, no email, no sms"),
    ("Genesys: four chats", GENESYS, "chat, chat, chat, chat, no chat, no voice, no email"),
    ("Genesys: one message", GENESYS, "sms, no sms, no chat"),
    ("Genesys: a mail is interrupted", GENESYS, "email, no email, voice, no chat"),
    ("Genesys: a mail, four chats", GENESYS, "email, chat, chat, chat, chat, no chat, no voice"),
    ("Genesys: by whom, not whom", GENESYS_LISTS, "chat, no email, voice, no chat, no email, -chat, email, no chat"),
    ("Salesforce: a chat for who is full of cases", SALESFORCE, "email, email, email, email, no email, chat, chat, no chat"),
    ("Salesforce: a call needs a primary load of 0", SALESFORCE, "email, chat, no voice, -chat, voice, no chat"),
    ("Salesforce: cases beside a call", SALESFORCE, "voice, email, email, email, email, no email"),
    ("Salesforce: no case while primary is full", SALESFORCE_SHUT, "email, voice, no email, -voice, email"),
    ("Salesforce: full by two chats", SALESFORCE_SHUT, "chat, email, chat, no email, -chat, email"),
    ("without settings nothing changes", Capacity(), "voice, no voice, no chat, -voice, chat"),
]  # fmt: skip


def one(capacity, **queue):
    return Plan(queues=[Queue(name="q", **queue)], capacities=[capacity])


class Stage:
    """One agent, `ann`, in front of the engine, the model and the auditor."""

    def __init__(self, plan):
        self.engine, self.naive, self.auditor = Engine(plan), NaiveEngine(plan), Auditor(plan)
        self.work = []
        self.send(ev.SignIn(Agent(id="ann")))

    def send(self, command):
        found = self.engine.receive(command, 0)
        assert found == self.naive.receive(command, 0)
        self.auditor.audit(found)
        self.auditor.at_rest(0)
        return found

    def arrives(self, channel):
        """Whether he is offered it; he accepts."""
        found = self.send(ev.Submit(Message(channel=Channel(channel)), "q"))
        if not isinstance(found[-1], ev.Offered):
            self.send(ev.Cancel(found[0].interaction_id))
            return False
        self.send(ev.Accept(found[-1].offer_id))
        self.work.append((channel, found[-1].offer_id))
        return True

    def completes(self, channel):
        row = next(row for row in self.work if row[0] == channel)
        self.work.remove(row)
        self.send(ev.Complete(row[1]))


@pytest.mark.parametrize(("capacity", "trace"), [t[1:] for t in TRACES], ids=[t[0] for t in TRACES])
def test_a_worked_example(capacity, trace):
    stage = Stage(one(capacity))
    for number, step in enumerate(trace.split(", ")):
        if step.startswith("-"):
            stage.completes(step[1:])
        else:
            channel = step.removeprefix("no ")
            assert stage.arrives(channel) is (step == channel), (number, step)


@pytest.mark.parametrize("capacity", {id(t[1]): t[1] for t in TRACES}.values())
def test_the_worked_capacities_have_no_finding(capacity):
    assert check(one(capacity)) == ()


def test_what_waits_comes_when_the_last_that_kept_it_out_has_gone():
    stage = Stage(one(CONNECT))
    assert stage.arrives("chat")
    assert stage.arrives("chat")
    stage.send(ev.Submit(Message(channel=Channel.VOICE), "q"))
    assert not [e for e in stage.send(ev.Complete(1)) if isinstance(e, ev.Offered)]
    [offered] = [e for e in stage.send(ev.Complete(2)) if isinstance(e, ev.Offered)]
    assert offered.interaction_id == "i3"


def test_an_offer_and_a_wrap_up_keep_others_out_too():
    stage = Stage(one(CONNECT, wrap_up=WrapUp("optional")))
    stage.send(ev.Submit(Message(channel=Channel.CHAT), "q"))
    assert len(stage.send(ev.Submit(Message(channel=Channel.EMAIL), "q"))) == 1
    stage.send(ev.Accept(1))
    assert len(stage.send(ev.Complete(1))) == 1
    assert isinstance(stage.send(ev.FinishWrapUp(1))[-1], ev.Offered)


def test_assigned_over_the_rule_and_said_so():
    stage = Stage(one(CONNECT))
    assert stage.arrives("chat")
    stage.send(ev.Submit(Message(channel=Channel.VOICE), "q"))
    found = stage.send(ev.Assign("i2", "ann"))
    assert found[0].over_capacity
    assert not stage.arrives("voice")
    assert stage.arrives("chat")  # a call lets it in, and so does a chat


def test_nobody_picks_over_the_rule():
    stage = Stage(one(SALESFORCE_SHUT, delivery=Delivery.PULL))
    for number, channel in enumerate((Channel.VOICE, Channel.EMAIL), 1):
        stage.send(ev.Submit(Message(channel=channel), "q"))
        [*_, answer] = stage.send(ev.Pick(f"i{number}", "ann"))
    assert answer.reason == "no_room"


def test_the_explanation_tells_full_from_never():
    stage = Stage(one(GENESYS))
    assert stage.arrives("voice")
    for channel, verdict, reason in (
        ("chat", Verdict.NO_ROOM, Reason.ALL_BUSY),
        ("x", Verdict.OTHER_CHANNELS, Reason.NO_AGENT_FOR_CHANNEL),
    ):
        [queued] = stage.send(ev.Submit(Message(channel=Channel(channel)), "q"))
        told = stage.engine.explain(queued.interaction_id)
        assert [c.verdict for c in told.candidates] == [verdict]
        assert told.reason is reason


def test_a_new_capacity_counts_what_is_carried():
    """What is carried without a cost counts for interruption, not for the budget."""
    strict = Capacity(name="strict", costs={"voice": 1}, interruptible_by={"chat": []})
    stage = Stage(Plan(queues=[Queue(name="q")], capacities=[Capacity(), strict]))
    assert stage.arrives("chat")
    stage.send(ev.ChangeAgent(Agent(id="ann", capacity="strict")))
    assert not stage.arrives("voice")
    stage.completes("chat")
    assert stage.arrives("voice")


def test_least_occupied_counts_both_budgets():
    queue = Queue(name="q", strategy="least_occupied")
    engine = Engine(Plan(queues=[queue], capacities=[SALESFORCE]))
    engine.receive(ev.SignIn(Agent(id="ann")), 0)
    mail, chat = (ev.Submit(Message(channel=c), "q") for c in (Channel.EMAIL, Channel.CHAT))
    engine.receive(mail, 0)
    engine.receive(ev.Accept(1), 0)
    engine.receive(ev.SignIn(Agent(id="bob")), 0)
    assert engine.receive(chat, 0)[-1].agent_id == "bob"
    assert engine.receive(mail, 0)[-1].agent_id == "ann"  # 25 against 50 of 200


class LetsEverythingIn(NaiveEngine):
    """Does not know who may join whom."""

    def has_room(self, person, item):
        free = Capacity(budget=GENESYS.budget, costs=GENESYS.costs, maxima=GENESYS.maxima)
        return has_room(free, self.carried(person), item.messages[0].channel)


class KnowsOneBudget(NaiveEngine):
    """Counts interruptible work against the one budget."""

    def has_room(self, person, item):
        costs = {**SALESFORCE.costs, **SALESFORCE.interruptible_costs}
        whole = Capacity(budget=100, costs=costs)
        return has_room(whole, self.carried(person), item.messages[0].channel)


@pytest.mark.parametrize(
    ("wrong", "capacity", "channels", "law"),
    [
        (LetsEverythingIn, GENESYS, ("voice", "chat"), Law.CAPACITY),
        (KnowsOneBudget, SALESFORCE, ("email", "email", "email", "chat", "chat"), Law.WORK),
    ],
)
def test_an_engine_that_does_not_know_the_rule_is_caught(wrong, capacity, channels, law):
    plan = one(capacity, auto_accept=True)
    engine, auditor = wrong(plan), Auditor(plan)
    auditor.audit(engine.receive(ev.SignIn(Agent(id="ann")), 0))
    with pytest.raises(AuditError) as caught:
        for channel in channels:
            auditor.audit(engine.receive(ev.Submit(Message(channel=Channel(channel)), "q"), 0))
            auditor.at_rest(0)
    assert caught.value.law is law


# --- loads --------------------------------------------------------------------------------

FEW = (Channel.VOICE, Channel.CHAT, Channel.EMAIL, Channel.SMS)
_tables = st.dictionaries(st.sampled_from(["*", *FEW]), st.integers(0, 4), max_size=4)
_lists = st.lists(st.sampled_from(["*", *FEW]), max_size=2)


@st.composite
def small_capacities(draw):
    """Few channels and small numbers, so that every rule decides now and then."""
    costs, deferred = draw(_tables), draw(_tables)
    second = {name: cost for name, cost in deferred.items() if name not in costs}
    return Capacity(
        budget=draw(st.integers(1, 6)),
        costs=costs,
        maxima=draw(_tables),
        interruptible_by=draw(st.dictionaries(st.sampled_from(["*", *FEW]), _lists, max_size=3)),
        interruptible_costs=second,
        interruptible_budget=draw(st.integers(1, 6)) if second else 0,
        interruptible_when_full=draw(st.booleans()) if second else True,
    )


@given(small_capacities() | capacities(), st.lists(st.sampled_from(FEW), max_size=20), st.data())
def test_loads_agree_with_a_recount_for_any_sequence(capacity, steps, data):
    capacity = attrs.evolve(capacity, max_open_offers=None)
    table, carried = Loads(), []
    load = table.get(capacity, {})
    for channel in steps:
        before = load
        if channel in carried and data.draw(st.booleans()):
            carried.remove(channel)
            load = table.minus(load, KIND[channel])
            assert before.open & ~load.open == 0, "giving back closed a channel"
        else:
            carried.append(channel)
            load = table.plus(load, KIND[channel])
            assert load.open & ~before.open == 0, "taking opened a channel"
        counts = {KIND[channel]: count for channel, count in Counter(carried).items()}
        assert load is table.get(capacity, counts), "two loads for the same work"
        assert load.occupancy == occupancy_of(capacity, carried)
        fits = {c for c in Channel if load.open & KIND[c].bit}
        assert fits == {c for c in Channel if has_room(capacity, carried, c)}


QUEUES = (
    Queue(name="plain"),
    Queue(name="two", max_per_agent=2),
    Queue(name="apart", wrap_up=WrapUp("optional", own_queue_only=True)),
    Queue(name="both", max_per_agent=1, wrap_up=WrapUp("optional", own_queue_only=True)),
)
_PLACES = st.tuples(st.sampled_from(QUEUES), st.sampled_from(FEW))


@given(small_capacities(), st.sampled_from([None, 1, 2]), st.lists(_PLACES, max_size=20), st.data())
def test_loads_know_queues_wrap_ups_and_open_offers(capacity, most, steps, data):
    """As a list of (queue, channel, state) is counted anew."""
    capacity = attrs.evolve(capacity, max_open_offers=most)
    table, carried = Loads(QUEUES), []
    load = table.get(capacity, {})
    for step in steps:
        carried.append((*step, "offered"))
        load = table.plus(load, table.kinds(step[0].name)[step[1]])
        if data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(carried) - 1))
            where, what, state = carried[at]
            kind, into = table.kinds(where.name)[what], table.wrap_up(where.name)
            if state == "offered":
                carried[at] = where, what, "accepted"
                load = table.settle(load)
            elif state == "accepted" and into is not None:
                carried[at] = where, what, "apart"
                load = table.turned(load, kind, into)
            else:
                del carried[at]
                load = table.minus(load, into if state == "apart" else kind)
        counted = [c for _, c, state in carried if state != "apart"]
        offers = sum(state == "offered" for _, _, state in carried)
        for queue, channel in itertools.product(QUEUES, FEW):
            here = [state for q, _, state in carried if q is queue]
            fits = has_room(capacity, counted, channel) and "apart" not in here
            fits = fits and len(here) < (queue.max_per_agent or 99) and offers < (most or 99)
            kind = table.kinds(queue.name)[channel]
            assert bool(load.open & kind.bit) is fits, (queue.name, channel)
        assert load.occupancy == occupancy_of(capacity, counted)


def test_loads_that_nobody_carries_are_let_go(monkeypatch):
    """However many there are in the end; those that are alike do no harm."""
    monkeypatch.setattr("omniroute.engine.capacity._MOST_LOADS", 3)
    capacity, table = Capacity(budget=40), Loads()
    load = table.get(capacity, {})
    for channel in list(Channel) * 2:
        load = table.plus(load, KIND[channel])
        assert len(table._loads) <= 3
    assert load.spent == 2 * len(Channel)


LIMITED = Plan(
    queues=[
        Queue(name="q", max_per_agent=1),
        Queue(name="r", wrap_up=WrapUp("timed", 50, own_queue_only=True)),
    ],
    capacities=[Capacity(budget=2), Capacity(name="timid", budget=9, max_open_offers=1)],
)


def ask(queue, channel=Channel.CHAT):
    return ev.Submit(Message(channel=channel), queue)


def offers_in(events):
    return [e.interaction_id for e in events if isinstance(e, ev.Offered)]


def test_so_much_of_one_queue_whatever_else_fits():
    stage = Stage(LIMITED)
    assert offers_in(stage.send(ask("q"))) == ["i1"]
    assert offers_in(stage.send(ask("q", Channel.VOICE))) == []
    assert stage.engine.explain("i2").candidates[0].verdict is Verdict.NO_ROOM
    assert offers_in(stage.send(ask("r"))) == ["i3"]
    stage.send(ev.Accept(1))
    stage.send(ev.Accept(2))
    assert offers_in(stage.send(ev.Complete(2))) == []  # the wrap-up of r
    assert offers_in(stage.send(ev.Complete(1))) == ["i2"]


def test_a_wrap_up_that_counts_in_its_own_queue():
    stage = Stage(LIMITED)
    for queue in ("r", "r", "q"):
        stage.send(ask(queue))
    stage.send(ev.Accept(1))
    stage.send(ev.Accept(2))
    assert offers_in(stage.send(ask("r"))) == []
    found = stage.send(ev.Complete(1))
    assert [type(e) for e in found] == [ev.WrapUpStarted, ev.Offered]
    assert offers_in(found) == ["i3"]  # of the other queue, and i4 is older than nothing of his
    stage.send(ev.Decline(3))
    assert offers_in(stage.send(ev.FinishWrapUp(1))) == ["i4"]


def test_one_open_offer_at_a_time():
    stage = Stage(LIMITED)
    stage.send(ev.ChangeAgent(Agent(id="ann", capacity="timid")))
    assert offers_in(stage.send(ask("r"))) == ["i1"]
    assert offers_in(stage.send(ask("r"))) == []
    assert offers_in(stage.send(ev.Accept(1))) == ["i2"]
    assert offers_in(stage.send(ask("q"))) == []
    assert offers_in(stage.send(ev.Decline(2))) == ["i3"]
    stage.send(ev.ChangeAgent(Agent(id="ann", capacity="timid", skills={"a": 1})))
    assert offers_in(stage.send(ask("r"))) == []  # the open one is counted anew


def test_a_restored_engine_knows_what_is_open_and_what_is_apart():
    stage = Stage(LIMITED)
    for queue in ("r", "q"):
        stage.send(ask(queue))
    stage.send(ev.Accept(1))
    stage.send(ev.Complete(1))
    stage.engine = Engine.restore(LIMITED, stage.engine.snapshot())
    assert offers_in(stage.send(ask("r"))) == []
    assert offers_in(stage.send(ask("q"))) == []
    stage.send(ev.Accept(2))
    assert offers_in(stage.send(ev.Complete(2))) == ["i4"]
    assert offers_in(stage.send(ev.FinishWrapUp(1))) == ["i3"]


@given(small_capacities(), st.lists(st.sampled_from(FEW), max_size=6))
def test_what_is_never_admitted_never_fits(capacity, carried):
    for channel in Channel:
        assert capacity.admits(channel) is has_room(capacity, [], channel)
        assert capacity.admits(channel) or not has_room(capacity, carried, channel)


@given(small_capacities())
def test_a_permission_is_called_useless_exactly_when_it_is(capacity):
    said = {
        (finding.where.rpartition(".")[2], finding.message.partition(" ")[0])
        for finding in check(one(capacity))
        if finding.code is Code.USELESS_INTERRUPTION
    }
    assert said == {
        (carried, arriving)
        for carried, allowed in capacity.interruptible_by.items()
        for arriving in allowed
        if "*" not in (carried, arriving) and carried != arriving
        if not has_room(capacity, [], Channel(carried))
        or not has_room(capacity, [Channel(carried)], Channel(arriving))
    }
