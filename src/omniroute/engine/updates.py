"""News of an interaction that is open: a message was edited or deleted, the customer left.

What is said about a message is found by the message's id: through what was seen, which knows
the interaction that it opened or joined, or through the thread. See docs/explanation/semantics.md,
"An update comes in".
"""

from __future__ import annotations

from ..errors import CommandError
from ..events import Abandon, MessageEdited, MessageRedacted, NotApplied, Update, UpdateNoted
from ..model import Message, UpdateKind
from . import fold_messages, intake, removal
from .copies import copy_of
from .matching import Events
from .records import InteractionRecord
from .seen import message_key
from .state import State

__all__ = ["check_update", "update"]

_KINDS = (UpdateKind.EDITED, UpdateKind.DELETED, UpdateKind.THREAD_DELETED, UpdateKind.ENDED)


def check_update(_state: State, command: Update) -> None:
    """Raise `CommandError` for a kind that changes nothing."""
    if command.update not in _KINDS:
        raise CommandError(f"update must be one of {', '.join(_KINDS)}, got {command.update!r}")


def update(state: State, command: Update, at_ms: int, out: Events) -> None:
    """Do what the update says, once."""
    message = command.message
    if intake.is_repeat(state, message, command.delivery_key, at_ms, out, by_message=False):
        return
    if command.update is UpdateKind.ENDED:
        _ended(state, command, at_ms, out)
        return
    if command.update is UpdateKind.THREAD_DELETED:
        _thread_deleted(state, command, at_ms, out)
        return
    found = _interaction_of(state, message, at_ms)
    position = None if found is None else found.position_of(message.message_id)
    if found is None or position is None:
        _found_nothing(state, command, at_ms, out)
        return
    agent_id = found.agent_id
    before, key = found.messages[position], command.delivery_key
    if _is_redacted(before):
        _note(state, command, at_ms, out, about=found.id, reason=NotApplied.REDACTED)
    elif command.update is UpdateKind.DELETED:
        redacted = MessageRedacted(at_ms, found.id, before.message_id or "", agent_id, key)
        fold_messages.message_redacted(state, redacted)
        out.append(redacted)
        _pass_on(state, found, [before], at_ms, out)
    else:
        edited = MessageEdited(at_ms, found.id, before.edited(message), agent_id, key)
        fold_messages.message_edited(state, edited)
        out.append(edited)
        _pass_on(state, found, [before], at_ms, out)


def _thread_deleted(state: State, command: Update, at_ms: int, out: Events) -> None:
    """Nothing of the thread is left, where it is open."""
    found, key = state.thread(command.message), command.delivery_key
    if found is None:
        _found_nothing(state, command, at_ms, out)
        return
    left = [message for message in found.messages if not _is_redacted(message)]
    if not left:
        if key is not None:
            _note(state, command, at_ms, out, about=found.id, reason=NotApplied.REDACTED)
        return
    firsts: dict[str, Message] = {}
    for message in found.messages:
        if message.message_id:
            firsts.setdefault(message.message_id, message)
    named = [name for name, message in firsts.items() if not _is_redacted(message)]
    for message_id in (*named, *(("",) if len(named) < len(left) else ())):
        redacted = MessageRedacted(at_ms, found.id, message_id, found.agent_id, key)
        fold_messages.message_redacted(state, redacted)
        out.append(redacted)
        key = None
    _pass_on(state, found, left, at_ms, out)


def _is_redacted(message: Message) -> bool:
    return message.attributes.get("redacted") is True


def _pass_on(
    state: State, record: InteractionRecord, were: list[Message], at_ms: int, out: Events
) -> None:
    """What changed in an interaction changes in what was opened from it, too."""
    if record.side is None:
        return
    for copy in record.side.open_beside():
        assert copy.side is not None
        before = copy.message
        after = copy_of(copy.side, before, record.messages, were)
        if after != before:
            edited = MessageEdited(at_ms, copy.id, after, copy.agent_id)
            fold_messages.message_edited(state, edited)
            out.append(edited)
            _pass_on(state, copy, [before], at_ms, out)


def _interaction_of(state: State, message: Message, at_ms: int) -> InteractionRecord | None:
    """The open interaction that has the message an update names."""
    opened = state.seen.find(message.channel, message_key(message), at_ms)
    found = state.interactions.get(opened) if opened else None
    if found is not None and found.channel is message.channel:
        return found
    return state.thread(message)


def _ended(state: State, command: Update, at_ms: int, out: Events) -> None:
    found = state.thread(command.message)
    if found is not None:
        _note(state, command, at_ms, out, about=found.id)
        removal.abandon(state, Abandon(found.id, command.reason), at_ms, out)
    elif command.is_numbered:
        _note(state, command, at_ms, out, reason=NotApplied.NO_OPEN_INTERACTION)
    # The end of a call may overtake its beginning. Who brings it once more when the beginning
    # has come must be heard, unless the provider says that it is the same one.


def _found_nothing(state: State, command: Update, at_ms: int, out: Events) -> None:
    """Nothing open has the message. One that was deleted before it came is not routed."""
    message = command.message
    unborn = None if command.update is UpdateKind.EDITED else message_key(message)
    if state.seen.find(message.channel, unborn, at_ms) is not None:
        unborn = None
    if command.delivery_key is not None or unborn is not None:
        reason = NotApplied.UNKNOWN_MESSAGE
        _note(state, command, at_ms, out, unborn=unborn, reason=reason)


def _note(
    state: State,
    command: Update,
    at_ms: int,
    out: Events,
    *,
    about: str = "",
    unborn: str | None = None,
    reason: NotApplied | None = None,
) -> None:
    channel, key = command.message.channel, command.delivery_key
    noted = UpdateNoted(at_ms, channel, command.update, about, key, unborn, reason)
    fold_messages.update_noted(state, noted)
    out.append(noted)
