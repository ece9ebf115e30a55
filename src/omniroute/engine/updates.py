"""An event says something about an interaction that is open: edited, deleted, the customer left.

What is said about a message is found by the message's id: through what was seen, which knows
the interaction that it opened or joined, or through the thread. See docs/explanation/semantics.md,
"An update comes in".
"""

from __future__ import annotations

from ..events import Abandon, MessageEdited, MessageRedacted, NotApplied, UpdateNoted
from ..model import Inbound, InteractionState, Message, UpdateKind
from . import apply_messages, removal
from .matching import Events
from .records import InteractionRecord
from .seen import message_key
from .state import State

__all__ = ["take"]


def take(state: State, inbound: Inbound, key: str | None, at_ms: int, out: Events) -> None:
    """Do what the update says, once: its key was not seen before."""
    if inbound.update is UpdateKind.ENDED:
        _ended(state, inbound, key, at_ms, out)
        return
    message = inbound.message
    found = _interaction_of(state, message, at_ms)
    position = None if found is None else found.position_of(message.message_id)
    if found is None or position is None:
        _found_nothing(state, inbound, key, at_ms, out)
        return
    agent_id = found.agent.id if found.agent is not None else None
    before = found.messages[position]
    if before.attributes.get("redacted") is True:
        _note(state, inbound, key, at_ms, out, about=found.id, reason=NotApplied.REDACTED)
    elif inbound.update is UpdateKind.DELETED:
        redacted = MessageRedacted(at_ms, found.id, before.message_id or "", agent_id, key)
        apply_messages.message_redacted(state, redacted)
        out.append(redacted)
    else:
        edited = MessageEdited(at_ms, found.id, before.edited(message), agent_id, key)
        apply_messages.message_edited(state, edited)
        out.append(edited)


def _interaction_of(state: State, message: Message, at_ms: int) -> InteractionRecord | None:
    """The open interaction that has the message an update names."""
    opened = state.seen.find(message.channel, message_key(message), at_ms)
    found = state.interactions.get(opened) if opened else None
    if found is not None and found.channel is message.channel:
        return found
    return state.thread(message)


def _ended(state: State, inbound: Inbound, key: str | None, at_ms: int, out: Events) -> None:
    found = state.thread(inbound.message)
    if found is None or found.state is InteractionState.WRAP_UP:
        # The end of a call may overtake its beginning. Whoever brings it once more when the
        # beginning has come must be heard, unless the provider says that it is the same one.
        if inbound.delivery_id is not None:
            _note(state, inbound, key, at_ms, out, reason=NotApplied.NO_OPEN_INTERACTION)
        return
    _note(state, inbound, key, at_ms, out, about=found.id)
    removal.abandon(state, Abandon(found.id, inbound.reason), at_ms, out)


def _found_nothing(
    state: State, inbound: Inbound, key: str | None, at_ms: int, out: Events
) -> None:
    """Nothing open has the message. One that was deleted before it came is not routed."""
    message = inbound.message
    unborn = None
    if inbound.update is UpdateKind.DELETED:
        unborn = message_key(message)
        if state.seen.find(message.channel, unborn, at_ms) is not None:
            unborn = None
    if key is not None or unborn is not None:
        _note(state, inbound, key, at_ms, out, unborn=unborn, reason=NotApplied.UNKNOWN_MESSAGE)


def _note(
    state: State,
    inbound: Inbound,
    key: str | None,
    at_ms: int,
    out: Events,
    *,
    about: str = "",
    unborn: str | None = None,
    reason: NotApplied | None = None,
) -> None:
    kind = (inbound.update or UpdateKind.STATE).value
    noted = UpdateNoted(at_ms, inbound.message.channel, kind, about, key, unborn, reason)
    apply_messages.update_noted(state, noted)
    out.append(noted)
