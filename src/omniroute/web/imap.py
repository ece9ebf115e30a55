r"""Mail in by IMAP: a mail is marked as read when it is recorded, and no sooner.

The mailbox is the queue. What is unseen is delivered, oldest first; after ``deliver`` returned,
the mail gets ``\Seen``, in the connection that fetched it. Everything that goes wrong in
between leaves it unseen, so it comes again, and its message id tells a repeat. Nothing has to
be remembered over a restart, and a folder that is numbered anew (UIDVALIDITY) is only that.

- The server tells of new mail (IDLE), else it is asked every ``poll_s``.
- A lost connection is made again, each time after a longer pause.
- The router takes nothing now (`RouterError`): all mails wait in their order.
- One mail is refused for now (a full queue) or cannot be fetched, read or delivered: it
  waits, each time longer, and those behind it go on. The attempt is noted before it is made,
  and new mails go first, so one that breaks each connection stops no other.
- A mail that no queue takes would be refused each time: it is quarantined, so that it can be
  replayed under a plan that takes it.
- A mail over the size limit is not fetched: its header is quarantined. What is quarantined is
  flagged, so that somebody finds it in the mailbox, where all of it is.

While nothing comes, no thread runs: the event loop watches the socket. A cancelled call cuts
its connection, so its thread ends, too. Runs on asyncio and trio.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
from anyio.abc import TaskStatus

from ..channels import Email, WebhookRequest, with_language
from ..channels.language import Detect
from ..channels.quarantine import MAX_KEPT_BYTES, keep
from ..errors import RouterError, UsageError
from ..model import Disposition, Inbound
from ..observe.mailboxes import Mailbox
from ..plan import Limits
from ..router import Receipt
from .imap_session import ImapAccount, ImapSession, NotDoneError, Unseen

__all__ = ["ImapAccount", "ImapReceiver"]

_log = logging.getLogger("omniroute")

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

#: RFC 2177: the server may end an IDLE of 30 minutes, so ask anew before that.
_LONGEST_IDLE_S = 29 * 60
_SIZES_AT_ONCE = 500
#: What a mail gets by what became of it; all others stay as they are.
_FLAGS = {"recorded": (b"\\Seen",), "set_aside": (b"\\Seen", b"\\Flagged")}
_READ_IN_THREAD_BYTES = 256 * 1024


def _wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class _Pause:
    """How long to wait before the next attempt: twice as long each time, up to a limit."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The pause after one more failure."""
        now_s = self._next_s
        self._next_s = min(now_s * 2, self._longest_s)
        return now_s

    def reset(self) -> None:
        """It went well."""
        self._next_s = self._first_s


class _Retries:
    """The mails that were tried in vain, and when each is due again. Never more than unseen."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._limits = (first_s, longest_s)
        self._due: dict[int, tuple[float, _Pause]] = {}
        self._uidvalidity = 0

    def due(self, unseen: Unseen, now_s: float) -> list[int]:
        """Those of the unseen mails that may be tried now; what is unseen no more is forgotten.

        New ones come first: of those tried before, one may break the connection each time.
        """
        if unseen.uidvalidity != self._uidvalidity:  # the numbers mean other mails now
            self._due.clear()
            self._uidvalidity = unseen.uidvalidity
        there = set(unseen.uids)
        self._due = {uid: due for uid, due in self._due.items() if uid in there}
        again = sorted((due_s, uid) for uid, (due_s, _) in self._due.items() if due_s <= now_s)
        return [uid for uid in unseen.uids if uid not in self._due] + [uid for _, uid in again]

    def tried(self, uid: int, now_s: float) -> None:
        """An attempt begins; should it fail, there is a pause until the next one."""
        pause = self._due[uid][1] if uid in self._due else _Pause(*self._limits)
        self._due[uid] = (now_s + pause.next_s(), pause)

    def done(self, uid: int) -> None:
        """The mail needs no further attempt, or its attempt did not count."""
        self._due.pop(uid, None)

    def next_s(self) -> float | None:
        """When the first of them is due, on the event loop's clock."""
        return min((due_s for due_s, _ in self._due.values()), default=None)


class _RouterDownError(Exception):
    """The router takes nothing now, whatever the mail; the cause says why."""


