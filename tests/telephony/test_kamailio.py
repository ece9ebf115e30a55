"""Real calls: Kamailio with the shipped configuration, sipp as callers and phones, a real router.

Everything is on the loopback. The packages are Debian's; they are not installed from here:

    apt-get install kamailio kamailio-extra-modules sip-tester

`make test` does that when it may (root on Debian). Elsewhere the tests say what is missing and
are skipped, but never in the continuous integration.
"""

import os
import shutil
import socket
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from omniroute import Agent, MemoryJournal, Plan, Queue, Router, TriageRule
from omniroute.model import Disposition, UpdateKind
from omniroute.testing.servers import free_ports
from omniroute.web.evapi import Evapi

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
CONFIGURATION = HERE.parents[1] / "examples" / "kamailio" / "kamailio.cfg"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
LIMIT_S = 30

PLAN = Plan(
    name="centre",
    queues=[Queue(name="phone")],
    agents=[Agent(id="ana")],
    triage=[TriageRule(queue="phone")],
)


def program(name):
    found = shutil.which(name, path=PATH)
    if found is None:
        missing = f"{name} is missing: apt-get install kamailio kamailio-extra-modules sip-tester"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture
def ports():
    """SIP of Kamailio, its evapi, a phone, a caller, and a phone that is dead."""
    names = ("sip", "phone", "caller", "dead")
    found = dict(zip(names, free_ports(len(names), socket.SOCK_DGRAM), strict=True))
    [found["evapi"]] = free_ports()
    return found


@pytest.fixture
def kamailio(tmp_path, ports):
    """Kamailio with the shipped configuration, on free ports."""
    text = CONFIGURATION.read_text()
    for old, new in (("127.0.0.1:5060", ports["sip"]), ("127.0.0.1:8448", ports["evapi"])):
        assert old in text
        text = text.replace(old, f"127.0.0.1:{new}")
    configured = tmp_path / "kamailio.cfg"
    configured.write_text(text)
    log = (tmp_path / "kamailio.log").open("wb")
    command = [program("kamailio"), "-DD", "-E", "-f", str(configured), "-Y", str(tmp_path)]
    running = subprocess.Popen(
        [*command, "-w", str(tmp_path), "-m", "32", "-M", "4"], stdout=log, stderr=log
    )
    yield running
    running.terminate()
    running.wait(LIMIT_S)
    log.close()


class Line:
    """A router's `deliver` that also says what came."""

    def __init__(self, router):
        self._router = router
        self._told, self._heard = anyio.create_memory_object_stream(100)

    async def deliver(self, inbound):
        await self._router.deliver(inbound)
        await self._told.send(inbound)

    async def next(self, wanted):
        """Wait for an event of this disposition or update; the others are passed over."""
        while True:
            inbound = await self._heard.receive()
            if wanted in (inbound.disposition, inbound.update):
                return inbound.message

    def close(self):
        self._told.close()
        self._heard.close()


@asynccontextmanager
async def centre(ports, journal=None):
    """A router on the telephone: (router, its line, the connection to Kamailio)."""
    with anyio.fail_after(LIMIT_S):
        async with Router(PLAN, journal=journal) as router, anyio.create_task_group() as group:
            line = Line(router)
            evapi = Evapi(line.deliver, port=ports["evapi"], retry_s=0.05)
            try:
                await group.start(evapi.run)
                yield router, line, evapi
            finally:
                group.cancel_scope.cancel()
                line.close()


class Sipp:
    """sipp with one of the scenarios beside this file."""

    def __init__(self, tmp_path, scenario, port, *target, **replaced):
        text = (HERE / f"{scenario}.xml").read_text()
        for old, new in replaced.items():
            text = text.replace(old.removeprefix("_"), new)
        path = tmp_path / f"{scenario}.xml"
        path.write_text(text)
        self.log = tmp_path / f"{scenario}.log"
        options = ["-sf", str(path), "-i", "127.0.0.1", "-p", str(port), "-m", "1", "-nostdin"]
        # Kamailio has several workers: a phone's 180 may come behind its 200. What the scenario
        # needs must come all the same.
        options += ["-default_behaviors", "all,-abortunexp"]
        errors = [
            "-trace_msg",
            "-message_file",
            str(tmp_path / f"{scenario}.msg"),
            "-timeout",
            f"{LIMIT_S}s",
            "-trace_err",
            "-error_file",
            str(self.log),
        ]
        silent = subprocess.DEVNULL
        command = [program("sipp"), *target, *options, *errors]
        self.running = subprocess.Popen(
            command, stdin=silent, stdout=silent, stderr=silent, cwd=tmp_path
        )

    async def done(self):
        """Wait for its end; it must have gone by its scenario."""
        code = await anyio.to_thread.run_sync(self.running.wait, LIMIT_S)
        assert code == 0, self.log.read_text() if self.log.exists() else code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running.poll() is None:
            self.running.kill()
        self.running.wait(LIMIT_S)


