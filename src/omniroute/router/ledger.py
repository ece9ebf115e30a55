"""Decide, remember, tell: the one path that every command takes.

*Decide* is synchronous: `post` calls the engine, and from then on the command has
happened for everyone who comes later. *Remember*: its entry joins the frame that is
collected now. *Tell*: when the frame is durable, its events are published, in order, and
then those who wait for it go on. Nothing is published or acknowledged before.

Two ways lead through it:

- An immediate journal (memory) makes an entry durable by a plain call. Then all three
  happen inside `post`, in the caller's own task, without a task switch.
- Any other journal is written by one task (`run`), so that no caller's cancellation can
  tear an append. While it appends one frame, the next collects: group commit.

Cancellation follows from this. `acquire` may be cancelled: nothing has happened. `wait` may
be cancelled: everything has happened, only the answer is lost. There is no await between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio
from anyio.lowlevel import checkpoint

from ..engine import Engine
from ..errors import JournalError, RouterClosedError, UsageError
from ..events import (
    Accepted,
    Command,
    Event,
    HandedOver,
    Offered,
    SignedIn,
    SignedOut,
    Tick,
)
from ..journal import Entry, Frame, ImmediateJournal, Journal, StoreJournal
from ..model import Agent, Interaction
from .clock import Clock
from .desk import Desk
from .recovery import Recovered, recover

__all__ = ["Decided", "Ledger"]

#: After this many commands that had nothing to wait for, the loop gets a turn (about half a
#: millisecond of work), so that a task which only sends cannot starve the others.
_TURN = 50
#: So late a deadline is no jitter: the router was down, or stood still. What was due ends at its
#: own moment, but nothing is offered at moments at which nobody could have heard of it.
_LATE_MS = 1_000
_NEVER_MS = 1 << 62


class Decided:
    """A decision on its way: the entry, and what only the moment of deciding could see.

    ``pictures`` are the interactions of its offers and assignments, by offer id;
    ``arriving`` is the desk of its sign-in; ``frame`` is what it waits in (None: durable).
    """

    __slots__ = ("arriving", "entry", "frame", "pictures")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.pictures: dict[int, Interaction] = {}
        self.arriving: Desk | None = None
        self.frame: _Collected | None = None


class _Collected:
    """A frame that is being collected or appended; ``places`` of the inbox are taken by it."""

    __slots__ = ("decided", "durable", "lost", "places")

    def __init__(self) -> None:
        self.decided: list[Decided] = []
        self.places = 0
        self.durable = anyio.Event()
        self.lost = False


def _journal_error(call: str, error: Exception) -> JournalError:
    """What a journal raised that it may not, as the one type that it may raise."""
    return JournalError(f"{call} failed: {type(error).__name__}: {error}")


class Ledger:
    """The engine, its journal and those who are told, tied together by three laws.

    ``publish`` hears of every entry when it is durable; ``stopped`` is called once, when
    the ledger fails. ``seats`` has the desk of every agent who is signed in by the latest
    decision, which may not be durable yet.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Clock,
        *,
        inbox_limit: int,
        publish: Callable[[Decided], None],
        stopped: Callable[[], None],
    ) -> None:
        self.engine = engine
        self._journal = journal
        self._stored = journal if isinstance(journal, StoreJournal) else None
        self._append_nowait = (
            journal.append_nowait if isinstance(journal, ImmediateJournal) else None
        )
        self._clock = clock
        self._publish = publish
        self._stopped = stopped
        self.seats: dict[str, Desk] = {}
        #: makes the desk of an agent whose sign-in came with none: it stands in the journal
        self.new_desk: Callable[[Agent], Desk]
        #: told when a deadline comes up that is earlier than all before
        self.on_deadline: Callable[[int], None] | None = None
        self.failure: BaseException | None = None
        self._why_closed: str | None = "the router is not running: use `async with Router(plan)`"
        self._next_seq = 1
        self._due_ms = _NEVER_MS
        self._turn = 0
        self._inbox = anyio.Semaphore(inbox_limit, fast_acquire=True)
        self._collecting: _Collected | None = None
        self._appending: _Collected | None = None
        self._work = anyio.Event()

    # --- opening and closing --------------------------------------------------------------

    def check_clock(self) -> None:
        """Raise `UsageError` for a clock that does not give integers."""
        now_ms: object = self._clock()
        if type(now_ms) is not int:
            raise UsageError(f"clock must give integer milliseconds, got {now_ms!r}")

    async def recover(self, observe: Callable[[Iterable[Event]], object]) -> Recovered:
        """Take over the state that the journal describes; `open` then takes commands.

        ``observe`` as in `recovery.recover`. Raises `JournalError`.
        """
        try:
            found = await recover(self._journal, self.engine.plan, observe)
        except JournalError:
            raise
        except Exception as error:
            raise _journal_error("recovery", error) from error
        self.engine = found.engine
        self._next_seq = found.next_seq
        self._note_deadline()
        return found

    def open(self) -> None:
        """Take commands from now on."""
        self._why_closed = None

    def close(self) -> None:
        """Take nothing new; what is decided still becomes durable."""
        if self._why_closed is None:
            self._why_closed = "the router is closed"
        self._work.set()
        # Who waits for a place gets one, finds the ledger closed, and hands the place on.
        self._inbox.release()

    def fail(self, error: BaseException) -> None:
        """Stop for good: nothing that is not durable by now is ever acknowledged."""
        if self.failure is not None:
            return
        self.failure = error
        self._why_closed = f"the router has stopped: {type(error).__name__}: {error}"
        for frame in (self._appending, self._collecting):
            if frame is not None:
                frame.lost = True
                frame.durable.set()
        self._collecting = None
        self._work.set()
        self._stopped()

    def closed_error(self) -> RouterClosedError:
        """What a call gets that comes too late."""
        error = RouterClosedError(self._why_closed or "the router is closed")
        error.__cause__ = self.failure
        return error

    @property
    def next_seq(self) -> int:
        """The number of the next event that becomes durable."""
        return self._next_seq

    @property
    def is_open(self) -> bool:
        """Whether commands are taken."""
        return self._why_closed is None

    # --- decide ---------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The router's time: the clock's, but never going back."""
        return max(self._clock(), self.engine.now_ms)

    @property
    def is_full(self) -> bool:
        """Whether `acquire` would have to wait."""
        return self._append_nowait is None and self._inbox.value == 0

    @property
    def is_low(self) -> bool:
        """Whether the journal runs out of room: new work should be refused."""
        return self._stored is not None and self._stored.is_low

    async def acquire(self) -> None:
        """Wait for a place in the inbox. Cancelled: nothing has happened."""
        if self._append_nowait is not None:
            self._turn += 1
            if self._turn >= _TURN:
                self._turn = 0
                await checkpoint()
            return
        await self._inbox.acquire()

    def release(self) -> None:
        """Give the place back without a command."""
        if self._append_nowait is None:
            self._inbox.release()

    def post(self, command: Command, *, arriving: Desk | None = None, places: int = 0) -> Decided:
        """Decide a command now, and put it on its way to the journal.

        ``places`` of the inbox come back when it is durable. Raises `RouterClosedError`, or
        the engine's `UsageError` for a caller's mistake; then nothing has happened.
        """
        if self._why_closed is not None:
            raise self.closed_error()
        engine = self.engine
        try:
            now_ms = self._clock()
            if self._due_ms < now_ms - _LATE_MS:
                self._due_ms = _NEVER_MS
                self.post(Tick(unattended=True))
            if now_ms < engine.now_ms:
                now_ms = engine.now_ms
            events = engine.receive(command, now_ms)
            decided = Decided(Entry(command, now_ms, tuple(events)))
            if events:
                self._note(decided, arriving)
            if events or type(command) is not Tick:
                self._remember(decided, places)
            self._note_deadline()
        except UsageError:
            raise
        except Exception as error:
            self.fail(error)
            raise self.closed_error() from error
        except BaseException as error:  # Ctrl-C, perhaps between decide and remember
            self.fail(error)
            raise
        return decided

    def _note_deadline(self) -> None:
        due_ms = self.engine.next_deadline()
        self._due_ms = _NEVER_MS if due_ms is None else due_ms
        if due_ms is not None and self.on_deadline is not None:
            self.on_deadline(due_ms)

    def _note(self, decided: Decided, arriving: Desk | None) -> None:
        """Keep what only this moment can see: pictures, and who sits where.

        An offer that is over already at the end of its own entry has a later picture or
        none; nobody will see it.
        """
        for event in decided.entry.events:
            if isinstance(event, Offered | Accepted | HandedOver):
                picture = self.engine.interaction(event.interaction_id)
                if picture is not None:
                    decided.pictures[event.offer_id] = picture
            elif isinstance(event, SignedIn):
                desk = arriving or self.new_desk(event.agent)
                decided.arriving = self.seats[event.agent.id] = desk
            elif isinstance(event, SignedOut):
                self.seats.pop(event.agent_id)

    # --- remember, tell -------------------------------------------------------------------

    def _remember(self, decided: Decided, places: int) -> None:
        if self._append_nowait is not None:
            entry = decided.entry
            try:
                self._append_nowait(Frame(self._next_seq, (entry,)))
            except JournalError:
                raise
            except Exception as error:
                raise _journal_error("append", error) from error
            self._next_seq += len(entry.events)
            self._publish(decided)
            return
        frame = self._collecting
        if frame is None:
            frame = self._collecting = _Collected()
            self._work.set()
        frame.decided.append(decided)
        frame.places += places
        decided.frame = frame

    async def wait(self, decided: Decided) -> tuple[Event, ...]:
        """Wait until it is durable and published. Cancelled: it has happened all the same."""
        frame = decided.frame
        if frame is not None:
            if not frame.durable.is_set():
                await frame.durable.wait()
            if frame.lost:
                raise self.closed_error()
        return decided.entry.events

    async def run(self) -> None:
        """Append one frame after the other until closed and drained. Shield it."""
        while self.failure is None:
            if self._collecting is None:
                if self._why_closed is not None:
                    return
                self._work = anyio.Event()
                await self._work.wait()
            else:
                await self._append(self._collecting)

    async def _append(self, frame: _Collected) -> None:
        self._appending, self._collecting = frame, None
        written = Frame(self._next_seq, tuple(decided.entry for decided in frame.decided))
        try:
            try:
                await self._journal.append(written)
            except JournalError:
                raise
            except Exception as error:
                raise _journal_error("append", error) from error
            self._next_seq = written.next_seq
            for decided in frame.decided:
                self._publish(decided)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may follow it
            self.fail(error)
            return
        self._appending = None
        frame.durable.set()
        for _ in range(frame.places):
            self._inbox.release()
