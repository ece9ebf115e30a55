"""The TOML keys of a scenario: what each table may hold and how a key is read.

Scenarios are read and never written back. Durations are seconds in TOML and may be fractions;
moments of the day may also be written ``"08:30"``. A distribution is a number (always that long)
or a table with the name of its kind: ``{ exponential = 180 }``,
``{ lognormal = { mean = 180, cv = 1.2 } }``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import PlanError, UnknownNameError
from ..model import Channel
from ..plan import schema
from ..plan.reading import Key, Place, kind_of, read_table
from . import distributions as dist
from .arrivals import Arrivals, Logged, Poisson, Renewal
from .scenario import Break, ByTime, Next, Retrial, Shift

__all__ = ["AGENTS", "CUSTOMERS", "FAULTS", "FRAME", "GROUP"]

_Reader = Callable[[Any, Place], Any]
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\Z")


def _number(value: object, _place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlanError(f"must be a number, got {kind_of(value)}")
    return value


def _ms(value: object, place: Place) -> float:
    return _number(value, place) * 1000


def _whole_ms(value: object, place: Place) -> int:
    return round(_ms(value, place))


def _integer(value: object, _place: Place) -> int:
    if type(value) is not int:
        raise PlanError(f"must be an integer, got {kind_of(value)}")
    return value


def _text(value: object, _place: Place) -> str:
    if not isinstance(value, str):
        raise PlanError(f"must be a string, got {kind_of(value)}")
    return value


def _boolean(value: object, _place: Place) -> bool:
    if not isinstance(value, bool):
        raise PlanError(f"must be true or false, got {kind_of(value)}")
    return value


def _channel(value: object, place: Place) -> Channel:
    word = _text(value, place)
    try:
        return Channel(word)
    except ValueError:
        raise UnknownNameError("channel", word, [c.value for c in Channel]) from None


def _moment(value: object, place: Place) -> int:
    """A moment of the cycle: seconds, or ``"HH:MM"``."""
    if not isinstance(value, str):
        return _whole_ms(value, place)
    found = _CLOCK.match(value)
    if found is None:
        raise PlanError(f'must be seconds or a time such as "08:30", got {value!r}')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def _many(read: _Reader) -> _Reader:
    """An array whose every entry is read alike."""

    def read_all(value: object, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise PlanError(f"must be an array, got {kind_of(value)}")
        found = [read(entry, place.at(number)) for number, entry in enumerate(value)]
        return tuple(entry for entry in found if entry is not None)

    return read_all


def _by_name(read: _Reader) -> _Reader:
    """A table whose every value is read alike."""

    def read_all(value: object, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise PlanError(f"must be a table, got {kind_of(value)}")
        return {name: read(entry, place.at(name)) for name, entry in value.items()}

    return read_all


def _table(kind: Callable[..., Any], keys: Mapping[str, Key]) -> _Reader:
    return lambda value, place: read_table(kind, value, place, keys)


def _key(attribute: str, read: _Reader, *, required: bool = False) -> Key:
    return Key(attribute, read, str, required)


# --- distributions ----------------------------------------------------------------------


def _distribution(value: object, place: Place) -> Any:
    if not isinstance(value, dict):
        return dist.Deterministic(_ms(value, place))
    return _one_kind(value, place, _KINDS)


def _handle(value: object, place: Place) -> Any:
    """A distribution, or one per time of arrival."""
    if isinstance(value, dict) and list(value) == ["by_time"]:
        return _by_time(value["by_time"], place.at("by_time"))
    return _distribution(value, place)


def _one_kind(value: dict[str, Any], place: Place, kinds: Mapping[str, _Reader]) -> Any:
    for name in value:
        if name not in kinds:
            raise UnknownNameError("kind", name, kinds)
    if len(value) != 1:
        raise PlanError(f"must have exactly one key of: {', '.join(kinds)}")
    ((name, given),) = value.items()
    return kinds[name](given, place.at(name))


def _by_time(value: object, place: Place) -> Any:
    rows = _many(_with("from", _moment, required=True))(value, place)
    return ByTime([start for start, _ in rows], [part for _, part in rows])


def _mixture(value: object, place: Place) -> Any:
    rows = _many(_with("weight", _number, required=False))(value, place)
    weights = [1.0 if weight is None else weight for weight, _ in rows]
    return dist.Mixture([part for _, part in rows], weights)


def _with(extra: str, read: _Reader, *, required: bool) -> _Reader:
    """A distribution's table with one key more: gives (extra value, distribution)."""

    def read_both(value: object, place: Place) -> tuple[Any, Any]:
        if not isinstance(value, dict):
            raise PlanError(f"must be a table, got {kind_of(value)}")
        if required and extra not in value:
            raise PlanError(f"the key {extra!r} is missing")
        rest = {name: given for name, given in value.items() if name != extra}
        found = read(value[extra], place.at(extra)) if extra in value else None
        return found, _one_kind(rest, place, _KINDS)

    return read_both


def _empirical(value: object, place: Place) -> Any:
    keys = {
        "values": _key("values_ms", _many(_ms), required=True),
        "weights": _key("weights", _many(_number)),
    }
    if isinstance(value, dict):
        return read_table(dist.Empirical, value, place, keys)
    return dist.Empirical(_many(_ms)(value, place))


