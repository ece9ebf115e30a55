"""What another plan would have made of a recorded day: the journal's customers and agents again.

What came from outside is taken from the journal as it was: messages at their moments, agents'
presence, cancellations, moves and changes of priority. What followed from the old plan's decisions
(offers, answers, work) is played anew by the engine under the new plan, and how long things then
take has to be assumed; `ASSUMPTIONS` says how, and stands in every result.

A choice that the recording does not settle falls by dice that depend on the number of the message
alone, so the same journal and plan give the same result, byte for byte. Played under the plan it
was recorded with, a day without refusals comes out as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import attrs
import msgspec

from .. import events as ev
from ..engine import Engine
from ..events import Command, Event
from ..journal import Entry
from ..plan import Plan, WrapUpKind
from .agenda import ANSWER, ARRIVAL, LEAVING, NEVER, PRESENCE, WORK, Agenda
from .lives import Fate, Life, Lives, rows
from .outcome import Row
from .recording import Person, Recording

__all__ = ["ASSUMPTIONS", "Change", "Turn", "WhatIf", "what_if"]

#: What is assumed of the day that did not happen, in words for the reader of a result.
ASSUMPTIONS: Final = (
    "Messages come as recorded, and so do cancellations, moves and changes of priority.",
    "Handle time belongs to the interaction: it takes as long as it took, whoever does it.",
    "What was not completed takes as long as another of its queue and channel, in turn.",
    "What was given back and taken again is done once, for the sum of both.",
    "Wrap-up lasts as recorded; where there was none, as long as the new plan gives it.",
    "Who abandoned leaves after the wait he left after.",
    "Who was answered would have waited longer: drawn from his channel's Kaplan-Meier estimate.",
    "On a channel that nobody was seen to leave, everybody waits.",
    "Agents are present and ready as recorded; who leaves finishes first what he has in hand.",
    "Every offer is taken, as long after it is made as the recorded one; nobody declines.",
    "In time is what is accepted within the target of the new plan's queue, on both sides.",
)


class Turn(msgspec.Struct, frozen=True):
    """How it went for one interaction: its queue, its end, who took it, how long it waited."""

    queue: str
    fate: Fate
    agent_id: str = ""
    waited_ms: int | None = None


class Change(msgspec.Struct, frozen=True):
    """An interaction that would have gone another way; None: there would have been none."""

    interaction_id: str
    channel: str
    arrived_at_ms: int
    before: Turn | None
    after: Turn | None


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded day beside the same day under another plan.

    ``before`` and ``after`` are counts per queue. ``counts`` tells how many interactions there
    were (``interactions``), how many had the ``same`` queue, end and agent, and of the others how
    many had ``other_agent``, ``other_queue``, were ``gained`` (served instead of lost) or ``lost``;
    ``sooner`` and ``later`` compare the waits of those served on both sides. ``changes`` are all
    that are not the same, in order of arrival. ``left_out`` counts recorded commands and events
    that the replay cannot or does not repeat.
    """

    plan: str
    from_ms: int
    to_ms: int
    before: dict[str, Row]
    after: dict[str, Row]
    counts: dict[str, int]
    changes: tuple[Change, ...]
    left_out: dict[str, int]
    assumptions: tuple[str, ...] = ASSUMPTIONS


def what_if(entries: Iterable[Entry], plan: Plan) -> WhatIf:
    """Play the day of a journal, given from its first entry on, under ``plan``.

    Raises `UnknownNameError` or `PlanError` when the journal names what ``plan`` lacks: a queue
    that a message was sent to by name, an agent's capacity. Keeps the day in memory, about 1 kB
    per interaction; costs about 60 us per interaction.
    """
    recording = Recording.of(entries)
    world = _World(plan, recording)
    world.play()
    pairs = world.pairs()
    changes = [change for change in map(_change, pairs) if change is not None]
    return WhatIf(
        plan=plan.name,
        from_ms=recording.from_ms,
        to_ms=recording.to_ms,
        before=rows(recording.lives, plan),
        after=rows(world.lives.all, plan),
        counts=_counts(pairs, len(changes)),
        changes=tuple(changes),
        left_out=dict(sorted(recording.left_out.items())),
    )


def _turn(life: Life | None, joined: Life | None) -> Turn | None:
    if life is not None:
        return Turn(life.queue, life.fate, life.agent_id, life.waited_ms)
    return None if joined is None else Turn(joined.queue, Fate.JOINED, joined.agent_id)


