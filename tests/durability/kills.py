"""Kill a router with SIGKILL at a random moment, start it again, and compare what it promised.

    python tests/durability/kills.py --kills 1000 --journal 'sqlite:////tmp/kills/{n}.db'
    python tests/durability/kills.py --kills 200 --journal 'postgresql://db/test?journal=kills{n}'

A *life* is a process with a router on a journal, eight customers who send concurrently, and
four agents. It says into a pipe what it is about to ask, and each answer when it has it. The
process is killed, perhaps while it still recovers; the next life goes on with the same
journal, asks again what was not answered, and first says what every agent has in hand.

After so many lives the journal is read, by a process of its own, and compared with
everything that was said. What was answered must be there, once:

- a message that was acknowledged opened exactly one interaction, the one that was named;
- an offer that was accepted is accepted by that agent, and what he has not given up is on
  his desk after every restart;
- what was completed is completed once; a repeat is answered with what happened first;
- an auditor who knows the laws of routing, and reads nothing but events, finds none broken:
  nobody is offered what another has, nobody loses his place.

Lives are forked from one process without threads that has imported everything, so a life takes
commands, or dies while it recovers, after milliseconds.
"""

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import anyio

from omniroute import (
    Agent,
    Channel,
    Customer,
    Engine,
    Limits,
    Message,
    OnExpiry,
    Plan,
    Queue,
    Router,
)
from omniroute import events as ev
from omniroute.journal import StoreJournal, open_journal
from omniroute.router import Outcome
from omniroute.simulation import Auditor

AGENTS = ("ann", "bob", "cy", "di")
CUSTOMERS = 8
#: kills per journal, then it is read
LIVES = 10
PLAN = Plan(
    queues=[
        Queue(
            name="calls",
            offer_timeout_ms=30,
            on_expiry=OnExpiry.NOTHING,
            max_waiting=1_000_000,
        ),
        Queue(name="mails", offer_timeout_ms=60, max_waiting=1_000_000),
    ],
    limits=Limits(max_waiting=1_000_000),
    agents=[Agent(id=name) for name in AGENTS],
)


def _message(customer, number):
    return Message(
        channel=Channel.CHAT,
        customer=Customer(id=f"{customer}/{number}"),
        thread_id=f"{customer}/{number}",
        message_id=f"{customer}/{number}",
        text=f"the words of {customer}/{number}.",
    )


# --- a life -------------------------------------------------------------------------------


class Life:
    """One process with a router; says what it asks and what it is answered."""

    snapshots = 0.05  #: how many live long enough to make snapshots

    def __init__(self, url, seed, said, say, *, snapshot_every=None):
        self.url = url
        self.snapshot_every = snapshot_every
        self.dice = random.Random(seed)
        self.said = said
        self._say = say

    def say(self, *words):
        os.write(self._say, json.dumps(words).encode() + b"\n")

    def make_router(self):
        return Router(PLAN, journal=self.url, snapshot_every=self.snapshot_every)

    async def live(self):
        async with self.make_router() as router, anyio.create_task_group() as group:
            self.router = router
            for name in AGENTS:
                desk = router._desks.by_agent.get(name)
                work = [a.assignment_id for a in desk.assignments] if desk is not None else []
                self.say("has", name, work)
            self.say("open")
            for name in AGENTS:
                group.start_soon(self.agent, name)
            for number in range(CUSTOMERS):
                group.start_soon(self.customer, f"c{number}")
            await self.also()

    async def also(self):
        """What else is done meanwhile."""

    async def customer(self, name):
        number = max(0, self.said.next_number(name) - 3)  # the last few again
        while True:
            message_id = f"{name}/{number}"
            self.say("send", message_id)
            queue = self.dice.choice(("calls", "mails"))
            receipt = await self.router.submit(_message(name, number), queue=queue)
            self.say(
                "sent", message_id, receipt.outcome.value, receipt.interaction_id, receipt.reason
            )
            number += 1
            if self.dice.random() < 0.05:
                await anyio.sleep(self.dice.random() / 50)

    async def agent(self, name):
        async with anyio.create_task_group() as group:
            desk = await self.router.sign_in(name)
            for assignment in desk.assignments:
                group.start_soon(self.finish, assignment)
            async for offer in desk.offers():
                if self.dice.random() < 0.1:
                    continue  # let it ring
                assignment = await offer.accept()
                if assignment is not None:
                    self.say("took", name, offer.offer_id, offer.interaction.id)
                    group.start_soon(self.finish, assignment)
                elif desk.presence != "ready":
                    await desk.ready()

    async def finish(self, assignment):
        await anyio.sleep(self.dice.choice((0, 0, 0.01, 0.05)))
        self.say("ending", assignment.assignment_id)
        if await assignment.complete("done"):
            self.say("ended", assignment.assignment_id)


