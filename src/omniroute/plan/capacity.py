"""How much one agent carries at once: the four models in use, as one value.

The theory. Whether one more interaction fits depends on how many of each channel an agent
carries and on nothing else, and carrying more never makes more fit. Four rules say so, each
silent unless the plan gives it: a budget that channels cost (Azure), a maximum per channel
(Twilio), who may join whom (Amazon Connect's cross-channel concurrency, the "interrupted by"
lists of Genesys), and a second budget for interruptible work (Salesforce). The rules
themselves are written in docs/explanation/semantics.md, "Room".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from ..errors import PlanError, UnknownNameError
from ..model import Channel
from .fields import at_least, is_integer, name_text, one_of

__all__ = ["Capacity"]

_CHANNELS = {"*", *(channel.value for channel in Channel)}


def _known(name: object) -> str:
    if name not in _CHANNELS:
        raise UnknownNameError("channel", str(name), _CHANNELS, where="a capacity")
    return str(name)


def _integers(table: Mapping[str, int]) -> dict[str, int]:
    for name, value in table.items():
        _known(name)
        if not is_integer(value) or value < 0:
            raise PlanError(f"{name}: must be an integer of at least 0, got {value!r}")
    return {str(name): value for name, value in table.items()}


def _lists(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, values in table.items():
        if isinstance(values, str):
            raise PlanError(f"{name}: must be a sequence of channels, got the text {values!r}")
        found[_known(name)] = tuple(map(_known, values))
    return found


@attrs.frozen(kw_only=True)
class Capacity:
    """What an agent can carry at once, over all channels. Open offers and wrap-up hold it.

    Work of a channel costs ``costs[channel]`` (``"*"``: any other channel) of ``budget``, and
    at most ``maxima[channel]`` of it fit at once. A channel without a cost is never offered.

    ``interruptible_by[channel]`` names the channels that may arrive while he carries that one
    (``"*"``: any); its own channel always may, and one that is not in the table is open to all.
    ``interruptible_costs`` are of work that may lie while other work is done: it is counted
    against ``interruptible_budget`` alone, so that a chat may reach an agent full of mails.
    ``interruptible_when_full`` False: no such work arrives while ``budget`` is used up.
    ``max_open_offers``: nothing is offered to him while so many offers of his are open.

    Raises `UnknownNameError` for a channel that is none, and `PlanError` for a channel with a
    cost in both tables and for one of the two interruptible settings without the other.
    """

    name: str = attrs.field(default="default", validator=name_text)
    budget: int = attrs.field(default=1, validator=at_least(1))
    costs: Mapping[str, int] = attrs.field(factory=lambda: {"*": 1}, converter=_integers)
    maxima: Mapping[str, int] = attrs.field(factory=dict, converter=_integers)
    interruptible_by: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=_lists)
    interruptible_budget: int = attrs.field(default=0, validator=at_least(0))
    interruptible_costs: Mapping[str, int] = attrs.field(factory=dict, converter=_integers)
    interruptible_when_full: bool = attrs.field(default=True, validator=one_of(bool))
    max_open_offers: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(1))
    )

    def __attrs_post_init__(self) -> None:
        for fault in self._faults():
            raise PlanError(fault, where=f"capacity {self.name!r}")

    def _faults(self) -> Iterable[str]:
        for name in sorted(self.costs.keys() & self.interruptible_costs.keys()):
            meant = ' (costs is { "*" = 1 } unless given)' if name == "*" else ""
            yield f"{name!r} is in costs and in interruptible_costs: give it one cost{meant}"
        if self.interruptible_costs and not self.interruptible_budget:
            yield "interruptible_costs need an interruptible_budget of at least 1"
        if self.interruptible_budget and not self.interruptible_costs:
            yield "an interruptible_budget needs interruptible_costs: which channels it is for"
        if not self.interruptible_when_full and not self.interruptible_costs:
            yield "interruptible_when_full needs interruptible_costs: which channels it is about"

    def is_interruptible(self, channel: Channel) -> bool:
        """Whether ``channel`` is counted against the second budget; a name goes before ``"*"``."""
        if channel in self.costs:
            return False
        return channel in self.interruptible_costs or "*" in self.interruptible_costs

    def budget_of(self, channel: Channel) -> int:
        """The budget that ``channel`` is counted against."""
        return self.interruptible_budget if self.is_interruptible(channel) else self.budget

    def cost(self, channel: Channel) -> int | None:
        """What one interaction of ``channel`` costs, or None when it is never offered."""
        table = self.interruptible_costs if self.is_interruptible(channel) else self.costs
        return table.get(channel, table.get("*"))

    def maximum(self, channel: Channel) -> int:
        """How many interactions of ``channel`` fit at once."""
        found = self.maxima.get(channel, self.maxima.get("*"))
        return self.budget_of(channel) if found is None else found

    def may_interrupt(self, arriving: Channel, carried: Channel) -> bool:
        """Whether ``arriving`` may come to an agent who carries ``carried``."""
        allowed = self.interruptible_by.get(carried, self.interruptible_by.get("*", ("*",)))
        return arriving == carried or arriving in allowed or "*" in allowed

    def admits(self, channel: Channel) -> bool:
        """Whether one of ``channel`` fits an agent who carries nothing."""
        cost = self.cost(channel)
        return cost is not None and cost <= self.budget_of(channel) and self.maximum(channel) > 0
