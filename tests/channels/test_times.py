"""Times in words: every notation that providers were seen to use, and what is none."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.channels.times import rfc3339

AT_MS = 1_714_557_600_000


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2024-05-01T10:00:00Z", AT_MS),
        ("2024-05-01t10:00:00z", AT_MS),
        ("2024-05-01 10:00:00", AT_MS),
        ("2024-05-01T12:00:00+0200", AT_MS),
        ("2024-05-01T12:00:00.000+02:00", AT_MS),
        ("2024-05-01T03:00:00-07:00", AT_MS),
        ("2024-05-01T10:00:00Z[Etc/UTC]", AT_MS),
        ("2024-05-01T10:00:00.1Z", AT_MS + 100),
        ("2024-05-01T10:00:00.0597717Z", AT_MS + 59),
        ("2024-05-01T10:00:00.999999999Z", AT_MS + 999),
        ("2024-05-01T10:00:60Z", AT_MS + 59_000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_notation_is_read(text, at_ms):
    assert rfc3339(text) == at_ms


@pytest.mark.parametrize(
    "value",
    [
        *["", "now", "MESSAGE_CREATE_TIME", "2024-05-01", "2024-13-01T00:00:00Z", "9" * 90],
        *["2024-05-01T25:00:00Z", "2024-05-01T10:00:00+99:00", "1969-12-31T23:59:59Z"],
        *["\u0662\u0660\u0662\u0664-05-01T10:00:00Z", "0001-01-01T00:00:00+23:00"],
        *[None, 0, 1.5, [], {}, b"2024-05-01T10:00:00Z"],
    ],
)
def test_what_is_no_time_is_none(value):
    assert rfc3339(value) is None


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_whatever_python_writes_is_read_to_the_millisecond(naive, offset_min):
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    expected = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert rfc3339(at.isoformat()) == expected
