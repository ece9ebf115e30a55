"""FreeSWITCH by its event socket: events of the connection you open, or that it opens to you.

A call is ``Channel-Call-UUID``. It opens with `CHANNEL_CREATE` of an inbound leg, or with the
answer to ``connect`` (`CHANNEL_DATA`) when the dialplan hands a call to an outbound socket. The
other legs are outbound, or have another ``Unique-ID``. Times are microseconds.

Nothing is signed: bind to localhost, or use an access list. `normalize` takes frames, bare events
and JSON; `omniroute.channels.esl` cuts a stream into frames.

https://developer.signalwire.com/freeswitch/FreeSWITCH-Explained/Introduction/Event-System/Event-List_7143557
"""

from __future__ import annotations

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .esl import EslDecoder, EslEvent, EslFrame, event_of, event_of_json
from .payloads import as_text, milliseconds, quarantined
from .protocol import Reply, Secrets, WebhookRequest
from .telephone import WITHHELD_ATTRIBUTE, check_region, trunk_caller
from .verdicts import ignored, lifecycle, own, routed, update

__all__ = ["FreeSwitch"]

_ENDED = frozenset({"CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"})
_STATES = frozenset(
    [
        "CALL_SECURE",
        "CALL_UPDATE",
        "CODEC",
        "DETECTED_SPEECH",
        "DETECTED_TONE",
        "DTMF",
        "NOTALK",
        "PLAYBACK_START",
        "PLAYBACK_STOP",
        "RECORD_START",
        "RECORD_STOP",
        "TALK",
    ]
)
_LIFECYCLE = frozenset(
    [
        "API",
        "BACKGROUND_JOB",
        "HEARTBEAT",
        "LOG",
        "MODULE_LOAD",
        "MODULE_UNLOAD",
        "RELOADXML",
        "RE_SCHEDULE",
        "SESSION_HEARTBEAT",
        "SHUTDOWN",
        "SHUTDOWN_REQUESTED",
        "STARTUP",
    ]
)
_ATTRIBUTES = {
    "event-name": "event",
    "channel-name": "channel_name",
    "channel-state": "channel_state",
    "answer-state": "call_status",
    "call-direction": "direction",
    "hangup-cause": "hangup_cause",
    "caller-context": "context",
    "caller-rdnis": "forwarded_from",
    "dtmf-digit": "digits",
    "freeswitch-hostname": "host",
    "variable_verto_user": "user",
}


def _attributes(event: EslEvent) -> dict[str, Attribute]:
    """The headers of the table."""
    return {
        name: value
        for header, name in _ATTRIBUTES.items()
        if (value := as_text(event.get(header), 256))
    }


def _sent_at_ms(event: EslEvent) -> int | None:
    """``Event-Date-Timestamp``, microseconds."""
    text = event.get("Event-Date-Timestamp")
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        return None
    return milliseconds(int(text) // 1000)


@attrs.frozen(kw_only=True)
class FreeSwitch:
    """The event socket of FreeSWITCH.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    ``opening`` are the events that open a call: with ``CHANNEL_PARK`` in it instead, a call is
    opened when your dialplan parks it.
    """

    name: str = "freeswitch"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ()
    limit_bytes: int = 4_194_304
    default_region: str | None = None
    opening: frozenset[str] = frozenset({"CHANNEL_CREATE", "CHANNEL_DATA"})

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Nothing is signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("events of the event socket are not signed; connect to it yourself")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """One value per frame. Raises `PayloadError` when there is none."""
        at_ms = request.received_at_ms
        if request.body.lstrip()[:1] == b"{":
            return [self.read(event_of_json(request.body), at_ms)]
        decoder = EslDecoder()
        frames = decoder.feed(request.body) + decoder.close()
        if not any(frame.get("Event-Name") or frame.get("Content-Type") for frame in frames):
            raise PayloadError("there is no frame of the event socket")
        return [self._frame(frame, at_ms) for frame in frames]

    def _frame(self, frame: EslFrame, received_at_ms: int | None) -> Inbound:
        """One frame; one that cannot be understood does not lose the others."""
        try:
            event = event_of(frame)
        except PayloadError as error:
            return quarantined(self.channel, str(error), frame.body, received_at_ms=received_at_ms)
        if event is None:
            message = Message(channel=Channel.VOICE, received_at_ms=received_at_ms)
            kind = as_text(frame.get("Content-Type"), 64) or "no content type"
            return lifecycle(message, f"a frame without an event: {kind}")
        return self.read(event, received_at_ms)

    def read(self, event: EslEvent, received_at_ms: int | None = None) -> Inbound:
        """What one event means. Never raises."""
        leg = event.get("Unique-ID", "Caller-Unique-ID", "Channel-UUID")
        call = event.get("Channel-Call-UUID", "variable_call_uuid") or leg
        outbound = event.get("Call-Direction", "Caller-Direction").lower() == "outbound"
        ours = outbound or leg != call
        customer = Customer()
        if not ours and event.get("Caller-Privacy-Hide-Number").lower() != "true":
            customer = trunk_caller(
                event.get("Caller-Caller-ID-Number", "Caller-ANI")[:256],
                as_text(event.get("Caller-Caller-ID-Name"), 256),
                self.default_region,
            )
        name = event.get("Event-Name")
        attributes = _attributes(event)
        if name in self.opening and not ours and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call or None,
            message_id=leg or call or None,
            to=event.get("Caller-Destination-Number")[:256].strip(),
            attributes=attributes,
            sent_at_ms=_sent_at_ms(event),
            received_at_ms=received_at_ms,
        )
        sequence = event.get("Event-Sequence")
        # The sequence starts again with the process, so the process is part of the key.
        delivery = f"{event.get('Core-UUID')}:{sequence}"[:256] if sequence else ""
        return self._judged(name, message, delivery, ours=ours)

    def _judged(self, name: str, message: Message, delivery: str, *, ours: bool) -> Inbound:
        """What an event of this name means."""
        if name in _LIFECYCLE:
            return lifecycle(message, name, delivery)
        if not name.startswith("CHANNEL_") and name not in _STATES:
            return ignored(message, f"event {name[:40]!r} is not read", delivery)
        if message.thread_id is None:
            return ignored(message, f"event {name[:40]!r} names no call", delivery)
        if ours:
            return own(message, "a leg that we placed", delivery)
        if name in self.opening:
            return routed(message, delivery_id=delivery)
        kind = UpdateKind.ENDED if name in _ENDED else UpdateKind.STATE
        return update(message, kind, delivery)
