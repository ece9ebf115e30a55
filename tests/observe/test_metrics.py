"""The metrics are a fold of the events, and say what the statistics say."""

import random
import re
from pathlib import Path

import anyio
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

import live
import virtual_time
from omniroute import (
    Agent,
    Capacity,
    Channel,
    Counts,
    Disposition,
    Engine,
    Inbound,
    MemoryJournal,
    Plan,
    Queue,
    Router,
    ServiceLevel,
    UsageError,
    WrapUp,
    WrapUpKind,
)
from omniroute import events as ev
from omniroute.observe.exposition import FAMILIES
from omniroute.observe.metrics import (
    HANDLERS,
    NOT_COUNTED,
    WAIT_BUCKETS_MS,
    Histogram,
    Metrics,
)
from omniroute.plan import Callback, Delivery

PLAN = Plan(
    queues=[
        Queue(
            name="one",
            offer_timeout_ms=4_000,
            service_level=ServiceLevel(target_ms=7_500),
            offers=2,
            delivery=Delivery.PUSH_AND_PULL,
            callback=Callback(max_attempts=2, retry_ms=5_000, pace_ms=20_000),
        ),
        Queue(
            name="two",
            max_waiting=3,
            service_level=ServiceLevel(target_ms=0),
            wrap_up=WrapUp(kind=WrapUpKind.TIMED, duration_ms=9_000, max_extension_ms=3_000),
        ),
    ],
    capacities=[Capacity(budget=2)],
)
CHANNELS = (Channel.VOICE, Channel.EMAIL)


def metrics_of(plan, now_ms=lambda: 0, deliveries=None):
    targets = {name: queue.service_level.target_ms for name, queue in plan.queues.items()}
    return Metrics(targets, now_ms, deliveries if deliveries is not None else {})


