"""Says whether the engine that is measured is compiled, because figures mean nothing without."""

from __future__ import annotations

import sys
from importlib import machinery
from pathlib import Path

__all__ = ["engine_build", "take_sources"]


def take_sources() -> None:
    """Let omniroute be imported from its sources, compiled or not; call it before the import."""
    package = Path(__file__).parent.parent / "src" / "omniroute"

    def find(path: str) -> machinery.FileFinder:
        if not Path(path).is_relative_to(package):
            raise ImportError(path)
        return machinery.FileFinder(path, (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, find)
    sys.path_importer_cache.clear()


def engine_build() -> str:
    """``compiled`` after `make compiled`, else ``plain Python``."""
    from omniroute.engine import core

    return "plain Python" if core.__file__.endswith(".py") else "compiled"
