"""SIP messages (RFC 3261) as far as a contact centre needs them: who, whom, which call.

The parser takes what is valid and what is sent: compact header names, folded lines, blanks
before the colon, repeated headers, bare line feeds, a missing blank line at the end. It reads
addresses with and without angle brackets, quoted display names with escapes, and ``tel:`` URIs.
It checks no grammar beyond that, and its cost is linear in the message.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import attrs

from ..errors import PayloadError
from .payloads import clean

__all__ = ["SipAddress", "SipMessage", "addresses", "parse"]

_MAX_HEADER_BYTES = 262_144
_MAX_VALUE = 16_384
_MAX_ADDRESSES = 20
_MAX_LINES = 1000

#: One-letter names (RFC 3261 section 7.3.3 and the registry at IANA) and what they stand for.
_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
_REQUEST = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,64}) +(\S{1,4096}) +SIP/2\.\d", re.IGNORECASE)
_RESPONSE = re.compile(r"SIP/2\.\d +(\d{3})(?: .*)?", re.IGNORECASE)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|[^",;<>]+|[,;"<>]', re.DOTALL)
#: The same where a quote no longer begins a quoted name.
_PLAIN_PIECE = re.compile(r"<[^<>]*>|[^,;<>]+|[,;<>]", re.DOTALL)
_NAME = re.compile(r"[^\s:]{1,128}")


@attrs.frozen
class SipAddress:
    """A display name, a URI, and the parameters behind it (names in lower case)."""

    name: str
    uri: str
    parameters: dict[str, str]

    @property
    def scheme(self) -> str:
        """``sip``, ``sips``, ``tel``, in lower case."""
        return self.uri.partition(":")[0].lower()

    @property
    def user(self) -> str:
        """The part before the "@", or the number of a ``tel:`` URI, decoded."""
        rest = self.uri.partition(":")[2]
        if self.scheme == "tel":
            return unquote(rest.partition(";")[0])
        user, at, _ = rest.partition("@")
        return unquote(user.partition(";")[0].partition(":")[0]) if at else ""

    @property
    def host(self) -> str:
        """The host without its port, in lower case."""
        rest = self.uri.partition(":")[2]
        host = rest.partition("@")[2] if "@" in rest else rest
        host = re.split(r"[;?>]", host, maxsplit=1)[0].strip().lower()
        return host if host.startswith("[") else host.partition(":")[0]

    def uri_parameter(self, name: str) -> str:
        """A parameter inside the URI (``verstat``), decoded; ""."""
        for parameter in self.uri.split(";")[1:51]:
            key, _, value = parameter.partition("=")
            if key.strip().lower() == name:
                return unquote(re.split(r"[@?]", value, maxsplit=1)[0].strip())
        return ""


@attrs.frozen
class SipMessage:
    """A request (``method`` and ``uri``) or a response (``status``), its headers in order."""

    method: str
    uri: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def get(self, name: str) -> str:
        """The first value of a header, by its long name in lower case; ""."""
        return next((value for key, value in self.headers if key == name), "")

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def addresses(self, name: str) -> list[SipAddress]:
        """Every address in every value of a header, at most 20."""
        found: list[SipAddress] = []
        for value in self.values(name):
            found += addresses(value)
            if len(found) >= _MAX_ADDRESSES:
                break
        return found[:_MAX_ADDRESSES]


def _unquoted(text: str) -> str:
    """A display name without its quotes and escapes."""
    text = text.strip()
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return " ".join(text.split())


def _address(pieces: list[str]) -> SipAddress | None:
    """One address from its pieces."""
    bracket = next((n for n, piece in enumerate(pieces) if piece.startswith("<")), None)
    if bracket is None or not pieces[bracket].endswith(">"):
        whole = "".join(pieces)
        uri, _, tail = whole.partition(";")
        # Without brackets, parameters belong to the header, not to the URI (section 20.10).
        name = ""
    else:
        uri = pieces[bracket][1:-1]
        name = _unquoted("".join(pieces[:bracket]))
        tail = "".join(pieces[bracket + 1 :]).lstrip().removeprefix(";")
    uri = "".join(uri.split())
    if ":" not in uri:
        return None
    parameters: dict[str, str] = {}
    for parameter in tail.split(";")[:50]:
        key, _, value = parameter.partition("=")
        if key.strip():
            parameters.setdefault(key.strip().lower(), _unquoted(value))
    return SipAddress(clean(name)[:256], clean(uri)[:1024], parameters)


def addresses(value: str) -> list[SipAddress]:
    """The addresses of one header value, separated by commas; at most 20."""
    found: list[SipAddress] = []
    pieces: list[str] = []
    text, position, pattern = value[:_MAX_VALUE], 0, _PIECE
    while match := pattern.match(text, position):
        position = match.end()
        piece = match.group()
        if piece == '"':  # it never closes, so no later one does: looking again costs n squared
            pattern = _PLAIN_PIECE
        if piece != ",":
            pieces.append(piece)
            continue
        if one := _address(pieces):
            found.append(one)
        pieces = []
        if len(found) >= _MAX_ADDRESSES:
            return found
    if one := _address(pieces):
        found.append(one)
    return found


def _headers(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """Folded lines joined, names long and in lower case. A line without a colon is skipped."""
    unfolded: list[list[str]] = []
    for line in lines:
        if line[:1] in {" ", "\t"} and unfolded:
            unfolded[-1].append(line.strip())
        else:
            unfolded.append([line])
    found: list[tuple[str, str]] = []
    for parts in unfolded:
        name, colon, value = " ".join(parts).partition(":")
        name = name.strip().lower()
        if colon and _NAME.fullmatch(name):
            found.append((_COMPACT.get(name, name), clean(value.strip())[:_MAX_VALUE]))
    return tuple(found)


def parse(raw: bytes) -> SipMessage:
    """The message in ``raw``.

    Raises:
        PayloadError: it begins with neither a request nor a status line, or its headers are
            over 256 KiB.
    """
    raw = raw.lstrip(b"\r\n")
    ends = [
        (at, len(mark))
        for mark in (b"\r\n\r\n", b"\n\n", b"\n\r\n")
        if (at := raw.find(mark, 0, _MAX_HEADER_BYTES)) >= 0
    ]
    end, size = min(ends, default=(len(raw), 0))
    if end > _MAX_HEADER_BYTES:
        raise PayloadError(f"SIP headers of more than {_MAX_HEADER_BYTES} bytes")
    text = raw[:end].decode("utf-8", "replace").replace("\r\n", "\n")
    first, *lines = text.split("\n")
    headers = _headers(lines[:_MAX_LINES])
    body = raw[end + size :]
    first = first.strip()
    if match := _REQUEST.fullmatch(first):
        return SipMessage(match[1].upper(), clean(match[2]), 0, headers, body)
    if match := _RESPONSE.fullmatch(first):
        return SipMessage("", "", int(match[1]), headers, body)
    raise PayloadError("not SIP: the first line is neither a request nor a status")
