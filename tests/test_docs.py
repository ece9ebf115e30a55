"""Every code block of README.md and docs/ is run, in order, in a folder of its own.

What a block is for stands after its language:

- ```` ```python ```` is executed; the blocks of one page share their names, as a reader
  who follows the page would. A block with `>>>` is run as a doctest.
- ```` ```toml plan [NAME] ```` is a whole plan: it is loaded and must check without an
  error. With a name it is also kept under that name for the blocks that follow.
- ```` ```console ````: each line `$ python -m omniroute ...` is run and must exit with 0.

The folder shows the top level of the project, so `examples/...` is found as it is written.
"""

import doctest
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
BUILT = ROOT / "docs" / "_build"
PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if BUILT not in page.parents]

FENCE = re.compile(
    r"^(?P<fence>[ ]*(?:`{3,}|~{3,}))(?P<info>[^`\n]*)\n(?P<code>(?s:.*?))^(?P=fence)[ ]*$",
    re.MULTILINE,
)
COMMAND = re.compile(r"^\$ (python -m omniroute(?:.*\\\n)*.*)", re.MULTILINE)


class Block(NamedTuple):
    """One fenced block: where it stands, the words after its fence, its code."""

    page: str
    line: int
    words: list[str]
    code: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(page, line, found["info"].split() or [""], textwrap.dedent(found["code"]))


# --- running ----------------------------------------------------------------------------


def run_python(block: Block, module: ModuleType) -> None:
    if ">>>" in block.code:
        test = doctest.DocTestParser().get_doctest(
            block.code, vars(module), block.where, block.page, block.line - 1
        )
        failed = doctest.DocTestRunner(verbose=False).run(test, clear_globs=False).failed
        assert not failed, f"{block.where}: the doctest above"
        vars(module).update(test.globs)
    else:
        code = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's line
        exec(compile(code, str(ROOT / block.page), "exec"), vars(module))


def run_plan(block: Block, folder: Path) -> None:
    from omniroute.plan import Severity, check, load

    path = folder / (block.words[2] if len(block.words) > 2 else f"line-{block.line}.toml")
    path.write_text(block.code, "utf-8")
    errors = [finding for finding in check(load(path)) if finding.severity is Severity.ERROR]
    assert not errors, f"{block.where}: {errors}"


def run_commands(block: Block, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in COMMAND.findall(block.code):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{block.where}: {command}\n{done.stdout}{done.stderr}"


def run_page(page: str, text: str, folder: Path, module: ModuleType) -> None:
    for block in blocks(page, text):
        if block.words[0] == "python":
            run_python(block, module)
        elif block.words[:2] == ["toml", "plan"]:
            run_plan(block, folder)
        elif block.words[0] == "console":
            run_commands(block, folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (tmp_path / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def module(monkeypatch):
    """What `__main__` is to a script: classes of a page find their annotations in it."""
    made = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", made)
    return made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_the_page_work(page, folder, module):
    run_page(page.relative_to(ROOT).as_posix(), page.read_text("utf-8"), folder, module)


# --- the runner itself ------------------------------------------------------------------


BROKEN = [
    ("```python\nassert False\n```\n", AssertionError),
    ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", AssertionError),
    ("```python\n>>> 1 + 1\n3\n```\n", AssertionError),
    ("~~~python\nraise KeyError\n~~~\n", KeyError),
    ("```toml plan\n[queues\n```\n", ValueError),
    ("```console\n$ python -m omniroute no-such-command\n```\n", AssertionError),
    ("```console\n$ python -m omniroute \\\n    no-such-command\n```\n", AssertionError),
    ("1. A list:\n\n   ```python\n   raise KeyError\n   ```\n", KeyError),
]


@pytest.mark.parametrize(("text", "error"), BROKEN)
def test_a_broken_block_is_found(text, error, folder, module):
    with pytest.raises(error):
        run_page("page.md", text, folder, module)


def test_blocks_share_their_names_and_other_languages_are_left_alone(folder, module):
    text = (
        "```python\nx = 1\n```\n````markdown\n```python\nboom\n```\n````\n"
        "```python\n>>> x + 1\n2\n>>> y = x\n```\n```text\nboom\n```\n"
        "```python\nfrom __future__ import annotations\nassert y == 1\n"
        "assert __name__ == '__main__'\n```\n"
    )
    run_page("page.md", text, folder, module)


def test_a_block_knows_its_page_and_line():
    found = list(blocks("page.md", "# Title\n\n```toml plan centre.toml\nname = 'x'\n```\n"))
    assert found == [Block("page.md", 4, ["toml", "plan", "centre.toml"], "name = 'x'\n")]
