"""Members as processes on real servers: one is killed, one is paused past its lease and wakes."""

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import anyio
import pytest

from omniroute.events import Queued
from omniroute.journal import Kind, open_journal

PROCESS = Path(__file__).with_name("process.py")
IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"

_numbers = itertools.count(1)


@pytest.fixture(params=["postgresql", "nats"])
def urls(request):
    """Of the coordinator, and of the journal."""
    name = f"processes{next(_numbers)}"
    if request.param == "postgresql":
        base = request.getfixturevalue("postgres")
        return f"{base}?cluster={name}", f"{base}?journal={name}"
    nats = request.getfixturevalue("nats")
    return f"{nats.url}?cluster={name}", f"{nats.url}?journal={name}&monitor={nats.monitor}"


class Process:
    """A member, and what it has said so far."""

    def __init__(self, name, urls, folder):
        self.name = name
        self.lines = []
        self.new = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, PROCESS, name, *urls, folder / name], stdout=subprocess.PIPE
        )
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        for line in self.process.stdout:
            self.new.put(json.loads(line))
        self.new.put(None)

    def hear(self):
        """Everything that it has said by now."""
        while not self.new.empty():
            line = self.new.get()
            if line is not None:
                self.lines.append(line)
        return self.lines

    def until(self, true):
        """Wait for a line; returns it."""
        for line in self.hear():
            if true(line):
                return line
        while True:
            line = self.new.get(timeout=60)
            assert line is not None, f"{self.name} has ended"
            self.lines.append(line)
            if true(line):
                return line

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def wait(self):
        self.process.wait()
        return self.until_end()

    def until_end(self):
        while (line := self.new.get(timeout=60)) is not None:
            self.lines.append(line)
        self.process.stdout.close()
        return self.lines

    def took(self):
        return {line[2]: line[3] for line in self.hear() if line[0] == "took"}


def owns(line):
    return line[0] == "owns" and line[2]


def who_owns(*processes):
    """(owner, the other): on a machine without time for anybody it may have changed."""
    while True:
        last = [[line[2] for line in p.hear() if line[0] == "owns"][-1:] for p in processes]
        if sorted(last) in ([[False], [True]], [[True]]):
            owner = processes[last.index([True])]
            return owner, next((p for p in processes if p is not owner), None)
        time.sleep(0.01)


def took_after(moment, outcome="queued"):
    return lambda line: line[0] == "took" and line[1] > moment and line[3] == outcome


async def read(url):
    """(epoch, kind) of every record, and the message ids that were queued, in order."""
    records, queued = [], []
    async with open_journal(url) as journal:
        _, chain = await journal.recover()
        async for header, body in journal.records(chain):
            records.append((header.epoch, header.kind))
            if header.kind is Kind.FRAME:
                queued += [
                    event.message.message_id
                    for event in journal.events(header, body)
                    if isinstance(event, Queued)
                ]
    return records, queued


def nothing_is_lost_or_doubled(processes, url):
    """All that was taken in is queued once; what still lies in a spool may be missing."""
    records, queued = anyio.run(read, url)
    assert max(Counter(queued).values()) == 1
    for process in processes:
        for message_id, outcome in process.took().items():
            assert message_id in queued or outcome == "spooled"
    epochs = [epoch for epoch, _ in records]
    assert epochs == sorted(epochs), "a record of an owner behind one of his successor"
    return records, set(queued)


@pytest.fixture
def start(urls, tmp_path):
    started = []

    def start(name):
        started.append(Process(name, urls, tmp_path))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.mark.durability
def test_an_owner_that_is_killed_is_replaced_and_nothing_is_lost(start, urls):
    rounds = 20 if IS_SOAK else 1
    everybody = [start("a")]
    survivor = everybody[0]
    survivor.until(owns)
    times = []
    for number in range(rounds):
        everybody.append(start(f"b{number}"))
        everybody[-1].until(took_after(0))  # by the owner, for it
        owner, survivor = who_owns(survivor, everybody[-1])
        killed = time.monotonic()
        owner.kill()
        owner.wait()
        owned = survivor.until(lambda line, since=killed: owns(line) and line[1] > since)
        times.append(survivor.until(took_after(owned[1]))[1] - killed)
    survivor.kill()
    survivor.wait()
    _, queued = nothing_is_lost_or_doubled(everybody, urls[1])
    spooled = [m for p in everybody for m, outcome in p.took().items() if outcome == "spooled"]
    shown = sorted(round(seconds, 2) for seconds in times)
    sys.stdout.write(f"takeover {shown} s; {len(spooled)} spooled, {len(queued)} queued\n")
    if IS_SOAK:
        assert sorted(times)[len(times) // 2] < 2


@pytest.mark.durability
def test_an_owner_that_was_paused_writes_nothing_when_it_wakes(start, urls):
    owner = start("a")
    owner.until(owns)
    standby = start("b")
    for _ in range(20 if IS_SOAK else 1):
        standby.until(took_after(0))
        owner, standby = who_owns(owner, standby)
        paused = time.monotonic()
        owner.kill(signal.SIGSTOP)
        owned = standby.until(lambda line, since=paused: owns(line) and line[1] > since)
        standby.until(took_after(owned[1]))
        owner.kill(signal.SIGCONT)
        owner.until(
            lambda line, since=paused: line[0] == "owns" and line[1] > since and not line[2]
        )
        owner.until(took_after(time.monotonic()))  # by the new owner, for it
    for process in (owner, standby):
        process.kill()
        process.wait()
    nothing_is_lost_or_doubled([owner, standby], urls[1])
