"""Journals of every format that a release has written are read for ever; what must fail, fails.

`make.py` says what the files are and wrote them. A failure here means that somebody's journal
could not be read after an upgrade: mend the code, not the files.
"""

import json
import shutil
import struct
from pathlib import Path

import anyio
import msgspec
import pytest

from golden.facts import facts, holds, plain
from omniroute import Engine, Router, SqliteStore, StoreJournal, load
from omniroute.errors import CorruptJournalError
from omniroute.journal import Chain, Kind, MemoryStore, Opening, Shelf, history
from omniroute.journal.codec import FORMAT
from omniroute.plan import loads
from omniroute.router.recovery import recover

HERE = Path(__file__).parent
FORMATS = sorted(HERE.glob("format-*"))
LENGTH = struct.Struct(">I")


def journal_of(path):
    """A journal of the records in a file."""
    data, shelf = path.read_bytes(), Shelf()
    while data:
        (length,) = LENGTH.unpack_from(data)
        shelf.records.append(data[4 : 4 + length])
        data = data[4 + length :]
    return StoreJournal(MemoryStore(shelf))


async def entries_of(journal):
    """Every entry, from the first record on, each record checked."""
    found = []
    async for header, body in journal.records(Chain()):
        if header.kind is Kind.FRAME:
            found += journal.frame(header, body).entries
    return found


def read(path):
    async def opened():
        async with journal_of(path) as journal:
            return await entries_of(journal)

    return anyio.run(opened)


async def recovered(journal, plan):
    async with journal:
        return await recover(journal, plan, lambda _: None)


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def folder(request):
    return request.param


@pytest.fixture
def day(folder, tmp_path):
    """A copy of the day's journal: reading one may write beside it."""
    return SqliteStore(shutil.copy(folder / "day.db", tmp_path))


def expected(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def test_the_format_that_is_written_has_its_golden_journals():
    assert f"format-{FORMAT}" in [folder.name for folder in FORMATS]


def test_every_command_and_event_is_read_as_it_was_written(folder):
    found = [plain(entry) for entry in read(folder / "every.records")]
    assert holds(expected(folder, "every"), found) == ""


def test_a_day_is_read_entry_by_entry(folder, day):
    async def main():
        async with StoreJournal(day) as journal:
            return await entries_of(journal)

    found = [plain(entry) for entry in anyio.run(main)]
    assert holds(expected(folder, "day")["entries"], found) == ""


def test_a_journal_says_by_which_plan_it_was_decided(folder):
    async def main():
        async with journal_of(folder / "planned.records") as journal:
            return [each async for each in history(journal)]

    opening, *frames = anyio.run(main)
    assert (opening.writer, opening.plan) == ("host:1", (folder / "day.toml").read_text())
    assert loads(opening.plan).name == "golden"
    found = [plain(entry) for frame in frames for entry in frame.entries]
    assert holds(expected(folder, "day")["entries"][: len(found)], found) == ""
    assert len(found) > 30


def test_an_older_journal_says_nothing_of_a_plan(folder, day):
    async def main():
        async with StoreJournal(day) as journal:
            return [each async for each in history(journal)]

    openings = [each for each in anyio.run(main) if isinstance(each, Opening)]
    assert [(each.writer, each.plan) for each in openings] == [
        ("host:0", ""),
        ("host:1", ""),
        ("host:2", ""),
    ]


@pytest.mark.parametrize("snapshot", ["good", "none", "of another release"])
def test_a_day_recovers_to_the_state_it_had(folder, day, snapshot):
    """Also when this release cannot use the snapshot: the journal in front of it is there."""
    plan = load(folder / "day.toml")

    async def main():
        journal = StoreJournal(day)
        async with journal:
            (kept,) = await day.snapshots()
            old = await journal.newest_snapshot()
            if snapshot == "none":
                await day.drop_snapshot(kept)
            elif snapshot != "good":
                other = msgspec.structs.replace(old, state=msgspec.msgpack.encode([0]))
                await journal.save_snapshot(other)
        return await recovered(journal, plan)

    found = anyio.run(main)
    assert found.whole is (snapshot != "good")
    assert holds(expected(folder, "day")["state"], facts(found.engine)) == ""


def test_a_router_goes_on_with_it(folder, day):
    plan = load(folder / "day.toml")
    before = expected(folder, "day")["state"]["open"]

    async def main():
        async with StoreJournal(day) as journal, Router(plan, journal=journal) as router:
            assert {each.id for each in router.interactions()} >= {each[0] for each in before}
            for name, *_ in before:
                assert await router.cancel(name)
        return await recovered(journal, plan)

    assert anyio.run(main).engine.interactions() == []


@pytest.mark.parametrize(
    "path",
    [path for folder in FORMATS for path in sorted(folder.glob("refused/*.records"))],
    ids=lambda path: f"{path.parts[-3]}-{path.stem}",
)
def test_what_must_fail_fails_and_is_named(path):
    said = json.loads((path.parent / "said.json").read_text())[path.stem]
    with pytest.raises(CorruptJournalError, match=said) as raised:
        read(path)
    assert raised.value.position == 5


def test_the_golden_state_would_show_a_difference(folder):
    """One event less is another state: the comparison is not blind."""
    day = expected(folder, "day")
    empty = facts(Engine(load(folder / "day.toml")))
    assert holds(day["state"], empty)
    assert holds(day["entries"], day["entries"][:-1])
