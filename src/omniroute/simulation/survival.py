"""How long customers would wait, from waits that were cut short: the Kaplan-Meier estimate.

Who was answered has not shown how patient he is, only that he is more patient than his wait: his
observation is censored. Kaplan and Meier (JASA 53, 1958) give the share that is still there after a
time t as the product, over all moments of leaving up to t, of 1 - left / (present just before).
Beyond the longest observation nothing is known; there the mean hazard goes on.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Iterable

import attrs

from .distributions import Empirical

__all__ = ["Survival", "kaplan_meier"]

#: By how many values the unknown tail is represented in a distribution.
_TAIL = 64


@attrs.frozen
class Survival:
    """The share of customers who are still there after a time.

    ``times_ms`` are the moments at which somebody left, ``shares`` what was left after each,
    ``last_ms`` the longest observation, ``mean_ms`` total time / leavings (infinite: nobody left).
    """

    times_ms: tuple[int, ...]
    shares: tuple[float, ...]
    last_ms: int
    mean_ms: float

    def after(self, wait_ms: float) -> float:
        """The share that waits longer than ``wait_ms``. O(log n)."""
        number = bisect.bisect_right(self.times_ms, wait_ms)
        share = self.shares[number - 1] if number else 1.0
        if wait_ms > self.last_ms and self.mean_ms < math.inf:
            share *= math.exp((self.last_ms - wait_ms) / self.mean_ms)
        return share

    def beyond(self, wait_ms: int, draw: float) -> float:
        """How long somebody waits who has waited ``wait_ms``; ``draw`` in [0, 1) is the dice.

        Returns milliseconds since he came; infinite when nobody was ever seen to leave. O(log n).
        """
        if not self.times_ms:
            return math.inf
        goal = self.after(wait_ms) * (1.0 - draw)
        if not goal:
            return wait_ms - self.mean_ms * math.log(1.0 - draw)
        at = bisect.bisect_left(self.shares, -goal, key=lambda share: -share)
        at = max(at, bisect.bisect_right(self.times_ms, wait_ms))
        if at < len(self.times_ms):
            return self.times_ms[at]
        last_ms = max(self.last_ms, wait_ms)
        return last_ms + self.mean_ms * math.log(max(1.0, self.after(last_ms) / goal))

    def distribution(self) -> Empirical:
        """The same as a distribution to draw from. There must have been somebody who left."""
        drops = [
            before - after for before, after in zip((1.0, *self.shares), self.shares, strict=False)
        ]
        values = [float(time) for time in self.times_ms]
        rest = self.shares[-1]
        if rest > 0:
            steps = [(number + 0.5) / _TAIL for number in range(_TAIL)]
            values += [self.last_ms - self.mean_ms * math.log(step) for step in steps]
            drops += [rest / _TAIL] * _TAIL
        return Empirical(values, drops)


def kaplan_meier(left_ms: Iterable[int], stayed_ms: Iterable[int]) -> Survival:
    """The estimate from the waits of those who left and of those who were answered first.

    Of equal waits leaving goes before being answered. O(n log n).
    """
    left = Counter(left_ms)
    stayed = Counter(stayed_ms)
    present = left.total() + stayed.total()
    moments = sorted({*left, *stayed})
    passed_ms = sum(wait * count for waits in (left, stayed) for wait, count in waits.items())
    times, shares, share = [], [], 1.0
    for moment in moments:
        if left[moment]:
            share *= 1.0 - left[moment] / present
            times.append(moment)
            shares.append(share)
        present -= left[moment] + stayed[moment]
    mean_ms = max(1.0, passed_ms / left.total()) if left else math.inf
    return Survival(tuple(times), tuple(shares), moments[-1] if moments else 0, mean_ms)
