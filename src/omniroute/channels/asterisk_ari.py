"""Asterisk by ARI: one JSON event of the WebSocket that you open to it.

A call is the id of the caller's channel. `StasisStart` opens it, unless it continues another
channel (``replace_channel``, an attended transfer) or the leg is ours: a ``Local/`` channel, one
that is being dialled (`StasisStart` comes at ``dial()``, not at the answer), or one originated
with a mark in its ``args`` (see `own_args`).

Nothing is signed: it is your own connection. Events during a dropped WebSocket are lost, so
list ``/channels`` after a reconnect.

https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .payloads import as_dict, as_id, as_list, as_text, decode_json
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, check_region, trunk_caller
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, routed, update

__all__ = ["AsteriskAri"]

_ENDED = frozenset(["StasisEnd", "ChannelDestroyed", "ChannelHangupRequest"])
_STATES = frozenset(
    [
        "ChannelAnswered",
        "ChannelCallerId",
        "ChannelConnectedLine",
        "ChannelCreated",
        "ChannelDialplan",
        "ChannelDtmfReceived",
        "ChannelEnteredBridge",
        "ChannelHold",
        "ChannelLeftBridge",
        "ChannelStateChange",
        "ChannelTalkingFinished",
        "ChannelTalkingStarted",
        "ChannelToneDetected",
        "ChannelTransfer",
        "ChannelUnhold",
        "ChannelUserevent",
        "ChannelVarset",
        "Dial",
        "PlaybackContinuing",
        "PlaybackFinished",
        "PlaybackStarted",
        "RecordingFailed",
        "RecordingFinished",
        "RecordingStarted",
    ]
)
_LIFECYCLE = frozenset(
    [
        "ApplicationMoveFailed",
        "ApplicationRegistered",
        "ApplicationReplaced",
        "ApplicationUnregistered",
        "BridgeAttendedTransfer",
        "BridgeBlindTransfer",
        "BridgeCreated",
        "BridgeDestroyed",
        "BridgeMerged",
        "BridgeVideoSourceChanged",
        "ContactStatusChange",
        "DeviceStateChanged",
        "EndpointStateChange",
        "MissingParams",
        "PeerStatusChange",
    ]
)
#: States of a leg that Asterisk dials; a caller's own is "Ring" or "Up".
_DIALLED = frozenset({"Down", "Dialing", "Dialing Offhook", "Ringing"})


def _channel(event: dict[str, object]) -> dict[str, object]:
    """The channel that an event is about; recordings and playbacks only name it."""
    for key in ("channel", "peer", "caller"):
        found = as_dict(event.get(key))
        if found:
            return found
    for key in ("recording", "playback"):
        kind, _, identity = as_id(as_dict(event.get(key)).get("target_uri")).partition(":")
        if kind == "channel" and identity:
            return {"id": identity}
    return {}


def _attributes(event: dict[str, object], channel: dict[str, object]) -> dict[str, Attribute]:
    """What triage may want to know."""
    dialplan = as_dict(channel.get("dialplan"))
    found: dict[str, Attribute] = {
        "event": as_text(event.get("type"), 64),
        "channel_name": as_text(channel.get("name"), 256),
        "channel_state": as_text(channel.get("state"), 32),
        "channel_language": as_text(channel.get("language"), 32),
        "account_id": as_text(channel.get("accountcode"), 128),
        "context": as_text(dialplan.get("context"), 128),
        "application": as_text(event.get("application"), 128),
        "digits": as_text(event.get("digit"), 16),
        "cause": as_text(event.get("cause_txt"), 128),
        "args": tuple(as_text(arg, 256) for arg in as_list(event.get("args"))[:20]),
    }
    return {name: value for name, value in found.items() if value}


@attrs.frozen(kw_only=True)
class AsteriskAri:
    """The Asterisk REST Interface.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    ``own_args`` are the marks with which you originate legs of your own.
    """

    name: str = "asterisk_ari"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    own_args: frozenset[str] = frozenset({"agent", "dialed", "dialled", "originated", "outbound"})

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Nothing is signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("ARI events are not signed; open the WebSocket to Asterisk yourself")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event. Raises `PayloadError` when it is none."""
        event = decode_json(request.body)
        kind = as_text(event.get("type"), 64)
        if not kind:
            raise PayloadError("the event has no type")
        channel = _channel(event)
        replaced = as_id(as_dict(event.get("replace_channel")).get("id"))
        call = replaced or as_id(channel.get("id"))
        if kind == "StasisStart" and not call:
            raise PayloadError("the event names no channel")
        line = as_dict(channel.get("caller"))
        ours = self._is_own(event, channel)
        customer = Customer()
        if not ours:
            number, name = as_id(line.get("number")), as_text(line.get("name"), 256)
            customer = trunk_caller(number, name, self.default_region)
        attributes = _attributes(event, channel)
        if kind == "StasisStart" and not ours and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        dialled = as_id(as_dict(channel.get("dialplan")).get("exten"))
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call or None,
            message_id=call or None,
            to=dialled,
            attributes=attributes,
            sent_at_ms=rfc3339(event.get("timestamp")),
            received_at_ms=request.received_at_ms,
        )
        return [self._judged(kind, message, ours, replaced=bool(replaced))]

    def _is_own(self, event: dict[str, object], channel: dict[str, object]) -> str:
        """Why this leg is ours, or "" when a customer is on it."""
        if as_text(channel.get("name"), 64).lower().startswith("local/"):
            return "a Local channel"
        marks = {as_text(arg, 64).strip().lower() for arg in as_list(event.get("args"))[:20]}
        if marks & self.own_args:
            return "a leg that we originated"
        starts = event.get("type") == "StasisStart"
        if starts and as_text(channel.get("state"), 32) in _DIALLED:
            return "a leg that is being dialled"
        return ""

    @staticmethod
    def _judged(kind: str, message: Message, ours: str, *, replaced: bool) -> Inbound:
        """What an event of this kind means."""
        if kind in _LIFECYCLE:
            return lifecycle(message, kind)
        if kind not in _ENDED and kind not in _STATES and kind != "StasisStart":
            return ignored(message, f"event {kind!r} is not read")
        if ours:
            return own(message, ours)
        if kind == "StasisStart" and not replaced:
            return routed(message)
        return update(message, UpdateKind.ENDED if kind in _ENDED else UpdateKind.STATE)
