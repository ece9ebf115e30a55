"""How Sphinx builds these pages: Markdown in, no network, every warning an error."""

from importlib.metadata import version as version_of
from textwrap import indent

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "omniroute"
author = "the omniroute authors"
copyright = "the omniroute authors"  # noqa: A001 - the name that Sphinx reads
release = version_of("omniroute")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"omniroute {release}"
# Code stays as it is typed: no curly quotes in command lines.
smartquotes = False


def keep_drawings(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Keep the shape of a tree that is drawn with characters in a docstring."""
    paragraphs = "\n".join(lines).split("\n\n")
    drawn = [
        "::\n\n" + indent(paragraph, "    ") if "\n|-- " in paragraph else paragraph
        for paragraph in paragraphs
    ]
    lines[:] = "\n\n".join(drawn).split("\n")


def setup(app: Sphinx) -> None:
    """Show ```` ```mermaid ```` as text: GitHub draws it, and no script is loaded here."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("autodoc-process-docstring", keep_drawings)
