"""What the tests of the running router share: a small plan, messages, journals that misbehave."""

import itertools

import anyio

from omniroute import (
    Agent,
    Capacity,
    Channel,
    Customer,
    MemoryJournal,
    Message,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    Router,
    ServiceLevel,
    Skill,
    Step,
    TriageRule,
    WrapUp,
    WrapUpKind,
    loop_clock,
)
from omniroute.events import Submit

OFFER_MS = 20_000
STEP_MS = 5_000


def plan(**changes):
    """Two queues: ``support`` is plain, ``sales`` has skills, a ladder and a timed wrap-up."""
    values = {
        "name": "centre",
        "skills": [Skill("sales"), Skill("lang:de")],
        "queues": [
            Queue(name="support", service_level=ServiceLevel(target_ms=7_000)),
            Queue(
                name="sales",
                ladder=[Step(requirement="sales >= 5", for_ms=STEP_MS), Step()],
                offer_timeout_ms=OFFER_MS,
                refusal=Refusal(rule=RefusalRule.NEVER_AGAIN),
                wrap_up=WrapUp(kind=WrapUpKind.TIMED, duration_ms=30_000),
            ),
        ],
        "capacities": [Capacity(), Capacity(name="three", budget=3)],
        "agents": [
            Agent(id="ann", skills={"sales": 9}),
            Agent(id="bob", skills={"sales": 2}),
            Agent(id="cy", capacity="three"),
        ],
        "triage": [TriageRule(queue="sales", when='to == "sales@example.com"')],
    }
    return Plan(**{**values, **changes})


_numbers = itertools.count(1)


def message(text="Hello", **fields):
    values = {"channel": Channel.CHAT, "customer": Customer(id=f"c{next(_numbers)}"), "text": text}
    return Message(**{**values, **fields})


def router(journal=None, **options):
    """A router in the loop's own (virtual) time."""
    made = options.pop("plan", None) or plan()
    return Router(made, journal=journal, clock=options.pop("clock", loop_clock), **options)


class SlowJournal(MemoryJournal):
    """Appends take ``append_s`` of (virtual) time, so commands pile up behind them."""

    append_nowait = None

    def __init__(self, append_s=1.0):
        super().__init__()
        self.append_s = append_s

    async def append(self, frame):
        await anyio.sleep(self.append_s)
        MemoryJournal.append_nowait(self, frame)


class HeldJournal(MemoryJournal):
    """An append waits until `release` is called, once per frame."""

    append_nowait = None

    def __init__(self):
        super().__init__()
        self.held = []

    async def append(self, frame):
        gate = anyio.Event()
        self.held.append((frame, gate))
        await gate.wait()
        MemoryJournal.append_nowait(self, frame)

    async def release(self):
        await settle()
        _, gate = self.held.pop(0)
        gate.set()
        await settle()


class FailingJournal(MemoryJournal):
    """The n-th append fails, at once or after a while."""

    def __init__(self, at, error=None, *, slow=False):
        super().__init__()
        self.at = at
        self.error = error or OSError("disk full")
        self.count = 0
        if slow:
            self.append_nowait = None

    def append_nowait(self, frame):
        self._maybe_fail()
        MemoryJournal.append_nowait(self, frame)

    async def append(self, frame):
        await anyio.sleep(0.1)
        self._maybe_fail()
        MemoryJournal.append_nowait(self, frame)

    def _maybe_fail(self):
        self.count += 1
        if self.count == self.at:
            raise self.error


async def settle():
    """Let every task run until it waits for time or for the test."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


def events(journal):
    """All events of a memory journal, in order."""
    return [event for frame in journal.frames for event in frame.events]


def kinds(journal):
    """The names of its events, in order."""
    return [type(event).__name__ for event in events(journal)]


def submission():
    """A `Submit` to the plain queue."""
    return Submit(message(), "support")
