"""Mail out of a real IMAP server: what is recorded is seen, and nothing else is.

The packages are Debian's; they are not installed from here:

    apt-get install dovecot-core dovecot-imapd dovecot-lmtpd

`make test` does that when it may (root on Debian). Elsewhere the tests say what is missing and
are skipped, but never in the continuous integration.
"""

import itertools
import re
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mail.dovecot import LIMIT_S, PASSWORD, Dovecot
from mail.inbox import Inbox, until
from omniroute import Agent, MemoryJournal, Plan, Queue, Router, TriageRule
from omniroute.channels import Email
from omniroute.channels.quarantine import kept, replay
from omniroute.errors import RouterBusyError, RouterClosedError, UsageError
from omniroute.model import Disposition
from omniroute.plan import Limits
from omniroute.router import Outcome, quarantined_in, replay_quarantined
from omniroute.web import imap_session
from omniroute.web.imap import ImapAccount, ImapReceiver

pytestmark = pytest.mark.anyio

PLAN = Plan(queues=[Queue(name="q")], agents=[Agent(id="ana")], triage=[TriageRule(queue="q")])
RETRY = {"retry_s": 0.02, "longest_retry_s": 0.1}
SEEN, FLAGGED, DELETED = b"\\Seen", b"\\Flagged", b"\\Deleted"
MAILS = Path(__file__).parents[1] / "data" / "email"

_users = itertools.count(1)


@pytest.fixture(scope="module")
def server():
    with Dovecot() as running:
        yield running


@pytest.fixture(params=["IMAP4rev1", "IMAP4rev1 UIDPLUS"])
def plain_server(request):
    """A server that says it can do little; gives it and the words."""
    with Dovecot(f"protocol imap {{\n imap_capability = {request.param}\n}}") as running:
        yield running, request.param


@pytest.fixture
def user():
    return f"user{next(_users)}"


def letter(number=1, text="Hello", *, sender="jane@example.org"):
    return (
        f"From: Jane <{sender}>\r\nTo: help@example.com\r\nSubject: Mail {number}\r\n"
        f"Message-ID: <m{number}@example.org>\r\n\r\n{text}\r\n"
    ).encode()


def account(server, user, **changes):
    values = {"host": "127.0.0.1", "port": server.imap, "encryption": "none"}
    return ImapAccount(**{**values, "user": user, "password": PASSWORD, **changes})


@asynccontextmanager
async def receiving(inbox, at, **options):
    """A receiver that has its folder open."""
    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as group:
            receiver = ImapReceiver(inbox.deliver, at, **{**RETRY, **options})
            try:
                await group.start(receiver.run)
                yield receiver
            finally:
                group.cancel_scope.cancel()


async def wait(box, count, *criteria):
    return await anyio.to_thread.run_sync(box.wait, count, *criteria)


# --- the way of a mail ----------------------------------------------------------------------


async def test_a_mail_is_pushed_to_an_agent_and_seen_when_it_is_recorded(server, user):
    server.send(user, letter(1))
    async with (
        Router(PLAN) as router,
        router.sign_in("ana") as desk,
        receiving(Inbox(router.deliver), account(server, user)),
    ):
        offer = await desk.next_offer()
        message = offer.interaction.message
        assert (message.customer.id, message.subject) == ("jane@example.org", "Mail 1")
        assignment = await offer.accept()
        with server.open(user) as box:
            await wait(box, 0, "UNSEEN")
            server.send(user, letter(2))  # told by IDLE: it asks only every 9 minutes
            await assignment.complete()
            offer = await desk.next_offer()
            assert offer.interaction.message.subject == "Mail 2"
            assert len(await wait(box, 2, "SEEN")) == 2


async def test_what_is_seen_or_deleted_is_left_alone_and_the_rest_comes_in_order(server, user):
    with server.open(user) as box:
        box.append(letter(1))
        box.append(letter(2), flags=[SEEN])
        box.append(letter(3), flags=[DELETED])
        box.append(letter(4), letter(5))
        inbox = Inbox()
        async with receiving(inbox, account(server, user)):
            assert await inbox.subjects(3) == ["Mail 1", "Mail 4", "Mail 5"]
            await wait(box, 0, "UNSEEN", "UNDELETED")


