"""What is counted while events are folded: whole numbers, added to and never read on the way.

The theory of times. A *level* is a number that events change and that holds in between: what an
agent carries, whether he is ready. Its time integral is wanted at any moment without a look at
the clock in between. Keep the sum of ``-change * moment`` over all changes; then

    integral up to now = sum + level * now

is exact, and a change costs one multiplication. `Team` keeps such sums beside the levels.

Nobody asks for one agent's counts, only for those of groups. So agents of the same groups and
capacity are counted together, in one `Team`: a few integers that every offer changes, and not a few
for each of a thousand agents.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model import Agent
    from ..plan import Capacity
    from .capacity import Load

__all__ = ["AGENT_FIELDS", "Tally", "Team", "TeamKey", "team_key"]

#: The groups of an agent, sorted, and the name of his capacity.
TeamKey = tuple[tuple[str, ...], str]

#: What `Team.totals` gives, and groups add up, in this order.
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
        return _counts_of(self)


_counts_of: Callable[[Tally], tuple[int, ...]] = attrgetter(*Tally.__slots__)


def team_key(agent: Agent) -> TeamKey:
    """With whom an agent is counted."""
    return tuple(sorted(set(agent.groups))), agent.capacity


class Team:
    """Counts of the agents of the same groups and capacity; the times are sums as described above.

    Levels: how many ``agents`` are signed in, how many are ``ready``, how many are ``busy`` (carry
    something), how many are ``idle`` (ready and carry nothing). ``carried_ms`` is what was carried
    and is not any more: cost times duration.
    """

    __slots__ = (
        "accepted",
        "accepted_in_time",
        "agents",
        "busy",
        "busy_ms",
        "carried_ms",
        "declined",
        "expired",
        "groups",
        "handle_ms",
        "handled",
        "idle",
        "idle_ms",
        "offered",
        "ready",
        "ready_ms",
        "signed_in_ms",
        "units",
        "wait_ms",
    )

    #: what a snapshot keeps, in this order
    FIELDS = tuple(name for name in __slots__ if name not in {"groups", "units"})

    def __init__(self, groups: tuple[str, ...], capacity: Capacity) -> None:
        self.groups = groups
        #: what one of them can carry
        self.units = capacity.budget + capacity.interruptible_budget
        for name in self.FIELDS:
            setattr(self, name, 0)

    accepted: int
    accepted_in_time: int
    agents: int
    busy: int
    busy_ms: int
    carried_ms: int
    declined: int
    expired: int
    handle_ms: int
    handled: int
    idle: int
    idle_ms: int
    offered: int
    ready: int
    ready_ms: int
    signed_in_ms: int
    wait_ms: int

    def join(self, load: Load, at_ms: int, sign: int, *, ready: bool) -> None:
        """An agent who carries this is one of them from now on; ``sign`` -1: not any more."""
        self.agents += sign
        self.signed_in_ms -= sign * at_ms
        if ready:
            self.turn(load, at_ms, sign)
        if load.counts:
            self.busy += sign
            self.busy_ms -= sign * at_ms

    def turn(self, load: Load, at_ms: int, sign: int) -> None:
        """One who carries this is ready from now on; ``sign`` -1: not any more."""
        self.ready += sign
        self.ready_ms -= sign * at_ms
        if not load.counts:
            self.idle += sign
            self.idle_ms -= sign * at_ms

    def work(self, at_ms: int, sign: int, *, ready: bool) -> None:
        """One who carried nothing carries something from now on; ``sign`` -1: nothing any more."""
        self.busy += sign
        self.busy_ms -= sign * at_ms
        if ready:
            self.idle -= sign
            self.idle_ms += sign * at_ms

    def handle(self, handled_ms: int) -> None:
        """An assignment of theirs has ended."""
        self.handled += 1
        self.handle_ms += handled_ms

    def row(self) -> tuple[int, ...]:
        """All of it as it stands, in the order of ``FIELDS``."""
        return _fields_of(self)

    def totals(self, now_ms: int, carried_ms: int) -> tuple[int, ...]:
        """What it comes to now, in the order of `AGENT_FIELDS`.

        ``carried_ms`` is of what is still carried.
        """
        busy_ms = self.busy_ms + now_ms * self.busy
        idle_ms = self.idle_ms + now_ms * self.idle
        return (
            self.offered,
            self.accepted,
            self.accepted_in_time,
            self.declined,
            self.expired,
            self.handled,
            self.wait_ms,
            self.handle_ms,
            self.signed_in_ms + now_ms * self.agents,
            self.ready_ms + now_ms * self.ready,
            busy_ms,
            idle_ms,
            self.carried_ms + carried_ms,
            (busy_ms + idle_ms) * self.units,
        )


_fields_of: Callable[[Team], tuple[int, ...]] = attrgetter(*Team.FIELDS)
