"""A router decides, a switch obeys: calls that wait, ring at agents' phones, and are talked about.

Theory. Each call has one task, and the task knows no history. Whenever something may have
changed - the router published an event, a phone was answered, the connection came back - it
looks at what the router says of the interaction, and tells the switch what is missing:

    waiting     the customer hears music; no phone rings
    offered     the customer hears music; the agent's phone rings. Answered: the offer is accepted.
                Busy or refused: declined. Dead or silent: the agent is not ready. The offer runs
                out or is taken back: the phone stops ringing
    engaged     they talk. The agent hangs up: completed. His phone is not there: it rings
    held        the customer hears music, the agent waits
    otherwise   both are hung up

So a lost connection, a command that failed and a restart of the whole process need no code of
their own but `connected`: compare the lists, forget what is gone, and look at everything again.
The router's part of that is in its journal, the switch's part in the names of its legs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress

import anyio
import attrs
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from ..errors import UsageError
from ..events import Event, SetNotReady
from ..model import Disposition, Inbound, InteractionState, UpdateKind
from ..router import Assignment, Offer, Outcome, Router
from .telephony import (
    Gone,
    Standing,
    Switch,
    SwitchClosedError,
    SwitchRefusedError,
    leg_name,
    leg_of,
)

__all__ = ["Switchboard"]

_log = logging.getLogger("omniroute")

#: The attribute of a message that says which switch has the call.
_SWITCH = "switch"

#: After these the phone is alive: the agent did not want this call. After others it is silent.
_DECLINES = frozenset({Gone.BUSY, Gone.DECLINED, Gone.HUNG_UP, Gone.FAILED})


@attrs.define(eq=False)
class _Leg:
    """The connection to an agent's phone, for one offer."""

    offer_id: int
    name: str
    answered: bool = False
    why: Gone | None = None


@attrs.define(eq=False)
class _Call:
    """A customer's call and what the switch was told to do with it."""

    id: str
    interaction_id: str
    refused: bool = False
    leg: _Leg | None = None
    music: bool = False
    talking: bool = False
    talked: bool = False
    over: bool = False  # we have hung up
    gone: bool = False  # the customer has left the switch
    changed: anyio.Event = attrs.Factory(anyio.Event)


