"""Workers of Twilio TaskRouter into agents, and what their attributes are called here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ..errors import PlanError
from ..model import Agent
from ..plan.syntax import Kind
from .documents import Notes, Table, read_json
from .draft import Draft, clean
from .language import Key, Untranslatable
from .translation import attribute

__all__ = ["Workers", "read_workers"]

_SKILLS = "routing.skills"
_LEVELS = "routing.levels."
_STATES = frozenset({"activity_name", "activity_sid", "available", "date_status_changed"})
_MAX_LEVEL = 10**6
_MAX_DEPTH = 20


@attrs.define
class Workers:
    """Which worker has which id."""

    by_name: dict[str, str] = attrs.field(factory=dict)

    def field(self, name: str, key: Key) -> tuple[Kind, str]:
        """The field of a worker's attribute; raises `Untranslatable` when it has none."""
        if name == "sid":
            return Kind.IDENTIFIER, "agent"
        if name == "friendly_name":
            raise Untranslatable(key.position, "agents are asked for by id", "agent == ...")
        if name in _STATES or name.startswith("channel."):
            raise Untranslatable(
                key.position,
                f"{name} is a state of the moment",
                "presence and capacity are kept by the router itself",
            )
        if name == _SKILLS:
            return Kind.NAMES, "skills"
        if name.startswith(_LEVELS):
            return Kind.LEVEL, name.removeprefix(_LEVELS)
        return attribute(name)


def read_workers(draft: Draft, top: Table) -> Workers:
    """Add every worker of the file to the draft as an agent."""
    found = Workers()
    for table in top.tables("workers"):
        ident = table.text("sid") or table.text("friendly_name")
        if ident is None:
            draft.notes.left_out(table.where, "a worker", "it has neither sid nor friendly_name")
            continue
        name = table.text("friendly_name") or ""
        found.by_name[name] = ident
        given = table.raw("attributes") or {}
        try:
            given = read_json(given) if isinstance(given, str) else given
        except PlanError as error:
            draft.notes.left_out(table.at("attributes"), "attributes", error.message)
            given = {}
        if ident not in draft.agents:
            held = dict(_flat(given)) if isinstance(given, dict) else {}
            draft.agents[ident] = _agent(ident, clean(name), held, table, draft.notes)
        table.ignore("activity_name", "activity_sid", "available", "workspace_sid", "account_sid")
        table.ignore("date_created", "date_updated", "date_status_changed", "url", "links")
        table.rest()
    return found


def _agent(ident: str, name: str, held: dict[str, Any], table: Table, notes: Notes) -> Agent:
    where = table.at("attributes")
    skills: dict[str, int] = {}
    attributes: dict[str, Any] = {}
    named = held.pop(_SKILLS, ())
    for skill in named if isinstance(named, list) else ():
        if isinstance(skill, str) and skill:
            skills[skill] = 1
        else:
            notes.left_out(where, f"the skill {skill!r}"[:80], "a skill has a name")
    for key, value in held.items():
        if key.startswith(_LEVELS) and _is_level(value):
            skills[key.removeprefix(_LEVELS)] = value
        elif isinstance(value, str | bool) or _is_integer(value):
            attributes[key] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            attributes[key] = tuple(value)
        else:
            what = f"{key} = {value!r}"
            notes.left_out(where, what[:80], "attributes are texts, whole numbers, booleans"
                           " and arrays of texts")  # fmt: skip
    return Agent(id=ident, name=name, skills=skills, attributes=attributes)


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict) and prefix.count(".") < _MAX_DEPTH:
            yield from _flat(inner, f"{prefix}{key}.")
        elif inner is not None and f"{prefix}{key}":
            yield f"{prefix}{key}", inner


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def _is_level(value: object) -> bool:
    return _is_integer(value) and isinstance(value, int) and 0 <= value <= _MAX_LEVEL
