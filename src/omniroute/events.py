"""Commands (imperative: what is asked) and events (past tense: what happened).

`Engine.receive(command, now_ms)` answers every command with a batch of events; the
batch is the whole outcome. What cannot be done is an event too (`CommandRejected`).
Replay applies events and decides nothing, so each event carries all that was decided.

The ``tag`` of each class is its wire name: it never changes, even when the class moves.
``at_ms`` is integer milliseconds since the epoch and never decreases inside a journal.
"""

from __future__ import annotations

import enum

import msgspec

from .model import Agent, Channel, Message, UpdateKind

__all__ = [
    "Abandon",
    "Abandoned",
    "Accept",
    "Accepted",
    "AccessWidened",
    "AgentChanged",
    "Assign",
    "BecameNotReady",
    "BecameReady",
    "CallbackFailed",
    "CallbackRequested",
    "Cancel",
    "Cancelled",
    "ChangeAgent",
    "ChangePlan",
    "CloseAll",
    "Command",
    "CommandRejected",
    "Complete",
    "Completed",
    "Confer",
    "Conferenced",
    "Consult",
    "CustomerErased",
    "CustomersLinked",
    "Decline",
    "Declined",
    "Drain",
    "Duplicate",
    "EraseCustomer",
    "Escalate",
    "Event",
    "Expired",
    "ExtendWrapUp",
    "FailCallback",
    "FinishWrapUp",
    "HandOver",
    "HandedOver",
    "Held",
    "Hold",
    "Kind",
    "LeaseRenewed",
    "MessageAppended",
    "MessageEdited",
    "MessageRedacted",
    "Move",
    "MoveAll",
    "Moved",
    "NotApplied",
    "OfferKind",
    "Offered",
    "OwnStep",
    "Park",
    "Parked",
    "Pick",
    "PlanChanged",
    "Postponed",
    "Quarantine",
    "Quarantined",
    "QueueDrained",
    "QueueReopened",
    "Queued",
    "RefusalsReset",
    "RejectReason",
    "Rejected",
    "Renew",
    "Reopen",
    "Reprioritize",
    "Reprioritized",
    "RequestCallback",
    "Requeue",
    "Requeued",
    "Resume",
    "Resumed",
    "Revoke",
    "RevokeReason",
    "Revoked",
    "Scheduled",
    "SetNotReady",
    "SetReady",
    "SignIn",
    "SignOut",
    "SignedIn",
    "SignedOut",
    "Started",
    "StepReached",
    "Submit",
    "Tick",
    "Transfer",
    "Transferred",
    "Unpark",
    "Unparked",
    "Update",
    "UpdateNoted",
    "WrapUpExtended",
    "WrapUpStarted",
]


class RejectReason(enum.StrEnum):
    """Why a command or an interaction was not accepted. A closed list."""

    QUEUE_FULL = "queue_full"
    NO_QUEUE = "no_queue"
    OFFERS_EXHAUSTED = "offers_exhausted"
    LANES_EXHAUSTED = "lanes_exhausted"
    SENDER_RATE = "sender_rate"
    AGENTS_EXHAUSTED = "agents_exhausted"
    ID_IN_USE = "id_in_use"
    UNKNOWN_INTERACTION = "unknown_interaction"
    UNKNOWN_OFFER = "unknown_offer"
    UNKNOWN_ASSIGNMENT = "unknown_assignment"
    NOT_SIGNED_IN = "not_signed_in"
    ALREADY_SIGNED_IN = "already_signed_in"
    ILLEGAL_STATE = "illegal_state"
    SET_ASIDE_FULL = "set_aside_full"
    OVERFLOW = "overflow"
    QUEUE_DRAINING = "queue_draining"
    NOT_PULLED = "not_pulled"
    NOT_READY = "not_ready"
    NOT_ELIGIBLE = "not_eligible"
    NO_ROOM = "no_room"


class RevokeReason(enum.StrEnum):
    """Why an open offer was taken back. A closed list."""

    WITHDRAWN = "withdrawn"
    CUSTOMER_LEFT = "customer_left"
    CANCELLED = "cancelled"
    SIGNED_OUT = "signed_out"
    NOT_READY = "not_ready"
    NOT_ELIGIBLE = "not_eligible"
    TAKEN = "taken"
    MOVED = "moved"


