"""Who is available, per kind of work: what an arrival looks at.

A *board* says for one kind of work which profiles have somebody available and who of them is
longest idle: an arrival that nobody can take costs one `&`. It is the mirror image of the heads
of lanes: a need reads the firsts of the profiles that satisfy it, as a row reads the heads of
its lanes.
"""

from __future__ import annotations

from collections.abc import Iterable

from .groups import NOBODY, Profile
from .lanes import Need

__all__ = ["Board", "Boards"]

#: So few profiles are compared one by one; more are read at once.
_FEW = 8


class Board:
    """Who is available for one kind of work: per profile the longest idle, and one bit."""

    __slots__ = ("bit", "firsts", "profiles")

    def __init__(self, bit: int, slots: int) -> None:
        self.bit = bit
        #: by profile index the smallest idle number, or `NOBODY`
        self.firsts = [NOBODY] * slots
        #: one bit per profile that has somebody available
        self.profiles = 0

    def longest_idle(self, need: Need, common: int) -> int:
        """The smallest idle number of the profiles in ``common``, which are on both sides."""
        if common.bit_count() > _FEW:
            return min((need.pick or need.build())(self.firsts))
        best = NOBODY
        while common:
            lowest = common & -common
            common ^= lowest
            first = self.firsts[lowest.bit_length() - 1]
            if first < best:
                best = first
        return best


class Boards(dict[int, Board]):
    """The boards of all kinds of work that ever waited, by the bit of the kind."""

    def widen(self) -> None:
        """There is one more index of profiles."""
        for board in self.values():
            board.firsts.append(NOBODY)

    def open(self, bit: int, slots: int, profiles: Iterable[Profile]) -> None:
        """The first lane of a kind of work: from now on somebody may ask who is available."""
        board = self[bit] = Board(bit, slots)
        for profile in profiles:
            first = profile.first(bit)
            if first != NOBODY:
                board.firsts[profile.index] = first
                board.profiles |= profile.bit

    def post(self, profile: Profile, open_kinds: int, idle: int) -> None:
        """Somebody with this idle number became available for these kinds of work."""
        index = profile.index
        for board in self.values():
            if board.bit & open_kinds and idle < board.firsts[index]:
                board.firsts[index] = idle
                board.profiles |= profile.bit

    def withdraw(self, profile: Profile, open_kinds: int, idle: int) -> None:
        """He is not available any more; the groups of the profile say who is next."""
        index = profile.index
        for board in self.values():
            if board.bit & open_kinds and board.firsts[index] == idle:
                first = profile.first(board.bit) if profile.available else NOBODY
                board.firsts[index] = first
                if first == NOBODY:
                    board.profiles ^= profile.bit
