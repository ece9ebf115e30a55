"""What an agent can still take: loads are interned states, taking work is a step.

Whether one more chat fits is a pure function of (capacity, what the agent carries); the rules
are in docs/explanation/semantics.md, "Room". There are few distinct loads, so each is made
once: `Load.plus[channel]` is the load after taking one, `Load.minus[channel]` the load after
giving one back. On the hot path capacity costs one dict look-up, whatever the rules are.
``open`` is a bit set over channels: what may still be offered. A larger load has no channel
open that a smaller one has closed, so only giving back and new rights make room.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ..model import Channel
from ..plan import Capacity

__all__ = ["CHANNEL_BIT", "Load", "Loads"]

CHANNEL_BIT: Mapping[Channel, int] = {channel: 1 << i for i, channel in enumerate(Channel)}


class Load:
    """What one agent carries, by channel; shared by all agents who carry the same."""

    __slots__ = (
        "capacity",
        "counts",
        "interruptible_used",
        "minus",
        "occupancy",
        "open",
        "plus",
        "spent",
        "used",
    )

    def __init__(self, capacity: Capacity, counts: tuple[tuple[Channel, int], ...]) -> None:
        self.capacity = capacity
        self.counts = counts
        #: spent of each of the two budgets
        self.used = self.interruptible_used = 0
        for channel, count in counts:
            cost = count * (capacity.cost(channel) or 0)
            if capacity.is_interruptible(channel):
                self.interruptible_used += cost
            else:
                self.used += cost
        self.spent = self.used + self.interruptible_used
        self.occupancy = Fraction(self.spent, capacity.budget + capacity.interruptible_budget)
        held = dict(counts)
        self.open = sum(bit for channel, bit in CHANNEL_BIT.items() if self._fits(channel, held))
        self.plus: dict[Channel, Load] = {}
        self.minus: dict[Channel, Load] = {}

    def _fits(self, channel: Channel, held: Mapping[Channel, int]) -> bool:
        capacity = self.capacity
        cost = capacity.cost(channel)
        if cost is None or held.get(channel, 0) >= capacity.maximum(channel):
            return False
        if not all(capacity.may_interrupt(channel, carried) for carried in held):
            return False
        if not capacity.is_interruptible(channel):
            return self.used + cost <= capacity.budget
        if self.used >= capacity.budget and not capacity.interruptible_when_full:
            return False
        return self.interruptible_used + cost <= capacity.interruptible_budget


class Loads:
    """The interned loads of all capacities of a plan."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, tuple[tuple[Channel, int], ...]], Load] = {}

    def get(self, capacity: Capacity, counts: Mapping[Channel, int]) -> Load:
        """The one load for these counts. A load over its budget is legal: nothing fits."""
        key = (capacity.name, tuple(sorted((c, n) for c, n in counts.items() if n)))
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = Load(capacity, key[1])
        return load

    def plus(self, load: Load, channel: Channel) -> Load:
        """The load after taking one more of ``channel``."""
        after = load.plus.get(channel)
        if after is None:
            counts = dict(load.counts)
            counts[channel] = counts.get(channel, 0) + 1
            after = load.plus[channel] = self.get(load.capacity, counts)
        return after

    def minus(self, load: Load, channel: Channel) -> Load:
        """The load after giving one of ``channel`` back."""
        after = load.minus.get(channel)
        if after is None:
            counts = dict(load.counts)
            counts[channel] -= 1
            assert counts[channel] >= 0, "capacity given back that was not taken"
            after = load.minus[channel] = self.get(load.capacity, counts)
        return after