@attrs.frozen
class _Pair:
    """One message on both sides: the interaction it opened, or the one that it joined."""

    before: Life | None
    after: Life | None
    joined_before: Life | None
    joined_after: Life | None


def _change(pair: _Pair) -> Change | None:
    before = _turn(pair.before, pair.joined_before)
    after = _turn(pair.after, pair.joined_after)
    life = pair.before or pair.after
    if life is None or (before and after and _same(before, after)):
        return None
    return Change(life.id, life.channel, life.arrived_at_ms, before, after)


def _same(before: Turn, after: Turn) -> bool:
    one, other = ((t.queue, t.fate, t.agent_id) for t in (before, after))
    return one == other


def _counts(pairs: Iterable[_Pair], changed: int) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for pair in pairs:
        before, after = pair.before, pair.after
        counts["interactions"] += before is not None or after is not None
        if before is None or after is None:
            continue
        counts["other_queue"] += before.queue != after.queue
        served = (before.fate is Fate.SERVED, after.fate is Fate.SERVED)
        counts["gained"] += served == (False, True)
        counts["lost"] += served == (True, False)
        if served == (True, True):
            counts["other_agent"] += before.agent_id != after.agent_id
            counts["sooner"] += (after.waited_ms or 0) < (before.waited_ms or 0)
            counts["later"] += (after.waited_ms or 0) > (before.waited_ms or 0)
    counts["same"] = counts["interactions"] - changed
    names = ("interactions", "same", "other_agent", "other_queue", "gained", "lost")
    return {name: counts[name] for name in (*names, "sooner", "later")}


