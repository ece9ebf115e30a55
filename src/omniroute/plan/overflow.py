"""What a queue does with work that it cannot or should not take now.

A rule has a condition about the queue (`Scope.QUEUE`) and an action: send it to another queue,
at another priority, with another requirement, open the queue to all who have access to it
at all, or reject it. The engine reads the rules synchronously, so "full" is exact.
"""

from __future__ import annotations

import attrs

from .conditions import agents, queues
from .expression import Expression
from .fields import at_least, one_of

__all__ = ["Overflow"]


@attrs.frozen(kw_only=True)
class Overflow:
    """One rule: ``when`` it holds (None: always), do the rest.

    ``reject`` (a text for the customer's side) ends it. Else ``queue`` sends it there (None: it
    stays), with ``priority``, and ``requirement`` joined to its own. ``open_access`` lets all
    agents of ``Queue.access`` in at once. ``hint`` tells the application what to offer beside:
    a callback, voicemail, an automatic answer.
    """

    when: Expression | None = attrs.field(default=None, converter=queues)
    queue: str | None = attrs.field(default=None, validator=attrs.validators.optional(one_of(str)))
    priority: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(at_least(0))
    )
    requirement: Expression | None = attrs.field(default=None, converter=agents)
    open_access: bool = attrs.field(default=False, validator=one_of(bool))
    reject: str | None = attrs.field(default=None, validator=attrs.validators.optional(one_of(str)))
    hint: str = attrs.field(default="", validator=one_of(str))
