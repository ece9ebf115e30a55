"""The nouns: what a channel delivers, who sent it, who answers it. All immutable.

A `Message` is one thing a customer sent or did: a mail, a post, a text, a ringing call.
An `Interaction` is the unit of work that a message opens; later messages of the same
thread join it. Normalisers produce `Inbound` values, which say what a provider's event
means before anything is routed.

The values are `msgspec.Struct`: frozen, compared by value, about 0.05 us to create
(frozen attrs classes cost 0.45 us on the same machine), and their own wire format. What waits is
kept from the garbage collector (``gc=False``): messages are trees of values, so nothing leads
back to them, and a hundred thousand of them would make every full collection half as long again.
"""

from __future__ import annotations

import enum

import msgspec

from .errors import UnknownNameError

__all__ = [
    "Address",
    "AddressKind",
    "Agent",
    "Attachment",
    "Attribute",
    "Channel",
    "Customer",
    "Disposition",
    "Inbound",
    "Interaction",
    "InteractionState",
    "Message",
    "Presence",
    "UpdateKind",
]

#: What an attribute of a message or an agent may hold.
Attribute = str | int | bool | tuple[str, ...]


class Channel(enum.StrEnum):
    """Where an interaction came from. Each is *live* (synchronous) or *deferred*."""

    VOICE = "voice"
    VIDEO = "video"
    CHAT = "chat"
    EMAIL = "email"
    SMS = "sms"
    VOICEMAIL = "voicemail"
    FACEBOOK = "facebook"
    MESSENGER = "messenger"
    INSTAGRAM = "instagram"
    WHATSAPP = "whatsapp"
    X = "x"
    YOUTUBE = "youtube"
    LINKEDIN = "linkedin"
    TELEGRAM = "telegram"
    LINE = "line"
    VIBER = "viber"
    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"
    MATRIX = "matrix"
    MASTODON = "mastodon"
    BLUESKY = "bluesky"
    GOOGLE_CHAT = "google_chat"
    GOOGLE_BUSINESS_MESSAGES = "google_business_messages"
    RCS = "rcs"
    APPLE_MESSAGES = "apple_messages"
    GOOGLE_PLAY = "google_play"
    APP_STORE = "app_store"
    INTERCOM = "intercom"
    IN_APP_CHAT = "in_app_chat"

    @property
    def is_live(self) -> bool:
        """True when the customer is present and waiting: a call, a video call, a chat."""
        return self in _LIVE


_LIVE = frozenset({Channel.VOICE, Channel.VIDEO, Channel.CHAT, Channel.IN_APP_CHAT})


class AddressKind(enum.StrEnum):
    """How a customer can be reached."""

    E164 = "e164"
    EMAIL = "email"
    HANDLE = "handle"


class Address(msgspec.Struct, frozen=True, gc=False):
    """One address of a customer, as the provider verified or claimed it."""

    kind: AddressKind
    value: str


