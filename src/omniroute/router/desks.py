"""All desks, folded from published events: who is offered what, who has what.

The fold decides nothing. It runs when the events of an entry are durable, so a desk never
shows what could still be lost. Pictures of interactions are taken when the entry was
decided, because by now the engine may be further. What began and ended within one entry has
no picture, and no desk ever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import events as ev
from ..engine.customers import own_key
from ..engine.standing import Held, Standing
from ..events import Event
from ..model import Agent, Interaction, InteractionState, Message, Presence
from .assignment import Assignment, AssignmentEnded, Means
from .consultation import Consultation
from .desk import Desk
from .offer import Offer, OfferClosed, all_revised, redacted, revised

__all__ = ["Desks"]

Pictures = Mapping[int, Interaction]

_S = InteractionState


class Desks:
    """``by_agent`` has the desk of every agent who is signed in by what is durable."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.by_agent: dict[str, Desk] = {}
        self._offers: dict[int, Offer] = {}
        #: by interaction: at most one agent has it
        self._assignments: dict[str, Assignment] = {}
        self._holders: dict[str, Desk] = {}
        #: by interaction: the open consults, and the assignments that asked
        self._consultations: dict[str, Consultation] = {}
        self._asking: dict[str, Assignment] = {}

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
                    self._hand_back(desk, each)

    def _hold_out(self, desk: Desk, held: Held) -> None:
        until_ms = held.until_ms or 0
        agent_id = desk.agent.id
        offer = Offer(self._means.send, held.offer_id, agent_id, held.interaction, until_ms)
        self._offers[held.offer_id] = offer
        desk.offered(offer)

    def _hand_back(self, desk: Desk, held: Held) -> None:
        interaction = held.interaction
        assignment = self._assign(desk, held.offer_id, interaction, asked=True)
        assignment.code = held.code
        assignment.move(interaction.state)
        assignment.in_conference = interaction.in_conference
        asked = held.consult
        if asked is not None:
            waits = asked.state is InteractionState.OFFERED
            consultation = self._consult(assignment, asked.id)
            consultation.move(
                InteractionState.WAITING if waits else asked.state,
                None if waits else asked.agent_id,
            )

    def publish(
        self, events: Iterable[Event], pictures: Pictures, arriving: Desk | None = None
    ) -> None:
        """Fold the events of one entry in. ``arriving`` is the desk of its `SignedIn`."""
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event, pictures)
                if self._consultations:
                    self._follow_consult(event)
            elif type(event) is ev.SignedIn:
                assert arriving is not None
                self.by_agent[event.agent.id] = arriving

    def offers(self, interaction_id: str) -> tuple[Offer, ...]:
        """The open offers of an interaction, oldest first. O(open offers)."""
        offers = self._offers.values()
        return tuple(offer for offer in offers if offer.interaction.id == interaction_id)

    def assignment(self, interaction_id: str) -> Assignment | None:
        """The assignment of an interaction. O(1)."""
        return self._assignments.get(interaction_id)

    def let_go(self) -> None:
        """The router closes: every desk hears of it, and all who wait for a colleague."""
        for desk in self.by_agent.values():
            desk.let_go()
        for consultation in self._consultations.values():
            consultation.let_go()

    # --- offers ---------------------------------------------------------------------------------

    def _offered(self, event: ev.Offered, pictures: Pictures) -> None:
        picture = pictures.get(event.offer_id)
        if picture is not None:  # None: over before its entry was
            number, until_ms = event.offer_id, event.expires_at_ms
            offer = Offer(self._means.send, number, event.agent_id, picture, until_ms)
            self._offers[event.offer_id] = offer
            self.by_agent[event.agent_id].offered(offer)

    def _accepted(self, event: ev.Accepted, pictures: Pictures) -> None:
        offer = self._offers.pop(event.offer_id, None)
        if offer is None:
            return
        desk = self.by_agent[event.agent_id]
        picture = pictures.get(event.offer_id, offer.interaction)
        offer.assignment = self._assign(desk, event.offer_id, picture, asked=offer.claimed)
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

    # --- assignments ------------------------------------------------------------------------------

    def _assign(
        self, desk: Desk, offer_id: int, picture: Interaction, *, asked: bool
    ) -> Assignment:
        assignment = Assignment(self._means, offer_id, picture)
        self._assignments[picture.id] = assignment
        self._holders[picture.id] = desk
        desk.assigned(assignment, asked=asked)
        return assignment

    def _held(self, event: ev.Held, pictures: Pictures) -> None:
        self._move(event.interaction_id, InteractionState.HELD)

    def _resumed(self, event: ev.Resumed, pictures: Pictures) -> None:
        self._move(event.interaction_id, InteractionState.ENGAGED)

    def _wrap_up_started(self, event: ev.WrapUpStarted, pictures: Pictures) -> None:
        self._move(event.interaction_id, InteractionState.WRAP_UP, event.code)

    def _move(self, interaction_id: str, state: InteractionState, code: str = "") -> None:
        assignment = self._assignments.get(interaction_id)
        if assignment is not None:
            assignment.code = code
            assignment.move(state)

    def _completed(self, event: ev.Completed, pictures: Pictures) -> None:
        assignment = self._assignments.get(event.interaction_id)
        if assignment is not None:
            assignment.code = event.code
        self._unassign(event.interaction_id, _S.COMPLETED, AssignmentEnded.COMPLETED)

    def _requeued(self, event: ev.Requeued, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, _S.WAITING, AssignmentEnded.REQUEUED)

    def _parked(self, event: ev.Parked, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, _S.PARKED, AssignmentEnded.PARKED)

    def _transferred(self, event: ev.Transferred, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, _S.WAITING, AssignmentEnded.TRANSFERRED)

    def _callback_failed(self, event: ev.CallbackFailed, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, _S.SCHEDULED, AssignmentEnded.CALLBACK_FAILED)

    def _cancelled(self, event: ev.Cancelled, pictures: Pictures) -> None:
        self._unassign(event.interaction_id, _S.CANCELLED, AssignmentEnded.CANCELLED)

    def _handed_over(self, event: ev.HandedOver, pictures: Pictures) -> None:
        interaction_id = event.interaction_id
        before = self._unassign(interaction_id, _S.ENGAGED, AssignmentEnded.HANDED_OVER)
        picture = pictures.get(event.offer_id)
        if picture is None and before is not None:
            picture = before.interaction
        if picture is not None:
            desk = self.by_agent[event.to_agent_id]
            self._assign(desk, event.offer_id, picture, asked=False)

    def _unassign(
        self, interaction_id: str, state: InteractionState, ended: AssignmentEnded
    ) -> Assignment | None:
        assignment = self._assignments.pop(interaction_id, None)
        if assignment is not None:
            self._holders.pop(interaction_id).unassigned(assignment)
            assignment.move(state, ended)
        return assignment

    # --- consults and escalations ---------------------------------------------------------------

    def _queued(self, event: ev.Queued, pictures: Pictures) -> None:
        if event.parent_id is None:
            return
        assignment = self._assignments.get(event.parent_id)
        if assignment is not None and event.kind is ev.Kind.CONSULT:
            self._consult(assignment, event.interaction_id)
        elif assignment is not None:
            assignment.escalated(event.interaction_id)

    def _consult(self, assignment: Assignment, interaction_id: str) -> Consultation:
        consultation = Consultation(self._means.send, interaction_id)
        self._consultations[interaction_id] = consultation
        self._asking[interaction_id] = assignment
        assignment.consults(consultation)
        return consultation

    def _follow_consult(self, event: Any) -> None:
        """What the events of a consult mean for the assignment that asked."""
        state = _CONSULTED.get(type(event))
        consultation = self._consultations.get(event.interaction_id) if state else None
        if consultation is None:
            return
        assert state is not None
        has_it = state in (_S.ENGAGED, _S.HELD, _S.WRAP_UP)
        agent_id = consultation.agent_id if has_it else None
        if type(event) is ev.HandedOver:
            agent_id = event.to_agent_id
        elif type(event) is ev.Accepted:
            agent_id = event.agent_id
        consultation.move(state, agent_id)
        if consultation.closed:
            del self._consultations[event.interaction_id]
            self._asking.pop(event.interaction_id).in_conference = False

    def _conferenced(self, event: ev.Conferenced, pictures: Pictures) -> None:
        assignment = self._assignments.get(event.interaction_id)
        if assignment is not None:
            assignment.in_conference = True

    # --- messages -------------------------------------------------------------------------------

    def _appended(self, event: ev.MessageAppended, pictures: Pictures) -> None:
        assignment = self._assignments.get(event.interaction_id)
        if assignment is not None:
            assignment.messages.put(event.message)

    def _edited(self, event: ev.MessageEdited, pictures: Pictures) -> None:
        message_id = event.message.message_id or ""
        self._revise(event.interaction_id, message_id, lambda _: event.message)

    def _redacted(self, event: ev.MessageRedacted, pictures: Pictures) -> None:
        if event.message_id:
            self._revise(event.interaction_id, event.message_id, Message.redacted)
            return
        for offer in self.offers(event.interaction_id):
            offer.interaction = redacted(offer.interaction)
        assignment = self._assignments.get(event.interaction_id)
        if assignment is not None:
            assignment.interaction = redacted(assignment.interaction)
            assignment.messages.revise_all(Message.redacted)

    def _revise(
        self, interaction_id: str, message_id: str, change: Callable[[Message], Message]
    ) -> None:
        for offer in self._offers.values():
            if offer.interaction.id == interaction_id:
                offer.interaction = revised(offer.interaction, message_id, change)
        assignment = self._assignments.get(interaction_id)
        if assignment is not None:
            assignment.revise(message_id, change)

    def _erased(self, event: ev.CustomerErased, pictures: Pictures) -> None:
        keys = frozenset(event.keys)

        def change(message: Message) -> Message:
            his = not message.customer.id or own_key(message) in keys
            return message.erased() if his else message

        for interaction_id, _ in event.redacted:
            for offer in self.offers(interaction_id):
                offer.interaction = all_revised(offer.interaction, change)
            assignment = self._assignments.get(interaction_id)
            if assignment is not None:
                assignment.interaction = all_revised(assignment.interaction, change)
                assignment.messages.revise_all(change)

    # --- agents ---------------------------------------------------------------------------------

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


