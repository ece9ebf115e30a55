"""The canonical closed loop: one seeded centre that every engine benchmark runs.

12 queues, 24 skills and 6 languages; 240 requirement sets drawn Zipf-like; agents with 3-8
skills and one or two languages; channels voice 35, chat 25, e-mail 30, social 10 %; an
agent carries one call or 3 chats or 5 mails; priorities 0-9, head start, longest idle. All
random draws are made beforehand, so that a timed step contains nothing but the engine.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import msgspec

from omniroute.engine import Engine
from omniroute.events import Accept, Complete, SignIn, Submit
from omniroute.model import Agent, Channel, Customer, Message
from omniroute.plan import Capacity, HeadStart, Limits, Plan, Queue, Skill

QUEUES = 12
SKILLS = 24
LANGUAGES = ("de", "en", "fr", "it", "es", "pl")
CHANNELS = (Channel.VOICE, Channel.CHAT, Channel.EMAIL, Channel.FACEBOOK)
CHANNEL_WEIGHTS = (35, 25, 30, 10)
COSTS = {"voice": 15, "chat": 5, "facebook": 5, "email": 3}
BUDGET = 15
HANDLE_MS = 300_000

Need = tuple[dict[str, int], str]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes one case of the benchmark from another."""

    name: str
    waiting: int
    agents: int
    requirement_sets: int = 240
    unique_agents: bool = False
    unservable: float = 0.0
    named: float = 0.0
    seed: int = 7


def plan() -> Plan:
    """The plan of the centre."""
    skills = [Skill(f"s{i}") for i in range(SKILLS)]
    skills += [Skill(f"lang:{code}") for code in LANGUAGES]
    skills += [Skill("rare"), Skill("badge", max_level=1_000_000)]
    queues = [
        Queue(name=f"q{i}", order=HeadStart(ms_per_point=60_000), max_waiting=10_000_000)
        for i in range(QUEUES)
    ]
    capacity = Capacity(budget=BUDGET, costs=COSTS)
    limits = Limits(max_waiting=10_000_000, max_agents=1_000_000, max_lanes=200_000)
    return Plan(skills=skills, queues=queues, capacities=[capacity], limits=limits)


def requirement_sets(count: int, rng: random.Random) -> list[Need]:
    """Skill levels and a language per set: 1-2 skills, one language."""
    sets: list[Need] = []
    for _ in range(count):
        names = rng.sample(range(SKILLS), rng.choice((1, 1, 2)))
        sets.append(({f"s{n}": rng.randint(1, 6) for n in names}, rng.choice(LANGUAGES)))
    return sets


def text(need: Need) -> str:
    """A requirement set in the expression language."""
    levels, language = need
    return " and ".join([*(f"{s} >= {n}" for s, n in levels.items()), f"lang:{language} >= 1"])


def make_agents(shape: Shape, rng: random.Random) -> list[Agent]:
    """Agents with 3-8 skills; as a rule nearly all differ, ``unique_agents`` makes all differ."""
    agents = []
    for number in range(shape.agents):
        skills = {f"s{n}": rng.randint(1, 10) for n in rng.sample(range(SKILLS), rng.randint(3, 8))}
        for code in rng.sample(LANGUAGES, rng.choice((1, 2))):
            skills[f"lang:{code}"] = rng.randint(1, 10)
        if shape.unique_agents:
            skills["badge"] = number + 1
        agents.append(Agent(id=f"a{number}", skills=skills))
    return agents


