"""How waits are put into buckets: exact while short, then to one part in 1,024.

A module of its own because it is what a run does for every wait.
"""

from __future__ import annotations

__all__ = ["bucket", "bucket_top", "coarse", "fine"]

#: Waits below this are counted to the millisecond, longer ones to one part in 1,024.
_EXACT = 2048
_BITS = 10
_COARSE_BITS = 5


def bucket(wait_ms: int) -> int:
    """The number of the histogram bucket of a wait."""
    if wait_ms < _EXACT:
        return wait_ms
    shift = wait_ms.bit_length() - _BITS - 1
    return (shift << _BITS) + (wait_ms >> shift)


def bucket_top(number: int) -> int:
    """The longest wait in a bucket, in milliseconds."""
    if number < _EXACT:
        return number
    shift = (number >> _BITS) - 1
    return ((number - (shift << _BITS) + 1) << shift) - 1


def coarse(number: int) -> int:
    """The coarse bucket of a bucket: 32 of them together, to one part in 32."""
    return number >> _COARSE_BITS


def fine(number: int) -> int:
    """The last bucket of a coarse one."""
    return (number << _COARSE_BITS) + (1 << _COARSE_BITS) - 1
