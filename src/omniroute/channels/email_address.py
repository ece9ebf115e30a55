"""Address lists as they are really sent: no brackets, no commas, groups, stray quotes.

A scanner, not a grammar: it walks once over the value, keeps what looks like a mailbox and
forgets the rest, so no list is refused because of one bad entry. Display names may hold
"@"; brackets win over bare words. Encoded words are decoded after splitting, because what
they hide may contain commas.

RFC 5322 section 3.4, RFC 6854 (groups in From).
"""

from __future__ import annotations

import re

import msgspec

from .email_decode import decode_words

__all__ = ["Mailbox", "mailboxes"]

_AT = re.compile(r"[ \t]*@[ \t]*")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_WORD_END = re.compile(r"[,;\s<>]")
#: Stands for a blank inside a quoted local part, so that splitting at blanks keeps it whole.
_BLANK = "\ue000"
_WRAPPING = "'\"<>.,;()"


class Mailbox(msgspec.Struct, frozen=True, gc=False):
    """One address, in lower case, with the name shown beside it."""

    address: str
    name: str = ""


class _Entry:
    """What has been read of one list entry."""

    __slots__ = ("angle", "bare", "comment", "has_at")

    def __init__(self) -> None:
        self.bare: list[str] = []
        self.has_at = False
        self.angle: str | None = None
        self.comment = ""


def mailboxes(value: str, limit: int) -> tuple[list[Mailbox], bool]:
    """The mailboxes in a From, To or Reply-To value, in order.

    Args:
        value: the unfolded value, encoded words untouched.
        limit: how many are read.

    Returns:
        The mailboxes, and True when there were more. Linear in the length of the value.
    """
    found = _scan(value, limit)
    if not found and "=?" in value:  # some encode the whole value, address and all
        found = _scan(decode_words(value), limit)
    # In "Doe, Jane <jane@example.org>" without quotes, "Doe" is no mailbox. Where nothing
    # has an "@", bare words are local users.
    whole = [mailbox for mailbox in found if "@" in mailbox.address]
    return (whole or found)[:limit], len(found) > limit


def _scan(value: str, limit: int) -> list[Mailbox]:
    """One pass over the value; stops soon after ``limit`` mailboxes."""
    found: list[Mailbox] = []
    entry = _Entry()
    position = 0
    unclosed: set[str] = set()
    while position < len(value) and len(found) <= limit:
        character = value[position]
        if character in ",;":
            _close(entry, found)
            entry = _Entry()
        elif character == ":" and entry.angle is None and not entry.has_at:
            entry = _Entry()  # what stood before it names a group
        elif character == "<":
            if entry.angle is not None:  # two addresses without a comma
                _close(entry, found)
                entry = _Entry()
            entry.angle, position = _angle(value, position)
        elif character in '"([' and character not in unclosed:
            end = _closing(value, position)
            if end < 0:
                unclosed.add(character)
            else:
                _bracketed(entry, value[position : end + 1], value[end + 1 : end + 2])
                position = end
        elif character != ">":
            entry.bare.append(character)
            entry.has_at = entry.has_at or character == "@"
        position += 1
    _close(entry, found)
    return found


def _angle(value: str, start: int) -> tuple[str, int]:
    """The address after "<", and the position of its last character.

    It ends at ">". When none follows, or only after another entry, it ends with its word.
    """
    end = value.find(">", start)
    inner = value[start + 1 : end] if end >= 0 else ""
    routed = inner.lstrip().startswith("@")
    if end >= 0 and "<" not in inner and ("," not in inner or routed):
        return inner, end
    stop = _WORD_END.search(value, start + 1)
    end = stop.start() if stop else len(value)
    return value[start + 1 : end], end - 1


def _closing(value: str, start: int) -> int:
    """Where the quoted string, comment or literal that opens at ``start`` closes, or -1."""
    opening = value[start]
    if opening == "[":
        return value.find("]", start)
    closing = ")" if opening == "(" else '"'
    depth, position = 1, start + 1
    while position < len(value):
        character = value[position]
        if character == "\\":
            position += 1
        elif character == closing:
            depth -= 1
            if not depth:
                return position
        elif character == opening:
            depth += 1
        position += 1
    return -1


def _bracketed(entry: _Entry, text: str, following: str) -> None:
    """Take a quoted string, a comment or a domain literal into the entry."""
    inner = text[1:-1]
    if text[0] == "[":
        entry.bare.append(text)
    elif text[0] == "(":
        entry.comment = entry.comment or inner
    else:
        inner = re.sub(r"\\(.)", r"\1", inner)
        local_part = following == "@"
        entry.bare.append(f'"{inner.replace(" ", _BLANK)}"' if local_part else f" {inner} ")


def _close(entry: _Entry, found: list[Mailbox]) -> None:
    """Turn what was read of an entry into mailboxes: none, one, or several without commas."""
    phrase = "".join(entry.bare)
    if entry.angle is not None:
        address = _address(entry.angle)
        if address:
            found.append(Mailbox(address, _name(phrase) or _name(entry.comment)))
            return
    words = _AT.sub("@", phrase).split()
    with_at = [word for word in words if "@" in word.strip("@")]
    if with_at:
        rest = " ".join(word for word in words if word not in with_at)
        for word in with_at:
            address = _address(word)
            if address:
                name = _name(rest) or _name(entry.comment)
                found.append(Mailbox(address, name if len(with_at) == 1 else ""))
    elif len(words) == 1 and entry.angle is None:
        address = _address(words[0])
        if address:
            found.append(Mailbox(address, _name(entry.comment)))


def _address(text: str) -> str:
    """A bare address in lower case; "" when nothing is left of it."""
    address = "".join(_COMMENT.sub("", text).split())
    if address.startswith("@"):  # an obsolete source route: <@relay,@relay:user@host>
        address = address.rpartition(":")[2]
    if address[:7].lower() == "mailto:":
        address = address[7:]
    if not address.startswith('"'):
        address = address.strip(_WRAPPING)
    address = address.replace(_BLANK, " ").lower()
    return "" if "=?" in address or len(address) > 320 else address.strip("@")


def _name(phrase: str) -> str:
    """A display name as a human reads it."""
    return " ".join(decode_words(phrase.replace(_BLANK, " ")).split()).strip("'\" ")[:256]
