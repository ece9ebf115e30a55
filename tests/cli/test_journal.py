"""``python -m omniroute journal``: what it finds in good, damaged and grown journals."""

import json
import sqlite3

import anyio
import pytest

import live
from omniroute import Customer, Engine, open_journal
from omniroute.__main__ import main
from omniroute.cli import progress
from omniroute.journal import KeyVault, new_master_key
from omniroute.plan import dumps, loads
from omniroute.router.shadow import take_snapshot

MESSAGES = 40


async def fill(url, messages=MESSAGES):
    """Some of everything, each command a frame; the moment is that of the message."""
    moment = iter(range(1_000_000, 1_000_000 + 10_000_000, 1_000))
    async with live.router(url, clock=lambda: next(moment)) as router:
        desk = await router.sign_in("ann")
        for _ in range(messages):
            await router.submit(live.message(), queue="support")
            for offer in desk.open_offers:
                await (await offer.accept()).complete("done")
        return router._engine.snapshot()


@pytest.fixture
def journal(tmp_path):
    path = tmp_path / "router.db"
    anyio.run(fill, f"sqlite:///{path}")
    return path


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "centre.toml"
    path.write_text(dumps(live.plan()), "utf-8")
    return path


def damage(path, position):
    with sqlite3.connect(path) as connection:
        (data,) = connection.execute(
            "select data from records where position = ?", (position,)
        ).fetchone()
        connection.execute(
            "update records set data = ? where position = ?", (data[:-1] + b"\0", position)
        )
    connection.close()


def told(capsys, *arguments, code=0):
    assert main(["journal", *map(str, arguments)]) == code
    return capsys.readouterr()


def test_a_whole_journal(journal, capsys):
    found = json.loads(told(capsys, "verify", journal, "--json").out)
    assert found["events"] == 4 * MESSAGES + 2 == found["next_seq"] - 1
    assert (found["epoch"], found["snapshots"]) == (1, 0)
    text = told(capsys, "verify", f"sqlite:///{journal}").out
    assert text.startswith(f"whole: {found['records']} records from 1, 162 events")


def test_a_damaged_journal_is_named_with_its_place(journal, capsys):
    damage(journal, 17)
    for action in ("verify", "stats", "export"):
        error = told(capsys, action, journal, code=1).err
        assert "the journal is damaged at record 17: its CRC is" in error


def test_a_lost_record_is_named_with_its_place(journal, capsys):
    with sqlite3.connect(journal) as connection:
        connection.execute("delete from records where position = 9")
    connection.close()
    assert "damaged at record 9 (from event" in told(capsys, "verify", journal, code=1).err


@pytest.mark.parametrize("where", ["nowhere.db", "sqlite:///nowhere.db"])
def test_looking_creates_no_file(tmp_path, monkeypatch, capsys, where):
    monkeypatch.chdir(tmp_path)
    assert "nowhere.db" in told(capsys, "verify", where, code=2).err
    assert not list(tmp_path.iterdir())


def test_a_journal_in_use_is_not_touched(journal, capsys):
    async def look():
        async with open_journal(f"sqlite:///{journal}"):
            return await anyio.to_thread.run_sync(main, ["journal", "verify", str(journal)])

    assert anyio.run(look) == 2
    assert "open in another process" in capsys.readouterr().err


def test_statistics(journal, capsys):
    found = json.loads(told(capsys, "stats", journal, "--json").out)
    assert found["events"] == {
        "accepted": MESSAGES,
        "became_ready": 1,
        "completed": MESSAGES,
        "offered": MESSAGES,
        "queued": MESSAGES,
        "signed_in": 1,
    }
    assert found["openings"] == 1
    assert found["first_ms"] < found["last_ms"]
    assert 50 < found["bytes_per_event"] < 200
    text = told(capsys, "stats", journal).out
    assert "1970-01-01 00:16:" in text
    assert "queued" in text


def test_an_export_is_decided_again_by_the_engine(journal, tmp_path, capsys):
    out = tmp_path / "day.jsonl"
    told(capsys, "export", journal, "--out", out)
    lines = told(capsys, "export", journal).out
    assert lines == out.read_text("utf-8")
    plan, *entries = [json.loads(line) for line in lines.splitlines()]
    assert loads(plan["plan"]) == live.plan()
    assert entries[0]["command"]["type"] == "sign_in"
    assert sum(len(entry["events"]) for entry in entries) == 162
    later = told(capsys, "export", journal, "--from", 100).out.splitlines()
    assert lines.splitlines()[-len(later) :] == later
    assert len(later) < len(entries)


