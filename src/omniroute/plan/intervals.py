"""Parts of a day, as business hours are written: ``09:00-17:30``, ``22:00-06:00``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import attrs

from ..errors import PlanError

__all__ = ["Interval", "intervals"]

_TEXT = re.compile(r"([0-9]{2}):([0-5][0-9])-([0-9]{2}):([0-5][0-9])")
_DAY_MINUTES = 24 * 60


@attrs.frozen(order=True)
class Interval:
    """Part of a day: minutes after midnight; ``end_minute`` may be of the next day.

    Written ``09:00-17:30``; an end before the start (``22:00-06:00``) is of the next day,
    and ``00:00-24:00`` is the whole day. At most 24 hours.
    """

    start_minute: int
    end_minute: int

    def __attrs_post_init__(self) -> None:
        start, end = self.start_minute, self.end_minute
        if not (0 <= start < _DAY_MINUTES and start < end <= start + _DAY_MINUTES):
            raise PlanError(f"an interval cannot go from minute {start} to minute {end}")

    @classmethod
    def of(cls, text: object) -> Interval:
        """The interval that a text says; raises `PlanError` when it says none."""
        if isinstance(text, Interval):
            return text
        found = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise PlanError(f"must be an interval such as '09:00-17:30', got {text!r}")
        start = int(found[1]) * 60 + int(found[2])
        end = int(found[3]) * 60 + int(found[4])
        if start >= _DAY_MINUTES or end > _DAY_MINUTES:
            raise PlanError(f"{text!r}: a day goes from 00:00 to 24:00")
        if start == end:
            raise PlanError(f"{text!r} is empty; the whole day is '00:00-24:00'")
        return cls(start, end if end > start else end + _DAY_MINUTES)

    def __str__(self) -> str:
        end = self.end_minute - (_DAY_MINUTES if self.end_minute > _DAY_MINUTES else 0)
        start = self.start_minute
        return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def intervals(values: Iterable[Interval | str]) -> tuple[Interval, ...]:
    """The intervals of one day in order; raises `PlanError` when two of them overlap."""
    if isinstance(values, str):
        raise PlanError(f"must be a sequence of intervals, got the text {values!r}")
    found = tuple(sorted(Interval.of(value) for value in values))
    for one, after in itertools.pairwise(found):
        if after.start_minute < one.end_minute:
            raise PlanError(f"the intervals {one} and {after} overlap")
    return found
