"""HTML to the text a human reads, and the links in it: one pass, no tree, no recursion.

Mail HTML is hostile by habit: a megabyte of nested tables, tags that never close, quotes
that never end. A scanner that only knows blocks, quotations and what to skip gives the same
text as a browser's "copy", and its cost depends on the length alone.
"""

from __future__ import annotations

import re
from html import unescape

from .links import MAX_LINKS, usable_link

__all__ = ["html_links", "html_to_text"]

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_DELIMITER = re.compile(r"[\"'>]")
_HREF = re.compile(
    r"""\bhref\s*=\s*(?:"([^"<>]{1,2100})"|'([^'<>]{1,2100})'|([^\s"'<>]{1,2100}))""", re.IGNORECASE
)
_ANCHOR = re.compile(r"<a\s[^<>]{0,8192}", re.IGNORECASE)

#: A quoted attribute value that does not end within this many characters never began.
_MAX_VALUE = 8192

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table"]
)
_SKIPPED = {
    name: re.compile(rf"</{name}\b|<body\b" if name == "head" else rf"</{name}\b", re.IGNORECASE)
    for name in ("script", "style", "title", "head", "template", "noscript", "svg", "object")
}
_INVISIBLE = str.maketrans("", "", "\u200b\u200e\u200f\u034f\ufeff\u00ad")


class _Page:
    """The lines written so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.quoted = 0
        self.blank_before_next = False
        self.length = 0
        self.never_closed: set[str] = set()

    def write(self, text: str) -> None:
        """Add a run of text; blanks collapse into one."""
        words = text.split()
        if not words:
            if text and self.line and not self.line[-1].endswith(" "):
                self.line.append(" ")
            return
        joined = " ".join(words)
        if text[0].isspace() and self.line and not self.line[-1].endswith(" "):
            joined = f" {joined}"
        if text[-1].isspace():
            joined += " "
        self.line.append(joined)
        self.length += len(joined)

    def end_line(self, *, always: bool = False) -> None:
        """Close the current line; an empty one only when ``always``."""
        text = "".join(self.line).strip()
        self.line.clear()
        if not text and not always:
            return
        self.length += 1
        prefix = "> " * min(self.quoted, 8)
        if self.blank_before_next and self.lines:
            self.lines.append(prefix.rstrip())
        self.blank_before_next = False
        self.lines.append(f"{prefix}{text}".rstrip())


def _tag_end(html: str, start: int) -> int:
    """The position after the ">" of the tag at ``start``; quoted ">" do not count."""
    position = start
    while match := _DELIMITER.search(html, position):
        if match.group() == ">":
            return match.end()
        closing = html.find(match.group(), match.end(), match.end() + _MAX_VALUE)
        position = match.end() if closing < 0 else closing + 1
    return len(html)


def _tag(page: _Page, html: str, match: re.Match[str]) -> int:
    """Act on the tag that ``match`` begins; the position after it, or after what it hides."""
    name = match.group(2).lower()
    closing = bool(match.group(1))
    end = _tag_end(html, match.end())
    if name in _SKIPPED and not closing and name not in page.never_closed:
        found = _SKIPPED[name].search(html, end)
        if found is not None:
            return found.start()
        page.never_closed.add(name)
        return len(html) if name in {"script", "style"} else end
    if name == "br":
        page.end_line(always=True)
    elif name in {"td", "th"}:
        page.write(" ")
    elif name in _BLOCKS:
        page.end_line()
        if name in _PARAGRAPHS:
            page.blank_before_next = True
        if name == "blockquote":
            page.quoted = max(page.quoted + (-1 if closing else 1), 0)
        elif name == "li" and not closing:
            page.write("- ")
    return end


def html_to_text(html: str, limit: int) -> str:
    """The visible text, blocks on lines of their own, quotations marked with ">".

    Args:
        html: the document; anything is accepted.
        limit: stop after about this many characters of text.
    """
    page = _Page()
    position = 0
    while position < len(html) and page.length < limit:
        opening = html.find("<", position)
        opening = len(html) if opening < 0 else opening
        if opening > position:
            page.write(unescape(html[position:opening]).translate(_INVISIBLE))
        if opening == len(html):
            break
        if html.startswith("<!--", opening):
            end = html.find("-->", opening + 4)
            position = len(html) if end < 0 else end + 3
        elif match := _TAG.match(html, opening):
            position = _tag(page, html, match)
        elif html.startswith(("<!", "<?", "</"), opening):
            end = html.find(">", opening)
            position = len(html) if end < 0 else end + 1
        else:
            page.write("<")
            position = opening + 1
    page.end_line()
    return "\n".join(page.lines).strip()


def html_links(html: str) -> tuple[str, ...]:
    """The http and https targets of anchors, in order, each once, at most `MAX_LINKS`."""
    found: dict[str, None] = {}
    for anchor in _ANCHOR.finditer(html):
        match = _HREF.search(anchor.group())
        if match is None:
            continue
        url = unescape(next(group for group in match.groups() if group is not None)).strip()
        if usable_link(url):
            found.setdefault(url)
            if len(found) == MAX_LINKS:
                break
    return tuple(found)
