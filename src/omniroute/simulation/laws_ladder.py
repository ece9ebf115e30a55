"""The laws of waiting: steps, openings, time to live and refusals, each at its moment.

The part of `laws` that the others stand on; all are lists of one function per event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .. import events as ev
from ..events import RevokeReason
from ..plan import RefusalRule
from .books import Books, Law
from .laws_overflow import holds, owe_overflow
from .works import Work, openings

__all__ = ["HANDLERS", "bar", "begin", "follow_up", "is_refused_by_all", "start"]


def _set_clocks(books: Books, work: Work) -> None:
    """Note when its step and its opening end."""
    if work.step_end_ms is not None:
        books.deadlines.add(work.step_end_ms, "step", work)
    if work.opening_end_ms is not None:
        books.deadlines.add(work.opening_end_ms, "opening", work)
    if work.life_end_ms is not None:
        books.deadlines.add(work.life_end_ms, "life", work)


def follow_up(books: Books, work: Work) -> None:
    """What is over by its age when it waits anew must be said at once."""
    if work.passed(books.now_ms) > work.opening:
        books.owe(ev.AccessWidened, work.id)
    if work.step_end_ms is not None and work.step_end_ms <= books.now_ms:
        books.owe(ev.StepReached, work.id)
    _set_clocks(books, work)


def start(books: Books, work: Work) -> None:
    """At the first step: it may be passed over."""
    passed = _is_passed(books, work, 0)
    if passed is True:
        books.owe(ev.StepReached, work.id)
    elif passed is False:
        _owe_priority(books, work)
    follow_up(books, work)


def _owe_priority(books: Books, work: Work) -> None:
    """It goes by the priority of its step, or by its own again."""
    if work.priority != work.due_priority:
        books.owe(ev.Reprioritized, work.id)


def begin(work: Work, at_ms: int) -> None:
    """Let it stand before its first step and opening, with an age of nothing."""
    work.arrived_at_ms = at_ms
    work.opening = work.offered = 0
    work.stand_at(0, at_ms)


def _is_passed(books: Books, work: Work, step: int) -> bool | None:
    """Whether a step that is entered now is passed over at once; None: who knows."""
    rung = work.ladder[step]
    if step == len(work.ladder) - 1:
        return False
    if rung.until_ms is not None and work.arrived_at_ms + rung.until_ms <= books.now_ms:
        return True
    desks = books.desks.values()
    if rung.skip_if_nobody and not any(work.admits(d.agent, step) for d in desks):
        return True
    found = holds(books, work.queue, rung.only_if, work)
    return None if found is None else not found


def _step_reached(books: Books, event: ev.StepReached) -> None:
    work = books.work(event)
    between = range(work.step + 1, event.step)
    right = work.step < event.step < len(work.ladder)
    right = right and all(_is_passed(books, work, step) is not False for step in between)
    books.require(right, Law.LADDER, f"it was at {work.step}")
    end_ms, is_new = work.step_end_ms, work.step_began_ms == event.at_ms
    over = end_ms is not None and end_ms <= event.at_ms
    over = over or (is_new and _is_passed(books, work, work.step) is not False)
    books.require(over, Law.LADDER, f"step {work.step} ends at {end_ms}")
    passed = _is_passed(books, work, event.step)
    books.require(passed is not True, Law.LADDER, "it is passed over")
    work.stand_at(event.step, event.at_ms)
    books.move(work, event)
    _set_clocks(books, work)
    _owe_priority(books, work)
    rule = work.ladder[work.step].overflow
    if is_refused_by_all(books, work) and work.queue.refusal.overflow is not None:
        rule = work.queue.refusal.overflow
    owe_overflow(books, work, rule)


def _access_widened(books: Books, event: ev.AccessWidened) -> None:
    work = books.work(event)
    passed = work.passed(event.at_ms)
    right = work.opening < event.opening <= len(openings(work.queue))
    opens_all = event.at_ms == work.arrived_at_ms and any(
        rule.open_access for rule in work.queue.overflow
    )
    last = len(openings(work.queue))
    right = right and (event.opening == passed or (opens_all and event.opening == last))
    books.require(right, Law.ACCESS, f"it was at {work.opening}, {passed} have passed")
    work.opening = event.opening
    books.move(work, event)
    _set_clocks(books, work)


def is_refused_by_all(books: Books, work: Work) -> bool:
    """Whether a memory of `RefusalRule.ALL_DECLINED` is due to be cleared."""
    if work.queue.refusal.rule is not RefusalRule.ALL_DECLINED or not work.barred:
        return False
    able = (desk for desk in books.desks.values() if work.admits(desk.agent))
    return all(desk.agent.id in work.barred for desk in able)


def _refusals_reset(books: Books, event: ev.RefusalsReset) -> None:
    work = books.work(event)
    books.touched.add(work.id)
    if event.agent_id is None:
        books.require(is_refused_by_all(books, work), Law.REFUSAL, "not all have refused")
        asks_again = work.queue.refusal.overflow is None
        books.require(asks_again, Law.REFUSAL, "it goes elsewhere instead")
        work.barred.clear()
    else:
        until_ms = work.barred.pop(event.agent_id, None)
        books.require(until_ms == event.at_ms, Law.REFUSAL, f"barred until {until_ms}")


def bar(books: Books, work: Work, agent_id: str, event: Any) -> None:
    """Let the refusal rule bar him, as the event must say."""
    refusal = work.queue.refusal
    again_at_ms: int | None = -1
    if refusal.rule is RefusalRule.AT_ONCE:
        again_at_ms = None
    elif refusal.rule is RefusalRule.AFTER:
        again_at_ms = event.at_ms + refusal.after_ms
    if isinstance(event, ev.Revoked) and event.reason is not RevokeReason.WITHDRAWN:
        again_at_ms = None
    elif isinstance(event, ev.Requeued) and event.again_at_ms is None and again_at_ms:
        books.owe(ev.SignedOut, agent_id)
        again_at_ms = None
    books.require(event.again_at_ms == again_at_ms, Law.REFUSAL, f"not {again_at_ms}")
    if again_at_ms is not None:
        work.barred[agent_id] = again_at_ms
        books.refused[work.id] = work
        if again_at_ms >= 0:
            books.deadlines.add(again_at_ms, "refusal", work, agent_id)


HANDLERS: Final[dict[type, Callable[[Books, Any], None]]] = {
    ev.StepReached: _step_reached,
    ev.AccessWidened: _access_widened,
    ev.RefusalsReset: _refusals_reset,
}