@pytest.fixture
def phone(tmp_path, ports):
    with Sipp(tmp_path, "agent", ports["phone"]) as agent:
        yield agent


def call(tmp_path, ports, scenario="caller", **replaced):
    target = (f"127.0.0.1:{ports['sip']}", "-s", "200")
    return Sipp(tmp_path, scenario, ports["caller"], *target, **replaced)


def uri(port):
    return f"sip:ana@127.0.0.1:{port}"


WORK = {"X-Omni-Work": "invoice"}


async def test_a_call_waits_is_routed_to_an_agent_and_ends(kamailio, phone, tmp_path, ports):
    async with centre(ports) as (router, line, evapi):
        with call(tmp_path, ports) as caller:
            message = await line.next(Disposition.CREATE)
            assert (message.customer.id, message.customer.name) == ("+49300001001", "Eva")
            assert message.to == "200"
            assert router.statistics().waiting == 1
            async with router.sign_in("ana") as desk:
                offer = await desk.next_offer()
                await offer.accept()
                await evapi.connect(offer.interaction.message, [uri(ports["phone"])], headers=WORK)
                await line.next(UpdateKind.STATE)  # answered
                assert (await line.next(UpdateKind.ENDED)).thread_id == message.thread_id
            await caller.done()
            await phone.done()


async def test_a_call_goes_past_a_dead_phone_to_the_next(kamailio, phone, tmp_path, ports):
    async with centre(ports) as (_, line, evapi):
        with call(tmp_path, ports) as caller:
            message = await line.next(Disposition.CREATE)
            phones = [uri(ports["dead"]), uri(ports["phone"])]
            await evapi.connect(message, phones, headers=WORK)
            await line.next(UpdateKind.ENDED)
            await caller.done()
            await phone.done()


async def test_a_call_that_no_phone_takes_ends(kamailio, tmp_path, ports):
    async with centre(ports) as (router, line, evapi):
        with call(tmp_path, ports, "refused", _486="408") as caller:
            message = await line.next(Disposition.CREATE)
            await evapi.connect(message, [uri(ports["dead"])], dead_ms=500)
            await line.next(UpdateKind.ENDED)
            assert router.statistics().waiting == 0
            await caller.done()


async def test_a_call_is_rejected(kamailio, tmp_path, ports):
    async with centre(ports) as (_, line, evapi):
        with call(tmp_path, ports, "refused") as caller:
            await evapi.reject(await line.next(Disposition.CREATE), 486)
            await caller.done()


async def test_a_caller_who_hangs_up_while_waiting_is_abandoned(kamailio, tmp_path, ports):
    journal = MemoryJournal()
    async with centre(ports, journal) as (router, line, evapi):
        with call(tmp_path, ports, "impatient") as caller:
            message = await line.next(Disposition.CREATE)
            await line.next(UpdateKind.ENDED)
            await caller.done()
        assert router.statistics().waiting == 0
        # Too late: Kamailio says so, and nothing else happens.
        await evapi.connect(message, [uri(ports["dead"])])
        late = await line.next(UpdateKind.ENDED)
        assert late.attributes["event"] == "resume-failed"
        assert router.statistics().total.abandoned == 1


async def test_a_call_is_resumed_after_the_router_restarted(kamailio, phone, tmp_path, ports):
    journal = MemoryJournal()
    with call(tmp_path, ports) as caller:
        async with centre(ports, journal) as (router, line, _):
            await line.next(Disposition.CREATE)
        async with centre(ports, journal) as (router, line, evapi):
            assert router.statistics().waiting == 1
            async with router.sign_in("ana") as desk:
                offer = await desk.next_offer()
                await offer.accept()
                await evapi.connect(offer.interaction.message, [uri(ports["phone"])], headers=WORK)
                await line.next(UpdateKind.ENDED)
        with anyio.fail_after(LIMIT_S):
            await caller.done()
            await phone.done()


async def test_without_a_router_a_call_is_refused_at_once(kamailio, tmp_path, ports):
    async with centre(ports):
        pass
    with anyio.fail_after(LIMIT_S), call(tmp_path, ports, "refused", _486="503") as caller:
        await caller.done()
