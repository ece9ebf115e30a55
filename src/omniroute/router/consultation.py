"""What an assignment opens beside itself: a question to a colleague, a step to another channel."""

from __future__ import annotations

from typing import final

import msgspec

from ..events import Cancel
from ..model import InteractionState
from .answers import Answer, Send, done
from .offer import Closing

__all__ = ["Consultation", "Escalation"]

_OVER = frozenset(
    {InteractionState.COMPLETED, InteractionState.CANCELLED, InteractionState.ABANDONED}
)


@final
class Consultation(Closing):
    """A colleague who is asked: an interaction of its own beside the customer's.

    ``agent_id`` is the colleague who has taken it, None before; ``state`` is waiting until
    then, whether it is offered or not.
    """

    __slots__ = ("_let_go", "_send", "agent_id", "interaction_id", "state")

    def __init__(self, send: Send, interaction_id: str) -> None:
        super().__init__()
        self._send = send
        self.interaction_id = interaction_id
        self.agent_id: str | None = None
        self.state = InteractionState.WAITING
        self._let_go = False

    @property
    def closed(self) -> bool:
        """True when it is over."""
        return self.state in _OVER

    async def wait_taken(self) -> str | None:
        """Wait for a colleague to take it; returns who, None when it ended before."""
        while self.agent_id is None and not self.closed and not self._let_go:
            await self._until_woken()
        return self.agent_id

    async def wait_closed(self) -> InteractionState:
        """Wait until it is over; when the router closes first, the state it still has."""
        while not self.closed and not self._let_go:
            await self._until_woken()
        return self.state

    async def cancel(self, reason: str = "") -> Answer:
        """Ask no longer; a colleague who has it loses it. Refused: it was over."""
        return done(await self._send(Cancel(self.interaction_id, reason)))

    # --- the router's notes -------------------------------------------------------------------

    def move(self, state: InteractionState, agent_id: str | None) -> None:
        """Another state, or another agent."""
        self.state = state
        self.agent_id = agent_id
        self._wake()

    def let_go(self) -> None:
        """The router will tell nothing more."""
        self._let_go = True
        self._wake()

    def __repr__(self) -> str:
        return f"<Consultation {self.interaction_id!r}, {self.state.value}>"


@final
class Escalation(msgspec.Struct, frozen=True):
    """The step to another channel: the interaction that was opened, and where the two meet."""

    interaction_id: str
    link: str
