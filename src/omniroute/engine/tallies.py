"""What is counted while events are folded: whole numbers, added to and never read on the way.

The theory of times. A *level* is a number that events change and that holds in between: what an
agent carries, whether he is ready. Its time integral is wanted at any moment without a look at
the clock in between. Keep the sum of ``-change * moment`` over all changes; then

    integral up to now = sum + level * now

is exact, and a change costs one multiplication. `AgentTally` keeps such sums; who wants the
integrals asks `totals` with the levels of now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Presence

if TYPE_CHECKING:
    from .records import AgentRecord

__all__ = ["AGENT_FIELDS", "AgentTally", "Tally", "totals"]

#: What `totals` gives for an agent, and groups add up, in this order.
AGENT_FIELDS = (
    "offered",
    "accepted",
    "accepted_in_time",
    "declined",
    "expired",
    "handled",
    "wait_ms",
    "handle_ms",
    "signed_in_ms",
    "ready_ms",
    "busy_ms",
    "idle_ms",
    "carried_ms",
    "capacity_ms",
)


class Tally:
    """Counts of one queue and channel, folded from events. All times in milliseconds."""

    __slots__ = (
        "abandoned",
        "abandoned_in_time",
        "abandoned_short",
        "abandoned_wait_ms",
        "accepted",
        "accepted_in_time",
        "callbacks_failed",
        "cancelled",
        "completed",
        "declined",
        "expired",
        "handle_ms",
        "messages",
        "moved_in",
        "moved_out",
        "offered",
        "parked",
        "queued",
        "rejected",
        "requeued",
        "revoked",
        "transferred",
        "wait_ms",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    abandoned: int
    abandoned_in_time: int
    abandoned_short: int
    abandoned_wait_ms: int
    accepted: int
    accepted_in_time: int
    callbacks_failed: int
    cancelled: int
    completed: int
    declined: int
    expired: int
    handle_ms: int
    messages: int
    moved_in: int
    moved_out: int
    offered: int
    parked: int
    queued: int
    rejected: int
    requeued: int
    revoked: int
    transferred: int
    wait_ms: int

    def row(self) -> tuple[int, ...]:
        """All counts, in the order of ``__slots__``."""
        return tuple(getattr(self, name) for name in self.__slots__)


class AgentTally:
    """Counts of one agent since he signed in or changed; the times are sums as described above."""

    __slots__ = (
        "accepted",
        "accepted_in_time",
        "busy_ms",
        "carried_ms",
        "declined",
        "expired",
        "handle_ms",
        "handled",
        "idle_ms",
        "is_ready",
        "offered",
        "ready_ms",
        "signed_in_ms",
        "wait_ms",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    accepted: int
    accepted_in_time: int
    #: carries something; ready and carries nothing
    busy_ms: int
    idle_ms: int
    #: the cost of what he carries, in units of his budgets
    carried_ms: int
    declined: int
    expired: int
    handle_ms: int
    handled: int
    #: 1 while he is ready by what the events say
    is_ready: int
    offered: int
    ready_ms: int
    signed_in_ms: int
    wait_ms: int

    def handle(self, handled_ms: int) -> None:
        """An assignment of his has ended."""
        self.handled += 1
        self.handle_ms += handled_ms

    def row(self) -> tuple[int, ...]:
        """All of it as it stands, in the order of ``__slots__``."""
        return tuple(getattr(self, name) for name in self.__slots__)

    @classmethod
    def begin(cls, agent: AgentRecord, at_ms: int) -> AgentTally:
        """The tally of one who is counted from now on, with what he is and carries."""
        tally = cls()
        ready, busy = agent.presence is Presence.READY, bool(agent.load.counts)
        tally.is_ready = int(ready)
        tally.signed_in_ms = -at_ms
        tally.ready_ms = -at_ms * ready
        tally.busy_ms = -at_ms * busy
        tally.idle_ms = -at_ms * (ready and not busy)
        tally.carried_ms = -at_ms * agent.load.spent
        return tally

    def turn(self, at_ms: int, *, ready: bool, busy: bool) -> None:
        """He is ready from now on, or not ready any more."""
        self.is_ready = int(ready)
        sign = -at_ms if ready else at_ms
        self.ready_ms += sign
        if not busy:
            self.idle_ms += sign


def totals(agent: AgentRecord, now_ms: int) -> tuple[int, ...]:
    """What an agent's tally comes to now, in the order of `AGENT_FIELDS`."""
    tally, load = agent.tally, agent.load
    ready, busy = bool(tally.is_ready), bool(load.counts)
    busy_ms = tally.busy_ms + now_ms * busy
    idle_ms = tally.idle_ms + now_ms * (ready and not busy)
    capacity = load.capacity
    return (
        tally.offered,
        tally.accepted,
        tally.accepted_in_time,
        tally.declined,
        tally.expired,
        tally.handled,
        tally.wait_ms,
        tally.handle_ms,
        tally.signed_in_ms + now_ms,
        tally.ready_ms + now_ms * ready,
        busy_ms,
        idle_ms,
        tally.carried_ms + now_ms * load.spent,
        (busy_ms + idle_ms) * (capacity.budget + capacity.interruptible_budget),
    )
