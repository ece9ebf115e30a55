"""A recorded day as a what-if needs it: who came, what they wanted, who was there to help.

Read from a journal's entries, once. The gaps are filled here: what an interaction would have taken
that was never completed, how long somebody would have waited who was answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

import attrs

from .. import events as ev
from ..events import Command, Event
from ..journal import Entry
from .agenda import NEVER
from .lives import Fate, Life, Lives
from .streams import Streams
from .survival import Survival, kaplan_meier

__all__ = ["Person", "Recording"]

#: What agents, customers and time did in answer to the old plan's decisions: played anew.
_ANSWERS: Final = (
    ev.Abandon,
    ev.Accept,
    ev.ChangeAgent,
    ev.Complete,
    ev.FinishWrapUp,
    ev.Hold,
    ev.Requeue,
    ev.Resume,
    ev.SetNotReady,
    ev.SetReady,
    ev.SignIn,
    ev.SignOut,
    ev.Tick,
)
#: Events that say that something happened which is not repeated.
_NOT_REPEATED: Final = (ev.Declined, ev.Expired, ev.Requeued)


@attrs.define(eq=False)
class Person:
    """Who sent a message, with all that it would take to serve him.

    ``before`` is the interaction that it opened, or ``joined_before`` the one that it joined;
    ``after`` and ``joined_after`` are the same under the new plan, set while that is played.
    """

    at_ms: int
    command: ev.Submit | ev.Quarantine
    before: Life | None = None
    joined_before: Life | None = None
    after: Life | None = None
    joined_after: Life | None = None
    work_ms: int = 0
    wrap_up_ms: int | None = None
    answer_ms: int = 0
    patience_ms: float = NEVER
    offer_id: int = 0


class _Deck:
    """Completed interactions to copy from, in turn: of the same queue and channel where any are."""

    def __init__(self, lives: Iterable[Life]) -> None:
        self._piles: dict[tuple[str, str], list[Life]] = {}
        self._drawn: Counter[tuple[str, str]] = Counter()
        for life in lives:
            if life.is_done:
                for key in ((life.queue, life.channel), ("", life.channel), ("", "")):
                    self._piles.setdefault(key, []).append(life)

    def draw(self, queue: str, channel: str) -> Life | None:
        for key in ((queue, channel), ("", channel), ("", "")):
            pile = self._piles.get(key)
            if pile:
                self._drawn[key] += 1
                return pile[(self._drawn[key] - 1) % len(pile)]
        return None


def _copy(person: Person, life: Life) -> None:
    person.work_ms = life.work_ms
    person.wrap_up_ms = life.wrap_up_ms
    person.answer_ms = life.answer_ms or 0


def _complete(person: Person, life: Life | None, model: Life) -> None:
    """What is not whole takes as long as it did for ``model``, but no less than was seen."""
    if not person.answer_ms or life is None or not life.agent_id:
        person.answer_ms = max(person.answer_ms, model.answer_ms or 0)
    if person.wrap_up_ms is not None:
        person.wrap_up_ms = max(person.wrap_up_ms, model.wrap_up_ms or 0)
    else:
        person.work_ms = max(person.work_ms, model.work_ms)
        person.wrap_up_ms = model.wrap_up_ms


@attrs.define(eq=False)
class Recording:
    """A day: ``people`` in order of arrival, ``presence`` of agents, ``commands`` from above."""

    people: list[Person] = attrs.field(factory=list)
    lives: list[Life] = attrs.field(factory=list)
    presence: list[tuple[int, Command]] = attrs.field(factory=list)
    commands: list[tuple[int, ev.Cancel | ev.Move | ev.Reprioritize, Person]] = attrs.field(
        factory=list
    )
    left_out: Counter[str] = attrs.field(factory=Counter)
    from_ms: int = 0
    to_ms: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Recording:
        """Read a journal from its first entry on."""
        made = cls()
        lives = Lives()
        people: dict[int, Person] = {}
        for number, entry in enumerate(entries):
            if not number:
                made.from_ms = entry.now_ms
            made.to_ms = entry.now_ms
            made._read_command(entry, lives, people)
            for event in entry.events:
                lives.read(event)
                made._read_event(event, entry, lives, people)
        lives.close(made.to_ms)
        made.lives = lives.all
        made._fill_gaps()
        return made

    def _read_command(self, entry: Entry, lives: Lives, people: dict[int, Person]) -> None:
        command = entry.command
        if isinstance(command, ev.Submit | ev.Quarantine):
            self.people.append(Person(entry.now_ms, command))
        elif isinstance(command, ev.Cancel | ev.Move | ev.Reprioritize):
            life = lives.get(command.interaction_id)
            if life is not None:
                self.commands.append((entry.now_ms, command, people[id(life)]))
        elif not isinstance(command, _ANSWERS):
            self.left_out[str(command.__struct_config__.tag)] += 1

    def _read_event(
        self, event: Event, entry: Entry, lives: Lives, people: dict[int, Person]
    ) -> None:
        if isinstance(event, ev.Queued | ev.Rejected):
            person = self.people[-1]
            person.before = lives.all[-1]
            people[id(person.before)] = person
        elif isinstance(event, ev.MessageAppended):
            self.people[-1].joined_before = lives.get(event.interaction_id)
        elif isinstance(event, ev.SignedIn):
            self.presence.append((event.at_ms, ev.SignIn(event.agent, ready=False)))
        elif isinstance(event, ev.SignedOut):
            self.presence.append((event.at_ms, ev.SignOut(event.agent_id, event.reason)))
        elif isinstance(event, ev.BecameReady):
            self.presence.append((event.at_ms, ev.SetReady(event.agent_id)))
        elif isinstance(event, ev.BecameNotReady):
            self.presence.append((event.at_ms, ev.SetNotReady(event.agent_id, event.reason)))
        elif isinstance(event, ev.AgentChanged):
            self.presence.append((event.at_ms, ev.ChangeAgent(event.agent)))
        elif isinstance(event, _NOT_REPEATED):
            self.left_out[str(event.__struct_config__.tag)] += 1

    # --- what was not seen ------------------------------------------------------------------

    def _fill_gaps(self) -> None:
        deck, survival = _Deck(self.lives), self._survival()
        dice = Streams(0).dice("what-if", "patience")
        for number, person in enumerate(self.people):
            life = person.before
            channel = person.command.message.channel.value
            if life is not None:
                _copy(person, life)
            if life is None or not life.is_done:
                model = deck.draw(life.queue if life is not None else "", channel)
                if model is not None:
                    _complete(person, life, model)
            if life is not None and life.fate is Fate.ABANDONED and not life.agent_id:
                person.patience_ms = life.waited_ms or 0
            elif channel in survival:
                seen_ms = self._seen_ms(life)
                patience_ms = survival[channel].beyond(seen_ms, dice.uniform(number, 0))
                person.patience_ms = min(patience_ms, float(NEVER))

    def _seen_ms(self, life: Life | None) -> int:
        """How long he is known to have waited."""
        if life is None or life.fate is Fate.REJECTED:
            return 0
        if life.waited_ms is not None:
            return life.waited_ms
        return max(0, self.to_ms - life.arrived_at_ms)

    def _survival(self) -> dict[str, Survival]:
        """Patience by channel, where somebody was seen to leave."""
        left: dict[str, list[int]] = {}
        stayed: dict[str, list[int]] = {}
        for life in self.lives:
            if life.fate is Fate.ABANDONED and not life.agent_id:
                left.setdefault(life.channel, []).append(self._seen_ms(life))
            elif life.fate is not Fate.REJECTED:
                stayed.setdefault(life.channel, []).append(self._seen_ms(life))
        found = {
            channel: kaplan_meier(waits, stayed.get(channel, ())) for channel, waits in left.items()
        }
        return {c: s for c, s in found.items() if s.mean_ms < math.inf}