def test_a_compacted_journal_has_the_same_state_in_less_room(journal, plan, capsys):
    anyio.run(fill, f"sqlite:///{journal}", 600)

    async def state():
        async with open_journal(f"sqlite:///{journal}") as opened:
            snapshot, chain = await opened.recover()
            engine = (
                Engine(live.plan())
                if snapshot is None
                else Engine.restore(live.plan(), snapshot.state)
            )
            async for header, body in opened.records(chain):
                for event in opened.events(header, body):
                    engine.apply(event)
            return engine.snapshot(), await opened.bounds()

    before, (first, last) = anyio.run(state)
    size = journal.stat().st_size
    assert first == 1
    assert "dropped" in told(capsys, "compact", journal, "--plan", plan).out
    after, (first, end) = anyio.run(state)
    assert after == before
    assert (first, end) == (last + 1, last + 1)  # what is left is the opening for the compaction
    assert journal.stat().st_size < size / 2
    anyio.run(fill, f"sqlite:///{journal}", 1)
    found = json.loads(told(capsys, "verify", journal, "--json").out)
    assert found["good_snapshot"] == end


def test_a_compaction_keeps_what_is_young(journal, plan, capsys):
    records = json.loads(told(capsys, "verify", journal, "--json").out)["records"]
    out = told(capsys, "compact", journal, "--plan", plan, "--keep-days", 1_000_000).out
    assert out == f"dropped 0 records; {records + 1} are kept\n"


def test_a_bar_is_drawn_only_where_somebody_looks(journal, capsys, monkeypatch):
    assert told(capsys, "verify", journal).err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.progress("fold", 10) as at:
        at(5)
    assert "fold" in capsys.readouterr().err


# --- sealed -------------------------------------------------------------------------------


@pytest.fixture
def sealed(tmp_path):
    """A sealed journal with a snapshot, and the arguments that open it."""
    path, master = tmp_path / "sealed.db", tmp_path / "master.key"
    master.write_text(new_master_key(), "utf-8")
    vault = KeyVault(tmp_path / "keys.db", master.read_text("utf-8"))

    async def write():
        async with live.router(f"sqlite:///{path}", vault=vault, clock=lambda: 5_000) as router:
            for who in ("jane", "bob"):
                message = live.message(f"words of {who}", customer=Customer(id=who))
                await router.submit(message, queue="support")
            await router.erase_customer("chat", "bob")
            await take_snapshot(router.journal, router.plan)

    anyio.run(write)
    return path, ("--vault", tmp_path / "keys.db", "--master-key", master)


def test_a_sealed_journal_with_and_without_its_keys(sealed, capsys, plan):
    path, keys = sealed
    closed = told(capsys, "export", path).out
    assert "words of" not in closed
    assert closed.count('"redacted":true') == 4
    _, _, opened = told(capsys, "export", path, *keys).out.partition("\n")  # behind the plan
    assert opened.count("words of jane") == 2
    assert "bob" not in opened
    assert "sealed: --vault" in told(capsys, "verify", path).out
    assert "good from record" in told(capsys, "verify", path, *keys).out
    for arguments in ((), keys):
        found = json.loads(told(capsys, "stats", path, "--json", *arguments).out)
        assert found["events"] == {"queued": 2, "customer_erased": 1}
    assert "open it with its vault" in told(capsys, "compact", path, "--plan", plan, code=2).err
    assert "dropped" in told(capsys, "compact", path, "--plan", plan, *keys).out
    assert "good from record" in told(capsys, "verify", path, *keys).out
    error = told(capsys, "export", path, *keys[:2], code=2).err
    assert "--vault and --master-key go together" in error


def test_another_master_key_is_told(sealed, capsys):
    path, keys = sealed
    keys[-1].write_text(new_master_key(), "utf-8")
    error = told(capsys, "verify", path, *keys, code=2).err
    assert "are wrapped by the master key" in error
