"""What a supervisor does, and what the customer's side asks for after a message is in.

One half of `Router`: every method is one command, or many of one kind. ``actor`` says who did
it; it stands in the journal beside the command.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..engine import Engine
from ..engine.replanning import PlanPreview
from ..events import (
    Abandon,
    Assign,
    Cancel,
    Cancelled,
    ChangePlan,
    CloseAll,
    Command,
    Drain,
    Event,
    Move,
    MoveAll,
    Moved,
    Reopen,
    Reprioritize,
    RequestCallback,
    Revoke,
    SignOut,
    Unpark,
)
from ..plan import Plan, dumps
from .answers import Answer, done

__all__ = ["Supervision"]


class Supervision:
    """Acts on interactions and agents, whoever has them."""

    _engine: Engine

    async def send(self, command: Command, *, wait: bool = True) -> tuple[Event, ...]:
        """Send any command; see `Router.send`."""
        raise NotImplementedError

    async def cancel(self, interaction_id: str, reason: str = "", *, actor: str = "") -> Answer:
        """Take an interaction out, whatever its state. Refused: it is not open."""
        return done(await self.send(Cancel(interaction_id, reason, actor)))

    async def abandon(self, interaction_id: str, reason: str = "") -> Answer:
        """The customer has gone. Refused: it is not open, or in wrap-up, or called back."""
        return done(await self.send(Abandon(interaction_id, reason)))

    async def reprioritize(
        self,
        interaction_id: str,
        priority: int | None = None,
        *,
        enqueued_at_ms: int | None = None,
        actor: str = "",
    ) -> Answer:
        """Change its place among the waiting at once, by priority, by age, or by both.

        ``enqueued_at_ms`` is the age by which its place counts; the wait that is reported stays
        the true one. Refused: it is not open, or in wrap-up already. Raises `CommandError` for a
        priority that the plan does not allow.
        """
        return done(await self.send(Reprioritize(interaction_id, priority, enqueued_at_ms, actor)))

    async def move(
        self,
        interaction_id: str,
        queue: str,
        *,
        priority: int | None = None,
        requirement: str | None = None,
        actor: str = "",
    ) -> Answer:
        """Put one that waits or is offered into another queue, at its age, full or not.

        ``priority`` and ``requirement`` None stay as they are. Refused: it is not open, or an
        agent has it. Raises `UnknownNameError` for a queue that the plan does not know.
        """
        return done(await self.send(Move(interaction_id, queue, priority, requirement, actor)))

    async def assign(self, interaction_id: str, agent_id: str, *, actor: str = "") -> Answer:
        """Give one that waits or is offered to an agent, whatever rules and room say.

        It is his at once: his desk tells by `Desk.given`. Refused: it is not open, an agent has
        it, or he is not signed in.
        """
        return done(await self.send(Assign(interaction_id, agent_id, actor)))

    async def unpark(self, interaction_id: str, *, actor: str = "") -> Answer:
        """Let parked work wait for its owner again, in front. Refused: it is not parked."""
        return done(await self.send(Unpark(interaction_id, actor)))

    async def request_callback(
        self, interaction_id: str, address: str = "", *, due_at_ms: int | None = None
    ) -> Answer:
        """The customer hangs up and keeps his place; an agent calls him at ``address``.

        ``due_at_ms``: not before that moment; None: when it is his turn. Refused: it is not
        waiting, or a callback already, or too much is set aside.
        """
        return done(await self.send(RequestCallback(interaction_id, address, due_at_ms)))

    async def withdraw(self, offer_id: int, *, actor: str = "") -> Answer:
        """Take an open offer back from its agent, as if he had declined. Refused: it is over."""
        return done(await self.send(Revoke(offer_id, actor)))

    async def sign_out(self, agent_id: str, reason: str = "", *, actor: str = "") -> Answer:
        """Sign an agent out, wherever he sits; his work is requeued. Refused: he is not here."""
        return done(await self.send(SignOut(agent_id, reason, actor)))

    # --- whole queues, and the plan -----------------------------------------------------------

    async def move_all(self, queue: str, to: str, *, actor: str = "") -> int:
        """Move all that wait or are offered in a queue, at once; returns how many.

        Raises `UnknownNameError` for a queue that the plan does not know.
        """
        events = await self.send(MoveAll(queue, to, actor))
        return sum(isinstance(event, Moved) and event.queue == to for event in events)

    async def close_all(self, queue: str, reason: str = "", *, actor: str = "") -> int:
        """Cancel all that wait or are offered in a queue, at once; returns how many."""
        events = await self.send(CloseAll(queue, reason, actor))
        return sum(isinstance(event, Cancelled) for event in events)

    async def drain(self, queue: str, *, actor: str = "") -> Answer:
        """Let a queue take nothing new; what waits in it goes on. Done twice it changes nothing."""
        return done(await self.send(Drain(queue, actor)))

    async def reopen(self, queue: str, *, actor: str = "") -> Answer:
        """Let a drained queue take work again."""
        return done(await self.send(Reopen(queue, actor)))

    async def change_plan(
        self,
        plan: Plan,
        *,
        to_waiting: bool = False,
        moves: Mapping[str, str] | None = None,
        actor: str = "",
    ) -> Answer:
        """Go on by another plan, at once; `preview_plan` tells before what that would do.

        ``to_waiting``: what waits begins its ladder anew, else it goes on where it stands.
        ``moves``: where the work of queues goes, by their names. Raises `PlanError` for a plan
        that lacks what a signed-in agent needs.
        """
        command = ChangePlan(dumps(plan), to_waiting, tuple((moves or {}).items()), actor)
        return done(await self.send(command))

    def preview_plan(
        self, plan: Plan, *, to_waiting: bool = False, moves: Mapping[str, str] | None = None
    ) -> PlanPreview:
        """What `change_plan` would do now; nothing changes. O(open interactions and agents)."""
        return self._engine.preview(plan, to_waiting=to_waiting, moves=moves)
