"""What one more agent or skill brings, and how many skills an agent should have: by simulation.

No formula knows an arbitrary plan, but the simulation does, and with common random numbers a small
difference is seen in a few replications: the customers are the same persons on both sides.

- `candidates` lists the smallest changes: one more agent in a group, one more skill for one agent.
- `gains` plays each of them beside the scenario as it is.
- `improve` takes the best one for its price, again and again, until a goal is met.
- `with_skills_each` gives everybody the same number of skills. Wallace and Whitt (M&SOM 7(4), 2005)
  found that two well spread skills each are nearly as good as all: play it for your own plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from statistics import median_low

import attrs
import msgspec

from ..errors import CommandError, UnknownNameError
from ..model import Agent
from ..plan import Plan
from .confidence import Estimate
from .outcome import Outcome
from .report import Precision, Report, compare, replicate, summarize
from .scenario import AgentGroup, Scenario

__all__ = ["Candidate", "Gain", "Step", "candidates", "gains", "improve", "with_skills_each"]

#: Of these measures more is better; of all others less.
_MORE_IS_BETTER = ("service_level", "accepted", "completed")


@attrs.frozen
class Candidate:
    """A change: its ``name``, what it costs (an agent: 1) and the changed scenario."""

    name: str
    cost: float
    scenario: Scenario


@attrs.frozen
class Gain:
    """What a change brings: figures after minus before, paired by replication."""

    name: str
    cost: float
    difference: dict[str, Estimate]

    def better(self, measure: str) -> float:
        """By how much it is better; negative when it is worse."""
        found = self.difference.get(measure)
        if found is None:
            return 0.0
        return found.mean if measure.startswith(_MORE_IS_BETTER) else -found.mean


@attrs.frozen
class Step:
    """One step of `improve`: the change (empty: as it was), the price so far, the figures then."""

    name: str
    cost: float
    report: Report


# --- scenarios that are a little different ------------------------------------------------


def _people(scenario: Scenario, plan: Plan) -> list[tuple[AgentGroup, list[Agent]]]:
    """The groups with their agents as values."""
    return [
        (group, [plan.agents[one] if isinstance(one, str) else one for one in group.agents])
        for group in scenario.agent_groups(plan)
    ]


def _levels(people: Iterable[tuple[AgentGroup, list[Agent]]]) -> dict[str, int]:
    """Every skill that somebody has, with the middle one of its levels."""
    found: dict[str, list[int]] = {}
    for _, agents in people:
        for agent in agents:
            for skill, level in agent.skills.items():
                found.setdefault(skill, []).append(level)
    return {skill: median_low(levels) for skill, levels in sorted(found.items())}


def _rebuilt(
    scenario: Scenario, people: list[tuple[AgentGroup, list[Agent]]], at: int, agents: list[Agent]
) -> Scenario:
    """With other agents in one group."""
    groups = [
        attrs.evolve(group, agents=agents if number == at else own)
        for number, (group, own) in enumerate(people)
    ]
    return attrs.evolve(scenario, groups=groups)


def candidates(scenario: Scenario, *, skill_cost: float = 0.1) -> Iterator[Candidate]:
    """One more agent like the first of each group; one more skill for one agent of each group.

    A skill is learned to the middle level of those who have it, by the first of the group who does
    not; it costs ``skill_cost`` of an agent.
    """
    people = _people(scenario, scenario.plan)
    levels = _levels(people)
    ids = {agent.id for _, agents in people for agent in agents}
    for at, (group, agents) in enumerate(people):
        if not agents:
            continue
        newcomer = msgspec.structs.replace(agents[0], id=_free_id(f"{group.name}-new", ids))
        more = _rebuilt(scenario, people, at, [*agents, newcomer])
        yield Candidate(f"one more in {group.name}", 1.0, more)
        for skill, level in levels.items():
            pupil = next((n for n, agent in enumerate(agents) if skill not in agent.skills), None)
            if pupil is None:
                continue
            agent = agents[pupil]
            taught = msgspec.structs.replace(agent, skills={**agent.skills, skill: level})
            changed = [*agents[:pupil], taught, *agents[pupil + 1 :]]
            name = f"{skill} for one in {group.name}"
            yield Candidate(name, skill_cost, _rebuilt(scenario, people, at, changed))


def _free_id(wanted: str, ids: set[str]) -> str:
    number = 1
    while f"{wanted}-{number}" in ids:
        number += 1
    return f"{wanted}-{number}"


def with_skills_each(scenario: Scenario, count: int) -> Scenario:
    """Everybody has ``count`` skills: his best ones, and then others, spread evenly.

    The n-th agent of a group goes on with the n-th of the skills that he lacks, and so on around.
    Raises `CommandError` unless ``count`` is between 1 and the number of skills there are.
    """
    people = _people(scenario, scenario.plan)
    levels = _levels(people)
    if not 1 <= count <= len(levels):
        raise CommandError(f"skills each must be from 1 to {len(levels)}, got {count}")
    groups = []
    for group, agents in people:
        trained = [_trained(agent, n, count, levels) for n, agent in enumerate(agents)]
        groups.append(attrs.evolve(group, agents=trained))
    return attrs.evolve(scenario, groups=groups)


def _trained(agent: Agent, number: int, count: int, levels: dict[str, int]) -> Agent:
    own = sorted(agent.skills, key=lambda skill: (-agent.skills[skill], skill))[:count]
    names = list(levels)
    first = names.index(own[0]) + 1 if own else 0
    ring = [skill for skill in names[first:] + names[:first] if skill not in own]
    turn = number % len(ring) if ring else 0
    added = (ring[turn:] + ring[:turn])[: count - len(own)]
    skills = {skill: agent.skills[skill] for skill in own}
    return msgspec.structs.replace(agent, skills=skills | {s: levels[s] for s in added})


# --- playing them -------------------------------------------------------------------------

_Played = Callable[[Scenario], list[Outcome]]


def gains(
    scenario: Scenario, *, seed: int = 1, count: int = 10, skill_cost: float = 0.1
) -> Iterator[Gain]:
    """Each candidate beside the scenario as it is, one after the other."""
    before = replicate(scenario, seed=seed, count=count)
    for one in candidates(scenario, skill_cost=skill_cost):
        after = replicate(one.scenario, seed=seed, count=count)
        yield Gain(one.name, one.cost, compare(before, after))


def improve(
    scenario: Scenario,
    measure: str,
    goal: float,
    *,
    seed: int = 1,
    count: int = 10,
    skill_cost: float = 0.1,
    at_most: int = 20,
) -> Iterator[Step]:
    """The best change for its price, again and again, until ``measure`` reaches ``goal``.

    Greedy: cheap to find and good, not proven to be the best. Ends too when no change helps or
    after ``at_most`` steps. Raises `UnknownNameError` for an unknown measure.
    """
    Precision(measure, 1.0)  # which names the known measures
    if measure.endswith(("arrived", "waiting")):
        raise UnknownNameError("measure", measure, ["service_level_offered", "asa_ms"])
    is_more = measure.startswith(_MORE_IS_BETTER)
    now, name, cost = replicate(scenario, seed=seed, count=count), "", 0.0
    for _ in range(at_most + 1):
        report = summarize(now)
        yield Step(name, cost, report)
        found = report.line().measures.get(measure)
        if found is not None and (found.mean >= goal if is_more else found.mean <= goal):
            return
        best, best_worth = None, 0.0
        for one in candidates(scenario, skill_cost=skill_cost):
            after = replicate(one.scenario, seed=seed, count=count)
            worth = Gain(one.name, one.cost, compare(now, after)).better(measure) / one.cost
            if worth > best_worth:
                best, best_worth = (one, after), worth
        if best is None:
            return
        chosen, now = best
        scenario, name, cost = chosen.scenario, chosen.name, cost + chosen.cost
