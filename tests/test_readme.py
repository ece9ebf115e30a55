"""What README.md lists is what there is: the channels, the extras, two commands to begin."""

import re
import tomllib
from pathlib import Path

from omniroute.channels.registry import CHANNELS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """What stands below a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_it_names_every_channel_once():
    named = re.findall(r"`(\w+)`", section("Channels today"))
    assert sorted(named) == sorted(CHANNELS)


def test_its_table_holds_every_extra_of_users_and_what_it_brings():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*?) ?\|$", section("Install"), re.MULTILINE)
    table = {extra: set(re.findall(r"[\w-]+", brings)) for extra, brings in rows}
    assert table.keys() == extras.keys() - {"dev", "docs"}
    for extra in table.keys() - {"all"}:
        assert table[extra] == {re.match(r"[\w-]+", needs)[0] for needs in extras[extra]}


def test_two_commands_are_enough_to_begin():
    commands = re.findall(r"^\$ (.+)$", README, re.MULTILINE)
    assert commands == ["make demo", "make test"]
