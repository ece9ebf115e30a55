"""Text into tokens: the first half of reading an expression.

Every token keeps its offset in the source, because every later error points at one. The
lexer knows nothing of scopes or fields; it only tells names, strings, integers and marks
apart, and names what someone coming from another language probably meant.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from ..errors import ExpressionError

__all__ = ["ESCAPES", "MAX_SOURCE", "Token", "TokenKind", "is_name", "tokenize"]

#: The longest source text, in characters.
MAX_SOURCE = 4096

#: Integers beyond 64 bits are refused, so that every value fits every store.
_MAX_INTEGER = 2**63 - 1

#: Escapes inside quoted strings.
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}

_MARKS = ("==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",")
_FOREIGN = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "<>": "!="}
_DIGITS = frozenset("0123456789")
_NAME_MARKS = frozenset("_-.:")


class TokenKind(enum.Enum):
    """What a token is."""

    NAME = "a name"
    STRING = "a quoted string"
    INTEGER = "an integer"
    MARK = "a mark"
    END = "the end"


class Token(NamedTuple):
    """One token: ``value`` is the unquoted string, the integer, or the text itself."""

    kind: TokenKind
    value: str | int
    position: int

    def shown(self) -> str:
        """The token as an error message names it."""
        if self.kind is TokenKind.END:
            return "the end"
        return f"the string {self.value!r}" if self.kind is TokenKind.STRING else f"{self.value!r}"


def is_name(text: str) -> bool:
    """Whether ``text`` can be written as a name without quotes (keywords aside)."""
    return _starts_name(text[:1]) and all(map(_continues_name, text))


def _starts_name(character: str) -> bool:
    return character.isalpha() or character == "_"


def _continues_name(character: str) -> bool:
    return character.isalnum() or character in _NAME_MARKS


def tokenize(source: str) -> list[Token]:
    """All tokens of ``source``, ended by one of kind `TokenKind.END`.

    Raises `ExpressionError` at the first character that begins no token.
    """
    if len(source) > MAX_SOURCE:
        raise ExpressionError(
            f"the expression has {len(source)} characters, at most {MAX_SOURCE} are allowed",
            source[:60] + "...",
            0,
        )
    tokens: list[Token] = []
    at = 0
    while at < len(source):
        character = source[at]
        if character in " \t\r\n":
            at += 1
            continue
        if _starts_name(character):
            token, at = _name(source, at)
        elif character in "\"'":
            token, at = _string(source, at)
        elif character in _DIGITS or (character == "-" and source[at + 1 : at + 2] in _DIGITS):
            token, at = _integer(source, at)
        else:
            token, at = _mark(source, at)
        tokens.append(token)
    tokens.append(Token(TokenKind.END, "", len(source)))
    return tokens


def _name(source: str, start: int) -> tuple[Token, int]:
    at = start
    while at < len(source) and _continues_name(source[at]):
        at += 1
    return Token(TokenKind.NAME, source[start:at], start), at


def _integer(source: str, start: int) -> tuple[Token, int]:
    at = start + 1
    while at < len(source) and source[at] in _DIGITS:
        at += 1
    end = at
    while end < len(source) and _continues_name(source[end]):
        end += 1
    if end > at:
        raise ExpressionError(
            f"{source[start:end]!r} is not a whole number"
            f' (a skill whose name begins with a digit is written skill("{source[start:end]}"))',
            source,
            start,
        )
    value = int(source[start:at])
    if abs(value) > _MAX_INTEGER:
        raise ExpressionError("the integer does not fit in 64 bits", source, start)
    return Token(TokenKind.INTEGER, value, start), at


def _string(source: str, start: int) -> tuple[Token, int]:
    quote = source[start]
    parts: list[str] = []
    at = start + 1
    while at < len(source):
        character = source[at]
        if character == quote:
            return Token(TokenKind.STRING, "".join(parts), start), at + 1
        if character == "\\":
            escape = source[at + 1 : at + 2]
            if escape not in ESCAPES:
                allowed = " ".join("\\" + name for name in ESCAPES)
                raise ExpressionError(f"unknown escape; allowed: {allowed}", source, at)
            parts.append(ESCAPES[escape])
            at += 2
        else:
            parts.append(character)
            at += 1
    raise ExpressionError(f"this string is not closed by {quote}", source, start)


def _mark(source: str, start: int) -> tuple[Token, int]:
    for foreign in (source[start : start + 2], source[start]):
        if foreign in _MARKS:
            return Token(TokenKind.MARK, foreign, start), start + len(foreign)
        if foreign in _FOREIGN:
            raise ExpressionError(
                f"unknown operator {foreign!r}; did you mean {_FOREIGN[foreign]!r}?", source, start
            )
    raise ExpressionError(f"unexpected character {source[start]!r}", source, start)
