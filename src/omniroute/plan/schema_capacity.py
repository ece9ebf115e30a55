"""The TOML keys of a capacity; `schema` has those of everything else."""

from __future__ import annotations

from ..errors import PlanError
from .reading import Key, Place, kind_of
from .schema import _BOOLEAN, _INTEGER, _integers, _same, _texts

__all__ = ["CAPACITY"]


def _lists(value: object, place: Place) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise PlanError(f"must be a table, got {kind_of(value)}")
    found: dict[str, tuple[str, ...]] = {}
    for name, given in value.items():
        try:
            found[name] = _texts(given, place)
        except PlanError as error:
            place.at(name).add(error)
    return found


CAPACITY = {
    "budget": Key("budget", *_INTEGER),
    "costs": Key("costs", _integers, _same),
    "maxima": Key("maxima", _integers, _same),
    "interruptible_by": Key("interruptible_by", _lists, _same),
    "interruptible_budget": Key("interruptible_budget", *_INTEGER),
    "interruptible_costs": Key("interruptible_costs", _integers, _same),
    "interruptible_when_full": Key("interruptible_when_full", *_BOOLEAN),
    "max_open_offers": Key("max_open_offers", *_INTEGER),
}
