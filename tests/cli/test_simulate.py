"""`simulate` and `staff` on the command line."""

import csv
import json
import math
from pathlib import Path

import pytest

from omniroute import simulation
from omniroute.__main__ import main
from omniroute.cli import tables
from omniroute.errors import CommandError
from omniroute.simulation.erlang import erlang_c
from omniroute.simulation.staffing import Goal, Work, level, required

DAY = Path(__file__).parents[2] / "examples" / "day"

PLAN = """
[queues.q]
offer_timeout_s = 600
"""
SCENARIO = """
[scenario]
name = "small"
plan = "plan.toml"
duration_s = 7200
interval_s = 3600
cycle_s = 7200

[customers.c]
queue = "q"
arrivals = { per_hour = 60 }
handle_s = { exponential = 180 }
patience_s = { exponential = 100 }

[groups.g]
count = 3
"""


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN, "utf-8")
    (tmp_path / "strict.toml").write_text(PLAN + 'order = "strict"\n', "utf-8")
    path = tmp_path / "small.toml"
    path.write_text(SCENARIO, "utf-8")
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_report_is_the_librarys(scenario, capsys):
    code, out, _ = run(capsys, "simulate", scenario, "--json", "--replications", 3, "--seed", 7)
    assert code == 0
    report = simulation.summarize(simulation.replicate(simulation.load(scenario), seed=7, count=3))
    assert json.loads(out)["report"] == json.loads(report.to_json())


def test_more_processes_change_nothing(scenario, capsys):
    arguments = ["simulate", scenario, "--json", "--replications", 3, "--processes"]
    assert run(capsys, *arguments, 1) == run(capsys, *arguments, 2)


def test_tables_for_people(scenario, capsys):
    code, out, _ = run(capsys, "simulate", scenario, "--replications", 2, "--audit")
    assert code == 0
    for words in ("small: ", "service level offered", "By queue", "By group", "Who served whom"):
        assert words in out


def test_two_plans_side_by_side(scenario, capsys):
    other = scenario.parent / "strict.toml"
    arguments = ["simulate", scenario, "--replications", 2, "--compare", other]
    _, out, _ = run(capsys, *arguments, "--json")
    found = json.loads(out)
    # One kind of customer without priorities: strict order is the same order.
    assert found["compared"]["lines"] == found["report"]["lines"]
    assert {value["mean"] for value in found["difference"].values()} == {0.0}
    _, out, _ = run(capsys, *arguments)
    assert "difference" in out


def test_it_stops_when_it_is_precise_enough(scenario, capsys):
    arguments = ["simulate", scenario, "--json", "--replications", 9, "--until", "asa_ms=1000000"]
    _, out, _ = run(capsys, *arguments)
    assert json.loads(out)["report"]["replications"] == 5


