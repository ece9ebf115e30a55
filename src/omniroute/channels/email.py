"""E-mail: the bytes of one message in, one `Inbound` out.

- Customer: the first mailbox in From, in lower case. Without one the mail is quarantined;
  Reply-To is noted, never trusted as identity.
- Message id: Message-ID as it stands; without one a digest of From, Date, Subject and body,
  so a repeated delivery is still recognised.
- Thread: the first of References, else In-Reply-To, else its own id. A mail inside a thread
  is `Disposition.APPEND`: it joins the thread, or opens one when the thread is not known.
- Mail by machines is told apart in `email_machine`, limits stand in `email_limits`.

Nothing in a mail proves who sent it. Authentication-Results may be trusted only when one's
own mail server wrote it and strips others, so it is not read here.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import msgspec

from ..errors import SignatureError
from ..model import (
    Address,
    AddressKind,
    Attribute,
    Channel,
    Customer,
    Disposition,
    Inbound,
    Message,
)
from .email_address import Mailbox, mailboxes
from .email_decode import decode_header
from .email_headers import Head, date_ms, message_ids, read_head
from .email_limits import EmailLimits
from .email_machine import classify
from .email_mime import Tree, read_tree, unix_lines
from .email_text import Content, read_content
from .payloads import clean, quarantined, stable_id
from .protocol import Reply, Secrets, WebhookRequest

__all__ = ["Email"]

#: What is worth routing on, and the attribute it becomes.
_ATTRIBUTES = {
    "sender": "sender",
    "importance": "importance",
    "x-priority": "priority",
    "list-id": "list_id",
    "auto-submitted": "auto_submitted",
    "return-path": "return_path",
    "user-agent": "mailer",
    "x-mailer": "mailer",
}
_MAX_ATTRIBUTE = 512
_LIMIT_REASONS = {
    "header_bytes": "the header is too large",
    "parts": "the mail has too many parts",
    "depth": "the mail is nested too deep",
}


def _lowered(addresses: Iterable[str]) -> frozenset[str]:
    """Addresses as they are compared."""
    return frozenset(address.strip().lower() for address in addresses)


@attrs.frozen(kw_only=True)
class Email:
    """Internet mail. It has no signature: it is received by SMTP or IMAP, not by webhook.

    ``own_addresses`` are the mailboxes we write from: mail from them is our own, and would
    otherwise let a mailbox that mails itself merge everything into one thread.
    """

    name: str = "email"
    channel: Channel = Channel.EMAIL
    content_types: tuple[str, ...] = ("message/rfc822",)
    own_addresses: frozenset[str] = attrs.field(default=frozenset(), converter=_lowered)
    limits: EmailLimits = attrs.field(factory=EmailLimits)

    @property
    def limit_bytes(self) -> int:
        """The largest mail that is accepted."""
        return self.limits.message_bytes

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Mail is not signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("mail cannot be verified; receive it by SMTP or IMAP")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Mail has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one mail in the body. Raises nothing: what cannot be read is quarantined."""
        return [self.read(request.body, received_at_ms=request.received_at_ms)]

    def read(
        self,
        raw: bytes,
        *,
        received_at_ms: int | None = None,
        envelope_from: str | None = None,
        envelope_to: tuple[str, ...] = (),
    ) -> Inbound:
        """Read one mail. Linear in its size, bounded by the limits, never raises.

        Args:
            raw: the message as it arrived, any line ends.
            received_at_ms: our clock at receipt.
            envelope_from: the SMTP sender, "" for the null sender, None when unknown.
            envelope_to: the SMTP recipients that are ours.
        """
        if not raw.strip():
            return quarantined(
                Channel.EMAIL, "the mail is empty", raw, received_at_ms=received_at_ms
            )
        if len(raw) > self.limits.message_bytes:
            return self._too_large(raw, received_at_ms, envelope_to)
        lines = unix_lines(raw)
        tree = read_tree(lines, self.limits)
        content = read_content(tree.root, self.limits)
        message, sender = self._message(tree.root.head, lines, content, envelope_to)
        message = msgspec.structs.replace(message, received_at_ms=received_at_ms)
        return self._judged(message, sender, tree, envelope_from)

    def _judged(
        self, message: Message, sender: Mailbox | None, tree: Tree, envelope_from: str | None
    ) -> Inbound:
        """Say what the mail means: a limit first, then machines, then people."""
        if tree.broken_limit:
            return Inbound(
                disposition=Disposition.QUARANTINE,
                message=message,
                reason=_LIMIT_REASONS[tree.broken_limit],
            )
        address = sender.address if sender else ""
        name = sender.name if sender else ""
        machine = classify(tree, address, name, message.subject, message.text, envelope_from)
        if machine is not None:
            return Inbound(disposition=machine[0], message=message, reason=machine[1])
        if sender is None:
            return Inbound(
                disposition=Disposition.QUARANTINE,
                message=message,
                reason="From names no usable sender",
            )
        if address in self.own_addresses:
            return Inbound(
                disposition=Disposition.OWN, message=message, reason="sent by one of our mailboxes"
            )
        inside = message.thread_id != message.message_id
        return Inbound(
            disposition=Disposition.APPEND if inside else Disposition.CREATE, message=message
        )

    def _message(
        self, head: Head, lines: bytes, content: Content, envelope_to: tuple[str, ...]
    ) -> tuple[Message, Mailbox | None]:
        """The message in the common shape, and who sent it."""
        senders, _ = mailboxes(head.value("from"), 10)
        sender = senders[0] if senders else None
        recipients, many = mailboxes(_joined(head, "to"), self.limits.addresses)
        message_id = _own_id(head, lines)
        references = message_ids(_joined(head, "references"), self.limits.references)
        references = references or message_ids(_joined(head, "in-reply-to"), 1)
        attributes = self._attributes(head, content, sender, envelope_to, many=many)
        shown_to = recipients[0].address if recipients else head.value("delivered-to").lower()
        message = Message(
            channel=Channel.EMAIL,
            customer=_customer(sender),
            thread_id=references[0] if references else message_id,
            message_id=message_id,
            to=(envelope_to[0].lower() if envelope_to else shown_to)[:320],
            subject=clean(head.text("subject"))[:2000],
            text=content.text,
            links=tuple(content.links),
            attachments=tuple(content.attachments),
            attributes=attributes,
            sent_at_ms=date_ms(head.value("date")),
        )
        return message, sender

    def _attributes(
        self,
        head: Head,
        content: Content,
        sender: Mailbox | None,
        envelope_to: tuple[str, ...],
        *,
        many: bool,
    ) -> dict[str, Attribute]:
        """What triage may want to know beside the text."""
        found: dict[str, Attribute] = {}
        for field, name in _ATTRIBUTES.items():
            value = head.text(field)[:_MAX_ATTRIBUTE]
            if value and name not in found:
                found[name] = value
        reply_to, _ = mailboxes(head.value("reply-to"), 1)
        if reply_to and (sender is None or reply_to[0].address != sender.address):
            found["reply_to"] = reply_to[0].address
        copies, many_copies = mailboxes(_joined(head, "cc"), self.limits.addresses)
        if copies:
            found["cc"] = tuple(mailbox.address for mailbox in copies[:50])
        if envelope_to:
            found["envelope_to"] = envelope_to[:50]
        relayed = head.fields.get("received", [])
        relayed_at = date_ms(_after_semicolon(relayed[0])) if relayed else None
        if relayed_at is not None:
            found["relayed_at_ms"] = relayed_at
        cut = {"header": head.cut, "addresses": many or many_copies, "text": content.cut}
        if any(cut.values()):
            found["cut"] = tuple(name for name, was_cut in cut.items() if was_cut)
        return found

    def _too_large(
        self, raw: bytes, received_at_ms: int | None, envelope_to: tuple[str, ...]
    ) -> Inbound:
        """A mail over the size limit: its header is read, its body is not."""
        opening = unix_lines(raw[: self.limits.header_bytes])
        head, _ = read_head(opening, 0, len(opening), self.limits)
        message, _ = self._message(head, opening, Content(), envelope_to)
        message = msgspec.structs.replace(message, received_at_ms=received_at_ms)
        reason = f"the mail is larger than {self.limits.message_bytes} bytes"
        return Inbound(disposition=Disposition.QUARANTINE, message=message, reason=reason)


def _customer(sender: Mailbox | None) -> Customer:
    """The sender as a customer."""
    if sender is None:
        return Customer()
    address = Address(AddressKind.EMAIL, sender.address)
    return Customer(id=sender.address, name=sender.name, addresses=(address,))


def _joined(head: Head, name: str) -> str:
    """All values of a field that may come several times, as one list."""
    return ", ".join(decode_header(raw) for raw in head.fields.get(name, ()))


def _own_id(head: Head, lines: bytes) -> str:
    """Message-ID as it stands, or a stable id made of what makes the mail this mail."""
    value = head.value("message-id")
    if value:
        found = message_ids(value, 1)
        return clean(found[0] if found else value)[:998]
    body = lines.partition(b"\n\n")[2]
    return stable_id(head.value("from"), head.value("date"), head.value("subject"), body)


def _after_semicolon(raw: bytes) -> str:
    """The date of a Received field."""
    return raw.rpartition(b";")[2].decode("ascii", "replace")
