"""The house rules hold, and each rule finds the fault it is there for."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import house
import omniroute

ROOT = Path(__file__).parent.parent

#: Files and functions that may be longer, each with its reason:
#: "omniroute/plan/parser.py" or "omniroute/plan/parser.py:parse" -> why.
LONGER: dict[str, str] = {
    "omniroute/events.py": "one list of small values: the whole vocabulary, read side by side",
}


def sources(folder: Path, under: Path) -> list[house.Source]:
    return [
        house.Source.of(path.relative_to(under).as_posix(), path.read_text("utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]


PACKAGE = sources(ROOT / "src", ROOT / "src")
SCRIPTS = sources(ROOT / "examples", ROOT) + sources(ROOT / "benchmarks", ROOT)


def report(violations) -> str:
    return "\n".join(map(str, violations))


# --- the tree ---------------------------------------------------------------------------


@pytest.mark.parametrize("rule", house.PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule):
    assert PACKAGE
    assert not report(found for source in PACKAGE for found in rule(source))


@pytest.mark.parametrize("rule", house.COMMON_RULES, ids=lambda rule: rule.__name__)
def test_package_examples_and_benchmarks_keep_the_rule(rule):
    found = [violation for source in PACKAGE + SCRIPTS for violation in rule(source)]
    excused = {name.partition(":")[0] for name in LONGER}
    assert not report(violation for violation in found if key(violation) not in LONGER)
    assert excused <= {source.path for source in PACKAGE + SCRIPTS}


def test_no_reason_outlives_its_long_file_or_function():
    rules = (house.check_file_length, house.check_function_length)
    still_long = {key(v) for source in PACKAGE + SCRIPTS for rule in rules for v in rule(source)}
    assert set(LONGER) <= still_long


def key(violation: house.Violation) -> str:
    name, has, _ = violation.message.partition(" has ")
    return f"{violation.path}:{name}" if has else violation.path


def test_every_room_has_an_init_file():
    packages = {path.parent for path in (ROOT / "src" / "omniroute").rglob("*.py")}
    assert not [p.name for p in packages if not (p / "__init__.py").exists()]


# --- the front door ---------------------------------------------------------------------


def isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: the order that ruff keeps in `__all__`."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_the_front_door_names_exactly_what_is_public():
    public = {
        name
        for name, value in vars(omniroute).items()
        if not name.startswith("_") and not hasattr(value, "__path__") and name not in rooms()
    }
    exported = list(getattr(omniroute, "__all__", []))
    assert public - {"annotations"} == {name for name in exported if not name.startswith("_")}
    assert exported == sorted(exported, key=isort_key)


def rooms() -> set[str]:
    return {source.room for source in PACKAGE}


#: Runs with every third party but the core ones missing, as after a plain install.
ONLY_CORE = """
import importlib.abc, sys
allowed = set(sys.argv[1].split(","))
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
for module in sys.argv[2].split(","):
    __import__(module)
