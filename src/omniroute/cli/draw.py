"""``draw PLAN``: print a plan as a Mermaid flowchart."""

from __future__ import annotations

import argparse

from ..plan import draw, load

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("plan", metavar="PLAN", help="the plan, a TOML file")


def run(args: argparse.Namespace) -> int:
    """Print the flowchart."""
    print(draw(load(args.plan)), end="")
    return 0
