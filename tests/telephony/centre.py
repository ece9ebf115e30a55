"""A contact centre on a fake switch: a real router, its switchboard, agents with telephones."""

from contextlib import asynccontextmanager

import anyio

from omniroute import Agent, Plan, Queue, Router, wall_clock
from omniroute.plan import TriageRule
from omniroute.web.ari import Ari
from omniroute.web.event_socket import EventSocket
from omniroute.web.switchboard import Switchboard
from telephony.exchange import LIMIT_S
from telephony.fake_asterisk import FakeAsterisk
from telephony.fake_freeswitch import FakeFreeSwitch


def plan(**queue):
    return Plan(
        queues=[Queue(name="phone", **queue), Queue(name="second", members='agent != "bob"')],
        agents=[Agent(id="ana"), Agent(id="bob"), Agent(id="cy")],
        triage=[TriageRule(queue="phone")],
    )


PHONES = {"ana": "PJSIP/ana", "bob": "PJSIP/bob", "cy": "PJSIP/cy"}
ANA, BOB, CY = PHONES.values()


def ari(fake, password="secret", **options):
    url = f"http://127.0.0.1:{fake.port}/ari"
    return Ari(url, "router", password, retry_s=0.01, **options)


def event_socket(fake, password="secret", **options):
    return EventSocket(password, port=fake.port, retry_s=0.01, **options)


SWITCHES = {"asterisk": (FakeAsterisk, ari), "freeswitch": (FakeFreeSwitch, event_socket)}


@asynccontextmanager
async def exchange(kind):
    """A fake switch that listens."""
    fake = SWITCHES[kind][0]()
    with anyio.fail_after(LIMIT_S):
        async with anyio.create_task_group() as group:
            await group.start(fake.serve)
            yield fake
            group.cancel_scope.cancel()


class Hand:
    """A clock that is set by hand: nothing runs out while a machine is busy."""

    now_ms = 1_000

    def __call__(self):
        return self.now_ms


class Centre:
    """A router, its switchboard, and what the test asks of both."""

    def __init__(self, fake, router, board):
        self.fake = fake
        self.router = router
        self.board = board

    async def waits(self, count):
        await self.fake.until(lambda: self.router.statistics().waiting == count)

    async def engaged(self, desk):
        """Wait until the agent has a call; his assignment."""
        await self.fake.until(lambda: desk.assignments)
        return desk.assignments[0]

    def desk(self, agent):
        return self.router._desks.by_agent[agent]

    @property
    def total(self):
        return self.router.statistics().total


@asynccontextmanager
async def centre(fake, kind, journal=None, phones=PHONES, clock=wall_clock, code="", **queue):
    """A router beside a fake switch, connected."""
    board = Switchboard(SWITCHES[kind][1](fake), phones, hang_up_code=code)

    def observe(events):
        board.observe(events)
        fake.note()

    async with (
        Router(plan(**queue), journal=journal, clock=clock, on_events=observe) as router,
        anyio.create_task_group() as group,
    ):
        await group.start(board.run, router)
        assert board.is_connected
        yield Centre(fake, router, board)
        group.cancel_scope.cancel()
    assert not board.is_connected


@asynccontextmanager
async def both(kind, **options):
    """A fake switch and a centre on it."""
    async with exchange(kind) as fake, centre(fake, kind, **options) as made:
        yield fake, made
