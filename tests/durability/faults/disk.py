"""A disk and a database server that fail as real ones do, in virtual time, by seeded dice.

Two media, because real stores fail in two ways:

- a *file*: one process at a time; a record is written, then synced. What was not synced
  when the power goes is kept, lost or torn: a part of it, or all of it with holes, since sectors
  reach the platter in any order. A sync may fail, and then the system has dropped the
  page: a later sync says yes and writes nothing (only writing it again helps).
- a *server*: many clients; a record is there or it is not, but an answer may be lost on
  its way, the record too, and a request may still be travelling.

A `Handle` is the store of one process. When that is dead nothing it does reaches the medium.
The medium tells an observer (the oracle) of each record in the moment it becomes durable.
"""

import random
from typing import NamedTuple

import anyio

from omniroute.errors import (
    AppendUnknownError,
    JournalError,
    JournalFullError,
    PositionTakenError,
)

SECTOR = 64


class Dangers(NamedTuple):
    """What may go wrong in one seed, and how often (shares of the operations)."""

    is_file: bool = True
    power_cuts: float = 0.5  #: of the crashes
    refused: float = 0.0  #: an append fails before anything is written
    full: float = 0.0
    failed_syncs: float = 0.0  #: of a file
    lost_answers: float = 0.0  #: of a server
    stalls: float = 0.0  #: an operation takes seconds
    rot: float = 0.0  #: of the crashes: a bit of an old record flips
    damaged_snapshot: float = 0.0  #: of the crashes
    slow_ms: int = 5


class Cell:
    """A record as the system shows it; ``dropped``: no sync will write it any more."""

    __slots__ = ("data", "dropped", "durable")

    def __init__(self, data):
        self.data = data
        self.durable = False
        self.dropped = False


class Medium:
    """What outlives every process. ``observer`` has ``durable`` and ``cut``."""

    def __init__(self, seed, dangers, observer):
        self.dice = random.Random(f"{seed}/medium")
        self.dangers = dangers
        self.calm = False
        self.first = 1
        self.cells = []
        self.snapshots = {}
        self.travelling = None
        self.holder = None
        self.rotten = None
        self.has_damaged_snapshot = False
        self.observer = observer

    @property
    def last(self):
        return self.first + len(self.cells) - 1

    @property
    def is_writing(self):
        """Whether a record is not durable, or not there yet: the worst moment."""
        return self.travelling is not None or bool(self.cells and not self.cells[-1].durable)

    def chance(self, share):
        return not self.calm and share > 0 and self.dice.random() < share

    def write(self, record):
        cell = Cell(record)
        self.cells.append(cell)
        return cell

    def sync(self):
        """Everything that is written becomes durable, but what the system has dropped."""
        for position, cell in enumerate(self.cells, self.first):
            if not cell.durable and not cell.dropped:
                cell.durable = True
                self.observer.durable(position, cell.data)

    def rewrite(self):
        """What can be read is written once more: nothing is dropped any longer."""
        for cell in self.cells:
            cell.dropped = False
        self.sync()

    def settle(self):
        """A request that was still travelling arrives, or never will."""
        if self.travelling is not None:
            (position, record), self.travelling = self.travelling, None
            if position == self.last + 1 and self.dice.random() < 0.5:
                self.write(record)
                self.sync()

    def crash(self):
        """The machine or the process goes down, perhaps in the middle of a write."""
        self.holder = None
        if self.dangers.is_file:
            if self.chance(self.dangers.power_cuts):
                self._cut_the_power()
            elif self.cells and not self.cells[-1].durable and self.chance(0.5):
                self._tear(self.cells[-1])  # killed within the write
        if self.chance(self.dangers.damaged_snapshot) and not self.has_damaged_snapshot:
            self._damage_snapshot()
        if self.chance(self.dangers.rot) and self.rotten is None:
            self._rot()

    def _cut_the_power(self):
        for at in range(len(self.cells) - 1, -1, -1):
            if self.cells[at].durable:
                continue
            fate = self.dice.random()
            if fate < 0.35 or at < len(self.cells) - 1:
                del self.cells[at]
            elif fate < 0.75:
                self._tear(self.cells[at])

    def _tear(self, cell):
        data = cell.data
        if not data:
            return
        if self.dice.random() < 0.6:
            cell.data = data[: self.dice.randrange(len(data))]
            return
        torn = bytearray(data)
        sectors = range(0, len(data), SECTOR)
        for at in self.dice.sample(sectors, self.dice.randint(1, len(sectors))):
            torn[at : at + SECTOR] = bytes(len(torn[at : at + SECTOR]))
        cell.data = bytes(torn)

    def _damage_snapshot(self):
        if len(self.snapshots) > 1:  # a second damage is not promised to be survived
            newest = max(self.snapshots)
            self.snapshots[newest] = _flipped(self.snapshots[newest], self.dice)
            self.has_damaged_snapshot = True

    def _rot(self):
        old = [at for at, cell in enumerate(self.cells[:-2]) if cell.durable]
        if old:
            at = self.dice.choice(old)
            self.cells[at].data = _flipped(self.cells[at].data, self.dice)
            self.rotten = self.first + at


