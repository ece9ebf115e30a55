"""What the engine counts: folds of its events, per queue and channel, and the formulas.

Service level has several definitions in the field; each is named here and none is "the"
service level. All are fractions of 1, or None while nothing was counted:

- ``answered``:        accepted in time / accepted
- ``offered``:         accepted in time / (accepted + abandoned)
- ``abandons_in_time``: (accepted in time + abandoned in time) / (accepted + abandoned)

"In time" means a wait of at most the queue's service level target. ASA is the sum of waits of
accepted interactions / accepted. AHT is the time from acceptance to the end of the assignment
(completion, requeue, transfer, parking, a callback that nobody answered), holds and wrap-up
included, / the number of those ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ..model import Channel, InteractionState, Presence

if TYPE_CHECKING:
    from .state import State

__all__ = ["Counts", "QueueStatistics", "Statistics", "statistics"]


class Counts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Counts since the engine started. Sums of times are in milliseconds."""

    queued: int = 0
    rejected: int = 0
    offered: int = 0
    accepted: int = 0
    accepted_in_time: int = 0
    declined: int = 0
    expired: int = 0
    revoked: int = 0
    requeued: int = 0
    completed: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    cancelled: int = 0
    messages: int = 0
    moved_in: int = 0
    moved_out: int = 0
    transferred: int = 0
    parked: int = 0
    callbacks_failed: int = 0
    wait_ms: int = 0
    handle_ms: int = 0

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """The sum over several queues or channels."""
        rows = list(counts)
        return cls(**{name: sum(getattr(r, name) for r in rows) for name in cls.__struct_fields__})

    @property
    def service_level_answered(self) -> float | None:
        """Accepted in time / accepted."""
        return self.accepted_in_time / self.accepted if self.accepted else None

    @property
    def service_level_offered(self) -> float | None:
        """Accepted in time / (accepted + abandoned)."""
        entered = self.accepted + self.abandoned
        return self.accepted_in_time / entered if entered else None

    @property
    def service_level_abandons_in_time(self) -> float | None:
        """(Accepted in time + abandoned in time) / (accepted + abandoned)."""
        entered = self.accepted + self.abandoned
        return (self.accepted_in_time + self.abandoned_in_time) / entered if entered else None

    @property
    def average_speed_of_answer_ms(self) -> float | None:
        """ASA: the mean wait of what was accepted."""
        return self.wait_ms / self.accepted if self.accepted else None

    @property
    def average_handle_time_ms(self) -> float | None:
        """AHT: the mean time from acceptance to the end of the assignment."""
        handled = (
            self.completed + self.requeued + self.transferred + self.parked + self.callbacks_failed
        )
        return self.handle_ms / handled if handled else None


class QueueStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One queue: how many wait in it now (offered ones included) and its counts by channel."""

    queue: str
    waiting: int
    channels: dict[Channel, Counts]

    @property
    def total(self) -> Counts:
        """The sum over its channels."""
        return Counts.total(self.channels.values())


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The whole engine at one moment."""

    now_ms: int
    waiting: int
    offered: int
    engaged: int
    held: int
    wrap_up: int
    scheduled: int
    parked: int
    agents_signed_in: int
    agents_ready: int
    quarantined: int
    duplicates: int
    unrouted: int
    over_rate: int
    queues: dict[str, QueueStatistics]

    @property
    def total(self) -> Counts:
        """The sum over all queues."""
        return Counts.total(queue.total for queue in self.queues.values())


def statistics(state: State) -> Statistics:
    """Read the counts out. O(queues x channels + offers and assignments + agents)."""
    held = {offer.record.id: offer.record.state for offer in state.offers.values()}
    states = list(held.values())
    offered = states.count(InteractionState.OFFERED)
    return Statistics(
        now_ms=state.now_ms,
        waiting=state.waiting - offered,
        offered=offered,
        engaged=states.count(InteractionState.ENGAGED),
        held=states.count(InteractionState.HELD),
        wrap_up=states.count(InteractionState.WRAP_UP),
        scheduled=state.set_aside - state.parked,
        parked=state.parked,
        agents_signed_in=len(state.agents),
        agents_ready=sum(a.presence is Presence.READY for a in state.agents.values()),
        quarantined=state.quarantined,
        duplicates=state.duplicates,
        unrouted=state.unrouted,
        over_rate=state.over_rate,
        queues={
            name: QueueStatistics(
                queue=name,
                waiting=queue.waiting,
                channels={
                    channel: Counts(**{f: getattr(tally, f) for f in Counts.__struct_fields__})
                    for channel, tally in sorted(queue.tallies.items())
                },
            )
            for name, queue in state.queues.items()
        },
    )