def _uniform(value: object, place: Place) -> Any:
    bounds = _many(_ms)(value, place)
    if len(bounds) != 2:
        raise PlanError("must be an array of two numbers: [low, high]")
    return dist.Uniform(*bounds)


_MEAN = {"mean": _key("mean_ms", _ms, required=True)}
_SHAPE = _MEAN | {"shape": _key("shape", _number, required=True)}

_KINDS: dict[str, _Reader] = {
    "deterministic": lambda value, place: dist.Deterministic(_ms(value, place)),
    "exponential": lambda value, place: dist.Exponential(_ms(value, place)),
    "erlang": _table(dist.Erlang, _MEAN | {"phases": _key("phases", _integer, required=True)}),
    "gamma": _table(dist.Gamma, _SHAPE),
    "lognormal": _table(dist.Lognormal, _MEAN | {"cv": _key("cv", _number, required=True)}),
    "weibull": _table(dist.Weibull, _SHAPE),
    "uniform": _uniform,
    "empirical": _empirical,
    "mixture": _mixture,
}


# --- arrivals ---------------------------------------------------------------------------


def _rates(value: object, place: Place) -> tuple[float, ...]:
    if isinstance(value, list):
        return tuple(_many(_number)(value, place))
    return (_number(value, place),)


_POISSON = {
    "per_hour": _key("per_hour", _rates, required=True),
    "interval_s": _key("interval_ms", _whole_ms),
}


def _arrivals(value: object, place: Place) -> Arrivals | None:
    if isinstance(value, dict) and "every_s" in value:
        return read_table(Renewal, value, place, {"every_s": _key("gap", _distribution)})
    if isinstance(value, dict) and "at_s" in value:
        return read_table(Logged, value, place, {"at_s": _key("at_ms", _many(_ms))})
    if isinstance(value, dict) and "per_hour" not in value and value:
        known = ["per_hour", "interval_s", "every_s", "at_s"]
        raise UnknownNameError("key", next(iter(value)), known)
    return read_table(Poisson, value, place, _POISSON)


# --- the tables -------------------------------------------------------------------------

_FROM_TO = {
    "from": _key("from_ms", _moment, required=True),
    "to": _key("to_ms", _moment, required=True),
}
_SHIFT = _FROM_TO | {"breaks": _key("breaks", _many(_table(Break, _FROM_TO)))}

_RETRIAL = {
    "probability": _key("probability", _number, required=True),
    "delay_s": _key("delay", _distribution, required=True),
    "at_most": _key("at_most", _integer),
}
_NEXT = {
    "customers": _key("customers", _text, required=True),
    "probability": _key("probability", _number),
    "delay_s": _key("delay", _distribution),
}

FRAME = {
    "name": _key("name", _text),
    "plan": _key("plan", _text),
    "duration_s": _key("duration_ms", _whole_ms),
    "warm_up_s": _key("warm_up_ms", _whole_ms),
    "drain": _key("drain", _boolean),
    "cycle_s": _key("cycle_ms", _whole_ms),
    "interval_s": _key("interval_ms", _whole_ms),
    "busyness_cv": _key("busyness_cv", _number),
}

CUSTOMERS = {
    "channel": _key("channel", _channel),
    "queue": _key("queue", _text),
    "to": _key("to", _text),
    "subject": _key("subject", _text),
    "language": _key("language", _text),
    "attributes": schema.AGENT["attributes"],
    "priority": _key("priority", _integer),
    "requirement": _key("requirement", _text),
    "arrivals": _key("arrivals", _arrivals),
    "handle_s": _key("handle", _handle, required=True),
    "patience_s": _key("patience", _handle),
    "balk": _key("balk", _number),
    "wrap_up_s": _key("wrap_up", _distribution),
    "retrial": _key("retrial", _table(Retrial, _RETRIAL)),
    "next": _key("next", _many(_table(Next, _NEXT))),
}

FAULTS = {
    "lost": _key("lost", _number),
    "repeated": _key("repeated", _number),
    "repeat_s": _key("repeat_ms", _whole_ms),
    "late": _key("late", _number),
    "late_s": _key("late_ms", _whole_ms),
    "restarts_per_hour": _key("restarts_per_hour", _number),
    "clock_steps_per_hour": _key("clock_steps_per_hour", _number),
    "clock_step_s": _key("clock_step_ms", _whole_ms),
}

#: How the agents of a group behave.
GROUP = {
    "shifts": _key("shifts", _many(_table(Shift, _SHIFT))),
    "answer_delay_s": _key("answer_delay", _distribution),
    "decline": _key("decline", _number),
    "no_answer": _key("no_answer", _number),
    "pause_s": _key("pause", _distribution),
    "handle_s": _key("handle", _by_name(_distribution)),
    "slow_down": _key("slow_down", _many(_number)),
}

#: Who the agents of a group are: the plan's by id, or so many alike.
AGENTS = {
    "agents": _key("agents", _many(_text)),
    "count": _key("count", _integer),
    "skills": schema.AGENT["skills"],
    "attributes": schema.AGENT["attributes"],
    "capacity": schema.AGENT["capacity"],
}