async def test_a_mail_that_was_recorded_but_not_marked_is_a_repeat_after_the_restart(server, user):
    server.send(user, letter(1))
    journal = MemoryJournal()
    recorded = anyio.Event()
    with server.open(user) as box:
        async with Router(PLAN, journal=journal) as router:

            async def and_then_nothing(inbound):
                await router.deliver(inbound)
                recorded.set()
                await anyio.sleep_forever()

            async with receiving(Inbox(and_then_nothing), account(server, user)):
                await recorded.wait()
        assert box.find("UNSEEN")
        async with Router(PLAN, journal=journal) as router:
            inbox = Inbox(router.deliver)
            async with receiving(inbox, account(server, user)):
                await wait(box, 0, "UNSEEN")
            assert [receipt.outcome for receipt in inbox.receipts] == [Outcome.DUPLICATE]
            assert router.statistics().waiting == 1


async def test_every_recorded_mail_means_the_same_and_none_stops_the_others(server, user):
    raws = [raw for file in sorted(MAILS.iterdir()) if len(raw := file.read_bytes()) < 100_000]
    with server.open(user) as box:
        box.append(*raws)
        async with Router(PLAN) as router:
            inbox = Inbox(router.deliver)
            async with receiving(inbox, account(server, user)):
                for raw in raws:
                    inbound, direct = await inbox.next(), Email().read(raw)
                    assert inbound.disposition is direct.disposition
                    assert inbound.message.customer == direct.message.customer
                    assert inbound.message.subject == direct.message.subject
                await wait(box, 0, "UNSEEN")
            quarantined = await quarantined_in(router.journal)
    assert len(raws) > 70
    assert len(quarantined) >= 8
    for event in quarantined:
        assert [one.reason for one in replay(event.message)] == [event.reason]


async def test_garbage_and_large_mails_come_through(server, user):
    bodies = [b"\xff\xfe" * 300, b"From: a@example.org\r\n\r\n" + b"word " * 100_000, b"\r\n"]
    with server.open(user) as box:
        box.append(*bodies)
        inbox = Inbox()
        async with receiving(inbox, account(server, user)):
            garbage, large, empty = [await inbox.next() for _ in bodies]
            await wait(box, 0, "UNSEEN")
            assert box.find("FLAGGED") == [1, 3]  # where somebody may look
    assert garbage.disposition is empty.disposition is Disposition.QUARANTINE
    assert large.message.text.count("word") == 100_000


# --- what stays unseen ----------------------------------------------------------------------


async def test_a_full_queue_leaves_a_mail_unseen_until_there_is_room(server, user):
    plan = Plan(
        queues=[Queue(name="small", max_waiting=1), Queue(name="large")],
        triage=[
            TriageRule(queue="large", when='subject == "Mail 3"'),
            TriageRule(queue="small"),
        ],
    )
    with server.open(user) as box:
        box.append(letter(1), letter(2), letter(3))
        async with Router(plan) as router:
            inbox = Inbox(router.deliver)
            async with receiving(inbox, account(server, user)):
                assert await inbox.subjects(4) == ["Mail 1", "Mail 2", "Mail 3", "Mail 2"]
                first, second, third, again = inbox.receipts[:4]
                assert second.is_refused_for_now
                assert again.is_refused_for_now
                assert await wait(box, 1, "UNSEEN") == [2]
                assert router.statistics().waiting == 2
                await router.cancel(first.interaction_id)
                await wait(box, 0, "UNSEEN")
            assert inbox.receipts[-1].outcome is Outcome.QUEUED
            assert third.outcome is Outcome.QUEUED


