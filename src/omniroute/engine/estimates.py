"""What a queue's recent past says about its near future: estimated wait and service level.

The estimated wait of the interaction at position ``n`` is ``n`` times the mean time between the
last acceptances of the queue:

    ewt = n * (newest - oldest) / (samples - 1)

over at most the last 20 acceptances, rounded down. It needs no knowledge of agents, shares or
handle times, which cannot be known for agents of several queues: how fast the queue was served
is all of that at once. In an M/M/c queue with everybody busy it is the maximum likelihood
estimate of ``n / (c mu)``. Fewer than 2 acceptances: not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import QueueRecord

__all__ = ["SAMPLES", "ewt_ms", "service_level_percent"]

#: How many acceptances of a queue are remembered.
SAMPLES = 20


def ewt_ms(queue: QueueRecord, position: int | None = None) -> int | None:
    """The estimated wait at a position (None: of the next to come); None: not known. O(1)."""
    accepted = queue.accepted_at_ms
    if len(accepted) < 2:
        return None
    ahead = queue.waiting + 1 if position is None else position
    return ahead * (accepted[-1] - accepted[0]) // (len(accepted) - 1)


def service_level_percent(queue: QueueRecord) -> int | None:
    """Accepted in time per hundred of accepted or abandoned, rounded down; None: nothing was."""
    tallies = queue.tallies.values()
    entered = sum(tally.accepted + tally.abandoned for tally in tallies)
    in_time = sum(tally.accepted_in_time for tally in tallies)
    return 100 * in_time // entered if entered else None
