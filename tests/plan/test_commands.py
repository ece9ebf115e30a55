"""`python -m omniroute check` and `draw`: what they print, and how they end."""

import json
import subprocess
import sys

import pytest

from omniroute.__main__ import COMMANDS, main
from omniroute.plan import draw, load

GOOD = '[queues.q]\n[[triage]]\nqueue = "q"\n'
WARNED = '[queues.q]\norder = "strict"\n[[triage]]\nqueue = "q"\n'
FAULTY = WARNED + '[skills]\na = 5\n[queues.r]\nmembers = "a >= 6"\n'


@pytest.fixture
def plan(tmp_path):
    def write(text):
        path = tmp_path / "plan.toml"
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_a_good_plan_ends_with_0(plan, capsys):
    path = plan(GOOD)
    assert main(["check", path]) == 0
    assert capsys.readouterr().out == f"{path}: 0 errors, 0 warnings\n"


def test_warnings_are_printed_and_end_with_0(plan, capsys):
    path = plan(WARNED)
    assert main(["check", path]) == 0
    out = capsys.readouterr().out
    assert f"{path}: queues.q.order: warning: strict: priority 0 can wait" in out
    assert "[starving_priority]\n" in out
    assert out.endswith(f"{path}: 0 errors, 1 warning\n")


def test_errors_end_with_1(plan, capsys):
    path = plan(FAULTY)
    assert main(["check", path]) == 1
    out = capsys.readouterr().out
    assert f"{path}: queues.r.members: error: a >= 6: the highest level of 'a' is 5" in out


def test_json_is_one_object(plan, capsys):
    path = plan(FAULTY)
    assert main(["check", path, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["plan"] == path
    assert shown["findings"][0] == {
        "severity": "error",
        "code": "skill_out_of_reach",
        "where": "queues.r.members",
        "message": "a >= 6: the highest level of 'a' is 5",
    }


UNREADABLE = [
    ("[queues", "line 1: not valid TOML"),
    ("quues = 3", "did you mean 'queues'?"),
    ("[queues.a]\nmembers = 'a >'", "queues.a.members: expected a value"),
    ("[queues.a]\ntier = -1\npriority = -1", "2 faults"),
]


@pytest.mark.parametrize("command", ["check", "draw"])
@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_an_unreadable_plan_ends_with_2_and_a_message(plan, capsys, command, text, message):
    path = plan(text)
    assert main([command, path]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("omniroute: ")
    assert message in shown.err
    assert path in shown.err


def test_a_missing_file_ends_with_2_and_a_message(capsys):
    assert main(["check", "no-such-plan.toml"]) == 2
    assert "no-such-plan.toml" in capsys.readouterr().err


def test_draw_prints_the_drawing(plan, capsys):
    path = plan(GOOD)
    assert main(["draw", path]) == 0
    assert capsys.readouterr().out == draw(load(path))


def test_help_names_every_command_and_imports_none(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for name, _, purpose in COMMANDS:
        assert name in out
        assert purpose.split(",")[0] in " ".join(out.split())


@pytest.mark.parametrize("arguments", [[], ["chek"], ["check"], ["check", "a", "b"]])
def test_a_wrong_call_ends_with_2_and_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: omniroute" in capsys.readouterr().err


def test_as_a_module(plan):
    command = [sys.executable, "-m", "omniroute", "check", plan(FAULTY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    assert "2 errors, 2 warnings" in done.stdout


def test_a_reader_that_leaves_early_is_no_traceback(plan):
    many = "".join(f'[queues.q{n}]\norder = "strict"\n' for n in range(3000))
    command = f'"{sys.executable}" -m omniroute draw "{plan(many)}" | head -n 1'
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("flowchart LR\n", "")
