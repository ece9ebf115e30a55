"""The async shell: the only room that knows an event loop.

`Router` is the engine, live: messages in, desks out. `BlockingRouter` is the same for
threads. On asyncio and trio.
"""

from __future__ import annotations

from .answers import Answer, Refused
from .assignment import Assignment, AssignmentEnded
from .blocking import BlockingRouter
from .blocking_desk import (
    BlockingAssignment,
    BlockingConsultation,
    BlockingDesk,
    BlockingOffer,
)
from .clock import Clock, loop_clock, wall_clock
from .consultation import Consultation, Escalation
from .desk import Desk, Given, Offers, SigningIn
from .history import read_timeline
from .meetings import MeetingProvider, TemplateMeetings
from .offer import Messages, MessagesMissed, Offer, OfferClosed
from .quarantine import Replayed, quarantined_in, replay_quarantined
from .receipt import Outcome, Receipt
from .router import Router

__all__ = [
    "Answer",
    "Assignment",
    "AssignmentEnded",
    "BlockingAssignment",
    "BlockingConsultation",
    "BlockingDesk",
    "BlockingOffer",
    "BlockingRouter",
    "Clock",
    "Consultation",
    "Desk",
    "Escalation",
    "Given",
    "MeetingProvider",
    "Messages",
    "MessagesMissed",
    "Offer",
    "OfferClosed",
    "Offers",
    "Outcome",
    "Receipt",
    "Refused",
    "Replayed",
    "Router",
    "SigningIn",
    "TemplateMeetings",
    "loop_clock",
    "quarantined_in",
    "read_timeline",
    "replay_quarantined",
    "wall_clock",
]
