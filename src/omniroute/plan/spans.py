"""Arithmetic for business hours: spans of time, and the offsets of a time zone.

Two clocks meet here. *Instants* are milliseconds since the epoch. *Wall time* is what a
clock on the wall shows, written as the milliseconds since the epoch of a clock in UTC that
shows the same. A zone maps instants to wall time by adding its offset; while the offset
stays the same (a *piece*) that is a plain shift, which is why everything here is cut into
pieces first. The other way round is no function: a wall time in a gap never comes, one in
a fold comes twice. Cutting by pieces gets both right without a special case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

__all__ = ["DAY_MS", "MINUTE_MS", "Span", "instants", "merged", "minus", "offset_ms", "pieces"]

#: [start_ms, end_ms).
Span = tuple[int, int]

MINUTE_MS = 60_000
DAY_MS = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
#: No zone of the database has two changes of its offset that undo each other within this
#: (the shortest time between any two is 3.99 days: Freetown in 1939).
_SAMPLE_MS = DAY_MS


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same moments as disjoint spans in order; spans that touch become one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def minus(spans: Iterable[Span], removed: Iterable[Span]) -> list[Span]:
    """The moments in ``spans`` that are not in ``removed``, as `merged`."""
    holes = merged(removed)
    found: list[Span] = []
    for start, end in merged(spans):
        at = start
        for hole_start, hole_end in holes:
            if hole_end <= at or hole_start >= end:
                continue
            if hole_start > at:
                found.append((at, hole_start))
            at = hole_end
        if at < end:
            found.append((at, end))
    return found


def offset_ms(zone: tzinfo, at_ms: int) -> int:
    """What ``zone`` adds to UTC at that instant, in milliseconds."""
    offset = (_EPOCH + at_ms * _MILLISECOND).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _MILLISECOND


def pieces(zone: tzinfo, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
    """(start_ms, end_ms, offset_ms) of each stretch of one offset, in order, without gaps.

    A change of offset is found exactly, by bisection between two samples a day apart.
    """
    begun, offset = start_ms, offset_ms(zone, start_ms)
    known = start_ms
    while known < end_ms:
        later = min(known + _SAMPLE_MS, end_ms)
        # The end itself belongs to the next window: look at the last instant before it.
        if offset_ms(zone, later - 1) != offset:
            change = _change(zone, offset, known - 1, later - 1)
            yield begun, change, offset
            begun, offset = change, offset_ms(zone, change)
            known = change
        else:
            known = later
    yield begun, end_ms, offset


def _change(zone: tzinfo, offset: int, low_ms: int, high_ms: int) -> int:
    """The first instant whose offset is another: after ``low_ms``, at most ``high_ms``."""
    while high_ms - low_ms > 1:
        middle = (low_ms + high_ms) // 2
        if offset_ms(zone, middle) == offset:
            low_ms = middle
        else:
            high_ms = middle
    return high_ms


def instants(wall: Iterable[Span], cut: Iterable[tuple[int, int, int]]) -> Iterator[Span]:
    """The instants at which a clock shows one of the ``wall`` times, within the pieces."""
    shown = merged(wall)
    for start_ms, end_ms, offset in cut:
        for wall_start, wall_end in shown:
            start = max(wall_start - offset, start_ms)
            end = min(wall_end - offset, end_ms)
            if start < end:
                yield start, end