def _flipped(data, dice):
    at = dice.randrange(len(data))
    return data[:at] + bytes((data[at] ^ (1 << dice.randrange(8)),)) + data[at + 1 :]


class Handle:
    """The store protocol over a medium, for one process."""

    place = "simulated:"
    max_record_bytes = None

    def __init__(self, medium, *, max_record_bytes=None):
        self.medium = medium
        self.max_record_bytes = max_record_bytes
        self.exclusive = self.tears = medium.dangers.is_file
        self.dead = False
        self.is_low = False

    def _check(self):
        if self.dead:
            raise JournalError("this process is dead")

    async def _pause(self):
        """Time passes; others may come first."""
        medium = self.medium
        self._check()
        pause_s = medium.dice.random() * medium.dangers.slow_ms / 1_000
        if medium.chance(medium.dangers.stalls):
            pause_s = medium.dice.uniform(1, 12)
        await anyio.sleep(pause_s)
        self._check()

    async def open(self):
        await self._pause()
        medium = self.medium
        if medium.dangers.is_file:
            if medium.holder not in (None, self):
                raise JournalError("open in another process")
            medium.holder = self
            medium.rewrite()

    async def aclose(self):
        if self.medium.holder is self:
            self.medium.holder = None

    async def bounds(self):
        await self._pause()
        self.medium.settle()
        return self.medium.first, self.medium.last

    async def read(self, position, max_bytes):
        await self._pause()
        medium, found, size = self.medium, [], 0
        medium.settle()
        start = max(position, medium.first)
        for number, cell in enumerate(medium.cells[start - medium.first :], start):
            size += len(cell.data)
            if found and size > max_bytes:
                break
            found.append((number, cell.data))
        return found

    async def append(self, position, record):
        await self._pause()
        medium = self.medium
        dangers = medium.dangers
        if medium.chance(dangers.full):
            raise JournalFullError("no room")
        if medium.chance(dangers.refused):
            raise OSError("the request was refused")
        if not dangers.is_file and medium.chance(dangers.lost_answers):
            await self._append_unheard(position, record)
            return
        cell = self.put(position, record)
        if dangers.is_file:
            await self._pause()
            await self.sync(cell)
        else:
            medium.sync()
        await self._pause()

    def put(self, position, record):
        """Write, if it is the next one: compared and written in one step."""
        medium = self.medium
        medium.settle()
        if position <= medium.last:
            raise PositionTakenError(f"record {position} is there already")
        if position != medium.last + 1:
            raise JournalError(f"record {position} would leave a gap behind {medium.last}")
        return medium.write(record)

    async def sync(self, cell):
        if self.medium.chance(self.medium.dangers.failed_syncs):
            cell.dropped = True
            raise OSError("fsync failed")
        self.medium.sync()

    async def _append_unheard(self, position, record):
        """The answer never comes: it was done, it was lost, or it is on its way."""
        medium = self.medium
        fate = medium.dice.random()
        if fate < 0.4:
            self.put(position, record)
            medium.sync()
            await self._pause()
            if fate < 0.1:  # the client asked again by itself, and finds its own record
                raise PositionTakenError(f"record {position} is there already")
        elif fate < 0.7:
            medium.settle()
            medium.travelling = position, record
        raise AppendUnknownError("no answer came")

    async def drop(self, before):
        await self._pause()
        medium = self.medium
        count = min(before - medium.first, len(medium.cells) - 1)
        if count > 0:
            del medium.cells[:count]
            medium.first += count

    async def cut(self, position):
        await self._pause()
        medium = self.medium
        assert position == medium.last, "only the last record can be cut"
        medium.cells.pop()
        medium.observer.cut(position)

    async def snapshots(self):
        await self._pause()
        return sorted(self.medium.snapshots, reverse=True)

    async def load_snapshot(self, position):
        await self._pause()
        if position not in self.medium.snapshots:
            raise JournalError(f"there is no snapshot {position}")
        return self.medium.snapshots[position]

    async def save_snapshot(self, position, data):
        await self._pause()
        self.medium.snapshots[position] = data

    async def drop_snapshot(self, position):
        await self._pause()
        self.medium.snapshots.pop(position, None)
