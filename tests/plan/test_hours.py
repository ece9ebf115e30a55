"""Business hours mean what the clock on the wall says: the fast way beside a naive one."""
# ruff: noqa: DTZ001 - a clock on the wall shows naive times

import copy
import itertools
import pickle
import sys
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import _zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.errors import MissingExtraError, PlanError, UnknownNameError
from omniroute.plan import Holidays, Hours, HoursCalendar, HoursException, Interval
from omniroute.plan.hours import LOOK_AHEAD_DAYS, WEEKDAYS
from omniroute.plan.spans import DAY_MS, pieces

DATA = Path(__file__).parents[1] / "data" / "icalendar"
MINUTE_MS = 60_000

#: Zones, each with moments (UTC) at which something odd happens to its clock.
ODD = {
    "Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00", "1945-05-24T00:00"],
    "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00", "1883-11-18T17:00"],
    "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],  # half an hour
    "Pacific/Apia": ["2011-12-30T10:00"],  # 30 December 2011 did not exist
    "Pacific/Kwajalein": ["1993-08-21T12:00"],
    "Asia/Manila": ["1844-12-31T16:00"],
    "America/St_Johns": ["2006-10-29T02:31", "2006-04-02T03:31"],  # changed at 00:01
    "America/Sao_Paulo": ["2018-11-04T03:00", "2019-02-17T02:00"],  # at midnight
    "Africa/Freetown": ["1939-09-01T12:00", "1939-09-05T12:00"],  # four days apart
    "Europe/Amsterdam": ["1937-06-30T23:40", "1916-05-01T00:00"],  # +00:19:32
    "Africa/Monrovia": ["1972-01-07T00:44"],
    "Asia/Kathmandu": ["1985-12-31T18:30"],
    "Antarctica/Troll": ["2026-03-29T01:00"],  # two hours
    "UTC": ["2026-12-31T23:00", "1970-01-01T00:00"],
}
MOMENTS = [(name, moment) for name, moments in ODD.items() for moment in moments]


def daily(*parts):
    return dict.fromkeys(WEEKDAYS, parts)


def ms(text):
    return (
        datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    ) // (timedelta(milliseconds=1))


