"""TOML text into a `Plan`: all faults of a file are found in one go.

The order matters only where one table needs the names of another: skills first, since
expressions are checked against them. A table that did not load still lends its name, so
that one fault does not cause others.
"""

from __future__ import annotations

import os
import pathlib
import re
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ..errors import PlanError, UnknownNameError, UsageError
from ..model import Agent
from . import resolve, schema, schema_hours
from .calendars import MAX_CALENDAR_TEXT
from .fields import MAX_INTEGER
from .hours import Hours
from .inbound import Identity, SenderRate, disposition_table, faults_of_dispositions
from .model import Capacity, Limits, Plan, Queue, Scorer, Skill, TriageRule
from .reading import Place, kind_of, read_table
from .schema_capacity import CAPACITY
from .schema_inbound import IDENTITY, SENDER_RATE, read_dispositions

__all__ = ["load", "loads"]

_TABLES = ("plan", "skills", "agents", "capacities", "queues", "triage", "limits", "hours")
_INBOUND_TABLES = ("dispositions", "sender_rate", "identity")
_LINE = re.compile(r"\(at line (\d+), column \d+\)$")


def load(path: str | os.PathLike[str], *, scorers: Mapping[str, Scorer] | None = None) -> Plan:
    """The plan in a TOML file; see `loads`. Raises `OSError` when it cannot be read."""
    where = os.fspath(path)
    data = pathlib.Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PlanError("not UTF-8", where=f"{where}, line {line}") from error
    return loads(text, where, _files_beside(pathlib.Path(path)), scorers=scorers)


def _files_beside(plan: pathlib.Path) -> Callable[[str], str]:
    def read(name: str) -> str:
        try:
            with (plan.parent / name).open("rb") as file:
                data = file.read(4 * MAX_CALENDAR_TEXT + 1)
        except (OSError, ValueError) as error:
            raise PlanError(f"cannot read {name!r}: {error}") from error
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PlanError(f"{name!r} is not UTF-8") from error

    return read


def loads(
    text: str,
    where: str = "<string>",
    files: Callable[[str], str] | None = None,
    *,
    scorers: Mapping[str, Scorer] | None = None,
) -> Plan:
    """The plan that TOML ``text`` describes; ``where`` names it in errors.

    ``files`` gives the text of a file that the plan names (calendars of business hours);
    `load` looks beside the plan. Without it such a name is a fault. ``scorers`` are the
    functions that its queues name as ``scorer``.

    Raises `PlanError`, `UnknownNameError` or `ExpressionError` naming the file, the key
    path, what is allowed and the nearest match; several faults come as one `PlanError`
    that lists them, with each in its ``faults``.
    """
    return _Loader(_parse(text, where), Place(where, files=files), scorers or {}).plan()


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError as error:
        raise PlanError("arrays or tables are nested too deeply", where=where) from error
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise PlanError(f"not valid TOML: {error}", where=f"{where}, line {line}") from error
    except ValueError as error:
        # The interpreter's bound on the digits of one integer.
        raise PlanError("not valid TOML: an integer has too many digits", where=where) from error


