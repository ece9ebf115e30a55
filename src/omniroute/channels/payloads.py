"""Reading foreign payloads without ever trusting their shape.

A provider's JSON is `object` until proven otherwise: each reader here takes anything and
gives the asked type or its empty value. So an adapter reads like the provider's
documentation, and a payload of the wrong shape ends in an empty field or in quarantine,
never in a traceback.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable

from ..errors import PayloadError
from ..model import Channel, Disposition, Inbound, Message

__all__ = [
    "TEXT_LIMIT",
    "as_count",
    "as_dict",
    "as_id",
    "as_list",
    "as_number",
    "as_place",
    "as_size",
    "as_text",
    "clean",
    "decode_items",
    "decode_json",
    "each",
    "milliseconds",
    "quarantined",
    "seconds",
    "stable_id",
]

#: The longest text of one message, in characters; a longer one is cut.
TEXT_LIMIT = 1_000_000

#: Of a payload that could not be understood, this many characters are kept for a human.
_KEPT = 64_000

#: Where doubles end to be exact, and with them JSON: a larger number is a mistake or an attack.
_NO_NUMBER = 2**53

#: The last millisecond of the year 9999: a later time is a mistaken unit.
_LATEST_MS = 253_402_300_799_999


def _decoded(body: bytes) -> object:
    """The JSON value in ``body``."""
    if not body.strip():
        raise PayloadError("the body is empty")
    try:
        value: object = json.loads(body)
    except RecursionError:
        raise PayloadError("JSON nested too deep") from None
    except UnicodeDecodeError:
        raise PayloadError("not JSON: these bytes are no text") from None
    except ValueError as error:
        raise PayloadError(f"not JSON: {error}") from None
    return value


def decode_json(body: bytes) -> dict[str, object]:
    """The JSON object in ``body``.

    Integers stay exact (ids pass 2**53). Linear in the size of the body.

    Raises:
        PayloadError: not JSON, not an object, or nested too deep.
    """
    value = _decoded(body)
    if not isinstance(value, dict):
        raise PayloadError(f"a JSON object is expected, not {type(value).__name__}")
    return value


def decode_items(body: bytes) -> list[object]:
    """The items of the JSON array in ``body``; an object stands for an array of itself.

    Raises:
        PayloadError: not JSON, neither of the two, or nested too deep.
    """
    value = _decoded(body)
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise PayloadError(f"a JSON array is expected, not {type(value).__name__}")
    return value


def as_dict(value: object) -> dict[str, object]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The array, or an empty one."""
    return value if isinstance(value, list) else []


def clean(text: str) -> str:
    """Text that every store accepts: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def as_text(value: object, limit: int = TEXT_LIMIT) -> str:
    """The string, cleaned and cut to ``limit`` characters; "" for anything else."""
    return clean(value[:limit]) if isinstance(value, str) else ""


def as_id(value: object) -> str:
    """An id as text: providers send the same id as a string or as an integer."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        return str(value)
    return as_text(value, 1024).strip()


def as_number(value: object) -> int | None:
    """The integer below 2**53 in size, or None: what providers use for kinds and flags.

    A larger one is no number that a provider means, and no journal could hold it.
    """
    return value if type(value) is int and abs(value) < _NO_NUMBER else None


def as_count(value: object) -> int | None:
    """A number of seconds, items or the like, as an integer or as digits; else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    return as_size(value)


def as_size(value: object) -> int | None:
    """A plausible number of bytes, pixels or the like; None for anything else."""
    return value if type(value) is int and 0 <= value < _NO_NUMBER else None


def as_place(latitude: object, longitude: object) -> str:
    """A place as ``latitude,longitude`` in decimal degrees; "" when it is none."""
    numbers = (_number(latitude), _number(longitude))
    return ",".join(str(number) for number in numbers) if None not in numbers else ""


def _number(value: object) -> float | None:
    """A finite number, also when it came as a string."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) > 32:
        return None
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None
    return None


def milliseconds(value: object) -> int | None:
    """A time that came in milliseconds, or None when it is not a plausible time."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= _LATEST_MS else None


def seconds(value: object) -> int | None:
    """A time that came in seconds, as milliseconds; None when it is not a plausible time."""
    number = _number(value)
    return None if number is None else milliseconds(number * 1000)


def stable_id(*parts: str | bytes) -> str:
    """An id made from content, for events that came without one: equal parts, equal id."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return "sha256:" + digest.hexdigest()[:32]


def quarantined(
    channel: Channel, reason: str, payload: object, *, received_at_ms: int | None = None
) -> Inbound:
    """An event that could not be understood, kept for a human agent with its content.

    The payload becomes the text (bytes as they are, values as JSON), so that it can be read
    and normalised again after a fix. Its message id is a digest of the content: a provider
    that repeats the delivery does not fill the quarantine.
    """
    if isinstance(payload, bytes):
        raw = payload
        shown = payload[:_KEPT].decode("utf-8", "replace")
    else:
        try:
            shown = json.dumps(payload, ensure_ascii=False, sort_keys=True)
        except (ValueError, TypeError, RecursionError):
            shown = ""
        raw = shown.encode("utf-8", "replace")
    message = Message(
        channel=channel,
        message_id=stable_id(raw),
        text=clean(shown[:_KEPT]),
        received_at_ms=received_at_ms,
    )
    return Inbound(disposition=Disposition.QUARANTINE, message=message, reason=reason)


def each(
    items: Iterable[object],
    read: Callable[[dict[str, object]], Inbound | None],
    *,
    channel: Channel,
    received_at_ms: int | None,
) -> list[Inbound]:
    """Read every event of a batch: one bad event is quarantined, the good ones pass.

    ``read`` raises `PayloadError` for an event that cannot be understood and returns None
    for one that says nothing.
    """
    found: list[Inbound] = []
    for item in items:
        if not isinstance(item, dict):
            reason = f"an event must be an object, not {type(item).__name__}"
            found.append(quarantined(channel, reason, item, received_at_ms=received_at_ms))
            continue
        try:
            inbound = read(item)
        except PayloadError as error:
            found.append(quarantined(channel, str(error), item, received_at_ms=received_at_ms))
        else:
            if inbound is not None:
                found.append(inbound)
    return found
