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
from ..plan import loads
from . import removal, snapshots
from .intervals import carried
from .lifecycle import IN_LINE
from .matching import Events, rematch
from .records import AgentRecord, InteractionRecord
from .state import State

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
    after.plan_version = event.version
    after.plan_text = event.plan
    return after


def change(state: State, command: ChangePlan, at_ms: int, out: Events) -> None:
    """What the new plan, already in force, means for what waits and for who is free."""
    freed: list[AgentRecord] = []
    moves = dict(command.moves)
    for record in _in_order(state, at_ms):
        target = moves.get(record.queue.name)
        if target is None and command.to_waiting and record.queue.name in state.plan.queues:
            target = record.queue.name
        if target is not None and record.state in IN_LINE:
            freed += removal.put_into(state, record, target, None, None, at_ms, out)
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