class OfferKind(enum.StrEnum):
    """How an interaction and an agent came together. A closed list."""

    MATCHED = "matched"  #: by the engine
    PICKED = "picked"  #: by the agent himself
    ASSIGNED = "assigned"  #: by a supervisor


class Kind(enum.StrEnum):
    """What opened an interaction. A closed list."""

    CUSTOMER = "customer"  #: a message of the customer
    CONSULT = "consult"  #: an agent who asks a colleague
    ESCALATION = "escalation"  #: the step to another channel


class NotApplied(enum.StrEnum):
    """Why an update changed nothing. A closed list."""

    UNKNOWN_MESSAGE = "unknown_message"  #: no open interaction has the message
    NO_OPEN_INTERACTION = "no_open_interaction"  #: the thread has none
    REDACTED = "redacted"  #: the message was deleted before


class _Wire(msgspec.Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    """The shared shape of commands and events."""


class OwnStep(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A step that one interaction has before those of its queue's ladder.

    ``requirement`` is an expression: preferred agents (``agent in ["a", "b"]``), one agent
    (``agent == "a"``), skills that are asked for at first only. It lasts ``for_ms``; None: for
    good, nobody else is ever asked. ``skip_if_nobody``: passed over when no signed-in agent
    satisfies it. ``direct``: instead of the queue's members and the interaction's own
    requirement, not beside them. ``priority``: what the interaction goes by at this step.
    """

    requirement: str
    for_ms: int | None = None
    skip_if_nobody: bool = False
    direct: bool = False
    priority: int | None = None


# --- commands ---------------------------------------------------------------------------


class Submit(_Wire, frozen=True, tag="submit"):
    """Route a message: open an interaction, join an open thread, or drop a duplicate.

    ``queue`` None lets the plan's triage choose; ``priority`` None takes the triage's or
    the queue's; ``requirement`` (an expression) is added to the queue's ladder;
    ``steps`` are climbed before the queue's ladder; ``interaction_id`` None lets the engine
    number it. ``delivery_key`` tells a repeat of the delivery; with ``joins_only`` a message
    without an open thread does nothing. With ``start_at_ms`` it begins to wait then; it ends
    when it has waited ``max_wait_ms`` (None: the queue's).
    """

    message: Message
    queue: str | None = None
    priority: int | None = None
    requirement: str | None = None
    interaction_id: str | None = None
    steps: tuple[OwnStep, ...] = ()
    delivery_key: str | None = None
    joins_only: bool = False
    start_at_ms: int | None = None
    max_wait_ms: int | None = None


class Quarantine(_Wire, frozen=True, tag="quarantine"):
    """Keep a message that cannot be trusted or understood, with its reason; never route it."""

    message: Message
    reason: str
    interaction_id: str | None = None
    delivery_key: str | None = None


class Update(_Wire, frozen=True, tag="update"):
    """Change what was said: a new text, a deletion, or the news that the customer has gone.

    ``message`` names the message or thread that it is about. ``is_numbered``: the delivery key
    is made of the provider's own id of the delivery, so the same key is surely a repeat.
    """

    message: Message
    update: UpdateKind
    reason: str = ""
    delivery_key: str | None = None
    is_numbered: bool = False


class Abandon(_Wire, frozen=True, tag="abandon"):
    """The customer has gone: abandoned while it waits, wrapped up when an agent has it."""

    interaction_id: str
    reason: str = ""


class Cancel(_Wire, frozen=True, tag="cancel"):
    """Take an interaction out, whatever its state: a supervisor's or the system's decision."""

    interaction_id: str
    reason: str = ""
    actor: str = ""


class Reprioritize(_Wire, frozen=True, tag="reprioritize"):
    """Change the place of an interaction in the waiting order, at once.

    By another ``priority``, by another position age (``enqueued_at_ms``; at most now counts), or
    both; None: as it is. The age that is reported stays the true one.
    """

    interaction_id: str
    priority: int | None = None
    enqueued_at_ms: int | None = None
    actor: str = ""


class Move(_Wire, frozen=True, tag="move"):
    """Put a waiting or offered interaction into another queue, at its age.

    ``priority`` and ``requirement`` None: as they are.
    """

    interaction_id: str
    queue: str
    priority: int | None = None
    requirement: str | None = None
    actor: str = ""


class MoveAll(_Wire, frozen=True, tag="move_all"):
    """Put everything that waits or is offered in a queue into another."""

    queue: str
    to: str
    actor: str = ""


class CloseAll(_Wire, frozen=True, tag="close_all"):
    """Take everything out that waits or is offered in a queue."""

    queue: str
    reason: str = ""
    actor: str = ""


class Drain(_Wire, frozen=True, tag="drain"):
    """Let a queue take nothing new; what waits in it goes on."""

    queue: str
    actor: str = ""


class Reopen(_Wire, frozen=True, tag="reopen"):
    """Let a drained queue take work again."""

    queue: str
    actor: str = ""


class Assign(_Wire, frozen=True, tag="assign"):
    """Give a waiting or offered interaction to an agent, whatever rules and room say."""

    interaction_id: str
    agent_id: str
    actor: str = ""


class Pick(_Wire, frozen=True, tag="pick"):
    """An agent takes a waiting interaction that he may see."""

    interaction_id: str
    agent_id: str


class SignIn(_Wire, frozen=True, tag="sign_in"):
    """An agent begins to work; ``ready`` False signs in as not ready.

    With ``lease_ms`` he is signed out when he is not heard of (`Renew`) for so long.
    """

    agent: Agent
    ready: bool = True
    lease_ms: int | None = None


class Renew(_Wire, frozen=True, tag="renew"):
    """The agent's desktop is alive."""

    agent_id: str


class SignOut(_Wire, frozen=True, tag="sign_out"):
    """An agent leaves: his offers are revoked, his engaged work is requeued at its age."""

    agent_id: str
    reason: str = ""
    actor: str = ""


class SetReady(_Wire, frozen=True, tag="set_ready"):
    """An agent can be offered work. Done twice it changes nothing."""

    agent_id: str


class SetNotReady(_Wire, frozen=True, tag="set_not_ready"):
    """An agent is not offered work; open offers are revoked, engaged work stays."""

    agent_id: str
    reason: str = ""


class ChangeAgent(_Wire, frozen=True, tag="change_agent"):
    """Replace a signed-in agent's skills, groups, attributes and capacity at once."""

    agent: Agent


class Accept(_Wire, frozen=True, tag="accept"):
    """An agent takes an offer; from then on ``offer_id`` is the assignment's id."""

    offer_id: int


class Decline(_Wire, frozen=True, tag="decline"):
    """An agent refuses an offer; the queue's refusal policy says for how long."""

    offer_id: int
    reason: str = ""


class Revoke(_Wire, frozen=True, tag="revoke"):
    """Take an open offer back; the interaction waits again at its old place."""

    offer_id: int
    actor: str = ""


class Hold(_Wire, frozen=True, tag="hold"):
    """Put an engaged interaction on hold; it keeps its capacity."""

    assignment_id: int


class Resume(_Wire, frozen=True, tag="resume"):
    """Take a held interaction up again."""

    assignment_id: int


class Requeue(_Wire, frozen=True, tag="requeue"):
    """Give an engaged interaction back to its queue; it keeps its age."""

    assignment_id: int
    reason: str = ""


class Complete(_Wire, frozen=True, tag="complete"):
    """The conversation is over; wrap-up follows where the queue has one."""

    assignment_id: int
    code: str = ""


class FinishWrapUp(_Wire, frozen=True, tag="finish_wrap_up"):
    """The agent has finished the after-contact work before its time is up."""

    assignment_id: int


class Park(_Wire, frozen=True, tag="park"):
    """Set engaged work aside until then, until `Unpark` or until the customer writes again.

    It frees the agent's capacity, and comes back to him in front.
    """

    assignment_id: int
    until_ms: int | None = None


class Unpark(_Wire, frozen=True, tag="unpark"):
    """Let parked work wait for its agent again."""

    interaction_id: str
    actor: str = ""


class Transfer(_Wire, frozen=True, tag="transfer"):
    """Give an engaged interaction to a queue, to an agent, or to an agent by a queue's rules.

    ``priority`` and ``requirement`` None: as they are.
    """

    assignment_id: int
    queue: str | None = None
    agent_id: str | None = None
    priority: int | None = None
    requirement: str | None = None
    reason: str = ""


class Consult(_Wire, frozen=True, tag="consult"):
    """Ask a colleague (a queue's, or one agent) while the customer stays with the agent."""

    assignment_id: int
    queue: str | None = None
    agent_id: str | None = None
    priority: int | None = None
    requirement: str | None = None


class HandOver(_Wire, frozen=True, tag="hand_over"):
    """Give the customer to the colleague who is consulted; the consult is over."""

    assignment_id: int


class Confer(_Wire, frozen=True, tag="confer"):
    """Take the colleague who is consulted into the conversation with the customer."""

    assignment_id: int


class Escalate(_Wire, frozen=True, tag="escalate"):
    """Step from an engaged interaction to another channel, for the same agent.

    ``link`` is where customer and agent meet (a video room, say).
    """

    assignment_id: int
    channel: Channel
    link: str = ""
    queue: str | None = None


class RequestCallback(_Wire, frozen=True, tag="request_callback"):
    """The customer hangs up and keeps his place; an agent calls him at ``address``.

    ``due_at_ms`` None: when it is his turn; else not before.
    """

    interaction_id: str
    address: str = ""
    due_at_ms: int | None = None


class FailCallback(_Wire, frozen=True, tag="fail_callback"):
    """The agent called, and nobody answered: again later, as the queue says."""

    assignment_id: int
    reason: str = ""


class ExtendWrapUp(_Wire, frozen=True, tag="extend_wrap_up"):
    """The agent needs more time for the after-contact work."""

    assignment_id: int
    by_ms: int


class ChangePlan(_Wire, frozen=True, tag="change_plan"):
    """Go on by another plan, given as TOML text.

    ``to_waiting``: what waits begins its ladder anew under the new plan; else it goes on where it
    stands. ``moves``, (from, to) pairs, say where the work of queues goes, of those that the new
    plan has no more above all.
    """

    plan: str
    to_waiting: bool = False
    moves: tuple[tuple[str, str], ...] = ()
    actor: str = ""


class EraseCustomer(_Wire, frozen=True, tag="erase_customer"):
    """Forget who a customer is and what was said; his open interactions go on without it.

    ``keys`` are keys as `CustomersLinked` has them; all that are linked to one of them belong to
    the same customer. ``interaction_id`` names whoever is in that interaction, withheld or not.
    """

    keys: tuple[str, ...] = ()
    interaction_id: str | None = None
    actor: str = ""


class Tick(_Wire, frozen=True, tag="tick"):
    """Time has passed. Every command fires what is due; this one does nothing else.

    ``unattended``: nobody could be offered anything meanwhile (the router was down, or its
    process stood still), so nothing is offered before now.
    """

    unattended: bool = False


Command = (
    Submit
    | Quarantine
    | Update
    | Abandon
    | Cancel
    | Reprioritize
    | Move
    | MoveAll
    | CloseAll
    | Drain
    | Reopen
    | Renew
    | Assign
    | Pick
    | SignIn
    | SignOut
    | SetReady
    | SetNotReady
    | ChangeAgent
    | Accept
    | Decline
    | Revoke
    | Hold
    | Resume
    | Requeue
    | Complete
    | FinishWrapUp
    | ExtendWrapUp
    | Park
    | Unpark
    | Transfer
    | Consult
    | HandOver
    | Confer
    | Escalate
    | RequestCallback
    | FailCallback
    | ChangePlan
    | EraseCustomer
    | Tick
)

# --- events -----------------------------------------------------------------------------


class Queued(_Wire, frozen=True, tag="queued"):
    """An interaction began to wait. ``seq`` numbers interactions and breaks every tie."""

    at_ms: int
    interaction_id: str
    seq: int
    message: Message
    queue: str
    priority: int
    requirement: str | None = None
    steps: tuple[OwnStep, ...] = ()
    delivery_key: str | None = None
    max_wait_ms: int | None = None
    kind: Kind = Kind.CUSTOMER
    parent_id: str | None = None
    front: bool = False
    via: tuple[str, ...] = ()
    hint: str = ""


class Scheduled(_Wire, frozen=True, tag="scheduled"):
    """It does not wait before ``starts_at_ms``."""

    at_ms: int
    interaction_id: str
    starts_at_ms: int


class Started(_Wire, frozen=True, tag="started"):
    """A scheduled interaction begins to wait."""

    at_ms: int
    interaction_id: str


class Postponed(_Wire, frozen=True, tag="postponed"):
    """A callback starts later than it was due, because another one has just started."""

    at_ms: int
    interaction_id: str
    until_ms: int


class Rejected(_Wire, frozen=True, tag="rejected"):
    """A message was refused at the door, with the reason; nothing waits."""

    at_ms: int
    interaction_id: str
    message: Message
    reason: RejectReason
    queue: str | None = None
    text: str = ""
    hint: str = ""


class Quarantined(_Wire, frozen=True, tag="quarantined"):
    """A message was kept aside: not trusted, not understood, or its sender sends too much."""

    at_ms: int
    interaction_id: str
    message: Message
    reason: str
    delivery_key: str | None = None


class Duplicate(_Wire, frozen=True, tag="duplicate"):
    """A message or its delivery was seen before; ``interaction_id`` is what it was about then.

    ``delivery_key`` is given when the delivery is the repeat; ``interaction_id`` is "" when the
    first one was about no interaction.
    """

    at_ms: int
    channel: str
    message_id: str
    interaction_id: str
    delivery_key: str | None = None


class MessageAppended(_Wire, frozen=True, tag="message_appended"):
    """A message joined an open interaction; ``agent_id`` is who has it, if anyone."""

    at_ms: int
    interaction_id: str
    message: Message
    agent_id: str | None = None
    delivery_key: str | None = None


class MessageEdited(_Wire, frozen=True, tag="message_edited"):
    """The customer changed a message of an open interaction; ``message`` is it from now on."""

    at_ms: int
    interaction_id: str
    message: Message
    agent_id: str | None = None
    delivery_key: str | None = None


class MessageRedacted(_Wire, frozen=True, tag="message_redacted"):
    """The customer deleted a message of an open interaction: its content is gone.

    Without a ``message_id``: that of all its messages.
    What the journal keeps of it is a matter of the journal's retention.
    """

    at_ms: int
    interaction_id: str
    message_id: str
    agent_id: str | None = None
    delivery_key: str | None = None


class UpdateNoted(_Wire, frozen=True, tag="update_noted"):
    """An update was taken, so that its repeat does nothing.

    ``interaction_id`` is what it is about, "" when no open interaction was found; ``reason``
    says why nothing changed. ``message_key`` is the key of a message that was deleted before
    it came.
    """

    at_ms: int
    channel: Channel
    update: UpdateKind
    interaction_id: str
    delivery_key: str | None = None
    message_key: str | None = None
    reason: NotApplied | None = None


class CustomersLinked(_Wire, frozen=True, tag="customers_linked"):
    """A customer is known by more keys from now on; ``merged`` are ids that are his from now on.

    Ids and keys are digests, so that this event spreads no address.
    """

    at_ms: int
    customer_id: str
    keys: tuple[str, ...]
    merged: tuple[str, ...] = ()


class CustomerErased(_Wire, frozen=True, tag="customer_erased"):
    """A customer was forgotten; ``redacted`` are the open interactions and which messages of each.

    ``keys`` are all keys that he was known by; a sealed journal does not keep them.
    """

    at_ms: int
    keys: tuple[str, ...] = ()
    redacted: tuple[tuple[str, tuple[int, ...]], ...] = ()


class StepReached(_Wire, frozen=True, tag="step_reached"):
    """A waiting interaction moved to another step of its ladder (0-based)."""

    at_ms: int
    interaction_id: str
    step: int


class AccessWidened(_Wire, frozen=True, tag="access_widened"):
    """Agents whose delay for the queue has passed may take it too: its n-th opening."""

    at_ms: int
    interaction_id: str
    opening: int


class Reprioritized(_Wire, frozen=True, tag="reprioritized"):
    """The place of an interaction in the waiting order changed.

    ``for_step``: the priority is that of the step it is at; it still has its own.
    """

    at_ms: int
    interaction_id: str
    priority: int
    enqueued_at_ms: int
    for_step: bool = False


class Moved(_Wire, frozen=True, tag="moved"):
    """A waiting interaction is in another queue now, at its age, at the start of that ladder."""

    at_ms: int
    interaction_id: str
    queue: str
    priority: int
    requirement: str | None = None


class RefusalsReset(_Wire, frozen=True, tag="refusals_reset"):
    """Agents who declined may be offered the interaction again; ``agent_id`` None: all."""

    at_ms: int
    interaction_id: str
    agent_id: str | None = None


class Abandoned(_Wire, frozen=True, tag="abandoned"):
    """The customer went away before an agent took the interaction."""

    at_ms: int
    interaction_id: str
    reason: str = ""


class Cancelled(_Wire, frozen=True, tag="cancelled"):
    """The interaction was taken out."""

    at_ms: int
    interaction_id: str
    reason: str = ""


class Offered(_Wire, frozen=True, tag="offered"):
    """An interaction is held out to one agent until ``expires_at_ms``; it holds capacity."""

    at_ms: int
    offer_id: int
    interaction_id: str
    agent_id: str
    expires_at_ms: int
    how: OfferKind = OfferKind.MATCHED
    over_capacity: bool = False


class Accepted(_Wire, frozen=True, tag="accepted"):
    """The agent took it; the offer is now an assignment with the same id."""

    at_ms: int
    offer_id: int
    interaction_id: str
    agent_id: str


class Declined(_Wire, frozen=True, tag="declined"):
    """The agent refused; he is barred until ``again_at_ms`` (None: not at all, -1: until reset)."""

    at_ms: int
    offer_id: int
    interaction_id: str
    agent_id: str
    reason: str = ""
    again_at_ms: int | None = None


class Expired(_Wire, frozen=True, tag="expired"):
    """The agent let the offer run out (redirect on no answer)."""

    at_ms: int
    offer_id: int
    interaction_id: str
    agent_id: str


class Revoked(_Wire, frozen=True, tag="revoked"):
    """The offer was taken back by the system or the customer; `again_at_ms` as in `Declined`."""

    at_ms: int
    offer_id: int
    interaction_id: str
    agent_id: str
    reason: RevokeReason
    again_at_ms: int | None = None


class Held(_Wire, frozen=True, tag="held"):
    """The agent put the customer on hold."""

    at_ms: int
    assignment_id: int
    interaction_id: str


class Resumed(_Wire, frozen=True, tag="resumed"):
    """The agent took the customer off hold."""

    at_ms: int
    assignment_id: int
    interaction_id: str


class Requeued(_Wire, frozen=True, tag="requeued"):
    """An engaged interaction waits again; `again_at_ms` as in `Declined`.

    ``enqueued_at_ms`` None: at its old place.
    """

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    reason: str = ""
    again_at_ms: int | None = None
    enqueued_at_ms: int | None = None


class Parked(_Wire, frozen=True, tag="parked"):
    """The agent set it aside; he owns it, his capacity is free. ``until_ms`` None: no end."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    until_ms: int | None = None


class Unparked(_Wire, frozen=True, tag="unparked"):
    """It waits again, in front, first for ``agent_id`` alone; ``steps`` are its own now."""

    at_ms: int
    interaction_id: str
    agent_id: str
    steps: tuple[OwnStep, ...]


class Transferred(_Wire, frozen=True, tag="transferred"):
    """The agent gave it to this queue, or to an agent by ``steps``; `again_at_ms` as ever."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    queue: str
    priority: int
    requirement: str | None = None
    steps: tuple[OwnStep, ...] = ()
    reason: str = ""
    again_at_ms: int | None = None


class HandedOver(_Wire, frozen=True, tag="handed_over"):
    """The colleague ``to_agent_id`` has the customer now, as assignment ``offer_id``."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    to_agent_id: str
    offer_id: int


class Conferenced(_Wire, frozen=True, tag="conferenced"):
    """The agent and the colleague of the consult both have the customer."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    consult_id: str


class CallbackRequested(_Wire, frozen=True, tag="callback_requested"):
    """The customer has hung up and keeps his place; ``due_at_ms`` None: no sooner or later."""

    at_ms: int
    interaction_id: str
    address: str = ""
    due_at_ms: int | None = None


class CallbackFailed(_Wire, frozen=True, tag="callback_failed"):
    """Nobody answered; it is scheduled again for ``due_at_ms``."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    due_at_ms: int
    reason: str = ""


class WrapUpExtended(_Wire, frozen=True, tag="wrap_up_extended"):
    """The wrap-up ends later than it was to."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    until_ms: int


class WrapUpStarted(_Wire, frozen=True, tag="wrap_up_started"):
    """The customer has gone, the agent still works on it; ``until_ms`` None: open end."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    until_ms: int | None
    code: str = ""


class Completed(_Wire, frozen=True, tag="completed"):
    """The interaction is finished and its capacity is free."""

    at_ms: int
    assignment_id: int
    interaction_id: str
    agent_id: str
    code: str = ""


class PlanChanged(_Wire, frozen=True, tag="plan_changed"):
    """The engine goes on by this plan; ``version`` counts the changes."""

    at_ms: int
    version: int
    plan: str


class QueueDrained(_Wire, frozen=True, tag="queue_drained"):
    """A queue takes nothing new."""

    at_ms: int
    queue: str


class QueueReopened(_Wire, frozen=True, tag="queue_reopened"):
    """A drained queue takes work again."""

    at_ms: int
    queue: str


class LeaseRenewed(_Wire, frozen=True, tag="lease_renewed"):
    """The agent was heard of; he is signed out at ``until_ms`` if not before then again."""

    at_ms: int
    agent_id: str
    until_ms: int


class SignedIn(_Wire, frozen=True, tag="signed_in"):
    """An agent began to work, not ready yet; carries his skills, groups and capacity."""

    at_ms: int
    agent: Agent
    lease_ms: int | None = None


class SignedOut(_Wire, frozen=True, tag="signed_out"):
    """An agent left."""

    at_ms: int
    agent_id: str
    reason: str = ""


class BecameReady(_Wire, frozen=True, tag="became_ready"):
    """An agent can be offered work."""

    at_ms: int
    agent_id: str


class BecameNotReady(_Wire, frozen=True, tag="became_not_ready"):
    """An agent is not offered work any more."""

    at_ms: int
    agent_id: str
    reason: str = ""


class AgentChanged(_Wire, frozen=True, tag="agent_changed"):
    """A signed-in agent has other skills, groups, attributes or capacity from now on."""

    at_ms: int
    agent: Agent


class CommandRejected(_Wire, frozen=True, tag="command_rejected"):
    """A command could not be done; ``command`` is its wire name, ``subject`` what it named."""

    at_ms: int
    command: str
    subject: str
    reason: RejectReason


Event = (
    Queued
    | Rejected
    | Quarantined
    | Duplicate
    | MessageAppended
    | MessageEdited
    | MessageRedacted
    | UpdateNoted
    | CustomersLinked
    | CustomerErased
    | StepReached
    | Reprioritized
    | AccessWidened
    | Moved
    | RefusalsReset
    | Abandoned
    | Cancelled
    | Offered
    | Accepted
    | Declined
    | Expired
    | Revoked
    | Held
    | Resumed
    | Requeued
    | Parked
    | Unparked
    | Transferred
    | HandedOver
    | Conferenced
    | CallbackRequested
    | CallbackFailed
    | Scheduled
    | Started
    | Postponed
    | WrapUpStarted
    | WrapUpExtended
    | Completed
    | PlanChanged
    | QueueDrained
    | QueueReopened
    | LeaseRenewed
    | SignedIn
    | SignedOut
    | BecameReady
    | BecameNotReady
    | AgentChanged
    | CommandRejected
)