class Customer(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who reached out.

    ``id`` is the provider's stable id, or "" when withheld: two customers without an id
    are never the same customer.
    """

    id: str = ""
    name: str = ""
    addresses: tuple[Address, ...] = ()


class Attachment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A reference to a file, never its content: omniroute fetches nothing."""

    content_type: str = "application/octet-stream"
    name: str = ""
    url: str = ""
    size_bytes: int | None = None


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One thing a customer sent or did, in the one shape that all channels share.

    ``thread_id`` ties messages of one exchange together, ``message_id`` tells a repeat
    (None: never deduplicated; see `dedupe_key`). ``to`` is what the customer
    contacted: a mailbox, a dialled number, a page. Times are integer milliseconds since
    the epoch: ``sent_at_ms`` is the sender's claim, ``received_at_ms`` ours.
    """

    channel: Channel
    customer: Customer = Customer()
    thread_id: str | None = None
    message_id: str | None = None
    to: str = ""
    subject: str = ""
    text: str = ""
    language: str | None = None
    links: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    attributes: dict[str, Attribute] = {}
    sent_at_ms: int | None = None
    received_at_ms: int | None = None

    @property
    def dedupe_key(self) -> str | None:
        """What tells a repeat on this channel: the message id, or None when there is none.

        A mail's id is chosen by its sender, so two senders may use the same: there the key
        is the id and the sender.
        """
        if self.channel is Channel.EMAIL and self.message_id is not None:
            return f"{self.message_id}\n{self.customer.id}"
        return self.message_id

    def edited(self, new: Message) -> Message:
        """This message with the content of an edit: who, where and when stay as they were.

        Attributes are the edit's, or stay when it has none; ``edited`` among them is true.
        """
        return msgspec.structs.replace(
            self,
            subject=new.subject or self.subject,
            text=new.text,
            language=new.language,
            links=new.links,
            attachments=new.attachments,
            attributes={**(new.attributes or self.attributes), "edited": True},
        )

    def redacted(self) -> Message:
        """This message without its content: who, where and when are left, and that it is gone."""
        return msgspec.structs.replace(
            self,
            subject="",
            text="",
            language=None,
            links=(),
            attachments=(),
            attributes={"redacted": True},
        )

    def erased(self) -> Message:
        """This message without its content and without who it was: only that it came, and when."""
        return msgspec.structs.replace(
            self.redacted(), customer=Customer(), thread_id=None, message_id=None
        )

    def __post_init__(self) -> None:
        if type(self.channel) is not Channel:
            try:
                channel = Channel(self.channel)
            except ValueError:
                names = [member.value for member in Channel]
                raise UnknownNameError("channel", str(self.channel), names) from None
            msgspec.structs.force_setattr(self, "channel", channel)


class Disposition(enum.StrEnum):
    """What one provider event means for routing."""

    CREATE = "create"  #: a customer reached out: opens an interaction
    APPEND = "append"  #: a customer's message inside a thread: joins it, or opens one
    UPDATE = "update"  #: an edit, a delete, a reaction, a change of call state
    STATUS = "status"  #: delivered, read, typing
    OWN = "own"  #: an echo, a bot, our own account, our outbound leg
    LIFECYCLE = "lifecycle"  #: follow, install, opt-in, account events
    HANDSHAKE = "handshake"  #: a provider checks that we are there
    AUTO = "auto"  #: an automatic reply
    BOUNCE = "bounce"  #: a delivery failure or report
    REPORT = "report"  #: a read receipt, an abuse report
    BULK = "bulk"  #: list mail and newsletters
    IGNORED = "ignored"  #: an event type that is not known
    QUARANTINE = "quarantine"  #: cannot be trusted or understood; kept for a human agent


class UpdateKind(enum.StrEnum):
    """What an event of disposition `Disposition.UPDATE` changed."""

    EDITED = "edited"
    DELETED = "deleted"
    THREAD_DELETED = "thread_deleted"  #: every message of the thread
    REACTION = "reaction"
    STATE = "state"  #: a change that needs no action, such as a call that was answered
    ENDED = "ended"  #: the customer has gone: abandoned when it still waits


class Inbound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One provider event after normalisation: what it means, and what it carries.

    ``reason`` says why it is not routed, ``delivery_id`` is the provider's id of the
    delivery (not of the message): of two events with one id in one thread the second is a
    repeat. ``reply`` is what a handshake must be answered with. ``target`` is the id of the
    message that an update is about, where the event has an id of its own; without it the
    message's id names that one.
    """

    disposition: Disposition
    message: Message
    reason: str = ""
    update: UpdateKind | None = None
    delivery_id: str | None = None
    reply: str | None = None
    target: str | None = None


class Presence(enum.StrEnum):
    """What an agent says of himself. What he carries is kept apart (load)."""

    LOGGED_OUT = "logged_out"
    NOT_READY = "not_ready"
    READY = "ready"


class Agent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The human agent who answers.

    ``skills`` maps a skill to its level (1-10 by default; a missing skill is level 0;
    languages are skills named ``lang:de``), ``capacity`` names a capacity of the plan.
    ``wrap_up_ms`` is how long his timed and forced wrap-ups last (None: as the queue says).
    """

    id: str
    name: str = ""
    skills: dict[str, int] = {}
    groups: tuple[str, ...] = ()
    attributes: dict[str, Attribute] = {}
    capacity: str = "default"
    wrap_up_ms: int | None = None


class InteractionState(enum.StrEnum):
    """Where an interaction is in its life. The table of moves is `engine.lifecycle`."""

    NEW = "new"
    SCHEDULED = "scheduled"
    WAITING = "waiting"
    OFFERED = "offered"
    ENGAGED = "engaged"
    HELD = "held"
    PARKED = "parked"
    WRAP_UP = "wrap_up"
    COMPLETED = "completed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of one unit of work at one moment, as the engine sees it.

    ``messages`` holds the opening message and those that joined, oldest first.
    ``agent_id`` is the agent it is engaged with, parked by or (the first whom it is) offered to;
    ``parent_id`` the interaction that a consult or an escalation was opened from. From
    ``arrived_at_ms`` its wait is reported and its ladder counts; from ``enqueued_at_ms``,
    mostly the same, its place. ``customer_id`` is the customer over
    all channels that the plan links ("" when withheld), ``conversation_id`` the thread that
    ties his interactions together.
    """

    id: str
    state: InteractionState
    queue: str
    priority: int
    messages: tuple[Message, ...]
    enqueued_at_ms: int
    arrived_at_ms: int
    step: int = 0
    requirement: str | None = None
    agent_id: str | None = None
    customer_id: str = ""
    conversation_id: str = ""
    parent_id: str | None = None
    is_callback: bool = False
    in_conference: bool = False

    @property
    def message(self) -> Message:
        """The message that opened it."""
        return self.messages[0]

    @property
    def channel(self) -> Channel:
        """The channel of the opening message."""
        return self.messages[0].channel

    @property
    def customer(self) -> Customer:
        """Who sent the opening message."""
        return self.messages[0].customer
