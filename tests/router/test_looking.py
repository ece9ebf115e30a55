"""Looking at the open work of a running router: what is open, who is offered it, who has it."""

import pytest

from live import message, router
from omniroute import InteractionState, MemoryJournal

pytestmark = pytest.mark.anyio


async def test_open_interactions_are_listed_oldest_first_until_they_end():
    async with router() as running:
        assert running.interactions() == []
        first = await running.submit(message("one"), queue="support")
        second = await running.submit(message("two"), queue="support")
        ids = [first.interaction_id, second.interaction_id]
        assert [each.id for each in running.interactions()] == ids
        assert running.interactions() == [running.interaction(each) for each in ids]
        await running.cancel(ids[0])
        assert [each.id for each in running.interactions()] == ids[1:]


async def test_an_offer_and_its_assignment_are_found_by_their_interaction():
    async with router() as running:
        receipt = await running.submit(message("one"), queue="support")
        identity = receipt.interaction_id
        assert running.offer(identity) is None
        assert running.assignment(identity) is None
        async with running.sign_in("ann") as desk:
            offer = await desk.next_offer()
            assert running.offer(identity) is offer
            assignment = await offer.accept()
            assert running.offer(identity) is None
            assert running.assignment(identity) is assignment
            await assignment.complete()
            assert running.assignment(identity) is None


async def test_both_are_found_again_after_a_restart():
    journal = MemoryJournal()
    async with router(journal) as running:
        identity = (await running.submit(message("one"), queue="support")).interaction_id
        desk = await running.sign_in("ann")
        assignment = await (await desk.next_offer()).accept()
    async with router(journal) as running:
        again = running.assignment(identity)
        assert again.assignment_id == assignment.assignment_id
        assert again.state is InteractionState.ENGAGED
        assert running.assignment("other") is None