async def test_a_mail_that_no_queue_takes_is_replayed_under_a_plan_that_takes_it(server, user):
    journal = MemoryJournal()
    with server.open(user) as box:
        box.append(letter(1))
        async with Router(Plan(queues=[Queue(name="q")]), journal=journal) as router:
            inbox = Inbox(router.deliver)
            async with receiving(inbox, account(server, user)):
                await wait(box, 0, "UNSEEN")
        outcomes = [receipt.outcome for receipt in inbox.receipts]
        assert outcomes == [Outcome.REJECTED, Outcome.QUARANTINED]
        assert box.find("FLAGGED") == [1]
    async with Router(PLAN, journal=journal) as router:
        [done] = await replay_quarantined(router.deliver, journal)
        assert [receipt.outcome for receipt in done.receipts] == [Outcome.QUEUED]
        [waiting] = router.interactions()
        assert (waiting.message.subject, waiting.message.text) == ("Mail 1", "Hello")
        [again] = await replay_quarantined(router.deliver, journal)
        assert [receipt.outcome for receipt in again.receipts] == [Outcome.DUPLICATE]


@pytest.mark.parametrize("error", [RouterBusyError("full"), RouterClosedError("closed")])
async def test_when_the_router_takes_nothing_all_wait_in_their_order(server, user, error):
    with server.open(user) as box:
        box.append(letter(1), letter(2))
        inbox, failures = Inbox(), []
        inbox.errors["Mail 1"] = error
        at = account(server, user)
        async with receiving(inbox, at, on_failure=failures.append) as receiver:
            assert await inbox.subjects(3) == ["Mail 1"] * 3
            assert box.find("UNSEEN") == [1, 2]
            inbox.errors.clear()
            while (await inbox.next()).message.subject != "Mail 2":
                pass
            await wait(box, 0, "UNSEEN")
            assert receiver.is_connected
    assert set(failures) == {error}


async def test_after_the_router_has_stopped_a_mail_is_left_for_the_next_one(server, user):
    journal = MemoryJournal()
    async with Router(PLAN, journal=journal) as router:
        pass
    server.send(user, letter())
    failures = []
    with server.open(user) as box:
        async with receiving(
            Inbox(router.deliver), account(server, user), on_failure=failures.append
        ):
            await wait(box, 1, "UNSEEN")
            await until(lambda: failures)
        assert {type(failure) for failure in failures} == {RouterClosedError}
        async with Router(PLAN, journal=journal) as router:
            async with receiving(Inbox(router.deliver), account(server, user)):
                await wait(box, 0, "UNSEEN")
            assert router.statistics().waiting == 1


async def test_a_mail_that_cannot_be_delivered_does_not_stop_those_behind_it(server, user):
    with server.open(user) as box:
        box.append(letter(1), letter(2))
        inbox, failures = Inbox(), []
        poison = inbox.errors["Mail 1"] = KeyError("a mistake")
        async with receiving(inbox, account(server, user), on_failure=failures.append):
            assert await inbox.subjects(3) == ["Mail 1", "Mail 2", "Mail 1"]
            assert box.find("UNSEEN") == [1]
            inbox.errors.clear()
            await wait(box, 0, "UNSEEN")
    assert set(failures) == {poison}


@pytest.mark.parametrize("error", [ConnectionError("lost"), imap_session.NotDoneError("no")])
async def test_a_mail_that_cannot_be_fetched_does_not_stop_those_behind_it(
    server, user, error, monkeypatch
):
    fetch = imap_session.ImapSession.mail

    def broken(session, uid):
        if uid == 1 and not mended:
            raise error
        return fetch(session, uid)

    def counted(session):
        dials.append(session)
        dial(session)

    mended, dials = [], []
    dial = imap_session.ImapSession.dial
    monkeypatch.setattr(imap_session.ImapSession, "mail", broken)
    monkeypatch.setattr(imap_session.ImapSession, "dial", counted)
    with server.open(user) as box:
        box.append(letter(1), letter(2))
        inbox, failures = Inbox(), []
        async with receiving(inbox, account(server, user), on_failure=failures.append):
            assert await inbox.subjects(1) == ["Mail 2"]
            assert await wait(box, 1, "UNSEEN") == [1]
            mended.append(True)
            assert await inbox.subjects(1) == ["Mail 1"]
            await wait(box, 0, "UNSEEN")
    assert set(failures) == {error}
    assert (len(dials) > 1) == isinstance(error, ConnectionError)


