"""The mutable state of one queue: its counts, and what of its plan is read on the hot path."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..model import Agent, Channel
from ..plan import Access, Expression, Queue, Strategy, all_of, nobody, none_of
from .climb import Climb
from .order import key_of
from .tallies import Tally
from .timers import Fifo

if TYPE_CHECKING:
    from .capacity import Loads
    from .lanes import Lane, LaneAsk

__all__ = ["QueueRecord"]

#: So many times between two acceptances of a queue are remembered.
SERVICES = 50


def _first_for_all(rows: tuple[Access, ...]) -> int:
    """How many rows there are up to the first that is for every agent."""
    return next((n for n, row in enumerate(rows, 1) if row.agents is None), len(rows))


class QueueRecord:
    """One queue: its plan, how many wait in it (offered ones included), its counts."""

    __slots__ = (
        "access",
        "auto_accept",
        "counts_taken",
        "delays",
        "foot",
        "gaps",
        "is_draining",
        "is_guarded",
        "is_simple",
        "key",
        "kinds",
        "lanes",
        "last_callback_ms",
        "lined",
        "max_offers_at_once",
        "name",
        "offer_timers",
        "plan",
        "served_ms",
        "tallies",
        "target_ms",
        "waiting",
        "wrap_up_kind",
    )

    def __init__(self, plan: Queue, offer_timers: Fifo, loads: Loads, *, shares: bool) -> None:
        self.plan = plan
        self.name = plan.name
        #: what its work is to a capacity, by channel; and in wrap-up, where that is something else
        self.kinds, self.wrap_up_kind = loads.kinds(plan.name), loads.wrap_up(plan.name)
        self.target_ms = plan.service_level.target_ms
        self.offer_timers = offer_timers
        self.waiting = 0
        #: when a callback of it started last
        self.last_callback_ms: int | None = None
        #: whether it takes nothing new
        self.is_draining = False
        #: (priority, enqueued_at_ms, seq) -> the place among the waiting; smaller first
        self.key = key_of(plan.order)
        #: where most that wait here stand: at the start of its ladder, without clocks
        self.foot = Climb((), plan.ladder)
        #: read on the hot path, so not through the plan
        self.auto_accept = plan.auto_accept
        self.max_offers_at_once = plan.offers
        self.is_simple = _is_simple(plan)
        #: whether there is anything to read at its door
        self.is_guarded = bool(plan.overflow)
        #: the rows of access that can be reached: nothing follows one for everybody
        self.access = plan.access[: _first_for_all(plan.access)]
        #: after how long the queue opens to more agents, ascending
        self.delays = tuple(sorted({row.after_ms for row in self.access} - {0}))
        #: whether it is counted how often an agent was offered something from here
        self.counts_taken = shares or plan.strategy is Strategy.WEIGHTED
        #: how many wait and are held out to nobody
        self.lined = 0
        #: when something of it was accepted last while such were waiting all the time; -1: none
        self.served_ms = -1
        #: the last times between two acceptances in which such were waiting
        self.gaps: deque[int] = deque(maxlen=SERVICES)
        self.tallies: dict[Channel, Tally] = {}
        #: what a lane is asked for with -> lane
        self.lanes: dict[LaneAsk, Lane] = {}

    def drain(self, *, is_draining: bool) -> None:
        """It takes nothing new, or takes work again."""
        self.is_draining = is_draining
        self.is_guarded = is_draining or bool(self.plan.overflow)

    def tier_for(self, agent: Agent) -> int:
        """The place of this queue among the queues of an agent."""
        for row in self.access:
            if row.agents is None or row.agents.matches(agent):
                return row.tier
        return self.plan.tier

    def closed(self, opening: int) -> Expression | None:
        """The requirement that only agents whose delay has passed satisfy; None: all have."""
        if opening == len(self.delays):
            return None
        passed_ms = self.delays[opening - 1] if opening else 0
        closed: list[Expression] = []
        above: list[Expression] = []
        for row in self.access:
            if row.after_ms > passed_ms:
                here = all_of(row.agents, none_of(*above) if above else None)
                if here is None:
                    return nobody()
                closed.append(here)
            if row.agents is not None:
                above.append(row.agents)
        return none_of(*closed) if closed else None

    def tally(self, channel: Channel) -> Tally:
        """The counts of one channel of this queue."""
        found = self.tallies.get(channel)
        if found is None:
            found = self.tallies[channel] = Tally()
        return found


def _is_simple(plan: Queue) -> bool:
    """Whether what begins to wait here has no clocks and no step to pass over."""
    first, *more = plan.ladder
    return not (more or plan.access) and first.only_if is None and first.priority is None
