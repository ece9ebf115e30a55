"""A small, safe XML reader: no DTD, so no entities; bounded in size, depth and elements."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

import attrs

from ..errors import PlanError
from .documents import checked_text

__all__ = ["Element", "read_xml"]

_MAX_ELEMENTS = 100_000
_MAX_DEPTH = 50


@attrs.define
class Element:
    """One element; ``where`` is its line."""

    name: str
    attributes: dict[str, str]
    where: str
    children: list[Element] = attrs.field(factory=list)

    def get(self, name: str) -> str:
        """An attribute, or an empty text."""
        return self.attributes.get(name, "").strip()

    def all(self, name: str) -> Iterator[Element]:
        """Every element of that name inside, at any depth, in document order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)


def read_xml(text: str) -> Element:
    """The document under one unnamed element. Raises `PlanError` when it is no XML.

    A document type declaration is refused: it is where entities, and so files and
    endless expansions, would come from.
    """
    top = Element("", {}, "line 1")
    path = [top]
    count = 0
    parser = expat.ParserCreate(encoding="utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_ELEMENTS or len(path) > _MAX_DEPTH:
            raise PlanError(f"more than {_MAX_ELEMENTS} elements, or {_MAX_DEPTH} deep")
        element = Element(name, attributes, f"line {parser.CurrentLineNumber}")
        path[-1].children.append(element)
        path.append(element)

    def end(name: str) -> None:
        path.pop()

    def refuse(*args: object) -> None:
        raise PlanError("a document type declaration is not accepted")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(checked_text(text).encode(), True)
    except expat.ExpatError as error:
        raise PlanError(f"not XML: {error}") from error
    except UnicodeEncodeError as error:
        raise PlanError("the XML holds half a character (a lone surrogate)") from error
    return top
