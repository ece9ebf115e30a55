"""Statistics of long walks, counted a second time from events alone: groups, intervals, waits."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import attrs
import msgspec
import pytest

from engine.cases import walk
from engine.naive_pace import NaivePace
from engine.naive_plans import loaded
from omniroute import events as ev
from omniroute.engine import Counts, Engine, GroupCounts, estimates, queue_record
from omniroute.engine.estimates import ewt_ms, recent_service_level
from omniroute.errors import UsageError
from omniroute.events import Event
from omniroute.model import Agent
from omniroute.plan import Plan, Queue, dumps

#: (length of an interval, how many are kept); walks last from 0.3 to some 100 s.
_RINGS = ((50, 100_000), (1_000, 3), (7_000, 48), (1_800_000, 48))


def short(seed: int, length: int = 150) -> tuple[Plan, list[Any]]:
    """A walk whose plans have short intervals and short abandons."""
    plan, commands, _ = walk(seed, length)
    shortened = [
        (msgspec.structs.replace(command, plan=dumps(_short(seed, new_plan(plan, command)))), ms)
        if isinstance(command, ev.ChangePlan)
        else (command, ms)
        for command, ms in commands
    ]
    return _short(seed, plan), shortened


def new_plan(plan: Plan, change: ev.ChangePlan | ev.PlanChanged) -> Plan:
    """Whose text is in it."""
    return loaded(change.plan, tuple(plan.scorers.items()))


def _short(seed: int, plan: Plan) -> Plan:
    interval_ms, max_intervals = _RINGS[seed % len(_RINGS)]
    limits = attrs.evolve(
        plan.limits,
        interval_ms=interval_ms,
        max_intervals=max_intervals,
        max_groups=1 + seed % 2 * 99,
    )
    queues = [
        attrs.evolve(q, service_level=attrs.evolve(q.service_level, short_abandon_ms=seed % 5))
        for q in plan.queues.values()
    ]
    return attrs.evolve(plan, limits=limits, queues=queues)


def play(plan: Plan, commands: list[Any]) -> tuple[Engine, list[Event], list[int]]:
    """The engine, all its events, and the moments of its commands; mistakes are left out."""
    engine, events, moments = Engine(plan), [], []
    for command, now_ms in commands:
        try:
            events += engine.receive(command, now_ms)
        except UsageError:
            continue
        moments.append(now_ms)
    return engine, events, moments


class Agents:
    """What agents were and carried, millisecond by millisecond between two events."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.agents: dict[str, Agent] = {}
        self.ready: set[str] = set()
        self.carried: dict[str, dict[int, str]] = defaultdict(dict)
        self.channel: dict[str, str] = {}
        self.arrived: dict[str, int] = {}
        self.queue: dict[str, str] = {}
        self.wrapping: dict[int, tuple[str, str]] = {}
        self.accepted: dict[int, int] = {}
        self.groups: dict[str | None, Counter[str]] = {None: Counter()}
        self.now_ms = 0

    def names(self, agent: Agent) -> set[str | None]:
        return {None, *(g if g in self.groups else "*" for g in agent.groups)}

    def count(self, agent_id: str, **counts: int) -> None:
        for name in self.names(self.agents[agent_id]):
            self.groups.setdefault(name, Counter()).update(counts)

    def queue_of(self, item: str) -> Queue:
        name = self.queue[item]
        return self.plan.queues.get(name) or Queue(name=name)

    def weigh_wrap_ups(self) -> None:
        """What is for its own queue only is carried at no cost."""
        for number, (agent_id, item) in self.wrapping.items():
            if number in self.carried[agent_id]:
                is_free = self.queue_of(item).wrap_up.own_queue_only
                self.carried[agent_id][number] = "" if is_free else self.channel[item]

    def target_ms(self, item: str) -> int:
        return self.queue_of(item).service_level.target_ms

    def pass_time(self, until_ms: int) -> None:
        took_ms = until_ms - self.now_ms
        self.now_ms = until_ms
        for agent_id, agent in self.agents.items():
            capacity = self.plan.capacities[agent.capacity]
            ready, channels = agent_id in self.ready, list(self.carried[agent_id].values())
            budget = capacity.budget + capacity.interruptible_budget
            self.count(
                agent_id,
                signed_in_ms=took_ms,
                ready_ms=took_ms * ready,
                busy_ms=took_ms * bool(channels),
                idle_ms=took_ms * (ready and not channels),
                carried_ms=took_ms * sum(capacity.cost(c) or 0 for c in channels if c),
                capacity_ms=took_ms * budget * bool(ready or channels),
            )

    def enter(self, agent: Agent) -> None:
        self.agents[agent.id] = agent
        for group in agent.groups:
            if group not in self.groups and len(self.groups) <= self.plan.limits.max_groups:
                self.groups[group] = Counter()

    def observe(self, event: Any) -> None:
        self.pass_time(event.at_ms)
        if isinstance(event, ev.SignedIn | ev.AgentChanged):
            self.enter(event.agent)
        elif isinstance(event, ev.SignedOut):
            del self.agents[event.agent_id]
            self.ready.discard(event.agent_id)
        elif isinstance(event, ev.BecameReady):
            self.ready.add(event.agent_id)
        elif isinstance(event, ev.BecameNotReady):
            self.ready.discard(event.agent_id)
        elif isinstance(event, ev.PlanChanged):
            self.plan = new_plan(self.plan, event)
            self.weigh_wrap_ups()
        else:
            self.observe_work(event)

    def observe_work(self, event: Any) -> None:
        item = getattr(event, "interaction_id", "")
        if isinstance(event, ev.Queued):
            self.channel[item] = event.message.channel
            self.arrive(item, event)
        elif isinstance(event, ev.Moved):
            self.queue[item] = event.queue
        elif isinstance(event, ev.WrapUpStarted):
            self.wrapping[event.assignment_id] = event.agent_id, item
            self.weigh_wrap_ups()
        elif isinstance(event, ev.Started | ev.Unparked):
            self.arrived[item] = event.at_ms
        elif isinstance(event, ev.Offered):
            self.carried[event.agent_id][event.offer_id] = self.channel[item]
            self.count(event.agent_id, offered=1)
        elif isinstance(event, ev.Accepted):
            waited_ms = event.at_ms - self.arrived[item]
            in_time = waited_ms <= self.target_ms(item)
            self.accepted[event.offer_id] = event.at_ms
            self.count(event.agent_id, accepted=1, wait_ms=waited_ms, accepted_in_time=in_time)
        elif isinstance(event, ev.Declined | ev.Expired | ev.Revoked):
            del self.carried[event.agent_id][event.offer_id]
            word = {ev.Declined: "declined", ev.Expired: "expired"}.get(type(event))
            if word is not None:
                self.count(event.agent_id, **{word: 1})
        elif isinstance(event, ev.Cancelled):
            self.let_go(item)
        elif isinstance(event, _ENDS):
            self.end(event)
            if isinstance(event, ev.Transferred):
                self.arrive(item, event)

    def arrive(self, item: str, event: Any) -> None:
        self.arrived[item] = event.at_ms
        self.queue[item] = event.queue
        self.held = getattr(self, "held", {})

    def end(self, event: Any) -> None:
        self.count(
            event.agent_id, handled=1, handle_ms=event.at_ms - self.accepted[event.assignment_id]
        )
        channel = self.carried[event.agent_id].pop(event.assignment_id)
        if isinstance(event, ev.HandedOver):
            self.carried[event.to_agent_id][event.offer_id] = channel
            self.accepted[event.offer_id] = event.at_ms
            self.held[event.offer_id] = event.interaction_id
        self.held[event.assignment_id] = ""

    def let_go(self, item: str) -> None:
        """Taken out while an agent had it: he does not carry it any more."""
        for carried in self.carried.values():
            for number in [n for n in carried if self.held.get(n) == item]:
                del carried[number]


