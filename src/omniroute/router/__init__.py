"""The async shell: the only room that knows an event loop.

`Router` is the engine, live: messages in, desks out. `BlockingRouter` is the same for
threads. On asyncio and trio.
"""

from __future__ import annotations

from .blocking import BlockingAssignment, BlockingDesk, BlockingOffer, BlockingRouter
from .clock import Clock, loop_clock, wall_clock
from .desk import Desk, Offers, SigningIn
from .offer import Assignment, Messages, MessagesMissed, Offer, OfferClosed
from .quarantine import Replayed, quarantined_in, replay_quarantined
from .receipt import Outcome, Receipt
from .router import Router

__all__ = [
    "Assignment",
    "BlockingAssignment",
    "BlockingDesk",
    "BlockingOffer",
    "BlockingRouter",
    "Clock",
    "Desk",
    "Messages",
    "MessagesMissed",
    "Offer",
    "OfferClosed",
    "Offers",
    "Outcome",
    "Receipt",
    "Replayed",
    "Router",
    "SigningIn",
    "loop_clock",
    "quarantined_in",
    "replay_quarantined",
    "wall_clock",
]
