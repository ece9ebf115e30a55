"""IMAP servers at their worst: silent, vanished, or telling of mail in the wrong moment."""

import logging
from contextlib import suppress

import anyio
import pytest

from mail.fake_imap import FakeImap, serving
from mail.inbox import Inbox, until
from omniroute.errors import UnknownNameError, UsageError
from omniroute.web.imap import ImapAccount, ImapReceiver, _Retries
from omniroute.web.imap_session import ImapSession, Unseen

pytestmark = pytest.mark.anyio

LIMIT_S = 30


def account(port, **changes):
    values = {"host": "127.0.0.1", "user": "u", "password": "p", "encryption": "none"}
    return ImapAccount(port=port, **{**values, "timeout_s": LIMIT_S * 10, **changes})


def letter(subject):
    return b"From: a@example.org\r\nSubject: %s\r\n\r\nHello" % subject.encode()


@pytest.mark.parametrize("moment", ["after_idle", "after_search"])
async def test_a_mail_that_is_told_too_early_is_not_overlooked(moment):
    fake = FakeImap(**{moment: [letter("one"), letter("two")]})
    inbox = Inbox()
    with anyio.fail_after(LIMIT_S):
        async with serving(fake.serve) as port, anyio.create_task_group() as group:
            fake.mails.append(letter("zero"))  # a folder without mail is not searched
            await group.start(ImapReceiver(inbox.deliver, account(port)).run)
            assert await inbox.subjects(3) == ["zero", "one", "two"]
            await until(lambda: fake.seen >= {1, 2, 3})
            group.cancel_scope.cancel()


