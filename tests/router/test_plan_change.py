"""Another plan while the router runs, and what holds when it starts again."""

from __future__ import annotations

import pytest

from omniroute import MemoryJournal, Plan, Queue, Router
from omniroute.events import PlanChanged

pytestmark = pytest.mark.anyio

OLD = Plan(name="old", queues=[Queue(name="a")])
NEW = Plan(name="new", queues=[Queue(name="a"), Queue(name="b")])


def changes(journal):
    return [e for frame in journal.frames for e in frame.events if isinstance(e, PlanChanged)]


async def test_a_plan_given_at_a_start_holds_whatever_was_published_before():
    journal = MemoryJournal()
    async with Router(OLD, journal=journal) as router:
        await router.change_plan(NEW)
        assert router.plan == NEW
    async with Router(NEW, journal=journal) as router:
        assert router.plan == NEW
    assert len(changes(journal)) == 1
    async with Router(OLD, journal=journal) as router:
        assert router.plan == OLD
    assert [e.version for e in changes(journal)] == [1, 2]
