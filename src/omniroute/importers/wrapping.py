"""Wrap-up times that agents bring along, where the other router has them at its members.

There each member of a queue may have a time. Here a queue has one and an agent may have another,
which then holds in all of his queues.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import attrs
import msgspec

from ..plan import WrapUp
from .draft import Draft

__all__ = ["give_wrap_ups"]


def give_wrap_ups(
    draft: Draft, times_s: Mapping[str, Mapping[str, int]], *, own_queue_only: bool = False
) -> None:
    """Give the queues and agents of the draft their wrap-ups.

    ``times_s`` has the seconds by queue and agent. A queue keeps the time it has; without one it
    gets the longest of its agents. An agent who needs another gets his own; where his queues
    differ the longest, with a note. ``own_queue_only``: wrap-ups of agents who have several queues
    leave the others alone.
    """
    queues = Counter(ident for mine in times_s.values() for ident in mine)
    usual_s: dict[str, int] = {}
    for name, mine in times_s.items():
        queue = draft.queues[name]
        usual_s[name] = queue.wrap_up.duration_ms // 1000 or max(mine.values(), default=0)
        if usual_s[name]:
            apart = own_queue_only and any(queues[ident] > 1 for ident in mine)
            wrap_up = WrapUp("forced", 1000 * usual_s[name], own_queue_only=apart)
            draft.queues[name] = attrs.evolve(queue, wrap_up=wrap_up)
    for ident, agent in draft.agents.items():
        own = {name: mine[ident] for name, mine in times_s.items() if ident in mine}
        if all(seconds == usual_s[name] for name, seconds in own.items()):
            continue
        longest_s = max(own.values())
        draft.agents[ident] = msgspec.structs.replace(agent, wrap_up_ms=1000 * longest_s)
        if len(set(own.values())) > 1:
            shown = ", ".join(f"{seconds} in {name}" for name, seconds in own.items())
            draft.notes.changed(
                "members", f"the wrap-up of {ident}: {shown}", "an agent has one in all queues",
                f"{longest_s} seconds",
            )  # fmt: skip
