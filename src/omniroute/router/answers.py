"""What a command answers: that it was done, or why it was not. A late command is no error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from ..events import Command, CommandRejected, Event, RejectReason

__all__ = ["Answer", "Refused", "Send", "done"]

#: How a command is sent: its events come back when they are durable.
Send = Callable[[Command], Awaitable[tuple[Event, ...]]]


class Refused(msgspec.Struct, frozen=True):
    """A command that was not done; nothing has changed. It counts as false.

    So ``if not await assignment.park()`` is enough where the ``reason`` does not matter.
    """

    reason: RejectReason

    def __bool__(self) -> Literal[False]:
        return False


#: True: it was done.
Answer = Literal[True] | Refused


def done(events: Sequence[Event]) -> Answer:
    """Whether a command was carried out: if not, one of its events is a `CommandRejected`."""
    for event in events:
        if type(event) is CommandRejected:
            return Refused(event.reason)
    return True
