"""The routing plan: built in Python or loaded from TOML, checked, drawn."""

from __future__ import annotations

from .calendars import During, HoursCalendar
from .checking import check
from .drawing import draw
from .expression import (
    Expression,
    Names,
    Scope,
    all_of,
    has_skill,
    nobody,
    none_of,
    not_agents,
    parse,
)
from .findings import Code, Finding, Severity
from .holidays import Holidays
from .hours import Hours, HoursException
from .inbound import (
    DispositionAction,
    DispositionPolicy,
    Identity,
    LinkRule,
    SenderRate,
    disposition_name,
)
from .intervals import Interval
from .loading import load, loads
from .model import (
    Accelerating,
    Access,
    Capacity,
    Delivery,
    HeadStart,
    Limits,
    NewestFirst,
    OnExpiry,
    OnRequeue,
    Order,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    Scorer,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    Strict,
    TriageRule,
    WrapUp,
    WrapUpKind,
)
from .writing import dumps

__all__ = [
    "Accelerating",
    "Access",
    "Capacity",
    "Code",
    "Delivery",
    "DispositionAction",
    "DispositionPolicy",
    "During",
    "Expression",
    "Finding",
    "HeadStart",
    "Holidays",
    "Hours",
    "HoursCalendar",
    "HoursException",
    "Identity",
    "Interval",
    "Limits",
    "LinkRule",
    "Names",
    "NewestFirst",
    "OnExpiry",
    "OnRequeue",
    "Order",
    "Plan",
    "Queue",
    "Refusal",
    "RefusalRule",
    "Scope",
    "Scorer",
    "SenderRate",
    "ServiceLevel",
    "Severity",
    "Skill",
    "Step",
    "Strategy",
    "Strict",
    "TriageRule",
    "WrapUp",
    "WrapUpKind",
    "all_of",
    "check",
    "disposition_name",
    "draw",
    "dumps",
    "has_skill",
    "load",
    "loads",
    "nobody",
    "none_of",
    "not_agents",
    "parse",
]
