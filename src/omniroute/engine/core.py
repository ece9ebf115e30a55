"""The engine: `receive(command, now_ms) -> events`. Decides; `apply` writes down.

Sans-I/O and deterministic: time is an argument, there are no dice, and every order ends
in a sequence number. The same commands at the same times give the same events, byte for
byte. What each command does is defined in docs/explanation/semantics.md.

A handler looks, emits events (each is applied at once) and ends in `matching`, where freed
agents and freed interactions find each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import events as ev
from ..errors import CommandError, UnknownNameError
from ..events import Command, Event
from ..model import Interaction, Message, Presence
from ..plan import Plan, dumps, loads
from . import (
    aside,
    conduct,
    erasure,
    handing,
    intake,
    ladder,
    presence,
    removal,
    replanning,
    snapshots,
    updates,
)
from .apply import apply
from .estimates import ExpectedWait, ewt_ms, expected_wait
from .explain import Explanation, explain
from .explain_offer import OfferExplanation, explain_offer
from .matching import Events, rematch
from .replanning import PlanPreview, adopted, preview_of
from .state import State
from .statistics import (
    GroupCounts,
    IntervalStatistics,
    Statistics,
    group_statistics,
    intervals,
    statistics,
)
from .timers import NEVER, Timer, TimerKind

__all__ = ["Engine"]


class Engine:
    """One routing domain: all queues of a plan and the agents who serve them.

    ``plan`` is checked on construction; the engine starts empty at time 0. Not thread-safe:
    one owner calls it. No method blocks, logs or reads a clock.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._state = State(plan)

    @property
    def now_ms(self) -> int:
        """The engine's time: the latest moment it was told of."""
        return self._state.now_ms

    @property
    def last_offer_id(self) -> int:
        """The number of the last offer; 0 before the first."""
        return self._state.last_offer

    def pass_time(self, now_ms: int) -> None:
        """Nothing happened until then: what comes later may not be earlier. After a replay.

        Commands that caused no event, and timers that were late, moved time too.
        """
        state = self._state
        state.now_ms = max(state.now_ms, now_ms)
        if now_ms >= state.intervals.next_ms:
            state.intervals.roll(state, now_ms)

    def receive(self, command: Command, now_ms: int) -> list[Event]:
        """Do one command at a moment; returns all events it and the passed time caused.

        Raises `CommandError` or `UnknownNameError` on a caller's mistake (nothing has
        changed then). Cost: a few microseconds, independent of how many wait.
        """
        state = self._state
        if now_ms < state.now_ms:
            raise CommandError(f"time goes back: now_ms {now_ms} is before {state.now_ms}")
        handler, check = _HANDLERS[type(command)]
        if check is not None:
            check(state, command)
        out: list[Event] = []
        if now_ms >= state.timers.wake_ms:
            state.unattended = type(command) is ev.Tick and command.unattended
            self._wake(now_ms, out)
            state.unattended = False
        state.now_ms = now_ms
        if handler is None:
            self._change_plan(command, now_ms, out)
        else:
            handler(state, command, now_ms, out)
        return out

    def next_deadline(self) -> int | None:
        """When to tick at the latest, in ms since the epoch; None when no timer is set."""
        due = self._state.timers.next_due
        return None if due == NEVER else due

    def apply(self, event: Event) -> None:
        """Fold one event of a journal in; decides nothing. For replay and recovery."""
        if type(event) is ev.PlanChanged:
            self._adopt(event)
        else:
            apply(self._state, event)

    def preview(
        self, plan: Plan, *, to_waiting: bool = False, moves: Mapping[str, str] | None = None
    ) -> PlanPreview:
        """What `ChangePlan` with this plan would do now; changes nothing. O(state).

        Raises as the command does.
        """
        copy = Engine.restore(self.plan, self.snapshot())
        command = ev.ChangePlan(dumps(plan), to_waiting, tuple((moves or {}).items()))
        events = copy.receive(command, self.now_ms)
        return preview_of(copy._state, events)

    def _change_plan(self, command: Command, at_ms: int, out: Events) -> None:
        assert isinstance(command, ev.ChangePlan)
        event = ev.PlanChanged(at_ms, self._state.plan_version + 1, command.plan)
        self._adopt(event)
        out.append(event)
        replanning.change(self._state, command, at_ms, out)

    def _adopt(self, event: ev.PlanChanged) -> None:
        """Go on under another plan."""
        self._state = adopted(self._state, event)
        self.plan = self._state.plan

    def erasure(self, keys: Iterable[str]) -> ev.CustomerErased:
        """The event that `EraseCustomer` with these keys would cause; changes nothing. O(open)."""
        return erasure.erasure(self._state, keys)

    def snapshot(self) -> bytes:
        """The whole state as bytes; equal states give equal bytes. O(state)."""
        return snapshots.dump(self._state)

    @classmethod
    def restore(cls, plan: Plan, snapshot: bytes) -> Engine:
        """An engine that continues exactly where the snapshot was taken.

        By the plan of the snapshot, if it was changed at run time; else by ``plan``.
        Raises `JournalError` when the bytes are not a snapshot.
        """
        picture = snapshots.read(snapshot)
        text = picture.plan_text
        engine = cls(plan if text is None else loads(text, "snapshot", scorers=plan.scorers))
        snapshots.load(engine._state, picture)
        return engine

    def statistics(self) -> Statistics:
        """Counts and times per queue and channel, folded from the events. O(open)."""
        return statistics(self._state)

    def groups(self) -> dict[str, GroupCounts]:
        """Counts and occupancy of each agent group, folded from the events. O(agents)."""
        return group_statistics(self._state)

    def intervals(self) -> tuple[IntervalStatistics, ...]:
        """The same counts by interval, oldest first; the last is running. O(kept + agents)."""
        return intervals(self._state)

    def expected_wait(
        self, queue: str, position: int | None = None, *, percent: int = 80
    ) -> ExpectedWait | None:
        """How long who is at a position of a queue will wait; None: behind all who wait.

        ``percent`` of the waits are expected between the bounds. None with too few samples.
        Raises `UnknownNameError` for a queue that is not there. A few microseconds.
        """
        record = self._state.queues.get(queue)
        if record is None:
            raise UnknownNameError("queue", queue, self._state.queues)
        if not 1 <= percent <= 99 or (position is not None and position < 1):
            raise CommandError(f"percent {percent} must be 1..99, position {position} at least 1")
        return expected_wait(record, self._state.now_ms, position, percent)

    def ewt_ms(self, queue: str) -> int | None:
        """`expected_wait` of who comes now, without bounds; None also for an unknown queue."""
        record = self._state.queues.get(queue)
        return None if record is None else ewt_ms(record, self._state.now_ms)

    def explain(self, interaction_id: str, at_ms: int | None = None) -> Explanation:
        """Why this interaction is where it is, and who could take it. O(agents), on demand.

        As of now, or of a later moment up to which nothing happens.
        Raises `UnknownNameError` when no open interaction has that id.
        """
        record = self._state.interactions.get(interaction_id)
        if record is None:
            raise UnknownNameError("interaction", interaction_id, None)
        return explain(self._state, record, max(self.now_ms, at_ms or 0))

    def explain_offer(self, event: ev.Offered) -> OfferExplanation:
        """Why this offer was made, asked just before it is applied. O(agents + waiting).

        For the engine of a replay that has applied all events before this one. Raises
        `UnknownNameError` when the interaction or the agent is not there.
        """
        state = self._state
        if event.interaction_id not in state.interactions:
            raise UnknownNameError("interaction", event.interaction_id, None)
        if event.agent_id not in state.agents:
            raise UnknownNameError("agent", event.agent_id, None)
        return explain_offer(state, event)

    def interaction(self, interaction_id: str) -> Interaction | None:
        """A picture of an open interaction, or None when it has ended or never was."""
        record = self._state.interactions.get(interaction_id)
        return None if record is None else self._state.picture(record)

    def interactions(self) -> list[Interaction]:
        """Pictures of all open interactions, oldest first. O(open), on demand."""
        return [self._state.picture(record) for record in self._state.interactions.values()]

    def thread(self, message: Message) -> str | None:
        """The id of the open interaction that a message of this thread joins, or None."""
        record = self._state.thread(message)
        return None if record is None else record.id

    def presence(self, agent_id: str) -> Presence:
        """What an agent says of himself; logged out when he is not signed in."""
        record = self._state.agents.get(agent_id)
        return Presence.LOGGED_OUT if record is None else record.presence

    def _wake(self, now_ms: int, out: Events) -> None:
        """Fire what timers are due, each at its own deadline; close what intervals are over."""
        state = self._state
        while (timer := state.timers.pop_due(now_ms)) is not None:
            state.now_ms = deadline_ms = timer.deadline_ms
            if deadline_ms >= state.intervals.next_ms:
                state.intervals.roll(state, deadline_ms)
            _ON_TIMER[timer.kind](state, timer, out)
        if now_ms >= state.intervals.next_ms:
            state.intervals.roll(state, now_ms)
        state.timers.wake_ms = min(state.timers.next_due, state.intervals.next_ms)


