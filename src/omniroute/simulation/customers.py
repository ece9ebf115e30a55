"""Customers on their way: each kind is a source that draws the next one from its own streams.

Everything about a customer is drawn when he comes, whether it is needed or not, so that the n-th
customer of a kind is the same person under every plan.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ..events import Submit
from .arrivals import Busyness
from .distributions import Distribution, Gamma
from .scenario import ByTime, CustomerKind, Scenario
from .streams import Streams
from .tally import Cell, Tally

if TYPE_CHECKING:
    from .desks import Desk

__all__ = ["Customer", "Source", "busyness", "drawn"]


class Customer:
    """One who is in the system, or will come again.

    ``offer_id`` is his open offer or assignment (0: none); ``agent_id`` and ``desk`` say whose it
    is once he is served. ``patience_ms`` None waits for ever; ``waits`` numbers the times he began
    to wait, ``is_counted`` says whether the tally counts him among the waiting.
    """

    __slots__ = (
        "accepted_ms",
        "agent_id",
        "attempts",
        "cell",
        "desk",
        "enqueued_ms",
        "id",
        "is_counted",
        "number",
        "offer_id",
        "patience_ms",
        "queue",
        "source",
        "throws",
        "variants",
        "waits",
        "work_ms",
        "wrap_up_ms",
    )

    cell: Cell
    desk: Desk
    queue: str
    accepted_ms: int
    enqueued_ms: int

    def __init__(self, source: Source, number: int, work_ms: float, wrap_up_ms: float) -> None:
        self.source = source
        self.number = number
        self.work_ms = work_ms
        self.wrap_up_ms = wrap_up_ms
        self.patience_ms: float | None = None
        self.variants: dict[str, float] | None = None
        self.id = ""
        self.agent_id = ""
        self.is_counted = False
        self.offer_id = 0
        self.attempts = 0
        self.throws = 0
        self.waits = 0


def drawn(what: Distribution | ByTime, streams: Streams, cycle_ms: int, *purpose: str) -> _Draw:
    """A function from the moment of arrival to the next value."""
    if isinstance(what, Distribution):
        values = what.draws(streams.named(*purpose))
        return lambda _at_ms: next(values)
    parts = [
        part.draws(streams.named(*purpose, str(number))) for number, part in enumerate(what.parts)
    ]
    starts = what.from_ms
    return lambda at_ms: next(parts[bisect.bisect_right(starts, at_ms % cycle_ms) - 1])


_Draw = Callable[[int], float]


def busyness(scenario: Scenario, streams: Streams) -> Busyness:
    """The factor on all rates, one per cycle: the same for all kinds."""
    cv = scenario.busyness_cv
    if not cv:
        return lambda _cycle: 1.0
    values = Gamma(1.0, 1.0 / (cv * cv)).draws(streams.named("busyness"))
    known: list[float] = []

    def factor(cycle: int) -> float:
        while len(known) <= cycle:
            known.append(next(values))
        return known[cycle]

    return factor


class Source:
    """The customers of one kind, first to last.

    ``times`` yields when they come. A source that only follows others (``Next``) has streams of
    its own, so that followers never shift the customers who come by themselves.
    """

    __slots__ = (
        "_again",
        "_cells",
        "_cells_until_ms",
        "_count",
        "_handle",
        "_patience",
        "_variants",
        "_wrap_up",
        "delays",
        "dice",
        "kind",
        "message_channel",
        "submit",
        "times",
    )

    def __init__(
        self,
        kind: CustomerKind,
        scenario: Scenario,
        streams: Streams,
        variants: Iterable[tuple[str, Distribution]],
        role: str,
    ) -> None:
        self.kind = kind
        self.submit = Submit(
            kind.message, queue=kind.queue, priority=kind.priority, requirement=kind.requirement
        )
        self.message_channel = kind.channel.value
        cycle_ms = scenario.cycle_ms
        self._handle = drawn(kind.handle, streams, cycle_ms, role, kind.name, "handle")
        self._patience = (
            drawn(kind.patience, streams, cycle_ms, role, kind.name, "patience")
            if kind.patience is not None
            else None
        )
        self._variants = [
            (group, handle.draws(streams.named(role, kind.name, "handle", group)))
            for group, handle in variants
        ]
        self._again = (
            drawn(kind.patience, streams, cycle_ms, role, kind.name, "patience again")
            if kind.patience is not None
            else None
        )
        self._wrap_up = kind.wrap_up.draws(streams.named(role, kind.name, "wrap_up"))
        self.dice = {
            purpose: streams.dice(role, kind.name, purpose)
            for purpose in ("balk", "offer", "retrial", "next")
        }
        self.delays: dict[str, Iterator[float]] = {
            follow.customers: follow.delay.draws(
                streams.named(role, kind.name, "next", follow.customers)
            )
            for follow in kind.next
        }
        if kind.retrial is not None:
            self.delays[""] = kind.retrial.delay.draws(streams.named(role, kind.name, "retrial"))
        self.times: Iterator[float] = iter(())
        self._count = 0
        self._cells: dict[str, Cell] = {}
        self._cells_until_ms = 0

    def customer(self, at_ms: int) -> Customer:
        """The next one, who comes at this moment."""
        self._count = number = self._count + 1
        customer = Customer(self, number, self._handle(at_ms), next(self._wrap_up))
        if self._patience is not None:
            customer.patience_ms = self._patience(at_ms)
        if self._variants:
            customer.variants = {group: next(values) for group, values in self._variants}
        return customer

    def comes_again(self, customer: Customer, at_ms: int) -> None:
        """He is as patient as another man, and wants the same as before."""
        customer.offer_id = 0
        customer.agent_id = ""
        if self._again is not None:
            customer.patience_ms = self._again(at_ms)

    def cell(self, tally: Tally, queue: str, at_ms: int) -> Cell:
        """Where an arrival in this queue is counted; remembered while the interval lasts."""
        if at_ms >= self._cells_until_ms:
            interval_ms = tally.frame.interval_ms
            self._cells = {}
            self._cells_until_ms = (at_ms // interval_ms + 1) * interval_ms
        found = self._cells.get(queue)
        if found is None:
            found = self._cells[queue] = tally.cell(queue, self.message_channel, at_ms)
        return found

    def forget_cells(self) -> None:
        """The tally has begun anew."""
        self._cells_until_ms = 0
