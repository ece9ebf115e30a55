"""Metrics and log events, folded from published events, never counted beside them.

`metrics.Metrics` is imported from its own module, only where metrics are wanted: it brings
prometheus-client in.
"""

from __future__ import annotations

from .logs import LOG_EVENTS, EventLog

__all__ = ["LOG_EVENTS", "EventLog"]
