"""How Sphinx builds these pages: Markdown in, no network, every warning an error."""

from importlib.metadata import version as version_of

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "omniroute"
author = "the omniroute authors"
copyright = "the omniroute authors"  # noqa: A001 - the name that Sphinx reads
release = version_of("omniroute")
version = release

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"omniroute {release}"
# Code stays as it is typed: no curly quotes in command lines.
smartquotes = False


def setup(app: Sphinx) -> None:
    """Show ```` ```mermaid ```` as text: GitHub draws it, and no script is loaded here."""
    app.add_lexer("mermaid", TextLexer)
