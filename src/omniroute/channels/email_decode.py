"""From the bytes of a mail to text: transfer encodings, charsets that lie, encoded words.

Nothing here raises, whatever the bytes are, and everything is linear in their number. A
charset is a claim: the declared one is tried strictly first, then UTF-8, and what is still
wrong becomes U+FFFD. Only real charsets are used (Python also knows codecs such as
``punycode``, whose cost is quadratic).

RFC 2045 (transfer encodings), RFC 2047 (encoded words), WHATWG Encoding (which legacy
charset a label means in practice).
"""

from __future__ import annotations

import binascii
import codecs
import quopri
import re
from encodings import normalize_encoding
from encodings.aliases import aliases

from .payloads import clean

__all__ = ["charset_named", "decode_bytes", "decode_header", "decode_transfer", "decode_words"]

#: Labels that mean another charset than they say: supersets are read as what is sent.
_ALIASES = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "big5": "big5hkscs",
    "unicode-1-1-utf-7": "utf-7",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "windows-874": "cp874",
    "utf8mb4": "utf-8",
}

#: What a codec must be called to be a charset.
_CHARSET = re.compile(
    r"(utf|iso|cp|koi8|mac|gb|big5|euc|shift|johab|hz|tis|ptcp|kz|ascii|hp-roman)[a-z0-9_-]*"
)
_ASCII_LABELS = frozenset({"", "us-ascii", "ascii", "ansi_x3.4-1968", "ansi-x3.4-1968"})

_WORD = re.compile(r"=\?([!-<>@-~]{1,60})\?([bBqQ])\?([^?\n]*)\?=")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)

#: The names that `codecs.lookup` may be asked for. It keeps every name it ever failed to
#: find, so strangers must not choose them.
_CODECS = (
    frozenset(aliases)
    | frozenset(aliases.values())
    | frozenset(
        ["koi8_u", "koi8_t", "cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "utf_8_sig"]
    )
    | frozenset(["mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian"])
)


def charset_named(label: str) -> str | None:
    """The codec for a charset label, or None for one that is unknown, absent or no charset."""
    words = label[:80].strip(" \t\"';").lower().partition("*")[0].split()
    name = words[0].rstrip("\"';,") if words else ""
    name = _ALIASES.get(name, name)
    if name in _ASCII_LABELS or not name.isascii():
        return None
    if normalize_encoding(name).lower() not in _CODECS:
        return None
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return codec if _CHARSET.fullmatch(codec) else None


def _strictly(raw: bytes, codec: str) -> str | None:
    """The text, or None when these bytes are not in that charset."""
    try:
        return raw.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None


def decode_bytes(raw: bytes, label: str = "") -> str:
    """The text in ``raw``, whose charset is claimed to be ``label``. Never raises."""
    if not raw:
        return ""
    codec = charset_named(label)
    if codec is None and raw.isascii():
        escaped = b"\x1b$" in raw or b"\x1b(" in raw
        text = _strictly(raw, "iso2022_jp_ext") if escaped else None
        return clean(text if text is not None else raw.decode("ascii"))
    for candidate in (codec, "utf-8"):
        text = _strictly(raw, candidate) if candidate else None
        if text is not None:
            return clean(text.removeprefix("\ufeff"))
    return clean(raw.decode(codec or "cp1252", "replace"))


def _decode_base64(raw: bytes) -> bytes:
    """Base64 with foreign characters skipped and missing padding added."""
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        letters = raw.translate(None, _NOT_BASE64)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


def _decode_uuencode(raw: bytes) -> bytes:
    """The lines between "begin" and "end"; a broken line is skipped."""
    found = bytearray()
    inside = False
    for line in raw.split(b"\n"):
        if not inside:
            inside = line.startswith(b"begin ")
            continue
        if line.strip() in {b"end", b"`"}:
            break
        try:
            found += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(found)


def decode_transfer(raw: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding; an unknown one leaves the bytes as they are."""
    name = encoding.strip().strip("\"';").lower()
    if name == "base64":
        return _decode_base64(raw)
    if name == "quoted-printable":
        return quopri.decodestring(raw)
    if name in {"x-uuencode", "uuencode", "x-uue", "uue"} and b"begin " in raw:
        return _decode_uuencode(raw)
    return raw


def decode_header(raw: bytes) -> str:
    """An unfolded header value: raw bytes are UTF-8, or a legacy charset when they are not."""
    return _FOLD.sub(" ", decode_bytes(raw)).strip()


def _word_bytes(encoding: str, payload: str) -> bytes:
    """The bytes of one encoded word."""
    raw = payload.encode("utf-8", "replace")
    if encoding in "bB":
        return _decode_base64(raw)
    return quopri.decodestring(raw.replace(b"_", b" "), header=False)


def decode_words(text: str) -> str:
    """Replace the encoded words (``=?utf-8?q?...?=``) in a header value.

    Blanks between two of them vanish, and neighbours of one charset are decoded together,
    because senders split multi-byte characters between words.
    """
    if "=?" not in text:
        return text
    pieces: list[str] = []
    pending, label = bytearray(), ""
    end, in_words = 0, False
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        charset = match.group(1).partition("*")[0].lower()
        joined = in_words and not between.strip()
        if pending and not (joined and charset == label):
            pieces.append(decode_bytes(bytes(pending), label))
            pending.clear()
        if not joined:
            pieces.append(between)
        pending += _word_bytes(match.group(2), match.group(3))
        label, end, in_words = charset, match.end(), True
    pieces.append(decode_bytes(bytes(pending), label))
    pieces.append(text[end:])
    return clean(_FOLD.sub(" ", "".join(pieces)))
