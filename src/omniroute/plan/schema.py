"""The TOML keys of a plan: for each table, what it may hold and how a key is read and written.

This is the one place that knows the file format: the loader, `dumps` and the reference
page are all held to it. Durations are seconds in TOML, perhaps decimal (``offer_timeout_s
= 0.5``), and become integer milliseconds exactly or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ..errors import PlanError, UnknownNameError
from .expression import Names, Scope, parse
from .fields import is_integer
from .model import (
    Accelerating,
    Access,
    Callback,
    HeadStart,
    LastAgent,
    NewestFirst,
    Refusal,
    ServiceLevel,
    Skill,
    Step,
    Strict,
    WrapUp,
)
from .overflow import Overflow
from .reading import Key, Place, kind_of, read_table
from .resolve import faults_of_ladder

__all__ = [
    "ACCESS",
    "AGENT",
    "LIMITS",
    "OVERFLOW",
    "PLAN",
    "QUEUE",
    "RULE",
    "STEP",
    "read_skill",
    "written",
]

#: Seconds that still are a duration: 10 million years of milliseconds.
_MAX_DIGITS = 12

Reader = Callable[[Any, Place], Any]


# --- single values ----------------------------------------------------------------------


def _text(value: object, place: Place) -> str:
    if not isinstance(value, str):
        raise PlanError(f"must be a string, got {kind_of(value)}")
    return value


def _name(value: object, place: Place) -> str:
    if not _text(value, place):
        raise PlanError("must not be empty")
    return str(value)


def _integer(value: object, place: Place) -> int:
    if not is_integer(value):
        raise PlanError(f"must be an integer, got {kind_of(value)}")
    return value


def _boolean(value: object, place: Place) -> bool:
    if not isinstance(value, bool):
        raise PlanError(f"must be true or false, got {kind_of(value)}")
    return value


def _texts(value: object, place: Place) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise PlanError("must be an array of strings")
    return tuple(value)


def _seconds(minimum_ms: int) -> Reader:
    """A reader: seconds, whole or decimal, into whole milliseconds."""

    def read(value: object, place: Place) -> int:
        if not is_integer(value) and not isinstance(value, Decimal):
            raise PlanError(f"must be a number of seconds, got {kind_of(value)}")
        duration_ms = _milliseconds(Decimal(value), value)
        if duration_ms < minimum_ms:
            least = "more than 0" if minimum_ms == 1 else "at least 0"
            raise PlanError(f"must be {least} seconds, got {value}")
        return duration_ms

    return read


def _milliseconds(seconds: Decimal, shown: object) -> int:
    # By digits, not by arithmetic: a decimal context rounds, and 1e999999 must not be built.
    if not seconds.is_finite():
        raise PlanError(f"must be a number of seconds, got {shown}")
    if not seconds:
        return 0
    if seconds.adjusted() >= _MAX_DIGITS:
        raise PlanError(f"{shown} seconds is too long")
    sign, digits, exponent = seconds.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    power = int(exponent) + len(digits) - len(text) + 3
    if power < 0:
        raise PlanError(f"{shown} seconds is not a whole number of milliseconds")
    whole = int(text + "0" * power)
    return -whole if sign else whole


def _expression(scope: Scope) -> Reader:
    def read(value: object, place: Place) -> Any:
        return parse(_text(value, place), scope, names=Names(skills=place.skills))

    return read


def _attributes(value: object, place: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"must be a table, got {kind_of(value)}")
    found: dict[str, Any] = {}
    for name, given in value.items():
        if isinstance(given, str | bool | int):
            found[name] = given
        elif isinstance(given, list) and all(isinstance(v, str) for v in given):
            found[name] = tuple(given)
        else:
            place.at(name).add("must be a string, an integer, a boolean or an array of strings")
    return found


def _integers(value: object, place: Place) -> dict[str, int]:
    if not isinstance(value, dict):
        raise PlanError(f"must be a table, got {kind_of(value)}")
    for name, given in value.items():
        if not is_integer(given):
            place.at(name).add(f"must be an integer, got {kind_of(given)}")
    return value


# --- writing them back ------------------------------------------------------------------


def _same(value: Any) -> Any:
    return value


def _in_seconds(duration_ms: int) -> int | Decimal:
    whole, rest = divmod(duration_ms, 1000)
    return Decimal(duration_ms) / 1000 if rest else whole


def _plain_text(value: object) -> str:
    return str(value)


# --- values that are a word or a table --------------------------------------------------


def _order(value: object, place: Place) -> Any:
    if isinstance(value, dict):
        if "rate_percent" in value or "max_points" in value:
            return read_table(Accelerating, value, place, _ACCELERATING)
        return read_table(HeadStart, value, place, _HEAD_START)
    words = {
        "head_start": HeadStart(),
        "strict": Strict(),
        "newest_first": NewestFirst(),
        "accelerating": Accelerating(),
    }
    if not isinstance(value, str):
        names = ", ".join(f'"{word}"' for word in words)
        raise PlanError(f"must be {names} or a table, got {kind_of(value)}")
    if value not in words:
        raise UnknownNameError("order", value, words)
    return words[value]


def _write_order(order: Any) -> Any:
    if isinstance(order, Strict):
        return "strict"
    if isinstance(order, NewestFirst):
        return "newest_first"
    if isinstance(order, Accelerating):
        table = written(order, Accelerating(), _ACCELERATING)
        if "max_points" not in table:  # one of the two says which order it is
            table["rate_percent"] = order.rate_percent
        return table
    return {"seconds_per_point": _in_seconds(order.ms_per_point)}


def _word_or_table(kind: Any, word: str, keys: Mapping[str, Key]) -> tuple[Reader, Any]:
    """Reader and writer of a table that may be given as the one word it begins with."""

    def read(value: object, place: Place) -> Any:
        if isinstance(value, dict):
            return read_table(kind, value, place, keys)
        if not isinstance(value, str):
            raise PlanError(f"must be a string or a table, got {kind_of(value)}")
        return kind(**{keys[word].attribute: value})

    def write(value: Any) -> Any:
        default = kind()
        table = written(value, default, keys)
        return table[word] if len(table) == 1 else table

    return read, write


def _table(kind: Any, keys: Mapping[str, Key]) -> tuple[Reader, Any]:
    """Reader and writer of a table whose keys all have defaults."""

    def read(value: object, place: Place) -> Any:
        return read_table(kind, value, place, keys)

    def write(value: Any) -> Any:
        return written(value, kind(), keys)

    return read, write


def _ladder(value: object, place: Place) -> tuple[Step, ...]:
    if not isinstance(value, list):
        raise PlanError(f"must be an array of tables: write [[{place.path}]]")
    before = len(place.faults)
    steps = [read_table(Step, table, place.at(n), STEP) for n, table in enumerate(value)]
    found = tuple(step for step in steps if step is not None)
    if len(place.faults) == before:
        for number, fault in faults_of_ladder(found):
            place.at(number).add(fault)
    return found


def _access(value: object, place: Place) -> tuple[Access, ...]:
    if not isinstance(value, list):
        raise PlanError(f"must be an array of tables: write [[{place.path}]]")
    rows = [read_table(Access, table, place.at(n), ACCESS) for n, table in enumerate(value)]
    return tuple(row for row in rows if row is not None)


def _overflow(value: object, place: Place) -> tuple[Overflow, ...]:
    if not isinstance(value, list):
        raise PlanError(f"must be an array of tables: write [[{place.path}]]")
    rules = [read_table(Overflow, table, place.at(n), OVERFLOW) for n, table in enumerate(value)]
    return tuple(rule for rule in rules if rule is not None)


def _write_overflow(rules: tuple[Overflow, ...]) -> list[dict[str, Any]]:
    return [written(rule, Overflow(), OVERFLOW) for rule in rules]


def _write_access(rows: tuple[Access, ...]) -> list[dict[str, Any]]:
    return [written(row, Access(), ACCESS) for row in rows]


def _write_ladder(ladder: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [written(step, Step(), STEP) for step in ladder]


def written(value: object, default: object, keys: Mapping[str, Key]) -> dict[str, Any]:
    """The TOML table of ``value``: required keys, and those that differ from ``default``."""
    return {
        name: key.write(found)
        for name, key in keys.items()
        if (found := getattr(value, key.attribute)) != getattr(default, key.attribute)
        or key.required
    }


# --- the tables -------------------------------------------------------------------------

_AGENTS = (_expression(Scope.AGENT), _plain_text)
_MESSAGES = (_expression(Scope.MESSAGE), _plain_text)
_QUEUES = (_expression(Scope.QUEUE), _plain_text)
_TEXT = (_text, _same)
_NAME = (_name, _same)
_WORD = (_text, _plain_text)
_INTEGER = (_integer, _same)
_BOOLEAN = (_boolean, _same)
_TEXTS = (_texts, list)
_DURATION = (_seconds(1), _in_seconds)
_DURATION_OR_NONE = (_seconds(0), _in_seconds)

_HEAD_START = {"seconds_per_point": Key("ms_per_point", *_DURATION_OR_NONE, required=True)}

_ACCELERATING = {
    "seconds_per_point": Key("ms_per_point", *_DURATION),
    "rate_percent": Key("rate_percent", *_INTEGER),
    "max_points": Key("max_points", *_INTEGER),
}

OVERFLOW = {
    "when": Key("when", *_QUEUES),
    "queue": Key("queue", *_NAME),
    "priority": Key("priority", *_INTEGER),
    "requirement": Key("requirement", *_AGENTS),
    "open_access": Key("open_access", *_BOOLEAN),
    "reject": Key("reject", *_TEXT),
    "hint": Key("hint", *_TEXT),
}


_REFUSAL = {
    "rule": Key("rule", *_WORD, required=True),
    "after_s": Key("after_ms", *_DURATION),
    "overflow": Key("overflow", *_table(Overflow, OVERFLOW)),
}

_WRAP_UP = {
    "kind": Key("kind", *_WORD, required=True),
    "duration_s": Key("duration_ms", *_DURATION_OR_NONE),
    "max_extension_s": Key("max_extension_ms", *_DURATION_OR_NONE),
    "own_queue_only": Key("own_queue_only", *_BOOLEAN),
}

_CALLBACK = {
    "max_attempts": Key("max_attempts", *_INTEGER),
    "retry_s": Key("retry_ms", *_DURATION),
    "pace_s": Key("pace_ms", *_DURATION_OR_NONE),
}

_LAST_AGENT = {
    "within_s": Key("within_ms", *_DURATION),
    "for_s": Key("for_ms", *_DURATION),
}

_SERVICE_LEVEL = {
    "percent": Key("percent", *_INTEGER),
    "target_s": Key("target_ms", *_DURATION_OR_NONE),
    "short_abandon_s": Key("short_abandon_ms", *_DURATION_OR_NONE),
}

PLAN = {"name": Key("name", *_NAME)}

STEP = {
    "requirement": Key("requirement", *_AGENTS),
    "for_s": Key("for_ms", *_DURATION),
    "until_s": Key("until_ms", *_DURATION),
    "drop": Key("drop", *_TEXTS),
    "skip_if_nobody": Key("skip_if_nobody", *_BOOLEAN),
    "only_if": Key("only_if", *_QUEUES),
    "overflow": Key("overflow", *_table(Overflow, OVERFLOW)),
    "priority": Key("priority", *_INTEGER),
}

ACCESS = {
    "agents": Key("agents", *_AGENTS),
    "tier": Key("tier", *_INTEGER),
    "after_s": Key("after_ms", *_DURATION_OR_NONE),
}

QUEUE = {
    "members": Key("members", *_AGENTS),
    "order": Key("order", _order, _write_order),
    "strategy": Key("strategy", *_WORD),
    "scorer": Key("scorer", *_NAME),
    "tier": Key("tier", *_INTEGER),
    "access": Key("access", _access, _write_access),
    "share": Key("share", *_INTEGER),
    "priority": Key("priority", *_INTEGER),
    "delivery": Key("delivery", *_WORD),
    "offers": Key("offers", *_INTEGER),
    "auto_accept": Key("auto_accept", *_BOOLEAN),
    "offer_timeout_s": Key("offer_timeout_ms", *_DURATION),
    "on_expiry": Key("on_expiry", *_WORD),
    "refusal": Key("refusal", *_word_or_table(Refusal, "rule", _REFUSAL)),
    "on_requeue": Key("on_requeue", *_WORD),
    "wrap_up": Key("wrap_up", *_word_or_table(WrapUp, "kind", _WRAP_UP)),
    "service_level": Key("service_level", *_table(ServiceLevel, _SERVICE_LEVEL)),
    "max_waiting": Key("max_waiting", *_INTEGER),
    "max_per_agent": Key("max_per_agent", *_INTEGER),
    "max_wait_s": Key("max_wait_ms", *_DURATION),
    "return_s": Key("return_ms", *_DURATION),
    "last_agent": Key("last_agent", *_table(LastAgent, _LAST_AGENT)),
    "callback": Key("callback", *_table(Callback, _CALLBACK)),
    "codes": Key("codes", *_TEXTS),
    "overflow": Key("overflow", _overflow, _write_overflow),
    "hours": Key("hours", *_NAME),
    "ladder": Key("ladder", _ladder, _write_ladder),
}

RULE = {
    "queue": Key("queue", *_NAME, required=True),
    "split": Key("split", _integers, _same),
    "when": Key("when", *_MESSAGES),
    "priority": Key("priority", *_INTEGER),
    "requirement": Key("requirement", *_AGENTS),
    "match_language": Key("match_language", *_BOOLEAN),
}

AGENT = {
    "id": Key("id", *_NAME, required=True),
    "name": Key("name", *_TEXT),
    "skills": Key("skills", _integers, _same),
    "groups": Key("groups", *_TEXTS),
    "attributes": Key("attributes", _attributes, _same),
    "capacity": Key("capacity", *_NAME),
    "wrap_up_s": Key("wrap_up_ms", *_DURATION_OR_NONE),
}

LIMITS = {
    "max_priority": Key("max_priority", *_INTEGER),
    "max_waiting": Key("max_waiting", *_INTEGER),
    "max_offers": Key("max_offers", *_INTEGER),
    "max_messages": Key("max_messages", *_INTEGER),
    "max_agents": Key("max_agents", *_INTEGER),
    "max_lanes": Key("max_lanes", *_INTEGER),
    "max_set_aside": Key("max_set_aside", *_INTEGER),
    "max_last_agents": Key("max_last_agents", *_INTEGER),
    "max_payload_bytes": Key("max_payload_bytes", *_INTEGER),
    "max_mail_bytes": Key("max_mail_bytes", *_INTEGER),
    "dedupe_s": Key("dedupe_ms", *_DURATION),
    "max_dedupe_keys": Key("max_dedupe_keys", *_INTEGER),
    "interval_s": Key("interval_ms", *_DURATION),
    "max_intervals": Key("max_intervals", *_INTEGER),
    "max_groups": Key("max_groups", *_INTEGER),
}

_SKILL = {"max_level": Key("max_level", *_INTEGER)}


def read_skill(name: str, value: object, place: Place) -> Skill | None:
    """One entry of ``[skills]``: its highest level, or a table with ``max_level``."""
    if isinstance(value, dict):
        return read_table(Skill, value, place, _SKILL, name=name)
    try:
        return Skill(name, _integer(value, place))
    except PlanError as error:
        place.add(error)
        return None