_ENDS = (
    ev.Completed,
    ev.Requeued,
    ev.Transferred,
    ev.Parked,
    ev.CallbackFailed,
    ev.HandedOver,
)


def groups_of(plan: Plan, events: list[Event], now_ms: int) -> dict[str | None, Counter[str]]:
    agents = Agents(plan)
    for event in events:
        if isinstance(event, ev.Offered):
            agents.held = {**getattr(agents, "held", {}), event.offer_id: event.interaction_id}
        agents.observe(event)
    agents.pass_time(now_ms)
    return agents.groups


def plain(counts: GroupCounts | Counts) -> dict[str, int]:
    return {name: count for name, count in msgspec.to_builtins(counts).items() if count}


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_groups_are_what_their_agents_did_and_carried(first: int) -> None:
    for seed in range(first, first + 20):
        plan, commands = short(seed)
        engine, events, _ = play(plan, commands)
        wanted = groups_of(plan, events, engine.now_ms)
        everyone = wanted.pop(None)
        found = engine.groups()
        assert {n: plain(c) for n, c in found.items()} == {n: +c for n, c in wanted.items()}, seed
        told = engine.intervals()
        if told[0].start_ms == 0 or plan.limits.max_intervals > 1_000:
            assert plain(GroupCounts.total(each.agents for each in told)) == +everyone, seed


