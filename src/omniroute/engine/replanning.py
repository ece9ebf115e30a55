"""Another plan at run time: what it needs, what it does to what waits, and what it would do.

A change of plan is a command and an event like all others, so a journal has it and a replay
does it again. The state is carried over as a snapshot carries it: facts are kept, everything
that follows from the plan is worked out anew. That costs O(state), about what a snapshot and
its restoring cost.
"""

from __future__ import annotations

import msgspec

from ..errors import PlanError, UnknownNameError
from ..events import ChangePlan, Event, Moved, Offered, PlanChanged, Revoked
from ..plan import RefusalRule, loads
from . import clocks, ladder, refusals, removal, snapshots
from .intervals import carried
from .lifecycle import IN_LINE
from .matching import Events, rematch
from .records import UNTIL_RESET, InteractionRecord
from .senders import senders
from .state import State
from .timers import TimerKind

__all__ = ["PlanPreview", "adopted", "change", "check_plan", "preview_of"]


def check_plan(state: State, command: ChangePlan) -> None:
    """Raise for a plan that cannot take over; nothing has changed then."""
    plan = loads(command.plan, "change_plan", scorers=state.plan.scorers)
    for agent in state.agents.values():
        name = agent.agent.capacity
        if name not in plan.capacities:
            where = f"agent {agent.id!r} is signed in"
            raise UnknownNameError("capacity", name, plan.capacities, where=where)
    for source, target in command.moves:
        if target not in plan.queues:
            raise UnknownNameError("queue", target, plan.queues, where=f"moves.{source}")
        if source not in state.queues:
            raise UnknownNameError("queue", source, state.queues, where="moves")
    if not plan.queues:
        raise PlanError("a plan without queues cannot take over")


def adopted(state: State, event: PlanChanged) -> State:
    """The same facts under the plan of the event. O(state)."""
    plan = loads(event.plan, "plan_changed", scorers=state.plan.scorers)
    if event.at_ms >= state.intervals.next_ms:  # in a replay; by the plan that was in force
        state.intervals.roll(state, event.at_ms)
    after = State(plan)
    snapshots.load(after, snapshots.read(snapshots.dump(state)))
    after.now_ms = max(after.now_ms, event.at_ms)
    # Budgets may be others from now on: what was counted before is closed.
    carried_ms = carried(state, event.at_ms)
    for team in state.teams.values():
        after.intervals.close(team, event.at_ms, carried_ms[team])
    for offer in after.offers.values():
        offer.since_ms = event.at_ms
    after.teams.clear()
    for agent in after.agents.values():
        after.join_team(agent, event.at_ms)
        agent.taken.clear()
    for record in after.interactions.values():
        _go_on(after, record, event.at_ms)
    _forget(after, state, event.at_ms)
    after.plan_version = event.version
    after.plan_text = event.plan
    return after


#: Rules by which no refusal is for good.
_FOR_A_TIME = (RefusalRule.AT_ONCE, RefusalRule.AFTER)


def _go_on(state: State, record: InteractionRecord, at_ms: int) -> None:
    """An interaction stands where it stood; what the new plan has more of is to come yet."""
    _keep_step_end(state, record, at_ms)
    if record.state in IN_LINE:
        clocks.arm_opening(state.timers, record, at_ms)
    if record.barred is not None and record.queue.plan.refusal.rule in _FOR_A_TIME:
        for agent_id in [who for who, timer in record.barred.items() if timer == UNTIL_RESET]:
            state.unbar(record, agent_id)
    if record.later is not None:
        del record.later[: max(0, len(record.later) + 1 - state.plan.limits.max_messages)]
        record.later = record.later or None


def _keep_step_end(state: State, record: InteractionRecord, at_ms: int) -> None:
    """Its step ends as it would have; without an end, as if it had begun now."""
    climb = record.climb
    entered = climb.ladder[climb.step]
    if climb.step == len(climb.ladder) - 1:
        if climb.step_ends_at_ms is not None:
            state.timers.cancel(climb.step_timer)
            climb.step_timer, climb.step_ends_at_ms = 0, None
    elif climb.step_ends_at_ms is None:
        ends_at_ms = None
        if entered.for_ms is not None:
            ends_at_ms = at_ms + entered.for_ms
        elif entered.until_ms is not None:
            ends_at_ms = record.arrived_at_ms + entered.until_ms
        climb = record.climbing()
        climb.step_ends_at_ms = ends_at_ms
        if ends_at_ms is not None and ends_at_ms > at_ms and record.state in IN_LINE:
            climb.step_timer = state.timers.at(TimerKind.STEP, ends_at_ms, record)


def _forget(after: State, before: State, at_ms: int) -> None:
    """What was over by the old plan, and what the new one has no room for, is not remembered."""
    after.seen.shrink(at_ms, before.plan.limits.dedupe_ms)
    after.senders = senders(after.plan.sender_rate)
    after.customers.shrink()
    most = after.plan.limits.max_last_agents if after.keeps_last_agents else 0
    while len(after.last_agents) > most:
        after.last_agents.popitem(last=False)


def change(state: State, command: ChangePlan, at_ms: int, out: Events) -> None:
    """What the new plan, already in force, means for what waits and for who is free."""
    moves = dict(command.moves)
    for record in _in_order(state, at_ms):
        if record.state not in IN_LINE:
            continue  # a step's rule has moved another, and an agent accepts by himself
        name = record.queue.name
        target = moves.get(name)
        if target is None and command.to_waiting and name in state.plan.queues:
            target = name
        if target is not None:
            removal.put_into(state, record, target, None, None, at_ms, out)
        else:
            ladder.catch_up(state, record, at_ms, out)
    refusals.lift_everywhere(state, at_ms, out)
    rematch(state, at_ms, out, agents=state.agents.values(), records=_in_order(state, at_ms))


def _in_order(state: State, at_ms: int) -> list[InteractionRecord]:
    """What waits or is offered, over all queues, in order of place."""
    found = [r for r in state.interactions.values() if r.state in IN_LINE]
    return sorted(found, key=lambda record: state.market.place(record, at_ms))


class PlanPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of plan would do at this moment.

    ``moved`` are the interactions that would begin a ladder anew, with their queue; ``offered`` the
    new offers, as (interaction, agent); ``revoked`` the offers that would be taken back.
    ``orphaned`` queues hold work and are not in the new plan: it goes on with default settings.
    """

    moved: tuple[tuple[str, str], ...]
    offered: tuple[tuple[str, str], ...]
    revoked: tuple[tuple[str, str], ...]
    orphaned: tuple[str, ...]
    events: tuple[Event, ...]


def preview_of(after: State, events: list[Event]) -> PlanPreview:
    """Read a preview off what the change did to a copy."""
    return PlanPreview(
        moved=tuple((e.interaction_id, e.queue) for e in events if isinstance(e, Moved)),
        offered=tuple((e.interaction_id, e.agent_id) for e in events if isinstance(e, Offered)),
        revoked=tuple((e.interaction_id, e.agent_id) for e in events if isinstance(e, Revoked)),
        orphaned=tuple(
            name
            for name, queue in sorted(after.queues.items())
            if queue.waiting and name not in after.plan.queues
        ),
        events=tuple(events),
    )
