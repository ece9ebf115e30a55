"""FreeSWITCH's ``callcenter.conf.xml`` (mod_callcenter) into a plan.

How it maps: a caller's score grows by one a second from its base score, which is the order
`head_start` with one second a point. Tier levels are steps that open with time where
``tier-rules-apply`` is true; where it is not, level, and position for the strategies that
go by it, are the rank of an agent (see `ranking`). An agent's wrap-up time is his own here too; his
delays belong to queues, and are taken over where a queue's agents agree.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

import attrs

from ..errors import PlanError
from ..model import Agent
from ..plan import (
    Expression,
    HeadStart,
    OnExpiry,
    Queue,
    Refusal,
    Step,
    Strategy,
    has_skill,
)
from .documents import Notes
from .draft import FOR_EVER, Draft, clean, impossible
from .ranking import MAX_OFFERS, give_weights, members_of
from .report import Imported
from .wrapping import give_wrap_ups
from .xml_tree import Element, read_xml

__all__ = ["import_freeswitch"]

_MAX_SECONDS = 10**7
_TRUE = frozenset({"true", "yes", "on", "enabled", "active", "allow", "t", "1"})
_UNLIMITED = 100_000
_LEG_TIMEOUT = re.compile(r"\b(?:leg_timeout|call_timeout|originate_timeout)=(\d{1,5})\b")

_STRATEGIES = {
    "longest-idle-agent": (Strategy.LONGEST_IDLE, ""),
    "round-robin": (Strategy.ROUND_ROBIN, ""),
    "top-down": (Strategy.MOST_SKILLED, ""),
    "sequentially-by-agent-order": (Strategy.MOST_SKILLED, ""),
    "ring-all": (Strategy.LONGEST_IDLE, ""),  # with an offer to everybody at once
    "ring-progressively": (Strategy.LONGEST_IDLE, "all agents ring at once, not one after another"),
    "agent-with-least-talk-time": (Strategy.LONGEST_IDLE, "talk time is not counted in choosing"),
    "agent-with-fewest-calls": (
        Strategy.WEIGHTED,
        "offers since the sign-in count, not calls answered",
    ),
    "random": (Strategy.ROUND_ROBIN, "every decision is deterministic"),
}
_ALL_AT_ONCE = frozenset({"ring-all", "ring-progressively"})
_BY_POSITION = frozenset({"top-down", "sequentially-by-agent-order"})

_WHY = {
    "max-wait-time-with-no-agent": "how long nobody was there is not counted; an overflow rule with"
    " `signed_in == 0` turns callers away at once",
    "max-wait-time-with-no-agent-time-reached": "how long nobody was there is not counted",
    "discard-abandoned-after": "who hangs up has gone",
    "abandoned-resume-allowed": "who hangs up has gone; a new call is a new interaction",
    "skip-agents-with-external-calls": "calls outside are not seen: agents are not ready by hand",
    "agent-no-answer-status": "who does not answer is not ready, with the reason no_answer",
}
_SOUND = "announcements, music and recordings are made by the telephone system"
_READ = frozenset(
    {
        "strategy", "time-base-score", "tier-rules-apply", "tier-rule-wait-second",
        "tier-rule-wait-multiply-level", "tier-rule-no-agent-no-wait", "max-wait-time",
    }
)  # fmt: skip
_OF_AGENTS = frozenset(
    {"name", "type", "contact", "status", "uuid", "max-no-answer", "wrap-up-time",
     "reject-delay-time"}
)  # fmt: skip


class _Place(NamedTuple):
    """One agent's tier in one queue."""

    level: int
    position: int


@attrs.define
class _Habits:
    """What an agent says about himself."""

    wrap_up_s: int = 0
    reject_s: int = 0
    max_no_answer: int = 0
    ring_s: int = 0


