"""The Erlang formulas: blocking, waiting, abandonment, and how many agents they call for.

Loads are in erlangs (arrival rate times mean handle time), times in milliseconds, shares between
0 and 1. Everything is computed from recursions whose terms stay between 0 and 1, so nothing
overflows at any size; the cost is linear in the number of agents.

Sources: A. K. Erlang (1917) for B and C; C. Palm (1946) and Mandelbaum and Zeltyn, "Service
engineering in action: the Palm/Erlang-A queue" (2007) for A; Halfin and Whitt, Operations
Research 29 (1981) for square-root staffing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import attrs

from ..errors import CommandError

__all__ = [
    "ErlangA",
    "ErlangC",
    "agents_for",
    "erlang_a",
    "erlang_b",
    "erlang_c",
    "square_root_staffing",
]

_NORMAL = NormalDist()
#: States whose share of the mass is below this are left out.
_NEGLIGIBLE = 1e-17


def _check(agents: int, **positive: float) -> None:
    if type(agents) is not int or agents < 0:
        raise CommandError(f"agents must be an integer of at least 0, got {agents!r}")
    for name, value in positive.items():
        if not value > 0 or not math.isfinite(value):
            raise CommandError(f"{name} must be a number of more than 0, got {value!r}")


def erlang_b(agents: int, erlangs: float) -> float:
    """The share that finds all agents busy when nobody waits (Erlang's loss formula).

    ``B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1))``. O(agents).
    """
    _check(agents, erlangs=erlangs)
    share = 1.0
    for n in range(1, agents + 1):
        share = erlangs * share / (n + erlangs * share)
    return share


@attrs.frozen
class ErlangC:
    """M/M/c: Poisson arrivals, exponential handle times, everybody waits as long as it takes.

    ``waits`` is the share that waits at all. An overloaded system has ``waits`` 1 and infinite
    waiting times.
    """

    agents: int
    erlangs: float
    handle_ms: float
    waits: float

    @property
    def occupancy(self) -> float:
        """The share of time that an agent is busy."""
        return min(1.0, self.erlangs / self.agents) if self.agents else 1.0

    @property
    def _drain_ms(self) -> float:
        """The mean wait of those who wait: ``AHT / (c - a)``."""
        spare = self.agents - self.erlangs
        return self.handle_ms / spare if spare > 0 else math.inf

    @property
    def wait_ms(self) -> float:
        """The mean wait over all (average speed of answer): ``C AHT / (c - a)``."""
        return self.waits * self._drain_ms

    @property
    def waiting(self) -> float:
        """How many wait, on average (Little's law)."""
        return self.wait_ms * self.erlangs / self.handle_ms

    def within(self, target_ms: float) -> float:
        """The service level: ``1 - C exp(-(c - a) t / AHT)``."""
        if self._drain_ms == math.inf:
            return 0.0
        return 1.0 - self.waits * math.exp(-target_ms / self._drain_ms)


def erlang_c(agents: int, erlangs: float, handle_ms: float) -> ErlangC:
    """M/M/c in the steady state: ``C = c B / (c - a (1 - B))``. O(agents)."""
    _check(agents, erlangs=erlangs, handle_ms=handle_ms)
    if erlangs >= agents:
        return ErlangC(agents, erlangs, handle_ms, 1.0)
    blocked = erlang_b(agents, erlangs)
    waits = agents * blocked / (agents - erlangs * (1.0 - blocked))
    return ErlangC(agents, erlangs, handle_ms, waits)


@attrs.frozen
class ErlangA:
    """M/M/c/K+M: as Erlang C, but customers leave after an exponential patience.

    ``probabilities[n]`` is the share of time with ``n`` customers in the system (from
    ``first`` on; what is left out is negligible). ``places`` counts agents and waiting places
    (None: no bound); who finds all taken is blocked. Shares are of those who entered.
    """

    agents: int
    erlangs: float
    handle_ms: float
    patience_ms: float
    places: int | None
    first: int
    probabilities: tuple[float, ...]

    def _sum(self, value: Callable[[int], float]) -> float:
        pairs = enumerate(self.probabilities, self.first)
        return math.fsum(p * value(n) for n, p in pairs)

    @property
    def blocked(self) -> float:
        """The share of arrivals that is turned away (arrivals see time averages)."""
        if self.places is None:
            return 0.0
        last = self.first + len(self.probabilities) - 1
        return self.probabilities[-1] if last == self.places else 0.0

    @property
    def _entered_per_ms(self) -> float:
        return self.erlangs / self.handle_ms * (1.0 - self.blocked)

    @property
    def waiting(self) -> float:
        """How many wait, on average."""
        return self._sum(lambda n: max(0, n - self.agents))

    @property
    def waiting_variance(self) -> float:
        """The variance of how many wait."""
        return self._sum(lambda n: max(0, n - self.agents) ** 2) - self.waiting**2

    @property
    def in_system(self) -> float:
        """How many wait or are served, on average."""
        return self._sum(float)

    @property
    def occupancy(self) -> float:
        """The share of time that an agent is busy."""
        return (self.in_system - self.waiting) / self.agents if self.agents else 1.0

    @property
    def waits(self) -> float:
        """The share that does not find a free agent."""
        busy = self._sum(lambda n: n >= self.agents)
        return (busy - self.blocked) / (1.0 - self.blocked)

    @property
    def wait_ms(self) -> float:
        """The mean wait of all who entered, abandoned ones included (Little's law)."""
        return self.waiting / self._entered_per_ms

    @property
    def abandons(self) -> float:
        """The share that leaves before an agent is free: ``wait / patience``."""
        return self.wait_ms / self.patience_ms

    @property
    def answer_ms(self) -> float:
        """The mean wait of those who are served (average speed of answer)."""
        wait = self._by_place(lambda ahead: self._served(ahead)[1])
        return wait / (1.0 - self.blocked) / (1.0 - self.abandons)

    @property
    def abandon_ms(self) -> float:
        """The mean wait of those who abandon."""
        answered = self.answer_ms * (1.0 - self.abandons)
        return (self.wait_ms - answered) / self.abandons if self.abandons else 0.0

    def _by_place(self, value: Callable[[int], float]) -> float:
        """The sum of ``p(n) value(n - agents)`` over the arrivals that wait."""
        upto = len(self.probabilities) if self.blocked == 0.0 else len(self.probabilities) - 1
        pairs = enumerate(self.probabilities[:upto], self.first)
        return math.fsum(p * value(n - self.agents) for n, p in pairs if n >= self.agents)

    def _served(self, ahead: int) -> tuple[float, float]:
        """(P(served), E[wait; served]) with that many ahead in the line.

        The stages until the turn: with j ahead somebody leaves at rate ``c mu + (j+1) theta``,
        and with probability ``theta`` over that it is this very customer.
        """
        served, mean = 1.0, 0.0
        served_rate, theta = self.agents / self.handle_ms, 1.0 / self.patience_ms
        for j in range(ahead, -1, -1):
            rate = served_rate + (j + 1) * theta
            mean += 1.0 / rate
            served *= (rate - theta) / rate
        return served, served * mean

    def answered_within(self, target_ms: float) -> float:
        """Accepted in time / entered."""
        at_once = self._sum(lambda n: n < self.agents)
        return (at_once + self._outcomes(target_ms)[0]) / (1.0 - self.blocked)

    def abandoned_within(self, target_ms: float) -> float:
        """Abandoned in time / entered."""
        return self._outcomes(target_ms)[1] / (1.0 - self.blocked)

    def _outcomes(self, target_ms: float) -> tuple[float, float]:
        """(served after a wait in time, abandoned in time), as shares of all arrivals.

        By uniformisation: the line before a customer is a pure death process whose steps are
        those of a Poisson process; its count by the target is summed term by term.
        """
        full = 1 if self.blocked else 0
        skip = max(0, self.agents - self.first)
        before = list(self.probabilities[skip : len(self.probabilities) - full])
        if not before or target_ms <= 0:
            return 0.0, 0.0
        served_rate, theta = self.agents / self.handle_ms, 1.0 / self.patience_ms
        rate = served_rate + len(before) * theta
        steps = rate * target_ms
        served = left = in_time = gone = 0.0
        for n in range(int(steps + 12 * math.sqrt(steps) + 60)):
            weight = math.exp(-steps + n * math.log(steps) - math.lgamma(n + 1))
            in_time += weight * served
            gone += weight * left
            left += sum(before) * theta / rate
            served += before[0] * served_rate / rate
            onward = [
                x * (rate - served_rate - (k + 1) * theta) / rate for k, x in enumerate(before)
            ]
            for k in range(1, len(before)):
                onward[k - 1] += before[k] * (served_rate + k * theta) / rate
            before = onward
        return in_time, gone


def erlang_a(
    agents: int,
    erlangs: float,
    handle_ms: float,
    patience_ms: float = math.inf,
    places: int | None = None,
) -> ErlangA:
    """M/M/c/K+M in the steady state; infinite patience needs ``places`` or a load below ``agents``.

    The birth and death chain is built outwards from its most likely state, so that no term
    exceeds 1; states of negligible share are left out. O(agents + waiting places that matter).
    """
    _check(agents, erlangs=erlangs, handle_ms=handle_ms)
    if not patience_ms > 0:
        raise CommandError(f"patience_ms must be more than 0, got {patience_ms!r}")
    if places is not None and (type(places) is not int or places < max(agents, 1)):
        raise CommandError(f"places must be an integer of at least {max(agents, 1)}")
    if places is None and patience_ms == math.inf and erlangs >= agents:
        raise CommandError("an overload without patience or a bound has no steady state")

    def leaving(n: int) -> float:
        """The rate out of state ``n`` downwards, in units of one agent's service rate."""
        return min(n, agents) + max(0, n - agents) * (handle_ms / patience_ms)

    top = _likeliest(erlangs, leaving, places)
    upper = [1.0]
    while (places is None or top + len(upper) <= places) and upper[-1] > _NEGLIGIBLE:
        upper.append(upper[-1] * erlangs / leaving(top + len(upper)))
    lower: list[float] = []
    term = 1.0
    for n in range(top, 0, -1):
        term *= leaving(n) / erlangs
        if term <= _NEGLIGIBLE:
            break
        lower.append(term)
    weights = [*reversed(lower), *upper]
    total = math.fsum(weights)
    shares = tuple(weight / total for weight in weights)
    return ErlangA(agents, erlangs, handle_ms, patience_ms, places, top - len(lower), shares)


def _likeliest(erlangs: float, leaving: Callable[[int], float], places: int | None) -> int:
    """The last state that is more likely than the one before it; O(log) by doubling."""
    high = 1
    while leaving(high) <= erlangs and (places is None or high < places):
        high *= 2
    if places is not None:
        high = min(high, places)
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if leaving(middle) <= erlangs:
            low = middle
        else:
            high = middle - 1
    return low


def agents_for(good: Callable[[int], bool], at_least: int = 0, at_most: int = 10_000_000) -> int:
    """The smallest number of agents for which ``good`` holds; it must be monotone.

    By doubling and halving, so it asks O(log(result)) times. Raises `CommandError` when even
    ``at_most`` are not enough.
    """
    low, step = at_least, 1
    high = low
    while not good(high):
        if high >= at_most:
            raise CommandError(f"no number of agents up to {at_most} reaches that")
        low, high, step = high + 1, min(high + step, at_most), step * 2
    while low < high:
        middle = (low + high) // 2
        if good(middle):
            high = middle
        else:
            low = middle + 1
    return low


def square_root_staffing(erlangs: float, waits: float) -> int:
    """``a + beta sqrt(a)`` agents, so that about the share ``waits`` waits (Halfin and Whitt).

    ``beta`` solves ``waits = 1 / (1 + beta Phi(beta) / phi(beta))``; rounded up.
    """
    _check(0, erlangs=erlangs)
    if not 0 < waits < 1:
        raise CommandError(f"waits must lie between 0 and 1, got {waits!r}")
    low, high = 0.0, 40.0
    for _ in range(100):
        beta = (low + high) / 2
        density = _NORMAL.pdf(beta)
        share = density / (density + beta * _NORMAL.cdf(beta))
        low, high = (beta, high) if share > waits else (low, beta)
    return math.ceil(erlangs + high * math.sqrt(erlangs))
