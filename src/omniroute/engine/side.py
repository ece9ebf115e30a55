"""What only some interactions have: a parent, a consult, an owner, a callback, more wrap-up.

Most interactions have none of it, so it stands apart from `InteractionRecord`, of which a
million must fit in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..events import Kind
from ..model import InteractionState

if TYPE_CHECKING:
    from .records import InteractionRecord

__all__ = ["Side"]


_OVER = frozenset(
    {InteractionState.COMPLETED, InteractionState.CANCELLED, InteractionState.ABANDONED}
)


class Side:
    """The rare facts of one interaction."""

    __slots__ = (
        "attempts",
        "beside",
        "code",
        "consult",
        "conversation_id",
        "hops",
        "hops_at_ms",
        "in_conference",
        "is_callback",
        "kind",
        "own_links",
        "own_priority",
        "owner_id",
        "parent_id",
        "wrap_up_limit_ms",
        "wrap_up_until_ms",
    )

    def __init__(self) -> None:
        self.kind = Kind.CUSTOMER
        self.parent_id: str | None = None
        #: the conversation of its parent; "": its own
        self.conversation_id = ""
        #: the open consult that its agent asked for
        self.consult: InteractionRecord | None = None
        #: what was opened from it, oldest first; some may be over
        self.beside: tuple[InteractionRecord, ...] = ()
        #: of an escalation: how many of its first links are its own, not its parent's
        self.own_links = 0
        self.in_conference = False
        #: what it goes by when no step lends it a priority; None: none does now
        self.own_priority: int | None = None
        #: who parked it
        self.owner_id: str | None = None
        self.is_callback = False
        #: calls that nobody answered
        self.attempts = 0
        #: how often its ladders moved it on, and when; not kept: it is about one moment
        self.hops = 0
        self.hops_at_ms = -1
        #: the disposition code, in wrap-up
        self.code = ""
        #: when the wrap-up ends, and when at the latest it may
        self.wrap_up_until_ms = 0
        self.wrap_up_limit_ms = 0

    def open_beside(self) -> tuple[InteractionRecord, ...]:
        """The consults and escalations that were opened from it and are not over."""
        return tuple(record for record in self.beside if record.state not in _OVER)