def wall(at_ms, name):
    """What the clock on the wall shows, as a naive datetime."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.astimezone(zoneinfo.ZoneInfo(name)).replace(tzinfo=None)


def naive(hours, at_ms, events=()):
    """The definition, word for word. ``events``: (during, floats, start, end) beside them."""
    shown = wall(at_ms, hours.time_zone)
    utc = datetime(1970, 1, 1) + timedelta(milliseconds=at_ms)
    found = False
    for day in (shown.date(), shown.date() - timedelta(days=1)):
        intervals = hours.weekly.get(WEEKDAYS[day.weekday()], ())
        for exception in hours.exceptions:
            if exception.first <= day <= exception.last:
                intervals = exception.intervals
        since = (shown - datetime(day.year, day.month, day.day)) / timedelta(minutes=1)
        found |= any(i.start_minute <= since < i.end_minute for i in intervals)
    during = [what for what, floats, a, b in events if a <= (shown if floats else utc) < b]
    return (found or "open" in during) and "closed" not in during


texts = st.builds(
    lambda start, end: f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}",
    st.integers(0, 1439),
    st.integers(0, 1440),
)


def is_right(parts):
    try:
        Hours(name="x", weekly={"mon": parts})
    except PlanError:
        return False
    return True


days = st.lists(texts, max_size=3).filter(is_right)


@st.composite
def worlds(draw):
    """Hours, a moment where the zone is odd, and events written both ways."""
    name, moment = draw(st.sampled_from(MOMENTS))
    at = datetime.fromisoformat(moment)
    near = st.integers(-3, 3).map(lambda n: (at + timedelta(days=n)).date())
    exceptions = [
        HoursException(
            first=first, last=first + timedelta(days=draw(st.integers(0, 2))), intervals=i
        )
        for first, i in draw(st.lists(st.tuples(near, days), max_size=2))
    ]
    events = draw(
        st.lists(
            st.builds(
                lambda during, floats, start, length: (
                    during,
                    floats,
                    at + timedelta(minutes=start),
                    at + timedelta(minutes=start + length),
                ),
                st.sampled_from(["closed", "open"]),
                st.booleans(),
                st.integers(-2000, 2000),
                st.integers(1, 1500),
            ),
            max_size=2,
        )
    )
    hours = Hours(
        name="h",
        time_zone=name,
        weekly=draw(st.dictionaries(st.sampled_from(WEEKDAYS), days, max_size=7)),
        exceptions=exceptions,
        calendars=[HoursCalendar(ics(event(*e[1:])), e[0]) for e in events],
    )
    return hours, ms(moment), events


def ics(*events):
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t//EN", *events, "END:VCALENDAR", ""]
    )


def event(floats, start, end, *more):
    zone = "" if floats else "Z"
    lines = [f"DTSTART:{start:%Y%m%dT%H%M%S}{zone}", f"DTEND:{end:%Y%m%dT%H%M%S}{zone}", *more]
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{start}", *lines, "END:VEVENT"])


@given(worlds())
def test_every_minute_is_as_the_definition_says(world):
    hours, moment, events = world
    for at_ms in range(moment - DAY_MS, moment + DAY_MS, 7 * MINUTE_MS):
        assert hours.is_open(at_ms) == naive(hours, at_ms, events), (at_ms, str(hours))
    for at_ms in range(moment - 90 * MINUTE_MS, moment + 90 * MINUTE_MS, MINUTE_MS):
        assert hours.is_open(at_ms) == naive(hours, at_ms, events), (at_ms, str(hours))


@given(worlds(), st.integers(-3 * DAY_MS, 3 * DAY_MS), st.integers(0, 10**6))
def test_the_next_change_is_the_first(world, away, inside):
    hours, moment, events = world
    at_ms = moment + away
    before = naive(hours, at_ms, events)
    for _ in range(4):
        change = hours.next_change_ms(at_ms)
        if change is None:
            return
        assert change > at_ms
        assert naive(hours, change, events) is not before
        assert naive(hours, change - 1, events) is before
        for part in range(1, 200):
            between = at_ms + (change - at_ms) * part // 200
            assert naive(hours, between, events) is before
        at_ms, before = change, not before


@given(worlds())
def test_walking_the_changes_meets_what_every_minute_says(world):
    """No change is skipped, none is double, over the edges of the windows too."""
    hours, moment, _ = world
    changes, at_ms = [], moment - 40 * DAY_MS
    while (at_ms := hours.next_change_ms(at_ms)) is not None and at_ms < moment + 40 * DAY_MS:
        changes.append(at_ms)
    for one, after in itertools.pairwise(changes):
        assert hours.is_open(one) is not hours.is_open(after)
        assert hours.is_open(after - 1) is hours.is_open(one)


@pytest.mark.parametrize("name", ODD)
def test_no_change_of_offset_is_missed(name):
    """Against every transition that the zone's own data lists."""
    start, end = ms("1830-01-01T00:00"), ms("2037-01-01T00:00")
    listed = _zoneinfo.ZoneInfo.no_cache(name)
    found = list(pieces(zoneinfo.ZoneInfo(name), start, end))
    assert [a[1] for a in found[:-1]] == [b[0] for b in found[1:]]
    assert found[0][0] == start
    assert found[-1][1] == end
    assert all(a[2] != b[2] for a, b in itertools.pairwise(found))
    moved, offset = [], found[0][2]
    for at_s, info in zip(listed._trans_utc, listed._ttinfos, strict=True):
        if info.utcoff // timedelta(milliseconds=1) != offset and start < at_s * 1000 < end:
            offset = info.utcoff // timedelta(milliseconds=1)
            moved.append(at_s * 1000)
    assert moved or name == "UTC"
    assert [piece[0] for piece in found[1:]] == moved


# --- by hand ----------------------------------------------------------------------------