def _tick(state: State, command: ev.Tick, at_ms: int, out: Events) -> None:
    """Every command fires what is due; what was not offered meanwhile is offered now."""
    if command.unattended:
        rematch(state, at_ms, out, agents=state.agents.values())


_Handler = Callable[[State, Any, int, Events], None]
_Check = Callable[[State, Any], None]

#: command -> (handler, check of the caller's mistakes or None); None: it replaces the state
_HANDLERS: dict[type[Command], tuple[_Handler | None, _Check | None]] = {
    ev.Submit: (intake.submit, intake.check_submit),
    ev.Quarantine: (intake.quarantine, intake.check_id),
    ev.Update: (updates.update, updates.check_update),
    ev.Abandon: (removal.abandon, None),
    ev.Cancel: (removal.cancel, None),
    ev.Reprioritize: (removal.reprioritize, intake.check_reprioritize),
    ev.Move: (removal.move, intake.check_move),
    ev.MoveAll: (removal.move_all, removal.check_queue),
    ev.CloseAll: (removal.close_all, removal.check_queue),
    ev.Drain: (removal.drain, removal.check_queue),
    ev.Reopen: (removal.reopen, removal.check_queue),
    ev.Assign: (conduct.assign, None),
    ev.Pick: (conduct.pick, None),
    ev.SignIn: (presence.sign_in, presence.check_sign_in),
    ev.Renew: (presence.renew, None),
    ev.SignOut: (presence.sign_out, None),
    ev.SetReady: (presence.set_ready, None),
    ev.SetNotReady: (presence.set_not_ready, None),
    ev.ChangeAgent: (presence.change_agent, presence.check_agent),
    ev.Accept: (conduct.accept, None),
    ev.Decline: (conduct.decline, None),
    ev.Revoke: (conduct.withdraw, None),
    ev.Hold: (conduct.hold, None),
    ev.Resume: (conduct.resume, None),
    ev.Requeue: (conduct.requeue, None),
    ev.Complete: (conduct.complete, conduct.check_complete),
    ev.ExtendWrapUp: (conduct.extend_wrap_up, conduct.check_extension),
    ev.Park: (aside.park, aside.check_moment),
    ev.Unpark: (aside.unpark_by_command, None),
    ev.Transfer: (handing.transfer, handing.check_target),
    ev.Consult: (handing.consult, handing.check_target),
    ev.HandOver: (handing.hand_over, None),
    ev.Confer: (handing.confer, None),
    ev.Escalate: (handing.escalate, handing.check_escalate),
    ev.RequestCallback: (aside.request_callback, aside.check_moment),
    ev.FailCallback: (aside.fail_callback, None),
    ev.FinishWrapUp: (conduct.finish_wrap_up, None),
    ev.EraseCustomer: (erasure.erase, erasure.check_erase),
    ev.ChangePlan: (None, replanning.check_plan),
    ev.Tick: (_tick, None),
}

_ON_TIMER: dict[TimerKind, Callable[[State, Timer, Events], None]] = {
    TimerKind.OFFER: conduct.offer_expired,
    TimerKind.STEP: ladder.step_ended,
    TimerKind.WRAP_UP: conduct.wrap_up_over,
    TimerKind.REFUSAL: ladder.refusal_over,
    TimerKind.ACCESS: ladder.access_opens,
    TimerKind.START: aside.starts,
    TimerKind.TOO_LONG: aside.too_long,
    TimerKind.UNPARK: aside.comes_back,
    TimerKind.LEASE: presence.lease_over,
}
