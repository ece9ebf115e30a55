"""Bugs of the kind that lose or double work, to be planted: each must be found.

A bug is a list of replacements: (class or module, name, what stands there instead). What is
replaced is production code, except for two that are in the store's own duty. They are written
as somebody would write them who was in a hurry; most work well until something fails.
"""

import contextlib
from unittest import mock

import msgspec
from anyio.lowlevel import checkpoint

from omniroute.engine import Engine, snapshots
from omniroute.engine.seen import Seen
from omniroute.errors import (
    AppendUnknownError,
    CorruptJournalError,
    FencedError,
    JournalError,
    PositionTakenError,
)
from omniroute.events import Accept
from omniroute.journal import Frame, Kind, StoreJournal, pack_snapshot, unpack_snapshot
from omniroute.journal.codec import FORMAT
from omniroute.journal.record import Chain, unpack
from omniroute.router import recovery, shadow
from omniroute.router.desks import Desks
from omniroute.router.ledger import Ledger
from omniroute.router.offer import Offer, done

from .disk import Handle

_append, _fail = Ledger._append, Ledger.fail
_write, _journal_append, _end = StoreJournal._write, StoreJournal.append, StoreJournal._end
_append_frame = StoreJournal._append
_events, _restore, _drop = StoreJournal.events, Desks.restore, StoreJournal.drop


# --- decide, remember, tell ---------------------------------------------------------------


async def _publish_first(self, frame):
    for decided in frame.decided:
        self._publish(decided)
    publish, self._publish = self._publish, lambda _: None
    try:
        await _append(self, frame)
    finally:
        self._publish = publish


async def _publish_backwards(self, frame):
    publish, held = self._publish, []
    self._publish = held.append
    try:
        await _append(self, frame)
    finally:
        self._publish = publish
    for decided in reversed(held):
        publish(decided)


async def _wait_for_nothing(self, decided):
    await checkpoint()
    return decided.entry.events


def _fail_quietly(self, error):
    frames = self._appending, self._collecting
    _fail(self, error)
    for frame in frames:
        if frame is not None:
            frame.lost = False


async def _leak_places(self, frame):
    frame.places = max(0, frame.places - 1)
    await _append(self, frame)


# --- the journal --------------------------------------------------------------------------


async def _swallow_failures(self, frame):
    with contextlib.suppress(JournalError):
        await _journal_append(self, frame)
    self._failure = None


async def _append_twice(self, frame):
    """Try again after a failed sync, which then says yes."""
    try:
        await _journal_append(self, frame)
    except FencedError:
        raise
    except JournalError:
        self._failure = None
        await _journal_append(self, frame)


def _behind(chain, record):
    """The same frame once more, behind another end."""
    header, body = unpack(record, int.from_bytes(record[16:24], "big"))
    if header.kind is Kind.OPENING:
        return chain.opening(FORMAT, bytes(body), epoch=max(header.epoch, chain.epoch + 1))
    if header.kind is Kind.PART:
        return chain.part(FORMAT, bytes(body))
    return chain.frame(FORMAT, bytes(body), events=header.events, at_ms=header.at_ms)


async def _write_over_the_fence(self, chain, record):
    """Passed by another writer: write behind him."""
    while True:
        try:
            await _write(self, chain, record)
        except FencedError:
            end = await _end(self)
            for name in Chain.__slots__:
                setattr(chain, name, getattr(end, name))
            record = _behind(chain, record)
            continue
        return


async def _append_in_two(self, chain, frame):
    """Of a batch that is long, the first half; then the rest."""
    (first, *others) = frame.entries
    if others or len(first.events) < 4:
        await _append_frame(self, chain, frame)
        return
    for events in (first.events[:2], first.events[2:]):
        entry = msgspec.structs.replace(first, events=events)
        await _append_frame(self, chain, Frame(chain.next_seq, (entry,)))


async def _believe_no_answer(self, chain, record):
    position = chain.position + 1
    try:
        await self.store.append(position, record)
    except AppendUnknownError:
        pass
    except PositionTakenError:
        await _write(self, chain, record)
        return
    chain.follow(position, record)


async def _send_again_behind(self, chain, record):
    """No answer: send it again, without looking, to whatever place is free."""
    try:
        await self.store.append(chain.position + 1, record)
    except (AppendUnknownError, PositionTakenError):
        end = await _end(self)
        for name in Chain.__slots__:
            setattr(chain, name, getattr(end, name))
        await _write(self, chain, _behind(chain, record))
        return
    chain.follow(chain.position + 1, record)


async def _end_and_one_more(self):
    """Cut the torn tail, and the record in front of it."""
    _, before = await self.bounds()
    chain = await _end(self)
    _, last = await self.bounds()
    if last < before and last > 1:
        await self.store.cut(last)
        return await _end(self)
    return chain


async def _end_without_a_cut(self):
    """Leave the torn tail, and write behind it."""
    first, last = await self.bounds()
    if last < first:
        return Chain()
    for position in range(last, first - 1, -1):
        chain = Chain.before(position)
        try:
            chain.follow(position, await self._record(position))
        except CorruptJournalError:
            continue
        chain.position = last
        return chain
    return Chain(last)


