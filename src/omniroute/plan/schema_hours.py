"""The TOML keys of business hours; `schema` has those of everything else.

A calendar's text stands in the plan (``ics``) or in a file beside it (``file``). Files are
opened by whoever loads the plan: here is only `Place.files`, a function from the name that
the plan gives to the text. A plan is written back with the text in it, so it stands alone.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ..errors import PlanError
from .calendars import HoursCalendar
from .holidays import Holidays
from .hours import WEEKDAYS, Hours, HoursException
from .intervals import Interval, intervals
from .reading import Key, Place, kind_of, read_table
from .schema import _NAME, _TEXT, _WORD, _same, _text, _texts, written

__all__ = ["CALENDAR", "EXCEPTION", "HOLIDAYS", "HOURS", "write_hours"]


def _intervals(value: object, place: Place) -> tuple[Interval, ...]:
    return intervals(_texts(value, place))


def _write_intervals(values: tuple[Interval, ...]) -> list[str]:
    return list(map(str, values))


def _weekly(value: object, place: Place) -> Any:
    return read_table(dict, value, place, _WEEKLY)


def _write_weekly(weekly: dict[str, tuple[Interval, ...]]) -> dict[str, list[str]]:
    return {day: _write_intervals(parts) for day, parts in weekly.items()}


def _holidays(value: object, place: Place) -> Any:
    if isinstance(value, dict):
        return read_table(Holidays, value, place, HOLIDAYS)
    if not isinstance(value, str):
        raise PlanError(f"must be a string or a table, got {kind_of(value)}")
    country, _, subdivision = value.partition("-")
    return Holidays(country=country, subdivision=subdivision or None)


def _write_holidays(holidays: Holidays) -> Any:
    if holidays.intervals:
        return written(holidays, Holidays(country=holidays.country), HOLIDAYS)
    return "-".join(part for part in (holidays.country, holidays.subdivision) if part)


def _date(value: object, place: Place) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise PlanError(f"must be a date such as 2026-12-24, got {kind_of(value)}")
    return value


def _tables(kind: Any, keys: dict[str, Key]) -> Any:
    def read(value: object, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise PlanError(f"must be an array of tables: write [[{place.path}]]")
        found = [read_table(kind, table, place.at(n), keys) for n, table in enumerate(value)]
        return tuple(table for table in found if table is not None)

    return read


def _write_exceptions(exceptions: tuple[HoursException, ...]) -> list[dict[str, Any]]:
    return [written(e, HoursException(first=e.first), EXCEPTION) for e in exceptions]


def _file(value: object, place: Place) -> str:
    name = _text(value, place)
    if place.files is None:
        raise PlanError("a plan that names files must be loaded from a file; or use `ics`")
    return place.files(name)


def _calendar(
    *, file: str | None = None, ics: str | None = None, during: str = "closed"
) -> HoursCalendar:
    text = ics if file is None else file
    if text is None or (file is not None and ics is not None):
        raise PlanError("give `file` or `ics`, one of them")
    return HoursCalendar(text, during)


def _write_calendars(calendars: tuple[HoursCalendar, ...]) -> list[dict[str, Any]]:
    return [{"ics": calendar.ics, "during": calendar.during.value} for calendar in calendars]


_WEEKLY = {day: Key(day, _intervals, _write_intervals) for day in WEEKDAYS}

HOLIDAYS = {
    "country": Key("country", *_NAME, required=True),
    "subdivision": Key("subdivision", *_NAME),
    "intervals": Key("intervals", _intervals, _write_intervals),
}

EXCEPTION = {
    "date": Key("first", _date, _same, required=True),
    "last": Key("last", _date, _same),
    "intervals": Key("intervals", _intervals, _write_intervals),
}

CALENDAR = {
    "file": Key("file", _file, _same),
    "ics": Key("ics", *_TEXT),
    "during": Key("during", *_WORD),
}

HOURS = {
    "name": Key("name", *_NAME, required=True),
    "time_zone": Key("time_zone", *_NAME),
    "weekly": Key("weekly", _weekly, _write_weekly),
    "holidays": Key("holidays", _holidays, _write_holidays),
    "exceptions": Key("exceptions", _tables(HoursException, EXCEPTION), _write_exceptions),
    "calendars": Key("calendars", _tables(_calendar, CALENDAR), _write_calendars),
}


def write_hours(hours: Hours) -> dict[str, Any]:
    """The TOML table of ``hours``."""
    return written(hours, Hours(name=hours.name), HOURS)