"""


def import_with_core_only(modules: list[str], allowed: set[str]) -> subprocess.CompletedProcess:
    arguments = [",".join(sorted(allowed)), ",".join(modules)]
    return subprocess.run(
        [sys.executable, "-c", ONLY_CORE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# What the core dependencies themselves bring.
BROUGHT = {"omniroute", "idna", "sniffio", "typing_extensions", *house.CORE}


def test_the_package_imports_with_only_its_core_dependencies():
    modules = [
        ".".join(source.parts).removesuffix(".__init__")
        for source in PACKAGE
        if source.room not in house.OPT_IN
    ]
    done = import_with_core_only(["omniroute", *modules], BROUGHT)
    assert done.returncode == 0, done.stderr


def test_that_import_test_can_fail():
    done = import_with_core_only(["omniroute.errors"], BROUGHT - {"omniroute"})
    assert "No module named 'omniroute'" in done.stderr


# --- the rules themselves ---------------------------------------------------------------

FAULTS = [
    # rule, file, text, what the message says
    ("rooms", "plan/a.py", "from ..engine import Engine", "plan must not import omniroute.engine"),
    ("rooms", "plan/a.py", "from .. import engine", "plan must not import omniroute.engine"),
    ("rooms", "plan/a.py", "from .. import Router", "plan must not import omniroute.Router"),
    ("rooms", "plan/a.py", "import omniroute", "plan must not import omniroute"),
    ("rooms", "plan/deep/a.py", "from ...router import x", "must not import omniroute.router"),
    ("rooms", "errors.py", "from .model import Agent", "errors must not import omniroute.model"),
    ("rooms", "model.py", "from .events import Queued", "model must not import omniroute.events"),
    ("rooms", "channels/a.py", "import omniroute.events", "must not import omniroute.events"),
    ("rooms", "engine/a.py", "from ..channels import x", "it may: errors, events, model, plan"),
    ("rooms", "router/a.py", "from ..simulation import x", "must not import omniroute.simulation"),
    ("rooms", "journal/a.py", "def f():\n    from ..plan import x", "must not import"),
    ("rooms", "web/a.py", "from .. import __main__", "must not import omniroute.__main__"),
    ("rooms", "router/a.py", "from ..web.app import x", "must not import omniroute.web"),
    ("rooms", "attic/a.py", "", "unknown room 'attic'"),
    ("bans", "engine/a.py", "import time", "now_ms"),
    ("bans", "engine/a.py", "from time import monotonic as m", "now_ms"),
    ("bans", "engine/a.py", "import datetime as dt\ndt.datetime.now()", "now_ms"),
    ("bans", "channels/a.py", "from datetime import datetime as d\nd.utcnow()", "now_ms"),
    ("bans", "plan/a.py", "from datetime import date\nf = date.today", "now_ms"),
    ("bans", "simulation/a.py", "import random\nrandom.random()", "seed"),
    ("bans", "simulation/a.py", "import random as r\nr.SystemRandom(1)", "seed"),
    ("bans", "simulation/a.py", "from random import shuffle", "seed"),
    ("bans", "engine/a.py", "import uuid\nuuid.uuid4()", "seed"),
    ("bans", "plan/a.py", "import os\nos.environ['X']", "argument"),
    ("bans", "plan/a.py", "from os import getenv", "argument"),
    ("bans", "plan/a.py", "import os.path\nos.getenv('X')", "argument"),
    ("bans", "engine/a.py", "import threading", "synchronous"),
    ("bans", "engine/a.py", "from concurrent.futures import Executor", "synchronous"),
    ("bans", "engine/a.py", "import anyio.abc", "synchronous"),
    ("bans", "engine/a.py", "def f():\n    import asyncio", "synchronous"),
    ("bans", "model.py", "print('hello')", "events"),
    ("bans", "journal/a.py", "print('hello')", "events"),
    ("bans", "engine/a.py", "import logging", "events"),
    ("bans", "engine/a.py", "list(map(print, []))", "events"),
    ("bans", "plan/a.py", "import sys\nsys.stderr.write('x')", "events"),
    ("bans", "channels/a.py", "import urllib.request", "bytes"),
    ("bans", "channels/a.py", "open('x')", "bytes"),
    ("rooms", "router/a.py", "from ..cli import check", "must not import omniroute.cli"),
    ("bans", "router/a.py", "eval('1')", "expression language"),
    ("bans", "web/a.py", "exec('1')", "expression language"),
    ("bans", "router/a.py", "import importlib\nimportlib.import_module('x')", "import statement"),
    ("pure_syntax", "engine/a.py", "async def f(): ...", "synchronous"),
    ("pure_syntax", "simulation/a.py", "import random\nrandom.Random()", "without a seed"),
    ("extras", "channels/a.py", "import phonenumbers", "inside the function"),
    ("extras", "router/a.py", "try:\n    import rich\nexcept ImportError: ...", "inside"),
    ("docstring", "plan/a.py", "x = 1", "why the file exists"),
    ("docstring", "plan/__init__.py", "", "why the file exists"),
    ("file_length", "plan/a.py", "x = 1\n" * 451, "451 lines, at most 450"),
    ("function_length", "plan/a.py", "def f():\n" + "    x = 1\n" * 60, "f has 61 lines"),
]


@pytest.mark.parametrize(("rule", "path", "text", "says"), FAULTS)
def test_a_planted_fault_is_found(rule, path, text, says):
    source = house.Source.of(f"omniroute/{path}", text)
    assert says in report(getattr(house, f"check_{rule}")(source))


FINE = [
    ("plan/a.py", "from ..model import Agent\nfrom .b import c\nfrom . import d"),
    ("plan/a.py", "from pathlib import Path\nPath('x').read_bytes()"),
    ("engine/a.py", "from ..plan.model import Plan\nfrom ..events import Queued"),
    ("engine/a.py", "def f(time, logging):\n    return time.monotonic, logging.x"),
    ("engine/a.py", "import re\nre.compile('x').exec"),
    ("channels/a.py", "def f():\n    import phonenumbers"),
    ("channels/a.py", "from datetime import datetime\ndatetime.fromtimestamp(0)"),
    ("channels/a.py", "from urllib.parse import urlsplit\nfrom email.utils import parseaddr"),
    ("simulation/a.py", "import random\nd = random.Random(7)\nd.random()"),
    ("simulation/a.py", "from random import Random\ndef f(dice: Random): return dice.random()"),
    ("router/a.py", "import time, os, anyio\ntime.monotonic()\nos.environ"),
    ("router/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import starlette"),
    ("cli/a.py", "from ..simulation import x\nprint('x')"),
    ("__main__.py", "import importlib\nimportlib.import_module('omniroute.cli.check')"),
    ("web/a.py", "import starlette\nfrom ..router import Router"),
    ("__init__.py", "from .router import Router"),
    ("__main__.py", "from . import Router, simulation, web\nprint('x')"),
    ("plan/a.py", "'''Long.'''\n" + "x = 1\n" * 448),
    ("plan/a.py", "def f():\n" + "    x = 1\n" * 59),
]


@pytest.mark.parametrize(("path", "text"), FINE)
def test_what_is_allowed_is_not_reported(path, text):
    source = house.Source.of(f"omniroute/{path}", f"{text}\n")
    rules = [*house.PACKAGE_RULES, house.check_file_length, house.check_function_length]
    assert not report(found for rule in rules for found in rule(source))


def test_a_violation_says_where():
    source = house.Source.of("omniroute/engine/a.py", "x = 1\nimport time\n")
    assert report(house.check_bans(source)).startswith("omniroute/engine/a.py:2: time is banned")


# --- the compiled build -----------------------------------------------------------------


def test_every_module_that_is_compiled_is_there():
    modules = runpy.run_path(str(ROOT / "tools" / "compile_hot_path.py"))["MODULES"]
    rooms = ROOT / "src" / "omniroute"
    named = {f"{room}/{name}.py" for room, names in modules.items() for name in names}
    assert not {path for path in named if not (rooms / path).is_file()}
