"""The timeline of a conversation: what was said, what happened to it, and who had it when.

A conversation is a customer's over time and channels: a post, the chat that it became, the video
call that followed. The journal has one stream of events for all, so its timeline is found in two
passes, and neither keeps what the answer does not need:

1. `Conversations` folds who is whose: for each interaction the conversation that it belongs to,
   after all that was learnt later (customers who turned out to be one, names that came late).
2. `Teller` folds what is told, of the interactions of one conversation only.

A message that the customer deleted is told without its content, also where it stood before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from .. import events as ev
from ..events import Command, Event, Kind
from ..model import Channel, Message

__all__ = ["LEFT_OUT", "Conversations", "Responsibility", "Teller", "Timeline", "TimelineEntry"]

#: Events that a timeline does not tell: about agents and deliveries, or steps of the search for
#: an agent which nobody saw.
LEFT_OUT: frozenset[type[Event]] = frozenset(
    {
        ev.AccessWidened,
        ev.AgentChanged,
        ev.BecameNotReady,
        ev.BecameReady,
        ev.CommandRejected,
        ev.CustomerErased,
        ev.CustomersLinked,
        ev.Duplicate,
        ev.Postponed,
        ev.Quarantined,
        ev.RefusalsReset,
        ev.Rejected,
        ev.SignedIn,
        ev.SignedOut,
        ev.StepReached,
        ev.UpdateNoted,
    }
)


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. ``what`` is the wire name of the event: ``accepted``, say.

    ``agent_id`` is the agent it is about, ``to_agent_id`` who got it from him; ``related_id`` the
    interaction that a consult or an escalation came from, or that joined a conference; ``link``
    where an escalation meets; ``until_ms`` until when it is parked or scheduled, offered or
    wrapped up. ``reason`` is a reason or a disposition code, ``actor`` the supervisor.
    """

    at_ms: int
    what: str
    interaction_id: str
    channel: Channel
    agent_id: str | None = None
    to_agent_id: str | None = None
    queue: str | None = None
    message: Message | None = None
    kind: Kind = Kind.CUSTOMER
    related_id: str | None = None
    link: str = ""
    until_ms: int | None = None
    reason: str = ""
    actor: str = ""


