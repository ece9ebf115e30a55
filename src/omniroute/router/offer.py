"""What an agent holds in his hands: an `Offer`, then perhaps an `Assignment`.

Both are views that the router keeps up to date from published events; their methods send
commands. A command that comes too late is no error: `Offer.accept` answers None and the
others answer False, and `closed` or `state` says what happened instead.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from ..events import (
    Accept,
    Command,
    CommandRejected,
    Complete,
    Decline,
    Event,
    FinishWrapUp,
    Hold,
    Requeue,
    Resume,
)
from ..model import Interaction, InteractionState, Message

__all__ = [
    "Assignment",
    "Messages",
    "MessagesMissed",
    "Offer",
    "OfferClosed",
    "Send",
    "done",
    "revised",
]

#: How a command is sent: its events come back when they are durable.
Send = Callable[[Command], Awaitable[tuple[Event, ...]]]


def done(events: tuple[Event, ...]) -> bool:
    """Whether a command was carried out: if not, one of its events is a `CommandRejected`."""
    return all(type(event) is not CommandRejected for event in events)


def revised(
    picture: Interaction, message_id: str, change: Callable[[Message], Message]
) -> Interaction:
    """The picture with one of its messages changed, the first with that id."""
    messages = list(picture.messages)
    for number, message in enumerate(messages):
        if message.message_id == message_id:
            messages[number] = change(message)
            return msgspec.structs.replace(picture, messages=tuple(messages))
    return picture


class OfferClosed(enum.StrEnum):
    """Why an offer is over. A closed list."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    CUSTOMER_LEFT = "customer_left"
    CANCELLED = "cancelled"
    SIGNED_OUT = "signed_out"
    NOT_READY = "not_ready"
    NOT_ELIGIBLE = "not_eligible"
    ROUTER_CLOSED = "router_closed"


class _Closing:
    """Something that is open, and closed once; any number of tasks may wait for it."""

    __slots__ = ("_closing",)

    def __init__(self) -> None:
        self._closing: anyio.Event | None = None

    async def _until_closed(self) -> None:
        if self._closing is None:
            self._closing = anyio.Event()
        await self._closing.wait()

    def _wake(self) -> None:
        if self._closing is not None:
            self._closing.set()


class Offer(_Closing):
    """An interaction that is held out to one agent until ``expires_at_ms``.

    ``interaction`` is the picture of the moment it was offered. ``closed`` is None while
    the offer is open, then why it is over; ``assignment`` is what it became when accepted.
    """

    __slots__ = ("_send", "assignment", "closed", "expires_at_ms", "interaction", "offer_id")

    def __init__(
        self, send: Send, offer_id: int, interaction: Interaction, expires_at_ms: int
    ) -> None:
        super().__init__()
        self._send = send
        self.offer_id = offer_id
        self.interaction = interaction
        self.expires_at_ms = expires_at_ms
        self.closed: OfferClosed | None = None
        self.assignment: Assignment | None = None

    async def accept(self) -> Assignment | None:
        """Take it; None when it is no longer open (`closed` says why).

        Accepting twice gives the same assignment, so an accept that was cancelled can be
        repeated.
        """
        if self.assignment is None:
            await self._send(Accept(self.offer_id))
        return self.assignment

    async def decline(self, reason: str = "") -> bool:
        """Refuse it; the queue's refusal policy says for how long. False: it was over.

        Declining twice gives the same answer, so it can be repeated.
        """
        answer = done(await self._send(Decline(self.offer_id, reason)))
        return answer or self.closed is OfferClosed.DECLINED

    async def wait_closed(self) -> OfferClosed:
        """Wait until the offer is over, for whatever reason."""
        while self.closed is None:
            await self._until_closed()
        return self.closed

    def close(self, reason: OfferClosed) -> None:
        """The router's note that it is over."""
        self.closed = reason
        self._wake()

    def __repr__(self) -> str:
        state = self.closed.value if self.closed else "open"
        return f"<Offer {self.offer_id} of {self.interaction.id!r}, {state}>"


class MessagesMissed(msgspec.Struct, frozen=True):
    """Stands in a message stream for ``count`` messages that nobody read in time.

    `Router.interaction` has what the engine still keeps of them.
    """

    count: int


