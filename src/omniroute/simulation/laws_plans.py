"""The laws of a change of plan: which facts stay, and what the new plan asks for at once.

Who goes where is the publisher's will, which the event does not tell: whatever waits may be moved
then. What is not must go on where it stood.
"""

from __future__ import annotations

from .. import events as ev
from ..plan import RefusalRule, loads
from .books import IN_LINE, Books, Law
from .laws_ladder import follow_up
from .works import Work, openings

__all__ = ["plan_changed"]

#: Rules by which no refusal is for good.
_FOR_A_TIME = (RefusalRule.AT_ONCE, RefusalRule.AFTER)


def plan_changed(books: Books, event: ev.PlanChanged) -> None:
    """Everything goes by the new plan from here on."""
    books.check_duties()
    books.require(event.version == books.plan_version + 1, Law.STATE, "versions are counted")
    books.plan_version = event.version
    plan = loads(event.plan, "plan_changed", scorers=books.plan.scorers)
    for desk in books.desks.values():
        known = desk.agent.capacity in plan.capacities
        books.require(known, Law.PRESENCE, f"{desk.agent.id!r} has no capacity any more")
        desk.capacity = plan.capacities[desk.agent.capacity]
        desk.taken.clear()
    books.adopt(plan)
    works = list(books.works.values())
    for work in works:  # all of them first: a lane holds keys of one kind
        if work.place is not None:
            work.place[0].remove(work)
    for work in works:
        _go_on(books, work)


def _go_on(books: Books, work: Work) -> None:
    work.enter(books.queue(work.queue.name), work.own_steps)
    work.known = books.known(work)
    last = len(work.ladder) - 1
    if work.step >= last:
        work.step, work.step_end_ms = last, None
    elif work.step_end_ms is None:
        work.step_end_ms = work.end_of_step(books.now_ms)
    work.opening = min(work.opening, len(openings(work.queue)))
    if work.queue.refusal.rule in _FOR_A_TIME:
        work.barred = {who: until for who, until in work.barred.items() if until >= 0}
        if not work.barred:
            books.refused.pop(work.id, None)
    del work.messages[1 : max(1, len(work.messages) + 1 - books.plan.limits.max_messages)]
    books.touched.add(work.id)
    if work.state in IN_LINE:
        follow_up(books, work)
        books.put(work)
