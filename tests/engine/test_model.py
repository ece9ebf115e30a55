"""The engine against its slow definition: same commands, same events, in every generated case.

Three drivers: a Hypothesis state machine (finds and shrinks), long seeded walks (reach deep
states fast), and a subprocess per hash seed (nothing depends on the order of a set).
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.cases import COMMANDS, GAPS_MS, NAMES, draw_agent, draw_plan, walk
from engine.naive import NaiveEngine
from engine.naive_verdicts import verdict
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import UsageError
from omniroute.model import Agent, Channel, InteractionState, Message
from omniroute.plan import Capacity, Plan, Queue
from omniroute.simulation import Auditor

_NAMES = [name for name, (weight, _) in COMMANDS.items() for _ in range(weight)]

_MESSAGE = Message(channel=Channel.VOICE)
_MISTAKES = [
    ev.Submit(_MESSAGE, queue="nowhere"),
    ev.Submit(_MESSAGE, queue="q0", priority=10),
    ev.Submit(_MESSAGE, queue="q0", priority=-1),
    ev.Submit(_MESSAGE, queue="q0", requirement="a >="),
    ev.Submit(_MESSAGE, queue="q0", steps=(ev.OwnStep("a >="),)),
    ev.Submit(_MESSAGE, queue="q0", steps=(ev.OwnStep("a"), ev.OwnStep(""))),
    ev.Submit(_MESSAGE, queue="q0", steps=(ev.OwnStep("a", priority=10),)),
    ev.Move("i1", "nowhere"),
    ev.Move("i1", "q0", priority=10),
    ev.Move("i1", "q0", requirement="a >="),
    ev.Reprioritize("i1", 10),
    ev.SignIn(Agent(id="p9", capacity="huge")),
    ev.ChangeAgent(Agent(id="p1", capacity="huge")),
    ev.ChangePlan("[queues"),
    ev.ChangePlan("[queues.q0]", moves=(("q0", "nowhere"),)),
    ev.ChangePlan("[queues.q0]", moves=(("nowhere", "q0"),)),
    ev.EraseCustomer(),
    ev.SignIn(Agent(id="p9", wrap_up_ms=-1)),
]


def replayed(plan: Plan, events: list[ev.Event], now_ms: int) -> Engine:
    """An engine that only applied them. Time that passed without an event is no event."""
    engine = Engine(plan)
    for event in events:
        engine.apply(event)
    assert engine.receive(ev.Tick(), now_ms) == []
    return engine


class EngineAgainstModel(RuleBasedStateMachine):
    """One plan, one engine, one model, one auditor; a command at a time."""

    @initialize(data=st.data())
    def start(self, data):
        self.plan = draw_plan(lambda options: data.draw(st.sampled_from(options)))
        self.engine = Engine(self.plan)
        self.naive = NaiveEngine(self.plan)
        self.auditor = Auditor(self.plan)
        self.events = []
        self.now_ms = 0

    def send(self, command, gap_ms):
        self.now_ms += gap_ms
        wanted = self.naive.receive(command, self.now_ms)
        found = self.engine.receive(command, self.now_ms)
        assert found == wanted
        self.events += found
        assert self.naive.offerable() == []
        self.auditor.audit(found)
        self.auditor.at_rest(self.now_ms)
        deadline = self.naive.next_deadline()
        if deadline is not None:
            assert self.engine.next_deadline() is not None
            assert self.engine.next_deadline() <= deadline

    @rule(name=st.sampled_from(_NAMES), gap_ms=st.sampled_from(GAPS_MS), data=st.data())
    def command(self, name, gap_ms, data):
        build = COMMANDS[name][1]
        self.send(build(lambda options: data.draw(st.sampled_from(options)), self.naive), gap_ms)

    @rule(data=st.data())
    def sign_in_ready(self, data):
        """Without somebody at work little happens."""
        agent_id = next((name for name in NAMES if name not in self.naive.people), "p1")
        agent = draw_agent(lambda options: data.draw(st.sampled_from(options)), agent_id)
        self.send(ev.SignIn(agent), 0)

    @rule(late_ms=st.sampled_from((-1, 0, 0, 1, 1_000_000)))
    def reach_the_next_deadline(self, late_ms):
        deadline = self.naive.next_deadline() or self.now_ms
        self.send(ev.Tick(), max(0, deadline + late_ms - self.now_ms))

    @rule(mistake=st.sampled_from(_MISTAKES), gap_ms=st.sampled_from(GAPS_MS))
    def make_a_mistake(self, mistake, gap_ms):
        """It raises, and nothing has changed: not even what was due has fired."""
        before = self.engine.snapshot()
        for engine in (self.naive, self.engine):
            with pytest.raises(UsageError):
                engine.receive(mistake, self.now_ms + gap_ms)
        assert self.engine.snapshot() == before

    @rule()
    def turn_back_time(self):
        before = self.engine.snapshot()
        with pytest.raises(UsageError):
            self.engine.receive(ev.Tick(), self.now_ms - 1)
        assert self.engine.snapshot() == before

    @rule()
    def restore(self):
        """From here on the restored engine must do as well."""
        picture = self.engine.snapshot()
        self.engine = Engine.restore(self.plan, picture)
        assert self.engine.snapshot() == picture

    @rule()
    def look(self):
        """Pictures, explanations and counts agree, and looking changes nothing."""
        before = self.engine.snapshot()
        for interaction_id, item in self.naive.items.items():
            assert self.engine.interaction(interaction_id) == self.naive.interaction(interaction_id)
            told = self.engine.explain(interaction_id)
            people = sorted(self.naive.people.values(), key=lambda p: p.idle)
            assert [(c.agent_id, c.verdict) for c in told.candidates] == [
                (p.agent.id, verdict(self.naive, p.agent.id, interaction_id)) for p in people
            ]
            if item.state is InteractionState.WAITING:
                key = self.naive.place
                line = [i for i in self.naive.waiting() if i.queue is item.queue]
                assert told.position == 1 + sum(key(i) < key(item) for i in line)
        assert self.engine.interaction("unknown") is None
        counts = msgspec.to_builtins(self.engine.statistics())
        assert counts.pop("now_ms") == self.now_ms
        assert counts == self.auditor.figures()
        assert self.engine.snapshot() == before

    @rule()
    def replay(self):
        self.send(ev.Tick(), 0)
        engine = replayed(self.plan, self.events, self.now_ms)
        assert engine.snapshot() == self.engine.snapshot()

    def teardown(self):
        if hasattr(self, "plan"):
            self.replay()
            self.look()


TestEngineAgainstModel = EngineAgainstModel.TestCase
TestEngineAgainstModel.settings = settings(max_examples=8 * settings().max_examples)


@pytest.mark.parametrize("first", range(0, 400, 20))
def test_long_walks_give_the_same_events_and_break_no_law(first):
    for seed in range(first, first + 20):
        plan, commands, batches = walk(seed, 250)
        engine, auditor = Engine(plan), Auditor(plan)
        for (command, now_ms), batch in zip(commands, batches, strict=True):
            assert engine.receive(command, now_ms) == batch, seed
            auditor.audit(batch)
            auditor.at_rest(now_ms)
        counts = msgspec.to_builtins(engine.statistics())
        del counts["now_ms"]
        assert counts == auditor.figures(), seed


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_replay_and_restore_at_any_moment_give_the_same_engine(seed):
    plan, commands, batches = walk(seed, 120)
    engine, follower, events = Engine(plan), Engine(plan), []
    for number, ((command, now_ms), batch) in enumerate(zip(commands, batches, strict=True)):
        events += engine.receive(command, now_ms)
        assert follower.receive(command, now_ms) == batch
        if number % 6 == 0 and (engine.next_deadline() or now_ms + 1) > now_ms:
            picture = engine.snapshot()
            assert replayed(plan, events, now_ms).snapshot() == picture
            follower = Engine.restore(plan, picture)


@pytest.mark.parametrize("seed", range(2_000, 2_020))
def test_extra_ticks_only_cut_the_events_into_other_batches(seed):
    plan, commands, batches = walk(seed, 150)
    engine, events, before_ms = Engine(plan), [], 0
    for command, now_ms in commands:
        for tick_ms in range(before_ms, min(before_ms + 60, now_ms)):
            events += engine.receive(ev.Tick(), tick_ms)
        events += engine.receive(ev.Tick(), now_ms)
        events += engine.receive(command, now_ms)
        before_ms = now_ms
    assert events == [event for batch in batches for event in batch]


@pytest.mark.parametrize("seed", range(3_000, 3_010))
def test_ticking_exactly_at_each_deadline_gives_the_same_events(seed):
    """As the router does it: sleep until `next_deadline`, tick, look again."""
    plan, commands, batches = walk(seed, 150)
    engine, events = Engine(plan), []
    for command, now_ms in commands:
        while (deadline := engine.next_deadline()) is not None and deadline <= now_ms:
            events += engine.receive(ev.Tick(), max(deadline, engine.now_ms))
            assert engine.next_deadline() != deadline or events[-1].at_ms == deadline
        events += engine.receive(command, now_ms)
    assert events == [event for batch in batches for event in batch]


def test_thousands_of_lanes_come_and_go():
    """Too many for the model; the auditor and replay watch."""
    dice = random.Random(11)
    queue = Queue(name="q", offer_timeout_ms=50, on_expiry="nothing")
    plan = Plan(queues=[queue], capacities=[Capacity(budget=2)])
    engine, auditor, events = Engine(plan), Auditor(plan), []

    def send(command, now_ms):
        batch = engine.receive(command, now_ms)
        auditor.audit(batch)
        events.extend(batch)

    for number in range(1, 4_001):
        now_ms = number // 4
        send(ev.Submit(_MESSAGE, "q", requirement=f"a == {dice.randrange(1_500)}"), now_ms)
        if number > 1_000:
            send(ev.Cancel(f"i{dice.randrange(number)}"), now_ms)
        if number % 10 == 0:
            agent = Agent(id=f"p{dice.randrange(40)}", skills={"a": dice.randrange(1_500)})
            send(dice.choice((ev.SignIn, ev.ChangeAgent))(agent), now_ms)
            send(
                ev.Accept(events[-1].offer_id if isinstance(events[-1], ev.Offered) else 0), now_ms
            )
        if number % 1_000 == 0:
            auditor.at_rest(now_ms)
            assert replayed(plan, events, now_ms).snapshot() == engine.snapshot()
            engine = Engine.restore(plan, engine.snapshot())
    assert engine.statistics().total.offered > 100


def digest(seed: int, length: int) -> str:
    """A fingerprint of every byte that an engine says and keeps."""
    plan, commands, _ = walk(seed, length)
    engine, encoder, found = Engine(plan), msgspec.json.Encoder(), hashlib.sha256()
    for command, now_ms in commands:
        found.update(encoder.encode(engine.receive(command, now_ms)))
    found.update(engine.snapshot())
    return found.hexdigest()


def test_two_engines_say_and_keep_the_same_bytes():
    assert [digest(seed, 200) for seed in range(5)] == [digest(seed, 200) for seed in range(5)]


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_nothing_depends_on_the_order_of_a_set(hash_seed):
    code = "from engine.test_model import digest; print([digest(s, 200) for s in range(5)])"
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": tests}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str([digest(seed, 200) for seed in range(5)]), done.stderr
