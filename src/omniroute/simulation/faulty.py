"""A run in which things go wrong: the usual driver, a journal, and a bad world around the engine.

The faults are those that a router must survive without anybody noticing: messages and answers that
get lost, come late or come twice; a clock that is set; a router that dies in the middle of the
day and is recovered from its journal: records and chain of production, with a torn tail. All
dice are the seed's, so one seed is one run.

Two times: the *world's*, which customers and agents live by, and the *router's*, which its clock
shows (but it never goes back). Commands go in with the router's time; events come out
with the world's, so that the driver sees what people see. Auditor and recorder look at the router.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from .. import events as ev
from ..engine import Engine
from ..errors import CorruptJournalError
from ..events import Command, Event
from ..journal import Chain, Codec, Entry, Frame
from ..journal.codec import FORMAT, Opening
from ..plan import Plan
from .agenda import ARRIVAL, PRESENCE
from .books import AuditError, Law
from .customers import Customer
from .play import Play, Receive
from .scenario import Faults, Scenario
from .streams import Streams

__all__ = ["FaultyPlay"]

_HOUR_MS: Final = 3_600_000
#: What says that a command was known already.
_REPEAT: Final = frozenset({ev.Duplicate, ev.CommandRejected})
#: What its sender says again when nobody has acknowledged it.
_REPEATABLE: Final = (ev.Submit, ev.Accept, ev.Decline, ev.Complete, ev.FinishWrapUp)
#: How many commands a frame holds that is made durable at once.
_GROUP: Final = 8


class FaultyPlay(Play):
    """As `Play`, with the faults of the scenario."""

    def __init__(self, scenario: Scenario, plan: Plan, streams: Streams) -> None:
        super().__init__(scenario, plan, streams)
        self._faults = scenario.faults or Faults()
        self._fate = streams.named("faults")
        self._record = _Record(plan)
        self._offset_ms = 0
        self._world_ms = 0
        self._messages = 0
        self._is_repeat = False
        self._decide: Receive = self._by_engine
        self.receive = self._receive
        self.next_deadline = self._next_deadline
        self._plan_next(0, self._faults.restarts_per_hour, self._restart)
        self._plan_next(0, self._faults.clock_steps_per_hour, self._set_clock)

    def watch(self, wrap: Callable[[Receive], Receive]) -> None:
        """Let somebody see every command of the engine, by the router's time."""
        self._decide = wrap(self._decide)

    def _by_engine(self, command: Command, now_ms: int) -> list[Event]:
        return self.engine.receive(command, now_ms)  # another one after every restart

    # --- two times ------------------------------------------------------------------------

    def _receive(self, command: Command, at_ms: int) -> list[Event]:
        if not isinstance(command, _REPEATABLE):
            return self._tell(command, at_ms)
        is_repeat, self._is_repeat = self._is_repeat, False
        if is_repeat:
            events = self._tell(command, at_ms)
            if _REPEAT.isdisjoint(map(type, events)):
                raise AuditError(Law.MESSAGE, None, f"{command!r} came twice, and counted twice")
            return events
        if isinstance(command, ev.Submit):
            self._messages += 1
            message = msgspec.structs.replace(command.message, message_id=f"m{self._messages}")
            command = msgspec.structs.replace(command, message=message)
        events = self._tell(command, at_ms)
        was_taken = all(type(event) is not ev.Rejected for event in events)
        if was_taken and self._happens(self._faults.repeated):
            self._agenda.plan(at_ms + self._faults.repeat_ms, PRESENCE, self._again, command)
        return events

    def _tell(self, command: Command, at_ms: int) -> list[Event]:
        """Give the router a command; its events come back by the world's time."""
        self._world_ms = max(at_ms, self._world_ms)
        now_ms = max(at_ms + self._offset_ms, self.engine.now_ms, 0)
        events = self._decide(command, now_ms)
        self._record.append(Entry(command, now_ms, tuple(events)))
        return [_at(event, at_ms, now_ms - at_ms) for event in events]

    def _next_deadline(self) -> int | None:
        due_ms = self.engine.next_deadline()
        return None if due_ms is None else max(due_ms - self._offset_ms, self._world_ms)

    # --- what goes wrong ------------------------------------------------------------------

    def _happens(self, share: float) -> bool:
        return share > 0 and self._fate.random() < share

    def _delay_ms(self) -> int:
        """How much later something arrives; 0: at once."""
        faults, draw = self._faults, self._fate.random()
        if draw < faults.lost:
            return faults.repeat_ms
        if draw < faults.lost + faults.late:
            return self._fate.randint(0, faults.late_ms)
        return 0

    def _enter(self, at_ms: int, customer: Customer) -> None:
        delay_ms = self._delay_ms()
        if delay_ms:
            self._agenda.plan(at_ms + delay_ms, ARRIVAL, self._arrives_late, customer)
        else:
            super()._enter(at_ms, customer)

    def _arrives_late(self, at_ms: int, customer: Customer, _number: int) -> None:
        super()._enter(at_ms, customer)

    def _answer(self, at_ms: int, command: Command, number: int) -> None:
        delay_ms = 0 if number else self._delay_ms()
        if delay_ms:
            self._agenda.plan(at_ms + delay_ms, PRESENCE, self._answer, command, 1)
        else:
            super()._answer(at_ms, command, number)

    def _again(self, at_ms: int, command: Command, _number: int) -> None:
        """It comes a second time. Nothing may follow from it but what time brings."""
        self._is_repeat = True
        self._do(command, at_ms)

    def _plan_next(self, at_ms: int, per_hour: float, action: Callable[..., None]) -> None:
        if per_hour > 0:
            gap_ms = -math.log(1.0 - self._fate.random()) * _HOUR_MS / per_hour
            due_ms = at_ms + max(1, round(gap_ms))
            if due_ms < self.end_ms:
                self._agenda.plan(due_ms, PRESENCE, action, None)

    def _set_clock(self, at_ms: int, _subject: None, _number: int) -> None:
        self._offset_ms = self._fate.randint(
            -self._faults.clock_step_ms, self._faults.clock_step_ms
        )
        self._plan_next(at_ms, self._faults.clock_steps_per_hour, self._set_clock)

    def _restart(self, at_ms: int, _subject: None, _number: int) -> None:
        """The router is gone; another one goes on from the journal, and must be the same."""
        engine = self._record.recover(self._fate.random())
        if engine.snapshot() != self.engine.snapshot():
            raise AuditError(Law.STATE, None, "what was recovered is not what was there")
        self.engine = engine
        if self._happens(0.5):
            self._record.save_snapshot(engine)
        self._plan_next(at_ms, self._faults.restarts_per_hour, self._restart)


