"""The entries of a journal, wherever it is: a URL, a database file, or a file of JSON lines.

JSON lines are a recorded day as text, one entry per line: a command, its moment, its events, by
their wire names. It is how a simulated day is kept for a replay, and how a journal is looked at
with other tools.
"""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from urllib.parse import quote, unquote

import msgspec
from anyio.from_thread import start_blocking_portal

from ..errors import JournalError
from ..journal import Entry, Frame, StoreJournal, open_journal

__all__ = ["read", "write_lines"]

_SQLITE = b"SQLite format 3\0"


def read(where: str) -> Iterator[Entry]:
    """The entries of a journal, one after the other.

    ``where`` is a URL as `open_journal` takes it, or the path of an SQLite file, or else of a file
    of JSON lines. Raises `OSError`, `JournalError`, or what `open_journal` raises.
    """
    if "://" not in where:
        with pathlib.Path(where).open("rb") as file:
            begins = file.read(len(_SQLITE))
        return _read_journal(f"sqlite:///{quote(where)}") if begins == _SQLITE else _lines(where)
    if where.startswith("sqlite:///"):
        pathlib.Path(unquote(where.removeprefix("sqlite:///"))).stat()  # reading creates no file
    return _read_journal(where)


def _read_journal(url: str) -> Iterator[Entry]:
    """From an asynchronous journal, frame by frame."""
    journal = open_journal(url)
    with start_blocking_portal() as portal:
        if isinstance(journal, StoreJournal):
            portal.call(journal.open)
        try:
            frames = journal.read()
            while (frame := portal.call(_next, frames)) is not None:
                yield from frame.entries
        finally:
            portal.call(journal.aclose)


async def _next(frames: AsyncIterator[Frame]) -> Frame | None:
    return await anext(frames, None)


def _lines(path: str) -> Iterator[Entry]:
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
