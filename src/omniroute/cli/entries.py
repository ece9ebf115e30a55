"""The entries of a journal, wherever it is: a URL, a database file, or a file of JSON lines.

JSON lines are a recorded day as text. The first line holds the plan, every other one an entry: a
command, its moment, its events, by their wire names. It is how a simulated day is kept for a
replay, and how a journal is looked at with other tools.
"""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Iterable, Iterator
from urllib.parse import quote, unquote

import msgspec
from anyio.from_thread import start_blocking_portal

from ..errors import CommandError, JournalError
from ..journal import Entry, Frame, Opening, StoreJournal, open_journal
from ..journal import history as written_in
from ..plan import Plan, dumps, load, loads

__all__ = ["begun", "history", "plan_line", "read", "write_lines"]

_SQLITE = b"SQLite format 3\0"


class _PlanLine(msgspec.Struct, forbid_unknown_fields=True):
    """The line that holds a plan."""

    plan: str


def begun(where: str, plan: str | None, option: str) -> tuple[Plan, Iterator[Entry | Plan]]:
    """The plan that a journal began under, and what follows, as `history` gives it.

    ``plan`` is the file that ``option`` named: it takes the place of what the journal says of
    plans. Raises `CommandError` when there is neither.
    """
    if plan is not None:
        return load(plan), read(where)
    found = history(where)
    first = next(found, None)
    if not isinstance(first, Plan):
        raise CommandError(
            f"{where} does not hold the plan it was recorded under (it is empty, or of an older"
            f" release, or the plan was too long for its store): name it with {option} PLAN"
        )
    return first, found


def read(where: str) -> Iterator[Entry]:
    """The entries of a journal, one after the other. Raises as `history`, but of no plan."""
    return (each for each in _read(where) if isinstance(each, Entry))


def history(where: str) -> Iterator[Entry | Plan]:
    """The entries of a journal, and in front of them the plan they were decided by.

    A plan stands where it begins: at the start, and where a router went on with another one.
    ``where`` is a URL as `open_journal` takes it, or the path of an SQLite file, or else of a file
    of JSON lines. Raises `OSError`, `JournalError`, `PlanError`, or what `open_journal` raises.
    """
    text = ""
    for each in _read(where):
        if isinstance(each, Entry):
            yield each
        elif each != text:
            text = each
            yield loads(text, f"the plan in {where}")


def _read(where: str) -> Iterator[Entry | str]:
    """Entries, and texts of plans, which may be repeated."""
    if "://" not in where:
        with pathlib.Path(where).open("rb") as file:
            begins = file.read(len(_SQLITE))
        return _read_journal(f"sqlite:///{quote(where)}") if begins == _SQLITE else _lines(where)
    if where.startswith("sqlite:///"):
        pathlib.Path(unquote(where.removeprefix("sqlite:///"))).stat()  # reading creates no file
    return _read_journal(where)


def _read_journal(url: str) -> Iterator[Entry | str]:
    """From an asynchronous journal, frame by frame."""
    journal = open_journal(url)
    with start_blocking_portal() as portal:
        written: AsyncIterator[Opening | Frame]
        if isinstance(journal, StoreJournal):
            portal.call(journal.open)
            written = written_in(journal)
        else:
            written = journal.read()
        try:
            while (each := portal.call(_next, written)) is not None:
                if isinstance(each, Frame):
                    yield from each.entries
                elif each.plan:
                    yield each.plan
        finally:
            portal.call(journal.aclose)


async def _next(written: AsyncIterator[Opening | Frame]) -> Opening | Frame | None:
    return await anext(written, None)


def _lines(path: str) -> Iterator[Entry | str]:
    """What stands in a file, line by line. Raises `JournalError` with the line."""
    decode = msgspec.json.Decoder(Entry).decode
    with pathlib.Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                plan = _plan_in(line)
                if plan is None:
                    raise JournalError(
                        f"{path}, line {number}: not a journal entry: {error}"
                    ) from error
                yield plan
            else:
                yield entry


def _plan_in(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_PlanLine).plan
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def plan_line(text: str) -> bytes:
    """The line that says by which plan the entries behind it were decided."""
    return msgspec.json.encode(_PlanLine(text)) + b"\n"


def write_lines(path: str, plan: Plan, entries: Iterable[Entry]) -> None:
    """Write a plan and entries that were decided by it to a file, which is replaced."""
    encode = msgspec.json.Encoder().encode
    with pathlib.Path(path).open("wb") as out:
        out.write(plan_line(dumps(plan)))
        out.writelines(encode(entry) + b"\n" for entry in entries)
