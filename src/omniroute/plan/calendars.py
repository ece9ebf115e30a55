"""Exceptions to business hours from a calendar: iCalendar text (RFC 5545) into spans.

Reading the format and unfolding recurrences is left to `icalendar` and
`recurring-ical-events` (extra ``hours``); this file only asks them for the events of a
stretch of days and keeps the two kinds of time apart: events with a zone are instants,
all-day and floating ones are wall time of whoever reads the calendar.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from ..errors import MissingExtraError, PlanError, UnknownNameError
from .spans import Span

__all__ = ["MAX_A_DAY", "MAX_CALENDAR_TEXT", "MAX_EVENTS", "During", "HoursCalendar"]

#: Bounds on what one calendar may hold.
MAX_CALENDAR_TEXT = 1_000_000
MAX_EVENTS = 5_000
MAX_A_DAY = 1_000

#: Rules that repeat more often than hourly would make millions of events of one line.
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


class During(enum.StrEnum):
    """What the events of a calendar mean."""

    CLOSED = "closed"
    OPEN = "open"


def _during(value: During | str) -> During:
    try:
        return During(value)
    except ValueError:
        raise UnknownNameError("during", str(value), [word.value for word in During]) from None


@attrs.frozen
class HoursCalendar:
    """An iCalendar text whose events close or open the hours.

    ``during`` "closed" (the default) closes during every event, "open" opens. Events that
    are cancelled count for nothing; whether one shows its owner as busy does not matter.
    Checked on construction: raises `PlanError` for a text that is no calendar, that is over
    `MAX_CALENDAR_TEXT`, `MAX_EVENTS` or `MAX_A_DAY`, or repeats more often than hourly, and
    `MissingExtraError` without the extra ``hours``.
    """

    ics: str = attrs.field(repr=False)
    during: During = attrs.field(default=During.CLOSED, converter=_during)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.ics, str):
            raise PlanError(f"must be the text of a calendar, got {self.ics!r}")
        size = len(self.ics)
        if size > MAX_CALENDAR_TEXT:
            raise PlanError(
                f"the calendar has {size} characters, at most {MAX_CALENDAR_TEXT} are allowed"
            )
        _opened(self.ics)

    def spans(self, first: date, last: date) -> Iterator[tuple[bool, Span]]:
        """(is wall time, span in ms) of each event that touches the days, and maybe others."""
        begin = datetime(first.year, first.month, first.day) - _DAY  # noqa: DTZ001
        end = datetime(last.year, last.month, last.day) + 2 * _DAY  # noqa: DTZ001
        for event in _opened(self.ics).between(begin, end):
            if str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            starts, ends = event["DTSTART"].dt, event["DTEND"].dt
            floats = not isinstance(starts, datetime) or starts.tzinfo is None
            yield floats, (_ms(starts), _ms(ends))


def _ms(moment: date | datetime) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


@functools.lru_cache(maxsize=256)
def _opened(ics: str) -> Any:
    """The calendar, ready to be asked. Cached, so that a calendar is a plain value."""
    try:
        import icalendar
        import recurring_ical_events
    except ImportError as error:
        package = error.name or "icalendar"
        raise MissingExtraError(package, "hours", "reading an iCalendar file") from error
    try:
        calendar = icalendar.Calendar.from_ical(ics)
        events = calendar.walk("VEVENT")
        _check(events)
        opened = recurring_ical_events.of(calendar)
        # One look finds what the reader of the format lets pass and the unfolding does not.
        opened.between(datetime(2000, 1, 1), datetime(2000, 1, 2))  # noqa: DTZ001
    except PlanError:
        raise
    except Exception as error:
        # Two libraries and a hostile text: whatever they stumble over, it is no calendar.
        raise PlanError(f"not an iCalendar file: {error}") from error
    return opened


def _check(events: list[Any]) -> None:
    if len(events) > MAX_EVENTS:
        raise PlanError(f"the calendar has {len(events)} events, at most {MAX_EVENTS} are allowed")
    a_day = 0
    for event in events:
        title = str(event.get("SUMMARY", event.get("UID", "")))
        if event.get("DTSTART") is None:
            raise PlanError(f"the event {title!r} of the calendar has no DTSTART")
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            a_day += _times_a_day(rule, title)
    if a_day > MAX_A_DAY:
        raise PlanError(
            f"the calendar's rules make up to {a_day} events a day, at most {MAX_A_DAY} are allowed"
        )


def _times_a_day(rule: Any, title: str) -> int:
    words = {str(word).upper() for word in rule.get("FREQ", [])}
    often = words & _TOO_OFTEN
    if often:
        raise PlanError(
            f"the event {title!r} of the calendar repeats {often.pop().lower()};"
            " hourly is the most often that is allowed"
        )
    parts = [max(1, len(rule.get(key, []))) for key in ("BYHOUR", "BYMINUTE", "BYSECOND")]
    return math.prod(parts) * (24 if "HOURLY" in words else 1)
