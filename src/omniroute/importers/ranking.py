"""Members who are tried in an order: telephone systems' penalties, levels and positions.

There the member of the best rank who is free gets the call. Here that is a skill per queue
whose level is the rank, and the strategy `most_skilled`, whose ties go to the longest
idle. A queue whose members are all of one rank needs neither, only a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..plan import Expression, Strategy, has_skill
from .draft import Draft, in_group

__all__ = ["MAX_OFFERS", "give_weights", "members_of"]

#: To how many agents an interaction can be offered at once.
MAX_OFFERS = 50


def members_of(
    draft: Draft, queue: str, ranks: Mapping[str, Any]
) -> tuple[Expression, Strategy | None]:
    """Who serves ``queue``, and the strategy that the ranks call for (None: no ranks).

    ``ranks`` gives each agent's rank, best first in the order of the values. The agents of
    the draft get the group or the skill.
    """
    levels = sorted(set(ranks.values()), reverse=True)
    if len(levels) < 2:
        for ident in ranks:
            agent = draft.agents[ident]
            groups = tuple(dict.fromkeys((*agent.groups, queue)))
            draft.agents[ident] = msgspec.structs.replace(agent, groups=groups)
        return in_group(queue), None
    skill = f"queue:{queue}"
    for ident, rank in ranks.items():
        agent = draft.agents[ident]
        skills = {**agent.skills, skill: levels.index(rank) + 1}
        draft.agents[ident] = msgspec.structs.replace(agent, skills=skills)
    draft.skills[skill] = max(10, len(levels))
    return has_skill(skill), Strategy.MOST_SKILLED


def give_weights(draft: Draft, idents: Iterable[str]) -> None:
    """Let the strategy `weighted` count all of these agents alike."""
    for ident in idents:
        agent = draft.agents[ident]
        attributes = {**agent.attributes, "weight": 1}
        draft.agents[ident] = msgspec.structs.replace(agent, attributes=attributes)