def import_freeswitch(text: str) -> Imported:
    """The plan of a ``callcenter.conf.xml``. Raises `PlanError` when it has no queue."""
    draft = Draft("freeswitch", max_offers=FOR_EVER)
    top = read_xml(text)
    queues = list(top.all("queue"))
    if not queues:
        raise PlanError("there is no queue in this freeswitch file")
    for setting in (s for part in top.all("settings") for s in part.all("param")):
        draft.notes.left_out(
            setting.where, f"the setting {setting.get('name')}",
            "it is about the module's own database",
        )  # fmt: skip
    habits = {name: habit for agent in top.all("agent") for name, habit in _agent(draft, agent)}
    places = _places(draft, top.all("tier"))
    for element in queues:
        _read_queue(draft, element, places, habits)
    give_wrap_ups(
        draft,
        {
            name: {ident: habits.get(ident, _Habits()).wrap_up_s for ident in places.get(name, {})}
            for name in draft.queues
        },
    )
    for name in places.keys() - draft.queues.keys():
        draft.notes.left_out("tiers", f"the tiers of {name}", "this queue is not in the file")
    draft.notes.left_out(
        "dialplan", "which call goes to which queue", "the dialplan says so",
        "submit a call with the name of its queue, or add triage rules",
    )  # fmt: skip
    return draft.finished()


def _seconds(notes: Notes, where: str, name: str, value: str) -> int:
    if re.fullmatch(r"[0-9]{1,8}", value or "0") and int(value or 0) <= _MAX_SECONDS:
        return int(value or 0)
    notes.left_out(where, f"{name} = {value}", "it should be a number of seconds")
    return 0


def _flag(value: dict[str, str], key: str, default: str = "false") -> bool:
    return value.get(key, default).lower() in _TRUE


def _agent(draft: Draft, element: Element) -> Iterable[tuple[str, _Habits]]:
    notes, where = draft.notes, element.where
    name = element.get("name")
    if not name:
        notes.left_out(where, "an agent", "it has no name")
        return
    ident = clean(name)
    number = {
        key: _seconds(notes, where, key, element.get(key))
        for key in ("wrap-up-time", "reject-delay-time", "max-no-answer")
    }
    for key, value in element.attributes.items():
        if key not in _OF_AGENTS and value:
            notes.left_out(where, f"{key} = {value} of {ident}", "offers come again at once")
    draft.agents.setdefault(ident, Agent(id=ident))
    ring = _LEG_TIMEOUT.search(element.get("contact"))
    yield (
        ident,
        _Habits(
            number["wrap-up-time"],
            number["reject-delay-time"],
            number["max-no-answer"],
            int(ring[1]) if ring else 0,
        ),
    )


def _places(draft: Draft, tiers: Iterable[Element]) -> dict[str, dict[str, _Place]]:
    """By queue and agent. An agent of whom only a tier is known is one too."""
    found: dict[str, dict[str, _Place]] = {}
    for tier in tiers:
        agent, queue = tier.get("agent"), tier.get("queue")
        if not agent or not queue:
            draft.notes.left_out(tier.where, "a tier", "it names no agent or no queue")
            continue
        level, position = (
            _seconds(draft.notes, tier.where, key, tier.get(key) or "1")
            for key in ("level", "position")
        )
        ident = clean(agent)
        draft.agents.setdefault(ident, Agent(id=ident))
        found.setdefault(clean(queue), {})[ident] = _Place(level, position)
    return found