@dataclass
class World:
    """The drawn inputs of one case: agents, an endless stream of submissions, completions."""

    shape: Shape
    rng: random.Random = field(init=False)
    agents: list[Agent] = field(init=False)
    needs: list[Need] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.shape.seed)
        self.needs = requirement_sets(self.shape.requirement_sets, self.rng)
        self.agents = make_agents(self.shape, self.rng)
        self._texts = [text(need) for need in self.needs]
        weights = (1 / (rank + 1) for rank in range(len(self.needs)))
        self._numbers = itertools.count(1)
        self._cumulative = list(itertools.accumulate(weights))

    def picks(self, count: int) -> list[int]:
        """That many requirement sets, drawn Zipf-like: the k-th is drawn 1/k as often."""
        return self.rng.choices(range(len(self.needs)), cum_weights=self._cumulative, k=count)

    def submissions(self, count: int) -> list[Submit]:
        """That many submissions, each with an id of its own."""
        shape, rng = self.shape, self.rng
        picks = self.picks(count)
        channels = rng.choices(CHANNELS, CHANNEL_WEIGHTS, k=count)
        made = []
        for pick, channel in zip(picks, channels, strict=True):
            requirement = self._texts[pick]
            draw = rng.random()
            if draw < shape.named:
                requirement = 'agent == "a0"'
            elif draw < shape.named + shape.unservable:
                requirement = f"rare >= 1 and {requirement}"
            made.append(
                Submit(
                    Message(channel=channel, customer=Customer(id=f"c{rng.randrange(100_000)}")),
                    f"q{pick % QUEUES}",
                    rng.randrange(10),
                    requirement,
                    f"n{next(self._numbers)}",
                )
            )
        return made


class Loop:
    """Drives an engine through a closed network: what is completed arrives anew.

    The numbers in the system and their kinds never change, so W waiting stays W but for the
    few that change places with the engaged. An id is used again once it is free, so that the
    loop itself costs little.
    """

    def __init__(self, world: World, engine: Engine | None = None) -> None:
        self.world = world
        self.engine = engine if engine is not None else Engine(plan())
        self.assignments: list[int] = []
        self.now_ms = 1_700_000_000_000
        #: interaction id -> its submission
        self.kinds: dict[str, Submit] = {}

    def fill(self) -> None:
        """Sign everybody in and submit until W wait and nobody rings."""
        self.fill_agents()
        waiting, wanted = 0, self.world.shape.waiting
        while waiting < wanted:
            for submit in self.world.submissions(min(10_000, wanted - waiting)):
                self.now_ms += 1
                waiting += 1 - self.submit(submit)

    def fill_agents(self) -> None:
        """Sign everybody in."""
        for agent in self.world.agents:
            self.engine.receive(SignIn(agent), self.now_ms)

    def saturate(self) -> None:
        """Submit until hardly anybody has room."""
        offered = 1
        while offered:
            offered = sum(self.submit(submit) for submit in self.world.submissions(1_000)) // 50

    def submit(self, submit: Submit) -> int:
        """Submit one and accept what is offered; returns how many were."""
        now_ms = self.now_ms
        events = self.engine.receive(submit, now_ms)
        self.kinds[submit.interaction_id or ""] = submit
        for event in events[1:]:
            offer_id = event.offer_id  # type: ignore[union-attr]
            self.engine.receive(Accept(offer_id), now_ms)
            self.assignments.append(offer_id)
        return len(events) - 1

    def draws(self, count: int) -> list[int]:
        """Which assignment each of ``count`` steps completes."""
        getrandbits = self.world.rng.getrandbits
        return [getrandbits(62) for _ in range(count)]

    def run(self, draws: list[int]) -> None:
        """A step = complete + offer + accept + submit, with all events produced."""
        receive = self.engine.receive
        assignments = self.assignments
        kinds = self.kinds
        step_ms = max(1, HANDLE_MS // len(assignments))
        now_ms = self.now_ms
        for draw in draws:
            now_ms += step_ms
            index = draw % len(assignments)
            done = assignments[index]
            assignments[index] = assignments[-1]
            assignments.pop()
            events = receive(Complete(done), now_ms)
            submit = kinds[events[0].interaction_id]  # type: ignore[union-attr]
            for event in events[1:]:
                offer_id = event.offer_id  # type: ignore[union-attr]
                receive(Accept(offer_id), now_ms)
                assignments.append(offer_id)
            events = receive(submit, now_ms)
            for event in events[1:]:
                offer_id = event.offer_id  # type: ignore[union-attr]
                receive(Accept(offer_id), now_ms)
                assignments.append(offer_id)
        self.now_ms = now_ms
