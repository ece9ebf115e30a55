"""Verdicts, scores and rivals as the slow definition has them, for the tests of explanations."""

from __future__ import annotations

from typing import Any

from engine.naive import NaiveEngine
from engine.naive_room import has_room
from omniroute.engine import Verdict
from omniroute.events import OfferKind
from omniroute.model import InteractionState
from omniroute.plan import Delivery

WAITING = InteractionState.WAITING


def verdict(naive: NaiveEngine, agent_id: str, interaction_id: str) -> Verdict:
    """The first filter that removes the agent."""
    item, person = naive.items[interaction_id], naive.people[agent_id]
    agent, queue, step = person.agent, item.queue, naive.ladder(item)[item.step]
    is_direct = item.step < len(item.own_steps) and item.own_steps[item.step].direct
    own = item.requirement if item.requirement is None else item.requirement.without(step.drop)
    if agent_id in (item.agent_id, *item.asked.values()):
        return Verdict.CHOSEN
    if not is_direct and queue.members is not None and not queue.members.matches(agent):
        return Verdict.NOT_A_MEMBER
    if step.requirement is not None and not step.requirement.matches(agent):
        return Verdict.NOT_AT_STEP
    if not is_direct and own is not None and not own.matches(agent):
        return Verdict.LACKS_REQUIREMENT
    if not naive.has_access(person, item):
        return Verdict.NO_ACCESS_YET
    if not has_room(naive.capacity(person), [], item.messages[0].channel):
        return Verdict.OTHER_CHANNELS
    if not person.ready:
        return Verdict.NOT_READY
    if agent_id in item.barred:
        return Verdict.DECLINED
    return Verdict.ELIGIBLE if naive.has_room(person, item) else Verdict.NO_ROOM


def reason(naive: NaiveEngine, interaction_id: str) -> str:
    """Why it is where it is: of those who may not take it, the nearest says why."""
    item = naive.items[interaction_id]
    if item.state is not WAITING:
        return item.state.value
    if item.queue.delivery is Delivery.PULL:
        return "agents_pick"
    if not naive.people:
        return "no_agent_signed_in"
    found = {verdict(naive, name, interaction_id) for name in naive.people}
    for nearest, word in (
        (Verdict.NO_ROOM, "all_busy"),
        (Verdict.DECLINED, "all_declined"),
        (Verdict.NOT_READY, "no_agent_ready"),
        (Verdict.OTHER_CHANNELS, "no_agent_for_channel"),
        (Verdict.NO_ACCESS_YET, "access_not_open"),
    ):
        if nearest in found:
            return word
    return "no_agent_qualified"


class WatchingEngine(NaiveEngine):
    """Writes down what stood when it made each offer, by offer id."""

    def __init__(self, plan: Any) -> None:
        super().__init__(plan)
        self.watched: dict[int, dict[str, Any]] = {}

    def offer(self, person: Any, item: Any, how: OfferKind = OfferKind.MATCHED, **more: Any) -> int:
        verdicts = {name: verdict(self, name, item.id) for name in self.people}
        ranked = sorted(
            (p for p in self.people.values() if verdicts[p.agent.id] is Verdict.ELIGIBLE),
            key=lambda p: self.rank(p, item),
        )
        found = {
            "verdicts": verdicts,
            "ranked": [(p.agent.id, self.score(p, item)) for p in ranked],
            "rivals": self.rivals(person),
        }
        offer_id: int = super().offer(person, item, how, **more)
        self.watched[offer_id] = found
        return offer_id

    def score(self, person: Any, item: Any) -> tuple[str, ...]:
        score = self.rank(person, item)[0]
        return tuple(str(part) for part in (score if isinstance(score, tuple) else (score,)))

    def rivals(self, person: Any) -> list[str]:
        """What he could be offered, one after the other, as if nothing else changed."""
        found = [i for i in self.open_items() if self.eligible(person, i)]
        ordered = []
        while found:
            ordered.append(self.best_for(person, found))
            found.remove(ordered[-1])
        return [item.id for item in ordered]