def test_figures_and_plots_go_to_files(scenario, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    table, plots = tmp_path / "figures.csv", tmp_path / "plots"
    arguments = ["simulate", scenario, "--replications", 2, "--csv", table, "--plot", plots]
    assert run(capsys, *arguments, "--compare", scenario.parent / "strict.toml")[0] == 0
    assert {row["view"] for row in csv.DictReader(table.read_text().splitlines())} >= {
        "total",
        "queue",
        "group",
    }
    drawn = {path.name: path.read_bytes()[:4] for path in plots.iterdir()}
    assert set(drawn.values()) == {b"\x89PNG"}
    assert set(drawn) == {
        "service_level.png",
        "waits.png",
        "occupancy.png",
        "who_served_whom.png",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--replications", "0"], "--replications must be at least 1"),
        (["--until", "asa_ms"], "must look like asa_ms=500"),
        (["--until", "asa=5"], "did you mean 'asa_ms'"),
        (["--confidence", "95"], "between 0 and 1"),
        (["--compare", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_nonsense_ends_in_a_message(scenario, capsys, arguments, words):
    code, out, error = run(capsys, "simulate", scenario, "--processes", 1, *arguments)
    assert (code, out) == (2, "")
    assert words in error


def test_the_day_of_the_examples(capsys):
    path, other = DAY / "scenario.toml", DAY / "overflow.toml"
    arguments = ["--replications", 2, "--compare", other, "--audit", "--json"]
    _, out, _ = run(capsys, "simulate", path, *arguments)
    found = json.loads(out)
    assert found["difference"]["abandonment"]["mean"] < 0
    measures = found["report"]["lines"][0]["measures"]
    assert measures["left_open"]["mean"] == 0
    assert measures["arrived"]["mean"] > 1000


def test_a_table_is_drawn_where_somebody_looks(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    tables.show("Title", ["a", "b"], [["x", "1"]])
    assert "Title" in capsys.readouterr().out


# --- staff ------------------------------------------------------------------------------


def test_staff_tells_the_smallest_number_that_is_enough(capsys):
    code, out, _ = run(capsys, "staff", "--per-hour", 200, "--handle-s", 180, "--json")
    found = json.loads(out)
    agents = found["needed"][0]["agents"]
    assert code == 0
    assert erlang_c(agents, 10, 180_000).within(20_000) >= 0.8
    assert erlang_c(agents - 1, 10, 180_000).within(20_000) < 0.8
    assert [row["agents"] for row in found["levels"]] == list(range(agents - 2, agents + 3))


def test_staff_for_many_intervals_and_people(capsys):
    _, out, _ = run(
        capsys, "staff", "--per-hour", 100, 0, 300, "--handle-s", 180, "--patience-s", 120,
        "--shrinkage", 30, "--max-abandonment", 3, "--max-occupancy", 85,
    )  # fmt: skip
    rows = [line for line in out.splitlines() if "per hour" in line]
    assert len(rows) == 3
    assert "0 agents" in rows[1]


GOALS = [
    Goal(),
    Goal(0.95, 5_000),
    Goal(0.1, 20_000, max_occupancy=0.6),
    Goal(0.1, 20_000, max_abandonment=0.01),
]


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("patience_ms", [120_000, math.inf])
@pytest.mark.parametrize("per_hour", [3, 60, 900])
def test_one_agent_less_would_miss_the_goal(goal, patience_ms, per_hour):
    work = Work(per_hour, 180_000, patience_ms)
    found = required(work, goal)
    assert goal.met_by(found)
    if found.agents > 1:
        assert not goal.met_by(level(work, found.agents - 1, goal.target_ms))


@pytest.mark.parametrize(
    "make",
    [lambda: Work(-1, 1), lambda: Work(1, 0), lambda: Goal(0), lambda: Goal(max_occupancy=1)],
)
def test_impossible_work_and_goals_are_refused(make):
    with pytest.raises(CommandError):
        make()


def test_staff_refuses_nonsense(capsys):
    code, _, error = run(capsys, "staff", "--per-hour", 1, "--handle-s", 1, "--shrinkage", 100)
    assert (code, "shrinkage" in error) == (2, True)


# --- staffing by simulation ---------------------------------------------------------------


def test_what_one_more_agent_brings(scenario, capsys):
    arguments = ("staff", "--scenario", scenario, "--replications", 2)
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "one more in g" in out
    assert "+" in out
    _, out, _ = run(capsys, *arguments, "--json")
    (gain,) = json.loads(out)
    assert gain["difference"]["service_level_offered"]["mean"] > 0


def test_agents_are_added_until_it_is_good_enough(scenario, capsys):
    goal = ("--until", "service_level_offered=0.9", "--replications", 2)
    code, out, _ = run(capsys, "staff", "--scenario", scenario, *goal, "--json")
    steps = json.loads(out)
    assert code == 0
    assert steps[-1]["measures"]["service_level_offered"]["mean"] >= 0.9
    assert [step["name"] for step in steps] == ["", *["one more in g"] * (len(steps) - 1)]
    assert run(capsys, "staff", "--scenario", scenario, *goal)[0] == 0


def test_skills_each(capsys):
    arguments = ("staff", "--scenario", DAY / "scenario.toml", "--replications", 2)
    code, out, _ = run(capsys, *arguments, "--skills-each", 1, 3)
    assert code == 0
    assert "so many skills each" in out
    assert run(capsys, *arguments, "--skills-each", 9)[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--per-hour", "5"],
        ["--scenario", "{}", "--replications", "1"],
        ["--scenario", "{}", "--skill-cost", "0"],
        ["--scenario", "{}", "--until", "asa_ms"],
        ["--scenario", "{}", "--until", "speed=1", "--replications", "2"],
    ],
)
def test_staffing_without_sense_is_refused(scenario, capsys, arguments):
    given = [argument.format(scenario) for argument in arguments]
    code, _, err = run(capsys, "staff", *given)
    assert (code, bool(err)) == (2, True)