class _Line:
    """A session whose methods are run in a thread, one thread at a time."""

    def __init__(self, session: ImapSession, limiter: anyio.CapacityLimiter) -> None:
        self.session = session
        self._limiter = limiter

    async def dial(self) -> None:
        """Connect; cancelled, it leaves the thread to its timeout, for nothing can be cut yet."""
        await anyio.to_thread.run_sync(
            self.session.dial, abandon_on_cancel=True, limiter=self._limiter
        )

    async def call(self, method: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        """Run a method; cancelled, the connection is cut. Either way the thread has ended."""
        result: list[_T] = []
        failure: list[Exception] = []

        async def cut() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                if not (result or failure):
                    self.session.cut()

        async with anyio.create_task_group() as group:
            group.start_soon(cut)
            with anyio.CancelScope(shield=True):
                try:
                    result.append(
                        await anyio.to_thread.run_sync(method, *args, limiter=self._limiter)
                    )
                except Exception as error:  # noqa: BLE001 - raised below, outside of the group
                    failure.append(error)
            group.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        if failure:
            raise failure[0]
        return result[0]


class ImapReceiver:
    """Takes mail out of one IMAP folder: ``await group.start(receiver.run)``.

    Args:
        deliver: takes one `Inbound`; the mail counts as received when it returns, unless it
            returns a `Receipt` that says refused.
        account: where the mailbox is and how to enter it.
        folder: the folder to watch. It should be the receiver's own: a mail that somebody
            else has opened is no longer unseen.
        done_folder: where to move mails that are recorded; made where it is missing. None
            leaves them in their folder.
        email: how mail is read: limits, own addresses.
        limits: the plan's (``plan.limits``): mails larger than its ``max_mail_bytes`` are
            not fetched. None leaves it to ``email``.
        detect: tells languages apart, see `language_detector`.
        now_ms: the clock, milliseconds since the epoch.
        idle_s: how long to wait to be told of new mail before asking anew, at most 29
            minutes. It bounds how long a connection that died silently goes unnoticed.
        poll_s: how often to look where the server tells nothing.
        retry_s: the first pause after a failure; each further one is twice as long.
        longest_retry_s: the longest pause.
        mailbox: its counts, from `MailboxMetrics.mailbox`; None: nobody sees them.
        on_failure: is told every error that is retried, in the event loop. Refused mails are
            no errors: the router's own events tell of them. Their types are logged, too, as
            warnings of the logger ``omniroute``.

    Raises:
        UsageError: ``idle_s`` is over 29 minutes, or a time is not positive.
    """

    def __init__(
        self,
        deliver: Callable[[Inbound], Awaitable[object]],
        account: ImapAccount,
        *,
        folder: str = "INBOX",
        done_folder: str | None = None,
        email: Email | None = None,
        limits: Limits | None = None,
        detect: Detect | None = None,
        now_ms: Callable[[], int] = _wall_ms,
        idle_s: float = 9 * 60,
        poll_s: float = 30,
        retry_s: float = 1,
        longest_retry_s: float = 300,
        mailbox: Mailbox | None = None,
        on_failure: Callable[[Exception], object] | None = None,
    ) -> None:
        if idle_s > _LONGEST_IDLE_S:
            raise UsageError(f"idle_s must be at most {_LONGEST_IDLE_S}, got {idle_s!r}")
        if min(idle_s, poll_s, retry_s, longest_retry_s) <= 0:
            raise UsageError("idle_s, poll_s, retry_s and longest_retry_s must be more than 0")
        self.account = account
        self.folder = folder
        self.done_folder = done_folder
        self.email = Email() if email is None else email
        largest = self.email.limits.message_bytes
        self.max_mail_bytes = largest if limits is None else min(largest, limits.max_mail_bytes)
        self._deliver = deliver
        self._detect = detect
        self._now_ms = now_ms
        self._idle_s = idle_s
        self._poll_s = poll_s
        self._on_failure = on_failure
        self._retries = _Retries(retry_s, longest_retry_s)
        self._pause = _Pause(retry_s, longest_retry_s)
        self._counts = Mailbox() if mailbox is None else mailbox
        #: what is not recorded yet, since when the server has it
        self._arrived: dict[int, int] = {}

    @property
    def is_connected(self) -> bool:
        """True while the folder is open."""
        return self._counts.connected

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Receive until cancelled; `TaskGroup.start` returns when the folder is open.

        Raises:
            UsageError: at the first connection: the login is refused, the certificate is not
                valid, the folder does not exist or may only be read. Later these are retried
                like any other failure.
        """
        limiter = anyio.CapacityLimiter(1)
        was_connected = False
        self._fall_behind()
        while True:
            line = _Line(ImapSession(self.account), limiter)
            try:
                await line.dial()
                await line.call(line.session.enter, self.folder, self.done_folder)
                self._counts.connected = True
                if not was_connected:
                    was_connected = True
                    task_status.started()
                await self._receive(line)
            except UsageError as error:
                self._counts.lost += 1
                if not was_connected:
                    raise
                self._tell(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the mails still wait
                self._counts.lost += 1
                self._tell(error)
            finally:
                self._counts.connected = False
                self._fall_behind()
                line.session.close()
            await anyio.sleep(self._pause.next_s())

    def _tell(self, error: Exception) -> None:
        # The text of an error may hold addresses; `on_failure` gets it.
        _log.warning("mail by IMAP: %s, tried again later", type(error).__name__)
        if self._on_failure is not None:
            self._on_failure(error)

    def _fall_behind(self) -> None:
        """From now on nobody tells what comes."""
        if self._counts.behind_since_ms is None:
            self._counts.behind_since_ms = self._now_ms()

    # --- one connection -------------------------------------------------------------------

    async def _receive(self, line: _Line) -> None:
        """Deliver what is unseen and wait for more, until something fails."""
        while True:
            unseen = await line.call(line.session.unseen)
            self._arrived = {uid: self._arrived.get(uid, self._now_ms()) for uid in unseen.uids}
            try:
                await self._take_all(line, self._retries.due(unseen, anyio.current_time()))
            except _RouterDownError as error:
                assert isinstance(error.__cause__, Exception)
                self._tell(error.__cause__)
                await anyio.sleep(self._pause.next_s())
                continue
            await self._wait(line)
            self._pause.reset()

    async def _take_all(self, line: _Line, uids: Sequence[int]) -> None:
        """Try each mail once, in their order."""
        for first in range(0, len(uids), _SIZES_AT_ONCE):
            some = uids[first : first + _SIZES_AT_ONCE]
            listed = await line.call(line.session.listed, some)
            for uid, (_, arrived_ms) in listed.items():
                if arrived_ms is not None:
                    self._arrived[uid] = arrived_ms
            self._look_back()
            for uid in some:
                if uid in listed:  # else it is gone
                    self._retries.tried(uid, anyio.current_time())
                    if await self._take(line, uid, listed[uid].size_bytes):
                        self._retries.done(uid)
                        self._arrived.pop(uid, None)
        self._look_back()

    def _look_back(self) -> None:
        """How far behind it is: as old as the oldest mail that is not recorded."""
        self._counts.behind_since_ms = min(self._arrived.values(), default=None)

    async def _wait(self, line: _Line) -> None:
        """Until there may be something to do."""
        wait_s = self._idle_s if line.session.has_idle else self._poll_s
        due_s = self._retries.next_s()
        if due_s is not None:
            wait_s = min(wait_s, max(due_s - anyio.current_time(), 0))
        if not line.session.has_idle:
            await anyio.sleep(wait_s)
            return
        if await line.call(line.session.begin_idle):
            with anyio.move_on_after(wait_s):
                await anyio.wait_readable(line.session.socket)
            await line.call(line.session.end_idle)

    # --- one mail -------------------------------------------------------------------------

    async def _take(self, line: _Line, uid: int, size_bytes: int) -> bool:
        """Deliver a mail and mark it. False: it is to be tried again.

        Raises:
            _RouterDownError: no mail can be delivered now.
        """
        session = line.session
        try:
            if size_bytes > self.max_mail_bytes:
                raw = await line.call(session.header, uid, self.email.limits.header_bytes)
            else:
                raw = await line.call(session.mail, uid)
            if raw is None:
                return True
            # Servers have been known to be wrong about the size.
            outcome = await self._record(uid, raw, max(size_bytes, len(raw)))
            if outcome in _FLAGS:
                await line.call(session.mark, uid, _FLAGS[outcome], self.done_folder)
        except NotDoneError as error:
            self._tell(error)
            outcome = "failed"
        self._counts.mails[outcome] += 1
        return outcome in _FLAGS

    async def _record(self, uid: int, raw: bytes, size_bytes: int) -> str:
        """Read and deliver a mail; what became of it, one of `observe.mailboxes.OUTCOMES`."""
        try:
            inbound = await self._read(raw, size_bytes)
            receipt = await self._deliver(inbound)
            if _is_refused_for_good(receipt):
                inbound = self._set_aside(inbound, raw, "no queue takes the mail")
                receipt = await self._deliver(inbound)
        except RouterError as error:
            self._retries.done(uid)  # it was not the mail's fault: it keeps its place
            raise _RouterDownError from error
        except Exception as error:  # noqa: BLE001 - one mail's trouble stops no other mail
            self._tell(error)
            return "failed"
        if isinstance(receipt, Receipt) and receipt.is_refused:
            return "refused"
        return "set_aside" if inbound.disposition is Disposition.QUARANTINE else "recorded"

    async def _read(self, raw: bytes, size_bytes: int) -> Inbound:
        """What the mail means; large ones are read in a thread, so that others go on."""
        received_at_ms = self._now_ms()
        is_whole = size_bytes <= self.max_mail_bytes

        def read() -> Inbound:
            inbound = self.email.read(raw, received_at_ms=received_at_ms)
            if not is_whole:
                reason = f"the mail has {size_bytes} bytes, more than {self.max_mail_bytes}"
                # A header alone must not be taken for the mail when this is replayed.
                inbound = self._set_aside(inbound, raw, reason, limit=0)
            elif inbound.disposition is Disposition.QUARANTINE:
                inbound = self._set_aside(inbound, raw, inbound.reason)
            return with_language(inbound, self._detect)

        is_small = len(raw) <= _READ_IN_THREAD_BYTES
        return read() if is_small else await anyio.to_thread.run_sync(read)

    def _set_aside(
        self, inbound: Inbound, raw: bytes, reason: str, *, limit: int = MAX_KEPT_BYTES
    ) -> Inbound:
        """The mail for the quarantine, with its bytes unless they are more than the limit."""
        aside = msgspec.structs.replace(inbound, disposition=Disposition.QUARANTINE, reason=reason)
        at_ms = inbound.message.received_at_ms
        request = WebhookRequest(body=raw, received_at_ms=at_ms)
        [kept] = keep([aside], self.email.name, request, limit=limit)
        return kept


def _is_refused_for_good(receipt: object) -> bool:
    """The same mail would be refused again."""
    return isinstance(receipt, Receipt) and receipt.is_refused and not receipt.is_refused_for_now
