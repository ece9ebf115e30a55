"""Mail over a real connection: every answer to the sender is true."""

import asyncio
import logging
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from omniroute.channels import Email, EmailLimits
from omniroute.channels.quarantine import kept
from omniroute.errors import JournalError, RouterBusyError, UsageError
from omniroute.model import Disposition
from omniroute.plan import Limits, Plan, Queue, TriageRule
from omniroute.router import Router
from omniroute.web.smtp import SmtpReceiver

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    """aiosmtpd is an asyncio protocol."""
    return "asyncio"


class Box:
    """Takes what is delivered, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.taken = []
        self.error = error

    async def deliver(self, inbound):
        if self.error is not None:
            raise self.error
        self.taken.append(inbound)


def receiver(box, **options):
    options = {"domains": ["Example.com"], "port": 0, "now_ms": lambda: 1_700_000_000_000} | options
    return SmtpReceiver(box.deliver, **options)


def letter(text="Hello", **headers) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Jane <jane@example.org>"
    made["To"] = "help@example.com"
    made["Message-ID"] = "<m1@example.org>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


async def send(listening, message, **options):
    return await aiosmtplib.send(message, hostname="127.0.0.1", port=listening.port, **options)


def client_of(listening):
    return aiosmtplib.SMTP(hostname="127.0.0.1", port=listening.port)


async def test_a_mail_is_delivered_before_it_is_acknowledged():
    box = Box()
    async with receiver(box) as listening:
        _, answer = await send(listening, letter(Subject="Invoice"))
    assert answer.startswith("2.0.0 recorded")
    [inbound] = box.taken
    message = inbound.message
    assert inbound.disposition is Disposition.CREATE
    assert (message.customer.id, message.to) == ("jane@example.org", "help@example.com")
    assert (message.subject, message.text) == ("Invoice", "Hello")
    assert message.received_at_ms == 1_700_000_000_000
    assert message.attributes["envelope_to"] == ("help@example.com",)


@pytest.mark.parametrize(
    ("error", "says"),
    [(RouterBusyError("full"), "busy"), (JournalError("disk"), "again"), (KeyError("x"), "again")],
)
async def test_what_cannot_be_recorded_is_to_come_again(error, says):
    box = Box(error)
    async with receiver(box) as listening:
        with pytest.raises(aiosmtplib.SMTPDataError, match=says) as refused:
            await send(listening, letter())
        assert refused.value.code == 451
        box.error = None
        await send(listening, letter())
    assert len(box.taken) == 1


async def test_foreign_domains_are_refused():
    box = Box()
    async with receiver(box, domains=["example.com", "example.net"]) as listening:
        for foreign in ("x@example.org", "x@sub.example.com", "postmaster", '"a@example.com"@evil'):
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await send(listening, letter(), recipients=[foreign])
            assert refused.value.recipients[0].code in {550, 553, 501}
        refused, _ = await send(
            listening, letter(), recipients=["a@EXAMPLE.com", "b@example.org", "c@example.net"]
        )
    assert list(refused) == ["b@example.org"]
    [inbound] = box.taken
    assert inbound.message.attributes["envelope_to"] == ("a@EXAMPLE.com", "c@example.net")
    assert inbound.message.to == "a@example.com"


async def test_a_mail_over_the_limit_is_refused():
    box = Box()
    email = Email(limits=EmailLimits(message_bytes=10_000))
    async with receiver(box, email=email) as listening:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await send(listening, letter("x\n" * 10_000))
        assert refused.value.code == 552
        await send(listening, letter())
    assert len(box.taken) == 1


@pytest.mark.parametrize("mail_bytes", [1_000, 100_000])
async def test_the_limit_of_the_plan_holds(mail_bytes):
    box = Box()
    email = Email(limits=EmailLimits(message_bytes=10_000))
    async with receiver(box, email=email, limits=Limits(max_mail_bytes=mail_bytes)) as listening:
        assert listening.max_mail_bytes == min(mail_bytes, 10_000)
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await send(listening, letter("x\n" * (listening.max_mail_bytes // 2)))
        assert refused.value.code == 552
        await send(listening, letter())
    assert len(box.taken) == 1


async def test_a_full_queue_asks_the_sender_to_come_again_and_takes_it_then():
    plan = Plan(queues=[Queue(name="q", max_waiting=1)], triage=[TriageRule(queue="q")])
    second = letter()
    second.replace_header("Message-ID", "<m2@example.org>")
    async with Router(plan) as router:
        async with SmtpReceiver(router.deliver, domains=["example.com"], port=0) as listening:
            await send(listening, letter())
            for _ in range(2):
                with pytest.raises(aiosmtplib.SMTPDataError, match="no room") as refused:
                    await send(listening, second)
                assert refused.value.code == 452
            await send(listening, letter())  # a repeat of what waits already
            await router.cancel("i1")
            _, answer = await send(listening, second)
        assert answer.startswith("2.0.0 recorded")
        waiting = filter(None, (router.interaction(f"i{n}") for n in range(9)))
        assert [each.message.message_id for each in waiting] == ["<m2@example.org>"]


async def test_a_mail_that_no_queue_takes_is_refused_so_that_the_sender_knows():
    router = Router(Plan(queues=[Queue(name="q")]))
    async with router, receiver(router) as listening:
        with pytest.raises(aiosmtplib.SMTPDataError, match="no queue") as refused:
            await send(listening, letter())
        assert refused.value.code == 550


async def test_no_log_record_at_any_level_has_what_a_customer_wrote(caplog):
    caplog.set_level(1)
    plan = Plan(queues=[Queue(name="q")], triage=[TriageRule(queue="q")])
    made = letter("canary in the text", Subject="canary", X_Mailer="canary")
    made.replace_header("From", "Canary <canary@example.org>")
    router = Router(plan)
    async with router, receiver(router) as listening:
        await send(listening, made)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await send(listening, made, recipients=["canary@example.net"])
        async with client_of(listening) as client:
            await client.sendmail("canary@example.org", ["help@example.com"], b"canary\n\ncanary")
    assert {record.name for record in caplog.records} >= {"omniroute"}
    leaks = [record for record in caplog.records if "canary" in repr(vars(record)).lower()]
    assert not leaks


@pytest.mark.parametrize(("given", "then"), [(0, logging.WARNING), (logging.DEBUG, logging.DEBUG)])
async def test_a_level_that_the_application_has_set_is_kept(given, then):
    library = logging.getLogger("mail.log")
    before = library.level
    try:
        library.setLevel(given)
        receiver(Box())
        assert library.level == then
    finally:
        library.setLevel(before)


async def test_large_mails_and_long_lines_come_through():
    box = Box()
    raw = b"From: jane@example.org\r\n\r\n" + b"x" * 100_000 + b"\r\n" + b"word \r\n" * 100_000
    async with receiver(box) as listening, client_of(listening) as client:
        await client.sendmail("jane@example.org", ["help@example.com"], raw)
    assert box.taken[0].message.text.count("word") == 100_000


async def test_the_null_sender_is_a_machine():
    box = Box()
    async with receiver(box) as listening, client_of(listening) as client:
        await client.sendmail("", ["help@example.com"], letter().as_bytes())
    assert box.taken[0].disposition is Disposition.AUTO


async def test_hostile_bytes_are_recorded_as_quarantine():
    box = Box()
    async with receiver(box) as listening, client_of(listening) as client:
        await client.sendmail("x@example.org", ["help@example.com"], b"\xff\x00\xfe" * 100)
    assert box.taken[0].disposition is Disposition.QUARANTINE
    name, request = kept(box.taken[0].message)
    assert (name, request.body) == ("email", b"\xff\x00\xfe" * 100 + b"\r\n")


async def test_too_many_connections_are_asked_to_come_again():
    box = Box()
    async with receiver(box, max_connections=1) as listening:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=listening.port):
            with pytest.raises(aiosmtplib.SMTPConnectError, match="421"):
                await aiosmtplib.SMTP(hostname="127.0.0.1", port=listening.port).connect()
        await send(listening, letter())
    assert len(box.taken) == 1


async def test_closing_answers_the_mail_that_is_being_recorded():
    recording, go_on = asyncio.Event(), asyncio.Event()
    taken = []

    async def slow(inbound):
        recording.set()
        await go_on.wait()
        taken.append(inbound)

    listening = SmtpReceiver(slow, domains=["example.com"], port=0)
    async with listening:
        idle = aiosmtplib.SMTP(hostname="127.0.0.1", port=listening.port)
        await idle.connect()
        sending = asyncio.create_task(send(listening, letter()))
        await recording.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
    assert len(taken) == 1
    _, answer = await sending
    assert answer.startswith("2.0.0")
    idle.close()


async def test_a_client_that_goes_away_leaves_nothing_behind():
    recording = asyncio.Event()
    cancelled = []

    async def slow(inbound):
        recording.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(inbound)
            raise

    async with SmtpReceiver(slow, domains=["example.com"], port=0) as listening:
        _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(
            b"HELO x\r\nMAIL FROM:<jane@example.org>\r\nRCPT TO:<help@example.com>\r\nDATA\r\n"
            b"From: jane@example.org\r\n\r\nHello\r\n.\r\n"
        )
        await recording.wait()
        writer.transport.abort()
    assert len(cancelled) == 1
    assert not listening.connections


async def test_it_is_no_open_relay_and_says_when_it_does_not_listen():
    with pytest.raises(UsageError, match="domains"):
        SmtpReceiver(Box().deliver, domains=[])
    with pytest.raises(UsageError, match="not listening"):
        _ = receiver(Box()).port


async def test_recorded_mails_mean_the_same_over_the_wire():
    files = sorted((Path(__file__).parents[1] / "data" / "email").iterdir())
    raws = [raw for file in files if len(raw := file.read_bytes()) < 100_000]
    box = Box()
    async with receiver(box) as listening, client_of(listening) as client:
        for raw in raws:
            await client.sendmail("jane@example.org", ["help@example.com"], raw)
    assert len(box.taken) == len(raws) > 70
    for raw, inbound in zip(raws, box.taken, strict=True):
        direct = Email().read(raw, envelope_from="jane@example.org")
        assert inbound.disposition is direct.disposition
        assert inbound.message.customer == direct.message.customer
        assert inbound.message.subject == direct.message.subject
        if direct.message.attributes.get("cut") is None and b"\r" not in raw.replace(b"\r\n", b""):
            assert inbound.message.text == direct.message.text
