"""Workers of Azure Job Router into agents and capacities, and labels into skills."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from ..model import Agent, Attribute, Channel
from ..plan import Capacity
from ..plan.syntax import Compare, Kind, Node, conjunction
from .documents import Notes, Table
from .draft import Draft, clean
from .language import Untranslatable
from .translation import attribute, comparison

__all__ = ["OPERATORS", "read_workers", "wanted_label"]

OPERATORS = {
    "equal": "==",
    "notEqual": "!=",
    "lessThan": "<",
    "lessThanOrEqual": "<=",
    "greaterThan": ">",
    "greaterThanOrEqual": ">=",
}
_MAX_LEVEL = 10**9


def wanted_label(key: str, operator: str, value: object) -> Node:
    """What a worker selector asks of an agent; raises `Untranslatable`."""
    if operator not in OPERATORS:
        raise Untranslatable(0, f"the operator {operator} is not known")
    if key == "Id":
        found = comparison((Kind.IDENTIFIER, "agent"), OPERATORS[operator], value, 0)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = comparison((Kind.LEVEL, key), OPERATORS[operator], value, 0)
        if operator in ("lessThan", "lessThanOrEqual", "notEqual"):
            # Who does not have the label does not match, while a missing skill is level 0.
            assert not isinstance(found, bool)
            found = conjunction([Compare(Kind.LEVEL, key, ">=", 1), found])
    elif isinstance(value, str | bool):
        found = comparison(attribute(key), OPERATORS[operator], value, 0)
    else:
        raise Untranslatable(0, f"the value {value!r} is no text, number or boolean")
    assert not isinstance(found, bool)
    return found


def read_workers(draft: Draft, tables: Iterable[Table], queues: dict[str, str]) -> None:
    """Add every worker to the draft."""
    for table in tables:
        ident = clean(table.text("id") or table.where)
        if ident in draft.agents:
            draft.notes.left_out(table.where, f"the worker {ident}", "he is in the file before")
            continue
        skills, attributes = _labels(table.raw("labels"), table, draft.notes)
        for queue in table.texts("queues"):
            if queue not in queues:
                draft.notes.left_out(table.at("queues"), queue, "this queue is not in the file")
        groups = tuple(dict.fromkeys(clean(q) for q in table.texts("queues") if q in queues))
        capacity = _capacity(draft, table)
        if capacity is None:
            draft.notes.left_out(table.where, f"the worker {ident}", "he has none of our channels")
        else:
            draft.agents[ident] = Agent(
                id=ident, skills=skills, groups=groups, attributes=attributes, capacity=capacity
            )
        table.ignore("etag", "state", "tags", "offers", "assignedJobs", "loadRatio")
        table.ignore("availableForOffers", "labels")
        table.rest()


def _labels(labels: Any, table: Table, notes: Notes) -> tuple[dict[str, int], dict[str, Attribute]]:
    skills: dict[str, int] = {}
    attributes: dict[str, Attribute] = {}
    for key, value in labels.items() if isinstance(labels, dict) else ():
        if isinstance(value, str | bool):
            attributes[key] = value
        elif isinstance(value, int | float) and 0 <= value <= _MAX_LEVEL and value == int(value):
            if key:
                skills[key] = int(value)
        else:
            notes.left_out(
                table.at("labels"), f"{key} = {value!r}"[:80],
                "a level is a whole number of at least 0",
            )  # fmt: skip
    return skills, attributes


def _capacity(draft: Draft, table: Table) -> str | None:
    """The name of the capacity, or None when none of the worker's channels is one of ours."""
    costs: dict[str, int] = {}
    maxima: dict[str, int] = {}
    for channel in table.tables("channels"):
        word = (channel.text("channelId") or "").lower()
        if word not in set(Channel):
            draft.notes.left_out(
                channel.where, f"the channel {word!r}", "channels have fixed names",
                "rename it to one of them: voice, chat, email, sms, ...",
            )  # fmt: skip
        else:
            costs[word] = channel.integer("capacityCostPerJob", 0, 10**9) or 0
            most = channel.integer("maxNumberOfJobs", 1, 10**6)
            if most is not None:
                maxima[word] = most
        channel.ignore("capacityCostPerJob", "maxNumberOfJobs")
        channel.rest()
    budget = table.integer("capacity", 1, 10**9)
    if not costs and "channels" in table:
        return None
    if not costs:
        table.notes.changed(
            table.where, "no channels", "Azure offers such a worker nothing",
            "any channel, at a cost of 1",
        )  # fmt: skip
    found = Capacity(
        budget=budget or 1,
        costs=costs or {"*": 1},
        maxima=maxima,
        max_open_offers=table.integer("maxConcurrentOffers", 1, 10**6),
    )
    return _kept(draft, found)


def _kept(draft: Draft, capacity: Capacity) -> str:
    """The name of the capacity of that shape; a new one when there is none."""
    for name, known in draft.capacities.items():
        if known == attrs.evolve(capacity, name=name):
            return name
    name = f"capacity {len(draft.capacities) + 1}"
    draft.capacities[name] = attrs.evolve(capacity, name=name)
    return name
