"""Edits, deletions and repeats reach whoever looks: the engine's picture, offers, assignments."""

import msgspec
import pytest

import live
from omniroute import (
    Attachment,
    Channel,
    Customer,
    Disposition,
    Inbound,
    Outcome,
    Receipt,
    TriageRule,
    UpdateKind,
)
from omniroute.events import MessageEdited, Quarantined, Rejected, Update
from omniroute.plan import SenderRate

pytestmark = pytest.mark.anyio

ANN = Customer(id="ann@example.org")


def told(number, text="Hello", **fields):
    values = {"channel": Channel.TELEGRAM, "thread_id": "t", "message_id": f"m{number}"}
    values |= {"customer": ANN, "text": text}
    return live.message(**{**values, **fields})


def create(message, delivery_id=None):
    return Inbound(disposition=Disposition.CREATE, message=message, delivery_id=delivery_id)


def changed(kind, message, delivery_id=None):
    return Inbound(
        disposition=Disposition.UPDATE, update=kind, message=message, delivery_id=delivery_id
    )


def plan(**changes):
    return live.plan(triage=[TriageRule(queue="support")], **changes)


async def test_an_offer_and_an_assignment_show_what_is_said_now():
    async with live.router(plan=plan()) as router, router.sign_in("ann") as desk:
        await router.deliver(create(told(1, "Helo")))
        offer = desk.open_offers[0]
        first = await router.deliver(changed(UpdateKind.EDITED, told(1, "Hello", sent_at_ms=1)))
        assert first == Receipt(Outcome.EDITED, "i1")
        assert offer.interaction.message.text == "Hello"
        assignment = await offer.accept()
        await router.deliver(changed(UpdateKind.EDITED, told(1, "Hi", sent_at_ms=2)))
        assert assignment.interaction.message.text == "Hi"
        again = await anext(assignment.messages)
        assert (again.message_id, again.text, again.attributes["edited"]) == ("m1", "Hi", True)


async def test_a_deletion_reaches_unread_and_read_messages():
    async with live.router(plan=plan()) as router, router.sign_in("ann") as desk:
        await router.deliver(create(told(1)))
        assignment = await desk.open_offers[0].accept()
        await router.deliver(create(told(2, "read")))
        assert (await anext(assignment.messages)).text == "read"
        secret = told(3, "secret", attachments=(Attachment(url="https://example.org/x"),))
        await router.deliver(create(secret))
        for number in (3, 2):
            receipt = await router.deliver(changed(UpdateKind.DELETED, told(number, "")))
            assert receipt == Receipt(Outcome.REDACTED, "i1")
        unread, read = [await anext(assignment.messages) for _ in range(2)]
        assert [unread.message_id, read.message_id] == ["m3", "m2"]
        assert unread.attributes == read.attributes == {"redacted": True}
        assert unread == secret.redacted()
        assert read.text == ""
        assert "secret" not in repr(router.interaction("i1"))


async def test_an_update_that_is_delivered_again_is_applied_once_also_after_a_restart():
    journal = live.SlowJournal(0.01)
    edit = changed(UpdateKind.EDITED, told(1, "new"), "d7")
    async with live.router(journal, plan=plan()) as router:
        await router.deliver(create(told(1)))
        assert (await router.deliver(edit)).outcome is Outcome.EDITED
    async with live.router(journal, plan=plan()) as router:
        assert await router.deliver(edit) == Receipt(Outcome.DUPLICATE, "i1")
        assert router.interaction("i1").message.text == "new"
    assert live.kinds(journal).count("MessageEdited") == 1


async def test_a_delivery_is_a_repeat_whatever_message_it_carries():
    async with live.router(plan=plan()) as router:
        await router.deliver(create(told(1), "d1"))
        assert await router.deliver(create(told(2), "d1")) == Receipt(Outcome.DUPLICATE, "i1")
        assert (await router.deliver(create(told(2), "d2"))).outcome is Outcome.APPENDED


