"""Journal entries from and to a file of JSON lines: a recorded day as text.

One entry per line: a command, its moment, its events, by their wire names. It is how a simulated
day is kept for a replay, and how a journal is looked at with other tools.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ..errors import JournalError
from ..journal import Entry

__all__ = ["read_lines", "write_lines"]


def read_lines(path: str) -> Iterator[Entry]:
    """The entries of a file, one after the other. Raises `JournalError` with the line."""
    decode: Callable[[bytes], Entry] = msgspec.json.Decoder(Entry).decode
    with pathlib.Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise JournalError(
                    f"{path}, line {number}: not a journal entry: {error}"
                ) from error
            yield entry


def write_lines(path: str, entries: Iterable[Entry]) -> None:
    """Write entries to a file, which is replaced."""
    encode = msgspec.json.Encoder().encode
    with pathlib.Path(path).open("wb") as out:
        out.writelines(encode(entry) + b"\n" for entry in entries)
