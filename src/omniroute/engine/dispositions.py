"""What is to be done with a provider's event: the one place that reads the plan's dispositions.

`command_of` turns an event into the command that its policy asks for, or into none. Only the
command goes into the journal, so what was once decided stays, whatever the plan says later, and
what is only counted costs the journal nothing.
"""

from __future__ import annotations

import hashlib

import msgspec

from ..events import Command, Quarantine, Submit, Update
from ..model import Disposition, Inbound, Message, UpdateKind
from ..plan import DispositionAction, Plan, disposition_name

__all__ = ["command_of", "delivery_key"]

#: The dispositions whose events are messages of their own, with an id of their own; all others
#: are about another message and name its id, unless `Inbound.target` does.
_MESSAGES = frozenset(
    {
        Disposition.CREATE,
        Disposition.APPEND,
        Disposition.OWN,
        Disposition.AUTO,
        Disposition.BOUNCE,
        Disposition.REPORT,
        Disposition.BULK,
        Disposition.QUARANTINE,
    }
)


def command_of(plan: Plan, inbound: Inbound) -> Command | None:
    """The command for an event, None when it is only to be counted. 1 to 4 us."""
    policy = plan.disposition(inbound)
    action = policy.action
    if action is DispositionAction.IGNORE:
        return None
    key = delivery_key(inbound)
    message, reason = inbound.message, inbound.reason
    if action is DispositionAction.APPLY:
        kind = inbound.update or UpdateKind.STATE
        if inbound.target is not None:
            message = msgspec.structs.replace(message, message_id=inbound.target)
        return Update(message, kind, reason, key, inbound.delivery_id is not None)
    message = _of_its_own(inbound)
    if action is DispositionAction.QUARANTINE:
        return Quarantine(message, reason or disposition_name(inbound), delivery_key=key)
    joins_only = action is DispositionAction.APPEND
    return Submit(message, policy.queue, delivery_key=key, joins_only=joins_only)


def _of_its_own(inbound: Inbound) -> Message:
    """The message of an event, without the id when that is another message's."""
    message = inbound.message
    if inbound.target is not None:
        attributes = {**message.attributes, "about": inbound.target}
        return msgspec.structs.replace(message, attributes=attributes)
    if message.message_id is None or inbound.disposition in _MESSAGES:
        return message
    attributes = {**message.attributes, "about": message.message_id}
    return msgspec.structs.replace(message, message_id=None, attributes=attributes)


def delivery_key(inbound: Inbound) -> str | None:
    """What tells a repeat of the delivery, None when nothing would.

    A digest of the provider's id of the delivery, scoped by sender and thread, so that two bots
    whose deliveries are counted alike never hide each other's. Without such an id a message is
    told by its own id, and an update by a digest of what it says: mostly it names the message that
    it is about, whose id says nothing of whether the update was seen.
    """
    message = inbound.message
    parts = [message.customer.id, message.thread_id or "", inbound.delivery_id or ""]
    if inbound.delivery_id is None:
        if inbound.disposition in _MESSAGES:
            return None
        if message.message_id is None and message.sent_at_ms is None:
            return None
        said = (message.message_id or "", str(message.sent_at_ms), message.subject, message.text)
        parts += [disposition_name(inbound), *said, *(file.url for file in message.attachments)]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return f"d{digest.hexdigest()}"
