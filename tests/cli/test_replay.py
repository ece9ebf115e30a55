"""`replay` on the command line: a recorded day again, and under another plan."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from omniroute import Agent, Channel, Message, Plan, Router
from omniroute.__main__ import main
from omniroute.cli import entries
from omniroute.journal import Frame, open_journal
from omniroute.plan import dumps, loads

DAY = Path(__file__).parents[2] / "examples" / "day"


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    path = tmp_path_factory.mktemp("replay") / "day.jsonl"
    arguments = ["simulate", DAY / "scenario.toml", "--replications", 1, "--record", path]
    assert main([str(argument) for argument in arguments]) == 0
    return path


@pytest.fixture(scope="module")
def bare(day):
    """As it was recorded before journals held plans."""
    path = day.with_name("bare.jsonl")
    path.write_bytes(b"".join(day.read_bytes().splitlines(keepends=True)[1:]))
    return path


def test_a_recorded_day_is_decided_again_with_nothing_but_itself(day, capsys):
    code, out, _ = run(capsys, "replay", day)
    assert code == 0
    assert "all 6,255 events are the same" in out


def test_the_plan_it_was_recorded_with_decides_it_again(bare, capsys):
    code, out, _ = run(capsys, "replay", bare, "--recorded", DAY / "plan.toml")
    assert code == 0
    assert "all 6,255 events are the same" in out


def test_another_plan_does_not_and_the_place_is_named(day, capsys):
    arguments = ("replay", day, "--recorded", DAY / "overflow.toml", "--json")
    code, out, _ = run(capsys, *arguments)
    found = json.loads(out)["again"]["difference"]
    assert code == 1
    assert found["seq"] == 186
    assert found["recorded"]["type"] == "completed"
    assert found["decided"]["type"] == "step_reached"
    code, out, _ = run(capsys, *arguments[:-1])
    assert code == 1
    assert "event 186" in out


def test_what_another_plan_would_have_done(day, capsys):
    code, out, _ = run(capsys, "replay", day, "--plan", DAY / "overflow.toml", "--changes", 3)
    assert code == 0
    for wanted in ("overflow", "gained", "would have been", "Kaplan-Meier", "6 expired"):
        assert wanted in out, wanted
    code, out, _ = run(capsys, "replay", day, "--plan", DAY / "overflow.toml", "--json")
    found = json.loads(out)
    assert found["again"] is None
    assert set(found["what_if"]["before"]) == {"sales", "support", "mail"}
    assert found["what_if"]["counts"]["gained"] > found["what_if"]["counts"]["lost"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", None), ("no json\n", "line 1"), ('{"now_ms": 1}\n', "line 1"), (b"\xff\n", "line 1")],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, capsys, text, wanted):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    code, out, err = run(capsys, "replay", path, "--recorded", DAY / "plan.toml")
    if wanted is None:
        assert (code, "0 commands" in out) == (0, True)
    else:
        assert code == 2
        assert wanted in err


def test_a_journal_in_a_database_is_read_by_url_or_path(day, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plan, *lines = entries.history(str(day))
    anyio.run(_keep, "sqlite:///router.db", lines, dumps(plan))
    for where in ("sqlite:///router.db", "router.db", f"sqlite:///{tmp_path}/router.db"):
        code, out, _ = run(capsys, "replay", where)
        assert (code, "all 6,255 events are the same" in out) == (0, True), where
    code, _, err = run(capsys, "replay", "sqlite:///other.db", "--recorded", DAY / "plan.toml")
    assert (code, "other.db" in err) == (2, True)
    assert not (tmp_path / "other.db").exists()


async def _keep(url, lines, plan=""):
    async with open_journal(url) as journal:
        await journal.claim(plan=plan)
        for at in range(0, len(lines), 100):
            frame = Frame(journal.next_seq, tuple(lines[at : at + 100]))
            await journal.append(frame)


def test_an_exported_journal_still_holds_its_plan(day, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plan, *lines = entries.history(str(day))
    anyio.run(_keep, "sqlite:///router.db", lines, dumps(plan))
    assert run(capsys, "journal", "export", "router.db", "--out", "again.jsonl")[0] == 0
    assert Path("again.jsonl").read_bytes() == day.read_bytes()


def test_without_a_plan_the_way_to_name_it_is_told(bare, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    anyio.run(_keep, "sqlite:///router.db", [*entries.read(str(bare))])
    for where in (bare, "router.db"):
        code, _, err = run(capsys, "replay", where)
        assert code == 2
        assert "--recorded PLAN" in err
    code, _, err = run(capsys, "explain", bare, "--offer", 1)
    assert code == 2
    assert "--plan PLAN" in err


def test_a_broken_plan_is_named_with_its_place(tmp_path, capsys):
    path = tmp_path / "day.jsonl"
    path.write_bytes(entries.plan_line("[queues.sales]\nnonsense = 1\n"))
    code, _, err = run(capsys, "replay", path)
    assert code == 2
    assert "nonsense" in err
    assert "day.jsonl" in err


async def _two_days(url):
    """A router that is restarted with a plan under which the next call rings somebody else."""
    first = loads('[queues.calls]\nmembers = "calls >= 1"\nstrategy = "most_skilled"\n')
    second = loads('[queues.calls]\nmembers = "calls >= 1"\nstrategy = "least_skilled"\n')
    agents = [Agent(id=f"a{level}", skills={"calls": level}) for level in (3, 9, 5)]
    for number, plan in enumerate((first, first, second, second), start=1):
        async with Router(plan, journal=url) as router, AsyncExitStack() as desks:
            for agent in agents:
                await desks.enter_async_context(router.sign_in(agent))
            await router.submit(Message(channel=Channel.VOICE), queue="calls")
            assert await router.cancel(f"i{number}")


def test_a_router_that_went_on_with_another_plan_is_followed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    anyio.run(_two_days, "sqlite:///router.db")
    assert [type(each) for each in entries.history("router.db")].count(Plan) == 2
    code, out, _ = run(capsys, "replay", "router.db")
    assert (code, "are the same" in out) == (0, True), out
    plan = tmp_path / "first.toml"
    plan.write_text(dumps(next(entries.history("router.db"))), "utf-8")
    code, out, _ = run(capsys, "replay", "router.db", "--recorded", plan)
    assert (code, "offered" in out.lower()) == (1, True)