class Switchboard:
    """Drives one switch by one router.

    Give `observe` to the router as its ``on_events``, then ``run`` beside it. Agents sign in at
    the router as for everything else; their phones ring when a call is offered to them, and
    taking the phone up accepts it. What an agent does on a screen - accept, hold, resume,
    complete, requeue - is followed too.

    Args:
        switch: what holds the calls.
        phones: which phone each agent has, by agent id, in the form that the switch knows
            (``PJSIP/ana``, ``user/ana``). Looked up at each call, so it may change.
    """

    def __init__(self, switch: Switch, phones: Mapping[str, str]) -> None:
        self._switch = switch
        self._phones = phones
        self._router: Router | None = None
        self._group: TaskGroup | None = None
        self._is_up = False
        self._calls: dict[str, _Call] = {}
        self._by_interaction: dict[str, _Call] = {}

    @property
    def is_connected(self) -> bool:
        """True while the switch can be told what to do."""
        return self._is_up

    async def run(
        self, router: Router, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Carry calls between the switch and the router until cancelled.

        `TaskGroup.start` returns when the switch is connected for the first time.

        Raises:
            UsageError: it runs already.
            ExceptionGroup: `SwitchRefusedError` for a wrong password, `RouterClosedError` when
                the router has stopped. The connection is closed then; calls stay in the switch.
        """
        if self._group is not None:
            raise UsageError("a switchboard runs once at a time")
        self._router = router
        try:
            async with anyio.create_task_group() as self._group:
                await self._switch.run(self, task_status=task_status)
        finally:
            self._group = None
            self._is_up = False
            self._calls.clear()
            self._by_interaction.clear()

    def observe(self, events: Iterable[Event]) -> None:
        """The router's ``on_events``: look again at the calls that these are about."""
        for event in events:
            call = self._by_interaction.get(getattr(event, "interaction_id", ""))
            if call is not None:
                call.changed.set()

    # --- what the switch tells --------------------------------------------------------------

    async def connected(self, standing: Standing) -> None:
        """Compare what stands in the switch with what the router has open."""
        router = self._open_router()
        for call in self._calls.values():
            if call.id not in standing.calls:
                call.gone = True
            call.talking = call.id in standing.talking
            call.music = call.over = False
            if call.leg is not None and call.leg.name not in standing.legs:
                self.ended(call.leg.name, Gone.FAILED)
        for interaction in router.interactions():
            message = interaction.message
            ours = message.attributes.get(_SWITCH) == self._switch.name
            if ours and message.thread_id not in standing.calls:
                await router.abandon(interaction.id, "lost")
        for identity, inbound in standing.calls.items():
            if identity not in self._calls:
                await self._admit(identity, inbound, again=False)
                self._calls[identity].talking = identity in standing.talking
        for name, answered in standing.legs.items():
            self._adopt(name, answered=answered)
        self._is_up = True
        for call in self._calls.values():
            call.changed.set()

    def disconnected(self) -> None:
        """Nothing can be told to the switch until it is connected again."""
        self._is_up = False

    async def heard(self, inbound: Inbound) -> None:
        """Record what happened to a customer's call, and act on it."""
        identity = inbound.message.thread_id
        call = None if identity is None else self._calls.get(identity)
        if identity is not None and inbound.disposition is Disposition.CREATE:
            if call is None or call.gone:
                await self._admit(identity, inbound, again=True)
            return
        await self._open_router().deliver(inbound)
        if call is not None and inbound.update is UpdateKind.ENDED:
            call.gone = True
            call.changed.set()

    def answered(self, leg: str) -> None:
        """An agent's phone was taken up."""
        call, known = self._leg(leg)
        if call is not None and known is not None:
            known.answered = True
            call.changed.set()

    def ended(self, leg: str, why: Gone) -> None:
        """A leg is no more; the first reason counts."""
        call, known = self._leg(leg)
        if call is not None and known is not None and known.why is None:
            known.why = why
            call.changed.set()

    def _leg(self, name: str) -> tuple[_Call | None, _Leg | None]:
        """The call and its leg of this name."""
        found = leg_of(name)
        call = None if found is None else self._calls.get(found[1])
        leg = None if call is None else call.leg
        return call, leg if leg is not None and leg.name == name else None

    def _adopt(self, name: str, *, answered: bool) -> None:
        """A leg that stands in the switch: one that we know, of before a restart, or nobody's."""
        found = leg_of(name)
        call = None if found is None else self._calls.get(found[1])
        if found is None:
            return
        if call is not None and call.leg is None and self._wanted(call) == found[0]:
            call.leg = _Leg(found[0], name, answered=answered)
            call.talked = call.talking
        elif call is not None and call.leg is not None and call.leg.name == name:
            call.leg.answered = answered
        else:
            assert self._group is not None
            self._group.start_soon(self._hang_up, name)

    def _wanted(self, call: _Call) -> int | None:
        """The offer or assignment whose leg the call should have."""
        router = self._open_router()
        assignment = router.assignment(call.interaction_id)
        if assignment is not None:
            return assignment.assignment_id
        offer = router.offer(call.interaction_id)
        return None if offer is None else offer.offer_id

    async def _admit(self, identity: str, inbound: Inbound, *, again: bool) -> None:
        """Take a call in; ``again``: it may be one that was here before and comes anew."""
        router = self._open_router()
        attributes = {**inbound.message.attributes, _SWITCH: self._switch.name}
        message = msgspec.structs.replace(inbound.message, attributes=attributes)
        receipt = await router.deliver(msgspec.structs.replace(inbound, message=message))
        interaction = receipt.interaction_id or ""
        is_over = receipt.outcome is Outcome.DUPLICATE and router.interaction(interaction) is None
        if is_over and again:
            message = msgspec.structs.replace(message, message_id=None)
            anew = msgspec.structs.replace(inbound, message=message, delivery_id=None)
            receipt = await router.deliver(anew)
            interaction = receipt.interaction_id or ""
        call = _Call(identity, interaction, refused=receipt.is_refused)
        self._calls[identity] = self._by_interaction[interaction] = call
        assert self._group is not None
        self._group.start_soon(self._serve, call)

    def _open_router(self) -> Router:
        """The router that `run` was given."""
        assert self._router is not None
        return self._router

    # --- what the switch is told ------------------------------------------------------------

    async def _serve(self, call: _Call) -> None:
        """One call, from its arrival until it has left the switch."""
        while not call.gone:
            call.changed = anyio.Event()
            if self._is_up:
                try:
                    await self._settle(call)
                except SwitchClosedError:
                    pass  # `connected` wakes it
                except SwitchRefusedError as error:
                    # Mostly a leg or call that has just ended: its end is on its way.
                    _log.warning("a telephone switch refused a command: %s", error)
            await call.changed.wait()
        if self._calls.get(call.id) is call:
            del self._calls[call.id]
        if self._by_interaction.get(call.interaction_id) is call:
            del self._by_interaction[call.interaction_id]
        if call.leg is not None and call.leg.why is None:
            await self._hang_up(call.leg.name)
        # Nothing may be left to clear, or nobody to tell.
        with suppress(SwitchClosedError, SwitchRefusedError):
            await self._switch.clear(call.id)

    async def _settle(self, call: _Call) -> None:
        """Tell the switch what is missing for the state that the router says."""
        router = self._open_router()
        assignment = router.assignment(call.interaction_id)
        offer = router.offer(call.interaction_id)
        if assignment is not None and assignment.state is InteractionState.ENGAGED:
            await self._talk(call, assignment)
        elif assignment is not None and assignment.state is InteractionState.HELD:
            await self._pause(call, assignment)
        elif assignment is not None or router.interaction(call.interaction_id) is None:
            await self._part(call)
        else:
            await self._music(call)
            if offer is None:
                await self._drop(call)
            else:
                await self._ring(call, offer)

    async def _music(self, call: _Call) -> None:
        """The customer waits."""
        if not call.music:
            leg = call.leg.name if call.leg is not None and call.talking else None
            await self._switch.hold(call.id, leg)
            call.music, call.talking = True, False

    async def _ring(self, call: _Call, offer: Offer) -> None:
        """The agent's phone rings, or has answered, or will not."""
        leg = call.leg
        if leg is None or leg.offer_id != offer.offer_id:
            await self._drop(call)
            await self._dial(call, offer.offer_id, offer)
        elif leg.why is not None:
            await self._refuse(offer, leg.why)
        elif leg.answered:
            await offer.accept()

    async def _dial(self, call: _Call, offer_id: int, held: Offer | Assignment) -> None:
        """Ring the phone of the agent to whom it is offered, or who has it."""
        agent = held.interaction.agent_id or ""
        phone = self._phones.get(agent)
        name = leg_name(offer_id, call.id)
        call.leg = _Leg(offer_id, name)
        call.talked = False
        if phone is None:
            self.ended(name, Gone.UNREACHABLE)
            return
        customer = held.interaction.customer
        try:
            await self._switch.ring(call.id, name, phone, (customer.name, customer.id))
        except SwitchClosedError:
            call.leg = None  # perhaps it rings: then `connected` finds it, else it rings again
            raise
        except (SwitchRefusedError, UsageError) as error:
            _log.warning("a telephone switch cannot ring a phone: %s", error)
            self.ended(name, Gone.UNREACHABLE)

    async def _refuse(self, offer: Offer, why: Gone) -> None:
        """The phone did not take it: the next agent, please."""
        if why in _DECLINES:
            await offer.decline(why.value)
        else:
            await self._silence(offer.interaction.agent_id or "", why)

    async def _silence(self, agent: str, why: Gone) -> None:
        """Offer nothing more to an agent whose phone is dead, until he says that he is ready."""
        await self._open_router().send(SetNotReady(agent, why.value))

    async def _talk(self, call: _Call, assignment: Assignment) -> None:
        """They talk, or will as soon as the phone is taken up."""
        leg = call.leg
        if leg is None or leg.offer_id != assignment.assignment_id:
            # Accepted before the phone rang, or the phone was lost while nobody watched.
            await self._music(call)
            await self._drop(call)
            await self._dial(call, assignment.assignment_id, assignment)
        elif leg.why is not None and call.talked:
            await assignment.complete()
        elif leg.why is not None:
            await self._lost(assignment, leg.why)
        elif leg.answered and not call.talking:
            try:
                await self._switch.join(call.id, leg.name)
            except SwitchRefusedError:
                await self._hang_up(leg.name)
                raise
            call.talking = call.talked = True
            call.music = False

    async def _lost(self, assignment: Assignment, why: Gone) -> None:
        """He has accepted and cannot be heard: the customer waits again, at his age."""
        await self._silence(assignment.interaction.agent_id or "", why)
        await assignment.requeue(why.value)

    async def _pause(self, call: _Call, assignment: Assignment) -> None:
        """The customer is on hold; an agent who hangs up now has finished."""
        if call.leg is None or call.leg.why is not None:
            await assignment.complete()
        else:
            await self._music(call)

    async def _part(self, call: _Call) -> None:
        """The conversation is over, or never was: hang up on both sides, once."""
        if not call.over:
            await self._switch.hang_up(call.id, Gone.BUSY if call.refused else Gone.HUNG_UP)
            call.over = True
        await self._drop(call)

    async def _drop(self, call: _Call) -> None:
        """No phone rings for this call any more."""
        leg = call.leg
        if leg is not None:
            if leg.why is None:
                await self._switch.hang_up(leg.name, Gone.HUNG_UP)
            call.leg = None

    async def _hang_up(self, name: str) -> None:
        """Hang up a leg that nobody wants; a switch that is away lists it when it is back."""
        try:
            await self._switch.hang_up(name, Gone.HUNG_UP)
        except SwitchClosedError:
            pass
        except SwitchRefusedError as error:
            _log.warning("a telephone switch refused to hang up: %s", error)
