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
from .lives import Fate
from .loading import load, loads
from .outcome import GroupTime, Outcome, Row, Served, WaitHistogram
from .replaying import Difference, Redecision, redecide
from .report import Line, Precision, Report, compare, replicate, summarize
from .run import simulate
from .scenario import (
    AgentGroup,
    Break,
    ByTime,
    CustomerKind,
    Faults,
    Next,
    Retrial,
    Scenario,
    Shift,
)
from .skillmix import Candidate, Gain, Step, candidates, gains, improve, with_skills_each
from .survival import Survival, kaplan_meier
from .whatif import ASSUMPTIONS, Change, Turn, WhatIf, what_if

__all__ = [
    "ASSUMPTIONS",
    "AgentGroup",
    "AuditError",
    "Auditor",
    "Break",
    "ByTime",
    "Candidate",
    "Change",
    "CustomerKind",
    "Deterministic",
    "Difference",
    "Distribution",
    "Empirical",
    "Erlang",
    "Estimate",
    "Exponential",
    "Fate",
    "Faults",
    "Gain",
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
    "Redecision",
    "Renewal",
    "Report",
    "Retrial",
    "Row",
    "Scenario",
    "Served",
    "Shift",
    "Step",
    "Survival",
    "Turn",
    "Uniform",
    "WaitHistogram",
    "Weibull",
    "WhatIf",
    "candidates",
    "compare",
    "estimate",
    "gains",
    "improve",
    "kaplan_meier",
    "load",
    "loads",
    "redecide",
    "replicate",
    "simulate",
    "summarize",
    "what_if",
    "with_skills_each",
]
