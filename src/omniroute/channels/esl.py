"""The framing of FreeSWITCH's event socket: headers, a blank line, ``Content-Length`` bytes.

A frame of ``text/event-plain`` holds an event in the same form once more, its values
percent-encoded, perhaps with a body of its own; ``text/event-json`` holds JSON. Headers repeat,
and their case varies. `EslDecoder` takes the bytes as they come from the socket.

https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/Client-and-Developer-Interfaces/Event-Socket-Library
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import attrs

from ..errors import PayloadError
from .payloads import as_dict, as_id, as_text, clean

__all__ = ["EslDecoder", "EslEvent", "EslFrame", "event_of"]

_MAX_HEADER_BYTES = 262_144
_MAX_BODY_BYTES = 4_194_304
_MAX_VALUE = 65_536

_BOUNDARY = re.compile(rb"\n\r?\n")
_BLANK_LINES = re.compile(rb"[\r\n]+")


def _fields(head: bytes) -> tuple[tuple[str, str], ...]:
    """The ``name: value`` lines, as they came; lines without a colon are nobody's."""
    found = []
    for line in head.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), value.strip()))
    return tuple(found)


def _first(fields: Iterable[tuple[str, str]], name: str) -> str:
    """The first value of a header, its name in any case; ""."""
    wanted = name.lower()
    return next((value for key, value in fields if key.lower() == wanted), "")


@attrs.frozen
class EslFrame:
    """One frame: its headers in order, repeats included, and its body."""

    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def get(self, name: str) -> str:
        """The first value of a header, its name in any case; "" when it is absent."""
        return _first(self.headers, name)


@attrs.frozen
class EslEvent:
    """One event: its headers decoded, the first of each name; and its own body."""

    headers: Mapping[str, str]
    body: str = ""

    def get(self, *names: str) -> str:
        """The value of the first of the headers that is not empty, in any case; else ""."""
        return next((value for name in names if (value := self.headers.get(name.lower()))), "")


@attrs.define
class EslDecoder:
    """Bytes in, frames out, however the bytes were cut."""

    _buffer: bytearray = attrs.Factory(bytearray)
    _looked: int = 0  # up to here there is no end of the headers

    def feed(self, data: bytes) -> list[EslFrame]:
        """The frames that ``data`` completes.

        Raises:
            PayloadError: headers over 256 KiB, a body over 4 MiB, or a length that is none;
                close the connection, for nothing says where the next frame begins.
        """
        self._buffer += data
        found: list[EslFrame] = []
        while (frame := self._next()) is not None:
            if frame.headers:
                found.append(frame)
        return found

    def close(self) -> list[EslFrame]:
        """What is left when no more bytes come: headers without their blank line."""
        headers = _fields(bytes(self._buffer))
        self._buffer.clear()
        self._looked = 0
        return [EslFrame(headers)] if headers else []

    def _next(self) -> EslFrame | None:
        """Take one complete frame from the buffer; blank lines before it are skipped."""
        if blank := _BLANK_LINES.match(self._buffer):
            del self._buffer[: blank.end()]
            self._looked = 0
        boundary = _BOUNDARY.search(self._buffer, self._looked)
        if boundary is None:
            self._looked = max(0, len(self._buffer) - 3)
            if len(self._buffer) > _MAX_HEADER_BYTES:
                raise PayloadError(f"headers of more than {_MAX_HEADER_BYTES} bytes")
            return None
        end, start = boundary.span()
        headers = _fields(bytes(self._buffer[:end]))
        length = _length(headers)
        if len(self._buffer) < start + length:
            self._looked = end
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        self._looked = 0
        return EslFrame(headers, body)


def _length(headers: Iterable[tuple[str, str]]) -> int:
    """``Content-Length``, 0 when it is absent."""
    text = _first(headers, "Content-Length")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > _MAX_BODY_BYTES:
        raise PayloadError(f"not a length: {text[:20]!r}")
    return int(text)


def _decoded(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers with lower-case names and decoded values, the first of each name."""
    found: dict[str, str] = {}
    for name, value in fields:
        found.setdefault(name.lower(), clean(unquote(value[:_MAX_VALUE])))
    return found


def event_of(frame: EslFrame) -> EslEvent | None:
    """The event in a frame, or the frame's own headers when they are one; else None.

    A frame whose headers hold ``Event-Name`` is an event by itself: the answer to ``connect`` on
    an outbound socket, or an event that was recorded without its frame.

    Raises:
        PayloadError: the frame announces an event and holds none.
    """
    kind = frame.get("Content-Type").partition(";")[0].strip().lower()
    if frame.get("Event-Name"):
        return EslEvent(_decoded(frame.headers), frame.body.decode("utf-8", "replace"))
    if kind == "text/event-json":
        return event_of_json(frame.body)
    if kind != "text/event-plain":
        return None
    inner = EslDecoder()
    frames = inner.feed(frame.body) or inner.close()
    if not frames or not frames[0].get("Event-Name"):
        raise PayloadError("the frame holds no event")
    return EslEvent(_decoded(frames[0].headers), frames[0].body.decode("utf-8", "replace"))


def event_of_json(body: bytes) -> EslEvent:
    """An event as JSON: one object of strings, ``_body`` its body.

    Raises:
        PayloadError: no such object.
    """
    try:
        fields = as_dict(json.loads(body))
    except (ValueError, RecursionError):
        raise PayloadError("the event is not JSON") from None
    headers: dict[str, str] = {}
    for name, value in fields.items():
        text = as_id(value[0] if isinstance(value, list) and value else value)
        headers.setdefault(name.lower(), text)
    if not headers.get("event-name"):
        raise PayloadError("the event has no Event-Name")
    return EslEvent(headers, as_text(fields.get("_body")))
