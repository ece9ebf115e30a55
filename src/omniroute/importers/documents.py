"""Reading a vendor's JSON: bounded, and nothing in it is passed over in silence.

A `Table` remembers which of its keys were asked for; `Table.rest` reports the others. A
value of an unexpected type is reported and counts as absent, since half a configuration
with a list of what is wrong helps more than none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from ..errors import PlanError
from .report import Gap, Loss

__all__ = ["MAX_TEXT", "Notes", "Table", "checked_text", "read_json"]

#: Characters of one configuration file.
MAX_TEXT = 4_000_000

_MAX_GAPS = 10_000


@attrs.define
class Notes:
    """Where gaps are collected."""

    gaps: list[Gap] = attrs.field(factory=list)

    def left_out(self, where: str, what: str, why: str, nearest: str = "") -> None:
        """Something that the plan does not say."""
        self._add(Gap(Loss.LEFT_OUT, where, what, why, nearest))

    def changed(self, where: str, what: str, why: str, nearest: str = "") -> None:
        """Something that the plan says in another way."""
        self._add(Gap(Loss.CHANGED, where, what, why, nearest))

    def _add(self, gap: Gap) -> None:
        if gap not in self.gaps[-50:]:
            self.gaps.append(gap)
        if len(self.gaps) > _MAX_GAPS:
            raise PlanError(f"more than {_MAX_GAPS} things of this file have no equivalent")


def checked_text(text: str) -> str:
    """The text, without a byte order mark; raises `PlanError` when it cannot be one."""
    if len(text) > MAX_TEXT:
        raise PlanError(f"the file has {len(text)} characters, at most {MAX_TEXT} are allowed")
    return text.removeprefix("\N{BYTE ORDER MARK}")


def read_json(text: str) -> Any:
    """The document; raises `PlanError` when it is no JSON."""
    try:
        found = json.loads(checked_text(text), parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise PlanError("the JSON is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise PlanError("the JSON holds half a character (a lone surrogate)") from error
    except ValueError as error:
        raise PlanError(f"not JSON: {error}") from error
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


class Table:
    """One JSON object, where it stands, and which of its keys were asked for."""

    def __init__(self, value: dict[str, Any], where: str, notes: Notes) -> None:
        self.value = value
        self.where = where
        self.notes = notes
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return self.value.get(key) is not None

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.where}.{key}" if self.where else key

    def text(self, key: str) -> str | None:
        """A text that is not empty; a number counts as its digits."""
        found = self._get(key)
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
        if found is not None and not isinstance(found, str):
            self._wrong(key, "a text")
            return None
        return found.strip() or None if found is not None else None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """A whole number between the bounds, also written as a text or as 5.0."""
        found = self.number(key)
        if found is None:
            return None
        if found != int(found) or not low <= found <= high:
            self._wrong(key, f"a whole number from {low} to {high}")
            return None
        return int(found)

    def number(self, key: str) -> float | None:
        """A number, also written as a text."""
        found = self._get(key)
        if isinstance(found, str):
            try:
                found = float(found)
            except ValueError:
                self._wrong(key, "a number")
                return None
        if found is None or found == "":
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            self._wrong(key, "a number")
            return None
        if not -1e15 < found < 1e15:  # no infinity, nothing that milliseconds could not hold
            self._wrong(key, "a number of reasonable size")
            return None
        return found

    def flag(self, key: str) -> bool | None:
        """True or false."""
        found = self._get(key)
        if found is not None and not isinstance(found, bool):
            self._wrong(key, "true or false")
            return None
        return found

    def table(self, key: str) -> Table | None:
        """An object inside this one."""
        found = self._get(key)
        if found is None:
            return None
        if not isinstance(found, dict):
            self._wrong(key, "an object")
            return None
        return Table(found, self.at(key), self.notes)

    def tables(self, *keys: str) -> Iterator[Table]:
        """The objects of an array under the first of ``keys`` that is there."""
        key = next((key for key in keys if key in self), keys[0])
        found = self._get(key)
        if found is not None and not isinstance(found, list):
            self._wrong(key, "an array")
            found = None
        for number, item in enumerate(found or ()):
            where = f"{self.at(key)}[{number}]"
            if isinstance(item, dict):
                yield Table(item, where, self.notes)
            else:
                self.notes.left_out(where, _shown(item), "it is not an object")

    def texts(self, key: str) -> list[str]:
        """The texts of an array."""
        found = self._get(key)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            self._wrong(key, "an array of texts")
            return []
        return found

    def raw(self, key: str) -> Any:
        """The value as it is."""
        return self._get(key)

    def ignore(self, *keys: str) -> None:
        """Keys that say nothing about routing: names for people, addresses, tags."""
        self._asked.update(keys)

    def rest(self, why: str = "this key is not known here") -> None:
        """Report every key that nobody asked for."""
        for key, value in self.value.items():
            if key not in self._asked and value not in (None, "", [], {}):
                self.notes.left_out(self.at(key), _shown(value), why)

    def _get(self, key: str) -> Any:
        self._asked.add(key)
        return self.value.get(key)

    def _wrong(self, key: str, wanted: str) -> None:
        shown = _shown(self.value[key])
        self.notes.left_out(self.at(key), shown, f"it should be {wanted}")


def _shown(value: Any) -> str:
    # Of an object only the keys: keys and secrets of services may be in it.
    if isinstance(value, dict):
        return f"an object with {', '.join(value) or 'nothing'}"[:80]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
