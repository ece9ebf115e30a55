"""Asterisk by AMI: the events of the manager connection that you log in to.

A call is ``Linkedid`` (older: ``Uniqueid``) and its caller's leg the channel whose ``Uniqueid`` it
is. `Newchannel` opens it. Legs that Asterisk dials have another ``Uniqueid``; ``Local/`` channels
and legs that start ``Down`` without an extension are originated. ``<unknown>`` means none.

Nothing is signed: it is your own connection. `normalize` takes any number of events in one
body; `omniroute.channels.ami` cuts a stream into them.

https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .ami import AmiBlock, AmiDecoder
from .payloads import as_text, seconds
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, check_region, trunk_caller
from .verdicts import ignored, lifecycle, own, routed, update

__all__ = ["AsteriskAmi"]

_ENDED = frozenset(["hangup", "queuecallerabandon"])
_STATES = frozenset(
    [
        "agentcalled",
        "agentcomplete",
        "agentconnect",
        "agentringnoanswer",
        "bridgeenter",
        "bridgeleave",
        "cdr",
        "cel",
        "dial",
        "dialbegin",
        "dialend",
        "dialstate",
        "dtmf",
        "dtmfbegin",
        "dtmfend",
        "hanguprequest",
        "hold",
        "join",
        "leave",
        "musiconhold",
        "musiconholdstart",
        "musiconholdstop",
        "newaccountcode",
        "newcallerid",
        "newconnectedline",
        "newexten",
        "newstate",
        "queuecallerjoin",
        "queuecallerleave",
        "rename",
        "rtcpreceived",
        "rtcpsent",
        "softhanguprequest",
        "unhold",
        "varset",
    ]
)
_ATTRIBUTES = {
    "Event": "event",
    "Channel": "channel_name",
    "ChannelStateDesc": "channel_state",
    "Context": "context",
    "AccountCode": "account_id",
    "Queue": "queue",
    "Position": "position",
    "Language": "channel_language",
    "Cause-txt": "cause",
    "Uniqueid": "leg_id",
}


def _value(block: AmiBlock, *keys: str) -> str:
    """A value, "" for what Asterisk writes when there is none."""
    found = as_text(block.get(*keys), 1024)
    return "" if found.lower() in {"<unknown>", "(null)", "<none>"} else found


def _is_own(block: AmiBlock, leg: str, call: str) -> str:
    """Why this leg is ours, or "" when a customer is on it."""
    if _value(block, "Channel").lower().startswith("local/"):
        return "a Local channel"
    if leg and call != leg:
        return "a leg of another call"
    state = _value(block, "ChannelStateDesc", "State").lower()
    if state == "down" and not _value(block, "Exten"):
        return "a leg that we originated"
    return ""


@attrs.frozen(kw_only=True)
class AsteriskAmi:
    """The Asterisk Manager Interface.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    """

    name: str = "asterisk_ami"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("text/plain",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Nothing is signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("AMI events are not signed; log in to Asterisk yourself")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """One value per block. Raises `PayloadError` when there is none."""
        decoder = AmiDecoder()
        blocks = decoder.feed(request.body) + decoder.close()
        if not any(block.get("Event", "Response") for block in blocks):
            raise PayloadError("there is no manager event")
        return [self.read(block, request.received_at_ms) for block in blocks]

    def read(self, block: AmiBlock, received_at_ms: int | None = None) -> Inbound:
        """What one block means. Never raises."""
        kind = _value(block, "Event")
        leg = _value(block, "Uniqueid")
        call = _value(block, "Linkedid") or leg
        opens = kind.lower() == "newchannel"
        ours = _is_own(block, leg, call) if opens else ""
        customer = Customer()
        number = _value(block, "CallerIDNum", "CallerIDNumber", "CallerID")
        if leg == call and not ours:
            name = _value(block, "CallerIDName")
            customer = trunk_caller(number, name, self.default_region)
        attributes: dict[str, Attribute] = {
            name: value[:256] for key, name in _ATTRIBUTES.items() if (value := _value(block, key))
        }
        if opens and not ours and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call or None,
            message_id=leg or call or None,
            to=_value(block, "Exten", "Extension"),
            attributes=attributes,
            sent_at_ms=seconds(_value(block, "Timestamp")),
            received_at_ms=received_at_ms,
        )
        return self._judged(kind, message, ours)

    @staticmethod
    def _judged(kind: str, message: Message, ours: str) -> Inbound:
        """What an event of this kind means."""
        name = kind.lower()
        if not kind:
            return lifecycle(message, "a response, not an event")
        if ours:
            return own(message, ours)
        if name == "newchannel":
            if message.thread_id is None:
                return ignored(message, "a new channel without an id")
            return routed(message)
        if name in _ENDED:
            # Another leg may end while the caller goes on waiting.
            gone = message.message_id == message.thread_id
            return update(message, UpdateKind.ENDED if gone else UpdateKind.STATE)
        if name in _STATES:
            return update(message, UpdateKind.STATE)
        return ignored(message, f"event {kind[:40]!r} is not read")
