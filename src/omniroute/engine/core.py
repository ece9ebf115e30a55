"""The engine: `receive(command, now_ms) -> events`. Decides; `State` writes down.

Sans-I/O and deterministic: time is an argument, there are no dice, and every order ends
in a sequence number. The same commands at the same times give the same events, byte for
byte. What each command does is defined in docs/explanation/semantics.md.

Every handler has the same shape: look, emit events (each is applied at once), and end in
`_rematch`, which lets freed agents and freed interactions find each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import events as ev
from ..errors import CommandError, UnknownNameError
from ..events import Command, Event, RejectReason, RevokeReason
from ..model import Agent, Interaction, InteractionState, Message, Presence
from ..plan import OnExpiry, Plan, RefusalRule, Scope, WrapUpKind, all_of, parse
from . import snapshots
from .explain import Explanation, explain
from .records import UNTIL_RESET, AgentRecord, InteractionRecord
from .state import State
from .statistics import Statistics, statistics
from .timers import NEVER, Timer, TimerKind

__all__ = ["Engine"]

_WAITING = InteractionState.WAITING
_OFFERED = InteractionState.OFFERED
_ENGAGED = InteractionState.ENGAGED
_HELD = InteractionState.HELD
_WRAP_UP = InteractionState.WRAP_UP
_READY = Presence.READY

_Events = list[Event]


class Engine:
    """One routing domain: all queues of a plan and the agents who serve them.

    ``plan`` is checked on construction; the engine starts empty at time 0. Not thread-safe:
    one owner calls it. No method blocks, logs or reads a clock.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._state = State(plan)
        self._market = self._state.market
        self._timers = self._state.timers
        #: own requirements whose names were checked against the plan
        self._known_requirements: set[str] = set()

    @property
    def now_ms(self) -> int:
        """The engine's time: the latest moment it was told of."""
        return self._state.now_ms

    def receive(self, command: Command, now_ms: int) -> list[Event]:
        """Do one command at a moment; returns all events it and the passed time caused.

        Raises `CommandError` or `UnknownNameError` on a caller's mistake (nothing has
        changed then). Cost: a few microseconds, independent of how many wait.
        """
        state = self._state
        handler, check = _HANDLERS[type(command)]
        if now_ms < state.now_ms:
            raise CommandError(f"time goes back: now_ms {now_ms} is before {state.now_ms}")
        if check is not None:
            check(self, command)
        out: list[Event] = []
        timers = self._timers
        if timers.next_due <= now_ms:
            self._fire(now_ms, out)
        state.now_ms = now_ms
        handler(self, command, now_ms, out)
        if timers.next_due <= now_ms:
            self._fire(now_ms, out)
        return out

    def next_deadline(self) -> int | None:
        """When to tick at the latest, in ms since the epoch; None when no timer is set."""
        due = self._timers.next_due
        return None if due == NEVER else due

    def apply(self, event: Event) -> None:
        """Fold one event of a journal in; decides nothing. For replay and recovery."""
        self._state.apply(event)

    def snapshot(self) -> bytes:
        """The whole state as bytes; equal states give equal bytes."""
        return snapshots.dump(self._state)

    @classmethod
    def restore(cls, plan: Plan, snapshot: bytes) -> Engine:
        """An engine that continues exactly where the snapshot was taken."""
        engine = cls(plan)
        snapshots.load(engine._state, snapshot)
        return engine

    def statistics(self) -> Statistics:
        """Counts and times per queue and channel, folded from the events. O(queues)."""
        return statistics(self._state)

    def explain(self, interaction_id: str) -> Explanation:
        """Why this interaction is where it is, and who could take it. O(agents), on demand.

        Raises `UnknownNameError` when no open interaction has that id.
        """
        record = self._state.interactions.get(interaction_id)
        if record is None:
            raise UnknownNameError("interaction", interaction_id, self._state.interactions)
        return explain(self._state, record)

    def interaction(self, interaction_id: str) -> Interaction | None:
        """A picture of an open interaction, or None when it has ended or never was."""
        record = self._state.interactions.get(interaction_id)
        return None if record is None else record.picture()

    def presence(self, agent_id: str) -> Presence:
        """What an agent says of himself; logged out when he is not signed in."""
        record = self._state.agents.get(agent_id)
        return Presence.LOGGED_OUT if record is None else record.presence

    # --- checks: a caller's mistakes, found before anything changes -----------------------

    def _check_submit(self, command: ev.Submit) -> None:
        if command.queue is not None and command.queue not in self._state.queues:
            raise UnknownNameError("queue", command.queue, self._state.queues, where="submit")
        if command.priority is not None:
            self._check_priority(command)
        own = command.requirement
        if own is not None and own not in self._known_requirements:
            expression = parse(own, Scope.AGENT)
            if self.plan.skills:
                self._check_skills(expression.skills, "requirement")
            if len(self._known_requirements) >= self.plan.limits.max_lanes:
                self._known_requirements.clear()
            self._known_requirements.add(own)

    def _check_priority(self, command: ev.Submit | ev.Reprioritize) -> None:
        highest = self.plan.limits.max_priority
        priority = command.priority
        if type(priority) is not int or not 0 <= priority <= highest:
            raise CommandError(f"priority must be an integer from 0 to {highest}, got {priority!r}")

    def _check_agent(self, command: ev.SignIn | ev.ChangeAgent) -> None:
        agent = command.agent
        where = f"agent {agent.id!r}"
        if agent.capacity not in self.plan.capacities:
            raise UnknownNameError("capacity", agent.capacity, self.plan.capacities, where=where)
        if self.plan.skills:
            self._check_skills(agent.skills, where)
        for skill, level in agent.skills.items():
            defined = self.plan.skills.get(skill)
            if level < 0 or (defined is not None and level > defined.max_level):
                raise CommandError(f"{where}: level {level} of skill {skill!r} is out of range")

    def _check_skills(self, skills: Iterable[str], where: str) -> None:
        for skill in skills:
            if skill not in self.plan.skills:
                raise UnknownNameError("skill", skill, self.plan.skills, where=where)

    # --- messages -------------------------------------------------------------------------

    def _submit(self, command: ev.Submit, at_ms: int, out: _Events) -> None:
        state = self._state
        message = command.message
        if message.message_id is not None and self._is_duplicate(message, at_ms, out):
            return
        if message.thread_id is not None:
            thread = state.thread(message)
            if thread is not None:
                agent_id = thread.agent.id if thread.agent is not None else None
                appended = ev.MessageAppended(at_ms, thread.id, message, agent_id)
                state.message_appended(appended)
                out.append(appended)
                return
        interaction_id = self._new_id(command, at_ms, out)
        if interaction_id is None:
            return
        queue, priority, requirement = command.queue, command.priority, command.requirement
        if queue is None:
            queue, priority, requirement = self._triage(command)
        reason = self._refused_at_door(message, queue, requirement)
        if reason is not None or queue is None:
            rejected = ev.Rejected(
                at_ms, interaction_id, message, reason or RejectReason.NO_QUEUE, queue
            )
            state.rejected(rejected)
            out.append(rejected)
            return
        if priority is None:
            priority = self.plan.queues[queue].priority
        event = ev.Queued(
            at_ms, interaction_id, state.seq + 1, message, queue, priority, requirement
        )
        record = state.queued(event)
        out.append(event)
        if record.queue.plan.ladder[0].skip_if_nobody:
            self._step(record, 0, at_ms, out)
        self._place(record, at_ms, out)

    def _quarantine(self, command: ev.Quarantine, at_ms: int, out: _Events) -> None:
        message = command.message
        if message.message_id is not None and self._is_duplicate(message, at_ms, out):
            return
        interaction_id = self._new_id(command, at_ms, out)
        if interaction_id is not None:
            event = ev.Quarantined(at_ms, interaction_id, message, command.reason)
            self._state.quarantine(event)
            out.append(event)

    def _is_duplicate(self, message: Message, at_ms: int, out: _Events) -> bool:
        opened = self._state.seen_before(message, at_ms)
        if opened is None:
            return False
        event = ev.Duplicate(at_ms, message.channel.value, message.message_id or "", opened)
        self._state.duplicate(event)
        out.append(event)
        return True

    def _new_id(
        self, command: ev.Submit | ev.Quarantine, at_ms: int, out: _Events
    ) -> str | None:
        given = command.interaction_id
        interactions = self._state.interactions
        if given is None:
            made = f"i{self._state.seq + 1}"
            if made not in interactions:
                return made
            given = made
        elif given not in interactions:
            return given
        self._reject(command, given, RejectReason.ID_IN_USE, at_ms, out)
        return None

    def _triage(self, command: ev.Submit) -> tuple[str | None, int | None, str | None]:
        """Queue, priority and requirement by the first rule that holds."""
        message = command.message
        for rule in self.plan.triage:
            if rule.when is not None and not rule.when.matches(message):
                continue
            wanted = [rule.requirement]
            if command.requirement is not None:
                wanted.append(parse(command.requirement, Scope.AGENT))
            if rule.match_language and message.language:
                skill = f"lang:{message.language}"
                if not self.plan.skills or skill in self.plan.skills:
                    wanted.append(parse(f"{skill} >= 1", Scope.AGENT))
            joined = all_of(*wanted)
            priority = rule.priority if command.priority is None else command.priority
            return rule.queue, priority, None if joined is None else str(joined)
        return None, None, None

    def _refused_at_door(
        self, message: Message, queue_name: str | None, requirement: str | None
    ) -> RejectReason | None:
        state = self._state
        if queue_name is None:
            return RejectReason.NO_QUEUE
        queue = state.queues[queue_name]
        limits = self.plan.limits
        if queue.waiting >= queue.plan.max_waiting or state.waiting >= limits.max_waiting:
            return RejectReason.QUEUE_FULL
        if (
            self._market.lane_count >= limits.max_lanes
            and self._market.lanes_in_use() >= limits.max_lanes
            and not self._market.has_lane(
                queue, state.effective(queue.plan, 0, requirement), message.channel
            )
        ):
            return RejectReason.LANES_EXHAUSTED
        return None

    def _abandon(self, command: ev.Abandon, at_ms: int, out: _Events) -> None:
        record = self._known(command, command.interaction_id, at_ms, out)
        if record is None:
            return
        if record.state is _WRAP_UP:
            self._reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
        elif record.state in (_ENGAGED, _HELD):
            self._finish(record, "customer_left", at_ms, out)
        else:
            agent = self._revoke(record, RevokeReason.CUSTOMER_LEFT, at_ms, out)
            event = ev.Abandoned(at_ms, record.id, command.reason)
            self._state.abandoned(event)
            out.append(event)
            self._rematch(at_ms, out, agents=[agent] if agent is not None else ())

    def _cancel(self, command: ev.Cancel, at_ms: int, out: _Events) -> None:
        record = self._known(command, command.interaction_id, at_ms, out)
        if record is None:
            return
        agent = self._revoke(record, RevokeReason.CANCELLED, at_ms, out) or record.agent
        self._emit_cancelled(record, command.reason, at_ms, out)
        self._rematch(at_ms, out, agents=[agent] if agent is not None else ())

    def _emit_cancelled(
        self, record: InteractionRecord, reason: str, at_ms: int, out: _Events
    ) -> None:
        event = ev.Cancelled(at_ms, record.id, reason)
        self._state.cancelled(event)
        out.append(event)

    def _reprioritize(self, command: ev.Reprioritize, at_ms: int, out: _Events) -> None:
        record = self._known(command, command.interaction_id, at_ms, out)
        if record is None:
            return
        if record.state is _WRAP_UP:
            self._reject(command, record.id, RejectReason.ILLEGAL_STATE, at_ms, out)
            return
        event = ev.Reprioritized(at_ms, record.id, command.priority)
        self._state.reprioritized(event)
        out.append(event)

    # --- agents ---------------------------------------------------------------------------

    def _sign_in(self, command: ev.SignIn, at_ms: int, out: _Events) -> None:
        agent: Agent = command.agent
        agents = self._state.agents
        if agent.id in agents:
            self._reject(command, agent.id, RejectReason.ALREADY_SIGNED_IN, at_ms, out)
            return
        if len(agents) >= self.plan.limits.max_agents:
            self._reject(command, agent.id, RejectReason.AGENTS_EXHAUSTED, at_ms, out)
            return
        event = ev.SignedIn(at_ms, agent)
        self._state.signed_in(event)
        out.append(event)
        if command.ready:
            self._become_ready(agents[agent.id], at_ms, out)

    def _sign_out(self, command: ev.SignOut, at_ms: int, out: _Events) -> None:
        agent = self._signed_in(command, command.agent_id, at_ms, out)
        if agent is not None:
            freed = self._let_go(agent, command.reason, at_ms, out)
            self._rematch(at_ms, out, records=freed)

    def _let_go(
        self, agent: AgentRecord, reason: str, at_ms: int, out: _Events
    ) -> list[InteractionRecord]:
        """Sign an agent out; returns what waits again because of it."""
        state = self._state
        freed: list[InteractionRecord] = []
        for offer_id, record in sorted(agent.work.items()):
            if record.state is _OFFERED:
                self._revoke(record, RevokeReason.SIGNED_OUT, at_ms, out)
                freed.append(record)
            elif record.state is _WRAP_UP:
                self._emit_completed(record, at_ms, out)
            else:
                event = ev.Requeued(at_ms, offer_id, record.id, agent.id, "signed_out")
                state.requeued(event)
                out.append(event)
                freed.append(record)
        signed_out = ev.SignedOut(at_ms, agent.id, reason)
        state.signed_out(signed_out)
        out.append(signed_out)
        return freed + self._lift_everywhere(at_ms, out)

    def _set_ready(self, command: ev.SetReady, at_ms: int, out: _Events) -> None:
        agent = self._signed_in(command, command.agent_id, at_ms, out)
        if agent is not None and agent.presence is not _READY:
            self._become_ready(agent, at_ms, out)

    def _become_ready(self, agent: AgentRecord, at_ms: int, out: _Events) -> None:
        event = ev.BecameReady(at_ms, agent.id)
        self._state.presence_changed(event)
        out.append(event)
        self._rematch(at_ms, out, agents=[agent])

    def _set_not_ready(self, command: ev.SetNotReady, at_ms: int, out: _Events) -> None:
        agent = self._signed_in(command, command.agent_id, at_ms, out)
        if agent is not None and agent.presence is _READY:
            freed = self._become_not_ready(agent, command.reason, at_ms, out)
            self._rematch(at_ms, out, records=freed)

    def _become_not_ready(
        self, agent: AgentRecord, reason: str, at_ms: int, out: _Events
    ) -> list[InteractionRecord]:
        event = ev.BecameNotReady(at_ms, agent.id, reason)
        self._state.presence_changed(event)
        out.append(event)
        freed = [record for _, record in sorted(agent.work.items()) if record.state is _OFFERED]
        for record in freed:
            self._revoke(record, RevokeReason.NOT_READY, at_ms, out)
        return freed

    def _change_agent(self, command: ev.ChangeAgent, at_ms: int, out: _Events) -> None:
        state = self._state
        agent = self._signed_in(command, command.agent.id, at_ms, out)
        if agent is None:
            return
        event = ev.AgentChanged(at_ms, command.agent)
        state.agent_changed(event)
        out.append(event)
        freed: list[InteractionRecord] = []
        for _, record in sorted(agent.work.items()):
            if record.state is _OFFERED and not self._market.satisfies(agent, state.need(record)):
                self._revoke(record, RevokeReason.NOT_ELIGIBLE, at_ms, out)
                freed.append(record)
        freed += self._lift_everywhere(at_ms, out)
        self._rematch(at_ms, out, agents=[agent], records=freed)

    # --- offers ---------------------------------------------------------------------------

    def _accept(self, command: ev.Accept, at_ms: int, out: _Events) -> None:
        record = self._state.offers.get(command.offer_id)
        if record is None or record.state is not _OFFERED:
            self._reject(command, str(command.offer_id), RejectReason.UNKNOWN_OFFER, at_ms, out)
            return
        assert record.agent is not None
        event = ev.Accepted(at_ms, command.offer_id, record.id, record.agent.id)
        self._state.accepted(event)
        out.append(event)

    def _decline(self, command: ev.Decline, at_ms: int, out: _Events) -> None:
        record = self._state.offers.get(command.offer_id)
        if record is None or record.state is not _OFFERED:
            self._reject(command, str(command.offer_id), RejectReason.UNKNOWN_OFFER, at_ms, out)
            return
        agent = record.agent
        assert agent is not None
        event = ev.Declined(
            at_ms,
            command.offer_id,
            record.id,
            agent.id,
            command.reason,
            self._again_at_ms(record, at_ms),
        )
        self._state.declined(event)
        out.append(event)
        self._after_refusal(record, agent, at_ms, out)

    def _withdraw(self, command: ev.Revoke, at_ms: int, out: _Events) -> None:
        record = self._state.offers.get(command.offer_id)
        if record is None or record.state is not _OFFERED:
            self._reject(command, str(command.offer_id), RejectReason.UNKNOWN_OFFER, at_ms, out)
            return
        again_at_ms = self._again_at_ms(record, at_ms)
        agent = self._revoke(record, RevokeReason.WITHDRAWN, at_ms, out, again_at_ms)
        assert agent is not None
        self._after_refusal(record, agent, at_ms, out)

    def _again_at_ms(self, record: InteractionRecord, at_ms: int) -> int | None:
        """Until when the agent who refuses it now is barred, by the queue's rule."""
        refusal = record.queue.plan.refusal
        if refusal.rule is RefusalRule.AT_ONCE:
            return None
        if refusal.rule is RefusalRule.AFTER:
            return at_ms + refusal.after_ms
        return UNTIL_RESET

    def _after_refusal(
        self, record: InteractionRecord, agent: AgentRecord, at_ms: int, out: _Events
    ) -> None:
        if not self._exhausted(record, at_ms, out):
            self._lift(record, at_ms, out)
        self._rematch(at_ms, out, agents=[agent], records=[record])

    def _exhausted(self, record: InteractionRecord, at_ms: int, out: _Events) -> bool:
        """End an interaction that was offered too often."""
        if record.offers < self.plan.limits.max_offers:
            return False
        self._emit_cancelled(record, RejectReason.OFFERS_EXHAUSTED.value, at_ms, out)
        return True

    def _lift(self, record: InteractionRecord, at_ms: int, out: _Events) -> bool:
        """Clear the refusals of an interaction that everybody has declined."""
        if (
            record.barred is None
            or record.queue.plan.refusal.rule is not RefusalRule.ALL_DECLINED
            or record.state is not _WAITING
        ):
            return False
        barred = record.barred
        for profile in self._state.need(record).profiles.values():
            if any(agent_id not in barred for agent_id in profile.agents):
                return False
        event = ev.RefusalsReset(at_ms, record.id)
        self._state.refusals_reset(event)
        out.append(event)
        return True

    def _lift_everywhere(self, at_ms: int, out: _Events) -> list[InteractionRecord]:
        """The agents have changed: look again at everything that was refused."""
        refused = sorted(self._state.refused.values(), key=lambda record: record.key)
        return [record for record in refused if self._lift(record, at_ms, out)]

    def _revoke(
        self,
        record: InteractionRecord,
        reason: RevokeReason,
        at_ms: int,
        out: _Events,
        again_at_ms: int | None = None,
    ) -> AgentRecord | None:
        """Take the open offer back, if there is one; returns the agent who had it."""
        if record.state is not _OFFERED:
            return None
        agent = record.agent
        assert agent is not None
        event = ev.Revoked(at_ms, record.offer_id, record.id, agent.id, reason, again_at_ms)
        self._state.revoked(event)
        out.append(event)
        return agent

    # --- assignments ----------------------------------------------------------------------

    def _hold(self, command: ev.Hold, at_ms: int, out: _Events) -> None:
        record = self._assignment(command, (_ENGAGED,), at_ms, out)
        if record is not None:
            event = ev.Held(at_ms, command.assignment_id, record.id)
            self._state.held(event)
            out.append(event)

    def _resume(self, command: ev.Resume, at_ms: int, out: _Events) -> None:
        record = self._assignment(command, (_HELD,), at_ms, out)
        if record is not None:
            event = ev.Resumed(at_ms, command.assignment_id, record.id)
            self._state.held(event)
            out.append(event)

    def _requeue(self, command: ev.Requeue, at_ms: int, out: _Events) -> None:
        record = self._assignment(command, (_ENGAGED, _HELD), at_ms, out)
        if record is None:
            return
        agent = record.agent
        assert agent is not None
        event = ev.Requeued(
            at_ms,
            command.assignment_id,
            record.id,
            agent.id,
            command.reason,
            self._again_at_ms(record, at_ms),
        )
        self._state.requeued(event)
        out.append(event)
        self._after_refusal(record, agent, at_ms, out)

    def _complete(self, command: ev.Complete, at_ms: int, out: _Events) -> None:
        record = self._assignment(command, (_ENGAGED, _HELD), at_ms, out)
        if record is not None:
            self._finish(record, command.code, at_ms, out)

    def _finish(self, record: InteractionRecord, code: str, at_ms: int, out: _Events) -> None:
        """The customer has gone: wrap-up if the queue has one, else completed."""
        wrap_up = record.queue.plan.wrap_up
        if wrap_up.kind is WrapUpKind.NONE:
            self._feed(self._emit_completed(record, at_ms, out, code), at_ms, out)
            return
        assert record.agent is not None
        until_ms = None if wrap_up.kind is WrapUpKind.OPTIONAL else at_ms + wrap_up.duration_ms
        event = ev.WrapUpStarted(
            at_ms, record.offer_id, record.id, record.agent.id, until_ms, code
        )
        self._state.wrap_up_started(event)
        out.append(event)

    def _emit_completed(
        self, record: InteractionRecord, at_ms: int, out: _Events, code: str | None = None
    ) -> AgentRecord:
        agent = record.agent
        assert agent is not None
        if code is None:
            code = record.wrap_up_code
        event = ev.Completed(at_ms, record.offer_id, record.id, agent.id, code)
        self._state.completed(event)
        out.append(event)
        return agent

    def _finish_wrap_up(self, command: ev.FinishWrapUp, at_ms: int, out: _Events) -> None:
        record = self._assignment(command, (_WRAP_UP,), at_ms, out)
        if record is None:
            return
        if record.queue.plan.wrap_up.kind is WrapUpKind.FORCED:
            self._reject(
                command, str(command.assignment_id), RejectReason.ILLEGAL_STATE, at_ms, out
            )
            return
        self._feed(self._emit_completed(record, at_ms, out), at_ms, out)

    # --- time -----------------------------------------------------------------------------

    def _tick(self, command: ev.Tick, at_ms: int, out: _Events) -> None:
        """Every command fires what is due; there is nothing more to do."""

    def _fire(self, now_ms: int, out: _Events) -> None:
        """Fire every timer due by now, each at its own deadline."""
        while (timer := self._timers.pop_due(now_ms)) is not None:
            self._state.now_ms = timer.deadline_ms
            _ON_TIMER[timer.kind](self, timer, out)

    def _offer_expired(self, timer: Timer, out: _Events) -> None:
        record = timer.record
        agent = record.agent
        assert agent is not None and record.state is _OFFERED
        at_ms = timer.deadline_ms
        event = ev.Expired(at_ms, record.offer_id, record.id, agent.id)
        self._state.expired(event)
        out.append(event)
        self._exhausted(record, at_ms, out)
        freed = [record]
        on_expiry = record.queue.plan.on_expiry
        if on_expiry is OnExpiry.SIGN_OUT:
            freed += self._let_go(agent, "no_answer", at_ms, out)
        elif on_expiry is OnExpiry.NOT_READY:
            if agent.presence is _READY:
                freed += self._become_not_ready(agent, "no_answer", at_ms, out)
        self._rematch(at_ms, out, agents=[agent], records=freed)

    def _step_ended(self, timer: Timer, out: _Events) -> None:
        record = timer.record
        self._step(record, record.step + 1, timer.deadline_ms, out)
        self._place(record, timer.deadline_ms, out)

    def _step(self, record: InteractionRecord, step: int, at_ms: int, out: _Events) -> None:
        """Move to a step, or past it and its like when nobody signed in could take it."""
        state = self._state
        ladder = record.queue.plan.ladder
        while (
            step < len(ladder) - 1
            and ladder[step].skip_if_nobody
            and not state.need(record, step).profiles
        ):
            step += 1
        if step != record.step:
            event = ev.StepReached(at_ms, record.id, step)
            state.step_reached(event)
            out.append(event)
            self._lift(record, at_ms, out)

    def _wrap_up_over(self, timer: Timer, out: _Events) -> None:
        at_ms = timer.deadline_ms
        self._feed(self._emit_completed(timer.record, at_ms, out), at_ms, out)

    def _refusal_over(self, timer: Timer, out: _Events) -> None:
        record = timer.record
        event = ev.RefusalsReset(timer.deadline_ms, record.id, timer.agent_id)
        self._state.refusals_reset(event)
        out.append(event)
        self._place(record, timer.deadline_ms, out)

    # --- matching: both edges through the market ------------------------------------------

    def _rematch(
        self,
        at_ms: int,
        out: _Events,
        agents: Iterable[AgentRecord] = (),
        records: Iterable[InteractionRecord] = (),
    ) -> None:
        """Freed agents first, in idle order, then freed interactions, in key order."""
        for agent in sorted(agents, key=lambda agent: agent.idle):
            self._feed(agent, at_ms, out)
        for record in sorted(records, key=lambda record: record.key):
            self._place(record, at_ms, out)

    def _feed(self, agent: AgentRecord, at_ms: int, out: _Events) -> None:
        """Offer an agent the best there is for him, until nothing fits."""
        while agent.load.open and agent.presence is _READY:
            record = self._market.best_interaction(agent)
            if record is None:
                return
            self._offer(record, agent, at_ms, out)

    def _place(self, record: InteractionRecord, at_ms: int, out: _Events) -> None:
        """Offer an interaction to the best agent there is for it, if it waits."""
        if record.state is _WAITING:
            agent = self._market.best_agent(record)
            if agent is not None:
                self._offer(record, agent, at_ms, out)

    def _offer(
        self, record: InteractionRecord, agent: AgentRecord, at_ms: int, out: _Events
    ) -> None:
        event = ev.Offered(
            at_ms,
            self._state.last_offer + 1,
            record.id,
            agent.id,
            at_ms + record.queue.plan.offer_timeout_ms,
        )
        self._state.offered(event)
        out.append(event)

    # --- looking up what a command names --------------------------------------------------

    def _known(
        self, command: Any, interaction_id: str, at_ms: int, out: _Events
    ) -> InteractionRecord | None:
        record = self._state.interactions.get(interaction_id)
        if record is None:
            self._reject(command, interaction_id, RejectReason.UNKNOWN_INTERACTION, at_ms, out)
        return record

    def _signed_in(
        self, command: Any, agent_id: str, at_ms: int, out: _Events
    ) -> AgentRecord | None:
        agent = self._state.agents.get(agent_id)
        if agent is None:
            self._reject(command, agent_id, RejectReason.NOT_SIGNED_IN, at_ms, out)
        return agent

    def _assignment(
        self, command: Any, allowed: tuple[InteractionState, ...], at_ms: int, out: _Events
    ) -> InteractionRecord | None:
        record = self._state.offers.get(command.assignment_id)
        subject = str(command.assignment_id)
        if record is None or record.state is _OFFERED:
            self._reject(command, subject, RejectReason.UNKNOWN_ASSIGNMENT, at_ms, out)
            return None
        if record.state not in allowed:
            self._reject(command, subject, RejectReason.ILLEGAL_STATE, at_ms, out)
            return None
        return record

    def _reject(
        self, command: Any, subject: str, reason: RejectReason, at_ms: int, out: _Events
    ) -> None:
        name: str = command.__struct_config__.tag
        event = ev.CommandRejected(at_ms, name, subject, reason)
        self._state.command_rejected(event)
        out.append(event)