# --- what was said ------------------------------------------------------------------------


class Said:
    """Everything that the lives on one journal said, and what was wrong with it."""

    def __init__(self):
        self.faults = []
        self.sent = {}
        self.opened = set()
        self.taken = {}
        self.ending = set()
        self.ended = set()
        self.acknowledged = 0
        self.restarts = 0
        self._fault = self.faults.append

    def next_number(self, customer):
        numbers = [int(m.split("/")[1]) for m in self.sent if m.startswith(f"{customer}/")]
        return max(numbers, default=-1) + 1

    def hear(self, lines):
        for line in lines:
            word, *rest = json.loads(line)
            getattr(self, f"_{word}")(*rest)

    def _open(self):
        self.restarts += 1

    def _send(self, message_id):
        self.opened.discard(message_id)

    def _sent(self, message_id, outcome, interaction_id, reason):
        self.acknowledged += 1
        before = self.sent.setdefault(message_id, interaction_id)
        if before != interaction_id:
            self.faults.append(f"{message_id} was {before}, now it is {interaction_id}")
        if outcome not in (Outcome.QUEUED, Outcome.DUPLICATE):
            self.faults.append(f"{message_id} was answered {outcome} ({reason})")

    def _took(self, agent, offer_id, interaction_id):
        self.acknowledged += 1
        self.taken[offer_id] = (agent, interaction_id)

    def _ending(self, offer_id):
        self.ending.add(offer_id)

    def _ended(self, offer_id):
        self.acknowledged += 1
        if offer_id in self.ended:
            self.faults.append(f"assignment {offer_id} was ended twice")
        self.ended.add(offer_id)

    def _has(self, agent, offer_ids):
        """An agent's desk after a restart: all that he took and has not begun to give up."""
        kept = {o for o, (by, _) in self.taken.items() if by == agent and o not in self.ending}
        if not kept <= set(offer_ids):
            self.faults.append(f"{agent} took {sorted(kept)}, but has {offer_ids}")

    def names(self, events):
        """Which interaction each message opened."""
        return {e.message.message_id: e.interaction_id for e in events if type(e) is ev.Queued}

    def compare(self, events):
        """What was said against what the journal holds."""
        queued = Counter(e.message.message_id for e in events if type(e) is ev.Queued)
        names = self.names(events)
        accepts = [e for e in events if type(e) is ev.Accepted]
        accepted = {e.offer_id: (e.agent_id, e.interaction_id) for e in accepts}
        taken = Counter(e.offer_id for e in accepts)
        completed = Counter(e.assignment_id for e in events if type(e) is ev.Completed)
        for message_id, interaction_id in self.sent.items():
            if names.get(message_id) != interaction_id:
                found = names.get(message_id)
                self.faults.append(f"{message_id}: {interaction_id} was said, {found} is there")
        for offer_id, said in self.taken.items():
            found = accepted.get(offer_id)
            if found != said:
                self.faults.append(f"offer {offer_id}: {said} was said, {found} is there")
        for offer_id in self.ended:
            if not completed[offer_id]:
                self.faults.append(f"assignment {offer_id} was ended, but is not")
        for what, counts in (("queued", queued), ("accepted", taken), ("ended", completed)):
            twice = [key for key, count in counts.items() if count > 1]
            if twice:
                self.faults.append(f"{what} twice: {twice}")


async def read(url, _said):
    """The events of a journal, checked by the chain, the auditor and a second fold."""
    async with open_journal(url) as journal:
        events, replayed, recovered = await folds(journal)
    faults = []
    if recovered is not None and recovered.snapshot() != replayed.snapshot():
        faults.append("a recovery from the snapshot differs from a replay")
    return events, faults, recovered is not None


async def folds(journal):
    """All events, what they come to, and what those behind the newest snapshot come to."""
    events = []
    auditor, engine, restored = Auditor(PLAN), Engine(PLAN), None
    assert isinstance(journal, StoreJournal)
    async with aclosing(journal.read()) as frames:
        async for frame in frames:
            for entry in frame.entries:
                for event in entry.events:
                    auditor.observe(event)
                    engine.apply(event)
                    events.append(event)
                auditor.at_rest()
    snapshot, chain = await journal.recover()
    if snapshot is not None:
        restored = Engine.restore(PLAN, snapshot.state)
        async for header, body in journal.records(chain):
            for event in journal.events(header, body):
                restored.apply(event)
    return events, engine, restored


