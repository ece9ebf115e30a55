"""What is remembered of the run beside the engine's own statistics: folded from the journal.

A journal is told every event, in order and at once, so whoever wants another figure than
the engine gives listens there. Here: the longest wait, the latest news, and the explanation
of the interaction that waits longest.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable

import attrs

from omniroute import (
    Channel,
    Explanation,
    Frame,
    InteractionState,
    MemoryJournal,
    Message,
    Router,
)
from omniroute import events as ev

from .pace import Pace

__all__ = ["ToldJournal", "Watch", "about"]


def about(message: Message) -> str:
    """A message in a few words: what it is and from whom."""
    customer = _shown(message.customer.name or message.customer.id)
    if message.channel is Channel.VOICE:
        return f"the call of {customer or 'a withheld number'}"
    words = _shown(message.subject or message.text) or "nothing written"
    return f'"{words}" by {customer or "nobody"} ({message.channel})'


def _shown(text: str) -> str:
    """One line of a stranger's text, without what a terminal would obey."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:32]


class ToldJournal(MemoryJournal):
    """Tells a listener of every frame, in the moment in which it is kept."""

    listener: Callable[[Frame], None] | None = None

    def append_nowait(self, frame: Frame) -> None:
        """Keep a frame, then tell it."""
        super().append_nowait(frame)
        if self.listener is not None:
            self.listener(frame)


@attrs.define
class Watch:
    """Listens to the journal of a router from the moment it is made."""

    router: Router
    journal: ToldJournal
    pace: Pace
    news: deque[str] = attrs.field(factory=lambda: deque(maxlen=6))
    duplicates: Counter[Channel] = attrs.field(factory=Counter)
    #: by channel and reason
    quarantined: Counter[tuple[Channel, str]] = attrs.field(factory=Counter)
    #: what no agent has yet
    waiting: dict[str, ev.Queued] = attrs.field(factory=dict)
    #: by channel and by queue: how many left before an agent had them
    left: Counter[str] = attrs.field(factory=Counter)
    #: by channel and by queue: the longest wait of what an agent accepted
    longest_ms: defaultdict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    #: the explanation that was worth most: of the longest wait seen, with what it was about
    why: tuple[Explanation, Message] | None = None
    _opened: dict[str, ev.Queued] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.journal.listener = self._hear

    def _hear(self, frame: Frame) -> None:
        """Fold what is new, then ask about what waits longest."""
        for event in frame.events:
            self._fold(event)
        self._ask_why()

    def _fold(self, event: ev.Event) -> None:
        match event:
            case ev.Queued():
                self._opened[event.interaction_id] = self.waiting[event.interaction_id] = event
            case ev.Accepted():
                self._accepted(event)
            case ev.Requeued():
                self.waiting[event.interaction_id] = self._opened[event.interaction_id]
            case ev.Abandoned() | ev.Cancelled():
                self._left(event)
            case ev.Declined():
                self.news.append(f"{event.agent_id} declined: {event.reason}")
            case ev.Expired():
                self.news.append(f"{event.agent_id} did not answer and is not ready now")
            case ev.Duplicate():
                self.duplicates[Channel(event.channel)] += 1
                self.news.append(f"a repeated {event.channel} message: known already")
            case ev.Quarantined():
                self.quarantined[event.message.channel, event.reason] += 1
                self.news.append(f"quarantined: {about(event.message)}: {event.reason}")

    def _accepted(self, event: ev.Accepted) -> None:
        queued = self.waiting.pop(event.interaction_id)
        wait_ms = event.at_ms - queued.at_ms
        for name in (queued.message.channel, queued.queue):
            self.longest_ms[name] = max(self.longest_ms[name], wait_ms)
        wait_s = self.pace.seconds(wait_ms)
        self.news.append(f"{event.agent_id} accepted {about(queued.message)} after {wait_s:.0f} s")

    def _left(self, event: ev.Abandoned | ev.Cancelled) -> None:
        queued = self.waiting.pop(event.interaction_id, None)
        if queued is None:  # an agent had it already
            return
        self.left.update([queued.message.channel, queued.queue])
        wait_s = self.pace.seconds(event.at_ms - queued.at_ms)
        self.news.append(f"gone after {wait_s:.0f} s: {about(queued.message)}")

    def _ask_why(self) -> None:
        """Keep the explanation of the longest wait; it costs only because it is asked for."""
        for interaction_id, queued in self.waiting.items():
            interaction = self.router.interaction(interaction_id)
            if interaction is None or interaction.state is not InteractionState.WAITING:
                continue
            found = self.router.explain(interaction_id)
            if self.why is None or found.waited_ms > self.why[0].waited_ms:
                self.why = found, queued.message
            return  # the oldest that waits; the others are younger