FAULTS = {
    "told before the yes to idle": ("IDLE", b"* 1 EXISTS\r\n+ idling\r\n"),
    "goodbye at the door": ("LOGIN", b"* BYE shutting down\r\n"),
    "no login now": ("LOGIN", b"TAG NO [UNAVAILABLE] later\r\n"),
    "no folder now": ("SELECT", b"TAG NO [INUSE] later\r\n"),
    "goodbye": ("SELECT", b"* BYE shutting down\r\n"),
    "garbage": ("SELECT", b"\xff\x00 what?\r\n"),
    "half a mail": ("UID FETCH 1 .*BODY", b"* 1 FETCH (UID 1 BODY[] {99}\r\nhalf"),
    "vanished": ("UID FETCH 1 .*BODY", b""),
    "no mark": ("UID STORE", b""),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_after_a_fault_it_connects_again_and_the_mail_comes(fault):
    pattern, answer = FAULTS[fault]
    fake, inbox, failures = FakeImap(), Inbox(), []
    fake.mails.append(letter("one"))
    fake.instead[pattern] = answer
    receiver = ImapReceiver(
        inbox.deliver, account(0), retry_s=0.01, longest_retry_s=0.02, on_failure=failures.append
    )
    with anyio.fail_after(LIMIT_S):
        async with serving(fake.serve) as port, anyio.create_task_group() as group:
            receiver.account = account(port)
            await group.start(receiver.run)
            assert await inbox.subjects(1) == ["one"]
            await until(lambda: fake.seen and failures)
            group.cancel_scope.cancel()
    assert not fake.instead


class Mute(FakeImap):
    """Says nothing any more after one command has come, or nothing at all."""

    def __init__(self, word):
        super().__init__()
        self.word = word
        self.is_mute = anyio.Event()

    async def serve(self, stream):
        if self.word:
            await super().serve(stream)
            return
        self.is_mute.set()
        async with stream:
            await stream.receive()

    def answer(self, line):
        if self.word in line:
            self.is_mute.set()
        return b"" if self.is_mute.is_set() else super().answer(line)


@pytest.mark.parametrize("word", ["", "CAPABILITY", "LOGIN", "SELECT", "SEARCH", "IDLE", "DONE"])
async def test_waiting_for_a_silent_server_can_be_cancelled(word):
    fake, gone = Mute(word), anyio.Event()

    async def serve(stream):
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await fake.serve(stream)
        gone.set()

    with anyio.fail_after(LIMIT_S):
        async with serving(serve) as port:
            async with anyio.create_task_group() as group:
                fake.mails.append(letter("one"))
                fake.seen.add(1)
                receiver = ImapReceiver(Inbox().deliver, account(port), idle_s=0.01)
                group.start_soon(receiver.run)
                await fake.is_mute.wait()
                group.cancel_scope.cancel()
            if word not in {"", "CAPABILITY"}:  # then it still connects
                await gone.wait()


async def test_a_connection_that_comes_after_it_was_given_up_is_closed():
    fake = FakeImap()
    async with serving(fake.serve) as port:
        session = ImapSession(account(port))
        session.close()
        await anyio.to_thread.run_sync(session.dial)
        assert session.socket.fileno() == -1


async def test_cancelled_in_idle_it_hangs_up():
    gone = anyio.Event()
    fake = FakeImap()

    async def serve(stream):
        await fake.serve(stream)
        gone.set()

    with anyio.fail_after(LIMIT_S):
        async with serving(serve) as port:
            async with anyio.create_task_group() as group:
                receiver = ImapReceiver(Inbox().deliver, account(port))
                await group.start(receiver.run)
                await until(lambda: fake.idles)
                group.cancel_scope.cancel()
            await gone.wait()
    assert not receiver.is_connected


async def test_a_receiver_may_run_again():
    fake, inbox = FakeImap(), Inbox()
    with anyio.fail_after(LIMIT_S):
        async with serving(fake.serve) as port:
            receiver = ImapReceiver(inbox.deliver, account(port))
            for subject in ("one", "two"):
                fake.mails.append(letter(subject))
                async with anyio.create_task_group() as group:
                    await group.start(receiver.run)
                    assert await inbox.subjects(1) == [subject]
                    await until(lambda: len(fake.seen) == len(fake.mails))
                    group.cancel_scope.cancel()


async def test_an_idle_is_renewed():
    fake = FakeImap()
    with anyio.fail_after(LIMIT_S):
        async with serving(fake.serve) as port, anyio.create_task_group() as group:
            await group.start(ImapReceiver(Inbox().deliver, account(port), idle_s=0.01).run)
            await until(lambda: fake.idles >= 3)
            group.cancel_scope.cancel()


def test_a_retry_waits_twice_as_long_each_time_and_for_the_mail_that_it_is_about():
    retries = _Retries(1, 5)
    both, late = Unseen(7, (1, 2)), 1e9
    assert retries.due(both, 0) == [1, 2]
    pauses = []
    for _ in range(4):
        retries.tried(1, 0)
        pauses.append(retries.next_s())
    assert pauses == [1, 2, 4, 5]
    assert retries.due(both, 4) == [2]
    assert retries.due(both, 5) == [2, 1]
    retries.tried(2, 3)
    assert retries.due(both, late) == [2, 1]
    retries.done(2)
    assert retries.due(both, 0) == [2]
    assert retries.due(Unseen(8, (1, 2)), 0) == [1, 2]  # other mails with the same numbers
    assert retries.next_s() is None


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UsageError, match="at most 1740"):
        ImapReceiver(Inbox().deliver, account(1), idle_s=1800)
    with pytest.raises(UsageError, match="more than 0"):
        ImapReceiver(Inbox().deliver, account(1), poll_s=0)
    with pytest.raises(UsageError, match="a password or a token"):
        account(1, password=None)
    with pytest.raises(UsageError, match="and not both"):
        account(1, token=str)
    with pytest.raises(UnknownNameError, match="did you mean 'starttls'"):
        account(1, encryption="startls")
    assert "secret" not in repr(account(1, password="secret"))


@pytest.mark.parametrize(("given", "then"), [(0, logging.WARNING), (logging.DEBUG, logging.DEBUG)])
def test_a_level_that_the_application_has_set_is_kept(given, then):
    library = logging.getLogger("imapclient")
    before = library.level
    try:
        library.setLevel(given)
        ImapSession(account(1))
        assert library.level == then
    finally:
        library.setLevel(before)
