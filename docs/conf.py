"""How Sphinx builds these pages: Markdown in, plots drawn, no network, every warning an error."""

from importlib.metadata import version as version_of
from pathlib import Path
from textwrap import indent

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from omniroute import plan, simulation
from omniroute.cli import plots
from omniroute.model import Agent

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


def draw_plots(app: Sphinx) -> None:
    """Run the simulations that a page shows and draw them: no picture is older than the code."""
    folder = Path(app.srcdir) / "how-to" / "plots"
    days = Path(app.srcdir).parent / "examples" / "day"
    day = simulation.load(days / "scenario.toml")
    before = simulation.replicate(day, count=10)
    after = simulation.replicate(day, count=10, plan=plan.load(days / "overflow.toml"))
    staggered = simulation.replicate(simulation.load(days / "staggered.toml"), count=10)
    plots.draw(folder / "overflow", before, after)
    plots.draw(folder / "staggered", staggered, after)
    single = simulation.Scenario(
        name="one queue",
        plan=plan.Plan(name="simulated", queues=[plan.Queue(name="calls", offer_timeout_ms=10**9)]),
        customers=[
            simulation.CustomerKind(
                name="calls",
                queue="calls",
                arrivals=simulation.Poisson(200),
                handle=simulation.Exponential(180_000),
            )
        ],
        groups=[simulation.AgentGroup(name="team", agents=[Agent(id=str(n)) for n in range(12)])],
        warm_up_ms=10 * 3_600_000,
        duration_ms=210 * 3_600_000,
    )
    plots.draw(folder / "erlang", simulation.replicate(single, count=1), [])


def setup(app: Sphinx) -> None:
    """Show ```` ```mermaid ```` as text: GitHub draws it, and no script is loaded here."""
    app.connect("builder-inited", draw_plots)
    app.add_lexer("mermaid", TextLexer)
    app.connect("autodoc-process-docstring", keep_drawings)