# --- processes ----------------------------------------------------------------------------


def _forked(run):
    """Run in a process of its own; returns its id and the pipe that it writes to."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    os.close(reader)
    try:
        run(writer)
    except BaseException as error:  # noqa: BLE001 - the parent hears of it
        os.write(writer, json.dumps(["fault", repr(error)]).encode() + b"\n")
    os._exit(0)


def _drain(reader):
    with os.fdopen(reader, "rb") as pipe:
        return pipe.read()


def _kill_after(process, reader, seconds, *, opened):
    """Everything a life said until it was killed. Half a line at the end was not said.

    With ``opened`` the time begins when the router takes commands, not when the process does.
    """
    said = bytearray()
    until = time.monotonic() + (60 if opened else seconds)
    os.set_blocking(reader, False)
    while time.monotonic() < until:
        try:
            more = os.read(reader, 1 << 16)
        except BlockingIOError:
            time.sleep(0.001)
            continue
        if not more:
            break  # it has ended by itself, and said why
        if opened and b'["open"]' in more:
            opened, until = False, time.monotonic() + seconds
        said += more
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.set_blocking(reader, True)
    said += _drain(reader)
    return said.decode().split("\n")[:-1]


def _warm(url):
    """Import here what every life would import: event loops, logging, the journal's driver."""
    importlib.import_module("structlog")
    for backend in ("asyncio", "trio"):
        anyio.run(anyio.sleep, 0, backend=backend)
    open_journal(url)


def one_journal(url, lives, seed, said, kind):
    """So many lives on one journal, each killed; then it is read."""
    _warm(url)
    dice = random.Random(seed)
    for number in range(lives):
        # Some die while they recover; a few live long enough to make snapshots.
        opened = dice.random() < 0.8
        snapshot_every = 100 if opened and dice.random() < kind.life.snapshots else None
        longest = 0.2 if opened else 0.05
        seconds = dice.uniform(0.5, 2) if snapshot_every else dice.uniform(0, longest)
        world = (url, seed * 1_000 + number, said)
        backend = "trio" if number % 2 else "asyncio"

        def life(writer, world=world, every=snapshot_every, backend=backend):
            anyio.run(kind.life(*world, writer, snapshot_every=every).live, backend=backend)

        process, reader = _forked(life)
        said.hear(_kill_after(process, reader, seconds, opened=opened))

    def compare(writer):
        events, faults, from_snapshot = anyio.run(kind.read, url, said)
        said.compare(events)
        report = [said.faults + faults, len(events), from_snapshot]
        os.write(writer, json.dumps(report).encode())

    process, reader = _forked(compare)
    report = json.loads(_drain(reader))
    os.waitpid(process, 0)
    if report[0] == "fault":
        return [report[1]], 0, False
    return report


class Kind(NamedTuple):
    """What lives, what hears of it, and what reads the journal in the end."""

    life: type[Life]
    said: type[Said]
    read: Callable


PLAIN = Kind(Life, Said, read)


def campaign(url_of, kills, seed, tell=lambda line: None, kind=PLAIN):
    """That many kills; a dictionary with what came of them."""
    total = {
        "kills": 0,
        "acknowledged": 0,
        "events": 0,
        "journals": 0,
        "restarts": 0,
        "from_snapshots": 0,
    }
    faults = []
    while total["kills"] < kills and not faults:
        number = total["journals"]
        said = kind.said()
        lives = min(LIVES, kills - total["kills"])
        found, events, from_snapshot = one_journal(url_of(number), lives, seed + number, said, kind)
        faults += [f"journal {number} of seed {seed}: {fault}" for fault in found]
        total["kills"] += lives
        total["journals"] += 1
        total["acknowledged"] += said.acknowledged
        total["restarts"] += said.restarts
        total["events"] += events
        total["from_snapshots"] += from_snapshot
        tell(f"{total['kills']} kills, {total['acknowledged']} acknowledged, {len(faults)} faults")
    return {**total, "faults": faults[:20]}


def main(kind=PLAIN):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", help="URL with {n}; default: files in a new directory")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pattern = args.journal or f"sqlite:///{folder}/{{n}}.db"
        Path(folder).mkdir(exist_ok=True)
        report = campaign(
            lambda n: pattern.replace("{n}", str(n)),
            args.kills,
            args.seed,
            lambda line: print(line, file=sys.stderr, flush=True),
            kind,
        )
    print(json.dumps(report))
    return 1 if report["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
