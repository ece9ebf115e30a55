"""Who is at his desk, and when: shifts, breaks, the pause after an offer that was not answered.

An agent whose shift is over finishes what he has in hand and signs out then; a break begins for
new work at its moment. Shifts repeat every cycle.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import events as ev
from ..events import Command
from ..plan import OnExpiry, Plan
from .agenda import PRESENCE, WORK, Agenda
from .desks import Desk, Habits, Together
from .scenario import Scenario, Shift
from .streams import Streams
from .tally import Tally

__all__ = ["Attendance"]


class Attendance:
    """All desks of a run. ``do`` gives the engine a command at a moment."""

    def __init__(
        self,
        scenario: Scenario,
        plan: Plan,
        streams: Streams,
        tally: Tally,
        agenda: Agenda,
        do: Callable[[Command, int], None],
    ) -> None:
        self._scenario = scenario
        self._plan = plan
        self._tally = tally
        self._agenda = agenda
        self._do = do
        self.desks: dict[str, Desk] = {}
        for group in scenario.agent_groups(plan):
            habits = Habits.of(group, tally.group(group.name, len(group.agents)), streams)
            for named in group.agents:
                agent = plan.agents[named] if isinstance(named, str) else named
                together = Together(group.slow_down) if group.slow_down else None
                rank = WORK + (len(self.desks) << 40)
                desk = self.desks[agent.id] = Desk(agent, habits, rank, together)
                if not group.shifts:
                    agenda.plan(0, PRESENCE, self._come, desk)
                for shift in group.shifts:
                    self._plan_shift(desk, shift, 0)

    def _plan_shift(self, desk: Desk, shift: Shift, cycle_ms: int) -> None:
        """Plan a shift of one cycle; its end brings the next cycle's."""
        if cycle_ms + shift.from_ms >= self._scenario.duration_ms:
            return
        plan = self._agenda.plan
        plan(cycle_ms + shift.from_ms, PRESENCE, self._come, desk)
        for pause in shift.breaks:
            plan(cycle_ms + pause.from_ms, PRESENCE, self._go_away, desk)
            plan(cycle_ms + pause.to_ms, PRESENCE, self._return, desk)
        plan(cycle_ms + shift.to_ms, PRESENCE, self._shift_over, (desk, shift), cycle_ms)

    # --- what is planned ------------------------------------------------------------------

    def _come(self, at_ms: int, desk: Desk, _number: int) -> None:
        desk.on_shift = True
        desk.away = 0
        self._be_ready(at_ms, desk)

    def _be_ready(self, at_ms: int, desk: Desk) -> None:
        if desk.since_ms < 0:
            self._do(ev.SignIn(desk.agent), at_ms)
        else:
            self._do(ev.SetReady(desk.agent.id), at_ms)

    def _go_away(self, at_ms: int, desk: Desk, _number: int) -> None:
        desk.away += 1
        if desk.since_ms >= 0:
            self._do(ev.SetNotReady(desk.agent.id, "break"), at_ms)

    def _return(self, at_ms: int, desk: Desk, _number: int) -> None:
        desk.away = max(0, desk.away - 1)
        if desk.on_shift and not desk.away:
            self._be_ready(at_ms, desk)

    def _shift_over(self, at_ms: int, subject: tuple[Desk, Shift], cycle_ms: int) -> None:
        desk, shift = subject
        if self._scenario.drain and at_ms >= self._scenario.duration_ms:
            return
        desk.on_shift = False
        if desk.since_ms >= 0:
            if desk.load:
                self._do(ev.SetNotReady(desk.agent.id, "shift over"), at_ms)
            else:
                self._do(ev.SignOut(desk.agent.id, "shift over"), at_ms)
        self._plan_shift(desk, shift, cycle_ms + self._scenario.cycle_ms)

    # --- what the engine says -------------------------------------------------------------

    def signed_in(self, event: ev.SignedIn) -> None:
        """From now on he is paid."""
        self.desks[event.agent.id].since_ms = event.at_ms

    def signed_out(self, event: ev.SignedOut) -> None:
        """Until now he was."""
        desk = self.desks[event.agent_id]
        self._tally.span(desk.tally.staffed_ms, desk.since_ms, event.at_ms)
        desk.since_ms = -1

    def no_answer(self, event: ev.Expired, queue: str) -> None:
        """An offer ran out; where the plan sends the agent away he comes back after a pause."""
        if self._plan.queues[queue].on_expiry is OnExpiry.NOTHING:
            return
        desk = self.desks[event.agent_id]
        desk.away += 1
        pause_ms = int(next(desk.habits.pauses) + 0.5)
        self._agenda.plan(event.at_ms + pause_ms, PRESENCE, self._return, desk)

    def close(self, at_ms: int) -> None:
        """The run ends: count what still goes on."""
        for desk in self.desks.values():
            times = desk.tally
            if desk.load:
                self._tally.span(times.busy_ms, desk.busy_since_ms, at_ms)
            elif desk.idle_since_ms >= 0:
                self._tally.span(times.busy_ms, desk.busy_since_ms, desk.idle_since_ms)
            if desk.since_ms >= 0:
                self._tally.span(times.staffed_ms, desk.since_ms, at_ms)
