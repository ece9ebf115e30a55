"""The deterministic core: commands in, events out. No clock, no dice, no I/O, no logging."""

from .core import Engine
from .dispositions import command_of
from .explain import Candidate, Explanation, Reason, Verdict
from .statistics import Counts, QueueStatistics, Statistics

__all__ = [
    "Candidate",
    "Counts",
    "Engine",
    "Explanation",
    "QueueStatistics",
    "Reason",
    "Statistics",
    "Verdict",
    "command_of",
]
