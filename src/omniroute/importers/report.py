"""What an import gives back: a plan in TOML, and everything that is not in it, or not quite."""

from __future__ import annotations

import enum

import attrs

__all__ = ["Gap", "Imported", "Loss"]


class Loss(enum.StrEnum):
    """How much of something was lost on the way."""

    LEFT_OUT = "left_out"  #: it is not in the plan
    CHANGED = "changed"  #: something near it is in the plan


@attrs.frozen
class Gap:
    """One thing of the source that the plan does not say, or says in another way.

    ``where`` is its place in the source (a key path or a line), ``what`` the thing itself,
    ``why`` it has no equivalent, ``nearest`` what comes closest, or what to do instead.
    """

    loss: Loss
    where: str
    what: str
    why: str
    nearest: str = ""

    def __str__(self) -> str:
        end = f" -- {self.nearest}" if self.nearest else ""
        return f"{self.where}: {self.loss.replace('_', ' ')}: {self.what}: {self.why}{end}"


@attrs.frozen
class Imported:
    """``toml`` loads and checks without an error; ``gaps`` say what else there was."""

    toml: str
    gaps: tuple[Gap, ...]
