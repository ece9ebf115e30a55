"""Log events: silent by default, stable names, nothing private."""

import enum
import logging
import subprocess
import sys
import typing

import anyio
import pytest

import live
import virtual_time
from omniroute import Address, AddressKind, Channel, Customer, MemoryJournal
from omniroute import events as ev
from omniroute.observe import LOG_EVENTS, EventLog

PRIVATE = live.message(
    "my secret text",
    channel=Channel.EMAIL,
    customer=Customer(
        id="+4930123456",
        name="Jane Roe",
        addresses=(Address(AddressKind.EMAIL, "jane@example.com"),),
    ),
    subject="private subject",
    thread_id="<thread@example.com>",
    message_id="<id@example.com>",
    to="help@example.com",
)
SECRETS = ("secret", "private", "Jane", "example.com", "+49")

SCRIPT = """
import anyio
from omniroute import Agent, Channel, Message, Plan, Queue, Router
async def main():
    async with Router(Plan(queues=[Queue(name="q", max_waiting=1)])) as router:
        async with router.sign_in(Agent(id="ann")):
            for _ in range(3):
                await router.submit(Message(channel=Channel.CHAT), queue="q")
anyio.run(main)
"""


async def everything():
    """A run that leaves nearly every kind of event behind."""
    async with live.router() as router:
        async with router.sign_in("ann") as desk:
            await router.submit(PRIVATE, queue="support")
            await router.submit(PRIVATE, queue="support")
            await router.submit(live.message("secret", to="+4930123456"))
            await router.send(ev.Quarantine(live.message("secret"), "the field 'secret' is wrong"))
            offer = await anext(desk.offers())
            await offer.decline("a secret that Jane told me")
            await desk.not_ready("secret meeting")
            await router.reprioritize("i1", 3)
            await router.cancel("i9")
            await desk.change(skills={})
        await router.abandon("i1", "a secret of the caller")


def test_nothing_is_printed_unless_somebody_asks():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == done.stderr == ""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_logged_and_what_is_not(backend, caplog):
    caplog.set_level(logging.DEBUG, logger="omniroute")
    virtual_time.run(backend, everything)
    names = [record.message for record in caplog.records]
    assert names == [
        "router_started",
        "agent_signed_in",
        "agent_ready",
        "interaction_queued",
        "offer_made",
        "message_repeated",
        "interaction_rejected",
        "message_quarantined",
        "offer_declined",
        "agent_not_ready",
        "interaction_reprioritized",
        "command_rejected",
        "agent_changed",
        "agent_signed_out",
        "interaction_abandoned",
        "router_stopped",
    ]
    for record in caplog.records:
        assert record.name == "omniroute"
        shown = repr(vars(record))
        assert not [secret for secret in SECRETS if secret in shown], shown
    declined = caplog.records[names.index("offer_declined")]
    assert declined.levelno == logging.INFO
    fields = {"interaction_id": "i1", "agent_id": "ann", "offer_id": 1}
    assert fields.items() <= vars(declined).items()
    queued = vars(caplog.records[names.index("interaction_queued")])
    assert (queued["channel"], queued["queue"], queued["priority"]) == ("email", "support", 0)
    assert all(type(queued[name]) is str for name in ("channel", "queue"))


FREE_TEXT = {
    ev.Quarantined: {"message": PRIVATE, "reason": "secret"},
    ev.Abandoned: {"reason": "secret"},
    ev.Cancelled: {"reason": "secret"},
    ev.Declined: {"offer_id": 1, "agent_id": "ann", "reason": "secret"},
    ev.Requeued: {"assignment_id": 1, "agent_id": "ann", "reason": "secret"},
    ev.WrapUpStarted: {"assignment_id": 1, "agent_id": "ann", "until_ms": 9, "code": "secret"},
    ev.Completed: {"assignment_id": 1, "agent_id": "ann", "code": "secret"},
    ev.SignedOut: {"agent_id": "ann", "reason": "secret"},
    ev.BecameNotReady: {"agent_id": "ann", "reason": "secret"},
}


@pytest.mark.parametrize("kind", FREE_TEXT)
def test_what_people_and_payloads_say_is_not_logged(kind, caplog):
    caplog.set_level(1)
    fields = {"interaction_id": "i1"} if "interaction_id" in kind.__struct_fields__ else {}
    EventLog().observe([kind(at_ms=1, **fields, **FREE_TEXT[kind])])
    (record,) = caplog.records
    assert "secret" not in repr(vars(record))


def test_a_reason_that_is_logged_is_of_a_closed_list():
    for kind, described in LOG_EVENTS.items():
        if "reason" in described.fields:
            assert issubclass(typing.get_type_hints(kind)["reason"], enum.Enum)
        assert "code" not in described.fields


@pytest.mark.parametrize(
    ("level", "names"),
    [
        (logging.WARNING, {"interaction_rejected", "message_quarantined"}),
        (logging.ERROR, set()),
    ],
)
def test_the_level_of_the_logger_decides(level, names, caplog):
    caplog.set_level(level, logger="omniroute")
    virtual_time.run("asyncio", everything)
    assert {record.message for record in caplog.records} == names


def test_a_failure_is_an_error_without_its_text(caplog):
    async def main():
        journal = live.FailingJournal(at=1, error=OSError("secret path"))
        async with live.router(journal) as router:
            await router.submit(live.message(), queue="support")

    with pytest.raises(Exception, match="secret path"):
        anyio.run(main)
    (record,) = [r for r in caplog.records if r.message == "router_failed"]
    assert record.levelno == logging.ERROR
    assert record.error == "JournalError"


def test_what_is_replayed_is_not_logged_again(caplog):
    async def main():
        journal = MemoryJournal()
        async with live.router(journal) as router:
            await router.submit(live.message(), queue="support")
        caplog.clear()
        async with live.router(journal):
            pass

    caplog.set_level(logging.DEBUG, logger="omniroute")
    virtual_time.run("asyncio", main)
    assert [record.message for record in caplog.records] == ["router_started", "router_stopped"]
    assert caplog.records[0].recovered_events == 1


def test_every_event_has_a_log_event_of_its_own():
    assert set(LOG_EVENTS) == set(ev.Event.__args__)
    names = [event.name for event in LOG_EVENTS.values()]
    assert len(set(names)) == len(names)
