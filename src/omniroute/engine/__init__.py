"""The deterministic core: commands in, events out. No clock, no dice, no I/O, no logging."""

from .core import Engine
from .dispositions import command_of
from .estimates import ExpectedWait
from .explain import Candidate, Explanation, Reason, Verdict
from .statistics import Counts, GroupCounts, IntervalStatistics, QueueStatistics, Statistics

__all__ = [
    "Candidate",
    "Counts",
    "Engine",
    "ExpectedWait",
    "Explanation",
    "GroupCounts",
    "IntervalStatistics",
    "QueueStatistics",
    "Reason",
    "Statistics",
    "Verdict",
    "command_of",
]