async def test_what_the_plan_ignores_is_counted_and_not_in_the_journal():
    async with live.router(plan=plan(dispositions={"edited": "ignore"})) as router:
        await router.deliver(create(told(1)))
        receipt = await router.deliver(changed(UpdateKind.EDITED, told(1, "new")))
        assert receipt.outcome is Outcome.IGNORED
        assert router.deliveries[Channel.TELEGRAM, Disposition.UPDATE] == 1
        assert len(live.kinds(router.journal)) == 1


async def test_over_the_rate_a_mail_is_kept_and_a_call_may_try_again():
    seen = []
    rate = SenderRate(maxima={"email": 1, "voice": 1})
    async with live.router(plan=plan(sender_rate=rate), on_events=seen.extend) as router:
        for channel in (Channel.EMAIL, Channel.VOICE):
            await router.deliver(create(told(1, channel=channel, thread_id=None)))
        mail = await router.deliver(create(told(2, channel=Channel.EMAIL, thread_id=None)))
        call = await router.deliver(create(told(2, channel=Channel.VOICE, thread_id=None)))
    assert (mail.outcome, mail.reason, mail.is_refused) == (
        Outcome.QUARANTINED,
        "sender_rate",
        False,
    )
    assert (call.outcome, call.reason, call.is_refused_for_now) == (
        Outcome.REJECTED,
        "sender_rate",
        True,
    )
    assert [type(event) for event in seen[2:]] == [Quarantined, Rejected]


async def test_an_update_by_hand_is_a_command_like_any_other():
    async with live.router(plan=plan()) as router:
        await router.submit(told(1))
        (event,) = await router.send(Update(told(1, "corrected"), UpdateKind.EDITED))
        assert isinstance(event, MessageEdited)
        assert event.message == msgspec.structs.replace(
            told(1, "corrected"), attributes={"edited": True}
        )


async def test_a_colleague_and_a_call_beside_show_no_more_than_the_customer_left():
    async with live.router(plan=plan()) as router, router.sign_in("ann") as ann:
        await router.deliver(create(told(1, "secret", subject="secret")))
        assignment = await ann.open_offers[0].accept()
        async with router.sign_in("bob") as bob:
            await assignment.consult(agent_id="bob")
            offer = bob.open_offers[0]
            await router.deliver(changed(UpdateKind.EDITED, told(1, "better", sent_at_ms=1)))
            assert offer.interaction.message.text == "better"
            asked = await offer.accept()
            receipt = await router.deliver(changed(UpdateKind.DELETED, told(1, "")))
            assert receipt == Receipt(Outcome.REDACTED, "i1")
            assert asked.interaction.message.attributes == {"redacted": True}
            told_him = await anext(asked.messages)
            assert (told_him.message_id, told_him.text) == (None, "")
        timeline = await router.timeline(interaction_id="i1")
    assert b"secret" not in msgspec.json.encode(timeline)
    assert b"better" not in msgspec.json.encode(timeline)


async def test_a_deleted_thread_is_gone_from_desks_whatever_ids_it_had():
    gone = changed(UpdateKind.THREAD_DELETED, told(9, "", message_id=None), "d9")
    async with live.router(plan=plan()) as router, router.sign_in("ann") as desk:
        for number, fields in ((1, {"message_id": None}), (2, {}), (3, {"message_id": None})):
            await router.deliver(create(told(number, "secret", **fields), f"d{number}"))
        assignment = await desk.open_offers[0].accept()
        receipt = await router.deliver(gone)
        assert receipt == Receipt(Outcome.REDACTED, "i1")
        assert b"secret" not in msgspec.json.encode(assignment.interaction)
        timeline = await router.timeline(interaction_id="i1")
        assert (await router.deliver(gone)).outcome is Outcome.DUPLICATE
    assert b"secret" not in msgspec.json.encode(timeline)
