"""``normalize CHANNEL FILE...``: print what provider payloads mean, one JSON object per event.

For looking at a payload before it is wired up. Every file that can be opened gives at least one
object, also a hostile one: the disposition says what became of it. One that cannot be opened is
no payload: it is named on stderr, and the exit code is 2. ``-`` is the standard input. No more
is read than the channel would take. ``email_reply_text`` is no channel but a view: the files
are texts, and the object holds the visible reply.
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
    Email,
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

__all__ = ["UNUSABLE", "configure", "content", "run"]

_REPLY_TEXT = "email_reply_text"
#: The exit code when a file could not be opened.
UNUSABLE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    known = ", ".join([*CHANNELS, _REPLY_TEXT])
    parser.add_argument("channel", metavar="CHANNEL", help=f"one of: {known}, or an alias")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="payloads as they arrived; - is stdin"
    )


def run(args: argparse.Namespace) -> int:
    """Print one JSON object per contained event; 0 when every file could be read, else 2."""
    is_text = args.channel.replace("-", "_") == _REPLY_TEXT
    adapter = Email() if is_text else adapter_named(args.channel)
    detect = None if is_text else _detector()
    code = 0
    for path in args.files:
        try:
            raw = content(path, adapter.limit_bytes)
        except OSError as error:
            print(f"omniroute: {path}: {error.strerror or error}", file=sys.stderr)
            code = UNUSABLE
            continue
        for shown in _reply_text(path, raw) if is_text else _events(path, raw, adapter, detect):
            print(json.dumps(shown, ensure_ascii=sys.stdout.encoding.lower() != "utf-8"))
    return code


def content(path: str, limit: int) -> bytes:
    """A file's bytes, ``-`` the standard input's; one more than the limit: there are more."""
    if path == "-":
        return sys.stdin.buffer.read(limit + 1)
    with Path(path).open("rb") as file:
        return file.read(limit + 1)


@functools.cache
def _detector() -> Detect | None:
    """The language detector, when its extra is installed; loaded once."""
    try:
        return language_detector()
    except MissingExtraError:
        return None


def _reply_text(path: str, raw: bytes) -> Iterator[dict[str, object]]:
    """The visible reply of a text, as the one object of its file."""
    text = visible_reply(raw.decode("utf-8", "replace"))
    message = Message(channel=Channel.EMAIL, text=text)
    shown = _shown(path, Inbound(disposition=Disposition.CREATE, message=message))
    yield {**shown, "disposition": "text-only"}


def _events(
    path: str, raw: bytes, adapter: Adapter, detect: Detect | None
) -> Iterator[dict[str, object]]:
    """One object per event of a file."""
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
        "target": event.target,
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
