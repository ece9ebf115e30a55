"""What a mailbox counts: mails by what became of them, lost connections, how far behind it is."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mail.fake_imap import FakeImap, serving
from mail.inbox import Inbox, until
from omniroute import MemoryJournal, Plan, Queue, Router, TriageRule
from omniroute.errors import RouterBusyError, UsageError
from omniroute.observe.mailboxes import MailboxMetrics
from omniroute.web.imap import ImapAccount, ImapReceiver

pytestmark = pytest.mark.anyio

LIMIT_S = 30
ARRIVED_MS = round(datetime(2024, 1, 1, 8, tzinfo=UTC).timestamp() * 1_000)
HOUR_MS = 3_600_000


class Clock:
    now_ms = ARRIVED_MS + HOUR_MS

    def __call__(self):
        return self.now_ms


class Seen:
    """The metrics of one mailbox."""

    def __init__(self):
        self.registry, self.clock = CollectorRegistry(), Clock()
        self.metrics = MailboxMetrics(self.registry, now_ms=self.clock)

    def __call__(self, name, **labels):
        labels = {"mailbox": "support", **labels}
        return self.registry.get_sample_value(f"omniroute_mailbox_{name}", labels)

    def mails(self, outcome):
        return self("mails_total", outcome=outcome)


@asynccontextmanager
async def receiving(fake, inbox, seen):
    with anyio.fail_after(LIMIT_S):
        async with serving(fake.serve) as port, anyio.create_task_group() as group:
            receiver = ImapReceiver(
                inbox.deliver,
                ImapAccount(host="127.0.0.1", port=port, user="u", password="p", encryption="none"),
                now_ms=seen.clock,
                retry_s=0.01,
                longest_retry_s=0.02,
                mailbox=seen.metrics.mailbox("support"),
            )
            await group.start(receiver.run)
            yield
            group.cancel_scope.cancel()


def letter(subject):
    return f"From: a@example.org\r\nSubject: {subject}\r\n\r\nHello".encode()


async def test_it_is_as_far_behind_as_the_oldest_mail_that_is_not_recorded():
    fake, inbox, seen = FakeImap(), Inbox(), Seen()
    fake.mails += [letter("one"), letter("two")]
    inbox.errors["one"] = KeyError("a mistake")
    async with receiving(fake, inbox, seen):
        await until(lambda: seen.mails("failed") > 1)
        assert seen.mails("recorded") == 1
        assert seen("behind_seconds") == 3_600
        assert seen("connected") == 1
        inbox.errors.clear()
        await until(lambda: seen("behind_seconds") == 0)
        assert seen.mails("recorded") == 2
        seen.clock.now_ms += HOUR_MS
        assert seen("behind_seconds") == 0
    assert seen("connected") == 0
    assert seen("connections_lost_total") == 0
    seen.clock.now_ms += HOUR_MS
    assert seen("behind_seconds") == 3_600


async def test_while_the_router_takes_nothing_it_falls_behind():
    fake, inbox, seen = FakeImap(), Inbox(), Seen()
    fake.mails.append(letter("one"))
    inbox.errors["one"] = RouterBusyError("full")
    async with receiving(fake, inbox, seen):
        await inbox.subjects(2)
        assert seen("behind_seconds") == 3_600
        inbox.errors.clear()
        await until(lambda: seen("behind_seconds") == 0)
        assert (seen.mails("recorded"), seen.mails("failed")) == (1, 0)


async def test_a_mail_without_a_date_of_the_server_is_as_old_as_it_is_known():
    fake, inbox, seen = FakeImap(), Inbox(), Seen()
    fake.arrived = None
    fake.mails.append(letter("one"))
    inbox.errors["one"] = KeyError("a mistake")
    async with receiving(fake, inbox, seen):
        await inbox.subjects(1)
        seen.clock.now_ms += HOUR_MS
        await inbox.subjects(2)
        assert seen("behind_seconds") == 3_600


async def test_a_lost_connection_is_counted_and_made_again():
    fake, inbox, seen = FakeImap(), Inbox(), Seen()
    fake.mails.append(letter("one"))
    fake.instead["UID FETCH 1 .*BODY"] = b"* BYE shutting down\r\n"
    async with receiving(fake, inbox, seen):
        assert await inbox.subjects(1) == ["one"]
        await until(lambda: seen("behind_seconds") == 0)
        assert seen("connections_lost_total") == 1
        assert seen("connected") == 1


async def test_what_is_set_aside_and_what_is_refused_are_counted_apart():
    plan = Plan(
        queues=[Queue(name="small", max_waiting=1)],
        triage=[TriageRule(queue="small", when='subject != "nobody"')],
    )
    fake, seen = FakeImap(), Seen()
    fake.mails += [letter("one"), letter("nobody"), letter("two")]
    async with (
        Router(plan, journal=MemoryJournal()) as router,
        receiving(fake, Inbox(router.deliver), seen),
    ):
        await until(lambda: seen.mails("refused") > 1)
        assert (seen.mails("recorded"), seen.mails("set_aside")) == (1, 1)
        assert seen("behind_seconds") == 3_600


def test_several_mailboxes_share_a_registry_and_have_their_names():
    registry = CollectorRegistry()
    metrics = MailboxMetrics(registry, now_ms=lambda: 0)
    metrics.mailbox("support").lost += 2
    metrics.mailbox("sales").mails["recorded"] += 3
    assert metrics.mailbox("support") is metrics.mailbox("support")
    text = generate_latest(registry).decode()
    assert 'omniroute_mailbox_connections_lost_total{mailbox="support"} 2.0' in text
    assert 'omniroute_mailbox_mails_total{mailbox="sales",outcome="recorded"} 3.0' in text
    with pytest.raises(UsageError, match="one MailboxMetrics"):
        MailboxMetrics(registry)
    metrics.unregister()
    MailboxMetrics(registry)
