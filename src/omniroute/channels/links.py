"""Links in text: found, never followed."""

from __future__ import annotations

import re

__all__ = ["MAX_LINKS", "links_in", "usable_link"]

#: At most this many links of one message are kept.
MAX_LINKS = 100

_MAX_LENGTH = 2048
_URL = re.compile(r"""\bhttps?://[^\s<>"'`{}|\\^\[\]]{1,2048}""", re.IGNORECASE)


def _trimmed(url: str) -> str:
    """The URL without the punctuation of the sentence around it; linear."""
    surplus = url.count(")") - url.count("(")
    end = len(url)
    while end:
        last = url[end - 1]
        if last == ")" and surplus > 0:
            surplus -= 1
        elif last not in ".,;:!?*_~":
            break
        end -= 1
    return url[:end]


def usable_link(url: str) -> bool:
    """True for an http or https link of a sane length, without blanks."""
    lowered = url[:8].lower()
    return (
        lowered.startswith(("http://", "https://"))
        and len(url) <= _MAX_LENGTH
        and not any(character.isspace() for character in url)
    )


def links_in(text: str) -> tuple[str, ...]:
    """The http and https links of a text, in order, each once, at most `MAX_LINKS`."""
    found: dict[str, None] = {}
    for match in _URL.finditer(text):
        url = _trimmed(match.group())
        if len(url) > len("https://"):
            found.setdefault(url)
            if len(found) == MAX_LINKS:
                break
    return tuple(found)
