"""Explanations of long walks are what the slow definition had before it when it decided."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from engine.cases import walk
from engine.naive_verdicts import WatchingEngine, reason, verdict
from omniroute.engine import Engine, Rule, Verdict
from omniroute.errors import UsageError
from omniroute.events import CustomerErased, Offered, OfferKind, PlanChanged
from omniroute.model import InteractionState


def steps(seed: int, length: int) -> Any:
    """(model, moment, events) after each command of a walk."""
    plan, commands, _ = walk(seed, length)
    naive = WatchingEngine(plan)
    yield plan
    for command, now_ms in commands:
        try:
            yield naive, now_ms, naive.receive(command, now_ms)
        except UsageError:
            continue


@pytest.mark.parametrize("first", range(5_000, 5_120, 60))
def test_every_offer_is_explained_by_what_stood_when_it_was_made(first: int) -> None:
    rules: Counter[Rule] = Counter()
    after = 0
    for seed in range(first, first + 60):
        told = steps(seed, 150)
        plan = next(told)
        replay = Engine(plan)
        for naive, _, events in told:
            for event in events:
                if isinstance(event, Offered):
                    rules[check(naive, replay, event)] += 1
                    after += replay.plan is not plan
                replay.apply(event)
    assert not rules[Rule.OTHER]
    assert after > 50
    assert rules.keys() >= {Rule.BOTH, Rule.PICKED, Rule.ASSIGNED}


def check(naive: WatchingEngine, replay: Engine, event: Offered) -> Rule:
    before = replay.snapshot()
    found = replay.explain_offer(event)
    assert replay.snapshot() == before
    wanted = naive.watched[event.offer_id]
    assert {c.agent_id: c.verdict for c in found.candidates} == wanted["verdicts"]
    ranked = [(c.agent_id, c.score) for c in found.candidates if c.rank is not None]
    assert ranked == wanted["ranked"]
    assert [c.rank for c in found.candidates[: len(ranked)]] == list(range(1, len(ranked) + 1))
    assert found.tied == sum(score == ranked[0][1] for _, score in ranked) if ranked else True
    rivals = [r.interaction_id for r in found.rivals]
    assert rivals == wanted["rivals"][:20]
    assert found.rivals_in_all == len(wanted["rivals"])
    if event.how is OfferKind.MATCHED:
        best = bool(ranked) and ranked[0][0] == event.agent_id
        first = bool(rivals) and rivals[0] == event.interaction_id
        assert (best, first) == {
            Rule.BOTH: (True, True),
            Rule.BEST_AGENT: (True, False),
            Rule.BEST_INTERACTION: (False, True),
        }[found.rule]
    assert (found.interaction_id, found.agent_id) == (event.interaction_id, event.agent_id)
    return found.rule


@pytest.mark.parametrize("first", range(5_100, 5_140, 20))
def test_every_open_interaction_is_explained_as_it_stands(first: int) -> None:
    kinds: Counter[type] = Counter()
    for seed in range(first, first + 20):
        told = steps(seed, 120)
        replay = Engine(next(told))
        for naive, now_ms, events in told:
            for event in events:
                replay.apply(event)
                kinds[type(event)] += 1
            for interaction_id, item in naive.items.items():
                found = replay.explain(interaction_id, now_ms)
                people = sorted(naive.people.values(), key=lambda p: p.idle)
                assert [(c.agent_id, c.verdict) for c in found.candidates] == [
                    (p.agent.id, verdict(naive, p.agent.id, interaction_id)) for p in people
                ], seed
                assert found.reason == reason(naive, interaction_id), seed
                told_of = facts(naive, item) | moments(naive, item, now_ms)
                assert {name: getattr(found, name) for name in told_of} == told_of, seed
                assert [(o.offer_id, o.agent_id) for o in found.offers] == sorted(
                    item.asked.items()
                )
                for candidate in found.candidates:
                    if candidate.verdict is Verdict.NO_ACCESS_YET:
                        delay_ms = naive.access(
                            naive.people[candidate.agent_id], item.queue
                        ).after_ms
                        assert candidate.until_ms == item.arrived_at_ms + delay_ms
                    elif candidate.verdict is not Verdict.DECLINED:
                        assert candidate.until_ms is None

    assert kinds[PlanChanged] > 10
    assert kinds[CustomerErased] > 5


def facts(naive: WatchingEngine, item: Any) -> dict[str, Any]:
    """As they stand."""
    wanted = naive.effective(item)
    return {
        "state": item.state,
        "queue": item.queue.name,
        "step": item.step,
        "own_step": item.step < len(item.own_steps),
        "requirement": None if wanted is None else str(wanted),
        "waited_ms": naive.now_ms - item.arrived_at_ms,
        "agent_id": naive.whose(item),
    }


def moments(naive: WatchingEngine, item: Any, now_ms: int) -> dict[str, int | None]:
    """By the model's own timers."""
    due = {what: deadline for what, (deadline, _) in naive.timers.items() if what[1] is item}

    def at(kind: str) -> int | None:
        return due.get((kind, item))

    aside = item.state in (InteractionState.SCHEDULED, InteractionState.PARKED)
    rings = at("start") if item.state is InteractionState.SCHEDULED else at("park")
    return {
        "next_step_at_ms": at("step"),
        "opens_at_ms": at("opening"),
        "gives_up_at_ms": at("life"),
        "resumes_at_ms": rings if aside else None,
    }