def _at(event: Any, at_ms: int, ahead_ms: int) -> Event:
    """The event as the world sees it: now, and until when by its own clock."""
    changes = {"at_ms": at_ms}
    until_ms = getattr(event, "until_ms", None)
    if until_ms is not None:
        changes["until_ms"] = until_ms - ahead_ms
    seen: Event = msgspec.structs.replace(event, **changes)
    return seen


# --- the journal --------------------------------------------------------------------------


class _Record:
    """The journal of the run: the records and the chain of production, without a store."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._codec = Codec()
        self._collected: list[Entry] = []
        self._records: list[bytes] = []
        #: where the records begin, with the state in front of them
        self._base = Chain()
        self._state: bytes | None = None
        self._chain = Chain()
        self._open()

    def _open(self) -> None:
        """A new writer."""
        opening = self._codec.encode_opening(Opening("simulated"))
        self._put(self._chain.opening(FORMAT, opening, epoch=self._chain.epoch + 1))

    def _put(self, record: bytes) -> None:
        self._chain.follow(self._chain.position + 1, record)
        self._records.append(record)

    def append(self, entry: Entry) -> None:
        """Keep a command and what came of it."""
        self._collected.append(entry)
        if len(self._collected) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._collected:
            frame = Frame(self._chain.next_seq, tuple(self._collected))
            body, events = self._codec.encode(frame), frame.next_seq - frame.first_seq
            at_ms = self._collected[-1].now_ms
            self._put(self._chain.frame(FORMAT, body, events=events, at_ms=at_ms))
            self._collected.clear()

    def recover(self, torn: float) -> Engine:
        """The writer dies within the next record, this share of which is there."""
        self._flush()
        last = self._records[-1]
        self._records.append(last[: int(len(last) * torn)])
        plan = self._plan
        engine = Engine(plan) if self._state is None else Engine.restore(plan, self._state)
        chain = copy.copy(self._base)
        for number, record in enumerate(self._records, 1):
            try:
                header, body = chain.follow(chain.position + 1, record)
            except CorruptJournalError:
                if number < len(self._records):
                    raise
                self._records.pop()  # nobody was told of it
                break
            for event in self._codec.events_of(header, body):
                engine.apply(event)
        engine.pass_time(chain.at_ms)
        self._chain = chain
        self._open()
        return engine

    def save_snapshot(self, engine: Engine) -> None:
        """Keep the state, and forget the records that it stands for."""
        self._flush()
        self._state, self._base = engine.snapshot(), copy.copy(self._chain)
        self._records.clear()
        self._open()
