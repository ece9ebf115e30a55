"""Configurations of other routers into plans, with a report of what has no equivalent.

``import_plan(kind, text)`` takes the text of a configuration file and returns the plan in
TOML and the gaps. Nothing is guessed: an expression that ours cannot say is never widened
or dropped in silence; where its agents cannot be told, the plan names a group in its place
and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnknownNameError
from .amazon_connect import import_amazon_connect
from .asterisk import import_asterisk
from .azure import import_azure
from .freeswitch import import_freeswitch
from .report import Gap, Imported, Loss
from .twilio import import_twilio

__all__ = ["KINDS", "Gap", "Imported", "Loss", "import_plan"]

#: What can be imported: the name, and the function from text to plan.
KINDS: dict[str, Callable[[str], Imported]] = {
    "amazon_connect": import_amazon_connect,
    "asterisk": import_asterisk,
    "azure": import_azure,
    "freeswitch": import_freeswitch,
    "twilio": import_twilio,
}


def import_plan(kind: str, text: str) -> Imported:
    """The plan that the ``text`` of a configuration of ``kind`` describes.

    Raises `PlanError` for a text that is no such configuration or holds no queue, and
    `UnknownNameError` for a kind that is none of `KINDS`. Cost: about that of checking the
    plan, some milliseconds for a hundred queues.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of configuration", kind, KINDS)
    return KINDS[kind](text)
