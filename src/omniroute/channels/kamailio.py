"""Kamailio by evapi: netstrings with the JSON that your own configuration sends.

Which field means what is yours to say (`KamailioFields`). The default takes ``event``, ``callid``,
``from``, ``to`` and the transaction (``tindex``, ``tlabel``) by which the suspended call is
resumed; and the names of evapi's own documentation (``data`` around them, ``fU``, ``tU``,
``index``, ``label``). Events may come twice and out of order: all of a call share its Call-ID.
A routing document (``routes``) is the answer to Kamailio, not an event.

evapi has no authentication: it is bound to the loopback, and events from there are trusted.

https://www.kamailio.org/docs/modules/stable/modules/evapi.html
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .netstring import NetstringDecoder
from .payloads import as_dict, as_id, as_text, decode_json, quarantined, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, check_region, trunk_caller
from .verdicts import ignored, routed, update

__all__ = ["Kamailio", "KamailioFields"]


def _names(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """One field name or several, the first that is there counts."""
    return (value,) if isinstance(value, str) else tuple(value)


def _field(*names: str) -> tuple[str, ...]:
    """The default of a field of the map."""
    return attrs.field(default=names, converter=_names)


@attrs.frozen(kw_only=True)
class KamailioFields:
    """Which JSON fields hold what, and which events mean what.

    Each of the first nine is a name or several; the first that is there counts, inside
    ``data`` first. ``opening``, ``ending`` and ``states`` are values of the event field, in lower
    case; ``attributes`` are further fields worth routing on. A call that could not be resumed, or
    that no agent's phone took, has ended.
    """

    event: tuple[str, ...] = _field("event")
    call_id: tuple[str, ...] = _field("callid", "call_id", "ci")
    caller: tuple[str, ...] = _field("from", "fU", "caller")
    caller_name: tuple[str, ...] = _field("from_name", "fn")
    dialled: tuple[str, ...] = _field("to", "tU", "rU", "callee")
    index: tuple[str, ...] = _field("tindex", "index")
    label: tuple[str, ...] = _field("tlabel", "label")
    at_s: tuple[str, ...] = _field("at", "time")
    source: tuple[str, ...] = _field("srcip", "si")
    opening: frozenset[str] = frozenset({"new", "call", "invite", "sip-routing"})
    ending: frozenset[str] = frozenset(
        [
            "bye",
            "cancel",
            "canceled",
            "cancelled",
            "ended",
            "hangup",
            "no-agent",
            "resume-failed",
        ]
    )
    states: frozenset[str] = frozenset({"answered", "failed", "rejected", "ringing", "routed"})
    attributes: tuple[str, ...] = ("user_agent", "reason", "code")


@attrs.frozen(kw_only=True)
class Kamailio:
    """Calls that Kamailio suspends and tells by evapi.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    """

    name: str = "kamailio"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    fields: KamailioFields = attrs.field(factory=KamailioFields)

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Nothing is signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("evapi is not signed; connect to it on the loopback yourself")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """One value per netstring, or of bare JSON. Raises `PayloadError` when there is none."""
        at_ms = request.received_at_ms
        if request.body.lstrip()[:1] in {b"{", b"["}:
            return [self.read(request.body, at_ms)]
        decoder = NetstringDecoder(self.limit_bytes)
        payloads = decoder.feed(request.body)
        if not payloads:
            raise PayloadError("there is no complete netstring")
        return [self._each(payload, at_ms) for payload in payloads]

    def _each(self, payload: bytes, received_at_ms: int | None) -> Inbound:
        """One message; one that cannot be understood does not lose the others."""
        try:
            return self.read(payload, received_at_ms)
        except PayloadError as error:
            return quarantined(self.channel, str(error), payload, received_at_ms=received_at_ms)

    def read(self, payload: bytes, received_at_ms: int | None = None) -> Inbound:
        """What one message of evapi means.

        Raises:
            PayloadError: no JSON object, or an event that names no call.
        """
        outer = decode_json(payload)
        inner = as_dict(outer.get("data"))
        fields = {**outer, **inner}
        message = self._message(fields, received_at_ms)
        event = as_text(_value(outer, self.fields.event) or _value(fields, self.fields.event), 64)
        event = event.strip().lower()
        if not event:
            if "routes" in fields:
                return ignored(message, "a routing document: an answer, not an event")
            raise PayloadError("the message names no event")
        known = self.fields.opening | self.fields.ending | self.fields.states
        if event not in known:
            return ignored(message, f"event {event!r} is not read")
        if message.thread_id is None:
            raise PayloadError(f"the event {event!r} names no call")
        if event in self.fields.opening:
            return routed(message)
        ends = event in self.fields.ending
        return update(message, UpdateKind.ENDED if ends else UpdateKind.STATE)

    def _message(self, fields: dict[str, object], received_at_ms: int | None) -> Message:
        """The call in the common shape."""
        number = _value(fields, self.fields.caller)
        name = as_text(_value(fields, self.fields.caller_name), 256).strip('" ')
        customer = trunk_caller(number, name, self.default_region) if number else Customer()
        attributes: dict[str, Attribute] = {
            name: value
            for name, names in (
                ("event", self.fields.event),
                ("transaction_index", self.fields.index),
                ("transaction_label", self.fields.label),
                ("source_ip", self.fields.source),
                *((name, (name,)) for name in self.fields.attributes),
            )
            if (value := _value(fields, names)[:256])
        }
        if not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        call = _value(fields, self.fields.call_id)
        return Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call or None,
            message_id=call or None,
            to=_value(fields, self.fields.dialled)[:256],
            attributes=attributes,
            sent_at_ms=seconds(_value(fields, self.fields.at_s)),
            received_at_ms=received_at_ms,
        )


def _value(fields: dict[str, object], names: tuple[str, ...]) -> str:
    """The first of the fields that holds something."""
    return next((value for name in names if (value := as_id(fields.get(name)))), "")
