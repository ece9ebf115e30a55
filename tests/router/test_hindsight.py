"""What a router tells of waits, groups and offers, while it runs and after it was restarted."""

import pytest

from omniroute import Agent, Channel, Message, Router
from omniroute.engine import Rule, Verdict
from omniroute.errors import UnknownNameError
from omniroute.plan import Plan, Queue

PLAN = Plan(queues=[Queue(name="sales", members="sales")])
ANNA = Agent(id="anna", skills={"sales": 3}, groups=("day",))
MESSAGE = Message(channel=Channel.CHAT)

pytestmark = pytest.mark.anyio


async def work(router: Router, count: int) -> None:
    """So many are served by Anna, one after the other."""
    async with router.sign_in(ANNA) as desk, router.sign_in(Agent(id="ben")):
        for _ in range(count):
            await router.submit(MESSAGE, queue="sales")
        for _ in range(count):
            offer = await desk.next_offer()
            assignment = await offer.accept()
            await assignment.complete("done")


async def test_offers_are_explained_from_the_journal_in_memory():
    async with Router(PLAN) as router:
        await work(router, 3)
        found = await router.explain_offer(2)
        assert (found.interaction_id, found.agent_id) == ("i2", "anna")
        assert found.rule is Rule.BEST_INTERACTION or found.rule is Rule.BOTH
        assert [r.interaction_id for r in found.rivals] == ["i2", "i3"]
        verdicts = {c.agent_id: c.verdict for c in found.candidates}
        assert verdicts == {"anna": Verdict.ELIGIBLE, "ben": Verdict.NOT_A_MEMBER}
        with pytest.raises(UnknownNameError, match="offer '9'"):
            await router.explain_offer(9)


async def test_offers_before_and_after_a_restart_are_explained(tmp_path):
    url = f"sqlite:///{tmp_path}/router.db"
    async with Router(PLAN, journal=url) as router:
        await work(router, 2)
    async with Router(PLAN, journal=url) as router:
        await work(router, 1)
        assert [(await router.explain_offer(n)).interaction_id for n in (1, 2, 3)] == [
            "i1",
            "i2",
            "i3",
        ]


async def test_groups_intervals_and_waits_are_told():
    async with Router(PLAN) as router:
        await work(router, 2)
        groups = router.groups()
        assert (groups["day"].accepted, groups["day"].handled) == (2, 2)
        assert router.intervals()[-1].total.completed == 2
        assert router.expected_wait("sales") is None
        with pytest.raises(UnknownNameError, match=r"unknown queue .sale..*sales"):
            router.expected_wait("sale")
