"""Customers on their way: each kind is a source that draws the next one from its own streams.

Everything about a customer is drawn when he comes, whether it is needed or not, so that the n-th
customer of a kind is the same person under every plan.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..events import Submit
from .accounts import Account, Cell
from .arrivals import Busyness
from .distributions import Distribution, Gamma
from .scenario import ByTime, CustomerKind, Scenario
from .streams import Streams
from .tally import Tally

if TYPE_CHECKING:
    from .desks import Desk

__all__ = ["Customer", "Source", "busyness"]


class Customer:
    """One who is in the system, or will come again.

    ``offer_id`` is his open offer or assignment (0: none); ``desk`` says whose it is once he is
    served, ``account`` where that is noted. ``patience_ms`` None waits for ever; ``waits`` numbers
    the times he began to wait again, ``is_counted`` says whether the tally counts him among the
    waiting. What most customers never need is a default of the class: he is made for each contact.
    """

    source: Source
    number: int
    work_ms: float
    id: str
    cell: Cell
    account: Account
    accepted_ms: int
    enqueued_ms: int
    desk: Desk | None = None
    wrap_up_ms: float = 0.0
    patience_ms: float | None = None
    variants: dict[str, float] | None = None
    is_counted: bool = False
    offer_id: int = 0
    attempts: int = 0
    throws: int = 0
    waits: int = 0


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

    ``at_ms`` is when somebody came last: what is drawn may depend on the time of day. ``times``
    yields when they come. A source that only follows others (``Next``) has streams of its own, so
    that followers never shift the customers who come by themselves.
    """

    __slots__ = (
        "_again",
        "_count",
        "_cycle_ms",
        "_handle",
        "_patience",
        "_variants",
        "_wrap_up",
        "at_ms",
        "cells",
        "cells_until_ms",
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
        self.at_ms = 0
        self._cycle_ms = scenario.cycle_ms
        self._handle = self._drawn(kind.handle, streams, role, kind.name, "handle")
        self._patience: Iterator[float] | None = None
        self._again: Iterator[float] | None = None
        if kind.patience is not None:
            self._patience = self._drawn(kind.patience, streams, role, kind.name, "patience")
            again = (role, kind.name, "patience again")
            self._again = self._drawn(kind.patience, streams, *again)
        self._variants = [
            (group, handle.draws(streams.named(role, kind.name, "handle", group)))
            for group, handle in variants
        ]
        self._wrap_up: Iterator[float] | None = None
        if kind.wrap_up.mean_ms:
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
        #: by queue, those of an interval that lasts until then
        self.cells: dict[str, Cell] = {}
        self.cells_until_ms = 0

    def _drawn(
        self, what: Distribution | ByTime, streams: Streams, *purpose: str
    ) -> Iterator[float]:
        if isinstance(what, Distribution):
            return what.draws(streams.named(*purpose))
        return self._by_time(
            what.from_ms,
            [part.draws(streams.named(*purpose, str(n))) for n, part in enumerate(what.parts)],
        )

    def _by_time(self, from_ms: tuple[int, ...], parts: list[Iterator[float]]) -> Iterator[float]:
        while True:
            number = bisect.bisect_right(from_ms, self.at_ms % self._cycle_ms) - 1
            yield next(parts[number])

    def customer(self, at_ms: int) -> Customer:
        """The next one, who comes at this moment."""
        self.at_ms = at_ms
        customer = Customer()
        customer.source = self
        customer.number = self._count = self._count + 1
        customer.work_ms = next(self._handle)
        if self._wrap_up is not None:
            customer.wrap_up_ms = next(self._wrap_up)
        if self._patience is not None:
            customer.patience_ms = next(self._patience)
        if self._variants:
            customer.variants = {group: next(values) for group, values in self._variants}
        return customer

    def comes_again(self, customer: Customer, at_ms: int) -> None:
        """He is as patient as another man, and wants the same as before."""
        customer.offer_id = 0
        customer.desk = None
        customer.waits += 1
        if self._again is not None:
            self.at_ms = at_ms
            customer.patience_ms = next(self._again)

    def cell(self, tally: Tally, queue: str, at_ms: int) -> Cell:
        """Where an arrival in this queue is counted; remembered while the interval lasts."""
        if at_ms >= self.cells_until_ms:
            interval_ms = tally.frame.interval_ms
            self.cells.clear()
            self.cells_until_ms = (at_ms // interval_ms + 1) * interval_ms
        found = self.cells.get(queue)
        if found is None:
            found = self.cells[queue] = tally.cell(queue, self.message_channel, at_ms)
        return found

    def forget_cells(self) -> None:
        """The tally has begun anew."""
        self.cells_until_ms = 0
