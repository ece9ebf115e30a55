"""What is fitted to the log, and the month as a scenario.

- Arrivals: exactly those of the log, by type and priority. Who did not wait has no priority in
  the log; he gets 2 with the share of those of his type who did wait.
- Handle times, by type: the share under 10 s as observed (agents who hung up to get a rest; Brown
  et al., 4.1), the others lognormal, by the moments of the logarithm.
- After-call time: the gaps of agents who had a queue before them when they hung up.
- Patience, by type and priority: Kaplan-Meier, since who was answered has not shown all of his.
- Presence: an agent is there from the beginning of his first call of a day to the end of his last.
  The log has no breaks; but a gap in which a call that he can take waited for half a minute in
  vain was one, until the last such call was gone.
"""

from __future__ import annotations

import bisect
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from omniroute.model import Agent
from omniroute.plan import HeadStart, Plan, Queue, WrapUp, WrapUpKind
from omniroute.simulation import (
    AgentGroup,
    Break,
    CustomerKind,
    Distribution,
    Empirical,
    Logged,
    Lognormal,
    Mixture,
    Scenario,
    Shift,
    kaplan_meier,
)

from .log import DAY_S, MONTH_S, TYPES, Call

__all__ = ["after_call_s", "handle", "month", "patience", "priorities", "queue_name", "shifts"]

CREDIT_S = 90
_SHORT_S = 10
_LONGEST_S = 3_600
_IGNORED_S = 30
_FEW = 5


def handle(calls: Iterable[Call]) -> Distribution:
    """The handle time fitted to the served calls."""
    times = [c.service_s for c in calls if c.served and 0 < c.service_s <= _LONGEST_S]
    short = [1000.0 * t for t in times if t < _SHORT_S]
    logs = [math.log(t) for t in times if t >= _SHORT_S]
    mu = math.fsum(logs) / len(logs)
    variance = math.fsum((x - mu) ** 2 for x in logs) / len(logs)
    cv = math.sqrt(math.expm1(variance))
    long = Lognormal(1000 * math.exp(mu + variance / 2), cv)
    if not short:
        return long
    return Mixture((Empirical(short), long), (len(short), len(logs)))


def patience(calls: Sequence[Call]) -> Distribution:
    """How long they would wait."""
    left = [1000 * call.wait_s for call in calls if not call.served]
    stayed = [1000 * call.wait_s for call in calls if call.served]
    return kaplan_meier(left, stayed).distribution()


def priorities(calls: Sequence[Call], rng: random.Random) -> list[int]:
    """The priority of each call, 1 or 2; drawn where the log does not know it."""
    high: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for call in calls:
        if call.wait_s:
            known[call.type] += 1
            high[call.type] += call.priority == 2
    return [
        1
        + (call.priority == 2 if call.wait_s else rng.random() < high[call.type] / known[call.type])
        for call in calls
    ]


def _by_agent_and_day(calls: Iterable[Call]) -> dict[str, dict[int, list[Call]]]:
    found: dict[str, dict[int, list[Call]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        if call.agent and call.service_s <= _LONGEST_S:
            found[call.agent][call.start_s // DAY_S].append(call)
    for days in found.values():
        for one in days.values():
            one.sort(key=lambda call: call.start_s)
    return found


def after_call_s(calls: Iterable[Call]) -> list[int]:
    """Gaps between two calls where the second had waited before the first ended, up to a minute."""
    return [
        later.start_s - call.end_s
        for days in _by_agent_and_day(calls).values()
        for one in days.values()
        for call, later in pairwise(one)
        if later.wait_s and later.at_s < call.end_s and 0 <= later.start_s - call.end_s <= 60
    ]


def skills(calls: Iterable[Call]) -> dict[str, set[str]]:
    """Which types each agent takes: those of which he took a few."""
    counts = Counter((call.agent, call.type) for call in calls if call.agent)
    found: dict[str, set[str]] = defaultdict(set)
    for (agent, kind), count in counts.items():
        if count >= _FEW:
            found[agent].add(kind)
    return dict(found)


def shifts(calls: Sequence[Call]) -> dict[str, list[Shift]]:
    """When each agent was there, and when he was away."""
    known = skills(calls)
    waited = sorted((c.at_s + c.wait_s, c.at_s, c.type) for c in calls if c.wait_s)
    found: dict[str, list[Shift]] = {}
    for agent, days in sorted(_by_agent_and_day(calls).items()):
        if agent not in known:
            continue
        found[agent] = []
        for _, one in sorted(days.items()):
            from_s = one[0].start_s
            midnight_s = (from_s // DAY_S + 1) * DAY_S
            to_s = min(midnight_s, max(call.end_s for call in one))
            breaks = tuple(
                Break(1000 * gap_s, 1000 * end_s)
                for gap_s, end_s in _breaks(one, waited, known[agent])
                if from_s <= gap_s < end_s <= to_s
            )
            found[agent].append(Shift(1000 * from_s, 1000 * to_s, breaks))
    return found


def _breaks(
    one: Sequence[Call], waited: Sequence[tuple[int, int, str]], types: set[str]
) -> Iterable[tuple[int, int]]:
    end_s = one[0].end_s
    for call in one[1:]:
        gone = 0
        first = bisect.bisect_left(waited, (end_s + _IGNORED_S, 0, ""))
        for left_s, came_s, kind in waited[first:]:
            if left_s > call.start_s + 2:
                break
            if kind in types and left_s - max(came_s, end_s) >= _IGNORED_S:
                gone = left_s
        if gone:
            yield end_s, min(gone, call.start_s)
        end_s = max(end_s, call.end_s)


def queue_name(kind: str, priority: int) -> str:
    """A queue per type and priority, so that reports tell them apart; one order over all."""
    return f"{kind}-{priority}"


def month(calls: Sequence[Call]) -> Scenario:
    """The month as a scenario."""
    gaps = Empirical([1000.0 * gap for gap in after_call_s(calls)])
    drawn = priorities(calls, random.Random(1999))
    kinds: dict[tuple[str, int], list[Call]] = defaultdict(list)
    for call, priority in zip(calls, drawn, strict=True):
        kinds[call.type, priority].append(call)
    wrap_up = WrapUp(WrapUpKind.OPTIONAL)
    fitted = {kind: handle([call for call in calls if call.type == kind]) for kind in TYPES}
    known = skills(calls)
    return Scenario(
        name="January 1999",
        plan=Plan(
            queues=[
                Queue(
                    name=queue_name(kind, priority),
                    members=f"{kind} >= 1",
                    order=HeadStart(1000 * CREDIT_S),
                    priority=priority - 1,
                    wrap_up=wrap_up,
                )
                for kind in TYPES
                for priority in (1, 2)
            ]
        ),
        customers=[
            CustomerKind(
                name=queue_name(kind, priority),
                queue=queue_name(kind, priority),
                arrivals=Logged([1000.0 * call.at_s for call in own]),
                handle=fitted[kind],
                patience=patience(own),
                wrap_up=gaps,
            )
            for (kind, priority), own in sorted(kinds.items())
        ],
        groups=[
            AgentGroup(
                name=agent,
                agents=[Agent(id=agent, skills=dict.fromkeys(sorted(known[agent]), 1))],
                shifts=tuple(worked),
            )
            for agent, worked in shifts(calls).items()
        ],
        duration_ms=1000 * MONTH_S,
        cycle_ms=1000 * MONTH_S,
        interval_ms=3_600_000,
    )
