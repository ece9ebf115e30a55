"""What may pass the router's door: values that a journal can hold, of a size that is bounded.

A caller's mistake is told to the caller: `checked` raises `CommandError`. A provider's is
not, because nobody who could mend it would hear of it and the message would be lost. So
`checked_inbound` takes it in any case: what is too long is cut and the attribute ``cut``
names it, what cannot be recorded is quarantined with all of it that can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeVar

import msgspec

from ..channels.payloads import clean, stable_id
from ..errors import CommandError
from ..events import ChangeAgent, Command, Quarantine, SignIn, Submit, Update
from ..model import Attribute, Customer, Disposition, Inbound, Message

__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_ATTRIBUTE_CHARS",
    "MAX_ID_CHARS",
    "MAX_TEXT_CHARS",
    "checked",
    "checked_inbound",
]

#: The longest id of an interaction or an agent; the shortest has one character.
MAX_ID_CHARS = 200
#: The longest text, and the longest subject, of a message.
MAX_TEXT_CHARS = 1_000_000
#: How many attributes a message or an agent has, and how many texts one attribute holds.
MAX_ATTRIBUTES = 64
#: The longest name of an attribute, and the longest text in one.
MAX_ATTRIBUTE_CHARS = 1_024

#: An integer that is longer is not kept as text: it takes too long to write out.
_MAX_SHOWN_BITS = 1_024

_T = TypeVar("_T", bound=msgspec.Struct)

_encode = msgspec.msgpack.Encoder().encode
_command: Callable[[bytes], Command] = msgspec.msgpack.Decoder(Command).decode
_inbound: Callable[[bytes], Inbound] = msgspec.msgpack.Decoder(Inbound).decode
_message: Callable[[bytes], Message] = msgspec.msgpack.Decoder(Message).decode

_WITH_MESSAGE = (Submit, Quarantine, Update)
_WITH_AGENT = (SignIn, ChangeAgent)
#: The fields of each command that hold the id of an interaction or an agent.
_IDS: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind.__struct_fields__ if name in {"interaction_id", "agent_id"})
    for kind in Command.__args__
}


def checked(command: Command) -> Command:
    """A copy of a command, every field of the right type and size; else `CommandError`.

    It goes the way that the journal will take it, so what is accepted can be read back,
    and what the caller still changes in a dict of his cannot reach the engine. 0.5 us, with a
    message 1.3 us.
    """
    copy = _copied(command, _command)
    kind = type(copy)
    for name in _IDS[kind]:
        _check_id(kind, name, getattr(copy, name))
    over = ""
    if isinstance(copy, _WITH_MESSAGE):
        over = _over(copy.message)
    elif isinstance(copy, _WITH_AGENT):
        _check_id(kind, "agent.id", copy.agent.id)
        over = _attributes_over(copy.agent.attributes)
    if over:
        raise CommandError(f"{kind.__name__} is over a limit: {over}")
    return copy


def checked_inbound(inbound: Inbound) -> Inbound:
    """A copy of what a channel delivered, in the same way: whole, cut, or quarantined.

    Raises `CommandError` only for what is no `Inbound` with a `Message` in it.
    """
    given: object = inbound
    if not (isinstance(given, Inbound) and isinstance(_field(given, "message"), Message)):
        raise CommandError(f"an Inbound with a Message is expected, got {type(given).__name__}")
    try:
        copy = _copied(inbound, _inbound)
    except CommandError:
        copy = _set_aside(inbound)
    if _over(copy.message):
        copy = msgspec.structs.replace(copy, message=_cut(copy.message))
    return copy


def _copied(value: _T, decode: Callable[[bytes], _T]) -> _T:
    try:
        return decode(_encode(value))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        name = type(value).__name__
        raise CommandError(f"{name} with an impossible value: {error}") from error


# --- limits -------------------------------------------------------------------------------


def _check_id(kind: type, name: str, value: str | None) -> None:
    """Raise `CommandError` for an id that is empty or too long."""
    if value is not None and not 1 <= len(value) <= MAX_ID_CHARS:
        raise CommandError(
            f"{kind.__name__}.{name} must have 1 to {MAX_ID_CHARS} characters, got {len(value)}"
        )


def _over(message: Message) -> str:
    """The limit that a message is over, or ""."""
    if len(message.text) > MAX_TEXT_CHARS or len(message.subject) > MAX_TEXT_CHARS:
        name = "text" if len(message.text) > MAX_TEXT_CHARS else "subject"
        found = len(getattr(message, name))
        return f"{name} must have at most {MAX_TEXT_CHARS} characters, got {found}"
    return _attributes_over(message.attributes) if message.attributes else ""


def _attributes_over(attributes: Mapping[str, Attribute]) -> str:
    """The limit that attributes are over, or ""."""
    if len(attributes) > MAX_ATTRIBUTES:
        return f"at most {MAX_ATTRIBUTES} attributes, got {len(attributes)}"
    for name, value in attributes.items():
        longest = len(name)
        if isinstance(value, str):
            longest = max(longest, len(value))
        elif isinstance(value, tuple):
            if len(value) > MAX_ATTRIBUTES:
                return f"an attribute holds at most {MAX_ATTRIBUTES} texts, got {len(value)}"
            longest = max(longest, *map(len, value), 0)
        if longest > MAX_ATTRIBUTE_CHARS:
            return f"an attribute has at most {MAX_ATTRIBUTE_CHARS} characters, got {longest}"
    return ""


def _cut(message: Message) -> Message:
    """A message within the limits; its attribute ``cut`` names what was cut."""
    before = message.attributes.get("cut", ())
    names = list(before[:8]) if isinstance(before, tuple) else []
    names += [name for name in ("text", "subject") if len(getattr(message, name)) > MAX_TEXT_CHARS]
    attributes = message.attributes
    if _attributes_over(attributes):
        names.append("attributes")
        attributes = {
            name[:MAX_ATTRIBUTE_CHARS]: _cut_value(value)
            for name, value in islice(attributes.items(), MAX_ATTRIBUTES)
        }
    if "cut" not in attributes and len(attributes) >= MAX_ATTRIBUTES:
        attributes = dict(islice(attributes.items(), MAX_ATTRIBUTES - 1))
    return msgspec.structs.replace(
        message,
        text=message.text[:MAX_TEXT_CHARS],
        subject=message.subject[:MAX_TEXT_CHARS],
        attributes={**attributes, "cut": tuple(dict.fromkeys(names))},
    )


def _cut_value(value: Attribute) -> Attribute:
    if isinstance(value, str):
        return value[:MAX_ATTRIBUTE_CHARS]
    if isinstance(value, tuple):
        return tuple(text[:MAX_ATTRIBUTE_CHARS] for text in value[:MAX_ATTRIBUTES])
    return value


# --- what cannot be recorded --------------------------------------------------------------


def _set_aside(inbound: Inbound) -> Inbound:
    """The quarantine of an event that cannot be recorded, with all of it that can.

    Its message id is made from the content: the provider's may be known already (that of a
    call comes with each of its states), and the quarantine would be taken for a repeat.
    """
    message = inbound.message
    channel = message.channel
    kept: dict[str, Any] = {}
    broken = []
    for name in Message.__struct_fields__:
        value = getattr(message, name)
        if _records(channel, name, value):
            kept[name] = value
        else:
            broken.append(name)
            mended = _mended(channel, name, value)
            if mended is not None and _records(channel, name, mended):
                kept[name] = mended
    if kept.get("message_id") is not None:
        kept["attributes"] = {**kept.get("attributes", {}), "message_id": kept["message_id"]}
    received_at_ms = kept.pop("received_at_ms", None)
    aside = Message(**kept)
    aside = msgspec.structs.replace(
        aside, message_id=stable_id(_encode(aside)), received_at_ms=received_at_ms
    )
    reason = f"cannot be recorded: {', '.join(broken) or 'what it means'}"
    return Inbound(disposition=Disposition.QUARANTINE, message=aside, reason=reason)


def _records(channel: object, name: str, value: object) -> bool:
    """Whether one field of a message can be written and read back."""
    try:
        fields: dict[str, Any] = {"channel": channel, name: value}
        _copied(Message(**fields), _message)
    except CommandError:
        return False
    return True


def _mended(channel: object, name: str, value: object) -> object:
    """What can be kept of a field that cannot be recorded; None: nothing."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Customer):
        found, called = _field(value, "id"), _field(value, "name")
        return Customer(
            id=clean(found) if isinstance(found, str) else "",
            name=clean(called) if isinstance(called, str) else "",
        )
    if name != "attributes" or not isinstance(value, dict):
        return None
    kept: dict[str, object] = {}
    for key, given in islice(value.items(), MAX_ATTRIBUTES):
        found = given
        if isinstance(found, int) and found.bit_length() > 64:
            found = str(found) if found.bit_length() < _MAX_SHOWN_BITS else None
        if isinstance(found, str):
            found = clean(found)
        if isinstance(key, str) and _records(channel, name, {"": found}):
            kept[clean(key)] = found
    return kept


def _field(value: object, name: str) -> object:
    """A field of a value whose type is not trusted: nothing checks it on construction."""
    return getattr(value, name)
