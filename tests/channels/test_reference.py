"""The tables of docs/reference/channels.md and the set-up page say what is in the code."""

import re
from collections import Counter
from pathlib import Path

import pytest

from channels.rows import NO_PAYLOADS, every_row
from omniroute.channels import CHANNELS, canonical_name
from omniroute.channels.providers import PROVIDERS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "channels.md").read_text("utf-8")
SET_UP = (DOCS / "how-to" / "set-up-channels.md").read_text("utf-8")


def table(first_cells: str) -> list[list[str]]:
    """The rows below the line that begins so, as cells."""
    lines = PAGE.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.startswith(first_cells)]
    found = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


NAMES = table("| name | also called |")
PROVIDED = table("| channel | opens or joins")
NOTHING = table("| channel | opens nothing |")
WHO = table("| channel | customer |")


@pytest.mark.parametrize("rows", [NAMES, PROVIDED, NOTHING, WHO])
def test_every_channel_has_one_row_in_every_table(rows):
    assert Counter(row[0].strip("`") for row in rows) == Counter(list(CHANNELS))
    assert len({len(row) for row in rows}) == 1


def test_the_other_names_are_names():
    for name, others, *_ in NAMES:
        for other in re.findall("`([a-z_]+)`", others):
            assert canonical_name(other) == name.strip("`")


@pytest.mark.parametrize("row", PROVIDED, ids=lambda row: row[0].strip("`"))
def test_a_row_says_everything_and_what_the_code_says(row):
    name, *cells, count, _ = (cell.strip("`") for cell in row)
    assert all(row)
    within = cells[3]
    seconds = re.fullmatch(r"(?:about )?(\d+) s", within)
    provider = PROVIDERS.get(name)
    limit_ms = provider.time_limit_ms if provider else None
    assert (int(seconds[1]) * 1000 if seconds else None) == limit_ms
    recorded = [row for row in every_row() if row.channel not in NO_PAYLOADS]
    assert int(count) == sum(canonical_name(row.channel) == name for row in recorded)


def test_every_channel_is_set_up_somewhere():
    shown = re.findall(r"^### .*\(`([a-z_`, ]+)`\)", SET_UP, re.MULTILINE)
    names = [name for heading in shown for name in re.findall("[a-z_]+", heading)]
    assert Counter(names) == Counter(list(CHANNELS))
