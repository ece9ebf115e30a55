"""Every relative link of the pages leads to a file, and to a heading where it names one.

Sphinx checks the links between the pages of docs/; it does not read README.md and
CONTRIBUTING.md, which are read where the repository is.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILT = ROOT / "docs" / "_build"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if BUILT not in page.parents]

CODE = re.compile(r"^[ ]*(`{3,}|~{3,}).*?^[ ]*\1[ ]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^[ ]*(`{3,}|~{3,}).*?^[ ]*\1[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text: str) -> Iterator[str]:
    """The targets of the links in a page, but not those that stand in code."""
    for found in LINK.finditer(CODE.sub("", text)):
        yield found[1] or found[2]


def anchors(text: str) -> set[str]:
    """The names of a page's headings, as GitHub and MyST make them."""
    headings = HEADING.findall(FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    for target in links(text):
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        aim = page.parent / path
        is_there = not path or aim.exists()
        if is_there and anchor:
            is_there = anchor in anchors(aim.read_text("utf-8") if path else text)
        if not is_there:
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(page):
    assert broken(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](no/such.md)", ["no/such.md"]),
        ("[a](README.md), [b](docs/index.md) and [c](src)", []),
        ("[a](README.md#no-such-heading)", ["README.md#no-such-heading"]),
        ("# Über `it`: all\n\n[a](#über-it-all), [b](#all)", ["#all"]),
        ('[wrapped\ntext](no.md) and ![picture](no.png "title")', ["no.md", "no.png"]),
        ("[a][r]\n\n[r]: no.md", ["no.md"]),
        ("[a](https://example.com/no.md) [b](mailto:a@example.com)", []),
        ("`[a](no.md)`\n\n```markdown\n[a](no.md)\n```\n", []),
    ],
)
def test_a_broken_link_is_found(text, found):
    assert broken(ROOT / "page.md", text) == found
