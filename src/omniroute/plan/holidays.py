"""Public holidays by country and subdivision, from the library `holidays` (extra ``hours``).

Which dates are holidays is that library's knowledge and changes with its version.
"""

from __future__ import annotations

import functools
from datetime import date
from typing import Any

import attrs

from ..errors import MissingExtraError, UnknownNameError
from .intervals import Interval, intervals

__all__ = ["Holidays"]


@attrs.frozen(kw_only=True)
class Holidays:
    """The public holidays of ``country`` (ISO 3166-1), perhaps of one ``subdivision`` of it.

    ``intervals`` are the hours of a holiday (none: closed). Checked on construction:
    raises `UnknownNameError`, and `MissingExtraError` without the extra ``hours``.
    """

    country: str
    subdivision: str | None = None
    intervals: tuple[Interval, ...] = attrs.field(default=(), converter=intervals)

    def __attrs_post_init__(self) -> None:
        known = _library().list_supported_countries(include_aliases=True)
        if self.country not in known:
            raise UnknownNameError("country", str(self.country), known)
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            kind = f"subdivision of {self.country}"
            raise UnknownNameError(kind, str(self.subdivision), known[self.country])

    def has(self, day: date) -> bool:
        """Whether ``day`` is one. The first question about a year costs milliseconds."""
        return day in _dates(self.country, self.subdivision, day.year)


def _library() -> Any:
    try:
        import holidays
    except ImportError as error:
        raise MissingExtraError("holidays", "hours", "closing on public holidays") from error
    return holidays


@functools.lru_cache(maxsize=1024)
def _dates(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    found = _library().country_holidays(country, subdiv=subdivision, years=[year], expand=False)
    return frozenset(found)