def _read_queue(
    draft: Draft,
    element: Element,
    places: dict[str, dict[str, _Place]],
    habits: dict[str, _Habits],
) -> None:
    notes, where = draft.notes, element.where
    name = clean(element.get("name"))
    params = {p.get("name").lower(): p for p in element.all("param")}
    value = {key: param.get("value") for key, param in params.items()}
    word = value.get("strategy", "longest-idle-agent").lower()
    strategy, lost = _STRATEGIES.get(word, (Strategy.LONGEST_IDLE, "this strategy is not known"))
    mine = places.get(name, {})
    timed = _flag(value, "tier-rules-apply")
    by_position = word in _BY_POSITION
    ranks = {
        ident: (place.level, place.position if by_position else 0) for ident, place in mine.items()
    }
    members, ranked = members_of(draft, name, ranks)
    if ranked is None and strategy is Strategy.MOST_SKILLED:
        strategy = Strategy.LONGEST_IDLE  # one position for all: nothing to go by
    if ranked is not None and strategy in (Strategy.ROUND_ROBIN, Strategy.WEIGHTED):
        lost = "agents of one level are chosen by idle time"
    strategy = ranked or strategy
    if strategy is Strategy.WEIGHTED:
        give_weights(draft, ranks)
    if lost:
        notes.changed(where, f"strategy = {word}", lost, f"strategy {strategy.value}")
    if value.get("time-base-score") == "system":
        notes.changed(where, "time-base-score = system", "waiting counts from the queue on",
                      "give a priority for time spent before: one point a second")  # fmt: skip
    longest_s = _seconds(notes, where, "max-wait-time", value.get("max-wait-time", "0"))
    own = [habits.get(ident, _Habits()) for ident in mine]
    queue = Queue(
        name=name,
        members=members,
        order=HeadStart(1000),
        strategy=strategy,
        offers=MAX_OFFERS if word in _ALL_AT_ONCE else 1,
        max_waiting=_UNLIMITED,
        max_wait_ms=longest_s * 1000 or None,
    )
    if timed and mine:
        queue = attrs.evolve(queue, ladder=_ladder(draft, queue, where, value, mine))
    draft.add_queue(_with_habits(queue, own, where, notes), where)
    for key, param in params.items():
        if key not in _READ and value[key] not in ("", "0", "false"):
            notes.left_out(param.where, f"{name}: {key} = {value[key]}", _WHY.get(key, _SOUND))


def _ladder(
    draft: Draft, queue: Queue, where: str, value: dict[str, str], mine: dict[str, _Place]
) -> tuple[Step, ...]:
    """Each level opens when the caller has waited: a step for the levels up to it."""
    wait_s = _seconds(
        draft.notes, where, "tier-rule-wait-second", value.get("tier-rule-wait-second", "0")
    )
    multiply = _flag(value, "tier-rule-wait-multiply-level")
    # Where nobody of a level is signed in, the next opens at once, and so does the first.
    skip = _flag(value, "tier-rule-no-agent-no-wait", default="true")
    # Level 0 is open at once; every other, also the first, when its wait is over.
    opens = {
        ident: 1000 * wait_s * (place.level if multiply else min(place.level, 1))
        for ident, place in mine.items()
    }
    steps: list[Step] = []
    for moment, until_ms in itertools.pairwise(sorted({0, *opens.values()})):
        allowed = [ident for ident, opened in opens.items() if opened <= moment]
        wanted = _ranked(draft, queue.name, allowed) if allowed else None
        if wanted is None:
            if skip or queue.members is None:
                continue
            wanted = impossible(queue.members)
        steps.append(Step(requirement=wanted, until_ms=until_ms, skip_if_nobody=skip))
    return (*steps, Step())


def _ranked(draft: Draft, queue: str, allowed: list[str]) -> Expression:
    """The agents of the better ranks, to which all of ``allowed`` belong and no others."""
    skill = f"queue:{queue}"
    return has_skill(skill, min(draft.agents[ident].skills[skill] for ident in allowed))


def _with_habits(queue: Queue, own: list[_Habits], where: str, notes: Notes) -> Queue:
    """The queue with what its agents say about themselves, where they agree."""

    def agreed(name: str, values: Iterable[int]) -> int:
        found = sorted(set(values))
        if len(found) > 1:
            notes.changed(
                where, f"{name} of {', '.join(map(str, found))}",
                f"the agents of {queue.name} differ, and here it belongs to the queue",
                f"{found[-1]} for all",
            )  # fmt: skip
        return found[-1] if found else 0

    reject_s = agreed("reject-delay-time", (h.reject_s for h in own))
    misses = agreed("max-no-answer", (h.max_no_answer for h in own))
    ring_s = agreed("leg_timeout", (h.ring_s for h in own))
    if misses > 1:
        notes.changed(where, f"max-no-answer = {misses}", "the first call missed counts",
                      "not ready after one")  # fmt: skip
    return attrs.evolve(
        queue,
        refusal=Refusal("after", reject_s * 1000) if reject_s else Refusal("at_once"),
        on_expiry=OnExpiry.NOT_READY if misses else OnExpiry.NOTHING,
        offer_timeout_ms=ring_s * 1000 or queue.offer_timeout_ms,
    )