_Handler = Callable[[Engine, Any, int, _Events], None]
_Check = Callable[[Engine, Any], None]

#: command -> (handler, check of the caller's mistakes or None)
_HANDLERS: dict[type[Command], tuple[_Handler, _Check | None]] = {
    ev.Submit: (Engine._submit, Engine._check_submit),
    ev.Quarantine: (Engine._quarantine, None),
    ev.Abandon: (Engine._abandon, None),
    ev.Cancel: (Engine._cancel, None),
    ev.Reprioritize: (Engine._reprioritize, Engine._check_priority),
    ev.SignIn: (Engine._sign_in, Engine._check_agent),
    ev.SignOut: (Engine._sign_out, None),
    ev.SetReady: (Engine._set_ready, None),
    ev.SetNotReady: (Engine._set_not_ready, None),
    ev.ChangeAgent: (Engine._change_agent, Engine._check_agent),
    ev.Accept: (Engine._accept, None),
    ev.Decline: (Engine._decline, None),
    ev.Revoke: (Engine._withdraw, None),
    ev.Hold: (Engine._hold, None),
    ev.Resume: (Engine._resume, None),
    ev.Requeue: (Engine._requeue, None),
    ev.Complete: (Engine._complete, None),
    ev.FinishWrapUp: (Engine._finish_wrap_up, None),
    ev.Tick: (Engine._tick, None),
}

_ON_TIMER: dict[TimerKind, Callable[[Engine, Timer, _Events], None]] = {
    TimerKind.OFFER: Engine._offer_expired,
    TimerKind.STEP: Engine._step_ended,
    TimerKind.WRAP_UP: Engine._wrap_up_over,
    TimerKind.REFUSAL: Engine._refusal_over,
}
