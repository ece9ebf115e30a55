"""What was promised, and what is durable; at any moment the first must be part of the second.

The oracle sits at both ends. From the medium it hears of every record when it becomes durable,
and reads it by itself. From the living it hears of every answer and of every
event they were told, and looks at once whether it is durable. When a router has recovered, its
state must be that of a replay of what is durable. At the end it reads the whole journal as an
auditor, and decides every command again.
"""

from collections import Counter

from omniroute import Engine
from omniroute import events as ev
from omniroute.errors import JournalError
from omniroute.journal import Codec, Kind
from omniroute.journal.record import Chain, unpack
from omniroute.router import Outcome
from omniroute.simulation import Auditor

#: The oracle must not see with eyes that a planted bug has struck.
_apply, _receive, _snapshot, _pass_time = (
    Engine.apply,
    Engine.receive,
    Engine.snapshot,
    Engine.pass_time,
)
_unpack, _follow, _frame_of = unpack, Chain.follow, Codec.frame_of
_TAKEN = (Outcome.QUEUED, Outcome.APPENDED, Outcome.DUPLICATE)


class Oracle:
    """Hears everything; `faults` has what was wrong."""

    def __init__(self, plan):
        self.plan = plan
        self.faults = []
        self.records = []  #: every durable record since the beginning
        self.entries = []  #: the entries of each record
        self.events = []
        self.opened = {}  #: message id -> interaction
        self.accepted = {}  #: offer id -> (agent, interaction)
        self.completed = set()
        self.told = {}  #: number of an event -> the event
        self.sent = {}  #: message id -> interaction, as answered
        self.taken = {}  #: offer id -> (agent, interaction), as answered
        self.ended = set()  #: offers whose end was answered
        self.leaving = set()  #: offers that may be over, interactions that may be gone
        self.answers = 0
        self.recoveries = 0

    def fault(self, text):
        if len(self.faults) < 20:
            self.faults.append(text)

    # --- the medium -----------------------------------------------------------------------

    def durable(self, position, record):
        """A record became durable."""
        if position != len(self.records) + 1:
            self.fault(f"record {position} became durable behind record {len(self.records)}")
            return
        self.records.append(record)
        try:
            header, body = _unpack(record, position)
            pieces = [*self._parts_of(header), body]
            whole = b"".join(pieces)
            frame = _frame_of(Codec(), header, whole) if header.kind is Kind.FRAME else None
        except JournalError:  # torn: the next writer must cut it off
            self.entries.append(())
            return
        self.entries.append(frame.entries if frame is not None else ())
        for event in frame.events if frame is not None else ():
            self._index(event)

    def _parts_of(self, header):
        """What stands in the parts in front of a frame."""
        places = range(header.position - header.parts, header.position)
        return [_unpack(self.records[place - 1], place)[1] for place in places]

    def cut(self, position):
        """The last record was cut off."""
        if position == len(self.records):
            self.records.pop()
            gone = sum(len(entry.events) for entry in self.entries.pop())
            if gone:
                del self.events[-gone:]
            self.opened.clear()
            self.accepted.clear()
            self.completed.clear()
            kept, self.events = self.events, []
            for event in kept:
                self._index(event)

    def _index(self, event):
        self.events.append(event)
        if isinstance(event, ev.Queued | ev.MessageAppended):
            self.opened.setdefault(event.message.message_id, event.interaction_id)
        elif isinstance(event, ev.Accepted):
            self.accepted[event.offer_id] = (event.agent_id, event.interaction_id)
        elif isinstance(event, ev.Completed):
            self.completed.add(event.assignment_id)

    # --- the living -----------------------------------------------------------------------

    def was_sent(self, message_id, receipt):
        """A message was acknowledged."""
        self.answers += 1
        before = self.sent.setdefault(message_id, receipt.interaction_id)
        if before != receipt.interaction_id:
            self.fault(f"{message_id} was {before}, now it is {receipt.interaction_id}")
        if receipt.outcome not in _TAKEN:
            self.fault(f"{message_id} was answered {receipt.outcome.value} ({receipt.reason})")
        if self.opened.get(message_id) != receipt.interaction_id:
            self.fault(f"{message_id} was acknowledged, but is not durable")

    def was_taken(self, agent, offer_id, interaction_id):
        """An acceptance was acknowledged."""
        self.answers += 1
        before = self.taken.setdefault(offer_id, (agent, interaction_id))
        if before != (agent, interaction_id):
            self.fault(f"offer {offer_id} was {before}'s, now it is {agent}'s")
        if self.accepted.get(offer_id) != (agent, interaction_id):
            self.fault(f"offer {offer_id} was accepted, but that is not durable")

    def was_ended(self, offer_id):
        """A completion was acknowledged."""
        self.answers += 1
        self.ended.add(offer_id)
        if offer_id not in self.completed:
            self.fault(f"assignment {offer_id} was completed, but that is not durable")

    def was_told(self, first, events):
        """The public was told of events, the first of which has this number."""
        for number, event in enumerate(events, first):
            if self.told.setdefault(number, event) != event:
                self.fault(f"event {number} was told as {self.told[number]}, now as {event}")
            if number > len(self.events):
                self.fault(f"event {number} was told before it was durable")
            elif self.events[number - 1] != event:
                self.fault(f"event {number} was told as {event}, it is {self.events[number - 1]}")

    def has(self, agent, offer_ids):
        """An agent's desk after a restart."""
        kept = {
            offer_id
            for offer_id, (by, interaction_id) in self.taken.items()
            if by == agent and not {offer_id, interaction_id} & self.leaving
        }
        if not kept <= set(offer_ids):
            self.fault(f"{agent} took {sorted(kept)}, but has {sorted(offer_ids)}")

    def recovered(self, engine, next_seq):
        """A router has recovered: its state must be that of a replay."""
        self.recoveries += 1
        if next_seq != len(self.events) + 1:
            self.fault(f"recovered up to event {next_seq - 1}, durable are {len(self.events)}")
        if _snapshot(engine) != _snapshot(self._replayed()):
            self.fault("what was recovered is not what a replay gives")

    def _replayed(self):
        """An engine that folds what is durable, and has seen the time of every command."""
        engine = Engine(self.plan)
        for event in self.events:
            _apply(engine, event)
        _pass_time(engine, max((e.now_ms for entries in self.entries for e in entries), default=0))
        return engine

    # --- the end --------------------------------------------------------------------------

    def judge(self):
        """Compare all that was said with the journal, and read it as an auditor."""
        try:
            self._judge_chain()
            self._judge_promises()
            self._judge_laws()
        except Exception as error:  # noqa: BLE001 - whatever it is, the journal made it
            self.fault(f"the journal cannot be judged: {type(error).__name__}: {error}")

    def _judge_chain(self):
        chain = Chain()
        for position, record in enumerate(self.records, 1):
            _follow(chain, position, record)

    def _judge_promises(self):
        for number, event in self.told.items():
            if number > len(self.events) or self.events[number - 1] != event:
                self.fault(f"event {number} was told, and is gone")
        for message_id, interaction_id in self.sent.items():
            if self.opened.get(message_id) != interaction_id:
                self.fault(f"{message_id} was acknowledged as {interaction_id}, and is gone")
        for offer_id, said in self.taken.items():
            if self.accepted.get(offer_id) != said:
                self.fault(f"offer {offer_id} was accepted by {said}, and that is gone")
        for offer_id in self.ended - self.completed:
            self.fault(f"assignment {offer_id} was completed, and that is gone")
        kinds = (
            (ev.Queued | ev.MessageAppended, lambda event: event.message.message_id),
            (ev.Accepted, lambda event: event.offer_id),
            (ev.Completed, lambda event: event.assignment_id),
        )
        for kind, identity in kinds:
            counts = Counter(identity(event) for event in self.events if isinstance(event, kind))
            twice = [each for each, count in counts.items() if count > 1]
            if twice:
                self.fault(f"happened twice: {kind} {twice}")

    def _judge_laws(self):
        auditor, engine = Auditor(self.plan), Engine(self.plan)
        for entries in self.entries:
            for entry in entries:
                auditor.audit(entry.events)
                auditor.at_rest(entry.now_ms)
                again = tuple(_receive(engine, entry.command, entry.now_ms))
                if again != entry.events:
                    self.fault(f"decided again, {entry.command} gives {again}")
                    return
        auditor.at_rest(whole=True)
        if _snapshot(self._replayed()) != _snapshot(engine):
            self.fault("replayed and decided again, the states differ")
