"""Two companies whose machines answer mail, each with a router behind SMTP: the loop ends by itself.

Everything is real but the network: mails go by SMTP on the loopback, each is recorded by the other
side's router before it is acknowledged.
"""

from collections import deque
from contextlib import AsyncExitStack
from email.message import EmailMessage

import aiosmtplib
import anyio
import pytest

from omniroute import Channel, Disposition, Plan, Queue, Router, TriageRule
from omniroute.events import MessageAppended, Quarantined, Queued
from omniroute.web.smtp import SmtpReceiver

pytestmark = pytest.mark.anyio

PLAN = Plan(queues=[Queue(name="support")], triage=[TriageRule(queue="support")])
MOST = PLAN.sender_rate.maximum(Channel.EMAIL)
LIMIT_S = 60


@pytest.fixture
def anyio_backend():
    """aiosmtpd is an asyncio protocol."""
    return "asyncio"


class Company:
    """Answers every mail that its router routes, at once and for ever."""

    def __init__(self, domain, *, honest, threads):
        self.address = f"help@{domain}"
        self.domain = domain
        self.honest = honest
        self.threads = threads
        self.answers = deque()
        self.events = []
        self._count = 0

    def observe(self, events):
        self.events += events
        for event in events:
            if isinstance(event, Queued | MessageAppended):
                self.answers.append(self._answer(event.message))

    def _answer(self, message):
        self._count += 1
        made = EmailMessage()
        made["From"], made["To"] = self.address, message.customer.id
        made["Subject"] = f"Re: {message.subject}"
        made["Message-ID"] = f"<{self._count}@{self.domain}>"
        if self.threads:
            made["In-Reply-To"] = made["References"] = f"<{message.message_id}>"
        if self.honest:
            made["Auto-Submitted"] = "auto-replied"
        made.set_content("Thank you for your message. We will answer soon.")
        return made


async def exchange(ours, theirs):
    """Both companies until neither has anything to say; the routers' counts of deliveries."""
    with anyio.fail_after(LIMIT_S):
        async with AsyncExitStack() as stack:
            routers, ports = [], {}
            for company in (ours, theirs):
                router = Router(PLAN, on_events=company.observe)
                routers.append(await stack.enter_async_context(router))
                receiver = SmtpReceiver(router.deliver, domains=[company.domain], port=0)
                ports[company.domain] = (await stack.enter_async_context(receiver)).port
            first = EmailMessage()
            first["From"], first["To"] = theirs.address, ours.address
            first["Message-ID"] = f"<0@{theirs.domain}>"
            first.set_content("Hello")
            theirs.answers.append(first)
            while ours.answers or theirs.answers:
                answer = (ours.answers or theirs.answers).popleft()
                port = ports[answer["To"].partition("@")[2]]
                await aiosmtplib.send(answer, hostname="127.0.0.1", port=port)
            return [router.deliveries for router in routers]


@pytest.mark.parametrize("threads", [True, False], ids=["one thread", "a thread for each"])
async def test_machines_that_do_not_say_so_stop_at_the_rate_of_one_sender(threads):
    ours, theirs = (
        Company(domain, honest=False, threads=threads) for domain in ("a.example", "b.example")
    )
    await exchange(ours, theirs)
    routed = [
        sum(isinstance(event, Queued | MessageAppended) for event in company.events)
        for company in (ours, theirs)
    ]
    assert routed == [MOST, MOST]
    aside = [
        event
        for company in (ours, theirs)
        for event in company.events
        if isinstance(event, Quarantined)
    ]
    assert [event.reason for event in aside] == ["sender_rate"]  # and nobody answers that one


async def test_a_machine_that_says_so_is_not_answered_at_all():
    ours = Company("a.example", honest=True, threads=True)
    theirs = Company("b.example", honest=True, threads=True)
    of_ours, of_theirs = await exchange(ours, theirs)
    assert of_ours == {(Channel.EMAIL, Disposition.CREATE): 1}
    assert of_theirs == {(Channel.EMAIL, Disposition.AUTO): 1}
    assert not theirs.events
