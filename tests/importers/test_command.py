"""`python -m omniroute import`: the plan in one place, the report in the other."""

from pathlib import Path

import pytest

from omniroute.__main__ import main
from omniroute.importers import KINDS
from omniroute.plan import load, loads

FILE = str(Path(__file__).parents[1] / "data" / "importers" / "asterisk_queues.conf")


def test_the_plan_is_printed_and_the_report_goes_beside_it(capsys):
    assert main(["import", "asterisk", FILE]) == 0
    shown = capsys.readouterr()
    assert loads(shown.out).queues
    assert f"{FILE}: line 44: left out: #include" in shown.err
    assert shown.err.endswith(" changed\n")


def test_a_file_is_written_and_the_report_is_printed(tmp_path, capsys):
    path = tmp_path / "plan.toml"
    assert main(["import", "asterisk", FILE, "-o", str(path)]) == 0
    assert load(path).name == "asterisk"
    shown = capsys.readouterr()
    assert "line 44: left out" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(
    ("data", "says"), [(b"\xff", "not UTF-8"), (b"", "no queue"), (None, "No such file")]
)
def test_what_cannot_be_imported_ends_with_2(tmp_path, capsys, data, says):
    path = tmp_path / "queues.conf"
    if data is not None:
        path.write_bytes(data)
    assert main(["import", "asterisk", str(path)]) == 2
    assert says in capsys.readouterr().err


def test_the_kinds_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    assert " | ".join(KINDS) in " ".join(capsys.readouterr().out.split())
