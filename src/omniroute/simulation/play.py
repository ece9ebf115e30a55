"""The driver: the same `Engine` as in production, told of customers and agents in virtual time.

A heap of (moment, order, action, subject, number) holds what the world will do; the engine's next
deadline stands beside it, and the earlier goes first. What happens at one moment happens in the
order end of work (agent by agent, as they are listed), presence, arrival, answer, abandonment: who
comes finds the agents who have just become free, and nobody leaves in the moment he is answered.

The driver decides nothing that the engine decides. Each event changes the tally and may call for
commands at the same moment (``_todo``), which are done when the batch has been read.

A planned action may be stale when its moment comes, so each looks first
whether it still applies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import events as ev
from ..engine import Engine
from ..events import Command, Event
from ..plan import Plan, WrapUpKind
from .agenda import ANSWER, ARRIVAL, LEAVING, NEVER, WORK, Action, Agenda
from .attendance import Attendance
from .customers import Customer, Source, busyness
from .desks import Desk
from .scenario import Scenario
from .streams import Streams
from .tally import Frame, Tally

__all__ = ["Play", "Receive"]

_TICK = ev.Tick()

#: After so many arrivals what was noted is counted.
_BLOCK = 1024

#: What the engine does with a command at a moment.
Receive = Callable[[Command, int], list[Event]]


class Play:
    """One run in progress."""

    def __init__(self, scenario: Scenario, plan: Plan, streams: Streams) -> None:
        self.scenario = scenario
        self.plan = plan
        self.engine = Engine(plan)
        self.receive: Receive = self.engine.receive
        self.next_deadline: Callable[[], int | None] = self.engine.next_deadline
        frame = Frame(scenario.interval_ms, scenario.cycle_ms // scenario.interval_ms)
        self.tally = Tally(plan, frame)
        self.interactions = 0
        self.end_ms = scenario.duration_ms
        self._agenda = Agenda()
        self._arriving: Customer
        self._open: dict[str, Customer] = {}
        self._todo: list[Command] = []
        #: the queues that accept for the agent
        self._accepts = {queue.name for queue in plan.queues.values() if queue.auto_accept}
        self._attendance = Attendance(scenario, plan, streams, self.tally, self._agenda, self._do)
        self._desks = self._attendance.desks
        self._arrives: Action = self._arrive
        self._over: Action = self._work_over
        self._sources, self._followers = self._invite(streams)
        #: what follows from an event; nothing from most
        self._on: dict[type, Callable[[Any], None] | None] = dict.fromkeys(ev.Event.__args__)
        self._on |= {
            ev.Queued: self._queued,
            ev.Rejected: self._rejected,
            ev.Offered: self._offered,
            ev.Accepted: self._accepted,
            ev.Expired: self._expired,
            ev.Requeued: self._requeued,
            ev.WrapUpStarted: self._wrapping_up,
            ev.Completed: self._completed,
            ev.Abandoned: self._abandoned,
            ev.Cancelled: self._cancelled,
            ev.SignedIn: self._attendance.signed_in,
            ev.SignedOut: self._attendance.signed_out,
        }

    def watch(self, wrap: Callable[[Receive], Receive]) -> None:
        """Let somebody see every command of the engine, its moment and its events."""
        self.receive = wrap(self.receive)

    # --- the stage ------------------------------------------------------------------------

    def _invite(self, streams: Streams) -> tuple[list[Source], dict[str, Source]]:
        scenario = self.scenario
        factor = busyness(scenario, streams)
        groups = scenario.agent_groups(self.plan)
        sources: list[Source] = []
        followers: dict[str, Source] = {}
        followed = {follow.customers for k in scenario.customers.values() for follow in k.next}
        for name, kind in scenario.customers.items():
            variants = [(g.name, g.handle[name]) for g in groups if name in g.handle]
            if name in followed:
                followers[name] = Source(kind, scenario, streams, variants, "next")
            if kind.arrivals is not None:
                source = Source(kind, scenario, streams, variants, "first")
                rng = streams.named("arrivals", name)
                source.times = kind.arrivals.times(rng, factor, scenario.cycle_ms)
                sources.append(source)
                at_ms = int(next(source.times, NEVER) + 0.5)
                if at_ms < self.end_ms:
                    self._agenda.plan(at_ms, ARRIVAL, self._arrives, source)
        if scenario.warm_up_ms:
            self._agenda.plan(scenario.warm_up_ms, WORK, self._warm, None)
        return sources, followers

    # --- time -----------------------------------------------------------------------------

    def play(self) -> None:
        """Everything, from the first arrival to the end."""
        last_ms = NEVER - 1 if self.scenario.drain else self.end_ms - 1
        self._agenda.carry_out(last_ms, self.next_deadline, self._wake)
        self._close()

    def _wake(self, at_ms: int) -> None:
        self._do(_TICK, at_ms)

    def _close(self) -> None:
        tally = self.tally
        at_ms = self.end_ms
        if self.scenario.drain:
            done_ms = max((desk.idle_since_ms for desk in self._desks.values()), default=0)
            at_ms = max(at_ms, tally.last_ms, done_ms)
        tally.pass_time(at_ms)
        tally.serving_ms += self._serving_ms(at_ms)
        self._attendance.close(at_ms)

    def _serving_ms(self, at_ms: int) -> int:
        """How long those who are with an agent have been there, together."""
        served = (customer for customer in self._open.values() if customer.desk is not None)
        return sum(at_ms - customer.accepted_ms for customer in served)

    def _expired(self, event: ev.Expired) -> None:
        self._attendance.no_answer(event, self._open[event.interaction_id].cell.queue)

    def _warm(self, at_ms: int, _subject: None, _number: int) -> None:
        self.tally.pass_time(at_ms)
        self.tally.begin(at_ms)
        self.tally.serving_ms -= self._serving_ms(at_ms)
        for source in (*self._sources, *self._followers.values()):
            source.forget_cells()

    def _do(self, command: Command, at_ms: int) -> None:
        """Give the engine a command, read what it did, and do what follows at this moment."""
        on = self._on
        for event in self.receive(command, at_ms):
            follow = on[type(event)]
            if follow is not None:
                follow(event)
        todo = self._todo
        while todo:
            for event in self.receive(todo.pop(0), at_ms):
                follow = on[type(event)]
                if follow is not None:
                    follow(event)

    # --- customers ------------------------------------------------------------------------

    def _arrive(self, at_ms: int, source: Source, _number: int) -> None:
        self._enter(at_ms, source.customer(at_ms))
        next_ms = int(next(source.times, NEVER) + 0.5)
        if next_ms < self.end_ms:
            self._agenda.plan(next_ms, ARRIVAL, self._arrives, source)

    def _follow(self, at_ms: int, source: Source, _number: int) -> None:
        self._enter(at_ms, source.customer(at_ms))

    def _try_again(self, at_ms: int, customer: Customer, _number: int) -> None:
        customer.source.comes_again(customer, at_ms)
        self._enter(at_ms, customer)

    def _enter(self, at_ms: int, customer: Customer) -> None:
        source = customer.source
        self.interactions = number = self.interactions + 1
        if not number % _BLOCK:
            self.tally.settle()
        self._arriving = customer
        self._do(source.submit, at_ms)
        if customer.desk is not None or customer.id not in self._open:
            return
        self.tally.one_more_waits(at_ms)
        customer.is_counted = True
        balk = source.kind.balk
        if (
            balk
            and not customer.offer_id
            and source.dice["balk"].uniform(customer.number, customer.attempts) < balk
        ):
            customer.cell.balked += 1
            self._do(ev.Abandon(customer.id, "balked"), at_ms)
        elif customer.patience_ms is not None:
            gone_ms = at_ms + int(customer.patience_ms + 0.5)
            self._agenda.plan(gone_ms, LEAVING, self._lose_patience, customer, customer.waits)

    def _lose_patience(self, at_ms: int, customer: Customer, waits: int) -> None:
        is_open = self._open.get(customer.id) is customer
        if is_open and customer.waits == waits and customer.desk is None:
            self._do(ev.Abandon(customer.id), at_ms)

    def _queued(self, event: ev.Queued) -> None:
        customer = self._arriving
        customer.id = event.interaction_id
        customer.enqueued_ms = at_ms = event.at_ms
        self._open[customer.id] = customer
        source = customer.source
        cell = source.cells.get(event.queue) if at_ms < source.cells_until_ms else None
        if cell is None:
            cell = source.cell(self.tally, event.queue, at_ms)
        customer.cell = cell
        cell.arrived += 1
        if customer.attempts:
            cell.retried += 1

    def _waits_no_more(self, at_ms: int, customer: Customer) -> None:
        if customer.is_counted:
            self.tally.one_less_waits(at_ms)
            customer.is_counted = False

    def _rejected(self, event: ev.Rejected) -> None:
        customer = self._arriving
        customer.id = event.interaction_id
        cell = customer.source.cell(self.tally, event.queue or "", event.at_ms)
        cell.arrived += 1
        cell.rejected += 1
        if customer.attempts:
            cell.retried += 1
        self._perhaps_again(event.at_ms, customer)

    def _perhaps_again(self, at_ms: int, customer: Customer) -> None:
        source = customer.source
        rule = source.kind.retrial
        if rule is None or customer.attempts >= rule.at_most:
            return
        draw = source.dice["retrial"].uniform(customer.number, customer.attempts)
        if draw < rule.probability:
            customer.attempts += 1
            delay_ms = int(next(source.delays[""]) + 0.5)
            self._agenda.plan(at_ms + delay_ms, ARRIVAL, self._try_again, customer)

    def _abandoned(self, event: ev.Abandoned) -> None:
        customer = self._open.pop(event.interaction_id)
        at_ms = event.at_ms
        self._waits_no_more(at_ms, customer)
        customer.cell.abandoned.noted.append(at_ms - customer.enqueued_ms)
        self._perhaps_again(at_ms, customer)

    def _cancelled(self, event: ev.Cancelled) -> None:
        """Offers were exhausted: only what waits is cancelled here."""
        customer = self._open.pop(event.interaction_id)
        self._waits_no_more(event.at_ms, customer)
        customer.cell.cancelled += 1

    # --- offers and work ------------------------------------------------------------------

    def _offered(self, event: ev.Offered) -> None:
        customer = self._open[event.interaction_id]
        if customer.desk is not None or customer.cell.queue in self._accepts:
            return  # somebody else was quicker, or the queue accepts for the agent
        customer.offer_id = offer_id = event.offer_id
        habits = self._desks[event.agent_id].habits
        if habits.at_once:
            on = self._on
            for answered in self.receive(ev.Accept(offer_id), event.at_ms):
                follow = on[type(answered)]
                if follow is not None:
                    follow(answered)
            return
        group = habits.group
        customer.throws += 1
        draw = customer.source.dice["offer"].uniform(customer.number, customer.throws)
        if draw < group.no_answer:
            return
        delay_ms = int(next(habits.delays) + 0.5) if habits.delays is not None else 0
        answer = ev.Decline if draw < group.no_answer + group.decline else ev.Accept
        if delay_ms:
            self._agenda.plan(event.at_ms + delay_ms, ANSWER, self._answer, answer(offer_id))
        else:
            self._todo.append(answer(offer_id))

    def _answer(self, at_ms: int, command: Command, _number: int) -> None:
        """He answers; the engine refuses what comes too late."""
        self._do(command, at_ms)

    def _accepted(self, event: ev.Accepted) -> None:
        at_ms = event.at_ms
        customer = self._open[event.interaction_id]
        customer.desk = desk = self._desks[event.agent_id]
        customer.accepted_ms = at_ms
        customer.offer_id = offer_id = event.offer_id
        if customer.is_counted:
            self.tally.one_less_waits(at_ms)
            customer.is_counted = False
        cell = customer.cell
        account = cell.accounts.get(desk.tally)
        if account is None:
            account = self.tally.account(cell, desk.tally)
        customer.account = account
        account.noted.append(at_ms - customer.enqueued_ms)
        if not desk.load and desk.idle_since_ms != at_ms:
            desk.begin(at_ms, self.tally)
        desk.load += 1
        work_ms = customer.work_ms
        if customer.variants is not None:
            work_ms = customer.variants.get(desk.group, work_ms)
        if desk.together is not None:
            desk.together.add(at_ms, customer, offer_id, work_ms)
            self._plan_end(desk)
            return
        ends_ms = at_ms + int(work_ms + 0.5)
        self._agenda.plan(ends_ms, desk.rank, self._over, customer, offer_id)

    def _plan_end(self, desk: Desk) -> None:
        """The next end of a desk whose contacts share its time."""
        together = desk.together
        assert together is not None
        ends_ms = together.next_end_ms()
        if ends_ms is not None:
            self._agenda.plan(ends_ms, desk.rank, self._one_is_over, desk, together.version)

    def _one_is_over(self, at_ms: int, desk: Desk, version: int) -> None:
        together = desk.together
        if together is None or together.version != version:
            return
        customer, offer_id = together.finish(at_ms)
        self._plan_end(desk)
        self._work_over(at_ms, customer, offer_id)

    def _work_over(self, at_ms: int, customer: Customer, offer_id: int) -> None:
        if customer.offer_id == offer_id and customer.desk is not None:
            self._do(ev.Complete(offer_id), at_ms)

    def _wrapping_up(self, event: ev.WrapUpStarted) -> None:
        customer = self._open[event.interaction_id]
        if self.plan.queues[customer.cell.queue].wrap_up.kind is WrapUpKind.FORCED:
            return
        done_ms = event.at_ms + int(customer.wrap_up_ms + 0.5)
        if event.until_ms is None or done_ms < event.until_ms:
            finish = ev.FinishWrapUp(event.assignment_id)
            self._agenda.plan(done_ms, WORK, self._answer, finish)

    def _put_down(self, at_ms: int, customer: Customer, desk: Desk) -> None:
        """The agent does not have it any more: completed or given back."""
        account = customer.account
        account.handled += 1
        account.handle_ms += at_ms - customer.accepted_ms
        desk.load -= 1
        if not desk.load:
            desk.idle_since_ms = at_ms
            if not desk.on_shift:
                self._todo.append(ev.SignOut(desk.agent.id, "shift over"))

    def _completed(self, event: ev.Completed) -> None:
        customer = self._open.pop(event.interaction_id)
        self._put_down(event.at_ms, customer, self._desks[event.agent_id])
        source = customer.source
        if source.kind.next:
            draw = source.dice["next"].uniform(customer.number, customer.attempts)
            for follow in source.kind.next:
                draw -= follow.probability
                if draw < 0:
                    delay_ms = int(next(source.delays[follow.customers]) + 0.5)
                    follower = self._followers[follow.customers]
                    at_ms = event.at_ms + delay_ms
                    self._agenda.plan(at_ms, ARRIVAL, self._follow, follower)
                    return

    def _requeued(self, event: ev.Requeued) -> None:
        """It waits again, with new patience, and will be handled from the start."""
        customer = self._open[event.interaction_id]
        desk = self._desks[event.agent_id]
        at_ms = event.at_ms
        self._put_down(at_ms, customer, desk)
        self.tally.one_more_waits(at_ms)
        customer.is_counted = True
        customer.cell.requeued += 1
        customer.desk = None
        customer.waits += 1
        if desk.together is not None:
            desk.together.remove(at_ms, event.assignment_id)
            self._plan_end(desk)
        if customer.patience_ms is not None:
            gone_ms = at_ms + int(customer.patience_ms + 0.5)
            self._agenda.plan(gone_ms, LEAVING, self._lose_patience, customer, customer.waits)
