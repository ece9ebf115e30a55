"""The header of a mail or of one of its parts, read as forgivingly as mail programs do.

The header ends at the first empty line. Lines in it that are no header field (a name with
a blank in it, an address list broken without indentation) are skipped while a known field
still follows; where none follows, the empty line was forgotten and the body begins. One
pass over the lines; values stay bytes until someone asks.

RFC 5322, RFC 2045 and RFC 2231 (parameters), RFC 6532 (UTF-8 in headers).
"""

from __future__ import annotations

import re
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import unquote_to_bytes

import attrs

from .email_decode import decode_bytes, decode_header, decode_words
from .email_limits import EmailLimits

__all__ = ["Head", "date_ms", "message_ids", "parameters", "read_head"]

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_KNOWN = re.compile(
    rb"\n(?:from|to|cc|subject|date|message-id|mime-version|content-[a-z-]+|received|references"
    rb"|in-reply-to|return-path|reply-to|sender|x-[a-z-]+)[ \t]*:",
    re.IGNORECASE,
)
_ID = re.compile(r"<[^<>]{1,998}>")
_MAX_ID = 998


@attrs.frozen
class Head:
    """The fields of one header: lower-case name -> values as bytes, in order.

    ``cut`` says that a field was longer, or fields were more, than is read; ``too_large``
    that the whole header is over its limit.
    """

    fields: dict[str, list[bytes]]
    cut: bool = False
    too_large: bool = False

    def has(self, name: str) -> bool:
        """True when the field is there, even empty."""
        return name in self.fields

    def value(self, name: str) -> str:
        """The first value that is not blank, unfolded, encoded words untouched; else ""."""
        for raw in self.fields.get(name, ()):
            value = decode_header(raw)
            if value:
                return value
        return ""

    def text(self, name: str) -> str:
        """The first value as a human reads it: encoded words decoded."""
        return decode_words(self.value(name)).strip()


def _last_known(raw: bytes, start: int, end: int) -> int:
    """Where the last well-known field of the header starts."""
    last = -1
    for match in _KNOWN.finditer(raw, start, end):
        last = match.start()
    return last


def read_head(raw: bytes, start: int, end: int, limits: EmailLimits) -> tuple[Head, int]:
    """The header that begins at ``start`` and where its body begins.

    ``raw`` has LF line ends. At most ``limits.header_bytes`` are looked at; a longer header
    is ``too_large`` and its body begins after the first empty line.
    """
    separator = raw.find(b"\n\n", max(start - 1, 0), end)
    stop = end if separator < 0 else separator + 1
    too_large = stop - start > limits.header_bytes
    read_to = min(stop, start + limits.header_bytes)
    fields: dict[str, list[bytes]] = {}
    current: list[bytes] | None = None
    room, count, cut = 0, 0, too_large
    last_known: int | None = None
    position = start
    while position < read_to:
        line_end = raw.find(b"\n", position, read_to)
        line_end = read_to if line_end < 0 else line_end
        line = raw[position:line_end]
        if line[:1] in {b" ", b"\t"}:
            whole = line_end < read_to or not too_large
            if whole and not line.strip() and _ends_at_blank(raw, line_end, end):
                return Head(fields, cut, too_large), min(line_end + 1, end)
            if current is not None:
                current[-1] += line[:room]
                cut = cut or len(line) > room
                room = max(room - len(line), 0)
        elif match := _FIELD.match(line):
            count += 1
            current = None
            if count <= limits.fields:
                current = fields.setdefault(match.group(1).decode().lower(), [])
                value = line[match.end() :]
                current.append(value[: limits.field_bytes])
                room = max(limits.field_bytes - len(value), 0)
                cut = cut or len(value) > limits.field_bytes
            else:
                cut = True
        elif line:
            current = None
            if last_known is None:
                last_known = _last_known(raw, start, read_to)
            if position > last_known + 1 and not line.startswith((b"From ", b">From ")):
                return Head(fields, cut, too_large), position
        position = line_end + 1
    return Head(fields, cut, too_large), min(stop + 1, end)


def _ends_at_blank(raw: bytes, line_end: int, end: int) -> bool:
    """After a line of blanks: True unless the header plainly goes on."""
    following = raw[line_end + 1 : min(line_end + 200, end)]
    return following[:1] not in {b" ", b"\t"} and _FIELD.match(following) is None


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """A structured value: ``text/plain; charset=utf-8`` -> ("text/plain", {...}).

    Quotes, RFC 2231 charsets and continuations are undone; a missing ";" before a
    parameter is forgiven. Names are in lower case.
    """
    head, _, rest = value.partition(";")
    main = head.strip()
    if " " in main or "\t" in main or "=" in main:
        main, _, forgotten = main.replace("\t", " ").partition(" ")
        rest = f"{forgotten};{rest}"
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, str]] = {}
    encoded: set[str] = set()
    for name, text in _assignments(rest):
        base, star, tail = name.partition("*")
        if not star:
            plain.setdefault(base, decode_words(text))
            continue
        number = tail.rstrip("*")
        index = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
        if tail in {"", "0*"}:
            encoded.add(base)
        pieces.setdefault(base, {}).setdefault(index, text)
    for base, parts in pieces.items():
        joined = "".join(parts[index] for index in sorted(parts))
        plain[base] = _extended(joined) if base in encoded else joined
    return main.lower().rstrip(",;"), plain


def _extended(text: str) -> str:
    """``utf-8'en'na%C3%AFve`` -> "naïve"; without the quotes only the escapes are undone."""
    charset, quote, rest = text.partition("'")
    if not quote:
        return decode_bytes(unquote_to_bytes(text))
    return decode_bytes(unquote_to_bytes(rest.partition("'")[2]), charset)


def _assignments(text: str) -> list[tuple[str, str]]:
    """The ``name=value`` pairs between semicolons; quotes may hold semicolons."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text) and len(found) < 200:
        equals = text.find("=", position)
        if equals < 0:
            break
        name = text[position:equals].replace(";", " ").split()
        start = equals + 1
        while start < len(text) and text[start] in " \t":
            start += 1
        if text[start : start + 1] == '"':
            value, position = _quoted(text, start + 1)
        else:
            stop = text.find(";", start)
            stop = len(text) if stop < 0 else stop
            value, position = text[start:stop].strip(), stop + 1
        if name:
            found.append((name[-1].lower(), value))
    return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The quoted string that begins after its first quote, and where it ends."""
    stop = start
    while stop < len(text) and text[stop] != '"':
        stop += 2 if text[stop] == "\\" else 1
    value = text[start:stop]
    if "\\" in value:
        value = re.sub(r"\\(.)", r"\1", value)
    return value, min(stop + 1, len(text))


def message_ids(value: str, limit: int) -> list[str]:
    """The message ids in References or In-Reply-To, verbatim with their brackets.

    Senders separate them with blanks, commas and line breaks, and mix in prose. Without any
    bracket, words that look like an id are taken.
    """
    found = [match for match in _ID.findall(value) if match[1:-1].strip()]
    if not found:
        found = [word for word in re.split(r"[\s,]+", value) if "@" in word[1:_MAX_ID]]
    return found[:limit]


def date_ms(value: str) -> int | None:
    """A date (RFC 5322, and what passes for it) in milliseconds; None when it is none."""
    text = value[:128].partition("(")[0].strip()
    try:
        parsed = parsedate_tz(text)
        if parsed is None:
            return None
        milliseconds = mktime_tz(parsed) * 1000
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return milliseconds if 0 <= milliseconds < 253_402_300_800_000 else None
