"""The wire format of the Asterisk Manager Interface: blocks of ``Key: value`` lines.

A blank line ends a block. Keys repeat (every variable is a ``ChanVariable``), lines without a
colon occur (Asterisk writes some events so) and belong to nobody, and a greeting comes before
the first block. `AmiDecoder` takes the bytes as they come from the socket.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..errors import PayloadError

__all__ = ["AmiBlock", "AmiDecoder"]

_MAX_BLOCK_BYTES = 262_144
_MAX_FIELDS = 1000


@attrs.frozen
class AmiBlock:
    """One block: its fields in order, repeats included, keys as they came."""

    fields: tuple[tuple[str, str], ...]

    def get(self, *keys: str) -> str:
        """The first value of the first of ``keys`` that is there, in any case; else ""."""
        for key in keys:
            wanted = key.lower()
            for name, value in self.fields:
                if name.lower() == wanted:
                    return value
        return ""

    def values(self, key: str) -> list[str]:
        """Every value of a repeated key."""
        wanted = key.lower()
        return [value for name, value in self.fields if name.lower() == wanted]


def _block(lines: Sequence[bytes]) -> AmiBlock | None:
    """The fields of some lines, or None when none of them is a field."""
    fields: list[tuple[str, str]] = []
    for line in lines[:_MAX_FIELDS]:
        key, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon and key.strip():
            fields.append((key.strip(), value.strip()))
    return AmiBlock(tuple(fields)) if fields else None


@attrs.define
class AmiDecoder:
    """Bytes in, blocks out, however the bytes were cut. Linear in their number."""

    _rest: bytes = b""
    _lines: list[bytes] = attrs.Factory(list)
    _size: int = 0

    def feed(self, data: bytes) -> list[AmiBlock]:
        """The blocks that ``data`` completes.

        Raises:
            PayloadError: a block over 256 KiB; the connection should be closed.
        """
        found: list[AmiBlock] = []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._lines.append(line)
                self._size += len(line) + 1
            elif block := self._finish():
                found.append(block)
            if self._size > _MAX_BLOCK_BYTES:
                break
        if self._size + len(self._rest) > _MAX_BLOCK_BYTES:
            raise PayloadError(f"a block is longer than {_MAX_BLOCK_BYTES} bytes")
        return found

    def close(self) -> list[AmiBlock]:
        """What is left when no more bytes come: the last block, without its blank line."""
        if self._rest.strip():
            self._lines.append(self._rest)
        self._rest = b""
        block = self._finish()
        return [block] if block else []

    def _finish(self) -> AmiBlock | None:
        """The block of the lines so far."""
        block = _block(self._lines)
        self._lines.clear()
        self._size = 0
        return block
