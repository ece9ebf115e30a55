"""Hours of operation of Amazon Connect, with their overrides, into business hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from ..errors import UsageError
from ..plan import Hours, HoursException, Interval
from ..plan.hours import WEEKDAYS
from .documents import Table
from .draft import Draft, clean

__all__ = ["read_hours"]

_DAYS = dict(
    zip(
        ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"),
        WEEKDAYS,
        strict=True,
    )
)
_MAX_OVERRIDE_DAYS = 400


def read_hours(draft: Draft, top: Table) -> dict[str, str]:
    """Add every hours of operation to the draft; gives their names by id."""
    found: dict[str, str] = {}
    for table in top.tables("HoursOfOperations"):
        ident = table.text("HoursOfOperationId") or table.text("Id") or table.text("Name")
        name = draft.free_name(clean(table.text("Name") or ident or "hours"), draft.hours)
        table.ignore("HoursOfOperationArn", "HoursOfOperationId", "Id", "Description", "Tags")
        table.ignore("LastModifiedTime", "LastModifiedRegion")
        zone = table.text("TimeZone") or "UTC"
        weekly = _weekly(table)
        exceptions = [e for o in table.tables("Overrides", "HoursOfOperationOverrideList")
                      for e in _exceptions(draft, o)]  # fmt: skip
        table.rest()
        try:
            hours = Hours(name=name, time_zone=zone, weekly=weekly, exceptions=exceptions)
        except UsageError as error:
            draft.notes.left_out(table.where, f"the hours {name}", str(error))
            continue
        if hours.never_opens:
            draft.notes.left_out(table.where, f"the hours {name}", "they are never open")
            continue
        draft.hours[name] = hours
        if ident is not None:
            found[ident] = name
    return found


def _weekly(table: Table) -> dict[str, list[Interval]]:
    found: dict[str, list[Interval]] = {}
    for config in table.tables("Config"):
        day = _DAYS.get(config.text("Day") or "")
        interval = _interval(config)
        if day is None or interval is None:
            config.notes.left_out(config.where, "an interval", "it has no Day, or no times")
        elif _fits(interval, found.setdefault(day, [])):
            found[day].append(interval)
        else:
            config.notes.left_out(config.where, str(interval), "it overlaps one before it")
    return found


def _fits(interval: Interval, others: list[Interval]) -> bool:
    return all(
        interval.end_minute <= other.start_minute or other.end_minute <= interval.start_minute
        for other in others
    )


def _interval(config: Table) -> Interval | None:
    """The same start and end is a whole day; an end at or before the start is of the next."""
    minutes = []
    for key in ("StartTime", "EndTime"):
        time = config.table(key)
        hours = time.integer("Hours", 0, 23) if time else None
        if time is None or hours is None:
            return None
        minutes.append(hours * 60 + (time.integer("Minutes", 0, 59) or 0))
    start, end = minutes
    return Interval(start, end if end > start else end + 24 * 60)


def _exceptions(draft: Draft, table: Table) -> Iterator[HoursException]:
    """An override is a range of dates with hours by weekday: an exception a date."""
    weekly = _weekly(table)
    table.ignore("Name", "Description", "HoursOfOperationOverrideId", "HoursOfOperationId")
    table.ignore("HoursOfOperationArn", "OverrideType")
    recurrence = table.raw("RecurrenceConfig")
    texts = [table.text("EffectiveFrom"), table.text("EffectiveTill")]
    table.rest()
    try:
        first, last = (date.fromisoformat((text or "")[:10]) for text in texts)
    except ValueError:
        draft.notes.left_out(table.where, "an override", "it has no EffectiveFrom and -Till")
        return
    days = (last - first).days
    if recurrence or not 0 <= days < _MAX_OVERRIDE_DAYS:
        why = "it recurs" if recurrence else f"it is not of 1 to {_MAX_OVERRIDE_DAYS} days"
        draft.notes.left_out(table.where, "an override", why, "exceptions, date by date")
        return
    for number in range(days + 1):
        day = first + timedelta(days=number)
        yield HoursException(first=day, intervals=weekly.get(WEEKDAYS[day.weekday()], ()))
