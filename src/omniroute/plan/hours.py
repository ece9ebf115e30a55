"""Business hours: when work is taken, exact across daylight saving, holidays and exceptions.

The definition
--------------
Hours are a set of wall-clock times, and a moment is open when the clock on the wall in
`Hours.time_zone` then shows one of them. So:

- Hours that fall into a *gap* (the clock is put forward over them) do not take place; hours
  that begin in one begin at the moment the clock jumps.
- Hours in a *fold* (the clock is put back and shows them again) are open both times. Hours
  that end inside a fold therefore end, and begin again when the clock is put back.
- A date that a zone skips (Apia had no 30 December 2011) has no hours.

Which wall-clock times: an interval belongs to the date on which it begins, also when it
ends after midnight. The intervals of a date are those of the last exception that covers
it; else, on a holiday, those of the holidays (none: closed); else those of its weekday.
Calendars come last: events of an "open" one add their time, events of a "closed" one take
theirs away, and closed wins.

How it is fast
--------------
Time is cut into windows of 32 days. The open spans of a window are worked out once, on the
first question, and kept; after that a question is a bisection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, tzinfo
from typing import Any

import attrs

from ..errors import MissingExtraError, PlanError, UnknownNameError
from .calendars import During, HoursCalendar
from .fields import name_text, one_of
from .holidays import Holidays
from .intervals import Interval, intervals
from .spans import DAY_MS, MINUTE_MS, Span, instants, merged, minus, pieces

__all__ = ["LOOK_AHEAD_DAYS", "WEEKDAYS", "Hours", "HoursException"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: How far `Hours.next_change_ms` looks.
LOOK_AHEAD_DAYS = 400

_WINDOW_DAYS = 32
_WINDOW_MS = _WINDOW_DAYS * DAY_MS
_MAX_WINDOWS = 256
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
#: Instants of the years 2 to 9998: a window around them still has dates.
_FIRST_MS = (date(2, 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY_MS
_LAST_MS = (date(9999, 1, 1).toordinal() - _EPOCH_ORDINAL) * DAY_MS - _WINDOW_MS


def _plain_date(instance: object, attribute: attrs.Attribute[date], value: object) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PlanError(f"must be a date, got {value!r}", where=f"HoursException.{attribute.name}")


@attrs.frozen(kw_only=True)
class HoursException:
    """Other intervals (none: closed) for the dates from ``first`` to ``last``, both included."""

    first: date = attrs.field(validator=_plain_date)
    last: date = attrs.field(
        default=attrs.Factory(lambda self: self.first, takes_self=True), validator=_plain_date
    )
    intervals: tuple[Interval, ...] = attrs.field(default=(), converter=intervals)

    def __attrs_post_init__(self) -> None:
        if self.last < self.first:
            raise PlanError(f"the exception ends on {self.last}, before it begins ({self.first})")


def _weekly(table: Mapping[str, Iterable[Interval | str]]) -> dict[str, tuple[Interval, ...]]:
    for name in table:
        if name not in WEEKDAYS:
            raise UnknownNameError("weekday", str(name), WEEKDAYS)
    found = {day: intervals(table[day]) for day in WEEKDAYS if day in table}
    return {day: parts for day, parts in found.items() if parts}


def _zone(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    zone(value)


def zone(name: object) -> tzinfo:
    """The time zone of an IANA name; raises `UnknownNameError` or `MissingExtraError`."""
    import zoneinfo  # late: it costs a plan without hours 10 ms

    try:
        # "localtime" would be another zone on every machine.
        if isinstance(name, str) and name != "localtime":
            return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = zoneinfo.available_timezones()
    if not known:
        raise MissingExtraError("tzdata", "hours", "a time zone, on a machine without their data,")
    raise UnknownNameError("time zone", str(name), known)


def _in_order(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Hours:
    """Named business hours. See the top of this file for what they mean.

    ``weekly`` gives the intervals of each weekday (``mon`` ... ``sun``; a day that is not
    there is closed). Immutable; equal when everything above is.
    """

    name: str = attrs.field(validator=name_text)
    time_zone: str = attrs.field(default="UTC", validator=_zone)
    weekly: Mapping[str, tuple[Interval, ...]] = attrs.field(factory=dict, converter=_weekly)
    holidays: Holidays | None = attrs.field(default=None, validator=one_of(Holidays, type(None)))
    exceptions: tuple[HoursException, ...] = attrs.field(default=(), converter=_in_order)
    calendars: tuple[HoursCalendar, ...] = attrs.field(default=(), converter=_in_order)
    _windows: dict[int, list[int]] = attrs.field(init=False, repr=False, eq=False, factory=dict)

    def is_open(self, at_ms: int) -> bool:
        """Whether ``at_ms`` (ms since the epoch) is inside the hours.

        About 0.3 us, and some hundred microseconds once for each month asked about (with a
        calendar: milliseconds). Before the year 2 and after 9998 nothing is open.
        """
        if not _FIRST_MS <= at_ms < _LAST_MS:
            return False
        return bisect_right(self._edges(at_ms // _WINDOW_MS), at_ms) % 2 == 1

    def next_change_ms(self, at_ms: int) -> int | None:
        """The first moment after ``at_ms`` at which `is_open` is not what it is at ``at_ms``.

        None when there is none within `LOOK_AHEAD_DAYS`: ask again later.
        """
        if not _FIRST_MS <= at_ms < _LAST_MS:
            return None
        window = at_ms // _WINDOW_MS
        edges = self._edges(window)
        index = bisect_right(edges, at_ms)
        is_open = index % 2 == 1
        until_ms = min(at_ms + LOOK_AHEAD_DAYS * DAY_MS, _LAST_MS - 1)
        while True:
            # A span that goes on over the end of a window ends and begins at the same moment.
            for edge in edges[index:]:
                if edge > until_ms:
                    return None
                if self.is_open(edge) is not is_open:
                    return edge
            window += 1
            if window * _WINDOW_MS > until_ms:
                return None
            edges, index = self._edges(window), 0

    @property
    def never_opens(self) -> bool:
        """Whether nothing in here could ever open them."""
        return not (
            any(self.weekly.values())
            or any(exception.intervals for exception in self.exceptions)
            or any(calendar.during is During.OPEN for calendar in self.calendars)
        )

    def intervals_on(self, day: date) -> tuple[Interval, ...]:
        """The intervals that begin on ``day``, calendars aside."""
        for exception in reversed(self.exceptions):
            if exception.first <= day <= exception.last:
                return exception.intervals
        if self.holidays is not None and self.holidays.has(day):
            return self.holidays.intervals
        return self.weekly.get(WEEKDAYS[day.weekday()], ())

    def _edges(self, window: int) -> list[int]:
        """Start and end of each open span of a window, flat and in order."""
        found = self._windows.get(window)
        if found is None:
            if len(self._windows) >= _MAX_WINDOWS:
                self._windows.clear()
            found = [edge for span in self._open_spans(window) for edge in span]
            self._windows[window] = found
        return found

    def _open_spans(self, window: int) -> list[Span]:
        start_ms = window * _WINDOW_MS
        end_ms = start_ms + _WINDOW_MS
        cut = list(pieces(zone(self.time_zone), start_ms, end_ms))
        # Offsets are under a day, and an interval may have begun the day before.
        first = _EPOCH_ORDINAL + start_ms // DAY_MS - 2
        last = _EPOCH_ORDINAL + end_ms // DAY_MS + 1
        opened = list(instants(self._wall(first, last), cut))
        closed: list[Span] = []
        for calendar in self.calendars:
            into = opened if calendar.during is During.OPEN else closed
            for is_wall, span in calendar.spans(date.fromordinal(first), date.fromordinal(last)):
                into += instants([span], cut) if is_wall else [span]
        outside = [(_FIRST_MS - _WINDOW_MS, start_ms), (end_ms, _LAST_MS + _WINDOW_MS)]
        return minus(merged(opened), closed + outside)

    def _wall(self, first: int, last: int) -> Iterator[Span]:
        for ordinal in range(first, last + 1):
            midnight = (ordinal - _EPOCH_ORDINAL) * DAY_MS
            for interval in self.intervals_on(date.fromordinal(ordinal)):
                yield (
                    midnight + interval.start_minute * MINUTE_MS,
                    midnight + interval.end_minute * MINUTE_MS,
                )
