"""Atom feeds as WebSub pushes them, read without any of XML's dangers.

A document type is refused, so there are no entities to expand and nothing outside to fetch.
The parser streams: nothing is built but the few texts that are asked for, and neither depth
nor size costs more than time in proportion.

RFC 4287 (Atom), RFC 6721 (deleted entries).
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

from ..errors import PayloadError
from .payloads import clean

__all__ = ["Entry", "entries_of"]

_ATOM = "http://www.w3.org/2005/Atom"
_MAX_ENTRIES = 1000
_MAX_TEXT = 8192
_MAX_LINKS = 10


class Entry(msgspec.Struct, frozen=True):
    """One entry: the text of each of its own elements by its local name, and its links."""

    texts: dict[str, str]
    links: tuple[str, ...]
    is_deleted: bool = False


class _Reader:
    """The state of one parse."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.path: list[str] = []
        self.texts: dict[str, str] = {}
        self.links: list[str] = []
        self.entry_depth = 0
        self.has_feed = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        space, _, local = name.rpartition(" ")
        self.path.append(local)
        if len(self.path) == 1:
            self.has_feed = space == _ATOM and local in {"feed", "entry"}
        if local == "deleted-entry" and not self.entry_depth:
            texts = {"id": attributes.get("ref", ""), "updated": attributes.get("when", "")}
            self.entries.append(Entry(texts, (), is_deleted=True))
        elif local == "entry" and not self.entry_depth:
            self.entry_depth = len(self.path)
            self.texts, self.links = {}, []
        elif local == "link" and self.entry_depth and len(self.path) == self.entry_depth + 1:
            self.links.append(attributes.get("href", "")[:_MAX_TEXT])
            del self.links[_MAX_LINKS:]
        if len(self.entries) > _MAX_ENTRIES:
            raise PayloadError(f"a feed of more than {_MAX_ENTRIES} entries")

    def end(self, name: str) -> None:
        """An element closes."""
        if self.entry_depth and len(self.path) == self.entry_depth:
            self.entries.append(Entry(self.texts, tuple(self.links)))
            self.entry_depth = 0
        self.path.pop()

    def text(self, data: str) -> None:
        """Text in an element of an entry; of the author's elements the name and the URI."""
        depth = len(self.path) - self.entry_depth
        if not self.entry_depth or depth > 2:
            return
        inside = self.path[self.entry_depth :]
        if depth == 1 or (depth == 2 and inside[0] == "author"):
            key = "_".join(inside)
            known = self.texts.get(key, "")
            if len(known) < _MAX_TEXT and len(self.texts) < 50:
                self.texts[key] = known + data[:_MAX_TEXT]


def _refuse_doctype(*_: object) -> None:
    """A document type would bring entities."""
    raise PayloadError("a feed with a document type is refused")


def entries_of(body: bytes) -> list[Entry]:
    """The entries of a feed, in order. Linear in the size of the body.

    Raises:
        PayloadError: not XML, not Atom, or with a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise PayloadError(f"not XML: {error}") from None
    if not reader.has_feed:
        raise PayloadError("the document is no Atom feed")
    return [
        msgspec.structs.replace(
            entry, texts={key: clean(text).strip() for key, text in entry.texts.items()}
        )
        for entry in reader.entries
    ]
