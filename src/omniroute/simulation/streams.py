"""All randomness of a run, from one seed: a stream of its own for every purpose.

Common random numbers: the n-th customer of a kind arrives at the same moment with the same
handle time and patience under any plan, because each purpose and kind draws from a stream that
nothing else touches. What is decided per offer (does the agent answer?) comes from `Dice`: not a
stream but a function of (customer, throw), so that it does not depend on the order of events.
"""

from __future__ import annotations

import hashlib
from random import Random

__all__ = ["Dice", "Streams"]

_MASK = (1 << 64) - 1


class Streams:
    """The streams of one run: ``seed`` and ``replication`` are the whole of its randomness."""

    def __init__(self, seed: int, replication: int = 0) -> None:
        self._root = f"{seed}/{replication}"

    def named(self, *purpose: str) -> Random:
        """A generator that depends on the seed, the replication and its purpose alone."""
        return Random("/".join([self._root, *purpose]))  # noqa: S311 - play, not keys

    def dice(self, *purpose: str) -> Dice:
        """A function of (customer, throw) for this purpose."""
        digest = hashlib.sha256("/".join([self._root, *purpose]).encode()).digest()
        return Dice(int.from_bytes(digest[:8], "big"))


class Dice:
    """Uniform numbers addressed by (customer, throw), as a counter-based generator.

    Each is the output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) at a point of
    its sequence that is reserved for the pair.
    """

    __slots__ = ("_key",)

    def __init__(self, key: int) -> None:
        self._key = key

    def uniform(self, customer: int, throw: int) -> float:
        """A number in [0, 1): always the same for the same pair."""
        z = (self._key + (customer * 1024 + throw) * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53
