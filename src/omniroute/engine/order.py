"""The order among the waiting: every rule of a queue as one integer per interaction.

Keys compare across queues, smaller first. A key packs (-band, time, seq) of
docs/explanation/semantics.md, "Order"; ``seq`` is unique, so no two keys are equal. Time is
counted in hundredths of a millisecond, because a rate is a percentage.

`HeadStart`, `Strict` and `NewestFirst` give keys that never change. The age of
`Accelerating` grows by its own rate, so its place among other queues moves; but

    time(now) = 100 now - age(now) = (100 - rate) now + r,    r = rate * enqueued - points at start

and ``r`` is constant. Inside one rate the order by ``r`` never changes: a heap holds it, and only
its head is ever moved to "now" (`Aging.at`). The cap is reached when ``r <= rate * now - cap``, by
the smallest ``r`` first; from then on the age is the cap and the order is by ``seq``. (NICE
CXone's dynamic delivery; that heads suffice is the design's observation.)
"""

from __future__ import annotations

from collections.abc import Callable

from ..plan import Accelerating, HeadStart, NewestFirst, Order, Strict

__all__ = ["FRONT", "HELD_OUT", "IN_FRONT", "SEQ_BITS", "Aging", "Key", "key_of"]

#: (priority, enqueued_at_ms, seq) -> key
Key = Callable[[int, int, int], int]

#: Wide enough that no plan and no time can spill from one field of a key into the next:
#: plans hold integers below 2**53, so a head start stays below 2**113.
SEQ_BITS = 41
_TIME_BITS = 128
_BAND = 1 << _TIME_BITS
_SEQ = (1 << SEQ_BITS) - 1
#: ``seq`` backwards, and apart from every ``seq`` forwards
_NEWEST = (1 << SEQ_BITS) - 1
#: Keys are far above this, those in front far below.
IN_FRONT = -(1 << 279)

#: Taken from the key of an interaction that goes before all others.
FRONT = 1 << 280

#: Added to the place of an interaction that somebody has an offer of: after all keys.
HELD_OUT = 1 << 300


def key_of(order: Order) -> Key:
    """The key of an order; for `Accelerating` the constant ``r`` of it."""
    if isinstance(order, Strict):
        return _strict
    if isinstance(order, NewestFirst):
        return _newest_first
    if isinstance(order, Accelerating):
        rate, point = order.rate_percent, 100 * order.ms_per_point
        return lambda priority, at_ms, seq: ((rate * at_ms - point * priority) << SEQ_BITS) + seq
    assert isinstance(order, HeadStart)
    weight = 100 * order.ms_per_point
    return lambda priority, at_ms, seq: ((100 * at_ms - weight * priority) << SEQ_BITS) + seq


def _strict(priority: int, at_ms: int, seq: int) -> int:
    return ((100 * at_ms - _BAND * priority) << SEQ_BITS) + seq


def _newest_first(priority: int, at_ms: int, seq: int) -> int:
    return ((-100 * at_ms - _BAND * priority) << SEQ_BITS) + (_NEWEST - seq)


class Aging:
    """How the constant ``r`` of an accelerating queue becomes a key at a moment."""

    __slots__ = ("_cap", "_rate")

    def __init__(self, order: Accelerating) -> None:
        self._rate = order.rate_percent
        points = order.max_points
        self._cap = None if points is None else 100 * points * order.ms_per_point

    def at(self, key: int, now_ms: int) -> int:
        """The key to compare with those of other queues now."""
        if key < IN_FRONT:
            return self.at(key + FRONT, now_ms) - FRONT
        if self._cap is not None and self.is_capped(key, now_ms):
            return ((100 * now_ms - self._cap) << SEQ_BITS) + (key & _SEQ)
        return key + (((100 - self._rate) * now_ms) << SEQ_BITS)

    def is_capped(self, key: int, now_ms: int) -> bool:
        """Whether its age has reached the cap."""
        if self._cap is None:
            return False
        if key < IN_FRONT:
            key += FRONT
        return (key >> SEQ_BITS) <= self._rate * now_ms - self._cap

    def rank(self, key: int) -> int:
        """The order among those that have reached the cap."""
        return (key & _SEQ) - (1 << SEQ_BITS) if key < IN_FRONT else key & _SEQ