class Messages:
    """The later messages of an assigned interaction, oldest first, as they come in.

    A message that the customer edited or deleted after it was read comes again, with the same
    ``message_id`` and the attribute ``edited`` or ``redacted``.

    Iterate it; it ends when the conversation is over: wrap-up, completion, requeue, cancel.
    At most ``limit`` messages wait to be read. After that the oldest give way, and the
    reader gets one `MessagesMissed` in their place: a slow desk never stops the router.
    """

    __slots__ = ("_changed", "_ended", "_limit", "_missed", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[Message] = deque()
        self._missed = 0
        self._ended = False
        self._changed: anyio.Event | None = None

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message | MessagesMissed:
        while True:
            if self._missed:
                missed, self._missed = self._missed, 0
                return MessagesMissed(missed)
            if self._waiting:
                return self._waiting.popleft()
            if self._ended:
                raise StopAsyncIteration
            if self._changed is None or self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()

    def put(self, message: Message) -> None:
        """The router's note of a new message."""
        self._waiting.append(message)
        if len(self._waiting) > self._limit:
            self._waiting.popleft()
            self._missed += 1
        self._wake()

    def revise(self, message_id: str, change: Callable[[Message], Message]) -> bool:
        """The router's note that a message changed. False: it does not wait to be read."""
        for number, message in enumerate(self._waiting):
            if message.message_id == message_id:
                self._waiting[number] = change(message)
                return True
        return False

    def end(self) -> None:
        """The router's note that nothing more will come."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()


_COMPLETED = frozenset({InteractionState.WRAP_UP, InteractionState.COMPLETED})
_OVER = frozenset(
    {InteractionState.COMPLETED, InteractionState.CANCELLED, InteractionState.WAITING}
)


class Assignment(_Closing):
    """An accepted offer: the agent has the interaction.

    ``interaction`` is the picture of the moment of acceptance, with every message so far;
    ``messages`` streams those that come later. ``state`` is always current: engaged, held,
    wrap_up, and at the end completed, cancelled or waiting (given back to its queue).
    ``code`` is the disposition code: the agent's, or ``customer_left``.
    """

    __slots__ = (
        "_let_go",
        "_send",
        "assignment_id",
        "code",
        "interaction",
        "messages",
        "state",
    )

    def __init__(
        self, send: Send, assignment_id: int, interaction: Interaction, message_limit: int
    ) -> None:
        super().__init__()
        self._send = send
        self.assignment_id = assignment_id
        self.interaction = interaction
        self.state = InteractionState.ENGAGED
        self.code = ""
        self.messages = Messages(message_limit)
        self._let_go = False

    @property
    def closed(self) -> bool:
        """True when the agent has it no more."""
        return self.state in _OVER

    async def complete(self, code: str = "") -> bool:
        """The conversation is over; wrap-up follows where the queue has one.

        False: it was over already (the customer left, or it was cancelled). Completing twice
        with the same code gives the same answer, so it can be repeated.
        """
        answer = done(await self._send(Complete(self.assignment_id, code)))
        return answer or (self.state in _COMPLETED and self.code == code)

    async def hold(self) -> bool:
        """Put the customer on hold. False: it was not engaged."""
        return done(await self._send(Hold(self.assignment_id)))

    async def resume(self) -> bool:
        """Take the customer off hold. False: it was not held."""
        return done(await self._send(Resume(self.assignment_id)))

    async def requeue(self, reason: str = "") -> bool:
        """Give it back to its queue; it keeps its age. False: it was over already.

        Giving it back twice gives the same answer, so it can be repeated.
        """
        answer = done(await self._send(Requeue(self.assignment_id, reason)))
        return answer or self.state is InteractionState.WAITING

    async def finish_wrap_up(self) -> bool:
        """The after-contact work is done. False: there is none, or it ends by time only."""
        return done(await self._send(FinishWrapUp(self.assignment_id)))

    async def wait_closed(self) -> InteractionState:
        """Wait until the agent has it no more; returns how it ended.

        The end of the conversation comes before that of the wrap-up: it ends `messages`.
        When the router closes first, this returns the state it still has.
        """
        while not self.closed and not self._let_go:
            await self._until_closed()
        return self.state

    def move(self, state: InteractionState) -> None:
        """The router's note of a new state."""
        self.state = state
        if state is InteractionState.WRAP_UP or state in _OVER:
            self.messages.end()
        if state in _OVER:
            self._wake()

    def revise(self, message_id: str, change: Callable[[Message], Message]) -> None:
        """The router's note that the customer changed or deleted a message.

        One that may have been read comes once more, as it is now.
        """
        first = self.interaction.message
        self.interaction = revised(self.interaction, message_id, change)
        if not self.messages.revise(message_id, change):
            named = msgspec.structs.replace(
                first, message_id=message_id, sent_at_ms=None, received_at_ms=None
            )
            self.messages.put(change(named))

    def let_go(self) -> None:
        """The router's note that it will tell nothing more."""
        self._let_go = True
        self.messages.end()
        self._wake()

    def __repr__(self) -> str:
        return f"<Assignment {self.assignment_id} of {self.interaction.id!r}, {self.state.value}>"