class Responsibility(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An agent had an interaction, wrap-up included, or had parked it; ``until_ms`` None: has."""

    agent_id: str
    interaction_id: str
    channel: Channel
    since_ms: int
    until_ms: int | None = None
    is_parked: bool = False


class Timeline(msgspec.Struct, frozen=True):
    """One conversation: its interactions, all that happened in order, and who had them when."""

    conversation_id: str
    interactions: tuple[str, ...]
    entries: tuple[TimelineEntry, ...]
    responsibilities: tuple[Responsibility, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the customer said, in order, over all channels."""
        return tuple(entry.message for entry in self.entries if entry.message is not None)

    def responsible(self, at_ms: int) -> tuple[str, ...]:
        """Who had some of it at a moment, each agent once; in the order of taking."""
        found = (
            each.agent_id
            for each in self.responsibilities
            if each.since_ms <= at_ms and (each.until_ms is None or at_ms < each.until_ms)
        )
        return tuple(dict.fromkeys(found))


# --- which interactions belong to it -----------------------------------------------------------


class Conversations:
    """Which interaction belongs to which conversation, from all events of a journal.

    ``own_key`` makes of a message what its customer is known by on his channel, "" when he is
    withheld. Interactions are told apart by their ``seq``: an id may be used again.
    """

    def __init__(self, own_key: Callable[[Message], str]) -> None:
        self._own_key = own_key
        #: a customer's key -> the key of whom he is, as the journal says
        self._same: dict[str, str] = {}
        #: by seq: the interaction that the conversation began with, and what it is named by
        self._roots: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._nameless: dict[int, str] = {}
        #: by interaction id: the latest of that id
        self._latest: dict[str, int] = {}

    def observe(self, events: Iterable[Event]) -> None:
        """Fold events in."""
        for event in events:
            if isinstance(event, ev.Queued):
                self._queued(event)
            elif isinstance(event, ev.MessageAppended):
                self._appended(event)
            elif isinstance(event, ev.CustomersLinked):
                self._same[event.customer_id] = event.customer_id
                for key in (*event.keys, *event.merged):
                    if key != event.customer_id:
                        self._same[key] = event.customer_id

    def _queued(self, event: ev.Queued) -> None:
        parent = None if event.parent_id is None else self._latest.get(event.parent_id)
        seq = event.seq
        self._latest[event.interaction_id] = seq
        self._roots[seq] = seq if parent is None else self._roots[parent]
        key = self._own_key(event.message)
        if key:
            self._names[seq] = key
        else:
            message = event.message
            thread = f"{message.channel.value}#{message.thread_id}" if message.thread_id else ""
            self._nameless[seq] = thread or event.interaction_id

    def _appended(self, event: ev.MessageAppended) -> None:
        seq = self._latest.get(event.interaction_id)
        if seq is not None and seq not in self._names:
            key = self._own_key(event.message)
            if key:
                self._names[seq] = key

    def _whose(self, key: str) -> str:
        while (other := self._same.get(key, key)) != key:
            key = other
        return key

    def of(self, interaction_id: str) -> str | None:
        """The conversation of the latest interaction of that id; None when there was none."""
        seq = self._latest.get(interaction_id)
        if seq is None:
            return None
        root = self._roots[seq]
        return self._whose(self._names[root]) if root in self._names else self._nameless[root]

    def members(self, conversation_id: str) -> frozenset[int]:
        """The ``seq`` of every interaction of a conversation. O(interactions)."""
        wanted = self._whose(conversation_id)
        roots = {seq for seq, name in self._names.items() if self._whose(name) == wanted}
        # One that got its customer's name later was known by its thread before.
        roots |= {seq for seq, name in self._nameless.items() if name == conversation_id}
        return frozenset(seq for seq, root in self._roots.items() if root in roots)


# --- what is told of them ----------------------------------------------------------------------

_BEGINS = (ev.Accepted, ev.HandedOver, ev.Parked)
_ENDS = (
    ev.Abandoned,
    ev.CallbackFailed,
    ev.Cancelled,
    ev.Completed,
    ev.HandedOver,
    ev.Parked,
    ev.Requeued,
    ev.Transferred,
    ev.Unparked,
)
#: What a command with an actor causes; timers may have put other events beside.
_BY_ACTOR: dict[type[Command], tuple[type[Event], ...]] = {
    ev.Assign: (ev.Offered, ev.Accepted),
    ev.Move: (ev.Moved,),
    ev.Reprioritize: (ev.Reprioritized,),
    ev.Unpark: (ev.Unparked,),
}


class _Followed:
    """What must be remembered of one interaction while it is told."""

    __slots__ = ("channel", "holding", "links", "places")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        #: where the agent's responsibility stands that has not ended
        self.holding: int | None = None
        #: where its messages stand
        self.places: list[int] = []
        self.links: set[str] = set()


class Teller:
    """Folds the timeline of the interactions with these ``seq``."""

    def __init__(self, conversation_id: str, members: frozenset[int]) -> None:
        self._conversation_id = conversation_id
        self._members = members
        self._open: dict[str, _Followed] = {}
        self._ids: list[str] = []
        self._entries: list[TimelineEntry] = []
        self._held: list[Responsibility] = []

    def observe(self, events: Iterable[Event], command: Command | None = None) -> None:
        """Fold the events of one command in."""
        for event in events:
            interaction_id = getattr(event, "interaction_id", None)
            if interaction_id is None or type(event) in LEFT_OUT:
                continue
            if isinstance(event, ev.Queued):
                self._begin(event)
            followed = self._open.get(interaction_id)
            if followed is not None:
                self._tell(event, interaction_id, followed, command)

    def timeline(self) -> Timeline:
        """What was told so far."""
        return Timeline(
            self._conversation_id, tuple(self._ids), tuple(self._entries), tuple(self._held)
        )

    def _begin(self, event: ev.Queued) -> None:
        if event.seq in self._members:
            self._open[event.interaction_id] = _Followed(event.message.channel)
            self._ids.append(event.interaction_id)
        else:
            self._open.pop(event.interaction_id, None)

    def _tell(
        self, event: Event, interaction_id: str, followed: _Followed, command: Command | None
    ) -> None:
        message: Message | None = getattr(event, "message", None)
        link = ""
        if isinstance(event, ev.Queued) and event.kind is not Kind.CUSTOMER:
            link = self._link(event)
            message = None  # it is made of what the customer said before, and told there
        elif isinstance(event, ev.MessageEdited) and event.message.message_id is None:
            message = None  # so is this
        elif message is not None:
            followed.links.update(message.links)
            followed.places.append(len(self._entries))
        elif isinstance(event, ev.MessageRedacted):
            self._redact(followed, event.message_id)
        holding = followed.holding
        holder = None if holding is None else self._held[holding].agent_id
        self._entries.append(
            TimelineEntry(
                at_ms=event.at_ms,
                what=str(event.__struct_config__.tag),
                interaction_id=interaction_id,
                channel=followed.channel,
                agent_id=getattr(event, "agent_id", None) or holder,
                to_agent_id=getattr(event, "to_agent_id", None),
                queue=getattr(event, "queue", None),
                message=message,
                kind=getattr(event, "kind", Kind.CUSTOMER),
                related_id=_first(event, "parent_id", "consult_id"),
                link=link,
                until_ms=_first(event, "until_ms", "starts_at_ms", "due_at_ms", "expires_at_ms"),
                reason=str(_first(event, "reason", "code") or ""),
                actor=_actor(event, command),
            )
        )
        self._note_holder(event, interaction_id, followed)

    def _note_holder(self, event: Event, interaction_id: str, followed: _Followed) -> None:
        if isinstance(event, _ENDS) and followed.holding is not None:
            held = self._held[followed.holding]
            self._held[followed.holding] = msgspec.structs.replace(held, until_ms=event.at_ms)
            followed.holding = None
        if isinstance(event, _BEGINS):
            followed.holding = len(self._held)
            taker = event.to_agent_id if isinstance(event, ev.HandedOver) else event.agent_id
            self._held.append(
                Responsibility(
                    agent_id=taker,
                    interaction_id=interaction_id,
                    channel=followed.channel,
                    since_ms=event.at_ms,
                    is_parked=isinstance(event, ev.Parked),
                )
            )

    def _link(self, event: ev.Queued) -> str:
        """Where an escalation meets: the link that nobody had sent before."""
        parent = self._open.get(event.parent_id or "")
        known = parent.links if parent is not None else set()
        if event.kind is Kind.ESCALATION:
            self._open[event.interaction_id].links.update(event.message.links)
            return next((link for link in event.message.links if link not in known), "")
        return ""

    def _redact(self, followed: _Followed, message_id: str) -> None:
        for place in followed.places:
            entry = self._entries[place]
            if entry.message is not None and message_id in ("", entry.message.message_id):
                told = entry.message.redacted()
                self._entries[place] = msgspec.structs.replace(entry, message=told)


def _first(event: Event, *names: str) -> Any:
    """The first of these fields that the event has and that says something."""
    return next((value for name in names if (value := getattr(event, name, None))), None)


def _actor(event: Event, command: Command | None) -> str:
    if command is None or type(event) not in _BY_ACTOR.get(type(command), ()):
        return ""
    same = getattr(command, "interaction_id", None) == getattr(event, "interaction_id", None)
    return getattr(command, "actor", "") if same else ""
