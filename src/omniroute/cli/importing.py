"""``import KIND FILE``: turn the configuration of another router into a plan."""

from __future__ import annotations

import argparse
import pathlib
import sys

from ..errors import PlanError
from ..importers import KINDS, Imported, Loss, import_plan
from ..importers.documents import MAX_TEXT

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=" | ".join(KINDS))
    parser.add_argument("file", metavar="FILE", help="the configuration; - is standard input")
    parser.add_argument("-o", "--output", metavar="PLAN", help="where to write the plan")


def run(args: argparse.Namespace) -> int:
    """Write the plan, and report what has no equivalent: beside it, on standard error."""
    imported = import_plan(args.kind, _text(args.file))
    if args.output is None:
        print(imported.toml, end="")
        _report(args.file, imported, to_errors=True)
    else:
        pathlib.Path(args.output).write_text(imported.toml, "utf-8")
        _report(args.file, imported, to_errors=False)
    return 0


def _text(path: str) -> str:
    limit = 4 * MAX_TEXT + 1
    if path == "-":
        data = sys.stdin.buffer.read(limit)
    else:
        with pathlib.Path(path).open("rb") as file:
            data = file.read(limit)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlanError("not UTF-8", where=path) from error


def _report(path: str, imported: Imported, *, to_errors: bool) -> None:
    out = sys.stderr if to_errors else sys.stdout
    for gap in imported.gaps:
        print(f"{path}: {gap}", file=out)
    lost = sum(gap.loss is Loss.LEFT_OUT for gap in imported.gaps)
    print(f"{path}: {lost} left out, {len(imported.gaps) - lost} changed", file=out)
