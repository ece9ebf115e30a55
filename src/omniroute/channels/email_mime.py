"""The tree of parts of a mail, split without recursion and in linear time.

Each multipart is cut at its boundary lines before its children are looked at, so an inner
part can never swallow an outer boundary, a missing end ends with the parent, and a boundary
that is a prefix of another is no trouble. Attached messages are attachments: they are not
opened, unless the whole mail is nothing else.

The standard library's parser is the reference: both see the same tree in every well-formed
mail (a test holds them against each other). This one exists for the others, because its
cost has a bound.

RFC 2045, RFC 2046.
"""

from __future__ import annotations

import re

import attrs

from .email_decode import decode_bytes, decode_transfer
from .email_headers import Head, parameters, read_head
from .email_limits import EmailLimits

__all__ = ["Part", "Tree", "read_tree", "unix_lines"]

_META_CHARSET = re.compile(
    rb"<meta\b[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,40})", re.IGNORECASE
)
_BOUNDARY = re.compile(r"""boundary\*?\s*=\s*("?)([^"\n;]+)\1""", re.IGNORECASE)


@attrs.define(eq=False)
class Part:
    """One node: its header, its raw body as a span of the mail, its children."""

    head: Head
    raw: bytes = attrs.field(repr=False)
    start: int
    end: int
    content_type: str
    parameters: dict[str, str]
    depth: int
    children: list[Part] = attrs.field(factory=list)

    @property
    def body(self) -> bytes:
        """The raw body, transfer encoding not undone."""
        return self.raw[self.start : self.end]

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding, as claimed."""
        return self.head.value("content-transfer-encoding")

    def content(self) -> bytes:
        """The body with its transfer encoding undone."""
        return decode_transfer(self.body, self.encoding)

    def opening(self) -> bytes:
        """The first bytes of the content, at most 64 KB: enough to see that it is not blank."""
        first = self.raw[self.start : min(self.end, self.start + 65_536)]
        return decode_transfer(first, self.encoding)

    def text(self) -> str:
        """The body as text."""
        content = self.content()
        charset = self.parameters.get("charset", "")
        if not charset and self.content_type == "text/html":
            declared = _META_CHARSET.search(content[:2048])
            charset = declared.group(1).decode() if declared else ""
        return decode_bytes(content, charset)

    def disposition(self) -> tuple[str, dict[str, str]]:
        """The Content-Disposition: ("attachment", {"filename": ...})."""
        return parameters(self.head.value("content-disposition"))

    def size_bytes(self) -> int:
        """The size of the content, for base64 computed instead of decoded."""
        if self.encoding.strip().lower() != "base64":
            return len(self.content())
        letters = self.body.translate(None, b" \t\r\n")
        return max(len(letters) * 3 // 4 - letters[-2:].count(b"="), 0)


@attrs.frozen
class Tree:
    """All parts of a mail, parents before children; ``broken_limit`` names a limit it passed."""

    root: Part
    parts: list[Part]
    broken_limit: str = ""


def unix_lines(raw: bytes) -> bytes:
    """The mail with LF line ends, from its first header on.

    It may come with CRLF, bare CR or all of them, and with blank lines or a byte order mark
    before its header.
    """
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\n")


def _part(raw: bytes, start: int, end: int, depth: int, limits: EmailLimits, kind: str) -> Part:
    """Read the header at ``start``; ``kind`` is the content type when none is given."""
    head, body = read_head(raw, start, end, limits)
    content_type, found = parameters(head.value("content-type"))
    if content_type.count("/") != 1:
        content_type = kind
    return Part(head, raw, body, end, content_type, found, depth)


def _boundary(part: Part) -> bytes:
    """The boundary of a multipart, or b""."""
    boundary = part.parameters.get("boundary", "")
    if not boundary:
        match = _BOUNDARY.search(part.head.value("content-type"))
        boundary = match.group(2) if match else ""
    return boundary.rstrip().encode("utf-8", "replace")


def _spans(part: Part, room: int) -> list[tuple[int, int]]:
    """Where the parts of a multipart lie: between its boundary lines, at most ``room`` + 1."""
    boundary = _boundary(part)
    if not boundary:
        return []
    raw, end = part.raw, part.end
    delimiter = b"\n--" + boundary
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    at = raw.find(delimiter, part.start - 1, end) if part.start else -1
    while at >= 0:
        line_end = raw.find(b"\n", at + len(delimiter), end)
        line_end = end if line_end < 0 else line_end
        tail = raw[at + len(delimiter) : line_end].rstrip(b" \t")
        if tail in {b"", b"--"}:
            if opened is not None:
                spans.append((opened, max(at, opened)))
            if tail or len(spans) > room:
                return spans
            opened = min(line_end + 1, end)
        at = raw.find(delimiter, at + 1, end)
    if opened is not None and opened < end:
        spans.append((opened, end))
    return spans


def read_tree(raw: bytes, limits: EmailLimits) -> Tree:
    """The tree of a mail with LF line ends.

    Stops splitting where a limit is passed and names it; what is beyond stays unsplit.
    """
    root = _part(raw, 0, len(raw), 0, limits, "text/plain")
    if root.content_type == "message/rfc822":
        inner = _part(raw, root.start, len(raw), 1, limits, "text/plain")
        root.children.append(inner)
        parts, waiting = [root, inner], [inner]
    else:
        parts, waiting = [root], [root]
    broken = "header_bytes" if root.head.too_large else ""
    while waiting:
        part = waiting.pop()
        if not part.content_type.startswith("multipart/"):
            continue
        if part.depth >= limits.depth:
            broken = broken or "depth"
            continue
        spans = _spans(part, limits.parts - len(parts))
        if len(parts) + len(spans) > limits.parts:
            broken = broken or "parts"
            spans = spans[: max(limits.parts - len(parts), 0)]
        kind = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        part.children = [
            _part(raw, start, end, part.depth + 1, limits, kind) for start, end in spans
        ]
        parts.extend(part.children)
        waiting.extend(part.children)
    return Tree(root, parts, broken)
