"""What became of each interaction, folded from events: of a recorded day and of one that was not.

The same fold reads both sides of a what-if, so that they cannot be counted differently.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import msgspec

from .. import events as ev
from ..events import Event, RevokeReason
from ..model import InteractionState
from ..plan import Plan
from .outcome import Row

__all__ = ["Fate", "Life", "Lives", "rows"]


class Fate(enum.StrEnum):
    """How it ended, as far as the customer is concerned. A closed list."""

    OPEN = "open"
    SERVED = "served"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    JOINED = "joined"  #: no interaction of its own: the message joined an open thread


@attrs.define(eq=False)
class Life:
    """One interaction: ``agent_id`` took it last, it is in ``state`` since ``since_ms``.

    ``waited_ms`` is the wait until it was first taken or was given up, ``work_ms`` all time with an
    agent but for wrap-up, ``wrap_up_ms`` the latter (None: there was none). ``answer_ms`` is how
    long the agent let the offer stand before he took it, or at least how long when the customer
    left meanwhile. ``is_done``: completed, so that the times are whole.
    """

    id: str
    queue: str
    channel: str
    arrived_at_ms: int
    fate: Fate = Fate.OPEN
    agent_id: str = ""
    waited_ms: int | None = None
    work_ms: int = 0
    wrap_up_ms: int | None = None
    answer_ms: int | None = None
    is_done: bool = False
    state: InteractionState = InteractionState.WAITING
    since_ms: int = 0

    def close(self, at_ms: int) -> None:
        """The recording ends here: count what is seen of what still goes on."""
        passed_ms = at_ms - self.since_ms
        if self.state is InteractionState.OFFERED:
            self.answer_ms = passed_ms + 1
        elif self.state is InteractionState.ENGAGED:
            self.work_ms += passed_ms
        elif self.state is InteractionState.WRAP_UP:
            self.wrap_up_ms = (self.wrap_up_ms or 0) + passed_ms


class Lives:
    """All of them, in order of arrival: ``read`` every event. O(1) per event."""

    def __init__(self) -> None:
        self.all: list[Life] = []
        self._open: dict[str, Life] = {}
        self._on: dict[type, Callable[[Life, Any], None]] = {
            ev.Moved: _moved,
            ev.Offered: _offered,
            ev.Accepted: _accepted,
            ev.Revoked: _revoked,
            ev.Declined: _offer_over,
            ev.Expired: _offer_over,
            ev.WrapUpStarted: _wrapping_up,
            ev.Requeued: _requeued,
            ev.Completed: self._completed,
            ev.Abandoned: self._abandoned,
            ev.Cancelled: self._cancelled,
        }

    def close(self, at_ms: int) -> None:
        """The recording ends here."""
        for life in self._open.values():
            life.close(at_ms)

    def get(self, interaction_id: str) -> Life | None:
        """The open one of that id."""
        return self._open.get(interaction_id)

    def read(self, event: Event) -> None:
        """Fold one event in; what is not about an interaction's fate is passed over."""
        if isinstance(event, ev.Queued):
            channel = event.message.channel.value
            life = Life(event.interaction_id, event.queue, channel, event.at_ms)
            self.all.append(life)
            self._open[life.id] = life
            return
        if isinstance(event, ev.Rejected):
            channel = event.message.channel.value
            life = Life(event.interaction_id, event.queue or "", channel, event.at_ms)
            life.fate = Fate.REJECTED
            self.all.append(life)
            return
        fold = self._on.get(type(event))
        if fold is not None:
            found = self._open.get(event.interaction_id)  # type: ignore[union-attr]
            if found is not None:
                fold(found, event)

    def _completed(self, life: Life, event: ev.Completed) -> None:
        if life.wrap_up_ms is None:
            life.work_ms += event.at_ms - life.since_ms
        else:
            life.wrap_up_ms += event.at_ms - life.since_ms
        life.is_done = True
        del self._open[life.id]

    def _abandoned(self, life: Life, event: ev.Abandoned) -> None:
        life.fate = Fate.ABANDONED
        if life.waited_ms is None:
            life.waited_ms = event.at_ms - life.arrived_at_ms
        del self._open[life.id]

    def _cancelled(self, life: Life, event: ev.Cancelled) -> None:
        if life.fate is Fate.OPEN:
            life.waited_ms = event.at_ms - life.arrived_at_ms
        life.fate = Fate.CANCELLED
        del self._open[life.id]


