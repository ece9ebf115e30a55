"""``normalize CHANNEL FILE...``: print what provider payloads mean, one JSON object per event.

For looking at a payload before it is wired up. Every file gives at least one object, also an
unreadable or hostile one: the disposition says what became of it. ``email_reply_text`` is no
channel but a view: the files are texts, and the object holds the visible reply.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from ..channels import (
    CHANNELS,
    Adapter,
    WebhookRequest,
    adapter_named,
    language_detector,
    visible_reply,
    with_language,
)
from ..channels.language import Detect
from ..channels.payloads import quarantined
from ..errors import MissingExtraError, PayloadError, PayloadTooLargeError
from ..model import Channel, Disposition, Inbound, Message

__all__ = ["configure", "run"]

_REPLY_TEXT = "email_reply_text"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    known = ", ".join([*CHANNELS, _REPLY_TEXT])
    parser.add_argument("channel", metavar="CHANNEL", help=f"one of: {known}, or an alias")
    parser.add_argument("files", metavar="FILE", nargs="+", help="payloads as they arrived")


def run(args: argparse.Namespace) -> int:
    """Print one JSON object per contained event; 0 when every file could be read."""
    if args.channel.replace("-", "_") == _REPLY_TEXT:
        return _print(_reply_text(path) for path in args.files)
    adapter = adapter_named(args.channel)
    detect = _detector()
    return _print(shown for path in args.files for shown in _events(path, adapter, detect))


def _print(objects: Iterator[dict[str, object]]) -> int:
    """Print the objects; 1 when one of them says that its file could not be read."""
    unreadable = 0
    for shown in objects:
        unreadable += "error" in shown
        print(json.dumps(shown, ensure_ascii=sys.stdout.encoding.lower() != "utf-8"))
    return 1 if unreadable else 0


@functools.cache
def _detector() -> Detect | None:
    """The language detector, when its extra is installed; loaded once."""
    try:
        return language_detector()
    except MissingExtraError:
        return None


def _reply_text(path: str) -> dict[str, object]:
    """The visible reply of a text."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        return _unreadable(path, Channel.EMAIL, error)
    text = visible_reply(raw.decode("utf-8", "replace"))
    message = Message(channel=Channel.EMAIL, text=text)
    shown = _shown(path, Inbound(disposition=Disposition.CREATE, message=message))
    return {**shown, "disposition": "text-only"}


def _unreadable(path: str, channel: Channel, error: OSError) -> dict[str, object]:
    """The object of a file that cannot be opened."""
    inbound = quarantined(channel, error.strerror or str(error), b"")
    return {**_shown(path, inbound), "error": type(error).__name__}


def _events(path: str, adapter: Adapter, detect: Detect | None) -> Iterator[dict[str, object]]:
    """One object per event of a file."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        yield _unreadable(path, adapter.channel, error)
        return
    try:
        if len(raw) > adapter.limit_bytes and adapter.channel is not Channel.EMAIL:
            raise PayloadTooLargeError(f"larger than {adapter.limit_bytes} bytes")
        events = adapter.normalize(WebhookRequest(body=raw))
    except PayloadError as error:
        events = [quarantined(adapter.channel, str(error), raw)]
    if not events:
        message = Message(channel=adapter.channel)
        reason = "the payload holds no event"
        events = [Inbound(disposition=Disposition.IGNORED, message=message, reason=reason)]
    for event in events:
        yield _shown(path, with_language(event, detect))


def _shown(path: str, event: Inbound) -> dict[str, object]:
    """One event, every field of it by name."""
    message = event.message
    return {
        "file": path,
        "channel": message.channel.value,
        "disposition": event.disposition.value,
        "reason": event.reason,
        "update": event.update.value if event.update else None,
        "delivery_id": event.delivery_id,
        "customer_id": message.customer.id,
        "customer_name": message.customer.name,
        "addresses": [f"{address.kind}:{address.value}" for address in message.customer.addresses],
        "thread_id": message.thread_id,
        "message_id": message.message_id,
        "to": message.to,
        "subject": message.subject,
        "text": message.text,
        "reply": visible_reply(message.text) if message.channel is Channel.EMAIL else message.text,
        "language": message.language,
        "links": list(message.links),
        "attachments": [
            {
                "name": attachment.name,
                "content_type": attachment.content_type,
                "size_bytes": attachment.size_bytes,
                "url": attachment.url,
            }
            for attachment in message.attachments
        ],
        "attributes": message.attributes,
        "sent_at_ms": message.sent_at_ms,
    }
