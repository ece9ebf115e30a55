"""The router is killed, again and again, and keeps what it promised. One that lies is found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from databases import nats, postgres

__all__ = ["nats", "postgres"]

HERE = Path(__file__).parent
IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


def report(*command):
    """What the campaign of a process of its own found: it forks, so it has no threads."""
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=3_000
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def url_of(server, request):
    """A journal of its own for each number, on a server of the test's own."""
    if server in ("sqlite", "sealed sqlite"):
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/{{n}}.db"
    if server == "postgresql":
        return f"{request.getfixturevalue('postgres')}?journal=kills{{n}}"
    nats = request.getfixturevalue("nats")
    return f"{nats.url}?monitor={nats.monitor}&journal=kills{{n}}"


@pytest.mark.durability
@pytest.mark.parametrize(
    ("server", "many"),
    [("sqlite", 1_000), ("sealed sqlite", 300), ("postgresql", 200), ("nats", 200)],
)
def test_nothing_that_was_acknowledged_is_lost_or_doubled_by_kills(server, many, request):
    kills = many if IS_SOAK else 30
    program = HERE / ("sealed_kills.py" if server.startswith("sealed") else "kills.py")
    found = report(str(program), "--kills", str(kills), "--journal", url_of(server, request))
    assert found["faults"] == []
    assert found["kills"] == kills
    assert found["restarts"] > kills / 2
    assert found["acknowledged"] > 10 * kills


#: What a store could do wrong, as the body of an append; the campaign must find each.
LIES = {
    "answers before it writes": """
        self.late = getattr(self, "late", []) + [(position, record)]
        if len(self.late) > 3:
            await SqliteStore.append(self, *self.late.pop(0))
    """,
    "writes the frame of a moment ago once more": """
        other = getattr(self, "other", record) if position % 7 == 0 else record
        await SqliteStore.append(self, position, other)
        self.other = record
    """,
    "drops one": """
        if position % 9:
            await SqliteStore.append(self, position, record)
        else:
            self._last += 1
    """,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_store_that_lies_is_found(lie):
    program = f"""
import json, sys, tempfile
sys.path.insert(0, {str(HERE)!r})
import kills
from omniroute.journal import SqliteStore, opening

class Liar(SqliteStore):
    async def append(self, position, record):
        {LIES[lie].strip()}

opening.STORES["lying"] = lambda url: Liar(url.partition("///")[2])
with tempfile.TemporaryDirectory() as folder:
    url_of = lambda n: f"lying:///{{folder}}/{{n}}.db"
    print(json.dumps(kills.campaign(url_of, 20, 1)))
"""
    assert report("-c", program)["faults"]


def test_a_vault_that_keeps_the_keys_is_found():
    program = f"""
import json, sys, tempfile
sys.path.insert(0, {str(HERE)!r})
import kills, sealed_kills
from omniroute.journal import KeyVault

KeyVault.retire = lambda self, keys: None
with tempfile.TemporaryDirectory() as folder:
    url_of = lambda n: f"sqlite:///{{folder}}/{{n}}.db"
    print(json.dumps(kills.campaign(url_of, 5, 1, kind=sealed_kills.SEALED)))
"""
    faults = report("-c", program)["faults"]
    assert any("the journal has the words of" in fault for fault in faults)
