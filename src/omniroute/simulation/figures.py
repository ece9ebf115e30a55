"""Counts folded from events, under the names of the engine's statistics.

The engine folds the same; the auditor does it again, from events alone, so that the two can be
compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .. import events as ev
from ..events import RejectReason
from ..plan import Plan

if TYPE_CHECKING:
    from .works import Work

__all__ = ["Figures"]

_COUNTED: Final[dict[type, str]] = {
    ev.Queued: "queued",
    ev.Offered: "offered",
    ev.Accepted: "accepted",
    ev.Declined: "declined",
    ev.Expired: "expired",
    ev.Revoked: "revoked",
    ev.Requeued: "requeued",
    ev.Transferred: "transferred",
    ev.HandedOver: "transferred",
    ev.Parked: "parked",
    ev.CallbackFailed: "callbacks_failed",
    ev.Completed: "completed",
    ev.Abandoned: "abandoned",
    ev.Cancelled: "cancelled",
    ev.MessageAppended: "messages",
}
_HANDLED: Final = (
    ev.Completed,
    ev.Requeued,
    ev.Transferred,
    ev.HandedOver,
    ev.Parked,
    ev.CallbackFailed,
)
_OTHERS: Final = (
    "rejected",
    "accepted_in_time",
    "abandoned_in_time",
    "abandoned_short",
    "abandoned_wait_ms",
    "moved_in",
    "moved_out",
    "wait_ms",
    "handle_ms",
)


class Figures:
    """Counts per queue and channel, and of what reached no queue."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        self.quarantined = 0
        self.duplicates = 0
        self.unrouted = 0
        self.over_rate = 0

    def _row(self, queue: str, channel: str) -> Counter[str]:
        rows = self._counts.get(queue)
        if rows is None:
            rows = self._counts[queue] = {}
        row = rows.get(channel)
        if row is None:
            row = rows[channel] = Counter()
        return row

    def reject(self, event: ev.Rejected) -> None:
        """Count a message that was refused at the door."""
        if event.reason is RejectReason.SENDER_RATE:
            self.over_rate += 1
        elif event.queue is None:
            self.unrouted += 1
        else:
            self._row(event.queue, event.message.channel)["rejected"] += 1

    def move(self, work: Work, queue: str) -> None:
        """Count that ``work`` goes to ``queue``."""
        self._row(work.queue.name, work.channel)["moved_out"] += 1
        self.come(work, queue)

    def come(self, work: Work, queue: str) -> None:
        """Count that ``work`` comes to ``queue``; how it left is counted by its event."""
        self._row(queue, work.channel)["moved_in"] += 1

    def count(self, event: Any, work: Work) -> None:
        """Count an event about ``work``; an assignment still knows when it was accepted."""
        row = self._row(work.queue.name, work.channel)
        row[_COUNTED[type(event)]] += 1
        waited_ms = event.at_ms - work.arrived_at_ms
        in_time = waited_ms <= work.queue.service_level.target_ms
        if isinstance(event, ev.Accepted):
            row["wait_ms"] += waited_ms
            row["accepted_in_time"] += in_time
        elif isinstance(event, ev.Abandoned):
            is_short = waited_ms < work.queue.service_level.short_abandon_ms
            row["abandoned_short"] += is_short
            row["abandoned_in_time"] += in_time and not is_short
            row["abandoned_wait_ms"] += waited_ms
        elif isinstance(event, _HANDLED):
            row["handle_ms"] += event.at_ms - work.accepted_at_ms

    def totals(self, plan: Plan, waits_ms: Mapping[str, list[int]]) -> dict[str, Any]:
        """All of them; ``waits_ms`` says how long each waits that waits or is offered, by queue."""
        names = dict.fromkeys((*_COUNTED.values(), *_OTHERS))
        queues = {
            name: {
                "queue": name,
                "waiting": len(waits_ms.get(name, ())),
                "longest_wait_ms": max(waits_ms.get(name, ()), default=0),
                "channels": {
                    str(channel): {n: row[n] for n in names}
                    for channel, row in self._counts.get(name, {}).items()
                },
            }
            for name in dict.fromkeys((*plan.queues, *self._counts))
        }
        return {
            "quarantined": self.quarantined,
            "duplicates": self.duplicates,
            "unrouted": self.unrouted,
            "over_rate": self.over_rate,
            "queues": queues,
        }
