"""The one journal on top of every store: it writes records, checks them, and is fenced.

A handle has two stages. *Open*, it reads: verification, export, a standby that follows.
After `claim` it is the writer, until somebody else claims. What a store answers is judged
here and nowhere else, so that all stores fail alike:

- A record that is not whole, or does not follow the one before, is a `CorruptJournalError`
  with its position. Nothing behind it is used, and nothing is skipped.
- The exception is a torn tail: the last record, in a store that can tear, was being written
  when the machine went down, so it was never acknowledged. `claim` cuts it off.
- An append whose answer was lost is looked up: the record is there (done), the place is
  free (written again), or somebody else sits there (fenced).
- After any failed append this handle writes no more. In particular nothing is written on
  top of a failed sync, after which no one knows what the disk holds (it may have dropped
  the pages and call the next sync a success). A new handle reads what is really there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Iterable,
    Sequence,
)
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from ..errors import (
    AppendUnknownError,
    CorruptJournalError,
    FencedError,
    JournalError,
    PositionTakenError,
    UsageError,
)
from ..events import Event
from ..model import Interaction
from .codec import FORMAT, Codec, Opening
from .protocol import ErasingVault, Frame, Roomy, Snapshot, Store, Vault
from .record import HEADER_BYTES, Chain, Header, Kind, unpack
from .snapshot import pack_snapshot, unpack_snapshot
from .worker import in_thread

__all__ = ["StoreJournal", "in_thread"]

_T = TypeVar("_T")

#: How much is fetched at once: a few milliseconds of decoding and folding, and then other
#: tasks have a turn. (A lease must be renewed while a long journal is read.)
_CHUNK_BYTES = 1 << 18
#: How often an append is repeated when answers get lost, before the writer gives up.
_ATTEMPTS = 5


class StoreJournal:
    """A journal in a store: ``async with StoreJournal(SqliteStore("router.db")) as journal``.

    ``vault`` seals what is personal; ``writer`` is what this process calls itself in its
    opening record (default: host and process number).
    """

    def __init__(self, store: Store, *, vault: Vault | None = None, writer: str = "") -> None:
        self.store = store
        self.writer = writer or f"{socket.gethostname()}:{os.getpid()}"
        self._roomy = store if isinstance(store, Roomy) else None
        self.vault = vault
        self._erasing = vault if isinstance(vault, ErasingVault) else None
        self._codec = Codec(vault, erases=True)
        self._chain: Chain | None = None
        self._failure: Exception | None = None
        self._is_open = False

    # --- life -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the store for reading. Raises `JournalError`."""
        if self._erasing is not None:
            await in_thread(self._erasing.open)
        await _asked("open", self.store.open())
        self._is_open = True

    async def aclose(self) -> None:
        """Close the store. Whoever opened it calls this; twice does no harm."""
        if self._is_open:
            self._is_open = False
            self._chain = None
            try:
                await self.store.aclose()
            finally:
                if self._erasing is not None:
                    await in_thread(self._erasing.close)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def is_open(self) -> bool:
        """Whether it can be read."""
        return self._is_open

    @property
    def is_low(self) -> bool:
        """Whether the store runs out of room: new work should be refused."""
        return self._roomy is not None and self._roomy.is_low

    @property
    def epoch(self) -> int:
        """The epoch of this writer, or 0 before `claim`."""
        return 0 if self._chain is None else self._chain.epoch

    @property
    def next_seq(self) -> int:
        """The number of the next event that this writer appends; `UsageError` before `claim`."""
        return self._claimed().next_seq

    @property
    def position(self) -> int:
        """The position of the last record of this writer; `UsageError` before `claim`."""
        return self._claimed().position

    def _claimed(self) -> Chain:
        if self._chain is None:
            raise UsageError("the journal is not claimed for writing: call claim() first")
        return self._chain

    # --- writing --------------------------------------------------------------------------

    async def claim(self, epoch: int | None = None, *, plan: str = "") -> int:
        """Become the writer: from its return on, every earlier writer's append fails.

        ``epoch`` must be above all epochs before; None takes the next one. ``plan`` is the
        text of the plan that is decided by, for a later replay. Cuts a torn tail. Returns the
        epoch. Raises `FencedError` for an epoch that is too low,
        `CorruptJournalError` when the last record is damaged.
        """
        while True:
            chain = await self._end()
            wanted = chain.epoch + 1 if epoch is None else epoch
            if wanted <= chain.epoch:
                raise FencedError(wanted, chain.epoch, "another writer")
            opening = Opening(self.writer, plan)
            body = self._codec.encode_opening(opening, self.store.max_record_bytes)
            record = chain.opening(FORMAT, body, epoch=wanted)
            try:
                await self._write(chain, record)
            except FencedError:
                continue  # a writer was quicker: its record is the end now
            self._chain = chain
            self._failure = None
            return wanted

    async def append(self, frame: Frame) -> None:
        """Make a frame durable; one too long for a record of the store takes several.

        All of it counts, or nothing: what stands in parts is there with the last of them.
        Raises `FencedError`, `JournalFullError` or another `JournalError`; each is final for
        this handle.
        """
        chain = self._claimed()
        if self._failure is not None:
            raise JournalError("an append has failed before: open the journal again") from (
                self._failure
            )
        if frame.first_seq != chain.next_seq:
            raise JournalError(
                f"a frame begins at event {frame.first_seq}, the journal expects {chain.next_seq}"
            )
        try:
            await self._append(chain, frame)
        except BaseException as error:
            self._failure = error if isinstance(error, Exception) else JournalError("cancelled")
            raise

    async def _append(self, chain: Chain, frame: Frame) -> None:
        events = frame.next_seq - frame.first_seq
        at_ms = frame.entries[-1].now_ms if frame.entries else chain.at_ms
        body = self._codec.encode(frame)
        limit = self.store.max_record_bytes
        room = len(body) if limit is None else limit - HEADER_BYTES
        await self._settled()
        begin = 0
        while len(body) - begin > room:
            await self._write(chain, chain.part(FORMAT, body[begin : begin + room]))
            begin += room
        rest = body[begin:] if begin else body
        await self._write(chain, chain.frame(FORMAT, rest, events=events, at_ms=at_ms))

    async def _settled(self) -> None:
        """Nothing is written without its keys."""
        if self._erasing is not None and not self._erasing.is_settled:
            await in_thread(self._erasing.settle)

    async def _write(self, chain: Chain, record: bytes) -> None:
        position = chain.position + 1
        for _ in range(_ATTEMPTS):
            try:
                await _asked("append", self.store.append(position, record))
            except (PositionTakenError, AppendUnknownError):
                found = await self._record(position)
                if found is None:
                    continue  # the answer was lost, and the record too
                if found != record:
                    raise self._fenced(chain, position, found) from None
            chain.follow(position, record)
            return
        raise JournalError(f"{self.store.place} does not answer: {_ATTEMPTS} appends were lost")

    def _fenced(self, chain: Chain, position: int, found: bytes) -> JournalError:
        header, body = unpack(found, position)
        if header.epoch <= chain.epoch and header.kind is not Kind.OPENING:
            return FencedError(chain.epoch, header.epoch, "a second writer of the same epoch")
        by = "another writer"
        if header.kind is Kind.OPENING:
            by = self.opening(header, body).writer
        return FencedError(chain.epoch, header.epoch, by)

    def know(self, interactions: Iterable[Interaction]) -> None:
        """Tell who is in the open interactions, after a recovery: what is sealed needs it."""
        self._codec.know(interactions)

    # --- reading --------------------------------------------------------------------------

    async def bounds(self) -> tuple[int, int]:
        """The positions of the first and the last record; (1, 0) when there is none."""
        return await _asked("bounds", self.store.bounds())

    async def _record(self, position: int) -> bytes | None:
        records = await self.chunk(position, 1)
        return records[0][1] if records and records[0][0] == position else None

    async def _end(self) -> Chain:
        """The chain at the end of the store; cuts a torn tail."""
        while True:
            first, last = await self.bounds()
            if last < first:
                return Chain()
            record = await self._record(last)
            chain = Chain.before(last)
            try:
                if record is None:
                    raise await self._missing(last)
                chain.follow(last, record)
            except CorruptJournalError:
                if not self.store.tears or record is None:
                    raise
                await _asked("cut", self.store.cut(last))
                continue
            return chain

    async def read(self, from_seq: int = 1) -> AsyncIterator[Frame]:
        """The frames that hold event ``from_seq`` or follow it, in order, checked.

        A position in the middle is found by bisection: O(log n) reads. Raises
        `CorruptJournalError`, also when ``from_seq`` was dropped.
        """
        first, last = await self.bounds()
        low, high = first, last
        while low < high:  # the last record that does not begin behind from_seq
            middle = (low + high + 1) // 2
            if (await self._header(middle)).first_seq < from_seq:
                low = middle
            else:
                high = middle - 1
        if low > 1 and (await self._header(low)).first_seq > from_seq:
            raise CorruptJournalError(
                low, f"event {from_seq} was dropped from the journal", first_seq=from_seq
            )
        if low <= last:
            low = max(first, low - (await self._header(low)).parts)
        async with aclosing(self.records(Chain.before(low))) as records:
            async for header, body in records:
                if header.kind is not Kind.FRAME:
                    continue
                if header.next_seq > from_seq or header.first_seq >= from_seq:
                    yield self.frame(header, body)

    async def whole_until(self, position: int) -> int:
        """The last position up to this one that no frame goes on behind."""
        if position:
            header = await self._header(position)
            if header.kind is Kind.PART:
                return position - header.parts - 1
        return position

    async def _header(self, position: int) -> Header:
        record = await self._record(position)
        if record is None:
            raise await self._missing(position)
        return unpack(record, position)[0]

    async def _missing(self, position: int, first_seq: int | None = None) -> JournalError:
        """Lost, or dropped meanwhile by a writer with newer snapshots: then nothing is wrong."""
        if position < (await self.bounds())[0]:
            return JournalError(f"record {position} was dropped while it was read: open it again")
        return CorruptJournalError(position, "it is missing", first_seq=first_seq)

    async def records(self, chain: Chain) -> AsyncGenerator[tuple[Header, memoryview], None]:
        """Header and body of each record behind ``chain``, which moves along, checked."""
        while True:
            chunk = await self.chunk(chain.position + 1, _CHUNK_BYTES)
            if chunk and chunk[0][0] > chain.position + 1:
                raise await self._missing(chain.position + 1, chain.next_seq)
            for position, record in chunk:
                yield chain.follow(position, record)
            if not chunk:
                return

    def opening(self, header: Header, body: memoryview) -> Opening:
        """Who opened, in an opening; raises `JournalError` when it cannot be read."""
        return self._codec.decode_opening(header.format, body)

    def frame(self, header: Header, body: bytes | memoryview) -> Frame:
        """The frame in a record; raises `CorruptJournalError` when it cannot be decoded."""
        return self._codec.frame_of(header, body)

    def events(self, header: Header, body: bytes | memoryview) -> Sequence[Event]:
        """The events in a record, for a replay; raises `CorruptJournalError` as `frame` does."""
        return self._codec.events_of(header, body)

    async def chunk(self, position: int, max_bytes: int) -> list[tuple[int, bytes]]:
        """Records as they are stored, not checked: to be carried elsewhere and checked there."""
        return await _asked("read", self.store.read(position, max_bytes))

    # --- snapshots ------------------------------------------------------------------------

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the log, and no more than the one before it."""
        data = pack_snapshot(snapshot, self._codec)
        await self._settled()
        await self.save_packed(snapshot.position, data)

    async def save_packed(self, position: int, data: bytes) -> None:
        """As `save_snapshot`, for what `pack_snapshot` made."""
        await _asked("save_snapshot", self.store.save_snapshot(position, data))
        for older in (await self.snapshot_positions())[2:]:
            await _asked("drop_snapshot", self.store.drop_snapshot(older))

    async def snapshot_positions(self) -> list[int]:
        """Where snapshots are kept, newest first."""
        return await _asked("snapshots", self.store.snapshots())

    async def packed_snapshots(self) -> list[tuple[int, bytes]]:
        """Every kept snapshot as it is stored, newest first; for `unpack_snapshot`."""
        found: list[tuple[int, bytes]] = []
        for position in await self.snapshot_positions():
            data = await _asked("load_snapshot", self.store.load_snapshot(position))
            found.append((position, data))
        return found

    async def newest_snapshot(self) -> Snapshot | None:
        """The newest snapshot that is whole and belongs to this log; None when there is none.

        A damaged one is passed over: the one before it, with more of the log, gives the
        same state.
        """
        for position, data in await self.packed_snapshots():
            try:
                snapshot = await in_thread(partial(unpack_snapshot, position, data, self._codec))
                record = await self._record(position)
                if record is not None:
                    chain = Chain(position - 1, anchored=False)
                    chain.follow(position, record)
                    if chain.digest != snapshot.digest:
                        continue
            except JournalError:
                continue
            return snapshot
        return None

    async def recover(self) -> tuple[Snapshot | None, Chain]:
        """Where to begin: the newest good snapshot (or None), and the chain behind it.

        Fold what `records` gives for that chain. Raises `CorruptJournalError` when neither a
        good snapshot nor the beginning of the log is there.
        """
        before, first = 0, 1
        while before != first:  # else another writer has made room meanwhile
            before, _ = await self.bounds()
            snapshot = await self.newest_snapshot()
            first, last = await self.bounds()
        if snapshot is not None and first <= snapshot.position + 1:
            chain = Chain(snapshot.position, snapshot.next_seq, snapshot.epoch, snapshot.digest)
            return snapshot, chain
        if first > 1 and last >= first:
            raise CorruptJournalError(
                first - 1, "it was dropped, and there is no good snapshot that has it", first_seq=1
            )
        return None, Chain()

    async def drop_snapshots(self, before: int) -> None:
        """Forget the snapshots in front of a position, whether another one is left or not."""
        for position in await self.snapshot_positions():
            if position < before:
                await _asked("drop_snapshot", self.store.drop_snapshot(position))

    async def drop_older(self, than_ms: int, *, newest_is_enough: bool = False) -> int:
        """`drop` what was written before a moment; returns the position now first."""
        low, high = await self.bounds()
        while low < high:  # the first record of that moment or later
            middle = (low + high) // 2
            if (await self._header(middle)).at_ms < than_ms:
                low = middle + 1
            else:
                high = middle
        if low <= high:
            low -= (await self._header(low)).parts
        return await self.drop(low, newest_is_enough=newest_is_enough)

    async def drop(self, before: int, *, newest_is_enough: bool = False) -> int:
        """Forget the records before a position that kept snapshots make needless.

        Never more than the older of two snapshots allows, so that a damaged newest one loses
        nothing; with ``newest_is_enough``, for whoever has just read it back, up to that.
        Returns the position that is now the first.
        """
        kept = await self.snapshot_positions()
        if newest_is_enough and kept:
            await _asked("drop", self.store.drop(min(before, kept[0] + 1)))
        elif len(kept) > 1:
            await _asked("drop", self.store.drop(min(before, kept[1] + 1)))
        return (await self.bounds())[0]


async def _asked(call: str, answer: Awaitable[_T]) -> _T:
    """What a store answers; what a driver raises becomes a `JournalError`."""
    try:
        return await answer
    except JournalError:
        raise
    except Exception as error:
        raise JournalError(f"{call} failed: {type(error).__name__}: {error}") from error
