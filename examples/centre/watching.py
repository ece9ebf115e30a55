"""What is remembered of the run beside the engine's own statistics: folded from the journal.

The journal holds every event in order, so whoever wants another figure than the engine
gives reads it there. Here: the longest wait, the latest news, and the explanation of the
interaction that waits longest.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator

import attrs

from omniroute import Channel, Explanation, InteractionState, MemoryJournal, Message, Router
from omniroute import events as ev

from .pace import Pace

__all__ = ["Watch", "about"]


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


@attrs.define
class Watch:
    """Read the journal's new events with `look`, as often as you like."""

    router: Router
    journal: MemoryJournal
    pace: Pace
    news: deque[str] = attrs.field(factory=lambda: deque(maxlen=6))
    duplicates: Counter[Channel] = attrs.field(factory=Counter)
    #: by channel and reason
    quarantined: Counter[tuple[Channel, str]] = attrs.field(factory=Counter)
    #: what no agent has yet
    waiting: dict[str, ev.Queued] = attrs.field(factory=dict)
    #: by channel and by queue: the longest wait of what an agent accepted
    longest_ms: defaultdict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    #: the explanation that was worth most: of the longest wait seen, with what it was about
    why: tuple[Explanation, Message] | None = None
    _opened: dict[str, ev.Queued] = attrs.field(factory=dict)
    _read: int = 0

    def look(self) -> None:
        """Fold what is new, then ask about what waits longest."""
        for event in self._new_events():
            self._fold(event)
        self._ask_why()

    def _new_events(self) -> Iterator[ev.Event]:
        frames = self.journal.frames
        while self._read < len(frames):
            yield from frames[self._read].events
            self._read += 1

    def _fold(self, event: ev.Event) -> None:
        match event:
            case ev.Queued():
                self._opened[event.interaction_id] = self.waiting[event.interaction_id] = event
            case ev.Accepted():
                self._accepted(event)
            case ev.Requeued():
                self.waiting[event.interaction_id] = self._opened[event.interaction_id]
            case ev.Abandoned():
                self._abandoned(event)
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

    def _abandoned(self, event: ev.Abandoned) -> None:
        queued = self.waiting.pop(event.interaction_id)
        wait_s = self.pace.seconds(event.at_ms - queued.at_ms)
        self.news.append(f"hung up after {wait_s:.0f} s: {about(queued.message)}")

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
