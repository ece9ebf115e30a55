"""The test files that the documentation shows, run by a real pytest with real pytest-asyncio."""

import subprocess
import sys
from pathlib import Path

import test_docs

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pytest.md"


def test_the_tests_of_the_page_pass(tmp_path):
    text = PAGE.read_text("utf-8")
    code = [block.code for block in test_docs.blocks("pytest.md", text) if "python" in block.words]
    (tmp_path / "test_page.py").write_text("\n".join(code), "utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{text.count('def test_') + 1} passed" in done.stdout  # one of them on both loops
