"""The TOML keys of what a plan says of what comes in; `schema` has those of everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UnknownNameError, UsageError
from .inbound import DEFAULT_DISPOSITIONS, DEFAULT_SENDER_MAXIMA, DispositionPolicy
from .reading import Key, Place
from .schema import (
    _DURATION,
    _INTEGER,
    _NAME,
    _TEXTS,
    _WORD,
    _integers,
    _word_or_table,
)

__all__ = ["IDENTITY", "SENDER_RATE", "read_dispositions", "write_dispositions"]

_POLICY = {
    "action": Key("action", *_WORD, required=True),
    "queue": Key("queue", *_NAME),
}

_read_policy, _ = _word_or_table(DispositionPolicy, "action", _POLICY)

#: A disposition: one word, or a table of an action and a queue.
_DISPOSITION = Key("", _read_policy, str)


def read_dispositions(value: Mapping[str, Any], place: Place) -> dict[str, DispositionPolicy]:
    """``[dispositions]``: the policies that it names."""
    found: dict[str, DispositionPolicy] = {}
    for name, given in value.items():
        here = place.at(name)
        if name not in DEFAULT_DISPOSITIONS:
            place.add(UnknownNameError("disposition", name, DEFAULT_DISPOSITIONS))
            continue
        try:
            policy = _DISPOSITION.read(given, here)
        except UsageError as error:
            here.add(error)
            continue
        if policy is not None:
            found[name] = policy
    return found


def write_dispositions(table: Mapping[str, DispositionPolicy]) -> dict[str, Any]:
    """The policies that differ from the defaults, as TOML values."""
    changed = {n: p for n, p in table.items() if p != DEFAULT_DISPOSITIONS[n]}
    return {
        name: policy.action.value
        if policy.queue is None
        else {"action": policy.action.value, "queue": policy.queue}
        for name, policy in changed.items()
    }


def _write_maxima(maxima: Mapping[str, int]) -> dict[str, int]:
    return {n: m for n, m in maxima.items() if DEFAULT_SENDER_MAXIMA.get(n) != m}


SENDER_RATE = {
    "window_s": Key("window_ms", *_DURATION),
    "maxima": Key("maxima", _integers, _write_maxima),
    "max_senders": Key("max_senders", *_INTEGER),
}

IDENTITY = {
    "link_by": Key("link_by", *(_TEXTS[0], lambda rules: [rule.value for rule in rules])),
    "attributes": Key("attributes", *_TEXTS),
    "default_region": Key("default_region", *_NAME),
    "max_customers": Key("max_customers", *_INTEGER),
}
