"""What an agent's consult or escalation carries of the conversation that it was opened from.

It is a copy, so that whoever gets it need not look elsewhere. What the customer changes or takes
back afterwards changes in the copy, too. Pure functions of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from ..events import Kind
from ..model import Message
from .side import Side

__all__ = ["consulted", "copy_of"]

_T = TypeVar("_T")


def consulted(opening: Message) -> Message:
    """What a colleague who is asked is told: a message that is in no thread, and has no repeat."""
    return msgspec.structs.replace(opening, thread_id=None, message_id=None)


def copy_of(
    side: Side, copy: Message, messages: Sequence[Message], were: Sequence[Message]
) -> Message:
    """The copy as it should be after some of the messages that it was made of have changed.

    Args:
        side: of the consult or escalation.
        copy: its message.
        messages: those of the interaction that it was opened from, as they are now.
        were: those of them that changed, as they were.
    """
    opening = messages[0]
    if side.kind is Kind.CONSULT:
        return consulted(opening)
    own, theirs = copy.links[: side.own_links], copy.links[side.own_links :]
    links = [link for message in messages for link in message.links]
    files = [file for message in messages for file in message.attachments]
    return msgspec.structs.replace(
        copy,
        subject=opening.subject,
        language=opening.language,
        attributes=opening.attributes,
        links=(*own, *_still(theirs, [each for was in were for each in was.links], links)),
        attachments=tuple(
            _still(copy.attachments, [each for was in were for each in was.attachments], files)
        ),
    )


def _still(kept: Iterable[_T], were: Sequence[_T], are: Sequence[_T]) -> Iterable[_T]:
    """Those kept, but for what was said and is said no more."""
    return [each for each in kept if each not in were or each in are]