@pytest.mark.parametrize("first", range(100, 140, 20))
def test_intervals_are_differences_of_what_was_counted_at_their_ends(first: int) -> None:
    """Every interval is what an engine had counted at its end, less what it had at its start."""
    for seed in range(first, first + 20):
        plan, commands = short(seed, 100)
        engine, events, _ = play(plan, commands)
        told = engine.intervals()
        oldest_ms = engine.now_ms - engine.now_ms % plan.limits.interval_ms
        oldest_ms -= plan.limits.max_intervals * plan.limits.interval_ms
        assert told[-1].end_ms == engine.now_ms
        assert all(each.start_ms >= oldest_ms for each in told)
        assert [each.start_ms for each in told] == sorted({each.start_ms for each in told})
        for each in told[-4:]:
            end_ms = each.end_ms + (each is told[-1])
            before = [event for event in events if event.at_ms < each.start_ms]
            within = [event for event in events if event.at_ms < end_ms]
            assert each.end_ms - each.start_ms <= plan.limits.interval_ms
            assert plain(each.total) == differences(plan, before, within), seed
            was = groups_of(plan, before, each.start_ms)
            now = groups_of(plan, within, each.end_ms)
            assert plain(each.agents) == +(now[None] - was[None]), seed
        if plan.limits.max_intervals > 1_000:
            counted = [each.total for each in told]
            assert Counts.total(counted) == engine.statistics().total


def differences(plan: Plan, before: list[Event], within: list[Event]) -> dict[str, int]:
    counts = []
    for events in (within, before):
        engine = Engine(plan)
        for event in events:
            engine.apply(event)
        counts.append(msgspec.to_builtins(engine.statistics().total))
    return {name: n for name in counts[0] if (n := counts[0][name] - counts[1][name])}


@pytest.mark.parametrize("first", range(200, 260, 20))
def test_waits_are_estimated_and_service_levels_told_as_the_page_says(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer samples than in earnest, because walks are short."""
    monkeypatch.setattr(estimates, "MIN_SAMPLES", 2)
    monkeypatch.setattr(queue_record, "SERVICES", 4)
    known = 0
    for seed in range(first, first + 20):
        plan, commands = short(seed, 250)
        engine, pace = Engine(plan), NaivePace(plan, 2, 4)
        for command, now_ms in commands:
            try:
                events = engine.receive(command, now_ms)
            except UsageError:
                continue
            for event in events:
                if isinstance(event, ev.PlanChanged):
                    pace.change(new_plan(plan, event), event.at_ms)
                pace.observe(event)
            for name, queue in engine._state.queues.items():
                assert queue.lined == pace.in_line(name), seed
                for position in (None, 1, 40):
                    wanted = pace.ewt_ms(name, now_ms, position)
                    assert ewt_ms(queue, now_ms, position) == wanted, (seed, now_ms)
                    known += wanted is not None
                level = recent_service_level(engine._state, queue)
                found = None if level is None else int(100 * level)
                assert found == pace.service_level(name, now_ms), (seed, now_ms)
    assert known > 100


@pytest.mark.parametrize("seed", range(300, 312))
def test_a_restored_or_replayed_engine_has_the_same_statistics(seed: int) -> None:
    plan, commands = short(seed, 120)
    engine, follower, events = Engine(plan), Engine(plan), []
    for number, (command, now_ms) in enumerate(commands):
        try:
            events += engine.receive(command, now_ms)
        except UsageError:
            continue
        follower.receive(command, now_ms)
        if number % 10 == 0 and (engine.next_deadline() or now_ms + 1) > now_ms:
            replayed = Engine(plan)
            for event in events:
                replayed.apply(event)
            replayed.receive(ev.Tick(), now_ms)
            picture = engine.snapshot()
            assert replayed.snapshot() == picture
            assert replayed.intervals() == engine.intervals() == follower.intervals()
            assert replayed.groups() == engine.groups() == follower.groups()
            follower = Engine.restore(plan, picture)
            assert follower.snapshot() == picture
