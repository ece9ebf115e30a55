"""Tables on the terminal: drawn by rich where it is installed and somebody looks, else plain."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

__all__ = ["show"]


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are figures."""
    body = list(rows)
    if sys.stdout.isatty() and _rich(title, header, body):
        return
    widths = [max(len(row[n]) for row in [header, *body]) for n in range(len(header))]
    print(title)
    for row in [header, *body]:
        cells = (
            cell.rjust(width) if n else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join(cells).rstrip())
    print()


def _rich(title: str, header: Sequence[str], body: Iterable[Sequence[str]]) -> bool:
    try:
        import rich.console
        import rich.table
    except ImportError:
        return False
    table = rich.table.Table(title=title, title_justify="left", header_style="bold")
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in body:
        table.add_row(*row)
    rich.console.Console().print(table)
    return True
