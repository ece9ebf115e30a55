"""Amazon Connect: contact events, contact records, and the event of a contact flow.

A contact is one leg; all legs of a customer's contact share ``InitialContactId``. `INITIATED` of
an inbound contact opens an interaction, without a customer: only the Lambda event of a contact
flow and the contact record name the caller. Transfers, callbacks and calls we place have
other initiation methods. Events come unordered and at best effort, records at least once and
again for months when they change (the newer ``LastUpdateTimestamp`` is the delivery id). The
case of keys and values varies between the three.

Nothing is signed by Connect; access is by IAM. An EventBridge API destination sends a header
with a key of your choice: `Secrets.signing` holds its value, ``key_header`` its name.

https://docs.aws.amazon.com/connect/latest/adminguide/contact-events.html
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .payloads import as_dict, as_id, as_text, decode_json
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import require_match
from .telephone import caller, check_region
from .times import rfc3339
from .verdicts import ignored, own, routed, update

__all__ = ["AmazonConnect"]

_CHANNELS = {
    "voice": Channel.VOICE,
    "telephony": Channel.VOICE,
    "chat": Channel.CHAT,
    "email": Channel.EMAIL,
}
_INBOUND = frozenset({"INBOUND", "WEBRTC_API"})

_ATTRIBUTES = {
    "eventtype": "event",
    "channel": "connect_channel",
    "initiationmethod": "initiation_method",
    "previouscontactid": "previous_contact_id",
    "relatedcontactid": "related_contact_id",
    "instancearn": "instance_arn",
    "disconnectreason": "disconnect_reason",
    "languagecode": "language_code",
}


def _folded(value: object) -> dict[str, object]:
    """An object with its keys in lower case: their case varies."""
    return {key.lower(): item for key, item in as_dict(value).items()}


def _address(contact: dict[str, object], key: str) -> str:
    """The address of an endpoint."""
    return as_text(_folded(contact.get(key)).get("address"), 256)


@attrs.frozen(kw_only=True)
class AmazonConnect:
    """Amazon Connect by EventBridge, Kinesis or Lambda.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    ``key_header`` is the header in which your EventBridge API destination sends its key.
    """

    name: str = "amazon_connect"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    key_header: str = "X-Api-Key"

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the key of the API destination; raises `SignatureError`."""
        given = request.header(self.key_header)
        require_match(secrets, given, lambda key: [key], header=self.key_header)

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Amazon Connect has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event. Raises `PayloadError` when it is none of the three."""
        outer = _folded(decode_json(request.body))
        flow = _folded(_folded(outer.get("details")).get("contactdata"))
        detail = _folded(outer.get("detail"))
        contact = flow or detail or outer
        if not as_id(contact.get("contactid")):
            raise PayloadError("the event names no contact: ContactId is missing")
        kind = as_text(contact.get("eventtype"), 64).upper()
        record = not flow and not kind
        delivery = as_id(outer.get("id"))
        if record:
            updated = as_text(contact.get("lastupdatetimestamp"), 64)
            delivery = f"{as_id(contact.get('contactid'))}@{updated}" if updated else ""
        message = self._message(contact, outer, request.received_at_ms)
        opens = bool(flow) or kind == "INITIATED"
        return [self._judged(contact, message, delivery, opens=opens, record=record)]

    def _message(
        self,
        contact: dict[str, object],
        outer: dict[str, object],
        received_at_ms: int | None,
    ) -> Message:
        """The contact in the common shape."""
        number = _address(contact, "customerendpoint")
        leg = as_id(contact.get("contactid"))
        attributes: dict[str, Attribute] = {
            name: value
            for key, name in _ATTRIBUTES.items()
            if (value := as_id(contact.get(key))[:256])
        }
        queue = _folded(contact.get("queueinfo")) or _folded(contact.get("queue"))
        if name := as_text(queue.get("name"), 256) or as_text(queue.get("queuearn"), 256):
            attributes["connect_queue"] = name
        kind = as_text(contact.get("channel"), 32).lower()
        at = outer.get("time") or contact.get("initiationtimestamp")
        return Message(
            channel=_CHANNELS.get(kind, self.channel),
            customer=caller(number, "", self.default_region) if number else Customer(),
            thread_id=as_id(contact.get("initialcontactid")) or leg,
            message_id=leg,
            to=_address(contact, "systemendpoint"),
            attributes=attributes,
            sent_at_ms=rfc3339(contact.get("initiationtimestamp")) if not at else rfc3339(at),
            received_at_ms=received_at_ms,
        )

    @staticmethod
    def _judged(
        contact: dict[str, object], message: Message, delivery: str, *, opens: bool, record: bool
    ) -> Inbound:
        """What the event means."""
        kind = as_text(contact.get("channel"), 32).lower()
        if kind and kind not in _CHANNELS:
            return ignored(message, f"a contact of kind {kind!r} has no customer", delivery)
        # A written example lists the choices with bars between; the first one counts.
        method = as_text(contact.get("initiationmethod"), 64).partition("|")[0].strip().upper()
        inbound = method in _INBOUND or (method == "API" and message.channel is Channel.CHAT)
        if opens and inbound:
            return routed(message, delivery_id=delivery)
        if opens:
            return own(message, f"a leg by {method or 'an unknown method'}", delivery)
        over = record and bool(contact.get("disconnecttimestamp"))
        over = over or as_text(contact.get("eventtype"), 64).upper() in {
            "DISCONNECTED",
            "COMPLETED",
        }
        return update(message, UpdateKind.ENDED if over else UpdateKind.STATE, delivery)
