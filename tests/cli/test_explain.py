"""`explain` on the command line: why an offer was made, and why something waited."""

import json

import pytest

from omniroute.__main__ import main
from omniroute.cli import entries
from omniroute.engine import Engine
from omniroute.events import Accept, Complete, SignIn, Submit, Tick
from omniroute.journal import Entry
from omniroute.model import Agent, Channel, Message
from omniroute.plan import load

PLAN = """
[queues.claims]
members = "claims >= 1"
strategy = "most_skilled"
"""
ANNA, BEN, CARL = (
    Agent(id="anna", skills={"claims": 5}),
    Agent(id="ben", skills={"claims": 9}),
    Agent(id="carl", skills={"sales": 9}),
)
SECRET = "my card is 4111"
MESSAGE = Message(channel=Channel.VOICE, text=SECRET, subject=SECRET)
COMMANDS = (
    (SignIn(ANNA), 1_000),
    (SignIn(BEN), 2_000),
    (SignIn(CARL), 2_500),
    (Submit(MESSAGE, queue="claims"), 3_000),
    (Accept(1), 4_000),
    (Submit(MESSAGE, queue="claims"), 5_000),
    (Accept(2), 6_000),
    (Submit(MESSAGE, queue="claims", priority=2), 7_000),
    (Submit(MESSAGE, queue="claims"), 8_000),
    (Complete(2), 9_000),
    (Tick(), 9_500),
)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A plan's path and a journal's."""
    folder = tmp_path_factory.mktemp("explain")
    plan = folder / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    engine = Engine(load(plan))
    written = [Entry(c, now_ms, tuple(engine.receive(c, now_ms))) for c, now_ms in COMMANDS]
    entries.write_lines(str(folder / "day.jsonl"), load(plan), written)
    return plan, folder / "day.jsonl"


def run(capsys, day, *arguments):
    plan, journal = day
    code = main(["explain", str(journal), "--plan", str(plan), *map(str, arguments)])
    shown = capsys.readouterr()
    assert SECRET not in shown.out + shown.err
    return code, shown.out, shown.err


def told(capsys, day, *arguments):
    code, out, err = run(capsys, day, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_an_offer_has_its_candidates_filters_and_scores(capsys, day):
    found = told(capsys, day, "--offer", 1)
    assert (found["agent_id"], found["rule"], found["strategy"]) == ("ben", "both", "most_skilled")
    rows = [(c["rank"], c["agent_id"], c["verdict"], c["score"]) for c in found["candidates"]]
    assert rows == [
        (1, "ben", "eligible", ["0", "-9"]),
        (2, "anna", "eligible", ["0", "-5"]),
        (None, "carl", "not_a_member", None),
    ]
    code, out, _ = run(capsys, day, "--offer", 1)
    assert code == 0
    assert "i1 of queue 'claims' to ben" in out
    assert "not_a_member" in out


def test_who_was_freed_was_offered_the_first_in_order(capsys, day):
    found = told(capsys, day, "--offer", 3)
    assert (found["interaction_id"], found["agent_id"]) == ("i3", "anna")
    assert [(r["rank"], r["interaction_id"], r["priority"]) for r in found["rivals"]] == [
        (1, "i3", 2),
        (2, "i4", 0),
    ]
    assert found["at_ms"] == 9_000


def test_what_waits_is_explained_at_any_moment(capsys, day):
    found = told(capsys, day, "--interaction", "i4", "--at", 8_700)
    assert (found["reason"], found["position"], found["waited_ms"]) == ("all_busy", 2, 700)
    assert told(capsys, day, "--interaction", "i3")["reason"] == "offered"
    early = told(capsys, day, "--interaction", "i3", "--at", "1970-01-01T00:00:07+00:00")
    assert (early["reason"], early["position"]) == ("all_busy", 1)
    code, out, _ = run(capsys, day, "--interaction", "i4")
    assert code == 0
    assert "i4 in queue 'claims' is waiting" in out
    assert "too few samples" in out


def test_what_has_ended_is_explained_as_it_was_just_before(capsys, day):
    found = told(capsys, day, "--interaction", "i2")
    assert (found["reason"], found["agent_id"], found["waited_ms"]) == ("engaged", "anna", 4_000)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--offer", 9], "has no offer 9; its last one is 3"),
        (["--interaction", "x"], "'x' is not open: the journal does not name it"),
        (["--interaction", "i4", "--at", "100"], "'i4' is not open at 100"),
        (["--offer", 1, "--at", "100"], "--at goes with --interaction"),
    ],
)
def test_what_cannot_be_explained_is_said(capsys, day, arguments, says):
    code, _, err = run(capsys, day, *arguments)
    assert code == 2
    assert says in err


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01T00:00:00"])
def test_a_moment_needs_a_form_and_an_offset(capsys, day, moment):
    with pytest.raises(SystemExit):
        run(capsys, day, "--interaction", "i1", "--at", moment)
    assert "ISO 8601" in (err := capsys.readouterr().err) or "no offset" in err