async def test_a_mail_over_the_limit_is_not_fetched_but_quarantined_and_flagged(
    server, user, monkeypatch
):
    fetched = []
    fetch = imap_session.ImapSession.mail
    monkeypatch.setattr(
        imap_session.ImapSession, "mail", lambda self, uid: fetched.append(uid) or fetch(self, uid)
    )
    with server.open(user) as box:
        box.append(letter(1, "x" * 5_000), letter(2))
        async with Router(PLAN) as router:
            inbox = Inbox(router.deliver)
            limits = Limits(max_mail_bytes=1_000)
            async with receiving(inbox, account(server, user), limits=limits):
                large = await inbox.next()
                await inbox.subjects(1)
                await wait(box, 0, "UNSEEN")
            assert [receipt.outcome for receipt in inbox.receipts] == [
                Outcome.QUARANTINED,
                Outcome.QUEUED,
            ]
        size = len(letter(1, "x" * 5_000))
        assert large.reason == f"the mail has {size} bytes, more than 1000"
        assert (large.message.subject, large.message.text) == ("Mail 1", "")
        assert large.message.customer.id == "jane@example.org"
        assert fetched == [2]
        assert kept(large.message) is None  # its header is not the mail
        assert FLAGGED in box.flags(1)
        assert FLAGGED not in box.flags(2)


# --- the server -----------------------------------------------------------------------------


async def test_a_server_that_is_killed_is_connected_to_again(user):
    inbox, failures = Inbox(), []
    with Dovecot() as server:
        server.send(user, letter(1))
        at = account(server, user)
        async with receiving(inbox, at, on_failure=failures.append) as receiver:
            assert await inbox.subjects(1) == ["Mail 1"]
            with server.open(user) as box:
                await wait(box, 0, "UNSEEN")
            server.kill(signal.SIGKILL)
            await until(lambda: failures and not receiver.is_connected)
            await anyio.to_thread.run_sync(server.start)
            server.send(user, letter(2))
            assert await inbox.subjects(1) == ["Mail 2"]
            assert receiver.is_connected
            with server.open(user) as box:
                await wait(box, 2, "SEEN")


async def test_a_server_without_extensions_is_polled_and_mails_are_copied(plain_server, user):
    server, words = plain_server
    server.send(user, letter(1))
    inbox, failures = Inbox(), []
    options = {"poll_s": 0.01, "done_folder": "Done", "on_failure": failures.append}
    async with receiving(inbox, account(server, user), **options):
        assert await inbox.subjects(1) == ["Mail 1"]
        server.send(user, letter(2))
        assert await inbox.subjects(1) == ["Mail 2"]
        with server.open(user) as box, server.open(user, "Done") as done:
            await wait(done, 2, "SEEN")
            if "UIDPLUS" in words:
                await wait(box, 0)
            else:
                await wait(box, 2, "SEEN", "DELETED")
    assert not failures


async def test_recorded_mails_are_moved(server, user):
    server.send(user, letter(1))
    inbox = Inbox()
    async with receiving(inbox, account(server, user), done_folder="Übernommen"):
        server.send(user, letter(2))
        assert await inbox.subjects(2) == ["Mail 1", "Mail 2"]
        with server.open(user) as box, server.open(user, "Übernommen") as done:
            await wait(done, 2, "SEEN")
            assert box.find() == []


async def test_a_folder_that_is_numbered_anew_is_read_anew(server, user):
    """The first mail waits for its retry under a number that is another mail's afterwards."""
    inbox = Inbox()
    inbox.errors["Mail 1"] = KeyError("a mistake")
    with server.open(user, "Work") as box, server.open(user) as elsewhere:
        box.append(letter(1))
        at = account(server, user)
        slow = {"retry_s": 0.02, "longest_retry_s": LIMIT_S * 10}
        async with receiving(inbox, at, folder="Work", **slow) as receiver:
            await inbox.subjects(1)
            box.client.unselect_folder()
            elsewhere.client.delete_folder("Work")
            elsewhere.client.create_folder("Work")
            elsewhere.client.append("Work", letter(2))
            while (await inbox.next()).message.subject != "Mail 2":
                pass
            with server.open(user, "Work") as anew:
                assert await wait(anew, 1, "SEEN") == [1]
            assert receiver.is_connected


