"""A router decides, a switch obeys: calls that wait, ring at agents' phones, and are talked about.

Theory. Each call has one task, and the task knows no history. Whenever something may have
changed - the router published an event, a phone was answered, the connection came back - it
looks at what the router says of the interaction, and tells the switch what is missing:

    waiting     the customer hears music; no phone rings
    parked      the same
    offered     the customer hears music; the phones of all who have an offer ring. Answered: the
                offer is accepted. Busy or refused: declined. Dead or silent: the agent is not
                ready. The offer runs out or is taken back: the phone stops ringing
    engaged     they talk. The agent hangs up: completed. His phone is not there: it rings
    held        the customer hears music, the agent waits
    otherwise   all are hung up

A transfer is waiting and offered again: the first agent's phone is hung up when he gives the call
away, the next one's rings when it is offered to him. A colleague who is consulted has an
interaction and a leg of his own, by the same table; who of them hear one another is in `parties`.
An agent who hangs up on his colleague hands the customer over to him; a colleague who hangs up
leaves the customer to the agent. A colleague whose agent has gone has nobody to talk to: his leg is
hung up, and his consult is completed.

So a lost connection, a command that failed and a restart of the whole process need no code of
their own but `connected`: compare the lists, forget what is gone, and look at everything again.
The router's part of that is in its journal, the switch's part in the names of its legs and rooms.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from ..errors import UnknownNameError, UsageError
from ..events import Event, Kind, Queued, SetNotReady
from ..model import Disposition, Inbound, InteractionState, UpdateKind
from ..router import Assignment, Offer, Outcome, Router
from .calls import HAD, Call, Leg, Work, adopt, chain, link_of, renumber
from .parties import Places, call_of, rooms
from .telephony import (
    Gone,
    Standing,
    Switch,
    SwitchClosedError,
    SwitchRefusedError,
    digest,
    leg_name,
    leg_of,
)

__all__ = ["Switchboard"]

_log = logging.getLogger("omniroute")

#: The attribute of a message that says which switch has the call.
_SWITCH = "switch"

#: After these the phone is alive: the agent did not want this call. After others it is silent.
_DECLINES = frozenset({Gone.BUSY, Gone.DECLINED, Gone.HUNG_UP, Gone.FAILED})


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
        hang_up_code: the disposition code of what an agent ends by hanging up. Queues that have
            ``codes`` need one of theirs; without it such a call ends as ``customer_left``.
    """

    def __init__(
        self, switch: Switch, phones: Mapping[str, str], *, hang_up_code: str = ""
    ) -> None:
        self._switch = switch
        self._phones = phones
        self._hang_up_code = hang_up_code
        self._router: Router | None = None
        self._group: TaskGroup | None = None
        self._is_up = False
        self._calls: dict[str, Call] = {}
        self._by_interaction: dict[str, Call] = {}

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
            if type(event) is Queued and event.kind is Kind.CONSULT:
                call = self._by_interaction.get(event.parent_id or "")
            if call is not None:
                call.changed.set()

    # --- what the switch tells --------------------------------------------------------------

    async def connected(self, standing: Standing) -> None:
        """Compare what stands in the switch with what the router has open."""
        router = self._open_router()
        for call in self._calls.values():
            if call.id not in standing.calls:
                call.gone = True
            call.places, call.over = Places(), False
            call.music.clear()
            for name in call.legs.keys() - standing.legs.keys():
                self.ended(name, Gone.FAILED)
        for interaction in router.interactions():
            thread = interaction.message.thread_id  # a consult about a call has none
            ours = interaction.message.attributes.get(_SWITCH) == self._switch.name
            is_lost = ours and thread is not None and thread not in standing.calls
            if is_lost and not interaction.is_callback:
                consults = list(chain(router, interaction.id))[1:]
                await router.abandon(interaction.id, "lost")
                for consult in consults:
                    await self._let_go(consult.assignment)
        for identity, inbound in standing.calls.items():
            if identity not in self._calls:
                await self._admit(identity, inbound, again=False)
        for room, names in standing.rooms.items():
            await self._found_room(room, names)
        for name, answered in standing.legs.items():
            self._adopt(name, answered=answered)
        self._is_up = True
        for call in self._calls.values():
            call.changed.set()

    async def _found_room(self, room: str, names: frozenset[str]) -> None:
        """A room that stands in the switch: of one of our calls, or left over."""
        call = self._calls.get(call_of(room))
        if call is not None:
            call.made.add(room)
            call.places.enter(room, names)
        elif not names:
            with suppress(SwitchRefusedError):
                await self._switch.clear(room)

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
            call.places.leave(leg)
            call.music.discard(leg)
            call.changed.set()

    def _leg(self, name: str) -> tuple[Call | None, Leg | None]:
        """The call and its leg of this name."""
        found = leg_of(name)
        call = None if found is None else self._calls.get(found.call)
        return call, None if call is None else call.legs.get(name)

    def _adopt(self, name: str, *, answered: bool) -> None:
        """A leg that stands in the switch: one that we know, of before a restart, or nobody's."""
        found = leg_of(name)
        if found is None:
            return
        call, leg = self._leg(name)
        if call is not None and leg is None:
            works = chain(self._open_router(), call.interaction_id)
            leg = adopt(call, works, name, found, answered=answered)
        if leg is None:
            assert self._group is not None
            self._group.start_soon(self._hang_up, name)
        else:
            leg.answered = answered

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
        call = Call(identity, interaction, refused=receipt.is_refused)
        self._calls[identity] = self._by_interaction[interaction] = call
        assert self._group is not None
        self._group.start_soon(self._serve, call)

    def _open_router(self) -> Router:
        """The router that `run` was given."""
        assert self._router is not None
        return self._router

    # --- what the switch is told ------------------------------------------------------------

    async def _serve(self, call: Call) -> None:
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
        for interaction_id, about in list(self._by_interaction.items()):
            if about is call:
                del self._by_interaction[interaction_id]
        for leg in call.legs.values():
            if leg.why is None:
                await self._hang_up(leg.name)
            await self._leave_alone(call, leg)
        # Nothing may be left to clear, or nobody to tell.
        with suppress(SwitchClosedError, SwitchRefusedError):
            for room in {call.id, *call.made}:
                await self._switch.clear(room)

    async def _settle(self, call: Call) -> None:
        """Tell the switch what is missing for the state that the router says."""
        router = self._open_router()
        works = list(chain(router, call.interaction_id))
        for work in works[1:]:
            self._by_interaction[work.interaction_id] = call
        picture = router.interaction(call.interaction_id)
        # Whoever is called back has hung up, or may; and there is nothing to do in wrap-up.
        is_over = works[0].assignment is None and router.assignment(call.interaction_id) is not None
        if picture is None or picture.is_callback or is_over:
            await self._part(call)
            return
        renumber(call, works)
        if await self._take_leave(call, works):
            return  # what follows wakes it
        wanted = rooms(call.id, [link_of(call, work) for work in works])
        await self._separate(call, wanted)
        numbers = set().union(*(work.wanted for work in works))
        for leg in [leg for leg in call.legs.values() if leg.offer_id not in numbers]:
            await self._drop(call, leg)
        for work in works:
            had = work.assignment
            if had is None:
                await self._ring(call, work)
            elif call.leg_for(had.assignment_id) is None:
                # Accepted before the phone rang, or the phone was lost while nobody watched.
                agent = had.interaction.agent_id or ""
                await self._dial(call, had.assignment_id, agent, had)
        for room, names in wanted.items():
            if not call.places.are_in(room, names):
                await self._join(call, room, names)

    async def _separate(self, call: Call, wanted: Mapping[str, tuple[str, ...]]) -> None:
        """Who should be alone and is not; and the customer hears music."""
        talking = {name for names in wanted.values() for name in names}
        up = [leg.name for leg in call.legs.values() if leg.is_up]
        for name in (call.id, *up):
            silent = name == call.id and name not in call.music
            if name not in talking and (silent or call.places.has_company(name)):
                await self._switch.hold(name, call.places.room_of(name))
                call.places.leave(name)
                call.music.add(name)

    async def _join(self, call: Call, room: str, names: tuple[str, ...]) -> None:
        """Let them talk, if all their phones are still up."""
        legs = [call.legs[name] for name in names if name != call.id and name in call.legs]
        if len(legs) < len(names) - (call.id in names) or not all(leg.is_up for leg in legs):
            return  # its end wakes the call
        call.made.add(room)
        try:
            await self._switch.join(room, names)
        except SwitchRefusedError:
            await self._hang_up(names[-1])
            raise
        call.places.enter(room, names)
        call.music.difference_update(names)
        for leg in legs:
            leg.talked = True

    async def _ring(self, call: Call, work: Work) -> None:
        """The phones of those to whom it is offered ring, have answered, or will not."""
        for offer in work.offers:
            leg = call.leg_for(offer.offer_id)
            if leg is None:
                await self._dial(call, offer.offer_id, offer.agent_id, offer)
            elif leg.why is not None:
                await self._refuse(offer, leg.why)
            elif leg.answered:
                await offer.accept()
                return

    async def _take_leave(self, call: Call, works: list[Work]) -> bool:
        """Whose phone is down, the last of the chain first. True: somebody's was."""
        for work, behind in reversed(list(zip(works, [*works[1:], None], strict=True))):
            had = work.assignment
            leg = None if had is None else call.leg_for(had.assignment_id)
            is_held = had is not None and had.state is InteractionState.HELD
            if had is None or (leg.is_there if leg is not None else not is_held):
                continue
            if leg is not None and not leg.talked and not is_held:
                # He has accepted and cannot be heard: it waits again, at its age.
                why = leg.why or Gone.FAILED
                await self._silence(had.interaction.agent_id or "", why)
                await had.requeue(why.value)
            else:
                # Who puts his phone down on a colleague leaves him the customer.
                is_asked = behind is not None and behind.assignment is not None
                if not (is_asked and await had.hand_over()):
                    await self._let_go(had)
            return True
        return False

    async def _dial(self, call: Call, offer_id: int, agent: str, held: Offer | Assignment) -> None:
        """Ring the phone of the agent to whom it is offered, or who has it."""
        phone = self._phones.get(agent)
        name = leg_name(offer_id, agent, call.id)
        call.legs[name] = Leg(offer_id, held.interaction.id, digest(agent), name)
        if phone is None:
            self.ended(name, Gone.UNREACHABLE)
            return
        customer = held.interaction.customer
        try:
            await self._switch.ring(call.id, name, phone, (customer.name, customer.id))
        except SwitchClosedError:
            # Perhaps it rings: then `connected` finds it, else it rings again.
            del call.legs[name]
            raise
        except (SwitchRefusedError, UsageError) as error:
            _log.warning("a telephone switch cannot ring a phone: %s", error)
            self.ended(name, Gone.UNREACHABLE)

    async def _refuse(self, offer: Offer, why: Gone) -> None:
        """The phone did not take it: the next agent, please."""
        if why in _DECLINES:
            await offer.decline(why.value)
        else:
            await self._silence(offer.agent_id, why)

    async def _silence(self, agent: str, why: Gone) -> None:
        """Offer nothing more to an agent whose phone is dead, until he says that he is ready."""
        await self._open_router().send(SetNotReady(agent, why.value))

    async def _let_go(self, assignment: Assignment | None) -> None:
        """The agent's phone is down: what he has of it is completed."""
        if assignment is None or assignment.state not in HAD:
            return
        try:
            await assignment.complete(self._hang_up_code)
        except UnknownNameError as error:
            _log.warning("a call was hung up without a disposition code: %s", error)
            await self._open_router().abandon(assignment.interaction.id, "hung_up")

    async def _part(self, call: Call) -> None:
        """The conversation is over, or never was: hang up on all sides, once."""
        if not call.over:
            await self._switch.hang_up(call.id, Gone.BUSY if call.refused else Gone.HUNG_UP)
            call.over = True
        for leg in list(call.legs.values()):
            await self._drop(call, leg)

    async def _drop(self, call: Call, leg: Leg) -> None:
        """A phone that is not needed any more for this call."""
        if leg.why is None:
            await self._switch.hang_up(leg.name, Gone.HUNG_UP)
        call.places.leave(leg.name)
        call.music.discard(leg.name)
        call.legs.pop(leg.name, None)
        await self._leave_alone(call, leg)

    async def _leave_alone(self, call: Call, leg: Leg) -> None:
        """A colleague whose agent has gone: nobody is there to talk to about the call."""
        if leg.interaction_id != call.interaction_id:
            had = self._open_router().assignment(leg.interaction_id)
            if had is not None and had.assignment_id == leg.offer_id:
                await self._let_go(had)

    async def _hang_up(self, name: str) -> None:
        """Hang up a leg that nobody wants; a switch that is away lists it when it is back."""
        try:
            await self._switch.hang_up(name, Gone.HUNG_UP)
        except SwitchClosedError:
            pass
        except SwitchRefusedError as error:
            _log.warning("a telephone switch refused to hang up: %s", error)