class _World:
    """The day under the new plan, in progress: the engine, and what its people do next."""

    def __init__(self, plan: Plan, recording: Recording) -> None:
        self._plan = plan
        self._recording = recording
        self._engine = Engine(plan)
        self.lives = Lives()
        self._agenda = Agenda()
        self._todo: list[Command] = []
        #: by the new interaction id
        self._people: dict[str, Person] = {}
        self._carries: dict[str, set[str]] = {}
        self._leaves: dict[str, str] = {}
        self._life_of: dict[int, Life] = {}
        self._on: dict[type, Any] = {
            ev.Offered: self._offered,
            ev.Accepted: self._accepted,
            ev.WrapUpStarted: self._wrapping_up,
            ev.Completed: self._put_down,
            ev.Requeued: self._put_down,
            ev.Cancelled: self._gone,
            ev.Abandoned: self._gone,
        }
        for at_ms, command in recording.presence:
            self._agenda.plan(at_ms, PRESENCE, self._be_present, command)
        for person in recording.people:
            self._agenda.plan(person.at_ms, ARRIVAL, self._arrive, person)
        for at_ms, command, person in recording.commands:
            self._agenda.plan(at_ms, ARRIVAL, self._intervene, (command, person))

    # --- time -----------------------------------------------------------------------------

    def play(self) -> None:
        """From the first recorded moment to the last."""
        deadline = self._engine.next_deadline
        self._agenda.carry_out(self._recording.to_ms, deadline, self._wake)

    def _wake(self, at_ms: int) -> None:
        self._do(ev.Tick(), at_ms)

    def _do(self, command: Command, at_ms: int) -> list[Event]:
        """Give a command, read what it did, do what follows; returns the command's own events."""
        events = self._read(self._engine.receive(command, at_ms))
        while self._todo:
            self._read(self._engine.receive(self._todo.pop(0), at_ms))
        return events

    def _read(self, events: list[Event]) -> list[Event]:
        for event in events:
            self.lives.read(event)
            follow = self._on.get(type(event))
            if follow is not None:
                follow(event)
        return events

    # --- what comes from outside ------------------------------------------------------------

    def _arrive(self, at_ms: int, person: Person, _number: int) -> None:
        for event in self._engine.receive(person.command, at_ms):
            self.lives.read(event)
            if isinstance(event, ev.Queued | ev.Rejected):
                person.after = self.lives.all[-1]
                self._people[event.interaction_id] = person
            elif isinstance(event, ev.MessageAppended):
                person.joined_after = self.lives.get(event.interaction_id)
            follow = self._on.get(type(event))
            if follow is not None:
                follow(event)
        while self._todo:
            self._read(self._engine.receive(self._todo.pop(0), at_ms))
        after = person.after
        if after is not None and after.fate is Fate.OPEN and person.patience_ms < NEVER:
            self._agenda.plan(at_ms + int(person.patience_ms), LEAVING, self._leave, person)

    def _leave(self, at_ms: int, person: Person, _number: int) -> None:
        life = person.after
        if life is not None and life.fate is Fate.OPEN and not life.agent_id:
            self._do(ev.Abandon(life.id), at_ms)

    def _intervene(self, at_ms: int, subject: tuple[Any, Person], _number: int) -> None:
        command, person = subject
        life = person.after
        if life is not None and self.lives.get(life.id) is life:
            self._do(msgspec.structs.replace(command, interaction_id=life.id), at_ms)

    def _be_present(self, at_ms: int, command: Command, _number: int) -> None:
        if isinstance(command, ev.SignOut) and self._carries.get(command.agent_id):
            self._leaves[command.agent_id] = command.reason
            command = ev.SetNotReady(command.agent_id, command.reason)
        elif isinstance(command, ev.SignIn) and command.agent.id in self._leaves:
            del self._leaves[command.agent.id]
            command = ev.ChangeAgent(command.agent)
        self._do(command, at_ms)

    # --- what the engine says -------------------------------------------------------------

    def _offered(self, event: ev.Offered) -> None:
        person = self._people[event.interaction_id]
        queue = self._plan.queues.get(person.after.queue) if person.after is not None else None
        if queue is not None and queue.auto_accept:
            return
        longest_ms = event.expires_at_ms - event.at_ms - 1
        delay_ms = min(person.answer_ms, longest_ms)
        accept = ev.Accept(event.offer_id)
        if delay_ms <= 0:
            self._todo.append(accept)
        else:
            person.offer_id = event.offer_id
            self._agenda.plan(event.at_ms + delay_ms, ANSWER, self._answer, (person, accept))

    def _answer(self, at_ms: int, subject: tuple[Person, ev.Accept], _number: int) -> None:
        person, accept = subject
        life = person.after
        is_open = life is not None and self.lives.get(life.id) is life
        if is_open and person.offer_id == accept.offer_id:
            self._do(accept, at_ms)

    def _accepted(self, event: ev.Accepted) -> None:
        self._carries.setdefault(event.agent_id, set()).add(event.interaction_id)
        person = self._people[event.interaction_id]
        done_ms = event.at_ms + person.work_ms
        self._agenda.plan(done_ms, WORK, self._finish, ev.Complete(event.offer_id))

    def _finish(self, at_ms: int, command: Command, _number: int) -> None:
        self._do(command, at_ms)

    def _wrapping_up(self, event: ev.WrapUpStarted) -> None:
        person = self._people[event.interaction_id]
        life = person.after
        queue = self._plan.queues.get(life.queue) if life is not None else None
        kind = queue.wrap_up.kind if queue is not None else WrapUpKind.OPTIONAL
        wrap_up_ms = person.wrap_up_ms
        if kind is WrapUpKind.FORCED or (wrap_up_ms is None and kind is WrapUpKind.TIMED):
            return
        done_ms = event.at_ms + (wrap_up_ms or 0)
        if event.until_ms is None or done_ms < event.until_ms:
            finish = ev.FinishWrapUp(event.assignment_id)
            self._agenda.plan(done_ms, WORK, self._finish, finish)

    def _put_down(self, event: ev.Completed | ev.Requeued) -> None:
        self._let_go(event.agent_id, event.interaction_id)

    def _gone(self, event: ev.Cancelled | ev.Abandoned) -> None:
        person = self._people.get(event.interaction_id)
        if person is not None and person.after is not None and person.after.agent_id:
            self._let_go(person.after.agent_id, event.interaction_id)

    def _let_go(self, agent_id: str, interaction_id: str) -> None:
        carries = self._carries.get(agent_id, set())
        carries.discard(interaction_id)
        if not carries and agent_id in self._leaves:
            self._todo.append(ev.SignOut(agent_id, self._leaves.pop(agent_id)))

    # --- the end --------------------------------------------------------------------------

    def pairs(self) -> list[_Pair]:
        """Every message on both sides."""
        return [
            _Pair(person.before, person.after, person.joined_before, person.joined_after)
            for person in self._recording.people
        ]
