"""For tests of what is built on omniroute: checks that every extension must pass.

Nothing in the library imports this; it needs no test framework.
"""

from __future__ import annotations

from .stores import STORE_CHECKS, MakeStore, StoreCheck

__all__ = ["STORE_CHECKS", "MakeStore", "StoreCheck"]