def _shows_nowhere(_desks: Desks, _event: Event, _pictures: Pictures) -> None:
    """No desk shows it; a consult may have moved."""


_HANDLERS: dict[type[Event], Callable[[Desks, Any, Pictures], None]] = {
    ev.Queued: Desks._queued,
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
    ev.Parked: Desks._parked,
    ev.Unparked: _shows_nowhere,
    ev.Transferred: Desks._transferred,
    ev.HandedOver: Desks._handed_over,
    ev.Conferenced: Desks._conferenced,
    ev.CallbackFailed: Desks._callback_failed,
    ev.Abandoned: _shows_nowhere,
    ev.Cancelled: Desks._cancelled,
    ev.MessageAppended: Desks._appended,
    ev.MessageEdited: Desks._edited,
    ev.MessageRedacted: Desks._redacted,
    ev.CustomerErased: Desks._erased,
    ev.SignedOut: Desks._signed_out,
    ev.BecameReady: Desks._became_ready,
    ev.BecameNotReady: Desks._became_not_ready,
    ev.AgentChanged: Desks._agent_changed,
}

#: What a consult is after an event about it: waiting until a colleague has taken it.
_CONSULTED: dict[type[Event], InteractionState] = {
    ev.Accepted: _S.ENGAGED,
    ev.Held: _S.HELD,
    ev.Resumed: _S.ENGAGED,
    ev.HandedOver: _S.ENGAGED,
    ev.WrapUpStarted: _S.WRAP_UP,
    ev.Parked: _S.PARKED,
    ev.Unparked: _S.WAITING,
    ev.Requeued: _S.WAITING,
    ev.Transferred: _S.WAITING,
    ev.Completed: _S.COMPLETED,
    ev.Cancelled: _S.CANCELLED,
    ev.Abandoned: _S.ABANDONED,
}
