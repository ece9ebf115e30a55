"""`on_events`: the application hears of all that is durable, and what it raises stops nothing."""

import logging

import anyio
import msgspec
import pytest

import live
from omniroute import BlockingRouter, Channel, MemoryJournal, Outcome
from omniroute import events as ev
from omniroute.model import Disposition, Inbound

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("make", [MemoryJournal, live.SlowJournal])
async def test_every_durable_batch_is_told_in_order(make):
    journal, told = make(), []

    def on_events(events):
        durable = live.events(journal)
        assert all(event in durable for event in events)
        told.extend(events)

    async with live.router(journal, on_events=on_events) as router:
        async with router.sign_in("ann") as desk, anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: router.submit(live.message(), queue="support"))
            offer = await anext(desk.offers())
            await offer.accept()
            await router.cancel("i99")
        await router.submit(live.message())
    assert told == live.events(journal)
    assert {"Queued", "Offered", "Accepted", "Rejected", "CommandRejected"} <= set(
        live.kinds(journal)
    )


async def test_it_is_told_after_the_desks():
    seen = []
    async with live.router(on_events=lambda _: seen.append(len(desks[0].open_offers))) as router:
        desks = []
        desk = await router.sign_in("ann", ready=False)
        desks.append(desk)
        seen.clear()
        await desk.ready()
        await router.submit(live.message(), queue="support")
        assert seen[-1] == 1
        await desk.sign_out()


@pytest.mark.parametrize("make", [MemoryJournal, live.SlowJournal])
async def test_what_it_raises_stops_nothing_and_is_logged_once_per_type(make, caplog):
    caplog.set_level(logging.DEBUG)
    errors = [KeyError("secret"), KeyError("secret"), OSError("secret"), KeyError("secret")]
    left = list(errors)

    def on_events(events):
        raise left.pop(0)

    async with live.router(make(), on_events=on_events) as router:
        for _ in errors:
            receipt = await router.submit(live.message(), queue="support")
            assert receipt.outcome is Outcome.QUEUED
    failed = [record for record in caplog.records if record.message == "on_events_failed"]
    assert [record.error for record in failed] == ["KeyError", "OSError"]
    assert not left
    assert all("secret" not in repr(vars(record)) for record in caplog.records)


async def test_a_replay_is_not_told_again():
    journal, told = MemoryJournal(), []
    async with live.router(journal) as router:
        await router.submit(live.message(), queue="support")
    async with live.router(journal, on_events=told.append) as router:
        assert told == []
        await router.submit(live.message(), queue="support")
    assert [type(event) for (event,) in told] == [ev.Queued]


async def test_what_was_quarantined_can_be_looked_at_and_sent_on():
    aside = {}

    def on_events(events):
        for event in events:
            if isinstance(event, ev.Quarantined | ev.Rejected):
                aside[event.interaction_id] = event.message

    async with live.router(on_events=on_events) as router:
        message = live.message(channel=Channel.EMAIL, message_id="<m1@example.org>")
        inbound = Inbound(disposition=Disposition.QUARANTINE, message=message, reason="odd")
        receipt = await router.deliver(inbound)
        again = msgspec.structs.replace(aside[receipt.interaction_id], message_id=None)
        assert (await router.submit(again, queue="support")).outcome is Outcome.QUEUED
        refused = await router.submit(live.message("lost?"))
        assert refused.is_refused
        assert not refused.is_refused_for_now
        assert aside[refused.interaction_id].text == "lost?"


def test_the_router_of_threads_takes_it_too():
    told = []
    with BlockingRouter(live.plan(), on_events=told.extend) as router:
        router.submit(live.message(), queue="support")
    assert [type(event) for event in told] == [ev.Queued]