class _Loader:
    """One document on its way to a plan; each method reads one top-level table."""

    def __init__(
        self, document: dict[str, Any], place: Place, scorers: Mapping[str, Scorer]
    ) -> None:
        self.document = document
        self.scorers = scorers
        self.faults = place.faults
        self.root = place
        for name in document:
            if name not in (*_TABLES, *_INBOUND_TABLES):
                place.add(UnknownNameError("key", name, (*_TABLES, *_INBOUND_TABLES)))
        self.skills = self.read_skills()
        self.root = attrs.evolve(place, skills=self.skills or None)
        self.capacity_names = list(self.table("capacities")) or ["default"]
        self.queue_names = list(self.table("queues"))
        tables = (table for table in self.array("hours") if isinstance(table, dict))
        self.hours_names = [table["name"] for table in tables if "name" in table]
        self.limits = read_table(
            Limits, self.table("limits"), self.root.at("limits"), schema.LIMITS
        )
        self.bounds = self.limits or Limits(max_priority=MAX_INTEGER)

    def plan(self) -> Plan:
        parts: dict[str, Any] = {
            **self.read_header(),
            "skills": self.skills,
            "capacities": self.read_capacities(),
            "queues": self.read_queues(),
            "agents": self.read_agents(),
            "triage": self.read_triage(),
            "limits": self.limits,
            "scorers": self.scorers,
            "hours": self.read_hours(),
        }
        parts.update(self.read_inbound())
        if self.faults:
            raise resolve.joined(self.faults, where=self.root.file)
        try:
            return Plan(**parts)
        except PlanError as error:
            raise PlanError(error.message, where=self.root.file, faults=error.faults) from None

    def table(self, name: str) -> Mapping[str, Any]:
        value = self.document.get(name, {})
        if isinstance(value, dict):
            return value
        self.root.at(name).add(f"must be a table, got {kind_of(value)}")
        self.document[name] = {}
        return {}

    def array(self, name: str) -> list[Any]:
        value = self.document.get(name, [])
        if isinstance(value, list):
            return value
        self.root.at(name).add(f"must be an array of tables: write [[{name}]]")
        return []

    def read_header(self) -> dict[str, str]:
        place = self.root.at("plan")
        header: dict[str, str] | None = read_table(dict, self.table("plan"), place, schema.PLAN)
        return header or {}

    def read_skills(self) -> dict[str, Skill]:
        place = self.root.at("skills")
        found: dict[str, Skill] = {}
        for name, value in self.table("skills").items():
            skill = schema.read_skill(name, value, place.at(name))
            found[name] = skill or Skill(name or "?", MAX_INTEGER)
        return found

    def read_capacities(self) -> list[Capacity | None]:
        place = self.root.at("capacities")
        return [
            read_table(Capacity, value, place.at(name), CAPACITY, name=name)
            for name, value in self.table("capacities").items()
        ]

    def read_queues(self) -> list[Queue]:
        found: list[Queue] = []
        for name, value in self.table("queues").items():
            here = self.root.at("queues").at(name)
            queue = read_table(Queue, value, here, schema.QUEUE, name=name)
            if queue is not None:
                found.append(queue)
                self.faults += resolve.faults_of_queue(queue, self.skills, self.bounds, here.where)
                self.faults += resolve.faults_of_hours(queue, self.hours_names, here.where)
                self.faults += resolve.faults_of_overflow(queue, self.queue_names, here.where)
        return found

    def read_hours(self) -> dict[str, Hours]:
        place = self.root.at("hours")
        found: dict[str, Hours] = {}
        for number, value in enumerate(self.array("hours")):
            hours = read_table(Hours, value, place.at(number), schema_hours.HOURS)
            if hours is not None and hours.name in found:
                place.at(number).at("name").add(f"hours {hours.name!r} are defined already")
            elif hours is not None:
                found[hours.name] = hours
        return found

    def read_inbound(self) -> dict[str, Any]:
        policies = read_dispositions(self.table("dispositions"), self.root.at("dispositions"))
        try:
            policies = dict(disposition_table(policies))
        except UsageError as error:
            self.root.at("dispositions").add(error)
        self.faults += faults_of_dispositions(policies, self.queue_names, f"{self.root.file}: ")
        rate, identity = self.root.at("sender_rate"), self.root.at("identity")
        return {
            "dispositions": policies,
            "sender_rate": read_table(SenderRate, self.table("sender_rate"), rate, SENDER_RATE),
            "identity": read_table(Identity, self.table("identity"), identity, IDENTITY),
        }

    def read_agents(self) -> dict[str, Agent]:
        place = self.root.at("agents")
        found: dict[str, Agent] = {}
        first: dict[str, int] = {}
        for number, value in enumerate(self.array("agents")):
            here = place.at(number)
            agent = read_table(Agent, value, here, schema.AGENT)
            if agent is None:
                continue
            if agent.id in found:
                here.at("id").add(f"agent {agent.id!r} is agents[{first[agent.id]}] already")
            found[agent.id] = agent
            first.setdefault(agent.id, number)
            self.faults += resolve.faults_of_agent(
                agent, self.skills, self.capacity_names, here.where
            )
        return found

    def read_triage(self) -> list[TriageRule]:
        place = self.root.at("triage")
        found: list[TriageRule] = []
        for number, value in enumerate(self.array("triage")):
            here = place.at(number)
            rule = read_table(TriageRule, value, here, schema.RULE)
            if rule is not None:
                found.append(rule)
                self.faults += resolve.faults_of_rule(
                    rule, self.queue_names, self.skills, self.bounds, here.where
                )
        return found