async def _skip_the_damaged(self, chain):
    """A record that cannot be read is passed over."""
    while True:
        chunk = await self.chunk(chain.position + 1, 1 << 20)
        for position, record in chunk:
            try:
                found = chain.follow(position, record)
            except CorruptJournalError:
                chain.position, chain.anchored = position, False
                continue
            yield found
        if not chunk:
            return


async def _drop_by_the_newest(self, before, *, newest_is_enough=False):
    return await _drop(self, before, newest_is_enough=True)


async def _first_snapshot_or_none(self):
    for position, data in await self.packed_snapshots():
        return unpack_snapshot(position, data, self._codec)
    return None


# --- recovery -----------------------------------------------------------------------------


def _events_backwards(self, header, body):
    return tuple(reversed(_events(self, header, body)))


def _events_by_time(self, header, body):
    """As sorted by kind within a moment: cheap to group, and nearly the same."""
    return sorted(_events(self, header, body), key=lambda e: (e.at_ms, type(e).__name__))


def _pack_without(**forgotten):
    def pack(snapshot, codec):
        picture = msgspec.msgpack.decode(snapshot.state, type=snapshots.Picture)
        state = msgspec.msgpack.encode(msgspec.structs.replace(picture, **forgotten))
        return pack_snapshot(msgspec.structs.replace(snapshot, state=state), codec)

    return pack


class _Late(Engine):
    """Folds each event when the next one comes: a snapshot is one event behind."""

    def apply(self, event):
        held, self.held = getattr(self, "held", None), event
        if held is not None:
            super().apply(held)


def _no_time_passes(self, now_ms):
    """Only events move time."""


def _restore_idle(self, found, desk_of, reasons):
    _restore(self, [each._replace(held=()) for each in found], desk_of, reasons)


def _forget(self, channel, key, interaction_id, at_ms):
    """Dedupe for as long as a request takes."""


async def _accept_once(self):
    events = await self._send(Accept(self.offer_id))
    return self.assignment if done(events) else None


# --- the store ----------------------------------------------------------------------------


async def _sync_later(self, cell):
    cell.dropped = False


def _put_anywhere(self, position, record):
    self.medium.settle()
    return self.medium.write(record)


#: name -> replacements
BUGS = {
    "published before the sync": [(Ledger, "_append", _publish_first)],
    "published in another order": [(Ledger, "_append", _publish_backwards)],
    "acknowledged before the sync": [(Ledger, "wait", _wait_for_nothing)],
    "acknowledged after a failed append": [(Ledger, "fail", _fail_quietly)],
    "places of the inbox leak": [(Ledger, "_append", _leak_places)],
    "a failed append is passed over": [(StoreJournal, "append", _swallow_failures)],
    "appended again after a failed sync": [(StoreJournal, "append", _append_twice)],
    "a long batch is divided": [(StoreJournal, "_append", _append_in_two)],
    "the fence is skipped": [(StoreJournal, "_write", _write_over_the_fence)],
    "no answer is taken for a yes": [(StoreJournal, "_write", _believe_no_answer)],
    "no answer, so it is sent again": [(StoreJournal, "_write", _send_again_behind)],
    "one record too many is cut off": [(StoreJournal, "_end", _end_and_one_more)],
    "the torn tail stays": [(StoreJournal, "_end", _end_without_a_cut)],
    "a damaged record is skipped": [(StoreJournal, "records", _skip_the_damaged)],
    "dropped what the older snapshot needs": [(StoreJournal, "drop", _drop_by_the_newest)],
    "a damaged snapshot stops the recovery": [
        (StoreJournal, "newest_snapshot", _first_snapshot_or_none)
    ],
    "replayed backwards": [(StoreJournal, "events", _events_backwards)],
    "replayed by kind": [(StoreJournal, "events", _events_by_time)],
    "a snapshot is one event behind": [(shadow, "Engine", _Late)],
    "a snapshot forgets what was seen": [(shadow, "pack_snapshot", _pack_without(seen=()))],
    "a snapshot forgets its timers": [(shadow, "pack_snapshot", _pack_without(timers=()))],
    "time goes back after a restart": [(recovery.Engine, "pass_time", _no_time_passes)],
    "desks forget their work": [(Desks, "restore", _restore_idle)],
    "repeats are forgotten": [(Seen, "remember", _forget)],
    "a repeated acceptance is refused": [(Offer, "accept", _accept_once)],
    "the store does not sync": [(Handle, "sync", _sync_later)],
    "the store does not compare": [(Handle, "put", _put_anywhere)],
}


@contextlib.contextmanager
def planted(name):
    """The bug of this name is there; None: no bug."""
    with contextlib.ExitStack() as stack:
        for place, attribute, instead in BUGS[name] if name is not None else ():
            stack.enter_context(mock.patch.object(place, attribute, instead))
        yield
