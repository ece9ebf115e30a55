"""Recording what a delivery said before the provider hangs up, and after it did.

A provider waits for a time of its own (`Provider.time_limit_ms`) and then counts the delivery as
failed, whatever we are still doing. So at three quarters of it the answer is "come again", in
time. Some providers come again and are told by their message ids; some never do (LINE, unless it
is switched on). For these the events that were not recorded yet are recorded after the answer
has gone out, for a while and for a bounded number of deliveries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio
import attrs

from ..channels.language import Detect, with_language
from ..errors import RouterError
from ..model import Inbound
from ..router import Receipt

__all__ = ["Recorder", "Recording"]

Deliver = Callable[[Inbound], Awaitable[object]]

#: The part of a provider's time limit that is ours; the rest is for the network.
SHARE = 0.75
#: How long what came too late is tried to be recorded after the answer.
LATE_S = 60.0
#: How many deliveries may be under way after their answer.
MAX_LATE = 1_000


@attrs.frozen
class Recording:
    """What became of the events of one delivery.

    ``receipts`` are of those that were recorded, in their order; ``late`` are the others when
    the time was over, ``failed`` says that the router could not record them.
    """

    receipts: list[Receipt | None] = attrs.field(factory=list)
    late: tuple[Inbound, ...] = ()
    failed: bool = False

    @property
    def is_whole(self) -> bool:
        """True when every event is recorded."""
        return not (self.late or self.failed)


class Recorder:
    """Hands events to ``deliver`` and knows when to stop.

    Args:
        deliver: takes one `Inbound`; it counts as recorded when it returns. It may be cancelled
            and called again with the same event.
        detect: tells languages apart.
    """

    def __init__(self, deliver: Deliver, detect: Detect | None) -> None:
        self._deliver = deliver
        self._detect = detect
        self._late = 0

    async def record(self, events: Sequence[Inbound], until: float) -> Recording:
        """Record them in their order until that moment of the event loop's clock."""
        receipts: list[Receipt | None] = []
        try:
            with anyio.CancelScope(deadline=until) as scope:
                for event in events:
                    taken_as = await self._deliver(with_language(event, self._detect))
                    receipts.append(taken_as if isinstance(taken_as, Receipt) else None)
        except (RouterError, TimeoutError):
            return Recording(receipts, failed=True)
        if scope.cancelled_caught:
            return Recording(receipts, late=tuple(events[len(receipts) :]))
        return Recording(receipts)

    def may_be_late(self) -> bool:
        """Whether one more delivery may be recorded after its answer; it is counted."""
        if self._late >= MAX_LATE:
            return False
        self._late += 1
        return True

    async def finish(self, events: Sequence[Inbound]) -> None:
        """Record what came too late; whoever comes again is told by his message ids."""
        try:
            await self.record(events, anyio.current_time() + LATE_S)
        finally:
            self._late -= 1
