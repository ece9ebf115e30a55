"""What a run notes of every contact, and how it is counted.

Noting is what each contact pays for, so it is an append and two additions. The sums, shares and
histograms are made of a thousand waits at a time (`Waits.settle`), in loops of builtins.
"""

from __future__ import annotations

from collections import Counter
from operator import mul
from typing import TYPE_CHECKING

from .histogram import bucket, coarse

if TYPE_CHECKING:
    from .tally import GroupTally

__all__ = ["Account", "Cell", "Counts", "Waits"]

#: Bucket -> how many waits fell into it.
Counts = dict[int, int]


class Waits:
    """Waits that ended alike: ``noted`` since they were counted last, and the counts.

    ``squares`` is the sum of their squares. The histograms are shared: the fine one by all of a
    queue and channel, the coarse one (without waits of 0) by all of an interval.
    """

    __slots__ = (
        "_coarse",
        "_fine",
        "_target_ms",
        "at_once",
        "count",
        "in_time",
        "noted",
        "squares",
        "total_ms",
    )

    def __init__(self, target_ms: int, fine: Counts, coarse: Counts | None) -> None:
        self._target_ms = target_ms
        self._fine = fine
        self._coarse = coarse
        self.noted: list[int] = []
        self.forget()

    def forget(self) -> None:
        """Count from here on only."""
        self.noted.clear()
        self.count = self.at_once = self.in_time = self.total_ms = self.squares = 0

    def settle(self) -> None:
        """Count what was noted. About 0.3 us per wait."""
        noted = self.noted
        if not noted:
            return
        self.count += len(noted)
        self.at_once += noted.count(0)
        self.in_time += sum(map(self._target_ms.__ge__, noted))
        self.total_ms += sum(noted)
        self.squares += sum(map(mul, noted, noted))
        for number, count in Counter(map(bucket, noted)).items():
            self._fine[number] = self._fine.get(number, 0) + count
            if number and self._coarse is not None:
                wide = coarse(number)
                self._coarse[wide] = self._coarse.get(wide, 0) + count
        noted.clear()


class Account(Waits):
    """What one group of agents took of one cell: the waits, and what it has done of it."""

    __slots__ = ("group", "handle_ms", "handled", "queue")

    def __init__(
        self, group: GroupTally, queue: str, target_ms: int, fine: Counts, coarse: Counts
    ) -> None:
        super().__init__(target_ms, fine, coarse)
        self.group = group
        self.queue = queue

    def forget(self) -> None:
        """Count from here on only."""
        super().forget()
        self.handled = self.handle_ms = 0


class Cell:
    """Interactions of one queue, channel and interval of arrival, while they are counted.

    A `Row` is made of it; ``accounts`` hold what was accepted, by group, ``abandoned`` the others.
    """

    __slots__ = (
        "abandoned",
        "accounts",
        "arrived",
        "balked",
        "cancelled",
        "coarse",
        "fine",
        "queue",
        "rejected",
        "requeued",
        "retried",
        "target_ms",
    )

    def __init__(
        self, queue: str, target_ms: int, fine: Counts, coarse: Counts, abandoned: Waits
    ) -> None:
        self.queue = queue
        self.target_ms = target_ms
        self.fine = fine
        self.coarse = coarse
        self.abandoned = abandoned
        self.accounts: dict[GroupTally, Account] = {}
        self.arrived = self.retried = self.rejected = 0
        self.balked = self.cancelled = self.requeued = 0
