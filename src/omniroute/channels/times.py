"""Points in time as providers write them in words: RFC 3339 and its many relatives.

Fractions come with 1 to 9 digits, offsets with and without a colon, zone names in brackets
behind them (``2024-05-01T10:00:00Z[Etc/UTC]``), the "T" as a blank. A time without an offset
is taken as UTC, which is what the providers that omit it mean. Digits beyond the millisecond
are cut, never rounded, and no float is involved.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["rfc3339"]

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,12}))?"
    r"\s?(?:([Zz])|([+-])(\d\d):?(\d\d))?(?:\[[^\]]{0,40}\])?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(value: object) -> int | None:
    """Milliseconds since the epoch, or None when it is no such time. About 2 us."""
    if not isinstance(value, str) or len(value) > 80:
        return None
    match = _FORM.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, _, sign, offset_h, offset_min = match.groups()[6:]
    zone = UTC
    if sign:
        offset = timedelta(hours=int(offset_h), minutes=int(offset_min))
        if offset >= timedelta(hours=24):
            return None
        zone = timezone(-offset if sign == "-" else offset)
    try:
        # A leap second is the last moment of its minute.
        at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
        passed = at - _EPOCH
    except (ValueError, OverflowError):
        return None
    whole_ms = (passed.days * 86_400 + passed.seconds) * 1000
    found = whole_ms + int((fraction or "0").ljust(3, "0")[:3])
    return found if found >= 0 else None
