"""Reading a parsed TOML table by a table of its keys, collecting every fault on the way.

A `Place` is where the reader is (file and key path) and where faults go. A reader turns
one TOML value into one field; it raises a `UsageError`, which `read_table` files under
the key, so that one bad key never hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import attrs

from ..errors import ExpressionError, PlanError, UnknownNameError, UsageError

__all__ = ["Key", "Place", "kind_of", "located", "quoted_key", "quoted_text", "read_table"]

_T = TypeVar("_T")

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@attrs.frozen
class Place:
    """A key path in a file. ``skills`` are the plan's skill names, None when it has none.

    ``files`` gives the text of a file that the plan names; None where none may be opened.
    """

    file: str
    path: str = ""
    faults: list[UsageError] = attrs.field(factory=list)
    skills: Collection[str] | None = None
    files: Callable[[str], str] | None = None

    @property
    def where(self) -> str:
        """The place as error messages name it."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def at(self, key: str | int) -> Place:
        """The place of a key or an index inside this one."""
        if isinstance(key, int):
            return attrs.evolve(self, path=f"{self.path}[{key}]")
        shown = quoted_key(key)
        return attrs.evolve(self, path=f"{self.path}.{shown}" if self.path else shown)

    def add(self, fault: UsageError | str) -> None:
        """Record a fault at this place."""
        error = PlanError(fault) if isinstance(fault, str) else fault
        self.faults.append(located(error, self.where))


@attrs.frozen
class Key:
    """One key of a TOML table: the field it fills, how it is read and written back."""

    attribute: str
    read: Callable[[Any, Place], Any]
    write: Callable[[Any], Any]
    required: bool = False


def quoted_key(key: str) -> str:
    """A TOML key, quoted where it must be."""
    return key if key and _BARE.issuperset(key) else quoted_text(key)


def quoted_text(text: str) -> str:
    """A TOML basic string."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character < " " or character == "\x7f":
        return f"\\u{ord(character):04x}"
    return character


def located(error: UsageError, where: str) -> UsageError:
    """The same error at another place."""
    if isinstance(error, UnknownNameError):
        return UnknownNameError(error.kind, error.name, error.allowed, where=where)
    if isinstance(error, ExpressionError):
        return ExpressionError(error.reason, error.source, error.position, where=where)
    if isinstance(error, PlanError):
        return PlanError(error.message, where=where, faults=error.faults)
    return error


def read_table(
    kind: Callable[..., _T], value: object, place: Place, keys: Mapping[str, Key], **given: Any
) -> _T | None:
    """A ``kind`` from the TOML table ``value``, or None when ``place`` got faults for it.

    ``given`` are fields that stand outside the table, such as a name. The validators of
    an attrs class run key by key, so that each key reports its own fault.
    """
    before = len(place.faults)
    if not isinstance(value, dict):
        place.add(f"must be a table, got {kind_of(value)}")
        return None
    for name in value:
        if name not in keys:
            place.faults.append(UnknownNameError("key", name, keys, where=place.where))
    fields = attrs.fields_dict(kind) if isinstance(kind, type) and attrs.has(kind) else {}
    arguments = dict(given)
    for name, key in keys.items():
        if name not in value:
            if key.required:
                place.add(f"the key {name!r} is missing")
            continue
        inner = place.at(name)
        try:
            mark = len(place.faults)
            found = key.read(value[name], inner)
            if len(place.faults) == mark and key.attribute in fields:
                _validate(fields[key.attribute], found)
            arguments[key.attribute] = found
        except UsageError as error:
            inner.add(error)
    if len(place.faults) > before:
        return None
    try:
        return kind(**arguments)
    except UsageError as error:
        place.add(error)
        return None


def _validate(field: attrs.Attribute[Any], value: Any) -> None:
    convert: Any = field.converter
    converted = convert(value) if convert is not None else value
    if field.validator is not None:
        field.validator(None, field, converted)


def kind_of(value: object) -> str:
    """What a TOML value is, in TOML's words."""
    names = {bool: "a boolean", int: "an integer", str: "a string", list: "an array"}
    if isinstance(value, dict):
        return "a table"
    return names.get(type(value), f"{value}")
