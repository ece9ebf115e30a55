"""Channels: a provider's bytes in, `Inbound` values out. Pure; one file per provider.

`CHANNELS` is the table of adapters, `adapter_named` finds one by name or alias. Each adapter
follows the small protocol `Adapter`: verify, handshake, normalize.
"""

from __future__ import annotations

from .email import Email
from .email_limits import EmailLimits
from .language import language_detector, with_language
from .meta import Meta
from .protocol import Adapter, Reply, Secrets, WebhookRequest
from .registry import CHANNELS, adapter_named, canonical_name
from .reply_text import visible_reply
from .twilio_voice import TwilioVoice, enqueue

__all__ = [
    "CHANNELS",
    "Adapter",
    "Email",
    "EmailLimits",
    "Meta",
    "Reply",
    "Secrets",
    "TwilioVoice",
    "WebhookRequest",
    "adapter_named",
    "canonical_name",
    "enqueue",
    "language_detector",
    "visible_reply",
    "with_language",
]
