"""The routing plan: built in Python or loaded from TOML, checked, drawn."""

from __future__ import annotations

from .expression import Expression, Names, Scope, all_of, parse
from .model import (
    Capacity,
    HeadStart,
    Limits,
    OnExpiry,
    Order,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    Strict,
    TriageRule,
    WrapUp,
    WrapUpKind,
)

__all__ = [
    "Capacity",
    "Expression",
    "HeadStart",
    "Limits",
    "Names",
    "OnExpiry",
    "Order",
    "Plan",
    "Queue",
    "Refusal",
    "RefusalRule",
    "Scope",
    "ServiceLevel",
    "Skill",
    "Step",
    "Strategy",
    "Strict",
    "TriageRule",
    "WrapUp",
    "WrapUpKind",
    "all_of",
    "parse",
]