def samples(registry):
    """Every sample of a scrape by name and sorted labels."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found, name, **labels):
    return found.get((f"omniroute_{name}", tuple(sorted(labels.items()))), 0.0)


def commands(dice, engine):
    """A long, wild, seeded run of commands: everything that can happen to an interaction."""
    agents = [f"a{n}" for n in range(4)]
    for number in range(20_000):
        offers = list(engine._state.offers)
        waiting = list(engine._state.interactions) or ["i0"]
        offer = dice.choice(offers) if offers else 0
        agent = dice.choice(agents)
        asked = [
            consult
            for each in engine._state.offers.values()
            if each.record.side is not None and (consult := each.record.side.consult) is not None
        ]
        if asked and dice.random() < 0.3:  # else colleagues hardly ever meet
            consult = dice.choice(asked)
            parent = engine._state.interactions[consult.side.parent_id]
            number_of_parent = parent.held_by[0].id
            yield ev.Assign(consult.id, agent)
            yield dice.choice([ev.HandOver, ev.Confer])(number_of_parent)
            continue
        other = dice.choice(agents)
        one = dice.choice(waiting)
        later = engine.now_ms + dice.choice([500, 9_000])
        message = live.message(
            channel=dice.choice(CHANNELS),
            message_id=f"m{dice.randrange(9_000)}",
            thread_id=f"t{dice.randrange(6)}" if dice.random() < 0.3 else None,
        )
        yield dice.choice(
            [
                ev.Submit(message, dice.choice(["one", "two", "two"])),
                ev.Submit(message),
                ev.Submit(message, "one", start_at_ms=later),
                ev.Reprioritize(one, 3),
                ev.Move(one, dice.choice(["one", "two"])),
                ev.MoveAll("two", "one") if number % 5 == 0 else ev.Tick(),
                ev.CloseAll("one") if number % 50 == 0 else ev.Tick(),
                ev.Assign(one, agent) if number % 5 == 0 else ev.Tick(),
                ev.Pick(one, agent),
                ev.Park(offer, dice.choice([None, later])) if number % 2 else ev.Tick(),
                ev.Unpark(one),
                ev.Transfer(offer, agent_id=other) if number % 3 else ev.Tick(),
                ev.Transfer(offer, queue=dice.choice(["one", "two"])) if number % 3 else ev.Tick(),
                ev.Consult(offer, agent_id=other),
                ev.Consult(offer, queue="one"),
                ev.HandOver(offer),
                ev.Confer(offer),
                ev.Escalate(offer, Channel.VOICE) if number % 5 == 0 else ev.Tick(),
                ev.RequestCallback(one, due_at_ms=dice.choice([None, later])),
                ev.FailCallback(offer),
                ev.ExtendWrapUp(offer, 1_000),
                ev.Quarantine(message, "odd"),
                ev.SignIn(Agent(id=agent)),
                ev.SignIn(Agent(id=agent)),
                ev.SetReady(agent),
                ev.SetReady(agent),
                ev.SetNotReady(agent),
                ev.SignOut(agent) if number % 3 else ev.Tick(),
                ev.Accept(offer),
                ev.Accept(offer),
                ev.Decline(offer),
                ev.Revoke(offer) if number % 2 else ev.Tick(),
                ev.Hold(offer),
                ev.Resume(offer),
                ev.Complete(offer),
                ev.Complete(offer),
                ev.FinishWrapUp(offer),
                ev.Requeue(offer) if number % 2 else ev.Tick(),
                ev.Abandon(dice.choice(waiting)) if number % 3 == 0 else ev.Tick(),
                ev.Cancel(dice.choice(waiting)) if number % 7 == 0 else ev.Tick(),
            ]
        )


@pytest.mark.parametrize("seed", range(4))
def test_counters_and_gauges_are_the_statistics(seed):
    dice = random.Random(seed)
    engine = Engine(PLAN)
    registry = CollectorRegistry()
    metrics = metrics_of(PLAN, lambda: engine.now_ms)
    metrics.register(registry)
    now_ms = 0
    for command in commands(dice, engine):
        now_ms += dice.choice([0, 1, 500, 3_000])
        metrics.observe(engine.receive(command, now_ms))
    found, statistics = samples(registry), engine.statistics()
    assert statistics.total.completed > 40
    total = statistics.total
    assert [name for name in Counts.__struct_fields__ if not getattr(total, name)] == [
        "abandoned_short"  # neither queue calls an abandon short
    ]
    for name, queue in statistics.queues.items():
        assert value(found, "waiting", queue=name) == queue.waiting
        since = [
            record.arrived_at_ms
            for record in engine._state.interactions.values()
            if record.queue.plan.name == name and record.state.value in {"waiting", "offered"}
        ]
        longest = (now_ms - min(since)) / 1_000 if since else 0
        assert value(found, "longest_wait_seconds", queue=name) == longest
        target_ms = PLAN.queues[name].service_level.target_ms
        for channel, counts in queue.channels.items():
            labels = {"queue": name, "channel": channel.value}
            for outcome in ("queued", "rejected", "requeued", "completed", "abandoned"):
                measured = value(found, "interactions_total", **labels, outcome=outcome)
                assert measured == getattr(counts, outcome), outcome
            cancelled = value(found, "interactions_total", **labels, outcome="cancelled")
            assert cancelled == counts.cancelled
            for outcome in ("offered", "accepted", "declined", "expired", "revoked"):
                measured = value(found, "offers_total", **labels, outcome=outcome)
                assert measured == getattr(counts, outcome), outcome
            assert value(found, "messages_appended_total", **labels) == counts.messages
            assert value(found, "wait_seconds_count", **labels) == counts.accepted
            assert value(found, "wait_seconds_sum", **labels) == counts.wait_ms / 1_000
            for outcome, counted in (
                ("parked", counts.parked),
                ("callback_failed", counts.callbacks_failed),
                ("moved_in", counts.moved_in),
                ("moved", counts.moved_out),
            ):
                assert value(found, "interactions_total", **labels, outcome=outcome) == counted
            away = ("transferred", "handed_over")
            gone = [value(found, "interactions_total", **labels, outcome=o) for o in away]
            assert sum(gone) == counts.transferred
            handled = counts.completed + counts.requeued + counts.transferred
            handled += counts.parked + counts.callbacks_failed
            assert value(found, "handle_seconds_count", **labels) == handled
            assert value(found, "handle_seconds_sum", **labels) == counts.handle_ms / 1_000
            assert value(found, "abandoned_wait_seconds_count", **labels) == counts.abandoned
            if target_ms:  # the service level is a quotient of two series
                le = repr(target_ms / 1_000)
                in_time = value(found, "wait_seconds_bucket", **labels, le=le)
                assert in_time == counts.accepted_in_time
                in_time = value(found, "abandoned_wait_seconds_bucket", **labels, le=le)
                assert in_time == counts.abandoned_in_time
    for state in ("offered", "engaged", "held", "wrap_up"):
        assert value(found, "assignments", state=state) == getattr(statistics, state)
    for state in ("scheduled", "parked"):
        assert value(found, "set_aside", state=state) == getattr(statistics, state)
    ready = statistics.agents_ready
    assert value(found, "agents", presence="ready") == ready
    assert value(found, "agents", presence="not_ready") == statistics.agents_signed_in - ready
    for total in ("unrouted", "quarantined", "duplicates"):
        measured = sum(value(found, f"{total}_total", channel=c.value) for c in CHANNELS)
        assert measured == getattr(statistics, total)
    refused = sum(v for (n, _), v in found.items() if n == "omniroute_commands_rejected_total")
    assert refused > 0


def test_every_event_is_counted_or_is_known_to_count_nothing():
    assert not NOT_COUNTED & set(HANDLERS)
    assert NOT_COUNTED | set(HANDLERS) == set(ev.Event.__args__)


def test_the_outcomes_that_are_documented_all_happen():
    dice = random.Random(7)
    engine, metrics, now_ms = Engine(PLAN), metrics_of(PLAN), 0
    for command in commands(dice, engine):
        now_ms += dice.choice([0, 1, 500, 3_000])
        metrics.observe(engine.receive(command, now_ms))
    happened = {name for tally in metrics.tallies.values() for name in tally.interactions}
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text("utf-8")
    section = page.partition("## Outcomes")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([a-z_, ]+) \|", section, re.MULTILINE)
    documented = {name for cell in cells[1:] for name in cell.split(", ")}
    assert happened == documented | {"consult", "escalation"}


def test_a_time_at_a_bound_is_within_it():
    histogram = Histogram((1_000, 2_000))
    for value_ms in (0, 1_000, 1_001, 2_000, 2_001):
        histogram.observe(value_ms)
    assert histogram.counts == [2, 2, 1]
    assert histogram.sum_ms == 6_002


def test_the_buckets_hold_every_target():
    metrics = metrics_of(PLAN)
    assert set(metrics.bounds_ms) == {*WAIT_BUCKETS_MS, 7_500}
    assert list(metrics.bounds_ms) == sorted(metrics.bounds_ms)


@pytest.mark.parametrize("generate", [generate_latest, generate_openmetrics])
def test_names_and_labels_are_the_documented_ones(generate):
    registry = CollectorRegistry()
    metrics = metrics_of(PLAN, deliveries={(Channel.EMAIL, Disposition.BULK): 2})
    metrics.register(registry)
    text = generate(registry).decode()
    for family in FAMILIES:
        assert f"# HELP {family.name}" in text
        assert f"# TYPE {family.name}" in text
        assert {"agent_id", "customer", "interaction_id"}.isdisjoint(family.labels)
    assert 'omniroute_deliveries_total{channel="email",disposition="bulk"} 2.0' in text


# --- with a router --------------------------------------------------------------------------


async def test_body(registry):
    async with live.router(registry=registry) as router, router.sign_in("ann") as desk:
        await router.submit(live.message(), queue="support")
        await router.deliver(
            Inbound(disposition=Disposition.BULK, message=live.message(channel=Channel.EMAIL))
        )
        await anyio.sleep(7)
        await (await anext(desk.offers())).accept()
        return samples(registry)


test_body.__test__ = False


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_router_exports_on_the_registry_that_it_is_given(backend):
    registry = CollectorRegistry()
    found = virtual_time.run(backend, test_body, registry)
    labels = {"queue": "support", "channel": "chat"}
    assert value(found, "wait_seconds_bucket", **labels, le="7.0") == 1
    assert value(found, "wait_seconds_bucket", **labels, le="5.0") == 0
    assert value(found, "agents", presence="ready") == 1
    assert value(found, "assignments", state="engaged") == 1
    assert value(found, "deliveries_total", channel="email", disposition="bulk") == 1
    assert samples(registry) == {}  # the router is closed, the registry is free again
    assert virtual_time.run(backend, test_body, registry) == found


def test_two_routers_on_one_registry_are_told_apart_or_refused():
    async def main():
        registry = CollectorRegistry()
        async with Router(live.plan(), registry=registry):
            with pytest.raises(UsageError, match=r"registry=CollectorRegistry\(\)"):
                async with Router(live.plan(), registry=registry):
                    pass
            async with Router(live.plan(), registry=CollectorRegistry()):
                pass
            assert samples(registry)

    anyio.run(main)


def test_after_a_restart_the_metrics_have_the_whole_journal():
    async def main():
        journal, registry = MemoryJournal(), CollectorRegistry()
        async with live.router(journal, registry=registry) as router:
            await router.sign_in("ann")
            for _ in range(3):
                await router.submit(live.message(), queue="support")
            before = samples(registry)
        async with live.router(journal, registry=registry):
            assert samples(registry) == before

    virtual_time.run("asyncio", main)
