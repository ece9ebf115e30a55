"""The same engine in virtual time, and the auditor that re-checks its every event."""

from __future__ import annotations

from .arrivals import Logged, Poisson, Renewal
from .auditor import AuditError, Auditor, Law
from .confidence import Estimate, estimate
from .distributions import (
    Deterministic,
    Distribution,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Uniform,
    Weibull,
)
from .loading import load, loads
from .outcome import GroupTime, Outcome, Row, Served, WaitHistogram
from .report import Line, Precision, Report, compare, replicate, summarize
from .run import simulate
from .scenario import AgentGroup, Break, ByTime, CustomerKind, Next, Retrial, Scenario, Shift

__all__ = [
    "AgentGroup",
    "AuditError",
    "Auditor",
    "Break",
    "ByTime",
    "CustomerKind",
    "Deterministic",
    "Distribution",
    "Empirical",
    "Erlang",
    "Estimate",
    "Exponential",
    "Gamma",
    "GroupTime",
    "Law",
    "Line",
    "Logged",
    "Lognormal",
    "Mixture",
    "Next",
    "Outcome",
    "Poisson",
    "Precision",
    "Renewal",
    "Report",
    "Retrial",
    "Row",
    "Scenario",
    "Served",
    "Shift",
    "Uniform",
    "WaitHistogram",
    "Weibull",
    "compare",
    "estimate",
    "load",
    "loads",
    "replicate",
    "simulate",
    "summarize",
]