async def test_a_folder_with_very_many_mails_is_searched_in_windows(server, user, monkeypatch):
    monkeypatch.setattr(imap_session.ImapSession.__init__, "__kwdefaults__", {"search_window": 2})
    with server.open(user) as box:
        box.append(*[letter(number) for number in range(1, 8)])
        inbox = Inbox()
        async with receiving(inbox, account(server, user)):
            assert await inbox.subjects(7) == [f"Mail {number}" for number in range(1, 8)]
            await wait(box, 0, "UNSEEN")


# --- the door -------------------------------------------------------------------------------


@pytest.mark.parametrize("encryption", ["tls", "starttls"])
async def test_the_connection_is_encrypted_and_the_certificate_checked(server, user, encryption):
    port = server.imaps if encryption == "tls" else server.imap
    at = {"encryption": encryption, "port": port}
    server.send(user, letter(1))
    inbox = Inbox()
    trusted = account(server, user, tls_context=server.tls_context, **at)
    async with receiving(inbox, trusted):
        await inbox.subjects(1)
        server.send(user, letter(2))  # by IDLE, over TLS
        await inbox.subjects(1)
        with server.open(user) as box:
            await wait(box, 2, "SEEN")
        await until(lambda: re.search(f"user=<{user}>.*, TLS, session", server.log))
    with pytest.raises(UsageError, match=r"certificate of 127\.0\.0\.1 is not valid"):
        await ImapReceiver(inbox.deliver, account(server, user, **at)).run()


async def test_a_token_opens_the_mailbox(server, user):
    server.send(user, letter())
    inbox = Inbox()
    async with receiving(inbox, account(server, user, password=None, token=lambda: PASSWORD)):
        await inbox.subjects(1)
        await until(lambda: f"user=<{user}>, method=XOAUTH2" in server.log)


WRONG = [
    ({"password": "wrong"}, {}, "refuses the login of 'user"),
    ({"password": "gr\u00fcn"}, {}, "refuses the login of 'user"),
    ({"password": None, "token": lambda: "wrong"}, {}, "refuses the login of 'user"),
    ({}, {"folder": "Nowhere"}, "no such folder"),
]


@pytest.mark.parametrize(("at", "options", "says"), WRONG)
async def test_what_is_wrong_from_the_start_is_raised(server, user, at, options, says):
    receiver = ImapReceiver(Inbox().deliver, account(server, user, **at), **options)
    with anyio.fail_after(LIMIT_S), pytest.raises(UsageError, match=says):
        await receiver.run()


async def test_a_password_is_asked_for_at_each_login_and_a_wrong_one_is_tried_again(user):
    passwords = iter([PASSWORD, "wrong"])
    failures = []
    inbox = Inbox()
    with Dovecot() as server:
        at = account(server, user, password=lambda: next(passwords, PASSWORD))
        async with receiving(inbox, at, on_failure=failures.append):
            server.kill()
            await anyio.to_thread.run_sync(server.start)
            server.send(user, letter())
            await inbox.subjects(1)
    assert [failure for failure in failures if "refuses the login" in str(failure)]


async def test_no_log_record_at_any_level_has_what_a_customer_wrote(server, user, caplog):
    caplog.set_level(1)
    server.send(user, letter(1, "canary", sender="canary@example.org"))
    async with Router(PLAN) as router:
        inbox = Inbox(router.deliver)
        async with receiving(inbox, account(server, user)):
            await inbox.next()
            with server.open(user) as box:
                await wait(box, 0, "UNSEEN")
    assert {record.name for record in caplog.records} >= {"omniroute"}
    assert not [record for record in caplog.records if "canary" in repr(vars(record)).lower()]
