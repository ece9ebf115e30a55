"""What is held out to an agent: an `Offer`; and the messages that come once it is his.

An offer is a view that the router keeps up to date from published events; its methods send
commands. A command that comes too late is no error: `Offer.accept` answers None, `decline` a
`Refused`, and `closed` says what happened instead.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import msgspec

from ..events import Accept, Decline
from ..model import Interaction, Message
from .answers import Answer, Send, done

if TYPE_CHECKING:
    from .assignment import Assignment

__all__ = [
    "Closing",
    "Messages",
    "MessagesMissed",
    "Offer",
    "OfferClosed",
    "all_revised",
    "redacted",
    "revised",
]


def revised(
    picture: Interaction, message_id: str, change: Callable[[Message], Message]
) -> Interaction:
    """The picture with one of its messages changed, the first with that id; "": the opening one."""
    messages = list(picture.messages)
    for number, message in enumerate(messages):
        if message.message_id == message_id or not message_id:
            messages[number] = change(message)
            return msgspec.structs.replace(picture, messages=tuple(messages))
    return picture


def redacted(picture: Interaction) -> Interaction:
    """The picture without what was said."""
    messages = tuple(message.redacted() for message in picture.messages)
    return msgspec.structs.replace(picture, messages=messages)


def all_revised(picture: Interaction, change: Callable[[Message], Message]) -> Interaction:
    """The picture with each of its messages changed, and without who it was."""
    messages = tuple(change(message) for message in picture.messages)
    return msgspec.structs.replace(
        picture, messages=messages, customer_id="", conversation_id=picture.id
    )


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
    TAKEN = "taken"  #: another agent who was offered it was faster
    MOVED = "moved"  #: a supervisor put it into another queue
    ROUTER_CLOSED = "router_closed"


class Closing:
    """Something that changes until it is closed; any number of tasks may wait for that."""

    __slots__ = ("_closing",)

    def __init__(self) -> None:
        self._closing: anyio.Event | None = None

    async def _until_woken(self) -> None:
        if self._closing is None or self._closing.is_set():
            self._closing = anyio.Event()
        await self._closing.wait()

    def _wake(self) -> None:
        if self._closing is not None:
            self._closing.set()


class Offer(Closing):
    """An interaction that is held out to one agent until ``expires_at_ms``.

    ``agent_id`` says to whom; ``interaction`` is the picture of the moment it was offered.
    ``closed`` is None while the offer is open, then why it is over; ``assignment`` is what it
    became when accepted.
    """

    __slots__ = (
        "_send",
        "agent_id",
        "assignment",
        "claimed",
        "closed",
        "expires_at_ms",
        "interaction",
        "offer_id",
    )

    def __init__(
        self,
        send: Send,
        offer_id: int,
        agent_id: str,
        interaction: Interaction,
        expires_at_ms: int,
    ) -> None:
        super().__init__()
        self._send = send
        self.offer_id = offer_id
        self.agent_id = agent_id
        self.interaction = interaction
        self.expires_at_ms = expires_at_ms
        self.closed: OfferClosed | None = None
        self.assignment: Assignment | None = None
        #: somebody waits for the assignment that it becomes: `Desk.given` leaves that one out
        self.claimed = False

    async def accept(self) -> Assignment | None:
        """Take it; None when it is no longer open (`closed` says why).

        Accepting twice gives the same assignment, so an accept that was cancelled can be
        repeated.
        """
        if self.assignment is None:
            self.claimed = True
            try:
                await self._send(Accept(self.offer_id))
            finally:
                self.claimed = False
        if self.assignment is not None:
            self.assignment.claimed = True
        return self.assignment

    async def decline(self, reason: str = "") -> Answer:
        """Refuse it; the queue's refusal policy says for how long. Refused: it was over.

        Declining twice gives the same answer, so it can be repeated.
        """
        answer = done(await self._send(Decline(self.offer_id, reason)))
        return True if self.closed is OfferClosed.DECLINED else answer

    async def wait_closed(self) -> OfferClosed:
        """Wait until the offer is over, for whatever reason."""
        while self.closed is None:
            await self._until_woken()
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

    def revise_all(self, change: Callable[[Message], Message]) -> None:
        """The router's note that whatever waits to be read changed."""
        self._waiting = deque(map(change, self._waiting))

    def end(self) -> None:
        """The router's note that nothing more will come."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
