"""Netstrings: ``5:hello,`` is how Kamailio's evapi frames its messages.

The length is decimal, of the bytes between ":" and ",". Blanks and line breaks between two
netstrings are skipped: people record them with a line end.

https://cr.yp.to/proto/netstrings.txt
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError

__all__ = ["NetstringDecoder", "netstring"]

_BLANKS = b" \t\r\n"


def netstring(payload: bytes) -> bytes:
    """``payload`` as one netstring."""
    return b"%d:%b," % (len(payload), payload)


@attrs.define
class NetstringDecoder:
    """Bytes in, payloads out, however the bytes were cut.

    ``limit_bytes`` bounds one payload; nothing is stored for one that announces more.
    """

    limit_bytes: int = 1_048_576
    _buffer: bytearray = attrs.Factory(bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that ``data`` completes. Linear in the size of what is held.

        Raises:
            PayloadError: no netstring, or one over the limit; close the connection, for
                nothing says where the next one begins.
        """
        self._buffer += data
        found: list[bytes] = []
        start = 0
        while True:
            while start < len(self._buffer) and self._buffer[start] in _BLANKS:
                start += 1
            colon = self._buffer.find(b":", start, start + 11)
            if colon < 0:
                self._check_digits(start, min(len(self._buffer), start + 11))
                break
            if colon == start:
                raise PayloadError("not a netstring: it does not begin with a length")
            length = self._check_digits(start, colon)
            end = colon + 1 + length
            if end >= len(self._buffer):
                break
            if self._buffer[end] != ord(","):
                raise PayloadError('a netstring does not end with ","')
            found.append(bytes(self._buffer[colon + 1 : end]))
            start = end + 1
        del self._buffer[:start]
        return found

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished netstring are held."""
        return len(self._buffer)

    def _check_digits(self, start: int, end: int) -> int:
        """The length that stands there; complete or not, it must be digits within the limit."""
        digits = bytes(self._buffer[start:end])
        if digits and (not digits.isdigit() or len(digits) > 10):
            raise PayloadError("not a netstring: it does not begin with a length")
        length = int(digits or b"0")
        if length > self.limit_bytes:
            raise PayloadError(f"a netstring of {length} bytes is over the limit")
        return length
