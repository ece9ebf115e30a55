"""TOML text into a `Scenario`: all faults of a file are found in one go."""

from __future__ import annotations

import os
import pathlib
import tomllib
from collections.abc import Mapping
from typing import Any

from ..errors import PlanError, UnknownNameError, UsageError
from ..model import Agent
from ..plan import Plan
from ..plan import load as load_plan
from ..plan.reading import Key, Place, kind_of, read_table
from ..plan.resolve import joined
from .reading import AGENTS, CUSTOMERS, FAULTS, FRAME, GROUP
from .scenario import AgentGroup, CustomerKind, Faults, Scenario

__all__ = ["load", "loads"]

_TABLES = ("scenario", "customers", "groups", "faults")


def load(path: str | os.PathLike[str], plan: Plan | None = None) -> Scenario:
    """The scenario in a TOML file; the plan it names is looked for beside it.

    ``plan`` takes the place of the plan that the file names. Raises `OSError` when a file cannot
    be read, else as `loads`.
    """
    file = pathlib.Path(path)
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise PlanError("not UTF-8", where=os.fspath(path)) from error
    return loads(text, os.fspath(path), plan=plan, folder=file.parent)


def loads(
    text: str,
    where: str = "<string>",
    *,
    plan: Plan | None = None,
    folder: str | os.PathLike[str] = ".",
) -> Scenario:
    """The scenario that TOML ``text`` describes; the plan's path is relative to ``folder``.

    Raises `PlanError` or `UnknownNameError` naming the file, the key path, what is allowed and the
    nearest match; several faults come as one `PlanError` that lists them.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanError(f"not valid TOML: {error}", where=where) from error
    place = Place(where)
    for name in document:
        if name not in _TABLES:
            place.add(UnknownNameError("key", name, _TABLES))
    header, at = document.get("scenario", {}), place.at("scenario")
    frame: dict[str, Any] | None = read_table(dict, header, at, FRAME)
    customers = _tables(document, "customers", place)
    groups = _tables(document, "groups", place)
    kinds = [read_table(CustomerKind, v, p, CUSTOMERS, name=n) for n, v, p in customers]
    crews = [_group(*group) for group in groups]
    faults = None
    if "faults" in document:
        faults = read_table(Faults, document["faults"], place.at("faults"), FAULTS)
    if frame is not None and plan is None:
        if "plan" in frame:
            plan = load_plan(pathlib.Path(folder) / frame["plan"])
        else:
            at.add("the key 'plan' is missing")
    if place.faults:
        raise joined(place.faults, where=where)
    assert frame is not None
    assert plan is not None
    frame.pop("plan", None)
    try:
        return Scenario(
            **frame,
            plan=plan,
            customers=[kind for kind in kinds if kind is not None],
            groups=[crew for crew in crews if crew is not None],
            faults=faults,
        )
    except UnknownNameError as error:
        inner = f"{where}: {error.where}"
        raise UnknownNameError(error.kind, error.name, error.allowed, where=inner) from None
    except PlanError as error:
        raise PlanError(str(error), where=where) from None


def _tables(
    document: Mapping[str, Any], name: str, place: Place
) -> list[tuple[str, object, Place]]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        place.at(name).add(f"must be a table, got {kind_of(value)}")
        return []
    return [(key, entry, place.at(name).at(key)) for key, entry in value.items()]


def _group(name: str, value: object, place: Place) -> AgentGroup | None:
    keys: dict[str, Key] = {**AGENTS, **GROUP}
    found: dict[str, Any] | None = read_table(dict, value, place, keys)
    if found is None:
        return None
    behaviour = {key.attribute: found[key.attribute] for key in GROUP.values()
                 if key.attribute in found}  # fmt: skip
    try:
        return AgentGroup(name=name, agents=_agents(name, found), **behaviour)
    except UsageError as error:
        place.add(error)
        return None


def _agents(name: str, found: Mapping[str, Any]) -> list[Agent | str]:
    """The plan's agents by id, or as many alike as the group counts."""
    alike = {key: found[key] for key in ("skills", "attributes", "capacity") if key in found}
    if "agents" in found:
        if alike or "count" in found:
            raise PlanError("agents of the plan are as the plan says: give only their ids")
        return list(found["agents"])
    count = found.get("count", 0)
    if count < 1:
        raise PlanError("needs 'agents', ids of the plan's agents, or 'count', at least 1")
    numbers = range(1, count + 1)
    return [Agent(id=f"{name}-{number}", groups=(name,), **alike) for number in numbers]
