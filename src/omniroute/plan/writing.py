"""A `Plan` into TOML: only what differs from the defaults, ``loads(dumps(p)) == p``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ..model import Agent
from . import schema
from .inbound import Identity, SenderRate
from .model import Capacity, Limits, Plan, Queue, TriageRule
from .reading import quoted_key, quoted_text
from .schema_capacity import CAPACITY
from .schema_hours import write_hours
from .schema_inbound import IDENTITY, SENDER_RATE, write_dispositions

__all__ = ["dumps"]


def dumps(plan: Plan) -> str:
    """The plan as TOML text that `omniroute.plan.loads` reads back to an equal plan."""
    return "\n".join("\n".join(block) + "\n" for block in _blocks(plan) if block)


def _blocks(plan: Plan) -> Iterator[list[str]]:
    yield _table("[plan]", {"name": plan.name})
    if plan.skills:
        yield _table("[skills]", {s.name: s.max_level for s in plan.skills.values()})
    limits = schema.written(plan.limits, Limits(), schema.LIMITS)
    if limits:
        yield _table("[limits]", limits)
    if plan.capacities != {"default": Capacity()}:
        for name, capacity in plan.capacities.items():
            table = schema.written(capacity, Capacity(), CAPACITY)
            yield _table(f"[capacities.{quoted_key(name)}]", table)
    for name, queue in plan.queues.items():
        table = schema.written(queue, Queue(name=name), schema.QUEUE)
        access = table.pop("access", [])
        overflow = table.pop("overflow", [])
        ladder = table.pop("ladder", [])
        yield _table(f"[queues.{quoted_key(name)}]", table)
        for rule_table in overflow:
            yield _table(f"[[queues.{quoted_key(name)}.overflow]]", rule_table)
        for row in access:
            yield _table(f"[[queues.{quoted_key(name)}.access]]", row)
        for step in ladder:
            yield _table(f"[[queues.{quoted_key(name)}.ladder]]", step)
    for hours in plan.hours.values():
        table = write_hours(hours)
        inner = {name: table.pop(name, []) for name in ("exceptions", "calendars")}
        yield _table("[[hours]]", table)
        for name, values in inner.items():
            for value in values:
                yield _table(f"[[hours.{name}]]", value)
    tables = {
        "dispositions": write_dispositions(plan.dispositions),
        "sender_rate": schema.written(plan.sender_rate, SenderRate(), SENDER_RATE),
        "identity": schema.written(plan.identity, Identity(), IDENTITY),
    }
    for name, table in tables.items():
        if table:
            yield _table(f"[{name}]", table)
    for rule in plan.triage:
        yield _table("[[triage]]", schema.written(rule, TriageRule(queue="-"), schema.RULE))
    for agent in plan.agents.values():
        yield _table("[[agents]]", schema.written(agent, Agent(id=""), schema.AGENT))


def _table(header: str, table: Mapping[str, Any]) -> list[str]:
    return [header, *(f"{quoted_key(key)} = {_value(value)}" for key, value in table.items())]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted_text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{quoted_key(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return f"[{', '.join(map(_value, value))}]"