def spans(hours, start, end):
    """The open spans between two UTC moments, as texts."""
    found, at_ms = [], ms(start) - 1
    while (at_ms := hours.next_change_ms(at_ms)) is not None and at_ms <= ms(end):
        found.append(f"{datetime.fromtimestamp(at_ms / 1000, UTC):%m-%dT%H:%M}")
    return found


CASES = {
    "a gap swallows hours, and opens what began in it when the clock jumps": (
        {"time_zone": "Europe/Berlin", "weekly": {"sun": ["02:00-02:45", "02:50-04:00"]}},
        ("2026-03-29T00:00", "2026-03-29T23:00"),
        ["03-29T01:00", "03-29T02:00"],
    ),
    "a fold is open both times": (
        {"time_zone": "Europe/Berlin", "weekly": {"sun": ["02:15-02:45"]}},
        ("2026-10-25T00:00", "2026-10-25T23:00"),
        ["10-25T00:15", "10-25T00:45", "10-25T01:15", "10-25T01:45"],
    ),
    "a fold of half an hour": (
        {"time_zone": "Australia/Lord_Howe", "weekly": {"sun": ["01:45-02:30"]}},
        ("2026-04-04T12:00", "2026-04-05T12:00"),
        ["04-04T14:45", "04-04T15:00", "04-04T15:15", "04-04T16:00"],
    ),
    "the skipped date has no hours": (
        {"time_zone": "Pacific/Apia", "weekly": {"thu": ["20:00-23:00"], "fri": ["09:00-17:00"], "sat": ["09:00-12:00"]}},
        ("2011-12-29T12:00", "2011-12-31T12:00"),
        ["12-30T06:00", "12-30T09:00", "12-30T19:00", "12-30T22:00"],
    ),
    "an interval over midnight belongs to the date on which it begins": (
        {"weekly": {"thu": ["22:00-02:00"], "fri": ["22:00-02:00"]},
         "exceptions": [HoursException(first=date(2026, 1, 2))]},
        ("2026-01-01T12:00", "2026-01-04T12:00"),
        ["01-01T22:00", "01-02T02:00"],
    ),
    "whole days are one span": (
        {"weekly": daily("00:00-24:00"),
         "exceptions": [HoursException(first=date(2026, 3, 4), intervals=["00:00-08:00"])]},
        ("2026-01-02T00:00", "2026-06-01T00:00"),
        ["03-04T08:00", "03-05T00:00"],
    ),
    "the last exception that covers a date counts": (
        {"weekly": {"mon": ["09:00-17:00"]},
         "exceptions": [
             HoursException(first=date(2026, 1, 1), last=date(2026, 1, 20)),
             HoursException(first=date(2026, 1, 12), intervals=["10:00-11:00"]),
         ]},
        ("2026-01-01T00:00", "2026-01-26T12:00"),
        ["01-12T10:00", "01-12T11:00", "01-26T09:00"],
    ),
    "holidays close, by subdivision, and an exception opens again": (
        {"time_zone": "Europe/Berlin", "weekly": daily("09:00-10:00"),
         "holidays": Holidays(country="DE", subdivision="BE"),
         "exceptions": [HoursException(first=date(2026, 5, 1), intervals=["12:00-13:00"])]},
        ("2026-03-07T00:00", "2026-03-09T12:00"),  # 8 March: a holiday in Berlin only
        ["03-07T08:00", "03-07T09:00", "03-09T08:00", "03-09T09:00"],
    ),
    "holidays with hours of their own": (
        {"weekly": daily("09:00-10:00"),
         "holidays": Holidays(country="US", intervals=["12:00-13:00"])},
        ("2026-12-24T00:00", "2026-12-26T00:00"),
        ["12-24T09:00", "12-24T10:00", "12-25T12:00", "12-25T13:00"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", CASES)
def test_by_hand(claim):
    fields, (start, end), expected = CASES[claim]
    assert spans(Hours(name="h", **fields), start, end) == expected


def test_nothing_within_the_look_ahead_is_none_and_what_is_just_inside_is_found():
    at = ms("2026-01-01T00:00")
    assert Hours(name="never").next_change_ms(at) is None
    assert Hours(name="never").never_opens
    edge = date(2026, 1, 1) + timedelta(days=LOOK_AHEAD_DAYS)
    one = Hours(name="once", exceptions=[HoursException(first=edge, intervals=["00:00-01:00"])])
    assert one.next_change_ms(at) == at + LOOK_AHEAD_DAYS * DAY_MS
    assert one.next_change_ms(at - 1) is None
    assert not one.never_opens


@pytest.mark.parametrize("at_ms", [-(2**53), 2**53, -62135596800000, 253402300800000, -(10**30)])
def test_outside_the_calendar_nothing_is_open(at_ms):
    hours = Hours(name="h", weekly=daily("00:00-24:00"))
    assert not hours.is_open(at_ms)
    assert hours.next_change_ms(at_ms) is None


def test_the_first_and_the_last_years_do_not_break():
    hours = Hours(name="h", time_zone="Pacific/Apia", weekly={"mon": ["09:00-10:00"]})
    for text in ("0002-01-02T00:00", "9998-11-28T00:00"):
        hours.is_open(ms(text))
        hours.next_change_ms(ms(text))


def test_equal_hours_are_equal_whatever_was_asked():
    one, other = (Hours(name="h", weekly={"mon": ["09:00-17:00"]}) for _ in range(2))
    assert one.is_open(ms("2026-01-05T10:00"))
    assert one == other
    assert one == Hours(name="h", weekly={"tue": [], "mon": [Interval(540, 1020)]})


@given(st.integers(0, 1439), st.integers(1, 1440))
def test_an_interval_is_read_back(start, length):
    interval = Interval(start, start + length)
    if length < 1440 or start == 0:
        assert Interval.of(str(interval)) == interval


SIXTY = ",".join(map(str, range(60)))
WRONG = {
    "9:00-17:00": lambda: Interval.of("9:00-17:00"),
    "got 5": lambda: Interval.of(5),
    "from 00:00 to 24:00": lambda: Interval.of("09:00-24:01"),
    "is empty": lambda: Interval.of("09:00-09:00"),
    "from minute 5 to minute 5": lambda: Interval(5, 5),
    "overlap": lambda: Hours(name="h", weekly={"mon": ["09:00-12:00", "11:00-13:00"]}),
    "sequence of intervals": lambda: Hours(name="h", weekly={"mon": "09:00-12:00"}),
    "before it begins": lambda: HoursException(first=date(2026, 1, 2), last=date(2026, 1, 1)),
    "must be a date": lambda: HoursException(first=datetime(2026, 1, 1)),
    "unknown weekday 'mo'.*'mon'": lambda: Hours(name="h", weekly={"mo": []}),
    "unknown time zone 'Europe/Berln'.*'Europe/Berlin'": lambda: Hours(name="h", time_zone="Europe/Berln"),
    "unknown time zone 'localtime'": lambda: Hours(name="h", time_zone="localtime"),
    "unknown time zone '../etc/passwd'": lambda: Hours(name="h", time_zone="../etc/passwd"),
    "unknown country 'XX'": lambda: Holidays(country="XX"),
    "unknown subdivision of DE 'ZZ'": lambda: Holidays(country="DE", subdivision="ZZ"),
    "unknown during 'opne'.*'open'": lambda: HoursCalendar(ics(), "opne"),
    "not an iCalendar": lambda: HoursCalendar("hello"),
    "has no DTSTART": lambda: HoursCalendar(ics("BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT")),
    "repeats secondly": lambda: HoursCalendar(
        ics(event(True, datetime(2026, 1, 1), datetime(2026, 1, 2), "RRULE:FREQ=SECONDLY"))
    ),
    "up to 1440 events a day": lambda: HoursCalendar(
        ics(
            event(True, datetime(2026, 1, 1), datetime(2026, 1, 2), f"RRULE:FREQ=HOURLY;BYMINUTE={SIXTY}")
        )
    ),
    "text of a calendar": lambda: HoursCalendar(["x"]),
    "characters, at most": lambda: HoursCalendar("x" * 1_000_001),
    "events, at most": lambda: HoursCalendar(
        ics(*(event(True, datetime(2026, 1, 1), datetime(2026, 1, 2)) for _ in range(5001)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("says", WRONG)
def test_what_is_wrong_is_said(says):
    with pytest.raises((PlanError, UnknownNameError), match=says):
        WRONG[says]()


@given(st.text(max_size=200) | st.text("BEGIN:VCALENDARDTST;=\r\n0123T-", max_size=200))
def test_any_text_is_a_calendar_or_a_plan_error(text):
    for given_text in (text, ics("BEGIN:VEVENT\r\n" + text + "\r\nEND:VEVENT")):
        try:
            calendar = HoursCalendar(given_text)
        except PlanError:
            continue
        Hours(name="h", calendars=[calendar]).is_open(0)


@pytest.mark.parametrize(
    ("package", "build"),
    [
        ("holidays", lambda: Holidays(country="DE")),
        # Texts that no other test has: what was read once is kept.
        ("icalendar", lambda: HoursCalendar(ics("X-A:1"))),
        ("recurring_ical_events", lambda: HoursCalendar(ics("X-B:1"))),
    ],
)
def test_a_missing_extra_is_named(package, build, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"omniroute\[hours\]"):
        build()


def test_no_time_zone_data_is_a_missing_extra(monkeypatch):
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(MissingExtraError, match="tzdata"):
        Hours(name="h", time_zone="Nowhere/Land")


# --- calendars as programs export them --------------------------------------------------

EXPORTED = {
    # file: during, zone, from, to, the changes
    "weekly_meeting.ics": (
        "closed", "Europe/Berlin", "2026-03-23T00:00", "2026-04-12T00:00",
        # Tuesdays 10:00-11:00 in Berlin, one left out, one cancelled; once Wednesday 14:00
        ["03-24T08:00", "03-24T09:00", "03-24T10:00", "03-24T16:00",
         "03-25T08:00", "03-25T16:00",
         "03-31T07:00", "03-31T15:00",
         "04-01T07:00", "04-01T12:00", "04-01T13:00", "04-01T15:00",
         "04-07T07:00", "04-07T15:00",
         "04-08T07:00", "04-08T15:00"],
    ),
    "company_holidays.ics": (
        "closed", "America/New_York", "2026-12-21T00:00", "2026-12-31T23:00",
        # Tuesdays and Wednesdays 09:00-17:00, the week of Christmas closed all day
        ["12-22T14:00", "12-22T22:00", "12-23T14:00", "12-23T22:00", "12-30T14:00", "12-30T22:00"],
    ),
    "on_call.ics": (
        "open", "Asia/Kolkata", "2026-01-03T00:00", "2026-01-05T00:00",
        # beside Tuesday and Wednesday: Saturday night 20:00-02:00 UTC by the calendar
        ["01-03T20:00", "01-04T02:00"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_calendar(name):
    during, time_zone, start, end, expected = EXPORTED[name]
    hours = Hours(
        name="h",
        time_zone=time_zone,
        weekly={"tue": ["09:00-17:00"], "wed": ["09:00-17:00"]},
        calendars=[HoursCalendar((DATA / name).read_text("utf-8"), during)],
    )
    assert spans(hours, start, end) == expected


def test_hours_survive_a_copy_and_a_pickle():
    calendar = HoursCalendar((DATA / "on_call.ics").read_text("utf-8"), "open")
    hours = Hours(name="h", weekly=daily("09:00-10:00"), calendars=[calendar])
    assert hours.is_open(ms("2026-01-03T21:00"))
    for again in (pickle.loads(pickle.dumps(hours)), copy.deepcopy(hours)):
        assert again == hours
        assert again.is_open(ms("2026-01-03T21:00"))
