"""Says whether the engine that is measured is compiled, because figures mean nothing without."""

from __future__ import annotations

from omniroute.engine import core

__all__ = ["engine_build"]


def engine_build() -> str:
    """``compiled`` after `make compiled`, else ``plain Python``."""
    return "plain Python" if core.__file__.endswith(".py") else "compiled"
