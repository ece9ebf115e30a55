"""The estimated wait against what customers then wait, in queues whose truth is known.

M/M/c and M/M/c+M (Erlang A): what is estimated for each who comes while all agents are busy is
compared with how long he would wait for an agent if he did not go away himself: his patience is
without end, that of the others is not.
"""

from __future__ import annotations

import heapq
import random
from typing import Any, NamedTuple

import pytest

from omniroute.engine import Engine, ExpectedWait
from omniroute.events import Abandon, Complete, Offered, SignIn, Submit
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Plan, Queue

_MESSAGE = Message(channel=Channel.VOICE)
_SERVICE_MS = 60_000


class Case(NamedTuple):
    agents: int
    load: float  #: arrivals of an hour / what all agents can serve in it
    patience_ms: int | None


def samples(case: Case, seed: int, arrivals: int) -> list[tuple[ExpectedWait, int, int]]:
    """(estimate, mean gap times position, true wait) of each tenth who had to wait."""
    dice = random.Random(seed)
    plan = Plan(queues=[Queue(name="q", auto_accept=True)])
    engine, agenda, found = Engine(plan), [], []
    told: dict[str, tuple[int, ExpectedWait, int]] = {}
    for number in range(case.agents):
        engine.receive(SignIn(Agent(id=f"a{number}")), 0)

    def send(command: Any, now_ms: int) -> None:
        for event in engine.receive(command, now_ms):
            if isinstance(event, Offered):
                ends_ms = now_ms + int(dice.expovariate(1 / _SERVICE_MS))
                heapq.heappush(agenda, (ends_ms, event.offer_id, Complete(event.offer_id)))
                if event.interaction_id in told:
                    at_ms, wait, plain_ms = told.pop(event.interaction_id)
                    found.append((wait, plain_ms, now_ms - at_ms))

    now_ms = 0.0
    for number in range(1, arrivals + 1):
        now_ms += dice.expovariate(case.agents * case.load / _SERVICE_MS)
        while agenda and agenda[0][0] <= now_ms:
            due_ms, _, command = heapq.heappop(agenda)
            send(command, due_ms)
        name, at_ms = f"c{number}", int(now_ms)
        before = engine.expected_wait("q")
        send(Submit(_MESSAGE, "q", interaction_id=name), at_ms)
        is_patient = number % 10 == 0
        if engine.interaction(name).agent_id is None and before is not None and is_patient:
            wait = engine.expected_wait("q", before.position)
            queue = engine._state.queues["q"]
            plain_ms = before.position * sum(queue.gaps) // len(queue.gaps)
            told[name] = (at_ms, wait, plain_ms)
        elif case.patience_ms and not is_patient:
            leaves_ms = at_ms + int(dice.expovariate(1 / case.patience_ms))
            heapq.heappush(agenda, (leaves_ms, -number, Abandon(name)))
    return found


def absolute_error(pairs: list[tuple[int, int]]) -> float:
    return sum(abs(told - true) for told, true in pairs) / len(pairs)


@pytest.mark.parametrize("case", [Case(10, 0.97, None), Case(4, 0.95, None), Case(1, 0.9, None)])
def test_without_abandonment_it_is_near_to_what_who_knows_the_rate_would_say(case: Case) -> None:
    """The wait at position n has Erlang's distribution of n stages, of a rate to be estimated."""
    found = samples(case, 7, 12_000)
    assert len(found) > 200
    best = [
        (wait.position * _SERVICE_MS // case.agents, true) for wait, _, true in found
    ]  # who knows the true rate
    error = absolute_error([(wait.ewt_ms, true) for wait, _, true in found])
    assert error < 1.8 * absolute_error(best)
    inside = sum(wait.low_ms <= true <= wait.high_ms for wait, _, true in found) / len(found)
    assert 0.72 < inside < 0.88  # 80 % are promised


@pytest.mark.parametrize("case", [Case(10, 1.6, 300_000), Case(20, 1.5, 300_000)])
def test_with_abandonment_it_counts_those_who_will_go(case: Case) -> None:
    found = samples(case, 11, 12_000)
    assert len(found) > 200
    error = absolute_error([(wait.ewt_ms, true) for wait, _, true in found])
    plain = absolute_error([(plain_ms, true) for _, plain_ms, true in found])
    assert error < 0.75 * plain
    inside = sum(wait.low_ms <= true <= wait.high_ms for wait, _, true in found) / len(found)
    assert 0.72 < inside < 0.9


def test_few_customers_of_idle_agents_are_no_slow_service() -> None:
    """One customer an hour, always served at once: nothing is said, and not "an hour"."""
    engine = Engine(Plan(queues=[Queue(name="q", auto_accept=True)]))
    engine.receive(SignIn(Agent(id="a")), 0)
    for number in range(1, 40):
        engine.receive(Submit(_MESSAGE, "q"), number * 3_600_000)
        engine.receive(Complete(number), number * 3_600_000 + 60_000)
    assert engine.expected_wait("q") is None