def _moved(life: Life, event: ev.Moved) -> None:
    life.queue = event.queue


def _offered(life: Life, event: ev.Offered) -> None:
    life.state = InteractionState.OFFERED
    life.since_ms = event.at_ms


def _offer_over(life: Life, event: ev.Declined | ev.Expired | ev.Revoked) -> None:
    life.state = InteractionState.WAITING
    life.since_ms = event.at_ms


def _accepted(life: Life, event: ev.Accepted) -> None:
    life.state = InteractionState.ENGAGED
    life.fate = Fate.SERVED
    life.agent_id = event.agent_id
    life.answer_ms = event.at_ms - life.since_ms
    life.since_ms = event.at_ms
    if life.waited_ms is None:
        life.waited_ms = event.at_ms - life.arrived_at_ms


def _revoked(life: Life, event: ev.Revoked) -> None:
    if event.reason is RevokeReason.CUSTOMER_LEFT:
        life.answer_ms = event.at_ms - life.since_ms + 1
    _offer_over(life, event)


def _wrapping_up(life: Life, event: ev.WrapUpStarted) -> None:
    life.state = InteractionState.WRAP_UP
    life.work_ms += event.at_ms - life.since_ms
    life.wrap_up_ms = 0
    life.since_ms = event.at_ms


def _requeued(life: Life, event: ev.Requeued) -> None:
    life.state = InteractionState.WAITING
    life.work_ms += event.at_ms - life.since_ms
    life.since_ms = event.at_ms
    life.fate = Fate.OPEN


def rows(lives: Iterable[Life], plan: Plan) -> dict[str, Row]:
    """A row of counts per queue, in the order of the plan; targets are those of ``plan``."""
    tables: dict[str, dict[str, int]] = {}
    for life in lives:
        counts = tables.setdefault(life.queue, dict.fromkeys(Row.__struct_fields__[3:], 0))
        known = plan.queues.get(life.queue)
        _count(life, counts, known.service_level.target_ms if known is not None else 0)
    order: Mapping[str, int] = {name: number for number, name in enumerate(plan.queues)}
    names = sorted(tables, key=lambda name: order.get(name, len(order)))
    return {name: _row(name, tables[name]) for name in names}


def _row(queue: str, counts: dict[str, int]) -> Row:
    return msgspec.convert({"queue": queue, **counts}, Row)


def _count(life: Life, counts: dict[str, int], target_ms: int) -> None:
    counts["arrived"] += 1
    counts["rejected"] += life.fate is Fate.REJECTED
    counts["cancelled"] += life.fate is Fate.CANCELLED
    waited_ms = life.waited_ms
    if waited_ms is None:
        return
    in_time = waited_ms <= target_ms
    if life.agent_id:
        counts["accepted"] += 1
        counts["at_once"] += not waited_ms
        counts["accepted_in_time"] += in_time
        counts["wait_ms"] += waited_ms
        counts["wait2"] += waited_ms * waited_ms
    elif life.fate is Fate.ABANDONED:
        counts["abandoned"] += 1
        counts["abandoned_in_time"] += in_time
        counts["abandon_ms"] += waited_ms
        counts["abandon2"] += waited_ms * waited_ms
    if life.is_done:
        counts["completed"] += 1
        counts["handle_ms"] += life.work_ms + (life.wrap_up_ms or 0)
