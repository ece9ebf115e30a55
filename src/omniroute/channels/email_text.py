"""What a mail says: the text to read, the links in it, the files beside it.

Of alternatives the plain text is taken, and HTML where there is no plain text or an empty
one. Text parts that follow each other are one text. Whatever is not read as text is an
attachment: a reference with name, type and size, never opened and never fetched. An
invitation without any text is read from its calendar.

After RFC 8621 section 4.1.4 (body selection), RFC 2387 (related), RFC 5545 (calendar).
"""

from __future__ import annotations

import re

import attrs

from ..model import Attachment
from .email_limits import EmailLimits
from .email_mime import Part
from .html_text import html_links, html_to_text
from .links import MAX_LINKS, links_in
from .payloads import clean

__all__ = ["Content", "read_content"]

_READABLE = frozenset({"text/plain", "text/html", "text/enriched", "text/markdown"})
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_CALENDAR_LINE = re.compile(
    r"^(SUMMARY|DESCRIPTION|LOCATION)(?:;[^:\n]*)?:(.*)$", re.MULTILINE | re.IGNORECASE
)


@attrs.define
class Content:
    """What was read: the texts in order, links, attachments; ``cut`` when text was cut."""

    texts: list[str] = attrs.field(factory=list)
    links: dict[str, None] = attrs.field(factory=dict)
    attachments: list[Attachment] = attrs.field(factory=list)
    calendars: list[Part] = attrs.field(factory=list)
    cut: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.texts)


def read_content(root: Part, limits: EmailLimits) -> Content:
    """Text, links and attachments of a mail. Linear in its size."""
    content = Content()
    _read(root, content, limits, chosen=True)
    if not content.texts and content.calendars:
        text = _calendar_text(content.calendars[0].text())
        if text:
            content.texts.append(text)
    whole = content.text
    if len(whole) > limits.text_chars:
        content.texts = [whole[: limits.text_chars]]
        content.cut = True
    for url in links_in(content.text):
        content.links.setdefault(url)
    content.links = dict.fromkeys(list(content.links)[:MAX_LINKS])
    return content


def _read(part: Part, content: Content, limits: EmailLimits, *, chosen: bool) -> None:
    """Read one part and what is below it; the tree is at most ``limits.depth`` deep."""
    if not part.children:
        _read_leaf(part, content, limits, chosen=chosen)
    elif part.content_type == "multipart/alternative":
        best = _best(part.children)
        for child in part.children:
            _read(child, content, limits, chosen=chosen and child is best)
    elif part.content_type in {"multipart/related", "multipart/signed"}:
        for index, child in enumerate(part.children):
            _read(child, content, limits, chosen=chosen and index == 0)
    else:
        for child in part.children:
            _read(child, content, limits, chosen=chosen)


def _best(children: list[Part]) -> Part | None:
    """Of alternatives, the one to read: text before HTML, something before nothing."""
    for kind in ("text/plain", "text/enriched", "text/html"):
        for child in children:
            if _says(child, kind):
                return child
    return children[0] if children else None


def _says(part: Part, kind: str) -> bool:
    """True when a leaf of this kind below the part holds more than blanks."""
    waiting = [part]
    while waiting:
        current = waiting.pop()
        waiting.extend(current.children)
        if current.content_type == kind and not current.children and current.opening().strip():
            return True
    return False


def _read_leaf(part: Part, content: Content, limits: EmailLimits, *, chosen: bool) -> None:
    """A part without parts: text to read, or an attachment."""
    disposition, options = part.disposition()
    name = options.get("filename", "") or part.parameters.get("name", "")
    kind = part.content_type
    if kind.startswith("multipart/"):  # its boundary is missing or never appears
        kind = "text/plain"
    inline = disposition != "attachment" and not (name and content.texts)
    if kind == "text/html" and not chosen and disposition != "attachment":
        content.links.update(dict.fromkeys(html_links(part.text()[: limits.html_chars])))
    if kind in _READABLE and inline:
        if chosen:
            _read_text(part, kind, content, limits)
        return
    if kind == "text/calendar":
        content.calendars.append(part)
        if not part.depth:
            return
    identity = part.head.value("content-id").strip("<> ")[:256]
    content.attachments.append(
        Attachment(
            content_type=part.content_type[:255],
            name=_safe_name(name),
            url=f"cid:{identity}" if identity else "",
            size_bytes=part.size_bytes(),
        )
    )


def _read_text(part: Part, kind: str, content: Content, limits: EmailLimits) -> None:
    """Take the text of a leaf."""
    text = part.text()
    if kind == "text/html":
        content.cut = content.cut or len(text) > limits.html_chars
        html = text[: limits.html_chars]
        content.links.update(dict.fromkeys(html_links(html)))
        text = html_to_text(html, limits.text_chars)
    text = text.strip("\n").rstrip()
    if text.strip():
        content.texts.append(text)


def _safe_name(name: str) -> str:
    """A file name without a path, control characters or tricks of writing direction."""
    last = re.split(r"[/\\]", name)[-1]
    return clean(_UNSAFE.sub("", last)).strip()[:255]


def _calendar_text(calendar: str) -> str:
    """Summary, place and description of the first event."""
    unfolded = re.sub(r"\n[ \t]", "", calendar.replace("\r\n", "\n"))
    found: dict[str, str] = {}
    for match in _CALENDAR_LINE.finditer(unfolded):
        value = re.sub(r"\\([nN,;\\])", _unescaped, match.group(2)).strip()
        found.setdefault(match.group(1).upper(), value)
    ordered = (found.get(name, "") for name in ("SUMMARY", "LOCATION", "DESCRIPTION"))
    return "\n".join(value for value in ordered if value)


def _unescaped(match: re.Match[str]) -> str:
    """One escape of RFC 5545 section 3.3.11."""
    return "\n" if match.group(1) in "nN" else match.group(1)
