"""The deterministic core: commands in, events out. No clock, no dice, no I/O, no logging."""

from .core import Engine
from .dispositions import command_of
from .estimates import ExpectedWait
from .explain import Candidate, Explanation, OpenOffer, Reason, Verdict
from .explain_offer import OfferExplanation, Rated, Rival, Rule
from .statistics import Counts, GroupCounts, IntervalStatistics, QueueStatistics, Statistics

__all__ = [
    "Candidate",
    "Counts",
    "Engine",
    "ExpectedWait",
    "Explanation",
    "GroupCounts",
    "IntervalStatistics",
    "OfferExplanation",
    "OpenOffer",
    "QueueStatistics",
    "Rated",
    "Reason",
    "Rival",
    "Rule",
    "Statistics",
    "Verdict",
    "command_of",
]
