"""All desks, folded from published events: who is offered what, who has what.

The fold decides nothing. It runs when the events of an entry are durable, so a desk never
shows what could still be lost. Pictures of interactions are taken when the entry was
decided, because by now the engine may be further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import events as ev
from ..engine.standing import Held, Standing
from ..events import Event
from ..model import Agent, Interaction, InteractionState, Message, Presence
from .desk import Desk
from .offer import Assignment, Offer, OfferClosed, Send, revised

__all__ = ["Desks"]

Pictures = Mapping[int, Interaction]


class Desks:
    """``by_agent`` has the desk of every agent who is signed in by what is durable."""

    def __init__(self, send: Send, message_limit: int) -> None:
        self._send = send
        self._message_limit = message_limit
        self.by_agent: dict[str, Desk] = {}
        self._offers: dict[int, Offer] = {}
        #: by interaction: at most one agent has it
        self._assignments: dict[str, Assignment] = {}
        self._holders: dict[str, Desk] = {}

    def restore(
        self,
        found: Iterable[Standing],
        desk_of: Callable[[Agent], Desk],
        reasons: Mapping[str, str],
    ) -> None:
        """Begin with what stands in the engine: after a recovery, in place of old events.

        An assignment's ``interaction`` then has every message so far, read or not.
        """
        for agent, presence, held in found:
            desk = self.by_agent[agent.id] = desk_of(agent)
            desk.presence = presence
            desk.not_ready_reason = reasons.get(agent.id, "")
            for each in sorted(held, key=lambda held: (held.accepted_at_ms, held.offer_id)):
                if each.interaction.state is InteractionState.OFFERED:
                    self._hold_out(desk, each)
                else:
                    self._hand_over(desk, each)

    def _hold_out(self, desk: Desk, held: Held) -> None:
        offer = Offer(self._send, held.offer_id, held.interaction, held.until_ms or 0)
        self._offers[held.offer_id] = offer
        desk.offered(offer)

    def _hand_over(self, desk: Desk, held: Held) -> None:
        interaction = held.interaction
        assignment = Assignment(self._send, held.offer_id, interaction, self._message_limit)
        self._assignments[interaction.id] = assignment
        self._holders[interaction.id] = desk
        desk.assigned(assignment)
        assignment.code = held.code
        assignment.move(interaction.state)

    def publish(
        self, events: Iterable[Event], pictures: Pictures, arriving: Desk | None = None
    ) -> None:
        """Fold the events of one entry in. ``arriving`` is the desk of its `SignedIn`."""
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event, pictures)
            elif type(event) is ev.SignedIn:
                assert arriving is not None
                self.by_agent[event.agent.id] = arriving

    def offer(self, interaction_id: str) -> Offer | None:
        """The open offer of an interaction. O(open offers)."""
        offers = self._offers.values()
        return next((offer for offer in offers if offer.interaction.id == interaction_id), None)

    def assignment(self, interaction_id: str) -> Assignment | None:
        """The assignment of an interaction. O(1)."""
        return self._assignments.get(interaction_id)

    def let_go(self) -> None:
        """The router closes: every desk hears of it."""
        for desk in self.by_agent.values():
            desk.let_go()

    def _offered(self, event: ev.Offered, pictures: Pictures) -> None:
        picture = pictures.get(event.offer_id)
        if picture is not None:  # None: over before its entry was
            offer = Offer(self._send, event.offer_id, picture, event.expires_at_ms)
            self._offers[event.offer_id] = offer
            self.by_agent[event.agent_id].offered(offer)

    def _accepted(self, event: ev.Accepted, pictures: Pictures) -> None:
        offer = self._offers.pop(event.offer_id)
        desk = self.by_agent[event.agent_id]
        picture = pictures[event.offer_id]
        assignment = Assignment(self._send, event.offer_id, picture, self._message_limit)
        offer.assignment = self._assignments[event.interaction_id] = assignment
        self._holders[event.interaction_id] = desk
        desk.assigned(assignment)
        desk.offer_closed(offer, OfferClosed.ACCEPTED)

    def _declined(self, event: ev.Declined, pictures: Pictures) -> None:
        self._offer_over(event.offer_id, event.agent_id, OfferClosed.DECLINED)

    def _expired(self, event: ev.Expired, pictures: Pictures) -> None:
        self._offer_over(event.offer_id, event.agent_id, OfferClosed.EXPIRED)

    def _revoked(self, event: ev.Revoked, pictures: Pictures) -> None:
        self._offer_over(event.offer_id, event.agent_id, OfferClosed(event.reason.value))

    def _offer_over(self, offer_id: int, agent_id: str, reason: OfferClosed) -> None:
        offer = self._offers.pop(offer_id, None)
        if offer is not None:
            self.by_agent[agent_id].offer_closed(offer, reason)

    def _held(self, event: ev.Held, pictures: Pictures) -> None:
        self._assignments[event.interaction_id].move(InteractionState.HELD)

    def _resumed(self, event: ev.Resumed, pictures: Pictures) -> None:
        self._assignments[event.interaction_id].move(InteractionState.ENGAGED)

    def _wrap_up_started(self, event: ev.WrapUpStarted, pictures: Pictures) -> None:
        assignment = self._assignments[event.interaction_id]
        assignment.code = event.code
        assignment.move(InteractionState.WRAP_UP)

    def _completed(self, event: ev.Completed, pictures: Pictures) -> None:
        self._assignments[event.interaction_id].code = event.code
        self._unassign(event.interaction_id, InteractionState.COMPLETED)

    def _requeued(self, event: ev.Requeued, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, InteractionState.WAITING)

    def _cancelled(self, event: ev.Cancelled, pictures: Pictures) -> None:
        if event.interaction_id in self._assignments:
            self._unassign(event.interaction_id, InteractionState.CANCELLED)

    def _unassign(self, interaction_id: str, state: InteractionState) -> None:
        assignment = self._assignments.pop(interaction_id)
        self._holders.pop(interaction_id).unassigned(assignment)
        assignment.move(state)

    def _appended(self, event: ev.MessageAppended, pictures: Pictures) -> None:
        assignment = self._assignments.get(event.interaction_id)
        if assignment is not None:
            assignment.messages.put(event.message)

    def _edited(self, event: ev.MessageEdited, pictures: Pictures) -> None:
        message_id = event.message.message_id or ""
        self._revise(event.interaction_id, message_id, lambda _: event.message)

    def _redacted(self, event: ev.MessageRedacted, pictures: Pictures) -> None:
        self._revise(event.interaction_id, event.message_id, Message.redacted)

    def _revise(
        self, interaction_id: str, message_id: str, change: Callable[[Message], Message]
    ) -> None:
        for offer in self._offers.values():
            if offer.interaction.id == interaction_id:
                offer.interaction = revised(offer.interaction, message_id, change)
        assignment = self._assignments.get(interaction_id)
        if assignment is not None:
            assignment.revise(message_id, change)

    def _signed_out(self, event: ev.SignedOut, pictures: Pictures) -> None:
        self.by_agent.pop(event.agent_id).left(event.reason)

    def _became_ready(self, event: ev.BecameReady, pictures: Pictures) -> None:
        desk = self.by_agent[event.agent_id]
        desk.presence = Presence.READY
        desk.not_ready_reason = ""

    def _became_not_ready(self, event: ev.BecameNotReady, pictures: Pictures) -> None:
        desk = self.by_agent[event.agent_id]
        desk.presence = Presence.NOT_READY
        desk.not_ready_reason = event.reason

    def _agent_changed(self, event: ev.AgentChanged, pictures: Pictures) -> None:
        self.by_agent[event.agent.id].agent = event.agent


_HANDLERS: dict[type[Event], Callable[[Desks, Any, Pictures], None]] = {
    ev.Offered: Desks._offered,
    ev.Accepted: Desks._accepted,
    ev.Declined: Desks._declined,
    ev.Expired: Desks._expired,
    ev.Revoked: Desks._revoked,
    ev.Held: Desks._held,
    ev.Resumed: Desks._resumed,
    ev.WrapUpStarted: Desks._wrap_up_started,
    ev.Completed: Desks._completed,
    ev.Requeued: Desks._requeued,
    ev.Cancelled: Desks._cancelled,
    ev.MessageAppended: Desks._appended,
    ev.MessageEdited: Desks._edited,
    ev.MessageRedacted: Desks._redacted,
    ev.SignedOut: Desks._signed_out,
    ev.BecameReady: Desks._became_ready,
    ev.BecameNotReady: Desks._became_not_ready,
    ev.AgentChanged: Desks._agent_changed,
}
